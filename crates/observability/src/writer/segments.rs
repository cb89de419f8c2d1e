//! Bringing segments that are on disk.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use mainspring_kernel::{Fault, FaultKind, Stop};
use mainspring_llm::Span;

use super::{COMMIT_BYTES, Counters, add_spans};
use crate::{
    errand::Ended,
    fault::TraceFault,
    settle::Kept,
    spill::{self, Segment, Spill},
};

/// Spans that are read from the disk for one commit.
const BUNDLE_MAX: usize = 4_000;
/// Errors of the operating system that say nothing about a file: interrupted, no memory, too many open files.
const PASSING: [i32; 4] = [4, 12, 23, 24];

/// Brings segments that are on disk, leaving out spans that are in the table already. One that
/// cannot be brought does not keep the others.
pub(crate) async fn sweep(kept: &Kept, spill: &Arc<Spill>, counters: &Counters, stop: &Stop) -> Result<(), TraceFault> {
    count_vanished(spill, counters);
    let segments = spill.segments().map_err(|source| TraceFault::Spill { path: "segments".into(), source })?;
    bring_all(kept, spill, counters, segments, stop).await.map(|_| ())
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

/// Brings segments, several with a commit. It stops between two commits.
pub(crate) async fn bring_all(
    kept: &Kept,
    spill: &Arc<Spill>,
    counters: &Counters,
    segments: Vec<PathBuf>,
    stop: &Stop,
) -> Result<Ended, TraceFault> {
    let mut segments: Arc<[PathBuf]> = segments.into();
    let mut first = Ok(Ended::Done);
    while !segments.is_empty() {
        if stop.is_requested() {
            return first.and(Ok(Ended::Stopped));
        }
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
    match add_spans(kept, spans, compare).await {
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
    if let Err(fault) = add_spans(kept, segment.spans, spill.may_be_there(path)).await {
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
