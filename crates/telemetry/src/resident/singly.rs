//! Code that is mapped page by page.
//!
//! Where a page of a file is touched that is not mapped yet, Linux maps the 64 KB around it. Of this program's code a busy gateway
//! runs 7 MB, a few functions here and there, and 28 MB were mapped for that. The kernel leaves the neighbours alone where it is
//! asked to note which pages are written (`userfaultfd` with `UFFD_FEATURE_WP_ASYNC`, of Linux 6.7, which nobody has to listen
//! to). Code is never written, so there is nothing to note, and nothing else changes.

use std::ops::Range;

/// From here on a page of these ranges is mapped when it is touched, and no other with it. Where the kernel cannot or may not do
/// that (containers often forbid it), more is mapped than is run.
#[cfg(target_os = "linux")]
pub(super) fn map_singly(ranges: impl Iterator<Item = Range<usize>>) {
    use std::{os::fd::OwnedFd, sync::OnceLock};

    /// It holds for as long as this is open, and is asked for once: ranges of code stay where they are.
    static ASKED: OnceLock<Option<OwnedFd>> = OnceLock::new();
    ASKED.get_or_init(|| kernel::ask(ranges));
}

#[cfg(not(target_os = "linux"))]
pub(super) fn map_singly(_: impl Iterator<Item = Range<usize>>) {}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "there is no safe way to say this to the kernel")]
mod kernel {
    use std::{
        ffi::{c_int, c_long, c_ulong},
        ops::Range,
        os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    };

    /// Some architectures number calls and requests in other ways. There no call is made: none has this number.
    const USERFAULTFD: c_long = if cfg!(target_arch = "x86_64") {
        323
    } else if cfg!(any(target_arch = "aarch64", target_arch = "riscv64")) {
        282
    } else {
        -1
    };
    const CLOSE_ON_EXEC: c_int = 0o2_000_000;
    /// Of faults in this process only, which any user may ask for.
    const USER_MODE_ONLY: c_int = 1;
    const API: u64 = 0xaa;
    const WRITES_NOTED: u64 = 1 << 15;
    const WRITES: u64 = 1 << 1;
    const AGREE: c_ulong = 0xc018_aa3f;
    const REGISTER: c_ulong = 0xc020_aa00;

    unsafe extern "C" {
        fn syscall(number: c_long, ...) -> c_long;
        fn ioctl(descriptor: c_int, request: c_ulong, ...) -> c_int;
    }

    /// `struct uffdio_api`.
    #[repr(C)]
    struct Agreement {
        api: u64,
        features: u64,
        ioctls: u64,
    }

    /// `struct uffdio_register`.
    #[repr(C)]
    struct Registration {
        start: u64,
        length: u64,
        mode: u64,
        ioctls: u64,
    }

    pub(super) fn ask(ranges: impl Iterator<Item = Range<usize>>) -> Option<OwnedFd> {
        // SAFETY: it takes flags alone, and answers with a new descriptor or a negative number.
        let opened = unsafe { syscall(USERFAULTFD, CLOSE_ON_EXEC | USER_MODE_ONLY) };
        let opened = c_int::try_from(opened).ok().filter(|descriptor| *descriptor >= 0)?;
        // SAFETY: nobody else has it.
        let opened = unsafe { OwnedFd::from_raw_fd(opened) };
        let mut agreement = Agreement { api: API, features: WRITES_NOTED, ioctls: 0 };
        // SAFETY: the structure is the one that the request is about.
        if unsafe { ioctl(opened.as_raw_fd(), AGREE, &raw mut agreement) } != 0 {
            return None;
        }
        for range in ranges {
            let mut registration =
                Registration { start: range.start as u64, length: range.len() as u64, mode: WRITES, ioctls: 0 };
            // SAFETY: the structure is the one that the request is about. What is in the range stays as it is: the kernel answers
            // each fault itself. A range that it refuses is mapped as before.
            let _ = unsafe { ioctl(opened.as_raw_fd(), REGISTER, &raw mut registration) };
        }
        Some(opened)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{fs::File, os::fd::AsRawFd as _};

    use super::*;

    const PAGE: usize = 4096;
    const PAGES: usize = 64;

    /// Whether each page is mapped, as the kernel tells it.
    fn mapped(start: usize) -> Vec<bool> {
        use std::io::{Read as _, Seek as _, SeekFrom};

        let mut told = File::open("/proc/self/pagemap").unwrap();
        told.seek(SeekFrom::Start((start / PAGE * 8) as u64)).unwrap();
        let mut entries = vec![0; PAGES * 8];
        told.read_exact(&mut entries).unwrap();
        entries.chunks(8).map(|entry| entry[7] & 0x80 != 0).collect()
    }

    #[test]
    #[expect(unsafe_code, reason = "a file is mapped as code is")]
    fn a_page_is_mapped_without_its_neighbours_where_the_kernel_can() {
        use std::ffi::{c_int, c_void};

        unsafe extern "C" {
            fn mmap(
                address: *mut c_void,
                length: usize,
                protection: c_int,
                flags: c_int,
                descriptor: c_int,
                offset: i64,
            ) -> *mut c_void;
        }
        let file = File::open(std::env::current_exe().unwrap()).unwrap();
        // SAFETY: it is a new mapping, to be read, of a file that is longer and that nobody cuts short.
        let start = unsafe { mmap(std::ptr::null_mut(), PAGES * PAGE, 1, 2, file.as_raw_fd(), 0) } as usize;
        // What is no mapping is refused, and keeps nothing behind it from being asked for.
        let ranges = [0..PAGE, PAGE..PAGE + 1, usize::MAX - PAGE..usize::MAX, start..start + PAGES * PAGE];
        let Some(_asked) = kernel::ask(ranges.into_iter()) else {
            // Neither is anything changed.
            assert!(mapped(start).iter().all(|is| !is));
            return;
        };
        // SAFETY: it is within what was mapped.
        assert_eq!(unsafe { (start as *const [u8; 4]).read_volatile() }, *b"\x7fELF");
        let found: Vec<usize> = mapped(start).into_iter().enumerate().filter(|(_, is)| *is).map(|(page, _)| page).collect();
        assert_eq!(found, [0]);
    }
}
