//! Spans on their way to an object store: from two servers at once, and while it is away.

use std::collections::BTreeSet;

use mainspring_kernel::{Clock as _, SystemClock};
use mainspring_testservers::{postgres::Postgres, s3::S3Server};
use serde_json::{Value, json};

use crate::running::{Reply, Server, User, until};

const SENDERS: usize = 3;
const TRACES: usize = 8;

fn trace(server: usize, sender: usize, n: usize) -> String {
    format!("{:016x}{:016x}", server + 1, sender * 1_000 + n + 1)
}

pub(crate) fn export(trace: &str, text: &str) -> Value {
    // Old traces are deleted by upkeep.
    let now = format!("{}000", SystemClock.now().as_micros());
    let span = json!({
        "traceId": trace, "spanId": &trace[16..], "name": "work", "kind": 2,
        "startTimeUnixNano": now, "endTimeUnixNano": now,
        "attributes": [{"key": "text", "value": {"stringValue": text}}],
    });
    json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
}

async fn send(user: &User, server: usize, sender: usize) {
    for n in 0..TRACES {
        let reply = user.post("/v1/traces", &export(&trace(server, sender, n), "")).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
}

pub(crate) fn on_s3<'a>(lake: &'a str, endpoint: &'a str) -> Vec<(&'static str, &'a str)> {
    vec![
        ("MAINSPRING_LAKE", lake),
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", S3Server::ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", S3Server::SECRET_KEY),
        ("AWS_REGION", S3Server::REGION),
        ("AWS_ALLOW_HTTP", "true"),
    ]
}

async fn listed(user: &User) -> Vec<String> {
    let page = user.get("/api/v1/traces?limit=200").await.json();
    let ids = page["items"].as_array().unwrap().iter().map(|item| item["trace_id"].as_str().unwrap().to_owned());
    // Requests that this test makes leave traces too.
    ids.filter(|id| id.starts_with("00000000")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_take_spans_into_one_lake_and_lose_none() {
    let postgres = tokio::task::spawn_blocking(|| Postgres::start().unwrap()).await.unwrap();
    let store = tokio::task::spawn_blocking(|| S3Server::start().unwrap()).await.unwrap();
    let catalog = postgres.new_database().unwrap();
    let (lake, endpoint) = (format!("s3://{}/lake", S3Server::BUCKET), store.endpoint());
    let settings = [on_s3(&lake, &endpoint), vec![("MAINSPRING_CATALOG", catalog.as_str())]].concat();
    // What waits on disk is a process's own; everything else is shared.
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let servers: Vec<Server> = folders.iter().map(|data| Server::start_with(data.path(), &["serve"], &settings)).collect();
    let users: Vec<User> = servers.iter().map(|server| User::of(server, None)).collect();
    let sending = users.iter().enumerate().flat_map(|(server, user)| (0..SENDERS).map(move |sender| send(user, server, sender)));
    futures::future::join_all(sending).await;

    let wanted: BTreeSet<String> = (0..users.len())
        .flat_map(|server| (0..SENDERS).flat_map(move |sender| (0..TRACES).map(move |n| trace(server, sender, n))))
        .collect();
    for user in &users {
        // The other's commits are looked for once a second.
        until("the traces of both", async || listed(user).await.len() >= wanted.len()).await;
        let found = listed(user).await;
        assert_eq!(found.len(), wanted.len(), "none twice");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), wanted);
        for id in &wanted {
            let spans = user.get(&format!("/api/v1/traces/{id}")).await.json();
            assert_eq!(spans["spans"].as_array().unwrap().len(), 1, "{id}");
        }
    }
}

/// Sends traces until one is refused; answers those that were acknowledged, and the refusal.
async fn send_until_refused(user: &User) -> (Vec<String>, Reply) {
    let mut acknowledged = Vec::new();
    for n in 0..500 {
        let id = trace(9, 0, n);
        let reply = user.post("/v1/traces", &export(&id, &"x".repeat(10_000))).await;
        if reply.status != 200 {
            return (acknowledged, reply);
        }
        acknowledged.push(id);
    }
    panic!("500 traces wait in a spill of 200 KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_away_spans_take_no_more_of_the_disk_than_they_may() {
    let store = tokio::task::spawn_blocking(|| S3Server::start().unwrap()).await.unwrap();
    let (lake, endpoint) = (format!("s3://{}/lake", S3Server::BUCKET), store.endpoint());
    let settings = [on_s3(&lake, &endpoint), vec![("MAINSPRING__TRACES__SPILL_LIMIT", "200KiB")]].concat();
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(data.path(), &["serve"], &settings);
    let user = User::of(&server, None);
    let stopped = tokio::task::spawn_blocking(move || {
        let mut store = store;
        store.stop();
        store
    });
    let mut store = stopped.await.unwrap();

    let (acknowledged, refusal) = send_until_refused(&user).await;
    assert!(acknowledged.len() > 5, "{}", acknowledged.len());
    assert_eq!((refusal.status, refusal.json()["code"].as_str()), (429, Some("trace-spill-full")), "{}", refusal.text);
    let metrics = user.get("/metrics").await.text;
    let refused = r#"mainspring_spans_dropped_total{reason="spill_limit"} "#;
    assert!(metrics.contains(refused) && !metrics.contains(&format!("{refused}0\n")), "{metrics}");
    let kept: u64 =
        std::fs::read_dir(data.path().join("spill")).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(kept <= 200 << 10, "{kept}");
    // A crash on top of it. The server cannot start without its lake, and starts when that is back.
    server.kill();
    let restarted = tokio::task::spawn_blocking(move || {
        store.restart().unwrap();
        store
    });
    let _store = restarted.await.unwrap();
    let server = Server::start_with(data.path(), &["serve"], &settings);
    let user = User::of(&server, None);
    until("the spans that waited", async || {
        let found = listed(&user).await;
        acknowledged.iter().all(|id| found.contains(id))
    })
    .await;
    for id in &acknowledged {
        let spans = user.get(&format!("/api/v1/traces/{id}")).await.json();
        assert_eq!(spans["spans"].as_array().unwrap().len(), 1, "{id}");
    }
    until("room for more", async || user.post("/v1/traces", &export(&trace(9, 1, 0), "")).await.status == 200).await;
}
