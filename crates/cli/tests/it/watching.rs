//! What an operator sees of a running server: traces of what changed it, numbers, and that it stops when told.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpListener,
};

use serde_json::{Value, json};

use crate::{
    refusals::{Raw, raw},
    running::{Server, User, apply_all, until},
};

const JSON: &str = "content-type: application/json\r\n";

fn write(server: &Server, request: &str, body: &Value) -> Raw {
    let body = body.to_string();
    raw(server, request, &format!("{JSON}content-length: {}\r\n", body.len()), &body)
}

async fn only_span(user: &User, answer: &Raw) -> Value {
    let id = answer.header("x-mainspring-trace-id").unwrap_or_else(|| panic!("no trace of {}", answer.text));
    let trace = user.get(&format!("/api/v1/traces/{id}")).await.json();
    assert_eq!(trace["spans"].as_array().map(Vec::len), Some(1), "{trace}");
    trace["spans"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_something_leaves_a_trace_without_what_was_in_it() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    let made = write(&server, "POST /api/v1/keys", &json!({"name": "zukamirel", "role": "reader"}));
    assert_eq!(made.status, 200, "{}", made.text);
    let span = only_span(&user, &made).await;
    assert_eq!((&span["name"], &span["kind"]), (&json!("POST /api/v1/keys"), &json!("server")));
    let attributes = &span["attributes"];
    assert_eq!(attributes["http.request.method"], "POST");
    assert_eq!(attributes["http.route"], "/api/v1/keys");
    assert_eq!(attributes["http.response.status_code"], 200);
    assert!(attributes["mainspring.principal"].as_str().unwrap().starts_with("usr_"), "{span}");
    assert!(!span.to_string().contains("zukamirel"), "{span}");

    let refused = write(&server, "PUT /api/v1/assets/prompt/zukamirel/aliases/stable", &json!({"to": "latest"}));
    assert_eq!(refused.status, 404, "{}", refused.text);
    let span = only_span(&user, &refused).await;
    assert_eq!(span["status"]["code"], "error", "{span}");
    assert_eq!(span["attributes"]["error.type"], serde_json::from_str::<Value>(&refused.text).unwrap()["code"], "{span}");
    assert!(!span.to_string().contains("zukamirel"), "{span}");

    let read = raw(&server, "GET /api/v1/assets", "", "");
    assert_eq!((read.status, read.header("x-mainspring-trace-id")), (200, None));
}

/// Families of the text format by name, with their type, and every sample as `name{labels}` with its value.
struct Scrape {
    kinds: BTreeMap<String, String>,
    samples: BTreeMap<String, f64>,
}

fn scrape(server: &Server) -> Scrape {
    let text = raw(server, "GET /metrics", "", "").text;
    let (mut kinds, mut samples, mut helped) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            helped.insert(rest.split_once(' ').unwrap().0.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(helped.contains(name) && kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}");
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(samples.insert(series.to_owned(), value.parse().unwrap()).is_none(), "twice: {line}");
        }
    }
    for series in samples.keys() {
        let name = series.split('{').next().unwrap();
        let family =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end).filter(|base| kinds.contains_key(*base)));
        assert!(kinds.contains_key(family.unwrap_or(name)), "{series} has no type");
    }
    Scrape { kinds, samples }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_are_what_a_collector_expects() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    let embedded = user.post("/v1/embeddings", &json!({"model": "all-minilm-l6-v2", "input": "a few words"})).await;
    assert_eq!(embedded.status, 200, "{}", embedded.text);
    let (first, second) = (scrape(&server), scrape(&server));
    let expected = [
        ("mainspring_http_requests_total", "counter"),
        ("mainspring_http_request_seconds", "histogram"),
        ("mainspring_spans_recorded_total", "counter"),
        ("mainspring_spans_stored_total", "counter"),
        ("mainspring_spans_queryable_total", "counter"),
        ("mainspring_spans_dropped_total", "counter"),
        ("mainspring_spans_waiting", "gauge"),
        ("mainspring_spill_bytes", "gauge"),
        ("mainspring_encoder_queue_tokens", "gauge"),
        ("mainspring_chat_queue_requests", "gauge"),
        ("mainspring_chat_running_requests", "gauge"),
        ("mainspring_model_tokens_total", "counter"),
        ("mainspring_ingest_documents_total", "counter"),
        ("mainspring_ingest_chunks_total", "counter"),
        ("mainspring_catalog_connections", "gauge"),
        ("process_resident_memory_bytes", "gauge"),
        ("process_open_fds", "gauge"),
    ];
    for (name, kind) in expected {
        assert_eq!(first.kinds.get(name).map(String::as_str), Some(kind), "{name}");
    }
    for (name, kind) in &first.kinds {
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
    }
    for (series, value) in &first.samples {
        let counts = series.split('{').next().is_some_and(|name| name.ends_with("_total") || name.ends_with("_count"));
        assert!(!counts || second.samples[series] >= *value, "{series} fell from {value}");
    }
    let read = r#"mainspring_model_tokens_total{model="all-minilm-l6-v2",direction="in"}"#;
    assert!(first.samples[read] > 0.0, "{:?}", first.samples);
}

/// Takes connections and answers nothing.
fn silent_site() -> (TcpListener, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // More than are asked for at a time: the run lasts longer than any test waits.
    (listener, (0..200).map(|page| format!("http://127.0.0.1:{port}/{page}")).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_to_stop_does_not_wait_for_those_who_follow() {
    let data = tempfile::tempdir().unwrap();
    let (_site, urls) = silent_site();
    // Longer than this test waits: the server has to stop of its own accord.
    let settings = [("MAINSPRING__SERVER__SHUTDOWN_GRACE", "600s"), ("MAINSPRING__KNOWLEDGE__ALLOW_PRIVATE_ADDRESSES", "true")];
    let server = Server::start_with(data.path(), &["serve"], &settings);
    let spec = json!({"sources": [{"type": "web", "urls": urls}]});
    apply_all(data.path(), &[json!({"apiVersion": "mainspring/v1", "kind": "knowledge", "name": "silent", "spec": spec})]);
    let waiter = User::of(&server, None);
    let waiting = tokio::spawn(async move { waiter.post("/api/v1/knowledge/silent/ingest", &json!({"wait": true})).await });
    let user = User::of(&server, None);
    let newest = async || user.get("/api/v1/knowledge/silent/runs").await.json()["items"][0]["id"].as_str().map(str::to_owned);
    until("the run", async || newest().await.is_some()).await;
    let run = newest().await.unwrap();
    let mut following = server.client().events(&format!("/api/v1/runs/{run}/events")).await.unwrap();
    let first: Value = serde_json::from_str(&following.next().await.unwrap().unwrap()).unwrap();
    assert_eq!(first["status"], "running", "{first}");
    let ended = server.terminate();
    assert!(ended.success(), "{ended}");
    while let Some(event) = following.next().await {
        assert!(event.is_ok(), "the stream was cut: {event:?}");
    }
    let told = waiting.await.unwrap();
    assert_eq!((told.status, &told.json()["run"]["status"]), (200, &json!("running")), "{}", told.text);
}
