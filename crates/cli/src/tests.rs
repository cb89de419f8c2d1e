use clap::CommandFactory;
use proptest::prelude::*;
use serde_json::json;

use crate::{args::Args, output, reference, specs};

#[test]
fn the_command_line_is_consistent() {
    Args::command().debug_assert();
}

#[test]
fn the_committed_reference_pages_are_current() {
    let docs = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs"));
    for (name, current) in reference::pages(docs).unwrap() {
        let committed = std::fs::read_to_string(docs.join("reference").join(name)).unwrap_or_default();
        assert!(committed == current, "docs/reference/{name} is not current: run `mainspring reference docs`");
    }
}

#[test]
fn a_folder_of_specs_is_read_in_order_with_paths_anchored() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("sub")).unwrap();
    let knowledge = "apiVersion: mainspring/v1\nkind: knowledge\nname: k\nspec:\n  sources:\n    - {type: folder, path: ../docs}\n    - {type: web, urls: [x]}\n";
    std::fs::write(dir.path().join("sub/k.yaml"), knowledge).unwrap();
    std::fs::write(
        dir.path().join("a.yml"),
        "apiVersion: mainspring/v1\nkind: prompt\nname: p\n---\n---\napiVersion: mainspring/v1\nkind: prompt\nname: q\n",
    )
    .unwrap();
    std::fs::write(dir.path().join("data.json"), "[1, 2]").unwrap();
    std::fs::write(dir.path().join("notes.txt"), "not a spec").unwrap();
    let manifests = specs::read(dir.path()).unwrap();
    let names: Vec<&str> = manifests.iter().map(|manifest| manifest["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["p", "q", "k"]);
    assert_eq!(manifests[2]["spec"]["sources"][0]["path"], json!(dir.path().join("docs").display().to_string()));
}

#[test]
fn a_folder_without_specs_says_what_was_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    assert!(specs::read(dir.path()).unwrap_err().to_string().contains(".yaml"));
    std::fs::write(dir.path().join("x.yaml"), "a: [unclosed").unwrap();
    assert!(format!("{:#}", specs::read(dir.path()).unwrap_err()).contains("x.yaml"));
}

#[test]
fn terminal_control_characters_from_documents_do_not_reach_the_terminal() {
    assert_eq!(output::printable("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\n");
    assert_eq!((output::bytes(999), output::bytes(22_928_619)), ("999 B".to_owned(), "22.9 MB".to_owned()));
}

proptest! {
    #[test]
    fn any_text_is_read_as_specs_or_refused(text in ".{0,200}") {
        let _ = specs::parse(&text);
    }
}
