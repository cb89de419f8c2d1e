//! A lake whose store can go away and come back.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use mainspring_kernel::Name;
use mainspring_lake::{
    Aggregate, Commit, DocHits, Filter, Grouped, Lake, LakeFault, LakeVersion, Repair, Scan, SqlAnswer, SqlQuery, Table,
    TableSpec, TableStats, TextQuery, Upkeep, UpkeepPolicy, VectorQuery,
};
use tokio::sync::Notify;

const NEVER: u64 = u64::MAX;

/// Whether the store under a lake answers.
#[derive(Debug)]
pub(crate) struct Outage {
    /// Questions until it goes away.
    left: AtomicU64,
    noticed: Notify,
}

impl Outage {
    pub(super) fn none() -> Arc<Self> {
        Arc::new(Self { left: AtomicU64::new(NEVER), noticed: Notify::new() })
    }

    pub(crate) fn begin(&self) {
        self.begin_after(0);
    }

    /// So many questions are still answered.
    pub(crate) fn begin_after(&self, questions: u64) {
        self.left.store(questions, Ordering::SeqCst);
    }

    pub(crate) fn end(&self) {
        self.left.store(NEVER, Ordering::SeqCst);
    }

    /// Waits until somebody had no answer.
    pub(crate) async fn noticed(&self) {
        self.noticed.notified().await;
    }
}

#[derive(Debug, Clone)]
struct Store {
    outage: Arc<Outage>,
}

impl Store {
    fn reached(&self) -> Result<(), LakeFault> {
        let asked = |left: u64| (left > 0).then(|| if left == NEVER { left } else { left - 1 });
        if self.outage.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, asked).is_ok() {
            return Ok(());
        }
        self.outage.noticed.notify_one();
        Err(LakeFault::Unavailable { location: "s3://tests".to_owned(), reason: "connection refused".to_owned() })
    }

    fn table(&self, inner: Arc<dyn Table>) -> Arc<dyn Table> {
        Arc::new(AwayTable { inner, store: self.clone() })
    }
}

#[derive(Debug)]
pub(super) struct AwayLake<L> {
    inner: L,
    store: Store,
}

impl<L: Lake> AwayLake<L> {
    pub(super) fn over(inner: L, outage: Arc<Outage>) -> Self {
        Self { inner, store: Store { outage } }
    }
}

#[async_trait]
impl<L: Lake> Lake for AwayLake<L> {
    async fn open(&self, table: &Name, spec: &TableSpec) -> Result<Arc<dyn Table>, LakeFault> {
        self.store.reached()?;
        Ok(self.store.table(self.inner.open(table, spec).await?))
    }
    async fn open_existing(&self, table: &Name) -> Result<Arc<dyn Table>, LakeFault> {
        self.store.reached()?;
        Ok(self.store.table(self.inner.open_existing(table).await?))
    }
    async fn list(&self) -> Result<Vec<Name>, LakeFault> {
        self.store.reached()?;
        self.inner.list().await
    }
    async fn drop_table(&self, table: &Name) -> Result<(), LakeFault> {
        self.store.reached()?;
        self.inner.drop_table(table).await
    }
    async fn repair(&self) -> Result<Vec<Repair>, LakeFault> {
        self.store.reached()?;
        self.inner.repair().await
    }
    async fn ping(&self) -> Result<(), LakeFault> {
        self.store.reached()?;
        self.inner.ping().await
    }
    async fn sql(&self, query: SqlQuery) -> Result<SqlAnswer, LakeFault> {
        self.store.reached()?;
        self.inner.sql(query).await
    }
}

#[derive(Debug)]
struct AwayTable {
    inner: Arc<dyn Table>,
    store: Store,
}

#[async_trait]
impl Table for AwayTable {
    fn name(&self) -> &Name {
        self.inner.name()
    }
    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }
    async fn append(&self, rows: RecordBatch) -> Result<Commit, LakeFault> {
        self.store.reached()?;
        self.inner.append(rows).await
    }
    async fn append_all(&self, batches: Vec<RecordBatch>) -> Result<Commit, LakeFault> {
        self.store.reached()?;
        self.inner.append_all(batches).await
    }
    /// The store may go away between the commit and its answer.
    async fn replace(&self, delete: Filter, rows: Option<RecordBatch>) -> Result<Commit, LakeFault> {
        self.store.reached()?;
        let committed = self.inner.replace(delete, rows).await?;
        self.store.reached()?;
        Ok(committed)
    }
    async fn replace_as_read(&self, read: &LakeVersion, delete: Filter, rows: Option<RecordBatch>) -> Result<Commit, LakeFault> {
        self.store.reached()?;
        self.inner.replace_as_read(read, delete, rows).await
    }
    async fn scan(&self, scan: Scan) -> Result<Vec<RecordBatch>, LakeFault> {
        self.store.reached()?;
        self.inner.scan(scan).await
    }
    async fn count(&self, filter: Filter) -> Result<u64, LakeFault> {
        self.store.reached()?;
        self.inner.count(filter).await
    }
    async fn aggregate(&self, question: Aggregate) -> Result<Grouped, LakeFault> {
        self.store.reached()?;
        self.inner.aggregate(question).await
    }
    async fn nearest(&self, query: VectorQuery) -> Result<DocHits, LakeFault> {
        self.store.reached()?;
        self.inner.nearest(query).await
    }
    async fn matching(&self, query: TextQuery) -> Result<DocHits, LakeFault> {
        self.store.reached()?;
        self.inner.matching(query).await
    }
    async fn take(&self, rows: &[u64], columns: &[&str]) -> Result<RecordBatch, LakeFault> {
        self.store.reached()?;
        self.inner.take(rows, columns).await
    }
    async fn version(&self) -> Result<LakeVersion, LakeFault> {
        self.store.reached()?;
        self.inner.version().await
    }
    async fn at(&self, version: &LakeVersion) -> Result<Arc<dyn Table>, LakeFault> {
        self.store.reached()?;
        Ok(self.store.table(self.inner.at(version).await?))
    }
    async fn snapshot(&self) -> Result<Arc<dyn Table>, LakeFault> {
        self.store.reached()?;
        Ok(self.store.table(self.inner.snapshot().await?))
    }
    async fn tag(&self, tag: &str, version: &LakeVersion) -> Result<(), LakeFault> {
        self.store.reached()?;
        self.inner.tag(tag, version).await
    }
    async fn untag(&self, tag: &str) -> Result<(), LakeFault> {
        self.store.reached()?;
        self.inner.untag(tag).await
    }
    async fn tags(&self) -> Result<Vec<(String, LakeVersion)>, LakeFault> {
        self.store.reached()?;
        self.inner.tags().await
    }
    async fn stats(&self) -> Result<TableStats, LakeFault> {
        self.store.reached()?;
        self.inner.stats().await
    }
    async fn upkeep(&self, policy: &UpkeepPolicy) -> Result<Upkeep, LakeFault> {
        self.store.reached()?;
        self.inner.upkeep(policy).await
    }
}
