//! Tests that may be looked at after every observation and keep their level however often that is.
//!
//! Evidence is an *e-value*: under the hypothesis it is 1 on average at most, so it ever reaches 1/α with a probability
//! of at most α (Ville, 1939). The logarithm is kept, since the evidence itself leaves the range of numbers soon.

mod bounded;
mod detector;
mod difference;
mod rate;

pub use bounded::{BoundedMean, MeanBet};
pub use detector::RateDetector;
pub use difference::{Difference, always_valid_difference, always_valid_estimate};
pub use rate::{RateEvidence, RateSequence};

/// Whether evidence with this logarithm refutes the hypothesis at a level of `alpha`.
#[must_use]
pub fn refutes(log_evidence: f64, alpha: f64) -> bool {
    log_evidence >= -alpha.ln()
}

/// The p-value that is valid at any time one stops: the inverse of the evidence.
#[must_use]
pub fn p_value(log_evidence: f64) -> f64 {
    (-log_evidence).exp().min(1.0)
}
