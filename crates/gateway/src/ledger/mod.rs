//! The money: what calls may cost, what is set aside for them, and what they cost.
//!
//! `admit` lets a call through and writes it down, `Permit::settle` says what became of it. Both touch memory and the journal
//! only. In the background settled calls go to the catalog in batches, together with the sums and the budgets they move.
//!
//! On SQLite one process keeps every limit in memory, exactly. On PostgreSQL several share them: each fetches a part of a
//! limit before it uses it, so that together they never hand out more than there is.

mod admit;
mod batch;
mod book;
mod calls;
mod compact;
mod fault;
mod flush;
mod frames;
mod headers;
mod intent;
mod journal;
mod keep;
mod lease;
mod left;
pub(crate) mod limit;
pub(crate) mod meter;
pub(crate) mod meters;
mod open;
mod permit;
mod pricing;
mod processes;
mod recover;
mod reprice;
mod rules;
pub(crate) mod usage;
pub(crate) mod window;

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mainspring_catalog::{AuditTrail, Catalog};
use mainspring_kernel::{
    Clock, Tasks,
    id::{CallId, ProjectId},
};
use mainspring_registry::Registry;
use mainspring_telemetry::Metrics;
use tokio::sync::{Notify, oneshot};

pub use calls::CallFilter;
pub use fault::{LedgerFault, Refusal, TooDear};
pub use headers::{ToldLimit, told_limits};
pub use intent::{Candidate, Intent};
pub use limit::{Amount, EACH, Limit, Metric, NewLimit, SubjectKind, WordFault};
pub use permit::Permit;
pub use processes::Process;
pub use reprice::{Apart, Repriced, RepricedRow, Repricing};
pub use rules::LimitState;
pub use usage::{UsageBy, UsageFilter, UsageQuestion, UsageReport, UsageRow};
pub use window::Span;

use book::Book;
use journal::Journal;
use meters::Meters;
use pricing::PriceBook;

use crate::{cost::Prices, record::CallRecord};

/// Records that wait for the catalog may take this much of the disk; then calls under a budget are refused.
const WAITING_BYTES_MAX: u64 = 256 << 20;

/// What a ledger is made of.
#[derive(Debug, Clone)]
pub struct LedgerParts {
    pub catalog: Catalog,
    /// Where projects keep their prices.
    pub registry: Registry,
    pub clock: Arc<dyn Clock>,
    pub tasks: Tasks,
    pub metrics: Metrics,
    /// The folder of the journal. It belongs to this process alone.
    pub journal: PathBuf,
    /// Who is told of changed limits.
    pub audit: Option<Arc<dyn AuditTrail>>,
    /// Calls that ended longer ago are forgotten; sums stay.
    pub keep_calls_for: Duration,
}

/// Clones share everything.
#[derive(Debug, Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    parts: LedgerParts,
    /// The name under which the catalog knows what this journal has written, and the session that began with this start.
    owner: String,
    session: String,
    prices: PriceBook,
    state: Mutex<State>,
    /// One batch at a time.
    flushing: tokio::sync::Mutex<()>,
    /// There is enough for a batch.
    full: Notify,
    /// A share of a limit is wished for.
    wished: Notify,
    /// Shares have come.
    granted: Notify,
}

/// What admitting and settling change, under one lock: a call is in the journal exactly when it is on the meters.
#[derive(Debug)]
struct State {
    journal: Journal,
    /// What an earlier process left is not settled yet, for want of room on the disk: no call is let through.
    shut: bool,
    meters: Meters,
    book: Arc<Book>,
    /// Calls refused since they were last counted, by code.
    refused: HashMap<&'static str, u64>,
    /// How many bytes may wait for the catalog before budgets are closed.
    waiting_max: u64,
    /// Calls of an earlier process whose answers are made in the background, until somebody waits for them again.
    left: Vec<left::Waiting>,
    /// Who hears that a call in the background is in the catalog. A call that came back may be settled here more than once, and
    /// only the first counts.
    unheard: HashMap<CallId, VecDeque<oneshot::Sender<CallRecord>>>,
}

impl Ledger {
    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which process this is among those that share a catalog: the same one again after a restart over the same journal.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.inner.owner
    }

    /// Whether several processes keep the limits together.
    pub(crate) fn is_shared(&self) -> bool {
        self.state().meters.shared()
    }

    /// Where calls are written down in the end.
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.inner.parts.catalog
    }

    /// What tokens cost in a project now.
    #[must_use]
    pub fn prices(&self, project: ProjectId) -> Prices {
        self.inner.prices.of(project)
    }

    /// Calls that were let through and have not ended.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.state().journal.under_way()
    }

    /// Calls that ended and are not in the catalog yet.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.state().journal.waiting()
    }
}
