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
    keep_freed(0);
}

/// From here on this process takes less memory until a model runs in it: what is freed goes back soon, and memory comes in
/// pages of 4 KB. At once took a tenth of what a server that takes spans can.
pub(crate) fn be_modest() {
    keep_freed(100);
}

/// The allocator asks for pages of 2 MB; who takes calls or spans touches a little of many of them, and each counts whole.
fn keep_freed(milliseconds: std::ffi::c_long) {
    // SAFETY: options may not be set by two threads at once; there is one thread so far.
    unsafe { mi_option_set(PURGE_DELAY, milliseconds) }
    mainspring_telemetry::small_pages();
}

/// A server has started: what only starting it called is not called again.
pub(crate) fn started() {
    STARTED.get_or_init(Instant::now);
    unmap_code();
}

/// The kernel maps 64 KB around each place that is run, and all of it counts as this process's. Unmapped it stays in the
/// kernel's cache, from where what is called again is mapped again. After traces were brought to the lake, it is what gives
/// 45 MB back.
#[cfg(target_os = "linux")]
fn unmap_code() {
    const MADV_DONTNEED: std::ffi::c_int = 4;
    unsafe extern "C" {
        fn madvise(address: *mut std::ffi::c_void, length: usize, advice: std::ffi::c_int) -> std::ffi::c_int;
    }
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    for range in maps.lines().filter_map(code_of_files) {
        let address = std::ptr::with_exposed_provenance_mut(range.start);
        // SAFETY: the mapping is of a file and was never writable, so its pages are read from the file again.
        let _ = unsafe { madvise(address, range.len(), MADV_DONTNEED) };
    }
}

#[cfg(not(target_os = "linux"))]
fn unmap_code() {}

/// Whether so long went by since the last time, said to one thread only.
fn is_due(since: Duration, last: &AtomicU64) -> bool {
    let now = since.as_secs() / UNMAP_EVERY.as_secs();
    last.fetch_max(now, Ordering::Relaxed) < now
}

/// Where a line of `/proc/self/maps` (`from-to perms offset device inode path`) maps code or constants out of a file: what is
/// run, and what a file begins with. What else is only read may have been written while the program was linked.
#[cfg(any(target_os = "linux", test))]
fn code_of_files(line: &str) -> Option<std::ops::Range<usize>> {
    let mut fields = line.split_ascii_whitespace();
    let (from, to) = fields.next()?.split_once('-')?;
    let (perms, offset, _device, inode) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let is_code = perms == "r-xp" || perms == "r--p" && offset == "00000000";
    let address = |text: &str| usize::from_str_radix(text, 16).ok();
    (is_code && inode != "0").then_some(address(from)?..address(to)?)
}

/// A thread of the runtime is about to wait.
pub(crate) fn waits() {
    if LOOKED.get().is_none_or(|looked| looked.elapsed() >= LOOK_EVERY) {
        give_back();
        LOOKED.set(Some(Instant::now()));
        if STARTED.get().is_some_and(|started| is_due(started.elapsed(), &UNMAPPED)) {
            unmap_code();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_what_was_mapped_of_a_file_to_be_run() {
        let code = "55b883a80000-55b8906fa000 r-xp 0493f000 fe:00 1321 /usr/bin/mainspring";
        assert_eq!(code_of_files(code), Some(0x55b8_83a8_0000..0x55b8_906f_a000));
        let constants = "55b87f14f000-55b883a80000 r--p 00000000 fe:00 1321 /usr/bin/mainspring";
        assert_eq!(code_of_files(constants), Some(0x55b8_7f14_f000..0x55b8_83a8_0000));
        for other in [
            "55b8906fa000-55b890ec5000 r--p 115e6000 fe:00 1321 /usr/bin/mainspring",
            "7ffd4a7e9000-7ffd4a7eb000 r-xp 00000000 00:00 0 [vdso]",
            "7f0000000000-7f0000001000 rwxp 00000000 fe:00 1321 /usr/lib/patched.so",
            "55b883a80000 r-xp",
            "",
        ] {
            assert_eq!(code_of_files(other), None, "{other}");
        }
    }

    #[test]
    fn one_thread_is_told_each_minute() {
        let last = AtomicU64::new(0);
        let told = [0, 59, 60, 61, 119, 200, 150].map(|seconds| is_due(Duration::from_secs(seconds), &last));
        assert_eq!(told, [false, false, true, false, false, true, false]);
    }

    #[test]
    fn what_was_unmapped_runs_again() {
        started();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        assert!(maps.lines().filter_map(code_of_files).count() > 1, "the program and the C library at least: {maps}");
    }

    #[test]
    fn the_number_of_the_option_is_that_of_the_delay() {
        // SAFETY: it reads a number that nothing sets in this process.
        let milliseconds = unsafe { mi_option_get(PURGE_DELAY) };
        assert_eq!(milliseconds, 1_000, "another version of the allocator numbers its options in another way");
    }
}
