//! Model calls, one by one.

use axum::{Json, extract::State};
use mainspring_gateway::{AttemptCharge, CallRecord, CallStatus, Caller as Callers, PriceStamp, ledger::CallFilter};
use mainspring_kernel::{
    FaultKind, Role, fault,
    id::{ApiKeyId, BatchId},
};
use mainspring_llm::{Provenance, TokenUsage, TraceId};
use mainspring_web_kit::{Answer, Caller, Paging, Problem, Query};
use mainspring_wire as wire;
use serde::Deserialize;

use crate::{Rest, assets::Names, usage::moment};

const STATUSES: [CallStatus; 4] = [CallStatus::Ok, CallStatus::Failed, CallStatus::Cancelled, CallStatus::Interrupted];

#[derive(Debug, Deserialize)]
pub(crate) struct CallsQuery {
    since: Option<String>,
    until: Option<String>,
    key: Option<String>,
    user: Option<String>,
    app: Option<String>,
    model: Option<String>,
    provider: Option<String>,
    status: Option<String>,
    trace: Option<String>,
    batch: Option<String>,
}

/// A call that has just ended is seen at once, though the catalog hears of it in batches. Without the catalog what was
/// heard before is shown.
pub(crate) async fn caught_up(rest: &Rest) {
    if rest.ledger.waiting() > 0
        && let Err(found) = rest.ledger.flush().await
    {
        tracing::debug!(error = fault::chain(&found), "the newest calls are not in the catalog yet");
    }
}

/// Lists calls by when they ended, newest first. A page that a filter leaves short or empty may still have a `next`.
#[utoipa::path(get, path = "/api/v1/calls", tag = "usage", operation_id = "list_calls",
    params(("since" = Option<String>, Query), ("until" = Option<String>, Query), ("key" = Option<String>, Query),
        ("user" = Option<String>, Query), ("app" = Option<String>, Query), ("model" = Option<String>, Query),
        ("provider" = Option<String>, Query), ("status" = Option<String>, Query), ("trace" = Option<String>, Query),
        ("batch" = Option<String>, Query), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::CallView>)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    caller: Caller,
    Query(query): Query<CallsQuery>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::CallView>>> {
    let actor = caller.needs(Role::Reader)?;
    let filter = filter(query, rest.clock.now())?;
    caught_up(&rest).await;
    let found = rest.ledger.calls(actor, &filter, &page).await?;
    let names = Names::of(&rest, found.items.iter().map(|record| record.caller.principal).collect()).await?;
    let views = found.items.into_iter().map(|record| {
        let principal = names.get(record.caller.principal);
        view(record, principal)
    });
    Ok(Json(wire::Page { items: views.collect(), next: found.next }))
}

fn filter(query: CallsQuery, now: mainspring_kernel::Timestamp) -> Answer<CallFilter> {
    let invalid = |detail: String| Problem::new(FaultKind::Invalid, "query-invalid", detail);
    let CallsQuery { since, until, key, user, app, model, provider, status, trace, batch } = query;
    let known = |text: String| {
        let found = STATUSES.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| invalid("`status` is ok, failed, cancelled or interrupted".to_owned()))
    };
    let trace = trace.map(|trace| trace.parse::<TraceId>());
    let trace = trace.transpose().map_err(|_| invalid("`trace` is no trace id: 32 hexadecimal digits".to_owned()))?;
    let key = key.map(|key| key.parse::<ApiKeyId>()).transpose().map_err(|fault| invalid(fault.to_string()))?;
    let batch = batch.map(|batch| batch.parse::<BatchId>()).transpose().map_err(|fault| invalid(fault.to_string()))?;
    Ok(CallFilter {
        since: moment("since", since.as_deref(), now)?,
        until: moment("until", until.as_deref(), now)?,
        key,
        user,
        app,
        model,
        provider,
        status: status.map(known).transpose()?,
        trace,
        batch,
    })
}

pub(crate) fn view(record: CallRecord, principal: String) -> wire::CallView {
    let ended = record.at.plus(std::time::Duration::from_millis(record.took_ms.into()));
    let CallRecord { id, caller, at, took_ms, first_ms, model, route, provider, target, .. } = record;
    let CallRecord { operation, status, class, attempts, usage, cost, price, charges, cached, batch, trace, .. } = record;
    let Callers { project: _, principal: _, key, user, app, line_of } = caller;
    wire::CallView {
        id: id.to_string(),
        started_at: at.to_string(),
        ended_at: ended.to_string(),
        took_ms,
        first_ms,
        key: key.map(|key| key.to_string()),
        principal,
        user,
        app,
        model,
        route,
        provider,
        target,
        operation,
        status: status.as_str().to_owned(),
        class: class.map(|class| class.as_str().to_owned()),
        attempts,
        usage: self::usage(&usage),
        cost: cost.to_string(),
        price: price.map(self::price),
        charges: charges.into_iter().map(charge).collect(),
        cached,
        batch,
        batch_id: line_of.map(|batch| batch.to_string()),
        trace_id: trace.to_string(),
    }
}

fn price(PriceStamp { table, entry }: PriceStamp) -> wire::CallPrice {
    wire::CallPrice { table: table.to_string(), entry }
}

fn charge(charge: AttemptCharge) -> wire::AttemptCharge {
    let AttemptCharge { provider, target, usage, cost, price } = charge;
    wire::AttemptCharge { provider, target, usage: self::usage(&usage), cost: cost.to_string(), price: price.map(self::price) }
}

fn usage(usage: &TokenUsage) -> wire::CallUsage {
    let from = usage.parts_from;
    let mark = |part: u64, from: Provenance| (part > 0).then(|| provenance(from));
    wire::CallUsage {
        input_tokens: usage.input,
        output_tokens: usage.output,
        cache_read_tokens: usage.cache_read,
        cache_write_tokens: usage.cache_written(),
        input_audio_tokens: usage.input_audio,
        input_image_tokens: usage.input_image,
        reasoning_tokens: usage.reasoning,
        output_audio_tokens: usage.output_audio,
        output_image_tokens: usage.output_image,
        input_from: provenance(usage.input_from),
        output_from: provenance(usage.output_from),
        cache_read_from: mark(usage.cache_read, from.cache_read),
        cache_write_from: mark(usage.cache_written(), from.cache_written()),
        input_audio_from: mark(usage.input_audio, from.input_audio),
        input_image_from: mark(usage.input_image, from.input_image),
        reasoning_from: mark(usage.reasoning, from.reasoning),
        output_audio_from: mark(usage.output_audio, from.output_audio),
        output_image_from: mark(usage.output_image, from.output_image),
    }
}

const fn provenance(provenance: Provenance) -> wire::Provenance {
    match provenance {
        Provenance::Reported => wire::Provenance::Reported,
        Provenance::Counted => wire::Provenance::Counted,
        Provenance::Instrumented => wire::Provenance::Instrumented,
        Provenance::Estimated => wire::Provenance::Estimated,
    }
}
