//! Pruning, compacting and folding, in that order: what is pruned need not be compacted, and a
//! compaction that fails must not keep old versions on the disk.

use std::sync::Arc;

use futures::FutureExt as _;
use lance::{
    Dataset, Error,
    dataset::optimize::{CompactionMode, CompactionOptions, compact_files},
};
use lance_table::format::Fragment;
use mainspring_lake::{LakeFault, Upkeep, UpkeepPolicy};

use crate::{indexes, lake::Footprint, prune::prune, table::Core, widths};

/// Lance's own limit for rows of any width.
const FRAGMENT_ROWS_MAX: u64 = 1 << 20;
const FRAGMENT_ROWS_MIN: u64 = 1_024;
/// A large fragment is rewritten only together with small ones that weigh at least this share of it;
/// otherwise every few commits would rewrite it for nothing.
const WORTH_IT: u64 = 4;
const DELETED_SHARE: f32 = 0.1;
/// What rows take in memory of what they take on the disk, about: texts are written in fewer bytes.
const UNPACKED: u64 = 10;
/// What is read at once, as a share of what a fragment should weigh: several such pieces are under way.
const AT_ONCE: u64 = 16;
/// Upkeep loses against writers, not the other way round; it comes back soon anyway.
const ATTEMPTS: u32 = 4;

pub(crate) async fn run(core: &Arc<Core>, policy: &UpkeepPolicy) -> Result<Upkeep, LakeFault> {
    let _turn = core.upkeep.lock().await;
    core.refresh_if_shared().await?;
    let mut pruned = prune(core, policy).await?;
    let compacted_fragments = compact(core, policy).await?;
    let built_indexes = build_missing(core, policy).await?;
    let folded_rows = fold(core, policy).await?;
    if compacted_fragments > 0 && policy.keep_versions_for.is_zero() {
        // Whoever keeps no past wants none of what was just rewritten either.
        pruned += prune(core, policy).await?;
    }
    let (pruned_versions, freed_bytes) = (pruned.versions, pruned.bytes);
    Ok(Upkeep { compacted_fragments, folded_rows, built_indexes, pruned_versions, freed_bytes })
}

async fn build_missing(core: &Core, policy: &UpkeepPolicy) -> Result<Vec<String>, LakeFault> {
    for attempt in 1..=ATTEMPTS {
        if let Some(built) = settled(core, attempt, indexes::build_missing(core, policy).await).await? {
            return Ok(built);
        }
    }
    Ok(Vec::new())
}

async fn fold(core: &Core, policy: &UpkeepPolicy) -> Result<u64, LakeFault> {
    for attempt in 1..=ATTEMPTS {
        if let Some(folded) = settled(core, attempt, indexes::fold(core, policy).await).await? {
            return Ok(folded);
        }
    }
    Ok(0)
}

/// Nothing when the work lost against a writer: it is worth another try, and in the end the next upkeep does it.
async fn settled<T>(core: &Core, attempt: u32, outcome: Result<T, LakeFault>) -> Result<Option<T>, LakeFault> {
    if !matches!(outcome, Err(LakeFault::Contended { .. })) {
        return outcome.map(Some);
    }
    tracing::debug!(table = %core.name, attempt, "upkeep gave way to a writer");
    core.try_again(attempt).await?;
    Ok(None)
}

async fn compact(core: &Core, policy: &UpkeepPolicy) -> Result<u64, LakeFault> {
    let mut removed = 0;
    for step in steps(policy, core.footprint()) {
        removed += take(core, policy, step).await?;
    }
    Ok(removed)
}

/// One way in which fragments grow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    /// What fragments weigh that are taken, at least; and what they should weigh then.
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) mode: CompactionMode,
}

pub(crate) fn steps(policy: &UpkeepPolicy, Footprint { fragment_bytes: to, step_bytes, .. }: Footprint) -> Vec<Step> {
    match step_bytes {
        // Whoever wants one fragment wants nothing of the past in it either.
        Some(step) if policy.fragments > 1 => vec![
            Step { from: 0, to: step, mode: CompactionMode::Reencode },
            Step { from: step, to, mode: CompactionMode::TryBinaryCopy },
        ],
        _ => vec![Step { from: 0, to, mode: CompactionMode::Reencode }],
    }
}

async fn take(core: &Core, policy: &UpkeepPolicy, step: Step) -> Result<u64, LakeFault> {
    for attempt in 1..=ATTEMPTS {
        let dataset = core.newest_known()?;
        let Some(options) = plan(&dataset, policy, step, core.footprint().fragment_bytes) else { return Ok(0) };
        let mut dataset = Dataset::clone(&dataset);
        match compact_files(&mut dataset, options, None).boxed().await {
            Ok(done) => {
                core.advance(dataset);
                return Ok(done.fragments_removed as u64);
            }
            Err(error) if lost(&error) => {
                core.try_again(attempt).await?;
            }
            Err(error) => return Err(core.fault(&error)),
        }
    }
    Ok(0)
}

const fn lost(error: &Error) -> bool {
    matches!(
        error,
        Error::CommitConflict { .. }
            | Error::RetryableCommitConflict { .. }
            | Error::IncompatibleTransaction { .. }
            | Error::TooMuchWriteContention { .. }
    )
}

/// What to compact now, if anything.
fn plan(dataset: &Dataset, policy: &UpkeepPolicy, step: Step, fragment_bytes: u64) -> Option<CompactionOptions> {
    let pieces: Vec<Piece> = dataset.iter_fragments().map(Piece::of).collect();
    let (least, target) = (if step.from == 0 { 0 } else { target_rows(&pieces, step.from) }, target_rows(&pieces, step.to));
    let is_last = step.to >= fragment_bytes;
    // What an earlier step leaves alone is for a later one, however many of its rows were deleted.
    let is_of_step = |piece: &Piece| piece.rows >= least && (is_last || piece.rows < target);
    let taken: Vec<Piece> = pieces.iter().copied().filter(is_of_step).collect();
    let mut left = if policy.fragments <= 1 { Vec::new() } else { excluded(&taken, target) };
    let small = taken.iter().filter(|piece| piece.rows < target && !left.contains(&piece.id)).count();
    let thinned = taken.iter().any(|piece| piece.is_thinned(policy.fragments));
    if (small < 2 || small < policy.fragments) && !thinned {
        return None;
    }
    left.extend(pieces.iter().filter(|piece| !is_of_step(piece)).map(|piece| piece.id));
    Some(CompactionOptions {
        target_rows_per_fragment: usize::try_from(target).unwrap_or(usize::MAX),
        materialize_deletions: true,
        materialize_deletions_threshold: if policy.fragments <= 1 { 0.0 } else { DELETED_SHARE },
        num_threads: Some(1),
        batch_size: rows_at_once(&pieces, fragment_bytes / AT_ONCE),
        excluded_fragment_ids: left,
        compaction_mode: Some(step.mode),
        ..CompactionOptions::default()
    })
}

/// How many rows are read at once in so many bytes of memory, where they are so large that it must be fewer than usual.
pub(crate) fn rows_at_once(pieces: &[Piece], room: u64) -> Option<usize> {
    let (rows, bytes) = weighed(pieces);
    let whole = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    widths::rows_of(whole(bytes.saturating_mul(UNPACKED) / rows.max(1)), whole(room))
}

/// Rows and bytes of all.
fn weighed(pieces: &[Piece]) -> (u64, u64) {
    pieces.iter().fold((0, 0), |(rows, bytes), piece| (rows + piece.rows + piece.deleted, bytes + piece.bytes))
}

/// A fragment, as far as compaction looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) id: u32,
    pub(crate) rows: u64,
    pub(crate) deleted: u64,
    pub(crate) bytes: u64,
}

impl Piece {
    fn of(fragment: &Fragment) -> Self {
        let deleted = fragment.deletion_file.as_ref().and_then(|file| file.num_deleted_rows).unwrap_or(0);
        Self {
            id: u32::try_from(fragment.id).unwrap_or(u32::MAX),
            rows: fragment.num_rows().unwrap_or(0) as u64,
            deleted: deleted as u64,
            bytes: fragment.files.iter().filter_map(|file| file.file_size_bytes.get()).map(|size| size.get()).sum(),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
    fn is_thinned(&self, fragments: usize) -> bool {
        let all = self.rows + self.deleted;
        let share = if all == 0 { 0.0 } else { self.deleted as f32 / all as f32 };
        share > if fragments <= 1 { 0.0 } else { DELETED_SHARE }
    }
}

/// How many rows weigh as much as a fragment should.
pub(crate) fn target_rows(pieces: &[Piece], fragment_bytes: u64) -> u64 {
    let (rows, bytes) = weighed(pieces);
    if rows == 0 || bytes == 0 {
        return FRAGMENT_ROWS_MAX;
    }
    (fragment_bytes.saturating_mul(rows) / bytes).clamp(FRAGMENT_ROWS_MIN, FRAGMENT_ROWS_MAX)
}

/// Fragments that are small, but too large to be rewritten for the sake of the still smaller ones.
pub(crate) fn excluded(pieces: &[Piece], target: u64) -> Vec<u32> {
    let mut small: Vec<&Piece> = pieces.iter().filter(|piece| piece.rows < target).collect();
    small.sort_by_key(|piece| piece.rows);
    let mut gathered = 0;
    let mut left_out = Vec::new();
    for (at, piece) in small.iter().enumerate() {
        // The smallest has nothing below it to be compared with.
        if at > 0 && piece.rows > gathered * WORTH_IT && !piece.is_thinned(usize::MAX) {
            left_out.extend(small[at..].iter().filter(|piece| !piece.is_thinned(usize::MAX)).map(|piece| piece.id));
            break;
        }
        gathered += piece.rows.max(1);
    }
    left_out
}

/// The size of a version's data files, when all are known.
pub(crate) fn bytes_of(dataset: &Dataset) -> Option<u64> {
    dataset
        .iter_fragments()
        .flat_map(|fragment| &fragment.files)
        .map(|file| file.file_size_bytes.get().map(|size| size.get()))
        .sum()
}
