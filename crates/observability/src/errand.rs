//! Work at the table in a process of its own.
//!
//! The lake's code, and what it keeps while it adds, take as much memory again as a process that answers calls. One that is
//! started for the work, and ends with it, gives back all of it.

pub(crate) mod expiring;
mod faring;
mod sending;

use std::{fmt, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use mainspring_blobs::Blobs;
use mainspring_kernel::{Stop, Timestamp};
use mainspring_lake::{Lake, UpkeepPolicy};
use mainspring_telemetry::Metrics;
use serde::{Deserialize, Serialize};

pub(crate) use expiring::expire;
pub use faring::{Errands, FailingErrand};
pub(crate) use sending::send;

use crate::{
    adopting::adopt_quiet,
    belonging::late::name_all,
    fault::TraceFault,
    hold::Hold,
    settle::Kept,
    spill::{Parcel, Spill},
    table,
    values::Values,
    writer::{self, Counters},
};

/// Runs errands in another process.
#[async_trait]
pub trait Elsewhere: fmt::Debug + Send + Sync + 'static {
    /// Runs one to its end, beside one of another kind if there is one. What is not done of it is asked for again.
    async fn run(&self, errand: Errand) -> Result<Ended, TraceFault>;
    /// Ends the process that runs them, whatever it is at. When this answers it is gone, and so is what it held.
    async fn end(&self, reason: &str);
}

/// How an errand ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    Done,
    /// It was to stop. What it had begun to write is written whole, and the rest is left.
    Stopped,
}

/// What is to be done at the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand(Work);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Work {
    Bring(Vec<Parcel>),
    Upkeep { expire_before: Option<Timestamp>, keep_versions_for: Duration, adopt_before: Option<Timestamp> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrandKind {
    Bring,
    Upkeep,
}

impl ErrandKind {
    pub(crate) const ALL: [Self; 2] = [Self::Bring, Self::Upkeep];

    /// A word for it, for metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bring => "bring",
            Self::Upkeep => "upkeep",
        }
    }
}

impl Errand {
    pub(crate) const fn bring(parcels: Vec<Parcel>) -> Self {
        Self(Work::Bring(parcels))
    }

    /// Deletes what is too old, and puts the table in order. Whoever reads the traces builds the indexes over them.
    #[must_use]
    pub const fn upkeep(expire_before: Option<Timestamp>, keep_versions_for: Duration) -> Self {
        Self(Work::Upkeep { expire_before, keep_versions_for, adopt_before: None })
    }

    /// The same, and finds an entry for traces of which none was sent and to which nothing has come since a time.
    #[must_use]
    pub fn adopting(mut self, before: Timestamp) -> Self {
        if let Work::Upkeep { adopt_before, .. } = &mut self.0 {
            *adopt_before = Some(before);
        }
        self
    }

    #[must_use]
    pub const fn kind(&self) -> ErrandKind {
        match self.0 {
            Work::Bring(_) => ErrandKind::Bring,
            Work::Upkeep { .. } => ErrandKind::Upkeep,
        }
    }
}

/// What errands are run with, in the process that was started for them: the table, and the spill folder, which it holds for as
/// long as this lives.
#[derive(Debug)]
pub struct Workplace {
    kept: Kept,
    spill: Arc<Spill>,
    counters: Counters,
    _hold: Hold,
}

impl Workplace {
    pub async fn open(lake: &dyn Lake, spill_dir: &Path, values: Blobs, hold: Hold) -> Result<Self, TraceFault> {
        let table = lake.open(&table::table_name()?, &table::spec()).await?;
        Ok(Self {
            kept: Kept::new(table, Values::new(values, false)),
            spill: Arc::new(Spill::open(spill_dir, u64::MAX)?),
            counters: Counters::new(Metrics::default()),
            _hold: hold,
        })
    }

    /// Runs an errand to its end, or until it is to stop.
    pub async fn run(&self, errand: Errand, stop: &Stop) -> Result<Ended, TraceFault> {
        match errand.0 {
            Work::Bring(parcels) => {
                let segments = self.spill.adopt(&parcels);
                writer::bring_all(&self.kept, &self.spill, &self.counters, segments, stop).await
            }
            Work::Upkeep { expire_before, keep_versions_for, adopt_before } => {
                self.keep_up((expire_before, adopt_before), keep_versions_for, stop).await
            }
        }
    }

    /// Whoever brings meanwhile waits for one step of it at most.
    async fn keep_up(
        &self,
        (expire_before, adopt_before): (Option<Timestamp>, Option<Timestamp>),
        keep_for: Duration,
        stop: &Stop,
    ) -> Result<Ended, TraceFault> {
        if let Some(before) = expire_before
            && expire(&self.kept, before, stop).await?.1 == Ended::Stopped
        {
            return Ok(Ended::Stopped);
        }
        if let Some(before) = adopt_before
            && (adopt_quiet(&self.kept, before, stop).await? == Ended::Stopped
                || name_all(&self.kept, before, stop).await == Ended::Stopped)
        {
            return Ok(Ended::Stopped);
        }
        let policy = UpkeepPolicy { unindexed_rows: u64::MAX, keep_versions_for: keep_for, ..UpkeepPolicy::default() };
        tokio::select! {
            biased;
            // A compaction that is broken off has changed nothing: its commit is its last step.
            () = stop.requested() => Ok(Ended::Stopped),
            done = self.kept.table.upkeep(&policy) => done.map(|_| Ended::Done).map_err(TraceFault::from),
        }
    }
}
