//! Files of which only the content tells whether they changed: they were read so soon after they were written that their
//! times could not be believed, or were written again as they were. They are compared without a run, and a run that would
//! find nothing does not begin.

use std::{collections::HashMap, sync::Arc};

use futures::future::join_all;
use mainspring_kernel::Digest;

use super::{
    plan::{IngestOptions, Work, passes, row_key},
    prepare::digest_of,
};
use crate::{
    fault::KnowledgeFault,
    model::{DocumentId, DocumentStatus, KnowledgeKey, Origin},
    service::Inner,
    source::{Content, Fetched, Listed, Source},
    store::{Known, document},
};

type Sources = HashMap<Arc<str>, Arc<Source>>;

/// Files read side by side, and those that are noted together: a whole folder may have been written again as it was.
const READ_AT_ONCE: usize = 8;
const NOTED_AT_ONCE: usize = 500;

/// A file that holds what it held.
struct Same {
    id: DocumentId,
    digest: Digest,
    /// `None` while it is too young to be told by its times.
    fingerprint: Option<String>,
    origin: Origin,
}

/// Whether all of this work would find what is known. Stops soon after the first that would not; of those before, it is noted
/// how they are told the next time.
pub(super) async fn all_as_before(
    inner: &Inner,
    key: &KnowledgeKey,
    (sources, options): (&Sources, IngestOptions),
    work: &[&Work],
) -> Result<bool, KnowledgeFault> {
    // What is new, or lacks its rows, takes a run anyway; then nothing is read twice.
    let Some(unsure) = work.iter().map(|work| unsure(work, options)).collect::<Option<Vec<_>>>() else { return Ok(false) };
    let mut same = Vec::new();
    for some in unsure.chunks(READ_AT_ONCE) {
        let compared = join_all(some.iter().map(|(listed, known)| compare(inner, sources, listed, known))).await;
        let mut all = true;
        for found in compared {
            match found? {
                Some(found) => same.push(found),
                None => all = false,
            }
        }
        if !all || same.len() >= NOTED_AT_ONCE {
            note(inner, key, &same).await?;
            same.clear();
        }
        if !all {
            return Ok(false);
        }
    }
    note(inner, key, &same).await?;
    Ok(true)
}

/// Nothing where it does not hold what it held, or cannot be read.
async fn compare(inner: &Inner, sources: &Sources, listed: &Listed, known: &Known) -> Result<Option<Same>, KnowledgeFault> {
    let Some(source) = sources.get(&listed.source) else { return Ok(None) };
    let held = inner.allowance.take(listed.size).await;
    let Ok(Fetched::Content(content)) = source.fetch(listed, None, inner.clock.now()).await else { return Ok(None) };
    let Content { bytes, fingerprint, origin, .. } = content;
    let (digest, _) = digest_of(bytes).await?;
    drop(held);
    Ok((known.digest == Some(digest)).then(|| Same { id: listed.id.clone(), digest, fingerprint, origin }))
}

async fn note(inner: &Inner, key: &KnowledgeKey, same: &[Same]) -> Result<(), KnowledgeFault> {
    if same.iter().all(|same| same.fingerprint.is_none()) {
        return Ok(());
    }
    let noted = inner.catalog.transact::<(), KnowledgeFault, _>(|mut tx| async move {
        for Same { id, digest, fingerprint, origin } in same {
            if let Some(fingerprint) = fingerprint {
                document::same_as_before(&mut tx, key, (id, digest), (fingerprint, origin)).await?;
            }
        }
        Ok((tx, ()))
    });
    noted.await
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
