//! Spans as they are stored, for whoever looks on.
//!
//! The first worker tells each group once it is stored; nobody is waited for. What came in at other servers is found in the
//! lake (`elsewhere.rs`). Each reader has a task that takes what is told
//! off the board as fast as it comes, and a queue of its own: what does not fit is counted, and the reader is told how much.
//! What a sender repeats is told once (`tail/lately.rs`), as it is stored once.

mod lately;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use arrow_array::RecordBatch;
use mainspring_kernel::{Actor, Labels, Stop, Tasks, Timestamp, id::ProjectId};
use mainspring_lake::Filter;
use mainspring_llm::Span;
use tokio::sync::{
    OwnedSemaphorePermit, Semaphore,
    broadcast::{self, error::RecvError},
    mpsc,
};

use lately::{Lately, Storing};

use crate::{
    conventions::{Facts, counted::Id},
    elsewhere::COMPARED_MAX,
    fault::TraceFault,
    filter::{At, SpanFilter},
    query::{self, SpanSummary, summary_of},
    room::{Place, Room, weight},
    service::Observability,
    table::{Rows, to_batch_of},
};

/// Groups that a reader's task may be behind; each has a thousand spans at most.
const GROUPS: usize = 16;
/// Spans that a reader may be behind.
const BEHIND_MAX: usize = 256;
/// Readers at once.
pub(crate) const TAILS_MAX: usize = 32;
/// Bytes of spans that may wait for readers.
const BOARD_BYTES: usize = 32 << 20;
/// How long the spans of a trace may take to be found, before its entry is shown to who may not see everything.
const FOUND_WITHIN: Duration = Duration::from_secs(3);

/// A group of stored spans, by project.
#[derive(Debug, Default)]
pub(crate) struct Group {
    projects: HashMap<ProjectId, Told>,
    /// Absent where there was no room: then it has no spans.
    place: Option<Place>,
}

/// Spans of one project.
#[derive(Debug, Default)]
struct Told {
    spans: Vec<Span>,
    /// Their traces are entered by them for want of an entry, as was found later. They were told of when they came.
    adopted: bool,
    /// Made by the first reader who wants them; none where that cannot be done.
    rows: OnceLock<Option<RecordBatch>>,
}

impl Told {
    fn made(&self) -> Result<RecordBatch, TraceFault> {
        to_batch_of(self.spans.iter().map(|span| (span, Facts { adopted: self.adopted, ..Facts::of(span) }, None)))
    }
}

impl Group {
    pub(crate) fn push(&mut self, span: &Span) {
        let told = self.projects.entry(span.project).or_default();
        if self.place.is_some() {
            told.spans.push(span.clone());
        }
    }
}

/// Spans, and when each began.
type Ours = Vec<(Id, i64)>;

/// Where groups are told.
#[derive(Debug, Clone)]
pub(crate) struct Board {
    groups: broadcast::Sender<Arc<Group>>,
    room: Room,
    readers: Arc<Semaphore>,
    /// When the first of those began who look on now, in micros.
    since: Arc<AtomicI64>,
    /// What was told of this server's spans, and when each began; absent where no other server has the lake.
    ours: Option<Arc<Mutex<Ours>>>,
    /// What was stored, whether somebody looked on or not.
    lately: Arc<Lately>,
}

impl Default for Board {
    fn default() -> Self {
        Self::of(BOARD_BYTES)
    }
}

impl Board {
    fn of(bytes: usize) -> Self {
        Self {
            groups: broadcast::Sender::new(GROUPS),
            room: Room::of(bytes),
            readers: Arc::new(Semaphore::new(TAILS_MAX)),
            since: Arc::default(),
            ours: None,
            lately: Arc::default(),
        }
    }

    /// Where other servers bring spans to the same lake.
    pub(crate) fn shared() -> Self {
        Self { ours: Some(Arc::default()), ..Self::default() }
    }

    fn subscribe(&self, now: Timestamp) -> broadcast::Receiver<Arc<Group>> {
        if self.groups.receiver_count() == 0 {
            self.since.store(now.as_micros(), Ordering::SeqCst);
        }
        self.groups.subscribe()
    }

    /// Since when somebody has looked on; absent when nobody does.
    pub(crate) fn read_since(&self) -> Option<i64> {
        (self.groups.receiver_count() > 0).then(|| self.since.load(Ordering::SeqCst))
    }

    /// This server's spans that were told since it was last asked.
    pub(crate) fn take_ours(&self) -> Ours {
        let ours = self.ours.as_ref();
        ours.map_or_else(Vec::new, |ours| std::mem::take(&mut *ours.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Spans that are about to be stored.
    pub(crate) fn storing(&self) -> Storing<'_> {
        self.lately.storing()
    }

    /// Spans that another server brought. Their sender may repeat them to this one.
    pub(crate) fn tell_others(&self, spans: &[Span]) {
        let mut told = self.storing();
        for span in spans {
            told.is_new(span);
        }
        told.stored();
        if let Some(mut group) = self.group(spans.iter().map(weight).sum()) {
            spans.iter().for_each(|span| group.push(span));
            let _ = self.groups.send(Arc::new(group));
        }
    }

    /// Spans by which their traces are entered for want of an entry: whoever asks for entries only has not heard of them.
    pub(crate) fn tell_adopted(&self, spans: &[Span]) {
        if spans.is_empty() {
            return;
        }
        if let Some(mut group) = self.group(spans.iter().map(weight).sum()) {
            spans.iter().for_each(|span| group.push(span));
            group.projects.values_mut().for_each(|told| told.adopted = true);
            let _ = self.groups.send(Arc::new(group));
        }
    }

    /// Readers of these projects have missed what other servers brought.
    pub(crate) fn tell_missed(&self, projects: BTreeSet<ProjectId>) {
        let projects = projects.into_iter().map(|project| (project, Told::default())).collect();
        let _ = self.groups.send(Arc::new(Group { projects, place: None }));
    }

    /// A group of so many bytes, where somebody looks on.
    pub(crate) fn group(&self, bytes: usize) -> Option<Group> {
        let read = self.groups.receiver_count() > 0;
        read.then(|| Group { place: self.room.try_take(bytes), ..Group::default() })
    }

    pub(crate) fn tell(&self, group: Option<Group>) {
        if let Some(group) = group.filter(|group| !group.projects.is_empty()) {
            if let Some(ours) = &self.ours {
                let mut ours = ours.lock().unwrap_or_else(PoisonError::into_inner);
                // Where it is full, readers are told by the lake that they missed some.
                if ours.len() < COMPARED_MAX {
                    let told = group.projects.values().flat_map(|told| &told.spans);
                    ours.extend(told.map(|span| ((span.project, span.trace, span.span), span.start.as_micros())));
                }
            }
            // Whoever looked on may have gone.
            let _ = self.groups.send(Arc::new(group));
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
    /// Looks on from now, until nobody hears it any longer.
    pub fn tail(&self, tasks: &Tasks, actor: Actor, tailing: Tailing) -> Result<mpsc::Receiver<Heard>, TraceFault> {
        if tailing.filter.asks_for_scores() {
            return Err(TraceFault::Question { reason: "spans that have just come have no scores yet".into() });
        }
        let place = Arc::clone(&self.board().readers).try_acquire_owned();
        let place = place.map_err(|_| TraceFault::TooManyTails { most: TAILS_MAX })?;
        let (tell, heard) = mpsc::channel(BEHIND_MAX);
        let board = self.board().subscribe(self.now());
        let every_span = tailing.every_span && actor.labels == Labels::All;
        let reader =
            Reader { room: self.clone(), actor, tailing: Tailing { every_span, ..tailing }, tell, missed: 0, _place: place };
        tasks.spawn("spans: tail", move |stop| reader.follow(stop, board));
        Ok(heard)
    }
}

impl Tailing {
    /// The spans that are wanted, and the rows of all.
    fn among(&self, told: &Told, now: Timestamp) -> Result<(Vec<SpanSummary>, RecordBatch), TraceFault> {
        let unreadable = || TraceFault::Unreadable { reason: "what was just stored".into() };
        let batch = told.rows.get_or_init(|| told.made().ok()).as_ref().ok_or_else(unreadable)?;
        let rows = Rows(batch);
        let mut wanted = Vec::new();
        for row in 0..batch.num_rows() {
            let at = At::new(&rows, row);
            let asked = if self.every_span { !told.adopted } else { at.flag("entry")? };
            if asked && self.filter.holds(at, now)? {
                wanted.push(summary_of(&rows, row)?);
            }
        }
        Ok((wanted, batch.clone()))
    }
}

struct Reader {
    room: Observability,
    actor: Actor,
    tailing: Tailing,
    tell: mpsc::Sender<Heard>,
    missed: u64,
    _place: OwnedSemaphorePermit,
}

impl Reader {
    async fn follow(mut self, stop: Stop, mut board: broadcast::Receiver<Arc<Group>>) {
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
                // How many of them the reader may see and wants is not known.
                Ok(group) if group.place.is_none() => {
                    let missed = u64::from(group.projects.contains_key(&self.actor.project));
                    self.missed = self.missed.saturating_add(missed);
                }
                Ok(group) => match Box::pin(self.wanted(group)).await {
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

    async fn wanted(&self, group: Arc<Group>) -> Result<Vec<SpanSummary>, TraceFault> {
        let (project, tailing, now) = (self.actor.project, self.tailing.clone(), self.room.now());
        if !group.projects.contains_key(&project) {
            return Ok(Vec::new());
        }
        // Many readers and long texts keep a thread busy for longer than anyone's answer should wait.
        let found = tokio::task::spawn_blocking(move || {
            group.projects.get(&project).map_or_else(|| Ok(None), |told| tailing.among(told, now).map(Some))
        });
        match found.await.map_err(|error| TraceFault::Unreadable { reason: error.to_string() })?? {
            Some((wanted, rows)) => self.visible(wanted, &rows).await,
            None => Ok(Vec::new()),
        }
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

#[cfg(test)]
mod tests {
    use mainspring_llm::{
        SpanId, TraceId,
        trace::{SpanKind, SpanStatus},
    };

    use super::*;

    fn span(project: u128) -> Span {
        let (trace, span, start) = (TraceId::random(), SpanId::random(), Timestamp::from_micros(1));
        let (name, kind, status) = ("chat".to_owned(), SpanKind::Client, SpanStatus::Ok);
        let project = ProjectId::from_raw(project);
        let attributes = serde_json::Map::new();
        Span {
            project,
            trace,
            span,
            parent: None,
            name,
            kind,
            start,
            end: start,
            status,
            attributes,
            events: vec![],
            links: vec![],
        }
    }

    #[test]
    fn what_does_not_fit_on_the_board_is_missed_until_others_were_read() {
        let board = Board::of(100);
        assert!(board.group(1).is_none(), "nobody looks on");
        let mut reader = board.groups.subscribe();
        let tell = || {
            let mut group = board.group(60).unwrap();
            [7, 7, 8].into_iter().for_each(|project| group.push(&span(project)));
            board.tell(Some(group));
        };
        tell();
        tell();
        let mut read = || {
            let group = reader.try_recv().unwrap();
            let told = &group.projects[&ProjectId::from_raw(7)];
            (group.place.is_some(), told.spans.len())
        };
        assert_eq!(read(), (true, 2));
        tell();
        assert_eq!(read(), (false, 0), "there was no room while the first waited");
        assert_eq!(read(), (true, 2));
    }
}
