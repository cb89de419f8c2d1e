use serde::{Deserialize, Serialize};

use crate::{moments::Moments, rates::Interval};

/// The difference of two means, to be looked at as often as one likes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The first less the second, with an interval that holds at all times.
    pub difference: Interval,
    /// The logarithm of the evidence against "no difference".
    pub log_evidence: f64,
    /// Valid at this look; over many looks the smallest so far is.
    pub p: f64,
}

/// The mixture sequential probability ratio test for the means of two streams.
///
/// Johari, Koomen, Pekelis and Walsh, "Always valid inference: continuous monitoring of A/B tests", 2022, after Robbins
/// (1970): a normal mixture of width `effect` over differences, with the variances estimated. It holds for large samples
/// (the estimates are taken for the truth), so ask for a hundred or more of each before the first look. `effect` is the
/// size of difference that matters; the level does not depend on it, how soon something is found does.
///
/// Nothing where one stream has fewer than two numbers, or neither varies.
#[must_use]
pub fn always_valid_difference(one: &Moments, other: &Moments, effect: f64, level: f64) -> Option<Difference> {
    let error = one.error_squared()? + other.error_squared()?;
    always_valid_estimate(one.mean()? - other.mean()?, error, effect, level)
}

/// The same for any estimate that is nearly normal around what is estimated, with the square of its standard error.
#[must_use]
pub fn always_valid_estimate(estimate: f64, error: f64, effect: f64, level: f64) -> Option<Difference> {
    if error <= 0.0 || !error.is_finite() || effect <= 0.0 || !effect.is_finite() {
        return None;
    }
    let (mixture, alpha) = (effect * effect, (1.0 - level).clamp(1e-12, 1.0 - 1e-12));
    let both = error + mixture;
    let log_evidence = 0.5 * (error / both).ln() + mixture * estimate * estimate / (2.0 * error * both);
    let half = (error * both / mixture * (-2.0 * alpha.ln() + (both / error).ln())).sqrt();
    Some(Difference {
        difference: Interval { estimate, low: estimate - half, high: estimate + half },
        log_evidence,
        p: super::p_value(log_evidence),
    })
}
