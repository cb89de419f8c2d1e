//! Who is in a project.

use std::collections::{HashMap, hash_map::Entry};

use mainspring_catalog::{AuditEntry, Tx};
use mainspring_kernel::{Actor, Labels, Page, PageRequest, Role, id::PrincipalId};
use serde_json::json;

use crate::{
    Identity,
    fault::IdentityFault,
    model::{Member, Principal, PrincipalKind, check_labels, check_principal_name, covers},
    service::needs,
    store, told,
};

impl Identity {
    /// Puts a person or service into the project. A principal with a name nobody had is made on the way.
    pub async fn add_member(
        &self,
        actor: &Actor,
        (name, kind): (&str, PrincipalKind),
        rights: (Role, &Labels),
    ) -> Result<Member, IdentityFault> {
        check_principal_name(name)?;
        may_hand_out(actor, rights.1)?;
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
                if store::member(&mut tx, actor.project, principal.id).await?.is_some() {
                    return Err(IdentityFault::MemberExists { name: principal.name });
                }
                let member = self.write_member(&mut tx, actor, &principal, rights).await?;
                Ok((tx, member))
            })
            .await;
        // Who comes back comes back with the keys they had. Also where it is not known whether it happened.
        self.cache.forget_all();
        member
    }

    /// Changes the role or the labels of a member; what is not given stays.
    pub async fn change_member(
        &self,
        actor: &Actor,
        who: &str,
        (role, labels): (Option<Role>, Option<&Labels>),
    ) -> Result<Member, IdentityFault> {
        may_hand_out(actor, labels.unwrap_or(&Labels::none()))?;
        let member = self
            .catalog
            .transact(|mut tx| async move {
                let known = member_called(&mut tx, actor, who).await?;
                let rights = (role.unwrap_or(known.role), labels.unwrap_or(&known.labels));
                let loses_admin = known.role == Role::Admin && rights.0 < Role::Admin;
                if loses_admin && !self.has_other_admin(&mut tx, actor, known.principal.id).await? {
                    return Err(IdentityFault::LastAdmin);
                }
                let member = self.write_member(&mut tx, actor, &known.principal, rights).await?;
                Ok((tx, member))
            })
            .await;
        self.cache.forget_all();
        member
    }

    /// Their keys in this project stop working with them. Answers the member as they were.
    pub async fn remove_member(&self, actor: &Actor, who: &str) -> Result<Member, IdentityFault> {
        needs(actor, Role::Admin)?;
        let member = self
            .catalog
            .transact(|mut tx| async move {
                let member = member_called(&mut tx, actor, who).await?;
                let id = member.principal.id;
                if member.role == Role::Admin && !self.has_other_admin(&mut tx, actor, id).await? {
                    return Err(IdentityFault::LastAdmin);
                }
                store::remove_member(&mut tx, actor.project, id).await?;
                let subject = member.principal.name.clone();
                let entry = AuditEntry { action: "member.remove", subject, detail: json!({ "principal": id }) };
                self.audit(&mut tx, actor, entry).await?;
                told::tell(&mut tx).await?;
                Ok((tx, member))
            })
            .await;
        self.cache.forget_all();
        member
    }

    /// Somebody else who administers the project and can come in: the single user of this machine, or one with a key.
    async fn has_other_admin(&self, tx: &mut Tx, actor: &Actor, than: PrincipalId) -> Result<bool, IdentityFault> {
        Ok(store::has_other_admin(tx, actor.project, than, self.clock.now()).await?)
    }

    async fn write_member(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        principal: &Principal,
        (role, labels): (Role, &Labels),
    ) -> Result<Member, IdentityFault> {
        let id = principal.id;
        store::put_member(tx, actor.project, id, (role, labels), self.clock.now()).await?;
        let detail = json!({ "principal": id, "role": role, "labels": labels });
        let entry = AuditEntry { action: "member.put", subject: principal.name.clone(), detail };
        self.audit(tx, actor, entry).await?;
        told::tell(tx).await?;
        let missing = || IdentityFault::MemberNotFound { who: principal.name.clone() };
        store::member(tx, actor.project, id).await?.ok_or_else(missing)
    }

    /// A member by name or by id.
    pub async fn member(&self, actor: &Actor, who: &str) -> Result<Member, IdentityFault> {
        needs(actor, Role::Admin)?;
        self.catalog
            .transact(|mut tx| async move {
                let member = member_called(&mut tx, actor, who).await?;
                Ok::<_, IdentityFault>((tx, member))
            })
            .await
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

fn may_hand_out(actor: &Actor, labels: &Labels) -> Result<(), IdentityFault> {
    needs(actor, Role::Admin)?;
    check_labels(labels)?;
    if covers(&actor.labels, labels) { Ok(()) } else { Err(IdentityFault::LabelsNotHeld) }
}

/// By the name people use, or by the id that lists and the audit log show.
async fn member_called(tx: &mut Tx, actor: &Actor, who: &str) -> Result<Member, IdentityFault> {
    let id = match store::principal_by_name(tx, who).await? {
        Some(principal) => Some(principal.id),
        None => who.parse().ok(),
    };
    let member = match id {
        Some(id) => store::member(tx, actor.project, id).await?,
        None => None,
    };
    member.ok_or_else(|| IdentityFault::MemberNotFound { who: mainspring_kernel::text::elide(who, 80) })
}
