//! What is guessed of sizes, and what is remembered of targets.

use std::time::Duration;

use mainspring_kernel::Money;
use mainspring_llm::TokenUsage;
use mainspring_providers::FaultClass;
use proptest::prelude::*;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    Percentile, Standing,
    begins::Manner::{self, Streamed, Whole},
    estimate::{about, size, streamed_text},
    health::Health,
    reckon,
};

#[test]
fn a_text_has_no_more_tokens_than_bytes_and_about_a_quarter() {
    let body = json!({"messages": [{"role": "user", "content": "word ".repeat(1_000)}]}).to_string();
    let size = size(body.as_bytes());
    let bytes = body.len() as u64;
    assert_eq!((size.most(), size.about(), size.least()), (bytes, bytes.div_ceil(4), bytes / 8));
}

#[test]
fn images_are_not_set_aside_as_if_they_were_text() {
    let image = format!("data:image/png;base64,{}", "iVBORw0KGgo".repeat(20_000));
    let body = json!({"messages": [{"role": "user", "content": [
        {"type": "text", "text": "what is this?"},
        {"type": "image_url", "image_url": {"url": image}},
    ]}]});
    let size = size(body.to_string().as_bytes());
    assert!(size.most() > 3_000 && size.most() < 10_000, "{size:?}");
    assert!(size.about() > 500 && size.about() < 4_000, "a picture costs something all the same: {size:?}");
    let linked = json!({"content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}).to_string();
    assert!(crate::estimate::size(linked.as_bytes()).about() > 500);
    let text = json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi."}]}]}).to_string();
    assert!(crate::estimate::size(text.as_bytes()).about() < 50, "a text is no picture");
    // Long texts without spaces are texts: Chinese has none.
    let text = json!({"messages": [{"role": "user", "content": "深度学习模型".repeat(1_000)}]}).to_string();
    assert_eq!(crate::estimate::size(text.as_bytes()).most(), text.len() as u64);
}

#[test]
fn text_in_events_is_counted_without_reading_them() {
    let names = ["\"content\"", "\"text\""];
    for (event, tokens) in [
        (r#"{"delta":{"content":"hello"}}"#, 1),
        (r#"{"delta":{"content":" and so on"}}"#, 3),
        (r#"{"delta":{"content": "a\"b\\c"}}"#, 5),
        (r#"{"delta":{"content":null}}"#, 0),
        (r#"{"text":"ab","content":"cd"}"#, 2),
        (r#"{"delta":{"content":"1234567"}}"#, 3),
        // However it is written.
        (r#"{"delta":{"content":"\u4e2d\u6587"}}"#, 2),
        (r#"{"delta":{"content":"中文"}}"#, 2),
        (r#"{"content":"unended"#, 1),
        (r#"{"content":"unended\u4e"#, 3),
        (r#"{"content""#, 0),
        ("", 0),
    ] {
        assert_eq!(reckon::tokens(streamed_text(event.as_bytes(), &names)), tokens, "{event}");
    }
    assert_eq!((about(0), about(1), about(4), about(5)), (0, 1, 1, 2));
}

#[test]
fn health_remembers_the_recent_and_counts_all() {
    let start = Instant::now();
    let mut health = Health::new(start);
    assert_eq!((health.begin_ms(Streamed, start), health.percentile(Streamed, Percentile::P50)), (None, None));
    for n in 1..=300_u64 {
        health.began(Some(Streamed), Duration::from_millis(n), start);
    }
    health.failed(FaultClass::Server, (Streamed, Duration::from_millis(5)), start);
    let usage = TokenUsage { input: 10, output: 100, ..TokenUsage::default() };
    health.used(&usage, Money::from_dollars(2), Some(Duration::from_secs(2)));
    let shown = health.show((Some("r".to_owned()), "p".to_owned(), "m".to_owned()), Standing::Closed, 3);
    assert_eq!((shown.attempts, shown.recent, shown.failed["server"], shown.in_flight), (301, 256, 1, 3));
    // The last 256 that began: 45 to 300 ms.
    assert_eq!((shown.begin_p50_ms, shown.begin_p95_ms, shown.begin_p99_ms), (Some(172), Some(288), Some(298)));
    assert_eq!(health.percentile(Streamed, Percentile::P90), Some(Duration::from_millis(275)));
    assert_eq!((shown.input_tokens, shown.output_tokens, shown.spend), (10, 100, Money::from_dollars(2)));
    assert_eq!(shown.tokens_per_second, Some(50.0));
}

#[test]
fn a_bad_moment_weighs_at_once_and_fades() {
    let start = Instant::now();
    let mut health = Health::new(start);
    health.began(Some(Streamed), Duration::from_millis(100), start);
    health.began(Some(Streamed), Duration::from_millis(2_000), start);
    assert_eq!(health.begin_ms(Streamed, start), Some(2_000.0));
    let later = start + Duration::from_secs(10);
    health.began(Some(Streamed), Duration::from_millis(100), later);
    let told = health.begin_ms(Streamed, later).unwrap();
    assert!(told > 100.0 && told < 1_000.0, "{told}");
    let silent = health.begin_ms(Streamed, later + Duration::from_secs(120)).unwrap();
    assert!(silent < 1.0, "a target nobody asks looks quick again: {silent}");
    health.failed(FaultClass::Connect, (Streamed, Duration::from_millis(1)), later);
    assert!(health.begin_ms(Streamed, later).unwrap() >= 1_000.0, "failing at once is not quick");
}

#[test]
fn a_slow_answer_in_one_piece_says_nothing_of_streams() {
    let start = Instant::now();
    let mut health = Health::new(start);
    let began = |health: &mut Health, manner: Manner, ms| health.began(Some(manner), Duration::from_millis(ms), start);
    began(&mut health, Whole, 60_000);
    assert_eq!((health.begin_ms(Streamed, start), health.begin_ms(Whole, start)), (None, Some(60_000.0)));
    began(&mut health, Streamed, 200);
    assert_eq!((health.begin_ms(Streamed, start), health.begin_ms(Whole, start)), (Some(200.0), Some(60_000.0)));
    // The other way round a stream is the least that can be said.
    let mut other = Health::new(start);
    began(&mut other, Streamed, 200);
    assert_eq!(other.begin_ms(Whole, start), Some(200.0));

    (0..19).for_each(|_| began(&mut health, Whole, 60_000));
    assert_eq!(health.percentile(Whole, Percentile::P95), Some(Duration::from_secs(60)));
    assert_eq!(health.percentile(Streamed, Percentile::P95), None, "one is too few to be late by");
    let show = |health: &Health| health.show((None, "p".to_owned(), "m".to_owned()), Standing::Closed, 0);
    assert_eq!((show(&health).begin_p50_ms, show(&health).recent), (Some(200), 21));

    // One that fails after minutes is late to streams too, and not by these minutes.
    health.failed(FaultClass::Timeout, (Whole, Duration::from_secs(900)), start);
    assert_eq!((health.begin_ms(Streamed, start), health.begin_ms(Whole, start)), (Some(1_000.0), Some(600_000.0)));
    // A count is counted, and its time is no answer's.
    let mut counting = Health::new(start);
    counting.began(None, Duration::from_millis(1), start);
    assert_eq!((counting.begin_ms(Streamed, start), counting.begin_ms(Whole, start), counting.attempts), (None, None, 1));
}

proptest! {
    #[test]
    fn sizes_keep_their_order(text in "\\PC{0,3000}", blob in "[A-Za-z0-9+/]{0,4000}") {
        let body = json!({"text": text, "data": blob}).to_string();
        let size = size(body.as_bytes());
        prop_assert!(size.least() <= size.about());
        prop_assert!(size.about() <= size.most().max(1));
    }

    #[test]
    fn measuring_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..5000)) {
        let _ = size(&bytes);
        let _ = streamed_text(&bytes, &["\"content\"", "a", "\""]);
    }
}
