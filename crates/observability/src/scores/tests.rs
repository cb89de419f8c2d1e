mod many;

use std::{collections::BTreeSet, path::Path};

use async_trait::async_trait;
use mainspring_blobs::Blobs;
use mainspring_kernel::{Actor, Clock, Fault, FrozenClock, Labels, ModelScope, PageRequest, Role, id::PrincipalId};
use mainspring_lake_lance::{LakeLocation, LanceConfig, LanceLake};
use mainspring_llm::{
    DocumentAccess, EventSink as _, Span,
    trace::{SpanEvent, SpanKind, SpanStatus, names},
};
use mainspring_telemetry::Metrics;
use serde_json::{Map, json};

use super::*;
use crate::{Bring, Capture, GatheredBy, MetricsQuestion, Observability, Settings, Tailing, TraceFilter};

const WAIT: Duration = Duration::from_secs(20);
const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

#[derive(Debug)]
struct Nobody;

#[async_trait]
impl DocumentAccess for Nobody {
    async fn unreadable(&self, _actor: &Actor, documents: Vec<String>) -> Result<BTreeSet<String>, Box<dyn Fault>> {
        Ok(documents.into_iter().collect())
    }
}

struct Room {
    tasks: Tasks,
    room: Observability,
}

async fn open(dir: &Path) -> Room {
    let tasks = Tasks::default();
    let lake = Arc::new(LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.join("lake")))).await.unwrap());
    let clock: Arc<dyn Clock> = Arc::new(FrozenClock::at(NOW));
    let settings = Settings {
        spill_dir: dir.join("spill"),
        spill_limit: 1 << 30,
        held_limit: 32 << 20,
        values: Blobs::local(&dir.join("values")).unwrap(),
        shared: false,
        capture: Capture::Full.into(),
        queue: 1_000,
        queue_bytes: 64 << 20,
        bring: Bring::Within(Duration::from_millis(100)),
        gives_way: false,
        adopt_after: Duration::from_secs(60),
        elsewhere: None,
    };
    let room = Observability::open(&*lake, settings, &tasks, (clock, Metrics::default()), Arc::new(Nobody)).await.unwrap();
    let room = room.with_scores(Scores::new(lake, Capture::Full, tasks.clone()));
    Room { tasks, room }
}

fn actor(project: u128, labels: Labels) -> Actor {
    Actor {
        principal: PrincipalId::from_raw(1),
        project: ProjectId::from_raw(project),
        role: Role::Editor,
        labels,
        key: None,
        models: ModelScope::All,
    }
}

fn owner() -> Actor {
    actor(7, Labels::All)
}

/// The span by which a trace is entered, so many seconds ago, of an app.
fn entry(ago: i64, app: &str) -> Span {
    let start = Timestamp::from_micros(NOW.as_micros() - ago * 1_000_000);
    Span {
        project: ProjectId::from_raw(7),
        trace: TraceId::random(),
        span: SpanId::random(),
        parent: None,
        name: "invoke_agent".into(),
        kind: SpanKind::Server,
        start,
        end: start,
        status: SpanStatus::Ok,
        attributes: Map::from_iter([
            (names::APP.to_owned(), json!(app)),
            (names::CONVERSATION.to_owned(), json!(format!("s-{app}"))),
        ]),
        events: vec![],
        links: vec![],
    }
}

/// A span below another.
fn below(parent: &Span) -> Span {
    let (span, parent_id) = (SpanId::random(), Some(parent.span));
    Span { span, parent: parent_id, kind: SpanKind::Client, name: "chat".into(), ..parent.clone() }
}

fn new(name: &str, value: Value, span: &Span) -> NewScore {
    NewScore { name: name.to_owned(), value, trace: Some(span.trace.to_string()), ..NewScore::default() }
}

impl Room {
    async fn put(&self, scores: Vec<NewScore>) -> Vec<Score> {
        let kept = |new| self.room.scores().unwrap().check(new, owner().project, NOW).unwrap();
        let scores: Vec<Score> = scores.into_iter().map(kept).collect();
        self.room.put_scores(&owner(), scores.clone()).await.unwrap();
        scores
    }

    async fn all(&self, actor: &Actor, limit: usize) -> Vec<Score> {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = PageRequest::new(Some(limit), cursor).unwrap();
            let page = self.room.list_scores(actor, &ScoreFilter::default(), &page).await.unwrap();
            found.extend(page.items);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return found,
            }
        }
    }

    async fn traces(&self, filter: &str) -> BTreeSet<TraceId> {
        let filter = TraceFilter { also: filter.parse().unwrap(), ..TraceFilter::default() };
        let page = self.room.list(&owner(), &filter, &PageRequest::first(100)).await.unwrap();
        let counted = self.room.count(&owner(), &filter).await.unwrap();
        assert_eq!(counted.count, page.items.len() as u64);
        page.items.into_iter().map(|trace| trace.trace).collect()
    }

    async fn spans(&self, filter: &str) -> BTreeSet<SpanId> {
        let filter = TraceFilter { also: filter.parse().unwrap(), ..TraceFilter::default() };
        let page = self.room.spans(&owner(), &filter, &PageRequest::first(100)).await.unwrap();
        page.items.into_iter().map(|span| span.span).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_score_under_an_id_counts_and_pages_hold_still() {
    let dir = tempfile::tempdir().unwrap();
    let room = open(dir.path()).await;
    let span = entry(10, "desk");
    let at = |n: i64| Some(Timestamp::from_micros(NOW.as_micros() - n));
    let sent: Vec<NewScore> =
        (0..5).map(|n| NewScore { id: Some(format!("s{n}")), time: at(n / 2), ..new("quality", json!(n), &span) }).collect();
    room.put(sent.clone()).await;
    // The same again, and one of them changed: twice within one request, too.
    room.put(sent).await;
    let changed = |value| NewScore {
        id: Some("s3".into()),
        time: at(1),
        comment: Some("second look".into()),
        ..new("quality", value, &span)
    };
    let changed = room.put(vec![changed(json!(7)), changed(json!(9))]).await.pop().unwrap();
    for limit in [1, 2, 100] {
        let found = room.all(&owner(), limit).await;
        let ids: Vec<&str> = found.iter().map(|score| score.id.as_str()).collect();
        assert_eq!(ids, ["s0", "s1", "s2", "s3", "s4"]);
        assert_eq!(found[3], changed);
    }
    assert!(room.all(&actor(8, Labels::All), 100).await.is_empty(), "another project has none");
    assert!(room.room.delete_score(&actor(8, Labels::All), "s3").await.is_err());
    assert_eq!(room.room.delete_score(&owner(), "s3").await.unwrap(), changed);
    assert!(matches!(room.room.delete_score(&owner(), "s3").await, Err(TraceFault::NoScore { .. })));
    assert_eq!(room.all(&owner(), 100).await.len(), 4);
    room.tasks.shut_down(WAIT).await.unwrap();
    // Another process finds them.
    let room = open(dir.path()).await;
    assert_eq!(room.all(&owner(), 100).await.len(), 4);
    let scores = room.room.scores().unwrap();
    assert_eq!(scores.delete_of_traces(ProjectId::from_raw(8), &[span.trace.to_string()]).await.unwrap(), 0);
    assert_eq!(scores.delete_of_traces(owner().project, &[span.trace.to_string()]).await.unwrap(), 4);
    assert!(room.all(&owner(), 100).await.is_empty());
    room.tasks.shut_down(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_find_what_bears_a_score_and_its_opposite_what_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let room = open(dir.path()).await;
    let (good, bad, bare) = (entry(30, "desk"), entry(20, "desk"), entry(10, "shop"));
    let call = below(&good);
    [&good, &bad, &bare, &call].into_iter().for_each(|span| room.room.record(span.clone()));
    room.room.drain(WAIT).await.unwrap();
    let on_call = NewScore { span: Some(call.span.to_string()), ..new("answer quality", json!("fine"), &call) };
    let of_session = NewScore { trace: None, session: Some("s-shop".into()), ..new("resolved", json!(true), &bare) };
    room.put(vec![
        new("quality", json!(0.9), &good),
        new("quality", json!(0.2), &bad),
        new("liked", json!(true), &good),
        on_call,
        of_session,
    ])
    .await;
    let ids = |spans: &[&Span]| spans.iter().map(|span| span.trace).collect::<BTreeSet<_>>();
    for (filter, found) in [
        ("score.quality > 0.5", ids(&[&good])),
        ("score.quality <= 0.5 or score.liked = true", ids(&[&good, &bad])),
        ("not score.quality > 0.5", ids(&[&bad, &bare])),
        ("score.quality exists", ids(&[&good, &bad])),
        ("not score.quality exists and app = shop", ids(&[&bare])),
        ("score['answer quality'] = fine", ids(&[&good])),
        ("score['answer quality'] != bad", ids(&[&good])),
        ("score['answer quality'] in (bad, fine)", ids(&[&good])),
        ("score['answer quality'] starts_with fi", ids(&[&good])),
        ("score.liked = 1", ids(&[&good])),
        ("score.liked != true", ids(&[])),
        ("score.resolved = true", ids(&[&bare])),
        ("score.nothing > 0", ids(&[])),
    ] {
        assert_eq!(room.traces(filter).await, found, "{filter}");
    }
    assert_eq!(room.spans("score['answer quality'] exists").await, BTreeSet::from([good.span, call.span]));
    assert_eq!(
        room.spans("score.quality > 0.5").await,
        BTreeSet::from([good.span]),
        "a score of a trace is borne where it is entered"
    );
    let filter = TraceFilter { also: "score.quality > 0.5".parse().unwrap(), ..TraceFilter::default() };
    let sessions = room.room.gathered(&owner(), GatheredBy::Session, &filter, &PageRequest::first(10)).await.unwrap();
    assert_eq!(sessions.items.into_iter().map(|found| found.id).collect::<Vec<_>>(), ["s-desk"]);
    let tailing = Tailing { filter: filter.also, ..Tailing::default() };
    assert!(room.room.tail(&room.tasks, owner(), tailing).is_err(), "what has just come has no scores");

    let summed = room.room.sum_scores(&owner(), [good.trace, bare.trace]).await.unwrap();
    let names: Vec<(&str, u64, Option<f64>)> =
        summed[&good.trace].iter().map(|summary| (summary.name.as_str(), summary.count, summary.mean)).collect();
    assert_eq!(names, [("answer quality", 1, None), ("liked", 1, Some(1.0)), ("quality", 1, Some(0.9))]);
    assert!(!summed.contains_key(&bare.trace));
    let of_spans = room.room.sum_scores_of_spans(&owner(), [(good.trace, good.span), (call.trace, call.span)]).await.unwrap();
    assert_eq!(of_spans[&(call.trace, call.span)][0].label.as_deref(), Some("fine"));
    assert!(!of_spans.contains_key(&(good.trace, good.span)));
    room.tasks.shut_down(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_are_measured_in_the_groups_of_what_bears_them() {
    let dir = tempfile::tempdir().unwrap();
    let room = open(dir.path()).await;
    let spans: Vec<Span> = (0..10).map(|n| entry(10 + n, if n < 4 { "desk" } else { "shop" })).collect();
    spans.iter().for_each(|span| room.room.record(span.clone()));
    room.room.drain(WAIT).await.unwrap();
    let scores = spans.iter().zip(0..).map(|(span, n)| new("quality", json!(n), span));
    room.put(scores.collect()).await;
    let measures = ["score.quality.mean", "score.quality.p50", "score.quality.count", "score.other.max"];
    let wanted: Vec<ScoreMeasure> = measures.into_iter().map(|text| ScoreMeasure::read(text).unwrap().unwrap()).collect();
    let question = |filter: &str| MetricsQuestion {
        filter: TraceFilter { also: filter.parse().unwrap(), ..TraceFilter::default() },
        by: vec!["app".into()],
        measures: vec!["count".into()],
        ..MetricsQuestion::default()
    };
    let ask = async |filter: &str| {
        let found = room.room.measure(&owner(), question(filter)).await.unwrap();
        let values = room.room.measure_scores(&owner(), question(filter), &wanted, &found).await.unwrap();
        found.rows.into_iter().map(|row| row.keys[0].clone().unwrap()).zip(values).collect::<Vec<_>>()
    };
    let (shop, desk) = ("shop".to_owned(), "desk".to_owned());
    let all = ask("").await;
    assert_eq!(all[0], (shop.clone(), vec![Some(6.5), Some(6.0), Some(6.0), None]));
    assert_eq!(all[1], (desk, vec![Some(1.5), Some(1.0), Some(4.0), None]));
    assert_eq!(ask("score.quality >= 8").await, [(shop, vec![Some(8.5), Some(8.0), Some(2.0), None])]);
    assert_eq!(ScoreMeasure::read("count").unwrap(), None);
    assert!(ScoreMeasure::read("score.quality").is_err() && ScoreMeasure::read("score.quality.p51").is_err());
    room.tasks.shut_down(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_is_hidden_hides_its_scores() {
    let dir = tempfile::tempdir().unwrap();
    let room = open(dir.path()).await;
    let (mut secret, open) = (entry(20, "desk"), entry(10, "shop"));
    secret.attributes.insert(names::LABELS.into(), json!([["board"]]));
    [&secret, &open].into_iter().for_each(|span| room.room.record(span.clone()));
    room.room.drain(WAIT).await.unwrap();
    let of_session = NewScore { trace: None, session: Some("s-desk".into()), ..new("c", json!(1), &secret) };
    let put = room.put(vec![new("a", json!(1), &secret), new("b", json!(1), &open), of_session]).await;
    let reader = actor(7, Labels::none());
    assert_eq!(room.all(&reader, 10).await.into_iter().map(|score| score.name).collect::<Vec<_>>(), ["b"]);
    assert!(matches!(room.room.delete_score(&reader, &put[0].id).await, Err(TraceFault::NoScore { .. })));
    assert!(matches!(room.room.may_score(&reader, &put[0]).await, Err(TraceFault::NotFound { .. })));
    room.room.may_score(&reader, &put[1]).await.unwrap();
    assert!(matches!(room.room.may_score(&reader, &put[2]).await, Err(TraceFault::NoSession { .. })));
    assert_eq!(room.room.may_score_each(&reader, &put).await.unwrap(), [false, true, false]);
    assert_eq!(room.room.may_score_each(&owner(), &put).await.unwrap(), [true; 3]);
    assert_eq!(room.all(&actor(7, Labels::Some(["board".to_owned()].into())), 10).await.len(), 3);
    room.tasks.shut_down(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_are_forgotten_and_numbers_stay() {
    let dir = tempfile::tempdir().unwrap();
    let room = open(dir.path()).await;
    let span = entry(10, "desk");
    let commented = NewScore { comment: Some("quotes the report".into()), ..new("quality", json!(0.5), &span) };
    let text = NewScore { kind: Some(ScoreKind::Text), ..new("should be", json!("the report says"), &span) };
    room.put(vec![commented, text]).await;
    room.room.scores().unwrap().forget_texts(owner().project, &[span.trace.to_string()], NOW).await.unwrap();
    let left = room.all(&owner(), 10).await;
    assert_eq!((left.len(), left[0].value.clone(), left[0].comment.clone()), (1, ScoreValue::Numeric(0.5), None));
    room.tasks.shut_down(WAIT).await.unwrap();
}

#[test]
fn an_evaluation_that_a_span_brings_is_a_score_the_same_each_time() {
    let mut span = entry(10, "desk");
    let event = |attributes: Value| {
        let Value::Object(attributes) = attributes else { unreachable!("it is one") };
        SpanEvent { name: "gen_ai.evaluation.result".into(), at: NOW, attributes }
    };
    span.events = vec![
        event(json!({
            "gen_ai.evaluation.name": "relevance", "gen_ai.evaluation.score.value": 0.75,
            "gen_ai.evaluation.score.label": "pass", "gen_ai.evaluation.explanation": "on topic",
        })),
        event(json!({"gen_ai.evaluation.name": "tone", "gen_ai.evaluation.score.label": "kind"})),
        event(json!({"gen_ai.evaluation.name": "nothing"})),
        event(json!({"gen_ai.evaluation.score.value": 1})),
    ];
    let found = evaluations(&span);
    assert_eq!(found, evaluations(&span));
    assert_eq!(found.len(), 2);
    assert_ne!(found[0].id, found[1].id);
    assert_eq!((found[0].value.clone(), found[0].comment.as_deref()), (json!(0.75), Some("on topic")));
    assert_eq!((found[1].value.clone(), found[1].kind), (json!("kind"), Some(ScoreKind::Categorical)));
    assert_eq!(found[0].span, Some(span.span.to_string()));
    span.events.clear();
    assert!(evaluations(&span).is_empty());
}
