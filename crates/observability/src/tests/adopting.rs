//! Traces of which no entry was sent: by which span they are entered, when, and for how long.

mod large;
mod together;

use mainspring_kernel::Stop;
use mainspring_lake::{Filter, Lake, Scalar, Scan};

use super::{
    asking::{NOW, SECOND},
    *,
};
use crate::{
    Errand, GatheredBy, Heard, Hold, NewScore, Scores, SpanFilter, Tailing, Workplace, adopting,
    table::{ADOPTED, Rows},
};

const AFTER: Duration = Duration::from_secs(60);
/// Nobody looks but the test.
const NEVER: Duration = Duration::from_secs(1 << 32);

async fn lake(dir: &Path) -> LanceLake {
    LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.join("lake")))).await.unwrap()
}

async fn opened_over(lake: &LanceLake, spill_dir: &Path, shared: bool) -> Room {
    let (tasks, access, clock) = (Tasks::default(), Readable::default(), FrozenClock::at(Timestamp::from_micros(NOW)));
    let settings = Settings { adopt_after: NEVER, shared, ..settings(spill_dir, 1 << 30, Capture::Full) };
    let (time, asked): (Arc<dyn Clock>, _) = (Arc::new(clock.clone()), Arc::new(access.clone()));
    let room = Observability::open(lake, settings, &tasks, (time, Metrics::default()), asked).await.unwrap();
    Room { tasks, room, clock, access }
}

async fn opened(dir: &Path) -> Room {
    opened_over(&lake(dir).await, &dir.join("spill"), false).await
}

/// A span of another program, beneath one that was not sent unless it is said.
fn part(name: &str, trace: TraceId, parent: Option<SpanId>, start: i64) -> Span {
    let attributes = Map::from_iter([("session.id".to_owned(), json!("s-1"))]);
    let parent = Some(parent.unwrap_or_else(SpanId::random));
    Span { trace, parent, name: name.into(), kind: SpanKind::Internal, attributes, ..span(start, &[]) }
}

/// The same without a parent.
fn root(name: &str, trace: TraceId, start: i64) -> Span {
    Span { parent: None, ..part(name, trace, None, start) }
}

async fn tell(room: &Observability, spans: &[Span]) {
    room.record_durably(spans.to_vec(), WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
}

async fn look(room: &Observability) {
    adopting::look(room.kept(), room.board(), AFTER, &Stop::never()).await.unwrap();
}

/// Adopts what there is.
async fn look_later(it: &Room) {
    look(&it.room).await;
    it.clock.advance(AFTER);
    look(&it.room).await;
}

fn filtered(text: &str) -> TraceFilter {
    TraceFilter { also: text.parse::<SpanFilter>().unwrap(), ..TraceFilter::default() }
}

async fn of_project(room: &Observability, project: u128, text: &str) -> Vec<String> {
    let actor = Actor { project: ProjectId::from_raw(project), ..actor(Labels::All) };
    let listed = room.list(&actor, &filtered(text), &PageRequest::first(50)).await.unwrap().items;
    assert_eq!(room.count(&actor, &filtered(text)).await.unwrap().count, listed.len() as u64);
    listed.into_iter().map(|trace| trace.name).collect()
}

async fn listed(room: &Observability) -> Vec<String> {
    of_project(room, 7, "").await
}

/// Every span that is an entry, by name.
async fn entries(room: &Observability) -> Vec<String> {
    let found = room.spans(&actor(Labels::All), &filtered("entry"), &PageRequest::first(50)).await.unwrap().items;
    found.into_iter().map(|span| span.name).collect()
}

async fn adopted(room: &Observability) -> u64 {
    room.table().count(Filter::Eq(ADOPTED.into(), Scalar::Bool(true))).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_entered_by_the_first_of_its_topmost_spans_when_it_has_been_quiet() {
    let dir = tempfile::tempdir().unwrap();
    let it = opened(dir.path()).await;
    let (room, trace, all) = (&it.room, TraceId::random(), actor(Labels::All));
    let call = part("call", trace, None, NOW);
    // A clock that goes wrong, and another call.
    let below = part("below", trace, Some(call.span), NOW - 5);
    let other = part("other", trace, None, NOW + 3);
    let begun = root("begun", TraceId::random(), NOW - SECOND);
    let step = part("step", begun.trace, Some(begun.span), NOW);
    let sent = [below.clone(), call.clone(), other.clone()];
    tell(room, &sent).await;
    tell(room, &[begun, step]).await;
    look(room).await;
    assert_eq!(listed(room).await, ["begun"], "an entry may come yet");
    it.clock.advance(AFTER / 2);
    let late = part("late", trace, Some(call.span), NOW + 9);
    tell(room, std::slice::from_ref(&late)).await;
    it.clock.advance(AFTER / 2);
    look(room).await;
    assert_eq!(listed(room).await, ["begun"], "something came half a minute ago");
    let before = room.table().version().await.unwrap().number;
    it.clock.advance(AFTER / 2);
    look(room).await;
    assert_eq!(listed(room).await, ["call", "begun"]);
    assert_eq!((entries(room).await, adopted(room).await), (vec!["call".to_owned(), "begun".to_owned()], 1));
    assert_eq!(room.table().version().await.unwrap().number, before + 1, "only what is adopted is written");
    it.clock.advance(AFTER);
    look(room).await;
    assert_eq!(room.table().version().await.unwrap().number, before + 1, "and once");

    // It is what it was for whoever reads it, and counts wherever traces do.
    let read = read_whole(room, &all, trace).await.unwrap();
    assert_eq!(read, [below, call, other, late]);
    let sessions = room.gathered(&all, GatheredBy::Session, &TraceFilter::default(), &PageRequest::first(9)).await.unwrap();
    assert_eq!(sessions.items.iter().map(|session| session.id.as_str()).collect::<Vec<_>>(), ["s-1"]);
    assert_eq!(room.session(&all, "s-1", &PageRequest::first(9)).await.unwrap().traces.items.len(), 2);
    let requests: u64 = room.activity(&all, 2, None).await.unwrap().iter().map(|hour| hour.traffic.requests).sum();
    assert_eq!(requests, 2);
    it.tasks.shut_down(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_without_a_top_is_entered_by_the_span_that_began_first() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (part("one", TraceId::random(), None, NOW), part("other", TraceId::random(), None, NOW + 1));
    let one = Span { parent: Some(other.span), ..one };
    let other = Span { trace: one.trace, parent: Some(one.span), ..other };
    let own = part("own parent", TraceId::random(), None, NOW + 2);
    let own = Span { parent: Some(own.span), ..own };
    {
        let it = opened(dir.path()).await;
        tell(&it.room, &[one, other, own]).await;
        it.tasks.shut_down(WAIT).await.unwrap();
    }
    // Also where the process ends before it has been quiet for so long.
    let it = opened(dir.path()).await;
    assert_eq!(listed(&it.room).await, Vec::<String>::new());
    look_later(&it).await;
    assert_eq!((listed(&it.room).await, adopted(&it.room).await), (vec!["own parent".to_owned(), "one".to_owned()], 2));
    it.tasks.shut_down(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_comes_late_takes_the_place_of_what_was_adopted() {
    let dir = tempfile::tempdir().unwrap();
    let it = opened(dir.path()).await;
    let room = &it.room;
    let begun = root("root", TraceId::random(), NOW - SECOND);
    let call = part("call", begun.trace, Some(begun.span), NOW);
    tell(room, std::slice::from_ref(&call)).await;
    look_later(&it).await;
    assert_eq!(listed(room).await, ["call"]);
    tell(room, std::slice::from_ref(&begun)).await;
    assert_eq!((listed(room).await, entries(room).await), (vec!["root".to_owned()], vec!["root".to_owned()]));
    look_later(&it).await;
    assert_eq!((listed(room).await, adopted(room).await), (vec!["root".to_owned()], 0));

    // This server's own go without the table being asked for the whole trace: it is looked at afterwards.
    let step = part("step", TraceId::random(), None, NOW);
    tell(room, std::slice::from_ref(&step)).await;
    look_later(&it).await;
    assert_eq!(listed(room).await, ["step", "root"]);
    room.record(Span { kind: SpanKind::Server, ..part("ours", step.trace, None, NOW + 1) });
    room.drain(WAIT).await.unwrap();
    look(room).await;
    assert_eq!((entries(room).await, adopted(room).await), (vec!["ours".to_owned(), "root".to_owned()], 0));
    assert_eq!(read_whole(room, &actor(Labels::All), step.trace).await.unwrap()[0], step);
    it.tasks.shut_down(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_top_that_comes_late_takes_the_place_too_when_it_is_quiet_again() {
    let dir = tempfile::tempdir().unwrap();
    let it = opened(dir.path()).await;
    let top = part("top", TraceId::random(), None, NOW - SECOND);
    let below = part("below", top.trace, Some(top.span), NOW);
    tell(&it.room, std::slice::from_ref(&below)).await;
    look_later(&it).await;
    assert_eq!(listed(&it.room).await, ["below"]);
    tell(&it.room, std::slice::from_ref(&top)).await;
    assert_eq!(listed(&it.room).await, ["below"]);
    look_later(&it).await;
    assert_eq!((listed(&it.room).await, adopted(&it.room).await), (vec!["top".to_owned()], 1));
    it.tasks.shut_down(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_and_traces_that_name_the_same_ids_are_kept_apart() {
    let dir = tempfile::tempdir().unwrap();
    let it = opened(dir.path()).await;
    let room = &it.room;
    let orphan = part("orphan", TraceId::random(), None, NOW);
    // A program that numbers its spans, and one whose trace goes through two projects.
    let numbered = Span { span: orphan.span, ..root("numbered", TraceId::random(), NOW) };
    let second = Span { trace: TraceId::random(), name: "second".into(), ..orphan.clone() };
    let elsewhere = Span { project: ProjectId::from_raw(8), parent: None, name: "elsewhere".into(), ..orphan.clone() };
    let theirs = Span { project: ProjectId::from_raw(8), ..part("theirs", second.trace, None, NOW) };
    tell(room, &[orphan, numbered, second, elsewhere, theirs]).await;
    // A record by itself is no way in.
    let mut record = part("record", TraceId::random(), None, NOW);
    record.attributes.insert(names::SIGNAL.to_owned(), json!("log"));
    tell(room, &[record]).await;
    look_later(&it).await;
    let mut ours = listed(room).await;
    ours.sort();
    assert_eq!(ours, ["numbered", "orphan", "second"]);
    let mut others = of_project(room, 8, "").await;
    others.sort();
    assert_eq!((others, adopted(room).await), (vec!["elsewhere".to_owned(), "theirs".to_owned()], 3));
    assert_eq!(room.table().count(Filter::All).await.unwrap(), 6, "nothing went, and nothing is there twice");
    it.tasks.shut_down(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_rewrites_the_row_leaves_the_mark() {
    let dir = tempfile::tempdir().unwrap();
    let it = opened(dir.path()).await;
    let room = &it.room;
    let says = |name: &str, trace: TraceId, parent: Option<SpanId>| {
        let mut call = part(name, trace, parent, NOW);
        call.attributes.extend([
            ("gen_ai.operation.name".to_owned(), json!("chat")),
            ("gen_ai.usage.input_tokens".to_owned(), json!(7)),
            ("input.value".to_owned(), json!("a zukamirel")),
            (names::DOCUMENTS.to_owned(), json!(["doc_abc"])),
        ]);
        call
    };
    let call = says("call", TraceId::random(), None);
    tell(room, std::slice::from_ref(&call)).await;
    look_later(&it).await;
    // It counts no longer, since one beneath it says the same.
    tell(room, &[says("beneath", call.trace, Some(call.span))]).await;
    let these = || Filter::eq("span", call.span.to_string());
    let batches = room.table().scan(Scan::of(these())).await.unwrap();
    let rows = Rows(&batches[0]);
    assert_eq!((rows.yes("counted", 0).unwrap(), rows.yes("entry", 0).unwrap()), (Some(false), Some(true)));
    assert_eq!((listed(room).await, adopted(room).await), (vec!["call".to_owned()], 1));
    // And it shows no longer what it read.
    assert!(room.forget_documents(project(), &["doc_abc".to_owned()], None).await.unwrap().spans > 0);
    assert_eq!((listed(room).await, adopted(room).await), (vec!["call".to_owned()], 1));
    let read = read_whole(room, &actor(Labels::All), call.trace).await.unwrap();
    assert!(!format!("{read:?}").contains("zukamirel") && read.iter().any(|span| span.parent == call.parent));
    it.tasks.shut_down(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_process_left_is_looked_for_and_relieved_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let begun = root("root", TraceId::random(), NOW - SECOND);
    let call = part("call", begun.trace, Some(begun.span), NOW);
    let there = root("there", TraceId::random(), NOW);
    {
        let it = opened(dir.path()).await;
        tell(&it.room, &[call, there]).await;
        it.tasks.shut_down(WAIT).await.unwrap();
    }
    {
        let it = opened(dir.path()).await;
        look(&it.room).await;
        assert_eq!(listed(&it.room).await, ["there"], "it waits as if it had come just now");
        it.clock.advance(AFTER);
        look(&it.room).await;
        let mut found = listed(&it.room).await;
        found.sort();
        assert_eq!(found, ["call", "there"]);
        it.tasks.shut_down(WAIT).await.unwrap();
    }
    let it = opened(dir.path()).await;
    tell(&it.room, &[begun]).await;
    assert_eq!((listed(&it.room).await, adopted(&it.room).await), (vec!["there".to_owned(), "root".to_owned()], 0));
    it.tasks.shut_down(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_works_for_another_adopts_what_had_ended_by_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let call = part("call", TraceId::random(), None, NOW);
    {
        let it = opened(dir.path()).await;
        tell(&it.room, std::slice::from_ref(&call)).await;
        it.tasks.shut_down(WAIT).await.unwrap();
    }
    let upkeep = async |before: Timestamp| {
        let (lake, spill) = (lake(dir.path()).await, dir.path().join("spill"));
        let hold = Hold::take(&spill, WAIT).await.unwrap();
        let place = Workplace::open(&lake, &spill, Blobs::local(&dir.path().join("values")).unwrap(), hold).await.unwrap();
        let errand = Errand::upkeep(None, Duration::from_secs(3600)).adopting(before);
        place.run(errand, &Stop::never()).await.unwrap();
        let table = lake.open(&table::table_name().unwrap(), &table::spec()).await.unwrap();
        table.count(Filter::Eq("entry".into(), Scalar::Bool(true))).await.unwrap()
    };
    assert_eq!(upkeep(Timestamp::from_micros(call.end.as_micros() - 1)).await, 0);
    assert_eq!(upkeep(call.end).await, 1);
    assert_eq!(upkeep(call.end).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_adopt_one_span_of_a_trace() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake(dir.path()).await;
    let (one, other) =
        (opened_over(&lake, &dir.path().join("one"), true).await, opened_over(&lake, &dir.path().join("other"), true).await);
    let first = part("first", TraceId::random(), None, NOW);
    tell(&one.room, std::slice::from_ref(&first)).await;
    tell(&other.room, &[part("second", first.trace, None, NOW + 1)]).await;
    for it in [&one, &other] {
        // At first it looks for what an earlier process left.
        look(&it.room).await;
        it.clock.advance(AFTER);
    }
    tokio::join!(look(&one.room), look(&other.room));
    tokio::join!(look(&other.room), look(&one.room));
    for it in [&one, &other] {
        assert_eq!((listed(&it.room).await, adopted(&it.room).await), (vec!["first".to_owned()], 1));
    }
    // The one that did not send the first hears of the beginning.
    tell(&other.room, &[root("root", first.trace, NOW - SECOND)]).await;
    assert_eq!((listed(&one.room).await, adopted(&one.room).await), (vec!["root".to_owned()], 0));
    for it in [one, other] {
        it.tasks.shut_down(WAIT).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_entries_hears_of_it_when_it_is_one_and_nobody_hears_twice() {
    let dir = tempfile::tempdir().unwrap();
    let it = opened(dir.path()).await;
    let room = &it.room;
    let follow = |every_span| {
        let tailing = Tailing { filter: SpanFilter::all(), every_span };
        room.tail(&it.tasks, actor(Labels::All), tailing).unwrap()
    };
    let (mut entries, mut every) = (follow(false), follow(true));
    let told = async |heard: &mut tokio::sync::mpsc::Receiver<Heard>| match tokio::time::timeout(WAIT, heard.recv()).await {
        Ok(Some(Heard::Span(span))) => (span.name, span.entry),
        other => panic!("{other:?}"),
    };
    tell(room, &[part("call", TraceId::random(), None, NOW)]).await;
    assert_eq!(told(&mut every).await, ("call".to_owned(), false));
    look_later(&it).await;
    assert_eq!(told(&mut entries).await, ("call".to_owned(), true));
    tell(room, &[root("next", TraceId::random(), NOW)]).await;
    for heard in [&mut entries, &mut every] {
        assert_eq!(told(heard).await, ("next".to_owned(), true));
    }
    it.tasks.shut_down(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_the_trace_is_borne_by_what_was_adopted() {
    let dir = tempfile::tempdir().unwrap();
    let it = opened(dir.path()).await;
    let lake: Arc<dyn Lake> = Arc::new(lake(dir.path()).await);
    let scores = Scores::new(lake, Capture::Full, it.tasks.clone());
    let room = it.room.clone().with_scores(scores);
    let call = part("call", TraceId::random(), None, NOW);
    let below = part("below", call.trace, Some(call.span), NOW + 1);
    tell(&room, &[call.clone(), below.clone()]).await;
    let said =
        NewScore { name: "quality".to_owned(), value: json!(0.5), trace: Some(call.trace.to_string()), ..NewScore::default() };
    let score = room.scores().unwrap().check(said, project(), it.clock.now()).unwrap();
    room.put_scores(&actor(Labels::All), vec![score]).await.unwrap();
    let borne = async || {
        let borne = room.borne_by(&actor(Labels::All), &[call.clone(), below.clone()]).await.unwrap();
        borne.iter().map(Vec::len).collect::<Vec<_>>()
    };
    assert_eq!(borne().await, [0, 0]);
    look_later(&it).await;
    assert_eq!(borne().await, [1, 0]);
    assert_eq!(of_project(&room, 7, "score.quality > 0").await, ["call"]);
    it.tasks.shut_down(WAIT).await.unwrap();
}
