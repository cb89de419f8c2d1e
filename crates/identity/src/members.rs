//! Who is in a project.

use std::collections::{HashMap, hash_map::Entry};

use mainspring_catalog::AuditEntry;
use mainspring_kernel::{Actor, Labels, Page, PageRequest, Role, id::PrincipalId};
use serde_json::json;

use crate::{
    Identity,
    fault::IdentityFault,
    model::{Member, Principal, PrincipalKind, check_labels, check_principal_name, covers},
    service::needs,
    store,
};

impl Identity {
    /// Puts a person or service into the project, or changes the role and labels they have there.
    /// A principal with a name nobody had is made on the way.
    pub async fn put_member(
        &self,
        actor: &Actor,
        (name, kind): (&str, PrincipalKind),
        (role, labels): (Role, &Labels),
    ) -> Result<Member, IdentityFault> {
        needs(actor, Role::Admin)?;
        check_principal_name(name)?;
        check_labels(labels)?;
        if !covers(&actor.labels, labels) {
            return Err(IdentityFault::LabelsNotHeld);
        }
        let member = self
            .catalog
            .transact(|mut tx| async move {
                let now = self.clock.now();
                let principal = match store::principal_by_name(&mut tx, name).await? {
                    Some(principal) => principal,
                    None => {
                        let principal = Principal { id: PrincipalId::new(now), name: name.to_owned(), kind };
                        store::insert_principal(&mut tx, &principal, now).await?;
                        principal
                    }
                };
                let id = principal.id;
                let known = store::member(&mut tx, actor.project, id).await?;
                let loses_admin = role < Role::Admin && known.is_some_and(|known| known.role == Role::Admin);
                if loses_admin && !store::has_other_admin(&mut tx, actor.project, id).await? {
                    return Err(IdentityFault::LastAdmin);
                }
                store::put_member(&mut tx, actor.project, id, (role, labels), now).await?;
                let detail = json!({ "principal": id, "role": role, "labels": labels });
                let entry = AuditEntry { action: "member.put", subject: name.to_owned(), detail };
                self.audit(&mut tx, actor, entry).await?;
                let member = store::member(&mut tx, actor.project, id).await?;
                let member = member.ok_or(IdentityFault::MemberNotFound { id })?;
                Ok((tx, member))
            })
            .await?;
        self.cache.forget_all();
        Ok(member)
    }

    /// Their keys in this project stop working with them.
    pub async fn remove_member(&self, actor: &Actor, id: PrincipalId) -> Result<(), IdentityFault> {
        needs(actor, Role::Admin)?;
        self.catalog
            .transact(|mut tx| async move {
                let member = store::member(&mut tx, actor.project, id).await?;
                let member = member.ok_or(IdentityFault::MemberNotFound { id })?;
                if member.role == Role::Admin && !store::has_other_admin(&mut tx, actor.project, id).await? {
                    return Err(IdentityFault::LastAdmin);
                }
                store::remove_member(&mut tx, actor.project, id).await?;
                let detail = json!({ "principal": id });
                let entry = AuditEntry { action: "member.remove", subject: member.principal.name, detail };
                self.audit(&mut tx, actor, entry).await?;
                Ok((tx, ()))
            })
            .await?;
        self.cache.forget_all();
        Ok(())
    }

    /// What to call who did something; one who is no member any more keeps the name.
    pub async fn principal_names(&self, ids: Vec<PrincipalId>) -> Result<HashMap<PrincipalId, String>, IdentityFault> {
        let mut names = HashMap::new();
        for id in ids {
            if let Entry::Vacant(entry) = names.entry(id)
                && let Some(name) = store::name_of(&self.catalog, id).await?
            {
                entry.insert(name);
            }
        }
        Ok(names)
    }

    /// By name.
    pub async fn list_members(&self, actor: &Actor, page: &PageRequest) -> Result<Page<Member>, IdentityFault> {
        needs(actor, Role::Admin)?;
        let after = page.after::<String>()?;
        let members = store::members(&self.catalog, actor.project, after, page.limit() + 1).await?;
        Ok(Page::from_overfetch(members, page, |member| member.principal.name.clone()))
    }
}
