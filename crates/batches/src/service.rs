//! Making, finding and cancelling batches.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use mainspring_blobs::Blobs;
use mainspring_catalog::{Catalog, Tx};
use mainspring_jobs::{Jobs, NewJob};
use mainspring_kernel::{
    Actor, Clock, Labels, Name, Role, Timestamp,
    id::{BatchId, PrincipalId, ProjectId},
};
use serde_json::json;

use crate::{
    fault::BatchFault,
    files::kept_within_bounds,
    model::{Batch, BatchQuery, Counts, KEEP_FOR, Maker, NewBatch, Purpose, Status, Waiting},
    rest::{Begun, Rest},
    store,
    tally::Tally,
    trip::Step,
};

/// As many pairs, and as long, as OpenAI takes.
const METADATA_MAX: usize = 16;
const METADATA_KEY_MAX: usize = 64;
const METADATA_VALUE_MAX: usize = 512;
const WINDOW_SHORTEST: Duration = Duration::from_secs(60);
const WINDOW_LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// A batch may outlive many processes; what bounds it is its window.
const ATTEMPTS: u32 = 1_000;

/// What this room needs.
#[derive(Debug, Clone)]
pub struct Parts {
    pub catalog: Catalog,
    /// For this room alone: it deletes what its files have left.
    pub blobs: Blobs,
    pub jobs: Jobs,
    pub clock: Arc<dyn Clock>,
}

#[derive(Debug, Clone, Copy)]
pub struct BatchConfig {
    /// How large an upload may be, in bytes.
    pub file_limit: u64,
    /// How long a line may be, in bytes.
    pub line_limit: usize,
    /// How many lines a batch may have.
    pub lines_max: u64,
    /// How many files a project may have, those that batches write among them.
    pub files_max: u64,
    /// How much they may take together, in bytes.
    pub bytes_max: u64,
    /// How many batches of a project may be unfinished.
    pub batches_max: u64,
    /// How long a file is kept where nobody said.
    pub keep_files: Duration,
    /// Lines under way at once, of all batches of this process.
    pub concurrency: usize,
    /// How long a batch keeps its place while others wait for one.
    pub turn: Duration,
    /// How long a line waits at first where whoever was asked had no time; twice as long each time.
    pub busy: Duration,
    /// How long lines under way may take to end when the process stops.
    pub drain: Duration,
    /// How long answering a line takes at most. A line that another process may be asking is left alone for so long.
    pub longest: Duration,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            file_limit: 512 << 20,
            line_limit: 32 << 20,
            lines_max: 50_000,
            files_max: 10_000,
            bytes_max: 32 << 30,
            batches_max: 100,
            keep_files: KEEP_FOR,
            concurrency: 8,
            turn: Duration::from_secs(10),
            busy: Duration::from_secs(1),
            drain: Duration::from_secs(10),
            longest: Duration::from_secs(300),
        }
    }
}

/// Files and batches. Clones share everything.
#[derive(Debug, Clone)]
pub struct Batches {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    parts: Parts,
    config: BatchConfig,
    tally: Tally,
    #[cfg(test)]
    faults: std::sync::Mutex<Vec<Step>>,
}

/// What the labels of a maker protect is seen by those who hold them all.
pub(crate) fn may_see(actor: &Actor, labels: &Labels) -> bool {
    match (&actor.labels, labels) {
        (Labels::All, _) => true,
        (Labels::Some(_), Labels::All) => false,
        (Labels::Some(held), Labels::Some(needed)) => needed.is_subset(held),
    }
}

/// Whoever made it, and editors.
pub(crate) fn may_change(actor: &Actor, made_by: PrincipalId) -> Result<(), BatchFault> {
    if actor.principal == made_by || actor.may(Role::Editor) { Ok(()) } else { Err(BatchFault::Forbidden { whom: made_by }) }
}

/// The kind of job that a batch is.
#[must_use]
pub(crate) fn job_kind() -> Name {
    "batch".parse().expect("`batch` is a name")
}

pub(crate) fn job(project: ProjectId, id: BatchId) -> NewJob {
    let job = NewJob::new(job_kind(), json!({ "batch": id }));
    job.in_project(project).deduped_by(id.to_string()).with_attempts(ATTEMPTS)
}

impl Batches {
    #[must_use]
    pub fn open(parts: Parts, config: BatchConfig) -> Self {
        let inner = Inner {
            parts,
            config,
            tally: Tally::default(),
            #[cfg(test)]
            faults: std::sync::Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.inner.parts.catalog
    }

    pub(crate) fn blobs(&self) -> &Blobs {
        &self.inner.parts.blobs
    }

    pub(crate) fn jobs(&self) -> &Jobs {
        &self.inner.parts.jobs
    }

    pub(crate) fn config(&self) -> &BatchConfig {
        &self.inner.config
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.inner.tally
    }

    /// Steps that fail, each once, as if the catalog had not answered.
    #[cfg(test)]
    pub(crate) fn faults(&self) -> &std::sync::Mutex<Vec<Step>> {
        &self.inner.faults
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.parts.clock.now()
    }

    /// Makes a batch, and the job that answers its lines, in one.
    pub async fn create(&self, actor: &Actor, new: &NewBatch) -> Result<Batch, BatchFault> {
        check(new)?;
        let input = self.file(actor, new.input).await.map_err(|fault| match fault {
            BatchFault::FileNotFound { id } => {
                BatchFault::Invalid { parameter: "input_file_id", reason: format!("there is no file `{id}`") }
            }
            fault => fault,
        })?;
        if input.purpose != Purpose::Batch {
            let reason = format!("the file is for {}, not for batch", input.purpose.as_str());
            return Err(BatchFault::Invalid { parameter: "input_file_id", reason });
        }
        let keep_output = new.keep_output.map(|keep| kept_within_bounds(keep, "output_expires_after")).transpose()?;
        let keep_output = keep_output.unwrap_or(self.config().keep_files);
        let now = self.now();
        let batch = &Batch {
            id: BatchId::new(now),
            project: actor.project,
            endpoint: new.endpoint,
            input: new.input,
            window: new.window,
            status: Status::Validating,
            metadata: new.metadata.clone(),
            maker: Maker { principal: actor.principal, key: actor.key, role: actor.role, labels: actor.labels.clone() },
            counts: Counts::default(),
            errors: Vec::new(),
            output: None,
            failures: None,
            keep_output,
            ends_as: None,
            created: now,
            expires: now.plus(new.window),
            in_progress: None,
            finalizing: None,
            cancelling: None,
            ended: None,
            rest: None,
        };
        self.catalog()
            .transact(|mut tx| async move {
                // The file may have been deleted meanwhile.
                if !store::is_ready(&mut tx, batch.input).await? {
                    return Err(BatchFault::FileNotFound { id: batch.input.to_string() });
                }
                self.room_for_a_batch(&mut tx, batch.project).await?;
                store::insert_batch(&mut tx, batch).await?;
                self.jobs().enqueue_in(&mut tx, &job(batch.project, batch.id)).await?;
                Ok((tx, ()))
            })
            .await?;
        self.jobs().wake();
        Ok(batch.clone())
    }

    pub async fn get(&self, actor: &Actor, id: BatchId) -> Result<Batch, BatchFault> {
        let found = store::batch_of(self.catalog(), actor.project, id).await?;
        found.filter(|batch| may_see(actor, &batch.maker.labels)).ok_or_else(|| BatchFault::NotFound { id: id.to_string() })
    }

    /// Whether it waits for a limit, as whoever works at it told last.
    pub async fn waiting(&self, actor: &Actor, batch: &Batch) -> Result<Option<Waiting>, BatchFault> {
        if batch.status != Status::InProgress {
            return Ok(None);
        }
        let job = self.jobs().latest(actor, &job_kind(), &batch.id.to_string()).await?;
        let told = job.and_then(|job| job.progress).and_then(|told| serde_json::from_value::<Waiting>(told).ok());
        Ok(told.filter(|waiting| waiting.until > self.now()))
    }

    /// Newest first; answers whether there are more.
    pub async fn list(&self, actor: &Actor, query: BatchQuery) -> Result<(Vec<Batch>, bool), BatchFault> {
        let (mut found, mut after) = (Vec::new(), query.after);
        loop {
            let batches = store::batches(self.catalog(), actor.project, after, query.limit + 1).await?;
            let last = batches.len() <= query.limit;
            after = batches.last().map(|batch| batch.id);
            found.extend(batches.into_iter().filter(|batch| may_see(actor, &batch.maker.labels)));
            if last || found.len() > query.limit {
                let more = found.len() > query.limit;
                found.truncate(query.limit);
                return Ok((found, more));
            }
        }
    }

    /// Asks for no further line. Lines under way are answered, and what there is is kept.
    pub async fn cancel(&self, actor: &Actor, id: BatchId) -> Result<Batch, BatchFault> {
        let batch = self.get(actor, id).await?;
        may_change(actor, batch.maker.principal)?;
        let cancelled = store::cancel_batch(self.catalog(), id, self.now()).await?;
        let batch = self.get(actor, id).await?;
        if batch.status == Status::Cancelling {
            // One that rests hears of it at once.
            self.jobs().hasten(batch.project, &job_kind(), &id.to_string()).await?;
        }
        match batch.status {
            // Twice is what people do to be sure.
            Status::Cancelling | Status::Cancelled => Ok(batch),
            _ if cancelled => Ok(batch),
            status => Err(BatchFault::Ended { id, status }),
        }
    }

    /// The same for whoever works at it.
    pub(crate) async fn cancel_from_within(&self, id: BatchId) -> Result<(), BatchFault> {
        self.trip(Step::Cancel)?;
        Ok(store::cancel_batch(self.catalog(), id, self.now()).await.map(drop)?)
    }

    /// Writes down where a batch goes on and which lines are asked, for process `me` that knows what `was` written last.
    /// Answers whether it may go on so: it may have been cancelled since. Where another process has it by now, it is stale.
    pub(crate) fn write_rest<'a>(
        &'a self,
        step: Step,
        id: BatchId,
        (was, me): (Option<&'a Begun>, &'a str),
        rest: &'a Rest,
    ) -> BoxFuture<'a, Result<bool, BatchFault>> {
        Box::pin(async move {
            self.trip(step)?;
            let transaction = self.catalog().transact(|mut tx| async move {
                let batch = Self::find_in(&mut tx, id).await?;
                let found = batch.rest.as_ref().and_then(|rest| rest.begun.as_ref());
                // The answer to an earlier word of ours may have got lost.
                let ours = found.map_or(rest.begun.is_none(), |found| found.by == me);
                if found != was && !ours {
                    return Err(BatchFault::Stale { id });
                }
                let may = store::rest_batch(&mut tx, id, rest).await?;
                Ok((tx, may))
            });
            transaction.await
        })
    }

    pub(crate) async fn find(&self, id: BatchId) -> Result<Batch, BatchFault> {
        self.trip(Step::Find)?;
        let found = store::find_batch(self.catalog(), id).await?;
        found.ok_or_else(|| BatchFault::NotFound { id: id.to_string() })
    }

    pub(crate) async fn find_in(tx: &mut Tx, id: BatchId) -> Result<Batch, BatchFault> {
        store::batch_in(tx, id).await?.ok_or_else(|| BatchFault::NotFound { id: id.to_string() })
    }
}

fn check(new: &NewBatch) -> Result<(), BatchFault> {
    let wrong = |parameter, reason: String| Err(BatchFault::Invalid { parameter, reason });
    if !(WINDOW_SHORTEST..=WINDOW_LONGEST).contains(&new.window) {
        return wrong("completion_window", "a window is 1m to 7d; OpenAI's is 24h".to_owned());
    }
    if new.metadata.len() > METADATA_MAX {
        return wrong("metadata", format!("at most {METADATA_MAX} pairs"));
    }
    for (key, value) in &new.metadata {
        let (key_length, value_length) = (key.chars().count(), value.chars().count());
        if key_length > METADATA_KEY_MAX || value_length > METADATA_VALUE_MAX || key.contains('\0') || value.contains('\0') {
            return wrong(
                "metadata",
                format!("keys have up to {METADATA_KEY_MAX} characters and values up to {METADATA_VALUE_MAX}"),
            );
        }
    }
    Ok(())
}
