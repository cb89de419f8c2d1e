use std::{fmt, str::FromStr, time::Duration};

use mainspring_kernel::{duration, text};

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
        let duration = duration::read(given).filter(|_| !given.ends_with("ms"));
        let duration = duration.filter(|duration| (SHORTEST..=LONGEST).contains(duration));
        duration.map(Self).ok_or_else(|| EveryFault { given: text::elide(given, 40) })
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&duration::write(self.0))
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
