use serde_json::json;

use crate::{openapi, structure};

#[test]
fn changes_are_named_by_path() {
    let before = json!({"a": 1, "b": {"c": [1, 2]}, "gone": true});
    let after = json!({"a": 2, "b": {"c": [1, 3, 4]}, "new": "x"});
    let found: Vec<(String, String)> =
        structure::changes(&before, &after).into_iter().map(|change| (change.path, change.op)).collect();
    let want = [("a", "changed"), ("b.c[1]", "changed"), ("b.c[2]", "added"), ("gone", "removed"), ("new", "added")];
    assert_eq!(found, want.map(|(path, op)| (path.to_owned(), op.to_owned())));
}

#[test]
fn the_committed_openapi_document_is_current() {
    let current = openapi().to_pretty_json().unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi/rest.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let first = committed.lines().zip(current.lines()).position(|(committed, current)| committed != current);
    assert!(
        committed.trim() == current.trim(),
        "openapi/rest.json differs from line {:?}: run `mainspring openapi > openapi/rest.json` and `npm run client` in web/",
        first.map(|line| line + 1)
    );
}
