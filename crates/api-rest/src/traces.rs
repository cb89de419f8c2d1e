//! Traces and spans: list, count and show.

use axum::{Json, extract::State};
use mainspring_kernel::{
    Actor, FaultKind, Money, PageRequest, Role, Timestamp,
    text::{elide, nearest},
};
use mainspring_llm::{
    Span, TraceId,
    trace::{SpanKind, SpanLink, SpanStatus},
};
use mainspring_observability::{Counted, STATUSES, SpanFilter, SpanSummary, TREE_MAX, TraceFilter, TracePart, TraceSummary};
use mainspring_web_kit::{Answer, Caller, Paging, Path, Problem, Query};
use mainspring_wire as wire;
use serde::Deserialize;

use crate::{Rest, scores};

/// Which spans are meant. Everything that is said must hold.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct TraceQuery {
    filter: Option<String>,
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
    /// Of a list of traces: any span may pass.
    any: Option<bool>,
}

impl TraceQuery {
    pub(crate) fn read(self) -> Answer<TraceFilter> {
        let full = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(TraceFilter {
            from: time("from", self.from)?,
            to: time("to", self.to)?,
            app: full(self.app),
            model: full(self.model),
            status: full(self.status).map(status).transpose()?,
            min_millis: self.min_ms,
            text: full(self.q),
            operation: full(self.operation),
            user: full(self.user),
            session: full(self.session),
            also: span_filter(self.filter)?,
        })
    }
}

/// One of those that there are: with another the answer would be empty, and nobody would know why.
fn status(text: String) -> Answer<String> {
    if STATUSES.contains(&text.as_str()) {
        return Ok(text);
    }
    let detail = format!("`status` is never `{}`", elide(&text, 40));
    let problem = Problem::new(FaultKind::Invalid, "query-invalid", detail);
    Err(match nearest(&text, STATUSES) {
        Some(near) => problem.with_hint(format!("did you mean `{near}`?")),
        None => problem.with_hint(format!("it is one of {}", STATUSES.join(", "))),
    })
}

pub(crate) fn span_filter(text: Option<String>) -> Answer<SpanFilter> {
    Ok(text.unwrap_or_default().parse::<SpanFilter>()?)
}

pub(crate) fn time(field: &str, text: Option<String>) -> Answer<Option<Timestamp>> {
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

/// What is said where no trace passes by the span by which it is entered, and some do by another.
const FURTHER_IN: &str = "`filter` and the other parameters were asked of the span by which a trace is entered, and spans further in \
     pass: ask every span with `any=true` (`--any` on the command line), or list spans (`GET /api/v1/spans`, `--spans`)";

/// Models, tools and what failed are mostly told by spans beneath the one by which a trace is entered: whoever asks for them
/// and finds nothing is told where they are. That nothing was found is an answer, and does not fail for want of a hint.
async fn hint(rest: &Rest, actor: &Actor, filter: &TraceFilter) -> Option<String> {
    if *filter == (TraceFilter { from: filter.from, to: filter.to, ..TraceFilter::default() }) {
        return None;
    }
    let found = rest.observability.list_any(actor, filter, &PageRequest::first(1)).await.ok()?;
    (!found.items.is_empty()).then(|| FURTHER_IN.to_owned())
}

/// Lists traces, newest first. `filter` and the other parameters are asked of the span by which a trace is entered; with
/// `any=true` of every span, and the trace whose newest span passes comes first. Where nothing is found and a span further in
/// passes, `hint` says so.
#[utoipa::path(get, path = "/api/v1/traces", tag = "traces", operation_id = "list_traces",
    params(("filter" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query), ("app" = Option<String>, Query),
        ("model" = Option<String>, Query), ("status" = Option<String>, Query), ("min_ms" = Option<u64>, Query), ("q" = Option<String>, Query),
        ("operation" = Option<String>, Query), ("user" = Option<String>, Query), ("session" = Option<String>, Query),
        ("any" = Option<bool>, Query), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::TracePage)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    caller: Caller,
    Query(query): Query<TraceQuery>,
    Paging(page): Paging,
) -> Answer<Json<wire::TracePage>> {
    let actor = caller.needs(Role::Reader)?;
    let any = query.any == Some(true);
    let filter = query.read()?;
    let found = if any {
        rest.observability.list_any(actor, &filter, &page).await?
    } else {
        rest.observability.list(actor, &filter, &page).await?
    };
    let is_nothing = found.items.is_empty() && found.next.is_none() && page == PageRequest::first(page.limit());
    let hint = if is_nothing && !any { hint(&rest, actor, &filter).await } else { None };
    Ok(Json(wire::TracePage { items: summaries(&rest, actor, found.items).await?, next: found.next, hint }))
}

/// Traces that the actor may see, with their scores.
pub(crate) async fn summaries(rest: &Rest, actor: &Actor, traces: Vec<TraceSummary>) -> Answer<Vec<wire::TraceSummary>> {
    let mut found = rest.observability.sum_scores(actor, traces.iter().map(|trace| trace.trace)).await?;
    let mut shown = Vec::with_capacity(traces.len());
    for trace in traces {
        let of_trace = found.remove(&trace.trace).unwrap_or_default();
        shown.push(wire::TraceSummary { scores: of_trace.into_iter().map(scores::summary).collect(), ..summary(trace) });
    }
    Ok(shown)
}

/// Counts traces by the span by which they are entered; with `any=true` those of which any span passes. Where there are none
/// and a span further in passes, `hint` says so.
#[utoipa::path(get, path = "/api/v1/traces/count", tag = "traces", operation_id = "count_traces",
    params(("filter" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query), ("app" = Option<String>, Query),
        ("model" = Option<String>, Query), ("status" = Option<String>, Query), ("min_ms" = Option<u64>, Query), ("q" = Option<String>, Query),
        ("operation" = Option<String>, Query), ("user" = Option<String>, Query), ("session" = Option<String>, Query), ("any" = Option<bool>, Query)),
    responses((status = 200, body = wire::TraceCount)))]
pub(crate) async fn count(
    State(rest): State<Rest>,
    caller: Caller,
    Query(query): Query<TraceQuery>,
) -> Answer<Json<wire::TraceCount>> {
    let actor = caller.needs(Role::Reader)?;
    let any = query.any == Some(true);
    let filter = query.read()?;
    let found =
        if any { rest.observability.count_any(actor, &filter).await? } else { rest.observability.count(actor, &filter).await? };
    let hint = if found.count == 0 && !any { hint(&rest, actor, &filter).await } else { None };
    Ok(Json(wire::TraceCount { hint, ..counted(found) }))
}

/// Lists spans, newest first: all that pass, wherever they stand in their traces.
#[utoipa::path(get, path = "/api/v1/spans", tag = "traces", operation_id = "list_spans",
    params(("filter" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query), ("app" = Option<String>, Query),
        ("model" = Option<String>, Query), ("status" = Option<String>, Query), ("min_ms" = Option<u64>, Query), ("q" = Option<String>, Query),
        ("operation" = Option<String>, Query), ("user" = Option<String>, Query), ("session" = Option<String>, Query),
        ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::SpanSummary>)))]
pub(crate) async fn list_spans(
    State(rest): State<Rest>,
    caller: Caller,
    Query(query): Query<TraceQuery>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::SpanSummary>>> {
    let actor = caller.needs(Role::Reader)?;
    let found = rest.observability.spans(actor, &query.read()?, &page).await?;
    let ids = found.items.iter().map(|span| (span.trace, span.span));
    let mut summed = rest.observability.sum_scores_of_spans(actor, ids).await?;
    let mut items = Vec::with_capacity(found.items.len());
    for span in found.items {
        let of_span = summed.remove(&(span.trace, span.span)).unwrap_or_default();
        items.push(wire::SpanSummary { scores: of_span.into_iter().map(scores::summary).collect(), ..span_summary(span) });
    }
    Ok(Json(wire::Page { items, next: found.next }))
}

/// Counts spans.
#[utoipa::path(get, path = "/api/v1/spans/count", tag = "traces", operation_id = "count_spans",
    params(("filter" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query), ("app" = Option<String>, Query),
        ("model" = Option<String>, Query), ("status" = Option<String>, Query), ("min_ms" = Option<u64>, Query), ("q" = Option<String>, Query),
        ("operation" = Option<String>, Query), ("user" = Option<String>, Query), ("session" = Option<String>, Query)),
    responses((status = 200, body = wire::TraceCount)))]
pub(crate) async fn count_spans(
    State(rest): State<Rest>,
    caller: Caller,
    Query(query): Query<TraceQuery>,
) -> Answer<Json<wire::TraceCount>> {
    let actor = caller.needs(Role::Reader)?;
    Ok(Json(counted(rest.observability.count_spans(actor, &query.read()?).await?)))
}

pub(crate) fn counted(found: Counted) -> wire::TraceCount {
    let Counted { count, exact, waiting } = found;
    wire::TraceCount { count, exact, waiting: (waiting > 0).then_some(waiting), hint: None }
}

#[expect(clippy::cast_precision_loss, reason = "a duration to look at")]
pub(crate) fn millis(micros: i64) -> f64 {
    micros as f64 / 1000.0
}

pub(crate) fn tokens(count: Option<i64>) -> Option<u64> {
    count.and_then(|count| u64::try_from(count).ok())
}

/// From billionths of a dollar.
pub(crate) fn dollars(nanos: i64) -> String {
    Money::from_pico(i128::from(nanos) * 1000).to_string()
}

pub(crate) fn summary(trace: TraceSummary) -> wire::TraceSummary {
    let TraceSummary { trace: id, name, app, model, service, user, session, status, error, start, duration_micros, .. } = trace;
    let TraceSummary { spans, errors, input_tokens, output_tokens, cost, preview, .. } = trace;
    wire::TraceSummary {
        trace_id: id.to_string(),
        name,
        app,
        model,
        status,
        error,
        start: start.to_string(),
        duration_ms: millis(duration_micros),
        input_tokens: tokens(input_tokens),
        output_tokens: tokens(output_tokens),
        preview,
        service,
        user,
        session,
        cost: cost.map(dollars),
        spans,
        errors,
        scores: Vec::new(),
    }
}

pub(crate) fn span_summary(span: SpanSummary) -> wire::SpanSummary {
    wire::SpanSummary {
        trace_id: span.trace.to_string(),
        span: span.span.to_string(),
        parent: span.parent.map(|parent| parent.to_string()),
        name: span.name,
        kind: span.kind,
        operation: span.operation,
        entry: span.entry,
        app: span.app,
        model: span.model,
        provider: span.provider,
        service: span.service,
        environment: span.environment,
        release: span.release,
        prompt: span.prompt,
        user: span.user,
        session: span.session,
        tags: span.tags,
        status: span.status,
        error: span.error,
        error_type: span.error_type,
        start: span.start.to_string(),
        duration_ms: millis(span.duration_micros),
        first_token_ms: span.first_token_micros.map(millis),
        input_tokens: tokens(span.input_tokens),
        output_tokens: tokens(span.output_tokens),
        cache_read_tokens: tokens(span.cache_read_tokens),
        reasoning_tokens: tokens(span.reasoning_tokens),
        cost: span.cost.map(dollars),
        preview: span.preview,
        scores: Vec::new(),
    }
}

/// Shows the spans of a trace whole, in the order in which they began: 1000 a page where nobody says otherwise, 4000 at most, and
/// fewer where they are large. `total_spans` says how many there are, and `next` where the rest is. `/tree` shows all of a giant
/// trace in fewer bytes.
#[utoipa::path(get, path = "/api/v1/traces/{id}", tag = "traces", operation_id = "get_trace",
    params(("id" = String, Path), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::TraceView)))]
pub(crate) async fn show(
    State(rest): State<Rest>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<PartQuery>,
) -> Answer<Json<wire::TraceView>> {
    let actor = caller.needs(Role::Reader)?;
    let is_first = query.cursor.as_ref().is_none_or(String::is_empty);
    let (limit, place) = part_of_trace(query)?;
    let trace = trace_id(&id)?;
    let TracePart { spans, total } = rest.observability.trace(actor, trace, limit, &place).await?;
    let (found, more_scores) = if is_first { rest.observability.scores_of(actor, trace).await? } else { (Vec::new(), false) };
    Ok(Json(wire::TraceView {
        trace_id: id,
        total_spans: total,
        spans: spans.items.into_iter().map(span).collect(),
        next: spans.next,
        scores: found.into_iter().map(scores::view).collect(),
        more_scores,
    }))
}

/// Spans of a page of a trace where nobody says how many.
const PART_USUAL: usize = 1_000;

#[derive(Debug, Deserialize)]
pub(crate) struct PartQuery {
    limit: Option<usize>,
    cursor: Option<String>,
}

/// How many spans a page of a trace has, and where it starts.
pub(crate) fn part_of_trace(PartQuery { limit, cursor }: PartQuery) -> Answer<(usize, PageRequest)> {
    let invalid = |detail: String| Problem::new(FaultKind::Invalid, "paging-invalid", detail);
    let limit = limit.unwrap_or(PART_USUAL);
    if limit == 0 || limit > TREE_MAX {
        return Err(invalid(format!("`limit` must be 1 to {TREE_MAX}, not {limit}")));
    }
    let place = PageRequest::new(None, cursor.filter(|cursor| !cursor.is_empty())).map_err(|fault| invalid(fault.to_string()))?;
    Ok((limit, place))
}

pub(crate) fn span(span: Span) -> wire::SpanView {
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
        links: span.links.into_iter().map(link).collect(),
        scores: Vec::new(),
    }
}

fn link(SpanLink { trace, span, attributes }: SpanLink) -> wire::SpanLinkView {
    wire::SpanLinkView { trace: trace.to_string(), span: span.to_string(), attributes: attributes.into() }
}
