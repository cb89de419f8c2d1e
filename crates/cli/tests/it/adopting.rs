//! Traces of which the beginning is not sent here, as exporters send them that leave spans out.

use mainspring_kernel::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::running::{Server, User, run, until};

/// So soon here.
const SOON: [(&str, &str); 1] = [("MAINSPRING__TRACES__ADOPT_AFTER", "500ms")];

/// A span as OTLP has it, of some seconds ago.
fn sent(trace: &str, (span, parent): (&str, Option<&str>), name: &str, seconds_ago: i64) -> Value {
    let start = SystemClock.now().as_nanos() - seconds_ago * 1_000_000_000;
    let mut span = json!({
        "traceId": trace, "spanId": span, "name": name, "kind": 1,
        "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 1_000_000).to_string(),
    });
    if let Some(parent) = parent {
        span["parentSpanId"] = json!(parent);
    }
    json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
}

async fn send(server: &Server, spans: &Value) {
    let reply = User::of(server, None).post("/v1/traces", spans).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
}

async fn listed(server: &Server) -> Vec<String> {
    let found = User::of(server, None).get("/api/v1/traces").await.json();
    found["items"].as_array().unwrap().iter().map(|trace| trace["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_without_its_beginning_is_listed_when_it_is_quiet_and_by_its_beginning_once_that_comes() {
    let (first, second) = ("5b8efff798038103d269b633813fc60c", "5b8efff798038103d269b633813fc60d");
    let (above, call, below) = ("00000000000000a1", "00000000000000a2", "00000000000000a3");
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let server = Server::start_with(data, &["serve"], &SOON);
    send(&server, &sent(first, (below, Some(call)), "tool", 8)).await;
    send(&server, &sent(first, (call, Some(above)), "chat", 9)).await;
    until("the trace to be listed", async || listed(&server).await == ["chat"]).await;
    assert_eq!(run(data, &["traces", "count"]), json!({"count": 1, "exact": true}));
    let spans = run(data, &["traces", "show", first]);
    let parents: Vec<&Value> = spans["spans"].as_array().unwrap().iter().map(|span| &span["parent"]).collect();
    assert_eq!(parents, [&json!(above), &json!(call)], "{spans}");
    send(&server, &sent(first, (above, None), "workflow", 10)).await;
    assert_eq!(listed(&server).await, ["workflow"]);
    assert_eq!(run(data, &["traces", "count", "--spans", "--filter", "entry"])["count"], 1);

    // A process that dies before leaves it to the next.
    let patient = [("MAINSPRING__TRACES__ADOPT_AFTER", "1h")];
    drop(server);
    let server = Server::start_with(data, &["serve"], &patient);
    send(&server, &sent(second, (call, Some(above)), "embed", 9)).await;
    assert_eq!(listed(&server).await, ["workflow"]);
    drop(server);
    let server = Server::start_with(data, &["serve"], &SOON);
    until("what was left to be listed", async || listed(&server).await == ["embed", "workflow"]).await;
}
