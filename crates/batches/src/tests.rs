//! What files and batches do, on both engines.

mod cut_off;
mod ends;
mod faults;
mod files;
mod lines;
mod quotas;
mod running;
mod turns;
mod waiting;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use mainspring_blobs::Blobs;
use mainspring_catalog::{Catalog, params};
use mainspring_jobs::Jobs;
use mainspring_kernel::{
    Actor, Fault, FaultKind, FrozenClock, Labels, ModelScope, Role, Stop, Timestamp,
    id::{ApiKeyId, BatchId, PrincipalId, ProjectId},
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{
    Answers, Batch, BatchConfig, BatchFault, Batches, Endpoint, FileId, LineReply, Maker, NewBatch, Parts, Purpose, Runner,
    Standing, StoredFile,
};

const DAY: Duration = Duration::from_secs(86_400);
const CONCURRENCY: usize = 2;
/// How long lines of a process are left alone that was cut off: a call's time, and a lease.
const GRACE: Duration = Duration::from_secs(330);

fn start() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000)
}

fn labels(names: &[&str]) -> Labels {
    Labels::Some(names.iter().map(|name| (*name).to_owned()).collect())
}

type Script = dyn Fn(&Value, usize) -> LineReply + Send + Sync;

/// Answers as it is told, and no more often than it is let.
struct Scripted {
    script: Mutex<Arc<Script>>,
    gate: Semaphore,
    asked: Mutex<Vec<(Value, Actor)>>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Default for Scripted {
    fn default() -> Self {
        Self { script: Mutex::new(Arc::new(|body, _| fine(body))), gate: Semaphore::new(1 << 20), asked: Mutex::default() }
    }
}

fn fine(body: &Value) -> LineReply {
    let body = Bytes::from(json!({ "said": body["n"] }).to_string());
    LineReply { status: 200, request_id: "req".to_owned(), body, again: None }
}

fn bad(status: u16) -> LineReply {
    let body = Bytes::from_static(br#"{"error": {"message": "no",  "code": "as-told"}}"#);
    LineReply { status, request_id: "req".to_owned(), body, again: None }
}

impl Scripted {
    fn say(&self, script: impl Fn(&Value, usize) -> LineReply + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Arc::new(script);
    }

    /// From now on so many are answered, and the others wait.
    fn only(&self, answers: usize) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
        self.gate.add_permits(answers);
    }

    /// The numbers of the lines that were asked, in the order they were.
    fn asked(&self) -> Vec<u64> {
        self.asked.lock().unwrap().iter().map(|(body, _)| body["n"].as_u64().unwrap()).collect()
    }
}

#[async_trait]
impl Answers for Scripted {
    async fn answer(&self, actor: &Actor, (_, endpoint): (BatchId, Endpoint), body: Bytes) -> LineReply {
        assert_eq!(endpoint, Endpoint::Chat);
        let body: Value = serde_json::from_slice(&body).unwrap();
        let times = {
            let mut asked = self.asked.lock().unwrap();
            asked.push((body.clone(), actor.clone()));
            asked.iter().filter(|(other, _)| *other == body).count()
        };
        self.gate.acquire().await.unwrap().forget();
        let script = self.script.lock().unwrap().clone();
        script(&body, times)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the key was revoked")]
struct Revoked;

impl Fault for Revoked {
    fn kind(&self) -> FaultKind {
        FaultKind::Unauthenticated
    }
    fn code(&self) -> &'static str {
        "identity-key-revoked"
    }
}

/// Who may ask; nobody, once the key is revoked.
#[derive(Debug)]
struct Keys(Mutex<Option<Actor>>);

#[async_trait]
impl Standing for Keys {
    async fn acting(&self, _: ProjectId, _: &Maker) -> Result<Actor, Box<dyn Fault>> {
        self.0.lock().unwrap().clone().ok_or_else(|| Box::new(Revoked) as Box<dyn Fault>)
    }
}

struct Room {
    catalog: Catalog,
    batches: Batches,
    jobs: Jobs,
    answers: Arc<Scripted>,
    keys: Arc<Keys>,
    runner: Runner,
    clock: FrozenClock,
    actor: Actor,
    stranger: Actor,
    blobs: Blobs,
    folder: tempfile::TempDir,
}

impl Room {
    async fn over(catalog: Catalog) -> Self {
        let config = BatchConfig {
            file_limit: 12 << 20,
            line_limit: 1 << 10,
            lines_max: 2_000,
            concurrency: CONCURRENCY,
            busy: Duration::from_millis(1),
            drain: Duration::from_secs(30),
            ..BatchConfig::default()
        };
        Self::with(catalog, config).await
    }

    async fn with(catalog: Catalog, config: BatchConfig) -> Self {
        const PROJECT: &str = "INSERT INTO project (id, name, description, created) VALUES ($1, $2, '', 0)";
        let clock = FrozenClock::at(start());
        let (project, other) = (ProjectId::from_raw(1), ProjectId::from_raw(2));
        catalog.write(PROJECT, params![project, "ours"]).await.unwrap();
        catalog.write(PROJECT, params![other, "theirs"]).await.unwrap();
        let actor = |project| Actor {
            principal: PrincipalId::from_raw(3),
            project,
            role: Role::Reader,
            labels: labels(&["staff"]),
            key: Some(ApiKeyId::from_raw(4)),
            models: ModelScope::All,
        };
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::local(folder.path()).unwrap();
        let jobs = Jobs::open(catalog.clone(), Arc::new(clock.clone()));
        let parts = Parts { catalog: catalog.clone(), blobs: blobs.clone(), jobs: jobs.clone(), clock: Arc::new(clock.clone()) };
        let batches = Batches::open(parts, config);
        let answers = Arc::new(Scripted::default());
        let keys = Arc::new(Keys(Mutex::new(Some(actor(project)))));
        let runner = Runner::new(batches.clone(), answers.clone(), keys.clone()).known_as("here");
        let stranger = Actor { role: Role::Admin, labels: Labels::All, ..actor(other) };
        let actor = actor(project);
        Self { catalog, batches, jobs, answers, keys, runner, clock, actor, stranger, blobs, folder }
    }

    async fn upload(&self, bytes: &[u8]) -> StoredFile {
        self.clock.advance(Duration::from_millis(2));
        let mut upload = self.batches.begin_upload(&self.actor).await.unwrap();
        for piece in bytes.chunks(70_000) {
            upload.push(piece).await.unwrap();
        }
        upload.finish("lines.jsonl", Purpose::Batch, None).await.unwrap()
    }

    async fn create(&self, input: FileId) -> Batch {
        self.clock.advance(Duration::from_millis(2));
        let new = NewBatch { input, endpoint: Endpoint::Chat, window: DAY, metadata: BTreeMap::new(), keep_output: None };
        self.batches.create(&self.actor, &new).await.unwrap()
    }

    async fn batch_of(&self, text: &str) -> Batch {
        let file = self.upload(text.as_bytes()).await;
        self.create(file.id).await
    }

    /// Takes up what is to do, as a worker does, until the batch has ended or was given back.
    async fn work(&self) {
        assert!(self.runner.worker("test").run_one(&Stop::never()).await.unwrap(), "there was nothing to do");
    }

    /// Works until the batch has ended, however often it is given back or breaks off in between.
    async fn work_to_the_end(&self, id: BatchId) -> Batch {
        for _ in 0..40 {
            let batch = self.get(id).await;
            if batch.status.has_ended() {
                return batch;
            }
            self.runner.worker("test").run_one(&Stop::never()).await.unwrap();
            self.clock.advance(Duration::from_secs(600));
        }
        panic!("it does not end: {:?}", self.get(id).await);
    }

    /// Another process over the same catalog and files: it knows nothing of lines that are under way here.
    fn another(&self) -> Runner {
        Runner::new(self.batches.clone(), self.answers.clone(), self.keys.clone())
    }

    /// The process of before that has started again, and so knows that none of its lines is under way.
    fn restarted(&self) -> Runner {
        self.another().known_as("here")
    }

    /// What a batch gave so far.
    async fn results(&self, id: BatchId, ok: bool, page: (u64, usize)) -> Vec<Bytes> {
        self.batches.results(&self.actor, id, ok, page).await.unwrap().0
    }

    async fn get(&self, id: BatchId) -> Batch {
        self.batches.get(&self.actor, id).await.unwrap()
    }

    /// Waits until so many lines have results.
    async fn until_answered(&self, id: BatchId, lines: u64) {
        loop {
            let counts = self.get(id).await.counts;
            if counts.completed + counts.failed >= lines {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn until_asked(&self, lines: usize) {
        while self.answers.asked().len() < lines {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn text(&self, file: FileId) -> String {
        let file = self.batches.file(&self.actor, file).await.unwrap();
        let parts: Vec<Bytes> = self.batches.content(&file).await.unwrap().map(Result::unwrap).collect().await;
        let bytes = parts.concat();
        assert_eq!(bytes.len() as u64, file.size);
        String::from_utf8(bytes).unwrap()
    }

    /// The results in a file of a batch that has ended.
    async fn written(&self, batch: &Batch, ok: bool) -> Vec<Value> {
        let Some(file) = batch.written(ok) else { return Vec::new() };
        self.text(file).await.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Where the blobs lie.
    fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    async fn blobs(&self) -> usize {
        self.blobs.list(1_000).await.unwrap().len()
    }
}

fn line(n: usize) -> String {
    let body = json!({ "n": n });
    json!({"custom_id": format!("line-{n}"), "method": "POST", "url": "/v1/chat/completions", "body": body}).to_string()
}

/// Lines from one to `count`.
fn lines(count: usize) -> String {
    (1..=count).map(line).collect::<Vec<_>>().join("\n")
}

/// What of results tells them apart, in order.
fn names(results: &[Value]) -> Vec<String> {
    let mut names: Vec<String> = results.iter().map(|result| result["custom_id"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn expected(count: usize) -> Vec<String> {
    let mut names: Vec<String> = (1..=count).map(|n| format!("line-{n}")).collect();
    names.sort();
    names
}

#[track_caller]
fn code<T>(outcome: Result<T, BatchFault>) -> &'static str {
    outcome.err().expect("a refusal").code()
}
