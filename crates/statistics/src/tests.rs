mod drifting;
mod embedded;
mod looking;
mod rating;
mod resampling;
mod special_values;
mod summaries;

use crate::Random;

#[track_caller]
fn close(found: f64, expected: f64, within: f64) {
    assert!((found - expected).abs() <= within, "{found} is not within {within} of {expected}");
}

/// How often something happens in `runs` runs with seeds of their own.
fn how_often(runs: u64, happens: impl Fn(&mut Random) -> bool) -> f64 {
    (0..runs).filter(|run| happens(&mut Random::new(1_000 + run))).count() as f64 / runs as f64
}

/// What a rate of 5 % may look like in so many runs, up to one in a thousand times.
fn five_percent(runs: u64) -> f64 {
    0.05 + 3.1 * (0.05 * 0.95 / runs as f64).sqrt()
}
