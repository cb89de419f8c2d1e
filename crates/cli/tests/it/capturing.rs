//! What a project does not keep is nowhere: not in a table, not in a file that waits, not in the log; and of traces only those
//! that are wanted.

use std::path::Path;

use bytes::Bytes;
use mainspring_kernel::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::running::{Reply, Server, User, refused, run, until};

const MAIL: &str = "zukamirel.secret@example.org";
const CARD: &str = "4111 1111 1111 1111";
const KEY: &str = "sk-zukamirel0123456789abcdef";
const NUMBER: &str = "ZK-77801";
/// Without a shape by which it could be known.
const WORDS: &str = "the zukamirel sleeps in the cellar";

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// A span as an exporter sends it, full of what is not to be kept.
fn span(trace: &str, id: &str, parent: &str, failed: bool) -> Value {
    let now = SystemClock.now().as_nanos();
    let all = format!("{WORDS}; write {MAIL}, pay {CARD}, with {KEY}, as {NUMBER}");
    let messages = json!([{"role": "user", "parts": [{"type": "text", "content": all}]}]).to_string();
    let status = if failed { json!({"code": 2, "message": all}) } else { json!({}) };
    json!({
        "traceId": trace, "spanId": id, "parentSpanId": parent, "name": "chat", "kind": 3,
        "startTimeUnixNano": now.to_string(), "endTimeUnixNano": (now + 1_000).to_string(), "status": status,
        "attributes": [
            text("gen_ai.request.model", "gpt"), text("gen_ai.input.messages", &messages), text("user.id", MAIL),
            text("input.value", &json!({"query": all, "deep": json!({"mail": MAIL}).to_string()}).to_string()),
            text("my.own.note", &all),
        ],
        "events": [
            {"timeUnixNano": now.to_string(), "name": "exception", "attributes": [text("exception.message", &all)]},
            {"timeUnixNano": now.to_string(), "name": "gen_ai.user.message", "attributes": [text("content", &all)]},
        ],
    })
}

fn record() -> Value {
    let now = SystemClock.now().as_nanos().to_string();
    let all = format!("{WORDS} {MAIL} {CARD} {KEY} {NUMBER}");
    json!({"timeUnixNano": now, "body": {"stringValue": all}, "attributes": [text("my.own.note", &all)]})
}

fn point() -> Value {
    let now = SystemClock.now().as_nanos().to_string();
    let all = format!("{WORDS} {MAIL} {CARD} {KEY} {NUMBER}");
    json!({"timeUnixNano": now, "asDouble": 1.5, "attributes": [text("my.own.note", &all), text("user.id", MAIL)]})
}

async fn within(user: &User, project: &str, method: &str, path: &str, body: &Value) -> Reply {
    let request = http::Request::builder().method(method).uri(path).header("x-mainspring-project", project);
    let body = if method == "GET" { Bytes::new() } else { Bytes::from(body.to_string()) };
    user.send(request.header(http::header::CONTENT_TYPE, "application/json").body(body).unwrap()).await
}

async fn send(user: &User, project: &str, spans: Vec<Value>) {
    let body = json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]});
    let reply = within(user, project, "POST", "/v1/traces", &body).await;
    assert_eq!((reply.status, reply.text.as_str()), (200, "{}"));
}

async fn send_others(user: &User, project: &str) {
    let logs = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record()]}]}]});
    let metrics = json!({"name": "queue", "gauge": {"dataPoints": [point()]}});
    let metrics = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metrics]}]}]});
    for (path, body) in [("/v1/logs", logs), ("/v1/metrics", metrics)] {
        let reply = within(user, project, "POST", path, &body).await;
        assert_eq!((reply.status, reply.text.as_str()), (200, "{}"), "{path}");
    }
}

async fn trace(user: &User, project: &str, id: &str) -> Reply {
    within(user, project, "GET", &format!("/api/v1/traces/{id}"), &Value::Null).await
}

async fn spans_of(user: &User, project: &str, id: &str) -> usize {
    let reply = trace(user, project, id).await;
    if reply.status == 404 { 0 } else { reply.json()["spans"].as_array().unwrap().len() }
}

fn below(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, found);
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path.display().to_string(), bytes));
        }
    }
}

#[track_caller]
fn nowhere(data: &Path, log: String, words: &[&str]) {
    let mut files = vec![("the log".to_owned(), log.into_bytes())];
    below(data, &mut files);
    for (name, bytes) in &files {
        for word in words {
            let there = bytes.windows(word.len()).any(|part| part == word.as_bytes());
            assert!(!there, "`{word}` is in {name}");
        }
    }
}

fn id(n: u8) -> String {
    format!("{:032x}", 0x5b8e_fff7_9803_8103_0000_0000_0000_0000_u128 + u128::from(n))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_project_does_not_keep_is_nowhere_in_the_data_directory() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(data.path(), &["serve"], &[("MAINSPRING_LOG", "debug")]);
    let user = User::of(&server, None);
    for project in ["bare", "clean"] {
        run(data.path(), &["projects", "create", project]);
    }
    let set = run(data.path(), &["capture", "set", "--capture", "none", "--project", "bare"]);
    assert_eq!((&set["effective"], &set["revision"]), (&json!("none"), &json!(1)));
    let set = ["capture", "set", "--capture", "redacted", "--pattern", r"customer=\bZK-\d+\b", "--project", "clean"];
    assert_eq!(run(data.path(), &set)["patterns"], json!([{"name": "customer", "pattern": r"\bZK-\d+\b"}]));

    let traces = [id(1), id(2)];
    for (project, trace) in ["bare", "clean"].into_iter().zip(&traces) {
        let children =
            vec![span(trace, "00f067aa0ba902b8", "00f067aa0ba902b7", true), span(trace, "00f067aa0ba902b7", "", false)];
        send(&user, project, children).await;
        send_others(&user, project).await;
    }
    // A large value goes by another way.
    let mut large = span(&id(3), "00f067aa0ba902b9", "", false);
    let words = format!("{} {MAIL} {CARD} {KEY} {NUMBER}", "word ".repeat(60_000));
    large["attributes"].as_array_mut().unwrap().push(text("output.value", &words));
    send(&user, "clean", vec![large]).await;

    let bare = trace(&user, "bare", &traces[0]).await.json().to_string();
    let clean = trace(&user, "clean", &traces[1]).await.json().to_string();
    assert!(bare.contains("\"gpt\"") && !bare.contains("zukamirel"), "{bare}");
    assert!(clean.contains(WORDS), "what has no shape is kept: {clean}");
    for word in ["[email]", "[card]", "[secret]", "[customer]", "mainspring.redacted"] {
        assert!(clean.contains(word), "{word}: {clean}");
    }
    for project in ["bare", "clean"] {
        let points = within(&user, project, "GET", "/api/v1/metric-points", &Value::Null).await.json();
        assert_eq!(points["items"].as_array().unwrap().len(), 1, "{points}");
    }
    assert_eq!(spans_of(&user, "clean", &id(3)).await, 1);
    let shown = run(data.path(), &["capture", "show", "--project", "clean"]);
    assert!(shown["here"]["redacted"].as_u64().unwrap() > 10, "{shown}");
    nowhere(data.path(), server.said(), &[MAIL, CARD, KEY, NUMBER]);
    let log = server.said();
    drop(server);
    nowhere(data.path(), log, &[MAIL, CARD, KEY, NUMBER]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_traces_that_are_not_chosen_those_with_an_error_are_kept_whole_also_over_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    run(data.path(), &["projects", "create", "shop"]);
    // From outside the project: what is written in it is a trace of it.
    let set = json!({"share": 0, "hold_seconds": 60});
    let set = within(&user, "default", "PUT", "/api/v1/projects/shop/capture", &set).await;
    assert_eq!((set.status, &set.json()["share"]), (200, &json!(0.0)));
    let (root, child, other) = ("00f067aa0ba902b7", "00f067aa0ba902b8", "00f067aa0ba902b9");
    let [quiet, broken, killed] = [id(11), id(12), id(13)];
    send(&user, "shop", vec![span(&quiet, child, root, false)]).await;
    send(&user, "shop", vec![span(&broken, child, root, false)]).await;
    send(&user, "shop", vec![span(&killed, child, root, false)]).await;
    assert_eq!([spans_of(&user, "shop", &quiet).await, spans_of(&user, "shop", &broken).await], [0, 0]);
    let held = run(data.path(), &["capture", "show", "--project", "shop"]);
    assert_eq!(held["here"]["held"], json!(3));

    // An error, and what was held before it is there when the answer comes.
    send(&user, "shop", vec![span(&broken, other, root, true), span(&broken, root, "", false)]).await;
    until("the whole trace", async || spans_of(&user, "shop", &broken).await == 3).await;
    send(&user, "shop", vec![span(&quiet, root, "", false)]).await;
    server.kill();

    // What was acknowledged and held is taken up, and waits for its outcome again.
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    send(&user, "shop", vec![span(&killed, root, "", true)]).await;
    until("the trace of before the kill", async || spans_of(&user, "shop", &killed).await == 2).await;
    let settled = async || run(data.path(), &["capture", "show", "--project", "shop"])["here"]["held"] == json!(0);
    until("the time of the quiet one", settled).await;
    assert_eq!(spans_of(&user, "shop", &quiet).await, 0);
    assert_eq!(spans_of(&user, "shop", &broken).await, 3);
    let shown = run(data.path(), &["capture", "show", "--project", "shop"]);
    assert_eq!(shown["here"]["left_out_by_outcome"], json!(2), "{shown}");
    assert!(user.get("/metrics").await.text.contains("mainspring_spans_sampled_out_total{reason=\"outcome\"} 2"));
    let list = within(&user, "shop", "GET", "/api/v1/traces", &Value::Null).await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 2, "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_tried_set_by_admins_and_in_the_audit_log() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(data.path(), &["serve"], &[("MAINSPRING_CAPTURE", "redacted")]);
    let user = User::of(&server, None);
    let path = "/api/v1/projects/default/capture";
    let shown = user.get(path).await.json();
    assert_eq!((&shown["effective"], &shown["server"], &shown["revision"]), (&json!("redacted"), &json!("redacted"), &json!(0)));
    let tried = run(data.path(), &["capture", "preview", &format!("write {MAIL}")]);
    assert_eq!((&tried["text"], &tried["found"]), (&json!("write [email]"), &json!([{"name": "email", "count": 1}])));
    let draft = json!({"text": NUMBER, "policy": {"patterns": [{"name": "number", "pattern": "ZK-[0-9]+"}]}});
    assert_eq!(user.post(&format!("{path}/preview"), &draft).await.json()["text"], json!("[number]"));

    assert_eq!(refused(data.path(), &["capture", "set", "--capture", "full"])["code"], json!("capture-above-server"));
    assert_eq!(refused(data.path(), &["capture", "set", "--share", "2"])["code"], json!("capture-invalid"));
    run(data.path(), &["capture", "set", "--capture", "metadata"]);
    let stale = refused(data.path(), &["capture", "set", "--capture", "none", "--expected", "0"]);
    assert_eq!(stale["code"], json!("capture-moved"));
    let key = run(data.path(), &["keys", "create", "ed", "--role", "editor"]);
    let editor = User::of(&server, key["secret"].as_str());
    assert_eq!(editor.get(path).await.json()["code"], json!("role-too-low"));
    let missing = user.get("/api/v1/projects/nowhere/capture").await;
    assert_eq!((missing.status, &missing.json()["code"]), (404, &json!("identity-project-not-found")));
    let log = run(data.path(), &["audit"]);
    let set = log["items"].as_array().unwrap().iter().filter(|entry| entry["action"] == "capture.set").count();
    assert_eq!(set, 1, "{log}");
}
