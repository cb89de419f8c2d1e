//! What goes into a step and what comes out of it, where that is a search.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{
    conversation::FoundDocument,
    messages::Fold,
    parts,
    values::{self, text},
};

/// Under which names whoever searches gives what was found.
const LISTS: [&str; 6] = ["documents", "results", "docs", "matches", "chunks", "nodes"];
/// Under which of its parameters a search is given what is looked for.
const QUESTIONS: [&str; 6] = ["query", "question", "q", "input", "text", "search_query"];
const CONTENTS: [&str; 4] = ["content", "text", "page_content", "pageContent"];

/// A value with what is JSON in it opened.
pub(super) fn opened(fold: Fold, value: &Value) -> Value {
    match value {
        Value::String(said) => parts::json_or_text(fold, said),
        other => other.clone(),
    }
}

/// What a search was given to look for.
pub(super) fn query(fold: Fold, value: &Value) -> Option<String> {
    let value = values::opened(value);
    let asked = match value.as_ref() {
        Value::String(said) => Some(said.as_str()),
        Value::Object(map) => {
            let named = QUESTIONS.iter().find_map(|name| map.get(*name)?.as_str());
            named.or_else(|| map.values().next().filter(|_| map.len() == 1)?.as_str())
        }
        _ => None,
    };
    asked.filter(|asked| !asked.is_empty()).map(|asked| fold.cut(asked))
}

/// The documents that a search gave, if that is what it gave.
pub(super) fn found(fold: Fold, value: &Value) -> Option<Vec<FoundDocument>> {
    let value = values::opened(value);
    let list = match value.as_ref() {
        Value::Array(list) => list,
        Value::Object(map) => LISTS.iter().find_map(|name| map.get(*name)?.as_array())?,
        _ => return None,
    };
    let found: Option<Vec<FoundDocument>> = list.iter().map(|item| one(fold, item)).collect();
    found.filter(|found| !found.is_empty())
}

/// An item of such a list; nothing where it is neither a text nor an object that holds one.
fn one(fold: Fold, item: &Value) -> Option<FoundDocument> {
    match item {
        Value::String(said) => Some(FoundDocument { content: Some(fold.cut(said)), ..FoundDocument::default() }),
        Value::Object(_) => document(fold, item).filter(|document| document.content.is_some()),
        _ => None,
    }
}

/// The documents that a sender names as such.
pub(super) fn documents(fold: Fold, list: &[Value]) -> Vec<FoundDocument> {
    list.iter().filter_map(|value| document(fold, value)).collect()
}

fn document(fold: Fold, value: &Value) -> Option<FoundDocument> {
    let outer = value.as_object()?;
    let inner = ["document", "node"].iter().find_map(|name| outer.get(*name)?.as_object());
    let map = inner.unwrap_or(outer);
    let beside = map.get("metadata").map(values::opened);
    let beside = beside.as_deref().and_then(Value::as_object);
    let said = |names: &[&str]| first(map, names);
    let id = said(&["id", "document", "chunk"]).or_else(|| first(beside?, &["doc_uri", "id", "source"]));
    let score = |map: &Map<String, Value>| {
        let score = ["score", "relevance_score", "similarity"].iter().find_map(|name| map.get(*name));
        score.and_then(|score| score.as_f64().or_else(|| score.as_str()?.parse().ok())).filter(|score| score.is_finite())
    };
    Some(FoundDocument {
        id: id.map(Cow::into_owned),
        score: score(map).or_else(|| score(outer)).or_else(|| score(beside?)),
        content: CONTENTS.iter().find_map(|name| map.get(*name)?.as_str()).map(|content| fold.cut(content)),
    })
}

fn first<'a>(map: &'a Map<String, Value>, names: &[&str]) -> Option<Cow<'a, str>> {
    names.iter().find_map(|name| map.get(*name).and_then(text))
}
