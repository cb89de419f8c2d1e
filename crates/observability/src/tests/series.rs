//! What monitors are told.

use mainspring_statistics::Quantiles;

use super::{
    asking::{NOW, SECOND, program, record},
    *,
};
use crate::{
    FirstSeen, MetricsQuestion, NewRelease, NumbersRow, SeriesQuestion, SeriesRow, SpanFilter, check_group_field,
    check_number_field,
};

fn of(filter: &str) -> SeriesQuestion {
    SeriesQuestion {
        filter: filter.parse().unwrap(),
        entries: false,
        only: None,
        from: Timestamp::from_micros(NOW - 25 * SECOND),
        to: Timestamp::from_micros(NOW),
        step: Duration::from_secs(10),
        by: None,
    }
}

fn row(seconds_ago: i64, slice: Option<&str>, word: Option<&str>, (count, hits): (u64, u64)) -> SeriesRow {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    SeriesRow {
        at: Timestamp::from_micros(NOW - seconds_ago * SECOND),
        slice: owned(slice),
        word: owned(word),
        weight: 1.0,
        count,
        hits,
    }
}

async fn two_programs(room: &Observability) {
    let mut failed = program(NOW - 10 * SECOND, "s-2", (100, 0.25));
    failed[1].status = SpanStatus::Error("too slow".into());
    record(room, program(NOW - 20 * SECOND, "s-1", (10, 0.5)).into_iter().chain(failed)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_are_counted_over_time_in_slices_and_by_words() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    two_programs(&room).await;
    let all = actor(Labels::All);
    let error = "error".parse::<SpanFilter>().unwrap();
    let series = async |question: &SeriesQuestion, word: Option<&str>| {
        let mut rows = room.series(&all, question, (Some(&error), word)).await.unwrap();
        rows.sort_by(|one, other| (one.at, &one.word).cmp(&(other.at, &other.word)));
        rows
    };
    let entered = SeriesQuestion { entries: true, ..of("service = shop") };
    assert_eq!(series(&entered, None).await, [row(25, None, None, (1, 0)), row(15, None, None, (1, 0))]);
    let sliced = SeriesQuestion { by: Some(("model".into(), 10)), ..of("service = shop") };
    let expected = [row(25, Some("gpt"), None, (1, 0)), row(15, Some("gpt"), None, (1, 1))];
    assert_eq!(series(&sliced, None).await, expected, "points begin where the question does, and what has no model is no slice");
    let words = series(&SeriesQuestion { only: Some(("model".into(), "gpt".into())), ..of("") }, Some("name")).await;
    assert_eq!(words, [row(25, None, Some("chat gpt"), (1, 0)), row(15, None, Some("chat gpt"), (1, 1))]);
    assert!(series(&SeriesQuestion { only: Some(("model".into(), "other".into())), ..of("") }, None).await.is_empty());
    assert!(series(&SeriesQuestion { by: Some(("model".into(), 10)), ..of("name = nothing") }, None).await.is_empty());
    let stranger = Actor { project: ProjectId::from_raw(8), ..all.clone() };
    assert!(room.series(&stranger, &of(""), (None, None)).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_come_in_seconds_and_dollars_and_a_cost_is_counted_once() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    two_programs(&room).await;
    let all = actor(Labels::All);
    let numbers = async |question: &SeriesQuestion, field: &str| {
        let mut found: Vec<(Option<String>, f64)> = Vec::new();
        let mut listener = |row: NumbersRow| {
            assert_eq!((row.weight, row.spread.count()), (1.0, row.moments.count()), "all are kept");
            // Of two numbers the least and the greatest are all.
            let ends = [row.moments.min(), row.moments.max().filter(|_| row.moments.count() > 1)];
            assert!(row.moments.count() <= 2, "{row:?}");
            found.extend(ends.into_iter().flatten().map(|number| (row.slice.clone(), number)));
        };
        room.numbers(&all, question, (field, true), &mut listener).await.unwrap();
        found.sort_by(|one, other| one.1.total_cmp(&other.1));
        found
    };
    let gpt = || Some("gpt".to_owned());
    let sliced = SeriesQuestion { by: Some(("model".into(), 10)), ..of("") };
    assert_eq!(numbers(&sliced, "cost").await, [(gpt(), 0.25), (gpt(), 0.5)]);
    assert_eq!(numbers(&SeriesQuestion { entries: true, ..of("") }, "duration").await, [(None, 3.0), (None, 3.0)]);
    assert_eq!(numbers(&of("input_tokens > 10"), "input_tokens").await, [(None, 100.0)]);
    let mut plain = 0;
    let mut moments = |row: NumbersRow| plain += row.spread.count();
    room.numbers(&all, &of(""), ("cost", false), &mut moments).await.unwrap();
    assert_eq!(plain, 0, "who asks for a mean is told no spread");
    let first = room.first_seen(&all, (&SpanFilter::all(), false), "model").await.unwrap();
    let (at, shop) = (Timestamp::from_micros, Some("shop".to_owned()));
    let gpt = FirstSeen { value: "gpt".to_owned(), service: shop, first: at(NOW - 20 * SECOND + 1) };
    assert_eq!(first, [gpt.clone()]);
    // Each service has a first time of its own, and a program without a name, too.
    let mut others = [program(NOW - 30 * SECOND, "s-3", (1, 0.1)), program(NOW - 15 * SECOND, "s-4", (1, 0.1))];
    for (spans, service) in others.iter_mut().zip([Some("desk"), None]) {
        for span in spans {
            span.attributes.remove("resource.service.name");
            span.attributes.extend(service.map(|name| ("resource.service.name".to_owned(), json!(name))));
        }
    }
    record(&room, others.into_iter().flatten()).await;
    let first = room.first_seen(&all, (&SpanFilter::all(), false), "model").await.unwrap();
    let desk = FirstSeen { service: Some("desk".to_owned()), first: at(NOW - 30 * SECOND + 1), ..gpt.clone() };
    let nameless = FirstSeen { service: None, first: at(NOW - 15 * SECOND + 1), ..gpt.clone() };
    assert_eq!(first, [desk, gpt, nameless]);
    let counted = async |services: Vec<Option<&str>>| {
        let services: Vec<Option<String>> = services.into_iter().map(|name| name.map(str::to_owned)).collect();
        let filter = SpanFilter::all().of_services(&services);
        let rows =
            room.series(&all, &SeriesQuestion { filter, from: at(NOW - 40 * SECOND), ..of("") }, (None, None)).await.unwrap();
        rows.iter().map(|row| row.count).sum::<u64>()
    };
    assert_eq!(
        (counted(vec![Some("desk")]).await, counted(vec![None]).await, counted(vec![Some("desk"), None]).await),
        (2, 2, 4)
    );
    assert_eq!((counted(vec![]).await, counted(vec![Some("nobody \"x\"")]).await), (8, 0), "of none in particular, of all");

    // So has an app of this server, whose versions are no service's.
    let mut answered = span(NOW - 10 * SECOND, &[]);
    answered.attributes.insert(names::VERSIONS.to_owned(), json!(["app/manual@v3#abc"]));
    record(&room, [answered]).await;
    let first = room.first_seen(&all, (&SpanFilter::all(), false), "release").await.unwrap();
    let app = Some("app/manual".to_owned());
    assert_eq!(first.last(), Some(&FirstSeen { value: "v3".to_owned(), service: app, first: at(NOW - 10 * SECOND) }));
    assert_eq!(
        (counted(vec![Some("app/manual")]).await, counted(vec![Some("manual")]).await, counted(vec![None]).await),
        (1, 0, 2)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_weeks_add_up_from_days_and_first_times_are_remembered() {
    const DAY: i64 = 24 * 3600 * SECOND;
    let dir = tempfile::tempdir().unwrap();
    let Room { room, clock, .. } = open(dir.path(), Capture::Full).await;
    let all = actor(Labels::All);
    let old = [program(NOW - 20 * DAY, "s-1", (10, 0.5)), program(NOW - 10 * DAY, "s-2", (30, 1.0))];
    record(&room, old.into_iter().flatten().chain(program(NOW - 10 * SECOND, "s-3", (20, 0.25)))).await;
    let weeks =
        SeriesQuestion { from: Timestamp::from_micros(NOW - 21 * DAY), step: Duration::from_secs(30 * 24 * 3600), ..of("") };
    let (mut count, mut sum, mut spread) = (0, 0.0, Quantiles::default());
    let mut listener = |row: NumbersRow| {
        assert_eq!(row.at, weeks.from, "all of it is one point");
        count += row.moments.count();
        sum += row.moments.sum();
        spread.merge(&row.spread);
    };
    room.numbers(&all, &weeks, ("input_tokens", true), &mut listener).await.unwrap();
    assert_eq!((count, sum), (3, 60.0));
    assert_eq!(spread, [10.0, 20.0, 30.0].into_iter().collect::<Quantiles>());

    let firsts = async || {
        let found = room.first_seen(&all, (&SpanFilter::all(), false), "model").await.unwrap();
        found.into_iter().map(|seen| seen.first.as_micros() - NOW).collect::<Vec<_>>()
    };
    assert_eq!(firsts().await, [1 - 20 * DAY]);
    // What is dated long before the last look is found when everything is read again, and when something was erased.
    record(&room, program(NOW - 21 * DAY, "s-4", (1, 0.1))).await;
    assert_eq!(firsts().await, [1 - 20 * DAY]);
    let nobody: Arc<[crate::keeping::Whose]> = Arc::new([]);
    room.let_go(&nobody, Duration::from_secs(10)).await.unwrap();
    assert_eq!(firsts().await, [1 - 21 * DAY]);
    record(&room, program(NOW - 22 * DAY, "s-5", (1, 0.1))).await;
    clock.advance(Duration::from_secs(7 * 3600));
    assert_eq!(firsts().await, [1 - 22 * DAY]);
}

#[tokio::test(flavor = "multi_thread")]
async fn slices_words_and_numbers_may_be_attributes() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let all = actor(Labels::All);
    let made = |seconds: i64, region: serde_json::Value, retries: serde_json::Value| {
        let [mut entry, _] = program(NOW - seconds * SECOND, "s-1", (1, 0.1));
        entry.attributes.extend([("region".to_owned(), region), ("retries".to_owned(), retries)]);
        entry
    };
    let spans = [
        made(20, json!("eu"), json!(1)),
        made(19, json!("eu"), json!(4)),
        made(10, json!(7), json!("many")),
        made(9, json!({ "name": "eu" }), json!(2)),
    ];
    record(&room, spans.into_iter().chain(program(NOW - 8 * SECOND, "s-2", (1, 0.1)))).await;
    let region = || "attributes[\"region\"]".to_owned();
    let sliced = SeriesQuestion { by: Some((region(), 10)), ..of("") };
    let told = |rows: Vec<SeriesRow>| {
        let mut told: Vec<(Option<String>, Option<String>, u64)> =
            rows.into_iter().map(|row| (row.slice, row.word, row.count)).collect();
        told.sort();
        told
    };
    let some = |text: &str| Some(text.to_owned());
    let slices = told(room.series(&all, &sliced, (None, None)).await.unwrap());
    assert_eq!(slices, [(some("7"), None, 1), (some("eu"), None, 2)], "a number is a slice, an object and nothing are none");
    let words = told(room.series(&all, &of(""), (None, Some(&region()))).await.unwrap());
    assert_eq!(words, [(None, some("7"), 1), (None, some("eu"), 2)]);
    let only = SeriesQuestion { only: Some((region(), "7".into())), ..of("") };
    assert_eq!(told(room.series(&all, &only, (None, None)).await.unwrap()), [(None, None, 1)]);
    let (mut count, mut sum) = (0, 0.0);
    let mut listener = |row: NumbersRow| {
        count += row.moments.count();
        sum += row.moments.sum();
    };
    room.numbers(&all, &of(""), ("attributes['retries']", true), &mut listener).await.unwrap();
    assert_eq!((count, sum), (3, 7.0));
    let question = MetricsQuestion {
        filter: TraceFilter { from: Some(Timestamp::from_micros(NOW - 60 * SECOND)), ..TraceFilter::default() },
        by: vec![region(), "service".into()],
        measures: vec!["count".into()],
        ..MetricsQuestion::default()
    };
    let found = room.measure(&all, question.clone()).await.unwrap();
    let shop = || some("shop");
    let keys: Vec<Vec<Option<String>>> = found.rows.into_iter().map(|row| row.keys).collect();
    assert_eq!(keys, [vec![None, shop()], vec![some("eu"), shop()], vec![some("7"), shop()]]);
    let twice = MetricsQuestion { by: vec![region(), "attributes['region']".into()], ..question };
    assert!(matches!(room.measure(&all, twice).await, Err(TraceFault::Question { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_are_new_that_nobody_has_seen_before() {
    const HOUR: i64 = 3600 * SECOND;
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let sent = |hours: i64, service: Option<&str>, release: Option<&str>| {
        let [mut entry, _] = program(NOW - hours * HOUR, "s-1", (1, 0.1));
        entry.attributes.remove("resource.service.name");
        let said = [("resource.service.name", service), ("resource.service.version", release)];
        entry.attributes.extend(said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))));
        entry
    };
    let spans = [
        // Its oldest release comes back, and a new one comes.
        sent(80, Some("shop"), Some("1.3")),
        sent(50, Some("shop"), Some("1.4")),
        sent(5, Some("shop"), Some("1.3")),
        sent(4, Some("shop"), Some("1.5")),
        sent(2, Some("shop"), Some("1.5")),
        // Two in a day, the second beside the first for a while, and then the oldest again.
        sent(30, Some("store"), Some("1.0")),
        sent(20, Some("store"), Some("1.1")),
        sent(6, Some("store"), Some("1.1")),
        sent(5, Some("store"), Some("1.2")),
        sent(4, Some("store"), Some("1.1")),
        sent(2, Some("store"), Some("1.0")),
        // Another has releases of the same names.
        sent(3, Some("desk"), Some("1.3")),
        sent(1, Some("shop"), None),
        sent(1, None, Some("7")),
    ];
    record(&room, spans).await;
    let at = |hours: i64| Timestamp::from_micros(NOW - hours * HOUR);
    let new = async |since: i64, until: i64, actor: &Actor| room.new_releases(actor, (at(since), at(until))).await.unwrap();
    let told = |service: &str, release: &str, hours: i64, before: Option<&str>| NewRelease {
        service: service.to_owned(),
        release: release.to_owned(),
        first: at(hours),
        before: before.map(str::to_owned),
    };
    let all = actor(Labels::All);
    let day = [
        told("desk", "1.3", 3, None),
        told("shop", "1.5", 4, Some("1.3")),
        told("store", "1.2", 5, Some("1.1")),
        told("store", "1.1", 20, Some("1.0")),
    ];
    assert_eq!(new(24, 0, &all).await, day);
    assert_eq!(new(24, 4, &all).await, day[1..], "what came afterwards did not change it");
    assert!(new(3, 0, &all).await.is_empty(), "they were there by then");
    let stranger = Actor { project: ProjectId::from_raw(8), ..all };
    assert!(new(24, 0, &stranger).await.is_empty());
}

#[test]
fn fields_that_cannot_be_measured_are_named() {
    assert!(check_number_field("duration").is_ok() && check_group_field("model").is_ok());
    let fault = check_number_field("durations").unwrap_err();
    assert_eq!(fault.to_string(), "`durations` is no field of numbers: did you mean `duration`?");
    assert!(check_number_field("model").is_err() && check_group_field("content").is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_more_values_than_are_told_an_old_one_is_not_taken_for_new() {
    const HOUR: i64 = 3600 * SECOND;
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let all = actor(Labels::All);
    let of_model = |number: i64, start: i64| {
        let mut made = span(start, &[]);
        made.attributes = Map::from_iter([
            (names::OPERATION.to_owned(), json!("chat")),
            (names::REQUEST_MODEL.to_owned(), json!(format!("model-{number}"))),
        ]);
        made
    };
    let many: Vec<Span> = (0..=1_000).map(|number| of_model(number, NOW - 5 * HOUR + number)).collect();
    for some in many.chunks(100) {
        record(&room, some.to_vec()).await;
    }
    let told = async || {
        let found = room.first_seen(&all, (&SpanFilter::all(), false), "model").await.unwrap();
        (found.len(), found.last().unwrap().value.clone())
    };
    assert_eq!(told().await, (1_000, "model-1000".to_owned()));
    record(&room, [of_model(0, NOW - 10 * SECOND)]).await;
    assert_eq!(told().await, (1_000, "model-1000".to_owned()), "the first was seen long ago");
}
