//! Deleting and adding rows as one version.
//!
//! Rows are staged first, as files no version refers to. Then what the condition matches is looked up
//! in the newest version, and one commit takes those rows out and the staged files in. When another
//! commit got in between, only the look-up is made again. Rows that somebody read and writes anew are
//! looked up in the version that was read, and a commit that took one of them out since is told. The staged files of a change
//! that was refused go at once (`staged.rs`).

use std::sync::Arc;

use arrow_array::RecordBatch;
use futures::FutureExt as _;
use lance::{
    Dataset,
    dataset::{
        DeleteBuilder, UncommittedDelete,
        transaction::{Operation, Transaction, UpdateMode},
    },
    deps::datafusion::{common::ScalarValue, logical_expr::Expr},
};
use lance_table::format::{Fragment, key_existence::KeyExistenceFilter};
use mainspring_lake::{Commit, Filter, LakeFault, LakeVersion};

use crate::{
    filter::{self, Condition},
    keyed, staged,
    table::Core,
    versions, writer,
};

/// `keys`: the columns by which rows are known, where another process must not add one of the same key meanwhile.
pub(crate) async fn replace(
    core: &Core,
    delete: &Filter,
    rows: Option<RecordBatch>,
    keys: &[String],
) -> Result<Commit, LakeFault> {
    let dataset = core.refresh_if_shared().await?;
    let known_by = keyed::of(core, &dataset, rows.as_ref(), keys)?;
    let mut anew = Anew::written(core, &dataset, rows, known_by).await?;
    let outcome = anew.commit_for(core, dataset.clone(), delete).await;
    anew.settled(core, &dataset, outcome).await
}

/// Of rows as they were in a version. Lance refuses a commit that takes out a row which another one took out since.
pub(crate) async fn replace_as_read(
    core: &Core,
    read: &LakeVersion,
    delete: &Filter,
    rows: Option<RecordBatch>,
) -> Result<Commit, LakeFault> {
    let dataset = match core.in_use(read)? {
        Some(dataset) => dataset,
        None => Arc::new(as_it_was(core, read).await?),
    };
    let condition = expression(core, &dataset, delete)?;
    let found = match DeleteBuilder::from_expr(dataset.clone(), condition).execute_uncommitted().boxed().await {
        Ok(found) => found,
        Err(error) => {
            // Its files may have gone with it.
            as_it_was(core, read).await?;
            return Err(core.fault(&error));
        }
    };
    let mut anew = Anew::written(core, &dataset, rows, None).await?;
    let outcome = anew.commit_as_read(core, read, (&dataset, &found)).await;
    anew.settled(core, &dataset, outcome).await
}

/// Rows that lie in files already, and take the place of others if their commit comes about.
struct Anew {
    fragments: Vec<Fragment>,
    rows: u64,
    known_by: Option<KeyExistenceFilter>,
    /// Whether none of the commits that were tried can come about any more.
    over: bool,
}

impl Anew {
    async fn written(
        core: &Core,
        dataset: &Arc<Dataset>,
        rows: Option<RecordBatch>,
        known_by: Option<KeyExistenceFilter>,
    ) -> Result<Self, LakeFault> {
        let count = rows.as_ref().map_or(0, |rows| rows.num_rows() as u64);
        let fragments = match rows {
            Some(rows) => staged_fragments(core, dataset, rows).await?,
            None => Vec::new(),
        };
        Ok(Self { fragments, rows: count, known_by, over: true })
    }

    /// In the place of what the condition finds by then.
    async fn commit_for(&mut self, core: &Core, mut dataset: Arc<Dataset>, delete: &Filter) -> Result<Commit, LakeFault> {
        for attempt in 1..=writer::ATTEMPTS {
            let condition = expression(core, &dataset, delete)?;
            let found = DeleteBuilder::from_expr(dataset.clone(), condition)
                .execute_uncommitted()
                .boxed()
                .await
                .map_err(|error| core.fault(&error))?;
            if let Some(unchanged) = self.nothing_to_do(&dataset, &found) {
                return Ok(unchanged);
            }
            let change = transaction(&dataset, &found, (self.fragments.clone(), self.known_by.clone()));
            match core.commit(&dataset, change, Some(&found)).await {
                Ok(committed) => return Ok(self.made(&committed, &found)),
                Err(error) => {
                    self.over &= staged::is_over(core, &error);
                    if !writer::is_conflict(&error) || attempt == writer::ATTEMPTS {
                        return Err(core.fault(&error));
                    }
                }
            }
            dataset = core.try_again(attempt).await?;
        }
        Err(LakeFault::Contended { table: core.name.to_string() })
    }

    /// In the place of what was found in a version, if it is there as it was.
    async fn commit_as_read(
        &mut self,
        core: &Core,
        read: &LakeVersion,
        (dataset, found): (&Arc<Dataset>, &UncommittedDelete),
    ) -> Result<Commit, LakeFault> {
        if let Some(unchanged) = self.nothing_to_do(dataset, found) {
            return Ok(unchanged);
        }
        let change = transaction(dataset, found, (self.fragments.clone(), None));
        if core.shared.config.look_for_newer_after.is_some() {
            // Lance compares with no version that another process let go of meanwhile: a fragment that went would be passed over,
            // and its rows be there twice. Versions that no tag keeps go the oldest first: where this one is, those since are.
            as_it_was(core, read).await?;
        }
        match core.commit(dataset, change, Some(found)).await {
            Ok(committed) => Ok(self.made(&committed, found)),
            Err(error) => {
                self.over &= staged::is_over(core, &error);
                Err(if writer::is_conflict(&error) { outdated(core).await } else { core.fault(&error) })
            }
        }
    }

    fn nothing_to_do(&self, dataset: &Dataset, found: &UncommittedDelete) -> Option<Commit> {
        (found.num_deleted_rows == 0 && self.fragments.is_empty()).then(|| self.made(dataset, found))
    }

    fn made(&self, dataset: &Dataset, found: &UncommittedDelete) -> Commit {
        Commit { version: versions::of(dataset), inserted: self.rows, deleted: found.num_deleted_rows }
    }

    /// The files go where their rows are in no version and will be in none.
    async fn settled(&self, core: &Core, dataset: &Dataset, outcome: Result<Commit, LakeFault>) -> Result<Commit, LakeFault> {
        if outcome.is_err() && self.over {
            staged::discard(core, dataset, &self.fragments).await;
        }
        outcome
    }
}

async fn as_it_was(core: &Core, read: &LakeVersion) -> Result<Dataset, LakeFault> {
    let newest = core.newest_known()?;
    match versions::checkout(core, &newest, read).await {
        // It was read so long ago that it is gone.
        Err(LakeFault::NoVersion { .. }) => Err(outdated(core).await),
        outcome => outcome,
    }
}

/// Whoever reads again reads what the others wrote.
async fn outdated(core: &Core) -> LakeFault {
    core.try_again(1).await.err().unwrap_or_else(|| LakeFault::Contended { table: core.name.to_string() })
}

/// The condition as this version keeps its rows: another process may have made a column an echo meanwhile.
fn expression(core: &Core, dataset: &Dataset, delete: &Filter) -> Result<Expr, LakeFault> {
    Ok(match filter::compile(delete, &core.schema_at(dataset), core.name.as_str())? {
        Condition::When(expr) => expr,
        Condition::Always => Expr::Literal(ScalarValue::Boolean(Some(true)), None),
        Condition::Never => Expr::Literal(ScalarValue::Boolean(Some(false)), None),
    })
}

async fn staged_fragments(core: &Core, dataset: &Arc<Dataset>, rows: RecordBatch) -> Result<Vec<Fragment>, LakeFault> {
    match core.stage(dataset, vec![rows]).await?.operation {
        Operation::Append { fragments } => Ok(fragments),
        other => {
            let reason = format!("staged rows came back as `{other}`");
            Err(LakeFault::Engine { table: core.name.to_string(), reason })
        }
    }
}

fn transaction(
    dataset: &Dataset,
    found: &UncommittedDelete,
    (added, known_by): (Vec<Fragment>, Option<KeyExistenceFilter>),
) -> Transaction {
    let (removed, updated) = match &found.transaction.operation {
        _ if found.num_deleted_rows == 0 && known_by.is_none() => {
            return Transaction::new(dataset.version_id(), Operation::Append { fragments: added }, None);
        }
        _ if found.num_deleted_rows == 0 => (Vec::new(), Vec::new()),
        Operation::Delete { updated_fragments, deleted_fragment_ids, .. } => {
            (deleted_fragment_ids.clone(), updated_fragments.clone())
        }
        _ => return found.transaction.clone(),
    };
    let operation = Operation::Update {
        removed_fragment_ids: removed,
        updated_fragments: updated,
        new_fragments: added,
        // No column is rewritten in place, so every index keeps the fragments it covers; the new
        // fragments are in none until upkeep folds them in, and are scanned until then.
        fields_modified: Vec::new(),
        fields_for_preserving_frag_bitmap: Vec::new(),
        update_mode: Some(UpdateMode::RewriteRows),
        compacted_sstables: Vec::new(),
        inserted_rows_filter: known_by,
        updated_fragment_offsets: None,
    };
    Transaction::new(dataset.version_id(), operation, None)
}
