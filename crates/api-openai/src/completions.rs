//! `POST /v1/completions`: raw text for a model, a question for an app or a prompt.

use std::sync::Arc;

use axum::{Json as Reply, extract::State, response::IntoResponse, response::Response};
use futures::StreamExt;
use mainspring_chains::{Question, Target};
use mainspring_gateway::Asks;
use mainspring_kernel::{Actor, AssetKind, Selector};
use mainspring_llm::{Budget, ChatModel, ChatRequest, Message, SpanContext, Told, chat::Sampling};
use mainspring_providers::Operation;
use mainspring_web_kit::{Refuses, Sse, with_told, with_trace};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    OpenAi, Surface,
    answer::Envelope,
    asked::Asked as Given,
    error::{Answer, OpenAiError},
    params::{self, Others},
    pieces::{self, Pieces, Raw},
    request::{Inference, StreamOptions, target},
    routed,
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
    #[serde(flatten)]
    others: Others,
}

/// The names a body of this endpoint declares.
const COMPLETION: &[&str] = &[
    "best_of",
    "echo",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_tokens",
    "model",
    "n",
    "presence_penalty",
    "prompt",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "suffix",
    "temperature",
    "top_p",
    "user",
];

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Prompt {
    One(String),
    Many(Vec<String>),
    Tokens(#[expect(dead_code, reason = "read only to be refused")] Vec<Value>),
}

/// A body that was read and found possible.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) target: Target,
    pub(crate) prompts: Vec<String>,
    pub(crate) n: usize,
    pub(crate) echo: bool,
    pub(crate) request: ChatRequest,
    overrides: mainspring_chains::Overrides,
    user: Option<String>,
    streamed: bool,
    include_usage: bool,
}

impl CompletionBody {
    pub(crate) fn asked(self) -> Answer<Asked> {
        params::refuse(&self.others, COMPLETION)?;
        let n = self.inference.n()?;
        let echo = self.echo.unwrap_or(false);
        if self.suffix.as_ref().is_some_and(|suffix| !suffix.is_empty()) {
            return Err(OpenAiError::unsupported("suffix"));
        }
        if self.best_of.is_some_and(|best| best > n) {
            return Err(OpenAiError::unsupported("best_of"));
        }
        if self.logprobs.is_some_and(|top| top > 5) {
            return Err(OpenAiError::param("logprobs", "`logprobs` must be 0 to 5"));
        }
        if echo && self.logprobs.is_some() {
            let detail = "`echo` with `logprobs` cannot be honoured: the prompt's own log probabilities are not computed";
            return Err(OpenAiError::unsupported("echo").saying(detail));
        }
        let mut overrides = self.inference.overrides()?;
        overrides.logprobs = self.logprobs;
        Ok(Asked {
            target: target(&self.model)?,
            prompts: prompts(self.prompt)?,
            n,
            echo,
            request: raw_request(&overrides),
            overrides,
            user: self.inference.user,
            streamed: self.stream.unwrap_or(false),
            include_usage: self.stream_options.is_some_and(|options| options.include_usage),
        })
    }
}

fn prompts(prompt: Option<Prompt>) -> Answer<Vec<String>> {
    let prompts = match prompt {
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

/// What a model is asked where no chain says anything.
fn raw_request(overrides: &mainspring_chains::Overrides) -> ChatRequest {
    let settings = &overrides.settings;
    let default = Sampling::default();
    let mut request = ChatRequest::of(Vec::new());
    request.sampling = Sampling {
        temperature: settings.temperature.unwrap_or(default.temperature),
        top_p: settings.top_p.unwrap_or(default.top_p),
        top_k: None,
        seed: settings.seed,
        frequency_penalty: settings.frequency_penalty.unwrap_or_default(),
        presence_penalty: overrides.presence_penalty.unwrap_or_default(),
    };
    request.max_tokens = Some(settings.max_tokens.map_or(MAX_TOKENS, |tokens| tokens as usize));
    request.stop = settings.stop.clone();
    request.logprobs = overrides.logprobs;
    request
}

pub(crate) async fn complete(State(state): State<Surface>, asked: Given) -> Answer<Response> {
    let asked = asked.aimed(&state).await?;
    if state.routes(&asked).await? {
        return routed::answer(&state, &asked, Operation::Completions).await;
    }
    match answered_here(&state.openai, &asked).await {
        Err(error) => Err(state.unknown(&asked, error).await),
        answer => answer,
    }
}

/// By an app, a prompt or a model of this process.
async fn answered_here(state: &OpenAi, given: &Given) -> Answer<Response> {
    let (body, actor): (CompletionBody, _) = (given.json()?, &given.actor);
    let envelope = Envelope::new("cmpl", &body.model, state.clock.as_ref());
    let asked = body.asked()?;
    given.wishes.not_kept();
    let (streamed, include_usage, choices) = (asked.streamed, asked.include_usage, asked.prompts.len() * asked.n);
    let told = Told::default();
    let user = given.user().or_else(|| asked.user.clone());
    let asks = Asks {
        batch: given.batch,
        told: told.clone(),
        ..Asks::of(given.caller(user), given.actor.labels.clone(), given.trace(state))
    };
    let model = raw_model(state, actor, &asked.target, asks).await?;
    // Each answer has a trace of its own, so that each can be looked at and given again by itself.
    let calls = if model.is_some() { choices } else { asked.prompts.len() };
    let traces: Vec<SpanContext> = (0..calls).map(|_| given.trace(state)).collect();
    let first_trace = traces.first().map(|trace| trace.trace);
    let mut pieces = match model {
        Some(model) => pieces::raw(raw(given.budget(state), model, asked, traces)).boxed(),
        None => through_chain(state, given, asked, (traces, &told)),
    };
    // Of several the call that failed tells its own.
    let refused = |error: OpenAiError| match first_trace {
        Some(id) => error.in_trace(id).telling(&told),
        None => error.telling(&told),
    };
    let response = if streamed {
        // What fails before the first text fails with a status.
        let first = pieces.next().await.transpose().map_err(refused)?;
        let pieces = futures::stream::iter(first.map(Ok)).chain(pieces).boxed();
        Sse(pieces::events(pieces, envelope, include_usage, told.clone())).kept_alive()
    } else {
        let (choices, usage) = pieces::collect(pieces, choices).await.map_err(refused)?;
        Reply(envelope.text_completion(choices, Some(usage))).into_response()
    };
    let response = with_told(response, &told);
    Ok(match first_trace {
        Some(id) => with_trace(response, id),
        None => response,
    })
}

/// The model itself, whose calls are counted as anyone's, unless an app, a prompt or a route has the name.
async fn raw_model(state: &OpenAi, actor: &Actor, target: &Target, asks: Asks) -> Answer<Option<Arc<dyn ChatModel>>> {
    let named_otherwise =
        target.kind.is_some_and(|kind| kind != AssetKind::Model) || target.reference.selector != Selector::Latest;
    if named_otherwise {
        return Ok(None);
    }
    let name = target.reference.name.as_str();
    let callables = state.chains.callables(actor).await.map_err(|fault| OpenAiError::of(&fault))?;
    let shadowed =
        target.kind.is_none() && callables.iter().any(|callable| callable.name == name && callable.kind != AssetKind::Model);
    let Some(own) = state.chains.models().chat(name).ok().filter(|_| !shadowed) else { return Ok(None) };
    let model = state.gateway.chat_model(asks, name);
    Ok(model.filter(|model| model.identity() == own.identity()))
}

fn raw(budget: Budget, model: Arc<dyn ChatModel>, asked: Asked, traces: Vec<SpanContext>) -> Raw {
    let Asked { prompts, n, echo, request, user, .. } = asked;
    Raw { model, prompts, n, echo, request, user, traces, budget }
}

fn through_chain(state: &OpenAi, given: &Given, asked: Asked, (traces, told): (Vec<SpanContext>, &Told)) -> Pieces {
    let question = |prompt: &String| {
        let mut question = Question::of(asked.target.clone(), vec![Message::user(prompt.clone())]);
        question.overrides = asked.overrides.clone();
        question.n = asked.n;
        question.user = asked.user.clone();
        given.tell(&mut question);
        question.told = told.clone();
        question
    };
    let questions = asked.prompts.iter().map(question).zip(traces).collect();
    pieces::chain(Arc::clone(&state.chains), given.actor.clone(), questions, asked.echo, given.budget(state)).boxed()
}
