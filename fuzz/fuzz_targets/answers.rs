//! Whole answers and refusals of every kind of provider, and what clients of every dialect are told of them.
#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;
use mainspring_fuzz::{answers, places::Place, usage};
use mainspring_providers::Operation;

const OPERATIONS: [Operation; 9] = [
    Operation::Chat,
    Operation::Responses,
    Operation::Compact,
    Operation::Messages,
    Operation::CountTokens,
    Operation::Completions,
    Operation::Embeddings,
    Operation::Rerank,
    Operation::Moderations,
];

fuzz_target!(|data: &[u8]| {
    let Some(([place, what], body)) = data.split_first_chunk::<2>() else { return };
    let place = Place::numbered(*place);
    match what % 4 {
        0 | 1 => chat(place, body),
        2 => vectors(place, body),
        _ => order(place, body),
    }
    for operation in OPERATIONS {
        if let Some(used) = place.adapter.usage(operation, body) {
            usage::check(&used);
        }
    }
    refused(place, *what, body);
});

fn chat(place: &Place, body: &[u8]) {
    let answer = match place.adapter.decode(&place.endpoint, body) {
        Ok(answer) => answer,
        Err(fault) => return place.keeps_secrets(&fault),
    };
    if let Some(used) = &answer.usage {
        usage::check(used);
        // A client that is given the answer as it came pays what one pays that is given a translation.
        let passing = place.adapter.usage(Operation::Chat, body);
        assert!(passing.is_none_or(|passing| passing == *used || is_end_of_stream(body)), "{passing:?} and {used:?}");
    }
    answers::check(&answer);
}

/// Anthropic counts differently in an event that ends a stream; nobody sends one as an answer.
fn is_end_of_stream(body: &[u8]) -> bool {
    body.windows(15).any(|part| part == b"\"message_delta\"")
}

fn vectors(place: &Place, body: &[u8]) {
    match place.adapter.decode_embed(&place.endpoint, body) {
        Ok(answer) => answer.usage.iter().for_each(usage::check),
        Err(fault) => place.keeps_secrets(&fault),
    }
}

fn order(place: &Place, body: &[u8]) {
    match place.adapter.decode_rerank(&place.endpoint, body) {
        Ok(answer) => {
            answer.usage.iter().for_each(usage::check);
            assert!(answer.results.windows(2).all(|pair| pair[0].1.total_cmp(&pair[1].1).is_ge()), "best first");
        }
        Err(fault) => place.keeps_secrets(&fault),
    }
}

/// The same bytes as a refusal. What a server asks to wait stands in headers, and it may be anything.
fn refused(place: &Place, what: u8, body: &[u8]) {
    let status = StatusCode::from_u16(400 + u16::from(what)).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut headers = HeaderMap::new();
    if let Ok(said) = HeaderValue::from_bytes(&body[..body.len().min(40)]) {
        for name in ["retry-after", "retry-after-ms", "x-ratelimit-reset-requests", "x-amzn-errortype"] {
            headers.insert(HeaderName::from_static(name), said.clone());
        }
    }
    place.keeps_secrets(&place.adapter.refusal(&place.endpoint, status, &headers, body));
}
