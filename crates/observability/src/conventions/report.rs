//! Who speaks which convention, and what of it nobody here understands.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use arrow_array::RecordBatch;
use mainspring_kernel::{Actor, Timestamp, text::nearest};
use mainspring_lake::{Filter, Order, Scan, Table};
use serde_json::{Map, Value};

use super::aliases::{self, Convention};
use crate::{fault::TraceFault, query, service::Observability, table::Rows};

/// Of so many spans, the newest that name the service they come from.
const LOOKED_AT: usize = 5_000;
const SERVICES_MAX: usize = 100;
const UNKNOWN_MAX: usize = 100;
const WORDS_MAX: usize = 20;
/// Spans with very many or very long attributes are looked at only as far as this many bytes of them.
const READ_MAX: usize = 64 << 20;
/// How long attributes are shows with the first spans.
const FIRST_READ: usize = 100;
/// Different names that are counted: whoever makes up a name for each span is not followed further.
const NAMES_MAX: usize = 10_000;
const NAME_MAX: usize = 200;

/// What the newest spans of a project were written in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conventions {
    /// Most spans first.
    pub services: Vec<ServiceWords>,
    /// Names under `gen_ai.` that are in no table here, the most frequent first.
    pub unknown: Vec<UnknownName>,
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
    /// Looks at the newest spans that other programs sent.
    pub async fn conventions(&self, actor: &Actor) -> Result<Conventions, TraceFault> {
        self.catch_up().await;
        let asking = self.asking(actor, self.now());
        let theirs =
            Filter::eq("project", actor.project.to_string()).and(Filter::Not(Box::new(Filter::IsNull("service".into()))));
        let batches = newest(self.table().snapshot().await?.as_ref(), theirs).await?;
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
                let at = Timestamp::from_micros(rows.number("start", row)?.unwrap_or_default());
                if let (Some(service), Some(attributes)) = (rows.text("service", row)?, attributes) {
                    tally.add(service, at, &attributes);
                }
            }
        }
        Ok(tally.told())
    }
}

/// The newest of these spans, as many as may be looked at.
async fn newest(table: &dyn Table, these: Filter) -> Result<Vec<RecordBatch>, TraceFault> {
    let columns = ["trace", "service", "start", "attributes"];
    let (mut batches, mut looked, mut bytes, mut step) = (Vec::new(), 0, 0, FIRST_READ);
    while looked < LOOKED_AT && bytes < READ_MAX {
        let wanted = step.min(LOOKED_AT - looked);
        let scan = Scan::of(these.clone()).columns(&columns).order("start", Order::Descending).limit(wanted);
        let found = table.scan(Scan { offset: looked, ..scan }).await?;
        let before = looked;
        for batch in &found {
            let rows = Rows(batch);
            looked += batch.num_rows();
            for row in 0..batch.num_rows() {
                bytes += rows.text("attributes", row)?.map_or(0, str::len);
            }
        }
        batches.extend(found);
        if looked - before < wanted {
            break;
        }
        step = (READ_MAX.saturating_sub(bytes) / (bytes / looked).max(1)).max(1);
    }
    Ok(batches)
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    services: HashMap<String, ServiceWords>,
    unknown: HashMap<String, UnknownName>,
    spans: u64,
}

impl Tally {
    pub(super) fn add(&mut self, service: &str, at: Timestamp, attributes: &Map<String, Value>) {
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
        let spoken: BTreeSet<Convention> =
            attributes.keys().filter_map(|name| aliases::alias(name)).map(|alias| alias.spoken).collect();
        for convention in spoken {
            *words.conventions.entry(convention).or_default() += 1;
        }
        let unknown = |name: &&String| name.starts_with("gen_ai.") && name.len() <= NAME_MAX && aliases::alias(name).is_none();
        for name in attributes.keys().filter(unknown) {
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
        Conventions { services, unknown, spans: self.spans }
    }
}

fn bounded(words: &mut BTreeSet<String>, word: &str) {
    if words.len() < WORDS_MAX && word.len() <= 200 {
        words.insert(word.to_owned());
    }
}
