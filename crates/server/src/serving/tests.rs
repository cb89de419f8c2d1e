//! Clients that are slow, silent or gone, on real sockets.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    routing::{get, post},
};
use bytes::Bytes;
use hyper::body::Frame;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::{Instant, sleep, timeout},
};

use super::{Patience, serve};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(60);

/// A body without end, that says when nobody wants it any more.
struct Endless(Option<oneshot::Sender<()>>);

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        static PIECE: [u8; 16 * 1024] = [b'x'; 16 * 1024];
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&PIECE)))))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        if let Some(gone) = self.0.take() {
            let _ = gone.send(());
        }
    }
}

/// A server of a test: where it listens, how it is told to stop, and when it has.
struct Served {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    over: oneshot::Receiver<()>,
}

impl Served {
    #[expect(clippy::disallowed_methods, reason = "a server of a test ends with its runtime")]
    async fn start(app: Router, patience: Patience) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (ended, over) = oneshot::channel();
        tokio::spawn(async move {
            serve(listener, app, patience, async move {
                let _ = stopped.await;
            })
            .await;
            let _ = ended.send(());
        });
        Self { address, stop: Some(stop), over }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

fn app() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/peer", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }))
        .route("/length", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/slow", get(|| async { sleep(SHORT * 3).await }))
}

fn patience(head: Duration, next: Duration, taken: Duration) -> Patience {
    Patience { head, next, taken }
}

/// Until the server closes the connection.
async fn closed(client: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    // One that breaks it off has closed it too.
    let _ = timeout(LONG, client.read_to_end(&mut all)).await.expect("the server closes the connection");
    all
}

/// One answer whose body is `ends`.
async fn answered(client: &mut TcpStream, request: &str, ends: &str) -> String {
    client.write_all(request.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    while !all.ends_with(ends.as_bytes()) {
        let mut piece = [0; 1024];
        let count = timeout(LONG, client.read(&mut piece)).await.expect("an answer").unwrap();
        assert!(count > 0, "it was closed: {}", String::from_utf8_lossy(&all));
        all.extend_from_slice(&piece[..count]);
    }
    String::from_utf8(all).unwrap()
}

const HELLO: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn a_connection_is_served_and_knows_its_peer() {
    let served = Served::start(app(), patience(LONG, LONG, LONG)).await;
    let mut client = served.connect().await;
    let own = client.local_addr().unwrap().to_string();
    assert!(answered(&mut client, HELLO, "hello").await.starts_with("HTTP/1.1 200"));
    answered(&mut client, "GET /peer HTTP/1.1\r\nhost: x\r\n\r\n", &own).await;
    answered(&mut client, "POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc", "3").await;
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let served = Served::start(app(), patience(SHORT, LONG, LONG)).await;
    for begun in ["", "G", "PRI", "GET / HTTP/1.1\r\nhost: x\r\n"] {
        let mut client = served.connect().await;
        client.write_all(begun.as_bytes()).await.unwrap();
        assert!(!closed(&mut client).await.starts_with(b"HTTP/1.1 200"), "{begun}");
    }
    // After an answer too.
    let mut client = served.connect().await;
    answered(&mut client, HELLO, "hello").await;
    client.write_all(b"GET / HT").await.unwrap();
    closed(&mut client).await;
}

#[tokio::test]
async fn a_head_that_comes_a_byte_now_and_then_is_not_waited_for() {
    let served = Served::start(app(), patience(SHORT, LONG, LONG)).await;
    let mut client = served.connect().await;
    let (mut read, mut write) = client.split();
    let drips = async {
        write.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
        while write.write_all(b"a").await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let closes = async {
        let mut all = Vec::new();
        let _ = read.read_to_end(&mut all).await;
    };
    timeout(LONG, async {
        tokio::select! {
            () = drips => {}
            () = closes => {}
        }
    })
    .await
    .expect("the server gives it up");
}

#[tokio::test]
async fn a_connection_is_kept_between_requests_and_while_one_is_answered() {
    let served = Served::start(app(), patience(SHORT, LONG, LONG)).await;
    let mut client = served.connect().await;
    for _ in 0..2 {
        answered(&mut client, HELLO, "hello").await;
        sleep(SHORT * 3).await;
    }
    answered(&mut client, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n", "\r\n\r\n").await;
    // The body of a request is not the connection's business.
    client.write_all(b"POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\na").await.unwrap();
    sleep(SHORT * 3).await;
    answered(&mut client, "bc", "3").await;
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed_after_a_while() {
    let served = Served::start(app(), patience(SHORT, SHORT, LONG)).await;
    let mut client = served.connect().await;
    answered(&mut client, HELLO, "hello").await;
    assert!(closed(&mut client).await.is_empty());
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_is_given_up() {
    let (gone, heard) = oneshot::channel();
    let gone = Arc::new(Mutex::new(Some(gone)));
    let endless = get(move || {
        let body = Endless(gone.lock().unwrap().take());
        async move { Body::new(body) }
    });
    let served = Served::start(app().route("/endless", endless), patience(LONG, LONG, SHORT)).await;
    let mut client = served.connect().await;
    client.write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    timeout(LONG, heard).await.expect("what was made for it ends").unwrap();
}

/// However long it takes in all: there is always more than the way there holds, and room for it comes in time.
#[tokio::test]
async fn a_client_that_takes_a_little_of_its_answer_now_and_then_is_not_given_up() {
    let taken = SHORT * 5;
    let endless = get(|| async { Body::new(Endless(None)) });
    let served = Served::start(app().route("/endless", endless), patience(LONG, LONG, taken)).await;
    let mut client = served.connect().await;
    client.write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let (mut piece, began) = (vec![0; 256 << 10], Instant::now());
    while began.elapsed() < taken * 3 {
        let more = timeout(LONG, client.read(&mut piece)).await.expect("more").unwrap();
        assert!(more > 0, "it was closed after {:?}", began.elapsed());
        sleep(Duration::from_millis(5)).await;
    }
}

/// Several requests at once come on it, and bytes between them begin none.
#[tokio::test]
async fn a_connection_of_http2_is_kept_whatever_comes_between_requests() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const PING: [u8; 17] = [0, 0, 8, 6, 0, 0, 0, 0, 0, b'a', b'r', b'e', b' ', b'y', b'o', b'u', b'?'];
    let served = Served::start(app(), patience(SHORT, SHORT, LONG)).await;
    let mut client = served.connect().await;
    client.write_all(PREFACE).await.unwrap();
    client.write_all(&SETTINGS).await.unwrap();
    for _ in 0..3 {
        sleep(SHORT * 2).await;
        client.write_all(&PING).await.unwrap();
        let mut all = Vec::new();
        while !all.ends_with(b"are you?") {
            let mut piece = [0; 1024];
            let count = timeout(LONG, client.read(&mut piece)).await.expect("an answer").unwrap();
            assert!(count > 0, "it was closed");
            all.extend_from_slice(&piece[..count]);
        }
    }
}

#[tokio::test]
async fn a_server_that_stops_answers_what_it_has_begun_and_takes_nothing_more() {
    let mut served = Served::start(app(), patience(LONG, LONG, LONG)).await;
    let mut idle = served.connect().await;
    answered(&mut idle, HELLO, "hello").await;
    let mut busy = served.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    sleep(SHORT).await;
    drop(served.stop.take());
    assert!(closed(&mut idle).await.is_empty());
    assert!(closed(&mut busy).await.starts_with(b"HTTP/1.1 200"));
    timeout(LONG, &mut served.over).await.expect("it ends").unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}
