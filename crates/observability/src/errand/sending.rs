//! Having segments brought: what is asked for, what is seen of it, and what is left.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::Instant;

use super::{Ended, Errand, Errands};
use crate::{
    fault::TraceFault,
    spill::{self, Spill},
    writer::{self, Counters},
};

/// How often to look which segments are gone: what they took of the disk may be taken again.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A process that brings nothing for so long hangs. The lake gives up on its own after less.
const IDLE_MAX: Duration = Duration::from_secs(15 * 60);

/// Has the segments on disk brought that no worker holds.
pub(crate) async fn send(errands: &Errands, spill: &Spill, counters: &Counters) -> Result<Ended, TraceFault> {
    writer::count_vanished(spill, counters);
    let fault = |source| TraceFault::Spill { path: "segments".into(), source };
    let mut waiting: Vec<(PathBuf, u64)> = spill.segments().map_err(fault)?.into_iter().map(with_size).collect();
    if waiting.is_empty() {
        return Ok(Ended::Done);
    }
    let parcels = waiting.iter().filter_map(|(path, _)| spill.parcel(path)).collect();
    let running = errands.run(Errand::bring(parcels));
    tokio::pin!(running);
    let (mut moved, mut given_up) = (Instant::now(), false);
    // When it has ended nobody removes segments any more: what is gone by then is in the lake, or lies aside.
    let ran = loop {
        tokio::select! {
            ran = &mut running => break ran,
            () = tokio::time::sleep(LOOK_EVERY) => {
                let before = waiting.len();
                take_note(&mut waiting, spill, counters);
                if waiting.len() != before {
                    moved = Instant::now();
                } else if !given_up && moved.elapsed() > IDLE_MAX {
                    given_up = true;
                    errands.give_up(&format!("it brought nothing for {} minutes", IDLE_MAX.as_secs() / 60)).await;
                }
            }
        }
    };
    take_note(&mut waiting, spill, counters);
    spill.count_aside();
    for (path, _) in &waiting {
        match ran {
            // It can be neither read nor moved, or it is in the lake and cannot be removed. Nobody waits for its spans.
            Ok(Ended::Done) => counters.brought(left_alone(spill, path)),
            Ok(Ended::Stopped) | Err(_) => spill.release(path, true),
        }
    }
    ran
}

fn with_size(path: PathBuf) -> (PathBuf, u64) {
    let bytes = spill::size(&path);
    (path, bytes)
}

fn left_alone(spill: &Spill, path: &Path) -> u64 {
    tracing::error!(path = %path.display(), "a segment of spans was left where it is; it is looked at again at the next start");
    spill.leave_alone(path)
}

/// Segments that are gone are in the lake, or lie aside.
fn take_note(waiting: &mut Vec<(PathBuf, u64)>, spill: &Spill, counters: &Counters) {
    waiting.retain(|(path, bytes)| {
        let here = spill::is_here(path);
        if !here {
            counters.brought(spill.gone(path, *bytes));
        }
        here
    });
}
