//! A whole answer.

use mainspring_llm::exchange::{Answer, Choice, Dialect, Part};
use serde_json::{Map, Value, json};

use super::{blocks, finish, parts::CITATIONS, refusal, usage};
use crate::{fault::UpstreamFault, seam::Endpoint};

pub(super) fn decode(endpoint: &Endpoint, body: &[u8]) -> Result<Answer, UpstreamFault> {
    let read: Value = serde_json::from_slice(body).map_err(|error| UpstreamFault::malformed(endpoint, error.to_string()))?;
    let Value::Object(mut fields) = read else { return Err(UpstreamFault::malformed(endpoint, "it is not an object")) };
    if fields.get("type").is_some_and(|kind| kind == "error") {
        return Err(refusal::said(endpoint, &Value::Object(fields)));
    }
    let Some(Value::Array(content)) = fields.shift_remove("content") else {
        return Err(UpstreamFault::malformed(endpoint, "it has no `content`"));
    };
    let mut parts = Vec::with_capacity(content.len());
    for block in content {
        let citations =
            block.get("citations").filter(|citations| citations.as_array().is_some_and(|all| !all.is_empty())).cloned();
        parts.push(blocks::part(block, "content", &mut Vec::new()).map_err(|what| UpstreamFault::malformed(endpoint, what))?);
        let is_text = matches!(parts.last(), Some(Part::Text { .. }));
        if let Some(citations) = citations.filter(|_| is_text) {
            let value = json!({"type": CITATIONS, CITATIONS: citations});
            parts.push(Part::Other { said_in: Dialect::Anthropic, value });
        }
    }
    let said = fields.shift_remove("usage").filter(Value::is_object);
    let text = |fields: &mut Map<String, Value>, name: &str| match fields.shift_remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let choice = Choice {
        parts,
        finish: finish::read(text(&mut fields, "stop_reason").as_deref().unwrap_or_default()),
        stop_sequence: text(&mut fields, "stop_sequence"),
        logprobs: None,
    };
    let (id, model) = (text(&mut fields, "id"), text(&mut fields, "model"));
    fields.retain(|name, value| !matches!(name.as_str(), "type" | "role") && !value.is_null());
    Ok(Answer {
        id: id.unwrap_or_default(),
        model: model.unwrap_or_else(|| endpoint.model.clone()),
        choices: vec![choice],
        usage: said.as_ref().map(usage::read),
        service_tier: said.as_ref().and_then(|said| said["service_tier"].as_str()).map(str::to_owned),
        fingerprint: None,
        said_in: Dialect::Anthropic,
        extra: fields,
    })
}
