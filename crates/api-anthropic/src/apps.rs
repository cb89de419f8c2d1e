//! Apps and prompts, answered in Anthropic's shape. What is known of an answer beside its text stands under `mainspring`.

use axum::{
    Json as Reply,
    response::{IntoResponse, Response},
};
use futures::{Stream, StreamExt};
use mainspring_chains::{Alternative, Answer as Answered, AnswerEvent, AnswerStream, ChainFault, Target};
use mainspring_kernel::{Actor, Money, id::RequestId, text};
use mainspring_llm::{
    Budget, FinishReason, Provenance, TokenUsage, Told, Usage,
    exchange::{Answer as Exchanged, Choice, Dialect, Event, Finish, Part},
};
use mainspring_providers::{
    Operation,
    anthropic::{self, Writer},
};
use mainspring_web_kit::{Alive, SILENCE, Sse, SseEvent, with_cost, with_told};
use serde_json::{Map, Value, json};

use crate::{
    Anthropic,
    answer::with_trace,
    asked::Asked,
    error::{Answer, AnthropicError},
    question::question,
};

pub(crate) async fn answer(
    state: &Anthropic,
    asked: &Asked,
    (operation, target): (Operation, Target),
    budget: Budget,
) -> Answer<Response> {
    let call = anthropic::read(&asked.body).map_err(|fault| AnthropicError::invalid(&fault.field, fault.message))?;
    if operation == Operation::CountTokens {
        return Err(uncounted(state, &asked.actor, &target).await);
    }
    let (streamed, model) = (call.stream, call.model.clone());
    let mut question = question(call, target)?;
    asked.tell(&mut question);
    let told = question.told.clone();
    let trace = asked.trace(state);
    let id = format!("msg_{}", &RequestId::new(state.clock.now()).to_string()[4..]);
    let id_of_trace = trace.trace;
    let refused = |fault: ChainFault| AnthropicError::of(&fault).telling(&told).in_trace(id_of_trace);
    if streamed {
        let stream = state.chains.stream(&asked.actor, question, &trace, budget).await.map_err(refused)?;
        let events = events(stream, Event::Began { id, model }, asked.tag.clone(), told.clone());
        return Ok(with_trace(with_told(Sse(events).into_response(), &told), id_of_trace));
    }
    let answer = state.chains.answer(&asked.actor, question, &trace, budget).await.map_err(refused)?;
    let message = message(answer, id, model, told.facts().cost);
    Ok(with_trace(with_told(Reply(message).into_response(), &told), id_of_trace))
}

/// What an app reads is known only when it answers: it retrieves first.
async fn uncounted(state: &Anthropic, actor: &Actor, target: &Target) -> AnthropicError {
    let callables = match state.chains.callables(actor).await {
        Ok(callables) => callables,
        Err(fault) => return AnthropicError::of(&fault),
    };
    let name = target.reference.name.as_str();
    if callables.iter().any(|callable| callable.name == name && target.kind.is_none_or(|kind| kind == callable.kind)) {
        return AnthropicError::unsupported("model")
            .saying("model: the tokens of an app or a prompt are known only when it has answered");
    }
    let nearest = text::nearest(name, callables.iter().map(|callable| callable.name.as_str())).map(str::to_owned);
    AnthropicError::of(&ChainFault::UnknownTarget { name: text::elide(&target.to_string(), 80), nearest })
}

pub(crate) fn message(answer: Answered, id: String, model: String, cost: Option<Money>) -> Value {
    let Answered { alternatives, usage } = answer;
    let (text, finish, outcome) = match alternatives.into_iter().next() {
        Some(Alternative { text, finish, outcome, logprobs: _ }) => (text, finish, Some(outcome)),
        None => (String::new(), FinishReason::Stop, None),
    };
    let choice = Choice { parts: vec![Part::text(text)], finish: end(finish), stop_sequence: None, logprobs: None };
    let mut message = anthropic::write(&Exchanged {
        id,
        model,
        choices: vec![choice],
        usage: Some(tokens(usage)),
        service_tier: None,
        fingerprint: None,
        said_in: Dialect::Local,
        extra: Map::new(),
    });
    if let Some(outcome) = outcome {
        message["mainspring"] = with_cost(json!(outcome), cost);
    }
    message
}

pub(crate) fn events(
    stream: AnswerStream,
    began: Event,
    request: Option<String>,
    told: Told,
) -> impl Stream<Item = SseEvent> + Send {
    // An app may look things up and think before its first word.
    let mut stream = Alive::new(stream.map(Some).boxed(), SILENCE, || None);
    async_stream::stream! {
        // Every answer says its model itself.
        let mut writer = Writer::new("");
        for event in written(&mut writer, began, None) {
            yield event;
        }
        while let Some(event) = stream.next().await {
            let events = match event {
                Some(Ok(event)) => pieces(&mut writer, event, &told),
                Some(Err(fault)) => {
                    yield SseEvent::named("error", AnthropicError::of(&fault).ending(&told).on(request).body().to_string());
                    return;
                }
                None => written(&mut writer, Event::Ping, None),
            };
            for event in events {
                yield event;
            }
        }
    }
}

fn pieces(writer: &mut Writer, event: AnswerEvent, told: &Told) -> Vec<SseEvent> {
    match event {
        AnswerEvent::Text { index: 0, text, .. } => written(writer, Event::Text { choice: 0, text, logprobs: None }, None),
        AnswerEvent::Finished { index: 0, finish } => {
            written(writer, Event::Finished { choice: 0, finish: end(finish), stop_sequence: None }, None)
        }
        AnswerEvent::Done { usage, outcomes } => {
            told.ending().completes();
            let cost = told.facts().cost;
            let known = outcomes.first().map(|outcome| with_cost(json!(outcome), cost));
            let mut events = written(writer, Event::Usage(tokens(usage)), None);
            events.extend(written(writer, Event::Ended, known.as_ref()));
            let last = events.pop().map(|last| last.costing(cost));
            events.extend(last);
            events
        }
        AnswerEvent::Sources { .. } | AnswerEvent::Text { .. } | AnswerEvent::Finished { .. } => Vec::new(),
    }
}

fn written(writer: &mut Writer, event: Event, known: Option<&Value>) -> Vec<SseEvent> {
    let events = writer.write(event).into_iter().map(|(name, mut data)| {
        if let Some(known) = known.filter(|_| name == "message_delta") {
            data["mainspring"] = known.clone();
        }
        SseEvent::named(name, data.to_string())
    });
    events.collect()
}

const fn end(finish: FinishReason) -> Finish {
    match finish {
        FinishReason::Stop => Finish::Stop,
        FinishReason::Length => Finish::Length,
        FinishReason::ContentFilter => Finish::ContentFilter,
        FinishReason::ToolCalls => Finish::ToolCalls,
    }
}

fn tokens(usage: Usage) -> TokenUsage {
    let cache_read = usage.cached_tokens.min(usage.input_tokens);
    let used = TokenUsage { input: usage.input_tokens, output: usage.output_tokens, cache_read, ..TokenUsage::default() };
    used.all_from(Provenance::Counted)
}
