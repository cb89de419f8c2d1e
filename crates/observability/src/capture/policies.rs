//! Policies of all projects: in the catalog, and as this process carries them out.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use mainspring_catalog::{AuditEntry, AuditTrail, Catalog};
use mainspring_kernel::{
    Actor, Clock, Role, Stop, Timestamp,
    fault::chain,
    id::{PrincipalId, ProjectId},
};
use serde_json::json;
use tokio::sync::Mutex;

use super::{
    Capture, CaptureFault, CapturePolicy, Found, Policy,
    store::{self, Kept},
};

/// How long a change may stay unseen by other servers, while the catalog answers.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Longer texts are not tried.
const PREVIEW_MAX: usize = 64 << 10;

/// Which policy is in force for which project.
#[derive(Debug)]
pub(crate) struct Snapshot {
    others: Arc<Policy>,
    of: HashMap<ProjectId, Arc<Policy>>,
}

impl Snapshot {
    pub(crate) fn of(&self, project: ProjectId) -> &Arc<Policy> {
        self.of.get(&project).unwrap_or(&self.others)
    }
}

/// The policies in force in this process. Cheap to clone; asking waits for nobody.
#[derive(Debug, Clone)]
pub struct Policies(Arc<RwLock<Arc<Snapshot>>>);

impl From<Capture> for Policies {
    /// The same for every project.
    fn from(capture: Capture) -> Self {
        let snapshot = Snapshot { others: Arc::new(Policy::of(capture)), of: HashMap::new() };
        Self(Arc::new(RwLock::new(Arc::new(snapshot))))
    }
}

impl Policies {
    pub(crate) fn now(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn put(&self, snapshot: Snapshot) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
    }

    #[cfg(test)]
    pub(crate) fn only(project: ProjectId, policy: &CapturePolicy) -> Self {
        let policies = Self::from(Capture::Full);
        let of = HashMap::from([(project, Arc::new(policy.carried_out(Capture::Full).expect("a policy that can be")))]);
        policies.put(Snapshot { others: Arc::new(Policy::of(Capture::Full)), of });
        policies
    }
}

/// A project's policy as its admins see it.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownPolicy {
    pub policy: CapturePolicy,
    /// 0 where nobody has set one yet.
    pub revision: u64,
    pub changed: Option<(Timestamp, PrincipalId)>,
    /// The most that this server keeps, and what comes of both.
    pub bound: Capture,
    pub effective: Capture,
}

/// What a text becomes, and what was found in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    pub capture: Capture,
    /// Absent where nothing of it is kept.
    pub text: Option<String>,
    pub found: Found,
}

/// Policies in the catalog. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CapturePolicies {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    catalog: Catalog,
    clock: Arc<dyn Clock>,
    trail: Arc<dyn AuditTrail>,
    bound: Capture,
    in_force: Policies,
    /// The stamp of what is in force; held while it is read anew, so that nobody puts back what was before.
    seen: Mutex<Option<i64>>,
}

impl CapturePolicies {
    /// Reads every policy before anything is taken in. `bound` is the most that any project keeps, and what those keep that
    /// say nothing.
    pub async fn open(
        catalog: Catalog,
        clock: Arc<dyn Clock>,
        trail: Arc<dyn AuditTrail>,
        bound: Capture,
    ) -> Result<Self, CaptureFault> {
        let inner = Inner { catalog, clock, trail, bound, in_force: bound.into(), seen: Mutex::default() };
        let policies = Self { inner: Arc::new(inner) };
        policies.refresh().await?;
        Ok(policies)
    }

    #[must_use]
    pub fn in_force(&self) -> Policies {
        self.inner.in_force.clone()
    }

    /// Keeps up with what other servers set, for as long as the process lives.
    pub async fn keep_up(self, stop: Stop) {
        let mut away = false;
        while stop.sleep(LOOK_EVERY).await {
            match self.refresh().await {
                Ok(()) => away = false,
                // Once, and not every time until it is back.
                Err(fault) if !std::mem::replace(&mut away, true) => {
                    tracing::warn!(fault = %chain(&fault), "capture policies cannot be read; those in force stay");
                }
                Err(_) => {}
            }
        }
    }

    /// Puts what the catalog says in force, if it says something else than before.
    pub async fn refresh(&self) -> Result<(), CaptureFault> {
        let Inner { catalog, bound, in_force, seen, .. } = &*self.inner;
        let mut seen = seen.lock().await;
        let stamp = store::stamp(catalog).await?;
        if *seen == Some(stamp) {
            return Ok(());
        }
        let kept = store::all(catalog).await?;
        let of = kept.into_iter().map(|kept| (kept.project, Arc::new(carried_out(&kept, *bound)))).collect();
        in_force.put(Snapshot { others: Arc::new(Policy::of(*bound)), of });
        *seen = Some(stamp);
        Ok(())
    }

    pub async fn show(&self, actor: &Actor) -> Result<ShownPolicy, CaptureFault> {
        needs_admin(actor)?;
        let kept = store::look(&self.inner.catalog, actor.project).await?;
        Ok(shown(kept, self.inner.bound))
    }

    /// Sets the whole policy, if it is still at the revision that is expected: 0 where there is none.
    pub async fn set(&self, actor: &Actor, policy: &CapturePolicy, expected: Option<u64>) -> Result<ShownPolicy, CaptureFault> {
        needs_admin(actor)?;
        let Inner { catalog, clock, trail, bound, .. } = &*self.inner;
        if let Some(asked) = policy.capture.filter(|asked| asked > bound) {
            return Err(CaptureFault::AboveServer { bound: *bound, asked });
        }
        policy.carried_out(*bound)?;
        let json = serde_json::to_value(policy).map_err(|error| CaptureFault::Invalid { reason: error.to_string() })?;
        let json = &json;
        let kept = catalog
            .transact(|mut tx| async move {
                let before = store::one(&mut tx, actor.project).await?;
                let found = before.as_ref().map_or(0, |kept| kept.revision);
                if let Some(before) = before.filter(|before| before.policy == *json) {
                    // It is so already, whatever revision was expected: who repeats is told the same.
                    return Ok((tx, before));
                }
                if let Some(expected) = expected.filter(|expected| *expected != found) {
                    return Err(CaptureFault::Moved { found, expected });
                }
                let kept = Kept {
                    project: actor.project,
                    policy: json.clone(),
                    revision: found + 1,
                    changed: clock.now(),
                    changed_by: actor.principal,
                };
                store::put(&mut tx, &kept).await?;
                // Patterns may be made of what they are to find.
                let patterns: Vec<&str> = policy.patterns.iter().map(|own| own.name.as_str()).collect();
                let detail = json!({
                    "revision": kept.revision, "capture": policy.capture, "patterns": patterns, "share": policy.share,
                    "keep_errors": policy.keep_errors, "keep_slower_than_ms": policy.keep_slower_than_ms,
                    "hold_seconds": policy.hold_seconds,
                });
                let entry = AuditEntry { action: "capture.set", subject: "capture".to_owned(), detail };
                trail.record(&mut tx, actor, entry).await?;
                Ok((tx, kept))
            })
            .await?;
        // In force before the answer; where that fails, within the time of the others.
        if let Err(fault) = self.refresh().await {
            tracing::warn!(fault = %chain(&fault), "a capture policy was set and is not in force yet");
        }
        Ok(shown(Some(kept), *bound))
    }

    /// What a text becomes under the project's policy, or under one that is not set yet.
    pub async fn preview(&self, actor: &Actor, text: &str, draft: Option<&CapturePolicy>) -> Result<Preview, CaptureFault> {
        needs_admin(actor)?;
        if text.len() > PREVIEW_MAX {
            return Err(CaptureFault::Invalid { reason: format!("a text that is tried is {PREVIEW_MAX} bytes at most") });
        }
        let policy = match draft {
            Some(draft) => draft.carried_out(self.inner.bound)?,
            None => {
                let kept = store::look(&self.inner.catalog, actor.project).await?;
                kept.map_or_else(|| Policy::of(self.inner.bound), |kept| carried_out(&kept, self.inner.bound))
            }
        };
        let mut found = Found::default();
        let text = match policy.capture {
            Capture::Full => Some(text.to_owned()),
            Capture::Redacted => Some(policy.redactor.text(text, &mut found).unwrap_or_else(|| text.to_owned())),
            Capture::Metadata | Capture::None => None,
        };
        Ok(Preview { capture: policy.capture, text, found })
    }
}

/// A policy that this server cannot read, which a newer one may have set, keeps as little as there is.
fn carried_out(kept: &Kept, bound: Capture) -> Policy {
    let read = serde_json::from_value::<CapturePolicy>(kept.policy.clone());
    let policy = read.map_err(|error| error.to_string());
    policy.and_then(|policy| policy.carried_out(bound).map_err(|fault| fault.to_string())).unwrap_or_else(|reason| {
        tracing::error!(project = %kept.project, reason, "a capture policy cannot be read; nothing but metadata is kept");
        Policy::of(Capture::None)
    })
}

fn shown(kept: Option<Kept>, bound: Capture) -> ShownPolicy {
    let changed = kept.as_ref().map(|kept| (kept.changed, kept.changed_by));
    let revision = kept.as_ref().map_or(0, |kept| kept.revision);
    let effective = kept.as_ref().map_or(bound, |kept| carried_out(kept, bound).capture);
    let policy = kept.and_then(|kept| serde_json::from_value(kept.policy).ok()).unwrap_or_default();
    ShownPolicy { policy, revision, changed, bound, effective }
}

fn needs_admin(actor: &Actor) -> Result<(), CaptureFault> {
    if actor.may(Role::Admin) { Ok(()) } else { Err(CaptureFault::Forbidden { needed: Role::Admin }) }
}
