//! Lines of batches, answered as the requests of clients are: by the same handlers, with the same limits, in a trace of its
//! own each.

use std::time::Duration;

use async_trait::async_trait;
use axum::{
    body::to_bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::HeaderMap;
use mainspring_batches::{Again, Answers, Endpoint, LineReply};
use mainspring_kernel::{
    Actor,
    id::{BatchId, RequestId},
};
use mainspring_web_kit::{Problem, Wishes};

use crate::{OpenAi, Surface, asked::Asked, chat, completions, embeddings, error::Answer, passed, responses};

/// A longer answer than anybody gives.
const ANSWER_MAX: usize = 256 << 20;
/// Where a refusal does not say when to come back.
const SOON: Duration = Duration::from_secs(1);

/// Answers lines of batches.
#[derive(Debug, Clone)]
pub struct Lines {
    surface: Surface,
    /// Whether they are counted at what calls in a batch cost, where a price table says so.
    at_batch_prices: bool,
}

impl Lines {
    #[must_use]
    pub fn of(openai: OpenAi, at_batch_prices: bool) -> Self {
        Self { surface: Surface { openai }, at_batch_prices }
    }

    async fn answered(&self, actor: &Actor, (batch, endpoint): (BatchId, Endpoint), body: Bytes) -> Answer<Response> {
        let asked = Asked::of(actor.clone(), HeaderMap::new(), body)?;
        let asked = asked.wishing(Wishes::default()).in_batch(batch, self.at_batch_prices);
        let state = State(self.surface.clone());
        match endpoint {
            Endpoint::Chat => chat::complete(state, asked).await,
            Endpoint::Completions => completions::complete(state, asked).await,
            Endpoint::Embeddings => embeddings::embed(state, asked).await,
            Endpoint::Responses => responses::create(state, asked).await,
            Endpoint::Moderations => passed::moderate(state, asked).await,
            Endpoint::Rerank => passed::rerank(state, asked).await,
        }
    }
}

#[async_trait]
impl Answers for Lines {
    async fn answer(&self, actor: &Actor, of: (BatchId, Endpoint), body: Bytes) -> LineReply {
        let answered = Box::pin(self.answered(actor, of, body)).await;
        let response = answered.unwrap_or_else(IntoResponse::into_response);
        let (status, again) = (response.status().as_u16(), again(&response));
        let trace = response.headers().get("x-mainspring-trace-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let request_id = trace.unwrap_or_else(|| RequestId::new(self.surface.openai.clock.now()).to_string());
        let body = to_bytes(response.into_body(), ANSWER_MAX).await.unwrap_or_default();
        LineReply { status, request_id, body, again }
    }
}

/// What our own limits and our own ledger refuse has asked nobody, so it may be asked as often as it takes.
fn again(response: &Response) -> Option<Again> {
    let problem = response.extensions().get::<Problem>()?;
    match problem.code {
        "limit-requests" | "limit-tokens" | "limit-concurrent" | "limit-not-ready" | "budget-spent" | "ledger-behind"
        | "ledger-disk-full" => Some(Again::Limit(problem.retry_after.unwrap_or(SOON))),
        _ if matches!(response.status().as_u16(), 429 | 503) => Some(Again::Busy(problem.retry_after)),
        _ => None,
    }
}
