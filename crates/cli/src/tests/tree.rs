//! A trace as `mainspring traces TRACE` draws it.

use mainspring_wire::{TraceTotals, TreeSpan};
use serde_json::{Value, json};

use crate::commands::tree::{DEPTH_MAX, lines, summary};

fn span(span: &str, parent: Option<&str>, name: &str, more: &Value) -> TreeSpan {
    let mut written = json!({
        "span": span, "parent": parent, "name": name, "status": "ok", "start": "2026-01-02T03:04:05Z", "duration_ms": 812.4,
    });
    written.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(written).unwrap()
}

#[test]
fn a_call_and_its_attempts_say_who_was_asked_how_long_that_took_and_what_it_cost() {
    let spans = [
        span("1", None, "POST /v1/chat/completions", &json!({"status": "unset", "duration_ms": 1234.5})),
        span(
            "2",
            Some("1"),
            "chat assistant",
            &json!({"model": "gpt-4o", "input_tokens": 12, "output_tokens": 80, "cost": "0.00083"}),
        ),
        span(
            "3",
            Some("2"),
            "attempt first/gpt-4o",
            &json!({"model": "gpt-4o", "status": "error", "error": "server", "duration_ms": 4.26}),
        ),
        span(
            "4",
            Some("2"),
            "attempt second/gpt-4o",
            &json!({"model": "gpt-4o", "input_tokens": 12, "output_tokens": 80, "duration_ms": 700, "first_token_ms": 300}),
        ),
        span("5", Some("4"), "a\nname", &json!({"output_tokens": 3, "duration_ms": 20, "first_token_ms": 19})),
        span("6", Some("gone"), "alone", &json!({"status": "error"})),
    ];
    assert_eq!(
        lines(&spans),
        [
            "POST /v1/chat/completions  1.2 s",
            "└─ chat assistant  812 ms  ok  gpt-4o  12 → 80 tokens  0.00083 dollars",
            "   ├─ attempt first/gpt-4o  4.3 ms  ✗ server",
            "   └─ attempt second/gpt-4o  700 ms  ok  12 → 80 tokens  first token after 300 ms  200.0 tokens/s",
            "      └─ a name  20 ms  ok  – → 3 tokens  first token after 19 ms",
            "alone  812 ms  ✗",
        ]
    );
    let totals: TraceTotals = serde_json::from_value(json!({
        "spans": 6, "errors": 2, "input_tokens": 12, "output_tokens": 80, "cost": "0.00083",
        "start": "2026-01-02T03:04:05Z", "duration_ms": 1234.5, "versions": [], "replayable": false,
    }))
    .unwrap();
    let says = "6 spans from 2026-01-02T03:04:05Z, took 1.2 s, 2 failed, 12 → 80 tokens, 0.00083 dollars";
    assert_eq!(summary(&totals), says);
}

#[test]
fn a_tree_without_a_root_or_an_end_is_drawn_as_far_as_it_goes() {
    let circle = [span("1", Some("2"), "a", &json!({})), span("2", Some("1"), "b", &json!({}))];
    assert!(lines(&circle).is_empty());
    let chain: Vec<TreeSpan> =
        (0..200).map(|at| span(&at.to_string(), (at > 0).then(|| (at - 1).to_string()).as_deref(), "deep", &json!({}))).collect();
    assert_eq!(lines(&chain).len(), DEPTH_MAX + 1);
}

#[test]
fn spans_of_one_id_are_drawn_once_each() {
    let pair = |at: u32| {
        let (id, parent) = (at.to_string(), (at > 0).then(|| (at - 1).to_string()));
        [span(&id, parent.as_deref(), "one", &json!({})), span(&id, parent.as_deref(), "other", &json!({}))]
    };
    let spans: Vec<TreeSpan> = (0..40).flat_map(pair).collect();
    assert_eq!(lines(&spans).len(), spans.len());
    let above_itself = [span("1", None, "a", &json!({})), span("1", Some("1"), "b", &json!({}))];
    assert_eq!(lines(&above_itself), ["a  812 ms  ok", "└─ b  812 ms  ok"]);
}
