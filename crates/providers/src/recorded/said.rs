//! What an answer says, read from each dialect by hand.

use mainspring_llm::TokenUsage;
use mainspring_testservers::recordings::Api;
use serde_json::Value;

/// Tokens, every part inside its whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Used {
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) cache_read: u64,
    pub(super) cache_written: u64,
    pub(super) reasoning: u64,
}

impl From<TokenUsage> for Used {
    fn from(used: TokenUsage) -> Self {
        let TokenUsage { input, output, cache_read, reasoning, .. } = used;
        Self { input, output, cache_read, cache_written: used.cache_written(), reasoning }
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) refusal: String,
    /// Without line breaks: dialects join several thoughts in their own ways.
    pub(super) thought: String,
    pub(super) calls: Vec<Called>,
    pub(super) end: &'static str,
    pub(super) used: Option<Used>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Called {
    /// Empty where the provider gave none.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: Value,
}

/// What a provider's whole answer says; of several answers, the first. Some write nothing for the arguments of a tool without
/// parameters.
pub(super) fn of(api: Api, body: &Value) -> Said {
    let mut said = told(api, body);
    for call in said.calls.iter_mut().filter(|call| call.arguments == "") {
        call.arguments = Value::Object(serde_json::Map::new());
    }
    said
}

/// What a client is told, who insists on arguments that are JSON.
pub(super) fn told(api: Api, body: &Value) -> Said {
    match api {
        Api::Chat => of_chat(body),
        Api::Responses => of_responses(body),
        Api::Messages => of_messages(body),
        Api::Gemini => of_gemini(body),
        Api::Converse => of_converse(body),
        other => panic!("{other:?} answers nothing that is said"),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// The arguments of a call, which two dialects write as text.
fn parsed(arguments: &Value) -> Value {
    match arguments {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| arguments.clone()),
        other => other.clone(),
    }
}

/// An end is what a client does next, whatever the word.
fn end(word: &str, calls: bool) -> &'static str {
    match word {
        "length" | "max_tokens" | "MAX_TOKENS" | "max_output_tokens" => "length",
        "content_filter" | "refusal" | "SAFETY" | "guardrail_intervened" | "content_filtered" => "content filter",
        "pause_turn" | "compaction" => "pause",
        "tool_calls" | "function_call" | "tool_use" => "tool calls",
        "stop" | "end_turn" | "STOP" | "stop_sequence" | "completed" if calls => "tool calls",
        "stop" | "end_turn" | "STOP" | "stop_sequence" | "completed" => "stop",
        other => panic!("`{other}` is no reason to end"),
    }
}

impl Said {
    fn think(&mut self, thought: &str) {
        self.thought.extend(thought.chars().filter(|c| *c != '\n'));
    }

    fn call(&mut self, id: &Value, name: &Value, arguments: &Value) {
        self.calls.push(Called { id: text(id).to_owned(), name: text(name).to_owned(), arguments: parsed(arguments) });
    }
}

fn of_chat(body: &Value) -> Said {
    let choice = &body["choices"][0];
    let message = &choice["message"];
    let mut said = Said::default();
    match &message["content"] {
        Value::Array(parts) => parts.iter().for_each(|part| said.text.push_str(text(&part["text"]))),
        object @ Value::Object(_) => said.text = object.to_string(),
        content => text(content).clone_into(&mut said.text),
    }
    text(&message["refusal"]).clone_into(&mut said.refusal);
    for name in ["reasoning_content", "reasoning"] {
        said.think(text(&message[name]));
    }
    for call in list(&message["tool_calls"]) {
        said.call(&call["id"], &call["function"]["name"], &call["function"]["arguments"]);
    }
    said.end = end(text(&choice["finish_reason"]), !said.calls.is_empty());
    let used = &body["usage"];
    said.used = used.is_object().then(|| Used {
        input: number(&used["prompt_tokens"]),
        output: number(&used["completion_tokens"]),
        cache_read: number(&used["prompt_tokens_details"]["cached_tokens"]),
        cache_written: number(&used["prompt_tokens_details"]["cache_write_tokens"]),
        reasoning: number(&used["completion_tokens_details"]["reasoning_tokens"]),
    });
    said
}

fn of_responses(body: &Value) -> Said {
    let mut said = Said::default();
    for item in list(&body["output"]) {
        match text(&item["type"]) {
            "message" => {
                for part in list(&item["content"]) {
                    said.text.push_str(text(&part["text"]));
                    said.refusal.push_str(text(&part["refusal"]));
                }
            }
            "reasoning" => list(&item["summary"]).iter().for_each(|part| said.think(text(&part["text"]))),
            "function_call" => said.call(&item["call_id"], &item["name"], &item["arguments"]),
            _ => {}
        }
    }
    let word = body["incomplete_details"]["reason"].as_str().unwrap_or_else(|| text(&body["status"]));
    said.end = end(word, !said.calls.is_empty());
    let used = &body["usage"];
    said.used = used.is_object().then(|| Used {
        input: number(&used["input_tokens"]),
        output: number(&used["output_tokens"]),
        cache_read: number(&used["input_tokens_details"]["cached_tokens"]),
        cache_written: number(&used["input_tokens_details"]["cache_write_tokens"]),
        reasoning: number(&used["output_tokens_details"]["reasoning_tokens"]),
    });
    said
}

fn of_messages(body: &Value) -> Said {
    let mut said = Said::default();
    for block in list(&body["content"]) {
        match text(&block["type"]) {
            "text" => said.text.push_str(text(&block["text"])),
            "thinking" => said.think(text(&block["thinking"])),
            "tool_use" => said.call(&block["id"], &block["name"], &block["input"]),
            _ => {}
        }
    }
    said.end = end(text(&body["stop_reason"]), !said.calls.is_empty());
    let used = &body["usage"];
    said.used = used.is_object().then(|| of_turns(used));
    said
}

/// Anthropic counts what was read from the cache and written to it beside the input. Where it lists the turns that an answer
/// took, all of them are paid.
fn of_turns(used: &Value) -> Used {
    let turns = list(&used["iterations"]);
    let sum = |name: &str| match turns {
        [] => number(&used[name]),
        turns => turns.iter().map(|turn| number(&turn[name])).sum(),
    };
    let (cache_read, cache_written) = (sum("cache_read_input_tokens"), sum("cache_creation_input_tokens"));
    Used {
        input: sum("input_tokens") + cache_read + cache_written,
        output: sum("output_tokens"),
        cache_read,
        cache_written,
        reasoning: number(&used["output_tokens_details"]["thinking_tokens"]),
    }
}

fn of_gemini(body: &Value) -> Said {
    let candidate = &body["candidates"][0];
    let mut said = Said::default();
    for part in list(&candidate["content"]["parts"]) {
        if part["functionCall"].is_object() {
            let call = &part["functionCall"];
            let arguments = if call["args"].is_null() { Value::Object(serde_json::Map::new()) } else { call["args"].clone() };
            said.call(&call["id"], &call["name"], &arguments);
        } else if part["thought"] == Value::Bool(true) {
            said.think(text(&part["text"]));
        } else {
            said.text.push_str(text(&part["text"]));
        }
    }
    said.end = end(text(&candidate["finishReason"]), !said.calls.is_empty());
    let used = &body["usageMetadata"];
    said.used = used.is_object().then(|| Used {
        input: number(&used["promptTokenCount"]) + number(&used["toolUsePromptTokenCount"]),
        output: number(&used["candidatesTokenCount"]) + number(&used["thoughtsTokenCount"]),
        cache_read: number(&used["cachedContentTokenCount"]),
        cache_written: 0,
        reasoning: number(&used["thoughtsTokenCount"]),
    });
    said
}

fn of_converse(body: &Value) -> Said {
    let mut said = Said::default();
    for block in list(&body["output"]["message"]["content"]) {
        said.text.push_str(text(&block["text"]));
        said.think(text(&block["reasoningContent"]["reasoningText"]["text"]));
        if block["toolUse"].is_object() {
            said.call(&block["toolUse"]["toolUseId"], &block["toolUse"]["name"], &block["toolUse"]["input"]);
        }
    }
    said.end = end(text(&body["stopReason"]), !said.calls.is_empty());
    let used = &body["usage"];
    let (read, written) = (number(&used["cacheReadInputTokens"]), number(&used["cacheWriteInputTokens"]));
    said.used = used.is_object().then(|| Used {
        input: number(&used["inputTokens"]) + read + written,
        output: number(&used["outputTokens"]),
        cache_read: read,
        cache_written: written,
        reasoning: 0,
    });
    said
}
