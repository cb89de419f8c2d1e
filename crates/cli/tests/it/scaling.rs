//! Three servers over one PostgreSQL and one S3 store: each takes spans, each sees all of them, and each is killed in its turn.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mainspring_client::{Client, HttpTransport};
use mainspring_testservers::{postgres::Postgres, s3::S3Server};
use mainspring_wire as wire;
use serde_json::Value;

use crate::{
    running::{Server, until},
    sharing::{export, on_s3},
};

const SERVERS: usize = 3;
/// Taken by a server before it is killed, and again before the next one is.
const BETWEEN: usize = 15;
const OURS: &str = "filter=name%20%3D%20work";

fn trace(server: usize, n: usize) -> String {
    format!("{:016x}{:016x}", server + 1, n + 1)
}

fn client(url: &str) -> Client {
    Client::new(Arc::new(HttpTransport::new(url, None).unwrap()))
}

async fn send(client: &Client, id: &str) -> bool {
    client.post::<Value>("/v1/traces", &export(id, "")).await.is_ok()
}

/// Sends to one server as an exporter does: what is not acknowledged, since the server is gone, is sent again.
async fn keep_sending(url: String, server: usize, acknowledged: Arc<Mutex<Vec<String>>>, enough: Arc<AtomicBool>) {
    let client = client(&url);
    for n in 0.. {
        let id = trace(server, n);
        while !send(&client, &id).await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        acknowledged.lock().unwrap().push(id);
        if enough.load(Ordering::SeqCst) {
            return;
        }
        // So that the list at the end is short.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn tell_of_each_other(servers: &[Server]) -> Vec<String> {
    let mut tail = client(&servers[0].url).events(&format!("/api/v1/traces/tail?{OURS}")).await.unwrap();
    let opened = tail.next().await.unwrap().unwrap();
    assert!(opened.contains("filter"), "{opened}");
    let mut sent = Vec::new();
    for (server, of) in servers.iter().enumerate().rev() {
        let id = trace(1_000 + server, 0);
        until("an answer", async || send(&client(&of.url), &id).await).await;
        let heard = async {
            loop {
                let event = tail.next().await.unwrap().unwrap();
                assert!(!sent.iter().any(|before: &String| event.contains(before.as_str())), "told twice: {event}");
                if event.contains(&id) {
                    return;
                }
            }
        };
        let told = tokio::time::timeout(Duration::from_secs(60), heard).await;
        assert!(told.is_ok(), "server 0 did not tell of what came in at {server}");
        sent.push(id);
    }
    sent
}

/// Every trace of ours that a server lists, page by page: each once.
async fn listed(url: &str) -> BTreeSet<String> {
    let Ok(all) = client(url).all::<wire::TraceSummary>(&format!("/api/v1/traces?{OURS}")).await else {
        return BTreeSet::new();
    };
    let found: BTreeSet<String> = all.iter().map(|summary| summary.trace_id.clone()).collect();
    assert_eq!(found.len(), all.len(), "none twice");
    found
}

async fn killed_in_turn(servers: Vec<Server>, folders: &[&Path], settings: &[(&str, &str)], told: Vec<String>) {
    let urls: Vec<String> = servers.iter().map(|server| server.url.clone()).collect();
    let acknowledged: Vec<Arc<Mutex<Vec<String>>>> = (0..SERVERS).map(|_| Arc::default()).collect();
    let enough = Arc::new(AtomicBool::new(false));
    let sending: Vec<_> = (0..SERVERS)
        .map(|at| tokio::spawn(keep_sending(urls[at].clone(), at, Arc::clone(&acknowledged[at]), Arc::clone(&enough))))
        .collect();
    let count = |at: usize| acknowledged[at].lock().unwrap().len();
    let mut running: Vec<Option<Server>> = servers.into_iter().map(Some).collect();
    for at in 0..SERVERS {
        let before = count(at);
        until("spans to be taken", async || count(at) >= before + BETWEEN).await;
        running[at].take().unwrap().kill();
        // The others go on meanwhile.
        let other = (at + 1) % SERVERS;
        let others = count(other);
        until("spans to be taken by another", async || count(other) > others).await;
        let (data, url) = (folders[at].to_owned(), urls[at].clone());
        let settings: Vec<(String, String)> =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let started = tokio::task::spawn_blocking(move || {
            let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            Server::start_at_with(&data, &url, &settings)
        });
        running[at] = Some(started.await.unwrap());
    }
    // Also the last that was killed takes spans again.
    let before = count(SERVERS - 1);
    until("spans to be taken after the restart", async || count(SERVERS - 1) > before).await;
    enough.store(true, Ordering::SeqCst);
    for sender in sending {
        sender.await.unwrap();
    }
    let wanted: BTreeSet<String> = acknowledged.iter().flat_map(|ids| ids.lock().unwrap().clone()).chain(told).collect();
    assert!(wanted.len() > SERVERS * BETWEEN, "{}", wanted.len());
    for url in &urls {
        // The others' commits are looked for once a second.
        until("everything that was acknowledged", async || listed(url).await.is_superset(&wanted)).await;
        assert_eq!(listed(url).await, wanted, "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_servers_see_everything_and_lose_nothing_while_each_of_them_is_killed() {
    let postgres = tokio::task::spawn_blocking(|| Postgres::start().unwrap()).await.unwrap();
    let store = tokio::task::spawn_blocking(|| S3Server::start().unwrap()).await.unwrap();
    let catalog = postgres.new_database().unwrap();
    let (lake, endpoint) = (format!("s3://{}/lake", S3Server::BUCKET), store.endpoint());
    let settings = [on_s3(&lake, &endpoint), vec![("MAINSPRING_CATALOG", catalog.as_str())]].concat();
    // What waits on disk is a process's own; everything else is shared.
    let folders: Vec<tempfile::TempDir> = (0..SERVERS).map(|_| tempfile::tempdir().unwrap()).collect();
    let servers: Vec<Server> = folders.iter().map(|data| Server::start_with(data.path(), &["serve"], &settings)).collect();
    let told = tell_of_each_other(&servers).await;
    let places: Vec<&Path> = folders.iter().map(tempfile::TempDir::path).collect();
    Box::pin(killed_in_turn(servers, &places, &settings, told)).await;
}
