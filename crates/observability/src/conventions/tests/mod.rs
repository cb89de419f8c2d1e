mod counting;
mod properties;
mod reading;
mod speaking;
mod tables;

use mainspring_kernel::{Timestamp, id::ProjectId};
use mainspring_llm::{
    Span, SpanId, TraceId,
    trace::{SpanEvent, SpanKind, SpanStatus},
};
use serde_json::{Map, Value};

const START: i64 = 1_764_000_000_000_000;

fn span(attributes: Value) -> Span {
    let Value::Object(attributes) = attributes else { panic!("attributes are an object") };
    Span {
        project: ProjectId::from_raw(7),
        trace: TraceId::random(),
        span: SpanId::random(),
        parent: None,
        name: "a span".into(),
        kind: SpanKind::Internal,
        start: Timestamp::from_micros(START),
        end: Timestamp::from_micros(START + 2_000_000),
        status: SpanStatus::Unset,
        attributes,
        events: vec![],
        links: vec![],
    }
}

fn event(name: &str, after: i64, attributes: Value) -> SpanEvent {
    let attributes: Map<String, Value> = serde_json::from_value(attributes).unwrap();
    SpanEvent { name: name.into(), at: Timestamp::from_micros(START + after), attributes }
}
