//! Prices from numbers that others write for a single token.

use std::collections::BTreeMap;

use mainspring_gateway::{ModelPrice, PriceTier, Rates};
use mainspring_kernel::{Money, Name};
use serde_json::Value;

/// Dollars for a million from dollars for one. The number's text is moved by six places: nothing is rounded.
pub(crate) fn for_a_million(value: &Value) -> Option<Money> {
    shifted(value, 6)
}

/// Dollars as they are written.
pub(crate) fn dollars(value: &Value) -> Option<Money> {
    shifted(value, 0)
}

fn shifted(value: &Value, places: i32) -> Option<Money> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_ascii_lowercase(),
        _ => return None,
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text.as_str(), "0"));
    let exponent = exponent.parse::<i32>().ok()?.checked_add(places)?;
    format!("{mantissa}e{exponent}").parse().ok()
}

/// The rates of one model, some of them known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) input: Option<Money>,
    pub(crate) output: Option<Money>,
    pub(crate) cache_read: Option<Money>,
    pub(crate) cache_write: Option<Money>,
    pub(crate) cache_write_hour: Option<Money>,
    pub(crate) input_audio: Option<Money>,
    pub(crate) input_image: Option<Money>,
    pub(crate) reasoning: Option<Money>,
    pub(crate) output_audio: Option<Money>,
    pub(crate) output_image: Option<Money>,
    pub(crate) request: Option<Money>,
}

impl Known {
    pub(crate) const fn is_empty(&self) -> bool {
        let Self { input, output, cache_read, cache_write, cache_write_hour, input_audio, input_image, .. } = self;
        let Self { reasoning, output_audio, output_image, request, .. } = self;
        input.is_none()
            && output.is_none()
            && cache_read.is_none()
            && cache_write.is_none()
            && cache_write_hour.is_none()
            && input_audio.is_none()
            && input_image.is_none()
            && reasoning.is_none()
            && output_audio.is_none()
            && output_image.is_none()
            && request.is_none()
    }

    /// What is not said of a tier or a batch is as it usually is.
    pub(crate) fn over(self, usual: &Self) -> Self {
        Self {
            input: self.input.or(usual.input),
            output: self.output.or(usual.output),
            cache_read: self.cache_read.or(usual.cache_read),
            cache_write: self.cache_write.or(usual.cache_write),
            cache_write_hour: self.cache_write_hour.or(usual.cache_write_hour),
            input_audio: self.input_audio.or(usual.input_audio),
            input_image: self.input_image.or(usual.input_image),
            reasoning: self.reasoning.or(usual.reasoning),
            output_audio: self.output_audio.or(usual.output_audio),
            output_image: self.output_image.or(usual.output_image),
            request: self.request.or(usual.request),
        }
    }

    pub(crate) fn rates(&self) -> Rates {
        Rates {
            input: self.input.unwrap_or_default(),
            output: self.output.unwrap_or_default(),
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

    pub(crate) fn price(
        &self,
        (model, provider): (String, Option<Name>),
        tiers: Vec<PriceTier>,
        batch: Option<Rates>,
    ) -> ModelPrice {
        let Rates { input, output, cache_read, cache_write, cache_write_hour, .. } = self.rates();
        let Rates { input_audio, input_image, reasoning, output_audio, output_image, request, .. } = self.rates();
        ModelPrice {
            model,
            provider,
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
            tiers,
            batch,
            service_tiers: BTreeMap::new(),
        }
    }
}
