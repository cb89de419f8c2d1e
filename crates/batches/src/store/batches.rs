//! Batches.

use std::time::Duration;

use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{
    Timestamp,
    id::{BatchId, ProjectId},
};

use super::{labels_of, labels_text};
use crate::{
    model::{Batch, Counts, FileId, LineError, Maker, Status},
    rest::Rest,
};

macro_rules! columns {
    () => {
        "id, project, endpoint, input_file, completion_window, status, metadata, principal, api_key, role, labels, total, \
         completed, failed, errors, output_file, error_file, keep_output, ends_as, created, expires, in_progress, finalizing, \
         cancelling, ended, rest"
    };
}

const INSERT: &str = "INSERT INTO batch (id, project, endpoint, input_file, completion_window, status, metadata, principal, \
    api_key, role, labels, total, completed, failed, errors, keep_output, created, expires) \
    VALUES ($1, $2, $3, $4, $5, 'validating', $6, $7, $8, $9, $10, 0, 0, 0, '[]', $11, $12, $13)";
const GET: &str = concat!("SELECT ", columns!(), " FROM batch WHERE project = $1 AND id = $2");
const FIND: &str = concat!("SELECT ", columns!(), " FROM batch WHERE id = $1");
const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM batch WHERE project = $1 AND (CAST($2 AS TEXT) IS NULL OR id < $2) ORDER BY id DESC LIMIT $3"
);
const UNFINISHED: &str = "SELECT id, project FROM batch WHERE ended IS NULL ORDER BY id";
const READER_OF: &str = "SELECT id FROM batch WHERE input_file = $1 AND ended IS NULL ORDER BY id LIMIT 1";
/// One that was cancelled while its file was looked at stays so.
const BEGIN: &str = "UPDATE batch SET status = CASE WHEN status = 'validating' THEN 'in_progress' ELSE status END, total = $2, \
    output_file = $3, error_file = $4, in_progress = $5 \
    WHERE id = $1 AND in_progress IS NULL AND status IN ('validating', 'cancelling')";
const REFUSE: &str = "UPDATE batch SET status = 'failed', errors = $2, ended = $3 \
    WHERE id = $1 AND in_progress IS NULL AND status IN ('validating', 'cancelling')";
const CANCEL: &str = "UPDATE batch SET status = 'cancelling', cancelling = $2 \
    WHERE id = $1 AND status IN ('validating', 'in_progress') RETURNING id";
const REST: &str = "UPDATE batch SET rest = $2 WHERE id = $1 AND status = 'in_progress' RETURNING id";
const OPEN: &str = "SELECT COUNT(*) AS held FROM batch WHERE project = $1 AND ended IS NULL";
const OLDEST_OPEN: &str = "SELECT COUNT(*) AS held, CAST(COALESCE(MIN(created), 0) AS BIGINT) AS oldest FROM batch \
    WHERE ended IS NULL";
const COUNT: &str = "UPDATE batch SET completed = $2, failed = $3 WHERE id = $1";
const FINALIZE: &str = "UPDATE batch SET status = 'finalizing', finalizing = $2, ends_as = $3, errors = $4 \
    WHERE id = $1 AND status IN ('in_progress', 'cancelling')";
const END: &str = "UPDATE batch SET status = ends_as, ended = $2, output_file = $3, error_file = $4 \
    WHERE id = $1 AND status = 'finalizing'";

pub(super) const STATEMENTS: &[&str] =
    &[INSERT, GET, FIND, LIST, UNFINISHED, READER_OF, BEGIN, REFUSE, CANCEL, REST, OPEN, OLDEST_OPEN, COUNT, FINALIZE, END];

pub(crate) async fn insert_batch(tx: &mut Tx, batch: &Batch) -> Result<(), CatalogFault> {
    let Batch { id, project, endpoint, input, window, metadata, maker, keep_output, created, expires, .. } = batch;
    let Maker { principal, key, role, labels } = maker;
    let values = params![
        *id,
        *project,
        endpoint.as_str(),
        *input,
        mainspring_kernel::duration::write(*window),
        serde_json::to_string(metadata).unwrap_or_default(),
        *principal,
        *key,
        *role,
        labels_text(labels),
        keep_output.as_secs(),
        *created,
        *expires
    ];
    tx.execute(INSERT, values).await.map(drop)
}

pub(crate) async fn batch_of(catalog: &Catalog, project: ProjectId, id: BatchId) -> Result<Option<Batch>, CatalogFault> {
    catalog.query(GET, params![project, id]).await?.first().map(read).transpose()
}

pub(crate) async fn find_batch(catalog: &Catalog, id: BatchId) -> Result<Option<Batch>, CatalogFault> {
    catalog.query(FIND, params![id]).await?.first().map(read).transpose()
}

pub(crate) async fn batch_in(tx: &mut Tx, id: BatchId) -> Result<Option<Batch>, CatalogFault> {
    tx.query(FIND, params![id]).await?.first().map(read).transpose()
}

/// Newest first.
pub(crate) async fn batches(
    catalog: &Catalog,
    project: ProjectId,
    after: Option<BatchId>,
    limit: usize,
) -> Result<Vec<Batch>, CatalogFault> {
    catalog.query(LIST, params![project, after, limit]).await?.iter().map(read).collect()
}

/// Of every project.
pub(crate) async fn unfinished(catalog: &Catalog) -> Result<Vec<(ProjectId, BatchId)>, CatalogFault> {
    let rows = catalog.query(UNFINISHED, params![]).await?;
    rows.iter().map(|row| Ok((row.parse("project")?, row.parse("id")?))).collect()
}

/// A batch that still has to read the file.
pub(crate) async fn reader_of(tx: &mut Tx, file: FileId) -> Result<Option<BatchId>, CatalogFault> {
    tx.query(READER_OF, params![file]).await?.first().map(|row| row.parse("id")).transpose()
}

/// Its lines are fine, and its results have files; answers whether it had not begun before.
pub(crate) async fn begin_batch(
    tx: &mut Tx,
    (id, total): (BatchId, u64),
    (output, failures): (FileId, FileId),
    now: Timestamp,
) -> Result<bool, CatalogFault> {
    Ok(tx.execute(BEGIN, params![id, total, output, failures, now]).await? > 0)
}

pub(crate) async fn refuse_batch(tx: &mut Tx, id: BatchId, errors: &[LineError], now: Timestamp) -> Result<bool, CatalogFault> {
    Ok(tx.execute(REFUSE, params![id, written(errors), now]).await? > 0)
}

pub(crate) async fn cancel_batch(catalog: &Catalog, id: BatchId, now: Timestamp) -> Result<bool, CatalogFault> {
    Ok(!catalog.write(CANCEL, params![id, now]).await?.is_empty())
}

/// Writes down where a batch goes on; answers whether it is to go on at all.
pub(crate) async fn rest_batch(tx: &mut Tx, id: BatchId, rest: &Rest) -> Result<bool, CatalogFault> {
    let rest = serde_json::to_string(rest).unwrap_or_default();
    Ok(!tx.query(REST, params![id, rest]).await?.is_empty())
}

/// How many batches of a project have not ended.
pub(crate) async fn open_batches(tx: &mut Tx, project: ProjectId) -> Result<u64, CatalogFault> {
    tx.query(OPEN, params![project]).await?.first().map_or(Ok(0), |row| row.number("held"))
}

/// How many batches of all projects have not ended, and when the oldest of them was made.
pub(crate) async fn oldest_open(catalog: &Catalog) -> Result<(u64, Option<Timestamp>), CatalogFault> {
    let rows = catalog.query(OLDEST_OPEN, params![]).await?;
    let Some(row) = rows.first() else { return Ok((0, None)) };
    let held: u64 = row.number("held")?;
    Ok((held, (held > 0).then(|| row.time("oldest")).transpose()?))
}

pub(crate) async fn count(tx: &mut Tx, batch: &Batch) -> Result<(), CatalogFault> {
    tx.execute(COUNT, params![batch.id, batch.counts.completed, batch.counts.failed]).await.map(drop)
}

pub(crate) async fn finalize_batch(
    tx: &mut Tx,
    id: BatchId,
    (ends_as, errors): (Status, &[LineError]),
    now: Timestamp,
) -> Result<bool, CatalogFault> {
    Ok(tx.execute(FINALIZE, params![id, now, ends_as.as_str(), written(errors)]).await? > 0)
}

pub(crate) async fn end_batch(
    tx: &mut Tx,
    id: BatchId,
    (output, failures): (Option<FileId>, Option<FileId>),
    now: Timestamp,
) -> Result<bool, CatalogFault> {
    Ok(tx.execute(END, params![id, now, output, failures]).await? > 0)
}

fn written(errors: &[LineError]) -> String {
    serde_json::to_string(errors).unwrap_or_default()
}

fn read(row: &Row) -> Result<Batch, CatalogFault> {
    let window = row.text("completion_window")?;
    let unreadable = || CatalogFault::Column { column: "completion_window".to_owned(), reason: "no stretch of time".to_owned() };
    Ok(Batch {
        id: row.parse("id")?,
        project: row.parse("project")?,
        endpoint: row.parse("endpoint")?,
        input: row.parse("input_file")?,
        window: mainspring_kernel::duration::read(window).ok_or_else(unreadable)?,
        status: row.parse("status")?,
        metadata: row.json("metadata")?,
        maker: Maker {
            principal: row.parse("principal")?,
            key: row.opt_parse("api_key")?,
            role: row.parse("role")?,
            labels: labels_of(row)?,
        },
        counts: Counts { total: row.number("total")?, completed: row.number("completed")?, failed: row.number("failed")? },
        errors: row.json("errors")?,
        output: row.opt_parse("output_file")?,
        failures: row.opt_parse("error_file")?,
        keep_output: Duration::from_secs(row.number("keep_output")?),
        ends_as: row.opt_parse("ends_as")?,
        created: row.time("created")?,
        expires: row.time("expires")?,
        in_progress: row.opt_time("in_progress")?,
        finalizing: row.opt_time("finalizing")?,
        cancelling: row.opt_time("cancelling")?,
        ended: row.opt_time("ended")?,
        // What cannot be read is begun with again: results are not asked twice either way.
        rest: row.opt_json("rest").unwrap_or_default(),
    })
}
