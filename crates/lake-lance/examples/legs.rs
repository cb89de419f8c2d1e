//! How long the two legs of a hybrid search take, how fast a table loads, and what the vector index finds.
//!
//! `cargo run --release -p mainspring-lake-lance --example legs -- [rows] [process]`
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement prints what it measured and stops where it cannot")]
#![expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "timings need no more")]

use std::{sync::Arc, time::Instant};

use arrow_array::{
    ArrayRef, FixedSizeListArray, RecordBatch, StringArray,
    builder::{ListBuilder, StringBuilder},
    types::Float32Type,
};
use arrow_schema::{DataType, Field, Schema};
use mainspring_lake::{Distance, Filter, IndexKind, IndexSpec, Lake, Table, TableSpec, TextQuery, UpkeepPolicy, VectorQuery};
use mainspring_lake_lance::{Durability, LakeLocation, LanceConfig, LanceLake};
use rand::{Rng, SeedableRng, rngs::StdRng};

const WIDTH: usize = 384;
const CLUSTERS: usize = 400;
const QUERIES: usize = 300;
const TOP: usize = 50;

struct Source {
    random: StdRng,
    centres: Vec<Vec<f32>>,
    next: usize,
}

impl Source {
    fn new() -> Self {
        let mut random = StdRng::seed_from_u64(1);
        let centres = (0..CLUSTERS).map(|_| (0..WIDTH).map(|_| random.random_range(-1.0..1.0)).collect()).collect();
        Self { random, centres, next: 0 }
    }

    fn vector(&mut self) -> Vec<f32> {
        let centre = self.random.random_range(0..CLUSTERS);
        let noise: Vec<f32> = (0..WIDTH).map(|_| self.random.random_range(-0.6..0.6)).collect();
        let mut vector: Vec<f32> = self.centres[centre].iter().zip(noise).map(|(x, noise)| x + noise).collect();
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|x| *x /= length);
        vector
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
            vectors.push(Some(self.vector().into_iter().map(Some).collect::<Vec<_>>()));
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
    }
}

fn report(what: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{what}: p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms", at(0.5), at(0.95), at(0.99));
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let rows: usize = std::env::args().nth(1).map_or(100_000, |rows| rows.parse().unwrap());
    let durability = if std::env::args().nth(2).as_deref() == Some("process") { Durability::Process } else { Durability::Disk };
    let dir = tempfile::tempdir().unwrap();
    let config = LanceConfig { durability, ..LanceConfig::new(LakeLocation::Local(dir.path().to_owned())) };
    let lake = LanceLake::open(config).await.unwrap();
    let spec = spec();
    let table = lake.open(&"legs".parse().unwrap(), &spec).await.unwrap();
    let mut source = Source::new();

    let (mut loading, mut left) = (0.0, rows);
    while left > 0 {
        let batch = source.batch(&spec.schema, left.min(5_000));
        left -= batch.num_rows();
        let started = Instant::now();
        table.append(batch).await.unwrap();
        loading += started.elapsed().as_secs_f64();
    }
    println!("loaded {rows} rows of {WIDTH} numbers in {loading:.1} s, {durability:?}");
    let started = Instant::now();
    let upkeep = table.upkeep(&UpkeepPolicy { fragments: 8, unindexed_rows: 1, ..UpkeepPolicy::default() }).await.unwrap();
    println!("upkeep in {:.1} s: {upkeep:?}", started.elapsed().as_secs_f64());

    for (name, filter) in [
        ("no filter", Filter::All),
        ("10 % label", Filter::HasAny("labels".into(), vec!["hr".into()])),
        ("90 % label", Filter::HasAny("labels".into(), vec!["all".into()])),
    ] {
        measure(&*table, &mut source, name, &filter).await;
    }
}

async fn measure(table: &dyn Table, source: &mut Source, name: &str, filter: &Filter) {
    let (mut both, mut vector_leg, mut text_leg, mut found, mut wanted) = (Vec::new(), Vec::new(), Vec::new(), 0, 0);
    for query in 0..QUERIES {
        let vector = VectorQuery {
            column: "vector".into(),
            vector: source.vector(),
            limit: TOP,
            filter: filter.clone(),
            distance: Distance::Indexed { probes: 20, refine: 3 },
        };
        let text = TextQuery { column: "text".into(), words: source.words(5), limit: TOP, filter: filter.clone() };
        let started = Instant::now();
        let (near, _) = tokio::join!(table.nearest(vector.clone()), table.matching(text.clone()));
        both.push(started.elapsed().as_secs_f64() * 1e3);
        let started = Instant::now();
        table.nearest(vector.clone()).await.unwrap();
        vector_leg.push(started.elapsed().as_secs_f64() * 1e3);
        let started = Instant::now();
        table.matching(text).await.unwrap();
        text_leg.push(started.elapsed().as_secs_f64() * 1e3);
        if query % 6 == 0 {
            let exact = table.nearest(VectorQuery { limit: 10, distance: Distance::Exact, ..vector }).await.unwrap();
            let near: Vec<u64> = near.unwrap().rows.iter().take(10).map(|(row, _)| *row).collect();
            wanted += exact.rows.len();
            found += exact.rows.iter().filter(|(row, _)| near.contains(row)).count();
        }
    }
    println!("{name}: recall@10 {:.3}", found as f64 / wanted as f64);
    report("  both legs", both);
    report("  vector", vector_leg);
    report("  words", text_leg);
}
