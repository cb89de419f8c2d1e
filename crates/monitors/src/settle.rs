//! From what one look says to a state: how long it has been wrong, how long it has been well again.

use std::{cmp::Reverse, time::Duration};

use mainspring_kernel::Timestamp;
use mainspring_statistics::sequential::RateDetector;

use crate::{
    spec::MonitorSpec,
    state::{Evaluation, Figures, History, Remembered, SliceEvaluation, State, Verdict},
};

/// A slice that has had nothing for as long as this, and for ten windows, is no longer waited for, unless it has fired.
const FORGET: Duration = Duration::from_secs(24 * 3_600);
/// So many that fired and fell silent are remembered, those seen last: an incident has no more alerts.
const FIRED_MAX: usize = 500;

#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) slice: Option<String>,
    pub(crate) verdict: Verdict,
    pub(crate) figures: Figures,
    pub(crate) detector: Option<RateDetector>,
}

impl Finding {
    pub(crate) fn new(slice: Option<String>, (verdict, figures): (Verdict, Figures)) -> Self {
        Self { slice, verdict, figures, detector: None }
    }
}

pub(crate) fn settle(
    spec: &MonitorSpec,
    history: &History,
    now: Timestamp,
    mut found: Vec<Finding>,
    looked_until: Option<Timestamp>,
) -> Evaluation {
    found.extend(gone(spec, history, now, &found));
    // Where no slice is, or is left, that is said of all of them: what should report may never have come up.
    if found.is_empty() {
        found.push(Finding::new(None, (Verdict::Missing, Figures::default())));
    }
    let (mut slices, mut remembered) = (Vec::new(), Vec::new());
    for finding in found {
        let before = history.of(finding.slice.as_deref());
        let after = step(spec, now, before, &finding);
        slices.push(SliceEvaluation {
            slice: finding.slice,
            state: after.state,
            was: before.map(|before| before.state),
            since: after.since,
            figures: finding.figures,
        });
        remembered.push(after);
    }
    let state = slices.iter().map(|slice| slice.state).max().unwrap_or(State::Missing);
    Evaluation { at: now, state, slices, history: History { slices: remembered, looked_until, blind_since: None } }
}

/// Slices that were there and of which this look found nothing, those seen last first. Silence ends nothing that has fired,
/// however long it lasts.
fn gone(spec: &MonitorSpec, history: &History, now: Timestamp, found: &[Finding]) -> Vec<Finding> {
    let forget = FORGET.max(spec.window.as_duration() * 10);
    // What was said before there were slices was said of all of them.
    let own = history.slices.iter().filter(|before| before.slice.is_some() || spec.slices.is_none());
    let mut absent: Vec<&Remembered> = own.filter(|before| !found.iter().any(|finding| finding.slice == before.slice)).collect();
    absent.sort_by_key(|before| Reverse(before.seen));
    let mut fired = 0;
    let missing = absent.into_iter().filter(|before| {
        fired += usize::from(before.open);
        now.since(before.seen) < forget || (before.open && fired <= FIRED_MAX)
    });
    missing.map(|before| Finding::new(before.slice.clone(), (Verdict::Missing, Figures::default()))).collect()
}

fn step(spec: &MonitorSpec, now: Timestamp, before: Option<&Remembered>, finding: &Finding) -> Remembered {
    let over_since = before.and_then(|before| before.over_since).unwrap_or(now);
    let well_since = before.and_then(|before| before.well_since).unwrap_or(now);
    let was_open = before.is_some_and(|before| before.open);
    let (state, open) = match finding.verdict {
        Verdict::Missing => (State::Missing, was_open),
        // What has fired is not over because little comes in.
        Verdict::TooFew => (if was_open { State::Firing } else { State::Warming }, was_open),
        Verdict::Over if was_open || now.since(over_since) >= spec.hold.as_duration() => (State::Firing, true),
        Verdict::Over => (State::Ok, false),
        Verdict::Within if was_open && now.since(well_since) < spec.recover.as_duration() => (State::Firing, true),
        Verdict::Within => (State::Ok, false),
    };
    let since = before.filter(|before| before.state == state).map_or(now, |before| before.since);
    Remembered {
        slice: finding.slice.clone(),
        state,
        since,
        open,
        over_since: (finding.verdict == Verdict::Over).then_some(over_since),
        well_since: (finding.verdict == Verdict::Within).then_some(well_since),
        seen: match (finding.verdict, before) {
            (Verdict::Missing, Some(before)) => before.seen,
            _ => now,
        },
        detector: finding.detector,
    }
}
