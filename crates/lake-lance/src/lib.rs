#![doc = include_str!("../README.md")]
// Lance's futures nest deeper than the compiler's default allows.
#![recursion_limit = "256"]

mod lake;
mod table;
mod writer;
mod replace;
mod filter;
mod search;
mod indexes;
mod upkeep;
mod repair;
mod versions;
mod schema;
mod location;
mod stores;
mod fault;

#[cfg(test)]
mod tests;

pub use lake::{Durability, LanceConfig, LanceLake};
pub use location::{LakeLocation, LocationFault};
