//! Log records: list and count.

use axum::{Json, extract::State};
use mainspring_kernel::Role;
use mainspring_observability::LogRecord;
use mainspring_web_kit::{Answer, Caller, Paging, Query};
use mainspring_wire as wire;

use crate::{
    Rest,
    traces::{TraceQuery, counted},
};

/// Lists log records, newest first, with what they say: those written in a span and those written in none. `filter` may ask for
/// their `severity`, `service`, `trace`, `start`, attributes, and for what they say as `content`, in which `q` looks too.
#[utoipa::path(get, path = "/api/v1/logs", tag = "traces", operation_id = "list_logs",
    params(("filter" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query),
        ("q" = Option<String>, Query), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::LogRecord>)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    caller: Caller,
    Query(query): Query<TraceQuery>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::LogRecord>>> {
    let actor = caller.needs(Role::Reader)?;
    let found = rest.observability.logs(actor, &query.read()?, &page).await?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(view).collect(), next: found.next }))
}

/// Counts log records.
#[utoipa::path(get, path = "/api/v1/logs/count", tag = "traces", operation_id = "count_logs",
    params(("filter" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query),
        ("q" = Option<String>, Query)),
    responses((status = 200, body = wire::TraceCount)))]
pub(crate) async fn count(
    State(rest): State<Rest>,
    caller: Caller,
    Query(query): Query<TraceQuery>,
) -> Answer<Json<wire::TraceCount>> {
    let actor = caller.needs(Role::Reader)?;
    Ok(Json(counted(rest.observability.count_logs(actor, &query.read()?).await?)))
}

fn view(record: LogRecord) -> wire::LogRecord {
    let LogRecord { trace, span, parent, at, name, severity, severity_text, service, body, attributes } = record;
    wire::LogRecord {
        trace_id: trace.to_string(),
        span: span.to_string(),
        parent: parent.map(|parent| parent.to_string()),
        time: at.to_string(),
        name,
        severity: severity.map(str::to_owned),
        severity_text,
        service,
        body,
        attributes: attributes.into(),
    }
}
