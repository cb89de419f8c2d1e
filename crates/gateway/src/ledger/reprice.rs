//! What calls would have cost at other prices, or on another model.

use std::collections::BTreeMap;

use mainspring_kernel::{Actor, AssetRef, Money, Role, Timestamp, id::ProjectId};
use mainspring_providers::{Operation, Preset, ProviderKind};

use super::{
    Ledger,
    fault::LedgerFault,
    open::records,
    pricing::Servers,
    rules::needs,
    usage::{ROWS_MAX, UsageBy, UsageFilter, UsageQuestion},
    window::hour_of,
};
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

/// What calls of one name come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RepricedRow {
    /// Empty where calls had none: no key, no user, no route.
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
    pub total: RepricedRow,
    /// In the order of their names.
    pub rows: Vec<RepricedRow>,
    /// There are more rows: these are the dearest.
    pub cut: bool,
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

/// What was added up so far, by name.
#[derive(Default)]
struct Sums {
    rows: BTreeMap<String, RepricedRow>,
    apart: Apart,
}

/// The other prices, found.
enum Rule {
    As { provider: String, server: (ProviderKind, Option<Preset>), model: String, prices: Prices },
    Table(Prices, Servers),
}

impl Ledger {
    /// Reads the calls of the actor's project that began in a stretch of time and pass the filter, and prices them anew. Tokens
    /// stay as they were counted: another model's tokenizer would count others. Cached answers cost nothing either way.
    pub async fn reprice(&self, actor: &Actor, repricing: &Repricing, question: &UsageQuestion) -> Result<Repriced, LedgerFault> {
        needs(actor, Role::Reader)?;
        self.reprice_each(actor, &[actor.project], (repricing, question)).await
    }

    /// The same of these projects together, at the prices of the actor's own. For who administers the installation, which whoever
    /// asks has made sure of.
    pub async fn reprice_all(
        &self,
        actor: &Actor,
        projects: &[ProjectId],
        (repricing, question): (&Repricing, &UsageQuestion),
    ) -> Result<Repriced, LedgerFault> {
        needs(actor, Role::Admin)?;
        self.reprice_each(actor, projects, (repricing, question)).await
    }

    async fn reprice_each(
        &self,
        actor: &Actor,
        projects: &[ProjectId],
        (repricing, question): (&Repricing, &UsageQuestion),
    ) -> Result<Repriced, LedgerFault> {
        if question.since >= question.until {
            return Err(LedgerFault::BadQuestion { reason: "`since` is not before `until`".to_owned() });
        }
        let mut sums = Sums::default();
        for project in projects {
            let rule = self.rule(actor, *project, repricing).await?;
            self.add_project(&mut sums, *project, (question, &rule)).await?;
        }
        let Sums { rows, apart } = sums;
        let mut total = RepricedRow::default();
        rows.values().for_each(|row| total.add(row));
        let mut rows: Vec<RepricedRow> = rows.into_values().collect();
        let cut = rows.len() > ROWS_MAX;
        if cut {
            rows.sort_by(|a, b| b.cost.max(b.repriced).cmp(&a.cost.max(a.repriced)).then_with(|| a.name.cmp(&b.name)));
            rows.truncate(ROWS_MAX);
            rows.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Ok(Repriced { since: question.since, until: question.until, total, rows, cut, apart })
    }

    async fn add_project(
        &self,
        sums: &mut Sums,
        project: ProjectId,
        (question, rule): (&UsageQuestion, &Rule),
    ) -> Result<(), LedgerFault> {
        let UsageQuestion { by, since, until, filter } = question;
        let mut last: Option<SegmentHead> = None;
        loop {
            let place = (hour_of(*since), *until);
            let catalog = &self.inner.parts.catalog;
            let heads = crate::store::segments_since(catalog, project, place, last.as_ref(), SEGMENTS_AT_ONCE).await?;
            let Some(newest) = heads.last().cloned() else { return Ok(()) };
            last = Some(newest);
            let within = |record: &CallRecord| record.at >= *since && record.at < *until && filter.passes(record);
            for record in records(heads).await?.into_iter().filter(within) {
                if rule.takes(&record) {
                    add(&mut sums.rows, &record, (*by, filter, rule));
                } else {
                    sums.apart.add(&record, filter);
                }
            }
        }
    }

    /// For calls of a project, at prices of the actor's.
    async fn rule(&self, actor: &Actor, project: ProjectId, repricing: &Repricing) -> Result<Rule, LedgerFault> {
        match repricing {
            Repricing::Prices(table) => {
                let prices = self.inner.prices.named(actor, table).await?;
                Ok(Rule::Table(prices, self.inner.prices.servers(project).await?))
            }
            Repricing::As(model) => {
                let servers = self.inner.prices.servers(actor.project).await?;
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
fn add(rows: &mut BTreeMap<String, RepricedRow>, record: &CallRecord, (by, filter, rule): (UsageBy, &UsageFilter, &Rule)) {
    let (provider, target) = (record.provider.as_deref(), record.target.as_deref());
    if filter.is_at(provider) {
        row(rows, by.name_of(record, (provider, target))).calls += 1;
    }
    let (mut unpriced, mut still_unpriced) = (false, false);
    for part in record.parts().filter(|part| filter.is_at(part.provider)) {
        let charge = reprice(record, part, rule);
        let used = !part.usage.is_nothing() && !record.cached;
        let (unknown, still_unknown) = (used && part.price.is_none(), used && charge.is_none());
        row(rows, by.name_of(record, (part.provider, part.target))).add(&RepricedRow {
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

fn row(rows: &mut BTreeMap<String, RepricedRow>, name: String) -> &mut RepricedRow {
    rows.entry(name.clone()).or_insert_with(|| RepricedRow { name, ..RepricedRow::default() })
}

impl RepricedRow {
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
