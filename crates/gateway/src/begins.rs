//! How soon the answers of a target begin. Streams and answers that come whole are measured apart: the head of a whole text is
//! sent when all of it is written, and says nothing of when a stream begins.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// Times remembered one by one, of each manner.
const RECENT: usize = 256;
/// How long a bad moment weighs on the estimate of when a target begins.
const DECAY: Duration = Duration::from_secs(10);
/// What a failure counts as at least: a target that fails at once is not quick.
const FAILED_MS: f64 = 1_000.0;
/// And at most.
const LONGEST_MS: f64 = 600_000.0;

/// How an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Streamed,
    Whole,
}

#[derive(Debug, Default)]
pub(crate) struct Begins {
    streamed: Times,
    whole: Times,
}

#[derive(Debug, Default)]
struct Times {
    recent: VecDeque<u32>,
    /// Absent until something is known.
    peak: Option<Peak>,
}

/// An average that jumps up with every bad moment and comes down slowly.
#[derive(Debug, Clone, Copy)]
struct Peak {
    ms: f64,
    at: Instant,
}

impl Begins {
    /// An answer began after this long.
    pub(crate) fn began(&mut self, manner: Manner, after: Duration, now: Instant) {
        let times = match manner {
            Manner::Streamed => &mut self.streamed,
            Manner::Whole => &mut self.whole,
        };
        times.observe(after.as_secs_f64() * 1_000.0, now);
        if times.recent.len() >= RECENT {
            times.recent.pop_front();
        }
        times.recent.push_back(u32::try_from(after.as_millis()).unwrap_or(u32::MAX));
    }

    /// An attempt failed before its answer began. Whoever fails is late to all, and only those of its own manner learn by how
    /// much: what comes whole may fail after many minutes.
    pub(crate) fn failed(&mut self, manner: Manner, after: Duration, now: Instant) {
        for (each, times) in [(Manner::Streamed, &mut self.streamed), (Manner::Whole, &mut self.whole)] {
            let took = if each == manner { after } else { Duration::ZERO };
            let before = times.peak.map_or(0.0, |peak| peak.now(now));
            let ms = (took.as_secs_f64() * 1_000.0).max(FAILED_MS).max(before * 2.0);
            times.observe(ms.min(LONGEST_MS), now);
        }
    }

    /// Absent until something is known. What comes whole begins no sooner than a stream would, so that where only streams are
    /// known their time stands for it; of streams nothing follows from what came whole.
    pub(crate) fn ms(&self, manner: Manner, now: Instant) -> Option<f64> {
        let peak = match manner {
            Manner::Streamed => self.streamed.peak,
            Manner::Whole => self.whole.peak.or(self.streamed.peak),
        };
        peak.map(|peak| peak.now(now))
    }

    /// Whether an answer began of those that `ms` goes by.
    pub(crate) fn has_begun(&self, manner: Manner) -> bool {
        let streamed = !self.streamed.recent.is_empty();
        match manner {
            Manner::Streamed => streamed,
            Manner::Whole => streamed || !self.whole.recent.is_empty(),
        }
    }

    /// The last that began, in milliseconds and in no order.
    pub(crate) fn recent(&self, manner: Manner) -> Vec<u32> {
        let times = match manner {
            Manner::Streamed => &self.streamed,
            Manner::Whole => &self.whole,
        };
        times.recent.iter().copied().collect()
    }
}

impl Times {
    fn observe(&mut self, ms: f64, now: Instant) {
        let ms = match self.peak {
            Some(peak) if ms < peak.ms => ms + (peak.ms - ms) * peak.weight(now),
            _ => ms,
        };
        self.peak = Some(Peak { ms, at: now });
    }
}

impl Peak {
    fn weight(&self, now: Instant) -> f64 {
        (-now.saturating_duration_since(self.at).as_secs_f64() / DECAY.as_secs_f64()).exp()
    }

    /// Fades while nothing is heard, so that a target that was bad once is asked again.
    fn now(&self, now: Instant) -> f64 {
        self.ms * self.weight(now)
    }
}
