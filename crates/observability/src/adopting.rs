//! Traces of which no entry was sent here.
//!
//! Who sends only some spans of a program, such as its calls of models, sends a top that names a parent which never comes, and
//! says of none that it is an entry. When nothing has come to such a trace for a while, the first of its topmost spans is
//! adopted: the trace is entered by it, as the table says, and the span stays as it was sent. Where an entry comes after all, the
//! row is relieved of that: by who brings the entry (`settle.rs`), or here, where it came at the same moment.
//!
//! Who adds rows remembers the traces that lack an entry (`waiting.rs`), so that the table is asked about few. What an earlier
//! process had not adopted yet is looked for among what began last. Which span is adopted depends on nothing but the spans,
//! so that two servers adopt the same.
//!
//! Of several servers over one lake, one may add an entry while another adopts. Then this holds:
//! - A row is written as it was read or not at all (`settle/rewriting.rs`): no usage begins to count again, and no mark is lost.
//! - Whoever adopts looks again when that is written. So what another server had added by then, or adopted, is seen, and a trace
//!   is entered by its own entries or by one span that is adopted.
//! - Whoever adds an entry afterwards relieves what was adopted, unless it had looked before. Then both are there, until the
//!   adopter looks once more (`waiting.rs`: ten minutes later, when nobody can be at that any longer), or a process that was
//!   started since, where the adopter died.

pub(crate) mod large;
mod waiting;

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use mainspring_kernel::{Fault as _, FaultKind, Stop, Timestamp, fault::chain};
use mainspring_lake::{Filter, Order, Scalar, Scan, Table};
use mainspring_llm::{Span, SpanId};
use tokio::sync::MutexGuard;

pub(crate) use waiting::Orphans;

use crate::{
    conventions::{SpanType, counted::Id},
    errand::Ended,
    fault::TraceFault,
    sampling::Key,
    settle::{self, Kept},
    table::{ADOPTED, Rows},
    tail::Board,
};

/// Traces that are looked at together: whoever else rewrites rows waits for no more.
const AT_ONCE: usize = 256;
/// Spans of theirs that are in memory at once. A trace that has more is read in pieces (`large.rs`).
const SPANS_MAX: usize = 200_000;
/// Traces of which another server brought something are looked at again, so often at once; what is left waits.
const ROUNDS: usize = 3;
/// How often to look: so few commits are made, and a trace waits for little more than it should.
const LOOKS: u32 = 6;
const LOOK_EVERY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
/// In micros: how far before the newest span an earlier process may have left traces, and how far a clock may go before ours.
const BACK: i64 = 3_600_000_000;
const AHEAD: i64 = 60_000_000;
/// Rows that are looked at for that. Where more began within the time, it is shortened, down to this.
const BACK_ROWS: usize = 200_000;
const BACK_LEAST: i64 = 60_000_000;

/// Looks after traces until the server stops.
pub(crate) async fn look_after(kept: Kept, board: Board, after: Duration, stop: Stop) {
    let (least, most) = LOOK_EVERY;
    let every = (after / LOOKS).clamp(least, most);
    while stop.sleep(every).await {
        if let Err(fault) = Box::pin(look(&kept, &board, after, &stop)).await {
            tracing::debug!(cause = %chain(&fault), "traces without an entry are looked at later");
        }
    }
}

/// Adopts a span of each trace that has no entry and to which nothing has come for so long.
pub(crate) async fn look(kept: &Kept, board: &Board, after: Duration, stop: &Stop) -> Result<(), TraceFault> {
    let Some(orphans) = &kept.orphans else { return Ok(()) };
    let old = orphans.forget_old();
    if kept.known.is_none() {
        look_once_more(kept, orphans, &old, stop).await?;
    }
    if orphans.take_missed() {
        match look_back(kept.table.as_ref(), orphans.now()).await {
            Ok(found) => orphans.wait(found.into_keys()),
            Err(fault) => {
                orphans.miss();
                return Err(fault);
            }
        }
    }
    while !stop.is_requested() {
        // From before they are taken: who erases forgets what waits here, and waits for what is looked at.
        let turn = kept.turn().await;
        let some = orphans.take(after, AT_ONCE);
        if some.is_empty() {
            break;
        }
        let outcome = adopt(kept, &some, &turn).await;
        drop(turn);
        match outcome {
            Ok(adopted) => {
                // What they are beneath may have come to another server just before, with whose they are.
                if kept.known.is_none()
                    && let Some(late) = &kept.late
                {
                    late.wait(some.iter().copied(), Some(orphans.now().as_micros().saturating_sub(BACK)));
                }
                let keys: HashSet<Key> = adopted.iter().map(|span| (span.project, span.trace)).collect();
                orphans.leave(some.into_iter().filter(|key| !keys.contains(key)));
                board.tell_adopted(&adopted);
            }
            // Another server was quicker, or the lake is away.
            Err(fault) if fault.kind() == FaultKind::Unavailable => {
                orphans.put_back(some);
                return Err(fault);
            }
            Err(fault) => {
                tracing::warn!(cause = %chain(&fault), "traces without an entry stay so for now");
                orphans.put_off(some);
            }
        }
    }
    Ok(())
}

/// An entry may have been added by who had looked before these were adopted.
async fn look_once_more(kept: &Kept, orphans: &Orphans, old: &[Key], stop: &Stop) -> Result<(), TraceFault> {
    for (number, some) in old.chunks(AT_ONCE).enumerate() {
        let entered = if stop.is_requested() { Ok(Entered::default()) } else { entered(kept.table.as_ref(), some).await };
        match entered {
            Ok(entered) => orphans.put_back(some.iter().filter(|key| entered.is_doubled(key)).copied().collect()),
            Err(fault) => {
                orphans.put_back(old.iter().skip(number * AT_ONCE).copied().collect());
                return Err(fault);
            }
        }
    }
    Ok(())
}

/// The same where nobody remembers what was added: of the traces that began last, those that had ended by then.
pub(crate) async fn adopt_quiet(kept: &Kept, before: Timestamp, stop: &Stop) -> Result<Ended, TraceFault> {
    let found = look_back(kept.table.as_ref(), before).await?;
    let quiet: Vec<Key> = found.into_iter().filter(|(_, end)| *end <= before.as_micros()).map(|(key, _)| key).collect();
    for some in quiet.chunks(AT_ONCE) {
        if stop.is_requested() {
            return Ok(Ended::Stopped);
        }
        let turn = kept.turn().await;
        adopt(kept, some, &turn).await?;
    }
    Ok(Ended::Done)
}

/// Answers the spans by which traces are entered from now on. What is read here is written again by nobody else of this process
/// before it is written here: whoever calls this has the turn.
async fn adopt(kept: &Kept, traces: &[Key], _turn: &MutexGuard<'_, ()>) -> Result<Vec<Span>, TraceFault> {
    let mut adopted: Vec<Span> = Vec::new();
    let mut again = traces.to_vec();
    for _ in 0..ROUNDS {
        let (more, relieved) = adopt_once(kept, &again).await?;
        adopted.retain(|span| !relieved.contains(&(span.project, span.trace, span.span)));
        let changed: HashSet<Key> = more.iter().map(|span| (span.project, span.trace)).collect();
        adopted.extend(more);
        // Where nobody else adds to the table, entries that come meanwhile are remembered.
        if kept.known.is_some() || changed.is_empty() {
            break;
        }
        again = changed.into_iter().collect();
        let entered = entered(kept.table.as_ref(), &again).await?;
        again.retain(|key| entered.is_doubled(key));
        if again.is_empty() {
            break;
        }
    }
    Ok(adopted)
}

/// Answers the spans by which traces are entered from now on, and those by which they no longer are.
async fn adopt_once(kept: &Kept, traces: &[Key]) -> Result<(Vec<Span>, HashSet<Id>), TraceFault> {
    let table = kept.table.as_ref();
    let (mut adopted, mut relieved) = (Vec::new(), HashSet::new());
    // Where nobody else adds to the table, entries that came are known here: few of these have one.
    let mut parts = vec![if kept.known.is_some() { traces.to_vec() } else { unsettled(table, traces).await? }];
    while let Some(part) = parts.pop() {
        if part.is_empty() {
            continue;
        }
        let mut spans = spans_of(table, &part).await?;
        let changes = match part.as_slice() {
            _ if spans.len() < SPANS_MAX => {
                // A trace may go through two projects, and in the other something may have come just now.
                let wanted: HashSet<Key> = part.iter().copied().collect();
                spans.retain(|seen| wanted.contains(&(seen.id.0, seen.id.1)));
                changes(&spans)
            }
            [one] => {
                drop(spans);
                large::changes(table, *one, (large::PAGE, SPANS_MAX)).await?
            }
            several => {
                let (some, others) = several.split_at(several.len() / 2);
                parts.extend([some.to_vec(), others.to_vec()]);
                continue;
            }
        };
        adopted.extend(settle::mark(kept, &changes).await?);
        relieved.extend(changes.into_iter().filter(|(_, adopted)| !adopted).map(|(id, _)| id));
    }
    Ok((adopted, relieved))
}

pub(crate) fn of(traces: &[Key]) -> Filter {
    let ids: HashSet<String> = traces.iter().map(|(_, trace)| trace.to_string()).collect();
    Filter::any_of("trace", ids)
}

/// By what traces are entered.
#[derive(Debug, Default)]
struct Entered {
    /// By entries of their own.
    begun: HashSet<Key>,
    /// By spans that were adopted, by so many.
    adopted: HashMap<Key, usize>,
}

impl Entered {
    fn take(&mut self, key: Key, adopted: bool) {
        if adopted {
            *self.adopted.entry(key).or_default() += 1;
        } else {
            self.begun.insert(key);
        }
    }

    /// By an entry, or a span that was adopted.
    fn is_entered(&self, key: &Key) -> bool {
        self.begun.contains(key) || self.adopted.contains_key(key)
    }

    /// By a span that was adopted, and by another one.
    fn is_doubled(&self, key: &Key) -> bool {
        self.adopted.get(key).is_some_and(|adopted| *adopted > 1 || self.begun.contains(key))
    }
}

async fn entered(table: &dyn Table, traces: &[Key]) -> Result<Entered, TraceFault> {
    let mut entered = Entered::default();
    let entries = of(traces).and(Filter::Eq("entry".into(), Scalar::Bool(true)));
    for batch in table.scan(Scan::of(entries).columns(&["project", "trace", "span", ADOPTED])).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let Some((project, trace, _)) = readable(rows.id(row)) else { continue };
            entered.take((project, trace), rows.yes(ADOPTED, row)? == Some(true));
        }
    }
    Ok(entered)
}

/// These traces without those that are entered by entries of their own only.
async fn unsettled(table: &dyn Table, traces: &[Key]) -> Result<Vec<Key>, TraceFault> {
    let Entered { begun, adopted } = entered(table, traces).await?;
    Ok(traces.iter().filter(|key| !begun.contains(*key) || adopted.contains_key(*key)).copied().collect())
}

/// What is read of a row that cannot be read says nothing; the others are looked at without it.
pub(crate) fn readable<T>(read: Result<T, TraceFault>) -> Option<T> {
    read.map_err(|fault| tracing::debug!(%fault, "a span of the table is passed over")).ok()
}

/// A span, as far as entering its trace goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    id: Id,
    parent: Option<SpanId>,
    start: i64,
    /// It only happened, as a log record did: nobody enters a trace by it.
    is_event: bool,
    entry: bool,
    adopted: bool,
}

async fn spans_of(table: &dyn Table, traces: &[Key]) -> Result<Vec<Seen>, TraceFault> {
    let columns = ["project", "trace", "span", "parent", "start", "type", "entry", ADOPTED];
    let scan = Scan::of(of(traces)).columns(&columns).order("start", Order::Ascending).limit(SPANS_MAX);
    let mut spans = Vec::new();
    for batch in table.scan(scan).await? {
        let rows = Rows(&batch);
        spans.extend((0..batch.num_rows()).filter_map(|row| readable(seen(&rows, row))));
    }
    Ok(spans)
}

fn seen(rows: &Rows<'_>, row: usize) -> Result<Seen, TraceFault> {
    let parent = rows.text("parent", row)?.map(str::parse::<SpanId>).transpose();
    Ok(Seen {
        id: rows.id(row)?,
        parent: parent.map_err(|_| TraceFault::Unreadable { reason: "`parent` of a span".into() })?,
        start: rows.number("start", row)?.unwrap_or_default(),
        is_event: rows.text("type", row)? == Some(SpanType::Event.as_str()),
        entry: rows.yes("entry", row)? == Some(true),
        adopted: rows.yes(ADOPTED, row)? == Some(true),
    })
}

/// Which rows are to be written otherwise, so that each trace is entered by entries of its own, or else by the one that is
/// adopted.
fn changes(spans: &[Seen]) -> Vec<(Id, bool)> {
    let mut by_trace: HashMap<Key, Vec<&Seen>> = HashMap::new();
    for seen in spans {
        by_trace.entry((seen.id.0, seen.id.1)).or_default().push(seen);
    }
    let mut changes = Vec::new();
    for spans in by_trace.values() {
        let begun = spans.iter().any(|seen| seen.entry && !seen.adopted);
        let first = if begun { None } else { first(spans) };
        let changed = spans.iter().filter(|seen| seen.adopted != (first == Some(seen.id)));
        changes.extend(changed.map(|seen| (seen.id, !seen.adopted)));
    }
    changes
}

/// The span that began first of those whose parent is not here.
fn first(spans: &[&Seen]) -> Option<Id> {
    let here: HashSet<SpanId> = spans.iter().map(|seen| seen.id.2).collect();
    let is_top = |seen: &Seen| seen.parent.is_none_or(|parent| parent == seen.id.2 || !here.contains(&parent));
    let earliest = |tops: bool| {
        let some = spans.iter().filter(|seen| !seen.is_event && (!tops || is_top(seen)));
        some.min_by_key(|seen| (seen.start, seen.id.2)).map(|seen| seen.id)
    };
    // A trace that goes in a circle has no top.
    earliest(true).or_else(|| earliest(false))
}

/// Rows of the last hour, or of less where these are too many; none where there are no rows. The hour ends with what began last: a
/// server may have been away for longer.
pub(crate) async fn lately(table: &dyn Table, now: Timestamp) -> Result<Option<Filter>, TraceFault> {
    let until = Filter::LtEq("start".into(), now.as_micros().saturating_add(AHEAD).into());
    let last = Scan::of(until.clone()).columns(&["start"]).order("start", Order::Descending).limit(1);
    let mut newest = None;
    for batch in table.scan(last).await?.iter().filter(|batch| batch.num_rows() > 0) {
        newest = newest.max(Rows(batch).number("start", 0)?);
    }
    let Some(newest) = newest else { return Ok(None) };
    let since = |back: i64| Filter::GtEq("start".into(), newest.saturating_sub(back).into()).and(until.clone());
    let mut back = BACK;
    while back > BACK_LEAST && table.count(since(back)).await? > BACK_ROWS as u64 {
        back = (back / 4).max(BACK_LEAST);
    }
    Ok(Some(since(back)))
}

/// Traces of these rows that have no entry among them, or one beside what was adopted, and when the last of their spans ended.
async fn look_back(table: &dyn Table, now: Timestamp) -> Result<HashMap<Key, i64>, TraceFault> {
    let Some(since) = lately(table, now).await? else { return Ok(HashMap::new()) };
    let columns = ["project", "trace", "span", "start", "duration", "type", "entry", ADOPTED];
    let newest_first = Scan::of(since).columns(&columns).order("start", Order::Descending).limit(BACK_ROWS);
    let (mut ends, mut entered) = (HashMap::new(), Entered::default());
    for batch in table.scan(newest_first).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let Some((project, trace, _)) = readable(rows.id(row)) else { continue };
            let (entry, adopted) = (rows.yes("entry", row)? == Some(true), rows.yes(ADOPTED, row)? == Some(true));
            if entry {
                entered.take((project, trace), adopted);
            }
            if (!entry || adopted) && rows.text("type", row)? != Some(SpanType::Event.as_str()) {
                let start = rows.number("start", row)?.unwrap_or_default();
                let end = start.saturating_add(rows.number("duration", row)?.unwrap_or_default());
                let known = ends.entry((project, trace)).or_insert(end);
                *known = end.max(*known);
            }
        }
    }
    ends.retain(|key, _| !entered.is_entered(key) || entered.is_doubled(key));
    Ok(ends)
}

#[cfg(test)]
mod tests {
    use mainspring_kernel::id::ProjectId;
    use mainspring_llm::TraceId;
    use proptest::prelude::*;

    use super::*;

    fn span(number: u8) -> SpanId {
        SpanId::from_slice(&[number; 8]).unwrap()
    }

    /// A span of a trace of a project, with the number of its parent and when it began.
    fn seen((project, trace): (u128, u8), number: u8, parent: Option<u8>, start: i64) -> Seen {
        let id = (ProjectId::from_raw(project), TraceId::from_slice(&[trace; 16]).unwrap(), span(number));
        Seen { id, parent: parent.map(span), start, is_event: false, entry: false, adopted: false }
    }

    /// By trace and span.
    fn changed(spans: &[Seen]) -> Vec<(u128, u8, u8, bool)> {
        let mut changed: Vec<_> = changes(spans)
            .into_iter()
            .map(|((project, trace, span), adopted)| (project.as_raw(), trace.as_bytes()[0], span.as_bytes()[0], adopted))
            .collect();
        changed.sort_unstable();
        changed
    }

    #[test]
    fn the_earliest_of_the_topmost_spans_is_adopted() {
        let of = (7, 1);
        // The second began first and lies beneath the third; above the first and the third is nothing that was sent.
        let spans = [seen(of, 1, Some(9), 30), seen(of, 2, Some(3), 10), seen(of, 3, Some(8), 20)];
        assert_eq!(changed(&spans), [(7, 1, 3, true)]);
        let together = [seen(of, 5, Some(9), 30), seen(of, 4, Some(9), 30)];
        assert_eq!(changed(&together), [(7, 1, 4, true)]);
        let circle = [seen(of, 1, Some(2), 30), seen(of, 2, Some(1), 40)];
        assert_eq!(changed(&circle), [(7, 1, 1, true)]);
        assert_eq!(changed(&[seen(of, 1, Some(1), 30)]), [(7, 1, 1, true)], "above itself");
    }

    #[test]
    fn what_only_happened_is_never_adopted() {
        let record = |start| Seen { is_event: true, ..seen((7, 1), 1, Some(9), start) };
        assert_eq!(changed(&[record(10), seen((7, 1), 2, Some(9), 20)]), [(7, 1, 2, true)]);
        assert!(changed(&[record(10)]).is_empty());
    }

    #[test]
    fn traces_of_two_projects_and_spans_of_two_traces_are_kept_apart() {
        // A program that numbers its spans, and a trace that goes through two projects.
        let mut spans = vec![seen((7, 1), 1, Some(9), 10), seen((7, 2), 1, Some(2), 10), seen((7, 2), 2, Some(9), 5)];
        spans.push(Seen { entry: true, ..seen((8, 1), 9, None, 1) });
        assert_eq!(changed(&spans), [(7, 1, 1, true), (7, 2, 2, true)]);
    }

    #[test]
    fn an_entry_relieves_what_was_adopted_and_an_earlier_top_takes_its_place() {
        let of = (7, 1);
        let adopted = Seen { entry: true, adopted: true, ..seen(of, 2, Some(9), 20) };
        assert!(changed(&[adopted, seen(of, 3, Some(2), 21)]).is_empty(), "it stays");
        let entry = Seen { entry: true, ..seen(of, 9, None, 10) };
        assert_eq!(changed(&[adopted, entry]), [(7, 1, 2, false)]);
        assert_eq!(changed(&[adopted, seen(of, 1, Some(9), 10)]), [(7, 1, 1, true), (7, 1, 2, false)]);
    }

    proptest! {
        /// Whoever adopted what, in whatever order the spans are read: it comes to the same one.
        #[test]
        fn every_server_adopts_the_same(
            shape in prop::collection::vec((prop::option::of(1_u8..12), 0_i64..4, any::<bool>()), 1..10),
            turn in any::<prop::sample::Index>(),
        ) {
            let made = |adopts: bool| -> Vec<Seen> {
                let numbered = shape.iter().zip(1_u8..);
                numbered.map(|((parent, start, adopted), number)| {
                    let adopted = *adopted && adopts;
                    Seen { entry: adopted, adopted, ..seen((7, 1), number, *parent, *start) }
                }).collect()
            };
            let settled = |mut spans: Vec<Seen>| -> Vec<Id> {
                for (id, adopted) in changes(&spans) {
                    spans.iter_mut().filter(|seen| seen.id == id).for_each(|seen| (seen.entry, seen.adopted) = (adopted, adopted));
                }
                assert!(changes(&spans).is_empty(), "it is settled");
                spans.iter().filter(|seen| seen.entry).map(|seen| seen.id).collect()
            };
            let mut turned = made(true);
            turned.rotate_left(turn.index(shape.len()));
            let (fresh, again) = (settled(made(false)), settled(turned));
            prop_assert_eq!(fresh.len(), 1);
            prop_assert_eq!(fresh, again);
        }
    }
}
