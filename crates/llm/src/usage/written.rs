//! How records have a usage: without what is nought, and without marks of parts where they go without saying.

use serde::{Deserialize, Serialize};

use super::{PartsFrom, Provenance, ServiceTier, TokenUsage};

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Written {
    input: u64,
    output: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cache_read: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cache_write: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cache_write_hour: u64,
    #[serde(skip_serializing_if = "is_zero")]
    input_audio: u64,
    #[serde(skip_serializing_if = "is_zero")]
    input_image: u64,
    #[serde(skip_serializing_if = "is_zero")]
    reasoning: u64,
    #[serde(skip_serializing_if = "is_zero")]
    output_audio: u64,
    #[serde(skip_serializing_if = "is_zero")]
    output_image: u64,
    #[serde(skip_serializing_if = "is_zero")]
    searches: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<ServiceTier>,
    input_from: Provenance,
    output_from: Provenance,
    /// Absent: as usual.
    #[serde(skip_serializing_if = "Option::is_none")]
    parts_from: Option<PartsFrom>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Where parts come from that say nothing of it, as those of records did before they had marks: from where their whole does.
/// A guess was of a whole only, and of searches.
fn usual(usage: &TokenUsage) -> PartsFrom {
    let of_parts = |whole: Provenance| if whole == Provenance::Estimated { Provenance::Reported } else { whole };
    usage.parts_all((of_parts(usage.input_from), of_parts(usage.output_from)), usage.input_from)
}

impl From<TokenUsage> for Written {
    fn from(usage: TokenUsage) -> Self {
        let TokenUsage {
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
            input_from,
            output_from,
            parts_from,
        } = usage;
        Self {
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
            input_from,
            output_from,
            parts_from: (parts_from != usual(&usage)).then_some(parts_from),
        }
    }
}

impl From<Written> for TokenUsage {
    fn from(written: Written) -> Self {
        let Written {
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
            input_from,
            output_from,
            parts_from,
        } = written;
        let usage = Self {
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
            input_from,
            output_from,
            parts_from: PartsFrom::default(),
        };
        Self { parts_from: parts_from.unwrap_or_else(|| usual(&usage)), ..usage }
    }
}
