//! What was read before: a file that has not changed since it had its digest is not read again.

use std::{
    collections::HashMap,
    fs::{self, Metadata},
    io,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use mainspring_kernel::Digest;
use serde::{Deserialize, Serialize};

/// Clocks of file systems tick some milliseconds apart: a file that changed later than this before it was read could
/// change again without a trace.
const SETTLED: Duration = Duration::from_millis(100);

/// What changes whenever a file's bytes are written or another file takes its place. The time of the last change
/// cannot be set by a program, unlike the time of the last write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    #[cfg(unix)]
    pub(crate) fn of(meta: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        Some(Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            written: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }

    #[cfg(not(unix))]
    pub(crate) fn of(_: &Metadata) -> Option<Self> {
        None
    }

    /// Whether a change from now on would give another stamp.
    #[expect(clippy::disallowed_methods, reason = "the file system's clock is what stamps are compared with")]
    pub(crate) fn is_settled(&self) -> bool {
        let (Ok(seconds), Ok(nanos)) = (u64::try_from(self.changed.0), u32::try_from(self.changed.1)) else { return false };
        let changed = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos);
        SystemTime::now().duration_since(changed).is_ok_and(|age| age > SETTLED)
    }
}

/// Which files had their digest, by stamp: in memory, and beside the files for other processes and later starts.
#[derive(Debug)]
pub(crate) struct Proofs {
    dir: PathBuf,
    known: Mutex<HashMap<Digest, Stamp>>,
}

impl Proofs {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, known: Mutex::default() }
    }

    pub(crate) fn hold(&self, digest: &Digest, stamp: &Stamp) -> bool {
        if self.known.lock().unwrap_or_else(PoisonError::into_inner).get(digest) == Some(stamp) {
            return true;
        }
        let written = fs::read(self.place(digest)).ok();
        written.and_then(|bytes| serde_json::from_slice::<Stamp>(&bytes).ok()).is_some_and(|written| written == *stamp)
    }

    pub(crate) fn keep(&self, digest: &Digest, stamp: Stamp) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(*digest, stamp);
        // A cache that only others may write to is read once in every process instead.
        if let Err(fault) = self.write(digest, &stamp) {
            tracing::debug!(dir = %self.dir.display(), %fault, "cannot note that a model file was verified");
        }
    }

    fn write(&self, digest: &Digest, stamp: &Stamp) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        let file = tempfile::NamedTempFile::new_in(&self.dir)?;
        fs::write(file.path(), serde_json::to_vec(stamp)?)?;
        file.persist(self.place(digest)).map(drop).map_err(|fault| fault.error)
    }

    fn place(&self, digest: &Digest) -> PathBuf {
        self.dir.join(digest.hex())
    }
}
