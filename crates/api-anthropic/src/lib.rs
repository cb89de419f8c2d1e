#![doc = include_str!("../README.md")]

mod agents;
mod answer;
mod apps;
mod asked;
mod error;
mod limits;
mod messages;
mod question;
mod wished;

#[cfg(test)]
mod tests;

pub use error::dialect;

use std::{sync::Arc, time::Duration};

use axum::{Router, middleware::from_fn};
use mainspring_chains::Chains;
use mainspring_gateway::Gateway;
use mainspring_kernel::Clock;
use mainspring_llm::EventSink;
use mainspring_web_kit::{Route, follow_conventions};

/// What this surface needs from the building.
#[derive(Debug, Clone)]
pub struct Anthropic {
    pub gateway: Gateway,
    pub chains: Arc<Chains>,
    pub sink: Arc<dyn EventSink>,
    pub clock: Arc<dyn Clock>,
    /// How long one answer may take, from the request to its last token.
    pub answer_deadline: Duration,
}

fn routes() -> Vec<Route<Anthropic>> {
    vec![Route::post("/v1/messages", messages::create), Route::post("/v1/messages/count_tokens", messages::count_tokens)]
}

pub fn router(state: Anthropic) -> Router {
    Route::router(routes(), state).route_layer(from_fn(follow_conventions))
}

/// The routes of this surface, for the authorisation table.
#[must_use]
pub fn listed() -> Vec<(&'static str, &'static str)> {
    routes().iter().map(Route::listed).collect()
}
