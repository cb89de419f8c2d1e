//! The disk under the data directory fills up, and is freed again.

use std::path::Path;

use mainspring_kernel::{Clock as _, SystemClock};
use mainspring_testservers::disk::SmallDisk;
use mainspring_wire as wire;
use serde_json::{Value, json};

use crate::running::{Reply, Server, User, until};

const TRACE: &str = "00000000000000010000000000000001";

fn manifest(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"manifests": [{"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec}]})
}

fn knowledge(folder: &Path) -> Value {
    manifest("knowledge", "notes", &json!({"sources": [{"type": "folder", "path": folder}]}))
}

/// A prompt that takes some room.
fn prompt(n: usize) -> Value {
    let content = format!("{n} {}", "long words ".repeat(5_000));
    manifest("prompt", &format!("long-{n}"), &json!({"messages": [{"role": "user", "content": content}]}))
}

fn export(trace: &str, attribute: &str) -> Value {
    // Old traces are deleted by upkeep.
    let now = format!("{}000", SystemClock.now().as_micros());
    let span = json!({
        "traceId": trace, "spanId": &trace[16..], "name": "work", "kind": 2,
        "startTimeUnixNano": now, "endTimeUnixNano": now,
        "attributes": [{"key": "text", "value": {"stringValue": attribute}}],
    });
    json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
}

#[track_caller]
fn refused_for_space(reply: &Reply) -> String {
    let code = reply.json()["code"].as_str().unwrap().to_owned();
    assert!(reply.status == 503 && code.ends_with("-disk-full"), "{} {}", reply.status, reply.text);
    code
}

/// Whether an ingestion was done to its end.
async fn ingested(user: &User) -> bool {
    let reply = user.post("/api/v1/knowledge/notes/ingest", &json!({"wait": true})).await;
    reply.status < 400 && reply.json()["run"]["status"] == "succeeded"
}

async fn found(user: &User, words: &str) -> String {
    let reply = user.post("/api/v1/knowledge/notes/search", &json!({"query": words, "limit": 5})).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()["passages"].to_string()
}

async fn traces_are(user: &User, state: &str) -> bool {
    let overview: wire::Overview = serde_json::from_value(user.get("/api/v1/overview").await.json()).unwrap();
    overview.health.iter().any(|item| item.component == "traces" && item.state == state)
}

/// Reads are answered as ever.
async fn assert_reads_work(server: &Server, user: &User) {
    assert_eq!(server.status("/healthz").await, 200);
    assert!(found(user, "the harbour").await.contains("pilot"));
    let assets = user.get("/api/v1/assets").await;
    assert!(assets.status == 200 && assets.text.contains("notes"), "{}", assets.text);
    let trace = user.get(&format!("/api/v1/traces/{TRACE}")).await;
    assert_eq!(trace.status, 200, "{}", trace.text);
}

/// Applies until there is no room for more; answers how many were taken.
async fn apply_until_refused(user: &User) -> usize {
    for n in 0..500 {
        let reply = user.post("/api/v1/apply", &prompt(n)).await;
        if reply.status != 200 {
            assert_eq!(refused_for_space(&reply), "catalog-disk-full");
            return n;
        }
    }
    panic!("500 large prompts fit a full disk");
}

async fn prompts(server: &Server) -> usize {
    let all: Vec<Value> = server.client().all("/api/v1/assets?kind=prompt").await.unwrap();
    all.iter().filter(|asset| asset["name"].as_str().is_some_and(|name| name.starts_with("long-"))).count()
}

async fn filled(disk: &SmallDisk) {
    let (data, folder) = (disk.path().join("data"), tempfile::tempdir().unwrap());
    std::fs::create_dir(&data).unwrap();
    std::fs::write(folder.path().join("a.md"), "# A\n\nThe harbour pilot sleeps until the tide turns.").unwrap();
    let server = Server::start(&data, "127.0.0.1");
    let user = User::of(&server, None);
    assert_eq!(user.post("/api/v1/apply", &knowledge(folder.path())).await.status, 200);
    assert!(ingested(&user).await);
    assert_eq!(user.post("/v1/traces", &export(TRACE, "small")).await.status, 200);
    // Stored is not yet in the lake; a read waits until it is.
    assert_reads_work(&server, &user).await;

    disk.fill();
    let taken = apply_until_refused(&user).await;
    let large = "x".repeat(300_000);
    let refused = user.post("/v1/traces", &export("00000000000000020000000000000002", &large)).await;
    assert_eq!(refused_for_space(&refused), "trace-disk-full");
    std::fs::write(folder.path().join("b.md"), format!("# B\n\nThe ferry leaves at noon. {}", "More words. ".repeat(9_000)))
        .unwrap();
    // It is refused, or it begins and waits for room.
    let begun = user.post("/api/v1/knowledge/notes/ingest", &json!({})).await;
    if begun.status >= 400 {
        refused_for_space(&begun);
    }
    assert_reads_work(&server, &user).await;
    assert!(traces_are(&user, "degraded").await);
    assert_eq!(prompts(&server).await, taken, "what was refused is not there in part");

    // A crash on top of it.
    server.kill();
    let server = Server::start(&data, "127.0.0.1");
    let user = User::of(&server, None);
    assert_reads_work(&server, &user).await;

    disk.free();
    until("writes", async || user.post("/api/v1/apply", &prompt(taken)).await.status == 200).await;
    assert_eq!(prompts(&server).await, taken + 1);
    until("the ingestion", async || ingested(&user).await).await;
    assert!(found(&user, "the ferry leaves").await.contains("noon"));
    let sent = user.post("/v1/traces", &export("00000000000000020000000000000002", &large)).await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    assert_reads_work(&server, &user).await;
    until("the traces", async || traces_are(&user, "ok").await).await;
    let audit = user.post("/api/v1/audit/verify", &json!({})).await.json();
    assert_eq!(audit["intact"], true, "{audit}");
}

#[test]
fn a_full_disk_refuses_writes_answers_reads_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount(96 << 20) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(filled(&disk));
}
