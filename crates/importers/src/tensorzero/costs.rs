//! `cost` and `batch_cost`: places in an answer, and what each unit of them costs.

use mainspring_kernel::{Money, Name};
use serde_json::Value;

use crate::{
    costs::{Known, dollars},
    draft::Draft,
    read::Table,
};

pub(super) fn read(draft: &mut Draft, table: &mut Table, (model, provider): (&str, &Name)) {
    let path = table.at("cost");
    let usual = rates(draft, table.list("cost").unwrap_or_default(), &path);
    let batch_path = table.at("batch_cost");
    let batch = rates(draft, table.list("batch_cost").unwrap_or_default(), &batch_path);
    if usual.is_empty() {
        return;
    }
    let batch = (!batch.is_empty()).then(|| batch.over(&usual).rates());
    draft.price(usual.price((model.to_owned(), Some(provider.clone())), Vec::new(), batch), &path);
}

fn rates(draft: &mut Draft, list: Vec<Value>, path: &str) -> Known {
    let mut known = Known::default();
    // What is taken off again for tokens that were found in a cache.
    let mut less: Option<Money> = None;
    for (index, each) in list.iter().enumerate() {
        let place = format!("{path}[{index}]");
        let pointer =
            each.get("pointer").or_else(|| each.get("pointer_nonstreaming")).and_then(Value::as_str).unwrap_or_default();
        let Some(rate) = each.get("cost_per_million").and_then(dollars) else {
            draft.missing(place, "only tokens have prices: a price for a unit of something else is left out");
            continue;
        };
        match pointer {
            "/usage/prompt_tokens" | "/usage/input_tokens" | "/usage/total_tokens" | "/usageMetadata/promptTokenCount" => {
                known.input = Some(rate);
            }
            "/usage/completion_tokens" | "/usage/output_tokens" | "/usageMetadata/candidatesTokenCount" => {
                known.output = Some(rate)
            }
            "/usage/cache_read_input_tokens" => known.cache_read = Some(rate),
            "/usage/cache_creation_input_tokens" => known.cache_write = Some(rate),
            "/usage/prompt_tokens_details/cached_tokens" | "/usage/input_tokens_details/cached_tokens" => less = Some(rate),
            _ => draft.missing(place, "what stands there in an answer has no price of its own here"),
        }
    }
    if let (Some(less), Some(input)) = (less, known.input) {
        known.cache_read = Some((input + less).or_zero());
    }
    known
}
