use std::{
    collections::BTreeMap,
    fmt,
    future::{pending, ready},
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use futures::{FutureExt, StreamExt, stream};
use http::{HeaderValue, Request, header};
use http_body_util::BodyExt;
use mainspring_kernel::{FaultKind, SystemClock};
use mainspring_llm::Ending;
use mainspring_telemetry::Metrics;
use tower::ServiceExt;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::{DefaultGuard, set_default},
};

use crate::{Problem, RequestLog, log_requests};

type Fields = BTreeMap<String, String>;
type Piece = Result<&'static str, io::Error>;

/// What the log says in this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Fields>>>);

impl Log {
    fn here() -> (Self, DefaultGuard) {
        let log = Self::default();
        (log.clone(), set_default(log))
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Its only line: the level, the message, the status, why, and the trace.
    #[track_caller]
    fn line(&self) -> [String; 5] {
        let lines = self.0.lock().unwrap();
        assert_eq!(lines.len(), 1, "{lines:?}");
        ["level", "message", "status", "cause", "trace"].map(|name| lines[0].get(name).cloned().unwrap_or_default())
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("mainspring_web_kit")
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut said = Said(Fields::from([("level".to_owned(), event.metadata().level().to_string())]));
        event.record(&mut said);
        self.0.lock().unwrap().push(said.0);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Said(Fields);

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

/// What the layer makes of an answer.
async fn logged(answer: fn() -> Response) -> Response {
    let log = RequestLog { clock: Arc::new(SystemClock), metrics: Metrics::default(), dialect: |_, _| None };
    let app = Router::new().route("/asked", get(move || async move { answer() }));
    let app = app.layer(middleware::from_fn_with_state(log, log_requests));
    app.oneshot(Request::get("/asked").body(Body::empty()).unwrap()).await.unwrap()
}

fn in_pieces(pieces: impl futures::Stream<Item = Piece> + Send + 'static, ending: &Ending) -> Response {
    let mut response = Response::new(Body::from_stream(pieces));
    response.extensions_mut().insert(ending.clone());
    response.headers_mut().insert("x-mainspring-trace-id", HeaderValue::from_static("abc"));
    response
}

/// Pieces that wait for more once all of these have come.
fn open(pieces: Vec<Piece>) -> impl futures::Stream<Item = Piece> + Send + 'static {
    stream::iter(pieces).chain(stream::once(pending()))
}

#[tokio::test]
async fn an_answer_that_comes_whole_has_its_line_when_it_is_there() {
    let cases: [(fn() -> Response, [&str; 5]); 3] = [
        (|| "whole".into_response(), ["INFO", "request", "200", "", ""]),
        (
            || {
                Problem { cause: Some("it is away".into()), ..Problem::new(FaultKind::Unavailable, "away", "not now") }
                    .into_response()
            },
            ["ERROR", "request failed", "503", "it is away", ""],
        ),
        // A connection may let go of one that says its length before anybody sees its end.
        (
            || {
                let mut response = in_pieces(stream::iter([Ok("12"), Ok("3")]), &Ending::default());
                response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("3"));
                response
            },
            ["INFO", "request", "200", "", "abc"],
        ),
    ];
    for (answer, line) in cases {
        let (log, _here) = Log::here();
        let response = logged(answer).await;
        assert_eq!(log.line(), line);
        response.into_body().collect().await.unwrap();
        assert_eq!(log.len(), 1);
    }
}

#[tokio::test]
async fn an_answer_in_pieces_has_its_line_when_it_has_ended_with_all_it_took() {
    const LATE: Duration = Duration::from_millis(60);
    let (log, _here) = Log::here();
    let slowly = || {
        let late = tokio::time::sleep(LATE).map(|()| Ok("second"));
        in_pieces(stream::iter([Ok("first ")]).chain(stream::once(late)), &Ending::default())
    };
    let response = logged(slowly).await;
    assert_eq!(log.len(), 0, "it goes on");
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "first second");
    assert_eq!(log.line(), ["INFO", "request", "200", "", "abc"]);
    let millis: f64 = log.0.lock().unwrap()[0]["millis"].parse().unwrap();
    assert!(millis >= LATE.as_secs_f64() * 1000.0, "{millis}");
}

#[tokio::test]
async fn what_broke_an_answer_in_pieces_is_in_its_line() {
    // Told by whoever made the pieces, which look complete to everybody else.
    let told = || {
        let ending = Ending::default();
        let last = ending.clone();
        let last = stream::once(ready(())).map(move |()| {
            last.breaks("upstream-reset");
            Ok("data: error\n\n")
        });
        in_pieces(stream::iter([Ok("data: {}\n\n")]).chain(last), &ending)
    };
    let (log, _here) = Log::here();
    logged(told).await.into_body().collect().await.unwrap();
    assert_eq!(log.line(), ["ERROR", "request failed", "200", "upstream-reset", "abc"]);
    // A body that cannot go on.
    let torn = || in_pieces(stream::iter([Ok("half"), Err(io::Error::other("the lake is away"))]), &Ending::default());
    let (log, _here) = Log::here();
    logged(torn).await.into_body().collect().await.unwrap_err();
    assert_eq!(log.line(), ["ERROR", "request failed", "200", "the lake is away", "abc"]);
}

#[tokio::test]
async fn that_the_client_left_is_in_its_line_unless_it_had_all() {
    let (log, _here) = Log::here();
    let mut body = logged(|| in_pieces(open(vec![Ok("half")]), &Ending::default())).await.into_body();
    body.frame().await.unwrap().unwrap();
    assert_eq!(log.len(), 0);
    drop(body);
    assert_eq!(log.line(), ["INFO", "request", "200", "the client left", "abc"]);
    // It hangs up as soon as it has seen the end.
    let complete = || {
        let ending = Ending::default();
        ending.completes();
        in_pieces(open(vec![Ok("data: [DONE]\n\n")]), &ending)
    };
    let (log, _here) = Log::here();
    let mut body = logged(complete).await.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(log.line(), ["INFO", "request", "200", "", "abc"]);
}
