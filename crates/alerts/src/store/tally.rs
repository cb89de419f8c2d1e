//! How much goes on and how much waits, of all projects.

use mainspring_catalog::{Catalog, CatalogFault, Row, params};
use mainspring_kernel::{AssetRef, Timestamp, id::ProjectId};

use crate::tally::Backlog;

const GOING_ON: &str = "SELECT CAST(COALESCE(SUM(CASE WHEN state = 'open' THEN 1 ELSE 0 END), 0) AS BIGINT) AS open, \
    CAST(COALESCE(SUM(CASE WHEN state = 'acknowledged' THEN 1 ELSE 0 END), 0) AS BIGINT) AS acknowledged \
    FROM incident WHERE state <> 'resolved'";
const BACKLOGS: &str = "SELECT project, receiver, \
    CAST(SUM(CASE WHEN state = 'pending' THEN 1 ELSE 0 END) AS BIGINT) AS waiting, \
    CAST(SUM(CASE WHEN state = 'failed' THEN 1 ELSE 0 END) AS BIGINT) AS failed, \
    CAST(SUM(CASE WHEN state = 'failed' AND ended > $1 THEN 1 ELSE 0 END) AS BIGINT) AS lately \
    FROM delivery WHERE state IN ('pending', 'failed') GROUP BY project, receiver ORDER BY project, receiver LIMIT $2";

pub(super) const STATEMENTS: &[&str] = &[GOING_ON, BACKLOGS];

/// Incidents that are open, and those that are acknowledged.
pub(crate) async fn going_on(catalog: &Catalog) -> Result<(u64, u64), CatalogFault> {
    let rows = catalog.query(GOING_ON, params![]).await?;
    rows.first().map_or(Ok((0, 0)), |row| Ok((row.number("open")?, row.number("acknowledged")?)))
}

/// What has not arrived, by receiver. `since`: what was given up later is told apart.
pub(crate) async fn backlogs(
    catalog: &Catalog,
    since: Timestamp,
    limit: usize,
) -> Result<Vec<(ProjectId, AssetRef, Backlog)>, CatalogFault> {
    let read = |row: &Row| {
        let (waiting, failed, failed_lately) = (row.number("waiting")?, row.number("failed")?, row.number("lately")?);
        Ok((row.parse("project")?, row.parse("receiver")?, Backlog { waiting, failed, failed_lately }))
    };
    catalog.query(BACKLOGS, params![since, limit]).await?.iter().map(read).collect()
}
