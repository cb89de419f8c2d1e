//! Traces that belong together: of one session, or of one user.
//!
//! A trace belongs to a session when any of its spans names it; its tokens and cost are those of all its spans.

use std::collections::{HashMap, HashSet};

use mainspring_kernel::{Page, PageRequest, Timestamp, page::cursor};
use mainspring_lake::{Aggregate, Filter, MeasureOf, Order, Scan};
use serde::{Deserialize, Serialize};

use super::{
    Asking, TraceFilter,
    access::{hidden_of, seen},
    entry_only,
    traces::{self, Totals, TraceSummary},
};
use crate::{fault::TraceFault, table::Rows};

/// Sessions that are put in order at most; who asks about more narrows the time.
const GROUPS_MAX: usize = 50_000;
/// Spans that are read to find the traces of the sessions of one page.
const SPANS_READ_MAX: usize = 200_000;
/// Traces added up at once.
const AT_ONCE: usize = 2_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatheredBy {
    Session,
    User,
}

impl GatheredBy {
    const fn column(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::User => "user",
        }
    }
}

/// A session, or a user, and what its traces used.
#[derive(Debug, Clone, PartialEq)]
pub struct Gathered {
    pub id: String,
    /// Of a session; the last that was named.
    pub user: Option<String>,
    pub first: Timestamp,
    pub last: Timestamp,
    pub traces: u64,
    pub spans: u64,
    pub errors: u64,
    /// How long its traces took, one after the other.
    pub duration_micros: i64,
    pub input_tokens: i64,
    pub output_tokens: i64,
    /// Billionths of a dollar; none where nothing is priced.
    pub cost: Option<i64>,
    /// Otherwise it has more spans than are read for a page, and has and used more than this.
    pub whole: bool,
}

/// One session, and its traces in the order in which they began.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionTraces {
    pub session: Gathered,
    pub traces: Page<TraceSummary>,
}

/// When it was active last, its name, and when the first page was asked for.
#[derive(Debug, Serialize, Deserialize)]
struct AfterGroup(i64, String, i64);

/// The last active first.
pub(crate) async fn sessions(
    asking: Asking<'_>,
    by: GatheredBy,
    filter: &TraceFilter,
    page: &PageRequest,
) -> Result<Page<Gathered>, TraceFault> {
    let after: Option<AfterGroup> = page.after()?;
    let now = after.as_ref().map_or(asking.now, |after| Timestamp::from_micros(after.2));
    let asking = Asking { now, ..asking };
    let mut groups = groups(asking, by, filter).await?;
    if let Some(AfterGroup(last, id, _)) = after {
        groups.retain(|(other_last, other)| *other_last < last || (*other_last == last && *other > id));
    }
    let more = groups.len() > page.limit();
    groups.truncate(page.limit());
    let next = groups.last().filter(|_| more).map(|(last, id)| cursor(&AfterGroup(*last, id.clone(), now.as_micros())));
    let found = gather(asking, by, groups.into_iter().map(|(_, id)| id).collect()).await?;
    Ok(Page { items: found.into_iter().map(|group| group.gathered).filter(|group| group.traces > 0).collect(), next })
}

/// Every session with when it was active last, in order.
async fn groups(asking: Asking<'_>, by: GatheredBy, filter: &TraceFilter) -> Result<Vec<(i64, String)>, TraceFault> {
    let column = by.column();
    // What comes later does not change the order while somebody turns the pages.
    let among = filter
        .spans(asking.actor, asking.now)
        .and(Filter::Not(Box::new(Filter::IsNull(column.into()))))
        .and(Filter::LtEq("start".into(), asking.now.as_micros().into()));
    // Otherwise a name, or the cursor behind it, would tell what only a hidden trace says.
    let question = Aggregate::of(seen(asking, among).await?)
        .by(column)
        .measure("last", MeasureOf::Max("start".into()))
        .order("last", Order::Descending)
        .limit(GROUPS_MAX);
    let grouped = asking.table.aggregate(question).await?;
    if grouped.more {
        return Err(TraceFault::TooMuch { rows: GROUPS_MAX });
    }
    let mut groups = Vec::new();
    for batch in &grouped.batches {
        let rows = Rows(batch);
        for row in 0..batch.num_rows() {
            let id = rows.text(column, row)?.unwrap_or_default().to_owned();
            groups.push((rows.number("last", row)?.unwrap_or_default(), id));
        }
    }
    Ok(groups)
}

struct Group {
    gathered: Gathered,
    /// Those the actor may see.
    traces: Vec<(String, Totals)>,
}

/// What these sessions have and used, in the same order.
async fn gather(asking: Asking<'_>, by: GatheredBy, ids: Vec<String>) -> Result<Vec<Group>, TraceFault> {
    let (members, whole) = members(asking, by, &ids).await?;
    let all: HashSet<String> = members.values().flat_map(|member| member.keys().cloned()).collect();
    let hidden = hidden_of(asking, &all).await?;
    let seen: Vec<String> = all.into_iter().filter(|trace| !hidden.contains(trace)).collect();
    let mut totals: HashMap<String, Totals> = HashMap::new();
    for some in seen.chunks(AT_ONCE) {
        totals.extend(traces::totals(asking, some.iter().cloned()).await?);
    }
    let mut found = Vec::new();
    for id in ids {
        let Some(member) = members.get(&id) else { continue };
        let mut traces: Vec<(String, Totals)> =
            member.keys().filter_map(|trace| totals.get(trace).map(|totals| (trace.clone(), *totals))).collect();
        traces.sort_by(|(one, a), (other, b)| (a.first, one).cmp(&(b.first, other)));
        // What a hidden trace names is hidden too.
        let user = traces.iter().rev().find_map(|(trace, _)| member.get(trace).cloned().flatten());
        let gathered = Gathered { whole, user, ..added_up(id, &traces) };
        found.push(Group { gathered, traces });
    }
    Ok(found)
}

fn added_up(id: String, traces: &[(String, Totals)]) -> Gathered {
    let each = || traces.iter().map(|(_, totals)| totals);
    let sum = |of: fn(&Totals) -> i64| each().fold(0_i64, |sum, totals| sum.saturating_add(of(totals)));
    Gathered {
        id,
        user: None,
        first: Timestamp::from_micros(each().map(|totals| totals.first).min().unwrap_or_default()),
        last: Timestamp::from_micros(each().map(|totals| totals.last).max().unwrap_or_default()),
        traces: traces.len() as u64,
        spans: each().map(|totals| totals.spans).sum(),
        errors: each().map(|totals| totals.errors).sum(),
        duration_micros: sum(|totals| totals.duration_micros),
        input_tokens: sum(|totals| totals.input_tokens.unwrap_or_default()),
        output_tokens: sum(|totals| totals.output_tokens.unwrap_or_default()),
        cost: each().any(|totals| totals.cost.is_some()).then(|| sum(|totals| totals.cost.unwrap_or_default())),
        whole: true,
    }
}

/// The traces of a session, each with the user it names.
type Member = HashMap<String, Option<String>>;

/// The traces of each of these sessions, and whether that is all of them.
async fn members(asking: Asking<'_>, by: GatheredBy, ids: &[String]) -> Result<(HashMap<String, Member>, bool), TraceFault> {
    let mut members: HashMap<String, Member> = HashMap::new();
    if ids.is_empty() {
        return Ok((members, true));
    }
    let column = by.column();
    let among = asking.project().and(Filter::any_of(column, ids.iter().map(String::as_str)));
    let columns: &[&str] = if column == "user" { &["user", "trace"] } else { &["session", "trace", "user"] };
    let mut read = 0;
    for batch in asking.table.scan(Scan::of(among).columns(columns).limit(SPANS_READ_MAX)).await? {
        let rows = Rows(&batch);
        read += batch.num_rows();
        for row in 0..batch.num_rows() {
            let id = rows.text(column, row)?.unwrap_or_default();
            let member = members.entry(id.to_owned()).or_default();
            let trace = rows.text("trace", row)?.unwrap_or_default();
            let user = if by == GatheredBy::Session { rows.text("user", row)?.map(str::to_owned) } else { None };
            match member.get_mut(trace) {
                Some(named) if named.is_none() => *named = user,
                Some(_) => {}
                None => {
                    member.insert(trace.to_owned(), user);
                }
            }
        }
    }
    Ok((members, read < SPANS_READ_MAX))
}

/// One session with a page of its traces, from the first to the last.
pub(crate) async fn session(asking: Asking<'_>, id: &str, page: &PageRequest) -> Result<SessionTraces, TraceFault> {
    let group = gather(asking, GatheredBy::Session, vec![id.to_owned()]).await?.pop();
    let missing = || TraceFault::NoSession { id: mainspring_kernel::text::elide(id, 80) };
    let Group { gathered, traces } = group.filter(|group| !group.traces.is_empty()).ok_or_else(missing)?;
    let after: Option<(i64, String)> = page.after()?;
    let rest = traces.into_iter().filter(|(trace, totals)| {
        totals.entered.is_some() && after.as_ref().is_none_or(|after| (totals.first, trace) > (after.0, &after.1))
    });
    let part: Vec<(String, Totals)> = rest.take(page.limit() + 1).collect();
    let part = Page::from_overfetch(part, page, |(trace, totals)| (totals.first, trace.clone()));
    let ids: Vec<&str> = part.items.iter().map(|(trace, _)| trace.as_str()).collect();
    let items = entered(asking, &ids).await?;
    Ok(SessionTraces { session: gathered, traces: Page { items, next: part.next } })
}

/// These traces by the spans they are entered by, in the same order.
async fn entered(asking: Asking<'_>, ids: &[&str]) -> Result<Vec<TraceSummary>, TraceFault> {
    let among = asking.project().and(entry_only()).and(Filter::any_of("trace", ids.iter().copied()));
    let scan = Scan::of(among).columns(&traces::COLUMNS).order("start", Order::Ascending).order("span", Order::Ascending);
    let mut first: HashMap<String, TraceSummary> = HashMap::new();
    for entry in traces::read(asking, scan).await? {
        first.entry(entry.summary.trace.to_string()).or_insert(entry.summary);
    }
    let mut found: Vec<TraceSummary> = ids.iter().filter_map(|id| first.remove(*id)).collect();
    traces::add_totals(asking, &mut found).await?;
    Ok(found)
}
