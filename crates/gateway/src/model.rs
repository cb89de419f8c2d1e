//! A route as a model, so that chains and prompts answer through it as through any other.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use http::HeaderMap;
use mainspring_kernel::Labels;
use mainspring_llm::{
    Asking, Budget, ChatModel, ChatRequest, ChatStream, Delta, FinishReason, Message, ModelFault, ModelSource, SpanContext,
    TokenUsage, Told, Usage,
    chat::{ResponseFormat, Sampling, Speaker, TokenLogprob},
    exchange::{Call, Dialect, Event, Finish, Format, Role, Turn},
};
use mainspring_providers::{
    Operation,
    peek::{Bound, Bounds},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    estimate,
    fault::GatewayFault,
    gateway::Gateway,
    record::Caller,
    routes::Route,
    service::{Body, CacheWish, Peeked, Reading, Request},
};

const COST: &str = "x-mainspring-cost";
const USAGE: &str = "x-mainspring-usage";

/// On whose behalf a model is asked, and where what becomes of its calls is told.
#[derive(Debug, Clone)]
pub struct Asks {
    pub caller: Caller,
    pub labels: Labels,
    /// Spans of calls stand under it.
    pub trace: SpanContext,
    /// Which version of an app asks.
    pub version: Option<String>,
    /// Priced as calls in a batch are.
    pub batch: bool,
    pub told: Told,
}

impl Asks {
    /// With nothing but who asks, and where.
    #[must_use]
    pub fn of(caller: Caller, labels: Labels, trace: SpanContext) -> Self {
        Self { caller, labels, trace, version: None, batch: false, told: Told::default() }
    }
}

/// The seam by which chains find models.
impl ModelSource for Gateway {
    fn chat(&self, asking: &Asking<'_>, name: &str) -> Option<Arc<dyn ChatModel>> {
        let Asking { actor, app, version, user, batch, line_of, trace, told } = *asking;
        let caller = Caller {
            project: actor.project,
            principal: actor.principal,
            key: actor.key,
            user: user.map(str::to_owned),
            app: app.map(str::to_owned),
            line_of,
        };
        let version = version.map(str::to_owned);
        let (labels, trace, told) = (actor.labels.clone(), trace.clone(), told.clone());
        self.chat_model(Asks { caller, labels, trace, version, batch, told }, name)
    }
}

/// Calls are made on behalf of one caller, under one span.
#[derive(Debug, Clone)]
pub(crate) struct RouteModel {
    gateway: Gateway,
    asks: Asks,
    name: String,
    identity: String,
    window: Option<usize>,
    /// The model of this process that answers, where no route stands before it.
    here: Option<Arc<dyn ChatModel>>,
}

impl RouteModel {
    pub(crate) fn of(gateway: Gateway, route: &Route, asks: Asks, name: &str) -> Self {
        // What fits into the smallest window can be answered by every target.
        let windows = route.targets.iter().map(|target| target.spec.context_window);
        let window = windows.collect::<Option<Vec<u32>>>().and_then(|windows| windows.into_iter().min());
        let identity = format!("route:{}#{}", route.at(), route.digest.short());
        let window = window.map(|window| window as usize);
        Self { gateway, asks, name: name.to_owned(), identity, window, here: None }
    }

    /// The same by the name and within the bounds of the model of this process that answers.
    pub(crate) fn answered_by(self, here: Arc<dyn ChatModel>) -> Self {
        Self { identity: here.identity(), window: here.context_window(), here: Some(here), ..self }
    }

    fn request(&self, operation: Operation, written: &Written, budget: Budget) -> Result<Request, ModelFault> {
        let max_tokens = written.max_tokens.map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX));
        let body = serde_json::to_vec(written)
            .map_err(|error| ModelFault::InvalidParameter { parameter: "messages", reason: error.to_string() })?;
        let bounds = Bounds { max_tokens: max_tokens.map(Bound::AtMost), ..Bounds::default() };
        let peeked = Peeked { model: self.name.clone(), stream: true, bounds, include_usage: true, ..Peeked::default() };
        Ok(Request {
            caller: self.asks.caller.clone(),
            version: self.asks.version.clone(),
            labels: self.asks.labels.clone(),
            trace: self.asks.trace.clone(),
            operation,
            said_in: Dialect::Local,
            headers: HeaderMap::new(),
            body: Bytes::from(body),
            peeked,
            read,
            cache: CacheWish::AsConfigured,
            budget,
            batch: self.asks.batch,
            told: Told::default(),
        })
    }

    /// Makes a call, and tells what is known of it when its answer begins and when it is complete.
    async fn called(&self, request: Request) -> Result<ChatStream, ModelFault> {
        let failed = request.told.clone();
        let (answered, bill) = match self.gateway.called(request).await {
            Ok(called) => called,
            Err(fault) => {
                for (name, value) in failed.facts().headers {
                    self.asks.told.say(&name, &value);
                }
                return Err(self.fault(fault));
            }
        };
        self.tell(&answered.told());
        let events = match answered.body {
            Body::Events(events) => events,
            other => {
                let reason = format!("the answer came as {}", other.as_str());
                return Err(ModelFault::Engine { model: self.name.clone(), reason });
            }
        };
        let (mut said, told) = (Said::default(), self.asks.told.clone());
        let deltas = events.filter_map(move |event| {
            let delta = match event {
                Ok(event) => said.hear(event).map(Ok),
                Err(GatewayFault::Local(fault)) => Some(Err(fault)),
                Err(fault) => Some(Err(ModelFault::Elsewhere(Box::new(fault)))),
            };
            if matches!(delta, Some(Ok(Delta::Done { .. }))) {
                told.say(USAGE, &said.usage.marks());
                if let Some(cost) = bill.cost() {
                    told.costs(cost);
                }
            }
            std::future::ready(delta)
        });
        Ok(deltas.boxed())
    }

    fn tell(&self, headers: &HeaderMap) {
        // What a call costs is told when it is complete.
        for (name, value) in headers.iter().filter(|(name, _)| name.as_str() != COST) {
            if let Ok(value) = value.to_str() {
                self.asks.told.say(name.as_str(), value);
            }
        }
    }

    fn fault(&self, fault: GatewayFault) -> ModelFault {
        if let Some(headers) = fault.headers() {
            self.tell(headers);
        }
        match fault {
            GatewayFault::Local(fault) => fault,
            fault => ModelFault::Elsewhere(Box::new(fault)),
        }
    }
}

#[async_trait]
impl ChatModel for RouteModel {
    fn name(&self) -> &str {
        &self.name
    }

    fn identity(&self) -> String {
        self.identity.clone()
    }

    fn context_window(&self) -> Option<usize> {
        self.window
    }

    /// A guess where it is not known yet which model will answer; most of them count elsewhere.
    async fn count_tokens(&self, messages: &[Message]) -> Result<usize, ModelFault> {
        if let Some(here) = &self.here {
            return here.count_tokens(messages).await;
        }
        // Roles and separators take some tokens of their own.
        let tokens = |message: &Message| estimate::about(message.content.len() as u64) + 4;
        Ok(usize::try_from(messages.iter().map(tokens).sum::<u64>()).unwrap_or(usize::MAX))
    }

    async fn stream(&self, request: ChatRequest, budget: Budget) -> Result<ChatStream, ModelFault> {
        let request = self.request(Operation::Chat, &Written::of(request), budget)?;
        self.called(request).await
    }

    fn under(&self, trace: &SpanContext) -> Option<Arc<dyn ChatModel>> {
        let asks = Asks { trace: trace.clone(), ..self.asks.clone() };
        Some(Arc::new(Self { asks, ..self.clone() }))
    }

    async fn stream_text(&self, prompt: String, request: ChatRequest, budget: Budget) -> Result<ChatStream, ModelFault> {
        if self.here.is_none() {
            let what = "going on with raw text, which few providers still do".to_owned();
            return Err(ModelFault::Unsupported { model: self.name.clone(), what });
        }
        let written = Written { prompt: Some(prompt), ..Written::of(request) };
        self.called(self.request(Operation::Completions, &written, budget)?).await
    }
}

/// What a stream has said that its end repeats.
#[derive(Debug, Default)]
struct Said {
    finish: Option<Finish>,
    usage: TokenUsage,
}

impl Said {
    fn hear(&mut self, event: Event) -> Option<Delta> {
        match event {
            Event::Text { choice: 0, text, logprobs } => Some(Delta::Text { text, logprobs: tokens(logprobs.as_ref()) }),
            Event::Refusal { choice: 0, text } => Some(Delta::Text { text, logprobs: Vec::new() }),
            Event::Finished { choice: 0, finish, .. } => {
                self.finish = Some(finish);
                None
            }
            Event::Usage(usage) => {
                self.usage.merge(&usage);
                None
            }
            Event::Ended => {
                let TokenUsage { input, output, cache_read, .. } = self.usage;
                let usage = Usage { input_tokens: input, output_tokens: output, cached_tokens: cache_read };
                Some(Delta::Done { finish: finish(self.finish), usage })
            }
            _ => None,
        }
    }
}

const fn finish(finish: Option<Finish>) -> FinishReason {
    match finish {
        None | Some(Finish::Stop | Finish::Pause) => FinishReason::Stop,
        Some(Finish::Length) => FinishReason::Length,
        Some(Finish::ToolCalls) => FinishReason::ToolCalls,
        Some(Finish::ContentFilter) => FinishReason::ContentFilter,
    }
}

/// From OpenAI's form.
fn tokens(logprobs: Option<&Value>) -> Vec<TokenLogprob> {
    let pair = |entry: &Value| Some((entry["token"].as_str()?.to_owned(), entry["logprob"].as_f64()? as f32));
    let content = logprobs.and_then(|logprobs| logprobs["content"].as_array()).into_iter().flatten();
    content
        .filter_map(|entry| {
            let (token, logprob) = pair(entry)?;
            let top = entry["top_logprobs"].as_array().into_iter().flatten().filter_map(pair).collect();
            Some(TokenLogprob { token, logprob, top })
        })
        .collect()
}

/// A chat request as the cache digests it and as a call is read from it.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    /// Raw text to go on with, instead of messages.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    prompt: Option<String>,
    messages: Vec<Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    stop: Vec<String>,
    temperature: f64,
    top_p: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u32>,
    frequency_penalty: f64,
    presence_penalty: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<u8>,
    /// `true` for any JSON, or the schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<Value>,
}

impl Written {
    fn of(request: ChatRequest) -> Self {
        let ChatRequest { messages, sampling, max_tokens, stop, format, logprobs } = request;
        let Sampling { temperature, top_p, top_k, seed, frequency_penalty, presence_penalty } = sampling;
        let json = match format {
            ResponseFormat::Text => None,
            ResponseFormat::Json => Some(Value::Bool(true)),
            ResponseFormat::JsonSchema(schema) => Some(schema),
        };
        Self {
            prompt: None,
            messages,
            max_tokens,
            stop,
            temperature,
            top_p,
            top_k,
            seed,
            frequency_penalty,
            presence_penalty,
            logprobs,
            json,
        }
    }

    fn call(self) -> Call {
        let usual = Sampling::default();
        // What is as usual is left to the provider: some models take nothing else.
        let said = |value: f64, usual: f64| (value != usual).then_some(value);
        let mut call = Call::new(String::new(), Dialect::Local);
        call.turns = self.messages.into_iter().map(turn).collect();
        call.max_tokens = self.max_tokens.map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX));
        call.stop = self.stop;
        call.temperature = said(self.temperature, usual.temperature);
        call.top_p = said(self.top_p, usual.top_p);
        call.top_k = self.top_k;
        call.seed = self.seed.map(i64::from);
        call.frequency_penalty = said(self.frequency_penalty, usual.frequency_penalty);
        call.presence_penalty = said(self.presence_penalty, usual.presence_penalty);
        call.logprobs = self.logprobs;
        call.format = match self.json {
            None => Format::Text,
            Some(Value::Bool(_)) => Format::Json,
            Some(schema) => Format::Schema { name: "answer".to_owned(), schema, strict: None, description: None },
        };
        call.stream = true;
        call
    }
}

fn turn(message: Message) -> Turn {
    let role = match message.role {
        Speaker::System => Role::System,
        Speaker::User => Role::User,
        Speaker::Assistant => Role::Assistant,
        Speaker::Tool => Role::Tool,
    };
    Turn::text(role, message.content)
}

fn read(body: &[u8]) -> Result<Reading, GatewayFault> {
    let mut written: Written =
        serde_json::from_slice(body).map_err(|error| GatewayFault::invalid("messages", error.to_string()))?;
    let prompt = written.prompt.take();
    let call = Box::new(written.call());
    Ok(match prompt {
        Some(prompt) => Reading::Text { prompt, call },
        None => Reading::Chat(call),
    })
}
