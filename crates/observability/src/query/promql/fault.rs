use std::time::Duration;

use mainspring_kernel::{Fault, FaultKind};

use crate::fault::TraceFault;

/// Why a question in PromQL is not answered.
#[derive(Debug, thiserror::Error)]
pub enum PromFault {
    #[error("at character {at}: {reason}")]
    Invalid {
        /// Counted from one.
        at: usize,
        reason: String,
    },
    #[error("at character {at}: {what} is not part of what this server understands of PromQL")]
    Unsupported { at: usize, what: String },
    #[error("{reason}")]
    Question { reason: String },
    #[error(transparent)]
    Trace(#[from] TraceFault),
}

impl PromFault {
    pub(super) fn question(reason: impl Into<String>) -> Self {
        Self::Question { reason: reason.into() }
    }
}

impl From<mainspring_lake::LakeFault> for PromFault {
    fn from(fault: mainspring_lake::LakeFault) -> Self {
        Self::Trace(fault.into())
    }
}

impl Fault for PromFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Invalid { .. } | Self::Unsupported { .. } | Self::Question { .. } => FaultKind::Invalid,
            Self::Trace(fault) => fault.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } | Self::Question { .. } => "promql-invalid",
            Self::Unsupported { .. } => "promql-unsupported",
            Self::Trace(fault) => fault.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unsupported { .. } => Some(
                "there are selectors with matchers, rate and increase, sum, avg, min, max and count by labels, and + - * /"
                    .into(),
            ),
            Self::Invalid { .. } | Self::Question { .. } => None,
            Self::Trace(fault) => fault.hint(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Trace(fault) => fault.retry_after(),
            _ => None,
        }
    }
}
