#![doc = include_str!("../README.md")]

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod request;
mod spans;

#[cfg(test)]
mod tests;

use std::time::Duration;

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use mainspring_kernel::Role;
use mainspring_observability::Observability;
use mainspring_web_kit::{Caller, Problem, Route};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};

use crate::request::{Encoding, decode, read_body};

/// Exporters give up after ten seconds by default; a refusal before that tells them to come back.
const STORED_WITHIN: Duration = Duration::from_secs(8);

/// What this surface needs from the building.
#[derive(Debug, Clone)]
pub struct Otlp {
    pub observability: Observability,
    /// Of a compressed body, unpacked.
    pub body_limit: usize,
}

fn routes() -> Vec<Route<Otlp>> {
    vec![Route::post("/v1/traces", export)]
}

pub fn router(state: Otlp) -> Router {
    Route::router(routes(), state)
}

/// The routes of this surface, for the authorisation table.
#[must_use]
pub fn listed() -> Vec<(&'static str, &'static str)> {
    routes().iter().map(Route::listed).collect()
}

async fn export(State(otlp): State<Otlp>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let actor = caller.needs(Role::Editor)?;
    let encoding = Encoding::of(request.headers())?;
    let body = read_body(request, otlp.body_limit).await?;
    let received = spans::read(decode(&body, encoding)?, actor.project);
    otlp.observability.record_durably(received.spans, STORED_WITHIN).await?;
    let partial_success = (received.rejected > 0).then(|| ExportTracePartialSuccess {
        rejected_spans: i64::try_from(received.rejected).unwrap_or(i64::MAX),
        error_message: received.reason,
    });
    Ok(answer(&ExportTraceServiceResponse { partial_success }, encoding))
}

/// In the encoding of the request, as the protocol wants.
fn answer(response: &ExportTraceServiceResponse, encoding: Encoding) -> Response {
    let body = match encoding {
        Encoding::Protobuf => Bytes::from(prost::Message::encode_to_vec(response)),
        Encoding::Json => Bytes::from(serde_json::to_vec(response).unwrap_or_default()),
    };
    ([(http::header::CONTENT_TYPE, encoding.media_type())], body).into_response()
}
