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
    Timestamp, fault,
    id::{CallId, ProjectId},
};

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
    /// What an answer that takes its time holds: money, and its place among the calls at once.
    fn of(book: &Book, record: CallRecord) -> Self {
        let named = Named::of(&record.caller, record.route.as_deref().unwrap_or(&record.model));
        let money = i128::from(units(record.cost).unwrap_or(i64::MAX));
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
        (worst.account, worst.background) = (*account, true);
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
        for found in store::orphans(&self.inner.parts.catalog, &self.inner.owner, gone, most).await? {
            match self.adopt_one(found, gone).await {
                Ok(permit) => adopted.extend(permit),
                // Those before it are ours already, and have to be waited for.
                Err(found) => {
                    tracing::debug!(error = fault::chain(&found), "a call of a process that is gone could not be taken over");
                    break;
                }
            }
        }
        Ok(adopted)
    }

    /// Nothing where its process is back, or another was first.
    async fn adopt_one(&self, found: WaitedFor, gone: Timestamp) -> Result<Option<Permit>, LedgerFault> {
        let WaitedFor { owner, record } = found;
        let book = Arc::clone(&self.state().book);
        let waiting = Waiting::of(&book, record);
        let (from, to) = (owner.as_str(), self.inner.owner.as_str());
        let (id, holds) = (waiting.record.id, &waiting.holds);
        let taking = self.inner.parts.catalog.transact(|mut tx| async move {
            let ours = store::adopt(&mut tx, id, (from, to), gone).await?;
            for hold in holds.iter().filter(|_| ours) {
                match BudgetKey::of(&hold.key) {
                    Some(budget) => store::move_lease(&mut tx, (from, to), &budget, money(hold.reserved)).await?,
                    // Of a process that is gone calls at once count no more.
                    None => set_aside(&mut tx, to, &hold.key, hold.reserved).await?,
                }
            }
            Ok::<_, CatalogFault>((tx, ours))
        });
        if !Box::pin(taking).await? {
            return Ok(None);
        }
        tracing::info!(call = %id, from, "a call in the background was taken over from a process that is gone");
        let frame = frames::began(&waiting.record);
        let mut state = self.state();
        if let Err(error) = state.journal.begin(id, frame) {
            tracing::error!(%error, "a call that was taken over is known to this process and the catalog only");
        }
        state.hold(&waiting.holds, self.inner.parts.clock.now());
        drop(state);
        Ok(Some(waiting.permit(self)))
    }

    /// Of calls that a process left under way, others may have taken some over meanwhile.
    pub(super) async fn forget_adopted(&self, interrupted: &mut Vec<CallRecord>) -> Result<(), LedgerFault> {
        let ids: Vec<CallId> = interrupted.iter().filter(|record| record.background).map(|record| record.id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let ids = serde_json::to_string(&ids).unwrap_or_else(|_| "[]".to_owned());
        let strays = store::strays(&self.inner.parts.catalog, &self.inner.owner, &ids).await?;
        interrupted.retain(|record| !strays.contains(&record.id));
        Ok(())
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

    /// Sets aside again what was set aside for calls that go on; all else that was fetched of shared limits goes back.
    pub(super) async fn hold_again(&self, left: Vec<CallRecord>) -> Result<Vec<Waiting>, LedgerFault> {
        let (book, shared) = {
            let state = self.state();
            (Arc::clone(&state.book), state.meters.shared())
        };
        let waiting: Vec<Waiting> = left.into_iter().map(|record| Waiting::of(&book, record)).collect();
        self.hold_elsewhere(if shared { waiting.as_slice() } else { &[] }).await?;
        let clock = self.inner.parts.clock.now();
        let mut state = self.state();
        for waiting in &waiting {
            state.hold(&waiting.holds, clock);
        }
        drop(state);
        Ok(waiting)
    }

    /// In one transaction: what is set aside must not be another's in between.
    async fn hold_elsewhere(&self, waiting: &[Waiting]) -> Result<(), LedgerFault> {
        // In the order of their keys, as every process does it.
        let mut sums: BTreeMap<&MeterKey, i128> = BTreeMap::new();
        for hold in waiting.iter().flat_map(|waiting| &waiting.holds) {
            *sums.entry(&hold.key).or_default() += hold.reserved;
        }
        let (owner, sums) = (self.inner.owner.as_str(), &sums);
        let holding = self.inner.parts.catalog.transact(|mut tx| async move {
            store::return_leases(&mut tx, owner).await?;
            for (key, reserved) in sums {
                set_aside(&mut tx, owner, key, *reserved).await?;
            }
            Ok::<_, CatalogFault>((tx, ()))
        });
        Ok(Box::pin(holding).await?)
    }
}

/// Has a process hold what a call needs of a limit that several share.
async fn set_aside(tx: &mut Tx, owner: &str, key: &MeterKey, reserved: i128) -> Result<(), CatalogFault> {
    match BudgetKey::of(key) {
        Some(budget) => store::hold_lease(tx, owner, &budget, money(reserved)).await,
        None => store::hold_slots(tx, owner, bucket(key), money(reserved)).await,
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
}
