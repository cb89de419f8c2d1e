//! What makes two requests the same one.

use http::HeaderMap;
use mainspring_kernel::{Digest, Labels, canonical_json, id::ProjectId};
use mainspring_llm::exchange::Dialect;
use mainspring_providers::Operation;
use serde_json::{Map, Value};

use super::digits;
use crate::{
    record::Caller,
    route::{Cache, CacheMode},
};

/// Changes when what is digested changes, so that old answers are not given for new keys.
const FORM: &[u8] = b"mainspring-gateway-cache-5";
/// Say who asks, not what.
const WHO: [&str; 3] = ["user", "safety_identifier", "prompt_cache_key"];
/// The answer depends on what the provider keeps of earlier requests, or comes later.
const STATEFUL: [&str; 3] = ["previous_response_id", "conversation", "background"];

/// Everything beside the body that an answer may depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) caller: &'a Caller,
    /// Of the app that asks, its chain and its prompt: another version starts with nothing.
    pub(crate) app_version: Option<&'a str>,
    pub(crate) user: Option<&'a str>,
    pub(crate) labels: &'a Labels,
    pub(crate) route: &'a str,
    /// The model that was asked for, wherever the request says it: a header may say another than the body.
    pub(crate) named: &'a str,
    /// Of the route's version: another version starts with nothing.
    pub(crate) version: &'a Digest,
    pub(crate) operation: Operation,
    pub(crate) said_in: Dialect,
    pub(crate) headers: &'a HeaderMap,
}

/// Where an answer is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) exact: Digest,
    /// The same request without the words of its last user turn, and those words.
    pub(crate) alike: Option<(Digest, String)>,
}

/// Absent where the answer is not to be kept: a sampled one, one that depends on more than the request, or a body that
/// is no JSON object.
pub(crate) fn keys(scope: &Scope<'_>, rules: &Cache, text: &[u8]) -> Option<Keys> {
    let mut body: Value = serde_json::from_slice(text).ok()?;
    let fields = body.as_object_mut()?;
    let stateful = |name: &str| fields.get(name).is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false)));
    if STATEFUL.iter().any(|name| stateful(name)) || (is_sampled(scope.operation, fields) && !rules.sampled) {
        return None;
    }
    for name in WHO {
        fields.remove(name);
    }
    forget_notes(scope, fields);
    write_alike(fields);
    let long = digits::long(text);
    let exact = digest(scope, rules, (&body, long.as_slice()));
    let semantic = rules.mode == CacheMode::Semantic && has_turns(scope.operation);
    let words = body.as_object_mut().filter(|_| semantic).and_then(take_last_words);
    Some(Keys { exact, alike: words.map(|words| (digest(scope, rules, (&body, long.as_slice())), words)) })
}

/// Notes that a client makes for itself change no answer, except one that says them again.
fn forget_notes(scope: &Scope<'_>, fields: &mut Map<String, Value>) {
    if scope.said_in == Dialect::Anthropic {
        // Where Anthropic's clients say who asks.
        if let Some(Value::Object(notes)) = fields.get_mut("metadata") {
            notes.remove("user_id");
        }
    } else if scope.operation != Operation::Responses {
        fields.remove("metadata");
    }
}

/// What says the same is written the same way. Parameters only: in messages and tools a model may read how a number is
/// written.
fn write_alike(fields: &mut Map<String, Value>) {
    if fields.get("stream").is_some_and(|stream| matches!(stream, Value::Null | Value::Bool(false))) {
        fields.remove("stream");
    }
    for value in fields.values_mut() {
        if let Some(whole) = value.as_f64().filter(|_| value.is_f64()).and_then(as_whole) {
            *value = Value::from(whole);
        }
    }
}

/// Absent for a number with a fraction, and for one so large that a float does not tell it from its neighbours.
fn as_whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
}

const fn has_turns(operation: Operation) -> bool {
    matches!(operation, Operation::Chat | Operation::Responses | Operation::Messages)
}

/// Whether asking again may well give another answer. Providers' default temperature is not zero.
fn is_sampled(operation: Operation, fields: &Map<String, Value>) -> bool {
    let writes = has_turns(operation) || matches!(operation, Operation::Compact | Operation::Completions);
    let cold = fields.get("temperature").and_then(Value::as_f64).is_some_and(|temperature| temperature <= 0.0);
    let seeded = fields.get("seed").is_some_and(Value::is_number);
    writes && !cold && !seeded
}

fn digest(scope: &Scope<'_>, rules: &Cache, (body, long): (&Value, &[u8])) -> Digest {
    let Scope { caller, app_version, user, labels, route, named, version, operation, said_in, headers } = scope;
    let project: ProjectId = caller.project;
    let who = if rules.per_user {
        format!("{:?} {:?} {}", caller.key, user.or(caller.user.as_deref()), caller.principal)
    } else {
        String::new()
    };
    let mut said: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {:?}", value.as_bytes())).collect();
    said.sort_unstable();
    let labels = serde_json::to_string(labels).unwrap_or_default();
    let body = canonical_json(body);
    Digest::of_parts([
        FORM,
        project.to_string().as_bytes(),
        route.as_bytes(),
        named.as_bytes(),
        version.as_bytes(),
        format!("{operation:?} {}", said_in.as_str()).as_bytes(),
        labels.as_bytes(),
        who.as_bytes(),
        // What an app answers is its own, even where another's prompt says the same.
        caller.app.as_deref().unwrap_or_default().as_bytes(),
        app_version.unwrap_or_default().as_bytes(),
        said.join("\n").as_bytes(),
        body.as_bytes(),
        // As values, some of its numbers would be the same as others.
        long,
    ])
}

/// Takes the text of the last turn out, where a user said it and it is nothing but text.
fn take_last_words(fields: &mut Map<String, Value>) -> Option<String> {
    if let Some(Value::String(words)) = fields.get_mut("input") {
        return Some(std::mem::take(words)).filter(|words| !words.is_empty());
    }
    let turns = if fields.contains_key("messages") { fields.get_mut("messages") } else { fields.get_mut("input") };
    let last = turns?.as_array_mut()?.last_mut()?;
    if last.get("role").and_then(Value::as_str) != Some("user") {
        return None;
    }
    let words = match last.get_mut("content")? {
        Value::String(words) => std::mem::take(words),
        Value::Array(parts) => {
            let texts: Option<Vec<String>> = parts.iter().map(text_of).collect();
            let words = texts?.join("\n");
            parts.clear();
            words
        }
        _ => return None,
    };
    (!words.trim().is_empty()).then_some(words)
}

fn text_of(part: &Value) -> Option<String> {
    let kind = part.get("type").and_then(Value::as_str)?;
    matches!(kind, "text" | "input_text").then(|| part.get("text").and_then(Value::as_str).map(str::to_owned)).flatten()
}
