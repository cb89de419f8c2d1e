//! From a request to the protocol's message.

use std::io::Read;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, StatusCode, header};
use mainspring_kernel::FaultKind;
use mainspring_web_kit::Problem;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let named = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match named.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/x-protobuf" => Ok(Self::Protobuf),
            "application/json" => Ok(Self::Json),
            other => Err(Problem::new(FaultKind::Invalid, "otlp-media-type", format!("spans do not come as `{other}`"))
                .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
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

/// The body, unpacked where it was packed.
pub(crate) async fn read_body(request: Request, limit: usize) -> Result<Bytes, Problem> {
    let packing = request.headers().get(header::CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase());
    let bytes = Bytes::from_request(request, &()).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE { too_large() } else { unreadable("it ended early".to_owned()) }
    })?;
    match packing.as_deref() {
        None | Some(b"" | b"identity") => Ok(bytes),
        Some(b"gzip") => unpack(&bytes, limit),
        Some(other) => Err(Problem::new(
            FaultKind::Invalid,
            "otlp-media-type",
            format!("a body packed with `{}` cannot be read", String::from_utf8_lossy(other)),
        )
        .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
        .with_hint("send gzip, or not packed")),
    }
}

pub(crate) fn unpack(bytes: &[u8], limit: usize) -> Result<Bytes, Problem> {
    let mut unpacked = Vec::new();
    let mut reader = MultiGzDecoder::new(bytes).take(limit as u64 + 1);
    reader.read_to_end(&mut unpacked).map_err(|error| unreadable(error.to_string()))?;
    if unpacked.len() > limit { Err(too_large()) } else { Ok(unpacked.into()) }
}

pub(crate) fn decode(bytes: &[u8], encoding: Encoding) -> Result<ExportTraceServiceRequest, Problem> {
    match encoding {
        Encoding::Protobuf => prost::Message::decode(bytes).map_err(|error: prost::DecodeError| malformed(&error)),
        Encoding::Json => serde_json::from_slice(bytes).map_err(|error| malformed(&error)),
    }
}

fn malformed(error: &dyn std::error::Error) -> Problem {
    Problem::new(FaultKind::Invalid, "otlp-malformed", format!("not an OTLP trace export: {error}"))
}

fn unreadable(reason: String) -> Problem {
    Problem::new(FaultKind::Invalid, "body-unreadable", format!("the request body could not be read: {reason}"))
}

fn too_large() -> Problem {
    Problem::body_too_large().with_hint("let the exporter send smaller batches")
}
