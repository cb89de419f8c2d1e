//! Many scores, of which few are held at once; and one that is sent to two processes.

use mainspring_lake_lance::Durability;

use super::*;
use crate::Counted;

/// What a room answers to a filter, in every way in which it can be asked.
#[derive(Debug, PartialEq)]
struct Told {
    traces: Vec<TraceId>,
    any: BTreeSet<TraceId>,
    spans: BTreeSet<SpanId>,
    exported: BTreeSet<SpanId>,
    counts: [Counted; 3],
}

fn filtered(text: &str) -> TraceFilter {
    TraceFilter { also: text.parse().unwrap(), ..TraceFilter::default() }
}

impl Room {
    /// The same room in which so few scores are held at once, and read at once.
    fn narrowed(&self, found: u64, piece: u64) -> Self {
        let scores = Scores { most: Most { found, piece }, ..self.room.scores().unwrap().clone() };
        Self { tasks: self.tasks.clone(), room: self.room.clone().with_scores(scores) }
    }

    async fn told(&self, filter: &str, limit: usize) -> Told {
        let (reader, filter) = (owner(), filtered(filter));
        let (mut traces, mut any, mut spans) = (Vec::new(), Vec::new(), Vec::new());
        let mut cursor = None;
        loop {
            let page = self.room.list(&reader, &filter, &PageRequest::new(Some(limit), cursor).unwrap()).await.unwrap();
            assert!(page.items.len() <= limit);
            traces.extend(page.items.into_iter().map(|trace| trace.trace));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        loop {
            let page = self.room.list_any(&reader, &filter, &PageRequest::new(Some(limit), cursor).unwrap()).await.unwrap();
            any.extend(page.items.into_iter().map(|trace| trace.trace));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        loop {
            let page = self.room.spans(&reader, &filter, &PageRequest::new(Some(limit), cursor).unwrap()).await.unwrap();
            spans.extend(page.items.into_iter().map(|span| span.span));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let mut exported = Vec::new();
        let mut export = self.room.export(&reader, &filter).await.unwrap();
        while let Some(page) = export.next().await.unwrap() {
            exported.extend(page.into_iter().map(|span| span.span));
        }
        let counts = [
            self.room.count(&reader, &filter).await.unwrap(),
            self.room.count_any(&reader, &filter).await.unwrap(),
            self.room.count_spans(&reader, &filter).await.unwrap(),
        ];
        let lengths =
            [traces.len(), any.len(), spans.len()].map(|count| Counted { count: count as u64, exact: true, waiting: 0 });
        assert_eq!((counts, exported.len()), (lengths, spans.len()), "{filter:?}");
        let told = Told {
            traces,
            any: any.into_iter().collect(),
            spans: spans.into_iter().collect(),
            exported: exported.into_iter().collect(),
            counts,
        };
        let once = [told.any.len(), told.spans.len()].map(|count| count as u64);
        assert_eq!(once, [counts[1].count, counts[2].count], "each once");
        assert_eq!(told.spans, told.exported);
        told
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn however_few_scores_are_held_at_once_every_answer_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let room = open(dir.path()).await;
    let made: Vec<[Span; 2]> = (0..40)
        .map(|n| {
            let entered = entry(1_000 - n, if n % 3 == 0 { "desk" } else { "shop" });
            let call = below(&entered);
            [entered, call]
        })
        .collect();
    made.iter().flatten().for_each(|span| room.room.record(span.clone()));
    room.room.drain(WAIT).await.unwrap();
    let mut scores = Vec::new();
    for ([entered, call], n) in made.iter().zip(0..) {
        if n % 2 == 0 {
            scores.push(new("quality", json!(n), entered));
        }
        if n % 5 == 0 {
            scores.push(NewScore { span: Some(call.span.to_string()), ..new("quality", json!(100 + n), call) });
        }
        scores.push(new("tone", json!(["kind", "calm", "rude"][n % 3]), entered));
    }
    let session = NewScore { trace: None, session: Some("s-desk".into()), ..new("resolved", json!(true), &made[0][0]) };
    scores.push(session);
    room.put(scores).await;

    // Of the names that are asked for one trace has two scores at most, so that each is held, and hardly any two are.
    let narrow = room.narrowed(6, 2);
    for (filter, limit) in [
        ("score.quality exists", 3),
        ("score.quality >= 10", 100),
        ("not score.quality >= 10", 4),
        ("score.tone = kind or score.quality > 30 and app = shop", 7),
        ("score.tone in (calm, rude) and not score.quality < 20", 5),
        ("score.tone = rude or score.resolved = true", 2),
        ("name = chat and score.quality >= 100", 3),
        ("score.quality > 1000", 3),
        ("score.nothing exists or score.tone = kind", 9),
        ("not content contains zukamirel and score.tone = rude", 6),
    ] {
        let wide = room.told(filter, limit).await;
        assert_eq!(narrow.told(filter, limit).await, wide, "{filter}");
        assert!(wide.traces.is_sorted_by_key(|trace| {
            made.iter().find(|spans| spans[0].trace == *trace).map(|spans| std::cmp::Reverse(spans[0].start))
        }));
    }
    assert_eq!(room.told("score.quality exists", 3).await.traces.len(), 24, "twenty that are even, and four fives");

    // What is reckoned of scores is read in pieces; what is reckoned of spans holds what its filter finds, or says that it does
    // not.
    let wanted: Vec<ScoreMeasure> = ["score.quality.mean", "score.quality.p50", "score.quality.count"]
        .map(|text| ScoreMeasure::read(text).unwrap().unwrap())
        .into();
    let asked = |filter: &str| MetricsQuestion {
        filter: filtered(filter),
        by: vec!["app".into()],
        measures: vec!["count".into()],
        ..MetricsQuestion::default()
    };
    let found = room.room.measure(&owner(), asked("")).await.unwrap();
    let reckoned = room.room.measure_scores(&owner(), asked(""), &wanted, &found).await.unwrap();
    assert_eq!(narrow.room.measure_scores(&owner(), asked(""), &wanted, &found).await.unwrap(), reckoned);
    assert_eq!(reckoned.iter().filter_map(|row| row[2]).sum::<f64>(), 28.0, "{reckoned:?}");
    let refused = narrow.room.measure(&owner(), asked("score.quality exists")).await;
    assert!(matches!(refused, Err(TraceFault::TooMuch { rows: 6 })), "{refused:?}");
    // More of one trace than are held is more than any part can have.
    let refused = room.narrowed(1, 1).room.count(&owner(), &filtered("score.quality exists")).await;
    assert!(matches!(refused, Err(TraceFault::TooMuch { .. })), "{refused:?}");
    room.tasks.shut_down(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_score_that_is_sent_to_two_processes_is_there_once() {
    let dir = tempfile::tempdir().unwrap();
    // Two lakes on one folder share no memory, as two processes would not; what they read may be an hour old.
    let process = async || {
        let location = LakeLocation::Local(dir.path().join("lake"));
        let config = LanceConfig {
            look_for_newer_after: Some(Duration::from_secs(3_600)),
            durability: Durability::Process,
            ..LanceConfig::new(location)
        };
        Scores::new(Arc::new(LanceLake::open(config).await.unwrap()), Capture::Full, Tasks::default())
    };
    let (one, other) = (process().await, process().await);
    let (project, span) = (owner().project, entry(10, "desk"));
    let batch = |value: i64, from: i64| -> Vec<Score> {
        let score = |n: i64| NewScore { id: Some(format!("s{n:03}")), ..new("quality", json!(value), &span) };
        (from..from + 30).map(|n| one.check(score(n), project, NOW).unwrap()).collect()
    };
    // Both have looked at the table before.
    for scores in [&one, &other] {
        assert!(scores.one(project, "s000").await.unwrap().is_none());
    }
    // The answer of the one was lost, and the sender says it to the other.
    one.put(project, batch(1, 0), NOW, WAIT).await.unwrap();
    other.put(project, batch(1, 0), NOW, WAIT).await.unwrap();
    // At once, some of it anew, and what was said before said otherwise.
    for round in 1..6 {
        let sent = batch(10 * round, 20 * round);
        let (here, there) = tokio::join!(one.put(project, sent.clone(), NOW, WAIT), other.put(project, sent.clone(), NOW, WAIT));
        here.and(there).unwrap();
    }
    // The same id of another project is another score.
    other.put(ProjectId::from_raw(8), batch(7, 0), NOW, WAIT).await.unwrap();
    let fresh = process().await;
    let found = fresh.part(project, &ScoreFilter::default(), None, 1_000).await.unwrap();
    let told: Vec<(String, ScoreValue)> = found.into_iter().map(|score| (score.id, score.value)).collect();
    let value = |n: i64| match n {
        0..20 => 1.0,
        n => f64::from(i32::try_from((n / 20).min(5) * 10).unwrap()),
    };
    let expected: Vec<(String, ScoreValue)> = (0..130).map(|n| (format!("s{n:03}"), ScoreValue::Numeric(value(n)))).collect();
    assert_eq!(told, expected, "each once, with the last that was said of it");
    assert_eq!(fresh.part(ProjectId::from_raw(8), &ScoreFilter::default(), None, 1_000).await.unwrap().len(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_have_every_score_once_and_few_each() {
    let dir = tempfile::tempdir().unwrap();
    let room = open(dir.path()).await;
    let span = entry(10, "desk");
    // Most of them in a moment, the others over a year; nine at one time, which no piece tells apart.
    let at = |n: i64| match n {
        0..30 => n,
        30..39 => 77,
        n => n * 1_000_000_000_000,
    };
    let time = |n: i64| Some(Timestamp::from_micros(NOW.as_micros() - at(n)));
    room.put((0..60).map(|n| NewScore { time: time(n), ..new("quality", json!(n), &span) }).collect()).await;
    let narrow = room.narrowed(1_000, 4);
    let scores = narrow.room.scores().unwrap();
    let mut found = Vec::new();
    for piece in scores.pieces(&of_project(owner().project), "time").await.unwrap() {
        let given = scores.given(piece).await.unwrap();
        let alone = given.iter().all(|score| score.time == given[0].time);
        assert!(!given.is_empty() && (given.len() <= 4 || alone), "{given:?}");
        found.extend(given.into_iter().map(|score| score.value.number().unwrap()));
    }
    found.sort_by(f64::total_cmp);
    assert_eq!(found, (0..60).map(f64::from).collect::<Vec<_>>());
    assert!(scores.pieces(&of_project(ProjectId::from_raw(8)), "time").await.unwrap().is_empty());
    room.tasks.shut_down(WAIT).await.unwrap();
}
