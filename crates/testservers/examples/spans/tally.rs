//! Times, and what they are in the end.

use std::time::Duration;

use serde_json::{Value, json};

#[derive(Debug, Default)]
pub(crate) struct Times(Vec<u64>);

impl Times {
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) const fn count(&self) -> usize {
        self.0.len()
    }

    /// Percentiles in milliseconds; `null` where nothing was measured.
    pub(crate) fn told(mut self) -> Value {
        self.0.sort_unstable();
        let Some(last) = self.0.len().checked_sub(1) else {
            return Value::Null;
        };
        let at = |share: f64| self.0[(last as f64 * share).round() as usize] as f64 / 1e6;
        json!({ "p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "max": at(1.0) })
    }
}
