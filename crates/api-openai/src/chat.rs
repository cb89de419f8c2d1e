//! `POST /v1/chat/completions`.

use axum::{
    Json as Reply,
    extract::State,
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use mainspring_chains::{AnswerEvent, AnswerStream, ChainFault};
use mainspring_llm::{FinishReason, Told};
use mainspring_providers::Operation;
use mainspring_web_kit::{Refuses, Sse, SseEvent, with_told, with_trace};

use crate::{
    OpenAi, Surface,
    answer::Envelope,
    asked::Asked,
    error::{Answer, OpenAiError},
    request::ChatBody,
    routed,
};

pub(crate) async fn complete(State(state): State<Surface>, asked: Asked) -> Answer<Response> {
    let asked = asked.aimed(&state).await?;
    if state.routes(&asked).await? {
        return routed::answer(&state, &asked, Operation::Chat).await;
    }
    match answered_here(&state.openai, &asked).await {
        Err(error) => Err(state.unknown(&asked, error).await),
        answer => answer,
    }
}

/// By an app, a prompt or a model of this process.
async fn answered_here(state: &OpenAi, asked: &Asked) -> Answer<Response> {
    let (body, actor): (ChatBody, _) = (asked.json()?, &asked.actor);
    let streamed = body.stream.unwrap_or(false);
    let include_usage = body.stream_options.as_ref().is_some_and(|options| options.include_usage);
    let envelope = Envelope::new("chatcmpl", &body.model, state.clock.as_ref()).on(asked.page(state));
    let mut question = body.question()?;
    asked.tell(&mut question);
    let told = question.told.clone();
    let refuse = question.overrides.json.is_some();
    let trace = asked.trace(state);
    let id = trace.trace;
    let refused = |fault: ChainFault| OpenAiError::of_answer(&fault).telling(&told).in_trace(id);
    if streamed {
        let stream = state.chains.stream(actor, question, &trace, asked.budget(state)).await.map_err(refused)?;
        let response = Sse(events(stream, envelope, include_usage, refuse, told.clone())).kept_alive();
        return Ok(with_trace(with_told(response, &told), id));
    }
    let answer = state.chains.answer(actor, question, &trace, asked.budget(state)).await.map_err(refused)?;
    let body = envelope.completion(&answer.alternatives, answer.usage, refuse, told.facts().cost);
    let response = Reply(body).into_response();
    Ok(with_trace(with_told(response, &told), id))
}

/// With `refuse`, an app that abstains does so in `refusal`: its text is not the JSON that was asked for.
pub(crate) fn events(
    mut stream: AnswerStream,
    envelope: Envelope,
    include_usage: bool,
    refuse: bool,
    told: Told,
) -> impl futures::Stream<Item = SseEvent> + Send {
    async_stream::stream! {
        let mut field = "content";
        let mut opened = std::collections::BTreeSet::new();
        let mut finished: Vec<FinishReason> = Vec::new();
        while let Some(event) = stream.next().await {
            match event {
                Ok(AnswerEvent::Sources { sources, abstains }) => {
                    field = if refuse && abstains { "refusal" } else { "content" };
                    opened.insert(0);
                    yield SseEvent::data(envelope.opening(0, field).to_string());
                    if !sources.is_empty() {
                        yield SseEvent::data(envelope.sources(&sources).to_string());
                    }
                }
                Ok(AnswerEvent::Text { index, text, logprobs }) => {
                    if opened.insert(index) {
                        yield SseEvent::data(envelope.opening(index, field).to_string());
                    }
                    yield SseEvent::data(envelope.text(index, field, &text, &logprobs).to_string());
                }
                Ok(AnswerEvent::Finished { finish, .. }) => finished.push(finish),
                Ok(AnswerEvent::Done { usage, outcomes }) => {
                    let (cost, last) = (told.facts().cost, outcomes.len().saturating_sub(1));
                    for (index, outcome) in outcomes.iter().enumerate() {
                        let finish = finished.get(index).copied().unwrap_or(FinishReason::Stop);
                        let of_all = cost.filter(|_| index == last);
                        yield SseEvent::data(envelope.closing(index, finish, outcome, of_all).to_string());
                    }
                    if include_usage {
                        yield SseEvent::data(envelope.usage(usage).to_string());
                    }
                    told.ending().completes();
                    yield SseEvent::data("[DONE]").costing(cost);
                    return;
                }
                Err(fault) => {
                    // The status line has gone out; OpenAI's clients read an `error` event as a failure.
                    yield SseEvent::data(OpenAiError::of_answer(&fault).ending(&told).body().to_string());
                    return;
                }
            }
        }
    }
}
