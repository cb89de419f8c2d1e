//! Which traces are kept: a share of them by their ids, and those in which something happened.
//!
//! Until it is known that nothing happened in a trace, its spans are held: on the disk, so that what was acknowledged survives
//! (ADR 0022), and in memory, so that nobody reads the disk to let go of them.

mod share;
mod tally;
mod waiting;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use mainspring_kernel::id::ProjectId;
use mainspring_llm::{Span, TraceId, trace::names};
use mainspring_telemetry::Metrics;
use tokio::{sync::Notify, time::Instant};

use share::place_of;
pub use tally::Tally;
pub(crate) use waiting::Waiting;
use waiting::{Held, State};

use crate::{
    capture::{Found, Policies, Policy},
    fault::{TraceFault, Trouble},
    room::weight,
    spill::{self, Frames, Spill},
    writer::Queued,
};

mod erasing;

pub(crate) use self::erasing::LetGo;

#[cfg(test)]
#[path = "tests/sampling.rs"]
mod tests;

/// Spans that are held; what comes on top is decided early.
const HELD_SPANS: usize = 50_000;
/// Where the files of held spans lie, in the folder of the spill.
pub(crate) const UNDECIDED: &str = "undecided";
/// What the files of held spans may take at least, and how many times what is held: one waits for the last of its spans.
const HELD_DISK: u64 = 256 << 20;
const HELD_DISK_TIMES: u64 = 8;
/// Traces that are decided at once.
const AT_ONCE: usize = 500;
const HELP: &str = "Spans that a project's sampling left out: by the share of traces (head), since nothing happened in their \
    trace (outcome), because no more could be held until that was known (early), or with a document that was forgotten.";

pub(crate) type Key = (ProjectId, TraceId);

/// Why spans were left out, as the metric says it.
const REASONS: [&str; 4] = ["head", "outcome", "early", "forgotten"];

/// What a group came to.
#[derive(Debug, Default)]
pub(crate) struct Sorted {
    pub(crate) keep: Vec<Span>,
    /// Spans of the group that are not on their way to the lake.
    pub(crate) aside: u64,
}

#[derive(Debug)]
pub(crate) struct Sampler {
    policies: Policies,
    dir: PathBuf,
    /// Opened when there is something to hold.
    files: OnceLock<Spill>,
    /// Bytes that they may take.
    disk: u64,
    /// Whether other servers take in spans of the same projects.
    shared: bool,
    state: Mutex<State>,
    /// Held by whoever has traces in hand that are neither here nor elsewhere.
    turn: tokio::sync::Mutex<()>,
    metrics: Metrics,
    /// There are traces that are wanted.
    changed: Notify,
    /// Spans that may be held, and the bytes they may take.
    most: (usize, usize),
}

impl Sampler {
    /// Takes up what an earlier process held. `held_limit`: bytes that held spans may take.
    pub(crate) fn open(
        policies: Policies,
        (spill_dir, held_limit): (&Path, u64),
        shared: bool,
        metrics: Metrics,
    ) -> Result<Self, TraceFault> {
        let sampler = Self {
            policies,
            dir: spill_dir.join(UNDECIDED),
            files: OnceLock::new(),
            disk: held_limit.saturating_mul(HELD_DISK_TIMES).max(HELD_DISK),
            shared,
            state: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            metrics,
            changed: Notify::new(),
            most: (HELD_SPANS, usize::try_from(held_limit).unwrap_or(usize::MAX)),
        };
        // A series that is there from the start can be watched for its first increase.
        REASONS.iter().for_each(|reason| sampler.count(reason, 0));
        if sampler.dir.exists() {
            let fault = |source| TraceFault::Spill { path: sampler.dir.display().to_string(), source };
            sampler.take_up(Spill::open(&sampler.dir, sampler.disk)?).map_err(fault)?;
        }
        Ok(sampler)
    }

    fn take_up(&self, files: Spill) -> std::io::Result<()> {
        let (policies, now) = (self.policies.now(), Instant::now());
        let files = self.files.get_or_init(|| files);
        for path in files.segments()? {
            let segment = match spill::read(&path) {
                Ok(Some(segment)) if segment.damaged == 0 => segment,
                Ok(None) => continue,
                Ok(Some(_)) | Err(_) => {
                    tracing::error!(path = %path.display(), "held spans of an earlier process cannot be read");
                    files.set_aside(&path);
                    continue;
                }
            };
            let file = Arc::new(path);
            let held = segment.spans.into_iter().map(|span| {
                let hold = policies.of(span.project).sampling.hold;
                (Held { bytes: weight(&span), span, file: Arc::clone(&file) }, hold)
            });
            self.hold(held.collect(), now, true);
            self.let_go(file);
        }
        Ok(())
    }

    fn files(&self) -> Result<&Spill, Trouble> {
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        let opened = Spill::open(&self.dir, self.disk).map_err(|fault| {
            tracing::error!(%fault, "the folder of held spans cannot be used");
            Trouble::Unwritable
        })?;
        Ok(self.files.get_or_init(|| opened))
    }

    /// Says what becomes of a group's spans, and takes out of them what may not be kept. Those that are held are on the disk
    /// when this returns.
    pub(crate) fn sort(&self, group: Vec<Queued>, now: Instant) -> Result<Sorted, Trouble> {
        let policies = self.policies.now();
        let mut sorted = Sorted::default();
        // First, so that what came before the error in the same group is not held.
        for span in group.iter().map(|queued| &queued.span) {
            let sampling = &policies.of(span.project).sampling;
            if !sampling.keeps_all() && sampling.tells(span) {
                self.want((span.project, span.trace));
            }
        }
        let (mut hold, mut tallies) = (Vec::new(), BTreeMap::<ProjectId, Tally>::new());
        let mut left_out: HashMap<&'static str, u64> = HashMap::new();
        for Queued { mut span, .. } in group {
            let policy = policies.of(span.project);
            let tally = tallies.entry(span.project).or_default();
            match self.fate(&span, policy) {
                Fate::Kept(weight) => {
                    tally.redacted += redact(policy, &mut span, weight);
                    tally.kept += 1;
                    sorted.keep.push(span);
                }
                Fate::Held => {
                    tally.redacted += redact(policy, &mut span, Some(1.0));
                    hold.push((span, policy.sampling.hold));
                    sorted.aside += 1;
                }
                Fate::LeftOut(reason) => {
                    tally.left_out(reason, 1);
                    *left_out.entry(reason).or_default() += 1;
                    sorted.aside += 1;
                }
            }
        }
        self.store(hold, now)?;
        let redacted: u64 = tallies.values().map(|tally| tally.redacted).sum();
        let mut state = self.state();
        for (project, more) in tallies {
            let tally = state.tallies.entry(project).or_default();
            tally.kept += more.kept;
            tally.head += more.head;
            tally.outcome += more.outcome;
            tally.redacted += more.redacted;
        }
        drop(state);
        left_out.into_iter().for_each(|(reason, spans)| self.count(reason, spans));
        self.count_redacted(redacted);
        Ok(sorted)
    }

    pub(crate) fn count_redacted(&self, places: u64) {
        if places > 0 {
            #[expect(clippy::cast_precision_loss, reason = "counters are floats by format")]
            let by = places as f64;
            self.metrics.add("mainspring_redacted_total", "Places in spans that were redacted before they were stored.", &[], by);
        }
    }

    fn fate(&self, span: &Span, policy: &Policy) -> Fate {
        let sampling = &policy.sampling;
        if sampling.keeps_all() {
            return Fate::Kept(None);
        }
        // A span that is kept in any case stands for itself alone.
        if sampling.tells(span) {
            return Fate::Kept(Some(1.0));
        }
        let chosen = place_of(span.trace) < sampling.share;
        if !sampling.by_outcome() {
            return if chosen { Fate::Kept(Some(1.0 / sampling.share)) } else { Fate::LeftOut("head") };
        }
        match self.state().decided.get(&(span.project, span.trace)) {
            // Of such a trace everything is kept, chosen or not.
            Some(true) => Fate::Kept(Some(1.0)),
            _ if chosen => Fate::Kept(Some(1.0 / sampling.share)),
            Some(false) => Fate::LeftOut("outcome"),
            None => Fate::Held,
        }
    }

    /// Something happened in a trace: all of it is kept.
    fn want(&self, key: Key) {
        let mut state = self.state();
        state.decided.put(key, true);
        if let Some(waiting) = state.take(&key) {
            state.announced += waiting.spans.len() as u64;
            state.wanted.push(waiting);
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Spans that were held and are wanted since this was last asked: readers wait for them from then on.
    pub(crate) fn announced(&self) -> u64 {
        std::mem::take(&mut self.state().announced)
    }

    /// Writes spans that are held.
    fn store(&self, spans: Vec<(Span, Duration)>, now: Instant) -> Result<(), Trouble> {
        if spans.is_empty() {
            return Ok(());
        }
        let frames = Frames::of(spans.iter().map(|(span, _)| span)).map_err(|error| Trouble::of(&error))?;
        let files = self.files()?;
        let file = match files.write(&frames) {
            Err(Trouble::SpillFull) => {
                // The oldest hold the most files.
                self.make_room((self.most.0 / 2, self.most.1 / 2));
                match files.write(&frames) {
                    Err(Trouble::SpillFull) => {
                        self.leave_out("early", spans.iter().map(|(span, _)| span.project));
                        return Ok(());
                    }
                    other => other?,
                }
            }
            other => other?,
        };
        let file = Arc::new(file);
        let held = spans.into_iter().map(|(span, hold)| (Held { bytes: weight(&span), span, file: Arc::clone(&file) }, hold));
        self.hold(held.collect(), now, self.shared);
        self.let_go(file);
        Ok(())
    }

    fn hold(&self, spans: Vec<(Held, Duration)>, now: Instant, doubtful: bool) {
        let mut state = self.state();
        for (held, hold) in spans {
            state.hold(held, (now, hold), doubtful);
        }
        drop(state);
        self.make_room(self.most);
        self.publish();
    }

    /// Decides about the oldest traces until the others have room.
    fn make_room(&self, (spans, bytes): (usize, usize)) {
        let mut gone = Vec::new();
        let mut state = self.state();
        while state.spans > spans || state.bytes > bytes {
            let Some((number, key)) = state.order.pop_front() else { break };
            if state.traces.get(&key).is_some_and(|waiting| waiting.number == number)
                && let Some(waiting) = state.take(&key)
            {
                state.decided.put(key, false);
                gone.push(waiting);
            }
        }
        drop(state);
        self.drop_all(gone, "early");
    }

    /// Traces that something happened in.
    pub(crate) fn take_wanted(&self) -> Vec<Waiting> {
        std::mem::take(&mut self.state().wanted)
    }

    /// Traces whose time is over: those that only this process has seen, and those that must be looked for in the lake.
    pub(crate) fn take_due(&self, now: Instant) -> (Vec<Waiting>, Vec<Waiting>) {
        let mut state = self.state();
        let due: Vec<Key> =
            state.traces.values().filter(|waiting| waiting.due <= now).map(|waiting| waiting.key).take(AT_ONCE).collect();
        let due: Vec<Waiting> = due.iter().filter_map(|key| state.take(key)).collect();
        due.into_iter().partition(|waiting| !waiting.doubtful)
    }

    /// Puts back what could not be written, which is wanted, or not be decided.
    pub(crate) fn put_back(&self, waiting: Vec<Waiting>, wanted: bool, due: Instant) {
        let mut state = self.state();
        for mut waiting in waiting {
            if wanted {
                state.wanted.push(waiting);
            } else if state.decided.get(&waiting.key) == Some(true) {
                state.announced += waiting.spans.len() as u64;
                state.wanted.push(waiting);
            } else {
                waiting.due = due;
                state.put(waiting);
            }
        }
    }

    /// Ends the waiting of traces. Answers those that are kept, by what was found in the lake or came meanwhile.
    pub(crate) fn settle(&self, waiting: Vec<Waiting>, present: &HashSet<Key>) -> Vec<Waiting> {
        let mut state = self.state();
        let (kept, gone): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|waiting| {
            let kept = present.contains(&waiting.key) || state.decided.get(&waiting.key) == Some(true);
            state.decided.put(waiting.key, kept);
            kept
        });
        drop(state);
        self.drop_all(gone, "outcome");
        kept
    }

    /// Traces are in the spill like others: they are held no longer.
    pub(crate) fn released(&self, waiting: Vec<Waiting>) {
        let mut state = self.state();
        for waiting in &waiting {
            state.tallies.entry(waiting.key.0).or_default().kept += waiting.spans.len() as u64;
        }
        drop(state);
        self.let_go_of(waiting);
    }

    pub(crate) fn tally(&self, project: ProjectId) -> Tally {
        let state = self.state();
        let held = state.traces.values().chain(&state.wanted).filter(|waiting| waiting.key.0 == project);
        let held = held.map(|waiting| waiting.spans.len() as u64).sum();
        Tally { held, ..state.tallies.get(&project).copied().unwrap_or_default() }
    }

    /// Waits until a trace is wanted.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn drop_all(&self, gone: Vec<Waiting>, reason: &'static str) {
        if gone.is_empty() {
            return;
        }
        self.leave_out(reason, gone.iter().flat_map(|waiting| waiting.spans.iter().map(|_| waiting.key.0)));
        self.let_go_of(gone);
    }

    fn leave_out(&self, reason: &'static str, projects: impl Iterator<Item = ProjectId>) {
        let mut spans = 0;
        let mut state = self.state();
        for project in projects {
            state.tallies.entry(project).or_default().left_out(reason, 1);
            spans += 1;
        }
        drop(state);
        self.count(reason, spans);
    }

    fn let_go_of(&self, waiting: Vec<Waiting>) {
        waiting.into_iter().flat_map(|waiting| waiting.spans).for_each(|held| self.let_go(held.file));
        self.publish();
    }

    /// Removes a file that no span is held in any longer.
    fn let_go(&self, file: Arc<PathBuf>) {
        if let (Some(path), Some(files)) = (Arc::into_inner(file), self.files.get()) {
            files.finish(&path);
        }
    }

    fn count(&self, reason: &str, spans: u64) {
        #[expect(clippy::cast_precision_loss, reason = "counters are floats by format")]
        let by = spans as f64;
        self.metrics.add("mainspring_spans_sampled_out_total", HELP, &[("reason", reason)], by);
    }

    fn publish(&self) {
        #[expect(clippy::cast_precision_loss, reason = "gauges are floats by format")]
        let held = self.state().spans as f64;
        self.metrics.set("mainspring_spans_held", "Spans that wait for the outcome of their trace.", &[], held);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of a span.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    /// With the number of spans that it stands for, where not all are kept.
    Kept(Option<f64>),
    Held,
    LeftOut(&'static str),
}

fn redact(policy: &Policy, span: &mut Span, weight: Option<f64>) -> u64 {
    let found: Found = policy.apply(span);
    if let Some(weight) = weight {
        span.attributes.insert(names::SAMPLING_WEIGHT.to_owned(), weight.into());
    }
    found.total()
}
