//! One writer per table, and group commit.
//!
//! Callers put their change in a queue. The first one to find nobody writing starts the writer, a
//! task of its own that works the queue off and ends. So a change is whole or absent even when its
//! caller has gone, nothing idles, and what arrives during a commit shares the next one.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures::FutureExt as _;
use lance::{
    Dataset, Error,
    dataset::{CommitBuilder, InsertBuilder, UncommittedDelete, WriteMode, WriteParams, transaction::Transaction},
};
use mainspring_lake::{Commit, Filter, LakeFault, LakeVersion};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::{
    deadline::{ANSWER_WITHIN, CHANGE_WITHIN},
    echoes, prune, replace, schema, staged,
    table::Core,
    versions,
};

/// Changes waiting per table; more wait outside for a place.
const QUEUE: usize = 256;
/// A commit is closed to more appends beyond this, so that the first of them does not wait for the last.
const GROUP_ROWS: usize = 64 * 1024;
const GROUP_BYTES: usize = 64 << 20;

const PLACE_WITHIN: Duration = Duration::from_secs(30);
const COMMIT_WITHIN: Duration = Duration::from_secs(60);
/// Lance rebases a commit by itself this often; beyond that the change is made anew.
const REBASES: u32 = 20;
const REBASE_WITHIN: Duration = Duration::from_secs(10);
pub(crate) const ATTEMPTS: u32 = 8;

#[derive(Debug)]
pub(crate) enum Change {
    Append(Vec<RecordBatch>),
    Replace {
        delete: Filter,
        rows: Option<RecordBatch>,
        /// The columns by which rows are known, where they are.
        keys: Vec<String>,
    },
    /// The rows that the condition found in this version.
    ReplaceAsRead {
        read: LakeVersion,
        delete: Filter,
        rows: Option<RecordBatch>,
    },
    /// Its answer says how many bytes went as `deleted`.
    ClearLeftovers,
}

#[derive(Debug)]
struct Waiting {
    change: Change,
    answer: Answering,
    _place: OwnedSemaphorePermit,
}

#[derive(Debug)]
pub(crate) struct WriteQueue {
    places: Arc<Semaphore>,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Waiting>,
    writing: bool,
}

impl Default for WriteQueue {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(QUEUE)), line: Mutex::default() }
    }
}

/// Where who waits is told what became of it.
type Answering = oneshot::Sender<Result<Commit, LakeFault>>;
/// Rows that are appended together.
type Append = (Vec<RecordBatch>, Answering);

/// What the writer does next.
enum Work {
    Appends(Vec<Append>),
    Replace { delete: Filter, rows: Option<RecordBatch>, keys: Vec<String>, answer: Answering },
    ReplaceAsRead { read: LakeVersion, delete: Filter, rows: Option<RecordBatch>, answer: Answering },
    ClearLeftovers(Answering),
}

impl WriteQueue {
    /// Puts a change in line; answers whether the caller has to start a writer.
    fn push(&self, waiting: Waiting) -> bool {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.waiting.push_back(waiting);
        !std::mem::replace(&mut line.writing, true)
    }

    /// The next change, or as many appends as one commit takes. `None` ends the writer.
    fn next(&self) -> Option<Work> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(first) = line.waiting.pop_front() else {
            line.writing = false;
            return None;
        };
        let rows = match first.change {
            Change::Replace { delete, rows, keys } => {
                return Some(Work::Replace { delete, rows, keys, answer: first.answer });
            }
            Change::ReplaceAsRead { read, delete, rows } => {
                return Some(Work::ReplaceAsRead { read, delete, rows, answer: first.answer });
            }
            Change::ClearLeftovers => return Some(Work::ClearLeftovers(first.answer)),
            Change::Append(rows) => rows,
        };
        let mut size = size_of(&rows);
        let mut group = vec![(rows, first.answer)];
        while let Some(Waiting { change: Change::Append(rows), .. }) = line.waiting.front() {
            let more = size_of(rows);
            size = (size.0 + more.0, size.1 + more.1);
            if size.0 > GROUP_ROWS || size.1 > GROUP_BYTES {
                break;
            }
            if let Some(Waiting { change: Change::Append(rows), answer, .. }) = line.waiting.pop_front() {
                group.push((rows, answer));
            }
        }
        Some(Work::Appends(group))
    }

    /// After a writer that ended in an unforeseen way: whoever waits hears so, and the next change starts a new one.
    fn abandon(&self) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.waiting.clear();
        line.writing = false;
    }
}

/// Rows, and the memory they take.
fn size_of(batches: &[RecordBatch]) -> (usize, usize) {
    batches.iter().fold((0, 0), |(rows, bytes), batch| (rows + batch.num_rows(), bytes + batch.get_array_memory_size()))
}

/// Leaves the queue usable when the writer panics or is aborted at shutdown.
struct Writing<'a> {
    queue: &'a WriteQueue,
    done: bool,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.queue.abandon();
        }
    }
}

impl Core {
    /// Hands a change to the writer and waits until it is durable.
    pub(crate) async fn submit(self: &Arc<Self>, change: Change) -> Result<Commit, LakeFault> {
        let place = tokio::time::timeout(PLACE_WITHIN, self.queue.places.clone().acquire_owned()).await;
        let Ok(Ok(place)) = place else { return Err(LakeFault::Contended { table: self.name.to_string() }) };
        let (answer, outcome) = oneshot::channel();
        if self.queue.push(Waiting { change, answer, _place: place }) {
            let core = self.clone();
            self.shared.config.tasks.spawn(format!("lake writer of {}", self.name), |_| async move { core.write_all().await });
        }
        match tokio::time::timeout(ANSWER_WITHIN, outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => {
                let reason = "the writer ended before this change was made".to_owned();
                Err(LakeFault::Engine { table: self.name.to_string(), reason })
            }
            Err(_) => {
                let reason = format!("the change was not finished within {} s", ANSWER_WITHIN.as_secs());
                Err(LakeFault::Unavailable { location: self.shared.stores.label.clone(), reason })
            }
        }
    }

    async fn write_all(self: Arc<Self>) {
        let mut writing = Writing { queue: &self.queue, done: false };
        while let Some(work) = self.queue.next() {
            match work {
                Work::Appends(group) => self.append_group(group).await,
                Work::Replace { delete, rows, keys, answer } => {
                    let replacing = Box::pin(replace::replace(&self, &delete, rows, &keys));
                    let _ = answer.send(self.shared.within(CHANGE_WITHIN, replacing).await);
                }
                Work::ReplaceAsRead { read, delete, rows, answer } => {
                    let replacing = Box::pin(replace::replace_as_read(&self, &read, &delete, rows));
                    let _ = answer.send(self.shared.within(CHANGE_WITHIN, replacing).await);
                }
                Work::ClearLeftovers(answer) => {
                    let clearing = Box::pin(prune::clear_leftovers(&self));
                    let _ = answer.send(self.shared.within(CHANGE_WITHIN, clearing).await);
                }
            }
        }
        writing.done = true;
    }

    async fn append_group(&self, group: Vec<Append>) {
        let (batches, answers): (Vec<Vec<RecordBatch>>, Vec<_>) = group.into_iter().unzip();
        let counts: Vec<u64> = batches.iter().map(|rows| size_of(rows).0 as u64).collect();
        let batches = batches.into_iter().flatten().collect();
        let outcome = self.shared.within(CHANGE_WITHIN, Box::pin(self.append_all(batches))).await;
        for (answer, inserted) in answers.into_iter().zip(counts) {
            let own = outcome.as_ref().map(|dataset| Commit { version: versions::of(dataset), inserted, deleted: 0 });
            // A caller who has gone has no use for the answer.
            let _ = answer.send(own.map_err(Clone::clone));
        }
    }

    async fn append_all(&self, batches: Vec<RecordBatch>) -> Result<Dataset, LakeFault> {
        // Others may have pruned what a version of long ago refers to.
        let mut dataset = self.newest().await?;
        let change = self.stage(&dataset, batches).await?;
        let (mut attempt, mut over) = (0, true);
        let fault = loop {
            attempt += 1;
            match self.commit(&dataset, change.clone(), None).await {
                Ok(committed) => return Ok(committed),
                Err(error) => {
                    over &= staged::is_over(self, &error);
                    if !is_conflict(&error) || attempt >= ATTEMPTS {
                        break self.fault(&error);
                    }
                }
            }
            match self.try_again(attempt).await {
                Ok(newer) => dataset = newer,
                Err(fault) => break fault,
            }
        };
        if over {
            staged::discard(self, &dataset, staged::added_by(&change)).await;
        }
        Err(fault)
    }

    /// Writes rows as files nobody refers to yet.
    pub(crate) async fn stage(&self, dataset: &Arc<Dataset>, batches: Vec<RecordBatch>) -> Result<Transaction, LakeFault> {
        let params = WriteParams { mode: WriteMode::Append, session: Some(dataset.session()), ..WriteParams::default() };
        let schema = self.schema_at(dataset);
        let batches =
            batches.into_iter().map(|rows| schema::widened(rows, &schema, self.name.as_str())).collect::<Result<Vec<_>, _>>()?;
        let batches = if echoes::any(&schema) { self.shortened(batches, schema).await? } else { batches };
        let insert = InsertBuilder::new(dataset.clone()).with_params(&params);
        insert.execute_uncommitted(batches).boxed().await.map_err(|error| self.fault(&error))
    }

    /// Rows as they are kept. Of many, that takes a thread for longer than anyone's answer should wait.
    async fn shortened(&self, batches: Vec<RecordBatch>, schema: SchemaRef) -> Result<Vec<RecordBatch>, LakeFault> {
        let table = self.name.clone();
        let shortened = tokio::task::spawn_blocking(move || {
            batches.into_iter().map(|rows| echoes::kept(rows, &schema, table.as_str())).collect::<Result<Vec<_>, _>>()
        });
        let engine = |reason: String| LakeFault::Engine { table: self.name.to_string(), reason };
        shortened.await.map_err(|error| engine(error.to_string()))?
    }

    /// Makes a staged change the next version. With the rows it takes out, Lance can rebase it over
    /// other deletions in the same fragments.
    pub(crate) async fn commit(
        &self,
        dataset: &Arc<Dataset>,
        change: Transaction,
        taken_out: Option<&UncommittedDelete>,
    ) -> Result<Dataset, Error> {
        let uuid = change.uuid.clone();
        let mut builder = CommitBuilder::new(dataset.clone())
            .with_max_retries(REBASES)
            .with_retry_timeout(REBASE_WITHIN)
            .with_timeout(Some(COMMIT_WITHIN))
            .with_skip_auto_cleanup(true);
        if let Some(rows) = taken_out.and_then(|found| found.affected_rows.as_ref()) {
            builder = builder.with_affected_rows(rows.clone());
        }
        let committed = match builder.execute(change).boxed().await {
            Ok(committed) => committed,
            // Where nobody can look now, nobody knows that it failed.
            Err(error) => self.landed(dataset, &uuid).await?.ok_or(error)?,
        };
        self.advance(committed.clone());
        Ok(committed)
    }

    /// Whether a commit that seemed to fail is there after all: an answer lost on the way looks the same as a failure.
    async fn landed(&self, dataset: &Arc<Dataset>, uuid: &str) -> Result<Option<Dataset>, Error> {
        if self.shared.stores.is_local() {
            return Ok(None);
        }
        let mut newest = Dataset::clone(dataset);
        newest.checkout_latest().boxed().await?;
        for number in (dataset.version_id() + 1..=newest.version_id()).rev() {
            let version = match newest.checkout_version(number).boxed().await {
                Ok(version) => version,
                // Somebody has let go of it already.
                Err(Error::DatasetNotFound { .. } | Error::NotFound { .. } | Error::VersionNotFound { .. }) => continue,
                Err(error) => return Err(error),
            };
            if versions::of(&version).transaction == uuid {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    /// Waits a little longer each time, then looks at what the others did.
    pub(crate) async fn try_again(&self, attempt: u32) -> Result<Arc<Dataset>, LakeFault> {
        tokio::time::sleep(Duration::from_millis(10 << attempt.min(6))).await;
        self.refresh().await
    }
}

pub(crate) const fn is_conflict(error: &Error) -> bool {
    matches!(error, Error::CommitConflict { .. } | Error::RetryableCommitConflict { .. } | Error::TooMuchWriteContention { .. })
}
