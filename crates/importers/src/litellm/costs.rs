//! Prices that stand beside a model.

use std::collections::BTreeMap;

use mainspring_gateway::{ModelPrice, PriceTier};
use mainspring_kernel::Name;
use mainspring_llm::ServiceTier;

use crate::{
    costs::{Known, for_a_million},
    draft::Draft,
    read::Table,
};

/// From how many tokens of input on its longer tiers count.
const TIERS: [(&str, u64); 4] = [("128k", 128_000), ("200k", 200_000), ("256k", 256_000), ("272k", 272_000)];

/// Notes the price of a model at a provider.
pub(super) fn read(
    draft: &mut Draft,
    params: &mut Table,
    info: &mut Table,
    (model, provider, price_as): (&str, &Name, Option<&str>),
) {
    let path = params.path.clone();
    let mut take = |name: &str| params.take(name).or_else(|| info.take(name)).as_ref().and_then(for_a_million);
    let usual = Known {
        input: take("input_cost_per_token"),
        output: take("output_cost_per_token"),
        cache_read: take("cache_read_input_token_cost"),
        cache_write: take("cache_creation_input_token_cost"),
        cache_write_hour: take("cache_creation_input_token_cost_above_1hr"),
        input_audio: take("input_cost_per_audio_token"),
        input_image: take("input_cost_per_image_token"),
        reasoning: take("output_cost_per_reasoning_token"),
        output_audio: take("output_cost_per_audio_token"),
        output_image: take("output_cost_per_image_token"),
        request: None,
    };
    let mut tiers = Vec::new();
    for (word, above_input) in TIERS {
        let longer = Known {
            input: take(&format!("input_cost_per_token_above_{word}_tokens")),
            output: take(&format!("output_cost_per_token_above_{word}_tokens")),
            cache_read: take(&format!("cache_read_input_token_cost_above_{word}_tokens")),
            cache_write: take(&format!("cache_creation_input_token_cost_above_{word}_tokens")),
            ..Known::default()
        };
        if !longer.is_empty() {
            tiers.push(PriceTier {
                above_input,
                rates: longer.over(&usual).rates(),
                batch: None,
                service_tiers: BTreeMap::new(),
            });
        }
    }
    let batch =
        Known { input: take("input_cost_per_token_batches"), output: take("output_cost_per_token_batches"), ..Known::default() };
    let mut served = BTreeMap::new();
    for tier in ServiceTier::ALL.map(ServiceTier::as_str) {
        let rates = Known {
            input: take(&format!("input_cost_per_token_{tier}")),
            output: take(&format!("output_cost_per_token_{tier}")),
            cache_read: take(&format!("cache_read_input_token_cost_{tier}")),
            cache_write: take(&format!("cache_creation_input_token_cost_{tier}")),
            ..Known::default()
        };
        if !rates.is_empty() {
            served.insert(tier.to_owned(), rates.over(&usual).rates());
        }
    }
    if usual.is_empty() && tiers.is_empty() && batch.is_empty() && served.is_empty() {
        return;
    }
    if usual.input.is_none() || usual.output.is_none() {
        draft.different(&path, "a price that names one direction only: the other is taken to cost nothing");
    }
    let batch = (!batch.is_empty()).then(|| batch.over(&usual).rates());
    let named = price_as.unwrap_or(model).to_owned();
    let price = usual.price((named, Some(provider.clone())), tiers, batch);
    draft.price(ModelPrice { service_tiers: served, ..price }, &path);
}
