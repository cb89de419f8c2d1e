//! Processes that serve models only: alone, and beside a full server over one PostgreSQL.

use mainspring_testservers::{
    postgres::Postgres,
    upstream::{Behaviour, Script, Upstream},
};
use serde_json::{Value, json};

use crate::running::{Server, User, apply_all, refused, run, until};

fn asset(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec})
}

/// A provider, a route to it, a prompt, and an app of that prompt.
fn specs(upstream: &Upstream) -> Vec<Value> {
    let messages = json!([{"role": "user", "content": "{{ question }}"}]);
    let steps = json!([{"prompt": {"use": "plain"}}, {"model": {"name": "assistant"}}]);
    vec![
        asset("provider", "first", json!({"type": "openai", "base_url": format!("{}/v1", upstream.url()), "models": ["small"]})),
        asset("route", "assistant", json!({"targets": [{"provider": "first", "model": "small"}], "retry": {"attempts": 0}})),
        asset("prompt", "plain", json!({"parameters": {"question": {}}, "messages": messages})),
        asset("chain", "desk", json!({"steps": steps})),
        asset("app", "desk", json!({"chain": "desk"})),
    ]
}

fn chat(model: &str) -> Value {
    json!({"model": model, "max_tokens": 20, "messages": [{"role": "user", "content": "Say something."}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_alone_answers_models_and_says_what_it_does_not_do() {
    let upstream = Upstream::start(Script::always(Behaviour::saying("here"))).unwrap();
    let data = tempfile::tempdir().unwrap();
    let gateway = Server::start_with(data.path(), &["gateway"], &[]);
    until("the greeting", async || gateway.said().contains("serves models at")).await;
    // The commands that administer it work against it.
    apply_all(data.path(), &specs(&upstream));
    let user = User::of(&gateway, None);
    for (path, model) in [
        ("/v1/chat/completions", "assistant"),
        ("/v1/messages", "assistant"),
        ("/v1/chat/completions", "first/small"),
        ("/v1/responses", "assistant"),
    ] {
        let mut body = chat(model);
        if path == "/v1/responses" {
            body = json!({"model": model, "input": "Say something."});
        }
        let answer = user.post(path, &body).await;
        assert!(answer.status == 200 && answer.text.contains("here"), "{path}: {} {}", answer.status, answer.text);
    }
    for (path, model) in
        [("/v1/chat/completions", "desk"), ("/v1/chat/completions", "prompt/plain"), ("/v1/messages", "app/desk")]
    {
        let refusal = user.post(path, &chat(model)).await;
        assert_eq!((refusal.status, &refusal.json()["error"]["code"]), (404, &json!("models-only")), "{path}: {}", refusal.text);
    }
    let listed = user.get("/v1/models").await.json();
    let names: Vec<&str> = listed["data"].as_array().unwrap().iter().filter_map(|model| model["id"].as_str()).collect();
    assert_eq!(names, ["assistant", "first/small"], "what is not answered is not listed");
    // A model of this process that no route names.
    for model in ["smollm2-135m-instruct", "local/smollm2-135m-instruct"] {
        assert_eq!(user.post("/v1/chat/completions", &chat(model)).await.status, 404, "{model}");
    }
    let embeddings = user.post("/v1/embeddings", &json!({"model": "all-minilm-l6-v2", "input": "x"})).await;
    assert_eq!(embeddings.status, 404, "{}", embeddings.text);
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/models",
        "/api/v1/health",
        "/api/v1/routes",
        "/api/v1/usage",
        "/api/v1/keys",
        "/api/v1/secrets",
    ] {
        assert_eq!(user.get(path).await.status, 200, "{path}");
    }
    for path in ["/api/v1/knowledge", "/api/v1/traces", "/api/v1/overview"] {
        let refusal = user.get(path).await;
        assert_eq!((refusal.status, &refusal.json()["code"]), (404, &json!("models-only")), "{path}: {}", refusal.text);
    }
    let refusal = refused(data.path(), &["traces", "5b8efff798038103d269b633813fc60c"]);
    let hint = refusal["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("once the gateway has stopped") && hint.contains("mainspring calls"), "{refusal}");
    for (path, status) in [("/v1/traces", 404), ("/", 404)] {
        assert_eq!(user.post(path, &json!({})).await.status, status, "{path}");
    }
    assert_eq!(refused(data.path(), &["ingest", "handbook"])["code"], "models-only");
    let calls = async || run(data.path(), &["calls"])["items"].as_array().map_or(0, Vec::len);
    until("the calls", async || calls().await == 4).await;
    assert!(gateway.terminate().success());

    // A full server over the same folder finds all of it, traces too.
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    let traced = async || {
        let traces = user.get("/api/v1/traces?limit=100").await.json();
        traces["items"].as_array().is_some_and(|traces| traces.len() >= 4)
    };
    until("the traces of the gateway", traced).await;
    assert_eq!(user.post("/v1/chat/completions", &chat("desk")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_beside_a_server_share_its_routes_keys_limits_and_usage() {
    let upstream = Upstream::start(Script::always(Behaviour::saying("here"))).unwrap();
    let postgres = tokio::task::spawn_blocking(|| Postgres::start().unwrap()).await.unwrap();
    let catalog = postgres.new_database().unwrap();
    let settings = [("MAINSPRING_CATALOG", catalog.as_str())];
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let data = folders[0].path();
    let server = Server::start_with(data, &["serve"], &settings);
    let gateways: Vec<Server> =
        folders[1..].iter().map(|data| Server::start_with(data.path(), &["gateway"], &settings)).collect();
    apply_all(data, &specs(&upstream));
    let created = run(data, &["keys", "create", "client", "--models", "assistant"]);
    let (id, secret) = (created["key"]["id"].as_str().unwrap(), created["secret"].as_str().unwrap());
    let everyone = || std::iter::once(&server).chain(&gateways);
    // Routes are looked for once a second.
    for process in everyone() {
        let user = User::of(process, Some(secret));
        until("the route", async || user.post("/v1/chat/completions", &chat("assistant")).await.status == 200).await;
        let other = user.post("/v1/chat/completions", &chat("first/small")).await;
        assert_eq!((other.status, &other.json()["error"]["code"]), (403, &json!("model-not-allowed")), "{}", other.text);
        let models = user.get("/v1/models").await.json();
        let names: Vec<&str> = models["data"].as_array().unwrap().iter().filter_map(|model| model["id"].as_str()).collect();
        assert_eq!(names, ["assistant"]);
    }
    // Each says of which of them its routes and live calls are.
    for process in everyone() {
        let user = User::of(process, Some(secret));
        let listed = user.get("/api/v1/processes").await.json();
        let items = listed["items"].as_array().unwrap();
        let here = items.iter().filter(|process| process["here"] == true).count();
        assert_eq!((items.len(), here), (3, 1), "{listed}");
    }
    let seen = || upstream.seen().len() as u64;
    let counted = async || {
        let rows = run(data, &["usage", "--by", "key"]);
        rows["rows"].as_array().unwrap().iter().filter_map(|row| row["calls"].as_u64()).sum::<u64>()
    };
    until("the calls of all in one sum", async || counted().await >= seen()).await;
    assert_eq!(counted().await, seen());

    // A new secret for the same key: at once here, and within five seconds there.
    let rotated = run(data, &["keys", "rotate", id]);
    assert_eq!(rotated["key"]["id"], id);
    let new = rotated["secret"].as_str().unwrap();
    assert_eq!(User::of(&server, Some(secret)).get("/v1/models").await.status, 401);
    for process in everyone() {
        let old = User::of(process, Some(secret));
        until("the end of the old secret", async || old.get("/v1/models").await.status == 401).await;
        assert_eq!(old.get("/v1/models").await.json()["error"]["code"], "identity-key-rotated");
        assert_eq!(User::of(process, Some(new)).get("/v1/models").await.status, 200);
    }
    // With an overlap both work.
    let overlapping = run(data, &["keys", "rotate", id, "--overlap", "1h"]);
    assert!(overlapping["key"]["old_secret_until"].is_string(), "{overlapping}");
    let newest = overlapping["secret"].as_str().unwrap();
    for process in everyone() {
        for secret in [new, newest] {
            assert_eq!(User::of(process, Some(secret)).get("/v1/models").await.status, 200);
        }
    }
    run(data, &["keys", "revoke", id]);
    for process in everyone() {
        for secret in [new, newest] {
            let user = User::of(process, Some(secret));
            until("the end of the key", async || user.get("/v1/models").await.status == 401).await;
        }
    }
}
