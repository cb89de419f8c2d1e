//! Messages of every convention in one shape: a role, and parts.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    indexed::{items, numbered},
    parts, plain,
    values::structured,
};

/// JSON within JSON within JSON, at most.
const WITHIN_MAX: usize = 4;

#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Message {
    /// `system`, `user`, `assistant` and `tool`; whatever else a sender says stays.
    pub role: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub parts: Vec<Part>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    Text {
        content: String,
    },
    Reasoning {
        content: String,
    },
    ToolCall {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        name: String,
        arguments: Value,
    },
    ToolCallResponse {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        result: Value,
    },
    Uri {
        uri: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        mime_type: Option<String>,
    },
    /// Base64.
    Blob {
        content: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        mime_type: Option<String>,
    },
    File {
        file_id: String,
    },
    /// In no shape that is known here.
    Other {
        value: Value,
    },
}

/// How much is looked into: a reader wants all, a search the beginning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fold {
    /// Longer texts are cut.
    pub(super) max: usize,
}

impl Fold {
    pub(super) const WHOLE: Self = Self { max: 16 << 20 };

    pub(super) fn cut(self, text: &str) -> String {
        if text.len() <= self.max {
            return text.to_owned();
        }
        let end = (0..=self.max).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text[..end].to_owned()
    }

    /// A text that is JSON is opened whole, however little of it is wanted: nobody else knows what is said in it.
    pub(super) fn opened(self, text: &str) -> Option<Value> {
        structured(text)
    }

    /// Messages of any shape. `role` is whose they are where they do not say it.
    pub(super) fn messages(self, value: &Value, role: &str) -> Vec<Message> {
        let plain = value.as_str().and_then(|text| plain::messages(self, text));
        let mut found = plain.unwrap_or_else(|| {
            let mut found = Vec::new();
            self.read(value, role, 0, &mut found);
            found
        });
        found.retain(|message| !message.parts.is_empty());
        found
    }

    fn read(self, value: &Value, role: &str, within: usize, found: &mut Vec<Message>) {
        match value {
            Value::Null => {}
            Value::String(text) => match self.opened(text).filter(|_| within < WITHIN_MAX) {
                Some(inner) => self.read(&inner, role, within + 1, found),
                None => found.push(said(role, parts::text(self.cut(text)))),
            },
            Value::Array(list) => self.read_list(list.iter().collect(), role, within, found),
            Value::Object(map) => self.read_object(map, role, within, found),
            Value::Bool(_) | Value::Number(_) => found.push(said(role, vec![Part::Other { value: value.clone() }])),
        }
    }

    /// A list is of messages, or it is the parts of one. Calls and answers to them are turns of their own.
    fn read_list(self, list: Vec<&Value>, role: &str, within: usize, found: &mut Vec<Message>) {
        let part_of_one = |item: &&Value| match item {
            Value::Object(map) => !is_message(map) && parts::is_part(map) && !parts::is_turn(map),
            Value::String(text) => structured_start(text).is_none(),
            _ => false,
        };
        if !list.is_empty() && list.iter().all(part_of_one) {
            found.push(said(role, list.into_iter().flat_map(|part| parts::read(self, part)).collect()));
        } else {
            list.into_iter().for_each(|item| self.read(item, role, within, found));
        }
    }

    fn read_object(self, map: &Map<String, Value>, role: &str, within: usize, found: &mut Vec<Message>) {
        if let Some(list) = numbered(map) {
            return self.read_list(list, role, within, found);
        }
        if let Some(kwargs) = serialized(map) {
            return found.push(self.message(kwargs, class_role(map).unwrap_or(role)));
        }
        if is_message(map) {
            return found.push(self.message(map, role));
        }
        if parts::is_part(map) {
            return found.push(said(role, parts::of_object(self, map)));
        }
        let system = map.get("system");
        system.into_iter().for_each(|system| self.read(system, "system", within, found));
        match WRAPPERS.iter().find_map(|key| map.get(*key)) {
            Some(inner) => {
                self.read(inner, role, within, found);
                if let (Some(last), Some(reason)) = (found.last_mut(), finish(map)) {
                    last.finish_reason.get_or_insert(reason);
                }
            }
            None if system.is_some() => {}
            None => found.push(said(role, vec![Part::Other { value: Value::Object(map.clone()) }])),
        }
    }

    fn message(self, map: &Map<String, Value>, role: &str) -> Message {
        let word = |key: &str| map.get(key).and_then(Value::as_str);
        let role = word("role").or_else(|| word("type").and_then(of_langchain)).unwrap_or(role);
        let call = ["tool_call_id", "toolCallId"].iter().find_map(|key| word(key)).map(str::to_owned);
        let mut read: Vec<Part> = Vec::new();
        for key in ["reasoning_content", "reasoning", "thinking"] {
            if let Some(thought) = word(key).filter(|thought| !thought.is_empty()) {
                read.push(Part::Reasoning { content: self.cut(thought) });
            }
        }
        for content in ["parts", "content", "contents", "refusal"].iter().filter_map(|key| map.get(*key)) {
            read.extend(self.content(content));
        }
        for calls in ["tool_calls", "toolCalls"].iter().filter_map(|key| map.get(*key)) {
            read.extend(self.tool_calls(calls));
        }
        read.extend(map.get("function_call").and_then(|call| parts::tool_call(self, call)));
        if let Some(name) = word("function_call_name") {
            let arguments = word("function_call_arguments_json").map_or(Value::Null, |text| parts::json_or_text(self, text));
            read.push(Part::ToolCall { id: None, name: name.to_owned(), arguments });
        }
        if let Some(call) = call {
            read = read.into_iter().map(|part| answering(part, &call)).collect();
        }
        Message { role: folded(role).to_owned(), name: word("name").map(str::to_owned), parts: read, finish_reason: finish(map) }
    }

    fn content(self, content: &Value) -> Vec<Part> {
        match content {
            Value::String(text) => match self.opened(text) {
                Some(Value::Array(list))
                    if !list.is_empty() && list.iter().all(|item| item.as_object().is_some_and(parts::is_part)) =>
                {
                    list.iter().flat_map(|part| parts::read(self, part)).collect()
                }
                _ => parts::text(self.cut(text)),
            },
            other => items(other).into_iter().flat_map(|part| parts::read(self, part)).collect(),
        }
    }

    pub(super) fn tool_calls(self, calls: &Value) -> Vec<Part> {
        let opened = calls.as_str().and_then(|text| self.opened(text));
        items(opened.as_ref().unwrap_or(calls)).into_iter().filter_map(|call| parts::tool_call(self, call)).collect()
    }
}

/// What holds messages, outermost first.
const WRAPPERS: &[&str] = &[
    "message",
    "messages",
    "contents",
    "choices",
    "candidates",
    "generations",
    "content",
    "completion",
    "prompt",
    "output",
    "input",
    "text",
];

/// Calls are the model's and answers to them a tool's, in whosever list they stand.
fn said(role: &str, parts: Vec<Part>) -> Message {
    let all = |of: fn(&Part) -> bool| !parts.is_empty() && parts.iter().all(of);
    let role = if all(|part| matches!(part, Part::ToolCall { .. } | Part::Reasoning { .. })) {
        "assistant"
    } else if all(|part| matches!(part, Part::ToolCallResponse { .. })) {
        "tool"
    } else {
        folded(role)
    };
    Message { role: role.to_owned(), parts, ..Message::default() }
}

fn structured_start(text: &str) -> Option<char> {
    text.trim_start().chars().next().filter(|first| matches!(first, '{' | '['))
}

fn is_message(map: &Map<String, Value>) -> bool {
    let speaks = map.get("role").is_some_and(Value::is_string)
        || map.get("type").and_then(Value::as_str).is_some_and(|kind| of_langchain(kind).is_some());
    let says = [
        "parts",
        "content",
        "contents",
        "tool_calls",
        "toolCalls",
        "function_call",
        "function_call_name",
        "refusal",
        "reasoning_content",
    ];
    // The content of a candidate is a message itself.
    let holds_one = map.get("content").and_then(Value::as_object).is_some_and(|inner| inner.contains_key("parts"));
    !holds_one
        && ((speaks && says.iter().any(|key| map.contains_key(*key)))
            || map.contains_key("tool_calls")
            || map.get("parts").is_some_and(Value::is_array))
}

/// LangChain's classes of messages.
fn of_langchain(kind: &str) -> Option<&'static str> {
    match kind {
        "human" | "HumanMessage" => Some("user"),
        "ai" | "AIMessage" | "AIMessageChunk" => Some("assistant"),
        "system" | "SystemMessage" => Some("system"),
        "ToolMessage" => Some("tool"),
        _ => None,
    }
}

/// An object that LangChain wrote as the call that makes it.
fn serialized(map: &Map<String, Value>) -> Option<&Map<String, Value>> {
    class_role(map)?;
    map.get("kwargs")?.as_object()
}

fn class_role(map: &Map<String, Value>) -> Option<&'static str> {
    of_langchain(map.get("id")?.as_array()?.last()?.as_str()?)
}

pub(super) fn folded(role: &str) -> &str {
    match role {
        "human" => "user",
        "ai" | "model" => "assistant",
        "function" => "tool",
        other => other,
    }
}

fn finish(map: &Map<String, Value>) -> Option<String> {
    let keys = ["finish_reason", "finishReason", "stop_reason"];
    keys.iter().find_map(|key| map.get(*key)?.as_str()).map(str::to_owned)
}

/// What a tool's message says is the answer to a call.
fn answering(part: Part, call: &str) -> Part {
    match part {
        Part::Text { content } => Part::ToolCallResponse { id: Some(call.to_owned()), result: Value::String(content) },
        other => other,
    }
}
