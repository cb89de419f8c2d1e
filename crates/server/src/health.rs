//! How the parts are, for the page, for `/readyz` and for `/metrics`.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use mainspring_api_rest::Health;
use mainspring_blobs::Blobs;
use mainspring_catalog::Catalog;
use mainspring_lake::Lake;
use mainspring_observability::Observability;
use mainspring_telemetry::{Metrics, process_stats};
use mainspring_wire as wire;
use serde_json::{Value, json};

use crate::models::Local;

#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) catalog: Catalog,
    pub(crate) lake: Arc<dyn Lake>,
    pub(crate) blobs: Blobs,
    pub(crate) observability: Observability,
    pub(crate) local: Local,
    pub(crate) metrics: Metrics,
}

fn item(component: &str, state: &str, detail: Option<String>, facts: &[(&str, Value)]) -> wire::HealthItem {
    let facts: BTreeMap<String, Value> = facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    wire::HealthItem { component: component.to_owned(), state: state.to_owned(), detail, facts }
}

fn store<F: std::error::Error + 'static>(component: &str, answer: Result<(), F>) -> wire::HealthItem {
    match answer {
        Ok(()) => item(component, "ok", None, &[]),
        Err(fault) => item(component, "down", Some(mainspring_kernel::fault::chain(&fault)), &[]),
    }
}

impl Parts {
    /// Whether requests can be served: every store answers.
    pub(crate) async fn ready(&self) -> Result<(), Vec<wire::HealthItem>> {
        let stores = [
            store("catalog", self.catalog.ping().await),
            store("lake", self.lake.ping().await),
            store("blobs", self.blobs.ping().await),
        ];
        if stores.iter().all(|store| store.state == "ok") { Ok(()) } else { Err(stores.into()) }
    }

    /// The metrics of this moment, in Prometheus' text format.
    pub(crate) fn metrics(&self) -> String {
        let process = process_stats();
        let spans = self.observability.status();
        #[expect(clippy::cast_precision_loss, reason = "gauges are floats by format")]
        let set = |name, help, value: u64| self.metrics.set(name, help, &[], value as f64);
        set("process_resident_memory_bytes", "Resident memory.", process.resident_bytes);
        set("process_open_fds", "Open file descriptors.", process.open_files);
        set("mainspring_threads", "Threads.", process.threads);
        set("mainspring_spans_recorded", "Spans recorded since start.", spans.recorded);
        set("mainspring_spans_stored", "Spans that survive the death of the process.", spans.stored);
        set("mainspring_spans_queryable", "Spans that can be found.", spans.queryable);
        set("mainspring_spans_dropped", "Spans dropped because a queue or the disk was full.", spans.dropped);
        set("mainspring_spill_bytes", "Bytes of spans that wait on disk.", spans.spill_bytes);
        self.metrics.render()
    }
}

#[async_trait]
impl Health for Parts {
    async fn parts(&self) -> Vec<wire::HealthItem> {
        let mut items = match self.ready().await {
            Ok(()) => ["catalog", "lake", "blobs"].map(|part| item(part, "ok", None, &[])).into(),
            Err(items) => items,
        };
        let views = self.local.views();
        let missing: Vec<&str> = views
            .iter()
            .filter(|model| model.state == "missing" && model.role != "reference")
            .map(|model| model.name.as_str())
            .collect();
        let detail = (!missing.is_empty()).then(|| format!("not here: {}; `mainspring models pull`", missing.join(", ")));
        let loaded = views.iter().filter(|model| model.state == "loaded").count();
        items.push(item("models", if missing.is_empty() { "ok" } else { "degraded" }, detail, &[("loaded", json!(loaded))]));
        let spans = self.observability.status();
        let state = if spans.lake_down { "degraded" } else { "ok" };
        let waiting = spans.recorded.saturating_sub(spans.queryable);
        items.push(item(
            "traces",
            state,
            None,
            &[("waiting", json!(waiting)), ("dropped", json!(spans.dropped)), ("spill_bytes", json!(spans.spill_bytes))],
        ));
        let process = process_stats();
        items.push(item(
            "process",
            "ok",
            None,
            &[("resident_bytes", json!(process.resident_bytes)), ("threads", json!(process.threads))],
        ));
        items
    }

    async fn models(&self) -> Vec<wire::ModelView> {
        self.local.views()
    }
}
