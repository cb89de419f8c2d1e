//! Converse's answers.

use mainspring_llm::{
    TokenUsage,
    exchange::{Answer, Choice, Dialect, Finish, Media, Part, Reasoning},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::usage::{self, Used};
use crate::{fault::UpstreamFault, seam::Endpoint};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    output: Output,
    stop_reason: Option<String>,
    usage: Option<Value>,
    additional_model_response_fields: Option<Value>,
    service_tier: Option<Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Output {
    message: Message,
}

#[derive(Debug, Deserialize)]
struct Message {
    content: Vec<Value>,
}

/// Odd numbers make an answer unpriced, not unread.
pub(super) fn tokens(used: &Value) -> Option<TokenUsage> {
    Used::deserialize(used).ok().as_ref().map(usage::tokens)
}

/// `None` is an answer that broke off with nothing to show for it.
pub(super) fn finish(reason: &str) -> Option<Finish> {
    Some(match reason {
        "tool_use" => Finish::ToolCalls,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "guardrail_intervened" | "content_filtered" => Finish::ContentFilter,
        "malformed_model_output" | "malformed_tool_use" => return None,
        _ => Finish::Stop,
    })
}

/// Tokens were used, but there is nothing to give to the client.
pub(super) fn broken(endpoint: &Endpoint, reason: &str) -> UpstreamFault {
    let mut fault = UpstreamFault::malformed(endpoint, format!("the model broke off: {reason}"));
    fault.said = Some(reason.to_owned());
    fault
}

/// Where the model was asked to say which sequence it met.
pub(super) fn stop_sequence(fields: Option<&Value>) -> Option<String> {
    fields?.get("stop_sequence")?.as_str().map(str::to_owned)
}

pub(super) fn decode(endpoint: &Endpoint, body: &[u8]) -> Result<Answer, UpstreamFault> {
    let response: Response = serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {} column {} is not Converse's JSON", error.line(), error.column());
        UpstreamFault::malformed(endpoint, place)
    })?;
    let reason = response.stop_reason.as_deref().unwrap_or("end_turn");
    let Some(finish) = finish(reason) else {
        let body = Some(bytes::Bytes::copy_from_slice(body));
        return Err(UpstreamFault { body, ..broken(endpoint, reason) });
    };
    let parts: Vec<Part> = response.output.message.content.iter().flat_map(parts).collect();
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
    let stop_sequence = stop_sequence(response.additional_model_response_fields.as_ref());
    let finish = if calls && finish == Finish::Stop { Finish::ToolCalls } else { finish };
    let tier = response.service_tier.as_ref().and_then(|tier| tier.get("type")).and_then(Value::as_str);
    Ok(Answer {
        // Bedrock names its answers in a header only.
        id: String::new(),
        model: endpoint.model.clone(),
        choices: vec![Choice { parts, finish, stop_sequence, logprobs: None }],
        usage: response.usage.as_ref().and_then(tokens),
        service_tier: tier.map(str::to_owned),
        fingerprint: None,
        said_in: Dialect::Bedrock,
        extra: response.rest,
    })
}

fn parts(block: &Value) -> Vec<Part> {
    let text = |place: &Value, name: &str| place.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(text) = text(block, "text") {
        return vec![Part::text(text)];
    }
    if let Some(call) = block.get("toolUse") {
        let arguments = call.get("input").filter(|input| !input.is_null()).map_or_else(|| "{}".to_owned(), Value::to_string);
        let (id, name) = (text(call, "toolUseId").unwrap_or_default(), text(call, "name").unwrap_or_default());
        return vec![Part::ToolCall { id, name, arguments, signature: None }];
    }
    if let Some(thought) = block.get("reasoningContent") {
        return vec![Part::Reasoning(reasoning(thought))];
    }
    // Text with its sources: the text is everybody's, the sources have no word here.
    let cited = block.get("citationsContent").and_then(|cited| cited.get("content")).and_then(Value::as_array);
    if let Some(cited) = cited {
        let cited: String = cited.iter().filter_map(|piece| piece.get("text")?.as_str()).collect();
        return vec![Part::text(cited), Part::Other { said_in: Dialect::Bedrock, value: block.clone() }];
    }
    vec![image(block).unwrap_or_else(|| Part::Other { said_in: Dialect::Bedrock, value: block.clone() })]
}

fn reasoning(thought: &Value) -> Reasoning {
    let text = |place: &Value, name: &str| place.get(name).and_then(Value::as_str).map(str::to_owned);
    let spoken = thought.get("reasoningText").unwrap_or(&Value::Null);
    Reasoning {
        id: None,
        text: text(spoken, "text").unwrap_or_default(),
        signature: text(spoken, "signature"),
        sealed: text(thought, "redactedContent"),
    }
}

fn image(block: &Value) -> Option<Part> {
    let image = block.get("image")?;
    let data = image.get("source")?.get("bytes")?.as_str()?;
    let media_type = format!("image/{}", image.get("format")?.as_str()?);
    let source = Media::Base64 { media_type, data: data.to_owned() };
    Some(Part::Image { source, detail: None, cache: None })
}
