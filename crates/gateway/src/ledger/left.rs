//! Calls whose answers are made in the background. They are under way until that is over, in whichever process: what was set
//! aside for them stays so.

use http::HeaderMap;
use mainspring_kernel::Money;

use super::{
    Ledger, State,
    book::Named,
    fault::LedgerFault,
    frames,
    limit::{tame, units},
    meters::MeterKey,
    permit::{Hold, Permit},
};
use crate::record::{CallRecord, CallStatus};

impl Permit {
    /// Writes down which response of which target the call waits for, so that a process that comes after this one can.
    pub(crate) fn leaves(&mut self, record: &CallRecord) -> Result<(), LedgerFault> {
        let CallRecord { provider, target, response, attempts, first_ms, .. } = record;
        let text = |text: &Option<String>| text.as_deref().map(tame);
        let worst = self.worst_mut();
        (worst.provider, worst.target) = (text(provider), text(target));
        (worst.response, worst.attempts, worst.first_ms) = (response.clone(), *attempts, *first_ms);
        let (id, frame) = (worst.id, frames::began(worst));
        let ledger = self.ledger();
        let written = ledger.state().journal.begin(id, frame);
        written.map_err(|source| LedgerFault::journal(&ledger.inner.parts.journal, source))
    }
}

impl Ledger {
    /// The calls that an earlier process left so, each with the right to settle it, and as nothing has been paid of them.
    pub(crate) fn take_left(&self) -> Vec<(Permit, CallRecord)> {
        let mut state = self.state();
        let left = std::mem::take(&mut state.left);
        if left.is_empty() {
            return Vec::new();
        }
        let now = state.meters.now(self.inner.parts.clock.now());
        let hold = |record: CallRecord| {
            let named = Named::of(&record.caller, record.route.as_deref().unwrap_or(&record.model));
            let holds = state.hold(&named, &record, now);
            let unpaid = CallRecord {
                status: CallStatus::Cancelled,
                usage: mainspring_llm::TokenUsage::default(),
                cost: Money::ZERO,
                price: None,
                ..record.clone()
            };
            (Permit::new(self.clone(), record, named, holds, HeaderMap::new()), unpaid)
        };
        left.into_iter().map(hold).collect()
    }
}

impl State {
    /// Sets aside again what was set aside for a call of budgets that this process keeps alone. Those it shares were given back
    /// when it started; there the call is paid when it ends, whatever is left of them.
    fn hold(&mut self, named: &Named, record: &CallRecord, now: i64) -> Vec<Hold> {
        if self.meters.shared() {
            return Vec::new();
        }
        let book = std::sync::Arc::clone(&self.book);
        let reserved = i128::from(units(record.cost).unwrap_or(i64::MAX));
        let mut holds = Vec::new();
        for holding in book.holding(named.subjects()).filter(|holding| holding.limit.metric.span().is_some()) {
            let (key, amount) = (MeterKey::of(&holding, record.at), i128::from(holding.limit.amount.units()));
            self.meters.take(&key, (amount, reserved), now);
            holds.push(Hold { key, amount, reserved });
        }
        holds
    }
}
