//! What is told of a step of a metric, by its name.

use std::fmt;

use mainspring_kernel::text::{did_you_mean, elide};

use super::{PointKind, steps::Shape};
use crate::fault::TraceFault;

/// What a step of a metric may be asked for. Which of them there is depends on what its points are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MetricValue {
    Mean,
    Min,
    Max,
    Last,
    Increase,
    Rate,
    Count,
    Sum,
    /// The number that this share of all does not exceed.
    Quantile(f64),
}

const WORDS: [(&str, MetricValue); 8] = [
    ("mean", MetricValue::Mean),
    ("min", MetricValue::Min),
    ("max", MetricValue::Max),
    ("last", MetricValue::Last),
    ("increase", MetricValue::Increase),
    ("rate", MetricValue::Rate),
    ("count", MetricValue::Count),
    ("sum", MetricValue::Sum),
];

impl MetricValue {
    /// Reads a word, or a percentile: `p95`, `p99.9`.
    pub fn read(text: &str) -> Result<Self, TraceFault> {
        let word = WORDS.into_iter().find(|(word, _)| *word == text).map(|(_, value)| value);
        let percentile = || {
            let percent = text.strip_prefix('p')?.parse::<f64>().ok().filter(|percent| *percent > 0.0 && *percent < 100.0)?;
            // An answer has it under the name that it is written by, and nobody would find what he called `p95.0`.
            Some(Self::Quantile(percent / 100.0)).filter(|value| value.to_string() == text)
        };
        word.or_else(percentile).ok_or_else(|| {
            let known = WORDS.into_iter().map(|(word, _)| word).chain(["p50", "p95", "p99"]);
            let reason = format!("a metric has no `{}`{}", elide(text, 60), did_you_mean(text, known));
            TraceFault::Question { reason }
        })
    }

    /// Whether points of this kind may say it; of sums it depends on whether they only grow.
    #[must_use]
    pub fn may_be_of(self, kind: PointKind) -> bool {
        let shapes: &[Shape] = match kind {
            PointKind::Gauge => &[Shape::Level],
            PointKind::Sum => &[Shape::Counter, Shape::Together],
            PointKind::Histogram | PointKind::ExponentialHistogram => &[Shape::Histogram],
            PointKind::Summary => &[Shape::Summary],
        };
        shapes.iter().any(|shape| shape.says(self))
    }

    /// Whether both can stand on one axis. What is counted has no unit, and a rate is of each second.
    pub(crate) fn is_beside(self, other: Self) -> bool {
        (self == other) || [self, other].iter().all(|value| !matches!(value, Self::Count | Self::Rate))
    }
}

impl fmt::Display for MetricValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match *self {
            // A summary's quantile at nought is the least, and at one the greatest.
            Self::Quantile(share) if share <= 0.0 => "min",
            Self::Quantile(share) if share >= 1.0 => "max",
            Self::Quantile(share) => return write!(f, "p{}", (share * 1e6).round() / 1e4),
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::Last => "last",
            Self::Increase => "increase",
            Self::Rate => "rate",
            Self::Count => "count",
            Self::Sum => "sum",
        };
        f.write_str(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_it_is_written() {
        for text in ["mean", "min", "max", "last", "increase", "rate", "count", "sum", "p50", "p95", "p99.9", "p0.1"] {
            assert_eq!(MetricValue::read(text).unwrap().to_string(), text);
        }
        assert_eq!(MetricValue::read("p95").unwrap(), MetricValue::Quantile(0.95));
        for odd in ["", "p", "p0", "p100", "p-1", "p1e1", "p+95", "p095", "p95.0", "p99.999999", "pinf", "pnan", "95", "median"] {
            assert!(matches!(MetricValue::read(odd), Err(TraceFault::Question { .. })), "{odd}");
        }
        let near = MetricValue::read("ratte").unwrap_err().to_string();
        assert_eq!(near, "a metric has no `ratte`: did you mean `rate`?");
    }

    #[test]
    fn which_values_there_are_depends_on_the_kind() {
        let of = |kind: PointKind| -> Vec<&str> {
            let known = ["last", "increase", "rate", "count", "sum", "p95"];
            known.into_iter().filter(|text| MetricValue::read(text).unwrap().may_be_of(kind)).collect()
        };
        assert_eq!(of(PointKind::Gauge), ["last"]);
        assert_eq!(of(PointKind::Sum), ["last", "increase", "rate"]);
        assert_eq!(of(PointKind::Histogram), ["count", "sum", "p95"]);
        assert_eq!(of(PointKind::Summary), ["count", "sum", "p95"]);
    }
}
