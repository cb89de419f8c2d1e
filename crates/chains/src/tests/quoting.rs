//! An app that quotes, from its specs to its answer.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use mainspring_kernel::{Actor, AssetKind, AssetRef, Fault, FaultKind};
use mainspring_llm::{
    Budget, Embedder, Embedding, FinishReason, Message, ModelFault, ModelUsed, Models, Reranker, RetrieveRequest, Retrieved,
    Retriever, Scored, SearchMode, Searched, SpanContext, TablePin, TextTokenizer, Tokens,
    embed::{EmbedAs, Embedded},
    trace::names,
};
use mainspring_registry::{KindDescriptor, ParsedSpec};
use serde_json::{Value, json};

use super::{
    passage,
    project::{Project, draft},
};
use crate::{Answer, ChainFault, Chains, Question};

const MODEL: &str = "words";

/// Texts are as near as the words they share with the question.
#[derive(Debug)]
struct Words;

fn words(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

#[async_trait]
impl Reranker for Words {
    fn name(&self) -> &str {
        MODEL
    }
    fn identity(&self) -> String {
        "sha256:ab".to_owned()
    }
    async fn rerank(&self, query: &str, passages: Vec<String>, _: Budget) -> Result<Vec<Scored>, ModelFault> {
        let asked = words(query);
        #[expect(clippy::cast_precision_loss, reason = "a handful of words")]
        let near = |text: &String| words(text).intersection(&asked).count() as f32 / asked.len() as f32;
        Ok(passages.iter().enumerate().map(|(index, text)| Scored { index, score: near(text) }).collect())
    }
}

#[async_trait]
impl Embedder for Words {
    fn name(&self) -> &str {
        MODEL
    }
    fn identity(&self) -> String {
        "sha256:ab".to_owned()
    }
    fn dimensions(&self) -> usize {
        1
    }
    fn max_tokens(&self) -> usize {
        256
    }
    async fn embed(&self, texts: Vec<String>, _: EmbedAs, _: Budget) -> Result<Embedded, ModelFault> {
        Ok(Embedded { vectors: vec![vec![1.0]; texts.len()], tokens: 0 })
    }
    async fn embed_tokens(&self, texts: Vec<String>, _: Budget) -> Result<Vec<Vec<Embedding>>, ModelFault> {
        Ok(vec![Vec::new(); texts.len()])
    }
    fn tokenizer(&self) -> Arc<dyn TextTokenizer> {
        Arc::new(Self)
    }
}

impl TextTokenizer for Words {
    fn tokenize(&self, text: &str) -> Tokens {
        let mut start = 0;
        let ranges = text.split_inclusive(' ').map(|word| {
            start += word.len();
            start - word.len()..start
        });
        Tokens { ranges: ranges.collect() }
    }
}

#[derive(Debug)]
struct Documents;

#[async_trait]
impl Retriever for Documents {
    async fn retrieve(
        &self,
        _: &Actor,
        _: &AssetRef,
        request: RetrieveRequest,
        _: &SpanContext,
        _: Budget,
    ) -> Result<Searched, Box<dyn Fault>> {
        let texts = ["The port is 7400. Nobody needs a key there.", "A key is made with keys create, and [9] says more."];
        let passages = if request.query.contains("football") { Vec::new() } else { texts.map(passage).to_vec() };
        Ok(Searched::Read(Box::new(Retrieved {
            passages,
            mode: SearchMode::Hybrid,
            reranked: false,
            pin: TablePin { table: "t".parse().unwrap(), version: 1, transaction: "x".into() },
            knowledge: "manual@v1".into(),
            knowledge_digest: "sha256:0".into(),
            embedder: Some(MODEL.into()),
            models: vec![ModelUsed { name: MODEL.into(), identity: "sha256:ab".into() }],
            timings: Vec::new(),
            best_similarity: None,
            unread: None,
        })))
    }
}

struct Room {
    chains: Chains,
    project: Project,
}

impl Room {
    async fn open(quote: Value) -> Self {
        let knowledge =
            KindDescriptor { kind: AssetKind::Knowledge, schema: || json!({}), parse: |value| ParsedSpec::of(value, Vec::new()) };
        let steps = json!({"steps": [{"retrieve": {"knowledge": "manual"}}, {"quote": quote}]});
        let app = json!({"chain": "manual", "abstain": "It is not in there."});
        let drafts = [draft("knowledge", "manual", &json!({})), draft("chain", "manual", &steps), draft("app", "manual", &app)];
        let project = Project::of(knowledge, &drafts).await;
        let models = Models::default()
            .with_embedder(Arc::new(Words))
            .with_reranker(MODEL, Arc::new(Words))
            .with_reranker("judge", Arc::new(Words));
        let chains = Chains::new(Arc::clone(&project.registry), Arc::new(Documents), models, "none".to_owned());
        Self { chains, project }
    }

    async fn ask(&self, text: &str, change: impl FnOnce(&mut Question)) -> Result<Answer, ChainFault> {
        let mut question = Question::of("manual".parse().unwrap(), vec![Message::user(text)]);
        change(&mut question);
        self.chains.answer(&self.project.actor, question, &self.project.trace(), Budget::of(Duration::from_secs(60))).await
    }
}

fn plain() -> Value {
    json!({"model": MODEL, "limit": 1})
}

#[tokio::test]
async fn an_app_answers_with_the_sentence_that_answers_and_cites_it() {
    let room = Room::open(plain()).await;
    let answer = room.ask("The port is which?", |question| question.n = 2).await.unwrap();
    assert_eq!(answer.alternatives.len(), 2);
    let first = &answer.alternatives[0];
    assert_eq!((first.text.as_str(), first.finish), ("The port is 7400. [1]", FinishReason::Stop));
    let outcome = &first.outcome;
    assert!(!outcome.abstained && outcome.unsupported.is_empty() && outcome.invented_citations.is_empty());
    let cited: Vec<(usize, usize, usize)> = outcome.citations.iter().map(|c| (c.source, c.start, c.end)).collect();
    assert_eq!(cited, [(1, 18, 21)]);
    assert_eq!(outcome.sources.iter().map(|source| source.cited).collect::<Vec<_>>(), [true, false]);
    let versions: Vec<String> = outcome.versions.iter().map(ToString::to_string).collect();
    assert!(versions.contains(&format!("model/{MODEL}#sha256:ab")), "{versions:?}");
    // Read once, given twice: 4 words asked and all words of all sentences; 5 words of each answer.
    assert_eq!((answer.usage.output_tokens, answer.usage.input_tokens > 4), (10, true));
    assert_eq!(answer.alternatives[1].text, first.text);

    let spans = room.project.spans.0.lock().unwrap();
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let (root, compared) = (named("invoke_agent manual"), named("rerank words"));
    assert_eq!(compared.parent, Some(root.span));
    assert_eq!(root.attributes[names::RESPONSE_MODEL], json!(MODEL));
    assert_eq!(compared.attributes[names::INPUT_TOKENS], root.attributes[names::INPUT_TOKENS]);
}

#[tokio::test]
async fn brackets_of_a_document_are_not_taken_for_citations() {
    let room = Room::open(plain()).await;
    let answer = room.ask("How is a key made?", |_| {}).await.unwrap();
    let (text, outcome) = (&answer.alternatives[0].text, &answer.alternatives[0].outcome);
    assert_eq!(text, "A key is made with keys create, and [9] says more. [2]");
    assert_eq!(outcome.citations.iter().map(|citation| citation.source).collect::<Vec<_>>(), [2]);
    assert!(outcome.invented_citations.is_empty());
}

#[tokio::test]
async fn nothing_found_or_nothing_near_is_said_so() {
    let room = Room::open(json!({"model": MODEL, "at_least": 0.5})).await;
    for asked in ["Who won the football?", "Will it rain tomorrow, in the mountains of the north?"] {
        let answer = room.ask(asked, |_| {}).await.unwrap();
        let first = &answer.alternatives[0];
        assert_eq!((first.text.as_str(), first.outcome.abstained), ("It is not in there.", true), "{asked}");
        assert!(first.outcome.sources.is_empty() && first.outcome.citations.is_empty(), "{asked}");
        assert_eq!(answer.usage.output_tokens, 0, "{asked}");
    }
}

#[tokio::test]
async fn the_client_says_where_an_answer_ends() {
    let room = Room::open(plain()).await;
    let answer = room.ask("The port is which?", |question| question.overrides.settings.max_tokens = Some(3)).await.unwrap();
    let first = &answer.alternatives[0];
    assert_eq!((first.text.as_str(), first.finish, answer.usage.output_tokens), ("The port is ", FinishReason::Length, 3));
    assert!(first.outcome.citations.is_empty(), "its mark was cut off");
    let answer = room.ask("The port is which?", |question| question.overrides.settings.stop = vec!["74".into()]).await.unwrap();
    assert_eq!((answer.alternatives[0].text.as_str(), answer.alternatives[0].finish), ("The port is ", FinishReason::Stop));
}

#[tokio::test]
async fn what_only_a_writer_can_do_is_refused_by_name() {
    let room = Room::open(plain()).await;
    let fault = room.ask("The port is which?", |question| question.overrides.json = Some(Value::Null)).await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Invalid, "chain-quotes-only"));
    assert!(fault.to_string().contains("`response_format`"), "{fault}");
    let fault = room.ask("The port is which?", |question| question.overrides.logprobs = Some(2)).await.unwrap_err();
    assert!(fault.to_string().contains("`logprobs`"), "{fault}");
}

#[tokio::test]
async fn another_model_may_compare_and_an_unknown_one_is_named() {
    let room = Room::open(plain()).await;
    let fault = room.ask("The port is which?", |question| question.pins.model = Some("wordz".into())).await.unwrap_err();
    assert_eq!(fault.code(), "model-not-found");
    assert!(fault.hint().unwrap_or_default().contains("words"), "{:?}", fault.hint());
    // One that is here and embeds nothing is not unknown: a replay may be given any name.
    let fault = room.ask("The port is which?", |question| question.pins.model = Some("judge".into())).await.unwrap_err();
    assert_eq!((fault.code(), fault.kind()), ("model-wrong-kind", FaultKind::Invalid));
    assert_eq!(fault.to_string(), "`judge` is a reranker and no embedding model");
    assert_eq!(fault.hint().as_deref(), Some("name one of words"));
}
