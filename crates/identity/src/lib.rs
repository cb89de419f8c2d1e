#![doc = include_str!("../README.md")]

mod acting;
mod audit;
mod cache;
mod fault;
mod keys;
mod members;
mod model;
mod projects;
mod secret;
mod service;
pub mod store;
mod told;

#[cfg(test)]
mod tests;

pub use audit::{AuditRecord, AuditVerdict, BrokenLink};
pub use fault::IdentityFault;
pub use keys::{IssuedKey, KeyHolder, NewKey};
pub use model::{ApiKey, Member, OwnProject, Principal, PrincipalKind, Project};
pub use secret::KeyFault;
pub use service::{DEFAULT_PROJECT, Identity, LOCAL_PRINCIPAL};
