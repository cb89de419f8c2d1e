use std::time::Duration;

use axum::response::IntoResponse;
use bytes::Bytes;
use http::StatusCode;
use mainspring_gateway::GatewayFault;
use mainspring_kernel::FaultKind;
use mainspring_providers::{FaultClass, UpstreamFault};
use mainspring_web_kit::Problem;
use serde_json::{Value, json};

use super::text;
use crate::{dialect, error::AnthropicError};

fn upstream(class: FaultClass, status: u16, body: &str) -> UpstreamFault {
    UpstreamFault {
        provider: "claude".parse().unwrap(),
        class,
        status: Some(status),
        message: "it says no".to_owned(),
        said: None,
        retry_after: Some(Duration::from_secs(7)),
        body: Some(Bytes::copy_from_slice(body.as_bytes())),
    }
}

fn sent(error: AnthropicError) -> (u16, Value, Option<String>) {
    let response = error.into_response();
    let (status, wait) = (response.status().as_u16(), response.headers().get("retry-after").cloned());
    let body = serde_json::from_str(&text(response)).unwrap();
    (status, body, wait.map(|wait| wait.to_str().unwrap().to_owned()))
}

#[test]
fn every_problem_has_a_word_of_anthropics() {
    for (kind, code, status, word) in [
        (FaultKind::Invalid, "x", 400, "invalid_request_error"),
        (FaultKind::Unauthenticated, "x", 401, "authentication_error"),
        (FaultKind::Forbidden, "x", 403, "permission_error"),
        (FaultKind::NotFound, "x", 404, "not_found_error"),
        (FaultKind::Conflict, "x", 409, "invalid_request_error"),
        (FaultKind::TooLarge, "x", 413, "request_too_large"),
        (FaultKind::Saturated, "x", 429, "rate_limit_error"),
        (FaultKind::Timeout, "x", 504, "timeout_error"),
        (FaultKind::Unavailable, "x", 503, "api_error"),
        (FaultKind::Unavailable, "gateway-no-target", 529, "overloaded_error"),
        (FaultKind::Unavailable, "upstream-overloaded", 529, "overloaded_error"),
        (FaultKind::Internal, "x", 500, "api_error"),
    ] {
        let problem = Problem::new(kind, code, "the detail").with_hint("the hint");
        let (sent_status, body, _) = sent(AnthropicError::from(problem.clone()).on(Some("req_1".to_owned())));
        assert_eq!(sent_status, status, "{kind:?} {code}");
        let expected = json!({
            "type": "error",
            "error": {"type": word, "message": "the detail (the hint)", "code": code},
            "request_id": "req_1",
        });
        assert_eq!(body, expected);
        assert_eq!(dialect("/v1/messages", &problem).unwrap()["error"], expected["error"]);
    }
}

#[test]
fn errors_made_elsewhere_have_this_shape_on_these_paths_only() {
    let problem = Problem::of_status(StatusCode::UNAUTHORIZED);
    assert!(dialect("/v1/messages", &problem).is_some() && dialect("/v1/messages/count_tokens", &problem).is_some());
    assert!(dialect("/v1/messagesx", &problem).is_none() && dialect("/v1/chat/completions", &problem).is_none());
}

#[test]
fn a_conversation_that_is_too_long_is_said_in_the_words_that_agents_know() {
    let problem = Problem::new(FaultKind::Invalid, "context-length-exceeded", "9000 tokens do not fit 8192");
    let message = dialect("/v1/messages", &problem).unwrap()["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(message, "prompt is too long: 9000 tokens do not fit 8192");
}

#[test]
fn a_provider_of_this_dialect_speaks_for_itself() {
    let said =
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"messages: too odd"},"request_id":"req_theirs"}"#;
    let (status, body, _) = sent(GatewayFault::from(upstream(FaultClass::Invalid, 400, said)).into());
    assert_eq!((status, body), (400, serde_json::from_str(said).unwrap()));
    let over = said.replace("invalid_request_error", "overloaded_error");
    let (status, body, wait) = sent(GatewayFault::from(upstream(FaultClass::Overloaded, 529, &over)).into());
    assert_eq!((status, &body["request_id"], wait.as_deref()), (529, &json!("req_theirs"), Some("7")));
}

#[test]
fn what_only_the_operator_can_mend_is_not_told_as_the_clients_mistake() {
    let said = r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#;
    for (class, status) in [(FaultClass::Auth, 401), (FaultClass::Quota, 400)] {
        let (sent_status, body, _) = sent(GatewayFault::from(upstream(class, status, said)).into());
        assert_eq!((sent_status, &body["error"]["type"]), (503, &json!("api_error")), "{class:?}");
        assert!(!body.to_string().contains("x-api-key"), "{body}");
    }
}

#[test]
fn a_provider_of_another_dialect_is_spoken_for() {
    for said in [r#"{"error":{"message":"no","type":"invalid_request_error"}}"#, "<html>", "", r#"{"type":"error","error":"no"}"#]
    {
        let (status, body, _) = sent(GatewayFault::from(upstream(FaultClass::Invalid, 422, said)).into());
        assert_eq!((status, &body["error"]["code"]), (400, &json!("upstream-invalid")), "{said}");
        assert!(body["error"]["message"].as_str().unwrap().contains("it says no"), "{body}");
    }
}
