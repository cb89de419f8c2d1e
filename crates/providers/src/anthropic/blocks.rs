//! Content blocks, read.

use base64::{Engine, engine::general_purpose::STANDARD};
use mainspring_llm::exchange::{Dialect, Media, Part, Reasoning};
use serde_json::{Map, Value};

use super::{arguments, sealed};

/// A block as a part. What has no word among parts stays as it was written, and what has none within a block is named in
/// `unread` by its place; an error says what is wrong with the block.
pub(super) fn part(block: Value, at: &str, unread: &mut Vec<String>) -> Result<Part, String> {
    let Value::Object(fields) = &block else { return Err("a content block must be an object".to_owned()) };
    let kind = fields.get("type").and_then(Value::as_str).ok_or("a content block needs a `type`")?;
    let read = match kind {
        "text" => Some(Part::Text { text: text(fields, "text")?, cache: cache(fields) }),
        "image" => media(fields).map(|source| Part::Image { source, detail: None, cache: cache(fields) }),
        "document" => document(fields),
        "tool_use" => Some(tool_use(fields)?),
        "tool_result" => Some(tool_result(fields, at, unread)?),
        "thinking" => {
            let thinking = fields.get("thinking").and_then(Value::as_str).unwrap_or_default();
            let signature = fields.get("signature").and_then(Value::as_str).filter(|signature| !signature.is_empty());
            Some(Part::Reasoning(sealed::reasoning(thinking.to_owned(), signature.map(str::to_owned))))
        }
        "redacted_thinking" => Some(Part::Reasoning(Reasoning { sealed: Some(text(fields, "data")?), ..Reasoning::default() })),
        _ => None,
    };
    if read.is_some() {
        left(fields, known(kind), at, unread);
        if let Some(Value::Object(source)) = fields.get("source") {
            left(source, &["data", "file_id", "media_type", "type", "url"], &format!("{at}.source"), unread);
        }
    }
    Ok(read.unwrap_or(Part::Other { said_in: Dialect::Anthropic, value: block }))
}

/// What is read of a block, and what changes no answer.
fn known(kind: &str) -> &'static [&'static str] {
    match kind {
        "text" => &["cache_control", "citations", "text", "type"],
        "image" => &["cache_control", "source", "type"],
        "document" => &["cache_control", "citations", "context", "source", "title", "type"],
        "tool_use" => &["cache_control", "caller", "id", "input", "name", "type"],
        "tool_result" => &["cache_control", "content", "is_error", "tool_use_id", "type"],
        "thinking" => &["signature", "thinking", "type"],
        _ => &["data", "type"],
    }
}

/// Names the fields that are not known.
pub(super) fn left(fields: &Map<String, Value>, known: &[&str], at: &str, unread: &mut Vec<String>) {
    let others = fields.iter().filter(|(name, value)| !value.is_null() && !known.contains(&name.as_str()));
    unread.extend(others.map(|(name, _)| format!("{at}.{name}")));
}

/// Every block of a `content` that stands at this place; a text alone is one.
pub(super) fn parts(content: Value, at: &str, unread: &mut Vec<String>) -> Result<Vec<Part>, String> {
    match content {
        Value::String(text) => Ok(vec![Part::text(text)]),
        Value::Array(blocks) => {
            let part = |(index, block): (usize, Value)| part(block, &format!("{at}[{index}]"), unread);
            blocks.into_iter().enumerate().map(part).collect()
        }
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

fn tool_result(fields: &Map<String, Value>, at: &str, unread: &mut Vec<String>) -> Result<Part, String> {
    let content = fields.get("content").cloned().unwrap_or_default();
    Ok(Part::ToolResult {
        id: text(fields, "tool_use_id")?,
        name: None,
        parts: parts(content, &format!("{at}.content"), unread)?,
        is_error: fields.get("is_error").and_then(Value::as_bool).unwrap_or(false),
        cache: cache(fields),
    })
}
