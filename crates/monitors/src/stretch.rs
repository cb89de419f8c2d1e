use std::time::Duration;

use mainspring_kernel::written_as_people_do;

/// A stretch of time as people write it in monitors: `90s`, `15m`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stretch(Duration);

impl Stretch {
    #[must_use]
    pub const fn seconds(count: u64) -> Self {
        Self(Duration::from_secs(count))
    }
    #[must_use]
    pub const fn minutes(count: u64) -> Self {
        Self::seconds(count * 60)
    }
    #[must_use]
    pub const fn days(count: u64) -> Self {
        Self::seconds(count * 24 * 3_600)
    }
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        self.0
    }
    /// How many times `other` fits in, with fractions.
    #[must_use]
    pub fn over(self, other: Self) -> f64 {
        self.0.as_secs_f64() / other.0.as_secs_f64()
    }
}

// Longer than anything is kept, and far below where adding to a clock could overflow.
written_as_people_do!(Stretch, StretchFault, up to 3660 days, such as ["90s", "15m", "7d"]);
