//! What a target did in the last hour, by the minute: enough to see when it began to fail, and with what.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use mainspring_kernel::Timestamp;
use mainspring_providers::FaultClass;
use serde::Serialize;
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);
const MINUTES: u64 = 60;

/// A target's last hour. Minutes without an attempt are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetHistory {
    /// Absent for calls of `provider/model`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    pub provider: String,
    pub model: String,
    /// The oldest first.
    pub minutes: Vec<Minute>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Minute {
    /// Its beginning.
    pub at: Timestamp,
    pub attempts: u32,
    /// By class. A stream that broke off counts although its attempt began well.
    pub failed: BTreeMap<&'static str, u32>,
}

#[derive(Debug, Default)]
struct Slot {
    step: u64,
    attempts: u32,
    failed: BTreeMap<FaultClass, u32>,
}

/// Counts on a clock that never jumps; the wall clock is asked when it is shown.
#[derive(Debug)]
pub(crate) struct History {
    origin: Instant,
    slots: VecDeque<Slot>,
}

impl History {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { origin: now, slots: VecDeque::new() }
    }

    pub(crate) fn attempt(&mut self, now: Instant) {
        let slot = self.slot(now);
        slot.attempts = slot.attempts.saturating_add(1);
    }

    pub(crate) fn failure(&mut self, class: FaultClass, now: Instant) {
        let count = self.slot(now).failed.entry(class).or_default();
        *count = count.saturating_add(1);
    }

    fn step(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.origin).as_secs() / MINUTE.as_secs()
    }

    fn slot(&mut self, now: Instant) -> &mut Slot {
        // Attempts end out of order by a little; what is late counts for the newest minute there is.
        let step = self.step(now).max(self.slots.back().map_or(0, |slot| slot.step));
        while self.slots.front().is_some_and(|slot| slot.step + MINUTES <= step) {
            self.slots.pop_front();
        }
        if self.slots.back().is_none_or(|slot| slot.step != step) {
            self.slots.push_back(Slot { step, ..Slot::default() });
        }
        let last = self.slots.len() - 1;
        &mut self.slots[last]
    }

    /// Each minute under the whole one of the wall clock that it is nearest to, so that targets can be laid over each other.
    pub(crate) fn show(&self, (now, wall): (Instant, Timestamp)) -> Vec<Minute> {
        let oldest = (self.step(now) + 1).saturating_sub(MINUTES);
        let at = |step: u64| {
            let began = self.origin + MINUTE.saturating_mul(u32::try_from(step).unwrap_or(u32::MAX));
            let began = wall.minus(now.saturating_duration_since(began));
            let length = i64::try_from(MINUTE.as_micros()).unwrap_or(i64::MAX);
            Timestamp::from_micros((began.as_micros() + length / 2).div_euclid(length) * length)
        };
        let minute = |slot: &Slot| Minute {
            at: at(slot.step),
            attempts: slot.attempts,
            failed: slot.failed.iter().map(|(class, count)| (class.as_str(), *count)).collect(),
        };
        self.slots.iter().filter(|slot| slot.step >= oldest).map(minute).collect()
    }
}
