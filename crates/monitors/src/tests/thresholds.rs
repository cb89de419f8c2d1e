use mainspring_statistics::{Random, rates::wilson};
use serde_json::json;

use super::events::{Event, Watch, at};
use crate::{Evaluation, State, Stretch};

fn states(found: &Evaluation) -> Vec<(&str, State)> {
    found.slices.iter().map(|slice| (slice.slice.as_deref().unwrap_or_default(), slice.state)).collect()
}

#[tokio::test]
async fn a_rate_fires_when_it_is_surely_above() {
    let mut watch = Watch::new(json!({ "compare": { "threshold": { "above": 0.1 } } }));
    watch.traffic.add(0..15, 20, |event| event);
    let mut count = 0;
    watch.traffic.add(15..30, 20, |event| {
        count += 1;
        Event { failed: count % 3 == 0, ..event }
    });
    assert_eq!(watch.look(15.0).await.state, State::Ok);
    let found = watch.look(30.5).await;
    let figures = &found.slices[0].figures;
    assert_eq!((found.state, figures.count, figures.value, figures.limit), (State::Firing, 300, Some(100.0 / 300.0), Some(0.1)));
    assert!(figures.interval.unwrap().low > 0.1);
    assert_eq!(found.entered(State::Firing).count(), 1);
    // The same window again is no news.
    let again = watch.look(44.9).await;
    assert_eq!((again.state, again.slices[0].since), (State::Firing, at(30.5 * 60.0)));
    assert_eq!(again.entered(State::Firing).count(), 0);
}

#[tokio::test]
async fn a_rate_of_a_sample_is_that_of_what_came() {
    // One of a hundred fails. Every failure is kept, and a tenth of the others: of eleven that are there one failed.
    let traffic = |weight: f64| {
        let mut watch = Watch::new(json!({ "compare": { "threshold": { "above": 0.05 } } }));
        let mut count = 0;
        watch.traffic.add(0..15, 44, |event| {
            count += 1;
            if count % 11 == 0 { Event { failed: true, ..event } } else { Event { weight, ..event } }
        });
        watch
    };
    let found = traffic(10.0).look(15.0).await;
    let figures = &found.slices[0].figures;
    assert_eq!((found.state, figures.estimated), (State::Ok, true));
    assert!(figures.value.is_some_and(|rate| (0.005..0.015).contains(&rate)), "{figures:?}");
    assert!(figures.count <= 6_060, "no more than came: {figures:?}");
    let found = traffic(1.0).look(15.0).await;
    assert_eq!((found.state, found.slices[0].figures.estimated), (State::Firing, false), "as if nobody had weighed them");
}

#[tokio::test]
async fn a_count_of_a_sample_is_of_what_came() {
    let mut watch = Watch::new(json!({ "measure": "count", "compare": { "threshold": { "above": 2000.0 } } }));
    watch.traffic.add(0..15, 20, |event| Event { weight: 10.0, ..event });
    let found = watch.look(15.0).await;
    let figures = &found.slices[0].figures;
    assert_eq!((found.state, figures.value, figures.estimated), (State::Firing, Some(3_000.0), true));
    assert!(crate::sentence(&watch.spec, &found.slices[0]).contains("is about 3000"), "{figures:?}");
}

#[tokio::test]
async fn nothing_is_missing_and_little_is_warming() {
    let mut watch = Watch::new(json!({ "compare": { "threshold": { "above": 0.1 } }, "minimum": 50 }));
    assert_eq!(watch.look(15.0).await.state, State::Missing);
    watch.traffic.add(15..16, 49, |event| Event { failed: true, ..event });
    assert_eq!(watch.look(30.0).await.state, State::Warming);
    let mut sliced = Watch::new(json!({ "compare": { "threshold": { "above": 0.1 } }, "slices": "model" }));
    let found = sliced.look(15.0).await;
    assert_eq!((found.state, states(&found)), (State::Missing, vec![("", State::Missing)]), "all of them together");
    sliced.traffic.add(15..30, 20, |event| event);
    let found = sliced.look(30.0).await;
    assert_eq!((found.state, states(&found)), (State::Ok, vec![("one", State::Ok)]), "and that is over with the first");
}

#[tokio::test]
async fn asking_every_minute_raises_no_more_false_alarms_than_one_look_at_each_window() {
    // One false alarm in twenty windows is allowed, with a rate that is exactly at its limit.
    let mut watch = Watch::new(json!({
        "compare": { "threshold": { "above": 0.2 } }, "window": "5m", "false_alarm_every": "100m",
    }));
    let mut random = Random::new(4);
    let windows = 400;
    watch.traffic.add(0..windows * 5, 12, |event| Event { failed: random.happens(0.2), ..event });
    let mut alarms = 0;
    for minute in 5..windows * 5 {
        let found = watch.look(f64::from(minute)).await;
        alarms += found.entered(State::Firing).count();
    }
    assert!((1..=33).contains(&alarms), "{alarms} of {windows}");
}

#[tokio::test]
async fn a_sequential_test_looks_every_minute_and_keeps_its_rate_of_false_alarms() {
    let mut watch = Watch::new(json!({
        "compare": { "threshold": { "above": 0.1, "test": "sequential" } }, "false_alarm_every": "500m",
    }));
    let mut random = Random::new(5);
    watch.traffic.add(0..4_000, 10, |event| Event { failed: random.happens(0.1), ..event });
    let mut alarms = 0;
    for minute in 1..4_000 {
        let found = watch.look(f64::from(minute)).await;
        // At the limit it stays open about half the time; what counts is how often it opens.
        alarms += found.entered(State::Firing).count();
    }
    assert!(alarms <= 8, "{alarms}");
}

#[tokio::test]
async fn a_sequential_test_finds_an_outage_within_minutes_and_its_end() {
    let mut watch = Watch::new(json!({ "compare": { "threshold": { "above": 0.05, "test": "sequential" } }, "recover": "5m" }));
    let mut random = Random::new(6);
    watch.traffic.add(0..2_000, 20, |event| Event { failed: random.happens(0.02), ..event });
    watch.traffic.add(2_000..2_030, 20, |event| Event { failed: random.happens(0.4), ..event });
    watch.traffic.add(2_030..2_100, 20, |event| Event { failed: random.happens(0.02), ..event });
    let (mut began, mut ended) = (None, None);
    for minute in 1..=2_100 {
        let found = watch.look(f64::from(minute)).await;
        let before = minute <= 2_000;
        assert!(!before || found.state != State::Firing, "{minute}");
        if found.entered(State::Firing).next().is_some() {
            assert_eq!(began.replace(minute), None);
            let (evidence, bar) = found.slices[0].figures.evidence.unwrap();
            assert!(evidence >= bar);
        }
        if began.is_some() && ended.is_none() && found.state == State::Ok {
            ended = Some(minute);
        }
    }
    assert!(began.unwrap() <= 2_005, "{began:?}");
    // The window has to be rid of it, and well for five minutes.
    assert!((2_040..=2_055).contains(&ended.unwrap()), "{ended:?}");
}

#[tokio::test]
async fn a_stretch_of_time_is_looked_at_once() {
    let mut watch = Watch::new(json!({ "compare": { "threshold": { "above": 0.2, "test": "sequential" } } }));
    watch.traffic.add(0..3, 10, |event| Event { failed: event.at < at(20.0), ..event });
    watch.look(3.0).await;
    let (first, _) = watch.look(3.1).await.slices[0].figures.evidence.unwrap();
    for _ in 0..200 {
        let (evidence, _) = watch.look(3.4).await.slices[0].figures.evidence.unwrap();
        assert!((evidence - first).abs() < 1e-9, "{evidence} and no more {first}");
    }
    let asked = watch.traffic.asked.lock().unwrap();
    assert_eq!((asked.len(), asked[0].from, asked[201].to), (202, at(-720.0), at(180.0)));
}

#[tokio::test]
async fn a_slice_that_is_worse_fires_alone_and_one_that_goes_silent_is_waited_for() {
    let mut watch = Watch::new(json!({ "compare": { "threshold": { "above": 0.1 } }, "slices": "model" }));
    let mut count = 0;
    watch.traffic.add(0..30, 20, |event| Event { slice: "well", ..event });
    watch.traffic.add(0..15, 20, |event| {
        count += 1;
        Event { slice: "bad", failed: count % 2 == 0, ..event }
    });
    let found = watch.look(15.0).await;
    assert_eq!((found.state, states(&found)), (State::Firing, vec![("bad", State::Firing), ("well", State::Ok)]));
    let found = watch.look(30.0).await;
    assert_eq!((found.state, states(&found)), (State::Missing, vec![("well", State::Ok), ("bad", State::Missing)]));
    assert_eq!(found.slices[1].was, Some(State::Firing));
    let found = watch.look(24.0 * 60.0).await;
    assert_eq!(states(&found), [("well", State::Missing), ("bad", State::Missing)]);
    // What was well is waited for a day; silence ends nothing that has fired.
    let found = watch.look(25.0 * 60.0).await;
    assert_eq!((found.state, states(&found)), (State::Missing, vec![("bad", State::Missing)]));
    watch.look(30.0 * 24.0 * 60.0).await;
    assert!(watch.history.is_open(Some("bad")));
    let day = 31 * 24 * 60;
    watch.traffic.add(day - 15..day, 20, |event| Event { slice: "bad", ..event });
    assert_eq!(states(&watch.look(f64::from(day)).await), [("bad", State::Ok)]);
    assert_eq!(states(&watch.look(f64::from(day + 25 * 60)).await), [("", State::Missing)], "none is left");
}

#[tokio::test]
async fn a_percentile_is_above_when_too_many_are_beyond_it() {
    for test in ["fixed", "sequential"] {
        let mut watch = Watch::new(json!({
            "measure": { "percentile": { "field": "duration", "at": 0.95 } },
            "compare": { "threshold": { "above": 2.0, "test": test } },
        }));
        let mut count = 0;
        // One in fifty takes long: within what 95 % allows, however long it takes.
        watch.traffic.add(0..15, 20, |event| {
            count += 1;
            Event { value: if count % 50 == 0 { 900.0 } else { 1.0 }, ..event }
        });
        watch.traffic.add(15..30, 20, |event| {
            count += 1;
            Event { value: if count % 5 == 0 { 3.0 } else { 1.0 }, ..event }
        });
        assert_eq!(watch.look(15.0).await.state, State::Ok, "{test}");
        let found = watch.look(30.0).await;
        assert_eq!(found.state, State::Firing, "{test}");
        let says = crate::sentence(&watch.spec, &found.slices[0]);
        assert!(says.contains(" above 2 s"), "{test}: {says}");
    }
}

#[tokio::test]
async fn a_percentile_below_its_limit_fires_on_that_side() {
    for test in ["fixed", "sequential"] {
        let mut watch = Watch::new(json!({
            "measure": { "percentile": { "field": "score", "at": 0.5 } },
            "compare": { "threshold": { "below": 0.7, "test": test } },
        }));
        watch.traffic.add(0..15, 20, |event| Event { value: 0.8, ..event });
        watch.traffic.add(15..30, 20, |event| Event { value: 0.6, ..event });
        assert_eq!(watch.look(15.0).await.state, State::Ok, "{test}");
        assert_eq!(watch.look(30.0).await.state, State::Firing, "{test}");
    }
}

#[tokio::test]
async fn a_mean_fires_when_its_interval_is_beyond_the_limit() {
    let mut watch = Watch::new(json!({
        "measure": { "mean": { "field": "score" } }, "compare": { "threshold": { "below": 0.8, "above": 3.0 } },
    }));
    let mut random = Random::new(7);
    for (window, mean) in [(0, 1.0), (1, 0.79), (2, 0.5), (3, 4.0)] {
        watch.traffic.add(window * 15..window * 15 + 15, 4, |event| Event { value: mean + 0.2 * random.normal(), ..event });
    }
    for (end, expected) in [(15.0, State::Ok), (30.0, State::Ok), (45.0, State::Firing), (60.0, State::Firing)] {
        assert_eq!(watch.look(end).await.state, expected, "{end}");
    }
}

#[tokio::test]
async fn no_traffic_is_below_a_floor_and_missing_under_a_ceiling() {
    let measured = |compare| json!({ "measure": "count", "compare": { "threshold": compare } });
    assert_eq!(Watch::new(measured(json!({ "below": 10 }))).look(15.0).await.state, State::Firing);
    assert_eq!(Watch::new(measured(json!({ "above": 10 }))).look(15.0).await.state, State::Missing);
    let mut watch = Watch::new(measured(json!({ "above": 10, "below": 2 })));
    watch.traffic.add(0..15, 1, |event| event);
    watch.traffic.add(15..16, 5, |event| event);
    for (minute, state, limit) in [(15.0, State::Firing, 10.0), (30.0, State::Ok, 10.0), (45.0, State::Firing, 2.0)] {
        let found = watch.look(minute).await;
        assert_eq!((found.state, found.slices[0].figures.limit), (state, Some(limit)), "{minute}: the one that was passed");
    }
}

#[tokio::test]
async fn spend_is_added_up() {
    let mut watch = Watch::new(json!({
        "measure": { "sum": { "field": "cost" } }, "compare": { "threshold": { "above": 100 } }, "minimum": 1,
    }));
    watch.traffic.add(0..15, 3, |event| Event { value: 2.0, ..event });
    watch.traffic.add(15..30, 3, |event| Event { value: 2.5, ..event });
    assert_eq!(watch.look(15.0).await.state, State::Ok);
    let found = watch.look(30.0).await;
    assert_eq!(found.state, State::Firing);
    assert!((found.slices[0].figures.value.unwrap() - 112.5).abs() < 1e-9);
    let says = crate::sentence(&watch.spec, &found.slices[0]);
    assert!(says.ends_with(" is $112 (45 measured), not to be above $100"), "{says}");
}

#[tokio::test]
async fn a_group_that_is_served_worse_is_named_and_small_differences_are_let_be() {
    let mut watch = Watch::new(json!({
        "compare": { "rest": { "by": 0.05 } }, "slices": "language", "window": "1h", "minimum": 100,
    }));
    let mut random = Random::new(8);
    for (slice, rate) in [("de", 0.10), ("en", 0.11), ("fr", 0.10), ("pl", 0.30)] {
        watch.traffic.add(0..60, 10, |event| Event { slice, failed: random.happens(rate), ..event });
    }
    watch.traffic.add(0..60, 1, |event| Event { slice: "eo", failed: true, ..event });
    let found = watch.look(60.0).await;
    let expected = [("de", State::Ok), ("en", State::Ok), ("eo", State::Warming), ("fr", State::Ok), ("pl", State::Firing)];
    assert_eq!(states(&found), expected);
    let figures = &found.slices[4].figures;
    assert!(figures.interval.unwrap().low > 0.05 && figures.p.unwrap() < 1e-6);
    // One false alarm in a month of looks every hour.
    for figures in found.slices.iter().filter(|slice| slice.state != State::Warming).map(|slice| &slice.figures) {
        let (rate, of_it) = (figures.value.unwrap(), figures.value_interval.unwrap());
        let expected = wilson((rate * 600.0).round() as u64, 600, 1.0 - 1.0 / 720.0).unwrap();
        let off = (of_it.low - expected.low).abs().max((of_it.high - expected.high).abs());
        assert!(off < 1e-9, "{of_it:?} and no {expected:?}");
        assert!(
            of_it.low < rate && rate < of_it.high && figures.interval.unwrap().low < of_it.low,
            "of the rate and not of the difference"
        );
    }
}

#[tokio::test]
async fn a_budget_that_burns_fires_and_is_over_when_the_short_window_is_well() {
    let mut watch = Watch::new(json!({ "compare": { "budget": { "objective": 0.99 } } }));
    let mut count = 0;
    watch.traffic.add(0..240, 10, |event| event);
    watch.traffic.add(240..300, 10, |event| {
        count += 1;
        Event { failed: count % 4 == 0, ..event }
    });
    watch.traffic.add(300..320, 10, |event| event);
    assert_eq!(watch.look(240.0).await.state, State::Ok);
    let told = |found: &Evaluation| {
        let figures = &found.slices[0].figures;
        (found.state, figures.value.map(|rate| rate.round()), figures.limit, figures.windows)
    };
    let (hour, days) = ((Stretch::minutes(60), Stretch::minutes(5)), (Stretch::days(3), Stretch::minutes(360)));
    assert_eq!(told(&watch.look(300.0).await), (State::Firing, Some(25.0), Some(14.4), Some(hour)));
    let slower = watch.look(305.0).await;
    assert_eq!(told(&slower), (State::Firing, Some(5.0), Some(1.0), Some(days)), "three days and six hours still burn");
    let says = crate::sentence(&watch.spec, &slower.slices[0]);
    assert!(says.ends_with("up 4.92 times as fast as it may over 3d and over 6h, not to be 1 or more"), "{says}");
    assert_eq!(watch.look(400.0).await.state, State::Firing, "and go on to, of what came in six hours");
    let silent = watch.look(700.0).await;
    assert_eq!(told(&silent), (State::Missing, None, Some(14.4), Some(hour)));
    assert_eq!(crate::sentence(&watch.spec, &silent.slices[0]), "there is nothing to measure in 1h");
    assert_eq!(Watch::new(json!({ "compare": { "budget": { "objective": 0.99 } } })).look(5.0).await.state, State::Missing);
}

#[tokio::test]
async fn little_traffic_burns_a_budget_by_the_windows_that_have_enough_of_it() {
    let (days, hour): (u32, u32) = (3 * 24 * 60, 60);
    // Fifteen an hour: half of them fail, or one of them all.
    let every_fourth = |watch: &mut Watch, failed: fn(u32) -> bool| {
        for minute in (0..days).step_by(4) {
            watch.traffic.add(minute..minute + 1, 1, |event| Event { failed: failed(minute), ..event });
        }
    };
    let budget = || Watch::new(json!({ "compare": { "budget": { "objective": 0.99 } } }));
    let (mut bad, mut well) = (budget(), budget());
    every_fourth(&mut bad, |minute| minute % 8 == 0);
    every_fourth(&mut well, |minute| minute == 2_000);
    let early = bad.look(f64::from(hour)).await;
    assert_eq!((early.state, early.slices[0].figures.count), (State::Warming, 15), "it is not enough in any of them");
    for (minute, of_bad, of_well) in [
        (days, State::Firing, State::Ok),
        // Nothing came in an hour, and much in the six hours that are the short window of three days.
        (days + hour, State::Firing, State::Missing),
        (days + 7 * hour, State::Missing, State::Missing),
    ] {
        let (found, fine) = (bad.look(f64::from(minute)).await, well.look(f64::from(minute)).await);
        assert_eq!((found.state, fine.state), (of_bad, of_well), "{minute}");
        let beyond = |found: &Evaluation| {
            let figures = &found.slices[0].figures;
            figures.value.zip(figures.limit).map(|(value, limit)| value >= limit)
        };
        assert_eq!(beyond(&found), (of_bad == State::Firing).then_some(true), "{minute}");
        assert_eq!(beyond(&fine), (of_well == State::Ok).then_some(false), "{minute}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_a_fault_and_no_state() {
    let mut watch = Watch::new(json!({ "compare": { "threshold": { "above": 0.1 } } }));
    watch.traffic.away = true;
    let fault = crate::evaluate(&watch.spec, &watch.traffic, &watch.history, at(900.0)).await.unwrap_err();
    assert_eq!(fault.code(), "away");
}
