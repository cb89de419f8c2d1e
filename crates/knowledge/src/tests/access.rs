//! Access labels. A leak is the worst defect there can be.

use std::collections::{BTreeMap, BTreeSet};

use mainspring_catalog::Catalog;
use mainspring_kernel::{Actor, Labels, PageRequest};
use mainspring_llm::{DocumentAccess as _, RetrieveRequest, SearchMode};
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use serde_json::json;

use crate::{
    DocumentFilter,
    testing::{NAME, Room, asking, page},
};

mainspring_testservers::on_every_engine!(Catalog: [
    a_labelled_document_is_there_only_for_those_who_hold_a_label,
    a_tightened_rule_takes_effect_without_embedding_again,
    looking_at_the_past_does_not_bring_back_lost_access,
    how_similar_a_hidden_document_is_stays_hidden,
]);

async fn a_labelled_document_is_there_only_for_those_who_hold_a_label(catalog: Catalog) {
    let room = Room::on(catalog).await;
    room.write("open.md", &page(1));
    room.write("hr/pay.md", &page(2));
    let source = json!({ "type": "folder", "path": room.home.path().join("docs"),
        "rules": [{ "match": "hr/", "labels": ["hr", "board"] }] });
    room.apply(json!({ "sources": [source] })).await;
    room.ingest().await;
    let sees = async |actor: &Actor| {
        let hits = room.search_as(actor, "number2 subject2 matter2").await;
        hits.iter().any(|hit| hit.title == "Page 2")
    };
    assert!(sees(&room.admin()).await);
    assert!(sees(&room.reader(&["hr"])).await);
    assert!(sees(&room.reader(&["board", "x"])).await);
    assert!(!sees(&room.reader(&["x"])).await);
    assert!(!sees(&room.reader(&[])).await);
    assert!(!sees(&room.reader(&["*"])).await, "the mark of everyone's documents is no label");
}

async fn a_tightened_rule_takes_effect_without_embedding_again(catalog: Catalog) {
    let room = Room::on(catalog).await;
    room.write("pay.md", &page(2));
    room.apply(json!({})).await;
    room.ingest().await;
    room.embedder.taken();
    assert!(!room.search_as(&room.reader(&[]), "number2").await.is_empty());
    let source = json!({ "type": "folder", "name": "docs", "path": room.home.path().join("docs"), "labels": ["hr"] });
    room.apply(json!({ "sources": [source] })).await;
    let report = room.ingest().await;
    assert_eq!((report.changed, room.embedder.taken()), (1, 0));
    assert!(room.search_as(&room.reader(&[]), "number2").await.is_empty());
    assert!(!room.search_as(&room.reader(&["hr"]), "number2").await.is_empty());
}

async fn looking_at_the_past_does_not_bring_back_lost_access(catalog: Catalog) {
    let room = Room::on(catalog).await;
    room.write("pay.md", &page(2));
    room.apply(json!({})).await;
    room.ingest().await;
    let before = room.answer(&room.reader(&[]), asking("number2")).await.unwrap().retrieved;
    assert!(!before.passages.is_empty());
    let source = json!({ "type": "folder", "name": "docs", "path": room.home.path().join("docs"), "labels": ["hr"] });
    room.apply(json!({ "sources": [source] })).await;
    room.ingest().await;
    let request = RetrieveRequest { at: Some(before.pin), ..asking("number2") };
    assert!(room.answer(&room.reader(&[]), request.clone()).await.unwrap().retrieved.passages.is_empty());
    // In the past it carried no label, so the row lets the holder of one through as well.
    assert!(!room.answer(&room.reader(&["hr"]), request.clone()).await.unwrap().retrieved.passages.is_empty());
    let document = before.passages[0].document.clone();
    let unreadable = async |actor: &Actor| {
        let asked = vec![document.clone(), "doc_of_nowhere".to_owned()];
        room.knowledges.unreadable(actor, asked).await.unwrap()
    };
    let nowhere: BTreeSet<String> = ["doc_of_nowhere".to_owned()].into();
    assert_eq!(unreadable(&room.reader(&[])).await.len(), 2);
    assert_eq!(unreadable(&room.reader(&["hr"])).await, nowhere);
    assert_eq!(unreadable(&room.admin()).await, BTreeSet::new());

    // When it is gone nobody knows what labels it had last.
    room.remove("pay.md");
    room.ingest().await;
    assert_eq!(unreadable(&room.reader(&["hr"])).await.len(), 2);
    for reader in [room.reader(&[]), room.reader(&["hr"])] {
        assert!(room.answer(&reader, request.clone()).await.unwrap().retrieved.passages.is_empty());
    }
    assert!(!room.answer(&room.admin(), request).await.unwrap().retrieved.passages.is_empty());
}

async fn how_similar_a_hidden_document_is_stays_hidden(catalog: Catalog) {
    let room = Room::on(catalog).await;
    room.write("secret.md", "# Zebra\n\nzebra quagga okapi");
    room.write("open.md", "# Plain\n\nbread butter jam");
    let source = json!({ "type": "folder", "path": room.home.path().join("docs"),
        "rules": [{ "match": "secret.md", "labels": ["zoo"] }] });
    room.apply(json!({ "sources": [source] })).await;
    room.ingest().await;
    let keeper = room.answer(&room.reader(&["zoo"]), asking("zebra quagga okapi")).await.unwrap();
    let other = room.answer(&room.reader(&[]), asking("zebra quagga okapi")).await.unwrap();
    assert!(keeper.retrieved.best_similarity.unwrap() > 0.8);
    assert!(other.retrieved.best_similarity.unwrap() < 0.5, "{:?}", other.evidence);
    assert!(other.evidence.coverage < 0.1 && other.left_out.iter().all(|(hit, _)| hit.title == "Plain"));
}

const LABELS: [&str; 5] = ["a", "b", "c", "d", "e"];
const DOCUMENTS: usize = 40;

/// Each document's labels, fixed by its number, so that a failing case can be read.
fn labels_of(number: usize) -> Vec<&'static str> {
    LABELS.iter().enumerate().filter(|(at, _)| (number * 7 + number / 5) >> at & 1 == 1).map(|(_, label)| *label).collect()
}

async fn labelled_room() -> Room {
    let room = Room::open().await;
    let mut rules = Vec::new();
    for number in 0..DOCUMENTS {
        let text = format!("{}\n\nshared words stand in every one of them", page(number));
        room.write(&format!("group{}/{number}.md", number % 3), &text);
        rules.push(json!({ "match": format!("{number}.md"), "labels": labels_of(number), "metadata": { "group": (number % 3).to_string() } }));
    }
    room.write("broken.md", "UNPARSEABLE");
    rules.push(json!({ "match": "broken.md", "labels": ["a"] }));
    let source = json!({ "type": "folder", "name": "docs", "path": room.home.path().join("docs"), "rules": rules });
    room.apply(json!({ "sources": [source], "retrieval": { "relevance": 0.0, "candidates": 100, "dedupe": 1.0 } })).await;
    room.ingest().await;
    room
}

#[derive(Debug, Clone)]
struct Attempt {
    held: BTreeSet<&'static str>,
    query: String,
    mode: Option<SearchMode>,
    limit: usize,
    group: Option<usize>,
    documents: Vec<usize>,
    text: Option<String>,
}

fn attempts() -> impl Strategy<Value = Attempt> {
    let words = prop_oneof![
        (0..DOCUMENTS).prop_map(|number| format!("number{number} subject{number}")),
        Just("shared words stand in every one".to_owned()),
        "[a-z*' \"=\\[\\]()]{1,30}",
    ];
    let mode =
        prop_oneof![Just(None), Just(Some(SearchMode::Vector)), Just(Some(SearchMode::Text)), Just(Some(SearchMode::Hybrid))];
    let documents = prop::collection::vec(0..DOCUMENTS, 0..4);
    let held = prop::collection::btree_set(prop::sample::select(LABELS.to_vec()), 0..4);
    (held, words, mode, 1..60_usize, prop::option::of(0..4_usize), documents, prop::option::of("[a-z0-9 ]{0,6}")).prop_map(
        |(held, query, mode, limit, group, documents, text)| Attempt { held, query, mode, limit, group, documents, text },
    )
}

#[test]
fn no_hit_count_list_or_text_shows_a_document_its_asker_may_not_see() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let room = runtime.block_on(labelled_room());
    let ids = runtime.block_on(all_ids(&room));
    let mut runner = TestRunner::new(Config { cases: 96, failure_persistence: None, ..Config::default() });
    runner.run(&attempts(), |attempt| runtime.block_on(shows_nothing_hidden(&room, &ids, attempt))).unwrap();
}

async fn all_ids(room: &Room) -> BTreeMap<String, String> {
    let name = NAME.parse().unwrap();
    let all = room.knowledges.documents(&room.admin(), &name, &DocumentFilter::default(), &PageRequest::first(500)).await;
    all.unwrap().items.into_iter().map(|document| (document.path, document.id.to_string())).collect()
}

async fn shows_nothing_hidden(room: &Room, ids: &BTreeMap<String, String>, attempt: Attempt) -> Result<(), TestCaseError> {
    let held: Vec<&str> = attempt.held.iter().copied().collect();
    let actor = room.reader(&held);
    let may_see = |number: usize| actor.labels.may_see(&labels_of(number));
    let number_of = |title: &str| title.strip_prefix("Page ").and_then(|number| number.parse::<usize>().ok());
    let id_of = |number: usize| ids[&format!("group{}/{number}.md", number % 3)].clone();
    let mut request = asking(if attempt.query.trim().is_empty() { "shared" } else { &attempt.query });
    request.mode = attempt.mode;
    request.limit = Some(attempt.limit);
    request.documents = attempt.documents.iter().map(|number| id_of(*number)).collect();
    if let Some(group) = attempt.group {
        request.metadata.insert("group".into(), vec![group.to_string()]);
    }
    let answer = room.answer(&actor, request).await.unwrap();
    let given = answer.retrieved.passages.iter().chain(answer.left_out.iter().map(|(hit, _)| hit));
    for hit in given {
        let number = number_of(&hit.title).unwrap();
        prop_assert!(may_see(number), "{attempt:?} was shown {}", hit.title);
        prop_assert!(attempt.documents.is_empty() || attempt.documents.contains(&number));
        prop_assert!(attempt.group.is_none_or(|group| number % 3 == group));
    }
    lists_nothing_hidden(room, &actor, &attempt).await?;
    for number in &attempt.documents {
        let (name, id) = (NAME.parse().unwrap(), id_of(*number).parse().unwrap());
        let seen = may_see(*number);
        prop_assert_eq!(room.knowledges.document(&actor, &name, &id).await.is_ok(), seen);
        prop_assert_eq!(room.knowledges.document_text(&actor, &name, &id).await.is_ok(), seen);
        prop_assert_eq!(room.knowledges.chunks(&actor, &name, &id, &PageRequest::first(10)).await.is_ok(), seen);
    }
    Ok(())
}

async fn lists_nothing_hidden(room: &Room, actor: &Actor, attempt: &Attempt) -> Result<(), TestCaseError> {
    let name = NAME.parse().unwrap();
    let visible = (0..DOCUMENTS).filter(|number| actor.labels.may_see(&labels_of(*number))).count() as u64;
    let broken = u64::from(attempt.held.contains("a"));
    let stats = room.knowledges.stats(actor, &name).await.unwrap();
    prop_assert_eq!((stats.documents, stats.failed), (visible + broken, broken));
    prop_assert_eq!(stats.sources.iter().map(|source| source.documents).sum::<u64>(), visible + broken);
    prop_assert!(stats.unindexed_rows.is_none() && stats.table_bytes.is_none());
    let filter = DocumentFilter { text: attempt.text.clone(), ..DocumentFilter::default() };
    let (mut cursor, mut listed) = (None, 0);
    loop {
        let page = PageRequest::new(Some(1 + attempt.limit % 9), cursor).unwrap();
        let some = room.knowledges.documents(actor, &name, &filter, &page).await.unwrap();
        for document in &some.items {
            prop_assert!(actor.labels.may_see(&document.labels), "{attempt:?} lists {}", document.path);
        }
        listed += some.items.len() as u64;
        prop_assert!(some.next.is_none() || !some.items.is_empty(), "an empty page tells that something was left out");
        cursor = some.next;
        if cursor.is_none() {
            break;
        }
    }
    prop_assert!(listed <= visible + broken);
    prop_assert!(attempt.text.as_deref().is_some_and(|text| !text.is_empty()) || listed == visible + broken);
    let runs = room.knowledges.runs(actor, &name, &PageRequest::first(10)).await.unwrap();
    for run in runs.items {
        prop_assert!(run.progress.is_none());
        let report = run.report.unwrap();
        prop_assert_eq!((report.failures.len() as u64, report.failed, report.added), (broken, broken, 0));
        prop_assert!(report.partial, "nought is not what was counted");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_do_not_see_each_other() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.apply(json!({})).await;
    room.ingest().await;
    let pin = room.answer(&room.admin(), asking("number1")).await.unwrap().retrieved.pin;
    let stranger = Actor { project: mainspring_kernel::Id::from_raw(99), labels: Labels::All, ..room.admin() };
    let request = RetrieveRequest { at: Some(pin), ..asking("number1") };
    assert!(room.answer(&stranger, request).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_of_words_are_not_told_to_those_who_do_not_see_everything() {
    let room = Room::open().await;
    room.write("open.md", "# Open\n\nThe marmalade stands on the shelf.");
    let rules = json!({ "type": "folder", "name": "docs", "path": room.home.path().join("docs"),
        "rules": [{ "match": "hidden*", "labels": ["board"] }] });
    room.apply(json!({ "sources": [rules] })).await;
    room.ingest().await;
    let asked = RetrieveRequest { mode: Some(SearchMode::Text), ..asking("marmalade") };
    let scores = async |actor: &Actor| room.answer(actor, asked.clone()).await.unwrap().retrieved.passages[0].scores.clone();
    let (before, admins) = (scores(&room.reader(&[])).await, scores(&room.admin()).await);
    // The word is not rare any more, and only those who see why may know.
    for number in 0..8 {
        room.write(&format!("hidden{number}.md"), &format!("# Hidden {number}\n\nThe marmalade of {number} was eaten."));
    }
    room.ingest().await;
    let after = scores(&room.reader(&[])).await;
    assert_eq!((after.text_rank, after.text_score, after.score), (Some(1), None, 1.0));
    assert_eq!(after, before);
    assert_eq!(Some(admins.score), admins.text_score);
}
