//! Specs with nothing said yet, and the numbers that go into them.

use mainspring_gateway::{Breaker, Cache, CacheMode, Choose, Fallback, Retry, RouteSpec, Span, Target, Timeouts};
use mainspring_kernel::Name;
use mainspring_providers::{FaultClass, ProviderKind, ProviderSpec};
use serde_json::Map;

const RETRIES_MAX: u64 = 10;
const YEAR: f64 = 365.0 * 86_400_000.0;

/// A spec with nothing but its kind.
pub(crate) fn provider(kind: ProviderKind) -> ProviderSpec {
    ProviderSpec::of(kind)
}

pub(crate) fn route(targets: Vec<Target>) -> RouteSpec {
    RouteSpec {
        models: Vec::new(),
        targets,
        choose: Choose::default(),
        sticky: None,
        retry: Retry::default(),
        fallback: Fallback::default(),
        timeouts: Timeouts::default(),
        hedge: None,
        breaker: Breaker::default(),
        cache: None,
    }
}

pub(crate) fn target(provider: Name, model: Option<String>) -> Target {
    Target {
        provider,
        model,
        weight: 1,
        tier: 0,
        on: Vec::new(),
        parameters: Map::new(),
        context_window: None,
        max_output_tokens: None,
        price_as: None,
    }
}

pub(crate) fn cache(mode: CacheMode, ttl: Span) -> Cache {
    // Others keep answers whatever their temperature.
    Cache { mode, ttl, stale_for: None, threshold: 0.95, embedding: None, sampled: true, per_user: false }
}

/// A stretch of time; nothing where it is none, or longer than a year.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the bounds")]
pub(crate) fn millis(millis: f64) -> Option<Span> {
    let rounded = millis.round();
    (1.0..=YEAR).contains(&rounded).then(|| Span::millis(rounded as u64))
}

pub(crate) fn seconds(seconds: f64) -> Option<Span> {
    millis(seconds * 1000.0)
}

/// How long one attempt may take, as others bound it: to its last byte. What begins later than that has no use.
pub(crate) fn attempt_within(timeouts: &mut Timeouts, span: Span) {
    timeouts.attempt = span;
    timeouts.first = Some(span);
    timeouts.total = timeouts.total.max(span);
}

/// The longer of two bounds on the beginning of a stream. One that is not said is what is usual.
pub(crate) fn later(one: Option<Span>, other: Option<Span>) -> Option<Span> {
    if one == other {
        return one;
    }
    let usual = Timeouts::default().for_stream();
    let longer = one.unwrap_or(usual).max(other.unwrap_or(usual));
    (longer != usual).then_some(longer)
}

/// One number for targets that each may have their own, of which the largest counts, and whether they differ. What is usual
/// holds for those that say nothing. Nothing where none of them does.
pub(crate) fn largest<T: Copy + Ord>(given: impl IntoIterator<Item = Option<T>>, usual: T) -> Option<(T, bool)> {
    let given: Vec<Option<T>> = given.into_iter().collect();
    given.iter().any(Option::is_some).then_some(())?;
    let all = given.into_iter().map(|each| each.unwrap_or(usual));
    let (least, most) = all.fold((None, None), |(least, most): (Option<T>, Option<T>), each| {
        (Some(least.map_or(each, |least| least.min(each))), Some(most.map_or(each, |most| most.max(each))))
    });
    Some((most?, least != most))
}

/// Bounds attempts by the longest of what targets say; answers whether they differ.
pub(crate) fn attempts_within(timeouts: &mut Timeouts, given: impl IntoIterator<Item = Option<Span>>) -> bool {
    let usual = timeouts.attempt;
    let Some((longest, differs)) = largest(given, usual) else { return false };
    if longest != usual {
        attempt_within(timeouts, longest);
    }
    differs
}

/// What is said of bounds of time that only a route has.
pub(crate) const LONGEST: &str = "timeouts are of the route, not of each target: the longest counts";
/// And of attempts.
pub(crate) const MOST: &str = "retries are of the route, not of each target: the most count";

pub(crate) fn retries(given: u64) -> u32 {
    u32::try_from(given.min(RETRIES_MAX)).unwrap_or(0)
}

/// Shares as whole numbers in the same proportion; all one where nothing is said.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the bounds")]
pub(crate) fn weights(shares: &[f64]) -> Vec<u32> {
    let most = shares.iter().copied().filter(|share| share.is_finite()).fold(0.0_f64, f64::max);
    if most <= 0.0 {
        return vec![1; shares.len()];
    }
    let whole = shares.iter().all(|share| share.fract() == 0.0) && most <= 1e6;
    let hundredths = shares.iter().all(|share| ((share * 100.0).round() - share * 100.0).abs() < 1e-6) && most <= 1e4;
    let scale = match (whole, hundredths) {
        (true, _) => 1.0,
        (false, true) => 100.0,
        (false, false) => 1_000_000.0 / most,
    };
    let scaled = shares.iter().map(|share| (share.max(0.0) * scale).round() as u32);
    let scaled: Vec<u32> = scaled.collect();
    let common = scaled.iter().copied().fold(0, divisor);
    if common > 1 && !whole { scaled.into_iter().map(|weight| weight / common).collect() } else { scaled }
}

fn divisor(one: u32, other: u32) -> u32 {
    if other == 0 { one } else { divisor(other, one % other) }
}

/// What a status means for those who decide by class.
pub(crate) const fn class(status: u64) -> Option<FaultClass> {
    Some(match status {
        400 | 422 => FaultClass::Invalid,
        401 | 403 => FaultClass::Auth,
        402 => FaultClass::Quota,
        404 => FaultClass::NotFound,
        408 | 504 => FaultClass::Timeout,
        413 => FaultClass::TooLarge,
        429 => FaultClass::RateLimited,
        503 | 529 => FaultClass::Overloaded,
        500..=599 => FaultClass::Server,
        _ => return None,
    })
}
