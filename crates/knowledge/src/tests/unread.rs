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
    Some(Unread { knowledge: NAME.to_owned(), state, sources: Vec::new(), documents, code: code.map(str::to_owned) })
}

fn without(state: UnreadState, sources: &[&str], code: Option<&str>) -> Option<Unread> {
    let sources = sources.iter().map(|source| (*source).to_owned()).collect();
    unread(state, None, code).map(|unread| Unread { sources, ..unread })
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

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_no_ingestion_could_read_is_named_though_they_came_to_their_end() {
    let room = Room::open().await;
    std::fs::remove_dir_all(room.path("")).unwrap();
    room.apply(strict()).await;
    assert_eq!(room.ingest().await.failures[0].code, "source-missing");
    let missing = || without(UnreadState::SourceUnread, &["docs"], Some("source-missing"));
    for actor in [room.admin(), room.reader(&["hr"])] {
        assert_eq!(found(&room, &actor, SOMEWHERE).await, (false, missing()));
    }
    room.write("1.md", &page(1));
    room.clock.advance(Duration::from_secs(1));
    room.ingest().await;
    assert_eq!(found(&room, &room.admin(), SOMEWHERE).await, (true, None));
    // What it gave before is there to answer from.
    std::fs::remove_dir_all(room.path("")).unwrap();
    room.clock.advance(Duration::from_secs(1));
    assert_eq!(room.ingest().await.failures[0].code, "source-missing");
    assert_eq!(found(&room, &room.admin(), SOMEWHERE).await, (true, None));
    assert_eq!(found(&room, &room.admin(), NOWHERE).await, (false, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_gives_none_of_its_pages_was_not_read() {
    let room = Room::set_up(|config| config.sources.egress.allow_private = true).await;
    // Nobody listens there any more.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let site = ["a", "b"].map(|page| format!("http://127.0.0.1:{port}/{page}"));
    let spec = |urls: &[String]| {
        let docs = json!({ "type": "folder", "name": "docs", "path": room.home.path().join("docs") });
        let site = json!({ "type": "web", "name": "site", "urls": urls });
        json!({ "sources": [docs, site], "retrieval": { "relevance": 0.5 } })
    };
    room.write("1.md", &page(1));
    for urls in [&site[..1], &site[..]] {
        room.apply(spec(urls)).await;
        assert_eq!(room.ingest().await.failed, urls.len() as u64);
        let unreached = |code| without(UnreadState::SourceUnread, &["site"], code);
        assert_eq!(found(&room, &room.admin(), SOMEWHERE).await, (true, unreached(None)), "for which nothing is looked up");
        assert_eq!(found(&room, &room.admin(), NOWHERE).await, (false, unreached(Some("source-unreachable"))));
        room.clock.advance(Duration::from_secs(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_was_added_later_is_named_until_it_is_read() {
    let room = Room::open().await;
    room.write("1.md", &page(1));
    std::fs::create_dir_all(room.home.path().join("more")).unwrap();
    std::fs::write(room.home.path().join("more/zebras.md"), "# Zebras\n\nZebras have stripes").unwrap();
    let docs = json!({ "type": "folder", "name": "docs", "path": room.home.path().join("docs") });
    let more = json!({ "type": "folder", "name": "more", "path": room.home.path().join("more"), "labels": ["board"] });
    let both = || json!({ "sources": [docs, more], "retrieval": { "relevance": 0.5 } });
    let (admin, board, other) = (room.admin(), room.reader(&["board"]), room.reader(&["hr"]));
    room.apply(strict()).await;
    room.ingest().await;
    room.apply(both()).await;
    let added = || without(UnreadState::SourceUnread, &["more"], None);
    for (query, finds) in [(SOMEWHERE, true), (NOWHERE, false)] {
        assert_eq!(found(&room, &admin, query).await, (finds, added()));
        assert_eq!(found(&room, &board, query).await, (finds, added()));
        assert_eq!(found(&room, &other, query).await, (finds, None), "none of its documents would be for them");
    }
    room.clock.advance(Duration::from_secs(1));
    let begun = room.knowledges.begin_ingest(&admin, &target(NAME), IngestOptions::default(), &room.trace()).await.unwrap();
    assert_eq!(found(&room, &admin, NOWHERE).await, (false, without(UnreadState::UnderWay, &["more"], None)));
    Box::pin(begun.run()).await.unwrap();
    assert_eq!(found(&room, &admin, "zebras stripes").await, (true, None));
    assert_eq!(found(&room, &admin, NOWHERE).await, (false, None));

    // Taken out, its documents go; back again, they are not there.
    for (spec, left) in [(strict(), None), (both(), added())] {
        room.apply(spec).await;
        assert_eq!(found(&room, &admin, NOWHERE).await, (false, left.clone()));
        if left.is_none() {
            room.clock.advance(Duration::from_secs(1));
            room.ingest().await;
        }
    }
    // What a version of before has left does not say what was read.
    room.catalog.write("UPDATE knowledge SET read_sources = NULL", Vec::new()).await.unwrap();
    assert_eq!(found(&room, &admin, NOWHERE).await, (false, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_moved_is_not_taken_for_the_one_that_was_read() {
    let room = Room::open().await;
    room.write("a/1.md", &page(1));
    room.write("b/2.md", &page(2));
    let of = |folder: &str| {
        let docs = json!({ "type": "folder", "name": "docs", "path": room.path(folder) });
        json!({ "sources": [docs], "retrieval": { "relevance": 0.5 } })
    };
    room.apply(of("a")).await;
    room.ingest().await;
    assert_eq!(found(&room, &room.admin(), NOWHERE).await, (false, None));
    room.apply(of("b")).await;
    assert_eq!(found(&room, &room.admin(), NOWHERE).await, (false, without(UnreadState::SourceUnread, &["docs"], None)));
    // Other words of the spec move nothing.
    let mut other = of("a");
    other["retrieval"] = json!({ "relevance": 0.4 });
    room.apply(other).await;
    assert_eq!(found(&room, &room.admin(), NOWHERE).await, (false, None));
}
