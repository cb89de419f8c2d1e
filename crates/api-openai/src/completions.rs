//! `POST /v1/completions`: raw text for a model, a question for an app or a prompt.

use axum::{
    Json as Reply,
    extract::State,
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use http::HeaderMap;
use mainspring_chains::{AnswerEvent, Question, Target};
use mainspring_kernel::{Actor, AssetKind, Selector};
use mainspring_llm::{
    Budget, ChatModel, ChatRequest, Delta, FinishReason, Message, ModelFault, SpanContext, Usage,
    chat::{Sampling, TokenLogprob},
    trace::{OpenSpan, SpanKind, names},
};
use mainspring_web_kit::{Sse, SseEvent};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    OpenAi,
    answer::Envelope,
    chat::with_trace,
    error::{Answer, Json, OpenAiError, Who},
    request::{Inference, StreamOptions, target},
};

const PROMPTS_MAX: usize = 16;
/// OpenAI's default for this endpoint.
const MAX_TOKENS: usize = 16;

#[derive(Debug, Deserialize)]
pub(crate) struct CompletionBody {
    model: String,
    #[serde(default)]
    prompt: Option<Prompt>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    logprobs: Option<u8>,
    #[serde(default)]
    echo: Option<bool>,
    #[serde(default)]
    suffix: Option<String>,
    #[serde(default)]
    best_of: Option<usize>,
    #[serde(flatten)]
    inference: Inference,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Prompt {
    One(String),
    Many(Vec<String>),
    Tokens(#[expect(dead_code, reason = "read only to be refused")] Vec<Value>),
}

impl CompletionBody {
    fn prompts(&mut self) -> Answer<Vec<String>> {
        let prompts = match self.prompt.take() {
            None => vec![String::new()],
            Some(Prompt::One(one)) => vec![one],
            Some(Prompt::Many(many)) => many,
            Some(Prompt::Tokens(_)) => {
                return Err(OpenAiError::param("prompt", "`prompt` must be text or a list of texts, not token ids"));
            }
        };
        if prompts.is_empty() || prompts.len() > PROMPTS_MAX {
            return Err(OpenAiError::param("prompt", format!("1 to {PROMPTS_MAX} prompts")));
        }
        Ok(prompts)
    }

    fn refuse_unsupported(&self) -> Answer<()> {
        if self.suffix.as_ref().is_some_and(|suffix| !suffix.is_empty()) {
            return Err(OpenAiError::unsupported("suffix"));
        }
        if self.best_of.is_some_and(|best| best > self.inference.n.unwrap_or(1)) {
            return Err(OpenAiError::unsupported("best_of"));
        }
        Ok(())
    }
}

pub(crate) async fn complete(
    State(state): State<OpenAi>,
    Who(actor): Who,
    headers: HeaderMap,
    Json(mut body): Json<CompletionBody>,
) -> Answer<Response> {
    body.refuse_unsupported()?;
    let prompts = body.prompts()?;
    let target = target(&body.model)?;
    let envelope = Envelope::new("cmpl", &body.model, state.clock.as_ref());
    let trace = state.trace(actor.project, &headers);
    let id = trace.trace;
    let call = Call { envelope, body, prompts, trace, budget: state.budget() };
    let response = match raw_model(&state, &actor, &target).await? {
        Some(model) => call.raw(model).await?,
        None => call.through_chain(&state, &actor, target).await?,
    };
    Ok(with_trace(response, id))
}

/// The model itself, unless an app or a prompt has the name.
async fn raw_model(state: &OpenAi, actor: &Actor, target: &Target) -> Answer<Option<std::sync::Arc<dyn ChatModel>>> {
    let named_otherwise =
        target.kind.is_some_and(|kind| kind != AssetKind::Model) || target.reference.selector != Selector::Latest;
    if named_otherwise {
        return Ok(None);
    }
    let name = target.reference.name.as_str();
    let callables = state.chains.callables(actor).await.map_err(|fault| OpenAiError::of(&fault))?;
    let shadowed =
        target.kind.is_none() && callables.iter().any(|callable| callable.name == name && callable.kind != AssetKind::Model);
    Ok(if shadowed { None } else { state.chains.models().chat(name).ok() })
}

struct Call {
    envelope: Envelope,
    body: CompletionBody,
    prompts: Vec<String>,
    trace: SpanContext,
    budget: Budget,
}

struct Piece {
    text: String,
    finish: FinishReason,
    logprobs: Vec<TokenLogprob>,
}

impl Call {
    async fn through_chain(self, state: &OpenAi, actor: &Actor, target: Target) -> Answer<Response> {
        let mut choices = Vec::new();
        let mut total = Usage::default();
        let n = self.body.inference.n()?;
        let overrides = self.body.inference.overrides()?;
        let streamed = self.body.stream.unwrap_or(false);
        for prompt in &self.prompts {
            let mut question = Question::of(target.clone(), vec![Message::user(prompt.clone())]);
            question.overrides = overrides.clone();
            question.n = n;
            if streamed && self.prompts.len() == 1 {
                let stream = state
                    .chains
                    .stream(actor, question, &self.trace, self.budget)
                    .await
                    .map_err(|fault| OpenAiError::of(&fault))?;
                return Ok(Sse(chain_events(stream, self.envelope)).into_response());
            }
            let answer =
                state.chains.answer(actor, question, &self.trace, self.budget).await.map_err(|fault| OpenAiError::of(&fault))?;
            total.input_tokens += answer.usage.input_tokens;
            total.output_tokens += answer.usage.output_tokens;
            for alternative in answer.alternatives {
                choices.push(choice(choices.len(), &alternative.text, Some(alternative.finish), Value::Null));
            }
        }
        Ok(self.reply(choices, total, streamed))
    }

    fn reply(&self, choices: Vec<Value>, usage: Usage, streamed: bool) -> Response {
        if !streamed {
            return Reply(self.envelope.text_completion(choices, Some(usage))).into_response();
        }
        let mut events: Vec<SseEvent> = choices
            .into_iter()
            .map(|choice| SseEvent::data(self.envelope.text_completion(vec![choice], None).to_string()))
            .collect();
        events.push(SseEvent::data("[DONE]"));
        Sse(futures::stream::iter(events)).into_response()
    }

    async fn raw(self, model: std::sync::Arc<dyn ChatModel>) -> Answer<Response> {
        let request = self.request()?;
        let streamed = self.body.stream.unwrap_or(false);
        let n = self.body.inference.n()?;
        if streamed && self.prompts.len() == 1 && n == 1 {
            let prompt = self.prompts[0].clone();
            let span = self.span(model.as_ref(), &prompt);
            let stream = match model.stream_text(prompt.clone(), request, self.budget).await {
                Ok(stream) => stream,
                Err(fault) => return Err(failed(span, &fault)),
            };
            let include_usage = self.body.stream_options.as_ref().is_some_and(|options| options.include_usage);
            let echo = self.body.echo.unwrap_or(false).then_some(prompt);
            return Ok(Sse(raw_events(stream, self.envelope, span, echo, include_usage)).into_response());
        }
        let mut choices = Vec::new();
        let mut total = Usage::default();
        for prompt in &self.prompts {
            for index in 0..n {
                let mut request = request.clone();
                request.sampling.seed = request.sampling.seed.map(|seed| seed.wrapping_add(u32::try_from(index).unwrap_or(0)));
                let (piece, usage) = self.one(model.as_ref(), prompt, request).await?;
                total.input_tokens += usage.input_tokens;
                total.output_tokens += usage.output_tokens;
                total.cached_tokens += usage.cached_tokens;
                let text = if self.body.echo.unwrap_or(false) { format!("{prompt}{}", piece.text) } else { piece.text };
                choices.push(choice(choices.len(), &text, Some(piece.finish), logprobs(&piece.logprobs)));
            }
        }
        Ok(self.reply(choices, total, streamed))
    }

    async fn one(&self, model: &dyn ChatModel, prompt: &str, request: ChatRequest) -> Answer<(Piece, Usage)> {
        let span = self.span(model, prompt);
        let reply = match model.stream_text(prompt.to_owned(), request, self.budget).await {
            Ok(stream) => mainspring_llm::chat::collect(stream).await,
            Err(fault) => Err(fault),
        };
        match reply {
            Ok(reply) => {
                finish(span, &reply.text, reply.usage);
                Ok((Piece { text: reply.text, finish: reply.finish, logprobs: reply.logprobs }, reply.usage))
            }
            Err(fault) => Err(failed(span, &fault)),
        }
    }

    fn request(&self) -> Answer<ChatRequest> {
        let overrides = self.body.inference.overrides()?;
        let settings = overrides.settings;
        let mut request = ChatRequest::of(Vec::new());
        let default = Sampling::default();
        request.sampling = Sampling {
            temperature: settings.temperature.unwrap_or(default.temperature),
            top_p: settings.top_p.unwrap_or(default.top_p),
            top_k: None,
            seed: settings.seed,
            frequency_penalty: settings.frequency_penalty.unwrap_or_default(),
            presence_penalty: overrides.presence_penalty.unwrap_or_default(),
        };
        request.max_tokens = Some(settings.max_tokens.map_or(MAX_TOKENS, |tokens| tokens as usize));
        request.stop = settings.stop;
        request.logprobs = match self.body.logprobs {
            Some(top) if top > 5 => return Err(OpenAiError::param("logprobs", "`logprobs` must be 0 to 5")),
            top => top,
        };
        Ok(request)
    }

    fn span(&self, model: &dyn ChatModel, prompt: &str) -> OpenSpan {
        let mut span = self.trace.start(format!("text_completion {}", model.name()), SpanKind::Server);
        span.set(names::OPERATION, "text_completion");
        span.set(names::REQUEST_MODEL, model.name());
        span.set(names::RESPONSE_MODEL, model.identity());
        span.set(names::INPUT_MESSAGES, json!([{"role": "user", "parts": [{"type": "text", "content": prompt}]}]));
        span
    }
}

fn finish(mut span: OpenSpan, text: &str, usage: Usage) {
    span.set(names::OUTPUT_MESSAGES, json!([{"role": "assistant", "parts": [{"type": "text", "content": text}]}]));
    span.set(names::INPUT_TOKENS, usage.input_tokens);
    span.set(names::OUTPUT_TOKENS, usage.output_tokens);
    span.finish();
}

fn failed(span: OpenSpan, fault: &ModelFault) -> OpenAiError {
    use mainspring_kernel::Fault;
    span.fail(fault.code(), fault.to_string());
    OpenAiError::of(fault)
}

fn choice(index: usize, text: &str, finish: Option<FinishReason>, logprobs: Value) -> Value {
    json!({"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish.map(FinishReason::as_str)})
}

/// The older shape of log probabilities: parallel lists.
fn logprobs(tokens: &[TokenLogprob]) -> Value {
    if tokens.is_empty() {
        return Value::Null;
    }
    let mut offset = 0;
    let offsets = tokens.iter().map(|token| {
        let at = offset;
        offset += token.token.chars().count();
        at
    });
    let top =
        |token: &TokenLogprob| -> Value { token.top.iter().map(|(token, logprob)| (token.clone(), json!(logprob))).collect() };
    json!({
        "text_offset": offsets.collect::<Vec<_>>(),
        "tokens": tokens.iter().map(|token| token.token.as_str()).collect::<Vec<_>>(),
        "token_logprobs": tokens.iter().map(|token| token.logprob).collect::<Vec<_>>(),
        "top_logprobs": tokens.iter().map(top).collect::<Vec<_>>(),
    })
}

fn raw_events(
    mut stream: mainspring_llm::ChatStream,
    envelope: Envelope,
    span: OpenSpan,
    echo: Option<String>,
    include_usage: bool,
) -> impl futures::Stream<Item = SseEvent> + Send {
    async_stream::stream! {
        let mut whole = String::new();
        if let Some(prompt) = echo {
            yield SseEvent::data(envelope.text_completion(vec![choice(0, &prompt, None, Value::Null)], None).to_string());
        }
        while let Some(delta) = stream.next().await {
            match delta {
                Ok(Delta::Text { text, logprobs: tokens }) => {
                    whole.push_str(&text);
                    yield SseEvent::data(envelope.text_completion(vec![choice(0, &text, None, logprobs(&tokens))], None).to_string());
                }
                Ok(Delta::Done { finish: reason, usage }) => {
                    yield SseEvent::data(envelope.text_completion(vec![choice(0, "", Some(reason), Value::Null)], None).to_string());
                    if include_usage {
                        yield SseEvent::data(envelope.text_completion(Vec::new(), Some(usage)).to_string());
                    }
                    finish(span, &whole, usage);
                    yield SseEvent::data("[DONE]");
                    return;
                }
                Err(fault) => {
                    yield SseEvent::data(failed(span, &fault).body().to_string());
                    return;
                }
            }
        }
    }
}

fn chain_events(mut stream: mainspring_chains::AnswerStream, envelope: Envelope) -> impl futures::Stream<Item = SseEvent> + Send {
    async_stream::stream! {
        while let Some(event) = stream.next().await {
            match event {
                Ok(AnswerEvent::Sources { .. }) => {}
                Ok(AnswerEvent::Text { index, text, .. }) => {
                    yield SseEvent::data(envelope.text_completion(vec![choice(index, &text, None, Value::Null)], None).to_string());
                }
                Ok(AnswerEvent::Finished { index, finish }) => {
                    yield SseEvent::data(envelope.text_completion(vec![choice(index, "", Some(finish), Value::Null)], None).to_string());
                }
                Ok(AnswerEvent::Done { .. }) => {
                    yield SseEvent::data("[DONE]");
                    return;
                }
                Err(fault) => {
                    yield SseEvent::data(OpenAiError::of(&fault).body().to_string());
                    return;
                }
            }
        }
    }
}
