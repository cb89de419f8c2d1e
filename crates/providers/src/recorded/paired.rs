//! Calls of tools and their results, which tool must be called, and by what they belong together: in what a client said, and
//! in what was sent.

use mainspring_llm::exchange::{Call, Part, ToolChoice};
use serde_json::Value;

/// Names of calls in their order, and for each result which of them it answers: the same at both ends, whatever the ids.
#[derive(Debug, Default, PartialEq, Eq)]
struct Pairs {
    calls: Vec<String>,
    answers: Vec<Option<usize>>,
}

#[derive(Default)]
struct Found {
    calls: Vec<(Option<String>, String)>,
    results: Vec<Option<String>>,
}

impl Found {
    fn pairs(self) -> Pairs {
        let of = |id: &Option<String>| self.calls.iter().position(|(called, _)| called == id);
        let answers = self.results.iter().map(of).collect();
        Pairs { calls: self.calls.into_iter().map(|(_, name)| name).collect(), answers }
    }

    fn of_call(call: &Call) -> Self {
        let mut found = Self::default();
        for part in call.turns.iter().flat_map(|turn| &turn.parts) {
            match part {
                Part::ToolCall { id, name, .. } => found.calls.push((Some(id.clone()), name.clone())),
                Part::ToolResult { id, .. } => found.results.push(Some(id.clone())),
                _ => {}
            }
        }
        found
    }

    /// By the shapes that each dialect has for them.
    fn collect(&mut self, value: &Value) {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let name = |value: &Value| text(value).unwrap_or_default();
        match value {
            Value::Array(list) => list.iter().for_each(|value| self.collect(value)),
            Value::Object(map) => {
                if value["function"].is_object() && value["id"].is_string() {
                    self.calls.push((text(&value["id"]), name(&value["function"]["name"])));
                } else if value["type"] == "tool_use" {
                    self.calls.push((text(&value["id"]), name(&value["name"])));
                } else if let Some(call) = map.get("toolUse") {
                    self.calls.push((text(&call["toolUseId"]), name(&call["name"])));
                } else if let Some(call) = map.get("functionCall") {
                    self.calls.push((text(&call["id"]), name(&call["name"])));
                } else if value["role"] == "tool" {
                    self.results.push(text(&value["tool_call_id"]));
                } else if value["type"] == "tool_result" {
                    self.results.push(text(&value["tool_use_id"]));
                } else if let Some(result) = map.get("toolResult") {
                    self.results.push(text(&result["toolUseId"]));
                } else if let Some(result) = map.get("functionResponse") {
                    self.results.push(text(&result["id"]));
                } else {
                    map.values().for_each(|value| self.collect(value));
                }
            }
            _ => {}
        }
    }
}

/// Calls that were not sent, and results that answer another call than they did.
pub(super) fn missing(call: &Call, body: &Value) -> Option<String> {
    let mut sent = Found::default();
    for name in ["messages", "contents"] {
        sent.collect(&body[name]);
    }
    let (said, sent) = (Found::of_call(call).pairs(), sent.pairs());
    (said != sent).then(|| format!("calls and results: {said:?}, and not {sent:?}"))
}

/// Which tool a request lets its model call, in any dialect.
pub(super) fn choice(body: &Value) -> Option<ToolChoice> {
    let function = |name: &Value| name.as_str().map(|name| ToolChoice::Function(name.to_owned()));
    let by_word = |word: &str| match word {
        "auto" | "AUTO" => Some(ToolChoice::Auto),
        "none" | "NONE" => Some(ToolChoice::None),
        "required" | "any" | "ANY" => Some(ToolChoice::Required),
        _ => None,
    };
    let choice = &body["tool_choice"];
    let bedrock = &body["toolConfig"]["toolChoice"];
    let gemini = &body["toolConfig"]["functionCallingConfig"];
    function(&choice["function"]["name"])
        .or_else(|| function(&choice["name"]))
        .or_else(|| function(&bedrock["tool"]["name"]))
        .or_else(|| function(&gemini["allowedFunctionNames"][0]))
        .or_else(|| by_word(choice.as_str().or_else(|| choice["type"].as_str())?))
        .or_else(|| by_word(bedrock.as_object()?.keys().next()?))
        .or_else(|| by_word(gemini["mode"].as_str()?))
}
