//! What is asked and answered about, by itself and of releases, and what an erasure leaves of it.

use mainspring_catalog::Catalog;
use mainspring_testservers::on_every_engine;

use super::*;
use crate::{
    DriftReleases, Subject,
    tests::keeping_telemetry::{Kept, keep},
};

on_every_engine!(Catalog: [words_that_named_a_topic_are_told_to_others_also_when_an_erasure_begins_again]);

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_grew_are_named_and_have_examples() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let drift = drift_of(dir.path(), &room, Some(Arc::new(Places))).await;
    let parcel = Call { asked: "where is the parcel now", ..USUAL };
    let mixed = |at: i64, parcels: i64| (0..100).map(move |n| (at + n, n < parcels));
    let all = actor(Labels::All);
    let none = drift.report(&all, &question(&["model"])).await.unwrap();
    assert!(none.topics.is_none() && none.no_topics.is_some());
    for (at, parcels) in [(THEN, 20), (LATELY, 80)] {
        record(&room, mixed(at, parcels).map(|(at, is_parcel)| called(at, if is_parcel { &parcel } else { &USUAL }))).await;
    }
    assert!(!drift.keep().await.unwrap());
    let topics = drift.report(&all, &question(&["model"])).await.unwrap().topics.unwrap();
    assert_eq!((topics.state, topics.reference, topics.current), (DriftState::Measured, 100, 100));
    assert!(topics.p.unwrap() < 0.01 && topics.psi.unwrap() > 0.2, "{topics:?}");
    let grew = &topics.topics[0];
    assert!(grew.grew && grew.words.iter().any(|word| word == "parcel"), "{topics:?}");
    assert!((grew.before - 0.2).abs() < 1e-9 && (grew.after - 0.8).abs() < 1e-9);
    let example = read_whole(&room, &all, grew.traces[0].parse().unwrap()).await.unwrap();
    assert!(format!("{example:?}").contains("parcel"));
    let (from, to) = (Timestamp::from_micros(THEN), Timestamp::from_micros(LATELY + HOUR));
    assert_eq!(drift.topic_series(&all, ("input", None), (from, to)).await.unwrap().len(), 2);
    // Somebody else's topics are nobody's business.
    let stranger = Actor { project: ProjectId::from_raw(8), ..actor(Labels::All) };
    assert!(drift.report(&stranger, &question(&[])).await.unwrap().topics.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_one_person_asked_names_no_topic_after_their_erasure_and_their_hours_are_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let drift = drift_of(dir.path(), &room, Some(Arc::new(Places))).await;
    let parcel = Call { asked: "where is the parcel now", answered: "the parcel is on its way", ..USUAL };
    let theirs = Call {
        asked: "where is the parcel of zukamirel now",
        answered: "the parcel of zukamirel is on its way",
        model: "zukamirel-model",
        ..USUAL
    };
    for at in [THEN, LATELY] {
        record(&room, (0..100).map(|n| called(at + n, if n < 50 { &parcel } else { &USUAL }))).await;
    }
    let spans: Vec<Span> = (0..8).map(|n| called(THEN + 200 + n, &theirs)).collect();
    record(&room, spans.clone()).await;
    assert!(!drift.keep().await.unwrap());
    let all = actor(Labels::All);
    // Of what was asked, and of what was answered.
    let words = async || {
        let report = drift.report(&all, &question(&["model"])).await.unwrap();
        [report.topics, report.answers].map(|found| {
            let topics = found.into_iter().flat_map(|found| found.topics);
            topics.flat_map(|topic| topic.words).collect::<BTreeSet<String>>()
        })
    };
    for before in words().await {
        assert!(before.contains("parcel") && before.contains("zukamirel"), "{before:?}");
    }
    let hour = async |at: i64| drift.table().await.unwrap().count(Filter::Eq("hour".into(), at.into())).await.unwrap();
    assert!(hour(THEN).await > 0 && hour(LATELY).await > 0);

    let traces: Vec<String> = spans.iter().map(|span| span.trace.to_string()).collect();
    let unusual = drift.unusual(project(), &traces).await.unwrap();
    assert_eq!(unusual, BTreeSet::from(["zukamirel".to_owned()]));
    drift.unname(project(), &unusual).await.unwrap();
    assert!(drift.unusual(project(), &traces).await.unwrap().is_empty(), "once is enough");
    for after in words().await {
        assert!(after.contains("parcel") && !after.contains("zukamirel"), "{after:?}");
    }
    room.table().replace(Filter::any_of("trace", traces), None).await.unwrap();
    // Topics that were there before stay.
    drift.remake(project(), &[THEN].into(), Timestamp::from_micros(NOW + 1)).await.unwrap();
    assert_eq!(hour(THEN).await, 0);
    assert!(hour(LATELY).await > 0);
    drift.keep().await.unwrap();
    for again in words().await {
        assert!(again.contains("parcel") && !again.contains("zukamirel"), "{again:?}");
    }
    let report = drift.report(&all, &question(&["model"])).await.unwrap();
    assert_eq!(of(&report, "model").reference, 100);
    assert!(!format!("{report:?}").contains("zukamirel"), "{report:?}");
    // Those that were made while it was under way may be made of what was erased.
    drift.remake(project(), &BTreeSet::new(), Timestamp::from_micros(NOW)).await.unwrap();
    assert!(words().await.iter().all(BTreeSet::is_empty));
}

async fn words_that_named_a_topic_are_told_to_others_also_when_an_erasure_begins_again(catalog: Catalog) {
    let Kept { keeping, it, admin, others, dir, .. } = keep(catalog).await;
    let lake = LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.path().join("points")))).await.unwrap();
    let drift = Drift::new(Arc::new(lake), it.room.clone(), Some(Arc::new(Places)));
    let parcel = Call { asked: "where is the parcel now", ..USUAL };
    let theirs = Call { asked: "where is the parcel of zukamirel now", ..USUAL };
    record(&it.room, (0..100).map(|n| called(THEN + n, if n < 50 { &parcel } else { &USUAL }))).await;
    let of_user = |n: i64| {
        let mut made = called(THEN + 200 + n, &theirs);
        made.attributes.insert(names::USER.into(), json!("ada"));
        made
    };
    record(&it.room, (0..8).map(of_user)).await;
    assert!(!drift.keep().await.unwrap());
    drop(drift);

    let subject = Subject::User("ada".into());
    let asked = keeping.ask(&admin, &subject).await.unwrap();
    keeping.begin(asked.id).await.unwrap().unwrap();
    let forget = "forget ada, the word zukamirel";
    let expected = [forget, forget, "erase ada of 8 traces, the word zukamirel"];
    keeping.erase(asked.id, project(), &subject).await.unwrap();
    assert_eq!(*others.0.lock().unwrap(), expected);
    // Neither the traces nor the names of topics have the word any more.
    others.0.lock().unwrap().clear();
    keeping.erase(asked.id, project(), &subject).await.unwrap();
    assert_eq!(*others.0.lock().unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_of_answers_move_by_themselves_and_those_of_releases_are_compared() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let drift = drift_of(dir.path(), &room, Some(Arc::new(Places))).await;
    let all = actor(Labels::All);
    // Everybody asks as before; the newer release, which came within the hour, mostly answers of something else.
    let asked = |n: i64| if n % 2 == 0 { USUAL.asked } else { "where is the order" };
    let usual = |at: i64, n: i64| called(at + n, &Call { asked: asked(n), ..USUAL });
    let newer = |at: i64, n: i64| {
        let answered = if n < 50 { "your parcel is on its way" } else { USUAL.answered };
        called(at + n, &Call { asked: asked(n), answered, release: "1.1", ..USUAL })
    };
    let came = LATELY + HOUR / 2;
    record(&room, (0..100).map(|n| usual(THEN, n))).await;
    record(&room, (0..60).flat_map(|n| [usual(LATELY, n), newer(came, n)])).await;
    assert!(!drift.keep().await.unwrap());

    let report = drift.report(&all, &question(&["model"])).await.unwrap();
    let (asked, answered) = (report.topics.unwrap(), report.answers.unwrap());
    assert_eq!((asked.reference, asked.current), (100, 120));
    assert!(asked.topics.iter().all(|topic| !topic.grew), "{asked:?}");
    let grew = &answered.topics[0];
    assert!(grew.grew && grew.words.iter().any(|word| word == "parcel"), "{answered:?}");
    assert!(grew.before < 1e-9 && (grew.after - 50.0 / 120.0).abs() < 1e-9, "{grew:?}");

    let from = Timestamp::from_micros(THEN);
    let named = Against::Release(DriftReleases::default());
    let report = drift.report(&all, &DriftQuestion { from, against: named, ..question(&["model"]) }).await.unwrap();
    let answered = report.answers.unwrap();
    assert_eq!((answered.reference, answered.current), (160, 60), "each text is of its release");
    assert!(answered.topics[0].grew && answered.p.unwrap() < 0.01, "{answered:?}");
    assert!((answered.topics[0].after - 50.0 / 60.0).abs() < 1e-9);
    let example = read_whole(&room, &all, answered.topics[0].traces[0].parse().unwrap()).await.unwrap();
    assert!(format!("{example:?}").contains("\"1.1\""));
    let lonely = DriftQuestion {
        from,
        to: hour(THEN).1,
        against: Against::Release(DriftReleases::default()),
        fields: Vec::new(),
        service: None,
    };
    let report = drift.report(&all, &lonely).await.unwrap();
    assert_eq!((report.answers, report.no_answers), (None, Some("there are no two releases in this time")));

    // A monitor asks from when a release came on.
    let stretch = (Timestamp::from_micros(came), Timestamp::from_micros(LATELY + HOUR));
    let series = drift.topic_series(&all, ("output", Some("1.1")), stretch).await.unwrap();
    assert_eq!(series.iter().map(|(at, sketch)| (*at, sketch.mean.count())).collect::<Vec<_>>(), [(stretch.0, 60)]);
    assert!(drift.topic_series(&all, ("output", None), stretch).await.unwrap().is_empty(), "that hour began before");
    assert!(matches!(drift.topic_series(&all, ("model", None), stretch).await, Err(TraceFault::Question { .. })));
    let narrow = drift.topic_series(&holding(&[]), ("output", None), stretch).await;
    assert!(matches!(narrow, Err(TraceFault::Question { .. })), "what others may not see");
}
