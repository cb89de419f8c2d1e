//! Completions as they come, from a model or through a chain, and the two shapes they leave in: whole and streamed.

use std::{collections::BTreeMap, pin::Pin, sync::Arc};

use futures::{Stream, StreamExt};
use mainspring_chains::{AnswerEvent, Chains, Question};
use mainspring_kernel::{Actor, Fault};
use mainspring_llm::{
    Budget, ChatModel, ChatRequest, Delta, FinishReason, ModelFault, SpanContext, Told, Usage,
    chat::{Speaker, TokenLogprob},
    trace::{OpenSpan, SpanKind, names},
};
use mainspring_web_kit::{Refuses, SseEvent};
use serde_json::{Value, json};

use crate::{
    answer::Envelope,
    error::{Answer, OpenAiError},
};

#[derive(Debug)]
pub(crate) enum Piece {
    /// A call got as far as its first token; nothing of it is text yet.
    Begun,
    Text {
        index: usize,
        text: String,
        logprobs: Vec<TokenLogprob>,
    },
    /// A choice is complete; `known` is its `mainspring` field.
    Finished {
        index: usize,
        finish: FinishReason,
        known: Value,
    },
    Used(Usage),
}

pub(crate) type Pieces = Pin<Box<dyn Stream<Item = Answer<Piece>> + Send>>;

/// Raw text for a model: every prompt `n` times.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) model: Arc<dyn ChatModel>,
    pub(crate) prompts: Vec<String>,
    pub(crate) n: usize,
    pub(crate) echo: bool,
    pub(crate) request: ChatRequest,
    pub(crate) user: Option<String>,
    /// One for every call.
    pub(crate) traces: Vec<SpanContext>,
    pub(crate) budget: Budget,
}

impl Raw {
    fn span(&self, trace: &SpanContext, prompt: &str) -> OpenSpan {
        let model = self.model.as_ref();
        let mut span = trace.start(format!("text_completion {}", model.name()), SpanKind::Server);
        span.set(names::OPERATION, "text_completion");
        span.set(names::REQUEST_MODEL, model.name());
        span.set(names::RESPONSE_MODEL, model.identity());
        span.set(names::INPUT_MESSAGES, message(Speaker::User, prompt));
        if let Some(user) = &self.user {
            span.set(names::USER, user.as_str());
        }
        span
    }

    /// Alternatives under one seed must differ, and the whole must still repeat.
    fn request(&self, alternative: usize) -> ChatRequest {
        let mut request = self.request.clone();
        let step = u32::try_from(alternative).unwrap_or(0);
        request.sampling.seed = request.sampling.seed.map(|seed| seed.wrapping_add(step));
        request
    }
}

pub(crate) fn raw(raw: Raw) -> impl Stream<Item = Answer<Piece>> + Send {
    async_stream::stream! {
        for (index, trace) in raw.traces.iter().enumerate() {
            let prompt = &raw.prompts[index / raw.n];
            let span = raw.span(trace, prompt);
            let model = raw.model.under(span.context()).unwrap_or_else(|| Arc::clone(&raw.model));
            let mut stream = match model.stream_text(prompt.clone(), raw.request(index % raw.n), raw.budget).await {
                Ok(stream) => stream,
                Err(fault) => {
                    yield Err(failed(span, &fault));
                    return;
                }
            };
            yield Ok(Piece::Begun);
            if raw.echo {
                yield Ok(Piece::Text { index, text: prompt.clone(), logprobs: Vec::new() });
            }
            let mut whole = String::new();
            let mut open = Some(span);
            while let Some(delta) = stream.next().await {
                match delta {
                    Ok(Delta::Text { text, logprobs }) => {
                        whole.push_str(&text);
                        yield Ok(Piece::Text { index, text, logprobs });
                    }
                    Ok(Delta::Done { finish, usage }) => {
                        if let Some(span) = open.take() {
                            close(span, &whole, usage);
                        }
                        yield Ok(Piece::Finished { index, finish, known: json!({"trace_id": trace.trace.to_string()}) });
                        yield Ok(Piece::Used(if index % raw.n == 0 { usage } else { usage.of_alternative() }));
                        break;
                    }
                    Err(fault) => {
                        if let Some(span) = open.take() {
                            yield Err(failed(span, &fault));
                        }
                        return;
                    }
                }
            }
        }
    }
}

pub(crate) fn chain(
    chains: Arc<Chains>,
    actor: Actor,
    questions: Vec<(Question, SpanContext)>,
    echo: bool,
    budget: Budget,
) -> impl Stream<Item = Answer<Piece>> + Send {
    async_stream::try_stream! {
        let mut first = 0;
        for (question, trace) in questions {
            let n = question.n;
            let prompt = question.messages.last().map(|message| message.content.clone()).unwrap_or_default();
            let mut stream = chains.stream(&actor, question, &trace, budget).await.map_err(|fault| OpenAiError::of_answer(&fault))?;
            yield Piece::Begun;
            for index in (first..first + n).filter(|_| echo) {
                yield Piece::Text { index, text: prompt.clone(), logprobs: Vec::new() };
            }
            let mut finished = Vec::new();
            while let Some(event) = stream.next().await {
                match event.map_err(|fault| OpenAiError::of_answer(&fault))? {
                    AnswerEvent::Sources { .. } => {}
                    AnswerEvent::Text { index, text, logprobs } => yield Piece::Text { index: first + index, text, logprobs },
                    AnswerEvent::Finished { finish, .. } => finished.push(finish),
                    AnswerEvent::Done { usage, outcomes } => {
                        for (index, outcome) in outcomes.iter().enumerate() {
                            let finish = finished.get(index).copied().unwrap_or(FinishReason::Stop);
                            yield Piece::Finished { index: first + index, finish, known: json!(outcome) };
                        }
                        yield Piece::Used(usage);
                    }
                }
            }
            first += n;
        }
    }
}

fn message(speaker: Speaker, text: &str) -> Value {
    json!([{"role": speaker.as_str(), "parts": [{"type": "text", "content": text}]}])
}

fn close(mut span: OpenSpan, text: &str, usage: Usage) {
    span.set(names::OUTPUT_MESSAGES, message(Speaker::Assistant, text));
    span.set(names::INPUT_TOKENS, usage.input_tokens);
    span.set(names::OUTPUT_TOKENS, usage.output_tokens);
    span.finish();
}

fn failed(span: OpenSpan, fault: &ModelFault) -> OpenAiError {
    span.fail(fault.code(), fault.to_string());
    OpenAiError::of(fault)
}

/// Every choice whole, in order, and what they used together.
pub(crate) async fn collect(mut pieces: Pieces, count: usize) -> Answer<(Vec<Value>, Usage)> {
    let mut usage = Usage::default();
    let mut texts = vec![(String::new(), Vec::new()); count];
    let mut choices = Vec::with_capacity(count);
    while let Some(piece) = pieces.next().await {
        match piece? {
            Piece::Begun => {}
            Piece::Text { index, text, logprobs } => {
                if let Some(whole) = texts.get_mut(index) {
                    whole.0.push_str(&text);
                    whole.1.extend(logprobs);
                }
            }
            Piece::Finished { index, finish, known } => {
                let (text, tokens) = texts.get_mut(index).map(std::mem::take).unwrap_or_default();
                choices.push(finished(choice(index, &text, logprobs(&tokens, &mut 0)), finish, known));
            }
            Piece::Used(used) => add(&mut usage, used),
        }
    }
    Ok((choices, usage))
}

/// The same as events. The status line has gone out, so that a fault is an event too.
pub(crate) fn events(
    mut pieces: Pieces,
    envelope: Envelope,
    include_usage: bool,
    told: Told,
) -> impl Stream<Item = SseEvent> + Send {
    async_stream::stream! {
        let event = |choices: Vec<Value>, usage| SseEvent::data(envelope.text_completion(choices, usage).to_string());
        let mut usage = Usage::default();
        let mut offsets: BTreeMap<usize, usize> = BTreeMap::new();
        while let Some(piece) = pieces.next().await {
            match piece {
                Ok(Piece::Begun) => {}
                Ok(Piece::Text { index, text, logprobs: tokens }) => {
                    let logprobs = logprobs(&tokens, offsets.entry(index).or_default());
                    yield event(vec![choice(index, &text, logprobs)], None);
                }
                Ok(Piece::Finished { index, finish, known }) => {
                    yield event(vec![finished(choice(index, "", Value::Null), finish, known)], None);
                }
                Ok(Piece::Used(used)) => add(&mut usage, used),
                Err(error) => {
                    yield SseEvent::data(error.ending(&told).body().to_string());
                    return;
                }
            }
        }
        if include_usage {
            yield event(Vec::new(), Some(usage));
        }
        told.ending().completes();
        yield SseEvent::data("[DONE]").costing(told.facts().cost);
    }
}

fn choice(index: usize, text: &str, logprobs: Value) -> Value {
    json!({"index": index, "text": text, "logprobs": logprobs, "finish_reason": null})
}

fn finished(mut choice: Value, finish: FinishReason, known: Value) -> Value {
    choice["finish_reason"] = json!(finish.as_str());
    choice["mainspring"] = known;
    choice
}

fn add(total: &mut Usage, usage: Usage) {
    total.input_tokens += usage.input_tokens;
    total.output_tokens += usage.output_tokens;
    total.cached_tokens += usage.cached_tokens;
}

/// The older shape of log probabilities: parallel lists. `offset` counts the characters of a choice so far.
fn logprobs(tokens: &[TokenLogprob], offset: &mut usize) -> Value {
    if tokens.is_empty() {
        return Value::Null;
    }
    let offsets = tokens.iter().map(|token| {
        let at = *offset;
        *offset += token.token.chars().count();
        at
    });
    let offsets: Vec<usize> = offsets.collect();
    let top =
        |token: &TokenLogprob| -> Value { token.top.iter().map(|(token, logprob)| (token.clone(), json!(logprob))).collect() };
    json!({
        "text_offset": offsets,
        "tokens": tokens.iter().map(|token| token.token.as_str()).collect::<Vec<_>>(),
        "token_logprobs": tokens.iter().map(|token| token.logprob).collect::<Vec<_>>(),
        "top_logprobs": tokens.iter().map(top).collect::<Vec<_>>(),
    })
}
