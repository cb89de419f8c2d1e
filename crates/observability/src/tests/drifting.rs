//! What moved between two stretches of time, and what is kept of hours.

use mainspring_catalog::Catalog;
use mainspring_lake::Filter;
use mainspring_llm::{
    Budget, Embedder, Embedding, ModelFault, TextTokenizer, Tokens,
    embed::{EmbedAs, Embedded},
};
use mainspring_testservers::on_every_engine;

use super::{
    keeping_telemetry::{Kept, keep},
    *,
};
use crate::{Against, Drift, DriftQuestion, DriftReleases, DriftReport, DriftState, FieldDrift, Subject};

on_every_engine!(Catalog: [words_that_named_a_topic_are_told_to_others_also_when_an_erasure_begins_again]);

pub(super) const NOW: i64 = 1_700_000_000_000_000;
pub(super) const HOUR: i64 = 3_600_000_000;
/// Beginnings of hours.
pub(super) const THEN: i64 = (NOW / HOUR - 30) * HOUR;
pub(super) const LATELY: i64 = (NOW / HOUR - 3) * HOUR;

pub(super) struct Call<'a> {
    pub(super) model: &'a str,
    pub(super) millis: i64,
    pub(super) asked: &'a str,
    pub(super) answered: &'a str,
    pub(super) release: &'a str,
    pub(super) tier: &'a str,
}

pub(super) const USUAL: Call<'_> = Call {
    model: "gpt",
    millis: 900,
    asked: "how is the invoice paid",
    answered: "the invoice is due in a week",
    release: "1.0",
    tier: "free",
};

pub(super) fn called(at: i64, call: &Call<'_>) -> Span {
    let mut made = span(at, &[]);
    (made.name, made.kind) = ("chat".into(), SpanKind::Internal);
    let said = |role: &str, text: &str| json!([{"role": role, "parts": [{"type": "text", "content": text}]}]);
    made.attributes = Map::from_iter([
        (names::OPERATION.to_owned(), json!("chat")),
        (names::REQUEST_MODEL.to_owned(), json!(call.model)),
        (names::INPUT_TOKENS.to_owned(), json!(10)),
        (names::FINISH.to_owned(), json!(["stop"])),
        ("resource.service.version".to_owned(), json!(call.release)),
        ("shop.tier".to_owned(), json!(call.tier)),
        (names::INPUT_MESSAGES.to_owned(), said("user", call.asked)),
        (names::OUTPUT_MESSAGES.to_owned(), said("assistant", call.answered)),
    ]);
    made.end = Timestamp::from_micros(at + call.millis * 1_000);
    made
}

pub(super) async fn record(room: &Observability, spans: impl IntoIterator<Item = Span>) {
    spans.into_iter().for_each(|span| room.record(span));
    room.drain(WAIT).await.unwrap();
}

pub(super) async fn drift_of(dir: &Path, room: &Observability, embedder: Option<Arc<dyn Embedder>>) -> Drift {
    let lake = LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.join("lake")))).await.unwrap();
    Drift::new(Arc::new(lake), room.clone(), embedder)
}

pub(super) fn hour(start: i64) -> (Timestamp, Timestamp) {
    (Timestamp::from_micros(start), Timestamp::from_micros(start + HOUR))
}

pub(super) fn question(fields: &[&str]) -> DriftQuestion {
    let ((from, to), (start, end)) = (hour(LATELY), hour(THEN));
    DriftQuestion {
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        from,
        to,
        against: Against::Range(start, end),
        service: None,
    }
}

fn of<'a>(report: &'a DriftReport, field: &str) -> &'a FieldDrift {
    report.fields.iter().find(|found| found.field == field).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_compared_with_itself_and_its_releases_with_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let drift = drift_of(dir.path(), &room, None).await;
    let calls = |at: i64, service: &'static str, call: Call<'static>| {
        (0..40).map(move |n| {
            let mut span = called(at + n, &call);
            span.attributes.insert("resource.service.name".to_owned(), json!(service));
            span
        })
    };
    record(&room, calls(THEN, "desk", USUAL).chain(calls(THEN, "shop", USUAL))).await;
    let [one, two] = ["1.0", "2.0"].map(|release| Call { model: "new", release, ..USUAL });
    record(&room, calls(LATELY, "shop", one).chain(calls(LATELY + 1_000, "shop", two))).await;
    record(&room, calls(LATELY + 2_000, "desk", Call { release: "9.0", ..USUAL })).await;
    let all = actor(Labels::All);
    let asked = |service: Option<&str>| DriftQuestion { service: service.map(str::to_owned), ..question(&["model"]) };

    for (service, counted, drifted) in [(None, (80, 120), true), (Some("desk"), (40, 40), false), (Some("shop"), (40, 80), true)]
    {
        let report = drift.report(&all, &asked(service)).await.unwrap();
        let model = of(&report, "model");
        assert_eq!(((model.reference, model.current), model.drifted), (counted, drifted), "{service:?}");
    }
    let released = async |service: Option<&str>, reference: Option<&str>, current: Option<&str>| {
        let named = DriftReleases { reference: reference.map(str::to_owned), current: current.map(str::to_owned) };
        drift.report(&all, &DriftQuestion { against: Against::Release(named), ..asked(service) }).await
    };
    let two = |before: &str, after: &str| Some((before.to_owned(), after.to_owned()));
    let shop = released(Some("shop"), None, None).await.unwrap();
    assert_eq!((shop.releases, shop.service.as_deref()), (two("1.0", "2.0"), Some("shop")));
    // The newest of one service is not compared with that of another.
    for (reference, current) in [(None, None), (Some("2.0"), Some("9.0")), (Some("3.0"), None)] {
        let refused = released(None, reference, current).await.unwrap_err();
        assert_eq!((refused.kind(), refused.code()), (mainspring_kernel::FaultKind::Invalid, "drift-several-services"));
        assert_eq!(refused.hint().as_deref(), Some("name one as `service`: `desk`, `shop`"), "{reference:?} {current:?}");
    }
    // A release that only one of them has says which is meant.
    let named = released(None, None, Some("2.0")).await.unwrap();
    assert_eq!((of(&named, "model").reference, of(&named, "model").current), (40, 40));
    assert_eq!((named.releases, named.service.as_deref()), (two("1.0", "2.0"), Some("shop")));
    // Before, both had one and the same.
    let (from, to) = hour(THEN);
    let alike = DriftQuestion { from, to, against: Against::Release(DriftReleases::default()), ..asked(None) };
    assert!(matches!(drift.report(&all, &alike).await, Err(TraceFault::SeveralServices { .. })));
    let stranger = Actor { project: ProjectId::from_raw(8), ..actor(Labels::All) };
    let theirs = drift.report(&stranger, &alike).await.unwrap();
    assert_eq!((theirs.releases, theirs.service), (None, None), "of another project nobody hears");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_only_one_service_has_releases_they_are_compared() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let drift = drift_of(dir.path(), &room, None).await;
    let of_service = |mut span: Span, service: &str| {
        span.attributes.insert("resource.service.name".to_owned(), json!(service));
        span
    };
    let newer = Call { release: "1.1", millis: 20_000, ..USUAL };
    record(&room, (0..40).map(|n| of_service(called(LATELY + n, &USUAL), "shop"))).await;
    record(&room, (0..40).map(|n| of_service(called(LATELY + 1_000 + n, &newer), "shop"))).await;
    let unreleased = (0..40).map(|n| {
        let mut span = of_service(called(LATELY + 2_000 + n, &USUAL), "cron");
        span.attributes.remove("resource.service.version");
        span
    });
    record(&room, unreleased).await;
    let asked = DriftQuestion { against: Against::Release(DriftReleases::default()), ..question(&["duration"]) };
    let all = actor(Labels::All);
    let one = async || {
        let report = drift.report(&all, &asked).await.unwrap();
        let duration = of(&report, "duration");
        assert_eq!((duration.reference, duration.current, duration.drifted), (40, 40, true), "{report:?}");
        assert_eq!((report.releases, report.service.as_deref()), (Some(("1.0".to_owned(), "1.1".to_owned())), Some("shop")));
        report.no_topics
    };
    assert_eq!(one().await, Some("this process embeds nothing"));

    // An app of this server has versions, and is no service: it stands in nobody's way.
    let own = (0..40).map(|n| {
        let mut span = span(LATELY + 3_000 + n, &[]);
        span.attributes.insert(names::VERSIONS.to_owned(), json!(["app/manual@7#abc"]));
        span
    });
    record(&room, own).await;
    one().await;
    // Named, it is what is meant.
    let named = DriftReleases { reference: Some("6".to_owned()), current: Some("7".to_owned()) };
    let report = drift.report(&all, &DriftQuestion { against: Against::Release(named), ..asked.clone() }).await.unwrap();
    assert_eq!((of(&report, "duration").current, report.service.as_deref()), (40, Some("app/manual")));
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_of_two_apps_of_this_server_are_not_compared_with_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let drift = drift_of(dir.path(), &room, None).await;
    let answered = |at: i64, app: &'static str, version: u32, millis: i64| {
        (0..40).map(move |n| {
            let mut span = span(at + n, &[]);
            span.end = Timestamp::from_micros(at + n + millis * 1_000);
            span.attributes.insert(names::APP.to_owned(), json!(app));
            span.attributes.insert(names::VERSIONS.to_owned(), json!([format!("app/{app}@{version}#abc")]));
            span
        })
    };
    record(&room, answered(LATELY, "manual", 1, 100).chain(answered(LATELY + 1_000, "manual", 2, 100))).await;
    let all = actor(Labels::All);
    let asked = async |service: Option<&str>, current: Option<&str>| {
        let named = DriftReleases { reference: None, current: current.map(str::to_owned) };
        let question = DriftQuestion { against: Against::Release(named), ..question(&["duration"]) };
        drift.report(&all, &DriftQuestion { service: service.map(str::to_owned), ..question }).await
    };
    let two = |before: &str, after: &str| Some((before.to_owned(), after.to_owned()));
    let only = asked(None, None).await.unwrap();
    assert_eq!((only.releases, only.service.as_deref()), (two("1", "2"), Some("app/manual")));

    // Another one is slow, and a program of another's is called like the first.
    record(&room, answered(LATELY + 2_000, "search", 3, 20_000)).await;
    let refused = asked(None, None).await.unwrap_err();
    assert_eq!(refused.hint().as_deref(), Some("name one as `service`: `app/manual`, `app/search`"));
    let manual = asked(Some("app/manual"), None).await.unwrap();
    let duration = of(&manual, "duration");
    assert_eq!((manual.releases.clone(), duration.drifted, duration.current), (two("1", "2"), false, 40));
    let search = asked(None, Some("3")).await.unwrap();
    assert_eq!((search.service.as_deref(), search.releases), (Some("app/search"), None), "it is the first of its app");
    let namesake = (0..40).map(|n| {
        let mut span = called(LATELY + 3_000 + n, &Call { release: "9.0", ..USUAL });
        span.attributes.insert("resource.service.name".to_owned(), json!("manual"));
        span
    });
    record(&room, namesake).await;
    for (service, releases) in [("app/manual", two("1", "2")), ("manual", None)] {
        assert_eq!(asked(Some(service), None).await.unwrap().releases, releases, "{service}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_one_however_many_programs_it_goes_through_and_however_often_it_is_tried() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let drift = drift_of(dir.path(), &room, None).await;
    let front = |at: i64| {
        let mut span = called(at, &USUAL);
        span.attributes.remove("resource.service.version");
        span.attributes.insert("resource.service.name".to_owned(), json!("front"));
        span
    };
    // A request to an app of this server, which is an entry of the same trace.
    let tried = |at: i64, above: &Span, release: &'static str| {
        let mut span = called(at, &Call { millis: 20_000, release, ..USUAL });
        (span.trace, span.parent, span.kind) = (above.trace, Some(above.span), SpanKind::Server);
        span.attributes.insert(names::APP.to_owned(), json!("desk"));
        span.attributes.insert(names::VERSIONS.to_owned(), json!([format!("app/desk@{release}#abc")]));
        span.status = SpanStatus::Error("broke".into());
        span
    };
    let early = front(THEN + 39);
    record(&room, (0..39).map(|n| front(THEN + n)).chain([early.clone()])).await;
    record(
        &room,
        (0..40).flat_map(|n| {
            let first = front(LATELY + n);
            let others = ["1.0", "1.0", "2.0"].map(|release| tried(LATELY + 1_000 + n, &first, release));
            others.into_iter().chain([first]).collect::<Vec<_>>()
        }),
    )
    .await;
    let all = actor(Labels::All);
    let fields = question(&["duration", "status", "app", "model"]);
    let counts = |report: &DriftReport, field: &str| (of(report, field).reference, of(report, field).current);
    // What is kept of hours, and what is read when somebody asks who may not see everything, say the same.
    for reader in [&all, &holding(&["board"])] {
        let report = drift.report(reader, &fields).await.unwrap();
        for field in ["duration", "status"] {
            assert_eq!((counts(&report, field), of(&report, field).drifted), ((40, 40), false), "{field}");
        }
        // The first entry that has one says it.
        assert_eq!(counts(&report, "app"), (0, 40));
        // Of spans each counts.
        assert_eq!(counts(&report, "model"), (40, 160));
    }
    // A release has had a request though another program had it before, and though it was tried again.
    let released = DriftQuestion { against: Against::Release(DriftReleases::default()), ..fields.clone() };
    let shop = DriftQuestion { service: Some("app/desk".to_owned()), ..released.clone() };
    for asked in [released, shop] {
        let report = drift.report(&all, &asked).await.unwrap();
        assert_eq!(report.releases, Some(("1.0".to_owned(), "2.0".to_owned())));
        assert_eq!((counts(&report, "duration"), counts(&report, "app")), ((40, 40), (40, 40)), "{:?}", asked.service);
        assert_eq!(counts(&report, "model"), (80, 40));
    }
    let shop = drift.report(&all, &DriftQuestion { service: Some("app/desk".to_owned()), ..fields.clone() }).await.unwrap();
    assert_eq!((counts(&shop, "duration"), counts(&shop, "model")), ((0, 40), (0, 120)));
    // What comes late is of its trace, also where it began before all others.
    record(&room, [tried(THEN + 38, &early, "1.0")]).await;
    let late = drift.report(&all, &fields).await.unwrap();
    assert_eq!((counts(&late, "duration"), counts(&late, "app"), counts(&late, "model")), ((40, 40), (1, 40), (41, 160)));
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_moved_come_first_and_late_spans_make_their_hour_again() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let drift = drift_of(dir.path(), &room, None).await;
    record(&room, (0..80).map(|n| called(THEN + n, &USUAL))).await;
    record(
        &room,
        (0..80).map(|n| called(LATELY + n, &Call { model: if n % 2 == 0 { "gpt" } else { "new" }, millis: 9_000, ..USUAL })),
    )
    .await;
    let all = actor(Labels::All);

    let report = drift.report(&all, &question(&[])).await.unwrap();
    let drifted: BTreeSet<&str> = report.fields.iter().filter(|field| field.drifted).map(|field| field.field.as_str()).collect();
    assert_eq!(drifted, BTreeSet::from(["duration", "model"]), "{report:?}");
    assert!(report.fields[..2].iter().all(|field| field.drifted), "they come first");
    let model = of(&report, "model");
    assert_eq!((model.reference, model.current, model.figures.unwrap().unseen), (80, 80, Some(0.5)));
    assert!(of(&report, "duration").figures.unwrap().moved.unwrap() > 8_000.0, "in milliseconds");
    assert_eq!(of(&report, "finish_reason").state, DriftState::Measured);
    assert_eq!(of(&report, "cost").state, DriftState::Missing, "nobody said a cost: that is not the same as no drift");
    assert_eq!((report.waiting, report.no_topics), (0, Some("this process embeds nothing")));

    // Made again, and again, it is the same.
    let rows = async || drift.table().await.unwrap().count(Filter::All).await.unwrap();
    let kept = rows().await;
    assert!(!drift.keep().await.unwrap());
    assert!(!drift.keep().await.unwrap());
    assert_eq!((rows().await, drift.report(&all, &question(&[])).await.unwrap()), (kept, report));

    record(&room, (0..20).map(|n| called(THEN + 1_000 + n, &USUAL))).await;
    let later = drift.report(&all, &question(&["model"])).await.unwrap();
    assert_eq!((later.fields[0].reference, later.fields[0].current), (100, 80));
    // What is gone from the traces is gone from here.
    room.expire(Timestamp::from_micros(THEN + HOUR)).await.unwrap();
    drift.keep().await.unwrap();
    let gone = drift.report(&all, &question(&["model"])).await.unwrap();
    assert_eq!((gone.fields[0].state, gone.fields[0].reference), (DriftState::Missing, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_of_another_project_or_of_traces_they_may_not_see() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let drift = drift_of(dir.path(), &room, None).await;
    let secret = |at: i64| {
        let mut secret = called(at, &Call { model: "secret", ..USUAL });
        secret.attributes.insert(names::LABELS.into(), json!([["board"]]));
        secret
    };
    record(&room, (0..40).flat_map(|n| [called(THEN + n, &USUAL), called(LATELY + n, &USUAL), secret(LATELY + n)])).await;
    let stranger = Actor { project: ProjectId::from_raw(8), ..actor(Labels::All) };
    let theirs = drift.report(&stranger, &question(&[])).await.unwrap();
    assert!(theirs.fields.iter().all(|field| field.state == DriftState::Missing && field.bins.is_empty()), "{theirs:?}");
    let seen = drift.report(&holding(&[]), &question(&["model"])).await.unwrap();
    assert_eq!((seen.fields[0].current, seen.fields[0].drifted), (40, false), "{seen:?}");
    let seen = drift.report(&holding(&["board"]), &question(&["model"])).await.unwrap();
    assert_eq!((seen.fields[0].current, seen.fields[0].drifted), (80, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_and_releases_are_compared_when_somebody_asks() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let drift = drift_of(dir.path(), &room, None).await;
    record(&room, (0..50).map(|n| called(THEN + n, &USUAL))).await;
    let newer = Call { release: "1.1", millis: 20_000, tier: "paid", ..USUAL };
    record(
        &room,
        (0..50).flat_map(|n| [called(LATELY + n, &Call { tier: "paid", ..USUAL }), called(LATELY + 60_000_000 + n, &newer)]),
    )
    .await;
    let all = actor(Labels::All);
    let report = drift.report(&all, &question(&["attributes[\"shop.tier\"]"])).await.unwrap();
    let tier = &report.fields[0];
    assert_eq!((tier.kind, tier.reference, tier.current, tier.drifted), ("categories", 50, 100, true), "{tier:?}");

    let releases = async |reference: Option<&str>, current: Option<&str>| {
        let named = DriftReleases { reference: reference.map(str::to_owned), current: current.map(str::to_owned) };
        let from = Timestamp::from_micros(THEN);
        let asked = DriftQuestion { from, against: Against::Release(named), ..question(&["duration", "model"]) };
        drift.report(&all, &asked).await
    };
    let report = releases(None, None).await.unwrap();
    assert_eq!(report.releases, Some(("1.0".to_owned(), "1.1".to_owned())));
    assert_eq!((of(&report, "duration").drifted, of(&report, "model").drifted), (true, false));
    let back = releases(Some("1.1"), Some("1.0")).await.unwrap();
    assert_eq!((of(&back, "duration").reference, of(&back, "duration").current), (50, 100));
    let (fast, slow) = (of(&back, "duration").bins.first().unwrap(), of(&back, "duration").bins.last().unwrap());
    assert!(fast.after > fast.before && slow.after < slow.before, "the older one is the faster one");
    let unheard = releases(Some("0.9"), None).await.unwrap();
    assert_eq!((of(&unheard, "duration").state, unheard.releases.unwrap().1.as_str()), (DriftState::Missing, "1.1"));
    let same = releases(Some("1.1"), Some("1.1")).await;
    assert!(matches!(same, Err(TraceFault::Question { reason }) if reason.contains("another")));
    let refused = drift.report(&all, &question(&["modle"])).await;
    assert!(matches!(refused, Err(TraceFault::Question { reason }) if reason.contains("`model`")));
}

/// Texts about the same lie in the same place.
#[derive(Debug)]
pub(super) struct Places;

impl TextTokenizer for Places {
    fn tokenize(&self, _: &str) -> Tokens {
        Tokens::default()
    }
}

#[async_trait]
impl Embedder for Places {
    fn name(&self) -> &'static str {
        "places"
    }
    fn identity(&self) -> String {
        "places".into()
    }
    fn dimensions(&self) -> usize {
        2
    }
    fn max_tokens(&self) -> usize {
        512
    }
    async fn embed(&self, texts: Vec<String>, _: EmbedAs, _: Budget) -> Result<Embedded, ModelFault> {
        let place = |text: String| match text {
            text if text.contains("invoice") => vec![1.0, 0.0],
            text if text.contains("warranty") => vec![-1.0, -1.0],
            _ => vec![0.0, 1.0],
        };
        Ok(Embedded { vectors: texts.into_iter().map(place).collect(), tokens: 0 })
    }
    async fn embed_tokens(&self, texts: Vec<String>, _: Budget) -> Result<Vec<Vec<Embedding>>, ModelFault> {
        Ok(texts.into_iter().map(|_| Vec::new()).collect())
    }
    fn tokenizer(&self) -> Arc<dyn TextTokenizer> {
        Arc::new(Self)
    }
}

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

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_costs_have_means_and_percentiles_and_what_nobody_priced_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    record(&room, (0..10).map(|n| called(LATELY + n, &USUAL))).await;
    let names = ["input_tokens_mean", "input_tokens_p95", "input_tokens_max", "unpriced", "cost_mean"];
    let measures = names.map(str::to_owned).into();
    let asked = crate::MetricsQuestion { measures, ..crate::MetricsQuestion::default() };
    let found = room.measure(&actor(Labels::All), asked).await.unwrap();
    let ten = Some(crate::Measured::Count(10));
    assert_eq!(found.rows[0].values, [ten, ten, ten, ten, None]);
}
