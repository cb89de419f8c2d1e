//! Raises alerts one after the other, sends what is due meanwhile, and names each incident on standard output once it is
//! acknowledged. The tests of alerts kill this program and look for a notice of every incident it named.
#![expect(clippy::print_stdout, reason = "the names are what the test reads")]

use std::{collections::BTreeMap, io::Write as _, sync::Arc};

use mainspring_alerts::{Alert, AlertFault, Alerts, Courier, Parts, Settings, Severity, descriptor};
use mainspring_catalog::{AuditEntry, AuditTrail, Catalog, CatalogFault, Tx};
use mainspring_kernel::{Actor, Clock as _, SystemClock, Tasks, id::ProjectId};
use mainspring_providers::{Credentials, Socket, SocketConfig};
use mainspring_registry::Registry;

#[derive(Debug)]
struct NoTrail;

#[async_trait::async_trait]
impl AuditTrail for NoTrail {
    async fn record(&self, _: &mut Tx, _: &Actor, _: AuditEntry) -> Result<(), CatalogFault> {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), AlertFault> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(prefix)) = (arguments.next(), arguments.next()) else {
        let reason = "two arguments: an address and a prefix".to_owned();
        return Err(AlertFault::Catalog(CatalogFault::BadUrl { reason }));
    };
    let catalog = Catalog::open(&url).await?;
    let registry = Registry::open(catalog.clone(), Arc::new(SystemClock), vec![descriptor()]);
    let socket = SocketConfig { allow_private: true, ..SocketConfig::default() };
    let Ok(socket) = Socket::new(socket) else { return Ok(()) };
    let alerts = Alerts::open(Parts {
        catalog,
        registry: registry.clone(),
        clock: Arc::new(SystemClock),
        audit: Arc::new(NoTrail),
        changes: Arc::new(registry),
        courier: Courier::new(socket, Credentials::default()),
        settings: Settings::default(),
    });
    alerts.end_leases().await?;
    let (tasks, sender) = (Tasks::default(), alerts.clone());
    tasks.spawn("deliveries", |stop| sender.keep_delivering(stop));
    for number in 0_u32.. {
        let name = format!("{prefix}-{number}");
        let outcome = alerts.raise(alert(&name)).await?;
        println!("{}", outcome.incident);
        if std::io::stdout().flush().is_err() {
            break;
        }
    }
    Ok(())
}

fn alert(name: &str) -> Alert {
    Alert {
        project: ProjectId::from_raw(1),
        fingerprint: name.to_owned(),
        name: name.to_owned(),
        severity: Severity::Error,
        summary: "something is wrong".to_owned(),
        missing: false,
        labels: BTreeMap::new(),
        facts: BTreeMap::new(),
        traces: Vec::new(),
        versions: Vec::new(),
        group_by: Vec::new(),
        receivers: Vec::new(),
        at: SystemClock.now(),
    }
}
