//! The journal's files.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

const SUFFIX: &str = "calls";

/// What is to be done on disk, outside of any lock, when a batch is in the catalog.
#[derive(Debug)]
pub(crate) struct Cleanup {
    pub(super) sync: Option<Sync>,
    pub(super) remove: Vec<PathBuf>,
}

/// What must reach the disk.
#[derive(Debug)]
pub(crate) struct Sync {
    pub(super) files: Vec<Arc<File>>,
    pub(super) dir: PathBuf,
}

impl Cleanup {
    pub(super) const fn nothing() -> Self {
        Self { sync: None, remove: Vec::new() }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.remove.is_empty()
    }

    /// What was written down again must be there before the old is gone; the oldest goes first.
    pub(crate) fn carry_out(self) -> io::Result<()> {
        if let Some(sync) = self.sync {
            sync.carry_out()?;
        }
        self.remove.into_iter().try_for_each(std::fs::remove_file)
    }
}

impl Sync {
    pub(crate) fn carry_out(self) -> io::Result<()> {
        self.files.iter().try_for_each(|file| file.sync_data())?;
        File::open(self.dir)?.sync_all()
    }
}

pub(crate) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:016}.{SUFFIX}"))
}

/// The segments of a folder, oldest first.
pub(crate) fn segments_in(dir: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == SUFFIX) {
            found.extend(path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<u64>().ok()));
        }
    }
    found.sort_unstable();
    Ok(found)
}
