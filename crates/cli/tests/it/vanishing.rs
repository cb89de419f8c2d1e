//! A client that hangs up or stops reading, seen from outside: the call behind it ends, and is on the books once.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use mainspring_testservers::upstream::{Behaviour, Script, Trouble, Upstream, When};
use serde_json::{Value, json};

use crate::running::{Server, User, apply_all, posted, run, until};

/// Sends a request and reads until something of the answer has come, or not at all.
fn asks(server: &Server, path: &str, body: &Value, reads: Option<&str>) -> TcpStream {
    let mut client = posted(&server.url, path, body);
    let mut seen = Vec::new();
    while reads.is_some_and(|wanted| !String::from_utf8_lossy(&seen).contains(wanted)) {
        let mut piece = [0; 4096];
        let count = client.read(&mut piece).unwrap();
        assert!(count > 0, "it ended: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&piece[..count]);
    }
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_ends_the_call_and_pays_for_it_once() {
    let upstream = Upstream::start(Script::default()).unwrap();
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let server = Server::start(data, "127.0.0.1");
    let of =
        |kind: &str, name: &str, spec: Value| json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec});
    let route = json!({"targets": [{"provider": "main", "model": "m"}], "retry": {"attempts": 3, "max_backoff": "5m"}});
    apply_all(
        data,
        &[
            of("provider", "main", json!({"type": "openai", "base_url": format!("{}/v1", upstream.url())})),
            of("route", "assistant", route),
            of("prices", "default", json!({"models": [{"model": "*", "input": 1, "output": 2}]})),
        ],
    );
    // One place: a call that is not given up keeps the next one out.
    run(data, &["limits", "set", "concurrent", "1"]);
    let body = |stream: bool| json!({"model": "assistant", "stream": stream, "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}]});
    let user = User::of(&server, None);
    let calls = async || run(data, &["calls"])["items"].as_array().unwrap().clone();
    let mut count = 0;
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let before = Script::always(Behaviour::trouble(Trouble::Hang(When::BeforeHead)));
        let within = Script::always(Behaviour::trouble(Trouble::Hang(When::After(4))));
        let waiting = Script::always(Behaviour::status(429).header("retry-after", "120"));
        for (what, script, stream, reads, paid) in [
            ("before the first byte", before, false, None, true),
            ("within a stream", within, true, Some("word0"), true),
            ("while a retry is waited for", waiting, false, None, false),
        ] {
            upstream.script(script);
            let asked = upstream.count();
            let client = asks(&server, path, &body(stream), reads);
            if paid {
                upstream.wait_until(|seen| seen.len() as u64 > asked).await;
            } else {
                // The refusal has been heard, and the next attempt is far away.
                let failed = async || run(data, &["routes", "list"])[0]["failed"]["rate_limited"].as_u64() > Some(count / 3);
                until("the refusal to be heard", failed).await;
            }
            drop(client);
            if paid {
                upstream.wait_until_hung_up().await;
            }
            count += 1;
            until("the call on the books", async || calls().await.len() as u64 == count).await;
            let call = calls().await.remove(0);
            assert_eq!((&call["status"], &call["attempts"]), (&json!("cancelled"), &json!(1)), "{path} {what}: {call}");
            assert_eq!(call["cost"].as_str().unwrap().parse::<f64>().unwrap() > 0.0, paid, "{path} {what}: {call}");
            assert_eq!(upstream.count(), asked + 1, "{path} {what}: nobody is asked again");
        }
    }
    upstream.script(Script::default());
    let answered = user.post("/v1/chat/completions", &body(false)).await;
    assert_eq!(answered.status, 200, "the place is free: {}", answered.text);
    until("the last call on the books", async || calls().await.len() as u64 == count + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_reading_or_sending_holds_nothing() {
    // More than lies between two programs on the way.
    let long = Behaviour { chunks: 2_000, bytes: Some(16 << 10), ..Behaviour::default() };
    let upstream = Upstream::start(Script::always(long)).unwrap();
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let server = Server::start_with(data, &["gateway"], &[("MAINSPRING__SERVER__CLIENT_TIMEOUT", "2s")]);
    let of =
        |kind: &str, name: &str, spec: Value| json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec});
    let place = json!({"type": "openai", "base_url": format!("{}/v1", upstream.url()), "max_concurrent": 1});
    apply_all(
        data,
        &[
            of("provider", "main", place),
            of("route", "assistant", json!({"targets": [{"provider": "main", "model": "m"}], "retry": {"attempts": 0}})),
            of("prices", "default", json!({"models": [{"model": "*", "input": 1, "output": 2}]})),
        ],
    );
    run(data, &["limits", "set", "concurrent", "1"]);
    let body = |stream: bool| json!({"model": "assistant", "stream": stream, "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}]});
    let user = User::of(&server, None);
    let calls = async || run(data, &["calls"])["items"].as_array().unwrap().clone();
    for (count, path) in [(1, "/v1/chat/completions"), (2, "/v1/messages")] {
        let client = asks(&server, path, &body(true), Some("xxxx"));
        upstream.wait_until_hung_up().await;
        until("the call on the books", async || calls().await.len() == count).await;
        let call = calls().await.remove(0);
        assert_eq!((&call["status"], &call["attempts"]), (&json!("cancelled"), &json!(1)), "{path}: {call}");
        assert!(call["cost"].as_str().unwrap().parse::<f64>().unwrap() > 0.0, "{path}: {call}");
        drop(client);
    }
    upstream.script(Script::default());
    let answered = user.post("/v1/chat/completions", &body(false)).await;
    assert_eq!(answered.status, 200, "the places are free: {}", answered.text);

    let host = server.url.trim_start_matches("http://");
    let mut client = TcpStream::connect(host).unwrap();
    write!(client, "POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\ncontent-length: 100\r\n").unwrap();
    let mut said = String::new();
    client.read_to_string(&mut said).unwrap();
    assert_eq!(said, "", "a head that does not come");
}

/// What the surfaces take is read in several ways. The time of an answer is shorter here, and has not begun yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_refused_wherever_it_was_sent() {
    let data = tempfile::tempdir().unwrap();
    let times = [("MAINSPRING__SERVER__CLIENT_TIMEOUT", "3s"), ("MAINSPRING__SERVER__REQUEST_TIMEOUT", "2s")];
    let server = Server::start_with(data.path(), &["serve"], &times);
    let host = server.url.trim_start_matches("http://");
    let begun = [
        ("/v1/chat/completions", "application/json", "{", 408),
        ("/v1/messages", "application/json", "{", 408),
        ("/v1/files", "multipart/form-data; boundary=b", "--b\r\n", 408),
        ("/api/v1/apply", "application/json", "{", 408),
        ("/api/v1/prometheus/api/v1/query", "application/x-www-form-urlencoded", "query=", 408),
        // Exporters send again what is answered so.
        ("/v1/traces", "application/json", "{", 504),
        ("/v1/metrics", "application/x-protobuf", "\n", 504),
        ("/api/public/scores", "application/json", "{", 408),
    ]
    .map(|(path, kind, begun, status)| {
        let mut client = TcpStream::connect(host).unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {kind}\r\ncontent-length: 100");
        write!(client, "{head}\r\n\r\n{begun}").unwrap();
        (path, client, status)
    });
    for (path, mut client, status) in begun {
        let mut refused = Vec::new();
        client.read_to_end(&mut refused).unwrap();
        let refused = String::from_utf8_lossy(&refused);
        assert!(refused.starts_with(&format!("HTTP/1.1 {status}")) && refused.contains("body-too-slow"), "{path}: {refused}");
    }
}
