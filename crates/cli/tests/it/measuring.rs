//! Metrics that a program sends are listed, and told over time, over HTTP and by the command.

use std::time::Duration;

use mainspring_kernel::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};

use crate::running::{Server, User, refused, run};

fn nanos(at: Timestamp) -> String {
    format!("{}000", at.as_micros())
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// A counter since a moment, and a histogram, as SDKs export them.
pub(crate) fn export(began: Timestamp, at: Timestamp, orders: [u64; 2], counts: [u64; 3]) -> Value {
    let order = |region: &str, count: u64| {
        json!({"startTimeUnixNano": nanos(began), "timeUnixNano": nanos(at), "asInt": count.to_string(),
            "attributes": [text("region", region)]})
    };
    let total: u64 = counts.iter().sum();
    let taken = json!({"startTimeUnixNano": nanos(began), "timeUnixNano": nanos(at), "count": total.to_string(), "sum": total,
        "bucketCounts": counts.map(|count| count.to_string()), "explicitBounds": [1.0, 2.0]});
    let metrics = json!([
        {"name": "shop.orders", "unit": "{order}", "sum": {"aggregationTemporality": 2, "isMonotonic": true,
            "dataPoints": [order("eu", orders[0]), order("us", orders[1])]}},
        {"name": "shop.time", "unit": "s", "histogram": {"aggregationTemporality": 2, "dataPoints": [taken]}},
    ]);
    json!({"resourceMetrics": [{"resource": {"attributes": [text("service.name", "shop")]}, "scopeMetrics": [{"metrics": metrics}]}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_that_are_sent_are_listed_and_told_over_time() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    let now = SystemClock.now();
    let ago = |minutes: u64| now.minus(Duration::from_secs(60 * minutes));
    for (at, orders, counts) in [(ago(40), [3, 1], [2, 0, 0]), (ago(20), [8, 1], [2, 4, 0])] {
        let reply = user.post("/v1/metrics", &export(ago(60), at, orders, counts)).await;
        assert_eq!((reply.status, reply.text.as_str()), (200, "{}"));
    }

    let listed = run(data.path(), &["metrics", "list"]);
    let names: Vec<&str> = listed["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["shop.orders", "shop.time"]);
    let orders = &listed["items"][0];
    assert_eq!((&orders["form"]["kind"], &orders["form"]["monotonic"]), (&json!("sum"), &json!(true)));
    assert_eq!((&orders["services"], &orders["series"], &orders["last_value"]), (&json!(["shop"]), &json!(2), &json!(9.0)));
    assert_eq!(run(data.path(), &["metrics", "list", "--find", "TIME"])["items"][0]["name"], "shop.time");
    assert_eq!(run(data.path(), &["metrics", "list", "--since", "5m"])["items"], json!([]));

    let told = run(data.path(), &["metrics", "show", "shop.orders", "--by", "region", "--since", "2h", "--step", "30m"]);
    let increase = |group: &Value| -> f64 {
        group["steps"].as_array().unwrap().iter().map(|step| step["values"][0].as_f64().unwrap()).sum()
    };
    let groups: Vec<(&str, f64)> =
        told["groups"].as_array().unwrap().iter().map(|group| (group["value"].as_str().unwrap(), increase(group))).collect();
    assert_eq!(groups, [("eu", 8.0), ("us", 1.0)]);
    assert_eq!((&told["measures"], &told["step_ms"]), (&json!(["increase", "rate"]), &json!(1_800_000)));
    assert!(told["attributes"].as_array().unwrap().contains(&json!("region")), "{told}");

    let series = user.get("/api/v1/metrics/shop.time/series?from=30m&step=1h").await.json();
    // The point before is what it is counted from: four came since.
    assert_eq!(series["groups"][0]["steps"][0]["values"][0], 4.0, "{series}");
    assert!(series["note"].as_str().unwrap().contains("estimated"), "{series}");

    for args in [
        ["metrics", "show", "shop.orders", "--step", "soon"],
        ["metrics", "show", "shop.orders", "--since", "soon"],
        ["metrics", "show", "shop.orders", "--kind", "counter"],
        ["metrics", "show", "shop.orders", "--temporality", "sometimes"],
    ] {
        assert_eq!(refused(data.path(), &args)["code"], "query-invalid", "{args:?}");
    }
    let content = refused(data.path(), &["metrics", "show", "shop.orders", "--by", "gen_ai.input.messages"]);
    assert_eq!(content["code"], "trace-question-invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_what_is_sent_under_one_name_is_chosen_by_what_it_is_and_grafana_finds_its_labels() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    let at = SystemClock.now().minus(Duration::from_secs(60));
    let began = at.minus(Duration::from_secs(60));
    // All at one moment, as one program exports them.
    let points = |value: u64| {
        json!([{"startTimeUnixNano": nanos(began), "timeUnixNano": nanos(at), "asInt": value.to_string(),
            "attributes": [text("region", "eu")]}])
    };
    let sum = |temporality: u8, monotonic: bool, value: u64| {
        json!({"name": "load", "unit": "By", "sum": {"aggregationTemporality": temporality, "isMonotonic": monotonic,
            "dataPoints": points(value)}})
    };
    let gauge = |unit: &str, value: u64| json!({"name": "load", "unit": unit, "gauge": {"dataPoints": points(value)}});
    let metrics = json!([sum(2, true, 7), sum(2, false, 5), sum(1, false, 3), gauge("By", 2), gauge("", 1)]);
    let resource = json!({"attributes": [text("service.name", "shop")]});
    let export = json!({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}]});
    assert_eq!(user.post("/v1/metrics", &export).await.text, "{}");

    let listed = run(data.path(), &["metrics", "list"]);
    let load = &listed["items"][0];
    assert_eq!((load["others"].as_array().unwrap().len(), &load["more_forms"]), (4, &json!(0)), "{listed}");
    for (flags, measure, value) in [
        (&["--monotonic", "true"][..], "increase", 7.0),
        (&["--monotonic", "false", "--temporality", "cumulative"][..], "last", 5.0),
        (&["--monotonic", "false", "--temporality", "delta"][..], "increase", 3.0),
        (&["--kind", "gauge", "--unit", "By"][..], "mean", 2.0),
        (&["--kind", "gauge", "--unit", ""][..], "mean", 1.0),
    ] {
        let told = run(data.path(), &[&["metrics", "show", "load", "--since", "1h", "--step", "2h"][..], flags].concat());
        let said = (&told["measures"][0], &told["groups"][0]["steps"][0]["values"][0]);
        assert_eq!(said, (&json!(measure), &json!(value)), "{flags:?}: {told}");
        assert_eq!(told["others"].as_array().unwrap().len(), 4, "{flags:?}: {told}");
    }
    let series = user.get("/api/v1/metrics/load/series?kind=gauge&unit=").await.json();
    assert_eq!(series["form"], json!({"kind": "gauge", "unit": ""}));
    assert_eq!(user.get("/api/v1/metrics/load/series?monotonic=perhaps").await.status, 400);

    let told = async |path: &str| user.get(&format!("/api/v1/prometheus/api/v1/{path}")).await.json()["data"].clone();
    let labels = told("labels").await;
    assert!(["job", "model", "region"].iter().all(|label| labels.as_array().unwrap().contains(&json!(label))), "{labels}");
    assert_eq!(told("label/region/values").await, json!(["eu"]));
    assert_eq!(told("series?match%5B%5D=load_bytes_total").await[0]["region"], "eu");
    let described = told("metadata?metric=load_bytes_total").await;
    assert_eq!(
        (&described["load_bytes_total"][0]["type"], &described["load_bytes_total"][0]["unit"]),
        (&json!("counter"), &json!("By"))
    );
}
