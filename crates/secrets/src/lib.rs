#![doc = include_str!("../README.md")]

mod cache;
mod fault;
mod master;
mod model;
mod sealed;
mod service;
pub mod store;

#[cfg(test)]
mod tests;

pub use fault::SecretsFault;
pub use master::{MasterKeys, MasterSettings};
pub use model::{Resealed, Secret};
pub use service::Secrets;
