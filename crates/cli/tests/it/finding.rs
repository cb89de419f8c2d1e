//! Traces that other programs sent: found, counted, measured, followed and exported.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::Stdio,
    time::Duration,
};

use mainspring_kernel::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::running::{Server, User, command, refused, run};

const TRACE: &str = "5b8efff798038103d269b633813fc60c";

/// An entry and a call of a model below it that failed, as an exporter sends them.
fn sent(name: &str, span: &str) -> Value {
    let now = SystemClock.now().as_nanos();
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let whole = |key: &str, value: i64| json!({"key": key, "value": {"intValue": value.to_string()}});
    json!({"resourceSpans": [{
        "resource": {"attributes": [text("service.name", "shop"), text("host.name", "till")]},
        "scopeSpans": [{"scope": {"name": "checkout", "version": "1.2"}, "spans": [
            {
                "traceId": TRACE, "spanId": format!("{span}1"), "name": name, "kind": 1,
                "startTimeUnixNano": (now - 2_000_000_000).to_string(), "endTimeUnixNano": now.to_string(),
                "attributes": [
                    text("session.id", "s-1"), text("user.id", "ann"),
                    {"key": "basket", "value": {"arrayValue": {"values": [{"stringValue": "tea"}, {"intValue": "2"}, {"doubleValue": 0.5}]}}},
                ],
                "events": [{"timeUnixNano": (now - 1_000_000_000).to_string(), "name": "paid", "attributes": [{"key": "cash", "value": {"boolValue": true}}]}],
                "links": [{"traceId": "00000000000000000000000000000abc", "spanId": "00000000000000ab"}],
                "status": {"code": 1},
            },
            {
                "traceId": TRACE, "spanId": format!("{span}2"), "parentSpanId": format!("{span}1"), "name": "chat gpt", "kind": 3,
                "startTimeUnixNano": (now - 1_500_000_000).to_string(), "endTimeUnixNano": (now - 500_000_000).to_string(),
                "attributes": [
                    text("gen_ai.operation.name", "chat"), text("gen_ai.request.model", "gpt"),
                    whole("gen_ai.usage.input_tokens", 12), whole("gen_ai.usage.output_tokens", 3),
                ],
                "status": {"code": 2, "message": "refused"},
            },
        ]}],
    }]})
}

async fn send(user: &User, spans: &Value) {
    let reply = user.post("/v1/traces", spans).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_sent_is_found_by_filters_and_counted_and_measured() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let server = Server::start(data, "127.0.0.1");
    send(&User::of(&server, None), &sent("checkout", "00000000000000f")).await;

    let listed = run(data, &["traces", "list", "--filter", "service = shop and user = ann and start > -1h"]);
    let [trace] = listed["items"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert_eq!((&trace["trace_id"], &trace["name"], &trace["session"]), (&json!(TRACE), &json!("checkout"), &json!("s-1")));
    assert_eq!((&trace["input_tokens"], &trace["spans"], &trace["errors"]), (&json!(12), &json!(2), &json!(1)), "{trace}");
    assert_eq!(run(data, &["traces"])["items"], listed["items"]);
    let listed = run(data, &["traces", "list", "--spans", "--filter", "error and duration >= 1s and model = gpt"]);
    assert_eq!((&listed["items"][0]["error"], &listed["items"][0]["kind"]), (&json!("refused"), &json!("chat")), "{listed}");
    assert_eq!(run(data, &["traces", "count", "--filter", "error"])["count"], 0);
    assert_eq!(run(data, &["traces", "count", "--spans", "--filter", "error"]), json!({"count": 1, "exact": true}));
    assert_eq!(run(data, &["traces", "show", TRACE])["spans"].as_array().map(Vec::len), Some(2));
    assert_eq!(run(data, &["traces", TRACE]), run(data, &["traces", "show", TRACE]));
    let shown = command(data).args(["traces", TRACE]).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&shown.stdout),
        "checkout  2.0 s  ok\n└─ chat gpt  1.0 s  ✗ refused  12 → 3 tokens\n",
        "{}",
        String::from_utf8_lossy(&shown.stderr)
    );

    let sessions = run(data, &["traces", "sessions"]);
    assert_eq!(
        (&sessions["items"][0]["session"], &sessions["items"][0]["output_tokens"]),
        (&json!("s-1"), &json!(3)),
        "{sessions}"
    );
    assert_eq!(run(data, &["traces", "sessions", "s-1"])["items"][0]["trace_id"], TRACE);
    assert_eq!(run(data, &["traces", "users"])["items"][0]["user"], "ann");
    let by = run(data, &["traces", "metrics", "--by", "model", "--measures", "count,error_rate", "--filter", "model exists"]);
    assert_eq!(by["rows"], json!([{"keys": {"model": "gpt"}, "values": {"count": 1.0, "error_rate": 1.0}}]), "{by}");

    let fault = refused(data, &["traces", "list", "--filter", "modle = gpt"]);
    assert_eq!((&fault["code"], &fault["hint"]), (&json!("trace-filter-invalid"), &json!("did you mean `model`?")), "{fault}");
    for route in ["traces/export", "traces/count", "spans"] {
        let reply = User::of(&server, None).get(&format!("/api/v1/{route}?fliter=error")).await;
        let fault = reply.json();
        let said = (reply.status, &fault["code"], &fault["hint"]);
        assert_eq!(said, (400, &json!("query-invalid"), &json!("did you mean `filter`?")), "{route}: {fault}");
    }
    let fault = User::of(&server, None).get("/api/v1/traces?status=failed").await.json();
    assert_eq!((&fault["code"], &fault["hint"]), (&json!("query-invalid"), &json!("it is one of ok, error, unset")), "{fault}");
    assert_eq!(refused(data, &["traces", "sessions", "s-2"])["code"], "session-not-found");
    assert_eq!(refused(data, &["traces", "metrics", "--by", "content"])["code"], "trace-question-invalid");
}

fn export(data: &Path, format: &str) -> Vec<Value> {
    let path = data.join(format!("spans.{format}"));
    let saved = run(data, &["traces", "export", "--format", format, "--out", path.to_str().unwrap()]);
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(saved["bytes"], json!(text.len()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_as_otlp_is_taken_by_another_project_as_the_same() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let server = Server::start(data, "127.0.0.1");
    send(&User::of(&server, None), &sent("checkout", "00000000000000f")).await;
    run(data, &["projects", "create", "elsewhere"]);
    let made = run(data, &["keys", "create", "theirs", "--role", "admin", "--project", "elsewhere"]);
    let stranger = User::of(&server, made["secret"].as_str());
    assert!(!stranger.get("/api/v1/traces/export").await.text.contains(TRACE));

    let ours: Vec<Value> = export(data, "jsonl").into_iter().filter(|span| span["trace"] == TRACE).collect();
    assert_eq!(ours.iter().map(|span| span["name"].as_str().unwrap()).collect::<Vec<_>>(), ["checkout", "chat gpt"]);
    for request in export(data, "otlp-json") {
        send(&stranger, &request).await;
    }
    let exported = stranger.get("/api/v1/traces/export?format=jsonl&filter=service%20%3D%20shop").await.text;
    let theirs: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(theirs, ours);
    assert_eq!(stranger.get("/api/v1/traces/export?format=csv").await.json()["code"], "query-invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_follows_the_traces_it_asked_for() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let server = Server::start(data, "127.0.0.1");
    let args = ["traces", "tail", "--filter", "name = wanted", "--json"];
    let mut following = command(data).args(args).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || told.send(lines.next()));
    let user = User::of(&server, None);
    let mut round = 0;
    let span: Value = loop {
        // Whoever follows may not be there yet.
        round += 1;
        for (name, kind) in [("other", 1), ("wanted", 2)] {
            send(&user, &sent(name, &format!("{kind}{round:014}"))).await;
        }
        if let Ok(line) = heard.recv_timeout(Duration::from_millis(200)) {
            break serde_json::from_str(&line.unwrap().unwrap()).unwrap();
        }
    };
    following.kill().unwrap();
    following.wait().unwrap();
    assert_eq!((&span["name"], &span["trace_id"], &span["entry"]), (&json!("wanted"), &json!(TRACE), &json!(true)), "{span}");
}

/// Lines until one names this span, with those before it.
fn until_told(heard: &std::sync::mpsc::Receiver<Value>, span: &str) -> Vec<Value> {
    let mut lines = Vec::new();
    loop {
        let line = heard.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|error| panic!("{span}: {error}: {lines:?}"));
        let is_it = line["span"] == span;
        lines.push(line);
        if is_it {
            return lines;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_goes_on_following_when_the_server_is_back_and_shows_each_span_once() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let server = Server::start(data, "127.0.0.1");
    let mut following = command(data).args(["traces", "tail", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || lines.for_each(|line| drop(told.send(serde_json::from_str::<Value>(&line.unwrap()).unwrap()))));
    let user = User::of(&server, None);
    let mut round = 0;
    loop {
        // Whoever follows may not be there yet.
        round += 1;
        send(&user, &sent("before", &format!("1{round:014}"))).await;
        if heard.recv_timeout(Duration::from_millis(200)).is_ok() {
            break;
        }
    }

    let url = server.url.clone();
    server.terminate();
    let server = Server::start_at(data, &url);
    let user = User::of(&server, None);
    // Whoever follows may hear of it as it comes, or find it in the list.
    send(&user, &sent("between", "200000000000000")).await;
    let mut lines = until_told(&heard, "2000000000000001");
    send(&user, &sent("after", "300000000000000")).await;
    lines.extend(until_told(&heard, "3000000000000001"));
    following.kill().unwrap();
    following.wait().unwrap();
    let mut shown: Vec<&str> = lines.iter().map(|line| line["span"].as_str().unwrap()).collect();
    shown.sort_unstable();
    let all = shown.len();
    shown.dedup();
    assert_eq!(shown.len(), all, "{lines:?}");
}
