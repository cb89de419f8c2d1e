//! Which route a name means, and what happens when routes change.

use std::time::Duration;

use futures::StreamExt;
use mainspring_llm::{Models, exchange::Dialect};
use mainspring_providers::{Operation, SocketConfig};
use mainspring_testservers::upstream::{Behaviour, Script, Trouble, Upstream, When};
use serde_json::{Value, json};

use super::room::{Room, Scripted, chat, drain, provider, upstream};
use crate::{Body, CallStatus, ExplainQuestion, Standing};

fn to(model: &str) -> Value {
    json!({"targets": [{"provider": "main", "model": model}]})
}

#[tokio::test]
async fn names_are_looked_for_from_the_most_exact_to_the_least() {
    let models = Models::default().with_chat(std::sync::Arc::new(Scripted { name: "tiny", words: vec!["x"] }));
    let room = Room::with(models, SocketConfig { allow_private: true, ..SocketConfig::default() }).await;
    let server = upstream(Script::default());
    let mut place = provider(&server);
    place["models"] = json!(["listed", "meta/llama"]);
    let with = |model: &str, names: &[&str]| {
        let mut spec = to(model);
        spec["models"] = json!(names);
        spec
    };
    let mut handed_on = json!({"targets": [{"provider": "main"}], "models": ["claude-*"]});
    handed_on["retry"] = json!({"attempts": 0});
    room.apply(&[
        ("provider", "main", place.clone()),
        ("provider", "open", provider(&server)),
        ("route", "fast", with("small", &["gpt-4o-mini", "gpt-*"])),
        ("route", "wide", with("large", &["gpt-4o-*", "open/x-*"])),
        ("route", "claude", handed_on),
    ])
    .await;
    for (name, provider, model) in [
        ("fast", "main", "small"),
        ("gpt-4o-mini", "main", "small"),
        ("gpt-4o-latest", "main", "large"),
        ("gpt-3", "main", "small"),
        ("claude-opus", "main", "claude-opus"),
        ("main/listed", "main", "listed"),
        ("main/meta/llama", "main", "meta/llama"),
        ("open/anything", "open", "anything"),
        ("open/x-1", "main", "large"),
        ("tiny", "local", "tiny"),
        ("local/tiny", "local", "tiny"),
    ] {
        let answered = room.ask(name).await.unwrap();
        assert_eq!((answered.provider.as_str(), answered.target.as_str()), (provider, model), "{name}");
        assert_eq!(room.gateway.knows(room.project, name).await, name != "tiny", "{name}");
    }
    for name in ["main/unlisted", "nobody/listed", "clau", "", "/", "main/", "open", "*"] {
        assert!(room.ask(name).await.is_err(), "{name}");
        assert!(!room.gateway.knows(room.project, name).await, "{name}");
    }
    let names = room.gateway.names(room.project).await;
    assert_eq!(names, ["claude", "fast", "gpt-4o-mini", "main/listed", "main/meta/llama", "wide"]);
    let stranger = mainspring_kernel::id::ProjectId::from_raw(99);
    assert!(!room.gateway.knows(stranger, "fast").await, "another project has routes of its own");
    assert_eq!(room.gateway.health(stranger).await, []);
}

#[tokio::test]
async fn a_new_version_is_in_force_at_once_and_disturbs_no_stream() {
    let mut room = Room::open().await;
    let slow = Behaviour { trouble: Some(Trouble::Hang(When::After(3))), ..Behaviour::default() };
    let (old, new) = (upstream(Script::always(slow)), upstream(Script::default()));
    room.apply(&[("provider", "main", provider(&old)), ("route", "assistant", to("old"))]).await;
    let answered = room.gateway.call(room.request(&chat("assistant", true))).await.unwrap();
    let Body::Chunks(mut chunks) = answered.body else { panic!("{:?}", answered.body) };
    chunks.next().await.unwrap().unwrap();

    room.apply(&[("provider", "main", provider(&new)), ("route", "assistant", to("new"))]).await;
    let answered = room.ask("assistant").await.unwrap();
    assert_eq!((answered.target.as_str(), new.count(), old.count()), ("new", 1, 1));
    assert_eq!(room.settled_once().await.target.as_deref(), Some("new"));
    assert!(room.none_settled(), "the stream goes on");
    drop(chunks);
    let record = room.settled_once().await;
    assert_eq!((record.status, record.target.as_deref()), (CallStatus::Cancelled, Some("old")));
}

#[tokio::test]
async fn how_a_target_stands_outlives_a_new_version() {
    let room = Room::open().await;
    let server = upstream(Script::always(Behaviour::status(500)));
    let spec = |tier: u32| {
        json!({
            "targets": [{"provider": "main", "model": "a", "tier": tier}],
            "retry": {"attempts": 0},
            "breaker": {"min_attempts": 2, "open_for": "10m"},
        })
    };
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", spec(0))]).await;
    for _ in 0..2 {
        room.ask("assistant").await.unwrap_err();
    }
    room.apply(&[("route", "assistant", spec(1))]).await;
    let health = room.gateway.health(room.project).await;
    assert!(matches!(health[0].standing, Standing::Open { .. }), "{health:?}");
    assert_eq!((health[0].attempts, health[0].failed["server"]), (2, 2));
}

#[tokio::test]
async fn what_another_process_applies_is_in_force_soon() {
    let room = Room::open().await;
    let server = upstream(Script::default());
    let (neighbour, _journal) = room.neighbour().await;
    assert!(!neighbour.knows(room.project, "assistant").await);
    room.apply_silently(&[("provider", "main", provider(&server)), ("route", "assistant", to("a"))]).await;
    let known = async {
        while !neighbour.knows(room.project, "assistant").await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), known).await.expect("it looks every second");
    assert_eq!(neighbour.call(room.request(&chat("assistant", false))).await.unwrap().target, "a");
}

#[tokio::test]
async fn a_key_that_changes_is_used_soon() {
    let room = Room::open().await;
    let server = upstream(Script::default());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, "the-first-key").unwrap();
    let mut place = provider(&server);
    place["credential"] = json!(format!("file:{}", file.display()));
    room.apply(&[("provider", "main", place), ("route", "assistant", to("a"))]).await;
    room.ask("assistant").await.unwrap();
    std::fs::write(&file, "the-second-key-is-longer").unwrap();
    let changed = async {
        loop {
            room.ask("assistant").await.unwrap();
            if server.seen().last().unwrap().header("authorization") == Some("Bearer the-second-key-is-longer") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), changed).await.expect("keys are looked up every second");
}

#[tokio::test]
async fn sticky_calls_stay_while_their_target_is_well() {
    let room = Room::open().await;
    let servers: Vec<_> = (0..3).map(|_| upstream(Script::default())).collect();
    let targets: Vec<Value> = (0..3).map(|n| json!({"provider": format!("p{n}"), "model": "m"})).collect();
    let spec = json!({"targets": targets, "sticky": "user", "retry": {"attempts": 0}});
    let mut specs: Vec<(&str, &str, Value)> = Vec::new();
    for (name, server) in ["p0", "p1", "p2"].into_iter().zip(&servers) {
        specs.push(("provider", name, provider(server)));
    }
    specs.push(("route", "assistant", spec));
    room.apply(&specs).await;
    let home = async |user: &str| {
        let mut body = chat("assistant", false);
        body["user"] = json!(user);
        room.gateway.call(room.request(&body)).await.unwrap().provider
    };
    let mut homes = std::collections::BTreeSet::new();
    for user in 0..12 {
        let user = format!("user-{user}");
        let first = home(&user).await;
        for _ in 0..3 {
            assert_eq!(home(&user).await, first, "{user}");
        }
        homes.insert(first);
    }
    assert!(homes.len() > 1, "users are spread: {homes:?}");
    let gone = home("ann").await;
    let index = usize::from(gone.as_bytes()[1] - b'0');
    servers[index].script(Script::always(Behaviour::status(503)));
    let elsewhere = home("ann").await;
    assert_ne!(elsewhere, gone);
    assert_eq!(home("ann").await, elsewhere, "the next by the same key");
}

#[tokio::test]
async fn a_busy_provider_hands_over_and_where_there_is_no_other_it_is_waited_for() {
    let room = Room::open().await;
    let slow = Behaviour { delay: Duration::from_millis(150), ..Behaviour::default() };
    let (narrow, wide) = (upstream(Script::always(slow)), upstream(Script::default()));
    let mut place = provider(&narrow);
    place["max_concurrent"] = json!(1);
    let targets = json!([{"provider": "narrow", "model": "a"}, {"provider": "wide", "model": "b"}]);
    room.apply(&[
        ("provider", "narrow", place),
        ("provider", "wide", provider(&wide)),
        ("route", "both", json!({"targets": targets, "choose": "first"})),
        ("route", "one", json!({"targets": [{"provider": "narrow", "model": "a"}]})),
    ])
    .await;
    let (first, second) = tokio::join!(room.ask("both"), room.ask("both"));
    let mut providers = [first.unwrap().provider, second.unwrap().provider];
    providers.sort();
    assert_eq!(providers, ["narrow", "wide"]);
    let (first, second, third) = tokio::join!(room.ask("one"), room.ask("one"), room.ask("one"));
    for answered in [first, second, third] {
        assert_eq!(answered.unwrap().provider, "narrow");
    }
    assert_eq!(narrow.count(), 4);
}

#[tokio::test]
async fn an_explanation_says_who_is_asked_and_why() {
    let room = Room::open().await;
    let (broken, well) = (upstream(Script::always(Behaviour::status(500))), upstream(Script::default()));
    let targets = json!([
        {"provider": "broken", "model": "a"},
        {"provider": "well", "model": "b", "context_window": 1000},
        {"provider": "well", "model": "c", "weight": 3, "tier": 1},
    ]);
    let spec = json!({
        "targets": targets, "choose": "first", "sticky": "session", "retry": {"attempts": 0},
        "breaker": {"min_attempts": 1, "open_for": "10m"}, "cache": {"ttl": "1h"},
    });
    room.apply(&[("provider", "broken", provider(&broken)), ("provider", "well", provider(&well)), ("route", "assistant", spec)])
        .await;
    room.ask("assistant").await.unwrap();
    let question = ExplainQuestion { input_tokens: Some(100), max_tokens: Some(50), ..ExplainQuestion::default() };
    let told = room.gateway.explain(&room.caller(), "assistant", &question).unwrap();
    assert_eq!((told.route.as_str(), told.sticky, told.cached, told.hedged), ("assistant@v1", None, true, false));
    let shown: Vec<_> = told.targets.iter().map(|target| (target.model.as_str(), target.place)).collect();
    assert_eq!(shown, [("b", Some(1)), ("c", Some(2)), ("a", None)]);
    assert_eq!(told.targets[0].why, "the only one of its tier that is well");
    assert!(told.targets[2].why.starts_with("its breaker is open for another "), "{}", told.targets[2].why);
    assert_eq!(told.targets[0].cost, Some(super::room::cost(100, 50)));
    let long = ExplainQuestion { input_tokens: Some(990), session: Some("s".to_owned()), ..question };
    let told = room.gateway.explain(&room.caller(), "assistant", &long).unwrap();
    assert!(told.sticky.is_some());
    let barred: Vec<_> =
        told.targets.iter().filter(|target| target.place.is_none()).map(|target| target.model.as_str()).collect();
    assert_eq!(barred, ["a", "b"]);
    assert!(room.gateway.explain(&room.caller(), "nobody", &ExplainQuestion::default()).is_err());
    // As a page or a terminal gets it.
    let json = serde_json::to_value(&told).unwrap();
    assert_eq!((&json["targets"][0]["state"], &json["choose"]), (&json!("closed"), &json!("first")));
}

#[tokio::test]
async fn an_explanation_says_whose_provider_is_busy() {
    let room = Room::open().await;
    let hangs = Behaviour { trouble: Some(Trouble::Hang(When::After(2))), ..Behaviour::default() };
    let (narrow, wide) = (upstream(Script::always(hangs)), upstream(Script::default()));
    let mut place = provider(&narrow);
    place["max_concurrent"] = json!(1);
    let targets = json!([{"provider": "narrow", "model": "a"}, {"provider": "wide", "model": "b"}]);
    room.apply(&[
        ("provider", "narrow", place),
        ("provider", "wide", provider(&wide)),
        ("route", "both", json!({"targets": targets, "choose": "first"})),
        ("route", "one", json!({"targets": [{"provider": "narrow", "model": "a"}]})),
    ])
    .await;
    let explain = |model: &str| room.gateway.explain(&room.caller(), model, &ExplainQuestion::default()).unwrap().targets;
    assert_eq!((explain("both")[0].model.as_str(), explain("both")[0].why.as_str()), ("a", "in the order written"));
    let held = room.gateway.call(room.request(&chat("both", true))).await.unwrap();
    let told = explain("both");
    let shown: Vec<_> = told.iter().map(|target| (target.model.as_str(), target.place)).collect();
    assert_eq!(shown, [("b", Some(1)), ("a", Some(2))]);
    assert!(told[1].why.contains("busy"), "{}", told[1].why);
    let alone = explain("one");
    assert_eq!((alone[0].place, alone[0].why.contains("waited for")), (Some(1), true), "{}", alone[0].why);
    drop(held);
}

#[tokio::test]
async fn health_tells_what_targets_did() {
    let room = Room::open().await;
    let server = upstream(Script::default().then(Behaviour::status(429)).then(Behaviour::status(400)));
    let mut spec = to("a");
    spec["retry"] = json!({"attempts": 0});
    room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", spec)]).await;
    for _ in 0..4 {
        let _ = room.ask("assistant").await;
    }
    let health = room.gateway.health(room.project).await;
    let target = &health[0];
    assert_eq!((target.route.as_deref(), target.provider.as_str(), target.model.as_str()), (Some("assistant"), "main", "a"));
    assert_eq!((target.attempts, target.recent, target.in_flight), (4, 4, 0));
    assert_eq!((target.failed["rate_limited"], target.failed["invalid"]), (1, 1));
    assert_eq!((target.input_tokens, target.output_tokens, target.spend), (24, 16, super::room::cost(24, 16)));
    assert!(target.begin_p50_ms.is_none() && target.whole_p50_ms.is_some(), "no stream has begun: {target:?}");
    room.gateway.publish();
    let metrics = room.metrics.render();
    for line in [
        "mainspring_gateway_attempts_total{provider=\"main\"} 4",
        "mainspring_gateway_failures_total{provider=\"main\",class=\"rate_limited\"} 1",
        "mainspring_gateway_tokens_total{provider=\"main\",direction=\"output\"} 16",
        "mainspring_gateway_calls_total{operation=\"chat\",status=\"ok\"} 2",
        "mainspring_gateway_calls_total{operation=\"chat\",status=\"failed\"} 2",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
}

#[tokio::test]
async fn a_response_is_gone_on_from_where_it_was_made() {
    let room = Room::open().await;
    let (one, two) = (upstream(Script::default()), upstream(Script::default()));
    let place = |server: &Upstream| json!({"type": "azure", "base_url": format!("{}/openai/v1", server.url())});
    let targets = json!([{"provider": "one", "model": "m"}, {"provider": "two", "model": "m"}]);
    room.apply(&[
        ("provider", "one", place(&one)),
        ("provider", "two", place(&two)),
        ("route", "assistant", json!({"targets": targets})),
    ])
    .await;
    let ask = async |model: &str, stream: bool, previous: Option<&str>| {
        let mut request =
            room.request(&json!({"model": model, "input": "hello", "stream": stream, "previous_response_id": previous}));
        request.operation = Operation::Responses;
        request.said_in = Dialect::OpenAiResponses;
        let answered = room.gateway.call(request).await.unwrap();
        (answered.provider.clone(), drain(answered.body).await.0)
    };
    for (server, name) in [(&one, "one"), (&two, "two")] {
        let made = |id: &str| json!({"id": id, "object": "response", "status": "completed", "output": []});
        let whole = made(&format!("resp_{name}_whole")).to_string();
        let events = ["response.created", "response.completed"].map(|kind| {
            let data = json!({"type": kind, "response": made(&format!("resp_{name}_streamed"))});
            format!("event: {kind}\ndata: {data}\n\n")
        });
        for (stream, body) in [(false, whole), (true, events.concat())] {
            server.script(Script::default().then(Behaviour { body: Some(body), ..Behaviour::default() }));
            let (answered, text) = ask(&format!("{name}/m"), stream, None).await;
            assert_eq!((answered.as_str(), text.contains("completed")), (name, true), "{text}");
        }
    }
    for (previous, provider) in
        [("resp_one_whole", "one"), ("resp_two_streamed", "two"), ("resp_two_whole", "two"), ("resp_one_streamed", "one")]
    {
        for at in 0..12 {
            assert_eq!(ask("assistant", at % 2 == 0, Some(previous)).await.0, provider, "{previous}");
        }
    }
    one.script(Script::always(Behaviour::status(503)));
    assert_eq!(ask("assistant", false, Some("resp_one_whole")).await.0, "two", "one that fails hands over as always");
}
