//! What responses ask an app, a prompt or a model of this process: text, and what these can honour.

use std::collections::BTreeMap;

use mainspring_chains::{Overrides, Question};
use mainspring_llm::{
    Message,
    chat::Speaker,
    exchange::{Call, Format, Part, Role, ToolChoice, Turn},
};
use mainspring_prompts::InferenceSettings;
use serde_json::{Value, json};

use crate::{
    error::{Answer, OpenAiError},
    params,
    request::{Extras, target, within},
};

/// The names a body of this endpoint may have, for one that is nearly one of them.
const RESPONSES: &[&str] = &[
    "include",
    "input",
    "instructions",
    "mainspring",
    "max_output_tokens",
    "metadata",
    "model",
    "reasoning",
    "stream",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
    "user",
];

/// What would need a memory of earlier responses, or tools of a provider.
const UNSUPPORTED: [&str; 3] = ["conversation", "previous_response_id", "prompt"];

pub(crate) fn question(mut call: Call) -> Answer<Question> {
    let target = target(&call.model)?;
    let extras = call.extra.shift_remove("mainspring").filter(|extras| !extras.is_null());
    refuse(&call)?;
    let messages = call.turns.iter().map(message).collect::<Answer<Vec<_>>>()?;
    if messages.is_empty() {
        return Err(OpenAiError::param("input", "`input` must not be empty"));
    }
    let mut question = Question::of(target, messages);
    question.overrides = overrides(&call)?;
    question.user = call.user;
    if let Some(extras) = extras {
        let Extras { parameters, session } =
            serde_json::from_value(extras).map_err(|error| OpenAiError::param("mainspring", error.to_string()))?;
        question.parameters = parameters;
        question.session = session;
    }
    Ok(question)
}

fn refuse(call: &Call) -> Answer<()> {
    if !call.tools.is_empty() && call.tool_choice != Some(ToolChoice::None) {
        return Err(OpenAiError::unsupported("tools"));
    }
    if call.reasoning.as_ref().and_then(|wanted| wanted.effort.as_deref()).is_some_and(|effort| effort != "none") {
        return Err(OpenAiError::unsupported("reasoning"));
    }
    if call.logprobs.is_some() {
        return Err(OpenAiError::unsupported("include"));
    }
    let mut others = BTreeMap::new();
    for (name, value) in call.extra.iter().filter(|(name, value)| !asks_for_nothing(name, value)) {
        if UNSUPPORTED.contains(&name.as_str()) || matches!(name.as_str(), "background" | "text" | "tool_choice" | "truncation") {
            return Err(OpenAiError::unsupported(name.clone()));
        }
        others.insert(name.clone(), value.clone());
    }
    params::refuse(&others, RESPONSES)
}

/// Values that ask for what happens anyway, and names of what only adds to an answer of those who have it.
fn asks_for_nothing(name: &str, value: &Value) -> bool {
    match name {
        "background" => *value == json!(false),
        "truncation" => *value == json!("disabled"),
        "text" => *value == json!({"verbosity": "medium"}),
        "tool_choice" => *value == json!("auto"),
        "include" | "max_tool_calls" => true,
        _ => value.is_null(),
    }
}

fn message(turn: &Turn) -> Answer<Message> {
    let role = match turn.role {
        Role::System | Role::Developer => Speaker::System,
        Role::User => Speaker::User,
        Role::Assistant => Speaker::Assistant,
        Role::Tool => return Err(OpenAiError::unsupported("input")),
    };
    // Thinking that comes back is for the model that thought it.
    if turn.parts.iter().any(|part| !matches!(part, Part::Text { .. } | Part::Reasoning(_))) {
        return Err(OpenAiError::unsupported("input"));
    }
    Ok(Message { role, content: turn.joined_text() })
}

fn overrides(call: &Call) -> Answer<Overrides> {
    within("temperature", call.temperature, 0.0, 2.0)?;
    within("top_p", call.top_p, 0.0, 1.0)?;
    if call.max_tokens == Some(0) {
        return Err(OpenAiError::param("max_output_tokens", "`max_output_tokens` must be at least 1"));
    }
    let settings = InferenceSettings {
        temperature: call.temperature,
        top_p: call.top_p,
        max_tokens: call.max_tokens,
        seed: None,
        frequency_penalty: None,
        stop: Vec::new(),
    };
    let json = match &call.format {
        Format::Text => None,
        Format::Json => Some(Value::Null),
        Format::Schema { schema, .. } => Some(schema.clone()),
    };
    Ok(Overrides { settings, presence_penalty: None, json, logprobs: None })
}
