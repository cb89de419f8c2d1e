//! A chat request and its answer, whole or as a stream, independent of any provider's dialect.

use std::{pin::Pin, sync::Arc};

use async_trait::async_trait;
use futures::Stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{budget::Budget, fault::ModelFault, trace::SpanContext};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    System,
    User,
    Assistant,
    Tool,
}

impl Speaker {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub role: Speaker,
    pub content: String,
}

impl Message {
    pub fn new(role: Speaker, content: impl Into<String>) -> Self {
        Self { role, content: content.into() }
    }
    pub fn user(content: impl Into<String>) -> Self {
        Self::new(Speaker::User, content)
    }
    pub fn system(content: impl Into<String>) -> Self {
        Self::new(Speaker::System, content)
    }
}

/// What the answer must look like.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ResponseFormat {
    #[default]
    Text,
    /// Any JSON value.
    Json,
    /// JSON that this schema accepts.
    JsonSchema(Value),
}

#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    pub messages: Vec<Message>,
    pub sampling: Sampling,
    pub max_tokens: Option<usize>,
    /// The answer ends before any of these.
    pub stop: Vec<String>,
    pub format: ResponseFormat,
    /// How many alternatives to give with each token's log probability; `None` gives no log probabilities.
    pub logprobs: Option<u8>,
}

/// How the next token is chosen. `temperature` 0 takes the likeliest.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    pub temperature: f64,
    pub top_p: f64,
    pub top_k: Option<u32>,
    pub seed: Option<u32>,
    pub frequency_penalty: f64,
    pub presence_penalty: f64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 1.0, top_p: 1.0, top_k: None, seed: None, frequency_penalty: 0.0, presence_penalty: 0.0 }
    }
}

impl ChatRequest {
    #[must_use]
    pub fn of(messages: Vec<Message>) -> Self {
        Self {
            messages,
            sampling: Sampling::default(),
            max_tokens: None,
            stop: Vec::new(),
            format: ResponseFormat::Text,
            logprobs: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    Stop,
    Length,
    ContentFilter,
    ToolCalls,
}

impl FinishReason {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ContentFilter => "content_filter",
            Self::ToolCalls => "tool_calls",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// The part of `input_tokens` that was not computed again.
    pub cached_tokens: u64,
}

impl Usage {
    /// What a further answer to the same prompt adds.
    #[must_use]
    pub const fn of_alternative(self) -> Self {
        Self { input_tokens: 0, output_tokens: self.output_tokens, cached_tokens: 0 }
    }
}

/// A token and how likely it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    pub token: String,
    pub logprob: f32,
    pub top: Vec<(String, f32)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ChatReply {
    pub text: String,
    pub finish: FinishReason,
    pub usage: Usage,
    pub logprobs: Vec<TokenLogprob>,
}

/// A piece of a streamed answer. A stream is any number of `Text`, then one `Done`; an error ends it.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    Text { text: String, logprobs: Vec<TokenLogprob> },
    Done { finish: FinishReason, usage: Usage },
}

pub type ChatStream = Pin<Box<dyn Stream<Item = Result<Delta, ModelFault>> + Send>>;

/// The seam between rooms and whatever answers chat requests: local engine, remote provider or script.
/// Dropping the stream stops the work behind it.
#[async_trait]
pub trait ChatModel: Send + Sync + std::fmt::Debug + 'static {
    /// The model's name, as traces and answers give it.
    fn name(&self) -> &str;
    /// What exactly answers: a digest for local weights, an endpoint and name for a remote model.
    fn identity(&self) -> String;
    /// The context window in tokens, where it is known.
    fn context_window(&self) -> Option<usize>;
    /// How many tokens the rendered messages take; packing asks before it fills a prompt.
    async fn count_tokens(&self, messages: &[Message]) -> Result<usize, ModelFault>;
    async fn stream(&self, request: ChatRequest, budget: Budget) -> Result<ChatStream, ModelFault>;
    /// Continues raw text without a chat template (`/v1/completions`).
    async fn stream_text(&self, prompt: String, request: ChatRequest, budget: Budget) -> Result<ChatStream, ModelFault>;

    /// The same model for one call, whose spans stand under `trace`; `None` for a model that leaves none.
    fn under(&self, _trace: &SpanContext) -> Option<Arc<dyn ChatModel>> {
        None
    }

    async fn complete(&self, request: ChatRequest, budget: Budget) -> Result<ChatReply, ModelFault> {
        collect(self.stream(request, budget).await?).await
    }
}

/// Reads a stream to its end.
pub async fn collect(mut stream: ChatStream) -> Result<ChatReply, ModelFault> {
    use futures::StreamExt;
    let mut reply = ChatReply { text: String::new(), finish: FinishReason::Stop, usage: Usage::default(), logprobs: Vec::new() };
    while let Some(delta) = stream.next().await {
        match delta? {
            Delta::Text { text, logprobs } => {
                reply.text.push_str(&text);
                reply.logprobs.extend(logprobs);
            }
            Delta::Done { finish, usage } => {
                reply.finish = finish;
                reply.usage = usage;
            }
        }
    }
    Ok(reply)
}
