//! What one table answers. A handle is live, or pinned to one version and read-only.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use futures::FutureExt as _;
use lance::{Dataset, Error};
use mainspring_kernel::Name;
use mainspring_lake::{
    Aggregate, Answer, Commit, DocHits, Filter, Grouped, IndexSpec, LakeFault, LakeVersion, Past, Scan, Table, TableSpec,
    TableStats, TextQuery, Upkeep, UpkeepPolicy, VectorQuery,
};

use crate::{
    aggregate,
    deadline::UPKEEP_WITHIN,
    echoes, fault,
    filter::{self, Condition},
    indexes,
    lake::{Footprint, Shared, Use},
    prune::{self, Last},
    schema,
    search::{self, Counts},
    upkeep, versions,
    widths::Widths,
    writer::{Change, WriteQueue},
    zones::Zones,
};

/// One table, shared by all its handles.
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
    pub(crate) name: Name,
    pub(crate) queue: WriteQueue,
    pub(crate) counts: Counts,
    pub(crate) zones: Zones,
    pub(crate) widths: Widths,
    /// Tagging and pruning take turns: a version is not pruned while it is being tagged.
    pub(crate) history: tokio::sync::Mutex<()>,
    pub(crate) upkeep: tokio::sync::Mutex<()>,
    latest: RwLock<Latest>,
    wishes: RwLock<Wishes>,
    pins: Mutex<Vec<Weak<Dataset>>>,
    last_pruned: Mutex<Option<Last>>,
    dropped: AtomicBool,
}

struct Latest {
    dataset: Arc<Dataset>,
    schema: SchemaRef,
    seen: Instant,
}

/// What whoever opened the table wants of its upkeep.
#[derive(Debug, Default)]
struct Wishes {
    indexes: Vec<IndexSpec>,
    past: Past,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Core {
    pub(crate) fn new(shared: Arc<Shared>, name: Name, dataset: Dataset) -> Arc<Self> {
        let schema: SchemaRef = Arc::new(Schema::from(dataset.schema()));
        Arc::new(Self {
            shared,
            name,
            queue: WriteQueue::default(),
            counts: Counts::default(),
            zones: Zones::default(),
            widths: Widths::default(),
            history: tokio::sync::Mutex::default(),
            upkeep: tokio::sync::Mutex::default(),
            latest: RwLock::new(Latest { dataset: Arc::new(dataset), schema, seen: Instant::now() }),
            wishes: RwLock::default(),
            pins: Mutex::default(),
            last_pruned: Mutex::default(),
            dropped: AtomicBool::new(false),
        })
    }

    pub(crate) fn fault(&self, error: &Error) -> LakeFault {
        fault::of_table(self.name.as_str(), &self.shared.place(), error)
    }

    pub(crate) fn query_fault(&self, reason: impl Into<String>) -> LakeFault {
        LakeFault::Query { table: self.name.to_string(), reason: reason.into() }
    }

    /// The columns of the newest version this process knows.
    pub(crate) fn schema(&self) -> SchemaRef {
        self.latest.read().unwrap_or_else(PoisonError::into_inner).schema.clone()
    }

    /// The columns of a version.
    pub(crate) fn schema_at(&self, dataset: &Dataset) -> SchemaRef {
        let newest = self.schema();
        if is_of(&newest, dataset) { newest } else { Arc::new(Schema::from(dataset.schema())) }
    }

    /// The newest version this process knows, without asking the store.
    pub(crate) fn newest_known(&self) -> Result<Arc<Dataset>, LakeFault> {
        if self.dropped.load(Ordering::Acquire) {
            return Err(LakeFault::NoTable { table: self.name.to_string() });
        }
        Ok(self.latest.read().unwrap_or_else(PoisonError::into_inner).dataset.clone())
    }

    /// A version that is the newest known or that a view of this process reads, without asking the store.
    pub(crate) fn in_use(&self, version: &LakeVersion) -> Result<Option<Arc<Dataset>>, LakeFault> {
        let newest = self.newest_known()?;
        let pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = std::iter::once(newest).chain(pins.iter().filter_map(Weak::upgrade));
        Ok(known.find(|dataset| versions::of(dataset) == *version))
    }

    /// The newest version, as fresh as the lake's configuration asks for.
    pub(crate) async fn newest(&self) -> Result<Arc<Dataset>, LakeFault> {
        let Some(after) = self.shared.config.look_for_newer_after else { return self.newest_known() };
        let stale = self.latest.read().unwrap_or_else(PoisonError::into_inner).seen.elapsed() >= after;
        if stale { self.refresh().await } else { self.newest_known() }
    }

    /// Asks the store for a version by another process.
    pub(crate) async fn refresh(&self) -> Result<Arc<Dataset>, LakeFault> {
        let mut dataset = Dataset::clone(&*self.newest_known()?);
        dataset.checkout_latest().boxed().await.map_err(|error| self.fault(&error))?;
        if versions::is_whole(&dataset) { Ok(self.advance(dataset)) } else { Err(versions::torn(self.name.as_str())) }
    }

    /// Like `refresh`, where other processes may write at all.
    pub(crate) async fn refresh_if_shared(&self) -> Result<Arc<Dataset>, LakeFault> {
        if self.shared.config.look_for_newer_after.is_some() { self.refresh().await } else { self.newest_known() }
    }

    /// Makes a version the newest known, unless a newer one is known already.
    pub(crate) fn advance(&self, dataset: Dataset) -> Arc<Dataset> {
        let mut latest = self.latest.write().unwrap_or_else(PoisonError::into_inner);
        latest.seen = Instant::now();
        if dataset.version_id() > latest.dataset.version_id() {
            // Whoever still reads the version that was newest keeps it from being pruned.
            self.pin(&latest.dataset);
            if !is_of(&latest.schema, &dataset) {
                latest.schema = Arc::new(Schema::from(dataset.schema()));
            }
            latest.dataset = Arc::new(dataset);
        }
        latest.dataset.clone()
    }

    pub(crate) fn indexes(&self) -> Vec<IndexSpec> {
        self.wishes.read().unwrap_or_else(PoisonError::into_inner).indexes.clone()
    }

    /// What it may take of memory.
    pub(crate) fn footprint(&self) -> Footprint {
        match Use::of(&self.indexes()) {
            Use::Searched => self.shared.config.searched,
            Use::Logged => self.shared.config.logged,
        }
    }

    pub(crate) fn past(&self) -> Past {
        self.wishes.read().unwrap_or_else(PoisonError::into_inner).past
    }

    pub(crate) fn set_wishes(&self, spec: &TableSpec) {
        let wishes = Wishes { indexes: spec.indexes.clone(), past: spec.past };
        *self.wishes.write().unwrap_or_else(PoisonError::into_inner) = wishes;
    }

    pub(crate) fn last_pruned(&self) -> Option<Last> {
        *self.last_pruned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pruned(&self, last: Last) {
        *self.last_pruned.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }

    pub(crate) fn mark_dropped(&self) {
        self.dropped.store(true, Ordering::Release);
    }

    fn pin(&self, dataset: &Arc<Dataset>) {
        let mut pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        pins.retain(|pin| pin.strong_count() > 0);
        pins.push(Arc::downgrade(dataset));
    }

    /// The oldest version a live view of this process still reads.
    pub(crate) fn oldest_pinned(&self) -> Option<u64> {
        let pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        pins.iter().filter_map(Weak::upgrade).map(|dataset| dataset.version_id()).min()
    }
}

/// Whether a version has these columns, and says the same of them. Columns are only ever added, so as many are the same.
fn is_of(schema: &Schema, dataset: &Dataset) -> bool {
    let (known, there) = (schema.fields(), &dataset.schema().fields);
    known.len() == there.len() && known.iter().zip(there).all(|(known, there)| *known.metadata() == there.metadata)
}

#[derive(Debug, Clone)]
pub(crate) struct LanceTable {
    core: Arc<Core>,
    /// The columns it was opened with: rows that are added have these.
    opened_with: SchemaRef,
    /// The version of a read-only view.
    pinned: Option<Arc<Dataset>>,
}

impl LanceTable {
    pub(crate) const fn live(core: Arc<Core>, opened_with: SchemaRef) -> Self {
        Self { core, opened_with, pinned: None }
    }

    async fn dataset(&self) -> Result<Arc<Dataset>, LakeFault> {
        match &self.pinned {
            Some(dataset) => Ok(dataset.clone()),
            None => self.core.newest().await,
        }
    }

    fn view(&self, dataset: Dataset) -> Arc<dyn Table> {
        let dataset = Arc::new(dataset);
        self.core.pin(&dataset);
        Arc::new(Self { core: self.core.clone(), opened_with: self.core.schema_at(&dataset), pinned: Some(dataset) })
    }

    fn writable(&self) -> Result<(), LakeFault> {
        match &self.pinned {
            Some(dataset) => Err(self.core.query_fault(format!("version {} is read-only", versions::of(dataset)))),
            None => self.core.newest_known().map(|_| ()),
        }
    }

    async fn unchanged(&self) -> Result<Commit, LakeFault> {
        Ok(Commit { version: self.version().await?, inserted: 0, deleted: 0 })
    }

    /// The answer to a question, or that the store gave none in time.
    fn in_time<'a, T: Send + 'a>(&'a self, asking: impl Future<Output = Result<T, LakeFault>> + Send + 'a) -> Answer<'a, T> {
        // Boxed, since Lance's futures are large and would be moved from frame to frame.
        self.core.shared.in_time(asking.boxed()).boxed()
    }

    async fn measured(&self) -> Result<TableStats, LakeFault> {
        let dataset = self.dataset().await?;
        let deleted: usize = dataset
            .iter_fragments()
            .filter_map(|fragment| fragment.deletion_file.as_ref().and_then(|file| file.num_deleted_rows))
            .sum();
        let fault = |error| self.core.fault(&error);
        Ok(TableStats {
            rows: search::count(&self.core, &dataset, &Filter::All).await?,
            fragments: dataset.count_fragments() as u64,
            deleted_rows: deleted as u64,
            version: versions::of(&dataset),
            versions: dataset.count_versions().boxed().await.map_err(fault)?,
            tags: dataset.tags().fetch_tags().boxed().await.map_err(fault)?.len() as u64,
            indexes: indexes::coverage(&self.core, &dataset)
                .await?
                .into_iter()
                .map(|index| (index.column, index.inside, index.outside))
                .collect(),
            bytes: upkeep::bytes_of(&dataset),
        })
    }

    /// Whether it is a condition on this table; it is made again of each version that it is asked of.
    fn checked(&self, condition: &Filter) -> Result<Condition, LakeFault> {
        filter::compile(condition, &self.core.schema(), self.core.name.as_str())
    }

    fn conform(&self, rows: RecordBatch) -> Result<RecordBatch, LakeFault> {
        schema::conform(rows, &self.opened_with, self.core.name.as_str())
    }
}

impl Table for LanceTable {
    fn name(&self) -> &Name {
        &self.core.name
    }

    fn schema(&self) -> SchemaRef {
        echoes::hidden(&self.pinned.as_ref().map_or_else(|| self.core.schema(), |dataset| self.core.schema_at(dataset)))
    }

    fn append(&self, rows: RecordBatch) -> Answer<'_, Commit> {
        self.append_all(vec![rows])
    }

    fn append_all(&self, batches: Vec<RecordBatch>) -> Answer<'_, Commit> {
        Box::pin(async move {
            self.writable()?;
            let mut batches = batches.into_iter().map(|rows| self.conform(rows)).collect::<Result<Vec<_>, _>>()?;
            batches.retain(|rows| rows.num_rows() > 0);
            if batches.is_empty() {
                return self.unchanged().await;
            }
            self.core.submit(Change::Append(batches)).await
        })
    }

    fn replace(&self, delete: Filter, rows: Option<RecordBatch>) -> Answer<'_, Commit> {
        Box::pin(async move {
            self.writable()?;
            let rows = rows.map(|rows| self.conform(rows)).transpose()?.filter(|rows| rows.num_rows() > 0);
            match (self.checked(&delete)?, rows) {
                (Condition::Never, None) => self.unchanged().await,
                (Condition::Never, Some(rows)) => self.core.submit(Change::Append(vec![rows])).await,
                (_, rows) => self.core.submit(Change::Replace { delete, rows, keys: Vec::new() }).await,
            }
        })
    }

    fn put<'a>(&'a self, keys: &'a [&'a str], these: Filter, rows: RecordBatch) -> Answer<'a, Commit> {
        Box::pin(async move {
            self.writable()?;
            let rows = self.conform(rows)?;
            if rows.num_rows() == 0 {
                return self.unchanged().await;
            }
            self.checked(&these)?;
            let keys = keys.iter().map(|key| (*key).to_owned()).collect();
            self.core.submit(Change::Replace { delete: these, rows: Some(rows), keys }).await
        })
    }

    fn replace_as_read<'a>(&'a self, read: &'a LakeVersion, delete: Filter, rows: Option<RecordBatch>) -> Answer<'a, Commit> {
        Box::pin(async move {
            self.writable()?;
            let rows = rows.map(|rows| self.conform(rows)).transpose()?.filter(|rows| rows.num_rows() > 0);
            self.checked(&delete)?;
            self.core.submit(Change::ReplaceAsRead { read: read.clone(), delete, rows }).await
        })
    }

    fn scan(&self, scan: Scan) -> Answer<'_, Vec<RecordBatch>> {
        self.in_time(async move { search::scan(&self.core, &self.dataset().await?, &scan).await })
    }

    fn count(&self, filter: Filter) -> Answer<'_, u64> {
        self.in_time(async move { search::count(&self.core, &self.dataset().await?, &filter).await })
    }

    fn aggregate(&self, question: Aggregate) -> Answer<'_, Grouped> {
        self.in_time(async move { aggregate::run(&self.core, self.dataset().await?, question).await })
    }

    fn nearest(&self, query: VectorQuery) -> Answer<'_, DocHits> {
        self.in_time(async move { search::nearest(&self.core, &self.dataset().await?, &query).await })
    }

    fn matching(&self, query: TextQuery) -> Answer<'_, DocHits> {
        self.in_time(async move { search::matching(&self.core, &self.dataset().await?, &query).await })
    }

    fn take<'a>(&'a self, rows: &'a [u64], columns: &'a [&'a str]) -> Answer<'a, RecordBatch> {
        self.in_time(async move { search::take(&self.core, &self.dataset().await?, rows, columns).await })
    }

    fn version(&self) -> Answer<'_, LakeVersion> {
        self.in_time(async move { Ok(versions::of(&*self.dataset().await?)) })
    }

    fn at<'a>(&'a self, version: &'a LakeVersion) -> Answer<'a, Arc<dyn Table>> {
        self.in_time(async move {
            let _turn = self.core.history.lock().await;
            let dataset = self.dataset().await?;
            let found = versions::checkout(&self.core, &dataset, version).await?;
            Ok(self.view(found))
        })
    }

    fn snapshot(&self) -> Answer<'_, Arc<dyn Table>> {
        Box::pin(async move {
            let dataset = self.in_time(self.dataset()).await?;
            Ok(self.view(Dataset::clone(&dataset)))
        })
    }

    fn tag<'a>(&'a self, tag: &'a str, version: &'a LakeVersion) -> Answer<'a, ()> {
        self.in_time(async move {
            let _turn = self.core.history.lock().await;
            versions::tag(&self.core, &*self.dataset().await?, tag, version).await
        })
    }

    fn untag<'a>(&'a self, tag: &'a str) -> Answer<'a, ()> {
        self.in_time(async move {
            let _turn = self.core.history.lock().await;
            versions::untag(&self.core, &*self.dataset().await?, tag).await
        })
    }

    fn tags(&self) -> Answer<'_, Vec<(String, LakeVersion)>> {
        self.in_time(async move { versions::tags(&self.core, &*self.dataset().await?).await })
    }

    fn stats(&self) -> Answer<'_, TableStats> {
        self.in_time(self.measured())
    }

    fn upkeep<'a>(&'a self, policy: &'a UpkeepPolicy) -> Answer<'a, Upkeep> {
        Box::pin(async move {
            self.writable()?;
            self.core.shared.within(UPKEEP_WITHIN, Box::pin(upkeep::run(&self.core, policy))).await
        })
    }

    fn clear_leftovers(&self) -> Answer<'_, u64> {
        Box::pin(async move {
            self.writable()?;
            // Nothing is compacted and no index built meanwhile, and in line with the changes none of them is under way.
            let _turn = self.core.upkeep.lock().await;
            if self.core.shared.config.look_for_newer_after.is_some() {
                return self.core.shared.within(UPKEEP_WITHIN, Box::pin(prune::clear_abandoned(&self.core))).await;
            }
            Ok(self.core.submit(Change::ClearLeftovers).await?.deleted)
        })
    }
}
