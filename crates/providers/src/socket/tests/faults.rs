//! How attempts fail, and what is said of it.

use std::time::Duration;

use mainspring_kernel::Fault as _;
use mainspring_testservers::upstream::{self, Script, Upstream};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use super::{ENOUGH, ask, patient, read, short, socket};
use crate::{FaultClass, Patience};

#[track_caller]
fn check(fault: &crate::UpstreamFault, class: FaultClass, says: &str) {
    assert!(fault.class == class && fault.message.contains(says), "{:?}: {}", fault.class, fault.message);
}

#[tokio::test]
async fn nothing_in_time_is_a_timeout_and_ends_the_request() {
    let upstream = Upstream::start(Script::default()).unwrap();
    let url = upstream.url();
    let quick = || Patience { first: short(), ..patient() };
    let fault = ask(&socket(), &url, "do:hang", true, quick()).await.unwrap_err();
    check(&fault, FaultClass::Timeout, "no answer began within 150ms");
    assert_eq!(fault.code(), "upstream-timeout");
    upstream.wait_until_hung_up().await;
    // A head that trickles in is none.
    let fault = ask(&socket(), &url, "do:drip=50ms", true, quick()).await.unwrap_err();
    check(&fault, FaultClass::Timeout, "no answer began");
    // A head alone is no beginning of a stream.
    let mut answer = ask(&socket(), &url, "do:first=60s", true, quick()).await.unwrap();
    check(&answer.next_chunk().await.unwrap_err(), FaultClass::Timeout, "began too late");
    drop(answer);
    upstream.wait_until_hung_up().await;
}

#[tokio::test]
async fn nothing_more_in_time_is_a_timeout() {
    let upstream = Upstream::start(Script::default()).unwrap();
    let impatient = Patience { idle: short(), ..patient() };
    let mut answer = ask(&socket(), &upstream.url(), "do:hang=3", true, impatient).await.unwrap();
    let (text, fault) = read(&mut answer).await;
    assert!(text.contains("word1"));
    check(&fault.unwrap(), FaultClass::Timeout, "nothing more came within 150ms");
    let mut answer = ask(&socket(), &upstream.url(), "do:hang=1", false, impatient).await.unwrap();
    check(&answer.whole(ENOUGH).await.unwrap_err(), FaultClass::Timeout, "nothing more came");
}

#[tokio::test]
async fn an_attempt_ends_when_its_time_is_over_even_if_something_always_comes() {
    let upstream = Upstream::start(Script::default()).unwrap();
    for model in ["do:gap=20ms,chunks=100000", "do:endless-line", "do:drip=1ms,bytes=100000"] {
        let until = Patience { until: Instant::now() + short() * 4, ..patient() };
        match ask(&socket(), &upstream.url(), model, true, until).await {
            Ok(mut answer) => {
                let fault = loop {
                    match answer.next_chunk().await {
                        Ok(chunk) => assert!(chunk.is_some(), "{model} has no end"),
                        Err(fault) => break fault,
                    }
                };
                check(&fault, FaultClass::Timeout, "the attempt's time was over");
            }
            Err(fault) => check(&fault, FaultClass::Timeout, "the attempt's time was over"),
        }
        upstream.wait_until_hung_up().await;
    }
    let over = Patience { until: Instant::now(), ..patient() };
    let fault = ask(&socket(), &upstream.url(), "do:hang", false, over).await.unwrap_err();
    check(&fault, FaultClass::Timeout, "before the attempt's time was over");
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_reset() {
    let upstream = Upstream::start(Script::default()).unwrap();
    let url = upstream.url();
    for model in ["do:reset", "do:close"] {
        let fault = ask(&socket(), &url, model, true, patient()).await.unwrap_err();
        check(&fault, FaultClass::Reset, "");
        assert_eq!((fault.code(), fault.status), ("upstream-reset", None));
    }
    for model in ["do:reset=3", "do:close=3"] {
        let mut answer = ask(&socket(), &url, model, true, patient()).await.unwrap();
        let (text, fault) = read(&mut answer).await;
        assert!(text.contains("word1") && !text.contains("word2"), "{text}");
        check(&fault.unwrap(), FaultClass::Reset, "before the answer was complete");
        let mut whole = ask(&socket(), &url, &model.replace('3', "1"), false, patient()).await.unwrap();
        check(&whole.whole(ENOUGH).await.unwrap_err(), FaultClass::Reset, "before the answer was complete");
    }
}

#[tokio::test]
async fn a_stream_that_ends_in_order_is_no_fault_of_the_connection() {
    let upstream = Upstream::start(Script::default()).unwrap();
    for model in ["do:end=3", "do:malformed=2", "do:error=2", "do:wrong-json", "do:not-json"] {
        let mut answer = ask(&socket(), &upstream.url(), model, true, patient()).await.unwrap();
        while answer.next_chunk().await.unwrap().is_some() {}
    }
}

#[tokio::test]
async fn where_nothing_listens_there_is_no_connection() {
    let url = upstream::nobody().unwrap();
    let fault = ask(&socket(), &url, "m", false, patient()).await.unwrap_err();
    check(&fault, FaultClass::Connect, "nothing listens there");
    assert!(fault.message.starts_with(&url) && fault.to_string().starts_with("provider `scripted`: "));
}

#[tokio::test]
async fn a_name_that_nobody_has_is_said_to_be_one() {
    let fault = ask(&socket(), "http://nowhere.invalid", "m", false, patient()).await.unwrap_err();
    check(&fault, FaultClass::Connect, "the name `nowhere.invalid` cannot be resolved: ");
}

#[tokio::test]
async fn a_connection_takes_no_longer_than_the_request_allows() {
    // The kernel takes the connection, and nobody ever speaks TLS on it.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    let fault = ask(&socket(), &url, "m", false, Patience { connect: short(), ..patient() }).await.unwrap_err();
    check(&fault, FaultClass::Connect, "no connection within 150ms");
}

#[tokio::test]
async fn a_plain_server_is_no_tls_server() {
    let upstream = Upstream::start(Script::default()).unwrap();
    let fault = ask(&socket(), &upstream.url().replace("http:", "https:"), "m", false, patient()).await.unwrap_err();
    check(&fault, FaultClass::Connect, "cannot be reached: ");
    assert_eq!(upstream.count(), 0);
}

/// Answers each connection's requests with these texts in turn, then closes it. Answers how many connections there were.
#[expect(clippy::disallowed_methods, reason = "a server of a test ends with its runtime")]
async fn raw(connections: Vec<Vec<&'static str>>) -> (String, tokio::task::JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let mut count = 0;
        for answers in connections {
            let (mut stream, _) = listener.accept().await.unwrap();
            count += 1;
            for answer in answers {
                request(&mut stream).await;
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
        count
    });
    (url, serving)
}

async fn request(stream: &mut TcpStream) {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    while !read.ends_with(b"}]}") {
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "the request ends early");
        read.extend_from_slice(&buffer[..count]);
    }
}

#[tokio::test]
async fn what_is_not_http_is_malformed() {
    for answer in ["nonsense\r\n\r\n", "HTTP/1.1 9 x\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200 OK\r\nbad header\r\n\r\n"]
    {
        let (url, _serving) = raw(vec![vec![answer]]).await;
        let fault = ask(&socket(), &url, "m", false, patient()).await.unwrap_err();
        check(&fault, FaultClass::Malformed, "is not HTTP");
    }
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n";
    let (url, _serving) = raw(vec![vec![chunked]]).await;
    let mut answer = ask(&socket(), &url, "m", false, patient()).await.unwrap();
    check(&answer.whole(ENOUGH).await.unwrap_err(), FaultClass::Malformed, "breaks the rules of HTTP");
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_not_used_again() {
    let (url, serving) = raw(vec![vec![OK], vec![OK]]).await;
    let socket = socket();
    for _ in 0..2 {
        let mut answer = ask(&socket, &url, "m", false, patient()).await.unwrap();
        assert_eq!(answer.whole(ENOUGH).await.unwrap(), "{}");
        // The server has closed by then, and the client has seen it.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(serving.await.unwrap(), 2);
}

#[tokio::test]
async fn a_request_that_may_have_been_read_is_never_sent_twice() {
    // The second request on the connection is read and not answered.
    let (url, serving) = raw(vec![vec![OK, ""], vec![OK]]).await;
    let socket = socket();
    let mut answer = ask(&socket, &url, "m", false, patient()).await.unwrap();
    answer.whole(ENOUGH).await.unwrap();
    tokio::time::sleep(short()).await;
    let fault = ask(&socket, &url, "m", false, patient()).await.unwrap_err();
    check(&fault, FaultClass::Reset, "closed the connection before it had answered");
    assert!(!serving.is_finished(), "a second connection was made for the same request");
    ask(&socket, &url, "m", false, patient()).await.unwrap();
    assert_eq!(serving.await.unwrap(), 2);
}
