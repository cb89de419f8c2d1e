//! The lines of one batch, as many at once as may be, until there are no more or they may not go on.

mod asking;
mod left;

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use futures::future::BoxFuture;
use mainspring_jobs::{Context, StopReason};
use mainspring_kernel::{Actor, Fault, Timestamp, fault};
use tokio::time::Instant;

use crate::{
    fault::BatchFault,
    files::Source,
    lines::Asked,
    live::Open,
    model::{Batch, LineError, Status, Waiting},
    rest::{Begun, Rest},
    run::Hands,
    service::job_kind,
};
use left::{Behind, Left};

/// How often it is looked whether the batch may go on, and how long a store that is away is left alone.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A result waits no longer for others to be written with: what is not written when the process dies is asked again.
const COMMIT_WITHIN: Duration = Duration::from_millis(25);
const COMMIT_AT: usize = 64;
/// Answers in memory are written when they are so large together, and no further line is begun before.
const COMMIT_BYTES: usize = 4 << 20;
/// A limit that says to come back later than this is asked again all the same: somebody may have raised it.
const WAIT_LONGEST: Duration = Duration::from_secs(300);
/// Where whoever was asked had no time, a line is asked again so often, later each time: a provider that is away for some
/// minutes costs no line.
const BUSY_TRIES: u32 = 10;
/// Who has nothing to do for longer than this gives the place to others.
const REST_FROM: Duration = Duration::from_secs(2);
/// How long a batch rests whose maker cannot be looked up.
const MAKER_UNKNOWN: Duration = Duration::from_secs(10);
const TOLD_MAX: usize = 300;
/// What a batch waits for that rested before it was kept why.
const ASKED_AGAIN: &str = "lines that had no answer are asked again";

/// Why lines are asked no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Halt {
    /// Every line has its result.
    Done,
    Cancelled,
    /// The window has closed.
    Expired,
    /// Whoever made the batch may not ask any longer, or the file is gone.
    Refused(LineError),
    /// The process stops; another goes on.
    Stopping,
    /// There is nothing to do before this moment, or it is the turn of others.
    Rests(Timestamp),
}

/// A moment, on the clock of this process and on everybody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    here: Instant,
    at: Timestamp,
}

/// One batch under way.
pub(crate) struct Drive<'r> {
    hands: &'r Hands,
    open: &'r mut Open,
    batch: Batch,
    actor: Option<Actor>,
    /// Where it went on from.
    found: Rest,
    /// What the catalog was told last of lines that are asked, or what it said of them at first.
    mark: Option<Begun>,
    left: Option<Left>,
    behind: Option<Behind>,
    source: Source,
    /// No line of the file is left but those in `again`.
    exhausted: bool,
    done: HashSet<u64>,
    again: VecDeque<(Due, Asked)>,
    oldest: Option<Instant>,
    paused: Option<Due>,
    /// What was said last to whoever has to be asked again.
    why: String,
    /// What has to be told of that.
    waiting: Option<Waiting>,
    next_look: Instant,
    /// From then on others may have its place.
    turn_over: Instant,
    /// A store was away; it is left alone until then.
    calm: Option<Instant>,
    /// Results were written since they were last packed.
    unpacked: bool,
    cancel_asked: bool,
    cancel_heard: bool,
    halt: Option<Halt>,
    /// Lines under way are waited for until then.
    patience: Option<Instant>,
}

impl<'r> Drive<'r> {
    /// Goes on where the batch rested, with the lines that are still open in this process.
    pub(crate) fn begin(hands: &'r Hands, open: &'r mut Open, batch: Batch) -> BoxFuture<'r, Result<Self, BatchFault>> {
        Box::pin(Self::going_on(hands, open, batch))
    }

    async fn going_on(hands: &'r Hands, open: &'r mut Open, batch: Batch) -> Result<Self, BatchFault> {
        let rest = batch.rest.clone().unwrap_or_else(Rest::begins);
        let mut done = hands.batches.answered(batch.id, rest.first()).await?;
        done.extend(&open.lines);
        let source = hands.batches.source(batch.input, rest.at).await?;
        let now = Instant::now();
        let oldest = (!open.answered.is_empty()).then_some(now);
        let mark = rest.begun.clone();
        let why = if rest.why.is_empty() { ASKED_AGAIN.to_owned() } else { rest.why.clone() };
        let mut drive = Self {
            hands,
            open,
            batch,
            actor: None,
            left: Left::by(hands, mark.as_ref()),
            mark,
            found: rest,
            behind: None,
            source,
            exhausted: false,
            done,
            again: VecDeque::new(),
            oldest,
            paused: None,
            why,
            waiting: None,
            next_look: now,
            turn_over: now + hands.batches.config().turn,
            calm: None,
            unpacked: true,
            cancel_asked: false,
            cancel_heard: false,
            halt: None,
            patience: None,
        };
        drive.take_over().await?;
        for later in drive.found.again.clone() {
            match drive.take_up(later).await {
                Err(fault) if fault.is_of_the_file() => drive.halt = Some(Halt::Refused(unreadable(&fault))),
                other => other?,
            }
        }
        Ok(drive)
    }

    /// Runs to the end of the lines, or to where they may not go on; answers the batch as it is then.
    pub(crate) async fn run(mut self, context: &Context) -> Result<(Batch, Halt), BatchFault> {
        loop {
            self.hear(context.stop_reason());
            if self.calm.is_none_or(|until| Instant::now() >= until) {
                self.calm = None;
                match self.attend(context).await {
                    Ok(Some(halt)) => return Ok((self.batch, halt)),
                    Ok(None) => {}
                    Err(fault) => self.bear(fault)?,
                }
            }
            let (wake, listens) = (self.wakes_at(), !self.cancel_heard && self.patience.is_none());
            tokio::select! {
                Some(ended) = self.open.under_way.join_next() => match ended {
                    Ok((asked, reply)) => self.take(asked, reply.as_ref()),
                    // Only the end of the process breaks a line off.
                    Err(_) => self.halt = Some(Halt::Stopping),
                },
                () = tokio::time::sleep_until(wake) => {}
                _ = context.stopped(), if listens => {}
            }
        }
    }

    /// Everything that needs a store. What fails is done again a second later, from where it was.
    async fn attend(&mut self, context: &Context) -> Result<Option<Halt>, BatchFault> {
        self.look().await?;
        if self.is_time_to_commit() {
            self.commit().await?;
        }
        self.pack().await?;
        if self.may_go_back() {
            self.go_back().await?;
        }
        self.fill().await?;
        self.rest_if_idle();
        if let Some(waiting) = self.waiting.take() {
            // For people only: a batch goes on whether it could be told or not.
            let _ = context.progress(&waiting.written()).await;
        }
        if self.is_over() { self.close().await } else { Ok(None) }
    }

    /// What lines have cost is not thrown away because a store is away for a moment.
    fn bear(&mut self, fault: BatchFault) -> Result<(), BatchFault> {
        if fault.is_of_the_file() {
            self.halt = Some(Halt::Refused(unreadable(&fault)));
            return Ok(());
        }
        if !fault.kind().is_transient() {
            return Err(fault);
        }
        let (unwritten, cause) = (self.open.answered.len(), fault::chain(&fault));
        if self.patience.is_some_and(|until| Instant::now() >= until) {
            tracing::error!(batch.id = %self.batch.id, unwritten, %cause, "the process stops before what lines gave could be written");
            return Err(fault);
        }
        tracing::warn!(batch.id = %self.batch.id, unwritten, %cause, "a batch waits for a store");
        self.calm = Some(Instant::now() + LOOK_EVERY);
        Ok(())
    }

    /// Once a second: may it go on?
    fn look(&mut self) -> BoxFuture<'_, Result<(), BatchFault>> {
        Box::pin(async move {
            let now = Instant::now();
            if self.halt.is_some() || now < self.next_look {
                return Ok(());
            }
            if self.cancel_asked {
                self.hands.batches.cancel_from_within(self.batch.id).await?;
                self.cancel_asked = false;
            }
            self.batch = self.hands.batches.find(self.batch.id).await?;
            if !self.is_ours() {
                return Err(BatchFault::Stale { id: self.batch.id });
            }
            self.open.hold.renew();
            self.halt = match self.batch.status {
                Status::Cancelling => Some(Halt::Cancelled),
                Status::InProgress if self.hands.batches.now() >= self.batch.expires => Some(Halt::Expired),
                Status::InProgress => self.know_the_maker().await?,
                _ => return Err(BatchFault::Stale { id: self.batch.id }),
            };
            if self.halt.is_none() && now >= self.turn_over {
                self.halt = self.let_others_go_on().await?;
            }
            self.next_look = now + LOOK_EVERY;
            Ok(())
        })
    }

    async fn know_the_maker(&mut self) -> Result<Option<Halt>, BatchFault> {
        let maker = &self.batch.maker;
        match self.hands.standing.acting(self.batch.project, maker).await {
            Ok(actor) => {
                // What they may do now, and no more than they might when they made it.
                let labels = actor.labels.narrowed_to(&maker.labels);
                self.actor = Some(Actor { role: actor.role.min(maker.role), labels, ..actor });
                Ok(None)
            }
            Err(fault) if fault.kind().is_transient() || fault.kind().is_ours() => {
                tracing::warn!(batch.id = %self.batch.id, cause = %fault::chain(fault.as_ref()), "it cannot be said who made a batch; it waits");
                Ok(None)
            }
            Err(fault) => Ok(Some(Halt::Refused(refusal(fault.as_ref(), &self.batch)))),
        }
    }

    /// Its turn is over: where a batch waits of a project that has no more of them under way, that goes on instead.
    async fn let_others_go_on(&mut self) -> Result<Option<Halt>, BatchFault> {
        let contest = self.hands.batches.jobs().contest(&job_kind(), self.batch.project).await?;
        self.turn_over = Instant::now() + self.hands.batches.config().turn;
        let gives_way = contest.is_some_and(|contest| contest.theirs <= contest.ours);
        Ok(gives_way.then(|| Halt::Rests(self.hands.batches.now())))
    }

    fn is_time_to_commit(&self) -> bool {
        let full = self.open.answered.len() >= COMMIT_AT || self.open.bytes() >= COMMIT_BYTES;
        full || self.oldest.is_some_and(|oldest| oldest.elapsed() >= COMMIT_WITHIN)
    }

    fn commit(&mut self) -> BoxFuture<'_, Result<(), BatchFault>> {
        Box::pin(async move {
            if !self.open.answered.is_empty() {
                self.batch = self.hands.batches.commit(self.batch.id, &self.open.answered).await?;
                self.open.written();
                self.unpacked = true;
            }
            self.oldest = None;
            Ok(())
        })
    }

    async fn pack(&mut self) -> Result<(), BatchFault> {
        if self.unpacked {
            self.hands.batches.pack(&self.batch, false).await?;
            self.unpacked = false;
        }
        Ok(())
    }

    /// With nothing under way and nothing to begin, others can use the place.
    fn rest_if_idle(&mut self) {
        if self.halt.is_some() || !self.open.is_empty() || self.is_all_asked() {
            return;
        }
        let due = match &self.actor {
            None => Some((self.due_in(MAKER_UNKNOWN), "at the moment nobody can say who made it")),
            Some(_) => self.paused.map(|paused| (paused, self.why.as_str())).or_else(|| self.next_due()),
        };
        let Some((due, why)) = due.filter(|(due, _)| due.here > Instant::now() + REST_FROM) else { return };
        // It is told when its window closes, too.
        let until = due.at.min(self.batch.expires);
        self.waiting = Some(Waiting { until, why: why.to_owned() });
        self.halt = Some(Halt::Rests(until));
    }

    fn is_over(&self) -> bool {
        if self.patience.is_some_and(|until| Instant::now() >= until) {
            return true;
        }
        self.open.under_way.is_empty() && (self.halt.is_some() || self.is_all_asked())
    }

    /// Writes down what there is. `None` where the batch has something to do after all.
    fn close(&mut self) -> BoxFuture<'_, Result<Option<Halt>, BatchFault>> {
        Box::pin(async move {
            let broken_off = !self.open.under_way.is_empty();
            let halt = if broken_off { Halt::Stopping } else { self.halt.clone().unwrap_or(Halt::Done) };
            if halt == Halt::Expired {
                self.go_back().await?;
                self.say_what_expired().await?;
            }
            self.commit().await?;
            self.pack().await?;
            if halt == Halt::Stopping && !broken_off {
                // Whoever goes on need not wait for lines of this process. That it may rest is not asked: it has to.
                self.write_rest().await?;
            }
            if matches!(halt, Halt::Rests(_)) && !self.write_rest().await? {
                // It was cancelled in this very moment.
                (self.halt, self.next_look) = (None, Instant::now());
                return Ok(None);
            }
            Ok(Some(halt))
        })
    }

    fn wakes_at(&self) -> Instant {
        let far = Instant::now() + LOOK_EVERY;
        if let Some(calm) = self.calm {
            return calm.min(far);
        }
        let commit = self.oldest.map(|oldest| oldest + COMMIT_WITHIN);
        let may_begin = self.has_room() && self.halt.is_none() && self.actor.is_some();
        let again = self.paused.or_else(|| self.again.iter().map(|(due, _)| *due).min()).filter(|_| may_begin);
        let look = if self.halt.is_none() { self.next_look } else { far };
        [commit, again.map(|due| due.here), self.patience].into_iter().flatten().fold(look, Instant::min)
    }

    fn hear(&mut self, reason: Option<StopReason>) {
        match reason {
            // Whoever cancels the job means the batch.
            Some(StopReason::Cancelled) if !self.cancel_heard => {
                (self.cancel_heard, self.cancel_asked, self.next_look) = (true, true, Instant::now());
            }
            Some(StopReason::ShuttingDown) if self.patience.is_none() => {
                self.halt.get_or_insert(Halt::Stopping);
                self.patience = Some(Instant::now() + self.hands.batches.config().drain);
            }
            _ => {}
        }
    }
}

fn refusal(fault: &dyn Fault, batch: &Batch) -> LineError {
    let answered = batch.counts.completed + batch.counts.failed;
    let left = batch.counts.total.saturating_sub(answered);
    LineError::of_batch(fault.code(), format!("{fault}: about {left} of {} lines were not asked", batch.counts.total))
}

pub(crate) fn unreadable(fault: &BatchFault) -> LineError {
    LineError::of_batch("input_unreadable", format!("the input file cannot be read: {}", fault::chain(fault)))
}
