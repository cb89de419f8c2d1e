//! What every kind of provider keeps to itself.

use http::{HeaderMap, StatusCode};
use mainspring_kernel::Fault as _;
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
