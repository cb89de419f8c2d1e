//! Work at the table in a process of its own.
//!
//! The lake's code, and what it keeps while it adds, take as much memory again as a process that answers calls. One that is
//! started for the work, and ends with it, gives back all of it.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use mainspring_blobs::Blobs;
use mainspring_kernel::Timestamp;
use mainspring_lake::{Filter, Lake, UpkeepPolicy};
use mainspring_telemetry::Metrics;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    fault::TraceFault,
    settle::Kept,
    spill::{Parcel, Spill},
    table,
    values::Values,
    writer::{self, Counters},
};

/// How often to look which segments are gone: what they took of the disk may be taken again.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A process that brings nothing for so long hangs. The lake gives up on its own after less.
const IDLE_MAX: Duration = Duration::from_secs(15 * 60);

/// Runs errands in another process.
#[async_trait]
pub trait Elsewhere: fmt::Debug + Send + Sync + 'static {
    /// Runs one to its end, one at a time. What is not done of it is asked for again.
    async fn run(&self, errand: Errand) -> Result<(), TraceFault>;
}

/// What is to be done at the table, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    bring: Vec<Parcel>,
    expire_before: Option<Timestamp>,
    keep_versions_for: Option<Duration>,
}

impl Errand {
    /// Deletes what is too old, and puts the table in order. Whoever reads the traces builds the indexes over them.
    #[must_use]
    pub const fn upkeep(expire_before: Option<Timestamp>, keep_versions_for: Duration) -> Self {
        Self { bring: Vec::new(), expire_before, keep_versions_for: Some(keep_versions_for) }
    }

    /// Runs it, in the process that was started for it.
    pub async fn run(self, lake: &dyn Lake, spill_dir: &Path, values: Blobs) -> Result<(), TraceFault> {
        let spill = Arc::new(Spill::open(spill_dir, u64::MAX)?);
        let _hold = spill.hold()?;
        let table = lake.open(&table::table_name()?, &table::spec()).await?;
        let kept = Kept::new(table, Values::new(values, false));
        let segments = spill.adopt(&self.bring);
        let brought = writer::bring_all(&kept, &spill, &Counters::new(Metrics::default()), segments).await;
        if let Some(before) = self.expire_before {
            expire(&kept, before).await?;
        }
        if let Some(keep_versions_for) = self.keep_versions_for {
            let policy = UpkeepPolicy { unindexed_rows: u64::MAX, keep_versions_for, ..UpkeepPolicy::default() };
            kept.table.upkeep(&policy).await?;
        }
        brought
    }
}

/// Deletes traces that began before a time.
pub(crate) async fn expire(kept: &Kept, before: Timestamp) -> Result<u64, TraceFault> {
    let old = Filter::Lt("start".into(), before.as_micros().into());
    if kept.table.count(old.clone()).await? == 0 {
        return Ok(0);
    }
    let _turn = kept.turn().await;
    Ok(kept.table.replace(old, None).await?.deleted)
}

/// Has the segments on disk brought that no worker holds.
pub(crate) async fn send(elsewhere: &dyn Elsewhere, spill: &Spill, counters: &Counters) -> Result<(), TraceFault> {
    writer::count_vanished(spill, counters);
    let fault = |source| TraceFault::Spill { path: "segments".into(), source };
    let mut waiting: Vec<(PathBuf, u64)> = spill.segments().map_err(fault)?.into_iter().map(spill_size).collect();
    if waiting.is_empty() {
        return Ok(());
    }
    let bring = waiting.iter().filter_map(|(path, _)| spill.parcel(path)).collect();
    let running = elsewhere.run(Errand { bring, ..Errand::default() });
    tokio::pin!(running);
    let mut moved = Instant::now();
    let ran = loop {
        tokio::select! {
            ran = &mut running => break ran,
            () = tokio::time::sleep(LOOK_EVERY) => {
                let before = waiting.len();
                take_note(&mut waiting, spill, counters);
                if waiting.len() != before {
                    moved = Instant::now();
                } else if moved.elapsed() > IDLE_MAX {
                    // It ends with this future.
                    break Err(TraceFault::Errand { reason: format!("it brought nothing for {} minutes", IDLE_MAX.as_secs() / 60) });
                }
            }
        }
    };
    take_note(&mut waiting, spill, counters);
    spill.count_aside();
    for (path, _) in &waiting {
        // It ended well and left a segment: that one can be neither read nor moved.
        if ran.is_ok() { spill.leave_alone(path) } else { spill.release(path, true) }
    }
    ran
}

fn spill_size(path: PathBuf) -> (PathBuf, u64) {
    let bytes = crate::spill::size(&path);
    (path, bytes)
}

/// Segments that are gone are in the lake, or lie aside.
fn take_note(waiting: &mut Vec<(PathBuf, u64)>, spill: &Spill, counters: &Counters) {
    waiting.retain(|(path, bytes)| {
        let here = path.exists();
        if !here {
            counters.brought(spill.gone(path, *bytes));
        }
        here
    });
}
