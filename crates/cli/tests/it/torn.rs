//! The newest version of a table is torn, as a power cut without syncing leaves it.

use std::path::{Path, PathBuf};

use mainspring_client::Client;
use mainspring_wire as wire;
use serde_json::{Value, json};

use crate::running::{Server, apply_all, command, run};

type Tear = fn(&Path);

const TEARS: [(&str, Tear); 2] = [("zeroed", zero), ("cut short", cut)];

fn zero(manifest: &Path) {
    let size = usize::try_from(manifest.metadata().unwrap().len()).unwrap();
    std::fs::write(manifest, vec![0; size]).unwrap();
}

fn cut(manifest: &Path) {
    let bytes = std::fs::read(manifest).unwrap();
    std::fs::write(manifest, &bytes[..bytes.len() / 2]).unwrap();
}

/// The newest manifest of each table, with the table's name.
fn newest_manifests(data: &Path) -> Vec<(String, PathBuf)> {
    let folders = std::fs::read_dir(data.join("lake")).unwrap().map(|entry| entry.unwrap().path());
    let newest = |folder: PathBuf| {
        let name = folder.file_name()?.to_str()?.strip_suffix(".lance")?.to_owned();
        let files = std::fs::read_dir(folder.join("_versions")).ok()?.map(|entry| entry.unwrap().path());
        // File names count down, so that the newest version comes first.
        files.filter(|file| is_manifest(file)).min().map(|file| (name, file))
    };
    folders.filter_map(newest).collect()
}

fn write(folder: &Path, file: &str, fact: &str) {
    std::fs::write(folder.join(file), format!("# {file}\n\n{fact}\n")).unwrap();
}

fn notes(folder: &Path) -> Value {
    let spec = json!({"sources": [{"type": "folder", "path": folder}]});
    json!({"apiVersion": "mainspring/v1", "kind": "knowledge", "name": "notes", "spec": spec})
}

async fn ingest(client: &Client) -> wire::RunView {
    let started: wire::IngestStarted = client.post("/api/v1/knowledge/notes/ingest", &json!({"wait": true})).await.unwrap();
    assert_eq!(started.run.status, "succeeded", "{:?}", started.run);
    started.run
}

/// How many passages with this word a search for it finds.
async fn saying(client: &Client, word: &str) -> usize {
    let found: wire::Retrieved =
        client.post("/api/v1/knowledge/notes/search", &json!({"query": word, "limit": 10})).await.unwrap();
    found.passages.iter().filter(|passage| passage.text.contains(word)).count()
}

fn quarantined(data: &Path, table: &str) -> usize {
    let folder = data.join(format!("lake/{table}.lance/_quarantine"));
    std::fs::read_dir(folder).map_or(0, |files| files.filter(|file| is_manifest(&file.as_ref().unwrap().path())).count())
}

fn is_manifest(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "manifest")
}

async fn traces(client: &Client) -> Vec<String> {
    let page: wire::Page<wire::TraceSummary> = client.get("/api/v1/traces?limit=100").await.unwrap();
    page.items.into_iter().map(|trace| trace.trace_id).collect()
}

fn lake_of(health: &[wire::HealthItem]) -> &wire::HealthItem {
    health.iter().find(|item| item.component == "lake").unwrap()
}

/// A data directory whose server was killed, with a document in the newest version of the chunks and
/// a trace in the newest version of the spans. Answers the traces that older versions hold.
async fn killed(data: &Path, folder: &Path) -> Vec<String> {
    write(folder, "old.md", "The old mill grinds barley on Mondays.");
    apply_all(data, &[notes(folder)]);
    let server = Server::start(data, "127.0.0.1");
    let client = server.client();
    ingest(&client).await;
    assert_eq!(saying(&client, "barley").await, 1);
    // Listing waits until what was recorded before is in the table: a version of its own.
    let before = traces(&client).await;
    write(folder, "new.md", "The new bakery opens at dawn on Fridays.");
    ingest(&client).await;
    assert_eq!((saying(&client, "barley").await, saying(&client, "dawn").await), (1, 1));
    assert!(traces(&client).await.len() > before.len());
    server.kill();
    before
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_starts_on_the_last_good_versions_and_says_so() {
    for (what, tear) in TEARS {
        let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let before = killed(data.path(), folder.path()).await;
        let torn = newest_manifests(data.path());
        assert!(torn.len() > 1 && torn.iter().any(|(table, _)| table == "spans"), "chunks and spans: {torn:?}");
        torn.iter().for_each(|(_, manifest)| tear(manifest));

        let server = Server::start(data.path(), "127.0.0.1");
        let client = server.client();
        let overview: wire::Overview = client.get("/api/v1/overview").await.unwrap();
        let told = lake_of(&overview.health).detail.clone().unwrap_or_default();
        for (table, _) in &torn {
            let mended = format!("table `{table}`: version ");
            assert!(server.said().contains(&format!("repaired: {mended}")), "{what}: {}", server.said());
            assert!(told.contains(&mended), "{what}: {told}");
            assert_eq!(quarantined(data.path(), table), 1, "{what}: it was moved, not deleted");
        }
        assert_eq!(saying(&client, "barley").await, 1, "{what}");
        let now = traces(&client).await;
        assert!(before.iter().all(|trace| now.contains(trace)), "{what}: older traces are there");

        // What the torn version held is found to be missing, and is made again.
        ingest(&client).await;
        assert_eq!((saying(&client, "barley").await, saying(&client, "dawn").await), (1, 1), "{what}: each once");
        let again = ingest(&client).await.report.unwrap();
        assert_eq!((again.unchanged, again.added, again.embedded), (Some(2), Some(0), Some(0)), "{what}");
        assert!(traces(&client).await.len() > now.len(), "{what}: new traces are kept");
        server.kill();

        // Once is enough: the next start has nothing to say.
        let server = Server::start(data.path(), "127.0.0.1");
        let overview: wire::Overview = server.client().get("/api/v1/overview").await.unwrap();
        assert_eq!((lake_of(&overview.health).detail.as_deref(), server.said().contains("repaired:")), (None, false), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_repairs_says_so_beside_its_output() {
    for (what, tear) in TEARS {
        let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        killed(data.path(), folder.path()).await;
        let torn = newest_manifests(data.path());
        torn.iter().for_each(|(_, manifest)| tear(manifest));
        let output = command(data.path()).args(["search", "notes", "the old mill", "--json"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{what}: {said}");
        assert_eq!(said.matches("repaired: table `").count(), torn.len(), "{what}: {said}");
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(
            found["passages"].as_array().unwrap().iter().any(|passage| passage.to_string().contains("barley")),
            "{what}: {found}"
        );
        run(data.path(), &["ingest", "notes"]);
        let found = run(data.path(), &["search", "notes", "the new bakery"]);
        assert!(found["passages"].to_string().contains("dawn"), "{what}: {found}");
    }
}
