//! Content blocks, read.

use base64::{Engine, engine::general_purpose::STANDARD};
use mainspring_llm::exchange::{Dialect, Media, Part, Reasoning};
use serde_json::{Map, Value};

use super::{arguments, sealed};

/// A block as a part. What has no word among parts stays as it was written; an error says what is wrong with the block.
pub(super) fn part(block: Value) -> Result<Part, String> {
    let Value::Object(fields) = &block else { return Err("a content block must be an object".to_owned()) };
    let kind = fields.get("type").and_then(Value::as_str).ok_or("a content block needs a `type`")?;
    let read = match kind {
        "text" => Some(Part::Text { text: text(fields, "text")?, cache: cache(fields) }),
        "image" => media(fields).map(|source| Part::Image { source, detail: None, cache: cache(fields) }),
        "document" => document(fields),
        "tool_use" => Some(tool_use(fields)?),
        "tool_result" => Some(tool_result(fields)?),
        "thinking" => {
            let thinking = fields.get("thinking").and_then(Value::as_str).unwrap_or_default();
            let signature = fields.get("signature").and_then(Value::as_str).filter(|signature| !signature.is_empty());
            Some(Part::Reasoning(sealed::reasoning(thinking.to_owned(), signature.map(str::to_owned))))
        }
        "redacted_thinking" => Some(Part::Reasoning(Reasoning { sealed: Some(text(fields, "data")?), ..Reasoning::default() })),
        _ => None,
    };
    Ok(read.unwrap_or(Part::Other { said_in: Dialect::Anthropic, value: block }))
}

/// Every block of a `content`; a text alone is one.
pub(super) fn parts(content: Value) -> Result<Vec<Part>, String> {
    match content {
        Value::String(text) => Ok(vec![Part::text(text)]),
        Value::Array(blocks) => blocks.into_iter().map(part).collect(),
        Value::Null => Ok(Vec::new()),
        _ => Err("`content` must be a text or a list of content blocks".to_owned()),
    }
}

/// The mark up to which a provider is asked to cache.
pub(super) fn cache(fields: &Map<String, Value>) -> Option<Value> {
    fields.get("cache_control").filter(|mark| !mark.is_null()).cloned()
}

pub(super) fn text(fields: &Map<String, Value>, name: &str) -> Result<String, String> {
    let missing = || format!("`{name}` must be a text");
    fields.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(missing)
}

/// Absent where the source is of a kind that other dialects do not have.
fn media(fields: &Map<String, Value>) -> Option<Media> {
    let source = fields.get("source")?;
    let field = |name: &str| source.get(name).and_then(Value::as_str).map(str::to_owned);
    match source.get("type")?.as_str()? {
        "base64" => Some(Media::Base64 { media_type: field("media_type")?, data: field("data")? }),
        "url" => Some(Media::Url(field("url")?)),
        "file" => Some(Media::Id(field("file_id")?)),
        // Plain text, which a document may be.
        "text" => Some(Media::Base64 { media_type: "text/plain".to_owned(), data: STANDARD.encode(field("data")?) }),
        _ => None,
    }
}

/// Citations change the form of the answer and a context is text the model reads: a document with either says more than
/// a file can, and stays as it was written.
fn document(fields: &Map<String, Value>) -> Option<Part> {
    let cites = fields.get("citations").is_some_and(|citations| citations["enabled"] == Value::Bool(true));
    let has_context = fields.get("context").is_some_and(|context| !context.is_null());
    if cites || has_context {
        return None;
    }
    let name = fields.get("title").and_then(Value::as_str).map(str::to_owned);
    media(fields).map(|source| Part::File { source, name, cache: cache(fields) })
}

fn tool_use(fields: &Map<String, Value>) -> Result<Part, String> {
    let arguments = arguments::text(fields.get("input").unwrap_or(&Value::Null));
    Ok(Part::ToolCall { id: text(fields, "id")?, name: text(fields, "name")?, arguments, signature: None })
}

fn tool_result(fields: &Map<String, Value>) -> Result<Part, String> {
    Ok(Part::ToolResult {
        id: text(fields, "tool_use_id")?,
        name: None,
        parts: parts(fields.get("content").cloned().unwrap_or_default())?,
        is_error: fields.get("is_error").and_then(Value::as_bool).unwrap_or(false),
        cache: cache(fields),
    })
}
