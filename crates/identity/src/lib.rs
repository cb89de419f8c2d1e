#![doc = include_str!("../README.md")]

mod model;
mod service;
mod secret;
mod keys;
mod cache;
mod members;
mod projects;
mod audit;
pub mod store;
mod fault;

#[cfg(test)]
mod tests;

pub use audit::{AuditRecord, AuditVerdict, BrokenLink};
pub use fault::IdentityFault;
pub use keys::{IssuedKey, KeyHolder, NewKey};
pub use model::{ApiKey, Member, Principal, PrincipalKind, Project};
pub use secret::KeyFault;
pub use service::{DEFAULT_PROJECT, Identity, LOCAL_PRINCIPAL};
