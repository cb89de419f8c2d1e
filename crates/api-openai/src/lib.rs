#![doc = include_str!("../README.md")]

mod answer;
mod chat;
mod completions;
mod embeddings;
mod error;
mod models;
mod request;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    routing::{get, post},
};
use mainspring_chains::Chains;
use mainspring_kernel::Clock;
use mainspring_llm::{Budget, EventSink, SpanContext, SpanId, TraceId};

/// What this surface needs from the building.
#[derive(Debug, Clone)]
pub struct OpenAi {
    pub chains: Arc<Chains>,
    pub sink: Arc<dyn EventSink>,
    pub clock: Arc<dyn Clock>,
    /// How long one answer may take, from the request to its last token.
    pub answer_deadline: Duration,
}

impl OpenAi {
    fn budget(&self) -> Budget {
        Budget::of(self.answer_deadline)
    }

    /// The trace of a request; goes on in the caller's where a `traceparent` says so.
    fn trace(&self, project: mainspring_kernel::id::ProjectId, headers: &http::HeaderMap) -> SpanContext {
        let context = SpanContext::root(project, Arc::clone(&self.sink), Arc::clone(&self.clock));
        match headers.get("traceparent").and_then(|value| value.to_str().ok()).and_then(traceparent) {
            Some((trace, span)) => context.continuing(trace, span),
            None => context,
        }
    }
}

/// W3C trace context: `00-<trace>-<span>-<flags>`.
fn traceparent(text: &str) -> Option<(TraceId, SpanId)> {
    let mut parts = text.split('-');
    let version = parts.next()?;
    if version.len() != 2 || version == "ff" {
        return None;
    }
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

pub fn router(state: OpenAi) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(chat::complete))
        .route("/v1/completions", post(completions::complete))
        .route("/v1/embeddings", post(embeddings::embed))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*name}", get(models::show))
        .with_state(state)
}

/// The routes of this surface, for the authorisation table.
pub const ROUTES: &[(&str, &str)] = &[
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/embeddings"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/{name}"),
];
