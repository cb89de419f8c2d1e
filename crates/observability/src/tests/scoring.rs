//! What was said of traces, over time: how it moved, and what monitors are told of it.

use mainspring_lake::Lake;

use super::{
    asking::{NOW, record},
    *,
};
use crate::{
    Against, Drift, DriftQuestion, DriftReleases, DriftReport, DriftState, FieldDrift, NewScore, ScoreValue, Scores,
    SeriesQuestion,
};

const HOUR: i64 = 3_600_000_000;
/// Beginnings of hours.
const THEN: i64 = (NOW / HOUR - 30) * HOUR;
const LATELY: i64 = (NOW / HOUR - 3) * HOUR;

struct Scored {
    room: Observability,
    drift: Drift,
    clock: FrozenClock,
    _tasks: Tasks,
}

async fn scored(dir: &Path) -> Scored {
    let Room { room, tasks, clock, .. } = open(dir, Capture::Full).await;
    let lake = LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.join("lake")))).await.unwrap();
    let lake: Arc<dyn Lake> = Arc::new(lake);
    let room = room.with_scores(Scores::new(Arc::clone(&lake), Capture::Full, tasks.clone()));
    let drift = Drift::new(lake, room.clone(), None);
    Scored { room, drift, clock, _tasks: tasks }
}

impl Scored {
    /// Each is written a moment after the one before.
    async fn put(&self, scores: impl IntoIterator<Item = NewScore>) {
        self.clock.advance(Duration::from_micros(1));
        let now = self.clock.now();
        let kept = |new| self.room.scores().unwrap().check(new, project(), now).unwrap();
        let scores = scores.into_iter().map(kept).collect();
        self.room.put_scores(&actor(Labels::All), scores).await.unwrap();
    }

    async fn report(&self, reader: &Actor, fields: &[&str]) -> DriftReport {
        self.drift.report(reader, &question(fields)).await.unwrap()
    }
}

fn question(fields: &[&str]) -> DriftQuestion {
    let at = Timestamp::from_micros;
    DriftQuestion {
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        from: at(LATELY),
        to: at(LATELY + HOUR),
        against: Against::Range(at(THEN), at(THEN + HOUR)),
        service: None,
    }
}

/// A request that a release answered.
/// Of another program: this server's own spans have no release.
fn request(at: i64, release: &str) -> Span {
    let mut made = span(at, &[]);
    made.attributes.retain(|name, _| !name.starts_with("mainspring."));
    made.attributes.insert("resource.service.version".into(), json!(release));
    made
}

/// Under an id made of what it is about: said again it takes the place of the one before.
fn said(of: &Span, name: &str, value: serde_json::Value, time: i64) -> NewScore {
    NewScore {
        id: Some(format!("{name} of {}", of.trace)),
        name: name.to_owned(),
        value,
        trace: Some(of.trace.to_string()),
        time: Some(Timestamp::from_micros(time)),
        ..NewScore::default()
    }
}

fn of<'a>(report: &'a DriftReport, field: &str) -> &'a FieldDrift {
    report.fields.iter().find(|found| found.field == field).unwrap_or_else(|| panic!("no {field}: {report:?}"))
}

/// Numbers that differ a little.
fn about(middle: f64, n: i64) -> serde_json::Value {
    json!(middle + f64::from(i32::try_from(n % 20).unwrap()) / 1_000.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_of_every_kind_drift_and_what_comes_late_is_corrected_or_goes_is_counted_anew() {
    let dir = tempfile::tempdir().unwrap();
    let it = scored(dir.path()).await;
    let (before, after): (Vec<Span>, Vec<Span>) = (0..80).map(|n| (request(THEN + n, "1"), request(LATELY + n, "1"))).unzip();
    record(&it.room, before.iter().chain(&after).cloned()).await;
    let all = actor(Labels::All);
    for (spans, hour, quality, tones) in [(&before, THEN, 0.8, ["kind", "calm"]), (&after, LATELY, 0.2, ["rude", "calm"])] {
        let numbers = spans.iter().zip(0..).map(|(span, n)| said(span, "quality", about(quality, n), hour + n));
        it.put(numbers).await;
        let liked = |n: i64| json!(if hour == THEN { n % 8 > 0 } else { n % 2 > 0 });
        it.put(spans.iter().zip(0..).map(|(span, n)| said(span, "liked", liked(n), hour + n))).await;
        let tone = |n: i64| json!(tones[usize::try_from(n % 2).unwrap()]);
        it.put(spans.iter().zip(0..).map(|(span, n)| said(span, "answer tone", tone(n), hour + n))).await;
        let texts = spans.iter().map(|span| NewScore {
            kind: Some(crate::ScoreKind::Text),
            ..said(span, "remark", json!("for people to read"), hour)
        });
        it.put(texts).await;
    }
    let report = it.report(&all, &[]).await;
    let drifted: BTreeSet<&str> = report.fields.iter().filter(|field| field.drifted).map(|field| field.field.as_str()).collect();
    assert_eq!(drifted, BTreeSet::from(["score.quality", "score.liked", "score[\"answer tone\"]"]), "{report:?}");
    let quality = of(&report, "score.quality");
    assert_eq!((quality.kind, quality.reference, quality.current, quality.unit), ("numbers", 80, 80, None));
    assert!((quality.figures.unwrap().moved.unwrap() - 0.6).abs() < 0.01, "{quality:?}");
    assert_eq!((of(&report, "score.liked").kind, report.waiting), ("categories", 0));
    assert_eq!(of(&report, "score[\"answer tone\"]").figures.unwrap().unseen, Some(0.5), "nobody was rude before");
    assert!(!report.fields.iter().any(|field| field.field.contains("remark")), "texts are no distribution");
    assert_eq!(of(&report, "model").state, DriftState::Missing, "fields of spans are beside them");

    // By name, in either way of writing it, and one that nobody gave.
    let named = it.report(&all, &["score['answer tone']", "score.nothing"]).await;
    assert_eq!(
        named.fields.iter().map(|field| field.field.as_str()).collect::<Vec<_>>(),
        ["score[\"answer tone\"]", "score.nothing"]
    );
    assert_eq!((named.fields[0].drifted, named.fields[1].state), (true, DriftState::Missing));
    let refused = it.drift.report(&all, &question(&["score."])).await;
    assert!(matches!(refused, Err(TraceFault::Question { .. })), "{refused:?}");

    // Late, of that hour.
    let late = request(THEN + 100, "1");
    record(&it.room, [late.clone()]).await;
    it.put([said(&late, "quality", json!(0.8), THEN + 500)]).await;
    assert_eq!(it.report(&all, &["score.quality"]).await.fields[0].reference, 81);
    // Corrected: as many as before, and other values.
    it.put(after.iter().zip(0..).map(|(span, n)| said(span, "quality", about(0.8, n), LATELY + n))).await;
    let corrected = it.report(&all, &["score.quality"]).await;
    assert_eq!((corrected.fields[0].current, corrected.fields[0].drifted), (80, false), "{corrected:?}");
    // Corrected so that it lies in another hour.
    it.put([said(&late, "quality", json!(0.8), THEN - 10 * HOUR)]).await;
    assert_eq!(it.report(&all, &["score.quality"]).await.fields[0].reference, 80);
    // Gone.
    let scores = it.room.scores().unwrap();
    let traces: Vec<String> = before.iter().map(|span| span.trace.to_string()).collect();
    scores.delete_of_traces(project(), &traces[..30]).await.unwrap();
    assert_eq!(it.report(&all, &["score.quality"]).await.fields[0].reference, 50);
    scores.delete_of_traces(project(), &traces).await.unwrap();
    let gone = it.report(&all, &["score.quality"]).await;
    assert_eq!((gone.fields[0].state, gone.fields[0].reference), (DriftState::Missing, 0));

    // Made again, and again, it is the same.
    let rows = async || it.drift.table().await.unwrap().count(mainspring_lake::Filter::All).await.unwrap();
    while it.drift.keep().await.unwrap() {}
    let (kept, now) = (rows().await, it.report(&all, &[]).await);
    while it.drift.keep().await.unwrap() {}
    assert_eq!((rows().await, it.report(&all, &[]).await), (kept, now));
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_of_releases_are_compared_though_their_traces_come_after_them() {
    let dir = tempfile::tempdir().unwrap();
    let it = scored(dir.path()).await;
    let (old, new): (Vec<Span>, Vec<Span>) =
        (0..40).map(|n| (request(LATELY + n, "1.0"), request(LATELY + 60_000_000 + n, "1.1"))).unzip();
    record(&it.room, old.iter().cloned()).await;
    // The judge is quicker than the program's exporter. It speaks of the one of a moment ago.
    let soon = NOW - 60_000_000;
    it.put(old.iter().zip(0..).map(|(span, n)| said(span, "quality", about(0.8, n), soon + n))).await;
    it.put(new.iter().zip(0..).map(|(span, n)| said(span, "quality", about(0.3, n), soon + n))).await;
    let all = actor(Labels::All);
    let at = Timestamp::from_micros;
    let releases = DriftQuestion {
        against: Against::Release(DriftReleases::default()),
        from: at(LATELY),
        to: at(NOW),
        ..question(&["score.quality"])
    };
    let early = it.drift.report(&all, &releases).await.unwrap();
    assert_eq!((early.releases, early.fields[0].current), (None, 80), "of one half nobody knows the release");
    record(&it.room, new.iter().cloned()).await;
    // The hour is over, and is looked at once more.
    it.clock.advance(Duration::from_secs(3_000));
    let report = it.drift.report(&all, &releases).await.unwrap();
    assert_eq!(report.releases, Some(("1.0".to_owned(), "1.1".to_owned())));
    let quality = &report.fields[0];
    assert_eq!((quality.reference, quality.current, quality.drifted), (40, 40, true), "{quality:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_was_only_scored_is_not_compared_with_one_of_another_service() {
    let dir = tempfile::tempdir().unwrap();
    let it = scored(dir.path()).await;
    let of_service = |at: i64, release: &str, service: &str| {
        let mut made = request(at, release);
        made.attributes.insert("resource.service.name".into(), json!(service));
        made
    };
    // One began a day before, and a judge speaks of it within the stretch.
    let desk: Vec<Span> = (0..40).map(|n| of_service(THEN + n, "0.3", "desk")).collect();
    let shop = ["1.0", "1.1"].map(|release| (0..40).map(move |n| of_service(LATELY + n, release, "shop")));
    record(&it.room, desk.iter().cloned().chain(shop.into_iter().flatten())).await;
    it.put(desk.iter().zip(0..).map(|(span, n)| said(span, "quality", about(0.8, n), NOW - 60_000_000 + n))).await;
    let all = actor(Labels::All);
    let asked = |service: Option<&str>, fields: &[&str]| DriftQuestion {
        against: Against::Release(DriftReleases::default()),
        from: Timestamp::from_micros(LATELY),
        to: Timestamp::from_micros(NOW),
        service: service.map(str::to_owned),
        ..question(fields)
    };
    let refused = it.drift.report(&all, &asked(None, &[])).await;
    assert!(matches!(&refused, Err(TraceFault::SeveralServices { services }) if services == &["desk", "shop"]), "{refused:?}");
    let shop = it.drift.report(&all, &asked(Some("shop"), &[])).await.unwrap();
    assert_eq!(shop.releases, Some(("1.0".to_owned(), "1.1".to_owned())));
    // Where nobody asks about scores, nothing else than spans says which releases there are.
    let spans = it.drift.report(&all, &asked(None, &["duration"])).await.unwrap();
    assert_eq!((spans.releases, spans.service.as_deref()), (Some(("1.0".to_owned(), "1.1".to_owned())), Some("shop")));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_of_scores_of_another_project_or_of_traces_they_may_not_see() {
    let dir = tempfile::tempdir().unwrap();
    let it = scored(dir.path()).await;
    let secret = |at: i64| span(at, &["board"]);
    let (open, hidden): (Vec<Span>, Vec<Span>) = (0..40).map(|n| (request(LATELY + n, "1"), secret(LATELY + n))).unzip();
    record(&it.room, open.iter().chain(&hidden).cloned()).await;
    it.put(open.iter().zip(0..).map(|(span, n)| said(span, "quality", about(0.8, n), LATELY + n))).await;
    it.put(hidden.iter().zip(0..).map(|(span, n)| said(span, "quality", about(0.1, n), LATELY + n))).await;
    it.put(hidden.iter().map(|span| said(span, "confidential", json!(1), LATELY))).await;
    let seen = it.report(&holding(&[]), &[]).await;
    assert_eq!((of(&seen, "score.quality").current, seen.waiting), (40, 0));
    assert!(!format!("{seen:?}").contains("confidential"));
    assert_eq!(of(&it.report(&holding(&["board"]), &[]).await, "score.quality").current, 80);
    let stranger = Actor { project: ProjectId::from_raw(8), ..actor(Labels::All) };
    assert!(!format!("{:?}", it.report(&stranger, &[]).await).contains("score"));
    assert_eq!(it.report(&stranger, &["score.quality"]).await.fields[0].state, DriftState::Missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn monitors_are_told_of_scores_when_they_were_given_by_what_bears_them() {
    let dir = tempfile::tempdir().unwrap();
    let it = scored(dir.path()).await;
    // Of long ago, and judged now.
    let spans: Vec<Span> = (0..6).map(|n| request(THEN + n, if n < 4 { "1.0" } else { "1.1" })).collect();
    let mut call = span(THEN + 9, &[]);
    (call.trace, call.parent, call.kind) = (spans[0].trace, Some(spans[0].span), SpanKind::Client);
    call.name = "chat".into();
    record(&it.room, spans.iter().chain([&call]).cloned()).await;
    let minute = 60_000_000;
    it.put(spans.iter().zip(0..).map(|(span, n)| said(span, "quality", json!(n), NOW - 3 * minute + n))).await;
    let on_call = NewScore { span: Some(call.span.to_string()), id: None, ..said(&call, "quality", json!(100), NOW - minute) };
    let of_nothing = said(&request(NOW, "2"), "quality", json!(50), NOW - minute);
    let of_session =
        NewScore { trace: None, session: Some("s".into()), id: None, ..said(&call, "quality", json!(60), NOW - minute) };
    let long_ago = said(&request(NOW, "2"), "quality", json!(70), NOW - 90 * minute);
    it.put([on_call, of_nothing, of_session, long_ago]).await;
    let all = actor(Labels::All);
    let asked = |filter: &str| SeriesQuestion {
        filter: filter.parse().unwrap(),
        entries: false,
        only: None,
        from: Timestamp::from_micros(NOW - 10 * minute),
        to: Timestamp::from_micros(NOW),
        step: Duration::from_secs(600),
        by: None,
    };
    let told = async |question: &SeriesQuestion| {
        let mut heard: Vec<(Option<String>, f64)> = Vec::new();
        let mut listener = |at: Timestamp, slice: Option<&str>, value: &ScoreValue| {
            assert!(at >= question.from && at < question.to, "{at}");
            heard.push((slice.map(str::to_owned), value.number().unwrap()));
        };
        it.room.scores_over_time(&all, question, "quality", &mut listener).await.unwrap();
        heard.sort_by(|one, other| one.1.total_cmp(&other.1));
        heard
    };
    let plain = |numbers: &[f64]| numbers.iter().map(|number| (None, *number)).collect::<Vec<_>>();
    assert_eq!(
        told(&asked("")).await,
        plain(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 50.0, 60.0, 100.0]),
        "whether its trace came or not"
    );
    assert_eq!(told(&asked("release = \"1.1\"")).await, plain(&[4.0, 5.0]));
    assert_eq!(told(&asked("name = chat")).await, plain(&[100.0]), "the span that it was given to bears it");
    let entered = SeriesQuestion { entries: true, ..asked("name != chat") };
    assert_eq!(told(&entered).await, plain(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 100.0]), "a trace bears those of its spans");
    let high = told(&asked("score.quality >= 4")).await;
    assert_eq!(high, plain(&[0.0, 4.0, 5.0, 100.0]), "what enters a trace of which a call has such a score passes");
    let only = SeriesQuestion { only: Some(("release".into(), "1.0".into())), ..asked("score.quality < 2") };
    assert_eq!(told(&only).await, plain(&[0.0, 1.0]));
    let sliced = SeriesQuestion { by: Some(("release".into(), 1)), ..asked("") };
    let of = |number: f64| (Some("1.0".to_owned()), number);
    assert_eq!(told(&sliced).await, [of(0.0), of(1.0), of(2.0), of(3.0)], "the slice with the most");
    let stranger = Actor { project: ProjectId::from_raw(8), ..all.clone() };
    let mut heard = 0;
    let mut listener = |_: Timestamp, _: Option<&str>, _: &ScoreValue| heard += 1;
    it.room.scores_over_time(&stranger, &asked(""), "quality", &mut listener).await.unwrap();
    assert_eq!(heard, 0, "they are another project's");
}
