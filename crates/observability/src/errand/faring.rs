//! How errands fare: each is counted, and after one that failed the next of its kind waits, longer each time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mainspring_kernel::fault::chain;
use mainspring_telemetry::Metrics;
use tokio::time::{Instant, timeout};

use super::{Elsewhere, Ended, Errand, ErrandKind};
use crate::fault::TraceFault;

/// How soon it is tried again after the first that failed; twice as late after each further one, up to what its kind says.
const AGAIN_AFTER: Duration = Duration::from_secs(2);
/// Upkeep that takes longer hangs. The lake gives up on its own after less.
const UPKEEP_MAX: Duration = Duration::from_secs(3600);
const OUTCOMES: [&str; 3] = ["done", "stopped", "failed"];

/// Errands of one kind that fail, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingErrand {
    pub kind: ErrandKind,
    pub times: u32,
    pub reason: String,
}

#[derive(Debug)]
struct Failing {
    times: u32,
    reason: String,
    again_at: Instant,
}

/// The errands of this process.
#[derive(Debug, Clone)]
pub struct Errands {
    elsewhere: Arc<dyn Elsewhere>,
    metrics: Metrics,
    failing: Arc<Mutex<BTreeMap<ErrandKind, Failing>>>,
}

impl ErrandKind {
    /// What waits for it fills the disk; upkeep that fails may have read and written much in vain.
    const fn again_within(self) -> Duration {
        match self {
            Self::Bring => Duration::from_secs(60),
            Self::Upkeep => Duration::from_secs(15 * 60),
        }
    }
}

impl Errands {
    pub(crate) fn new(elsewhere: Arc<dyn Elsewhere>, metrics: Metrics) -> Self {
        let errands = Self { elsewhere, metrics, failing: Arc::default() };
        // A series that is there from the start can be watched for its first increase.
        for kind in ErrandKind::ALL {
            OUTCOMES.iter().for_each(|outcome| errands.count(kind, outcome, 0.0));
            errands.show(kind, 0);
        }
        errands
    }

    /// Runs one to its end, and takes note of it.
    pub async fn run(&self, errand: Errand) -> Result<Ended, TraceFault> {
        let kind = errand.kind();
        let outcome = match kind {
            // Whoever has traces brought sees whether they are.
            ErrandKind::Bring => self.elsewhere.run(errand).await,
            ErrandKind::Upkeep => match timeout(UPKEEP_MAX, self.elsewhere.run(errand)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(self.give_up(&format!("upkeep did not end within {} s", UPKEEP_MAX.as_secs())).await),
            },
        };
        match &outcome {
            Ok(Ended::Done) => {
                self.count(kind, "done", 1.0);
                self.failing().remove(&kind);
                self.show(kind, 0);
            }
            // Nothing is known of what would have become of it.
            Ok(Ended::Stopped) => self.count(kind, "stopped", 1.0),
            Err(fault) => self.failed(kind, fault),
        }
        outcome
    }

    /// Ends the process that hangs.
    pub(crate) async fn give_up(&self, reason: &str) -> TraceFault {
        self.elsewhere.end(reason).await;
        TraceFault::Errand { reason: reason.to_owned() }
    }

    /// Whether one of a kind may be tried now: not too soon after one that failed.
    #[must_use]
    pub fn may_run(&self, kind: ErrandKind) -> bool {
        self.failing().get(&kind).is_none_or(|failing| Instant::now() >= failing.again_at)
    }

    pub(crate) fn is_failing(&self, kind: ErrandKind) -> bool {
        self.failing().contains_key(&kind)
    }

    /// What fails, as far as it is known.
    pub(crate) fn all_failing(&self) -> Vec<FailingErrand> {
        let failing = self.failing();
        let told = failing.iter().map(|(kind, Failing { times, reason, .. })| FailingErrand {
            kind: *kind,
            times: *times,
            reason: reason.clone(),
        });
        told.collect()
    }

    fn failed(&self, kind: ErrandKind, fault: &TraceFault) {
        let cause = chain(fault);
        let mut failing = self.failing();
        let times = failing.get(&kind).map_or(1, |before| before.times.saturating_add(1));
        let again_in = AGAIN_AFTER.saturating_mul(1 << (times - 1).min(16)).min(kind.again_within());
        failing.insert(kind, Failing { times, reason: cause.clone(), again_at: Instant::now() + again_in });
        drop(failing);
        self.count(kind, "failed", 1.0);
        self.show(kind, times);
        let (errand, again_in_seconds) = (kind.as_str(), again_in.as_secs());
        tracing::warn!(
            errand,
            times,
            again_in_seconds,
            cause,
            "work at the traces by a process of its own failed; it is tried again"
        );
    }

    fn count(&self, kind: ErrandKind, outcome: &str, by: f64) {
        let help = "Work at traces by a process of its own: bringing them to the lake, and upkeep.";
        self.metrics.add("mainspring_errands_total", help, &[("errand", kind.as_str()), ("outcome", outcome)], by);
    }

    fn show(&self, kind: ErrandKind, times: u32) {
        let help = "How often this work failed since it last was done.";
        self.metrics.set("mainspring_errands_failing", help, &[("errand", kind.as_str())], f64::from(times));
    }

    fn failing(&self) -> MutexGuard<'_, BTreeMap<ErrandKind, Failing>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
