use proptest::prelude::*;

use super::{
    super::spread::{Buckets, Histogram},
    *,
};

const DAY: Steps = Steps { from: 0, to: 1_000, width: 100 };

fn at(series: u128, time: i64, since: Option<i64>) -> Place {
    Place { series, time, since, cumulative: true }
}

fn folded(shape: Shape, steps: Steps, points: &[(Place, Said)]) -> Told {
    let mut folding = Folding::new(shape, steps);
    points.iter().for_each(|(place, said)| folding.add(None, *place, said.clone()));
    folding.told(&[], 50)
}

/// What each step says first.
fn first(told: &Told) -> Vec<(usize, f64)> {
    let steps = told.groups.iter().flat_map(|group| &group.steps);
    steps.filter_map(|(step, values)| Some((*step, values[0]?))).collect()
}

fn counted(points: &[(Place, f64)]) -> Vec<(usize, f64)> {
    let points: Vec<_> = points.iter().map(|(place, number)| (*place, Said::Number(*number))).collect();
    first(&folded(Shape::Counter, DAY, &points))
}

#[test]
fn a_counter_counts_between_its_points_and_from_its_beginning_where_that_is_asked_about() {
    // It began before: what it had counted by then is nobody's question.
    assert_eq!(counted(&[(at(1, 50, Some(-9)), 700.0), (at(1, 150, Some(-9)), 703.0)]), [(1, 3.0)]);
    // A point of before is what is counted from.
    assert_eq!(counted(&[(at(1, -50, Some(-99)), 700.0), (at(1, 50, Some(-99)), 703.0)]), [(0, 3.0)]);
    // It began in this time.
    assert_eq!(counted(&[(at(1, 50, Some(10)), 7.0), (at(1, 150, Some(10)), 9.0)]), [(0, 7.0), (1, 2.0)]);
    // Nobody knows when it began.
    assert_eq!(counted(&[(at(1, 50, None), 7.0), (at(1, 150, None), 9.0)]), [(1, 2.0)]);
    assert_eq!(counted(&[(at(1, 50, Some(50)), 7.0), (at(1, 150, Some(50)), 9.0)]), [(1, 2.0)]);
}

#[test]
fn a_counter_that_begins_anew_counts_from_nought() {
    // It was started again, and says so.
    assert_eq!(counted(&[(at(1, 50, Some(10)), 7.0), (at(1, 150, Some(120)), 9.0)]), [(0, 7.0), (1, 9.0)]);
    // It fell.
    assert_eq!(counted(&[(at(1, 50, Some(-9)), 7.0), (at(1, 150, Some(-9)), 2.0)]), [(1, 2.0)]);
    // Two processes that say the same of themselves do not start each other again.
    let two = [(10, 50, 5.0), (20, 60, 500.0), (10, 150, 6.0), (20, 160, 501.0)];
    assert_eq!(counted(&two.map(|(since, time, number)| (at(1, time, Some(since)), number))), [(0, 505.0), (1, 2.0)]);
}

#[test]
fn a_step_is_what_lies_after_its_start_up_to_its_end() {
    let all = [0, 1, 100, 101, 1_000, 1_001].map(|time| (at(1, time, None), Said::Number(1.0)));
    let told = folded(Shape::Level, DAY, &all);
    assert_eq!(told.groups[0].steps.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [0, 1, 9]);
    // The last may be shorter, and its rate is of what there is of it.
    let short = Steps { to: 250_000_000, width: 100_000_000, from: 0 };
    let delta = Place { cumulative: false, ..at(1, 250_000_000, None) };
    let told = folded(Shape::Counter, short, &[(delta, Said::Number(100.0))]);
    assert_eq!(told.groups[0].steps, [(2, vec![Some(100.0), Some(2.0)])]);
}

#[test]
fn each_kind_says_what_it_can() {
    let numbers = [(1, 10, 4.0), (2, 20, 2.0), (1, 30, 6.0)].map(|(series, time, n)| (at(series, time, None), Said::Number(n)));
    let level = folded(Shape::Level, DAY, &numbers);
    assert_eq!(level.measures, ["mean", "min", "max", "last"]);
    assert_eq!(level.groups[0].steps, [(0, vec![Some(4.0), Some(2.0), Some(6.0), Some(6.0)])]);
    // Of two queues both are full at the end.
    let one_step = Steps { to: 100, ..DAY };
    assert_eq!(folded(Shape::Together, one_step, &numbers).groups[0].steps, [(0, vec![Some(8.0)])]);
    let summary = |count, sum, quantiles: &[(f64, f64)]| Said::Summary { count, sum, quantiles: quantiles.to_vec() };
    let summaries = [
        (at(1, 10, Some(5)), summary(2.0, 10.0, &[(0.5, 4.0), (0.999, 6.0)])),
        (at(2, 20, Some(5)), summary(2.0, 30.0, &[(0.5, 9.0), (1.0, 20.0)])),
        (at(1, 30, Some(5)), summary(4.0, 20.0, &[(0.5, 5.0), (0.999, 7.0)])),
    ];
    let told = folded(Shape::Summary, DAY, &summaries);
    assert_eq!(told.measures, ["count", "mean", "p50", "p99.9", "max"]);
    // Of several that say a quantile, no more is known than that it is not above the largest.
    let values = [6.0, 50.0 / 6.0, 9.0, 7.0, 20.0].map(Some).to_vec();
    assert_eq!(told.groups[0].steps, [(0, values)]);
}

#[test]
fn what_series_come_to_together_does_not_dip_where_some_have_not_sent_yet() {
    const MINUTE: i64 = 60_000_000;
    let told = |steps: Steps, all: &[(u128, i64, f64)]| {
        let points: Vec<_> =
            all.iter().map(|(series, minute, n)| (at(*series, minute * MINUTE, None), Said::Number(*n))).collect();
        first(&folded(Shape::Together, steps, &points))
    };
    let steps = Steps { from: 0, to: 5 * MINUTE, width: 2 * MINUTE };
    // The last step is shorter than it is between two points of either.
    let two = [(1, -1, 4.0), (2, 0, 10.0), (1, 1, 5.0), (2, 2, 20.0), (1, 3, 6.0), (2, 4, 30.0)];
    assert_eq!(told(steps, &two), [(0, 25.0), (1, 36.0), (2, 36.0)]);
    // One that is gone is so after five minutes, and what it was before the first step counts in it.
    assert_eq!(told(steps, &[(3, -2, 50.0), (3, -1, 100.0), (1, 1, 5.0)]), [(0, 105.0), (1, 5.0), (2, 5.0)]);
    assert!(told(steps, &[(3, -3, 100.0)]).is_empty());
    // Who holds it against a limit is told the same of steps in which points came: silence is no value.
    let mut folding = Folding::new(Shape::Together, Steps { to: 6 * MINUTE, ..steps });
    for (series, minute, n) in [(2, 0, 10.0), (1, 1, 5.0), (1, 5, 6.0)] {
        folding.add(None, at(series, minute * MINUTE, None), Said::Number(n));
    }
    let figures = folding.figures(MetricValue::Last, false, 1);
    let figures: Vec<_> = figures[0].steps.iter().map(|of| (of.start.as_micros() / MINUTE, of.points, of.value)).collect();
    assert_eq!(figures, [(0, 1, Some(15.0)), (4, 1, Some(6.0))]);
    // A longer step tells of whoever sent anything in it, and is not carried on into the next.
    let long = Steps { from: 0, to: 25 * MINUTE, width: 10 * MINUTE };
    assert_eq!(told(long, &[(1, 1, 5.0), (2, 9, 10.0), (2, 21, 7.0)]), [(0, 15.0), (2, 7.0)]);
}

#[test]
fn the_largest_groups_are_told_and_whether_there_are_more() {
    let mut folding = Folding::new(Shape::Counter, DAY);
    for (n, group) in ["a", "b", "c"].into_iter().enumerate() {
        let place = Place { cumulative: false, ..at(n as u128, 50, None) };
        folding.add(Some(group), place, Said::Number(n as f64));
    }
    let told = folding.told(&[], 2);
    assert_eq!(told.groups.iter().map(|group| group.value.as_deref()).collect::<Vec<_>>(), [Some("c"), Some("b")]);
    assert!(told.more);
}

#[test]
fn what_is_held_is_counted_also_where_a_series_or_a_group_grows() {
    let wide = |buckets: usize| {
        let bounds = (1..buckets).map(|bound| bound as f64).collect();
        let buckets = Buckets::Explicit { bounds, counts: vec![0.0; buckets] };
        Said::Histogram(Histogram { count: 0.0, sum: None, min: None, max: None, buckets })
    };
    let mut folding = Folding::new(Shape::Histogram, DAY);
    folding.add(None, at(1, 50, Some(-9)), wide(2));
    let before = folding.held();
    folding.add(None, at(1, 60, Some(-9)), wide(1_000));
    assert!(folding.held() >= before + 1_900, "{} after {before}", folding.held());
    let mut folding = Folding::new(Shape::Level, DAY);
    folding.add(Some("long".repeat(1_000).as_str()), at(1, 50, None), Said::Number(1.0));
    assert!(folding.held() >= 500, "{}", folding.held());
}

/// Several series of whole numbers that came, each at a time of its own, after the beginning.
fn came() -> impl Strategy<Value = Vec<(u128, i64, u32)>> {
    prop::collection::btree_map((1_i64..=1_000, 0_u128..3), 0_u32..1_000, 0..60)
        .prop_map(|all| all.into_iter().map(|((time, series), number)| (series, time, number)).collect())
}

/// The same as what came, and as what was counted since it began.
fn spelled(came: &[(u128, i64, u32)], said: impl Fn(u128, f64, f64) -> Said) -> [Vec<(Place, Said)>; 2] {
    let mut so_far = HashMap::new();
    let (mut delta, mut cumulative) = (Vec::new(), Vec::new());
    for (series, time, number) in came {
        let (all, last) = so_far.entry(*series).or_insert((0.0, 0_i64));
        let place = Place { series: *series, time: *time, since: Some(*last), cumulative: false };
        delta.push((place, said(*series, f64::from(*number), f64::from(*number))));
        *all += f64::from(*number);
        *last = *time;
        cumulative.push((at(*series, *time, Some(0)), said(*series, *all, f64::from(*number))));
    }
    [delta, cumulative]
}

/// A histogram of one bucket for each series, and a last one for all of them.
fn one_bucket(series: u128, count: f64) -> Said {
    let mut counts = vec![0.0; 4];
    counts[usize::try_from(series).unwrap()] = count;
    let buckets = Buckets::Explicit { bounds: vec![1.0, 2.0, 4.0], counts };
    Said::Histogram(Histogram { count, sum: Some(2.0 * count), min: None, max: None, buckets })
}

proptest! {
    #[test]
    fn what_came_and_what_was_counted_since_are_two_spellings_of_the_same(came in came(), width in 1_i64..2_000) {
        let steps = Steps { width, ..DAY };
        let [delta, cumulative] = spelled(&came, |_, all, _| Said::Number(all));
        prop_assert_eq!(folded(Shape::Counter, steps, &delta), folded(Shape::Counter, steps, &cumulative));
        let [delta, cumulative] = spelled(&came, |series, all, _| one_bucket(series, all));
        prop_assert_eq!(folded(Shape::Histogram, steps, &delta), folded(Shape::Histogram, steps, &cumulative));
    }

    #[test]
    fn increases_add_up_to_the_last_less_the_first(came in came(), width in 1_i64..2_000, began in -500_i64..0) {
        // It began before: the first point of each series says only where it stood.
        let [_, cumulative] = spelled(&came, |_, all, _| Said::Number(all));
        let cumulative: Vec<_> = cumulative.into_iter().map(|(place, said)| (Place { since: Some(began), ..place }, said)).collect();
        let mut ends: HashMap<u128, (f64, f64)> = HashMap::new();
        for (place, said) in &cumulative {
            let Said::Number(number) = said else { unreachable!("it is one") };
            ends.entry(place.series).or_insert((*number, *number)).1 = *number;
        }
        let wanted: f64 = ends.values().map(|(first, last)| last - first).sum();
        let found: f64 = first(&folded(Shape::Counter, Steps { width, ..DAY }, &cumulative)).iter().map(|(_, more)| more).sum();
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn shorter_steps_come_to_the_same(came in came(), width in 1_i64..200, times in 1_usize..9) {
        let [_, cumulative] = spelled(&came, |_, all, _| Said::Number(all));
        let short = first(&folded(Shape::Counter, Steps { width, ..DAY }, &cumulative));
        let long = first(&folded(Shape::Counter, Steps { width: width * times as i64, ..DAY }, &cumulative));
        let mut together: BTreeMap<usize, f64> = BTreeMap::new();
        for (step, more) in short {
            *together.entry(step / times).or_default() += more;
        }
        prop_assert_eq!(together.into_iter().collect::<Vec<_>>(), long);
    }
}
