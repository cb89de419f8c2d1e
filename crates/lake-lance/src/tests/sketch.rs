use proptest::prelude::*;

use crate::sketch::Sketch;

fn of(numbers: &[f64]) -> Sketch {
    let mut sketch = Sketch::default();
    numbers.iter().for_each(|number| sketch.add(*number));
    sketch
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => (-1_000_000_i64..1_000_000).prop_map(|number| number as f64),
        2 => -1e12..1e12_f64,
        1 => -1e-3..1e-3_f64,
        1 => Just(0.0),
    ]
}

/// The number at a rank, and whether one is near enough to another.
#[track_caller]
fn check(numbers: &[f64], sketch: &Sketch, at: f64) {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = ((sorted.len() as f64 * at).ceil() as usize).clamp(1, sorted.len());
    let (exact, found) = (sorted[rank - 1], sketch.quantile(at).unwrap());
    assert!((exact - found).abs() <= exact.abs() * 0.005 + 1e-18, "{found} is not {exact}, the {at} of {} numbers", sorted.len());
}

proptest! {
    #[test]
    fn quantiles_are_within_half_a_percent(numbers in prop::collection::vec(number(), 1..300), at in 0.0..=1.0_f64) {
        let sketch = of(&numbers);
        for at in [0.0, 0.5, 0.95, 1.0, at] {
            check(&numbers, &sketch, at);
        }
    }

    #[test]
    fn parts_add_up(numbers in prop::collection::vec(number(), 0..300), at in any::<prop::sample::Index>()) {
        let (left, right) = numbers.split_at(at.index(numbers.len() + 1));
        let mut sum = of(left);
        sum.merge(&of(right));
        let whole = of(&numbers);
        for at in [0.0, 0.01, 0.25, 0.5, 0.99, 1.0] {
            prop_assert_eq!(sum.quantile(at), whole.quantile(at));
        }
        let read = Sketch::from_bytes(&sum.to_bytes()).unwrap();
        prop_assert_eq!(read.quantile(0.7), whole.quantile(0.7));
        prop_assert_eq!(read.is_empty(), numbers.is_empty());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(sketch) = Sketch::from_bytes(&bytes) {
            prop_assert_eq!(sketch.quantile(0.5).is_some(), !sketch.is_empty());
        }
    }

    #[test]
    fn changed_bytes_are_read_or_refused(
        numbers in prop::collection::vec(number(), 0..100),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = of(&numbers).to_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(sketch) = Sketch::from_bytes(&bytes) {
            let mut sum = of(&numbers);
            sum.merge(&sketch);
            prop_assert!(sum.quantile(0.5).is_some() || numbers.is_empty());
        }
    }
}

proptest! {
    #[test]
    fn a_number_counts_as_often_as_it_stands_for(numbers in prop::collection::vec((number(), 1_u8..20), 1..100), at in 0.0..=1.0_f64) {
        let (mut weighed, mut repeated) = (Sketch::default(), Vec::new());
        for (number, times) in &numbers {
            weighed.add_weighed(*number, f64::from(*times));
            repeated.extend(std::iter::repeat_n(*number, usize::from(*times)));
        }
        for at in [0.0, 0.5, 0.95, 1.0, at] {
            prop_assert_eq!(weighed.quantile(at), of(&repeated).quantile(at));
        }
    }

    #[test]
    fn what_is_no_whole_weight_is_carried_on(weight in 1.0..50.0_f64, low in 1_usize..200, high in 1_usize..200) {
        let mut sketch = Sketch::default();
        (0..low).for_each(|_| sketch.add_weighed(1.0, weight));
        (0..high).for_each(|_| sketch.add_weighed(1_000.0, weight));
        // All weigh the same, so it is as if nobody weighed them, but for a count or two on either side.
        let (share, margin) = (low as f64 / (low + high) as f64, 3.0 / (low + high) as f64);
        let (below, above) = (sketch.quantile((share - margin).max(0.0)), sketch.quantile((share + margin).min(1.0)));
        prop_assert_eq!((below.is_some_and(|number| number < 2.0), above.is_some_and(|number| number > 900.0)), (true, true));
    }
}

#[test]
fn the_ends_of_what_there_is_are_kept() {
    let odd = [f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, f64::MIN_POSITIVE, -0.0, f64::NAN];
    let sketch = of(&odd);
    assert_eq!(sketch.quantile(0.0), Some(f64::NEG_INFINITY));
    assert_eq!(sketch.quantile(1.0), Some(f64::INFINITY));
    assert!(sketch.heap() < 512 << 10, "{} bytes", sketch.heap());
    assert_eq!(of(&[f64::NAN]).quantile(0.5), None);
    assert_eq!(sketch.quantile(f64::NAN), None);
    assert_eq!(sketch.quantile(-0.1), None);
}
