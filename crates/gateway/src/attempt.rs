//! One request to one target: what came of it is told to the target's health, to the call's bill and to the trace,
//! whichever way it ends.

use std::{sync::Arc, time::Duration};

use mainspring_kernel::{Fault, Money};
use mainspring_llm::{
    Provenance, TokenUsage,
    trace::{OpenSpan, SpanKind, names},
};
use mainspring_providers::{FaultClass, Operation};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use crate::{
    asked::writes,
    begins::Manner,
    bill::Bill,
    fault::GatewayFault,
    input::Input,
    makers, reckon,
    routes::Route,
    target::{Entered, Target},
    trace,
};

/// Whoever looks at calls is told how far a stream is once in so many tokens, here in eighths.
const TELL_EVERY: u64 = 32 * reckon::TOKEN;

/// Whether a provider said so itself. Of a fault that was found here, because nothing came in time or nobody can read it, one
/// does not know what was done before.
const fn is_refusal(class: FaultClass) -> bool {
    use FaultClass::{Connect, Malformed, Reset, Timeout, Unsupported};
    !matches!(class, Connect | Timeout | Reset | Malformed | Unsupported)
}

/// What comes within so short a time came at once: it says nothing of how fast a model writes.
const WRITING_MIN: Duration = Duration::from_millis(20);

/// How far an attempt has come, as far as it can cost something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Nothing has left this process.
    Prepared,
    /// The provider may be at work.
    Sent,
    /// The provider said yes.
    Answering,
}

/// What an attempt is of.
#[derive(Debug, Clone)]
pub(crate) struct Of {
    pub(crate) bill: Arc<Bill>,
    pub(crate) route: Arc<Route>,
    pub(crate) index: usize,
    /// The model as the client named it.
    pub(crate) named: Arc<str>,
    pub(crate) input: Input,
    /// Tokens it may write: what was set aside, beyond which nothing is guessed of an answer that broke off.
    pub(crate) most: u64,
    /// How the answer comes.
    pub(crate) manner: Manner,
    /// The client wants a response that is made while it is away.
    pub(crate) background: bool,
    /// The provider keeps the response.
    pub(crate) kept: bool,
}

/// Dropped before it is over, it is settled with what was seen, or with a guess from what was streamed.
#[derive(Debug)]
pub(crate) struct Attempt {
    of: Of,
    entered: Entered,
    span: Option<OpenSpan>,
    started: Instant,
    answered: Option<Instant>,
    begun: Option<Instant>,
    stage: Stage,
    /// Something of an answer came.
    came: bool,
    usage: Option<TokenUsage>,
    /// The text that came, about, in eighths of a token, and how much of it when usage was last told.
    written: u64,
    told_at: u64,
    /// When lookers are told next, in eighths of a token.
    shown_at: u64,
    over: bool,
    /// The response that goes on in the background: whoever waits for its end charges it.
    left: Option<String>,
    _slot: Option<OwnedSemaphorePermit>,
}

impl Attempt {
    pub(crate) fn new(of: Of, entered: Entered, slot: Option<OwnedSemaphorePermit>, now: Instant) -> Self {
        let target = &of.route.targets[of.index];
        let model = target.model(&of.named);
        of.bill.tries(target, &of.named);
        let mut span = of.bill.trace().start(format!("attempt {}/{model}", target.provider.name), SpanKind::Client);
        span.set(names::OPERATION, of.bill.operation().as_str());
        span.set(names::PROVIDER, trace::provider(target.provider.kind()));
        span.set(names::REQUEST_MODEL, model);
        span.set(trace::TARGET, format!("{}/{model}", target.provider.name));
        Self {
            of,
            entered,
            span: Some(span),
            started: now,
            answered: None,
            begun: None,
            stage: Stage::Prepared,
            came: false,
            usage: None,
            written: 0,
            told_at: 0,
            shown_at: TELL_EVERY,
            over: false,
            left: None,
            _slot: slot,
        }
    }

    pub(crate) fn operation(&self) -> Operation {
        self.of.bill.operation()
    }

    /// By which price the target is paid, as a client is told; nothing where nothing is paid.
    pub(crate) fn price(&self) -> Option<String> {
        let price = self.of.bill.price(self.target(), &self.of.named);
        (!self.is_free()).then(|| price.map_or_else(|| "unknown".to_owned(), |price| trace::price(&price)))
    }

    /// Which provider is asked, and for which model.
    pub(crate) fn names(&self) -> (String, String) {
        let target = self.target();
        (target.provider.name.to_string(), target.model(&self.of.named).to_owned())
    }

    pub(crate) fn target(&self) -> &Target {
        &self.of.route.targets[self.of.index]
    }

    /// The request is about to leave this process.
    pub(crate) fn sends(&mut self) {
        self.stage = self.stage.max(Stage::Sent);
    }

    /// The provider's answer has a head that says yes.
    pub(crate) fn is_answered(&mut self) {
        self.stage = Stage::Answering;
        self.answered.get_or_insert_with(Instant::now);
    }

    /// The first event of a stream is there: what comes from here on is the client's.
    pub(crate) fn begins(&mut self) {
        self.begins_at(Instant::now());
        self.of.bill.goes_on(reckon::tokens(self.written));
    }

    fn begins_at(&mut self, moment: Instant) {
        if self.begun.is_none() {
            self.begun = Some(moment);
            self.stage = Stage::Answering;
            self.came = true;
            // A count comes at once, also from a model that takes its time to answer; so does a promise to answer later.
            let tells = self.operation() != Operation::CountTokens && self.left.is_none();
            let manner = tells.then_some(self.of.manner);
            self.entered.began(manner, moment);
            self.of.bill.begins(&self.of.route.targets[self.of.index], &self.of.named, moment);
            if let Some(span) = &mut self.span {
                trace::millis(span, names::FIRST_TOKEN_MS, moment.saturating_duration_since(self.started));
            }
        }
    }

    /// An answer is under way, whether or not there is a word of it yet.
    pub(crate) fn hears(&mut self) {
        self.came = true;
    }

    /// Usage as the provider tells it; several words about one answer are merged.
    pub(crate) fn saw(&mut self, usage: &TokenUsage) {
        self.came |= !usage.is_nothing();
        self.usage.get_or_insert_default().merge(usage);
        self.told_at = self.written;
        if usage.input > 0 {
            self.of.input.is_told();
        }
    }

    /// The target has given the response a name that a client may go on from, or come back for.
    pub(crate) fn made(&mut self, response: &[u8], goes_on: bool) {
        self.of.bill.makes(response, self.target(), (&*self.of.named, self.of.kept));
        if goes_on && self.is_background() {
            self.left = makers::plain(response).map(str::to_owned);
        }
    }

    pub(crate) const fn is_background(&self) -> bool {
        self.of.background
    }

    /// The response that goes on when the answer is over.
    pub(crate) fn left(&self) -> Option<&str> {
        self.left.as_deref()
    }

    /// More text came, of so many eighths of a token.
    pub(crate) fn wrote(&mut self, eighths: u64) {
        self.came |= eighths > 0;
        self.written = self.written.saturating_add(eighths);
        if self.written >= self.shown_at {
            self.shown_at = self.written.saturating_add(TELL_EVERY);
            if self.begun.is_some() {
                self.of.bill.goes_on(reckon::tokens(self.written));
            }
        }
    }

    pub(crate) fn mark(&mut self, set: impl FnOnce(&mut OpenSpan)) {
        if let Some(span) = &mut self.span {
            set(span);
        }
    }

    /// The answer is complete. One that came whole began with its head; whether the target is well is known only now.
    pub(crate) fn completes(&mut self) {
        if self.over {
            return;
        }
        self.begins_at(self.answered.unwrap_or_else(Instant::now));
        self.entered.completed(Instant::now());
        let used = self.owed(self.whole());
        self.charge(used);
        if let Some(span) = self.span.take() {
            span.finish();
        }
    }

    /// The attempt failed. A fault without a class is the client's own.
    pub(crate) fn fails(&mut self, fault: &GatewayFault) {
        if self.over {
            return;
        }
        let class = fault.class().unwrap_or(FaultClass::Invalid);
        self.entered.failed(class, self.of.manner, Instant::now());
        let used = match self.stage {
            // It said yes and then, in the place of an answer, why there is none.
            Stage::Answering if !self.came && is_refusal(class) => None,
            Stage::Answering => self.owed(self.so_far()),
            // A provider that is late to answer may well have done the work.
            Stage::Sent if class == FaultClass::Timeout => self.owed(self.so_far()),
            Stage::Sent | Stage::Prepared => None,
        };
        self.charge(used);
        if let Some(mut span) = self.span.take() {
            span.set(trace::CLASS, class.as_str());
            span.fail(fault.code(), class.as_str());
        }
    }

    /// The attempt failed with this fault, which is handed on.
    pub(crate) fn told(&mut self, fault: impl Into<GatewayFault>) -> GatewayFault {
        let fault = fault.into();
        self.fails(&fault);
        fault
    }

    /// The answer ended without having been complete.
    pub(crate) fn unfinished(&self) -> GatewayFault {
        self.target().fault(FaultClass::Reset, "the stream ended before the answer was complete".to_owned()).into()
    }

    fn is_free(&self) -> bool {
        match self.of.bill.operation() {
            Operation::CountTokens => true,
            // Those who offer it charge nothing for it, unless somebody says that this one does.
            Operation::Moderations => !self.of.bill.is_paid(self.target(), &self.of.named),
            _ => false,
        }
    }

    /// What an answer that told nothing used: what its request says, and so many tokens of its text.
    fn guess(&self, output: u64) -> TokenUsage {
        if self.is_free() {
            return TokenUsage::default();
        }
        let (input, searches) = self.of.input.guess();
        TokenUsage { input, output, searches, ..TokenUsage::default() }.all_from(Provenance::Estimated)
    }

    /// What a complete answer used: what was told. Some servers tell of one side alone; the other is a guess then. Of a sum
    /// only the division is one.
    fn whole(&self) -> TokenUsage {
        let guess = || self.guess(reckon::tokens(self.written));
        let Some(mut usage) = self.usage else { return guess() };
        if writes(self.operation()) && !usage.is_nothing() && !usage.divide(reckon::tokens(self.written)) {
            if usage.input == 0 {
                (usage.input, usage.input_from) = (guess().input, Provenance::Estimated);
            }
            if usage.output == 0 && self.written > 0 {
                (usage.output, usage.output_from) = (reckon::tokens(self.written), Provenance::Estimated);
            }
        }
        usage
    }

    /// What an answer that broke off used: what was told, and a guess for what came after that.
    fn so_far(&self) -> TokenUsage {
        // What was told, and what is seen of a whole answer, counts whatever was allowed. A guess about one whose end nobody
        // saw goes no further than what was set aside.
        let Some(mut usage) = self.usage else { return self.guess(reckon::tokens(self.written).min(self.of.most)) };
        let is_sum = writes(self.operation()) && usage.divide(reckon::tokens(self.told_at));
        let more = reckon::tokens(self.written - self.told_at);
        if more > 0 {
            usage.output = usage.output.saturating_add(more).min(self.of.most.max(usage.output));
            usage.output_from = Provenance::Estimated;
        }
        if usage.input == 0 && !is_sum {
            usage.input = self.of.input.guess().0;
            usage.input_from = Provenance::Estimated;
        }
        usage
    }

    /// What has to be paid of what was used: nothing of an operation that is free.
    fn owed(&self, usage: TokenUsage) -> Option<TokenUsage> {
        (!self.is_free()).then_some(usage)
    }

    /// An attempt that nobody is paid for costs nothing, also where a price is by the request.
    fn charge(&mut self, used: Option<TokenUsage>) {
        self.over = true;
        if self.left.is_some() {
            return;
        }
        let (cost, charge) = match &used {
            Some(usage) => self.of.bill.charge(self.target(), &self.of.named, usage),
            None => (Money::ZERO, None),
        };
        let usage = &used.unwrap_or_default();
        let writing = self.begun.map(|begun| begun.elapsed());
        self.entered.used(usage, cost, writing);
        let pace = writing.filter(|writing| usage.output > 0 && *writing > WRITING_MIN);
        if let Some(writing) = pace {
            self.of.bill.paced(writing.div_f64(usage.output as f64));
        }
        if let Some(span) = &mut self.span {
            trace::usage(span, usage);
            trace::cost(span, cost, charge.as_ref().map(|charge| &charge.price));
            if let Some(writing) = pace {
                span.set(trace::SPEED, (usage.output as f64 / writing.as_secs_f64() * 10.0).round() / 10.0);
            }
        }
    }
}

impl Drop for Attempt {
    /// The client went away, or another attempt was quicker.
    fn drop(&mut self) {
        if !self.over {
            let used = if self.stage == Stage::Prepared { None } else { self.owed(self.so_far()) };
            self.charge(used);
        }
    }
}
