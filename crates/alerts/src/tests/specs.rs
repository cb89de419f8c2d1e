//! What people write of receivers.

use mainspring_kernel::Fault as _;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{Address, ReceiverSpec, Severity, descriptor};

#[track_caller]
fn refused(spec: Value, path: &str, message: &str) {
    let fault = (descriptor().parse)(&spec).unwrap_err();
    let found = fault.problems.iter().any(|problem| problem.path == path && problem.message.contains(message));
    assert!(found, "{spec}: {:#?}", fault.problems);
    assert_eq!(fault.code(), "registry-invalid-spec");
}

fn email() -> Value {
    json!({ "host": "smtp.example.com", "from": "a@example.com", "to": ["b@example.com"] })
}

fn with(mut email: Value, field: &str, value: Value) -> Value {
    email[field] = value;
    json!({ "email": email })
}

#[test]
fn a_spec_is_read_with_its_defaults() {
    let spec = json!({ "webhook": { "url": "https://example.com/hook", "secret": "secret:hook" } });
    let read = (descriptor().parse)(&spec).unwrap().canonical;
    assert_eq!(
        read,
        json!({
            "webhook": { "url": "https://example.com/hook", "secret": "secret:hook" },
            "severity": "info", "remind_every": "4h", "resolved": true, "timeout": "10s", "attempts": 12, "per_minute": 30,
        })
    );
    let again: ReceiverSpec = serde_json::from_value(read).unwrap();
    assert_eq!((again.severity, again.way()), (Severity::Info, "webhook"));
    for (security, port) in [("starttls", 587), ("tls", 465), ("none", 25)] {
        let spec: ReceiverSpec = serde_json::from_value(with(email(), "security", json!(security))).unwrap();
        assert_eq!(spec.email.unwrap().port(), port);
    }
}

#[test]
fn what_is_wrong_is_said_where_it_is() {
    let hook = json!({ "url": "https://example.com" });
    refused(json!({}), "", "exactly one of");
    refused(json!({ "webhook": hook, "slack": { "url": "secret:slack" } }), "", "exactly one of");
    refused(json!({ "webhook": hook, "mach": [] }), "mach", "did you mean `match`");
    refused(json!({ "webhook": hook, "match": ["app"] }), "match[0]", "is no matcher");
    refused(json!({ "webhook": hook, "severity": "bad" }), "severity", "unknown value `bad`");
    refused(json!({ "webhook": hook, "timeout": "0s" }), "timeout", "from 1s to 60s");
    refused(json!({ "webhook": hook, "timeout": "61s" }), "timeout", "from 1s to 60s");
    refused(json!({ "webhook": hook, "remind_every": "1s" }), "remind_every", "a minute or more");
    refused(json!({ "webhook": hook, "attempts": 0 }), "attempts", "from 1 to 50");
    refused(json!({ "webhook": hook, "per_minute": 601 }), "per_minute", "from 1 to 600");
    refused(json!({ "webhook": { "url": "ftp://example.com" } }), "webhook.url", "begins with `https://`");
    refused(json!({ "webhook": { "url": "example" } }), "webhook.url", "is no address");
    refused(json!({ "webhook": { "url": "https://me:pass@example.com" } }), "webhook.url", "holds a password");
    refused(json!({ "webhook": { "url": "https://example.com", "old_secret": "env:X" } }), "webhook.old_secret", "not alone");
    refused(json!({ "slack": { "url": "https://hooks.slack.com/services/x" } }), "slack.url", "a credential is written as");
    refused(json!({ "pagerduty": { "routing_key": "env:X", "url": "no" } }), "pagerduty.url", "is no address");
    refused(with(email(), "host", json!("smtp example")), "email.host", "name of a server");
    refused(with(email(), "port", json!(0)), "email.port", "from 1");
    refused(with(email(), "username", json!("me")), "email.password", "together");
    refused(with(email(), "from", json!("nobody")), "email.from", "is no address");
    refused(with(email(), "to", json!([])), "email.to", "from 1 to 100");
    refused(with(email(), "to", json!(["a@example.com", "b@example.com\r\nBcc: c@example.com"])), "email.to[1]", "is no address");
    let mut open = email();
    open["username"] = json!("me");
    open["password"] = json!("env:X");
    refused(with(open, "security", json!("none")), "email.security", "never sent in the open");
}

#[test]
fn a_key_in_a_spec_is_not_repeated() {
    let spec = json!({ "pagerduty": { "routing_key": "R0123456789ABCDEF0123456789ABCDEF" } });
    let fault = (descriptor().parse)(&spec).unwrap_err();
    assert!(!format!("{fault:?}").contains("R0123456789"), "{fault:?}");
}

#[test]
fn addresses_are_those_that_mail_servers_take() {
    for given in ["a@example.com", "a.b+c@mail.example.co.uk", "Alerts <a@example.com>", "\"Dr. Ü\" <a@b.c>", " a@b "] {
        assert!(given.parse::<Address>().is_ok(), "{given}");
    }
    for given in [
        "",
        "a",
        "@b",
        "a@",
        "a@b@c",
        "a b@c",
        "a@b c",
        "a.@b",
        ".a@b",
        "a..b@c",
        "a@b..c",
        "<a@b",
        "a@b>",
        "ü@b.c",
        "a@ü.de",
        "a@b\r\nRCPT TO:<x@y>",
        "x\n <a@b>",
        "a <<b@c>>",
    ] {
        assert!(given.parse::<Address>().is_err(), "{given:?}");
    }
}

proptest! {
    #[test]
    fn any_address_is_read_or_refused_and_never_breaks_a_line(given in "\\PC{0,40}|[a-z<>@.\" \r\n]{0,30}") {
        if let Ok(address) = given.parse::<Address>() {
            prop_assert!(!address.mailbox().contains(['\r', '\n', '<', '>', ' ']));
            prop_assert!(address.to_string().lines().all(|line| line.is_ascii()));
        }
    }

    #[test]
    fn any_spec_is_read_or_refused(cut in 0_usize..400, at in 0_usize..400, byte in 32_u8..127) {
        let spec = json!({ "email": with(email(), "security", json!("tls"))["email"], "match": ["app=desk"], "timeout": "5s" });
        let mut text = spec.to_string().into_bytes();
        if let Some(place) = text.get_mut(at) {
            *place = byte;
        }
        text.truncate(cut);
        if let Ok(value) = serde_json::from_slice::<Value>(&text) {
            let _ = (descriptor().parse)(&value);
        }
        let whole = spec.to_string().replacen("desk", &char::from(byte).to_string(), 1);
        if let Ok(value) = serde_json::from_str::<Value>(&whole) {
            let _ = (descriptor().parse)(&value);
        }
    }
}
