//! `mainspring ask` as a person and a pipe see it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Stdio,
};

use serde_json::{Value, json};

use crate::running::{Server, apply_all, command, run};

fn asset(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec})
}

fn specs(folder: &Path) -> Vec<Value> {
    let content = "{% for source in sources %}[{{ source.number }}] {{ source.text }} {% endfor %}{{ question }}";
    let prompt = json!({
        "parameters": {"question": {}, "sources": {"type": "array"}},
        "messages": [{"role": "user", "content": content}],
        "settings": {"temperature": 0, "max_tokens": 12},
    });
    let steps = json!([
        {"retrieve": {"knowledge": "garden", "limit": 2}},
        {"prompt": {"use": "garden"}},
        {"model": {"name": "smollm2-135m-instruct"}},
    ]);
    vec![
        asset("knowledge", "garden", json!({"sources": [{"type": "folder", "path": folder}]})),
        asset("prompt", "garden", prompt),
        asset("chain", "garden", json!({"steps": steps})),
        asset("app", "garden", json!({"chain": "garden", "abstain": "The garden does not say."})),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_goes_to_the_pipe_and_its_sources_to_the_person() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("gate.md"), "# The gate\n\nThe gate of the garden is painted vermilion.\n").unwrap();
    std::fs::write(folder.path().join("wall.md"), "# The wall\n\nThe wall of the garden is painted white.\n").unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    apply_all(data.path(), &specs(folder.path()));
    run(data.path(), &["ingest", "garden"]);
    let question = ["ask", "garden", "What colour is the gate of the garden painted?"];
    let whole = run(data.path(), &question);

    let output = command(data.path()).args(question).output().unwrap();
    let (out, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{said}");
    // Standard output is the answer and nothing else.
    assert_eq!(out.strip_suffix('\n'), whole["choices"][0]["message"]["content"].as_str(), "{said}");
    let sources = whole["mainspring"]["sources"].as_array().unwrap();
    assert_eq!(sources.len(), 2, "{whole}");
    let lines: Vec<&str> = said.lines().collect();
    for source in sources {
        let mark = if source["cited"] == true { "●" } else { "○" };
        let numbered = format!("  {mark} [{}] {}", source["number"], source["title"].as_str().unwrap());
        let at = lines.iter().position(|line| line.starts_with(&numbered));
        let at = at.unwrap_or_else(|| panic!("no `{numbered}`: {said}"));
        assert_eq!(lines[at + 1].trim(), source["uri"].as_str().unwrap(), "{said}");
        assert!(lines[at + 1].contains(".md"), "{said}");
    }
    let trace = lines.iter().find_map(|line| line.strip_prefix("  trace ")).unwrap_or_else(|| panic!("no trace: {said}"));
    let id = trace.rsplit(['/', ' ']).next().unwrap();
    assert_ne!(Some(id), whole["mainspring"]["trace_id"].as_str());
    let view: Value = server.client().get(&format!("/api/v1/traces/{id}")).await.unwrap();
    assert!(view.to_string().contains("invoke_agent garden"), "{view}");

    let output = command(data.path()).args(["ask", "garden", "Who won the football world cup of 1974?"]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "The garden does not say.\n");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("  trace ") && !said.contains(".md"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_whose_documents_nobody_read_does_not_say_that_they_say_nothing() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("gate.md"), "# The gate\n\nThe gate of the garden is painted vermilion.\n").unwrap();
    let _server = Server::start(data.path(), "127.0.0.1");
    apply_all(data.path(), &specs(folder.path()));
    let question = ["ask", "garden", "Who won the football world cup of 1974?"];
    let whole = run(data.path(), &question);
    let text = whole["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(text.contains("`garden` have not been read yet") && text.contains("`mainspring ingest garden`"), "{text}");
    let known = &whole["mainspring"];
    assert_eq!((&known["unread"], &known["abstained"]), (&json!([{"knowledge": "garden", "state": "not_begun"}]), &json!(true)));

    let streamed = || {
        let output = command(data.path()).args(question).output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (out, said) = streamed();
    assert_eq!(out.strip_suffix('\n'), Some(text), "{said}");
    assert!(said.contains("⚠ `garden` has not been read yet: `mainspring ingest garden` reads it"), "{said}");

    run(data.path(), &["ingest", "garden"]);
    let (out, said) = streamed();
    assert_eq!(out, "The garden does not say.\n");
    assert!(!said.contains("been read"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_says_nothing_by_itself_is_asked_with_the_one_before() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("gate.md"), "# The gate\n\nThe gate of the garden is painted vermilion.\n").unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    apply_all(data.path(), &specs(folder.path()));
    run(data.path(), &["ingest", "garden"]);
    let answer = async |messages: Value| -> Value {
        server.client().post("/v1/chat/completions", &json!({"model": "garden", "messages": messages})).await.unwrap()
    };
    let alone = answer(json!([{"role": "user", "content": "Why is that so?"}])).await;
    assert_eq!(alone["mainspring"]["abstained"], true, "{alone}");
    let conversation = json!([
        {"role": "user", "content": "What colour is the gate of the garden painted?"},
        {"role": "assistant", "content": "Vermilion."},
        {"role": "user", "content": "Why is that so?"},
    ]);
    let answered = answer(conversation).await;
    assert_eq!(answered["mainspring"]["abstained"], false, "{answered}");
    let source = &answered["mainspring"]["sources"][0];
    assert!(source["text"].as_str().unwrap().contains("vermilion"), "{answered}");
    // The address of a citation is whole, and names the text.
    for cited in answered["choices"][0]["message"]["annotations"].as_array().unwrap() {
        let url = cited["url_citation"]["url"].as_str().unwrap();
        assert!(url.starts_with("http://127.0.0.1:") && url.contains("&digest=sha256:"), "{url}");
    }
    // Both searches stand in the trace.
    let trace = answered["mainspring"]["trace_id"].as_str().unwrap();
    let view: Value = server.client().get(&format!("/api/v1/traces/{trace}")).await.unwrap();
    let searches = view["spans"].as_array().unwrap().iter().filter(|span| span["name"] == "retrieve").count();
    assert_eq!(searches, 2, "{view}");
}

fn send(stream: &mut TcpStream, chunk: &Value) {
    stream.write_all(format!("data: {chunk}\n\n").as_bytes()).unwrap();
    stream.flush().unwrap();
}

fn text(content: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {"content": content}}]})
}

/// A server that says the next word only when the one before was read from the command's pipe.
#[test]
fn a_word_is_printed_before_the_next_one_exists() {
    let data = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut child = command(data.path())
        .env("MAINSPRING_URL", format!("http://{}", listener.local_addr().unwrap()))
        .args(["ask", "garden", "What colour?"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let mut request = BufReader::new(stream.try_clone().unwrap());
    // All of it: a connection that closes with something unread is reset.
    let (mut line, mut length) = (String::new(), 0);
    while request.read_line(&mut line).unwrap() > 2 {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    request.read_exact(&mut vec![0; length]).unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n").unwrap();
    for word in ["It ", "is ", "red."] {
        send(&mut stream, &text(word));
        let mut read = vec![0; word.len()];
        out.read_exact(&mut read).unwrap();
        assert_eq!(String::from_utf8(read).unwrap(), word);
    }
    let source = json!({"number": 1, "cited": true, "title": "The gate", "heading_path": ["The gate"], "page": 3, "uri": "file:///gate.md"});
    let outcome =
        json!({"trace_id": "0af7651916cd43dd8448eb211c80319c", "sources": [source], "unsupported": [{"text": "It is red."}]});
    send(&mut stream, &json!({"choices": [], "mainspring": outcome}));
    stream.write_all(b"data: [DONE]\n\n").unwrap();
    drop((stream, request));
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "\n");
    for part in [
        "● [1] The gate, page 3\n        file:///gate.md",
        "no source carries: It is red.",
        "trace",
        "0af7651916cd43dd8448eb211c80319c",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
