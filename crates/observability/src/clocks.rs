//! Clocks that disagree. Nothing is moved: whoever reads a trace is told which times to doubt.

use std::collections::HashMap;

use mainspring_kernel::Timestamp;
use mainspring_llm::{Span, SpanId};
use serde::Serialize;

/// Why a span's times are doubtful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockMark {
    /// It begins before its parent, or ends after it: on another machine, or in the background.
    Skew,
    /// It begins before anybody sent spans, or in the future.
    FarOff,
    /// It was said to end before it began; it is kept without a length.
    EndsBeforeStart,
}

impl ClockMark {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skew => "skew",
            Self::FarOff => "far-off",
            Self::EndsBeforeStart => "ends-before-start",
        }
    }
}

/// The attribute that keeps the end of a span that was said to end before it began.
pub const END_AS_SENT: &str = "otel.end_time";
/// The beginning of 2000.
const FIRST: i64 = 946_684_800_000_000;
/// A day.
const AHEAD: i64 = 86_400_000_000;

/// The spans of a trace whose times are doubtful.
#[must_use]
pub fn clock_marks(spans: &[Span], now: Timestamp) -> HashMap<SpanId, Vec<ClockMark>> {
    let by_id: HashMap<SpanId, &Span> = spans.iter().map(|span| (span.span, span)).collect();
    let latest = now.as_micros().saturating_add(AHEAD);
    let marks = |span: &Span| {
        let parent = span.parent.and_then(|parent| by_id.get(&parent));
        let skewed = parent.is_some_and(|parent| span.start < parent.start || span.end > parent.end);
        let far = span.start.as_micros() < FIRST || span.start.as_micros() > latest;
        let found = [
            (skewed, ClockMark::Skew),
            (far, ClockMark::FarOff),
            (span.attributes.contains_key(END_AS_SENT), ClockMark::EndsBeforeStart),
        ];
        let found: Vec<ClockMark> = found.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect();
        (span.span, found)
    };
    spans.iter().map(marks).filter(|(_, marks)| !marks.is_empty()).collect()
}
