//! Starting: what an earlier process left is settled first.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use mainspring_catalog::{Catalog, Engine};
use mainspring_kernel::{
    Fault as _, Stop, Timestamp, fault,
    id::{CallId, ProjectId},
};
use tokio::sync::Notify;

use super::{
    Inner, Ledger, LedgerParts, State, WAITING_BYTES_MAX,
    batch::{Settled, unpack},
    book::{Book, Named},
    fault::LedgerFault,
    frames,
    journal::Journal,
    limit::{Metric, units},
    meters::{MeterKey, Meters},
    pricing::PriceBook,
    recover::{self, Recovered},
    window::hour_of,
};
use crate::{
    record::CallRecord,
    store::{self, SegmentHead},
};

/// Tries at writing what was found, while other processes are in the way.
const ATTEMPTS: u32 = 5;
/// What a limit by the minute remembers.
const MINUTE: Duration = Duration::from_secs(60);
/// How soon it is seen that there is room again on a disk that was full at the start.
const ROOM_PERIOD: Duration = Duration::from_secs(1);
/// Segments of the last minute that are looked at: those of ten thousand calls a second.
const RECENT_MAX: usize = 4_000;
const SEGMENTS_AT_ONCE: usize = 16;

impl Ledger {
    /// Settles what an earlier process left, reads limits, budgets and prices, and begins to write in the background.
    ///
    /// On a full disk nothing can be settled. The ledger is there all the same: it answers questions, lets no call through,
    /// and takes up its work by itself as soon as there is room.
    pub async fn open(parts: LedgerParts) -> Result<Self, LedgerFault> {
        let shared = parts.catalog.engine() == Engine::Postgres;
        // Boxed: the compiler gives up on the depth of what is awaited here.
        let ledger = Box::pin(Self::prepare(parts, shared)).await?;
        if ledger.is_shut() {
            let waiting = ledger.clone();
            ledger.inner.parts.tasks.spawn("calls: room", |stop| waiting.wait_for_room(stop));
        } else {
            ledger.start();
        }
        Ok(ledger)
    }

    /// Everything but the background.
    pub(super) async fn prepare(parts: LedgerParts, shared: bool) -> Result<Self, LedgerFault> {
        let prices = PriceBook::open(parts.registry.clone()).await?;
        let dir = parts.journal.clone();
        let found = blocking(move || recover::look(&dir)).await?;
        let owner = found.owner.unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
        let session = format!("{:032x}", rand::random::<u128>());
        let state = State {
            journal: Journal::shut(&parts.journal, &owner),
            shut: true,
            meters: Meters::new(shared),
            book: Arc::default(),
            refused: HashMap::new(),
            waiting_max: WAITING_BYTES_MAX,
            left: Vec::new(),
            unheard: HashMap::new(),
        };
        let ledger = Self {
            inner: Arc::new(Inner {
                parts,
                owner,
                session,
                prices,
                state: Mutex::new(state),
                flushing: tokio::sync::Mutex::default(),
                full: Notify::new(),
                wished: Notify::new(),
                granted: Notify::new(),
            }),
        };
        match Box::pin(ledger.take_up(shared)).await {
            Err(found) if found.is_full() => {
                tracing::error!(error = fault::chain(&found), "calls are refused until there is room on the disk");
                ledger.reload_limits().await?;
            }
            other => other?,
        }
        Ok(ledger)
    }

    /// Goes on from where the last process stopped. Where that fails, it is as if this process had died there.
    async fn take_up(&self, shared: bool) -> Result<(), LedgerFault> {
        let Inner { parts, owner, session, .. } = self.inner.as_ref();
        let dir = parts.journal.clone();
        let found = blocking(move || recover::look(&dir)).await?;
        let last_batch = store::open_writer(&parts.catalog, owner, session, parts.clock.now()).await?;
        let mut recovered = blocking(move || found.read(last_batch)).await?;
        if recovered.damaged > 0 || recovered.torn {
            forget_written(&parts.catalog, &mut recovered).await?;
        }
        let (dir, name) = (parts.journal.clone(), owner.clone());
        let (journal, left) = blocking(move || begin(&dir, &name, recovered)).await?;
        self.state().journal = journal;
        let settled = async {
            self.settle_past().await?;
            let left = self.with_those_known(left).await?;
            self.reload().await?;
            if !shared {
                self.remember_minute().await?;
            }
            Box::pin(self.hold_again(left)).await
        };
        let settled = settled.await;
        let mut state = self.state();
        match settled {
            Ok(left) => {
                (state.shut, state.left) = (false, left);
                Ok(())
            }
            Err(fault) => {
                state.journal = Journal::shut(&parts.journal, owner);
                Err(fault)
            }
        }
    }

    fn is_shut(&self) -> bool {
        self.state().shut
    }

    /// Tries until there is room, and then works as it would have from the start.
    async fn wait_for_room(self, stop: Stop) {
        let shared = self.state().meters.shared();
        while stop.sleep(ROOM_PERIOD).await {
            match Box::pin(self.take_up(shared)).await {
                Ok(()) => {
                    tracing::info!("there is room on the disk: calls are taken again");
                    self.start();
                    return;
                }
                Err(found) if found.is_full() => {}
                Err(found) => tracing::error!(error = fault::chain(&found), "calls are still refused"),
            }
        }
    }

    fn start(&self) {
        let tasks = &self.inner.parts.tasks;
        let (syncing, flushing, keeping) = (self.clone(), self.clone(), self.clone());
        tasks.spawn("calls: journal", |stop| syncing.keep_syncing(stop));
        tasks.spawn("calls: catalog", |stop| flushing.keep_flushing(stop));
        tasks.spawn("calls: upkeep", |stop| keeping.keep_up(stop));
        if self.state().meters.shared() {
            let leasing = self.clone();
            tasks.spawn("limits: shares", |stop| leasing.keep_leasing(stop));
        }
    }

    /// Writes what was found in the journal.
    async fn settle_past(&self) -> Result<(), LedgerFault> {
        let mut attempt = 1;
        while let Err(fault) = self.flush().await {
            if attempt == ATTEMPTS || !fault.kind().is_transient() {
                return Err(fault);
            }
            attempt += 1;
        }
        let cleanup = self.state().journal.written(0);
        self.clean(cleanup).await;
        Ok(())
    }

    /// Limits by the minute go on where the last process left them.
    async fn remember_minute(&self) -> Result<(), LedgerFault> {
        let clock = self.inner.parts.clock.now();
        let since = clock.minus(MINUTE);
        let mut recent = records(store::segments_at(&self.inner.parts.catalog, since, RECENT_MAX).await?).await?;
        recent.retain(|record| record.at >= since && record.at <= clock);
        recent.sort_by_key(|record| (record.at, record.id));
        let mut state = self.state();
        let book = Arc::clone(&state.book);
        for record in recent {
            let named = Named::of(&record.caller, record.route.as_deref().unwrap_or(&record.model));
            for holding in book.holding(named.subjects()) {
                let taken = match holding.limit.metric {
                    Metric::RequestsPerMinute => 1,
                    Metric::TokensPerMinute => record.usage.total().into(),
                    Metric::Concurrent | Metric::UsdPerDay | Metric::UsdPerMonth => continue,
                };
                let key = MeterKey::of(&holding, record.at);
                state.meters.take(&key, (holding.limit.amount.units().into(), taken), record.at.as_nanos());
            }
        }
        state.meters.now(clock);
        Ok(())
    }

    /// Reads the limits, and on a catalog of its own what budgets have spent. What has settled and is not in the catalog yet
    /// comes on top.
    pub(super) async fn reload(&self) -> Result<(), LedgerFault> {
        if self.state().meters.shared() {
            if self.reload_limits().await? {
                // A limit that is lower now holds for what was fetched of it before.
                self.give_back(true).await;
            }
            return Ok(());
        }
        // Nothing reaches the catalog meanwhile, so that nothing is counted twice or not at all.
        let _alone = self.inner.flushing.lock().await;
        self.write_waiting().await?;
        let catalog = &self.inner.parts.catalog;
        let (limits, clock) = (store::all_limits(catalog).await?, self.inner.parts.clock.now());
        let spent = store::budgets_now(catalog, clock).await?;
        let book = Arc::new(Book::of(limits));
        let mut state = self.state();
        state.book = Arc::clone(&book);
        state.meters.forget_spent();
        for (key, money) in spent {
            let key = key.meter();
            if book.find(key.project, (key.kind, key.metric), &key.subject).is_some() {
                state.meters.spent(&key, money.as_pico());
            }
        }
        state.count_pending(&book);
        Ok(())
    }

    /// Reads the limits alone; answers whether they have changed.
    pub(super) async fn reload_limits(&self) -> Result<bool, LedgerFault> {
        let book = Book::of(store::all_limits(&self.inner.parts.catalog).await?);
        let mut state = self.state();
        let changed = *state.book != book;
        if changed {
            state.book = Arc::new(book);
        }
        Ok(changed)
    }
}

impl State {
    /// Adds what has settled and is in no batch yet to what budgets have spent.
    fn count_pending(&mut self, book: &Book) {
        for Settled { record, .. } in self.journal.pending() {
            let cost = units(record.cost).unwrap_or(i64::MAX);
            let named = Named::of(&record.caller, record.route.as_deref().unwrap_or(&record.model));
            for holding in book.holding(named.subjects()).filter(|holding| holding.limit.metric.span().is_some()) {
                let key = MeterKey::of(&holding, record.at);
                self.meters.settle(&key, holding.limit.amount.units().into(), (0, cost.into()), 0);
            }
        }
    }
}

/// A new segment after those that were found, with the end of every call nobody heard of again. Those whose answers are made
/// in the background go on: they are written down again, and answered.
fn begin(dir: &Path, owner: &str, recovered: Recovered) -> Result<(Journal, Vec<CallRecord>), LedgerFault> {
    let Recovered { past, interrupted, damaged: _, torn: _ } = recovered;
    let fault = |source| LedgerFault::journal(dir, source);
    recover::note_owner(dir, owner).map_err(fault)?;
    let mut journal = Journal::begin_after(dir, owner, past).map_err(fault)?;
    let (mut left, interrupted): (Vec<_>, Vec<_>) = interrupted.into_iter().partition(|record| record.response.is_some());
    if !interrupted.is_empty() {
        tracing::warn!(
            calls = interrupted.len(),
            "calls were under way when the last process ended; they cost what was set aside"
        );
    }
    for record in interrupted {
        journal.end(Settled::new(record)).map_err(fault)?;
    }
    for record in &mut left {
        // A version that did not write this down had set aside what they cost at worst, as this one does.
        record.background.get_or_insert(record.cost);
        journal.begin(record.id, frames::began(record)).map_err(fault)?;
    }
    Ok((journal, left))
}

/// In a journal that is not whole the end of a call, or of its batch, may be lost although it is in the catalog: such calls
/// neither broke off nor wait.
async fn forget_written(catalog: &Catalog, recovered: &mut Recovered) -> Result<(), LedgerFault> {
    let mut written: HashSet<CallId> = HashSet::new();
    let mut projects: HashMap<ProjectId, Timestamp> = HashMap::new();
    let trailing = recovered.past.trailing.iter().map(|call| &call.record);
    for record in recovered.interrupted.iter().chain(trailing) {
        let earliest = projects.entry(record.caller.project).or_insert(record.at);
        *earliest = record.at.min(*earliest);
    }
    for (project, since) in projects {
        let mut last: Option<SegmentHead> = None;
        loop {
            let place = (hour_of(since), Timestamp::from_micros(i64::MAX));
            let heads = store::segments_since(catalog, project, place, last.as_ref(), SEGMENTS_AT_ONCE).await?;
            let Some(newest) = heads.last().cloned() else { break };
            last = Some(newest);
            written.extend(records(heads).await?.into_iter().map(|record| record.id));
        }
    }
    recovered.interrupted.retain(|record| !written.contains(&record.id));
    recovered.past.trailing.retain(|call| !written.contains(&call.record.id));
    Ok(())
}

/// The calls of several segments.
pub(super) async fn records(heads: Vec<SegmentHead>) -> Result<Vec<CallRecord>, LedgerFault> {
    blocking(move || {
        let mut all = Vec::new();
        for SegmentHead { id, records, .. } in heads {
            all.extend(unpack(&records).map_err(|source| LedgerFault::BadRecords { segment: id, source })?);
        }
        Ok(all)
    })
    .await
}

/// Work that reads files or unpacks much, off the threads that answer.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LedgerFault> + Send + 'static,
) -> Result<T, LedgerFault> {
    tokio::task::spawn_blocking(work).await.map_err(|_| LedgerFault::Interrupted)?
}
