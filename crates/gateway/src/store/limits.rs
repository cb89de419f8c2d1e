//! The limits people set.

use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::id::{LimitId, ProjectId};

use crate::ledger::limit::{Amount, Limit, Metric, NewLimit};

const PUT: &str = "INSERT INTO limit_rule (id, project, kind, subject, metric, amount, created, created_by) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (project, kind, subject, metric) DO UPDATE SET amount = excluded.amount \
    RETURNING id, project, kind, subject, metric, amount, created, created_by";
const GET: &str = "SELECT id, project, kind, subject, metric, amount, created, created_by FROM limit_rule \
    WHERE project = $1 AND id = $2";
const REMOVE: &str = "DELETE FROM limit_rule WHERE project = $1 AND id = $2";
const LIST: &str = "SELECT id, project, kind, subject, metric, amount, created, created_by FROM limit_rule \
    WHERE project = $1 AND (CAST($2 AS TEXT) IS NULL OR id < $2) ORDER BY id DESC LIMIT $3";
const SAME: &str = "SELECT id FROM limit_rule WHERE project = $1 AND kind = $2 AND subject = $3 AND metric = $4";
const COUNT: &str = "SELECT COUNT(*) AS held FROM limit_rule WHERE project = $1";
const ALL: &str = "SELECT id, project, kind, subject, metric, amount, created, created_by FROM limit_rule \
    WHERE id > $1 ORDER BY id LIMIT $2";
const BUDGETS: &str = "SELECT id, project, kind, subject, metric, amount, created, created_by FROM limit_rule \
    WHERE project = $1 AND metric IN ('usd_per_day', 'usd_per_month') ORDER BY id";

pub(super) const STATEMENTS: &[&str] = &[PUT, GET, REMOVE, LIST, SAME, COUNT, ALL, BUDGETS];

const AT_ONCE: usize = 500;

pub(crate) async fn put_limit(tx: &mut Tx, limit: &Limit) -> Result<Limit, CatalogFault> {
    let Limit { id, project, kind, subject, metric, amount, created, created_by } = limit;
    let values = params![*id, *project, kind.as_str(), subject, metric.as_str(), amount.units(), *created, *created_by];
    let rows = tx.query(PUT, values).await?;
    rows.first().map_or_else(|| Ok(limit.clone()), read)
}

pub(crate) async fn limit(tx: &mut Tx, project: ProjectId, id: LimitId) -> Result<Option<Limit>, CatalogFault> {
    tx.query(GET, params![project, id]).await?.first().map(read).transpose()
}

pub(crate) async fn remove_limit(tx: &mut Tx, project: ProjectId, id: LimitId) -> Result<(), CatalogFault> {
    tx.execute(REMOVE, params![project, id]).await.map(drop)
}

/// Newest first.
pub(crate) async fn limits(
    catalog: &Catalog,
    project: ProjectId,
    before: Option<LimitId>,
    limit: usize,
) -> Result<Vec<Limit>, CatalogFault> {
    catalog.query(LIST, params![project, before, limit]).await?.iter().map(read).collect()
}

/// How many there are beside one that `new` would take the place of.
pub(crate) async fn count_limits(tx: &mut Tx, project: ProjectId, new: &NewLimit) -> Result<usize, CatalogFault> {
    let same = tx.query(SAME, params![project, new.kind.as_str(), &new.subject, new.metric.as_str()]).await?.len();
    let rows = tx.query(COUNT, params![project]).await?;
    let held: usize = rows.first().map_or(Ok(0), |row| row.number("held"))?;
    Ok(held.saturating_sub(same))
}

/// Of every project.
pub(crate) async fn all_limits(catalog: &Catalog) -> Result<Vec<Limit>, CatalogFault> {
    let mut all: Vec<Limit> = Vec::new();
    loop {
        let after = all.last().map_or_else(String::new, |limit| limit.id.to_string());
        let rows = catalog.query(ALL, params![after, AT_ONCE]).await?;
        let found = rows.len();
        for row in &rows {
            all.push(read(row)?);
        }
        if found < AT_ONCE {
            return Ok(all);
        }
    }
}

/// Those of a project that are about money.
pub(crate) async fn budget_limits(tx: &mut Tx, project: ProjectId) -> Result<Vec<Limit>, CatalogFault> {
    tx.query(BUDGETS, params![project]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Limit, CatalogFault> {
    let metric: Metric = row.parse("metric")?;
    Ok(Limit {
        id: row.parse("id")?,
        project: row.parse("project")?,
        kind: row.parse("kind")?,
        subject: row.text("subject")?.to_owned(),
        metric,
        amount: Amount::of_units(metric, row.int("amount")?),
        created: row.time("created")?,
        created_by: row.parse("created_by")?,
    })
}
