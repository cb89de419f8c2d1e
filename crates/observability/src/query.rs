//! Questions about traces. Everything is asked within one project and as one actor.

use std::collections::{BTreeMap, HashMap, HashSet};

use mainspring_kernel::{Actor, Labels, Page, PageRequest, Timestamp, page::cursor};
use mainspring_lake::{Filter, Order, Scan, Table};
use mainspring_llm::{DocumentAccess, Span, TraceId};
use serde::{Deserialize, Serialize};

use crate::{
    fault::TraceFault,
    forget::documents_of,
    table::{Rows, labels_of},
};

/// Rows looked at for one page at most: a reader who may see little does not make the server read everything.
const LOOKED_AT_MAX: usize = 20_000;
const SPANS_MAX: usize = 50_000;
const ACTIVITY_MAX: usize = 500_000;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct TraceFilter {
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub app: Option<String>,
    pub model: Option<String>,
    /// `ok`, `error` or `unset`.
    pub status: Option<String>,
    pub min_millis: Option<u64>,
    /// In prompts, answers and names, letter case ignored.
    pub text: Option<String>,
    pub operation: Option<String>,
    pub user: Option<String>,
    pub session: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TraceSummary {
    pub trace: TraceId,
    pub name: String,
    pub app: Option<String>,
    pub model: Option<String>,
    pub status: String,
    pub error: Option<String>,
    pub start: Timestamp,
    pub duration_micros: i64,
    pub input_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    pub preview: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ActivityBucket {
    pub start: Timestamp,
    pub requests: u64,
    pub errors: u64,
    pub p50_millis: Option<f64>,
    pub p95_millis: Option<f64>,
}

/// Where the next page starts: after this entry, in order of start and span.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct After(i64, String);

impl TraceFilter {
    fn conditions(&self, actor: &Actor) -> Filter {
        let mut parts = vec![
            Filter::eq("project", actor.project.to_string()),
            Filter::Eq("entry".into(), mainspring_lake::Scalar::Bool(true)),
        ];
        parts.extend(self.from.map(|from| Filter::GtEq("start".into(), from.as_micros().into())));
        parts.extend(self.to.map(|to| Filter::Lt("start".into(), to.as_micros().into())));
        parts.extend(self.min_millis.map(|millis| {
            Filter::GtEq("duration".into(), i64::try_from(millis.saturating_mul(1000)).unwrap_or(i64::MAX).into())
        }));
        let texts = [
            ("app", &self.app),
            ("model", &self.model),
            ("status", &self.status),
            ("operation", &self.operation),
            ("user", &self.user),
            ("session", &self.session),
        ];
        parts.extend(
            texts.into_iter().filter_map(|(column, value)| value.as_ref().map(|value| Filter::eq(column, value.as_str()))),
        );
        if let Some(text) = &self.text {
            parts.push(Filter::Or(vec![
                Filter::Contains("content".into(), text.clone()),
                Filter::Contains("name".into(), text.clone()),
            ]));
        }
        Filter::And(parts)
    }
}

/// Who asks, and what is asked to answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) table: &'a dyn Table,
    pub(crate) access: &'a dyn DocumentAccess,
    pub(crate) actor: &'a Actor,
}

struct Entry {
    summary: TraceSummary,
    key: After,
}

pub(crate) async fn list(asking: Asking<'_>, filter: &TraceFilter, page: &PageRequest) -> Result<Page<TraceSummary>, TraceFault> {
    let Asking { table, actor, .. } = asking;
    let mut after: Option<After> = page.after()?;
    let mut found: Vec<Entry> = Vec::new();
    let mut looked_at = 0;
    loop {
        let wanted = page.limit() + 1 - found.len();
        let entries = entries(table, actor, filter, after.as_ref(), wanted).await?;
        let last = entries.len() < wanted;
        looked_at += entries.len();
        after = entries.last().map(|entry| entry.key.clone()).or(after);
        let entries = first_of_each(table, actor, filter, entries).await?;
        found.extend(visible(asking, entries).await?);
        if last || found.len() > page.limit() {
            break;
        }
        if looked_at >= LOOKED_AT_MAX {
            // The page is short but the list goes on from where looking stopped.
            let next = after.as_ref().map(cursor);
            return Ok(Page { items: found.into_iter().map(|entry| entry.summary).collect(), next });
        }
    }
    Ok(Page::from_overfetch(found, page, |entry| entry.key.clone()).map(|entry| entry.summary))
}

async fn entries(
    table: &dyn Table,
    actor: &Actor,
    filter: &TraceFilter,
    after: Option<&After>,
    limit: usize,
) -> Result<Vec<Entry>, TraceFault> {
    let mut conditions = filter.conditions(actor);
    if let Some(After(start, span)) = after {
        let earlier = Filter::Lt("start".into(), (*start).into());
        let same =
            Filter::And(vec![Filter::Eq("start".into(), (*start).into()), Filter::Gt("span".into(), span.as_str().into())]);
        conditions = conditions.and(Filter::Or(vec![earlier, same]));
    }
    let columns = [
        "trace",
        "span",
        "name",
        "app",
        "model",
        "status",
        "message",
        "error_type",
        "start",
        "duration",
        "input_tokens",
        "output_tokens",
        "content",
    ];
    let scan =
        Scan::of(conditions).columns(&columns).order("start", Order::Descending).order("span", Order::Ascending).limit(limit);
    let mut entries = Vec::new();
    for batch in table.scan(scan).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            entries.push(entry(&rows, row)?);
        }
    }
    Ok(entries)
}

fn entry(rows: &Rows<'_>, row: usize) -> Result<Entry, TraceFault> {
    let owned = |name: &str| -> Result<Option<String>, TraceFault> { Ok(rows.text(name, row)?.map(str::to_owned)) };
    let start = rows.number("start", row)?.unwrap_or_default();
    let trace = rows.text("trace", row)?.unwrap_or_default();
    let preview = rows.text("content", row)?.and_then(|content| content.lines().find(|line| !line.trim().is_empty()));
    Ok(Entry {
        key: After(start, owned("span")?.unwrap_or_default()),
        summary: TraceSummary {
            trace: trace.parse().map_err(|_| TraceFault::Unreadable { reason: "a trace id".into() })?,
            name: owned("name")?.unwrap_or_default(),
            app: owned("app")?,
            model: owned("model")?,
            status: owned("status")?.unwrap_or_default(),
            error: owned("message")?.or(owned("error_type")?),
            start: Timestamp::from_micros(start),
            duration_micros: rows.number("duration", row)?.unwrap_or_default(),
            input_tokens: rows.number("input_tokens", row)?,
            output_tokens: rows.number("output_tokens", row)?,
            preview: preview.map(|line| mainspring_kernel::text::elide(line, 160)),
        },
    })
}

/// A caller's own span may stand above ours, and both are entries; a trace is listed once, by the first that matches.
async fn first_of_each(
    table: &dyn Table,
    actor: &Actor,
    filter: &TraceFilter,
    mut entries: Vec<Entry>,
) -> Result<Vec<Entry>, TraceFault> {
    if entries.is_empty() {
        return Ok(entries);
    }
    let ids: HashSet<String> = entries.iter().map(|entry| entry.summary.trace.to_string()).collect();
    let among = filter.conditions(actor).and(Filter::any_of("trace", ids));
    let mut firsts: HashMap<String, After> = HashMap::new();
    for batch in table.scan(Scan::of(among).columns(&["trace", "start", "span"])).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let key =
                After(rows.number("start", row)?.unwrap_or_default(), rows.text("span", row)?.unwrap_or_default().to_owned());
            let trace = rows.text("trace", row)?.unwrap_or_default();
            match firsts.get_mut(trace) {
                Some(first) if (key.0, &key.1) < (first.0, &first.1) => *first = key,
                Some(_) => {}
                None => {
                    firsts.insert(trace.to_owned(), key);
                }
            }
        }
    }
    // What a sender repeated may be stored twice.
    entries.dedup_by(|later, earlier| later.key == earlier.key);
    entries.retain(|entry| firsts.get(&entry.summary.trace.to_string()).is_none_or(|first| *first == entry.key));
    Ok(entries)
}

/// The entries whose whole trace the actor may see: every span of it counts, not only the entry.
async fn visible(asking: Asking<'_>, entries: Vec<Entry>) -> Result<Vec<Entry>, TraceFault> {
    if entries.is_empty() {
        return Ok(entries);
    }
    let ids: HashSet<String> = entries.iter().map(|entry| entry.summary.trace.to_string()).collect();
    let hidden = hidden(asking, Filter::any_of("trace", ids)).await?;
    Ok(entries.into_iter().filter(|entry| !hidden.contains(&entry.summary.trace.to_string())).collect())
}

/// Traces with a span that the actor may not see: by the labels its documents had then, and by those they have now.
async fn hidden(Asking { table, access, actor }: Asking<'_>, among: Filter) -> Result<HashSet<String>, TraceFault> {
    let mut hidden = HashSet::new();
    if actor.labels == Labels::All {
        return Ok(hidden);
    }
    let mut users: HashMap<String, HashSet<String>> = HashMap::new();
    for batch in table.scan(Scan::of(among).columns(&["trace", "labels"])).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let trace = rows.text("trace", row)?.unwrap_or_default();
            for needed in rows.labels(row)? {
                match serde_json::from_str::<String>(&needed) {
                    Ok(document) => {
                        users.entry(document).or_default().insert(trace.to_owned());
                    }
                    Err(_) if holds(&actor.labels, &needed) => {}
                    Err(_) => {
                        hidden.insert(trace.to_owned());
                    }
                }
            }
        }
    }
    let unreadable = access.unreadable(actor, users.keys().cloned().collect()).await.map_err(TraceFault::Access)?;
    hidden.extend(unreadable.iter().filter_map(|document| users.remove(document)).flatten());
    Ok(hidden)
}

/// Spans of traces that began at `from` or later: a trace's spans do not start before it.
fn since(actor: &Actor, from: Timestamp) -> Filter {
    Filter::And(vec![Filter::eq("project", actor.project.to_string()), Filter::GtEq("start".into(), from.as_micros().into())])
}

/// Whether the actor holds one label of a list. A list that cannot be read is held by nobody.
fn holds(held: &Labels, list: &str) -> bool {
    match held {
        Labels::All => true,
        Labels::Some(held) => {
            let labels: Vec<String> = serde_json::from_str(list).unwrap_or_default();
            labels.iter().any(|label| held.contains(label))
        }
    }
}

/// Every span of a trace, by start.
pub(crate) async fn trace(Asking { table, access, actor }: Asking<'_>, id: TraceId) -> Result<Vec<Span>, TraceFault> {
    let filter = Filter::And(vec![Filter::eq("trace", id.to_string()), Filter::eq("project", actor.project.to_string())]);
    let scan = Scan::of(filter).order("start", Order::Ascending).limit(SPANS_MAX);
    let mut spans: Vec<Span> = Vec::new();
    let mut known = HashSet::new();
    for batch in table.scan(scan).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let span = rows.span(row)?;
            // A sender may have repeated it before the first one could be found.
            if known.insert(span.span) {
                spans.push(span);
            }
        }
    }
    let mut seen = spans.iter().flat_map(labels_of).all(|list| holds(&actor.labels, &list));
    let documents: HashSet<String> = spans.iter().flat_map(documents_of).collect();
    if seen && actor.labels != Labels::All && !documents.is_empty() {
        let documents = documents.into_iter().collect();
        seen = access.unreadable(actor, documents).await.map_err(TraceFault::Access)?.is_empty();
    }
    if spans.is_empty() || !seen {
        return Err(TraceFault::NotFound { id: id.to_string() });
    }
    Ok(spans)
}

/// Entries per hour, for whole hours from `from`, each hour there even when nothing happened.
pub(crate) async fn activity(
    asking: Asking<'_>,
    from: Timestamp,
    to: Timestamp,
    app: Option<&str>,
) -> Result<Vec<ActivityBucket>, TraceFault> {
    const HOUR: i64 = 3_600_000_000;
    let Asking { table, actor, .. } = asking;
    let filter = TraceFilter { from: Some(from), to: Some(to), app: app.map(str::to_owned), ..TraceFilter::default() };
    let mut scan = Scan::of(filter.conditions(actor)).columns(&["start", "duration", "status", "trace"]);
    let hidden = hidden(asking, since(actor, from)).await?;
    scan.limit = Some(ACTIVITY_MAX);
    let first = from.as_micros().div_euclid(HOUR);
    let last = (to.as_micros() - 1).div_euclid(HOUR);
    let mut hours: BTreeMap<i64, (u64, Vec<i64>)> = (first..=last).map(|hour| (hour, (0, Vec::new()))).collect();
    for batch in table.scan(scan).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            if hidden.contains(rows.text("trace", row)?.unwrap_or_default()) {
                continue;
            }
            let hour = rows.number("start", row)?.unwrap_or_default().div_euclid(HOUR);
            let Some((errors, durations)) = hours.get_mut(&hour) else { continue };
            *errors += u64::from(rows.text("status", row)? == Some("error"));
            durations.push(rows.number("duration", row)?.unwrap_or_default());
        }
    }
    let bucket = |(hour, (errors, mut durations)): (i64, (u64, Vec<i64>))| {
        durations.sort_unstable();
        ActivityBucket {
            start: Timestamp::from_micros(hour * HOUR),
            requests: durations.len() as u64,
            errors,
            p50_millis: percentile(&durations, 0.50),
            p95_millis: percentile(&durations, 0.95),
        }
    };
    Ok(hours.into_iter().map(bucket).collect())
}

/// Nearest-rank percentile of sorted microseconds, in milliseconds.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ranks and durations are far below 2^52"
)]
pub(crate) fn percentile(sorted: &[i64], share: f64) -> Option<f64> {
    let rank = ((sorted.len() as f64) * share).ceil() as usize;
    sorted.get(rank.max(1) - 1).map(|micros| *micros as f64 / 1000.0)
}

/// Requests and errors of the last day by app.
pub(crate) async fn by_app(
    asking: Asking<'_>,
    from: Timestamp,
) -> Result<HashMap<String, (u64, u64, Vec<i64>, Timestamp)>, TraceFault> {
    let Asking { table, actor, .. } = asking;
    let filter = TraceFilter { from: Some(from), ..TraceFilter::default() };
    let mut scan = Scan::of(filter.conditions(actor)).columns(&["start", "duration", "status", "app", "trace"]);
    let hidden = hidden(asking, since(actor, from)).await?;
    scan.limit = Some(ACTIVITY_MAX);
    let mut apps: HashMap<String, (u64, u64, Vec<i64>, Timestamp)> = HashMap::new();
    for batch in table.scan(scan).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let Some(app) = rows.text("app", row)? else { continue };
            if hidden.contains(rows.text("trace", row)?.unwrap_or_default()) {
                continue;
            }
            let start = Timestamp::from_micros(rows.number("start", row)?.unwrap_or_default());
            let entry = apps.entry(app.to_owned()).or_insert_with(|| (0, 0, Vec::new(), start));
            entry.0 += 1;
            entry.1 += u64::from(rows.text("status", row)? == Some("error"));
            entry.2.push(rows.number("duration", row)?.unwrap_or_default());
            entry.3 = entry.3.max(start);
        }
    }
    Ok(apps)
}
