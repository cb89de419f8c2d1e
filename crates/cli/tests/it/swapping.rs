//! What a replay takes from then and what from now, and which traces it refuses.

use std::path::Path;

use bytes::Bytes;
use futures::StreamExt as _;
use mainspring_client::{HttpTransport, Transport as _};
use serde_json::{Value, json};

use crate::running::{Server, apply_all, command, refused, run};

fn asset(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec})
}

fn write(folder: &Path, file: &str, colour: &str) {
    let what = file.strip_suffix(".md").unwrap();
    let text = format!("# The {what}\n\nThe {what} of the garden is painted {colour} every spring by the gardener.\n");
    std::fs::write(folder.join(file), text).unwrap();
}

/// An app that reads two knowledges, each with one document.
fn specs(gates: &Path, walls: &Path) -> Vec<Value> {
    let knowledge = |name, folder: &Path| asset("knowledge", name, json!({"sources": [{"type": "folder", "path": folder}]}));
    let steps = json!([
        {"retrieve": {"knowledge": "gates", "limit": 1}},
        {"retrieve": {"knowledge": "walls", "limit": 1}},
        {"prompt": {"use": "garden"}},
        {"model": {"name": "smollm2-135m-instruct"}},
    ]);
    let prompt = json!({
        "parameters": {"question": {}, "sources": {"type": "array"}},
        "messages": [{"role": "user", "content": "{% for source in sources %}{{ source.text }} {% endfor %}{{ question }}"}],
        "settings": {"temperature": 0, "max_tokens": 8},
    });
    vec![
        knowledge("gates", gates),
        knowledge("walls", walls),
        asset("prompt", "garden", prompt),
        asset("chain", "garden", json!({"steps": steps})),
        asset("app", "garden", json!({"chain": "garden"})),
    ]
}

const QUESTION: &str = "What colour are the gate and the wall of the garden painted?";

fn texts(replay: &Value, side: &str) -> Vec<String> {
    let list = replay["sources"][side].as_array().unwrap();
    list.iter().map(|passage| passage["uri"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swapped_knowledge_is_read_as_it_is_now_and_the_other_as_it_was() {
    let data = tempfile::tempdir().unwrap();
    let (gates, walls) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(gates.path(), "gate.md", "vermilion");
    write(walls.path(), "wall.md", "ochre");
    let server = Server::start(data.path(), "127.0.0.1");
    apply_all(data.path(), &specs(gates.path(), walls.path()));
    for knowledge in ["gates", "walls"] {
        run(data.path(), &["ingest", knowledge]);
    }
    let answer = run(data.path(), &["ask", "garden", QUESTION]);
    let trace = answer["mainspring"]["trace_id"].as_str().unwrap();
    let then = &answer["mainspring"]["tables"];
    assert_eq!(then.as_array().unwrap().len(), 2, "{answer}");

    write(gates.path(), "gate.md", "turquoise");
    write(walls.path(), "wall.md", "magenta");
    for knowledge in ["gates", "walls"] {
        run(data.path(), &["ingest", knowledge]);
    }
    let same = run(data.path(), &["replay", trace]);
    assert_eq!((&same["same"], &same["tables"]), (&json!(true), then), "{same}");

    let swapped = run(data.path(), &["replay", trace, "--with", "knowledge=gates"]);
    assert_ne!(swapped["tables"][0], then[0], "{swapped}");
    assert_eq!(swapped["tables"][1], then[1], "{swapped}");
    let read: Value =
        server.client().get(&format!("/api/v1/traces/{}", swapped["replay_trace_id"].as_str().unwrap())).await.unwrap();
    let read = read.to_string();
    assert!(read.contains("turquoise") && read.contains("ochre"), "{read}");
    assert!(!read.contains("vermilion") && !read.contains("magenta"), "{read}");
    let (gone, new) = (texts(&swapped, "gone"), texts(&swapped, "new"));
    assert!(gone.len() == 1 && gone == new && gone[0].ends_with("gate.md"), "{swapped}");
    let said = command(data.path()).args(["replay", trace, "--with", "knowledge=gates"]).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    for (heading, sign) in [("passages gone\n- ", '-'), ("passages new\n+ ", '+')] {
        let (_, list) = said.split_once(heading).unwrap_or_else(|| panic!("no {sign}: {said}"));
        assert!(list.lines().next().unwrap().contains("gate.md"), "{said}");
    }

    let walls_for_gates = run(data.path(), &["replay", trace, "--with", "knowledge/gates=walls"]);
    assert!(texts(&walls_for_gates, "gone")[0].ends_with("gate.md"), "{walls_for_gates}");
    let versions = walls_for_gates["versions"].as_array().unwrap();
    let replayed =
        versions.iter().filter(|version| version["what"] == "knowledge").map(|version| version["replayed"].as_str().unwrap());
    assert!(
        replayed.clone().count() == 2 && replayed.clone().all(|version| version.starts_with("knowledge/walls@")),
        "{versions:?}"
    );

    for (with, why) in
        [("knowledge=others", "knowledge/NAME=others"), ("knowledge/fences=walls", "`fences`"), ("suite=x", "suite")]
    {
        let error = refused(data.path(), &["replay", trace, "--with", with]);
        assert_eq!(error["code"], json!("replay-impossible"), "{error}");
        assert!(error["error"].as_str().unwrap().contains(why), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_is_not_of_an_answer_is_refused_as_what_it_is() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(folder.path(), "gate.md", "vermilion");
    let server = Server::start(data.path(), "127.0.0.1");
    apply_all(data.path(), &[asset("knowledge", "gates", json!({"sources": [{"type": "folder", "path": folder.path()}]}))]);
    run(data.path(), &["ingest", "gates"]);
    run(data.path(), &["search", "gates", "what colour is the gate"]);
    for (operation, why) in [("ingest", "it is of an ingestion"), ("retrieve", "it is of a search")] {
        let found: Value = server.client().get("/api/v1/traces?limit=50").await.unwrap();
        let items = found["items"].as_array().unwrap();
        let trace = items.iter().find(|trace| trace["name"].as_str().unwrap().starts_with(operation));
        let trace = trace.unwrap_or_else(|| panic!("no trace of {operation}: {found}"))["trace_id"].as_str().unwrap();
        let error = refused(data.path(), &["replay", trace]);
        assert_eq!(error["code"], json!("replay-impossible"), "{error}");
        assert!(error["error"].as_str().unwrap().contains(why), "{error}");
    }
}

async fn ask_within(server: &Server, trace: &str, question: &str) -> Value {
    let body = json!({"model": "words", "messages": [{"role": "user", "content": question}], "max_tokens": 4});
    let request = http::Request::post("/v1/chat/completions")
        .header(http::header::CONTENT_TYPE, "application/json")
        .header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"))
        .body(Bytes::from(body.to_string()))
        .unwrap();
    let mut parts = HttpTransport::new(&server.url, None).unwrap().send(request).await.unwrap().into_body();
    let mut whole = Vec::new();
    while let Some(part) = parts.next().await {
        whole.extend_from_slice(&part.unwrap());
    }
    serde_json::from_slice(&whole).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_answers_in_one_trace_the_one_that_is_named_is_given_again() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let prompt = json!({
        "parameters": {"question": {}},
        "messages": [{"role": "user", "content": "{{ question }}"}],
        "settings": {"temperature": 0},
    });
    apply_all(data.path(), &[asset("prompt", "words", prompt)]);
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let mut given = Vec::new();
    for question in ["Name a colour.", "Count to three."] {
        let answer = ask_within(&server, trace, question).await;
        assert_eq!(answer["mainspring"]["trace_id"], json!(trace), "{answer}");
        given.push(answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned());
    }
    let error = refused(data.path(), &["replay", trace]);
    let error = error["error"].as_str().unwrap();
    let (_, spans) = error.split_once("by its `span`: ").unwrap_or_else(|| panic!("{error}"));
    let spans: Vec<&str> = spans.split(", ").collect();
    assert_eq!(spans.len(), 2, "{error}");
    let mut again = Vec::new();
    for span in spans {
        let replay = run(data.path(), &["replay", trace, "--span", span]);
        assert_eq!(replay["same"], json!(true), "{replay}");
        again.push(replay["original"].as_str().unwrap().to_owned());
    }
    given.sort();
    again.sort();
    assert_eq!(again, given);
    let error = refused(data.path(), &["replay", trace, "--span", "b7ad6b7169203331"]);
    assert!(error["error"].as_str().unwrap().contains("is not one of its answers"), "{error}");
}
