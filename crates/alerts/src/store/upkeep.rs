//! What is old goes.

use mainspring_catalog::{Catalog, CatalogFault, Tx, params};
use mainspring_kernel::{Timestamp, id::IncidentId};

const OLD: &str = "SELECT id FROM incident WHERE resolved < $1 AND state = 'resolved' AND NOT EXISTS \
    (SELECT 1 FROM delivery WHERE delivery.incident = incident.id AND delivery.state = 'pending') ORDER BY resolved LIMIT $2";
const DELIVERIES: &str = "DELETE FROM delivery WHERE incident = $1";
const EVENTS: &str = "DELETE FROM incident_event WHERE incident = $1";
const ALERTS: &str = "DELETE FROM incident_alert WHERE incident = $1";
const INCIDENT: &str = "DELETE FROM incident WHERE id = $1";
const SILENCES: &str = "DELETE FROM silence WHERE id IN (SELECT id FROM silence WHERE ends < $1 LIMIT $2) RETURNING id";

pub(super) const STATEMENTS: &[&str] = &[OLD, DELIVERIES, EVENTS, ALERTS, INCIDENT, SILENCES];

/// Incidents that were over before a moment and have nothing more to send.
pub(crate) async fn old_incidents(catalog: &Catalog, before: Timestamp, limit: usize) -> Result<Vec<IncidentId>, CatalogFault> {
    catalog.query(OLD, params![before, limit]).await?.iter().map(|row| row.parse("id")).collect()
}

pub(crate) async fn prune_incident(tx: &mut Tx, id: IncidentId) -> Result<(), CatalogFault> {
    for sql in [DELIVERIES, EVENTS, ALERTS, INCIDENT] {
        tx.execute(sql, params![id]).await?;
    }
    Ok(())
}

pub(crate) async fn prune_silences(catalog: &Catalog, before: Timestamp, limit: usize) -> Result<usize, CatalogFault> {
    Ok(catalog.write(SILENCES, params![before, limit]).await?.len())
}
