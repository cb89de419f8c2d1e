//! What people write of prices.

use std::collections::BTreeMap;

use mainspring_kernel::{Money, Name};
use mainspring_llm::ServiceTier;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::route::Problems;

const MODELS_MAX: usize = 5_000;
const TIERS_MAX: usize = 16;
pub(crate) const PATTERN_BYTES_MAX: usize = 200;
/// A hundred times the dearest model there has been. Beyond it a slip of the decimal point is meant, and sums of such
/// prices could leave the range of what the catalog counts in.
const DOLLARS_MAX: Money = Money::from_dollars(100_000);

/// What tokens cost, in US dollars. A project's table named `default` comes before the built-in one, model by model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PricesSpec {
    pub models: Vec<ModelPrice>,
}

/// Prices of the models a pattern names, in dollars for a million tokens. The first that matches counts.
/// What is absent costs what the text of its direction costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelPrice {
    /// The model's name at the provider; may end in `*`.
    pub model: String,
    /// Only at this provider of the project, or at providers of this type or preset: `azure`, `groq`. A provider whose address
    /// is that of a known server is one of its preset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub provider: Option<Name>,
    // Written out: serde cannot refuse unknown fields around a flattened struct.
    #[schemars(with = "Dollars")]
    pub input: Money,
    #[schemars(with = "Dollars")]
    pub output: Money,
    /// Found in the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Dollars>")]
    pub cache_read: Option<Money>,
    /// Written to the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Dollars>")]
    pub cache_write: Option<Money>,
    /// Written to the provider's cache for an hour; absent: as `cache_write`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Dollars>")]
    pub cache_write_hour: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Dollars>")]
    pub input_audio: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Dollars>")]
    pub input_image: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Dollars>")]
    pub reasoning: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Dollars>")]
    pub output_audio: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Dollars>")]
    pub output_image: Option<Money>,
    /// For each call, whatever its tokens: dollars for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Dollars>")]
    pub request: Option<Money>,
    /// Other rates for calls whose input is longer; the last that applies counts, for all tokens of the call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<PriceTier>,
    /// Rates of calls in a batch; absent: half of the usual ones are not assumed, the usual ones count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Rates>,
    /// Rates of calls that were served slower or quicker than usual, by the tier that an answer names: `flex`, `balanced`,
    /// `priority` or `ultrafast`. Of a tier that is absent the usual ones count.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub service_tiers: BTreeMap<String, Rates>,
}

/// Dollars for a million tokens. What is absent costs what the text of its direction costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    #[schemars(with = "Dollars")]
    pub input: Money,
    #[schemars(with = "Dollars")]
    pub output: Money,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Dollars>")]
    pub cache_read: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Dollars>")]
    pub cache_write: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Dollars>")]
    pub cache_write_hour: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Dollars>")]
    pub input_audio: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Dollars>")]
    pub input_image: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Dollars>")]
    pub reasoning: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Dollars>")]
    pub output_audio: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Dollars>")]
    pub output_image: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Dollars>")]
    pub request: Option<Money>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceTier {
    /// Applies when the input has more tokens than this.
    pub above_input: u64,
    pub rates: Rates,
    /// Rates of such calls in a batch; absent: `rates`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Rates>,
    /// Rates of such calls that were served slower or quicker than usual; of a tier that is absent: `rates`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub service_tiers: BTreeMap<String, Rates>,
}

/// How an amount of money looks in a spec.
struct Dollars;

impl JsonSchema for Dollars {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Dollars".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["number", "string"], "minimum": 0, "examples": [0.15, "12.50"] })
    }
}

impl ModelPrice {
    /// Whether whatever the other matches is matched by this one too, so that the other after it never counts.
    #[must_use]
    pub fn hides(&self, other: &Self) -> bool {
        let wide = self.provider.is_none() || self.provider == other.provider;
        wide && match self.model.strip_suffix('*') {
            Some(stem) => other.model.trim_end_matches('*').starts_with(stem),
            None => self.model == other.model,
        }
    }

    /// The usual rates: short input, not in a batch.
    #[must_use]
    pub const fn rates(&self) -> Rates {
        Rates {
            input: self.input,
            output: self.output,
            cache_read: self.cache_read,
            cache_write: self.cache_write,
            cache_write_hour: self.cache_write_hour,
            input_audio: self.input_audio,
            input_image: self.input_image,
            reasoning: self.reasoning,
            output_audio: self.output_audio,
            output_image: self.output_image,
            request: self.request,
        }
    }
}

impl Rates {
    fn amounts(&self) -> [(&'static str, Option<Money>); 11] {
        let Self { input, output, cache_read, cache_write, cache_write_hour, .. } = *self;
        let Self { input_audio, input_image, reasoning, output_audio, output_image, request, .. } = *self;
        [
            ("input", Some(input)),
            ("output", Some(output)),
            ("cache_read", cache_read),
            ("cache_write", cache_write),
            ("cache_write_hour", cache_write_hour),
            ("input_audio", input_audio),
            ("input_image", input_image),
            ("reasoning", reasoning),
            ("output_audio", output_audio),
            ("output_image", output_image),
            ("request", request),
        ]
    }
}

impl PricesSpec {
    /// Everything wrong with it, by the place in the spec; nothing if it can be used.
    #[must_use]
    pub fn validate(&self) -> Problems {
        let mut problems = Problems::new();
        if self.models.len() > MODELS_MAX {
            problems.insert("models".to_owned(), format!("at most {MODELS_MAX} models"));
        }
        for (index, price) in self.models.iter().enumerate() {
            let place = format!("models[{index}]");
            check_model(&mut problems, &place, price);
            if let Some(first) = self.models.iter().take(index).position(|before| before.hides(price)) {
                problems.insert(format!("{place}.model"), hidden(&self.models[first], first, price));
            }
        }
        problems
    }
}

fn hidden(before: &ModelPrice, at: usize, price: &ModelPrice) -> String {
    if before.model == price.model && before.provider == price.provider {
        return "this model is there already, and the first counts".to_owned();
    }
    let named = &before.model;
    format!("it is never reached: `{named}` (models[{at}]) stands before it and matches all that it does; put this one first")
}

fn check_model(problems: &mut Problems, place: &str, price: &ModelPrice) {
    let stem = price.model.strip_suffix('*').unwrap_or(&price.model);
    if price.model.is_empty() || price.model.len() > PATTERN_BYTES_MAX || price.model.chars().any(char::is_control) {
        problems.insert(format!("{place}.model"), format!("a name of 1 to {PATTERN_BYTES_MAX} bytes"));
    } else if stem.contains('*') {
        problems.insert(format!("{place}.model"), "`*` may stand at the end only".to_owned());
    }
    check_rates(problems, place, &price.rates());
    if let Some(rates) = &price.batch {
        check_rates(problems, &format!("{place}.batch"), rates);
    }
    check_served(problems, place, &price.service_tiers);
    if price.tiers.len() > TIERS_MAX {
        problems.insert(format!("{place}.tiers"), format!("at most {TIERS_MAX} tiers"));
    }
    let mut before = 0;
    for (index, tier) in price.tiers.iter().enumerate() {
        let place = format!("{place}.tiers[{index}]");
        if tier.above_input <= before {
            problems.insert(format!("{place}.above_input"), "more than in the tier before, and more than 0".to_owned());
        }
        before = tier.above_input;
        check_rates(problems, &format!("{place}.rates"), &tier.rates);
        if let Some(rates) = &tier.batch {
            check_rates(problems, &format!("{place}.batch"), rates);
        }
        check_served(problems, &place, &tier.service_tiers);
    }
}

fn check_served(problems: &mut Problems, place: &str, served: &BTreeMap<String, Rates>) {
    for (name, rates) in served {
        let place = format!("{place}.service_tiers.{name}");
        if !ServiceTier::ALL.iter().any(|tier| tier.as_str() == name) {
            let known = ServiceTier::ALL.map(ServiceTier::as_str).join(", ");
            problems.insert(place.clone(), format!("no tier that an answer names: use {known}"));
        }
        check_rates(problems, &place, rates);
    }
}

fn check_rates(problems: &mut Problems, place: &str, rates: &Rates) {
    for (name, amount) in rates.amounts() {
        if amount.is_some_and(|amount| amount < Money::ZERO || amount > DOLLARS_MAX) {
            problems.insert(format!("{place}.{name}"), format!("0 to {DOLLARS_MAX} dollars"));
        }
    }
}
