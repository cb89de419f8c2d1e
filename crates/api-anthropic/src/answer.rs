//! What clients get of the gateway's answers.

use axum::{
    Json as Reply,
    body::Body as Sent,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream::BoxStream};
use http::{HeaderName, HeaderValue, header};
use mainspring_gateway::{Answered, Body, GatewayFault, Spent};
use mainspring_llm::{TraceId, exchange::Event};
use mainspring_providers::{
    Operation,
    anthropic::{self, Writer},
};
use mainspring_web_kit::{Alive, Problem, SILENCE, Sse, SseEvent, costing, event_stream, with_trace};
use serde_json::{Value, json};

use crate::error::{Answer, AnthropicError};

/// An answer as its client reads it. `request` is the request's id.
pub(crate) fn response(
    mut answered: Answered,
    (operation, model): (Operation, &str),
    trace: TraceId,
    request: Option<&str>,
) -> Answer<Response> {
    if let (Operation::CountTokens, Body::Answer(answer)) = (operation, &answered.body) {
        answered.usage = answer.usage.or(answered.usage);
    }
    let (told, spent) = (answered.told(), answered.spent.clone());
    let mut response = match answered.body {
        Body::Bytes(bytes) => json_bytes(bytes),
        Body::Chunks(chunks) => stream_bytes(chunks, request, spent),
        Body::Answer(_) if operation == Operation::CountTokens => {
            Reply(json!({"input_tokens": answered.usage.unwrap_or_default().input})).into_response()
        }
        Body::Answer(answer) => Reply(anthropic::write(&answer)).into_response(),
        Body::Events(events) => Sse(written(events, (model, request), spent)).into_response(),
        Body::Embedded(_) | Body::Reranked(_) => return Err(AnthropicError::from(Problem::internal())),
    };
    let said = response.headers_mut();
    for (name, value) in &told {
        said.append(name, value.clone());
    }
    // Where Anthropic's clients look for it.
    if let Some(value) = request.and_then(|request| HeaderValue::from_str(request).ok()) {
        said.insert(HeaderName::from_static("request-id"), value);
    }
    Ok(with_trace(response, trace))
}

fn json_bytes(bytes: Bytes) -> Response {
    let mut response = Response::new(Sent::from(bytes));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Chunks as they arrive. One that does not arrive ends the stream with an event that clients take for a failure.
fn stream_bytes(chunks: BoxStream<'static, Result<Bytes, GatewayFault>>, request: Option<&str>, spent: Spent) -> Response {
    let request = request.map(str::to_owned);
    let bytes = chunks.map(move |chunk| match chunk {
        Ok(piece) => costing(piece, &["event: message_stop"], spent.cost()),
        Err(fault) => last_words(fault, request.clone()),
    });
    event_stream(bytes, ping)
}

/// What Anthropic says while its model thinks.
fn ping() -> Bytes {
    Bytes::from_static(b"event: ping\ndata: {\"type\": \"ping\"}\n\n")
}

/// The chunk before may have ended within a line.
fn last_words(fault: GatewayFault, request: Option<String>) -> Bytes {
    Bytes::from(format!("\nevent: error\ndata: {}\n\n", failure(fault, request)))
}

fn failure(fault: GatewayFault, request: Option<String>) -> Value {
    AnthropicError::from(fault).on(request).body()
}

pub(crate) fn written(
    events: BoxStream<'static, Result<Event, GatewayFault>>,
    (model, request): (&str, Option<&str>),
    spent: Spent,
) -> impl Stream<Item = SseEvent> + Send + use<> {
    let (mut writer, request) = (Writer::new(model), request.map(str::to_owned));
    let mut events = Alive::new(events, SILENCE, || Ok(Event::Ping));
    async_stream::stream! {
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    for (name, data) in writer.write(event) {
                        let cost = if name == "message_stop" { spent.cost() } else { None };
                        yield SseEvent::named(name, data.to_string()).costing(cost);
                    }
                }
                Err(fault) => {
                    yield SseEvent::named("error", failure(fault, request).to_string());
                    return;
                }
            }
        }
    }
}
