//! Files of rows that were written before it is known whether their change comes about.
//!
//! No version names them yet, so whoever erases something from the versions of a table does not reach them, and they may hold
//! it: rows are often written anew from what was read a while ago. Those of a change that was refused go at once. Those of a
//! process that died are found by their age (`prune.rs`).

use std::collections::HashSet;

use futures::FutureExt as _;
use lance::{
    Dataset, Error,
    dataset::transaction::{Operation, Transaction},
};
use lance_table::format::Fragment;
use object_store::ObjectStoreExt as _;

use crate::table::Core;

/// Whether a commit that failed like this names its files in no version, and in none to come: it was refused because of what
/// others wrote, or the disk said that it failed. What a bucket gave no answer to it may still do.
pub(crate) fn is_over(core: &Core, error: &Error) -> bool {
    match error {
        Error::RetryableCommitConflict { .. } | Error::IncompatibleTransaction { .. } => true,
        Error::Timeout { .. } => false,
        _ => core.shared.stores.is_local() && !error.is_commit_status_unknown(),
    }
}

/// The fragments that a staged change adds.
pub(crate) fn added_by(change: &Transaction) -> &[Fragment] {
    match &change.operation {
        Operation::Append { fragments } => fragments,
        _ => &[],
    }
}

/// Deletes the files of rows that no version will name. What cannot be deleted now goes when it is old.
pub(crate) async fn discard(core: &Core, dataset: &Dataset, fragments: &[Fragment]) {
    // A disk may say that it failed when the version is there already, and only its folder was not synced.
    let mut newest = Dataset::clone(dataset);
    if newest.checkout_latest().boxed().await.is_err() || names_any(&newest, fragments) {
        return;
    }
    let store = &core.shared.stores.store.inner;
    for file in fragments.iter().flat_map(|fragment| &fragment.files) {
        let path = dataset.data_dir().join(file.path.as_str());
        match store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => {
                tracing::warn!(
                    table = %core.name,
                    %path,
                    cause = %error,
                    "rows of a change that was not made could not be deleted; they lie there until they are old"
                );
            }
        }
    }
}

fn names_any(dataset: &Dataset, fragments: &[Fragment]) -> bool {
    let ours: HashSet<&str> = fragments.iter().flat_map(|fragment| &fragment.files).map(|file| file.path.as_str()).collect();
    dataset.fragments().iter().flat_map(|fragment| &fragment.files).any(|file| ours.contains(file.path.as_str()))
}
