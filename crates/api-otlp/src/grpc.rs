//! gRPC, as far as a call with one message and one answer goes: five bytes before the message, and the status in trailers.
//!
//! It stands behind the same layers as HTTP: who asks, limits, deadlines and the log are the same for both.

use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use mainspring_web_kit::Problem;
use prost::Message;

use crate::request::{Packing, media_type, unpack, unreadable};

/// What all calls of the protocol's services begin with.
pub const PATHS: &str = "/opentelemetry.proto.collector.";
const MEDIA_TYPE: &str = "application/grpc";
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const ACCEPTS: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const PREFIX: usize = 5;

pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // A suffix names the encoding of messages; `application/grpc-web` is another protocol.
    kind.strip_prefix(MEDIA_TYPE).is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';']))
}

/// How the message of a request is packed.
pub(crate) fn packing(headers: &HeaderMap) -> Result<Packing, Problem> {
    if !is_grpc(headers) {
        return Err(media_type("this address takes gRPC".to_owned()).with_hint("send OTLP over HTTP to `/v1/traces`"));
    }
    Packing::of(headers.get(ENCODING))
}

/// The one message of a call.
pub(crate) fn message(body: &Bytes, packing: Packing, limit: usize) -> Result<Bytes, Problem> {
    let Some((prefix, _)) = body.split_at_checked(PREFIX) else {
        return Err(unreadable("it holds no message".to_owned()));
    };
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
    let message = body.slice(PREFIX..);
    if message.len() != length {
        return Err(unreadable(format!("one message of {length} bytes was announced, and {} came", message.len())));
    }
    match prefix[0] {
        0 => unpack(message, Packing::Plain, limit),
        1 if packing == Packing::Plain => Err(unreadable("a message is packed, and nobody says how".to_owned())),
        1 => unpack(message, packing, limit),
        _ => Err(unreadable("the mark before the message is neither 0 nor 1".to_owned())),
    }
}

/// The answer to a call that succeeded.
pub(crate) fn answer(message: &impl Message) -> Response {
    let length = message.encoded_len();
    let mut framed = Vec::with_capacity(PREFIX + length);
    framed.push(0);
    framed.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    framed.extend_from_slice(&message.encode_to_vec());
    let trailers = HeaderMap::from_iter([(STATUS, HeaderValue::from_static("0"))]);
    let body = Full::new(Bytes::from(framed)).with_trailers(std::future::ready(Some(Ok(trailers))));
    ([(header::CONTENT_TYPE, MEDIA_TYPE), (ACCEPTS, "identity,gzip,zstd,deflate")], Body::new(body)).into_response()
}

/// A refusal as the protocol's own status: what google's APIs call `rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) details: Vec<Detail>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Detail {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

/// When to come back. Exporters repeat what was refused with `RESOURCE_EXHAUSTED` only if this is there.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub(crate) delay: Option<Delay>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Delay {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
}

/// The code of a refusal, by the HTTP status of the same refusal.
pub(crate) const fn code(status: StatusCode) -> i32 {
    match status.as_u16() {
        401 => 16,
        403 => 7,
        // An unknown call, a packing that cannot be read.
        404 | 405 | 415 | 501 => 12,
        408 | 504 => 4,
        409 => 10,
        413 | 429 => 8,
        502 | 503 => 14,
        400..=499 => 3,
        _ => 13,
    }
}

pub(crate) fn status(problem: &Problem) -> RpcStatus {
    let message = match &problem.hint {
        Some(hint) => format!("{} ({}): {hint}", problem.detail, problem.code),
        None => format!("{} ({})", problem.detail, problem.code),
    };
    let mut details = Vec::new();
    if let Some(wait) = problem.retry_after {
        let seconds = i64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(i64::MAX).max(1);
        let info = RetryInfo { delay: Some(Delay { seconds }) };
        details.push(Detail { type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(), value: info.encode_to_vec() });
    }
    RpcStatus { code: code(problem.status), message, details }
}

/// A refusal: headers alone.
pub(crate) fn refusal(problem: &Problem) -> Response {
    let status = status(problem);
    let mut response = Body::empty().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(ACCEPTS, HeaderValue::from_static("identity,gzip,zstd,deflate"));
    headers.insert(STATUS, HeaderValue::from(status.code));
    if let Ok(message) = HeaderValue::from_str(&escaped(&status.message)) {
        headers.insert(MESSAGE, message);
    }
    if let Ok(details) = HeaderValue::from_str(&STANDARD_NO_PAD.encode(status.encode_to_vec())) {
        headers.insert(DETAILS, details);
    }
    response
}

/// Text for a header: whatever is not printable ASCII in percent.
fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => escaped.push(char::from(byte)),
            _ => _ = write!(escaped, "%{byte:02X}"),
        }
    }
    escaped
}
