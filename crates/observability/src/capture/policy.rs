//! What a project keeps, as its admins say it and as it is carried out.

use std::{collections::HashSet, time::Duration};

use mainspring_kernel::{Name, text::elide};
use mainspring_llm::{
    Span,
    trace::{SpanStatus, names},
};
use serde::{Deserialize, Serialize};

use super::{
    Capture,
    fault::CaptureFault,
    recognise::NAMES,
    redact::{Redactor, compile},
};

const PATTERNS_MAX: usize = 20;
const PATTERN_LENGTH: usize = 500;
/// How long a trace may wait for its outcome.
const HOLD_MAX: u32 = 300;
const HOLD: u32 = 30;

/// A pattern of a project's own: what it finds becomes `[name]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnPattern {
    pub name: Name,
    pub pattern: String,
}

/// What a project keeps of what comes in. The default is what the server's setting says, and all of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CapturePolicy {
    /// Absent: what the server's setting says.
    pub capture: Option<Capture>,
    pub patterns: Vec<OwnPattern>,
    /// Of traces, chosen by their ids.
    pub share: f64,
    /// Whether a trace with an error is kept, chosen or not.
    pub keep_errors: bool,
    /// A trace with a span that took so long is kept as well.
    pub keep_slower_than_ms: Option<u64>,
    /// How long spans of traces that were not chosen wait for an error or a slow span.
    pub hold_seconds: u32,
}

impl Default for CapturePolicy {
    fn default() -> Self {
        Self { capture: None, patterns: Vec::new(), share: 1.0, keep_errors: true, keep_slower_than_ms: None, hold_seconds: HOLD }
    }
}

impl CapturePolicy {
    /// How it is carried out on a server that keeps no more than `bound`.
    pub(crate) fn carried_out(&self, bound: Capture) -> Result<Policy, CaptureFault> {
        let invalid = |reason: String| CaptureFault::Invalid { reason };
        if !(0.0..=1.0).contains(&self.share) {
            return Err(invalid("`share` is a part of all traces, from 0 to 1".to_owned()));
        }
        if !(1..=HOLD_MAX).contains(&self.hold_seconds) {
            return Err(invalid(format!("`hold_seconds` is from 1 to {HOLD_MAX}")));
        }
        if self.patterns.len() > PATTERNS_MAX {
            return Err(invalid(format!("a policy has {PATTERNS_MAX} patterns at most")));
        }
        let mut taken: HashSet<&str> = NAMES.into_iter().collect();
        let mut own = Vec::with_capacity(self.patterns.len());
        for OwnPattern { name, pattern } in &self.patterns {
            if !taken.insert(name.as_str()) {
                return Err(invalid(format!("there is a pattern `{name}` already")));
            }
            if pattern.len() > PATTERN_LENGTH {
                return Err(invalid(format!("the pattern `{name}` is longer than {PATTERN_LENGTH} bytes")));
            }
            let compiled = compile(pattern).map_err(|error| {
                // The last line says what is wrong; those before draw where.
                let said = error.to_string();
                let what = said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                invalid(format!("the pattern `{name}` cannot be used: {}", elide(&what, 200)))
            })?;
            if compiled.is_match("") {
                return Err(invalid(format!("the pattern `{name}` finds nothing at all, which is everywhere")));
            }
            own.push((name.to_string(), compiled));
        }
        let sampling = Sampling {
            share: self.share,
            errors: self.keep_errors,
            slower_than: self.keep_slower_than_ms.map(Duration::from_millis),
            hold: Duration::from_secs(self.hold_seconds.into()),
        };
        Ok(Policy { capture: self.capture.map_or(bound, |own| own.min(bound)), redactor: Redactor::new(own), sampling })
    }
}

/// A policy in force.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) capture: Capture,
    pub(crate) redactor: Redactor,
    pub(crate) sampling: Sampling,
}

impl Policy {
    /// Where nobody has said anything.
    pub(crate) fn of(capture: Capture) -> Self {
        let sampling = Sampling { share: 1.0, errors: true, slower_than: None, hold: Duration::from_secs(HOLD.into()) };
        Self { capture, redactor: Redactor::default(), sampling }
    }
}

/// Which traces are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sampling {
    pub(crate) share: f64,
    pub(crate) errors: bool,
    pub(crate) slower_than: Option<Duration>,
    pub(crate) hold: Duration,
}

impl Sampling {
    pub(crate) fn keeps_all(&self) -> bool {
        self.share >= 1.0
    }

    /// Whether what happens in a trace can make it one that is kept.
    pub(crate) const fn by_outcome(&self) -> bool {
        self.errors || self.slower_than.is_some()
    }

    /// Whether this span is why its trace is kept. Of several together nothing is asked: those of a chosen trace are on their way
    /// before the last one comes (ADR 0022).
    pub(crate) fn tells(&self, span: &Span) -> bool {
        let failed = matches!(span.status, SpanStatus::Error(_)) || span.attributes.contains_key(names::ERROR);
        (self.errors && failed) || self.slower_than.is_some_and(|bound| span.end.since(span.start) >= bound)
    }
}
