//! The server is killed in the middle of things and started again.

use std::{
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use mainspring_client::{Client, HttpTransport};
use mainspring_testservers::postgres::Postgres;
use mainspring_wire as wire;
use serde_json::{Value, json};

use crate::running::{Server, command, run, until};

pub(crate) const DOCUMENTS: usize = 120;

pub(crate) fn documents(folder: &Path) {
    for n in 0..DOCUMENTS {
        let text: String = (0..6)
            .map(|p| format!("## Part {p}\n\nDocument {n} says in part {p} that number {} is its own.\n\n", n * 100 + p))
            .collect();
        std::fs::write(folder.join(format!("{n:03}.md")), format!("# Document {n}\n\n{text}")).unwrap();
    }
}

fn client(server: &Server) -> Client {
    Client::new(Arc::new(HttpTransport::new(&server.url, None).unwrap()))
}

async fn ingest(client: &Client, wait: bool) -> wire::RunView {
    let request = wire::IngestRequest { wait, ..wire::IngestRequest::default() };
    let started: wire::IngestStarted = client.post("/api/v1/knowledge/notes/ingest", &request).await.unwrap();
    started.run
}

async fn counts(client: &Client) -> (u64, u64) {
    let detail: wire::KnowledgeDetail = client.get("/api/v1/knowledge/notes").await.unwrap();
    (detail.summary.documents, detail.summary.chunks)
}

pub(crate) fn apply(data: &Path, folder: &Path) {
    let spec = json!({"apiVersion": "mainspring/v1", "kind": "knowledge", "name": "notes", "spec": {"sources": [{"type": "folder", "path": folder}]}});
    let file = data.join("spec.json");
    std::fs::write(&file, spec.to_string()).unwrap();
    run(data, &["apply", file.to_str().unwrap()]);
}

/// What an ingestion that nobody disturbs gives.
async fn undisturbed(folder: &Path) -> (u64, u64) {
    let data = tempfile::tempdir().unwrap();
    apply(data.path(), folder);
    let server = Server::start(data.path(), "127.0.0.1");
    let client = client(&server);
    assert_eq!(ingest(&client, true).await.status, "succeeded");
    counts(&client).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingestion_killed_in_the_middle_loses_nothing_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    documents(folder.path());
    let want = undisturbed(folder.path()).await;
    assert_eq!(want.0, DOCUMENTS as u64);

    let data = tempfile::tempdir().unwrap();
    apply(data.path(), folder.path());
    let server = Server::start(data.path(), "127.0.0.1");
    ingest(&client(&server), false).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.kill();
    // Nobody asks again: each start goes on by itself.
    for wait in [700, 1_500] {
        let server = Server::start(data.path(), "127.0.0.1");
        tokio::time::sleep(Duration::from_millis(wait)).await;
        server.kill();
    }
    let server = Server::start(data.path(), "127.0.0.1");
    let client = client(&server);
    until("the ingestion that was broken off", async || {
        let runs: wire::Page<wire::RunView> = client.get("/api/v1/knowledge/notes/runs").await.unwrap();
        runs.items.first().is_some_and(|run| run.status == "succeeded")
    })
    .await;
    assert_eq!(counts(&client).await, want);
    let again = ingest(&client, true).await.report.unwrap();
    assert_eq!((again.unchanged, again.embedded, again.added), (Some(DOCUMENTS as u64), Some(0), Some(0)));
    // One that every document has, found once in each of them and no more.
    let request = json!({"query": "Document 27 says in part 3 that number 2703 is its own", "limit": 3});
    let found: wire::Retrieved = client.post("/api/v1/knowledge/notes/search", &request).await.unwrap();
    assert!(found.passages[0].text.contains("2703"), "{:?}", found.passages[0]);
}

pub(crate) async fn runs(server: &Server) -> Vec<wire::RunView> {
    let runs: wire::Page<wire::RunView> = client(server).get("/api/v1/knowledge/notes/runs").await.unwrap();
    runs.items
}

/// Begins an ingestion and waits until the encoder is at work for it.
pub(crate) async fn halfway(server: &Server) {
    let run = ingest(&client(server), false).await.id;
    until("the first tokens", async || {
        let view: wire::RunView = client(server).get(&format!("/api/v1/runs/{run}")).await.unwrap();
        assert_eq!(view.status, "running", "it ended too soon to be broken off: {view:?}");
        view.progress.is_some_and(|progress| progress.tokens > 0)
    })
    .await;
}

/// The run that was broken off is closed, and another one has done the rest.
async fn done_by_itself(server: &Server, code: &str) {
    let first = async || runs(server).await.pop().unwrap();
    until("the run that was broken off to be closed", async || first().await.status != "running").await;
    assert_eq!(first().await.error.unwrap().code.as_deref(), Some(code));
    until("the rest", async || runs(server).await[0].status == "succeeded").await;
    is_whole(server).await;
}

/// Every document is there once, and nothing is left to do.
pub(crate) async fn is_whole(server: &Server) {
    let detail: wire::KnowledgeDetail = client(server).get("/api/v1/knowledge/notes").await.unwrap();
    assert_eq!(detail.summary.documents, DOCUMENTS as u64);
    let again = ingest(&client(server), true).await.report.unwrap();
    assert_eq!((again.unchanged, again.embedded, again.added), (Some(DOCUMENTS as u64), Some(0), Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_between_the_kill_and_the_next_start_does_not_lose_the_ingestion() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    documents(folder.path());
    apply(data.path(), folder.path());
    let server = Server::start(data.path(), "127.0.0.1");
    halfway(&server).await;
    server.kill();
    run(data.path(), &["list"]);
    done_by_itself(&Server::start(data.path(), "127.0.0.1"), "interrupted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingestion_stopped_with_the_server_goes_on_with_the_next_start() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    documents(folder.path());
    apply(data.path(), folder.path());
    let server = Server::start(data.path(), "127.0.0.1");
    halfway(&server).await;
    assert!(server.terminate().success());
    done_by_itself(&Server::start(data.path(), "127.0.0.1"), "knowledge-stopped").await;
}

/// A person who follows an ingestion sees the server die, or stop: the command says that it goes on, and how to see that.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_an_ingestion_hears_that_it_goes_on_without_them() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    documents(folder.path());
    apply(data.path(), folder.path());
    let mut server = Server::start(data.path(), "127.0.0.1");
    for kills in [true, false] {
        let (before, id) = (runs(&server).await.len(), Mutex::new(String::new()));
        let mut ingest = command(data.path());
        let following = ingest.args(["ingest", "notes"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until("the first tokens", async || {
            let all = runs(&server).await;
            let Some(newest) = all.first().filter(|_| all.len() > before) else { return false };
            assert_eq!(newest.status, "running", "it ended too soon to be broken off: {newest:?}");
            id.lock().unwrap().clone_from(&newest.id);
            newest.progress.as_ref().is_some_and(|progress| progress.tokens > 0)
        })
        .await;
        if kills {
            server.kill();
        } else {
            assert!(server.terminate().success());
        }
        let ended = tokio::task::spawn_blocking(move || following.wait_with_output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(said.contains("hint: ") && said.contains("`mainspring ingest notes` follows"), "{said}");
        // A server that stops has the time to say how the run stands; one that dies has not.
        let told = said.contains(id.lock().unwrap().as_str()) && said.contains("code: ingest-not-followed");
        assert!(told || (!kills && said.contains("goes on when a server runs again")), "{said}");
        server = Server::start(data.path(), "127.0.0.1");
        // What the hint names follows it to its end.
        assert_eq!(run(data.path(), &["ingest", "notes"])["status"], "succeeded");
        is_whole(&server).await;
        // Other words in every document, so that there is as much to do again.
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, text.replace("Document", "Paper")).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingestion_killed_on_postgres_goes_on_although_the_server_is_back_before_its_lease_ends() {
    let postgres = tokio::task::spawn_blocking(|| Postgres::start().unwrap()).await.unwrap();
    let catalog = postgres.new_database().unwrap();
    let settings = [("MAINSPRING_CATALOG", catalog.as_str())];
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    documents(folder.path());
    let server = Server::start_with(data.path(), &["serve"], &settings);
    apply(data.path(), folder.path());
    halfway(&server).await;
    server.kill();
    let server = Server::start_with(data.path(), &["serve"], &settings);
    done_by_itself(&server, "interrupted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_applied_and_traced_is_there_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.md"), "# A\n\nThe only fact is forty-two.").unwrap();
    let data = tempfile::tempdir().unwrap();
    apply(data.path(), folder.path());
    let server = Server::start(data.path(), "127.0.0.1");
    let first = client(&server);
    ingest(&first, true).await;
    let found: wire::Retrieved = first.post("/api/v1/knowledge/notes/search", &json!({"query": "the only fact"})).await.unwrap();
    assert_eq!(found.passages.len(), 1);
    let before: wire::Page<wire::TraceSummary> = first.get("/api/v1/traces").await.unwrap();
    assert!(before.items.len() >= 2);
    server.kill();

    let server = Server::start(data.path(), "127.0.0.1");
    let after: wire::Page<wire::TraceSummary> = client(&server).get("/api/v1/traces").await.unwrap();
    let ids = |page: &wire::Page<wire::TraceSummary>| page.items.iter().map(|trace| trace.trace_id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&after), ids(&before));
    let asset: Value = client(&server).get("/api/v1/assets/knowledge/notes").await.unwrap();
    assert_eq!(asset["version"], json!(1));
    let audit: wire::AuditCheck = client(&server).post("/api/v1/audit/verify", &json!({})).await.unwrap();
    assert!(audit.intact);
}
