//! The protocol's log records, as spans that take no time: below the span they were written in.
//!
//! What a record says is an event of its span under the same name. So a message that an instrumentation logs is read, redacted
//! and found like one that it writes into its span.

use std::collections::HashMap;

use mainspring_kernel::id::ProjectId;
use mainspring_llm::{
    Span, SpanId, TraceId,
    trace::{SpanEvent, SpanKind, SpanStatus, names},
};
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::AnyValue,
    logs::v1::{LogRecord, SeverityNumber},
};
use serde_json::{Map, Value};

use crate::{
    shared::{Left, Name, of_resource},
    spans::{Received, SHARED_MAX, TOO_MUCH_SHARED, pair, plain, say_dropped, time, weight_of, with_scope},
};

/// What older senders name an event in.
const EVENT_NAME: &str = "event.name";
/// How the names of events begin that the conventions for generative models know.
const GEN_AI: &str = "gen_ai.";

/// How often each record came in one request.
type Times = HashMap<[u8; 32], u64>;

pub(crate) fn read(request: ExportLogsServiceRequest, project: ProjectId) -> Received {
    let mut received = Received::default();
    let mut times = Times::new();
    let mut left = Left(SHARED_MAX);
    for group in request.resource_logs {
        let resource = of_resource(group.resource);
        for scope_logs in group.scope_logs {
            if !left.take(weight_of(&resource)) {
                received.reject(scope_logs.log_records.len(), TOO_MUCH_SHARED);
                continue;
            }
            let mut shared = with_scope(resource.clone(), scope_logs.scope);
            let schema = [scope_logs.schema_url, group.schema_url.clone()].into_iter().find(|url| !url.is_empty());
            shared.extend(schema.map(|url| ("otel.schema_url".to_owned(), url.into())));
            let weight = weight_of(&shared);
            for record in scope_logs.log_records {
                if !left.take(weight) {
                    received.reject(1, TOO_MUCH_SHARED);
                    continue;
                }
                match span(record, project, &shared, &mut times) {
                    Ok(span) => {
                        let place = received.spans.len();
                        received.spans.push(placed(span, place));
                    }
                    Err(reason) => received.reject(1, reason),
                }
            }
        }
    }
    received
}

fn span(record: LogRecord, project: ProjectId, shared: &Map<String, Value>, times: &mut Times) -> Result<Span, &'static str> {
    let nanos = if record.time_unix_nano == 0 { record.observed_time_unix_nano } else { record.time_unix_nano };
    let at = time(nanos)?;
    let severity = match SeverityNumber::try_from(record.severity_number).unwrap_or_default() {
        SeverityNumber::Unspecified => by_word(&record.severity_text),
        told => told,
    };
    let mut attributes = shared.clone();
    attributes.extend(record.attributes.into_iter().map(pair));
    say_dropped(&mut attributes, names::DROPPED_ATTRIBUTES, record.dropped_attributes_count);
    let name = match attributes.get(EVENT_NAME) {
        _ if !record.event_name.is_empty() => record.event_name,
        Some(Value::String(name)) if !name.is_empty() => name.clone(),
        _ => "log".to_owned(),
    };
    let severity_text = match record.severity_text {
        text if !text.is_empty() => text,
        _ if severity == SeverityNumber::Unspecified => String::new(),
        _ => severity.as_str_name().trim_start_matches("SEVERITY_NUMBER_").to_owned(),
    };
    if severity != SeverityNumber::Unspecified {
        attributes.insert(names::SEVERITY_NUMBER.to_owned(), i32::from(severity).into());
    }
    let status = if severity >= SeverityNumber::Error { SpanStatus::Error(severity_text.clone()) } else { SpanStatus::Unset };
    if !severity_text.is_empty() {
        attributes.insert(names::SEVERITY.to_owned(), severity_text.into());
    }
    attributes.insert(names::SIGNAL.to_owned(), "log".into());
    let body = body(&name, record.body);
    // An invalid id is none, as the protocol says.
    let trace = TraceId::from_slice(&record.trace_id);
    let parent = trace.and_then(|_| SpanId::from_slice(&record.span_id));
    let said = Name::of("log")
        .and(project.to_string().as_bytes())
        .and(&record.trace_id)
        .and(&record.span_id)
        .and(&record.time_unix_nano.to_le_bytes())
        .and(&record.observed_time_unix_nano.to_le_bytes())
        .and(name.as_bytes())
        .and_all(&attributes)
        .and_all(&body)
        .finish();
    let said = numbered(said, times);
    let span = SpanId::from_slice(&said[..8]).ok_or("a record has no name")?;
    // A record of no trace is one by itself.
    let trace = trace.or_else(|| TraceId::from_slice(&said[8..24])).ok_or("a record has no name")?;
    let events = if body.is_empty() { Vec::new() } else { vec![SpanEvent { name: name.clone(), at, attributes: body }] };
    let (kind, links) = (SpanKind::Internal, Vec::new());
    Ok(Span { project, trace, span, parent, name, kind, start: at, end: at, status, attributes, events, links })
}

/// Some senders say how severe a record is in a word only.
fn by_word(severity: &str) -> SeverityNumber {
    match severity.to_ascii_lowercase().as_str() {
        "trace" => SeverityNumber::Trace,
        "debug" => SeverityNumber::Debug,
        "info" | "information" => SeverityNumber::Info,
        "notice" => SeverityNumber::Info2,
        "warn" | "warning" => SeverityNumber::Warn,
        "err" | "error" => SeverityNumber::Error,
        "critical" | "fatal" => SeverityNumber::Fatal,
        _ => SeverityNumber::Unspecified,
    }
}

/// Records that say the same at the same time are as many as came: the first is named by what it says, each after it by its
/// number in the request too. So a request that is repeated names them alike.
fn numbered(said: [u8; 32], times: &mut Times) -> [u8; 32] {
    let time = times.entry(said).or_default();
    *time += 1;
    if *time == 1 { said } else { Name::of("log again").and(&said).and(&time.to_le_bytes()).finish() }
}

/// The messages of a call are often written within one microsecond. The record's own name says nothing of its place: where it
/// comes again, it may stand among others.
fn placed(mut span: Span, place: usize) -> Span {
    if span.name.starts_with(GEN_AI) {
        span.attributes.insert(names::PLACE.to_owned(), place.into());
    }
    span
}

/// Of an event of the conventions for generative models the body's fields; what else a record says as one value.
fn body(name: &str, body: Option<AnyValue>) -> Map<String, Value> {
    match plain(body) {
        Value::Null => Map::new(),
        Value::Object(fields) if name.starts_with(GEN_AI) => fields,
        other => Map::from_iter([("body".to_owned(), other)]),
    }
}
