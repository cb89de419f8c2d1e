//! Stretches of time in specs.

use std::time::Duration;

use mainspring_kernel::written_as_people_do;

/// `30s`, `4h`; `0s` is never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait(Duration);

impl Wait {
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

// Far below where adding to a clock could overflow.
written_as_people_do!(Wait, WaitFault, up to 366 days, such as ["30s", "4h"]);
