//! SQL, dashboards and Prometheus' API over spans that other programs sent.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use mainspring_kernel::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::{
    measuring::export,
    running::{Server, User, apply_all, command, refused, run},
};

/// Calls of a model, a minute apart, the last of them a minute ago and failed.
fn calls(now: i64, count: i64) -> Value {
    let spans: Vec<Value> = (1..=count)
        .map(|n| {
            let start = (now - n * 60_000_000) * 1_000;
            json!({
                "traceId": format!("{:032x}", 0x5eed_0000 + n), "spanId": format!("{n:016x}"), "name": "chat counted", "kind": 3,
                "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 200_000_000).to_string(),
                "status": if n == 1 { json!({"code": 2, "message": "too slow"}) } else { json!({"code": 1}) },
                "attributes": [
                    {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
                    {"key": "gen_ai.request.model", "value": {"stringValue": "counted"}},
                    {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "10"}},
                ],
            })
        })
        .collect();
    let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "counting"}}]});
    json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]})
}

/// Percent-encoded, as a form or an address has it.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn sum(values: &Value) -> f64 {
    values.as_array().unwrap().iter().map(|point| point[1].as_str().unwrap().parse::<f64>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_and_prometheus_tell_the_same_numbers_and_only_of_ones_own_project() {
    const COUNTED: &str = "SELECT status, count(*) AS calls, CAST(sum(input_tokens) AS BIGINT) AS tokens \
        FROM spans WHERE model = 'counted' GROUP BY status ORDER BY status";
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let server = Server::start(data, "127.0.0.1");
    let user = User::of(&server, None);
    let now = SystemClock.now().as_micros();
    assert_eq!(user.post("/v1/traces", &calls(now, 7)).await.status, 200);

    let told = run(data, &["sql", COUNTED]);
    assert_eq!(told["rows"], json!([["error", 1, 10], ["ok", 6, 60]]));
    assert_eq!(told["columns"][1], json!({"name": "calls", "type": "BIGINT"}));
    let csv = command(data).args(["sql", COUNTED, "--csv"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&csv.stdout), "status,calls,tokens\r\nerror,1,10\r\nok,6,60\r\n");
    let tables = run(data, &["sql"]);
    assert_eq!(
        tables["tables"].as_array().unwrap().iter().map(|table| &table["name"]).collect::<Vec<_>>(),
        ["spans", "logs", "points", "scores"]
    );
    assert_eq!(refused(data, &["sql", "DELETE FROM spans"])["code"], "lake-bad-sql");
    let unread = refused(data, &["sql", "SELECT secrets FROM spans"]);
    assert!(unread.to_string().contains("secrets"), "{unread}");

    run(data, &["projects", "create", "elsewhere"]);
    let made = run(data, &["keys", "create", "theirs", "--role", "admin", "--project", "elsewhere"]);
    let stranger = User::of(&server, made["secret"].as_str());
    // What made the stranger's key is all that happened there.
    let asked = json!({"query": "SELECT name, count(*) FROM spans WHERE model = 'counted' OR true GROUP BY name"});
    assert_eq!(stranger.post("/api/v1/sql", &asked).await.json()["rows"], json!([["POST /api/v1/keys", 1]]));

    let (start, end) = (now / 1_000_000 - 600, now / 1_000_000 + 60);
    let question = encoded("sum by (status) (increase(mainspring_calls_total{model=\"counted\"}[1m]))");
    let address = "/api/v1/prometheus/api/v1/query_range";
    let range = format!("query={question}&start={start}&end={end}&step=60");
    let told = user.get(&format!("{address}?{range}")).await.json();
    assert_eq!((&told["status"], &told["data"]["resultType"]), (&json!("success"), &json!("matrix")), "{told}");
    let result = told["data"]["result"].as_array().unwrap();
    let by_status: Vec<(&str, f64)> =
        result.iter().map(|series| (series["metric"]["status"].as_str().unwrap(), sum(&series["values"]))).collect();
    assert_eq!(by_status, [("error", 1.0), ("ok", 6.0)]);
    let form = Request::post(address).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    assert_eq!(user.send(form.body(Bytes::from(range.clone())).unwrap()).await.json(), told);
    assert_eq!(stranger.get(&format!("{address}?{range}")).await.json()["data"]["result"], json!([]));

    let refused =
        user.get(&format!("/api/v1/prometheus/api/v1/query?query={}", encoded("topk(3, mainspring_calls_total)"))).await;
    assert_eq!(
        (refused.status, &refused.json()["status"], &refused.json()["errorType"]),
        (400, &json!("error"), &json!("bad_data"))
    );
    assert!(refused.json()["error"].as_str().unwrap().contains("promql-unsupported: at character 1"), "{}", refused.text);
    let values = user.get("/api/v1/prometheus/api/v1/label/model/values").await.json();
    assert_eq!(values["data"], json!(["counted"]));
    // Asking is no trace.
    let spans = user.post("/api/v1/sql", &json!({"query": "SELECT count(*) FROM spans WHERE name LIKE '%sql%'"})).await.json();
    assert_eq!(spans["rows"], json!([[0]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dashboard_of_ones_own_is_applied_listed_and_has_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let server = Server::start(data, "127.0.0.1");
    let user = User::of(&server, None);
    assert_eq!(user.post("/v1/traces", &calls(SystemClock.now().as_micros(), 5)).await.status, 200);
    apply_all(
        data,
        &[json!({
            "apiVersion": "mainspring/v1", "kind": "dashboard", "name": "desk",
            "spec": {"title": "Desk", "panels": [
                {"title": "Calls", "chart": "number", "measures": ["count"], "filter": "model = counted"},
                {"title": "Models", "chart": "table", "sql": "SELECT model, count(*) AS calls FROM spans GROUP BY 1 ORDER BY 2 DESC LIMIT 1"},
                {"title": "Guardrails", "measures": ["count"], "filter": "type = guardrail"},
                {"title": "Broken", "chart": "table", "sql": "SELECT 1 / (input_tokens - 10) AS odd FROM spans"},
            ]},
        })],
    );
    let names = async |query: &str| {
        let page = user.get(&format!("/api/v1/dashboards?{query}")).await.json();
        let items: Vec<String> =
            page["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
        (items, page["next"].as_str().map(str::to_owned))
    };
    assert_eq!(names("").await, (vec!["overview".to_owned(), "desk".to_owned()], None));
    let (first, next) = names("limit=1").await;
    assert_eq!(first, ["overview"]);
    assert_eq!(names(&format!("limit=1&cursor={}", next.unwrap())).await, (vec!["desk".to_owned()], None));

    let told = user.get("/api/v1/dashboards/desk/data").await.json();
    let states: Vec<&str> = told["panels"].as_array().unwrap().iter().map(|panel| panel["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["data", "data", "nothing", "failed"], "{told}");
    assert_eq!(told["panels"][0]["rows"][0]["values"], json!({"count": 5.0}));
    assert_eq!(told["panels"][1]["table"]["rows"], json!([["counted", 5]]));
    assert_eq!(told["panels"][3]["problem"]["code"], "lake-bad-sql");
    let overview = user.get("/api/v1/dashboards/overview/data?by=model").await.json();
    let requests: f64 = overview["panels"][0]["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["keys"]["model"] == "counted")
        .map(|row| row["values"]["count"].as_f64().unwrap())
        .sum();
    assert!((requests - 5.0).abs() < f64::EPSILON, "{overview}");
    assert_eq!(user.get("/api/v1/dashboards/nothing/data").await.status, 404);
    let model = "attributes[\"gen_ai.request.model\"]";
    let told = user.get(&format!("/api/v1/dashboards/desk/data?by={}", encoded(model))).await.json();
    let calls = &told["panels"][0];
    assert_eq!((&calls["by"], &calls["rows"][0]["keys"]), (&json!(model), &json!({model: "counted"})), "{told}");
    for odd in ["duration", "attributes[\"gen_ai.input.messages\"]"] {
        let wrong = user.get(&format!("/api/v1/dashboards/desk/data?by={}", encoded(odd))).await;
        assert_eq!((wrong.status, &wrong.json()["code"]), (400, &json!("trace-question-invalid")), "{odd}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dashboard_that_asks_what_cannot_be_answered_is_refused_with_everything_that_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let _server = Server::start(data, "127.0.0.1");
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, panels: Value| {
        let spec = json!({"title": "Desk", "panels": panels});
        let manifest = json!({"apiVersion": "mainspring/v1", "kind": "dashboard", "name": name, "spec": spec});
        std::fs::write(folder.path().join(format!("{name}.json")), manifest.to_string()).unwrap();
    };
    write("good", json!([{"title": "Rows", "chart": "table", "sql": "SELECT count(*) FROM spans"}]));
    write(
        "odd",
        json!([
            {"title": "Gone", "chart": "table", "sql": "drop table spans"},
            {"title": "Calls", "measures": ["count"]},
            {"title": "No time", "chart": "line", "sql": "SELECT count(*) AS calls FROM spans"},
        ]),
    );
    write("unread", json!([{"title": "x", "measures": ["counts"]}]));
    for args in [&["apply"][..], &["apply", "--dry-run"]] {
        let told = refused(data, &[args, &[folder.path().to_str().unwrap()]].concat());
        assert_eq!(told["code"], "registry-rejected", "{told}");
        let told = told.to_string();
        for wanted in ["odd.json: spec.panels[0].sql: ", "odd.json: spec.panels[2].sql: ", "did you mean `count`?"] {
            assert!(told.contains(wanted), "{wanted}: {told}");
        }
        assert!(!told.contains("good.json"), "{told}");
    }
    assert_eq!(run(data, &["list"]), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panel_shows_a_metric_that_a_program_sent() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let server = Server::start(data, "127.0.0.1");
    let user = User::of(&server, None);
    let now = SystemClock.now();
    let ago = |minutes: u64| now.minus(Duration::from_secs(60 * minutes));
    for (at, orders, counts) in [(ago(40), [3, 1], [2, 0, 0]), (ago(20), [8, 1], [2, 4, 0])] {
        assert_eq!(user.post("/v1/metrics", &export(ago(60), at, orders, counts)).await.status, 200);
    }
    let orders = json!({"name": "shop.orders"});
    let eu = json!({"name": "shop.orders", "attributes": {"region": ["eu"]}});
    apply_all(
        data,
        &[json!({
            "apiVersion": "mainspring/v1", "kind": "dashboard", "name": "shop",
            "spec": {"title": "Shop", "panels": [
                {"title": "Orders", "metric": orders, "measures": ["increase"], "by": "region"},
                {"title": "Of Europe", "chart": "number", "metric": eu, "measures": ["increase"]},
                {"title": "Time", "chart": "table", "metric": {"name": "shop.time"}, "measures": ["p50", "mean"]},
                {"title": "Nothing", "metric": {"name": "shop.returns"}, "measures": ["rate"]},
                {"title": "Unlike", "metric": orders, "measures": ["p95"]},
            ]},
        })],
    );
    let told = user.get("/api/v1/dashboards/shop/data?by=model&filter=model%20%3D%20nobody").await.json();
    let [over_time, of_eu, time, nothing, unlike] = &told["panels"].as_array().unwrap()[..] else { panic!("{told}") };
    let form = &over_time["metric"]["form"];
    assert_eq!((&form["kind"], &form["unit"], &over_time["by"]), (&json!("sum"), &json!("{order}"), &json!("region")), "{told}");
    assert!(over_time["bucket_ms"].as_u64().is_some_and(|width| width >= 120_000), "{told}");
    let increase = |region: &str| -> f64 {
        let rows = over_time["rows"].as_array().unwrap().iter().filter(|row| row["keys"]["region"] == region);
        rows.map(|row| row["values"]["increase"].as_f64().unwrap()).sum()
    };
    assert_eq!((increase("eu"), increase("us")), (8.0, 1.0), "{told}");
    assert_eq!((&of_eu["rows"][0]["values"], &of_eu["rows"][0]["start"]), (&json!({"increase": 8.0}), &Value::Null), "{told}");
    assert_eq!(time["rows"][0]["values"]["mean"], json!(1.0), "{told}");
    assert!(time["metric"]["note"].as_str().unwrap().contains("estimated"), "{told}");
    assert_eq!((&nothing["state"], &nothing["metric"]), (&json!("nothing"), &json!({"name": "shop.returns"})), "{told}");
    assert_eq!((&unlike["state"], &unlike["problem"]["code"]), (&json!("failed"), &json!("trace-question-invalid")), "{told}");
}
