//! What the room itself costs, with an embedder that costs next to nothing: ingesting, ingesting again with
//! nothing changed, and searching. Vectors are read from a folder (`vectors.f32` and `queries.f32`: rows of 384
//! numbers, little-endian), so that others can be measured on the same ones; words follow Zipf's law.
//! Prints one JSON object a line.
//!
//! `cargo run --release -p mainspring-knowledge --features bench --example room_speed -- FOLDER`
#![expect(clippy::print_stdout, reason = "a measurement prints what it measured")]

use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use mainspring_blobs::Blobs;
use mainspring_catalog::{Catalog, params};
use mainspring_kernel::{
    Actor, Fault, Labels, ModelScope, Role, SystemClock, Tasks,
    id::{PrincipalId, ProjectId},
};
use mainspring_knowledge::{
    IngestOptions, KnowledgeConfig, Knowledges, Parse, Parts, Report, SourcePolicy, kind, spec::RetrievalSpec,
};
use mainspring_lake::{Distance, Filter, Lake, VectorQuery};
use mainspring_lake_lance::{LakeLocation, LanceConfig, LanceLake};
use mainspring_llm::{
    Budget, Embedder, ModelFault, Models, RetrieveRequest, SearchMode, SpanContext, TextTokenizer, Tokens,
    embed::{EmbedAs, Embedded},
    trace::NoSink,
};
use mainspring_parsers::{Limits, ParsedDocument, parse_in_process};
use mainspring_registry::{Draft, Registry};
use serde_json::json;

type Failure = Box<dyn std::error::Error>;

const DIMENSIONS: usize = 384;
/// Chunks of one file.
const SECTIONS: u64 = 10;
/// The first fifth warms caches and is not counted.
const QUERIES: u64 = 300;

/// A number in 0..1 that only depends on what it is made from.
fn chance(seed: u64, at: u64) -> f32 {
    let mut x =
        seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(at.wrapping_mul(0xD1B5_4A32_D192_ED03)) ^ 0x5851_F42D_4C95_7F2D;
    x ^= x >> 32;
    x = x.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    x ^= x >> 32;
    x = x.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    x ^= x >> 32;
    (x >> 40) as f32 / (1_u64 << 24) as f32
}

/// Rows of the corpus, and behind them those of the queries.
#[derive(Debug)]
struct Vectors {
    corpus: File,
    queries: File,
    rows: u64,
}

impl Vectors {
    const WIDTH: u64 = DIMENSIONS as u64 * 4;

    fn open(folder: &Path) -> Result<Self, Failure> {
        let corpus = File::open(folder.join("vectors.f32"))?;
        let rows = corpus.metadata()?.len() / Self::WIDTH;
        Ok(Self { corpus, queries: File::open(folder.join("queries.f32"))?, rows })
    }

    fn row(&self, number: u64) -> std::io::Result<Vec<f32>> {
        let mut bytes = vec![0_u8; DIMENSIONS * 4];
        match number.checked_sub(self.rows) {
            Some(query) => self.queries.read_exact_at(&mut bytes, query * Self::WIDTH)?,
            None => self.corpus.read_exact_at(&mut bytes, number * Self::WIDTH)?,
        }
        Ok(bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect())
    }
}

/// Texts carry the number of their vector: `seed123`.
#[derive(Debug)]
struct Seeded(Arc<Vectors>);

fn seed_of(text: &str) -> u64 {
    text.split_whitespace().find_map(|word| word.strip_prefix("seed")?.parse().ok()).unwrap_or(0)
}

#[async_trait::async_trait]
impl Embedder for Seeded {
    fn name(&self) -> &str {
        "seeded"
    }
    fn identity(&self) -> String {
        "seeded".into()
    }
    fn dimensions(&self) -> usize {
        DIMENSIONS
    }
    fn max_tokens(&self) -> usize {
        256
    }
    async fn embed(&self, texts: Vec<String>, _: EmbedAs, _: Budget) -> Result<Embedded, ModelFault> {
        let tokens = texts.iter().map(|text| text.split_whitespace().count() as u64).sum();
        let broken = |reason: String| ModelFault::Engine { model: "seeded".into(), reason };
        let rows = self.0.clone();
        let read = move || texts.iter().map(|text| rows.row(seed_of(text))).collect::<Result<Vec<_>, _>>();
        let vectors = tokio::task::spawn_blocking(read).await.map_err(|fault| broken(fault.to_string()))?;
        let vectors = vectors.map_err(|fault| broken(fault.to_string()))?;
        Ok(Embedded { vectors, tokens })
    }
    async fn embed_tokens(&self, _: Vec<String>, _: Budget) -> Result<Vec<Vec<Vec<f32>>>, ModelFault> {
        Err(ModelFault::Unsupported { model: "seeded".into(), what: "token vectors".into() })
    }
    fn tokenizer(&self) -> Arc<dyn TextTokenizer> {
        Arc::new(Words)
    }
}

#[derive(Debug)]
struct Words;

impl TextTokenizer for Words {
    fn tokenize(&self, text: &str) -> Tokens {
        let start = text.as_ptr() as usize;
        let places = text.split_whitespace().map(|word| (word.as_ptr() as usize - start, word.len()));
        Tokens { ranges: places.map(|(at, length)| at..at + length).collect() }
    }
}

/// Parses in this process: children are measured with the parsers.
#[derive(Debug)]
struct Here;

#[async_trait::async_trait]
impl Parse for Here {
    async fn parse(
        &self,
        bytes: bytes::Bytes,
        media_type: Option<String>,
        name: String,
    ) -> Result<ParsedDocument, Box<dyn Fault>> {
        parse_in_process(&bytes, &name, media_type.as_deref(), &Limits::default())
            .map_err(|fault| Box::new(fault) as Box<dyn Fault>)
    }
}

fn word(seed: u64, at: u64) -> String {
    // Ranks by Zipf's law over 30,000 words.
    let rank = (30_000_f32.powf(chance(seed, at)) - 1.0) as u32;
    format!("w{rank}")
}

fn document(number: u64) -> String {
    let mut text = format!("# Document {number}\n");
    for section in 0..SECTIONS {
        let seed = number * SECTIONS + section;
        let words: Vec<String> = (0..60 + seed % 60).map(|at| word(seed, at)).collect();
        // The first stands below the title: a heading of its own would leave the title a chunk without text.
        if section > 0 {
            text.push_str(&format!("\n## Section {section}\n"));
        }
        text.push_str(&format!("\nseed{seed} {}\n", words.join(" ")));
    }
    text
}

/// Resident memory of this process in MiB: now, and at most so far.
fn resident() -> [f64; 2] {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() / 1024.0
    };
    [of("VmRSS:"), of("VmHWM:")]
}

fn show(what: &str, report: &Report, began: Instant) {
    let [now, most] = resident();
    println!(
        "{}",
        json!({
            "ingest": what, "seconds": began.elapsed().as_secs_f64(), "added": report.added, "changed": report.changed,
            "unchanged": report.unchanged, "chunks": report.chunks, "embedded": report.embedded, "reused": report.reused,
            "resident_mib": now, "peak_mib": most,
        })
    );
}

fn main() -> Result<(), Failure> {
    mainspring_lake_lance::prepare_environment();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run())
}

async fn run() -> Result<(), Failure> {
    let vectors = std::env::args().nth(1).ok_or("name the folder with `vectors.f32` and `queries.f32`")?;
    let vectors = Arc::new(Vectors::open(Path::new(&vectors))?);
    let files = vectors.rows / SECTIONS;
    let home = tempfile::tempdir()?;
    let folder = home.path().join("docs");
    for number in 0..files {
        let at = folder.join(format!("{}", number % 10));
        std::fs::create_dir_all(&at)?;
        std::fs::write(at.join(format!("{number}.md")), document(number))?;
    }
    let clock = Arc::new(SystemClock);
    let catalog = Catalog::open(&format!("sqlite://{}", home.path().join("catalog.db").display())).await?;
    let mut tx = catalog.begin().await?;
    let project: ProjectId = ProjectId::from_raw(1);
    tx.execute("INSERT INTO project (id, name, description, created) VALUES ($1, 'bench', '', 0)", params![project]).await?;
    tx.commit().await?;
    let registry = Registry::open(catalog.clone(), clock.clone(), vec![kind()]);
    let location = LakeLocation::parse(home.path().join("lake").to_str().ok_or("path")?)?;
    let lake: Arc<dyn Lake> = Arc::new(LanceLake::open(LanceConfig::new(location)).await?);
    let parts = Parts {
        catalog,
        registry: registry.clone(),
        lake: lake.clone(),
        blobs: Blobs::local(&home.path().join("blobs"))?,
        parsers: Arc::new(Here),
        models: Models::default().with_embedder(Arc::new(Seeded(vectors.clone()))),
        tasks: Tasks::default(),
        clock,
        audit: None,
    };
    let room = Knowledges::open(parts, KnowledgeConfig::new(SourcePolicy::in_dir(home.path().join("work"))))?;
    let actor = Actor {
        principal: PrincipalId::from_raw(1),
        project: ProjectId::from_raw(1),
        role: Role::Admin,
        labels: Labels::All,
        key: None,
        models: ModelScope::All,
    };
    let trace = SpanContext::root(actor.project, Arc::new(NoSink), Arc::new(SystemClock));
    let manifest = json!({"apiVersion": "mainspring/v1", "kind": "knowledge", "name": "k", "spec": {
        "sources": [{ "type": "folder", "name": "docs", "path": folder, "labels": ["staff"], "rules": [{ "match": "0/", "labels": ["hr"] }] }],
        "embedding": "seeded", "retrieval": { "relevance": 0.0, "limit": 10 },
    }});
    registry.apply(&actor, &[Draft { origin: "bench".into(), value: manifest }], "bench").await?;
    let [before, _] = resident();
    println!("{}", json!({ "files": files, "sections": SECTIONS, "resident_mib": before }));
    let name = "k".parse()?;
    for what in ["first ingest", "again, fingerprints settling", "again, nothing changed"] {
        let began = Instant::now();
        let report = Box::pin(room.ingest(&actor, &name, IngestOptions::default(), &trace)).await?;
        show(what, &report, began);
    }
    std::fs::write(folder.join("0/0.md"), format!("{}\nchanged\n", document(0)))?;
    let began = Instant::now();
    let report = Box::pin(room.ingest(&actor, &name, IngestOptions::default(), &trace)).await?;
    show("again, one file changed", &report, began);
    let began = Instant::now();
    let cleaned = room.upkeep().await?;
    println!("{}", json!({ "upkeep": cleaned, "seconds": began.elapsed().as_secs_f64() }));

    let reader = Actor { role: Role::Reader, labels: Labels::Some(["hr".to_owned()].into()), ..actor.clone() };
    for (what, actor, mode, clients) in [
        ("hybrid", &actor, SearchMode::Hybrid, 1),
        ("hybrid, 10 % label", &reader, SearchMode::Hybrid, 1),
        ("vector", &actor, SearchMode::Vector, 1),
        ("vector, 10 % label", &reader, SearchMode::Vector, 1),
        ("text", &actor, SearchMode::Text, 1),
        ("hybrid, 4 at once", &actor, SearchMode::Hybrid, 4),
    ] {
        search(&room, actor, (what, mode, clients), vectors.rows).await?;
    }
    recall(&room, lake.as_ref(), &actor, &vectors).await
}

async fn search(
    room: &Knowledges,
    actor: &Actor,
    (what, mode, clients): (&str, SearchMode, u64),
    chunks: u64,
) -> Result<(), Failure> {
    let mut times: Vec<f64> = Vec::new();
    let mut stages: Vec<(String, f64)> = Vec::new();
    for round in 0..QUERIES / clients {
        let one = |client: u64| {
            let number = round * clients + client;
            async move {
                // The vector of a query, and words of a chunk.
                let words: Vec<String> = (0..8).map(|at| word(number * 7_919 % chunks, at * 5)).collect();
                let query = format!("seed{} {}", chunks + number, words.join(" "));
                let request = RetrieveRequest { query, mode: Some(mode), ..RetrieveRequest::default() };
                let trace = SpanContext::root(actor.project, Arc::new(NoSink), Arc::new(SystemClock));
                let began = Instant::now();
                let answer = room.search(actor, &"k".parse()?, request, &trace, Budget::of(Duration::from_secs(10))).await?;
                Ok::<_, Failure>((began.elapsed().as_secs_f64() * 1000.0, answer))
            }
        };
        for result in futures::future::join_all((0..clients).map(one)).await {
            let (time, answer) = result?;
            if round * clients < QUERIES / 5 {
                continue;
            }
            let embed: f64 = answer.retrieved.timings.iter().filter(|(stage, _)| stage == "embed").map(|(_, ms)| ms).sum();
            times.push(time - embed);
            for (at, (stage, ms)) in answer.retrieved.timings.iter().enumerate() {
                if stages.len() <= at {
                    stages.push((stage.clone(), 0.0));
                }
                stages[at].1 += ms;
            }
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let count = times.len() as f64;
    let stages: serde_json::Map<_, _> = stages.into_iter().map(|(stage, ms)| (stage, json!(ms / count))).collect();
    println!("{}", json!({ "search": what, "p50_ms": at(0.5), "p95_ms": at(0.95), "mean_ms_by_stage": stages }));
    Ok(())
}

/// Share of the ten nearest chunks that the index finds.
async fn recall(room: &Knowledges, lake: &dyn Lake, actor: &Actor, vectors: &Vectors) -> Result<(), Failure> {
    let trace = SpanContext::root(actor.project, Arc::new(NoSink), Arc::new(SystemClock));
    let request = RetrieveRequest { query: "seed1".into(), ..RetrieveRequest::default() };
    let pin = room.search(actor, &"k".parse()?, request, &trace, Budget::of(Duration::from_secs(10))).await?.retrieved.pin;
    let table = lake.open_existing(&pin.table).await?.snapshot().await?;
    for (what, filter) in [("none", Filter::All), ("10 % label", Filter::HasAny("labels".into(), vec!["hr".into()]))] {
        let rows = table.count(filter.clone()).await?;
        let spec = RetrievalSpec::default();
        let (mut found, mut wanted) = (0, 0);
        for query in 0..QUERIES {
            let vector = vectors.row(vectors.rows + query)?;
            let ask = |distance| VectorQuery {
                column: "vector".into(),
                vector: vector.clone(),
                limit: 10,
                filter: filter.clone(),
                distance,
            };
            let exact = table.nearest(ask(Distance::Exact)).await?;
            // As the room asks: more candidates than are wanted in the end.
            let distance = spec.distance(filter != Filter::All);
            let indexed = table.nearest(VectorQuery { limit: spec.candidates as usize, ..ask(distance) }).await?;
            wanted += exact.rows.len();
            found += exact.rows.iter().filter(|(row, _)| indexed.rows.iter().take(10).any(|(other, _)| other == row)).count();
        }
        println!("{}", json!({ "recall": what, "rows": rows, "recall_at_10": found as f64 / wanted as f64 }));
    }
    Ok(())
}
