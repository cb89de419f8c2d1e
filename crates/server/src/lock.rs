//! One owner of a data directory.

use std::{
    fs::{File, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use mainspring_kernel::{Fault, FaultKind};
use serde::{Deserialize, Serialize};

/// Held as long as this process uses the directory; the operating system lets go of it however the process ends.
#[derive(Debug)]
pub struct DataLock {
    file: File,
    path: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
struct Owner {
    pid: u32,
    /// Where it serves; absent for a command that works in-process.
    url: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum LockFault {
    #[error("process {pid} is using it{}", if url.is_some() { "" } else { "; try again when it has finished" })]
    Held { pid: u32, url: Option<String> },
    #[error("the lock file {path} cannot be used")]
    Io {
        path: String,
        #[source]
        source: std::io::Error,
    },
}

impl Fault for LockFault {
    fn kind(&self) -> FaultKind {
        FaultKind::Unavailable
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Held { .. } => "boot-data-in-use",
            Self::Io { .. } => "boot-data-unusable",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Held { .. } => Some("stop that process, or name another directory with --data".into()),
            Self::Io { .. } => Some("the directory must be on a disk that this user can write to".into()),
        }
    }
}

impl DataLock {
    pub fn acquire(data: &Path) -> Result<Self, LockFault> {
        let path = data.join("lock");
        let io = |source| LockFault::Io { path: path.display().to_string(), source };
        std::fs::create_dir_all(data).map_err(io)?;
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {
                let lock = Self { file, path: path.clone() };
                lock.announce(None).map_err(io)?;
                Ok(lock)
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(io)?;
                // The owner writes its line just after locking; until then it is known only by holding the lock.
                let owner = serde_json::from_str(&text).unwrap_or(Owner { pid: 0, url: None });
                Err(LockFault::Held { pid: owner.pid, url: owner.url })
            }
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }

    /// Says who holds the directory and where it serves.
    pub fn announce(&self, url: Option<&str>) -> std::io::Result<()> {
        let owner = Owner { pid: std::process::id(), url: url.map(str::to_owned) };
        let text = serde_json::to_vec(&owner).unwrap_or_default();
        let mut file = &self.file;
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&text)?;
        file.sync_data()
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
