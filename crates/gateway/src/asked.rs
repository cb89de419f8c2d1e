//! A call as its attempts see it.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use mainspring_kernel::Money;
use mainspring_llm::{TokenUsage, exchange::Dialect};
use mainspring_providers::{Operation, ProviderKind};
use tokio::time::Instant;

use crate::{
    allowed,
    begins::Manner,
    choose::{Bar, Seen, stable_hash},
    cost::Prices,
    estimate::{self, Size},
    fault::GatewayFault,
    route::Choose,
    routes::Route,
    service::{Reading, Request},
    target::Target,
};

/// What a call that says nothing of its length is taken to write when prices are compared.
const OUTPUT_USUAL: u64 = 500;

/// One request of a client, and the route it takes.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    pub(crate) route: Arc<Route>,
    pub(crate) named: Arc<str>,
    pub(crate) size: Size,
    pub(crate) started: Instant,
    /// The whole call is over by then.
    pub(crate) deadline: Instant,
    reading: OnceLock<Reading>,
}

impl Asked {
    pub(crate) fn of(mut request: Request, route: Arc<Route>, started: Instant) -> Self {
        // Limits and records by user mean whom the client named.
        if request.caller.user.is_none() {
            request.caller.user.clone_from(&request.peeked.user);
        }
        // What is sent for an answer may be sent for a count too: that comes whole, whatever the body says.
        request.peeked.stream &= writes(request.operation);
        let total = started + route.spec.timeouts.total.as_duration();
        let deadline = total.min(request.budget.deadline());
        let size = estimate::size(&request.body);
        let named = Arc::from(request.peeked.model.as_str());
        Self { request, route, named, size, started, deadline, reading: OnceLock::new() }
    }

    /// The request read whole, at the first time anyone needs it.
    pub(crate) fn reading(&self) -> Result<&Reading, GatewayFault> {
        if let Some(reading) = self.reading.get() {
            return Ok(reading);
        }
        let read = (self.request.read)(&self.request.body)?;
        Ok(self.reading.get_or_init(|| read))
    }

    /// How many tokens the target may write: so many are set aside for it.
    pub(crate) fn most(&self, target: &Target) -> u64 {
        if !writes(self.request.operation) {
            return 0;
        }
        let usual = target.spec.max_output_tokens.or(target.provider.spec.default_max_tokens);
        allowed::most(&self.request.peeked.bounds, self.request.operation, (&target.spec.parameters, usual))
    }

    pub(crate) fn question(&self) -> Question<'_> {
        let (bounds, operation) = (&self.request.peeked.bounds, self.request.operation);
        Question {
            operation,
            manner: self.manner(),
            said_in: self.request.said_in,
            named: &self.named,
            size: self.size,
            max_tokens: bounds.each(operation),
            n: Some(u32::try_from(bounds.answers(operation)).unwrap_or(u32::MAX)),
            batch: self.request.batch,
        }
    }

    /// How long an attempt is waited for until its answer begins. The head of a text that comes whole is sent when all of it
    /// is written; answers without a text begin soon or not at all.
    pub(crate) fn begins_within(&self) -> Duration {
        let timeouts = &self.route.spec.timeouts;
        let within = match (self.request.peeked.stream, self.comes_whole()) {
            (true, _) => timeouts.for_stream(),
            (false, true) => timeouts.for_whole(),
            (false, false) => timeouts.for_brief(),
        };
        within.as_duration()
    }

    /// Whether the answer is a text in one piece.
    pub(crate) fn comes_whole(&self) -> bool {
        !self.request.peeked.stream && writes(self.request.operation)
    }

    /// Whether the answer is to be made while the client is away.
    pub(crate) fn is_background(&self) -> bool {
        self.request.operation == Operation::Responses && self.request.peeked.background
    }

    /// By which of a target's times the call is judged.
    pub(crate) fn manner(&self) -> Manner {
        let whole = !self.request.peeked.stream && self.request.operation != Operation::CountTokens;
        if whole { Manner::Whole } else { Manner::Streamed }
    }

    /// The name of an answer whose provider gives it none, as the client's dialect has them.
    pub(crate) fn answer_id(&self) -> String {
        let prefix = match self.request.said_in {
            Dialect::OpenAiChat | Dialect::Local => "chatcmpl-",
            Dialect::OpenAiResponses => "resp_",
            Dialect::Anthropic => "msg_",
            Dialect::Gemini | Dialect::Bedrock => "",
        };
        format!("{prefix}{}", self.request.trace.trace)
    }

    /// What calls that stay together have in common; absent where the client does not say.
    pub(crate) fn sticky(&self) -> Option<u64> {
        let peeked = &self.request.peeked;
        let key = self.route.spec.sticky?.key(&self.request.caller, peeked.user.as_deref(), peeked.session.as_deref())?;
        Some(stable_hash(key.as_bytes()))
    }
}

/// What the choice of a target depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) operation: Operation,
    pub(crate) manner: Manner,
    pub(crate) said_in: Dialect,
    pub(crate) named: &'a str,
    pub(crate) size: Size,
    pub(crate) max_tokens: Option<u32>,
    pub(crate) n: Option<u32>,
    pub(crate) batch: bool,
}

impl Question<'_> {
    /// What the client allows to be written, all choices together.
    pub(crate) fn output_most(&self) -> Option<u64> {
        self.max_tokens.map(|each| u64::from(each) * u64::from(self.n.unwrap_or(1).max(1)))
    }

    /// How the targets of a route look to this call.
    pub(crate) fn weigh(&self, route: &Route, prices: &Prices, now: Instant) -> Vec<Seen> {
        route.targets.iter().map(|target| self.see(target, route.spec.choose, prices, now)).collect()
    }

    fn see(&self, target: &Target, choose: Choose, prices: &Prices, now: Instant) -> Seen {
        let (standing, begin_ms) = target.state.look(self.manner, now);
        Seen {
            weight: target.spec.weight,
            tier: target.spec.tier,
            standing,
            begin_ms,
            in_flight: target.state.in_flight(),
            cost: if choose == Choose::Cost { self.cost(target, prices) } else { None },
            id: target.id,
            bar: self.bar(target),
        }
    }

    fn cost(&self, target: &Target, prices: &Prices) -> Option<Money> {
        prices.cost(target.place(self.named), &self.guess(), self.batch).map(|charge| charge.cost)
    }

    /// What it may use, for comparing.
    pub(crate) fn guess(&self) -> TokenUsage {
        let output = if writes(self.operation) { self.output_most().unwrap_or(OUTPUT_USUAL) } else { 0 };
        TokenUsage { input: self.size.about(), output, ..TokenUsage::default() }
    }

    fn bar(&self, target: &Target) -> Option<Bar> {
        if !can(target.provider.kind(), self.operation, self.said_in) {
            return Some(Bar::Unsupported);
        }
        let window = target.spec.context_window?;
        // What may be written has to fit into the window too.
        let tokens = self.size.least().saturating_add(self.max_tokens.map_or(0, u64::from));
        (writes(self.operation) && tokens > u64::from(window)).then_some(Bar::ContextWindow { tokens, window })
    }
}

pub(crate) const fn writes(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Chat | Operation::Responses | Operation::Compact | Operation::Messages | Operation::Completions
    )
}

/// Whether a kind of provider has an operation at all; what this cannot tell, the adapter refuses later.
const fn can(kind: ProviderKind, operation: Operation, said_in: Dialect) -> bool {
    match operation {
        Operation::Chat | Operation::Responses | Operation::Compact | Operation::Messages => true,
        // Where a provider does not count, we do.
        Operation::CountTokens => true,
        // Models of this process go on with raw text where they are asked as such.
        Operation::Completions if matches!(said_in, Dialect::Local) => matches!(kind, ProviderKind::Local),
        // To who has no such endpoint the prompt is what a user says.
        Operation::Completions => true,
        Operation::Moderations => matches!(kind, ProviderKind::OpenAi | ProviderKind::Azure),
        Operation::Embeddings | Operation::Rerank => !matches!(kind, ProviderKind::Anthropic),
    }
}
