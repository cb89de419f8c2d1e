//! Who may bring the segments of a spill folder: one process at a time, or some would be in the table twice.
//!
//! The operating system lets go of a lock however its process ends, and not while that process is only stopped: nobody waits
//! for it without end.

use std::{
    fs::{File, TryLockError},
    io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::fault::TraceFault;

/// Locked by a process that was started to bring segments, and bears its number.
const FILE: &str = "errand.lock";
/// One that outlived who started it ends as soon as it sees that, and until then brings what is here.
const OTHERS_END_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Keeps others from bringing what is in the folder until it is dropped, or this process ends.
#[derive(Debug)]
pub struct Hold {
    _file: File,
}

impl Hold {
    /// Takes it when whoever has it lets go of it, if that is soon enough.
    pub async fn take(dir: &Path, within: Duration) -> Result<Self, TraceFault> {
        let fault = |source| unusable(dir, source);
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(dir.join(FILE));
        let file = opened.map_err(fault)?;
        lock(&file, dir, within).await?;
        say_who(&file).map_err(fault)?;
        Ok(Self { _file: file })
    }
}

/// Waits for the end of a process that an earlier one started. It says so when that takes too long.
pub(crate) async fn others_end(dir: &Path) -> Result<(), TraceFault> {
    end_within(dir, OTHERS_END_WITHIN).await
}

async fn end_within(dir: &Path, within: Duration) -> Result<(), TraceFault> {
    // Where locks of files are made of locks of ranges, as on NFS, only what may be written can be locked.
    match File::options().read(true).write(true).open(dir.join(FILE)) {
        Ok(file) => lock(&file, dir, within).await,
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unusable(dir, error)),
    }
}

async fn lock(file: &File, dir: &Path, within: Duration) -> Result<(), TraceFault> {
    let until = Instant::now() + within;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(unusable(dir, error)),
        }
        let process = holder(file);
        if Instant::now() >= until {
            return Err(TraceFault::Held { path: dir.display().to_string(), process });
        }
        if !std::mem::replace(&mut told, true) {
            tracing::warn!(process, seconds = within.as_secs(), "another process holds the spill folder; its end is waited for");
        }
        sleep(LOOK_EVERY).await;
    }
}

fn say_who(mut file: &File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(std::process::id().to_string().as_bytes())
}

/// Absent for as long as it has locked the file and not said so yet.
fn holder(mut file: &File) -> Option<u32> {
    let mut said = String::new();
    file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_string(&mut said)).ok()?;
    said.trim().parse().ok()
}

fn unusable(dir: &Path, source: std::io::Error) -> TraceFault {
    TraceFault::Spill { path: dir.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use mainspring_kernel::Fault as _;

    use super::*;

    const SHORT: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn a_folder_is_held_by_one_and_whoever_waits_in_vain_hears_by_whom() {
        let dir = tempfile::tempdir().unwrap();
        end_within(dir.path(), SHORT).await.unwrap();
        let hold = Hold::take(dir.path(), SHORT).await.unwrap();
        for refused in [end_within(dir.path(), SHORT).await, Hold::take(dir.path(), SHORT).await.map(drop)] {
            let fault = refused.unwrap_err();
            assert_eq!(fault.code(), "trace-spill-held");
            let own = std::process::id().to_string();
            assert!(fault.to_string().contains(&own) && fault.hint().unwrap().contains(&own), "{fault}");
        }
        let waiting = Hold::take(dir.path(), Duration::from_secs(60));
        let (taken, ()) = tokio::join!(waiting, async move {
            sleep(SHORT).await;
            drop(hold);
        });
        drop(taken.unwrap());
        end_within(dir.path(), SHORT).await.unwrap();
    }
}
