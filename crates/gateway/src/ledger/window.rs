//! The days and months of budgets, in UTC.

use std::time::Duration;

use jiff::{civil::Date, tz::Offset};
use mainspring_kernel::Timestamp;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// How long a budget lasts before it begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Span {
    Day,
    Month,
}

impl Span {
    pub const ALL: [Self; 2] = [Self::Day, Self::Month];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// When the window that holds the moment began.
    #[must_use]
    pub fn start(self, at: Timestamp) -> Timestamp {
        let day = Timestamp::from_micros(at.as_micros().div_euclid(DAY).saturating_mul(DAY));
        match self {
            Self::Day => day,
            // Moments ten thousand years away are in no calendar.
            Self::Month => date(at).and_then(|date| midnight(date.first_of_month())).unwrap_or(day),
        }
    }

    /// When it ends: the start of the next.
    #[must_use]
    pub fn end(self, at: Timestamp) -> Timestamp {
        let next_day = self.start(at).plus(Duration::from_secs(86_400));
        match self {
            Self::Day => next_day,
            Self::Month => date(at).and_then(|date| midnight(date.last_of_month().tomorrow().ok()?)).unwrap_or(next_day),
        }
    }
}

fn date(at: Timestamp) -> Option<Date> {
    let stamp = jiff::Timestamp::from_microsecond(at.as_micros()).ok()?;
    Some(Offset::UTC.to_datetime(stamp).date())
}

fn midnight(date: Date) -> Option<Timestamp> {
    let stamp = Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    Some(Timestamp::from_micros(stamp.as_microsecond()))
}

/// The hour of a moment, counted from 1970.
pub(crate) const fn hour_of(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(HOUR)
}

pub(crate) const fn hour_start(hour: i64) -> Timestamp {
    Timestamp::from_micros(hour.saturating_mul(HOUR))
}

#[cfg(test)]
mod tests {
    use mainspring_kernel::Timestamp;
    use proptest::prelude::*;

    use super::{DAY, Span, hour_of, hour_start};

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn windows_begin_and_end_where_the_calendar_says() {
        for (moment, day, month, next_month) in [
            ("2026-11-26T04:05:06Z", "2026-11-26T00:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
            ("2026-12-31T23:59:59.999999Z", "2026-12-31T00:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2024-02-29T12:00:00Z", "2024-02-29T00:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
            ("2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z"),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1970-02-01T00:00:00Z"),
            ("1969-12-31T23:00:00Z", "1969-12-31T00:00:00Z", "1969-12-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(Span::Day.start(at(moment)), at(day), "{moment}");
            assert_eq!(Span::Month.start(at(moment)), at(month), "{moment}");
            assert_eq!(Span::Month.end(at(moment)), at(next_month), "{moment}");
        }
        assert_eq!(hour_start(hour_of(at("2026-11-26T04:05:06Z"))), at("2026-11-26T04:00:00Z"));
    }

    proptest! {
        #[test]
        fn every_moment_is_in_its_window_and_windows_follow_each_other(micros in -60_000_000_000_000_000_i64..60_000_000_000_000_000) {
            let moment = Timestamp::from_micros(micros);
            for span in Span::ALL {
                let (start, end) = (span.start(moment), span.end(moment));
                prop_assert!(start <= moment && moment < end);
                prop_assert_eq!(span.start(end), end);
                prop_assert_eq!(span.start(Timestamp::from_micros(end.as_micros() - 1)), start);
                prop_assert_eq!(start.as_micros() % DAY, 0);
            }
            prop_assert!(hour_start(hour_of(moment)) <= moment && moment < hour_start(hour_of(moment) + 1));
        }

        #[test]
        fn no_moment_panics(micros in any::<i64>()) {
            let moment = Timestamp::from_micros(micros);
            let _ = (Span::Day.start(moment), Span::Day.end(moment), hour_of(moment));
        }
    }
}
