//! A project that keeps every failure and a share of the rest: what is measured is of what came, and says that it is an estimate.

use mainspring_kernel::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::running::{Server, User, command, run};

const CAME: i64 = 400;
/// Of ten one fails.
const FAILED: f64 = 40.0;

fn requests(now: i64) -> Value {
    let spans: Vec<Value> = (0..CAME)
        .map(|n| {
            let start = (now - 60_000_000 + n) * 1_000;
            json!({
                "traceId": format!("{:032x}", (i128::from(n) + 1) * 0x9e37_79b9_7f4a_7c15), "spanId": format!("{:016x}", n + 1),
                "name": "POST /ask", "kind": 2, "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 1_000).to_string(),
                "status": if n % 10 == 0 { json!({"code": 2, "message": "broken"}) } else { json!({"code": 1}) },
            })
        })
        .collect();
    let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]});
    json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]})
}

#[track_caller]
fn near_all(count: f64) {
    // A half of 360 is drawn, each for two: six times the root of the variance.
    assert!((count - 400.0).abs() < 120.0, "{count} of {CAME}");
}

#[tokio::test(flavor = "multi_thread")]
async fn under_sampling_numbers_are_of_what_came_and_lists_of_what_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let server = Server::start(data, "127.0.0.1");
    let user = User::of(&server, None);
    run(data, &["capture", "set", "--share", "0.5"]);
    let now = SystemClock.now().as_micros();
    assert_eq!(user.post("/v1/traces", &requests(now)).await.status, 200);

    let kept = run(data, &["traces", "count", "--filter", "service = shop"]);
    let kept = kept["count"].as_f64().unwrap();
    assert!(kept < 300.0, "about 220 are there: {kept}");
    let args = ["traces", "metrics", "--measures", "count,errors,error_rate", "--filter", "entry and service = shop"];
    let measured = run(data, &args);
    let row = &measured["rows"][0];
    assert_eq!((&measured["estimated"], &row["estimated"]), (&json!(true), &json!(true)), "{measured}");
    near_all(row["values"]["count"].as_f64().unwrap());
    assert_eq!(row["values"]["errors"], json!(FAILED), "every failure is kept");
    assert!(row["values"]["error_rate"].as_f64().unwrap() < 0.15, "and of what came it is a tenth: {row}");
    let said = command(data).args(args).output().unwrap();
    assert!(String::from_utf8_lossy(&said.stderr).contains("estimates"), "{said:?}");
    let failed = run(data, &["traces", "metrics", "--measures", "count", "--filter", "error and service = shop"]);
    assert_eq!((failed.get("estimated"), &failed["rows"][0]["values"]["count"]), (None, &json!(FAILED)), "{failed}");

    let overview = user.get("/api/v1/dashboards/overview/data?filter=service%20%3D%20shop").await.json();
    let requests = &overview["panels"][0];
    assert_eq!((&requests["title"], &requests["estimated"]), (&json!("Requests"), &json!(true)), "{requests}");
    near_all(requests["rows"].as_array().unwrap().iter().map(|row| row["values"]["count"].as_f64().unwrap()).sum());

    let question = "sum%28increase%28mainspring_requests_total%7Bservice%3D%22shop%22%7D%5B10m%5D%29%29";
    let told = user.get(&format!("/api/v1/prometheus/api/v1/query?query={question}")).await.json();
    assert!(told["infos"][0].as_str().unwrap().contains("estimate"), "{told}");
    near_all(told["data"]["result"][0]["value"][1].as_str().unwrap().parse().unwrap());

    let told = run(data, &["sql", "select sum(coalesce(weight, 1)) as came, count(*) as kept from spans where service = 'shop'"]);
    near_all(told["rows"][0][0].as_f64().unwrap());
    assert_eq!(told["rows"][0][1].as_f64().unwrap(), kept);
}
