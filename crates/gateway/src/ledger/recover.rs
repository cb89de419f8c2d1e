//! What an earlier process left in the journal.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use mainspring_kernel::id::CallId;

use super::{
    batch::Settled,
    fault::LedgerFault,
    frames::{self, Entry, Mark, Segment, VERSION},
    journal::{Batch, Past, path, segments_in},
};
use crate::record::CallRecord;

/// Names the owner beside the segments, for when a head is damaged.
const OWNER: &str = "owner";
/// Where segments go that hold damaged frames, as they were, for a person to look at.
const ASIDE: &str = "aside";

/// What the folder says before it is read whole.
#[derive(Debug)]
pub(crate) struct Found {
    dir: PathBuf,
    segments: Vec<u64>,
    pub(crate) owner: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Recovered {
    pub(crate) past: Past,
    /// Calls nobody heard of again, as records.
    pub(crate) interrupted: Vec<CallRecord>,
    /// Frames that could not be read.
    pub(crate) damaged: usize,
    /// Something at the end of a segment may be missing.
    pub(crate) torn: bool,
}

/// Makes the folder, if need be, and looks whose it is.
pub(crate) fn look(dir: &Path) -> Result<Found, LedgerFault> {
    let fault = |source| LedgerFault::journal(dir, source);
    std::fs::create_dir_all(dir).map_err(fault)?;
    let segments = segments_in(dir).map_err(fault)?;
    let mut owner: Option<String> = None;
    for number in &segments {
        let entries = read_segment(dir, *number).unwrap_or_default().entries;
        owner = entries.into_iter().find_map(|entry| match entry {
            Entry::Header(header) => Some(header.owner),
            _ => None,
        });
        if owner.is_some() {
            break;
        }
    }
    let beside = || std::fs::read_to_string(dir.join(OWNER)).ok().map(|name| name.trim().to_owned()).filter(|name| is_name(name));
    Ok(Found { dir: dir.to_owned(), segments, owner: owner.or_else(beside) })
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Writes down whose the folder is.
pub(crate) fn note_owner(dir: &Path, owner: &str) -> io::Result<()> {
    let path = dir.join(OWNER);
    if std::fs::read_to_string(&path).is_ok_and(|noted| noted.trim() == owner) {
        return Ok(());
    }
    std::fs::write(&path, owner)?;
    std::fs::File::open(&path)?.sync_all()
}

fn read_segment(dir: &Path, number: u64) -> io::Result<Segment> {
    match std::fs::read(path(dir, number)) {
        Ok(bytes) => Ok(frames::parse(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Segment::default()),
        Err(error) => Err(error),
    }
}

impl Found {
    /// Reads all of it. Batches up to `last_batch` are in the catalog already.
    pub(crate) fn read(self, last_batch: u64) -> Result<Recovered, LedgerFault> {
        let mut reading = Reading { last_batch, ..Reading::default() };
        let (mut damaged, mut torn, mut segments) = (0, false, Vec::new());
        for number in &self.segments {
            let segment = match read_segment(&self.dir, *number) {
                Ok(segment) => segment,
                Err(error) => {
                    tracing::error!(%error, path = %path(&self.dir, *number).display(), "a segment of the journal cannot be read; it is left alone");
                    damaged += 1;
                    continue;
                }
            };
            segments.push(*number);
            torn |= segment.torn > 0;
            if segment.damaged > 0 {
                damaged += segment.damaged;
                set_aside(&self.dir, *number, segment.damaged);
            }
            for entry in segment.entries {
                reading.take(entry, *number)?;
            }
        }
        let highest = self.segments.last().copied().unwrap_or_default();
        let Reading { batches, trailing, open, last_batch, .. } = reading;
        let past = Past { segments, highest, batches, trailing, last_batch };
        let mut interrupted: Vec<CallRecord> = open.into_values().collect();
        interrupted.sort_by_key(|record| (record.at, record.id));
        Ok(Recovered { past, interrupted, damaged, torn })
    }
}

/// A copy: the calls in it that can be read go their usual way.
fn set_aside(dir: &Path, number: u64, frames: usize) {
    let (from, folder) = (path(dir, number), dir.join(ASIDE));
    let to = folder.join(from.file_name().unwrap_or_default());
    match std::fs::create_dir_all(&folder).and_then(|()| std::fs::copy(&from, &to)) {
        Ok(_) => tracing::error!(frames, to = %to.display(), "the journal of calls is damaged; a copy was set aside"),
        Err(error) => tracing::error!(frames, %error, from = %from.display(), "the journal of calls is damaged"),
    }
}

#[derive(Debug, Default)]
struct Reading {
    batches: Vec<Batch>,
    trailing: Vec<Settled>,
    open: HashMap<CallId, CallRecord>,
    /// The highest number of a batch so far.
    last_batch: u64,
    /// Where the batch at hand began.
    from: Option<u64>,
}

impl Reading {
    fn take(&mut self, entry: Entry, segment: u64) -> Result<(), LedgerFault> {
        let from = *self.from.get_or_insert(segment);
        match entry {
            Entry::Header(header) if header.v > VERSION => return Err(LedgerFault::Newer { version: header.v }),
            Entry::Header(_) => {}
            Entry::Began(record) => drop(self.open.insert(record.id, record)),
            Entry::Ended(record) => {
                self.open.remove(&record.id);
                self.trailing.push(Settled { written: true, ..Settled::new(record) });
            }
            Entry::Batch(mark) => {
                let mut calls = std::mem::take(&mut self.trailing);
                let before = before_mark(&mut calls, mark);
                if !before.is_empty() {
                    self.batch(mark.number.saturating_sub(1), &before, (from, segment));
                }
                self.batch(mark.number, &calls, (from, segment));
                self.from = Some(segment);
            }
        }
        Ok(())
    }

    fn batch(&mut self, number: u64, calls: &[Settled], segments: (u64, u64)) {
        if number > self.last_batch {
            let bytes = calls.iter().map(|call| call.frame.len() as u64).sum();
            self.batches.push(Batch::on_disk(number, (calls.len() as u64, bytes), segments));
            self.last_batch = number;
        }
    }
}

/// Leaves the calls of the mark's batch. What stands before them belongs to the batch before, whose own mark is damaged.
fn before_mark(calls: &mut Vec<Settled>, mark: Mark) -> Vec<Settled> {
    let own = usize::try_from(mark.calls).unwrap_or(usize::MAX);
    let own = calls.split_off(calls.len().saturating_sub(own));
    std::mem::replace(calls, own)
}

/// Reads the calls of a batch that memory has let go of.
pub(crate) fn read_batch(dir: &Path, batch: &Batch) -> Result<Arc<Vec<Settled>>, LedgerFault> {
    let (from, to) = batch.segments;
    let mut calls = Vec::new();
    for number in from..=to {
        for entry in read_segment(dir, number).map_err(|source| LedgerFault::journal(dir, source))?.entries {
            match entry {
                Entry::Ended(record) => calls.push(Settled { written: true, ..Settled::new(record) }),
                Entry::Batch(mark) if mark.number >= batch.number => {
                    let before = before_mark(&mut calls, mark);
                    return Ok(Arc::new(if mark.number == batch.number { calls } else { before }));
                }
                Entry::Batch(_) => calls.clear(),
                Entry::Header(_) | Entry::Began(_) => {}
            }
        }
    }
    // Its mark is damaged now, and no other follows: everything after the mark before belongs to it.
    Ok(Arc::new(calls))
}
