//! Answers that come in one piece.

use mainspring_kernel::{Fault, FaultKind, Money};
use mainspring_llm::Provenance;
use mainspring_providers::{FaultClass, Operation};
use mainspring_testservers::upstream::{Behaviour, Script, Trouble, Used};
use serde_json::{Value, json};

use super::room::{Room, chat, cost, drain, guess, provider, upstream};
use crate::{
    Body, CacheOutcome, CallStatus, GatewayFault, Reading,
    ledger::{Amount, Metric, NewLimit, SubjectKind},
};

fn route(targets: &Value) -> Value {
    json!({"targets": targets, "choose": "first", "retry": {"attempts": 0}})
}

#[tokio::test]
async fn an_answer_passes_through_as_it_came_and_is_settled_with_what_it_used() {
    let mut room = Room::open().await;
    let server = upstream(Script::always(Behaviour::saying("hello")));
    let targets = json!([{"provider": "main", "model": "big-model"}]);
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", route(&targets))]).await;

    let answered = room.ask("assistant").await.unwrap();
    assert_eq!((answered.provider.as_str(), answered.target.as_str(), answered.attempts), ("main", "big-model", 1));
    assert_eq!((answered.cost, answered.cache), (Some(cost(12, 8)), CacheOutcome::Off));
    assert_eq!(answered.usage.map(|usage| (usage.input, usage.output)), Some((12, 8)));
    assert!(answered.headers["x-mainspring-price"].to_str().unwrap().starts_with("*@"), "{:?}", answered.headers);
    assert!(matches!(answered.body, Body::Bytes(_)));
    let (text, _) = drain(answered.body).await;
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "hello");

    let seen = server.seen();
    assert_eq!((seen.len(), seen[0].path.as_str(), seen[0].model.as_str()), (1, "/v1/chat/completions", "big-model"));
    let record = room.settled_once().await;
    assert_eq!((record.status, record.attempts, record.class), (CallStatus::Ok, 1, None));
    assert_eq!((record.model.as_str(), record.route.as_deref()), ("assistant", Some("assistant")));
    assert_eq!((record.provider.as_deref(), record.target.as_deref()), (Some("main"), Some("big-model")));
    assert_eq!((record.usage.input, record.usage.output, record.usage.output_from), (12, 8, Provenance::Reported));
    assert_eq!(record.cost, cost(12, 8));
    assert_eq!(record.price.map(|price| price.entry), Some("*".to_owned()));
}

#[tokio::test]
async fn what_is_not_edited_keeps_its_bytes() {
    let room = Room::open().await;
    let server = upstream(Script::default());
    let targets = json!([{"provider": "main", "model": "big"}]);
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", route(&targets))]).await;
    let body = r#"{ "unknown" : 1e2,"model":"assistant", "messages":[{"role":"user","content":"\u00e9"}],  "mainspring":{"session":"s"} }"#;
    let mut request = room.request(&chat("assistant", false));
    request.body = body.into();
    request.peeked = mainspring_providers::peek::peek(body.as_bytes()).unwrap().into();
    assert_eq!(request.peeked.session.as_deref(), Some("s"));
    request.headers.insert("openai-organization", "org-1".parse().unwrap());
    room.gateway.call(request).await.unwrap();
    let seen = server.seen();
    let sent = String::from_utf8(seen[0].body.to_vec()).unwrap();
    assert!(sent.starts_with(r#"{ "unknown" : 1e2,"model":"big", "messages":[{"role":"user","content":"\u00e9"}]"#), "{sent}");
    assert_eq!(seen[0].json().get("mainspring"), None, "{sent}");
    assert_eq!(seen[0].header("openai-organization"), Some("org-1"));
}

#[tokio::test]
async fn a_targets_parameters_are_always_sent() {
    let room = Room::open().await;
    let server = upstream(Script::default());
    let targets = json!([{"provider": "main", "model": "big", "parameters": {"temperature": 0.5, "top_p": null, "seed": 7}}]);
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", route(&targets))]).await;
    let mut body = chat("assistant", false);
    body["temperature"] = json!(1.5);
    body["top_p"] = json!(0.1);
    room.gateway.call(room.request(&body)).await.unwrap();
    let sent = server.seen()[0].json();
    assert_eq!((&sent["temperature"], sent.get("top_p"), &sent["seed"]), (&json!(0.5), None, &json!(7)));
}

#[tokio::test]
async fn another_dialect_is_translated() {
    let mut room = Room::open().await;
    let server = upstream(Script::always(Behaviour::saying("bonjour")));
    let provider = json!({"type": "anthropic", "base_url": server.url()});
    let targets = json!([{"provider": "claude", "model": "claude-x", "parameters": {"max_tokens": 77, "logit_bias": {"1": 2}}}]);
    room.apply(&[("provider", "claude", provider), ("route", "assistant", route(&targets))]).await;
    let answered = room.ask("assistant").await.unwrap();
    assert!(answered.lost.iter().any(|field| field.contains("logit_bias")), "{:?}", answered.lost);
    assert_eq!(answered.cost, Some(cost(12, 8)));
    assert_eq!(drain(answered.body).await.0, "bonjour");
    let seen = server.seen();
    assert_eq!((seen[0].path.as_str(), seen[0].model.as_str()), ("/v1/messages", "claude-x"));
    assert_eq!(seen[0].json()["max_tokens"], json!(77));
    assert_eq!(room.settled_once().await.usage.output, 8);
}

#[tokio::test]
async fn a_provider_that_fails_hands_over_to_the_next_target() {
    let mut room = Room::open().await;
    let (broken, well) = (upstream(Script::always(Behaviour::status(503))), upstream(Script::default()));
    let targets = json!([{"provider": "broken", "model": "a"}, {"provider": "well", "model": "b"}]);
    room.apply(&[
        ("provider", "broken", provider(&broken)),
        ("provider", "well", provider(&well)),
        ("route", "assistant", route(&targets)),
    ])
    .await;
    let answered = room.ask("assistant").await.unwrap();
    assert_eq!((answered.provider.as_str(), answered.attempts, answered.cost), ("well", 2, Some(cost(12, 8))));
    let record = room.settled_once().await;
    assert_eq!((record.status, record.attempts, record.cost), (CallStatus::Ok, 2, cost(12, 8)), "a refusal costs nothing");
    assert_eq!((broken.count(), well.count()), (1, 1));
}

#[tokio::test]
async fn what_the_client_did_wrong_goes_to_nobody_else() {
    let mut room = Room::open().await;
    let (first, second) = (upstream(Script::always(Behaviour::status(400))), upstream(Script::default()));
    let targets = json!([{"provider": "first", "model": "a"}, {"provider": "second", "model": "b"}]);
    let spec = json!({"targets": targets, "choose": "first", "retry": {"attempts": 3}});
    room.apply(&[
        ("provider", "first", provider(&first)),
        ("provider", "second", provider(&second)),
        ("route", "assistant", spec),
    ])
    .await;
    let fault = room.ask("assistant").await.unwrap_err();
    assert_eq!((fault.code(), fault.class()), ("upstream-invalid", Some(FaultClass::Invalid)));
    assert_eq!((first.count(), second.count()), (1, 0));
    let record = room.settled_once().await;
    assert_eq!((record.status, record.class, record.cost), (CallStatus::Failed, Some(FaultClass::Invalid), Money::ZERO));
}

#[tokio::test]
async fn a_call_that_does_not_fit_goes_to_a_larger_window() {
    let room = Room::open().await;
    let full = Behaviour { code: Some("context_length_exceeded".to_owned()), ..Behaviour::status(400) };
    let (small, large) = (upstream(Script::always(full)), upstream(Script::default()));
    let known = json!([{"provider": "small", "model": "s", "context_window": 5}, {"provider": "large", "model": "l"}]);
    let unknown = json!([{"provider": "small", "model": "s"}, {"provider": "large", "model": "l"}]);
    room.apply(&[
        ("provider", "small", provider(&small)),
        ("provider", "large", provider(&large)),
        ("route", "known", route(&known)),
        ("route", "unknown", route(&unknown)),
    ])
    .await;
    let answered = room.ask("known").await.unwrap();
    assert_eq!((answered.provider.as_str(), answered.attempts, small.count()), ("large", 1, 0), "it is not even asked");
    let answered = room.ask("unknown").await.unwrap();
    assert_eq!((answered.provider.as_str(), answered.attempts, small.count()), ("large", 2, 1), "it says so itself");
}

#[tokio::test]
async fn the_same_target_is_asked_again_when_its_provider_says_when() {
    let mut room = Room::open().await;
    let busy = Behaviour::status(429).header("retry-after", "0");
    let server = upstream(Script::default().times(2, &busy));
    let spec = json!({"targets": [{"provider": "main", "model": "a"}], "retry": {"attempts": 2, "backoff": "1ms", "max_backoff": "2ms"}});
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", spec)]).await;
    let answered = room.ask("assistant").await.unwrap();
    assert_eq!((answered.attempts, server.count()), (3, 3));
    assert_eq!(room.settled_once().await.attempts, 3);
}

#[tokio::test]
async fn a_provider_that_asks_for_more_time_than_there_is_is_not_waited_for() {
    let mut room = Room::open().await;
    let busy = Behaviour::status(429).header("retry-after", "120");
    let server = upstream(Script::always(busy));
    let retry = json!({"attempts": 5, "max_backoff": "5m"});
    let spec = json!({"targets": [{"provider": "main", "model": "a"}], "retry": retry, "timeouts": {"total": "30s"}});
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", spec)]).await;
    let fault = room.ask("assistant").await.unwrap_err();
    assert_eq!((fault.kind(), fault.class()), (FaultKind::Saturated, Some(FaultClass::RateLimited)));
    assert!(fault.retry_after().is_some_and(|wait| wait.as_secs() >= 60), "{:?}", fault.retry_after());
    assert_eq!((server.count(), room.settled_once().await.attempts), (1, 1));
}

#[tokio::test]
async fn a_provider_that_asks_for_long_is_not_waited_for_and_its_time_is_told_at_once() {
    let mut room = Room::open().await;
    let server = upstream(Script::default().times(2, &Behaviour::status(429).header("retry-after", "20")));
    // As most routes are: one target, which is asked once more.
    let spec = json!({"targets": [{"provider": "main", "model": "a"}]});
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", spec)]).await;
    for stream in [false, true] {
        let asked = server.count();
        let fault = room.gateway.call(room.request(&chat("assistant", stream))).await.unwrap_err();
        assert_eq!((fault.kind(), fault.class()), (FaultKind::Saturated, Some(FaultClass::RateLimited)));
        assert_eq!(fault.retry_after(), Some(std::time::Duration::from_secs(20)), "it is the client that waits");
        assert_eq!((server.count() - asked, room.settled_once().await.attempts), (1, 1), "nobody slept and asked again");
    }
}

#[tokio::test]
async fn unknown_names_are_refused_with_the_nearest() {
    let room = Room::open().await;
    let server = upstream(Script::default());
    let targets = json!([{"provider": "main", "model": "a"}]);
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", route(&targets))]).await;
    let fault = room.ask("asistant").await.unwrap_err();
    assert_eq!((fault.code(), fault.kind()), ("gateway-unknown-model", FaultKind::NotFound));
    assert_eq!(fault.hint().as_deref(), Some("did you mean `assistant`?"));
}

#[tokio::test]
async fn a_price_nobody_knows_is_no_price() {
    let mut room = Room::open().await;
    let server = upstream(Script::default());
    let prices = json!({"models": [{"model": "another", "input": 1, "output": 2}]});
    let targets = json!([{"provider": "main", "model": "a-model-nobody-has-heard-of"}]);
    room.apply(&[
        ("provider", "main", provider(&server)),
        ("prices", "default", prices),
        ("route", "assistant", route(&targets)),
    ])
    .await;
    let answered = room.ask("assistant").await.unwrap();
    let told = answered.told();
    assert_eq!((answered.cost, told.get("x-mainspring-cost")), (None, None), "zero would say that it was free");
    assert_eq!(told["x-mainspring-price"], "unknown");
    let record = room.settled_once().await;
    assert_eq!((record.price, record.cost, record.usage.total()), (None, Money::ZERO, 20));
    assert_eq!(room.gateway.health(room.project).await[0].priced, Some(false), "nothing spent is not the same as free");
}

#[tokio::test]
async fn a_price_may_go_by_another_name() {
    let mut room = Room::open().await;
    let server = upstream(Script::default());
    let prices = json!({"models": [{"model": "known", "input": 10, "output": 0}]});
    let targets = json!([{"provider": "main", "model": "a-deployment", "price_as": "known"}]);
    room.apply(&[
        ("provider", "main", provider(&server)),
        ("prices", "default", prices),
        ("route", "assistant", route(&targets)),
    ])
    .await;
    room.ask("assistant").await.unwrap();
    let record = room.settled_once().await;
    assert_eq!(
        (record.cost, record.price.map(|price| price.entry)),
        (Money::from_dollars(10).for_tokens(12), Some("known".to_owned()))
    );
    // Of a target that is asked for any model nobody can say.
    let whatever = json!({"models": ["any-*"], "targets": [{"provider": "main"}]});
    room.apply(&[("route", "whatever", whatever)]).await;
    let health = room.gateway.health(room.project).await;
    let priced = |name: &str| health.iter().find(|target| target.route.as_deref() == Some(name)).unwrap().priced;
    assert_eq!((priced("assistant"), priced("whatever")), (Some(true), None));
}

#[tokio::test]
async fn an_answer_that_tells_no_usage_is_paid_by_a_guess_that_says_so() {
    let mut room = Room::open().await;
    let silent = Behaviour { usage: None, ..Behaviour::saying("one two three four") };
    let server = upstream(Script::always(silent));
    let targets = json!([{"provider": "main", "model": "a"}]);
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", route(&targets))]).await;
    room.ask("assistant").await.unwrap();
    let record = room.settled_once().await;
    // Around two words stand a turn and a call; of the JSON nothing is read.
    let input = guess(&chat("assistant", false));
    assert_eq!((record.usage.input, record.usage.output, input), (input, 4, 10));
    assert_eq!(record.usage, record.usage.all_from(Provenance::Estimated));
    assert_eq!(record.cost, cost(input, 4));
}

/// Whatever was set aside for it: a server may not keep to what it was allowed.
#[tokio::test]
async fn a_whole_answer_that_tells_no_usage_is_paid_by_all_that_was_seen_of_it() {
    // Pieces of a stream end with a word.
    let silent = Behaviour { usage: None, chunks: 50, ..Behaviour::saying(&"word ".repeat(5_000)) };
    let server = upstream(Script::always(silent));
    let mut room = Room::open().await;
    let targets = json!([{"provider": "main", "model": "a"}]);
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", route(&targets))]).await;
    for stream in [false, true] {
        for allowed in [None, Some(100)] {
            let mut body = chat("assistant", stream);
            if let Some(allowed) = allowed {
                body["max_tokens"] = json!(allowed);
            }
            let answered = room.gateway.call(room.request(&body)).await.unwrap();
            let (_, fault) = drain(answered.body).await;
            assert!(fault.is_none(), "{fault:?}");
            let record = room.settled_once().await;
            let input = guess(&body);
            assert_eq!((record.status, record.usage.input, record.usage.output), (CallStatus::Ok, input, 5_000), "{body}");
            assert_eq!((record.usage.output_from, record.cost), (Provenance::Estimated, cost(input, 5_000)), "{body}");
        }
    }
}

#[tokio::test]
async fn a_failed_attempt_that_used_tokens_is_paid_too() {
    let mut room = Room::open().await;
    let server = upstream(Script::default().then(Behaviour::trouble(Trouble::WrongJson)));
    let spec = json!({"targets": [{"provider": "main", "model": "a"}], "retry": {"attempts": 1, "backoff": "1ms", "max_backoff": "1ms"}});
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", spec)]).await;
    let answered = room.ask("assistant").await.unwrap();
    // The provider read the request, and what it wrote nobody can read.
    let wasted = guess(&chat("assistant", false));
    assert_eq!((answered.attempts, answered.cost), (2, Some(cost(12 + wasted, 8))));
    let record = room.settled_once().await;
    assert_eq!((record.status, record.usage.input, record.usage.output), (CallStatus::Ok, 12 + wasted, 8));
    assert_eq!((record.usage.input_from, record.usage.output_from), (Provenance::Estimated, Provenance::Reported));
    assert_eq!(answered.told()["x-mainspring-usage"], "estimated; output=reported");
}

#[tokio::test]
async fn cached_and_reasoning_tokens_are_parts_of_the_whole() {
    let mut room = Room::open().await;
    let used = Used { input: 1_000, output: 100, cache_read: 600, cache_write: 0, reasoning: 40 };
    let server = upstream(Script::always(Behaviour { usage: Some(used), ..Behaviour::default() }));
    let targets = json!([{"provider": "main", "model": "a"}]);
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", route(&targets))]).await;
    let answered = room.ask("assistant").await.unwrap();
    assert_eq!(answered.told()["x-mainspring-usage"], "reported", "each of them");
    let record = room.settled_once().await;
    assert_eq!((record.usage.input, record.usage.cache_read, record.usage.output, record.usage.reasoning), (1_000, 600, 100, 40));
    assert_eq!(record.usage, record.usage.all_from(Provenance::Reported));
    assert_eq!(record.cost, cost(1_000, 100));
}

#[tokio::test]
async fn an_operation_no_target_has_is_refused_without_asking_one() {
    let mut room = Room::open().await;
    let server = upstream(Script::default());
    let targets = json!([{"provider": "claude", "model": "a"}]);
    let provider = json!({"type": "anthropic", "base_url": server.url()});
    room.apply(&[("provider", "claude", provider), ("route", "assistant", route(&targets))]).await;
    let body = json!({"model": "assistant", "input": "text"});
    let mut request = room.request(&body);
    request.operation = Operation::Embeddings;
    let fault = room.gateway.call(request).await.unwrap_err();
    assert_eq!((fault.code(), server.count()), ("upstream-unsupported", 0));
    assert_eq!((room.settled_once().await.status, room.metrics.render().is_empty()), (CallStatus::Failed, false));
}

#[tokio::test]
async fn other_operations_pass_through_and_are_priced() {
    let mut room = Room::open().await;
    let server = upstream(Script::default());
    let targets = json!([{"provider": "main", "model": "a"}]);
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", route(&targets))]).await;
    for (operation, body, path) in [
        (Operation::Embeddings, json!({"model": "assistant", "input": "text"}), "/v1/embeddings"),
        (Operation::Completions, json!({"model": "assistant", "prompt": "text"}), "/v1/completions"),
        (Operation::Moderations, json!({"model": "assistant", "input": "text"}), "/v1/moderations"),
    ] {
        let mut request = room.request(&body);
        request.operation = operation;
        let answered = room.gateway.call(request).await.unwrap();
        assert!(matches!(answered.body, Body::Bytes(_)), "{operation:?}");
        let seen = server.seen();
        assert_eq!(seen.last().unwrap().path, path);
        let record = room.settled_once().await;
        assert_eq!(record.operation, operation.as_str());
        assert!(!record.cost.is_zero(), "{operation:?}");
    }
}

#[tokio::test]
async fn a_moderation_costs_what_a_price_says_and_nothing_where_none_does() {
    for (price, paid) in [
        (json!({"model": "another", "input": 1, "output": 1}), false),
        (json!({"model": "a", "input": 0, "output": 0}), false),
        (json!({"model": "a", "input": 1, "output": 0}), true),
        (json!({"model": "a", "input": 0, "output": 0, "request": "0.000001"}), true),
    ] {
        let mut room = Room::open().await;
        let server = upstream(Script::default());
        room.apply(&[
            ("prices", "default", json!({"models": [price]})),
            ("provider", "main", provider(&server)),
            ("route", "assistant", route(&json!([{"provider": "main", "model": "a"}]))),
        ])
        .await;
        let ask = async |budget: Money| {
            let (kind, metric, amount) = (SubjectKind::Project, Metric::UsdPerDay, Amount::Money(budget));
            let budget = NewLimit { kind, subject: "*".to_owned(), metric, amount };
            room.gateway.ledger().set_limit(&room.admin(), budget).await.unwrap();
            let mut request = room.request(&json!({"model": "assistant", "input": "text"}));
            request.operation = Operation::Moderations;
            room.gateway.call(request).await
        };
        // What is free passes a budget that lets nothing else through, also without a price.
        let told = ask(Money::from_pico(1)).await.map_err(|fault| fault.code());
        assert_eq!(told.as_ref().err(), paid.then_some(&"budget-too-small"), "{price}");
        let answered = match told {
            Ok(answered) => answered,
            Err(_) => ask(Money::from_dollars(1)).await.unwrap(),
        };
        let record = room.settled_once().await;
        assert_eq!((!record.cost.is_zero(), record.usage.total() > 0, record.price.is_some()), (paid, paid, paid), "{price}");
        assert_eq!(answered.headers.contains_key("x-mainspring-price"), paid, "{price}");
    }
}

#[tokio::test]
async fn a_call_that_failed_tells_where_the_rest_stands_and_who_was_asked() {
    let room = Room::open().await;
    let server = upstream(Script::always(Behaviour::status(500)));
    let spec = json!({
        "targets": [{"provider": "main", "model": "a"}],
        "retry": {"attempts": 1, "backoff": "1ms", "max_backoff": "1ms"},
        "breaker": {"failure_rate": 1.0, "min_attempts": 100_000, "window": "1m", "open_for": "1m", "probes": 1},
    });
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", spec)]).await;
    let failed = async |model: &str, stream: bool| {
        let request = room.request(&chat(model, stream));
        let (told, trace) = (request.told.clone(), request.trace.trace.to_string());
        room.gateway.call(request).await.unwrap_err();
        let mut said = told.facts().headers;
        said.sort();
        (said, trace)
    };
    let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    for stream in [false, true] {
        let (said, trace) = failed("assistant", stream).await;
        let asked = [
            fact("x-mainspring-attempts", "2"),
            fact("x-mainspring-model", "a"),
            fact("x-mainspring-provider", "main"),
            fact("x-mainspring-trace-id", &trace),
        ];
        assert_eq!(said, asked, "{stream}");
    }
    assert!(failed("nobody", false).await.0.is_empty(), "it has no trace");
    let (kind, subject, metric) = (SubjectKind::Project, "*".to_owned(), Metric::RequestsPerMinute);
    let new = NewLimit { kind, subject, metric, amount: Amount::Count(1) };
    room.gateway.ledger().set_limit(&room.admin(), new).await.unwrap();
    failed("assistant", false).await;
    let (said, trace) = failed("assistant", false).await;
    assert_eq!(said, [fact("x-mainspring-trace-id", &trace)], "nobody was asked");
}

#[tokio::test]
async fn spans_tell_of_the_call_and_of_each_attempt() {
    let mut room = Room::open().await;
    let server = upstream(Script::default().then(Behaviour::status(500)));
    let spec = json!({"targets": [{"provider": "main", "model": "a"}], "retry": {"attempts": 1, "backoff": "1ms", "max_backoff": "1ms"}});
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", spec)]).await;
    room.ask("assistant").await.unwrap();
    room.settled_once().await;
    let spans = room.spans.all();
    assert_eq!(spans.len(), 3);
    let call = spans.iter().find(|span| span.parent.is_none()).unwrap();
    assert_eq!(call.name, "chat assistant");
    let says = |name: &str| call.attributes.get(name).and_then(Value::as_str).map(str::to_owned);
    assert_eq!(says("mainspring.route").as_deref(), Some("assistant@v1"));
    assert_eq!(says("mainspring.target").as_deref(), Some("main/a"));
    assert_eq!(says("mainspring.status").as_deref(), Some("ok"));
    assert_eq!(says("mainspring.cost"), Some(cost(12, 8).to_string()));
    assert!(says("mainspring.price").is_some_and(|price| price.starts_with("*@")));
    assert_eq!(call.attributes["gen_ai.usage.input_tokens"], 12);
    assert_eq!(call.attributes["mainspring.attempts"], 2);
    let attempts: Vec<_> = spans.iter().filter(|span| span.parent == Some(call.span)).collect();
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0].attributes["error.type"], "upstream-server");
    assert_eq!(attempts[0].attributes["mainspring.fault_class"], "server");
    assert_eq!(attempts[0].attributes.get("mainspring.usage_from"), None, "nobody told anything");
    assert_eq!(attempts[1].attributes["mainspring.usage_from"], "reported");
    assert_eq!(attempts[1].attributes["gen_ai.provider.name"], "openai");
    assert_eq!(attempts[1].attributes["gen_ai.usage.output_tokens"], 8);
}

#[tokio::test]
async fn tokens_are_counted_here_where_the_provider_does_not() {
    let mut room = Room::open().await;
    let server = upstream(Script::default());
    let targets = json!([{"provider": "main", "model": "a"}]);
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", route(&targets))]).await;
    let body = json!({"model": "assistant", "messages": [{"role": "user", "content": "how many are these?"}]});
    let mut request = room.request(&body);
    request.operation = Operation::CountTokens;
    request.said_in = mainspring_llm::exchange::Dialect::Anthropic;
    request.read = |body| {
        let call =
            mainspring_providers::anthropic::read(body).map_err(|fault| GatewayFault::invalid(fault.field, fault.message))?;
        Ok(Reading::Chat(Box::new(call)))
    };
    let answered = room.gateway.call(request).await.unwrap();
    let Body::Answer(answer) = answered.body else { panic!("{:?}", answered.body) };
    let counted = answer.usage.unwrap();
    assert_eq!((counted.input, counted.input_from), (12, Provenance::Estimated), "the words, and not the JSON around them");
    assert_eq!((answered.usage, answered.cost, server.count()), (None, Some(Money::ZERO), 0));
    let record = room.settled_once().await;
    assert_eq!((record.status, record.usage.total(), record.cost), (CallStatus::Ok, 0, Money::ZERO));
}

#[tokio::test]
async fn tokens_are_counted_by_a_provider_of_another_dialect_that_can_and_here_where_it_cannot() {
    let room = Room::open().await;
    let server = upstream(Script::default());
    let spec = json!({"type": "gemini", "base_url": format!("{}/v1beta", server.url())});
    room.apply(&[("provider", "google", spec), ("route", "assistant", route(&json!([{"provider": "google", "model": "g"}])))])
        .await;
    let ask = async || {
        let mut request = room.request(&json!({"model": "assistant", "messages": [{"role": "user", "content": "how many?"}]}));
        request.operation = Operation::CountTokens;
        request.said_in = mainspring_llm::exchange::Dialect::Anthropic;
        request.read = |body| {
            let call =
                mainspring_providers::anthropic::read(body).map_err(|fault| GatewayFault::invalid(fault.field, fault.message))?;
            Ok(Reading::Chat(Box::new(call)))
        };
        let Body::Answer(answer) = room.gateway.call(request).await.unwrap().body else { panic!("no count") };
        let usage = answer.usage.unwrap();
        (usage.input, usage.input_from)
    };
    assert_eq!(ask().await, (12, Provenance::Reported));
    assert!(server.seen()[0].path.ends_with("/models/g:countTokens"), "{}", server.seen()[0].path);
    server.script(Script::always(Behaviour::status(404)));
    let (tokens, from) = ask().await;
    assert_eq!((tokens < 12, from), (true, Provenance::Estimated));
}
