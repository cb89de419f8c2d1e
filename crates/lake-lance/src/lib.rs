#![doc = include_str!("../README.md")]
// Lance's futures nest deeper than the compiler's default allows.
#![recursion_limit = "256"]

mod aggregate;
mod columns;
mod deadline;
mod disk;
mod echoes;
mod environment;
mod fault;
mod filter;
mod functions;
mod ids;
mod indexes;
mod json;
mod json_functions;
mod keyed;
mod lake;
mod location;
mod marks;
mod packing;
mod pages;
mod prune;
mod repair;
mod replace;
mod schema;
mod search;
mod session;
mod sketch;
mod sql;
mod sql_plan;
mod sql_text;
mod sql_threads;
mod staged;
mod stores;
mod summaries;
mod table;
mod upkeep;
mod versions;
mod view;
mod widths;
mod writer;
mod zones;

#[cfg(test)]
mod tests;

pub use environment::prepare_environment;
pub use lake::{Durability, Footprint, LanceConfig, LanceLake};
pub use location::{LakeLocation, LocationFault};
