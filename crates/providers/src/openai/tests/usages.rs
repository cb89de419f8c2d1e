use mainspring_llm::TokenUsage;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::{PLAIN, fixture};
use crate::{
    openai::usage,
    seam::{Adapter, Operation},
};

#[derive(Deserialize)]
struct Row {
    name: String,
    body: Value,
    /// Nothing is written.
    #[serde(default)]
    reads: bool,
    want: Option<TokenUsage>,
}

fn rows() -> Vec<Row> {
    serde_json::from_str(fixture!("usages.json")).unwrap()
}

#[test]
fn answers_say_what_they_used() {
    for Row { name, body, reads, want } in rows() {
        let whole = body.to_string();
        let operations: &[_] = if reads { &[Operation::Embeddings, Operation::Rerank] } else { &[Operation::Chat] };
        for operation in operations {
            assert_eq!(PLAIN.usage(*operation, whole.as_bytes()), want, "{name}");
            let event = format!("event: x\ndata: {whole}\n\n");
            assert_eq!(PLAIN.usage(*operation, event.as_bytes()), want, "{name}, as an event");
        }
        if let Some(used) = want {
            assert_eq!(used.buckets().total(), used.total(), "{name}: no token counts twice");
            let cached = used.cache_read + used.cache_write + used.input_audio + used.input_image;
            assert!(cached <= used.input && used.reasoning + used.output_audio + used.output_image <= used.output, "{name}");
        }
    }
}

#[test]
fn what_is_no_usage_is_none() {
    for body in ["", " ", "[DONE]", "data: [DONE]", "{", "[]", "\"usage\"", r#"{"choices":[{"text":"\"usage\""}]}"#, ": comment"]
    {
        assert_eq!(PLAIN.usage(Operation::Chat, body.as_bytes()), None, "{body:?}");
    }
}

fn used() -> impl Strategy<Value = TokenUsage> {
    let number = || 0_u64..1_000_000;
    ((number(), number(), number(), number()), (number(), number(), number(), number(), number())).prop_map(
        |((input, output, cache_read, cache_write), (input_audio, input_image, reasoning, output_audio, output_image))| {
            TokenUsage {
                input,
                output,
                cache_read,
                cache_write,
                input_audio,
                input_image,
                reasoning,
                output_audio,
                output_image,
                ..TokenUsage::default()
            }
        },
    )
}

proptest! {
    #[test]
    fn usage_written_for_chat_is_the_usage_read(used in used()) {
        prop_assert_eq!(usage::of(&usage::chat(&used)), Some(used));
    }

    #[test]
    fn usage_written_for_responses_is_the_usage_read(used in used()) {
        prop_assert_eq!(usage::of(&usage::responses(&used)), Some(used));
    }

    #[test]
    fn bytes_of_any_kind_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = PLAIN.usage(Operation::Chat, &body);
    }

    #[test]
    fn cut_and_changed_answers_never_panic_and_never_count_a_token_twice(row in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let rows = rows();
        let mut body = row.get(&rows).body.to_string().into_bytes();
        let at = at.index(body.len());
        let _ = PLAIN.usage(Operation::Chat, &body[..at]);
        body[at] = byte;
        if let Some(used) = PLAIN.usage(Operation::Chat, &body) {
            prop_assert_eq!(used.buckets().total(), used.total());
        }
    }
}
