//! How much of files and batches one project may have.

use mainspring_catalog::Tx;
use mainspring_kernel::id::ProjectId;

use crate::{fault::BatchFault, service::Batches, store};

impl Batches {
    /// Whether a project may have so many files more, and the bytes that it has in this transaction. What batches write
    /// counts, and is never refused: only what would come on top of it is.
    pub(crate) async fn room_for_files(&self, tx: &mut Tx, project: ProjectId, more: u64) -> Result<(), BatchFault> {
        let config = self.config();
        let held = store::held_files(tx, project).await?;
        if more > 0 && held.files + more > config.files_max {
            return Err(BatchFault::TooManyFiles { max: config.files_max });
        }
        if held.bytes > config.bytes_max {
            return Err(BatchFault::StorageFull { max: config.bytes_max });
        }
        Ok(())
    }

    pub(crate) async fn room_for_a_batch(&self, tx: &mut Tx, project: ProjectId) -> Result<(), BatchFault> {
        let max = self.config().batches_max;
        if store::open_batches(tx, project).await? >= max {
            return Err(BatchFault::TooManyBatches { max });
        }
        // What its lines give becomes two files.
        self.room_for_files(tx, project, 2).await
    }
}
