//! From the journal to the catalog, a batch in a transaction.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use mainspring_catalog::{Catalog, Tx};
use mainspring_kernel::{Fault as _, Stop, Timestamp, fault};

use super::{
    Ledger,
    batch::{Prepared, Settled},
    fault::LedgerFault,
    journal::{Batch, Cleanup, Sync},
    open::blocking,
    recover,
};
use crate::{
    record::CallStatus,
    store::{self, BudgetKey, Claim},
};

/// How long a settled call may wait for its batch.
const PERIOD: Duration = Duration::from_millis(150);
/// How often the journal is synced: what a power cut may take.
const SYNC_PERIOD: Duration = Duration::from_millis(100);
/// After a failure; the longest while the catalog stays away.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(200), Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// Who writes.
#[derive(Debug, Clone, Copy)]
struct Writer<'w> {
    owner: &'w str,
    session: &'w str,
    /// The process spends from what it has leased.
    shared: bool,
}

impl Ledger {
    /// Writes everything that has settled by now to the catalog.
    pub async fn flush(&self) -> Result<(), LedgerFault> {
        let _alone = self.inner.flushing.lock().await;
        self.write_waiting().await
    }

    /// For whoever holds `flushing`. What settles meanwhile may wait for the next time.
    pub(super) async fn write_waiting(&self) -> Result<(), LedgerFault> {
        let mut waiting = self.waiting();
        while waiting > 0 {
            match self.write_next().await? {
                0 => break,
                written => waiting = waiting.saturating_sub(written),
            }
        }
        Ok(())
    }

    /// Writes one batch; answers how many calls were in it.
    async fn write_next(&self) -> Result<u64, LedgerFault> {
        let dir = self.inner.parts.journal.as_path();
        let (batch, shared, sync) = {
            let mut state = self.state();
            if !state.journal.has_closed() {
                state.journal.close().map_err(|source| LedgerFault::journal(dir, source))?;
            }
            (state.journal.next(), state.meters.shared(), state.journal.unsynced())
        };
        let Some(batch) = batch else { return Ok(0) };
        // A power cut must not leave the catalog with a batch that the journal has forgotten to have closed.
        self.sync(sync).await?;
        let number = batch.number;
        let (calls, prepared) = self.make_ready(batch).await?;
        let writer = Writer { owner: &self.inner.owner, session: &self.inner.session, shared };
        let now = self.inner.parts.clock.now();
        let writing = write(&self.inner.parts.catalog, writer, (number, now), (calls.as_slice(), &prepared));
        let Written { uncovered, lost } = Box::pin(writing).await?;
        let cleanup = {
            let mut state = self.state();
            for (key, amount) in uncovered {
                state.meters.add(&key.meter(), amount.into());
            }
            for call in lost.iter().filter_map(|place| calls.get(*place)) {
                state.lose(&call.record);
                // Nobody is told.
                drop(state.hearer(call.record.id));
            }
            for Settled { record, .. } in without(&calls, &lost).filter(|call| call.record.background.is_some()) {
                if let Some(hearer) = state.hearer(record.id) {
                    // This process may be ending.
                    let _ = hearer.send(record.clone());
                }
            }
            state.journal.written(number)
        };
        self.clean(cleanup).await;
        self.count(without(&calls, &lost));
        Ok(calls.len() as u64)
    }

    async fn make_ready(&self, batch: Batch) -> Result<(Arc<Vec<Settled>>, Prepared), LedgerFault> {
        let (dir, owner) = (self.inner.parts.journal.clone(), self.inner.owner.clone());
        let work = move || {
            let calls = match &batch.calls {
                Some(calls) => Arc::clone(calls),
                None => recover::read_batch(&dir, &batch)?,
            };
            let prepared = prepare(&calls, (owner.as_str(), batch.number))?;
            Ok((calls, prepared))
        };
        blocking(work).await
    }

    async fn sync(&self, sync: Option<Sync>) -> Result<(), LedgerFault> {
        let Some(sync) = sync else { return Ok(()) };
        let dir = self.inner.parts.journal.clone();
        let done = blocking(move || sync.carry_out().map_err(|source| LedgerFault::journal(&dir, source))).await;
        if done.is_err() {
            self.state().journal.sync_again();
        }
        done
    }

    pub(super) async fn clean(&self, cleanup: Cleanup) {
        if cleanup.is_empty() {
            return;
        }
        let done = tokio::task::spawn_blocking(move || cleanup.carry_out()).await;
        if let Ok(Err(error)) = done {
            tracing::warn!(%error, "segments of the journal that are no longer needed stay until the next start");
            self.state().journal.sync_again();
        }
    }

    /// Writes batches until told to stop, and once more then.
    pub(super) async fn keep_flushing(self, stop: Stop) {
        let mut failures = 0;
        loop {
            let pause = if failures == 0 { PERIOD } else { PAUSES[usize::min(failures, PAUSES.len()) - 1] };
            let go_on = tokio::select! {
                go_on = stop.sleep(pause) => go_on,
                () = self.inner.full.notified(), if failures == 0 => true,
            };
            match self.flush().await {
                Ok(()) => failures = 0,
                Err(found) => {
                    if failures == 0 || !found.kind().is_transient() {
                        tracing::error!(
                            error = fault::chain(&found),
                            waiting = self.waiting(),
                            "calls cannot be written to the catalog; they wait in the journal"
                        );
                    }
                    failures += 1;
                    self.close_if_large();
                }
            }
            if !go_on {
                return;
            }
        }
    }

    /// While the catalog is away batches are closed all the same, so that memory lets go of them.
    fn close_if_large(&self) {
        let mut state = self.state();
        if state.journal.pending().len() >= super::batch::BATCH_CALLS
            && let Err(error) = state.journal.close()
        {
            tracing::warn!(%error, "a batch of calls could not be closed in the journal");
        }
    }

    /// Syncs the journal until told to stop, and once more then.
    pub(super) async fn keep_syncing(self, stop: Stop) {
        loop {
            let go_on = stop.sleep(SYNC_PERIOD).await;
            let sync = self.state().journal.unsynced();
            if let Err(found) = self.sync(sync).await {
                tracing::warn!(error = fault::chain(&found), "the journal of calls could not be synced");
            }
            if !go_on {
                return;
            }
        }
    }

    fn count<'c>(&self, calls: impl Iterator<Item = &'c Settled>) {
        let metrics = &self.inner.parts.metrics;
        let mut by_status: BTreeMap<&'static str, u32> = BTreeMap::new();
        for call in calls {
            *by_status.entry(call.record.status.as_str()).or_default() += 1;
        }
        for (&status, &count) in &by_status {
            metrics.add("mainspring_ledger_calls_total", "Calls written to the catalog.", &[("status", status)], count.into());
        }
        if let Some(interrupted) = by_status.get(CallStatus::Interrupted.as_str()) {
            tracing::warn!(interrupted, "calls were settled with what was set aside for them, since nobody said how they ended");
        }
    }
}

fn prepare(calls: &[Settled], (owner, number): (&str, u64)) -> Result<Prepared, LedgerFault> {
    let name = format!("{owner}/{number:012}");
    Prepared::of(calls, &name).map_err(|source| LedgerFault::BadRecords { segment: name, source })
}

/// What came of a batch.
#[derive(Debug)]
struct Written {
    /// What leases did not cover.
    uncovered: Vec<(BudgetKey, i64)>,
    /// The places of calls in it that are another process's by now, and were left out.
    lost: Vec<usize>,
}

/// The calls of a batch but those at these places.
fn without<'c>(calls: &'c [Settled], places: &'c [usize]) -> impl Iterator<Item = &'c Settled> {
    calls.iter().enumerate().filter(move |(place, _)| !places.contains(place)).map(|(_, call)| call)
}

/// One transaction: the calls, their sums, who made what providers keep, and the money of budgets they move. A call in the
/// background that another process has taken over is that one's to settle, and is left out.
async fn write(
    catalog: &Catalog,
    writer: Writer<'_>,
    (number, now): (u64, Timestamp),
    (calls, prepared): (&[Settled], &Prepared),
) -> Result<Written, LedgerFault> {
    catalog
        .transact(|mut tx| async move {
            let settled = match store::claim_batch(&mut tx, (writer.owner, writer.session), number, now).await? {
                Claim::Ours => Some(now),
                Claim::Written => None,
                Claim::Lost => return Err(LedgerFault::Usurped),
            };
            let lost = lost(&mut tx, writer.owner, calls, settled).await?;
            if settled.is_none() {
                return Ok((tx, Written { uncovered: Vec::new(), lost }));
            }
            let uncovered = if lost.is_empty() {
                put(&mut tx, writer, prepared).await?
            } else {
                tracing::warn!(calls = lost.len(), "calls in the background were taken over by others, which settle them");
                let ours: Vec<Settled> = without(calls, &lost).cloned().collect();
                put(&mut tx, writer, &prepare(&ours, (writer.owner, number))?).await?
            };
            Ok((tx, Written { uncovered, lost }))
        })
        .await
}

/// Where in a batch the calls are that another process has taken over, or that this one had settled before. Its others in the
/// background are `settled` from here on; they are already where the batch was written and only the answer was lost.
async fn lost(tx: &mut Tx, owner: &str, calls: &[Settled], settled: Option<Timestamp>) -> Result<Vec<usize>, LedgerFault> {
    let mut lost = Vec::new();
    for (place, Settled { record, .. }) in calls.iter().enumerate() {
        if record.background.is_none() {
            continue;
        }
        let is_ours = match settled {
            Some(now) => store::end_background(tx, owner, record, now).await?,
            None => store::is_own(tx, owner, record.id).await?,
        };
        if !is_ours {
            lost.push(place);
        }
    }
    Ok(lost)
}

async fn put(tx: &mut Tx, writer: Writer<'_>, prepared: &Prepared) -> Result<Vec<(BudgetKey, i64)>, LedgerFault> {
    for segment in &prepared.segments {
        store::insert_segment(tx, segment.clone()).await?;
    }
    store::add_usage(tx, &prepared.rows()).await?;
    if let Some(makers) = prepared.makers() {
        store::add_makers(tx, &makers).await?;
    }
    spend(tx, writer, prepared).await
}

async fn spend(tx: &mut Tx, writer: Writer<'_>, prepared: &Prepared) -> Result<Vec<(BudgetKey, i64)>, LedgerFault> {
    let mut budgets = Vec::new();
    for project in prepared.projects() {
        budgets.extend(store::budget_limits(tx, project).await?);
    }
    let mut uncovered = Vec::new();
    let owner = writer.shared.then_some(writer.owner);
    // In the order of their keys, as every process does it.
    for spend in prepared.spends(budgets) {
        let left = store::spend(tx, &spend, owner).await?;
        if left > 0 {
            uncovered.push((spend.key, left));
        }
    }
    Ok(uncovered)
}
