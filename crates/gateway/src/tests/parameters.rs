//! What a route always sends to a target: in the words of the endpoint that is asked, or left out and named.

use mainspring_llm::exchange::{Dialect, EmbedCall};
use mainspring_providers::Operation::{
    self, Chat, Completions, CountTokens, Embeddings, Messages, Moderations, Rerank, Responses,
};
use mainspring_testservers::upstream::{Script, Upstream};
use serde_json::{Map, Value, json};

use super::{
    room::{Room, upstream},
    translated::place,
};
use crate::{GatewayFault, Reading, Request};

/// A room with a route to a provider of this kind, whose target has these parameters.
async fn room_with(kind: &str, parameters: &Value, server: &Upstream) -> Room {
    let mut provider = place(kind, server);
    if kind == "openai" {
        provider["responses"] = json!(true);
    }
    let targets = json!({"targets": [{"provider": "main", "model": "m", "parameters": parameters}], "retry": {"attempts": 0}});
    let room = Room::open().await;
    room.apply(&[("provider", "main", provider), ("route", "assistant", targets)]).await;
    room
}

fn request(room: &Room, operation: Operation, body: &Value) -> Request {
    let mut body = body.clone();
    body["model"] = json!("assistant");
    let said_in = match operation {
        Responses => Dialect::OpenAiResponses,
        Messages | CountTokens => Dialect::Anthropic,
        _ => Dialect::OpenAiChat,
    };
    Request { operation, said_in, ..room.request(&body) }
}

/// What a provider whose dialect the client speaks is sent, and what is named as left out.
async fn check(operation: Operation, (parameters, body): (&Value, &Value), (path, want, lost): (&str, &Value, &[&str])) {
    let server = upstream(Script::default());
    let kind = if matches!(operation, Messages | CountTokens) { "anthropic" } else { "openai" };
    let room = room_with(kind, parameters, &server).await;
    let answered = room.gateway.call(request(&room, operation, body)).await.unwrap();
    let seen = server.seen();
    let mut want = want.clone();
    want["model"] = json!("m");
    assert_eq!((seen[0].path.as_str(), seen[0].json()), (path, want), "{operation:?} {parameters}");
    let mut named = answered.lost;
    named.sort();
    assert_eq!(named, lost, "{operation:?} {parameters}");
}

#[tokio::test]
async fn the_responses_endpoint_is_told_in_its_own_words_beside_what_the_client_says() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "a", "schema": schema}});
    let function = json!({"type": "function", "function": {"name": "f", "parameters": schema}});
    let choice = json!({"type": "function", "function": {"name": "f"}});
    for (parameters, body, want, lost) in [
        (
            json!({"reasoning_effort": "low", "max_tokens": 50, "seed": 3, "stop": ["END"]}),
            json!({"input": "x", "previous_response_id": "resp_1", "reasoning": {"summary": "auto", "effort": "high"}}),
            json!({"input": "x", "previous_response_id": "resp_1", "reasoning": {"summary": "auto", "effort": "low"}, "max_output_tokens": 50}),
            &["parameters.seed", "parameters.stop"][..],
        ),
        (
            json!({"response_format": format}),
            json!({"input": "x", "text": {"verbosity": "high"}}),
            json!({"input": "x", "text": {"verbosity": "high", "format": {"type": "json_schema", "name": "a", "schema": schema}}}),
            &[],
        ),
        (
            json!({"tools": [function], "tool_choice": choice, "verbosity": "low"}),
            json!({"input": "x", "tools": []}),
            json!({
                "input": "x",
                "tools": [{"type": "function", "name": "f", "parameters": schema, "strict": false}],
                "tool_choice": {"type": "function", "name": "f"},
                "text": {"verbosity": "low"},
            }),
            &[],
        ),
        // The endpoint's own words, and what is taken away.
        (
            json!({"reasoning": {"summary": "auto"}, "reasoning_effort": "low"}),
            json!({"input": "x", "reasoning": {"effort": "high"}}),
            json!({"input": "x", "reasoning": {"summary": "auto", "effort": "low"}}),
            &[],
        ),
        (
            json!({"reasoning_effort": null, "seed": null}),
            json!({"input": "x", "reasoning": {"effort": "high"}, "seed": 4}),
            json!({"input": "x"}),
            &[],
        ),
    ] {
        check(Responses, (&parameters, &body), ("/v1/responses", &want, lost)).await;
    }
}

#[tokio::test]
async fn what_an_endpoint_does_not_know_is_left_out_and_named() {
    let messages = json!([{"role": "user", "content": "x"}]);
    for (operation, parameters, body, path, want, lost) in [
        (
            Messages,
            json!({"seed": 3, "n": 2, "max_completion_tokens": 50, "stop": "END", "user": "ann", "thinking": {"type": "disabled"}}),
            json!({"messages": messages, "max_tokens": 9, "metadata": {"team": "t"}}),
            "/v1/messages",
            json!({
                "messages": messages,
                "max_tokens": 50,
                "metadata": {"team": "t", "user_id": "ann"},
                "stop_sequences": ["END"],
                "thinking": {"type": "disabled"},
            }),
            &["parameters.n", "parameters.seed"][..],
        ),
        (
            CountTokens,
            json!({"temperature": 0.5, "max_tokens": 50}),
            json!({"messages": messages}),
            "/v1/messages/count_tokens",
            json!({"messages": messages}),
            &[],
        ),
        (
            Chat,
            json!({"seed": 3, "top_k": 4, "novel": 5}),
            json!({"messages": messages}),
            "/v1/chat/completions",
            json!({"messages": messages, "seed": 3, "top_k": 4, "novel": 5}),
            &[],
        ),
        (
            Completions,
            json!({"seed": 3, "max_completion_tokens": 5, "reasoning_effort": "low"}),
            json!({"prompt": "x"}),
            "/v1/completions",
            json!({"prompt": "x", "seed": 3, "max_tokens": 5}),
            &["parameters.reasoning_effort"],
        ),
        (
            Embeddings,
            json!({"temperature": 0.5, "dimensions": 8, "user": "ann"}),
            json!({"input": ["x"]}),
            "/v1/embeddings",
            json!({"input": ["x"], "dimensions": 8, "user": "ann"}),
            &["parameters.temperature"],
        ),
        (
            Rerank,
            json!({"temperature": 0.5, "top_n": 1}),
            json!({"query": "x", "documents": ["x", "y"]}),
            "/v1/rerank",
            json!({"query": "x", "documents": ["x", "y"], "top_n": 1}),
            &["parameters.temperature"],
        ),
        (
            Moderations,
            json!({"temperature": 0.5, "user": "ann"}),
            json!({"input": "x"}),
            "/v1/moderations",
            json!({"input": "x"}),
            &["parameters.temperature", "parameters.user"],
        ),
    ] {
        check(operation, (&parameters, &body), (path, &want, lost)).await;
    }
}

#[tokio::test]
async fn tools_and_the_form_of_the_answer_reach_a_target_of_another_dialect() {
    let schema =
        json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    let parameters = json!({
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}],
        "tool_choice": "required",
    });
    let server = upstream(Script::default());
    let room = room_with("anthropic", &parameters, &server).await;
    let body = json!({"messages": [{"role": "user", "content": "x"}]});
    let answered = room.gateway.call(request(&room, Chat, &body)).await.unwrap();
    assert_eq!(answered.lost, [""; 0]);
    let sent = server.seen()[0].json();
    assert_eq!(sent["output_config"]["format"]["schema"], schema, "{sent}");
    assert_eq!((&sent["tools"][0]["name"], &sent["tool_choice"]["type"]), (&json!("f"), &json!("any")), "{sent}");
}

fn embedding(body: &[u8]) -> Result<Reading, GatewayFault> {
    let body: Value = serde_json::from_slice(body).map_err(|error| GatewayFault::invalid("body", error.to_string()))?;
    let inputs = vec![body["input"].as_str().unwrap_or_default().to_owned()];
    Ok(Reading::Embed(EmbedCall { model: "assistant".to_owned(), inputs, dimensions: None, user: None, extra: Map::new() }))
}

#[tokio::test]
async fn an_embedding_of_another_dialect_is_told_what_it_has_a_word_for() {
    let server = upstream(Script::default());
    let room = room_with("gemini", &json!({"dimensions": 8, "temperature": 0.5, "top_p": null}), &server).await;
    let request = Request { read: embedding, ..request(&room, Embeddings, &json!({"input": "x"})) };
    let answered = room.gateway.call(request).await.unwrap();
    assert_eq!(answered.lost, ["parameters.temperature"]);
    assert_eq!(server.seen()[0].json()["requests"][0]["outputDimensionality"], json!(8));
}
