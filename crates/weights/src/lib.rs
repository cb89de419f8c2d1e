#![doc = include_str!("../README.md")]

mod cache;
mod fault;
mod fetch;
mod list;
mod model; // start here: what a model, a file and a place are
mod pull;
mod wheel;

#[cfg(test)]
mod tests;

pub use fault::{Tried, WeightsFault};
pub use list::ModelList;
pub use model::{FileSpec, ModelSpec, Place, Pooling, Role, Task};
pub use pull::{Checked, Condition, Hosts, Installed, InstalledFile, Listed, Phase, Progress, Weights};
