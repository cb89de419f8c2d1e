//! Segment files: what is stored before it is in the lake.
//!
//! A segment is a run of frames: length (u32 LE), CRC-32 of the payload (u32 LE), payload (a span as JSON).
//! It is written whole, synced with its folder, and deleted when its spans are in the lake.

use std::{
    collections::HashSet,
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use mainspring_llm::Span;

use crate::fault::TraceFault;

/// A span larger than this is not one we wrote.
const FRAME_MAX: usize = 64 << 20;
const SUFFIX: &str = "spill";

#[derive(Debug)]
pub(crate) struct Spill {
    dir: PathBuf,
    next: AtomicU64,
    /// Segments a worker holds in memory: whoever looks on disk leaves them alone.
    held: Mutex<HashSet<PathBuf>>,
    /// Segments before this one were left by an earlier process.
    first: u64,
}

/// What a segment held; `torn` counts frames that could not be read.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Segment {
    pub(crate) spans: Vec<Span>,
    pub(crate) torn: u64,
}

impl Spill {
    pub(crate) fn open(dir: &Path) -> Result<Self, TraceFault> {
        let fault = |source| TraceFault::Spill { path: dir.display().to_string(), source };
        std::fs::create_dir_all(dir).map_err(fault)?;
        let last = segments_in(dir).map_err(fault)?.last().and_then(|path| number(path));
        let first = last.map_or(0, |last| last + 1);
        Ok(Self { dir: dir.to_owned(), next: AtomicU64::new(first), held: Mutex::default(), first })
    }

    /// Writes a group of spans so that it survives a power cut.
    pub(crate) fn write(&self, spans: &[Span]) -> std::io::Result<PathBuf> {
        let path = self.dir.join(format!("{:016}.{SUFFIX}", self.next.fetch_add(1, Ordering::Relaxed)));
        self.held().insert(path.clone());
        let mut bytes = Vec::with_capacity(spans.len() * 1024);
        for span in spans {
            let payload = serde_json::to_vec(span).map_err(std::io::Error::other)?;
            bytes.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend_from_slice(&crc32fast::hash(&payload).to_le_bytes());
            bytes.extend_from_slice(&payload);
        }
        let written = write_synced(&self.dir, &path, &bytes);
        if written.is_err() {
            // Half a segment would be read as a torn one; it was never acknowledged.
            let _ = std::fs::remove_file(&path);
            self.release(&path);
        }
        written.map(|()| path)
    }

    /// Segments on disk that no worker holds, oldest first.
    pub(crate) fn segments(&self) -> std::io::Result<Vec<PathBuf>> {
        let found = segments_in(&self.dir)?;
        let held = self.held();
        Ok(found.into_iter().filter(|path| !held.contains(path)).collect())
    }

    /// Lets whoever looks on disk have a segment.
    pub(crate) fn release(&self, path: &Path) {
        self.held().remove(path);
    }

    /// Whether this process wrote the segment.
    pub(crate) fn is_ours(&self, path: &Path) -> bool {
        number(path).is_some_and(|number| number >= self.first)
    }

    fn held(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn bytes(&self) -> u64 {
        let segments = segments_in(&self.dir).unwrap_or_default();
        segments.iter().filter_map(|path| path.metadata().ok()).map(|meta| meta.len()).sum()
    }
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

/// Reads a segment. A torn tail is counted and left out: it was never acknowledged.
pub(crate) fn read(path: &Path) -> std::io::Result<Segment> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    Ok(parse(&bytes))
}

pub(crate) fn parse(mut bytes: &[u8]) -> Segment {
    let mut segment = Segment::default();
    while !bytes.is_empty() {
        let Some((payload, rest)) = frame(bytes) else {
            segment.torn += 1;
            break;
        };
        match payload.and_then(|payload| serde_json::from_slice(payload).ok()) {
            Some(span) => segment.spans.push(span),
            None => segment.torn += 1,
        }
        bytes = rest;
    }
    segment
}

/// The first frame: its payload if it is whole, and what follows. `None` when the length itself cannot be trusted.
fn frame(bytes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (head, rest) = bytes.split_at_checked(8)?;
    let length = u32::from_le_bytes(head[..4].try_into().ok()?) as usize;
    let crc = u32::from_le_bytes(head[4..].try_into().ok()?);
    if length > FRAME_MAX {
        return None;
    }
    let (payload, rest) = rest.split_at_checked(length)?;
    Some(((crc32fast::hash(payload) == crc).then_some(payload), rest))
}
