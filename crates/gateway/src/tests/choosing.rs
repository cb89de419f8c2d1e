//! Which target a real call goes to, by what the route says of choosing, staying and falling back.

use std::{collections::BTreeSet, time::Duration};

use mainspring_kernel::{Fault, id::ApiKeyId};
use mainspring_testservers::upstream::{Behaviour, Script, Upstream};
use serde_json::{Value, json};

use super::{
    room::{Room, chat, keeper, provider, upstream},
    translated::place,
};
use crate::ExplainQuestion;

/// A route `assistant` whose targets are the servers `p0`, `p1`… in turn, each with a model of its own.
async fn over(servers: &[&Upstream], rules: &Value) -> Room {
    let room = Room::open().await;
    let names: Vec<String> = (0..servers.len()).map(|number| format!("p{number}")).collect();
    let targets: Vec<Value> = names.iter().map(|name| json!({"provider": name, "model": format!("model-of-{name}")})).collect();
    let mut spec = json!({"targets": targets, "retry": {"attempts": 0}});
    spec.as_object_mut().unwrap().extend(rules.as_object().unwrap().clone());
    let mut specs: Vec<(&str, &str, Value)> = vec![("route", "assistant", spec)];
    for (name, server) in names.iter().zip(servers) {
        specs.push(("provider", name, provider(server)));
    }
    room.apply(&specs).await;
    room
}

#[tokio::test]
async fn the_cheapest_target_is_that_for_this_call() {
    let (reader, writer) = (upstream(Script::default()), upstream(Script::default()));
    let unpriced = upstream(Script::default());
    let room = over(&[&unpriced, &reader, &writer], &json!({"choose": "cost"})).await;
    let prices = json!({"models": [
        {"model": "model-of-p1", "input": 1, "output": 100},
        {"model": "model-of-p2", "input": 100, "output": 1},
    ]});
    room.apply(&[("prices", "default", prices)]).await;
    let ask = async |words: usize, max_tokens: u64| {
        let mut body = chat("assistant", false);
        body["messages"][0]["content"] = json!("word ".repeat(words));
        body["max_tokens"] = json!(max_tokens);
        room.gateway.call(room.request(&body)).await.unwrap().provider
    };
    for _ in 0..3 {
        assert_eq!(ask(1, 5_000).await, "p2", "little is read and much written");
        assert_eq!(ask(5_000, 1).await, "p1", "much is read and little written");
    }
    // The dearer one comes next, and what nobody has a price for last.
    writer.script(Script::always(Behaviour::status(503)));
    assert_eq!(ask(1, 5_000).await, "p1");
    reader.script(Script::always(Behaviour::status(503)));
    assert_eq!(ask(1, 5_000).await, "p0");
}

#[tokio::test]
async fn the_target_that_lately_began_sooner_is_asked() {
    let slow = || Script::always(Behaviour { delay: Duration::from_millis(400), ..Behaviour::default() });
    let (first, second) = (upstream(slow()), upstream(Script::default()));
    let room = over(&[&first, &second], &json!({"choose": "latency"})).await;
    let ask = async || room.ask("assistant").await.unwrap().provider;
    // Each is tried, and then it is known.
    for _ in 0..2 {
        ask().await;
    }
    assert_eq!((first.count(), second.count()), (1, 1));
    for _ in 0..8 {
        assert_eq!(ask().await, "p1");
    }
    // What it was no longer counts.
    first.script(Script::default());
    second.script(Script::always(Behaviour { delay: Duration::from_millis(1_500), ..Behaviour::default() }));
    assert_eq!(ask().await, "p1");
    for _ in 0..4 {
        assert_eq!(ask().await, "p0");
    }
}

/// The head of a whole text comes when all of it is written, whoever writes it.
#[tokio::test]
async fn a_slow_whole_answer_repels_no_streams() {
    let slow = |millis| Script::always(Behaviour { delay: Duration::from_millis(millis), ..Behaviour::default() });
    let (first, second) = (upstream(slow(1_500)), upstream(Script::default()));
    let room = over(&[&first, &second], &json!({"choose": "latency"})).await;
    let ask = async |stream: bool| {
        let answered = room.gateway.call(room.request(&chat("assistant", stream))).await.unwrap();
        super::room::drain(answered.body).await;
        answered.provider
    };
    let tried = BTreeSet::from([ask(false).await, ask(false).await]);
    assert_eq!(tried.len(), 2, "each is tried once");
    // As soon as it streams, the first is the quicker one.
    first.script(Script::default());
    second.script(slow(600));
    let tried = BTreeSet::from([ask(true).await, ask(true).await]);
    assert_eq!(tried.len(), 2, "and once more: of its streams nothing was known");
    for _ in 0..4 {
        assert_eq!(ask(true).await, "p0");
    }
    assert_eq!(ask(false).await, "p1", "as before");
    let told = room.gateway.explain(&room.caller(), "assistant", &ExplainQuestion::default()).unwrap();
    let quickest = told.targets.iter().min_by(|a, b| a.begin_ms.unwrap().total_cmp(&b.begin_ms.unwrap())).unwrap();
    assert_eq!(quickest.provider, "p0", "what is explained is a stream: {told:?}");
}

#[tokio::test]
async fn calls_of_one_key_or_one_conversation_stay_together() {
    let servers = [0, 1, 2].map(|_| upstream(Script::default()));
    for sticky in ["key", "session"] {
        let room = over(&servers.each_ref(), &json!({"sticky": sticky})).await;
        let mut homes = BTreeSet::new();
        for number in 1..=12 {
            let mut home = None;
            for again in 0..3 {
                let mut request = room.request(&chat("assistant", again == 1));
                match sticky {
                    "key" => request.caller.key = Some(ApiKeyId::from_raw(number)),
                    _ => request.peeked.session = Some(format!("s{number}")),
                }
                let answered = room.gateway.call(request).await.unwrap();
                assert_eq!(*home.get_or_insert_with(|| answered.provider.clone()), answered.provider, "{sticky} {number}");
                super::room::drain(answered.body).await;
            }
            homes.insert(home);
        }
        assert!(homes.len() > 1, "{sticky}: they are spread: {homes:?}");
    }
}

#[tokio::test]
async fn a_route_falls_back_after_the_faults_it_names_and_no_others() {
    let (first, second) = (upstream(Script::default()), upstream(Script::default()));
    for (named, status, code) in [
        (json!(["rate_limited", "server"]), 429, None),
        (json!(["rate_limited", "server"]), 500, None),
        (json!(["rate_limited", "server"]), 401, Some("upstream-auth")),
        (json!(["auth"]), 401, None),
        (json!(["auth"]), 429, Some("upstream-rate-limited")),
        (json!([]), 500, Some("upstream-server")),
        // The client's own fault goes to nobody else, whatever is named.
        (json!(["server", "auth", "quota"]), 400, Some("upstream-invalid")),
    ] {
        first.script(Script::always(Behaviour::status(status)));
        let room = over(&[&first, &second], &json!({"choose": "first", "fallback": {"on": named}})).await;
        let asked = second.count();
        let answered = room.ask("assistant").await;
        let told = answered.as_ref().err().map(Fault::code);
        assert_eq!((told, second.count() - asked), (code, u64::from(code.is_none())), "{named} {status}");
        if let Ok(answered) = answered {
            assert_eq!((answered.provider.as_str(), answered.attempts), ("p1", 2), "{named} {status}");
        }
    }
}

/// Clients make a call again by what they are told.
#[tokio::test]
async fn a_fault_that_passes_is_told_before_one_that_says_what_a_target_cannot_do() {
    let (first, second) = (upstream(Script::default()), upstream(Script::default()));
    let wait = Some(Duration::from_secs(2));
    for (one, other, code, wait, whose) in [
        (503, 401, "upstream-overloaded", wait, "p0"),
        (503, 413, "upstream-overloaded", wait, "p0"),
        (429, 404, "upstream-rate-limited", wait, "p0"),
        (500, 402, "upstream-server", wait, "p0"),
        // Otherwise the last.
        (429, 503, "upstream-overloaded", None, "p1"),
        (401, 503, "upstream-overloaded", None, "p1"),
        (401, 404, "upstream-not-found", None, "p1"),
        // It is wrong wherever it is asked.
        (503, 400, "upstream-invalid", None, "p1"),
    ] {
        first.script(Script::always(Behaviour::status(one).header("retry-after", "2")));
        second.script(Script::always(Behaviour::status(other)));
        let mut room = over(&[&first, &second], &json!({"choose": "first"})).await;
        let asked = second.count();
        let request = room.request(&chat("assistant", false));
        let told = request.told.clone();
        let fault = room.gateway.call(request).await.unwrap_err();
        assert_eq!((fault.code(), fault.retry_after()), (code, wait), "{one} {other}");
        assert_eq!(second.count() - asked, 1, "{one} {other}");
        // The headers and the call name who said so.
        let named = ("x-mainspring-provider".to_owned(), whose.to_owned());
        assert!(told.facts().headers.contains(&named), "{one} {other}: {:?}", told.facts().headers);
        let record = room.settled_once().await;
        assert_eq!((record.provider.as_deref(), record.attempts), (Some(whose), 2), "{one} {other}");
        assert_eq!((record.class, record.target), (fault.class(), Some(format!("model-of-{whose}"))), "{one} {other}");
    }
}

#[tokio::test]
async fn a_call_that_a_target_can_take_when_it_is_well_again_is_told_so() {
    let first = upstream(Script::always(Behaviour::status(503).header("retry-after", "2")));
    let second = upstream(Script::default());
    let room = Room::open().await;
    let targets = json!([{"provider": "first", "model": "a"}, {"provider": "second", "model": "b", "tier": 1}]);
    let spec = json!({"targets": targets, "retry": {"attempts": 0}, "breaker": {"min_attempts": 1, "open_for": "10m"}});
    room.apply(&[
        ("provider", "first", provider(&first)),
        ("provider", "second", place("anthropic", &second)),
        ("route", "assistant", spec),
    ])
    .await;
    // What the dialect of the second has no word for.
    let mut body = chat("assistant", false);
    body["n"] = json!(2);
    let ask = async || room.gateway.call(room.request(&body)).await.unwrap_err();
    let fault = ask().await;
    assert_eq!((fault.code(), fault.retry_after()), ("upstream-overloaded", Some(Duration::from_secs(2))));
    // Its breaker is open now, so that it is not asked.
    let fault = ask().await;
    assert_eq!((fault.code(), fault.retry_after().is_some()), ("gateway-no-target", true), "{fault}");
    assert!(fault.to_string().contains("`n`"), "what the other cannot do is said too: {fault}");
    assert_eq!((first.count(), second.count()), (1, 0));
    room.apply(&[("route", "assistant", json!({"targets": [{"provider": "second", "model": "b"}]}))]).await;
    assert_eq!(ask().await.code(), "upstream-unsupported", "nobody else comes back");
}

/// Answers 401 where `first` is asked, while `rest` are not well: the call's fault, and when it may be made again.
async fn without(rest: &[(&Upstream, &str)], targets: &Value, fallback: &Value) -> (&'static str, Option<Duration>) {
    let first = upstream(Script::always(Behaviour::status(401)));
    let room = Room::open().await;
    let names: Vec<String> = (0..rest.len()).map(|number| format!("p{number}")).collect();
    room.apply(&[("provider", "first", provider(&first))]).await;
    for (place, (server, open_for)) in rest.iter().enumerate() {
        let broken: Vec<Value> = names[..=place].iter().map(|name| json!({"provider": name, "model": "b"})).collect();
        let breaker = json!({"min_attempts": 1, "open_for": open_for});
        let spec = json!({"targets": broken, "retry": {"attempts": 0}, "breaker": breaker});
        room.apply(&[("provider", names[place].as_str(), provider(server)), ("route", "assistant", spec)]).await;
        assert_eq!(room.ask("assistant").await.unwrap_err().code(), "upstream-overloaded");
    }
    let asked: u64 = rest.iter().map(|(server, _)| server.count()).sum();
    let spec = json!({"targets": targets, "retry": {"attempts": 0}, "choose": "first", "fallback": {"on": fallback}});
    room.apply(&[("route", "assistant", spec)]).await;
    let fault = room.ask("assistant").await.unwrap_err();
    assert_eq!(rest.iter().map(|(server, _)| server.count()).sum::<u64>(), asked, "nobody else was asked");
    (fault.code(), fault.retry_after())
}

#[tokio::test]
async fn who_is_not_well_is_waited_for_only_where_the_route_would_ask_them() {
    for (tiers, own, fallback, comes_back) in [
        ((0, 1), json!([]), json!(["auth"]), true),
        ((0, 1), json!([]), json!(["server"]), false),
        ((0, 1), json!(["auth"]), json!(["server"]), true),
        ((0, 1), json!(["server"]), json!(["auth"]), false),
        // Asked first, whatever the route falls back after; so is who stands before the other.
        ((1, 0), json!([]), json!(["server"]), true),
        ((0, 0), json!([]), json!(["server"]), false),
    ] {
        let other = upstream(Script::always(Behaviour::status(503)));
        let targets = json!([
            {"provider": "first", "model": "a", "tier": tiers.0},
            {"provider": "p0", "model": "b", "tier": tiers.1, "on": own},
        ]);
        let (code, wait) = without(&[(&other, "10m")], &targets, &fallback).await;
        let wanted = if comes_back { "gateway-no-target" } else { "upstream-auth" };
        assert_eq!((code, wait.is_some()), (wanted, comes_back), "{targets} {fallback}");
    }
}

#[tokio::test]
async fn a_client_comes_back_when_somebody_is_well_who_would_be_asked() {
    let (second, third) = (upstream(Script::always(Behaviour::status(503))), upstream(Script::always(Behaviour::status(503))));
    let targets = json!([
        {"provider": "first", "model": "a"},
        {"provider": "p0", "model": "b", "tier": 1},
        {"provider": "p1", "model": "b", "tier": 1, "on": ["server"]},
    ]);
    let (code, wait) = without(&[(&second, "10m"), (&third, "1m")], &targets, &json!(["auth"])).await;
    assert_eq!(code, "gateway-no-target");
    assert!(wait.is_some_and(|wait| wait > Duration::from_secs(120)), "the third is no help: {wait:?}");
}

#[tokio::test]
async fn who_made_what_a_call_goes_on_from_is_waited_for_whatever_its_turn() {
    let (first, maker) = (upstream(Script::always(Behaviour::status(404))), upstream(Script::default()));
    let room = Room::open().await;
    let made = json!({"id": "resp_made", "object": "response", "status": "completed", "output": []});
    maker.script(Script::default().then(Behaviour { body: Some(made.to_string()), ..Behaviour::default() }));
    let alone = json!({
        "targets": [{"provider": "maker", "model": "m"}],
        "retry": {"attempts": 0},
        "breaker": {"failure_rate": 0.1, "min_attempts": 1, "open_for": "10m"},
    });
    room.apply(&[("provider", "first", keeper(&first)), ("provider", "maker", keeper(&maker)), ("route", "assistant", alone)])
        .await;
    room.gateway.call(room.response(&json!({"model": "maker/m", "input": "hello"}))).await.unwrap();
    maker.script(Script::always(Behaviour::status(503)));
    assert_eq!(room.ask("assistant").await.unwrap_err().code(), "upstream-overloaded");
    let targets = json!([{"provider": "first", "model": "m"}, {"provider": "maker", "model": "m", "tier": 1}]);
    let spec = json!({"targets": targets, "retry": {"attempts": 0}, "choose": "first", "fallback": {"on": ["server"]}});
    room.apply(&[("route", "assistant", spec)]).await;
    for (previous, code) in [("resp_made", "gateway-no-target"), ("resp_of_nobody", "upstream-not-found")] {
        let body = json!({"model": "assistant", "input": "go on", "previous_response_id": previous});
        let fault = room.gateway.call(room.response(&body)).await.unwrap_err();
        assert_eq!((fault.code(), fault.retry_after().is_some()), (code, previous == "resp_made"), "{previous}: {fault}");
    }
}

#[tokio::test]
async fn a_target_for_one_fault_is_asked_after_that_fault_and_no_other() {
    let too_long = || Script::always(Behaviour { code: Some("context_length_exceeded".to_owned()), ..Behaviour::status(400) });
    let [first, second, long] = [0, 1, 2].map(|_| upstream(Script::default()));
    let room = Room::open().await;
    let targets = json!([
        {"provider": "first", "model": "a"},
        {"provider": "second", "model": "b", "tier": 1, "on": ["server"]},
        {"provider": "long", "model": "c", "tier": 2, "on": ["context_window"]},
    ]);
    room.apply(&[
        ("provider", "first", provider(&first)),
        ("provider", "second", provider(&second)),
        ("provider", "long", provider(&long)),
        ("route", "assistant", json!({"targets": targets, "retry": {"attempts": 0}, "hedge": {"after": "1ms", "at_most": 1.0}})),
    ])
    .await;
    assert_eq!(room.ask("assistant").await.unwrap().provider, "first");
    first.script(too_long());
    let answered = room.ask("assistant").await.unwrap();
    assert_eq!((answered.provider.as_str(), answered.attempts, second.count()), ("long", 2, 0), "past what is for other faults");
    first.script(Script::always(Behaviour::status(500)));
    second.script(too_long());
    let answered = room.ask("assistant").await.unwrap();
    assert_eq!((answered.provider.as_str(), answered.attempts), ("long", 3), "by the fault that came last");
    first.script(Script::always(Behaviour::status(401)));
    assert_eq!(room.ask("assistant").await.unwrap_err().code(), "upstream-auth", "nobody is for this fault");
    // One that is late has not failed.
    let asked = long.count() + second.count();
    first.script(Script::always(Behaviour { delay: Duration::from_millis(50), ..Behaviour::default() }));
    assert_eq!(room.ask("assistant").await.unwrap().attempts, 1);
    assert_eq!(long.count() + second.count(), asked);
}

#[tokio::test]
async fn a_target_for_long_calls_is_asked_at_once_where_a_call_surely_fits_no_other() {
    let [short, long] = [0, 1].map(|_| upstream(Script::default()));
    let room = Room::open().await;
    let targets = json!([
        {"provider": "short", "model": "a", "context_window": 5},
        {"provider": "long", "model": "b", "tier": 1, "on": ["context_window"]},
    ]);
    room.apply(&[
        ("provider", "short", provider(&short)),
        ("provider", "long", provider(&long)),
        ("route", "assistant", json!({"targets": targets})),
    ])
    .await;
    let answered = room.ask("assistant").await.unwrap();
    assert_eq!((answered.provider.as_str(), answered.attempts, short.count()), ("long", 1, 0));
    let told = room.gateway.explain(&room.caller(), "assistant", &ExplainQuestion::default()).unwrap();
    assert!(told.targets[1].why.ends_with("asked only after context_window"), "{}", told.targets[1].why);
}
