//! The target speaks another dialect than the client: the request is read whole and written anew.

use std::borrow::Cow;

use mainspring_llm::exchange::{Call, Dialect, EmbedCall, ReasoningWanted, Role, Turn};
use mainspring_providers::{Adapter, Encoded, Endpoint, Operation, Outgoing, UpstreamFault, openai::chat};
use serde_json::{Map, Value};

use crate::{asked::Asked, fault::GatewayFault, parameters, route, service::Reading};

/// What kind of answer comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Chat,
    Embed,
    Rerank,
    /// The tokens of a request, and no answer to it.
    Count,
}

/// A request in the target's dialect, and the fields of it that were left behind.
#[derive(Debug)]
pub(crate) struct Translated {
    pub(crate) outgoing: Outgoing,
    pub(crate) shape: Shape,
    pub(crate) lost: Vec<String>,
}

pub(crate) fn request(
    asked: &Asked,
    target: &route::Target,
    (adapter, endpoint): (&dyn Adapter, &Endpoint),
) -> Result<Translated, GatewayFault> {
    let translated = match asked.reading()? {
        Reading::Chat(call) if asked.request.operation == Operation::CountTokens => {
            let outgoing = adapter.encode_count(endpoint, call)?;
            Translated { outgoing, shape: Shape::Count, lost: Vec::new() }
        }
        Reading::Chat(call) => in_chat(call, target, (adapter, endpoint))?,
        Reading::Text { prompt, call } => {
            let mut call = Call::clone(call);
            call.turns.push(Turn::text(Role::User, prompt.as_str()));
            in_chat(&call, target, (adapter, endpoint))?
        }
        Reading::Embed(call) => {
            let (call, lost) = embedding_with(call, &target.parameters);
            let outgoing = adapter.encode_embed(endpoint, &call)?;
            Translated { outgoing, shape: Shape::Embed, lost }
        }
        Reading::Rerank(call) => {
            let outgoing = adapter.encode_rerank(endpoint, call)?;
            Translated { outgoing, shape: Shape::Rerank, lost: not_said(&target.parameters) }
        }
        Reading::Opaque => {
            return Err(UpstreamFault::unsupported(endpoint, asked.request.operation.as_str()).into());
        }
    };
    Ok(translated)
}

fn in_chat(
    call: &Call,
    target: &route::Target,
    (adapter, endpoint): (&dyn Adapter, &Endpoint),
) -> Result<Translated, UpstreamFault> {
    let (call, mut lost) = with_parameters(call, &target.parameters);
    let Encoded { outgoing, lost: more } = adapter.encode(endpoint, &call)?;
    lost.extend(more.into_iter().map(|lost| lost.field));
    Ok(Translated { outgoing, shape: Shape::Chat, lost })
}

/// The call with what the route always sends to this target; what has no word outside OpenAI's dialect is lost.
pub(crate) fn with_parameters<'a>(call: &'a Call, parameters: &Map<String, Value>) -> (Cow<'a, Call>, Vec<String>) {
    if parameters.is_empty() {
        return (Cow::Borrowed(call), Vec::new());
    }
    let mut call = call.clone();
    let mut lost = Vec::new();
    for (name, value) in parameters {
        if !set(&mut call, name, value) {
            lost.push(parameters::lost(name));
        }
    }
    (Cow::Owned(call), lost)
}

/// The same of texts to embed.
pub(crate) fn embedding_with<'a>(call: &'a EmbedCall, parameters: &Map<String, Value>) -> (Cow<'a, EmbedCall>, Vec<String>) {
    let mut call = Cow::Borrowed(call);
    let mut others = Vec::new();
    for (name, value) in parameters {
        match name.as_str() {
            "dimensions" => call.to_mut().dimensions = count(value),
            "user" => call.to_mut().user = value.as_str().map(str::to_owned),
            _ if value.is_null() => {}
            _ => others.push(parameters::lost(name)),
        }
    }
    (call, others)
}

/// What a target's parameters say to a call that has a word for none of them.
pub(crate) fn not_said(parameters: &Map<String, Value>) -> Vec<String> {
    let said = parameters.iter().filter(|(_, value)| !value.is_null());
    said.map(|(name, _)| parameters::lost(name)).collect()
}

fn count(value: &Value) -> Option<u32> {
    value.as_u64().map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

/// Whether the call has a word for the field; `null` takes it away.
fn set(call: &mut Call, name: &str, value: &Value) -> bool {
    let float = || value.as_f64();
    let count = || count(value);
    let text = || value.as_str().map(str::to_owned);
    match name {
        "temperature" => call.temperature = float(),
        "top_p" => call.top_p = float(),
        "top_k" => call.top_k = count(),
        "max_tokens" | "max_completion_tokens" => call.max_tokens = count(),
        "seed" => call.seed = value.as_i64(),
        "frequency_penalty" => call.frequency_penalty = float(),
        "presence_penalty" => call.presence_penalty = float(),
        "n" => call.n = count(),
        "stop" => call.stop = texts(value),
        "parallel_tool_calls" => call.parallel_tools = value.as_bool(),
        "service_tier" => call.service_tier = text(),
        "user" => call.user = text(),
        "metadata" => call.metadata = value.as_object().cloned().unwrap_or_default(),
        "reasoning_effort" => {
            let wanted = call.reasoning.take().unwrap_or_default();
            call.reasoning = text().map(|effort| ReasoningWanted { effort: Some(effort), budget_tokens: None, ..wanted });
        }
        "response_format" | "tool_choice" | "tools" if chat::set(call, name, value) => {}
        // A field of the client's own dialect goes to targets of that dialect, as if the client had sent it.
        _ if call.extra.contains_key(name) || call.said_in == Dialect::OpenAiChat => {
            if value.is_null() {
                call.extra.shift_remove(name);
            } else {
                call.extra.insert(name.to_owned(), value.clone());
            }
        }
        _ => return false,
    }
    true
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
