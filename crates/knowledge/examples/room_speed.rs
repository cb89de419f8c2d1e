//! What the room itself costs, with an embedder that costs next to nothing: ingesting, ingesting again with
//! nothing changed, and searching. Vectors are clustered with low-rank noise, words follow Zipf's law.
//!
//! `cargo run --release -p mainspring-knowledge --features bench --example room_speed -- [FILES] [SECTIONS]`

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use mainspring_blobs::Blobs;
use mainspring_catalog::{Catalog, params};
use mainspring_kernel::{
    Actor, Digest, Fault, Labels, Role, SystemClock, Tasks,
    id::{PrincipalId, ProjectId},
};
use mainspring_knowledge::{IngestOptions, KnowledgeConfig, Knowledges, Parse, Parts, Report, SourcePolicy, kind};
use mainspring_lake::{Distance, Filter, Lake, Scan, VectorQuery};
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
const CLUSTERS: u64 = 500;
const QUERIES: u64 = 300;

/// A number in 0..1 that only depends on what it is made from.
fn chance(seed: u64, at: u64) -> f32 {
    let mut x = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(at.wrapping_mul(0xD1B5_4A32_D192_ED03)) ^ 0x5851_F42D_4C95_7F2D;
    x ^= x >> 32;
    x = x.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    x ^= x >> 32;
    x = x.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    x ^= x >> 32;
    (x >> 40) as f32 / (1_u64 << 24) as f32
}

fn vector(seed: u64) -> Vec<f32> {
    let cluster = seed % CLUSTERS;
    let mut vector: Vec<f32> = (0..DIMENSIONS as u64).map(|at| chance(cluster + 1, at) - 0.5).collect();
    for direction in 0..12 {
        let weight = (chance(seed, 1000 + direction) - 0.5) * 1.4;
        for (at, x) in vector.iter_mut().enumerate() {
            *x += weight * (chance(7_000 + cluster * 16 + direction, at as u64) - 0.5);
        }
    }
    for (at, x) in vector.iter_mut().enumerate() {
        *x += (chance(seed, 5_000 + at as u64) - 0.5) * 0.25;
    }
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter().map(|x| x / length).collect()
}

/// Texts carry their own seed: `seed123`.
#[derive(Debug)]
struct Seeded;

fn seed_of(text: &str) -> u64 {
    let seed = text.split_whitespace().find_map(|word| word.strip_prefix("seed")?.parse().ok());
    seed.unwrap_or_else(|| u64::from_le_bytes(Digest::of(text.as_bytes()).as_bytes()[..8].try_into().unwrap_or_default()))
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
        let vectors = tokio::task::spawn_blocking(move || texts.iter().map(|text| vector(seed_of(text))).collect()).await;
        let vectors = vectors.map_err(|fault| ModelFault::Engine { model: "seeded".into(), reason: fault.to_string() })?;
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
    async fn parse(&self, bytes: bytes::Bytes, media_type: Option<String>, name: String) -> Result<ParsedDocument, Box<dyn Fault>> {
        parse_in_process(&bytes, &name, media_type.as_deref(), &Limits::default()).map_err(|fault| Box::new(fault) as Box<dyn Fault>)
    }
}

fn word(seed: u64, at: u64) -> String {
    // Ranks by Zipf's law over 30,000 words.
    let rank = (30_000_f32.powf(chance(seed, at)) - 1.0) as u32;
    format!("w{rank}")
}

fn document(number: u64, sections: u64) -> String {
    let mut text = format!("# Document {number}\n");
    for section in 0..sections {
        let seed = number * sections + section;
        let words: Vec<String> = (0..60 + seed % 60).map(|at| word(seed, at)).collect();
        text.push_str(&format!("\n## Section {section}\n\nseed{seed} {}\n", words.join(" ")));
    }
    text
}

fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("?").trim().to_owned();
    format!("now {}, at most {}", of("VmRSS:"), of("VmHWM:"))
}

fn show(what: &str, report: &Report, began: Instant) {
    println!(
        "{what}: {:.2} s wall; added {}, changed {}, unchanged {}, chunks {}, embedded {}, reused {}; memory {}",
        began.elapsed().as_secs_f64(), report.added, report.changed, report.unchanged, report.chunks, report.embedded, report.reused, resident()
    );
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let files: u64 = arguments.next().map_or(Ok(10_000), |n| n.parse())?;
    let sections: u64 = arguments.next().map_or(Ok(10), |n| n.parse())?;
    let home = tempfile::tempdir()?;
    let folder = home.path().join("docs");
    for number in 0..files {
        let at = folder.join(format!("{}", number % 100));
        std::fs::create_dir_all(&at)?;
        std::fs::write(at.join(format!("{number}.md")), document(number, sections))?;
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
        models: Models::default().with_embedder(Arc::new(Seeded)),
        tasks: Tasks::default(),
        clock,
    };
    let room = Knowledges::open(parts, KnowledgeConfig::new(SourcePolicy::in_dir(home.path().join("work"))))?;
    let actor = Actor { principal: PrincipalId::from_raw(1), project: ProjectId::from_raw(1), role: Role::Admin, labels: Labels::All };
    let trace = SpanContext::root(actor.project, Arc::new(NoSink), Arc::new(SystemClock));
    let manifest = json!({"apiVersion": "mainspring/v1", "kind": "knowledge", "name": "k", "spec": {
        "sources": [{ "type": "folder", "name": "docs", "path": folder, "rules": [{ "match": "7/", "labels": ["hr"] }, { "match": "1*/", "labels": ["staff"] }] }],
        "embedding": "seeded", "retrieval": { "relevance": 0.0, "limit": 10 },
    }});
    registry.apply(&actor, &[Draft { origin: "bench".into(), value: manifest }], "bench").await?;
    println!("{files} files of {sections} sections; memory {}", resident());
    let name = "k".parse()?;
    for what in ["first ingest", "again, fingerprints settling", "again, nothing changed"] {
        let began = Instant::now();
        let report = Box::pin(room.ingest(&actor, &name, IngestOptions::default(), &trace)).await?;
        show(what, &report, began);
    }
    std::fs::write(folder.join("0/0.md"), document(files + 1, sections))?;
    let began = Instant::now();
    let report = Box::pin(room.ingest(&actor, &name, IngestOptions::default(), &trace)).await?;
    show("again, one file changed", &report, began);
    let began = Instant::now();
    let cleaned = room.upkeep().await?;
    println!("upkeep {:.2} s: {cleaned:?}", began.elapsed().as_secs_f64());

    let reader = Actor { role: Role::Reader, labels: Labels::Some(["hr".to_owned()].into()), ..actor.clone() };
    for (what, actor, mode, clients) in [
        ("hybrid", &actor, SearchMode::Hybrid, 1),
        ("hybrid, labels", &reader, SearchMode::Hybrid, 1),
        ("vector", &actor, SearchMode::Vector, 1),
        ("text", &actor, SearchMode::Text, 1),
        ("hybrid, 4 at once", &actor, SearchMode::Hybrid, 4),
    ] {
        search(&room, actor, (what, mode, clients), files * sections).await?;
    }
    recall(&room, lake.as_ref(), &actor, files * sections).await
}

async fn search(room: &Knowledges, actor: &Actor, (what, mode, clients): (&str, SearchMode, u64), chunks: u64) -> Result<(), Failure> {
    let mut times: Vec<f64> = Vec::new();
    let mut stages: Vec<(String, f64)> = Vec::new();
    // The first fifth warms caches.
    for round in 0..QUERIES / clients {
        let one = |client: u64| {
            let seed = ((round * clients + client) * 7_919 + 13) % chunks;
            async move {
                let words: Vec<String> = (0..8).map(|at| word(seed, at * 5)).collect();
                let query = format!("seed{seed} {}", words.join(" "));
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
    let stages: Vec<String> = stages.iter().map(|(stage, ms)| format!("{stage} {:.2}", ms / count)).collect();
    println!("search, {what}: p50 {:.2} ms, p95 {:.2} ms (mean by stage: {})", at(0.5), at(0.95), stages.join(", "));
    Ok(())
}

/// Share of the ten nearest chunks that the index finds.
async fn recall(room: &Knowledges, lake: &dyn Lake, actor: &Actor, chunks: u64) -> Result<(), Failure> {
    let trace = SpanContext::root(actor.project, Arc::new(NoSink), Arc::new(SystemClock));
    let request = RetrieveRequest { query: "seed1".into(), ..RetrieveRequest::default() };
    let pin = room.search(actor, &"k".parse()?, request, &trace, Budget::of(Duration::from_secs(10))).await?.retrieved.pin;
    let table = lake.open_existing(&pin.table).await?.snapshot().await?;
    let rows = table.scan(Scan::of(Filter::All).columns(&["id"])).await?.iter().map(|batch| batch.num_rows()).sum::<usize>();
    let (mut found, mut wanted) = (0, 0);
    for query in 0..100 {
        let ask = |distance| VectorQuery {
            column: "vector".into(),
            vector: vector((query * 104_729 + 1_000_003) % (chunks * 2)),
            limit: 10,
            filter: Filter::All,
            distance,
        };
        let exact = table.nearest(ask(Distance::Exact)).await?;
        // As the room asks: more candidates than are wanted in the end.
        let indexed = table.nearest(VectorQuery { limit: 64, ..ask(Distance::Indexed { probes: 20, refine: 3 }) }).await?;
        wanted += exact.rows.len();
        found += exact.rows.iter().filter(|(row, _)| indexed.rows.iter().take(10).any(|(other, _)| other == row)).count();
    }
    println!("recall@10 of the index over {rows} rows: {:.4}", found as f64 / wanted as f64);
    Ok(())
}
