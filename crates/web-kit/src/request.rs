//! One id, one deadline and one log line per request.

use std::{
    pin::pin,
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
use serde_json::Value;
use tokio::time::{self, timeout_at};

use crate::{
    in_time::Waits,
    line::{Line, comes_in_pieces},
    problem::Problem,
};

const PROBLEM_TYPE: &str = "application/problem+json";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the request at hand.
#[derive(Debug, Clone)]
pub struct RequestTag(pub String);

/// How a surface with clients of its own writes an error; `None` where the path is not of that surface.
pub type Dialect = fn(path: &str, problem: &Problem) -> Option<Value>;

#[derive(Debug, Clone)]
pub struct RequestLog {
    pub clock: Arc<dyn Clock>,
    pub metrics: Metrics,
    pub dialect: Dialect,
}

/// Gives the request an id, writes its line in the log, counts it, and puts the id into error answers.
pub async fn log_requests(State(log): State<RequestLog>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = client_id(&request).unwrap_or_else(|| RequestId::new(log.clock.now()).to_string());
    request.extensions_mut().insert(RequestTag(id.clone()));
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "unmatched".to_owned(), |matched| matched.as_str().to_owned());
    let mut response = next.run(request).await;
    log.metrics.observe_request(method.as_str(), &route, response.status().as_u16(), started.elapsed());
    let named = HeaderValue::from_str(&id);
    let line = Line::of(&response, id, (method, path), started);
    match problem_of(&response) {
        Some(problem) => {
            line.write(problem.cause.as_deref().unwrap_or(""));
            let dialect = (log.dialect)(&line.path, &problem);
            write_error(&mut response, &problem, dialect, &line.id);
        }
        None if comes_in_pieces(&response) => response = line.follow(response),
        None => line.write(""),
    }
    if let Ok(value) = named {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// What the answer refuses. Refusals by the router, the body limit and the like say nothing but a status.
fn problem_of(response: &Response) -> Option<Problem> {
    let status = response.status();
    let said = response.extensions().get::<Problem>().cloned();
    said.or_else(|| (status.is_client_error() || status.is_server_error()).then(|| Problem::of_status(status)))
}

/// A client may name its own request, in characters that are safe in a log.
fn client_id(request: &Request) -> Option<String> {
    let text = request.headers().get(&REQUEST_ID)?.to_str().ok()?;
    let safe =
        (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    safe.then(|| text.to_owned())
}

/// Every error has one of two shapes: a problem, or what the surface's own clients read.
fn write_error(response: &mut Response, problem: &Problem, dialect: Option<Value>, id: &str) {
    let is_problem = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM_TYPE);
    // Its surface has written it already.
    if response.extensions().get::<Problem>().is_some() && !is_problem {
        return;
    }
    let (kind, bytes) = match dialect {
        Some(body) => ("application/json", body.to_string().into_bytes()),
        None => (PROBLEM_TYPE, serde_json::to_vec(&problem.body(id)).unwrap_or_default()),
    };
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    *response.body_mut() = Body::from(bytes);
}

/// How long the answers of a surface may take to begin; a stream that has begun goes on under its own deadline.
#[derive(Debug, Clone)]
pub struct Deadlines {
    usual: Duration,
    other: Vec<(&'static str, Option<Duration>)>,
}

impl Deadlines {
    #[must_use]
    pub const fn of(usual: Duration) -> Self {
        Self { usual, other: Vec::new() }
    }

    /// Other routes; `None` for those that end on their own terms.
    #[must_use]
    pub fn with(mut self, routes: &[&'static str], limit: Option<Duration>) -> Self {
        self.other.extend(routes.iter().map(|route| (*route, limit)));
        self
    }

    pub(crate) fn limit(&self, route: Option<&str>) -> Option<Duration> {
        let other = self.other.iter().find(|(other, _)| Some(*other) == route);
        other.map_or(Some(self.usual), |(_, limit)| *limit)
    }
}

/// A body that is waited for may come long before it has to, so it is looked at so often what time it has given.
const LOOKED_AT: Duration = Duration::from_secs(1);

/// Breaks off an answer that does not begin in time. What was being done for it is dropped. For as long as the request's body
/// is waited for it is given more: that ends by `in_time`.
pub async fn deadline(State(limits): State<Deadlines>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let Some(limit) = limits.limit(route) else { return next.run(request).await };
    let waits = request.extensions().get::<Waits>().cloned().unwrap_or_default();
    let by = time::Instant::now() + limit;
    let mut look_at = by;
    let mut answer = pin!(next.run(request));
    loop {
        if let Ok(response) = timeout_at(look_at, answer.as_mut()).await {
            return response;
        }
        let (now, by) = (time::Instant::now(), by + waits.so_far());
        if by <= now {
            return Problem::new(FaultKind::Timeout, "request-timeout", format!("no answer within {} s", limit.as_secs()))
                .into_response();
        }
        look_at = by.min(now + LOOKED_AT);
    }
}
