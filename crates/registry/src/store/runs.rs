//! Runs and what they read and wrote.

use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{
    Timestamp,
    id::{ProjectId, RunId},
};

use super::Reads;
use crate::runs::{Direction, Link, Run, RunFilter, RunStatus};

const INSERT: &str = "INSERT INTO run (id, project, kind, name, status, principal, trace, parent, owner, heartbeat, \
    parameters, metrics, progress, started) VALUES ($1, $2, $3, $4, 'running', $5, $6, $7, $8, $9, $10, '{}', '{}', $9)";
const INSERT_LINK: &str = "INSERT INTO run_link (run, direction, ordinal, kind, name, number, digest) \
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
const COUNT_LINKS: &str = "SELECT COUNT(*) AS held FROM run_link WHERE run = $1 AND direction = $2";
const PROGRESS: &str =
    "UPDATE run SET progress = $3, heartbeat = $4 WHERE project = $1 AND id = $2 AND status = 'running' RETURNING id";
const HEARTBEAT: &str = "UPDATE run SET heartbeat = $3 WHERE project = $1 AND id = $2 AND status = 'running' RETURNING id";
const TAKE_OVER: &str =
    "UPDATE run SET owner = $3, heartbeat = $4 WHERE project = $1 AND id = $2 AND status = 'running' RETURNING id";
const FINISH: &str = "UPDATE run SET status = $3, metrics = $4, error = $5, heartbeat = $6, ended = $6 \
    WHERE project = $1 AND id = $2 AND status = 'running'";
const STATUS: &str = "SELECT status FROM run WHERE project = $1 AND id = $2";
const GET: &str = "SELECT id, project, kind, name, status, principal, trace, parent, owner, heartbeat, parameters, \
    metrics, progress, error, started, ended FROM run WHERE project = $1 AND id = $2";
const LIST: &str = "SELECT id, project, kind, name, status, principal, trace, parent, owner, heartbeat, parameters, \
    metrics, progress, error, started, ended FROM run WHERE project = $1 \
    AND (CAST($2 AS TEXT) IS NULL OR kind = $2) AND (CAST($3 AS TEXT) IS NULL OR name = $3) \
    AND (CAST($4 AS TEXT) IS NULL OR status = $4) AND (CAST($5 AS TEXT) IS NULL OR id < $5) ORDER BY id DESC LIMIT $6";
const STALE: &str = "SELECT id, project, kind, name, status, principal, trace, parent, owner, heartbeat, parameters, \
    metrics, progress, error, started, ended FROM run WHERE status = 'running' AND heartbeat < $1 \
    ORDER BY heartbeat LIMIT $2";
const LINKS: &str = "SELECT direction, kind, name, number, digest FROM run_link WHERE run = $1 \
    ORDER BY direction, ordinal LIMIT 10000";
const BY_DIGEST: &str = "SELECT DISTINCT r.id FROM run_link l JOIN run r ON r.id = l.run \
    WHERE l.digest = $1 AND r.project = $2 AND (CAST($3 AS TEXT) IS NULL OR r.id < $3) ORDER BY r.id DESC LIMIT $4";

pub(super) const STATEMENTS: &[&str] =
    &[INSERT, INSERT_LINK, COUNT_LINKS, PROGRESS, HEARTBEAT, TAKE_OVER, FINISH, STATUS, GET, LIST, STALE, LINKS, BY_DIGEST];

pub(crate) async fn insert_run(tx: &mut Tx, run: &Run) -> Result<(), CatalogFault> {
    let Run { id, project, kind, name, principal, trace, parent, owner, parameters, started, .. } = run;
    let values = params![id, project, kind, name, principal, trace, parent, owner, started, parameters];
    tx.execute(INSERT, values).await.map(drop)
}

pub(crate) async fn insert_links(tx: &mut Tx, run: RunId, direction: Direction, links: &[Link]) -> Result<(), CatalogFault> {
    if links.is_empty() {
        return Ok(());
    }
    let rows = tx.query(COUNT_LINKS, params![run, direction.as_str()]).await?;
    let held = rows.first().map_or(Ok(0), |row| row.number::<usize>("held"))?;
    for (index, link) in links.iter().enumerate() {
        let Link { kind, name, number, digest } = link;
        let values = params![run, direction.as_str(), held + index, kind, name, *number, *digest];
        tx.execute(INSERT_LINK, values).await?;
    }
    Ok(())
}

/// What is said of a run while it runs.
pub(crate) enum Sign<'s> {
    Progress(&'s serde_json::Value),
    Heartbeat,
    Owner(&'s str),
}

/// Answers whether there was such a run and it was still running.
pub(crate) async fn touch_run(
    catalog: &Catalog,
    (project, run): (ProjectId, RunId),
    sign: Sign<'_>,
    now: Timestamp,
) -> Result<bool, CatalogFault> {
    let touched = match sign {
        Sign::Progress(progress) => catalog.write(PROGRESS, params![project, run, progress, now]).await?,
        Sign::Heartbeat => catalog.write(HEARTBEAT, params![project, run, now]).await?,
        Sign::Owner(owner) => catalog.write(TAKE_OVER, params![project, run, owner, now]).await?,
    };
    Ok(!touched.is_empty())
}

pub(crate) async fn finish_run(
    tx: &mut Tx,
    (project, run): (ProjectId, RunId),
    (status, metrics, error): (RunStatus, &serde_json::Value, Option<&str>),
    now: Timestamp,
) -> Result<bool, CatalogFault> {
    Ok(tx.execute(FINISH, params![project, run, status.as_str(), metrics, error, now]).await? > 0)
}

/// Runs of every project whose process stopped reporting.
pub(crate) async fn stale_runs(catalog: &Catalog, before: Timestamp, limit: usize) -> Result<Vec<Run>, CatalogFault> {
    catalog.query(STALE, params![before, limit]).await?.iter().map(read_run).collect()
}

impl Reads<'_> {
    pub(crate) async fn run_exists(&mut self, project: ProjectId, run: RunId) -> Result<bool, CatalogFault> {
        Ok(self.first(STATUS, params![project, run]).await?.is_some())
    }

    pub(crate) async fn get_run(&mut self, project: ProjectId, run: RunId) -> Result<Option<Run>, CatalogFault> {
        let Some(row) = self.first(GET, params![project, run]).await? else {
            return Ok(None);
        };
        let mut found = read_run(&row)?;
        for row in self.query(LINKS, params![run]).await? {
            let link = Link {
                kind: row.text("kind")?.to_owned(),
                name: row.text("name")?.to_owned(),
                number: row.opt_int("number")?,
                digest: row.opt_parse("digest")?,
            };
            match row.text("direction")? {
                "input" => found.inputs.push(link),
                _ => found.outputs.push(link),
            }
        }
        Ok(Some(found))
    }

    pub(crate) async fn list_runs(
        &mut self,
        project: ProjectId,
        filter: &RunFilter,
        before: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<Run>, CatalogFault> {
        let RunFilter { kind, name, status } = filter;
        let status = status.map(RunStatus::as_str);
        let rows = self.query(LIST, params![project, kind, name, status, before, limit]).await?;
        rows.iter().map(read_run).collect()
    }

    pub(crate) async fn runs_by_digest(
        &mut self,
        project: ProjectId,
        digest: &mainspring_kernel::Digest,
        before: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<RunId>, CatalogFault> {
        let rows = self.query(BY_DIGEST, params![digest, project, before, limit]).await?;
        rows.iter().map(|row| row.parse("id")).collect()
    }
}

fn read_run(row: &Row) -> Result<Run, CatalogFault> {
    Ok(Run {
        id: row.parse("id")?,
        project: row.parse("project")?,
        kind: row.parse("kind")?,
        name: row.text("name")?.to_owned(),
        status: row.parse("status")?,
        principal: row.parse("principal")?,
        trace: row.opt_text("trace")?.map(str::to_owned),
        parent: row.opt_parse("parent")?,
        owner: row.text("owner")?.to_owned(),
        heartbeat: row.time("heartbeat")?,
        parameters: row.json("parameters")?,
        metrics: row.json("metrics")?,
        progress: row.json("progress")?,
        error: row.opt_text("error")?.map(str::to_owned),
        started: row.time("started")?,
        ended: row.opt_time("ended")?,
        inputs: Vec::new(),
        outputs: Vec::new(),
    })
}
