//! Telemetry that is broken, far too large or of far too many kinds: it is refused or counted, and the server stays as it is.

use bytes::Bytes;
use http::{Request, header};
use mainspring_kernel::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::{
    exports::{field, fixed, hex, now, trace_of},
    running::{Reply, Server, User},
};

const PATHS: [&str; 3] = ["/v1/traces", "/v1/logs", "/v1/metrics"];
/// What two of the largest exports may take is half a gigabyte; beyond this, something grew with what came.
const RESIDENT_MAX: u64 = 3 << 29;

async fn send(user: &User, path: &str, kind: &str, body: Vec<u8>) -> Reply {
    user.send(Request::post(path).header(header::CONTENT_TYPE, kind).body(Bytes::from(body)).unwrap()).await
}

fn nanos() -> String {
    format!("{}000", SystemClock.now().as_micros())
}

/// An export of these spans, by a program that names itself.
fn export(spans: &[Value]) -> Value {
    let service = json!([{"key": "service.name", "value": {"stringValue": "flood"}}]);
    json!({"resourceSpans": [{"resource": {"attributes": service}, "scopeSpans": [{"spans": spans}]}]})
}

fn span(trace: &str, id: usize, attributes: &Value) -> Value {
    let now = nanos();
    json!({
        "traceId": trace, "spanId": format!("{:016x}", id + 1), "name": "work", "kind": 2,
        "startTimeUnixNano": now, "endTimeUnixNano": now, "attributes": attributes,
    })
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// Sends spans of which all are taken.
async fn post(user: &User, spans: &[Value]) {
    let reply = user.post("/v1/traces", &export(spans)).await;
    assert_eq!((reply.status, reply.text.as_str()), (200, "{}"));
}

async fn spans_of(user: &User, trace: &str) -> Vec<Value> {
    let reply = user.get(&format!("/api/v1/traces/{trace}")).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()["spans"].as_array().unwrap().clone()
}

/// It answers, takes what is sound, finds it, and has not grown.
async fn is_well(server: &Server, user: &User) {
    assert_eq!(server.status("/healthz").await, 200);
    let trace = hex(trace_of(1_000));
    post(user, &[span(&trace, 0, &json!([]))]).await;
    assert_eq!(spans_of(user, &trace).await.len(), 1);
    let most = server.most_resident();
    assert!(most < RESIDENT_MAX, "{} MiB", most >> 20);
}

/// A value within lists, so many deep.
fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(field(1, b"x"), |value, _| field(5, &field(1, &value)))
}

/// A span with one attribute, in protobuf.
fn with_value(trace: [u8; 16], value: &[u8]) -> Vec<u8> {
    let attribute = field(9, &[field(1, b"deep"), field(2, value)].concat());
    let times = [fixed(7, now()), fixed(8, now())].concat();
    let span = [field(1, &trace), field(2, &trace[8..]), field(5, b"work"), times, attribute].concat();
    field(1, &field(2, &field(2, &span)))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_refused_with_a_code_and_nothing_breaks() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    let noise: Vec<u8> = (0..50_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3] | 1).collect();
    let protobuf: Vec<Vec<u8>> = vec![
        vec![0x0a, 0x7f],
        // A length of more than there is memory, and one that does not end.
        vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        vec![0xff; 64],
        // A group that is never closed.
        vec![0x0b; 10_000],
        noise,
    ];
    let json: Vec<Vec<u8>> = vec![
        b"{".to_vec(),
        b"\xff\xfe{}".to_vec(),
        br#"{"resourceSpans": 5, "resourceLogs": 5, "resourceMetrics": 5}"#.to_vec(),
        [b"[".repeat(100_000), b"]".repeat(100_000)].concat(),
        br#"{"resourceSpans": [{"#.repeat(20_000),
    ];
    for path in PATHS {
        for (kind, bodies) in [("application/x-protobuf", &protobuf), ("application/json", &json)] {
            for body in bodies {
                let begins = body[..body.len().min(16)].to_vec();
                let reply = send(&user, path, kind, body.clone()).await;
                assert!((400..500).contains(&reply.status), "{path} {kind} {begins:?}: {} {}", reply.status, reply.text);
                assert!(reply.text.contains("otlp-malformed"), "{path} {kind} {begins:?}: {}", reply.text);
            }
        }
    }
    is_well(&server, &user).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_without_end_are_cut_and_counted() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    let (many, deep) = (hex(trace_of(1)), trace_of(2));
    let attributes: Vec<Value> = (0..100_000).map(|n| text(&format!("bomb.{n}"), "x")).collect();
    post(&user, &[span(&many, 0, &attributes.into())]).await;
    let kept = spans_of(&user, &many).await[0]["attributes"].as_object().unwrap().clone();
    let left_out = kept["otel.attributes_left_out"].as_u64().unwrap();
    assert!(kept.len() < 20_000 && left_out > 80_000, "{} are kept, {left_out} are not", kept.len());
    // Far deeper than any reader goes.
    let reply = send(&user, "/v1/traces", "application/x-protobuf", with_value(deep, &nested(2_000))).await;
    assert!(reply.status == 200 && reply.text.contains("is left out: 1"), "{} {}", reply.status, reply.text);
    let cut = spans_of(&user, &hex(deep)).await[0]["attributes"]["deep"].to_string();
    assert!(cut.contains("[[[[[[[[") && cut.contains("null"), "{cut}");
    is_well(&server, &user).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_without_end_are_cut_and_counted() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    let trace = trace_of(1);
    let times = [fixed(7, now()), fixed(8, now())].concat();
    let span = |id: u64, events: usize| {
        let ids = [field(1, &trace), field(2, &id.to_be_bytes()), field(5, b"work")].concat();
        field(2, &[ids, times.clone(), field(11, b"").repeat(events)].concat())
    };
    // What stands beside it is kept, and so is what can be kept of it: two bytes an event are a hundred megabytes of JSON.
    let export = field(1, &field(2, &[span(1, 0), span(2, 1_500_000), span(3, 1)].concat()));
    let reply = send(&user, "/v1/traces", "application/x-protobuf", export).await;
    assert_eq!((reply.status, reply.text.as_str()), (200, ""));
    // In the order of their ids, as they began at one moment.
    let kept = spans_of(&user, &hex(trace)).await;
    let events: Vec<usize> = kept.iter().map(|span| span["events"].as_array().map_or(0, Vec::len)).collect();
    assert_eq!(events, [0, 8_192, 1]);
    assert_eq!(kept[1]["attributes"]["otel.dropped_events_count"], 1_500_000 - 8_192);
    is_well(&server, &user).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_of_four_megabytes_are_kept_and_larger_ones_are_counted() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    let traces: Vec<String> = (0..8).map(|n| hex(trace_of(n))).collect();
    let words = "many words ".repeat(4 * 1024 * 1024 / 11);
    let sending = traces.iter().map(|trace| {
        let span = span(trace, 0, &json!([text("input.value", &words)]));
        let user = &user;
        async move { post(user, &[span]).await }
    });
    futures::future::join_all(sending).await;
    for trace in &traces {
        assert_eq!(spans_of(&user, trace).await.len(), 1, "{trace}");
    }
    let larger = span(&hex(trace_of(9)), 0, &json!([text("input.value", &"x".repeat(11 << 20))]));
    let reply = user.post("/v1/traces", &export(&[larger])).await;
    assert_eq!((reply.status, &reply.json()["partialSuccess"]["rejectedSpans"]), (200, &json!("1")), "{}", reply.text);
    is_well(&server, &user).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_names_and_series_are_taken_and_answered_about() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    for export in 0..20 {
        let trace = hex(trace_of(export));
        let spans: Vec<Value> = (0..50)
            .map(|n| {
                let first = (usize::try_from(export).unwrap() * 50 + n) * 100;
                let attributes: Vec<Value> =
                    (first..first + 100).map(|name| text(&format!("gen_ai.made_up.{name}"), "x")).collect();
                span(&trace, n, &attributes.into())
            })
            .collect();
        post(&user, &spans).await;
    }
    let report = user.get("/api/v1/traces/conventions").await;
    assert_eq!(report.status, 200, "{}", report.text);
    let unknown = report.json()["unknown"].as_array().unwrap().len();
    assert!((1..=100).contains(&unknown), "{unknown} names that nobody understands");
    let named = user.get("/api/v1/spans/count?filter=attributes%5B%22gen_ai.made_up.99999%22%5D%20%3D%20x").await;
    assert_eq!((named.status, &named.json()["count"]), (200, &json!(1)), "{}", named.text);

    for export in 0..10 {
        let points: Vec<Value> = (export * 10_000..(export + 1) * 10_000)
            .map(|n| json!({"timeUnixNano": nanos(), "asDouble": 1.5, "attributes": [text("series", &n.to_string())]}))
            .collect();
        let metric = json!({"name": "flood", "gauge": {"dataPoints": points}});
        let reply = user.post("/v1/metrics", &json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]})).await;
        assert_eq!((reply.status, reply.text.as_str()), (200, "{}"));
    }
    let page = user.get("/api/v1/metric-points?name=flood&limit=500").await.json();
    let mut series: Vec<&str> = page["items"].as_array().unwrap().iter().map(|item| item["series"].as_str().unwrap()).collect();
    series.sort_unstable();
    series.dedup();
    assert!(series.len() == 500 && page["next"].is_string(), "{} series on the first page", series.len());
    is_well(&server, &user).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_clocks_are_counted_or_named_and_hold_nothing_up() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    let [good, backward, timeless, ahead, endless, ancient] = [1, 2, 3, 4, 5, 6].map(|n| hex(trace_of(n)));
    let at = |trace: &str, start: &str, end: &str| {
        let mut span = span(trace, 0, &json!([]));
        (span["startTimeUnixNano"], span["endTimeUnixNano"]) = (json!(start), json!(end));
        span
    };
    let now = nanos();
    let spans = [
        at(&good, &now, &now),
        // A minute back.
        at(&backward, &now, &(now.parse::<u64>().unwrap() - 60_000_000_000).to_string()),
        // No time at all, 2200, and the last moment there is: three that are counted.
        at(&timeless, "0", "0"),
        at(&ahead, "7258118400000000000", "7258118400000000000"),
        at(&endless, &now, "18446744073709551615"),
        // The first second of 1970 is a time, but what is that old would be deleted within the minute.
        at(&ancient, "1000000000", "2000000000"),
    ];
    let reply = user.post("/v1/traces", &export(&spans)).await;
    assert_eq!((reply.status, &reply.json()["partialSuccess"]["rejectedSpans"]), (200, &json!("4")), "{}", reply.text);
    let answer = reply.json();
    let said: Vec<&str> = answer["partialSuccess"]["errorMessage"].as_str().unwrap().split("; ").collect();
    assert!(
        ["no time", "in the future", "before the time"].iter().zip(&said).all(|(reason, said)| said.contains(reason)),
        "{said:?}"
    );
    assert_eq!(said.len(), 3, "{said:?}");
    let shown = spans_of(&user, &backward).await.remove(0);
    assert_eq!(shown["start"], shown["end"], "{shown}");
    assert!(shown["attributes"]["otel.end_time"].is_string(), "{shown}");
    let listed = user.get("/api/v1/traces?limit=500").await.json();
    let ids: Vec<&str> = listed["items"].as_array().unwrap().iter().map(|item| item["trace_id"].as_str().unwrap()).collect();
    assert!(ids.contains(&good.as_str()) && ids.contains(&backward.as_str()), "{ids:?}");
    assert!(![&timeless, &ahead, &endless, &ancient].into_iter().any(|trace| ids.contains(&trace.as_str())), "{ids:?}");
    let points = [now.as_str(), "1000000000"].map(|time| json!({"timeUnixNano": time, "asDouble": 1.5}));
    let metric = json!({"name": "clocks", "gauge": {"dataPoints": points}});
    let reply = user.post("/v1/metrics", &json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]})).await;
    assert_eq!((reply.status, &reply.json()["partialSuccess"]["rejectedDataPoints"]), (200, &json!("1")), "{}", reply.text);
    assert!(reply.text.contains("before the time"), "{}", reply.text);
    is_well(&server, &user).await;
}
