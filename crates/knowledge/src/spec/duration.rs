use std::{fmt, str::FromStr, time::Duration};

use mainspring_kernel::text;

/// A stretch of time as people write it: a whole number and `s`, `m`, `h` or `d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Every(Duration);

/// Sources are asked no more often than this.
const SHORTEST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a time between 10s and 366d: write a number and s, m, h or d")]
pub struct EveryFault {
    given: String,
}

impl Every {
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Every {
    type Err = EveryFault;

    fn from_str(given: &str) -> Result<Self, EveryFault> {
        let fault = || EveryFault { given: text::elide(given, 40) };
        let unit = given.chars().last().ok_or_else(fault)?;
        let seconds: u64 = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 24 * 3600,
            _ => return Err(fault()),
        };
        let digits = &given[..given.len() - 1];
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(fault());
        }
        let count: u64 = digits.parse().map_err(|_| fault())?;
        let duration = Duration::from_secs(count.checked_mul(seconds).ok_or_else(fault)?);
        if (SHORTEST..=LONGEST).contains(&duration) { Ok(Self(duration)) } else { Err(fault()) }
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (count, unit) = match seconds {
            _ if seconds.is_multiple_of(24 * 3600) => (seconds / (24 * 3600), "d"),
            _ if seconds.is_multiple_of(3600) => (seconds / 3600, "h"),
            _ if seconds.is_multiple_of(60) => (seconds / 60, "m"),
            _ => (seconds, "s"),
        };
        write!(f, "{count}{unit}")
    }
}

impl serde::Serialize for Every {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> serde::Deserialize<'de> for Every {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
impl schemars::JsonSchema for Every {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Every".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]+[smhd]$", "examples": ["15m", "6h"] })
    }
}
