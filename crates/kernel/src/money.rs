//! Money as decimal numbers: what is added up comes out exact.

use std::{fmt, iter::Sum, ops, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::text;

/// US dollars in units of 10⁻¹² dollars. A price of one dollar for a million tokens is 10⁶ units for one token,
/// so every price with up to six decimals for a million tokens is exact for a single one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(i128);

const PER_DOLLAR: i128 = 1_000_000_000_000;
const DECIMALS: usize = 12;
/// A trillion dollars: far beyond any bill, and far below where sums could overflow.
const DOLLARS_MAX: i128 = 1_000_000_000_000;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not an amount of money: use a decimal number such as `12.50`, with up to 12 decimals")]
pub struct MoneyFault {
    pub given: String,
}

impl Money {
    pub const ZERO: Self = Self(0);

    #[must_use]
    pub const fn from_pico(units: i128) -> Self {
        Self(units)
    }

    #[must_use]
    pub const fn as_pico(self) -> i128 {
        self.0
    }

    #[must_use]
    pub const fn from_dollars(dollars: i64) -> Self {
        Self(dollars as i128 * PER_DOLLAR)
    }

    /// For charts and metrics only: not exact.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "whoever asks for a float knows it is rounded")]
    pub fn as_dollars_f64(self) -> f64 {
        self.0 as f64 / PER_DOLLAR as f64
    }

    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// What this many tokens cost at a price for a million of them. Half a unit is rounded up.
    #[must_use]
    pub const fn for_tokens(self, tokens: u64) -> Self {
        let product = self.0.saturating_mul(tokens as i128);
        Self((product + 500_000).div_euclid(1_000_000))
    }

    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count as i128))
    }

    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    #[must_use]
    pub fn or_zero(self) -> Self {
        self.max(Self::ZERO)
    }
}

impl ops::Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}
impl ops::AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}
impl ops::Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.saturating_sub(other)
    }
}
impl ops::SubAssign for Money {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}
impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, ops::Add::add)
    }
}

impl fmt::Display for Money {
    /// Dollars with at least two decimals and no further zeros: `0.00`, `12.50`, `0.000125`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) =
            (self.0.unsigned_abs() / PER_DOLLAR.unsigned_abs(), self.0.unsigned_abs() % PER_DOLLAR.unsigned_abs());
        let digits = format!("{rest:0DECIMALS$}");
        let kept = digits.trim_end_matches('0').len().max(2);
        write!(f, "{}{whole}.{}", if self.0 < 0 { "-" } else { "" }, &digits[..kept])
    }
}

impl FromStr for Money {
    type Err = MoneyFault;

    fn from_str(given: &str) -> Result<Self, MoneyFault> {
        parse(given).ok_or_else(|| MoneyFault { given: text::elide(given, 40) })
    }
}

fn parse(given: &str) -> Option<Money> {
    let (negative, digits) = given.strip_prefix('-').map_or((false, given), |rest| (true, rest));
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(decimals) || !(-40..=40).contains(&exponent) {
        return None;
    }
    if mantissa.ends_with('.') || whole.len() + decimals.len() > 30 {
        return None;
    }
    let number: i128 = format!("{whole}{decimals}").parse().ok()?;
    // Twelve decimals are units; what lies beyond them must be nothing.
    let shift = i32::try_from(DECIMALS).ok()? + exponent - i32::try_from(decimals.len()).ok()?;
    let power = 10_i128.checked_pow(shift.unsigned_abs());
    let units = match (power, number) {
        (_, 0) => 0,
        (Some(power), number) if shift >= 0 => number.checked_mul(power)?,
        (Some(power), number) if number % power == 0 => number / power,
        _ => return None,
    };
    (units <= DOLLARS_MAX * PER_DOLLAR).then_some(Money(if negative { -units } else { units }))
}

impl Serialize for Money {
    /// As text: JSON's numbers are floats to most readers.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    /// From text or from a number as a person writes one; the shortest decimal of a float is what was written.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Text(String),
            Integer(i64),
            Float(f64),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Text(text) => text,
            Written::Integer(number) => number.to_string(),
            Written::Float(number) => number.to_string(),
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Money;

    fn money(text: &str) -> Money {
        text.parse().expect("an amount")
    }

    #[test]
    fn amounts_are_read_as_people_write_them() {
        for (given, units) in [
            ("1", 1_000_000_000_000),
            ("0.15", 150_000_000_000),
            ("12.50", 12_500_000_000_000),
            ("0.000000000001", 1),
            ("1e-6", 1_000_000),
            ("2.5E2", 250_000_000_000_000),
            ("-3.1", -3_100_000_000_000),
            ("0", 0),
            ("0.0000000000000000", 0),
        ] {
            assert_eq!(given.parse(), Ok(Money::from_pico(units)), "{given}");
        }
        for given in ["", ".", "1.", ".5", "abc", "1,5", "$1", "--1", "1e99", "0.0000000000001", "1e13", "NaN", "1 "] {
            assert!(given.parse::<Money>().is_err(), "{given}");
        }
    }

    #[test]
    fn json_numbers_and_texts_mean_the_same() {
        for (json, text) in [("0.15", "0.15"), ("\"0.15\"", "0.15"), ("3", "3"), ("0.0028", "0.0028"), ("1e-7", "0.0000001")] {
            let read: Money = serde_json::from_str(json).expect(json);
            assert_eq!(read, money(text), "{json}");
        }
        assert_eq!(serde_json::to_string(&money("0.075")).expect("text"), "\"0.075\"");
    }

    #[test]
    fn a_price_for_a_million_is_exact_for_one() {
        assert_eq!(money("0.15").for_tokens(1), Money::from_pico(150_000));
        assert_eq!(money("0.15").for_tokens(1_000_000), money("0.15"));
        assert_eq!(money("0.0028").for_tokens(7), Money::from_pico(19_600));
        assert_eq!(money("0.0000004").for_tokens(1), Money::from_pico(0), "less than half a unit");
        assert_eq!(money("0.0000005").for_tokens(1), Money::from_pico(1), "half a unit");
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_again(units in -1_000_000_000_000_000_000_i128..1_000_000_000_000_000_000) {
            let amount = Money::from_pico(units);
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,60}") {
            let _ = text.parse::<Money>();
        }

        #[test]
        fn tokens_split_in_two_cost_the_same_within_a_unit(price in 0_i128..1_000_000_000_000_000, a in 0_u64..1_000_000, b in 0_u64..1_000_000) {
            let price = Money::from_pico(price);
            let apart = price.for_tokens(a) + price.for_tokens(b);
            prop_assert!((apart.as_pico() - price.for_tokens(a + b).as_pico()).abs() <= 1);
        }
    }
}
