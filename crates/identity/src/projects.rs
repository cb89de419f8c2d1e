//! Projects: the boundary of ownership and access.

use mainspring_catalog::{AuditEntry, OnConstraint as _};
use mainspring_kernel::{Actor, Labels, Name, Page, PageRequest, Role, id::ProjectId};
use serde_json::json;

use crate::{Identity, fault::IdentityFault, model::Project, service::needs, store};

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

    /// The projects the actor's principal is a member of, by name.
    pub async fn list_projects(&self, actor: &Actor, page: &PageRequest) -> Result<Page<Project>, IdentityFault> {
        let after = page.after::<Name>()?;
        let projects = store::projects_of(&self.catalog, actor.principal, after, page.limit() + 1).await?;
        Ok(Page::from_overfetch(projects, page, |project| project.name.clone()))
    }
}
