//! Values of attributes, whatever a sender made of them.

use std::borrow::Cow;

use mainspring_kernel::{Money, Timestamp, text};
use serde_json::Value;

/// Longer words are shortened in columns; the attributes hold all of them.
const TEXT_MAX: usize = 1_000;
const TAGS_MAX: usize = 64;
/// No call uses more tokens; sums of a few stay far from where numbers end.
const COUNT_MAX: i64 = 1_000_000_000_000_000;
/// Nine decimals of a dollar, up to a billion dollars.
const NANOS_MAX: i64 = 1_000_000_000 * NANOS_PER_DOLLAR;
const NANOS_PER_DOLLAR: i64 = 1_000_000_000;
const PICOS_PER_NANO: i128 = 1_000;

/// A word or a name. Some senders write every value as JSON, texts within quotes.
pub(super) fn text(value: &Value) -> Option<Cow<'_, str>> {
    let said: Cow<'_, str> = match value {
        Value::String(said) => unquoted(said),
        Value::Number(number) => number.to_string().into(),
        Value::Bool(yes) => yes.to_string().into(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    let said = if said.len() > TEXT_MAX { text::elide(&said, TEXT_MAX / 4).into() } else { said };
    (!said.is_empty()).then_some(said)
}

/// What a text says that was written as JSON.
pub(super) fn unquoted(said: &str) -> Cow<'_, str> {
    if said.len() >= 2 && said.starts_with('"') && said.ends_with('"') {
        return serde_json::from_str::<String>(said).map_or(Cow::Borrowed(said), Cow::Owned);
    }
    Cow::Borrowed(said)
}

/// A count: whole and not negative, as a number or written out.
pub(super) fn count(value: &Value) -> Option<i64> {
    let whole = match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
        Value::String(said) => {
            let said = unquoted(said);
            said.trim().parse::<i64>().ok().or_else(|| said.trim().parse::<f64>().ok().and_then(whole))
        }
        // A list of one, which some instrumentations make of everything.
        Value::Array(items) if items.len() == 1 => return items[0].is_number().then(|| count(&items[0])).flatten(),
        _ => None,
    };
    whole.filter(|count| (0..=COUNT_MAX).contains(count))
}

#[expect(clippy::cast_possible_truncation, reason = "the range is looked at first")]
fn whole(number: f64) -> Option<i64> {
    (number.is_finite() && number.abs() < 9e15).then(|| number.round() as i64)
}

/// Dollars, in billionths. Text is read exactly where it can be.
pub(super) fn nanos(value: &Value) -> Option<i64> {
    let nanos = match value {
        Value::Number(number) => number.as_f64().and_then(|dollars| scaled(dollars, 1e9)),
        Value::String(said) => {
            let said = unquoted(said);
            let said = said.trim().trim_start_matches('$');
            said.parse::<Money>()
                .ok()
                .and_then(of_money)
                .or_else(|| said.parse::<f64>().ok().and_then(|dollars| scaled(dollars, 1e9)))
        }
        _ => None,
    };
    nanos.filter(|nanos| (0..=NANOS_MAX).contains(nanos))
}

/// Half a billionth is rounded up.
fn of_money(money: Money) -> Option<i64> {
    i64::try_from((money.as_pico() + PICOS_PER_NANO / 2).div_euclid(PICOS_PER_NANO)).ok()
}

/// A length of time in microseconds, from a number of units of so many microseconds.
pub(super) fn micros(value: &Value, unit: f64) -> Option<i64> {
    let units = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(said) => unquoted(said).trim().parse::<f64>().ok(),
        _ => None,
    };
    units.and_then(|units| scaled(units, unit)).filter(|micros| *micros >= 0)
}

fn scaled(number: f64, by: f64) -> Option<i64> {
    whole(number * by)
}

/// A moment, as RFC 3339 says it; one SDK writes it as JSON within JSON.
pub(super) fn moment(value: &Value) -> Option<Timestamp> {
    let said = unquoted(value.as_str()?);
    // Python leaves out the offset of times that it takes to be in UTC.
    Timestamp::parse(&said).or_else(|| Timestamp::parse(&format!("{said}Z")))
}

/// Words: a list, JSON of one, or words between commas.
pub(super) fn words(value: &Value) -> Vec<Cow<'_, str>> {
    match value {
        Value::Array(items) => items.iter().filter_map(text).take(TAGS_MAX).collect(),
        Value::String(said) => match structured(said) {
            Some(Value::Array(items)) => {
                items.iter().filter_map(text).take(TAGS_MAX).map(|word| Cow::Owned(word.into_owned())).collect()
            }
            _ => said
                .split(',')
                .map(str::trim)
                .filter(|word| !word.is_empty() && word.len() <= TEXT_MAX)
                .take(TAGS_MAX)
                .map(Cow::Borrowed)
                .collect(),
        },
        _ => Vec::new(),
    }
}

/// Texts longer than this are not looked into: whoever reads them reads them as they are.
pub(super) const STRUCTURED_MAX: usize = 8 << 20;

/// A list or an object that was written as text.
pub(super) fn structured(said: &str) -> Option<Value> {
    let trimmed = said.trim_start();
    let may_be = trimmed.starts_with(['{', '[']) && said.len() <= STRUCTURED_MAX;
    if may_be { serde_json::from_str(trimmed).ok() } else { None }
}

/// A value with what is written in it as text opened.
pub(super) fn opened(value: &Value) -> Cow<'_, Value> {
    match value {
        Value::String(said) => structured(said).map_or(Cow::Borrowed(value), Cow::Owned),
        _ => Cow::Borrowed(value),
    }
}
