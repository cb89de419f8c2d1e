//! OpenTelemetry's protocol over HTTP and gRPC: who may send, what is refused and how, and that what is acknowledged is there.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use mainspring_kernel::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::running::{Server, User, run};

pub(crate) const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
pub(crate) const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
pub(crate) const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// A field of protobuf that holds bytes.
pub(crate) fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut length = bytes.len();
    let mut field = vec![(number << 3) | 2];
    while length >= 0x80 {
        field.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    field.push(u8::try_from(length).unwrap());
    field.extend_from_slice(bytes);
    field
}

pub(crate) fn fixed(number: u8, value: u64) -> Vec<u8> {
    [&[(number << 3) | 1][..], &value.to_le_bytes()].concat()
}

pub(crate) fn now() -> u64 {
    u64::try_from(SystemClock.now().as_micros()).unwrap() * 1_000
}

pub(crate) fn trace_of(n: u64) -> [u8; 16] {
    let random = (u64::from(std::process::id()) << 32) | (now() & 0xffff_ffff);
    // Nothing but zeros would be no id.
    [random.to_be_bytes(), (n + 1).to_be_bytes()].concat().try_into().unwrap()
}

/// An export of one span, which is the root of its trace.
pub(crate) fn span(trace: [u8; 16]) -> Vec<u8> {
    let times = [fixed(7, now()), fixed(8, now())].concat();
    let span = [field(1, &trace), field(2, &trace[8..]), field(5, b"work"), times].concat();
    field(1, &field(2, &field(2, &span)))
}

/// An export of one log record, written in that span.
fn record(trace: [u8; 16]) -> Vec<u8> {
    let body = field(5, &field(1, b"it happened"));
    let record = [fixed(1, now()), body, field(9, &trace), field(10, &trace[8..]), field(12, b"happened")].concat();
    field(1, &field(2, &field(2, &record)))
}

/// An export of one point of a gauge of that name.
fn gauge(name: &str) -> Vec<u8> {
    let point = [fixed(3, now()), fixed(4, 1.5_f64.to_bits())].concat();
    let metric = [field(1, name.as_bytes()), field(5, &field(1, &point))].concat();
    field(1, &field(2, &field(2, &metric)))
}

pub(crate) fn hex(trace: [u8; 16]) -> String {
    trace.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As much of a gRPC client as one call takes.
struct Calls {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    headers: Vec<(&'static str, String)>,
}

/// What a call was answered: gRPC's status, its message, and the answer.
#[derive(Debug, PartialEq)]
struct Answer {
    status: String,
    message: String,
    bytes: Bytes,
}

impl Calls {
    fn of(server: &Server, headers: &[(&'static str, &str)]) -> Self {
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { client, url: server.url.clone(), headers }
    }

    async fn call(&self, path: &str, message: &[u8]) -> Result<Answer, String> {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let mut request = Request::post(format!("{}{path}", self.url))
            .header(header::CONTENT_TYPE, "application/grpc+proto")
            .header(header::TE, "trailers");
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let body = Full::from([&[0][..], &length, message].concat());
        let (parts, body) = self.client.request(request.body(body).unwrap()).await.map_err(said)?.into_parts();
        assert_eq!((parts.status.as_u16(), parts.headers[header::CONTENT_TYPE].as_bytes()), (200, &b"application/grpc"[..]));
        let body = body.collect().await.map_err(said)?;
        let place = body.trailers().cloned().unwrap_or(parts.headers);
        let text = |name: &str| place.get(name).map_or_else(String::new, |value| value.to_str().unwrap().to_owned());
        let (status, message) = (text("grpc-status"), text("grpc-message"));
        let framed = body.to_bytes();
        // Five bytes before the message say how long it is; a refusal has none.
        let bytes = if framed.len() < 5 { Bytes::new() } else { framed.slice(5..) };
        Ok(Answer { status, message, bytes })
    }
}

fn said(error: impl std::error::Error) -> String {
    error.to_string()
}

async fn spans_of(user: &User, trace: [u8; 16]) -> BTreeSet<String> {
    let reply = user.get(&format!("/api/v1/traces/{}", hex(trace))).await;
    let spans = if reply.status == 404 { json!([]) } else { reply.json()["spans"].clone() };
    let names: Vec<String> = spans.as_array().unwrap().iter().map(|span| span["name"].as_str().unwrap().to_owned()).collect();
    let all = BTreeSet::from_iter(names.clone());
    assert_eq!(all.len(), names.len(), "each once: {names:?}");
    all
}

async fn points_of(user: &User, name: &str) -> usize {
    user.get(&format!("/api/v1/metric-points?name={name}")).await.json()["items"].as_array().unwrap().len()
}

/// Sends protobuf over HTTP, of which everything is taken.
async fn post(user: &User, path: &str, body: Vec<u8>) {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-protobuf");
    let reply = user.send(request.body(body.into()).unwrap()).await;
    assert_eq!((reply.status, reply.text.as_str()), (200, ""), "{path}");
}

/// Exports that were acknowledged, and how what was in them is found.
struct Sent {
    trace: [u8; 16],
    span: Vec<u8>,
    record: Vec<u8>,
    name: String,
    point: Vec<u8>,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_over_http_or_grpc_is_there_after_a_kill_and_there_once() {
    let data = tempfile::tempdir().unwrap();
    let mut sent: Vec<Sent> = Vec::new();
    for round in 0..=6_u64 {
        let server = Server::start(data.path(), "127.0.0.1");
        let (user, calls) = (User::of(&server, None), Calls::of(&server, &[]));
        // What the process before acknowledged is there, and once, also when it comes again.
        for Sent { trace, span, record, name, point } in &sent {
            assert_eq!(
                spans_of(&user, *trace).await,
                BTreeSet::from(["happened".to_owned(), "work".to_owned()]),
                "round {round}"
            );
            assert_eq!(points_of(&user, name).await, 1, "round {round}");
            post(&user, "/v1/traces", span.clone()).await;
            assert_eq!(calls.call(LOGS, record).await.unwrap().status, "0");
            post(&user, "/v1/metrics", point.clone()).await;
            assert_eq!(spans_of(&user, *trace).await.len(), 2, "round {round}");
            assert_eq!(points_of(&user, name).await, 1, "round {round}");
        }
        if round == 6 {
            break;
        }
        let (trace, name) = (trace_of(round), format!("queue.{round}"));
        let (span, record, point) = (span(trace), record(trace), gauge(&name));
        // The last of them is another one in each round, and the process ends at once after it.
        for turn in 0..3 {
            let grpc = round % 2 == 0;
            let (path, address, body) = match (turn + round) % 3 {
                0 => (TRACES, "/v1/traces", &span),
                1 => (LOGS, "/v1/logs", &record),
                _ => (METRICS, "/v1/metrics", &point),
            };
            if grpc {
                assert_eq!(calls.call(path, body).await.unwrap().status, "0", "{path}");
            } else {
                post(&user, address, body.clone()).await;
            }
        }
        server.kill();
        sent.push(Sent { trace, span, record, name, point });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_needs_a_key_that_may_write_and_says_in_its_own_words_what_is_wrong() {
    let data = tempfile::tempdir().unwrap();
    let key = |role: &str| run(data.path(), &["keys", "create", role, "--role", role])["secret"].as_str().unwrap().to_owned();
    let (editor, reader) = (key("editor"), key("reader"));
    let server = Server::start(data.path(), "0.0.0.0");
    let bearer = |key: &str| format!("Bearer {key}");
    let export = span(trace_of(1));
    for (headers, status) in [
        (vec![], "16"),
        (vec![("authorization", "Bearer msk_made_up".to_owned())], "16"),
        (vec![("authorization", bearer(&reader))], "7"),
        (vec![("authorization", bearer(&editor))], "0"),
        (vec![("x-api-key", editor.clone())], "0"),
    ] {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = Calls::of(&server, &headers).call(TRACES, &export).await.unwrap();
        assert_eq!(answer.status, status, "{headers:?}: {answer:?}");
        assert_eq!(answer.message.is_empty(), status == "0", "{answer:?}");
    }
    let calls = Calls::of(&server, &[("x-api-key", &editor)]);
    let malformed = calls.call(TRACES, &[0x0a, 0x7f]).await.unwrap();
    assert_eq!(malformed.status, "3");
    assert!(malformed.message.contains("otlp-malformed"), "{malformed:?}");
    assert_eq!(calls.call("/opentelemetry.proto.collector.profiles.v1.ProfilesService/Export", b"").await.unwrap().status, "12");
    // Nothing at all is an export like any other.
    assert_eq!(calls.call(LOGS, b"").await.unwrap(), Answer { status: "0".into(), message: String::new(), bytes: Bytes::new() });
    // A record without a time is counted: field 1 holds a 1 and the reason.
    let rejected = calls.call(LOGS, &field(1, &field(2, &field(2, b"")))).await.unwrap();
    assert_eq!(rejected.status, "0");
    let partial = [&[0x08, 1][..], &field(2, b"a record has no time")].concat();
    assert_eq!(rejected.bytes, field(1, &partial));
}

#[tokio::test(flavor = "multi_thread")]
async fn langfuses_addresses_and_credentials_lead_here() {
    let data = tempfile::tempdir().unwrap();
    let created = run(data.path(), &["keys", "create", "writer", "--role", "editor"]);
    let server = Server::start(data.path(), "0.0.0.0");
    let user = User::of(&server, None);
    let pair = |secret: &str| {
        use base64::Engine as _;
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("pk-lf-anything:{secret}")))
    };
    let good = pair(created["secret"].as_str().unwrap());
    let health = user.get("/api/public/health").await;
    assert_eq!((health.status, &health.json()["status"]), (200, &json!("OK")));
    for (credentials, status) in [(good.as_str(), 200), (pair("sk-lf-of-somebody").as_str(), 401)] {
        let trace = trace_of(u64::from(status));
        let post = Request::post("/api/public/otel/v1/traces")
            .header(header::CONTENT_TYPE, "application/x-protobuf")
            .header("x-langfuse-ingestion-version", "4")
            .header(header::AUTHORIZATION, credentials);
        assert_eq!(user.send(post.body(span(trace).into()).unwrap()).await.status, status);
        let ask = Request::get("/api/public/projects").header(header::AUTHORIZATION, credentials);
        let projects = user.send(ask.body(Bytes::new()).unwrap()).await;
        assert_eq!(projects.status, status);
        if status == 200 {
            let projects: Value = projects.json();
            assert!(projects["data"][0]["id"].as_str().is_some_and(|id| id.starts_with("prj_")), "{projects}");
            let owner = User::of(&server, created["secret"].as_str());
            assert_eq!(spans_of(&owner, trace).await, BTreeSet::from(["work".to_owned()]));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_the_project_keeps_is_rejected_and_its_sender_told() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let user = User::of(&server, None);
    let days_ago = |days: i64| (SystemClock.now().as_nanos() - days * 86_400_000_000_000).to_string();
    let span = |id: &str, time: String| {
        json!({"traceId": "5b8efff798038103d269b633813fc60c", "spanId": id, "name": "work", "kind": 1,
            "startTimeUnixNano": time, "endTimeUnixNano": time})
    };
    let spans =
        [span("00000000000000a1", days_ago(40)), span("00000000000000a2", days_ago(1)), span("00000000000000a3", days_ago(0))];
    let reply = user.post("/v1/traces", &json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})).await;
    let answer = reply.json();
    let partial = &answer["partialSuccess"];
    assert_eq!((reply.status, &partial["rejectedSpans"]), (200, &json!("1")), "{}", reply.text);
    assert!(partial["errorMessage"].as_str().is_some_and(|said| said.contains("keeps records")), "{partial}");
    assert_eq!(run(data.path(), &["traces", "count", "--spans", "--filter", "name = work"]), json!({"count": 2, "exact": true}));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_langfuses_clients_say_that_a_trace_is_leads_to_its_page() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let trace = "ab".repeat(16);
    for (id, page) in [(trace.as_str(), format!("/traces/{trace}")), ("..%2Fsettings", "/traces".to_owned())] {
        let request = Request::get(format!("{}/project/prj_any/traces/{id}", server.url));
        let answer: Response<_> = client.request(request.body(Full::from("")).unwrap()).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()[header::LOCATION].to_str().unwrap()), (307, page.as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_comes_in_the_encoding_of_the_request() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    for (kind, answered) in
        [("application/x-protobuf", "application/x-protobuf"), ("application/json", "application/problem+json")]
    {
        let request = Request::post(format!("{}/v1/logs", server.url)).header(header::CONTENT_TYPE, kind);
        let response: Response<_> = client.request(request.body(Full::from("\u{7}")).unwrap()).await.unwrap();
        assert_eq!((response.status().as_u16(), response.headers()[header::CONTENT_TYPE].to_str().unwrap()), (400, answered));
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&bytes).contains("otlp-malformed"), "{bytes:?}");
    }
}
