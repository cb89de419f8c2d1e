//! Version numbers, the transactions that tell two states with one number apart, and tags.

use futures::FutureExt as _;
use lance::{Dataset, Error, dataset::refs::TagContents};
use mainspring_kernel::text::elide;
use mainspring_lake::{LakeFault, LakeVersion};

use crate::table::Core;

/// The version of a dataset. The manifest names its transaction file `<read version>-<uuid>.txn`,
/// so this reads nothing.
pub(crate) fn of(dataset: &Dataset) -> LakeVersion {
    let manifest = dataset.manifest();
    let transaction = manifest.transaction_file.as_deref().unwrap_or_default();
    let transaction = transaction.strip_suffix(".txn").unwrap_or(transaction);
    let transaction = transaction.split_once('-').map_or(transaction, |(_, uuid)| uuid);
    LakeVersion { number: manifest.version, transaction: transaction.to_owned() }
}

/// A manifest of zeroes decodes as an empty table of version 0: whoever trusted it would lose every row.
pub(crate) fn is_whole(dataset: &Dataset) -> bool {
    dataset.version_id() > 0 && dataset.version_id() == dataset.manifest_location().version
}

pub(crate) fn torn(table: &str) -> LakeFault {
    let reason = "its newest version is torn; a repair moves it out".to_owned();
    LakeFault::Engine { table: table.to_owned(), reason }
}

/// The table as it was at a version, if that is still what its number names.
pub(crate) async fn checkout(core: &Core, dataset: &Dataset, version: &LakeVersion) -> Result<Dataset, LakeFault> {
    let gone = || LakeFault::NoVersion { table: core.name.to_string(), version: version.to_string() };
    let found = match dataset.checkout_version(version.number).boxed().await {
        Ok(found) => found,
        Err(Error::DatasetNotFound { .. } | Error::NotFound { .. } | Error::VersionNotFound { .. }) => return Err(gone()),
        Err(error) => return Err(core.fault(&error)),
    };
    if of(&found) == *version { Ok(found) } else { Err(gone()) }
}

pub(crate) async fn tag(core: &Core, dataset: &Dataset, tag: &str, version: &LakeVersion) -> Result<(), LakeFault> {
    checkout(core, dataset, version).await?;
    let tags = dataset.tags();
    match tags.create(tag, version.number).boxed().await {
        Ok(()) => Ok(()),
        Err(Error::RefConflict { .. }) => {
            tags.update(tag, version.number).boxed().await.map_err(|error| tag_fault(core, tag, &error))
        }
        Err(error) => Err(tag_fault(core, tag, &error)),
    }
}

pub(crate) async fn untag(core: &Core, dataset: &Dataset, tag: &str) -> Result<(), LakeFault> {
    dataset.tags().delete(tag).boxed().await.map_err(|error| tag_fault(core, tag, &error))
}

/// Tags by name, with the versions they keep.
pub(crate) async fn tags(core: &Core, dataset: &Dataset) -> Result<Vec<(String, LakeVersion)>, LakeFault> {
    let mut found: Vec<(String, TagContents)> = dataset.tags().fetch_tags().boxed().await.map_err(|error| core.fault(&error))?;
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut tags = Vec::with_capacity(found.len());
    for (name, contents) in found {
        let tagged = dataset.checkout_version(contents.version).boxed().await.map_err(|error| core.fault(&error))?;
        tags.push((name, of(&tagged)));
    }
    Ok(tags)
}

fn tag_fault(core: &Core, tag: &str, error: &Error) -> LakeFault {
    match error {
        Error::RefNotFound { .. } => LakeFault::NoTag { table: core.name.to_string(), tag: elide(tag, 80) },
        Error::InvalidRef { message } => {
            LakeFault::Query { table: core.name.to_string(), reason: elide(&format!("not a tag: {message}"), 200) }
        }
        error => core.fault(error),
    }
}
