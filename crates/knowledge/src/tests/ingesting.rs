use std::{sync::atomic::Ordering, time::Duration};

use mainspring_catalog::Catalog;
use mainspring_kernel::{Fault as _, PageRequest};
use mainspring_lake::Filter;
use serde_json::json;

use crate::{
    DocumentFilter, DocumentStatus, IngestOptions, KnowledgeFault, Progress, Stage, Worth,
    testing::{NAME, Room, asking, page, target},
};

mainspring_testservers::on_every_engine!(Catalog: [
    what_was_ingested_is_found_with_offsets_into_its_text,
    a_second_ingest_with_nothing_changed_neither_parses_nor_embeds,
    a_moved_file_keeps_its_vectors,
    a_deleted_file_leaves_neither_hit_nor_row_nor_entry,
    a_bad_file_is_named_and_stops_nothing,
    only_one_run_at_a_time_changes_a_knowledge,
    another_embedder_builds_beside_and_takes_over_when_complete,
    listing_pages_through_all_documents_once,
    a_run_that_ended_shows_the_progress_it_ended_with,
]);

async fn what_was_ingested_is_found_with_offsets_into_its_text(catalog: Catalog) {
    let room = Room::on(catalog).await;
    for number in 0..5 {
        room.write(&format!("part/{number}.md"), &page(number));
    }
    room.apply(json!({})).await;
    let report = room.ingest().await;
    assert_eq!((report.added, report.failed, report.deleted), (5, 0, 0), "{report:?}");
    let found = room.search("number3 subject3 matter3").await;
    let best = &found[0];
    assert!(best.text.contains("subject3"), "{found:#?}");
    assert_eq!((best.title.as_str(), best.heading_path.clone()), ("Page 3", vec!["Page 3".to_owned()]));
    let id = best.document.parse().unwrap();
    let text = room.knowledges.document_text(&room.admin(), &NAME.parse().unwrap(), &id).await.unwrap();
    let (start, end) = (usize::try_from(best.start).unwrap(), usize::try_from(best.end).unwrap());
    assert_eq!(&text.parsed.text()[start..end], best.text);
    assert!(best.uri.starts_with("file://") && best.uri.ends_with("/part/3.md"), "{}", best.uri);
}

async fn a_second_ingest_with_nothing_changed_neither_parses_nor_embeds(catalog: Catalog) {
    let room = Room::on(catalog).await;
    for number in 0..20 {
        room.write(&format!("{number}.md"), &page(number));
    }
    room.apply(json!({})).await;
    let first = room.ingest().await;
    assert!(room.embedder.taken() > 0);
    let parsed = room.parser.parsed.load(Ordering::SeqCst);
    let second = room.ingest().await;
    assert_eq!((second.unchanged, second.added, second.changed), (20, 0, 0));
    assert_eq!((room.embedder.taken(), room.parser.parsed.load(Ordering::SeqCst)), (0, parsed));
    assert_eq!(first.version.unwrap().version, second.version.unwrap().version, "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_run_keeps_what_other_sources_gave() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.apply(json!({})).await;
    room.ingest().await;
    let docs = json!({ "type": "folder", "name": "docs", "path": room.home.path().join("docs") });
    let web = json!({ "type": "web", "urls": ["http://127.0.0.1:9/never-asked"] });
    room.apply(json!({ "sources": [docs, web] })).await;
    let all = room.ingest().await;
    assert_eq!(all.failures.len(), 1, "the web was asked: {all:?}");
    room.write("b.md", &page(2));
    let local = IngestOptions { local: true, ..IngestOptions::default() };
    let (admin, trace) = (room.admin(), room.trace());
    let begun = room.knowledges.begin_ingest_if(&admin, &target(NAME), (local, Worth::News), &trace).await.unwrap();
    let report = Box::pin(begun.unwrap().run()).await.unwrap();
    assert_eq!((report.added, report.deleted, report.failures.len()), (1, 0, 0), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_text_without_a_vector_is_embedded() {
    let room = Room::open().await;
    room.write("a.md", "# One\n\nThe first section stays as it is.\n\n# Two\n\nThe second one will change.");
    room.apply(json!({})).await;
    room.ingest().await;
    let before = room.embedder.taken();
    room.write("a.md", "# One\n\nThe first section stays as it is.\n\n# Two\n\nThe second one has changed.");
    let report = room.ingest().await;
    assert!(before > 1 && room.embedder.taken() == 1, "{report:?}");
    assert_eq!((report.changed, report.added), (1, 0));
    let found = room.search("the second one").await;
    assert!(found.iter().any(|hit| hit.text.contains("has changed")));
    assert!(found.iter().all(|hit| !hit.text.contains("will change")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_text_in_two_files_is_embedded_once() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.apply(json!({})).await;
    room.ingest().await;
    let one = room.embedder.taken();
    room.write("copy.md", &page(1));
    let report = room.ingest().await;
    assert_eq!((room.embedder.taken(), report.reused), (0, one));
}

async fn a_moved_file_keeps_its_vectors(catalog: Catalog) {
    let room = Room::on(catalog).await;
    room.write("old/place.md", &page(1));
    room.write("other.md", &page(2));
    room.apply(json!({})).await;
    room.ingest().await;
    room.embedder.taken();
    let parsed = room.parser.parsed.load(Ordering::SeqCst);
    std::fs::create_dir_all(room.path("new")).unwrap();
    std::fs::rename(room.path("old/place.md"), room.path("new/place.md")).unwrap();
    let report = room.ingest().await;
    assert_eq!((report.moved, report.added, report.deleted), (1, 0, 0), "{report:?}");
    assert_eq!((room.embedder.taken(), room.parser.parsed.load(Ordering::SeqCst)), (0, parsed + 1));
    let found = room.search("number1 subject1").await;
    assert!(found[0].uri.ends_with("/new/place.md"));
    assert_eq!(found.iter().filter(|hit| hit.text.contains("subject1")).count(), 1);
}

async fn a_deleted_file_leaves_neither_hit_nor_row_nor_entry(catalog: Catalog) {
    let room = Room::on(catalog).await;
    room.write("stays.md", &page(1));
    room.write("goes.md", &page(2));
    room.apply(json!({})).await;
    room.ingest().await;
    room.remove("goes.md");
    let report = room.ingest().await;
    assert_eq!((report.deleted, report.unchanged), (1, 1));
    assert!(room.search("number2 subject2").await.iter().all(|hit| !hit.text.contains("subject2")));
    let table = report.version.unwrap().table;
    let table = room.lake.open_existing(&table).await.unwrap();
    assert_eq!(table.count(Filter::StartsWith("title".into(), "Page 2".into())).await.unwrap(), 0);
    let name = NAME.parse().unwrap();
    let all = room.knowledges.documents(&room.admin(), &name, &DocumentFilter::default(), &PageRequest::first(10)).await;
    assert_eq!(all.unwrap().items.len(), 1);
}

async fn a_bad_file_is_named_and_stops_nothing(catalog: Catalog) {
    let room = Room::on(catalog).await;
    room.write("bad.md", "UNPARSEABLE");
    room.write("binary.bin", "x");
    std::fs::write(room.path("binary.bin"), [0xff, 0xfe, 0x00]).unwrap();
    room.write("good.md", &page(1));
    room.apply(json!({})).await;
    let report = room.ingest().await;
    let mut failed: Vec<_> = report.failures.iter().map(|failure| (failure.path.as_str(), failure.code.as_str())).collect();
    failed.sort_unstable();
    assert_eq!(failed, [("bad.md", "parse-broken"), ("binary.bin", "parse-broken")]);
    assert_eq!((report.added, report.failed), (1, 2), "each document is counted once: {report:?}");
    assert_eq!(room.search("number1").await[0].title, "Page 1");

    let parsed = room.parser.parsed.load(Ordering::SeqCst);
    let again = room.ingest().await;
    assert_eq!((again.failed, room.parser.parsed.load(Ordering::SeqCst)), (2, parsed), "it is not tried again unchanged");
    assert!(again.failures.iter().all(|failure| failure.known));

    room.write("bad.md", &page(9));
    let mended = room.ingest().await;
    assert_eq!((mended.failed, mended.changed), (1, 1));
    assert_eq!(room.search("number9 subject9").await[0].title, "Page 9");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_says_what_it_is_and_why_it_has_no_text() {
    let room = Room::open().await;
    room.write("bad.md", "UNPARSEABLE");
    std::fs::write(room.path("plan.pdf"), b"%PDF-1.7 \xff").unwrap();
    room.apply(json!({})).await;
    room.ingest().await;
    let name = NAME.parse().unwrap();
    let all = room.knowledges.documents(&room.admin(), &name, &DocumentFilter::default(), &PageRequest::first(10)).await.unwrap();
    let kinds: Vec<_> = all.items.iter().map(|document| document.media_type.as_str()).collect();
    assert_eq!(kinds, ["text/markdown", "application/pdf"]);
    let fault = room.knowledges.document_text(&room.admin(), &name, &all.items[0].id).await.unwrap_err();
    assert_eq!(fault.code(), "knowledge-text-gone");
    let said = fault.to_string();
    assert!(said.contains("it could not be taken in: the document cannot be read (parse-broken)"), "{said}");
}

async fn a_run_that_ended_shows_the_progress_it_ended_with(catalog: Catalog) {
    let room = Room::on(catalog).await;
    for number in 0..3 {
        room.write(&format!("{number}.md"), &page(number));
    }
    room.write("bad.md", "UNPARSEABLE");
    room.apply(json!({})).await;
    let (admin, trace) = (room.admin(), room.trace());
    let begun = room.knowledges.begin_ingest(&admin, &target(NAME), IngestOptions::default(), &trace).await.unwrap();
    let watched = begun.progress();
    let report = Box::pin(begun.run()).await.unwrap();
    let name = NAME.parse().unwrap();
    let last = async || room.knowledges.runs(&admin, &name, &PageRequest::first(1)).await.unwrap().items.remove(0);
    let progress = last().await.progress.unwrap();
    // Kept as text, fractions may lose their last bit.
    let counts = |of: Progress| Progress { tokens_per_second: None, encoder_busy: None, elapsed_seconds: 0.0, ..of };
    assert_eq!(counts(progress.clone()), counts(watched.borrow().clone()));
    assert_eq!((progress.stage, progress.seen, progress.to_do, progress.done), (Stage::Done, 4, 4, 4));
    let of_report = (report.parsed, report.failed, report.chunks, report.embedded, report.tokens);
    assert_eq!((progress.parsed, progress.failed, progress.chunks, progress.embedded, progress.tokens), of_report);
    assert_eq!((report.parsed, report.failed), (3, 1));
    room.clock.advance(Duration::from_secs(1));
    let again = room.ingest().await;
    let progress = last().await.progress.unwrap();
    assert_eq!((progress.stage, progress.done, progress.unchanged), (Stage::Done, 0, again.unchanged));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_links_lead_is_shown_and_not_searched() {
    let room = Room::open().await;
    room.write("a.md", "# One\n\nRead the [manual](https://example.org/somewhere) first.");
    room.apply(json!({})).await;
    let table = room.ingest().await.version.unwrap().table;
    let found = room.search("manual").await;
    assert!(found[0].text.contains("[manual](https://example.org/somewhere)"), "{}", found[0].text);
    let table = room.lake.open_existing(&table).await.unwrap();
    let held = async |column: &str, part: &str| table.count(Filter::Eq(column.into(), part.into())).await.unwrap();
    assert_eq!(held("search_text", "One\n\n# One\n\nRead the [manual first.").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_table_is_made_from_texts_of_todays_parsers() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.parser.older.store(true, Ordering::SeqCst);
    room.apply(json!({})).await;
    room.ingest().await;
    room.parser.older.store(false, Ordering::SeqCst);
    let parsed = || room.parser.parsed.load(Ordering::SeqCst);
    assert_eq!((room.ingest().await.unchanged, parsed()), (1, 1), "in its own table it stays as it is");
    room.apply(json!({ "embedding": "other" })).await;
    let report = room.ingest().await;
    assert_eq!((report.changed, report.parsed, parsed()), (1, 1, 2));
    room.apply(json!({})).await;
    room.ingest().await;
    assert_eq!(parsed(), 2, "and not parsed a third time");
    assert_eq!(room.search("number1 subject1").await[0].title, "Page 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_of_older_parsers_stays_while_its_source_is_away() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.parser.older.store(true, Ordering::SeqCst);
    room.apply(json!({})).await;
    room.ingest().await;
    std::fs::rename(room.home.path().join("docs"), room.home.path().join("elsewhere")).unwrap();
    room.apply(json!({ "embedding": "other" })).await;
    assert!(room.ingest().await.switched);
    assert_eq!(room.search("number1").await[0].title, "Page 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_turned_bad_is_no_longer_answered_from() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.write("b.md", &page(2));
    room.apply(json!({})).await;
    room.ingest().await;
    room.write("a.md", "UNPARSEABLE now");
    room.ingest().await;
    assert!(room.search("number1 subject1").await.iter().all(|hit| !hit.text.contains("subject1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_away_deletes_nothing() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.apply(json!({})).await;
    room.ingest().await;
    std::fs::rename(room.home.path().join("docs"), room.home.path().join("elsewhere")).unwrap();
    let report = room.ingest().await;
    assert_eq!((report.deleted, report.failed), (0, 1));
    assert_eq!(report.failures[0].code, "source-missing");
    assert_eq!(room.search("number1").await[0].title, "Page 1");
}

async fn only_one_run_at_a_time_changes_a_knowledge(catalog: Catalog) {
    let room = Room::on(catalog).await;
    room.write("a.md", &page(1));
    room.apply(json!({})).await;
    let (admin, trace) = (room.admin(), room.trace());
    let first = room.knowledges.begin_ingest(&admin, &target(NAME), IngestOptions::default(), &trace).await.unwrap();
    let second = room.knowledges.begin_ingest(&admin, &target(NAME), IngestOptions::default(), &trace).await;
    let fault = second.unwrap_err();
    assert_eq!(fault.code(), "knowledge-busy");
    assert!(matches!(&fault, KnowledgeFault::Busy { run, .. } if *run == first.run_id().to_string()), "{fault}");
    Box::pin(first.run()).await.unwrap();
    room.ingest().await;
}

async fn another_embedder_builds_beside_and_takes_over_when_complete(catalog: Catalog) {
    let room = Room::on(catalog).await;
    for number in 0..6 {
        room.write(&format!("{number}.md"), &page(number));
    }
    room.apply(json!({})).await;
    let old = room.ingest().await.version.unwrap();
    let parsed = room.parser.parsed.load(Ordering::SeqCst);
    room.apply(json!({ "embedding": "other" })).await;
    // Applied, not ingested: the old table still answers, with the embedder it was made with.
    assert_eq!(room.search("number2 subject2").await[0].title, "Page 2");
    let report = room.ingest().await;
    assert!(report.switched);
    let new = report.version.unwrap();
    assert_ne!(old.table, new.table);
    assert_eq!(room.parser.parsed.load(Ordering::SeqCst), parsed, "the texts were parsed already");
    let answer = room.answer(&room.admin(), asking("number2 subject2")).await.unwrap();
    assert_eq!((answer.retrieved.pin.table, answer.retrieved.embedder.as_deref()), (new.table, Some("other")));
    assert_eq!(answer.retrieved.passages[0].title, "Page 2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_away_while_a_new_table_is_built_keeps_its_documents() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.apply(json!({})).await;
    room.ingest().await;
    std::fs::rename(room.home.path().join("docs"), room.home.path().join("elsewhere")).unwrap();
    room.apply(json!({ "embedding": "other" })).await;
    assert!(room.ingest().await.switched);
    assert_eq!(room.search("number1").await[0].title, "Page 1");
}

async fn listing_pages_through_all_documents_once(catalog: Catalog) {
    let room = Room::on(catalog).await;
    for number in 0..25 {
        room.write(&format!("{number:02}.md"), &page(number));
    }
    room.write("zz.md", "UNPARSEABLE");
    room.apply(json!({})).await;
    room.ingest().await;
    let name = NAME.parse().unwrap();
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = PageRequest::new(Some(7), cursor).unwrap();
        let some = room.knowledges.documents(&room.admin(), &name, &DocumentFilter::default(), &page).await.unwrap();
        seen.extend(some.items.into_iter().map(|document| document.path));
        cursor = some.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 26);
    assert!(seen.is_sorted());
    let failed = DocumentFilter { status: Some(DocumentStatus::Failed), ..DocumentFilter::default() };
    let failed = room.knowledges.documents(&room.admin(), &name, &failed, &PageRequest::first(50)).await.unwrap();
    assert_eq!(failed.items.iter().map(|document| document.path.as_str()).collect::<Vec<_>>(), ["zz.md"]);
    let titled = DocumentFilter { text: Some("pAge 13".into()), ..DocumentFilter::default() };
    let titled = room.knowledges.documents(&room.admin(), &name, &titled, &PageRequest::first(50)).await.unwrap();
    assert_eq!(titled.items.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_hand_at_once_is_bounded_in_bytes_and_a_giant_is_taken_alone() {
    let room = Room::set_up(|config| config.bytes_at_once = 100 << 10).await;
    for number in 0..8 {
        room.write(&format!("big{number}.md"), &format!("{}{}", page(number), "\n\nMore of it.".repeat(3_000)));
    }
    let giant = format!("{}{}", page(8), "\n\nEven more of it.".repeat(10_000));
    room.write("giant.md", &giant);
    for number in 10..40 {
        room.write(&format!("{number}.md"), &page(number));
    }
    room.apply(json!({})).await;
    let report = room.ingest().await;
    assert_eq!((report.added, report.failed), (39, 0), "{report:?}");
    // Two of the big ones fit together, six are more than the giant; and nothing fits beside that.
    assert_eq!(room.parser.most_in_hand.load(Ordering::SeqCst), giant.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_parser_died_of_is_tried_again_and_what_was_there_stays() {
    let room = Room::open().await;
    room.write("a.md", "# A\n\nthe first saying of FRAGILE things");
    room.write("b.md", &page(2));
    room.apply(json!({})).await;
    room.ingest().await;
    room.write("a.md", "# A\n\nthe second saying of FRAGILE things");
    room.write("new.md", "# New\n\nthe third FRAGILE thing");
    room.parser.dies.store(true, Ordering::SeqCst);
    for turn in 0..2 {
        let report = room.ingest().await;
        let codes: Vec<&str> = report.failures.iter().map(|failure| failure.code.as_str()).collect();
        assert_eq!((report.failed, codes), (2, vec!["parse-crashed"; 2]), "{turn}");
        assert!(report.failures.iter().all(|failure| !failure.known), "it was tried again: {turn}");
        assert!(room.search("first saying").await[0].text.contains("the first saying"), "{turn}");
    }
    // It is no news to those who look every few seconds.
    assert!(!room.knowledges.has_changes(&room.admin(), &target(NAME)).await.unwrap());
    // Whoever may not see it any more does not see what stays of it.
    let folder = room.home.path().join("docs");
    room.apply(json!({"sources": [{"type": "folder", "name": "docs", "path": folder, "labels": ["hr"]}]})).await;
    room.ingest().await;
    assert!(room.search_as(&room.reader(&["it"]), "first saying").await.is_empty());
    let seen = room.search_as(&room.reader(&["hr"]), "first saying").await;
    assert!(seen.iter().any(|hit| hit.text.contains("the first saying")), "{seen:?}");

    room.parser.dies.store(false, Ordering::SeqCst);
    let report = room.ingest().await;
    assert_eq!((report.failed, report.failures.len()), (0, 0), "{report:?}");
    assert!(room.search("second saying").await[0].text.contains("the second saying"));
    assert_eq!(room.ingest().await.unchanged, 3);
}
