//! What is forgotten is nowhere any more.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use mainspring_kernel::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::running::{Server, User, apply_all, around, command, refused, run};

/// In the text, the title and the name of the document that is forgotten.
const WORDS: [&str; 3] = ["zukamirel", "borlavitek", "fenodrusap"];
const DOCUMENTS: &str = "/api/v1/knowledge/notes/documents";
const SEARCH: &str = "/api/v1/knowledge/notes/search";

struct Told {
    server: Server,
    id: String,
    uri: String,
    pin: Value,
}

fn asset(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec})
}

/// A server that keeps nothing longer than it must, with a document everybody asked for.
async fn told(data: &Path, folder: &Path) -> Told {
    let [text, title, file] = WORDS;
    let paragraph = format!("Below the cellar of the house a {text} is kept in a box of lead. ");
    std::fs::write(folder.join(format!("{file}.md")), format!("# Of {title}\n\n{}\n", paragraph.repeat(3))).unwrap();
    std::fs::write(folder.join("garden.md"), "# Of gardens\n\nBehind the cellar of the house is a garden with a wall.\n")
        .unwrap();
    let settings = [("MAINSPRING__LAKE__UPKEEP_EVERY", "500ms"), ("MAINSPRING__LAKE__KEEP_VERSIONS_FOR", "100ms")];
    let server = Server::start_with(data, &["serve"], &settings);
    let messages =
        json!([{"role": "user", "content": "{% for source in sources %}{{ source.text }} {% endfor %}{{ question }}"}]);
    let steps = json!([
        {"retrieve": {"knowledge": "notes", "limit": 2}},
        {"prompt": {"use": "notes"}},
        {"model": {"name": "smollm2-135m-instruct"}},
    ]);
    let prompt = json!({"parameters": {"question": {}, "sources": {"type": "array"}}, "messages": messages, "settings": {"temperature": 0}});
    apply_all(
        data,
        &[
            asset("knowledge", "notes", json!({"sources": [{"type": "folder", "path": folder}]})),
            asset("prompt", "notes", prompt),
            asset("chain", "notes", json!({"steps": steps})),
            asset("app", "notes", json!({"chain": "notes"})),
        ],
    );
    run(data, &["ingest", "notes"]);
    let user = User::of(&server, None);
    let found = user.post(SEARCH, &json!({"query": "what is kept below the cellar"})).await.json();
    let passage = &found["passages"][0];
    assert!(passage["text"].as_str().unwrap().contains(text), "{found}");
    let [id, uri] = ["document", "uri"].map(|field| passage[field].as_str().unwrap().to_owned());
    Told { id, uri, pin: found["pin"].clone(), server }
}

fn shown(text: &str) -> Vec<&'static str> {
    WORDS.into_iter().filter(|word| text.contains(word)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_document_is_told_of_nowhere() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let Told { server, id, pin, .. } = told(data.path(), folder.path()).await;
    let user = User::of(&server, None);
    let answer = run(data.path(), &["ask", "notes", "What is kept below the cellar?", "--max-tokens", "8"]);
    let trace = answer["mainspring"]["trace_id"].as_str().unwrap().to_owned();
    run(data.path(), &["replay", &trace]);
    let listed = user.get("/api/v1/traces?limit=100").await.json();
    let traces: Vec<String> =
        listed["items"].as_array().unwrap().iter().map(|trace| trace["trace_id"].as_str().unwrap().to_owned()).collect();
    assert!(traces.contains(&trace), "{listed}");

    let receipt = run(data.path(), &["forget", "notes", &id]);
    assert_eq!((&receipt["documents"], &receipt["not_found"]), (&json!([id]), &json!([])), "{receipt}");
    assert_eq!((&receipt["texts"], &receipt["tombstones"]), (&json!(1), &json!(true)), "{receipt}");
    let rows = receipt["rows"].as_array().unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|rows| rows["rows"].as_u64() > Some(0) && rows["left"] == 0), "{receipt}");
    assert!(receipt["removed_spans"].as_u64() > Some(0), "{receipt}");
    assert!(shown(&receipt.to_string()).is_empty(), "{receipt}");

    let question = "what is kept in a box of lead below the cellar";
    let mut replies = Vec::new();
    for mode in ["hybrid", "vector", "text"] {
        let reply = user.post(SEARCH, &json!({"query": question, "mode": mode})).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        replies.push((format!("a {mode} search"), reply));
    }
    replies.push(("a search of the state of then".into(), user.post(SEARCH, &json!({"query": question, "at": pin})).await));
    for path in ["", "?status=forgotten", "?q=zukamirel", "?q=borlavitek", "?q=fenodrusap"] {
        replies.push((format!("documents{path}"), user.get(&format!("{DOCUMENTS}{path}")).await));
    }
    for part in ["", "/text", "/chunks"] {
        let reply = user.get(&format!("{DOCUMENTS}/{id}{part}")).await;
        assert_eq!(reply.status, 404, "{}", reply.text);
        replies.push((format!("the document{part}"), reply));
    }
    for path in ["/api/v1/knowledge/notes/runs", "/api/v1/overview", "/api/v1/audit"] {
        replies.push((path.into(), user.get(path).await));
    }
    for word in WORDS {
        replies.push((format!("traces with {word}"), user.get(&format!("/api/v1/traces?q={word}")).await));
    }
    for trace in &traces {
        replies.push((format!("trace {trace}"), user.get(&format!("/api/v1/traces/{trace}")).await));
    }
    let replayed = user.post(&format!("/api/v1/traces/{trace}/replay"), &json!({})).await;
    assert!(replayed.status == 400 && replayed.text.contains("was forgotten"), "{} {}", replayed.status, replayed.text);
    replies.push(("replay".into(), replayed));
    let again = run(data.path(), &["ingest", "notes"]);
    assert_eq!(again["report"]["added"], 0, "{again}");
    replies.push(("a search after another ingestion".into(), user.post(SEARCH, &json!({"query": question})).await));
    let told: Vec<_> = replies
        .iter()
        .filter(|(_, reply)| !shown(&reply.text).is_empty())
        .map(|(what, reply)| (what, reply.status, shown(&reply.text), around(&reply.text, shown(&reply.text)[0])))
        .collect();
    assert!(told.is_empty(), "{told:#?}");
}

/// An answer can be under way while a document it used is forgotten; and other programs write into its trace later.
#[tokio::test(flavor = "multi_thread")]
async fn a_span_that_comes_after_the_forgetting_loses_its_text_too() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let told = told(data.path(), folder.path()).await;
    let user = User::of(&told.server, None);
    let receipt = run(data.path(), &["forget", "notes", &told.id]);
    assert_eq!(receipt["traces_pending"], false, "{receipt}");
    let (trace, now) = ("4bf92f3577b34da6a3ce929d0e0e4736", format!("{}000", SystemClock.now().as_micros()));
    let text = |key: &str, text: &str| json!({"key": key, "value": {"stringValue": text}});
    let span = json!({
        "traceId": trace, "spanId": "00f067aa0ba902b7", "name": "late", "kind": 2, "startTimeUnixNano": now, "endTimeUnixNano": now,
        "attributes": [text("document", &told.id), text("prompt", WORDS[0])],
    });
    let sent = user.post("/v1/traces", &json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})).await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let seen = user.get(&format!("/api/v1/traces/{trace}")).await;
        assert_eq!(seen.status, 200, "{}", seen.text);
        if shown(&seen.text).is_empty() {
            assert!(seen.text.contains("mainspring.forgotten"), "{}", seen.text);
            break;
        }
        assert!(Instant::now() < end, "{}", seen.text);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A receipt can be read again, and a document comes back where somebody lifts what keeps it out.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_forgotten_is_read_about_afterwards_and_let_back_in() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let Told { server, id, .. } = told(data.path(), folder.path()).await;
    let (user, data) = (User::of(&server, None), data.path());
    run(data, &["ask", "notes", "What is kept below the cellar?", "--max-tokens", "4"]);
    let made = run(data, &["forget", "notes", &id]);
    // Only whoever made it hears what was on its way at that moment.
    let mut kept = made.clone();
    assert_eq!(kept.as_object_mut().unwrap().remove("traces_pending"), Some(json!(false)));
    assert!(kept["removed_spans"].as_u64() > Some(0), "{kept}");
    let receipt = made["id"].as_str().unwrap();
    assert_eq!(run(data, &["receipts", "notes", receipt]), kept);
    assert_eq!(run(data, &["receipts", "notes"])["items"], json!([kept]));
    assert_eq!(user.get(&format!("/api/v1/knowledge/notes/receipts/{receipt}")).await.json(), kept);
    assert_eq!(refused(data, &["receipts", "notes", "fgt_nothing"])["code"], "knowledge-receipt-not-found");
    let output = command(data).args(["receipts", "notes"]).output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("kept out"));

    let stones = run(data, &["tombstones", "notes"]);
    assert_eq!((&stones["items"][0]["document"], stones["items"].as_array().map(Vec::len)), (&json!(id), Some(1)), "{stones}");
    assert!(shown(&stones.to_string()).is_empty(), "{stones}");
    assert_eq!(run(data, &["ingest", "notes"])["report"]["added"], 0);
    // Its name was forgotten; whoever knows it can say it.
    let name = format!("{}.md", WORDS[2]);
    assert_eq!(run(data, &["tombstones", "notes", "--lift", &name]), stones["items"]);
    assert_eq!(refused(data, &["tombstones", "notes", "--lift", &id])["code"], "knowledge-tombstone-not-found");
    assert_eq!(run(data, &["tombstones", "notes"])["items"], json!([]));
    assert_eq!(run(data, &["ingest", "notes"])["report"]["added"], 1);
    let found = user.post(SEARCH, &json!({"query": "what is kept below the cellar"})).await;
    assert_eq!(found.json()["passages"][0]["document"], json!(id), "{}", found.text);

    let audit = run(data, &["audit"]);
    let entry = |action: &str| {
        let entries = audit["items"].as_array().unwrap().iter().filter(|entry| entry["action"] == action);
        entries.map(|entry| (entry["target"].clone(), entry["detail"].clone())).collect::<Vec<_>>()
    };
    let forgotten = json!({"receipt": receipt, "tombstones": true});
    assert_eq!(entry("knowledge.forget"), [(json!("knowledge/notes"), forgotten)], "{audit}");
    assert_eq!(entry("knowledge.readmit"), [(json!("knowledge/notes"), json!({"document": id}))], "{audit}");
    assert!(run(data, &["audit", "--verify"])["intact"] == json!(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_forgotten_by_its_address_too() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let told = told(data.path(), folder.path()).await;
    let output = command(data.path()).args(["forget", "notes", &told.uri]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8(output.stdout).unwrap().contains(&told.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_name_destroys_nothing() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let told = told(data.path(), folder.path()).await;
    let part = &WORDS[2][..6];
    let problem = refused(data.path(), &["forget", "notes", part]);
    assert_eq!(problem["code"], "document-not-found", "{problem}");
    assert!(problem["hint"].as_str().is_some_and(|hint| hint.contains(&told.id)), "{problem}");
    assert_eq!(User::of(&told.server, None).get(&format!("{DOCUMENTS}/{}", told.id)).await.status, 200);
    let receipt = run(data.path(), &["forget", "notes", &format!("{}.md", WORDS[2])]);
    assert_eq!(receipt["documents"], json!([told.id]), "{receipt}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_a_forgotten_document_that_could_not_be_read_is_gone_from_the_runs() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let told = told(data.path(), folder.path()).await;
    std::fs::write(folder.path().join("valdrimoke.pdf"), "%PDF-1.7 nothing of the kind").unwrap();
    let output = command(data.path()).args(["ingest", "notes", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let user = User::of(&told.server, None);
    let failed = user.get(&format!("{DOCUMENTS}?status=failed")).await.json();
    let receipt = run(data.path(), &["forget", "notes", failed["items"][0]["id"].as_str().unwrap()]);
    assert_eq!(receipt["documents"][0], failed["items"][0]["id"], "{receipt}");
    for path in [DOCUMENTS, "/api/v1/knowledge/notes/runs", "/api/v1/knowledge/notes", "/api/v1/audit"] {
        let reply = user.get(path).await;
        assert!(!reply.text.contains("valdrimoke"), "{path}: {}", around(&reply.text, "valdrimoke"));
    }
}

/// Files below a folder with one of the words in them, and which.
fn holding(folder: &Path, found: &mut Vec<(PathBuf, Vec<&'static str>)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            holding(&path, found);
        } else if let Ok(bytes) = std::fs::read(&path) {
            let words: Vec<_> =
                WORDS.into_iter().filter(|word| bytes.windows(word.len()).any(|part| part == word.as_bytes())).collect();
            if !words.is_empty() {
                found.push((path, words));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_holds_a_forgotten_document_once_old_versions_are_gone() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let told = told(data.path(), folder.path()).await;
    run(data.path(), &["ask", "notes", "What is kept below the cellar?", "--max-tokens", "4"]);
    let files = || {
        let mut found = Vec::new();
        holding(data.path(), &mut found);
        found
    };
    // What is looked for can be found: the words are in the files as they are.
    let before: Vec<_> = files().into_iter().flat_map(|(_, words)| words).collect();
    assert!(WORDS.iter().all(|word| before.contains(word)), "{:?}", files());
    let output = command(data.path()).args(["forget", "notes", &told.id]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let receipt = String::from_utf8(output.stdout).unwrap();
    assert!(receipt.starts_with("receipt:\n") && receipt.contains(&told.id) && receipt.contains("left: 0"), "{receipt}");
    let end = Instant::now() + Duration::from_secs(30);
    while !files().is_empty() {
        assert!(Instant::now() < end, "{:#?}", files());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // And the server works on.
    let found = User::of(&told.server, None).post(SEARCH, &json!({"query": "what is behind the cellar of the house"})).await;
    assert!(found.text.contains("Of gardens"), "{}", found.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_was_moved_is_forgotten_by_the_name_it_had_before() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let told = told(data.path(), folder.path()).await;
    let user = User::of(&told.server, None);
    let answer = run(data.path(), &["ask", "notes", "What is kept below the cellar?", "--max-tokens", "4"]);
    let trace = answer["mainspring"]["trace_id"].as_str().unwrap();
    let before = format!("{}.md", WORDS[2]);
    std::fs::rename(folder.path().join(&before), folder.path().join("renamed.md")).unwrap();
    assert_eq!(run(data.path(), &["ingest", "notes"])["report"]["moved"], 1);
    let at_then = json!({"query": "what is kept below the cellar", "at": told.pin});
    assert!(user.post(SEARCH, &at_then).await.text.contains(WORDS[0]), "kept for replays");

    let receipt = run(data.path(), &["forget", "notes", &before]);
    assert_eq!((&receipt["former"], receipt["documents"].as_array().map(Vec::len)), (&json!([told.id]), Some(1)), "{receipt}");
    assert_ne!(receipt["documents"][0], json!(told.id), "it has another id where it lies now");
    assert!(receipt["removed_spans"].as_u64() > Some(0), "{receipt}");
    let dropped = receipt["dropped_states"].as_array().unwrap();
    assert!(dropped.iter().any(|state| state["version"] == told.pin["version"]), "{receipt}");
    let replayed = user.post(&format!("/api/v1/traces/{trace}/replay"), &json!({})).await;
    assert!(replayed.status == 400 && replayed.text.contains("was forgotten"), "{} {}", replayed.status, replayed.text);
    let mut found = Vec::new();
    for _ in 0..150 {
        found.clear();
        holding(data.path(), &mut found);
        if found.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(run(data.path(), &["ingest", "notes"])["report"]["added"], 0, "it is kept out where it lies now");
}

/// Another program writes what it read into a trace: in a log record, and in a span as a value that lies among the blobs.
async fn quote(user: &User, trace: &str) {
    let now = SystemClock.now().as_nanos().to_string();
    let text = |said: String| json!({"stringValue": said});
    let record = json!({"timeUnixNano": now, "traceId": trace, "body": text(format!("a {} was quoted", WORDS[0]))});
    let logs = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]});
    let large = text(format!("{} ", WORDS[0]).repeat(10_000));
    let span = json!({
        "traceId": trace, "spanId": "00000000000000c2", "parentSpanId": "00000000000000c1", "name": "quote", "kind": 1,
        "startTimeUnixNano": now, "endTimeUnixNano": now, "attributes": [{"key": "input.value", "value": large}],
    });
    let spans = json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]});
    for (path, sent) in [("/v1/logs", logs), ("/v1/traces", spans)] {
        let reply = user.post(path, &sent).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_of_a_document_that_is_gone_from_its_source_is_done_when_no_file_holds_it() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let told = told(data.path(), folder.path()).await;
    let user = User::of(&told.server, None);
    let answer = run(data.path(), &["ask", "notes", "What is kept below the cellar?", "--max-tokens", "4"]);
    quote(&user, answer["mainspring"]["trace_id"].as_str().unwrap()).await;
    let logged = ["logs", "count", "--find", WORDS[0]];
    assert_eq!(run(data.path(), &logged)["count"], 1);
    std::fs::remove_file(folder.path().join(format!("{}.md", WORDS[2]))).unwrap();
    assert_eq!(run(data.path(), &["ingest", "notes"])["report"]["deleted"], 1);
    let mut before = Vec::new();
    holding(data.path(), &mut before);
    for part in ["lake", "values"] {
        assert!(before.iter().any(|(path, _)| path.starts_with(data.path().join(part))), "{part}: {before:#?}");
    }

    let erased = run(data.path(), &["erase", "--document", &format!("notes/{}", told.id), "--wait"]);
    assert_eq!((&erased["state"], &erased["kind"]), (&json!("done"), &json!("document")), "{erased}");
    let mut found = Vec::new();
    holding(data.path(), &mut found);
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(run(data.path(), &logged)["count"], 0);
    assert_eq!(run(data.path(), &["logs", "count"])["count"], 1, "that it was written stays");
    let then = user.post(SEARCH, &json!({"query": "what is kept below the cellar", "at": told.pin})).await;
    assert_eq!(then.json()["code"], "knowledge-pin-gone", "{}", then.text);
    let receipts = run(data.path(), &["receipts", "notes"]);
    assert_eq!(receipts["items"][0]["documents"], json!([told.id]), "{receipts}");
    // By a name that nothing has and nothing had, nothing is erased.
    assert_eq!(refused(data.path(), &["erase", "--document", "notes/nothing.md"])["code"], "document-not-found");
}
