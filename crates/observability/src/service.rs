//! The room's use cases.

mod forgetting;
mod reading;
mod recording;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock, atomic::Ordering},
    time::{Duration, SystemTime},
};

use mainspring_blobs::Blobs;
use mainspring_kernel::{Actor, Clock, Fault as _, Stop, Tasks, Timestamp};
use mainspring_lake::{Lake, Table};
use mainspring_llm::DocumentAccess;
use mainspring_telemetry::Metrics;
use tokio::sync::{Semaphore, mpsc};

use crate::{
    adopting,
    aside::aside,
    belonging,
    capture::Policies,
    deciding, elsewhere,
    errand::{self, Elsewhere, Errands, FailingErrand},
    fault::{TraceFault, Trouble},
    hold,
    keeping::{Found, Whose},
    pace::Pace,
    pricing::SpanPrices,
    query::{self, Firsts, Traffic},
    room::Room,
    sampling::{LetGo, Sampler, Tally},
    scores::Scores,
    settle::Kept,
    spill::{self, Spill},
    table,
    tail::Board,
    values::Values,
    writer::{self, Bring, Counters, LITTLE, Onward, Queued},
};

/// How long a reader waits for spans that were just recorded.
const DRAIN_FOR: Duration = Duration::from_secs(3);
/// Stored groups on their way to the lake, and the bytes their spans took; more wait on disk.
const GROUPS_MAX: usize = 64;
const GROUPS_BYTES: usize = 32 << 20;
/// How often to look whether what waits on the disk is gone, for who waits for that.
const LOOK_EVERY: Duration = Duration::from_millis(100);
#[derive(Debug, Clone)]
pub struct Settings {
    pub spill_dir: PathBuf,
    /// Bytes of spans that may wait on disk for the lake; what comes on top is refused and counted.
    pub spill_limit: u64,
    /// Bytes of spans that may wait for the outcome of their trace; what comes on top is decided early.
    pub held_limit: u64,
    /// Where large values lie, and whether other processes keep theirs there too.
    pub values: Blobs,
    pub shared: bool,
    pub capture: Policies,
    /// Spans in the queue at most, and the bytes they may take; what comes on top is dropped and counted.
    pub queue: usize,
    pub queue_bytes: usize,
    pub bring: Bring,
    /// A trace to which nothing has come for so long, and of which no entry was sent, is entered by the first of its spans.
    pub adopt_after: Duration,
    /// Whether bringing spans to the lake gives way to answering calls.
    pub gives_way: bool,
    /// Who does it, if not this process.
    pub elsewhere: Option<Arc<dyn Elsewhere>>,
}

#[derive(Debug, Clone)]
pub struct Observability {
    queue: mpsc::Sender<Queued>,
    room: Room,
    kept: Kept,
    errands: Option<Errands>,
    access: Arc<dyn DocumentAccess>,
    pub(crate) spill: Arc<Spill>,
    sampler: Arc<Sampler>,
    counters: Arc<Counters>,
    pace: Pace,
    clock: Arc<dyn Clock>,
    board: Board,
    exports: Arc<Semaphore>,
    adopt_after: Duration,
    /// By which spans from outside are priced, once somebody told.
    prices: Arc<OnceLock<Arc<dyn SpanPrices>>>,
    /// None before there is a room for them.
    pub(crate) scores: Option<Scores>,
    /// When releases and the like were seen first, as far as somebody asked.
    pub(crate) firsts: Arc<Firsts>,
}

/// How spans are faring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub recorded: u64,
    pub stored: u64,
    pub queryable: u64,
    pub dropped: u64,
    pub spill_bytes: u64,
    pub spill_limit: u64,
    /// Segments that could not be brought and lie in `spill/aside`.
    pub set_aside: u64,
    /// Segments that can be neither read nor moved, or are in the lake and cannot be removed.
    pub left_alone: u64,
    pub lake_down: bool,
    /// What another process was to do at the traces, and fails at.
    pub failing: Vec<FailingErrand>,
    /// Why the last spans could not be stored, while that is so.
    pub trouble: Option<Trouble>,
}

/// What a forgetting took out of traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    pub spans: u64,
    /// Every span that had ended by then was looked at; otherwise some still waited for the lake.
    pub brought: bool,
}

/// What of an app's traffic the last day showed.
#[derive(Debug, Clone, PartialEq)]
pub struct AppTraffic {
    pub traffic: Traffic,
    /// When its last request began.
    pub last: Timestamp,
}

impl Observability {
    /// Brings what an earlier process left on disk into the lake, unless that would take long, and starts the workers.
    pub async fn open(
        lake: &dyn Lake,
        settings: Settings,
        tasks: &Tasks,
        (clock, metrics): (Arc<dyn Clock>, Metrics),
        access: Arc<dyn DocumentAccess>,
    ) -> Result<Self, TraceFault> {
        // Whoever still brings what an earlier process left adds to the table: it is opened when that has ended.
        match hold::others_end(&settings.spill_dir).await {
            // Those who are to bring it here wait for the same, each in its turn.
            Err(fault @ TraceFault::Held { .. }) if settings.elsewhere.is_some() => {
                tracing::error!(hint = fault.hint(), "{fault}; spans wait on disk");
            }
            other => other?,
        }
        let kept = Kept::new(
            lake.open(&table::table_name()?, &table::spec()).await?,
            Values::new(settings.values.clone(), settings.shared),
        );
        // Who brings for others, or others beside this process, add what is not seen here.
        let alone = !settings.shared && settings.elsewhere.is_none();
        let kept = if alone { kept.remembering(clock.now()) } else { kept };
        // Who brings for others looks after their traces.
        let kept = if settings.elsewhere.is_none() { kept.looking_after(Arc::clone(&clock)) } else { kept };
        let spill = Arc::new(Spill::open(&settings.spill_dir, settings.spill_limit)?);
        let held = (settings.spill_dir.as_path(), settings.held_limit);
        let sampler = Arc::new(Sampler::open(settings.capture, held, settings.shared, metrics.clone())?);
        let errands = settings.elsewhere.map(|elsewhere| Errands::new(elsewhere, metrics.clone()));
        let counters = Arc::new(Counters::new(metrics));
        // Nobody waits for much at the start: the worker brings it.
        let at_once = settings.bring != Bring::WhenQuiet && spill.bytes() <= LITTLE;
        if at_once && let Err(fault) = writer::sweep(&kept, &spill, &counters, &Stop::never()).await {
            // Reading works without them, and the worker tries again.
            tracing::warn!(cause = %mainspring_kernel::fault::chain(&fault), "spans that an earlier process left wait on disk");
            counters.lake_down.send_replace(true);
        }
        let (queue, inbox) = mpsc::channel(settings.queue.max(1));
        let (to, groups) = mpsc::channel(GROUPS_MAX);
        let board = if settings.shared { Board::shared() } else { Board::default() };
        let onward = Onward { bring: settings.bring, room: Room::of(GROUPS_BYTES), to, board: board.clone() };
        let pace = Pace::new(Arc::clone(&counters), onward.room.clone(), settings.bring);
        let first = (Arc::clone(&spill), Arc::clone(&sampler), Arc::clone(&counters));
        let third = (Arc::clone(&spill), Arc::clone(&sampler), Arc::clone(&counters));
        let (sampled, onto) = (Arc::clone(&kept.table), onward.clone());
        tasks.spawn("spans: queue to disk", |stop| writer::store(inbox, onward, first, stop));
        tasks.spawn("spans: held to disk", |stop| deciding::decide(sampled, onto, third, stop));
        let second = (Arc::clone(&spill), Arc::clone(&counters), settings.bring);
        let (into, others) = (kept.clone(), errands.clone());
        tasks.spawn("spans: disk to lake", |stop| async move {
            let bringing = writer::bring(groups, into, second, others, stop);
            if settings.gives_way { aside("spans", bringing).await } else { bringing.await }
        });
        if kept.orphans.is_some() {
            let (among, told, after) = (kept.clone(), board.clone(), settings.adopt_after);
            tasks.spawn("spans: without an entry", move |stop| async move {
                let looking = adopting::look_after(among, told, after, stop);
                if settings.gives_way { aside("adopting", looking).await } else { looking.await }
            });
        }
        if kept.late.is_some() {
            let (among, time) = (kept.clone(), Arc::clone(&clock));
            tasks.spawn("spans: whose they are", move |stop| async move {
                let naming = belonging::late::look_after(among, move || time.now(), stop);
                if settings.gives_way { aside("naming", naming).await } else { naming.await }
            });
        }
        if settings.shared {
            let (table, onto, time) = (Arc::clone(&kept.table), board.clone(), Arc::clone(&clock));
            tasks.spawn("spans: of other servers", |stop| elsewhere::look_on(table, onto, time, stop));
        }
        let exports = Arc::new(Semaphore::new(query::EXPORTS_MAX));
        let room = Room::of(settings.queue_bytes);
        let (prices, scores, adopt_after) = (Arc::default(), None, settings.adopt_after);
        Ok(Self {
            queue,
            room,
            kept,
            errands,
            access,
            spill,
            sampler,
            counters,
            pace,
            clock,
            board,
            exports,
            adopt_after,
            prices,
            scores,
            firsts: Arc::default(),
        })
    }

    /// Removes large values that no span names any more. Answers how many bytes that were.
    pub async fn sweep_values(&self) -> Result<u64, TraceFault> {
        Ok(self.kept.values.sweep(self.kept.table.as_ref()).await?.bytes)
    }

    /// Deletes traces that began before a time, of every project, and what was set aside before it.
    pub async fn expire(&self, before: Timestamp) -> Result<u64, TraceFault> {
        self.expire_aside(before)?;
        Ok(errand::expire(&self.kept, before, &Stop::never()).await?.0)
    }

    /// What another process does at the table, if not this one.
    #[must_use]
    pub fn errands(&self) -> Option<&Errands> {
        self.errands.as_ref()
    }

    /// Traces to which nothing has come since then and of which no entry was sent are entered by the first of their spans, where
    /// another process does it.
    #[must_use]
    pub fn adopts_before(&self) -> Timestamp {
        self.now().minus(self.adopt_after)
    }

    /// Deletes what was set aside before a time.
    pub fn expire_aside(&self, before: Timestamp) -> Result<u64, TraceFault> {
        self.remove_aside_where(|path| {
            let written = path.metadata().and_then(|found| found.modified()).ok();
            let since = written.and_then(|written| written.duration_since(SystemTime::UNIX_EPOCH).ok());
            since.and_then(|since| i64::try_from(since.as_micros()).ok()).is_some_and(|micros| micros < before.as_micros())
        })
    }

    /// Removes segments that lie aside and hold one of these words.
    pub(crate) fn remove_aside<'a>(&self, words: impl Iterator<Item = &'a String>) -> Result<(), TraceFault> {
        let words: Vec<String> = words.cloned().collect();
        // A damaged span cannot be told from the others of its segment.
        let removed = self.remove_aside_where(|path| spill::shows(path, &words))?;
        if removed > 0 {
            tracing::warn!(removed, "segments that lay aside showed what was to be forgotten; they were removed");
        }
        Ok(())
    }

    fn remove_aside_where(&self, unwanted: impl Fn(&Path) -> bool) -> Result<u64, TraceFault> {
        let removed = self.spill.remove_aside(&unwanted).and_then(|some| Ok(some + self.sampler.remove_aside(&unwanted)?));
        removed.map_err(|source| TraceFault::Spill { path: "aside".into(), source })
    }

    /// Lets go of what is held of erasures until the outcome of its trace. Afterwards this server's disk holds nothing of them
    /// but what is on its way to the lake, and what lies aside.
    pub(crate) async fn let_go(&self, whose: &Arc<[Whose]>, within: Duration) -> Result<Vec<Found>, TraceFault> {
        // What came before must be held by now.
        self.flush(within).await?;
        let LetGo { found, awaited } = self.sampler.erase(whose).await?;
        self.counters.pass(awaited);
        // Rows that are rewritten here while another server deletes them would come back.
        if let Some(orphans) = &self.kept.orphans {
            orphans.forget(|key| whose.iter().any(|whose| whose.is_about(key)));
        }
        if let Some(late) = &self.kept.late {
            late.forget(|key| whose.iter().any(|whose| whose.is_about(key)));
        }
        drop(self.kept.turn().await);
        self.firsts.forget();
        Ok(found)
    }

    /// Waits until everything that is on the disk by now, on its way to the lake, is there.
    pub(crate) async fn bring_all(&self, within: Duration) -> Result<(), TraceFault> {
        self.drain(within).await?;
        let stored = self.spill.waiting().map_err(|source| TraceFault::Spill { path: "segments".into(), source })?;
        // What waits for quiet, and what an earlier process left, comes when somebody asks.
        if !stored.is_empty() {
            self.counters.asked.notify_one();
        }
        let gone = async {
            while stored.iter().any(|path| path.exists()) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(within, gone).await.map_err(|_| TraceFault::NotStored)
    }

    /// Whether nothing is on this server's disk.
    pub(crate) fn has_nothing_on_disk(&self) -> bool {
        let empty = || Ok::<_, std::io::Error>(self.spill.is_empty()? && self.sampler.is_empty()?);
        empty().unwrap_or_else(|error| {
            tracing::warn!(%error, "it cannot be seen whether spans are left on the disk");
            false
        })
    }

    /// What became of the project's spans in this process.
    #[must_use]
    pub fn tally(&self, actor: &Actor) -> Tally {
        self.sampler.tally(actor.project)
    }

    #[must_use]
    pub fn table(&self) -> &Arc<dyn Table> {
        &self.kept.table
    }

    #[must_use]
    pub fn status(&self) -> Status {
        let load = |number: &std::sync::atomic::AtomicU64| number.load(Ordering::Relaxed);
        Status {
            recorded: load(&self.counters.recorded),
            stored: *self.counters.stored.borrow(),
            queryable: *self.counters.queryable.borrow(),
            dropped: load(&self.counters.dropped),
            spill_bytes: self.spill.bytes(),
            spill_limit: self.spill.limit(),
            set_aside: self.spill.aside(),
            left_alone: self.spill.left_alone(),
            lake_down: *self.counters.lake_down.borrow(),
            failing: self.errands.as_ref().map(Errands::all_failing).unwrap_or_default(),
            trouble: *self.counters.trouble.borrow(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) const fn kept(&self) -> &Kept {
        &self.kept
    }

    pub(crate) const fn board(&self) -> &Board {
        &self.board
    }
}
