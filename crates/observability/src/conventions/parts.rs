//! Parts of messages: what providers and frameworks call them, and what they are here.

use serde_json::{Map, Value};

use super::{
    indexed::items,
    messages::{Fold, Part},
};

pub(super) fn text(content: String) -> Vec<Part> {
    if content.is_empty() { Vec::new() } else { vec![Part::Text { content }] }
}

/// Whether an object is a part of a message rather than anything else.
pub(super) fn is_part(map: &Map<String, Value>) -> bool {
    map.get("type").and_then(Value::as_str).is_some_and(|kind| kind_of(kind).is_some())
        || map.contains_key("message_content")
        || (map.len() <= 3 && UNTYPED.iter().any(|key| map.contains_key(*key)))
}

/// Whether it is the model's or a tool's, whoever spoke before.
pub(super) fn is_turn(map: &Map<String, Value>) -> bool {
    map.get("type").and_then(Value::as_str).and_then(kind_of).is_some_and(|kind| matches!(kind, Kind::Call | Kind::Response))
}

/// Keys that say what a part without a type is: those of Gemini and Bedrock.
const UNTYPED: &[&str] = &[
    "text",
    "functionCall",
    "function_call",
    "functionResponse",
    "function_response",
    "inlineData",
    "inline_data",
    "toolUse",
    "toolResult",
    "reasoningContent",
];

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Reasoning,
    Call,
    Response,
    Image,
    Audio,
    Uri,
    Blob,
    File,
}

fn kind_of(word: &str) -> Option<Kind> {
    Some(match word {
        "text" | "input_text" | "output_text" | "refusal" | "summary_text" => Kind::Text,
        "reasoning" | "thinking" | "redacted_thinking" => Kind::Reasoning,
        "tool_call" | "tool_use" | "tool-call" | "function_call" | "server_tool_use" => Kind::Call,
        "tool_call_response" | "tool_result" | "tool-result" | "function_call_output" => Kind::Response,
        "image_url" | "input_image" | "image" => Kind::Image,
        "input_audio" | "audio" => Kind::Audio,
        "uri" => Kind::Uri,
        "blob" => Kind::Blob,
        "file" | "input_file" => Kind::File,
        _ => return None,
    })
}

pub(super) fn read(fold: Fold, value: &Value) -> Vec<Part> {
    match value {
        Value::Null => Vec::new(),
        Value::String(said) => text(fold.cut(said)),
        Value::Object(map) => of_object(fold, map),
        other => vec![Part::Other { value: other.clone() }],
    }
}

pub(super) fn of_object(fold: Fold, map: &Map<String, Value>) -> Vec<Part> {
    if let Some(inner) = map.get("message_content") {
        return read(fold, inner);
    }
    let other = || Part::Other { value: Value::Object(map.clone()) };
    let kind = map.get("type").and_then(Value::as_str).and_then(kind_of);
    let Some(kind) = kind else { return untyped(fold, map) };
    let part = match kind {
        Kind::Text => {
            return text(first_text(map, &["content", "text", "refusal"]).map(|said| fold.cut(said)).unwrap_or_default());
        }
        Kind::Reasoning => reasoning(fold, map),
        Kind::Call => tool_call(fold, &Value::Object(map.clone())),
        Kind::Response => Some(response(fold, map)),
        Kind::Image => image(map),
        Kind::Audio => map.get("input_audio").or_else(|| map.get("audio")).and_then(blob).or_else(|| blob_in(map)),
        Kind::Uri => first_text(map, &["uri", "url"]).map(|uri| link(uri, mime(map))),
        Kind::Blob => blob_in(map),
        Kind::File => file(map),
    };
    vec![part.unwrap_or_else(other)]
}

fn untyped(fold: Fold, map: &Map<String, Value>) -> Vec<Part> {
    let first = |keys: &[&str]| keys.iter().find_map(|key| map.get(*key));
    let part = if let Some(said) = map.get("text").and_then(Value::as_str) {
        // Gemini marks what it thought.
        let thought = map.get("thought").and_then(Value::as_bool) == Some(true);
        return if thought { vec![Part::Reasoning { content: fold.cut(said) }] } else { text(fold.cut(said)) };
    } else if let Some(call) = first(&["functionCall", "function_call", "toolUse", "tool_call"]) {
        tool_call(fold, call)
    } else if let Some(answer) = first(&["functionResponse", "function_response", "toolResult"]).and_then(Value::as_object) {
        Some(response(fold, answer))
    } else if let Some(data) = first(&["inlineData", "inline_data"]) {
        blob(data)
    } else if let Some(thought) = map.get("reasoningContent").and_then(Value::as_object) {
        let inner = thought.get("reasoningText").and_then(Value::as_object).unwrap_or(thought);
        reasoning(fold, inner)
    } else if let Some(said) = map.get("content").and_then(Value::as_str) {
        return text(fold.cut(said));
    } else {
        None
    };
    vec![part.unwrap_or_else(|| Part::Other { value: Value::Object(map.clone()) })]
}

fn reasoning(fold: Fold, map: &Map<String, Value>) -> Option<Part> {
    let said = first_text(map, &["content", "text", "thinking", "reasoning"]).map(|said| fold.cut(said));
    let summary = || {
        let list = items(map.get("summary")?);
        let texts: Vec<&str> = list.iter().filter_map(|item| item.get("text")?.as_str()).collect();
        Some(fold.cut(&texts.join("\n")))
    };
    said.or_else(summary).map(|content| Part::Reasoning { content })
}

/// A call of a tool, of any shape: the name is its own, or that of the function within it.
pub(super) fn tool_call(fold: Fold, value: &Value) -> Option<Part> {
    let map = value.as_object()?;
    if let Some(inner) = map.get("tool_call").filter(|inner| inner.is_object()) {
        return tool_call(fold, inner);
    }
    let function = map.get("function").and_then(Value::as_object);
    let within =
        |keys: &[&str]| keys.iter().find_map(|key| function.and_then(|function| function.get(*key)).or_else(|| map.get(*key)));
    let name = within(&["name", "toolName"]).and_then(Value::as_str)?.to_owned();
    let arguments = match within(&["arguments", "input", "args"]) {
        Some(Value::String(said)) => json_or_text(fold, said),
        Some(other) => other.clone(),
        None => Value::Null,
    };
    let id = first_text(map, &["id", "call_id", "toolCallId", "tool_call_id", "toolUseId"]).map(str::to_owned);
    Some(Part::ToolCall { id, name, arguments })
}

pub(super) fn json_or_text(fold: Fold, said: &str) -> Value {
    fold.opened(said).unwrap_or_else(|| Value::String(fold.cut(said)))
}

fn response(fold: Fold, map: &Map<String, Value>) -> Part {
    let id =
        first_text(map, &["tool_use_id", "tool_call_id", "toolCallId", "toolUseId", "call_id", "id", "name"]).map(str::to_owned);
    let result = match ["result", "response", "output", "content"].iter().find_map(|key| map.get(*key)) {
        Some(Value::String(said)) => json_or_text(fold, said),
        Some(other) => other.clone(),
        None => Value::Null,
    };
    Part::ToolCallResponse { id, result }
}

/// Where an image is: in words of OpenAI, Anthropic, Vercel and OpenInference.
fn image(map: &Map<String, Value>) -> Option<Part> {
    for holder in ["image_url", "image", "source", "url"] {
        match map.get(holder) {
            Some(Value::String(at)) => return Some(link(at, mime(map))),
            Some(Value::Object(inner)) => return image(inner).or_else(|| blob_in(inner)),
            _ => {}
        }
    }
    blob_in(map)
}

/// Data that stands in its own address is taken out of it.
fn link(uri: &str, mime_type: Option<String>) -> Part {
    let inline = uri.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    match inline {
        Some((mime, content)) => Part::Blob { content: content.to_owned(), mime_type: Some(mime.to_owned()) },
        None => Part::Uri { uri: uri.to_owned(), mime_type },
    }
}

fn blob(value: &Value) -> Option<Part> {
    blob_in(value.as_object()?)
}

fn blob_in(map: &Map<String, Value>) -> Option<Part> {
    let content = first_text(map, &["data", "content", "blob"])?.to_owned();
    Some(Part::Blob { content, mime_type: mime(map) })
}

fn file(map: &Map<String, Value>) -> Option<Part> {
    if let Some(id) = first_text(map, &["file_id", "id"]) {
        return Some(Part::File { file_id: id.to_owned() });
    }
    if let Some(inner) = map.get("file").and_then(Value::as_object) {
        return file(inner);
    }
    first_text(map, &["url", "uri", "file_url"]).map(|uri| link(uri, mime(map))).or_else(|| blob_in(map))
}

fn mime(map: &Map<String, Value>) -> Option<String> {
    first_text(map, &["mime_type", "mimeType", "media_type", "mediaType", "format"]).map(str::to_owned)
}

fn first_text<'a>(map: &'a Map<String, Value>, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| map.get(*key)?.as_str())
}
