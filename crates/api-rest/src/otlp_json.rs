//! Spans as OTLP writes them in JSON: ids in hexadecimal digits, whole numbers of 64 bits as texts.

use std::collections::HashMap;

use mainspring_kernel::Timestamp;
use mainspring_llm::{
    Span,
    trace::{SpanKind, SpanStatus, names},
};
use serde_json::{Map, Value, json};

const RESOURCE: &str = "resource.";
const SCOPE_NAME: &str = "otel.scope.name";
const SCOPE_VERSION: &str = "otel.scope.version";
/// Flags: it is known whether the parent is in another process, and it is.
const PARENT_IS_REMOTE: u32 = 0x300;

/// An export request. Spans of one resource and scope stand together.
pub(crate) fn request(spans: Vec<Span>) -> Value {
    let mut groups: Vec<(Value, Value, Vec<Value>)> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for mut span in spans {
        let (resource, scope) = (resource(&mut span), scope(&mut span));
        let at = *known.entry(format!("{resource} {scope}")).or_insert_with(|| {
            groups.push((resource, scope, Vec::new()));
            groups.len() - 1
        });
        groups[at].2.push(written(span));
    }
    let group = |(resource, scope, spans)| json!({"resource": resource, "scopeSpans": [{"scope": scope, "spans": spans}]});
    json!({"resourceSpans": groups.into_iter().map(group).collect::<Vec<_>>()})
}

/// Takes what the sender said of itself out of the attributes.
fn resource(span: &mut Span) -> Value {
    let (own, rest): (Map<_, _>, Map<_, _>) =
        std::mem::take(&mut span.attributes).into_iter().partition(|(key, _)| key.starts_with(RESOURCE));
    span.attributes = rest;
    let own = own.into_iter().map(|(key, value)| (key[RESOURCE.len()..].to_owned(), value));
    json!({"attributes": attributes(own)})
}

fn scope(span: &mut Span) -> Value {
    let mut scope = Map::new();
    for (key, name) in [(SCOPE_NAME, "name"), (SCOPE_VERSION, "version")] {
        if let Some(Value::String(text)) = span.attributes.remove(key) {
            scope.insert(name.to_owned(), text.into());
        }
    }
    scope.into()
}

fn written(mut span: Span) -> Value {
    let remote = span.attributes.get(names::PARENT_REMOTE) == Some(&Value::Bool(true));
    if remote {
        span.attributes.remove(names::PARENT_REMOTE);
    }
    let kind = match span.kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    };
    let status = match span.status {
        SpanStatus::Unset => json!({}),
        SpanStatus::Ok => json!({"code": 1}),
        SpanStatus::Error(message) => json!({"code": 2, "message": message}),
    };
    let events = span
        .events
        .into_iter()
        .map(|event| json!({"timeUnixNano": nanos(event.at), "name": event.name, "attributes": attributes(event.attributes)}));
    let links = span.links.into_iter().map(|link| {
        json!({"traceId": link.trace.to_string(), "spanId": link.span.to_string(), "attributes": attributes(link.attributes)})
    });
    let mut said = json!({
        "traceId": span.trace.to_string(),
        "spanId": span.span.to_string(),
        "parentSpanId": span.parent.map(|parent| parent.to_string()).unwrap_or_default(),
        "name": span.name,
        "kind": kind,
        "startTimeUnixNano": nanos(span.start),
        "endTimeUnixNano": nanos(span.end),
        "attributes": attributes(span.attributes),
        "events": events.collect::<Vec<_>>(),
        "links": links.collect::<Vec<_>>(),
        "status": status,
    });
    if remote {
        said["flags"] = PARENT_IS_REMOTE.into();
    }
    said
}

fn nanos(at: Timestamp) -> String {
    at.as_nanos().max(0).to_string()
}

fn attributes(pairs: impl IntoIterator<Item = (String, Value)>) -> Vec<Value> {
    pairs.into_iter().map(|(key, value)| json!({"key": key, "value": any(value)})).collect()
}

/// A value with its type. Of what OTLP has no type for there is the nearest.
fn any(value: Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(flag) => json!({"boolValue": flag}),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => json!({"intValue": whole.to_string()}),
            None => json!({"doubleValue": number}),
        },
        Value::String(text) => json!({"stringValue": text}),
        Value::Array(items) => json!({"arrayValue": {"values": items.into_iter().map(any).collect::<Vec<_>>()}}),
        Value::Object(fields) => json!({"kvlistValue": {"values": attributes(fields)}}),
    }
}

#[cfg(test)]
mod tests {
    use mainspring_kernel::id::ProjectId;
    use mainspring_llm::{SpanId, TraceId};

    use super::*;

    #[test]
    fn where_the_parent_is_goes_on_as_a_flag() {
        let sent = |remote: Value| {
            let at = Timestamp::from_micros(1_764_000_000_000_000);
            let span = Span {
                project: ProjectId::from_raw(1),
                trace: TraceId::random(),
                span: SpanId::random(),
                parent: Some(SpanId::random()),
                name: "work".into(),
                kind: SpanKind::Internal,
                start: at,
                end: at,
                status: SpanStatus::Unset,
                attributes: Map::from_iter([(names::PARENT_REMOTE.to_owned(), remote)]),
                events: Vec::new(),
                links: Vec::new(),
            };
            let span = request(vec![span])["resourceSpans"][0]["scopeSpans"][0]["spans"][0].take();
            (span["flags"].clone(), span["attributes"].clone())
        };
        assert_eq!(sent(json!(true)), (json!(768), json!([])));
        let theirs = json!([{"key": "otel.parent.remote", "value": {"stringValue": "far"}}]);
        assert_eq!(sent(json!("far")), (Value::Null, theirs));
    }
}
