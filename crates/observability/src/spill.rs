//! Segment files: what is stored before it is in the lake.
//!
//! A segment is a run of frames: length (u32 LE), CRC-32 of the payload (u32 LE), payload (a span as JSON).
//! It is written whole, synced with its folder, and deleted when its spans are in the lake. How large a span may be is asked of
//! it before: a frame that could be written can be read.

mod frames;

use std::{
    collections::HashMap,
    fs::File,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize};

#[cfg(test)]
pub(crate) use frames::parse;
pub(crate) use frames::{Frames, Segment, read};

use crate::fault::{TraceFault, Trouble};

const SUFFIX: &str = "spill";
/// Where segments go that cannot be brought, for a person to look at.
const ASIDE: &str = "aside";
/// How a file ends that is about to take the place of a segment.
const NEW: &str = "new";

#[derive(Debug)]
pub(crate) struct Spill {
    dir: PathBuf,
    /// Bytes at most; what comes on top is refused, so that a lake that is away does not fill the disk.
    limit: u64,
    bytes: AtomicU64,
    set_aside: AtomicU64,
    left_alone: AtomicU64,
    next: AtomicU64,
    ours: Mutex<HashMap<PathBuf, Ours>>,
    #[cfg(test)]
    pub(crate) panics: std::sync::atomic::AtomicBool,
}

/// A segment this process wrote or found.
#[derive(Debug, Clone, Copy)]
struct Ours {
    /// None of one that it found: nobody counted them here.
    spans: u64,
    bytes: u64,
    /// A worker has it in memory: whoever looks on disk leaves it alone.
    held: bool,
    /// Some of it may be in the lake already.
    tried: bool,
}

/// A segment that another process is to bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parcel {
    number: u64,
    tried: bool,
}

impl Spill {
    pub(crate) fn open(dir: &Path, limit: u64) -> Result<Self, TraceFault> {
        let fault = |source| TraceFault::Spill { path: dir.display().to_string(), source };
        std::fs::create_dir_all(dir).map_err(fault)?;
        // The segment that one was to replace is there, and is replaced again by whoever knows why.
        remove_unfinished(dir).map_err(fault)?;
        let found = segments_in(dir).map_err(fault)?;
        // Numbers are not given again while a segment that bears one lies aside.
        let aside = segments_in(&dir.join(ASIDE)).unwrap_or_default();
        let last = found.last().into_iter().chain(aside.last()).filter_map(|path| number(path)).max();
        // Some of what an earlier process left may be in the lake already.
        let left = |path: PathBuf| (path.clone(), Ours { spans: 0, bytes: size(&path), held: false, tried: true });
        let ours: HashMap<PathBuf, Ours> = found.into_iter().map(left).collect();
        Ok(Self {
            dir: dir.to_owned(),
            limit,
            bytes: AtomicU64::new(ours.values().map(|ours| ours.bytes).sum()),
            set_aside: AtomicU64::new(aside.len() as u64),
            left_alone: AtomicU64::new(0),
            next: AtomicU64::new(last.map_or(0, |last| last + 1)),
            ours: Mutex::new(ours),
            #[cfg(test)]
            panics: std::sync::atomic::AtomicBool::new(false),
        })
    }

    /// A segment as another process knows it.
    pub(crate) fn parcel(&self, path: &Path) -> Option<Parcel> {
        Some(Parcel { number: number(path)?, tried: self.may_be_there(path) })
    }

    /// Takes over segments of the process that started this one.
    pub(crate) fn adopt(&self, parcels: &[Parcel]) -> Vec<PathBuf> {
        let mut ours = self.ours();
        let adopt = |parcel: &Parcel| {
            let path = self.path(parcel.number);
            ours.insert(path.clone(), Ours { spans: 0, bytes: size(&path), held: false, tried: parcel.tried });
            path
        };
        parcels.iter().map(adopt).collect()
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:016}.{SUFFIX}"))
    }

    /// Writes a group of spans so that it survives a power cut.
    pub(crate) fn write(&self, frames: &Frames) -> Result<PathBuf, Trouble> {
        let Frames { bytes, spans } = frames;
        let length = bytes.len() as u64;
        if self.bytes().saturating_add(length) > self.limit {
            return Err(Trouble::SpillFull);
        }
        let path = self.path(self.next.fetch_add(1, Ordering::Relaxed));
        self.ours().insert(path.clone(), Ours { spans: *spans, bytes: length, held: true, tried: false });
        let mut writing = Writing { spill: self, path: &path, whole: false };
        #[cfg(test)]
        assert!(!self.panics.swap(false, Ordering::Relaxed), "a test wants this");
        write_synced(&self.dir, &path, bytes).map_err(|error| {
            tracing::warn!(%error, "a segment of spans could not be written");
            Trouble::of(&error)
        })?;
        self.bytes.fetch_add(length, Ordering::Relaxed);
        writing.whole = true;
        drop(writing);
        Ok(path)
    }

    /// Puts other spans into a segment: whenever this is broken off, it holds those of before or these.
    pub(crate) fn rewrite(&self, path: &Path, frames: &Frames) -> std::io::Result<()> {
        let before = size(path);
        write_whole(path, &frames.bytes)?;
        self.shrink(before);
        self.bytes.fetch_add(frames.bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Whether a segment could be written now.
    pub(crate) fn has_room(&self) -> bool {
        let probe = self.dir.join("probe");
        let fits = self.bytes() < self.limit && std::fs::write(&probe, [0; 4096]).is_ok();
        let _ = std::fs::remove_file(&probe);
        fits
    }

    /// Segments on disk that no worker holds, oldest first.
    pub(crate) fn segments(&self) -> std::io::Result<Vec<PathBuf>> {
        let found = segments_in(&self.dir)?;
        let ours = self.ours();
        Ok(found.into_iter().filter(|path| !ours.get(path).is_some_and(|ours| ours.held)).collect())
    }

    /// Every segment that is not in the lake yet, whoever holds it.
    pub(crate) fn waiting(&self) -> std::io::Result<Vec<PathBuf>> {
        segments_in(&self.dir)
    }

    /// Segments that an earlier process left and that are not in the lake yet: how many spans they hold nobody counted here.
    pub(crate) fn left_over(&self) -> u64 {
        self.ours().values().filter(|ours| ours.spans == 0 && !ours.held).count() as u64
    }

    /// Whether there is no segment, on its way or aside.
    pub(crate) fn is_empty(&self) -> std::io::Result<bool> {
        is_empty(&self.dir)
    }

    /// Lets whoever looks on disk have a segment. What was `tried` is compared with the lake before it is added.
    pub(crate) fn release(&self, path: &Path, tried: bool) {
        if let Some(ours) = self.ours().get_mut(path) {
            (ours.held, ours.tried) = (false, tried);
        }
    }

    /// Whether spans of a segment may be in the lake already. Of one that another process wrote nobody knows.
    pub(crate) fn may_be_there(&self, path: &Path) -> bool {
        self.ours().get(path).is_none_or(|ours| ours.tried)
    }

    /// Removes a segment whose spans are in the lake. Answers how many spans of this process it held.
    pub(crate) fn finish(&self, path: &Path) -> u64 {
        let length = size(path);
        match std::fs::remove_file(path) {
            Ok(()) => self.shrink(length),
            // It is compared with the lake when it is found again.
            Err(error) => tracing::warn!(%error, path = %path.display(), "a segment that is in the lake could not be removed"),
        }
        self.forget(path)
    }

    /// Moves a segment out of the way of the others. Answers how many spans of this process it held.
    pub(crate) fn set_aside(&self, path: &Path) -> u64 {
        let length = size(path);
        let to = self.dir.join(ASIDE).join(path.file_name().unwrap_or_default());
        let moved = std::fs::create_dir_all(self.dir.join(ASIDE)).and_then(|()| std::fs::rename(path, &to));
        match moved {
            Ok(()) => {
                self.shrink(length);
                self.set_aside.fetch_add(1, Ordering::Relaxed);
                tracing::error!(to = %to.display(), "a segment of spans cannot be brought; it was moved aside, nothing of it was deleted");
                self.forget(path)
            }
            Err(error) => {
                tracing::error!(%error, path = %path.display(), "a segment of spans can be neither read nor moved; it is left alone until the next start");
                self.leave_alone(path)
            }
        }
    }

    /// Nothing more is done with a segment by this process. Answers how many spans of this process it held: nobody waits for
    /// them any longer.
    pub(crate) fn leave_alone(&self, path: &Path) -> u64 {
        self.left_alone.fetch_add(1, Ordering::Relaxed);
        let left = Ours { spans: 0, bytes: size(path), held: true, tried: true };
        self.ours().insert(path.to_owned(), left).map_or(0, |before| before.spans)
    }

    /// Another process has brought a segment of so many bytes, or moved it aside. Answers how many spans of this process it held.
    pub(crate) fn gone(&self, path: &Path, bytes: u64) -> u64 {
        self.shrink(bytes);
        self.forget(path)
    }

    /// Looks how many segments lie aside by now.
    pub(crate) fn count_aside(&self) {
        let aside = segments_in(&self.dir.join(ASIDE)).map_or(0, |found| found.len() as u64);
        self.set_aside.store(aside, Ordering::Relaxed);
    }

    /// Removes segments that lie aside. Whatever of them could be read is in the lake.
    pub(crate) fn remove_aside(&self, unwanted: impl Fn(&Path) -> bool) -> std::io::Result<u64> {
        let found = match segments_in(&self.dir.join(ASIDE)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            other => other?,
        };
        let mut removed = 0;
        for path in found.iter().filter(|path| unwanted(path)) {
            std::fs::remove_file(path)?;
            removed += 1;
        }
        let _ = self.set_aside.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |aside| Some(aside.saturating_sub(removed)));
        Ok(removed)
    }

    /// Segments that somebody else removed. Answers how many spans of this process they held.
    pub(crate) fn vanished(&self) -> u64 {
        let (mut gone, mut bytes) = (0, 0);
        self.ours().retain(|path, ours| {
            let here = ours.held || is_here(path);
            if !here {
                gone += ours.spans;
                bytes += ours.bytes;
            }
            here
        });
        self.shrink(bytes);
        gone
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) const fn limit(&self) -> u64 {
        self.limit
    }

    /// How many segments lie aside.
    pub(crate) fn aside(&self) -> u64 {
        self.set_aside.load(Ordering::Relaxed)
    }

    /// How many segments are left alone: they can be neither read nor moved, or not be removed.
    pub(crate) fn left_alone(&self) -> u64 {
        self.left_alone.load(Ordering::Relaxed)
    }

    fn shrink(&self, by: u64) {
        let _ = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bytes| Some(bytes.saturating_sub(by)));
    }

    fn forget(&self, path: &Path) -> u64 {
        self.ours().remove(path).map_or(0, |ours| ours.spans)
    }

    fn ours(&self) -> MutexGuard<'_, HashMap<PathBuf, Ours>> {
        self.ours.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes half a segment away again, also when the writing panics: it was never acknowledged.
struct Writing<'a> {
    spill: &'a Spill,
    path: &'a Path,
    whole: bool,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.whole {
            let _ = std::fs::remove_file(self.path);
            self.spill.forget(self.path);
        }
    }
}

/// Whether a folder has no segments, on their way or aside.
pub(crate) fn is_empty(dir: &Path) -> std::io::Result<bool> {
    for dir in [dir.to_owned(), dir.join(ASIDE)] {
        let found = match segments_in(&dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            other => other?,
        };
        if !found.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(crate) fn size(path: &Path) -> u64 {
    path.metadata().map_or(0, |found| found.len())
}

/// Of what cannot be looked at it is not known that it is gone.
pub(crate) fn is_here(path: &Path) -> bool {
    path.try_exists().unwrap_or(true)
}

fn remove_unfinished(dir: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == NEW) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn segments_in(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if number(&path).is_some() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn number(path: &Path) -> Option<u64> {
    if path.extension()? != SUFFIX {
        return None;
    }
    path.file_stem()?.to_str()?.parse().ok()
}

fn write_synced(dir: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    File::open(dir)?.sync_all()
}

/// Writes a file, or writes it anew: whenever this is broken off, it is there as it was before, or whole.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let (dir, new) = (path.parent().unwrap_or_else(|| Path::new(".")), path.with_extension(NEW));
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    write_synced(dir, &new, bytes)?;
    std::fs::rename(&new, path)?;
    File::open(dir)?.sync_all()
}

/// Whether one of these words stands in a file.
pub(crate) fn shows(path: &Path, words: &[String]) -> bool {
    let contains = |bytes: &[u8], word: &[u8]| !word.is_empty() && bytes.windows(word.len()).any(|part| part == word);
    std::fs::read(path).is_ok_and(|bytes| words.iter().any(|word| contains(&bytes, word.as_bytes())))
}
