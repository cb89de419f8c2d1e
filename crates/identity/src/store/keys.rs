//! Keys, by their public part and by project.

use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{
    Labels, ModelScope, Name, Role, Timestamp,
    id::{ApiKeyId, PrincipalId, ProjectId},
};

use super::{labels_text, models_text};
use crate::{model::ApiKey, secret};

const INSERT_KEY: &str = "INSERT INTO api_key (id, project, principal, name, role, labels, lookup, hash, created, \
    created_by, expires, models) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
const KEY_BY_LOOKUP: &str = "SELECT k.id, k.project, k.principal, k.name, k.role, k.labels, k.lookup, k.hash, \
    k.old_hash, k.old_until, k.models, k.expires, k.revoked, m.role AS member_role, m.labels AS member_labels \
    FROM api_key k LEFT JOIN membership m ON m.project = k.project AND m.principal = k.principal \
    WHERE k.lookup = $1 OR k.old_lookup = $1";
const KEY: &str = "SELECT id, principal, name, role, labels, models, lookup, created, created_by, expires, old_until, \
    last_used, revoked FROM api_key WHERE project = $1 AND id = $2";
const KEYS: &str = "SELECT id, principal, name, role, labels, models, lookup, created, created_by, expires, old_until, \
    last_used, revoked FROM api_key WHERE project = $1 AND (CAST($2 AS TEXT) IS NULL OR id < $2) ORDER BY id DESC LIMIT $3";
const KEY_NAME: &str = "SELECT name FROM api_key WHERE id = $1";
const COUNT_KEYS: &str = "SELECT COUNT(*) AS usable FROM api_key WHERE revoked IS NULL \
    AND (expires IS NULL OR expires > $1)";
const REVOKE_KEY: &str = "UPDATE api_key SET revoked = $3 WHERE project = $1 AND id = $2 AND revoked IS NULL";
const ROTATE_KEY: &str = "UPDATE api_key SET old_lookup = lookup, old_hash = hash, old_until = $5, lookup = $3, hash = $4 \
    WHERE project = $1 AND id = $2 AND revoked IS NULL";
const USED_KEY: &str = "UPDATE api_key SET last_used = $2 WHERE id = $1 AND (last_used IS NULL OR last_used < $2)";

pub(super) const STATEMENTS: &[&str] =
    &[INSERT_KEY, KEY_BY_LOOKUP, KEY, KEYS, KEY_NAME, COUNT_KEYS, REVOKE_KEY, ROTATE_KEY, USED_KEY];

/// A key as authentication needs it, with the membership that bounds it.
#[derive(Debug, Clone)]
pub(crate) struct KeyRow {
    pub(crate) id: ApiKeyId,
    pub(crate) project: ProjectId,
    pub(crate) principal: PrincipalId,
    pub(crate) name: Name,
    pub(crate) role: Role,
    pub(crate) labels: Labels,
    pub(crate) models: ModelScope,
    /// The secret that belongs to what was looked up, and when it ends, where a rotation replaced it.
    pub(crate) hash: Vec<u8>,
    pub(crate) ends: Option<Timestamp>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) revoked: bool,
    /// Absent when the principal is no longer in the project.
    pub(crate) member: Option<(Role, Labels)>,
}

pub(crate) async fn insert_key(
    tx: &mut Tx,
    project: ProjectId,
    key: &ApiKey,
    parts: &secret::KeyParts,
) -> Result<(), CatalogFault> {
    let ApiKey { id, name, prefix: _, principal, role, labels, created, created_by, expires, models, .. } = key;
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
        *expires,
        models_text(models)
    ];
    tx.execute(INSERT_KEY, values).await.map(drop)
}

pub(crate) async fn key_by_lookup(catalog: &Catalog, lookup: &str) -> Result<Option<KeyRow>, CatalogFault> {
    let rows = catalog.query(KEY_BY_LOOKUP, params![lookup]).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let member = match row.opt_parse("member_role")? {
        Some(role) => Some((role, row.json("member_labels")?)),
        None => None,
    };
    let current = row.text("lookup")? == lookup;
    Ok(Some(KeyRow {
        id: row.parse("id")?,
        project: row.parse("project")?,
        principal: row.parse("principal")?,
        name: row.parse("name")?,
        role: row.parse("role")?,
        labels: row.json("labels")?,
        models: read_models(row)?,
        hash: row.bytes(if current { "hash" } else { "old_hash" })?.to_vec(),
        ends: row.opt_time("old_until")?.filter(|_| !current),
        expires: row.opt_time("expires")?,
        revoked: row.opt_time("revoked")?.is_some(),
        member,
    }))
}

pub(crate) async fn key(tx: &mut Tx, project: ProjectId, id: ApiKeyId) -> Result<Option<ApiKey>, CatalogFault> {
    tx.query(KEY, params![project, id]).await?.first().map(read_key).transpose()
}

pub(crate) async fn find_key(catalog: &Catalog, project: ProjectId, id: ApiKeyId) -> Result<Option<ApiKey>, CatalogFault> {
    catalog.query(KEY, params![project, id]).await?.first().map(read_key).transpose()
}

pub(crate) async fn keys(
    catalog: &Catalog,
    project: ProjectId,
    before: Option<ApiKeyId>,
    limit: usize,
) -> Result<Vec<ApiKey>, CatalogFault> {
    catalog.query(KEYS, params![project, before, limit]).await?.iter().map(read_key).collect()
}

pub(crate) async fn key_name(catalog: &Catalog, id: ApiKeyId) -> Result<Option<String>, CatalogFault> {
    catalog.query(KEY_NAME, params![id]).await?.first().map(|row| row.text("name").map(str::to_owned)).transpose()
}

pub(crate) async fn count_usable_keys(catalog: &Catalog, now: Timestamp) -> Result<u64, CatalogFault> {
    let rows = catalog.query(COUNT_KEYS, params![now]).await?;
    rows.first().map_or(Ok(0), |row| row.number("usable"))
}

pub(crate) async fn revoke_key(tx: &mut Tx, project: ProjectId, id: ApiKeyId, now: Timestamp) -> Result<bool, CatalogFault> {
    Ok(tx.execute(REVOKE_KEY, params![project, id, now]).await? > 0)
}

/// The secret of before opens until `old_until` as well; the one before that ends now.
pub(crate) async fn rotate_key(
    tx: &mut Tx,
    project: ProjectId,
    id: ApiKeyId,
    (parts, old_until): (&secret::KeyParts, Timestamp),
) -> Result<bool, CatalogFault> {
    let values = params![project, id, &parts.lookup, parts.hash.to_vec(), old_until];
    Ok(tx.execute(ROTATE_KEY, values).await? > 0)
}

pub(crate) async fn used_key(tx: &mut Tx, id: ApiKeyId, at: Timestamp) -> Result<(), CatalogFault> {
    tx.execute(USED_KEY, params![id, at]).await.map(drop)
}

fn read_key(row: &Row) -> Result<ApiKey, CatalogFault> {
    Ok(ApiKey {
        id: row.parse("id")?,
        name: row.parse("name")?,
        prefix: secret::prefix(row.text("lookup")?),
        principal: row.parse("principal")?,
        role: row.parse("role")?,
        labels: row.json("labels")?,
        models: read_models(row)?,
        created: row.time("created")?,
        created_by: row.parse("created_by")?,
        expires: row.opt_time("expires")?,
        old_until: row.opt_time("old_until")?,
        last_used: row.opt_time("last_used")?,
        revoked: row.opt_time("revoked")?,
    })
}

fn read_models(row: &Row) -> Result<ModelScope, CatalogFault> {
    Ok(row.opt_json("models")?.map_or(ModelScope::All, ModelScope::Some))
}
