//! Keys of providers that the server keeps: set by hand, used at once, and told to nobody.

use std::{
    io::Write as _,
    path::Path,
    process::{Output, Stdio},
};

use mainspring_testservers::upstream::{Behaviour, Script, Upstream};
use serde_json::{Value, json};

use crate::running::{Reply, Server, User, apply_all, around, command, refused, run, until};

const FIRST: &str = "sk-kept-first-5f0c1d2e3b4a6978";
const SECOND: &str = "sk-kept-second-9e8d7c6b5a4f3e2d";

fn provider(upstream: &Upstream) -> Value {
    let spec =
        json!({"type": "openai", "base_url": format!("{}/v1", upstream.url()), "credential": "secret:kept", "models": ["m"]});
    json!({"apiVersion": "mainspring/v1", "kind": "provider", "name": "p", "spec": spec})
}

/// `mainspring secrets set NAME` with a value at its standard input.
fn set(data: &Path, settings: &[(&str, &str)], name: &str, value: &str) -> Output {
    let mut child = command(data)
        .envs(settings.iter().copied())
        .args(["secrets", "set", name, "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(value.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn ask(user: &User) -> Reply {
    let body = json!({"model": "p/m", "messages": [{"role": "user", "content": "hello"}]});
    user.post("/v1/chat/completions", &body).await
}

/// Everything below a folder.
fn files(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_used_as_soon_as_it_is_set_and_stands_in_nothing_that_is_told_or_kept() {
    let upstream = Upstream::start(Script::always(Behaviour::saying("hi"))).unwrap();
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(data.path(), &["serve"], &[("MAINSPRING_LOG", "debug")]);
    let user = User::of(&server, None);
    let mut told: Vec<(String, String)> = vec![("apply".into(), apply_all(data.path(), &[provider(&upstream)]).to_string())];
    let missing = ask(&user).await;
    assert!(missing.status == 503 && missing.text.contains("has no `kept`"), "{}", missing.text);
    assert!(upstream.seen().is_empty());

    // No restart in all of this.
    for key in [FIRST, SECOND] {
        let output = set(data.path(), &[], "kept", &format!("{key}\n"));
        assert!(output.status.success(), "{}", text(&output));
        told.push(("set".into(), text(&output)));
        let answer = ask(&user).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(upstream.seen().last().unwrap().header("authorization"), Some(format!("Bearer {key}").as_str()));
        told.push(("answer".into(), answer.text));
    }
    // A provider that quotes what it refuses.
    let quoted = format!("Incorrect API key provided: {SECOND}");
    let body = json!({"error": {"message": quoted, "type": quoted, "code": quoted}}).to_string();
    for status in [400, 401] {
        upstream.script(Script::always(Behaviour { body: Some(body.clone()), ..Behaviour::status(status) }));
        told.push((format!("a refusal with {status}"), ask(&user).await.text));
    }
    // What is wrong is refused without being repeated.
    for body in [json!(SECOND), json!({"value": [SECOND]}), json!({ SECOND: 1 }), json!({"value": format!("{SECOND}\nx")})] {
        let request = http::Request::put("/api/v1/secrets/kept").header(http::header::CONTENT_TYPE, "application/json");
        let reply = user.send(request.body(body.to_string().into()).unwrap()).await;
        assert_eq!(reply.status, 400, "{}", reply.text);
        told.push(("a body that is wrong".into(), reply.text));
    }
    let listed = run(data.path(), &["secrets", "list"]);
    assert_eq!((listed[0]["name"].as_str(), listed.as_array().map(Vec::len)), (Some("kept"), Some(1)), "{listed}");
    assert!(listed[0]["last_used_at"].is_string() && listed[0]["fingerprint"].as_str().unwrap().len() == 12, "{listed}");
    told.push(("list".into(), listed.to_string()));
    let settled = async || user.get("/api/v1/usage").await.json()["total"]["calls"].as_u64().unwrap_or_default() >= 4;
    until("the calls in the sums", settled).await;
    until("the traces", async || {
        user.get("/api/v1/traces?limit=100").await.json()["items"].as_array().is_some_and(|traces| traces.len() >= 4)
    })
    .await;
    let traces = user.get("/api/v1/traces?limit=100").await.json();
    for trace in traces["items"].as_array().unwrap() {
        let id = trace["trace_id"].as_str().unwrap();
        told.push((format!("trace {id}"), user.get(&format!("/api/v1/traces/{id}")).await.text));
    }
    for path in ["/metrics", "/api/v1/calls?limit=100", "/api/v1/routes", "/api/v1/secrets", "/api/v1/assets/provider/p"] {
        told.push((path.into(), user.get(path).await.text));
    }
    let audit = run(data.path(), &["audit"]);
    let actions: Vec<&str> = audit["items"].as_array().unwrap().iter().filter_map(|entry| entry["action"].as_str()).collect();
    assert_eq!(actions.iter().filter(|action| **action == "secret.set").count(), 2, "{audit}");
    told.push(("audit".into(), audit.to_string()));

    run(data.path(), &["secrets", "remove", "kept"]);
    let removed = ask(&user).await;
    assert!(removed.status == 503 && removed.text.contains("has no `kept`"), "{}", removed.text);
    told.push(("the log".into(), server.said()));
    // With the log of the database as it stands, and again when everything is put away.
    files(data.path(), &mut told);
    assert!(server.terminate().success());
    files(data.path(), &mut told);
    let keys = [FIRST, SECOND];
    let leaks = told.iter().flat_map(|(whence, text)| {
        let held = keys.iter().filter(|key| text.contains(**key));
        held.map(move |key| format!("{whence}: {}", around(text, key)))
    });
    let leaks: Vec<String> = leaks.collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
    assert!(told.iter().any(|(whence, _)| whence.ends_with("catalog.db")), "the database was looked at");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_outlive_the_server_and_a_new_master_key_and_need_the_right_one() {
    let upstream = Upstream::start(Script::always(Behaviour::saying("hi"))).unwrap();
    let data = tempfile::tempdir().unwrap();
    // Without a server, in this process.
    assert!(set(data.path(), &[], "kept", FIRST).status.success());
    apply_all(data.path(), &[provider(&upstream)]);
    let file = data.path().join("master.key");
    let made = std::fs::read_to_string(&file).unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    assert_eq!(ask(&User::of(&server, None)).await.status, 200);
    let rotated = run(data.path(), &["secrets", "rotate-key"]);
    assert_eq!(rotated["secrets"], 1, "{rotated}");
    let new = std::fs::read_to_string(&file).unwrap();
    assert_ne!(new, made);
    server.kill();
    let server = Server::start(data.path(), "127.0.0.1");
    assert_eq!(ask(&User::of(&server, None)).await.status, 200);
    assert!(server.terminate().success());

    // The old key opens nothing any more, and the one in force does wherever it is given.
    std::fs::remove_file(&file).unwrap();
    let with_old = Server::start_with(data.path(), &["serve"], &[("MAINSPRING_MASTER_KEY", made.trim())]);
    let shut = ask(&User::of(&with_old, None)).await;
    assert!(shut.status == 503 && shut.text.contains("sealed with the master key"), "{}", shut.text);
    assert!(!shut.text.contains(made.trim()), "{}", shut.text);
    assert_eq!(refused(data.path(), &["secrets", "rotate-key"])["code"], "secret-wrong-master-key");
    assert!(with_old.terminate().success());
    let with_new = Server::start_with(data.path(), &["serve"], &[("MAINSPRING_MASTER_KEY", new.trim())]);
    assert_eq!(ask(&User::of(&with_new, None)).await.status, 200);
    assert!(!file.exists(), "a key that is given is not written down");
    drop(with_new);

    let bad = set(data.path(), &[("MAINSPRING_MASTER_KEY", "correct horse battery staple")], "kept", FIRST);
    assert!(text(&bad).contains("secret-bad-master-key") && !text(&bad).contains("battery"), "{}", text(&bad));
    let a_key_as_a_name = set(data.path(), &[("MAINSPRING_MASTER_KEY", new.trim())], FIRST, "x");
    assert!(text(&a_key_as_a_name).contains("secret-name-is-a-key"), "{}", text(&a_key_as_a_name));
}
