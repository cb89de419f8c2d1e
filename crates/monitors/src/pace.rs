//! When to look again.

use std::time::Duration;

use mainspring_kernel::Timestamp;

use crate::{
    budget,
    spec::{Compare, MonitorSpec, Test},
    state::History,
};

/// A release is looked at so many times within a window, so that a new one is noticed before the window is over.
const LOOKS_AT_A_RELEASE: u32 = 4;

/// The first moment after `now` at which a look may say something new: the end of the next whole stretch that is looked at
/// together, when what comes late has come; and sooner while something is about to fire or to be over.
pub(crate) fn next_look(spec: &MonitorSpec, history: &History, now: Timestamp) -> Timestamp {
    let (every, window) = (spec.every.as_duration(), spec.window.as_duration());
    let step = match &spec.compare {
        Compare::Threshold(limits) if limits.test == Test::Sequential => every,
        Compare::Release(release) if release.test == Test::Sequential => every,
        Compare::Release(_) => every.max(window / LOOKS_AT_A_RELEASE),
        Compare::Budget(_) => budget::STEP,
        Compare::Threshold(_) | Compare::Previous(_) | Compare::Rest(_) => window,
    };
    let delay = spec.delay.as_duration();
    let whole = after(now.minus(delay), step).plus(delay);
    if history.unsettled() { whole.min(now.plus(every)) } else { whole }
}

/// The end of the stretch of this length that a moment is in.
fn after(moment: Timestamp, length: Duration) -> Timestamp {
    let micros = i64::try_from(length.as_micros()).unwrap_or(i64::MAX).max(1);
    Timestamp::from_micros(moment.as_micros().div_euclid(micros).saturating_add(1).saturating_mul(micros))
}
