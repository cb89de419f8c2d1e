//! Traces found by any of their spans, and sent on to another collector as OTLP, through the real binary.

use mainspring_kernel::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::running::{Server, User, command, run};

/// An entry that went well, and below it a call that failed.
fn sent(trace: &str) -> Value {
    let now = SystemClock.now().as_nanos();
    let span = |id: &str, parent: &str, name: &str, failed: bool| {
        json!({
            "traceId": trace, "spanId": id, "parentSpanId": parent, "name": name, "kind": 3,
            "startTimeUnixNano": (now - 2_000_000_000).to_string(), "endTimeUnixNano": now.to_string(),
            "status": if failed { json!({"code": 2, "message": "refused"}) } else { json!({"code": 1}) },
        })
    };
    json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeSpans": [{"spans": [span("00000000000000a1", "", "checkout", false), span("00000000000000a2", "00000000000000a1", "call", true)]}],
    }]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_found_by_a_span_below_its_entry() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let server = Server::start(data, "127.0.0.1");
    let user = User::of(&server, None);
    let trace = "5b8efff798038103d269b633813fc60d";
    let reply = user.post("/v1/traces", &sent(trace)).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let filter = ["--filter", "error and name = call"];
    assert_eq!(run(data, &[&["traces", "list"][..], &filter].concat())["items"], json!([]));
    // Whoever finds nothing by the entry is told that there is something further in, and nobody else is told anything.
    for what in ["list", "count"] {
        let said = |filter: &str| {
            let told = command(data).args(["traces", what, "--filter", filter]).output().unwrap();
            String::from_utf8_lossy(&told.stderr).into_owned()
        };
        assert!(said(filter[1]).contains("--any"), "{what}: {}", said(filter[1]));
        for other in ["name = nothing", "name = checkout"] {
            assert!(!said(other).contains("--any"), "{what}: {}", said(other));
        }
    }
    let path = "/api/v1/traces?filter=name%20%3D%20call";
    let told = user.get(path).await.json();
    assert!(told["hint"].as_str().unwrap().contains("any=true") && told["items"] == json!([]), "{told}");
    assert_eq!(user.get(&format!("{path}&any=true")).await.json()["hint"], Value::Null);
    let found = run(data, &[&["traces", "list", "--any"][..], &filter].concat());
    let [one] = found["items"].as_array().unwrap().as_slice() else { panic!("{found}") };
    assert_eq!((&one["trace_id"], &one["name"], &one["spans"]), (&json!(trace), &json!("checkout"), &json!(2)));
    assert_eq!(run(data, &[&["traces", "count", "--any"][..], &filter].concat()), json!({"count": 1, "exact": true}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_goes_onward_to_another_server_and_may_be_repeated() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (ours, theirs) = (Server::start(from.path(), "127.0.0.1"), Server::start(to.path(), "127.0.0.1"));
    let trace = "5b8efff798038103d269b633813fc60e";
    // As deep as what comes in may lie: what is taken is also given on.
    let deep =
        (0..28).fold(json!({"stringValue": "x"}), |value, _| json!({"kvlistValue": {"values": [{"key": "k", "value": value}]}}));
    let mut export = sent(trace);
    export["resourceSpans"][0]["scopeSpans"][0]["spans"][1]["attributes"] = json!([{"key": "deep", "value": deep}]);
    let reply = User::of(&ours, None).post("/v1/traces", &export).await;
    assert_eq!((reply.status, reply.text.as_str()), (200, "{}"));
    for _ in 0..2 {
        let sent = run(from.path(), &["traces", "export", "--filter", "service = shop", "--to", &theirs.url]);
        assert_eq!((&sent["spans"], &sent["rejected"], &sent["whole"]), (&json!(2), &json!(0), &json!(true)), "{sent}");
    }
    assert_eq!(run(to.path(), &["traces", "show", trace])["spans"].as_array().map(Vec::len), Some(2), "each once");
    let gone = "http://127.0.0.1:9";
    let fault =
        crate::running::command(from.path()).args(["traces", "export", "--to", gone, "--to-key", "NO_SUCH_VARIABLE"]).output();
    assert!(!fault.unwrap().status.success());
    let fault = crate::running::command(from.path()).args(["traces", "export", "--to", gone]).output().unwrap();
    let said = String::from_utf8_lossy(&fault.stderr);
    assert!(said.contains("collector-unreachable") && said.contains("4318") && !said.contains("mainspring serve"), "{said}");
}
