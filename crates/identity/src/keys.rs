//! Making, using and ending keys.

use std::{collections::HashMap, time::Duration};

use mainspring_catalog::AuditEntry;
use mainspring_kernel::{
    Actor, Labels, ModelScope, Name, Page, PageRequest, Role, Timestamp,
    id::{ApiKeyId, PrincipalId},
};
use secrecy::SecretString;
use serde_json::json;

use crate::{
    Identity,
    fault::IdentityFault,
    model::{ApiKey, check_labels, check_models, covers},
    secret::{self, KeyFault, KeyParts},
    service::needs,
    store::{self, KeyRow},
    told,
};

/// An old secret that works for longer than a month is a second key that nobody knows of.
const OVERLAP_MAX: Duration = Duration::from_secs(30 * 86_400);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    pub name: Name,
    pub role: Role,
    pub labels: Labels,
    /// What it may name as `model`.
    pub models: ModelScope,
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
                    self.cache.put(&given.lookup, row, (now, generation));
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
        check_models(&new.models)?;
        may_hand_out(actor, (&new.labels, &new.models))?;
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
                    models: new.models.clone(),
                    created: now,
                    created_by: actor.principal,
                    expires: new.expires,
                    old_until: None,
                    last_used: None,
                    revoked: None,
                };
                let (secret, parts) = fresh()?;
                let key = ApiKey { prefix: secret::prefix(&parts.lookup), ..key };
                store::insert_key(&mut tx, actor.project, &key, &parts).await?;
                let issued = IssuedKey { key, secret };
                self.audit(&mut tx, actor, entry("key.create", &issued.key)).await?;
                Ok((tx, issued))
            })
            .await
    }

    /// Gives a key a new secret: it stays the same key, with its limits and what it used. The secret of before opens for
    /// `overlap` longer, and an even older one ends now.
    pub async fn rotate_key(&self, actor: &Actor, id: ApiKeyId, overlap: Duration) -> Result<IssuedKey, IdentityFault> {
        needs(actor, Role::Admin)?;
        if overlap > OVERLAP_MAX {
            return Err(IdentityFault::OverlapTooLong { limit: OVERLAP_MAX });
        }
        let issued = self
            .catalog
            .transact(|mut tx| async move {
                let now = self.clock.now();
                let missing = || IdentityFault::KeyNotFound { id };
                let key = store::key(&mut tx, actor.project, id).await?;
                let key = key.filter(|key| key.revoked.is_none()).ok_or_else(missing)?;
                may_hand_out(actor, (&key.labels, &key.models))?;
                if key.expires.is_some_and(|expires| expires <= now) {
                    return Err(IdentityFault::KeyExpired);
                }
                let (secret, parts) = fresh()?;
                let old_until = now.plus(overlap);
                if !store::rotate_key(&mut tx, actor.project, id, (&parts, old_until)).await? {
                    return Err(missing());
                }
                let key = ApiKey { prefix: secret::prefix(&parts.lookup), old_until: Some(old_until), ..key };
                self.audit(&mut tx, actor, entry("key.rotate", &key)).await?;
                told::tell(&mut tx).await?;
                Ok((tx, IssuedKey { key, secret }))
            })
            .await;
        // Also where it is not known whether it happened.
        self.cache.forget_all();
        issued
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
                    told::tell(&mut tx).await?;
                    return Ok((tx, key));
                }
                let key = store::key(&mut tx, actor.project, id).await?.ok_or_else(missing)?;
                Ok::<_, IdentityFault>((tx, key))
            })
            .await;
        self.cache.forget_all();
        key
    }

    /// Whom a key of the actor's project lets in, as things stand now. One that lets nobody in is as good as none.
    pub async fn let_in_by(&self, actor: &Actor, id: ApiKeyId) -> Result<Actor, IdentityFault> {
        needs(actor, Role::Admin)?;
        let key = store::find_key(&self.catalog, actor.project, id).await?.ok_or(IdentityFault::KeyNotFound { id })?;
        match self.acting(actor.project, key.principal, Some(id)).await {
            Err(IdentityFault::KeyRevoked | IdentityFault::KeyExpired) => Err(IdentityFault::KeyNotFound { id }),
            found => found,
        }
    }

    /// Newest first, revoked ones included.
    pub async fn list_keys(&self, actor: &Actor, page: &PageRequest) -> Result<Page<ApiKey>, IdentityFault> {
        needs(actor, Role::Admin)?;
        let before = page.after::<ApiKeyId>()?;
        let keys = store::keys(&self.catalog, actor.project, before, page.limit() + 1).await?;
        Ok(Page::from_overfetch(keys, page, |key| key.id))
    }

    /// What keys are called, revoked ones included. For whoever may see their ids; of a key that does not exist nothing is said.
    pub async fn key_names(&self, ids: Vec<ApiKeyId>) -> Result<HashMap<ApiKeyId, String>, IdentityFault> {
        let mut names = HashMap::with_capacity(ids.len());
        for id in ids {
            if let Some(name) = store::key_name(&self.catalog, id).await? {
                names.insert(id, name);
            }
        }
        Ok(names)
    }

    /// How many keys could open this installation now: without one it must not listen beyond loopback.
    pub async fn count_usable_keys(&self) -> Result<u64, IdentityFault> {
        Ok(store::count_usable_keys(&self.catalog, self.clock.now()).await?)
    }
}

/// Only after the secret matched may the answer say why a key does not work.
fn holder(row: KeyRow, now: Timestamp) -> Result<KeyHolder, IdentityFault> {
    let KeyRow { id, project, principal, name, role, labels, models, expires, revoked, member, ends, hash: _ } = row;
    if revoked {
        return Err(IdentityFault::KeyRevoked);
    }
    if expires.is_some_and(|expires| expires <= now) {
        return Err(IdentityFault::KeyExpired);
    }
    if ends.is_some_and(|ends| ends <= now) {
        return Err(IdentityFault::KeyRotated);
    }
    // A key of somebody who left the project is as good as revoked.
    let (member_role, member_labels) = member.ok_or(IdentityFault::KeyRevoked)?;
    let (role, labels) = (role.min(member_role), member_labels.narrowed_to(&labels));
    let actor = Actor { principal, project, role, labels, key: Some(id), models };
    Ok(KeyHolder { key: id, name, actor })
}

fn fresh() -> Result<(SecretString, KeyParts), IdentityFault> {
    secret::generate().map_err(|fault| match fault {
        KeyFault::NoRandomness => IdentityFault::NoRandomness,
        KeyFault::Shape => IdentityFault::InvalidKey,
    })
}

/// Whoever makes or rotates a key has its secret: it may not open more than they may.
fn may_hand_out(actor: &Actor, (labels, models): (&Labels, &ModelScope)) -> Result<(), IdentityFault> {
    if !covers(&actor.labels, labels) {
        return Err(IdentityFault::LabelsNotHeld);
    }
    if actor.models.covers(models) { Ok(()) } else { Err(IdentityFault::ModelsNotHeld) }
}

fn entry(action: &'static str, key: &ApiKey) -> AuditEntry {
    let ApiKey { id, name, prefix, principal, role, labels, models, expires, old_until, .. } = key;
    let mut detail = json!({
        "key": id, "prefix": prefix, "principal": principal, "role": role, "labels": labels, "expires": expires,
    });
    if let ModelScope::Some(names) = models {
        detail["models"] = json!(names);
    }
    if let Some(until) = old_until {
        detail["old_secret_until"] = json!(until);
    }
    AuditEntry { action, subject: name.to_string(), detail }
}
