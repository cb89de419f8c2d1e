//! What the server takes in without being asked.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::Stdio,
};

use mainspring_wire as wire;
use serde_json::{Value, json};

use crate::running::{Server, User, command, run, until};

fn write(folder: &Path, name: &str) {
    std::fs::write(folder.join(name), format!("# {name}\n\nThe file {name} says something of its own.")).unwrap();
}

/// A spec file over a folder, with what makes the server look at it.
fn spec(place: &Path, folder: &Path, extra: &Value) -> String {
    let mut spec = json!({"sources": [{"type": "folder", "path": folder}]});
    spec.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let manifest = json!({"apiVersion": "mainspring/v1", "kind": "knowledge", "name": "notes", "spec": spec});
    let file = place.join("notes.json");
    std::fs::write(&file, manifest.to_string()).unwrap();
    file.display().to_string()
}

async fn documents(server: &Server) -> u64 {
    let detail: wire::KnowledgeDetail = server.client().get("/api/v1/knowledge/notes").await.unwrap();
    detail.summary.documents
}

async fn runs(server: &Server) -> Vec<wire::RunView> {
    let runs: wire::Page<wire::RunView> = server.client().get("/api/v1/knowledge/notes/runs").await.unwrap();
    runs.items
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_folder_is_taken_in_when_a_file_comes_changes_and_goes() {
    let (data, folder, specs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(folder.path(), "a.md");
    let server = Server::start(data.path(), "127.0.0.1");
    run(data.path(), &["apply", &spec(specs.path(), folder.path(), &json!({"watch": true}))]);
    let detail: Value = server.client().get("/api/v1/knowledge/notes").await.unwrap();
    assert_eq!((&detail["watch"], detail.get("schedule")), (&json!(true), None));
    until("the first file", async || documents(&server).await == 1).await;
    write(folder.path(), "b.md");
    until("the second file", async || documents(&server).await == 2).await;
    std::fs::remove_file(folder.path().join("a.md")).unwrap();
    until("the file that went", async || documents(&server).await == 1).await;
    assert!(runs(&server).await.iter().all(|run| run.error.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_takes_in_what_is_new_in_every_project() {
    let (data, folder, specs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(folder.path(), "a.md");
    let server = Server::start(data.path(), "127.0.0.1");
    run(data.path(), &["projects", "create", "team"]);
    let spec = spec(specs.path(), folder.path(), &json!({"schedule": {"every": "10s"}}));
    run(data.path(), &["apply", &spec]);
    run(data.path(), &["apply", &spec, "--project", "team"]);
    let user = User::of(&server, None);
    let held = async |project: &str| {
        let asked = http::Request::get("/api/v1/knowledge/notes").header("x-mainspring-project", project);
        let reply = user.send(asked.body(bytes::Bytes::new()).unwrap()).await.json();
        assert_eq!(reply["schedule"], json!("10s"), "{reply}");
        reply["documents"].as_u64().unwrap()
    };
    until("the first file", async || held("default").await == 1 && held("team").await == 1).await;
    write(folder.path(), "b.md");
    until("the second file", async || held("default").await == 2 && held("team").await == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_whether_something_changed_begins_nothing_when_nothing_did() {
    let (data, folder, specs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(folder.path(), "a.md");
    // A younger file is not told from one that changes again within the same tick of the clock.
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    let server = Server::start(data.path(), "127.0.0.1");
    run(data.path(), &["apply", &spec(specs.path(), folder.path(), &json!({}))]);
    let ask = async |body: Value| -> wire::IngestStarted {
        server.client().post("/api/v1/knowledge/notes/ingest", &body).await.unwrap()
    };
    let first = ask(json!({"if_changed": true, "wait": true})).await;
    assert!(!first.unchanged && first.run.status == "succeeded", "{first:?}");
    let before = runs(&server).await;
    let traces: wire::Page<wire::TraceSummary> = server.client().get("/api/v1/traces").await.unwrap();
    let again = ask(json!({"if_changed": true, "wait": true})).await;
    assert_eq!((again.unchanged, &again.run.id), (true, &before[0].id));
    assert_eq!(runs(&server).await.len(), before.len());
    let after: wire::Page<wire::TraceSummary> = server.client().get("/api/v1/traces").await.unwrap();
    assert_eq!(after.items.len(), traces.items.len());
    write(folder.path(), "b.md");
    let changed = ask(json!({"if_changed": true, "wait": true})).await;
    assert_eq!((changed.unchanged, changed.run.report.unwrap().added), (false, Some(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watching_command_lives_through_a_server_that_starts_again() {
    let (data, folder, specs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(folder.path(), "a.md");
    let server = Server::start(data.path(), "127.0.0.1");
    run(data.path(), &["apply", &spec(specs.path(), folder.path(), &json!({}))]);
    let url = server.url.clone();
    let mut watcher = command(data.path())
        .env("MAINSPRING_URL", &url)
        .args(["ingest", "notes", "--watch", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watcher.stdout.take().unwrap()).lines();
    let mut added = move || loop {
        let run: wire::RunView = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        if let Some(added) = run.report.and_then(|report| report.added).filter(|added| *added > 0) {
            return added;
        }
    };
    let (mut added, first) = tokio::task::spawn_blocking(move || {
        let first = added();
        (added, first)
    })
    .await
    .unwrap();
    assert_eq!(first, 1);
    server.kill();
    write(folder.path(), "b.md");
    let _server = Server::start_at(data.path(), &url);
    assert_eq!(tokio::task::spawn_blocking(move || added()).await.unwrap(), 1);
    watcher.kill().unwrap();
    watcher.wait().unwrap();
}
