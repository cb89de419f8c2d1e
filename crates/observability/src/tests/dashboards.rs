use mainspring_kernel::Fault as _;
use serde_json::json;

use super::*;
use crate::built_in;

fn problems(spec: Value) -> Vec<String> {
    match parse(&spec) {
        Ok(_) => Vec::new(),
        Err(fault) => fault.problems.iter().map(ToString::to_string).collect(),
    }
}

fn panel(panel: Value) -> Vec<String> {
    problems(json!({"title": "Desk", "panels": [panel]}))
}

#[test]
fn what_is_built_in_would_be_taken_from_a_person() {
    let spec = serde_json::to_value(built_in()).unwrap();
    let read = parse(&spec).unwrap();
    assert_eq!(serde_json::from_value::<DashboardSpec>(read.canonical).unwrap(), built_in());
}

#[test]
fn a_panel_says_what_is_wrong_with_it_and_where() {
    assert_eq!(panel(json!({"title": "Calls", "measures": ["count", "errors"], "filter": "entry", "by": "model"})), [""; 0]);
    assert_eq!(panel(json!({"title": "Rows", "chart": "table", "sql": "SELECT 1", "unit": "dollars"})), [""; 0]);
    let by_attribute = json!({"title": "Calls", "measures": ["count"], "by": "attributes[\"region\"]"});
    assert_eq!(panel(by_attribute), [""; 0]);
    let of_scores = json!({"title": "Helpful", "measures": ["score.helpful.mean", "score.helpful.p95"], "unit": "share"});
    assert_eq!(panel(of_scores), [""; 0]);
    let metric = |fields: Value| {
        let mut panel = json!({"title": "x", "metric": {"name": "shop.time"}, "measures": ["p50", "p99.9"]});
        panel.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        panel
    };
    let by_region = json!({"by": "region", "metric": {"name": "shop.time", "kind": "histogram", "unit": "s",
        "attributes": {"resource.service.name": ["shop", "desk"]}}});
    let falling = json!({"measures": ["last"], "metric": {"name": "shop.load", "kind": "sum", "unit": "", "monotonic": false,
        "temporality": "cumulative"}});
    for good in [json!({}), json!({"chart": "table", "measures": ["rate"]}), by_region, falling] {
        assert_eq!(panel(metric(good.clone())), [""; 0], "{good}");
    }
    for (given, wanted) in [
        (
            json!({"title": "x", "measures": ["score.helpful"]}),
            "panels[0].measures[0]: `score.helpful` is written score.NAME.mean",
        ),
        (
            json!({"title": "x", "measures": ["count", "score.helpful.count"]}),
            "panels[0].measures: are of different units; give each a panel of its own",
        ),
        (json!({"title": "x"}), "panels[0]: give exactly one of `measures` and `sql`"),
        (json!({"title": "x", "measures": ["count"], "sql": "SELECT 1"}), "panels[0]: give exactly one of `measures` and `sql`"),
        (json!({"title": " ", "measures": ["count"]}), "panels[0].title: is a text of 1 to 120 characters"),
        (
            json!({"title": "x", "measures": ["counts"]}),
            "panels[0].measures[0]: there is no measure `counts`: did you mean `count`?",
        ),
        (
            json!({"title": "x", "measures": ["count", "cost"]}),
            "panels[0].measures: are of different units; give each a panel of its own",
        ),
        (json!({"title": "x", "measures": ["cost", "cost"]}), "panels[0].measures: name one twice"),
        (
            json!({"title": "x", "measures": ["cost"], "unit": "count"}),
            "panels[0].unit: is `dollars` for these measures; leave it out",
        ),
        (json!({"title": "x", "measures": ["count"], "by": "duration"}), "panels[0].by: groups cannot be made of `duration`"),
        (
            json!({"title": "x", "measures": ["count"], "by": "attributes[\"input.value\"]"}),
            "panels[0].by: `attributes[\"input.value\"]` holds what people wrote",
        ),
        (
            json!({"title": "x", "measures": ["score.helpful.mean"], "by": "attributes[\"region\"]"}),
            "panels[0].by: scores are grouped by a field of spans, not by an attribute",
        ),
        (
            json!({"title": "x", "sql": "SELECT 1", "by": "model"}),
            "panels[0]: `filter` and `by` stand beside `measures`; SQL says both itself",
        ),
        (metric(json!({"measures": ["p95", "medain"]})), "panels[0].measures[1]: a metric has no `medain`"),
        (metric(json!({"measures": []})), "panels[0]: give `measures` of the metric, such as `rate` or `p95`, and no `sql`"),
        (metric(json!({"sql": "SELECT 1"})), "panels[0]: give `measures` of the metric, such as `rate` or `p95`, and no `sql`"),
        (
            metric(json!({"measures": ["count", "p95"]})),
            "panels[0].measures: are of different units; give each a panel of its own",
        ),
        (
            metric(json!({"metric": {"name": "x", "kind": "gauge"}, "measures": ["p95"]})),
            "panels[0].measures[0]: there is no p95 of a gauge",
        ),
        (metric(json!({"metric": {"name": " "}})), "panels[0].metric.name: is empty"),
        (
            metric(json!({"metric": {"name": "x", "kind": "histogram", "monotonic": true}})),
            "panels[0].metric.monotonic: is of sums",
        ),
        (
            metric(json!({"metric": {"name": "x", "attributes": {"region": []}}})),
            "panels[0].metric.attributes: `region` has no value",
        ),
        (
            metric(json!({"metric": {"name": "x", "attributes": {"gen_ai.input.messages": ["a"]}}})),
            "panels[0].metric.attributes: `gen_ai.input.messages` holds what people wrote",
        ),
        (metric(json!({"by": "gen_ai.input.messages"})), "panels[0].by: `gen_ai.input.messages` holds what people wrote"),
        (metric(json!({"by": "attributes[\"region\"]"})), "panels[0].by: `attributes[\"region\"]` is of spans"),
        (metric(json!({"filter": "entry"})), "panels[0].filter: is of spans"),
        (metric(json!({"unit": "dollars"})), "panels[0].unit: is the metric's own; leave it out"),
        (
            json!({"title": "x", "measures": ["count"], "filter": "model ="}),
            "panels[0].filter: the filter cannot be read at character",
        ),
    ] {
        let told = panel(given.clone());
        assert!(told.len() == 1 && told[0].starts_with(wanted), "{given}: {told:?}");
    }
    let twice = json!({"title": "Desk", "panels": [{"title": "x", "measures": ["count"]}, {"title": "x", "measures": ["cost"]}]});
    assert_eq!(problems(twice), ["panels: two have the same title"]);
    assert_eq!(problems(json!({"title": "Desk", "panels": []})), ["panels: are 1 to 40"]);
    let fault = parse(&json!({"title": "Desk", "panels": [{"title": "x", "mesures": ["count"]}]})).unwrap_err();
    assert_eq!(fault.code(), "registry-invalid-spec");
}
