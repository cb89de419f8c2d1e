//! Who administers another project.

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use super::{Needs, SPAN, TABLE, body, request};
use crate::running::{Server, User, apply_all, run, until};

/// What the project `default` has, by real names and ids.
struct Ours {
    knowledge: &'static str,
    app: &'static str,
    alias: &'static str,
    word: &'static str,
    document: String,
    receipt: String,
    /// The id of a document that was forgotten.
    tombstone: String,
    run: String,
    trace: String,
    key: String,
    member: String,
    job: String,
    limit: String,
    file: String,
    batch: String,
    /// A fingerprint.
    secret: String,
    silence: String,
}

impl Ours {
    fn filled(&self, path: &str) -> String {
        let id = match path {
            path if path.contains("/documents/") => &self.document,
            path if path.contains("/receipts/") => &self.receipt,
            path if path.contains("/tombstones/") => &self.tombstone,
            path if path.contains("/runs/") => &self.run,
            path if path.contains("/traces/") => &self.trace,
            path if path.contains("/members/") => &self.member,
            path if path.contains("/jobs/") => &self.job,
            path if path.contains("/limits/") => &self.limit,
            path if path.contains("/files/") => &self.file,
            path if path.contains("/batches/") => &self.batch,
            path if path.contains("/silences/") => &self.silence,
            _ => &self.key,
        };
        let path = path.replace("{id}", id).replace("{alias}", self.alias).replace("{kind}", "app").replace("{*name}", self.app);
        let name = match path.as_str() {
            path if path.contains("/knowledge/") => self.knowledge,
            path if path.contains("/secrets/") => "ours-secret",
            path if path.contains("/metrics/") => MEASURED,
            _ => self.app,
        };
        // What is followed would go on for minutes.
        let path = path.replace("{project}", "default");
        let path =
            path.replace("{name}", name).replace("{code}", "internal").replace("{span}", SPAN).replace("{digest}", "nothing");
        path.replace("/calls/live", "/calls/live?follow=false").replace("/traces/tail", "/traces/tail?follow=false")
    }

    fn body(&self, path: &str) -> String {
        match path {
            "/api/v1/knowledge/{name}/forget" => json!({"documents": [self.document]}).to_string(),
            "/api/v1/knowledge/{name}/search" => json!({"query": self.word}).to_string(),
            "/api/v1/members/{id}" => json!({"role": "reader"}).to_string(),
            path => body(path).replace("\"nothing\"", &format!("\"{}\"", self.app)),
        }
    }

    /// Everything by which it would be known again.
    fn words(&self) -> [&str; 18] {
        let Self { knowledge, app, alias, word, document, receipt, tombstone, run, trace, .. } = self;
        let Self { key, member, job, limit, file, batch, secret, silence, .. } = self;
        [
            knowledge, app, alias, word, document, receipt, tombstone, run, trace, key, member, job, limit, file, batch, secret,
            silence, REGION,
        ]
    }

    /// What must be the same afterwards.
    async fn state(owner: &User) -> Vec<String> {
        let lists = [
            "assets",
            "keys",
            "members",
            "knowledge/ours-papers/documents",
            "knowledge/ours-papers/receipts",
            "knowledge/ours-papers/tombstones",
            "assets/app/ours-desk/versions",
            "knowledge/ours-papers/runs",
            "jobs",
            "limits",
            "batches",
            "secrets",
            "silences",
        ];
        let mut state = Vec::new();
        for list in lists {
            let mut found = owner.get(&format!("/api/v1/{list}")).await.json();
            // Keys are used by asking.
            for key in found["items"].as_array_mut().unwrap() {
                key.as_object_mut().unwrap().remove("last_used_at");
            }
            state.push(found.to_string());
        }
        state
    }
}

async fn ours(data: &Path, folder: &Path, owner: &User) -> Ours {
    std::fs::write(folder.join("cellar.md"), "# The cellar\n\nA zukamirel is kept in the cellar.\n").unwrap();
    std::fs::write(folder.join("attic.md"), "# The attic\n\nNobody is to know what is kept there.\n").unwrap();
    let of =
        |kind: &str, name: &str, spec: Value| json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec});
    let sources = json!([{"type": "folder", "path": folder}]);
    let steps = json!({"steps": [{"retrieve": {"knowledge": "ours-papers"}}, {"prompt": {"use": "ours-prompt"}}, {"model": {"name": "smollm2-135m-instruct"}}]});
    apply_all(
        data,
        &[
            of("knowledge", "ours-papers", json!({"sources": sources, "retrieval": {"relevance": 0.0}})),
            of("knowledge", "ours-nightly", json!({"sources": sources, "schedule": {"every": "24h"}})),
            of("prompt", "ours-prompt", json!({"messages": [{"role": "user", "content": "Say what is kept there."}]})),
            of("chain", "ours-chain", steps),
            of("app", "ours-desk", json!({"chain": "ours-chain"})),
        ],
    );
    measured(owner).await;
    run(data, &["ingest", "ours-papers"]);
    run(data, &["forget", "ours-papers", "attic.md"]);
    run(data, &["alias", "app/ours-desk", "ours-live", "v1"]);
    let first = async |path: &str, field: &str| {
        let list = owner.get(path).await.json();
        list["items"][0][field].as_str().unwrap_or_else(|| panic!("{path}: {list}")).to_owned()
    };
    let search = owner.post("/api/v1/knowledge/ours-papers/search", &json!({"query": "zukamirel"})).await;
    assert!(search.text.contains("zukamirel"), "{}", search.text);
    until("a job", async || owner.get("/api/v1/jobs?state=done").await.json()["items"][0]["id"].is_string()).await;
    let lines = json!({"custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": {"model": "nothing"}});
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines.to_string()).unwrap();
    let batch = run(data, &["batches", "submit", file.path().to_str().unwrap()]);
    let batch_id = batch["id"].as_str().unwrap_or_default().to_owned();
    let show = format!("/api/v1/batches/{batch_id}");
    until("a batch", async || owner.get(&show).await.json()["ended_at"].is_string()).await;
    let person = owner.post("/api/v1/members", &json!({"name": "ours-person", "role": "reader"})).await;
    let secret = owner.send(request("PUT", "/api/v1/secrets/ours-secret", r#"{"value": "kept"}"#)).await.json();
    Ours {
        knowledge: "ours-papers",
        app: "ours-desk",
        alias: "ours-live",
        word: "zukamirel",
        document: first("/api/v1/knowledge/ours-papers/documents", "id").await,
        receipt: first("/api/v1/knowledge/ours-papers/receipts", "id").await,
        tombstone: first("/api/v1/knowledge/ours-papers/tombstones", "document").await,
        run: first("/api/v1/knowledge/ours-papers/runs", "id").await,
        trace: first("/api/v1/traces", "trace_id").await,
        key: run(data, &["keys", "create", "ours-key", "--role", "reader"])["key"]["id"].as_str().unwrap_or_default().to_owned(),
        job: first("/api/v1/jobs", "id").await,
        member: person.json()["id"].as_str().unwrap_or_default().to_owned(),
        limit: run(data, &["limits", "set", "concurrent", "1000"])["id"].as_str().unwrap_or_default().to_owned(),
        file: batch["input_file"].as_str().unwrap_or_default().to_owned(),
        batch: batch_id,
        secret: secret["fingerprint"].as_str().unwrap_or_default().to_owned(),
        silence: run(data, &["silences", "add", "app=ours-desk", "--for", "24h"])["id"].as_str().unwrap_or_default().to_owned(),
    }
}

/// A metric that anybody may have, and what only ours is told apart by.
const MEASURED: &str = "orders";
const REGION: &str = "ours-region";

async fn measured(owner: &User) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos().to_string();
    let region = json!({"key": REGION, "value": {"stringValue": "here"}});
    let point = json!({"timeUnixNano": now, "asDouble": 1.0, "attributes": [region]});
    let metrics = json!([{"name": MEASURED, "gauge": {"dataPoints": [point]}}]);
    let sent = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]});
    assert_eq!(owner.post("/v1/metrics", &sent).await.status, 200);
    let seen = owner.get(&format!("/api/v1/metrics/{MEASURED}/series")).await;
    assert!(seen.text.contains(REGION), "{}", seen.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_of_another_project_finds_nothing_and_changes_nothing() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(data.path(), "127.0.0.1");
    let owner = User::of(&server, None);
    let ours = ours(data.path(), folder.path(), &owner).await;
    assert!(ours.words().iter().all(|word| word.len() > 5), "{:?}", ours.words());
    run(data.path(), &["projects", "create", "elsewhere"]);
    let made = run(data.path(), &["keys", "create", "theirs", "--role", "admin", "--project", "elsewhere"]);
    let stranger = User::of(&server, made["secret"].as_str());
    let before = Ours::state(&owner).await;
    let mut wrong = Vec::new();
    let mut asked: Vec<_> = TABLE.iter().filter(|(_, _, needs)| *needs != Needs::Nobody).collect();
    // Lists first: their own traces and log will say what they asked for.
    asked.sort_by_key(|(method, path, _)| *method != "GET" || path.contains('{'));
    for (method, path, _) in asked {
        let reply = stranger.send(request(method, &ours.filled(path), &ours.body(path))).await;
        let told = ours.words().into_iter().find(|word| reply.text.contains(word));
        // What is not there may be named as it was asked for; whatever is there is their own.
        let fine = reply.status == 404 || (reply.status < 500 && told.is_none());
        if !fine {
            wrong.push(format!("{method} {path}: {} {told:?} {}", reply.status, reply.text));
        }
        if path.contains("/{id}") && reply.status != 404 {
            wrong.push(format!("{method} {path}: {} where nothing is", reply.status));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(Ours::state(&owner).await, before);
}
