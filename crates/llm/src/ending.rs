//! How an answer that comes in pieces ended.

use std::sync::{Arc, OnceLock};

/// Whoever makes the pieces says it, before the last of them goes out; whoever logs the request asks once its client has them
/// all, or has left. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Ending(Arc<OnceLock<End>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Complete,
    /// By the fault of this code.
    Broken(&'static str),
}

impl Ending {
    /// Only the first word counts.
    pub fn completes(&self) {
        let _ = self.0.set(End::Complete);
    }

    /// Only the first word counts.
    pub fn breaks(&self, code: &'static str) {
        let _ = self.0.set(End::Broken(code));
    }

    /// Nothing before somebody has said it.
    #[must_use]
    pub fn told(&self) -> Option<End> {
        self.0.get().copied()
    }
}
