//! When the server sent a chunk, inside of the chunk: `@1700000000000000000@`.

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds of the clock that both processes see: `Instant` cannot be carried from one to the other.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Finds the stamps in what comes, in whatever pieces it comes.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    begun: Option<u64>,
}

impl Stamps {
    pub(crate) fn read(&mut self, bytes: &[u8], mut found: impl FnMut(u64)) {
        for byte in bytes {
            self.begun = match (self.begun, byte) {
                (None, b'@') => Some(0),
                (Some(stamp), b'@') => {
                    found(stamp);
                    None
                }
                (Some(stamp), b'0'..=b'9') => Some(stamp.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'))),
                _ => None,
            };
        }
    }
}
