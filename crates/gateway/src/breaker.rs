//! When a target is left alone. A pure state machine: whoever asks says what time it is, on a clock that never jumps.

use std::time::Duration;

use mainspring_providers::FaultClass;
use serde::Serialize;
use tokio::time::Instant;

use crate::route::Breaker as Rules;

/// The window moves in this many steps.
const SLOTS: usize = 10;
/// Three doublings: eight times `open_for`.
const DOUBLINGS_MAX: u32 = 3;

/// How a breaker stands, as pages show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Standing {
    Closed,
    /// Some attempts are let through to see whether the target is well again.
    HalfOpen,
    Open {
        /// How long before a probe is let through.
        wait_ms: u64,
    },
}

impl Standing {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half open",
            Self::Open { .. } => "open",
        }
    }
}

/// What an attempt says of its target's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Well,
    Failed,
    /// Nothing: the client's own fault, or it went away.
    Neither,
}

/// What a fault says of the target. What the client did wrong says nothing.
pub(crate) const fn verdict(class: FaultClass) -> Verdict {
    match class {
        FaultClass::Invalid
        | FaultClass::ContentFilter
        | FaultClass::ContextWindow
        | FaultClass::Unsupported
        | FaultClass::TooLarge => Verdict::Neither,
        FaultClass::Connect
        | FaultClass::Timeout
        | FaultClass::Reset
        | FaultClass::Malformed
        | FaultClass::RateLimited
        | FaultClass::Overloaded
        | FaultClass::Server
        | FaultClass::Auth
        | FaultClass::Quota
        | FaultClass::NotFound => Verdict::Failed,
    }
}

/// The right to make one attempt; given back with what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pass {
    generation: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open { until: Instant, failed_probes: u32 },
    HalfOpen { probing: u32, failed_probes: u32 },
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// Which step of time it counts.
    step: u64,
    well: u32,
    failed: u32,
}

#[derive(Debug)]
pub(crate) struct BreakerState {
    state: State,
    /// Grows with every change of state: what began before a change says nothing after it.
    generation: u64,
    origin: Instant,
    window: Duration,
    slots: [Slot; SLOTS],
}

impl BreakerState {
    pub(crate) fn new(now: Instant) -> Self {
        Self { state: State::Closed, generation: 0, origin: now, window: Duration::ZERO, slots: [Slot::default(); SLOTS] }
    }

    pub(crate) fn standing(&self, now: Instant) -> Standing {
        match self.state {
            State::Closed => Standing::Closed,
            State::Open { until, .. } if now < until => {
                let wait = until.saturating_duration_since(now).as_micros().div_ceil(1000);
                Standing::Open { wait_ms: u64::try_from(wait).unwrap_or(u64::MAX) }
            }
            State::Open { .. } | State::HalfOpen { .. } => Standing::HalfOpen,
        }
    }

    /// Lets an attempt through, or says how it stands instead.
    pub(crate) fn enter(&mut self, rules: &Rules, now: Instant) -> Result<Pass, Standing> {
        match &mut self.state {
            State::Closed => {}
            State::Open { until, .. } if now < *until => return Err(self.standing(now)),
            State::Open { failed_probes, .. } => {
                let failed_probes = *failed_probes;
                self.change(State::HalfOpen { probing: 1, failed_probes });
            }
            State::HalfOpen { probing, .. } if *probing < rules.probes.max(1) => *probing += 1,
            State::HalfOpen { .. } => return Err(Standing::HalfOpen),
        }
        Ok(Pass { generation: self.generation })
    }

    /// Hears what came of an attempt.
    pub(crate) fn leave(&mut self, rules: &Rules, pass: Pass, verdict: Verdict, now: Instant) {
        if pass.generation != self.generation {
            return;
        }
        match (&mut self.state, verdict) {
            (State::Closed, _) => self.count(rules, verdict, now),
            (State::HalfOpen { .. }, Verdict::Well) => {
                self.slots = [Slot::default(); SLOTS];
                self.change(State::Closed);
            }
            (State::HalfOpen { failed_probes, .. }, Verdict::Failed) => {
                let failed_probes = (*failed_probes + 1).min(DOUBLINGS_MAX);
                let until = now + rules.open_for.as_duration().saturating_mul(1 << failed_probes);
                self.change(State::Open { until, failed_probes });
            }
            (State::HalfOpen { probing, .. }, Verdict::Neither) => *probing = probing.saturating_sub(1),
            // Its generation would be another.
            (State::Open { .. }, _) => {}
        }
    }

    /// An attempt that had begun well broke off later.
    pub(crate) fn broke_off(&mut self, rules: &Rules, now: Instant) {
        if self.state == State::Closed {
            self.count(rules, Verdict::Failed, now);
        }
    }

    fn count(&mut self, rules: &Rules, verdict: Verdict, now: Instant) {
        let window = rules.window.as_duration();
        if self.window != window {
            // Another version of the route counts in other steps.
            self.window = window;
            self.slots = [Slot::default(); SLOTS];
        }
        let step = self.step(now);
        let slot = &mut self.slots[usize::try_from(step % SLOTS as u64).unwrap_or(0)];
        if slot.step != step {
            *slot = Slot { step, ..Slot::default() };
        }
        match verdict {
            Verdict::Well => slot.well += 1,
            Verdict::Failed => slot.failed += 1,
            Verdict::Neither => return,
        }
        if verdict == Verdict::Failed && self.is_too_much(rules, step) {
            self.change(State::Open { until: now + rules.open_for.as_duration(), failed_probes: 0 });
        }
    }

    fn step(&self, now: Instant) -> u64 {
        let length = (self.window / SLOTS as u32).max(Duration::from_millis(1));
        let since = now.saturating_duration_since(self.origin).as_nanos() / length.as_nanos();
        u64::try_from(since).unwrap_or(u64::MAX)
    }

    fn is_too_much(&self, rules: &Rules, step: u64) -> bool {
        let recent = self.slots.iter().filter(|slot| slot.step + SLOTS as u64 > step);
        let (well, failed) = recent.fold((0_u32, 0_u32), |(well, failed), slot| (well + slot.well, failed + slot.failed));
        let attempts = well.saturating_add(failed);
        attempts >= rules.min_attempts.max(1) && f64::from(failed) >= rules.failure_rate * f64::from(attempts)
    }

    fn change(&mut self, to: State) {
        self.state = to;
        self.generation += 1;
    }
}
