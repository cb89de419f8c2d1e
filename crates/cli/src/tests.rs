mod following;
mod guides;
mod tree;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use clap::CommandFactory;
use http::{Request, Response};
use mainspring_client::{BodyStream, Client, ClientFault, Transport};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    args::{Apply, Args},
    commands::{Session, assets, replay::difference},
    output, reference, specs,
};

#[test]
fn the_command_line_is_consistent() {
    Args::command().debug_assert();
}

#[test]
fn one_route_is_explained_by_either_word() {
    use clap::Parser as _;
    for word in ["route", "routes"] {
        assert!(Args::try_parse_from(["mainspring", word, "explain", "assistant"]).is_ok(), "{word}");
    }
}

/// Every command that people see, and those below it.
fn verbs(command: &clap::Command, above: &str, found: &mut Vec<(String, clap::Command)>) {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help") {
        let name = format!("{above} {}", below.get_name());
        verbs(below, &name, found);
        found.push((name, below.clone()));
    }
}

#[test]
fn the_first_line_of_every_verb_says_what_it_does() {
    let mut root = Args::command();
    root.build();
    let mut found = Vec::new();
    verbs(&root, "mainspring", &mut found);
    assert!(found.len() > 40, "{}", found.len());
    for (name, command) in found {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let sentence = about.len() >= 15 && about.starts_with(char::is_uppercase) && !about.contains('\n');
        assert!(sentence, "`{name}` says of itself: {about:?}");
    }
}

/// A server on which somebody else changes something between a plan and its application.
#[derive(Debug, Default)]
struct Busy(Mutex<Vec<Value>>);

#[async_trait]
impl Transport for Busy {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<BodyStream>, ClientFault> {
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let (status, answer) = match body["dry_run"] == json!(true) {
            true => (200, json!({"applied": false, "plan": "sha256:planned", "changes": []})),
            false => (409, json!({"code": "registry-plan-moved", "detail": "something moved", "status": 409})),
        };
        self.0.lock().unwrap().push(body);
        let bytes = Ok(Bytes::from(answer.to_string()));
        let stream: BodyStream = Box::pin(futures::stream::iter([bytes]));
        Ok(Response::builder().status(status).body(stream).unwrap())
    }

    async fn send_stream(&self, _: Request<BodyStream>) -> Result<Response<BodyStream>, ClientFault> {
        Err(ClientFault::Broken { reason: "nobody uploads to it".to_owned() })
    }
}

#[tokio::test]
async fn a_plan_that_moved_is_refused_and_planned_anew() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("p.yaml"), "apiVersion: mainspring/v1\nkind: prompt\nname: p\n").unwrap();
    for (json, rounds) in [(false, 3), (true, 2)] {
        let server = Arc::new(Busy::default());
        let session = Session { client: Client::new(server.clone()), url: None, json };
        let apply = Apply { path: dir.path().to_owned(), dry_run: false, message: Some("why".to_owned()) };
        let error = assets::apply(&session, &apply).await.unwrap_err();
        assert!(
            matches!(error.downcast_ref::<ClientFault>(), Some(ClientFault::Refused(refusal)) if refusal.code == "registry-plan-moved")
        );
        let asked = server.0.lock().unwrap().clone();
        assert_eq!((asked.len(), &asked[0]["dry_run"], &asked[0].get("expected")), (rounds, &json!(true), &None));
        assert_eq!((&asked[1]["dry_run"], &asked[1]["expected"]), (&json!(false), &json!("sha256:planned")));
        assert!(asked[2..].iter().all(|again| again == &asked[0]), "a new plan is for people to read");
    }
}

#[test]
fn folders_beside_an_export_move_along_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let export = dir.path().join("out");
    let at = |path: &str| dir.path().join(path).display().to_string();
    let anchored = json!({"kind": "knowledge", "spec": {"sources": [
        {"type": "folder", "path": at("docs")},
        {"type": "files", "paths": [at("out/a.md"), "/elsewhere/b.md"]},
        {"type": "web", "path": at("docs")},
    ]}});
    let mut released = anchored.clone();
    specs::release_paths(&mut released, &export).unwrap();
    let sources = &released["spec"]["sources"];
    assert_eq!((&sources[0]["path"], &sources[1]["paths"]), (&json!("../docs"), &json!(["./a.md", "/elsewhere/b.md"])));
    assert_eq!(sources[2]["path"], json!(at("docs")), "what is no local path stays as it is");
    // The same folder reads it back as it was.
    std::fs::create_dir(&export).unwrap();
    released["apiVersion"] = json!("mainspring/v1");
    std::fs::write(export.join("k.yaml"), released.to_string()).unwrap();
    assert_eq!(specs::read(&export).unwrap()[0].manifest["spec"], anchored["spec"]);
    let mut shallow = json!({"kind": "knowledge", "spec": {"sources": [{"type": "folder", "path": "/elsewhere/docs"}]}});
    specs::release_paths(&mut shallow, std::path::Path::new("/out")).unwrap();
    assert_eq!(shallow["spec"]["sources"][0]["path"], json!("/elsewhere/docs"), "the root is no folder to move along with");
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
fn the_page_of_specs_says_something_of_every_type_and_of_what_lies_within() {
    let docs = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs"));
    let pages = reference::pages(docs).unwrap();
    let (_, specs) = pages.iter().find(|(name, _)| *name == "specs.md").unwrap();
    for section in specs.split("\n### ").skip(1) {
        let (name, said) = section.split_once('\n').unwrap();
        let said = said.split("\n## ").next().unwrap_or_default();
        assert!(!said.trim().is_empty(), "{name}");
    }
    for field in ["    - `hits` (string, required)", "    - `at` (number, required)"] {
        assert!(specs.contains(field), "{field}");
    }
}

#[track_caller]
fn check_difference(original: &str, replayed: &str, want: &[&str]) {
    assert_eq!(difference(original, replayed), want);
}

#[test]
fn the_words_that_differ_between_two_answers_are_marked() {
    check_difference(
        "The gate is red.\nIt is old.",
        "The gate is blue now.\nIt is old.",
        &["- The gate is [-red.-]", "+ The gate is {+blue+} {+now.+}", "  It is old."],
    );
    // Little in common: whole lines.
    check_difference("alpha beta gamma", "one two three", &["- alpha beta gamma", "+ one two three"]);
    check_difference("one\n", "one\ntwo\n", &["  one", "+ two"]);
    check_difference("one", "", &["- one"]);
    check_difference("", "", &[]);
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
    let read = specs::read(dir.path()).unwrap();
    let names: Vec<&str> = read.iter().map(|spec| spec.manifest["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["p", "q", "k"]);
    let origins: Vec<String> =
        ["a.yml#1", "a.yml#2", "sub/k.yaml"].map(|file| dir.path().join(file).display().to_string()).into();
    assert_eq!(read.iter().map(|spec| spec.origin.clone()).collect::<Vec<_>>(), origins);
    assert_eq!(read[2].manifest["spec"]["sources"][0]["path"], json!(dir.path().join("docs").display().to_string()));
}

#[test]
fn a_folder_without_specs_says_what_was_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    assert!(specs::read(dir.path()).unwrap_err().to_string().contains(".yaml"));
    std::fs::create_dir(dir.path().join("state")).unwrap();
    std::fs::write(dir.path().join("state/x.yaml"), "a: [unclosed").unwrap();
    let around = specs::read_around(dir.path(), Some(&dir.path().join("state"))).unwrap_err();
    assert!(around.to_string().contains("looked for"), "{around:#}");
    std::fs::write(dir.path().join("x.yaml"), "a: [unclosed").unwrap();
    assert!(format!("{:#}", specs::read(dir.path()).unwrap_err()).contains("x.yaml"));
}

#[test]
fn a_spec_nested_too_deep_is_refused_before_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let spec = dir.path().join("p.yaml");
    std::fs::write(&spec, "apiVersion: mainspring/v1\nkind: prompt\nname: p\n").unwrap();
    // Data beside the specs may hold any text.
    std::fs::write(dir.path().join("data.json"), json!(["[".repeat(2_000)]).to_string()).unwrap();
    assert_eq!(specs::read(dir.path()).unwrap().len(), 1);
    for deep in ["[".repeat(2_000), format!("kind: prompt\nspec: {}", "{a: ".repeat(2_000)), "- ".repeat(2_000)] {
        std::fs::write(&spec, deep).unwrap();
        let said = format!("{:#}", specs::read(dir.path()).unwrap_err());
        assert!(said.contains("p.yaml is nested too deep"), "{said}");
    }
    std::fs::remove_file(&spec).unwrap();
    let ours = json!({"apiVersion": "mainspring/v1", "kind": "prompt", "name": "[".repeat(2_000)});
    std::fs::write(dir.path().join("p.json"), ours.to_string()).unwrap();
    assert!(specs::read(dir.path()).unwrap_err().to_string().contains("p.json is nested too deep"));
}

#[test]
fn a_field_that_stands_twice_is_named_with_its_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let spec =
        "apiVersion: mainspring/v1\nkind: prompt\nname: p\nspec:\n  messages: []\n  messages: [{role: user, content: x}]\n";
    std::fs::write(dir.path().join("p.yaml"), spec).unwrap();
    let said = format!("{:#}", specs::read(dir.path()).unwrap_err());
    assert!(said.contains("p.yaml") && said.contains("duplicate field `messages` at line 6"), "{said}");

    std::fs::remove_file(dir.path().join("p.yaml")).unwrap();
    std::fs::write(dir.path().join("p.json"), "{\"kind\": \"prompt\",\n\"name\": \"p\",\n\"name\": \"q\"}").unwrap();
    // Data beside the specs may say anything twice.
    std::fs::write(dir.path().join("data.json"), r#"{"a": 1, "a": 2}"#).unwrap();
    let said = format!("{:#}", specs::read(dir.path()).unwrap_err());
    assert!(said.contains("p.json") && said.contains("duplicate field `name` at line 3"), "{said}");
}

#[test]
fn a_mark_of_the_encoding_at_the_beginning_of_a_spec_is_no_part_of_it() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("p.yaml"), "\u{feff}apiVersion: mainspring/v1\nkind: prompt\nname: p\n").unwrap();
    std::fs::write(
        dir.path().join("q.json"),
        "\u{feff}{\"apiVersion\": \"mainspring/v1\", \"kind\": \"prompt\", \"name\": \"q\"}",
    )
    .unwrap();
    std::fs::write(dir.path().join("data.json"), "\u{feff}{\"a\": 1, \"a\": 2}").unwrap();
    let read = specs::read(dir.path()).unwrap();
    let said: Vec<_> = read.iter().map(|spec| (&spec.manifest["apiVersion"], &spec.manifest["name"])).collect();
    let ours = json!("mainspring/v1");
    assert_eq!(said, [(&ours, &json!("p")), (&ours, &json!("q"))]);
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
