#![doc = include_str!("../README.md")]

mod fault;
mod layers;
mod model;
mod units;

#[cfg(test)]
mod tests;

pub use fault::ConfigFault;
pub use layers::{DEFAULTS, Layers, Origin, Setting};
pub use model::{
    AlertsConfig, CaptureConfig, CatalogConfig, ClientConfig, Config, DataConfig, DurabilityConfig, GatewayConfig,
    KnowledgeConfig, LakeConfig, LogConfig, ModelsConfig, PrivateAddresses, SecretsConfig, ServerConfig, TracesConfig,
};
pub use units::{Bytes, Seconds};
