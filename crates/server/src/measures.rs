//! `/metrics`: what the parts know of themselves, asked for when somebody looks.

use mainspring_batches::Measured;
use mainspring_telemetry::{Metrics, process_stats};

use crate::health::Parts;

/// Writes numbers that the parts keep. A counter never falls while the process lives; everything else is a gauge.
pub(crate) struct Measures<'a>(&'a Metrics);

#[expect(clippy::cast_precision_loss, reason = "the format knows floats only")]
impl Measures<'_> {
    pub(crate) fn now(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)], value: u64) {
        self.0.set(name, help, labels, value as f64);
    }

    fn since_start(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)], value: u64) {
        self.0.total(name, help, labels, value as f64);
    }

    /// Models are those this build lists, so the label is bounded.
    pub(crate) fn model(&self, model: &str, (read, written): (u64, u64)) {
        let help = "Tokens that models computed, read (in) and written (out); what a cache still held is not counted.";
        for (direction, tokens) in [("in", read), ("out", written)] {
            self.since_start("mainspring_model_tokens_total", help, &[("model", model), ("direction", direction)], tokens);
        }
    }

    fn process(&self) {
        let process = process_stats();
        self.now("process_resident_memory_bytes", "Resident memory.", &[], process.resident_bytes);
        self.now("process_open_fds", "Open file descriptors.", &[], process.open_files);
        self.now("mainspring_threads", "Threads.", &[], process.threads);
    }

    fn spans(&self, spans: &mainspring_observability::Status) {
        let counters = [
            ("mainspring_spans_recorded_total", "Spans recorded.", spans.recorded),
            ("mainspring_spans_stored_total", "Spans that survive the death of the process.", spans.stored),
            ("mainspring_spans_queryable_total", "Spans that were brought to the lake.", spans.queryable),
        ];
        counters.into_iter().for_each(|(name, help, value)| self.since_start(name, help, &[], value));
        let waiting = spans.recorded.saturating_sub(spans.queryable);
        self.now("mainspring_spans_waiting", "Spans on their way to the lake.", &[], waiting);
        self.now("mainspring_spill_bytes", "Bytes of spans that wait on disk.", &[], spans.spill_bytes);
        self.now("mainspring_spill_limit_bytes", "Bytes of spans that may wait on disk.", &[], spans.spill_limit);
        self.now("mainspring_spill_segments_aside", "Segments of spans that could not be brought.", &[], spans.set_aside);
        let help = "Segments of spans that can be neither read nor moved, or not be removed, until the next start.";
        self.now("mainspring_spill_segments_left", help, &[], spans.left_alone);
    }

    fn batches(&self, batches: Measured) {
        let Measured { running, waiting, oldest, completed, failed } = batches;
        for (state, number) in [("running", running), ("waiting", waiting)] {
            let help = "Batches that have not ended, of all processes on this catalog: their lines are asked, or they wait.";
            self.now("mainspring_batches", help, &[("state", state)], number);
        }
        let help = "How long ago the oldest batch was made that has not ended.";
        self.now("mainspring_batches_oldest_seconds", help, &[], oldest.as_secs());
        for (outcome, number) in [("completed", completed), ("failed", failed)] {
            let help = "Lines of batches that this process has written results of.";
            self.since_start("mainspring_batch_lines_total", help, &[("outcome", outcome)], number);
        }
    }

    fn alerts(&self, measured: &mainspring_alerts::Measured) {
        let help = "Incidents of all projects that are not over.";
        for (state, number) in [("open", measured.open), ("acknowledged", measured.acknowledged)] {
            self.now("mainspring_incidents", help, &[("state", state)], number);
        }
        let help = "Notices of incidents that have not arrived, by the kind of their receiver: they wait, or were given up.";
        for (&way, backlog) in &measured.deliveries {
            for (state, number) in [("waiting", backlog.waiting), ("failed", backlog.failed)] {
                self.now("mainspring_deliveries", help, &[("receiver", way), ("state", state)], number);
            }
        }
    }

    fn monitors(&self, measured: &mainspring_monitors::Measured) {
        let help = "Monitors of all projects by the state of their last look; none: off, or not looked at yet.";
        for (&state, &number) in &measured.states {
            self.now("mainspring_monitors", help, &[("state", state)], number);
        }
        let help = "Monitors whose last look found nothing out.";
        self.now("mainspring_monitors_in_trouble", help, &[], measured.in_trouble);
    }

    fn catalog(&self, connections: mainspring_catalog::Connections) {
        let idle = connections.idle.min(connections.open);
        for (state, number) in [("idle", idle), ("busy", connections.open - idle)] {
            self.now("mainspring_catalog_connections", "Connections to the catalog.", &[("state", state)], number as u64);
        }
    }
}

impl Parts {
    /// The metrics of this moment, in Prometheus' text format.
    pub(crate) fn metrics(&self) -> String {
        let measures = Measures(&self.metrics);
        measures.process();
        measures.spans(&self.observability.status());
        measures.catalog(self.catalog.connections());
        if let Some(batches) = self.batches.measured() {
            measures.batches(batches);
        }
        if let Some(alerts) = self.alerts.measured() {
            measures.alerts(&alerts);
        }
        if let Some(monitors) = self.monitors.measured() {
            measures.monitors(&monitors);
        }
        self.local.measure(&measures);
        self.metrics.render()
    }
}
