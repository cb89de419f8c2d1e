//! Requests of clients in every dialect: what is looked at is what is read, and what is read can be said to every provider.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mainspring_api_openai::fuzzing as inputs;
use mainspring_fuzz::{is_json, is_shallow, places::Place};
use mainspring_kernel::Timestamp;
use mainspring_llm::exchange::{Call, Dialect};
use mainspring_providers::{
    Encoded, Operation, Outgoing, UpstreamFault, anthropic, openai,
    peek::{Peek, Rewrite, peek},
};
use serde_json::{Map, Value, json};

fuzz_target!(|data: &[u8]| {
    let Some((surface, body)) = data.split_first() else { return };
    let peeked = peek(body).ok();
    if let Some(peeked) = &peeked {
        rewritten(peeked, body);
    }
    let call = match surface % 5 {
        0 => openai::chat::read(body).ok(),
        1 => openai::responses::read(body).ok(),
        2 => anthropic::read(body).ok(),
        3 => return embeddings(body),
        _ => return rerank(body),
    };
    let Some(call) = call else { return };
    if let Some(peeked) = &peeked {
        alike(peeked, &call);
    }
    for place in Place::all() {
        encoded(place, &call);
        passed(place, &call, body);
    }
});

/// Policy goes by what was looked at, and the provider by the whole.
fn alike(peeked: &Peek, call: &Call) {
    assert_eq!(peeked.model.as_deref(), Some(call.model.as_str()));
    assert_eq!(peeked.stream, call.stream);
    let bounds = peeked.bounds;
    assert!(call.n.is_none_or(|n| bounds.n == Some(n)), "{:?} and {:?}", bounds.n, call.n);
    let operation = match call.said_in {
        Dialect::Anthropic => Operation::Messages,
        Dialect::OpenAiResponses => Operation::Responses,
        _ => Operation::Chat,
    };
    let covers = |most: u32| bounds.each(operation).is_none_or(|seen| seen >= most);
    assert!(call.max_tokens.is_none_or(covers), "{bounds:?} and {:?}", call.max_tokens);
    if call.said_in != Dialect::Anthropic {
        assert!(call.user.is_none() || peeked.user == call.user, "{:?} and {:?}", peeked.user, call.user);
    }
}

/// An edited body says what was wished for, and is the same otherwise.
fn rewritten(peeked: &Peek, body: &[u8]) {
    let wish = Rewrite { model: Some("another"), usage: true, without_mainspring: true };
    let edited = peeked.rewrite(&Bytes::copy_from_slice(body), wish);
    let seen = peek(&edited).unwrap_or_else(|fault| panic!("{fault}: {}", String::from_utf8_lossy(&edited)));
    assert_eq!((seen.model.as_deref(), seen.include_usage, seen.session), (Some("another"), true, None));
    assert_eq!((seen.stream, seen.bounds, &seen.user), (peeked.stream, peeked.bounds, &peeked.user));
    let Ok(mut want) = serde_json::from_slice::<Map<String, Value>>(body) else { return };
    want.insert("model".to_owned(), json!("another"));
    want.shift_remove("mainspring");
    let options = want.entry("stream_options").or_insert(Value::Null);
    let mut inside = options.as_object().cloned().unwrap_or_default();
    inside.insert("include_usage".to_owned(), json!(true));
    *options = Value::Object(inside);
    assert_eq!(serde_json::from_slice::<Value>(&edited).ok(), Some(Value::Object(want)));
}

fn encoded(place: &Place, call: &Call) {
    let Encoded { outgoing, lost } = match place.adapter.encode(&place.endpoint, call) {
        Ok(encoded) => encoded,
        Err(fault) => return place.keeps_secrets(&fault),
    };
    assert!(lost.iter().all(|lost| !lost.field.is_empty() && !lost.why.is_empty()));
    is_json(&outgoing.body);
    let said = is_shallow(&outgoing.body).then_some(&outgoing.body);
    let again = match (place.adapter.dialect(), said) {
        (Dialect::OpenAiChat, Some(body)) if !call.turns.is_empty() => {
            openai::chat::read(body).map_err(|fault| fault.to_string())
        }
        (Dialect::Anthropic, Some(body)) => anthropic::read(body).map_err(|fault| fault.to_string()),
        _ => return signed(place, outgoing),
    };
    match again {
        Ok(again) => assert_eq!((again.model.as_str(), again.stream), (place.endpoint.model.as_str(), call.stream)),
        Err(fault) => panic!("{fault}: {}", String::from_utf8_lossy(&outgoing.body)),
    }
    signed(place, outgoing);
}

fn passed(place: &Place, call: &Call, body: &[u8]) {
    let operation = match call.said_in {
        Dialect::OpenAiResponses => Operation::Responses,
        Dialect::Anthropic => Operation::Messages,
        _ => Operation::Chat,
    };
    let body = Bytes::copy_from_slice(body);
    if let Some(Ok(outgoing)) = place.adapter.pass(&place.endpoint, operation, body.clone(), call.stream) {
        assert_eq!(outgoing.body, body, "what passes is not touched");
        signed(place, outgoing);
    }
}

/// The credential stands in headers that are not shown.
fn signed(place: &Place, mut outgoing: Outgoing) {
    let now = Timestamp::from_micros(1_700_000_000_000_000);
    let went: Result<(), UpstreamFault> = place.adapter.authorize(&place.endpoint, &mut outgoing, now);
    went.expect("this credential can be sent");
}

fn embeddings(body: &[u8]) {
    let Some(call) = inputs::embed(body) else { return };
    assert!(!call.inputs.is_empty() && call.inputs.iter().all(|input| !input.is_empty()));
    for place in Place::all() {
        match place.adapter.encode_embed(&place.endpoint, &call) {
            Ok(outgoing) => is_json(&outgoing.body),
            Err(fault) => place.keeps_secrets(&fault),
        }
    }
}

fn rerank(body: &[u8]) {
    let Some(call) = inputs::rerank(body) else { return };
    assert!(!call.documents.is_empty() && call.top_n != Some(0));
    for place in Place::all() {
        match place.adapter.encode_rerank(&place.endpoint, &call) {
            Ok(outgoing) => is_json(&outgoing.body),
            Err(fault) => place.keeps_secrets(&fault),
        }
    }
}
