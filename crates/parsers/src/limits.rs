use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What one parse may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Address space of the child, in bytes.
    pub memory: u64,
    pub wall: Duration,
    /// Bytes of the file.
    pub input: u64,
    /// Bytes of the parsed text.
    pub output: u64,
    /// Levels of nesting.
    pub depth: u32,
    /// Bytes an archive may unpack to.
    pub expansion: u64,
    /// Files in an archive.
    pub entries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 2 << 30,
            wall: Duration::from_secs(60),
            input: 256 << 20,
            output: 128 << 20,
            depth: 200,
            expansion: 512 << 20,
            entries: 20_000,
        }
    }
}
