//! The right to make a call, and its end.

use http::HeaderMap;
use mainspring_kernel::Money;
use tokio::sync::oneshot;

use super::{
    Ledger, State,
    admit::tamed,
    batch::{BATCH_CALLS, Settled},
    book::Named,
    fault::LedgerFault,
    frames,
    limit::{Metric, tame, units},
    meter::{Verdict, Wait},
    meters::MeterKey,
};
use crate::record::{AttemptCharge, CallRecord, CallStatus};

/// What was set aside of one limit.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    pub(crate) key: MeterKey,
    pub(crate) amount: i128,
    pub(crate) reserved: i128,
}

/// The right to make one call, which is written down already. Settle it with what came of it; dropped, the call counts as
/// interrupted and costs what was set aside.
#[derive(Debug)]
pub struct Permit {
    ledger: Ledger,
    /// What is written if nobody says better.
    worst: CallRecord,
    named: Named,
    holds: Vec<Hold>,
    headers: HeaderMap,
    settled: bool,
}

impl Permit {
    pub(crate) const fn new(ledger: Ledger, worst: CallRecord, named: Named, holds: Vec<Hold>, headers: HeaderMap) -> Self {
        Self { ledger, worst, named, holds, headers, settled: false }
    }

    /// How the limits of this call stood when it was let through: `x-ratelimit-limit-requests` and so on.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    /// What is set aside for the call.
    #[must_use]
    pub const fn set_aside(&self) -> Money {
        self.worst.cost
    }

    /// Sets as much money aside once more, for a further attempt beside or after one that may have to be paid. Answers why
    /// that cannot be; what is set aside already stays.
    pub fn again(&mut self) -> Result<(), LedgerFault> {
        let once = units(self.worst.cost).ok_or(LedgerFault::TooMuchMoney)?;
        let mut worst = self.worst.clone();
        let attempts = i128::from(worst.attempts);
        worst.attempts = worst.attempts.saturating_add(1);
        worst.cost = Money::from_pico(i128::from(once) / attempts.max(1) * (attempts + 1));
        let more = units(worst.cost - self.worst.cost).ok_or(LedgerFault::TooMuchMoney)?;
        let frame = frames::began(&worst);
        let clock = self.ledger.inner.parts.clock.now();
        let mut state = self.ledger.state();
        let now = state.meters.now(clock);
        for hold in self.holds.iter().filter(|hold| hold.key.metric.span().is_some()) {
            match state.meters.check(&hold.key, (hold.amount, more.into()), now) {
                // A limit that was removed meanwhile is no reason.
                Verdict::Full(wait) => {
                    if let Some(fault) = state.refusal_of(&hold.key, wait, now) {
                        return Err(fault);
                    }
                }
                Verdict::Room => {}
                Verdict::Fetching => return Err(LedgerFault::NotReady { what: "shares of a budget" }),
                Verdict::Away => return Err(LedgerFault::Behind { waiting: state.journal.waiting() }),
            }
        }
        state.journal.begin(worst.id, frame).map_err(|source| LedgerFault::journal(&self.ledger.inner.parts.journal, source))?;
        for hold in self.holds.iter_mut().filter(|hold| hold.key.metric.span().is_some()) {
            state.meters.take(&hold.key, (hold.amount, more.into()), now);
            hold.reserved += i128::from(more);
        }
        drop(state);
        self.worst = worst;
        Ok(())
    }

    /// What is written if nobody says better.
    pub(super) const fn worst_mut(&mut self) -> &mut CallRecord {
        &mut self.worst
    }

    pub(crate) const fn worst(&self) -> &CallRecord {
        &self.worst
    }

    pub(super) const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The process ends before the call does: the journal says so already, and the next one goes on from there.
    pub(crate) fn stays_open(mut self) {
        self.settled = true;
    }

    /// Another process has taken the call over, and along with it what was set aside: here it is not under way any more, and
    /// nothing of that comes back.
    pub(crate) fn goes_elsewhere(mut self) {
        self.settled = true;
        let clock = self.ledger.inner.parts.clock.now();
        self.ledger.state().let_go(&self.worst, &self.holds, clock);
    }

    /// Ends the call with what was set aside, since nobody will ever know better. Answers that, and where it is told once it is
    /// written.
    pub(crate) fn interrupt(self) -> (CallRecord, oneshot::Receiver<CallRecord>) {
        let record = self.lost();
        (record.clone(), self.settle_and_hear(record))
    }

    /// What is written where nobody knows: all that was set aside, whatever attempts before were paid.
    fn lost(&self) -> CallRecord {
        CallRecord { status: CallStatus::Interrupted, charges: Vec::new(), ..self.worst.clone() }
    }

    /// Ends the call with what came of it. Whose call it was and when it began stay as they were admitted.
    pub fn settle(mut self, record: CallRecord) {
        self.end(record);
    }

    /// The same of a call in the background, which may be another process's by now. The record comes once it is in the catalog;
    /// where the call is the other's to settle, none does.
    pub(crate) fn settle_and_hear(mut self, record: CallRecord) -> oneshot::Receiver<CallRecord> {
        let (tell, told) = oneshot::channel();
        // Before it can be written.
        self.ledger.state().unheard.entry(self.worst.id).or_default().push_back(tell);
        self.end(record);
        told
    }

    fn end(&mut self, record: CallRecord) {
        self.settled = true;
        let text = |text: Option<String>| text.as_deref().map(tame);
        let settled = Settled::new(CallRecord {
            id: self.worst.id,
            // An app is known only once the call is under way.
            caller: crate::record::Caller { app: tamed(&record.caller).app, ..self.worst.caller.clone() },
            at: self.worst.at,
            model: self.worst.model.clone(),
            route: self.worst.route.clone(),
            provider: text(record.provider),
            target: text(record.target),
            operation: tame(&record.operation),
            charges: record.charges.into_iter().map(tamed_charge).collect(),
            batch: self.worst.batch,
            background: self.worst.background,
            ..record
        });
        let clock = self.ledger.inner.parts.clock.now();
        let outcome = {
            let mut state = self.ledger.state();
            let now = state.meters.now(clock);
            state.settle(&self.named, &self.holds, settled, now)
        };
        match outcome {
            Ok(false) => {}
            Ok(true) => self.ledger.inner.full.notify_one(),
            Err(error) => tracing::error!(%error, "how a call ended could not be written to the journal; it is kept in memory"),
        }
    }
}

fn tamed_charge(charge: AttemptCharge) -> AttemptCharge {
    AttemptCharge { provider: tame(&charge.provider), target: tame(&charge.target), ..charge }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.settled {
            let record = self.lost();
            self.end(record);
        }
    }
}

impl State {
    /// Answers whether there is enough for a batch.
    fn settle(&mut self, named: &Named, holds: &[Hold], settled: Settled, now: i64) -> std::io::Result<bool> {
        let record = &settled.record;
        let (tokens, cost, at) = (record.usage.total(), units(record.cost).unwrap_or(i64::MAX), record.at);
        for hold in holds {
            let used = match hold.key.metric {
                Metric::RequestsPerMinute => hold.reserved,
                Metric::TokensPerMinute => tokens.into(),
                Metric::Concurrent => 0,
                Metric::UsdPerDay | Metric::UsdPerMonth => cost.into(),
            };
            self.meters.settle(&hold.key, hold.amount, (hold.reserved, used), now);
        }
        // Budgets that were set while the call was under way are spent by it too.
        if cost > 0 && self.book.has_budgets() && !self.meters.shared() {
            let book = std::sync::Arc::clone(&self.book);
            for holding in book.holding(named.subjects()).filter(|holding| holding.limit.metric.span().is_some()) {
                let key = MeterKey::of(&holding, at);
                if !holds.iter().any(|hold| hold.key == key) {
                    self.meters.settle(&key, holding.limit.amount.units().into(), (0, cost.into()), now);
                }
            }
        }
        self.journal.end(settled)?;
        Ok(self.journal.pending().len() >= BATCH_CALLS)
    }

    /// A refusal of a limit that is known by its meter only.
    fn refusal_of(&self, key: &MeterKey, wait: Wait, now: i64) -> Option<LedgerFault> {
        let limit = self.book.find(key.project, (key.kind, key.metric), &key.subject)?;
        Some(self.refusal(limit, key, wait, now))
    }
}
