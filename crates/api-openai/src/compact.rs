//! `POST /v1/responses/compact` and `POST /v1/responses/input_tokens`, which agents ask for beside their turns. A provider
//! that has them is sent what came; for others a model writes what has to be remembered, and the tokens are counted here.

use axum::{extract::State, response::Response};
use mainspring_chains::{Answerer, ChainFault, Target};
use mainspring_kernel::{FaultKind, text};
use mainspring_llm::exchange::{Answer as Exchanged, Call, Format, Part, Role, ToolChoice, Turn};
use mainspring_providers::{
    Operation,
    openai::{ReadFault, responses},
};
use mainspring_web_kit::{Problem, Refuses};
use serde_json::{Value, json};

use crate::{
    Surface,
    asked::Asked,
    error::{Answer, OpenAiError},
    routed,
};

/// What the model is asked at the end of a conversation that has grown too long.
const REMEMBER: &str = "The conversation above has become too long to go on with and is about to be replaced by what you write \
now. Write down everything that is needed to go on without it: what was asked for, what has been decided and why, what has \
been done with which files and commands and what came of it, what is still to do, and every name, path and number that will \
be needed again. Write only that, and call no tool.";

/// What stands before it, for the model that goes on.
const REMEMBERED: &str = "The conversation so far was replaced by these notes of it:";

/// Of what users said, the newest is kept as it was, up to so many bytes.
const KEPT_MAX: usize = 64 * 1024;

pub(crate) async fn compact(State(state): State<Surface>, asked: Asked) -> Answer<Response> {
    beside(&state, asked, Operation::Compact).await
}

pub(crate) async fn count(State(state): State<Surface>, asked: Asked) -> Answer<Response> {
    beside(&state, asked, Operation::CountTokens).await
}

/// Nobody but the gateway answers these.
async fn beside(state: &Surface, asked: Asked, operation: Operation) -> Answer<Response> {
    let asked = asked.aimed(state).await?.named(None)?;
    if asked.peeked.as_ref().is_ok_and(|peeked| peeked.stream) {
        return Err(OpenAiError::unsupported("stream"));
    }
    let has = state.openai.gateway.has(asked.actor.project, asked.model());
    let answerer = state.openai.chains.answerer(&asked.actor, asked.model(), has).await;
    if answerer.map_err(|fault| OpenAiError::of(&fault))? == Answerer::Gateway {
        return routed::answer(state, &asked, operation).await;
    }
    Err(unanswered(state, &asked).await)
}

/// What an app reads is known only when it answers: it retrieves first.
async fn unanswered(state: &Surface, asked: &Asked) -> OpenAiError {
    let gateway = &state.openai.gateway;
    let Ok(target) = asked.model().parse::<Target>() else {
        return gateway.unknown(asked.actor.project, asked.model()).into();
    };
    let callables = match state.openai.chains.callables(&asked.actor).await {
        Ok(callables) => callables,
        Err(fault) => return OpenAiError::of(&fault),
    };
    let name = target.reference.name.as_str();
    if callables.iter().any(|callable| callable.name == name && target.kind.is_none_or(|kind| kind == callable.kind)) {
        return OpenAiError::unsupported("model").saying("this endpoint is for models, and not for apps and prompts");
    }
    let unknown = ChainFault::UnknownTarget { name: text::elide(&target.to_string(), 80), nearest: None };
    state.unknown(asked, OpenAiError::of(&unknown)).await
}

/// A conversation that is to be made shorter, as a call for its notes.
pub(crate) fn read(body: &[u8]) -> Result<Call, ReadFault> {
    let mut call = responses::read(body)?;
    call.turns.push(Turn::text(Role::User, REMEMBER));
    (call.format, call.logprobs, call.parallel_tools, call.tool_choice) = (Format::Text, None, None, None);
    let is_of_tools = |part: &Part| matches!(part, Part::ToolCall { .. } | Part::ToolResult { .. });
    // Some providers read calls only of tools that they are told of.
    if call.turns.iter().flat_map(|turn| &turn.parts).any(is_of_tools) {
        call.tool_choice = (!call.tools.is_empty()).then_some(ToolChoice::None);
    } else {
        call.tools.clear();
    }
    Ok(call)
}

/// The shorter conversation: what users and developers said, and the notes, as messages that any model reads.
pub(crate) fn write(answer: &Exchanged, (created, model): (i64, &str), asked: &[u8]) -> Answer<Value> {
    let parts = answer.choices.first().map(|choice| choice.parts.as_slice()).unwrap_or_default();
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text { text, .. } => Some(text.as_str()),
        _ => None,
    });
    let notes = texts.collect::<Vec<_>>().join("\n");
    if notes.trim().is_empty() {
        let detail = "the model wrote no notes of the conversation";
        return Err(Problem::new(FaultKind::Unavailable, "upstream-malformed", detail).into());
    }
    let mut output = kept(asked);
    output.push(user(&format!("{REMEMBERED}\n\n{}", notes.trim())));
    let whole = responses::write(answer, created, model);
    let (id, usage) = (&whole["id"], &whole["usage"]);
    Ok(json!({"id": id, "object": "response.compaction", "created_at": created, "output": output, "usage": usage}))
}

fn user(text: &str) -> Value {
    json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})
}

/// The items of a request that stay as they are, in their order.
fn kept(asked: &[u8]) -> Vec<Value> {
    let body: Value = serde_json::from_slice(asked).unwrap_or_default();
    let items = match &body["input"] {
        Value::String(text) => vec![user(text)],
        Value::Array(items) => items.clone(),
        _ => Vec::new(),
    };
    let mut left = KEPT_MAX;
    let mut kept: Vec<Value> = items.into_iter().rev().filter(|item| stays(item, &mut left)).collect();
    kept.reverse();
    kept
}

fn stays(item: &Value, left: &mut usize) -> bool {
    if item.get("type").is_some_and(|kind| kind != "message") {
        return false;
    }
    match item["role"].as_str() {
        Some("system" | "developer") => true,
        Some("user") => {
            let fits = left.checked_sub(item.to_string().len());
            *left = fits.unwrap_or(0);
            fits.is_some()
        }
        _ => false,
    }
}
