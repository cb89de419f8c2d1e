//! What answers repeat of their requests: it was not written, and nobody pays for it as if it were.

use mainspring_providers::Operation;
use mainspring_testservers::upstream::{Behaviour, Script, Upstream};
use serde_json::{Value, json};

use super::room::{Room, drain, keeper, provider, upstream};
use crate::{CallRecord, reckon};

const LONG: &str = "a long text that was asked, and that whoever answers says again before anything else ";

fn saying(body: String) -> Upstream {
    upstream(Script::always(Behaviour { body: Some(body), ..Behaviour::default() }))
}

/// The call after an answer that tells no usage.
async fn asked(operation: Operation, body: &Value, answer: String) -> CallRecord {
    let server = saying(answer);
    let mut room = Room::open().await;
    let keeps = operation == Operation::Responses;
    room.apply(&[("provider", "main", if keeps { keeper(&server) } else { provider(&server) })]).await;
    let request = if keeps { room.response(body) } else { crate::Request { operation, ..room.request(body) } };
    let answered = room.gateway.call(request).await.unwrap();
    drain(answered.body).await;
    room.settled_once().await
}

#[tokio::test]
async fn a_completion_that_repeats_its_prompt_has_written_what_comes_behind_it() {
    let body = |stream: bool| json!({"model": "main/a", "prompt": LONG, "echo": true, "stream": stream, "max_tokens": 500});
    let whole = json!({"id": "1", "choices": [{"index": 0, "text": format!("{LONG}one two three"), "finish_reason": "stop"}]});
    let record = asked(Operation::Completions, &body(false), whole.to_string()).await;
    assert_eq!(record.usage.output, reckon::text("one two three"));
    assert!(record.usage.input >= 10, "it was read: {record:?}");
    let events: Vec<String> = [&LONG[..11], &LONG[11..], "one ", "two ", "three"]
        .iter()
        .map(|text| format!("data: {}\n\n", json!({"id": "1", "choices": [{"index": 0, "text": text}]})))
        .collect();
    let last = json!({"id": "1", "choices": [{"index": 0, "text": "", "finish_reason": "stop"}]});
    let streamed = format!("{}data: {last}\n\ndata: [DONE]\n\n", events.concat());
    let record = asked(Operation::Completions, &body(true), streamed).await;
    assert_eq!(record.usage.output, reckon::text("one two three"));
}

#[tokio::test]
async fn a_response_has_written_its_output_and_nothing_of_its_request() {
    let said = json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "one two three"}]});
    let repeated = json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": LONG}]});
    let response = json!({
        "id": "resp_x", "object": "response", "status": "completed",
        "instructions": [repeated], "input": [repeated], "prompt": {"text": LONG},
        "output": [repeated, said],
        "tools": [{"type": "function", "name": "f", "parameters": {"properties": {"content": "a long description of it"}}}],
    });
    let body = json!({"model": "main/a", "input": LONG});
    let record = asked(Operation::Responses, &body, response.to_string()).await;
    assert_eq!(record.usage.output, reckon::text("one two three"));
}

#[tokio::test]
async fn what_a_model_thinks_before_it_answers_is_written_also_where_it_comes_whole() {
    let message = json!({"role": "assistant", "reasoning_content": "first think", "content": "then speak"});
    let answer = json!({"id": "1", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
    let record = asked(Operation::Chat, &super::room::chat("main/a", false), answer.to_string()).await;
    assert_eq!(record.usage.output, reckon::text("first think") + reckon::text("then speak"));
}
