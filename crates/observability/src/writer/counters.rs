//! How far spans have come, and how many were lost.

use std::sync::atomic::{AtomicU64, Ordering};

use mainspring_telemetry::Metrics;
use tokio::sync::{Notify, watch};

use crate::fault::Trouble;

/// Why spans were dropped, as the metric says it.
const REASONS: [&str; 5] = ["queue_full", "spill_limit", "disk_full", "unwritable", "removed"];

/// How far spans have come, by count since start.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) recorded: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) stored: watch::Sender<u64>,
    pub(crate) queryable: watch::Sender<u64>,
    /// Spans that are on the disk, whoever knows it already.
    pub(super) written: AtomicU64,
    /// Spans that will not come to the lake, and count as queryable once everything stored before them is.
    aside: AtomicU64,
    pub(crate) lake_down: watch::Sender<bool>,
    pub(crate) trouble: watch::Sender<Option<Trouble>>,
    /// Somebody waits for spans that wait for quiet.
    pub(crate) asked: Notify,
    metrics: Metrics,
}

impl Counters {
    pub(crate) fn new(metrics: Metrics) -> Self {
        let counters = Self {
            recorded: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            stored: watch::Sender::new(0),
            queryable: watch::Sender::new(0),
            written: AtomicU64::new(0),
            aside: AtomicU64::new(0),
            lake_down: watch::Sender::new(false),
            trouble: watch::Sender::new(None),
            asked: Notify::new(),
            metrics,
        };
        // A series that is there from the start can be watched for its first increase.
        REASONS.iter().for_each(|reason| counters.count_dropped(0, reason));
        counters
    }

    pub(crate) fn count_dropped(&self, spans: u64, reason: &str) {
        self.dropped.fetch_add(spans, Ordering::SeqCst);
        #[expect(clippy::cast_precision_loss, reason = "counters are floats by format")]
        let by = spans as f64;
        self.metrics.add("mainspring_spans_dropped_total", "Spans that were not stored, by reason.", &[("reason", reason)], by);
    }

    /// Spans that will never be stored; nobody waits for them any longer.
    pub(super) fn lose(&self, spans: u64, trouble: Trouble) {
        let began = self.trouble.send_if_modified(|now| now.replace(trouble) != Some(trouble));
        if began {
            tracing::error!(spans, "spans are lost: {trouble}");
        }
        self.count_dropped(spans, trouble.word());
        advance(&self.stored, spans);
        self.brought(spans);
    }

    /// Spans that are stored and cannot be found yet.
    pub(crate) fn on_their_way(&self) -> u64 {
        // In this order: what comes to the lake in between is then counted too little, not too much.
        let stored = *self.stored.borrow();
        let arrived = self.queryable.borrow().saturating_add(self.aside.load(Ordering::SeqCst));
        stored.saturating_sub(arrived)
    }

    /// Spans that were held and are on their way to the lake: readers wait for them.
    pub(crate) fn announce(&self, spans: u64) {
        self.recorded.fetch_add(spans, Ordering::SeqCst);
        self.written.fetch_add(spans, Ordering::SeqCst);
        advance(&self.stored, spans);
    }

    /// Spans that were stored and will not come to the lake: nobody waits for them, but for those before them.
    pub(crate) fn pass(&self, spans: u64) {
        self.aside.fetch_add(spans, Ordering::SeqCst);
        self.brought(0);
    }

    /// Spans that can be found.
    pub(crate) fn brought(&self, spans: u64) {
        self.queryable.send_modify(|count| {
            *count += spans;
            let aside = self.aside.load(Ordering::SeqCst);
            if aside > 0 && *count + aside >= self.written.load(Ordering::SeqCst) {
                *count += aside;
                self.aside.fetch_sub(aside, Ordering::SeqCst);
            }
        });
    }

    pub(super) fn works_again(&self) {
        self.trouble.send_if_modified(|trouble| trouble.take().is_some());
    }
}

pub(super) fn advance(counter: &watch::Sender<u64>, by: u64) {
    counter.send_modify(|count| *count += by);
}
