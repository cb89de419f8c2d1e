//! Keys by their ids, for work that goes on without their secrets.

use mainspring_catalog::{Catalog, CatalogFault, params};
use mainspring_kernel::{
    Labels, ModelScope, Role, Timestamp,
    id::{ApiKeyId, PrincipalId, ProjectId},
};

const KEY_NOW: &str = "SELECT k.project, k.role, k.labels, k.models, k.expires, k.revoked, m.role AS member_role, \
    m.labels AS member_labels FROM api_key k LEFT JOIN membership m ON m.project = k.project AND m.principal = k.principal \
    WHERE k.id = $1 AND k.principal = $2";

pub(super) const STATEMENTS: &[&str] = &[KEY_NOW];

/// What a key may do, with the membership that bounds it.
#[derive(Debug)]
pub(crate) struct KeyNow {
    pub(crate) project: ProjectId,
    pub(crate) role: Role,
    pub(crate) labels: Labels,
    pub(crate) models: ModelScope,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) revoked: bool,
    /// Absent when the principal is no longer in the project.
    pub(crate) member: Option<(Role, Labels)>,
}

pub(crate) async fn key_now(catalog: &Catalog, id: ApiKeyId, principal: PrincipalId) -> Result<Option<KeyNow>, CatalogFault> {
    let rows = catalog.query(KEY_NOW, params![id, principal]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let member = match row.opt_parse("member_role")? {
        Some(role) => Some((role, row.json("member_labels")?)),
        None => None,
    };
    Ok(Some(KeyNow {
        project: row.parse("project")?,
        role: row.parse("role")?,
        labels: row.json("labels")?,
        models: row.opt_json("models")?.map_or(ModelScope::All, ModelScope::Some),
        expires: row.opt_time("expires")?,
        revoked: row.opt_time("revoked")?.is_some(),
        member,
    }))
}
