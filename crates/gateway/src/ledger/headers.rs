//! What clients are told of their limits, in the headers that OpenAI's clients read.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{limit::Metric, meter::Quota};

const REQUESTS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const TOKENS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

/// How a limit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) metric: Metric,
    pub(crate) amount: i128,
    pub(crate) quota: Quota,
}

/// Of several limits on the same thing the one with the least left is told.
pub(crate) fn headers(standings: &[Standing]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (metric, names) in [(Metric::RequestsPerMinute, REQUESTS), (Metric::TokensPerMinute, TOKENS)] {
        let of_metric = standings.iter().filter(|standing| standing.metric == metric);
        let Some(Standing { amount, quota, .. }) = of_metric.min_by_key(|standing| standing.quota.left) else { continue };
        let [limit, remaining, reset] = names;
        headers.insert(limit, number(*amount));
        headers.insert(remaining, number(quota.left));
        if let Ok(value) = HeaderValue::from_str(&written(quota.reset)) {
            headers.insert(reset, value);
        }
    }
    headers
}

fn number(number: i128) -> HeaderValue {
    HeaderValue::from(u64::try_from(number.max(0)).unwrap_or(u64::MAX))
}

/// As `6m0s`, `1.5s` or `20ms`. Rounded up: a client that waits so long is not early.
fn written(duration: Duration) -> String {
    let millis = duration.as_nanos().div_ceil(1_000_000);
    let (minutes, rest) = (millis / 60_000, millis % 60_000);
    let (seconds, rest_millis) = (rest / 1_000, rest % 1_000);
    let fraction = if rest_millis == 0 { String::new() } else { format!(".{rest_millis:03}").trim_end_matches('0').to_owned() };
    match (minutes, seconds) {
        (0, 0) if rest_millis > 0 => format!("{rest_millis}ms"),
        (0, seconds) => format!("{seconds}{fraction}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}{fraction}s"),
    }
}

/// A limit as these headers tell of it, for clients that look for it under other names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToldLimit<'h> {
    /// `requests` or `tokens`.
    pub what: &'static str,
    pub limit: &'h HeaderValue,
    pub remaining: &'h HeaderValue,
    /// How long until all of it is there again.
    pub reset: Duration,
}

/// The limits that an answer tells of.
#[must_use]
pub fn told_limits(headers: &HeaderMap) -> Vec<ToldLimit<'_>> {
    let of = |(what, [limit, remaining, reset]): (&'static str, &[HeaderName; 3])| {
        let reset = read(headers.get(reset)?.to_str().ok()?)?;
        Some(ToldLimit { what, limit: headers.get(limit)?, remaining: headers.get(remaining)?, reset })
    };
    [("requests", &REQUESTS), ("tokens", &TOKENS)].into_iter().filter_map(of).collect()
}

/// What `written` wrote.
fn read(text: &str) -> Option<Duration> {
    if let Some(millis) = text.strip_suffix("ms") {
        return millis.parse().ok().map(Duration::from_millis);
    }
    let (minutes, seconds) = match text.split_once('m') {
        Some((minutes, seconds)) => (minutes.parse::<u64>().ok()?, seconds),
        None => (0, text),
    };
    let seconds = Duration::try_from_secs_f64(seconds.strip_suffix('s')?.parse().ok()?).ok()?;
    Duration::from_secs(minutes.checked_mul(60)?).checked_add(seconds)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::{prelude::any, prop_assert_eq, proptest};

    use super::{HeaderMap, Metric, Quota, Standing, headers, read, told_limits, written};

    #[test]
    fn times_are_written_as_clients_read_them() {
        for (micros, text) in [
            (0, "0s"),
            (1, "1ms"),
            (20_000, "20ms"),
            (999_999, "1s"),
            (1_000_000, "1s"),
            (1_500_000, "1.5s"),
            (59_999_000, "59.999s"),
            (60_000_000, "1m0s"),
            (360_000_000, "6m0s"),
            (361_050_000, "6m1.05s"),
        ] {
            assert_eq!(written(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn the_tightest_limit_is_told() {
        let standing = |metric, amount, left| {
            let quota = Quota { left, reset: Duration::from_secs(3) };
            Standing { metric, amount, quota }
        };
        let told = headers(&[
            standing(Metric::RequestsPerMinute, 600, 500),
            standing(Metric::RequestsPerMinute, 60, 7),
            standing(Metric::UsdPerDay, 1_000, 3),
        ]);
        assert_eq!(told["x-ratelimit-limit-requests"], "60");
        assert_eq!(told["x-ratelimit-remaining-requests"], "7");
        assert_eq!(told["x-ratelimit-reset-requests"], "3s");
        assert!(!told.contains_key("x-ratelimit-limit-tokens"));
        assert!(headers(&[]).is_empty());
        let limits = told_limits(&told);
        assert_eq!(limits.len(), 1);
        assert_eq!(
            (limits[0].what, limits[0].limit.as_bytes(), limits[0].remaining.as_bytes()),
            ("requests", &b"60"[..], &b"7"[..])
        );
        assert_eq!(limits[0].reset, Duration::from_secs(3));
        assert!(told_limits(&HeaderMap::new()).is_empty());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(millis in 0_u64..100_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(read(&written(duration)), Some(duration));
        }

        #[test]
        fn no_text_is_too_strange_for_the_reader(text in "\\PC{0,20}", number in any::<u64>()) {
            for text in [text, format!("{number}m"), format!("{number}m{number}s"), format!("{number}ms"), format!("-{number}s")] {
                let _ = read(&text);
            }
        }
    }
}
