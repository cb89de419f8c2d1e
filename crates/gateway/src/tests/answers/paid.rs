//! What an answer costs, also where nobody tells what it used.

use mainspring_kernel::{Fault, Money};
use mainspring_llm::Provenance;
use mainspring_providers::Operation;
use mainspring_testservers::upstream::{Behaviour, Script, Trouble, Used};
use serde_json::json;

use super::route;
use crate::{
    CallStatus,
    ledger::{Amount, Metric, NewLimit, SubjectKind},
    tests::room::{Room, chat, cost, drain, guess, provider, upstream},
};

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
