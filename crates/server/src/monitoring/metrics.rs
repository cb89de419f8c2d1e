//! Metrics that programs send, as monitors want them: what is read is read by the room that keeps their points.

use mainspring_kernel::{Actor, Fault};
use mainspring_monitors::{MetricKind, MetricMeasure, MetricTemporality, Numbers, Reading, Summary};
use mainspring_observability::{
    Counting, MetricFigure, MetricFigures, MetricPoints, MetricQuestion, MetricRange, MetricValue, PointKind, SeriesQuestion,
};

use super::{boxed, spans::Points};

/// Of the numbers of a bucket so many are told apart.
const PARTS: u64 = 32;

/// What the metric came to in each step, by slice. Steps of which nothing is known are not there.
pub(super) async fn read(
    points: &MetricPoints,
    watcher: &Actor,
    metric: &MetricMeasure,
    question: &SeriesQuestion,
) -> Result<Points<Summary>, Box<dyn Fault>> {
    let MetricMeasure { name, value, kind, unit, monotonic, temporality, attributes } = metric;
    let value = MetricValue::read(value).map_err(boxed)?;
    let (by, groups) = question.by.clone().unzip();
    let asked = MetricQuestion {
        name: name.clone(),
        from: question.from,
        to: question.to,
        step: Some(question.step),
        by,
        kind: kind.map(as_points_say),
        unit: unit.clone(),
        monotonic: *monotonic,
        temporality: temporality.map(counting),
        attributes: attributes.clone().into_iter().collect(),
        groups,
        ..MetricQuestion::default()
    };
    let found = Box::pin(points.figures(watcher, &asked, value)).await.map_err(boxed)?;
    let series = |MetricFigures { group, steps }: MetricFigures| {
        let step = |figure: MetricFigure| Some((figure.start, summary(figure)?));
        (group.unwrap_or_default(), steps.into_iter().filter_map(step).collect())
    };
    Ok(found.into_iter().map(series).collect())
}

pub(super) const fn as_points_say(kind: MetricKind) -> PointKind {
    match kind {
        MetricKind::Gauge => PointKind::Gauge,
        MetricKind::Sum => PointKind::Sum,
        MetricKind::Histogram => PointKind::Histogram,
        MetricKind::ExponentialHistogram => PointKind::ExponentialHistogram,
        MetricKind::Summary => PointKind::Summary,
    }
}

const fn counting(temporality: MetricTemporality) -> Counting {
    match temporality {
        MetricTemporality::Cumulative => Counting::Cumulative,
        MetricTemporality::Delta => Counting::Delta,
        MetricTemporality::Unspecified => Counting::Unspecified,
    }
}

fn summary(MetricFigure { start: _, points, value, of, ranges }: MetricFigure) -> Option<Summary> {
    if ranges.is_empty() {
        return Some(Summary::Reading(Reading { value: value?, points, of: of.map(|of| of.round() as u64) }));
    }
    let mut numbers = Numbers::default();
    ranges.into_iter().for_each(|range| spread(&mut numbers, range));
    Some(Summary::Numbers(Box::new(numbers)))
}

/// As if the numbers of a bucket were spread over it evenly.
fn spread(numbers: &mut Numbers, MetricRange { low, high, count }: MetricRange) {
    let count = count.round() as u64;
    let parts = if low < high { count.clamp(1, PARTS) } else { 1 };
    let width = (high - low) / parts as f64;
    for part in 0..parts {
        // Every number is in one of them, also where they cannot be shared out evenly.
        let until = |part: u64| u128::from(count) * u128::from(part) / u128::from(parts);
        let held = u64::try_from(until(part + 1) - until(part)).unwrap_or(u64::MAX);
        numbers.add_many(width.mul_add(part as f64 + 0.5, low), held);
    }
}

#[cfg(test)]
mod tests {
    use mainspring_kernel::Timestamp;

    use super::*;

    fn figure(value: Option<f64>, of: Option<f64>, ranges: &[(f64, f64, f64)]) -> MetricFigure {
        let ranges = ranges.iter().map(|(low, high, count)| MetricRange { low: *low, high: *high, count: *count }).collect();
        MetricFigure { start: Timestamp::default(), points: 3, value, of, ranges }
    }

    #[test]
    fn a_figure_is_a_reading_or_the_numbers_that_were_counted() {
        let reading = |of| Some(Summary::Reading(Reading { value: 7.0, points: 3, of }));
        assert_eq!(summary(figure(Some(7.0), None, &[])), reading(None));
        assert_eq!(summary(figure(Some(7.0), Some(40.0), &[])), reading(Some(40)));
        assert_eq!(summary(figure(None, Some(40.0), &[])), None, "nobody knows where they lie");
        let counted = summary(figure(Some(1.5), Some(101.0), &[(1.0, 2.0, 99.0), (10.0, 10.0, 2.0)]));
        let Some(Summary::Numbers(numbers)) = counted else { panic!("{counted:?}") };
        assert_eq!((numbers.count(), numbers.is_estimate()), (101, false));
        let half = numbers.quantile(0.5).unwrap();
        assert!((half - 1.5).abs() < 0.05, "{half}");
        assert!(numbers.quantile(1.0).is_some_and(|most| (most - 10.0).abs() < 1e-9));
    }

    #[test]
    fn no_number_of_a_bucket_is_lost() {
        for count in [0_u32, 1, 2, 31, 32, 33, 1_000_003] {
            let mut numbers = Numbers::default();
            spread(&mut numbers, MetricRange { low: -3.0, high: 5.0, count: f64::from(count) });
            assert_eq!(numbers.count(), u64::from(count));
            assert!(count == 0 || numbers.mean().is_some_and(|mean| (mean - 1.0).abs() < 0.5), "{:?}", numbers.mean());
        }
    }
}
