//! What is known of calls before it is in the catalog, in files that survive the death of the process.
//!
//! A call is written down before it is made, and again when it has ended; a mark ends each batch that goes to the catalog.
//! Segments are deleted, oldest first, when everything that ended in them is in the catalog; calls in them that are still
//! under way are written down again first.

mod files;

use std::{
    collections::{HashMap, VecDeque},
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

pub(crate) use files::{Cleanup, Sync, path, segments_in};
use mainspring_kernel::id::CallId;

use super::{
    batch::Settled,
    frames::{self, Header, Mark, VERSION},
};

const SEGMENT_BYTES: u64 = 16 << 20;
/// Batches that are held in memory beside the disk; more are read again when their turn comes.
const BATCHES_HELD: usize = 4;

#[derive(Debug)]
pub(crate) struct Journal {
    dir: PathBuf,
    owner: String,
    /// Absent in a journal that could not be begun yet.
    current: Option<Current>,
    /// A write failed and could not be taken back: nothing more goes into this segment.
    broken: bool,
    older: VecDeque<Older>,
    unsynced: Vec<Arc<File>>,
    dirty: bool,
    /// Calls under way.
    open: HashMap<CallId, Open>,
    /// Calls that ended since the last batch was closed.
    pending: Vec<Settled>,
    /// The number of the next batch, and the segment it begins in.
    number: u64,
    from: u64,
    closed: VecDeque<Batch>,
    waiting_bytes: u64,
    segment_bytes: u64,
}

#[derive(Debug)]
struct Current {
    number: u64,
    file: Arc<File>,
    length: u64,
}

#[derive(Debug)]
struct Older {
    number: u64,
    /// No call that ended in it is in a later batch.
    last_batch: u64,
}

#[derive(Debug)]
struct Open {
    segment: u64,
    frame: Vec<u8>,
}

/// Calls that go to the catalog together.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) number: u64,
    /// Absent when they are on disk only.
    pub(crate) calls: Option<Arc<Vec<Settled>>>,
    pub(crate) count: u64,
    bytes: u64,
    /// The segments it lies in.
    pub(crate) segments: (u64, u64),
}

/// What a new journal goes on from.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// Segments that were read, oldest first; they go when what they hold is in the catalog.
    pub(crate) segments: Vec<u64>,
    /// The highest number of a segment, read or not.
    pub(crate) highest: u64,
    pub(crate) batches: Vec<Batch>,
    /// Calls that ended and are in no batch yet.
    pub(crate) trailing: Vec<Settled>,
    /// The highest number of a batch so far.
    pub(crate) last_batch: u64,
}

impl Journal {
    pub(crate) fn begin_after(dir: &Path, owner: &str, past: Past) -> io::Result<Self> {
        let Past { segments, highest, batches, trailing, last_batch } = past;
        let first = segments.first().copied();
        let number = highest + 1;
        let open_batch = last_batch + 1;
        let current = Current::create(dir, owner, number)?;
        let waiting_bytes = batches.iter().map(|batch| batch.bytes).sum::<u64>() + bytes_of(&trailing);
        Ok(Self {
            current: Some(current),
            older: segments.into_iter().map(|number| Older { number, last_batch: open_batch }).collect(),
            dirty: true,
            pending: trailing,
            number: open_batch,
            from: first.unwrap_or(number),
            closed: batches.into(),
            waiting_bytes,
            ..Self::shut(dir, owner)
        })
    }

    /// Takes no call, as on a full disk.
    pub(crate) fn shut(dir: &Path, owner: &str) -> Self {
        Self {
            dir: dir.to_owned(),
            owner: owner.to_owned(),
            current: None,
            broken: false,
            older: VecDeque::new(),
            unsynced: Vec::new(),
            dirty: false,
            open: HashMap::new(),
            pending: Vec::new(),
            number: 1,
            from: 1,
            closed: VecDeque::new(),
            waiting_bytes: 0,
            segment_bytes: SEGMENT_BYTES,
        }
    }

    /// Writes a call down before it is made.
    pub(crate) fn begin(&mut self, id: CallId, frame: Vec<u8>) -> io::Result<()> {
        let segment = self.append(&frame)?;
        self.open.insert(id, Open { segment, frame });
        Ok(())
    }

    /// Writes down how a call ended. It goes to the catalog in any case; a full disk only keeps it from surviving us.
    pub(crate) fn end(&mut self, mut settled: Settled) -> io::Result<()> {
        self.open.remove(&settled.record.id);
        let outcome = self.append(&settled.frame);
        settled.written = outcome.is_ok();
        self.waiting_bytes += settled.frame.len() as u64;
        self.pending.push(settled);
        outcome.map(drop)
    }

    /// A call under way turned out to be another process's. Whoever reads this journal later is told so by the catalog.
    pub(crate) fn forget(&mut self, id: CallId) {
        self.open.remove(&id);
    }

    /// Makes a batch of what has ended since the last one.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        // A batch must be on disk as it goes to the catalog, or it would be told apart from others when it is found again.
        for index in 0..self.pending.len() {
            if !self.pending[index].written {
                let frame = self.pending[index].frame.clone();
                self.append(&frame)?;
                self.pending[index].written = true;
            }
        }
        let segment = self.append(&frames::mark(Mark { number: self.number, calls: self.pending.len() as u64 }))?;
        let calls = std::mem::take(&mut self.pending);
        let batch = Batch {
            number: self.number,
            count: calls.len() as u64,
            bytes: bytes_of(&calls),
            segments: (self.from, segment),
            calls: (self.closed.len() < BATCHES_HELD).then(|| Arc::new(calls)),
        };
        self.closed.push_back(batch);
        self.number += 1;
        self.from = segment;
        Ok(())
    }

    /// The batch whose turn it is.
    pub(crate) fn next(&self) -> Option<Batch> {
        self.closed.front().cloned()
    }

    /// A batch is in the catalog: what it needed on disk can go.
    pub(crate) fn written(&mut self, number: u64) -> Cleanup {
        if self.closed.front().is_some_and(|batch| batch.number == number)
            && let Some(batch) = self.closed.pop_front()
        {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(batch.bytes);
        }
        let needed = self
            .closed
            .front()
            .map_or_else(|| if self.pending.is_empty() { self.number + 1 } else { self.number }, |batch| batch.number);
        let free = self.older.iter().take_while(|segment| segment.last_batch < needed).count();
        let Some(last) = free.checked_sub(1).and_then(|last| self.older.get(last)).map(|segment| segment.number) else {
            return Cleanup::nothing();
        };
        if let Err(error) = self.carry(last) {
            tracing::warn!(%error, "calls under way could not be written down again; their old segments stay");
            return Cleanup::nothing();
        }
        let remove = self.older.drain(..free).map(|segment| path(&self.dir, segment.number)).collect();
        Cleanup { sync: Some(self.take_unsynced()), remove }
    }

    /// Writes down again what is under way and was written down in segments up to this one.
    fn carry(&mut self, last: u64) -> io::Result<()> {
        let ids: Vec<CallId> = self.open.iter().filter(|(_, open)| open.segment <= last).map(|(id, _)| *id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let frames: Vec<u8> = ids.iter().filter_map(|id| self.open.get(id)).flat_map(|open| open.frame.clone()).collect();
        let segment = self.append(&frames)?;
        for id in ids {
            if let Some(open) = self.open.get_mut(&id) {
                open.segment = segment;
            }
        }
        Ok(())
    }

    /// Answers which segment it went into.
    fn append(&mut self, bytes: &[u8]) -> io::Result<u64> {
        if self.broken || self.current.as_ref().is_some_and(|current| current.length >= self.segment_bytes) {
            match self.rotate() {
                Err(error) if self.broken => return Err(error),
                Err(error) => tracing::warn!(%error, "no new segment of the journal could be begun; the old one grows"),
                Ok(()) => {}
            }
        }
        let current = self.current.as_mut().ok_or(io::ErrorKind::StorageFull)?;
        let mut file = &*current.file;
        if let Err(error) = file.write_all(bytes) {
            // Half a frame would hide all that comes after it.
            self.broken = file.set_len(current.length).is_err();
            return Err(error);
        }
        current.length += bytes.len() as u64;
        self.dirty = true;
        Ok(current.number)
    }

    fn rotate(&mut self) -> io::Result<()> {
        let number = self.current.as_ref().map_or(0, |current| current.number);
        let next = Current::create(&self.dir, &self.owner, number + 1)?;
        if let Some(full) = self.current.replace(next) {
            self.older.push_back(Older { number: full.number, last_batch: self.number });
            self.unsynced.push(full.file);
        }
        self.broken = false;
        Ok(())
    }

    /// What was written since this was last asked.
    pub(crate) fn unsynced(&mut self) -> Option<Sync> {
        if !self.dirty {
            return None;
        }
        Some(self.take_unsynced())
    }

    /// It did not reach the disk.
    pub(crate) const fn sync_again(&mut self) {
        self.dirty = true;
    }

    fn take_unsynced(&mut self) -> Sync {
        self.dirty = false;
        let mut files = std::mem::take(&mut self.unsynced);
        files.extend(self.current.as_ref().map(|current| Arc::clone(&current.file)));
        Sync { files, dir: self.dir.clone() }
    }

    /// Calls that ended and are not in the catalog.
    pub(crate) fn waiting(&self) -> u64 {
        self.closed.iter().map(|batch| batch.count).sum::<u64>() + self.pending.len() as u64
    }

    pub(crate) const fn waiting_bytes(&self) -> u64 {
        self.waiting_bytes
    }

    pub(crate) fn pending(&self) -> &[Settled] {
        &self.pending
    }

    pub(crate) fn has_closed(&self) -> bool {
        !self.closed.is_empty()
    }

    pub(crate) fn is_under_way(&self, id: CallId) -> bool {
        self.open.contains_key(&id)
    }

    pub(crate) fn under_way(&self) -> usize {
        self.open.len()
    }

    /// The calls under way, as they were written down, one frame after the other.
    pub(crate) fn open_frames(&self) -> Vec<u8> {
        self.open.values().flat_map(|open| open.frame.iter().copied()).collect()
    }

    #[cfg(test)]
    pub(crate) const fn with_segments_of(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }
}

impl Current {
    fn create(dir: &Path, owner: &str, number: u64) -> io::Result<Self> {
        let mut options = File::options();
        options.append(true).create_new(true);
        // Who calls which model is nobody else's business on this machine.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path(dir, number))?;
        let header = frames::header(&Header { v: VERSION, owner: owner.to_owned() });
        file.write_all(&header)?;
        Ok(Self { number, file: Arc::new(file), length: header.len() as u64 })
    }
}

impl Batch {
    pub(crate) const fn on_disk(number: u64, (count, bytes): (u64, u64), segments: (u64, u64)) -> Self {
        Self { number, calls: None, count, bytes, segments }
    }
}

fn bytes_of(calls: &[Settled]) -> u64 {
    calls.iter().map(|call| call.frame.len() as u64).sum()
}

#[cfg(test)]
mod tests;
