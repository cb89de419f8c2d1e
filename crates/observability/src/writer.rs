//! Queue to spill to lake. Two workers, so that a slow lake does not keep spans from being stored.

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use mainspring_kernel::Stop;
use mainspring_lake::{Filter, Scan, Table};
use mainspring_llm::Span;
use tokio::sync::{mpsc, watch};

use crate::{
    capture::Capture,
    fault::TraceFault,
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

/// How far spans have come, by count since start.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) recorded: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) torn: AtomicU64,
    pub(crate) stored: watch::Sender<u64>,
    pub(crate) queryable: watch::Sender<u64>,
    pub(crate) lake_down: watch::Sender<bool>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            recorded: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            torn: AtomicU64::new(0),
            stored: watch::Sender::new(0),
            queryable: watch::Sender::new(0),
            lake_down: watch::Sender::new(false),
        }
    }
}

/// A stored group on its way to the lake.
#[derive(Debug)]
pub(crate) struct Stored {
    path: PathBuf,
    spans: Vec<Span>,
}

/// The first worker: groups what is queued, applies the capture setting, and stores it.
pub(crate) async fn store(
    mut queue: mpsc::Receiver<Span>,
    onward: mpsc::Sender<Stored>,
    (spill, capture, counters): (Arc<Spill>, Capture, Arc<Counters>),
    stop: Stop,
) {
    let mut group = Vec::new();
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
        let spans = std::mem::take(&mut group);
        let count = spans.len() as u64;
        let worker = Arc::clone(&spill);
        let written = tokio::task::spawn_blocking(move || {
            let mut spans = spans;
            spans.iter_mut().for_each(|span| capture.apply(span));
            (worker.write(&spans), spans)
        })
        .await;
        match written {
            Ok((Ok(path), spans)) => {
                counters.stored.send_modify(|stored| *stored += count);
                // A full channel means the lake is behind; the segment waits on disk and is found there.
                if let Err(refused) = onward.try_send(Stored { path, spans }) {
                    let (mpsc::error::TrySendError::Full(group) | mpsc::error::TrySendError::Closed(group)) = refused;
                    spill.release(&group.path);
                }
            }
            Ok((Err(error), _)) => {
                tracing::error!(%error, spans = count, "spans could not be stored");
                counters.dropped.fetch_add(count, Ordering::Relaxed);
                counters.stored.send_modify(|stored| *stored += count);
                counters.queryable.send_modify(|queryable| *queryable += count);
            }
            Err(error) => tracing::error!(%error, "the spill worker failed"),
        }
    }
}

/// The second worker: brings stored groups into the table, and after a pause whatever was left on disk.
pub(crate) async fn bring(
    mut inbox: mpsc::Receiver<Stored>,
    table: Arc<dyn Table>,
    (spill, counters): (Arc<Spill>, Arc<Counters>),
    stop: Stop,
) {
    let mut ended = false;
    while !ended {
        let mut groups = Vec::new();
        match tokio::time::timeout(RETRY, inbox.recv()).await {
            Ok(Some(first)) => {
                groups.push(first);
                ended = linger(&mut inbox, &mut groups, &stop).await;
            }
            Ok(None) => ended = true,
            Err(_) => {}
        }
        let count = groups.iter().map(|group| group.spans.len() as u64).sum();
        let outcome = match groups.is_empty() {
            true => sweep(&table, &spill, &counters).await,
            false => commit(&table, &spill, groups).await.map(|()| count),
        };
        match outcome {
            Ok(count) => {
                counters.lake_down.send_if_modified(|down| std::mem::take(down));
                counters.queryable.send_modify(|queryable| *queryable += count);
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
    let until = tokio::time::Instant::now() + if stop.is_requested() { Duration::ZERO } else { LINGER };
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

async fn commit(table: &Arc<dyn Table>, spill: &Spill, groups: Vec<Stored>) -> Result<(), TraceFault> {
    let (paths, spans): (Vec<PathBuf>, Vec<Vec<Span>>) = groups.into_iter().map(|group| (group.path, group.spans)).unzip();
    let spans: Vec<Span> = spans.into_iter().flatten().collect();
    let appended = match to_batch(&spans) {
        Ok(rows) => table.append(rows).await.map_err(TraceFault::from),
        Err(fault) => Err(fault),
    };
    if appended.is_ok() {
        remove(&paths);
    }
    // After a failure the segments are found on disk, where they are compared with the table first.
    paths.iter().for_each(|path| spill.release(path));
    appended.map(|_| ())
}

fn remove(paths: &[PathBuf]) {
    for path in paths {
        if let Err(error) = std::fs::remove_file(path) {
            tracing::warn!(%error, path = %path.display(), "a segment whose spans are in the lake could not be removed");
        }
    }
}

/// Brings segments that are on disk, leaving out spans that are in the table already.
/// Answers how many spans were brought.
pub(crate) async fn sweep(table: &Arc<dyn Table>, spill: &Arc<Spill>, counters: &Counters) -> Result<u64, TraceFault> {
    let unusable = |source| TraceFault::Spill { path: "segments".into(), source };
    let mut brought = 0;
    for path in spill.segments().map_err(unusable)? {
        let segment = match spill::read(&path) {
            Ok(segment) => segment,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(unusable(error)),
        };
        if segment.torn > 0 {
            counters.torn.fetch_add(segment.torn, Ordering::Relaxed);
            tracing::warn!(path = %path.display(), torn = segment.torn, "a segment had frames that were never acknowledged; they are left out");
        }
        if spill.is_ours(&path) {
            brought += segment.spans.len() as u64;
        }
        let missing = missing(table, segment.spans).await?;
        if !missing.is_empty() {
            table.append(to_batch(&missing)?).await?;
        }
        remove(&[path]);
    }
    Ok(brought)
}

/// The spans that are not in the table: a crash can come between commit and removal.
pub(crate) async fn missing(table: &Arc<dyn Table>, spans: Vec<Span>) -> Result<Vec<Span>, TraceFault> {
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
    Ok(spans.into_iter().filter(|span| !present.contains(&(span.trace.to_string(), span.span.to_string()))).collect())
}
