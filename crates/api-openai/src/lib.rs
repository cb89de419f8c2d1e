#![doc = include_str!("../README.md")]

mod answer;
mod chat;
mod completions;
mod embeddings;
mod error;
mod models;
mod params;
mod pieces;
mod request;

#[cfg(test)]
mod tests;

pub use error::dialect;

use std::{sync::Arc, time::Duration};

use axum::Router;
use mainspring_chains::Chains;
use mainspring_kernel::Clock;
use mainspring_llm::{Budget, EventSink, SpanContext, SpanId, TraceId};
use mainspring_web_kit::Route;

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

/// W3C trace context: `00-<trace>-<span>-<flags>`, in lower case; a later version may go on after that.
fn traceparent(text: &str) -> Option<(TraceId, SpanId)> {
    let parts: Vec<&str> = text.split('-').collect();
    let (version, trace, span, flags) = match *parts.as_slice() {
        ["00", trace, span, flags] => ("00", trace, span, flags),
        [version, trace, span, flags, ..] if version != "00" && version != "ff" => (version, trace, span, flags),
        _ => return None,
    };
    let hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if version.len() != 2 || flags.len() != 2 || ![version, trace, span, flags].into_iter().all(hex) {
        return None;
    }
    Some((trace.parse().ok()?, span.parse().ok()?))
}

fn routes() -> Vec<Route<OpenAi>> {
    vec![
        Route::post("/v1/chat/completions", chat::complete),
        Route::post("/v1/completions", completions::complete),
        Route::post("/v1/embeddings", embeddings::embed),
        Route::get("/v1/models", models::list),
        Route::get("/v1/models/{*name}", models::show),
    ]
}

pub fn router(state: OpenAi) -> Router {
    Route::router(routes(), state)
}

/// The routes of this surface, for the authorisation table.
#[must_use]
pub fn listed() -> Vec<(&'static str, &'static str)> {
    routes().iter().map(Route::listed).collect()
}
