use mainspring_kernel::text::TOPIC;
use mainspring_statistics::{
    Interval, Random,
    embedding::{ClusterGrowth, GrowthReport},
};
use serde_json::{Value, json};

use super::events::{Event, Watch, clusters, near};
use crate::{Drift, Measure, Moved, Portion, State};

/// What the first slice says, of a measure of a distribution.
fn says(measure: &Value, found: &crate::Evaluation) -> String {
    let spec = super::events::spec(json!({ "measure": measure, "compare": { "previous": {} } }));
    crate::sentence(&spec, &found.slices[0])
}

/// Two hours of which the second may differ.
async fn second_hour(
    fields: Value,
    mut first: impl FnMut(Event) -> Event,
    mut second: impl FnMut(Event) -> Event,
) -> crate::Evaluation {
    let mut whole = json!({ "compare": { "previous": {} }, "window": "1h" });
    for (name, value) in fields.as_object().unwrap() {
        whole[name] = value.clone();
    }
    let mut watch = Watch::new(whole);
    watch.traffic.add(0..60, 10, &mut first);
    watch.traffic.add(60..120, 10, &mut second);
    watch.look(120.0).await
}

#[tokio::test]
async fn a_rate_that_rose_by_more_than_the_margin_fires_and_one_that_fell_does_not() {
    let rate = |every: u32| {
        let mut count = 0;
        move |event| {
            count += 1;
            Event { failed: count % every == 0, ..event }
        }
    };
    let fields = json!({ "compare": { "previous": { "by": 0.5 } } });
    assert_eq!(second_hour(fields.clone(), rate(20), rate(4)).await.state, State::Firing);
    assert_eq!(second_hour(fields.clone(), rate(20), rate(15)).await.state, State::Ok);
    assert_eq!(second_hour(fields, rate(4), rate(20)).await.state, State::Ok);
    let fields = json!({ "compare": { "previous": { "worse": "down" } } });
    assert_eq!(second_hour(fields, rate(4), rate(20)).await.state, State::Firing);
}

#[tokio::test]
async fn means_percentiles_sums_and_counts_are_compared_each_in_its_way() {
    for (measure, first, second, expected) in [
        (json!({ "mean": { "field": "score" } }), 1.0, 1.5, State::Firing),
        (json!({ "mean": { "field": "score" } }), 1.0, 1.01, State::Ok),
        (json!({ "percentile": { "field": "duration", "at": 0.9 } }), 1.0, 2.0, State::Firing),
        (json!({ "percentile": { "field": "duration", "at": 0.9 } }), 1.0, 1.0, State::Ok),
        (json!({ "percentile": { "field": "duration", "at": 0.9 } }), 1.0, 0.5, State::Firing),
        (json!({ "sum": { "field": "cost" } }), 1.0, 1.5, State::Firing),
        (json!({ "sum": { "field": "cost" } }), 1.0, 1.1, State::Ok),
    ] {
        let mut random = Random::new(3);
        let mut numbers = |mean: f64| (0..600).map(|_| mean * (1.0 + 0.3 * random.normal().abs())).collect::<Vec<_>>();
        let make = |numbers: Vec<f64>| {
            let mut numbers = numbers.into_iter();
            move |event| Event { value: numbers.next().unwrap(), ..event }
        };
        let fields = json!({ "measure": measure, "compare": { "previous": { "by": 0.2, "worse": "either" } } });
        let found = second_hour(fields.clone(), make(numbers(first)), make(numbers(second))).await;
        assert_eq!(found.state, expected, "{fields} {first} {second}");
    }
}

#[tokio::test]
async fn numbers_that_are_all_the_same_are_not_below_their_own_percentile() {
    let fields = json!({
        "measure": { "percentile": { "field": "score", "at": 0.9 } }, "compare": { "previous": { "worse": "either" } },
    });
    assert_eq!(second_hour(fields, |event| event, |event| event).await.state, State::Ok);
}

#[tokio::test]
async fn traffic_that_doubles_fires_and_the_noise_of_counts_does_not() {
    let fields = json!({ "measure": "count", "compare": { "previous": { "by": 0.2, "worse": "either" } }, "window": "1h" });
    for (per_minute, expected) in [(20, State::Firing), (11, State::Ok), (5, State::Firing), (0, State::Missing)] {
        let mut watch = Watch::new(fields.clone());
        watch.traffic.add(0..60, 10, |event| event);
        watch.traffic.add(60..120, per_minute, |event| event);
        assert_eq!(watch.look(120.0).await.state, expected, "{per_minute}");
    }
}

#[tokio::test]
async fn the_same_hour_of_last_week_is_what_it_is_compared_with() {
    let mut watch = Watch::new(json!({ "compare": { "previous": { "back": "7d" } }, "window": "1h" }));
    let week = 7 * 24 * 60;
    // Busy hours are bad every week; the hour before is well.
    watch.traffic.add(0..60, 10, |event| Event { failed: true, ..event });
    watch.traffic.add(week - 60..week, 10, |event| event);
    watch.traffic.add(week..week + 60, 10, |event| Event { failed: true, ..event });
    let found = watch.look(f64::from(week + 60)).await;
    assert_eq!((found.state, found.slices[0].figures.reference), (State::Ok, found.slices[0].figures.value));
    let missing = watch.look(f64::from(week + 180)).await;
    assert_eq!(missing.state, State::Missing);
}

#[tokio::test]
async fn what_has_no_past_is_not_missing_and_the_side_that_lacks_is_named() {
    for (slices, of) in [(json!({}), ""), (json!({ "slices": "model" }), "model one: ")] {
        for measure in [json!({ "rate": { "hits": "status = error" } }), json!("count")] {
            let mut fields = json!({ "compare": { "previous": { "back": "7d" } }, "window": "1m", "measure": measure });
            fields.as_object_mut().unwrap().extend(slices.as_object().unwrap().clone());
            let mut watch = Watch::new(fields);
            watch.traffic.add(0..1, 60, |event| event);
            let found = watch.look(1.0).await;
            let says = crate::sentence(&watch.spec, &found.slices[0]);
            assert_eq!((found.state, says), (State::Warming, format!("{of}7d before there was nothing to compare with")));
            let silent = watch.look(2.0).await;
            let says = crate::sentence(&watch.spec, &silent.slices[0]);
            assert_eq!((silent.state, says), (State::Missing, format!("{of}there is nothing to measure in 1m")));
        }
    }
    for (first, second, expected) in [
        (12, 60, "in the window before there were only 12, of 30 that it takes to compare"),
        (60, 12, "12 so far, of 30 that it takes to say anything"),
    ] {
        let mut watch = Watch::new(json!({ "compare": { "previous": {} }, "window": "1h" }));
        watch.traffic.add(0..1, first, |event| event);
        watch.traffic.add(60..61, second, |event| event);
        let found = watch.look(120.0).await;
        assert_eq!(found.state, State::Warming);
        assert_eq!(crate::sentence(&watch.spec, &found.slices[0]), expected);
    }
}

#[tokio::test]
async fn what_fired_and_cannot_be_compared_any_more_says_what_it_lacks() {
    let mut watch = Watch::new(json!({ "compare": { "previous": {} }, "window": "1h" }));
    watch.traffic.add(0..60, 10, |event| event);
    watch.traffic.add(60..120, 10, |event| Event { failed: true, ..event });
    watch.traffic.add(120..121, 12, |event| Event { failed: true, ..event });
    assert_eq!(watch.look(120.0).await.state, State::Firing);
    let found = watch.look(180.0).await;
    let says = crate::sentence(&watch.spec, &found.slices[0]);
    assert_eq!(found.state, State::Firing);
    assert!(says.ends_with(": whether it goes on cannot be said: 12 so far, of 30 that it takes to say anything"), "{says}");
}

#[tokio::test]
async fn a_distribution_of_numbers_that_widens_with_the_same_mean_has_drifted() {
    let fields = json!({ "measure": { "numbers": { "field": "score" } } });
    let normal = |seed: u64, scale: f64| {
        let mut random = Random::new(seed);
        move |event| Event { value: 10.0 + scale * random.normal(), ..event }
    };
    let found = second_hour(fields.clone(), normal(1, 1.0), normal(2, 2.0)).await;
    assert_eq!(found.state, State::Firing);
    let Some(Drift::Numbers(drift)) = found.slices[0].figures.drift.as_deref() else { panic!("no drift") };
    assert!(drift.psi > 0.2 && drift.ks_p < 1e-6);
    // Both ends grew; the middle is what was left.
    let [Moved { what: Portion::Numbers { from, to }, before, after }, ..] = found.slices[0].figures.moved.as_slice() else {
        panic!("{:?}", found.slices[0].figures.moved)
    };
    assert!((*to < 9.5 || *from > 10.5) && *before < 0.2 && *after > 1.5 * *before, "{from} to {to}: {before} and {after}");
    let told = says(&fields["measure"], &found);
    assert!(told.contains(", of 0.2 that matter; most of all from ") && told.ends_with(" % now)"), "{told}");
    assert_eq!(second_hour(fields, normal(1, 1.0), normal(2, 1.0)).await.state, State::Ok);
    let range = Portion::Numbers { from: 0.221, to: 0.811 };
    let of = |field: &str| crate::portion(&range, Some(&Measure::Numbers { field: field.to_owned() }));
    assert_eq!([of("duration"), of("score")], ["from 221 ms to 811 ms", "from 0.221 to 0.811"]);
}

#[tokio::test]
async fn a_category_that_appears_is_named() {
    let words = |words: &'static [&'static str]| {
        let mut count = 0;
        move |event| {
            count += 1;
            Event { word: words[count % words.len()], ..event }
        }
    };
    let fields = json!({ "measure": { "categories": { "field": "language" } } });
    let found = second_hour(fields.clone(), words(&["en", "en", "de"]), words(&["en", "de", "en", "pl"])).await;
    assert_eq!(found.state, State::Firing);
    let Some(Drift::Categories(drift)) = found.slices[0].figures.drift.as_deref() else { panic!("no drift") };
    assert_eq!(drift.movers[0].category, "pl");
    let first = &found.slices[0].figures.moved[0];
    assert_eq!(*first, Moved { what: Portion::Category("pl".to_owned()), before: 0.0, after: 0.25 });
    let told = says(&fields["measure"], &found);
    assert!(told.ends_with(", of 0.2 that matter; most of all pl (0 % before, 25 % now)"), "{told}");
    assert_eq!(second_hour(fields, words(&["en", "de"]), words(&["en", "de"])).await.state, State::Ok);
}

#[tokio::test]
async fn the_topic_that_grew_is_in_the_figures() {
    let about = |seed: u64, share: f64| {
        let mut random = Random::new(seed);
        move |event| {
            let right = random.happens(share);
            Event { vector: near(&mut random, if right { 10.0 } else { 0.0 }), ..event }
        }
    };
    let fields = json!({ "measure": { "topics": { "field": "input" } } });
    let found = second_hour(fields.clone(), about(1, 0.2), about(2, 0.6)).await;
    assert_eq!(found.state, State::Firing);
    let Some(Drift::Topics { mean, growth: Some(growth) }) = found.slices[0].figures.drift.as_deref() else { panic!("no drift") };
    assert!(mean.p < 0.001 && growth.clusters[0].grew());
    assert_eq!(growth.clusters[0].cluster, clusters().place(&[10.0, 0.0]).map(|place| place.cluster));
    let named = growth.clusters[0].cluster.unwrap();
    let moved = &found.slices[0].figures.moved;
    let of = Portion::Topic(vec![format!("word{named}"), "also".to_owned()]);
    let grew = moved.iter().find(|moved| moved.what == of).unwrap();
    assert!(grew.before < 0.3 && grew.after > 0.5, "{moved:?}");
    // What it grew by the other lost, but for what is like neither.
    let told = says(&fields["measure"], &found);
    // Whoever erases a word looks for it behind this.
    assert!(told.contains(&format!("; most of all {TOPIC}word")) && told.contains(", also ("), "{told}");
    let calm = second_hour(fields.clone(), about(1, 0.4), about(2, 0.4)).await;
    assert_eq!(calm.state, State::Ok);
    assert!(!says(&fields["measure"], &calm).contains("most of all"), "what did not move is not named");
    // Before there are clusters, that texts differ is all that is known.
    let plain = json!({ "measure": { "topics": { "field": "plain" } } });
    let found = second_hour(plain.clone(), about(1, 0.2), about(2, 0.8)).await;
    assert_eq!(found.state, State::Firing);
    assert!(matches!(found.slices[0].figures.drift.as_deref(), Some(Drift::Topics { growth: None, .. })));
    assert_eq!(second_hour(plain, about(1, 0.4), about(2, 0.4)).await.state, State::Ok);
}

#[test]
fn a_topic_that_surely_grew_comes_before_one_that_shrank_by_more() {
    let of = |cluster: Option<usize>, before: f64, after: f64, sure: f64| {
        let estimate = after - before;
        let change = Interval { estimate, low: estimate - sure, high: estimate + sure };
        ClusterGrowth { cluster, before, after, change, p_adjusted: 0.01 }
    };
    let clusters = vec![
        of(Some(0), 0.2, 0.32, 0.15),
        of(Some(1), 0.0, 0.1, 0.08),
        of(None, 0.1, 0.18, 0.02),
        of(Some(2), 0.3, 0.3, 0.1),
        of(Some(3), 0.35, 0.2, 0.16),
    ];
    let report = GrowthReport { reference: 200, current: 200, level: 0.95, psi: 0.4, clusters };
    let words: Vec<Vec<String>> = ["mail", "rockets", "still", "parcel"].map(|word| vec![word.to_owned()]).into();
    let moved = crate::moved::of_topics(&report, &words);
    let names: Vec<String> = moved.iter().map(|moved| crate::portion(&moved.what, None)).collect();
    let topic = |word: &str| format!("{TOPIC}{word}");
    assert_eq!(names, [topic("rockets"), "what is like no topic".to_owned(), topic("parcel"), topic("mail")]);
}

#[tokio::test]
async fn a_change_that_is_large_by_chance_is_said_to_be_so() {
    let mut watch = Watch::new(
        json!({ "measure": { "categories": { "field": "language" } }, "compare": { "previous": {} }, "window": "1h" }),
    );
    // Of thirty.
    for (from, english) in [(0, 20), (60, 11)] {
        let mut count = 0;
        watch.traffic.add(from..from + 30, 1, |event| {
            count += 1;
            Event { word: if count <= english { "en" } else { "de" }, ..event }
        });
    }
    let found = watch.look(120.0).await;
    let figures = &found.slices[0].figures;
    assert!(found.state == State::Ok && figures.value > figures.limit, "{figures:?}");
    let says = crate::sentence(&watch.spec, &found.slices[0]);
    assert!(says.contains(", of 0.2 that matter, which may be chance; most of all "), "{says}");
}

#[tokio::test]
async fn what_is_wrong_is_shown_from_the_side_on_which_it_is() {
    let rate = |every: u32| {
        let mut count = 0;
        move |event| {
            count += 1;
            Event { failed: count % every == 0, ..event }
        }
    };
    for (worse, first, second, low) in
        [("down", 4, 20, true), ("up", 20, 4, false), ("either", 4, 20, true), ("either", 20, 4, false)]
    {
        let fields = json!({ "compare": { "previous": { "worse": worse } } });
        let found = second_hour(fields.clone(), rate(first), rate(second)).await;
        assert_eq!(found.state, State::Firing, "{worse}");
        let shown = crate::signal::showing(&super::events::spec(fields), &found.slices[0]);
        assert_eq!((shown.slice, shown.low), (None, low), "{worse}");
        assert_eq!(shown.bound, Some(1.0 / f64::from(first)), "{worse}");
    }
    let mut slice = second_hour(json!({}), rate(4), rate(4)).await.slices.remove(0);
    for (limits, value, expected) in [
        (json!({ "above": 0.5 }), 0.6, (false, Some(0.5))),
        (json!({ "below": 0.2 }), 0.1, (true, Some(0.2))),
        (json!({ "above": 0.5, "below": 0.2 }), 0.6, (false, Some(0.5))),
        (json!({ "above": 0.5, "below": 0.2 }), 0.1, (true, Some(0.2))),
    ] {
        slice.figures.value = Some(value);
        let shown = crate::signal::showing(&super::events::spec(json!({ "compare": { "threshold": limits } })), &slice);
        assert_eq!((shown.low, shown.bound), expected);
    }
}
