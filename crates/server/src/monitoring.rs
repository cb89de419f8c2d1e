//! Monitors, joined: what they watch is spans and metrics that programs send, and what they find becomes incidents.

mod kind;
mod metrics;
mod spans;

use std::sync::Arc;

use async_trait::async_trait;
use mainspring_alerts::{Alert, Alerts, Severity as AlertSeverity};
use mainspring_catalog::Catalog;
use mainspring_kernel::{
    Actor, AssetRef, Clock, Fault, Labels, ModelScope, Role, Selector, Tasks,
    id::{IncidentId, PrincipalId, ProjectId},
};
use mainspring_monitors::{Bell, Monitors, Parts, Severity, Signal};
use mainspring_observability::{Drift, MetricPoints, Observability};
use mainspring_registry::Registry;

pub(crate) use kind::kind;

pub(crate) fn open(
    (catalog, registry): (&Catalog, &Registry),
    (observability, drift, points): (&Observability, &Drift, &MetricPoints),
    alerts: &Alerts,
    clock: &Arc<dyn Clock>,
) -> Monitors {
    Monitors::open(Parts {
        catalog: catalog.clone(),
        registry: registry.clone(),
        clock: Arc::clone(clock),
        watched: Arc::new(spans::Spans { observability: observability.clone(), drift: drift.clone(), points: points.clone() }),
        bell: Arc::new(Incidents(alerts.clone())),
    })
}

/// Looks at what is due, for as long as the server runs.
pub(crate) fn start(monitors: &Monitors, tasks: &Tasks) {
    let (looker, counter) = (monitors.clone(), monitors.clone());
    tasks.spawn("monitors: looks", |stop| looker.keep_watching(stop));
    tasks.spawn("monitors: metrics", |stop| counter.keep_measuring(stop));
}

/// A monitor that runs counts every trace of its project: what it found is for those who may see them all.
pub(crate) const fn watcher(project: ProjectId, labels: Labels) -> Actor {
    Actor { principal: PrincipalId::from_raw(0), project, role: Role::Reader, labels, key: None, models: ModelScope::All }
}

fn boxed(fault: impl Fault) -> Box<dyn Fault> {
    Box::new(fault)
}

const fn as_alerts_say(severity: Severity) -> AlertSeverity {
    match severity {
        Severity::Info => AlertSeverity::Info,
        Severity::Warning => AlertSeverity::Warning,
        Severity::Error => AlertSeverity::Error,
        Severity::Critical => AlertSeverity::Critical,
    }
}

fn alert(signal: Signal) -> Alert {
    let Signal {
        project,
        monitor,
        fingerprint,
        severity,
        summary,
        missing,
        labels,
        facts,
        traces,
        versions,
        notify,
        group_by,
        at,
    } = signal;
    Alert {
        project,
        fingerprint,
        name: monitor.to_string(),
        severity: as_alerts_say(severity),
        summary,
        missing,
        labels,
        facts,
        traces,
        versions,
        // Where a spec says nothing, all slices of a monitor are one incident.
        group_by,
        receivers: notify.into_iter().map(|name| AssetRef { name, selector: Selector::Latest }).collect(),
        at,
    }
}

#[derive(Debug)]
struct Incidents(Alerts);

#[async_trait]
impl Bell for Incidents {
    async fn raise(&self, signals: Vec<Signal>) -> Result<Vec<IncidentId>, Box<dyn Fault>> {
        let outcomes = self.0.raise_all(signals.into_iter().map(alert).collect()).await.map_err(boxed)?;
        Ok(outcomes.into_iter().map(|outcome| outcome.incident).collect())
    }

    async fn resolve(&self, project: ProjectId, fingerprint: &str) -> Result<(), Box<dyn Fault>> {
        self.0.resolve(project, fingerprint).await.map(drop).map_err(boxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_severity_alerts_have_a_monitor_may_have() {
        for word in AlertSeverity::ALL {
            let severity: Severity = serde_json::from_value(word.as_str().into()).unwrap();
            assert_eq!(as_alerts_say(severity), *word);
        }
    }
}
