//! Segments of calls.

use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{Timestamp, id::ProjectId};

const INSERT: &str = "INSERT INTO call_segment (id, project, hour, first_at, first_end, last_end, calls, cost, records) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const BEFORE: &str = "SELECT id, hour, last_end, records FROM call_segment \
    WHERE project = $1 AND hour <= $2 AND hour >= $3 AND first_end <= $4 AND (hour, last_end, id) < ($5, $6, $7) \
    ORDER BY hour DESC, last_end DESC, id DESC LIMIT $8";
const SINCE: &str = "SELECT id, hour, last_end, records FROM call_segment \
    WHERE project = $1 AND hour >= $2 AND first_at < $3 AND (hour, last_end, id) > ($4, $5, $6) \
    ORDER BY hour, last_end, id LIMIT $7";
const AT: &str = "SELECT id, hour, last_end, records FROM call_segment WHERE last_end >= $1 ORDER BY last_end DESC LIMIT $2";
const FORGET: &str =
    "DELETE FROM call_segment WHERE id IN (SELECT id FROM call_segment WHERE last_end < $1 LIMIT $2) RETURNING id";
const SMALL: &str = "SELECT project, hour FROM call_segment WHERE last_end >= $1 AND last_end < $2 AND calls < $3 \
    GROUP BY project, hour HAVING COUNT(*) > 1 ORDER BY hour, project LIMIT $4";
const SMALL_IN: &str = "SELECT id, hour, last_end, records FROM call_segment WHERE project = $1 AND hour = $2 AND calls < $3 \
    ORDER BY last_end, id LIMIT $4";
const REMOVE: &str = "DELETE FROM call_segment WHERE id = $1";

pub(super) const STATEMENTS: &[&str] = &[INSERT, BEFORE, SINCE, AT, FORGET, SMALL, SMALL_IN, REMOVE];

/// A segment to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentRow {
    pub(crate) id: String,
    pub(crate) project: ProjectId,
    /// In which its calls ended.
    pub(crate) hour: i64,
    pub(crate) first_at: Timestamp,
    pub(crate) first_end: Timestamp,
    pub(crate) last_end: Timestamp,
    pub(crate) calls: u64,
    pub(crate) cost: i64,
    pub(crate) records: Vec<u8>,
}

/// A segment as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentHead {
    pub(crate) id: String,
    pub(crate) hour: i64,
    pub(crate) last_end: Timestamp,
    pub(crate) records: Vec<u8>,
}

/// Where to look for segments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    /// The hours in which calls ended, both included.
    pub(crate) hours: (i64, i64),
    /// Segments whose first call ended after this have nothing to say.
    pub(crate) ended_by: Timestamp,
}

pub(crate) async fn insert_segment(tx: &mut Tx, segment: SegmentRow) -> Result<(), CatalogFault> {
    let SegmentRow { id, project, hour, first_at, first_end, last_end, calls, cost, records } = segment;
    let values = params![id, project, hour, first_at, first_end, last_end, calls, cost, records];
    tx.execute(INSERT, values).await.map(drop)
}

/// From the newest to the oldest, after the one given.
pub(crate) async fn segments_before(
    catalog: &Catalog,
    project: ProjectId,
    stretch: Stretch,
    after: Option<&SegmentHead>,
    limit: usize,
) -> Result<Vec<SegmentHead>, CatalogFault> {
    let Stretch { hours: (from, to), ended_by } = stretch;
    // Ids are of hexadecimal digits, so that this comes after all of them.
    let (hour, last_end, id) =
        after.map_or((i64::MAX, Timestamp::from_micros(i64::MAX), "~"), |head| (head.hour, head.last_end, head.id.as_str()));
    let values = params![project, to, from, ended_by, hour, last_end, id, limit];
    catalog.query(BEFORE, values).await?.iter().map(read).collect()
}

/// From the oldest to the newest: those with calls that ended in this hour or later and began before a moment.
pub(crate) async fn segments_since(
    catalog: &Catalog,
    project: ProjectId,
    (hour, began_before): (i64, Timestamp),
    after: Option<&SegmentHead>,
    limit: usize,
) -> Result<Vec<SegmentHead>, CatalogFault> {
    let (last_hour, last_end, id) =
        after.map_or((i64::MIN, Timestamp::from_micros(i64::MIN), ""), |head| (head.hour, head.last_end, head.id.as_str()));
    let values = params![project, hour, began_before, last_hour, last_end, id, limit];
    catalog.query(SINCE, values).await?.iter().map(read).collect()
}

/// Those of every project with calls that ended since.
pub(crate) async fn segments_at(catalog: &Catalog, since: Timestamp, limit: usize) -> Result<Vec<SegmentHead>, CatalogFault> {
    catalog.query(AT, params![since, limit]).await?.iter().map(read).collect()
}

/// Answers how many were removed.
pub(crate) async fn forget_segments(catalog: &Catalog, before: Timestamp, limit: usize) -> Result<usize, CatalogFault> {
    Ok(catalog.write(FORGET, params![before, limit]).await?.len())
}

/// Hours of projects with several segments smaller than they need be.
pub(crate) async fn small_hours(
    catalog: &Catalog,
    (since, until): (Timestamp, Timestamp),
    calls: u64,
    limit: usize,
) -> Result<Vec<(ProjectId, i64)>, CatalogFault> {
    let rows = catalog.query(SMALL, params![since, until, calls, limit]).await?;
    rows.iter().map(|row| Ok((row.parse("project")?, row.int("hour")?))).collect()
}

pub(crate) async fn small_segments(
    tx: &mut Tx,
    (project, hour): (ProjectId, i64),
    calls: u64,
    limit: usize,
) -> Result<Vec<SegmentHead>, CatalogFault> {
    tx.query(SMALL_IN, params![project, hour, calls, limit]).await?.iter().map(read).collect()
}

pub(crate) async fn remove_segment(tx: &mut Tx, id: &str) -> Result<(), CatalogFault> {
    tx.execute(REMOVE, params![id]).await.map(drop)
}

fn read(row: &Row) -> Result<SegmentHead, CatalogFault> {
    Ok(SegmentHead {
        id: row.text("id")?.to_owned(),
        hour: row.int("hour")?,
        last_end: row.time("last_end")?,
        records: row.bytes("records")?.to_vec(),
    })
}
