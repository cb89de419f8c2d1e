//! Traces that belong together: of one session, or of one user.
//!
//! A trace belongs to a session when any of its spans names it; its tokens and cost are those of all its spans.
//!
//! The last active come first, so spans are looked at from the newest back to a moment that lies the earlier the fewer sessions
//! it leaves. Where even these are too many to be put in order together, a window of time is looked at by itself, and which of
//! its sessions went on after it is asked of few at a time: no more are in memory than a window has, however many there are.

use std::collections::{HashMap, HashSet};

use mainspring_kernel::{Page, PageRequest, Timestamp, page::cursor};
use mainspring_lake::{Aggregate, Filter, LakeFault, MeasureOf, Order, Scan};
use serde::{Deserialize, Serialize};

use super::{
    Asking, TraceFilter,
    access::{hidden_of, seen},
    entry_only,
    traces::{self, Totals, TraceSummary},
};
use crate::{belonging::said_itself, fault::TraceFault, table::Rows};

/// Sessions that are looked at at once, at least and at most.
const LOOKED_AT: (usize, usize) = (200, 2_000);
/// In micros, how much time is looked at first, by how much it grows, and when everything before is looked at together.
const WINDOW_FIRST: i64 = 3_600_000_000;
const WINDOW_MIN: i64 = 1_000_000;
const WINDOW_GROWS: i64 = 4;
const WINDOW_WHOLE: i64 = 64 * 24 * 3_600_000_000;
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
    let start = after.map_or(Place::before(now.as_micros()), |AfterGroup(last, id, _)| Place { last, id: Some(id) });
    let mut groups = groups(asking, (by, filter), start, page.limit() + 1).await?;
    let more = groups.len() > page.limit();
    groups.truncate(page.limit());
    let next = groups.last().filter(|_| more).map(|(last, id)| cursor(&AfterGroup(*last, id.clone(), now.as_micros())));
    let found = gather(asking, by, groups.into_iter().map(|(_, id)| id).collect()).await?;
    Ok(Page { items: found.into_iter().map(|group| group.gathered).filter(|group| group.traces > 0).collect(), next })
}

/// A session, and before it when it was active last.
type Active = (i64, String);

/// A place in the order of sessions: one that was active last at this moment, or where none is named every one that was not
/// active later.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    last: i64,
    id: Option<String>,
}

impl Place {
    const fn before(moment: i64) -> Self {
        Self { last: moment, id: None }
    }

    /// Spans by which a session comes after it.
    fn after(&self, column: &str) -> Filter {
        let Some(id) = &self.id else { return Filter::LtEq("start".into(), self.last.into()) };
        let same = Filter::Eq("start".into(), self.last.into()).and(Filter::Gt(column.to_owned(), id.as_str().into()));
        Filter::Or(vec![Filter::Lt("start".into(), self.last.into()), same])
    }

    /// The other spans: a session that has one of them came before it, or is there.
    fn until(&self, column: &str) -> Filter {
        let later = Filter::Gt("start".into(), self.last.into());
        let Some(id) = &self.id else { return later };
        let same = Filter::Eq("start".into(), self.last.into()).and(Filter::LtEq(column.to_owned(), id.as_str().into()));
        Filter::Or(vec![later, same])
    }
}

/// So many sessions after a place, in order.
async fn groups(
    asking: Asking<'_>,
    (by, filter): (GatheredBy, &TraceFilter),
    place: Place,
    wanted: usize,
) -> Result<Vec<Active>, TraceFault> {
    let column = by.column();
    let among = naming(asking, by, filter).await?;
    // What lies between the place and now is read every time.
    let mut width = (asking.now.as_micros().saturating_sub(place.last) / WINDOW_GROWS).max(WINDOW_FIRST);
    loop {
        let whole = width > WINDOW_WHOLE;
        let begin = if whole { i64::MIN } else { place.last.saturating_sub(width) };
        let since = among.clone().and(Filter::GtEq("start".into(), begin.into()));
        match after_place(asking, column, since, (&place, wanted)).await {
            Ok(found) if whole || found.len() >= wanted => return Ok(found),
            Ok(_) => width = width.saturating_mul(WINDOW_GROWS),
            Err(TraceFault::Lake(LakeFault::QueryTooLarge { .. })) => {
                let limit = (wanted * 2).clamp(LOOKED_AT.0, LOOKED_AT.1);
                return windowed(asking, (column, &among), place, (wanted, limit)).await;
            }
            Err(fault) => return Err(fault),
        }
    }
}

/// The spans that pass and name a session.
async fn naming(asking: Asking<'_>, by: GatheredBy, filter: &TraceFilter) -> Result<Filter, TraceFault> {
    // What comes later does not change the order while somebody turns the pages.
    let among = filter
        .spans(asking.actor, asking.now)
        .and(Filter::present(by.column()))
        .and(Filter::LtEq("start".into(), asking.now.as_micros().into()));
    // Otherwise a name, or the cursor behind it, would tell what only a hidden trace says.
    seen(asking, among).await
}

/// Of the sessions of these spans the first after a place.
async fn after_place(
    asking: Asking<'_>,
    column: &str,
    among: Filter,
    (place, wanted): (&Place, usize),
) -> Result<Vec<Active>, TraceFault> {
    let question = Aggregate::of(among)
        .by(column)
        .measure("last", MeasureOf::Max("start".into()))
        .measure_of("before", MeasureOf::Rows, place.until(column))
        .order("before", Order::Ascending)
        .order("last", Order::Descending)
        .limit(wanted);
    let mut found = Vec::new();
    for batch in asking.table.aggregate(question).await?.batches {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            if rows.number("before", row)? == Some(0) {
                let id = rows.text(column, row)?.unwrap_or_default().to_owned();
                found.push((rows.number("last", row)?.unwrap_or_default(), id));
            }
        }
    }
    Ok(found)
}

/// What a list of sessions falls back to, from its beginning.
#[cfg(test)]
pub(crate) async fn in_windows(
    asking: Asking<'_>,
    (by, filter): (GatheredBy, &TraceFilter),
    most: (usize, usize),
) -> Result<Vec<String>, TraceFault> {
    let among = naming(asking, by, filter).await?;
    let found = windowed(asking, (by.column(), &among), Place::before(asking.now.as_micros()), most).await?;
    Ok(found.into_iter().map(|(_, id)| id).collect())
}

/// The same with no more sessions in memory than a window of time has. `limit`: of how many at once it is asked whether they
/// went on.
async fn windowed(
    asking: Asking<'_>,
    (column, among): (&str, &Filter),
    mut place: Place,
    (wanted, limit): (usize, usize),
) -> Result<Vec<Active>, TraceFault> {
    let mut found: Vec<Active> = Vec::new();
    let mut width = WINDOW_FIRST;
    loop {
        let whole = width > WINDOW_WHOLE;
        let begin = if whole { i64::MIN } else { place.last.saturating_sub(width) };
        let window = among.clone().and(Filter::GtEq("start".into(), begin.into())).and(place.after(column));
        let (looked_at, more) = match last_of_each(asking, column, window, limit).await {
            Ok(looked_at) => looked_at,
            Err(TraceFault::Lake(LakeFault::QueryTooLarge { .. })) if width > WINDOW_MIN => {
                width = (width / (WINDOW_GROWS * WINDOW_GROWS)).max(WINDOW_MIN);
                continue;
            }
            Err(fault) => return Err(fault),
        };
        let went_on = went_on(asking, column, among.clone().and(place.until(column)), &looked_at).await?;
        // Where more of the window are left, they come after the last of these.
        place = match looked_at.last().filter(|_| more) {
            Some((last, id)) => Place { last: *last, id: Some(id.clone()) },
            None => Place::before(begin.saturating_sub(1)),
        };
        let before = found.len();
        found.extend(looked_at.into_iter().filter(|(_, id)| !went_on.contains(id)));
        if found.len() >= wanted || (whole && !more) {
            found.truncate(wanted);
            return Ok(found);
        }
        if (found.len() - before) * 2 <= limit {
            width = width.saturating_mul(WINDOW_GROWS);
        }
    }
}

/// The sessions of these spans by when they were active last among them, the first so many; and whether there are more.
async fn last_of_each(asking: Asking<'_>, column: &str, window: Filter, limit: usize) -> Result<(Vec<Active>, bool), TraceFault> {
    let question = Aggregate::of(window).by(column).measure("last", MeasureOf::Max("start".into()));
    let grouped = asking.table.aggregate(question.order("last", Order::Descending).limit(limit)).await?;
    let mut found = Vec::new();
    for batch in &grouped.batches {
        let rows = Rows(batch);
        for row in 0..batch.num_rows() {
            let id = rows.text(column, row)?.unwrap_or_default().to_owned();
            found.push((rows.number("last", row)?.unwrap_or_default(), id));
        }
    }
    Ok((found, grouped.more))
}

/// Those of the sessions that have one of these spans: they were active later, and have had their place.
async fn went_on(asking: Asking<'_>, column: &str, later: Filter, sessions: &[Active]) -> Result<HashSet<String>, TraceFault> {
    let mut went_on = HashSet::new();
    if sessions.is_empty() {
        return Ok(went_on);
    }
    let among = later.and(Filter::any_of(column, sessions.iter().map(|(_, id)| id.as_str())));
    let question = Aggregate::of(among).by(column).measure("spans", MeasureOf::Rows).limit(sessions.len());
    for batch in asking.table.aggregate(question).await?.batches {
        for row in 0..batch.num_rows() {
            went_on.extend(Rows(&batch).text(column, row)?.map(str::to_owned));
        }
    }
    Ok(went_on)
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
    // Each of their traces has a span that says so.
    let among = asking.project().and(Filter::any_of(column, ids.iter().map(String::as_str))).and(said_itself(column));
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
