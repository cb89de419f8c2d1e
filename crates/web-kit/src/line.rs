//! The one line that the log has of each request: of an answer that comes whole once it is there, of one that comes in pieces
//! when it has ended.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use axum::{
    body::{Body, HttpBody},
    response::Response,
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use http_body::Frame;
use mainspring_llm::{End, Ending};

use crate::told::TRACE;

const PROVIDER: HeaderName = HeaderName::from_static("x-mainspring-provider");
const MODEL: HeaderName = HeaderName::from_static("x-mainspring-model");

/// What is known of a request and of the head of its answer.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) id: String,
    pub(crate) path: String,
    method: Method,
    started: Instant,
    status: StatusCode,
    /// Of calls of models: who answered, and where the rest is told.
    provider: Option<HeaderValue>,
    model: Option<HeaderValue>,
    trace: Option<HeaderValue>,
}

impl Line {
    pub(crate) fn of(response: &Response, id: String, (method, path): (Method, String), started: Instant) -> Self {
        let said = |name: &HeaderName| response.headers().get(name).cloned();
        let (provider, model, trace) = (said(&PROVIDER), said(&MODEL), said(&TRACE));
        Self { id, path, method, started, status: response.status(), provider, model, trace }
    }

    pub(crate) fn write(&self, cause: &str) {
        self.tell(cause, self.status.is_server_error());
    }

    fn tell(&self, cause: &str, failed: bool) {
        let Self { id, method, path, .. } = self;
        let (path, status) = (path.as_str(), self.status.as_u16());
        let millis = self.started.elapsed().as_secs_f64() * 1000.0;
        let [provider, model, trace] =
            [&self.provider, &self.model, &self.trace].map(|said| said.as_ref().and_then(|value| value.to_str().ok()));
        if failed {
            tracing::error!(request.id = %id, %method, path, status, millis, cause, provider, model, trace, "request failed");
        } else {
            tracing::info!(request.id = %id, %method, path, status, millis, cause, provider, model, trace, "request");
        }
    }

    /// Is written when the answer has ended: complete, broken, or left by its client.
    pub(crate) fn follow(self, mut response: Response) -> Response {
        let ending = response.extensions_mut().remove::<Ending>().unwrap_or_default();
        response.map(|body| Body::new(Followed { body, line: Some(self), ending }))
    }
}

/// Whether nobody knows how long the answer will be. One that says its length may be let go by the connection as soon as that
/// much has gone out.
pub(crate) fn comes_in_pieces(response: &Response) -> bool {
    let body = response.body();
    let is_open = !body.is_end_stream() && body.size_hint().exact().is_none();
    is_open && !response.headers().contains_key(header::CONTENT_LENGTH)
}

/// A body with the line that is written when it ends. Each piece costs it a look, and no memory.
#[derive(Debug)]
struct Followed {
    body: Body,
    line: Option<Line>,
    ending: Ending,
}

impl Followed {
    /// Once. What whoever made the pieces says counts before what is seen of them here.
    fn ends(&mut self, seen: &str, failed: bool) {
        let Some(line) = self.line.take() else { return };
        match self.ending.told() {
            Some(End::Complete) => line.tell("", false),
            Some(End::Broken(code)) => line.tell(code, true),
            None => line.tell(seen, failed),
        }
    }
}

impl HttpBody for Followed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(None) => self.ends("", false),
            // Nothing comes behind them, and nobody asks.
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => self.ends("", false),
            Poll::Ready(Some(Err(fault))) => self.ends(&fault.to_string(), true),
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        polled
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.ends("the client left", false);
    }
}

#[cfg(test)]
mod tests;
