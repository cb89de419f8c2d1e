//! From tokens to money.

use std::{collections::HashMap, iter, sync::Arc};

use mainspring_kernel::{Digest, Money};
use mainspring_llm::{ServiceTier, TokenUsage};
use mainspring_providers::{Preset, ProviderKind};

use crate::{
    incurs::Incurs,
    prices::{ModelPrice, PricesSpec, Rates},
    prices_builtin,
    record::PriceStamp,
};

/// Each of the ten pieces a call is billed in may be rounded up by half a unit, and the bound itself down by one.
const ROUNDING: Money = Money::from_pico(6);
/// What stands before the model's name where Bedrock serves it from several regions: the areas of its inference profiles.
const BEDROCK_REGIONS: [&str; 12] =
    ["us.", "us-gov.", "amer.", "ca.", "sa.", "eu.", "me.", "apac.", "jp.", "au.", "in.", "global."];

/// A model at a provider, as prices know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    pub provider: &'a str,
    pub kind: ProviderKind,
    /// Which known server it is, where anybody knows.
    pub preset: Option<Preset>,
    /// The target's `price_as`, or its model.
    pub model: &'a str,
}

/// What a call may come to at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// Tokens read.
    pub input: u64,
    /// And written.
    pub output: u64,
    /// As how many a price by the request may count it: one, but of reranking.
    pub searches: u64,
    pub batch: bool,
    pub incurs: Incurs,
}

/// What something costs, and by which price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    pub cost: Money,
    pub price: PriceStamp,
}

/// One version of a table of prices, ready for look-ups.
#[derive(Debug)]
pub struct PriceTable {
    digest: Digest,
    models: Vec<ModelPrice>,
    /// By full name, the places in `models`.
    exact: HashMap<String, Vec<usize>>,
    /// The places of those that end in `*`, by how they begin: a span is priced with every look-up, and there are hundreds.
    patterns: HashMap<String, Vec<usize>>,
}

/// Bytes by which patterns are told apart; all shorter ones stand together.
const BEGINNING: usize = 5;

fn beginning(name: &str) -> &str {
    name.get(..BEGINNING).unwrap_or_default()
}

impl PriceTable {
    #[must_use]
    pub fn new(digest: Digest, spec: PricesSpec) -> Self {
        let models = spec.models;
        let mut exact: HashMap<String, Vec<usize>> = HashMap::new();
        let mut patterns: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, price) in models.iter().enumerate() {
            match price.model.strip_suffix('*') {
                Some(stem) => patterns.entry(beginning(stem).to_owned()).or_default().push(index),
                None => exact.entry(price.model.clone()).or_default().push(index),
            }
        }
        Self { digest, models, exact, patterns }
    }

    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The first entry that names the model.
    fn find(&self, place: Place<'_>) -> Option<&ModelPrice> {
        self.named(place.model, place).or_else(|| match place.kind {
            ProviderKind::Bedrock => {
                let bare = BEDROCK_REGIONS.iter().find_map(|region| place.model.strip_prefix(region))?;
                self.named(bare, place)
            }
            _ => None,
        })
    }

    fn named(&self, model: &str, place: Place<'_>) -> Option<&ModelPrice> {
        let here = |index: &usize| {
            let only = self.models[*index].provider.as_ref();
            let is_here = |only: &str| {
                only == place.provider
                    || only == place.kind.as_str()
                    || place.preset.is_some_and(|preset| only == preset.as_str())
            };
            only.is_none_or(|only| is_here(only.as_str()))
        };
        let matches = |index: &usize| self.models[*index].model.strip_suffix('*').is_some_and(|stem| model.starts_with(stem));
        let exact = self.exact.get(model).into_iter().flatten().copied().find(|index| here(index));
        let first_of = |alike: &Vec<usize>| alike.iter().copied().find(|index| matches(index) && here(index));
        let patterns = [beginning(model), ""].into_iter().filter_map(|begins| self.patterns.get(begins).and_then(first_of));
        let first = exact.into_iter().chain(patterns).min()?;
        self.models.get(first)
    }
}

/// The prices in force: a project's own table first, the built-in one after it.
#[derive(Debug, Clone)]
pub struct Prices {
    tables: Vec<Arc<PriceTable>>,
}

impl Prices {
    #[must_use]
    pub fn builtin() -> Self {
        Self { tables: vec![prices_builtin::table()] }
    }

    /// A project's table before the built-in one.
    #[must_use]
    pub fn over_builtin(own: Arc<PriceTable>) -> Self {
        Self { tables: vec![own, prices_builtin::table()] }
    }

    /// What a call's tokens cost there. `None` where no table knows: that is not the same as free.
    #[must_use]
    pub fn cost(&self, place: Place<'_>, usage: &TokenUsage, batch: bool) -> Option<Charge> {
        let (table, price) = self.find(place)?;
        Some(charge(table, price, bill(&rates(price, usage.input, (batch, usage.tier)), usage)))
    }

    /// Like `cost`, where nobody noted of which type the provider was.
    #[must_use]
    pub fn cost_anywhere(&self, (provider, model): (&str, &str), usage: &TokenUsage, batch: bool) -> Option<Charge> {
        kinds_of(provider).iter().find_map(|kind| self.cost(Place { provider, kind: *kind, preset: None, model }, usage, batch))
    }

    /// Whether there is a price.
    #[must_use]
    pub fn has(&self, place: Place<'_>) -> bool {
        self.find(place).is_some()
    }

    /// What so many tokens can cost there at most, whatever they turn out to be of what the request can make of them: cached,
    /// audio, thinking.
    #[must_use]
    pub fn most(&self, place: Place<'_>, bound: &Bound) -> Option<Charge> {
        let (table, price) = self.find(place)?;
        let tiers = price.tiers.iter().filter(|tier| bound.input > tier.above_input).map(|tier| tier.above_input + 1);
        let other: &[ServiceTier] = if bound.incurs.served { &ServiceTier::ALL } else { &[] };
        let served = iter::once(None).chain(other.iter().copied().map(Some));
        let all = iter::once(0).chain(tiers);
        let all = all.flat_map(|length| served.clone().map(move |served| rates(price, length, (bound.batch, served))));
        let most = all.map(|rates| upper(&rates, place.kind, bound)).max().unwrap_or_default();
        Some(charge(table, price, most))
    }

    /// Whether anything costs something there. Not where nobody knows a price.
    #[must_use]
    pub(crate) fn is_paid(&self, place: Place<'_>, batch: bool) -> bool {
        // More than anybody reads or writes, so that no tier is missed.
        const MUCH: u64 = 1 << 40;
        let bound = Bound { input: MUCH, output: MUCH, searches: 1, batch, incurs: Incurs::ALL };
        self.most(place, &bound).is_some_and(|charge| !charge.cost.is_zero())
    }

    fn find(&self, place: Place<'_>) -> Option<(&PriceTable, &ModelPrice)> {
        self.tables.iter().find_map(|table| Some((table.as_ref(), table.find(place)?)))
    }
}

/// What a provider of this name may be. The models of this process are a provider of their own name.
pub(crate) fn kinds_of(provider: &str) -> &'static [ProviderKind] {
    if provider == ProviderKind::Local.as_str() {
        return &[ProviderKind::Local];
    }
    &[ProviderKind::OpenAi, ProviderKind::Azure, ProviderKind::Anthropic, ProviderKind::Gemini, ProviderKind::Bedrock]
}

fn charge(table: &PriceTable, price: &ModelPrice, cost: Money) -> Charge {
    Charge { cost, price: PriceStamp { table: table.digest, entry: price.model.clone() } }
}

/// The rates that hold for a call with so much input. What is served in a batch is served as batches are.
fn rates(price: &ModelPrice, input: u64, (batch, served): (bool, Option<ServiceTier>)) -> Rates {
    let (usual, in_batch, by_tier) = match price.tiers.iter().rfind(|tier| input > tier.above_input) {
        Some(tier) => (tier.rates, tier.batch, &tier.service_tiers),
        None => (price.rates(), price.batch, &price.service_tiers),
    };
    let other = if batch { in_batch } else { served.and_then(|tier| by_tier.get(tier.as_str()).copied()) };
    other.unwrap_or(usual)
}

/// Every token once, each at the rate of what it is.
fn bill(rates: &Rates, usage: &TokenUsage) -> Money {
    let buckets = usage.buckets();
    let cache_write = rates.cache_write.unwrap_or(rates.input);
    [
        (rates.input, buckets.input),
        (rates.cache_read.unwrap_or(rates.input), buckets.cache_read),
        (cache_write, buckets.cache_write),
        (rates.cache_write_hour.unwrap_or(cache_write), buckets.cache_write_hour),
        (rates.input_audio.unwrap_or(rates.input), buckets.input_audio),
        (rates.input_image.unwrap_or(rates.input), buckets.input_image),
        (rates.output, buckets.output),
        (rates.reasoning.unwrap_or(rates.output), buckets.reasoning),
        (rates.output_audio.unwrap_or(rates.output), buckets.output_audio),
        (rates.output_image.unwrap_or(rates.output), buckets.output_image),
    ]
    .into_iter()
    .map(|(rate, tokens)| rate.for_tokens(tokens))
    .sum::<Money>()
        + rates.request.unwrap_or_default().times(usage.searches.max(1))
}

fn upper(rates: &Rates, kind: ProviderKind, bound: &Bound) -> Money {
    let Bound { input, output, searches, incurs, .. } = *bound;
    let dearest = |text: Money, others: &[Option<Money>]| others.iter().flatten().copied().fold(text, Money::max);
    let only = |rate: Option<Money>, possible: bool| rate.filter(|_| possible);
    // Anthropic writes to its cache what it is told to; others do so by themselves.
    let writes = incurs.marked || kind != ProviderKind::Anthropic;
    let reading = dearest(
        rates.input,
        &[
            rates.cache_read,
            only(rates.cache_write, writes),
            only(rates.cache_write_hour, incurs.timed),
            only(rates.input_audio, incurs.media),
            only(rates.input_image, incurs.media),
        ],
    );
    let writing = dearest(rates.output, &[rates.reasoning, rates.output_audio, rates.output_image]);
    let most = reading.for_tokens(input) + writing.for_tokens(output) + rates.request.unwrap_or_default().times(searches.max(1));
    // What is free stays free.
    if most.is_zero() && reading.is_zero() && writing.is_zero() { most } else { most + ROUNDING }
}

#[cfg(test)]
mod tests;
