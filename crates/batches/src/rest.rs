//! Where a batch goes on that has given its place back.

use mainspring_kernel::Timestamp;
use serde::{Deserialize, Serialize};

/// The beginning of a line in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// In bytes.
    pub(crate) offset: u64,
    /// Of the line, counted from one.
    pub(crate) line: u64,
}

impl Position {
    pub(crate) const START: Self = Self { offset: 0, line: 1 };
}

/// As the catalog has it. Lines before `at` have their results, but for those in `again`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rest {
    pub(crate) at: Position,
    #[serde(default)]
    pub(crate) again: Vec<Later>,
}

/// A line that has to be asked again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Later {
    pub(crate) at: Position,
    pub(crate) tries: u32,
    pub(crate) due: Timestamp,
}

impl Rest {
    /// A batch that has not begun.
    pub(crate) const fn begins() -> Self {
        Self { at: Position::START, again: Vec::new() }
    }

    /// No line before this one lacks a result.
    pub(crate) fn first(&self) -> u64 {
        self.again.iter().map(|later| later.at.line).fold(self.at.line, u64::min)
    }
}

#[cfg(test)]
mod tests {
    use super::{Later, Position, Rest};

    #[test]
    fn what_is_written_is_read_again() {
        let due = mainspring_kernel::Timestamp::from_micros(1_700_000_000_000_000);
        let at = |offset, line| Position { offset, line };
        let rest = Rest { at: at(900, 12), again: vec![Later { at: at(70, 3), tries: 2, due }] };
        let written = serde_json::to_string(&rest).unwrap();
        assert_eq!(serde_json::from_str::<Rest>(&written).unwrap(), rest, "{written}");
        assert_eq!((rest.first(), Rest::begins().first()), (3, 1));
        // As the first version wrote it.
        let first = r#"{"at":{"offset":900,"line":12},"again":[{"at":{"offset":70,"line":3},"tries":2,"due":"2023-11-14T22:13:20.000000Z"}]}"#;
        assert_eq!(serde_json::from_str::<Rest>(first).unwrap(), rest, "{written}");
    }
}
