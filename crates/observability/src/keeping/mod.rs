//! How long telemetry is kept, and how it is erased before its time.

mod cleanse;
mod derived;
mod erase;
mod fault;
mod model;
mod part;
mod retain;
mod server;
pub(crate) mod store;
mod whose;

use std::{sync::Arc, time::Duration};

use mainspring_catalog::{AuditEntry, AuditTrail, Catalog, Tx};
use mainspring_jobs::{Jobs, Lease, NewJob};
use mainspring_kernel::{Actor, Clock, Page, PageRequest, Timestamp, id::ProjectId};
use serde_json::json;

use crate::{drift::Drift, points::MetricPoints, service::Observability};

pub use derived::{Derived, Names};
pub use fault::KeepingFault;
pub use model::{
    EraseJob, Erased, Erasure, ErasureId, ErasureState, ErasureStep, Holder, Holding, Looked, Removal, Retention, ServerId,
    Subject, Telemetry, TelemetryFault,
};
pub use server::{Entering, SpanServer};
pub(crate) use whose::{Found, Search, Searched, Whose};

/// Shorter is no retention but a mistake.
const SHORTEST: Duration = Duration::from_secs(1);
/// A store that is away for days is waited for.
const ATTEMPTS: u32 = 1_000;

/// What keeping takes.
#[derive(Debug, Clone)]
pub struct KeepingParts {
    pub catalog: Catalog,
    pub jobs: Jobs,
    pub audit: Arc<dyn AuditTrail>,
    pub clock: Arc<dyn Clock>,
    pub spans: Observability,
    pub points: MetricPoints,
    pub drift: Drift,
    pub derived: Arc<dyn Derived>,
    pub server: Arc<SpanServer>,
    /// In force where a project says nothing.
    pub keep_for: Duration,
}

/// Retention and erasures. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Keeping {
    parts: Arc<KeepingParts>,
}

impl Keeping {
    #[must_use]
    pub fn open(parts: KeepingParts) -> Self {
        Self { parts: Arc::new(parts) }
    }

    #[cfg(test)]
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.parts.catalog
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Says how long the project keeps a kind of telemetry.
    pub async fn set_retention(&self, actor: &Actor, kind: Telemetry, rule: Retention) -> Result<(), KeepingFault> {
        if rule.keep_for.is_some_and(|keep| keep < SHORTEST) {
            return Err(KeepingFault::Invalid { reason: "what is kept is kept for a second at least".to_owned() });
        }
        if rule.max_bytes == Some(0) {
            return Err(KeepingFault::NoBytes);
        }
        let KeepingParts { catalog, audit, .. } = &*self.parts;
        let (now, by) = (self.now(), actor.principal.to_string());
        catalog
            .transact(|mut tx| {
                let by = by.clone();
                async move {
                    store::put_rule(&mut tx, (actor.project, kind), rule, (now, by.as_str())).await?;
                    let detail = json!({
                        "keep_seconds": rule.keep_for.map(|keep| keep.as_secs()),
                        "max_bytes": rule.max_bytes,
                    });
                    let entry = AuditEntry { action: "retention.set", subject: kind.as_str().to_owned(), detail };
                    audit.record(&mut tx, actor, entry).await?;
                    Ok::<_, KeepingFault>((tx, ()))
                }
            })
            .await
    }

    /// Asks for an erasure. One of the same subject that is under way is answered instead.
    pub async fn ask(&self, actor: &Actor, subject: &Subject) -> Result<Erasure, KeepingFault> {
        let KeepingParts { catalog, jobs, audit, .. } = &*self.parts;
        let (now, by) = (self.now(), actor.principal.to_string());
        let id = ErasureId::new(now);
        let erasure = catalog
            .transact(|mut tx| {
                let by = by.clone();
                async move {
                    let (open, new) = ask_in(&mut tx, jobs, (id, actor.project), subject, (now, by.as_str())).await?;
                    if new {
                        // Whose it is must not outlive the erasure.
                        let detail =
                            json!({ "of": subject.kind(), "fingerprint": subject.fingerprint(actor.project).to_string() });
                        let entry = AuditEntry { action: "erasure.ask", subject: id.to_string(), detail };
                        audit.record(&mut tx, actor, entry).await?;
                    }
                    Ok::<_, KeepingFault>((tx, open))
                }
            })
            .await?;
        jobs.wake();
        self.with_server(erasure).await
    }

    pub async fn erasure(&self, actor: &Actor, id: ErasureId) -> Result<Erasure, KeepingFault> {
        let found = store::one(&self.parts.catalog, actor.project, id).await?;
        self.with_server(found.ok_or_else(|| KeepingFault::NoErasure { id: id.to_string() })?).await
    }

    async fn with_server(&self, erasure: Erasure) -> Result<Erasure, KeepingFault> {
        let id = erasure.id;
        let found = self.with_servers(vec![erasure]).await?.pop();
        found.ok_or_else(|| KeepingFault::NoErasure { id: id.to_string() })
    }

    /// Newest first.
    pub async fn erasures(&self, actor: &Actor, page: &PageRequest) -> Result<Page<Erasure>, KeepingFault> {
        let before = page.after::<ErasureId>()?;
        let found = store::list(&self.parts.catalog, actor.project, before, page.limit() + 1).await?;
        let Page { items, next } = Page::from_overfetch(found, page, |erasure| erasure.id);
        Ok(Page { items: self.with_servers(items).await?, next })
    }

    /// An erasure that is to be carried out, with its subject; none where there is nothing left to do.
    pub async fn begin(&self, id: ErasureId) -> Result<Option<(Erasure, Subject)>, KeepingFault> {
        let catalog = &self.parts.catalog;
        if !store::begin(catalog, id).await? {
            return Ok(None);
        }
        let Some(erasure) = store::any(catalog, id).await? else { return Ok(None) };
        let Some(subject) = erasure.subject.as_deref() else { return Ok(None) };
        let subject = Subject::read(&erasure.kind, subject)?;
        Ok(Some((erasure, subject)))
    }

    /// Says why an erasure is not done yet, or never will be.
    pub async fn report(&self, id: ErasureId, why: &str, state: ErasureState) -> Result<(), KeepingFault> {
        Ok(store::trouble(&self.parts.catalog, id, &mainspring_kernel::text::elide(why, 1_000), state).await?)
    }

    /// Ends an erasure together with its job, where every server has `answered` so far, or has not been heard of for so long
    /// that nobody waits for it. Afterwards nothing says whose it was.
    pub async fn finish(&self, actor: &Actor, id: ErasureId, lease: &Lease, answered: i64) -> Result<(), KeepingFault> {
        let KeepingParts { catalog, jobs, audit, .. } = &*self.parts;
        let found = store::any(catalog, id).await?;
        let erased = found.ok_or_else(|| KeepingFault::NoErasure { id: id.to_string() })?.erased;
        let now = self.now();
        catalog
            .transact(|mut tx| async move {
                // Together with the end: one that comes in between is known, or finds that it is done.
                let (awaited, without) = self.weighed(store::missing_in(&mut tx, id, answered).await?);
                if !awaited.is_empty() {
                    return Err(part::waits_for(&awaited));
                }
                for server in &without {
                    store::give_up(&mut tx, id, server).await?;
                }
                store::forget_found(&mut tx, id).await?;
                store::done(&mut tx, id, now).await?;
                let servers: Vec<String> = without.iter().map(|server| server.server.to_string()).collect();
                let Erased { spans, points, bytes, values } = erased;
                let mut detail = json!({ "spans": spans, "points": points, "bytes": bytes, "values": values });
                if !servers.is_empty() {
                    detail["without"] = servers.into();
                }
                let entry = AuditEntry { action: "erasure.finish", subject: id.to_string(), detail: detail.clone() };
                audit.record(&mut tx, actor, entry).await?;
                jobs.complete_in(&mut tx, lease, &json!({ "outcome": "done", "erased": detail })).await?;
                Ok::<_, KeepingFault>((tx, ()))
            })
            .await?;
        // Nor does the catalog's log of changes.
        catalog.scrub().await?;
        Ok(())
    }
}

/// Asks for an erasure, with its job, and answers the one that is under way, and whether it is this one.
async fn ask_in(
    tx: &mut Tx,
    jobs: &Jobs,
    (id, project): (ErasureId, ProjectId),
    subject: &Subject,
    (now, by): (Timestamp, &str),
) -> Result<(Erasure, bool), KeepingFault> {
    let new = store::insert(tx, (id, project), subject, (now, by)).await?;
    let open = store::open(tx, project, subject).await?;
    let open = open.ok_or_else(|| KeepingFault::NoErasure { id: id.to_string() })?;
    // One whose job was cancelled gets another.
    let job = NewJob::new(EraseJob::kind(), EraseJob::of(open.id)).in_project(project);
    jobs.enqueue_in(tx, &job.deduped_by(open.id.to_string()).with_attempts(ATTEMPTS)).await?;
    Ok((open, new))
}
