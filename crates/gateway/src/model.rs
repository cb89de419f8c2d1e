//! A route as a model, so that chains and prompts answer through it as through any other.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use http::HeaderMap;
use mainspring_kernel::Labels;
use mainspring_llm::{
    Budget, ChatModel, ChatRequest, ChatStream, Delta, FinishReason, Message, ModelFault, SpanContext, TokenUsage, Usage,
    chat::{ResponseFormat, Sampling, Speaker, TokenLogprob},
    exchange::{Call, Dialect, Event, Finish, Format, Role, Turn},
};
use mainspring_providers::Operation;
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

/// Calls are made on behalf of one caller, under one span.
#[derive(Debug, Clone)]
pub(crate) struct RouteModel {
    gateway: Gateway,
    caller: Caller,
    labels: Labels,
    trace: SpanContext,
    batch: bool,
    name: String,
    identity: String,
    window: Option<usize>,
}

impl RouteModel {
    pub(crate) fn of(
        gateway: Gateway,
        route: &Route,
        (caller, labels, trace): (Caller, Labels, SpanContext),
        name: &str,
    ) -> Self {
        // What fits into the smallest window can be answered by every target.
        let windows = route.targets.iter().map(|target| target.spec.context_window);
        let window = windows.collect::<Option<Vec<u32>>>().and_then(|windows| windows.into_iter().min());
        let identity = format!("route:{}#{}", route.at(), route.digest.short());
        let window = window.map(|window| window as usize);
        Self { gateway, caller, labels, trace, batch: false, name: name.to_owned(), identity, window }
    }

    pub(crate) fn in_batch(self) -> Self {
        Self { batch: true, ..self }
    }

    fn request(&self, request: ChatRequest, budget: Budget) -> Result<Request, ModelFault> {
        let max_tokens = request.max_tokens.map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX));
        let body = serde_json::to_vec(&Written::of(request))
            .map_err(|error| ModelFault::InvalidParameter { parameter: "messages", reason: error.to_string() })?;
        let peeked = Peeked { model: self.name.clone(), stream: true, max_tokens, include_usage: true, ..Peeked::default() };
        Ok(Request {
            caller: self.caller.clone(),
            labels: self.labels.clone(),
            trace: self.trace.clone(),
            operation: Operation::Chat,
            said_in: Dialect::Local,
            headers: HeaderMap::new(),
            body: Bytes::from(body),
            peeked,
            read,
            cache: CacheWish::AsConfigured,
            budget,
            batch: self.batch,
        })
    }

    fn fault(&self, fault: GatewayFault) -> ModelFault {
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

    /// A guess: which model will answer is not known yet, and most of them count elsewhere.
    async fn count_tokens(&self, messages: &[Message]) -> Result<usize, ModelFault> {
        // Roles and separators take some tokens of their own.
        let tokens = |message: &Message| estimate::about(message.content.len() as u64) + 4;
        Ok(usize::try_from(messages.iter().map(tokens).sum::<u64>()).unwrap_or(usize::MAX))
    }

    async fn stream(&self, request: ChatRequest, budget: Budget) -> Result<ChatStream, ModelFault> {
        let request = self.request(request, budget)?;
        let answered = self.gateway.call(request).await.map_err(|fault| self.fault(fault))?;
        let events = match answered.body {
            Body::Events(events) => events,
            other => {
                let reason = format!("the answer came as {}", other.as_str());
                return Err(ModelFault::Engine { model: self.name.clone(), reason });
            }
        };
        let mut said = Said::default();
        Ok(events
            .filter_map(move |event| {
                let delta = match event {
                    Ok(event) => said.hear(event).map(Ok),
                    Err(GatewayFault::Local(fault)) => Some(Err(fault)),
                    Err(fault) => Some(Err(ModelFault::Elsewhere(Box::new(fault)))),
                };
                std::future::ready(delta)
            })
            .boxed())
    }

    fn under(&self, trace: &SpanContext) -> Option<Arc<dyn ChatModel>> {
        Some(Arc::new(Self { trace: trace.clone(), ..self.clone() }))
    }

    async fn stream_text(&self, _: String, _: ChatRequest, _: Budget) -> Result<ChatStream, ModelFault> {
        let what = "going on with raw text, which few providers still do".to_owned();
        Err(ModelFault::Unsupported { model: self.name.clone(), what })
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
        Self { messages, max_tokens, stop, temperature, top_p, top_k, seed, frequency_penalty, presence_penalty, logprobs, json }
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
    let written: Written = serde_json::from_slice(body).map_err(|error| GatewayFault::invalid("messages", error.to_string()))?;
    Ok(Reading::Chat(Box::new(written.call())))
}
