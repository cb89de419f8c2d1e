//! What calls would have cost at other prices, or on another model.

use std::collections::BTreeMap;

use mainspring_kernel::{Actor, AssetRef, Money, Role, Timestamp};
use mainspring_providers::{Operation, Preset, ProviderKind};

use super::{Ledger, fault::LedgerFault, open::records, pricing::Servers, rules::needs, usage::UsageFilter, window::hour_of};
use crate::{
    cost::{Charge, Place, Prices, kinds_of},
    record::{CallRecord, Part},
    store::SegmentHead,
};

const SEGMENTS_AT_ONCE: usize = 16;

/// Other prices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repricing {
    /// Every call that writes text on this model: a model, or `provider/model`. Another one cannot do what it does not.
    As(String),
    /// Every call where it went, at the prices of another table or version of the project.
    Prices(AssetRef),
}

/// What calls of one model come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RepricedModel {
    /// Provider and model the calls went to.
    pub name: String,
    pub calls: u64,
    pub input: u64,
    pub output: u64,
    /// As it was recorded.
    pub cost: Money,
    /// At the other prices.
    pub repriced: Money,
    /// Calls whose recorded cost nobody knew, and calls nobody knows the other cost of: the sums are without them.
    pub unpriced: u64,
    pub still_unpriced: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repriced {
    pub since: Timestamp,
    pub until: Timestamp,
    pub total: RepricedModel,
    /// By name.
    pub models: Vec<RepricedModel>,
    /// Calls that the other model could not take, such as embeddings, and what they cost: they are in no sum.
    pub apart: Apart,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Apart {
    pub calls: u64,
    pub cost: Money,
}

/// Operations, as records have them, whose answer is a text.
const WRITES: [&str; 2] = [Operation::Chat.as_str(), Operation::Completions.as_str()];

/// The other prices, found.
enum Rule {
    As { provider: String, server: (ProviderKind, Option<Preset>), model: String, prices: Prices },
    Table(Prices, Servers),
}

impl Ledger {
    /// Reads the calls of the actor's project that began in a stretch of time and pass the filter, and prices them anew. Tokens
    /// stay as they were counted: another model's tokenizer would count others. Cached answers cost nothing either way.
    pub async fn reprice(
        &self,
        actor: &Actor,
        repricing: &Repricing,
        filter: &UsageFilter,
        (since, until): (Timestamp, Timestamp),
    ) -> Result<Repriced, LedgerFault> {
        needs(actor, Role::Reader)?;
        if since >= until {
            return Err(LedgerFault::BadQuestion { reason: "`since` is not before `until`".to_owned() });
        }
        let rule = self.rule(actor, repricing).await?;
        let mut models: BTreeMap<String, RepricedModel> = BTreeMap::new();
        let mut apart = Apart::default();
        let mut last: Option<SegmentHead> = None;
        loop {
            let place = (hour_of(since), until);
            let catalog = &self.inner.parts.catalog;
            let heads = crate::store::segments_since(catalog, actor.project, place, last.as_ref(), SEGMENTS_AT_ONCE).await?;
            let Some(newest) = heads.last().cloned() else { break };
            last = Some(newest);
            let within = |record: &CallRecord| record.at >= since && record.at < until && filter.passes(record);
            for record in records(heads).await?.into_iter().filter(within) {
                if rule.takes(&record) {
                    add(&mut models, &record, (filter, &rule));
                } else {
                    apart.add(&record, filter);
                }
            }
        }
        let mut total = RepricedModel::default();
        models.values().for_each(|model| total.add(model));
        Ok(Repriced { since, until, total, models: models.into_values().collect(), apart })
    }

    async fn rule(&self, actor: &Actor, repricing: &Repricing) -> Result<Rule, LedgerFault> {
        let servers = self.inner.prices.servers(actor.project).await?;
        match repricing {
            Repricing::Prices(table) => Ok(Rule::Table(self.inner.prices.named(actor, table).await?, servers)),
            Repricing::As(model) => {
                let prices = self.prices(actor.project);
                let (provider, server, name) = priced_place(&prices, &servers, model)?;
                Ok(Rule::As { provider, server, model: name, prices })
            }
        }
    }
}

impl Rule {
    /// Other prices hold for every call; another model can only be asked for what it does.
    fn takes(&self, record: &CallRecord) -> bool {
        matches!(self, Self::Table(..)) || WRITES.contains(&record.operation.as_str())
    }
}

impl Apart {
    fn add(&mut self, record: &CallRecord, filter: &UsageFilter) {
        self.calls += u64::from(filter.is_at(record.provider.as_deref()));
        self.cost += record.parts().filter(|part| filter.is_at(part.provider)).map(|part| part.cost).sum::<Money>();
    }
}

type PricedPlace = (String, (ProviderKind, Option<Preset>), String);

/// Where a model has a price: under its whole name anywhere, or after a provider's name.
fn priced_place(prices: &Prices, servers: &Servers, model: &str) -> Result<PricedPlace, LedgerFault> {
    let named = model.split_once('/').unwrap_or(("", model));
    // `openai/gpt-oss-120b` is a model at one provider, and a provider with a model at another.
    for (provider, name) in [named, ("", model)] {
        let has = |(kind, preset): &(ProviderKind, Option<Preset>)| {
            prices.has(Place { provider, kind: *kind, preset: *preset, model: name })
        };
        let guessed = kinds_of(provider).iter().map(|kind| (*kind, None));
        if let Some(server) = servers.of(provider).into_iter().chain(guessed).find(has) {
            return Ok((provider.to_owned(), server, name.to_owned()));
        }
    }
    Err(LedgerFault::UnknownPrice { model: mainspring_kernel::text::elide(model, 200) })
}

/// A call counts once, where it was answered, and each part of it where it was used. Of what nobody has a price for the first
/// part counts the call.
fn add(models: &mut BTreeMap<String, RepricedModel>, record: &CallRecord, (filter, rule): (&UsageFilter, &Rule)) {
    let (provider, target) = (record.provider.as_deref(), record.target.as_deref());
    if filter.is_at(provider) {
        model(models, name(record, (provider, target))).calls += 1;
    }
    let (mut unpriced, mut still_unpriced) = (false, false);
    for part in record.parts().filter(|part| filter.is_at(part.provider)) {
        let charge = reprice(record, part, rule);
        let used = !part.usage.is_nothing() && !record.cached;
        let (unknown, still_unknown) = (used && part.price.is_none(), used && charge.is_none());
        model(models, name(record, (part.provider, part.target))).add(&RepricedModel {
            name: String::new(),
            calls: 0,
            input: part.usage.input,
            output: part.usage.output,
            cost: part.cost,
            repriced: charge.map_or(Money::ZERO, |charge| charge.cost),
            unpriced: u64::from(unknown && !unpriced),
            still_unpriced: u64::from(still_unknown && !still_unpriced),
        });
        unpriced |= unknown;
        still_unpriced |= still_unknown;
    }
}

fn name(record: &CallRecord, (provider, target): (Option<&str>, Option<&str>)) -> String {
    match provider.filter(|provider| !provider.is_empty()) {
        Some(provider) => format!("{provider}/{}", target.unwrap_or_default()),
        None => record.model.clone(),
    }
}

fn model(models: &mut BTreeMap<String, RepricedModel>, name: String) -> &mut RepricedModel {
    models.entry(name.clone()).or_insert_with(|| RepricedModel { name, ..RepricedModel::default() })
}

impl RepricedModel {
    fn add(&mut self, more: &Self) {
        let Self { name: _, calls, input, output, cost, repriced, unpriced, still_unpriced } = more;
        self.calls += calls;
        self.input = self.input.saturating_add(*input);
        self.output = self.output.saturating_add(*output);
        self.cost += *cost;
        self.repriced += *repriced;
        self.unpriced += unpriced;
        self.still_unpriced += still_unpriced;
    }
}

/// `None` where nobody knows. What used nothing costs nothing, unless it is paid by the call.
fn reprice(record: &CallRecord, part: Part<'_>, rule: &Rule) -> Option<Charge> {
    if record.cached || part.usage.is_nothing() && part.cost.is_zero() {
        return None;
    }
    match rule {
        Rule::As { provider, server: (kind, preset), model, prices } => {
            prices.cost(Place { provider, kind: *kind, preset: *preset, model }, part.usage, record.batch)
        }
        Rule::Table(prices, servers) => {
            // The record has no type of its provider, and that may be another one by now; its target was priced by an entry, or
            // by its own name.
            let (provider, target) = (part.provider?, part.target?);
            let entry = part.price.map(|price| price.entry.as_str()).filter(|entry| !entry.ends_with('*'));
            [Some(target), entry].into_iter().flatten().find_map(|model| {
                let known = servers
                    .of(provider)
                    .and_then(|(kind, preset)| prices.cost(Place { provider, kind, preset, model }, part.usage, record.batch));
                known.or_else(|| prices.cost_anywhere((provider, model), part.usage, record.batch))
            })
        }
    }
}
