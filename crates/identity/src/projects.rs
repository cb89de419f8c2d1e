//! Projects: the boundary of ownership and access.

use std::collections::HashMap;

use mainspring_catalog::{AuditEntry, OnConstraint as _};
use mainspring_kernel::{Actor, Labels, ModelScope, Name, Page, PageRequest, Role, id::ProjectId};
use serde_json::json;

use crate::{
    Identity,
    fault::IdentityFault,
    model::{OwnProject, Project},
    service::{LOCAL_PRINCIPAL, default_project, needs},
    store,
};

const DESCRIPTION_MAX: usize = 2_000;

impl Identity {
    /// Makes a project whose admin is whoever makes it. This takes an admin of the project `default`.
    pub async fn create_project(&self, actor: &Actor, name: &Name, description: &str) -> Result<Project, IdentityFault> {
        needs(actor, Role::Admin)?;
        if description.len() > DESCRIPTION_MAX {
            return Err(IdentityFault::TooLong { what: "the description", limit: DESCRIPTION_MAX });
        }
        self.catalog
            .transact(|mut tx| async move {
                if !self.is_default(&mut tx, actor.project).await? {
                    return Err(IdentityFault::NotInstallationAdmin);
                }
                let now = self.clock.now();
                let description = description.to_owned();
                let project = Project { id: ProjectId::new(now), name: name.clone(), description, created: now };
                store::insert_project(&mut tx, &project)
                    .await
                    .on_constraint("project_name_unique", || IdentityFault::ProjectExists { name: name.clone() })?;
                // Nobody becomes able to see more than they could: the labels come along.
                let rights: (Role, &Labels) = (Role::Admin, &actor.labels);
                store::put_member(&mut tx, project.id, actor.principal, rights, now).await?;
                let detail = json!({ "project": project.id });
                let entry = AuditEntry { action: "project.create", subject: name.to_string(), detail };
                self.audit(&mut tx, actor, entry).await?;
                Ok((tx, project))
            })
            .await
    }

    /// The project the actor is in.
    pub async fn project(&self, actor: &Actor) -> Result<Project, IdentityFault> {
        store::get_project(&self.catalog, actor.project).await?.ok_or(IdentityFault::NotBootstrapped)
    }

    /// The projects the actor may be in, by name: an admin of `default` in every one they are a member of,
    /// anybody else in their own.
    pub async fn list_projects(&self, actor: &Actor, page: &PageRequest) -> Result<Page<OwnProject>, IdentityFault> {
        let after = page.after::<Name>()?;
        if !self.administers_installation(actor).await? {
            let project = self.project(actor).await?;
            let items = vec![OwnProject { project, role: actor.role }];
            return Ok(Page { items, next: None });
        }
        let projects = store::projects_of(&self.catalog, actor.principal, after, page.limit() + 1).await?;
        Ok(Page::from_overfetch(projects, page, |own| own.project.name.clone()))
    }

    /// The actor in the project they name: their own, or, for an admin of `default`, any they are a member of.
    pub async fn enter(&self, actor: &Actor, name: &Name) -> Result<Actor, IdentityFault> {
        let found = store::find_project(&self.catalog, name).await?;
        if found.as_ref().is_some_and(|project| project.id == actor.project) {
            return Ok(actor.clone());
        }
        // Nobody else is told whether there is such a project.
        if !self.administers_installation(actor).await? {
            return Err(IdentityFault::NotInstallationAdmin);
        }
        let missing = || IdentityFault::ProjectNotFound { name: name.clone() };
        let project = found.ok_or_else(missing)?.id;
        let member = store::find_member(&self.catalog, project, actor.principal).await?.ok_or_else(missing)?;
        let labels = member.labels.narrowed_to(&actor.labels);
        Ok(Actor { project, role: member.role, labels, ..actor.clone() })
    }

    /// The process itself, in every project, for work that nobody asked for at the moment.
    pub async fn caretakers(&self) -> Result<Vec<Actor>, IdentityFault> {
        let local = store::find_principal(&self.catalog, LOCAL_PRINCIPAL).await?.ok_or(IdentityFault::NotBootstrapped)?.id;
        let projects = store::project_ids(&self.catalog).await?;
        let caretaker = |project| Actor {
            principal: local,
            project,
            role: Role::Admin,
            labels: Labels::All,
            key: None,
            models: ModelScope::All,
        };
        Ok(projects.into_iter().map(caretaker).collect())
    }

    /// The names of all projects, for an admin of `default`, whether they are a member or not.
    pub async fn project_names(&self, actor: &Actor) -> Result<HashMap<ProjectId, Name>, IdentityFault> {
        self.check_administers_installation(actor).await?;
        Ok(store::all_projects(&self.catalog).await?)
    }

    /// Whether the actor may do what concerns every project: an admin of `default` may.
    pub async fn check_administers_installation(&self, actor: &Actor) -> Result<(), IdentityFault> {
        if self.administers_installation(actor).await? { Ok(()) } else { Err(IdentityFault::NotInstallationAdmin) }
    }

    async fn administers_installation(&self, actor: &Actor) -> Result<bool, IdentityFault> {
        if !actor.may(Role::Admin) {
            return Ok(false);
        }
        let default = store::find_project(&self.catalog, &default_project()).await?;
        Ok(default.is_some_and(|default| default.id == actor.project))
    }
}
