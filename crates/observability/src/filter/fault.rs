use mainspring_kernel::{Fault, FaultKind};

/// Why a filter cannot be read: where, what, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the filter cannot be read at character {at}: {what}")]
pub struct FilterFault {
    /// The first character is number 1.
    pub at: usize,
    pub what: String,
    pub hint: Option<String>,
}

impl Fault for FilterFault {
    fn kind(&self) -> FaultKind {
        FaultKind::Invalid
    }

    fn code(&self) -> &'static str {
        "trace-filter-invalid"
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

/// A complaint that does not know yet where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) what: String,
    pub(super) hint: Option<String>,
}

impl Complaint {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None }
    }

    pub(super) fn hinting(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
