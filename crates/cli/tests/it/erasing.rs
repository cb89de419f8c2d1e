//! What is erased is in no file any more; what is kept too long gives its bytes back; large values come back whole.

use std::path::Path;

use mainspring_kernel::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::running::{Server, User, run, until};

/// What the user wrote, in a span, in a log, in a large value and as an attribute of a point.
const WORDS: [&str; 3] = ["zukamirel", "borlavitek", "fenodrusap"];
const USER: &str = "user-quandelor";

fn text(key: &str, text: &str) -> Value {
    json!({"key": key, "value": {"stringValue": text}})
}

fn nanos(back_seconds: i64) -> String {
    format!("{}000", SystemClock.now().as_micros() - back_seconds * 1_000_000)
}

fn trace(n: u64) -> String {
    format!("{:032x}", n + 0xabc0)
}

fn span(n: u64, of_trace: &str, attributes: &[Value]) -> Value {
    let time = nanos(5);
    json!({
        "traceId": of_trace, "spanId": format!("{:016x}", n + 1), "name": "chat", "kind": 2,
        "startTimeUnixNano": time, "endTimeUnixNano": time, "attributes": attributes,
    })
}

async fn send(user: &User, spans: &[Value]) {
    let sent = user.post("/v1/traces", &json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})).await;
    assert_eq!(sent.status, 200, "{}", sent.text);
}

/// Files below a folder that hold one of these words.
fn holding(folder: &Path, words: &[&str], found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        // Files come and go while the server runs.
        let Ok(entry) = entry else { continue };
        let path = entry.path();
        if path.is_dir() {
            holding(&path, words, found);
        } else if let Ok(bytes) = std::fs::read(&path) {
            let holds = |word: &&str| bytes.windows(word.len()).any(|part| part == word.as_bytes());
            found.extend(words.iter().filter(|word| holds(word)).map(|word| format!("{word} in {}", path.display())));
        }
    }
}

pub(crate) fn found(folder: &Path, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    holding(folder, words, &mut found);
    found
}

fn bytes_of(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(
            |entry| if entry.path().is_dir() { bytes_of(&entry.path()) } else { entry.metadata().map_or(0, |found| found.len()) },
        )
        .sum()
}

/// How many of the traces sent here are left: a request that changes something is a trace as well.
const SENT: &str = "/api/v1/traces/count?filter=user%20exists";

/// A word that compression leaves as it is must be found before it can be missed.
async fn told(server: &Server, data: &Path) -> User {
    let user = User::of(server, None);
    let [question, answer, long] = WORDS;
    let large = format!("{long} {}", "words without an end ".repeat(8_000));
    let messages = json!([{"role": "user", "parts": [{"type": "text", "content": question}]}]).to_string();
    let mut spans = vec![
        span(1, &trace(1), &[text("user.id", USER), text("gen_ai.input.messages", &messages)]),
        // Beneath it, and says nothing of whose it is.
        span(2, &trace(1), &[text("output.value", answer)]),
        span(3, &trace(2), &[text("user.id", USER), text("input.value", &large)]),
    ];
    spans.extend((10..60).map(|n| span(n, &trace(n), &[text("user.id", "somebody-else"), text("input.value", "a question")])));
    send(&user, &spans).await;
    let time = nanos(5);
    let record = json!({"timeUnixNano": time, "body": {"stringValue": answer}, "attributes": [text("user.id", USER)]});
    let sent = user.post("/v1/logs", &json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]})).await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    let point = json!({"timeUnixNano": time, "asDouble": 1.5, "attributes": [text("user.id", USER)]});
    let metric = json!({"name": "questions", "gauge": {"dataPoints": [point]}});
    let sent = user.post("/v1/metrics", &json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]})).await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    // Whoever asks is told when they are in the lake.
    let seen = user.get(&format!("/api/v1/traces/{}", trace(1))).await;
    assert!(seen.text.contains(question) && seen.text.contains(answer), "{}", seen.text);
    assert!(!found(data, &WORDS).is_empty());
    user
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_erased_of_a_user_is_in_no_file() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = told(&server, data.path()).await;
    // What they said of somebody else's answer is theirs, and a session has scores though nothing of it was sent.
    let scores = json!([
        {"name": "kind", "value": true, "trace": trace(10), "author": USER},
        {"name": "resolved", "value": false, "session": "s-quixotic", "comment": "a vexillum"},
        {"name": "resolved", "value": true, "session": "s-2"},
    ]);
    let sent = user.post("/api/v1/scores", &scores).await;
    assert_eq!(sent.json()["accepted"], 3, "{}", sent.text);
    run(data.path(), &["erase", "--session", "s-quixotic", "--wait"]);
    assert_eq!(found(data.path(), &["s-quixotic", "vexillum"]), Vec::<String>::new());

    let erased = run(data.path(), &["erase", "--user", USER, "--wait"]);
    assert_eq!((&erased["state"], &erased["kind"]), (&json!("done"), &json!("user")), "{erased}");
    assert_eq!((&erased["spans"], &erased["points"]), (&json!(4), &json!(1)), "{erased}");
    assert!(erased["bytes"].as_u64() > Some(0) && erased.get("subject").is_none(), "{erased}");
    let mut words = WORDS.to_vec();
    words.push(USER);
    assert_eq!(found(data.path(), &words), Vec::<String>::new());
    for n in [1, 2] {
        assert_eq!(user.get(&format!("/api/v1/traces/{}", trace(n))).await.status, 404);
    }
    let left = user.get(SENT).await.json();
    assert_eq!(left["count"], 50, "{left}");
    let scores = user.get("/api/v1/scores").await.json();
    assert_eq!((scores["items"].as_array().map(Vec::len), &scores["items"][0]["session"]), (Some(1), &json!("s-2")), "{scores}");

    // Nothing that is named anywhere says whose it was, and it can be asked for again.
    let listed = run(data.path(), &["erasures", "list"]);
    assert_eq!(listed["items"][0]["id"], erased["id"], "{listed}");
    let again = run(data.path(), &["erase", "--user", USER, "--wait"]);
    assert_eq!((&again["state"], &again["spans"]), (&json!("done"), &json!(0)), "{again}");
    assert_ne!(again["id"], erased["id"]);
    assert_eq!(again["fingerprint"], erased["fingerprint"]);
    let audit = user.get("/api/v1/audit").await;
    assert!(audit.text.contains("erasure.ask") && audit.text.contains("erasure.finish") && !audit.text.contains(USER));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_goes_on_after_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = told(&server, data.path()).await;
    let asked = user.post("/api/v1/erasures", &json!({"user": USER})).await.json();
    // Wherever it is by now.
    server.kill();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    let address = format!("/api/v1/erasures/{}", asked["id"].as_str().unwrap());
    until("an erasure to be done", async || user.get(&address).await.json()["state"] == "done").await;
    let mut words = WORDS.to_vec();
    words.push(USER);
    assert_eq!(found(data.path(), &words), Vec::<String>::new());
    assert_eq!(user.get(SENT).await.json()["count"], 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_half_gives_about_half_of_the_bytes_back() {
    let data = tempfile::tempdir().unwrap();
    let settings = [("MAINSPRING__LAKE__UPKEEP_EVERY", "500ms"), ("MAINSPRING__LAKE__KEEP_VERSIONS_FOR", "100ms")];
    let server = Server::start_with(data.path(), &["serve"], &settings);
    let user = User::of(&server, None);
    // Digests do not compress.
    let words =
        |n: u64| (0..40).map(|part| mainspring_kernel::Digest::of(format!("{n} {part}").as_bytes()).hex()).collect::<String>();
    for at in (0..2_000_u64).step_by(100) {
        let of = |n: u64| if n.is_multiple_of(2) { "leaving" } else { "staying" };
        let spans: Vec<Value> =
            (at..at + 100).map(|n| span(n, &trace(n), &[text("user.id", of(n)), text("input.value", &words(n))])).collect();
        send(&user, &spans).await;
    }
    let lake = data.path().join("lake");
    let before = {
        until("every span", async || user.get(SENT).await.json()["count"] == 2_000).await;
        run(data.path(), &["erase", "--user", "nobody-at-all", "--wait"]);
        bytes_of(&lake)
    };
    assert!(before > 2_000 * 1_000, "{before}");
    let erased = run(data.path(), &["erase", "--user", "leaving", "--wait"]);
    assert_eq!((&erased["state"], &erased["spans"]), (&json!("done"), &json!(1_000)), "{erased}");
    let after = bytes_of(&lake);
    assert!(after * 100 < before * 65 && after * 100 > before * 35, "{after} of {before}");

    // The same by retention, on its own time. The two erasures are traces too.
    let held = run(data.path(), &["retention", "show"]);
    assert_eq!((&held["items"][0]["kind"], &held["items"][0]["rows"]), (&json!("spans"), &json!(1_002)), "{held}");
    let most = (held["items"][0]["bytes"].as_u64().unwrap() / 2).to_string();
    run(data.path(), &["retention", "set", "spans", "--keep-for", "20d"]);
    let set = run(data.path(), &["retention", "set", "spans", "--max-bytes", &most]);
    assert_eq!((&set["items"][0]["keep_for"], &set["items"][0]["by_default"]), (&json!("20d"), &json!(false)), "{set}");
    until("half of the spans to be gone", async || {
        let left = user.get(SENT).await.json()["count"].as_u64().unwrap();
        left < 700
    })
    .await;
    until("their bytes to be back", async || bytes_of(&lake) * 100 < after * 75).await;
    let held = run(data.path(), &["retention", "show"]);
    let (spans, logs) = (&held["items"][0], &held["items"][1]);
    assert!(spans["rows"].as_u64() > Some(300) && spans["last"]["all_rows"].as_u64() > Some(300), "{held}");
    assert!(logs.get("last").is_none() && logs["by_default"] == true, "{held}");
    // What is asked for twice is as if it were asked for once.
    let set = run(data.path(), &["retention", "set", "spans"]);
    assert_eq!((set["items"][0].get("max_bytes"), &set["items"][0]["by_default"]), (None, &json!(true)), "{set}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_value_comes_back_whole_and_to_its_own_project_only() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    let whole: String = "fünf Wörter, und noch eins. ".repeat((4 << 20) / 30);
    assert!(whole.len() > 4_000_000);
    send(&user, &[span(7, &trace(7), &[text("input.value", &whole), text("small", "stays")])]).await;
    let id = format!("{:016x}", 8);
    let seen = user.get(&format!("/api/v1/traces/{}/spans/{id}", trace(7))).await.json();
    let stays = &seen["attributes"]["input.value"]["mainspring.value"];
    assert_eq!((stays["bytes"].as_u64(), &seen["attributes"]["small"]), (Some(whole.len() as u64), &json!("stays")), "{stays}");
    assert!(whole.starts_with(stays["beginning"].as_str().unwrap()) && seen.to_string().len() < 20_000);
    let digest = stays["digest"].as_str().unwrap();
    let path = format!("/api/v1/traces/{}/spans/{id}/values/{digest}", trace(7));
    let value = user.get(&path).await.json();
    assert!(value["text"] == whole && value["json"] == false);
    for format in ["jsonl", "otlp-json"] {
        let exported = user.get(&format!("/api/v1/traces/export?format={format}")).await;
        assert!(exported.text.contains(&whole) && !exported.text.contains("mainspring.value"), "{format}");
    }
    // Its beginning is searched.
    assert_eq!(user.get("/api/v1/traces/count?q=noch").await.json()["count"], 1);

    // Neither its digest nor a span that claims to have it is enough.
    run(data.path(), &["projects", "create", "elsewhere"]);
    let made = run(data.path(), &["keys", "create", "theirs", "--role", "admin", "--project", "elsewhere"]);
    let stranger = User::of(&server, made["secret"].as_str());
    assert_eq!(stranger.get(&path).await.status, 404);
    let fields = json!([{"key": "mainspring.value", "value": {"kvlistValue": {"values": [
        text("digest", digest), {"key": "bytes", "value": {"intValue": "4"}}, text("beginning", "mine"),
    ]}}}]);
    let forged = json!({"key": "input.value", "value": {"kvlistValue": {"values": fields}}});
    send(&stranger, &[span(7, &trace(7), &[forged])]).await;
    let theirs = stranger.get(&format!("/api/v1/traces/{}/spans/{id}", trace(7))).await.json();
    assert_ne!(theirs["attributes"]["input.value"]["mainspring.value"]["digest"], json!(digest), "{theirs}");
    assert_eq!(stranger.get(&path).await.status, 404);

    // It goes with its trace.
    let values = data.path().join("values");
    assert!(bytes_of(&values) > 4_000_000);
    run(data.path(), &["erase", "--trace", &trace(7), "--wait"]);
    assert!(bytes_of(&values) < 1_000_000, "only what the other project sent is left");
    assert_eq!(user.get(&path).await.status, 404);
}
