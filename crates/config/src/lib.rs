#![doc = include_str!("../README.md")]

mod layers;
mod model;
mod units;
mod fault;

#[cfg(test)]
mod tests;

pub use fault::ConfigFault;
pub use layers::{Layers, Origin, Setting};
pub use model::{CaptureConfig, DurabilityConfig, CatalogConfig, ClientConfig, Config, DataConfig, KnowledgeConfig, LakeConfig, LogConfig, ModelsConfig, ServerConfig, TracesConfig};
pub use units::{Bytes, Seconds};
