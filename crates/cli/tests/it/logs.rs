//! Log records that programs send: listed, searched and counted, whether they were written in a span or in none.

use mainspring_kernel::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::running::{Server, User, command, refused, run};

const TRACE: &str = "5b8efff798038103d269b633813fc610";

/// A record as an exporter sends it, so many seconds ago.
fn record(ago: i64, severity: &str, number: i64, body: &Value) -> Value {
    let at = SystemClock.now().as_nanos() - ago * 1_000_000_000;
    json!({
        "timeUnixNano": at.to_string(), "severityText": severity, "severityNumber": number, "body": body,
        "attributes": [{"key": "till", "value": {"intValue": ago.to_string()}}],
    })
}

fn text(said: &str) -> Value {
    json!({"stringValue": said})
}

fn sent(service: &str, records: &[Value]) -> Value {
    json!({"resourceLogs": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
        "scopeLogs": [{"logRecords": records}],
    }]})
}

async fn send(user: &User, logs: &Value) {
    let reply = user.post("/v1/logs", logs).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
}

fn bodies(page: &Value) -> Vec<Value> {
    page["items"].as_array().unwrap().iter().map(|record| record["body"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn log_records_are_found_by_what_they_say_how_severe_they_are_and_where_they_come_from() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let server = Server::start(data, "127.0.0.1");
    let user = User::of(&server, None);
    let mut within = record(1, "ERROR", 17, &text("the card was refused"));
    (within["traceId"], within["spanId"]) = (json!(TRACE), json!("00000000000000b1"));
    let fields = json!({"kvlistValue": {"values": [{"key": "order", "value": {"stringValue": "o-7"}}]}});
    let shop = [within, record(2, "Warning", 0, &text("the card expires soon")), record(3, "INFO", 9, &fields)];
    send(&user, &sent("shop", &shop)).await;
    send(&user, &sent("till", &[record(4, "DEBUG", 5, &text("the drawer is open"))])).await;
    // The records of a program are not its spans, and its spans are no records.
    let span = json!({
        "traceId": TRACE, "spanId": "00000000000000b1", "name": "pay", "kind": 2,
        "startTimeUnixNano": (SystemClock.now().as_nanos() - 2_000_000_000).to_string(),
        "endTimeUnixNano": SystemClock.now().as_nanos().to_string(),
    });
    let spans = json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]});
    assert_eq!(user.post("/v1/traces", &spans).await.status, 200);

    let listed = run(data, &["logs"]);
    let all =
        [json!("the card was refused"), json!("the card expires soon"), json!({"order": "o-7"}), json!("the drawer is open")];
    assert_eq!(bodies(&listed), all, "the newest first");
    assert_eq!(run(data, &["logs", "list"])["items"], listed["items"]);
    let first = &listed["items"][0];
    assert_eq!((&first["trace_id"], &first["parent"]), (&json!(TRACE), &json!("00000000000000b1")));
    assert_eq!(
        (&first["severity"], &first["severity_text"], &first["service"]),
        (&json!("error"), &json!("ERROR"), &json!("shop"))
    );
    assert_eq!((&first["name"], &first["attributes"]["till"]), (&json!("log"), &json!(1)));
    assert_eq!(listed["items"][1]["severity"], "warn", "told in a word only");
    let of_trace = format!("trace = {TRACE}");
    for (filter, found) in [
        ("severity >= warn", &all[..2]),
        ("severity = info or severity = debug", &all[2..]),
        ("content words \"card refused\"", &all[..1]),
        ("content contains o-7", &all[2..3]),
        ("service = till", &all[3..]),
        ("attributes[\"till\"] = 2", &all[1..2]),
        (of_trace.as_str(), &all[..1]),
        ("start > -1h and not severity < info", &all[..3]),
        ("start < -1h", &all[..0]),
        ("name = pay", &all[..0]),
    ] {
        assert_eq!(bodies(&run(data, &["logs", "--filter", filter])), found, "{filter}");
        assert_eq!(run(data, &["logs", "count", "--filter", filter]), json!({"count": found.len(), "exact": true}), "{filter}");
    }
    assert_eq!(bodies(&run(data, &["logs", "--find", "CARD"])), all[..2]);
    assert_eq!(run(data, &["logs", "count", "--find", "drawer"])["count"], 1);

    let page = run(data, &["logs", "--limit", "3"]);
    assert_eq!(bodies(&page), all[..3]);
    send(&user, &sent("till", &[record(0, "DEBUG", 5, &text("the drawer is shut"))])).await;
    let rest = run(data, &["logs", "--limit", "3", "--cursor", page["next"].as_str().unwrap()]);
    assert_eq!((bodies(&rest), &rest["next"]), (all[3..].to_vec(), &Value::Null), "what came meanwhile moves nothing");

    let shown = command(data).args(["logs", "--filter", "severity = error"]).output().unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("error") && shown.contains("the card was refused") && shown.contains(TRACE), "{shown}");
    let fault = refused(data, &["logs", "--filter", "severity = loud"]);
    assert_eq!(fault["code"], "trace-filter-invalid", "{fault}");
    assert!(fault["hint"].as_str().unwrap().contains("trace, debug, info, warn, error, fatal"), "{fault}");
    let fault = user.get("/api/v1/logs?severity=error").await.json();
    assert_eq!(fault["code"], "query-invalid", "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_finds_its_own_log_records_and_an_erasure_takes_them() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let server = Server::start(data, "127.0.0.1");
    let user = User::of(&server, None);
    let mut asked = record(1, "INFO", 9, &text("zukamirel asked"));
    asked["traceId"] = json!(TRACE);
    send(&user, &sent("shop", &[asked, record(2, "INFO", 9, &text("somebody asked"))])).await;
    run(data, &["projects", "create", "elsewhere"]);
    let made = run(data, &["keys", "create", "theirs", "--role", "admin", "--project", "elsewhere"]);
    let stranger = User::of(&server, made["secret"].as_str());
    assert_eq!(bodies(&stranger.get("/api/v1/logs").await.json()), Vec::<Value>::new());
    assert_eq!(stranger.get("/api/v1/logs/count").await.json()["count"], 0);

    assert_eq!(run(data, &["logs", "count", "--find", "zukamirel"])["count"], 1);
    run(data, &["erase", "--trace", TRACE, "--wait"]);
    assert_eq!(bodies(&run(data, &["logs"])), [json!("somebody asked")]);
    assert_eq!(run(data, &["logs", "count", "--find", "zukamirel"])["count"], 0);
}
