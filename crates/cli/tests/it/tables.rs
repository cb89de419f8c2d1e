//! A table that is longer than a passage: its rows are given under the names of their columns.

use serde_json::{Value, json};

use crate::running::{Server, apply_all, run};

const HEAD: &str = "| article | net price | gross price | stock |";

#[tokio::test(flavor = "multi_thread")]
async fn a_row_far_down_a_table_is_found_and_quoted_under_its_columns() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let row = |n: usize| format!("Widget{n},{}.10,{}.20,{}\n", 100 + n, 119 + n, n % 40);
    let rows: String = (0..300).map(row).collect();
    std::fs::write(folder.path().join("prices.csv"), format!("article,net price,gross price,stock\n{rows}")).unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let steps = json!([
        {"retrieve": {"knowledge": "prices", "mode": "text", "limit": 1}},
        {"quote": {"model": "all-minilm-l6-v2", "limit": 1}},
    ]);
    let asset = |kind: &str, spec: Value| json!({"apiVersion": "mainspring/v1", "kind": kind, "name": "prices", "spec": spec});
    apply_all(
        data.path(),
        &[
            asset("knowledge", json!({"sources": [{"type": "folder", "path": folder.path()}]})),
            asset("chain", json!({"steps": steps})),
            asset("app", json!({"chain": "prices"})),
        ],
    );
    run(data.path(), &["ingest", "prices"]);

    let found = run(data.path(), &["search", "prices", "gross price of Widget222", "--mode", "text", "--limit", "1"]);
    let passage = &found["passages"][0];
    let text = passage["text"].as_str().unwrap();
    assert_eq!(passage["table_head"], HEAD, "{found}");
    assert!(text.starts_with("| Widget") && text.contains("| Widget222 | 322.10 | 341.20 | 22 |"), "{text}");
    assert!(!text.contains("gross"), "the head stands elsewhere: {text}");
    let address = format!(
        "/api/v1/knowledge/prices/documents/{}/text?digest={}",
        passage["document"].as_str().unwrap(),
        passage["document_digest"].as_str().unwrap()
    );
    let document: Value = server.client().get(&address).await.unwrap();
    let place = |field: &str| usize::try_from(passage[field].as_u64().unwrap()).unwrap();
    assert_eq!(document["text"].as_str().unwrap().get(place("start")..place("end")), Some(text));

    let answer = run(data.path(), &["ask", "prices", "What is the gross price of Widget222?"]);
    let said = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(said.starts_with(&format!("{HEAD}\n|---|---|---|---|\n| Widget")) && said.ends_with("[1]"), "{said}");
    assert_eq!(answer["mainspring"]["sources"][0]["table_head"], HEAD, "{answer}");
}
