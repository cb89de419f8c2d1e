//! Server-sent events, written as they come.

use std::convert::Infallible;

use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use http::{HeaderName, HeaderValue, header};
use mainspring_kernel::Money;

use crate::alive::{Alive, SILENCE};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// A comment before it, which clients pass over.
    pub note: Option<String>,
    pub event: Option<&'static str>,
    /// One line of text; JSON never holds a raw line break.
    pub data: String,
}

impl SseEvent {
    #[must_use]
    pub fn data(data: impl Into<String>) -> Self {
        Self { note: None, event: None, data: data.into() }
    }

    #[must_use]
    pub fn named(event: &'static str, data: impl Into<String>) -> Self {
        Self { note: None, event: Some(event), data: data.into() }
    }

    /// With what was spent, where that is known: it is said before the event that ends a stream.
    #[must_use]
    pub fn costing(self, cost: Option<Money>) -> Self {
        Self { note: cost.map(cost_note), ..self }
    }

    fn bytes(&self) -> Bytes {
        let mut text = String::with_capacity(self.data.len() + 32);
        if let Some(note) = &self.note {
            text.push_str(": ");
            text.push_str(note);
            text.push_str("\n\n");
        }
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

fn cost_note(cost: Money) -> String {
    format!("mainspring-cost {cost}")
}

/// The same in a stream whose bytes pass through, in pieces of whole events: before the event that begins with one of
/// `begins`. A piece without it is not touched.
#[must_use]
pub fn costing(piece: Bytes, begins: &[&str], cost: Option<Money>) -> Bytes {
    let Some((cost, at)) = cost.and_then(|cost| Some((cost, event_at(&piece, begins)?))) else { return piece };
    let note = cost_note(cost);
    let mut noted = BytesMut::with_capacity(piece.len() + note.len() + 4);
    noted.extend_from_slice(&piece[..at]);
    noted.extend_from_slice(format!(": {note}\n\n").as_bytes());
    noted.extend_from_slice(&piece[at..]);
    noted.freeze()
}

/// Where the last event that begins so stands.
fn event_at(piece: &[u8], begins: &[&str]) -> Option<usize> {
    let begins_so = |at: &usize| begins.iter().any(|begins| piece[*at..].starts_with(begins.as_bytes()));
    let is_between = |at: &usize| *at == 0 || piece[..*at].ends_with(b"\n\n") || piece[..*at].ends_with(b"\r\n\r\n");
    let lines = piece.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    lines.chain([0]).find(begins_so).filter(is_between)
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use mainspring_kernel::Money;

    use super::{SseEvent, costing};

    fn cost() -> Option<Money> {
        Some("0.00123".parse().unwrap())
    }

    #[test]
    fn a_cost_is_a_comment_of_its_own_before_the_event() {
        let event = SseEvent::data("[DONE]");
        assert_eq!(event.clone().costing(None).bytes(), "data: [DONE]\n\n");
        assert_eq!(event.costing(cost()).bytes(), ": mainspring-cost 0.00123\n\ndata: [DONE]\n\n");
    }

    #[test]
    fn in_bytes_it_stands_before_the_last_event_and_nowhere_else() {
        const DONE: &[&str] = &["data: [DONE]", "data:[DONE]"];
        let noted = |piece: &str| String::from_utf8(costing(Bytes::from(piece.to_owned()), DONE, cost()).to_vec()).unwrap();
        let note = ": mainspring-cost 0.00123\n\n";
        assert_eq!(noted("data: [DONE]\n\n"), format!("{note}data: [DONE]\n\n"));
        assert_eq!(noted("data: {}\n\ndata:[DONE]\n\n"), format!("data: {{}}\n\n{note}data:[DONE]\n\n"));
        assert_eq!(noted("data: {}\r\n\r\ndata: [DONE]\r\n\r\n"), format!("data: {{}}\r\n\r\n{note}data: [DONE]\r\n\r\n"));
        for untouched in ["", "data: {}\n\n", "data: {\"text\": \"data: [DONE]\"}\n\n", "id: 7\ndata: [DONE]\n\n"] {
            assert_eq!(noted(untouched), untouched);
        }
        assert_eq!(costing(Bytes::from_static(b"data: [DONE]\n\n"), DONE, None), "data: [DONE]\n\n");
    }
}
