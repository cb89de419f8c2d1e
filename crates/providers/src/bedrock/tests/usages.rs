//! What AWS counts, in our form.

use mainspring_llm::{Buckets, TokenUsage};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    bedrock::Bedrock,
    seam::{Adapter, Operation},
};

fn usage(used: Value) -> TokenUsage {
    Bedrock.usage(Operation::Chat, json!({"usage": used}).to_string().as_bytes()).unwrap()
}

#[track_caller]
fn check(used: Value, want: TokenUsage, buckets: Buckets) {
    let usage = usage(used);
    assert_eq!(usage, want);
    assert_eq!(usage.buckets(), buckets);
    assert_eq!(buckets.total(), usage.total());
}

#[test]
fn numbers_of_real_answers_are_read_once() {
    check(
        json!({"inputTokens": 125, "outputTokens": 60, "totalTokens": 185}),
        TokenUsage { input: 125, output: 60, ..TokenUsage::default() },
        Buckets { input: 125, output: 60, ..Buckets::default() },
    );
    // The first call writes the cache, the second reads it: both numbers are beside the input.
    check(
        json!({"inputTokens": 14, "outputTokens": 9, "totalTokens": 2071, "cacheReadInputTokens": 0, "cacheWriteInputTokens": 2048}),
        TokenUsage { input: 2062, output: 9, cache_write: 2048, ..TokenUsage::default() },
        Buckets { input: 14, cache_write: 2048, output: 9, ..Buckets::default() },
    );
    check(
        json!({"inputTokens": 14, "outputTokens": 9, "totalTokens": 2071, "cacheReadInputTokens": 2048, "cacheWriteInputTokens": 0}),
        TokenUsage { input: 2062, output: 9, cache_read: 2048, ..TokenUsage::default() },
        Buckets { input: 14, cache_read: 2048, output: 9, ..Buckets::default() },
    );
    check(
        json!({"inputTokens": 419, "outputTokens": 220, "totalTokens": 3187, "cacheReadInputTokens": 2048, "cacheWriteInputTokens": 500,
            "cacheDetails": [{"ttl": "1h", "inputTokens": 200}, {"ttl": "5m", "inputTokens": 300}]}),
        TokenUsage {
            input: 2967,
            output: 220,
            cache_read: 2048,
            cache_write: 300,
            cache_write_hour: 200,
            ..TokenUsage::default()
        },
        Buckets { input: 419, cache_read: 2048, cache_write: 300, cache_write_hour: 200, output: 220, ..Buckets::default() },
    );
}

#[test]
fn where_nothing_is_said_nothing_is_read() {
    for body in ["", "{}", "[]", r#"{"usage": 3}"#, r#"{"usage": {"inputTokens": "many"}}"#] {
        assert_eq!(Bedrock.usage(Operation::Chat, body.as_bytes()), None, "{body}");
    }
}

proptest! {
    #[test]
    fn parts_add_up_to_the_whole(counts in proptest::array::uniform6(0_u64..100_000), detailed in any::<bool>()) {
        let [input, output, read, written, hour, minutes] = counts;
        let mut used = json!({"inputTokens": input, "outputTokens": output, "cacheReadInputTokens": read, "cacheWriteInputTokens": written});
        if detailed {
            used["cacheDetails"] = json!([{"ttl": "1h", "inputTokens": hour}, {"ttl": "5m", "inputTokens": minutes}]);
        }
        let usage = usage(used);
        let written = if detailed { written.max(hour + minutes) } else { written };
        prop_assert_eq!(usage.input, input + read + written);
        prop_assert_eq!(usage.cache_write + usage.cache_write_hour, written);
        let buckets = usage.buckets();
        prop_assert_eq!(buckets.input, input);
        prop_assert_eq!(buckets.total(), usage.total());
    }
}
