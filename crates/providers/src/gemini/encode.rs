//! A call as `generateContent` takes it.

use mainspring_llm::exchange::{Call, Dialect, Format, Tool, ToolChoice};
use serde_json::{Map, Value, json};

use super::{contents, post, schema, thinking};
use crate::{
    fault::UpstreamFault,
    seam::{self, Encoded, Endpoint, Losses},
};

/// What others have beside the words that all share, and what would be another answer without it.
const UNSUPPORTED: [&str; 7] =
    ["audio", "background", "conversation", "functions", "previous_response_id", "prompt", "web_search_options"];

pub(super) fn encode(endpoint: &Endpoint, call: &Call) -> Result<Encoded, UpstreamFault> {
    refuse(endpoint, call)?;
    let mut lost = Losses::default();
    let conversation = contents::conversation(endpoint, call, &mut lost)?;
    let mut body = Map::new();
    if !conversation.system.is_empty() {
        body.insert("systemInstruction".into(), json!({"parts": conversation.system}));
    }
    body.insert("contents".into(), conversation.contents.into());
    let tools = tools(endpoint, call, &mut lost)?;
    if !tools.is_empty() {
        body.insert("tools".into(), tools.into());
        body.extend(tool_config(call).map(|config| ("toolConfig".to_owned(), config)));
    }
    let generation = generation_config(endpoint, call, &mut lost);
    if !generation.is_empty() {
        body.insert("generationConfig".into(), generation.into());
    }
    leave_out(call, &mut lost);
    repeat(call, &mut body, &mut lost);
    lost.all(seam::unread(call));
    let method = if call.stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
    let outgoing = post(endpoint, method, &Value::Object(body))?;
    Ok(Encoded { outgoing, lost: lost.into_vec() })
}

/// What would be another answer if it were left behind.
fn refuse(endpoint: &Endpoint, call: &Call) -> Result<(), UpstreamFault> {
    if call.said_in == Dialect::Gemini {
        return Ok(());
    }
    let said = |name: &&str| call.extra.get(*name).is_some_and(|value| !value.is_null());
    match UNSUPPORTED.iter().copied().find(|name| said(name)) {
        Some(name) => Err(UpstreamFault::unsupported(endpoint, &format!("`{name}`"))),
        None => Ok(()),
    }
}

fn tools(endpoint: &Endpoint, call: &Call, lost: &mut Losses) -> Result<Vec<Value>, UpstreamFault> {
    let (mut functions, mut tools) = (Vec::new(), Vec::new());
    for (index, tool) in call.tools.iter().enumerate() {
        match tool {
            Tool::Function { name, description, parameters, strict, cache } => {
                let place = format!("tools[{index}]");
                if *strict == Some(true) {
                    lost.note(format!("{place}.strict"), "Gemini has no strict functions");
                }
                if cache.is_some() {
                    lost.note(format!("{place}.cache_control"), "Gemini caches on its own");
                }
                let mut function = Map::from_iter([("name".to_owned(), name.as_str().into())]);
                function.extend(description.as_deref().map(|text| ("description".to_owned(), text.into())));
                let parameters = parameters.as_ref().filter(|parameters| takes_any(parameters));
                if let Some(parameters) = parameters {
                    let cleaned = cleaned(parameters, &format!("{place}.parameters"), lost);
                    function.insert("parametersJsonSchema".into(), cleaned);
                }
                functions.push(Value::Object(function));
            }
            Tool::Hosted { said_in: Dialect::Gemini, value } => tools.push(value.clone()),
            Tool::Hosted { .. } => return Err(UpstreamFault::unsupported(endpoint, "tools that another provider runs")),
        }
    }
    if !functions.is_empty() {
        tools.insert(0, json!({"functionDeclarations": functions}));
    }
    Ok(tools)
}

/// A function without parameters has no schema: Gemini refuses objects without properties.
fn takes_any(parameters: &Value) -> bool {
    let Some(parameters) = parameters.as_object() else {
        return false;
    };
    let none = parameters.get("properties").and_then(Value::as_object).is_none_or(Map::is_empty);
    !none
        || ["$ref", "anyOf", "oneOf", "allOf", "additionalProperties"].iter().any(|word| parameters.get(*word).is_some_and(open))
}

/// `additionalProperties: false` opens nothing.
fn open(word: &Value) -> bool {
    *word != Value::Bool(false)
}

fn cleaned(given: &Value, place: &str, lost: &mut Losses) -> Value {
    let (cleaned, dropped) = schema::clean(given);
    for word in dropped {
        lost.note(format!("{place}.{word}"), "Gemini's schemas have no such word");
    }
    cleaned
}

fn tool_config(call: &Call) -> Option<Value> {
    let mut mode = Map::new();
    let (word, only) = match call.tool_choice.as_ref()? {
        ToolChoice::Auto => ("AUTO", None),
        ToolChoice::None => ("NONE", None),
        ToolChoice::Required => ("ANY", None),
        ToolChoice::Function(name) => ("ANY", Some(name)),
    };
    mode.insert("mode".into(), word.into());
    mode.extend(only.map(|name| ("allowedFunctionNames".to_owned(), json!([name]))));
    Some(json!({"functionCallingConfig": mode}))
}

fn generation_config(endpoint: &Endpoint, call: &Call, lost: &mut Losses) -> Map<String, Value> {
    let mut config = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            config.insert(name.to_owned(), value);
        }
    };
    set("temperature", call.temperature.map(Value::from));
    set("topP", call.top_p.map(Value::from));
    set("topK", call.top_k.map(Value::from));
    set("maxOutputTokens", call.max_tokens.or(endpoint.default_max_tokens).map(Value::from));
    set("stopSequences", (!call.stop.is_empty()).then(|| json!(call.stop)));
    set("candidateCount", call.n.filter(|n| *n > 1).map(Value::from));
    // Google's seeds have 32 bits; the same seed stays the same.
    set("seed", call.seed.map(|seed| seed.rem_euclid(i64::from(i32::MAX)).into()));
    set("presencePenalty", call.presence_penalty.map(Value::from));
    set("frequencyPenalty", call.frequency_penalty.map(Value::from));
    set("responseLogprobs", call.logprobs.map(|_| true.into()));
    set("logprobs", call.logprobs.filter(|top| *top > 0).map(Value::from));
    set("responseModalities", modalities(call));
    set("thinkingConfig", thinking::config(&endpoint.model, call, lost));
    match &call.format {
        Format::Text => {}
        Format::Json => set("responseMimeType", Some("application/json".into())),
        Format::Schema { schema, description, .. } => {
            let mut cleaned = cleaned(schema, "response_format.schema", lost);
            if let (Some(object), Some(description)) = (cleaned.as_object_mut(), description)
                && !object.contains_key("$ref")
            {
                object.entry("description").or_insert_with(|| description.as_str().into());
            }
            set("responseMimeType", Some("application/json".into()));
            set("responseJsonSchema", Some(cleaned));
        }
    }
    config
}

/// Some models draw. OpenAI has the word too, in small letters.
fn modalities(call: &Call) -> Option<Value> {
    let wanted = call.extra.get("modalities").filter(|_| call.said_in == Dialect::OpenAiChat)?.as_array()?;
    let words: Vec<String> = wanted.iter().filter_map(Value::as_str).map(str::to_ascii_uppercase).collect();
    (words != ["TEXT"]).then(|| json!(words))
}

/// Fields that change no answer and have no word in Gemini.
fn leave_out(call: &Call, lost: &mut Losses) {
    if call.parallel_tools == Some(false) {
        lost.note("parallel_tool_calls", "Gemini cannot be kept to one function call");
    }
    if call.user.is_some() {
        lost.note("user", "Gemini does not ask for whom a call is made");
    }
    if call.service_tier.as_deref().is_some_and(|tier| !matches!(tier, "auto" | "default")) {
        lost.note("service_tier", "the tier of a key is set at Google");
    }
    if !call.metadata.is_empty() {
        lost.note("metadata", "Gemini keeps no notes with a call");
    }
}

/// What the client said in this very dialect beyond our words is said again.
fn repeat(call: &Call, body: &mut Map<String, Value>, lost: &mut Losses) {
    for (name, value) in &call.extra {
        if call.said_in != Dialect::Gemini {
            if !value.is_null() && name != "modalities" {
                lost.note(name, "Gemini has no such field");
            }
            continue;
        }
        if let (Some(Value::Object(ours)), Value::Object(theirs)) = (body.get_mut(name), value) {
            ours.extend(theirs.iter().map(|(name, value)| (name.clone(), value.clone())));
        } else {
            body.insert(name.clone(), value.clone());
        }
    }
}
