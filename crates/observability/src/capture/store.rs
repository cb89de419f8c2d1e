//! SQL of capture policies lives here and nowhere else.

use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{
    Timestamp,
    id::{PrincipalId, ProjectId},
};
use serde_json::Value;

const ONE: &str = "SELECT project, policy, revision, changed, changed_by FROM capture_policy WHERE project = $1";
const SOME: &str = "SELECT project, policy, revision, changed, changed_by FROM capture_policy \
    WHERE (CAST($1 AS TEXT) IS NULL OR project > $1) ORDER BY project LIMIT $2";
const PUT: &str = "INSERT INTO capture_policy (project, policy, revision, changed, changed_by) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (project) DO UPDATE SET policy = $2, revision = $3, changed = $4, changed_by = $5";
// Revisions only grow and rows stay, so that their sum is another after every change.
const STAMP: &str = "SELECT CAST(COALESCE(SUM(revision), 0) AS BIGINT) AS stamp FROM capture_policy";

/// Every statement of this crate, for the test that compiles them on both engines.
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ONE, SOME, PUT, STAMP];

const PAGE: usize = 500;

/// A policy as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    pub(crate) project: ProjectId,
    pub(crate) policy: Value,
    pub(crate) revision: u64,
    pub(crate) changed: Timestamp,
    pub(crate) changed_by: PrincipalId,
}

pub(crate) async fn one(tx: &mut Tx, project: ProjectId) -> Result<Option<Kept>, CatalogFault> {
    tx.query(ONE, params![project]).await?.first().map(read).transpose()
}

pub(crate) async fn look(catalog: &Catalog, project: ProjectId) -> Result<Option<Kept>, CatalogFault> {
    catalog.query(ONE, params![project]).await?.first().map(read).transpose()
}

/// Of every project.
pub(crate) async fn all(catalog: &Catalog) -> Result<Vec<Kept>, CatalogFault> {
    let mut found: Vec<Kept> = Vec::new();
    loop {
        let after = found.last().map(|kept| kept.project);
        let page = catalog.query(SOME, params![after, PAGE]).await?;
        for row in &page {
            found.push(read(row)?);
        }
        if page.len() < PAGE {
            return Ok(found);
        }
    }
}

pub(crate) async fn put(tx: &mut Tx, kept: &Kept) -> Result<(), CatalogFault> {
    let Kept { project, policy, revision, changed, changed_by } = kept;
    tx.execute(PUT, params![project, policy, revision, changed, changed_by]).await.map(drop)
}

/// Another number after every change of any policy.
pub(crate) async fn stamp(catalog: &Catalog) -> Result<i64, CatalogFault> {
    catalog.query(STAMP, params![]).await?.first().map_or(Ok(0), |row| row.int("stamp"))
}

fn read(row: &Row) -> Result<Kept, CatalogFault> {
    Ok(Kept {
        project: row.parse("project")?,
        policy: row.json("policy")?,
        revision: row.number("revision")?,
        changed: row.time("changed")?,
        changed_by: row.parse("changed_by")?,
    })
}
