//! What was used, looked up in answers that pass through, and counted once.

use std::sync::LazyLock;

use mainspring_llm::{Provenance, TokenUsage};
use mainspring_testservers::recordings::{Api, Recording};
use proptest::prelude::*;
use serde_json::{Number, Value};

use super::{adapter_of, answered, check_each, endpoint, folded, json, operation, said, said::Used, same};

/// As `said::of` has it, for what is only embedded or completed too.
fn theirs(api: Api, body: &Value) -> Option<Used> {
    match api {
        Api::Completions | Api::Embeddings => {
            let count = |place: &Value| place.as_u64().unwrap_or(0);
            let used = &body["usage"];
            used.is_object().then(|| Used {
                input: count(&used["prompt_tokens"]),
                output: count(&used["completion_tokens"]),
                cache_read: count(&used["prompt_tokens_details"]["cached_tokens"]),
                cache_written: count(&used["prompt_tokens_details"]["cache_write_tokens"]),
                reasoning: count(&used["completion_tokens_details"]["reasoning_tokens"]),
            })
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
        assert!(used.cache_read + used.cache_written() + used.input_audio + used.input_image <= used.input, "{place}");
        assert!(used.reasoning + used.output_audio + used.output_image <= used.output, "{place}");
        assert_eq!(used, used.all_from(Provenance::Reported), "{place}");
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
fn numbers(value: &mut Value, seed: &[u64], at: &mut usize) {
    match value {
        Value::Object(map) => map.values_mut().for_each(|value| numbers(value, seed, at)),
        Value::Array(list) => list.iter_mut().for_each(|value| numbers(value, seed, at)),
        Value::Number(number) if number.is_u64() => {
            *number = seed[*at % seed.len()].into();
            *at += 1;
        }
        _ => {}
    }
}

/// The same answer with other numbers, the sums in which are sums again: readers go by some of them.
fn renumbered(body: &Value, seed: &[u64]) -> Value {
    let mut body = body.clone();
    let mut at = 0;
    for used in ["usage", "usageMetadata"] {
        if let Some(used) = body.get_mut(used) {
            numbers(used, seed, &mut at);
            add_up(used);
        }
    }
    body
}

fn sum(used: &Value, names: &[&str]) -> u64 {
    names.iter().filter_map(|name| used[*name].as_u64()).sum()
}

fn add_up(used: &mut Value) {
    if let Some(turns) = used.get_mut("iterations").and_then(Value::as_array_mut) {
        turns.iter_mut().for_each(add_up);
    }
    // Beside the turns of an answer stand the numbers of one of them.
    if let Some(Value::Object(last)) = used["iterations"].as_array().and_then(|turns| turns.last()).cloned() {
        for (name, value) in last {
            if used[&name].is_u64() || used[&name].is_object() {
                used[&name] = value;
            }
        }
    }
    let wholes = [
        ("total_tokens", &["prompt_tokens", "completion_tokens", "input_tokens", "output_tokens"][..]),
        ("totalTokens", &["inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"]),
        ("totalTokenCount", &["promptTokenCount", "toolUsePromptTokenCount", "candidatesTokenCount", "thoughtsTokenCount"]),
    ];
    for (name, parts) in wholes {
        if used[name].is_u64() {
            used[name] = sum(used, parts).into();
        }
    }
    if used["cache_creation"].is_object() {
        let times = ["ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"];
        used["cache_creation_input_tokens"] = sum(&used["cache_creation"], &times).into();
    }
    if let Some(thinking) = used["output_tokens_details"]["thinking_tokens"].as_u64() {
        let most = sum(used, &["output_tokens"]);
        used["output_tokens_details"]["thinking_tokens"] = thinking.min(most).into();
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

    /// Whatever numbers stand in a real answer, they are read as a second reader has them.
    #[test]
    fn other_numbers_are_read_as_well(seed in proptest::collection::vec(0_u64..1_000_000, 24), every in 0_usize..16) {
        for (one, body) in WHOLES.iter().skip(every).step_by(16) {
            let body = renumbered(body, &seed);
            let ours = peeked(one, body.to_string().as_bytes()).map(Used::from);
            prop_assert_eq!(ours, theirs(one.api, &body), "{} {}: {}", one.package, one.file, body);
        }
    }
}

/// What all of them used.
static USAGES: LazyLock<Vec<TokenUsage>> =
    LazyLock::new(|| WHOLES.iter().filter_map(|(one, _)| peeked(one, &one.response)).collect());

/// A number of a usage and where it comes from.
fn told(used: &TokenUsage, name: &str) -> (u64, Option<Provenance>) {
    let found = used.numbers().find(|(other, ..)| *other == name);
    found.map_or((0, None), |(_, number, from)| (number, Some(from)))
}

proptest! {
    /// Each number of a real answer keeps its own mark when attempts are added up, one of which told less: the sum has every
    /// token once, and its parts still fit into their wholes.
    #[test]
    fn marks_of_real_answers_add_up_number_by_number(
        which in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(),
        (input, output) in (any::<bool>(), any::<bool>()),
    ) {
        let (first, mut second) = (*which.get(&USAGES), *other.get(&USAGES));
        let from = |guessed: bool| if guessed { Provenance::Estimated } else { Provenance::Reported };
        (second.input_from, second.output_from) = (from(input), from(output));
        let mut sum = first;
        sum.grow_by(&second);
        for (name, number, mark) in sum.numbers() {
            let ((one, of_one), (two, of_two)) = (told(&first, name), told(&second, name));
            prop_assert_eq!((number, Some(mark)), (one + two, of_one.max(of_two)), "{}", name);
            prop_assert!(mark == Provenance::Reported || matches!(name, "input" | "output"), "a part was told: {name}");
        }
        let pieces = sum.buckets();
        prop_assert_eq!(pieces.total(), first.total() + second.total());
        prop_assert_eq!(
            [pieces.cache_read, pieces.cache_write + pieces.cache_write_hour, pieces.input_audio, pieces.input_image],
            [sum.cache_read, sum.cache_written(), sum.input_audio, sum.input_image],
            "no part is cut"
        );
        prop_assert_eq!(
            [pieces.reasoning, pieces.output_audio, pieces.output_image],
            [sum.reasoning, sum.output_audio, sum.output_image]
        );
        let read: TokenUsage = serde_json::from_value(serde_json::json!(sum)).unwrap();
        prop_assert_eq!(read, sum, "a record has it as it is");
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
