//! After a power cut: torn newest versions are moved out, so that the table opens at the last good one.
//!
//! Nothing is deleted. A version is moved only when an older one opens, so damage that reaches all
//! versions is reported and left for a person to look at.

use std::{collections::HashSet, sync::Arc};

use futures::{FutureExt as _, StreamExt, TryStreamExt, stream};
use lance::{Dataset, dataset::builder::DatasetBuilder, index::DatasetIndexExt};
use lance_table::io::{
    commit::{ManifestNamingScheme, VERSIONS_DIR},
    deletion::deletion_file_path,
};
use mainspring_lake::{LakeFault, Repair};
use object_store::{
    ObjectMeta, ObjectStoreExt as _,
    path::{Path, PathPart},
};

use crate::{fault, lake::Shared, stores::Stores, versions};

const QUARANTINE_DIR: &str = "_quarantine";
const TAGS_DIR: [&str; 2] = ["_refs", "tags"];
const VERSION_HINT: &str = "latest_version_hint.json";
const TABLE_SUFFIX: &str = ".lance";
/// A dropped table is renamed first, so that a crash half-way leaves no table that opens in part.
const DROPPED_SUFFIX: &str = ".dropped";
/// A power cut tears the last few versions. Damage that reaches further back is of another kind.
const TORN_AT_MOST: usize = 64;
const TABLES_AT_ONCE: usize = 4;
const FILES_AT_ONCE: usize = 16;

/// Looks at every table of the lake.
pub(crate) async fn repair_all(shared: &Arc<Shared>) -> Result<Vec<Repair>, LakeFault> {
    let stores = &shared.stores;
    let found = stores
        .store
        .inner
        .list_with_delimiter(Some(&stores.root))
        .await
        .map_err(|error| fault::of_store(&stores.label, &error))?;
    let mut tables = Vec::new();
    for directory in found.common_prefixes {
        let Some(name) = directory.filename().map(str::to_owned) else { continue };
        if name.ends_with(DROPPED_SUFFIX) {
            remove_all(stores, &directory).await?;
        } else if let Some(table) = name.strip_suffix(TABLE_SUFFIX) {
            tables.push(Suspect {
                shared: shared.clone(),
                name: table.to_owned(),
                uri: stores.table_uri(&name),
                base: directory,
            });
        }
    }
    let repairs: Vec<Vec<Repair>> =
        stream::iter(tables).map(|table| async move { table.repair().await }).buffered(TABLES_AT_ONCE).try_collect().await?;
    Ok(repairs.into_iter().flatten().collect())
}

struct Suspect {
    shared: Arc<Shared>,
    name: String,
    uri: String,
    base: Path,
}

/// A version as its manifest's file name tells it.
struct Version {
    number: u64,
    manifest: ObjectMeta,
}

impl Suspect {
    async fn repair(&self) -> Result<Vec<Repair>, LakeFault> {
        let versions = self.versions().await?;
        let mut torn = Vec::new();
        let mut good = None;
        for version in versions.iter().take(TORN_AT_MOST) {
            match self.trouble_with(version).await? {
                None => {
                    good = Some(version.number);
                    break;
                }
                Some(trouble) => {
                    tracing::warn!(table = self.name, version = version.number, trouble, "a version of a lake table is torn");
                    torn.push(version);
                }
            }
        }
        if torn.is_empty() {
            self.move_torn_tags(good).await?;
            return Ok(Vec::new());
        }
        let Some(opened) = good.or_else(|| never_finished(&versions)) else {
            tracing::error!(
                table = self.name,
                versions = versions.len(),
                "no version of a lake table opens; it is left as it is"
            );
            return Ok(Vec::new());
        };
        let mut repairs = Vec::with_capacity(torn.len());
        for version in torn {
            let moved_to = self.quarantine(&version.manifest.location).await?;
            repairs.push(Repair { table: self.name.clone(), bad_version: version.number, opened_version: opened, moved_to });
        }
        self.forget_hint().await?;
        self.move_torn_tags(Some(opened)).await?;
        Ok(repairs)
    }

    /// Newest first.
    async fn versions(&self) -> Result<Vec<Version>, LakeFault> {
        let files = list_files(self.stores(), &self.base.clone().join(VERSIONS_DIR)).await?;
        let mut versions: Vec<Version> = files
            .into_iter()
            .filter_map(|manifest| {
                let name = manifest.location.filename()?;
                let number = ManifestNamingScheme::detect_scheme(name)?.parse_version(name)?;
                Some(Version { number, manifest })
            })
            .collect();
        versions.sort_by_key(|version| std::cmp::Reverse(version.number));
        Ok(versions)
    }

    async fn has_version(&self, number: Option<u64>) -> Result<bool, LakeFault> {
        Ok(self.versions().await?.iter().any(|version| Some(version.number) == number))
    }

    /// Why a version cannot be opened; `None` when it can. A store that is away is a fault, not trouble.
    async fn trouble_with(&self, version: &Version) -> Result<Option<String>, LakeFault> {
        if version.manifest.size == 0 {
            return Ok(Some("its manifest is empty".to_owned()));
        }
        // In a task of its own, because a decoder given garbage may panic. A session of its own,
        // because caches go by version number.
        let (uri, number) = (self.uri.clone(), version.number);
        let session = self.stores().session(self.shared.config.logged);
        let (finished, outcome) = tokio::sync::oneshot::channel();
        self.shared.config.tasks.spawn(format!("check of {} version {number}", self.name), |_| async move {
            let builder = DatasetBuilder::from_uri(uri).with_version(number).with_session(session);
            let _ = finished.send(opened(builder).boxed().await);
        });
        let dataset = match outcome.await {
            Ok(Ok(dataset)) => dataset,
            Ok(Err(error)) => {
                return match fault::meaning(&error, !self.stores().is_local()) {
                    fault::Meaning::Away => Err(fault::of_table(&self.name, &self.shared.place(), &error)),
                    _ => Ok(Some(error.to_string())),
                };
            }
            Err(_) => return Ok(Some("its manifest cannot be decoded".to_owned())),
        };
        if !versions::is_whole(&dataset) || dataset.version_id() != version.number {
            return Ok(Some(format!("its manifest says version {}", dataset.version_id())));
        }
        self.missing_file(&dataset).await
    }

    /// The first file this version needs that is absent or of another size. S3 writes whole objects, so only a disk is checked.
    async fn missing_file(&self, dataset: &Dataset) -> Result<Option<String>, LakeFault> {
        if !self.stores().is_local() {
            return Ok(None);
        }
        let wanted = files_of(dataset, &self.base).await;
        let store = &self.stores().store.inner;
        let mut checks = stream::iter(wanted)
            .map(|(path, size)| async move {
                match (store.head(&path).await, size) {
                    (Ok(found), Some(size)) if found.size != size => Some(format!("{path} has {} bytes, not {size}", found.size)),
                    (Ok(found), None) if found.size == 0 => Some(format!("{path} is empty")),
                    (Ok(_), _) => None,
                    (Err(error), _) => Some(format!("{path}: {error}")),
                }
            })
            .buffer_unordered(FILES_AT_ONCE);
        while let Some(check) = checks.next().await {
            if check.is_some() {
                return Ok(check);
            }
        }
        Ok(None)
    }

    /// Moves out tags that cannot be read, and tags of versions that are gone: their numbers will be given again.
    async fn move_torn_tags(&self, newest: Option<u64>) -> Result<(), LakeFault> {
        let dir = TAGS_DIR.iter().fold(self.base.clone(), |path, part| path.join(*part));
        for file in list_files(self.stores(), &dir).await? {
            let read = self.stores().store.inner.get(&file.location).await;
            let bytes = match read {
                Ok(found) => found.bytes().await,
                Err(error) => Err(error),
            };
            let bytes = bytes.map_err(|error| fault::of_store(&self.stores().label, &error))?;
            let version = tagged_version(&bytes);
            // In a shared lake another process may have committed and tagged while this one looked.
            if version.is_none() || version > newest && !self.has_version(version).await? {
                let moved_to = self.quarantine(&file.location).await?;
                tracing::warn!(table = self.name, moved_to, "a tag of a lake table was torn, or of a torn version");
            }
        }
        Ok(())
    }

    /// Answers where the file lies now, as a person finds it.
    async fn quarantine(&self, file: &Path) -> Result<String, LakeFault> {
        let stores = self.stores();
        let now = self.shared.config.clock.now().as_micros();
        let name = file.filename().unwrap_or("file");
        let to = self.base.clone().join(QUARANTINE_DIR).join(format!("{now}-{name}"));
        stores.store.inner.rename(file, &to).await.map_err(|error| fault::of_store(&stores.label, &error))?;
        let text = |part: PathPart<'_>| -> String { part.as_ref().to_owned() };
        let within = to.prefix_match(&stores.root).map(|parts| parts.map(text).collect::<Vec<String>>().join("/"));
        Ok(within.map_or_else(|| to.to_string(), |within| format!("{}/{within}", stores.label)))
    }

    async fn forget_hint(&self) -> Result<(), LakeFault> {
        let hint = self.base.clone().join(VERSIONS_DIR).join(VERSION_HINT);
        match self.stores().store.inner.delete(&hint).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(fault::of_store(&self.stores().label, &error)),
        }
    }

    fn stores(&self) -> &Stores {
        &self.shared.stores
    }
}

/// Opens a version and reads what only a whole manifest has: its indexes, its transaction, and a
/// schema that names known types and fits a row of the data.
async fn opened(builder: DatasetBuilder) -> lance::Result<Dataset> {
    let dataset = builder.load().boxed().await?;
    dataset.load_indices().boxed().await?;
    dataset.read_transaction().boxed().await?;
    let mut scan = dataset.scan();
    scan.limit(Some(1), None)?;
    scan.try_into_batch().boxed().await?;
    Ok(dataset)
}

/// A table whose only version is torn was being made; nothing in it was ever acknowledged.
fn never_finished(versions: &[Version]) -> Option<u64> {
    matches!(versions, [only] if only.number == 1).then_some(0)
}

/// The files of a version with the sizes its manifest gives.
async fn files_of(dataset: &Dataset, base: &Path) -> Vec<(Path, Option<u64>)> {
    let mut files = Vec::new();
    for fragment in dataset.iter_fragments() {
        for file in &fragment.files {
            let path = joined(base.clone().join("data"), &file.path);
            files.push((path, file.file_size_bytes.get().map(|size| size.get())));
        }
        if let Some(deletions) = &fragment.deletion_file {
            files.push((deletion_file_path(base, fragment.id, deletions), None));
        }
    }
    let mut seen = HashSet::new();
    for index in dataset.load_indices().boxed().await.iter().flat_map(|indices| indices.iter()) {
        if !seen.insert(index.uuid) {
            continue;
        }
        let dir = base.clone().join("_indices").join(index.uuid.to_string());
        for file in index.files.iter().flatten() {
            files.push((joined(dir.clone(), &file.path), Some(file.size_bytes)));
        }
    }
    files
}

fn joined(base: Path, relative: &str) -> Path {
    relative.split('/').fold(base, |path, part| path.join(part))
}

/// The version a tag file names.
fn tagged_version(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok()?;
    let tag: serde_json::Value = serde_json::from_str(text).ok()?;
    tag.get("version")?.as_u64()
}

/// Whether a directory holds a table.
pub(crate) async fn has_versions(stores: &Stores, directory: &Path) -> Result<bool, LakeFault> {
    let mut files = stores.store.inner.list(Some(&directory.clone().join(VERSIONS_DIR)));
    while let Some(file) = files.next().await {
        let file = file.map_err(|error| fault::of_store(&stores.label, &error))?;
        if file.location.filename().is_some_and(|name| ManifestNamingScheme::detect_scheme(name).is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes a table with everything in it. The manifests go first: without them there is no table.
pub(crate) async fn remove_table(stores: &Stores, directory: &str) -> Result<(), LakeFault> {
    let Some(root) = stores.location.local_dir() else {
        let base = stores.root.clone().join(directory);
        remove_all(stores, &base.clone().join(VERSIONS_DIR)).await?;
        return remove_all(stores, &base).await;
    };
    let (from, to) = (root.join(directory), root.join(format!("{directory}{DROPPED_SUFFIX}")));
    let label = stores.label.clone();
    let removal = tokio::task::spawn_blocking(move || {
        let absent_is_fine = |outcome: std::io::Result<()>| match outcome {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        };
        absent_is_fine(std::fs::remove_dir_all(&to))?;
        absent_is_fine(std::fs::rename(&from, &to))?;
        absent_is_fine(std::fs::remove_dir_all(&to))
    });
    match removal.await {
        Ok(outcome) => outcome.map_err(|error| fault::of_io(&label, &error)),
        Err(error) => Err(LakeFault::Unavailable { location: label, reason: error.to_string() }),
    }
}

async fn remove_all(stores: &Stores, directory: &Path) -> Result<(), LakeFault> {
    if let Some(dir) = stores.location.local_dir() {
        // Only directories of dropped tables come this way, by their own names.
        let Some(name) = directory.filename() else { return Ok(()) };
        let dir = dir.join(name);
        let removal = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(dir));
        return match removal.await {
            Ok(outcome) => outcome.map_err(|error| fault::of_io(&stores.label, &error)),
            Err(error) => Err(LakeFault::Unavailable { location: stores.label.clone(), reason: error.to_string() }),
        };
    }
    let files = list_files(stores, directory).await?;
    let paths = stream::iter(files.into_iter().map(|file| Ok(file.location))).boxed();
    let mut deletions = stores.store.inner.delete_stream(paths);
    while let Some(deleted) = deletions.next().await {
        match deleted {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(fault::of_store(&stores.label, &error)),
        }
    }
    Ok(())
}

async fn list_files(stores: &Stores, directory: &Path) -> Result<Vec<ObjectMeta>, LakeFault> {
    stores.store.inner.list(Some(directory)).try_collect().await.map_err(|error| fault::of_store(&stores.label, &error))
}
