//! What the server leans on goes away and comes back.

use mainspring_client::ClientFault;
use mainspring_testservers::{postgres::Postgres, s3::S3Server};
use mainspring_wire as wire;
use serde_json::{Value, json};

use crate::{
    crash,
    line::Line,
    running::{Server, command, until},
    sharing::on_s3,
};

/// The code of the refusal, when it was refused.
async fn code<T>(asked: impl Future<Output = Result<T, ClientFault>>) -> Option<(u16, String)> {
    match asked.await {
        Err(ClientFault::Refused(refusal)) => Some((refusal.status, refusal.code)),
        Err(other) => panic!("not an answer: {other}"),
        Ok(_) => None,
    }
}

fn notes(folder: &std::path::Path) -> Value {
    std::fs::write(folder.join("a.md"), "# A\n\nThe lighthouse keeper counts to forty-two.").unwrap();
    json!({"manifests": [{
        "apiVersion": "mainspring/v1", "kind": "knowledge", "name": "notes",
        "spec": {"sources": [{"type": "folder", "path": folder}]}
    }]})
}

async fn ingested(server: &Server, folder: &std::path::Path) {
    let client = server.client();
    let _: wire::ApplyReply = client.post("/api/v1/apply", &notes(folder)).await.unwrap();
    let started: wire::IngestStarted = client.post("/api/v1/knowledge/notes/ingest", &json!({"wait": true})).await.unwrap();
    assert_eq!(started.run.status, "succeeded", "{:?}", started.run);
}

async fn found(server: &Server) -> Result<usize, ClientFault> {
    let found: wire::Retrieved = server.client().post("/api/v1/knowledge/notes/search", &json!({"query": "lighthouse"})).await?;
    Ok(found.passages.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_goes_away_and_comes_back_under_a_running_server() {
    let mut postgres = tokio::task::spawn_blocking(|| Postgres::start().unwrap()).await.unwrap();
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let catalog = postgres.new_database().unwrap();
    let server = Server::start_with(data.path(), &["serve"], &[("MAINSPRING_CATALOG", &catalog)]);
    ingested(&server, folder.path()).await;
    assert_eq!(found(&server).await.unwrap(), 1);

    let mut postgres = tokio::task::spawn_blocking(move || {
        postgres.stop();
        postgres
    })
    .await
    .unwrap();
    let away = code(server.client().get::<Value>("/api/v1/assets")).await;
    assert_eq!(away, Some((503, "catalog-unavailable".into())));
    let written = code(server.client().post::<Value>("/api/v1/apply", &notes(folder.path()))).await;
    assert_eq!(written.map(|(status, _)| status), Some(503));
    assert_eq!(server.status("/healthz").await, 200, "the process itself is well");
    assert_eq!(server.status("/readyz").await, 503);

    let _postgres = tokio::task::spawn_blocking(move || {
        postgres.resume().unwrap();
        postgres
    })
    .await
    .unwrap();
    until("the catalog", async || server.status("/readyz").await == 200).await;
    assert_eq!(found(&server).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_object_store_goes_away_and_comes_back_under_a_running_server() {
    let store = tokio::task::spawn_blocking(|| S3Server::start().unwrap()).await.unwrap();
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let lake = format!("s3://{}/lake", S3Server::BUCKET);
    let endpoint = store.endpoint();
    let settings = on_s3(&lake, &endpoint);
    let server = Server::start_with(data.path(), &["serve"], &settings);
    ingested(&server, folder.path()).await;
    assert_eq!(found(&server).await.unwrap(), 1);

    let mut store = tokio::task::spawn_blocking(move || {
        let mut store = store;
        store.stop();
        store
    })
    .await
    .unwrap();
    let away = code(found(&server)).await;
    assert_eq!(away, Some((503, "lake-unavailable".into())));
    assert_eq!(server.status("/healthz").await, 200);
    // The page that shows what is down does not need it.
    let overview: wire::Overview = server.client().get("/api/v1/overview").await.unwrap();
    let lake = overview.health.iter().find(|item| item.component == "lake").unwrap();
    assert_eq!((lake.state.as_str(), overview.knowledge[0].documents), ("down", 1), "{overview:?}");

    let _store = tokio::task::spawn_blocking(move || {
        store.restart().unwrap();
        store
    })
    .await
    .unwrap();
    until("the store", async || matches!(found(&server).await, Ok(1))).await;
    // What happened meanwhile waited in the spill.
    let traces: wire::Page<wire::TraceSummary> = server.client().get("/api/v1/traces?status=error").await.unwrap();
    assert!(!traces.items.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingestion_under_which_postgres_goes_away_is_finished_without_being_asked_again() {
    let mut postgres = tokio::task::spawn_blocking(|| Postgres::start().unwrap()).await.unwrap();
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let catalog = postgres.new_database().unwrap();
    let server = Server::start_with(data.path(), &["serve"], &[("MAINSPRING_CATALOG", &catalog)]);
    crash::documents(folder.path());
    crash::apply(data.path(), folder.path());
    crash::halfway(&server).await;
    let mut postgres = tokio::task::spawn_blocking(move || {
        postgres.stop();
        postgres
    })
    .await
    .unwrap();
    let away = code(server.client().get::<Value>("/api/v1/assets")).await;
    assert_eq!(away, Some((503, "catalog-unavailable".into())));
    let _postgres = tokio::task::spawn_blocking(move || {
        postgres.resume().unwrap();
        postgres
    })
    .await
    .unwrap();
    until("the catalog", async || server.status("/readyz").await == 200).await;
    until("the ingestion", async || crash::runs(&server).await[0].status == "succeeded").await;
    assert!(crash::runs(&server).await.iter().all(|run| run.status != "running"));
    crash::is_whole(&server).await;
}

/// Whether a job is there that was taken up, and waits without having tried.
async fn waits(server: &Server) -> bool {
    let jobs: wire::Page<wire::JobView> = server.client().get("/api/v1/jobs?kind=ingest&state=queued").await.unwrap();
    jobs.items.iter().any(|job| job.payload["knowledge"] == "news" && job.started_at.is_some() && job.attempt == 0)
}

async fn finds(server: &Server, query: &str) -> bool {
    let found = server.client().post::<wire::Retrieved>("/api/v1/knowledge/news/search", &json!({"query": query})).await;
    found.is_ok_and(|found| found.passages.iter().any(|passage| passage.text.contains(query)))
}

#[tokio::test(flavor = "multi_thread")]
async fn ingestions_under_which_the_object_store_goes_away_are_finished_without_being_asked_again() {
    let mut store = tokio::task::spawn_blocking(|| S3Server::start().unwrap()).await.unwrap();
    let (data, folder, news) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (lake, line) = (format!("s3://{}/lake", S3Server::BUCKET), Line::to(&store.endpoint()).await);
    let server = Server::start_with(data.path(), &["serve"], &on_s3(&lake, &line.url));
    std::fs::write(news.path().join("a.md"), "# A\n\nThe lighthouse is white.").unwrap();
    let watched = json!({"manifests": [{
        "apiVersion": "mainspring/v1", "kind": "knowledge", "name": "news",
        "spec": {"sources": [{"type": "folder", "path": news.path()}], "watch": true}
    }]});
    let _: wire::ApplyReply = server.client().post("/api/v1/apply", &watched).await.unwrap();
    until("the first news", async || finds(&server, "lighthouse").await).await;
    crash::documents(folder.path());
    crash::apply(data.path(), folder.path());
    crash::halfway(&server).await;

    // Stopping the server takes it a while, in which an ingestion could come to its end.
    line.cut();
    let mut store = tokio::task::spawn_blocking(move || {
        store.stop();
        store
    })
    .await
    .unwrap();
    assert_eq!(crash::runs(&server).await[0].status, "running", "it waits for the store");
    assert_eq!(code(found(&server)).await, Some((503, "lake-unavailable".into())));
    // What changes now is asked for, and waits as well.
    std::fs::write(news.path().join("b.md"), "# B\n\nThe harbour is deep.").unwrap();
    until("a job that waits", async || waits(&server).await).await;

    let _store = tokio::task::spawn_blocking(move || {
        store.restart().unwrap();
        store
    })
    .await
    .unwrap();
    line.mend();
    until("the ingestion", async || crash::runs(&server).await[0].status == "succeeded").await;
    until("the other one", async || finds(&server, "harbour").await).await;
    assert!(crash::runs(&server).await.iter().all(|run| run.status != "running"));
    crash::is_whole(&server).await;
}

/// Where the tests' model files are.
pub(crate) fn shared_models() -> std::path::PathBuf {
    let cache = || match std::env::var_os("XDG_CACHE_HOME") {
        Some(cache) => std::path::PathBuf::from(cache),
        None => std::path::PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"),
    };
    std::env::var_os("MAINSPRING_MODELS").map_or_else(|| cache().join("mainspring/models"), Into::into)
}

/// Every file below a folder.
fn models(place: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![place.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files
}

fn copied(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copied(&entry.path(), &target)
        } else {
            std::fs::copy(entry.path(), target).map(drop).unwrap()
        }
    }
}

/// Half of the file.
fn cut(file: &std::path::Path) {
    let file = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
}

/// One bit in the middle, at the same length.
fn flip(file: &std::path::Path) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::OpenOptions::new().read(true).write(true).open(file).unwrap();
    let (mut byte, middle) = ([0], file.metadata().unwrap().len() / 2);
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[byte[0] ^ 1], middle).unwrap();
}

/// Damages every model file of a copy of the cache, and sees that nothing is answered with it.
async fn damaged(damage: fn(&std::path::Path)) {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = tempfile::tempdir().unwrap();
    copied(&shared_models(), store.path());
    let place = store.path().display().to_string();
    let settings = [("MAINSPRING_MODELS", place.as_str())];
    models(store.path()).iter().filter(|file| file.metadata().unwrap().len() > 1_000_000).for_each(|file| damage(file));
    let verified = command(data.path()).envs(settings).args(["models", "verify"]).output().unwrap();
    assert!(!verified.status.success(), "{verified:?}");

    let server = Server::start_with(data.path(), &["serve"], &settings);
    let client = server.client();
    let _: wire::ApplyReply = client.post("/api/v1/apply", &notes(folder.path())).await.unwrap();
    let embedded = json!({"model": "all-minilm-l6-v2", "input": "x"});
    let asked = json!({"model": "smollm2-135m-instruct", "messages": [{"role": "user", "content": "x"}]});
    for (path, body) in [("/v1/embeddings", embedded), ("/v1/chat/completions", asked)] {
        assert_eq!(code(client.post::<Value>(path, &body)).await, Some((503, "weights-damaged".into())), "{path}");
    }
    let run: wire::IngestStarted = client.post("/api/v1/knowledge/notes/ingest", &json!({"wait": true})).await.unwrap();
    assert_eq!(run.run.status, "failed", "no vector of a damaged model: {:?}", run.run);
    assert_eq!(server.status("/healthz").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_file_cut_short_is_named_and_never_used() {
    damaged(cut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_file_with_one_flipped_bit_is_named_and_never_used() {
    damaged(flip).await;
}
