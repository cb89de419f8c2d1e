//! Durations and sizes as people write them.

use std::{str::FromStr, time::Duration};

use serde::Deserialize;

/// `30s`, `5m`, `24h`, `30d`, `250ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Seconds(pub Duration);

/// `512`, `64KiB`, `32MiB`, `2GiB`, `10MB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Bytes(pub u64);

fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, text[end..].trim()))
}

impl FromStr for Seconds {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("`{text}` is not a duration: write 250ms, 30s, 5m, 24h or 30d");
        let (number, unit) = split(text).ok_or_else(fault)?;
        let factor = match unit {
            "ms" => return Ok(Self(Duration::from_millis(number))),
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(fault()),
        };
        number.checked_mul(factor).map(|seconds| Self(Duration::from_secs(seconds))).ok_or_else(fault)
    }
}

impl FromStr for Bytes {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("`{text}` is not a size: write 512, 64KiB, 32MiB or 2GiB");
        let (number, unit) = split(text).ok_or_else(fault)?;
        let factor: u64 = match unit {
            "" | "B" => 1,
            "kB" | "KB" => 1000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(fault()),
        };
        number.checked_mul(factor).map(Self).ok_or_else(fault)
    }
}

impl TryFrom<String> for Seconds {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}
impl TryFrom<String> for Bytes {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}
