//! Apps whose documents were not all read yet.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::StreamExt;
use mainspring_kernel::{Actor, AssetKind, AssetRef, Fault};
use mainspring_llm::{
    Budget, Message, Models, ReadSoFar, RetrieveRequest, Retrieved, Retriever, SearchMode, Searched, SpanContext, TablePin,
    Unread, UnreadState, chat::Speaker,
};
use mainspring_registry::{KindDescriptor, ParsedSpec};
use serde_json::{Value, json};

use super::{
    following::{Echo, MODEL, plain},
    passage,
    project::{Project, draft},
};
use crate::{Alternative, AnswerEvent, Chains, Question};

/// Knowledges by their names. What is read of them speaks of gates.
#[derive(Debug)]
struct Shelves(Vec<(&'static str, Searched)>);

#[async_trait]
impl Retriever for Shelves {
    async fn retrieve(
        &self,
        _: &Actor,
        knowledge: &AssetRef,
        request: RetrieveRequest,
        _: &SpanContext,
        _: Budget,
    ) -> Result<Searched, Box<dyn Fault>> {
        let (_, searched) = self.0.iter().find(|(name, _)| *name == knowledge.name.as_str()).unwrap();
        let mut searched = searched.clone();
        if let Searched::Read(retrieved) = &mut searched
            && !request.query.contains("gate")
        {
            retrieved.passages.clear();
        }
        Ok(searched)
    }
}

fn read(knowledge: &str, unread: Option<Unread>) -> Searched {
    Searched::Read(Box::new(Retrieved {
        passages: vec![passage("The gate is red.")],
        mode: SearchMode::Hybrid,
        reranked: false,
        pin: TablePin { table: "t".parse().unwrap(), version: 1, transaction: "x".into() },
        knowledge: format!("{knowledge}@v1"),
        knowledge_digest: "sha256:0".into(),
        embedder: None,
        models: Vec::new(),
        timings: Vec::new(),
        best_similarity: None,
        unread,
    }))
}

fn unread(knowledge: &str, state: UnreadState, documents: Option<[u64; 2]>, code: Option<&str>) -> Unread {
    let documents = documents.map(|[read, found]| ReadSoFar { read, found });
    Unread { knowledge: knowledge.to_owned(), state, sources: Vec::new(), documents, code: code.map(str::to_owned) }
}

fn sources(named: &[&str], code: Option<&str>) -> Unread {
    let sources = named.iter().map(|name| (*name).to_owned()).collect();
    Unread { sources, ..unread("garden", UnreadState::SourceUnread, None, code) }
}

fn under_way() -> Unread {
    unread("garden", UnreadState::UnderWay, Some([3, 40]), None)
}

struct Room {
    chains: Chains,
    project: Project,
}

impl Room {
    async fn open(shelves: Vec<(&'static str, Searched)>) -> Self {
        let knowledge =
            KindDescriptor { kind: AssetKind::Knowledge, schema: || json!({}), parse: |value| ParsedSpec::of(value, Vec::new()) };
        let retrieves = shelves.iter().map(|(name, _)| json!({"retrieve": {"knowledge": name}}));
        let steps: Vec<Value> =
            retrieves.chain([json!({"prompt": {"use": "answer"}}), json!({"model": {"name": MODEL}})]).collect();
        let mut drafts: Vec<_> = shelves.iter().map(|(name, _)| draft("knowledge", name, &json!({}))).collect();
        drafts.extend([
            draft("prompt", "answer", &plain()),
            draft("chain", "manual", &json!({"steps": steps})),
            draft("app", "manual", &json!({"chain": "manual", "abstain": "It is not in there."})),
        ]);
        let project = Project::with([knowledge, mainspring_prompts::descriptor()], &drafts).await;
        let models = Models::default().with_chat(Arc::new(Echo { window: None }));
        let chains = Chains::new(Arc::clone(&project.registry), Arc::new(Shelves(shelves)), models, MODEL.to_owned());
        Self { chains, project }
    }

    async fn ask(&self, asked: &str) -> Alternative {
        let question = Question::of("manual".parse().unwrap(), vec![Message::new(Speaker::User, asked)]);
        let budget = Budget::of(Duration::from_secs(60));
        let answer = self.chains.answer(&self.project.actor, question, &self.project.trace(), budget).await.unwrap();
        answer.alternatives.into_iter().next().unwrap()
    }
}

const GATE: &str = "Which gate is red?";
const WEATHER: &str = "What will the weather be?";

#[tokio::test]
async fn an_app_that_finds_nothing_says_that_its_documents_are_not_read_instead() {
    let check = async |searched: Searched, known: Unread, text: &str| {
        let room = Room::open(vec![("garden", searched)]).await;
        let answer = room.ask(WEATHER).await;
        assert_eq!((answer.text.as_str(), answer.outcome.abstained), (text, true));
        assert_eq!(answer.outcome.unread, [known]);
    };
    let never = unread("garden", UnreadState::NotBegun, None, None);
    let text = "The documents of `garden` have not been read yet, so there is nothing to answer from. \
                `mainspring ingest garden` reads them.";
    check(Searched::Unread(never.clone()), never, text).await;
    let text = "The documents of `garden` are still being read (3 of 40 so far), and nothing that was read yet answers this. \
                Ask again later; `mainspring ingest garden` and the page of the knowledge show how far it is.";
    check(read("garden", Some(under_way())), under_way(), text).await;
    let listing = unread("garden", UnreadState::UnderWay, None, None);
    check(Searched::Unread(listing.clone()), listing, &text.replace(" (3 of 40 so far)", "")).await;
    let broken_off = unread("garden", UnreadState::BrokenOff, Some([3, 40]), Some("model-not-installed"));
    let text = "The documents of `garden` have not all been read: their first ingestion broke off (3 of 40 so far, \
                `model-not-installed`), and nothing that was read before answers this. `mainspring ingest garden` goes on with \
                the rest.";
    check(read("garden", Some(broken_off.clone())), broken_off, text).await;
    let one = sources(&["wiki"], Some("source-unreachable"));
    let text = "The source `wiki` of `garden` has not been read since it was added or changed (`source-unreachable`), and \
                nothing that was read answers this. `mainspring ingest garden` reads what is missing.";
    check(read("garden", Some(one.clone())), one, text).await;
    for (named, which) in [(vec!["wiki", "mail"], "The sources `wiki`, `mail`"), (vec![], "Sources")] {
        let several = sources(&named, None);
        let text = format!(
            "{which} of `garden` have not been read since they were added or changed, and nothing that was read answers this. \
             `mainspring ingest garden` reads what is missing."
        );
        check(read("garden", Some(several.clone())), several, &text).await;
    }
}

#[tokio::test]
async fn what_is_read_already_is_answered_and_the_rest_is_told_beside_it() {
    let room = Room::open(vec![("garden", read("garden", Some(under_way())))]).await;
    let answer = room.ask(GATE).await;
    assert!(!answer.outcome.abstained && answer.text.contains("[1] The gate is red."), "{}", answer.text);
    let told = serde_json::to_value(&answer.outcome).unwrap();
    let garden = json!({"knowledge": "garden", "state": "under_way", "documents": {"read": 3, "found": 40}});
    assert_eq!(told["unread"], json!([garden]));
    assert_eq!(serde_json::from_value::<crate::Outcome>(told).unwrap(), answer.outcome);
    let spans = room.project.spans.0.lock().unwrap();
    let root = spans.iter().find(|span| span.name == "invoke_agent manual").unwrap();
    assert_eq!(root.attributes["mainspring.unread"], json!(["garden"]));
}

#[tokio::test]
async fn an_app_whose_documents_are_all_read_says_what_its_spec_says() {
    let room = Room::open(vec![("garden", read("garden", None))]).await;
    let answer = room.ask(WEATHER).await;
    assert_eq!((answer.text.as_str(), answer.outcome.abstained), ("It is not in there.", true));
    assert_eq!(serde_json::to_value(&answer.outcome).unwrap().get("unread"), None);
}

#[tokio::test]
async fn of_several_knowledges_those_that_are_not_read_are_named_and_the_others_searched() {
    let never = unread("barn", UnreadState::NotBegun, None, None);
    let shelves = vec![("garden", read("garden", None)), ("barn", Searched::Unread(never.clone()))];
    let room = Room::open(shelves).await;
    let answer = room.ask(GATE).await;
    assert!(!answer.outcome.abstained && answer.text.contains("The gate is red."), "{}", answer.text);
    assert_eq!(answer.outcome.unread, [never]);
    // A replay is given a version of a knowledge for every table, and a table for every version.
    let versions = answer.outcome.versions.iter().filter(|version| version.kind == AssetKind::Knowledge).count();
    assert_eq!((versions, answer.outcome.tables.len()), (1, 1));
    let answer = room.ask(WEATHER).await;
    assert!(answer.text.starts_with("The documents of `barn` have not been read yet"), "{}", answer.text);
    assert!(!answer.text.contains("garden"), "{}", answer.text);
}

#[tokio::test]
async fn a_stream_says_it_as_well() {
    let room = Room::open(vec![("garden", read("garden", Some(under_way())))]).await;
    let whole = room.ask(WEATHER).await;
    let question = Question::of("manual".parse().unwrap(), vec![Message::new(Speaker::User, WEATHER)]);
    let budget = Budget::of(Duration::from_secs(60));
    let mut stream = room.chains.stream(&room.project.actor, question, &room.project.trace(), budget).await.unwrap();
    let (mut text, mut told) = (String::new(), Vec::new());
    while let Some(event) = stream.next().await {
        match event.unwrap() {
            AnswerEvent::Sources { sources, abstains } => assert!(abstains && sources.is_empty()),
            AnswerEvent::Text { text: piece, .. } => text.push_str(&piece),
            AnswerEvent::Finished { .. } => {}
            AnswerEvent::Done { outcomes, .. } => told = outcomes,
        }
    }
    assert_eq!((text, &told[0].unread), (whole.text, &whole.outcome.unread));
}
