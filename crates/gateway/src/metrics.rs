//! What the gateway counts. Labels are words of the product and names from specs: never keys, users or models that
//! clients make up.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use mainspring_kernel::Money;
use mainspring_providers::{FaultClass, Operation};
use mainspring_telemetry::Metrics;

use crate::{record::CallStatus, service::CacheOutcome, target::Totals};

const OPERATIONS: [Operation; 9] = [
    Operation::Chat,
    Operation::Responses,
    Operation::Messages,
    Operation::CountTokens,
    Operation::Completions,
    Operation::Embeddings,
    Operation::Rerank,
    Operation::Moderations,
    Operation::Compact,
];
const STATUSES: [CallStatus; 4] = [CallStatus::Ok, CallStatus::Failed, CallStatus::Cancelled, CallStatus::Interrupted];
const OUTCOMES: [CacheOutcome; 4] = [CacheOutcome::Miss, CacheOutcome::Hit, CacheOutcome::Stale, CacheOutcome::SemanticHit];

/// Counted without a lock; told to the process's metrics now and then.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    calls: [[AtomicU64; STATUSES.len()]; OPERATIONS.len()],
    refused: AtomicU64,
    cache: [AtomicU64; OUTCOMES.len()],
    hedged: AtomicU64,
    unpriced: AtomicU64,
}

const fn place(operation: Operation) -> usize {
    match operation {
        Operation::Chat => 0,
        Operation::Responses => 1,
        Operation::Messages => 2,
        Operation::CountTokens => 3,
        Operation::Completions => 4,
        Operation::Embeddings => 5,
        Operation::Rerank => 6,
        Operation::Moderations => 7,
        Operation::Compact => 8,
    }
}

/// A protocol's own word for an operation: three of them are `chat` to the conventions.
pub(crate) const fn word(operation: Operation) -> &'static str {
    match operation {
        Operation::Chat => "chat",
        Operation::Responses => "responses",
        Operation::Messages => "messages",
        Operation::CountTokens => "count_tokens",
        Operation::Completions => "completions",
        Operation::Embeddings => "embeddings",
        Operation::Rerank => "rerank",
        Operation::Moderations => "moderations",
        Operation::Compact => "compact",
    }
}

impl Counters {
    pub(crate) fn settled(&self, operation: Operation, status: CallStatus) {
        let status = STATUSES.iter().position(|each| *each == status).unwrap_or(0);
        self.calls[place(operation)][status].fetch_add(1, Ordering::Relaxed);
    }

    /// A limit or a budget said no.
    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn cache(&self, outcome: CacheOutcome) {
        if let Some(place) = OUTCOMES.iter().position(|each| *each == outcome) {
            self.cache[place].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn hedged(&self) {
        self.hedged.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn unpriced(&self) {
        self.unpriced.fetch_add(1, Ordering::Relaxed);
    }

    fn publish(&self, metrics: &Metrics) {
        const CALLS: (&str, &str) = ("mainspring_gateway_calls_total", "Model calls that were let in and are settled.");
        const REFUSED: (&str, &str) = ("mainspring_gateway_refused_total", "Model calls that a limit or a budget refused.");
        const CACHE: (&str, &str) = ("mainspring_gateway_cache_total", "Calls of routes with a cache, by what it gave.");
        const HEDGED: (&str, &str) = ("mainspring_gateway_hedged_total", "Second attempts beside one that was late.");
        const UNPRICED: (&str, &str) =
            ("mainspring_gateway_unpriced_total", "Attempts that used tokens nobody knows the price of.");
        for operation in OPERATIONS {
            for (status, count) in STATUSES.iter().zip(&self.calls[place(operation)]) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let labels = [("operation", word(operation)), ("status", status.as_str())];
                    metrics.total(CALLS.0, CALLS.1, &labels, count as f64);
                }
            }
        }
        for (outcome, count) in OUTCOMES.iter().zip(&self.cache) {
            metrics.total(CACHE.0, CACHE.1, &[("outcome", outcome.as_str())], count.load(Ordering::Relaxed) as f64);
        }
        for ((name, help), count) in [(REFUSED, &self.refused), (HEDGED, &self.hedged), (UNPRICED, &self.unpriced)] {
            metrics.total(name, help, &[], count.load(Ordering::Relaxed) as f64);
        }
    }
}

/// One call's times.
pub(crate) fn took(metrics: &Metrics, operation: Operation, took: Duration, first: Option<Duration>) {
    let labels = [("operation", word(operation))];
    metrics.observe("mainspring_gateway_call_seconds", "Time until a call was settled.", &labels, took);
    if let Some(first) = first {
        metrics.observe("mainspring_gateway_begin_seconds", "Time until a call's answer began.", &labels, first);
    }
}

/// How long a target took for each token of an answer that came in pieces.
pub(crate) fn pace(metrics: &Metrics, operation: Operation, each: Duration) {
    const PACE: (&str, &str) = ("mainspring_gateway_output_token_seconds", "Time for each token of an answer once it has begun.");
    metrics.observe(PACE.0, PACE.1, &[("operation", word(operation))], each);
}

/// How the targets of one provider stand together.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    pub(crate) totals: Totals,
    pub(crate) in_flight: u32,
    pub(crate) open: u32,
}

/// Tells everything counted so far.
pub(crate) fn publish(metrics: &Metrics, counters: &Counters, providers: &BTreeMap<String, Sum>) {
    counters.publish(metrics);
    let total = |name, help, labels: &[(&str, &str)], now: f64| metrics.total(name, help, labels, now);
    for (provider, Sum { totals, in_flight, open }) in providers {
        let name = [("provider", provider.as_str())];
        total("mainspring_gateway_attempts_total", "Attempts at targets of a provider.", &name, totals.attempts as f64);
        for (class, count) in &totals.failures {
            let labels = [name[0], ("class", FaultClass::as_str(*class))];
            total("mainspring_gateway_failures_total", "Attempts that failed, by class of fault.", &labels, *count as f64);
        }
        for (direction, tokens) in [("input", totals.input_tokens), ("output", totals.output_tokens)] {
            let labels = [name[0], ("direction", direction)];
            total("mainspring_gateway_tokens_total", "Tokens read and written by a provider's models.", &labels, tokens as f64);
        }
        let spend = Money::as_dollars_f64(totals.spend);
        total("mainspring_gateway_cost_dollars_total", "What a provider's models cost, rounded.", &name, spend);
        metrics.set("mainspring_gateway_in_flight", "Attempts under way.", &name, f64::from(*in_flight));
        metrics.set("mainspring_gateway_breakers_open", "Targets whose breaker is not closed.", &name, f64::from(*open));
    }
}
