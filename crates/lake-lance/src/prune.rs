//! Letting go of old versions, and of the files that only they name.
//!
//! A commit looks at the versions since the one it was based on, to see whether they conflict. Those of this process are
//! kept by its views; what another process reads or is about to commit shows only in the age of versions.

use std::time::{Duration, Instant};

use futures::FutureExt as _;
use lance::{Dataset, dataset::cleanup::CleanupPolicy};
use mainspring_lake::{Commit, LakeFault, Past, UpkeepPolicy};
use object_store::{ObjectStoreExt as _, path::Path};

use crate::{deadline::UPKEEP_WITHIN, fault, table::Core, versions};

/// Old versions are let go of when this share of what a table keeps of its past has gone by: each time, every version
/// that is left is read.
const SHARE: u32 = 4;
/// No write takes longer than upkeep may, by any clock: the bucket's and a server's differ by less than that again.
const ABANDONED_AFTER: Duration = UPKEEP_WITHIN.saturating_mul(2);
/// Files that no version names and that one look takes at most.
const ABANDONED_MAX: usize = 10_000;

/// What pruning took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pruned {
    pub(crate) versions: u64,
    pub(crate) bytes: u64,
}

impl std::ops::AddAssign for Pruned {
    fn add_assign(&mut self, other: Self) {
        self.versions += other.versions;
        self.bytes += other.bytes;
    }
}

/// When a table was last pruned, and which version was its newest then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Last {
    at: Instant,
    version: u64,
}

/// How much is kept: by age, and by number where that is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keep {
    pub(crate) no_older_than: Duration,
    pub(crate) versions: Option<u64>,
    /// The table asks for it, and changes often.
    brief: bool,
}

impl Keep {
    pub(crate) fn of(past: Past, policy: &UpkeepPolicy, shared: bool) -> Self {
        match past {
            Past::AsAsked => Self { no_older_than: policy.keep_versions_for, versions: None, brief: false },
            Past::Brief { no_older_than, versions } => Self {
                no_older_than: no_older_than.min(policy.keep_versions_for),
                versions: (!shared).then_some(versions.max(1)),
                brief: true,
            },
        }
    }

    /// Whether it is worth a look: `newest` is the newest version now.
    pub(crate) fn is_due(&self, last: Option<Last>, newest: u64, now: Instant) -> bool {
        let Some(last) = last.filter(|_| self.brief && !self.no_older_than.is_zero()) else { return true };
        let many = self.versions.is_some_and(|versions| newest.saturating_sub(last.version) >= versions / u64::from(SHARE));
        many || now.saturating_duration_since(last.at) >= self.no_older_than / SHARE
    }
}

pub(crate) async fn prune(core: &Core, policy: &UpkeepPolicy) -> Result<Pruned, LakeFault> {
    let _turn = core.history.lock().await;
    let dataset = core.newest_known()?;
    let shared = core.shared.config.look_for_newer_after.is_some();
    let keep = Keep::of(core.past(), policy, shared);
    let (newest, now) = (dataset.version_id(), Instant::now());
    if !keep.is_due(core.last_pruned(), newest, now) {
        return Ok(Pruned::default());
    }
    let mut pruned = Pruned::default();
    let pinned = core.oldest_pinned();
    if let Some(versions) = keep.versions {
        let first_kept = newest.saturating_sub(versions - 1);
        let before_version = Some(pinned.map_or(first_kept, |pinned| pinned.min(first_kept)));
        pruned += clean(core, &dataset, CleanupPolicy { before_version, ..CleanupPolicy::default() }).await?;
    }
    // The engine's clock types are not ours to name; a moment is reached from one it gave us.
    let made = dataset.version().timestamp;
    let since_made = core.shared.config.clock.now().as_micros().saturating_sub(made.timestamp_micros());
    let since_made = Duration::from_micros(u64::try_from(since_made).unwrap_or(0));
    let before = if since_made > keep.no_older_than {
        made + (since_made - keep.no_older_than)
    } else {
        made - (keep.no_older_than - since_made)
    };
    let by_age = CleanupPolicy { before_timestamp: Some(before), before_version: pinned, ..CleanupPolicy::default() };
    pruned += clean(core, &dataset, by_age).await?;
    core.pruned(Last { at: now, version: newest });
    Ok(pruned)
}

/// Removes files that no version names. Called where nobody writes to the table.
pub(crate) async fn clear_leftovers(core: &Core) -> Result<Commit, LakeFault> {
    let _turn = core.history.lock().await;
    let dataset = core.newest_known()?;
    let cleared = clean(core, &dataset, leftovers()).await?;
    Ok(Commit { version: versions::of(&dataset), inserted: 0, deleted: cleared.bytes })
}

/// The same where others write: only files go that are too old to belong to a write that may still come about. Lance knows no
/// other age than a week. Answers how many bytes went.
pub(crate) async fn clear_abandoned(core: &Core) -> Result<u64, LakeFault> {
    let dataset = core.refresh().await?;
    let looking = dataset.cleanup(leftovers()).with_max_candidate_files(ABANDONED_MAX);
    let unnamed = looking.explain().boxed().await.map_err(|error| core.fault(&error))?.candidate_files;
    let (stores, now) = (&core.shared.stores, core.shared.config.clock.now().as_micros());
    let mut bytes = 0;
    for file in unnamed {
        let Ok(path) = Path::parse(&file.path) else { continue };
        let written = match stores.store.inner.head(&path).await {
            Ok(found) => found.last_modified.timestamp_micros(),
            Err(object_store::Error::NotFound { .. }) => continue,
            Err(error) => return Err(fault::of_store(&stores.label, &error)),
        };
        let age = Duration::from_micros(u64::try_from(now.saturating_sub(written)).unwrap_or(0));
        if age < ABANDONED_AFTER {
            continue;
        }
        match stores.store.inner.delete(&path).await {
            Ok(()) => bytes += file.size_bytes,
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(fault::of_store(&stores.label, &error)),
        }
    }
    Ok(bytes)
}

/// Whatever no version names, and no version: none is before the first.
fn leftovers() -> CleanupPolicy {
    CleanupPolicy {
        before_version: Some(0),
        delete_unverified: true,
        error_if_tagged_old_versions: false,
        ..CleanupPolicy::default()
    }
}

/// Versions that a tag names stay in any case.
async fn clean(core: &Core, dataset: &Dataset, policy: CleanupPolicy) -> Result<Pruned, LakeFault> {
    let policy = CleanupPolicy { error_if_tagged_old_versions: false, ..policy };
    let removed = dataset.cleanup_with_policy(policy).boxed().await.map_err(|error| core.fault(&error))?;
    Ok(Pruned { versions: removed.old_versions, bytes: removed.bytes_removed })
}
