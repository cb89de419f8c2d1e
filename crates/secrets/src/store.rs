//! SQL of secrets lives here and nowhere else.

use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{
    Name, Timestamp,
    id::{PrincipalId, ProjectId},
};

use crate::model::Secret;

const PUT: &str = "INSERT INTO secret \
    (project, name, sealed, master, fingerprint, created, created_by, changed, changed_by) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $6, $7) ON CONFLICT (project, name) DO UPDATE SET \
    sealed = $3, master = $4, fingerprint = $5, changed = $6, changed_by = $7";
const ONE: &str = "SELECT name, fingerprint, created, created_by, changed, changed_by, last_used \
    FROM secret WHERE project = $1 AND name = $2";
const LIST: &str = "SELECT name, fingerprint, created, created_by, changed, changed_by, last_used FROM secret \
    WHERE project = $1 AND (CAST($2 AS TEXT) IS NULL OR name > $2) ORDER BY name LIMIT $3";
const REMOVE: &str = "DELETE FROM secret WHERE project = $1 AND name = $2";
const SEALED: &str = "SELECT project, name, sealed, master, last_used FROM secret WHERE project = $1 AND name = $2";
const ALL_SEALED: &str = "SELECT project, name, sealed, master, last_used FROM secret ORDER BY project, name";
const RESEAL: &str = "UPDATE secret SET sealed = $3, master = $4, fingerprint = $5 WHERE project = $1 AND name = $2";
const USED: &str = "UPDATE secret SET last_used = $3 WHERE project = $1 AND name = $2 \
    AND (last_used IS NULL OR last_used < $3)";
const ANY: &str = "SELECT name, master FROM secret ORDER BY project, name LIMIT 1";

/// Every statement of this crate, for the test that compiles them on both engines.
pub const STATEMENTS: &[&str] = &[PUT, ONE, LIST, REMOVE, SEALED, ALL_SEALED, RESEAL, USED, ANY];

/// What a sealing leaves in a row.
#[derive(Debug, Clone)]
pub(crate) struct Sealing {
    pub(crate) sealed: Vec<u8>,
    pub(crate) master: String,
    pub(crate) fingerprint: String,
}

/// A row as it has to be opened.
#[derive(Debug, Clone)]
pub(crate) struct SealedRow {
    pub(crate) project: ProjectId,
    pub(crate) name: Name,
    pub(crate) sealed: Vec<u8>,
    pub(crate) master: String,
    pub(crate) last_used: Option<Timestamp>,
}

pub(crate) async fn put(
    tx: &mut Tx,
    (project, name): (ProjectId, &Name),
    sealing: &Sealing,
    (now, by): (Timestamp, PrincipalId),
) -> Result<(), CatalogFault> {
    let Sealing { sealed, master, fingerprint } = sealing;
    tx.execute(PUT, params![project, name, sealed.as_slice(), master, fingerprint, now, by]).await.map(drop)
}

pub(crate) async fn one(tx: &mut Tx, project: ProjectId, name: &Name) -> Result<Option<Secret>, CatalogFault> {
    tx.query(ONE, params![project, name]).await?.first().map(read).transpose()
}

pub(crate) async fn list(
    catalog: &Catalog,
    project: ProjectId,
    after: Option<Name>,
    limit: usize,
) -> Result<Vec<Secret>, CatalogFault> {
    catalog.query(LIST, params![project, after, limit]).await?.iter().map(read).collect()
}

pub(crate) async fn remove(tx: &mut Tx, project: ProjectId, name: &Name) -> Result<(), CatalogFault> {
    tx.execute(REMOVE, params![project, name]).await.map(drop)
}

pub(crate) async fn sealed(catalog: &Catalog, project: ProjectId, name: &Name) -> Result<Option<SealedRow>, CatalogFault> {
    catalog.query(SEALED, params![project, name]).await?.first().map(read_sealed).transpose()
}

/// Of every project.
pub(crate) async fn all_sealed(tx: &mut Tx) -> Result<Vec<SealedRow>, CatalogFault> {
    tx.query(ALL_SEALED, params![]).await?.iter().map(read_sealed).collect()
}

pub(crate) async fn reseal(tx: &mut Tx, (project, name): (ProjectId, &Name), sealing: &Sealing) -> Result<(), CatalogFault> {
    let Sealing { sealed, master, fingerprint } = sealing;
    tx.execute(RESEAL, params![project, name, sealed.as_slice(), master, fingerprint]).await.map(drop)
}

pub(crate) async fn used(catalog: &Catalog, project: ProjectId, name: &Name, at: Timestamp) -> Result<(), CatalogFault> {
    catalog.write(USED, params![project, name, at]).await.map(drop)
}

/// A secret of any project, and the master key that it needs.
pub(crate) async fn any(catalog: &Catalog) -> Result<Option<(Name, String)>, CatalogFault> {
    let rows = catalog.query(ANY, params![]).await?;
    rows.first().map(|row| Ok((row.parse("name")?, row.text("master")?.to_owned()))).transpose()
}

fn read(row: &Row) -> Result<Secret, CatalogFault> {
    Ok(Secret {
        name: row.parse("name")?,
        fingerprint: row.text("fingerprint")?.to_owned(),
        created: row.time("created")?,
        created_by: row.parse("created_by")?,
        changed: row.time("changed")?,
        changed_by: row.parse("changed_by")?,
        last_used: row.opt_time("last_used")?,
    })
}

fn read_sealed(row: &Row) -> Result<SealedRow, CatalogFault> {
    Ok(SealedRow {
        project: row.parse("project")?,
        name: row.parse("name")?,
        sealed: row.bytes("sealed")?.to_vec(),
        master: row.text("master")?.to_owned(),
        last_used: row.opt_time("last_used")?,
    })
}
