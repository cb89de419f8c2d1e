//! Calls whose answers are made in the background. They are under way until that is over, in whichever process: what was set
//! aside for them stays so.

use http::HeaderMap;

use super::{
    Ledger, State,
    book::Named,
    fault::LedgerFault,
    frames,
    limit::{Metric, tame, units},
    meters::MeterKey,
    permit::{Hold, Permit},
};
use crate::record::CallRecord;

impl Permit {
    /// Writes down which response of which target the call waits for, and what attempts before it were paid, so that a process
    /// that comes after this one can go on.
    pub(crate) fn leaves(&mut self, record: &CallRecord) -> Result<(), LedgerFault> {
        let CallRecord { provider, target, response, attempts, first_ms, charges, .. } = record;
        let text = |text: &Option<String>| text.as_deref().map(tame);
        let worst = self.worst_mut();
        (worst.provider, worst.target) = (text(provider), text(target));
        (worst.response, worst.attempts, worst.first_ms) = (response.clone(), *attempts, *first_ms);
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
        let mut state = self.state();
        let left = std::mem::take(&mut state.left);
        if left.is_empty() {
            return Vec::new();
        }
        let now = state.meters.now(self.inner.parts.clock.now());
        let hold = |record: CallRecord| {
            let named = Named::of(&record.caller, record.route.as_deref().unwrap_or(&record.model));
            let holds = state.hold(&named, &record, now);
            Permit::new(self.clone(), record, named, holds, HeaderMap::new())
        };
        left.into_iter().map(hold).collect()
    }
}

impl State {
    /// Sets aside again what was set aside for a call, of limits that this process keeps alone: money, and its place among the
    /// calls at once. Those it shares were given back when it started; there the call is paid when it ends, whatever is left.
    fn hold(&mut self, named: &Named, record: &CallRecord, now: i64) -> Vec<Hold> {
        if self.meters.shared() {
            return Vec::new();
        }
        let book = std::sync::Arc::clone(&self.book);
        let reserved = i128::from(units(record.cost).unwrap_or(i64::MAX));
        let mut holds = Vec::new();
        for holding in book.holding(named.subjects()) {
            let reserved = match holding.limit.metric {
                Metric::UsdPerDay | Metric::UsdPerMonth => reserved,
                Metric::Concurrent => 1,
                Metric::RequestsPerMinute | Metric::TokensPerMinute => continue,
            };
            let (key, amount) = (MeterKey::of(&holding, record.at), i128::from(holding.limit.amount.units()));
            self.meters.take(&key, (amount, reserved), now);
            holds.push(Hold { key, amount, reserved });
        }
        holds
    }
}
