//! One id, one deadline and one log line per request.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, header};
use mainspring_kernel::{Clock, FaultKind, id::RequestId};
use mainspring_telemetry::Metrics;

use crate::problem::Problem;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the request at hand.
#[derive(Debug, Clone)]
pub struct RequestTag(pub String);

#[derive(Debug, Clone)]
pub struct RequestLog {
    pub clock: Arc<dyn Clock>,
    pub metrics: Metrics,
}

/// Gives the request an id, logs it once with its outcome, counts it, and puts the id into error answers.
pub async fn log_requests(State(log): State<RequestLog>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = client_id(&request).unwrap_or_else(|| RequestId::new(log.clock.now()).to_string());
    request.extensions_mut().insert(RequestTag(id.clone()));
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "unmatched".to_owned(), |matched| matched.as_str().to_owned());
    let response = next.run(request).await;
    let status = response.status();
    let elapsed = started.elapsed();
    log.metrics.observe_request(method.as_str(), &route, status.as_u16(), elapsed);
    let problem = response.extensions().get::<Problem>().cloned();
    let cause = problem.as_ref().and_then(|problem| problem.cause.clone());
    let millis = elapsed.as_secs_f64() * 1000.0;
    if status.is_server_error() {
        tracing::error!(request.id = %id, %method, path, status = status.as_u16(), millis, cause = cause.as_deref().unwrap_or(""), "request failed");
    } else {
        tracing::info!(request.id = %id, %method, path, status = status.as_u16(), millis, cause = cause.as_deref().unwrap_or(""), "request");
    }
    finish(response, problem, &id)
}

/// A client may name its own request, in characters that are safe in a log.
fn client_id(request: &Request) -> Option<String> {
    let text = request.headers().get(&REQUEST_ID)?.to_str().ok()?;
    let safe =
        (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    safe.then(|| text.to_owned())
}

fn finish(mut response: Response, problem: Option<Problem>, id: &str) -> Response {
    let is_problem = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json");
    if let Some(problem) = problem.filter(|_| is_problem) {
        let bytes = serde_json::to_vec(&problem.body(id)).unwrap_or_default();
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::from(bytes);
    }
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// The answer must begin within this time; a stream that has begun goes on under its own deadline.
pub async fn deadline(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            Problem::new(FaultKind::Timeout, "request-timeout", format!("no answer within {} s", limit.as_secs())).into_response()
        }
    }
}
