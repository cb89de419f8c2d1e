//! What is set aside for a call: as much as it may be written, wherever that is said.

use mainspring_kernel::Money;
use mainspring_llm::exchange::{Dialect, RerankCall};
use mainspring_providers::{
    FaultClass,
    Operation::{self, Chat, Completions, Messages, Responses},
};
use mainspring_testservers::upstream::{Behaviour, Script, Upstream};
use serde_json::{Value, json};

use super::room::{Room, cost, provider, upstream};
use crate::{
    CallStatus, GatewayFault, LedgerFault, Reading,
    allowed::USUAL,
    ledger::{Amount, Metric, NewLimit, SubjectKind},
    service::Read,
};

/// A room whose budget is too small for any call, with a route to a target of each dialect.
async fn room_with(parameters: &Value, server: &Upstream) -> Room {
    let room = Room::open().await;
    let to = |provider: &str| json!({"targets": [{"provider": provider, "model": "a", "parameters": parameters}]});
    room.apply(&[
        ("provider", "main", provider(server)),
        ("provider", "claude", json!({"type": "anthropic", "base_url": server.url()})),
        ("route", "assistant", to("main")),
        ("route", "elsewhere", to("claude")),
    ])
    .await;
    let amount = Amount::Money(Money::from_pico(1));
    let new = NewLimit { kind: SubjectKind::Project, subject: "*".to_owned(), metric: Metric::UsdPerDay, amount };
    room.gateway.ledger().set_limit(&room.admin(), new).await.unwrap();
    room
}

/// Tokens of output that would have been set aside for the call, beside its body and what the route adds to it.
async fn set_aside(room: &Room, operation: Operation, (body, added): (&Value, &Value)) -> u64 {
    let added = if *added == json!({}) { 0 } else { added.to_string().len() };
    let input = (body.to_string().len() + added) as u64;
    // Bounds are rounded up by a hair.
    let output = (needed(room, operation, body).await - cost(input, 0)).as_pico() / cost(0, 1).as_pico();
    u64::try_from(output).unwrap()
}

/// Money that would have been set aside for the call.
async fn needed(room: &Room, operation: Operation, body: &Value) -> Money {
    let mut request = room.request(body);
    request.operation = operation;
    request.said_in = match operation {
        Responses => Dialect::OpenAiResponses,
        Messages => Dialect::Anthropic,
        _ => Dialect::OpenAiChat,
    };
    match room.gateway.call(request).await {
        Err(GatewayFault::Ledger(LedgerFault::TooDear(told))) => told.needed,
        other => panic!("{operation:?} {body}: {other:?}"),
    }
}

#[tokio::test]
async fn an_endpoint_sets_aside_by_the_fields_it_reads() {
    let server = upstream(Script::default());
    let room = room_with(&json!({}), &server).await;
    for (operation, fields, want) in [
        (Chat, json!({"max_tokens": 10}), 10),
        (Chat, json!({"max_completion_tokens": 10}), 10),
        (Chat, json!({"max_tokens": 10, "max_completion_tokens": 50}), 50),
        (Chat, json!({"max_tokens": 10, "n": 3}), 30),
        (Chat, json!({"n": 8}), 8 * USUAL),
        (Chat, json!({"max_output_tokens": 10}), USUAL),
        (Responses, json!({"max_output_tokens": 10}), 10),
        (Responses, json!({"max_tokens": 10}), USUAL),
        (Responses, json!({"max_completion_tokens": 10}), USUAL),
        (Messages, json!({"max_tokens": 10}), 10),
        (Messages, json!({"max_tokens": 10, "n": 3}), 10),
        (Completions, json!({"max_tokens": 10}), 10),
        (Completions, json!({"max_completion_tokens": 10}), USUAL),
        (Completions, json!({"max_tokens": 10, "n": 2, "prompt": "text"}), 20),
        (Completions, json!({"max_tokens": 10, "best_of": 5}), 50),
        (Completions, json!({"max_tokens": 10, "n": 2, "best_of": 5, "prompt": ["a", "b", "c"]}), 150),
        (Completions, json!({"max_tokens": 10, "prompt": [1, 2, 3]}), 10),
        (Completions, json!({"max_tokens": 10, "prompt": [[1, 2], [3]]}), 20),
        (Completions, json!({"prompt": ["a", "b"]}), 2 * USUAL),
    ] {
        let mut body = fields;
        body["model"] = json!("assistant");
        assert_eq!(set_aside(&room, operation, (&body, &json!({}))).await, want, "{operation:?} {body}");
    }
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn what_a_route_always_sends_is_set_aside_instead_of_what_the_client_says() {
    let server = upstream(Script::default());
    for (parameters, operation, fields, [same, other]) in [
        (json!({"max_tokens": 5_000}), Chat, json!({"max_tokens": 10}), [5_000, 5_000]),
        (json!({"max_completion_tokens": 5_000}), Chat, json!({"max_tokens": 10}), [5_000, 5_000]),
        (json!({"n": 4}), Chat, json!({"max_tokens": 10}), [40, 40]),
        (json!({"n": 4, "max_tokens": 100}), Chat, json!({"max_tokens": 10}), [400, 400]),
        // Taken away, so that nobody says.
        (json!({"max_tokens": null}), Chat, json!({"max_tokens": 10}), [USUAL, USUAL]),
        (json!({"max_tokens": "many"}), Chat, json!({"max_tokens": 10}), [USUAL, USUAL]),
        (json!({"temperature": 1}), Chat, json!({"max_tokens": 10}), [10, 10]),
        (json!({"max_tokens": 5_000}), Responses, json!({"max_output_tokens": 10}), [5_000, 5_000]),
        (json!({"max_completion_tokens": 5_000}), Messages, json!({"max_tokens": 10}), [5_000, 5_000]),
        (json!({"tools": [{"type": "function", "function": {"name": "look"}}]}), Chat, json!({"max_tokens": 10}), [10, 10]),
        (json!({"best_of": 3}), Completions, json!({"max_tokens": 10}), [30, 30]),
    ] {
        let room = room_with(&parameters, &server).await;
        for (model, want) in [("assistant", same), ("elsewhere", other)] {
            let mut body = fields.clone();
            body["model"] = json!(model);
            assert_eq!(set_aside(&room, operation, (&body, &parameters)).await, want, "{parameters} {operation:?} {body}");
        }
    }
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn a_call_sets_aside_at_the_rates_that_its_request_can_be_charged() {
    let server = upstream(Script::default());
    let mut rates = json!({"model": "*", "input": 1, "output": 2, "cache_write": 3, "cache_write_hour": 5, "input_audio": 7});
    rates["service_tiers"] = json!({"flex": {"input": "0.5", "output": 1}, "priority": {"input": 9, "output": 2}});
    let said = |part: &Value| json!({"messages": [{"role": "user", "content": [part]}], "max_tokens": 10});
    let text = said(&json!({"type": "text", "text": "hello"}));
    let marked = said(&json!({"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}));
    let hour = said(&json!({"type": "text", "text": "hello", "cache_control": {"type": "ephemeral", "ttl": "1h"}}));
    let sound = said(&json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}));
    let kept = json!({"tools": [{"type": "function", "function": {"name": "t"}, "cache_control": {"ttl": "1h"}}]});
    for (parameters, body, [same, other]) in [
        // What is not said to be written to a cache is not written to Anthropic's.
        (json!({}), &text, [3, 1]),
        (json!({}), &marked, [3, 3]),
        (json!({}), &hour, [5, 5]),
        (json!({}), &sound, [7, 7]),
        (kept, &text, [5, 5]),
        (json!({"service_tier": "auto"}), &text, [9, 9]),
    ] {
        let room = room_with(&parameters, &server).await;
        room.apply(&[("prices", "default", json!({"models": [rates]}))]).await;
        for (model, rate) in [("assistant", same), ("elsewhere", other)] {
            let mut body = body.clone();
            body["model"] = json!(model);
            let added = if parameters == json!({}) { 0 } else { parameters.to_string().len() as u64 };
            let input = crate::estimate::size(body.to_string().as_bytes()).most() + added;
            let exact = Money::from_dollars(rate).for_tokens(input) + cost(0, 10);
            let needed = needed(&room, Chat, &body).await;
            assert!(needed >= exact && needed < exact + cost(1, 0), "{model} {parameters} {body}: {needed}, not {exact}");
        }
    }
    assert_eq!(server.count(), 0);
}

fn ranking(body: &[u8]) -> Result<Reading, GatewayFault> {
    let body: Value = serde_json::from_slice(body).map_err(|error| GatewayFault::invalid("body", error.to_string()))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let documents = body["documents"].as_array().into_iter().flatten().map(text).collect();
    let (model, query) = (text(&body["model"]), text(&body["query"]));
    Ok(Reading::Rerank(RerankCall { model, query, documents, top_n: None, extra: serde_json::Map::new() }))
}

/// Voyage and Jina bill tokens, and count the question with each document.
#[tokio::test]
async fn the_question_of_a_reranking_is_set_aside_with_each_of_its_documents() {
    let server = upstream(Script::default());
    let room = room_with(&json!({}), &server).await;
    room.apply(&[("prices", "default", json!({"models": [{"model": "*", "input": 1, "output": 0}]}))]).await;
    let question = "which of these is about the weather? ".repeat(20);
    for documents in [0, 1, 2, 50] {
        let body = json!({"model": "assistant", "query": question, "documents": vec!["rain"; documents]});
        let bytes = body.to_string().len() as u64;
        let again = question.len() as u64 * (documents as u64).saturating_sub(1);
        let ways: [(Read, u64); 2] = [(ranking, bytes + again), (unread, bytes + bytes * bytes / 4)];
        for (read, tokens) in ways {
            let mut request = room.request(&body);
            (request.operation, request.read) = (Operation::Rerank, read);
            match room.gateway.call(request).await {
                Err(GatewayFault::Ledger(LedgerFault::TooDear(told))) => {
                    let exact = cost(tokens, 0);
                    // Bounds are rounded up by a hair.
                    assert!(told.needed >= exact && told.needed < exact + cost(1, 0), "{documents}: {}", told.needed);
                }
                other => panic!("{documents}: {other:?}"),
            }
        }
    }
    assert_eq!(server.count(), 0);
}

fn unread(_: &[u8]) -> Result<Reading, GatewayFault> {
    Err(GatewayFault::invalid("documents", "they are not read here"))
}

/// Cohere bills the search: a hundred documents are one, and an answer says how many it was.
#[tokio::test]
async fn every_search_of_a_reranking_is_set_aside_and_paid() {
    let answer = json!({"results": [{"index": 0, "relevance_score": 0.5}], "meta": {"billed_units": {"search_units": 3}}});
    let server = upstream(Script::always(Behaviour { body: Some(answer.to_string()), ..Behaviour::default() }));
    let search = Money::from_pico(2_000_000_000);
    let prices = json!({"models": [{"model": "*", "input": 0, "output": 0, "request": "0.002"}]});
    let ask = async |room: &Room, documents: usize| {
        let body = json!({"model": "assistant", "query": "what?", "documents": vec!["a few words"; documents]});
        let mut request = room.request(&body);
        request.operation = Operation::Rerank;
        request.read = ranking;
        room.gateway.call(request).await
    };
    let room = room_with(&json!({}), &server).await;
    room.apply(&[("prices", "default", prices.clone())]).await;
    for (documents, searches) in [(1, 1), (100, 1), (101, 2), (250, 3)] {
        match ask(&room, documents).await {
            Err(GatewayFault::Ledger(LedgerFault::TooDear(told))) => {
                let exact = search.times(searches);
                assert!(told.needed >= exact && told.needed < exact + cost(1, 0), "{documents}: {}", told.needed);
            }
            other => panic!("{documents}: {other:?}"),
        }
    }
    let mut room = Room::open().await;
    let route = json!({"targets": [{"provider": "main", "model": "a"}]});
    room.apply(&[("prices", "default", prices), ("provider", "main", provider(&server)), ("route", "assistant", route)]).await;
    ask(&room, 250).await.unwrap();
    let record = room.settled_once().await;
    assert_eq!((record.cost, record.usage.searches, record.usage.total()), (search.times(3), 3, 0));
    // An order that nobody can read is a failure, whatever it says it used.
    let unreadable = answer.to_string().replace("0.5", "null");
    server.script(Script::always(Behaviour { body: Some(unreadable), ..Behaviour::default() }));
    let fault = ask(&room, 250).await.unwrap_err();
    let record = room.settled_once().await;
    let malformed = Some(FaultClass::Malformed);
    assert_eq!((fault.class(), record.status, record.class), (malformed, CallStatus::Failed, malformed), "{record:?}");
}
