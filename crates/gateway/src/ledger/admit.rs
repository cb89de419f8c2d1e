//! Letting a call through, or not.

use std::time::Duration;

use mainspring_kernel::{Fault as _, Money, Timestamp};
use mainspring_llm::{Provenance, TokenUsage};
use mainspring_providers::Operation;

use super::{
    Ledger, State,
    book::Named,
    fault::{LedgerFault, Refusal, TooDear},
    frames,
    headers::{Standing, headers},
    intent::{Candidate, Intent},
    limit::{Limit, Metric, tame, units},
    meter::{Verdict, Wait},
    meters::MeterKey,
    permit::{Hold, Permit},
};
use crate::{
    cost::Charge,
    record::{CallRecord, CallStatus, Caller},
};

/// How long a call may wait for a share of a limit to be fetched.
const FETCH_WITHIN: Duration = Duration::from_secs(2);
/// When to come back where calls under way, or other processes, hold what is missing.
const SOON: Duration = Duration::from_secs(1);

/// What a call takes of each limit: of tokens about as many as it may use, of money the most it may cost.
#[derive(Debug, Clone, Copy)]
struct Needs {
    tokens: u64,
    money: i64,
}

impl Needs {
    /// More tokens than a limit allows at all are owed once they are used: a full bucket is enough to begin.
    fn of(self, metric: Metric, amount: i128) -> i128 {
        match metric {
            Metric::RequestsPerMinute | Metric::Concurrent => 1,
            Metric::TokensPerMinute => i128::from(self.tokens).min(amount),
            Metric::UsdPerDay | Metric::UsdPerMonth => self.money.into(),
        }
    }
}

impl Ledger {
    /// Lets a call through and writes it down, or says why not. Memory and the journal only: nothing waits.
    ///
    /// Where several processes keep limits together, what is needed may not have been fetched yet: then this answers
    /// `LedgerFault::NotReady` and has it fetched. `admit_async` waits for that; elsewhere the two are the same.
    pub fn admit(&self, caller: &Caller, intent: &Intent) -> Result<Permit, LedgerFault> {
        let (record, unpriced) = self.worst(caller, intent);
        let money = units(record.cost).ok_or(LedgerFault::TooMuchMoney)?;
        let needs = Needs { tokens: record.usage.total(), money };
        let named = Named::of(&record.caller, &tame(intent.model_counted()));
        let frame = frames::began(&record);
        let clock = self.inner.parts.clock.now();
        let admitted = self.state().admit(&named, needs, (intent.at, clock), unpriced, (&record, frame));
        match admitted {
            Ok(Admitted { holds, standings, wishing }) => {
                if wishing {
                    self.inner.wished.notify_one();
                }
                Ok(Permit::new(self.clone(), record, named, holds, headers(&standings)))
            }
            Err(fault) => {
                if matches!(fault, LedgerFault::NotReady { .. }) {
                    self.inner.wished.notify_one();
                } else {
                    *self.state().refused.entry(fault.code()).or_default() += 1;
                }
                Err(fault.about(self.inner.parts.journal.as_path()))
            }
        }
    }

    /// Like `admit`, and waits up to two seconds for a share of a limit that has to be fetched from the catalog first.
    pub async fn admit_async(&self, caller: &Caller, intent: &Intent) -> Result<Permit, LedgerFault> {
        let deadline = tokio::time::Instant::now() + FETCH_WITHIN;
        loop {
            let granted = self.inner.granted.notified();
            tokio::pin!(granted);
            // From here on no grant is missed.
            granted.as_mut().enable();
            match self.admit(caller, intent) {
                Err(fault @ LedgerFault::NotReady { .. }) => {
                    if tokio::time::timeout_at(deadline, granted).await.is_err() {
                        return Err(fault);
                    }
                }
                other => return other,
            }
        }
    }

    /// The record of a call that nobody hears of again, and the first candidate without a price.
    fn worst(&self, caller: &Caller, intent: &Intent) -> (CallRecord, Option<Unpriced>) {
        let prices = self.prices(caller.project);
        let is_free = intent.operation == Operation::CountTokens;
        let (mut dearest, mut unpriced): (Option<(&Candidate, Charge)>, _) = (None, None);
        for candidate in intent.candidates.iter().filter(|_| !is_free) {
            match prices.most(candidate.place(), &intent.bound(candidate)) {
                Some(charge) if dearest.as_ref().is_none_or(|(_, dearest)| charge.cost > dearest.cost) => {
                    dearest = Some((candidate, charge));
                }
                Some(_) => {}
                None => {
                    unpriced.get_or_insert_with(|| Unpriced::of(candidate));
                }
            }
        }
        let output = intent.candidates.iter().map(|candidate| intent.output_tokens(candidate)).max().unwrap_or_default();
        let (target, charge) = dearest.unzip();
        (worst_record(caller, intent, output, target, charge), unpriced)
    }
}

/// What was set aside for a call, how its limits stand now, and whether a share of one runs low.
struct Admitted {
    holds: Vec<Hold>,
    standings: Vec<Standing>,
    wishing: bool,
}

#[derive(Debug)]
pub(crate) struct Unpriced {
    model: String,
    provider: String,
}

impl Unpriced {
    fn of(candidate: &Candidate) -> Self {
        Self { model: candidate.price_as.clone(), provider: candidate.provider.to_string() }
    }
}

fn worst_record(caller: &Caller, intent: &Intent, output: u64, target: Option<&Candidate>, charge: Option<Charge>) -> CallRecord {
    let usage = TokenUsage {
        // Tokens are told as they are thought to be; the money is that of the bound.
        input: intent.input_tokens_about,
        output,
        // One is what a price by the request is for anyway.
        searches: if intent.searches_upper > 1 { intent.searches_upper } else { 0 },
        ..TokenUsage::default()
    };
    CallRecord {
        id: intent.id,
        caller: tamed(caller),
        at: intent.at,
        took_ms: 0,
        first_ms: None,
        model: tame(&intent.model),
        route: intent.route.as_deref().map(tame),
        provider: target.map(|target| target.provider.to_string()),
        target: target.map(|target| tame(&target.price_as)),
        operation: intent.operation.as_str().to_owned(),
        status: CallStatus::Interrupted,
        class: None,
        attempts: 1,
        usage: usage.all_from(Provenance::Estimated),
        cost: charge.as_ref().map_or(Money::ZERO, |charge| charge.cost),
        price: charge.map(|charge| charge.price),
        charges: Vec::new(),
        cached: false,
        batch: intent.batch,
        response: None,
        account: None,
        background: None,
        trace: intent.trace,
    }
}

/// A caller as tables take it.
pub(crate) fn tamed(caller: &Caller) -> Caller {
    let Caller { project, principal, key, user, app, line_of } = caller;
    let name = |name: &Option<String>| name.as_deref().map(tame);
    Caller { project: *project, principal: *principal, key: *key, user: name(user), app: name(app), line_of: *line_of }
}

/// Whether a budget could pay for the call if nothing else were spent of it.
fn fits_at_all(limit: &Limit, key: &MeterKey, need: i128) -> Result<(), LedgerFault> {
    if need <= i128::from(limit.amount.units()) {
        return Ok(());
    }
    Err(LedgerFault::TooDear(Box::new(TooDear {
        limit: limit.id,
        metric: limit.metric,
        whom: key.whom(),
        allowed: limit.amount.to_string(),
        needed: Money::from_pico(need),
    })))
}

/// What no table prices does not go against a budget.
fn is_priced(unpriced: Option<&Unpriced>) -> Result<(), LedgerFault> {
    match unpriced {
        Some(Unpriced { model, provider }) => Err(LedgerFault::Unpriced { model: model.clone(), provider: provider.clone() }),
        None => Ok(()),
    }
}

/// Of two limits in the way the one that is there longer: who came back for the other would meet it.
fn longer(one: Option<LedgerFault>, other: LedgerFault) -> LedgerFault {
    match one {
        Some(one) if one.retry_after() >= other.retry_after() => one,
        _ => other,
    }
}

impl State {
    /// Looks at every limit first, so that a call that is refused has taken nothing, and is told of the limit that is in its
    /// way the longest. What waiting does not help is told before that.
    fn admit(
        &mut self,
        named: &Named,
        needs: Needs,
        (at, clock): (Timestamp, Timestamp),
        unpriced: Option<Unpriced>,
        (record, frame): (&CallRecord, Vec<u8>),
    ) -> Result<Admitted, LedgerFault> {
        if self.shut {
            return Err(LedgerFault::DiskFull(std::io::ErrorKind::StorageFull.into()));
        }
        let now = self.meters.now(clock);
        let book = std::sync::Arc::clone(&self.book);
        let subjects = named.subjects();
        let mut holds = Vec::new();
        let (mut refused, mut fetching) = (None, false);
        for holding in book.holding(subjects) {
            let (key, amount) = (MeterKey::of(&holding, at), i128::from(holding.limit.amount.units()));
            let need = needs.of(key.metric, amount);
            if key.metric.span().is_some() {
                is_priced(unpriced.as_ref())?;
                fits_at_all(holding.limit, &key, need)?;
                if self.journal.waiting_bytes() > self.waiting_max {
                    refused = Some(longer(refused, self.behind()));
                }
            }
            match self.meters.check(&key, (amount, need), now) {
                Verdict::Room => holds.push(Hold { key, amount, reserved: need }),
                Verdict::Fetching => fetching = true,
                Verdict::Away => refused = Some(longer(refused, self.behind())),
                Verdict::Full(wait) => refused = Some(longer(refused, self.refusal(holding.limit, &key, wait, now))),
            }
        }
        if let Some(fault) = refused {
            return Err(fault);
        }
        if fetching {
            return Err(LedgerFault::NotReady { what: "shares of a limit" });
        }
        self.journal.begin(record.id, frame).map_err(LedgerFault::of_journal)?;
        for hold in &holds {
            self.meters.take(&hold.key, (hold.amount, hold.reserved), now);
        }
        let standings = holds.iter().map(|hold| self.standing(&hold.key, hold.amount, now)).collect();
        let wishing = holds.iter().any(|hold| self.meters.is_wishing(&hold.key));
        Ok(Admitted { holds, standings, wishing })
    }

    /// What may not reach the catalog for long does not go against a budget.
    fn behind(&self) -> LedgerFault {
        LedgerFault::Behind { waiting: self.journal.waiting() }
    }

    fn standing(&self, key: &MeterKey, amount: i128, now: i64) -> Standing {
        Standing { metric: key.metric, amount, quota: self.meters.quota(key, amount, now) }
    }

    pub(super) fn refusal(&self, limit: &Limit, key: &MeterKey, wait: Wait, now: i64) -> LedgerFault {
        let amount = i128::from(limit.amount.units());
        let retry_after = match (wait, key.metric.span()) {
            (Wait::Exactly(wait), _) => wait,
            (Wait::NextWindow, Some(span)) => span.end(key.starts).since(Timestamp::from_micros(now / 1_000)),
            (Wait::Soon | Wait::NextWindow, _) => SOON,
        };
        let taken = key.metric.span().map(|_| Money::from_pico(self.meters.taken(key, amount)));
        LedgerFault::Refused(Box::new(Refusal {
            limit: limit.id,
            metric: limit.metric,
            whom: key.whom(),
            allowed: limit.amount.to_string(),
            taken,
            retry_after,
            headers: headers(&[self.standing(key, amount, now)]),
        }))
    }
}
