//! More comes than can be taken: senders are told when to come again and lose nothing, kills come one after another, and whoever
//! is told of incidents does not answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use mainspring_testservers::{
    s3::S3Server,
    upstream::{Script, Upstream},
};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    exports::{TRACES, field, fixed, hex, now, trace_of},
    killed::{any_below, listed, send_until_gone},
    running::{Server, User, apply_all, until},
    sharing::on_s3,
};

/// Exports of each sender, together six times what may wait on disk.
const EXPORTS: u64 = 60;

/// An export of one span that takes ten kilobytes.
fn large(trace: [u8; 16]) -> Vec<u8> {
    let attribute = field(9, &[field(1, b"text"), field(2, &field(1, &b"x".repeat(10_000)))].concat());
    let times = [fixed(7, now()), fixed(8, now())].concat();
    let span = [field(1, &trace), field(2, &trace[8..]), field(5, b"work"), times, attribute].concat();
    field(1, &field(2, &field(2, &span)))
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Http,
    Grpc,
}

/// What became of an export.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Told {
    Taken,
    /// As much waits as may wait: come again after a while.
    Full,
    /// It could not be stored in time, as happens at the moment when there is room again.
    Late,
}

/// A sender as exporters are: what is refused for now is sent again, and nothing else is.
struct Sender {
    way: Way,
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
}

impl Sender {
    fn of(server: &Server, way: Way) -> Self {
        let client = Client::builder(TokioExecutor::new()).http2_only(way == Way::Grpc).build_http();
        Self { way, client, url: server.url.clone() }
    }

    async fn send(&self, export: &[u8]) -> Told {
        let length = u32::try_from(export.len()).unwrap().to_be_bytes();
        let (path, kind, body) = match self.way {
            Way::Http => ("/v1/traces", "application/x-protobuf", export.to_vec()),
            Way::Grpc => (TRACES, "application/grpc+proto", [&[0][..], &length, export].concat()),
        };
        let request = Request::post(format!("{}{path}", self.url)).header(header::CONTENT_TYPE, kind);
        let request = request.header(header::TE, "trailers").body(Full::from(body)).unwrap();
        let (parts, body) = self.client.request(request).await.unwrap().into_parts();
        let trailers = body.collect().await.unwrap().trailers().cloned().unwrap_or_default();
        match self.way {
            Way::Http => over_http(parts.status.as_u16(), &parts.headers),
            Way::Grpc => {
                assert_eq!(parts.status.as_u16(), 200);
                over_grpc(&parts.headers, &trailers)
            }
        }
    }

    /// Sends them all, each until it is taken.
    async fn send_all(self, traces: Vec<[u8; 16]>, refused: watch::Sender<u64>) {
        for trace in traces {
            let export = large(trace);
            loop {
                match self.send(&export).await {
                    Told::Taken => break,
                    Told::Full => refused.send_modify(|refused| *refused += 1),
                    Told::Late => {}
                }
                // Sooner than it was told, so that the test does not take minutes.
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        }
    }
}

/// A refusal that is not for ever says when to come again.
fn over_http(status: u16, headers: &HeaderMap) -> Told {
    if status == 200 {
        return Told::Taken;
    }
    let wait: u64 = headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!(wait > 0 && [429, 503].contains(&status), "{status} {wait}");
    if status == 429 { Told::Full } else { Told::Late }
}

/// Exporters repeat `RESOURCE_EXHAUSTED` only where it comes with a delay, and `UNAVAILABLE` in any case.
fn over_grpc(headers: &HeaderMap, trailers: &HeaderMap) -> Told {
    let status = trailers.get("grpc-status").or_else(|| headers.get("grpc-status")).unwrap().to_str().unwrap();
    match status {
        "0" => Told::Taken,
        "14" => Told::Late,
        _ => {
            assert_eq!(status, "8", "{headers:?}");
            let details = STANDARD_NO_PAD.decode(&headers["grpc-status-details-bin"]).unwrap();
            assert!(String::from_utf8_lossy(&details).contains("type.googleapis.com/google.rpc.RetryInfo"), "{details:?}");
            Told::Full
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_that_are_told_to_come_again_over_http_and_grpc_lose_nothing() {
    let store = tokio::task::spawn_blocking(|| S3Server::start().unwrap()).await.unwrap();
    let (lake, endpoint) = (format!("s3://{}/lake", S3Server::BUCKET), store.endpoint());
    let settings = [on_s3(&lake, &endpoint), vec![("MAINSPRING__TRACES__SPILL_LIMIT", "200KiB")]].concat();
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(data.path(), &["serve"], &settings);
    let stopped = tokio::task::spawn_blocking(move || {
        let mut store = store;
        store.stop();
        store
    });
    let mut store = stopped.await.unwrap();

    let (mut sending, mut refusals, mut wanted) = (Vec::new(), Vec::new(), BTreeSet::new());
    for way in [Way::Http, Way::Grpc] {
        let traces: Vec<[u8; 16]> = (0..EXPORTS).map(trace_of).collect();
        wanted.extend(traces.iter().map(|trace| hex(*trace)));
        let (refused, seen) = watch::channel(0);
        refusals.push(seen);
        sending.push(tokio::spawn(Sender::of(&server, way).send_all(traces, refused)));
    }
    for seen in &mut refusals {
        let refused = tokio::time::timeout(Duration::from_secs(60), seen.wait_for(|refused| *refused > 0)).await;
        refused.unwrap().unwrap();
    }
    let restarted = tokio::task::spawn_blocking(move || {
        store.restart().unwrap();
        store
    });
    let _store = restarted.await.unwrap();
    for sender in sending {
        sender.await.unwrap();
    }
    let client = server.client();
    until("everything that was taken in the end", async || {
        let found: Vec<String> = listed(&client).await;
        let ours: Vec<&String> = found.iter().filter(|id| wanted.contains(*id)).collect();
        assert!(ours.len() <= wanted.len(), "none twice");
        ours.len() == wanted.len()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_during_commits_and_compaction_one_after_another_lose_nothing_and_double_nothing() {
    let data = tempfile::tempdir().unwrap();
    // Spans come in one by one, and what they leave is compacted all the time.
    let settings = [("MAINSPRING__LAKE__UPKEEP_EVERY", "1s")];
    let mut all: BTreeMap<String, bool> = BTreeMap::new();
    for round in 0..6 {
        let server = Server::start_with(data.path(), &["serve"], &settings);
        let sent = Arc::new(Mutex::new(BTreeMap::new()));
        let senders: Vec<_> = (0..3).map(|_| tokio::spawn(send_until_gone(server.client(), Arc::clone(&sent)))).collect();
        until("spans to be taken", async || sent.lock().unwrap().values().filter(|taken| **taken).count() >= 30).await;
        tokio::time::sleep(Duration::from_millis(any_below(1_500))).await;
        server.kill();
        for sender in senders {
            sender.await.unwrap();
        }
        all.extend(sent.lock().unwrap().clone());
        let server = Server::start_with(data.path(), &["serve"], &settings);
        let found = listed(&server.client()).await;
        let ids: BTreeSet<&String> = found.iter().collect();
        assert_eq!(ids.len(), found.len(), "round {round}: none twice");
        let lost: Vec<&String> = all.iter().filter(|(id, taken)| **taken && !ids.contains(id)).map(|(id, _)| id).collect();
        assert!(lost.is_empty(), "round {round}: {} of {} are lost: {lost:?}", lost.len(), all.len());
        server.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_is_named_and_holds_up_nobody() {
    let data = tempfile::tempdir().unwrap();
    let upstream = Upstream::start(Script::default()).unwrap();
    let server = Server::start(data.path(), "127.0.0.1");
    let receiver = |name: &str, path: &str| {
        let spec = json!({"webhook": {"url": format!("{}{path}", upstream.url())}, "timeout": "3s"});
        json!({"apiVersion": "mainspring/v1", "kind": "receiver", "name": name, "spec": spec})
    };
    apply_all(data.path(), &[receiver("stuck", "/do/hang/v1/moderations"), receiver("ops", "/v1/moderations")]);
    let user = User::of(&server, None);
    let test = async |name: &str| -> Value { user.post(&format!("/api/v1/receivers/{name}/test"), &json!({})).await.json() };
    let stuck = async { tokio::join!(test("stuck"), test("stuck"), test("stuck")) };
    let meanwhile = async {
        // They hang when the receiver has heard of them.
        upstream.wait_until(|seen| seen.len() >= 3).await;
        let well = test("ops").await;
        assert_eq!((&well["arrived"], &well["status"]), (&json!(true), &json!(200)), "{well}");
        assert_eq!(server.status("/healthz").await, 200);
    };
    let ((one, two, three), ()) = tokio::join!(stuck, meanwhile);
    for tested in [one, two, three] {
        assert_eq!(tested["arrived"], json!(false), "{tested}");
        assert!(tested["message"].as_str().is_some_and(|message| !message.is_empty()), "{tested}");
    }
}
