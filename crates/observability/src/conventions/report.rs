//! Who speaks which convention, and what of it nobody here understands.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

use arrow_array::RecordBatch;
use mainspring_kernel::{Actor, Timestamp, text::nearest};
use mainspring_lake::{Aggregate, Filter, MeasureOf, Order, Scan, Table};
use mainspring_llm::trace::SpanEvent;
use serde_json::{Map, Value};

use super::{
    aliases::{self, Convention},
    contents::is_content_of_event,
};
use crate::{fault::TraceFault, query, service::Observability, table::Rows};

/// Of so many spans, the newest of each service that names itself: as many of each.
const LOOKED_AT: usize = 5_000;
/// Services that have sent something in this time are looked at; in the shorter one where there is too much to count.
const LATE: [Duration; 2] = [Duration::from_secs(7 * 24 * 3600), Duration::from_secs(24 * 3600)];
const SERVICES_MAX: usize = 100;
const UNKNOWN_MAX: usize = 100;
const ATTRIBUTES_MAX: usize = 200;
const WORDS_MAX: usize = 20;
/// Spans with very many or very long attributes are looked at only as far as this many bytes of them.
const READ_MAX: usize = 64 << 20;
/// How long attributes are shows with the first spans.
const FIRST_READ: usize = 100;
/// Different names that are counted: whoever makes up a name for each span is not followed further.
const NAMES_MAX: usize = 10_000;
const NAME_MAX: usize = 200;
/// How names begin that this server writes into anybody's spans: for how many one stands, which library made it.
const WRITTEN_HERE: [&str; 2] = ["mainspring.", "otel."];

/// What the newest spans of each service of a project were written in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conventions {
    /// Most spans first.
    pub services: Vec<ServiceWords>,
    /// Names of attributes of spans and events under `gen_ai.` that are in no table here, the most frequent first.
    pub unknown: Vec<UnknownName>,
    /// Names of attributes that no convention here knows and that groups can be made of, the most frequent first.
    pub attributes: Vec<String>,
    pub spans: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceWords {
    pub service: String,
    pub spans: u64,
    pub last: Timestamp,
    /// In how many spans each convention is spoken.
    pub conventions: BTreeMap<Convention, u64>,
    /// Versions of the conventions of OpenTelemetry that the schema addresses of its spans name.
    pub versions: BTreeSet<String>,
    /// The instrumentations that made its spans, with their versions.
    pub instrumentations: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName {
    pub name: String,
    pub spans: u64,
    pub services: BTreeSet<String>,
    /// A known name that is written almost so.
    pub like: Option<&'static str>,
}

impl Observability {
    /// Looks at the newest spans that other programs sent, of each service as many, so that none hides another.
    pub async fn conventions(&self, actor: &Actor) -> Result<Conventions, TraceFault> {
        self.catch_up().await;
        let asking = self.asking(actor, self.now());
        let theirs = asking.project().and(Filter::present("service"));
        let batches = samples(self.table().snapshot().await?.as_ref(), theirs, self.now()).await?;
        let mut traces = HashSet::new();
        for batch in &batches {
            let rows = Rows(batch);
            for row in 0..batch.num_rows() {
                traces.extend(rows.text("trace", row)?.map(str::to_owned));
            }
        }
        let hidden =
            if traces.is_empty() { HashSet::new() } else { query::hidden(asking, Filter::any_of("trace", traces)).await? };
        let mut tally = Tally::default();
        for batch in &batches {
            let rows = Rows(batch);
            for row in 0..batch.num_rows() {
                if rows.text("trace", row)?.is_some_and(|trace| hidden.contains(trace)) {
                    continue;
                }
                let attributes = rows.text("attributes", row)?.and_then(|text| serde_json::from_str(text).ok());
                let events: Option<Vec<SpanEvent>> = rows.text("events", row)?.and_then(|text| serde_json::from_str(text).ok());
                let at = Timestamp::from_micros(rows.number("start", row)?.unwrap_or_default());
                if let (Some(service), Some(attributes)) = (rows.text("service", row)?, attributes) {
                    tally.add(service, at, &attributes, &events.unwrap_or_default());
                }
            }
        }
        Ok(tally.told())
    }
}

/// The newest spans of each service.
async fn samples(table: &dyn Table, theirs: Filter, now: Timestamp) -> Result<Vec<RecordBatch>, TraceFault> {
    let (theirs, services) = services(table, theirs, now).await?;
    let Some(of_each) = LOOKED_AT.checked_div(services.len()) else { return Ok(Vec::new()) };
    let bytes = READ_MAX / services.len();
    let (few, many): (Vec<_>, Vec<_>) = services.into_iter().partition(|(_, spans)| *spans <= of_each);
    let mut batches = Vec::new();
    for (service, _) in many {
        batches.extend(newest(table, theirs.clone().and(Filter::eq("service", service)), (of_each, bytes)).await?);
    }
    // Of those that sent little everything is looked at: looking for each by itself would read all that others sent.
    if !few.is_empty() {
        let (rows, bytes) = (few.iter().map(|(_, spans)| *spans).sum::<usize>(), bytes * few.len());
        let these = theirs.and(Filter::any_of("service", few.into_iter().map(|(service, _)| service)));
        batches.extend(newest(table, these, (rows, bytes)).await?);
    }
    Ok(batches)
}

/// The services that have sent something of late and how many spans each, and the spans of that time. Where nothing came for
/// long, of any time.
async fn services(table: &dyn Table, theirs: Filter, now: Timestamp) -> Result<(Filter, Vec<(String, usize)>), TraceFault> {
    for late in LATE {
        let since = theirs.clone().and(Filter::GtEq("start".into(), now.minus(late).as_micros().into()));
        match counted(table, since.clone()).await {
            Ok(found) if found.is_empty() => break,
            Ok(found) => return Ok((since, found)),
            Err(fault) if fault.is_too_much() => {}
            Err(fault) => return Err(fault),
        }
    }
    let found = counted(table, theirs.clone()).await?;
    Ok((theirs, found))
}

/// The services of these spans that sent something last, and how much.
async fn counted(table: &dyn Table, these: Filter) -> Result<Vec<(String, usize)>, TraceFault> {
    let asked = Aggregate::of(these)
        .by("service")
        .measure("service_spans", MeasureOf::Rows)
        .measure("service_last", MeasureOf::Max("start".into()))
        .order("service_last", Order::Descending)
        .limit(SERVICES_MAX);
    let mut found = Vec::new();
    for batch in table.aggregate(asked).await?.batches {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let spans = rows.number("service_spans", row)?.and_then(|spans| usize::try_from(spans).ok());
            if let (Some(service), Some(spans)) = (rows.text("service", row)?, spans) {
                found.push((service.to_owned(), spans));
            }
        }
    }
    Ok(found)
}

/// The newest of these spans, as many as may be looked at.
async fn newest(table: &dyn Table, these: Filter, (most, read_max): (usize, usize)) -> Result<Vec<RecordBatch>, TraceFault> {
    let columns = ["trace", "service", "start", "attributes", "events"];
    let (mut batches, mut looked, mut bytes, mut step) = (Vec::new(), 0, 0, FIRST_READ);
    while looked < most && bytes < read_max {
        let wanted = step.min(most - looked);
        let scan = Scan::of(these.clone()).columns(&columns).order("start", Order::Descending).limit(wanted);
        let found = table.scan(Scan { offset: looked, ..scan }).await?;
        let before = looked;
        for batch in &found {
            let rows = Rows(batch);
            looked += batch.num_rows();
            for row in 0..batch.num_rows() {
                let said = |name: &str| Ok::<_, TraceFault>(rows.text(name, row)?.map_or(0, str::len));
                bytes += said("attributes")? + said("events")?;
            }
        }
        batches.extend(found);
        if looked - before < wanted {
            break;
        }
        step = (read_max.saturating_sub(bytes) / (bytes / looked).max(1)).max(1);
    }
    Ok(batches)
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    services: HashMap<String, ServiceWords>,
    unknown: HashMap<String, UnknownName>,
    /// In how many spans each name is.
    attributes: HashMap<String, u64>,
    spans: u64,
}

impl Tally {
    pub(super) fn add(&mut self, service: &str, at: Timestamp, attributes: &Map<String, Value>, events: &[SpanEvent]) {
        self.spans += 1;
        let fresh = || ServiceWords {
            service: service.to_owned(),
            spans: 0,
            last: at,
            conventions: BTreeMap::new(),
            versions: BTreeSet::new(),
            instrumentations: BTreeSet::new(),
        };
        let words = self.services.entry(service.to_owned()).or_insert_with(fresh);
        words.spans += 1;
        words.last = words.last.max(at);
        let said = |name: &str| attributes.get(name).and_then(Value::as_str);
        if let Some(version) = said("otel.schema_url").and_then(|url| url.rsplit('/').next()) {
            bounded(&mut words.versions, version);
        }
        if let Some(scope) = said("otel.scope.name") {
            bounded(
                &mut words.instrumentations,
                format!("{scope} {}", said("otel.scope.version").unwrap_or_default()).trim_end(),
            );
        }
        let in_events = || events.iter().flat_map(|event| event.attributes.keys().map(move |name| (event.name.as_str(), name)));
        let all = attributes.keys().chain(in_events().map(|(_, name)| name));
        let spoken: BTreeSet<Convention> = all.filter_map(|name| aliases::alias(name)).map(|alias| alias.spoken).collect();
        for convention in spoken {
            *words.conventions.entry(convention).or_default() += 1;
        }
        for (name, _) in attributes.iter().filter(|(name, value)| makes_groups(name, value)) {
            if let Some(spans) = self.attributes.get_mut(name) {
                *spans += 1;
            } else if self.attributes.len() < NAMES_MAX {
                self.attributes.insert(name.clone(), 1);
            }
        }
        let unknown = |name: &&String| name.starts_with("gen_ai.") && name.len() <= NAME_MAX && aliases::alias(name).is_none();
        // Events have names of their own for what was said.
        let told = in_events().filter(|(event, name)| !is_content_of_event(event, name)).map(|(_, name)| name);
        let names: BTreeSet<&String> = attributes.keys().chain(told).filter(unknown).collect();
        for name in names {
            if self.unknown.len() >= NAMES_MAX && !self.unknown.contains_key(name) {
                continue;
            }
            let fresh = || UnknownName { name: name.clone(), spans: 0, services: BTreeSet::new(), like: None };
            let unknown = self.unknown.entry(name.clone()).or_insert_with(fresh);
            unknown.spans += 1;
            bounded(&mut unknown.services, service);
        }
    }

    pub(super) fn told(self) -> Conventions {
        let mut services: Vec<ServiceWords> = self.services.into_values().collect();
        services.sort_by(|one, other| other.spans.cmp(&one.spans).then_with(|| one.service.cmp(&other.service)));
        services.truncate(SERVICES_MAX);
        let mut unknown: Vec<UnknownName> = self.unknown.into_values().collect();
        unknown.sort_by(|one, other| other.spans.cmp(&one.spans).then_with(|| one.name.cmp(&other.name)));
        unknown.truncate(UNKNOWN_MAX);
        let names: Vec<&'static str> = aliases::all().map(|(.., name)| name).filter(|name| name.starts_with("gen_ai.")).collect();
        for name in &mut unknown {
            name.like = nearest(&name.name, names.iter().copied());
        }
        let mut attributes: Vec<(String, u64)> = self.attributes.into_iter().collect();
        attributes.sort_by(|(one, often), (other, how_often)| how_often.cmp(often).then_with(|| one.cmp(other)));
        attributes.truncate(ATTRIBUTES_MAX);
        let attributes = attributes.into_iter().map(|(name, _)| name).collect();
        Conventions { services, unknown, attributes, spans: self.spans }
    }
}

/// Whether it is an attribute of the sender's own whose values can be told apart: what a convention knows is a field, or what
/// people wrote.
fn makes_groups(name: &str, value: &Value) -> bool {
    let is_one = matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_));
    let is_named = (1..=NAME_MAX).contains(&name.len()) && !WRITTEN_HERE.iter().any(|begins| name.starts_with(begins));
    is_one && is_named && aliases::alias(name).is_none() && !aliases::is_content(name)
}

fn bounded(words: &mut BTreeSet<String>, word: &str) {
    if words.len() < WORDS_MAX && word.len() <= 200 {
        words.insert(word.to_owned());
    }
}
