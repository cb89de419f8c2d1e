//! How good is retrieval? nDCG@10 and recall@100 on public sets with relevance judgements, through the
//! whole room: files on disk, parsed, cut, embedded, searched. And: which evidence tells questions that have an
//! answer here from those that have none? Prints one JSON object a line.
//!
//! `cargo run --release -p mainspring-knowledge --features bench --example retrieval_quality -- DATA [EVERY] [SET]`
//! (with EVERY, only every so many questions are asked; with SET, of sets whose names begin so)
#![expect(clippy::print_stdout, reason = "a measurement prints what it measured")]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use mainspring_blobs::Blobs;
use mainspring_catalog::{Catalog, params};
use mainspring_encoders::{EmbedderSpec, EncoderFiles, EngineOptions, LateInteraction, LocalEmbedder, Pooling};
use mainspring_kernel::{
    Actor, Fault, Labels, ModelScope, PageRequest, Role, SystemClock, Tasks,
    id::{PrincipalId, ProjectId},
};
use mainspring_knowledge::{DocumentFilter, IngestOptions, KnowledgeConfig, Knowledges, Parse, Parts, SourcePolicy, kind};
use mainspring_lake_lance::{Durability, LakeLocation, LanceConfig, LanceLake};
use mainspring_llm::{Budget, ModelFault, Models, RetrieveRequest, SearchMode, SpanContext, trace::NoSink};
use mainspring_parsers::{Block, BlockKind, ParsedDocument};
use mainspring_registry::{Draft, Registry};
use mainspring_weights::{ModelList, Role as FileRole, Weights};
use serde_json::json;

type Failure = Box<dyn std::error::Error>;

const MODEL: &str = "all-minilm-l6-v2";
/// Reranking reads two dozen passages for each question: more questions than these would take all day.
const RERANKED: usize = 300;

/// Documents by key, and questions with the gain of each relevant document.
struct Set {
    name: &'static str,
    documents: BTreeMap<String, (String, String)>,
    questions: Vec<(String, HashMap<String, f64>)>,
}

fn cranfield(data: &Path) -> Result<Set, Failure> {
    let read = |name: &str| std::fs::read_to_string(data.join("cranfield").join(name));
    let mut documents = BTreeMap::new();
    for (at, record) in records(&read("cran.all.1400")?).into_iter().enumerate() {
        let title = record.get("T").cloned().unwrap_or_default();
        let text = record.get("W").cloned().unwrap_or_default();
        // The abstract repeats the title.
        let text = text.strip_prefix(title.as_str()).unwrap_or(&text).trim().to_owned();
        documents.insert((at + 1).to_string(), (title.trim_end_matches([' ', '.']).to_owned(), text));
    }
    let mut questions: Vec<(String, HashMap<String, f64>)> =
        records(&read("cran.qry")?).into_iter().map(|record| (record["W"].clone(), HashMap::new())).collect();
    for line in read("cranqrel")?.lines() {
        let numbers: Vec<i64> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        let [question, document, grade] = numbers[..] else { continue };
        // 1 is a complete answer, 4 of minimal interest; what is graded otherwise is of none.
        if let (1..=4, Some(entry)) = (grade, questions.get_mut(usize::try_from(question - 1)?)) {
            entry.1.insert(document.to_string(), (5 - grade) as f64);
        }
    }
    Ok(Set { name: "Cranfield", documents, questions })
}

/// Records of `.I`, with the text of each dotted field on one line.
fn records(text: &str) -> Vec<HashMap<String, String>> {
    let mut records: Vec<HashMap<String, String>> = Vec::new();
    let mut field = String::new();
    for line in text.lines() {
        if line.starts_with(".I") {
            records.push(HashMap::new());
        } else if line.len() == 2 && line.starts_with('.') {
            field = line[1..].to_owned();
        } else if let Some(record) = records.last_mut() {
            let value = record.entry(field.clone()).or_default();
            if !value.is_empty() {
                value.push(' ');
            }
            value.push_str(line.trim());
        }
    }
    records
}

fn xquad(data: &Path) -> Result<Vec<Set>, Failure> {
    let text = std::fs::read_to_string(data.join("xquad/xquad.en.json"))?;
    let value: serde_json::Value = serde_json::from_str(&text)?;
    let (mut all, mut half) = (empty("XQuAD-en"), empty("XQuAD-en, half of the articles"));
    for (number, article) in value["data"].as_array().ok_or("no articles")?.iter().enumerate() {
        for (at, paragraph) in article["paragraphs"].as_array().ok_or("no paragraphs")?.iter().enumerate() {
            let key = format!("{number}-{at}");
            let document = (String::new(), paragraph["context"].as_str().unwrap_or_default().to_owned());
            all.documents.insert(key.clone(), document.clone());
            if number % 2 == 0 {
                half.documents.insert(key.clone(), document);
            }
            for question in paragraph["qas"].as_array().ok_or("no questions")? {
                let asked = question["question"].as_str().unwrap_or_default().to_owned();
                let gains = HashMap::from([(key.clone(), 1.0)]);
                half.questions.push((asked.clone(), if number % 2 == 0 { gains.clone() } else { HashMap::new() }));
                all.questions.push((asked, gains));
            }
        }
    }
    Ok(vec![all, half])
}

fn empty(name: &'static str) -> Set {
    Set { name, documents: BTreeMap::new(), questions: Vec::new() }
}

/// Plain paragraphs: the sets are plain text, so the parsers have nothing to show here.
#[derive(Debug)]
struct Plain;

#[async_trait::async_trait]
impl Parse for Plain {
    async fn parse(&self, bytes: bytes::Bytes, _: Option<String>, _: String) -> Result<ParsedDocument, Box<dyn Fault>> {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let title = text.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default().to_owned();
        let body = if title.is_empty() { 0 } else { text.find("\n\n").map_or(text.len(), |at| at + 2) };
        let mut blocks = Vec::new();
        if body > 0 {
            let kind = BlockKind::Heading { level: 1 };
            blocks.push(Block {
                kind,
                start: 0,
                end: title.len() + 2,
                heading_path: vec![title.clone()],
                page: None,
                heading: None,
            });
        }
        let heading_path = if title.is_empty() { Vec::new() } else { vec![title.clone()] };
        if body < text.len() {
            blocks.push(Block {
                kind: BlockKind::Paragraph,
                start: body,
                end: text.len(),
                heading_path,
                page: None,
                heading: None,
            });
        }
        Ok(ParsedDocument { title, text, blocks, media_type: "text/markdown".into(), ..ParsedDocument::default() })
    }
}

struct Room {
    knowledges: Knowledges,
    registry: Registry,
    actor: Actor,
    home: tempfile::TempDir,
}

async fn open(embedder: &Arc<LocalEmbedder>) -> Result<Room, Failure> {
    let home = tempfile::tempdir()?;
    let clock = Arc::new(SystemClock);
    let catalog = Catalog::open("sqlite::memory:").await?;
    let mut tx = catalog.begin().await?;
    let project: ProjectId = ProjectId::from_raw(1);
    tx.execute("INSERT INTO project (id, name, description, created) VALUES ($1, 'bench', '', 0)", params![project]).await?;
    tx.commit().await?;
    let registry = Registry::open(catalog.clone(), clock.clone(), vec![kind()]);
    let location = LakeLocation::parse(home.path().join("lake").to_str().ok_or("path")?)?;
    let lake = LanceLake::open(LanceConfig { durability: Durability::Process, ..LanceConfig::new(location) }).await?;
    let models =
        Models::default().with_embedder(embedder.clone()).with_reranker(MODEL, Arc::new(LateInteraction::new(embedder.clone())));
    let parts = Parts {
        catalog,
        registry: registry.clone(),
        lake: Arc::new(lake),
        blobs: Blobs::local(&home.path().join("blobs"))?,
        parsers: Arc::new(Plain),
        models,
        tasks: Tasks::default(),
        clock,
        audit: None,
    };
    let knowledges = Knowledges::open(parts, KnowledgeConfig::new(SourcePolicy::in_dir(home.path().join("work"))))?;
    let actor = Actor {
        principal: PrincipalId::from_raw(1),
        project: ProjectId::from_raw(1),
        role: Role::Admin,
        labels: Labels::All,
        key: None,
        models: ModelScope::All,
    };
    Ok(Room { knowledges, registry, actor, home })
}

impl Room {
    async fn ingest(&self, set: &Set) -> Result<HashMap<String, String>, Failure> {
        let folder = self.home.path().join("docs");
        std::fs::create_dir_all(&folder)?;
        for (key, (title, text)) in &set.documents {
            let text = if title.is_empty() { text.clone() } else { format!("# {title}\n\n{text}") };
            std::fs::write(folder.join(format!("{key}.md")), text)?;
        }
        let manifest = json!({"apiVersion": "mainspring/v1", "kind": "knowledge", "name": "set", "spec": {
            "sources": [{ "type": "folder", "name": "docs", "path": folder }],
            "retrieval": { "limit": 100, "candidates": 400, "relevance": 0.0, "dedupe": 1.0, "parents": "off", "rerank_candidates": 24 },
        }});
        self.registry.apply(&self.actor, &[Draft { origin: "bench".into(), value: manifest }], "bench").await?;
        let began = Instant::now();
        let report =
            Box::pin(self.knowledges.ingest(&self.actor, &"set".parse()?, IngestOptions::default(), &self.trace())).await?;
        println!(
            "{}",
            json!({
                "ingested": set.name, "documents": report.added, "chunks": report.chunks, "tokens": report.tokens,
                "seconds": began.elapsed().as_secs_f64(), "encoder_busy": report.encoder_busy,
            })
        );
        let (mut keys, mut cursor) = (HashMap::new(), None);
        loop {
            let page = PageRequest::new(Some(500), cursor)?;
            let some = self.knowledges.documents(&self.actor, &"set".parse()?, &DocumentFilter::default(), &page).await?;
            keys.extend(
                some.items
                    .into_iter()
                    .map(|document| (document.id.to_string(), document.path.trim_end_matches(".md").to_owned())),
            );
            cursor = some.next;
            if cursor.is_none() {
                return Ok(keys);
            }
        }
    }

    fn trace(&self) -> SpanContext {
        SpanContext::root(self.actor.project, Arc::new(NoSink), Arc::new(SystemClock))
    }

    async fn ask(&self, question: &str, mode: SearchMode, rerank: bool) -> Result<mainspring_knowledge::Answer, Failure> {
        let request =
            RetrieveRequest { query: question.to_owned(), mode: Some(mode), rerank: Some(rerank), ..RetrieveRequest::default() };
        let budget = Budget::of(Duration::from_secs(120));
        Ok(self.knowledges.search(&self.actor, &"set".parse()?, request, &self.trace(), budget).await?)
    }
}

fn ndcg(ranked: &[&String], gains: &HashMap<String, f64>, at: usize) -> f64 {
    let discounted = |gains: &[f64]| gains.iter().zip(2_u32..).map(|(gain, rank)| gain / f64::from(rank).log2()).sum::<f64>();
    let found: Vec<f64> = ranked.iter().take(at).map(|key| gains.get(*key).copied().unwrap_or(0.0)).collect();
    let mut ideal: Vec<f64> = gains.values().copied().collect();
    ideal.sort_by(|a, b| b.total_cmp(a));
    ideal.truncate(at);
    discounted(&found) / discounted(&ideal)
}

async fn measure(room: &Room, set: &Set, keys: &HashMap<String, String>) -> Result<(), Failure> {
    let runs = [
        ("BM25", SearchMode::Text, false),
        ("vector", SearchMode::Vector, false),
        ("hybrid", SearchMode::Hybrid, false),
        ("hybrid, reranked", SearchMode::Hybrid, true),
    ];
    // Of each question, to say how sure a difference is.
    let mut before: Option<Vec<f64>> = None;
    let judged: Vec<_> = set.questions.iter().filter(|(_, gains)| !gains.is_empty()).collect();
    for (name, mode, rerank) in runs {
        let step = if rerank { judged.len().div_ceil(RERANKED) } else { 1 };
        let (mut gains_of, mut recall, mut times) = (Vec::new(), 0.0, Vec::new());
        for (question, gains) in judged.iter().step_by(step) {
            let answer = room.ask(question, mode, rerank).await?;
            let stages = &answer.retrieved.timings;
            times.push(stages.iter().filter(|(stage, _)| stage != "embed").map(|(_, ms)| ms).sum::<f64>());
            let mut seen = BTreeSet::new();
            let ranked: Vec<&String> = answer
                .retrieved
                .passages
                .iter()
                .filter_map(|hit| keys.get(&hit.document))
                .filter(|key| seen.insert(*key))
                .collect();
            gains_of.push(ndcg(&ranked, gains, 10));
            let found = ranked.iter().take(100).filter(|key| gains.contains_key(**key)).count();
            recall += found as f64 / gains.len().min(100) as f64;
        }
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        let asked = gains_of.len() as f64;
        let against = before.as_ref().map(|before| {
            let differences: Vec<f64> = gains_of.iter().zip(before.iter().step_by(step)).map(|(now, then)| now - then).collect();
            let mean = differences.iter().sum::<f64>() / asked;
            let variance = differences.iter().map(|difference| (difference - mean).powi(2)).sum::<f64>() / (asked - 1.0);
            json!({ "mean": mean, "half_width_95": 1.96 * (variance / asked).sqrt() })
        });
        println!(
            "{}",
            json!({
                "set": set.name, "run": name, "questions": asked, "ndcg_at_10": gains_of.iter().sum::<f64>() / asked,
                "recall_at_100": recall / asked, "p50_ms": at(0.5), "p95_ms": at(0.95), "against_the_run_before": against,
            })
        );
        before = Some(gains_of);
    }
    Ok(())
}

/// Which threshold tells questions that have an answer here from those that have none?
/// Asked are the set's own questions, and `foreign` ones that belong to another set.
async fn calibrate(room: &Room, set: &Set, foreign: &[String]) -> Result<(), Failure> {
    let own = set.questions.iter().map(|(question, gains)| (if gains.is_empty() { "absent" } else { "answerable" }, question));
    let mut seen: Vec<(&str, f64, f64)> = Vec::new();
    for (group, question) in own.chain(foreign.iter().map(|question| ("foreign", question))) {
        let evidence = room.ask(question, SearchMode::Hybrid, false).await?.evidence;
        seen.push((group, evidence.similarity.unwrap_or(0.0).into(), evidence.coverage.into()));
    }
    for group in ["answerable", "absent", "foreign"] {
        let of = |pick: fn(&(&str, f64, f64)) -> f64| {
            let mut values: Vec<f64> = seen.iter().filter(|one| one.0 == group).map(pick).collect();
            values.sort_by(f64::total_cmp);
            let at = |share: f64| values.get(((values.len().max(1) - 1) as f64 * share) as usize).copied();
            json!({ "p5": at(0.05), "p50": at(0.5), "p95": at(0.95), "count": values.len() })
        };
        println!(
            "{}",
            json!({ "evidence": set.name, "group": group, "similarity": of(|one| one.1), "coverage": of(|one| one.2) })
        );
    }
    for step in 2..=13 {
        let threshold = f64::from(step) * 0.05;
        // As the search decides: 0.75 of the words, at half the threshold; 2 leaves the words out.
        for words in [0.75, 2.0] {
            let kept = |group: &str| {
                let of: Vec<_> = seen.iter().filter(|one| one.0 == group).collect();
                let relevant = of.iter().filter(|one| one.1 >= threshold || (one.2 >= words && one.1 >= threshold * 0.5));
                relevant.count() as f64 / of.len().max(1) as f64
            };
            println!(
                "{}",
                json!({
                    "threshold": threshold, "words": words < 1.0, "set": set.name, "answerable_kept": kept("answerable"),
                    "absent_kept": kept("absent"), "foreign_kept": kept("foreign"),
                })
            );
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let data = PathBuf::from(std::env::args().nth(1).ok_or("name the folder with `cranfield` and `xquad`")?);
    let weights = Weights::open(&Weights::default_dir(), ModelList::built_in()?)?;
    let installed = weights.pull(MODEL, |_| {}).await?;
    let file = |role| installed.path(role).map(Path::to_owned).ok_or("a file of the model is missing");
    let files = EncoderFiles { model: file(FileRole::Model)?, tokenizer: file(FileRole::Tokenizer)? };
    let spec = EmbedderSpec {
        name: MODEL.to_owned(),
        identity: weights.spec(MODEL)?.identity().to_string(),
        dimensions: 384,
        max_tokens: 256,
        pooling: Pooling::Mean,
        query_prefix: String::new(),
        passage_prefix: String::new(),
    };
    let locate = Arc::new(move || Ok::<_, ModelFault>(files.clone()));
    let embedder = Arc::new(LocalEmbedder::new(spec, locate, EngineOptions::default()));
    let every: usize = std::env::args().nth(2).map_or(Ok(1), |every| every.parse())?;
    let only = std::env::args().nth(3).unwrap_or_default();
    let cranfield = cranfield(&data)?;
    let foreign: Vec<String> = cranfield.questions.iter().map(|(question, _)| question.clone()).collect();
    for mut set in std::iter::once(cranfield).chain(xquad(&data)?) {
        if !set.name.starts_with(&only) {
            continue;
        }
        set.questions = set.questions.into_iter().step_by(every).collect();
        let room = open(&embedder).await?;
        let keys = room.ingest(&set).await?;
        let complete = set.questions.iter().all(|(_, gains)| !gains.is_empty());
        if complete {
            measure(&room, &set, &keys).await?;
        }
        if set.name.starts_with("XQuAD") {
            calibrate(&room, &set, &foreign).await?;
        }
    }
    Ok(())
}
