//! What every kind of provider keeps to itself.

use http::{HeaderMap, StatusCode};
use mainspring_kernel::{Fault as _, Timestamp};
use mainspring_llm::exchange::{Call, Dialect, Role, Turn};
use proptest::prelude::*;
use serde_json::json;

use super::{Endpoint, adapter};
use crate::spec::ProviderKind;

const KEY: &str = "sk-test-0123456789abcdef";
const SECRET: &str = "secret/0123+456789/abcdef";
const TOKEN: &str = "session-0123456789-abcdef";

const KINDS: [ProviderKind; 5] =
    [ProviderKind::OpenAi, ProviderKind::Azure, ProviderKind::Anthropic, ProviderKind::Gemini, ProviderKind::Bedrock];

fn endpoint(kind: ProviderKind) -> Endpoint {
    Endpoint {
        // Keys come with white space around them, and are sent without.
        credential: Some(format!(" {KEY} ").into()),
        secret_key: Some(SECRET.into()),
        session_token: Some(TOKEN.into()),
        region: Some("eu-central-1".to_owned()),
        ..Endpoint::new("main".parse().unwrap(), kind, "https://models.example/v1", "m")
    }
}

#[test]
fn words_without_the_credential_are_the_same_words() {
    let endpoint = endpoint(ProviderKind::Bedrock);
    assert_eq!(endpoint.unquoted("all is well"), "all is well");
    assert_eq!(endpoint.unquoted(&format!("{KEY} and {SECRET}, {TOKEN}")), "[credential] and [credential], [credential]");
    assert!(endpoint.is_quoted(format!("Bearer {KEY}").as_bytes()) && !endpoint.is_quoted(b"sk-test-"));
    let short = Endpoint { credential: Some("a".into()), secret_key: None, session_token: None, ..endpoint };
    assert_eq!(short.unquoted("a b a"), "a b a", "what occurs in any text is no key");
}

#[test]
fn headers_with_secrets_are_sent_and_never_shown() {
    const PORTAL: &str = "portal-0123456789-abcdef";
    let mut call = Call::new("asked", Dialect::OpenAiChat);
    call.turns = vec![Turn::text(Role::User, "Hi")];
    for kind in KINDS {
        // The credential's own header comes before one of the same name.
        let names = ["x-portal-token", "authorization", "api-key", "x-api-key", "x-goog-api-key"];
        let secret_headers = names.iter().map(|name| ((*name).to_owned(), PORTAL.into())).collect();
        let endpoint = Endpoint { secret_headers, ..endpoint(kind) };
        let adapter = adapter(kind).unwrap();
        let mut sent = adapter.encode(&endpoint, &call).unwrap().outgoing;
        assert!(!sent.headers.contains_key("x-portal-token"), "{kind:?}: `authorize` alone sees them");
        adapter.authorize(&endpoint, &mut sent, Timestamp::from_micros(1_700_000_000_000_000)).unwrap();
        assert_eq!(sent.headers["x-portal-token"], PORTAL, "{kind:?}");
        assert_eq!(sent.headers.values().filter(|value| *value == PORTAL).count(), names.len() - 1, "{kind:?}");
        assert!(!format!("{endpoint:?} {sent:?}").contains(PORTAL), "{kind:?}");
        assert_eq!(endpoint.unquoted(&format!("no {PORTAL}")), "no [credential]");
        let mut schemed = endpoint.clone();
        schemed.secret_headers = [("authorization".to_owned(), format!("Bearer {PORTAL}").into())].into();
        assert_eq!(schemed.unquoted(&format!("no {PORTAL}, sent as Bearer {PORTAL}")), "no [credential], sent as [credential]");
        assert!(schemed.is_quoted(format!("no {PORTAL}").as_bytes()));
        let mut broken = endpoint.clone();
        broken.secret_headers.insert("no header".to_owned(), PORTAL.into());
        let fault = adapter.authorize(&broken, &mut sent, Timestamp::from_micros(0)).unwrap_err();
        assert!(fault.message.contains("no header") && !fault.message.contains(PORTAL), "{fault}");
    }
}

/// An error as some server of some dialect writes it, with a word in one of its places.
fn error(form: u8, place: u8, word: &str) -> String {
    let at = |wanted: u8| if place % 5 == wanted { word } else { "x" };
    let inside = json!({"message": at(0), "type": at(1), "code": at(2), "status": at(3), "param": at(4)});
    match form % 6 {
        0 => json!({ "error": inside }).to_string(),
        1 => json!({"type": "error", "error": inside, "request_id": at(4)}).to_string(),
        2 => json!([{ "error": inside }]).to_string(),
        3 => inside.to_string(),
        4 => format!("<html><title>{word}</title></html>"),
        _ => format!("no JSON but {word}"),
    }
}

proptest! {
    #[test]
    fn no_fault_of_any_kind_quotes_a_credential(
        which in 0_usize..5, status in 300_u16..600, form in any::<u8>(), place in any::<u8>(), around in "[ -~]{0,20}", cut in any::<prop::sample::Index>(),
    ) {
        let endpoint = endpoint(KINDS[which]);
        let adapter = adapter(KINDS[which]).unwrap();
        for secret in [KEY, SECRET, TOKEN] {
            let said = error(form, place, &format!("{around}{secret}{around}"));
            let kept = cut.index(said.len() * 2).min(said.len());
            for body in [said.as_bytes(), &said.as_bytes()[..kept]] {
                let mut headers = HeaderMap::new();
                headers.insert("x-amzn-errortype", secret.parse().unwrap());
                let fault = adapter.refusal(&endpoint, StatusCode::from_u16(status).unwrap(), &headers, body);
                let told = format!("{fault} {fault:?} {:?} {:?}", fault.hint(), fault.said);
                prop_assert!(!told.contains(secret), "{:?}: {}", KINDS[which], told);
                prop_assert!(fault.body.as_ref().is_none_or(|body| !endpoint.is_quoted(body)));
                if let Err(fault) = adapter.decode(&endpoint, body) {
                    prop_assert!(!format!("{fault} {fault:?}").contains(secret), "{:?}: {}", KINDS[which], fault);
                }
                let mut events = Vec::new();
                let mut reader = adapter.events(&endpoint);
                let framed = format!("data: {}\n\n", String::from_utf8_lossy(body));
                if let Err(fault) = reader.push(framed.as_bytes(), &mut events).and_then(|()| reader.end(&mut events)) {
                    prop_assert!(!format!("{fault} {fault:?}").contains(secret), "{:?}: {}", KINDS[which], fault);
                }
            }
        }
    }
}

/// What of a call is asked to be counted, where, and the number that comes back.
#[test]
fn providers_that_count_are_asked_to_in_their_own_words() {
    let mut call = Call::new("asked", Dialect::OpenAiChat);
    call.turns = vec![Turn::text(Role::System, "Be brief."), Turn::text(Role::User, "Hi")];
    (call.max_tokens, call.temperature, call.stream) = (Some(9), Some(0.5), true);
    for (kind, model, path, at, said) in [
        (ProviderKind::Anthropic, "claude-sonnet-4-5", "/v1/messages/count_tokens", "", json!({"input_tokens": 7})),
        (
            ProviderKind::Gemini,
            "gemini-2.5-flash",
            "/v1/models/gemini-2.5-flash:countTokens",
            "/generateContentRequest",
            json!({"totalTokens": 7}),
        ),
        (
            ProviderKind::Bedrock,
            "anthropic.claude-sonnet-4-5-v1:0",
            "/v1/model/anthropic.claude-sonnet-4-5-v1%3A0/count-tokens",
            "/input/converse",
            json!({"inputTokens": 7}),
        ),
    ] {
        let endpoint = Endpoint { model: model.to_owned(), ..endpoint(kind) };
        let adapter = adapter(kind).unwrap();
        assert!(adapter.counts(&endpoint, Dialect::OpenAiResponses), "{kind:?}");
        let sent = adapter.encode_count(&endpoint, &call).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&sent.body).unwrap();
        let asked = body.pointer(at).unwrap();
        assert_eq!(sent.uri.path(), path);
        assert!(asked.to_string().contains("Be brief.") && asked.to_string().contains("Hi"), "{kind:?}: {body}");
        assert!(!body.to_string().contains("0.5") && !body.to_string().contains("stream"), "{kind:?}: {body}");
        assert_eq!(adapter.decode_count(&endpoint, said.to_string().as_bytes()).unwrap(), 7);
        assert_eq!(adapter.decode_count(&endpoint, b"{}").unwrap_err().class, crate::FaultClass::Malformed);
    }
    let nova = Endpoint { model: "amazon.nova-lite-v1:0".to_owned(), ..endpoint(ProviderKind::Bedrock) };
    assert!(!adapter(ProviderKind::Bedrock).unwrap().counts(&nova, Dialect::OpenAiResponses));
}
