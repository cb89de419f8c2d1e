//! Projects, principals and memberships.

use std::collections::HashMap;

use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{
    Labels, Name, Role, Timestamp,
    id::{PrincipalId, ProjectId},
};

use super::labels_text;
use crate::model::{Member, OwnProject, Principal, PrincipalKind, Project};

const INSERT_PROJECT: &str = "INSERT INTO project (id, name, description, created) VALUES ($1, $2, $3, $4)";
const PROJECT_BY_NAME: &str = "SELECT id, name, description, created FROM project WHERE name = $1";
const PROJECT_BY_ID: &str = "SELECT id, name, description, created FROM project WHERE id = $1";
const PROJECT_IDS: &str = "SELECT id FROM project ORDER BY id LIMIT 10000";
const ALL_PROJECTS: &str = "SELECT id, name FROM project ORDER BY id LIMIT 10000";
const PROJECTS_OF: &str = "SELECT p.id, p.name, p.description, p.created, m.role FROM project p \
    JOIN membership m ON m.project = p.id WHERE m.principal = $1 \
    AND (CAST($2 AS TEXT) IS NULL OR p.name > $2) ORDER BY p.name LIMIT $3";
const INSERT_PRINCIPAL: &str = "INSERT INTO principal (id, name, kind, created) VALUES ($1, $2, $3, $4)";
const PRINCIPAL_BY_NAME: &str = "SELECT id, name, kind FROM principal WHERE name = $1";
const NAME_OF: &str = "SELECT name FROM principal WHERE id = $1";
const PUT_MEMBER: &str = "INSERT INTO membership (project, principal, role, labels, created) \
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (project, principal) DO UPDATE SET role = $3, labels = $4";
const REMOVE_MEMBER: &str = "DELETE FROM membership WHERE project = $1 AND principal = $2";
const MEMBER: &str = "SELECT p.id, p.name, p.kind, m.role, m.labels, m.created FROM membership m \
    JOIN principal p ON p.id = m.principal WHERE m.project = $1 AND m.principal = $2";
const MEMBERS: &str = "SELECT p.id, p.name, p.kind, m.role, m.labels, m.created FROM membership m \
    JOIN principal p ON p.id = m.principal WHERE m.project = $1 \
    AND (CAST($2 AS TEXT) IS NULL OR p.name > $2) ORDER BY p.name LIMIT $3";
/// Whose key opens the project: one of its own, or of `default`, by which an admin there enters the others.
const OTHER_ADMINS: &str = "SELECT COUNT(*) AS admins FROM membership m JOIN principal p ON p.id = m.principal \
    WHERE m.project = $1 AND m.role = 'admin' AND m.principal <> $2 AND (p.kind = 'local' OR EXISTS \
    (SELECT 1 FROM api_key k JOIN membership h ON h.project = k.project AND h.principal = k.principal \
    JOIN project o ON o.id = k.project WHERE k.principal = m.principal AND (k.project = $1 OR o.name = 'default') \
    AND k.role = 'admin' AND h.role = 'admin' AND k.revoked IS NULL AND (k.expires IS NULL OR k.expires > $3)))";

pub(super) const STATEMENTS: &[&str] = &[
    INSERT_PROJECT,
    PROJECT_BY_NAME,
    PROJECT_BY_ID,
    PROJECT_IDS,
    ALL_PROJECTS,
    PROJECTS_OF,
    INSERT_PRINCIPAL,
    PRINCIPAL_BY_NAME,
    NAME_OF,
    PUT_MEMBER,
    REMOVE_MEMBER,
    MEMBER,
    MEMBERS,
    OTHER_ADMINS,
];

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
) -> Result<Vec<OwnProject>, CatalogFault> {
    let rows = catalog.query(PROJECTS_OF, params![principal, after, limit]).await?;
    rows.iter().map(|row| Ok(OwnProject { project: read_project(row)?, role: row.parse("role")? })).collect()
}

pub(crate) async fn project_ids(catalog: &Catalog) -> Result<Vec<ProjectId>, CatalogFault> {
    catalog.query(PROJECT_IDS, params![]).await?.iter().map(|row| row.parse("id")).collect()
}

pub(crate) async fn all_projects(catalog: &Catalog) -> Result<HashMap<ProjectId, Name>, CatalogFault> {
    let rows = catalog.query(ALL_PROJECTS, params![]).await?;
    rows.iter().map(|row| Ok((row.parse("id")?, row.parse("name")?))).collect()
}

pub(crate) async fn insert_principal(tx: &mut Tx, principal: &Principal, now: Timestamp) -> Result<(), CatalogFault> {
    let Principal { id, name, kind } = principal;
    tx.execute(INSERT_PRINCIPAL, params![*id, name, kind.as_str(), now]).await.map(drop)
}

pub(crate) async fn principal_by_name(tx: &mut Tx, name: &str) -> Result<Option<Principal>, CatalogFault> {
    tx.query(PRINCIPAL_BY_NAME, params![name]).await?.first().map(read_principal).transpose()
}

pub(crate) async fn find_principal(catalog: &Catalog, name: &str) -> Result<Option<Principal>, CatalogFault> {
    catalog.query(PRINCIPAL_BY_NAME, params![name]).await?.first().map(read_principal).transpose()
}

pub(crate) async fn name_of(catalog: &Catalog, id: PrincipalId) -> Result<Option<String>, CatalogFault> {
    catalog.query(NAME_OF, params![id]).await?.first().map(|row| row.text("name").map(str::to_owned)).transpose()
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

pub(crate) async fn remove_member(tx: &mut Tx, project: ProjectId, principal: PrincipalId) -> Result<bool, CatalogFault> {
    Ok(tx.execute(REMOVE_MEMBER, params![project, principal]).await? > 0)
}

pub(crate) async fn member(tx: &mut Tx, project: ProjectId, principal: PrincipalId) -> Result<Option<Member>, CatalogFault> {
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
    now: Timestamp,
) -> Result<bool, CatalogFault> {
    let rows = tx.query(OTHER_ADMINS, params![project, principal, now]).await?;
    Ok(rows.first().map_or(Ok(0), |row| row.int("admins"))? > 0)
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
