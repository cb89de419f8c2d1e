#![doc = include_str!("../README.md")]
// Lance's futures nest deeper than the compiler's default allows.
#![recursion_limit = "256"]

mod deadline;
mod disk;
mod environment;
mod fault;
mod filter;
mod indexes;
mod lake;
mod location;
mod prune;
mod repair;
mod replace;
mod schema;
mod search;
mod stores;
mod table;
mod upkeep;
mod versions;
mod writer;

#[cfg(test)]
mod tests;

pub use environment::prepare_environment;
pub use lake::{Durability, LanceConfig, LanceLake};
pub use location::{LakeLocation, LocationFault};
