//! What Google counts, in our form.

use mainspring_llm::{Buckets, TokenUsage};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    gemini::Gemini,
    seam::{Adapter, Operation},
};

fn usage(metadata: Value) -> TokenUsage {
    let body = json!({"candidates": [], "usageMetadata": metadata}).to_string();
    Gemini.usage(Operation::Chat, body.as_bytes()).unwrap()
}

#[track_caller]
fn check(metadata: Value, want: TokenUsage, buckets: Buckets) {
    let usage = usage(metadata);
    assert_eq!(usage, want);
    assert_eq!(usage.buckets(), buckets);
    assert_eq!(buckets.total(), usage.total());
}

#[test]
fn numbers_of_real_answers_are_read_once() {
    // Thoughts are beside the candidates.
    check(
        json!({"promptTokenCount": 9, "candidatesTokenCount": 8, "totalTokenCount": 241, "thoughtsTokenCount": 224,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}]}),
        TokenUsage { input: 9, output: 232, reasoning: 224, ..TokenUsage::default() },
        Buckets { input: 9, output: 8, reasoning: 224, ..Buckets::default() },
    );
    // The cached part is within the prompt.
    check(
        json!({"promptTokenCount": 4120, "cachedContentTokenCount": 4034, "candidatesTokenCount": 60, "totalTokenCount": 4180,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 4120}],
            "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 4034}]}),
        TokenUsage { input: 4120, output: 60, cache_read: 4034, ..TokenUsage::default() },
        Buckets { input: 86, cache_read: 4034, output: 60, ..Buckets::default() },
    );
    // What Google's tools read comes on top.
    check(
        json!({"promptTokenCount": 12, "candidatesTokenCount": 31, "totalTokenCount": 261, "toolUsePromptTokenCount": 98,
            "thoughtsTokenCount": 120, "toolUsePromptTokensDetails": [{"modality": "TEXT", "tokenCount": 98}]}),
        TokenUsage { input: 110, output: 151, reasoning: 120, ..TokenUsage::default() },
        Buckets { input: 110, output: 31, reasoning: 120, ..Buckets::default() },
    );
    // Audio that was cached is cached, and audio no longer.
    check(
        json!({"promptTokenCount": 1000, "cachedContentTokenCount": 900, "candidatesTokenCount": 10, "totalTokenCount": 1010,
            "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 850}, {"modality": "TEXT", "tokenCount": 150}],
            "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 800}, {"modality": "TEXT", "tokenCount": 100}]}),
        TokenUsage { input: 1000, output: 10, cache_read: 900, input_audio: 50, ..TokenUsage::default() },
        Buckets { input: 50, cache_read: 900, input_audio: 50, output: 10, ..Buckets::default() },
    );
    check(
        json!({"promptTokenCount": 266, "candidatesTokenCount": 1330, "totalTokenCount": 1596,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 8}, {"modality": "IMAGE", "tokenCount": 258}],
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}, {"modality": "AUDIO", "tokenCount": 32}]}),
        TokenUsage { input: 266, output: 1330, input_image: 258, output_image: 1290, output_audio: 32, ..TokenUsage::default() },
        Buckets { input: 8, input_image: 258, output: 8, output_image: 1290, output_audio: 32, ..Buckets::default() },
    );
    // A server that counts thoughts among the candidates, as its total shows.
    check(
        json!({"promptTokenCount": 10, "candidatesTokenCount": 50, "thoughtsTokenCount": 30, "totalTokenCount": 60}),
        TokenUsage { input: 10, output: 50, reasoning: 30, ..TokenUsage::default() },
        Buckets { input: 10, output: 20, reasoning: 30, ..Buckets::default() },
    );
    // Nothing was written.
    check(
        json!({"promptTokenCount": 57, "totalTokenCount": 57}),
        TokenUsage { input: 57, ..TokenUsage::default() },
        Buckets { input: 57, ..Buckets::default() },
    );
}

#[test]
fn where_nothing_is_said_nothing_is_read() {
    for body in ["", "{}", "[]", r#"{"usageMetadata": 3}"#, r#"{"usageMetadata": {"promptTokenCount": "many"}}"#] {
        assert_eq!(Gemini.usage(Operation::Chat, body.as_bytes()), None, "{body}");
    }
}

fn details() -> impl Strategy<Value = Value> {
    let modality = proptest::sample::select(vec!["TEXT", "IMAGE", "AUDIO", "VIDEO", "DOCUMENT"]);
    proptest::collection::vec((modality, 0_u64..5_000), 0..4).prop_map(|counts| {
        counts.into_iter().map(|(modality, count)| json!({"modality": modality, "tokenCount": count})).collect::<Value>()
    })
}

proptest! {
    #[test]
    fn parts_never_add_up_to_more_than_the_whole(
        counts in proptest::array::uniform6(0_u64..10_000),
        (prompt, cached, candidates, tools) in (details(), details(), details(), details()),
    ) {
        let [input, cache, output, thoughts, used, total] = counts;
        let usage = usage(json!({
            "promptTokenCount": input, "cachedContentTokenCount": cache, "candidatesTokenCount": output,
            "thoughtsTokenCount": thoughts, "toolUsePromptTokenCount": used, "totalTokenCount": total,
            "promptTokensDetails": prompt, "cacheTokensDetails": cached, "candidatesTokensDetails": candidates,
            "toolUsePromptTokensDetails": tools,
        }));
        prop_assert_eq!(usage.input, input + used);
        prop_assert!(usage.output == output || usage.output == output + thoughts);
        prop_assert_eq!(usage.buckets().total(), usage.total());
    }
}
