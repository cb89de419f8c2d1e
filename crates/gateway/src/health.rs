//! What is known of a target from its recent attempts.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use mainspring_kernel::Money;
use mainspring_llm::TokenUsage;
use mainspring_providers::FaultClass;
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    begins::{Begins, Manner},
    breaker::Standing,
    history::History,
    route::Percentile,
};

/// Attempts remembered one by one.
const RECENT: usize = 256;
/// A percentile of fewer attempts than these says nothing.
const SAMPLES_MIN: usize = 20;

/// A target as pages show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetHealth {
    /// Absent for calls of `provider/model`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    pub provider: String,
    pub model: String,
    #[serde(flatten)]
    pub standing: Standing,
    pub in_flight: u32,
    /// Attempts that are still remembered one by one, and how many of them failed, by class.
    pub recent: u32,
    pub failed: BTreeMap<&'static str, u32>,
    /// Milliseconds until a stream begins, over the recent ones that did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begin_p50_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begin_p95_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begin_p99_ms: Option<u32>,
    /// Milliseconds until an answer is complete, over the recent ones that were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole_p50_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole_p95_ms: Option<u32>,
    /// Written tokens a second, over the recent streams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_second: Option<f32>,
    /// Since this process started.
    pub attempts: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub spend: Money,
    /// Whether there is a price for it now; absent where the client names the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priced: Option<bool>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    class: Option<FaultClass>,
    tokens_per_second: Option<f32>,
}

/// Everything remembered of one target but its breaker.
#[derive(Debug)]
pub(crate) struct Health {
    recent: Vec<Sample>,
    next: usize,
    /// How long the last answers took that came to their end.
    wholes: VecDeque<u32>,
    pub(crate) history: History,
    begins: Begins,
    pub(crate) attempts: u64,
    /// By class since the start, for metrics.
    pub(crate) failures: BTreeMap<FaultClass, u64>,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) spend: Money,
}

impl Health {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            recent: Vec::new(),
            next: 0,
            wholes: VecDeque::new(),
            history: History::new(now),
            begins: Begins::default(),
            attempts: 0,
            failures: BTreeMap::new(),
            input_tokens: 0,
            output_tokens: 0,
            spend: Money::ZERO,
        }
    }

    /// An attempt's answer began after this long; without a manner it is one whose time says nothing of others.
    pub(crate) fn began(&mut self, manner: Option<Manner>, after: Duration, now: Instant) {
        if let Some(manner) = manner {
            self.begins.began(manner, after, now);
        }
        self.attempts += 1;
        self.history.attempt(now);
        self.remember(Sample { class: None, tokens_per_second: None });
    }

    /// An attempt failed before its answer began.
    pub(crate) fn failed(&mut self, class: FaultClass, (manner, after): (Manner, Duration), now: Instant) {
        self.begins.failed(manner, after, now);
        self.attempts += 1;
        self.history.attempt(now);
        self.fault(class, now);
    }

    /// The client's own fault: the target is as well as before.
    pub(crate) fn refused(&mut self, class: FaultClass, now: Instant) {
        self.attempts += 1;
        self.history.attempt(now);
        self.fault(class, now);
    }

    /// An answer that had begun broke off.
    pub(crate) fn broke_off(&mut self, class: FaultClass, now: Instant) {
        self.fault(class, now);
    }

    fn fault(&mut self, class: FaultClass, now: Instant) {
        *self.failures.entry(class).or_default() += 1;
        self.history.failure(class, now);
        self.remember(Sample { class: Some(class), tokens_per_second: None });
    }

    /// An answer came to its end after this long.
    pub(crate) fn completed(&mut self, after: Duration) {
        if self.wholes.len() >= RECENT {
            self.wholes.pop_front();
        }
        self.wholes.push_back(u32::try_from(after.as_millis()).unwrap_or(u32::MAX));
    }

    /// What an attempt used, once it is over.
    pub(crate) fn used(&mut self, usage: &TokenUsage, cost: Money, writing: Option<Duration>) {
        self.input_tokens += usage.input;
        self.output_tokens += usage.output;
        self.spend += cost;
        let Some(writing) = writing.filter(|writing| usage.output > 0 && *writing > Duration::from_millis(20)) else {
            return;
        };
        let speed = (usage.output as f64 / writing.as_secs_f64()) as f32;
        // The newest sample is usually this attempt's own; among many at once it may be a neighbour's.
        let newest = self.next.checked_sub(1).unwrap_or(self.recent.len().saturating_sub(1));
        if let Some(sample) = self.recent.get_mut(newest) {
            sample.tokens_per_second = Some(speed);
        }
    }

    fn remember(&mut self, sample: Sample) {
        if self.recent.len() < RECENT {
            self.recent.push(sample);
            self.next = self.recent.len() % RECENT;
        } else {
            self.recent[self.next] = sample;
            self.next = (self.next + 1) % RECENT;
        }
    }

    /// How soon an answer that comes so would begin; absent until something is known.
    pub(crate) fn begin_ms(&self, manner: Manner, now: Instant) -> Option<f64> {
        self.begins.ms(manner, now)
    }

    /// Whether that is more than what its failures count as.
    pub(crate) fn has_begun(&self, manner: Manner) -> bool {
        self.begins.has_begun(manner)
    }

    /// A percentile of the recent times to begin of answers that came so, once there are enough of them.
    pub(crate) fn percentile(&self, manner: Manner, percentile: Percentile) -> Option<Duration> {
        let share = match percentile {
            Percentile::P50 => 50,
            Percentile::P90 => 90,
            Percentile::P95 => 95,
            Percentile::P99 => 99,
        };
        let mut times = self.begins.recent(manner);
        (times.len() >= SAMPLES_MIN).then(|| Duration::from_millis(u64::from(nth(&mut times, share))))
    }

    pub(crate) fn show(
        &self,
        (route, provider, model): (Option<String>, String, String),
        standing: Standing,
        in_flight: u32,
    ) -> TargetHealth {
        let mut failed: BTreeMap<&'static str, u32> = BTreeMap::new();
        for class in self.recent.iter().filter_map(|sample| sample.class) {
            *failed.entry(class.as_str()).or_default() += 1;
        }
        let mut times = self.begins.recent(Manner::Streamed);
        let mut percentile = |share| (!times.is_empty()).then(|| nth(&mut times, share));
        let mut wholes: Vec<u32> = self.wholes.iter().copied().collect();
        let mut whole = |share| (!wholes.is_empty()).then(|| nth(&mut wholes, share));
        let speeds: Vec<f32> = self.recent.iter().filter_map(|sample| sample.tokens_per_second).collect();
        TargetHealth {
            route,
            provider,
            model,
            standing,
            in_flight,
            recent: u32::try_from(self.recent.len()).unwrap_or(u32::MAX),
            failed,
            begin_p50_ms: percentile(50),
            begin_p95_ms: percentile(95),
            begin_p99_ms: percentile(99),
            whole_p50_ms: whole(50),
            whole_p95_ms: whole(95),
            tokens_per_second: (!speeds.is_empty()).then(|| speeds.iter().sum::<f32>() / speeds.len() as f32),
            attempts: self.attempts,
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            spend: self.spend,
            priced: None,
        }
    }
}

/// The smallest time that this share of them, in percent, does not exceed.
fn nth(times: &mut [u32], share: usize) -> u32 {
    let rank = (times.len() * share).div_ceil(100).max(1) - 1;
    *times.select_nth_unstable(rank).1
}
