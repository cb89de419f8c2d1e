//! Intervals and cron, in UTC.

use mainspring_kernel::Timestamp;
use proptest::prelude::*;

use crate::{Every, EveryFault};

#[track_caller]
fn check(every: &str, after: &str, want: &str) {
    let every: Every = every.parse().unwrap();
    let next = every.next(Timestamp::parse(after).unwrap()).unwrap();
    assert_eq!(next, Timestamp::parse(want).unwrap(), "{every} after {after} is {next}");
    assert_eq!(every.to_string().parse::<Every>().unwrap(), every);
}

#[test]
fn the_next_moment_is_after_the_one_given() {
    check("15m", "2026-03-01T10:00:00Z", "2026-03-01T10:15:00Z");
    check("90s", "2026-03-01T10:00:00Z", "2026-03-01T10:01:30Z");
    check("36h", "2026-02-27T22:00:00Z", "2026-03-01T10:00:00Z");
    check("*/15 * * * *", "2026-03-01T10:00:00Z", "2026-03-01T10:15:00Z");
    check("*/15 * * * *", "2026-03-01T10:00:00.5Z", "2026-03-01T10:15:00Z");
    check("0 6 * * 1", "2026-03-01T10:00:00Z", "2026-03-02T06:00:00Z");
    check("0 6 * * MON-FRI", "2026-03-06T06:00:00Z", "2026-03-09T06:00:00Z");
    check("30 23 28-31 * *", "2026-02-28T23:30:00Z", "2026-03-28T23:30:00Z");
    check("0 0 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z");
    check("59 23 31 12 *", "2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z");
    // Either the day of the month or the day of the week, as cron has always had it.
    check("0 0 13 * 5", "2026-03-01T00:00:00Z", "2026-03-06T00:00:00Z");
}

#[track_caller]
fn refuse(every: &str, want: impl Fn(&EveryFault) -> bool) {
    let fault = every.parse::<Every>().unwrap_err();
    assert!(want(&fault), "{every}: {fault:?}");
}

#[test]
fn what_is_no_schedule_is_refused() {
    for text in ["", "m", "15", "15 m", "fifteen", "-5m", "1.5h", "@daily", "* * * *", "0 * * * * *", "5ü"] {
        refuse(text, |fault| matches!(fault, EveryFault::Shape { .. }));
    }
    refuse("0s", |fault| matches!(fault, EveryFault::Interval { .. }));
    refuse("99999999999999999999d", |fault| matches!(fault, EveryFault::Shape { .. }));
    refuse("400d", |fault| matches!(fault, EveryFault::Interval { .. }));
    refuse("61 * * * *", |fault| matches!(fault, EveryFault::Cron { .. }));
    refuse("* * * FOO *", |fault| matches!(fault, EveryFault::Cron { .. }));
    refuse("0 0 30 2 *", |fault| matches!(fault, EveryFault::Never { .. }));
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in ".{0,60}") {
        let _ = text.parse::<Every>();
    }

    #[test]
    fn no_five_fields_break_the_reader(
        fields in proptest::collection::vec("[0-9*/,LW#+?A-Zü-]{1,5}", 5),
        after in 0_i64..4_000_000_000_000_000
    ) {
        if let Ok(every) = fields.join(" ").parse::<Every>() {
            let after = Timestamp::from_micros(after);
            if let Some(next) = every.next(after) {
                prop_assert!(next > after);
            }
        }
    }

    #[test]
    fn plain_five_fields_have_a_next_moment_in_order(
        minute in 0_u32..60, hour in 0_u32..24, day in 1_u32..29, after in 0_i64..4_000_000_000_000_000
    ) {
        let every: Every = format!("{minute} {hour} {day} * *").parse().unwrap();
        let first = every.next(Timestamp::from_micros(after)).unwrap();
        let second = every.next(first).unwrap();
        prop_assert!(first > Timestamp::from_micros(after) && second > first);
    }

    #[test]
    fn an_interval_reads_back(seconds in 1_u64..31_000_000) {
        let every: Every = format!("{seconds}s").parse().unwrap();
        prop_assert_eq!(every.to_string().parse::<Every>().unwrap(), every);
    }
}
