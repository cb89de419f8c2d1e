//! Limits and budgets, as calls meet them.

use futures::future::join_all;
use mainspring_kernel::{Fault, FaultKind, Money};
use mainspring_testservers::upstream::{Behaviour, Script, Trouble, Used};
use serde_json::json;

use super::room::{Room, chat, cost, drain, guess, provider, upstream};
use crate::{
    CallStatus,
    ledger::{Amount, Metric, NewLimit, SubjectKind},
};

impl Room {
    async fn limit(&self, metric: Metric, amount: Amount) {
        let new = NewLimit { kind: SubjectKind::Project, subject: "*".to_owned(), metric, amount };
        self.gateway.ledger().set_limit(&self.admin(), new).await.unwrap();
    }

    async fn budget(&self, amount: Money) {
        self.limit(Metric::UsdPerDay, Amount::Money(amount)).await;
    }
}

#[tokio::test]
async fn a_call_beyond_a_limit_asks_nobody_and_says_when_to_come_back() {
    let mut room = Room::open().await;
    let server = upstream(Script::default());
    room.apply(&[
        ("provider", "main", provider(&server)),
        ("route", "assistant", json!({"targets": [{"provider": "main", "model": "a"}]})),
    ])
    .await;
    room.limit(Metric::RequestsPerMinute, Amount::Count(2)).await;
    let answered = room.ask("assistant").await.unwrap();
    assert_eq!(answered.headers["x-ratelimit-remaining-requests"], "1");
    room.ask("assistant").await.unwrap();
    let fault = room.ask("assistant").await.unwrap_err();
    assert_eq!((fault.code(), fault.kind()), ("limit-requests", FaultKind::Saturated));
    assert!(fault.retry_after().is_some_and(|wait| wait.as_secs() <= 60 && !wait.is_zero()), "{:?}", fault.retry_after());
    assert_eq!(fault.headers().unwrap()["x-ratelimit-limit-requests"], "2");
    assert_eq!(server.count(), 2);
    for _ in 0..2 {
        room.settled().await;
    }
    assert!(room.none_settled(), "what was not let in is not settled");
    room.gateway.publish();
    assert!(room.metrics.render().contains("mainspring_gateway_refused_total 1"));
}

#[tokio::test]
async fn a_limit_on_tokens_counts_about_what_a_call_reads_and_then_what_it_used() {
    let room = Room::open().await;
    let server = upstream(Script::default());
    room.apply(&[
        ("provider", "main", provider(&server)),
        ("route", "assistant", json!({"targets": [{"provider": "main", "model": "a"}]})),
    ])
    .await;
    room.limit(Metric::TokensPerMinute, Amount::Count(10_000)).await;
    let said = "word ".repeat(1_500);
    let body = json!({"model": "assistant", "messages": [{"role": "user", "content": said}], "max_tokens": 500});
    let about = (body.to_string().len() as u64).div_ceil(4) + 500;
    // Each byte as a token would leave no room for the second.
    let mut left = 10_000 - about;
    for _ in 0..3 {
        let answered = room.gateway.call(room.request(&body)).await.unwrap();
        assert_eq!(answered.headers["x-ratelimit-remaining-tokens"], left.to_string().as_str());
        // What the provider told takes the place of the guess.
        left -= 12 + 8;
    }
    // At once, too: three of them fit.
    let let_in = join_all((0..6).map(|_| room.gateway.call(room.request(&body)))).await.into_iter().filter(Result::is_ok).count();
    assert!(let_in >= 3, "{let_in}");
}

#[tokio::test]
async fn answers_from_the_cache_count_as_requests_and_cost_nothing() {
    let room = Room::open().await;
    let server = upstream(Script::default());
    let spec = json!({"targets": [{"provider": "main", "model": "a"}], "cache": {"ttl": "1h", "sampled": true}});
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", spec)]).await;
    room.ask("assistant").await.unwrap();
    // What is spent already is all there is, to a hair.
    room.budget(cost(12, 9)).await;
    room.limit(Metric::RequestsPerMinute, Amount::Count(2)).await;
    for _ in 0..2 {
        room.ask("assistant").await.unwrap();
    }
    assert_eq!(room.ask("assistant").await.unwrap_err().code(), "limit-requests");
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_budget_is_not_overspent_by_calls_at_once() {
    let room = Room::open().await;
    // Each call costs what it may at most: a hundredth of the budget.
    let (input, output) = (0, 100);
    let used = Used { input, output, cache_read: 0, cache_write: 0, reasoning: 0 };
    let server = upstream(Script::always(Behaviour { usage: Some(used), ..Behaviour::default() }));
    room.apply(&[
        ("provider", "main", provider(&server)),
        ("route", "assistant", json!({"targets": [{"provider": "main", "model": "a"}]})),
    ])
    .await;
    let most = |body: &serde_json::Value| cost(body.to_string().len() as u64, output);
    let body =
        json!({"model": "assistant", "messages": [{"role": "user", "content": "hi"}], "max_tokens": output, "stream": true});
    let cap = most(&body).times(10);
    room.budget(cap).await;
    let call = async || match room.gateway.call(room.request(&body)).await {
        Ok(answered) => {
            drain(answered.body).await;
            true
        }
        Err(fault) => {
            assert_eq!((fault.code(), fault.kind()), ("budget-spent", FaultKind::Saturated));
            false
        }
    };
    let mut let_in = 0;
    for _ in 0..3 {
        let_in += join_all((0..64).map(|_| call())).await.into_iter().filter(|done| *done).count();
    }
    let spent = cost(input, output).times(let_in as u64);
    assert!(spent <= cap, "{spent} of {cap}");
    // What was set aside and not used is there again for others, until less is left than one call may cost.
    assert!(cap - spent < most(&body) + cost(0, 100), "{spent} of {cap}");
    assert_eq!(server.count(), let_in as u64);
}

#[tokio::test]
async fn a_further_attempt_after_a_paid_one_needs_room_in_the_budget() {
    let body = chat("assistant", false);
    let guess = guess(&body);
    // Written at most: a thousand tokens.
    let once = cost(body.to_string().len() as u64, 1_000);
    for made in [1, 2, 4] {
        // Bounds are rounded up by a hair.
        let budget = once.times(made) + cost(1, 0);
        let mut room = Room::open().await;
        let server = upstream(Script::always(Behaviour::trouble(Trouble::WrongJson)));
        let spec = json!({
            "targets": [{"provider": "main", "model": "a", "max_output_tokens": 1000}],
            "retry": {"attempts": 9, "backoff": "1ms", "max_backoff": "1ms"},
        });
        room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", spec)]).await;
        room.budget(budget).await;
        let fault = room.ask("assistant").await.unwrap_err();
        assert_eq!(fault.code(), "upstream-malformed", "what went wrong is told, and not that there is no money");
        let record = room.settled_once().await;
        assert_eq!((record.status, u64::from(record.attempts), server.count()), (CallStatus::Failed, made, made));
        assert_eq!(record.cost, cost(guess, 0).times(made));
    }
}
