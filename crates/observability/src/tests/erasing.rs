//! Erasures over several servers: each has spans on a disk of its own.

use std::time::SystemTime;

use mainspring_catalog::Catalog;
use mainspring_jobs::{Jobs, Lease};
use mainspring_testservers::on_every_engine;

use super::{
    keeping_telemetry::{Kept, enter, keep, keeping_of},
    *,
};
use crate::{Erasure, ErasureState, Keeping, KeepingFault, Subject, conventions::Facts, table::to_batch_of};

on_every_engine!(Catalog: [
    an_erasure_waits_for_a_server_that_died_with_spans_and_takes_what_it_brings,
    a_server_that_was_given_up_carries_out_what_was_done_without_it,
    a_server_that_nobody_knows_carries_out_what_was_done_lately,
    traces_of_an_erased_document_lose_their_text_on_the_disk_of_a_server_that_was_away,
    a_moved_document_goes_under_every_id_it_had_while_a_server_is_away,
    a_server_with_nothing_on_its_disk_is_not_waited_for,
    somebody_is_found_under_every_name_that_a_span_says,
    an_erasure_goes_on_where_a_dead_process_had_looked_until,
    a_span_that_took_a_name_while_its_trace_went_goes_too,
]);

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn of(user: &str, start: i64) -> Span {
    let mut made = span(start, &[]);
    made.attributes.insert(names::USER.into(), json!(user));
    made
}

/// What a server leaves on its disk that dies: spans on their way to the lake, and spans that are held.
struct Left {
    dir: tempfile::TempDir,
    waiting: PathBuf,
    held: PathBuf,
}

fn died_with(waiting: &[Span], held: &[Span]) -> Left {
    let dir = tempfile::tempdir().unwrap();
    let spill = |folder: &str| spill::Spill::open(&dir.path().join(folder), 1 << 20).unwrap();
    let (waiting, held) = (left(&spill("spill"), waiting), left(&spill("spill/undecided"), held));
    Left { dir, waiting, held }
}

fn on_disk(path: &Path) -> Vec<Span> {
    spill::read(path).unwrap().map(|segment| segment.spans).unwrap_or_default()
}

async fn asked(keeping: &Keeping, admin: &Actor, subject: &Subject) -> Erasure {
    let asked = keeping.ask(admin, subject).await.unwrap();
    keeping.begin(asked.id).await.unwrap().unwrap();
    asked
}

async fn leased(catalog: &Catalog, it: &Room) -> Lease {
    let jobs = Jobs::open(catalog.clone(), Arc::new(it.clock.clone()));
    jobs.lease("a test", &[crate::EraseJob::kind()], WAIT).await.unwrap().unwrap()
}

#[track_caller]
fn waits_for(outcome: Result<i64, KeepingFault>, name: &str) {
    match outcome {
        Err(KeepingFault::Waits { reason }) => assert!(reason.contains(name), "{reason}"),
        other => panic!("it waits: {other:?}"),
    }
}

async fn an_erasure_waits_for_a_server_that_died_with_spans_and_takes_what_it_brings(catalog: Catalog) {
    let Kept { keeping, it, admin, lake, dir: _dir, .. } = keep(catalog.clone()).await;
    let (mut beneath, others) = (span(6, &[]), [of("else", 7), of("else", 8)]);
    let theirs = of("somebody", 5);
    beneath.trace = theirs.trace;
    // What another server has of the trace, which does not say whose it is.
    let mut brought = span(9, &[]);
    brought.trace = theirs.trace;
    let in_lake = of("somebody", 10);
    it.room.record_durably(vec![brought, in_lake.clone()], WAIT).await.unwrap();
    it.room.drain(WAIT).await.unwrap();
    let Left { dir: other, waiting, held } = died_with(&[theirs.clone(), others[0].clone()], &[beneath, others[1].clone()]);
    drop(enter(&catalog, &it.clock, other.path(), "another").await);
    assert_eq!(on_disk(&waiting).len(), 2, "nothing was erased yet");
    it.clock.advance(2 * MINUTE);

    let subject = Subject::User("somebody".into());
    let asked = asked(&keeping, &admin, &subject).await;
    waits_for(keeping.erase(asked.id, project(), &subject).await, "another, which was heard of last at 2023");
    assert!(read_whole(&it.room, &admin, in_lake.trace).await.is_err(), "what can go is gone");
    let found = keeping.erasure(&admin, asked.id).await.unwrap();
    assert_eq!((found.state, found.erased.spans, found.cleaned.is_some()), (ErasureState::Running, 1, true));
    let names: Vec<(&str, bool)> = found.waits_for.iter().map(|server| (server.name.as_str(), server.alive)).collect();
    assert_eq!(names, [("another", false)]);
    let lease = leased(&catalog, &it).await;
    let early = keeping.finish(&admin, asked.id, &lease, 0).await;
    assert!(matches!(early, Err(KeepingFault::Waits { .. })), "{early:?}");
    assert!(read_whole(&it.room, &admin, theirs.trace).await.is_ok(), "nobody here knows that it is theirs");

    // It is back, and carries it out before it brings anything.
    let server = enter(&catalog, &it.clock, other.path(), "it again").await;
    assert_eq!((on_disk(&waiting), on_disk(&held)), (vec![others[0].clone()], vec![others[1].clone()]));
    let back = open_over(&lake, &other.path().join("spill"), (Capture::Full, it.clock.clone())).await;
    let (theirs_too, _) = keeping_of(catalog.clone(), &back, (other.path(), server)).await;
    back.tasks.spawn("erasures", |stop| theirs_too.keep_part(stop));

    let answered = keeping.erase(asked.id, project(), &subject).await.unwrap();
    assert!(read_whole(&it.room, &admin, theirs.trace).await.is_err(), "they said which trace it was");
    assert_eq!(read_whole(&it.room, &admin, others[0].trace).await.unwrap(), [others[0].clone()]);
    keeping.finish(&admin, asked.id, &lease, answered).await.unwrap();
    let done = keeping.erasure(&admin, asked.id).await.unwrap();
    assert_eq!((done.state, done.subject, done.erased.spans), (ErasureState::Done, None, 2));
    assert!(done.waits_for.is_empty() && done.without.is_empty());
    back.tasks.shut_down(WAIT).await.unwrap();
}

/// An erasure that is done.
async fn erased(catalog: &Catalog, keeping: &Keeping, (it, admin): (&Room, &Actor), subject: &Subject) -> Erasure {
    let asked = asked(keeping, admin, subject).await;
    let lease = leased(catalog, it).await;
    let answered = keeping.erase(asked.id, project(), subject).await.unwrap();
    keeping.finish(admin, asked.id, &lease, answered).await.unwrap();
    keeping.erasure(admin, asked.id).await.unwrap()
}

async fn a_server_that_was_given_up_carries_out_what_was_done_without_it(catalog: Catalog) {
    let Kept { keeping, it, admin, dir: _dir, .. } = keep(catalog.clone()).await;
    let (theirs, mut beneath, others) = (of("somebody", 5), span(6, &[]), of("else", 7));
    beneath.trace = theirs.trace;
    let Left { dir, waiting, held } = died_with(&[theirs.clone(), others.clone()], &[beneath]);
    drop(enter(&catalog, &it.clock, dir.path(), "another").await);
    it.clock.advance(8 * DAY);
    let subject = Subject::User("somebody".into());
    let done = erased(&catalog, &keeping, (&it, &admin), &subject).await;
    let names = |erasure: &Erasure| erasure.without.iter().map(|server| server.name.clone()).collect::<Vec<_>>();
    assert_eq!((done.state, names(&done)), (ErasureState::Done, vec!["another".to_owned()]));
    it.clock.advance(MINUTE);

    // Nothing says any more who it was, and still it is known whose the spans are.
    drop(enter(&catalog, &it.clock, dir.path(), "another").await);
    assert_eq!(on_disk(&waiting), [others.clone()]);
    assert!(!held.exists());
    let listed = keeping.erasures(&admin, &PageRequest::first(10)).await.unwrap().items;
    assert_eq!(names(&listed[1]), Vec::<String>::new(), "it has made good for it");
    let follows = (listed[0].kind.as_str(), listed[0].subject.clone());
    assert_eq!(follows, ("trace", Some(theirs.trace.to_string())), "the lake may have something of the trace");
    // It is carried out once: what they send later stays.
    let again = of("somebody", 30);
    let more = left(&spill::Spill::open(&dir.path().join("spill"), 1 << 20).unwrap(), &[again.clone()]);
    drop(enter(&catalog, &it.clock, dir.path(), "another").await);
    assert_eq!(on_disk(&more), [again]);
}

async fn a_server_that_nobody_knows_carries_out_what_was_done_lately(catalog: Catalog) {
    let Kept { keeping, it, admin, dir: _dir, .. } = keep(catalog.clone()).await;
    for subject in [Subject::Session("s-1".into()), Subject::Trace("4bf92f3577b34da6a3ce929d0e0e4736".into())] {
        erased(&catalog, &keeping, (&it, &admin), &subject).await;
    }
    let (mut session, mut trace, others, old) = (span(5, &[]), span(6, &[]), of("else", 7), of("else", 8));
    session.attributes.insert(names::CONVERSATION.into(), json!("s-1"));
    trace.trace = "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap();
    let Left { dir, waiting, held } = died_with(&[session, trace, others.clone()], &[old]);
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_000) - 100 * DAY;
    std::fs::File::options().write(true).open(&held).unwrap().set_modified(long_ago).unwrap();
    drop(enter(&catalog, &it.clock, dir.path(), "a copy").await);
    assert_eq!(on_disk(&waiting), [others]);
    assert!(!held.exists(), "what is older than anybody remembers is brought by nobody");
}

async fn traces_of_an_erased_document_lose_their_text_on_the_disk_of_a_server_that_was_away(catalog: Catalog) {
    let Kept { keeping, it, admin, dir: _dir, .. } = keep(catalog.clone()).await;
    let (mut shows, mut answers, others) = (span(5, &[]), span(6, &[]), span(7, &[]));
    shows.attributes.insert(names::DOCUMENTS.into(), json!(["doc_abc"]));
    answers.trace = shows.trace;
    let Left { dir, waiting, held } = died_with(&[shows.clone(), others.clone()], &[answers.clone()]);
    drop(enter(&catalog, &it.clock, dir.path(), "another").await);
    let subject = Subject::Document { knowledge: "notes".parse().unwrap(), document: "doc_abc".into() };
    it.clock.advance(8 * DAY);
    erased(&catalog, &keeping, (&it, &admin), &subject).await;
    drop(enter(&catalog, &it.clock, dir.path(), "another").await);
    let (way, kept) = (on_disk(&waiting), on_disk(&held));
    assert_eq!((way[0].span, way[1].clone(), kept[0].span), (shows.span, others, answers.span), "what happened stays");
    for stripped in [&way[0], &kept[0]] {
        assert_eq!(stripped.attributes[names::FORGOTTEN], json!(true));
        assert!(!stripped.attributes.contains_key(names::INPUT_MESSAGES), "{stripped:?}");
    }
}

async fn a_moved_document_goes_under_every_id_it_had_while_a_server_is_away(catalog: Catalog) {
    let Kept { keeping, it, admin, dir: _dir, .. } = keep(catalog.clone()).await;
    let shows = ["doc_abc", "doc_def"].map(|document| {
        let mut made = span(5, &[]);
        made.attributes.insert(names::DOCUMENTS.into(), json!([document]));
        made
    });
    it.room.record_durably(shows.to_vec(), WAIT).await.unwrap();
    it.room.drain(WAIT).await.unwrap();
    let Left { dir, .. } = died_with(&[span(6, &[])], &[span(7, &[])]);
    drop(enter(&catalog, &it.clock, dir.path(), "another").await);
    it.clock.advance(2 * MINUTE);
    let subject = Subject::Document { knowledge: "notes".parse().unwrap(), document: "doc_abc".into() };
    let asked = asked(&keeping, &admin, &subject).await;
    waits_for(keeping.erase_with(asked.id, project(), &subject, &["doc_def".into()]).await, "another");
    for span in &shows {
        let read = read_whole(&it.room, &admin, span.trace).await.unwrap();
        assert_eq!(read[0].attributes.get(names::FORGOTTEN), Some(&json!(true)), "{:?}", span.attributes);
    }
}

async fn a_server_with_nothing_on_its_disk_is_not_waited_for(catalog: Catalog) {
    let Kept { keeping, it, admin, dir: _dir, .. } = keep(catalog.clone()).await;
    let dir = tempfile::tempdir().unwrap();
    // A command that was here for a moment.
    drop(enter(&catalog, &it.clock, dir.path(), "a command").await);
    it.clock.advance(2 * MINUTE);
    let done = erased(&catalog, &keeping, (&it, &admin), &Subject::User("somebody".into())).await;
    assert_eq!((done.state, done.without), (ErasureState::Done, Vec::new()));
    // This server says that it leaves nothing, and nobody waits for it.
    it.tasks.shut_down(WAIT).await.unwrap();
    keeping.leave().await;
    const LEFT: &str = "SELECT id FROM span_server";
    assert!(catalog.query(LEFT, Vec::new()).await.unwrap().is_empty());
}

async fn somebody_is_found_under_every_name_that_a_span_says(catalog: Catalog) {
    let Kept { keeping, it, admin, dir: _dir, .. } = keep(catalog.clone()).await;
    let said = |start: i64, attributes: serde_json::Value| {
        let mut made = span(start, &[]);
        made.attributes = attributes.as_object().cloned().unwrap();
        made
    };
    let theirs = [
        // The column has the upper of two names.
        said(5, json!({ "user.id": "0815", "langfuse.user.id": "4711", "session.id": "c-1", "langfuse.session.id": "c-2" })),
        said(6, json!({ "enduser.id": 4711 })),
        said(7, json!({ "llm.user": "\"4711\"" })),
        said(8, json!({ "user.id": "4711" })),
    ];
    let others = [said(9, json!({ "user.id": "47110", "note": "4711" })), said(10, json!({ "langfuse.session.id": "4711" }))];
    it.room.record_durably(theirs.iter().chain(&others).cloned().collect(), WAIT).await.unwrap();
    it.room.drain(WAIT).await.unwrap();
    let now = it.clock.now();
    for session in ["c-1", "c-2", "c-3"] {
        let new =
            crate::NewScore { name: "quality".into(), value: json!(1), session: Some(session.into()), ..Default::default() };
        let score = it.room.scores().unwrap().check(new, admin.project, now).unwrap();
        it.room.put_scores(&admin, vec![score]).await.unwrap();
    }
    let done = erased(&catalog, &keeping, (&it, &admin), &Subject::User("4711".into())).await;
    assert_eq!((done.state, done.erased.spans), (ErasureState::Done, 4));
    for span in &theirs {
        assert!(read_whole(&it.room, &admin, span.trace).await.is_err(), "{:?}", span.attributes);
    }
    for span in &others {
        assert_eq!(read_whole(&it.room, &admin, span.trace).await.unwrap(), [span.clone()]);
    }
    let left = it.room.list_scores(&admin, &crate::ScoreFilter::default(), &PageRequest::first(9)).await.unwrap().items;
    assert_eq!(left.len(), 1, "scores of their sessions are gone, whatever these are called: {left:?}");
    let done = erased(&catalog, &keeping, (&it, &admin), &Subject::Session("4711".into())).await;
    assert_eq!(done.erased.spans, 1);
}

async fn an_erasure_goes_on_where_a_dead_process_had_looked_until(catalog: Catalog) {
    const LEFT: &str = "UPDATE erasure SET looked = $2 WHERE id = $1";
    let Kept { keeping, it, admin, dir: _dir, .. } = keep(catalog.clone()).await;
    let stripped = async |span: &Span| {
        let read = read_whole(&it.room, &admin, span.trace).await.unwrap();
        read[0].attributes.contains_key(names::FORGOTTEN)
    };
    // Where a server had not brought what it had, rows may have come since to where the dead process had looked.
    for (lasts, document) in [(true, "doc_abc"), (false, "doc_def")] {
        let shows = |start: i64| {
            let mut made = span(start, &[]);
            made.attributes.insert(names::DOCUMENTS.into(), json!([document]));
            made
        };
        let (early, late) = (shows(5), shows(50));
        it.room.record_durably(vec![early.clone(), late.clone()], WAIT).await.unwrap();
        it.room.drain(WAIT).await.unwrap();
        let subject = Subject::Document { knowledge: "notes".parse().unwrap(), document: document.into() };
        let asked = asked(&keeping, &admin, &subject).await;
        assert_eq!((asked.step, asked.looked), (None, None));
        // It had found nothing up to there.
        let looked = json!({ "from": 0, "until": 20, "to": 40, "lasts": lasts }).to_string();
        catalog.write(LEFT, mainspring_catalog::params![asked.id, looked]).await.unwrap();
        let left = keeping.erasure(&admin, asked.id).await.unwrap().looked.unwrap();
        assert!((left.share() - 0.5).abs() < 1e-9, "{left:?}");

        let answered = keeping.erase(asked.id, project(), &subject).await.unwrap();
        assert_eq!((stripped(&early).await, stripped(&late).await), (!lasts, true), "{document}");
        let found = keeping.erasure(&admin, asked.id).await.unwrap();
        let at = found.step.map(crate::ErasureStep::as_str);
        assert_eq!((at, found.looked), (Some("sweeping"), None), "whoever begins again looks at everything");
        let answered = if lasts { keeping.erase(asked.id, project(), &subject).await.unwrap() } else { answered };
        assert!(stripped(&early).await);
        let lease = leased(&catalog, &it).await;
        keeping.finish(&admin, asked.id, &lease, answered).await.unwrap();
        let done = keeping.erasure(&admin, asked.id).await.unwrap();
        assert_eq!((done.state, done.step, done.erased.spans), (ErasureState::Done, None, 2));
    }
}

async fn a_span_that_took_a_name_while_its_trace_went_goes_too(catalog: Catalog) {
    let Kept { keeping, it, admin, others, dir: _dir, .. } = keep(catalog).await;
    let theirs = of("somebody", 5);
    it.room.record_durably(vec![theirs.clone(), of("else", 6)], WAIT).await.unwrap();
    it.room.drain(WAIT).await.unwrap();
    // It was settled with what was there before, and is added after that was deleted.
    let late = Span { trace: theirs.trace, parent: Some(theirs.span), ..span(9, &[]) };
    let facts = Facts { user: Some("somebody".into()), lent: Some(1), ..Facts::of(&late) };
    let rows = to_batch_of(std::iter::once((&late, facts, None))).unwrap();
    *others.1.lock().unwrap() = Some((Arc::clone(it.room.table()), rows));
    let subject = Subject::User("somebody".into());
    let asked = asked(&keeping, &admin, &subject).await;
    keeping.erase(asked.id, project(), &subject).await.unwrap();
    assert!(others.1.lock().unwrap().is_none(), "it came");
    let left = it.room.table().count(mainspring_lake::Filter::present("user")).await.unwrap();
    assert_eq!(left, 1, "the other one's");
    assert_eq!(keeping.erasure(&admin, asked.id).await.unwrap().erased.spans, 2);
}
