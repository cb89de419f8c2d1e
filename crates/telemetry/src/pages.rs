//! Whether this process gets pages of 2 MB where it asks for them, as the allocator does.
//!
//! With them the arithmetic of a model, and a search through vectors, look up fewer addresses. But what takes a little memory
//! in many places has each place counted whole: a server that only takes spans had twice as much resident with them.

/// Pages of 4 KB from here on.
pub fn small_pages() {
    set(true);
}

/// Pages of 2 MB again, also for what was taken before, where the kernel comes to it.
pub fn large_pages() {
    set(false);
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "there is no safe way to say this to the kernel")]
fn set(small: bool) {
    use std::ffi::{c_int, c_ulong};

    const PR_SET_THP_DISABLE: c_int = 41;
    const UNUSED: c_ulong = 0;
    unsafe extern "C" {
        fn prctl(option: c_int, ...) -> c_int;
    }
    // SAFETY: it changes how the kernel answers later page faults of this process, and nothing that is mapped.
    let _ = unsafe { prctl(PR_SET_THP_DISABLE, c_ulong::from(small), UNUSED, UNUSED, UNUSED) };
}

#[cfg(not(target_os = "linux"))]
fn set(_: bool) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_knows_which_pages_are_meant() {
        let enabled = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            status.lines().find_map(|line| line.strip_prefix("THP_enabled:")).unwrap().trim().to_owned()
        };
        small_pages();
        assert_eq!(enabled(), "0");
        large_pages();
        assert_eq!(enabled(), "1");
    }
}
