//! Ends a child that nobody waits for. A parser that hangs cannot be asked to stop and does not read the pipe whose end
//! tells others of their parent's death, and a parent that was killed kills nobody.

use std::{
    io,
    os::unix::process::parent_id,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

const LOOK: Duration = Duration::from_millis(500);
/// The parent has the first word on time: it can say what happened.
const GRACE: Duration = Duration::from_secs(5);
/// It only looks and sleeps.
const STACK: usize = 256 << 10;
const NEVER: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) struct Watch {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    /// When the file at hand has had its time, in milliseconds after `began`.
    due: AtomicU64,
}

impl Watch {
    /// Looks from a thread of its own, which no parser can keep from looking.
    pub(crate) fn start(parent: u32) -> io::Result<Self> {
        let shared = Arc::new(Shared { began: Instant::now(), due: AtomicU64::new(NEVER) });
        let looking = Arc::clone(&shared);
        std::thread::Builder::new().stack_size(STACK).spawn(move || {
            while parent_id() == parent && looking.is_in_time() {
                std::thread::sleep(LOOK);
            }
            // Nothing is to be put in order, and whatever tried to might wait for the thread that hangs.
            std::process::abort();
        })?;
        Ok(Self { shared })
    }

    /// A file is begun. Its parent stops it in time, unless it is stopped itself.
    pub(crate) fn expect_within(&self, wall: Duration) {
        let due = millis(self.shared.began.elapsed().saturating_add(wall).saturating_add(GRACE));
        self.shared.due.store(due, Ordering::Relaxed);
    }

    /// The file is done; how long the next one is waited for is the parent's affair.
    pub(crate) fn rest(&self) {
        self.shared.due.store(NEVER, Ordering::Relaxed);
    }
}

impl Shared {
    fn is_in_time(&self) -> bool {
        millis(self.began.elapsed()) < self.due.load(Ordering::Relaxed)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_time_and_some_more_and_none_is_pressed_between_files() {
        let shared = Arc::new(Shared { began: Instant::now(), due: AtomicU64::new(NEVER) });
        let watch = Watch { shared: Arc::clone(&shared) };
        assert!(shared.is_in_time());
        let wall = Duration::from_secs(600);
        watch.expect_within(wall);
        shared.due.fetch_sub(millis(wall), Ordering::Relaxed);
        assert!(shared.is_in_time(), "the parent has the first word");
        shared.due.fetch_sub(millis(GRACE), Ordering::Relaxed);
        assert!(!shared.is_in_time());
        watch.rest();
        assert!(shared.is_in_time());
        watch.expect_within(Duration::MAX);
        assert!(shared.is_in_time());
    }
}
