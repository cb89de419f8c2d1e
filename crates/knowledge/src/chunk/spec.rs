use mainspring_kernel::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Raised when the same spec would cut differently: the digest changes, and with it the table.
const fn algorithm(strategy: Strategy) -> u64 {
    match strategy {
        Strategy::Structure => 3,
        Strategy::Fixed => 4,
    }
}
/// Tokens of a model's window that a chunk leaves to the model's own marks and to what it wants before a text.
const MARKS: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// On headings, blocks, sentences and lines, in this order.
    #[default]
    Structure,
    /// Windows of equal length, whatever the structure; a baseline to compare with.
    Fixed,
}

/// How documents are cut into chunks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChunkSpec {
    pub strategy: Strategy,
    /// Tokens of the embedding model a chunk may have, its header included; never more than the model reads.
    #[schemars(range(min = 32, max = 8192))]
    pub max_tokens: u32,
    /// Tokens that two pieces of one block share, in whole sentences, lines or rows; a longer one up to twice as many.
    #[schemars(range(min = 0, max = 1024))]
    pub overlap_tokens: u32,
    /// A section up to this many tokens is kept as the parent of its chunks; 0 keeps none.
    #[schemars(range(min = 0, max = 8192))]
    pub parent_tokens: u32,
    /// Put `title > headings` before the text when it is embedded.
    pub header: bool,
}

impl Default for ChunkSpec {
    fn default() -> Self {
        // MiniLM reads 256 tokens, two of them its own marks.
        Self { strategy: Strategy::Structure, max_tokens: 240, overlap_tokens: 32, parent_tokens: 720, header: true }
    }
}

impl ChunkSpec {
    /// The field that is wrong, and how.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if !(32..=8192).contains(&self.max_tokens) {
            return Err(("max_tokens", "32 to 8192".to_owned()));
        }
        if self.overlap_tokens > self.max_tokens / 2 {
            return Err(("overlap_tokens", "at most half of `max_tokens`".to_owned()));
        }
        if self.parent_tokens > 8192 {
            return Err(("parent_tokens", "at most 8192".to_owned()));
        }
        Ok(())
    }

    /// The same cuts, in chunks that a model reads whole. The model's identity stands beside this spec wherever chunks
    /// are told apart, so its window need not be in the digest.
    #[must_use]
    pub fn within(&self, window: usize) -> Self {
        let most = u32::try_from(window.saturating_sub(MARKS)).unwrap_or(u32::MAX).max(1);
        let max_tokens = self.max_tokens.min(most);
        Self { max_tokens, overlap_tokens: self.overlap_tokens.min(max_tokens / 2), ..self.clone() }
    }

    /// Names how documents are cut: two specs with one digest cut alike.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let spec = serde_json::to_value(self).unwrap_or_default();
        let spec = mainspring_kernel::canonical_json(&spec);
        Digest::of_parts([b"chunks".as_slice(), &algorithm(self.strategy).to_le_bytes(), spec.as_bytes()])
    }
}
