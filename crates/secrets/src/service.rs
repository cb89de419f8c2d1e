//! Setting, listing, removing and giving out secrets.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mainspring_catalog::{AuditEntry, AuditTrail, Catalog};
use mainspring_kernel::{Actor, Clock, Fault, Name, Page, PageRequest, Role, fault::chain, id::ProjectId};
use mainspring_providers::{CredentialFault, CredentialRef, SecretSource};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use tokio::sync::Mutex;

use crate::{
    cache::Cache,
    fault::SecretsFault,
    master::{Keys, MasterKeys},
    model::{Resealed, Secret},
    sealed::MasterKey,
    store::{self, SealedRow, Sealing},
};

/// As large as the files that keys may lie in.
const VALUE_MAX: usize = 64 * 1024;
/// Providers look all the time; that they do is worth a write this often.
const USED_EVERY: Duration = Duration::from_secs(3600);

/// The secrets of every project. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Secrets {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    catalog: Catalog,
    clock: Arc<dyn Clock>,
    trail: Arc<dyn AuditTrail>,
    keys: MasterKeys,
    cache: Cache,
    /// One at a time: what is set while everything is sealed anew must not be left with the old key.
    changing: Mutex<()>,
}

impl Secrets {
    #[must_use]
    pub fn open(catalog: Catalog, clock: Arc<dyn Clock>, trail: Arc<dyn AuditTrail>, keys: MasterKeys) -> Self {
        let inner = Inner { catalog, clock, trail, keys, cache: Cache::default(), changing: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    /// Keeps a value under a name, in the place of one that had it.
    pub async fn set(&self, actor: &Actor, name: &Name, value: &SecretString) -> Result<Secret, SecretsFault> {
        needs_admin(actor)?;
        check_name(name)?;
        let value = &checked(value)?;
        let Inner { catalog, clock, trail, .. } = &*self.inner;
        let _changing = self.inner.changing.lock().await;
        let keys = self.keys_to_seal().await?;
        let key = first(&keys)?;
        let set = catalog
            .transact(|mut tx| async move {
                let sealing = seal(key, (actor.project, name), value)?;
                store::put(&mut tx, (actor.project, name), &sealing, (clock.now(), actor.principal)).await?;
                let detail = json!({ "fingerprint": sealing.fingerprint });
                trail.record(&mut tx, actor, AuditEntry { action: "secret.set", subject: name.to_string(), detail }).await?;
                let secret = store::one(&mut tx, actor.project, name).await?;
                let secret = secret.ok_or_else(|| SecretsFault::NotFound { name: name.clone() })?;
                Ok::<_, SecretsFault>((tx, secret))
            })
            .await;
        // Also where nobody can say whether it was written.
        self.inner.cache.forget(actor.project, name);
        set
    }

    /// Answers what was removed.
    pub async fn remove(&self, actor: &Actor, name: &Name) -> Result<Secret, SecretsFault> {
        needs_admin(actor)?;
        let Inner { catalog, trail, .. } = &*self.inner;
        let removed = catalog
            .transact(|mut tx| async move {
                let secret = store::one(&mut tx, actor.project, name).await?;
                let secret = secret.ok_or_else(|| SecretsFault::NotFound { name: name.clone() })?;
                store::remove(&mut tx, actor.project, name).await?;
                let detail = json!({ "fingerprint": secret.fingerprint });
                trail.record(&mut tx, actor, AuditEntry { action: "secret.remove", subject: name.to_string(), detail }).await?;
                Ok::<_, SecretsFault>((tx, secret))
            })
            .await;
        self.inner.cache.forget(actor.project, name);
        removed
    }

    /// By name, without their values.
    pub async fn list(&self, actor: &Actor, page: &PageRequest) -> Result<Page<Secret>, SecretsFault> {
        needs_admin(actor)?;
        let after = page.after::<Name>()?;
        let found = store::list(&self.inner.catalog, actor.project, after, page.limit() + 1).await?;
        Ok(Page::from_overfetch(found, page, |secret| secret.name.clone()))
    }

    /// Seals every secret of every project anew: with a new master key where this process makes its own, otherwise with the
    /// first of those it was given. The caller has to see that the actor administers the installation.
    pub async fn rotate_master_key(&self, actor: &Actor) -> Result<Resealed, SecretsFault> {
        needs_admin(actor)?;
        let _changing = self.inner.changing.lock().await;
        if self.inner.keys.keys().is_none() {
            // One that this process does not have cannot be replaced by it.
            self.keys_to_seal().await?;
        }
        let keys = &self.inner.keys.begin_rotation()?;
        let resealed = self.reseal(actor, keys).await;
        match &resealed {
            Ok(_) => self.inner.keys.end_rotation()?,
            // Nothing was written.
            Err(SecretsFault::WrongMasterKey { .. } | SecretsFault::Damaged { .. }) => self.inner.keys.undo_rotation()?,
            // Something may have been: both keys stay.
            Err(_) => {}
        }
        resealed
    }

    async fn reseal(&self, actor: &Actor, keys: &Keys) -> Result<Resealed, SecretsFault> {
        let Inner { catalog, trail, .. } = &*self.inner;
        let key = first(keys)?;
        catalog
            .transact(|mut tx| async move {
                let rows = store::all_sealed(&mut tx).await?;
                for row in &rows {
                    let place = (row.project, &row.name);
                    let sealing = seal(key, place, &opened(keys, row)?)?;
                    store::reseal(&mut tx, place, &sealing).await?;
                }
                let resealed = Resealed { secrets: rows.len(), master: key.id.clone() };
                let detail = json!({ "secrets": resealed.secrets });
                let entry = AuditEntry { action: "master-key.rotate", subject: resealed.master.clone(), detail };
                trail.record(&mut tx, actor, entry).await?;
                Ok((tx, resealed))
            })
            .await
    }

    /// A process that has no master key makes one only where nothing is sealed with another.
    async fn keys_to_seal(&self) -> Result<Keys, SecretsFault> {
        if self.inner.keys.keys().is_none()
            && let Some((name, sealed_with)) = store::any(&self.inner.catalog).await?
        {
            return Err(SecretsFault::WrongMasterKey { name, sealed_with });
        }
        self.inner.keys.keys_or_new()
    }

    async fn look_up(&self, project: ProjectId, name: &Name) -> Result<Option<SecretString>, SecretsFault> {
        let Inner { catalog, clock, keys, cache, .. } = &*self.inner;
        let now = clock.now();
        if let Some(kept) = cache.get(project, name, now) {
            return Ok(kept);
        }
        let generation = cache.generation();
        let row = store::sealed(catalog, project, name).await?;
        let value = match &row {
            Some(row) => Some(opened(&keys.keys().unwrap_or_default(), row)?),
            None => None,
        };
        cache.put((project, name), value.clone(), (now, generation));
        let stale = |row: &SealedRow| row.last_used.is_none_or(|used| now.since(used) >= USED_EVERY);
        if row.as_ref().is_some_and(stale)
            && let Err(fault) = store::used(catalog, project, name, now).await
        {
            // Nobody's call has to wait for that.
            tracing::debug!(fault = %chain(&fault), "that a secret was used could not be written down");
        }
        Ok(value)
    }
}

#[async_trait]
impl SecretSource for Secrets {
    async fn get(&self, project: ProjectId, name: &Name) -> Result<Option<SecretString>, Box<dyn Fault>> {
        self.look_up(project, name).await.map_err(|fault| Box::new(fault) as Box<dyn Fault>)
    }
}

fn needs_admin(actor: &Actor) -> Result<(), SecretsFault> {
    if actor.may(Role::Admin) { Ok(()) } else { Err(SecretsFault::Forbidden { needed: Role::Admin }) }
}

/// A name that no spec can refer to is of no use, and may be a key that was put in the wrong place.
fn check_name(name: &Name) -> Result<(), SecretsFault> {
    match format!("secret:{name}").parse::<CredentialRef>() {
        Err(CredentialFault::IsAKey) => Err(SecretsFault::NameIsAKey),
        _ => Ok(()),
    }
}

/// Editors and `echo` leave a line break at the end; keys travel in headers, which take nothing but visible characters.
fn checked(value: &SecretString) -> Result<SecretString, SecretsFault> {
    let text = value.expose_secret().trim_end_matches(['\r', '\n']);
    let bad = |reason| Err(SecretsFault::BadValue { reason });
    if text.trim().is_empty() {
        return bad("is empty");
    }
    if text.len() > VALUE_MAX {
        return bad("is longer than 65536 bytes");
    }
    if !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return bad("holds characters that no key has, such as a line break within it");
    }
    Ok(text.into())
}

fn first(keys: &Keys) -> Result<&MasterKey, SecretsFault> {
    keys.first().ok_or_else(|| SecretsFault::BadMasterKey { place: "the settings".to_owned(), reason: "is empty" })
}

fn seal(key: &MasterKey, place: (ProjectId, &Name), value: &SecretString) -> Result<Sealing, SecretsFault> {
    let sealed = key.seal(place, value).map_err(|_| SecretsFault::NoRandomness)?;
    Ok(Sealing { sealed, master: key.id.clone(), fingerprint: key.fingerprint(place.0, value) })
}

fn opened(keys: &[MasterKey], row: &SealedRow) -> Result<SecretString, SecretsFault> {
    let SealedRow { project, name, sealed, master, last_used: _ } = row;
    let Some(key) = keys.iter().find(|key| key.id == *master) else {
        return Err(SecretsFault::WrongMasterKey { name: name.clone(), sealed_with: master.clone() });
    };
    key.open((*project, name), sealed).map_err(|_| SecretsFault::Damaged { name: name.clone() })
}
