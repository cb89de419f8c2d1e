use std::collections::BTreeSet;

use mainspring_kernel::Timestamp;
use mainspring_llm::{
    SpanId,
    trace::{SpanKind, SpanStatus},
};
use proptest::prelude::*;
use serde_json::Map;

use super::{waiting::AFTER_ROOT, *};
use crate::{CapturePolicy, Subject, forget::mentions, keeping::Whose, room::Room};

fn project() -> ProjectId {
    ProjectId::from_raw(7)
}

fn span(trace: TraceId, parent: Option<SpanId>, micros: i64) -> Span {
    Span {
        project: project(),
        trace,
        span: SpanId::random(),
        parent,
        name: "work".into(),
        kind: SpanKind::Internal,
        start: Timestamp::from_micros(1_000),
        end: Timestamp::from_micros(1_000 + micros),
        status: SpanStatus::Ok,
        attributes: Map::new(),
        events: vec![],
        links: vec![],
    }
}

fn failed(mut span: Span) -> Span {
    span.status = SpanStatus::Error("broke".into());
    span
}

fn slow(mut span: Span) -> Span {
    span.end = span.start.plus(Duration::from_millis(100));
    span
}

/// Nothing is kept but for its outcome.
fn policy() -> CapturePolicy {
    CapturePolicy { share: 0.0, keep_slower_than_ms: Some(100), hold_seconds: 30, ..CapturePolicy::default() }
}

fn open(dir: &Path, policy: &CapturePolicy) -> Sampler {
    holding(dir, policy, 32 << 20)
}

fn holding(dir: &Path, policy: &CapturePolicy, held_limit: u64) -> Sampler {
    Sampler::open(Policies::only(project(), policy), (dir, held_limit), false, Metrics::default()).unwrap()
}

fn sort(sampler: &Sampler, spans: Vec<Span>, now: Instant) -> Sorted {
    let room = Room::of(1 << 20);
    let queued = spans.into_iter().map(|span| {
        let place = room.try_take(1).expect("there is room");
        Queued { span, repeatable: true, bytes: 1, _place: place }
    });
    sampler.sort(queued.collect(), now).unwrap()
}

fn files(dir: &Path) -> usize {
    std::fs::read_dir(dir.join("undecided")).map_or(0, Iterator::count)
}

fn names_of(waiting: &[Waiting]) -> Vec<SpanId> {
    let mut ids: Vec<_> = waiting.iter().flat_map(Waiting::spans).map(|span| span.span).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn a_trace_in_which_nothing_happens_is_held_until_its_time_and_left_out() {
    let (dir, now) = (tempfile::tempdir().unwrap(), Instant::now());
    let sampler = open(dir.path(), &policy());
    let trace = TraceId::random();
    let root = span(trace, None, 5);
    let sorted = sort(&sampler, vec![span(trace, Some(root.span), 5)], now);
    assert_eq!((sorted.keep.len(), sorted.aside, files(dir.path())), (0, 1, 1));
    let later = now + Duration::from_secs(10);
    assert!(sampler.take_due(later).0.is_empty(), "its root has not ended");
    sort(&sampler, vec![root], later);
    assert_eq!(sampler.tally(project()).held, 2);
    let (due, doubtful) = sampler.take_due(later + AFTER_ROOT);
    assert_eq!((due.len(), doubtful.len()), (1, 0));
    assert!(sampler.settle(due, &HashSet::new()).is_empty());
    assert_eq!(files(dir.path()), 0, "nothing of it is left on the disk");
    // What comes late of it is not held again.
    let late = sort(&sampler, vec![span(trace, Some(SpanId::random()), 5)], later);
    assert_eq!((late.keep.len(), late.aside), (0, 1));
    assert_eq!(sampler.tally(project()), Tally { outcome: 3, ..Tally::default() });
    assert!(sampler.metrics.render().contains("mainspring_spans_sampled_out_total{reason=\"outcome\"} 3"));
}

#[test]
fn a_trace_of_which_no_root_comes_is_decided_when_it_was_held_for_its_time() {
    let (dir, now) = (tempfile::tempdir().unwrap(), Instant::now());
    let sampler = open(dir.path(), &policy());
    let [well, broken] = [TraceId::random(), TraceId::random()];
    let above = Some(SpanId::random());
    sort(&sampler, vec![span(well, above, 5), span(broken, above, 5)], now);
    let hold = Duration::from_secs(30);
    assert!(sampler.take_due(now + hold / 2).0.is_empty(), "its root may come yet");
    // What comes later does not put it off.
    let sorted = sort(&sampler, vec![span(well, above, 5), failed(span(broken, above, 5))], now + hold / 2);
    assert_eq!((sorted.keep.len(), sampler.take_wanted().len()), (1, 1));
    let (due, _) = sampler.take_due(now + hold);
    assert_eq!(due.iter().map(Waiting::key).collect::<Vec<_>>(), [(project(), well)]);
    assert!(sampler.settle(due, &HashSet::new()).is_empty());
    assert_eq!(sampler.tally(project()).outcome, 2);
}

#[test]
fn of_a_trace_with_an_error_or_a_slow_span_everything_is_kept() {
    for happens in [failed as fn(Span) -> Span, slow] {
        let (dir, now) = (tempfile::tempdir().unwrap(), Instant::now());
        let sampler = open(dir.path(), &policy());
        let [trace, other] = [TraceId::random(), TraceId::random()];
        let held = [span(trace, Some(SpanId::random()), 5), span(trace, Some(SpanId::random()), 5)];
        sort(&sampler, held.to_vec(), now);
        sort(&sampler, vec![span(other, None, 5)], now);
        // One that came before it in the same group is kept with it.
        let sorted = sort(&sampler, vec![span(trace, None, 5), happens(span(trace, None, 5))], now);
        assert_eq!((sorted.keep.len(), sorted.aside), (2, 0));
        assert!(sorted.keep.iter().all(|span| span.attributes[names::SAMPLING_WEIGHT] == 1.0));
        assert_eq!((sampler.announced(), sampler.announced()), (2, 0));
        let wanted = sampler.take_wanted();
        let mut expected = held.map(|span| span.span);
        expected.sort_unstable();
        assert_eq!(names_of(&wanted), expected);
        assert_eq!(files(dir.path()), 2, "they are on the disk until they are elsewhere");
        sampler.released(wanted);
        assert_eq!(files(dir.path()), 1);
        // And what comes after it.
        assert_eq!(sort(&sampler, vec![span(trace, None, 5)], now).keep.len(), 1);
        assert_eq!(sampler.tally(project()), Tally { kept: 5, held: 1, ..Tally::default() });
    }
}

#[test]
fn without_a_root_a_trace_is_slow_by_a_slow_span_and_not_by_many_short_ones() {
    let (dir, now) = (tempfile::tempdir().unwrap(), Instant::now());
    let sampler = open(dir.path(), &policy());
    let [topped, many] = [TraceId::random(), TraceId::random()];
    let above = Some(SpanId::random());
    // One after the other, for ten times as long as a slow span takes.
    let steps = (0..10).map(|step| {
        let mut made = span(many, above, 5);
        (made.start, made.end) = (Timestamp::from_micros(step * 100_000), Timestamp::from_micros(step * 100_000 + 90_000));
        made
    });
    sort(&sampler, steps.collect(), now);
    let top = slow(span(topped, above, 5));
    let sorted = sort(&sampler, vec![span(topped, Some(top.span), 5), top], now);
    assert_eq!((sorted.keep.len(), sorted.aside), (2, 0), "what is beneath it is kept with it");
    let (due, _) = sampler.take_due(now + Duration::from_secs(30));
    assert_eq!(due.iter().map(Waiting::key).collect::<Vec<_>>(), [(project(), many)]);
    assert!(sampler.settle(due, &HashSet::new()).is_empty());
    assert_eq!(sampler.tally(project()), Tally { kept: 2, outcome: 10, ..Tally::default() });
}

#[test]
fn what_was_held_is_taken_up_by_the_next_process_and_looked_for_in_the_lake() {
    let (dir, now) = (tempfile::tempdir().unwrap(), Instant::now());
    let (kept, gone) = (TraceId::random(), TraceId::random());
    sort(&open(dir.path(), &policy()), vec![span(kept, None, 5), span(gone, None, 5)], now);
    let sampler = open(dir.path(), &policy());
    assert_eq!(sampler.tally(project()).held, 2);
    let (sure, doubtful) = sampler.take_due(now + Duration::from_secs(3_600));
    assert_eq!((sure.len(), doubtful.len()), (0, 2));
    let found = sampler.settle(doubtful, &HashSet::from([(project(), kept)]));
    assert_eq!(found.iter().map(Waiting::key).collect::<Vec<_>>(), [(project(), kept)]);
    assert_eq!(files(dir.path()), 1, "the file is needed for the one that is kept");
    sampler.released(found);
    assert_eq!(files(dir.path()), 0);
}

#[test]
fn where_no_more_can_be_held_the_oldest_are_decided_early_and_counted() {
    let (dir, now) = (tempfile::tempdir().unwrap(), Instant::now());
    let mut sampler = open(dir.path(), &policy());
    sampler.most.0 = 3;
    let traces: [TraceId; 5] = std::array::from_fn(|_| TraceId::random());
    for trace in traces {
        sort(&sampler, vec![span(trace, None, 5)], now);
    }
    assert_eq!(sampler.tally(project()), Tally { held: 3, early: 2, ..Tally::default() });
    assert_eq!(files(dir.path()), 3);
    assert_eq!(sort(&sampler, vec![failed(span(traces[0], None, 5))], now).keep.len(), 1, "an error is kept all the same");
    assert_eq!(sampler.announced(), 0, "the others of it are gone");
    assert_eq!((sampler.forget(ProjectId::from_raw(8), |_| true), sampler.tally(project()).held), (0, 3));
    assert_eq!((sampler.forget(project(), |_| true), sampler.tally(project()).held, files(dir.path())), (0, 0, 0));
}

#[test]
fn where_less_memory_may_be_held_traces_are_decided_earlier() {
    let made = || span(TraceId::random(), None, 5);
    let mut held = made();
    held.attributes.insert(names::SAMPLING_WEIGHT.to_owned(), 1.0_f64.into());
    let room_for_two = u64::try_from(weight(&held) * 5 / 2).unwrap();
    for (limit, tally) in [(room_for_two, (2, 3)), (32 << 20, (5, 0))] {
        let (dir, now) = (tempfile::tempdir().unwrap(), Instant::now());
        let sampler = holding(dir.path(), &policy(), limit);
        for _ in 0..5 {
            sort(&sampler, vec![made()], now);
        }
        let Tally { held, early, .. } = sampler.tally(project());
        assert_eq!((held, early, files(dir.path())), (tally.0, tally.1, usize::try_from(tally.0).unwrap()));
        // Also where an earlier process held more than this one may.
        drop(sampler);
        assert_eq!(holding(dir.path(), &policy(), 0).tally(project()).held, 0);
    }
}

#[test]
fn only_a_trace_that_shows_what_is_forgotten_is_let_go() {
    let (dir, now) = (tempfile::tempdir().unwrap(), Instant::now());
    let sampler = open(dir.path(), &policy());
    let [shows, other] = [TraceId::random(), TraceId::random()];
    let mut read = span(shows, Some(SpanId::random()), 5);
    read.attributes.insert("retrieved".into(), serde_json::json!([{"id": "doc_abc"}]));
    sort(&sampler, vec![span(shows, None, 5), read, span(other, None, 5)], now);
    let documents = ["doc_abc".to_owned()];
    sampler.forget(project(), |span| mentions(span, &documents));
    assert_eq!(sampler.tally(project()).held, 1);
    let kept = sort(&sampler, vec![failed(span(other, None, 5))], now);
    assert_eq!((kept.keep.len(), sampler.announced()), (1, 1), "what was held of a trace in which something fails is kept");
}

/// Says whose it is.
fn of(trace: TraceId, user: &str) -> Span {
    let mut made = span(trace, Some(SpanId::random()), 5);
    made.attributes.insert(names::USER.into(), user.into());
    made
}

fn of_user(user: &str, traces: &[TraceId]) -> Arc<[Whose]> {
    let traces = traces.iter().map(ToString::to_string).collect();
    [Whose::known(project(), Subject::User(user.into()), traces)].into()
}

fn holds(dir: &Path, word: &str) -> bool {
    let mut files = std::fs::read_dir(dir.join("undecided")).unwrap();
    files.any(|file| String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap()).contains(word))
}

#[tokio::test]
async fn an_erasure_lets_go_of_one_users_traces_and_of_what_files_hold_of_them() {
    let (dir, now) = (tempfile::tempdir().unwrap(), Instant::now());
    let sampler = Arc::new(open(dir.path(), &policy()));
    let [named, decided, wanted, elsewhere, other] = std::array::from_fn(|_| TraceId::random());
    // All of them in one file, with a trace whose time is over before that of the others.
    let beneath = span(named, Some(SpanId::random()), 5);
    let group = [of(named, "quandelor"), beneath, of(decided, "quandelor"), span(decided, None, 5), of(wanted, "quandelor")];
    let group = group.into_iter().chain([span(elsewhere, Some(SpanId::random()), 5), of(other, "somebody")]);
    sort(&sampler, group.collect(), now);
    let (due, _) = sampler.take_due(now + AFTER_ROOT);
    assert!(due.iter().all(|waiting| waiting.key().1 == decided) && sampler.settle(due, &HashSet::new()).is_empty());
    assert_eq!(sort(&sampler, vec![failed(span(wanted, Some(SpanId::random()), 5))], now).keep.len(), 1);
    assert_eq!((sampler.tally(project()).held, files(dir.path()), holds(dir.path(), "quandelor")), (5, 1, true));

    let LetGo { found, awaited } = sampler.erase(&of_user("quandelor", &[elsewhere])).await.unwrap();
    assert_eq!(awaited, 1, "readers waited for the one that was wanted");
    let theirs = BTreeSet::from([named, decided, wanted].map(|trace| trace.to_string()));
    assert_eq!(found[0].traces, theirs, "{found:?}");
    assert_eq!(sampler.tally(project()).held, 1, "what is held of others stays");
    assert_eq!((files(dir.path()), holds(dir.path(), "quandelor"), holds(dir.path(), "somebody")), (1, false, true));
    for gone in [named, decided, elsewhere] {
        assert!(!holds(dir.path(), &gone.to_string()), "a span that shows what somebody said need not name them");
    }
    let again = sampler.erase(&of_user("quandelor", &[elsewhere])).await.unwrap();
    assert_eq!((again.awaited, again.found[0].traces.len()), (0, 0));
    // Another process takes up what is left; when its time is over, the file goes.
    drop(sampler);
    let sampler = open(dir.path(), &policy());
    assert_eq!(sampler.tally(project()).held, 1);
    let (_, due) = sampler.take_due(now + Duration::from_secs(3_600));
    sampler.settle(due, &HashSet::new());
    assert_eq!(files(dir.path()), 0);
}

#[tokio::test]
async fn an_erasure_waits_for_traces_that_somebody_has_in_hand() {
    let (dir, now) = (tempfile::tempdir().unwrap(), Instant::now());
    let sampler = Arc::new(open(dir.path(), &policy()));
    let trace = TraceId::random();
    sort(&sampler, vec![of(trace, "quandelor")], now);
    let turn = sampler.turn().await;
    let (due, _) = sampler.take_due(now + Duration::from_secs(60));
    let whose = of_user("quandelor", &[]);
    let erasing = sampler.erase(&whose);
    tokio::pin!(erasing);
    tokio::select! {
        biased;
        _ = &mut erasing => panic!("what is in hand is in no list"),
        () = std::future::ready(()) => {}
    }
    sampler.put_back(due, false, now);
    drop(turn);
    assert_eq!(erasing.await.unwrap().found[0].traces.len(), 1);
    assert_eq!((sampler.tally(project()).held, files(dir.path())), (0, 0));
}

#[test]
fn a_share_is_kept_whole_and_says_what_it_stands_for() {
    let (dir, now) = (tempfile::tempdir().unwrap(), Instant::now());
    let sampler = open(dir.path(), &CapturePolicy { share: 0.25, keep_errors: false, ..CapturePolicy::default() });
    let both = |trace| [span(trace, None, 5), failed(span(trace, None, 5))];
    let sorted = sort(&sampler, (0..4_000).flat_map(|_| both(TraceId::random())).collect(), now);
    let traces: HashSet<TraceId> = sorted.keep.iter().map(|span| span.trace).collect();
    assert_eq!(sorted.keep.len(), traces.len() * 2);
    assert!((800..1_200).contains(&traces.len()), "{}", traces.len());
    assert!(sorted.keep.iter().all(|span| span.attributes[names::SAMPLING_WEIGHT] == 4.0));
    assert_eq!((sampler.tally(project()).head, files(dir.path())), (sorted.aside, 0));
}

#[test]
fn what_is_kept_stands_for_as_many_as_came() {
    let (dir, now) = (tempfile::tempdir().unwrap(), Instant::now());
    let sampler = open(dir.path(), &CapturePolicy { share: 0.1, hold_seconds: 30, ..CapturePolicy::default() });
    // Of every ten traces one fails, and its error comes with its other spans.
    let spans: Vec<Span> = (0..4_000)
        .flat_map(|n| {
            let trace = TraceId::random();
            let root = span(trace, None, 5);
            let below = span(trace, Some(root.span), 5);
            if n % 10 == 0 { [root, failed(below)] } else { [root, below] }
        })
        .collect();
    let kept = sort(&sampler, spans, now).keep;
    fn stand_for<'a>(spans: impl Iterator<Item = &'a Span>) -> f64 {
        spans.filter_map(|span| span.attributes[names::SAMPLING_WEIGHT].as_f64()).sum()
    }
    let errors = stand_for(kept.iter().filter(|span| matches!(span.status, SpanStatus::Error(_))));
    assert_eq!(errors, 400.0, "every error is there, and stands for itself");
    let roots = stand_for(kept.iter().filter(|span| span.parent.is_none()));
    // Of 3,600 a tenth is drawn: six times the root of the variance of what is made of it.
    assert!((roots - 4_000.0).abs() < 1_100.0, "{roots} of 4000");
    let of_failed: HashSet<TraceId> =
        kept.iter().filter(|span| matches!(span.status, SpanStatus::Error(_))).map(|span| span.trace).collect();
    let beside = stand_for(kept.iter().filter(|span| of_failed.contains(&span.trace) && span.parent.is_none()));
    assert_eq!(beside, 400.0, "of a trace that is kept in any case nothing stands for more, chosen or not");
}

#[test]
fn the_place_of_a_trace_is_that_of_every_version() {
    let place = |text: &str| place_of(text.parse().unwrap());
    assert_eq!(place("00000000000000000000000000000001"), f64::from(1581361928_u32) / 4_294_967_296.0);
    assert_eq!(place("5b8efff798038103d269b633813fc60c"), f64::from(462663107_u32) / 4_294_967_296.0);
}

proptest! {
    #[test]
    fn every_server_puts_a_trace_in_the_same_place(bytes in any::<[u8; 16]>()) {
        if let Some(trace) = TraceId::from_slice(&bytes) {
            let place = place_of(trace);
            prop_assert!((0.0..1.0).contains(&place));
            prop_assert_eq!(place.to_bits(), place_of(trace).to_bits());
        }
    }
}
