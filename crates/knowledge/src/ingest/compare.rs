//! Files of which only the content tells whether they changed: they were read so soon after they were written that their
//! times could not be believed, or were written again as they were. They are compared without a run, and a run that would
//! find nothing does not begin.

use std::{collections::HashMap, sync::Arc};

use super::{
    plan::{IngestOptions, Work, passes, row_key},
    prepare::digest_of,
};
use crate::{
    fault::KnowledgeFault,
    model::{DocumentStatus, KnowledgeKey},
    service::Inner,
    source::{Content, Fetched, Listed, Source},
    store::{Known, document},
};

/// Whether all of this work would find what is known. Stops at the first that would not; of those before, it is noted how they
/// are told the next time.
pub(super) async fn all_as_before(
    inner: &Inner,
    key: &KnowledgeKey,
    (sources, options): (&HashMap<Arc<str>, Arc<Source>>, IngestOptions),
    work: &[&Work],
) -> Result<bool, KnowledgeFault> {
    // What is new, or lacks its rows, takes a run anyway; then nothing is read twice.
    let Some(unsure) = work.iter().map(|work| unsure(work, options)).collect::<Option<Vec<_>>>() else { return Ok(false) };
    for (listed, known) in unsure {
        let Some(source) = sources.get(&listed.source) else { return Ok(false) };
        let held = inner.allowance.take(listed.size).await;
        let Ok(Fetched::Content(content)) = source.fetch(listed, None, inner.clock.now()).await else { return Ok(false) };
        let Content { bytes, fingerprint, origin, .. } = content;
        let (digest, _) = digest_of(bytes).await?;
        drop(held);
        if known.digest != Some(digest) {
            return Ok(false);
        }
        if let Some(fingerprint) = fingerprint {
            document::same_as_before(&inner.catalog, key, (&listed.id, &digest), (&fingerprint, &origin)).await?;
        }
    }
    Ok(true)
}

/// A file with what is known of it, where the same content would change nothing.
fn unsure(work: &Work, options: IngestOptions) -> Option<(&Listed, &Known)> {
    let Work::Fetch { listed, known: Some(known) } = work else { return None };
    let known: &Known = known;
    let settled = match known.status {
        DocumentStatus::Ready => {
            known.parsed.is_some_and(|parsed| known.row_key == Some(row_key(&parsed, &listed.attributes_digest)))
        }
        DocumentStatus::Failed => !options.retry_failed && !passes(known) && known.attributes == listed.attributes_digest,
        DocumentStatus::Skipped => !options.retry_failed,
        DocumentStatus::Forgotten => false,
    };
    (settled && known.digest.is_some() && listed.is_file()).then_some((listed, known))
}
