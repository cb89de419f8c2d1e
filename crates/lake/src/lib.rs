#![doc = include_str!("../README.md")]

#[cfg(feature = "conformance")]
pub mod conformance;
mod fault;
mod filter;
mod table;

pub use fault::LakeFault;
pub use filter::{Filter, Scalar};
pub use table::{
    Commit, Distance, DocHits, IndexKind, IndexSpec, Lake, LakeVersion, Order, Past, Repair, Scan, Table, TableSpec, TableStats,
    TextQuery, Upkeep, UpkeepPolicy, VectorQuery,
};
