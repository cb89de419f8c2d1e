//! A table that is away for a while, or at which something happens after rows were read and before they are written.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use mainspring_kernel::Name;
use mainspring_lake::{
    Aggregate, Answer, Commit, DocHits, Filter, Grouped, LakeFault, LakeVersion, Scan, Table, TableStats, TextQuery, Upkeep,
    UpkeepPolicy, VectorQuery,
};

/// Whether a lake is away, known to all of its tables.
#[derive(Debug, Clone, Default)]
pub(super) struct Outage {
    away: Arc<AtomicBool>,
    /// Rows can be read all the same, as where the disk is full.
    only_writes: bool,
}

impl Outage {
    pub(super) fn begun(begun: bool) -> Self {
        Self { away: Arc::new(AtomicBool::new(begun)), only_writes: false }
    }

    pub(super) fn of_writes() -> Self {
        Self { only_writes: true, ..Self::begun(true) }
    }

    pub(super) fn end(&self) {
        self.away.store(false, Ordering::SeqCst);
    }

    pub(super) fn check(&self) -> Result<(), LakeFault> {
        match self.away.load(Ordering::SeqCst) {
            true => Err(LakeFault::Unavailable { location: "a test".into(), reason: "it is away".into() }),
            false => Ok(()),
        }
    }

    /// This answer, or that there is none while the lake is away.
    pub(super) fn let_through<'a, T: Send + 'a>(&'a self, answer: Answer<'a, T>) -> Answer<'a, T> {
        Box::pin(async move {
            self.check()?;
            answer.await
        })
    }

    /// The same of what only reads.
    fn let_read<'a, T: Send + 'a>(&'a self, answer: Answer<'a, T>) -> Answer<'a, T> {
        if self.only_writes { answer } else { self.let_through(answer) }
    }
}

type Doing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Hands on whatever else is asked of it.
pub(super) struct Unsteady {
    inner: Arc<dyn Table>,
    outage: Outage,
    /// Happens once.
    between: Mutex<Option<Doing>>,
}

impl Unsteady {
    /// Rows cannot be read or written while the lake is away.
    pub(super) fn away_in(outage: &Outage, inner: Arc<dyn Table>) -> Arc<dyn Table> {
        Arc::new(Self { inner, outage: outage.clone(), between: Mutex::default() })
    }

    /// This happens before rows are first written as they were read.
    pub(super) fn changed_between(inner: Arc<dyn Table>, change: impl Future<Output = ()> + Send + 'static) -> Arc<dyn Table> {
        let change: Doing = Box::pin(change);
        Arc::new(Self { inner, outage: Outage::default(), between: Mutex::new(Some(change)) })
    }
}

impl fmt::Debug for Unsteady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unsteady").finish_non_exhaustive()
    }
}

impl Table for Unsteady {
    fn name(&self) -> &Name {
        self.inner.name()
    }
    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }
    fn append(&self, rows: RecordBatch) -> Answer<'_, Commit> {
        self.outage.let_through(self.inner.append(rows))
    }
    fn append_all(&self, batches: Vec<RecordBatch>) -> Answer<'_, Commit> {
        self.outage.let_through(self.inner.append_all(batches))
    }
    fn replace(&self, delete: Filter, rows: Option<RecordBatch>) -> Answer<'_, Commit> {
        self.outage.let_through(self.inner.replace(delete, rows))
    }
    fn put<'a>(&'a self, keys: &'a [&'a str], these: Filter, rows: RecordBatch) -> Answer<'a, Commit> {
        self.outage.let_through(self.inner.put(keys, these, rows))
    }
    fn replace_as_read<'a>(&'a self, read: &'a LakeVersion, delete: Filter, rows: Option<RecordBatch>) -> Answer<'a, Commit> {
        self.outage.let_through(Box::pin(async move {
            let between = self.between.lock().unwrap().take();
            if let Some(change) = between {
                change.await;
            }
            self.inner.replace_as_read(read, delete, rows).await
        }))
    }
    fn scan(&self, scan: Scan) -> Answer<'_, Vec<RecordBatch>> {
        self.outage.let_read(self.inner.scan(scan))
    }
    fn count(&self, filter: Filter) -> Answer<'_, u64> {
        self.outage.let_read(self.inner.count(filter))
    }
    fn aggregate(&self, question: Aggregate) -> Answer<'_, Grouped> {
        self.outage.let_read(self.inner.aggregate(question))
    }
    fn nearest(&self, query: VectorQuery) -> Answer<'_, DocHits> {
        self.inner.nearest(query)
    }
    fn matching(&self, query: TextQuery) -> Answer<'_, DocHits> {
        self.inner.matching(query)
    }
    fn take<'a>(&'a self, rows: &'a [u64], columns: &'a [&'a str]) -> Answer<'a, RecordBatch> {
        self.inner.take(rows, columns)
    }
    fn version(&self) -> Answer<'_, LakeVersion> {
        self.inner.version()
    }
    fn at<'a>(&'a self, version: &'a LakeVersion) -> Answer<'a, Arc<dyn Table>> {
        self.inner.at(version)
    }
    fn snapshot(&self) -> Answer<'_, Arc<dyn Table>> {
        self.inner.snapshot()
    }
    fn tag<'a>(&'a self, tag: &'a str, version: &'a LakeVersion) -> Answer<'a, ()> {
        self.inner.tag(tag, version)
    }
    fn untag<'a>(&'a self, tag: &'a str) -> Answer<'a, ()> {
        self.inner.untag(tag)
    }
    fn tags(&self) -> Answer<'_, Vec<(String, LakeVersion)>> {
        self.inner.tags()
    }
    fn stats(&self) -> Answer<'_, TableStats> {
        self.inner.stats()
    }
    fn upkeep<'a>(&'a self, policy: &'a UpkeepPolicy) -> Answer<'a, Upkeep> {
        self.inner.upkeep(policy)
    }
    fn clear_leftovers(&self) -> Answer<'_, u64> {
        self.inner.clear_leftovers()
    }
}
