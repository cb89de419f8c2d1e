//! Where tests make the stores fail: each step of a batch asks here first.

use crate::{fault::BatchFault, service::Batches};

/// A moment at which a store may be away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Find,
    ReadInput,
    Commit,
    /// What was written is there, and the answer that says so got lost.
    Committed,
    Pack,
    Packed,
    Cancel,
    Rest,
    Announce,
    Begin,
    Finalize,
    End,
}

impl Batches {
    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as the tests' own has it")]
    pub(crate) const fn trip(&self, _: Step) -> Result<(), BatchFault> {
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn trip(&self, step: Step) -> Result<(), BatchFault> {
        let mut faults = self.faults().lock().unwrap();
        let Some(at) = faults.iter().position(|planned| *planned == step) else { return Ok(()) };
        faults.remove(at);
        Err(BatchFault::Catalog(mainspring_catalog::CatalogFault::Timeout { limit: std::time::Duration::from_secs(1) }))
    }
}
