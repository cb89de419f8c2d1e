//! Which services, releases and requests are compared.

use super::*;
use crate::DriftReleases;

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
