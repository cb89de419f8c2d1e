//! What was used, looked up in answers that pass through, and counted once.

use std::sync::LazyLock;

use mainspring_llm::TokenUsage;
use mainspring_testservers::recordings::{Api, Recording};
use proptest::prelude::*;
use serde_json::{Number, Value};

use super::{adapter_of, answered, check_each, endpoint, folded, json, operation, said, said::Used, same};

/// As `said::of` has it, for what is only embedded or completed too.
fn theirs(api: Api, body: &Value) -> Option<Used> {
    match api {
        Api::Completions | Api::Embeddings => {
            let count = |name: &str| body["usage"][name].as_u64().unwrap_or(0);
            let (input, output) = (count("prompt_tokens"), count("completion_tokens"));
            body["usage"].is_object().then_some(Used { input, output, ..Used::default() })
        }
        Api::GeminiEmbeddings => {
            let input = body["usageMetadata"]["promptTokenCount"].as_u64().unwrap_or(0);
            Some(Used { input, ..Used::default() })
        }
        api => said::of(api, body).used,
    }
}

fn peeked(recording: &Recording, body: &[u8]) -> Option<TokenUsage> {
    let endpoint = endpoint(recording);
    adapter_of(&endpoint).usage(operation(recording.api), body)
}

#[test]
fn what_passes_through_whole_says_what_it_used() {
    check_each(answered().filter(|one| !one.is_streamed()), |one| {
        let ours = peeked(one, &one.response).map(Used::from);
        same("used", &ours, &theirs(one.api, &json(&one.response)))
    });
}

#[test]
fn what_passes_through_in_pieces_says_what_it_used() {
    let passes = |one: &&Recording| one.is_streamed() && matches!(one.api, Api::Chat | Api::Responses | Api::Messages);
    check_each(answered().filter(passes), |one| {
        let mut ours: Option<TokenUsage> = None;
        for event in folded::events(&one.response) {
            if let Some(more) = peeked(one, event.to_string().as_bytes()) {
                ours.get_or_insert_default().merge(&more);
            }
        }
        same("used", &ours.map(Used::from), &theirs(one.api, &folded::whole(one)))
    });
}

/// Most providers say the sum too. Anthropic does not, and counts outside the input what others count inside.
fn total(body: &Value) -> Option<u64> {
    let said = [&body["usage"]["total_tokens"], &body["usage"]["totalTokens"], &body["usageMetadata"]["totalTokenCount"]];
    said.into_iter().find_map(Value::as_u64)
}

#[test]
fn no_token_is_counted_twice() {
    let mut sums = 0;
    for one in answered().filter(|one| !one.is_streamed()) {
        let Some(used) = peeked(one, &one.response) else { continue };
        let place = format!("{} {} {used:?}", one.package, one.file);
        assert_eq!(used.buckets().total(), used.total(), "{place}");
        assert!(used.cache_read + used.cache_written() + used.input_audio + used.input_image <= used.input, "{place}");
        assert!(used.reasoning + used.output_audio + used.output_image <= used.output, "{place}");
        if let Some(total) = total(&json(&one.response)) {
            sums += 1;
            assert_eq!(used.total(), total, "{place}");
        }
    }
    assert!(sums > 400, "only {sums} answers said their sum");
}

/// Every number below a usage, times so much.
fn times(value: &mut Value, inside: bool, factor: u64) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                times(value, inside || name == "usage" || name == "usageMetadata", factor);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| times(value, inside, factor)),
        Value::Number(number) if inside => {
            if let Some(count) = number.as_u64() {
                *number = Number::from(count * factor);
            }
        }
        _ => {}
    }
}

fn multiplied(used: TokenUsage, by: u64) -> TokenUsage {
    TokenUsage {
        input: used.input * by,
        output: used.output * by,
        cache_read: used.cache_read * by,
        cache_write: used.cache_write * by,
        cache_write_hour: used.cache_write_hour * by,
        input_audio: used.input_audio * by,
        input_image: used.input_image * by,
        reasoning: used.reasoning * by,
        output_audio: used.output_audio * by,
        output_image: used.output_image * by,
        ..used
    }
}

/// Other numbers in the places where providers write them.
fn numbers(value: &mut Value, inside: bool, seed: &[u64], at: &mut usize) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                numbers(value, inside || name == "usage" || name == "usageMetadata", seed, at);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| numbers(value, inside, seed, at)),
        Value::Number(number) if inside && number.is_u64() => {
            *number = seed[*at % seed.len()].into();
            *at += 1;
        }
        _ => {}
    }
}

/// Whole answers that say what they used, and their bodies.
static WHOLES: LazyLock<Vec<(&'static Recording, Value)>> = LazyLock::new(|| {
    let whole = answered().filter(|one| !one.is_streamed() && !matches!(one.api, Api::Embeddings));
    whole.map(|one| (one, json(&one.response))).collect()
});

#[test]
fn of_so_many_times_the_tokens_so_many_times_are_counted() {
    for (one, body) in WHOLES.iter() {
        let mut body = body.clone();
        let Some(used) = peeked(one, &one.response) else { continue };
        times(&mut body, false, 1000);
        let more = peeked(one, body.to_string().as_bytes());
        assert_eq!(more, Some(multiplied(used, 1000)), "{} {}", one.package, one.file);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever numbers stand in a real answer, the pieces that are paid add up to the whole.
    #[test]
    fn parts_never_add_up_to_more_than_the_whole(seed in proptest::collection::vec(0_u64..1_000_000, 24), every in 0_usize..16) {
        for (one, body) in WHOLES.iter().skip(every).step_by(16) {
            let mut body = body.clone();
            numbers(&mut body, false, &seed, &mut 0);
            if let Some(used) = peeked(one, body.to_string().as_bytes()) {
                prop_assert_eq!(used.buckets().total(), used.total());
                let mut again = used;
                again.merge(&used);
                prop_assert_eq!(again, used);
            }
        }
    }
}

#[test]
fn every_vector_is_read() {
    check_each(answered().filter(|one| matches!(one.api, Api::Embeddings | Api::GeminiEmbeddings)), |one| {
        let endpoint = endpoint(one);
        let answer = adapter_of(&endpoint).decode_embed(&endpoint, &one.response).map_err(|fault| fault.to_string())?;
        let body = json(&one.response);
        let listed = body["data"].as_array().or(body["embeddings"].as_array()).ok_or("no list")?;
        // Four bytes a number; base64 makes four signs of three bytes.
        let length =
            |value: &Value| match (value["embedding"].as_str(), value["embedding"].as_array().or(value["values"].as_array())) {
                (Some(text), _) => text.trim_end_matches('=').len() * 3 / 16,
                (None, list) => list.map_or(0, Vec::len),
            };
        same("lengths", &answer.vectors.iter().map(Vec::len).collect::<Vec<_>>(), &listed.iter().map(length).collect())?;
        let zero = answer.vectors.iter().any(|vector| vector.iter().all(|number| *number == 0.0));
        if zero {
            Err("a vector of nothing".to_owned())
        } else {
            same("used", &answer.usage.map(Used::from), &theirs(one.api, &body))
        }
    });
}
