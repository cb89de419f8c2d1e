//! A lake whose store can go away and come back.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use mainspring_kernel::Name;
use mainspring_lake::{
    Aggregate, Answer, Commit, DocHits, Filter, Grouped, Lake, LakeFault, LakeVersion, Repair, Scan, SqlAnswer, SqlQuery, Table,
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

impl<L: Lake> Lake for AwayLake<L> {
    fn open<'a>(&'a self, table: &'a Name, spec: &'a TableSpec) -> Answer<'a, Arc<dyn Table>> {
        Box::pin(async move {
            self.store.reached()?;
            Ok(self.store.table(self.inner.open(table, spec).await?))
        })
    }
    fn open_existing<'a>(&'a self, table: &'a Name) -> Answer<'a, Arc<dyn Table>> {
        Box::pin(async move {
            self.store.reached()?;
            Ok(self.store.table(self.inner.open_existing(table).await?))
        })
    }
    fn list(&self) -> Answer<'_, Vec<Name>> {
        Box::pin(async move {
            self.store.reached()?;
            self.inner.list().await
        })
    }
    fn drop_table<'a>(&'a self, table: &'a Name) -> Answer<'a, ()> {
        Box::pin(async move {
            self.store.reached()?;
            self.inner.drop_table(table).await
        })
    }
    fn repair(&self) -> Answer<'_, Vec<Repair>> {
        Box::pin(async move {
            self.store.reached()?;
            self.inner.repair().await
        })
    }
    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.store.reached()?;
            self.inner.ping().await
        })
    }
    fn sql(&self, query: SqlQuery) -> Answer<'_, SqlAnswer> {
        Box::pin(async move {
            self.store.reached()?;
            self.inner.sql(query).await
        })
    }
}

#[derive(Debug)]
struct AwayTable {
    inner: Arc<dyn Table>,
    store: Store,
}

impl Table for AwayTable {
    fn name(&self) -> &Name {
        self.inner.name()
    }
    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }
    fn append(&self, rows: RecordBatch) -> Answer<'_, Commit> {
        Box::pin(async move {
            self.store.reached()?;
            self.inner.append(rows).await
        })
    }
    fn append_all(&self, batches: Vec<RecordBatch>) -> Answer<'_, Commit> {
        Box::pin(async move {
            self.store.reached()?;
            self.inner.append_all(batches).await
        })
    }
    /// The store may go away between the commit and its answer.
    fn replace(&self, delete: Filter, rows: Option<RecordBatch>) -> Answer<'_, Commit> {
        Box::pin(async move {
            self.store.reached()?;
            let committed = self.inner.replace(delete, rows).await?;
            self.store.reached()?;
            Ok(committed)
        })
    }
    fn replace_as_read<'a>(&'a self, read: &'a LakeVersion, delete: Filter, rows: Option<RecordBatch>) -> Answer<'a, Commit> {
        Box::pin(async move {
            self.store.reached()?;
            self.inner.replace_as_read(read, delete, rows).await
        })
    }
    fn scan(&self, scan: Scan) -> Answer<'_, Vec<RecordBatch>> {
        Box::pin(async move {
            self.store.reached()?;
            self.inner.scan(scan).await
        })
    }
    fn count(&self, filter: Filter) -> Answer<'_, u64> {
        Box::pin(async move {
            self.store.reached()?;
            self.inner.count(filter).await
        })
    }
    fn aggregate(&self, question: Aggregate) -> Answer<'_, Grouped> {
        Box::pin(async move {
            self.store.reached()?;
            self.inner.aggregate(question).await
        })
    }
    fn nearest(&self, query: VectorQuery) -> Answer<'_, DocHits> {
        Box::pin(async move {
            self.store.reached()?;
            self.inner.nearest(query).await
        })
    }
    fn matching(&self, query: TextQuery) -> Answer<'_, DocHits> {
        Box::pin(async move {
            self.store.reached()?;
            self.inner.matching(query).await
        })
    }
    fn take<'a>(&'a self, rows: &'a [u64], columns: &'a [&'a str]) -> Answer<'a, RecordBatch> {
        Box::pin(async move {
            self.store.reached()?;
            self.inner.take(rows, columns).await
        })
    }
    fn version(&self) -> Answer<'_, LakeVersion> {
        Box::pin(async move {
            self.store.reached()?;
            self.inner.version().await
        })
    }
    fn at<'a>(&'a self, version: &'a LakeVersion) -> Answer<'a, Arc<dyn Table>> {
        Box::pin(async move {
            self.store.reached()?;
            Ok(self.store.table(self.inner.at(version).await?))
        })
    }
    fn snapshot(&self) -> Answer<'_, Arc<dyn Table>> {
        Box::pin(async move {
            self.store.reached()?;
            Ok(self.store.table(self.inner.snapshot().await?))
        })
    }
    fn tag<'a>(&'a self, tag: &'a str, version: &'a LakeVersion) -> Answer<'a, ()> {
        Box::pin(async move {
            self.store.reached()?;
            self.inner.tag(tag, version).await
        })
    }
    fn untag<'a>(&'a self, tag: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            self.store.reached()?;
            self.inner.untag(tag).await
        })
    }
    fn tags(&self) -> Answer<'_, Vec<(String, LakeVersion)>> {
        Box::pin(async move {
            self.store.reached()?;
            self.inner.tags().await
        })
    }
    fn stats(&self) -> Answer<'_, TableStats> {
        Box::pin(async move {
            self.store.reached()?;
            self.inner.stats().await
        })
    }
    fn clear_leftovers(&self) -> Answer<'_, u64> {
        Box::pin(async move {
            self.store.reached()?;
            self.inner.clear_leftovers().await
        })
    }
    fn upkeep<'a>(&'a self, policy: &'a UpkeepPolicy) -> Answer<'a, Upkeep> {
        Box::pin(async move {
            self.store.reached()?;
            self.inner.upkeep(policy).await
        })
    }
}
