//! Runs, from start to end, and those whose process died.

use std::time::Duration;

use mainspring_catalog::Catalog;
use mainspring_kernel::{AssetKind, Digest, Fault, FaultKind, PageRequest};
use mainspring_testservers::on_every_engine;
use serde_json::{Value, json};

use super::{Room, prompt};
use crate::{Link, NewRun, Outcome, Run, RunFilter, RunStatus};

on_every_engine!(Catalog: [
    a_run_names_what_it_read_and_wrote,
    a_run_ends_once,
    runs_are_listed_newest_first_and_filtered,
    a_run_whose_process_died_is_found_and_taken_over,
    another_project_sees_no_run,
    what_is_too_large_is_refused,
]);

fn new_run(kind: &str, name: &str) -> NewRun {
    NewRun {
        kind: kind.parse().unwrap(),
        name: name.to_owned(),
        trace: None,
        parent: None,
        owner: "process-1".to_owned(),
        parameters: json!({}),
        inputs: Vec::new(),
    }
}

fn outcome(status: RunStatus) -> Outcome {
    Outcome { status, metrics: json!({}), outputs: Vec::new(), error: None }
}

async fn start(room: &Room, kind: &str, name: &str) -> Run {
    room.clock.advance(Duration::from_millis(1));
    room.registry.start_run(&room.reader, new_run(kind, name)).await.unwrap()
}

async fn a_run_names_what_it_read_and_wrote(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let plan = room.apply(&[prompt("greeting", "hello")]).await.unwrap();
    let pin = &plan.changes[0].after;
    let parent = start(&room, "pipeline", "nightly").await;
    let table = Link { kind: "table".to_owned(), name: "chunks".to_owned(), number: Some(41), digest: None };
    let new = NewRun {
        trace: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
        parent: Some(parent.id),
        parameters: json!({"question": 1}),
        inputs: vec![Link::from(pin), table.clone()],
        ..new_run("request", "manual")
    };
    let run = room.registry.start_run(&room.reader, new).await.unwrap();
    room.registry.progress_run(&room.reader, run.id, &json!({"documents": 3})).await.unwrap();
    room.clock.advance(Duration::from_secs(2));
    let output = Link { kind: "blob".to_owned(), name: "answer".to_owned(), number: None, digest: Some(Digest::of(b"a")) };
    let done = Outcome { metrics: json!({"tokens": 12}), outputs: vec![output.clone()], ..outcome(RunStatus::Succeeded) };
    room.registry.finish_run(&room.reader, run.id, &done).await.unwrap();
    let found = room.registry.get_run(&room.reader, run.id).await.unwrap();
    assert_eq!(found.inputs, [Link::from(pin), table]);
    assert_eq!(found.outputs, [output]);
    assert_eq!((found.status, found.parent), (RunStatus::Succeeded, Some(parent.id)));
    assert_eq!((&found.progress, &found.metrics), (&json!({"documents": 3}), &json!({"tokens": 12})));
    assert_eq!(found.ended.unwrap().since(found.started), Duration::from_secs(2));
    let readers = room.registry.runs_with(&room.reader, &pin.digest, &PageRequest::first(5)).await.unwrap();
    assert_eq!(readers.items, [run.id]);
    assert_eq!(room.version(AssetKind::Prompt, "greeting").await.unwrap().pin, *pin);
}

async fn a_run_ends_once(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let run = start(&room, "ingestion", "manual").await;
    let failed = Outcome { error: Some("the disk\0 is full".to_owned()), ..outcome(RunStatus::Failed) };
    room.registry.finish_run(&room.reader, run.id, &failed).await.unwrap();
    let again = room.registry.finish_run(&room.reader, run.id, &outcome(RunStatus::Succeeded)).await.unwrap_err();
    assert_eq!((again.kind(), again.code()), (FaultKind::Conflict, "registry-run-ended"));
    let late = room.registry.progress_run(&room.reader, run.id, &json!({})).await.unwrap_err();
    assert_eq!(late.code(), "registry-run-ended");
    let found = room.registry.get_run(&room.reader, run.id).await.unwrap();
    assert_eq!(found.status, RunStatus::Failed);
    assert_eq!(found.error.as_deref(), Some("the disk\u{fffd} is full"));
}

async fn runs_are_listed_newest_first_and_filtered(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let mut ids = Vec::new();
    for (kind, name) in [("request", "a"), ("ingestion", "a"), ("request", "b"), ("request", "a")] {
        ids.push(start(&room, kind, name).await.id);
    }
    room.registry.finish_run(&room.reader, ids[3], &outcome(RunStatus::Succeeded)).await.unwrap();
    let list = async |filter: RunFilter| {
        let page = room.registry.list_runs(&room.reader, &filter, &PageRequest::first(9)).await.unwrap();
        page.items.iter().map(|run| run.id).collect::<Vec<_>>()
    };
    assert_eq!(list(RunFilter::default()).await, [ids[3], ids[2], ids[1], ids[0]]);
    let requests = RunFilter { kind: Some("request".parse().unwrap()), ..RunFilter::default() };
    assert_eq!(list(requests.clone()).await, [ids[3], ids[2], ids[0]]);
    assert_eq!(list(RunFilter { name: Some("a".to_owned()), ..requests.clone() }).await, [ids[3], ids[0]]);
    let running = RunFilter { status: Some(RunStatus::Running), ..requests };
    assert_eq!(list(running).await, [ids[2], ids[0]]);
    let first = PageRequest::new(Some(3), None).unwrap();
    let page = room.registry.list_runs(&room.reader, &RunFilter::default(), &first).await.unwrap();
    let second = PageRequest::new(Some(3), page.next).unwrap();
    let page = room.registry.list_runs(&room.reader, &RunFilter::default(), &second).await.unwrap();
    assert_eq!(page.items.iter().map(|run| run.id).collect::<Vec<_>>(), [ids[0]]);
}

async fn a_run_whose_process_died_is_found_and_taken_over(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let (dead, alive) = (start(&room, "ingestion", "a").await, start(&room, "ingestion", "b").await);
    room.clock.advance(Duration::from_secs(60));
    room.registry.heartbeat_run(&room.reader, alive.id).await.unwrap();
    let stale = room.registry.stale_runs(Duration::from_secs(30), 10).await.unwrap();
    assert_eq!(stale.iter().map(|run| run.id).collect::<Vec<_>>(), [dead.id]);
    assert_eq!(stale[0].owner, "process-1");
    room.registry.take_over_run(&room.reader, dead.id, "process-2").await.unwrap();
    assert!(room.registry.stale_runs(Duration::from_secs(30), 10).await.unwrap().is_empty());
    assert_eq!(room.registry.get_run(&room.reader, dead.id).await.unwrap().owner, "process-2");
}

async fn another_project_sees_no_run(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let run = start(&room, "request", "a").await;
    let registry = &room.registry;
    let faults = [
        registry.get_run(&room.stranger, run.id).await.unwrap_err(),
        registry.heartbeat_run(&room.stranger, run.id).await.unwrap_err(),
        registry.progress_run(&room.stranger, run.id, &json!({})).await.unwrap_err(),
        registry.take_over_run(&room.stranger, run.id, "x").await.unwrap_err(),
        registry.finish_run(&room.stranger, run.id, &outcome(RunStatus::Failed)).await.unwrap_err(),
    ];
    for fault in faults {
        assert_eq!(fault.code(), "registry-run-not-found");
    }
    let listed = registry.list_runs(&room.stranger, &RunFilter::default(), &PageRequest::first(5)).await.unwrap();
    assert!(listed.items.is_empty());
}

async fn what_is_too_large_is_refused(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let big = Value::String("x".repeat(300_000));
    let new = NewRun { parameters: big.clone(), ..new_run("request", "a") };
    let fault = room.registry.start_run(&room.reader, new).await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (FaultKind::TooLarge, "registry-too-large"));
    let run = start(&room, "request", "a").await;
    let fault = room.registry.progress_run(&room.reader, run.id, &big).await.unwrap_err();
    assert_eq!(fault.code(), "registry-too-large");
}
