//! Alerts, from settings: notices go where calls of providers may go, with the keys that specs of providers may name.

use std::sync::Arc;

use mainspring_alerts::{Alerts, Courier, Parts, Settings};
use mainspring_catalog::{AuditTrail, Catalog};
use mainspring_config::Config;
use mainspring_kernel::{Clock, Tasks};
use mainspring_providers::{Credentials, Socket};
use mainspring_registry::Registry;
use mainspring_secrets::Secrets;

use crate::{calls, fault::BootFault};

pub(crate) fn open(
    config: &Config,
    (catalog, registry): (&Catalog, &Registry),
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
        changes: Arc::new(registry.clone()),
        courier: Courier::new(socket, credentials),
        settings,
    }))
}

/// Tells receivers, reminds them, and forgets what is old, for as long as the server runs.
pub(crate) fn start(alerts: &Alerts, tasks: &Tasks) {
    let (sender, reminder, keeper) = (alerts.clone(), alerts.clone(), alerts.clone());
    tasks.spawn("alerts: deliveries", |stop| sender.keep_delivering(stop));
    tasks.spawn("alerts: reminders", |stop| reminder.keep_reminding(stop));
    tasks.spawn("alerts: upkeep", |stop| keeper.keep_up(stop));
}
