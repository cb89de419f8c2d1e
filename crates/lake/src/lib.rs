#![doc = include_str!("../README.md")]

mod aggregate;
#[cfg(feature = "conformance")]
pub mod conformance;
mod fault;
mod filter;
mod ids;
mod sql;
mod table;

pub use aggregate::{Aggregate, Allowance, First, Grouped, Key, KeyOf, Measure, MeasureOf, Numbers};
pub use fault::LakeFault;
pub use filter::{Comparison, Filter, JsonTest, Scalar};
pub use ids::IdSet;
pub use sql::{SqlAnswer, SqlLimits, SqlQuery, TableView};
pub use table::{
    Answer, Commit, Distance, DocHits, Echo, IndexKind, IndexSpec, Lake, LakeVersion, Order, Past, Repair, Scan, Table,
    TableSpec, TableStats, TextQuery, Upkeep, UpkeepPolicy, VectorQuery,
};
