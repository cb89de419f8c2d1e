use std::time::Duration;

use tokio::time::Instant;

/// How long a call may take. Handed down unchanged, so that the parts of one request share one deadline.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    deadline: Instant,
}

impl Budget {
    #[must_use]
    pub fn of(duration: Duration) -> Self {
        Self { deadline: Instant::now() + duration }
    }

    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.remaining().is_zero()
    }
}
