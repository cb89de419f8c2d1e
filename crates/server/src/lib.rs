#![doc = include_str!("../README.md")]

mod addresses;
mod alerting;
mod batching;
mod building;
mod calls;
mod drifting;
mod erasing;
mod errands;
mod errors;
mod fault;
mod health;
mod ingesting;
mod kinds;
mod lock;
mod measures;
mod models;
mod monitoring;
mod page;
mod serves;
mod serving;
mod upkeep;

pub use addresses::other_routes;
pub use building::Building;
pub use errands::errand_main;
pub use fault::BootFault;
pub use kinds::schemas;
pub use lock::{DataLock, LockFault};
pub use mainspring_generators::{CpuFault, check_cpu};
pub use mainspring_lake_lance::prepare_environment;
pub use mainspring_observability::conventions_page as conventions;
pub use mainspring_providers::{providers, translation::page as translation};
pub use models::open_weights;
pub use serves::Serves;

/// The OpenAPI document of the REST API, as text.
#[must_use]
pub fn openapi() -> String {
    mainspring_api_rest::openapi().to_pretty_json().unwrap_or_default()
}
