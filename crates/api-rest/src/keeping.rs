//! How long telemetry is kept, erasing it before its time, and values too large to stand in their span.

use axum::{Json, extract::State};
use mainspring_kernel::{Digest, FaultKind, Role, duration};
use mainspring_observability::{Erasure, ErasureId, Holder, Holding, Retention, Subject, Telemetry, WholeValue};
use mainspring_web_kit::{Answer, Body, Caller, Paging, Path, Problem};
use mainspring_wire as wire;

use crate::{Rest, forgetting::find_document, traces::trace_id, traces_tree::span_id};

fn holding(Holding { kind, rows, bytes, oldest, own, default_keep_for, last }: Holding) -> wire::RetentionView {
    wire::RetentionView {
        kind: kind.as_str().to_owned(),
        rows,
        bytes,
        oldest: oldest.map(|oldest| oldest.to_string()),
        keep_for: duration::write(own.keep_for.unwrap_or(default_keep_for)),
        by_default: own.keep_for.is_none(),
        max_bytes: own.max_bytes,
        last: last.map(|last| wire::RemovalView {
            at: last.at.to_string(),
            rows: last.rows,
            bytes: last.bytes,
            all_rows: last.all_rows,
            all_bytes: last.all_bytes,
        }),
    }
}

fn erasure_view(erasure: Erasure) -> wire::ErasureView {
    wire::ErasureView {
        id: erasure.id.to_string(),
        kind: erasure.kind,
        subject: erasure.subject,
        fingerprint: erasure.fingerprint.to_string(),
        state: erasure.state.as_str().to_owned(),
        asked_at: erasure.asked.to_string(),
        asked_by: erasure.asked_by,
        ended_at: erasure.ended.map(|ended| ended.to_string()),
        spans: erasure.erased.spans,
        points: erasure.erased.points,
        bytes: erasure.erased.bytes,
        values: erasure.erased.values,
        step: erasure.step.map(|step| step.as_str().to_owned()),
        looked: erasure.looked.map(|looked| looked.share()),
        trouble: erasure.trouble,
        waiting_for: erasure.waits_for.into_iter().map(server_view).collect(),
        without: erasure.without.into_iter().map(server_view).collect(),
    }
}

fn server_view(Holder { server, name, seen, alive }: Holder) -> wire::ErasureServer {
    wire::ErasureServer { server: server.to_string(), name, seen_at: seen.to_string(), alive }
}

fn invalid(reason: impl Into<String>) -> Problem {
    Problem::new(FaultKind::Invalid, "keeping-invalid", reason.into())
}

/// Shows what the project holds of spans, logs and points of metrics, and how long it stays.
#[utoipa::path(get, path = "/api/v1/retention", tag = "keeping", operation_id = "get_retention",
    responses((status = 200, body = wire::RetentionList)))]
pub(crate) async fn retention(State(rest): State<Rest>, caller: Caller) -> Answer<Json<wire::RetentionList>> {
    let actor = caller.needs(Role::Reader)?;
    let items = rest.keeping.holdings(actor).await?.into_iter().map(holding).collect();
    Ok(Json(wire::RetentionList { items }))
}

/// Says how long a kind of telemetry is kept, and how much of it. What is left out is as the settings have it.
#[utoipa::path(put, path = "/api/v1/retention/{kind}", tag = "keeping", operation_id = "set_retention",
    params(("kind" = String, Path)), request_body = wire::SetRetention, responses((status = 200, body = wire::RetentionList)))]
pub(crate) async fn set_retention(
    State(rest): State<Rest>,
    caller: Caller,
    Path(kind): Path<String>,
    Body(body): Body<wire::SetRetention>,
) -> Answer<Json<wire::RetentionList>> {
    let actor = caller.needs(Role::Admin)?;
    let kind: Telemetry = kind.parse().map_err(|fault: mainspring_observability::TelemetryFault| invalid(fault.to_string()))?;
    let read = |text: String| duration::read(&text).ok_or_else(|| invalid("`keep_for` is a number and a unit, such as `30d`"));
    let keep_for = body.keep_for.map(read).transpose()?;
    rest.keeping.set_retention(actor, kind, Retention { keep_for, max_bytes: body.max_bytes }).await?;
    let items = rest.keeping.holdings(actor).await?.into_iter().map(holding).collect();
    Ok(Json(wire::RetentionList { items }))
}

/// Erases what is known of a user, a session, a trace or a document: an erasure under way is answered; it is `done` when no
/// file holds any of it.
#[utoipa::path(post, path = "/api/v1/erasures", tag = "keeping", operation_id = "create_erasure",
    request_body = wire::NewErasure, responses((status = 200, body = wire::ErasureView)))]
pub(crate) async fn erase(
    State(rest): State<Rest>,
    caller: Caller,
    Body(body): Body<wire::NewErasure>,
) -> Answer<Json<wire::ErasureView>> {
    let actor = caller.needs(Role::Admin)?;
    let wire::NewErasure { user, session, trace, document } = body;
    let given = [("user", user), ("session", session), ("trace", trace), ("document", document)];
    let mut given = given.into_iter().filter_map(|(kind, text)| text.map(|text| (kind, text)));
    let (Some((kind, text)), None) = (given.next(), given.next()) else {
        return Err(invalid("an erasure names one of `user`, `session`, `trace` and `document`"));
    };
    let subject = match Subject::read(kind, &text)? {
        Subject::Document { knowledge, document } => {
            let document = find_document(&rest, actor, &knowledge, &document).await?.to_string();
            Subject::Document { knowledge, document }
        }
        other => other,
    };
    Ok(Json(erasure_view(rest.keeping.ask(actor, &subject).await?)))
}

/// Lists erasures, newest first.
#[utoipa::path(get, path = "/api/v1/erasures", tag = "keeping", operation_id = "list_erasures",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::ErasureView>)))]
pub(crate) async fn erasures(
    State(rest): State<Rest>,
    caller: Caller,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::ErasureView>>> {
    let actor = caller.needs(Role::Admin)?;
    let found = rest.keeping.erasures(actor, &page).await?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(erasure_view).collect(), next: found.next }))
}

/// Shows one erasure.
#[utoipa::path(get, path = "/api/v1/erasures/{id}", tag = "keeping", operation_id = "get_erasure",
    params(("id" = String, Path)), responses((status = 200, body = wire::ErasureView)))]
pub(crate) async fn erasure(State(rest): State<Rest>, caller: Caller, Path(id): Path<String>) -> Answer<Json<wire::ErasureView>> {
    let actor = caller.needs(Role::Admin)?;
    let missing = |_| Problem::new(FaultKind::NotFound, "erasure-not-found", "there is no such erasure");
    let id: ErasureId = id.parse().map_err(missing)?;
    Ok(Json(erasure_view(rest.keeping.erasure(actor, id).await?)))
}

/// Shows the whole of a value that is too large to stand in its span.
#[utoipa::path(get, path = "/api/v1/traces/{id}/spans/{span}/values/{digest}", tag = "traces", operation_id = "get_value",
    params(("id" = String, Path), ("span" = String, Path), ("digest" = String, Path)),
    responses((status = 200, body = wire::LargeValue)))]
pub(crate) async fn value(
    State(rest): State<Rest>,
    caller: Caller,
    Path((id, span, digest)): Path<(String, String, String)>,
) -> Answer<Json<wire::LargeValue>> {
    let actor = caller.needs(Role::Reader)?;
    let missing = |_| Problem::new(FaultKind::NotFound, "trace-value-not-found", "the span has no such value");
    let digest: Digest = digest.parse().map_err(missing)?;
    let WholeValue { text, json } = rest.observability.value(actor, trace_id(&id)?, span_id(&span)?, &digest).await?;
    Ok(Json(wire::LargeValue { digest: digest.to_string(), text, json }))
}
