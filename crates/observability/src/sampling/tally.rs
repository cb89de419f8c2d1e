//! What became of a project's spans.

/// What became of a project's spans in this process since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    pub kept: u64,
    /// Left out by the share of traces.
    pub head: u64,
    /// Left out since nothing happened in their trace.
    pub outcome: u64,
    /// Left out before that was known, since no more could be held.
    pub early: u64,
    /// Held until it is known.
    pub held: u64,
    /// Places in spans that were redacted.
    pub redacted: u64,
}

impl Tally {
    pub(super) fn left_out(&mut self, reason: &str, spans: u64) {
        match reason {
            "head" => self.head += spans,
            "early" => self.early += spans,
            _ => self.outcome += spans,
        }
    }
}
