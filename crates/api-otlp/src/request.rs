//! From a request to the bytes of the protocol's message.

use std::{fmt::Display, io::Read};

use axum::extract::Request;
use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use mainspring_kernel::FaultKind;
use mainspring_web_kit::Problem;
use serde::de::DeserializeOwned;

use crate::lenient;

/// A frame of zstd says how much of what came before it may refer to, and the reader sets that much memory aside: 32 MiB.
const ZSTD_WINDOW_LOG: u32 = 25;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let named = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match named.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/x-protobuf" | "application/protobuf" => Ok(Self::Protobuf),
            "application/json" => Ok(Self::Json),
            other => Err(media_type(format!("telemetry does not come as `{other}`"))
                .with_hint("send `Content-Type: application/x-protobuf` or `application/json`")),
        }
    }

    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstd,
    Deflate,
}

impl Packing {
    pub(crate) fn of(named: Option<&HeaderValue>) -> Result<Self, Problem> {
        let named = named.map_or(&[][..], HeaderValue::as_bytes).trim_ascii().to_ascii_lowercase();
        match named.as_slice() {
            b"" | b"identity" => Ok(Self::Plain),
            b"gzip" | b"x-gzip" => Ok(Self::Gzip),
            b"zstd" => Ok(Self::Zstd),
            b"deflate" => Ok(Self::Deflate),
            other => Err(media_type(format!("a body packed with `{}` cannot be read", String::from_utf8_lossy(other)))
                .with_hint("send gzip, zstd or deflate, or not packed")),
        }
    }
}

/// The body as it came.
pub(crate) async fn read_body(request: Request) -> Result<Bytes, Problem> {
    mainspring_web_kit::read_body(request).await.map_err(|problem| match problem.code {
        "body-too-large" => too_large(),
        "body-unreadable" => unreadable("it ended early".to_owned()),
        // Most exporters give up what is answered with 408, and send again what is answered so.
        "body-too-slow" => problem.with_status(StatusCode::GATEWAY_TIMEOUT),
        _ => problem,
    })
}

/// The body, unpacked where it was packed: `limit` bytes at most.
pub(crate) fn unpack(bytes: Bytes, packing: Packing, limit: usize) -> Result<Bytes, Problem> {
    match packing {
        Packing::Plain if bytes.len() > limit => Err(too_large()),
        Packing::Plain => Ok(bytes),
        Packing::Gzip => read_all(MultiGzDecoder::new(&*bytes), limit),
        Packing::Deflate if is_zlib(&bytes) => read_all(ZlibDecoder::new(&*bytes), limit),
        Packing::Deflate => read_all(DeflateDecoder::new(&*bytes), limit),
        Packing::Zstd => {
            let mut reader = zstd::stream::read::Decoder::with_buffer(&*bytes).map_err(|error| unreadable(error.to_string()))?;
            reader.window_log_max(ZSTD_WINDOW_LOG).map_err(|error| unreadable(error.to_string()))?;
            read_all(reader, limit)
        }
    }
}

/// HTTP means zlib's format when it says deflate, and some senders leave the wrapping out.
fn is_zlib(bytes: &[u8]) -> bool {
    let [first, second, ..] = *bytes else { return false };
    first & 0x0f == 8 && u16::from_be_bytes([first, second]).is_multiple_of(31)
}

fn read_all(reader: impl Read, limit: usize) -> Result<Bytes, Problem> {
    let mut unpacked = Vec::new();
    reader.take(limit as u64 + 1).read_to_end(&mut unpacked).map_err(|error| unreadable(error.to_string()))?;
    if unpacked.len() > limit { Err(too_large()) } else { Ok(unpacked.into()) }
}

pub(crate) fn decode<T>(bytes: &[u8], encoding: Encoding) -> Result<T, Problem>
where
    T: prost::Message + Default + DeserializeOwned,
{
    match encoding {
        Encoding::Protobuf => T::decode(bytes).map_err(|error| malformed(&error)),
        Encoding::Json if bytes.iter().all(u8::is_ascii_whitespace) => Ok(T::default()),
        Encoding::Json => serde_json::from_slice(bytes).or_else(|strict| decode_leniently(bytes).map_err(|_| malformed(&strict))),
    }
}

/// JSON in any of the spellings that senders use.
pub(crate) fn decode_leniently<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    lenient::read(bytes).map_err(|error| malformed(&error))
}

pub(crate) fn malformed(error: &dyn Display) -> Problem {
    let hint = "traces go to `/v1/traces`, logs to `/v1/logs`, metrics to `/v1/metrics`; the protocol's JSON has names like \
        `resourceSpans` and `traceId`, ids in hex, and times as nanoseconds in text";
    Problem::new(FaultKind::Invalid, "otlp-malformed", format!("not an OTLP export: {error}")).with_hint(hint)
}

pub(crate) fn media_type(detail: String) -> Problem {
    Problem::new(FaultKind::Invalid, "otlp-media-type", detail).with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
}

pub(crate) fn unreadable(reason: String) -> Problem {
    Problem::new(FaultKind::Invalid, "body-unreadable", format!("the request body could not be read: {reason}")).with_hint(
        "`Content-Encoding`, or `grpc-encoding`, names how the body is packed; one that is cut off is sent again whole",
    )
}

pub(crate) fn too_large() -> Problem {
    Problem::body_too_large().with_hint("let the exporter send smaller batches")
}
