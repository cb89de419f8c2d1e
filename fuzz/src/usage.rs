//! Numbers of tokens, and the money they cost.

use std::sync::LazyLock;

use mainspring_gateway::{Bound, Incurs, Place, Prices};
use mainspring_kernel::Money;
use mainspring_llm::{Provenance, TokenUsage};
use mainspring_providers::ProviderKind;

/// Models whose prices have every kind of part: cached, written to the cache, audio, tiers.
const PRICED: [(ProviderKind, &str); 4] = [
    (ProviderKind::OpenAi, "gpt-4o"),
    (ProviderKind::OpenAi, "gpt-4o-audio-preview"),
    (ProviderKind::Anthropic, "claude-sonnet-4-5"),
    (ProviderKind::Gemini, "gemini-2.5-pro"),
];

static PRICES: LazyLock<Prices> = LazyLock::new(Prices::builtin);

/// No token of what a provider says is counted twice or lost, and what they cost is within what was set aside.
pub fn check(usage: &TokenUsage) {
    let pieces = usage.buckets();
    let sum = |parts: &[u64]| parts.iter().map(|part| u128::from(*part)).sum::<u128>();
    let read =
        [pieces.input, pieces.cache_read, pieces.cache_write, pieces.cache_write_hour, pieces.input_audio, pieces.input_image];
    assert_eq!(sum(&read), u128::from(usage.input), "{usage:?}");
    let written = [pieces.output, pieces.reasoning, pieces.output_audio, pieces.output_image];
    assert_eq!(sum(&written), u128::from(usage.output), "{usage:?}");
    assert_eq!(pieces.total(), usage.total(), "{usage:?}");
    // A provider said each of them, and says no more by saying it twice.
    let mut twice = *usage;
    twice.merge(usage);
    assert_eq!(twice, *usage);
    // A sum that nobody divided stands as the input.
    for (name, _, from) in usage.numbers() {
        assert!(from == Provenance::Reported || (name, from) == ("input", Provenance::Estimated), "{name}: {usage:?}");
    }
    for (kind, model) in PRICED {
        let place = Place { provider: "main", kind, preset: None, model };
        for batch in [false, true] {
            let Some(charge) = PRICES.cost(place, usage, batch) else { continue };
            let TokenUsage { input, output, searches, .. } = *usage;
            let bound = Bound { input, output, searches, batch, incurs: Incurs::ALL };
            let most = PRICES.most(place, &bound).expect("a price is a price");
            assert!(Money::ZERO <= charge.cost && charge.cost <= most.cost, "{usage:?}: {charge:?} and {most:?}");
        }
    }
}
