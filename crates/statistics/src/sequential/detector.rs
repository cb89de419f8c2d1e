use serde::{Deserialize, Serialize};

/// The odds that are looked for, as multiples of the threshold's: from a slow burn to an outage.
const MULTIPLES: [f64; 4] = [1.25, 1.5, 2.0, 4.0];

/// Tells when a rate goes above a threshold, however long it was below, with a bounded rate of false alarms.
///
/// A test that was begun long ago has collected so much evidence of health that it is slow to see the change. This one
/// forgets it: an e-detector of the CUSUM kind (Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for
/// sequential change detection", 2023), a mixture over several sizes of change. While the rate is at or below the
/// threshold, the evidence reaches a bar of `b` only after `b` looks on average, or later.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RateDetector {
    threshold: f64,
    logs: [f64; MULTIPLES.len()],
    looks: u64,
}

impl RateDetector {
    /// Nothing where the threshold is not between 0 and 1.
    #[must_use]
    pub fn new(threshold: f64) -> Option<Self> {
        let fits = threshold > 0.0 && threshold < 1.0;
        fits.then_some(Self { threshold, logs: [0.0; MULTIPLES.len()], looks: 0 })
    }

    /// A look at what came since the last.
    pub fn add(&mut self, hits: u64, misses: u64) {
        self.looks = self.looks.saturating_add(1);
        for (log, multiple) in self.logs.iter_mut().zip(MULTIPLES) {
            let odds = multiple * self.threshold / (1.0 - self.threshold);
            let sought = odds / (1.0 + odds);
            let gain = hits as f64 * (sought / self.threshold).ln();
            let loss = misses as f64 * ((1.0 - sought) / (1.0 - self.threshold)).ln();
            *log = log.max(0.0) + gain + loss;
        }
    }

    #[must_use]
    pub const fn looks(&self) -> u64 {
        self.looks
    }

    /// The logarithm of the evidence that the rate is above the threshold by now.
    #[must_use]
    pub fn log_evidence(&self) -> f64 {
        let highest = self.logs.into_iter().fold(f64::NEG_INFINITY, f64::max);
        let mean = self.logs.into_iter().map(|log| (log - highest).exp()).sum::<f64>() / MULTIPLES.len() as f64;
        highest + mean.ln()
    }

    /// Whether to raise an alarm, where there may be a false one in `looks` looks on average.
    #[must_use]
    pub fn alarms(&self, looks: f64) -> bool {
        self.log_evidence() >= looks.max(1.0).ln()
    }
}
