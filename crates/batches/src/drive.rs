//! The lines of one batch, as many at once as may be, until there are no more or they may not go on.

use std::{
    collections::{HashSet, VecDeque},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use mainspring_jobs::{Context, StopReason};
use mainspring_kernel::{Actor, Fault, text};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    fault::BatchFault,
    files::Source,
    lines::{self, Asked, Cut},
    model::{Batch, LineError, Status, Waiting},
    results::Answered,
    run::Runner,
    seam::{Again, LineReply},
};

/// How often it is looked whether the batch may go on.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A result waits no longer for others to be written with: what is not written when the process dies is asked again.
const COMMIT_WITHIN: Duration = Duration::from_millis(25);
const COMMIT_AT: usize = 64;
/// A limit that says to come back later than this is asked again all the same: somebody may have raised it.
const WAIT_LONGEST: Duration = Duration::from_secs(300);
/// Where whoever was asked had no time, a line is asked again so often, later each time: a provider that is away for some
/// minutes costs no line.
const BUSY_TRIES: u32 = 10;
const TOLD_MAX: usize = 300;

/// Why lines are asked no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Halt {
    /// Every line has its result.
    Done,
    Cancelled,
    /// The window has closed.
    Expired,
    /// Whoever made the batch may not ask any longer.
    Refused(LineError),
    /// The process stops; another goes on.
    Stopping,
}

type UnderWay = FuturesUnordered<BoxFuture<'static, (Asked, LineReply)>>;

/// One batch under way.
pub(crate) struct Drive<'r> {
    runner: &'r Runner,
    batch: Batch,
    actor: Option<Actor>,
    source: Source,
    /// No line of the file is left but those in `again`.
    exhausted: bool,
    done: HashSet<u64>,
    again: VecDeque<(Instant, Asked)>,
    under_way: UnderWay,
    answered: Vec<Answered>,
    oldest: Option<Instant>,
    paused: Option<Instant>,
    /// What has to be told of that.
    waiting: Option<Waiting>,
    next_look: Instant,
    halt: Option<Halt>,
    /// Lines under way are waited for until then.
    patience: Option<Instant>,
}

impl<'r> Drive<'r> {
    pub(crate) async fn begin(runner: &'r Runner, batch: Batch) -> Result<Self, BatchFault> {
        let (source, done) = (runner.batches.source(batch.input).await?, runner.batches.answered(batch.id).await?);
        Ok(Self {
            runner,
            batch,
            actor: None,
            source,
            exhausted: false,
            done,
            again: VecDeque::new(),
            under_way: UnderWay::new(),
            answered: Vec::new(),
            oldest: None,
            paused: None,
            waiting: None,
            next_look: Instant::now(),
            halt: None,
            patience: None,
        })
    }

    /// Runs to the end of the lines, or to where they may not go on; answers the batch as it is then.
    pub(crate) async fn run(mut self, context: &Context) -> Result<(Batch, Halt), BatchFault> {
        loop {
            if let Err(fault) = self.look().await {
                self.bear(fault)?;
            }
            if let Some(waiting) = self.waiting.take() {
                // For people only: a batch goes on whether it could be told or not.
                let _ = context.progress(&waiting.written()).await;
            }
            self.fill().await?;
            if self.is_time_to_commit()
                && let Err(fault) = self.commit().await
            {
                self.bear(fault)?;
                self.oldest = (!self.answered.is_empty()).then(|| Instant::now() + LOOK_EVERY);
            }
            if self.is_over() {
                let halt = self.halt.clone().unwrap_or(Halt::Done);
                if halt == Halt::Expired {
                    self.say_what_expired().await?;
                }
                self.commit().await?;
                return Ok((self.batch, halt));
            }
            let wake = self.wakes_at();
            tokio::select! {
                Some((asked, reply)) = self.under_way.next() => self.take(asked, &reply),
                () = tokio::time::sleep_until(wake) => {}
                reason = context.stopped(), if self.halt.is_none() => self.stop(reason).await?,
            }
        }
    }

    /// What lines have cost is not thrown away because the catalog is away for a moment.
    fn bear(&self, fault: BatchFault) -> Result<(), BatchFault> {
        if !fault.kind().is_transient() {
            return Err(fault);
        }
        tracing::warn!(batch.id = %self.batch.id, cause = %mainspring_kernel::fault::chain(&fault), "a batch waits for the catalog");
        Ok(())
    }

    /// Once a second: may it go on?
    async fn look(&mut self) -> Result<(), BatchFault> {
        let now = Instant::now();
        if self.halt.is_some() || now < self.next_look {
            return Ok(());
        }
        self.next_look = now + LOOK_EVERY;
        self.batch = self.runner.batches.find(self.batch.id).await?;
        self.halt = match self.batch.status {
            Status::Cancelling => Some(Halt::Cancelled),
            Status::InProgress if self.runner.batches.now() >= self.batch.expires => Some(Halt::Expired),
            Status::InProgress => self.know_the_maker().await?,
            _ => return Err(BatchFault::Stale { id: self.batch.id }),
        };
        Ok(())
    }

    async fn know_the_maker(&mut self) -> Result<Option<Halt>, BatchFault> {
        let maker = &self.batch.maker;
        match self.runner.standing.acting(self.batch.project, maker).await {
            Ok(actor) => {
                // What they may do now, and no more than they might when they made it.
                let labels = actor.labels.narrowed_to(&maker.labels);
                self.actor = Some(Actor { role: actor.role.min(maker.role), labels, ..actor });
                Ok(None)
            }
            Err(fault) if fault.kind().is_transient() || fault.kind().is_ours() => {
                tracing::warn!(batch.id = %self.batch.id, cause = %mainspring_kernel::fault::chain(fault.as_ref()), "it cannot be said who made a batch; it waits");
                Ok(None)
            }
            Err(fault) => Ok(Some(Halt::Refused(refusal(fault.as_ref(), &self.batch)))),
        }
    }

    /// Begins lines while there is room.
    async fn fill(&mut self) -> Result<(), BatchFault> {
        let Some(actor) = self.actor.clone().filter(|_| self.halt.is_none()) else { return Ok(()) };
        if self.paused.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        self.paused = None;
        while self.under_way.len() < self.runner.batches.config().concurrency && self.answered.len() < COMMIT_AT {
            let Some(asked) = self.next_line(Some(Instant::now())).await? else { break };
            self.under_way.push(self.runner.ask(actor.clone(), self.batch.endpoint, asked));
        }
        Ok(())
    }

    /// A line without a result: one that has to be asked again and is due, else the next of the file.
    async fn next_line(&mut self, now: Option<Instant>) -> Result<Option<Asked>, BatchFault> {
        let due = self.again.iter().position(|(due, _)| now.is_none_or(|now| *due <= now));
        if let Some((_, asked)) = due.and_then(|at| self.again.remove(at)) {
            return Ok(Some(asked));
        }
        // Neither memory nor a busy provider gets more lines while so many of them have to be asked again.
        let crowded = now.is_some() && self.again.len() >= self.runner.batches.config().concurrency;
        while !self.exhausted && !crowded {
            let Some(cut) = self.source.next().await? else {
                self.exhausted = true;
                break;
            };
            if self.done.contains(&cut.number()) {
                continue;
            }
            // The file was looked at before, and files do not change.
            if let Cut::Line { number, text } = cut
                && let Ok(asked) = lines::read(number, &text, self.batch.endpoint)
            {
                return Ok(Some(asked));
            }
        }
        Ok(None)
    }

    fn take(&mut self, mut asked: Asked, reply: &LineReply) {
        let now = Instant::now();
        match reply.again {
            Some(Again::Limit(wait)) => {
                let until = now + wait.min(WAIT_LONGEST);
                if self.paused.is_none() {
                    let until = self.runner.batches.now().plus(wait.min(WAIT_LONGEST));
                    self.waiting = Some(Waiting { until, why: told(&reply.body) });
                }
                self.paused = self.paused.max(Some(until));
                self.again.push_back((until, asked));
            }
            Some(Again::Busy(wait)) if asked.tries < BUSY_TRIES => {
                let usual = self.runner.batches.config().busy * 2_u32.pow(asked.tries);
                asked.tries += 1;
                self.again.push_back((now + usual.max(wait.unwrap_or_default()).min(WAIT_LONGEST), asked));
            }
            _ => {
                self.answered.push(Answered::of(self.batch.id, &asked, reply));
                self.oldest.get_or_insert(now);
            }
        }
    }

    fn is_time_to_commit(&self) -> bool {
        self.oldest.is_some_and(|oldest| {
            let full = self.answered.len() >= COMMIT_AT && Instant::now() >= oldest;
            full || oldest.elapsed() >= COMMIT_WITHIN
        })
    }

    async fn commit(&mut self) -> Result<(), BatchFault> {
        if self.answered.is_empty() {
            return Ok(());
        }
        self.batch = self.runner.batches.commit(self.batch.id, &self.answered).await?;
        self.answered.clear();
        self.oldest = None;
        self.runner.batches.pack(&self.batch, false).await
    }

    fn is_over(&self) -> bool {
        if self.patience.is_some_and(|until| Instant::now() >= until) {
            return true;
        }
        self.under_way.is_empty() && (self.halt.is_some() || (self.exhausted && self.again.is_empty()))
    }

    fn wakes_at(&self) -> Instant {
        let commit = self.oldest.map(|oldest| oldest + COMMIT_WITHIN);
        let has_room = self.under_way.len() < self.runner.batches.config().concurrency;
        let may_begin = has_room && self.halt.is_none() && self.actor.is_some();
        let again = self.paused.or_else(|| self.again.iter().map(|(due, _)| *due).min()).filter(|_| may_begin);
        let look = if self.halt.is_none() { self.next_look } else { Instant::now() + LOOK_EVERY };
        [commit, again, self.patience].into_iter().flatten().fold(look, Instant::min)
    }

    async fn stop(&mut self, reason: StopReason) -> Result<(), BatchFault> {
        match reason {
            // Whoever cancels the job means the batch.
            StopReason::Cancelled => {
                self.runner.batches.cancel_from_within(self.batch.id).await?;
                self.halt = Some(Halt::Cancelled);
            }
            StopReason::ShuttingDown => {
                self.halt = Some(Halt::Stopping);
                self.patience = Some(Instant::now() + self.runner.batches.config().drain);
            }
        }
        Ok(())
    }

    /// Every line that was not asked in time says so.
    async fn say_what_expired(&mut self) -> Result<(), BatchFault> {
        const WHY: (&str, &str) = ("batch_expired", "the completion window closed before this line was asked");
        while let Some(asked) = self.next_line(None).await? {
            self.answered.push(Answered::not_asked(self.batch.id, (asked.number, &asked.custom_id), WHY));
            if self.answered.len() >= COMMIT_AT {
                self.commit().await?;
            }
        }
        Ok(())
    }
}

/// What a refusal says, for people.
fn told(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    text::elide(body["error"]["message"].as_str().unwrap_or("a limit has no room"), TOLD_MAX)
}

fn refusal(fault: &dyn Fault, batch: &Batch) -> LineError {
    let answered = batch.counts.completed + batch.counts.failed;
    let left = batch.counts.total.saturating_sub(answered);
    LineError::of_batch(fault.code(), format!("{fault}: about {left} of {} lines were not asked", batch.counts.total))
}

impl Runner {
    /// Asks one line, when one of the process's places is free.
    fn ask(&self, actor: Actor, endpoint: crate::model::Endpoint, asked: Asked) -> BoxFuture<'static, (Asked, LineReply)> {
        let (answers, places) = (Arc::clone(&self.answers), Arc::clone(&self.places));
        Box::pin(async move {
            // The places are never closed.
            let _place = places.acquire_owned().await;
            let answer = answers.answer(&actor, endpoint, asked.body.clone());
            // A line that brings down whoever answers it must not bring down its batch again and again.
            let reply = AssertUnwindSafe(answer).catch_unwind().await;
            let reply = reply.unwrap_or_else(|_| {
                tracing::error!(line = asked.number, "batch.panicked: answering a line panicked");
                let body = Bytes::from_static(
                    br#"{"error":{"message":"internal error","type":"server_error","param":null,"code":"internal"}}"#,
                );
                LineReply { status: 500, request_id: String::new(), body, again: None }
            });
            (asked, reply)
        })
    }
}
