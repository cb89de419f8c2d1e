//! Server-sent events, written as they come.

use std::convert::Infallible;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::{HeaderName, HeaderValue, header};

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
        let body = axum::body::Body::from_stream(self.0.map(|event| Ok::<_, Infallible>(event.bytes())));
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
        response
    }
}
