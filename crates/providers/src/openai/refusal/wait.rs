//! When a server wants to be asked again.

use std::time::Duration;

use http::{HeaderMap, header};
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};

/// What is later is no wish but an error in a clock.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

static DATES: DateTimeParser = DateTimeParser::new();

/// The most exact of what the headers say. The state of the limits stands in every answer; it counts where a limit is
/// what the answer is about.
pub(super) fn asked(headers: &HeaderMap, limited: bool) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    text("retry-after-ms")
        .and_then(|text| text.parse::<f64>().ok())
        .and_then(|millis| seconds(millis / 1000.0))
        .or_else(|| text("retry-after").and_then(|text| in_seconds(text).or_else(|| until(date(text)?, headers))))
        .or_else(|| if limited { resets(headers) } else { None })
}

fn in_seconds(text: &str) -> Option<Duration> {
    text.parse::<f64>().ok().and_then(seconds)
}

fn seconds(number: f64) -> Option<Duration> {
    if number.is_nan() {
        return None;
    }
    Duration::try_from_secs_f64(number.max(0.0)).ok().filter(|wait| *wait <= LONGEST)
}

fn date(text: &str) -> Option<Timestamp> {
    DATES.parse_timestamp(text).ok()
}

/// How long after the server's own `Date` that is: its clock and ours need not agree.
fn until(then: Timestamp, headers: &HeaderMap) -> Option<Duration> {
    let now = date(headers.get(header::DATE)?.to_str().ok()?)?;
    let millis = then.as_millisecond().saturating_sub(now.as_millisecond());
    Some(Duration::from_millis(u64::try_from(millis).unwrap_or(0))).filter(|wait| *wait <= LONGEST)
}

/// Of the limits those that are used up; of limits that do not say what is left the one that is renewed first.
fn resets(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let mut used_up: Option<Duration> = None;
    let mut soonest: Option<Duration> = None;
    for of in ["-requests", "-tokens", ""] {
        let Some(wait) = text(&format!("x-ratelimit-reset{of}")).and_then(|text| reset(text, headers)) else { continue };
        match text(&format!("x-ratelimit-remaining{of}")).and_then(|left| left.parse::<f64>().ok()) {
            Some(left) if left <= 0.0 => used_up = used_up.max(Some(wait)),
            Some(_) => {}
            None => soonest = Some(soonest.map_or(wait, |other| other.min(wait))),
        }
    }
    used_up.or(soonest)
}

/// `6m0s`, a number of seconds, or a moment in seconds or milliseconds since 1970.
fn reset(text: &str, headers: &HeaderMap) -> Option<Duration> {
    let Ok(number) = text.parse::<f64>() else { return spelled(text) };
    if number < 1e9 {
        return seconds(number);
    }
    let moment = if number < 1e12 { Timestamp::from_second(number as i64) } else { Timestamp::from_millisecond(number as i64) };
    until(moment.ok()?, headers)
}

/// Numbers with units, as in `1h2m3.5s` or `120ms`.
fn spelled(text: &str) -> Option<Duration> {
    let (mut total, mut rest) = (0.0, text);
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len());
        total += number
            * match &rest[..letters] {
                "d" => 86_400.0,
                "h" => 3_600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[letters..];
    }
    (!text.is_empty()).then(|| seconds(total)).flatten()
}
