//! What moved between two stretches of time, through the real binary, and what calls from elsewhere cost.

use mainspring_kernel::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::running::{Server, User, apply_all, refused, run};

pub(crate) const HOUR: i64 = 3_600_000_000;

pub(crate) fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn whole(key: &str, value: i64) -> Value {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}

/// Calls of models, each the root of its trace, that began at this moment.
pub(crate) fn calls(at: i64, count: i64, models: &[&str], millis: i64) -> Value {
    let spans = (0..count).map(|n| {
        let model = models[usize::try_from(n).unwrap() % models.len()];
        let start = (at + n) * 1_000;
        json!({
            "traceId": format!("{:032x}", at + n), "spanId": format!("{:016x}", at + n), "name": "chat", "kind": 1,
            "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + millis * 1_000_000).to_string(),
            "attributes": [
                text("gen_ai.operation.name", "chat"), text("gen_ai.provider.name", "openai"), text("gen_ai.request.model", model),
                whole("gen_ai.usage.input_tokens", 1_000), whole("gen_ai.usage.output_tokens", 500),
                text("tier", if millis > 1_000 { "paid" } else { "free" }),
            ],
        })
    });
    json!({"resourceSpans": [{
        "resource": {"attributes": [text("service.name", "shop")]},
        "scopeSpans": [{"spans": spans.collect::<Vec<_>>()}],
    }]})
}

/// The same from a release of the program.
fn released(mut spans: Value, release: &str) -> Value {
    let resource = &mut spans["resourceSpans"][0]["resource"]["attributes"];
    resource.as_array_mut().unwrap().push(text("service.version", release));
    spans
}

pub(crate) async fn send(user: &User, spans: &Value) {
    let reply = user.post("/v1/traces", spans).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moved_is_told_with_both_distributions_and_nothing_of_another_project() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let server = Server::start(data, "127.0.0.1");
    let user = User::of(&server, None);
    let hour = SystemClock.now().as_micros() / HOUR * HOUR;
    let (then, lately) = (hour - 30 * HOUR, hour - 3 * HOUR);
    send(&user, &calls(then, 60, &["gpt-4o-mini"], 500)).await;
    send(&user, &calls(lately, 60, &["gpt-4o-mini", "unheard-of"], 4_000)).await;
    let time = |micros: i64| mainspring_kernel::Timestamp::from_micros(micros).to_string();
    let (from, to, start, end) = (time(lately), time(lately + HOUR), time(then), time(then + HOUR));
    let range = ["--from", &from, "--to", &to, "--against", "range", "--reference-from", &start, "--reference-to", &end];

    let all = run(data, &[&["drift", "--all"][..], &range].concat());
    let fields = all["fields"].as_array().unwrap();
    let moved: Vec<&str> =
        fields.iter().filter(|field| field["drifted"] == true).map(|field| field["field"].as_str().unwrap()).collect();
    assert!(moved.contains(&"model") && moved.contains(&"duration") && !moved.contains(&"status"), "{all}");
    let model = fields.iter().find(|field| field["field"] == "model").unwrap();
    assert_eq!((&model["reference"], &model["current"]), (&json!(60), &json!(60)));
    let new = model["bins"].as_array().unwrap().iter().find(|bin| bin["category"] == "unheard-of").unwrap();
    assert_eq!((&new["before"], &new["after"]), (&json!(0.0), &json!(0.5)), "{model}");

    let one = run(data, &[&["drift", "attributes[\"tier\"]"][..], &range].concat());
    assert_eq!((&one["fields"][0]["drifted"], &one["fields"][0]["kind"]), (&json!(true), &json!("categories")), "{one}");
    // What came late is in it.
    send(&user, &calls(then + 1_000, 15, &["gpt-4o-mini"], 500)).await;
    let later = run(data, &[&["drift", "model"][..], &range].concat());
    assert_eq!(later["fields"][0]["reference"], 75);

    let fault = refused(data, &["drift", "modle"]);
    assert_eq!(fault["code"], "trace-question-invalid");
    let wrong = user.get("/api/v1/drift?against=range").await;
    assert_eq!((wrong.status, &wrong.json()["code"]), (400, &json!("query-invalid")));

    run(data, &["projects", "create", "elsewhere"]);
    let made = run(data, &["keys", "create", "theirs", "--role", "admin", "--project", "elsewhere"]);
    let stranger = User::of(&server, made["secret"].as_str());
    let theirs = stranger.get(&format!("/api/v1/drift?from={from}&to={to}")).await;
    assert_eq!(theirs.status, 200, "{}", theirs.text);
    let theirs = theirs.json();
    let fields = theirs["fields"].as_array().unwrap();
    assert!(!fields.is_empty() && fields.iter().all(|field| field["state"] == "missing"), "{theirs}");
}

/// What a judge says of those calls, some time after they were made.
fn judged(at: i64, count: i64, quality: f64, given: i64) -> Value {
    let score = |n: i64| {
        let time = mainspring_kernel::Timestamp::from_micros(given + n).to_string();
        json!({
            "id": format!("quality-{}", at + n), "name": "answer quality", "trace": format!("{:032x}", at + n), "time": time,
            "value": quality + f64::from(i32::try_from(n % 20).unwrap()) / 1_000.0,
        })
    };
    (0..count).map(score).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_drift_and_are_watched_as_fields_are() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let server = Server::start(data, "127.0.0.1");
    let user = User::of(&server, None);
    let now = SystemClock.now().as_micros();
    let hour = now / HOUR * HOUR;
    let (then, lately) = (hour - 30 * HOUR, hour - 3 * HOUR);
    send(&user, &calls(then, 60, &["gpt-4o-mini"], 500)).await;
    send(&user, &calls(lately, 60, &["gpt-4o-mini"], 500)).await;
    let put = async |scores: Value| {
        let reply = user.post("/api/v1/scores", &scores).await;
        assert_eq!((reply.status, &reply.json()["rejected"]), (200, &json!(0)), "{}", reply.text);
    };
    put(judged(then, 60, 0.8, then + 60_000_000)).await;
    put(judged(lately, 60, 0.3, lately + 60_000_000)).await;
    let time = |micros: i64| mainspring_kernel::Timestamp::from_micros(micros).to_string();
    let (from, to, start, end) = (time(lately), time(lately + HOUR), time(then), time(then + HOUR));
    let range = ["--from", &from, "--to", &to, "--against", "range", "--reference-from", &start, "--reference-to", &end];
    let field = "score[\"answer quality\"]";
    let all = run(data, &[&["drift", "--all"][..], &range].concat());
    let fields = all["fields"].as_array().unwrap();
    let moved: Vec<&Value> = fields.iter().filter(|field| field["drifted"] == true).map(|field| &field["field"]).collect();
    assert_eq!(moved, [&json!(field)], "{all}");
    let one = run(data, &[&["drift", "score['answer quality']"][..], &range].concat());
    assert_eq!((&one["fields"][0]["field"], &one["fields"][0]["current"]), (&json!(field), &json!(60)), "{one}");
    // Somebody looked again, and the judge was wrong: the hour is made anew.
    put(judged(lately, 60, 0.8, lately + 60_000_000)).await;
    let corrected = run(data, &[&["drift", field][..], &range].concat());
    assert_eq!((&corrected["fields"][0]["drifted"], &corrected["fields"][0]["current"]), (&json!(false), &json!(60)));
    assert_eq!(refused(data, &["drift", "score."])["code"], "trace-question-invalid");

    // Judged in this hour and the last one, whichever is over when somebody looks.
    for given in [hour - 1_800_000_000, hour + 1_800_000_000] {
        let scores = judged(lately, 40, 0.2, given);
        let renamed = scores.as_array().unwrap().iter().map(|score| {
            let mut score = score.clone();
            (score["name"], score["id"]) = (json!("today"), json!(format!("{given}-{}", score["id"].as_str().unwrap())));
            score
        });
        put(renamed.collect()).await;
    }
    let monitor = |name: &str, measure: Value, compare: Value, filter: &str| {
        let spec = json!({
            "filter": filter, "measure": measure, "compare": compare, "window": "1h", "delay": "0s", "enabled": false,
        });
        json!({"apiVersion": "mainspring/v1", "kind": "monitor", "name": name, "spec": spec})
    };
    let mean = || json!({"mean": {"field": "score.today"}});
    let below = || json!({"threshold": {"below": 0.5}});
    apply_all(
        data,
        &[
            monitor("low", mean(), below(), "service = shop"),
            monitor("elsewhere", mean(), below(), "service = nobody"),
            monitor("moved", json!({"numbers": {"field": "score.today"}}), json!({"previous": {}}), "service = shop"),
        ],
    );
    let look = |name: &str| run(data, &["monitors", "evaluate", name])["evaluation"].clone();
    let low = look("low");
    assert_eq!((&low["state"], &low["slices"][0]["count"]), (&json!("firing"), &json!(40)), "{low}");
    assert!(low["slices"][0]["says"].as_str().unwrap().contains("the mean of score.today"), "{low}");
    assert_eq!(look("elsewhere")["state"], "missing", "what bears the scores does not pass");
    assert_eq!(look("moved")["slices"][0]["count"], 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_are_compared_by_name_or_as_they_came() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let server = Server::start(data, "127.0.0.1");
    let user = User::of(&server, None);
    let hour = SystemClock.now().as_micros() / HOUR * HOUR;
    for (hours, release, millis) in [(5, "1.0", 500), (4, "1.1", 4_000), (3, "1.2", 4_000)] {
        send(&user, &released(calls(hour - hours * HOUR, 60, &["gpt-4o-mini"], millis), release)).await;
    }
    let time = |micros: i64| mainspring_kernel::Timestamp::from_micros(micros).to_string();
    let (from, to) = (time(hour - 6 * HOUR), time(hour));
    let compared = |more: &[&str]| {
        let view = run(data, &[&["drift", "duration", "--from", &from, "--to", &to][..], more].concat());
        let releases = [&view["reference_release"], &view["release"]].map(|name| name.as_str().unwrap_or_default().to_owned());
        (releases, view["fields"][0]["drifted"].clone(), view)
    };
    let two = |before: &str, after: &str| [before.to_owned(), after.to_owned()];
    let (releases, drifted, view) = compared(&["--against", "release"]);
    assert_eq!((releases, drifted), (two("1.1", "1.2"), json!(false)), "{view}");
    assert!(view["no_topics"].is_string() && view["no_output_topics"].is_string(), "{view}");
    let (releases, drifted, view) = compared(&["--reference-release", "1.0"]);
    assert_eq!((releases, drifted), (two("1.0", "1.2"), json!(true)), "{view}");
    let (releases, drifted, view) = compared(&["--release", "1.1"]);
    assert_eq!((releases, drifted), (two("1.0", "1.1"), json!(true)), "{view}");
    let (_, _, view) = compared(&["--release", "2.0", "--reference-release", "1.0"]);
    assert_eq!(view["fields"][0]["state"], "missing", "nothing came by it: {view}");
    assert_eq!(view["service"], "shop", "the only one: {view}");
    let mixed = user.get("/api/v1/drift?against=previous&release=1.1").await;
    assert_eq!((mixed.status, &mixed.json()["code"]), (400, &json!("query-invalid")));

    // Another service has releases, too, and is slow: the newest of one is not compared with the newest of the other.
    let mut desk = released(calls(hour - 2 * HOUR, 60, &["gpt-4o-mini"], 20_000), "7.0");
    desk["resourceSpans"][0]["resource"]["attributes"][0] = text("service.name", "desk");
    send(&user, &desk).await;
    let asked = ["drift", "duration", "--from", &from, "--to", &to, "--against", "release"];
    let fault = refused(data, &asked);
    assert_eq!(
        (&fault["code"], &fault["hint"]),
        (&json!("drift-several-services"), &json!("name one as `service`: `desk`, `shop`"))
    );
    let (releases, drifted, view) = compared(&["--against", "release", "--service", "shop"]);
    assert_eq!((releases, drifted, &view["service"]), (two("1.1", "1.2"), json!(false), &json!("shop")), "{view}");
    let (releases, _, view) = compared(&["--release", "1.1"]);
    assert_eq!((releases, &view["service"]), (two("1.0", "1.1"), &json!("shop")), "only one of them has it: {view}");

    // A monitor without a filter goes on, and compares a release with one of its own service.
    let spec = json!({
        "measure": {"rate": {"hits": "duration > 10s"}}, "compare": {"release": {}}, "window": "1h", "delay": "0s", "enabled": false,
    });
    apply_all(data, &[json!({"apiVersion": "mainspring/v1", "kind": "monitor", "name": "newer", "spec": spec})]);
    let look = |name: &str| run(data, &["monitors", "evaluate", name])["evaluation"].clone();
    let found = look("newer");
    assert_eq!(found["state"], "warming", "7.0 is the first of its service: {found}");
    let mut desk = released(calls(hour - HOUR, 60, &["gpt-4o-mini"], 20_000), "7.1");
    desk["resourceSpans"][0]["resource"]["attributes"][0] = text("service.name", "desk");
    send(&user, &desk).await;
    let found = look("newer");
    let says = found["slices"][0]["says"].as_str().unwrap_or_default();
    assert!(found["state"] == "ok" && says.contains("of 7.0"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_from_elsewhere_are_priced_and_marked_and_unknown_models_are_not() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let server = Server::start(data, "127.0.0.1");
    let user = User::of(&server, None);
    let at = SystemClock.now().as_micros() - 60_000_000;
    send(&user, &calls(at, 2, &["gpt-4o-mini", "unheard-of"], 500)).await;
    let spans = run(data, &["traces", "list", "--spans", "--filter", "service = shop"]);
    let of = |model: &str| spans["items"].as_array().unwrap().iter().find(|span| span["model"] == model).unwrap().clone();
    // 1,000 tokens at 0.15 and 500 at 0.60 dollars for a million.
    assert_eq!((&of("gpt-4o-mini")["cost"], &of("unheard-of")["cost"]), (&json!("0.00045"), &Value::Null), "{spans}");
    let marked = run(data, &["traces", "count", "--spans", "--filter", "attributes[\"mainspring.estimate.price\"] exists"]);
    assert_eq!(marked["count"], 1);
    let measured = run(data, &["traces", "metrics", "--measures", "cost,unpriced", "--filter", "service = shop"]);
    assert_eq!(measured["rows"][0]["values"], json!({"cost": 0.000_45, "unpriced": 1.0}), "{measured}");
}
