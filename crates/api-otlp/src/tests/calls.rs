//! gRPC's frame and status, and how refusals are written.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::Request,
    middleware,
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;
use mainspring_kernel::FaultKind;
use mainspring_web_kit::Problem;
use proptest::prelude::*;
use prost::Message as _;
use tower::ServiceExt as _;

use crate::{
    dress,
    grpc::{RetryInfo, RpcStatus, answer, code, message, packing, refusal},
    request::Packing,
    signal::{Outcome, Signal},
};

fn framed(flag: u8, length: u32, message: &[u8]) -> Bytes {
    [&[flag][..], &length.to_be_bytes(), message].concat().into()
}

#[test]
fn a_call_has_one_message_of_the_length_it_says() {
    assert_eq!(message(&framed(0, 5, b"spans"), Packing::Gzip, 10).unwrap(), "spans");
    assert_eq!(message(&framed(0, 0, b""), Packing::Plain, 10).unwrap(), "");
    let packed = zstd::stream::encode_all(&b"spans"[..], 1).unwrap();
    let length = u32::try_from(packed.len()).unwrap();
    assert_eq!(message(&framed(1, length, &packed), Packing::Zstd, 10).unwrap(), "spans");
    for (body, packing, wrong) in [
        (framed(0, 6, b"spans"), Packing::Plain, "body-unreadable"),
        (framed(0, 4, b"spans"), Packing::Plain, "body-unreadable"),
        (framed(2, 5, b"spans"), Packing::Plain, "body-unreadable"),
        (framed(1, 5, b"spans"), Packing::Plain, "body-unreadable"),
        (framed(0, 11, b"eleven long"), Packing::Plain, "body-too-large"),
        (Bytes::from_static(b"\0\0\0\0"), Packing::Plain, "body-unreadable"),
        (Bytes::new(), Packing::Plain, "body-unreadable"),
    ] {
        assert_eq!(message(&body, packing, 10).unwrap_err().code, wrong, "{body:?}");
    }
}

#[test]
fn what_is_not_grpc_is_told_so() {
    let of = |kind: &'static str, packed: &'static str| {
        let headers = [(header::CONTENT_TYPE, kind), (header::HeaderName::from_static("grpc-encoding"), packed)];
        packing(&HeaderMap::from_iter(headers.map(|(name, value)| (name, HeaderValue::from_static(value)))))
    };
    assert_eq!(of("application/grpc", "gzip").unwrap(), Packing::Gzip);
    assert_eq!(of("application/grpc+proto", "identity").unwrap(), Packing::Plain);
    for (kind, packed) in [("application/grpc-web", "gzip"), ("application/json", "gzip"), ("application/grpc", "snappy")] {
        assert_eq!(of(kind, packed).unwrap_err().status, 415, "{kind} {packed}");
    }
}

#[tokio::test]
async fn an_answer_is_a_message_and_a_status_in_trailers() {
    let outcome = Outcome { signal: Signal::Logs, rejected: 2, reason: "why".into() };
    let response = answer(&outcome.message());
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/grpc");
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    let bytes = body.to_bytes();
    let said = outcome.message();
    assert_eq!(bytes, framed(0, u32::try_from(said.encoded_len()).unwrap(), &said.encode_to_vec()));
    assert_eq!(said.partial_success.unwrap().rejected_spans, 2);
    assert_eq!(outcome.json().to_string(), r#"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"why"}}"#);
    // What is left out of a record that is kept, is said, and rejects none.
    let less = Outcome { signal: Signal::Traces, rejected: 0, reason: "too deep".into() };
    assert_eq!(less.message().partial_success.unwrap().error_message, "too deep");
    assert_eq!(less.json().to_string(), r#"{"partialSuccess":{"rejectedSpans":"0","errorMessage":"too deep"}}"#);
    let whole = Outcome { signal: Signal::Traces, rejected: 0, reason: String::new() };
    assert_eq!((whole.message().encode_to_vec(), whole.json().to_string()), (Vec::new(), "{}".to_owned()));
}

fn saturated() -> Problem {
    let mut problem = Problem::new(FaultKind::Saturated, "trace-queue-full", "the queue is full — 100 %").with_hint("wait");
    problem.status = StatusCode::TOO_MANY_REQUESTS;
    problem.retry_after = Some(Duration::from_millis(1_200));
    problem
}

#[test]
fn a_refusal_says_when_to_come_back() {
    let response = refusal(&saturated());
    let said = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((response.status(), said("grpc-status")), (StatusCode::OK, "8".into()));
    assert_eq!(said("grpc-message"), "the queue is full %E2%80%94 100 %25 (trace-queue-full): wait");
    let details = RpcStatus::decode(&*STANDARD_NO_PAD.decode(said("grpc-status-details-bin")).unwrap()).unwrap();
    assert_eq!((details.code, details.details.len()), (8, 1));
    assert_eq!(details.details[0].type_url, "type.googleapis.com/google.rpc.RetryInfo");
    assert_eq!(RetryInfo::decode(&*details.details[0].value).unwrap().delay.unwrap().seconds, 2);
}

#[test]
fn every_status_has_the_code_that_exporters_know() {
    for (status, expected) in
        [(400, 3), (401, 16), (403, 7), (404, 12), (413, 8), (415, 12), (429, 8), (500, 13), (503, 14), (504, 4)]
    {
        assert_eq!(code(StatusCode::from_u16(status).unwrap()), expected, "{status}");
    }
}

async fn refused(path: &str, kind: &'static str, response: fn() -> Response) -> Response {
    let router = Router::new().fallback(move || async move { response() }).layer(middleware::from_fn(dress::dress));
    let request = Request::post(path).header(header::CONTENT_TYPE, kind).body(Body::empty()).unwrap();
    router.oneshot(request).await.unwrap()
}

#[tokio::test]
async fn a_refusal_by_whatever_layer_is_written_as_its_reader_reads() {
    let problem = || saturated().into_response();
    let grpc = refused("/opentelemetry.proto.collector.trace.v1.TraceService/Export", "application/grpc", problem).await;
    assert_eq!(grpc.status(), StatusCode::OK);
    assert_eq!(grpc.headers()["grpc-status"], "8");
    // Not even the layers that say nothing but a status are left as they are.
    let bare = refused("/x.Y/Z", "application/grpc", || StatusCode::NOT_FOUND.into_response()).await;
    assert_eq!(bare.headers()["grpc-status"], "12");

    let protobuf = refused("/v1/traces", "application/x-protobuf", problem).await;
    assert_eq!(protobuf.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(protobuf.headers()[header::RETRY_AFTER], "2");
    assert_eq!(protobuf.headers()[header::CONTENT_TYPE], "application/x-protobuf");
    let said = RpcStatus::decode(protobuf.into_body().collect().await.unwrap().to_bytes()).unwrap();
    assert!(said.message.contains("trace-queue-full"), "{said:?}");

    for (path, kind) in [("/v1/traces", "application/json"), ("/v1/messages", "application/x-protobuf")] {
        let other = refused(path, kind, problem).await;
        assert_eq!(other.headers()[header::CONTENT_TYPE], "application/problem+json", "{path} {kind}");
    }
    let fine = refused("/v1/traces", "application/x-protobuf", || "fine".into_response()).await;
    assert_eq!(fine.into_body().collect().await.unwrap().to_bytes(), "fine");
}

proptest! {
    #[test]
    fn any_bytes_are_a_message_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100), known in any::<bool>()) {
        let packing = if known { Packing::Gzip } else { Packing::Plain };
        if let Ok(message) = message(&Bytes::from(bytes), packing, 50) {
            prop_assert!(message.len() <= 50);
        }
    }

    #[test]
    fn a_message_of_a_refusal_is_a_header_whatever_it_says(detail in ".{0,200}") {
        let response = refusal(&Problem::new(FaultKind::Invalid, "otlp-malformed", detail));
        prop_assert!(response.headers().contains_key("grpc-message"));
    }
}
