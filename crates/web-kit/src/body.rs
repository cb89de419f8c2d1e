//! JSON bodies with our own answers to what does not parse.

use std::{error::Error, time::Duration};

use axum::{
    RequestExt as _,
    extract::{FromRequest, Request},
};
use bytes::{Bytes, BytesMut};
use futures::FutureExt as _;
use http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError};
use mainspring_kernel::FaultKind;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use crate::problem::Problem;

/// A JSON body. The content type is not insisted on: `curl -d` sends another one.
#[derive(Debug, Clone, Copy)]
pub struct Body<T>(pub T);

impl<S, T> FromRequest<S> for Body<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        parse_body(&read_body(request).await?).map(Self)
    }
}

/// How long the body of a request may take to come, as an extension of the request. What has come gives it more.
#[derive(Debug, Clone, Copy)]
pub struct BodyWithin(pub Duration);

impl Default for BodyWithin {
    fn default() -> Self {
        Self(Duration::from_secs(60))
    }
}

/// So many bytes give a body a second more: a large one takes its time on any line, and one that comes a byte now and then
/// does not take for ever.
const A_SECOND: usize = 16 * 1024;

/// A whole body as it came.
pub async fn read_body(request: Request) -> Result<Bytes, Problem> {
    let BodyWithin(within) = request.extensions().get().copied().unwrap_or_default();
    let (began, mut body) = (Instant::now(), request.into_limited_body());
    let (mut pieces, mut length) = (Vec::new(), 0);
    loop {
        // What is there already costs no timer.
        let next = match body.frame().now_or_never() {
            Some(next) => next,
            None => {
                let by = began + within + Duration::from_secs((length / A_SECOND) as u64);
                timeout_at(by, body.frame()).await.map_err(|_| too_slow())?
            }
        };
        let frame = match next {
            Some(frame) => frame.map_err(|fault| unread(&fault))?,
            None => return Ok(joined(pieces, length)),
        };
        if let Ok(piece) = frame.into_data() {
            length += piece.len();
            pieces.push(piece);
        }
    }
}

/// What came in one piece is not copied.
fn joined(mut pieces: Vec<Bytes>, length: usize) -> Bytes {
    if pieces.len() < 2 {
        return pieces.pop().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(length);
    pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
    whole.freeze()
}

fn unread(fault: &axum::Error) -> Problem {
    let mut causes = std::iter::successors(Some(fault as &(dyn Error + 'static)), |&fault| fault.source());
    if causes.any(|cause| cause.is::<LengthLimitError>()) {
        return Problem::body_too_large();
    }
    Problem::new(FaultKind::Invalid, "body-unreadable", "the request body ended early or could not be read")
}

fn too_slow() -> Problem {
    Problem::new(FaultKind::Timeout, "body-too-slow", "the request body did not come in time")
        .with_hint("`server.client_timeout` says how long it is waited for")
        .with_status(StatusCode::REQUEST_TIMEOUT)
}

/// JSON that was read as bytes; nothing at all is an object without fields.
pub fn parse_body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let bytes: &[u8] = if bytes.iter().all(u8::is_ascii_whitespace) { b"{}" } else { bytes };
    serde_json::from_slice(bytes).map_err(|error| {
        let what = if error.is_data() { "body-invalid" } else { "body-not-json" };
        Problem::new(FaultKind::Invalid, what, error.to_string())
    })
}
