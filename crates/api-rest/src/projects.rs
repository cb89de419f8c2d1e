//! Projects and who is in them.

use axum::{Json, extract::State};
use mainspring_identity::{Member, OwnProject, PrincipalKind};
use mainspring_kernel::{FaultKind, Labels, Role};
use mainspring_web_kit::{Answer, Body, Caller, Home, Paging, Path, Problem};
use mainspring_wire as wire;

use crate::Rest;

fn invalid(detail: impl std::fmt::Display) -> Problem {
    Problem::new(FaultKind::Invalid, "body-invalid", detail.to_string())
}

pub(crate) fn role(text: &str) -> Answer<Role> {
    text.parse().map_err(|fault: mainspring_kernel::actor::RoleFault| invalid(fault))
}

pub(crate) fn labels(view: wire::LabelsView) -> Labels {
    match view {
        wire::LabelsView::All(_) => Labels::All,
        wire::LabelsView::Some(labels) => Labels::Some(labels.into_iter().collect()),
    }
}

pub(crate) fn labels_view(labels: Labels) -> wire::LabelsView {
    match labels {
        Labels::All => wire::LabelsView::All(wire::AllLabels::All),
        Labels::Some(labels) => wire::LabelsView::Some(labels.into_iter().collect()),
    }
}

pub(crate) fn summary(own: OwnProject) -> wire::ProjectSummary {
    let OwnProject { project, role } = own;
    wire::ProjectSummary { id: project.id.to_string(), name: project.name.to_string(), role: role.to_string() }
}

fn view(own: OwnProject) -> wire::ProjectView {
    let OwnProject { project, role } = own;
    wire::ProjectView {
        id: project.id.to_string(),
        name: project.name.to_string(),
        description: Some(project.description).filter(|text| !text.is_empty()),
        role: role.to_string(),
        created_at: project.created.to_string(),
    }
}

fn member_view(member: Member) -> wire::MemberView {
    let Member { principal, role, labels, since } = member;
    wire::MemberView {
        id: principal.id.to_string(),
        name: principal.name,
        kind: principal.kind.as_str().to_owned(),
        role: role.to_string(),
        labels: labels_view(labels),
        since: since.to_string(),
    }
}

/// Lists the projects that the caller may be in, by name. `x-mainspring-project: NAME` on any request names one.
#[utoipa::path(get, path = "/api/v1/projects", tag = "projects", operation_id = "list_projects",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)), responses((status = 200, body = wire::Page<wire::ProjectView>)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    Home(home): Home,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::ProjectView>>> {
    Caller(home.clone()).needs(Role::Reader)?;
    let found = rest.identity.list_projects(&home, &page).await?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(view).collect(), next: found.next }))
}

/// Makes a project, whose admin is the caller. This takes an admin of the project `default`.
#[utoipa::path(post, path = "/api/v1/projects", tag = "projects", operation_id = "create_project",
    request_body = wire::NewProject, responses((status = 200, body = wire::ProjectView)))]
pub(crate) async fn create(
    State(rest): State<Rest>,
    Home(home): Home,
    Body(body): Body<wire::NewProject>,
) -> Answer<Json<wire::ProjectView>> {
    Caller(home.clone()).needs(Role::Admin)?;
    let name = body.name.parse().map_err(|fault: mainspring_kernel::name::NameFault| invalid(fault))?;
    let project = rest.identity.create_project(&home, &name, body.description.as_deref().unwrap_or_default()).await?;
    Ok(Json(view(OwnProject { project, role: Role::Admin })))
}

/// Lists the members of the caller's project, by name.
#[utoipa::path(get, path = "/api/v1/members", tag = "projects", operation_id = "list_members",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)), responses((status = 200, body = wire::Page<wire::MemberView>)))]
pub(crate) async fn members(
    State(rest): State<Rest>,
    caller: Caller,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::MemberView>>> {
    let actor = caller.needs(Role::Admin)?;
    let found = rest.identity.list_members(actor, &page).await?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(member_view).collect(), next: found.next }))
}

/// Puts a person or service into the caller's project.
#[utoipa::path(post, path = "/api/v1/members", tag = "projects", operation_id = "add_member",
    request_body = wire::NewMember, responses((status = 200, body = wire::MemberView)))]
pub(crate) async fn add_member(
    State(rest): State<Rest>,
    caller: Caller,
    Body(body): Body<wire::NewMember>,
) -> Answer<Json<wire::MemberView>> {
    let actor = caller.needs(Role::Admin)?;
    let kind = match body.kind.as_deref().unwrap_or("person").parse::<PrincipalKind>() {
        // There is one local user, made by the first start.
        Ok(PrincipalKind::Local) => return Err(invalid("a member is a `person` or a `service`")),
        Ok(kind) => kind,
        Err(fault) => return Err(invalid(fault)),
    };
    let rights = (role(&body.role)?, &body.labels.map_or(Labels::All, labels));
    Ok(Json(member_view(rest.identity.add_member(actor, (&body.name, kind), rights).await?)))
}

/// Changes the role or the labels of a member; `id` may be the name. Their keys follow at once.
#[utoipa::path(put, path = "/api/v1/members/{id}", tag = "projects", operation_id = "change_member",
    params(("id" = String, Path)), request_body = wire::MemberChange, responses((status = 200, body = wire::MemberView)))]
pub(crate) async fn change_member(
    State(rest): State<Rest>,
    caller: Caller,
    Path(who): Path<String>,
    Body(body): Body<wire::MemberChange>,
) -> Answer<Json<wire::MemberView>> {
    let actor = caller.needs(Role::Admin)?;
    let role = body.role.as_deref().map(role).transpose()?;
    let labels = body.labels.map(labels);
    Ok(Json(member_view(rest.identity.change_member(actor, &who, (role, labels.as_ref())).await?)))
}

/// Takes a member out of the caller's project; `id` may be the name. Their keys stop working at once.
#[utoipa::path(delete, path = "/api/v1/members/{id}", tag = "projects", operation_id = "remove_member",
    params(("id" = String, Path)), responses((status = 200, body = wire::MemberView)))]
pub(crate) async fn remove_member(
    State(rest): State<Rest>,
    caller: Caller,
    Path(who): Path<String>,
) -> Answer<Json<wire::MemberView>> {
    let actor = caller.needs(Role::Admin)?;
    Ok(Json(member_view(rest.identity.remove_member(actor, &who).await?)))
}
