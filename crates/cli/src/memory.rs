//! The allocator, and when it gives back what it has no use for.
#![expect(unsafe_code, reason = "the allocator is written in C")]

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// The system's allocator took a fifth of a busy gateway's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A thread that has nothing to do looks this often for memory it could give back.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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

/// Milliseconds for which the allocator keeps what was freed; `mi_option_purge_delay` of mimalloc 3.
const PURGE_DELAY: std::ffi::c_int = 15;

unsafe extern "C" {
    fn mi_option_set(option: std::ffi::c_int, value: std::ffi::c_long);
    #[cfg(test)]
    fn mi_option_get(option: std::ffi::c_int) -> std::ffi::c_long;
}

/// From here on this process takes no more memory than it uses, as a gateway should: what is freed goes back at once instead
/// of after a second, which took a fifth less memory under load and no more time, and memory comes in pages of 4 KB.
pub(crate) fn spare() {
    // SAFETY: options may not be set by two threads at once; there is one thread so far.
    unsafe { mi_option_set(PURGE_DELAY, 0) }
    small_pages();
}

/// The allocator asks for pages of 2 MB; a gateway touches a little of many of them, and each counts whole.
#[cfg(target_os = "linux")]
fn small_pages() {
    const PR_SET_THP_DISABLE: std::ffi::c_int = 41;
    const YES: std::ffi::c_ulong = 1;
    const UNUSED: std::ffi::c_ulong = 0;
    unsafe extern "C" {
        fn prctl(option: std::ffi::c_int, ...) -> std::ffi::c_int;
    }
    // SAFETY: it changes how the kernel answers later page faults of this process, and nothing that is mapped.
    let _ = unsafe { prctl(PR_SET_THP_DISABLE, YES, UNUSED, UNUSED, UNUSED) };
}

#[cfg(not(target_os = "linux"))]
fn small_pages() {}

/// A thread of the runtime is about to wait.
pub(crate) fn waits() {
    if LOOKED.get().is_none_or(|looked| looked.elapsed() >= LOOK_EVERY) {
        give_back();
        LOOKED.set(Some(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_the_option_is_that_of_the_delay() {
        // SAFETY: it reads a number that nothing sets in this process.
        let milliseconds = unsafe { mi_option_get(PURGE_DELAY) };
        assert_eq!(milliseconds, 1_000, "another version of the allocator numbers its options in another way");
    }
}
