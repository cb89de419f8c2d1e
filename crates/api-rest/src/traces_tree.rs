//! One trace without bodies, in pages, and the bodies one by one.

use axum::{Json, extract::State};
use mainspring_kernel::{FaultKind, Role, text::elide};
use mainspring_llm::{Span, SpanId, trace::OtelIdFault};
use mainspring_observability::{FIELDS, FieldKind, KnownField, ScoreSummary, SpanSummary, TraceTree, TreeTotals};
use mainspring_web_kit::{Answer, Caller, Path, Problem, Query};
use mainspring_wire as wire;

use crate::{
    Rest, scores,
    traces::{PartQuery, dollars, millis, part_of_trace, span, tokens, trace_id},
};

/// Characters of a text in the tree.
const WORDS: usize = 120;

/// Shows a trace as a tree without bodies, in the order in which its spans began: up to 4000 spans a page, and what the
/// whole trace has and used with the first.
#[utoipa::path(get, path = "/api/v1/traces/{id}/tree", tag = "traces", operation_id = "get_trace_tree",
    params(("id" = String, Path), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::TraceTree)))]
pub(crate) async fn tree(
    State(rest): State<Rest>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<PartQuery>,
) -> Answer<Json<wire::TraceTree>> {
    let actor = caller.needs(Role::Reader)?;
    let (limit, place) = part_of_trace(query)?;
    let trace = trace_id(&id)?;
    let TraceTree { spans, totals } = rest.observability.tree(actor, trace, limit, &place).await?;
    let totals = match totals {
        Some(totals) => {
            let summed = rest.observability.sum_scores(actor, [trace]).await?.remove(&trace).unwrap_or_default();
            Some(self::totals(totals, summed))
        }
        None => None,
    };
    Ok(Json(wire::TraceTree { trace_id: id, totals, spans: spans.items.into_iter().map(slim).collect(), next: spans.next }))
}

/// Shows one span whole, as `GET /api/v1/traces/{id}` shows each.
#[utoipa::path(get, path = "/api/v1/traces/{id}/spans/{span}", tag = "traces", operation_id = "get_span",
    params(("id" = String, Path), ("span" = String, Path)), responses((status = 200, body = wire::SpanView)))]
pub(crate) async fn show(
    State(rest): State<Rest>,
    caller: Caller,
    Path((id, wanted)): Path<(String, String)>,
) -> Answer<Json<wire::SpanView>> {
    let actor = caller.needs(Role::Reader)?;
    let found = rest.observability.span(actor, trace_id(&id)?, Some(span_id(&wanted)?)).await?;
    let found: Option<Span> = found.into_iter().next();
    Ok(Json(span(found.ok_or_else(|| no_span(&id, &wanted))?)))
}

/// Shows the fields that a filter of spans may ask for.
#[utoipa::path(get, path = "/api/v1/traces/fields", tag = "traces", operation_id = "list_filter_fields",
    responses((status = 200, body = wire::FilterFields)))]
pub(crate) async fn fields(caller: Caller) -> Answer<Json<wire::FilterFields>> {
    caller.needs(Role::Reader)?;
    Ok(Json(wire::FilterFields { fields: FIELDS.iter().map(field).collect() }))
}

fn field(known: &KnownField) -> wire::FilterField {
    let kind = match known.kind {
        FieldKind::Text => "text",
        FieldKind::Flag => "flag",
        FieldKind::Number => "number",
        FieldKind::Duration => "duration",
        FieldKind::Money => "money",
        FieldKind::Time => "time",
        FieldKind::List => "list",
        FieldKind::Severity => "severity",
    };
    wire::FilterField { name: known.name.to_owned(), kind: kind.to_owned(), says: known.says.to_owned() }
}

pub(crate) fn span_id(text: &str) -> Answer<SpanId> {
    text.parse().map_err(|fault: OtelIdFault| {
        let what = format!("a span id is {fault}").replace("not an id of", "an id of");
        Problem::new(FaultKind::Invalid, "path-invalid", what)
    })
}

pub(crate) fn no_span(trace: &str, span: &str) -> Problem {
    let what =
        if span.is_empty() { format!("there is no trace {trace}") } else { format!("trace `{trace}` has no span `{span}`") };
    Problem::new(FaultKind::NotFound, "trace-not-found", what)
}

fn totals(totals: TreeTotals, summed: Vec<ScoreSummary>) -> wire::TraceTotals {
    let TreeTotals { spans, errors, input_tokens, output_tokens, cost, start, duration_micros, .. } = totals;
    let TreeTotals { versions, more_versions, replayable, .. } = totals;
    wire::TraceTotals {
        spans,
        errors,
        input_tokens: tokens(input_tokens),
        output_tokens: tokens(output_tokens),
        cost: cost.map(dollars),
        start: start.to_string(),
        duration_ms: millis(duration_micros),
        versions,
        more_versions,
        replayable,
        scores: summed.into_iter().map(scores::summary).collect(),
    }
}

fn slim(span: SpanSummary) -> wire::TreeSpan {
    let words = |text: Option<String>| text.map(|text| elide(&text, WORDS));
    wire::TreeSpan {
        span: span.span.to_string(),
        parent: span.parent.map(|parent| parent.to_string()),
        name: span.name,
        kind: span.kind,
        app: span.app,
        model: span.model,
        service: span.service,
        session: span.session,
        status: span.status,
        error: words(span.error.or(span.error_type)),
        start: span.start.to_string(),
        duration_ms: millis(span.duration_micros),
        first_token_ms: span.first_token_micros.map(millis),
        input_tokens: tokens(span.input_tokens),
        output_tokens: tokens(span.output_tokens),
        cost: span.cost.map(dollars),
        preview: words(span.preview),
    }
}
