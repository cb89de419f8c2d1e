//! Requests that the gateway answers, and what their clients get.

use axum::{
    Json as Reply,
    body::Body as Sent,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream::BoxStream};
use http::{HeaderValue, header};
use mainspring_gateway::{Answered, Body, CacheOutcome, GatewayFault, Read, Reading, Spent};
use mainspring_llm::exchange::{Call, Event, RerankAnswer};
use mainspring_providers::{
    Operation,
    openai::{
        ReadFault, chat,
        responses::{self, CustomTools},
    },
};
use mainspring_web_kit::{Refuses, Sse, SseEvent, comment, costing, event_stream, with_told, with_trace};
use serde_json::{Value, json};

use crate::{
    Surface,
    asked::Asked,
    compact,
    embeddings::list,
    error::{Answer, OpenAiError},
    inputs, texts,
};

/// What of a request an answer to it needs.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) operation: Operation,
    pub(crate) model: String,
    pub(crate) include_usage: bool,
    /// In seconds.
    pub(crate) created: i64,
    /// As the client sent it.
    pub(crate) body: Bytes,
}

/// How endpoints of the gateway are read when they have to be.
pub(crate) const fn reader(operation: Operation) -> Read {
    match operation {
        Operation::Chat => |body| read(chat::read(body)),
        Operation::Responses | Operation::CountTokens => |body| read(responses::read(body)),
        Operation::Compact => |body| read(compact::read(body)),
        Operation::Completions => inputs::completion,
        Operation::Embeddings => inputs::embed,
        Operation::Rerank => inputs::rerank,
        _ => |_| Ok(Reading::Opaque),
    }
}

fn read(call: Result<Call, ReadFault>) -> Result<Reading, GatewayFault> {
    match call {
        Ok(call) => Ok(Reading::Chat(Box::new(call))),
        Err(fault) => Err(GatewayFault::invalid(fault.param, fault.message)),
    }
}

/// Answers through the gateway.
pub(crate) async fn answer(state: &Surface, asked: &Asked, operation: Operation) -> Answer<Response> {
    let trace = asked.trace(&state.openai);
    let id = trace.trace;
    let request = asked.request((operation, reader(operation)), trace, asked.budget(&state.openai))?;
    let wanted = Wanted {
        operation,
        model: asked.model().to_owned(),
        include_usage: asked.include_usage(),
        created: state.openai.clock.now().as_seconds(),
        body: asked.body.clone(),
    };
    let told = request.told.clone();
    let answered = Box::pin(state.openai.gateway.call(request)).await;
    let answered = answered.map_err(|fault| OpenAiError::from(fault).telling(&told))?;
    if answered.cache == CacheOutcome::Off {
        asked.wishes.not_kept();
    }
    let response = response(answered, &wanted).map_err(|error| error.in_trace(id))?;
    Ok(with_trace(with_told(response, &told), id))
}

pub(crate) fn response(mut answered: Answered, wanted: &Wanted) -> Answer<Response> {
    if let (Operation::CountTokens, Body::Answer(answer)) = (wanted.operation, &answered.body) {
        answered.usage = answer.usage.or(answered.usage);
    }
    let (told, used, spent) = (answered.told(), answered.usage, answered.spent.clone());
    let Wanted { operation, model, include_usage, created, body } = wanted;
    let responses = *operation == Operation::Responses;
    let mut response = match answered.body {
        Body::Bytes(bytes) => json_bytes(bytes),
        Body::Chunks(chunks) => stream_bytes(chunks, *operation, spent),
        Body::Answer(_) if *operation == Operation::CountTokens => {
            Reply(json!({"object": "response.input_tokens", "input_tokens": used.unwrap_or_default().input})).into_response()
        }
        Body::Answer(answer) if *operation == Operation::Compact => {
            Reply(compact::write(&answer, (*created, model), body)?).into_response()
        }
        Body::Answer(answer) if *operation == Operation::Completions => {
            Reply(texts::whole(&answer, (*created, model))).into_response()
        }
        Body::Answer(answer) if responses => {
            Reply(responses::write_with(&answer, (*created, model), &CustomTools::of(body))).into_response()
        }
        Body::Answer(answer) if chat::is_older(body) => Reply(chat::write_older(&answer, *created, model)).into_response(),
        Body::Answer(answer) => Reply(chat::write(&answer, *created, model)).into_response(),
        Body::Events(events) if *operation == Operation::Completions => {
            let mut writer = texts::Writer::new(*created, model, *include_usage);
            Sse(data_events(events, move |event| writer.push(event), spent)).kept_alive()
        }
        Body::Events(events) if responses => {
            let writer = responses::Writer::new(*created, model).with_custom(CustomTools::of(body));
            Sse(response_events(events, writer, spent)).kept_alive()
        }
        Body::Events(events) => {
            let writer = chat::Writer::new(*created, model, *include_usage);
            let mut writer = if chat::is_older(body) { writer.older() } else { writer };
            Sse(data_events(events, move |event| writer.push(event), spent)).kept_alive()
        }
        Body::Embedded(answer) => {
            let tokens = answer.usage.or(used).unwrap_or_default().input;
            Reply(list(&answer.vectors, inputs::in_base64(body), model, tokens)).into_response()
        }
        Body::Reranked(answer) => Reply(ordered(&answer, inputs::returned(body).as_deref(), model)).into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in &told {
        headers.append(name, value.clone());
    }
    Ok(response)
}

/// In the shape that Cohere and Jina have.
fn ordered(answer: &RerankAnswer, documents: Option<&[String]>, model: &str) -> Value {
    let result = |&(index, score): &(u32, f64)| {
        let mut result = json!({"index": index, "relevance_score": score});
        if let Some(text) = documents.and_then(|documents| documents.get(index as usize)) {
            result["document"] = json!({"text": text});
        }
        result
    };
    let mut body = json!({"model": model, "results": answer.results.iter().map(result).collect::<Vec<_>>()});
    if let Some(usage) = answer.usage {
        body["usage"] = json!({"prompt_tokens": usage.input, "total_tokens": usage.input});
    }
    body
}

pub(crate) fn json_bytes(bytes: Bytes) -> Response {
    let mut response = Response::new(Sent::from(bytes));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Chunks as they arrive. One that does not arrive ends the stream with an event that clients take for a failure.
pub(crate) fn stream_bytes(
    chunks: BoxStream<'static, Result<Bytes, GatewayFault>>,
    operation: Operation,
    spent: Spent,
) -> Response {
    let bytes = chunks.map(move |chunk| match chunk {
        Ok(piece) => costing(piece, last_event(operation), spent.cost()),
        Err(fault) => last_words(fault, operation),
    });
    event_stream(bytes, comment)
}

/// What the event begins with that ends a stream.
const fn last_event(operation: Operation) -> &'static [&'static str] {
    match operation {
        Operation::Responses => &["event: response.completed", "event: response.incomplete"],
        _ => &["data: [DONE]", "data:[DONE]"],
    }
}

/// The chunk before may have ended within a line.
fn last_words(fault: GatewayFault, operation: Operation) -> Bytes {
    let error = OpenAiError::from(fault);
    Bytes::from(if operation == Operation::Responses {
        format!("\nevent: error\ndata: {}\n\n", error.event())
    } else {
        format!("\ndata: {}\n\n", error.body())
    })
}

/// Events that have data and no names, as `write` makes them.
fn data_events(
    mut events: BoxStream<'static, Result<Event, GatewayFault>>,
    mut write: impl FnMut(Event) -> Vec<String> + Send,
    spent: Spent,
) -> impl Stream<Item = SseEvent> + Send {
    async_stream::stream! {
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    for data in write(event) {
                        let cost = if data == "[DONE]" { spent.cost() } else { None };
                        yield SseEvent::data(data).costing(cost);
                    }
                }
                Err(fault) => {
                    yield SseEvent::data(OpenAiError::from(fault).body().to_string());
                    return;
                }
            }
        }
    }
}

pub(crate) fn response_events(
    mut events: BoxStream<'static, Result<Event, GatewayFault>>,
    mut writer: responses::Writer,
    spent: Spent,
) -> impl Stream<Item = SseEvent> + Send {
    async_stream::stream! {
        while let Some(event) = events.next().await {
            let (named, failed) = match event {
                Ok(event) => (writer.push(event), false),
                Err(fault) => {
                    let error = OpenAiError::from(fault);
                    (writer.fail(error.code(), &error.message()), true)
                }
            };
            for event in named {
                let ends = matches!(event.event, "response.completed" | "response.incomplete");
                let cost = if ends { spent.cost() } else { None };
                yield SseEvent::named(event.event, event.data).costing(cost);
            }
            if failed {
                return;
            }
        }
    }
}
