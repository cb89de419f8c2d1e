//! A whole room for tests: real catalog, lake and blobs, a small deterministic embedder, a small parser.

mod away;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use mainspring_blobs::Blobs;
use mainspring_catalog::{Catalog, params};
use mainspring_kernel::{
    Actor, AssetRef, Clock, Fault, FaultKind, FrozenClock, Labels, ModelScope, Role, SystemClock, Tasks,
    id::{PrincipalId, ProjectId},
};
use mainspring_lake::Lake;
use mainspring_lake_lance::{Durability, LakeLocation, LanceConfig, LanceLake};
use mainspring_llm::{
    Budget, Embedder, ModelFault, Models, Passage, RetrieveRequest, SpanContext, TextTokenizer, Tokens,
    embed::{EmbedAs, Embedded},
    trace::NoSink,
};
use mainspring_parsers::{Block, BlockKind, ParseFault, ParseWarning, ParsedDocument, WarningKind};
use mainspring_registry::{Draft, Registry};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{Answer, IngestOptions, KnowledgeConfig, KnowledgeFault, Knowledges, Parse, Parts, Report, SourcePolicy, kind};
use away::{AwayLake, Outage};

pub(crate) const NAME: &str = "manual";
/// Longer than any store of a test is away.
const PATIENCE: Duration = Duration::from_secs(120);

/// Words hashed into a few dimensions: texts with the same words are near each other.
#[derive(Debug)]
pub(crate) struct HashEmbedder {
    pub name: String,
    pub identity: String,
    pub dimensions: usize,
    pub texts: AtomicU64,
    /// Looks for its files that find them on their way.
    pub on_its_way: AtomicU64,
    pub missing: AtomicBool,
}

impl HashEmbedder {
    pub(crate) fn named(name: &str, dimensions: usize) -> Arc<Self> {
        let identity = format!("{name}-{dimensions}");
        let (texts, on_its_way, missing) = Default::default();
        Arc::new(Self { name: name.to_owned(), identity, dimensions, texts, on_its_way, missing })
    }

    pub(crate) fn taken(&self) -> u64 {
        self.texts.swap(0, Ordering::SeqCst)
    }

    fn vector(&self, text: &str) -> Vec<f32> {
        let mut vector = vec![0.001_f32; self.dimensions];
        for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            let digest = mainspring_kernel::Digest::of(word.to_lowercase().as_bytes());
            for pair in digest.as_bytes().chunks(2).take(3) {
                let at = (usize::from(pair[0]) * 256 + usize::from(pair[1])) % self.dimensions;
                vector[at] += 1.0;
            }
        }
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter().map(|x| x / length).collect()
    }
}

#[async_trait]
impl Embedder for HashEmbedder {
    fn name(&self) -> &str {
        &self.name
    }
    fn identity(&self) -> String {
        self.identity.clone()
    }
    fn dimensions(&self) -> usize {
        self.dimensions
    }
    fn max_tokens(&self) -> usize {
        256
    }
    async fn prepare(&self, _: Budget) -> Result<(), ModelFault> {
        if self.missing.load(Ordering::SeqCst) {
            return Err(ModelFault::NotInstalled { model: self.name.clone() });
        }
        let left = self.on_its_way.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok() { Err(ModelFault::Fetching { model: self.name.clone() }) } else { Ok(()) }
    }
    async fn embed(&self, texts: Vec<String>, purpose: EmbedAs, _: Budget) -> Result<Embedded, ModelFault> {
        tokio::task::yield_now().await;
        if purpose == EmbedAs::Passage {
            self.texts.fetch_add(texts.len() as u64, Ordering::SeqCst);
        }
        let tokens = texts.iter().map(|text| text.split_whitespace().count() as u64).sum();
        Ok(Embedded { vectors: texts.iter().map(|text| self.vector(text)).collect(), tokens })
    }
    async fn embed_tokens(&self, _: Vec<String>, _: Budget) -> Result<Vec<Vec<Vec<f32>>>, ModelFault> {
        Err(ModelFault::Unsupported { model: self.name.clone(), what: "token vectors".into() })
    }
    fn tokenizer(&self) -> Arc<dyn TextTokenizer> {
        Arc::new(WordTokens)
    }
}

#[derive(Debug)]
pub(crate) struct WordTokens;

impl TextTokenizer for WordTokens {
    fn tokenize(&self, text: &str) -> Tokens {
        let ranges = text.split_whitespace().map(|word| {
            let start = word.as_ptr() as usize - text.as_ptr() as usize;
            start..start + word.len()
        });
        Tokens { ranges: ranges.collect() }
    }
}

/// Paragraphs and `#` headings, where links lead is not spoken. A text with `UNPARSEABLE` in it is refused, one with
/// `BLURRED` warned of once, with `CRUMBLING` often; one with `SCANNED` has no text, and one with `SLOW` waits to be let go on.
#[derive(Debug, Default)]
pub(crate) struct SmallParser {
    pub parsed: AtomicU64,
    pub reached: Notify,
    pub go_on: Notify,
    /// It is a parser of before.
    pub older: AtomicBool,
    /// It dies of what has `FRAGILE` in it.
    pub dies: AtomicBool,
    /// Bytes it has in hand, and the most it ever had.
    pub in_hand: AtomicU64,
    pub most_in_hand: AtomicU64,
}

#[derive(Debug, thiserror::Error)]
#[error("the document cannot be read")]
struct Unparseable;

impl Fault for Unparseable {
    fn kind(&self) -> FaultKind {
        FaultKind::Invalid
    }
    fn code(&self) -> &'static str {
        "parse-broken"
    }
}

#[async_trait]
impl Parse for SmallParser {
    async fn parse(&self, bytes: Bytes, _: Option<String>, _: String) -> Result<ParsedDocument, Box<dyn Fault>> {
        let size = bytes.len() as u64;
        self.most_in_hand.fetch_max(self.in_hand.fetch_add(size, Ordering::SeqCst) + size, Ordering::SeqCst);
        // Long enough for others to come, where they may.
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        self.in_hand.fetch_sub(size, Ordering::SeqCst);
        self.parsed.fetch_add(1, Ordering::SeqCst);
        let text = String::from_utf8(bytes.to_vec()).map_err(|_| Box::new(Unparseable) as Box<dyn Fault>)?;
        if text.contains("UNPARSEABLE") {
            return Err(Box::new(Unparseable));
        }
        if text.contains("FRAGILE") && self.dies.load(Ordering::SeqCst) {
            return Err(Box::new(ParseFault::Crashed { reason: "signal 9".into() }));
        }
        if text.contains("SLOW") {
            self.reached.notify_one();
            self.go_on.notified().await;
        }
        let mut document = parsed(if text.contains("SCANNED") { "" } else { &text });
        if text.contains("SCANNED") {
            document.pages = Some(2);
            let bare = "no text layer on 2 of 2 pages: 1, 2";
            document.warnings = vec![ParseWarning::new(WarningKind::PageWithoutText, bare)];
        } else if text.contains("BLURRED") {
            document.warnings = vec![ParseWarning::new(WarningKind::PageUnread, "it is blurred")];
        } else if text.contains("CRUMBLING") {
            let of = |kind, count| (1..=count).map(move |page| ParseWarning::new(kind, format!("page {page}")));
            document.warnings = of(WarningKind::PageUnread, 23).chain(of(WarningKind::PageWithoutText, 2)).collect();
        }
        if self.older.load(Ordering::SeqCst) {
            document.made_by = serde_json::from_value(json!(1)).unwrap();
        }
        Ok(document)
    }
}

fn parsed(text: &str) -> ParsedDocument {
    let mut document = ParsedDocument { text: text.to_owned(), media_type: "text/markdown".into(), ..ParsedDocument::default() };
    let mut headings: Vec<String> = Vec::new();
    let targets = text.match_indices("](").filter_map(|(at, _)| Some((at, at + text[at..].find(')')? + 1)));
    document.unspoken = targets.collect();
    let mut at = 0;
    for paragraph in text.split("\n\n") {
        let (start, end) = (at, at + paragraph.len());
        at = end + 2;
        if paragraph.trim().is_empty() {
            continue;
        }
        let heading = paragraph.strip_prefix("# ").map(|heading| heading.trim().to_owned());
        let kind = match paragraph.strip_prefix("# ") {
            Some(heading) => {
                headings = vec![heading.trim().to_owned()];
                if document.title.is_empty() {
                    document.title = heading.trim().to_owned();
                }
                BlockKind::Heading { level: 1 }
            }
            None => BlockKind::Paragraph,
        };
        // A heading stands below those above it, not below itself.
        let heading_path = if matches!(kind, BlockKind::Heading { .. }) { Vec::new() } else { headings.clone() };
        document.blocks.push(Block { kind, start, end, heading_path, page: None, heading });
    }
    document
}

pub(crate) struct Room {
    pub knowledges: Knowledges,
    pub catalog: Catalog,
    pub registry: Registry,
    pub lake: Arc<dyn Lake>,
    /// Of the store under the lake.
    pub outage: Arc<Outage>,
    pub clock: FrozenClock,
    pub embedder: Arc<HashEmbedder>,
    pub parser: Arc<SmallParser>,
    pub tasks: Tasks,
    pub project: ProjectId,
    pub home: tempfile::TempDir,
}

impl Room {
    pub(crate) async fn open() -> Self {
        let catalog = Catalog::open("sqlite::memory:").await.unwrap();
        Self::on(catalog).await
    }

    pub(crate) async fn on(catalog: Catalog) -> Self {
        Self::over(catalog, tempfile::tempdir().unwrap()).await
    }

    pub(crate) async fn over(catalog: Catalog, home: tempfile::TempDir) -> Self {
        // An hour ahead, so that files written just now are old enough for their times to be believed.
        let clock = FrozenClock::at(SystemClock.now().plus(Duration::from_secs(3600)));
        let embedder = HashEmbedder::named("words", 64);
        std::fs::create_dir_all(home.path().join("docs")).unwrap();
        let project = ProjectId::new(clock.now());
        let mut tx = catalog.begin().await.unwrap();
        tx.execute("INSERT INTO project (id, name, description, created) VALUES ($1, $2, '', 0)", params![project, "tests"])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        Self::build((catalog, home), (clock, project), embedder, Arc::default(), |_| {}).await
    }

    /// A room whose runs wait no longer for a store than this.
    pub(crate) async fn patient_for(patience: Duration) -> Self {
        Self::set_up(|config| config.patience = patience).await
    }

    /// A room with other settings.
    pub(crate) async fn set_up(change: impl FnOnce(&mut KnowledgeConfig)) -> Self {
        let Self { catalog, clock, embedder, parser, project, home, .. } = Self::open().await;
        Self::build((catalog, home), (clock, project), embedder, parser, change).await
    }

    async fn build(
        (catalog, home): (Catalog, tempfile::TempDir),
        (clock, project): (FrozenClock, ProjectId),
        embedder: Arc<HashEmbedder>,
        parser: Arc<SmallParser>,
        change: impl FnOnce(&mut KnowledgeConfig),
    ) -> Self {
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let registry = Registry::open(catalog.clone(), shared.clone(), vec![kind()]);
        let location = LakeLocation::parse(home.path().join("lake").to_str().unwrap()).unwrap();
        let config = LanceConfig { durability: Durability::Process, clock: shared.clone(), ..LanceConfig::new(location) };
        let outage = Outage::none();
        let lake: Arc<dyn Lake> = Arc::new(AwayLake::over(LanceLake::open(config).await.unwrap(), outage.clone()));
        let tasks = Tasks::default();
        let parts = Parts {
            catalog: catalog.clone(),
            registry: registry.clone(),
            lake: lake.clone(),
            blobs: Blobs::local(&home.path().join("blobs")).unwrap(),
            parsers: parser.clone(),
            models: Models::default().with_embedder(embedder.clone()).with_embedder(HashEmbedder::named("other", 32)),
            tasks: tasks.clone(),
            clock: shared,
            audit: None,
        };
        let mut config = KnowledgeConfig { patience: PATIENCE, ..KnowledgeConfig::new(policy(home.path())) };
        change(&mut config);
        let knowledges = Knowledges::open(parts, config).unwrap();
        Self { knowledges, catalog, registry, lake, outage, clock, embedder, parser, tasks, project, home }
    }

    /// The same files and tables, opened by another process.
    pub(crate) async fn restarted(self) -> Self {
        let Self { catalog, clock, embedder, parser, tasks, project, home, knowledges, lake, registry, .. } = self;
        tasks.shut_down(Duration::from_secs(10)).await.unwrap();
        drop((knowledges, lake, registry));
        let room = Self::build((catalog, home), (clock, project), embedder, parser, |_| {}).await;
        room.knowledges.recover(true).await.unwrap();
        room
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join("docs").join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    /// A spec over the room's folder; `extra` is merged over it.
    pub(crate) fn spec(&self, extra: Value) -> Value {
        let mut spec = json!({
            "sources": [{ "type": "folder", "name": "docs", "path": self.home.path().join("docs") }],
            "embedding": "words",
            "retrieval": { "relevance": 0.0, "parents": "off" },
        });
        for (key, value) in extra.as_object().unwrap() {
            spec[key] = value.clone();
        }
        spec
    }

    pub(crate) async fn apply(&self, extra: Value) {
        self.apply_named(NAME, extra).await;
    }

    pub(crate) async fn apply_named(&self, name: &str, extra: Value) {
        let manifest = json!({"apiVersion": "mainspring/v1", "kind": "knowledge", "name": name, "spec": self.spec(extra)});
        let drafts = [Draft { origin: "test".into(), value: manifest }];
        self.registry.apply(&self.admin(), &drafts, "test").await.unwrap();
    }

    pub(crate) fn admin(&self) -> Actor {
        self.actor(Role::Admin, Labels::All)
    }

    pub(crate) fn reader(&self, labels: &[&str]) -> Actor {
        self.actor(Role::Reader, Labels::Some(labels.iter().map(|label| (*label).to_owned()).collect()))
    }

    fn actor(&self, role: Role, labels: Labels) -> Actor {
        Actor { principal: PrincipalId::from_raw(7), project: self.project, role, labels, key: None, models: ModelScope::All }
    }

    pub(crate) fn trace(&self) -> SpanContext {
        SpanContext::root(self.project, Arc::new(NoSink), Arc::new(self.clock.clone()))
    }

    pub(crate) async fn try_ingest(&self) -> Result<Report, KnowledgeFault> {
        let target = target(NAME);
        Box::pin(self.knowledges.ingest(&self.admin(), &target, IngestOptions::default(), &self.trace())).await
    }

    pub(crate) async fn ingest(&self) -> Report {
        self.try_ingest().await.unwrap()
    }

    pub(crate) async fn answer(&self, actor: &Actor, request: RetrieveRequest) -> Result<Answer, KnowledgeFault> {
        let budget = Budget::of(Duration::from_secs(30));
        self.knowledges.search(actor, &target(NAME), request, &self.trace(), budget).await
    }

    pub(crate) async fn search(&self, query: &str) -> Vec<Passage> {
        self.search_as(&self.admin(), query).await
    }

    pub(crate) async fn search_as(&self, actor: &Actor, query: &str) -> Vec<Passage> {
        self.answer(actor, asking(query)).await.unwrap().retrieved.passages
    }
}

pub(crate) fn policy(home: &Path) -> SourcePolicy {
    SourcePolicy { local_git: true, ..SourcePolicy::in_dir(home.join("work")) }
}

pub(crate) fn target(name: &str) -> AssetRef {
    name.parse().unwrap()
}

pub(crate) fn asking(query: &str) -> RetrieveRequest {
    RetrieveRequest { query: query.to_owned(), ..RetrieveRequest::default() }
}

/// A text of its own for each number, with words no other has.
pub(crate) fn page(number: usize) -> String {
    format!(
        "# Page {number}\n\nThe topic number{number} is about subject{number} and nothing else.\n\n\
         A second paragraph speaks of matter{number} in other words."
    )
}
