//! Who goes on being whom, for work that goes on after the request that asked for it.

use mainspring_kernel::{
    Actor, Labels, ModelScope,
    id::{ApiKeyId, PrincipalId, ProjectId},
};

use crate::{
    Identity,
    fault::IdentityFault,
    store::{self, KeyNow},
};

impl Identity {
    /// A caller of before, as what they may do stands now. Refused where the key was revoked or has expired, or where its
    /// holder has left the project.
    pub async fn acting(
        &self,
        project: ProjectId,
        principal: PrincipalId,
        key: Option<ApiKeyId>,
    ) -> Result<Actor, IdentityFault> {
        let Some(id) = key else {
            let member = store::find_member(&self.catalog, project, principal).await?.ok_or(IdentityFault::KeyRevoked)?;
            let (role, labels, models) = (member.role, member.labels, ModelScope::All);
            return Ok(Actor { principal, project, role, labels, key: None, models });
        };
        let row = store::key_now(&self.catalog, id, principal).await?.ok_or(IdentityFault::KeyRevoked)?;
        let home = row.project;
        let actor = self.still(row, principal, id)?;
        if home == project {
            return Ok(actor);
        }
        // The key of one who administers the installation works where its holder is a member.
        let there = store::get_project(&self.catalog, project).await?.ok_or(IdentityFault::KeyRevoked)?;
        self.enter(&actor, &there.name).await
    }

    fn still(&self, row: KeyNow, principal: PrincipalId, id: ApiKeyId) -> Result<Actor, IdentityFault> {
        let KeyNow { project, role, labels, models, expires, revoked, member } = row;
        if revoked {
            return Err(IdentityFault::KeyRevoked);
        }
        if expires.is_some_and(|expires| expires <= self.clock.now()) {
            return Err(IdentityFault::KeyExpired);
        }
        let (member_role, member_labels): (_, Labels) = member.ok_or(IdentityFault::KeyRevoked)?;
        let (role, labels) = (role.min(member_role), member_labels.narrowed_to(&labels));
        Ok(Actor { principal, project, role, labels, key: Some(id), models })
    }
}
