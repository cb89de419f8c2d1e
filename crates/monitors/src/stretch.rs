use std::{fmt, str::FromStr, time::Duration};

use mainspring_kernel::{duration, text};

/// A stretch of time as people write it in monitors: `90s`, `15m`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stretch(Duration);

/// Longer than anything is kept, and far below where adding to a clock could overflow.
const LONGEST: Duration = Duration::from_secs(3_660 * 24 * 3_600);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a time up to 3660d: write a whole number and ms, s, m, h or d")]
pub struct StretchFault {
    given: String,
}

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

impl FromStr for Stretch {
    type Err = StretchFault;

    fn from_str(given: &str) -> Result<Self, StretchFault> {
        let read = duration::read(given).filter(|duration| *duration <= LONGEST);
        read.map(Self).ok_or_else(|| StretchFault { given: text::elide(given, 40) })
    }
}

impl fmt::Display for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&duration::write(self.0))
    }
}

impl serde::Serialize for Stretch {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> serde::Deserialize<'de> for Stretch {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
impl schemars::JsonSchema for Stretch {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Stretch".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$", "examples": ["90s", "15m", "7d"] })
    }
}
