//! Schedules.

use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{
    Name, Timestamp,
    id::{JobId, ProjectId},
};

use crate::schedules::Schedule;

const PUT_SCHEDULE: &str = "INSERT INTO job_schedule \
    (project, name, kind, payload, every, priority, next_due, paused, created) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (project, name) DO UPDATE SET kind = $3, payload = $4, \
    every = $5, priority = $6, next_due = $7, paused = $8";
const GET_SCHEDULE: &str = "SELECT project, name, kind, payload, every, priority, next_due, last_job, paused, created \
    FROM job_schedule WHERE project = $1 AND name = $2";
const LIST_SCHEDULES: &str = "SELECT project, name, kind, payload, every, priority, next_due, last_job, paused, \
    created FROM job_schedule WHERE project = $1 ORDER BY name LIMIT 1000";
const DUE_SCHEDULES: &str = "SELECT project, name, kind, payload, every, priority, next_due, last_job, paused, \
    created FROM job_schedule WHERE next_due <= $1 AND paused = 0 ORDER BY next_due LIMIT 100";
/// Whoever moves the schedule on from the moment it read is the one who makes the job.
const ADVANCE_SCHEDULE: &str = "UPDATE job_schedule SET next_due = $4, last_job = $5 \
    WHERE project = $1 AND name = $2 AND next_due = $3 AND paused = 0";
const REMOVE_SCHEDULE: &str = "DELETE FROM job_schedule WHERE project = $1 AND name = $2 RETURNING name";

pub(super) const STATEMENTS: &[&str] =
    &[PUT_SCHEDULE, GET_SCHEDULE, LIST_SCHEDULES, DUE_SCHEDULES, ADVANCE_SCHEDULE, REMOVE_SCHEDULE];

pub(crate) async fn put_schedule(tx: &mut Tx, schedule: &Schedule) -> Result<(), CatalogFault> {
    let Schedule { project, name, kind, payload, every, priority, next_due, last_job: _, paused, created } = schedule;
    let every = every.to_string();
    let values = params![*project, name, kind, payload, every, *priority, *next_due, *paused, *created];
    tx.execute(PUT_SCHEDULE, values).await.map(drop)
}

pub(crate) async fn get_schedule(tx: &mut Tx, project: ProjectId, name: &Name) -> Result<Option<Schedule>, CatalogFault> {
    tx.query(GET_SCHEDULE, params![project, name]).await?.first().map(read_schedule).transpose()
}

pub(crate) async fn list_schedules(catalog: &Catalog, project: ProjectId) -> Result<Vec<Schedule>, CatalogFault> {
    catalog.query(LIST_SCHEDULES, params![project]).await?.iter().map(read_schedule).collect()
}

pub(crate) async fn due_schedules(catalog: &Catalog, now: Timestamp) -> Result<Vec<Schedule>, CatalogFault> {
    catalog.query(DUE_SCHEDULES, params![now]).await?.iter().map(read_schedule).collect()
}

pub(crate) async fn advance_schedule(
    tx: &mut Tx,
    schedule: &Schedule,
    next: Timestamp,
    job: JobId,
) -> Result<bool, CatalogFault> {
    let values = params![schedule.project, &schedule.name, schedule.next_due, next, job];
    Ok(tx.execute(ADVANCE_SCHEDULE, values).await? > 0)
}

pub(crate) async fn remove_schedule(catalog: &Catalog, project: ProjectId, name: &Name) -> Result<bool, CatalogFault> {
    Ok(!catalog.write(REMOVE_SCHEDULE, params![project, name]).await?.is_empty())
}

fn read_schedule(row: &Row) -> Result<Schedule, CatalogFault> {
    Ok(Schedule {
        project: row.parse("project")?,
        name: row.parse("name")?,
        kind: row.parse("kind")?,
        payload: row.json("payload")?,
        every: row.parse("every")?,
        priority: row.int("priority")?,
        next_due: row.time("next_due")?,
        last_job: row.opt_parse("last_job")?,
        paused: row.bool("paused")?,
        created: row.time("created")?,
    })
}
