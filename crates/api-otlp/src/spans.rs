//! The protocol's spans in our words.

use base64::{Engine, engine::general_purpose::STANDARD};
use mainspring_kernel::{Timestamp, id::ProjectId};
use mainspring_llm::{
    Span, SpanId, TraceId,
    trace::{SpanEvent, SpanKind, SpanLink, SpanStatus, names},
};
use mainspring_observability::END_AS_SENT;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    trace::v1::{Span as ProtoSpan, span, status},
};
use serde_json::{Map, Value};

use crate::shared::{EVENTS_MAX, LINKS_MAX, leave_out, say_also};

/// What spans share is written out with each of them: one long text with very many short spans would be a thousand times what
/// came. Of one export it takes this many bytes at most.
pub(crate) const SHARED_MAX: usize = 128 << 20;
pub(crate) const TOO_MUCH_SHARED: &str = "what a resource says of itself is too long for so many spans";
/// Flags of a span: it is known whether its parent is in another process (`SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK`), and it is
/// (`SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK`).
const PARENT_IS_REMOTE: u32 = 0x100 | 0x200;
/// Before what a scope says of itself, as `resource.` stands before what a resource does.
const SCOPE: &str = "scope.";
/// What a value takes beside its text, about.
pub(crate) const VALUE: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) spans: Vec<Span>,
    pub(crate) rejected: usize,
    /// Each reason once, in the order they came up.
    pub(crate) reason: String,
}

impl Received {
    pub(crate) fn reject(&mut self, spans: usize, reason: &str) {
        self.rejected += spans;
        if spans > 0 {
            say_also(&mut self.reason, reason);
        }
    }
}

pub(crate) fn read(request: ExportTraceServiceRequest, project: ProjectId) -> Received {
    read_within(request, project, SHARED_MAX)
}

/// `left` is what may be written out of what spans share.
pub(crate) fn read_within(request: ExportTraceServiceRequest, project: ProjectId, mut left: usize) -> Received {
    let mut received = Received::default();
    for group in request.resource_spans {
        let mut shared = Map::new();
        for KeyValue { key, value, .. } in group.resource.map(|resource| resource.attributes).unwrap_or_default() {
            shared.insert(format!("resource.{key}"), plain(value));
        }
        let weight = weight_of(&shared);
        for scope_spans in group.scope_spans {
            if weight > left {
                received.reject(scope_spans.spans.len(), TOO_MUCH_SHARED);
                continue;
            }
            left -= weight;
            let mut shared = with_scope(shared.clone(), scope_spans.scope);
            let schema = [scope_spans.schema_url, group.schema_url.clone()].into_iter().find(|url| !url.is_empty());
            shared.extend(schema.map(|url| ("otel.schema_url".to_owned(), url.into())));
            let weight = weight_of(&shared);
            for proto in scope_spans.spans {
                if weight > left {
                    received.reject(1, TOO_MUCH_SHARED);
                    continue;
                }
                left -= weight;
                match span(proto, project, &shared) {
                    Ok(span) => received.spans.push(span),
                    Err(reason) => received.reject(1, reason),
                }
            }
        }
    }
    received
}

pub(crate) fn weight_of(shared: &Map<String, Value>) -> usize {
    shared.iter().map(|(key, value)| key.len() + weight(value)).sum()
}

fn weight(value: &Value) -> usize {
    VALUE
        + match value {
            Value::String(text) => text.len(),
            Value::Array(list) => list.iter().map(weight).sum(),
            Value::Object(fields) => weight_of(fields),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
}

pub(crate) fn with_scope(mut shared: Map<String, Value>, scope: Option<InstrumentationScope>) -> Map<String, Value> {
    if let Some(scope) = scope {
        for (key, value) in [("otel.scope.name", scope.name), ("otel.scope.version", scope.version)] {
            if !value.is_empty() {
                shared.insert(key.to_owned(), value.into());
            }
        }
        for KeyValue { key, value, .. } in scope.attributes {
            shared.insert(format!("{SCOPE}{key}"), plain(value));
        }
    }
    shared
}

/// How many were left out, where some were.
pub(crate) fn say_dropped(attributes: &mut Map<String, Value>, name: &str, count: u32) {
    if count > 0 {
        attributes.insert(name.to_owned(), count.into());
    }
}

fn say_state(attributes: &mut Map<String, Value>, state: String) {
    if !state.is_empty() {
        attributes.insert(names::TRACE_STATE.to_owned(), state.into());
    }
}

fn span(mut proto: ProtoSpan, project: ProjectId, shared: &Map<String, Value>) -> Result<Span, &'static str> {
    let trace = TraceId::from_slice(&proto.trace_id).ok_or("a trace id is not 16 bytes, or all zero")?;
    let span = SpanId::from_slice(&proto.span_id).ok_or("a span id is not 8 bytes, or all zero")?;
    let parent = match proto.parent_span_id.as_slice() {
        [] => None,
        bytes if bytes.iter().all(|byte| *byte == 0) => None,
        bytes => Some(SpanId::from_slice(bytes).ok_or("a parent's span id is not 8 bytes")?),
    };
    let start = time(proto.start_time_unix_nano)?;
    let mut end = time(proto.end_time_unix_nano)?;
    let mut attributes = shared.clone();
    attributes.extend(proto.attributes.into_iter().map(pair));
    if parent.is_some() && proto.flags & PARENT_IS_REMOTE == PARENT_IS_REMOTE {
        attributes.insert(names::PARENT_REMOTE.to_owned(), true.into());
    }
    if end < start {
        // Some clocks go back. What was sent is kept, and whoever reads the span is told.
        attributes.insert(END_AS_SENT.to_owned(), end.to_string().into());
        end = start;
    }
    say_state(&mut attributes, proto.trace_state);
    // What is left out here is told with what the sender left out.
    let (events, links) = (leave_out(&mut proto.events, EVENTS_MAX), leave_out(&mut proto.links, LINKS_MAX));
    for (name, count) in [
        (names::DROPPED_ATTRIBUTES, proto.dropped_attributes_count),
        (names::DROPPED_EVENTS, proto.dropped_events_count.saturating_add(events)),
        (names::DROPPED_LINKS, proto.dropped_links_count.saturating_add(links)),
    ] {
        say_dropped(&mut attributes, name, count);
    }
    let links = proto.links.into_iter().filter_map(link).collect();
    let mut events = Vec::with_capacity(proto.events.len());
    for event in proto.events {
        let mut attributes = owned(event.attributes);
        say_dropped(&mut attributes, names::DROPPED_ATTRIBUTES, event.dropped_attributes_count);
        events.push(SpanEvent { name: event.name, at: time(event.time_unix_nano)?, attributes });
    }
    let status = proto.status.map_or(SpanStatus::Unset, |status| match status.code() {
        status::StatusCode::Unset => SpanStatus::Unset,
        status::StatusCode::Ok => SpanStatus::Ok,
        status::StatusCode::Error => SpanStatus::Error(status.message),
    });
    let kind = match span::SpanKind::try_from(proto.kind).unwrap_or_default() {
        span::SpanKind::Unspecified | span::SpanKind::Internal => SpanKind::Internal,
        span::SpanKind::Server => SpanKind::Server,
        span::SpanKind::Client => SpanKind::Client,
        span::SpanKind::Producer => SpanKind::Producer,
        span::SpanKind::Consumer => SpanKind::Consumer,
    };
    Ok(Span { project, trace, span, parent, name: proto.name, kind, start, end, status, attributes, events, links })
}

/// A link to nothing says nothing.
fn link(link: span::Link) -> Option<SpanLink> {
    let (trace, span) = (TraceId::from_slice(&link.trace_id)?, SpanId::from_slice(&link.span_id)?);
    let mut attributes = owned(link.attributes);
    say_state(&mut attributes, link.trace_state);
    say_dropped(&mut attributes, names::DROPPED_ATTRIBUTES, link.dropped_attributes_count);
    Some(SpanLink { trace, span, attributes })
}

pub(crate) fn time(nanos: u64) -> Result<Timestamp, &'static str> {
    // Spans are kept to the microsecond.
    i64::try_from(nanos / 1_000).map(Timestamp::from_micros).map_err(|_| "a time is out of range")
}

fn owned(attributes: Vec<KeyValue>) -> Map<String, Value> {
    attributes.into_iter().map(pair).collect()
}

/// An attribute as it came, but nobody outside speaks our words: labels and versions are this server's to state.
pub(crate) fn pair(KeyValue { key, value, .. }: KeyValue) -> (String, Value) {
    let key = if key.starts_with("mainspring.") { format!("client.{key}") } else { key };
    (key, plain(value))
}

/// A value lies no deeper in others than its reader went.
pub(crate) fn plain(value: Option<AnyValue>) -> Value {
    use any_value::Value as Proto;
    match value.and_then(|value| value.value) {
        None => Value::Null,
        Some(Proto::StringValue(text)) => text.into(),
        Some(Proto::BoolValue(yes)) => yes.into(),
        Some(Proto::IntValue(number)) => number.into(),
        // JSON has no infinity; a text keeps what was meant.
        Some(Proto::DoubleValue(number)) => {
            serde_json::Number::from_f64(number).map_or_else(|| number.to_string().into(), Value::Number)
        }
        Some(Proto::BytesValue(bytes)) => STANDARD.encode(bytes).into(),
        Some(Proto::ArrayValue(array)) => array.values.into_iter().map(|value| plain(Some(value))).collect(),
        Some(Proto::KvlistValue(list)) => list.values.into_iter().map(|pair| (pair.key, plain(pair.value))).collect(),
        Some(_) => Value::Null,
    }
}
