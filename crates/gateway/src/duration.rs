use std::time::Duration;

use mainspring_kernel::written_as_people_do;

/// A stretch of time as people write it in routes: `250ms`, `15s`, `5m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(Duration);

impl Span {
    #[must_use]
    pub const fn millis(count: u64) -> Self {
        Self(Duration::from_millis(count))
    }

    #[must_use]
    pub const fn seconds(count: u64) -> Self {
        Self(Duration::from_secs(count))
    }

    #[must_use]
    pub const fn as_duration(self) -> Duration {
        self.0
    }

    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

// Far beyond any use here, and far below where adding to a clock could overflow.
written_as_people_do!(Span, SpanFault, up to 366 days, such as ["250ms", "15s", "5m"]);
