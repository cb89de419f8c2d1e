//! Models of this process, and routes as models.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use mainspring_kernel::{Fault, FaultKind, Money};
use mainspring_llm::{Budget, ChatRequest, Delta, FinishReason, Message, Models, Provenance, chat::ResponseFormat};
use mainspring_providers::{Operation, SocketConfig};
use mainspring_testservers::upstream::{Behaviour, Script};
use serde_json::json;

use super::room::{Letters, Room, Scripted, chat, cost, drain, provider, upstream};
use crate::{
    Body, CallStatus, Reading,
    ledger::{Amount, Metric, NewLimit, SubjectKind},
};

async fn room() -> Room {
    let models = Models::default()
        .with_chat(Arc::new(Scripted { name: "tiny", words: vec!["one ", "two"] }))
        .with_embedder(Arc::new(Letters));
    Room::with(models, SocketConfig { allow_private: true, ..SocketConfig::default() }).await
}

#[tokio::test]
async fn a_model_of_this_process_answers_by_its_own_name() {
    let mut room = room().await;
    let answered = room.ask("tiny").await.unwrap();
    assert_eq!((answered.provider.as_str(), answered.target.as_str()), ("local", "tiny"));
    assert!(matches!(answered.body, Body::Answer(_)));
    assert_eq!(drain(answered.body).await.0, "one two");
    let record = room.settled_once().await;
    assert_eq!((record.usage.input, record.usage.output, record.usage.cache_read), (3, 2, 1));
    assert_eq!(record.usage, record.usage.all_from(Provenance::Counted), "what was cached too");
    assert_eq!((record.status, record.route), (CallStatus::Ok, None));
    let answered = room.gateway.call(room.request(&chat("tiny", true))).await.unwrap();
    assert!(matches!(answered.body, Body::Events(_)));
    assert_eq!(drain(answered.body).await.0, "one two");
    assert_eq!(room.settled_once().await.usage.output, 2);
    let mut several = chat("tiny", false);
    several["n"] = json!(3);
    room.gateway.call(room.request(&several)).await.unwrap();
    let used = room.settled_once().await.usage;
    assert_eq!((used.input, used.output, used.cache_read), (3, 6, 1), "one prompt and three answers");
    assert!(!room.gateway.knows(room.project, "tiny").await, "no route names it");
    assert!(room.gateway.knows(room.project, "local/tiny").await);
}

#[tokio::test]
async fn what_a_model_of_this_process_has_no_word_for_is_named() {
    let room = room().await;
    let text = json!([{"type": "text", "text": "say something", "novel": 1}]);
    let body = json!({"model": "tiny", "messages": [{"role": "user", "content": text, "odd": 2}], "other": 3});
    let answered = room.gateway.call(room.request(&body)).await.unwrap();
    assert_eq!(answered.lost, ["messages[0].odd", "other", "messages[0].content[0].novel"]);
    assert_eq!(drain(answered.body).await.0, "one two");
}

#[tokio::test]
async fn a_model_of_this_process_is_free_and_answers_whatever_a_budget_has_left() {
    let mut room = room().await;
    let server = upstream(Script::default());
    let targets = |provider: &str, model: &str| json!({"targets": [{"provider": provider, "model": model}]});
    let known = json!({"models": [{"model": "known", "input": 1, "output": 2}]});
    room.apply(&[
        ("provider", "main", provider(&server)),
        ("prices", "default", known),
        ("route", "paid", targets("main", "known")),
        ("route", "here", targets("local", "tiny")),
        ("route", "unpriced", targets("main", "nobody-has-heard-of-it")),
    ])
    .await;
    let amount = Amount::Money(Money::from_pico(1));
    let new = NewLimit { kind: SubjectKind::Project, subject: "*".to_owned(), metric: Metric::UsdPerDay, amount };
    room.gateway.ledger().set_limit(&room.admin(), new).await.unwrap();
    for model in ["tiny", "local/tiny", "here"] {
        let answered = room.ask(model).await.unwrap();
        assert_eq!((answered.cost, drain(answered.body).await.0.as_str()), (Some(Money::ZERO), "one two"), "{model}");
        let record = room.settled_once().await;
        assert_eq!((record.status, record.cost, record.usage.total()), (CallStatus::Ok, Money::ZERO, 5), "{model}");
        assert!(record.price.is_some(), "{model}: a price of nothing is a price");
    }
    assert_eq!(room.ask("paid").await.unwrap_err().code(), "budget-too-small");
    assert_eq!(room.ask("unpriced").await.unwrap_err().code(), "budget-needs-price");
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn a_route_falls_back_to_a_model_of_this_process() {
    let mut room = room().await;
    let server = upstream(Script::always(Behaviour::status(500)));
    let targets = json!([{"provider": "main", "model": "a"}, {"provider": "local", "model": "tiny", "tier": 1}]);
    let spec = json!({"targets": targets, "retry": {"attempts": 0}});
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", spec)]).await;
    let answered = room.ask("assistant").await.unwrap();
    assert_eq!((answered.provider.as_str(), answered.attempts), ("local", 2));
    assert_eq!(drain(answered.body).await.0, "one two");
    assert_eq!(room.settled_once().await.attempts, 2);
}

#[tokio::test]
async fn models_behind_routes_answer_where_a_route_names_them_and_nowhere_else() {
    let models = Models::default().with_chat(Arc::new(Scripted { name: "tiny", words: vec!["one ", "two"] }));
    let socket = SocketConfig { allow_private: true, ..SocketConfig::default() };
    let mut room = Room::with(models.only_behind_routes(), socket).await;
    for name in ["tiny", "local/tiny"] {
        let fault = room.gateway.call(room.request(&chat(name, false))).await.unwrap_err();
        assert_eq!((fault.kind(), fault.code()), (FaultKind::NotFound, "gateway-unknown-model"), "{name}");
        assert!(!room.gateway.has(room.project, name), "{name}");
    }
    room.apply(&[("route", "assistant", json!({"targets": [{"provider": "local", "model": "tiny"}]}))]).await;
    let answered = room.ask("assistant").await.unwrap();
    assert_eq!((answered.provider.as_str(), drain(answered.body).await.0.as_str()), ("local", "one two"));
    assert_eq!(room.settled_once().await.status, CallStatus::Ok);
}

#[tokio::test]
async fn what_a_local_model_cannot_do_is_said_in_its_own_words() {
    let mut room = room().await;
    let mut body = chat("tiny", false);
    body["tools"] = json!([{"type": "function", "function": {"name": "look"}}]);
    let fault = room.gateway.call(room.request(&body)).await.unwrap_err();
    assert_eq!((fault.code(), fault.kind()), ("model-unsupported", FaultKind::Unsupported));
    let mut body = chat("tiny", false);
    body["functions"] = json!([{"name": "look"}]);
    let fault = room.gateway.call(room.request(&body)).await.unwrap_err();
    assert_eq!((fault.code(), fault.kind()), ("model-unsupported", FaultKind::Unsupported));
    let mut body = chat("tiny", false);
    body["messages"][0]["content"] = json!("x".repeat(200));
    let fault = room.gateway.call(room.request(&body)).await.unwrap_err();
    assert_eq!((fault.code(), fault.kind()), ("context-length-exceeded", FaultKind::Invalid));
    for _ in 0..3 {
        let record = room.settled().await;
        assert_eq!((record.status, record.cost), (CallStatus::Failed, Money::ZERO));
    }
}

#[tokio::test]
async fn texts_are_embedded_here_too() {
    let mut room = room().await;
    let mut request = room.request(&json!({"model": "letters", "input": ["ab", "c"]}));
    request.operation = Operation::Embeddings;
    request.read = |_| {
        let inputs = vec!["ab".to_owned(), "c".to_owned()];
        let call = mainspring_llm::exchange::EmbedCall {
            model: "letters".to_owned(),
            inputs,
            dimensions: None,
            user: None,
            extra: serde_json::Map::new(),
        };
        Ok(Reading::Embed(call))
    };
    let answered = room.gateway.call(request).await.unwrap();
    let Body::Embedded(embedded) = answered.body else { panic!("{:?}", answered.body) };
    assert_eq!((embedded.vectors.len(), embedded.vectors[1][2]), (2, 1.0));
    assert_eq!((room.settled_once().await.usage.input, answered.usage.map(|usage| usage.input)), (2, Some(2)));
}

#[tokio::test]
async fn chains_use_a_route_as_a_model() {
    let mut room = room().await;
    let server = upstream(Script::always(Behaviour::saying("the answer")));
    let targets = json!([{"provider": "main", "model": "a", "context_window": 9000}, {"provider": "local", "model": "tiny", "tier": 1, "context_window": 100}]);
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", json!({"targets": targets}))]).await;
    let model = room.gateway.chat_model(room.asks(), "assistant").unwrap();
    assert_eq!((model.name(), model.context_window()), ("assistant", Some(100)));
    assert!(model.identity().starts_with("route:assistant@v1#"), "{}", model.identity());
    let mut request = ChatRequest::of(vec![Message::system("be brief"), Message::user("what is it?")]);
    request.max_tokens = Some(50);
    request.sampling.temperature = 0.5;
    request.format = ResponseFormat::Json;
    let reply = model.complete(request, Budget::of(Duration::from_secs(30))).await.unwrap();
    assert_eq!((reply.text.as_str(), reply.finish), ("the answer", FinishReason::Stop));
    assert_eq!((reply.usage.input_tokens, reply.usage.output_tokens), (12, 8));
    let sent = server.seen()[0].json();
    assert_eq!(
        (&sent["temperature"], &sent["messages"][0]["role"], &sent["messages"][1]["content"]),
        (&json!(0.5), &json!("system"), &json!("what is it?"))
    );
    assert_eq!(sent.get("top_p"), None, "what is as usual is not said");
    assert_eq!((sent["model"].as_str(), sent["response_format"]["type"].as_str()), (Some("a"), Some("json_object")));
    assert_eq!(room.settled_once().await.cost, cost(12, 8));

    for nobody in ["nobody", "letters", "local/letters"] {
        assert!(room.gateway.chat_model(room.asks(), nobody).is_none(), "{nobody}");
    }
    server.script(Script::always(Behaviour::status(401)));
    let mut spec = json!({"targets": [{"provider": "main", "model": "a"}]});
    spec["retry"] = json!({"attempts": 0});
    room.apply(&[("route", "alone", spec)]).await;
    let model = room.gateway.chat_model(room.asks(), "alone").unwrap();
    let fault = model.complete(ChatRequest::of(vec![Message::user("x")]), Budget::of(Duration::from_secs(30))).await.unwrap_err();
    assert_eq!((fault.code(), fault.kind()), ("upstream-auth", FaultKind::Unavailable));
}

#[tokio::test]
async fn chains_use_a_model_of_this_process_through_the_ledger_and_as_itself() {
    let mut room = room().await;
    let budget = Budget::of(Duration::from_secs(30));
    for (name, counted) in [("tiny", "tiny"), ("local/tiny", "tiny")] {
        let mut asks = room.asks();
        asks.caller.app = Some("manual".to_owned());
        let told = asks.told.clone();
        let model = room.gateway.chat_model(asks, name).unwrap();
        assert_eq!((model.identity().as_str(), model.context_window()), ("scripted:tiny", Some(100)), "{name}");
        let messages = [Message::user("x"), Message::user("y")];
        assert_eq!(model.count_tokens(&messages).await.unwrap(), 2, "{name}: it counts, and nobody guesses");
        let reply = model.complete(ChatRequest::of(messages.to_vec()), budget).await.unwrap();
        assert_eq!((reply.text.as_str(), reply.usage.cached_tokens), ("one two", 1), "{name}");
        let record = room.settled_once().await;
        assert_eq!((record.model.as_str(), record.operation.as_str()), (counted, "chat"), "{name}");
        assert_eq!((record.caller.app.as_deref(), record.usage.total()), (Some("manual"), 5), "{name}");
        assert_eq!(told.facts().cost, Some(cost(3, 2)), "{name}: the test's prices are for every model");
        let said = |header: &str| told.facts().headers.into_iter().find(|(name, _)| name == header).map(|(_, value)| value);
        assert_eq!(said("x-mainspring-provider").as_deref(), Some("local"), "{name}");
        assert_eq!(said("x-mainspring-usage").as_deref(), Some(Provenance::Counted.as_str()), "{name}");

        // Raw text too.
        let mut pieces = model.stream_text("once".to_owned(), ChatRequest::of(Vec::new()), budget).await.unwrap();
        let mut text = String::new();
        while let Some(piece) = pieces.next().await {
            if let Delta::Text { text: more, .. } = piece.unwrap() {
                text.push_str(&more);
            }
        }
        let record = room.settled_once().await;
        assert_eq!((text.as_str(), record.operation.as_str(), record.usage.total()), ("one two", "text_completion", 5), "{name}");
        // Who stops listening has used what came.
        drop(model.stream(ChatRequest::of(messages.to_vec()), budget).await.unwrap());
        assert_eq!(room.settled_once().await.status, CallStatus::Cancelled, "{name}");
    }
    let new = NewLimit {
        kind: SubjectKind::Project,
        subject: "*".to_owned(),
        metric: Metric::RequestsPerMinute,
        amount: Amount::Count(1),
    };
    room.gateway.ledger().set_limit(&room.admin(), new).await.unwrap();
    let model = room.gateway.chat_model(room.asks(), "tiny").unwrap();
    model.complete(ChatRequest::of(vec![Message::user("x")]), budget).await.unwrap();
    let asks = room.asks();
    let told = asks.told.clone();
    let refused = room.gateway.chat_model(asks, "tiny").unwrap();
    let fault = refused.complete(ChatRequest::of(vec![Message::user("x")]), budget).await.unwrap_err();
    assert_eq!((fault.code(), fault.retry_after().is_some()), ("limit-requests", true));
    assert!(told.facts().headers.contains(&("x-ratelimit-remaining-requests".to_owned(), "0".to_owned())), "{told:?}");
}

#[tokio::test]
async fn a_model_of_this_process_is_asked_once_and_never_left_alone() {
    let mut room = room().await;
    let long = || {
        let mut body = chat("local/nobody", false);
        body["messages"][0]["content"] = json!("x");
        body
    };
    // What would open a provider's breaker.
    for _ in 0..12 {
        let fault = room.gateway.call(room.request(&long())).await.unwrap_err();
        assert_eq!(fault.code(), "model-not-found");
        assert_eq!(room.settled_once().await.attempts, 1);
    }
}
