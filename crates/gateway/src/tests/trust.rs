//! Certificates: what is not to be trusted is no connection, costs nothing, and says why.

use std::sync::Arc;

use mainspring_kernel::Money;
use mainspring_llm::Models;
use mainspring_providers::{FaultClass, SocketConfig};
use mainspring_testservers::upstream::{Certificate, Options, Script, Upstream};
use serde_json::json;

use super::room::{Room, cost, provider};
use crate::{CallStatus, Standing};

async fn room_with(server: &Upstream, trusted: Option<&Certificate>) -> Room {
    let authorities = trusted.map(Certificate::path);
    let room = Room::with(Models::default(), SocketConfig { allow_private: true, authorities, ..SocketConfig::default() }).await;
    let spec = json!({
        "targets": [{"provider": "main", "model": "a"}],
        "retry": {"attempts": 0},
        "breaker": {"failure_rate": 0.5, "min_attempts": 2, "window": "10m", "open_for": "10m", "probes": 1},
    });
    room.apply(&[("provider", "main", provider(server)), ("route", "assistant", spec)]).await;
    room
}

#[tokio::test]
async fn certificates_that_are_not_to_be_trusted_open_the_breaker_and_cost_nothing() {
    let cases = [
        ("signed by itself", Certificate::for_localhost(), false, "signed by nobody"),
        ("of another name", Certificate::for_another_name(), true, "for another name"),
        ("past its time", Certificate::expired(), true, "has expired"),
        ("before its time", Certificate::not_valid_yet(), true, "not valid yet"),
    ];
    for (what, made, trusted, why) in cases {
        let certificate = Arc::new(made.unwrap());
        let options = Options { certificate: Some(Arc::clone(&certificate)), ..Options::default() };
        let server = Upstream::start_with(Script::default(), &options).unwrap();
        let mut room = room_with(&server, trusted.then_some(certificate.as_ref())).await;
        for _ in 0..2 {
            let fault = room.ask("assistant").await.unwrap_err();
            assert_eq!(fault.class(), Some(FaultClass::Connect), "{what}: {fault}");
            assert!(fault.to_string().contains(why), "{what}: {fault}");
            let record = room.settled_once().await;
            assert_eq!((record.status, record.class), (CallStatus::Failed, Some(FaultClass::Connect)), "{what}");
            assert_eq!((record.usage.total(), record.cost), (0, Money::ZERO), "{what}");
        }
        assert_eq!(server.count(), 0, "{what}: nothing was sent, the key least of all");
        let standing = room.gateway.health(room.project).await[0].standing;
        assert!(matches!(standing, Standing::Open { .. }), "{what}: {standing:?}");
    }
}

#[tokio::test]
async fn a_certificate_of_an_authority_that_was_named_is_trusted() {
    let certificate = Arc::new(Certificate::for_localhost().unwrap());
    let options = Options { certificate: Some(Arc::clone(&certificate)), ..Options::default() };
    let server = Upstream::start_with(Script::default(), &options).unwrap();
    let mut room = room_with(&server, Some(&certificate)).await;
    room.ask("assistant").await.unwrap();
    let record = room.settled_once().await;
    assert_eq!((record.status, record.cost, server.count()), (CallStatus::Ok, cost(12, 8), 1));
}
