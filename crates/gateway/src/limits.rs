//! So many a minute: a bucket that is full when nothing happens, empties by what is taken, and refills evenly.
//!
//! The bucket is one number, the moment at which it is full again (a generic cell rate algorithm): nothing ticks, and how
//! long to wait is known to the nanosecond.

use std::time::Duration;

/// What a limit speaks of.
const PERIOD: i64 = 60_000_000_000;
/// A bucket may owe more than it holds, when calls used more than was set aside for them. This many periods at most: a
/// wrong number from a provider must not close a limit for a day.
const DEBT_PERIODS: i64 = 10;

/// How fast a bucket refills: this many a minute, which is also what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate(pub(crate) u64);

impl Rate {
    /// How long it takes to refill so many.
    pub(crate) fn nanos(self, cells: u64) -> i64 {
        let nanos = u128::from(cells) * PERIOD.unsigned_abs() as u128 / u128::from(self.0.max(1));
        i64::try_from(nanos).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
    }

    /// How many are refilled in that time.
    pub(crate) fn cells(self, nanos: i64) -> u64 {
        let cells = u128::from(nanos.max(0).unsigned_abs()) * u128::from(self.0) / PERIOD.unsigned_abs() as u128;
        u64::try_from(cells).unwrap_or(u64::MAX)
    }
}

/// Times are nanoseconds of one clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Bucket {
    full_at: i64,
}

impl Bucket {
    /// As it is kept elsewhere.
    pub(crate) const fn of(full_at: i64) -> Self {
        Self { full_at }
    }

    /// Whether so many are there, or how long until they are. More than the bucket holds are never there at once: then a
    /// full bucket is enough, and what comes on top is owed.
    pub(crate) fn check(self, rate: Rate, cells: u64, now: i64) -> Result<(), Duration> {
        let end = self.full_at.max(now).saturating_add(rate.nanos(cells.min(rate.0)));
        let wait = end.saturating_sub(now).saturating_sub(PERIOD);
        if wait <= 0 { Ok(()) } else { Err(Duration::from_nanos(wait.unsigned_abs())) }
    }

    /// Takes them, there or not.
    pub(crate) fn take(&mut self, rate: Rate, cells: u64, now: i64) {
        let full_at = self.full_at.max(now).saturating_add(rate.nanos(cells));
        self.full_at = full_at.min(now.saturating_add(PERIOD * DEBT_PERIODS));
    }

    pub(crate) fn give(&mut self, rate: Rate, cells: u64) {
        self.full_at = self.full_at.saturating_sub(rate.nanos(cells));
    }

    /// How many are there.
    pub(crate) fn left(self, rate: Rate, now: i64) -> u64 {
        rate.cells(now.saturating_add(PERIOD).saturating_sub(self.full_at.max(now))).min(rate.0)
    }

    pub(crate) fn full_in(self, now: i64) -> Duration {
        Duration::from_nanos(self.full_at.saturating_sub(now).max(0).unsigned_abs())
    }

    /// Nothing is known of it that a new bucket would not know.
    pub(crate) const fn is_full(self, now: i64) -> bool {
        self.full_at <= now
    }

    /// The clock was set back by so much: what was to come stays as far away as it was.
    pub(crate) fn move_back(&mut self, nanos: i64) {
        self.full_at = self.full_at.saturating_sub(nanos);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{Bucket, PERIOD, Rate};

    const NOW: i64 = 1_700_000_000_000_000_000;

    fn take(bucket: &mut Bucket, rate: Rate, cells: u64, now: i64) -> Result<(), Duration> {
        bucket.check(rate, cells, now)?;
        bucket.take(rate, cells, now);
        Ok(())
    }

    #[test]
    fn a_full_bucket_gives_all_it_has_and_then_says_exactly_how_long_to_wait() {
        for limit in [1, 3, 7, 60, 600, 10_000] {
            let (rate, mut bucket) = (Rate(limit), Bucket::default());
            for number in 0..limit {
                assert_eq!(bucket.left(rate, NOW), limit - number, "of {limit}");
                take(&mut bucket, rate, 1, NOW).unwrap();
            }
            let wait = bucket.check(rate, 1, NOW).unwrap_err();
            let then = NOW + i64::try_from(wait.as_nanos()).unwrap();
            assert!(bucket.check(rate, 1, then - 1).is_err(), "one nanosecond early, of {limit}");
            take(&mut bucket, rate, 1, then).unwrap();
            assert!(bucket.check(rate, 1, then).is_err());
        }
    }

    #[test]
    fn it_refills_evenly() {
        let (rate, mut bucket) = (Rate(60), Bucket::default());
        bucket.take(rate, 60, NOW);
        for second in 0..=60 {
            assert_eq!(bucket.left(rate, NOW + second * 1_000_000_000), second.unsigned_abs());
        }
        assert_eq!(bucket.full_in(NOW), Duration::from_secs(60));
        assert!(bucket.is_full(NOW + PERIOD));
    }

    #[test]
    fn what_is_given_back_can_be_taken_at_once() {
        let (rate, mut bucket) = (Rate(1_000), Bucket::default());
        take(&mut bucket, rate, 900, NOW).unwrap();
        assert!(bucket.check(rate, 500, NOW).is_err());
        bucket.give(rate, 850);
        take(&mut bucket, rate, 950, NOW).unwrap();
    }

    #[test]
    fn more_than_it_holds_needs_a_full_bucket_and_is_owed() {
        let (rate, mut bucket) = (Rate(100), Bucket::default());
        take(&mut bucket, rate, 250, NOW).unwrap();
        assert_eq!(bucket.check(rate, 1, NOW).unwrap_err(), Duration::from_nanos(600_000_000 * 151));
        let mut used = Bucket::default();
        used.take(rate, 1, NOW);
        assert!(used.check(rate, 250, NOW).is_err(), "it was not full");
    }

    #[test]
    fn a_clock_that_is_set_back_changes_nothing() {
        let (rate, mut bucket) = (Rate(60), Bucket::default());
        bucket.take(rate, 45, NOW);
        bucket.move_back(3_600_000_000_000);
        assert_eq!(bucket.left(rate, NOW - 3_600_000_000_000), 15);
    }

    proptest! {
        /// In any stretch of time no more come through than the bucket holds and what is refilled meanwhile.
        #[test]
        fn nobody_gets_more_than_the_rate(limit in 1_u64..5_000, steps in proptest::collection::vec((0_i64..2_000_000_000, 1_u64..50), 1..300)) {
            let (rate, mut bucket, mut now, mut taken) = (Rate(limit), Bucket::default(), NOW, 0_u64);
            for (pause, cells) in steps {
                now += pause;
                let cells = cells.min(limit);
                if take(&mut bucket, rate, cells, now).is_ok() {
                    taken += cells;
                }
                // Each charge is rounded down by less than a nanosecond.
                prop_assert!(taken <= limit + rate.cells(now - NOW) + 1);
            }
        }

        #[test]
        fn extremes_do_not_panic(limit in any::<u64>(), cells in any::<u64>(), at in any::<i64>(), now in any::<i64>()) {
            let (rate, mut bucket) = (Rate(limit), Bucket { full_at: at });
            let _ = bucket.check(rate, cells, now);
            let _ = (bucket.left(rate, now), bucket.full_in(now));
            bucket.take(rate, cells, now);
            bucket.give(rate, cells);
            bucket.move_back(at);
        }
    }
}
