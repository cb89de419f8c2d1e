use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{
    Router, middleware,
    routing::{get, post},
};
use futures::StreamExt;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use mainspring_kernel::{
    Actor, Fault, FaultKind, Labels, ModelScope, Once, Role, SystemClock,
    id::{PrincipalId, ProjectId},
};
use mainspring_telemetry::Metrics;
use secrecy::{ExposeSecret, SecretString};
use tower::ServiceExt;

use crate::{
    Access, Authenticate, Body, BodyWithin, Caller, Deadlines, Path, Problem, ProblemBody, Query, RequestLog, Route,
    authenticate, deadline, in_time, log_requests, parse_body, read_body,
};

#[derive(Debug)]
struct OneKey {
    open: bool,
    local: Single,
}

/// Who asks without a key, where nobody needs one.
#[derive(Debug)]
enum Single {
    Admin,
    Removed,
    /// Nobody can say.
    Unknown,
}

fn actor(role: Role) -> Actor {
    Actor {
        principal: PrincipalId::from_raw(1),
        project: ProjectId::from_raw(1),
        role,
        labels: Labels::All,
        key: None,
        models: ModelScope::All,
    }
}

#[async_trait]
impl Authenticate for OneKey {
    async fn authenticate(&self, key: &SecretString) -> Result<Actor, Problem> {
        if key.expose_secret() == "msk_reader" {
            return Ok(actor(Role::Reader));
        }
        Err(Problem::new(FaultKind::Unauthenticated, "key-unknown", "this key is not known"))
    }
    fn keyless(&self) -> bool {
        self.open
    }
    async fn local(&self) -> Result<Option<Actor>, Problem> {
        match self.local {
            Single::Admin => Ok(Some(actor(Role::Admin))),
            Single::Removed => Ok(None),
            Single::Unknown => Err(Problem::new(FaultKind::Unavailable, "catalog-unavailable", "it is away")),
        }
    }
    async fn enter(&self, actor: &Actor, project: &str) -> Result<Actor, Problem> {
        match project {
            "other" => Ok(Actor { project: ProjectId::from_raw(2), role: Role::Editor, ..actor.clone() }),
            _ => Err(Problem::new(FaultKind::NotFound, "identity-project-not-found", "there is none")),
        }
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

/// The dialect of `/loud/…`.
fn shout(path: &str, problem: &Problem) -> Option<serde_json::Value> {
    path.starts_with("/loud/").then(|| serde_json::json!({"LOUD": problem.code.to_uppercase()}))
}

#[derive(Debug, serde::Deserialize)]
struct Count {
    count: u8,
}

fn app(open: bool) -> Router {
    app_of(OneKey { open, local: Single::Admin })
}

fn app_of(keys: OneKey) -> Router {
    let access = Access {
        authenticate: Arc::new(keys),
        allowed_hosts: Arc::new(["my.host".to_owned()]),
        wants_caller: |path| path != "/well",
    };
    let limits = Deadlines::of(Duration::from_secs(60)).with(&["/slow", "/loud/slow", "/soon"], Some(Duration::from_millis(20)));
    Router::new()
        .route("/who", get(|Caller(actor): Caller| async move { actor.role.to_string() }))
        .route("/well", get(|| async { "well" }))
        .route("/write", post(|Caller(_): Caller, Body(value): Body<serde_json::Value>| async move { value.to_string() }))
        .route("/soon", post(|Body(value): Body<serde_json::Value>| async move { value.to_string() }))
        .route("/bytes", post(|body: bytes::Bytes| async move { body.len().to_string() }))
        .route(
            "/count/{name}",
            get(|Path(name): Path<u8>, Query(asked): Query<Count>| async move { (name + asked.count).to_string() }),
        )
        .route("/loud/who", get(|Caller(actor): Caller| async move { actor.role.to_string() }))
        .route("/loud/slow", get(std::future::pending::<()>))
        .route("/slow", get(std::future::pending::<()>))
        .layer(middleware::from_fn_with_state(limits, deadline))
        .route("/broken", get(|| async { Err::<(), _>(Problem::from(Broken)) }))
        .layer(middleware::from_fn_with_state(access, authenticate))
        .layer(axum::extract::DefaultBodyLimit::max(64))
        .layer(middleware::from_fn_with_state(BodyWithin(PATIENCE), in_time))
        .layer(middleware::from_fn_with_state(
            RequestLog { clock: Arc::new(SystemClock), metrics: Metrics::default(), dialect: shout },
            log_requests,
        ))
}

async fn ask(open: bool, request: Request<axum::body::Body>) -> (StatusCode, String) {
    ask_of(app(open), request).await
}

async fn ask_of(app: Router, request: Request<axum::body::Body>) -> (StatusCode, String) {
    let response = app.oneshot(request).await.unwrap();
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
async fn where_nobody_can_say_who_asks_only_those_who_want_to_know_hear_so() {
    let away = || app_of(OneKey { open: true, local: Single::Unknown });
    let (status, body) = ask_of(away(), get_who(&[("host", "localhost")])).await;
    assert_eq!((status, code(&body).as_str()), (StatusCode::SERVICE_UNAVAILABLE, "catalog-unavailable"));
    let (status, body) = ask_of(away(), Request::get("/well").body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "well"), "a health check asks for nobody");
    let rebound = Request::get("/well").header("host", "evil.example").body(axum::body::Body::empty()).unwrap();
    assert_eq!(ask_of(away(), rebound).await.0, StatusCode::FORBIDDEN);
    // A key is a key.
    let keyed = ask_of(away(), get_who(&[("authorization", "Bearer msk_reader")])).await;
    assert_eq!(keyed, (StatusCode::OK, "reader".into()));
}

#[tokio::test]
async fn a_removed_single_user_needs_a_key_like_anybody_else() {
    let ask =
        async |headers: &[(&str, &str)]| ask_of(app_of(OneKey { open: true, local: Single::Removed }), get_who(headers)).await;
    for (headers, expected) in [
        ([("host", "localhost"), ("accept", "*/*")], "key-required"),
        ([("host", "localhost"), ("authorization", "Bearer unused")], "key-required"),
        ([("host", "localhost"), ("authorization", "Basic dXNlcjpwYXNz")], "key-unreadable"),
    ] {
        let (status, body) = ask(&headers).await;
        assert_eq!((status, code(&body).as_str()), (StatusCode::UNAUTHORIZED, expected), "{headers:?}");
    }
    let keyed = ask(&[("authorization", "Bearer msk_reader")]).await;
    assert_eq!(keyed, (StatusCode::OK, "reader".into()));
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

#[test]
fn a_body_that_says_a_field_twice_is_refused_under_a_code_of_its_own() {
    let fields = parse_body::<Count>(br#"{"count": 1, "count": 2}"#).unwrap_err();
    let anything = parse_body::<Once>(br#"{"more": [{"count": 1, "count": 1}]}"#).unwrap_err();
    assert_eq!((fields.code, anything.code), ("body-duplicate-field", "body-duplicate-field"));
    assert_eq!(parse_body::<Count>(br#"{"count": "one"}"#).unwrap_err().code, "body-invalid");
}

#[tokio::test]
async fn every_refusal_is_a_problem_with_a_code() {
    let long = || Request::post("/write").header("host", "localhost").body(format!("\"{}\"", "a".repeat(100)).into()).unwrap();
    let get = |path: &str| Request::get(path).header("host", "localhost").body(axum::body::Body::empty()).unwrap();
    let table = [
        (get("/count/x?count=1"), 400, "path-invalid"),
        (get("/count/%ff?count=1"), 400, "path-invalid"),
        (get("/count/1?count=many"), 400, "query-invalid"),
        (get("/count/1"), 400, "query-invalid"),
        (get("/nowhere"), 404, "route-not-found"),
        (get("/write"), 405, "method-not-allowed"),
        (long(), 413, "body-too-large"),
        (get("/slow"), 504, "request-timeout"),
    ];
    for (request, status, expected) in table {
        let address = request.uri().clone();
        let (found, body) = ask(true, request).await;
        assert_eq!((found.as_u16(), code(&body).as_str()), (status, expected), "{address}");
    }
}

#[test]
fn a_route_may_have_its_own_deadline_or_none() {
    let (usual, long) = (Duration::from_secs(1), Duration::from_secs(300));
    let limits = Deadlines::of(usual).with(&["/answer"], Some(long)).with(&["/follow/{id}"], None);
    let found = [Some("/answer"), Some("/follow/{id}"), Some("/other"), None].map(|route| limits.limit(route));
    assert_eq!(found, [Some(long), None, Some(usual), Some(usual)]);
}

#[tokio::test]
async fn a_surface_writes_errors_as_its_clients_read_them() {
    let get = |path: &str| Request::get(path).body(axum::body::Body::empty()).unwrap();
    let table = [("/loud/who", "KEY-REQUIRED"), ("/loud/nowhere", "ROUTE-NOT-FOUND"), ("/loud/slow", "REQUEST-TIMEOUT")];
    for (path, expected) in table {
        let (_, body) = ask(false, get(path)).await;
        assert_eq!(body, format!("{{\"LOUD\":\"{expected}\"}}"), "{path}");
    }
}

#[tokio::test]
async fn a_name_and_a_password_are_no_key() {
    let basic = [("host", "localhost"), ("authorization", "Basic dXNlcjpwYXNz")];
    // As with a made-up key: nobody needs one here.
    assert_eq!(ask(true, get_who(&basic)).await, (StatusCode::OK, "admin".into()));
    let foreign = [("host", "evil.example"), ("authorization", "Basic dXNlcjpwYXNz")];
    assert_eq!(ask(true, get_who(&foreign)).await.0, StatusCode::FORBIDDEN);
    let (status, body) = ask(false, get_who(&basic)).await;
    assert_eq!((status, code(&body).as_str()), (StatusCode::UNAUTHORIZED, "key-unreadable"));
    assert!(body.contains("Authorization: Bearer"), "{body}");
}

#[tokio::test]
async fn a_key_as_a_password_or_as_a_name_is_a_key() {
    // `pk-lf-1:msk_reader`, and `msk_reader:`, as Langfuse's clients and `curl -u` send them.
    for pair in ["cGstbGYtMTptc2tfcmVhZGVy", "bXNrX3JlYWRlcjo="] {
        let headers = [("authorization", format!("Basic {pair}"))];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        assert_eq!(ask(false, get_who(&headers)).await, (StatusCode::OK, "reader".into()), "{pair}");
    }
    for garbled in ["Basic %%%", "Basic bXNrX3JlYWRlcg==", "Basic"] {
        assert_eq!(ask(false, get_who(&[("authorization", garbled)])).await.0, StatusCode::UNAUTHORIZED, "{garbled}");
    }
}

/// How long a piece of a body is waited for.
const PATIENCE: Duration = Duration::from_millis(300);

type Piece = Result<&'static str, std::convert::Infallible>;

/// A request whose body comes in pieces.
fn coming(path: &str, pieces: impl futures::Stream<Item = Piece> + Send + 'static) -> Request<axum::body::Body> {
    let request = Request::post(path).header("authorization", "Bearer msk_reader");
    request.body(axum::body::Body::from_stream(pieces)).unwrap()
}

/// Each piece after a third of what it may take.
fn dripping(pieces: Vec<&'static str>) -> impl futures::Stream<Item = Piece> + Send + 'static {
    futures::stream::iter(pieces).then(|piece| async move {
        tokio::time::sleep(PATIENCE / 3).await;
        Ok(piece)
    })
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let whole = || futures::stream::iter([Ok("{\"a\""), Ok(":"), Ok("1}")]);
    assert_eq!(ask(false, coming("/write", whole())).await, (StatusCode::OK, "{\"a\":1}".into()));
    let begun = || futures::stream::iter([Ok("{")]).chain(futures::stream::pending());
    let drips = dripping(vec![" "; 30]);
    for (what, (status, body)) in [
        ("it stops", ask(false, coming("/write", begun())).await),
        ("a byte now and then", ask(false, coming("/write", drips)).await),
    ] {
        assert_eq!((status, code(&body).as_str()), (StatusCode::REQUEST_TIMEOUT, "body-too-slow"), "{what}");
    }
    // Whoever reads it.
    assert_eq!(ask(false, coming("/bytes", whole())).await, (StatusCode::OK, "7".into()));
    assert_eq!(ask(false, coming("/bytes", begun())).await.0, StatusCode::BAD_REQUEST);
    let large =
        futures::stream::iter([Ok("{\"a\": 1"), Ok("                                                                      }")]);
    let (status, body) = ask(false, coming("/write", large)).await;
    assert_eq!((status, code(&body).as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large"));
}

/// What is read of a body without a limit.
async fn read(pieces: futures::stream::BoxStream<'static, Piece>) -> (StatusCode, String) {
    let length = |request: axum::extract::Request| async move { read_body(request).await.map(|body| body.len().to_string()) };
    let app = Router::new()
        .route("/read", post(length))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(BodyWithin(PATIENCE), in_time));
    ask_of(app, coming("/read", pieces)).await
}

#[tokio::test]
async fn what_has_come_of_a_body_gives_it_more_time_in_all_and_none_to_stop() {
    let large: &'static str = "x".repeat(80 << 10).leak();
    // They are five seconds more.
    let slowly = futures::stream::iter([Ok(large)]).chain(dripping(vec!["x"; 6]));
    assert_eq!(read(slowly.boxed()).await, (StatusCode::OK, ((80 << 10) + 6).to_string()));
    let began = std::time::Instant::now();
    let stops = futures::stream::iter([Ok(large)]).chain(futures::stream::pending());
    let (status, body) = read(stops.boxed()).await;
    assert_eq!((status, code(&body).as_str()), (StatusCode::REQUEST_TIMEOUT, "body-too-slow"));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// How long its client takes is not what an answer is late by.
#[tokio::test]
async fn the_deadline_of_an_answer_does_not_count_what_its_body_is_waited_for() {
    assert_eq!(ask(false, coming("/soon", dripping(vec!["[", "]"]))).await, (StatusCode::OK, "[]".into()));
    let (status, body) = ask(false, coming("/soon", futures::stream::pending())).await;
    assert_eq!((status, code(&body).as_str()), (StatusCode::REQUEST_TIMEOUT, "body-too-slow"));
    // Whose body has come is late by the same time, however long it might have been waited for.
    let never = |_: Body<serde_json::Value>| std::future::pending::<()>();
    let app = Router::new()
        .route("/never", post(never))
        .layer(middleware::from_fn_with_state(Deadlines::of(Duration::from_millis(20)), deadline))
        .layer(middleware::from_fn_with_state(BodyWithin(Duration::from_secs(600)), in_time));
    let began = std::time::Instant::now();
    let (status, body) = ask_of(app, coming("/never", dripping(vec!["[", "]"]))).await;
    assert_eq!((status, code(&body).as_str()), (StatusCode::GATEWAY_TIMEOUT, "request-timeout"));
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    // Nobody reads this one, and nobody waits for it.
    let (status, body) = ask(false, coming("/slow", futures::stream::pending())).await;
    assert_eq!((status, code(&body).as_str()), (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed"));
}

#[tokio::test]
async fn a_list_of_routes_is_the_router() {
    let list = || vec![Route::get("/a", || async { "got" }), Route::post("/a", || async { "took" })];
    assert_eq!(list().iter().map(Route::<()>::listed).collect::<Vec<_>>(), [("GET", "/a"), ("POST", "/a")]);
    for (route, expected) in list().iter().zip(["got", "took"]) {
        let (method, path) = route.listed();
        let request = Request::builder().method(method).uri(path).body(axum::body::Body::empty()).unwrap();
        let response = Route::router(list(), ()).oneshot(request).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), expected);
    }
}

#[tokio::test]
async fn a_key_of_ours_is_found_where_clients_of_other_gateways_put_theirs() {
    for (name, value) in [
        ("helicone-auth", "Bearer msk_reader"),
        ("x-portkey-api-key", "msk_reader"),
        ("x-litellm-api-key", "Bearer msk_reader"),
        ("x-litellm-api-key", "msk_reader"),
    ] {
        // The key for the provider is not ours, and may stand beside it.
        for beside in [("accept", "*/*"), ("authorization", "Bearer sk-of-a-provider"), ("x-api-key", "sk-ant-of-a-provider")] {
            assert_eq!(
                ask(false, get_who(&[(name, value), beside])).await,
                (StatusCode::OK, "reader".into()),
                "{name} {beside:?}"
            );
        }
    }
    let wrong = ask(false, get_who(&[("helicone-auth", "Bearer msk_nobody")])).await;
    assert_eq!((wrong.0, code(&wrong.1)), (StatusCode::UNAUTHORIZED, "key-unknown".into()));
    let foreign = ask(false, get_who(&[("helicone-auth", "Bearer sk-helicone-1"), ("authorization", "Bearer sk-1")])).await;
    assert_eq!((foreign.0, code(&foreign.1)), (StatusCode::UNAUTHORIZED, "key-required".into()));
    // What stands in its own place comes first.
    let both = ask(false, get_who(&[("authorization", "Bearer msk_nobody"), ("helicone-auth", "Bearer msk_reader")])).await;
    assert_eq!(both.0, StatusCode::UNAUTHORIZED);
}
