//! The allocator, and when it gives back what it has no use for.
#![expect(unsafe_code, reason = "the allocator is written in C")]

use std::{
    cell::Cell,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The system's allocator took a fifth of a busy gateway's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A thread that has nothing to do looks this often for memory it could give back.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Code that was not called for so long counts no more.
const UNMAP_EVERY: Duration = Duration::from_secs(60);
/// When a server had started, and how many times `UNMAP_EVERY` had gone by when its code was last unmapped.
static STARTED: OnceLock<Instant> = OnceLock::new();
static UNMAPPED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static LOOKED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Gives back the memory that this thread freed. The allocator keeps it for the thread, which may never ask again: what
/// starting a server takes, or a burst of calls, would stay.
pub(crate) fn give_back() {
    unsafe extern "C" {
        fn mi_collect(force: bool);
    }
    // SAFETY: it is the collection of the allocator above, which any thread may ask for at any time.
    unsafe { mi_collect(true) }
}

/// How long a thread for blocking work waits for more. The next piece of work goes to the thread that waits longest, so by
/// default a dozen took turns, and each kept the memory of what it had done last: with few of them it is a third less.
pub(crate) const THREADS_WAIT: Duration = Duration::from_millis(50);

/// Milliseconds for which the allocator keeps what was freed; `mi_option_purge_delay` of mimalloc 3.
const PURGE_DELAY: std::ffi::c_int = 15;
/// Full pages of each size that a thread keeps to itself; `mi_option_page_full_retain`. What other threads free in such a page
/// goes back only when this one looks, and it may be waiting.
const FULL_PAGES: std::ffi::c_int = 36;

unsafe extern "C" {
    fn mi_option_set(option: std::ffi::c_int, value: std::ffi::c_long);
    #[cfg(test)]
    fn mi_option_get(option: std::ffi::c_int) -> std::ffi::c_long;
}

/// From here on this process takes little more memory than it uses, as a gateway should, and memory comes in pages of 4 KB. What
/// is freed goes back soon: at once took a busy gateway 4 % more of its processor's time, for 8 MB less.
pub(crate) fn spare() {
    keep_freed(60);
}

/// From here on this process takes less memory until a model runs in it: what is freed goes back soon, and memory comes in
/// pages of 4 KB. At once took a tenth of what a server that takes spans can.
pub(crate) fn be_modest() {
    keep_freed(100);
}

/// The allocator asks for pages of 2 MB; who takes calls or spans touches a little of many of them, and each counts whole.
fn keep_freed(milliseconds: std::ffi::c_long) {
    // SAFETY: options may not be set by two threads at once; there is one thread so far.
    unsafe {
        mi_option_set(PURGE_DELAY, milliseconds);
        mi_option_set(FULL_PAGES, 0);
    }
    mainspring_telemetry::small_pages();
    mainspring_telemetry::remember_libraries();
}

/// A server has started. What only starting it ran it lets go of itself; from here on code counts no more that nobody calls.
pub(crate) fn started() {
    STARTED.get_or_init(Instant::now);
}

/// Whether so long went by since the last time, said to one thread only.
fn is_due(since: Duration, last: &AtomicU64) -> bool {
    let now = since.as_secs() / UNMAP_EVERY.as_secs();
    last.fetch_max(now, Ordering::Relaxed) < now
}

/// A thread of the runtime is about to wait.
pub(crate) fn waits() {
    if LOOKED.get().is_none_or(|looked| looked.elapsed() >= LOOK_EVERY) {
        give_back();
        LOOKED.set(Some(Instant::now()));
        if STARTED.get().is_some_and(|started| is_due(started.elapsed(), &UNMAPPED)) {
            mainspring_telemetry::let_go_of_code();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_is_told_each_minute() {
        let last = AtomicU64::new(0);
        let told = [0, 59, 60, 61, 119, 200, 150].map(|seconds| is_due(Duration::from_secs(seconds), &last));
        assert_eq!(told, [false, false, true, false, false, true, false]);
    }

    #[test]
    fn the_numbers_of_the_options_are_those_of_the_allocator() {
        // SAFETY: it reads numbers that nothing sets in this process.
        let defaults = unsafe { (mi_option_get(PURGE_DELAY), mi_option_get(FULL_PAGES)) };
        assert_eq!(defaults, (1_000, 2), "another version of the allocator numbers its options in another way");
    }
}
