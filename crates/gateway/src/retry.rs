//! Whether to ask the same target again, and when.

use std::time::Duration;

use mainspring_providers::FaultClass;

use crate::route::Retry;

/// An attempt that failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tried {
    /// Attempts at this target so far, this one included.
    pub(crate) attempts: u32,
    pub(crate) class: FaultClass,
    /// What the provider asked for.
    pub(crate) retry_after: Option<Duration>,
    /// What is left of the call's time.
    pub(crate) remaining: Duration,
}

/// How long to wait before the same target is asked again; `None`: not again.
///
/// `jitter` is drawn from 0 to 1: the whole of a backoff is random, so that callers who failed together do not
/// come back together. A provider's `Retry-After` is a promise of refusal until then, so nothing comes sooner. One that
/// outlasts `max_backoff` is not waited for: a call that sleeps keeps its places and its money from others, and whoever made
/// it hears nothing. Another target takes it, or its client is told when to come back.
pub(crate) fn next(rules: &Retry, tried: &Tried, jitter: f64) -> Option<Duration> {
    if tried.attempts > rules.attempts || !rules.on.contains(&tried.class) {
        return None;
    }
    let asked = tried.retry_after.unwrap_or_default();
    if asked > rules.max_backoff.as_duration() {
        return None;
    }
    let wait = asked.max(backoff(rules, tried.attempts, jitter));
    (wait < tried.remaining).then_some(wait)
}

/// Doubles with every attempt, up to `max_backoff`.
fn backoff(rules: &Retry, attempts: u32, jitter: f64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(20);
    let ceiling = rules.backoff.as_duration().saturating_mul(1 << doublings).min(rules.max_backoff.as_duration());
    ceiling.mul_f64(jitter.clamp(0.0, 1.0))
}
