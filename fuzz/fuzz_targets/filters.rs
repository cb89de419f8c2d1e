//! Filters of spans: what was read is written and read as the same, and a refusal names a place in the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mainspring_kernel::{Timestamp, id::ProjectId};
use mainspring_llm::{
    Span, SpanId, TraceId,
    trace::{SpanKind, SpanStatus},
};
use mainspring_observability::SpanFilter;
use serde_json::{Map, json};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.parse::<SpanFilter>() {
        Ok(filter) => {
            let written = filter.to_string();
            assert_eq!(written.parse(), Ok(filter.clone()), "{written}");
            // Which it is depends on the filter; that there is an answer does not.
            assert!(filter.matches(&span(), Timestamp::from_micros(1_000_000)).is_ok());
        }
        Err(fault) => {
            assert!((1..=text.chars().count() + 1).contains(&fault.at), "{fault}");
            assert!(!fault.what.is_empty());
        }
    }
});

fn span() -> Span {
    Span {
        project: ProjectId::from_raw(1),
        trace: TraceId::from_slice(&[1; 16]).expect("an id"),
        span: SpanId::from_slice(&[1; 8]).expect("an id"),
        parent: None,
        name: "chat".to_owned(),
        kind: SpanKind::Client,
        start: Timestamp::from_micros(5),
        end: Timestamp::from_micros(10),
        status: SpanStatus::Error("broke".to_owned()),
        attributes: Map::from_iter([
            ("gen_ai.request.model".to_owned(), json!("gpt")),
            ("x".to_owned(), json!(5)),
            ("y".to_owned(), json!(["a", 0.5, null])),
        ]),
        events: Vec::new(),
        links: Vec::new(),
    }
}
