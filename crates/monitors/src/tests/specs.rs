use mainspring_kernel::AssetKind;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{Compare, Measure, MonitorSpec, Severity, Stretch, Worse, descriptor};

const EXAMPLE: &str = "
filter: app = support
measure:
  percentile: { field: duration, at: 0.95 }
slices: model
compare:
  previous: { back: 7d, by: 0.2 }
window: 1h
severity: critical
notify: [on-call]
";

fn from_yaml(text: &str) -> Value {
    yaml_serde::from_str(text).unwrap()
}

fn problems(fields: Value) -> Vec<String> {
    let mut spec = json!({ "measure": { "rate": { "hits": "status = error" } }, "compare": { "threshold": { "above": 0.1 } } });
    for (name, value) in fields.as_object().unwrap() {
        spec[name] = value.clone();
    }
    match (descriptor().parse)(&spec) {
        Ok(_) => Vec::new(),
        Err(fault) => fault.problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_spec_is_read_and_every_default_is_written_out() {
    let parsed = (descriptor().parse)(&from_yaml(EXAMPLE)).unwrap();
    assert_eq!(descriptor().kind, AssetKind::Monitor);
    let spec: MonitorSpec = serde_json::from_value(parsed.canonical.clone()).unwrap();
    assert_eq!(spec.measure, Measure::Percentile { field: "duration".to_owned(), at: 0.95 });
    let Compare::Previous(previous) = &spec.compare else { panic!("another comparison") };
    assert_eq!((previous.back, previous.by, previous.worse), (Some(Stretch::days(7)), Some(0.2), Worse::Up));
    assert_eq!((spec.severity, spec.minimum, spec.notify_missing), (Severity::Critical, 30, true));
    for (field, value) in [("every", "1m"), ("delay", "1m"), ("false_alarm_every", "30d"), ("hold", "0s"), ("recover", "5m")] {
        assert_eq!(parsed.canonical[field], value);
    }
    assert_eq!((descriptor().parse)(&parsed.canonical).unwrap().canonical, parsed.canonical);
    let mentioned = parsed.mentions.iter().map(|mention| (mention.kind, mention.target.to_string(), mention.path.as_str()));
    assert_eq!(mentioned.collect::<Vec<_>>(), [(AssetKind::Receiver, "on-call".to_owned(), "notify[0]")]);
}

#[test]
fn a_measure_without_settings_is_one_word() {
    assert_eq!(problems(json!({ "measure": "count" })), Vec::<String>::new());
}

#[test]
fn how_often_a_test_looks_that_looks_at_whole_windows_is_not_asked() {
    for compare in [json!({ "threshold": { "above": 0.1 } }), json!({ "previous": {} }), json!({ "release": {} })] {
        assert_eq!(problems(json!({ "window": "30s", "compare": compare })), Vec::<String>::new());
    }
}

#[test]
fn alerts_are_grouped_by_labels_that_they_have() {
    let fields = json!({ "labels": { "app": "desk" }, "slices": "model", "group_by": ["app", "model", "severity", "name"] });
    assert_eq!(problems(fields), Vec::<String>::new());
    let canonical = (descriptor().parse)(&from_yaml(EXAMPLE)).unwrap().canonical;
    let later = ["group_by", "notify_missing_slices"].map(|field| canonical.get(field));
    assert_eq!(later, [None, None], "what was applied before is the same version");
}

#[test]
fn the_schema_names_what_is_needed_and_every_measure() {
    let schema = descriptor().manifest_schema();
    assert_eq!(schema["properties"]["spec"]["required"], json!(["measure", "compare"]));
    let text = schema.to_string();
    for word in ["percentile", "topics", "metric", "threshold", "previous", "release", "rest", "budget", "false_alarm_every"] {
        assert!(text.contains(&format!("\"{word}\"")), "{word}");
    }
}

#[test]
fn what_cannot_be_is_named_with_its_place() {
    for (fields, expected) in [
        (json!({ "windw": "5m" }), "windw: unknown field `windw`: did you mean `window`?"),
        (json!({ "window": "5 minutes" }), "window: `5 minutes` is not a time up to 3660d"),
        (json!({ "window": "0s" }), "window: is shorter than 1s"),
        (json!({ "every": "1h" }), "every: is longer than `window`"),
        (
            json!({ "window": "30s", "compare": { "threshold": { "above": 0.1, "test": "sequential" } } }),
            "every: is longer than `window`; where it is left out it is 1m",
        ),
        (json!({ "false_alarm_every": "20m" }), "false_alarm_every: has to be two windows at least"),
        (json!({ "slices": " " }), "slices: is empty"),
        (json!({ "measure": { "mean": { "field": "" } } }), "measure.mean.field: is empty"),
        (json!({ "measure": { "percentile": { "field": "duration", "at": 95 } } }), "measure.percentile.at: is not between"),
        (json!({ "compare": { "threshold": {} } }), "compare.threshold: names neither"),
        (
            json!({ "compare": { "threshold": { "above": 0.1, "below": 0.2 } } }),
            "compare.threshold: everything is above or below",
        ),
        (json!({ "compare": { "threshold": { "above": 5 } } }), "compare.threshold.above: a rate is between 0 and 1"),
        (json!({ "compare": { "threshold": { "above": 0, "test": "sequential" } } }), "compare.threshold.above: a sequential"),
        (
            json!({ "measure": "count", "compare": { "threshold": { "above": 5, "test": "sequential" } } }),
            "compare.threshold.test",
        ),
        (json!({ "measure": { "numbers": { "field": "score" } } }), "compare.threshold: a distribution has no single figure"),
        (json!({ "compare": { "previous": { "back": "1m" } } }), "compare.previous.back: is shorter than `window`"),
        (json!({ "compare": { "previous": { "by": -1 } } }), "compare.previous.by: is not a number from 0"),
        (json!({ "compare": { "release": { "error": 0.5 } } }), "compare.release.error: is not between"),
        (json!({ "measure": "count", "compare": { "release": {} } }), "compare.release: releases do not have the same traffic"),
        (
            json!({ "measure": { "numbers": { "field": "score" } }, "compare": { "release": { "test": "sequential" } } }),
            "compare.release.test: `sequential` is for a rate or a mean",
        ),
        (json!({ "compare": { "rest": {} } }), "slices: is missing"),
        (
            json!({ "labels": { "app": "desk" }, "group_by": ["app", "team"] }),
            "group_by[1]: its alerts have no such label: add it to `labels`",
        ),
        (json!({ "group_by": vec!["name"; 9] }), "group_by: has more than 8 labels"),
        (json!({ "notify_missing_slices": true }), "notify_missing_slices: there are no slices"),
        (
            json!({ "notify_missing_slices": true, "notify_missing": false, "slices": "model" }),
            "notify_missing_slices: while `notify_missing` is false",
        ),
        (json!({ "measure": "count", "slices": "model", "compare": { "rest": {} } }), "compare.rest: is for a rate"),
        (json!({ "compare": { "budget": { "objective": 1 } } }), "compare.budget.objective: is not between"),
    ] {
        let found = problems(fields);
        assert!(found.iter().any(|problem| problem.starts_with(expected)), "{found:?} has no {expected}");
    }
}

#[test]
fn a_metric_is_compared_as_its_points_allow() {
    let metric = |more: Value| {
        let mut metric = json!({ "name": "shop.time", "value": "p95" });
        metric.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "metric": metric })
    };
    let sequential = json!({ "threshold": { "above": 2.5, "test": "sequential" } });
    for fields in [
        json!({ "measure": metric(json!({})), "compare": { "threshold": { "above": 2.5 } } }),
        json!({ "measure": metric(json!({ "kind": "exponential_histogram" })), "compare": sequential }),
        json!({ "measure": metric(json!({ "kind": "histogram" })), "compare": { "previous": {} } }),
        json!({ "measure": metric(json!({})), "compare": { "previous": { "by": 0.2 } } }),
        json!({ "measure": metric(json!({ "value": "count" })), "compare": { "previous": {} } }),
        json!({
            "measure": metric(json!({ "value": "last", "kind": "sum", "monotonic": false, "temporality": "unspecified" })),
            "compare": { "threshold": { "above": 2.5 } },
        }),
        json!({
            "measure": metric(json!({ "value": "rate", "unit": "{order}", "attributes": { "region": ["eu"] } })),
            "compare": { "previous": { "back": "7d", "by": 0.3 } }, "slices": "region", "group_by": ["region"],
        }),
    ] {
        assert_eq!(problems(fields.clone()), Vec::<String>::new(), "{fields}");
    }
    for (fields, expected) in [
        (json!({ "measure": metric(json!({ "name": " " })) }), "measure.metric.name: is empty"),
        (json!({ "measure": metric(json!({ "kind": "counter" })) }), "measure.metric.kind: unknown value `counter`"),
        (json!({ "measure": metric(json!({ "attributes": { "region": [] } })) }), "measure.metric.attributes.region: is empty"),
        (json!({ "measure": metric(json!({ "kind": "histogram", "monotonic": true })) }), "measure.metric.monotonic: is of sums"),
        (json!({ "measure": metric(json!({})), "filter": "app = desk" }), "filter: is of traces"),
        (json!({ "measure": metric(json!({})), "compare": sequential }), "measure.metric.kind: `sequential` counts"),
        (
            json!({ "measure": metric(json!({ "value": "rate" })), "compare": sequential }),
            "compare.threshold.test: `sequential` is for a rate or a percentile",
        ),
        (
            json!({ "measure": metric(json!({ "value": "rate" })), "compare": { "previous": {} } }),
            "compare.previous.by: is missing",
        ),
        // It may be one that a program says, of which nobody knows how it scatters.
        (json!({ "measure": metric(json!({})), "compare": { "previous": {} } }), "compare.previous.by: is missing"),
        (
            json!({ "measure": metric(json!({ "kind": "summary" })), "compare": { "previous": {} } }),
            "compare.previous.by: is missing",
        ),
        (json!({ "measure": metric(json!({})), "of": "spans" }), "of: is of traces"),
        (json!({ "measure": metric(json!({})), "compare": { "release": {} } }), "compare.release: is of traces"),
        (
            json!({ "measure": metric(json!({})), "compare": { "rest": {} }, "slices": "region" }),
            "compare.rest: is for a rate of traces",
        ),
        (
            json!({ "measure": metric(json!({})), "compare": { "budget": { "objective": 0.9 } } }),
            "compare.budget: is for a rate of traces",
        ),
    ] {
        let found = problems(fields);
        assert!(found.iter().any(|problem| problem.starts_with(expected)), "{found:?} has no {expected}");
        assert_eq!(found.len(), 1, "{found:?}");
    }
    let written =
        (descriptor().parse)(&json!({ "measure": metric(json!({})), "compare": { "threshold": { "above": 1 } } })).unwrap();
    assert_eq!(written.canonical["measure"], metric(json!({})), "what is not said is not written");
}

proptest! {
    #[test]
    fn a_spec_that_was_changed_anywhere_never_panics(place in any::<prop::sample::Index>(), word in "[a-z0-9.{}:\\[\\] -]{0,12}") {
        let mut text = EXAMPLE.to_owned();
        let place = place.index(text.len());
        text.insert_str(place, &word);
        if let Ok(value) = yaml_serde::from_str::<Value>(&text)
            && let Ok(parsed) = (descriptor().parse)(&value)
        {
            prop_assert!((descriptor().parse)(&parsed.canonical).is_ok());
        }
    }

    #[test]
    fn stretches_never_panic(text in "\\PC{0,30}") {
        if let Ok(stretch) = text.parse::<Stretch>() {
            prop_assert_eq!(stretch.to_string().parse(), Ok(stretch));
        }
    }
}
