//! The directory: content-addressed files, one lock per digest, and downloads that are not finished yet.

use std::{
    fs::{self, File, TryLockError},
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use mainspring_kernel::{Digest, digest::Hasher};

use crate::{
    fault::WeightsFault,
    proof::{Proofs, Stamp},
};

#[derive(Debug, Clone)]
pub(crate) struct Cache {
    root: PathBuf,
    proofs: Arc<Proofs>,
}

/// What stands at a digest's place, by its name and length alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    Bytes(u64),
}

/// The state of one file in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    Sound,
    Missing,
    WrongSize { found: u64 },
    WrongDigest { found: Digest },
}

/// Whether a file that was read before, and has not changed since, is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    Always,
    WhenChanged,
}

impl Cache {
    pub(crate) fn open(root: &Path) -> Result<Self, WeightsFault> {
        for part in ["sha256", "locks", "partial"] {
            let dir = root.join(part);
            fs::create_dir_all(&dir).map_err(|source| WeightsFault::io(&dir, source))?;
        }
        Ok(Self { root: root.to_owned(), proofs: Arc::new(Proofs::new(root.join("verified"))) })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        self.root.join("sha256").join(digest.hex())
    }

    /// Where a download from `url` waits until it is whole.
    pub(crate) fn partial(&self, url: &str) -> PathBuf {
        self.root.join("partial").join(Digest::of(url.as_bytes()).hex())
    }

    pub(crate) fn partial_dir(&self) -> PathBuf {
        self.root.join("partial")
    }

    pub(crate) fn look(&self, digest: &Digest) -> Result<Found, WeightsFault> {
        let path = self.path(digest);
        match fs::metadata(&path) {
            Ok(meta) if meta.is_file() => Ok(Found::Bytes(meta.len())),
            Ok(_) => Ok(Found::Nothing),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
            Err(source) => Err(WeightsFault::io(path, source)),
        }
    }

    /// Compares a file with its pin, byte for byte unless it is known to be sound.
    pub(crate) fn examine(&self, digest: &Digest, size: u64, reading: Reading) -> Result<Condition, WeightsFault> {
        let path = self.path(digest);
        let io = |source| WeightsFault::io(&path, source);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(Condition::Missing),
            Err(source) => return Err(io(source)),
        };
        let meta = file.metadata().map_err(io)?;
        if !meta.is_file() {
            return Ok(Condition::Missing);
        }
        if meta.len() != size {
            return Ok(Condition::WrongSize { found: meta.len() });
        }
        let stamp = Stamp::of(&meta);
        if reading == Reading::WhenChanged && stamp.is_some_and(|stamp| self.proofs.hold(digest, &stamp)) {
            return Ok(Condition::Sound);
        }
        let settled = stamp.filter(Stamp::is_settled);
        let found = hash(&file).map_err(io)?;
        if found != *digest {
            return Ok(Condition::WrongDigest { found });
        }
        let after = Stamp::of(&file.metadata().map_err(io)?);
        if let Some(stamp) = settled.filter(|stamp| after == Some(*stamp)) {
            self.proofs.keep(digest, stamp);
        }
        Ok(Condition::Sound)
    }

    /// Whether the file would be used without being read.
    #[cfg(test)]
    pub(crate) fn is_proven(&self, digest: &Digest) -> bool {
        let stamp = fs::metadata(self.path(digest)).ok().and_then(|meta| Stamp::of(&meta));
        stamp.is_some_and(|stamp| self.proofs.hold(digest, &stamp))
    }

    /// Copies a stream of unknown worth into the cache, and keeps it only with the pinned digest.
    /// Answers what digest it had. Never writes more than one byte beyond `size`.
    pub(crate) fn admit(&self, digest: &Digest, size: u64, from: &mut dyn Read) -> Result<Digest, AdmitFault> {
        let dir = self.partial_dir();
        let mut file = tempfile::Builder::new()
            .prefix("admit-")
            .tempfile_in(&dir)
            .map_err(|source| AdmitFault::Cache(WeightsFault::io(&dir, source)))?;
        let mut hasher = Hasher::default();
        let mut writer = BufWriter::with_capacity(1 << 20, file.as_file_mut());
        let mut buffer = vec![0_u8; 1 << 18];
        let mut left = size.saturating_add(1);
        loop {
            let want = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if want == 0 {
                break;
            }
            let read = from.read(&mut buffer[..want]).map_err(AdmitFault::Source)?;
            if read == 0 {
                break;
            }
            left -= read as u64;
            hasher.update(&buffer[..read]);
            writer.write_all(&buffer[..read]).map_err(|source| AdmitFault::Cache(WeightsFault::io(&dir, source)))?;
        }
        let written = writer.flush();
        drop(writer);
        let written = written.and_then(|()| file.as_file().sync_all());
        written.map_err(|source| AdmitFault::Cache(WeightsFault::io(&dir, source)))?;
        let found = hasher.finish();
        if found == *digest {
            self.place(file.into_temp_path(), digest).map_err(AdmitFault::Cache)?;
        }
        Ok(found)
    }

    /// Renames a synced file to its digest's place, and makes the rename durable.
    fn place(&self, file: tempfile::TempPath, digest: &Digest) -> Result<(), WeightsFault> {
        let path = self.path(digest);
        // Weights are shared by the machine's users and never change again.
        make_readable(&file).map_err(|source| WeightsFault::io(&path, source))?;
        file.persist(&path).map_err(|fault| WeightsFault::io(&path, fault.error))?;
        let dir = self.root.join("sha256");
        File::open(&dir).and_then(|dir| dir.sync_all()).map_err(|source| WeightsFault::io(dir, source))
    }

    /// Takes a whole, synced and verified download without copying it.
    pub(crate) fn adopt(&self, partial: &Path, digest: &Digest) -> Result<(), WeightsFault> {
        let path = tempfile::TempPath::try_from_path(partial).map_err(|source| WeightsFault::io(partial, source))?;
        self.place(path, digest)
    }

    pub(crate) fn remove(&self, digest: &Digest) -> Result<(), WeightsFault> {
        let path = self.path(digest);
        match fs::remove_file(&path) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(WeightsFault::io(path, fault)),
            _ => Ok(()),
        }
    }

    fn lock_file(&self, digest: &Digest) -> Result<(PathBuf, File), WeightsFault> {
        let path = self.root.join("locks").join(digest.hex());
        let opened = File::options().create(true).truncate(false).write(true).open(&path);
        let file = opened.map_err(|source| WeightsFault::io(&path, source))?;
        Ok((path, file))
    }

    /// Shared by everybody who brings the model of this identity. Dies with its holder.
    pub(crate) fn announce(&self, identity: &Digest) -> Result<Lock, WeightsFault> {
        let (path, file) = self.lock_file(&coming(identity))?;
        file.lock_shared().map_err(|source| WeightsFault::io(path, source))?;
        Ok(Lock { _file: file })
    }

    /// Whether anybody brings it, in whichever process.
    pub(crate) fn is_announced(&self, identity: &Digest) -> Result<bool, WeightsFault> {
        let (path, file) = self.lock_file(&coming(identity))?;
        match file.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(WeightsFault::io(path, source)),
        }
    }

    /// Waits until no other process works on this digest. The lock dies with its holder.
    pub(crate) fn lock(&self, digest: &Digest, patience: Duration, waiting: &dyn Fn()) -> Result<Lock, WeightsFault> {
        let (path, file) = self.lock_file(digest)?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::WouldBlock) if start.elapsed() < patience => {
                    waiting();
                    std::thread::sleep(Duration::from_millis(100));
                }
                Err(TryLockError::WouldBlock) => return Err(WeightsFault::Locked { digest: *digest }),
                Err(TryLockError::Error(source)) => return Err(WeightsFault::io(path, source)),
            }
        }
    }
}

/// Apart from the locks of files, which are named by their own digests.
fn coming(identity: &Digest) -> Digest {
    Digest::of(format!("coming {identity}").as_bytes())
}

/// Why `admit` failed: the place's stream, or our disk.
#[derive(Debug)]
pub(crate) enum AdmitFault {
    Source(io::Error),
    Cache(WeightsFault),
}

/// Held while a file is fetched; released when dropped, and by the kernel when the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

#[cfg(unix)]
fn make_readable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &Path) -> io::Result<()> {
    Ok(())
}

pub(crate) fn hash_file(path: &Path) -> io::Result<Digest> {
    hash(&File::open(path)?)
}

fn hash(mut file: &File) -> io::Result<Digest> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0_u8; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..read]);
    }
}
