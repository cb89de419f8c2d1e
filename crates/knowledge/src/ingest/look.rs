//! What the sources hold now, beside what the catalog knows; and whether that is worth an ingestion.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use futures::{StreamExt as _, stream};
use mainspring_kernel::{Actor, AssetKind, AssetRef, Fault as _, Name};

use super::{
    IngestOptions, compare,
    plan::{self, Plan, Work},
};
use crate::{
    fault::KnowledgeFault,
    model::{Failure, KnowledgeKey, Warning},
    service::Inner,
    source::{Listing, Source, SourceFault},
    spec::{KnowledgeSpec, SourceSpec},
    store::{document, held},
    table,
};

/// Sources listed side by side.
const LISTINGS: usize = 4;

/// What makes an ingestion worth beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// Whatever it would do, also another try at what could not be had or compared before.
    Anything,
    /// What a source shows to be new: for whoever looks every few seconds.
    News,
}

#[derive(Debug)]
pub(super) enum Look {
    Nothing,
    /// Nothing to compare with: a first ingestion, another spec, or one that was broken off.
    Everything,
    Something(Box<Sight>),
}

/// What the sources hold now.
#[derive(Debug)]
pub(super) struct Sight {
    pub sources: HashMap<Arc<str>, Arc<Source>>,
    /// All that the spec has, looked at or not.
    configured: HashSet<Arc<str>>,
    listings: BTreeMap<Arc<str>, Listing>,
    pub warnings: Vec<Warning>,
    /// Sources that could not be read; that stops nothing, and what they gave before stays.
    pub failed: Vec<Failure>,
}

impl Sight {
    pub(super) async fn of(inner: &Inner, key: &KnowledgeKey, spec: &KnowledgeSpec, options: IngestOptions) -> Self {
        let (mut sources, mut configured) = (HashMap::new(), HashSet::new());
        let (mut warnings, mut failed) = (Vec::new(), Vec::new());
        for source in &spec.sources {
            configured.insert(Arc::from(source.key()));
            if options.local && !source.is_local() {
                continue;
            }
            match Source::open(key, source, &inner.config.sources, &inner.egress) {
                Ok(opened) => {
                    sources.insert(Arc::from(opened.key()), Arc::new(opened));
                }
                Err(fault) => failed.push(source_failed(spec, &source.key(), &fault)),
            }
        }
        let now = inner.clock.now();
        let lists = sources.iter().map(|(key, source): (&Arc<str>, &Arc<Source>)| {
            let (key, source) = (key.clone(), source.clone());
            async move { (key, source.list(now).await) }
        });
        let listed: Vec<_> = stream::iter(lists.collect::<Vec<_>>()).buffer_unordered(LISTINGS).collect().await;
        let mut listings: BTreeMap<Arc<str>, Listing> = BTreeMap::new();
        for (key, listing) in listed {
            match listing {
                Ok(mut listing) => {
                    warnings.append(&mut listing.warnings);
                    listings.insert(key, listing);
                }
                Err(fault) => failed.push(source_failed(spec, &key, &fault)),
            }
        }
        Self { sources, configured, listings, warnings, failed }
    }

    /// Sources that could be listed, with how many documents they hold. One of which nothing was seen, since something of it
    /// could not be looked at, is not among them.
    pub(super) fn listed(&self) -> BTreeMap<Arc<str>, usize> {
        let is_seen = |listing: &Listing| !listing.documents.is_empty() || listing.unread.is_empty();
        let seen = self.listings.iter().filter(|(_, listing)| is_seen(listing));
        seen.map(|(key, listing)| (key.clone(), listing.documents.len())).collect()
    }

    /// What is to be done, as of now: the catalog may have moved on since the sources were looked at.
    pub(super) async fn plan(
        &self,
        inner: &Inner,
        (key, table): (&KnowledgeKey, &Name),
        options: IngestOptions,
    ) -> Result<Plan, KnowledgeFault> {
        let known = document::known(&inner.catalog, key, table).await?;
        Ok(plan::plan(&self.configured, self.listings.clone(), known, options))
    }
}

/// Told to those who may see whatever the source holds: the detail names the place.
fn source_failed(spec: &KnowledgeSpec, key: &str, fault: &SourceFault) -> Failure {
    let of_it: Vec<&SourceSpec> = spec.sources.iter().filter(|source| source.key() == key).collect();
    let labels = match of_it[..] {
        [one] if one.common().rules.iter().all(|rule| rule.labels.is_none()) => Some(one.common().labels.to_vec()),
        _ => None,
    };
    Failure {
        document: None,
        source: key.to_owned(),
        path: String::new(),
        code: fault.code().to_owned(),
        detail: fault.to_string(),
        labels,
        known: false,
    }
}

/// Looks at the sources without leaving a run behind.
pub(super) async fn look(
    inner: &Inner,
    actor: &Actor,
    target: &AssetRef,
    (options, worth): (IngestOptions, Worth),
) -> Result<Look, KnowledgeFault> {
    let version = inner.registry.get(actor, AssetKind::Knowledge, target).await?;
    let spec = inner.spec_of(&version)?;
    let key = KnowledgeKey::new(actor.project, version.pin.name.clone());
    let table = table::table_name(&key, &spec.table_config(&inner.models.embedder(&spec.embedding)?.identity()))?;
    let state = held::find(&inner.catalog, &key).await?;
    let comparable = state.is_some_and(|state| {
        !state.unsettled && state.active_table.as_ref() == Some(&table) && state.spec == Some(version.pin.digest)
    });
    if !comparable || options.full {
        return Ok(Look::Everything);
    }
    let sight = Sight::of(inner, &key, &spec, options).await;
    let plan = sight.plan(inner, (&key, &table), options).await?;
    let anything = worth == Worth::Anything;
    let work: Vec<&Work> = plan.work.iter().filter(|work| anything || work.is_news()).collect();
    // A source that cannot be read is told by a run.
    let sure = !plan.gone.is_empty() || (anything && !sight.failed.is_empty());
    if sure || !Box::pin(compare::all_as_before(inner, &key, (&sight.sources, options), &work)).await? {
        return Ok(Look::Something(Box::new(sight)));
    }
    Ok(Look::Nothing)
}

/// Whether local folders and files hold something new, and nobody is taking it in yet.
pub(crate) async fn has_changes(inner: &Inner, actor: &Actor, target: &AssetRef) -> Result<bool, KnowledgeFault> {
    let key = inner.existing(actor, &target.name).await?;
    let now = inner.clock.now();
    if held::find(&inner.catalog, &key).await?.is_some_and(|state| state.held_by(now).is_some()) {
        return Ok(false);
    }
    let options = IngestOptions { local: true, ..IngestOptions::default() };
    Ok(!matches!(look(inner, actor, target, (options, Worth::News)).await?, Look::Nothing))
}
