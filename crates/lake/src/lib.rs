#![doc = include_str!("../README.md")]

mod table;
mod filter;
mod fault;
#[cfg(feature = "conformance")]
pub mod conformance;

pub use fault::LakeFault;
pub use filter::{Filter, Scalar};
pub use table::{
    Commit, DocHits, Distance, IndexKind, IndexSpec, Lake, LakeVersion, Order, Repair, Scan, Table, TableSpec, TableStats, TextQuery,
    Upkeep, UpkeepPolicy, VectorQuery,
};
