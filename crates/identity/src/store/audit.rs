//! The chain of changes.

use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{Digest, id::ProjectId};

use crate::audit::AuditRecord;

const LAST_ENTRY: &str = "SELECT number, digest FROM audit_entry WHERE project = $1 ORDER BY number DESC LIMIT 1";
const INSERT_ENTRY: &str = "INSERT INTO audit_entry \
    (project, number, at, principal, action, subject, detail, previous, digest) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const ENTRIES_BEFORE: &str = "SELECT number, at, principal, action, subject, detail, previous, digest \
    FROM audit_entry WHERE project = $1 AND (CAST($2 AS BIGINT) IS NULL OR number < $2) ORDER BY number DESC LIMIT $3";
const ENTRIES_AFTER: &str = "SELECT number, at, principal, action, subject, detail, previous, digest \
    FROM audit_entry WHERE project = $1 AND number > $2 ORDER BY number LIMIT $3";

pub(super) const STATEMENTS: &[&str] = &[LAST_ENTRY, INSERT_ENTRY, ENTRIES_BEFORE, ENTRIES_AFTER];

pub(crate) async fn last_entry(tx: &mut Tx, project: ProjectId) -> Result<Option<(i64, Digest)>, CatalogFault> {
    let rows = tx.query(LAST_ENTRY, params![project]).await?;
    rows.first().map(|row| Ok((row.int("number")?, row.parse("digest")?))).transpose()
}

pub(crate) async fn insert_entry(tx: &mut Tx, project: ProjectId, entry: &AuditRecord) -> Result<(), CatalogFault> {
    let AuditRecord { number, at, principal, action, subject, detail, previous, digest } = entry;
    let values = params![project, *number, *at, *principal, action, subject, detail, *previous, *digest];
    tx.execute(INSERT_ENTRY, values).await.map(drop)
}

pub(crate) async fn entries_before(
    catalog: &Catalog,
    project: ProjectId,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<AuditRecord>, CatalogFault> {
    catalog.query(ENTRIES_BEFORE, params![project, before, limit]).await?.iter().map(read_entry).collect()
}

pub(crate) async fn entries_after(
    catalog: &Catalog,
    project: ProjectId,
    after: i64,
    limit: usize,
) -> Result<Vec<Row>, CatalogFault> {
    catalog.query(ENTRIES_AFTER, params![project, after, limit]).await
}

pub(crate) fn read_entry(row: &Row) -> Result<AuditRecord, CatalogFault> {
    Ok(AuditRecord {
        number: row.int("number")?,
        at: row.time("at")?,
        principal: row.parse("principal")?,
        action: row.text("action")?.to_owned(),
        subject: row.text("subject")?.to_owned(),
        detail: row.json("detail")?,
        previous: row.parse("previous")?,
        digest: row.parse("digest")?,
    })
}
