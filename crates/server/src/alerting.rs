//! Alerts, from settings: notices go where calls of providers may go, with the keys that specs of providers may name.

use std::sync::Arc;

use async_trait::async_trait;
use mainspring_alerts::{Alerts, Change, Changes, Courier, Parts, Released, Settings};
use mainspring_catalog::{AuditTrail, Catalog};
use mainspring_config::Config;
use mainspring_kernel::{Clock, Fault, Labels, Tasks, Timestamp, fault, id::ProjectId};
use mainspring_observability::{NewRelease, Observability};
use mainspring_providers::{Credentials, Socket};
use mainspring_registry::Registry;
use mainspring_secrets::Secrets;

use crate::{calls, fault::BootFault, monitoring::watcher};

pub(crate) fn open(
    config: &Config,
    (catalog, registry, observability): (&Catalog, &Registry, &Observability),
    (secrets, audit): (&Secrets, Arc<dyn AuditTrail>),
    clock: &Arc<dyn Clock>,
) -> Result<Alerts, BootFault> {
    let socket = Socket::new(calls::socket(config)).map_err(BootFault::part("receivers of alerts"))?;
    let credentials = Credentials::default().with_allowed(calls::allowed(config)).with_store(Arc::new(secrets.clone()));
    let page = config.alerts.page.as_ref().or(config.server.public_url.as_ref()).cloned().unwrap_or_default();
    let settings = Settings { page, keep_for: config.alerts.keep_for.0, ..Settings::default() };
    Ok(Alerts::open(Parts {
        catalog: catalog.clone(),
        registry: registry.clone(),
        clock: Arc::clone(clock),
        audit,
        changes: Arc::new(Known { registry: registry.clone(), observability: observability.clone() }),
        courier: Courier::new(socket, credentials),
        settings,
    }))
}

/// What changed in a project: assets of this server, and releases of programs that send their spans here.
#[derive(Debug)]
struct Known {
    registry: Registry,
    observability: Observability,
}

#[async_trait]
impl Changes for Known {
    async fn between(&self, project: ProjectId, within: (Timestamp, Timestamp)) -> Result<Vec<Change>, Box<dyn Fault>> {
        let mut changes = Changes::between(&self.registry, project, within).await?;
        // Incidents are told to those who may see every trace.
        match self.observability.new_releases(&watcher(project, Labels::All), within).await {
            Ok(found) => changes.extend(found.into_iter().map(released)),
            Err(found) => {
                tracing::warn!(cause = %fault::chain(&found), "new releases before an incident cannot be read");
            }
        }
        changes.sort_by_key(|change| std::cmp::Reverse(change.at));
        Ok(changes)
    }
}

fn released(NewRelease { service, release, first, before }: NewRelease) -> Change {
    Change {
        kind: None,
        name: service,
        release: Some(Released { release, before }),
        alias: None,
        from: None,
        to: None,
        at: first,
        by: None,
        message: String::new(),
        named: false,
    }
}

/// Tells receivers, reminds them, and forgets what is old, for as long as the server runs.
pub(crate) fn start(alerts: &Alerts, tasks: &Tasks) {
    let (sender, reminder, keeper, counter) = (alerts.clone(), alerts.clone(), alerts.clone(), alerts.clone());
    tasks.spawn("alerts: deliveries", |stop| sender.keep_delivering(stop));
    tasks.spawn("alerts: reminders", |stop| reminder.keep_reminding(stop));
    tasks.spawn("alerts: upkeep", |stop| keeper.keep_up(stop));
    tasks.spawn("alerts: metrics", |stop| counter.keep_measuring(stop));
}
