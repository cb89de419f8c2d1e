//! How the parts are, for the page and for `/readyz`.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use mainspring_alerts::Alerts;
use mainspring_api_rest::Health;
use mainspring_batches::Batches;
use mainspring_blobs::Blobs;
use mainspring_catalog::Catalog;
use mainspring_gateway::{Gateway, Servers};
use mainspring_kernel::id::ProjectId;
use mainspring_lake::Lake;
use mainspring_monitors::Monitors;
use mainspring_observability::{ErrandKind, FailingErrand, Observability, Status};
use mainspring_telemetry::{Metrics, process_stats};
use mainspring_wire as wire;
use serde_json::{Value, json};

use crate::models::Local;

/// So many providers that lack a key, or whose specs are refused now, are named.
const PROVIDERS_SHOWN: usize = 5;

#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) catalog: Catalog,
    pub(crate) lake: Arc<dyn Lake>,
    pub(crate) blobs: Blobs,
    pub(crate) observability: Observability,
    pub(crate) local: Local,
    pub(crate) metrics: Metrics,
    pub(crate) batches: Batches,
    pub(crate) alerts: Alerts,
    pub(crate) monitors: Monitors,
    pub(crate) gateway: Gateway,
    /// What was mended when the lake opened, in words.
    pub(crate) repaired: Arc<[String]>,
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
}

fn traces(spans: &Status) -> wire::HealthItem {
    let mut troubles: Vec<String> = spans.trouble.iter().map(ToString::to_string).collect();
    if spans.lake_down {
        troubles.push("the lake does not take spans; they wait on disk".to_owned());
    }
    if spans.set_aside > 0 {
        troubles.push(format!("{} segments of spans could not be brought and lie in `spill/aside`", spans.set_aside));
    }
    if spans.left_alone > 0 {
        let left = spans.left_alone;
        troubles.push(format!(
            "{left} segments of spans in `spill` can be neither read nor moved, or not be removed, until the next start"
        ));
    }
    for FailingErrand { kind, times, reason } in &spans.failing {
        let what = match kind {
            ErrandKind::Bring => "bringing spans to the lake",
            ErrandKind::Upkeep => "upkeep of the spans table",
        };
        troubles.push(format!("{what} failed {times} times in a row, and is tried again: {reason}"));
    }
    let detail = (!troubles.is_empty()).then(|| troubles.join("; "));
    let facts = [
        ("waiting", json!(spans.recorded.saturating_sub(spans.queryable))),
        ("dropped", json!(spans.dropped)),
        ("spill_bytes", json!(spans.spill_bytes)),
        ("spill_limit_bytes", json!(spans.spill_limit)),
    ];
    item("traces", if detail.is_some() { "degraded" } else { "ok" }, detail, &facts)
}

/// Of one project, to which alone the names of its providers and of their keys are told.
fn providers(servers: &Servers) -> wire::HealthItem {
    let Servers { count, lacking, refused } = servers;
    let named = |servers: &[String], what: &str| {
        let more = servers.len().saturating_sub(PROVIDERS_SHOWN);
        let shown = servers[..servers.len() - more].join("; ");
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        (!servers.is_empty()).then(|| format!("{} of {count} {what}: {shown}{more}", servers.len()))
    };
    // An earlier version took their specs.
    let troubles =
        [named(lacking, "cannot be called"), named(refused, "answer, and have to be changed before they are applied again")];
    let troubles: Vec<String> = troubles.into_iter().flatten().collect();
    let detail = (!troubles.is_empty()).then(|| troubles.join("; "));
    let facts = [("providers", json!(count)), ("without_key", json!(lacking.len())), ("refused", json!(refused.len()))];
    item("providers", if detail.is_some() { "degraded" } else { "ok" }, detail, &facts)
}

/// Whoever may read anything reads this: it says whether notices arrive, and nothing of incidents.
fn alerts(measured: &mainspring_alerts::Measured) -> wire::HealthItem {
    let ways = measured.deliveries.iter();
    let lost: Vec<String> = ways
        .filter(|(_, backlog)| backlog.failed_lately > 0)
        .map(|(way, backlog)| format!("{} by {way}", backlog.failed_lately))
        .collect();
    let detail = (!lost.is_empty()).then(|| {
        let lost = lost.join(", ");
        format!("notices that were given up within a day: {lost}; `mainspring incidents deliveries --state failed` says why")
    });
    let (waiting, failed) =
        measured.deliveries.values().fold((0, 0), |sum, backlog| (sum.0 + backlog.waiting, sum.1 + backlog.failed));
    let facts = [("waiting", json!(waiting)), ("failed", json!(failed))];
    item("alerts", if detail.is_some() { "degraded" } else { "ok" }, detail, &facts)
}

/// The same of monitors: whether they can look, and nothing of what they found.
fn monitors(measured: &mainspring_monitors::Measured) -> wire::HealthItem {
    let (all, in_trouble) = (measured.states.values().sum::<u64>(), measured.in_trouble);
    let detail = (in_trouble > 0)
        .then(|| format!("{in_trouble} of {all} found nothing out at their last look; `mainspring monitors list` says why"));
    let facts = [("monitors", json!(all)), ("in_trouble", json!(in_trouble))];
    item("monitors", if detail.is_some() { "degraded" } else { "ok" }, detail, &facts)
}

#[async_trait]
impl Health for Parts {
    async fn parts(&self, project: ProjectId) -> Vec<wire::HealthItem> {
        let mut items = match self.ready().await {
            Ok(()) => ["catalog", "lake", "blobs"].map(|part| item(part, "ok", None, &[])).into(),
            Err(items) => items,
        };
        if let Some(lake) = items.iter_mut().find(|item| item.component == "lake" && !self.repaired.is_empty()) {
            let down = lake.detail.take();
            let told = down.into_iter().chain(self.repaired.iter().cloned());
            lake.detail = Some(told.collect::<Vec<_>>().join("; "));
        }
        let views = self.local.views();
        let missing: Vec<&str> = views
            .iter()
            .filter(|model| model.state == "missing" && self.local.is_default(&model.name))
            .map(|model| model.name.as_str())
            .collect();
        let detail = (!missing.is_empty()).then(|| format!("not here: {}; `mainspring models pull`", missing.join(", ")));
        let loaded = views.iter().filter(|model| model.state == "loaded").count();
        items.push(item("models", if missing.is_empty() { "ok" } else { "degraded" }, detail, &[("loaded", json!(loaded))]));
        items.push(providers(&self.gateway.servers(project)));
        items.push(traces(&self.observability.status()));
        let process = process_stats();
        items.push(item(
            "process",
            "ok",
            None,
            &[("resident_bytes", json!(process.resident_bytes)), ("threads", json!(process.threads))],
        ));
        // At the end: they come once somebody has counted, and whoever turns pages meanwhile sees no other part twice.
        items.extend(self.monitors.measured().as_ref().map(monitors));
        items.extend(self.alerts.measured().as_ref().map(alerts));
        items
    }

    async fn models(&self) -> Vec<wire::ModelView> {
        self.local.views()
    }
}

#[cfg(test)]
mod tests {
    use mainspring_alerts::Backlog;

    use super::*;

    #[test]
    fn providers_without_their_keys_are_named_and_no_more_of_them_than_anybody_reads() {
        let lacking = |count: usize| (1..=count).map(|at| format!("p{at} lacks one")).collect::<Vec<_>>();
        let well = providers(&Servers { count: 2, ..Servers::default() });
        assert_eq!((well.state.as_str(), well.detail, &well.facts["providers"]), ("ok", None, &json!(2)));
        let bad = providers(&Servers { count: 2, lacking: lacking(1), ..Servers::default() });
        assert_eq!(bad.detail.as_deref(), Some("1 of 2 cannot be called: p1 lacks one"));
        assert_eq!((bad.state.as_str(), &bad.facts["without_key"]), ("degraded", &json!(1)));
        let old = providers(&Servers { count: 2, refused: vec!["p2 shows its key".to_owned()], ..Servers::default() });
        let told = "1 of 2 answer, and have to be changed before they are applied again: p2 shows its key";
        assert_eq!((old.state.as_str(), old.detail.as_deref(), &old.facts["refused"]), ("degraded", Some(told), &json!(1)));
        let many = providers(&Servers { count: 9, lacking: lacking(7), ..Servers::default() }).detail.unwrap();
        assert!(many.contains("p5 lacks one; and 2 more") && !many.contains("p6"), "{many}");
    }

    #[test]
    fn notices_that_do_not_arrive_and_monitors_that_cannot_look_are_no_good_health() {
        let backlog = |waiting, failed, failed_lately| Backlog { waiting, failed, failed_lately };
        let mut measured = mainspring_alerts::Measured {
            open: 7,
            deliveries: BTreeMap::from([("slack", backlog(2, 3, 0)), ("webhook", backlog(0, 1, 0))]),
            ..Default::default()
        };
        let well = alerts(&measured);
        assert_eq!((well.state.as_str(), well.detail), ("ok", None), "what was given up long ago is no news");
        assert_eq!(well.facts, BTreeMap::from([("waiting".to_owned(), json!(2)), ("failed".to_owned(), json!(4))]));
        measured.deliveries.insert("slack", backlog(2, 3, 2));
        let bad = alerts(&measured);
        assert!(bad.state == "degraded" && bad.detail.as_deref().is_some_and(|why| why.contains("2 by slack;")), "{bad:?}");

        let mut measured = mainspring_monitors::Measured { states: BTreeMap::from([("ok", 4), ("firing", 2)]), in_trouble: 0 };
        assert_eq!(monitors(&measured).state, "ok", "that one fires is not how the server is");
        measured.in_trouble = 1;
        let bad = monitors(&measured);
        assert!(bad.state == "degraded" && bad.detail.as_deref().is_some_and(|why| why.starts_with("1 of 6 ")), "{bad:?}");
    }
}
