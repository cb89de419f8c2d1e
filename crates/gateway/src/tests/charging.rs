//! Who is paid, where a call asks several.

use std::time::Duration;

use mainspring_kernel::{Money, Timestamp};
use mainspring_llm::Provenance::{Estimated, Reported};
use mainspring_testservers::upstream::{Behaviour, Script, Trouble, Upstream, When};
use serde_json::{Value, json};

use super::room::{Room, chat, cost, drain, provider, upstream};
use crate::{
    CallRecord, CallStatus,
    ledger::{Amount, Metric, NewLimit, Repricing, SubjectKind, UsageBy, UsageFilter, UsageQuestion, UsageRow},
};

/// What is paid at `first` is ten times as dear.
async fn room_with(first: &Upstream, second: &Upstream, mut spec: Value) -> Room {
    let room = Room::open().await;
    let prices = json!({"models": [
        {"model": "*", "provider": "first", "input": 10, "output": 20},
        {"model": "*", "input": 1, "output": 2},
    ]});
    spec["targets"] = json!([{"provider": "first", "model": "a"}, {"provider": "second", "model": "b"}]);
    spec["choose"] = json!("first");
    room.apply(&[
        ("prices", "default", prices),
        ("provider", "first", provider(first)),
        ("provider", "second", provider(second)),
        ("route", "assistant", spec),
    ])
    .await;
    room
}

impl Room {
    fn stretch(&self) -> (Timestamp, Timestamp) {
        let now = mainspring_kernel::Clock::now(&self.clock);
        (now.minus(Duration::from_secs(60)), now.plus(Duration::from_secs(60)))
    }

    /// Calls and cost of each provider, by the sums.
    async fn by_provider(&self, provider: Option<&str>) -> Vec<(String, u64, Money)> {
        let (since, until) = self.stretch();
        let filter = UsageFilter { provider: provider.map(str::to_owned), ..UsageFilter::default() };
        let question = UsageQuestion { by: UsageBy::Provider, since, until, filter };
        let ledger = self.gateway.ledger();
        ledger.flush().await.unwrap();
        let mut rows: Vec<_> = ledger
            .usage(&self.admin(), &question)
            .await
            .unwrap()
            .rows
            .into_iter()
            .map(|row| (row.name, row.calls, row.cost))
            .collect();
        rows.sort();
        rows
    }

    /// Calls, cost and what it would be at the prices in force, of each target.
    async fn repriced(&self) -> Vec<(String, u64, Money, Money)> {
        let prices = Repricing::Prices("default".parse().unwrap());
        let (since, until) = self.stretch();
        let question = UsageQuestion { by: UsageBy::Target, since, until, filter: UsageFilter::default() };
        let repriced = self.gateway.ledger().reprice(&self.admin(), &prices, &question).await.unwrap();
        repriced.rows.into_iter().map(|row| (row.name, row.calls, row.cost, row.repriced)).collect()
    }
}

fn guess(stream: bool) -> u64 {
    super::room::guess(&chat("assistant", stream))
}

fn charged(record: &CallRecord) -> Vec<(&str, &str, u64, Money)> {
    let charges = record.charges.iter();
    charges.map(|charge| (charge.provider.as_str(), charge.target.as_str(), charge.usage.total(), charge.cost)).collect()
}

#[tokio::test]
async fn what_an_attempt_wasted_is_paid_to_whom_it_was_made() {
    let first = upstream(Script::always(Behaviour::trouble(Trouble::WrongJson)));
    let second = upstream(Script::default());
    let retry = json!({"retry": {"attempts": 1, "backoff": "1ms", "max_backoff": "1ms"}});
    let mut room = room_with(&first, &second, retry).await;
    room.ask("assistant").await.unwrap();
    let record = room.settled_once().await;
    let wasted = cost(guess(false), 0).times(10);
    assert_eq!((record.status, record.attempts, record.provider.as_deref()), (CallStatus::Ok, 3, Some("second")));
    let (lost, used) = (("first", "a", guess(false), wasted), ("second", "b", 20, cost(12, 8)));
    assert_eq!(charged(&record), [lost, lost, used]);
    assert_eq!(record.cost, wasted.times(2) + cost(12, 8), "all of it is the call's");
    let (one, two) = (("first".to_owned(), 0, wasted.times(2)), ("second".to_owned(), 1, cost(12, 8)));
    assert_eq!(room.by_provider(None).await, [one.clone(), two]);
    assert_eq!(room.by_provider(Some("first")).await, [one]);
    let (lost, used) = (wasted.times(2), cost(12, 8));
    assert_eq!(room.repriced().await, [("first/a".to_owned(), 0, lost, lost), ("second/b".to_owned(), 1, used, used)]);
    let filter = crate::ledger::CallFilter { provider: Some("first".to_owned()), ..Default::default() };
    let listed = room.gateway.ledger().calls(&room.admin(), &filter, &mainspring_kernel::PageRequest::first(9)).await.unwrap();
    assert_eq!(listed.items, [record], "it was asked, and kept as it was settled");
}

/// With the status that says yes, and no answer behind it.
#[tokio::test]
async fn a_refusal_that_began_with_yes_costs_what_a_refusal_costs() {
    let told = |usage: Value| {
        let error = json!({"message": "the engine is overloaded", "code": 503});
        json!({"error": error, "usage": usage}).to_string()
    };
    let used = json!({"prompt_tokens": 5, "completion_tokens": 0, "total_tokens": 5});
    let unused = json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0});
    let framed = |body: &str| format!("data: {body}\n\ndata: [DONE]\n\n");
    for (stream, body, wasted) in [
        (false, told(Value::Null), 0),
        (false, told(unused.clone()), 0),
        (false, told(used.clone()), 5),
        (true, framed(&told(Value::Null)), 0),
        (true, framed(&told(unused)), 0),
        (true, framed(&told(used)), 5),
    ] {
        let first = upstream(Script::always(Behaviour { body: Some(body.clone()), ..Behaviour::default() }));
        let second = upstream(Script::default());
        let mut room = room_with(&first, &second, json!({"retry": {"attempts": 0}})).await;
        let answered = room.gateway.call(room.request(&chat("assistant", stream))).await.unwrap();
        drain(answered.body).await;
        let record = room.settled_once().await;
        assert_eq!((record.status, record.attempts, record.provider.as_deref()), (CallStatus::Ok, 2, Some("second")), "{body}");
        // The first is ten times as dear.
        assert_eq!(record.cost, cost(12, 8) + cost(wasted, 0).times(10), "{body}");
    }
    // A stream was asked for, and what says no says it in one piece.
    let flat = Behaviour { body: Some(told(Value::Null)), ..Behaviour::default() }.header("content-type", "application/json");
    let (first, second) = (upstream(Script::always(flat)), upstream(Script::default()));
    let mut room = room_with(&first, &second, json!({"retry": {"attempts": 0}})).await;
    let answered = room.gateway.call(room.request(&chat("assistant", true))).await.unwrap();
    drain(answered.body).await;
    let record = room.settled_once().await;
    assert_eq!((record.attempts, record.cost), (2, cost(12, 8)));
}

#[tokio::test]
async fn where_a_server_tells_of_one_side_alone_the_other_is_a_guess() {
    let text = "one two three";
    let written = crate::reckon::text(text);
    for (usage, input, output, from) in [
        (json!({"prompt_tokens": 5}), Some(5), written, Estimated),
        (json!({"prompt_tokens": 5, "completion_tokens": 0}), Some(5), written, Estimated),
        (json!({"completion_tokens": 3}), None, 3, Estimated),
        // Of a sum no token is charged twice, and none beyond it.
        (json!({"total_tokens": 40}), Some(40 - written), written, Estimated),
        (json!({"total_tokens": 1}), Some(0), 1, Estimated),
        (json!({"prompt_tokens": 5, "total_tokens": 12}), Some(5), 7, Reported),
        (json!({"completion_tokens": 3, "total_tokens": 12}), Some(9), 3, Reported),
        // It counts nothing at all, or took nothing.
        (json!({"prompt_tokens": 0, "completion_tokens": 0}), Some(0), 0, Reported),
    ] {
        for stream in [false, true] {
            let said = json!({"role": "assistant", "content": text});
            let whole = json!({"id": "1", "choices": [{"index": 0, "message": said, "finish_reason": "stop"}], "usage": usage});
            let piece = json!({"id": "1", "choices": [{"index": 0, "delta": said, "finish_reason": "stop"}]});
            let last = json!({"id": "1", "choices": [], "usage": usage});
            let streamed = format!("data: {piece}\n\ndata: {last}\n\ndata: [DONE]\n\n");
            let body = if stream { streamed } else { whole.to_string() };
            let first = upstream(Script::always(Behaviour { body: Some(body), ..Behaviour::default() }));
            let mut room = room_with(&first, &first, json!({})).await;
            let answered = room.gateway.call(room.request(&chat("assistant", stream))).await.unwrap();
            drain(answered.body).await;
            let record = room.settled_once().await;
            let wanted = (input.unwrap_or_else(|| guess(stream)), output);
            assert_eq!((record.usage.input, record.usage.output), wanted, "{usage} {stream}");
            assert_eq!(record.usage.least_sure(), from, "{usage} {stream}");
        }
    }
}

#[tokio::test]
async fn a_sum_says_how_much_of_it_is_a_guess() {
    let first = upstream(Script::always(Behaviour::trouble(Trouble::WrongJson)));
    let second = upstream(Script::default());
    let mut room = room_with(&first, &second, json!({"retry": {"attempts": 0}})).await;
    room.ask("assistant").await.unwrap();
    room.settled_once().await;
    let (since, until) = room.stretch();
    let ledger = room.gateway.ledger();
    ledger.flush().await.unwrap();
    let question = UsageQuestion { by: UsageBy::Provider, since, until, filter: UsageFilter::default() };
    let report = ledger.usage(&room.admin(), &question).await.unwrap();
    let guessed = |row: &UsageRow| [row.input, row.input_estimated, row.output, row.output_estimated];
    assert_eq!(guessed(&report.total), [guess(false) + 12, guess(false), 8, 0]);
    let of = |name: &str| guessed(report.rows.iter().find(|row| row.name == name).unwrap());
    assert_eq!((of("first"), of("second")), ([guess(false), guess(false), 0, 0], [12, 0, 8, 0]));
}

#[tokio::test]
async fn both_sides_of_a_hedge_are_paid_their_own() {
    for stream in [false, true] {
        let first = upstream(Script::always(Behaviour::trouble(Trouble::Hang(When::BeforeHead))));
        let second = upstream(Script::default());
        let spec = json!({"hedge": {"after": "50ms", "at_most": 1.0}, "retry": {"attempts": 0}});
        let mut room = room_with(&first, &second, spec).await;
        let answered = room.gateway.call(room.request(&chat("assistant", stream))).await.unwrap();
        drain(answered.body).await;
        let record = room.settled_once().await;
        let wasted = cost(guess(stream), 0).times(10);
        assert_eq!(record.provider.as_deref(), Some("second"));
        assert_eq!(charged(&record), [("first", "a", guess(stream), wasted), ("second", "b", 20, cost(12, 8))]);
        let rows = room.by_provider(None).await;
        assert_eq!(rows, [("first".to_owned(), 0, wasted), ("second".to_owned(), 1, cost(12, 8))]);
        first.wait_until_hung_up().await;
    }
}

#[tokio::test]
async fn a_call_that_failed_everywhere_is_paid_to_whom_it_cost_something() {
    let first = upstream(Script::always(Behaviour::trouble(Trouble::WrongJson)));
    let second = upstream(Script::always(Behaviour::status(503)));
    let mut room = room_with(&first, &second, json!({"retry": {"attempts": 0}})).await;
    room.ask("assistant").await.unwrap_err();
    let record = room.settled_once().await;
    let wasted = cost(guess(false), 0).times(10);
    assert_eq!((record.status, record.provider.as_deref(), record.cost), (CallStatus::Failed, Some("second"), wasted));
    assert_eq!(charged(&record), [("first", "a", guess(false), wasted)]);
    assert_eq!(room.by_provider(None).await, [("first".to_owned(), 0, wasted), ("second".to_owned(), 1, Money::ZERO)]);
}

#[tokio::test]
async fn a_known_server_has_its_prices_under_any_name() {
    let server = upstream(Script::default());
    let mut room = Room::open().await;
    let groq = json!({"type": "openai", "preset": "groq", "base_url": format!("{}/v1", server.url())});
    room.apply(&[
        ("prices", "default", json!({"models": [{"model": "another", "input": 1, "output": 1}]})),
        ("provider", "groq-eu", groq),
        ("route", "assistant", json!({"targets": [{"provider": "groq-eu", "model": "openai/gpt-oss-120b"}]})),
    ])
    .await;
    // It would not let through what has no price.
    let (kind, metric, amount) = (SubjectKind::Project, Metric::UsdPerDay, Amount::Money(Money::from_dollars(1)));
    let budget = NewLimit { kind, subject: "*".to_owned(), metric, amount };
    room.gateway.ledger().set_limit(&room.admin(), budget).await.unwrap();
    room.ask("assistant").await.unwrap();
    let record = room.settled_once().await;
    let paid = Money::from_pico(12 * 150_000 + 8 * 600_000);
    assert_eq!((record.cost, record.price.map(|price| price.entry)), (paid, Some("openai/gpt-oss-120b".to_owned())));
    assert_eq!(room.by_provider(None).await, [("groq-eu".to_owned(), 1, paid)]);
    assert_eq!(room.repriced().await, [("groq-eu/openai/gpt-oss-120b".to_owned(), 1, paid, paid)]);
}

/// The answer says how it was served, whatever was asked for.
#[tokio::test]
async fn a_call_costs_what_the_tier_costs_that_it_was_served_in() {
    let prices = json!({"models": [{"model": "*", "input": 1, "output": 2, "service_tiers": {
        "flex": {"input": "0.5", "output": 1},
        "priority": {"input": 10, "output": 20},
    }}]});
    let ten = cost(12, 8).times(10);
    for (tier, paid) in [("priority", ten), ("flex", Money::from_pico(cost(12, 8).as_pico() / 2)), ("default", cost(12, 8))] {
        let usage = json!({"prompt_tokens": 12, "completion_tokens": 8, "total_tokens": 20});
        let choice = json!({"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"});
        let whole = json!({"id": "1", "object": "chat.completion", "choices": [choice], "service_tier": tier, "usage": usage});
        let chunk = json!({"id": "1", "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]});
        let last = json!({"id": "1", "choices": [], "service_tier": tier, "usage": usage});
        let events = format!("data: {chunk}\n\ndata: {last}\n\ndata: [DONE]\n\n");
        for (stream, body) in [(false, whole.to_string()), (true, events)] {
            let server = upstream(Script::always(Behaviour { body: Some(body), ..Behaviour::default() }));
            let mut room = room_with(&server, &server, json!({})).await;
            room.apply(&[("prices", "default", prices.clone())]).await;
            let answered = room.gateway.call(room.request(&chat("assistant", stream))).await.unwrap();
            let (_, fault) = drain(answered.body).await;
            assert!(fault.is_none(), "{fault:?}");
            let record = room.settled_once().await;
            assert_eq!((record.status, record.cost), (CallStatus::Ok, paid), "{tier} {stream}");
            // Priced anew it is what it was, so that the record has to know.
            let rows = room.by_provider(None).await;
            assert_eq!(rows, [("first".to_owned(), 1, paid)], "{tier} {stream}");
            assert_eq!(room.repriced().await, [("first/a".to_owned(), 1, paid, paid)], "{tier} {stream}");
        }
    }
}

#[tokio::test]
async fn a_call_of_one_target_says_it_once() {
    let (first, second) = (upstream(Script::default()), upstream(Script::default()));
    let mut room = room_with(&first, &second, json!({})).await;
    room.ask("assistant").await.unwrap();
    let record = room.settled_once().await;
    assert_eq!((record.provider.as_deref(), record.cost, record.charges.len()), (Some("first"), cost(12, 8).times(10), 0));
}

#[tokio::test]
async fn a_price_by_the_request_is_not_paid_for_one_that_nobody_took() {
    let (first, second) = (upstream(Script::always(Behaviour::status(503))), upstream(Script::default()));
    let mut room = room_with(&first, &second, json!({"retry": {"attempts": 0}})).await;
    let prices = json!({"models": [{"model": "*", "input": 1, "output": 2, "request": "0.01"}]});
    room.apply(&[("prices", "default", prices)]).await;
    room.ask("assistant").await.unwrap();
    let record = room.settled_once().await;
    assert_eq!((record.attempts, record.cost - cost(12, 8)), (2, Money::from_pico(10_000_000_000)));
    assert_eq!(record.charges, []);
}
