//! A problem on its way to a client that reads errors in the shape of another API: all of it but the shape, which the surface
//! gives it.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use mainspring_llm::{Told, TraceId};
use serde_json::Value;

use crate::{
    Problem,
    told::{TRACE, told_headers},
};

#[derive(Debug)]
pub struct Refusal {
    pub problem: Problem,
    /// Beside `Retry-After`. Apart, so that results that carry no error stay small.
    pub headers: Box<HeaderMap>,
    /// What a provider of this dialect said, for clients that know what to make of it.
    pub said: Option<Box<(StatusCode, Bytes)>>,
}

impl From<Problem> for Refusal {
    fn from(mut problem: Problem) -> Self {
        // Clients of these APIs ask again at any status from 500 on, and would hear the same again.
        if problem.code == "model-unsupported" {
            problem.status = StatusCode::BAD_REQUEST;
        }
        Self { problem, headers: Box::default(), said: None }
    }
}

impl Refusal {
    /// A provider's own words, where they are what the client gets.
    #[must_use]
    pub fn words(&self) -> Option<Value> {
        self.said.as_ref().and_then(|said| serde_json::from_slice(&said.1).ok())
    }

    /// As an answer; the status is the surface's where it is not a provider's.
    #[must_use]
    pub fn answer(self, status: StatusCode, body: &Value) -> Response {
        let status = self.said.as_ref().map_or(status, |said| said.0);
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.extend(*self.headers);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(wait) = self.problem.retry_after_header() {
            headers.insert(header::RETRY_AFTER, wait);
        }
        response.extensions_mut().insert(self.problem);
        response
    }
}

/// An error of a surface, with what is told of the call that was refused.
pub trait Refuses: AsMut<Refusal> + Sized {
    /// The same refusal in other words.
    #[must_use]
    fn saying(mut self, detail: &str) -> Self {
        self.as_mut().problem.detail = detail.to_owned();
        self
    }

    /// With what is told of the call that was refused.
    #[must_use]
    fn telling(mut self, told: &Told) -> Self {
        self.as_mut().headers.extend(told_headers(told));
        self
    }

    /// As the end of a stream.
    #[must_use]
    fn ending(mut self, told: &Told) -> Self {
        told.ending().breaks(self.as_mut().problem.code);
        self
    }

    /// With the trace that tells the rest.
    #[must_use]
    fn in_trace(mut self, trace: TraceId) -> Self {
        if let Ok(value) = HeaderValue::from_str(&trace.to_string()) {
            self.as_mut().headers.insert(TRACE, value);
        }
        self
    }
}

impl<E: AsMut<Refusal>> Refuses for E {}
