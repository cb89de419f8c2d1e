//! Making, using and ending keys.

use std::time::Duration;

use mainspring_catalog::AuditEntry;
use mainspring_kernel::{
    Actor, Labels, Name, Page, PageRequest, Role, Timestamp,
    id::{ApiKeyId, PrincipalId},
};
use secrecy::SecretString;
use serde_json::json;

use crate::{
    Identity,
    fault::IdentityFault,
    model::{ApiKey, check_labels, covers},
    secret::{self, KeyFault},
    service::needs,
    store::{self, KeyRow},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    pub name: Name,
    pub role: Role,
    pub labels: Labels,
    pub expires: Option<Timestamp>,
    /// Whom the key acts for; whoever makes it, unless another member is named.
    pub principal: Option<PrincipalId>,
}

/// A key just made. The secret is shown once, here.
#[derive(Debug)]
pub struct IssuedKey {
    pub key: ApiKey,
    pub secret: SecretString,
}

/// Who a key belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHolder {
    pub key: ApiKeyId,
    pub name: Name,
    pub actor: Actor,
}

impl Identity {
    pub async fn authenticate(&self, text: &SecretString) -> Result<Actor, IdentityFault> {
        self.identify(text).await.map(|holder| holder.actor)
    }

    /// Like `authenticate`, and says which key it was.
    pub async fn identify(&self, text: &SecretString) -> Result<KeyHolder, IdentityFault> {
        let given = secret::read(text)?;
        let now = self.clock.now();
        let row = match self.cache.get(&given.lookup, now) {
            Some(row) => Some(row),
            None => {
                let generation = self.cache.generation();
                let row = store::key_by_lookup(&self.catalog, &given.lookup).await?;
                if let Some(row) = &row {
                    self.cache.put(row, now, generation);
                }
                row
            }
        };
        // An unknown key is compared as well, so that both answers take the same work.
        let stored = row.as_ref().map_or([0_u8; 32].as_slice(), |row| row.hash.as_slice());
        let matches = secret::same(stored, &given.hash);
        let holder = row.filter(|_| matches).ok_or(IdentityFault::InvalidKey).and_then(|row| holder(row, now))?;
        self.cache.mark_used(holder.key, now);
        Ok(holder)
    }

    pub async fn create_key(&self, actor: &Actor, new: &NewKey) -> Result<IssuedKey, IdentityFault> {
        needs(actor, Role::Admin)?;
        check_labels(&new.labels)?;
        if !covers(&actor.labels, &new.labels) {
            return Err(IdentityFault::LabelsNotHeld);
        }
        if new.expires.is_some_and(|expires| expires <= self.clock.now()) {
            return Err(IdentityFault::ExpiresInThePast);
        }
        self.catalog
            .transact(|mut tx| async move {
                let now = self.clock.now();
                let principal = new.principal.unwrap_or(actor.principal);
                if store::member(&mut tx, actor.project, principal).await?.is_none() {
                    return Err(IdentityFault::MemberNotFound { who: principal.to_string() });
                }
                let key = ApiKey {
                    id: ApiKeyId::new(now),
                    name: new.name.clone(),
                    prefix: String::new(),
                    principal,
                    role: new.role,
                    labels: new.labels.clone(),
                    created: now,
                    created_by: actor.principal,
                    expires: new.expires,
                    last_used: None,
                    revoked: None,
                };
                let issued = issue(&mut tx, actor, key).await?;
                self.audit(&mut tx, actor, entry("key.create", &issued.key)).await?;
                Ok((tx, issued))
            })
            .await
    }

    /// Makes a key that differs only in its secret. The old one works for `grace` longer.
    pub async fn rotate_key(&self, actor: &Actor, id: ApiKeyId, grace: Duration) -> Result<IssuedKey, IdentityFault> {
        needs(actor, Role::Admin)?;
        let issued = self
            .catalog
            .transact(|mut tx| async move {
                let now = self.clock.now();
                let old = store::key(&mut tx, actor.project, id).await?;
                let old = old.filter(|key| key.revoked.is_none()).ok_or(IdentityFault::KeyNotFound { id })?;
                if !covers(&actor.labels, &old.labels) {
                    return Err(IdentityFault::LabelsNotHeld);
                }
                if old.expires.is_some_and(|expires| expires <= now) {
                    return Err(IdentityFault::KeyExpired);
                }
                if grace.is_zero() {
                    store::revoke_key(&mut tx, actor.project, id, now).await?;
                } else {
                    store::expire_key(&mut tx, actor.project, id, now.plus(grace)).await?;
                }
                let id = ApiKeyId::new(now);
                let created_by = actor.principal;
                let key = ApiKey { id, created: now, created_by, last_used: None, revoked: None, ..old };
                let issued = issue(&mut tx, actor, key).await?;
                self.audit(&mut tx, actor, entry("key.rotate", &issued.key)).await?;
                Ok((tx, issued))
            })
            .await?;
        self.cache.forget_all();
        Ok(issued)
    }

    /// Answers the key as it is now. Revoking twice is what people do to be sure.
    pub async fn revoke_key(&self, actor: &Actor, id: ApiKeyId) -> Result<ApiKey, IdentityFault> {
        needs(actor, Role::Admin)?;
        let key = self
            .catalog
            .transact(|mut tx| async move {
                let missing = || IdentityFault::KeyNotFound { id };
                if store::revoke_key(&mut tx, actor.project, id, self.clock.now()).await? {
                    let key = store::key(&mut tx, actor.project, id).await?.ok_or_else(missing)?;
                    self.audit(&mut tx, actor, entry("key.revoke", &key)).await?;
                    return Ok((tx, key));
                }
                let key = store::key(&mut tx, actor.project, id).await?.ok_or_else(missing)?;
                Ok::<_, IdentityFault>((tx, key))
            })
            .await?;
        self.cache.forget_all();
        Ok(key)
    }

    /// Newest first, revoked ones included.
    pub async fn list_keys(&self, actor: &Actor, page: &PageRequest) -> Result<Page<ApiKey>, IdentityFault> {
        needs(actor, Role::Admin)?;
        let before = page.after::<ApiKeyId>()?;
        let keys = store::keys(&self.catalog, actor.project, before, page.limit() + 1).await?;
        Ok(Page::from_overfetch(keys, page, |key| key.id))
    }

    /// How many keys could open this installation now: without one it must not listen beyond loopback.
    pub async fn count_usable_keys(&self) -> Result<u64, IdentityFault> {
        Ok(store::count_usable_keys(&self.catalog, self.clock.now()).await?)
    }
}

/// Only after the secret matched may the answer say why a key does not work.
fn holder(row: KeyRow, now: Timestamp) -> Result<KeyHolder, IdentityFault> {
    let KeyRow { id, project, principal, name, role, labels, expires, revoked, member, .. } = row;
    if revoked {
        return Err(IdentityFault::KeyRevoked);
    }
    if expires.is_some_and(|expires| expires <= now) {
        return Err(IdentityFault::KeyExpired);
    }
    // A key of somebody who left the project is as good as revoked.
    let (member_role, member_labels) = member.ok_or(IdentityFault::KeyRevoked)?;
    let actor =
        Actor { principal, project, role: role.min(member_role), labels: member_labels.narrowed_to(&labels), key: Some(id) };
    Ok(KeyHolder { key: id, name, actor })
}

async fn issue(tx: &mut mainspring_catalog::Tx, actor: &Actor, mut key: ApiKey) -> Result<IssuedKey, IdentityFault> {
    let (secret, parts) = secret::generate().map_err(|fault| match fault {
        KeyFault::NoRandomness => IdentityFault::NoRandomness,
        KeyFault::Shape => IdentityFault::InvalidKey,
    })?;
    key.prefix = secret::prefix(&parts.lookup);
    store::insert_key(tx, actor.project, &key, &parts).await?;
    Ok(IssuedKey { key, secret })
}

fn entry(action: &'static str, key: &ApiKey) -> AuditEntry {
    let ApiKey { id, name, prefix, principal, role, labels, expires, .. } = key;
    let detail = json!({
        "key": id, "prefix": prefix, "principal": principal, "role": role, "labels": labels, "expires": expires,
    });
    AuditEntry { action, subject: name.to_string(), detail }
}
