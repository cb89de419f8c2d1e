//! Queue to spill to lake. Two workers, so that a slow lake does not keep spans from being stored.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use mainspring_kernel::{Fault, FaultKind, Stop};
use mainspring_lake::{Filter, Scan, Table};
use mainspring_llm::Span;
use mainspring_telemetry::Metrics;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use crate::{
    capture::Capture,
    fault::{TraceFault, Trouble},
    spill::{self, Spill},
    table::{Rows, to_batch},
};

/// Spans in one segment at most.
const GROUP_MAX: usize = 1_000;
/// Spans in one commit at most.
const COMMIT_MAX: usize = 5_000;
/// How long the lake worker waits for more, so that quiet times do not make a commit per request.
const LINGER: Duration = Duration::from_millis(100);
const RETRY: Duration = Duration::from_secs(2);
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
    pub(crate) lake_down: watch::Sender<bool>,
    pub(crate) trouble: watch::Sender<Option<Trouble>>,
    metrics: Metrics,
}

impl Counters {
    pub(crate) fn new(metrics: Metrics) -> Self {
        let counters = Self {
            recorded: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            stored: watch::Sender::new(0),
            queryable: watch::Sender::new(0),
            lake_down: watch::Sender::new(false),
            trouble: watch::Sender::new(None),
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
        advance(&self.queryable, spans);
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
}

/// A stored group on its way to the lake.
#[derive(Debug)]
pub(crate) struct Stored {
    path: PathBuf,
    spans: Vec<Span>,
    repeatable: bool,
}

/// The first worker: groups what is queued, applies the capture setting, and stores it.
pub(crate) async fn store(
    mut queue: mpsc::Receiver<Queued>,
    onward: mpsc::Sender<Stored>,
    (spill, capture, counters): (Arc<Spill>, Capture, Arc<Counters>),
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
        let repeatable = is_awaited(&group);
        let mut spans: Vec<Span> = group.drain(..).map(|queued| queued.span).collect();
        let count = spans.len() as u64;
        let worker = Arc::clone(&spill);
        let written = tokio::task::spawn_blocking(move || {
            spans.iter_mut().for_each(|span| capture.apply(span));
            (worker.write(&spans), spans)
        })
        .await;
        match written {
            Ok((Ok(path), spans)) => {
                counters.works_again();
                advance(&counters.stored, count);
                // A full channel means the lake is behind; the segment waits on disk and is found there.
                if let Err(refused) = onward.try_send(Stored { path, spans, repeatable }) {
                    let (mpsc::error::TrySendError::Full(group) | mpsc::error::TrySendError::Closed(group)) = refused;
                    spill.release(&group.path, group.repeatable);
                }
            }
            Ok((Err(trouble), _)) => counters.lose(count, trouble),
            Err(error) => {
                tracing::error!(%error, "a group of spans could not be written: this is a defect");
                counters.lose(count, Trouble::Unwritable);
            }
        }
    }
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
    table: Arc<dyn Table>,
    (spill, counters): (Arc<Spill>, Arc<Counters>),
    stop: Stop,
) {
    let mut ended = false;
    let mut look_at = Instant::now() + RETRY;
    while !ended {
        let mut groups = Vec::new();
        match tokio::time::timeout_at(look_at, inbox.recv()).await {
            Ok(Some(first)) => {
                groups.push(first);
                ended = linger(&mut inbox, &mut groups, &stop).await;
            }
            Ok(None) => ended = true,
            Err(_) => {}
        }
        let mut outcome = commit(&table, &spill, &counters, groups).await;
        // On a busy server there is no pause to wait for.
        if outcome.is_ok() && (ended || Instant::now() >= look_at) {
            outcome = sweep(&table, &spill, &counters).await;
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

/// Takes more groups for a moment; answers whether the channel has ended.
async fn linger(inbox: &mut mpsc::Receiver<Stored>, groups: &mut Vec<Stored>, stop: &Stop) -> bool {
    let until = Instant::now() + if stop.is_requested() { Duration::ZERO } else { LINGER };
    loop {
        if groups.iter().map(|group| group.spans.len()).sum::<usize>() >= COMMIT_MAX {
            return false;
        }
        match tokio::time::timeout_at(until, inbox.recv()).await {
            Ok(Some(group)) => groups.push(group),
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

async fn commit(table: &Arc<dyn Table>, spill: &Spill, counters: &Counters, groups: Vec<Stored>) -> Result<(), TraceFault> {
    let compare = groups.iter().any(|group| group.repeatable);
    let (paths, spans): (Vec<PathBuf>, Vec<Vec<Span>>) = groups.into_iter().map(|group| (group.path, group.spans)).unzip();
    let spans = spans.into_iter().flatten().collect();
    if let Err(fault) = add(table, spans, compare).await {
        // The segments are found on disk, where they are compared with the table first.
        paths.iter().for_each(|path| spill.release(path, true));
        return Err(fault);
    }
    let brought = paths.iter().map(|path| spill.finish(path)).sum();
    advance(&counters.queryable, brought);
    Ok(())
}

async fn add(table: &Arc<dyn Table>, spans: Vec<Span>, compare: bool) -> Result<(), TraceFault> {
    let spans = if compare { missing(table, spans).await? } else { spans };
    if spans.is_empty() {
        return Ok(());
    }
    // Thousands of spans keep a thread busy for longer than anyone's answer should wait.
    let made = tokio::task::spawn_blocking(move || to_batch(&spans)).await;
    let batch = made.map_err(|error| TraceFault::Unreadable { reason: error.to_string() })??;
    table.append(batch).await?;
    Ok(())
}

/// Brings segments that are on disk, leaving out spans that are in the table already. One that
/// cannot be brought does not keep the others.
pub(crate) async fn sweep(table: &Arc<dyn Table>, spill: &Arc<Spill>, counters: &Counters) -> Result<(), TraceFault> {
    let vanished = spill.vanished();
    if vanished > 0 {
        tracing::error!(spans = vanished, "segments of spans were removed by somebody else");
        counters.count_dropped(vanished, "removed");
        advance(&counters.queryable, vanished);
    }
    let mut first = Ok(());
    for path in spill.segments().map_err(|source| TraceFault::Spill { path: "segments".into(), source })? {
        match bring_segment(table, spill, counters, &path).await {
            Ok(()) => {}
            Err(fault) if fault.kind() == FaultKind::Unavailable => return Err(fault),
            Err(fault) => first = first.and(Err(fault)),
        }
    }
    first
}

async fn bring_segment(table: &Arc<dyn Table>, spill: &Spill, counters: &Counters, path: &Path) -> Result<(), TraceFault> {
    let segment = match spill::read(path) {
        Ok(Some(segment)) => segment,
        Ok(None) => return Ok(()),
        Err(source) if source.raw_os_error().is_some_and(|code| PASSING.contains(&code)) => {
            return Err(TraceFault::Spill { path: path.display().to_string(), source });
        }
        Err(error) => {
            tracing::error!(%error, path = %path.display(), "a segment of spans cannot be read");
            advance(&counters.queryable, spill.set_aside(path));
            return Ok(());
        }
    };
    if segment.torn > 0 {
        tracing::warn!(path = %path.display(), "a segment ends within a span that was never acknowledged; it is left out");
    }
    if let Err(fault) = add(table, segment.spans, spill.may_be_there(path)).await {
        spill.release(path, true);
        return Err(fault);
    }
    let brought = if segment.damaged > 0 {
        tracing::error!(path = %path.display(), spans = segment.damaged, "spans of a segment are damaged; the others were brought");
        spill.set_aside(path)
    } else {
        spill.finish(path)
    };
    advance(&counters.queryable, brought);
    Ok(())
}

/// The spans that are not in the table, each once: a crash can come between commit and removal, and
/// a sender can repeat itself.
async fn missing(table: &Arc<dyn Table>, spans: Vec<Span>) -> Result<Vec<Span>, TraceFault> {
    let traces: HashSet<String> = spans.iter().map(|span| span.trace.to_string()).collect();
    let scan = Scan::of(Filter::any_of("trace", traces)).columns(&["trace", "span"]);
    let mut present = HashSet::new();
    for batch in table.scan(scan).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let id =
                (rows.text("trace", row)?.unwrap_or_default().to_owned(), rows.text("span", row)?.unwrap_or_default().to_owned());
            present.insert(id);
        }
    }
    Ok(spans.into_iter().filter(|span| present.insert((span.trace.to_string(), span.span.to_string()))).collect())
}
