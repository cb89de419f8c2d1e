//! What clients ask an app or a prompt: text, and what a local model can honour.

use std::collections::BTreeMap;

use mainspring_chains::{Overrides, Question, Target};
use mainspring_kernel::text;
use mainspring_llm::{
    Message,
    chat::Speaker,
    exchange::{Call, Format, Part, Role, ToolChoice, Turn},
};
use mainspring_prompts::InferenceSettings;
use serde_json::{Map, Value};

use crate::error::{Answer, AnthropicError};

/// They say how a provider stores or runs a request, and change no answer.
const HARMLESS: [&str; 3] = ["cache_control", "inference_geo", "mainspring"];

/// The names a body of this endpoint may have, for one that is nearly one of them.
const DECLARED: [&str; 16] = [
    "max_tokens",
    "mainspring",
    "messages",
    "metadata",
    "model",
    "output_config",
    "service_tier",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

pub(crate) fn question(call: Call, target: Target) -> Answer<Question> {
    refuse(&call)?;
    let messages = call.turns.iter().enumerate().map(|(index, turn)| message(turn, index)).collect::<Answer<Vec<_>>>()?;
    let mut question = Question::of(target, messages);
    question.overrides = overrides(&call)?;
    question.user = call.user;
    if let Some(extras) = call.extra.get("mainspring").filter(|extras| !extras.is_null()) {
        let extras = extras.as_object().ok_or_else(|| AnthropicError::invalid("mainspring", "it must be an object"))?;
        question.parameters = parameters(extras)?;
        question.session = extras.get("session").and_then(Value::as_str).map(str::to_owned);
    }
    Ok(question)
}

fn refuse(call: &Call) -> Answer<()> {
    if !call.tools.is_empty() && call.tool_choice != Some(ToolChoice::None) {
        return Err(AnthropicError::unsupported("tools"));
    }
    if call.top_k.is_some() {
        return Err(AnthropicError::unsupported("top_k"));
    }
    if call.reasoning.as_ref().is_some_and(|wanted| wanted.effort.as_deref() != Some("none")) {
        return Err(AnthropicError::unsupported("thinking"));
    }
    // Fields of tools go with the tools.
    let is_read = |name: &str| HARMLESS.contains(&name) || name.starts_with("tools[");
    let unread = call.extra.iter().filter(|(name, value)| !value.is_null() && !is_read(name));
    match unread.map(|(name, _)| name.as_str()).next() {
        None => Ok(()),
        // Only its format was read.
        Some(known @ ("output_config" | "thinking")) => Err(AnthropicError::unsupported(known)),
        Some(other) => {
            let near = text::did_you_mean(other, DECLARED);
            let name = text::elide(other, 80);
            Err(AnthropicError::invalid(&name, format!("there is no such parameter for apps and prompts{near}")))
        }
    }
}

fn message(turn: &Turn, index: usize) -> Answer<Message> {
    let place = || format!("messages[{index}].content");
    let role = match turn.role {
        Role::System | Role::Developer => Speaker::System,
        Role::User => Speaker::User,
        Role::Assistant => Speaker::Assistant,
        Role::Tool => return Err(AnthropicError::unsupported(&place())),
    };
    // Thinking that comes back is for the model that thought it.
    let other = turn.parts.iter().any(|part| !matches!(part, Part::Text { .. } | Part::Reasoning(_)));
    if other {
        return Err(AnthropicError::unsupported(&place()));
    }
    Ok(Message { role, content: turn.joined_text() })
}

fn overrides(call: &Call) -> Answer<Overrides> {
    within("temperature", call.temperature)?;
    within("top_p", call.top_p)?;
    if call.max_tokens == Some(0) {
        return Err(AnthropicError::invalid("max_tokens", "it must be at least 1"));
    }
    let settings = InferenceSettings {
        temperature: call.temperature,
        top_p: call.top_p,
        max_tokens: call.max_tokens,
        seed: None,
        frequency_penalty: None,
        stop: call.stop.iter().filter(|stop| !stop.is_empty()).cloned().collect(),
    };
    let json = match &call.format {
        Format::Text => None,
        Format::Json => Some(Value::Null),
        Format::Schema { schema, .. } => Some(schema.clone()),
    };
    Ok(Overrides { settings, presence_penalty: None, json, logprobs: None })
}

fn within(name: &str, value: Option<f64>) -> Answer<()> {
    match value {
        Some(value) if !(0.0..=1.0).contains(&value) => {
            Err(AnthropicError::invalid(name, format!("it must be 0 to 1, not {value}")))
        }
        _ => Ok(()),
    }
}

/// Values for the prompt's own parameters.
fn parameters(extras: &Map<String, Value>) -> Answer<BTreeMap<String, Value>> {
    match extras.get("parameters") {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(parameters)) => Ok(parameters.clone().into_iter().collect()),
        Some(_) => Err(AnthropicError::invalid("mainspring.parameters", "it must be an object")),
    }
}
