//! Parsed texts as blobs. One text may be many documents', of any project, so it is deleted by whoever was the last to
//! have it. The catalog lists those that a document let go; and, before it is there, one that a document is about to
//! have: a text that nobody came to name is on the list, and one that is being taken in is nobody's to delete.

use std::time::Duration;

use bytes::Bytes;
use mainspring_blobs::BlobFault;
use mainspring_kernel::{Digest, Fault as _, Timestamp};

use crate::{fault::KnowledgeFault, ingest::patiently, model::DocumentId, service::Inner, store::document};

/// Longer than a run takes from a text to the document that names it: it may wait an hour for its model.
const IN_HAND: Duration = Duration::from_secs(6 * 3600);

/// Keeps a text that a document is about to have. Whoever deletes it meanwhile looks at the list before and after,
/// so either they see this entry, or it is put here after they deleted it.
pub(crate) async fn put(inner: &Inner, document: &DocumentId, bytes: Bytes) -> Result<Digest, KnowledgeFault> {
    let text = Digest::of(&bytes);
    announce(inner, document, &text).await?;
    patiently(inner, || async { Ok(inner.blobs.put(bytes.clone()).await?) }).await
}

/// Says that a document is about to have a text that may be there already. Look for it only after that.
pub(crate) async fn announce(inner: &Inner, document: &DocumentId, text: &Digest) -> Result<(), KnowledgeFault> {
    patiently(inner, || list(inner, text, document, inner.clock.now().plus(IN_HAND))).await
}

async fn list(inner: &Inner, text: &Digest, document: &DocumentId, until: Timestamp) -> Result<(), KnowledgeFault> {
    let listed = inner.catalog.transact::<(), KnowledgeFault, _>(|mut tx| async move {
        document::announce_text(&mut tx, text, document, until).await?;
        Ok((tx, ()))
    });
    listed.await
}

/// A document will not have this text after all. What cannot be deleted now is left to upkeep.
pub(crate) async fn discard(inner: &Inner, document: &DocumentId, text: &Digest) -> Result<(), KnowledgeFault> {
    list(inner, text, document, inner.clock.now()).await?;
    if let Err(fault) = let_go(inner, text).await {
        tracing::warn!(
            code = fault.code(),
            "the text of a document that failed could not be deleted; upkeep does it in its time"
        );
    }
    Ok(())
}

/// Deletes a text and strikes it off the list, unless a document has it or is about to. Answers whether it is gone.
pub(crate) async fn let_go(inner: &Inner, text: &Digest) -> Result<bool, KnowledgeFault> {
    let now = inner.clock.now();
    if document::names_text(&inner.catalog, text, now).await? {
        return Ok(false);
    }
    let bytes = match inner.blobs.get(text).await {
        Ok(bytes) => Some(bytes),
        // Whoever puts it now was not here when it was looked for: there is nothing to delete.
        Err(BlobFault::Missing { .. }) => {
            unlist(inner, text, now).await?;
            return Ok(true);
        }
        // What is damaged is of no use to anybody.
        Err(BlobFault::Damaged { .. }) => None,
        Err(fault) => return Err(fault.into()),
    };
    inner.blobs.delete(text).await?;
    // Somebody may have come in between, found it there, and count on it.
    if document::names_text(&inner.catalog, text, inner.clock.now()).await? {
        if let Some(bytes) = bytes {
            patiently(inner, || async { Ok(inner.blobs.put(bytes.clone()).await?) }).await?;
        }
        return Ok(false);
    }
    unlist(inner, text, now).await?;
    Ok(true)
}

/// Strikes off what was let go at this time or before.
pub(crate) async fn unlist(inner: &Inner, text: &Digest, until: Timestamp) -> Result<(), KnowledgeFault> {
    let unlisted = inner.catalog.transact::<(), KnowledgeFault, _>(|mut tx| async move {
        document::unlist_released(&mut tx, text, until).await?;
        Ok((tx, ()))
    });
    unlisted.await
}
