//! The same over HTTP/2, where requests share a connection.

use std::sync::Arc;

use mainspring_testservers::upstream::{Certificate, Options, Script, Upstream};

use super::{ENOUGH, ask, patient, read};
use crate::{FaultClass, Socket, SocketConfig};

fn start(streams: Option<u32>) -> (Upstream, Socket) {
    let certificate = Arc::new(Certificate::for_localhost().unwrap());
    let authorities = Some(certificate.path());
    let options = Options { certificate: Some(certificate), protocols: vec!["h2", "http/1.1"], streams, ..Options::default() };
    let upstream = Upstream::start_with(Script::default(), &options).unwrap();
    (upstream, Socket::new(SocketConfig { allow_private: true, authorities, ..SocketConfig::default() }).unwrap())
}

#[tokio::test]
async fn requests_share_a_connection_and_end_each_by_itself() {
    let (upstream, socket) = start(None);
    let url = upstream.url();
    let mut first = ask(&socket, &url, "do:hang=2", true, patient()).await.unwrap();
    assert!(first.next_chunk().await.unwrap().is_some());
    let mut second = ask(&socket, &url, "m", true, patient()).await.unwrap();
    drop(first);
    upstream.wait_until(|seen| seen.first().is_some_and(|seen| seen.hung_up())).await;
    assert!(second.whole(ENOUGH).await.unwrap().ends_with(b"[DONE]\n\n"));
    let connections: Vec<u64> = upstream.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 0]);
    assert_eq!(upstream.seen()[0].header("host"), None, "HTTP/2 names the host elsewhere");
}

#[tokio::test]
async fn a_stream_that_breaks_is_a_reset() {
    let (upstream, socket) = start(None);
    let fault = ask(&socket, &upstream.url(), "do:close", true, patient()).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Reset, "{}", fault.message);
    for model in ["do:close=3", "do:reset=3"] {
        let mut answer = ask(&socket, &upstream.url(), model, true, patient()).await.unwrap();
        let (text, fault) = read(&mut answer).await;
        assert!(text.contains("word1") && !text.contains("word2"));
        assert_eq!(fault.unwrap().class, FaultClass::Reset, "{model}");
    }
}

#[tokio::test]
async fn a_full_connection_does_not_make_others_wait() {
    let (upstream, socket) = start(Some(100));
    let url = upstream.url();
    let asking = (0..250).map(|_| ask(&socket, &url, "do:hang=1", true, patient()));
    let answers = futures::future::try_join_all(asking).await.unwrap();
    assert_eq!(upstream.count(), 250);
    drop(answers);
    upstream.wait_until(|seen| seen.iter().all(|seen| seen.hung_up())).await;
    assert!(socket.lanes.iter().all(|lane| lane.busy.load(std::sync::atomic::Ordering::Relaxed) == 0));
}

#[tokio::test]
async fn answers_that_nobody_reads_keep_no_other_waiting() {
    let (upstream, socket) = start(None);
    let url = upstream.url();
    let unread = (0..60).map(|_| ask(&socket, &url, "do:long-line=1000000", true, patient()));
    let unread = futures::future::try_join_all(unread).await.unwrap();
    let mut read = ask(&socket, &url, "do:long-line=1000000", true, patient()).await.unwrap();
    assert!(read.whole(ENOUGH).await.unwrap().len() > 1_000_000);
    let connections: std::collections::BTreeSet<u64> = upstream.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections.len(), 1, "all of them share one connection");
    drop(unread);
}
