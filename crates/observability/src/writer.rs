//! Queue to spill to lake. Two workers, so that a slow lake does not keep spans from being stored.

mod bringing;
mod counters;
mod segments;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use arrow_array::RecordBatch;
use mainspring_kernel::Stop;
use mainspring_llm::Span;
use tokio::{sync::mpsc, time::Instant};

#[cfg(test)]
pub(crate) use bringing::Quiet;
pub(crate) use bringing::bring;
pub(crate) use counters::Counters;
use counters::advance;
pub(crate) use segments::{bring_all, count_vanished, sweep};

use crate::{
    compared::{Compared, Comparing},
    fault::{TraceFault, Trouble},
    room::{Place, Room},
    sampling::{Sampler, Sorted},
    settle::{self, Kept},
    spill::{Frames, Spill},
    table::Texts,
    tail::Board,
    values::Large,
};

/// Spans in one segment at most: two exports, as OpenTelemetry's exporters send them unless they are told otherwise.
pub(crate) const GROUP_MAX: usize = 2 * 512;
/// What makes a commit as large as it should be: so many spans, or spans that took so many bytes. Twice as many take no less of
/// the processor for a span, and whoever looks for the first waits twice as long.
pub(crate) const COMMIT_MAX: usize = 4_000;
const COMMIT_BYTES: usize = 10 << 20;
/// So little is brought at once before a process begins and before it ends.
pub(crate) const LITTLE: u64 = 32 << 20;
/// Segments follow each other no sooner than this, where nobody waits for one: each costs a sync of the disk.
const SPACING: Duration = Duration::from_millis(25);

/// A span in the queue.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) span: Span,
    /// Its sender may send it again: it is compared with the table before it is added.
    pub(crate) repeatable: bool,
    pub(crate) bytes: usize,
    pub(crate) _place: Place,
}

/// A stored group on its way to the lake.
#[derive(Debug)]
pub(crate) struct Stored {
    path: PathBuf,
    content: Content,
    /// What was cut out of the rows.
    large: Vec<Large>,
    /// As they were in the queue.
    bytes: usize,
    place: Place,
}

#[derive(Debug)]
enum Content {
    /// Rows of the table take a third of the memory of their spans.
    Rows(RecordBatch),
    /// They may be in the table already.
    Compared(Compared),
}

impl Stored {
    fn spans(&self) -> usize {
        match &self.content {
            Content::Rows(rows) => rows.num_rows(),
            Content::Compared(compared) => compared.spans.len(),
        }
    }
}

/// Where stored groups go: their room in memory, and the channel to the second worker.
#[derive(Debug, Clone)]
pub(crate) struct Onward {
    pub(crate) bring: Bring,
    pub(crate) room: Room,
    pub(crate) to: mpsc::Sender<Stored>,
    pub(crate) board: Board,
}

/// When stored spans are brought to the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bring {
    /// As they come, many together that come within this time: somebody may look for them.
    Within(Duration),
    /// When few come or much waits: nobody can look for them while this process has the lake.
    WhenQuiet,
}

impl Onward {
    /// Absent where the lake is behind or must wait: then the segment waits on disk and is found there.
    fn place(&self, bytes: usize) -> Option<Place> {
        let waits = self.bring == Bring::WhenQuiet || self.to.capacity() == 0;
        if waits { None } else { self.room.try_take(bytes) }
    }
}

/// The first worker: groups what is queued, and stores what the projects keep of it.
pub(crate) async fn store(
    mut queue: mpsc::Receiver<Queued>,
    onward: Onward,
    (spill, sampler, counters): (Arc<Spill>, Arc<Sampler>, Arc<Counters>),
    stop: Stop,
) {
    let mut group = Vec::new();
    let mut written_at: Option<Instant> = None;
    loop {
        tokio::select! {
            biased;
            taken = queue.recv_many(&mut group, GROUP_MAX) => if taken == 0 { return },
            () = stop.requested() => {
                // Whatever was recorded before the stop is stored before the end.
                queue.close();
                if queue.recv_many(&mut group, GROUP_MAX).await == 0 { return }
            }
        }
        if let Some(before) = written_at {
            gather(&mut queue, &mut group, before + SPACING, &stop).await;
        }
        written_at = Some(Instant::now());
        let (count, repeatable) = (group.len() as u64, is_awaited(&group));
        let (worker, sorter) = (Arc::clone(&spill), Arc::clone(&sampler));
        let (taken, onto) = (std::mem::take(&mut group), onward.clone());
        let written = tokio::task::spawn_blocking(move || {
            let bytes = taken.iter().map(|queued| queued.bytes).sum();
            let Sorted { keep, aside } = sorter.sort(taken, Instant::now())?;
            let segment = if keep.is_empty() { None } else { Some(write(&worker, keep, (bytes, repeatable), &onto)?) };
            Ok::<_, Trouble>((segment, aside))
        });
        let written = written.await;
        counters.announce(sampler.announced());
        counters.written.fetch_add(count, Ordering::SeqCst);
        match written {
            Ok(Ok((segment, aside))) => {
                counters.works_again();
                if let Some((path, stored)) = segment {
                    hand_on(&spill, &onward, (path, stored), repeatable);
                }
                advance(&counters.stored, count);
                counters.pass(aside);
            }
            Ok(Err(trouble)) => counters.lose(count, trouble),
            Err(error) => {
                tracing::error!(%error, "a group of spans could not be written: this is a defect");
                counters.lose(count, Trouble::Unwritable);
            }
        }
    }
}

/// What is not handed on waits on disk and is found there.
pub(crate) fn hand_on(spill: &Spill, onward: &Onward, (path, stored): (PathBuf, Option<Stored>), repeatable: bool) {
    if stored.is_none_or(|stored| onward.to.try_send(stored).is_err()) {
        spill.release(&path, repeatable);
    }
}

/// Writes a segment. What is handed on of it, where there is room, is made on the way: the spans themselves end here.
pub(crate) fn write(
    spill: &Spill,
    group: Vec<Span>,
    (bytes, repeatable): (usize, bool),
    onward: &Onward,
) -> Result<(PathBuf, Option<Stored>), Trouble> {
    let place = onward.place(bytes);
    let (mut frames, mut texts) = (Frames::with_room_for(group.len()), Texts::default());
    let mut rows = place.as_ref().map(|_| Comparing::with_room_for(group.len()));
    let (mut told, mut storing) = (onward.board.group(bytes), onward.board.storing());
    for span in group {
        // Who recorded it in this process does not repeat it.
        let is_new = !repeatable || storing.is_new(&span);
        if let Some(told) = told.as_mut().filter(|_| is_new) {
            told.push(&span);
        }
        let framed = texts.write(&span).and_then(|()| frames.push(&span, &texts));
        framed.map_err(|error| Trouble::of(&error))?;
        if let Some(rows) = &mut rows {
            rows.push(span, &mut texts).map_err(|error| Trouble::of(&error))?;
        }
    }
    let path = spill.write(&frames)?;
    storing.stored();
    onward.board.tell(told);
    let (content, large) = match rows.map(Comparing::finish) {
        Some(Ok((compared, large))) if repeatable => (Some(Content::Compared(compared)), large),
        Some(Ok((Compared { rows, .. }, large))) => (Some(Content::Rows(rows)), large),
        Some(Err(fault)) => {
            tracing::error!(%fault, "no rows could be made of spans: this is a defect");
            (None, Vec::new())
        }
        None => (None, Vec::new()),
    };
    let stored = content.zip(place).map(|(content, place)| Stored { path: path.clone(), content, large, bytes, place });
    Ok((path, stored))
}

/// Takes more spans for a moment, unless one is among them that somebody waits for.
async fn gather(queue: &mut mpsc::Receiver<Queued>, group: &mut Vec<Queued>, until: Instant, stop: &Stop) {
    while group.len() < GROUP_MAX && !is_awaited(group) && !stop.is_requested() {
        let room = GROUP_MAX - group.len();
        match tokio::time::timeout_at(until, queue.recv_many(group, room)).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

fn is_awaited(group: &[Queued]) -> bool {
    group.iter().any(|queued| queued.repeatable)
}

async fn commit(kept: &Kept, spill: &Spill, counters: &Counters, groups: Vec<Stored>) -> Result<(), TraceFault> {
    let (mut paths, mut rows, mut compared, mut places) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut cut = Vec::new();
    for Stored { path, content, large, place, .. } in groups {
        paths.push(path);
        places.push(place);
        cut.extend(large);
        match content {
            Content::Rows(batch) => rows.push(batch),
            Content::Compared(some) => compared.push(some),
        }
    }
    if let Err(fault) = add(kept, rows, compared, cut).await {
        // The segments are found on disk, where they are compared with the table first.
        paths.iter().for_each(|path| spill.release(path, true));
        drop(places);
        counters.brought(0);
        return Err(fault);
    }
    let brought = paths.iter().map(|path| spill.finish(path)).sum();
    // Whoever waits for room is woken when there is some.
    drop(places);
    counters.brought(brought);
    Ok(())
}

/// Adds spans that are read from the disk; `compare` says whether some may be there.
async fn add_spans(kept: &Kept, spans: Vec<Span>, compare: bool) -> Result<(), TraceFault> {
    if spans.is_empty() {
        return Ok(());
    }
    let made = tokio::task::spawn_blocking(move || Compared::of(spans)).await;
    let (compared, large) = made.map_err(|error| TraceFault::Unreadable { reason: error.to_string() })??;
    if compare {
        add(kept, Vec::new(), vec![compared], large).await
    } else {
        add(kept, vec![compared.rows], Vec::new(), large).await
    }
}

/// Adds rows, and those of others that are not there yet.
async fn add(kept: &Kept, rows: Vec<RecordBatch>, compared: Vec<Compared>, large: Vec<Large>) -> Result<(), TraceFault> {
    if rows.is_empty() && compared.is_empty() {
        return Ok(());
    }
    let compared_at = kept.orphans.as_ref().map(|orphans| orphans.now());
    let doubt = settle::doubtful(&rows, &compared)?;
    let traces = doubt.traces();
    let (present, beside) = (settle::present(kept, doubt).await?, settle::remembered(kept, &rows)?);
    // Thousands of spans keep a thread busy for longer than anyone's answer should wait.
    let settled = tokio::task::spawn_blocking(move || settle::settle(rows, compared, (present, beside), &traces)).await;
    let settled = settled.map_err(|error| TraceFault::Unreadable { reason: error.to_string() })??;
    if let Some(orphans) = &kept.orphans {
        orphans.adding(&settled.entered, &settled.relieved);
    }
    settle::stop_counting(kept, &settled.stop).await?;
    settle::relieve(kept, &settled.relieved).await?;
    let _named = kept.values.keep(&large).await?;
    let adding = kept.known.as_ref().map(|known| known.adding(settled.added));
    if !settled.add.is_empty() {
        kept.table.append_all(settled.add).await?;
    }
    if let Some(adding) = adding {
        adding.done();
    }
    if let Some(late) = &kept.late {
        late.wait(settled.late.into_iter(), settled.began);
    }
    if let Some((orphans, compared_at)) = kept.orphans.as_ref().zip(compared_at) {
        orphans.added(&settled.entered, compared_at);
        // They are looked at when nothing comes to them any longer, as those are that have no entry.
        orphans.wait(settled.beneath.into_iter());
    }
    kept.values.keep_again(&large).await
}
