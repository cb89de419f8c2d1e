//! Nobody is told anything of a document whose labels they do not hold, however they ask.

mod later;
mod questions;
mod routes;
mod shelves;
mod tally;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use mainspring_kernel::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use shelves::{specs, write};

use crate::running::{Reply, Server, User, apply_all, around, command, run};

const LABELS: [&str; 4] = ["board", "hr", "lab", "law"];
const SHELVES: [&[&str]; 7] = [&[], &["hr"], &["law"], &["board"], &["hr", "law"], &["board", "lab"], &["lab", "hr", "law"]];
const QUESTIONS: usize = 100;
/// Replays that ask the model again: it is slow.
const REPLAYS: usize = 5;
/// Longer than a test takes.
const HOUR: Duration = Duration::from_secs(3_600);

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    fn chance(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn word(&mut self) -> String {
        (0..11).map(|at| if at % 2 == 0 { *self.one(b"bdfgklmnprstvz") } else { *self.one(b"aeiou") } as char).collect()
    }
}

#[derive(Debug)]
struct Document {
    labels: &'static [&'static str],
    shelf: usize,
    file: String,
    title: String,
    /// In the text only, and in no question.
    canary: String,
    /// In the text, to ask for it.
    handle: String,
    id: String,
    chunks: u64,
    failed: bool,
}

impl Document {
    fn words(&self) -> [&str; 5] {
        [&self.canary, &self.handle, &self.title, &self.file, &self.id]
    }
}

struct Reader {
    name: String,
    all: bool,
    held: BTreeSet<&'static str>,
    user: User,
    /// For what is read beside everything else.
    follower: Option<User>,
}

impl Reader {
    fn may_read(&self, document: &Document) -> bool {
        self.all || document.labels.is_empty() || document.labels.iter().any(|label| self.held.contains(label))
    }
}

struct World {
    _server: Server,
    readers: Vec<Reader>,
    documents: Vec<Document>,
    pins: Vec<Value>,
    traces: Vec<String>,
    runs: Vec<String>,
    /// Each with its trace, and the traces that bear a score: as of when questions began.
    spans: Vec<(String, String)>,
    scored: BTreeSet<String>,
    until: Timestamp,
    /// Templates of paths that somebody was answered, and what others were told.
    answered: BTreeSet<&'static str>,
    refused: BTreeMap<&'static str, String>,
    tails: Vec<(usize, Arc<Mutex<Vec<u8>>>, JoinHandle<()>)>,
    /// What was typed as a question: traces repeat it, and tell nothing by it.
    typed: Vec<String>,
    leaks: Vec<String>,
    replays: usize,
    /// Answers that told what may be told, and traces that were hidden: else nothing was tried.
    shown: usize,
    hidden: usize,
    _files: (tempfile::TempDir, tempfile::TempDir),
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn ids(reply: &Reply, key: &str) -> Vec<String> {
    let json = reply.json();
    json["items"].as_array().into_iter().flatten().filter_map(|item| item[key].as_str().map(str::to_owned)).collect()
}

fn ingest(data: &Path) {
    // A document that cannot be read is told by the exit code.
    let output = command(data).args(["ingest", "papers", "--json"]).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}", String::from_utf8_lossy(&output.stderr));
}

impl World {
    async fn made(random: &mut Random, readers: usize) -> Self {
        let files = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (data, folder) = (files.0.path(), files.1.path());
        let mut documents = Vec::new();
        for (shelf, labels) in SHELVES.into_iter().enumerate() {
            // Shelf 0 is open to everyone; one document of each shelf cannot be read.
            for nth in 0..3 {
                let [file, title, canary, handle] = std::array::from_fn(|_| random.word());
                let id = String::new();
                documents.push(Document { labels, shelf, file, title, canary, handle, id, chunks: 0, failed: nth == 2 });
            }
        }
        let last = documents.len() - 3;
        documents.iter().take(last).for_each(|document| write(folder, document));
        documents
            .iter()
            .skip(last)
            .for_each(|document| std::fs::create_dir_all(folder.join(format!("s{}", document.shelf))).unwrap());
        let server = Server::start(data, "127.0.0.1");
        apply_all(data, &specs(folder, &SHELVES));
        let mut world = Self {
            readers: self::readers(data, &server, random, readers),
            _server: server,
            documents,
            pins: Vec::new(),
            traces: Vec::new(),
            runs: Vec::new(),
            spans: Vec::new(),
            scored: BTreeSet::new(),
            until: SystemClock.now(),
            answered: BTreeSet::new(),
            refused: BTreeMap::new(),
            tails: Vec::new(),
            typed: Vec::new(),
            leaks: Vec::new(),
            replays: 0,
            shown: 0,
            hidden: 0,
            _files: files,
        };
        ingest(world.data());
        world.learn().await;
        let folder = world._files.1.path();
        world.documents.iter().skip(last).for_each(|document| write(folder, document));
        ingest(world.data());
        world.learn().await;
        assert!(world.documents.iter().all(|document| document.failed || document.chunks > 0), "{:?}", world.documents);
        world
    }

    fn data(&self) -> &Path {
        self._files.0.path()
    }

    fn owner(&self) -> &Reader {
        &self.readers[0]
    }

    /// What somebody who sees everything knows: ids, counts, table versions, runs.
    async fn learn(&mut self) {
        let listed = self.owner().user.get("/api/v1/knowledge/papers/documents?limit=100").await.json();
        for item in listed["items"].as_array().unwrap() {
            let uri = item["uri"].as_str().unwrap();
            let document = self.documents.iter_mut().find(|document| uri.contains(&document.file)).unwrap();
            document.id = item["id"].as_str().unwrap().to_owned();
            document.chunks = item["chunks"].as_u64().unwrap();
            assert_eq!(item["status"], if document.failed { "failed" } else { "ready" }, "{item}");
        }
        let found = self.owner().user.post("/api/v1/knowledge/papers/search", &json!({"query": "barrels"})).await.json();
        self.pins.push(found["pin"].clone());
        let runs = self.owner().user.get("/api/v1/knowledge/papers/runs").await;
        self.runs = ids(&runs, "id");
        assert!(!self.runs.is_empty());
        self.traces.extend(ids(&runs, "trace_id"));
    }

    fn session(nth: usize) -> String {
        format!("session-{}", nth % 3)
    }

    /// Everything of `reply` that `at` may not know is a leak. `asked` is what the reader sent. `cut`: what was typed may be
    /// there in part, so that only what nobody typed is told by it.
    fn look(&mut self, at: usize, asked: &str, reply: &Reply, cut: bool) {
        let mut text = reply.text.clone();
        for typed in &self.typed {
            text = text.replace(typed, "");
        }
        let reader = &self.readers[at];
        let labelled = |document: &&Document| !reader.all && !document.labels.is_empty() && reader.may_read(document);
        self.shown += usize::from(self.documents.iter().filter(labelled).any(|document| text.contains(&document.canary)));
        for document in self.documents.iter().filter(|document| !reader.may_read(document)) {
            for word in document.words().into_iter().filter(|word| !word.is_empty()) {
                // A refusal may say what was refused.
                let echo = reply.status >= 400 && asked.contains(word);
                let typed = || cut && self.typed.iter().any(|typed| typed.contains(word));
                if text.contains(word) && !echo && !typed() {
                    self.leaks.push(format!(
                        "{} (holds {:?}) asked {asked} and was told ({}) `{word}` of a document for {:?}: {}",
                        reader.name,
                        reader.held,
                        reply.status,
                        document.labels,
                        around(&text, word)
                    ));
                    break;
                }
            }
        }
    }

    fn wrong(&mut self, at: usize, asked: &str, what: &str) {
        let reader = &self.readers[at];
        self.leaks.push(format!("{} (holds {:?}) asked {asked}: {what}", reader.name, reader.held));
    }

    async fn get(&mut self, at: usize, path: &str) -> Reply {
        let reply = self.readers[at].user.get(path).await;
        assert!(reply.status < 500, "GET {path}: {}", reply.text);
        self.look(at, &format!("GET {path}"), &reply, false);
        reply
    }

    async fn post(&mut self, at: usize, path: &str, body: &Value) -> Reply {
        let reply = self.readers[at].user.post(path, body).await;
        assert!(reply.status < 500, "POST {path} {body}: {}", reply.text);
        self.look(at, &format!("POST {path} {body}"), &reply, false);
        reply
    }

    fn any_word(&self, random: &mut Random) -> String {
        let words = random.one(&self.documents).words();
        random.one(&words).to_string()
    }

    /// A question is unlike all others, so that it is known again where traces repeat it.
    fn question(&mut self, random: &mut Random) -> String {
        let nth = self.typed.len();
        // All but the canary.
        let document = random.one(&self.documents);
        let word = random.one(&document.words()[1..]).to_string();
        let typed = match random.below(3) {
            0 => format!("q{nth} the yearly report of the house and its barrels"),
            1 => format!("q{nth} what is told of {word} here"),
            _ => format!("q{nth} the yearly report of the house names {word} in its first part"),
        };
        self.typed.push(typed.clone());
        typed
    }
}

/// A role opens more paths, and no document.
const ROLES: [&str; 4] = ["admin", "reader", "editor", "reader"];

/// The first sees everything, the second only what is for everyone, the third holds a label no document has.
fn readers(data: &Path, server: &Server, random: &mut Random, count: usize) -> Vec<Reader> {
    let mut sets: Vec<Option<BTreeSet<&'static str>>> = vec![None, Some(BTreeSet::new()), Some(["nothing"].into())];
    while sets.len() < count {
        let set: BTreeSet<&'static str> = LABELS.into_iter().filter(|_| random.chance(3)).collect();
        if !set.is_empty() {
            sets.push(Some(set));
        }
    }
    let reader = |(at, set): (usize, Option<BTreeSet<&'static str>>)| {
        let name = format!("reader-{at}");
        let mut args = vec!["keys", "create", &name, "--role", ROLES[at % ROLES.len()]];
        if set.as_ref().is_some_and(BTreeSet::is_empty) {
            args.push("--no-labels");
        }
        args.extend(set.iter().flatten().flat_map(|label| ["--label", label]));
        let key = run(data, &args)["secret"].as_str().unwrap().to_owned();
        let user = || User::of(server, Some(&key));
        Reader { all: set.is_none(), held: set.unwrap_or_default(), user: user(), follower: Some(user()), name }
    };
    sets.into_iter().enumerate().map(reader).collect()
}

/// The same each time, so that a change is judged by what it changes.
#[tokio::test(flavor = "multi_thread")]
async fn no_question_of_any_kind_tells_of_a_document_somebody_may_not_read() {
    ask_about(2_026, 6).await;
}

/// Another each time, so that what one seed never asks is asked by and by; `MAINSPRING_LEAK_SEED` asks again.
#[tokio::test(flavor = "multi_thread")]
async fn no_question_that_nobody_has_asked_before_tells_of_one_either() {
    let given = std::env::var("MAINSPRING_LEAK_SEED").ok();
    // Who comes again and again with other labels need not be many each time.
    ask_about(given.map_or_else(|| SystemClock.now().as_micros().unsigned_abs(), |seed| seed.parse().unwrap()), 5).await;
}

async fn ask_about(seed: u64, readers: usize) {
    // Shown when the test fails.
    eprintln!("MAINSPRING_LEAK_SEED={seed}");
    let random = &mut Random(seed);
    let mut world = World::made(random, readers).await;
    for at in 0..world.readers.len() {
        world.counts(at).await;
        world.chat(at, at % 2 == 1, random).await;
    }
    world.settle().await;
    for at in 0..world.readers.len() {
        world.ask_everything(at, random).await;
        world.answers(at, random).await;
    }
    for _ in 0..QUESTIONS {
        let at = random.below(world.readers.len());
        world.ask(at, random).await;
        if world.leaks.len() > 20 {
            break;
        }
    }
    world.hear();
    if world.leaks.is_empty() {
        world.tally().await;
    }
    assert!(world.leaks.is_empty(), "seed {seed}: {:#?}", world.leaks);
    world.everything_was_answered();
    assert!(world.shown > 10 && world.hidden > 0, "seed {seed}: {} shown, {} hidden", world.shown, world.hidden);
}
