//! A model call in no provider's dialect: what surfaces read from clients, what adapters write to providers, and back.
//!
//! What a dialect says and this has a word for is translated; what it says and this has no word for stays in `extra` with
//! the dialect it was said in, and is repeated to providers of that dialect only.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{chat::FinishReason, usage::TokenUsage};

/// A way of speaking to models over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// `POST /v1/chat/completions`.
    OpenAiChat,
    /// `POST /v1/responses`.
    OpenAiResponses,
    /// `POST /v1/messages`.
    Anthropic,
    /// `models/{model}:generateContent`.
    Gemini,
    /// `model/{id}/converse`.
    Bedrock,
    /// The engine in this process.
    Local,
}

impl Dialect {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai-chat",
            Self::OpenAiResponses => "openai-responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
            Self::Local => "local",
        }
    }
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// As the client named it; an adapter writes the target's own name instead.
    pub model: String,
    pub turns: Vec<Turn>,
    pub tools: Vec<Tool>,
    pub tool_choice: Option<ToolChoice>,
    pub parallel_tools: Option<bool>,
    pub format: Format,
    pub max_tokens: Option<u32>,
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub top_k: Option<u32>,
    pub stop: Vec<String>,
    pub seed: Option<i64>,
    pub frequency_penalty: Option<f64>,
    pub presence_penalty: Option<f64>,
    /// How many answers; absent is one.
    pub n: Option<u32>,
    /// How many alternatives to give with each token's log probability; `None` gives no log probabilities.
    pub logprobs: Option<u8>,
    pub reasoning: Option<ReasoningWanted>,
    pub stream: bool,
    /// Who the call is for, as the client names them.
    pub user: Option<String>,
    pub service_tier: Option<String>,
    pub metadata: Map<String, Value>,
    /// The dialect the client spoke, and fields of it that have no word here.
    pub said_in: Dialect,
    pub extra: Map<String, Value>,
    /// Where fields stand, within messages, tools and settings, that have no word here and are told to nobody:
    /// `messages[2].content[0].novel`.
    pub unread: Vec<String>,
}

impl Call {
    #[must_use]
    pub fn new(model: impl Into<String>, said_in: Dialect) -> Self {
        Self {
            model: model.into(),
            turns: Vec::new(),
            tools: Vec::new(),
            tool_choice: None,
            parallel_tools: None,
            format: Format::Text,
            max_tokens: None,
            temperature: None,
            top_p: None,
            top_k: None,
            stop: Vec::new(),
            seed: None,
            frequency_penalty: None,
            presence_penalty: None,
            n: None,
            logprobs: None,
            reasoning: None,
            stream: false,
            user: None,
            service_tier: None,
            metadata: Map::new(),
            said_in,
            extra: Map::new(),
            unread: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    System,
    /// OpenAI's newer word for instructions; others know `system` only.
    Developer,
    User,
    Assistant,
    Tool,
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    pub role: Role,
    pub parts: Vec<Part>,
    pub name: Option<String>,
}

impl Turn {
    #[must_use]
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, parts: vec![Part::text(text)], name: None }
    }

    /// Its text parts, joined by line breaks.
    #[must_use]
    pub fn joined_text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text { text, .. } => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    Text {
        text: String,
        /// The provider is asked to cache everything up to here: Anthropic's `cache_control`, as written.
        cache: Option<Value>,
    },
    Image {
        source: Media,
        /// OpenAI's `low`, `high` or `auto`.
        detail: Option<String>,
        cache: Option<Value>,
    },
    Audio {
        source: Media,
        /// `wav`, `mp3`…
        format: Option<String>,
    },
    File {
        source: Media,
        name: Option<String>,
        cache: Option<Value>,
    },
    /// The model asks for a tool. `arguments` is JSON as text, which may be broken: models write it.
    ToolCall {
        id: String,
        name: String,
        arguments: String,
        /// What the provider wants back unchanged with this call: Gemini's thought signature.
        signature: Option<String>,
    },
    ToolResult {
        id: String,
        /// The tool's name where the dialect gives one.
        name: Option<String>,
        parts: Vec<Part>,
        is_error: bool,
        cache: Option<Value>,
    },
    Reasoning(Reasoning),
    Refusal {
        text: String,
    },
    /// Has no word here; repeated to providers of the same dialect only.
    Other {
        said_in: Dialect,
        value: Value,
    },
}

impl Part {
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), cache: None }
    }
}

/// Thinking that came with an answer. Signatures are kept to the byte: providers refuse changed ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reasoning {
    /// OpenAI's item id.
    pub id: Option<String>,
    pub text: String,
    pub signature: Option<String>,
    /// Thinking that only the provider can read: `redacted_thinking`, `encrypted_content`.
    pub sealed: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Media {
    Url(String),
    /// Base64 as it came, and its media type.
    Base64 {
        media_type: String,
        data: String,
    },
    /// A file the provider already has.
    Id(String),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Tool {
    Function {
        name: String,
        description: Option<String>,
        /// JSON Schema.
        parameters: Option<Value>,
        strict: Option<bool>,
        cache: Option<Value>,
    },
    /// A tool the provider runs itself, such as web search; repeated to providers of the same dialect only.
    Hosted { said_in: Dialect, value: Value },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    Auto,
    None,
    /// Some tool must be called.
    Required,
    Function(String),
}

#[derive(Debug, Clone, PartialEq, Default)]
pub enum Format {
    #[default]
    Text,
    /// Any JSON object.
    Json,
    Schema {
        name: String,
        schema: Value,
        strict: Option<bool>,
        description: Option<String>,
    },
}

/// How much to think before the answer. Dialects say it in words or in tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReasoningWanted {
    /// `none`, `minimal`, `low`, `medium`, `high`, as written.
    pub effort: Option<String>,
    pub budget_tokens: Option<u32>,
    /// OpenAI's wish for a summary of the thinking.
    pub summary: Option<String>,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    Stop,
    Length,
    ToolCalls,
    /// The provider's own filter, or the model, refused.
    ContentFilter,
    /// The answer goes on when the client sends it back: Anthropic's `pause_turn`.
    Pause,
}

impl From<FinishReason> for Finish {
    fn from(reason: FinishReason) -> Self {
        match reason {
            FinishReason::Stop => Self::Stop,
            FinishReason::Length => Self::Length,
            FinishReason::ContentFilter => Self::ContentFilter,
            FinishReason::ToolCalls => Self::ToolCalls,
        }
    }
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub id: String,
    /// As the provider named it.
    pub model: String,
    pub choices: Vec<Choice>,
    pub usage: Option<TokenUsage>,
    pub service_tier: Option<String>,
    pub fingerprint: Option<String>,
    /// The dialect it came in, and fields of it that have no word here.
    pub said_in: Dialect,
    pub extra: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub parts: Vec<Part>,
    pub finish: Finish,
    /// The stop sequence that was met, where the dialect says it.
    pub stop_sequence: Option<String>,
    /// In OpenAI's form, as it came.
    pub logprobs: Option<Value>,
}

/// A piece of a streamed answer. `Began` comes first but for pings, `Ended` last unless the stream fails.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Began {
        id: String,
        model: String,
    },
    Text {
        choice: u32,
        text: String,
        /// In OpenAI's form, as it came.
        logprobs: Option<Value>,
    },
    Refusal {
        choice: u32,
        text: String,
    },
    Reasoning {
        choice: u32,
        text: String,
    },
    /// Ends a piece of reasoning: its signature or its sealed form.
    ReasoningDone {
        choice: u32,
        id: Option<String>,
        signature: Option<String>,
        sealed: Option<String>,
    },
    /// A tool call begins. `call` counts the calls of this choice from zero.
    ToolCall {
        choice: u32,
        call: u32,
        id: String,
        name: String,
        signature: Option<String>,
    },
    /// More of a call's arguments.
    Arguments {
        choice: u32,
        call: u32,
        fragment: String,
    },
    /// Audio and other things that have no word here, as the dialect said them.
    Other {
        said_in: Dialect,
        value: Value,
    },
    Finished {
        choice: u32,
        finish: Finish,
        stop_sequence: Option<String>,
    },
    /// May come several times; later numbers are merged into earlier ones.
    Usage(TokenUsage),
    /// Somebody is there who has nothing to say yet. It belongs to no answer, and nobody keeps it.
    Ping,
    Ended,
}

/// Texts to embed.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbedCall {
    pub model: String,
    pub inputs: Vec<String>,
    pub dimensions: Option<u32>,
    pub user: Option<String>,
    pub extra: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct EmbedAnswer {
    pub model: String,
    /// In the order of the inputs.
    pub vectors: Vec<Vec<f32>>,
    pub usage: Option<TokenUsage>,
}

/// Passages to order by how well they answer a query.
#[derive(Debug, Clone, PartialEq)]
pub struct RerankCall {
    pub model: String,
    pub query: String,
    pub documents: Vec<String>,
    pub top_n: Option<u32>,
    pub extra: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RerankAnswer {
    pub model: String,
    /// Index into the documents and relevance, best first.
    pub results: Vec<(u32, f64)>,
    pub usage: Option<TokenUsage>,
}
