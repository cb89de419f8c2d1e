//! Spans, one by one.

use std::collections::HashSet;

use mainspring_kernel::{Page, PageRequest, Timestamp, page::cursor, text::elide};
use mainspring_lake::{Filter, Scan};
use mainspring_llm::{SpanId, TraceId};

use super::{
    After, Asking, ERROR_SHOWN, LOOKED_AT_MAX, NAME_SHOWN, TraceFilter,
    access::hidden,
    beneath, newest, place,
    traces::{COMPARED, preview},
};
use crate::{fault::TraceFault, filter::At, table::Rows};

/// A span without what was written and read.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanSummary {
    pub trace: TraceId,
    pub span: SpanId,
    pub parent: Option<SpanId>,
    pub name: String,
    /// `chat`, `tool`, `retriever`, ….
    pub kind: Option<String>,
    pub operation: Option<String>,
    pub entry: bool,
    pub app: Option<String>,
    pub model: Option<String>,
    pub provider: Option<String>,
    pub service: Option<String>,
    pub environment: Option<String>,
    pub release: Option<String>,
    pub prompt: Option<String>,
    pub user: Option<String>,
    pub session: Option<String>,
    pub tags: Vec<String>,
    pub status: String,
    pub error: Option<String>,
    pub error_type: Option<String>,
    pub start: Timestamp,
    pub duration_micros: i64,
    pub first_token_micros: Option<i64>,
    pub input_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    pub cache_read_tokens: Option<i64>,
    pub reasoning_tokens: Option<i64>,
    /// Billionths of a dollar.
    pub cost: Option<i64>,
    pub preview: Option<String>,
}

/// What a summary is made of.
pub(super) const SPAN_COLUMNS: [&str; 29] = [
    "trace",
    "span",
    "parent",
    "name",
    "type",
    "operation",
    "entry",
    "app",
    "model",
    "provider",
    "service",
    "environment",
    "release",
    "prompt",
    "user",
    "session",
    "tags",
    "status",
    "message",
    "error_type",
    "start",
    "duration",
    "first_token",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "reasoning_tokens",
    "cost",
    "content",
];

pub(crate) fn summary_of(rows: &Rows<'_>, row: usize) -> Result<SpanSummary, TraceFault> {
    let owned = |name: &str| -> Result<Option<String>, TraceFault> { Ok(rows.text(name, row)?.map(str::to_owned)) };
    let unreadable = |what: &str| TraceFault::Unreadable { reason: format!("the id of a {what}") };
    let at = At::new(rows, row);
    Ok(SpanSummary {
        trace: rows.text("trace", row)?.unwrap_or_default().parse().map_err(|_| unreadable("trace"))?,
        span: rows.text("span", row)?.unwrap_or_default().parse().map_err(|_| unreadable("span"))?,
        parent: rows.text("parent", row)?.map(str::parse).transpose().map_err(|_| unreadable("parent"))?,
        name: elide(rows.text("name", row)?.unwrap_or_default(), NAME_SHOWN),
        kind: owned("type")?,
        operation: owned("operation")?,
        entry: at.flag("entry")?,
        app: owned("app")?,
        model: owned("model")?,
        provider: owned("provider")?,
        service: owned("service")?,
        environment: owned("environment")?,
        release: owned("release")?,
        prompt: owned("prompt")?,
        user: owned("user")?,
        session: owned("session")?,
        tags: at.list("tags")?.unwrap_or_default(),
        status: owned("status")?.unwrap_or_default(),
        error: rows.text("message", row)?.filter(|message| !message.is_empty()).map(|message| elide(message, ERROR_SHOWN)),
        error_type: owned("error_type")?,
        start: Timestamp::from_micros(rows.number("start", row)?.unwrap_or_default()),
        duration_micros: rows.number("duration", row)?.unwrap_or_default(),
        first_token_micros: rows.number("first_token", row)?,
        input_tokens: rows.number("input_tokens", row)?,
        output_tokens: rows.number("output_tokens", row)?,
        cache_read_tokens: rows.number("cache_read_tokens", row)?,
        reasoning_tokens: rows.number("reasoning_tokens", row)?,
        cost: rows.number("cost", row)?,
        preview: preview(rows, row)?,
    })
}

/// Newest first.
pub(crate) async fn list_spans(
    asking: Asking<'_>,
    filter: &TraceFilter,
    page: &PageRequest,
) -> Result<Page<SpanSummary>, TraceFault> {
    let (mut after, now) = place(page, asking.now)?;
    let asking = Asking { now, ..asking };
    let mut found: Vec<SpanSummary> = Vec::new();
    let (mut looked_at, mut compared) = (0, COMPARED.0);
    // As in a list of traces: more scores are asked for than are held at once.
    let asks = filter.also.asks_for_scores();
    let passing = filter.with(filter.also.without_scores());
    loop {
        let wanted = page.limit() + 1 - found.len();
        let wanted = if asks { wanted.max(compared) } else { wanted };
        compared = (compared * 2).min(COMPARED.1);
        let mut spans = part(asking, &passing, after.as_ref(), wanted).await?;
        let last = spans.len() < wanted;
        looked_at += spans.len();
        after = spans.last().map(|span| key(span, now)).or(after);
        if asks {
            spans = scored(asking, filter, spans).await?;
        }
        found.extend(visible(asking, spans).await?);
        // What a sender repeated may be stored twice.
        found.dedup_by(|later, earlier| (later.trace, later.span) == (earlier.trace, earlier.span));
        if last || found.len() > page.limit() {
            return worded(asking, Page::from_overfetch(found, page, |span| key(span, now))).await;
        }
        if looked_at >= LOOKED_AT_MAX {
            // The page is short but the list goes on from where looking stopped.
            return worded(asking, Page { items: found, next: after.as_ref().map(cursor) }).await;
        }
    }
}

async fn worded(asking: Asking<'_>, mut page: Page<SpanSummary>) -> Result<Page<SpanSummary>, TraceFault> {
    beneath::show_asked(asking, &mut page.items).await?;
    Ok(page)
}

pub(super) fn key(span: &SpanSummary, now: Timestamp) -> After {
    After(span.start.as_micros(), span.span.to_string(), span.trace.to_string(), now.as_micros())
}

async fn part(
    asking: Asking<'_>,
    filter: &TraceFilter,
    after: Option<&After>,
    limit: usize,
) -> Result<Vec<SpanSummary>, TraceFault> {
    let mut conditions = filter.spans(asking.actor, asking.now);
    if let Some(after) = after {
        conditions = conditions.and(after.beyond());
    }
    let scan = newest(Scan::of(conditions).columns(&SPAN_COLUMNS)).limit(limit);
    let mut spans = Vec::new();
    for batch in asking.table.scan(scan).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            spans.push(summary_of(&rows, row)?);
        }
    }
    Ok(spans)
}

/// Those of the spans that pass with their scores.
async fn scored(asking: Asking<'_>, filter: &TraceFilter, mut spans: Vec<SpanSummary>) -> Result<Vec<SpanSummary>, TraceFault> {
    let traces: HashSet<String> = spans.iter().map(|span| span.trace.to_string()).collect();
    let filter = filter.with(asking.scored_among(&filter.also, &traces).await?);
    let these = filter.spans(asking.actor, asking.now).and(Filter::any_of("trace", traces));
    let mut passed: HashSet<(String, String)> = HashSet::new();
    for batch in asking.table.scan(Scan::of(these).columns(&["trace", "span"])).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let text = |name: &str| Ok::<_, TraceFault>(rows.text(name, row)?.unwrap_or_default().to_owned());
            passed.insert((text("trace")?, text("span")?));
        }
    }
    spans.retain(|span| passed.contains(&(span.trace.to_string(), span.span.to_string())));
    Ok(spans)
}

/// The spans whose whole trace the actor may see.
async fn visible(asking: Asking<'_>, spans: Vec<SpanSummary>) -> Result<Vec<SpanSummary>, TraceFault> {
    if spans.is_empty() {
        return Ok(spans);
    }
    let traces: HashSet<String> = spans.iter().map(|span| span.trace.to_string()).collect();
    let hidden = hidden(asking, Filter::any_of("trace", traces)).await?;
    Ok(spans.into_iter().filter(|span| !hidden.contains(&span.trace.to_string())).collect())
}
