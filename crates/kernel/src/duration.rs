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

/// Reads and writes a newtype around a `Duration` as people write it, up to so many days: in specs, in answers, in schemas. What
/// is not one is a fault of its own. For crates that have `serde` and `schemars`.
#[macro_export]
macro_rules! written_as_people_do {
    ($stretch:ident, $fault:ident, up to $days:literal days, such as [$($example:literal),+]) => {
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $fault {
            given: String,
        }

        impl std::fmt::Display for $fault {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let Self { given } = self;
                write!(f, "`{given}` is not a time up to {}d: write a whole number and ms, s, m, h or d", $days)
            }
        }

        impl std::error::Error for $fault {}

        impl std::str::FromStr for $stretch {
            type Err = $fault;

            fn from_str(given: &str) -> Result<Self, $fault> {
                let longest = std::time::Duration::from_secs($days * 24 * 3_600);
                let read = $crate::duration::read(given).filter(|duration| *duration <= longest);
                read.map(Self).ok_or_else(|| $fault { given: $crate::text::elide(given, 40) })
            }
        }

        impl std::fmt::Display for $stretch {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&$crate::duration::write(self.0))
            }
        }

        impl serde::Serialize for $stretch {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $stretch {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $stretch {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($stretch).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$", "examples": [$($example),+]
                })
            }
        }
    };
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
