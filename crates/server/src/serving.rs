//! Connections of clients: taken, served, and closed when the server stops or their client is gone.

mod line;

#[cfg(test)]
mod tests;

use std::{
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo};
use bytes::Bytes;
use http::{Request, Version};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::sleep,
};
use tower::ServiceExt as _;

use line::{Asked, Line, Open};

/// A peer of HTTP/2 that went without a word is found by this.
const PING_EVERY: Duration = Duration::from_secs(60);
const PONG_WITHIN: Duration = Duration::from_secs(20);
/// Where connections cannot be taken, they are tried again after this time.
const TAKEN_AGAIN: Duration = Duration::from_secs(1);

/// How long clients are waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For the head of a request, from its first byte; for the first one of a connection from its beginning.
    pub(crate) head: Duration,
    /// For the next request; connections that have none are looked at so often.
    pub(crate) next: Duration,
    /// For room, where something is to be written.
    pub(crate) taken: Duration,
}

impl Patience {
    /// Load balancers keep connections for ten minutes, and one that is closed while it is used again costs a request.
    const NEXT: Duration = Duration::from_secs(15 * 60);

    pub(crate) const fn of(client: Duration) -> Self {
        Self { head: client, next: Self::NEXT, taken: client }
    }
}

/// Serves until told to stop, and then until the requests under way are answered.
#[expect(clippy::disallowed_methods, reason = "connections are waited for below, as long as whoever calls this waits")]
pub(crate) async fn serve(listener: TcpListener, app: Router, patience: Patience, stop: impl Future<Output = ()>) {
    let (stopping, told) = watch::channel(false);
    // Once, and not for every request.
    let app: Router = app.with_state(());
    let mut stop = pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            taken = take(&listener) => taken,
            () = &mut stop => break,
        };
        // What is written goes out at once: a stream's small pieces would wait for each other's acknowledgement.
        let _ = stream.set_nodelay(true);
        tokio::spawn(connection((stream, peer), app.clone(), patience, told.clone()));
    }
    drop((listener, told));
    let _ = stopping.send(true);
    stopping.closed().await;
}

async fn take(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(taken) => return taken,
            // The client is gone already.
            Err(error) if is_of_the_client(error.kind()) => {}
            // Too many files are open, for one: others are closed, and it goes on.
            Err(error) => {
                tracing::error!(%error, "no connection can be taken");
                sleep(TAKEN_AGAIN).await;
            }
        }
    }
}

const fn is_of_the_client(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(kind, ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn connection(
    (stream, peer): (TcpStream, SocketAddr),
    app: Router,
    patience: Patience,
    mut stopping: watch::Receiver<bool>,
) {
    let asked = Arc::new(Asked::default());
    let line = Line::new(stream, Arc::clone(&asked), patience);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let open = Asked::begins(&asked, request.version() == Version::HTTP_2);
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = app.clone().oneshot(request);
        async move { answer.await.map(|response| response.map(|body| Answer { body, _open: open })) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(PING_EVERY).keep_alive_timeout(PONG_WITHIN);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(line), service));
    let mut stops = false;
    loop {
        tokio::select! {
            ended = serving.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, %peer, "a connection broke");
                }
                return;
            }
            _ = stopping.changed(), if !stops => {
                stops = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

/// The body of an answer; its request is open until it is gone.
#[derive(Debug)]
struct Answer {
    body: Body,
    _open: Open,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
