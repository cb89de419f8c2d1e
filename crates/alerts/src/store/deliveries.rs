//! Notices to receivers, one row each.

use std::time::Duration;

use mainspring_catalog::{Catalog, CatalogFault, Param, Row, Tx, params};
use mainspring_kernel::{
    AssetRef, Timestamp,
    id::{DeliveryId, IncidentId, ProjectId},
};

use crate::{
    model::{Delivery, DeliveryFilter, NoticeKind, Standing},
    notice::Notice,
};

/// Ids that are further apart than this sort as they were made.
const TICK: Duration = Duration::from_millis(1);

macro_rules! columns {
    () => {
        "id, project, incident, receiver, what, state, attempts, due, status, error, created, attempted, ended"
    };
}
pub(super) use columns;

const INSERT: &str = "INSERT INTO delivery (id, project, incident, receiver, what, state, notice, attempts, due, fence, created) \
    VALUES ($1, $2, $3, $4, $5, 'pending', $6, 0, $7, 0, $8)";
const LAST: &str = "SELECT MAX(created) AS last FROM delivery WHERE incident = $1 AND receiver = $2";
/// What nobody has begun to send may as well say the newest. That it is worse is more than that it grew, or still goes on.
const COVER: &str = "UPDATE delivery SET notice = $3, \
    what = CASE WHEN CAST($4 AS TEXT) = 'escalated' AND what IN ('updated', 'reminder') THEN 'escalated' ELSE what END \
    WHERE incident = $1 AND receiver = $2 AND state = 'pending' AND attempts = 0 \
    AND what IN ('opened', 'updated', 'escalated', 'reopened', 'reminder')";
/// Who heard of an incident, and when they were last told to look.
const TOLD: &str = "SELECT receiver, MAX(created) AS last FROM delivery WHERE incident = $1 \
    AND what IN ('opened', 'updated', 'escalated', 'reopened', 'reminder') GROUP BY receiver ORDER BY receiver LIMIT 1000";
const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM delivery WHERE project = $1 AND (CAST($2 AS TEXT) IS NULL OR state = $2) \
     AND (CAST($3 AS TEXT) IS NULL OR incident = $3) AND (CAST($4 AS TEXT) IS NULL OR receiver = $4) \
     AND (CAST($5 AS TEXT) IS NULL OR id < $5) ORDER BY id DESC LIMIT $6"
);
const DELIVERED: &str = "UPDATE delivery SET state = $3, status = $4, error = $5, ended = $6, lease_until = NULL \
    WHERE id = $1 AND fence = $2 AND state = 'pending'";
const RETRIED: &str = "UPDATE delivery SET due = $3, status = $4, error = $5, lease_until = NULL \
    WHERE id = $1 AND fence = $2 AND state = 'pending'";
const FAILED: &str = "UPDATE delivery SET state = 'failed', status = $3, error = $4, ended = $5, lease_until = NULL \
    WHERE id = $1 AND fence = $2 AND state = 'pending'";
/// The attempts begin again.
const REVIVE: &str = "UPDATE delivery SET state = 'pending', attempts = 0, due = $2, ended = NULL \
    WHERE incident = $1 AND state = 'failed'";
const COUNTS: &str = "SELECT receiver, CAST(SUM(CASE WHEN state = 'pending' THEN 1 ELSE 0 END) AS BIGINT) AS pending, \
    CAST(SUM(CASE WHEN state = 'failed' THEN 1 ELSE 0 END) AS BIGINT) AS failed, \
    MAX(CASE WHEN state = 'delivered' THEN ended END) AS delivered FROM delivery \
    WHERE project = $1 AND receiver = $2 GROUP BY receiver";
const LAST_ERROR: &str = "SELECT error FROM delivery WHERE project = $1 AND receiver = $2 AND state IN ('pending', 'failed') \
    AND error IS NOT NULL ORDER BY attempted DESC, id DESC LIMIT 1";

pub(super) const STATEMENTS: &[&str] = &[INSERT, LAST, COVER, TOLD, LIST, DELIVERED, RETRIED, FAILED, REVIVE, COUNTS, LAST_ERROR];

#[derive(Debug, Clone, Copy)]
pub(crate) struct NewDelivery<'d> {
    pub(crate) project: ProjectId,
    pub(crate) incident: IncidentId,
    pub(crate) receiver: &'d AssetRef,
    pub(crate) what: NoticeKind,
    /// A `Notice`, written.
    pub(crate) notice: &'d str,
}

/// Ids sort by when they were made. Whatever the clocks of two processes say, what is told later sorts later.
pub(crate) async fn insert_delivery(tx: &mut Tx, new: NewDelivery<'_>, now: Timestamp) -> Result<(), CatalogFault> {
    let NewDelivery { project, incident, receiver, what, notice } = new;
    let rows = tx.query(LAST, params![incident, receiver]).await?;
    let last = rows.first().map(|row| row.opt_time("last")).transpose()?.flatten();
    let created = last.map_or(now, |last| now.max(last.plus(TICK)));
    let id = DeliveryId::new(created);
    let values = params![id, project, incident, receiver, what.as_str(), notice, now, created];
    tx.execute(INSERT, values).await.map(drop)
}

/// Answers whether a notice that waits says it now. An update or a reminder that waits becomes that it is worse, where it is.
pub(crate) async fn cover(
    tx: &mut Tx,
    (incident, receiver): (IncidentId, &AssetRef),
    (what, notice): (NoticeKind, &str),
) -> Result<bool, CatalogFault> {
    Ok(tx.execute(COVER, params![incident, receiver, notice, what.as_str()]).await? > 0)
}

pub(crate) async fn told(tx: &mut Tx, incident: IncidentId) -> Result<Vec<(AssetRef, Timestamp)>, CatalogFault> {
    let rows = tx.query(TOLD, params![incident]).await?;
    rows.iter().map(|row| Ok((row.parse("receiver")?, row.time("last")?))).collect()
}

/// The same outside of a transaction, without when.
pub(crate) async fn hearers(catalog: &Catalog, incident: IncidentId) -> Result<Vec<AssetRef>, CatalogFault> {
    catalog.query(TOLD, params![incident]).await?.iter().map(|row| row.parse("receiver")).collect()
}

/// Newest first.
pub(crate) async fn deliveries(
    catalog: &Catalog,
    project: ProjectId,
    filter: &DeliveryFilter,
    before: Option<DeliveryId>,
    limit: usize,
) -> Result<Vec<Delivery>, CatalogFault> {
    let state = filter.state.map(|state| state.as_str());
    let values = params![project, state, filter.incident, &filter.receiver, before, limit];
    catalog.query(LIST, values).await?.iter().map(read_delivery).collect()
}

/// A delivery that this process may send until its lease ends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Leased {
    pub(crate) delivery: Delivery,
    pub(crate) notice: Notice,
    pub(crate) fence: i64,
}

/// It is over: it arrived, or is not wanted.
pub(crate) async fn delivered(
    catalog: &Catalog,
    leased: &Leased,
    (state, status, note): (&str, Option<u16>, Option<&str>),
    now: Timestamp,
) -> Result<(), CatalogFault> {
    let status = status.map(i64::from);
    write(catalog, DELIVERED, params![leased.delivery.id, leased.fence, state, status, note, now]).await
}

pub(crate) async fn retried(
    catalog: &Catalog,
    leased: &Leased,
    (status, error): (Option<u16>, &str),
    due: Timestamp,
) -> Result<(), CatalogFault> {
    write(catalog, RETRIED, params![leased.delivery.id, leased.fence, due, status.map(i64::from), error]).await
}

pub(crate) async fn failed(
    catalog: &Catalog,
    leased: &Leased,
    (status, error): (Option<u16>, &str),
    now: Timestamp,
) -> Result<(), CatalogFault> {
    write(catalog, FAILED, params![leased.delivery.id, leased.fence, status.map(i64::from), error, now]).await
}

async fn write(catalog: &Catalog, sql: &'static str, values: Vec<Param>) -> Result<(), CatalogFault> {
    catalog.write(sql, values).await.map(drop)
}

/// Answers how many there were.
pub(crate) async fn revive(tx: &mut Tx, incident: IncidentId, now: Timestamp) -> Result<u64, CatalogFault> {
    tx.execute(REVIVE, params![incident, now]).await
}

pub(crate) async fn standing(catalog: &Catalog, project: ProjectId, receiver: &str) -> Result<Standing, CatalogFault> {
    let rows = catalog.query(COUNTS, params![project, receiver]).await?;
    let Some(row) = rows.first() else { return Ok(Standing::default()) };
    let errors = catalog.query(LAST_ERROR, params![project, receiver]).await?;
    Ok(Standing {
        pending: row.number("pending")?,
        failed: row.number("failed")?,
        delivered: row.opt_time("delivered")?,
        error: errors.first().map(|row| row.text("error").map(str::to_owned)).transpose()?,
    })
}

pub(super) fn read_delivery(row: &Row) -> Result<Delivery, CatalogFault> {
    let status = row.opt_int("status")?.map(|_| row.number("status")).transpose()?;
    Ok(Delivery {
        id: row.parse("id")?,
        project: row.parse("project")?,
        incident: row.parse("incident")?,
        receiver: row.parse("receiver")?,
        what: row.parse("what")?,
        state: row.parse("state")?,
        attempts: row.number("attempts")?,
        due: row.time("due")?,
        status,
        error: row.opt_text("error")?.map(str::to_owned),
        created: row.time("created")?,
        attempted: row.opt_time("attempted")?,
        ended: row.opt_time("ended")?,
    })
}
