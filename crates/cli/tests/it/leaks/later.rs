//! Labels that come later, and monitors that count what has them.

use std::path::Path;

use serde_json::{Value, json};

use super::{ids, ingest, specs};
use crate::running::{Reply, Server, User, apply_all, around, run, until};

/// A document that was for everyone is labelled: what was kept of it before is hidden with it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_labelled_later_is_hidden_in_what_was_kept_before() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = folder.path();
    for (shelf, text) in
        [("s0", "Everyone reads of the garden and its wall."), ("s1", "The garden hides a zukamirel under the wall.")]
    {
        std::fs::create_dir(folder.join(shelf)).unwrap();
        std::fs::write(folder.join(shelf).join(format!("{shelf}.md")), format!("# About {shelf}\n\n{text}\n")).unwrap();
    }
    std::fs::write(folder.join("s1/zukamirel.pdf"), "%PDF-1.7 nothing of the kind").unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    apply_all(data.path(), &specs(folder, &[&[], &[]]));
    ingest(data.path());
    let key = run(data.path(), &["keys", "create", "somebody", "--no-labels"])["secret"].as_str().unwrap().to_owned();
    let (owner, somebody) = (User::of(&server, None), User::of(&server, Some(&key)));
    let search = "/api/v1/knowledge/papers/search";
    let before = somebody.post(search, &json!({"query": "what does the garden hide"})).await;
    assert!(before.text.contains("zukamirel"), "{}", before.text);
    let body =
        json!({"model": "papers", "messages": [{"role": "user", "content": "What does the garden hide?"}], "max_tokens": 4});
    let answer = owner.post("/v1/chat/completions", &body).await.json();
    let trace = answer["mainspring"]["trace_id"].as_str().unwrap().to_owned();

    apply_all(data.path(), &specs(folder, &[&[], &["hr"]]));
    ingest(data.path());
    let mut told = Vec::new();
    let at = json!({"query": "what does the garden hide", "at": before.json()["pin"]});
    told.push(("search of an older state", somebody.post(search, &at).await));
    told.push(("search", somebody.post(search, &json!({"query": "what does the garden hide"})).await));
    told.push(("documents", somebody.get("/api/v1/knowledge/papers/documents").await));
    told.push(("trace", somebody.get(&format!("/api/v1/traces/{trace}")).await));
    told.push(("replay", somebody.post(&format!("/api/v1/traces/{trace}/replay"), &json!({})).await));
    told.push(("traces by a word of it", somebody.get("/api/v1/traces?q=zukamirel").await));
    told.push(("runs", somebody.get("/api/v1/knowledge/papers/runs").await));
    for seen in ids(&somebody.get("/api/v1/traces?limit=100").await, "trace_id") {
        told.push(("a trace of the list", somebody.get(&format!("/api/v1/traces/{seen}")).await));
    }
    let leaks: Vec<_> = told.iter().filter(|(_, reply)| reply.text.contains("zukamirel")).collect();
    let shown: Vec<_> = leaks.iter().map(|(what, reply)| (what, reply.status, around(&reply.text, "zukamirel"))).collect();
    assert!(leaks.is_empty(), "{shown:#?}");
    let key = run(data.path(), &["keys", "create", "writer", "--role", "editor", "--no-labels"]);
    monitors_count_for_nobody_what_they_may_not_see(data.path(), &owner, &User::of(&server, key["secret"].as_str())).await;
    assert!(owner.post(search, &at).await.text.contains("zukamirel"), "who sees everything still does");
}

/// A trace with `zukamirel` in it is hidden from the writer, who is an editor: no monitor tells them how many there are.
async fn monitors_count_for_nobody_what_they_may_not_see(data: &Path, owner: &User, writer: &User) {
    let monitor = |name: &str| {
        json!({"apiVersion": "mainspring/v1", "kind": "monitor", "name": name, "spec": {
            "of": "spans", "filter": "content contains \"zukamirel\"", "measure": {"rate": {"hits": "error"}},
            "compare": {"threshold": {"above": 0.5, "test": "sequential"}}, "window": "1h", "every": "1s", "delay": "0s",
        }})
    };
    apply_all(data, &[monitor("garden")]);
    let look = "/api/v1/monitors/garden/evaluate";
    let count = |reply: &Reply| reply.json()["evaluation"]["slices"][0]["count"].as_u64();
    until("the owner to count it", async || count(&owner.post(look, &json!({})).await) > Some(0)).await;
    let tried = writer.post(look, &json!({})).await;
    assert_eq!((tried.status, count(&tried)), (200, Some(0)), "{}", tried.text);
    until("a look", async || owner.get("/api/v1/monitors/garden").await.json()["monitor"]["state"].is_string()).await;
    let shown = writer.get("/api/v1/monitors/garden").await.json();
    assert_eq!((&shown["monitor"]["hidden"], &shown["monitor"]["state"]), (&json!(true), &Value::Null), "{shown}");
    for (reply, code) in [
        (writer.post(look, &json!({"raise": true})).await, "monitor-labels"),
        (writer.get("/api/v1/monitors/garden/evaluations").await, "monitor-labels"),
        (writer.get("/api/v1/incidents").await, "incident-labels"),
        (writer.get("/api/v1/deliveries").await, "incident-labels"),
        (writer.get("/api/v1/receivers").await, "incident-labels"),
        (writer.post("/api/v1/apply", &json!({"manifests": [monitor("mine")]})).await, "registry-labels"),
    ] {
        assert_eq!((reply.status, &reply.json()["code"]), (403, &json!(code)), "{}", reply.text);
    }
}
