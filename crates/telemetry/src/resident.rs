//! Memory that holds this program's own file.
//!
//! The kernel unmaps no code while there is memory. Starting runs much that serving never runs again, and so does upkeep; without
//! this, it all counts as resident for good. And it maps code in pieces of 64 KB around what was asked for (`singly`).

mod singly;

use std::{ops::Range, sync::OnceLock};

/// What the libraries hold that this program begins with. They stay until it ends.
static LIBRARIES: OnceLock<Vec<Range<usize>>> = OnceLock::new();

/// A line of `/proc/self/maps`. `smaps` would tell what has changed in each, but looks at every page for that: tens of
/// milliseconds for a gigabyte, in which a thread of the runtime answers nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mapping<'a> {
    addresses: Range<usize>,
    /// Code, or what a file begins with. What else is only read may hold addresses that the loader filled in.
    fixed: bool,
    path: &'a str,
}

/// `addresses permissions offset device inode path`.
fn mapping(line: &str) -> Option<Mapping<'_>> {
    let mut parts = line.splitn(6, ' ');
    let (start, end) = parts.next()?.split_once('-')?;
    let addresses = usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?;
    let (permissions, offset) = (parts.next()?, parts.next()?);
    let fixed = permissions == "r-xp" || permissions == "r--p" && u64::from_str_radix(offset, 16) == Ok(0);
    Some(Mapping { addresses, fixed, path: parts.nth(2).unwrap_or_default().trim_start() })
}

/// The ranges that hold the file around an address as it is on the disk. The file's data is not among them, and no library:
/// another thread may be loading one.
fn unchanged(maps: &str, around: usize) -> Vec<Range<usize>> {
    let mappings: Vec<Mapping<'_>> = maps.lines().filter_map(mapping).collect();
    let Some(own) = path_around(&mappings, around) else { return Vec::new() };
    let same = mappings.iter().filter(|mapping| mapping.path == own && mapping.fixed);
    same.map(|mapping| mapping.addresses.clone()).collect()
}

/// The ranges that hold other files as they are on the disk.
fn unchanged_beside(maps: &str, around: usize) -> Vec<Range<usize>> {
    let mappings: Vec<Mapping<'_>> = maps.lines().filter_map(mapping).collect();
    let Some(own) = path_around(&mappings, around) else { return Vec::new() };
    let others = mappings.iter().filter(|mapping| mapping.path.starts_with('/') && mapping.path != own && mapping.fixed);
    others.map(|mapping| mapping.addresses.clone()).collect()
}

/// The file around an address.
fn path_around<'a>(mappings: &[Mapping<'a>], around: usize) -> Option<&'a str> {
    let path = mappings.iter().find(|mapping| mapping.addresses.contains(&around))?.path;
    path.starts_with('/').then_some(path)
}

/// Remembers which libraries there are. Only for the beginning of `main`, when nobody can be loading another: what is mapped
/// then stays, so that its code can be let go of later, too.
pub fn remember_libraries() {
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else { return };
    LIBRARIES.get_or_init(|| unchanged_beside(&maps, let_go_of_code as *const () as usize));
}

/// Unmaps the pages of this program's code and constants, and of the libraries it began with. Those that are used come back
/// from the kernel's cache as they are used, one by one where the kernel can do that; the others no longer count as memory of
/// this process. Where there is no `/proc` it does nothing.
pub fn let_go_of_code() {
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else { return };
    let own = unchanged(&maps, let_go_of_code as *const () as usize);
    let ranges = || own.iter().chain(LIBRARIES.get().into_iter().flatten()).cloned();
    singly::map_singly(ranges());
    ranges().for_each(drop_pages);
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "there is no safe way to say this to the kernel")]
fn drop_pages(range: Range<usize>) {
    use std::ffi::{c_int, c_void};

    const MADV_DONTNEED: c_int = 4;
    unsafe extern "C" {
        fn madvise(address: *mut c_void, length: usize, advice: c_int) -> c_int;
    }
    // SAFETY: the range is mapped from the file this program runs from, or from a library that stays as long as it runs, privately
    // and without the right to write, and the loader filled nothing in there before. Whoever touches a page that is dropped gets the same bytes again.
    let _ = unsafe { madvise(range.start as *mut c_void, range.len(), MADV_DONTNEED) };
}

#[cfg(not(target_os = "linux"))]
fn drop_pages(_: Range<usize>) {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAPS: &str = "\
55d0a0000000-55d0a4000000 r--p 00000000 fe:00 1234                       /opt/main spring
55d0a4000000-55d0b0000000 r-xp 04000000 fe:00 1234                       /opt/main spring
55d0b0000000-55d0b1000000 r--p 10000000 fe:00 1234                       /opt/main spring
55d0b1000000-55d0b1100000 rw-p 11000000 fe:00 1234                       /opt/main spring
55d0b1100000-55d0b1200000 r-xs 11000000 fe:00 1234                       /opt/main spring
55d0b1200000-55d0b1300000 rwxp 04000000 fe:00 1234                       /opt/main spring
7f0000000000-7f0000100000 r-xp 00000000 fe:00 99                         /lib/libc.so.6
7f0000100000-7f0000200000 r--p 00000000 00:00 0
7ffd4a7e9000-7ffd4a7eb000 r-xp 00000000 00:00 0                          [vdso]
";

    #[test]
    fn only_what_is_as_it_is_in_the_programs_own_file_is_let_go() {
        let ranges = unchanged(MAPS, 0x55d0_a400_1000);
        assert_eq!(ranges, [0x55d0_a000_0000..0x55d0_a400_0000, 0x55d0_a400_0000..0x55d0_b000_0000]);
        for other in [0x7f00_0010_0010, 0x7ffd_4a7e_9010, 1] {
            assert!(unchanged(MAPS, other).is_empty(), "what belongs to no file is left alone: {other:x}");
        }
    }

    #[test]
    fn of_libraries_what_is_as_it_is_in_their_files_is_let_go() {
        assert_eq!(unchanged_beside(MAPS, 0x55d0_a400_1000), [0x7f00_0000_0000..0x7f00_0010_0000]);
        assert!(unchanged_beside(MAPS, 1).is_empty(), "who does not find itself lets go of nothing");
    }

    #[test]
    fn a_line_that_is_cut_is_no_mapping() {
        assert_eq!(MAPS.lines().filter_map(mapping).count(), 9);
        for cut in ["", "55d0a0000000", "55d0a0000000-55d0a4000000", "55d0a0000000-55d0a4000000 r-xp"] {
            assert_eq!(mapping(cut), None, "{cut}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_program_is_found_among_what_is_mapped() {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let here = let_go_of_code as *const () as usize;
        let ranges = unchanged(&maps, here);
        assert!(ranges.iter().any(|range| range.contains(&here)), "{maps}");
    }

    #[test]
    fn a_program_that_let_go_of_its_code_runs_on() {
        let words: Vec<String> = (0..100).map(|number| format!("{number:x}")).collect();
        remember_libraries();
        let_go_of_code();
        assert_eq!(words.iter().map(String::len).sum::<usize>(), 16 + 84 * 2);
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_mappings(text in "(?s).{0,400}") {
            let _ = unchanged(&text, 0);
        }

        #[test]
        fn maps_cut_and_changed_anywhere_are_read(at in 0..MAPS.len(), with in "[ -~]{0,3}") {
            let text = format!("{}{with}{}", &MAPS[..at], &MAPS[(at + with.len()).min(MAPS.len())..]);
            let _ = (unchanged(&text, 0x55d0_a400_1000), unchanged_beside(&text, 0x55d0_a400_1000));
        }
    }
}
