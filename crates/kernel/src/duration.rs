//! Stretches of time as people write them.

use std::time::Duration;

/// From the largest unit to the smallest, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a whole number and its unit: `250ms`, `15s`, `5m`, `6h` or `30d`.
#[must_use]
pub fn read(text: &str) -> Option<Duration> {
    let end = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (digits, unit) = text.split_at(end);
    let (_, millis) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let count: u64 = digits.parse().ok()?;
    count.checked_mul(millis).map(Duration::from_millis)
}

/// Writes it in the largest unit that loses nothing; what is below a millisecond is left out.
#[must_use]
pub fn write(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    let fits = UNITS.into_iter().find(|(_, unit)| millis.is_multiple_of(*unit)).unwrap_or(("ms", 1));
    format!("{}{}", millis / fits.1, fits.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{read, write};

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (given, millis) in
            [("250ms", 250), ("15s", 15_000), ("5m", 300_000), ("6h", 21_600_000), ("30d", 2_592_000_000), ("0s", 0)]
        {
            assert_eq!(read(given), Some(Duration::from_millis(millis)), "{given}");
        }
        for given in
            ["", "s", "15", "-1s", "1.5s", "1 s", "1s ", "1S", "1µs", "1w", "99999999999999999999s", "18446744073709551615d"]
        {
            assert_eq!(read(given), None, "{given}");
        }
    }

    #[test]
    fn durations_are_written_in_the_largest_unit_that_fits() {
        for (millis, text) in [(250, "250ms"), (1_000, "1s"), (90_000, "90s"), (300_000, "5m"), (86_400_000, "1d"), (0, "0s")] {
            assert_eq!(write(Duration::from_millis(millis)), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(millis in 0_u64..10_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(read(&write(duration)), Some(duration));
        }

        #[test]
        fn reading_never_panics(text in "\\PC{0,40}") {
            let _ = read(&text);
        }
    }
}
