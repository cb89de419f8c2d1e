//! A batch from start to end, as a job.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mainspring_jobs::{Context, Failure, Handler, Job, Retry, Worker};
use mainspring_kernel::{Fault as _, FaultKind, fault, id::BatchId};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{
    drive::{Drive, Halt},
    fault::BatchFault,
    model::{Batch, FileId, LineError, Purpose, Status},
    seam::{Answers, Standing},
    service::{Batches, job_kind},
    store::{self, NewFile},
};

/// Batches under way at once; those that wait for a limit take a place too.
const BATCHES_AT_ONCE: usize = 4;
/// How long a batch of a dead process waits for another.
const LEASE: Duration = Duration::from_secs(30);
/// How many rows of an ended batch are forgotten in one go.
pub(crate) const FORGET_AT_ONCE: usize = 2_000;

/// Carries out batches.
#[derive(Debug, Clone)]
pub struct Runner {
    pub(crate) batches: Batches,
    pub(crate) answers: Arc<dyn Answers>,
    pub(crate) standing: Arc<dyn Standing>,
    /// Lines under way, of all batches.
    pub(crate) places: Arc<Semaphore>,
}

impl Runner {
    #[must_use]
    pub fn new(batches: Batches, answers: Arc<dyn Answers>, standing: Arc<dyn Standing>) -> Self {
        let places = Arc::new(Semaphore::new(batches.config().concurrency.max(1)));
        Self { batches, answers, standing, places }
    }

    /// A worker that takes up batches, for `Tasks`. `owner` names the process.
    #[must_use]
    pub fn worker(&self, owner: &str) -> Worker {
        let worker = Worker::new(self.batches.jobs().clone(), owner).handle(job_kind(), Arc::new(self.clone()));
        worker.slots(BATCHES_AT_ONCE).lease(LEASE)
    }

    async fn carry_out(&self, id: BatchId, context: &Context) -> Result<Carried, BatchFault> {
        let mut batch = self.batches.find(id).await?;
        if batch.in_progress.is_none() && !batch.status.has_ended() {
            batch = self.begin(&batch).await?;
        }
        if matches!(batch.status, Status::InProgress | Status::Cancelling) {
            let (driven, halt) = Drive::begin(self, batch).await?.run(context).await?;
            let (ends_as, errors) = match halt {
                Halt::Stopping => return Ok(Carried::Stopped),
                Halt::Done => (Status::Completed, Vec::new()),
                Halt::Cancelled => (Status::Cancelled, Vec::new()),
                Halt::Expired => (Status::Expired, Vec::new()),
                Halt::Refused(why) => (Status::Failed, vec![why]),
            };
            batch = self.finalize(&driven, ends_as, &errors).await?;
        }
        if batch.status == Status::Finalizing {
            batch = self.end(&batch).await?;
        }
        while store::forget_results(self.batches.catalog(), id, FORGET_AT_ONCE).await? == FORGET_AT_ONCE {}
        Ok(Carried::Ended(batch.status))
    }

    /// Looks at the lines, and makes the files of what they will give.
    async fn begin(&self, batch: &Batch) -> Result<Batch, BatchFault> {
        let found = self.batches.validate(batch).await?;
        if !found.errors.is_empty() {
            return self.refuse(batch.id, &found.errors).await;
        }
        let (id, now) = (batch.id, self.batches.now());
        let (output, failures) = (FileId::new(now), FileId::new(now));
        let names = (format!("{id}_output.jsonl"), format!("{id}_error.jsonl"));
        let total = found.lines;
        let files = &[(output, names.0), (failures, names.1)];
        self.batches
            .catalog()
            .transact(|mut tx| async move {
                if store::begin_batch(&mut tx, (id, total), (output, failures), now).await? {
                    for (file, name) in files {
                        let new = NewFile {
                            id: *file,
                            project: batch.project,
                            name,
                            purpose: Purpose::BatchOutput,
                            state: "growing",
                            created: now,
                            created_by: batch.maker.principal,
                            labels: &batch.maker.labels,
                        };
                        store::insert_file_in(&mut tx, &new).await?;
                    }
                }
                let batch = Batches::find_in(&mut tx, id).await?;
                Ok((tx, batch))
            })
            .await
    }

    /// Ends a batch of which no line was asked.
    async fn refuse(&self, id: BatchId, errors: &[LineError]) -> Result<Batch, BatchFault> {
        let now = self.batches.now();
        self.batches
            .catalog()
            .transact(|mut tx| async move {
                store::refuse_batch(&mut tx, id, errors, now).await?;
                let batch = Batches::find_in(&mut tx, id).await?;
                Ok((tx, batch))
            })
            .await
    }

    /// From here on no result is added.
    async fn finalize(&self, batch: &Batch, ends_as: Status, errors: &[LineError]) -> Result<Batch, BatchFault> {
        let (id, now) = (batch.id, self.batches.now());
        self.batches
            .catalog()
            .transact(|mut tx| async move {
                store::finalize_batch(&mut tx, id, (ends_as, errors), now).await?;
                let batch = Batches::find_in(&mut tx, id).await?;
                Ok((tx, batch))
            })
            .await
    }

    /// Puts what is left into the files; the batch and its files are ready in one.
    async fn end(&self, batch: &Batch) -> Result<Batch, BatchFault> {
        self.batches.pack(batch, true).await?;
        let (id, now) = (batch.id, self.batches.now());
        let expires = now.plus(batch.keep_output);
        let batch = self
            .batches
            .catalog()
            .transact(|mut tx| async move {
                let kept = |ok| batch.file(ok).filter(|_| batch.count(ok) > 0);
                if store::end_batch(&mut tx, id, (kept(true), kept(false)), now).await? {
                    for ok in [true, false] {
                        match (kept(ok), batch.file(ok)) {
                            (Some(file), _) => store::ready_results(&mut tx, file, expires).await?,
                            (None, Some(file)) => store::drop_file(&mut tx, file).await?,
                            (None, None) => {}
                        }
                    }
                }
                let batch = Batches::find_in(&mut tx, id).await?;
                Ok::<_, BatchFault>((tx, batch))
            })
            .await?;
        let counts = batch.counts;
        tracing::info!(batch.id = %id, status = batch.status.as_str(), counts.completed, counts.failed, counts.total, "a batch has ended");
        Ok(batch)
    }

    /// A file that is gone or damaged stays so, and the batch cannot go on.
    async fn give_up(&self, id: BatchId, why: &BatchFault) -> Result<Carried, BatchFault> {
        let errors = [LineError::of_batch("input_unreadable", format!("the input file cannot be read: {}", fault::chain(why)))];
        let batch = self.refuse(id, &errors).await?;
        let batch = if batch.status.has_ended() { batch } else { self.finalize(&batch, Status::Failed, &errors).await? };
        let batch = if batch.status == Status::Finalizing { self.end(&batch).await? } else { batch };
        Ok(Carried::Ended(batch.status))
    }
}

enum Carried {
    Ended(Status),
    Stopped,
}

#[async_trait]
impl Handler for Runner {
    async fn run(&self, job: &Job, context: &Context) -> Result<Value, Failure> {
        let never = |message: &str| Failure { message: message.to_owned(), retry: Retry::Never };
        let id = job.payload["batch"].as_str().and_then(|id| id.parse::<BatchId>().ok());
        let id = id.ok_or_else(|| never("the job names no batch"))?;
        let carried = match Box::pin(self.carry_out(id, context)).await {
            Err(fault) if fault.is_of_the_file() => self.give_up(id, &fault).await,
            other => other,
        };
        match carried {
            Ok(Carried::Ended(status)) => Ok(json!({ "outcome": status.as_str() })),
            Ok(Carried::Stopped) => Err(Failure { message: "the process stops".to_owned(), retry: Retry::Later }),
            Err(fault) if fault.kind() == FaultKind::NotFound => Err(never("its batch is gone")),
            // Somebody else may have moved it on meanwhile; the next look tells.
            Err(fault) => Err(Failure { message: fault::chain(&fault), retry: Retry::Later }),
        }
    }
}
