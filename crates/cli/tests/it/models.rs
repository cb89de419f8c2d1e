//! Models that a user adds, and what of models is shown from outside.

use std::path::{Path, PathBuf};

use mainspring_kernel::Digest;
use mainspring_wire as wire;
use serde_json::{Value, json};

use crate::{
    running::{Server, apply_all, command, refused, run, until},
    tiny,
};

/// The tokenizer that all built-in encoders share, in the tests' cache.
fn tokenizer(data: &Path) -> PathBuf {
    let listed = run(data, &["models", "verify", "all-minilm-l6-v2"]);
    let file = listed.as_array().unwrap().iter().find(|file| file["file"] == "tokenizer").unwrap();
    let digest = file["digest"].as_str().unwrap().trim_start_matches("sha256:");
    crate::outages::shared_models().join("sha256").join(digest)
}

fn places(role: &str, file: &Path) -> String {
    let bytes = std::fs::read(file).unwrap();
    let (digest, size) = (Digest::of(&bytes), bytes.len());
    format!("[models.likes-sheds.files.{role}]\ndigest = \"{digest}\"\nsize = {size}\nplaces = [\"file:{}\"]\n", file.display())
}

/// A reranker that likes `shed` and nothing else, in a list in the data directory.
fn list_of_one(data: &Path) -> PathBuf {
    let tokenizer = tokenizer(data);
    let vocabulary: Value = serde_json::from_slice(&std::fs::read(&tokenizer).unwrap()).unwrap();
    let vocabulary = vocabulary["model"]["vocab"].as_object().unwrap();
    let mut worth = vec![0.0; vocabulary.len()];
    worth[usize::try_from(vocabulary["shed"].as_u64().unwrap()).unwrap()] = 3.0;
    let model = data.join("likes-sheds.onnx");
    std::fs::write(&model, tiny::reranker(&worth)).unwrap();
    let head = "[models.likes-sheds]\nlicence = \"CC0-1.0\"\ntask = { rerank = { max_tokens = 64 } }\n";
    let list = data.join("models.toml");
    std::fs::write(&list, [head, &places("model", &model), &places("tokenizer", &tokenizer)].concat()).unwrap();
    list
}

fn notes(folder: &Path, retrieval: &Value, embedding: &str) -> Value {
    json!({"manifests": [{"apiVersion": "mainspring/v1", "kind": "knowledge", "name": "notes",
        "spec": {"sources": [{"type": "folder", "path": folder}], "embedding": embedding, "retrieval": retrieval}}]})
}

fn written(folder: &Path) {
    for (name, text) in [
        ("a.md", "# Ladder\n\nThe ladder hangs behind the door of the garage."),
        ("b.md", "# Shovel\n\nThe shovel stands in the shed."),
        ("c.md", "# Rake\n\nWhere the rake is, nobody remembers."),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

async fn ingested(server: &Server, manifests: &Value) {
    let _: wire::ApplyReply = server.client().post("/api/v1/apply", manifests).await.unwrap();
    let started: wire::IngestStarted =
        server.client().post("/api/v1/knowledge/notes/ingest", &json!({"wait": true})).await.unwrap();
    assert_eq!(started.run.status, "succeeded", "{:?}", started.run);
}

async fn found(server: &Server) -> wire::Retrieved {
    let asked = json!({"query": "where is the ladder"});
    server.client().post("/api/v1/knowledge/notes/search", &asked).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cross_encoder_from_a_users_list_orders_what_was_found() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    written(folder.path());
    let list = list_of_one(data.path());
    let listed = run(data.path(), &["models", "list"]);
    let ours = listed.as_array().unwrap().iter().find(|model| model["name"] == "likes-sheds").unwrap();
    assert_eq!((&ours["task"], &ours["list"]), (&json!("rerank"), &json!(list)));
    let pulled = run(data.path(), &["models", "pull", "likes-sheds"]);
    assert_eq!(pulled[0]["name"], "likes-sheds", "one value, a list: {pulled}");
    let verified = run(data.path(), &["models", "verify", "likes-sheds"]);
    assert!(verified.as_array().unwrap().iter().all(|file| file["sound"] == true), "{verified}");

    let server = Server::start(data.path(), "127.0.0.1");
    let plain = json!({"relevance": 0.0, "parents": "off"});
    ingested(&server, &notes(folder.path(), &plain, "all-minilm-l6-v2")).await;
    let before = found(&server).await;
    assert!(!before.reranked && before.passages[0].title == "Ladder", "{before:?}");

    let reranked = json!({"relevance": 0.0, "parents": "off", "rerank": true, "reranker": "likes-sheds"});
    let _: wire::ApplyReply =
        server.client().post("/api/v1/apply", &notes(folder.path(), &reranked, "all-minilm-l6-v2")).await.unwrap();
    let after = found(&server).await;
    assert!(after.reranked && after.passages[0].title == "Shovel", "{after:?}");
    let score = after.passages[0].scores.rerank_score.unwrap();
    // One shed at three: the logistic of three.
    assert!((score - 0.952_574).abs() < 1e-4, "{score}");

    // One that nobody knows is refused where it is written, with the nearest one.
    let missing = json!({"relevance": 0.0, "rerank": true, "reranker": "likes-shed"});
    let missing = notes(folder.path(), &missing, "all-minilm-l6-v2");
    let refusal = server.client().post::<wire::ApplyReply>("/api/v1/apply", &missing).await.unwrap_err().to_string();
    assert!(
        refusal.contains("spec.retrieval.reranker: there is no reranker `likes-shed`: did you mean `likes-sheds`?"),
        "{refusal}"
    );
    assert!(found(&server).await.reranked, "nothing was applied");
    // One that is gone since is named by the search.
    drop(server);
    std::fs::remove_file(list).unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let asked = json!({"query": "where is the ladder"});
    let refusal = server.client().post::<Value>("/api/v1/knowledge/notes/search", &asked).await.unwrap_err().to_string();
    assert!(refusal.contains("likes-sheds"), "{refusal}");
}

#[test]
fn a_spec_that_names_a_model_nobody_has_is_refused_with_the_nearest() {
    let data = tempfile::tempdir().unwrap();
    let asset = |kind: &str, spec: Value| json!({"apiVersion": "mainspring/v1", "kind": kind, "name": "desk", "spec": spec});
    let prompt = asset("prompt", json!({"messages": [{"role": "user", "content": "Say hello."}]}));
    let chain = |model: &str| asset("chain", json!({"steps": [{"prompt": {"use": "desk"}}, {"model": {"name": model}}]}));
    let route = |model: &str| asset("route", json!({"targets": [{"provider": "local", "model": model}]}));
    let knowledge = |model: &str| asset("knowledge", json!({"sources": [], "embedding": model}));
    let cached = json!({"targets": [{"provider": "local"}], "models": ["desks"], "cache": {"mode": "semantic", "ttl": "1h", "embedding": "x"}});
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("prompt.json"), prompt.to_string()).unwrap();
    for (manifest, said) in [
        (
            chain("smollm2-135m-instuct"),
            "spec.steps[1].model.name: there is no chat model or route `smollm2-135m-instuct`: did you mean `smollm2-135m-instruct`?",
        ),
        (
            route("smollm2-135m-instuct"),
            "spec.targets[0].model: there is no model `local/smollm2-135m-instuct`: did you mean `local/smollm2-135m-instruct`?",
        ),
        (
            knowledge("all-minilm-l6"),
            "spec.embedding: there is no embedding model `all-minilm-l6`: did you mean `all-minilm-l6-v2`?",
        ),
        (asset("route", cached), "spec.cache.embedding: there is no embedding model `x`: one of all-minilm-l6-v2"),
    ] {
        std::fs::write(folder.path().join("wrong.json"), manifest.to_string()).unwrap();
        for how in [&["--dry-run"][..], &[]] {
            let refusal = refused(data.path(), &[&["apply", folder.path().to_str().unwrap()][..], how].concat());
            assert_eq!(refusal["code"], "registry-rejected", "{refusal}");
            assert!(refusal.to_string().contains(said), "{refusal} does not say {said}");
        }
    }
    assert_eq!(run(data.path(), &["list"]), json!([]));
    // A route that is applied with the chain has the name, and later one that is there.
    let provider = asset("provider", json!({"type": "openai", "base_url": "http://127.0.0.1:9/v1"}));
    let elsewhere = asset("route", json!({"targets": [{"provider": "desk", "model": "big"}], "models": ["help-*"]}));
    apply_all(data.path(), &[prompt, provider, elsewhere, chain("desk")]);
    for model in ["help-1", "desk/anything", "local/smollm2-135m-instruct", "smollm2-135m-instruct"] {
        apply_all(data.path(), &[chain(model)]);
    }
}

#[test]
fn a_list_that_cannot_be_used_is_refused_with_its_line() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("models.toml"), "[models.mine]\ntask = { rerank = { max_token = 64 } }\n").unwrap();
    let said = refused(data.path(), &["models", "list"]);
    assert_eq!(said["code"], "weights-invalid-list", "{said}");
    let error = said["error"].as_str().unwrap();
    assert!(error.contains("models.toml:2: ") && error.contains("max_token"), "{error}");
    let served = command(data.path()).args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    let said = String::from_utf8_lossy(&served.stderr).into_owned();
    assert!(!served.status.success() && said.contains("models.toml:2: "), "{said}");
    // One that is named must be there.
    std::fs::remove_file(data.path().join("models.toml")).unwrap();
    let named = command(data.path()).env("MAINSPRING__MODELS__LIST", "/nowhere.toml").args(["models", "list"]).output().unwrap();
    assert!(String::from_utf8_lossy(&named.stderr).contains("weights-list-unreadable"), "{named:?}");
}

/// The table the knowledge answers from, and the model its vectors are of.
async fn table(server: &Server) -> (String, Option<String>) {
    let found = found(server).await;
    assert_eq!(found.passages.len(), 3, "{found:?}");
    (found.pin.table, found.embedder)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_embedding_model_gets_a_table_of_its_own_and_search_moves_to_it_at_once() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    written(folder.path());
    let server = Server::start(data.path(), "127.0.0.1");
    let retrieval = json!({"relevance": 0.0, "parents": "off"});
    ingested(&server, &notes(folder.path(), &retrieval, "all-minilm-l6-v2")).await;
    let (first, embedder) = table(&server).await;
    assert!(embedder.is_some_and(|name| name.contains("all-minilm-l6-v2")));

    // Until the new table is whole, the old one answers, with the model its vectors are of.
    let changed = notes(folder.path(), &retrieval, "paraphrase-minilm-l3-v2");
    let _: wire::ApplyReply = server.client().post("/api/v1/apply", &changed).await.unwrap();
    let (between, embedder) = table(&server).await;
    assert!(between == first && embedder.is_some_and(|name| name.contains("all-minilm-l6-v2")));
    ingested(&server, &changed).await;
    let (second, embedder) = table(&server).await;
    assert!(second != first && embedder.is_some_and(|name| name.contains("paraphrase-minilm-l3-v2")));

    // And back: nothing is shared between the two.
    ingested(&server, &notes(folder.path(), &retrieval, "all-minilm-l6-v2")).await;
    let (third, embedder) = table(&server).await;
    assert!(third != second && embedder.is_some_and(|name| name.contains("all-minilm-l6-v2")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_beyond_an_embedders_window_is_refused_as_openai_refuses_it() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = crate::running::User::of(&server, None);
    let asked = |words: usize| json!({"model": "all-minilm-l6-v2", "input": ["short", "key ".repeat(words)]});
    let fits = user.post("/v1/embeddings", &asked(254)).await;
    assert_eq!(fits.status, 200, "{}", fits.text);
    let beyond = user.post("/v1/embeddings", &asked(255)).await;
    let error = &beyond.json()["error"];
    assert_eq!((beyond.status, &error["code"]), (400, &json!("context_length_exceeded")), "{error}");
    assert!(error["message"].as_str().unwrap().contains("257 tokens"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_are_cut_for_the_model_that_reads_them() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let line = "The ladder of the lighthouse has a step for every keeper who ever climbed it in the dark. ";
    std::fs::write(folder.path().join("a.md"), format!("# Ladder\n\n{}", line.repeat(40))).unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let retrieval = json!({"relevance": 0.0, "parents": "off", "dedupe": 1.0, "limit": 20});
    let mut longest = Vec::new();
    for model in ["all-minilm-l6-v2", "paraphrase-minilm-l3-v2"] {
        ingested(&server, &notes(folder.path(), &retrieval, model)).await;
        longest.push(found(&server).await.passages.iter().map(|passage| passage.tokens).max().unwrap());
    }
    // Windows of 256 and 128 tokens, of which the model's own marks take some.
    assert!((128..=240).contains(&longest[0]) && longest[1] <= 112, "{longest:?}");
}

/// An embedding model whose files come from a place that sends nothing before it is told to.
async fn slow_model(data: &Path, go: tokio::sync::watch::Receiver<bool>) {
    let mut list =
        "[models.late-minilm]\ntask = { embed = { dimensions = 384, max_tokens = 256, pooling = \"mean\" } }\n".to_owned();
    let listed = run(data, &["models", "verify", "all-minilm-l6-v2"]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut routes = axum::Router::new();
    for file in listed.as_array().unwrap() {
        let (role, digest) = (file["file"].as_str().unwrap(), file["digest"].as_str().unwrap());
        let path = crate::outages::shared_models().join("sha256").join(digest.trim_start_matches("sha256:"));
        let bytes = bytes::Bytes::from(std::fs::read(path).unwrap());
        list += &format!("[models.late-minilm.files.{role}]\ndigest = \"{digest}\"\nsize = {}\n", bytes.len());
        list += &format!("places = [\"http://{address}/{role}\"]\n");
        let go = go.clone();
        let send = move || {
            let (mut go, bytes) = (go.clone(), bytes.clone());
            async move {
                let _ = go.wait_for(|go| *go).await;
                bytes
            }
        };
        routes = routes.route(&format!("/{role}"), axum::routing::get(send));
    }
    std::fs::write(data.join("models.toml"), list).unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingestion_waits_for_its_model_while_a_server_fetches_it() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = tempfile::tempdir().unwrap();
    written(folder.path());
    let (send, go) = tokio::sync::watch::channel(false);
    slow_model(data.path(), go).await;
    let place = store.path().display().to_string();
    let settings = [
        ("MAINSPRING_MODELS", place.as_str()),
        ("MAINSPRING__MODELS__PULL", "true"),
        ("MAINSPRING__MODELS__EMBED", "late-minilm"),
        ("MAINSPRING__MODELS__CHAT", "somewhere-else"),
    ];
    let server = Server::start_with(data.path(), &["serve"], &settings);
    let client = server.client();
    let manifests = notes(folder.path(), &json!({"relevance": 0.0, "parents": "off"}), "late-minilm");
    let _: wire::ApplyReply = client.post("/api/v1/apply", &manifests).await.unwrap();
    let started: wire::IngestStarted = client.post("/api/v1/knowledge/notes/ingest", &json!({})).await.unwrap();
    let now = async || client.get::<wire::RunView>(&format!("/api/v1/runs/{}", started.run.id)).await.unwrap();
    until("the wait", async || now().await.progress.is_some_and(|progress| progress.stage == "awaiting-model")).await;
    let asked = json!({"model": "late-minilm", "input": "x"});
    let refusal = client.post::<Value>("/v1/embeddings", &asked).await.unwrap_err().to_string();
    assert!(refusal.contains("being fetched"), "{refusal}");
    assert_eq!(now().await.status, "running");

    send.send(true).unwrap();
    until("the end", async || now().await.status != "running").await;
    let ended = now().await;
    assert_eq!(
        (ended.status.as_str(), ended.report.as_ref().and_then(|report| report.added)),
        ("succeeded", Some(3)),
        "{ended:?}"
    );
    assert_eq!(found(&server).await.passages.len(), 3);
    let said = server.said();
    assert!(said.contains("fetching late-minilm (model): 100 %") && said.contains("late-minilm is here"), "{said}");
}

#[test]
fn an_ingestion_whose_model_nobody_fetches_ends_with_a_code_and_what_helps() {
    let (data, folder, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    written(folder.path());
    let manifests = notes(folder.path(), &json!({}), "all-minilm-l6-v2");
    apply_all(data.path(), manifests["manifests"].as_array().unwrap());
    let ended = command(data.path()).env("MAINSPRING_MODELS", store.path()).args(["ingest", "notes"]).output().unwrap();
    let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains("0 added"), "{said}");
    assert!(
        said.contains("failed: model-not-installed: ") && said.contains("; run `mainspring models pull all-minilm-l6-v2`"),
        "{said}"
    );
}
