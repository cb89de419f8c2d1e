//! A traced answer is given again, as it was or with one part swapped.

use std::path::Path;

use serde_json::{Value, json};

use crate::running::{Server, apply_all, command, run};

fn asset(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec})
}

fn prompt(content: &str) -> Value {
    let parameters = json!({"question": {}, "sources": {"type": "array"}});
    let messages = json!([{"role": "user", "content": content}]);
    asset("prompt", "notes", json!({"parameters": parameters, "messages": messages, "settings": {"temperature": 0}}))
}

fn write(folder: &Path, colour: &str) {
    let text = format!("# The gate\n\nThe gate of the garden is painted {colour} every spring by the gardener.\n");
    std::fs::write(folder.join("gate.md"), text).unwrap();
}

fn plain(data: &Path, args: &[&str]) -> String {
    let output = command(data).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A server, and the trace of one answer from what it read.
async fn asked(data: &Path, folder: &Path) -> (Server, Value) {
    write(folder, "vermilion");
    let server = Server::start(data, "127.0.0.1");
    let steps = json!([
        {"retrieve": {"knowledge": "notes", "limit": 1}},
        {"prompt": {"use": "notes"}},
        {"model": {"name": "smollm2-135m-instruct"}},
    ]);
    apply_all(
        data,
        &[
            asset("knowledge", "notes", json!({"sources": [{"type": "folder", "path": folder}]})),
            prompt("{% for source in sources %}{{ source.text }} {% endfor %}{{ question }}"),
            asset("chain", "notes", json!({"steps": steps})),
            asset("app", "notes", json!({"chain": "notes"})),
        ],
    );
    run(data, &["ingest", "notes"]);
    let answer = run(data, &["ask", "notes", "What colour is the gate of the garden painted?", "--max-tokens", "12"]);
    assert_eq!(answer["mainspring"]["sources"].as_array().unwrap().len(), 1, "{answer}");
    (server, answer)
}

fn trace_of(answer: &Value) -> &str {
    answer["mainspring"]["trace_id"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_the_same_again_until_a_part_is_swapped() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_server, answer) = asked(data.path(), folder.path()).await;
    let again = run(data.path(), &["replay", trace_of(&answer)]);
    assert_eq!(again["same"], true, "{again}");
    assert_eq!(again["original"], answer["choices"][0]["message"]["content"]);
    assert!(plain(data.path(), &["replay", trace_of(&answer)]).starts_with("same answer\n"));

    apply_all(
        data.path(),
        &[prompt("Count on: 1, 2, 3, 4, 5, 6, {% for source in sources %}{% endfor %}{{ question | length }},")],
    );
    run(data.path(), &["alias", "prompt/notes", "candidate", "latest"]);
    // The newest prompt is another one; the replay takes the one of then.
    let again = run(data.path(), &["replay", trace_of(&answer)]);
    assert_eq!(again["same"], true, "{again}");
    let swapped = run(data.path(), &["replay", trace_of(&answer), "--with", "prompt=notes@candidate"]);
    assert_eq!(swapped["same"], false, "{swapped}");
    assert_eq!(swapped["original"], again["original"]);
    assert_ne!(swapped["replayed"], again["replayed"]);
    let versions = swapped["versions"].as_array().unwrap();
    for version in versions {
        let moved = version["original"] != version["replayed"];
        assert_eq!(moved, version["what"] == "prompt", "{version}");
    }
    assert!(versions.iter().any(|version| version["what"] == "prompt"), "{versions:?}");
    let said = plain(data.path(), &["replay", trace_of(&answer), "--with", "prompt=notes@candidate"]);
    assert!(said.starts_with("different answer\n- "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_given_again_from_the_documents_of_then() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (server, answer) = asked(data.path(), folder.path()).await;
    write(folder.path(), "turquoise");
    std::fs::write(
        folder.path().join("wall.md"),
        "# The wall\n\nThe wall of the [garden](https://garden.example/) is painted white.\n",
    )
    .unwrap();
    let report = run(data.path(), &["ingest", "notes"]);
    assert_eq!((&report["report"]["changed"], &report["report"]["added"]), (&json!(1), &json!(1)), "{report}");
    let now = run(data.path(), &["search", "notes", "what colour is the gate painted", "--limit", "1"]);
    assert!(now.to_string().contains("turquoise"), "{now}");

    // The citation opens the text that its offsets count in, and says that the document changed since.
    let source = &answer["mainspring"]["sources"][0];
    let text = format!("/api/v1/knowledge/notes/documents/{}/text", source["document"].as_str().unwrap());
    let then: Value =
        server.client().get(&format!("{text}?digest={}", source["document_digest"].as_str().unwrap())).await.unwrap();
    let place = |field: &str| usize::try_from(source[field].as_u64().unwrap()).unwrap();
    assert_eq!(then["text"].as_str().unwrap().get(place("start")..place("end")), source["text"].as_str());
    assert_eq!(then["current"], false, "{then}");
    let now: Value = server.client().get(&text).await.unwrap();
    assert!(now["text"].as_str().unwrap().contains("turquoise") && now["current"] == true, "{now}");

    // Where links lead stands beside the text.
    let walls: Value = server.client().get("/api/v1/knowledge/notes/documents?q=wall").await.unwrap();
    let wall = walls["items"][0]["id"].as_str().unwrap();
    let wall: Value = server.client().get(&format!("/api/v1/knowledge/notes/documents/{wall}/text")).await.unwrap();
    let link = &wall["links"][0];
    assert_eq!((&link["text"], &link["target"]), (&json!("garden"), &json!("https://garden.example/")), "{wall}");
    let place = |field: &str| usize::try_from(link[field].as_u64().unwrap()).unwrap();
    let words = wall["text"].as_str().unwrap().get(place("start")..place("end"));
    assert_eq!(words, Some("[garden](https://garden.example/)"));

    let again = run(data.path(), &["replay", trace_of(&answer)]);
    assert_eq!(again["same"], true, "{again}");
    assert_eq!(again["sources"]["original"], again["sources"]["replayed"], "{again}");
    assert_eq!(again["tables"], answer["mainspring"]["tables"], "{again}");
    let read: Value =
        server.client().get(&format!("/api/v1/traces/{}", again["replay_trace_id"].as_str().unwrap())).await.unwrap();
    let read = read.to_string();
    assert!(read.contains("vermilion") && !read.contains("turquoise"), "{read}");
}
