//! SQL of identity lives here and nowhere else.

use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{Labels, Name, Role, Timestamp, id::{ApiKeyId, PrincipalId, ProjectId}};

use crate::{
    audit::AuditRecord,
    model::{ApiKey, Member, Principal, PrincipalKind, Project},
    secret,
};

const INSERT_PROJECT: &str = "INSERT INTO project (id, name, description, created) VALUES ($1, $2, $3, $4)";
const PROJECT_BY_NAME: &str = "SELECT id, name, description, created FROM project WHERE name = $1";
const PROJECT_BY_ID: &str = "SELECT id, name, description, created FROM project WHERE id = $1";
const PROJECTS_OF: &str = "SELECT p.id, p.name, p.description, p.created FROM project p \
    JOIN membership m ON m.project = p.id WHERE m.principal = $1 \
    AND (CAST($2 AS TEXT) IS NULL OR p.name > $2) ORDER BY p.name LIMIT $3";
const INSERT_PRINCIPAL: &str = "INSERT INTO principal (id, name, kind, created) VALUES ($1, $2, $3, $4)";
const PRINCIPAL_BY_NAME: &str = "SELECT id, name, kind FROM principal WHERE name = $1";
const PUT_MEMBER: &str = "INSERT INTO membership (project, principal, role, labels, created) \
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (project, principal) DO UPDATE SET role = $3, labels = $4";
const REMOVE_MEMBER: &str = "DELETE FROM membership WHERE project = $1 AND principal = $2";
const MEMBER: &str = "SELECT p.id, p.name, p.kind, m.role, m.labels, m.created FROM membership m \
    JOIN principal p ON p.id = m.principal WHERE m.project = $1 AND m.principal = $2";
const MEMBERS: &str = "SELECT p.id, p.name, p.kind, m.role, m.labels, m.created FROM membership m \
    JOIN principal p ON p.id = m.principal WHERE m.project = $1 \
    AND (CAST($2 AS TEXT) IS NULL OR p.name > $2) ORDER BY p.name LIMIT $3";
const OTHER_ADMINS: &str = "SELECT COUNT(*) AS admins FROM membership \
    WHERE project = $1 AND role = 'admin' AND principal <> $2";

const INSERT_KEY: &str = "INSERT INTO api_key (id, project, principal, name, role, labels, lookup, hash, created, \
    created_by, expires) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
const KEY_BY_LOOKUP: &str = "SELECT k.id, k.project, k.principal, k.name, k.role, k.labels, k.lookup, k.hash, \
    k.expires, k.revoked, m.role AS member_role, m.labels AS member_labels FROM api_key k \
    LEFT JOIN membership m ON m.project = k.project AND m.principal = k.principal WHERE k.lookup = $1";
const KEY: &str = "SELECT id, principal, name, role, labels, lookup, created, created_by, expires, last_used, revoked \
    FROM api_key WHERE project = $1 AND id = $2";
const KEYS: &str = "SELECT id, principal, name, role, labels, lookup, created, created_by, expires, last_used, revoked \
    FROM api_key WHERE project = $1 AND (CAST($2 AS TEXT) IS NULL OR id < $2) ORDER BY id DESC LIMIT $3";
const COUNT_KEYS: &str = "SELECT COUNT(*) AS usable FROM api_key WHERE revoked IS NULL \
    AND (expires IS NULL OR expires > $1)";
const REVOKE_KEY: &str = "UPDATE api_key SET revoked = $3 WHERE project = $1 AND id = $2 AND revoked IS NULL";
const EXPIRE_KEY: &str = "UPDATE api_key SET expires = $3 WHERE project = $1 AND id = $2 AND revoked IS NULL \
    AND (expires IS NULL OR expires > $3)";
const USED_KEY: &str = "UPDATE api_key SET last_used = $2 WHERE id = $1 AND (last_used IS NULL OR last_used < $2)";

const LAST_ENTRY: &str = "SELECT number, digest FROM audit_entry WHERE project = $1 ORDER BY number DESC LIMIT 1";
const INSERT_ENTRY: &str = "INSERT INTO audit_entry \
    (project, number, at, principal, action, subject, detail, previous, digest) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const ENTRIES_BEFORE: &str = "SELECT number, at, principal, action, subject, detail, previous, digest \
    FROM audit_entry WHERE project = $1 AND (CAST($2 AS BIGINT) IS NULL OR number < $2) ORDER BY number DESC LIMIT $3";
const ENTRIES_AFTER: &str = "SELECT number, at, principal, action, subject, detail, previous, digest \
    FROM audit_entry WHERE project = $1 AND number > $2 ORDER BY number LIMIT $3";

/// Every statement of this crate, for the test that compiles them on both engines.
pub const STATEMENTS: &[&str] = &[
    INSERT_PROJECT,
    PROJECT_BY_NAME,
    PROJECT_BY_ID,
    PROJECTS_OF,
    INSERT_PRINCIPAL,
    PRINCIPAL_BY_NAME,
    PUT_MEMBER,
    REMOVE_MEMBER,
    MEMBER,
    MEMBERS,
    OTHER_ADMINS,
    INSERT_KEY,
    KEY_BY_LOOKUP,
    KEY,
    KEYS,
    COUNT_KEYS,
    REVOKE_KEY,
    EXPIRE_KEY,
    USED_KEY,
    LAST_ENTRY,
    INSERT_ENTRY,
    ENTRIES_BEFORE,
    ENTRIES_AFTER,
];

/// A key as authentication needs it, with the membership that bounds it.
#[derive(Debug, Clone)]
pub(crate) struct KeyRow {
    pub(crate) id: ApiKeyId,
    pub(crate) project: ProjectId,
    pub(crate) principal: PrincipalId,
    pub(crate) name: Name,
    pub(crate) role: Role,
    pub(crate) labels: Labels,
    pub(crate) lookup: String,
    pub(crate) hash: Vec<u8>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) revoked: bool,
    /// Absent when the principal is no longer in the project.
    pub(crate) member: Option<(Role, Labels)>,
}

pub(crate) async fn insert_project(tx: &mut Tx, project: &Project) -> Result<(), CatalogFault> {
    let Project { id, name, description, created } = project;
    tx.execute(INSERT_PROJECT, params![*id, name, description, *created]).await.map(drop)
}

pub(crate) async fn project_by_name(tx: &mut Tx, name: &Name) -> Result<Option<Project>, CatalogFault> {
    tx.query(PROJECT_BY_NAME, params![name]).await?.first().map(read_project).transpose()
}

pub(crate) async fn find_project(catalog: &Catalog, name: &Name) -> Result<Option<Project>, CatalogFault> {
    catalog.query(PROJECT_BY_NAME, params![name]).await?.first().map(read_project).transpose()
}

pub(crate) async fn get_project(catalog: &Catalog, id: ProjectId) -> Result<Option<Project>, CatalogFault> {
    catalog.query(PROJECT_BY_ID, params![id]).await?.first().map(read_project).transpose()
}

pub(crate) async fn projects_of(
    catalog: &Catalog,
    principal: PrincipalId,
    after: Option<Name>,
    limit: usize,
) -> Result<Vec<Project>, CatalogFault> {
    catalog.query(PROJECTS_OF, params![principal, after, limit]).await?.iter().map(read_project).collect()
}

pub(crate) async fn insert_principal(
    tx: &mut Tx,
    principal: &Principal,
    now: Timestamp,
) -> Result<(), CatalogFault> {
    let Principal { id, name, kind } = principal;
    tx.execute(INSERT_PRINCIPAL, params![*id, name, kind.as_str(), now]).await.map(drop)
}

pub(crate) async fn principal_by_name(tx: &mut Tx, name: &str) -> Result<Option<Principal>, CatalogFault> {
    tx.query(PRINCIPAL_BY_NAME, params![name]).await?.first().map(read_principal).transpose()
}

pub(crate) async fn find_principal(catalog: &Catalog, name: &str) -> Result<Option<Principal>, CatalogFault> {
    catalog.query(PRINCIPAL_BY_NAME, params![name]).await?.first().map(read_principal).transpose()
}

pub(crate) async fn put_member(
    tx: &mut Tx,
    project: ProjectId,
    principal: PrincipalId,
    (role, labels): (Role, &Labels),
    now: Timestamp,
) -> Result<(), CatalogFault> {
    tx.execute(PUT_MEMBER, params![project, principal, role, labels_text(labels), now]).await.map(drop)
}

pub(crate) async fn remove_member(
    tx: &mut Tx,
    project: ProjectId,
    principal: PrincipalId,
) -> Result<bool, CatalogFault> {
    Ok(tx.execute(REMOVE_MEMBER, params![project, principal]).await? > 0)
}

pub(crate) async fn member(
    tx: &mut Tx,
    project: ProjectId,
    principal: PrincipalId,
) -> Result<Option<Member>, CatalogFault> {
    tx.query(MEMBER, params![project, principal]).await?.first().map(read_member).transpose()
}

pub(crate) async fn find_member(
    catalog: &Catalog,
    project: ProjectId,
    principal: PrincipalId,
) -> Result<Option<Member>, CatalogFault> {
    catalog.query(MEMBER, params![project, principal]).await?.first().map(read_member).transpose()
}

pub(crate) async fn members(
    catalog: &Catalog,
    project: ProjectId,
    after: Option<String>,
    limit: usize,
) -> Result<Vec<Member>, CatalogFault> {
    catalog.query(MEMBERS, params![project, after, limit]).await?.iter().map(read_member).collect()
}

pub(crate) async fn has_other_admin(
    tx: &mut Tx,
    project: ProjectId,
    principal: PrincipalId,
) -> Result<bool, CatalogFault> {
    let rows = tx.query(OTHER_ADMINS, params![project, principal]).await?;
    Ok(rows.first().map_or(Ok(0), |row| row.int("admins"))? > 0)
}

pub(crate) async fn insert_key(
    tx: &mut Tx,
    project: ProjectId,
    key: &ApiKey,
    parts: &secret::KeyParts,
) -> Result<(), CatalogFault> {
    let ApiKey { id, name, prefix: _, principal, role, labels, created, created_by, expires, .. } = key;
    let labels = labels_text(labels);
    let values = params![
        *id,
        project,
        *principal,
        name,
        *role,
        labels,
        &parts.lookup,
        parts.hash.to_vec(),
        *created,
        *created_by,
        *expires
    ];
    tx.execute(INSERT_KEY, values).await.map(drop)
}

pub(crate) async fn key_by_lookup(catalog: &Catalog, lookup: &str) -> Result<Option<KeyRow>, CatalogFault> {
    let rows = catalog.query(KEY_BY_LOOKUP, params![lookup]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let member = match row.opt_parse("member_role")? {
        Some(role) => Some((role, row.json("member_labels")?)),
        None => None,
    };
    Ok(Some(KeyRow {
        id: row.parse("id")?,
        project: row.parse("project")?,
        principal: row.parse("principal")?,
        name: row.parse("name")?,
        role: row.parse("role")?,
        labels: row.json("labels")?,
        lookup: row.text("lookup")?.to_owned(),
        hash: row.bytes("hash")?.to_vec(),
        expires: row.opt_time("expires")?,
        revoked: row.opt_time("revoked")?.is_some(),
        member,
    }))
}

pub(crate) async fn key(tx: &mut Tx, project: ProjectId, id: ApiKeyId) -> Result<Option<ApiKey>, CatalogFault> {
    tx.query(KEY, params![project, id]).await?.first().map(read_key).transpose()
}

pub(crate) async fn keys(
    catalog: &Catalog,
    project: ProjectId,
    before: Option<ApiKeyId>,
    limit: usize,
) -> Result<Vec<ApiKey>, CatalogFault> {
    catalog.query(KEYS, params![project, before, limit]).await?.iter().map(read_key).collect()
}

pub(crate) async fn count_usable_keys(catalog: &Catalog, now: Timestamp) -> Result<u64, CatalogFault> {
    let rows = catalog.query(COUNT_KEYS, params![now]).await?;
    rows.first().map_or(Ok(0), |row| row.number("usable"))
}

pub(crate) async fn revoke_key(
    tx: &mut Tx,
    project: ProjectId,
    id: ApiKeyId,
    now: Timestamp,
) -> Result<bool, CatalogFault> {
    Ok(tx.execute(REVOKE_KEY, params![project, id, now]).await? > 0)
}

pub(crate) async fn expire_key(
    tx: &mut Tx,
    project: ProjectId,
    id: ApiKeyId,
    at: Timestamp,
) -> Result<(), CatalogFault> {
    tx.execute(EXPIRE_KEY, params![project, id, at]).await.map(drop)
}

pub(crate) async fn used_key(tx: &mut Tx, id: ApiKeyId, at: Timestamp) -> Result<(), CatalogFault> {
    tx.execute(USED_KEY, params![id, at]).await.map(drop)
}

pub(crate) async fn last_entry(
    tx: &mut Tx,
    project: ProjectId,
) -> Result<Option<(i64, mainspring_kernel::Digest)>, CatalogFault> {
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

fn labels_text(labels: &Labels) -> serde_json::Value {
    // An enum of a unit and a set of strings always has a JSON form.
    serde_json::to_value(labels).unwrap_or_default()
}

fn read_project(row: &Row) -> Result<Project, CatalogFault> {
    Ok(Project {
        id: row.parse("id")?,
        name: row.parse("name")?,
        description: row.text("description")?.to_owned(),
        created: row.time("created")?,
    })
}

fn read_principal(row: &Row) -> Result<Principal, CatalogFault> {
    let kind: PrincipalKind = row.parse("kind")?;
    Ok(Principal { id: row.parse("id")?, name: row.text("name")?.to_owned(), kind })
}

fn read_member(row: &Row) -> Result<Member, CatalogFault> {
    Ok(Member {
        principal: read_principal(row)?,
        role: row.parse("role")?,
        labels: row.json("labels")?,
        since: row.time("created")?,
    })
}

fn read_key(row: &Row) -> Result<ApiKey, CatalogFault> {
    Ok(ApiKey {
        id: row.parse("id")?,
        name: row.parse("name")?,
        prefix: secret::prefix(row.text("lookup")?),
        principal: row.parse("principal")?,
        role: row.parse("role")?,
        labels: row.json("labels")?,
        created: row.time("created")?,
        created_by: row.parse("created_by")?,
        expires: row.opt_time("expires")?,
        last_used: row.opt_time("last_used")?,
        revoked: row.opt_time("revoked")?,
    })
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
