//! Where the parts of a usage come from.

use serde::{Deserialize, Serialize};

use super::{Provenance, TokenUsage};

/// The mark of each number beside the two wholes. A part of nothing has the first mark there is, which says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PartsFrom {
    #[serde(skip_serializing_if = "is_reported")]
    pub cache_read: Provenance,
    #[serde(skip_serializing_if = "is_reported")]
    pub cache_write: Provenance,
    #[serde(skip_serializing_if = "is_reported")]
    pub cache_write_hour: Provenance,
    #[serde(skip_serializing_if = "is_reported")]
    pub input_audio: Provenance,
    #[serde(skip_serializing_if = "is_reported")]
    pub input_image: Provenance,
    #[serde(skip_serializing_if = "is_reported")]
    pub reasoning: Provenance,
    #[serde(skip_serializing_if = "is_reported")]
    pub output_audio: Provenance,
    #[serde(skip_serializing_if = "is_reported")]
    pub output_image: Provenance,
    #[serde(skip_serializing_if = "is_reported")]
    pub searches: Provenance,
}

fn is_reported(mark: &Provenance) -> bool {
    *mark == Provenance::Reported
}

impl PartsFrom {
    /// Of all that was written to a cache, for whatever time.
    #[must_use]
    pub fn cache_written(&self) -> Provenance {
        self.cache_write.max(self.cache_write_hour)
    }
}

impl TokenUsage {
    /// The marks of parts that come from one place where they were read, from one where they were written, and from one where
    /// they are searches.
    pub(super) fn parts_all(&self, (read, written): (Provenance, Provenance), searched: Provenance) -> PartsFrom {
        let mark = |number: u64, from: Provenance| if number > 0 { from } else { Provenance::default() };
        PartsFrom {
            cache_read: mark(self.cache_read, read),
            cache_write: mark(self.cache_write, read),
            cache_write_hour: mark(self.cache_write_hour, read),
            input_audio: mark(self.input_audio, read),
            input_image: mark(self.input_image, read),
            reasoning: mark(self.reasoning, written),
            output_audio: mark(self.output_audio, written),
            output_image: mark(self.output_image, written),
            searches: mark(self.searches, searched),
        }
    }
}
