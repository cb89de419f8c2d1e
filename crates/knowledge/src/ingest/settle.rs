//! The end of a run: indexes are brought up to date, a table built beside the old one takes over, the
//! state is tagged so that answers given from it can be replayed, and the report is written.

use std::{collections::BTreeMap, sync::Arc};

use mainspring_kernel::Fault as _;
use mainspring_lake::{LakeVersion, UpkeepPolicy};

use super::{Ingestion, meter::Meter, patience::patiently, plan::Plan, prepare::Findings, run::Target};
use crate::{
    fault::KnowledgeFault,
    model::Report,
    spec::{KnowledgeSpec, SourceSpec},
    store::held,
};

pub(super) struct Ended {
    pub version: LakeVersion,
    pub tag: Option<String>,
    pub switched: bool,
}

pub(super) async fn settle(run: &Ingestion, target: &Target, idle: bool) -> Result<Ended, KnowledgeFault> {
    let version = patiently(&run.inner, || async { Ok(target.table.version().await?) }).await?;
    if idle && target.settled.as_ref() == Some(&version) && target.searched.is_none() {
        return Ok(Ended { version, tag: None, switched: false });
    }
    let policy = UpkeepPolicy { keep_versions_for: run.inner.config.keep_versions_for, ..UpkeepPolicy::default() };
    if let Err(fault) = target.table.upkeep(&policy).await {
        // Rows outside the indexes are found all the same; the next upkeep takes them in.
        tracing::warn!(code = fault.code(), table = %target.row.table, "upkeep after an ingestion failed");
    }
    let version = patiently(&run.inner, || async { Ok(target.table.version().await?) }).await?;
    let tag = run.id.to_string();
    patiently(&run.inner, || async { Ok(target.table.tag(&tag, &version).await?) }).await?;
    let switched = target.searched.is_some();
    if switched {
        let (key, now, table) = (run.hold.key(), run.inner.clock.now(), &target.row.table);
        run.inner
            .catalog
            .transact::<(), KnowledgeFault, _>(|mut tx| async move {
                if !held::renew(&mut tx, key, run.hold.by(), now.plus(run.inner.config.lease)).await? {
                    return Err(run.hold.lost());
                }
                held::activate(&mut tx, key, table, now).await?;
                Ok((tx, ()))
            })
            .await?;
    }
    Ok(Ended { version, tag: Some(tag), switched })
}

/// Marks of the sources of a spec that this run has read, or one before it. One that gave none of the documents it lists was
/// not read.
pub(super) fn read_sources(
    spec: &KnowledgeSpec,
    before: Option<&[String]>,
    (listed, findings, plan): (&BTreeMap<Arc<str>, usize>, &Findings, &Plan),
) -> Vec<String> {
    let mut not_had = findings.take().not_had;
    for failure in plan.failures.iter().filter(|failure| failure.was_not_had()) {
        *not_had.entry(failure.source.clone()).or_default() += 1;
    }
    let is_read = |source: &&SourceSpec| {
        let key = source.key();
        let gave = |listed: &usize| *listed == 0 || not_had.get(&key).is_none_or(|missing| missing < listed);
        // Of what ingestions read before it was kept nothing bad is said.
        listed.get(key.as_str()).is_some_and(gave) || before.is_none_or(|before| before.contains(&source.mark()))
    };
    spec.sources.iter().filter(is_read).map(SourceSpec::mark).collect()
}

pub(super) fn report(meter: &Meter, findings: &Findings, plan: &Plan) -> Report {
    let (progress, found) = (meter.now(), findings.take());
    let failures: Vec<_> = found.failures.into_iter().chain(plan.failures.iter().cloned()).collect();
    Report {
        added: found.added,
        changed: found.changed,
        unchanged: progress.unchanged + found.same,
        moved: progress.moved,
        // A moved file is found again under another name.
        deleted: progress.deleted.saturating_sub(progress.moved),
        failed: progress.failed,
        skipped: found.skipped + plan.skipped,
        forgotten: plan.forgotten,
        parsed: progress.parsed,
        chunks: progress.chunks,
        embedded: progress.embedded,
        reused: progress.reused,
        tokens: progress.tokens,
        seconds: progress.elapsed_seconds,
        tokens_per_second: progress.tokens_per_second,
        encoder_busy: progress.encoder_busy,
        failures,
        unlisted: found.unlisted,
        warnings: found.warnings,
        warnings_left_out: found.warnings_left_out,
        version: None,
        tag: None,
        switched: false,
        partial: false,
    }
}
