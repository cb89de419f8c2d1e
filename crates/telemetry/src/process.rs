//! What the operating system says of this process.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProcessStats {
    pub resident_bytes: u64,
    pub open_files: u64,
    pub threads: u64,
}

/// Zeros where `/proc` is not there.
#[must_use]
pub fn process_stats() -> ProcessStats {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    let open_files = std::fs::read_dir("/proc/self/fd").map(Iterator::count).unwrap_or(0);
    ProcessStats { resident_bytes: field("VmRSS:") * 1024, open_files: open_files as u64, threads: field("Threads:") }
}
