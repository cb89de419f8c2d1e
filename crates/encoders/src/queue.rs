//! The bounded queue in front of an engine: two lanes, counted in tokens.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mainspring_llm::ModelFault;
use tokio::{sync::oneshot, time::Instant};

use crate::batch::Row;

/// Passages get a turn after this many turns of queries.
const QUERY_RUN: u32 = 7;

/// What came out of the model for one row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Vector(Vec<f32>),
    Vectors(Vec<Vec<f32>>),
}

type Answers = Result<Vec<Answer>, ModelFault>;

/// One caller's request: answered when its last row is.
#[derive(Debug)]
pub(crate) struct Job {
    deadline: Instant,
    state: Mutex<JobState>,
}

#[derive(Debug)]
struct JobState {
    answers: Vec<Option<Answer>>,
    missing: usize,
    sender: Option<oneshot::Sender<Answers>>,
}

impl Job {
    pub(crate) fn new(rows: usize, deadline: Instant) -> (Self, oneshot::Receiver<Answers>) {
        let (sender, receiver) = oneshot::channel();
        let state = JobState { answers: vec![None; rows], missing: rows, sender: Some(sender) };
        (Self { deadline, state: Mutex::new(state) }, receiver)
    }

    fn state(&self) -> MutexGuard<'_, JobState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody still waits for this, in time.
    pub(crate) fn is_wanted(&self) -> bool {
        Instant::now() < self.deadline && self.state().sender.as_ref().is_some_and(|sender| !sender.is_closed())
    }

    pub(crate) fn answer(&self, index: usize, answer: Answer) {
        let mut state = self.state();
        if state.answers[index].replace(answer).is_none() {
            state.missing -= 1;
        }
        if state.missing == 0 {
            let answers = state.answers.iter_mut().filter_map(Option::take).collect();
            if let Some(sender) = state.sender.take() {
                // A caller that left in this moment needs no answer.
                let _ = sender.send(Ok(answers));
            }
        }
    }

    pub(crate) fn fail(&self, fault: ModelFault) {
        if let Some(sender) = self.state().sender.take() {
            let _ = sender.send(Err(fault));
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    Query,
    Passage,
}

/// What an engine thread does next.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Rows of one job on the queries' lane.
    Queries(Vec<Row>),
    Passages(Vec<Row>),
    /// Nothing is more urgent than what the thread has at hand.
    AtHand,
}

#[derive(Debug)]
pub(crate) struct Queue {
    capacity: usize,
    lanes: Mutex<Lanes>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Lanes {
    queries: VecDeque<Row>,
    passages: VecDeque<Row>,
    tokens: usize,
    query_run: u32,
    closed: bool,
    dropped: u64,
}

/// The queue is full: this many tokens are waiting.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full {
    pub(crate) waiting: usize,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, lanes: Mutex::default(), changed: Condvar::new() }
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes all rows of a job or none. One job larger than the queue is let in when nothing else waits.
    pub(crate) fn push(&self, lane: Lane, rows: Vec<Row>) -> Result<(), Full> {
        let tokens: usize = rows.iter().map(|row| row.ids.len()).sum();
        let mut lanes = self.lanes();
        if lanes.closed {
            // The rows' jobs go with the rows, and their callers see it.
            return Ok(());
        }
        if lanes.tokens > 0 && lanes.tokens + tokens > self.capacity {
            // Rows nobody wants any more must not keep others out.
            lanes.drop_unwanted();
        }
        if lanes.tokens > 0 && lanes.tokens + tokens > self.capacity {
            return Err(Full { waiting: lanes.tokens });
        }
        lanes.tokens += tokens;
        match lane {
            Lane::Query => lanes.queries.extend(rows),
            Lane::Passage => lanes.passages.extend(rows),
        }
        drop(lanes);
        self.changed.notify_all();
        Ok(())
    }

    pub(crate) fn waiting(&self) -> usize {
        self.lanes().tokens
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.lanes().dropped
    }

    /// What to run next; `None` when the queue was closed. `passages_at_hand` says that the caller
    /// has passages left of an earlier turn: then it gets queries, or `AtHand` at once.
    pub(crate) fn take(&self, window: usize, passages_at_hand: bool) -> Option<Turn> {
        let mut lanes = self.lanes();
        loop {
            if lanes.closed {
                return None;
            }
            lanes.drop_unwanted_front();
            let passages_wait = passages_at_hand || !lanes.passages.is_empty();
            if !lanes.queries.is_empty() && (lanes.query_run < QUERY_RUN || !passages_wait) {
                lanes.query_run += 1;
                return Some(Turn::Queries(lanes.pop_job(window)));
            }
            if passages_at_hand {
                lanes.query_run = 0;
                return Some(Turn::AtHand);
            }
            if !lanes.passages.is_empty() {
                lanes.query_run = 0;
                return Some(Turn::Passages(lanes.pop_passages(window)));
            }
            let waited = self.changed.wait_timeout(lanes, Duration::from_secs(1));
            lanes = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Wakes the engine's threads for the last time and fails what still waits.
    pub(crate) fn close(&self, fault: impl Fn() -> ModelFault) {
        let mut lanes = self.lanes();
        lanes.closed = true;
        let rows: Vec<Row> = lanes.queries.drain(..).collect();
        let more: Vec<Row> = lanes.passages.drain(..).collect();
        lanes.tokens = 0;
        drop(lanes);
        for row in rows.into_iter().chain(more) {
            row.job.fail(fault());
        }
        self.changed.notify_all();
    }
}

impl Lanes {
    /// Rows of the first query's job, and of no other: what is computed together must not depend on
    /// who else is asking.
    fn pop_job(&mut self, tokens: usize) -> Vec<Row> {
        let mut taken = 0;
        let mut rows: Vec<Row> = Vec::new();
        while let Some(row) =
            self.queries.pop_front_if(|row| taken < tokens && rows.last().is_none_or(|last| Arc::ptr_eq(&last.job, &row.job)))
        {
            taken += row.ids.len();
            rows.push(row);
        }
        self.tokens -= taken;
        rows
    }

    /// Rows of any jobs, at least one that is wanted unless none is.
    fn pop_passages(&mut self, tokens: usize) -> Vec<Row> {
        let mut taken = 0;
        let mut rows = Vec::new();
        while let Some(row) = self.passages.pop_front() {
            taken += row.ids.len();
            if row.job.is_wanted() {
                rows.push(row);
            } else {
                self.dropped += 1;
            }
            if taken >= tokens && !rows.is_empty() {
                break;
            }
        }
        self.tokens -= taken;
        rows
    }

    fn drop_unwanted_front(&mut self) {
        for queue in [&mut self.queries, &mut self.passages] {
            while queue.front().is_some_and(|row| !row.job.is_wanted()) {
                self.tokens -= queue.pop_front().map_or(0, |row| row.ids.len());
                self.dropped += 1;
            }
        }
    }

    fn drop_unwanted(&mut self) {
        for queue in [&mut self.queries, &mut self.passages] {
            queue.retain(|row| {
                let wanted = row.job.is_wanted();
                if !wanted {
                    self.tokens -= row.ids.len();
                    self.dropped += 1;
                }
                wanted
            });
        }
    }
}
