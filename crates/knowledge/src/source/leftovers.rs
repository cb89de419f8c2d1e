//! What sources leave in the server's working folder: clones of repositories that no source reads any more, and crawled
//! pages of a process that was killed. By age: a source that does read a clone touches it at every ingestion.

use std::{fs::Metadata, io, path::Path, time::Duration};

use mainspring_kernel::Timestamp;

pub(super) const CLONES: &str = "git";
pub(super) const PAGES: &str = "crawl";

/// No ingestion takes so long between two looks at its repository, or between a crawl and the last of its pages.
const AT_LEAST: Duration = Duration::from_secs(3 * 24 * 3600);

/// Removes clones that nobody fetched to for `keep`, and pages nobody came for. Answers how many entries that were.
pub(crate) fn clear(work_dir: &Path, now: Timestamp, keep: Duration) -> io::Result<u64> {
    let mut removed = 0;
    for (folder, keep) in [(CLONES, keep.max(AT_LEAST)), (PAGES, AT_LEAST)] {
        let entries = match std::fs::read_dir(work_dir.join(folder)) {
            Ok(entries) => entries,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => continue,
            Err(fault) => return Err(fault),
        };
        for entry in entries {
            let path = entry?.path();
            if touched(&path).is_none_or(|touched| touched > now.minus(keep)) {
                continue;
            }
            let gone = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            match gone {
                Ok(()) => removed += 1,
                // Whoever had it was quicker.
                Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
                Err(fault) => return Err(fault),
            }
        }
    }
    Ok(removed)
}

/// When a file was written, or a clone last fetched to. Nothing where that cannot be told.
fn touched(path: &Path) -> Option<Timestamp> {
    let of = |metadata: Metadata| {
        let since = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(Timestamp::from_micros(i64::try_from(since.as_micros()).ok()?))
    };
    let entry = of(std::fs::symlink_metadata(path).ok()?)?;
    let fetched = std::fs::metadata(path.join("FETCH_HEAD")).ok().and_then(of);
    Some(fetched.map_or(entry, |fetched| fetched.max(entry)))
}
