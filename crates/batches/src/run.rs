//! A batch from start to end, as a job.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use mainspring_jobs::{Context, Failure, Handler, Job, Retry, Worker};
use mainspring_kernel::{
    Actor, Fault as _, FaultKind, Stop, Timestamp, fault,
    id::{BatchId, ProjectId, RequestId},
};
use serde_json::{Value, json};
use tracing::Instrument as _;

use crate::{
    drive::{Drive, Halt, unreadable},
    fault::BatchFault,
    lines::Asked,
    live::{Live, Open},
    model::{Batch, Endpoint, FileId, LineError, Purpose, Status},
    places::Places,
    seam::{Answers, LineReply, Standing},
    service::{Batches, job_kind},
    store::{self, NewFile},
    trip::Step,
};

/// Batches under way at once. One that has to wait gives its place back, and so does one that had its turn while others
/// wait.
const BATCHES_AT_ONCE: usize = 4;
/// How long a batch of a dead process waits for another.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// How often it is looked for answers that nobody waits for.
const TEND_EVERY: Duration = Duration::from_secs(1);
/// How many rows of an ended batch are forgotten in one go.
pub(crate) const FORGET_AT_ONCE: usize = 2_000;

/// Carries out batches.
#[derive(Debug, Clone)]
pub struct Runner {
    hands: Hands,
    live: Live,
}

/// What it takes to ask lines.
#[derive(Debug, Clone)]
pub(crate) struct Hands {
    pub(crate) batches: Batches,
    pub(crate) answers: Arc<dyn Answers>,
    pub(crate) standing: Arc<dyn Standing>,
    /// Lines under way, of all batches.
    pub(crate) places: Places,
    /// Which process this is. Whoever comes after it under the same name knows that it is gone.
    pub(crate) me: Arc<str>,
}

impl Hands {
    /// Asks one line, when one of the process's places is free.
    pub(crate) fn ask(&self, open: &mut Open, (project, of): (ProjectId, (BatchId, Endpoint)), actor: Actor, asked: Asked) {
        let (answers, places, hold) = (Arc::clone(&self.answers), self.places.clone(), open.hold.clone());
        open.lines.insert(asked.number);
        let asking = async move {
            let _place = places.take(project).await;
            if !hold.holds() {
                return (asked, None);
            }
            let answer = answers.answer(&actor, of, asked.body.clone());
            // A line that brings down whoever answers it must not bring down its batch again and again.
            let reply = AssertUnwindSafe(answer).catch_unwind().await;
            let reply = reply.unwrap_or_else(|_| {
                tracing::error!(line = asked.number, "batch.panicked: answering a line panicked");
                let body = Bytes::from_static(
                    br#"{"error":{"message":"internal error","type":"server_error","param":null,"code":"internal"}}"#,
                );
                LineReply { status: 500, request_id: String::new(), body, again: None }
            });
            (asked, Some(reply))
        };
        open.under_way.spawn(asking.in_current_span());
    }
}

impl Runner {
    #[must_use]
    pub fn new(batches: Batches, answers: Arc<dyn Answers>, standing: Arc<dyn Standing>) -> Self {
        let places = Places::new(batches.config().concurrency);
        let me = RequestId::new(batches.now()).to_string().into();
        Self { hands: Hands { batches, answers, standing, places, me }, live: Live::default() }
    }

    /// Under a name that this process keeps when it starts again, and no other has at the same time. Without one, whoever
    /// takes up a batch of a process that was killed waits until none of its calls can be under way.
    #[must_use]
    pub fn known_as(mut self, name: &str) -> Self {
        self.hands.me = name.into();
        self
    }

    fn batches(&self) -> &Batches {
        &self.hands.batches
    }

    /// A worker that takes up batches, for `Tasks`. `owner` names the process.
    #[must_use]
    pub fn worker(&self, owner: &str) -> Worker {
        let worker = Worker::new(self.batches().jobs().clone(), owner).handle(job_kind(), Arc::new(self.clone()));
        worker.slots(BATCHES_AT_ONCE).lease(LEASE)
    }

    /// Writes down answers of batches that this process holds no longer: they were paid for. Give it to `Tasks`.
    pub async fn keep_writing(self, stop: Stop) {
        while stop.sleep(TEND_EVERY).await {
            self.write_what_came().await;
        }
        self.write_what_came().await;
    }

    pub(crate) async fn write_what_came(&self) {
        self.live.write_what_came(self.batches()).await;
    }

    async fn carry_out(&self, id: BatchId, context: &Context) -> Result<Carried, BatchFault> {
        let mut batch = self.batches().find(id).await?;
        if batch.in_progress.is_none() && !batch.status.has_ended() {
            batch = self.begin(&batch).await?;
        }
        if matches!(batch.status, Status::InProgress | Status::Cancelling) {
            let (driven, halt) = self.drive(batch, context).await?;
            let (ends_as, errors) = match halt {
                Halt::Stopping => return Ok(Carried::Stopped),
                Halt::Rests(until) => return Ok(Carried::Rests(until)),
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
        while store::forget_results(self.batches().catalog(), id, FORGET_AT_ONCE).await? == FORGET_AT_ONCE {}
        Ok(Carried::Ended(batch.status))
    }

    /// Lines stay open in their seat where this is broken off: what they give is not lost with the lease, and whoever takes
    /// up the batch again in this process goes on with them.
    fn drive<'a>(&'a self, batch: Batch, context: &'a Context) -> BoxFuture<'a, Result<(Batch, Halt), BatchFault>> {
        Box::pin(async move {
            let id = batch.id;
            let mut open = self.live.seat(id).lock_owned().await;
            let driven = match Drive::begin(&self.hands, &mut open, batch).await {
                Ok(drive) => Box::pin(drive.run(context)).await,
                Err(fault) => Err(fault),
            };
            drop(open);
            self.live.leave(id);
            driven
        })
    }

    /// Looks at the lines, and makes the files of what they will give.
    async fn begin(&self, batch: &Batch) -> Result<Batch, BatchFault> {
        self.batches().trip(Step::Begin)?;
        let found = self.batches().validate(batch).await?;
        if !found.errors.is_empty() {
            return self.refuse(batch.id, &found.errors).await;
        }
        let (id, now) = (batch.id, self.batches().now());
        let (output, failures) = (FileId::new(now), FileId::new(now));
        let names = (format!("{id}_output.jsonl"), format!("{id}_error.jsonl"));
        let total = found.lines;
        let files = &[(output, names.0), (failures, names.1)];
        self.batches()
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
        let now = self.batches().now();
        self.batches()
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
        let (id, now) = (batch.id, self.batches().now());
        self.batches().trip(Step::Finalize)?;
        self.batches()
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
        self.batches().pack(batch, true).await?;
        self.batches().trip(Step::End)?;
        let (id, now) = (batch.id, self.batches().now());
        let expires = now.plus(batch.keep_output);
        let batch = self
            .batches()
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
        let errors = [unreadable(why)];
        let batch = self.refuse(id, &errors).await?;
        let batch = if batch.status.has_ended() { batch } else { self.finalize(&batch, Status::Failed, &errors).await? };
        let batch = if batch.status == Status::Finalizing { self.end(&batch).await? } else { batch };
        Ok(Carried::Ended(batch.status))
    }

    #[cfg(test)]
    pub(crate) const fn hands(&self) -> &Hands {
        &self.hands
    }

    /// How many batches have lines open in this process, for tests.
    #[cfg(test)]
    pub(crate) fn open(&self) -> usize {
        self.live.len()
    }
}

enum Carried {
    Ended(Status),
    Stopped,
    Rests(Timestamp),
}

#[async_trait]
impl Handler for Runner {
    async fn run(&self, job: &Job, context: &Context) -> Result<Value, Failure> {
        let fails = |message: &str, retry| Failure { message: message.to_owned(), retry };
        let id = job.payload["batch"].as_str().and_then(|id| id.parse::<BatchId>().ok());
        let id = id.ok_or_else(|| fails("the job names no batch", Retry::Never))?;
        let carried = match Box::pin(self.carry_out(id, context)).await {
            Err(fault) if fault.is_of_the_file() => self.give_up(id, &fault).await,
            other => other,
        };
        match carried {
            Ok(Carried::Ended(status)) => Ok(json!({ "outcome": status.as_str() })),
            Ok(Carried::Stopped) => Err(fails("the process stops", Retry::Later)),
            Ok(Carried::Rests(until)) => Err(fails("it rests", Retry::At(until))),
            Err(fault) if fault.kind() == FaultKind::NotFound => Err(fails("its batch is gone", Retry::Never)),
            // Somebody else may have moved it on meanwhile; the next look tells.
            Err(fault) => Err(Failure { message: fault::chain(&fault), retry: Retry::Later }),
        }
    }
}
