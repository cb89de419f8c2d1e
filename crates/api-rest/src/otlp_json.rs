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
const SCOPE: &str = "scope.";
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
    json!({"attributes": taken(span, RESOURCE)})
}

/// The attributes below a name, which the span has no longer.
fn taken(span: &mut Span, below: &str) -> Vec<Value> {
    let (own, rest): (Map<_, _>, Map<_, _>) =
        std::mem::take(&mut span.attributes).into_iter().partition(|(key, _)| key.starts_with(below));
    span.attributes = rest;
    attributes(own.into_iter().map(|(key, value)| (key[below.len()..].to_owned(), value)))
}

fn scope(span: &mut Span) -> Value {
    let mut scope = Map::new();
    for (key, name) in [(SCOPE_NAME, "name"), (SCOPE_VERSION, "version")] {
        if let Some(Value::String(text)) = span.attributes.remove(key) {
            scope.insert(name.to_owned(), text.into());
        }
    }
    let said = taken(span, SCOPE);
    if !said.is_empty() {
        scope.insert("attributes".to_owned(), said.into());
    }
    scope.into()
}

/// What the protocol has fields for, and we have attributes.
fn with_fields(mut said: Value, attributes: &mut Map<String, Value>, fields: &[(&str, &str)]) -> Value {
    for (name, field) in fields {
        let fits = attributes.get(*name).is_some_and(|value| match *name {
            names::TRACE_STATE => value.is_string(),
            _ => value.as_u64().is_some_and(|count| u32::try_from(count).is_ok()),
        });
        // What is no such thing stays what its sender said.
        if fits && let Some(value) = attributes.remove(*name) {
            said[*field] = value;
        }
    }
    said
}

const DROPPED_ATTRIBUTES: (&str, &str) = (names::DROPPED_ATTRIBUTES, "droppedAttributesCount");
const TRACE_STATE: (&str, &str) = (names::TRACE_STATE, "traceState");
const OF_SPAN: [(&str, &str); 4] =
    [DROPPED_ATTRIBUTES, (names::DROPPED_EVENTS, "droppedEventsCount"), (names::DROPPED_LINKS, "droppedLinksCount"), TRACE_STATE];

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
    let events = span.events.into_iter().map(|mut event| {
        let said = json!({"timeUnixNano": nanos(event.at), "name": event.name});
        let mut said = with_fields(said, &mut event.attributes, &[DROPPED_ATTRIBUTES]);
        said["attributes"] = attributes(event.attributes).into();
        said
    });
    let links = span.links.into_iter().map(|mut link| {
        let said = json!({"traceId": link.trace.to_string(), "spanId": link.span.to_string()});
        let mut said = with_fields(said, &mut link.attributes, &[TRACE_STATE, DROPPED_ATTRIBUTES]);
        said["attributes"] = attributes(link.attributes).into();
        said
    });
    let fields = with_fields(json!({}), &mut span.attributes, &OF_SPAN);
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
    if let (Value::Object(said), Value::Object(fields)) = (&mut said, fields) {
        said.extend(fields);
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
    use mainspring_llm::{
        SpanId, TraceId,
        trace::{SpanEvent, SpanLink},
    };

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

    #[test]
    fn what_a_scope_says_and_what_was_left_out_goes_on_in_its_fields() {
        let at = Timestamp::from_micros(1_764_000_000_000_000);
        let dropped = |count: Value| Map::from_iter([(names::DROPPED_ATTRIBUTES.to_owned(), count)]);
        let mut attributes = dropped(json!(3));
        attributes.extend([
            ("scope.public_key".to_owned(), json!("pk-1")),
            ("otel.scope.name".to_owned(), json!("shop")),
            (names::TRACE_STATE.to_owned(), json!("vendor=1")),
            (names::DROPPED_LINKS.to_owned(), json!(1)),
        ]);
        let event = SpanEvent { name: "cut".into(), at, attributes: dropped(json!(4)) };
        let link = SpanLink { trace: TraceId::random(), span: SpanId::random(), attributes: dropped(json!(5)) };
        let span = Span {
            project: ProjectId::from_raw(1),
            trace: TraceId::random(),
            span: SpanId::random(),
            parent: None,
            name: "work".into(),
            kind: SpanKind::Internal,
            start: at,
            end: at,
            status: SpanStatus::Unset,
            attributes,
            events: vec![event],
            links: vec![link],
        };
        let sent = request(vec![span]);
        let scope = &sent["resourceSpans"][0]["scopeSpans"][0];
        let key = json!([{"key": "public_key", "value": {"stringValue": "pk-1"}}]);
        assert_eq!(scope["scope"], json!({"name": "shop", "attributes": key}));
        let span = &scope["spans"][0];
        let fields = ["traceState", "droppedAttributesCount", "droppedEventsCount", "droppedLinksCount", "attributes"];
        let said = fields.map(|field| span[field].clone());
        assert_eq!(said, [json!("vendor=1"), json!(3), Value::Null, json!(1), json!([])]);
        assert_eq!(
            (&span["events"][0]["droppedAttributesCount"], &span["links"][0]["droppedAttributesCount"]),
            (&json!(4), &json!(5))
        );
        assert_eq!(span["events"][0]["attributes"], json!([]));
    }
}
