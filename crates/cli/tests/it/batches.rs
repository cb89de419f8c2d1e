//! Batches of the real binary: what survives a kill in the middle, what they cost, and the commands that show them.

use std::{collections::BTreeMap, path::Path, time::Duration};

use mainspring_testservers::upstream::{Behaviour, Script, Upstream};
use serde_json::{Value, json};

use crate::running::{Server, User, apply_all, refused, run, until};

const LINES: usize = 120;

fn asset(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec})
}

/// A route over one provider, at a dollar and two for a million tokens, and half of that in batches.
fn specs(upstream: &Upstream) -> Vec<Value> {
    let price = json!({"model": "*", "input": 1, "output": 2, "batch": {"input": "0.5", "output": 1}});
    let target = json!({"provider": "first", "model": "small"});
    let steps = json!([{"prompt": {"use": "teller"}}, {"model": {"name": "assistant"}}]);
    let message = json!({"role": "user", "content": "Tell of {{ question }}"});
    vec![
        asset("provider", "first", json!({"type": "openai", "base_url": format!("{}/v1", upstream.url())})),
        asset("route", "assistant", json!({"targets": [target], "retry": {"attempts": 0}})),
        asset("prompt", "teller", json!({"parameters": {"question": {}}, "messages": [message]})),
        asset("chain", "teller", json!({ "steps": steps })),
        asset("app", "teller", json!({"chain": "teller"})),
        asset("prices", "default", json!({"models": [price]})),
    ]
}

fn line(name: &str, model: &str) -> String {
    let body = json!({"model": model, "messages": [{"role": "user", "content": name}]});
    json!({"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body}).to_string()
}

fn file(folder: &Path, lines: &[String]) -> String {
    let path = folder.join("lines.jsonl");
    std::fs::write(&path, lines.join("\n")).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The names of results, each as often as it is there.
fn names(results: &[Value]) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for result in results {
        *names.entry(result["custom_id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    names
}

fn results(data: &Path, id: &str) -> Vec<Value> {
    run(data, &["batches", "results", id, "--limit", "1000"])["items"].as_array().unwrap().clone()
}

fn answered(batch: &Value) -> u64 {
    batch["completed"].as_u64().unwrap() + batch["failed"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_survives_kills_and_every_line_has_one_result() {
    let slow = Behaviour { delay: Duration::from_millis(300), ..Behaviour::saying("Hi.") };
    let upstream = Upstream::start(Script::always(slow)).unwrap();
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut server = Server::start(data.path(), "127.0.0.1");
    apply_all(data.path(), &specs(&upstream));
    let lines: Vec<String> = (0..LINES).map(|n| line(&format!("line-{n}"), "assistant")).collect();
    let submitted = run(data.path(), &["batches", "submit", &file(folder.path(), &lines), "--metadata", "for=a test"]);
    let id = submitted["id"].as_str().unwrap().to_owned();
    assert_eq!(submitted["metadata"], json!({"for": "a test"}));
    let mut before = 0;
    for kill in 1..=3 {
        let enough = before + 5;
        let (user, show) = (User::of(&server, None), format!("/api/v1/batches/{id}"));
        until("some results", async || answered(&user.get(&show).await.json()) >= enough).await;
        server.kill();
        // What was counted is there, and no more of it: this command opens the directory by itself.
        let (counted, there) = (answered(&run(data.path(), &["batches", "show", &id])), results(data.path(), &id));
        assert_eq!(there.len() as u64, counted, "kill {kill}");
        assert!(counted < LINES as u64, "it was over before kill {kill}");
        before = counted;
        server = Server::start(data.path(), "127.0.0.1");
    }
    until("the end", async || run(data.path(), &["batches", "show", &id])["ended_at"].is_string()).await;
    let batch = run(data.path(), &["batches", "show", &id]);
    assert_eq!(
        (&batch["status"], &batch["completed"], &batch["failed"]),
        (&json!("completed"), &json!(LINES), &json!(0)),
        "{batch}"
    );
    let there = names(&results(data.path(), &id));
    assert!(there.len() == LINES && there.values().all(|times| *times == 1), "{there:?}");
    let user = User::of(&server, None);
    let output = user.get(&format!("/v1/files/{}/content", batch["output_file"].as_str().unwrap())).await.text;
    let output: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(names(&output), there);
    // Only lines that were under way, or answered a moment before, were asked twice, and each call is settled once.
    let calls = async || run(data.path(), &["calls", "--limit", "1000"])["items"].as_array().unwrap().clone();
    let asked = upstream.count();
    assert!((LINES as u64..=LINES as u64 + 3 * 16).contains(&asked), "{asked}");
    let settled = |calls: &[Value], status: &str| calls.iter().filter(|call| call["status"] == status).count();
    until("every call", async || settled(&calls().await, "ok") >= LINES).await;
    let calls = calls().await;
    let broken = settled(&calls, "interrupted");
    assert!(broken > 0 && calls.len() as u64 <= LINES as u64 + 3 * 16, "{broken} of {}", calls.len());
    // Twelve tokens read and eight written, at the price of any other call: that is how they are made.
    let ok = calls.iter().find(|call| call["status"] == "ok").unwrap();
    assert_eq!((&ok["cost"], &ok["batch"]), (&json!("0.000028"), &json!(false)), "{ok}");
    assert!(calls.iter().all(|call| call["batch_id"] == json!(id)), "also of those that nobody heard of again");
    // Each result names the trace of its call.
    let traces: Vec<&Value> = calls.iter().map(|call| &call["trace_id"]).collect();
    assert!(output.iter().all(|result| traces.contains(&&result["response"]["request_id"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_ends_its_batch_and_keeps_what_it_has() {
    let slow = Behaviour { delay: Duration::from_millis(100), ..Behaviour::saying("Hi.") };
    let upstream = Upstream::start(Script::always(slow)).unwrap();
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(data.path(), "127.0.0.1");
    apply_all(data.path(), &specs(&upstream));
    let made = run(data.path(), &["keys", "create", "worker", "--role", "reader"]);
    let (secret, key) = (made["secret"].as_str().unwrap(), made["key"]["id"].as_str().unwrap());
    let lines: Vec<String> = (0..2_000).map(|n| line(&format!("line-{n}"), "assistant")).collect();
    let path = file(folder.path(), &lines);
    let user = User::of(&server, Some(secret));
    let submit = crate::running::command(data.path())
        .args(["batches", "submit", &path, "--json", "--url", &server.url])
        .env("MAINSPRING_API_KEY", secret)
        .output()
        .unwrap();
    assert!(submit.status.success(), "{}", String::from_utf8_lossy(&submit.stderr));
    let submitted: Value = serde_json::from_slice(&submit.stdout).unwrap();
    assert_eq!(submitted["key"], key);
    let show = format!("/api/v1/batches/{}", submitted["id"].as_str().unwrap());
    until("results", async || user.get(&show).await.json()["completed"].as_u64().unwrap() > 0).await;
    run(data.path(), &["keys", "revoke", key]);
    let owner = User::of(&server, None);
    until("its end", async || owner.get(&show).await.json()["ended_at"].is_string()).await;
    let batch = owner.get(&show).await.json();
    assert_eq!((&batch["status"], &batch["errors"][0]["code"]), (&json!("failed"), &json!("identity-key-revoked")), "{batch}");
    let kept = results(data.path(), submitted["id"].as_str().unwrap());
    assert!(!kept.is_empty() && kept.len() < 2_000);
    assert_eq!(user.get(&show).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_waits_for_a_limit_and_its_commands_say_how_it_went() {
    let upstream = Upstream::start(Script::always(Behaviour::saying("Hi."))).unwrap();
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(data.path(), "127.0.0.1");
    apply_all(data.path(), &specs(&upstream));
    run(data.path(), &["limits", "set", "concurrent", "1"]);
    let mut lines: Vec<String> = (0..6).map(|n| line(&format!("line-{n}"), "assistant")).collect();
    lines.push(line("nobody", "no-such-model"));
    lines.push(line("by-app", "teller"));
    let submit = crate::running::command(data.path())
        .args(["batches", "submit", &file(folder.path(), &lines), "--wait", "--json"])
        .output()
        .unwrap();
    // Some lines failed.
    assert_eq!(submit.status.code(), Some(3), "{}", String::from_utf8_lossy(&submit.stderr));
    let batch: Value = serde_json::from_slice(&submit.stdout).unwrap();
    assert_eq!((&batch["status"], &batch["completed"], &batch["failed"]), (&json!("completed"), &json!(7), &json!(1)), "{batch}");
    let id = batch["id"].as_str().unwrap();
    // What the app's chain asks is a call of the batch too.
    assert!(upstream.seen().iter().any(|seen| seen.json()["messages"].to_string().contains("Tell of by-app")));
    let calls = async || run(data.path(), &["calls", "--app", "teller", "--status", "ok"])["items"].clone();
    until("the app's call", async || calls().await[0]["id"].is_string()).await;
    // Others are told apart from its lines.
    let hello = json!({"model": "assistant", "messages": [{"role": "user", "content": "hello"}]});
    let alone = User::of(&server, None).post("/v1/chat/completions", &hello).await;
    assert_eq!(alone.status, 200, "{}", alone.text);
    let seen = |args: &[&str]| -> Vec<(String, Value)> {
        let found = run(data.path(), &[&["calls", "--status", "ok"][..], args].concat());
        let of = |call: &Value| (call["app"].as_str().unwrap_or("none").to_owned(), call["batch_id"].clone());
        let mut calls: Vec<_> = found["items"].as_array().unwrap().iter().map(of).collect();
        calls.sort_by(|a, b| a.0.cmp(&b.0));
        calls
    };
    until("every call", async || seen(&[]).len() == 8).await;
    let mut expected = vec![("none".to_owned(), json!(id)); 6];
    expected.push(("teller".to_owned(), json!(id)));
    assert_eq!(seen(&["--batch", id]), expected);
    assert_eq!(refused(data.path(), &["calls", "--batch", "nothing"])["code"], "query-invalid");
    let failed = run(data.path(), &["batches", "results", id, "--failed"]);
    assert_eq!(
        (&failed["items"][0]["custom_id"], &failed["items"][0]["response"]["status_code"]),
        (&json!("nobody"), &json!(404))
    );
    let user = User::of(&server, None);
    until("what was counted", async || {
        let told = user.get("/metrics").await.text;
        let lines =
            [r#"mainspring_batch_lines_total{outcome="completed"} 7"#, r#"mainspring_batch_lines_total{outcome="failed"} 1"#];
        let ended = [r#"mainspring_batches{state="running"} 0"#, r#"mainspring_batches{state="waiting"} 0"#];
        lines.iter().chain(&ended).all(|line| told.contains(line))
    })
    .await;
    assert_eq!(run(data.path(), &["batches", "list"])["items"][0]["id"], batch["id"]);
    assert_eq!(refused(data.path(), &["batches", "cancel", id])["code"], "batch-ended");
    assert_eq!(refused(data.path(), &["batches", "show", "batch_1"])["code"], "batch-not-found");
    drop(server);
    // Without a server it is taken in, and begun by the next one.
    let later = run(data.path(), &["batches", "submit", &file(folder.path(), &lines[..1])]);
    let id = later["id"].as_str().unwrap();
    assert_eq!(later["status"], "validating");
    let _server = Server::start(data.path(), "127.0.0.1");
    until("its end", async || run(data.path(), &["batches", "show", id])["status"] == "completed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_has_so_many_files_and_unfinished_batches_and_a_command_says_so() {
    let slow = Behaviour { delay: Duration::from_secs(30), ..Behaviour::saying("Hi.") };
    let upstream = Upstream::start(Script::always(slow)).unwrap();
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start_with(data.path(), &["serve"], &[("MAINSPRING__GATEWAY__BATCHES_PER_PROJECT", "1")]);
    apply_all(data.path(), &specs(&upstream));
    let path = file(folder.path(), &[line("one", "assistant")]);
    let submitted = run(data.path(), &["batches", "submit", &path]);
    let show = format!("/api/v1/batches/{}", submitted["id"].as_str().unwrap());
    let user = User::of(&server, None);
    until("its lines", async || user.get(&show).await.json()["status"] == "in_progress").await;
    let told = refused(data.path(), &["batches", "submit", &path]);
    assert_eq!(told["code"], "batch-too-many", "{told}");
    let files = user.get("/v1/files").await.json()["data"].as_array().unwrap().len();
    assert_eq!(files, 1, "what was sent for a batch that was not made is not left lying about");
    server.kill();
    // There is the one that was sent, and the two that the batch writes.
    let _server = Server::start_with(data.path(), &["serve"], &[("MAINSPRING__GATEWAY__FILES_PER_PROJECT", "3")]);
    let told = refused(data.path(), &["batches", "submit", &path]);
    assert_eq!(told["code"], "file-too-many", "{told}");
    assert!(told.to_string().contains("gateway.files_per_project"), "{told}");
}
