//! Putting jobs in, taking them out, and looking at them.

use std::{sync::Arc, time::Duration};

use mainspring_catalog::{Catalog, Tx};
use mainspring_kernel::{
    Actor, Clock, Name, Page, PageRequest, Role, Timestamp,
    id::{JobId, ProjectId},
    text,
};
use serde_json::Value;
use tokio::sync::Notify;

use crate::{
    fault::JobFault,
    model::{Contest, Enqueued, Job, JobCount, JobFilter, JobState, Lease, NewJob, Retry},
    store,
};

pub(crate) const JSON_MAX: usize = 256 << 10;
const DEDUPE_MAX: usize = 500;
const ERROR_MAX: usize = 4_000;
/// The pause before the second attempt; each later one is twice as long, up to the longest.
const BACKOFF_FIRST: Duration = Duration::from_secs(2);
const BACKOFF_LONGEST: Duration = Duration::from_secs(600);

/// The queue. Clones share everything.
#[derive(Debug, Clone)]
pub struct Jobs {
    pub(crate) catalog: Catalog,
    pub(crate) clock: Arc<dyn Clock>,
    /// Wakes workers of this process; those of others look every second.
    pub(crate) woken: Arc<Notify>,
}

impl Jobs {
    #[must_use]
    pub fn open(catalog: Catalog, clock: Arc<dyn Clock>) -> Self {
        Self { catalog, clock, woken: Arc::default() }
    }

    pub async fn enqueue(&self, new: &NewJob) -> Result<Enqueued, JobFault> {
        let enqueued = self
            .catalog
            .transact(|mut tx| async move {
                let enqueued = self.enqueue_in(&mut tx, new).await?;
                Ok::<_, JobFault>((tx, enqueued))
            })
            .await?;
        self.wake();
        Ok(enqueued)
    }

    /// Makes a job together with another change. Call `wake` after the commit, or workers of this
    /// process find it a second later.
    pub async fn enqueue_in(&self, tx: &mut Tx, new: &NewJob) -> Result<Enqueued, JobFault> {
        fits("the payload of a job", JSON_MAX, new.payload.to_string().len())?;
        fits("a dedupe key", DEDUPE_MAX, new.dedupe.as_ref().map_or(0, String::len))?;
        let dedupe = new.dedupe.as_ref().map(|key| dedupe_key(new.project, &new.kind, key));
        let now = self.clock.now();
        let id = JobId::new(now);
        if store::insert(tx, id, new, dedupe.as_deref(), now).await? {
            return Ok(Enqueued::New(id));
        }
        // Nothing but the dedupe key can have stood in the way: ids are new.
        let key = dedupe.unwrap_or_default();
        store::unfinished(tx, &key).await?.map(Enqueued::Already).ok_or(JobFault::NotFound { id })
    }

    /// Tells waiting workers of this process to look again.
    pub fn wake(&self) {
        self.woken.notify_waiters();
    }

    /// Takes the most urgent job of these kinds that is due, or whose worker died. Among equally urgent ones a job of the
    /// project that has fewest of that kind under way goes first.
    pub async fn lease(&self, owner: &str, kinds: &[Name], lasts: Duration) -> Result<Option<Lease>, JobFault> {
        let kinds = kinds.iter().fold(String::from(","), |list, kind| format!("{list},{kind},"));
        let now = self.clock.now();
        // Idle workers only read: on SQLite a write would hold up everybody else's.
        if !store::any_due(&self.catalog, &kinds, now).await? {
            return Ok(None);
        }
        self.end_exhausted().await?;
        Ok(store::lease(&self.catalog, (&kinds, owner), (now, now.plus(lasts))).await?)
    }

    /// Keeps the lease for as long again; answers whether cancelling was asked for.
    pub async fn heartbeat(&self, lease: &mut Lease) -> Result<bool, JobFault> {
        let until = self.clock.now().plus(lease.lasts);
        let cancel = store::heartbeat(&self.catalog, lease, until).await?;
        let cancel = cancel.ok_or(JobFault::LeaseLost { id: lease.job.id })?;
        lease.until = until;
        Ok(cancel)
    }

    pub async fn progress(&self, lease: &Lease, progress: &Value) -> Result<(), JobFault> {
        fits("the progress of a job", JSON_MAX, progress.to_string().len())?;
        held(lease, store::progress(&self.catalog, lease, progress).await?)
    }

    pub async fn complete(&self, lease: &Lease, result: &Value) -> Result<(), JobFault> {
        self.catalog
            .transact(|mut tx| async move {
                self.complete_in(&mut tx, lease, result).await?;
                Ok((tx, ()))
            })
            .await
    }

    /// Ends the job together with what it made, so that neither is there without the other.
    pub async fn complete_in(&self, tx: &mut Tx, lease: &Lease, result: &Value) -> Result<(), JobFault> {
        fits("the result of a job", JSON_MAX, result.to_string().len())?;
        held(lease, store::complete(tx, lease, result, self.clock.now()).await?)
    }

    /// Ends the attempt; answers what became of the job.
    pub async fn fail(&self, lease: &Lease, error: &str, retry: Retry) -> Result<JobState, JobFault> {
        if let Retry::At(due) = retry {
            self.rest(lease, due).await?;
            return Ok(JobState::Queued);
        }
        let now = self.clock.now();
        let error = text::elide(error, ERROR_MAX).replace('\0', "\u{fffd}");
        let due = now.plus(backoff(lease.job.attempt));
        let again = retry == Retry::Later;
        let row = store::fail(&self.catalog, lease, (&error, again), (now, due)).await?;
        let row = row.ok_or(JobFault::LeaseLost { id: lease.job.id })?;
        Ok(row.parse("state")?)
    }

    /// Gives the job back unharmed: the worker is shutting down. It costs no attempt.
    pub async fn release(&self, lease: &Lease) -> Result<(), JobFault> {
        let released = store::release(&self.catalog, lease).await?;
        self.wake();
        held(lease, released)
    }

    /// Gives the job back until a moment before which there is nothing to do. It costs no attempt. One that somebody wants
    /// cancelled, or hastened since it was taken, stays due, so that a worker hears of it.
    pub async fn rest(&self, lease: &Lease, due: Timestamp) -> Result<(), JobFault> {
        held(lease, store::rest(&self.catalog, lease, due).await?)
    }

    /// Makes a job that rests due at once, also one that is only about to rest: what it waited for may have come.
    pub async fn hasten(&self, project: ProjectId, kind: &Name, key: &str) -> Result<(), JobFault> {
        store::hasten(&self.catalog, &dedupe_key(Some(project), kind, key), self.clock.now()).await?;
        self.wake();
        Ok(())
    }

    /// Whether a job of a kind is due and no worker has it, and how many are under way of its project and of this one.
    pub async fn contest(&self, kind: &Name, project: ProjectId) -> Result<Option<Contest>, JobFault> {
        Ok(store::contest(&self.catalog, kind, project, self.clock.now()).await?)
    }

    /// How many jobs of a kind are under way, of all projects.
    pub async fn under_way(&self, kind: &Name) -> Result<u64, JobFault> {
        Ok(store::under_way(&self.catalog, kind).await?)
    }

    /// How the newest job with a dedupe key ended, or that it has not.
    pub async fn latest_state(&self, project: ProjectId, kind: &Name, key: &str) -> Result<Option<JobState>, JobFault> {
        let found = store::latest(&self.catalog, (project, kind), &dedupe_key(Some(project), kind, key)).await?;
        Ok(found.map(|job| job.state))
    }

    /// Lets every job that a worker holds go to another at once: for whoever knows that no worker is alive.
    pub async fn end_leases(&self) -> Result<usize, JobFault> {
        Ok(store::end_leases(&self.catalog).await?)
    }

    /// A queued job ends at once; a running one is asked to, and is cancelled when its worker heeds it.
    pub async fn cancel(&self, actor: &Actor, id: JobId) -> Result<(), JobFault> {
        needs(actor, Role::Editor)?;
        if store::cancel(&self.catalog, actor.project, id, self.clock.now()).await? {
            return Ok(());
        }
        match store::get(&self.catalog, actor.project, id).await? {
            Some(_) => Err(JobFault::Ended { id }),
            None => Err(JobFault::NotFound { id }),
        }
    }

    pub async fn get(&self, actor: &Actor, id: JobId) -> Result<Job, JobFault> {
        needs(actor, Role::Reader)?;
        store::get(&self.catalog, actor.project, id).await?.ok_or(JobFault::NotFound { id })
    }

    /// The newest job with a dedupe key, ended or not.
    pub async fn latest(&self, actor: &Actor, kind: &Name, key: &str) -> Result<Option<Job>, JobFault> {
        needs(actor, Role::Reader)?;
        let dedupe = dedupe_key(Some(actor.project), kind, key);
        Ok(store::latest(&self.catalog, (actor.project, kind), &dedupe).await?)
    }

    /// Newest first.
    pub async fn list(&self, actor: &Actor, filter: &JobFilter, page: &PageRequest) -> Result<Page<Job>, JobFault> {
        needs(actor, Role::Reader)?;
        let before = page.after::<JobId>()?;
        let jobs = store::list(&self.catalog, actor.project, filter, before, page.limit() + 1).await?;
        Ok(Page::from_overfetch(jobs, page, |job| job.id))
    }

    /// Over all projects, for metrics.
    pub async fn counts(&self) -> Result<Vec<JobCount>, JobFault> {
        Ok(store::counts(&self.catalog).await?)
    }

    /// Jobs whose last attempt died with its worker.
    pub(crate) async fn end_exhausted(&self) -> Result<(), JobFault> {
        const REASON: &str = "the worker died in the last attempt";
        for id in store::end_exhausted(&self.catalog, self.clock.now(), REASON).await? {
            tracing::warn!(job.id = %id, "job.exhausted: its worker died in the last attempt");
        }
        Ok(())
    }
}

pub(crate) fn needs(actor: &Actor, needed: Role) -> Result<(), JobFault> {
    if actor.may(needed) { Ok(()) } else { Err(JobFault::Forbidden { needed }) }
}

pub(crate) fn fits(what: &'static str, limit: usize, given: usize) -> Result<(), JobFault> {
    if given <= limit { Ok(()) } else { Err(JobFault::TooLarge { what, limit, given }) }
}

/// Keys of different projects and kinds never meet.
fn dedupe_key(project: Option<ProjectId>, kind: &Name, key: &str) -> String {
    let project = project.map_or_else(String::new, |project| project.to_string());
    format!("{project}/{kind}/{key}")
}

fn held(lease: &Lease, changed: bool) -> Result<(), JobFault> {
    if changed { Ok(()) } else { Err(JobFault::LeaseLost { id: lease.job.id }) }
}

/// Doubles with each attempt; a random half of it is left out, so that jobs which failed together
/// do not come back together.
pub(crate) fn backoff(attempt: u32) -> Duration {
    let longest = BACKOFF_LONGEST.as_millis() as u64;
    let first = BACKOFF_FIRST.as_millis() as u64;
    let full = first.saturating_mul(1 << attempt.saturating_sub(1).min(20)).min(longest);
    Duration::from_millis(rand::random_range(full / 2..=full))
}
