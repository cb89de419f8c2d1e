//! Every request that changes something is a trace: who, what, and how it ended; never what was in it.

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::Method;
use mainspring_llm::trace::{OpenSpan, SpanKind, names};
use mainspring_web_kit::{Caller, Problem, RequestTag, with_trace};

use crate::Rest;

/// These write traces of their own, with what they did inside.
const TRACED_INSIDE: &[&str] =
    &["/api/v1/knowledge/{name}/search", "/api/v1/knowledge/{name}/ingest", "/api/v1/traces/{id}/replay"];
/// These only read, though they are asked with a body.
const READING: &[&str] = &[
    "/api/v1/sql",
    "/api/v1/projects/{project}/capture/preview",
    "/api/v1/prometheus/api/v1/query",
    "/api/v1/prometheus/api/v1/query_range",
    "/api/v1/prometheus/api/v1/labels",
    "/api/v1/prometheus/api/v1/series",
];

pub(crate) async fn trace(State(rest): State<Rest>, request: Request, next: Next) -> Response {
    let Some(mut span) = begin(&rest, &request) else { return next.run(request).await };
    let trace = span.context().trace;
    let response = with_trace(next.run(request).await, trace);
    let status = response.status();
    span.set("http.response.status_code", status.as_u16());
    if status.is_client_error() || status.is_server_error() {
        let code = response.extensions().get::<Problem>().map_or(status.as_str(), |problem| problem.code);
        // The detail of a problem may name documents; whoever sees the trace may not see those.
        span.fail(code, status.canonical_reason().unwrap_or("refused"));
    } else {
        span.finish();
    }
    response
}

/// `None` for what only reads, and for callers who are nobody.
fn begin(rest: &Rest, request: &Request) -> Option<OpenSpan> {
    let writes = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH | Method::DELETE);
    let route = request.extensions().get::<MatchedPath>()?.as_str();
    if !writes || TRACED_INSIDE.contains(&route) || READING.contains(&route) {
        return None;
    }
    let Caller(actor) = request.extensions().get::<Caller>()?;
    let mut span = rest.trace(actor).start(format!("{} {route}", request.method()), SpanKind::Server);
    span.set("http.request.method", request.method().as_str());
    span.set("http.route", route);
    span.set("mainspring.principal", actor.principal.to_string());
    if let Some(RequestTag(id)) = request.extensions().get::<RequestTag>() {
        span.set(names::REQUEST, id.as_str());
    }
    Some(span)
}
