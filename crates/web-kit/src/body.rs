//! JSON bodies with our own answers to what does not parse.

use axum::{
    RequestExt as _,
    extract::{FromRequest, Request},
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError};
use mainspring_kernel::FaultKind;
use serde::de::DeserializeOwned;

use crate::{
    in_time::{causes, too_slow},
    problem::Problem,
};

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

/// A whole body as it came.
pub async fn read_body(request: Request) -> Result<Bytes, Problem> {
    let body = request.into_limited_body().collect().await.map_err(|fault| unread(&fault))?;
    Ok(body.to_bytes())
}

fn unread(fault: &axum::Error) -> Problem {
    if causes(fault).any(|cause| cause.is::<LengthLimitError>()) {
        return Problem::body_too_large();
    }
    too_slow(fault).unwrap_or_else(|| {
        Problem::new(FaultKind::Invalid, "body-unreadable", "the request body ended early or could not be read")
    })
}

/// JSON that was read as bytes; nothing at all is an object without fields.
pub fn parse_body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let bytes: &[u8] = if bytes.iter().all(u8::is_ascii_whitespace) { b"{}" } else { bytes };
    serde_json::from_slice(bytes).map_err(|error| {
        let said = error.to_string();
        let what = match error.is_data() {
            // What serde says of structs, and `kernel::Once` of everything else.
            true if said.starts_with("duplicate field `") => "body-duplicate-field",
            true => "body-invalid",
            false => "body-not-json",
        };
        Problem::new(FaultKind::Invalid, what, said)
    })
}
