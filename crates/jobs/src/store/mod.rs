//! SQL of the queue lives here and nowhere else.

mod schedules;

use mainspring_catalog::{Catalog, CatalogFault, Engine, Row, Tx, params};
use mainspring_kernel::{
    Name, Timestamp,
    id::{JobId, ProjectId},
};
use serde_json::Value;

use crate::model::{Contest, Job, JobCount, JobFilter, Lease, NewJob};

pub(crate) use schedules::{advance_schedule, due_schedules, get_schedule, list_schedules, put_schedule, remove_schedule};

macro_rules! job_columns {
    () => {
        "id, project, kind, state, priority, payload, attempt, max_attempts, due, owner, fence, lease_until, \
         cancel_asked, progress, result, error, created, started, ended"
    };
}

const INSERT: &str = "INSERT INTO job (id, project, kind, state, priority, payload, dedupe, attempt, max_attempts, \
    due, fence, cancel_asked, created) VALUES ($1, $2, $3, 'queued', $4, $5, $6, 0, $7, $8, 0, 0, $9) \
    ON CONFLICT DO NOTHING";
const UNFINISHED: &str = "SELECT id FROM job WHERE dedupe = $1 AND state IN ('queued', 'running')";
/// `$2` is the list of kinds, each between commas: a static statement has no lists.
const ANY_DUE: &str = "SELECT id FROM job WHERE ((state = 'queued' AND due <= $1) \
    OR (state = 'running' AND lease_until < $1)) AND REPLACE($2, ',' || kind || ',', '') <> $2 LIMIT 1";
const LEASE_SQLITE: &str = concat!(
    "UPDATE job SET state = 'running', owner = $3, fence = fence + 1, attempt = attempt + 1, lease_until = $4, \
     started = COALESCE(started, $1) WHERE id = (SELECT id FROM job WHERE ((state = 'queued' AND due <= $1) \
     OR (state = 'running' AND lease_until < $1)) AND REPLACE($2, ',' || kind || ',', '') <> $2 \
     ORDER BY priority DESC, (SELECT COUNT(*) FROM job AS held WHERE held.state = 'running' AND held.kind = job.kind \
     AND held.project = job.project), due, id LIMIT 1) RETURNING ",
    job_columns!()
);
/// Workers pass over rows that another worker is just taking, instead of queueing up behind it.
const LEASE_POSTGRES: &str = concat!(
    "UPDATE job SET state = 'running', owner = $3, fence = fence + 1, attempt = attempt + 1, lease_until = $4, \
     started = COALESCE(started, $1) WHERE id = (SELECT id FROM job WHERE ((state = 'queued' AND due <= $1) \
     OR (state = 'running' AND lease_until < $1)) AND REPLACE($2, ',' || kind || ',', '') <> $2 \
     ORDER BY priority DESC, (SELECT COUNT(*) FROM job AS held WHERE held.state = 'running' AND held.kind = job.kind \
     AND held.project = job.project), due, id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING ",
    job_columns!()
);
const END_EXHAUSTED: &str = "UPDATE job SET state = CASE WHEN cancel_asked = 1 THEN 'cancelled' ELSE 'failed' END, \
    error = COALESCE(error, $2), owner = NULL, lease_until = NULL, ended = $1 \
    WHERE state = 'running' AND lease_until < $1 AND (cancel_asked = 1 OR attempt >= max_attempts) RETURNING id";
const HEARTBEAT: &str = "UPDATE job SET lease_until = $3 WHERE id = $1 AND fence = $2 AND state = 'running' \
    RETURNING cancel_asked";
const PROGRESS: &str = "UPDATE job SET progress = $3 WHERE id = $1 AND fence = $2 AND state = 'running' RETURNING id";
const COMPLETE: &str = "UPDATE job SET state = 'done', result = $3, error = NULL, owner = NULL, lease_until = NULL, \
    ended = $4 WHERE id = $1 AND fence = $2 AND state = 'running'";
/// A cancelled attempt is not tried again; a failed one is, while attempts are left and `$5` allows.
const FAIL: &str = "UPDATE job SET \
    state = CASE WHEN cancel_asked = 1 THEN 'cancelled' WHEN $5 = 1 AND attempt < max_attempts THEN 'queued' \
    ELSE 'failed' END, \
    due = $6, error = $3, owner = NULL, lease_until = NULL, \
    ended = CASE WHEN cancel_asked = 0 AND $5 = 1 AND attempt < max_attempts THEN NULL ELSE CAST($4 AS BIGINT) END \
    WHERE id = $1 AND fence = $2 AND state = 'running' RETURNING state";
const RELEASE: &str = "UPDATE job SET state = 'queued', attempt = attempt - 1, owner = NULL, lease_until = NULL \
    WHERE id = $1 AND fence = $2 AND state = 'running' RETURNING id";
const REST: &str = "UPDATE job SET state = 'queued', attempt = attempt - 1, owner = NULL, lease_until = NULL, \
    due = CASE WHEN cancel_asked = 1 OR due <> $4 THEN due ELSE $3 END \
    WHERE id = $1 AND fence = $2 AND state = 'running' RETURNING id";
/// A worker may be about to let the job rest: it sees that the moment is another than when it took the job, also within
/// the same microsecond.
const HASTEN: &str = "UPDATE job SET due = CASE WHEN due = $2 THEN due - 1 ELSE $2 END \
    WHERE dedupe = $1 AND (state = 'running' OR (state = 'queued' AND due > $2)) RETURNING id";
const CONTEST: &str = "SELECT (SELECT COUNT(*) FROM job AS held WHERE held.state = 'running' AND held.kind = $1 \
    AND held.project = job.project) AS theirs, \
    (SELECT COUNT(*) FROM job AS held WHERE held.state = 'running' AND held.kind = $1 AND held.project = $2) AS ours \
    FROM job WHERE state = 'queued' AND kind = $1 AND due <= $3 ORDER BY theirs LIMIT 1";
const UNDER_WAY: &str = "SELECT COUNT(*) AS held FROM job WHERE state = 'running' AND kind = $1";
const END_LEASES: &str = "UPDATE job SET lease_until = 0 WHERE state = 'running' AND lease_until > 0 RETURNING id";
const CANCEL_QUEUED: &str = "UPDATE job SET state = 'cancelled', cancel_asked = 1, ended = $3 \
    WHERE project = $1 AND id = $2 AND state = 'queued' RETURNING id";
const CANCEL_RUNNING: &str = "UPDATE job SET cancel_asked = 1 WHERE project = $1 AND id = $2 AND state = 'running' RETURNING id";
const GET: &str = concat!("SELECT ", job_columns!(), " FROM job WHERE project = $1 AND id = $2");
const LIST: &str = concat!(
    "SELECT ",
    job_columns!(),
    " FROM job WHERE project = $1 AND (CAST($2 AS TEXT) IS NULL OR kind = $2) \
     AND (CAST($3 AS TEXT) IS NULL OR state = $3) AND (CAST($4 AS TEXT) IS NULL OR id < $4) ORDER BY id DESC LIMIT $5"
);
const LATEST: &str =
    concat!("SELECT ", job_columns!(), " FROM job WHERE project = $1 AND kind = $2 AND dedupe = $3 ORDER BY id DESC LIMIT 1");
const COUNTS: &str =
    "SELECT kind, state, COUNT(*) AS held, MIN(due) AS oldest FROM job GROUP BY kind, state ORDER BY kind, state";
const PRUNE: &str = "DELETE FROM job WHERE id IN (SELECT id FROM job WHERE ended < $1 LIMIT $2) RETURNING id";

const QUEUE: &[&str] = &[
    INSERT,
    UNFINISHED,
    ANY_DUE,
    LEASE_SQLITE,
    END_EXHAUSTED,
    HEARTBEAT,
    PROGRESS,
    COMPLETE,
    FAIL,
    RELEASE,
    REST,
    HASTEN,
    CONTEST,
    UNDER_WAY,
    END_LEASES,
    CANCEL_QUEUED,
    CANCEL_RUNNING,
    GET,
    LIST,
    LATEST,
    COUNTS,
    PRUNE,
];
/// Every statement for both engines, for the test that compiles them.
pub const STATEMENTS: &[&[&str]] = &[QUEUE, schedules::STATEMENTS];
/// Statements only PostgreSQL takes.
pub const POSTGRES_STATEMENTS: &[&str] = &[LEASE_POSTGRES];

/// Answers whether the job was made; otherwise one with the same key is unfinished.
pub(crate) async fn insert(
    tx: &mut Tx,
    id: JobId,
    new: &NewJob,
    dedupe: Option<&str>,
    now: Timestamp,
) -> Result<bool, CatalogFault> {
    let NewJob { project, kind, payload, dedupe: _, priority, max_attempts, due } = new;
    let due = due.unwrap_or(now);
    let values = params![id, *project, kind, *priority, payload, dedupe, *max_attempts, due, now];
    Ok(tx.execute(INSERT, values).await? > 0)
}

pub(crate) async fn unfinished(tx: &mut Tx, dedupe: &str) -> Result<Option<JobId>, CatalogFault> {
    tx.query(UNFINISHED, params![dedupe]).await?.first().map(|row| row.parse("id")).transpose()
}

pub(crate) async fn any_due(catalog: &Catalog, kinds: &str, now: Timestamp) -> Result<bool, CatalogFault> {
    Ok(!catalog.query(ANY_DUE, params![now, kinds]).await?.is_empty())
}

pub(crate) async fn lease(
    catalog: &Catalog,
    (kinds, owner): (&str, &str),
    (now, until): (Timestamp, Timestamp),
) -> Result<Option<Lease>, CatalogFault> {
    let sql = match catalog.engine() {
        Engine::Sqlite => LEASE_SQLITE,
        Engine::Postgres => LEASE_POSTGRES,
    };
    let rows = catalog.write(sql, params![now, kinds, owner, until]).await?;
    let lasts = until.since(now);
    rows.first().map(|row| Ok(Lease { job: read_job(row)?, fence: row.int("fence")?, until, lasts })).transpose()
}

pub(crate) async fn end_exhausted(catalog: &Catalog, now: Timestamp, reason: &str) -> Result<Vec<JobId>, CatalogFault> {
    catalog.write(END_EXHAUSTED, params![now, reason]).await?.iter().map(|row| row.parse("id")).collect()
}

/// Answers whether cancelling was asked for; nothing when the lease was lost.
pub(crate) async fn heartbeat(catalog: &Catalog, lease: &Lease, until: Timestamp) -> Result<Option<bool>, CatalogFault> {
    let rows = catalog.write(HEARTBEAT, params![lease.job.id, lease.fence, until]).await?;
    rows.first().map(|row| row.bool("cancel_asked")).transpose()
}

pub(crate) async fn progress(catalog: &Catalog, lease: &Lease, progress: &Value) -> Result<bool, CatalogFault> {
    Ok(!catalog.write(PROGRESS, params![lease.job.id, lease.fence, progress]).await?.is_empty())
}

pub(crate) async fn complete(tx: &mut Tx, lease: &Lease, result: &Value, now: Timestamp) -> Result<bool, CatalogFault> {
    Ok(tx.execute(COMPLETE, params![lease.job.id, lease.fence, result, now]).await? > 0)
}

pub(crate) async fn fail(
    catalog: &Catalog,
    lease: &Lease,
    (error, again): (&str, bool),
    (now, due): (Timestamp, Timestamp),
) -> Result<Option<Row>, CatalogFault> {
    let values = params![lease.job.id, lease.fence, error, now, again, due];
    Ok(catalog.write(FAIL, values).await?.into_iter().next())
}

pub(crate) async fn release(catalog: &Catalog, lease: &Lease) -> Result<bool, CatalogFault> {
    Ok(!catalog.write(RELEASE, params![lease.job.id, lease.fence]).await?.is_empty())
}

pub(crate) async fn rest(catalog: &Catalog, lease: &Lease, due: Timestamp) -> Result<bool, CatalogFault> {
    Ok(!catalog.write(REST, params![lease.job.id, lease.fence, due, lease.job.due]).await?.is_empty())
}

pub(crate) async fn hasten(catalog: &Catalog, dedupe: &str, now: Timestamp) -> Result<(), CatalogFault> {
    catalog.write(HASTEN, params![dedupe, now]).await.map(drop)
}

pub(crate) async fn contest(
    catalog: &Catalog,
    kind: &Name,
    project: ProjectId,
    now: Timestamp,
) -> Result<Option<Contest>, CatalogFault> {
    let rows = catalog.query(CONTEST, params![kind, project, now]).await?;
    rows.first().map(|row| Ok(Contest { theirs: row.number("theirs")?, ours: row.number("ours")? })).transpose()
}

pub(crate) async fn under_way(catalog: &Catalog, kind: &Name) -> Result<u64, CatalogFault> {
    catalog.query(UNDER_WAY, params![kind]).await?.first().map_or(Ok(0), |row| row.number("held"))
}

pub(crate) async fn end_leases(catalog: &Catalog) -> Result<usize, CatalogFault> {
    Ok(catalog.write(END_LEASES, params![]).await?.len())
}

pub(crate) async fn cancel(catalog: &Catalog, project: ProjectId, id: JobId, now: Timestamp) -> Result<bool, CatalogFault> {
    if !catalog.write(CANCEL_QUEUED, params![project, id, now]).await?.is_empty() {
        return Ok(true);
    }
    Ok(!catalog.write(CANCEL_RUNNING, params![project, id]).await?.is_empty())
}

pub(crate) async fn get(catalog: &Catalog, project: ProjectId, id: JobId) -> Result<Option<Job>, CatalogFault> {
    catalog.query(GET, params![project, id]).await?.first().map(read_job).transpose()
}

pub(crate) async fn latest(
    catalog: &Catalog,
    (project, kind): (ProjectId, &Name),
    dedupe: &str,
) -> Result<Option<Job>, CatalogFault> {
    catalog.query(LATEST, params![project, kind, dedupe]).await?.first().map(read_job).transpose()
}

pub(crate) async fn list(
    catalog: &Catalog,
    project: ProjectId,
    filter: &JobFilter,
    before: Option<JobId>,
    limit: usize,
) -> Result<Vec<Job>, CatalogFault> {
    let state = filter.state.map(crate::JobState::as_str);
    let rows = catalog.query(LIST, params![project, &filter.kind, state, before, limit]).await?;
    rows.iter().map(read_job).collect()
}

pub(crate) async fn counts(catalog: &Catalog) -> Result<Vec<JobCount>, CatalogFault> {
    let rows = catalog.query(COUNTS, params![]).await?;
    rows.iter()
        .map(|row| {
            Ok(JobCount {
                kind: row.parse("kind")?,
                state: row.parse("state")?,
                count: row.number("held")?,
                oldest_due: row.time("oldest")?,
            })
        })
        .collect()
}

pub(crate) async fn prune(catalog: &Catalog, before: Timestamp, limit: usize) -> Result<usize, CatalogFault> {
    Ok(catalog.write(PRUNE, params![before, limit]).await?.len())
}

fn read_job(row: &Row) -> Result<Job, CatalogFault> {
    Ok(Job {
        id: row.parse("id")?,
        project: row.opt_parse("project")?,
        kind: row.parse("kind")?,
        state: row.parse("state")?,
        priority: row.int("priority")?,
        payload: row.json("payload")?,
        attempt: row.number("attempt")?,
        max_attempts: row.number("max_attempts")?,
        due: row.time("due")?,
        owner: row.opt_text("owner")?.map(str::to_owned),
        lease_until: row.opt_time("lease_until")?,
        cancel_asked: row.bool("cancel_asked")?,
        progress: row.opt_json("progress")?,
        result: row.opt_json("result")?,
        error: row.opt_text("error")?.map(str::to_owned),
        created: row.time("created")?,
        started: row.opt_time("started")?,
        ended: row.opt_time("ended")?,
    })
}
