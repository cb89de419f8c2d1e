//! Small segments become large ones: a quiet project has one for every call otherwise.

use std::time::Duration;

use mainspring_kernel::id::ProjectId;

use super::{
    Ledger,
    batch::{BATCH_CALLS, segment, unpack},
    fault::LedgerFault,
    frames,
    open::blocking,
};
use crate::store::{self, SegmentHead, SegmentRow};

/// Segments that may still get neighbours are left alone.
const SETTLED_AFTER: Duration = Duration::from_secs(2 * 3_600);
/// How far back is looked: a process that was off for longer leaves its segments as they are.
const LOOK_BACK: Duration = Duration::from_secs(3 * 86_400);
/// Smaller ones are put together.
const SMALL: u64 = BATCH_CALLS as u64 / 2;
const HOURS_AT_ONCE: usize = 50;
const SEGMENTS_AT_ONCE: usize = 500;

impl Ledger {
    /// Puts the small segments of past hours together. Any process may; two at once stand back for each other.
    pub(super) async fn compact(&self) -> Result<(), LedgerFault> {
        let now = self.inner.parts.clock.now();
        let stretch = (now.minus(LOOK_BACK), now.minus(SETTLED_AFTER));
        loop {
            let hours = store::small_hours(&self.inner.parts.catalog, stretch, SMALL, HOURS_AT_ONCE).await?;
            let mut merged = 0;
            for hour in &hours {
                merged += self.compact_hour(*hour).await?;
            }
            // Where nothing could be put together, looking again would find the same.
            if merged == 0 || hours.len() < HOURS_AT_ONCE {
                return Ok(());
            }
        }
    }

    /// Answers how many segments became one.
    async fn compact_hour(&self, (project, hour): (ProjectId, i64)) -> Result<usize, LedgerFault> {
        self.inner
            .parts
            .catalog
            .transact(|mut tx| async move {
                let heads = store::small_segments(&mut tx, (project, hour), SMALL, SEGMENTS_AT_ONCE).await?;
                if heads.len() < 2 {
                    return Ok((tx, 0));
                }
                let (merged, ids) = blocking(move || merge((project, hour), &heads)).await?;
                for id in &ids {
                    store::remove_segment(&mut tx, id).await?;
                }
                store::insert_segment(&mut tx, merged).await?;
                Ok((tx, ids.len()))
            })
            .await
    }
}

/// As many of them as make one of the usual size, and the ids of those.
fn merge((project, hour): (ProjectId, i64), heads: &[SegmentHead]) -> Result<(SegmentRow, Vec<String>), LedgerFault> {
    let (mut records, mut ids) = (Vec::new(), Vec::new());
    for SegmentHead { id, records: packed, .. } in heads {
        let fault = |source| LedgerFault::BadRecords { segment: id.clone(), source };
        let more = unpack(packed).map_err(fault)?;
        if ids.len() >= 2 && records.len() + more.len() > BATCH_CALLS {
            break;
        }
        records.extend(more);
        ids.push(id.clone());
    }
    let frames: Vec<Vec<u8>> = records.iter().map(frames::ended).collect();
    let calls = records.iter().zip(&frames).map(|(record, frame)| (record, frames::line(frame))).collect();
    // Named after the last of them, which is gone then.
    let name = format!("{}+", ids.last().cloned().unwrap_or_default());
    let merged =
        segment(name.clone(), (project, hour), calls).map_err(|source| LedgerFault::BadRecords { segment: name, source })?;
    Ok((merged, ids))
}
