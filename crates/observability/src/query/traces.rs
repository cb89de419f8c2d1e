//! Traces: a list by where they are entered, and all of one.

use std::collections::{HashMap, HashSet};

use mainspring_kernel::{Page, PageRequest, Timestamp, page::cursor, text::elide};
use mainspring_lake::{Aggregate, Filter, MeasureOf, Order, Scan};
use mainspring_llm::TraceId;

use super::{
    After, Asking, ERROR_SHOWN, LOOKED_AT_MAX, NAME_SHOWN, TraceFilter,
    access::hidden,
    beneath::{self, Call, is_wordless},
    counted, entry_only, failed, newest, place,
};
use crate::{fault::TraceFault, table::Rows};

/// A trace by the span it is entered by. Tokens and cost are those of the whole trace, each counted once.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceSummary {
    pub trace: TraceId,
    pub name: String,
    pub app: Option<String>,
    /// Of the span it is entered by, or else the one that was called most in it.
    pub model: Option<String>,
    pub service: Option<String>,
    pub user: Option<String>,
    pub session: Option<String>,
    pub status: String,
    pub error: Option<String>,
    pub start: Timestamp,
    pub duration_micros: i64,
    pub spans: u64,
    /// Spans that failed.
    pub errors: u64,
    pub input_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    /// Billionths of a dollar.
    pub cost: Option<i64>,
    pub preview: Option<String>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) summary: TraceSummary,
    key: After,
    /// The call by which the trace is entered, where it says nothing itself.
    wordless: Option<Call>,
}

pub(super) const COLUMNS: [&str; 19] = [
    "trace",
    "span",
    "name",
    "type",
    "app",
    "model",
    "response_model",
    "service",
    "user",
    "session",
    "status",
    "message",
    "error_type",
    "start",
    "duration",
    "input_tokens",
    "output_tokens",
    "cost",
    "content",
];

/// Traces of which the span passes by which they are entered, by that span.
pub(crate) async fn list(asking: Asking<'_>, filter: &TraceFilter, page: &PageRequest) -> Result<Page<TraceSummary>, TraceFault> {
    list_by(asking, (filter, By::Entry), page).await
}

/// Traces of which any span passes, by the newest that does.
pub(crate) async fn list_any(
    asking: Asking<'_>,
    filter: &TraceFilter,
    page: &PageRequest,
) -> Result<Page<TraceSummary>, TraceFault> {
    list_by(asking, (filter, By::AnySpan), page).await
}

/// Which span of a trace is asked, and gives it its place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Entry,
    AnySpan,
}

/// Of a trace several spans may pass; so many are looked at for one.
const OF_ONE: usize = 4;
/// Spans that are compared with the scores of their traces at once, at least and at most.
pub(super) const COMPARED: (usize, usize) = (200, 2_000);

async fn list_by(
    asking: Asking<'_>,
    (filter, by): (&TraceFilter, By),
    page: &PageRequest,
) -> Result<Page<TraceSummary>, TraceFault> {
    let (mut after, now) = place(page, asking.now)?;
    let asking = Asking { now, ..asking };
    let of_one = if by == By::Entry { 1 } else { OF_ONE };
    let conditions = |filter: &TraceFilter| match by {
        By::Entry => filter.entries(asking.actor, now),
        By::AnySpan => filter.spans(asking.actor, now),
    };
    // Where more scores are asked for than are held at once, spans are looked at whatever their scores say, and those of their
    // traces are looked up.
    let asks = filter.also.asks_for_scores();
    let passing = conditions(&filter.with(filter.also.without_scores()));
    let mut found: Vec<Entry> = Vec::new();
    let (mut looked_at, mut compared) = (0, COMPARED.0);
    let next = loop {
        let wanted = (page.limit() + 1 - found.len()) * of_one;
        let wanted = if asks { wanted.max(compared) } else { wanted };
        compared = (compared * 2).min(COMPARED.1);
        let entries = entries(asking, passing.clone(), after.as_ref(), wanted).await?;
        let last = entries.len() < wanted;
        looked_at += entries.len();
        after = entries.last().map(|entry| entry.key.clone()).or(after);
        let here = if asks {
            let traces = entries.iter().map(|entry| entry.summary.trace.to_string()).collect();
            conditions(&filter.with(asking.scored_among(&filter.also, &traces).await?))
        } else {
            passing.clone()
        };
        let entries = first_of_each(asking, (here, by), entries).await?;
        found.extend(visible(asking, entries).await?);
        if last || found.len() > page.limit() {
            let more = found.len() > page.limit();
            found.truncate(page.limit());
            break found.last().filter(|_| more).map(|entry| cursor(&entry.key));
        }
        if looked_at >= LOOKED_AT_MAX {
            // The page is short but the list goes on from where looking stopped.
            break after.as_ref().map(cursor);
        }
    };
    if by == By::AnySpan {
        show_entries(asking, &mut found).await?;
    }
    let wordless = found.iter_mut().filter_map(|entry| Some((entry.wordless.take()?, &mut entry.summary.preview)));
    beneath::give_words(asking, wordless.collect()).await?;
    let mut items: Vec<TraceSummary> = found.into_iter().map(|entry| entry.summary).collect();
    add_totals(asking, &mut items).await?;
    Ok(Page { items, next })
}

/// A trace is shown by the span it is entered by, whichever passed. Where that has not come, by the one that passed.
async fn show_entries(asking: Asking<'_>, found: &mut [Entry]) -> Result<(), TraceFault> {
    if found.is_empty() {
        return Ok(());
    }
    let scan = Scan::of(asking.project().and(entry_only()).and(among(found))).columns(&COLUMNS);
    let mut first: HashMap<String, Entry> = HashMap::new();
    for entry in read(asking, scan).await? {
        let trace = entry.summary.trace.to_string();
        let is_first = first.get(&trace).is_none_or(|known| (entry.key.0, &entry.key.1) < (known.key.0, &known.key.1));
        if is_first {
            first.insert(trace, entry);
        }
    }
    for entry in found {
        if let Some(entered) = first.remove(&entry.summary.trace.to_string()) {
            (entry.summary, entry.wordless) = (entered.summary, entered.wordless);
        }
    }
    Ok(())
}

async fn entries(
    asking: Asking<'_>,
    mut conditions: Filter,
    after: Option<&After>,
    limit: usize,
) -> Result<Vec<Entry>, TraceFault> {
    if let Some(after) = after {
        conditions = conditions.and(after.beyond());
    }
    read(asking, newest(Scan::of(conditions).columns(&COLUMNS)).limit(limit)).await
}

pub(super) async fn read(asking: Asking<'_>, scan: Scan) -> Result<Vec<Entry>, TraceFault> {
    let mut entries = Vec::new();
    for batch in asking.table.scan(scan).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            entries.push(entry(&rows, row, asking.now)?);
        }
    }
    Ok(entries)
}

fn entry(rows: &Rows<'_>, row: usize, now: Timestamp) -> Result<Entry, TraceFault> {
    let owned = |name: &str| -> Result<Option<String>, TraceFault> { Ok(rows.text(name, row)?.map(str::to_owned)) };
    let start = rows.number("start", row)?.unwrap_or_default();
    let trace = rows.text("trace", row)?.unwrap_or_default();
    let error = rows.text("message", row)?.filter(|message| !message.is_empty()).or(rows.text("error_type", row)?);
    let (span, preview) = (owned("span")?.unwrap_or_default(), preview(rows, row)?);
    let wordless = is_wordless(rows.text("type", row)?, preview.as_ref()).then(|| (trace.to_owned(), span.clone()));
    Ok(Entry {
        key: After(start, span, trace.to_owned(), now.as_micros()),
        wordless,
        summary: TraceSummary {
            trace: trace.parse().map_err(|_| TraceFault::Unreadable { reason: "a trace id".into() })?,
            name: elide(rows.text("name", row)?.unwrap_or_default(), NAME_SHOWN),
            app: owned("app")?,
            model: owned("model")?.or(owned("response_model")?),
            service: owned("service")?,
            user: owned("user")?,
            session: owned("session")?,
            status: owned("status")?.unwrap_or_default(),
            error: error.map(|error| elide(error, ERROR_SHOWN)),
            start: Timestamp::from_micros(start),
            duration_micros: rows.number("duration", row)?.unwrap_or_default(),
            spans: 0,
            errors: 0,
            input_tokens: rows.number("input_tokens", row)?,
            output_tokens: rows.number("output_tokens", row)?,
            cost: rows.number("cost", row)?,
            preview,
        },
    })
}

/// The first line of what was asked.
pub(super) fn preview(rows: &Rows<'_>, row: usize) -> Result<Option<String>, TraceFault> {
    let first = rows.text("content", row)?.and_then(|content| content.lines().find(|line| !line.trim().is_empty()));
    Ok(first.map(|line| elide(line, 160)))
}

/// A caller's own span may stand above ours, and both are entries; a trace is listed once, by the first that matches. Where
/// any span may, it is the newest. What matches no longer is left out.
async fn first_of_each(
    asking: Asking<'_>,
    (conditions, by): (Filter, By),
    mut entries: Vec<Entry>,
) -> Result<Vec<Entry>, TraceFault> {
    if entries.is_empty() {
        return Ok(entries);
    }
    let place = |start: i64| if by == By::AnySpan { start.saturating_neg() } else { start };
    let among = conditions.and(among(&entries));
    let mut firsts: HashMap<String, (i64, String)> = HashMap::new();
    for batch in asking.table.scan(Scan::of(among).columns(&["trace", "start", "span"])).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let start = place(rows.number("start", row)?.unwrap_or_default());
            let key = (start, rows.text("span", row)?.unwrap_or_default().to_owned());
            let trace = rows.text("trace", row)?.unwrap_or_default();
            match firsts.get_mut(trace) {
                Some(first) if key < *first => *first = key,
                Some(_) => {}
                None => {
                    firsts.insert(trace.to_owned(), key);
                }
            }
        }
    }
    // What a sender repeated may be stored twice.
    entries.dedup_by(|later, earlier| later.key == earlier.key);
    let is_first = |entry: &Entry| {
        let first = firsts.get(&entry.summary.trace.to_string());
        first.is_some_and(|(start, span)| (*start, span) == (place(entry.key.0), &entry.key.1))
    };
    entries.retain(is_first);
    Ok(entries)
}

fn among(entries: &[Entry]) -> Filter {
    let ids: HashSet<String> = entries.iter().map(|entry| entry.summary.trace.to_string()).collect();
    Filter::any_of("trace", ids)
}

/// The entries whose whole trace the actor may see: every span of it counts, not only the entry.
pub(super) async fn visible(asking: Asking<'_>, entries: Vec<Entry>) -> Result<Vec<Entry>, TraceFault> {
    if entries.is_empty() {
        return Ok(entries);
    }
    let hidden = hidden(asking, among(&entries)).await?;
    Ok(entries.into_iter().filter(|entry| !hidden.contains(&entry.summary.trace.to_string())).collect())
}

/// What a whole trace has and used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) spans: u64,
    pub(super) errors: u64,
    pub(super) input_tokens: Option<i64>,
    pub(super) output_tokens: Option<i64>,
    pub(super) cost: Option<i64>,
    pub(super) first: i64,
    pub(super) last: i64,
    /// When its last span ended.
    pub(super) end: i64,
    /// When it was entered; none where the span by which it is has not come.
    pub(super) entered: Option<i64>,
    pub(super) duration_micros: i64,
}

/// By trace.
pub(super) async fn totals(
    asking: Asking<'_>,
    traces: impl IntoIterator<Item = String>,
) -> Result<HashMap<String, Totals>, TraceFault> {
    let traces: Vec<String> = traces.into_iter().collect();
    let limit = traces.len();
    if limit == 0 {
        return Ok(HashMap::new());
    }
    let mut question = Aggregate::of(asking.project().and(Filter::any_of("trace", traces)))
        .by("trace")
        .measure("spans", MeasureOf::Rows)
        .measure_of("errors", MeasureOf::Rows, failed())
        .measure("first", MeasureOf::Min("start".to_owned()))
        .measure("last", MeasureOf::Max("start".to_owned()))
        .measure("end", MeasureOf::MaxSum("start".to_owned(), "duration".to_owned()))
        .measure_of("entered", MeasureOf::Min("start".to_owned()), entry_only())
        .measure_of("duration", MeasureOf::Max("duration".to_owned()), entry_only())
        .limit(limit);
    for column in ["input_tokens", "output_tokens", "cost"] {
        question = question.measure_of(column, MeasureOf::Sum(column.to_owned()), counted(column));
    }
    let mut totals = HashMap::new();
    for batch in asking.table.aggregate(question).await?.batches {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let count = |name: &str| -> Result<u64, TraceFault> {
                Ok(rows.number(name, row)?.and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
            };
            let of_trace = Totals {
                spans: count("spans")?,
                errors: count("errors")?,
                input_tokens: rows.number("input_tokens", row)?,
                output_tokens: rows.number("output_tokens", row)?,
                cost: rows.number("cost", row)?,
                first: rows.number("first", row)?.unwrap_or_default(),
                last: rows.number("last", row)?.unwrap_or_default(),
                end: rows.number("end", row)?.unwrap_or_default(),
                entered: rows.number("entered", row)?,
                duration_micros: rows.number("duration", row)?.unwrap_or_default(),
            };
            totals.insert(rows.text("trace", row)?.unwrap_or_default().to_owned(), of_trace);
        }
    }
    Ok(totals)
}

/// Models of one trace that are told apart, about.
const MODELS: usize = 8;

/// A program's trace begins above the calls of models: it is shown with the model that was called most in it.
async fn add_models(asking: Asking<'_>, traces: &mut [TraceSummary]) -> Result<(), TraceFault> {
    let without: Vec<String> = traces.iter().filter(|trace| trace.model.is_none()).map(|trace| trace.trace.to_string()).collect();
    if without.is_empty() {
        return Ok(());
    }
    let limit = without.len().saturating_mul(MODELS);
    let question = Aggregate::of(asking.project().and(Filter::any_of("trace", without)).and(Filter::present("model")))
        .by("trace")
        .by("model")
        .measure("calls", MeasureOf::Rows)
        .order("calls", Order::Descending)
        .order("model", Order::Ascending)
        .limit(limit);
    let mut models: HashMap<String, String> = HashMap::new();
    for batch in asking.table.aggregate(question).await?.batches {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let text = |name: &str| Ok::<_, TraceFault>(rows.text(name, row)?.unwrap_or_default().to_owned());
            models.entry(text("trace")?).or_insert(text("model")?);
        }
    }
    for summary in traces.iter_mut().filter(|trace| trace.model.is_none()) {
        summary.model = models.remove(&summary.trace.to_string());
    }
    Ok(())
}

pub(super) async fn add_totals(asking: Asking<'_>, traces: &mut [TraceSummary]) -> Result<(), TraceFault> {
    add_models(asking, traces).await?;
    let totals = totals(asking, traces.iter().map(|trace| trace.trace.to_string())).await?;
    for summary in traces {
        let Some(whole) = totals.get(&summary.trace.to_string()) else { continue };
        (summary.spans, summary.errors) = (whole.spans, whole.errors);
        // Where nothing counts, what the entry says of itself is the best there is; beside what counts it would be of something else.
        if [whole.input_tokens, whole.output_tokens, whole.cost].iter().any(Option::is_some) {
            (summary.input_tokens, summary.output_tokens, summary.cost) = (whole.input_tokens, whole.output_tokens, whole.cost);
        }
    }
    Ok(())
}
