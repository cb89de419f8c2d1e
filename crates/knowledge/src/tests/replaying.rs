use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use mainspring_kernel::Fault as _;
use mainspring_llm::{Budget, EventSink, RetrieveRequest, Span, SpanContext, trace::names};
use serde_json::{Value, json};

use crate::{
    ForgetRequest, IngestOptions,
    testing::{NAME, Room, asking, page, target},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_search_reads_the_table_as_it_was() {
    let room = Room::open().await;
    room.write("a.md", "# A\n\nThe tower is thirty metres high.");
    room.apply(json!({})).await;
    room.ingest().await;
    let then = room.answer(&room.admin(), asking("how high is the tower")).await.unwrap().retrieved;
    room.write("a.md", "# A\n\nThe tower is forty metres high.");
    room.ingest().await;
    let now = room.search("how high is the tower").await;
    assert!(now[0].text.contains("forty"));
    let request = RetrieveRequest { at: Some(then.pin.clone()), ..asking("how high is the tower") };
    let again = room.answer(&room.admin(), request).await.unwrap().retrieved;
    assert_eq!(again.passages, then.passages);
    assert_eq!(again.pin, then.pin);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_of_another_knowledge_is_refused() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.apply(json!({})).await;
    room.ingest().await;
    room.apply_named("second", json!({})).await;
    let pin = room.answer(&room.admin(), asking("number1")).await.unwrap().retrieved.pin;
    let request = RetrieveRequest { at: Some(pin), ..asking("number1") };
    let budget = mainspring_llm::Budget::of(std::time::Duration::from_secs(10));
    let fault = room.knowledges.search(&room.admin(), &target("second"), request, &room.trace(), budget).await.unwrap_err();
    assert_eq!(fault.code(), "knowledge-pin-gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_knowledge_that_was_never_ingested_says_so() {
    let room = Room::open().await;
    room.apply(json!({})).await;
    let fault = room.answer(&room.admin(), asking("anything")).await.unwrap_err();
    assert_eq!(fault.code(), "knowledge-not-ingested");
    assert!(fault.hint().unwrap().contains(NAME));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_about_nothing_that_is_here_gets_nothing() {
    let room = Room::open().await;
    room.write("a.md", "# Bread\n\nFlour water salt yeast oven crust");
    room.apply(json!({ "retrieval": { "relevance": 0.5 } })).await;
    room.ingest().await;
    let answer = room.answer(&room.admin(), asking("quantum chromodynamics lattice")).await.unwrap();
    assert!(answer.retrieved.passages.is_empty() && !answer.left_out.is_empty());
    assert!(answer.retrieved.best_similarity.unwrap() < 0.5);
    let answer = room.answer(&room.admin(), asking("flour water salt")).await.unwrap();
    assert_eq!(answer.retrieved.passages.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sections_come_back_whole_and_count_once() {
    let room = Room::open().await;
    let long = (0..90).map(|at| format!("word{at}")).collect::<Vec<_>>().join(" ");
    room.write("a.md", &format!("# Long\n\n{long}"));
    room.write("b.md", &page(2));
    room.apply(json!({ "chunking": { "max_tokens": 32, "overlap_tokens": 4 }, "retrieval": { "relevance": 0.0, "parents": "merge", "limit": 3 } })).await;
    room.ingest().await;
    let found = room.search("word1 word5 word25 word45").await;
    let of_long: Vec<_> = found.iter().filter(|hit| hit.title == "Long" && hit.text.contains("word25")).collect();
    assert_eq!(of_long.len(), 1);
    assert!(of_long[0].text.contains("word1 ") && of_long[0].text.contains("word89"), "{found:#?}");
    let (room_for, tokens) = (30, of_long[0].tokens);
    let request = RetrieveRequest { token_budget: Some(room_for), ..asking("word1 word5 word25 word45") };
    let small = room.answer(&room.admin(), request).await.unwrap().retrieved.passages;
    assert!(tokens as usize > room_for);
    assert!(small.iter().map(|hit| hit.tokens as usize).sum::<usize>() <= room_for && !small.is_empty(), "{small:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_named() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.apply(json!({})).await;
    room.ingest().await;
    let check = async |request: RetrieveRequest| room.answer(&room.admin(), request).await.unwrap_err().code();
    assert_eq!(check(asking("  ")).await, "knowledge-bad-request");
    assert_eq!(check(asking(&"x".repeat(40_000))).await, "knowledge-bad-request");
    assert_eq!(check(RetrieveRequest { limit: Some(0), ..asking("x") }).await, "knowledge-bad-request");
    assert_eq!(check(RetrieveRequest { documents: vec!["' OR 1=1".into()], ..asking("x") }).await, "knowledge-bad-request");
    assert_eq!(
        check(RetrieveRequest { metadata: [("a=b".into(), vec!["c".into()])].into(), ..asking("x") }).await,
        "knowledge-bad-request"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passage_is_shown_in_the_text_it_was_cut_from_while_that_is_kept() {
    let room = Room::open().await;
    room.write("a.md", "# A\n\nThe tower is thirty metres high.");
    room.write("b.md", "# B\n\nThe bridge is ninety metres long.");
    room.apply(json!({})).await;
    room.ingest().await;
    let (name, everyone) = (NAME.parse().unwrap(), room.reader(&[]));
    let found = room.search("how high is the tower").await.into_iter().find(|hit| hit.title == "A").unwrap();
    let (id, then) = (found.document.parse().unwrap(), found.document_digest.parse().unwrap());
    let now = room.knowledges.document_text_of(&everyone, &name, &id, &then).await.unwrap();
    assert!(now.current);

    room.write("a.md", "# A\n\nLonger than it was before: the tower is forty metres high.");
    room.ingest().await;
    let old = room.knowledges.document_text_of(&everyone, &name, &id, &then).await.unwrap();
    assert!(!old.current);
    let (start, end) = (usize::try_from(found.start).unwrap(), usize::try_from(found.end).unwrap());
    assert_eq!(&old.parsed.text()[start..end], found.text);
    let current = room.knowledges.document_text(&everyone, &name, &id).await.unwrap();
    assert!(current.current && current.parsed.text().contains("forty"));

    // A digest is no key to the texts of others.
    let other = room.search("how long is the bridge").await.into_iter().find(|hit| hit.title == "B").unwrap();
    let foreign = other.document_digest.parse().unwrap();
    let fault = room.knowledges.document_text_of(&everyone, &name, &id, &foreign).await.unwrap_err();
    assert_eq!(fault.code(), "knowledge-text-gone");

    // Whoever may not read the document now may not read what it said.
    let source = json!({ "type": "folder", "name": "docs", "path": room.home.path().join("docs"), "labels": ["staff"] });
    room.apply(json!({ "sources": [source] })).await;
    room.ingest().await;
    let fault = room.knowledges.document_text_of(&everyone, &name, &id, &then).await.unwrap_err();
    assert_eq!(fault.code(), "knowledge-document-not-found");
    assert!(room.knowledges.document_text_of(&room.reader(&["staff"]), &name, &id, &then).await.is_ok());

    // What was forgotten is gone with all it ever said.
    let request = ForgetRequest { documents: vec![id.clone()], ..ForgetRequest::default() };
    room.knowledges.forget(&room.admin(), &name, &request).await.unwrap();
    assert!(room.knowledges.document_text_of(&room.admin(), &name, &id, &then).await.is_err());
}

#[derive(Debug, Default)]
struct Kept(Mutex<Vec<Span>>);

impl EventSink for Kept {
    fn record(&self, span: Span) {
        self.0.lock().unwrap().push(span);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_name_every_model_and_state_that_was_used() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.apply(json!({})).await;
    let (kept, admin) = (Arc::<Kept>::default(), room.admin());
    let trace = SpanContext::root(admin.project, Arc::<Kept>::clone(&kept), Arc::new(room.clock.clone()));
    Box::pin(room.knowledges.ingest(&admin, &target(NAME), IngestOptions::default(), &trace)).await.unwrap();
    let budget = Budget::of(Duration::from_secs(30));
    let found = room.knowledges.search(&admin, &target(NAME), asking("number1"), &trace, budget).await.unwrap().retrieved;
    let spans = kept.0.lock().unwrap();
    let attribute = |span: &str, name: &str| -> Value {
        let span = spans.iter().find(|kept| kept.name == span).unwrap_or_else(|| panic!("no span `{span}`: {spans:?}"));
        span.attributes[name].clone()
    };
    let knowledge = format!("knowledge/{}#{}", found.knowledge, found.knowledge_digest);
    let words = "model/words#words-64";
    assert_eq!(attribute("retrieve", names::VERSIONS), json!([knowledge, words]));
    assert_eq!(attribute("embeddings words", names::VERSIONS), json!([words]));
    let ingest = format!("ingest {NAME}");
    assert_eq!(attribute(&ingest, names::VERSIONS), json!([knowledge, words]));
    assert_eq!(attribute(&ingest, names::LAKE_TABLE), json!(found.pin.table));
    assert_eq!(attribute(&ingest, names::LAKE_VERSION), json!(found.pin.version));
}
