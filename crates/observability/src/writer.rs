//! Queue to spill to lake. Two workers, so that a slow lake does not keep spans from being stored.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arrow_array::RecordBatch;
use mainspring_kernel::{Fault, FaultKind, Stop};
use mainspring_llm::Span;
use mainspring_telemetry::Metrics;
use tokio::{
    sync::{Notify, mpsc, watch},
    time::Instant,
};

use crate::{
    conventions::{Facts, counted::Id},
    errand::{self, Elsewhere},
    fault::{TraceFault, Trouble},
    room::{Place, Room, weight},
    sampling::{Sampler, Sorted},
    searched::Searched,
    settle::{self, Kept},
    spill::{self, Frames, Segment, Spill},
    table::{Making, Texts},
    tail::Board,
    values::{self, Large},
};

/// Spans in one segment at most.
const GROUP_MAX: usize = 1_000;
/// What makes a commit as large as it should be: so many spans, or spans that took so many bytes.
const COMMIT_MAX: usize = 8_000;
const COMMIT_BYTES: usize = 20 << 20;
/// Spans that are read from the disk for one commit.
const BUNDLE_MAX: usize = 4_000;
const RETRY: Duration = Duration::from_secs(2);
/// It is quiet when no more than so many spans came between two looks, so many times in a row: half a minute.
const QUIET_SPANS: u64 = 1_000;
const QUIET_LOOKS: u32 = 15;
/// The share of the disk that may be waited for quiet in.
const LET_WAIT: u64 = 4;
/// So little is brought at once before a process begins and before it ends.
pub(crate) const LITTLE: u64 = 32 << 20;
/// Segments follow each other no sooner than this, where nobody waits for one: each costs a sync of the disk.
const SPACING: Duration = Duration::from_millis(25);

/// Errors of the operating system that say nothing about a file: interrupted, no memory, too many open files.
const PASSING: [i32; 4] = [4, 12, 23, 24];

/// Why spans were dropped, as the metric says it.
const REASONS: [&str; 5] = ["queue_full", "spill_limit", "disk_full", "unwritable", "removed"];

/// How far spans have come, by count since start.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) recorded: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) stored: watch::Sender<u64>,
    pub(crate) queryable: watch::Sender<u64>,
    /// Spans that are on the disk, whoever knows it already.
    written: AtomicU64,
    /// Spans that will not come to the lake, and count as queryable once everything stored before them is.
    aside: AtomicU64,
    pub(crate) lake_down: watch::Sender<bool>,
    pub(crate) trouble: watch::Sender<Option<Trouble>>,
    /// Somebody waits for spans that wait for quiet.
    pub(crate) asked: Notify,
    metrics: Metrics,
}

impl Counters {
    pub(crate) fn new(metrics: Metrics) -> Self {
        let counters = Self {
            recorded: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            stored: watch::Sender::new(0),
            queryable: watch::Sender::new(0),
            written: AtomicU64::new(0),
            aside: AtomicU64::new(0),
            lake_down: watch::Sender::new(false),
            trouble: watch::Sender::new(None),
            asked: Notify::new(),
            metrics,
        };
        // A series that is there from the start can be watched for its first increase.
        REASONS.iter().for_each(|reason| counters.count_dropped(0, reason));
        counters
    }

    pub(crate) fn count_dropped(&self, spans: u64, reason: &str) {
        self.dropped.fetch_add(spans, Ordering::SeqCst);
        #[expect(clippy::cast_precision_loss, reason = "counters are floats by format")]
        let by = spans as f64;
        self.metrics.add("mainspring_spans_dropped_total", "Spans that were not stored, by reason.", &[("reason", reason)], by);
    }

    /// Spans that will never be stored; nobody waits for them any longer.
    fn lose(&self, spans: u64, trouble: Trouble) {
        let began = self.trouble.send_if_modified(|now| now.replace(trouble) != Some(trouble));
        if began {
            tracing::error!(spans, "spans are lost: {trouble}");
        }
        self.count_dropped(spans, trouble.word());
        advance(&self.stored, spans);
        self.brought(spans);
    }

    /// Spans that were held and are on their way to the lake: readers wait for them.
    pub(crate) fn announce(&self, spans: u64) {
        self.recorded.fetch_add(spans, Ordering::SeqCst);
        self.written.fetch_add(spans, Ordering::SeqCst);
        advance(&self.stored, spans);
    }

    /// Spans that were stored and will not come to the lake: nobody waits for them, but for those before them.
    pub(crate) fn pass(&self, spans: u64) {
        self.aside.fetch_add(spans, Ordering::SeqCst);
        self.brought(0);
    }

    /// Spans that can be found.
    pub(crate) fn brought(&self, spans: u64) {
        self.queryable.send_modify(|count| {
            *count += spans;
            let aside = self.aside.load(Ordering::SeqCst);
            if aside > 0 && *count + aside >= self.written.load(Ordering::SeqCst) {
                *count += aside;
                self.aside.fetch_sub(aside, Ordering::SeqCst);
            }
        });
    }

    fn works_again(&self) {
        self.trouble.send_if_modified(|trouble| trouble.take().is_some());
    }
}

fn advance(counter: &watch::Sender<u64>, by: u64) {
    counter.send_modify(|count| *count += by);
}

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
    /// They may be in the table already, and are compared with it first.
    Spans(Vec<Span>),
}

impl Stored {
    fn spans(&self) -> usize {
        match &self.content {
            Content::Rows(rows) => rows.num_rows(),
            Content::Spans(spans) => spans.len(),
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
    let mut rows = place.as_ref().filter(|_| !repeatable).map(|_| Making::with_room_for(group.len()));
    let (mut kept, mut large, mut told) = (Vec::new(), Vec::new(), onward.board.group(bytes));
    for mut span in group {
        if let Some(told) = &mut told {
            told.push(&span);
        }
        let framed = texts.write(&span).map_err(std::io::Error::other).and_then(|()| frames.push(&span, &texts));
        framed.map_err(|error| Trouble::of(&error))?;
        if let Some(rows) = &mut rows {
            let searched = Searched::of(&span);
            let cut = values::cut(&mut span);
            if !cut.is_empty() {
                texts.write(&span).map_err(|error| Trouble::of(&std::io::Error::other(error)))?;
                large.extend(cut);
            }
            rows.push(&span, &texts, &Facts::of(&span), &searched);
        }
        if repeatable && place.is_some() {
            kept.push(span);
        }
    }
    let path = spill.write(&frames)?;
    onward.board.tell(told);
    let content = match rows.map(Making::finish) {
        Some(Ok(rows)) => Some(Content::Rows(rows)),
        Some(Err(fault)) => {
            tracing::error!(%fault, "no rows could be made of spans: this is a defect");
            None
        }
        None => Some(Content::Spans(kept)),
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

/// The second worker: brings stored groups into the table, and now and then whatever waits on disk.
pub(crate) async fn bring(
    mut inbox: mpsc::Receiver<Stored>,
    kept: Kept,
    (spill, counters, bring): (Arc<Spill>, Arc<Counters>, Bring),
    elsewhere: Option<Arc<dyn Elsewhere>>,
    stop: Stop,
) {
    let mut ended = false;
    let mut look_at = Instant::now() + RETRY;
    let mut quiet = Quiet::default();
    while !ended {
        let (mut groups, mut asked) = (Vec::new(), false);
        tokio::select! {
            biased;
            first = inbox.recv() => match (first, bring) {
                (Some(first), Bring::Within(linger)) => {
                    groups.push(first);
                    ended = gather_groups(&mut inbox, &mut groups, linger, &stop).await;
                }
                (Some(first), Bring::WhenQuiet) => groups.push(first),
                (None, _) => ended = true,
            },
            () = counters.asked.notified(), if bring == Bring::WhenQuiet => asked = true,
            () = tokio::time::sleep_until(look_at) => {}
        }
        let mut outcome = commit(&kept, &spill, &counters, groups).await;
        // On a busy server there is no pause to wait for.
        if outcome.is_ok() && (ended || asked || Instant::now() >= look_at) {
            let due = match bring {
                Bring::Within(_) => true,
                Bring::WhenQuiet if ended => spill.bytes() <= LITTLE,
                Bring::WhenQuiet => asked || quiet.has_come(&counters, &spill),
            };
            if due {
                let waited = spill.bytes() > 0;
                outcome = match &elsewhere {
                    Some(elsewhere) => errand::send(elsewhere.as_ref(), &spill, &counters).await,
                    None => sweep(&kept, &spill, &counters).await,
                };
                // A gateway runs the code of the lake at no other time.
                if waited && bring == Bring::WhenQuiet {
                    mainspring_telemetry::let_go_of_code();
                }
            }
            look_at = Instant::now() + RETRY;
            if counters.trouble.borrow().is_some() && spill.has_room() {
                counters.works_again();
            }
        }
        match outcome {
            Ok(()) => {
                counters.lake_down.send_if_modified(std::mem::take);
            }
            Err(fault) => {
                tracing::warn!(cause = %mainspring_kernel::fault::chain(&fault), "spans wait on disk: the lake did not take them");
                counters.lake_down.send_replace(true);
                if !stop.sleep(RETRY).await {
                    return;
                }
            }
        }
    }
}

/// Whether what waits is to be brought now.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    recorded: u64,
    looks: u32,
}

impl Quiet {
    pub(crate) fn has_come(&mut self, counters: &Counters, spill: &Spill) -> bool {
        let recorded = counters.recorded.load(Ordering::Relaxed);
        let more = recorded.saturating_sub(std::mem::replace(&mut self.recorded, recorded));
        self.looks = if more <= QUIET_SPANS { self.looks.saturating_add(1) } else { 0 };
        spill.bytes() > 0 && (self.looks >= QUIET_LOOKS || spill.bytes() >= spill.limit() / LET_WAIT)
    }
}

/// Takes more groups for a moment; answers whether the channel has ended.
async fn gather_groups(inbox: &mut mpsc::Receiver<Stored>, groups: &mut Vec<Stored>, linger: Duration, stop: &Stop) -> bool {
    let until = Instant::now() + linger;
    loop {
        let (spans, bytes) = groups.iter().fold((0, 0), |(spans, bytes), group| (spans + group.spans(), bytes + group.bytes));
        if spans >= COMMIT_MAX || bytes >= COMMIT_BYTES {
            return false;
        }
        let more = tokio::select! {
            biased;
            more = inbox.recv() => more,
            () = stop.requested() => match inbox.try_recv() {
                Ok(more) => Some(more),
                Err(mpsc::error::TryRecvError::Empty) => return false,
                Err(mpsc::error::TryRecvError::Disconnected) => None,
            },
            () = tokio::time::sleep_until(until) => return false,
        };
        match more {
            Some(group) => groups.push(group),
            None => return true,
        }
    }
}

async fn commit(kept: &Kept, spill: &Spill, counters: &Counters, groups: Vec<Stored>) -> Result<(), TraceFault> {
    let (mut paths, mut rows, mut spans, mut places) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut cut = Vec::new();
    for Stored { path, content, large, place, .. } in groups {
        paths.push(path);
        places.push(place);
        cut.extend(large);
        match content {
            Content::Rows(batch) => rows.push(batch),
            Content::Spans(more) => spans.extend(more),
        }
    }
    if let Err(fault) = add(kept, (rows, cut), spans, true).await {
        // The segments are found on disk, where they are compared with the table first.
        paths.iter().for_each(|path| spill.release(path, true));
        return Err(fault);
    }
    let brought = paths.iter().map(|path| spill.finish(path)).sum();
    counters.brought(brought);
    Ok(())
}

/// Adds rows, and those of spans that are not there yet; `compare` says whether some may be.
async fn add(
    kept: &Kept,
    (rows, mut large): (Vec<RecordBatch>, Vec<Large>),
    mut spans: Vec<Span>,
    compare: bool,
) -> Result<(), TraceFault> {
    if rows.is_empty() && spans.is_empty() {
        return Ok(());
    }
    let mut searched = HashMap::new();
    if !spans.is_empty() {
        let cutting = tokio::task::spawn_blocking(move || {
            let (mut cut, mut words) = (Vec::new(), HashMap::new());
            spans.iter_mut().for_each(|span| cut.extend(without_large(span, &mut words)));
            (spans, cut, words)
        });
        let (rest, cut, words) = cutting.await.map_err(|error| TraceFault::Unreadable { reason: error.to_string() })?;
        (spans, searched) = (rest, words);
        large.extend(cut);
    }
    let doubt = settle::doubtful(&rows, &spans, compare)?;
    let traces = doubt.traces();
    let present = settle::present(kept.table.as_ref(), doubt).await?;
    // Thousands of spans keep a thread busy for longer than anyone's answer should wait.
    let settled = tokio::task::spawn_blocking(move || settle::settle(rows, (&spans, &searched), present, traces)).await;
    let settled = settled.map_err(|error| TraceFault::Unreadable { reason: error.to_string() })??;
    settle::stop_counting(kept, &settled.stop).await?;
    let _named = kept.values.keep(&large).await?;
    if !settled.add.is_empty() {
        kept.table.append_all(settled.add).await?;
    }
    kept.values.keep_again(&large).await
}

/// Takes the large values out of a span. What they say is searched all the same, so it is read before.
fn without_large(span: &mut Span, words: &mut HashMap<Id, Searched>) -> Vec<Large> {
    let searched = (weight(span) > values::LARGE).then(|| Searched::of(span));
    let cut = values::cut(span);
    if !cut.is_empty() {
        words.extend(searched.map(|searched| ((span.project, span.trace, span.span), searched)));
    }
    cut
}

/// Brings segments that are on disk, leaving out spans that are in the table already. One that
/// cannot be brought does not keep the others.
pub(crate) async fn sweep(kept: &Kept, spill: &Arc<Spill>, counters: &Counters) -> Result<(), TraceFault> {
    count_vanished(spill, counters);
    let segments = spill.segments().map_err(|source| TraceFault::Spill { path: "segments".into(), source })?;
    bring_all(kept, spill, counters, segments).await
}

/// Segments that this process wrote and did not remove.
pub(crate) fn count_vanished(spill: &Spill, counters: &Counters) {
    let vanished = spill.vanished();
    if vanished > 0 {
        tracing::error!(spans = vanished, "segments of spans were removed by somebody else");
        counters.count_dropped(vanished, "removed");
        counters.brought(vanished);
    }
}

/// Brings segments, several with a commit.
pub(crate) async fn bring_all(
    kept: &Kept,
    spill: &Arc<Spill>,
    counters: &Counters,
    segments: Vec<PathBuf>,
) -> Result<(), TraceFault> {
    let mut segments: Arc<[PathBuf]> = segments.into();
    let mut first = Ok(());
    while !segments.is_empty() {
        let reading = Arc::clone(&segments);
        let read = tokio::task::spawn_blocking(move || bundle(&reading)).await;
        let (count, spans) = read.unwrap_or_default();
        let bundled = count > 1 && bring_bundle(kept, spill, counters, &segments[..count], spans).await?;
        for path in segments.iter().take(if bundled { 0 } else { count.max(1) }) {
            match bring_segment(kept, spill, counters, path).await {
                Ok(()) => {}
                Err(fault) if fault.kind() == FaultKind::Unavailable => return Err(fault),
                Err(fault) => first = first.and(Err(fault)),
            }
        }
        segments = segments[count.max(1)..].into();
    }
    first
}

/// The spans of the first segments, as many as make a commit, and how many segments those are. It ends before one with
/// which something is wrong.
fn bundle(paths: &[PathBuf]) -> (usize, Vec<Span>) {
    let mut spans = Vec::new();
    let mut bytes = 0;
    for (count, path) in paths.iter().enumerate() {
        // Long prompts are few to a commit: all of them are in memory at once.
        bytes += spill::size(path);
        if count > 0 && bytes > COMMIT_BYTES as u64 {
            return (count, spans);
        }
        let whole = |segment: &Segment| segment.torn == 0 && segment.damaged == 0;
        match spill::read(path).ok().flatten().filter(whole) {
            Some(segment) if spans.is_empty() || spans.len() + segment.spans.len() <= BUNDLE_MAX => spans.extend(segment.spans),
            _ => return (count, spans),
        }
    }
    (paths.len(), spans)
}

/// Brings segments together. Answers `false` where it must be tried with each by itself.
async fn bring_bundle(
    kept: &Kept,
    spill: &Spill,
    counters: &Counters,
    paths: &[PathBuf],
    spans: Vec<Span>,
) -> Result<bool, TraceFault> {
    let compare = paths.iter().any(|path| spill.may_be_there(path));
    match add(kept, (Vec::new(), Vec::new()), spans, compare).await {
        Ok(()) => {
            let brought = paths.iter().map(|path| spill.finish(path)).sum();
            counters.brought(brought);
            Ok(true)
        }
        Err(fault) => {
            paths.iter().for_each(|path| spill.release(path, true));
            if fault.kind() == FaultKind::Unavailable { Err(fault) } else { Ok(false) }
        }
    }
}

async fn bring_segment(kept: &Kept, spill: &Spill, counters: &Counters, path: &Path) -> Result<(), TraceFault> {
    let segment = match spill::read(path) {
        Ok(Some(segment)) => segment,
        Ok(None) => return Ok(()),
        Err(source) if source.raw_os_error().is_some_and(|code| PASSING.contains(&code)) => {
            return Err(TraceFault::Spill { path: path.display().to_string(), source });
        }
        Err(error) => {
            tracing::error!(%error, path = %path.display(), "a segment of spans cannot be read");
            counters.brought(spill.set_aside(path));
            return Ok(());
        }
    };
    if segment.torn > 0 {
        tracing::warn!(path = %path.display(), "a segment ends within a span that was never acknowledged; it is left out");
    }
    if let Err(fault) = add(kept, (Vec::new(), Vec::new()), segment.spans, spill.may_be_there(path)).await {
        spill.release(path, true);
        return Err(fault);
    }
    let brought = if segment.damaged > 0 {
        tracing::error!(path = %path.display(), spans = segment.damaged, "spans of a segment are damaged; the others were brought");
        spill.set_aside(path)
    } else {
        spill.finish(path)
    };
    counters.brought(brought);
    Ok(())
}
