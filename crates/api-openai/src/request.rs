//! What clients send.

use std::collections::BTreeMap;

use mainspring_chains::{Overrides, Question, Target};
use mainspring_llm::{Message, chat::Speaker};
use mainspring_prompts::InferenceSettings;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    error::{Answer, OpenAiError},
    params::{self, Others},
};

const N_MAX: usize = 8;
const STOP_MAX: usize = 4;

#[derive(Debug, Deserialize)]
pub(crate) struct ChatBody {
    pub(crate) model: String,
    pub(crate) messages: Vec<ChatMessage>,
    #[serde(default)]
    pub(crate) stream: Option<bool>,
    #[serde(default)]
    pub(crate) stream_options: Option<StreamOptions>,
    #[serde(flatten)]
    pub(crate) inference: Inference,
    #[serde(default)]
    pub(crate) max_completion_tokens: Option<u32>,
    #[serde(default)]
    pub(crate) logprobs: Option<bool>,
    #[serde(default)]
    pub(crate) top_logprobs: Option<u8>,
    #[serde(default)]
    pub(crate) response_format: Option<ResponseFormatBody>,
    #[serde(default)]
    pub(crate) tools: Option<Vec<Value>>,
    #[serde(default)]
    pub(crate) functions: Option<Vec<Value>>,
    #[serde(default)]
    pub(crate) modalities: Option<Vec<String>>,
    /// Ours: values for the prompt's own parameters, and the conversation this belongs to.
    #[serde(default)]
    pub(crate) mainspring: Option<Extras>,
    #[serde(flatten)]
    others: Others,
}

/// The names a chat body declares.
const CHAT: &[&str] = &[
    "frequency_penalty",
    "functions",
    "logit_bias",
    "logprobs",
    "mainspring",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "modalities",
    "model",
    "n",
    "presence_penalty",
    "response_format",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
];

/// What chat and plain completions share.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Inference {
    #[serde(default)]
    pub(crate) temperature: Option<f64>,
    #[serde(default)]
    pub(crate) top_p: Option<f64>,
    #[serde(default)]
    pub(crate) n: Option<usize>,
    #[serde(default)]
    pub(crate) stop: Option<Stop>,
    #[serde(default)]
    pub(crate) max_tokens: Option<u32>,
    #[serde(default)]
    pub(crate) seed: Option<i64>,
    #[serde(default)]
    pub(crate) frequency_penalty: Option<f64>,
    #[serde(default)]
    pub(crate) presence_penalty: Option<f64>,
    #[serde(default)]
    pub(crate) logit_bias: Option<BTreeMap<String, f32>>,
    #[serde(default)]
    pub(crate) user: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extras {
    #[serde(default)]
    pub(crate) parameters: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) session: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct StreamOptions {
    #[serde(default)]
    pub(crate) include_usage: bool,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Stop {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ResponseFormatBody {
    Text,
    JsonObject,
    JsonSchema { json_schema: JsonSchemaBody },
}

#[derive(Debug, Deserialize)]
pub(crate) struct JsonSchemaBody {
    pub(crate) schema: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ChatMessage {
    role: String,
    #[serde(default)]
    content: Option<Content>,
    #[serde(default)]
    tool_calls: Option<Vec<Value>>,
    #[serde(default)]
    function_call: Option<Value>,
    #[serde(default)]
    audio: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    text: Option<String>,
}

impl ChatMessage {
    fn read(self, index: usize) -> Answer<Message> {
        if self.tool_calls.is_some_and(|calls| !calls.is_empty()) {
            return Err(OpenAiError::unsupported("messages.tool_calls"));
        }
        if self.function_call.is_some() {
            return Err(OpenAiError::unsupported("messages.function_call"));
        }
        if self.audio.is_some() {
            return Err(OpenAiError::unsupported("messages.audio"));
        }
        let role = match self.role.as_str() {
            "system" | "developer" => Speaker::System,
            "user" => Speaker::User,
            "assistant" => Speaker::Assistant,
            "tool" | "function" => return Err(OpenAiError::unsupported("messages.role")),
            other => {
                let near = mainspring_kernel::text::did_you_mean(other, ["system", "developer", "user", "assistant"]);
                return Err(OpenAiError::param("messages", format!("messages[{index}].role: unknown role{near}")));
            }
        };
        let content = match self.content {
            None => String::new(),
            Some(Content::Text(text)) => text,
            Some(Content::Parts(parts)) => join(parts)?,
        };
        Ok(Message { role, content })
    }
}

fn join(parts: Vec<Part>) -> Answer<String> {
    let mut text = String::new();
    for part in parts {
        match (part.kind.as_str(), part.text) {
            ("text" | "input_text" | "refusal", Some(piece)) => {
                if !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(&piece);
            }
            ("text" | "input_text", None) => return Err(OpenAiError::param("messages", "a text part has no `text`")),
            _ => return Err(OpenAiError::unsupported("messages.content")),
        }
    }
    Ok(text)
}

impl Inference {
    pub(crate) fn n(&self) -> Answer<usize> {
        match self.n.unwrap_or(1) {
            n @ 1..=N_MAX => Ok(n),
            n => Err(OpenAiError::param("n", format!("`n` must be 1 to {N_MAX}, not {n}"))),
        }
    }

    pub(crate) fn overrides(&self) -> Answer<Overrides> {
        if self.logit_bias.as_ref().is_some_and(|bias| !bias.is_empty()) {
            return Err(OpenAiError::unsupported("logit_bias"));
        }
        within("temperature", self.temperature, 0.0, 2.0)?;
        within("top_p", self.top_p, 0.0, 1.0)?;
        within("frequency_penalty", self.frequency_penalty, -2.0, 2.0)?;
        within("presence_penalty", self.presence_penalty, -2.0, 2.0)?;
        if self.max_tokens == Some(0) {
            return Err(OpenAiError::param("max_tokens", "`max_tokens` must be at least 1"));
        }
        let settings = InferenceSettings {
            temperature: self.temperature,
            top_p: self.top_p,
            max_tokens: self.max_tokens,
            // Any integer is a seed; the engine's are 32 bits wide.
            seed: self.seed.map(|seed| (seed as u64 ^ (seed as u64 >> 32)) as u32),
            frequency_penalty: self.frequency_penalty,
            stop: self.stop()?,
        };
        Ok(Overrides { settings, presence_penalty: self.presence_penalty, json: None, logprobs: None })
    }

    fn stop(&self) -> Answer<Vec<String>> {
        let stop = match &self.stop {
            None => Vec::new(),
            Some(Stop::One(one)) => vec![one.clone()],
            Some(Stop::Many(many)) => many.clone(),
        };
        if stop.len() > STOP_MAX {
            return Err(OpenAiError::param("stop", format!("at most {STOP_MAX} stop sequences")));
        }
        Ok(stop.into_iter().filter(|text| !text.is_empty()).collect())
    }
}

pub(crate) fn within(name: &'static str, value: Option<f64>, min: f64, max: f64) -> Answer<()> {
    match value {
        Some(value) if !(min..=max).contains(&value) => {
            Err(OpenAiError::param(name, format!("`{name}` must be {min} to {max}, not {value}")))
        }
        _ => Ok(()),
    }
}

pub(crate) fn target(model: &str) -> Answer<Target> {
    model.parse().map_err(|fault: mainspring_kernel::name::RefFault| OpenAiError::param("model", fault.to_string()))
}

impl ChatBody {
    pub(crate) fn question(mut self) -> Answer<Question> {
        params::refuse(&self.others, CHAT)?;
        if self.tools.as_ref().is_some_and(|tools| !tools.is_empty()) {
            return Err(OpenAiError::unsupported("tools"));
        }
        if self.functions.as_ref().is_some_and(|functions| !functions.is_empty()) {
            return Err(OpenAiError::unsupported("functions"));
        }
        if self.modalities.as_ref().is_some_and(|modalities| modalities.iter().any(|kind| kind != "text")) {
            return Err(OpenAiError::unsupported("modalities"));
        }
        if self.messages.is_empty() {
            return Err(OpenAiError::param("messages", "`messages` must not be empty"));
        }
        let target = target(&self.model)?;
        self.inference.max_tokens = self.max_completion_tokens.or(self.inference.max_tokens);
        let mut overrides = self.inference.overrides()?;
        overrides.json = match self.response_format {
            None | Some(ResponseFormatBody::Text) => None,
            Some(ResponseFormatBody::JsonObject) => Some(Value::Null),
            Some(ResponseFormatBody::JsonSchema { json_schema: JsonSchemaBody { schema: Some(schema) } })
                if schema.is_object() =>
            {
                Some(schema)
            }
            Some(ResponseFormatBody::JsonSchema { .. }) => {
                return Err(OpenAiError::param("response_format", "`json_schema.schema` must be a JSON Schema object"));
            }
        };
        overrides.logprobs = match (self.logprobs.unwrap_or(false), self.top_logprobs) {
            (true, top) if top.unwrap_or(0) <= 20 => Some(top.unwrap_or(0)),
            (false, None | Some(0)) => None,
            (false, Some(_)) => return Err(OpenAiError::param("top_logprobs", "`top_logprobs` needs `logprobs: true`")),
            (true, _) => return Err(OpenAiError::param("top_logprobs", "`top_logprobs` must be 0 to 20")),
        };
        let n = self.inference.n()?;
        let messages = self.messages.into_iter().enumerate().map(|(index, message)| message.read(index));
        let mut question = Question::of(target, messages.collect::<Answer<Vec<_>>>()?);
        question.overrides = overrides;
        question.n = n;
        question.user = self.inference.user;
        if let Some(extras) = self.mainspring {
            question.parameters = extras.parameters;
            question.session = extras.session;
        }
        Ok(question)
    }
}
