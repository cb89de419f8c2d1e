//! `POST /v2/rerank`: rerank as the second version of Cohere's clients asks for it and reads it.

use axum::{
    Json as Reply,
    body::to_bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use http::header;
use mainspring_providers::{Operation, openai};
use mainspring_web_kit::Problem;
use serde_json::{Map, Value, json};

use crate::{
    Surface,
    asked::Asked,
    error::{Answer, OpenAiError},
    routed,
};

pub(crate) async fn rerank(State(state): State<Surface>, asked: Answer<Asked>) -> Answer<Response> {
    let answered = async {
        let asked = asked?.aimed(&state).await?.named(None)?;
        written(routed::answer(&state, &asked, Operation::Rerank).await?).await
    };
    answered.await.map_err(OpenAiError::for_cohere)
}

/// The answer of whoever ordered the passages, with what Cohere's has beside the results. It is in memory, and the gateway has
/// read it: one that nobody can read is no answer there.
async fn written(response: Response) -> Answer<Response> {
    let (mut head, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let trace = head.headers.get("x-mainspring-trace-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let Some(whole) = serde_json::from_slice(&bytes).ok().and_then(|said| whole(said, trace)) else {
        tracing::error!("an order that was answered cannot be read: this is a defect");
        return Err(Problem::internal().into());
    };
    head.headers.remove(header::CONTENT_LENGTH);
    let mut response = Reply(whole).into_response();
    response.headers_mut().extend(head.headers);
    Ok(response)
}

/// Cohere's own answer stays as it is.
fn whole(mut said: Map<String, Value>, trace: &str) -> Option<Value> {
    // Voyage calls them `data`.
    let results = said.shift_remove(openai::rerank::named(&said)?)?;
    let mut whole = Map::new();
    whole.insert("id".to_owned(), said.shift_remove("id").unwrap_or_else(|| trace.into()));
    whole.insert("results".to_owned(), results);
    let meta = said.shift_remove("meta").unwrap_or_else(|| {
        let usage = said.get("usage").unwrap_or(&Value::Null);
        let tokens = ["prompt_tokens", "input_tokens", "total_tokens"].into_iter().find_map(|name| usage[name].as_u64());
        let mut meta = json!({"api_version": {"version": "2"}});
        if let Some(tokens) = tokens {
            meta["billed_units"] = json!({"input_tokens": tokens});
        }
        meta
    });
    whole.insert("meta".to_owned(), meta);
    Some(Value::Object(whole))
}
