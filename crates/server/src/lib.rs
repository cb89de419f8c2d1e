#![doc = include_str!("../README.md")]

mod building;
mod models;
mod health;
mod kinds;
mod lock;
mod page;
mod upkeep;
mod fault;

pub use building::{Building, other_routes};
pub use fault::BootFault;
pub use kinds::schemas;
pub use lock::{DataLock, LockFault};
pub use models::open_weights;

/// The OpenAPI document of the REST API, as text.
#[must_use]
pub fn openapi() -> String {
    mainspring_api_rest::openapi().to_pretty_json().unwrap_or_default()
}
