#![doc = include_str!("../README.md")]

// What people write.
mod check;
mod kind;
mod metric;
mod spec;
mod stretch;

// What is measured.
mod measurements;
mod weighed;

// An evaluation, from start to end.
mod budget;
mod change;
mod evaluate;
mod judge;
mod moved;
mod release;
mod sequential;
mod settle;
mod state;
mod words;

// Monitors that run: when they look, what they remember, whom they tell.
mod blind;
mod erase;
mod fault;
mod hold;
mod pace;
mod run;
mod seam;
mod service;
mod signal;
pub mod store;
mod tally;

#[cfg(test)]
mod tests;

pub use check::Problems;
pub use evaluate::evaluate;
pub use fault::MonitorFault;
pub use kind::descriptor;
pub use mainspring_statistics::Categories;
pub use measurements::{Measurements, Point, Query, Reading, ReleaseSeen, SLICES, Series, Summary, Topics};
pub use metric::{MetricKind, MetricMeasure, MetricTemporality};
pub use seam::{Bell, Showing, Signal, Watched};
pub use service::{Looked, Monitors, Parts, Standing};
pub use signal::Going;
pub use spec::{Budget, Compare, Measure, MonitorSpec, Of, Previous, Release, ReleaseOf, Rest, Severity, Test, Threshold, Worse};
pub use state::{Drift, Evaluation, Figures, History, Moved, Portion, SliceEvaluation, State};
pub use stretch::{Stretch, StretchFault};
pub use tally::Measured;
pub use weighed::{Numbers, Tally};
pub use words::{portion, sentence};
