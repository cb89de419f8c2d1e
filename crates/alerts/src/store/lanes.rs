//! Who sends which delivery, and when: each receiver of each project is a lane of its own.

use std::time::Duration;

use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{AssetRef, Timestamp, id::ProjectId};

use super::deliveries::{Leased, columns, read_delivery};

/// Nothing older of its incident waits. And an update, which says only that there is more of it, comes a while after the last
/// that was said of its incident, unless something of that waits behind it: what grows with every look is told of now and then.
/// What was said later than now was said by a clock that was ahead, and nobody waits until that time has come.
macro_rules! ready {
    ($now:literal, $said_since:literal) => {
        concat!(
            " AND NOT EXISTS (SELECT 1 FROM delivery AS older WHERE older.incident = delivery.incident \
             AND older.receiver = delivery.receiver AND older.state = 'pending' AND older.id < delivery.id) \
             AND NOT (delivery.what = 'updated' \
             AND EXISTS (SELECT 1 FROM delivery AS said WHERE said.incident = delivery.incident \
             AND said.receiver = delivery.receiver AND said.id <> delivery.id AND said.attempted > ",
            $said_since,
            " AND said.attempted <= ",
            $now,
            ") AND NOT EXISTS (SELECT 1 FROM delivery AS newer WHERE newer.incident = delivery.incident \
             AND newer.receiver = delivery.receiver AND newer.state = 'pending' AND newer.id > delivery.id)) "
        )
    };
}

/// Those in which something may be sent now: it is due and ready, and nobody sends anything.
const DUE_LANES: &str = concat!(
    "SELECT DISTINCT project, receiver FROM delivery WHERE state = 'pending' AND due <= $1 \
     AND NOT EXISTS (SELECT 1 FROM delivery AS held WHERE held.project = delivery.project \
     AND held.receiver = delivery.receiver AND held.state = 'pending' AND held.lease_until >= $1)",
    ready!("$1", "$2"),
    "LIMIT 1000"
);
const IN_LANE: &str = "SELECT id FROM delivery WHERE project = $1 AND receiver = $2 AND state = 'pending' \
    AND lease_until >= $3 LIMIT 1";
/// What an incident has to say comes in its order; beyond that those go first that were tried least, so that one that is
/// never taken holds up none of the others. Of equals what is new or worse goes first, then what ended, of each the worst
/// incident, so that nobody waits for it behind what only grew.
const NEXT: &str = concat!(
    "SELECT ",
    columns!(),
    ", notice, fence FROM delivery WHERE project = $1 AND receiver = $2 AND state = 'pending' AND due <= $3",
    ready!("$3", "$4"),
    "ORDER BY attempts, CASE WHEN what IN ('opened', 'reopened', 'escalated') THEN 0 WHEN what IN ('updated', 'reminder') THEN 2 \
     ELSE 1 END, (SELECT CASE severity WHEN 'critical' THEN 0 WHEN 'error' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END \
     FROM incident WHERE incident.id = delivery.incident), due, id LIMIT 1"
);
const RECENT: &str =
    "SELECT attempted FROM delivery WHERE project = $1 AND receiver = $2 AND attempted > $3 ORDER BY attempted DESC LIMIT $4";
const LEASE: &str =
    "UPDATE delivery SET attempts = attempts + 1, fence = fence + 1, lease_until = $2, attempted = $3 WHERE id = $1";
const REST: &str = "UPDATE delivery SET due = $3 WHERE project = $1 AND receiver = $2 AND state = 'pending' AND due < $3";
const RELEASE: &str = "UPDATE delivery SET attempts = attempts - 1, lease_until = NULL \
    WHERE id = $1 AND fence = $2 AND state = 'pending'";
const END_LEASES: &str =
    "UPDATE delivery SET lease_until = NULL WHERE state = 'pending' AND lease_until IS NOT NULL RETURNING id";

pub(super) const STATEMENTS: &[&str] = &[DUE_LANES, IN_LANE, NEXT, RECENT, LEASE, REST, RELEASE, END_LEASES];

/// After something was said of an incident, what only says that it grew waits for as long as this.
const PEACE: Duration = Duration::from_secs(60);

pub(crate) async fn due_lanes(catalog: &Catalog, now: Timestamp) -> Result<Vec<(ProjectId, AssetRef)>, CatalogFault> {
    let rows = catalog.query(DUE_LANES, params![now, now.minus(PEACE)]).await?;
    rows.iter().map(|row| Ok((row.parse("project")?, row.parse("receiver")?))).collect()
}

/// Whether somebody sends something in a lane.
pub(crate) async fn in_lane(
    tx: &mut Tx,
    (project, receiver): (ProjectId, &AssetRef),
    now: Timestamp,
) -> Result<bool, CatalogFault> {
    Ok(!tx.query(IN_LANE, params![project, receiver, now]).await?.is_empty())
}

/// As it stands before it is leased.
pub(crate) async fn next_in_lane(
    tx: &mut Tx,
    (project, receiver): (ProjectId, &AssetRef),
    now: Timestamp,
) -> Result<Option<Leased>, CatalogFault> {
    tx.query(NEXT, params![project, receiver, now, now.minus(PEACE)]).await?.first().map(read_leased).transpose()
}

/// When what was sent since a moment was sent, newest first.
pub(crate) async fn recently_attempted(
    tx: &mut Tx,
    (project, receiver): (ProjectId, &AssetRef),
    since: Timestamp,
    limit: usize,
) -> Result<Vec<Timestamp>, CatalogFault> {
    let rows = tx.query(RECENT, params![project, receiver, since, limit]).await?;
    rows.iter().map(|row| row.time("attempted")).collect()
}

pub(crate) async fn lease(tx: &mut Tx, mut leased: Leased, (now, until): (Timestamp, Timestamp)) -> Result<Leased, CatalogFault> {
    tx.execute(LEASE, params![leased.delivery.id, until, now]).await?;
    leased.delivery.attempts += 1;
    leased.fence += 1;
    Ok(leased)
}

/// Nothing of a lane is sent before a moment.
pub(crate) async fn rest_lane(
    catalog: &Catalog,
    (project, receiver): (ProjectId, &AssetRef),
    until: Timestamp,
) -> Result<(), CatalogFault> {
    catalog.write(REST, params![project, receiver, until]).await.map(drop)
}

/// Gives it back unsent, as far as is known.
pub(crate) async fn release(catalog: &Catalog, leased: &Leased) -> Result<(), CatalogFault> {
    catalog.write(RELEASE, params![leased.delivery.id, leased.fence]).await.map(drop)
}

pub(crate) async fn end_leases(catalog: &Catalog) -> Result<usize, CatalogFault> {
    Ok(catalog.write(END_LEASES, params![]).await?.len())
}

fn read_leased(row: &Row) -> Result<Leased, CatalogFault> {
    Ok(Leased { delivery: read_delivery(row)?, notice: row.json("notice")?, fence: row.int("fence")? })
}
