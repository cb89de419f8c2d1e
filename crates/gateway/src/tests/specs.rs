//! What people may write of routes.

use mainspring_kernel::AssetKind;
use mainspring_registry::ParsedSpec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{Hedge, HedgeAfter, Percentile, RouteSpec, Span, descriptors};

fn parse(spec: &Value) -> Result<ParsedSpec, String> {
    let route = descriptors().into_iter().find(|descriptor| descriptor.kind == AssetKind::Route).unwrap();
    route.check(spec).map_err(|fault| fault.to_string())
}

fn route() -> Value {
    json!({"targets": [{"provider": "main", "model": "a"}, {"provider": "local", "model": "b"}]})
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Value), place: &str) {
    let mut spec = route();
    change(&mut spec);
    let fault = parse(&spec).unwrap_err();
    assert!(fault.contains(place), "{fault} does not name {place}");
}

#[test]
fn a_route_needs_its_targets_and_nothing_else() {
    let parsed = parse(&route()).unwrap();
    let paths: Vec<_> =
        parsed.references.iter().map(|reference| (reference.path.as_str(), reference.target.to_string())).collect();
    assert_eq!(paths, [("targets[0].provider", "main".to_owned())], "the models of this process need no provider");
    let spec: RouteSpec = serde_json::from_value(parsed.canonical.clone()).unwrap();
    assert_eq!(parse(&parsed.canonical).unwrap(), parsed, "what is stored means the same");
    assert_eq!((spec.retry.attempts, spec.timeouts.attempt, spec.breaker.probes), (1, Span::seconds(900), 1));
    assert_eq!((spec.timeouts.first, spec.timeouts.for_stream()), (None, Span::seconds(600)));
}

#[test]
fn what_cannot_work_is_refused_with_its_place() {
    refused(|spec| spec["targets"] = json!([]), "targets");
    refused(|spec| spec["targets"][0]["model"] = Value::Null, "targets[0].model");
    refused(|spec| spec["targets"][0]["weight"] = json!(-1), "weight");
    refused(|spec| spec["targets"][0]["parameters"] = json!({"stream": true}), "targets[0].parameters.stream");
    refused(|spec| spec["targets"][0]["parameters"] = json!({"background": true}), "targets[0].parameters.background");
    refused(|spec| spec["targets"][1]["context_window"] = json!(0), "targets[1].context_window");
    refused(|spec| spec["targets"][1]["on"] = json!(["server"]), "targets[1].on");
    refused(|spec| spec["models"] = json!(["a*b"]), "models[0]");
    refused(|spec| spec["models"] = json!(["a", "a"]), "models[1]");
    refused(|spec| spec["models"] = json!(["a b"]), "models[0]");
    refused(|spec| spec["retry"] = json!({"attempts": 11}), "retry.attempts");
    refused(|spec| spec["retry"] = json!({"backoff": "10s"}), "retry.backoff");
    refused(|spec| spec["retry"] = json!({"on": ["sometimes"]}), "sometimes");
    refused(|spec| spec["timeouts"] = json!({"idle": "0s"}), "timeouts.idle");
    refused(|spec| spec["timeouts"] = json!({"whole": "0s"}), "timeouts.whole");
    refused(|spec| spec["timeouts"] = json!({"first": "0s"}), "timeouts.first");
    refused(|spec| spec["timeouts"] = json!({"idle": 5}), "idle");
    refused(|spec| spec["breaker"] = json!({"failure_rate": 1.5}), "breaker.failure_rate");
    refused(|spec| spec["breaker"] = json!({"probes": 0}), "breaker.probes");
    refused(|spec| spec["hedge"] = json!({"after": "p95", "at_most": 2.0}), "hedge.at_most");
    refused(|spec| spec["cache"] = json!({"ttl": "0s"}), "cache.ttl");
    refused(|spec| spec["cache"] = json!({"ttl": "1h", "threshold": 1.1}), "cache.threshold");
    refused(|spec| spec["cach"] = json!({"ttl": "1h"}), "did you mean `cache`?");
    let weightless = json!({"targets": [{"provider": "main", "model": "a", "weight": 0}]});
    assert!(parse(&weightless).unwrap_err().contains("targets[0].weight"));
    let alone = json!({"targets": [{"provider": "main", "model": "a"}], "hedge": {"after": "p95"}});
    assert!(parse(&alone).unwrap_err().contains("hedge"));
}

#[test]
fn a_hedge_is_late_by_a_percentile_or_a_time() {
    for (written, after) in [("p95", HedgeAfter::Percentile(Percentile::P95)), ("800ms", HedgeAfter::Span(Span::millis(800)))] {
        let hedge: Hedge = serde_json::from_value(json!({"after": written})).unwrap();
        assert_eq!((hedge.after, hedge.at_most), (after, 0.1));
        assert_eq!(serde_json::to_value(&hedge).unwrap()["after"], written);
    }
}

#[test]
fn schemas_know_every_field() {
    for descriptor in descriptors() {
        let schema = descriptor.manifest_schema().to_string();
        let words: &[&str] = match descriptor.kind {
            AssetKind::Route => {
                &["targets", "sticky", "hedge", "failure_rate", "stale_for", "rate_limited", "^[0-9]+(ms|s|m|h|d)$"]
            }
            _ => &["models", "cache_write", "above_input"],
        };
        for word in words {
            assert!(schema.contains(word), "{:?} lacks {word}", descriptor.kind);
        }
    }
}

#[test]
fn spans_are_written_as_they_are_read() {
    for text in ["250ms", "15s", "5m", "2h", "1d", "0s"] {
        let span: Span = text.parse().unwrap();
        assert_eq!(span.to_string(), text);
        assert_eq!(serde_json::to_value(span).unwrap(), text);
    }
    for text in ["", "5", "1y", "367d", "-1s", "99999999999999999999s"] {
        assert!(text.parse::<Span>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_json_is_too_strange_to_be_refused(text in "[\\[\\]{}\":,a-z0-9. ]{0,200}", field in 0_usize..8) {
        let value: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        let mut spec = route();
        let name = ["targets", "models", "retry", "timeouts", "hedge", "breaker", "cache", "sticky"][field];
        spec[name] = value;
        let _ = parse(&spec);
    }
}
