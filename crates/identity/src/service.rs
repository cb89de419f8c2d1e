//! Opening identity, and the user who needs no key.

use std::{sync::Arc, time::Duration};

use mainspring_catalog::{Catalog, Tx};
use mainspring_kernel::{
    Actor, Clock, Fault as _, Labels, ModelScope, Name, Role, Stop, fault,
    id::{PrincipalId, ProjectId},
};

use crate::{
    cache::KeyCache,
    fault::IdentityFault,
    model::{Member, Principal, PrincipalKind, Project},
    store,
};

pub const DEFAULT_PROJECT: &str = "default";
pub const LOCAL_PRINCIPAL: &str = "local";
/// How often the moments of last use are written down.
const USAGE_PERIOD: Duration = Duration::from_secs(30);

/// Projects, members, keys and the audit log. Clones share everything.
#[derive(Debug, Clone)]
pub struct Identity {
    pub(crate) catalog: Catalog,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) cache: Arc<KeyCache>,
}

impl Identity {
    #[must_use]
    pub fn open(catalog: Catalog, clock: Arc<dyn Clock>) -> Self {
        Self { catalog, clock, cache: Arc::default() }
    }

    /// Makes the project `default` with the local user as its admin, unless they are there. Answers nobody where the local
    /// user was removed from it: another start gives nothing back. Any number of processes may start at once.
    pub async fn bootstrap(&self) -> Result<Option<Actor>, IdentityFault> {
        let name = &default_project();
        self.catalog
            .transact(|mut tx| async move {
                let now = self.clock.now();
                let mut first = false;
                let project = match store::project_by_name(&mut tx, name).await? {
                    Some(project) => project,
                    None => {
                        let description = "The project everything belongs to unless another is named.".to_owned();
                        let project = Project { id: ProjectId::new(now), name: name.clone(), description, created: now };
                        store::insert_project(&mut tx, &project).await?;
                        first = true;
                        project
                    }
                };
                let local = match store::principal_by_name(&mut tx, LOCAL_PRINCIPAL).await? {
                    Some(local) => local,
                    None => {
                        let name = LOCAL_PRINCIPAL.to_owned();
                        let local = Principal { id: PrincipalId::new(now), name, kind: PrincipalKind::Local };
                        store::insert_principal(&mut tx, &local, now).await?;
                        first = true;
                        local
                    }
                };
                if first {
                    store::put_member(&mut tx, project.id, local.id, (Role::Admin, &Labels::All), now).await?;
                }
                let member = store::member(&mut tx, project.id, local.id).await?;
                Ok((tx, member.map(|member| keyless(project.id, member))))
            })
            .await
    }

    /// The single user on loopback as they are now, in the project `default`; nobody, where they were removed from it.
    /// What another process changed is seen as soon as it is told, and within seconds in any case.
    pub async fn local_now(&self) -> Result<Option<Actor>, IdentityFault> {
        let now = self.clock.now();
        if let Some(known) = self.cache.local(now) {
            return Ok(known);
        }
        let generation = self.cache.generation();
        let local = match self.local_actor().await {
            Ok(local) => Some(local),
            Err(IdentityFault::ProjectNotFound { .. }) => None,
            Err(fault) => return Err(fault),
        };
        self.cache.put_local(local.clone(), (now, generation));
        Ok(local)
    }

    /// The single user on loopback, in the project `default`.
    pub async fn local_actor(&self) -> Result<Actor, IdentityFault> {
        self.local_actor_in(&default_project()).await
    }

    /// The single user on loopback, in another project of theirs.
    pub async fn local_actor_in(&self, project: &Name) -> Result<Actor, IdentityFault> {
        let local = store::find_principal(&self.catalog, LOCAL_PRINCIPAL).await?;
        let local = local.ok_or(IdentityFault::NotBootstrapped)?;
        let missing = || IdentityFault::ProjectNotFound { name: project.clone() };
        let found = store::find_project(&self.catalog, project).await?.ok_or_else(missing)?;
        let member = store::find_member(&self.catalog, found.id, local.id).await?.ok_or_else(missing)?;
        Ok(keyless(found.id, member))
    }

    /// Writes down when keys were used. Nothing is lost that matters when a process dies first.
    pub async fn record_usage(&self) -> Result<(), IdentityFault> {
        let used = &self.cache.take_used();
        if used.is_empty() {
            return Ok(());
        }
        self.catalog
            .transact(|mut tx| async move {
                for (key, at) in used {
                    store::used_key(&mut tx, *key, *at).await?;
                }
                Ok((tx, ()))
            })
            .await
    }

    /// Calls `record_usage` from time to time and once at the end. Give it to `Tasks`.
    pub async fn keep_usage(self, stop: Stop) {
        loop {
            let go_on = stop.sleep(USAGE_PERIOD).await;
            if let Err(found) = self.record_usage().await
                && !found.kind().is_transient()
            {
                tracing::error!(error = fault::chain(&found), "identity.usage could not be written");
            }
            if !go_on {
                return;
            }
        }
    }

    pub(crate) async fn is_default(&self, tx: &mut Tx, project: ProjectId) -> Result<bool, IdentityFault> {
        Ok(store::project_by_name(tx, &default_project()).await?.is_some_and(|found| found.id == project))
    }
}

fn keyless(project: ProjectId, Member { principal, role, labels, .. }: Member) -> Actor {
    Actor { principal: principal.id, project, role, labels, key: None, models: ModelScope::All }
}

pub(crate) fn default_project() -> Name {
    DEFAULT_PROJECT.parse().expect("`default` is a name")
}

pub(crate) fn needs(actor: &Actor, needed: Role) -> Result<(), IdentityFault> {
    if actor.may(needed) { Ok(()) } else { Err(IdentityFault::Forbidden { needed }) }
}
