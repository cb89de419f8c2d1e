//! Limits, as clients of this dialect are told of them.

use mainspring_gateway::ledger::Metric;
use mainspring_kernel::Timestamp;
use mainspring_testservers::upstream::{Behaviour, Script, Upstream};
use serde_json::{Value, json};

use super::surface::{LOCAL, Sent, Surface};

/// As `Surface` begins.
const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn hello(model: &str, stream: bool) -> Value {
    json!({"model": model, "max_tokens": 50, "stream": stream, "messages": [{"role": "user", "content": "Hello."}]})
}

fn told(sent: &Sent, what: &str) -> (String, String, u64) {
    let says = |end: &str| sent.header(&format!("anthropic-ratelimit-{what}-{end}")).unwrap_or_default().to_owned();
    let reset = Timestamp::parse(&says("reset")).unwrap_or_else(|| panic!("{:?}", sent.headers));
    (says("limit"), says("remaining"), reset.since(NOW).as_secs())
}

#[tokio::test]
async fn limits_are_told_under_the_names_of_this_dialect_and_never_a_providers_own() {
    let theirs = Behaviour::saying("Hi.").header("anthropic-ratelimit-requests-remaining", "49");
    let server = Upstream::start(Script::always(theirs)).unwrap();
    for (stream, answer) in [(false, "whole"), (true, "streamed")] {
        let surface = Surface::open().await;
        let targets = json!([{"provider": "main", "model": "big"}]);
        surface
            .apply(&[
                ("provider", "main", json!({"type": "anthropic", "base_url": server.url()})),
                ("route", "chat", json!({"targets": targets})),
            ])
            .await;
        let free = surface.ask(&hello("chat", stream)).await;
        assert!(!free.headers.keys().any(|name| name.as_str().starts_with("anthropic-ratelimit-")), "{:?}", free.headers);
        surface.limit(Metric::RequestsPerMinute, "2").await;
        surface.limit(Metric::TokensPerMinute, "10000").await;
        let first = surface.ask(&hello("chat", stream)).await;
        assert_eq!((first.status, told(&first, "requests")), (200, ("2".to_owned(), "1".to_owned(), 30)), "{answer}");
        let (limit, left, _) = told(&first, "tokens");
        assert!(limit == "10000" && left.parse::<u64>().unwrap() < 10_000, "{answer}: {left}");
        // By whoever answers.
        let second = surface.ask(&hello(LOCAL, stream)).await;
        assert_eq!((second.status, told(&second, "requests")), (200, ("2".to_owned(), "0".to_owned(), 60)), "{answer}");
        let refused = surface.ask(&hello("chat", stream)).await;
        assert_eq!((refused.status, refused.json()["error"]["type"].as_str()), (429, Some("rate_limit_error")), "{answer}");
        assert_eq!(refused.header("retry-after"), Some("30"), "{answer}");
        let (_, left, all_of_it) = told(&refused, "requests");
        assert_eq!((left.as_str(), all_of_it), ("0", 60), "{answer}");
    }
}
