//! Which target a call would take, and why: what `mainspring route explain` prints.

use mainspring_kernel::Money;
use mainspring_llm::exchange::Dialect;
use mainspring_providers::Operation;
use rand::Rng;
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    asked::Question,
    begins::Manner,
    breaker::Standing,
    choose::{self, Bar, Order, Picked, Seen, Why, stable_hash},
    cost::Prices,
    estimate::Size,
    record::Caller,
    route::{Cache, CacheMode, Choose, Sticky},
    routes::Route,
};

/// A call somebody thinks of making. What is left out is as most calls have it.
#[derive(Debug, Clone, Default)]
pub struct ExplainQuestion {
    pub operation: Option<Operation>,
    /// How long the request is, in tokens.
    pub input_tokens: Option<u64>,
    pub max_tokens: Option<u32>,
    pub user: Option<String>,
    pub session: Option<String>,
    pub batch: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// As the client would name it.
    pub model: String,
    /// Which version of which route, or `provider/model`.
    pub route: String,
    pub choose: Choose,
    /// What keeps calls like this one together, where the route says so and the call tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Sticky>,
    /// In the order in which they would be asked, then those left out.
    pub targets: Vec<ExplainedTarget>,
    /// Whether the route keeps answers.
    pub cached: bool,
    /// And of which calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<String>,
    pub retries: u32,
    pub hedged: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedTarget {
    pub provider: String,
    pub model: String,
    /// From 1; absent for one that would not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<u32>,
    /// Why it stands there, or why it is left out.
    pub why: String,
    pub tier: u32,
    pub weight: u32,
    #[serde(flatten)]
    pub standing: Standing,
    pub in_flight: u32,
    /// How soon it lately began, in milliseconds, bad moments weighing more; absent while nothing of it ever began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begin_ms: Option<f64>,
    /// What the call would cost there, as far as anyone can tell before it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
}

pub(crate) fn explain(
    route: &Route,
    (caller, model, asked): (&Caller, &str, &ExplainQuestion),
    prices: &Prices,
    dice: &mut impl Rng,
) -> Explanation {
    let size = Size::of_tokens(asked.input_tokens.unwrap_or(0));
    let operation = asked.operation.unwrap_or(Operation::Chat);
    let said_in =
        if matches!(operation, Operation::Messages | Operation::CountTokens) { Dialect::Anthropic } else { Dialect::OpenAiChat };
    // Most calls that write are streams.
    let manner = match operation {
        Operation::Embeddings | Operation::Rerank | Operation::Moderations => Manner::Whole,
        _ => Manner::Streamed,
    };
    let (max_tokens, batch) = (asked.max_tokens, asked.batch);
    let question = Question { operation, manner, said_in, named: model, size, max_tokens, n: None, batch };
    let seen = question.weigh(route, prices, Instant::now());
    let sticky = sticky(route, caller, asked);
    let order = choose::order(&seen, route.spec.choose, sticky.map(|(_, key)| key), dice);
    let show = |index: usize, place: Option<usize>, why: String| {
        let target = &route.targets[index];
        let Seen { weight, tier, standing, begin_ms, in_flight, .. } = seen[index].clone();
        let on: Vec<&str> = target.spec.on.iter().map(|class| class.as_str()).collect();
        let mut why = if on.is_empty() { why } else { format!("{why}; asked only after {}", on.join(", ")) };
        if let Some(lacks) = target.provider.lacks() {
            why = format!("{why}; cannot be called: {lacks}");
        }
        ExplainedTarget {
            provider: target.provider.name.to_string(),
            model: target.model(model).to_owned(),
            place: place.and_then(|place| u32::try_from(place + 1).ok()),
            why,
            tier,
            weight,
            standing,
            in_flight,
            begin_ms: begin_ms.filter(|_| target.state.has_begun(manner)),
            cost: prices.cost(target.place(model), &question.guess(), asked.batch).map(|charge| charge.cost),
        }
    };
    let Order { picked, barred, preferred: _ } = order;
    // As a call does it: whose provider is busy comes after everyone else, and is waited for then.
    let (waits, free): (Vec<_>, Vec<_>) = picked.iter().partition(|picked| is_busy(route, picked.index));
    let why = |picked: &Picked| {
        // What failures count as is no time at which anything began.
        let never = matches!(picked.why, Why::Sooner { .. }) && !route.targets[picked.index].state.has_begun(manner);
        let why = if never { "lately failed before anything began".to_owned() } else { picked.why.to_string() };
        if is_busy(route, picked.index) { format!("{why}; {}, so that it is asked last and waited for", Bar::Busy) } else { why }
    };
    let in_turn = free.into_iter().chain(waits).enumerate();
    let asked_in_turn = in_turn.map(|(place, picked)| show(picked.index, Some(place), why(picked)));
    let left_out = barred.iter().map(|(index, bar)| show(*index, None, bar.to_string()));
    Explanation {
        model: model.to_owned(),
        route: route.at(),
        choose: route.spec.choose,
        sticky: sticky.map(|(kind, _)| kind),
        targets: asked_in_turn.chain(left_out).collect(),
        cached: route.spec.cache.is_some(),
        cache: route.spec.cache.as_ref().map(keeps),
        retries: route.spec.retry.attempts,
        hedged: route.spec.hedge.is_some(),
    }
}

/// Which answers are kept, and for whom.
fn keeps(Cache { mode, ttl, sampled, .. }: &Cache) -> String {
    let which = if *sampled {
        format!("every answer is kept for {ttl}")
    } else {
        format!("an answer is kept for {ttl} where its call has `temperature: 0` or a `seed`; `sampled: true` keeps every one")
    };
    match mode {
        CacheMode::Exact => format!("{which}. It is given again for exactly the same request"),
        CacheMode::Semantic => format!("{which}. It is given again also for a request that means the same"),
    }
}

fn is_busy(route: &Route, index: usize) -> bool {
    route.targets[index].provider.slots.as_ref().is_some_and(|slots| slots.available_permits() == 0)
}

fn sticky(route: &Route, caller: &Caller, asked: &ExplainQuestion) -> Option<(Sticky, u64)> {
    let kind = route.spec.sticky?;
    let key = kind.key(caller, asked.user.as_deref(), asked.session.as_deref())?;
    Some((kind, stable_hash(key.as_bytes())))
}

impl Sticky {
    /// What calls that stay together have in common; absent where nobody says.
    pub(crate) fn key(self, caller: &Caller, user: Option<&str>, session: Option<&str>) -> Option<String> {
        match self {
            Self::Key => Some(caller.key.map_or_else(|| caller.principal.to_string(), |key| key.to_string())),
            Self::User => {
                let user = user.or(caller.user.as_deref()).map(str::to_owned);
                Some(user.unwrap_or_else(|| caller.principal.to_string()))
            }
            Self::Session => session.map(str::to_owned),
        }
    }
}
