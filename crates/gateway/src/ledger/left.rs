//! Calls whose answers are made in the background. They are under way until that is over, in whichever process: what was set
//! aside for them stays so. The catalog knows which process waits for each; it alone settles it, and when it is gone for good
//! another takes it over.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use http::HeaderMap;
use mainspring_catalog::{CatalogFault, Tx};
use mainspring_kernel::{
    Fault as _, Timestamp, fault,
    id::{CallId, ProjectId},
};
use tokio::sync::oneshot;

use super::{
    Ledger, State,
    book::{Book, Named},
    fault::LedgerFault,
    frames,
    lease::bucket,
    limit::{Metric, tame, units},
    meters::MeterKey,
    permit::{Hold, Permit},
};
use crate::{
    background::MOST,
    record::CallRecord,
    store::{self, BudgetKey, WaitedFor},
};

/// A process that was not seen for so long is not waited for: it says that it is there every second. Should it come back, it
/// finds that its calls are another's.
const GONE_AFTER: Duration = Duration::from_secs(60);

/// A call that this process waits for, with what is set aside for it.
#[derive(Debug)]
pub(super) struct Waiting {
    record: CallRecord,
    named: Named,
    holds: Vec<Hold>,
}

impl Waiting {
    fn of(book: &Book, record: CallRecord) -> Self {
        let named = Named::of(&record.caller, record.route.as_deref().unwrap_or(&record.model));
        let holds = holds(book, &named, &record);
        Self { record, named, holds }
    }

    fn permit(self, ledger: &Ledger) -> Permit {
        let Self { record, named, holds } = self;
        Permit::new(ledger.clone(), record, named, holds, HeaderMap::new())
    }
}

impl Permit {
    /// Writes down which response of which target the call waits for, and what attempts before it were paid, so that a process
    /// that comes after this one can go on.
    pub(crate) fn leaves(&mut self, record: &CallRecord) -> Result<(), LedgerFault> {
        let CallRecord { provider, target, response, account, attempts, first_ms, charges, .. } = record;
        let text = |text: &Option<String>| text.as_deref().map(tame);
        let worst = self.worst_mut();
        (worst.provider, worst.target) = (text(provider), text(target));
        (worst.response, worst.attempts, worst.first_ms) = (response.clone(), *attempts, *first_ms);
        (worst.account, worst.background) = (*account, Some(worst.cost));
        worst.charges.clone_from(charges);
        let (id, frame) = (worst.id, frames::began(worst));
        let ledger = self.ledger();
        let written = ledger.state().journal.begin(id, frame);
        written.map_err(|source| LedgerFault::journal(&ledger.inner.parts.journal, source))
    }
}

impl Ledger {
    /// The right to settle each of the calls that an earlier process left so.
    pub(crate) fn take_left(&self) -> Vec<Permit> {
        let left = std::mem::take(&mut self.state().left);
        left.into_iter().map(|waiting| waiting.permit(self)).collect()
    }

    /// Tells the other processes that this one waits for a call, and who makes its response. What is told already stays.
    pub(crate) async fn tell_left(&self, record: &CallRecord) -> Result<(), LedgerFault> {
        let catalog = &self.inner.parts.catalog;
        // In this order: whoever finds the response finds that it is waited for.
        store::put_background(catalog, &self.inner.owner, record).await?;
        if let Some(row) = store::MakerRow::of(record) {
            store::put_maker(catalog, &row).await?;
        }
        Ok(())
    }

    /// The call that made a response, while any process waits for it.
    pub(crate) async fn waited_for(&self, project: ProjectId, response: &str) -> Result<Option<CallRecord>, LedgerFault> {
        let found = store::background(&self.inner.parts.catalog, project, response).await?;
        Ok(found.map(|found| found.record))
    }

    /// Leaves word for whoever waits for a call.
    pub(crate) async fn leave_word(&self, call: CallId, word: &str) -> Result<(), LedgerFault> {
        Ok(store::say_of_background(&self.inner.parts.catalog, call, word).await?)
    }

    /// The word that was left about a call; empty where there is none.
    pub(crate) async fn word_of(&self, call: CallId) -> Result<String, LedgerFault> {
        Ok(store::said_of_background(&self.inner.parts.catalog, call).await?)
    }

    /// Which of these calls, that this process waits for, are another's by now, or settled.
    pub(crate) async fn taken_by_others(&self, calls: &[CallId]) -> Result<HashSet<CallId>, LedgerFault> {
        Ok(store::strayed(&self.inner.parts.catalog, &self.inner.owner, calls).await?)
    }

    /// Takes over calls that processes waited for which are gone. Where one process keeps everything there is no other.
    pub(crate) async fn adopt(&self, most: usize) -> Result<Vec<Permit>, LedgerFault> {
        let (shared, shut) = {
            let state = self.state();
            (state.meters.shared(), state.shut)
        };
        if !shared || shut {
            return Ok(Vec::new());
        }
        let gone = self.inner.parts.clock.now().minus(GONE_AFTER);
        let mut adopted = Vec::new();
        for WaitedFor { owner, record } in store::orphans(&self.inner.parts.catalog, &self.inner.owner, gone, most).await? {
            let book = Arc::clone(&self.state().book);
            let waiting = Waiting::of(&book, record);
            let call = waiting.record.id;
            match self.take_over(&owner, &waiting, gone).await {
                // Its process is back, or another was first.
                Ok(false) => {}
                Ok(true) => {
                    tracing::info!(%call, from = owner, "a call in the background was taken over from a process that is gone");
                    adopted.extend(self.wait_again(waiting));
                }
                // It may have been taken over all the same: only the answer was lost. Then nobody else waits for it, and if not,
                // the catalog does not take how it ended from here.
                Err(found) if found.kind().is_transient() => {
                    tracing::debug!(%call, error = fault::chain(&found), "whether a call was taken over is not known");
                    adopted.extend(self.wait_again(waiting));
                    break;
                }
                Err(found) => {
                    tracing::error!(%call, error = fault::chain(&found), "a call of a process that is gone cannot be taken over");
                }
            }
        }
        Ok(adopted)
    }

    /// Answers whether the call is this process's from here on.
    async fn take_over(&self, from: &str, waiting: &Waiting, gone: Timestamp) -> Result<bool, LedgerFault> {
        let between = (from, self.inner.owner.as_str());
        let taking = self.inner.parts.catalog.transact(|mut tx| async move {
            let ours = store::adopt(&mut tx, waiting.record.id, between, gone).await?;
            if ours {
                for Hold { key, reserved, .. } in &waiting.holds {
                    take_along(&mut tx, between, key, money(*reserved)).await?;
                }
            }
            Ok::<_, CatalogFault>((tx, ours))
        });
        Ok(Box::pin(taking).await?)
    }

    /// Nothing where this process waits for it already: it was cut off, and nobody settled it meanwhile.
    fn wait_again(&self, waiting: Waiting) -> Option<Permit> {
        let (call, frame) = (waiting.record.id, frames::began(&waiting.record));
        let clock = self.inner.parts.clock.now();
        let mut state = self.state();
        if state.journal.is_under_way(call) {
            return None;
        }
        if let Err(error) = state.journal.begin(call, frame) {
            tracing::error!(%error, "a call that was taken over is known to this process and the catalog only");
        }
        state.hold(&waiting.holds, clock);
        drop(state);
        Some(waiting.permit(self))
    }

    /// Adds to calls that were left what the catalog knows of them and the journal has lost, or was never told.
    pub(super) async fn with_those_known(&self, mut left: Vec<CallRecord>) -> Result<Vec<CallRecord>, LedgerFault> {
        let known: HashSet<CallId> = left.iter().map(|record| record.id).collect();
        let dir = &self.inner.parts.journal;
        let own = store::own_background(&self.inner.parts.catalog, &self.inner.owner, MOST).await?;
        for WaitedFor { record, .. } in own.into_iter().filter(|own| !known.contains(&own.record.id)) {
            let begun = self.state().journal.begin(record.id, frames::began(&record));
            begun.map_err(|source| LedgerFault::journal(dir, source))?;
            left.push(record);
        }
        Ok(left)
    }

    /// Sets aside again what was set aside for calls that go on; all else that was fetched of shared limits goes back. Calls
    /// that others have taken over meanwhile are theirs.
    pub(super) async fn hold_again(&self, left: Vec<CallRecord>) -> Result<Vec<Waiting>, LedgerFault> {
        let book = Arc::clone(&self.state().book);
        let mut waiting: Vec<Waiting> = left.into_iter().map(|record| Waiting::of(&book, record)).collect();
        let strays = self.hold_elsewhere(&waiting).await?;
        let clock = self.inner.parts.clock.now();
        let mut state = self.state();
        waiting.retain(|waiting| {
            let call = waiting.record.id;
            if strays.contains(&call) {
                state.journal.forget(call);
                return false;
            }
            state.hold(&waiting.holds, clock);
            true
        });
        drop(state);
        Ok(waiting)
    }

    /// Answers which of the calls are another's, or settled. In one transaction: neither what is set aside nor a call must become
    /// another's in between.
    async fn hold_elsewhere(&self, waiting: &[Waiting]) -> Result<HashSet<CallId>, LedgerFault> {
        let (shared, owner) = (self.state().meters.shared(), self.inner.owner.as_str());
        let ids: Vec<CallId> = waiting.iter().map(|waiting| waiting.record.id).collect();
        let ids = ids.as_slice();
        let holding = self.inner.parts.catalog.transact(|mut tx| async move {
            let strays = store::strays(&mut tx, owner, ids).await?;
            store::return_leases(&mut tx, owner).await?;
            if shared {
                for (key, reserved) in together(waiting, &strays) {
                    set_aside(&mut tx, owner, key, money(reserved)).await?;
                }
            }
            Ok::<_, CatalogFault>((tx, strays))
        });
        Ok(Box::pin(holding).await?)
    }
}

/// What a call whose answer takes its time holds: money, and its place among the calls at once.
fn holds(book: &Book, named: &Named, record: &CallRecord) -> Vec<Hold> {
    let money = i128::from(units(record.background.unwrap_or_default()).unwrap_or(i64::MAX));
    let mut holds = Vec::new();
    for holding in book.holding(named.subjects()) {
        let reserved = match holding.limit.metric {
            Metric::UsdPerDay | Metric::UsdPerMonth => money,
            Metric::Concurrent => 1,
            Metric::RequestsPerMinute | Metric::TokensPerMinute => continue,
        };
        let (key, amount) = (MeterKey::of(&holding, record.at), i128::from(holding.limit.amount.units()));
        holds.push(Hold { key, amount, reserved });
    }
    holds
}

/// What calls hold of each limit, but for the strays among them; in the order of the limits' keys, as every process takes them.
fn together<'w>(waiting: &'w [Waiting], strays: &HashSet<CallId>) -> BTreeMap<&'w MeterKey, i128> {
    let mut sums: BTreeMap<&MeterKey, i128> = BTreeMap::new();
    let ours = waiting.iter().filter(|waiting| !strays.contains(&waiting.record.id));
    for Hold { key, reserved, .. } in ours.flat_map(|waiting| &waiting.holds) {
        *sums.entry(key).or_default() += reserved;
    }
    sums
}

/// Has a process hold what a call needs of a limit that several share.
async fn set_aside(tx: &mut Tx, owner: &str, key: &MeterKey, reserved: i64) -> Result<(), CatalogFault> {
    match BudgetKey::of(key) {
        Some(budget) => store::hold_lease(tx, owner, &budget, reserved).await,
        None => store::hold_slots(tx, owner, bucket(key), reserved).await,
    }
}

/// The same with what another process holds for it.
async fn take_along(tx: &mut Tx, between: (&str, &str), key: &MeterKey, reserved: i64) -> Result<(), CatalogFault> {
    match BudgetKey::of(key) {
        Some(budget) => store::move_lease(tx, between, &budget, reserved).await,
        None => store::move_slots(tx, between, bucket(key), reserved).await,
    }
}

fn money(amount: i128) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

impl State {
    /// Sets aside on the meters what is set aside for a call elsewhere, or was before.
    fn hold(&mut self, holds: &[Hold], clock: Timestamp) {
        let now = self.meters.now(clock);
        for Hold { key, amount, reserved } in holds {
            self.meters.hold(key, (*amount, *reserved), now);
        }
    }

    /// A call under way is another's, who has taken along what was set aside for it.
    pub(super) fn let_go(&mut self, record: &CallRecord, holds: &[Hold], clock: Timestamp) {
        self.journal.forget(record.id);
        let now = self.meters.now(clock);
        // What it took of a minute is used.
        let along = |hold: &&Hold| hold.key.metric.span().is_some() || hold.key.metric == Metric::Concurrent;
        for Hold { key, amount, reserved } in holds.iter().filter(along) {
            self.meters.settle(key, *amount, (*reserved, 0), now);
            self.meters.add(key, -*reserved);
        }
    }

    /// Who hears next that a call is in the catalog.
    pub(super) fn hearer(&mut self, call: CallId) -> Option<oneshot::Sender<CallRecord>> {
        let hearers = self.unheard.get_mut(&call)?;
        let first = hearers.pop_front();
        if hearers.is_empty() {
            self.unheard.remove(&call);
        }
        first
    }

    /// A call that ended here is another's, who has taken along what was set aside for it. So what its end gave back here is not
    /// there any more, and what it used here is not paid.
    pub(super) fn lose(&mut self, record: &CallRecord) {
        let named = Named::of(&record.caller, record.route.as_deref().unwrap_or(&record.model));
        let book = Arc::clone(&self.book);
        let cost = i128::from(units(record.cost).unwrap_or(i64::MAX));
        for Hold { key, reserved, .. } in holds(&book, &named, record) {
            let used = if key.metric.span().is_some() { cost } else { 0 };
            self.meters.add(&key, used - reserved);
        }
    }
}
