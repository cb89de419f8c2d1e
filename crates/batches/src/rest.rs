//! Where a batch goes on that has given its place back.

use std::time::Duration;

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
    /// What was said last to one of these; nothing where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) why: String,
    /// Absent while nobody has asked anything that could still be under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) begun: Option<Begun>,
}

/// Which lines may be under way, and in which process. Written before they are asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begun {
    /// The process.
    pub(crate) by: String,
    /// No line after this one was asked by it.
    pub(crate) upto: u64,
    /// What a process may still be asking that had the batch before and was cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) held: Option<Held>,
}

/// Lines that are not asked before a moment: until then somebody else may give their results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) upto: u64,
    pub(crate) until: Timestamp,
}

impl Begun {
    /// What has to be waited for by whoever takes up the batch at a moment, where calls take `grace` at most.
    pub(crate) fn held_for(&self, who: &str, now: Timestamp, grace: Duration) -> Option<Held> {
        let before = self.held.filter(|held| held.until > now);
        if self.by == who || self.upto == 0 {
            return before;
        }
        let cut_off = Held { upto: self.upto, until: now.plus(grace) };
        Some(before.map_or(cut_off, |held| Held { upto: held.upto.max(cut_off.upto), until: held.until.max(cut_off.until) }))
    }
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
        Self { at: Position::START, again: Vec::new(), why: String::new(), begun: None }
    }

    /// No line before this one lacks a result.
    pub(crate) fn first(&self) -> u64 {
        self.again.iter().map(|later| later.at.line).fold(self.at.line, u64::min)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Begun, Held, Later, Position, Rest};

    #[test]
    fn what_is_written_is_read_again() {
        let due = mainspring_kernel::Timestamp::from_micros(1_700_000_000_000_000);
        let at = |offset, line| Position { offset, line };
        let again = vec![Later { at: at(70, 3), tries: 2, due }];
        let rest = Rest { at: at(900, 12), again, why: String::new(), begun: None };
        let begun = Begun { by: "one".to_owned(), upto: 64, held: Some(Held { upto: 9, until: due }) };
        for rest in [rest.clone(), Rest { why: "busy".to_owned(), begun: Some(begun), ..rest.clone() }] {
            let written = serde_json::to_string(&rest).unwrap();
            assert_eq!(serde_json::from_str::<Rest>(&written).unwrap(), rest, "{written}");
        }
        assert_eq!((rest.first(), Rest::begins().first()), (3, 1));
        // As the first version wrote it.
        let first = r#"{"at":{"offset":900,"line":12},"again":[{"at":{"offset":70,"line":3},"tries":2,"due":"2023-11-14T22:13:20.000000Z"}]}"#;
        assert_eq!(serde_json::from_str::<Rest>(first).unwrap(), rest);
    }

    #[test]
    fn who_takes_up_a_batch_waits_for_whoever_was_cut_off_and_for_nobody_else() {
        let at = |seconds: i64| mainspring_kernel::Timestamp::from_micros(1_700_000_000_000_000 + seconds * 1_000_000);
        let grace = Duration::from_secs(100);
        let held = |upto, until| Some(Held { upto, until: at(until) });
        for (what, begun, expected) in [
            ("the same process", ("me", 64, None), None),
            ("another", ("other", 64, None), held(64, 110)),
            ("another that has nothing under way", ("other", 0, None), None),
            ("the same, which waits itself", ("me", 64, held(30, 50)), held(30, 50)),
            ("the same, which has waited", ("me", 64, held(30, 10)), None),
            ("another that rested while it waited", ("other", 0, held(30, 50)), held(30, 50)),
            ("another that waited and was cut off itself", ("other", 64, held(30, 50)), held(64, 110)),
            ("one that waits longer", ("other", 20, held(30, 500)), held(30, 500)),
        ] {
            let (by, upto, held) = begun;
            let begun = Begun { by: by.to_owned(), upto, held };
            assert_eq!(begun.held_for("me", at(10), grace), expected, "{what}");
        }
    }
}
