//! Parts, written as content blocks.

use base64::{Engine, engine::general_purpose::STANDARD};
use mainspring_llm::exchange::{Dialect, Media, Part, Reasoning};
use serde_json::{Value, json};

use super::{arguments, sealed};

/// Where Anthropic writes citations: on the block of the text they belong to. Between the two stands a part of this type.
pub(super) const CITATIONS: &str = "citations";

/// The blocks of a part. `own`: it was said in Anthropic's dialect. An error names what has no block here.
pub(super) fn blocks(part: &Part, own: bool) -> Result<Vec<Value>, &'static str> {
    let one = |block: Value| Ok(vec![block]);
    match part {
        Part::Text { text, cache } => one(marked(json!({"type": "text", "text": text}), cache.as_ref())),
        Part::Refusal { text } => one(json!({"type": "text", "text": text})),
        Part::Image { source, cache, .. } => {
            one(marked(json!({"type": "image", "source": source_of(source, own)?}), cache.as_ref()))
        }
        Part::File { source, name, cache } => one(marked(document(source, name.as_deref(), own)?, cache.as_ref())),
        Part::Audio { .. } => Err("audio"),
        Part::ToolCall { id, name, arguments, .. } => {
            one(json!({"type": "tool_use", "id": tool_id(id), "name": name, "input": arguments::input(arguments)}))
        }
        Part::ToolResult { id, parts, is_error, cache, .. } => {
            one(marked(tool_result(id, parts, *is_error, own)?, cache.as_ref()))
        }
        Part::Reasoning(reasoning) => Ok(thinking(reasoning)),
        Part::Other { said_in: Dialect::Anthropic, value } => one(value.clone()),
        Part::Other { .. } => Err("a part of another provider's own"),
    }
}

/// Thinking without a signature has an empty one here: clients insist on the field.
pub(super) fn thinking(reasoning: &Reasoning) -> Vec<Value> {
    let Reasoning { id, text, signature, sealed } = reasoning;
    let block = |signature: &str| json!({"type": "thinking", "thinking": text, "signature": signature});
    match (signature, id, sealed) {
        (Some(signature), _, _) => vec![block(signature)],
        (None, Some(id), Some(sealed)) => vec![block(&sealed::signature(id, sealed))],
        (None, None, Some(data)) => {
            let redacted = json!({"type": "redacted_thinking", "data": data});
            if text.is_empty() { vec![redacted] } else { vec![block(""), redacted] }
        }
        (None, _, None) => vec![block("")],
    }
}

/// Anthropic takes letters, digits, `_` and `-` only; both ends of a call are changed alike. Clients are given such ids
/// too, since what they send back may go to Anthropic as it is.
pub(super) fn tool_id(id: &str) -> String {
    if id.is_empty() {
        return "unnamed".to_owned();
    }
    id.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' }).collect()
}

fn marked(mut block: Value, cache: Option<&Value>) -> Value {
    if let Some(mark) = cache {
        block["cache_control"] = mark.clone();
    }
    block
}

fn source_of(source: &Media, own: bool) -> Result<Value, &'static str> {
    match source {
        Media::Base64 { media_type, data } => Ok(base64_source(media_type, data)),
        Media::Url(url) => match inline(url) {
            Some((media_type, data)) => Ok(base64_source(media_type, data)),
            None if url.starts_with("https://") || url.starts_with("http://") => Ok(json!({"type": "url", "url": url})),
            None => Err("an address that is not on the web"),
        },
        Media::Id(id) if own => Ok(json!({"type": "file", "file_id": id})),
        Media::Id(_) => Err("a file that another provider keeps"),
    }
}

fn base64_source(media_type: &str, data: &str) -> Value {
    json!({"type": "base64", "media_type": media_type, "data": data})
}

/// The parts of a `data:` address.
fn inline(url: &str) -> Option<(&str, &str)> {
    url.strip_prefix("data:")?.split_once(";base64,")
}

/// PDF goes as it is and plain text as text; nothing else can be a document.
fn document(source: &Media, name: Option<&str>, own: bool) -> Result<Value, &'static str> {
    let inlined = match source {
        Media::Base64 { media_type, data } => Some((media_type.as_str(), data.as_str())),
        Media::Url(url) => inline(url),
        Media::Id(_) => None,
    };
    let source = match inlined {
        Some((media_type, data)) => inlined_document(media_type, data, name)?,
        None => source_of(source, own)?,
    };
    let mut block = json!({"type": "document", "source": source});
    if let Some(name) = name {
        block["title"] = json!(name);
    }
    Ok(block)
}

fn inlined_document(media_type: &str, data: &str, name: Option<&str>) -> Result<Value, &'static str> {
    let is_pdf = media_type == "application/pdf" || name.is_some_and(|name| name.to_ascii_lowercase().ends_with(".pdf"));
    if is_pdf {
        return Ok(base64_source("application/pdf", data));
    }
    if !media_type.starts_with("text/") {
        return Err("a file that is neither PDF nor text");
    }
    let bytes = STANDARD.decode(data).map_err(|_| "a file that is not base64")?;
    let text = String::from_utf8(bytes).map_err(|_| "a text that is not UTF-8")?;
    Ok(json!({"type": "text", "media_type": "text/plain", "data": text}))
}

fn tool_result(id: &str, parts: &[Part], is_error: bool, own: bool) -> Result<Value, &'static str> {
    let mut block = json!({"type": "tool_result", "tool_use_id": tool_id(id)});
    match parts {
        [] => {}
        [Part::Text { text, cache: None }] => block["content"] = json!(text),
        parts => {
            let mut content = Vec::with_capacity(parts.len());
            for part in parts {
                content.extend(blocks(part, own)?);
            }
            block["content"] = Value::Array(content);
        }
    }
    if is_error {
        block["is_error"] = json!(true);
    }
    Ok(block)
}
