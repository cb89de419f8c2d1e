//! What an ingestion tells of: warnings, where content came from, how far it is. Each only to those who may hear it.

use std::{path::Path, process::Command, time::Duration};

use mainspring_catalog::Catalog;
use mainspring_kernel::{Actor, Clock as _, PageRequest, id::ProjectId};
use serde_json::json;

use crate::{
    Document, DocumentFilter, DocumentStatus, IngestOptions, Report, RunState,
    testing::{NAME, Room, page, target},
};

mainspring_testservers::on_every_engine!(Catalog: [
    a_document_without_text_is_ready_and_says_why,
    many_warnings_of_one_kind_hide_none_of_another,
    warnings_are_kept_with_the_document_and_told_to_those_who_may_see_it,
    runs_of_every_knowledge_are_one_list_that_pages,
]);

async fn runs_of_every_knowledge_are_one_list_that_pages(catalog: Catalog) {
    let room = Room::on(catalog).await;
    room.write("pay.md", "UNPARSEABLE");
    let source = json!({ "type": "folder", "name": "docs", "path": room.home.path().join("docs"), "labels": ["hr"] });
    for name in ["first", "second"] {
        room.apply_named(name, json!({ "sources": [source] })).await;
    }
    let mut made = Vec::new();
    for name in ["first", "second", "first", "second", "second"] {
        room.clock.advance(Duration::from_secs(1));
        let again = IngestOptions { full: true, retry_failed: true, ..IngestOptions::default() };
        let ran = room.knowledges.ingest(&room.admin(), &target(name), again, &room.trace()).await;
        assert_eq!(ran.unwrap().failed, 1);
        made.insert(0, name.to_owned());
    }
    let paged = async |actor: &Actor, limit| {
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let some = room.knowledges.all_runs(actor, &PageRequest::new(Some(limit), cursor).unwrap()).await.unwrap();
            assert!(some.items.len() <= limit);
            seen.extend(some.items);
            cursor = some.next;
            if cursor.is_none() {
                return seen;
            }
        }
    };
    let whole = paged(&room.admin(), 50).await;
    assert_eq!(whole.iter().map(|run| run.knowledge.to_string()).collect::<Vec<_>>(), made, "newest first");
    for limit in [1, 2, 5] {
        assert_eq!(paged(&room.admin(), limit).await, whole, "{limit} at a time");
    }
    for name in ["first", "second"] {
        let own = room.knowledges.runs(&room.admin(), &name.parse().unwrap(), &PageRequest::first(50)).await.unwrap();
        let theirs: Vec<_> = whole.iter().filter(|run| run.knowledge.as_str() == name).cloned().collect();
        assert_eq!(own.items, theirs);
    }
    // Labels hold here as in the list of one knowledge, and another project has runs of its own.
    let failed =
        async |actor: &Actor| paged(actor, 2).await.into_iter().map(|run| run.report.unwrap().failed).collect::<Vec<_>>();
    assert_eq!((failed(&room.admin()).await, failed(&room.reader(&[])).await), (vec![1; 5], vec![0; 5]));
    let stranger = Actor { project: ProjectId::new(room.clock.now()), ..room.admin() };
    assert!(paged(&stranger, 9).await.is_empty());
}

async fn document(room: &Room, path: &str) -> Document {
    let name = NAME.parse().unwrap();
    let all = room.knowledges.documents(&room.admin(), &name, &DocumentFilter::default(), &PageRequest::first(50)).await;
    all.unwrap().items.into_iter().find(|document| document.path == path).unwrap()
}

async fn last_report(room: &Room, actor: &Actor) -> Report {
    let runs = room.knowledges.runs(actor, &NAME.parse().unwrap(), &PageRequest::first(1)).await.unwrap();
    runs.items.into_iter().next().unwrap().report.unwrap()
}

fn told(report: &Report) -> Vec<(&str, &str, &str)> {
    let told = report.warnings.iter().map(|of| (of.path.as_str(), of.code.as_str(), of.detail.as_str()));
    let mut told: Vec<_> = told.collect();
    told.sort_unstable();
    told
}

async fn a_document_without_text_is_ready_and_says_why(catalog: Catalog) {
    let room = Room::on(catalog).await;
    room.write("scan.md", "SCANNED");
    room.write("empty.md", "");
    room.write("a.md", &page(1));
    room.apply(json!({})).await;
    let report = room.ingest().await;
    let why = "it holds no text: no text layer on 2 of 2 pages: 1, 2";
    assert_eq!(told(&report), [("scan.md", "parse-no-text", why)]);
    assert_eq!((report.failed, report.warnings[0].source.as_str()), (0, "docs"));
    for (path, detail) in [("scan.md", why), ("empty.md", "the file is empty")] {
        let found = document(&room, path).await;
        let reason = found.reason.unwrap();
        assert_eq!((found.status, found.chunks), (DocumentStatus::Ready, 0));
        assert_eq!((reason.code.as_str(), reason.detail.as_str()), ("parse-no-text", detail));
    }
    assert_eq!(document(&room, "a.md").await.reason, None);
    // Another time, the same content: still without text.
    room.write("scan.md", "SCANNED");
    let again = room.ingest().await;
    assert_eq!((again.unchanged, again.changed), (3, 0), "{again:?}");
    assert_eq!(document(&room, "scan.md").await.reason.unwrap().detail, why);
    room.write("scan.md", &page(2));
    room.ingest().await;
    let mended = document(&room, "scan.md").await;
    assert_eq!((mended.reason, mended.warnings.len()), (None, 0));
}

async fn many_warnings_of_one_kind_hide_none_of_another(catalog: Catalog) {
    let room = Room::on(catalog).await;
    room.write("old.md", "# Old\n\nCRUMBLING pages");
    room.apply(json!({})).await;
    let report = room.ingest().await;
    let said: Vec<_> = report.warnings.iter().map(|of| (of.code.as_str(), of.detail.as_str())).collect();
    assert_eq!(said.len(), 23, "{said:?}");
    assert_eq!((said[0], said[19]), (("parse-page-unread", "page 1"), ("parse-page-unread", "page 20")));
    assert_eq!((said[20], said[21]), (("parse-page-without-text", "page 1"), ("parse-page-without-text", "page 2")));
    assert_eq!(said[22], ("parse-page-unread", "and 3 more like these"));
    let shown = document(&room, "old.md").await.warnings;
    assert_eq!(shown.iter().map(|of| (of.code.as_str(), of.detail.as_str())).collect::<Vec<_>>(), said);
}

async fn warnings_are_kept_with_the_document_and_told_to_those_who_may_see_it(catalog: Catalog) {
    let room = Room::on(catalog).await;
    room.write("pay.md", "# Pay\n\nBLURRED figures");
    room.write("open.md", "# Open\n\nBLURRED words");
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    for link in ["pay-link.md", "link.md"] {
        std::os::unix::fs::symlink(elsewhere.path(), room.path(link)).unwrap();
    }
    let source = json!({ "type": "folder", "name": "docs", "path": room.home.path().join("docs"),
        "rules": [{ "match": "pay*", "labels": ["hr"] }] });
    room.apply(json!({ "sources": [source] })).await;
    room.ingest().await;
    let kept = document(&room, "pay.md").await;
    assert_eq!((kept.warnings[0].code.as_str(), kept.warnings[0].detail.as_str()), ("parse-page-unread", "it is blurred"));
    let paths = |report: &Report| told(report).into_iter().map(|(path, ..)| path.to_owned()).collect::<Vec<_>>();
    let all = ["link.md", "open.md", "pay-link.md", "pay.md"];
    assert_eq!(paths(&last_report(&room, &room.admin()).await), all);
    assert_eq!(paths(&last_report(&room, &room.reader(&["hr"])).await), all);
    assert_eq!(paths(&last_report(&room, &room.reader(&[])).await), ["link.md", "open.md"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_source_is_that_could_not_be_read_is_told_to_those_who_may_see_all_of_it() {
    let room = Room::open().await;
    let at = |name: &str, labels: &[&str], rules: serde_json::Value| json!({ "type": "folder", "name": name, "path": room.home.path().join(name), "labels": labels, "rules": rules });
    let rules = json!([{ "match": "*", "labels": ["hr"] }]);
    room.apply(json!({ "sources": [at("open", &[], json!([])), at("pay", &["hr"], json!([])), at("ruled", &[], rules)] })).await;
    room.ingest().await;
    let failed = async |actor: &Actor| {
        let report = last_report(&room, actor).await;
        let mut sources: Vec<String> = report.failures.into_iter().map(|failure| failure.source).collect();
        sources.sort_unstable();
        (report.failed, sources)
    };
    assert_eq!(failed(&room.admin()).await.1, ["open", "pay", "ruled"]);
    assert_eq!(failed(&room.reader(&["hr"])).await, (2, vec!["open".to_owned(), "pay".to_owned()]));
    assert_eq!(failed(&room.reader(&[])).await, (1, vec!["open".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_labelled_later_is_hidden_in_the_reports_of_before() {
    let room = Room::open().await;
    room.write("pay.md", "UNPARSEABLE");
    room.write("blurred.md", "BLURRED");
    room.apply(json!({})).await;
    room.ingest().await;
    let reader = room.reader(&[]);
    let report = last_report(&room, &reader).await;
    assert_eq!((report.failed, report.failures.len(), report.warnings.len()), (1, 1, 1));
    let source = json!({ "type": "folder", "name": "docs", "path": room.home.path().join("docs"), "labels": ["hr"] });
    room.apply(json!({ "sources": [source] })).await;
    room.ingest().await;
    let runs = async |actor: &Actor| {
        let runs = room.knowledges.runs(actor, &NAME.parse().unwrap(), &PageRequest::first(9)).await.unwrap();
        runs.items
            .into_iter()
            .map(|run| run.report.unwrap())
            .map(|report| (report.failed, report.warnings.len()))
            .collect::<Vec<_>>()
    };
    assert!(runs(&reader).await.iter().all(|told| *told == (0, 0)), "{:?}", runs(&reader).await);
    assert!(runs(&room.reader(&["hr"])).await.iter().any(|told| *told == (1, 1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_under_way_names_the_document_it_works_on_to_those_who_see_everything() {
    let room = Room::open().await;
    room.write("slow.md", "# Slow\n\nSLOW to read");
    room.apply(json!({})).await;
    let (admin, trace) = (room.admin(), room.trace());
    let begun = room.knowledges.begin_ingest(&admin, &target(NAME), IngestOptions::default(), &trace).await.unwrap();
    let id = begun.run_id();
    let name = NAME.parse().unwrap();
    let run = async |actor: &Actor| room.knowledges.run(actor, &name, id).await.unwrap();
    let watching = async {
        room.parser.reached.notified().await;
        let seen = (run(&admin).await, run(&room.reader(&[])).await);
        room.parser.go_on.notify_one();
        seen
    };
    let (ended, (now, of_a_reader)) = tokio::join!(Box::pin(begun.run()), watching);
    ended.unwrap();
    assert_eq!((now.state, now.progress.unwrap().current.as_deref()), (RunState::Running, Some("slow.md")));
    assert_eq!(of_a_reader.progress, None);
    assert_eq!(run(&admin).await.progress.unwrap().current, None);
}

fn git(at: &Path, arguments: &[&str]) -> String {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main"];
    let done = Command::new("git").args(identity).args(arguments).current_dir(at).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_of_git_knows_its_commit_and_a_new_commit_rewrites_only_what_it_changed() {
    let room = Room::open().await;
    let docs = room.home.path().join("docs");
    room.write("a.md", &page(1));
    room.write("b.md", &page(2));
    git(&docs, &["init", "-q", "."]);
    git(&docs, &["add", "-A"]);
    git(&docs, &["commit", "-q", "-m", "one"]);
    let first = git(&docs, &["rev-parse", "HEAD"]);
    let source = json!({ "type": "git", "name": "docs", "url": url::Url::from_file_path(&docs).unwrap().as_str() });
    room.apply(json!({ "sources": [source.clone()] })).await;
    room.ingest().await;
    let commit = async |path: &str| document(&room, path).await.origin.unwrap().commit.unwrap();
    assert_eq!((commit("a.md").await, commit("b.md").await), (first.clone(), first.clone()));
    room.write("b.md", &page(3));
    git(&docs, &["commit", "-q", "-am", "two"]);
    let second = git(&docs, &["rev-parse", "HEAD"]);
    let report = room.ingest().await;
    assert_eq!((report.unchanged, report.changed), (1, 1), "{report:?}");
    assert_eq!((commit("a.md").await, commit("b.md").await), (first.clone(), second));
    // Rows written again from the text that is kept say nothing new of where it came from.
    let mut labelled = source;
    labelled["labels"] = json!(["hr"]);
    room.apply(json!({ "sources": [labelled] })).await;
    assert_eq!(room.ingest().await.changed, 2);
    assert_eq!(commit("a.md").await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_says_when_it_was_changed_and_read() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.apply(json!({})).await;
    room.ingest().await;
    let origin = document(&room, "a.md").await.origin.unwrap();
    let now = room.clock.now();
    assert_eq!(origin.fetched, Some(now));
    assert!(origin.last_modified.unwrap() < now.to_string(), "the room's clock is an hour ahead");
}
