#![doc = include_str!("../README.md")]

mod cache;
mod fault;
mod fetch;
mod list;
mod model; // start here: what a model, a file and a place are
mod proof;
mod pull;
mod s3;
mod wheel;

#[cfg(test)]
mod tests;

pub use cache::Condition;
pub use fault::{Damage, Tried, WeightsFault};
pub use list::ModelList;
pub use model::{FileSpec, ModelSpec, Place, Pooling, Role, Task};
pub use pull::{Checked, Coming, Hosts, Installed, InstalledFile, Listed, Phase, Progress, Weights};
pub use s3::S3Access;
