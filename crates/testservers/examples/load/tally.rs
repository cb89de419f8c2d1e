//! What was measured.

use std::time::Duration;

use serde_json::{Value, json};

/// What one connection saw, and in the end all of them.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// From the moment a request was due to the last byte of its answer, in nanoseconds.
    pub(crate) whole: Vec<u64>,
    /// To the first stamp of a stream.
    pub(crate) first: Vec<u64>,
    /// From the moment the server sent a chunk to the moment it was read here.
    pub(crate) chunk: Vec<u64>,
    pub(crate) errors: u64,
    pub(crate) last_error: Option<String>,
    /// Connections that were opened after the first of each.
    pub(crate) reopened: u64,
    /// Streams under way when the time was up.
    pub(crate) open: u64,
}

impl Tally {
    pub(crate) fn failed(&mut self, why: String) {
        self.errors += 1;
        self.last_error = Some(why);
    }

    pub(crate) fn add(&mut self, other: Self) {
        let Self { whole, first, chunk, errors, last_error, reopened, open } = other;
        self.whole.extend(whole);
        self.first.extend(first);
        self.chunk.extend(chunk);
        self.errors += errors;
        self.last_error = last_error.or(self.last_error.take());
        self.reopened += reopened;
        self.open += open;
    }

    pub(crate) fn told(mut self, mode: &str, connections: usize, took: Duration) -> Value {
        let seconds = took.as_secs_f64();
        json!({
            "mode": mode,
            "connections": connections,
            "seconds": seconds,
            "requests": self.whole.len(),
            "per_second": self.whole.len() as f64 / seconds,
            "errors": self.errors,
            "last_error": self.last_error,
            "reopened": self.reopened,
            "open": self.open,
            "whole_ms": spread(&mut self.whole),
            "first_ms": spread(&mut self.first),
            "chunk_ms": spread(&mut self.chunk),
            "chunks": self.chunk.len(),
        })
    }
}

/// Percentiles in milliseconds; `null` where nothing was measured.
fn spread(nanos: &mut [u64]) -> Value {
    nanos.sort_unstable();
    let Some(last) = nanos.len().checked_sub(1) else {
        return Value::Null;
    };
    let at = |share: f64| nanos[(last as f64 * share).round() as usize] as f64 / 1e6;
    let mean = nanos.iter().sum::<u64>() as f64 / nanos.len() as f64 / 1e6;
    json!({ "mean": mean, "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p999": at(0.999), "max": at(1.0) })
}
