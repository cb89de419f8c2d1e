//! What is done between runs: indexes and fragments, and letting go of what retention no longer asks for.

use std::sync::Arc;

use mainspring_kernel::{Fault as _, Timestamp, id::RunId};
use mainspring_lake::{LakeFault, Table, UpkeepPolicy};
use serde::{Deserialize, Serialize};

use crate::{
    fault::KnowledgeFault,
    kept,
    model::KnowledgeKey,
    service::Inner,
    source::leftovers,
    store::{TableRow, TableState, document, gone_document, held},
};

/// What an upkeep did, over every knowledge.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleaned {
    pub tables: u64,
    pub compacted_fragments: u64,
    pub folded_rows: u64,
    pub pruned_versions: u64,
    pub freed_bytes: u64,
    /// States of runs that are past their retention.
    pub dropped_tags: u64,
    pub dropped_tables: u64,
    pub dropped_texts: u64,
    /// Tables that could not be kept up this time.
    pub failed: u64,
}

pub(crate) async fn run(inner: &Arc<Inner>) -> Result<Cleaned, KnowledgeFault> {
    let mut cleaned = Cleaned::default();
    let mut after: Option<KnowledgeKey> = None;
    loop {
        let some = held::list(&inner.catalog, after.as_ref()).await?;
        let Some(last) = some.last() else { break };
        after = Some(last.key.clone());
        for state in &some {
            // A run keeps its own table up, and must not lose states under its feet.
            if state.held_by(inner.clock.now()).is_some() {
                continue;
            }
            for row in held::tables(&inner.catalog, &state.key).await? {
                if let Err(fault) = table(inner, &row, &mut cleaned).await {
                    tracing::warn!(code = fault.code(), table = %row.table, "upkeep of a table failed");
                    cleaned.failed += 1;
                }
            }
        }
    }
    texts(inner, &mut cleaned).await?;
    gone_documents(inner).await?;
    clear_leftovers(inner).await;
    Ok(cleaned)
}

/// Each server has a working folder of its own.
async fn clear_leftovers(inner: &Inner) {
    let (work_dir, now, keep) = (inner.config.sources.work_dir.clone(), inner.clock.now(), inner.config.keep_runs_for);
    let cleared = tokio::task::spawn_blocking(move || leftovers::clear(&work_dir, now, keep)).await;
    if let Ok(Err(fault)) = cleared {
        tracing::warn!(cause = %fault, "old clones and crawled pages could not be deleted; it is tried again");
    }
}

async fn table(inner: &Inner, row: &TableRow, cleaned: &mut Cleaned) -> Result<(), KnowledgeFault> {
    let oldest = inner.clock.now().minus(inner.config.keep_runs_for);
    let opened = match inner.lake.open_existing(&row.table).await {
        Ok(opened) => opened,
        Err(LakeFault::NoTable { .. }) => return Ok(()),
        Err(fault) => return Err(fault.into()),
    };
    if row.state == TableState::Retired && row.retired.is_some_and(|retired| retired < oldest) {
        inner.lake.drop_table(&row.table).await?;
        let dropped = inner.catalog.transact::<(), KnowledgeFault, _>(|mut tx| async move {
            held::drop_table(&mut tx, &row.table).await?;
            Ok((tx, ()))
        });
        dropped.await?;
        cleaned.dropped_tables += 1;
        return Ok(());
    }
    cleaned.tables += 1;
    cleaned.dropped_tags += drop_old_tags(opened.as_ref(), oldest).await?;
    let before = opened.version().await?;
    let policy = UpkeepPolicy { keep_versions_for: inner.config.keep_versions_for, ..UpkeepPolicy::default() };
    let done = opened.upkeep(&policy).await?;
    cleaned.compacted_fragments += done.compacted_fragments;
    cleaned.folded_rows += done.folded_rows;
    cleaned.pruned_versions += done.pruned_versions;
    cleaned.freed_bytes += done.freed_bytes;
    let now = opened.version().await?;
    if now != before {
        // Searches read this state until the next run ends: what they answer can be replayed as well.
        opened.tag(&format!("upkeep-{}", inner.clock.now().as_micros()), &now).await?;
    }
    Ok(())
}

/// Lets go of states past their retention, but never of the newest one.
async fn drop_old_tags(table: &dyn Table, oldest: Timestamp) -> Result<u64, KnowledgeFault> {
    let mut tags = table.tags().await?;
    tags.sort_by_key(|(_, version)| version.number);
    tags.pop();
    let mut dropped = 0;
    for (tag, _) in tags {
        if made_at(&tag).is_some_and(|made| made < oldest) {
            table.untag(&tag).await?;
            dropped += 1;
        }
    }
    Ok(dropped)
}

/// When a tag was made: ours say it in their name. Others are not ours to remove.
pub(crate) fn made_at(tag: &str) -> Option<Timestamp> {
    if let Ok(run) = tag.parse::<RunId>() {
        let millis = i64::try_from(run.as_raw() >> 80).ok()?;
        return Some(Timestamp::from_micros(millis.saturating_mul(1000)));
    }
    let micros = tag.strip_prefix("upkeep-").or_else(|| tag.strip_prefix("forget-"))?;
    micros.parse().ok().map(Timestamp::from_micros)
}

/// The names of documents that no state shows any longer.
async fn gone_documents(inner: &Inner) -> Result<(), KnowledgeFault> {
    let oldest = inner.clock.now().minus(inner.config.keep_runs_for);
    let expired = inner.catalog.transact::<(), KnowledgeFault, _>(|mut tx| async move {
        gone_document::expire(&mut tx, oldest).await?;
        Ok((tx, ()))
    });
    expired.await
}

/// Parsed texts that no document has had for the retention time, and those that none came to have.
async fn texts(inner: &Inner, cleaned: &mut Cleaned) -> Result<(), KnowledgeFault> {
    let until = inner.clock.now().minus(inner.config.keep_runs_for);
    for text in &document::released(&inner.catalog, until).await? {
        if kept::let_go(inner, text).await? {
            cleaned.dropped_texts += 1;
        } else {
            // It is listed again when whoever has it lets it go.
            kept::unlist(inner, text, until).await?;
        }
    }
    Ok(())
}
