//! Traces: list and show.

use axum::{Json, extract::State};
use mainspring_kernel::{FaultKind, Role, Timestamp};
use mainspring_llm::{
    Span, TraceId,
    trace::{SpanKind, SpanStatus},
};
use mainspring_observability::{TraceFilter, TraceSummary};
use mainspring_web_kit::{Answer, Caller, Paging, Path, Problem, Query};
use mainspring_wire as wire;
use serde::Deserialize;

use crate::Rest;

#[derive(Debug, Deserialize)]
pub(crate) struct TraceQuery {
    from: Option<String>,
    to: Option<String>,
    app: Option<String>,
    model: Option<String>,
    status: Option<String>,
    min_ms: Option<u64>,
    q: Option<String>,
    operation: Option<String>,
    user: Option<String>,
    session: Option<String>,
}

fn time(field: &str, text: Option<String>) -> Answer<Option<Timestamp>> {
    text.filter(|text| !text.is_empty())
        .map(|text| {
            Timestamp::parse(&text)
                .ok_or_else(|| Problem::new(FaultKind::Invalid, "query-invalid", format!("`{field}` is not an RFC 3339 time")))
        })
        .transpose()
}

pub(crate) fn trace_id(text: &str) -> Answer<TraceId> {
    text.parse().map_err(|fault: mainspring_llm::trace::OtelIdFault| {
        Problem::new(FaultKind::Invalid, "path-invalid", format!("a trace id is {fault}").replace("not an id of", "an id of"))
    })
}

/// Lists traces, newest first.
#[utoipa::path(get, path = "/api/v1/traces", tag = "traces", operation_id = "list_traces",
    params(("from" = Option<String>, Query), ("to" = Option<String>, Query), ("app" = Option<String>, Query), ("model" = Option<String>, Query),
        ("status" = Option<String>, Query), ("min_ms" = Option<u64>, Query), ("q" = Option<String>, Query), ("operation" = Option<String>, Query),
        ("user" = Option<String>, Query), ("session" = Option<String>, Query), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::TraceSummary>)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    caller: Caller,
    Query(query): Query<TraceQuery>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::TraceSummary>>> {
    let actor = caller.needs(Role::Reader)?;
    let full = |text: Option<String>| text.filter(|text| !text.is_empty());
    let filter = TraceFilter {
        from: time("from", query.from)?,
        to: time("to", query.to)?,
        app: full(query.app),
        model: full(query.model),
        status: full(query.status),
        min_millis: query.min_ms,
        text: full(query.q),
        operation: full(query.operation),
        user: full(query.user),
        session: full(query.session),
    };
    let found = rest.observability.list(actor, &filter, &page).await?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(summary).collect(), next: found.next }))
}

fn summary(trace: TraceSummary) -> wire::TraceSummary {
    let TraceSummary { trace, name, app, model, status, error, start, duration_micros, input_tokens, output_tokens, preview } =
        trace;
    #[expect(clippy::cast_precision_loss, reason = "a duration to look at")]
    let duration_ms = duration_micros as f64 / 1000.0;
    let count = |tokens: Option<i64>| tokens.and_then(|tokens| u64::try_from(tokens).ok());
    wire::TraceSummary {
        trace_id: trace.to_string(),
        name,
        app,
        model,
        status,
        error,
        start: start.to_string(),
        duration_ms,
        input_tokens: count(input_tokens),
        output_tokens: count(output_tokens),
        preview,
    }
}

/// Shows every span of a trace.
#[utoipa::path(get, path = "/api/v1/traces/{id}", tag = "traces", operation_id = "get_trace",
    params(("id" = String, Path)), responses((status = 200, body = wire::TraceView)))]
pub(crate) async fn show(State(rest): State<Rest>, caller: Caller, Path(id): Path<String>) -> Answer<Json<wire::TraceView>> {
    let actor = caller.needs(Role::Reader)?;
    let spans = rest.observability.trace(actor, trace_id(&id)?).await?;
    Ok(Json(wire::TraceView { trace_id: id, spans: spans.into_iter().map(span).collect() }))
}

fn span(span: Span) -> wire::SpanView {
    let kind = match span.kind {
        SpanKind::Internal => "internal",
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
    };
    let status = match span.status {
        SpanStatus::Unset => wire::SpanStatus { code: "unset".into(), message: None },
        SpanStatus::Ok => wire::SpanStatus { code: "ok".into(), message: None },
        SpanStatus::Error(message) => wire::SpanStatus { code: "error".into(), message: Some(message) },
    };
    wire::SpanView {
        span: span.span.to_string(),
        trace: span.trace.to_string(),
        parent: span.parent.map(|parent| parent.to_string()),
        name: span.name,
        kind: kind.to_owned(),
        start: span.start.to_string(),
        end: span.end.to_string(),
        status,
        attributes: span.attributes.into(),
        events: span
            .events
            .into_iter()
            .map(|event| wire::SpanEventView { name: event.name, at: event.at.to_string(), attributes: event.attributes.into() })
            .collect(),
    }
}
