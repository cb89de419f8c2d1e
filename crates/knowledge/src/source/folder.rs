//! Files of this machine. Links that leave the root are not followed; names may be any bytes.

use std::{
    fs::Metadata,
    io::Read as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use ignore::{DirEntry, WalkBuilder, WalkState};
use mainspring_kernel::Timestamp;

use super::{Content, Listed, Listing, Place, Source, SourceFault, SourcePolicy, names};
use crate::{
    model::Origin,
    spec::{FilesSource, FolderSource},
};

/// A file changed this shortly before it was listed may change again within the same tick of the file
/// system's clock, so its fingerprint is not believed the next time. Network file systems tick in seconds.
const RACY_MICROS: i64 = 2_000_000;
const WALKERS: usize = 4;

#[derive(Debug)]
pub(super) struct Local {
    what: What,
    allowed: Option<Vec<PathBuf>>,
    max_documents: usize,
}

#[derive(Debug)]
enum What {
    Folder { path: PathBuf, hidden: bool },
    Files(Vec<PathBuf>),
}

/// Real folders, links resolved, that a file must lie in when it is opened.
#[derive(Debug)]
pub(super) struct Roots(Vec<PathBuf>);

impl Roots {
    fn hold(&self, real: &Path) -> bool {
        self.0.iter().any(|root| real.starts_with(root))
    }
}

impl Local {
    pub(super) fn folder(spec: &FolderSource, policy: &SourcePolicy) -> Self {
        let what = What::Folder { path: PathBuf::from(&spec.path), hidden: spec.hidden };
        Self { what, allowed: policy.local_roots.clone(), max_documents: policy.max_documents }
    }

    pub(super) fn files(spec: &FilesSource, policy: &SourcePolicy) -> Self {
        let what = What::Files(spec.paths.iter().map(PathBuf::from).collect());
        Self { what, allowed: policy.local_roots.clone(), max_documents: policy.max_documents }
    }

    /// Walks the disk: call it where blocking is fine.
    pub(super) fn list(&self, source: &Source, now: Timestamp) -> Result<Listing, SourceFault> {
        match &self.what {
            What::Folder { path, hidden } => self.walk(source, path, *hidden, now),
            What::Files(files) => self.stat(source, files, now),
        }
    }

    fn real_root(&self, path: &Path) -> Result<PathBuf, SourceFault> {
        let place = names::shown(path);
        let real = path.canonicalize().map_err(|fault| SourceFault::of_io(&place, &fault))?;
        if let Some(allowed) = &self.allowed {
            let inside = allowed.iter().filter_map(|root| root.canonicalize().ok()).any(|root| real.starts_with(root));
            if !inside {
                return Err(SourceFault::Denied { place, reason: "it lies outside the folders the server allows".into() });
            }
        }
        Ok(real)
    }

    fn walk(&self, source: &Source, path: &Path, hidden: bool, now: Timestamp) -> Result<Listing, SourceFault> {
        let root = self.real_root(path)?;
        if !root.is_dir() {
            let reason = "it is not a folder".into();
            return Err(SourceFault::Unusable { place: names::shown(path), reason });
        }
        let roots = Arc::new(Roots(vec![root.clone()]));
        let found = Mutex::new(Listing::default());
        let skip = source.selection.clone();
        let top = root.clone();
        let walker = WalkBuilder::new(&root)
            .standard_filters(false)
            .hidden(!hidden)
            .follow_links(false)
            .threads(WALKERS)
            .filter_entry(move |entry| {
                let below = entry.path().strip_prefix(&top).unwrap_or(entry.path());
                let folder = entry.file_type().is_some_and(|kind| kind.is_dir());
                entry.depth() == 0 || !folder || !skip.excludes_folder(&names::shown(below))
            })
            .build_parallel();
        walker.run(|| {
            Box::new(|entry| {
                let mut local = Listing::default();
                match entry {
                    Ok(entry) => visit(source, &roots, &entry, now, &mut local),
                    Err(fault) => unreadable(source, &root, &fault, &mut local),
                }
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                found.documents.append(&mut local.documents);
                found.warnings.append(&mut local.warnings);
                found.unread.append(&mut local.unread);
                if found.documents.len() > self.max_documents { WalkState::Quit } else { WalkState::Continue }
            })
        });
        let mut listing = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.within_limit(path, &listing)?;
        listing.documents.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(listing)
    }

    fn within_limit(&self, path: &Path, listing: &Listing) -> Result<(), SourceFault> {
        if listing.documents.len() > self.max_documents {
            let reason = format!("it holds more than {} documents: narrow it with `include`", self.max_documents);
            return Err(SourceFault::Unusable { place: names::shown(path), reason });
        }
        Ok(())
    }

    fn stat(&self, source: &Source, files: &[PathBuf], now: Timestamp) -> Result<Listing, SourceFault> {
        let mut listing = Listing::default();
        for file in files {
            let shown = names::shown(file);
            let entry = self.real_root(file).and_then(|real| {
                let metadata = real.metadata().map_err(|fault| SourceFault::of_io(&shown, &fault))?;
                if !metadata.is_file() {
                    return Err(SourceFault::Unusable { place: shown.clone(), reason: "it is not a file".into() });
                }
                Ok((real, metadata))
            });
            match entry {
                Ok((real, metadata)) => {
                    let roots = Arc::new(Roots(vec![real.clone()]));
                    let identity = file.as_os_str().as_encoded_bytes();
                    listing.documents.push(listed(source, &roots, (identity, shown), &real, &metadata, now));
                }
                // Named by hand: one that is missing is a document that is gone, and said so.
                Err(fault) => {
                    use mainspring_kernel::Fault as _;
                    if !matches!(fault, SourceFault::Missing { .. }) {
                        listing.unread.push(shown.clone());
                    }
                    listing.warnings.push(source.warn(shown, fault.code(), fault.to_string()));
                }
            }
        }
        Ok(listing)
    }
}

fn visit(source: &Source, roots: &Arc<Roots>, entry: &DirEntry, now: Timestamp, out: &mut Listing) {
    let Some(kind) = entry.file_type() else { return };
    let root = &roots.0[0];
    let below = entry.path().strip_prefix(root).unwrap_or(entry.path());
    if kind.is_dir() || below.as_os_str().is_empty() {
        return;
    }
    let shown = names::shown(below);
    if !source.takes(&shown) {
        return;
    }
    if kind.is_symlink() {
        match link_target(roots, entry.path()) {
            Ok(Some((real, metadata))) => {
                let identity = below.as_os_str().as_encoded_bytes();
                let target = names::shown(real.strip_prefix(root).unwrap_or(&real));
                let entry = listed(source, roots, (identity, shown.clone()), &real, &metadata, now);
                // Its words are those of the file it leads to, so it is for nobody who may not see that one.
                match source.also_as(entry, &target) {
                    Some(entry) => out.documents.push(entry),
                    None => {
                        let detail = "the link and what it leads to have no label in common";
                        out.warnings.push(source.warn(shown, "source-link-skipped", detail));
                    }
                }
            }
            Ok(None) => {}
            Err(detail) => out.warnings.push(source.warn(shown, "source-link-skipped", detail)),
        }
        return;
    }
    if !kind.is_file() {
        out.warnings.push(source.warn(shown, "source-not-a-file", "a device, socket or pipe is not read"));
        return;
    }
    match entry.metadata() {
        Ok(metadata) => {
            let identity = below.as_os_str().as_encoded_bytes();
            out.documents.push(listed(source, roots, (identity, shown), entry.path(), &metadata, now));
        }
        // Gone between the walk and the look: it is simply not there.
        Err(fault) if fault.io_error().is_some_and(|io| io.kind() == std::io::ErrorKind::NotFound) => {}
        Err(fault) => {
            out.unread.push(shown.clone());
            out.warnings.push(source.warn(shown, "source-unreachable", fault.to_string()));
        }
    }
}

/// Where a link leads: a file within the root, nothing of its own (a folder that is walked anyway), or out.
fn link_target(roots: &Roots, link: &Path) -> Result<Option<(PathBuf, Metadata)>, &'static str> {
    let real = link.canonicalize().map_err(|_| "the link leads nowhere")?;
    if !roots.hold(&real) {
        return Err("the link leads out of the source's folder");
    }
    let metadata = real.metadata().map_err(|_| "the link leads nowhere")?;
    if metadata.is_file() { Ok(Some((real, metadata))) } else { Ok(None) }
}

fn unreadable(source: &Source, root: &Path, fault: &ignore::Error, out: &mut Listing) {
    let path = path_of(fault).map(|path| names::shown(path.strip_prefix(root).unwrap_or(path))).unwrap_or_default();
    if fault.io_error().is_some_and(|io| io.kind() == std::io::ErrorKind::NotFound) && !path.is_empty() {
        return;
    }
    out.warnings.push(source.warn_of_many(path.clone(), "source-unreachable", fault.to_string()));
    out.unread.push(path);
}

fn path_of(fault: &ignore::Error) -> Option<&Path> {
    match fault {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        ignore::Error::Partial(faults) => faults.iter().find_map(path_of),
        _ => None,
    }
}

fn listed(
    source: &Source,
    roots: &Arc<Roots>,
    (identity, shown): (&[u8], String),
    real: &Path,
    metadata: &Metadata,
    now: Timestamp,
) -> Listed {
    let uri = url::Url::from_file_path(real).map_or_else(|()| shown.clone(), String::from);
    let matched = shown.trim_start_matches('/').to_owned();
    let mut entry = source.entry(identity, (shown, &matched), uri, Place::File(roots.clone(), real.to_owned()));
    entry.fingerprint = fingerprint(metadata, now);
    entry.size = Some(metadata.len());
    entry
}

/// Size, times and file number. The change time cannot be set back by programs, so no edit hides.
#[cfg(unix)]
fn fingerprint(metadata: &Metadata, now: Timestamp) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let newest = metadata.mtime().max(metadata.ctime()).saturating_mul(1_000_000);
    if newest.saturating_add(RACY_MICROS + 1_000_000) > now.as_micros() {
        return None;
    }
    let (mtime, ctime) = ((metadata.mtime(), metadata.mtime_nsec()), (metadata.ctime(), metadata.ctime_nsec()));
    let (size, inode) = (metadata.len(), metadata.ino());
    Some(format!("stat:{size}:{}.{:09}:{}.{:09}:{inode}", mtime.0, mtime.1, ctime.0, ctime.1))
}

#[cfg(not(unix))]
fn fingerprint(metadata: &Metadata, now: Timestamp) -> Option<String> {
    let modified = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    let micros = i64::try_from(modified.as_micros()).ok()?;
    (micros.saturating_add(RACY_MICROS) <= now.as_micros()).then(|| format!("stat:{}:{micros}", metadata.len()))
}

/// Reads a file that was listed, unless by now it leads out of the root or became something else.
pub(super) fn read(roots: &Roots, path: &Path, shown: &str, limit: u64, now: Timestamp) -> Result<Content, SourceFault> {
    let io = |fault: &std::io::Error| SourceFault::of_io(shown, fault);
    let real = path.canonicalize().map_err(|fault| io(&fault))?;
    let before = real.symlink_metadata().map_err(|fault| io(&fault))?;
    if !roots.hold(&real) || !before.is_file() {
        return Err(SourceFault::Moved { place: shown.to_owned() });
    }
    let file = std::fs::File::open(&real).map_err(|fault| io(&fault))?;
    let opened = file.metadata().map_err(|fault| io(&fault))?;
    if !same_file(&before, &opened) {
        return Err(SourceFault::Moved { place: shown.to_owned() });
    }
    let too_large = || SourceFault::TooLarge { place: shown.to_owned(), limit };
    if opened.len() > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(opened.len()).unwrap_or(0));
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|fault| io(&fault))?;
    if bytes.len() as u64 > limit {
        return Err(too_large());
    }
    // Taken from the file that was read, and later than the listing, so fewer are too fresh to believe.
    let origin = Origin { last_modified: modified(&opened), ..Origin::default() };
    Ok(Content { bytes: bytes.into(), media_type: None, fingerprint: fingerprint(&opened, now), origin })
}

fn modified(metadata: &Metadata) -> Option<String> {
    let since = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_micros(i64::try_from(since.as_micros()).ok()?).to_string())
}

#[cfg(unix)]
fn same_file(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    a.ino() == b.ino() && a.dev() == b.dev() && b.is_file()
}

#[cfg(not(unix))]
fn same_file(a: &Metadata, b: &Metadata) -> bool {
    a.len() == b.len() && b.is_file()
}
