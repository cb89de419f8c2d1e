use std::sync::Arc;

use async_trait::async_trait;
use axum::{
    Router, middleware,
    routing::{get, post},
};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use mainspring_kernel::{
    Actor, Fault, FaultKind, Labels, Role, SystemClock,
    id::{PrincipalId, ProjectId},
};
use mainspring_telemetry::Metrics;
use secrecy::{ExposeSecret, SecretString};
use tower::ServiceExt;

use crate::{Access, Authenticate, Body, Caller, Problem, ProblemBody, RequestLog, authenticate, log_requests};

#[derive(Debug)]
struct OneKey {
    open: bool,
}

fn actor(role: Role) -> Actor {
    Actor { principal: PrincipalId::from_raw(1), project: ProjectId::from_raw(1), role, labels: Labels::All }
}

#[async_trait]
impl Authenticate for OneKey {
    async fn authenticate(&self, key: &SecretString) -> Result<Actor, Problem> {
        if key.expose_secret() == "msk_reader" {
            return Ok(actor(Role::Reader));
        }
        Err(Problem::new(FaultKind::Unauthenticated, "key-unknown", "this key is not known"))
    }
    fn local(&self) -> Option<Actor> {
        self.open.then(|| actor(Role::Admin))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("row 7 of table `secret` is broken")]
struct Broken;
impl Fault for Broken {
    fn kind(&self) -> FaultKind {
        FaultKind::Internal
    }
    fn code(&self) -> &'static str {
        "broken"
    }
}

fn app(open: bool) -> Router {
    let access = Access { authenticate: Arc::new(OneKey { open }), allowed_hosts: Arc::new(["my.host".to_owned()]) };
    Router::new()
        .route("/who", get(|Caller(actor): Caller| async move { actor.role.to_string() }))
        .route("/write", post(|Caller(_): Caller, Body(value): Body<serde_json::Value>| async move { value.to_string() }))
        .route("/broken", get(|| async { Err::<(), _>(Problem::from(Broken)) }))
        .layer(middleware::from_fn_with_state(access, authenticate))
        .layer(middleware::from_fn_with_state(
            RequestLog { clock: Arc::new(SystemClock), metrics: Metrics::default() },
            log_requests,
        ))
}

async fn ask(open: bool, request: Request<axum::body::Body>) -> (StatusCode, String) {
    let response = app(open).oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn get_who(headers: &[(&str, &str)]) -> Request<axum::body::Body> {
    let mut request = Request::get("/who");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(axum::body::Body::empty()).unwrap()
}

#[track_caller]
fn code(body: &str) -> String {
    serde_json::from_str::<ProblemBody>(body).unwrap().code
}

#[tokio::test]
async fn loopback_without_a_key_is_the_single_user() {
    assert_eq!(ask(true, get_who(&[("host", "127.0.0.1:7400")])).await, (StatusCode::OK, "admin".into()));
    assert_eq!(ask(true, get_who(&[("host", "my.host")])).await.0, StatusCode::OK);
    // What SDKs send when nobody gave them a key.
    assert_eq!(ask(true, get_who(&[("host", "localhost"), ("authorization", "Bearer unused")])).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_rebound_name_or_a_foreign_page_is_refused() {
    let (status, body) = ask(true, get_who(&[("host", "evil.example:7400")])).await;
    assert_eq!((status, code(&body).as_str()), (StatusCode::FORBIDDEN, "host-not-allowed"));
    let write = Request::post("/write")
        .header("host", "localhost:7400")
        .header("origin", "https://evil.example")
        .body("{}".into())
        .unwrap();
    let (status, body) = ask(true, write).await;
    assert_eq!((status, code(&body).as_str()), (StatusCode::FORBIDDEN, "origin-not-allowed"));
}

#[tokio::test]
async fn a_closed_server_wants_a_key() {
    let (status, body) = ask(false, get_who(&[])).await;
    assert_eq!((status, code(&body).as_str()), (StatusCode::UNAUTHORIZED, "key-required"));
    assert_eq!(ask(false, get_who(&[("authorization", "Bearer msk_reader")])).await, (StatusCode::OK, "reader".into()));
    assert_eq!(ask(false, get_who(&[("x-api-key", "msk_reader")])).await.0, StatusCode::OK);
    // A wrong key is never the single user, even where one exists.
    assert_eq!(ask(true, get_who(&[("authorization", "Bearer msk_wrong")])).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn our_own_mistakes_are_not_shown() {
    let (status, body) =
        ask(true, Request::get("/broken").header("x-request-id", "abc-1").body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    let problem: ProblemBody = serde_json::from_str(&body).unwrap();
    assert_eq!((problem.code.as_str(), problem.request_id.as_str()), ("broken", "abc-1"));
    assert!(!body.contains("secret"));
}

#[tokio::test]
async fn a_body_that_is_not_json_says_where() {
    let write = Request::post("/write").header("host", "localhost").body("{\"a\": }".into()).unwrap();
    let (status, body) = ask(true, write).await;
    assert_eq!((status, code(&body).as_str()), (StatusCode::BAD_REQUEST, "body-not-json"));
    assert!(body.contains("line 1 column 7"), "{body}");
}
