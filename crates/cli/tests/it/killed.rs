//! The server is killed while it applies, answers and takes spans.

use std::{
    collections::{BTreeMap, hash_map::RandomState},
    hash::BuildHasher as _,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use mainspring_client::{Client, ClientFault};
use mainspring_kernel::{Clock as _, SystemClock};
use mainspring_wire as wire;
use serde_json::{Value, json};

use crate::running::{Server, User, until};

const SPECS: usize = 50;

/// A number below a limit, another each time.
pub(crate) fn any_below(limit: u64) -> u64 {
    RandomState::new().hash_one(Instant::now()) % limit
}

fn prompts(prefix: &str) -> Value {
    let prompt = |n: usize| {
        let content = format!("{prefix} {n}: {{{{ question }}}}");
        let spec = json!({"parameters": {"question": {}}, "messages": [{"role": "user", "content": content}]});
        json!({"apiVersion": "mainspring/v1", "kind": "prompt", "name": format!("{prefix}-{n}"), "spec": spec})
    };
    json!({"manifests": (0..SPECS).map(prompt).collect::<Vec<_>>()})
}

async fn apply(client: &Client, prefix: &str) -> Result<wire::ApplyReply, ClientFault> {
    client.post("/api/v1/apply", &prompts(prefix)).await
}

async fn applied(client: &Client, prefix: &str) -> usize {
    let all: Vec<Value> = client.all("/api/v1/assets?kind=prompt").await.unwrap();
    all.iter().filter(|asset| asset["name"].as_str().is_some_and(|name| name.starts_with(&format!("{prefix}-")))).count()
}

async fn assert_audit_is_intact(client: &Client) {
    let check: wire::AuditCheck = client.post("/api/v1/audit/verify", &json!({})).await.unwrap();
    assert!(check.intact, "{check:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_killed_anywhere_is_there_in_full_or_not_at_all() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), "127.0.0.1");
    let began = Instant::now();
    apply(&server.client(), "whole").await.unwrap();
    let takes = began.elapsed();
    assert_eq!(applied(&server.client(), "whole").await, SPECS);
    let (mut none, mut all) = (0, 0);
    for round in 0..10 {
        let prefix = format!("round{round}");
        let client = server.client();
        let within = prefix.clone();
        let asking = tokio::spawn(async move { apply(&client, &within).await.is_ok() });
        // Anywhere from before it begins to after it is done.
        let micros = u64::try_from(takes.as_micros()).unwrap() * 5 / 4;
        tokio::time::sleep(Duration::from_micros(any_below(micros))).await;
        server.kill();
        let acknowledged = asking.await.unwrap();
        server = Server::start(data.path(), "127.0.0.1");
        let client = server.client();
        let found = applied(&client, &prefix).await;
        assert!(
            found == SPECS || (found == 0 && !acknowledged),
            "round {round}: {found} of {SPECS}, acknowledged: {acknowledged}"
        );
        if found == 0 {
            none += 1
        } else {
            all += 1
        }
        assert_audit_is_intact(&client).await;
        // Asked again, it is there once.
        apply(&client, &prefix).await.unwrap();
        assert_eq!(applied(&client, &prefix).await, SPECS);
        let history: Value = client.get(&format!("/api/v1/assets/prompt/{prefix}-7")).await.unwrap();
        assert_eq!(history["version"], 1);
    }
    assert_eq!(none + all, 10);
    assert_audit_is_intact(&server.client()).await;
}

/// A trace of one span, as another program sends it.
fn export(trace: &str) -> Value {
    // Old traces are deleted by upkeep.
    let now = format!("{}000", SystemClock.now().as_micros());
    let span = json!({
        "traceId": trace, "spanId": &trace[..16], "name": "work", "kind": 2,
        "startTimeUnixNano": now, "endTimeUnixNano": now,
    });
    json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
}

fn new_trace(n: u64) -> String {
    format!("{:016x}{n:016x}", any_below(u64::MAX).max(1))
}

async fn spans_of(user: &User, trace: &str) -> usize {
    let reply = user.get(&format!("/api/v1/traces/{trace}")).await;
    if reply.status == 404 { 0 } else { reply.json()["spans"].as_array().unwrap().len() }
}

/// Sends traces until the server is gone; answers those that were acknowledged, and all.
pub(crate) async fn send_until_gone(client: Client, acknowledged: Arc<Mutex<BTreeMap<String, bool>>>) {
    for n in 0.. {
        let trace = new_trace(n);
        acknowledged.lock().unwrap().insert(trace.clone(), false);
        if client.post::<Value>("/v1/traces", &export(&trace)).await.is_err() {
            return;
        }
        acknowledged.lock().unwrap().insert(trace, true);
        // Each of them is looked for afterwards.
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_spans_survive_a_kill_and_are_there_once() {
    let data = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let server = Server::start(data.path(), "127.0.0.1");
        let sent = Arc::default();
        let senders: Vec<_> = (0..4).map(|_| tokio::spawn(send_until_gone(server.client(), Arc::clone(&sent)))).collect();
        // Long enough for the first to be acknowledged, and for some to be anywhere on their way.
        let end = Instant::now() + Duration::from_secs(60);
        while sent.lock().unwrap().values().filter(|acknowledged| **acknowledged).count() < 5 {
            assert!(Instant::now() < end, "round {round}: nothing is acknowledged: {}", server.said());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(any_below(400))).await;
        server.kill();
        for sender in senders {
            sender.await.unwrap();
        }
        let sent: BTreeMap<String, bool> = sent.lock().unwrap().clone();
        let server = Server::start(data.path(), "127.0.0.1");
        let user = User::of(&server, None);
        for (trace, acknowledged) in &sent {
            let found = spans_of(&user, trace).await;
            assert!(found == 1 || (found == 0 && !acknowledged), "round {round}: {found} spans, acknowledged: {acknowledged}");
        }
        // Whoever did not hear sends again, and so does one who did.
        for trace in sent.iter().filter(|(_, acknowledged)| !**acknowledged).chain(sent.iter().take(2)).map(|(trace, _)| trace) {
            assert_eq!(user.post("/v1/traces", &export(trace)).await.status, 200);
            assert_eq!(spans_of(&user, trace).await, 1, "round {round}");
        }
        server.kill();
    }
}

/// Reads some of a streamed answer, and leaves the stream open.
async fn begin_answer(client: &Client) -> mainspring_client::Events {
    let asked = json!({
        "model": "smollm2-135m-instruct", "stream": true, "max_tokens": 400, "temperature": 0,
        "messages": [{"role": "user", "content": "Tell a long story about a lighthouse keeper."}],
    });
    let (_, mut events) = client.post_events("/v1/chat/completions", &asked).await.unwrap();
    for _ in 0..4 {
        events.next().await.unwrap().unwrap();
    }
    events
}

pub(crate) async fn listed(client: &Client) -> Vec<String> {
    let traces: Vec<wire::TraceSummary> = client.all("/api/v1/traces").await.unwrap();
    traces.into_iter().map(|trace| trace.trace_id).collect()
}

async fn answer_in_full(client: &Client) -> String {
    let asked = json!({
        "model": "smollm2-135m-instruct", "max_tokens": 8, "temperature": 0,
        "messages": [{"role": "user", "content": "Count to three."}],
    });
    let answer: Value = client.post("/v1/chat/completions", &asked).await.unwrap();
    answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
}

fn segments(data: &Path) -> usize {
    std::fs::read_dir(data.join("spill")).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file()).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_in_the_middle_of_an_answer_answers_again_and_lost_no_trace() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let client = server.client();
    let answer = answer_in_full(&client).await;
    let before = listed(&client).await;
    assert!(!before.is_empty(), "the answer left its trace");

    let mut stream = begin_answer(&client).await;
    let theirs = new_trace(1);
    let acknowledged = User::of(&server, None).post("/v1/traces", &export(&theirs)).await;
    assert_eq!(acknowledged.status, 200);
    server.kill();
    let mut broken = false;
    while let Some(event) = stream.next().await {
        broken |= event.is_err();
    }
    assert!(broken, "a stream that was cut off does not look finished");

    let server = Server::start(data.path(), "127.0.0.1");
    let client = server.client();
    let mut after = listed(&client).await;
    assert!(after.contains(&theirs) && before.iter().all(|trace| after.contains(trace)), "{after:?}");
    let count = after.len();
    after.sort();
    after.dedup();
    assert_eq!(after.len(), count, "each trace once");
    assert_eq!(answer_in_full(&client).await, answer);
    assert_eq!(listed(&client).await.len(), count + 1);
    until("what waits on disk", async || segments(data.path()) == 0).await;
}
