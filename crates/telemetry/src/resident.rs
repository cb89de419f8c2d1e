//! Memory that holds this program's own file.
//!
//! The kernel maps code in pieces of 64 KB around what was asked for, and unmaps none of it while there is memory. Starting
//! runs much that serving never runs again, and so does upkeep; without this, it all counts as resident for good.

use std::ops::Range;

/// A line of `/proc/self/smaps` with what matters of those below it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mapping {
    addresses: Range<usize>,
    /// It may not be written, and belongs to nobody else.
    fixed: bool,
    path: String,
    /// Bytes in it that are not those of the file, such as addresses that the loader filled in.
    changed: u64,
}

/// The mappings of the text of `smaps`; what cannot be read is left out.
fn mappings(smaps: &str) -> Vec<Mapping> {
    let mut found: Vec<Mapping> = Vec::new();
    for line in smaps.lines() {
        if let Some(mapping) = head(line) {
            found.push(mapping);
        } else if let (Some(rest), Some(last)) = (line.strip_prefix("Anonymous:"), found.last_mut()) {
            let kilobytes = rest.split_whitespace().next().and_then(|number| number.parse::<u64>().ok());
            // One whose size cannot be read is left alone.
            last.changed = kilobytes.map_or(u64::MAX, |number| number.saturating_mul(1024));
        }
    }
    found
}

/// `addresses permissions offset device inode path`; every other line begins with a name and a colon.
fn head(line: &str) -> Option<Mapping> {
    let mut parts = line.splitn(6, ' ');
    let (start, end) = parts.next()?.split_once('-')?;
    let addresses = usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?;
    let permissions = parts.next()?;
    let path = parts.nth(3).unwrap_or_default().trim_start().to_owned();
    let fixed = matches!(permissions, "r--p" | "r-xp");
    // Until the line that tells it comes, everything may have been changed.
    Some(Mapping { addresses, fixed, path, changed: u64::MAX })
}

/// The ranges that hold the file around an address as it is on the disk. The file's data is not among them.
fn unchanged(mappings: &[Mapping], around: usize) -> Vec<Range<usize>> {
    let Some(own) = mappings.iter().find(|mapping| mapping.addresses.contains(&around)) else { return Vec::new() };
    if !own.path.starts_with('/') {
        return Vec::new();
    }
    let same = mappings.iter().filter(|mapping| mapping.path == own.path && mapping.fixed && mapping.changed == 0);
    same.map(|mapping| mapping.addresses.clone()).collect()
}

/// Unmaps the pages of this program's code and constants. Those that are used come back from the kernel's cache as they are
/// used; the others no longer count as memory of this process. Where there is no `/proc` it does nothing.
pub fn let_go_of_code() {
    let Ok(smaps) = std::fs::read_to_string("/proc/self/smaps") else { return };
    unchanged(&mappings(&smaps), let_go_of_code as *const () as usize).into_iter().for_each(drop_pages);
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "there is no safe way to say this to the kernel")]
fn drop_pages(range: Range<usize>) {
    use std::ffi::{c_int, c_void};

    const MADV_DONTNEED: c_int = 4;
    unsafe extern "C" {
        fn madvise(address: *mut c_void, length: usize, advice: c_int) -> c_int;
    }
    // SAFETY: the range is mapped from the file this program runs from, privately and without the right to write, by the
    // loader, which never changes it again; and no page of it differs from the file. Whoever touches a page that is dropped
    // gets the same bytes again.
    let _ = unsafe { madvise(range.start as *mut c_void, range.len(), MADV_DONTNEED) };
}

#[cfg(not(target_os = "linux"))]
fn drop_pages(_: Range<usize>) {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SMAPS: &str = "\
55d0a0000000-55d0a4000000 r--p 00000000 fe:00 1234                       /opt/main spring
Size:              65536 kB
Rss:                9000 kB
Anonymous:             0 kB
VmFlags: rd mr mw me sd
55d0a4000000-55d0b0000000 r-xp 04000000 fe:00 1234                       /opt/main spring
Anonymous:             0 kB
55d0b0000000-55d0b1000000 r--p 10000000 fe:00 1234                       /opt/main spring
Anonymous:          7416 kB
55d0b1000000-55d0b1100000 rw-p 11000000 fe:00 1234                       /opt/main spring
Anonymous:             0 kB
55d0b1100000-55d0b1200000 r-xs 11000000 fe:00 1234                       /opt/main spring
Anonymous:             0 kB
7f0000000000-7f0000100000 r-xp 00000000 fe:00 99                         /lib/libc.so.6
Anonymous:             0 kB
7f0000100000-7f0000200000 r--p 00000000 00:00 0
Anonymous:             0 kB
";

    #[test]
    fn only_what_is_as_it_is_in_the_programs_own_file_is_let_go() {
        let found = mappings(SMAPS);
        assert_eq!(found.len(), 7);
        let ranges = unchanged(&found, 0x55d0_a400_1000);
        assert_eq!(ranges, [0x55d0_a000_0000..0x55d0_a400_0000, 0x55d0_a400_0000..0x55d0_b000_0000]);
        assert!(unchanged(&found, 0x7f00_0010_0010).is_empty(), "what belongs to no file is left alone");
        assert!(unchanged(&found, 1).is_empty());
    }

    #[test]
    fn a_mapping_of_which_nothing_more_is_told_is_left_alone() {
        let cut = &SMAPS[..SMAPS.find("Size:").unwrap()];
        assert!(unchanged(&mappings(cut), 0x55d0_a000_0000).is_empty());
    }

    #[test]
    fn a_program_that_let_go_of_its_code_runs_on() {
        let words: Vec<String> = (0..100).map(|number| format!("{number:x}")).collect();
        let_go_of_code();
        assert_eq!(words.iter().map(String::len).sum::<usize>(), 16 + 84 * 2);
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_mappings(text in "(?s).{0,400}") {
            let _ = unchanged(&mappings(&text), 0);
        }

        #[test]
        fn smaps_cut_and_changed_anywhere_are_read(at in 0..SMAPS.len(), with in "[ -~]{0,3}") {
            let text = format!("{}{with}{}", &SMAPS[..at], &SMAPS[(at + with.len()).min(SMAPS.len())..]);
            let _ = unchanged(&mappings(&text), 0x55d0_a400_1000);
        }
    }
}
