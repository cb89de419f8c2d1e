mod dialects;
mod door;
mod faults;
mod http2;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use mainspring_testservers::upstream::{Behaviour, Script, Upstream};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Patience, Socket, SocketConfig};
use crate::{Endpoint, FaultClass, Incoming, Outgoing, ProviderKind, UpstreamFault};

/// Sent with every request; a fault that shows it is a defect.
const KEY: &str = "sk-live-4f9a1c77d0e84b6e9b1d";
const ENOUGH: usize = 32 * 1024 * 1024;

fn socket() -> Socket {
    Socket::new(SocketConfig { allow_private: true, ..SocketConfig::default() }).unwrap()
}

fn endpoint(base_url: &str) -> Endpoint {
    Endpoint { credential: Some(KEY.into()), ..Endpoint::new("scripted".parse().unwrap(), ProviderKind::OpenAi, base_url, "m") }
}

fn chat(base_url: &str, model: &str, stream: bool) -> Outgoing {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {KEY}")).unwrap());
    let body = json!({ "model": model, "stream": stream, "messages": [{ "role": "user", "content": "Hi" }] });
    let uri = format!("{base_url}/v1/chat/completions").parse().unwrap();
    Outgoing { method: Method::POST, uri, headers, body: body.to_string().into() }
}

/// Longer than anything takes on a busy machine.
fn patient() -> Patience {
    let long = Duration::from_secs(60);
    Patience { connect: long, first: long, idle: long, until: Instant::now() + long }
}

fn short() -> Duration {
    Duration::from_millis(150)
}

async fn ask(socket: &Socket, base_url: &str, model: &str, stream: bool, patience: Patience) -> Result<Incoming, UpstreamFault> {
    let answer = socket.send(&endpoint(base_url), chat(base_url, model, stream), patience).await;
    answer.inspect_err(is_discreet)
}

/// Reads to the end, or to the fault.
async fn read(incoming: &mut Incoming) -> (String, Option<UpstreamFault>) {
    let mut text = Vec::new();
    loop {
        match incoming.next_chunk().await {
            Ok(Some(chunk)) => text.extend_from_slice(&chunk),
            Ok(None) => return (String::from_utf8(text).unwrap(), None),
            Err(fault) => {
                is_discreet(&fault);
                return (String::from_utf8(text).unwrap(), Some(fault));
            }
        }
    }
}

fn is_discreet(fault: &UpstreamFault) {
    let shown = format!("{fault} {fault:?} {}", mainspring_kernel::fault::chain(fault));
    assert!(!shown.contains(KEY) && !shown.contains("Bearer"), "{shown}");
}

#[tokio::test]
async fn a_whole_answer_is_read_and_the_request_came_as_it_was_written() {
    let upstream = Upstream::start(Script::always(Behaviour::saying("Hello."))).unwrap();
    let mut answer = ask(&socket(), &upstream.url(), "m", false, patient()).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    let body: Value = serde_json::from_slice(&answer.whole(ENOUGH).await.unwrap()).unwrap();
    assert_eq!(body["choices"][0]["message"]["content"], "Hello.");

    let seen = &upstream.seen()[0];
    assert_eq!(seen.path, "/v1/chat/completions");
    assert_eq!(seen.json()["messages"][0]["content"], "Hi");
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    assert_eq!(seen.header("user-agent"), Some(concat!("mainspring/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(seen.header("host"), upstream.url().strip_prefix("http://"));
    assert_eq!(seen.header("content-length"), Some(seen.body.len().to_string().as_str()));
}

#[tokio::test]
async fn a_user_agent_of_the_request_stays() {
    let upstream = Upstream::start(Script::default()).unwrap();
    let mut outgoing = chat(&upstream.url(), "m", false);
    outgoing.headers.insert(header::USER_AGENT, HeaderValue::from_static("theirs/1"));
    outgoing.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    socket().send(&endpoint(&upstream.url()), outgoing, patient()).await.unwrap();
    let seen = &upstream.seen()[0];
    assert_eq!((seen.header("user-agent"), seen.header("accept-encoding")), (Some("theirs/1"), Some("identity")));
}

#[tokio::test]
async fn a_refusal_is_an_answer_like_any_other() {
    let refusal = Behaviour::status(429).header("retry-after", "7");
    let upstream = Upstream::start(Script::always(refusal)).unwrap();
    let mut answer = ask(&socket(), &upstream.url(), "m", true, patient()).await.unwrap();
    assert_eq!((answer.status.as_u16(), &answer.headers[header::RETRY_AFTER]), (429, &HeaderValue::from_static("7")));
    let body: Value = serde_json::from_slice(&answer.whole(ENOUGH).await.unwrap()).unwrap();
    assert_eq!(body["error"]["code"], "rate_limit_exceeded");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let away = Behaviour::status(302).header("location", "/v1/chat/completions");
    let upstream = Upstream::start(Script::always(away)).unwrap();
    let answer = ask(&socket(), &upstream.url(), "m", false, patient()).await.unwrap();
    assert_eq!((answer.status, upstream.count()), (StatusCode::FOUND, 1));
}

#[tokio::test]
async fn a_stream_is_handed_on_while_it_is_still_being_written() {
    let upstream = Upstream::start(Script::default()).unwrap();
    let mut answer = ask(&socket(), &upstream.url(), "do:hang=3", true, patient()).await.unwrap();
    let mut came = String::new();
    while !came.contains("word1") {
        came.push_str(std::str::from_utf8(&answer.next_chunk().await.unwrap().unwrap()).unwrap());
    }
    assert!(upstream.seen()[0].stream && !upstream.seen()[0].hung_up());
    drop(answer);
    upstream.wait_until_hung_up().await;
}

#[tokio::test]
async fn dropping_an_answer_ends_the_request_behind_it() {
    let upstream = Upstream::start(Script::default()).unwrap();
    for model in ["do:hang=1", "do:gap=20ms,chunks=100000", "do:endless-line"] {
        let mut answer = ask(&socket(), &upstream.url(), model, true, patient()).await.unwrap();
        assert!(answer.next_chunk().await.unwrap().is_some());
        drop(answer);
        let seen = upstream.wait_until_hung_up().await;
        assert_eq!(seen.last().unwrap().model, model);
    }
    // The head was never looked at further.
    drop(ask(&socket(), &upstream.url(), "do:hang=0", true, patient()).await.unwrap());
    upstream.wait_until_hung_up().await;
}

#[tokio::test]
async fn giving_up_on_a_request_ends_it() {
    let upstream = Upstream::start(Script::default()).unwrap();
    let (socket, url) = (socket(), upstream.url());
    let asking = ask(&socket, &url, "do:hang", true, patient());
    tokio::select! {
        _ = asking => panic!("it hangs"),
        _ = upstream.wait_until(|seen| seen.len() == 1) => {}
    }
    upstream.wait_until_hung_up().await;
}

#[tokio::test]
async fn connections_are_used_again() {
    let upstream = Upstream::start(Script::default()).unwrap();
    let socket = socket();
    for stream in [false, true, false] {
        let mut answer = ask(&socket, &upstream.url(), "m", stream, patient()).await.unwrap();
        answer.whole(ENOUGH).await.unwrap();
        // The connection is free a moment after its last byte was read.
        tokio::time::sleep(short()).await;
    }
    let connections: Vec<u64> = upstream.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 0, 0]);
}

#[tokio::test]
async fn a_line_of_ten_megabytes_comes_through() {
    let upstream = Upstream::start(Script::default()).unwrap();
    let mut answer = ask(&socket(), &upstream.url(), "do:long-line=10000000", true, patient()).await.unwrap();
    let (mut decoder, mut frames) = (crate::sse::Decoder::default(), Vec::new());
    while let Some(chunk) = answer.next_chunk().await.unwrap() {
        decoder.push(&chunk, &mut frames).unwrap();
    }
    decoder.end(&mut frames).unwrap();
    assert!(frames.iter().any(|frame| frame.data.len() > 10_000_000));
    assert_eq!(frames.last().unwrap().data, "[DONE]");
    let mut whole = ask(&socket(), &upstream.url(), "do:long-line=10000000", false, patient()).await.unwrap();
    assert!(whole.whole(ENOUGH).await.unwrap().len() > 10_000_000);
}

#[tokio::test]
async fn a_body_longer_than_the_limit_is_refused_declared_or_not() {
    let upstream = Upstream::start(Script::default()).unwrap();
    for (model, stream) in [("do:text=0123456789", false), ("do:bytes=1000,chunks=1000", true), ("do:endless-line", false)] {
        let mut answer = ask(&socket(), &upstream.url(), model, stream, patient()).await.unwrap();
        let fault = answer.whole(300).await.unwrap_err();
        assert_eq!(
            (fault.class, fault.message.as_str()),
            (FaultClass::Malformed, "the answer is longer than 300 bytes"),
            "{model}"
        );
    }
    let mut fits = ask(&socket(), &upstream.url(), "do:body=0123456789", false, patient()).await.unwrap();
    assert_eq!(fits.whole(10).await.unwrap(), Bytes::from_static(b"0123456789"));
    let mut empty = ask(&socket(), &upstream.url(), "do:body=", false, patient()).await.unwrap();
    assert_eq!(empty.whole(0).await.unwrap(), Bytes::new());
}
