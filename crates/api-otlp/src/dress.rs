//! Refusals as exporters read them, whoever made them: a layer, the outermost but for packing.

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use mainspring_web_kit::Problem;

use crate::{grpc, request::Encoding};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// How a path ends at which exports come in.
const ENDS: [&str; 4] = ["/v1/traces", "/v1/logs", "/v1/metrics", "/api/public/otel"];

/// How an exporter reads a refusal.
enum Reads {
    Grpc,
    /// The protocol's status message.
    Protobuf,
}

fn reads(path: &str, headers: &HeaderMap) -> Option<Reads> {
    if grpc::is_grpc(headers) {
        return Some(Reads::Grpc);
    }
    let exports = ENDS.iter().any(|end| path.ends_with(end)) && matches!(Encoding::of(headers), Ok(Encoding::Protobuf));
    exports.then_some(Reads::Protobuf)
}

/// Writes a refusal again for those who read something other than JSON.
pub async fn dress(request: Request, next: Next) -> Response {
    let reads = reads(request.uri().path(), request.headers());
    let response = next.run(request).await;
    let refused = response.status().is_client_error() || response.status().is_server_error();
    let Some(reads) = reads.filter(|_| refused) else { return response };
    let said = response.extensions().get::<Problem>().cloned();
    let problem = said.unwrap_or_else(|| Problem::of_status(response.status()));
    let mut dressed = match reads {
        Reads::Grpc => grpc::refusal(&problem),
        Reads::Protobuf => protobuf(&problem),
    };
    let id = response.headers().get(&REQUEST_ID).cloned();
    dressed.headers_mut().extend(id.map(|id| (REQUEST_ID, id)));
    dressed
}

fn protobuf(problem: &Problem) -> Response {
    let mut response = problem.clone().into_response();
    *response.body_mut() = prost::Message::encode_to_vec(&grpc::status(problem)).into();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Encoding::Protobuf.media_type()));
    response
}
