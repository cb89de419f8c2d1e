//! Why answers ended, in each dialect's own word.

use serde_json::{Value, json};

use super::{Client, Server, answers};

const REASONS: &[(Server, &[&str])] = &[
    (Server::OpenAi, &["stop", "length", "content_filter"]),
    (
        Server::Anthropic,
        &["end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded"],
    ),
    (Server::Gemini, &["STOP", "MAX_TOKENS", "SAFETY", "RECITATION"]),
    (Server::Bedrock, &["end_turn", "max_tokens", "stop_sequence", "tool_use", "guardrail_intervened", "content_filtered"]),
];

/// The provider, its word, and the word of each kind of client.
pub(super) fn table() -> Vec<(Server, &'static str, Vec<String>)> {
    let all = REASONS.iter().flat_map(|(server, reasons)| reasons.iter().map(move |reason| (*server, *reason)));
    all.map(|(server, reason)| (server, reason, words(server, reason))).collect()
}

fn words(server: Server, reason: &str) -> Vec<String> {
    let body = match server {
        Server::OpenAi | Server::Compatible => json!({
            "id": "c", "object": "chat.completion", "created": 0, "model": "m",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": reason}],
        }),
        Server::Anthropic => json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content(reason),
            "stop_reason": reason, "stop_sequence": (reason == "stop_sequence").then_some("END"),
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }),
        Server::Gemini => json!({
            "candidates": [{"content": {"parts": [{"text": "x"}], "role": "model"}, "finishReason": reason, "index": 0}],
            "modelVersion": "m", "responseId": "r",
        }),
        Server::Bedrock => json!({
            "output": {"message": {"role": "assistant", "content": blocks(reason)}},
            "stopReason": reason,
            "additionalModelResponseFields": (reason == "stop_sequence").then(|| json!({"stop_sequence": "END"})),
        }),
    };
    let Some(answer) = answers::decoded(server, &body.to_string()) else { return Vec::new() };
    let word = |client: Client| {
        let written: Value = serde_json::from_str(&answers::written(client, &answer)).unwrap_or_default();
        word(client, &written)
    };
    Client::ALL.into_iter().map(word).collect()
}

fn content(reason: &str) -> Value {
    match reason {
        "tool_use" => json!([{"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}]),
        _ => json!([{"type": "text", "text": "x"}]),
    }
}

fn blocks(reason: &str) -> Value {
    match reason {
        "tool_use" => json!([{"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}]),
        _ => json!([{"text": "x"}]),
    }
}

fn word(client: Client, written: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("null").to_owned();
    match client {
        Client::Chat => text(&written["choices"][0]["finish_reason"]),
        Client::Messages => text(&written["stop_reason"]),
        Client::Responses => match written["incomplete_details"]["reason"].as_str() {
            Some(reason) => format!("{}: {reason}", text(&written["status"])),
            None => text(&written["status"]),
        },
    }
}
