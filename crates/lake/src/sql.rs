//! Questions in SQL, over views that let through only what their reader may see.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use mainspring_kernel::Name;

use crate::{aggregate::Allowance, filter::Filter};

/// A table as one reader sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct TableView {
    /// What the question calls it.
    pub name: String,
    pub table: Name,
    /// The rows there are, for this reader.
    pub filter: Filter,
    /// The columns there are. Empty: all of them.
    pub columns: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqlLimits {
    /// An answer is cut after this many rows, or this many bytes in memory.
    pub rows: usize,
    pub bytes: usize,
    pub allowance: Allowance,
}

impl Default for SqlLimits {
    fn default() -> Self {
        Self { rows: 10_000, bytes: 64 << 20, allowance: Allowance::default() }
    }
}

/// One `SELECT`. Nothing it says can write, or read anything beside the views.
#[derive(Debug, Clone, PartialEq)]
pub struct SqlQuery {
    pub text: String,
    pub views: Vec<TableView>,
    pub limits: SqlLimits,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SqlAnswer {
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
    /// Whether the limits cut the answer.
    pub more: bool,
}
