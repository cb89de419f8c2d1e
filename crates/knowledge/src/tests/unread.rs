//! What a search says of a knowledge whose documents were never all read.

use std::{sync::atomic::Ordering, time::Duration};

use mainspring_kernel::Actor;
use mainspring_llm::{Budget, ReadSoFar, Retriever as _, Searched, Unread, UnreadState};
use serde_json::{Value, json};

use crate::{
    IngestOptions,
    testing::{NAME, Room, asking, page, target},
};

const SOMEWHERE: &str = "number1 subject1 topic";
const NOWHERE: &str = "quantum chromodynamics lattice";

fn strict() -> Value {
    json!({ "retrieval": { "relevance": 0.5 } })
}

/// Whether something was found, and what is not read.
async fn found(room: &Room, actor: &Actor, query: &str) -> (bool, Option<Unread>) {
    let budget = Budget::of(Duration::from_secs(30));
    let searched = room.knowledges.retrieve(actor, &target(NAME), asking(query), &room.trace(), budget).await;
    match searched.unwrap() {
        Searched::Read(retrieved) => (!retrieved.passages.is_empty(), retrieved.unread),
        Searched::Unread(unread) => (false, Some(unread)),
    }
}

fn unread(state: UnreadState, documents: Option<[u64; 2]>, code: Option<&str>) -> Option<Unread> {
    let documents = documents.map(|[read, found]| ReadSoFar { read, found });
    Some(Unread { knowledge: NAME.to_owned(), state, documents, code: code.map(str::to_owned) })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_knowledge_that_was_never_ingested_is_told_apart_from_one_that_holds_nothing() {
    let room = Room::open().await;
    room.write("1.md", &page(1));
    room.apply(strict()).await;
    for actor in [room.admin(), room.reader(&["hr"])] {
        assert_eq!(found(&room, &actor, SOMEWHERE).await, (false, unread(UnreadState::NotBegun, None, None)));
    }
    room.ingest().await;
    assert_eq!(found(&room, &room.admin(), SOMEWHERE).await, (true, None));
    assert_eq!(found(&room, &room.admin(), NOWHERE).await, (false, None));
    // Later ones have the documents of before to answer from.
    room.write("2.md", &page(2));
    room.embedder.missing.store(true, Ordering::SeqCst);
    room.try_ingest().await.unwrap_err();
    assert_eq!(found(&room, &room.admin(), NOWHERE).await, (false, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_first_ingestion_is_under_way_a_search_says_how_far_it_is() {
    let room = Room::open().await;
    for number in 0..3 {
        room.write(&format!("{number}.md"), &page(number));
    }
    room.write("slow.md", "# Slow\n\nSLOW to read, and of zebras");
    room.apply(strict()).await;
    let begun = room.knowledges.begin_ingest(&room.admin(), &target(NAME), IngestOptions::default(), &room.trace()).await;
    let begun = begun.unwrap();
    let progress = begun.progress();
    let (admin, reader) = (room.admin(), room.reader(&["hr"]));
    let early = found(&room, &admin, SOMEWHERE).await;
    assert_eq!(early, (false, unread(UnreadState::UnderWay, None, None)), "nothing was listed yet");
    let watching = async {
        room.parser.reached.notified().await;
        while progress.borrow().done < 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let half = || unread(UnreadState::UnderWay, Some([3, 4]), None);
        let seen = [found(&room, &admin, SOMEWHERE).await, found(&room, &admin, NOWHERE).await];
        let by_reader = found(&room, &reader, NOWHERE).await;
        room.parser.go_on.notify_one();
        assert_eq!(seen, [(true, half()), (false, half())]);
        assert_eq!(by_reader, (false, unread(UnreadState::UnderWay, None, None)), "counts are of everybody's documents");
    };
    let (ended, ()) = tokio::join!(Box::pin(begun.run()), Box::pin(watching));
    ended.unwrap();
    assert_eq!(found(&room, &admin, NOWHERE).await, (false, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_ingestion_that_broke_off_is_named_by_its_code_until_one_comes_to_its_end() {
    let room = Room::open().await;
    room.write("1.md", &page(1));
    room.apply(strict()).await;
    room.embedder.missing.store(true, Ordering::SeqCst);
    room.try_ingest().await.unwrap_err();
    let broken_off = |documents| unread(UnreadState::BrokenOff, documents, Some("model-not-installed"));
    assert_eq!(found(&room, &room.admin(), SOMEWHERE).await, (false, broken_off(Some([0, 1]))));
    assert_eq!(found(&room, &room.reader(&["hr"]), SOMEWHERE).await, (false, broken_off(None)));
    room.embedder.missing.store(false, Ordering::SeqCst);
    room.ingest().await;
    assert_eq!(found(&room, &room.admin(), SOMEWHERE).await, (true, None));
}
