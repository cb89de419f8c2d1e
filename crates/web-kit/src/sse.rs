//! Server-sent events, written as they come.

use std::convert::Infallible;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::{HeaderName, HeaderValue, header};

use crate::alive::{Alive, SILENCE};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    pub event: Option<&'static str>,
    /// One line of text; JSON never holds a raw line break.
    pub data: String,
}

impl SseEvent {
    #[must_use]
    pub fn data(data: impl Into<String>) -> Self {
        Self { event: None, data: data.into() }
    }

    #[must_use]
    pub fn named(event: &'static str, data: impl Into<String>) -> Self {
        Self { event: Some(event), data: data.into() }
    }

    fn bytes(&self) -> Bytes {
        let mut text = String::with_capacity(self.data.len() + 32);
        if let Some(event) = self.event {
            text.push_str("event: ");
            text.push_str(event);
            text.push('\n');
        }
        for line in self.data.split('\n') {
            text.push_str("data: ");
            text.push_str(line);
            text.push('\n');
        }
        text.push('\n');
        Bytes::from(text)
    }
}

/// A stream of events as a response that proxies do not hold back.
#[derive(Debug)]
pub struct Sse<S>(pub S);

impl<S> IntoResponse for Sse<S>
where
    S: Stream<Item = SseEvent> + Send + 'static,
{
    fn into_response(self) -> Response {
        respond(self.0.map(|event| event.bytes()))
    }
}

impl<S> Sse<S>
where
    S: Stream<Item = SseEvent> + Send + 'static,
{
    /// The same, with a comment whenever nothing else has come for a while.
    pub fn kept_alive(self) -> Response {
        event_stream(self.0.map(|event| event.bytes()), comment)
    }
}

/// Bytes of whole events as a response that proxies do not hold back, and with a word whenever nothing else has come for a
/// while, so that they do not take it for dead.
pub fn event_stream(bytes: impl Stream<Item = Bytes> + Send + 'static, word: fn() -> Bytes) -> Response {
    respond(Alive::new(bytes.boxed(), SILENCE, word))
}

/// Says nothing to readers of events.
#[must_use]
pub fn comment() -> Bytes {
    Bytes::from_static(b": keep-alive\n\n")
}

fn respond(bytes: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let mut response = Response::new(axum::body::Body::from_stream(bytes.map(Ok::<_, Infallible>)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}
