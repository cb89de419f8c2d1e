//! Monitors that run: from spans that other programs send to an incident that a receiver hears of, and its end.

use mainspring_kernel::{Clock as _, SystemClock};
use mainspring_testservers::upstream::{Script, Upstream};
use serde_json::{Value, json};

use crate::running::{Server, User, apply_all, refused, run, until};

/// Requests of this moment.
pub(crate) fn requests(failed: bool, seed: i64) -> Value {
    let now = SystemClock.now().as_micros();
    let spans: Vec<Value> = (0..20)
        .map(|n| {
            let start = (now - n) * 1_000;
            json!({
                "traceId": format!("{:032x}", now * 1_000 + seed * 100 + n + 1), "spanId": format!("{:016x}", now + n + 1),
                "name": "POST /ask", "kind": 2, "startTimeUnixNano": start.to_string(), "endTimeUnixNano": start.to_string(),
                "status": if failed { json!({"code": 2, "message": "broken"}) } else { json!({"code": 1}) },
            })
        })
        .collect();
    let said = |key: &str, text: &str| json!({"key": key, "value": {"stringValue": text}});
    let resource = json!({"attributes": [said("service.name", "shop"), said("service.version", "1.5")]});
    json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]})
}

pub(crate) fn monitor(name: &str, filter: &str, more: &Value) -> Value {
    let mut spec = json!({
        "filter": filter, "measure": {"rate": {"hits": "error"}}, "compare": {"threshold": {"above": 0.1}},
        "window": "2s", "every": "1s", "delay": "1s", "recover": "0s", "minimum": 10, "notify_missing": false,
    });
    for (field, value) in more.as_object().unwrap() {
        spec[field] = value.clone();
    }
    json!({"apiVersion": "mainspring/v1", "kind": "monitor", "name": name, "spec": spec})
}

/// The types of notices that came.
pub(crate) fn heard(upstream: &Upstream) -> Vec<String> {
    upstream.seen().iter().map(|seen| seen.json()["type"].as_str().unwrap_or_default().to_owned()).collect()
}

pub(crate) async fn stands(user: &User, name: &str) -> Value {
    user.get(&format!("/api/v1/monitors/{name}")).await.json()
}

pub(crate) async fn is_in(user: &User, name: &str, state: &str) -> bool {
    stands(user, name).await["monitor"]["state"] == state
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_of_errors_opens_an_incident_that_outlives_a_kill_and_ends_when_it_is_well() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let upstream = Upstream::start(Script::default()).unwrap();
    let server = Server::start(data, "127.0.0.1");
    let user = User::of(&server, None);
    let hook = json!({"webhook": {"url": format!("{}/v1/moderations", upstream.url())}});
    let nobody = apply_all(data, &[monitor("off", "service = shop", &json!({"enabled": false, "notify": ["nobody"]}))]);
    let warned = json!(["spec.notify[0]: receiver `nobody` does not exist"]);
    assert_eq!((&nobody["applied"], &nobody["changes"][0]["warnings"]), (&json!(true), &warned), "{nobody}");
    apply_all(
        data,
        &[
            json!({"apiVersion": "mainspring/v1", "kind": "receiver", "name": "ops", "spec": hook}),
            monitor("errors", "service = shop", &json!({"labels": {"app": "shop"}, "notify": ["ops"], "severity": "critical"})),
            monitor("quiet", "service = nobody", &json!({})),
            monitor("off", "service = shop", &json!({"enabled": false})),
        ],
    );
    until("a monitor of nothing to be missing", async || is_in(&user, "quiet", "missing").await).await;

    until("the monitor to fire", async || {
        assert_eq!(user.post("/v1/traces", &requests(true, 1)).await.status, 200);
        is_in(&user, "errors", "firing").await && !stands(&user, "errors").await["monitor"]["incidents"][0].is_null()
    })
    .await;
    until("the receiver to hear of it", async || heard(&upstream).contains(&"incident.opened".to_owned())).await;
    until("the metrics to tell of it", async || {
        assert_eq!(user.post("/v1/traces", &requests(true, 1)).await.status, 200);
        let told = user.get("/metrics").await.text;
        let is = |line: &str| told.lines().any(|told| told == line);
        let none_failed = is(r#"mainspring_deliveries{receiver="webhook",state="failed"} 0"#);
        let some_open = !is(r#"mainspring_incidents{state="open"} 0"#) && told.contains(r#"mainspring_incidents{state="open"} "#);
        is(r#"mainspring_monitors{state="firing"} 1"#) && is("mainspring_monitors_in_trouble 0") && none_failed && some_open
    })
    .await;
    let incident = stands(&user, "errors").await["monitor"]["incidents"][0].as_str().unwrap().to_owned();
    let told = run(data, &["incidents", "show", &incident]);
    assert_eq!((&told["incident"]["severity"], &told["incident"]["state"]), (&json!("critical"), &json!("open")));
    assert_eq!((&told["alerts"][0]["name"], &told["alerts"][0]["labels"]["app"]), (&json!("errors"), &json!("shop")));
    assert!(!told["alerts"][0]["traces"].as_array().unwrap().is_empty(), "{told}");
    let released = told["changes"].as_array().unwrap().iter().find(|change| change["kind"] == "release");
    let released = released.map(|change| (&change["name"], &change["release"]));
    assert_eq!(released, Some((&json!("shop"), &json!("1.5"))), "what came before it is named: {told}");
    let before = user.get("/api/v1/monitors/errors/evaluations?limit=1").await.json();
    assert_eq!(before["items"].as_array().unwrap().len(), 1);
    let second = format!("/api/v1/monitors/errors/evaluations?limit=1&cursor={}", before["next"].as_str().unwrap());
    assert_ne!(user.get(&second).await.json()["items"][0]["at"], before["items"][0]["at"]);

    let url = server.url.clone();
    server.kill();
    let server = Server::start_at(data, &url);
    let user = User::of(&server, None);
    // What has fired is not over because nothing comes. A monitor that had forgotten would say that it is.
    until("silence to be missing", async || is_in(&user, "errors", "missing").await).await;
    let still = run(data, &["monitors", "show", "errors"]);
    assert_eq!((&still["monitor"]["state"], &still["monitor"]["incidents"]), (&json!("missing"), &json!([incident])));
    let kept = user.get("/api/v1/monitors/errors/evaluations?limit=500").await.json();
    let times: Vec<&Value> = kept["items"].as_array().unwrap().iter().map(|found| &found["at"]).collect();
    assert!(times.contains(&&before["items"][0]["at"]), "what was found before is kept");
    let notices = heard(&upstream);
    assert!(!notices.iter().any(|notice| notice == "incident.resolved" || notice == "incident.reopened"), "{notices:?}");

    until("the incident to end", async || {
        assert_eq!(user.post("/v1/traces", &requests(false, 2)).await.status, 200);
        user.get(&format!("/api/v1/incidents/{incident}")).await.json()["incident"]["state"] == "resolved"
    })
    .await;
    until("the receiver to hear of the end", async || heard(&upstream).contains(&"incident.resolved".to_owned())).await;
    assert_eq!(heard(&upstream).iter().filter(|notice| *notice == "incident.opened").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn monitors_of_one_app_are_one_incident_where_they_say_so() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let server = Server::start(data, "127.0.0.1");
    let user = User::of(&server, None);
    let of_app = |app: &str| json!({"labels": {"app": app}, "group_by": ["app"]});
    let all = [
        ("one", of_app("shop")),
        ("two", of_app("shop")),
        ("other", of_app("desk")),
        ("alone", json!({"labels": {"app": "shop"}})),
    ];
    apply_all(data, &all.each_ref().map(|(name, fields)| monitor(name, "service = shop", fields)));
    let incident = async |name: &str| stands(&user, name).await["monitor"]["incidents"][0].clone();
    until("all of them to fire", async || {
        assert_eq!(user.post("/v1/traces", &requests(true, 1)).await.status, 200);
        let mut fired = true;
        for (name, _) in &all {
            fired &= incident(name).await.is_string();
        }
        fired
    })
    .await;
    let (one, two, other, alone) =
        (incident("one").await, incident("two").await, incident("other").await, incident("alone").await);
    assert_eq!(one, two);
    assert!(one != other && one != alone && other != alone, "{one} {other} {alone}");
    let told = run(data, &["incidents", "show", one.as_str().unwrap()]);
    assert_eq!((&told["incident"]["group"], told["alerts"].as_array().map(Vec::len)), (&json!("app=shop"), Some(2)), "{told}");
}

/// A gauge of this moment, as an SDK exports it.
fn queues(lengths: &[(&str, f64)]) -> Value {
    let now = SystemClock.now().as_micros() * 1_000;
    let said = |key: &str, text: &str| json!({"key": key, "value": {"stringValue": text}});
    let point = |&(region, length): &(&str, f64)| json!({"timeUnixNano": now.to_string(), "asDouble": length, "attributes": [said("region", region)]});
    let points: Vec<Value> = lengths.iter().map(point).collect();
    let metrics = json!([{"name": "shop.queue", "gauge": {"dataPoints": points}}]);
    let resource = json!({"attributes": [said("service.name", "shop")]});
    json!({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}]})
}

fn of_metric(name: &str, metric: &Value, more: &Value) -> Value {
    let mut made = monitor(name, "", more);
    let spec = made["spec"].as_object_mut().unwrap();
    spec.remove("filter");
    spec.insert("measure".to_owned(), json!({"metric": metric}));
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metric_that_programs_send_is_watched_by_its_attributes_and_its_silence_is_missing() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let server = Server::start(data, "127.0.0.1");
    let user = User::of(&server, None);
    let long = json!({"compare": {"threshold": {"above": 10.0}}, "slices": "region", "severity": "error"});
    apply_all(
        data,
        &[
            of_metric("queue", &json!({"name": "shop.queue", "value": "last"}), &long),
            of_metric(
                "unlike",
                &json!({"name": "shop.queue", "value": "rate"}),
                &json!({"compare": {"threshold": {"above": 1}}}),
            ),
            of_metric(
                "nobody",
                &json!({"name": "nobody.sends.this", "value": "last"}),
                &json!({"compare": {"threshold": {"above": 1}}}),
            ),
        ],
    );
    until("a metric that nobody sends to be missing", async || is_in(&user, "nobody", "missing").await).await;
    until("the long queue to fire", async || {
        assert_eq!(user.post("/v1/metrics", &queues(&[("eu", 17.0), ("us", 2.0)])).await.status, 200);
        is_in(&user, "queue", "firing").await && !stands(&user, "queue").await["monitor"]["incidents"][0].is_null()
    })
    .await;
    let shown = stands(&user, "queue").await;
    let slices: Vec<(&Value, &Value, &Value)> =
        shown["slices"].as_array().unwrap().iter().map(|slice| (&slice["slice"], &slice["state"], &slice["value"])).collect();
    assert_eq!(slices, [(&json!("eu"), &json!("firing"), &json!(17.0)), (&json!("us"), &json!("ok"), &json!(2.0))], "{shown}");
    let says = shown["monitor"]["says"].as_str().unwrap();
    assert!(says.starts_with("region eu: the last value of shop.queue is 17 ("), "{says}");
    let incident = shown["monitor"]["incidents"][0].as_str().unwrap().to_owned();
    let told = run(data, &["incidents", "show", &incident]);
    let alert = &told["alerts"][0];
    assert_eq!((&alert["labels"]["region"], &alert["facts"]["metric"]), (&json!("eu"), &json!("shop.queue")), "{told}");
    assert_eq!((&told["incident"]["severity"], &alert["traces"]), (&json!("error"), &json!([])), "{told}");
    until("a value that the metric does not have to be told", async || {
        assert_eq!(user.post("/v1/metrics", &queues(&[("eu", 17.0)])).await.status, 200);
        let trouble = stands(&user, "unlike").await["monitor"]["trouble"].as_str().unwrap_or_default().to_owned();
        trouble.contains("`shop.queue` is a gauge, of which there is no rate")
    })
    .await;
    until("silence to be missing", async || is_in(&user, "queue", "missing").await).await;
    until("the incident to end", async || {
        assert_eq!(user.post("/v1/metrics", &queues(&[("eu", 3.0), ("us", 2.0)])).await.status, 200);
        user.get(&format!("/api/v1/incidents/{incident}")).await.json()["incident"]["state"] == "resolved"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_tells_nobody_unless_it_is_asked_to() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let hour = json!({"window": "1h", "delay": "0s", "compare": {"threshold": {"above": 0.1, "test": "sequential"}}});
    // No server runs: whoever asks looks by himself, and nobody else does.
    apply_all(data, &[monitor("errors", "service = shop", &hour), monitor("off", "error", &json!({"enabled": false}))]);
    let listed = run(data, &["monitors", "list"]);
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|found| found["name"].as_str().unwrap()).collect();
    assert_eq!((names, &listed[0]["state"]), (vec!["errors", "off"], &Value::Null));
    let look = run(data, &["monitors", "evaluate", "errors"]);
    assert_eq!((&look["evaluation"]["state"], &look["raised"], &look["alerts"]), (&json!("missing"), &json!(false), &json!([])));
    assert_eq!(run(data, &["monitors", "show", "errors"])["monitor"]["state"], Value::Null, "nothing is remembered");
    let look = run(data, &["monitors", "evaluate", "errors", "--raise"]);
    assert_eq!((&look["evaluation"]["state"], &look["raised"]), (&json!("missing"), &json!(true)));
    assert_eq!(run(data, &["monitors", "show", "errors"])["monitor"]["state"], "missing");
    assert_eq!(refused(data, &["monitors", "evaluate", "off", "--raise"])["code"], "monitor-off");
    assert_eq!(refused(data, &["monitors", "show", "nobody"])["code"], "monitor-not-found");
}
