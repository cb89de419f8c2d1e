//! Lakes hold tables; tables hold rows under versions.

use std::{fmt, sync::Arc, time::Duration};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures::future::BoxFuture;
use mainspring_kernel::Name;
use serde::{Deserialize, Serialize};

use crate::{
    aggregate::{Aggregate, Grouped},
    fault::LakeFault,
    filter::Filter,
    sql::{SqlAnswer, SqlQuery},
};

/// A state of a table. The transaction tells apart two states that got the same number,
/// which happens when a torn newest version was moved out and its number given again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LakeVersion {
    pub number: u64,
    pub transaction: String,
}

impl fmt::Display for LakeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, self.transaction)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub version: LakeVersion,
    pub inserted: u64,
    pub deleted: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexKind {
    /// Approximate nearest neighbours by cosine distance.
    Vector,
    /// BM25 over words.
    Text,
    /// Equality and ranges.
    Scalar,
    /// Membership in a list column.
    Labels,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexSpec {
    pub column: String,
    pub kind: IndexKind,
}

/// What a table is made of. Opening an existing table gives it the columns and indexes of the spec that it lacks, if they may be
/// null: rows that were there have nulls in them. The table may have more columns that may be null, as a newer version of the
/// program adds them. Any other difference is a fault.
#[derive(Debug, Clone)]
pub struct TableSpec {
    pub schema: SchemaRef,
    pub indexes: Vec<IndexSpec>,
    pub past: Past,
    /// Columns of texts that resemble those of the rows beside them. Rows are packed together in these: they take a fraction of
    /// the room, and whoever reads one unpacks its neighbours. Where there are some, the other columns are compressed too. A table
    /// that lacks this gets it for what is written from then on.
    pub packed: Vec<String>,
    /// Columns that say again what others of their row say. A table that lacks this gets it for what is written from then on.
    pub echoes: Vec<Echo>,
}

/// A column of text that mostly says again what other columns of text say of the same row, in pieces: of what stands there too
/// it keeps only the place. Whoever reads it, asks for it, or asks in SQL finds it as it was written, and reads the others with
/// it. It has no index, and rows cannot be asked for in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Echo {
    pub column: String,
    /// The others, which are kept as they are. They stay the same as long as there is the table.
    pub of: Vec<String>,
}

/// How much of its past a table keeps, beside what a tag or a live view names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Past {
    /// As much as whoever keeps it up asks for.
    #[default]
    AsAsked,
    /// Nobody asks for the table as it was, and it changes often: no version older than this, and no more versions.
    /// Where other processes write to the lake, age alone counts: one of them may be reading any version that is younger,
    /// or base a change on it.
    Brief { no_older_than: Duration, versions: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Descending,
}

/// Rows by condition.
#[derive(Debug, Clone)]
pub struct Scan {
    pub filter: Filter,
    /// Empty: all columns.
    pub columns: Vec<String>,
    pub order: Vec<(String, Order)>,
    pub limit: Option<usize>,
    pub offset: usize,
}

impl Scan {
    #[must_use]
    pub const fn of(filter: Filter) -> Self {
        Self { filter, columns: Vec::new(), order: Vec::new(), limit: None, offset: 0 }
    }
    #[must_use]
    pub fn columns(mut self, columns: &[&str]) -> Self {
        self.columns = columns.iter().map(|column| (*column).to_owned()).collect();
        self
    }
    #[must_use]
    pub fn order(mut self, column: &str, order: Order) -> Self {
        self.order.push((column.to_owned(), order));
        self
    }
    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// How far the neighbours search looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distance {
    /// By the index, re-ranked with the exact vectors.
    Indexed { probes: usize, refine: u32 },
    /// Every row that passes the filter.
    Exact,
}

#[derive(Debug, Clone)]
pub struct VectorQuery {
    pub column: String,
    pub vector: Vec<f32>,
    pub limit: usize,
    pub filter: Filter,
    pub distance: Distance,
}

#[derive(Debug, Clone)]
pub struct TextQuery {
    pub column: String,
    /// Plain words; no query syntax is interpreted.
    pub words: String,
    pub limit: usize,
    pub filter: Filter,
}

/// Rows found, best first: addresses for `take`, and scores (cosine similarity, or BM25).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DocHits {
    pub rows: Vec<(u64, f32)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableStats {
    pub rows: u64,
    pub fragments: u64,
    pub deleted_rows: u64,
    pub version: LakeVersion,
    pub versions: u64,
    pub tags: u64,
    /// Column, indexed rows, rows not yet folded in.
    pub indexes: Vec<(String, u64, u64)>,
    pub bytes: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpkeepPolicy {
    /// Compact when there are at least this many fragments.
    pub fragments: usize,
    /// Fold rows into the indexes when at least this many are outside.
    pub unindexed_rows: u64,
    /// Untagged versions older than this go; sooner where the table itself keeps less.
    pub keep_versions_for: Duration,
}

impl Default for UpkeepPolicy {
    fn default() -> Self {
        Self { fragments: 8, unindexed_rows: 2_000, keep_versions_for: Duration::from_secs(24 * 3600) }
    }
}

/// What upkeep did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upkeep {
    pub compacted_fragments: u64,
    pub folded_rows: u64,
    pub built_indexes: Vec<String>,
    pub pruned_versions: u64,
    pub freed_bytes: u64,
}

/// A torn newest version that was moved out so that the table opens again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    pub table: String,
    pub bad_version: u64,
    pub opened_version: u64,
    /// Where the bad manifest lies now.
    pub moved_to: String,
}

/// What is asked of a lake, under way. Written out and not made by a macro: how each is made says which lifetimes outlive
/// others, and with that the compiler looked through all of Lance's types for every one of them, for minutes.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, LakeFault>>;

pub trait Lake: Send + Sync + fmt::Debug + 'static {
    /// Opens the table, making it where it does not exist.
    fn open<'a>(&'a self, table: &'a Name, spec: &'a TableSpec) -> Answer<'a, Arc<dyn Table>>;
    /// Opens an existing table; `NoTable` otherwise.
    fn open_existing<'a>(&'a self, table: &'a Name) -> Answer<'a, Arc<dyn Table>>;
    fn list(&self) -> Answer<'_, Vec<Name>>;
    /// Removes a table with all versions and tags. Removing one that is not there is fine.
    fn drop_table<'a>(&'a self, table: &'a Name) -> Answer<'a, ()>;
    /// Checks every table, moves torn versions out, and says what it did. Called once, before anything opens.
    fn repair(&self) -> Answer<'_, Vec<Repair>>;
    /// Whether the store behind the lake answers now.
    fn ping(&self) -> Answer<'_, ()>;
    /// Answers one `SELECT` over views of tables.
    fn sql(&self, query: SqlQuery) -> Answer<'_, SqlAnswer>;
}

pub trait Table: Send + Sync + fmt::Debug + 'static {
    fn name(&self) -> &Name;
    fn schema(&self) -> SchemaRef;
    /// Adds rows, with the columns that this handle was opened with: another process, or another handle, may have given the
    /// table more. Concurrent calls share a commit; each returns once its rows are as durable as the lake promises.
    fn append(&self, rows: RecordBatch) -> Answer<'_, Commit>;
    /// Adds rows that lie in several batches, in one commit.
    fn append_all(&self, batches: Vec<RecordBatch>) -> Answer<'_, Commit>;
    /// Deletes what the filter matches and adds rows, in one commit.
    fn replace(&self, delete: Filter, rows: Option<RecordBatch>) -> Answer<'_, Commit>;
    /// Adds rows, each in the place of the one with the same values in these text columns, in one commit: `these` finds the
    /// rows of those keys, and no two of the rows share one. Where other processes write to the lake, a key is there once
    /// however many put it at the same moment, as long as all of them put: the last one's row is.
    fn put<'a>(&'a self, keys: &'a [&'a str], these: Filter, rows: RecordBatch) -> Answer<'a, Commit> {
        // Enough where nobody else writes: a replace sees everything that was written before it.
        let _ = keys;
        self.replace(these, Some(rows))
    }
    /// The same of rows as they were in a version of the last minutes: whoever read them there, and writes them again, undoes
    /// nothing that another process wrote since. Where one of them is another row by now, or none, nothing is changed and the
    /// fault is `Contended`; whoever reads again reads what is there. Rows that were added since stay, whatever the filter says.
    fn replace_as_read<'a>(&'a self, read: &'a LakeVersion, delete: Filter, rows: Option<RecordBatch>) -> Answer<'a, Commit>;
    fn scan(&self, scan: Scan) -> Answer<'_, Vec<RecordBatch>>;
    fn count(&self, filter: Filter) -> Answer<'_, u64>;
    /// Rows in groups, with what is reckoned over each. Only the columns it names are read.
    fn aggregate(&self, question: Aggregate) -> Answer<'_, Grouped>;
    fn nearest(&self, query: VectorQuery) -> Answer<'_, DocHits>;
    fn matching(&self, query: TextQuery) -> Answer<'_, DocHits>;
    /// The columns of these rows, in this order. An address is valid for the version it was found in.
    fn take<'a>(&'a self, rows: &'a [u64], columns: &'a [&'a str]) -> Answer<'a, RecordBatch>;
    fn version(&self) -> Answer<'_, LakeVersion>;
    /// This table as it was, read-only. `NoVersion` when it was cleaned up, or when the number now names other rows.
    fn at<'a>(&'a self, version: &'a LakeVersion) -> Answer<'a, Arc<dyn Table>>;
    /// A read-only view of the newest version that does not move: the parts of one search agree.
    fn snapshot(&self) -> Answer<'_, Arc<dyn Table>>;
    /// Keeps a version from being pruned. Tagging a version again under the same tag moves the tag.
    fn tag<'a>(&'a self, tag: &'a str, version: &'a LakeVersion) -> Answer<'a, ()>;
    fn untag<'a>(&'a self, tag: &'a str) -> Answer<'a, ()>;
    fn tags(&self) -> Answer<'_, Vec<(String, LakeVersion)>>;
    fn stats(&self) -> Answer<'_, TableStats>;
    /// Prunes, compacts and folds rows into indexes, as far as the policy asks for it now.
    fn upkeep<'a>(&'a self, policy: &'a UpkeepPolicy) -> Answer<'a, Upkeep>;
    /// Removes files that no version names, as a process leaves them that dies while it writes. Of a lake that several
    /// processes write to nobody knows which these are; there those go that are older than an hour, as no write that may still
    /// come about is. Upkeep removes them when they are a week old. Answers how many bytes went.
    fn clear_leftovers(&self) -> Answer<'_, u64> {
        Box::pin(std::future::ready(Ok(0)))
    }
}
