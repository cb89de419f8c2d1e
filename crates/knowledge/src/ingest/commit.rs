//! The last stage: writes documents in batches. The lake first, in one commit; then the catalog, which
//! is the truth of what is done. Cut off in between, the same batch is written again to the same effect.

use std::{sync::Arc, time::Duration};

use mainspring_catalog::CatalogFault;
use mainspring_kernel::Name;
use mainspring_lake::{Filter, Table};
use tokio::{sync::mpsc, time::Instant};

use super::{
    allowance::Held,
    hold::Hold,
    meter::Meter,
    patience::patiently,
    pipeline::{Complete, Gain, Prepared},
    prepare::Findings,
};
use crate::{
    fault::KnowledgeFault,
    model::DocumentId,
    service::Inner,
    store::{
        document::{self, Change},
        held,
    },
    table,
};

const BATCH_CHUNKS: usize = 2048;
const BATCH_DOCUMENTS: usize = 512;
/// A batch is written when its oldest document has waited this long: searches see it soon, and a kill costs little.
const BATCH_AGE: Duration = Duration::from_secs(3);

pub(super) struct Commit {
    pub inner: Arc<Inner>,
    pub hold: Hold,
    pub table: Arc<dyn Table>,
    pub dimensions: usize,
    /// The table searches read, when it is another one: what is gone is taken out of it as well.
    pub searched: Option<Arc<dyn Table>>,
    pub meter: Meter,
    pub findings: Arc<Findings>,
}

impl Commit {
    pub(super) async fn run(self, mut input: mpsc::Receiver<Complete>) -> Result<(), KnowledgeFault> {
        let mut batch: Vec<Complete> = Vec::new();
        let (mut chunks, mut oldest) = (0, Instant::now());
        loop {
            let next = if batch.is_empty() {
                input.recv().await.map(Some)
            } else {
                let next = tokio::time::timeout_at(oldest + BATCH_AGE, input.recv()).await;
                next.map_or(Some(None), |item| item.map(Some))
            };
            match next {
                Some(Some(mut complete)) => {
                    if batch.is_empty() {
                        oldest = Instant::now();
                    }
                    chunks += complete.chunks();
                    let full = chunks >= BATCH_CHUNKS || batch.len() + 1 >= BATCH_DOCUMENTS;
                    let waits = !full && oldest.elapsed() < BATCH_AGE;
                    if waits {
                        complete.let_go();
                    }
                    batch.push(complete);
                    if waits {
                        continue;
                    }
                }
                // The batch is old enough.
                Some(None) => {}
                None => {
                    if !batch.is_empty() {
                        self.write(batch).await?;
                    }
                    return Ok(());
                }
            }
            self.write(std::mem::take(&mut batch)).await?;
            chunks = 0;
        }
    }

    pub(super) async fn write(&self, batch: Vec<Complete>) -> Result<(), KnowledgeFault> {
        let Sorted { rows, vectors, rewritten, removed, changes, gains, held } = sort(self.table.name(), batch);
        let bytes: Vec<u64> = changes.iter().map(done_bytes).collect();
        let dimensions = self.dimensions;
        let built = if rows.is_empty() {
            None
        } else {
            let build = tokio::task::spawn_blocking(move || table::batch(&rows, &vectors, dimensions));
            let stopped = |_| KnowledgeFault::Worker { reason: "building rows stopped".into() };
            Some(build.await.map_err(stopped)??)
        };
        if !rewritten.is_empty() || !removed.is_empty() {
            // The table asks nobody who writes: one that lost its hold would undo what another wrote since.
            self.hold.fence().await?;
            let delete = table::of_documents(rewritten.iter().chain(&removed));
            patiently(&self.inner, || async { Ok(self.table.replace(delete.clone(), built.clone()).await?) }).await?;
        }
        if let Some(searched) = self.searched.as_ref().filter(|_| !removed.is_empty()) {
            self.hold.fence().await?;
            let delete: Filter = table::of_documents(&removed);
            patiently(&self.inner, || async { Ok(searched.replace(delete.clone(), None).await?) }).await?;
        }
        let deleted = changes.iter().filter(|change| matches!(change, Change::Gone(_))).count() as u64;
        patiently(&self.inner, || self.record(&changes)).await?;
        for bytes in bytes {
            self.meter.document_done(bytes);
        }
        let of = |gain: Gain| gains.iter().filter(|other| **other == gain).count() as u64;
        self.findings.change(|found| {
            found.added += of(Gain::Added);
            found.changed += of(Gain::Changed);
        });
        self.meter.count(|progress| {
            progress.deleted += deleted;
            progress.moved += of(Gain::Moved);
        });
        self.meter.show();
        drop(held);
        Ok(())
    }

    /// One transaction, and only while this run still holds the knowledge.
    async fn record(&self, changes: &[Change]) -> Result<(), KnowledgeFault> {
        let (key, now) = (self.hold.key(), self.inner.clock.now());
        let until = now.plus(self.inner.config.lease);
        let held = self
            .inner
            .catalog
            .transact::<bool, CatalogFault, _>(|mut tx| async move {
                if !held::renew(&mut tx, key, self.hold.by(), until).await? {
                    return Ok((tx, false));
                }
                for change in changes {
                    document::apply(&mut tx, key, change, now).await?;
                }
                Ok((tx, true))
            })
            .await?;
        if held { Ok(()) } else { Err(self.hold.lost()) }
    }
}

struct Sorted {
    rows: Vec<table::ChunkRow>,
    vectors: Vec<super::vectors::Vector>,
    rewritten: Vec<DocumentId>,
    removed: Vec<DocumentId>,
    changes: Vec<Change>,
    gains: Vec<Gain>,
    /// Given back when the rows are written.
    held: Vec<Held>,
}

fn sort(table: &Name, batch: Vec<Complete>) -> Sorted {
    let mut sorted = Sorted {
        rows: Vec::new(),
        vectors: Vec::new(),
        rewritten: Vec::new(),
        removed: Vec::new(),
        changes: Vec::new(),
        gains: Vec::new(),
        held: Vec::new(),
    };
    for complete in batch {
        match complete {
            Complete::Rows(prepared, vectors) => {
                let Prepared { mut document, attributes, fingerprint, row_key, chunks, gain, held } = *prepared;
                document.chunks = chunks.len() as u64;
                document.tokens = chunks.iter().map(|chunk| u64::from(chunk.tokens)).sum();
                sorted.rewritten.push(document.id.clone());
                sorted.rows.extend(chunks);
                sorted.gains.push(gain);
                sorted.held.extend(held);
                sorted.vectors.extend(vectors);
                let document = Box::new(document);
                sorted.changes.push(Change::Ready { document, attributes, fingerprint, table: table.clone(), row_key });
            }
            Complete::Change(change) => {
                match &change {
                    Change::Gone(id) => sorted.removed.push(id.clone()),
                    Change::Failed { document, .. } => sorted.removed.push(document.id.clone()),
                    Change::Ready { .. } | Change::Fingerprint { .. } | Change::Stale { .. } => {}
                }
                sorted.changes.push(change);
            }
        }
    }
    sorted
}

fn done_bytes(change: &Change) -> u64 {
    match change {
        Change::Ready { document, .. } | Change::Failed { document, .. } => document.bytes,
        Change::Fingerprint { .. } | Change::Stale { .. } | Change::Gone(_) => 0,
    }
}
