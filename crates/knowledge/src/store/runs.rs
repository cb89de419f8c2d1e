use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{
    Name, Timestamp,
    id::{ProjectId, RunId},
};
use mainspring_lake::LakeVersion;
use serde_json::json;

use crate::model::{DocumentId, IngestRun, KnowledgeKey, Progress, Reason, Report, RunState};

/// How a run ended.
#[derive(Debug, Clone)]
pub(crate) struct RunRow {
    pub id: RunId,
    pub state: RunState,
    pub lake: Option<(Name, LakeVersion)>,
    pub tag: Option<String>,
    /// How far it came; `None` leaves what was kept last.
    pub progress: Option<Progress>,
    pub report: Option<Report>,
    pub error: Option<Reason>,
}

const INSERT: &str = "INSERT INTO ingest_run (id, project, knowledge, status, started_at, asset_version, trace, progress) \
    VALUES ($1, $2, $3, 'running', $4, $5, $6, '{}')";
const PROGRESS: &str = "UPDATE ingest_run SET progress = $2 WHERE id = $1 AND status = 'running'";
const FINISH: &str = "UPDATE ingest_run SET status = $2, finished_at = $3, lake_table = $4, lake_version = $5, \
    lake_transaction = $6, tag = $7, report = $8, error_code = $9, error = $10 WHERE id = $1 AND status = 'running'";
const INTERRUPTED: &str = "SELECT id, project, knowledge FROM ingest_run WHERE status = 'running' AND id NOT IN \
    (SELECT holder_run FROM knowledge WHERE holder_run IS NOT NULL) ORDER BY id LIMIT 10000";
const INTERRUPT: &str = "UPDATE ingest_run SET status = 'failed', finished_at = $2, error_code = 'interrupted', \
    error = 'its process died' WHERE id = $1 AND status = 'running'";
const STRANDED: &str = "SELECT id FROM ingest_run WHERE status = 'running' AND id NOT IN \
    (SELECT holder_run FROM knowledge WHERE holder_run IS NOT NULL AND held_until >= $1) LIMIT 1";
const GET: &str = "SELECT id, knowledge, status, started_at, finished_at, asset_version, trace, progress, report, \
    error_code, error FROM ingest_run WHERE project = $1 AND id = $2";
const PAGE: &str = "SELECT id, knowledge, status, started_at, finished_at, asset_version, trace, progress, report, \
    error_code, error FROM ingest_run WHERE project = $1 AND knowledge = $2 AND (started_at, id) < ($3, $4) \
    ORDER BY started_at DESC, id DESC LIMIT $5";
const PAGE_OF_PROJECT: &str = "SELECT id, knowledge, status, started_at, finished_at, asset_version, trace, progress, report, \
    error_code, error FROM ingest_run WHERE project = $1 AND (CAST($2 AS TEXT) IS NULL OR id < $2) ORDER BY id DESC LIMIT $3";
const REPORTS: &str = "SELECT id, report FROM ingest_run WHERE project = $1 AND knowledge = $2 AND id > $3 \
    AND report IS NOT NULL ORDER BY id LIMIT 200";
const SET_REPORT: &str = "UPDATE ingest_run SET report = $2 WHERE id = $1";
#[cfg(test)]
pub(super) const STATEMENTS: &[&str] =
    &[INSERT, PROGRESS, FINISH, INTERRUPTED, INTERRUPT, STRANDED, GET, PAGE, PAGE_OF_PROJECT, REPORTS, SET_REPORT];

pub(crate) async fn insert(
    tx: &mut Tx,
    key: &KnowledgeKey,
    run: RunId,
    (asset_version, trace): (u32, Option<&str>),
    now: Timestamp,
) -> Result<(), CatalogFault> {
    let values = params![run, key.project, &key.name, now, asset_version, trace];
    tx.execute(INSERT, values).await.map(drop)
}

pub(crate) async fn progress(tx: &mut Tx, run: RunId, progress: &Progress) -> Result<(), CatalogFault> {
    tx.execute(PROGRESS, params![run, json!(progress)]).await.map(drop)
}

/// Ends a run; false when it had ended already.
pub(crate) async fn finish(tx: &mut Tx, end: &RunRow, now: Timestamp) -> Result<bool, CatalogFault> {
    let RunRow { id, state, lake, tag, progress: last, report, error } = end;
    if let Some(last) = last {
        progress(tx, *id, last).await?;
    }
    let (table, version) = lake.clone().unzip();
    let (number, transaction) = version.map(|version| (version.number, version.transaction)).unzip();
    let (code, detail) = error.clone().map(|reason| (reason.code, reason.detail.replace('\0', "\u{fffd}"))).unzip();
    // A failed file's own words may hold a NUL, which JSON escapes.
    let report = report.as_ref().map(|report| json!(report));
    let values = params![*id, state.as_str(), now, table, number, transaction, tag, report, code, detail];
    Ok(tx.execute(FINISH, values).await? == 1)
}

/// Whether there is a run that nobody holds a knowledge for any more: a look that costs no write.
pub(crate) async fn any_stranded(catalog: &Catalog, now: Timestamp) -> Result<bool, CatalogFault> {
    Ok(!catalog.query(STRANDED, params![now]).await?.is_empty())
}

/// Closes the runs that nobody holds a knowledge for any more.
pub(crate) async fn interrupt(tx: &mut Tx, now: Timestamp) -> Result<Vec<(KnowledgeKey, RunId)>, CatalogFault> {
    let mut interrupted = Vec::new();
    for row in tx.query(INTERRUPTED, Vec::new()).await? {
        let run: RunId = row.parse("id")?;
        tx.execute(INTERRUPT, params![run, now]).await?;
        interrupted.push((KnowledgeKey { project: row.parse("project")?, name: row.parse("knowledge")? }, run));
    }
    Ok(interrupted)
}

/// Takes the names of documents out of what earlier runs said.
pub(crate) async fn forget(tx: &mut Tx, key: &KnowledgeKey, documents: &[DocumentId]) -> Result<(), CatalogFault> {
    let mut after = String::new();
    loop {
        let rows = tx.query(REPORTS, params![key.project, &key.name, after.as_str()]).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.text("id")?.to_owned();
        for row in &rows {
            // A report that cannot be read back is shown to nobody, and goes.
            let mut report = row.opt_json::<Report>("report").ok().flatten();
            if report.as_mut().is_some_and(|report| !report.forget(documents)) {
                continue;
            }
            let kept = report.map(|report| json!(report));
            tx.execute(SET_REPORT, params![row.text("id")?, kept]).await?;
        }
    }
}

pub(crate) async fn get(catalog: &Catalog, key: &KnowledgeKey, run: RunId) -> Result<Option<IngestRun>, CatalogFault> {
    let rows = catalog.query(GET, params![key.project, run]).await?;
    let run = rows.first().map(read).transpose()?;
    Ok(run.filter(|run| run.knowledge == key.name))
}

pub(crate) async fn page(
    catalog: &Catalog,
    key: &KnowledgeKey,
    before: Option<(i64, String)>,
    limit: usize,
) -> Result<Vec<IngestRun>, CatalogFault> {
    let (started, id) = before.unwrap_or((i64::MAX, String::new()));
    catalog.query(PAGE, params![key.project, &key.name, started, id, limit]).await?.iter().map(read).collect()
}

/// The runs of every knowledge, newest first: ids begin with the time they were made at.
pub(crate) async fn page_of_project(
    catalog: &Catalog,
    project: ProjectId,
    before: Option<RunId>,
    limit: usize,
) -> Result<Vec<IngestRun>, CatalogFault> {
    catalog.query(PAGE_OF_PROJECT, params![project, before, limit]).await?.iter().map(read).collect()
}

pub(crate) async fn latest(catalog: &Catalog, key: &KnowledgeKey) -> Result<Option<IngestRun>, CatalogFault> {
    Ok(page(catalog, key, None, 1).await?.pop())
}

fn read(row: &Row) -> Result<IngestRun, CatalogFault> {
    let error = match (row.opt_text("error_code")?, row.opt_text("error")?) {
        (Some(code), Some(detail)) => Some(Reason { code: code.to_owned(), detail: detail.to_owned() }),
        _ => None,
    };
    Ok(IngestRun {
        id: row.parse("id")?,
        knowledge: row.parse("knowledge")?,
        state: row.parse("status")?,
        started: row.time("started_at")?,
        finished: row.opt_time("finished_at")?,
        asset_version: row.number("asset_version")?,
        trace: row.opt_text("trace")?.map(str::to_owned),
        // Kept for people; one written by another version of the program may not read back.
        progress: row.opt_json("progress").ok().flatten(),
        report: row.opt_json("report").ok().flatten(),
        error,
    })
}
