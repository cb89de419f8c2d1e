//! How long the two legs of a hybrid search take, how fast a table loads, and what the vector index finds.
//! Vectors are read from a folder (`vectors.f32` and `queries.f32`: rows of 384 numbers, little-endian), so that
//! others can be measured on the same ones. Prints one JSON object a line.
//!
//! `cargo run --release -p mainspring-lake-lance --example legs -- FOLDER [process]`
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement prints what it measured and stops where it cannot")]
#![expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "timings need no more")]

use std::{
    collections::HashMap,
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use arrow_array::{
    ArrayRef, FixedSizeListArray, RecordBatch, StringArray,
    builder::{ListBuilder, StringBuilder},
    types::Float32Type,
};
use arrow_schema::{DataType, Field, Schema};
use mainspring_lake::{
    Distance, Filter, IndexKind, IndexSpec, Lake, Past, Table, TableSpec, TextQuery, UpkeepPolicy, VectorQuery,
};
use mainspring_lake_lance::{Durability, LakeLocation, LanceConfig, LanceLake};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;

const WIDTH: usize = 384;
const TOP: usize = 64;
/// Appends under way while a table is filled.
const AT_ONCE: usize = 4;
/// The first queries warm caches and are not counted.
const WARM: usize = 60;
/// Every so many queries are compared with an exact search.
const COMPARED: usize = 3;

struct Source {
    random: StdRng,
    vectors: BufReader<File>,
    next: usize,
}

impl Source {
    fn new(folder: &Path) -> (Self, usize) {
        let file = File::open(folder.join("vectors.f32")).unwrap();
        let rows = file.metadata().unwrap().len() as usize / WIDTH / 4;
        (Self { random: StdRng::seed_from_u64(1), vectors: BufReader::with_capacity(1 << 20, file), next: 0 }, rows)
    }

    /// Words as frequent as words are: the n-th occurs about 1/n as often as the first.
    fn words(&mut self, count: usize) -> String {
        let word = |random: &mut StdRng| format!("w{}", (30_000_f64.powf(random.random_range(0.0..1.0))) as u32);
        (0..count).map(|_| word(&mut self.random)).collect::<Vec<_>>().join(" ")
    }

    fn batch(&mut self, schema: &Arc<Schema>, rows: usize) -> RecordBatch {
        let mut labels = ListBuilder::new(StringBuilder::new());
        let (mut ids, mut words, mut vectors) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rows {
            ids.push(format!("{:016x}", self.next));
            labels.append_value([Some(if self.next % 10 == 0 { "hr" } else { "all" })]);
            let count = self.random.random_range(60..120);
            words.push(self.words(count));
            vectors.push(Some(vector(&mut self.vectors).into_iter().map(Some).collect::<Vec<_>>()));
            self.next += 1;
        }
        let vectors = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(vectors, WIDTH as i32);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(ids)),
            Arc::new(labels.finish()),
            Arc::new(StringArray::from(words)),
            Arc::new(vectors),
        ];
        RecordBatch::try_new(schema.clone(), columns).unwrap()
    }
}

fn vector(from: &mut impl Read) -> Vec<f32> {
    let mut bytes = [0_u8; WIDTH * 4];
    from.read_exact(&mut bytes).unwrap();
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect()
}

fn queries(folder: &Path) -> Vec<Vec<f32>> {
    let mut file = File::open(folder.join("queries.f32")).unwrap();
    let rows = file.metadata().unwrap().len() as usize / WIDTH / 4;
    (0..rows).map(|_| vector(&mut file)).collect()
}

fn spec() -> TableSpec {
    let list = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
    let vector = DataType::FixedSizeList(Arc::new(Field::new("item", DataType::Float32, true)), WIDTH as i32);
    let schema = Schema::new(vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("labels", list, true),
        Field::new("text", DataType::Utf8, true),
        Field::new("vector", vector, true),
    ]);
    let index = |column: &str, kind| IndexSpec { column: column.to_owned(), kind };
    TableSpec {
        schema: Arc::new(schema),
        indexes: vec![
            index("id", IndexKind::Scalar),
            index("labels", IndexKind::Labels),
            index("text", IndexKind::Text),
            index("vector", IndexKind::Vector),
        ],
        past: Past::AsAsked,
        packed: Vec::new(),
        echoes: Vec::new(),
    }
}

fn percentiles(mut times: Vec<f64>) -> serde_json::Value {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    json!({ "p50_ms": at(0.5), "p95_ms": at(0.95), "p99_ms": at(0.99) })
}

fn main() {
    mainspring_lake_lance::prepare_environment();
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(run());
}

async fn run() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("name the folder with `vectors.f32` and `queries.f32`"));
    let durability = if std::env::args().nth(2).as_deref() == Some("process") { Durability::Process } else { Durability::Disk };
    let dir = tempfile::tempdir().unwrap();
    let config = LanceConfig { durability, ..LanceConfig::new(LakeLocation::Local(dir.path().to_owned())) };
    let lake = LanceLake::open(config).await.unwrap();
    // What a vector store keeps: no words to search.
    let mut vectors_only = spec();
    vectors_only.indexes.retain(|index| index.kind != IndexKind::Text);
    load(&lake, ("vectors", &vectors_only), &folder, durability).await;
    let table = load(&lake, ("legs", &spec()), &folder, durability).await;
    let (mut source, _) = Source::new(&folder);

    let queries = queries(&folder);
    for (name, filter) in [
        ("none", Filter::All),
        ("10 % label", Filter::HasAny("labels".into(), vec!["hr".into()])),
        ("90 % label", Filter::HasAny("labels".into(), vec!["all".into()])),
    ] {
        measure(&*table, &queries, &mut source, (name, &filter)).await;
    }
}

/// Fills a new table from the folder, all its indexes built.
async fn load(lake: &LanceLake, (name, spec): (&str, &TableSpec), folder: &Path, durability: Durability) -> Arc<dyn Table> {
    let table = lake.open(&name.parse().unwrap(), spec).await.unwrap();
    let (mut source, rows) = Source::new(folder);
    let (mut loading, mut left) = (0.0, rows);
    while left > 0 {
        // As an ingestion does: several appends are under way, and those that wait share a commit.
        let mut batches = Vec::new();
        while batches.len() < AT_ONCE && left > 0 {
            batches.push(source.batch(&spec.schema, left.min(5_000)));
            left -= left.min(5_000);
        }
        let started = Instant::now();
        futures::future::try_join_all(batches.into_iter().map(|batch| table.append(batch))).await.unwrap();
        loading += started.elapsed().as_secs_f64();
    }
    let started = Instant::now();
    let upkeep = table.upkeep(&UpkeepPolicy { fragments: 8, unindexed_rows: 1, ..UpkeepPolicy::default() }).await.unwrap();
    println!(
        "{}",
        json!({
            "load": name, "rows": rows, "append_seconds": loading, "index_seconds": started.elapsed().as_secs_f64(),
            "durability": format!("{durability:?}"), "upkeep": upkeep,
        })
    );
    table
}

/// The ten best rows of both legs by reciprocal rank.
fn fused(legs: [&[(u64, f32)]; 2]) -> Vec<u64> {
    let mut scores: HashMap<u64, f64> = HashMap::new();
    for leg in legs {
        for (rank, (row, _)) in leg.iter().enumerate() {
            *scores.entry(*row).or_default() += 1.0 / (61.0 + rank as f64);
        }
    }
    let mut rows: Vec<(u64, f64)> = scores.into_iter().collect();
    rows.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    rows.into_iter().take(10).map(|(row, _)| row).collect()
}

async fn measure(table: &dyn Table, queries: &[Vec<f32>], source: &mut Source, (name, filter): (&str, &Filter)) {
    let (mut hybrid, mut vector_leg, mut text_leg, mut found, mut wanted) = (Vec::new(), Vec::new(), Vec::new(), 0, 0);
    for (number, query) in queries.iter().enumerate() {
        let vector = VectorQuery {
            column: "vector".into(),
            vector: query.clone(),
            limit: TOP,
            filter: filter.clone(),
            distance: Distance::Indexed { probes: if *filter == Filter::All { 32 } else { 96 }, refine: 1 },
        };
        let text = TextQuery { column: "text".into(), words: source.words(5), limit: TOP, filter: filter.clone() };
        let mut timed = Vec::new();
        let started = Instant::now();
        let (near, words) = tokio::try_join!(table.nearest(vector.clone()), table.matching(text.clone())).unwrap();
        table.take(&fused([&near.rows, &words.rows]), &["id", "text"]).await.unwrap();
        timed.push(started.elapsed().as_secs_f64() * 1e3);
        let started = Instant::now();
        table.nearest(vector.clone()).await.unwrap();
        timed.push(started.elapsed().as_secs_f64() * 1e3);
        let started = Instant::now();
        table.matching(text).await.unwrap();
        timed.push(started.elapsed().as_secs_f64() * 1e3);
        if number >= WARM {
            hybrid.push(timed[0]);
            vector_leg.push(timed[1]);
            text_leg.push(timed[2]);
        }
        if number % COMPARED == 0 {
            let exact = table.nearest(VectorQuery { limit: 10, distance: Distance::Exact, ..vector }).await.unwrap();
            let near: Vec<u64> = near.rows.iter().take(10).map(|(row, _)| *row).collect();
            wanted += exact.rows.len();
            found += exact.rows.iter().filter(|(row, _)| near.contains(row)).count();
        }
    }
    println!(
        "{}",
        json!({
            "filter": name, "recall_at_10": found as f64 / wanted as f64, "hybrid": percentiles(hybrid),
            "vector": percentiles(vector_leg), "text": percentiles(text_leg),
        })
    );
}
