//! Spans as they are stored, for whoever looks on.
//!
//! The first worker tells each group once it is stored; nobody is waited for. Each reader has a task that takes what is told
//! off the board as fast as it comes, and a queue of its own: what does not fit is counted, and the reader is told how much.

use std::{collections::HashSet, sync::Arc, time::Duration};

use arrow_array::RecordBatch;
use mainspring_kernel::{Actor, Labels, Stop, Tasks};
use mainspring_lake::Filter;
use mainspring_llm::Span;
use tokio::sync::{
    broadcast::{self, error::RecvError},
    mpsc,
};

use crate::{
    fault::TraceFault,
    filter::{At, SpanFilter},
    query::{self, SpanSummary, summary_of},
    service::Observability,
    table::{Rows, to_batch},
};

/// Groups that a reader's task may be behind; each has a thousand spans at most.
const GROUPS: usize = 16;
/// Spans that a reader may be behind.
const BEHIND_MAX: usize = 256;
/// How long the spans of a trace may take to be found, before its entry is shown to who may not see everything.
const FOUND_WITHIN: Duration = Duration::from_secs(3);

/// A group of stored spans.
pub(crate) type Told = Arc<Vec<Span>>;

/// Where groups are told.
#[derive(Debug, Clone)]
pub(crate) struct Board(broadcast::Sender<Told>);

impl Default for Board {
    fn default() -> Self {
        Self(broadcast::Sender::new(GROUPS))
    }
}

impl Board {
    pub(crate) fn is_read(&self) -> bool {
        self.0.receiver_count() > 0
    }

    pub(crate) fn tell(&self, spans: Vec<Span>) {
        if !spans.is_empty() {
            // Whoever looked on may have gone.
            let _ = self.0.send(Arc::new(spans));
        }
    }
}

/// What comes to one reader's queue.
#[derive(Debug)]
pub enum Heard {
    Span(Box<SpanSummary>),
    /// So many of its spans did not fit; more where it could not be told how many.
    Missed(u64),
}

/// Which spans a reader wants.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tailing {
    pub filter: SpanFilter,
    /// Every span, not only those by which traces are entered. Whoever may not see every document is told of entries only:
    /// whether a trace may be seen is known when it is whole.
    pub every_span: bool,
}

impl Observability {
    /// Looks on from now.
    pub fn tail(&self, tasks: &Tasks, actor: Actor, tailing: Tailing) -> mpsc::Receiver<Heard> {
        let (tell, heard) = mpsc::channel(BEHIND_MAX);
        let board = self.board().0.subscribe();
        let every_span = tailing.every_span && actor.labels == Labels::All;
        let reader = Reader { room: self.clone(), actor, tailing: Tailing { every_span, ..tailing }, tell, missed: 0 };
        tasks.spawn("spans: tail", move |stop| reader.follow(stop, board));
        heard
    }
}

struct Reader {
    room: Observability,
    actor: Actor,
    tailing: Tailing,
    tell: mpsc::Sender<Heard>,
    missed: u64,
}

impl Reader {
    async fn follow(mut self, stop: Stop, mut board: broadcast::Receiver<Told>) {
        loop {
            let told = tokio::select! {
                () = stop.requested() => return,
                () = self.tell.closed() => return,
                room = self.tell.reserve(), if self.missed > 0 => {
                    let Ok(room) = room else { return };
                    room.send(Heard::Missed(std::mem::take(&mut self.missed)));
                    continue;
                }
                told = board.recv() => told,
            };
            match told {
                Ok(spans) => match Box::pin(self.wanted(&spans)).await {
                    Ok(wanted) => wanted.into_iter().for_each(|span| self.send(span)),
                    Err(fault) => {
                        tracing::debug!(%fault, "spans could not be told to a reader");
                        self.missed = self.missed.saturating_add(1);
                    }
                },
                // Each group has a span at least.
                Err(RecvError::Lagged(groups)) => self.missed = self.missed.saturating_add(groups),
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// What comes after something that was missed is not told before that is.
    fn send(&mut self, span: SpanSummary) {
        if self.missed > 0 || self.tell.try_send(Heard::Span(Box::new(span))).is_err() {
            self.missed += 1;
        }
    }

    async fn wanted(&self, spans: &[Span]) -> Result<Vec<SpanSummary>, TraceFault> {
        let own: Vec<Span> = spans.iter().filter(|span| span.project == self.actor.project).cloned().collect();
        if own.is_empty() {
            return Ok(Vec::new());
        }
        let batch = to_batch(&own)?;
        let (rows, now) = (Rows(&batch), self.room.now());
        let mut wanted = Vec::new();
        for row in 0..batch.num_rows() {
            let at = At::new(&rows, row);
            if (self.tailing.every_span || at.flag("entry")?) && self.tailing.filter.holds(at, now)? {
                wanted.push(summary_of(&rows, row)?);
            }
        }
        self.visible(wanted, &batch).await
    }

    /// `told` has what came with them: it may not be found yet.
    async fn visible(&self, spans: Vec<SpanSummary>, told: &RecordBatch) -> Result<Vec<SpanSummary>, TraceFault> {
        if spans.is_empty() || self.actor.labels == Labels::All {
            return Ok(spans);
        }
        self.room.drain(FOUND_WITHIN).await?;
        let traces: HashSet<String> = spans.iter().map(|span| span.trace.to_string()).collect();
        let asking = self.room.asking(&self.actor, self.room.now());
        let mut hidden = query::hidden(asking, Filter::any_of("trace", traces)).await?;
        hidden.extend(query::hidden_in(asking, std::slice::from_ref(told)).await?);
        Ok(spans.into_iter().filter(|span| !hidden.contains(&span.trace.to_string())).collect())
    }
}
