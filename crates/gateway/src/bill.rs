//! What a call used and cost: added up by its attempts, settled exactly once.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use mainspring_kernel::{Fault, Money};
use mainspring_llm::{
    SpanContext, TokenUsage,
    trace::{OpenSpan, names},
};
use mainspring_providers::{FaultClass, Operation};
use mainspring_telemetry::Metrics;
use tokio::time::Instant;

use crate::{
    cost::{Charge, Prices},
    fault::GatewayFault,
    ledger::Permit,
    live::{Answering, Board, Live},
    makers::{self, Makers},
    metrics::{self, Counters},
    record::{AttemptCharge, CallRecord, CallStatus, PriceStamp},
    service::CacheOutcome,
    taken::Streams,
    target::Target,
    trace,
};

/// Where settled calls are told of.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) metrics: Metrics,
    pub(crate) counters: Counters,
    pub(crate) board: Board,
    pub(crate) makers: Makers,
    pub(crate) streams: Streams,
}

/// Held by the call and by each of its attempts. Whoever lets go last without having settled settles it as cancelled: the
/// client went away.
#[derive(Debug)]
pub(crate) struct Bill {
    desk: Arc<Desk>,
    prices: Prices,
    operation: Operation,
    started: Instant,
    trace: SpanContext,
    open: Mutex<Open>,
}

/// What a stream cost, for whoever writes it: known when the event that ends it is there.
#[derive(Debug, Clone, Default)]
pub struct Spent(Weak<Bill>);

impl Spent {
    /// Nothing before the call is settled, where nobody knows the price, and where an answer says its cost in a header.
    #[must_use]
    pub fn cost(&self) -> Option<Money> {
        let bill = self.0.upgrade()?;
        let open = bill.lock();
        if open.is_settled() { open.record.known_cost() } else { None }
    }
}

#[derive(Debug)]
struct Open {
    permit: Option<Permit>,
    record: CallRecord,
    span: Option<OpenSpan>,
    first: Option<Duration>,
    /// What of the cost was followed by setting aside anew.
    covered: Money,
    /// The response that was made last, and who made it.
    made: Option<Made>,
    /// The answer is made in the background, and somebody else settles the call.
    left: bool,
}

/// A response that its provider keeps, the provider and its model.
type Made = (String, String, String);

/// A call whose answer is made in the background, for whoever settles it when that is over.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) permit: Permit,
    pub(crate) record: CallRecord,
    /// Absent after a restart.
    pub(crate) span: Option<OpenSpan>,
}

impl Open {
    const fn is_settled(&self) -> bool {
        self.permit.is_none() && !self.left
    }
}

/// How a call came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Absent where nobody knows the price.
    pub(crate) cost: Option<Money>,
    pub(crate) usage: TokenUsage,
}

impl Bill {
    pub(crate) fn open(
        desk: Arc<Desk>,
        prices: Prices,
        (operation, started): (Operation, Instant),
        (permit, record, span): (Permit, CallRecord, OpenSpan),
    ) -> Arc<Self> {
        let trace = span.context().clone();
        let (permit, span) = (Some(permit), Some(span));
        let open = Open { permit, record, span, first: None, covered: Money::ZERO, made: None, left: false };
        Arc::new(Self { desk, prices, operation, started, trace, open: Mutex::new(open) })
    }

    pub(crate) fn spent(self: &Arc<Self>) -> Spent {
        Spent(Arc::downgrade(self))
    }

    /// What spans of attempts start from.
    pub(crate) const fn trace(&self) -> &SpanContext {
        &self.trace
    }

    pub(crate) const fn operation(&self) -> Operation {
        self.operation
    }

    /// Where the call's stream is looked after.
    pub(crate) fn streams(&self) -> &Streams {
        &self.desk.streams
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An attempt begins; until one answers, the last that was tried is shown.
    pub(crate) fn tries(&self, target: &Target, named: &str) {
        let mut open = self.lock();
        open.record.attempts += 1;
        if open.first.is_none() {
            show(&mut open.record, target, named);
        }
    }

    /// The call failed with the fault of this target, which was not the last that was tried.
    pub(crate) fn tells_of(&self, target: &Target, named: &str) {
        show(&mut self.lock().record, target, named);
    }

    /// An attempt's answer begins.
    pub(crate) fn begins(&self, target: &Target, named: &str, moment: Instant) {
        let mut open = self.lock();
        open.first = Some(moment.saturating_duration_since(self.started));
        show(&mut open.record, target, named);
    }

    /// Tells whoever looks how far a stream is.
    pub(crate) fn goes_on(&self, output_tokens: u64) {
        self.desk.board.tell(|| {
            let open = self.lock();
            let record = &open.record;
            Live::Answering(Box::new(Answering {
                id: record.id,
                project: record.caller.project,
                provider: record.provider.clone().unwrap_or_default(),
                target: record.target.clone().unwrap_or_default(),
                attempts: record.attempts,
                first_ms: open.first.map(millis).unwrap_or_default(),
                output_tokens,
            }))
        });
    }

    /// A target has made a response that a client may go on from, and that its provider may keep.
    pub(crate) fn makes(&self, response: &[u8], target: &Target, (named, kept): (&str, bool)) {
        let made = |name: &str| (name.to_owned(), target.provider.name.to_string(), target.model(named).to_owned());
        let mut open = self.lock();
        open.made = makers::plain(response).filter(|_| kept).map(made);
        let project = open.record.caller.project;
        drop(open);
        self.desk.makers.note(project, response, target.id);
    }

    /// Gives the call away, whose answer is made in the background: from here on nobody settles it here.
    pub(crate) fn leave(&self, response: String) -> Option<Left> {
        let mut open = self.lock();
        let permit = open.permit.take()?;
        open.left = true;
        let first_ms = open.first.map(millis);
        let record = CallRecord { response: Some(response), first_ms, ..open.record.clone() };
        Some(Left { permit, record, span: open.span.take() })
    }

    /// Adds what an attempt used; answers what that costs.
    pub(crate) fn charge(&self, target: &Target, named: &str, usage: &TokenUsage) -> (Money, Option<Charge>) {
        let mut open = self.lock();
        if open.permit.is_none() {
            // Attempts end before their call is settled; if one did not, its cost would be lost in silence.
            tracing::error!(call = %open.record.id, "an attempt ended after its call was settled");
        }
        let charge = self.prices.cost(target.place(named), usage, open.record.batch);
        let place = (target.provider.name.as_str(), target.model(named));
        let cost = enter(&mut open.record, place, usage, charge.as_ref());
        if charge.is_none() && !usage.is_nothing() {
            self.desk.counters.unpriced();
        }
        (cost, charge)
    }

    /// A target wrote at this pace.
    pub(crate) fn paced(&self, each_token: Duration) {
        metrics::pace(&self.desk.metrics, self.operation, each_token);
    }

    /// By which price what a target uses is paid, whatever it comes to.
    pub(crate) fn price(&self, target: &Target, named: &str) -> Option<PriceStamp> {
        let batch = self.lock().record.batch;
        self.prices.cost(target.place(named), &TokenUsage::default(), batch).map(|charge| charge.price)
    }

    /// Whether anything that a target does costs something.
    pub(crate) fn is_paid(&self, target: &Target, named: &str) -> bool {
        let batch = self.lock().record.batch;
        self.prices.is_paid(target.place(named), batch)
    }

    /// Sets aside for an attempt beside the first what was set aside for that.
    pub(crate) fn again(&self) -> Result<(), GatewayFault> {
        match &mut self.lock().permit {
            Some(permit) => Ok(permit.again()?),
            None => Ok(()),
        }
    }

    /// Whether there is money for a further attempt. What failed attempts used is taken from what was set aside, so as much
    /// is set aside once more.
    pub(crate) fn may_go_on(&self) -> bool {
        let mut open = self.lock();
        let Open { permit: Some(permit), record, covered, .. } = &mut *open else { return true };
        if record.cost <= *covered {
            return true;
        }
        *covered = record.cost;
        permit.again().is_ok()
    }

    pub(crate) fn fails(&self, fault: &GatewayFault) {
        self.settle(CallStatus::Failed, Some(fault));
    }

    /// Writes down how the call came out. Only the first word counts.
    pub(crate) fn settle(&self, status: CallStatus, fault: Option<&GatewayFault>) -> Option<Settled> {
        let mut open = self.lock();
        let permit = open.permit.take()?;
        let took = self.started.elapsed();
        let (first, made) = (open.first, open.made.take());
        let record = &mut open.record;
        let response = made.filter(|_| status != CallStatus::Failed).and_then(|made| of_shown(record, made));
        if response.is_none() {
            record.account = None;
        }
        record.response = response;
        record.status = status;
        record.class = fault.and_then(GatewayFault::class);
        record.took_ms = millis(took);
        record.first_ms = first.map(millis);
        record.conclude();
        let record = record.clone();
        let span = open.span.take();
        drop(open);
        let settled = Settled { cost: record.known_cost(), usage: record.usage };
        if let Some(span) = span {
            close(span, &record, fault.map(Fault::code));
        }
        self.desk.counters.settled(self.operation, status);
        metrics::took(&self.desk.metrics, self.operation, took, first);
        // Told once it is written down: whoever hears of it finds it.
        let told = self.desk.board.is_watched().then(|| Box::new(record.clone()));
        permit.settle(record);
        if let Some(record) = told {
            self.desk.board.tell(|| Live::Settled(record));
        }
        Some(settled)
    }

    /// An answer from the cache used nothing.
    pub(crate) fn settle_cached(&self, (provider, target): (&str, &str), outcome: CacheOutcome) -> Option<Settled> {
        {
            let mut open = self.lock();
            open.first = Some(self.started.elapsed());
            // That a question is like an earlier one is known only now.
            if let Some(span) = &mut open.span {
                span.set(trace::CACHE, outcome.as_str());
            }
            let record = &mut open.record;
            record.cached = true;
            record.provider = Some(provider.to_owned());
            record.target = Some(target.to_owned());
        }
        self.settle(CallStatus::Ok, None)
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.lock().is_settled()
    }

    /// So far; of a call that is complete, what it cost. Nothing where nobody knows the price.
    pub(crate) fn cost(&self) -> Option<Money> {
        self.lock().record.known_cost()
    }

    /// Who is shown of those that were asked, if anybody was, and how many attempts there were so far.
    pub(crate) fn asked(&self) -> (Option<(String, String)>, u32) {
        let open = self.lock();
        let record = &open.record;
        (record.provider.clone().zip(record.target.clone()), record.attempts)
    }

    /// So far.
    pub(crate) fn attempts(&self) -> u32 {
        self.lock().record.attempts
    }
}

impl Drop for Bill {
    fn drop(&mut self) {
        self.settle(CallStatus::Cancelled, None);
    }
}

fn show(record: &mut CallRecord, target: &Target, named: &str) {
    record.provider = Some(target.provider.name.to_string());
    record.target = Some(target.model(named).to_owned());
    record.account = Some(target.provider.account);
}

/// The name of a response, if whoever is shown made it.
fn of_shown(record: &CallRecord, (response, provider, target): Made) -> Option<String> {
    let shown = (record.provider.as_deref(), record.target.as_deref());
    (shown == (Some(provider.as_str()), Some(target.as_str()))).then_some(response)
}

/// Adds to a record what was used at a provider's model, and answers what that cost.
pub(crate) fn enter(
    record: &mut CallRecord,
    (provider, target): (&str, &str),
    usage: &TokenUsage,
    charge: Option<&Charge>,
) -> Money {
    record.usage.grow_by(usage);
    let cost = charge.map_or(Money::ZERO, |charge| charge.cost);
    record.cost += cost;
    let price = charge.map(|charge| charge.price.clone());
    if price.is_some() {
        record.price.clone_from(&price);
    }
    let (provider, target) = (provider.to_owned(), target.to_owned());
    record.charges.push(AttemptCharge { provider, target, usage: *usage, cost, price });
    cost
}

/// The usage and the cost of a record are what its charges come to.
pub(crate) fn add_up(record: &mut CallRecord) {
    let CallRecord { usage, cost, price, charges, .. } = record;
    (*usage, *cost, *price) = (TokenUsage::default(), Money::ZERO, None);
    for charge in charges.iter() {
        usage.grow_by(&charge.usage);
        *cost += charge.cost;
        if charge.price.is_some() {
            price.clone_from(&charge.price);
        }
    }
}

pub(crate) fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

pub(crate) fn close(mut span: OpenSpan, record: &CallRecord, code: Option<&'static str>) {
    span.set(trace::STATUS, record.status.as_str());
    span.set(trace::ATTEMPTS, record.attempts);
    if let (Some(provider), Some(target)) = (&record.provider, &record.target) {
        span.set(trace::TARGET, format!("{provider}/{target}"));
        span.set(names::RESPONSE_MODEL, target.as_str());
    }
    if let Some(class) = record.class {
        span.set(trace::CLASS, class.as_str());
    }
    if let Some(first) = record.first_ms {
        span.set(names::FIRST_TOKEN_MS, first);
    }
    trace::usage(&mut span, &record.usage);
    trace::cost(&mut span, record.cost, record.price.as_ref());
    match record.status {
        CallStatus::Ok => span.finish(),
        // A span that is dropped says so itself.
        CallStatus::Cancelled => drop(span),
        CallStatus::Failed | CallStatus::Interrupted => {
            let class = record.class.map_or("the call was not made", FaultClass::as_str);
            span.fail(code.unwrap_or("internal"), class);
        }
    }
}
