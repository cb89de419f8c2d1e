//! SQL of monitors lives here and nowhere else.

use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{Name, Timestamp, id::ProjectId, text};
use serde::Serialize;
use serde_json::Value;

use crate::{
    signal::Going,
    state::{Evaluation, History},
    tally::Stood,
};

/// Evaluations that are kept of each monitor.
pub(crate) const KEPT: usize = 2_000;
const TROUBLE_MAX: usize = 600;

macro_rules! columns {
    () => {
        "project, name, version, looked_version, history, looked, evaluation, raised, trouble, due, fence, lease_until"
    };
}

const ENSURE: &str = "INSERT INTO monitor_state (project, name, version, history, raised, due, fence) \
    VALUES ($1, $2, $3, '{\"slices\":[]}', '[]', $4, 0) \
    ON CONFLICT (project, name) DO UPDATE SET version = excluded.version, due = excluded.due \
    WHERE monitor_state.version <> excluded.version";
const DUE: &str = "SELECT project, name FROM monitor_state WHERE due <= $1 AND (lease_until IS NULL OR lease_until <= $1) \
    ORDER BY due, project, name LIMIT $2";
const CLAIM: &str = concat!(
    "UPDATE monitor_state SET fence = fence + 1, lease_until = $4 WHERE project = $1 AND name = $2 AND due <= $5 \
     AND (lease_until IS NULL OR lease_until <= $3) RETURNING ",
    columns!()
);
const RENEW: &str = "UPDATE monitor_state SET lease_until = $4 WHERE project = $1 AND name = $2 AND fence = $3 \
    AND lease_until IS NOT NULL RETURNING name";
const GET: &str = concat!("SELECT ", columns!(), " FROM monitor_state WHERE project = $1 AND name = $2");
const SAVE: &str = "UPDATE monitor_state SET looked_version = $4, history = $5, looked = $6, evaluation = $7, raised = $8, \
    lease_until = $9 WHERE project = $1 AND name = $2 AND fence = $3";
const ADD: &str = "INSERT INTO monitor_evaluation (project, name, looked, version, evaluation) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (project, name, looked) DO NOTHING";
const PRUNE: &str = "DELETE FROM monitor_evaluation WHERE project = $1 AND name = $2 AND looked < \
    (SELECT looked FROM monitor_evaluation WHERE project = $1 AND name = $2 ORDER BY looked DESC LIMIT 1 OFFSET $3)";
/// A spec that came meanwhile is looked at when it wants to be.
const FINISH: &str = "UPDATE monitor_state SET raised = $4, due = CASE WHEN version = $5 THEN $6 ELSE due END, \
    trouble = NULL, lease_until = NULL WHERE project = $1 AND name = $2 AND fence = $3";
const FAIL: &str = "UPDATE monitor_state SET due = $4, trouble = $5, lease_until = NULL \
    WHERE project = $1 AND name = $2 AND fence = $3";
/// What was found before stays.
const BLIND: &str = "UPDATE monitor_state SET history = $4, raised = $5 WHERE project = $1 AND name = $2 AND fence = $3 \
    RETURNING name";
/// Nothing of what it found stays.
const CLEAR: &str = "UPDATE monitor_state SET history = '{\"slices\":[]}', looked_version = NULL, looked = NULL, \
    evaluation = NULL WHERE project = $1 AND name = $2 AND fence = $3";
const EVALUATIONS: &str = "SELECT version, evaluation FROM monitor_evaluation WHERE project = $1 AND name = $2 \
    AND (CAST($3 AS BIGINT) IS NULL OR looked < $3) ORDER BY looked DESC LIMIT $4";
const STATES: &str =
    "SELECT name, history, evaluation, raised, trouble, fence FROM monitor_state WHERE project = $1 ORDER BY name";
/// Whoever looks just now does not write down what it began with.
const RESTATE: &str = "UPDATE monitor_state SET history = $4, evaluation = $5, raised = $6, trouble = $7, fence = fence + 1, \
    lease_until = NULL, due = $8 WHERE project = $1 AND name = $2 AND fence = $3 RETURNING name";
const FOUND: &str = "SELECT looked, evaluation FROM monitor_evaluation WHERE project = $1 AND name = $2 \
    AND (CAST($3 AS BIGINT) IS NULL OR looked < $3) ORDER BY looked DESC LIMIT $4";
const REWRITE: &str = "UPDATE monitor_evaluation SET evaluation = $4 WHERE project = $1 AND name = $2 AND looked = $3";
const END_LEASES: &str = "UPDATE monitor_state SET lease_until = NULL WHERE lease_until IS NOT NULL RETURNING name";

const STOOD: &str = "SELECT project, name, evaluation, CAST(CASE WHEN trouble IS NULL THEN 0 ELSE 1 END AS BIGINT) AS in_trouble \
    FROM monitor_state WHERE project > $1 OR (project = $1 AND name > $2) ORDER BY project, name LIMIT $3";

/// Every statement for both engines, for the test that compiles them.
pub const STATEMENTS: &[&str] = &[
    ENSURE,
    DUE,
    CLAIM,
    RENEW,
    GET,
    SAVE,
    ADD,
    PRUNE,
    FINISH,
    FAIL,
    BLIND,
    CLEAR,
    EVALUATIONS,
    STATES,
    RESTATE,
    FOUND,
    REWRITE,
    END_LEASES,
    STOOD,
];

/// A monitor as it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    pub(crate) project: ProjectId,
    pub(crate) name: Name,
    /// The newest version, as far as is known here.
    pub(crate) version: u32,
    /// The version that the history is of.
    pub(crate) looked_version: Option<u32>,
    pub(crate) history: History,
    pub(crate) evaluation: Option<Evaluation>,
    pub(crate) raised: Vec<Going>,
    /// Why the last look found nothing out.
    pub(crate) trouble: Option<String>,
    pub(crate) due: Timestamp,
    pub(crate) fence: i64,
    /// Up to when whoever looks at it has it, as it was read.
    pub(crate) lease_until: Option<Timestamp>,
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A monitor that nobody has looked at, or that has a new version, is due.
pub(crate) async fn ensure(
    catalog: &Catalog,
    (project, name, version): (ProjectId, &Name, u32),
    now: Timestamp,
) -> Result<(), CatalogFault> {
    catalog.write(ENSURE, params![project, name, version, now]).await.map(drop)
}

pub(crate) async fn due(catalog: &Catalog, now: Timestamp, limit: usize) -> Result<Vec<(ProjectId, Name)>, CatalogFault> {
    let rows = catalog.query(DUE, params![now, limit]).await?;
    rows.iter().map(|row| Ok((row.parse("project")?, row.parse("name")?))).collect()
}

/// Takes the lease of a monitor that is due by then, unless somebody has it.
pub(crate) async fn claim(
    catalog: &Catalog,
    (project, name): (ProjectId, &Name),
    (now, until): (Timestamp, Timestamp),
    due_by: Timestamp,
) -> Result<Option<Kept>, CatalogFault> {
    catalog.write(CLAIM, params![project, name, now, until, due_by]).await?.first().map(read).transpose()
}

/// Answers whether the lease was still held.
pub(crate) async fn renew(catalog: &Catalog, kept: &Kept, until: Timestamp) -> Result<bool, CatalogFault> {
    Ok(!catalog.write(RENEW, params![kept.project, &kept.name, kept.fence, until]).await?.is_empty())
}

pub(crate) async fn get(catalog: &Catalog, project: ProjectId, name: &Name) -> Result<Option<Kept>, CatalogFault> {
    catalog.query(GET, params![project, name]).await?.first().map(read).transpose()
}

/// Writes down what was found, with every alert that goes on or is to be told. Answers whether the lease was still held.
pub(crate) async fn save(
    tx: &mut Tx,
    kept: &Kept,
    (version, found): (u32, &Evaluation),
    (raised, lease_until): (&[Going], Timestamp),
) -> Result<bool, CatalogFault> {
    let (project, name) = (kept.project, &kept.name);
    let shown = Evaluation { history: History::default(), ..found.clone() };
    let shown = json(&shown);
    let values =
        params![project, name, kept.fence, version, json(&found.history), found.at, shown.as_str(), json(&raised), lease_until];
    if tx.execute(SAVE, values).await? == 0 {
        return Ok(false);
    }
    tx.execute(ADD, params![project, name, found.at, version, shown]).await?;
    tx.execute(PRUNE, params![project, name, KEPT - 1]).await?;
    Ok(true)
}

/// Gives the lease back, and says when to look again.
pub(crate) async fn finish(
    catalog: &Catalog,
    kept: &Kept,
    (version, raised): (u32, &[Going]),
    due: Timestamp,
) -> Result<(), CatalogFault> {
    let values = params![kept.project, &kept.name, kept.fence, json(&raised), version, due];
    catalog.write(FINISH, values).await.map(drop)
}

/// The same after a look that came to nothing. Alerts that may have been told stay written down.
pub(crate) async fn fail(catalog: &Catalog, kept: &Kept, due: Timestamp, trouble: &str) -> Result<(), CatalogFault> {
    let trouble = text::elide(&trouble.replace('\0', " "), TROUBLE_MAX);
    catalog.write(FAIL, params![kept.project, &kept.name, kept.fence, due, trouble]).await.map(drop)
}

/// What a look remembers that could not measure anything, with every alert that goes on or is to be told. Answers whether the
/// lease was still held.
pub(crate) async fn blind(catalog: &Catalog, kept: &Kept, history: &History, raised: &[Going]) -> Result<bool, CatalogFault> {
    let values = params![kept.project, &kept.name, kept.fence, json(history), json(&raised)];
    Ok(!catalog.write(BLIND, values).await?.is_empty())
}

pub(crate) async fn clear(catalog: &Catalog, kept: &Kept) -> Result<(), CatalogFault> {
    catalog.write(CLEAR, params![kept.project, &kept.name, kept.fence]).await.map(drop)
}

/// Newest first.
pub(crate) async fn evaluations(
    catalog: &Catalog,
    (project, name): (ProjectId, &Name),
    before: Option<Timestamp>,
    limit: usize,
) -> Result<Vec<(u32, Evaluation)>, CatalogFault> {
    let rows = catalog.query(EVALUATIONS, params![project, name, before, limit]).await?;
    rows.iter().map(|row| Ok((row.number("version")?, row.json("evaluation")?))).collect()
}

pub(crate) async fn end_leases(catalog: &Catalog) -> Result<usize, CatalogFault> {
    Ok(catalog.write(END_LEASES, params![]).await?.len())
}

/// How a monitor of any project stood at its last look.
#[derive(Debug)]
pub(crate) struct Standings {
    pub(crate) project: String,
    pub(crate) name: String,
    pub(crate) evaluation: Option<Stood>,
    pub(crate) in_trouble: bool,
}

/// Monitors of all projects after one, in order.
pub(crate) async fn stood(
    catalog: &Catalog,
    (project, name): (&str, &str),
    limit: usize,
) -> Result<Vec<Standings>, CatalogFault> {
    let read = |row: &Row| {
        Ok(Standings {
            project: row.text("project")?.to_owned(),
            name: row.text("name")?.to_owned(),
            evaluation: row.opt_json("evaluation")?,
            in_trouble: row.bool("in_trouble")?,
        })
    };
    catalog.query(STOOD, params![project, name, limit]).await?.iter().map(read).collect()
}

/// What is remembered of a monitor, as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Written {
    pub(crate) name: Name,
    pub(crate) history: Value,
    pub(crate) evaluation: Option<Value>,
    pub(crate) raised: Value,
    pub(crate) trouble: Option<String>,
    pub(crate) fence: i64,
}

pub(crate) async fn states(catalog: &Catalog, project: ProjectId) -> Result<Vec<Written>, CatalogFault> {
    let read = |row: &Row| {
        Ok(Written {
            name: row.parse("name")?,
            history: row.json("history")?,
            evaluation: row.opt_json("evaluation")?,
            raised: row.json("raised")?,
            trouble: row.opt_text("trouble")?.map(str::to_owned),
            fence: row.int("fence")?,
        })
    };
    catalog.query(STATES, params![project]).await?.iter().map(read).collect()
}

/// Writes what is remembered anew; the monitor is looked at at once. Answers `false` where somebody has begun to look since it
/// was read.
pub(crate) async fn restate(
    catalog: &Catalog,
    project: ProjectId,
    written: &Written,
    now: Timestamp,
) -> Result<bool, CatalogFault> {
    let Written { name, history, evaluation, raised, trouble, fence } = written;
    let values = params![project, name, *fence, json(history), evaluation.as_ref().map(json), json(raised), trouble, now];
    Ok(!catalog.write(RESTATE, values).await?.is_empty())
}

/// What was found as it is written, newest first.
pub(crate) async fn found(
    catalog: &Catalog,
    (project, name): (ProjectId, &Name),
    before: Option<Timestamp>,
    limit: usize,
) -> Result<Vec<(Timestamp, Value)>, CatalogFault> {
    let rows = catalog.query(FOUND, params![project, name, before, limit]).await?;
    rows.iter().map(|row| Ok((row.time("looked")?, row.json("evaluation")?))).collect()
}

pub(crate) async fn rewrite(
    catalog: &Catalog,
    (project, name): (ProjectId, &Name),
    (looked, evaluation): (Timestamp, &Value),
) -> Result<(), CatalogFault> {
    catalog.write(REWRITE, params![project, name, looked, json(evaluation)]).await.map(drop)
}

fn read(row: &Row) -> Result<Kept, CatalogFault> {
    Ok(Kept {
        project: row.parse("project")?,
        name: row.parse("name")?,
        version: row.number("version")?,
        looked_version: row.opt_int("looked_version")?.and_then(|version| u32::try_from(version).ok()),
        history: row.json("history")?,
        evaluation: row.opt_json("evaluation")?,
        raised: row.json("raised")?,
        trouble: row.opt_text("trouble")?.map(str::to_owned),
        due: row.time("due")?,
        fence: row.int("fence")?,
        lease_until: row.opt_time("lease_until")?,
    })
}
