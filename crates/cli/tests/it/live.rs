//! Calls as they happen, and as they are listed the moment they have ended.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::Duration,
};

use mainspring_client::Events;
use mainspring_testservers::upstream::{Behaviour, Script, Upstream, Used};
use serde_json::{Value, json};

use crate::running::{Server, User, apply_all, command, run};

const LIVE: &str = "/api/v1/calls/live";

/// The next event that is not one of what is under way.
async fn next(events: &mut Events) -> Value {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(60), events.next()).await.expect("something is told");
        let event: Value = serde_json::from_str(&next.expect("the stream goes on").unwrap()).unwrap();
        if event["event"] != "open" {
            return event;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_told_as_they_happen_to_their_own_project_only() {
    // Slow enough to be seen, and to be found under way.
    let slow = Behaviour { gap: Duration::from_millis(100), chunks: 20, bytes: Some(60), ..Behaviour::default() };
    let upstream = Upstream::start(Script::always(slow)).unwrap();
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let server = Server::start(data, "127.0.0.1");
    let of =
        |kind: &str, name: &str, spec: Value| json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec});
    let base = format!("{}/v1", upstream.url());
    let targets = json!({"targets": [{"provider": "here", "model": "small"}]});
    apply_all(data, &[of("provider", "here", json!({"type": "openai", "base_url": base})), of("route", "assistant", targets)]);
    run(data, &["projects", "create", "elsewhere"]);
    let made = run(data, &["keys", "create", "theirs", "--role", "admin", "--project", "elsewhere"]);
    let stranger = User::of(&server, made["secret"].as_str());

    let mut events = server.client().events(LIVE).await.unwrap();
    let opening: Value = serde_json::from_str(&events.next().await.unwrap().unwrap()).unwrap();
    assert_eq!(opening, json!({"event": "open", "calls": [], "more": false}));
    let user = User::of(&server, None);
    let messages = json!([{"role": "user", "content": "Say something."}]);
    let chat = json!({"model": "assistant", "user": "ann", "stream": true, "messages": messages});
    let (answer, (started, settled)) = tokio::join!(user.post("/v1/chat/completions", &chat), async {
        let started = next(&mut events).await;
        assert_eq!((&started["event"], &started["stream"]), (&json!("started"), &json!(true)), "{started}");
        assert_eq!((&started["user"], &started["route"]), (&json!("ann"), &json!("assistant")), "{started}");
        let going = next(&mut events).await;
        assert_eq!((&going["event"], &going["id"]), (&json!("answering"), &started["id"]), "{going}");
        assert_eq!((&going["provider"], &going["target"]), (&json!("here"), &json!("small")), "{going}");
        // It is under way for whoever begins to look now, and for nobody of another project.
        let open = user.get(&format!("{LIVE}?follow=false")).await.text;
        assert!(open.starts_with("event: open\n") && open.contains(started["id"].as_str().unwrap()), "{open}");
        let elsewhere = stranger.get(&format!("{LIVE}?follow=false")).await.text;
        assert!(elsewhere.contains(r#""calls":[]"#), "{elsewhere}");
        loop {
            let event = next(&mut events).await;
            if event["event"] == "settled" {
                return (started, event);
            }
            assert_eq!((&event["event"], &event["id"]), (&json!("answering"), &started["id"]), "{event}");
        }
    });
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!((&settled["id"], &settled["status"]), (&started["id"], &json!("ok")), "{settled}");
    assert!(settled["first_ms"].is_u64() && settled["usage"]["output_tokens"] == 8, "{settled}");

    // It is in the list at once, also under its trace.
    let trace = settled["trace_id"].as_str().unwrap();
    let listed = user.get(&format!("/api/v1/calls?trace={trace}")).await.json();
    assert_eq!((&listed["items"][0]["id"], listed["items"].as_array().map(Vec::len)), (&started["id"], Some(1)), "{listed}");
    let history = user.get("/api/v1/routes/history").await.json();
    let first = &history["items"][0];
    assert_eq!((&first["route"], &first["minutes"][0]["attempts"]), (&json!("assistant"), &json!(1)), "{history}");
    assert_eq!(user.get("/api/v1/calls?trace=nonsense").await.json()["code"], "query-invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_follows_the_calls_it_asked_for() {
    let upstream = Upstream::start(Script::always(Behaviour::saying("Something."))).unwrap();
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let spec = json!({"type": "openai", "base_url": format!("{}/v1", upstream.url())});
    apply_all(data.path(), &[json!({"apiVersion": "mainspring/v1", "kind": "provider", "name": "here", "spec": spec})]);
    let mut following =
        command(data.path()).args(["calls", "--follow", "--user", "ann", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || told.send(lines.next()));
    let user = User::of(&server, None);
    let messages = json!([{"role": "user", "content": "Say something."}]);
    let call: Value = loop {
        // Whoever follows may not be there yet.
        for who in ["bob", "ann"] {
            let chat = json!({"model": "here/small", "user": who, "messages": messages});
            assert_eq!(user.post("/v1/chat/completions", &chat).await.status, 200);
        }
        if let Ok(line) = heard.recv_timeout(Duration::from_millis(200)) {
            break serde_json::from_str(&line.unwrap().unwrap()).unwrap();
        }
    };
    following.kill().unwrap();
    following.wait().unwrap();
    assert_eq!((&call["user"], &call["model"], &call["status"]), (&json!("ann"), &json!("here/small"), &json!("ok")), "{call}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_number_of_a_call_says_where_it_comes_from() {
    let used = Used { input: 1_000, output: 80, cache_read: 600, cache_write: 0, reasoning: 40 };
    let upstream = Upstream::start(Script::always(Behaviour { usage: Some(used), ..Behaviour::default() })).unwrap();
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let spec = json!({"type": "openai", "base_url": format!("{}/v1", upstream.url())});
    apply_all(data.path(), &[json!({"apiVersion": "mainspring/v1", "kind": "provider", "name": "here", "spec": spec})]);
    let user = User::of(&server, None);
    let chat = json!({"model": "here/small", "messages": [{"role": "user", "content": "Say something."}]});
    assert_eq!(user.post("/v1/chat/completions", &chat).await.status, 200);
    for listed in [user.get("/api/v1/calls").await.json(), run(data.path(), &["calls"])] {
        let usage = listed["items"][0]["usage"].as_object().unwrap();
        let marks: Vec<(&str, &Value)> =
            usage.iter().filter(|(name, _)| name.ends_with("_from")).map(|(name, from)| (name.as_str(), from)).collect();
        let reported = ["input_from", "output_from", "cache_read_from", "reasoning_from"];
        assert_eq!(marks.len(), reported.len(), "nobody told what there is not: {listed}");
        assert!(reported.iter().all(|name| marks.contains(&(*name, &json!("reported")))), "{listed}");
        assert_eq!((&usage["cache_read_tokens"], &usage["reasoning_tokens"]), (&json!(600), &json!(40)), "{listed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_has_just_ended_is_listed_and_counted_at_once() {
    let upstream = Upstream::start(Script::always(Behaviour::saying("Something."))).unwrap();
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let spec = json!({"type": "openai", "base_url": format!("{}/v1", upstream.url())});
    apply_all(data.path(), &[json!({"apiVersion": "mainspring/v1", "kind": "provider", "name": "here", "spec": spec})]);
    let user = User::of(&server, None);
    let chat = json!({"model": "here/small", "messages": [{"role": "user", "content": "Say something."}]});
    for calls in 1..=5_usize {
        assert_eq!(user.post("/v1/chat/completions", &chat).await.status, 200);
        let listed = user.get("/api/v1/calls").await.json();
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(calls), "{listed}");
        assert_eq!(user.get("/api/v1/usage?by=provider").await.json()["total"]["calls"], json!(calls));
    }
}
