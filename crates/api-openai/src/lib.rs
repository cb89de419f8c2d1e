#![doc = include_str!("../README.md")]

mod answer;
mod asked;
mod batches;
mod chat;
mod cohere;
mod compact;
mod completions;
mod embeddings;
mod error;
mod files;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod inputs;
mod kept;
mod lines;
mod models;
mod page;
mod params;
mod passed;
mod pieces;
mod question;
mod request;
mod responses;
mod routed;
mod texts;
mod wished;

#[cfg(test)]
mod tests;

pub use error::dialect;
pub use lines::Lines;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRef},
    middleware::from_fn,
};
use mainspring_batches::Batches;
use mainspring_chains::{Answerer, Chains};
use mainspring_gateway::{Gateway, GatewayFault};
use mainspring_kernel::{Clock, text};
use mainspring_llm::EventSink;
use mainspring_web_kit::{Route, follow_conventions};

use crate::{
    asked::Asked,
    error::{Answer, OpenAiError},
};

/// What this surface needs from the building.
#[derive(Debug, Clone)]
pub struct OpenAi {
    pub gateway: Gateway,
    pub chains: Arc<Chains>,
    pub sink: Arc<dyn EventSink>,
    pub clock: Arc<dyn Clock>,
    /// How long one answer may take, from the request to its last token.
    pub answer_deadline: Duration,
    /// Where people open the page, if somebody said so.
    pub public_url: Option<Arc<str>>,
}

/// The surface as its handlers have it.
#[derive(Debug, Clone)]
pub(crate) struct Surface {
    pub(crate) openai: OpenAi,
}

impl FromRef<Surface> for OpenAi {
    fn from_ref(surface: &Surface) -> Self {
        surface.openai.clone()
    }
}

impl Surface {
    /// Whether the gateway answers, and no app and no prompt.
    pub(crate) async fn routes(&self, asked: &Asked) -> Answer<bool> {
        let (model, actor) = (asked.model(), &asked.actor);
        let routed = self.openai.gateway.knows(actor.project, model).await;
        let answerer = self.openai.chains.answerer(actor, model, routed).await;
        Ok(answerer.map_err(|fault| OpenAiError::of(&fault))? == Answerer::Gateway)
    }

    /// The same refusal, and where it is of a name that nobody has, with the name that may have been meant.
    pub(crate) async fn unknown(&self, asked: &Asked, error: OpenAiError) -> OpenAiError {
        let model = asked.model();
        if error.code() != "model_not_found" && !(error.is_of("model") && model.contains('/')) {
            return error;
        }
        let names = self.openai.gateway.names(asked.actor.project).await;
        let nearest = text::nearest(model, names.iter().map(String::as_str)).map(str::to_owned);
        if nearest.is_none() && error.code() == "model_not_found" {
            return error;
        }
        GatewayFault::UnknownModel { model: text::elide(model, 80), nearest }.into()
    }
}

fn routes() -> Vec<Route<Surface>> {
    vec![
        Route::post("/v1/chat/completions", chat::complete),
        Route::post("/v1/responses", responses::create),
        Route::get("/v1/responses", responses::no_socket),
        Route::post("/v1/responses/compact", compact::compact),
        Route::post("/v1/responses/input_tokens", compact::count),
        Route::get("/v1/responses/{id}", kept::read),
        Route::delete("/v1/responses/{id}", kept::delete),
        Route::post("/v1/responses/{id}/cancel", kept::cancel),
        Route::get("/v1/responses/{id}/input_items", kept::input_items),
        Route::post("/v1/completions", completions::complete),
        Route::post("/v1/embeddings", embeddings::embed),
        Route::post("/v1/rerank", passed::rerank),
        Route::post("/v2/rerank", cohere::rerank),
        Route::post("/v1/moderations", passed::moderate),
        Route::get("/v1/models", models::list),
        Route::get("/v1/models/{*name}", models::show),
    ]
}

pub fn router(state: OpenAi) -> Router {
    Route::router(routes(), Surface { openai: state }).route_layer(from_fn(follow_conventions))
}

fn batch_routes() -> Vec<Route<Batches>> {
    vec![
        Route::get("/v1/files", files::list),
        Route::get("/v1/files/{id}", files::show),
        Route::delete("/v1/files/{id}", files::delete),
        Route::get("/v1/files/{id}/content", files::content),
        Route::post("/v1/batches", batches::create),
        Route::get("/v1/batches", batches::list),
        Route::get("/v1/batches/{id}", batches::show),
        Route::post("/v1/batches/{id}/cancel", batches::cancel),
    ]
}

fn upload_routes() -> Vec<Route<Batches>> {
    vec![Route::post("/v1/files", files::upload)]
}

/// Files and batches, but for what takes files.
pub fn batch_router(batches: Batches) -> Router {
    Route::router(batch_routes(), batches)
}

/// What takes files. Apart, because its bodies are larger than others' and take as long as their clients' lines do: a file
/// that is too large is refused by what takes it.
pub fn upload_router(batches: Batches, file_limit: u64) -> Router {
    // What a form has beside the file is small.
    let limit = usize::try_from(file_limit.saturating_add(1 << 20)).unwrap_or(usize::MAX);
    Route::router(upload_routes(), batches).layer(DefaultBodyLimit::max(limit))
}

/// The routes of this surface, for the authorisation table.
#[must_use]
pub fn listed() -> Vec<(&'static str, &'static str)> {
    let batches = batch_routes().into_iter().chain(upload_routes());
    routes().iter().map(Route::listed).chain(batches.map(|route| route.listed())).collect()
}
