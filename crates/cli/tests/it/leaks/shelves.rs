//! Documents on shelves, and an app that answers from them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Document;

/// The shelf whose files the spec names one by one.
pub(super) const LISTED: usize = 4;

fn text_of(document: &Document) -> String {
    let Document { title, canary, handle, .. } = document;
    format!(
        "# Heft {title}\n\nThe yearly report of the house names {handle} in its first part, where {canary} is counted.\n\n\
         ## Cellar\n\nIn the cellar stand the barrels that {handle} and {canary} were looked after with.\n"
    )
}

pub(super) fn write(folder: &Path, document: &Document) {
    let shelf = folder.join(format!("s{}", document.shelf));
    std::fs::create_dir_all(&shelf).unwrap();
    let (kind, bytes) =
        if document.failed { ("pdf", b"%PDF-1.7 nothing of the kind".to_vec()) } else { ("md", text_of(document).into_bytes()) };
    std::fs::write(shelf.join(format!("{}.{kind}", document.file)), bytes).unwrap();
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

pub(super) fn specs(folder: &Path, shelves: &[&[&str]]) -> Vec<Value> {
    let sources: Vec<Value> = shelves
        .iter()
        .enumerate()
        .map(|(at, labels)| {
            let path = folder.join(format!("s{at}"));
            let mut source = json!({"name": format!("s{at}"), "metadata": {"shelf": format!("s{at}")}});
            if at == LISTED {
                source["type"] = json!("files");
                source["paths"] = json!(listed(&path));
            } else {
                source["type"] = json!("folder");
                source["path"] = json!(path);
            }
            // Labels come by the source and by a rule in turn; either way the source is hidden with its documents.
            if at % 2 == 0 {
                source["labels"] = json!(labels);
            } else {
                source["rules"] = json!([{"match": "*", "labels": labels}]);
            }
            source
        })
        .collect();
    let of =
        |kind: &str, name: &str, spec: Value| json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec});
    let messages =
        json!([{"role": "user", "content": "{% for source in sources %}{{ source.text }} {% endfor %}{{ question }}"}]);
    vec![
        of("knowledge", "papers", json!({"sources": sources, "retrieval": {"relevance": 0.0}})),
        of(
            "prompt",
            "plain",
            json!({"parameters": {"question": {}, "sources": {"type": "array"}}, "messages": messages, "settings": {"temperature": 0}}),
        ),
        of(
            "chain",
            "papers",
            json!({"steps": [{"retrieve": {"knowledge": "papers", "limit": 2}}, {"prompt": {"use": "plain"}}, {"model": {"name": "smollm2-135m-instruct"}}]}),
        ),
        of("app", "papers", json!({"chain": "papers"})),
    ]
}
