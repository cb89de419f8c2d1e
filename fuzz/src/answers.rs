//! A whole answer, told to clients of each dialect.

use mainspring_llm::{
    TokenUsage,
    exchange::{Answer, Dialect},
};
use mainspring_providers::{anthropic, openai};
use serde_json::Value;

use crate::{is_json, is_shallow, number, places::Place};

/// Every client gets JSON, with every token once, and what it gets is an answer of its dialect.
pub fn check(answer: &Answer) {
    chat(answer);
    responses(answer);
    messages(answer);
}

fn chat(answer: &Answer) {
    let written = openai::chat::write(answer, 0, "m");
    let text = written.to_string();
    is_json(text.as_bytes());
    if let Some(used) = &answer.usage {
        let said = number(&written, "/usage/prompt_tokens").saturating_add(number(&written, "/usage/completion_tokens"));
        assert_eq!((said, number(&written, "/usage/total_tokens")), (used.total(), used.total()), "{used:?}");
    }
    let Some(again) = read_again(Dialect::OpenAiChat, &text) else { return };
    assert_eq!(again.choices.len(), answer.choices.len(), "{text}");
    same_tokens(answer, &again);
}

fn responses(answer: &Answer) {
    let written = openai::responses::write(answer, 0, "m");
    is_json(written.to_string().as_bytes());
    let status = written["status"].as_str().unwrap_or_default();
    assert!(["completed", "incomplete"].contains(&status), "{status}");
    assert!(written["output"].is_array());
    if let Some(used) = &answer.usage {
        let said = number(&written, "/usage/input_tokens").saturating_add(number(&written, "/usage/output_tokens"));
        assert_eq!((said, number(&written, "/usage/total_tokens")), (used.total(), used.total()), "{used:?}");
    }
}

fn messages(answer: &Answer) {
    let written = anthropic::write(answer);
    let text = written.to_string();
    is_json(text.as_bytes());
    let told = anthropic_tokens(&written["usage"]);
    let used = answer.usage.unwrap_or_default();
    assert_eq!(told, (u128::from(used.input), used.output), "{used:?}");
    let Some(again) = read_again(Dialect::Anthropic, &text) else { return };
    assert_eq!(again.choices.len(), 1, "{text}");
}

/// Everything that was read and written, from the parts that this dialect tells apart.
pub(crate) fn anthropic_tokens(usage: &Value) -> (u128, u64) {
    let read = ["/input_tokens", "/cache_creation_input_tokens", "/cache_read_input_tokens"];
    (read.into_iter().map(|path| u128::from(number(usage, path))).sum(), number(usage, "/output_tokens"))
}

/// What a client is told, as a provider of that dialect would have said it.
fn read_again(dialect: Dialect, text: &str) -> Option<Answer> {
    if !is_shallow(text.as_bytes()) {
        return None;
    }
    let place = Place::speaking(dialect);
    match place.adapter.decode(&place.endpoint, text.as_bytes()) {
        Ok(answer) => Some(answer),
        Err(fault) => panic!("{fault}: {text}"),
    }
}

/// Larger numbers are cut where they are read.
const MOST: u64 = 1 << 53;

fn same_tokens(answer: &Answer, again: &Answer) {
    let wholes = |used: &TokenUsage| (used.input, used.output);
    let honest = |used: &TokenUsage| used.input < MOST && used.output < MOST;
    if let Some(used) = answer.usage.filter(honest) {
        assert_eq!(again.usage.as_ref().map(wholes), Some(wholes(&used)));
    }
}
