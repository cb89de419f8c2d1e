//! The kind `monitor`, with what only the room of spans and points knows: whether a filter can be read and a field measured.

use mainspring_kernel::Fault as _;
use mainspring_monitors::{Compare, Measure, MetricMeasure, MonitorSpec, ReleaseOf};
use mainspring_observability::{
    FilterFault, MetricValue, SpanFilter, TraceFault, check_group_field, check_number_field, check_point_attribute, score_field,
};
use mainspring_registry::{KindDescriptor, ParsedSpec, SpecFault, SpecProblem};
use serde_json::Value;

use super::metrics::as_points_say;

pub(crate) fn kind() -> KindDescriptor {
    KindDescriptor { parse, ..mainspring_monitors::descriptor() }
}

fn parse(value: &Value) -> Result<ParsedSpec, SpecFault> {
    let parsed = (mainspring_monitors::descriptor().parse)(value)?;
    let spec: MonitorSpec = SpecFault::read(&parsed.canonical)?;
    let problems = problems(&spec);
    if problems.is_empty() { Ok(parsed) } else { Err(SpecFault { problems }) }
}

fn problems(spec: &MonitorSpec) -> Vec<SpecProblem> {
    if let Measure::Metric(metric) = &spec.measure {
        return metric_problems(spec, metric);
    }
    let measured = match &spec.measure {
        Measure::Count | Measure::Metric(_) => None,
        Measure::Rate { hits } => filter("measure.rate.hits", hits),
        Measure::Sum { field } => measured_problem("measure.sum.field", field, check_number_field),
        Measure::Mean { field } => measured_problem("measure.mean.field", field, check_number_field),
        Measure::Percentile { field, .. } => measured_problem("measure.percentile.field", field, check_number_field),
        Measure::Numbers { field } => measured_problem("measure.numbers.field", field, check_number_field),
        Measure::Categories { field } => measured_problem("measure.categories.field", field, check_group_field),
        Measure::Topics { field } => topics_problem(spec, field),
    };
    let watched = spec.filter.as_deref().and_then(|words| filter("filter", words));
    let sliced = spec.slices.as_deref().and_then(|field| slices_problem(spec, field));
    [watched, measured, sliced].into_iter().flatten().collect()
}

/// Which kind it is sent as is seen when it comes, unless the spec says it.
fn metric_problems(spec: &MonitorSpec, metric: &MetricMeasure) -> Vec<SpecProblem> {
    let value = match (MetricValue::read(&metric.value), metric.kind.map(as_points_say)) {
        (Err(fault), _) => Some(problem("measure.metric.value", fault.to_string())),
        (Ok(value), Some(kind)) if !value.may_be_of(kind) => {
            Some(problem("measure.metric.value", format!("there is no {value} of a {}", kind.as_str())))
        }
        (Ok(_), _) => None,
    };
    let named = metric.attributes.keys().filter_map(|name| {
        let fault = check_point_attribute(name).err()?;
        Some(problem(&format!("measure.metric.attributes.{name}"), fault.to_string()))
    });
    let sliced = spec.slices.as_deref().and_then(|name| field_problem("slices", check_point_attribute(name)));
    value.into_iter().chain(named).chain(sliced).collect()
}

/// A field, or an attribute. What was said of spans is sliced by their fields alone.
fn slices_problem(spec: &MonitorSpec, field: &str) -> Option<SpecProblem> {
    let measured = match &spec.measure {
        Measure::Count | Measure::Rate { .. } | Measure::Topics { .. } | Measure::Metric(_) => None,
        Measure::Sum { field }
        | Measure::Mean { field }
        | Measure::Percentile { field, .. }
        | Measure::Numbers { field }
        | Measure::Categories { field } => score_field(field).ok().flatten(),
    };
    if measured.is_some() && field.starts_with("attributes") {
        return Some(problem("slices", "scores are sliced by a field of spans, not by an attribute".to_owned()));
    }
    field_problem("slices", check_group_field(field))
}

/// Topics are kept by the hour and release, of all traces together.
fn topics_problem(spec: &MonitorSpec, field: &str) -> Option<SpecProblem> {
    if !matches!(field, "input" | "output") {
        return Some(problem("measure.topics.field", "is `input`, what was asked, or `output`, what was answered".to_owned()));
    }
    let of_prompts = matches!(&spec.compare, Compare::Release(release) if release.of == ReleaseOf::Prompt);
    if of_prompts {
        return Some(problem("compare.release.of", "topics are kept by release: versions of a prompt have none".to_owned()));
    }
    let narrowed = [("filter", spec.filter.is_some()), ("slices", spec.slices.is_some())];
    let (path, _) = narrowed.into_iter().find(|(_, given)| *given)?;
    Some(problem(path, "topics are of all traces together".to_owned()))
}

fn filter(path: &str, words: &str) -> Option<SpecProblem> {
    let fault: FilterFault = words.parse::<SpanFilter>().err()?;
    let hint = fault.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
    Some(problem(path, format!("{fault}{hint}")))
}

/// A field of spans, or the scores of a name: which kind of value they have is seen when they come.
fn measured_problem(path: &str, field: &str, check: fn(&str) -> Result<(), TraceFault>) -> Option<SpecProblem> {
    match score_field(field) {
        Ok(Some(_)) => None,
        Ok(None) => field_problem(path, check(field)),
        Err(fault) => Some(problem(path, fault.to_string())),
    }
}

fn field_problem(path: &str, checked: Result<(), TraceFault>) -> Option<SpecProblem> {
    checked.err().map(|fault| problem(path, fault.to_string()))
}

fn problem(path: &str, message: String) -> SpecProblem {
    SpecProblem { path: path.to_owned(), message, unknown_field: false }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn problems_of(fields: &Value) -> Vec<String> {
        let mut spec = json!({ "measure": { "rate": { "hits": "error" } }, "compare": { "threshold": { "above": 0.1 } } });
        for (name, value) in fields.as_object().unwrap() {
            spec[name] = value.clone();
        }
        match (kind().parse)(&spec) {
            Ok(_) => Vec::new(),
            Err(fault) => fault.problems.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn what_spans_do_not_have_cannot_be_watched() {
        let drift = json!({ "previous": {} });
        for fields in [
            json!({ "filter": "app = desk", "slices": "model" }),
            json!({ "measure": { "topics": { "field": "output" } }, "compare": drift }),
            json!({ "measure": { "topics": { "field": "output" } }, "compare": { "release": { "baseline": "1.0" } } }),
            json!({ "measure": { "numbers": { "field": "score.quality" } }, "compare": drift }),
            json!({ "measure": { "categories": { "field": "score[\"answer tone\"]" } }, "compare": drift }),
            json!({ "measure": { "mean": { "field": "score.quality" } }, "compare": drift }),
            json!({ "slices": "attributes[\"region\"]" }),
            json!({ "measure": { "numbers": { "field": "attributes[\"n\"]" } }, "compare": drift }),
            json!({ "measure": { "categories": { "field": "attributes['tier']" } }, "compare": drift }),
            json!({ "measure": { "metric": { "name": "shop.orders", "value": "rate" } }, "slices": "resource.service.version" }),
            json!({
                "measure": { "metric": {
                    "name": "shop.time", "value": "p95", "kind": "histogram", "attributes": { "region": ["eu"] },
                } },
                "compare": drift,
            }),
        ] {
            assert_eq!(problems_of(&fields), Vec::<String>::new(), "{fields}");
        }
        for (fields, expected) in [
            (json!({ "filter": "app = " }), "filter: the filter cannot be read"),
            (json!({ "measure": { "rate": { "hits": "(" } } }), "measure.rate.hits: the filter cannot be read"),
            (json!({ "slices": "modle" }), "slices: groups cannot be made of `modle`"),
            (json!({ "measure": { "mean": { "field": "model" } } }), "measure.mean.field: `model` is no field of numbers"),
            (
                json!({ "measure": { "categories": { "field": "cost" } }, "compare": { "previous": {} } }),
                "measure.categories.field: groups cannot be made of `cost`",
            ),
            (json!({ "measure": { "topics": { "field": "model" } }, "compare": { "previous": {} } }), "measure.topics.field: is"),
            (
                json!({ "measure": { "numbers": { "field": "score." } }, "compare": { "previous": {} } }),
                "measure.numbers.field: `score.` is no score",
            ),
            (json!({ "slices": "attributes[region]" }), "slices: `attributes[region]` is no attribute"),
            (json!({ "slices": "attributes[\"input.value\"]" }), "slices: `attributes[\"input.value\"]` holds what people wrote"),
            (
                json!({
                    "measure": { "mean": { "field": "score.quality" } },
                    "compare": { "previous": {} },
                    "slices": "attributes[\"region\"]",
                }),
                "slices: scores are sliced by a field",
            ),
            (
                json!({ "measure": { "metric": { "name": "shop.orders", "value": "ratte" } } }),
                "measure.metric.value: a metric has no `ratte`: did you mean `rate`?",
            ),
            (
                json!({ "measure": { "metric": { "name": "shop.orders", "value": "p95", "kind": "sum" } } }),
                "measure.metric.value: there is no p95 of a sum",
            ),
            (
                json!({ "measure": { "metric": {
                    "name": "shop.orders", "value": "rate", "attributes": { "gen_ai.input.messages": ["a"] },
                } } }),
                "measure.metric.attributes.gen_ai.input.messages: `gen_ai.input.messages` holds what people wrote",
            ),
            (
                json!({ "measure": { "metric": { "name": "shop.orders", "value": "rate" } }, "slices": "input.value" }),
                "slices: `input.value` holds what people wrote",
            ),
            (json!({ "slices": "score.tone" }), "slices: groups cannot be made of `score.tone`"),
            (
                json!({ "measure": { "topics": { "field": "input" } }, "compare": { "release": { "of": "prompt" } } }),
                "compare.release.of: topics are kept by release",
            ),
            (
                json!({ "measure": { "topics": { "field": "input" } }, "compare": { "previous": {} }, "slices": "model" }),
                "slices: topics are of all",
            ),
        ] {
            let found = problems_of(&fields);
            assert!(found.iter().any(|problem| problem.starts_with(expected)), "{found:?} has no {expected}");
        }
    }

    proptest! {
        #[test]
        fn any_filter_is_taken_or_refused(words in "\\PC{1,60}", field in "[a-z_.]{1,20}") {
            let _ = problems_of(&json!({ "filter": words, "slices": field, "measure": { "rate": { "hits": words } } }));
        }
    }
}
