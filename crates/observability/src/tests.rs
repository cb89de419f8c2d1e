mod adopting;
mod along;
mod any;
mod apart;
mod asking;
mod belonging;
mod beneath;
mod drifting;
mod echoing;
mod elsewhere;
mod erasing;
mod errands;
mod gathering;
mod grouping;
mod keeping;
mod keeping_telemetry;
mod learning;
mod listing;
mod logs;
mod looking;
mod once;
mod redacting;
mod rewriting;
mod scoring;
mod searching;
mod segments;
mod series;
mod settling;
mod storing;
mod tailing;
mod tree;
mod unsteady;
mod weighing;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use mainspring_blobs::Blobs;
use mainspring_kernel::{
    Actor, Clock, Fault, FrozenClock, Labels, ModelScope, PageRequest, Role, Tasks, Timestamp,
    id::{PrincipalId, ProjectId},
};
use mainspring_lake::Lake as _;
use mainspring_lake_lance::{LakeLocation, LanceConfig, LanceLake};
use mainspring_llm::{
    DocumentAccess, EventSink, Span, SpanId, TraceId,
    trace::{SpanEvent, SpanKind, SpanStatus, names},
};
use mainspring_telemetry::Metrics;
use proptest::prelude::*;
use serde_json::{Map, json};

use crate::{
    Bring, Capture, MetricPoints, Observability, Settings, TraceFault, TraceFilter, spill,
    table::{self, Texts},
};

const WAIT: Duration = Duration::from_secs(20);

fn project() -> ProjectId {
    ProjectId::from_raw(7)
}

fn actor(labels: Labels) -> Actor {
    Actor {
        principal: PrincipalId::from_raw(1),
        project: project(),
        role: Role::Reader,
        labels,
        key: None,
        models: ModelScope::All,
    }
}

fn holding(labels: &[&str]) -> Actor {
    actor(Labels::Some(labels.iter().map(|label| (*label).to_owned()).collect()))
}

fn span(start: i64, labels: &[&str]) -> Span {
    let mut attributes = Map::new();
    attributes.insert(names::APP.into(), json!("manual"));
    attributes.insert(names::LABELS.into(), labels.iter().map(|label| json!(label.split('|').collect::<Vec<_>>())).collect());
    attributes.insert(
        names::INPUT_MESSAGES.into(),
        json!([{"role": "user", "parts": [{"type": "text", "content": format!("question {start}")}]}]),
    );
    Span {
        project: project(),
        trace: TraceId::random(),
        span: SpanId::random(),
        parent: None,
        name: "invoke_agent manual".into(),
        kind: SpanKind::Server,
        start: Timestamp::from_micros(start),
        end: Timestamp::from_micros(start + 2_000),
        status: SpanStatus::Ok,
        attributes,
        events: vec![],
        links: vec![],
    }
}

/// Every span of a trace, however many pages that takes.
async fn read_whole(room: &Observability, actor: &Actor, id: TraceId) -> Result<Vec<Span>, TraceFault> {
    let (mut spans, mut place) = (Vec::new(), PageRequest::first(1));
    loop {
        let part = room.trace(actor, id, 1_000, &place).await?;
        spans.extend(part.spans.items);
        let Some(next) = part.spans.next else { return Ok(spans) };
        place = PageRequest::new(None, Some(next)).unwrap();
    }
}

/// Points of metrics beside the spans.
async fn points_in(dir: &Path, tasks: &Tasks) -> MetricPoints {
    let lake = LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.join("lake")))).await.unwrap();
    MetricPoints::new(Arc::new(lake), Capture::Full, tasks.clone())
}

struct Room {
    tasks: Tasks,
    room: Observability,
    clock: FrozenClock,
    access: Readable,
}

/// Documents that nobody may read but those who may read everything.
#[derive(Debug, Default, Clone)]
struct Readable(Arc<Mutex<BTreeSet<String>>>);

#[async_trait]
impl DocumentAccess for Readable {
    async fn unreadable(&self, actor: &Actor, documents: Vec<String>) -> Result<BTreeSet<String>, Box<dyn Fault>> {
        assert!(actor.labels != Labels::All || documents.is_empty(), "who may read everything is not asked about");
        let hidden = self.0.lock().unwrap();
        Ok(documents.into_iter().filter(|id| hidden.contains(id)).collect())
    }
}

fn settings(spill_dir: &Path, spill_limit: u64, capture: Capture) -> Settings {
    let (queue, queue_bytes, bring) = (1_000, 64 << 20, Bring::Within(Duration::from_millis(100)));
    let (spill_dir, values) = (spill_dir.to_owned(), Blobs::local(&spill_dir.with_file_name("values")).unwrap());
    Settings {
        spill_dir,
        spill_limit,
        held_limit: 32 << 20,
        values,
        shared: false,
        capture: capture.into(),
        queue,
        queue_bytes,
        bring,
        gives_way: false,
        adopt_after: Duration::from_secs(60),
        elsewhere: None,
    }
}

/// Writes spans as a process that died left them.
fn left(kept: &spill::Spill, spans: &[Span]) -> PathBuf {
    let (mut frames, mut texts) = (spill::Frames::default(), Texts::default());
    for span in spans {
        texts.write(span).unwrap();
        frames.push(span, &texts).unwrap();
    }
    kept.write(&frames).unwrap()
}

async fn open(dir: &Path, capture: Capture) -> Room {
    let lake = LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.join("lake")))).await.unwrap();
    let clock = FrozenClock::at(Timestamp::from_micros(1_700_000_000_000_000));
    open_over(&lake, &dir.join("spill"), (capture, clock)).await
}

async fn open_over(lake: &LanceLake, spill_dir: &Path, (capture, clock): (Capture, FrozenClock)) -> Room {
    let tasks = Tasks::default();
    let settings = settings(spill_dir, 1 << 30, capture);
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let access = Readable::default();
    let asked = Arc::new(access.clone());
    let room = Observability::open(lake, settings, &tasks, (shared, Metrics::default()), asked).await.unwrap();
    Room { tasks, room, clock, access }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_span_is_found_and_pages_hold_still_while_others_come() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, tasks, .. } = open(dir.path(), Capture::Full).await;
    let spans: Vec<Span> = (0..7).map(|n| span(1_000 + n, &[])).collect();
    spans.iter().for_each(|span| room.record(span.clone()));
    assert_eq!(read_whole(&room, &actor(Labels::All), spans[3].trace).await.unwrap(), [spans[3].clone()]);

    let all = actor(Labels::All);
    let first = room.list(&all, &TraceFilter::default(), &PageRequest::first(3)).await.unwrap();
    room.record(span(9_000, &[]));
    room.drain(WAIT).await.unwrap();
    let mut seen: Vec<i64> = first.items.iter().map(|trace| trace.start.as_micros()).collect();
    let mut next = first.next;
    while let Some(cursor) = next {
        let page = room.list(&all, &TraceFilter::default(), &PageRequest::new(Some(3), Some(cursor)).unwrap()).await.unwrap();
        seen.extend(page.items.iter().map(|trace| trace.start.as_micros()));
        next = page.next;
    }
    assert_eq!(seen, [1_006, 1_005, 1_004, 1_003, 1_002, 1_001, 1_000]);
    tasks.shut_down(WAIT).await.unwrap();
    assert_eq!(std::fs::read_dir(dir.path().join("spill")).unwrap().count(), 0, "everything is in the lake");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_a_caller_began_is_listed_once_by_the_model_that_answered() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, tasks, .. } = open(dir.path(), Capture::Full).await;
    let mut caller = span(1_000, &[]);
    (caller.kind, caller.name) = (SpanKind::Internal, "checkout".into());
    caller.attributes.clear();
    let mut ours = span(1_010, &[]);
    (ours.trace, ours.parent) = (caller.trace, Some(caller.span));
    ours.attributes.extend([
        (names::OPERATION.to_owned(), json!("invoke_agent")),
        (names::REQUEST_MODEL.to_owned(), json!("manual")),
        (names::RESPONSE_MODEL.to_owned(), json!("smollm2")),
    ]);
    room.record(caller.clone());
    room.record(ours.clone());
    room.drain(WAIT).await.unwrap();
    let all = actor(Labels::All);
    let list = async |filter: TraceFilter| room.list(&all, &filter, &PageRequest::first(1)).await.unwrap();

    let listed = list(TraceFilter::default()).await;
    let named: Vec<&str> = listed.items.iter().map(|trace| trace.name.as_str()).collect();
    assert_eq!((named, listed.next), (vec!["checkout"], None));
    let listed = list(TraceFilter { model: Some("smollm2".into()), ..TraceFilter::default() }).await;
    assert_eq!(listed.items.iter().map(|trace| trace.trace).collect::<Vec<_>>(), [ours.trace]);
    assert_eq!(listed.items[0].model.as_deref(), Some("smollm2"));
    tasks.shut_down(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_narrow() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let mut failed = span(1, &[]);
    failed.status = SpanStatus::Error("broke".into());
    failed.end = Timestamp::from_micros(5_000_001);
    [failed, span(2, &[]), span(3, &[])].into_iter().for_each(|span| room.record(span));
    let count =
        async |filter: TraceFilter| room.list(&actor(Labels::All), &filter, &PageRequest::first(10)).await.unwrap().items.len();
    assert_eq!(count(TraceFilter { status: Some("error".into()), ..TraceFilter::default() }).await, 1);
    assert_eq!(count(TraceFilter { min_millis: Some(4_000), ..TraceFilter::default() }).await, 1);
    assert_eq!(count(TraceFilter { text: Some("QUESTION 2".into()), ..TraceFilter::default() }).await, 1);
    assert_eq!(count(TraceFilter { text: Some("%".into()), ..TraceFilter::default() }).await, 0);
    assert_eq!(count(TraceFilter { app: Some("other".into()), ..TraceFilter::default() }).await, 0);
    assert_eq!(
        count(TraceFilter {
            from: Some(Timestamp::from_micros(2)),
            to: Some(Timestamp::from_micros(3)),
            ..TraceFilter::default()
        })
        .await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_with_a_foreign_label_does_not_exist_for_the_reader() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, clock, .. } = open(dir.path(), Capture::Full).await;
    let now = clock.now().as_micros();
    // The entry itself is harmless; a span below it is not.
    let entry = span(now - 10, &[]);
    let mut below = span(now - 9, &["hr"]);
    (below.trace, below.parent, below.kind) = (entry.trace, Some(entry.span), SpanKind::Internal);
    let open_one = span(now - 8, &[]);
    // A document that carries two labels may be read with either.
    let either = span(now - 6, &["press|board"]);
    [entry.clone(), below, open_one.clone(), span(now - 7, &["hr", "board"]), either.clone()]
        .into_iter()
        .for_each(|span| room.record(span));

    let seen = async |who: Actor| -> BTreeSet<TraceId> {
        room.list(&who, &TraceFilter::default(), &PageRequest::first(10))
            .await
            .unwrap()
            .items
            .into_iter()
            .map(|trace| trace.trace)
            .collect()
    };
    assert_eq!(seen(holding(&[])).await, [open_one.trace].into());
    assert_eq!(seen(holding(&["hr"])).await, [open_one.trace, entry.trace].into());
    assert_eq!(seen(holding(&["board"])).await, [open_one.trace, either.trace].into());
    assert_eq!(seen(actor(Labels::All)).await.len(), 4);
    assert!(matches!(read_whole(&room, &holding(&[]), entry.trace).await, Err(TraceFault::NotFound { .. })));
    let mut stranger = actor(Labels::All);
    stranger.project = ProjectId::from_raw(8);
    assert!(matches!(read_whole(&room, &stranger, entry.trace).await, Err(TraceFault::NotFound { .. })));
    let requests: u64 =
        room.activity(&holding(&["board"]), 2, None).await.unwrap().iter().map(|hour| hour.traffic.requests).sum();
    assert_eq!(requests, 2, "counts of what one may not see do not show");
}

#[tokio::test(flavor = "multi_thread")]
async fn content_is_gone_before_anything_is_written() {
    for (capture, question, user) in
        [(Capture::Metadata, false, true), (Capture::None, false, false), (Capture::Full, true, true)]
    {
        let dir = tempfile::tempdir().unwrap();
        let Room { room, .. } = open(dir.path(), capture).await;
        let mut recorded = span(1, &[]);
        recorded.attributes.insert(names::USER.into(), json!("ada"));
        room.record(recorded.clone());
        let stored = read_whole(&room, &actor(Labels::All), recorded.trace).await.unwrap();
        assert_eq!(stored[0].attributes.contains_key(names::INPUT_MESSAGES), question, "{capture:?}");
        assert_eq!(stored[0].attributes.contains_key(names::USER), user, "{capture:?}");
        assert!(stored[0].attributes.contains_key(names::APP));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_traces_expire() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    [span(10, &[]), span(20, &[])].into_iter().for_each(|span| room.record(span));
    room.drain(WAIT).await.unwrap();
    assert_eq!(room.expire(Timestamp::from_micros(15)).await.unwrap(), 1);
    assert_eq!(room.list(&actor(Labels::All), &TraceFilter::default(), &PageRequest::first(9)).await.unwrap().items.len(), 1);
}

/// A search that found a document, the model that read it without naming it, and a span of another program.
fn trace_that_used(document: &str, labels: &[&str]) -> [Span; 3] {
    let mut search = span(30, labels);
    search.attributes.insert(names::HITS.into(), json!([{"document": document, "text": "a zukamirel"}]));
    search.attributes.insert(names::DOCUMENTS.into(), json!([document]));
    let [mut model, mut foreign] = [span(31, labels), span(32, labels)];
    model.attributes.insert(names::OUTPUT_MESSAGES.into(), json!("it is a zukamirel"));
    model.attributes.insert(names::INPUT_TOKENS.into(), json!(12));
    model.status = SpanStatus::Error("no zukamirel".into());
    foreign.attributes.extend([("llm.prompt".to_owned(), json!("a zukamirel")), ("llm.cost".to_owned(), json!(0.5))]);
    for child in [&mut model, &mut foreign] {
        (child.trace, child.parent) = (search.trace, Some(search.span));
    }
    [search, model, foreign]
}

fn files_below(folder: &Path, found: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.path().is_dir() {
            true => files_below(&entry.path(), found),
            false => found.push(std::fs::read(entry.path()).unwrap()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_document_leaves_neither_text_in_the_traces_that_used_it_nor_old_files() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let used = trace_that_used("doc_abc", &[]);
    let other = span(40, &[]);
    used.iter().chain([&other]).for_each(|span| room.record(span.clone()));
    room.drain(WAIT).await.unwrap();
    let aside = dir.path().join("spill/aside");
    std::fs::create_dir(&aside).unwrap();
    std::fs::write(aside.join("0000000000000900.spill"), format!("damaged {} zukamirel", used[0].trace)).unwrap();
    std::fs::write(aside.join("0000000000000901.spill"), "damaged otherwise").unwrap();
    let on_disk = || {
        let mut files = Vec::new();
        files_below(dir.path(), &mut files);
        files.iter().filter(|bytes| bytes.windows(9).any(|part| part == b"zukamirel")).count()
    };
    assert!(on_disk() > 1);

    let documents = ["doc_abc".to_owned()];
    let elsewhere = room.forget_documents(ProjectId::from_raw(8), &documents, None).await.unwrap();
    assert_eq!(elsewhere.spans, 0, "another project has its own documents");
    let swept = room.forget_documents(project(), &documents, None).await.unwrap();
    assert_eq!((swept.spans, swept.brought), (3, true));
    assert_eq!(room.forget_documents(project(), &documents, None).await.unwrap().spans, 0, "once is enough");
    assert_eq!(room.forget_documents(project(), &[], None).await.unwrap().spans, 0);
    assert_eq!(on_disk(), 0);
    assert!(aside.join("0000000000000901.spill").exists());

    let left = read_whole(&room, &actor(Labels::All), used[0].trace).await.unwrap();
    assert_eq!(left.len(), 3);
    assert!(!format!("{left:?}").contains("zukamirel") && !format!("{left:?}").contains("question"), "{left:#?}");
    assert!(left.iter().all(|span| span.attributes[names::FORGOTTEN] == true && span.attributes[names::APP] == "manual"));
    assert_eq!((&left[1].attributes[names::INPUT_TOKENS], &left[2].attributes["llm.cost"]), (&json!(12), &json!(0.5)));
    assert_eq!(read_whole(&room, &actor(Labels::All), other.trace).await.unwrap(), [other]);
    let late = trace_that_used("doc_abc", &[]);
    room.record(late[0].clone());
    let since = Some(Timestamp::from_micros(31));
    assert_eq!(room.forget_documents(project(), &documents, since).await.unwrap().spans, 0);
    let until = Some(Timestamp::from_micros(late[0].start.as_micros() - 1));
    assert_eq!(room.forget_documents_between(project(), &documents, (None, until)).await.unwrap().spans, 0);
    assert_eq!(room.forget_documents(project(), &documents, Some(late[0].start)).await.unwrap().spans, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_of_one_trace_leaves_another_whose_spans_have_the_same_ids() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let first = trace_that_used("doc_abc", &[]);
    first.iter().for_each(|span| room.record(span.clone()));
    room.drain(WAIT).await.unwrap();
    let documents = ["doc_abc".to_owned()];
    let taken = room.forget_documents(project(), &documents, None).await.unwrap().spans;
    assert!(taken > 0);
    // A program that numbers its spans begins again.
    let trace = TraceId::random();
    first.iter().for_each(|span| room.record(Span { trace, ..span.clone() }));
    room.drain(WAIT).await.unwrap();
    assert_eq!(room.forget_documents(project(), &documents, None).await.unwrap().spans, taken);
    for id in [first[0].trace, trace] {
        assert_eq!(read_whole(&room, &actor(Labels::All), id).await.unwrap().len(), first.len(), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_hidden_from_who_may_not_read_its_documents_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, access, .. } = open(dir.path(), Capture::Full).await;
    let used = trace_that_used("doc_abc", &[]);
    let other = span(40, &[]);
    used.iter().chain([&other]).for_each(|span| room.record(span.clone()));
    let reader = holding(&["hr"]);
    let seen = async |who: &Actor| {
        let listed = room.list(who, &TraceFilter::default(), &PageRequest::first(9)).await.unwrap();
        let apps = room.by_app(who).await.unwrap();
        let found = read_whole(&room, who, used[0].trace).await;
        let hidden = matches!(found, Err(TraceFault::NotFound { .. }));
        assert!(hidden || found.is_ok());
        let traces: BTreeSet<TraceId> = listed.items.iter().map(|trace| trace.trace).collect();
        (traces.contains(&used[0].trace), traces.contains(&other.trace), apps.is_empty(), !hidden)
    };
    assert_eq!(seen(&reader).await, (true, true, true, true));
    access.0.lock().unwrap().insert("doc_abc".into());
    assert_eq!(seen(&reader).await, (false, true, true, false));
    assert_eq!(seen(&actor(Labels::All)).await, (true, true, true, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_drops_and_counts_and_never_waits() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    (0..20_000).for_each(|n| room.record(span(n, &[])));
    let status = room.status();
    assert_eq!(status.recorded + status.dropped, 20_000);
    assert!(status.dropped > 0);
    room.drain(WAIT).await.unwrap();
}

#[tokio::test]
async fn a_queue_holds_no_more_bytes_than_it_may_and_takes_again_what_comes_later() {
    let dir = tempfile::tempdir().unwrap();
    let lake = LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.path().join("lake")))).await.unwrap();
    let settings =
        Settings { queue_bytes: 100_000, gives_way: true, ..settings(&dir.path().join("spill"), 1 << 30, Capture::Full) };
    let clock: Arc<dyn Clock> = Arc::new(FrozenClock::at(Timestamp::from_micros(1)));
    let (tasks, access) = (Tasks::default(), Arc::new(Readable::default()));
    let room = Observability::open(&lake, settings, &tasks, (clock, Metrics::default()), access).await.unwrap();
    let large = |start: i64| {
        let mut span = span(start, &[]);
        span.attributes.insert("text".into(), json!("x".repeat(60_000)));
        span
    };
    // There is one thread, so nothing is taken out before this one waits.
    (0..20).for_each(|n| room.record(large(n)));
    let status = room.status();
    assert_eq!((status.recorded, status.dropped), (1, 19));
    room.flush(WAIT).await.unwrap();
    room.record_durably((0..5).map(|n| large(1_000 + n)).collect(), WAIT).await.unwrap();
    // Larger than the queue, and no text of it large enough to be kept elsewhere.
    let mut whole = large(2_000);
    whole.attributes.extend((0..4).map(|n| (format!("text {n}"), json!("x".repeat(40_000)))));
    room.record_durably(vec![whole.clone()], WAIT).await.unwrap();
    assert_eq!(read_whole(&room, &actor(Labels::All), whole.trace).await.unwrap(), [whole]);
    tasks.shut_down(WAIT).await.unwrap();
}
