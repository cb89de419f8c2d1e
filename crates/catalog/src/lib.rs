#![doc = include_str!("../README.md")]

pub mod audit;
mod constraints;
mod driver;
mod engine;
mod fault;
mod migrations;
mod notices;
mod param;
mod row;
pub mod testing;
mod tx;

#[cfg(test)]
mod tests;

pub use audit::{AuditEntry, AuditTrail};
pub use engine::{Catalog, Connections, Engine};
pub use fault::{CatalogFault, ConstraintKind, OnConstraint};
pub use notices::Notices;
pub use param::{IntoParam, Param};
pub use row::Row;
pub use tx::Tx;
