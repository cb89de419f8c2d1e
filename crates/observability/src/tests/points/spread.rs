use proptest::prelude::*;
use serde_json::json;

use super::*;

fn histogram(count: f64, kept: &Value) -> Histogram {
    Histogram { count, sum: Some(count), min: None, max: None, buckets: Buckets::read(kept) }
}

fn merged(all: &[Histogram]) -> Merged {
    let mut merged = Merged::default();
    all.iter().for_each(|one| {
        merged.add(one);
    });
    merged
}

#[test]
fn a_quantile_lies_along_its_bucket() {
    let even = histogram(10.0, &json!({"bounds": [10.0, 20.0], "counts": [5, 5, 0]}));
    let all = merged(std::slice::from_ref(&even));
    assert_eq!(all.quantiles([0.0, 0.25, 0.5, 0.75, 1.0]), [0.0, 5.0, 10.0, 15.0, 20.0].map(Some));
    assert_eq!((all.count(), all.mean()), (10.0, Some(1.0)));
    // What lies beyond the last bound lies on it, where nobody says how far it went.
    let beyond = histogram(4.0, &json!({"bounds": [10.0, 20.0], "counts": [0, 0, 4]}));
    assert_eq!(merged(std::slice::from_ref(&beyond)).quantiles([0.5]), [Some(20.0)]);
    let said = Histogram { min: Some(20.0), max: Some(60.0), ..beyond };
    assert_eq!(merged(std::slice::from_ref(&said)).quantiles([0.5]), [Some(40.0)]);
    // However their buckets are cut.
    let cut_otherwise = histogram(10.0, &json!({"bounds": [5.0, 20.0], "counts": [0, 10, 0]}));
    let both = merged(&[even, cut_otherwise]);
    // Up to 10 there are the five of the one, and a third of the ten of the other.
    let [found] = both.quantiles([(5.0 + 10.0 / 3.0) / 20.0]);
    assert!((found.unwrap() - 10.0).abs() < 1e-9, "{found:?}");
}

#[test]
fn what_is_not_known_is_not_made_up() {
    let none = histogram(3.0, &Value::Null);
    assert_eq!(none.buckets, Buckets::Unknown);
    let some = histogram(3.0, &json!({"bounds": [1.0], "counts": [3, 0]}));
    assert_eq!(merged(std::slice::from_ref(&some)).quantiles([0.5]), [Some(0.5)]);
    assert_eq!(merged(&[some.clone(), none]).quantiles([0.5]), [None]);
    assert_eq!(merged(&[Histogram { sum: None, ..some }]).mean(), None);
    assert_eq!(Merged::default().quantiles([0.5]), [None]);
    for odd in [
        json!({"bounds": [2.0, 1.0], "counts": [1, 1, 1]}),
        json!({"bounds": [1.0], "counts": [1]}),
        json!({"bounds": ["inf"], "counts": [1, 1]}),
        json!({"scale": 4000, "positive": null, "negative": null}),
        json!({"scale": 1, "positive": 7, "negative": null}),
        json!([]),
    ] {
        assert_eq!(Buckets::read(&odd), Buckets::Unknown, "{odd}");
    }
}

#[test]
fn exponential_buckets_lie_between_powers_and_a_coarser_one_goes_on_with_a_finer_one() {
    let kept = |scale: i64, offset: i64, counts: &[u64]| {
        json!({"scale": scale, "zero_count": 1, "zero_threshold": 0.0, "positive": {"offset": offset, "counts": counts},
            "negative": null})
    };
    // From 1 to 2, to 4 and to 8.
    let coarse = histogram(8.0, &kept(0, 0, &[1, 4, 2]));
    let all = merged(std::slice::from_ref(&coarse));
    assert_eq!(all.quantiles([0.0, 0.5, 1.0]), [Some(0.0), Some(3.0), Some(8.0)]);
    // The same without the last ones, twice as fine.
    let fine = histogram(4.0, &kept(1, 0, &[0, 1, 2]));
    let since = coarse.beyond(&fine).unwrap();
    assert_eq!(since.count, 4.0);
    let Buckets::Exponential { scale: 0, zero, positive, .. } = since.buckets else { panic!("it is of the coarser scale") };
    assert_eq!((zero, positive), (0.0, BTreeMap::from([(1, 2.0), (2, 2.0)])));
    // One that fell began anew.
    assert_eq!(fine.beyond(&coarse), None);
}

#[test]
fn one_whose_bounds_changed_goes_on_counting() {
    let before = histogram(1_000.0, &json!({"bounds": [1.0], "counts": [1_000, 0]}));
    let now = histogram(1_003.0, &json!({"bounds": [2.0], "counts": [1_003, 0]}));
    let since = now.beyond(&before).unwrap();
    assert_eq!((since.count, since.sum, since.buckets), (3.0, Some(3.0), Buckets::Unknown));
    assert_eq!(before.beyond(&now), None);
}

/// Numbers, in which buckets they fall, and what is said of the least and the greatest.
fn counted() -> impl Strategy<Value = Histogram> {
    let bounds = prop::collection::btree_set(-50_i32..50, 0..6);
    let numbers = prop::collection::vec(-100_i32..100, 1..40);
    (bounds, numbers, any::<bool>()).prop_map(|(bounds, numbers, says)| {
        let bounds: Vec<f64> = bounds.into_iter().map(f64::from).collect();
        let mut counts = vec![0.0; bounds.len() + 1];
        for number in &numbers {
            counts[bounds.partition_point(|bound| *bound < f64::from(*number))] += 1.0;
        }
        let of = |all: Option<&i32>| all.copied().map(f64::from).filter(|_| says);
        Histogram {
            count: counts.iter().sum(),
            sum: Some(numbers.iter().copied().map(f64::from).sum()),
            min: of(numbers.iter().min()),
            max: of(numbers.iter().max()),
            buckets: Buckets::Explicit { bounds, counts },
        }
    })
}

proptest! {
    #[test]
    fn quantiles_rise_with_their_share_and_lie_between_the_least_and_the_greatest(
        all in prop::collection::vec(counted(), 1..5),
        mut shares in prop::collection::vec(0.0..=1.0_f64, 5),
    ) {
        shares.sort_by(f64::total_cmp);
        let shares: [f64; 5] = shares.try_into().unwrap();
        let found = merged(&all).quantiles(shares);
        prop_assert!(found.is_sorted_by(|one, next| one.partial_cmp(next).is_some_and(std::cmp::Ordering::is_le)), "{found:?}");
        let said = all.iter().all(|one| one.min.is_some());
        if said {
            let least = all.iter().filter_map(|one| one.min).fold(f64::INFINITY, f64::min);
            let most = all.iter().filter_map(|one| one.max).fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(found.iter().flatten().all(|value| (least..=most).contains(value)), "{least} {found:?} {most}");
        }
    }

    #[test]
    fn what_came_since_and_what_was_before_are_all_of_it(before in counted(), more in prop::collection::vec(0_u32..9, 7)) {
        let Buckets::Explicit { bounds, counts } = &before.buckets else { unreachable!("it is explicit") };
        let grown: Vec<f64> = counts.iter().zip(&more).map(|(count, more)| count + f64::from(*more)).collect();
        let count: f64 = grown.iter().sum();
        let now = Histogram { count, buckets: Buckets::Explicit { bounds: bounds.clone(), counts: grown.clone() }, ..before.clone() };
        let since = now.beyond(&before).unwrap();
        prop_assert_eq!(since.count + before.count, count);
        let Buckets::Explicit { counts: came, .. } = since.buckets else { unreachable!("it is explicit") };
        let together: Vec<f64> = counts.iter().zip(came).map(|(then, came)| then + came).collect();
        prop_assert_eq!(together, grown);
    }

    #[test]
    fn any_buckets_that_are_kept_are_read_or_unknown(
        scale in -30_i32..70, offset in any::<i32>(), counts in prop::collection::vec(any::<u64>(), 0..5), zero in any::<u64>(),
    ) {
        let side = json!({"offset": offset, "counts": counts});
        let one = histogram(1.0, &json!({"scale": scale, "zero_count": zero, "zero_threshold": 0.0, "positive": side, "negative": side}));
        let found = merged(std::slice::from_ref(&one)).quantiles([0.5, 0.99]);
        prop_assert!(found.iter().flatten().all(|value| value.is_finite()), "{found:?}");
        let _ = one.beyond(&one);
    }
}
