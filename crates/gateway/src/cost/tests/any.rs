//! Whatever is used, asked for, and written in tables.

use std::sync::Arc;

use mainspring_kernel::{Digest, Money};
use mainspring_llm::{ServiceTier, TokenUsage};
use mainspring_providers::ProviderKind::{Anthropic, Azure, Bedrock, Local, OpenAi};
use proptest::prelude::*;
use serde_json::json;

use super::{bound, used};
use crate::{
    cost::{Bound, Place, PriceTable, Prices, bill, rates},
    incurs::Incurs,
    prices::{ModelPrice, PricesSpec, Rates},
    prices_builtin,
};

fn usages() -> impl Strategy<Value = TokenUsage> {
    let parts = proptest::array::uniform8(0_u64..400_000);
    let tier = proptest::option::of(proptest::sample::select(ServiceTier::ALL.to_vec()));
    (0_u64..3_000_000, 0_u64..300_000, parts, 0_u64..50, tier).prop_map(|(input, output, parts, searches, tier)| {
        let [cache_read, cache_write, cache_write_hour, input_audio, input_image, reasoning, output_audio, output_image] = parts;
        TokenUsage {
            input,
            output,
            cache_read,
            cache_write,
            cache_write_hour,
            input_audio,
            input_image,
            reasoning,
            output_audio,
            output_image,
            searches,
            tier,
            ..TokenUsage::default()
        }
    })
}

fn rate_sets() -> impl Strategy<Value = Rates> {
    let money = || (0_i128..500_000_000_000_000).prop_map(Money::from_pico);
    let maybe = move || proptest::option::of(money());
    ((money(), money()), (maybe(), maybe(), maybe(), maybe()), (maybe(), maybe(), maybe(), maybe(), maybe())).prop_map(
        |(
            (input, output),
            (cache_read, cache_write, cache_write_hour, input_audio),
            (input_image, reasoning, output_audio, output_image, request),
        )| Rates {
            input,
            output,
            cache_read,
            cache_write,
            cache_write_hour,
            input_audio,
            input_image,
            reasoning,
            output_audio,
            output_image,
            request,
        },
    )
}

/// What a request may ask for beside text.
#[derive(Debug, Clone, Copy)]
struct Wishes {
    marked: bool,
    hour: bool,
    sound: bool,
    image: bool,
    served: bool,
}

fn wishes() -> impl Strategy<Value = Wishes> {
    any::<[bool; 5]>().prop_map(|[marked, hour, sound, image, served]| Wishes { marked, hour, sound, image, served })
}

impl Wishes {
    /// Every so many letters are written as escapes.
    fn body(self, said: &str, hidden: u8) -> String {
        let mut parts = vec![json!({"type": "text", "text": said})];
        if self.marked {
            parts[0]["cache_control"] = json!({"type": "ephemeral"});
        }
        if self.hour {
            parts[0]["cache_control"] = json!({"ttl": "1h", "type": "ephemeral"});
        }
        if self.sound {
            parts.push(json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}));
        }
        if self.image {
            parts.push(json!({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}));
        }
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": parts}]});
        if self.served {
            body["service_tier"] = json!("priority");
        }
        let body = body.to_string();
        let every = usize::from(hidden % 8);
        let written = |(at, letter): (usize, char)| match letter {
            'a'..='z' | '_' if every > 0 && at % every == 0 => format!("\\u{:04x}", u32::from(letter)),
            _ => letter.to_string(),
        };
        let hidden: String = body.chars().enumerate().map(written).collect();
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&hidden), read(&body), "it says the same");
        hidden
    }
}

/// A table of one model.
fn priced(model: &str, rates: Rates) -> Arc<PriceTable> {
    let mut price = serde_json::to_value(rates).unwrap();
    price["model"] = json!(model);
    let spec = PricesSpec { models: vec![serde_json::from_value(price).unwrap()] };
    Arc::new(PriceTable::new(Digest::of(b"own"), spec))
}

proptest! {
    /// Whatever providers claim of parts: where everything costs the same, a call costs its input and output, once.
    #[test]
    fn parts_are_never_paid_beside_their_whole(usage in usages(), price in 0_i128..500_000_000) {
        // A price for a million that is exact for one.
        let rate = Money::from_pico(price * 1_000_000);
        let flat = Rates { input: rate, output: rate, ..Rates::default() };
        prop_assert_eq!(bill(&flat, &usage), rate.for_tokens(usage.input) + rate.for_tokens(usage.output));
    }

    /// A call costs what its pieces cost one by one.
    #[test]
    fn the_cost_is_the_sum_of_its_pieces(usage in usages(), rates in rate_sets()) {
        let pieces = usage.buckets();
        let alone = |usage: TokenUsage| bill(&Rates { request: None, ..rates }, &usage);
        let all = [
            alone(used(pieces.input, 0)),
            alone(TokenUsage { cache_read: pieces.cache_read, ..used(pieces.cache_read, 0) }),
            alone(TokenUsage { cache_write: pieces.cache_write, ..used(pieces.cache_write, 0) }),
            alone(TokenUsage { cache_write_hour: pieces.cache_write_hour, ..used(pieces.cache_write_hour, 0) }),
            alone(TokenUsage { input_audio: pieces.input_audio, ..used(pieces.input_audio, 0) }),
            alone(TokenUsage { input_image: pieces.input_image, ..used(pieces.input_image, 0) }),
            alone(used(0, pieces.output)),
            alone(TokenUsage { reasoning: pieces.reasoning, ..used(0, pieces.reasoning) }),
            alone(TokenUsage { output_audio: pieces.output_audio, ..used(0, pieces.output_audio) }),
            alone(TokenUsage { output_image: pieces.output_image, ..used(0, pieces.output_image) }),
        ];
        let sum: Money = all.into_iter().sum();
        prop_assert_eq!(bill(&rates, &usage), sum + rates.request.unwrap_or_default().times(usage.searches.max(1)));
    }

    /// What is set aside is enough, whichever model it is, whatever the tokens turn out to be.
    #[test]
    fn no_call_costs_more_than_the_most(which in any::<prop::sample::Index>(), usage in usages(), batch in any::<bool>(), more in (0_u64..1_000_000, 0_u64..1_000_000)) {
        let table = prices_builtin::table();
        let price = &table.models[which.index(table.models.len())];
        let model = price.model.trim_end_matches('*');
        let provider = price.provider.as_ref().map_or("x", |provider| provider.as_str());
        let kind = [OpenAi, Azure, Bedrock, Local].into_iter().find(|kind| kind.as_str() == provider).unwrap_or(OpenAi);
        let (place, prices) = (Place { provider, kind, preset: None, model }, Prices::builtin());
        let cost = prices.cost(place, &usage, batch).unwrap();
        let bound = Bound { batch, ..bound(usage.input + more.0, usage.output + more.1, usage.searches) };
        let most = prices.most(place, &bound).unwrap();
        prop_assert!(cost.cost <= most.cost, "{}: {} > {}", price.model, cost.cost, most.cost);
    }

    /// Whatever a request asks for is set aside for, however it is written.
    #[test]
    fn no_call_costs_more_than_what_its_request_can_make_of_it(
        which in any::<prop::sample::Index>(),
        (own, rates) in (any::<bool>(), rate_sets()),
        usage in usages(),
        (asked, said) in (wishes(), "\\PC{0,60}"),
        (hidden, batch) in (any::<u8>(), any::<bool>()),
    ) {
        let builtin = prices_builtin::table();
        let listed = &builtin.models[which.index(builtin.models.len())];
        let model = listed.model.trim_end_matches('*');
        let provider = listed.provider.as_ref().map_or("x", |provider| provider.as_str());
        let kind = [Azure, Bedrock, Local].into_iter().find(|kind| kind.as_str() == provider);
        let kind = kind.unwrap_or(if model.starts_with("claude") { Anthropic } else { OpenAi });
        let place = Place { provider, kind, preset: None, model };
        let prices = if own { Prices::over_builtin(priced(model, rates)) } else { Prices::builtin() };
        let body = asked.body(&said, hidden);
        // Anthropic writes to its cache what it is told to, others what they like; for how long is always told.
        let Wishes { marked, hour, sound, image, served } = asked;
        let part = |possible: bool, tokens: u64| if possible { tokens } else { 0 };
        let used = TokenUsage {
            cache_write: part(marked || hour || kind != Anthropic, usage.cache_write),
            cache_write_hour: part(hour, usage.cache_write_hour),
            input_audio: part(sound, usage.input_audio),
            input_image: part(image, usage.input_image),
            tier: usage.tier.filter(|_| served),
            ..usage
        };
        let cost = prices.cost(place, &used, batch).unwrap();
        let incurs = Incurs::of(body.as_bytes());
        let bound = Bound { batch, incurs, ..bound(used.input, used.output, used.searches) };
        let most = prices.most(place, &bound).unwrap();
        prop_assert!(cost.cost <= most.cost, "{}: {} > {} for {}", model, cost.cost, most.cost, body);
    }

    /// However names begin alike, and wherever they stand in the table.
    #[test]
    fn the_first_entry_that_matches_counts(names in proptest::collection::vec("[aé]{0,7}\\*?", 1..12), asked in "[aé]{0,8}") {
        let price = |name: &String| ModelPrice { model: name.clone(), ..yaml_serde::from_str("{model: a, input: 1, output: 0}").unwrap() };
        let table = PriceTable::new(Digest::of(b"any"), PricesSpec { models: names.iter().map(price).collect() });
        let matches = |name: &&String| name.strip_suffix('*').map_or(**name == asked, |stem| asked.starts_with(stem));
        let found = table.find(Place { provider: "x", kind: OpenAi, preset: None, model: &asked });
        prop_assert_eq!(found.map(|price| &price.model), names.iter().find(matches));
    }

    #[test]
    fn the_last_tier_that_applies_counts(bounds in proptest::collection::btree_set(1_u64..1_000_000, 1..6), input in 0_u64..1_100_000) {
        let rate = |dollars: u64| Rates { input: Money::from_dollars(dollars as i64), ..Rates::default() };
        let tiers: Vec<crate::prices::PriceTier> =
            bounds.iter().enumerate().map(|(index, above)| crate::prices::PriceTier { above_input: *above, rates: rate(index as u64 + 2), batch: None, service_tiers: Default::default() }).collect();
        let yaml = "{model: a, input: 1, output: 0}";
        let price = ModelPrice { tiers, ..yaml_serde::from_str(yaml).unwrap() };
        let expected = 1 + bounds.iter().filter(|above| input > **above).count();
        prop_assert_eq!(rates(&price, input, (false, None)).input, Money::from_dollars(expected as i64));
    }

    #[test]
    fn no_text_panics_the_reader(text in "\\PC{0,200}") {
        let _ = yaml_serde::from_str::<PricesSpec>(&text).map(|spec| spec.validate());
    }

    #[test]
    fn no_mutation_of_a_table_panics_the_reader(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = b"models: [{model: a, input: 0.15, output: 6e-1, tiers: [{above_input: 5, rates: {input: 1, output: 2}}]}]".to_vec();
        let at = at.index(text.len());
        text[at] = byte;
        let _ = yaml_serde::from_slice::<PricesSpec>(&text).map(|spec| spec.validate());
    }
}
