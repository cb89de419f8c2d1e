#![doc = include_str!("../README.md")]

// What people write.
mod check;
mod kind;
mod spec;
mod stretch;

// What is measured.
mod measurements;

// An evaluation, from start to end.
mod change;
mod evaluate;
mod judge;
mod release;
mod sequential;
mod settle;
mod state;

#[cfg(test)]
mod tests;

pub use check::Problems;
pub use evaluate::evaluate;
pub use kind::descriptor;
pub use measurements::{Measurements, Numbers, Point, Query, ReleaseSeen, SLICES, Series, Summary, Topics};
pub use spec::{Budget, Compare, Measure, MonitorSpec, Previous, Release, Rest, Severity, Test, Threshold, Worse};
pub use state::{Drift, Evaluation, Figures, History, SliceEvaluation, State};
pub use stretch::{Stretch, StretchFault};
