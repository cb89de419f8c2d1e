use mainspring_statistics::Random;
use serde_json::{Value, json};

use super::events::{Event, Watch};
use crate::{Evaluation, State};

fn with(release: &'static str, rate: f64, random: &mut Random) -> impl FnMut(Event) -> Event {
    move |event| Event { release, failed: random.happens(rate), ..event }
}

/// A release with this rate of errors for two hours, then another for three.
fn released(compare: Value, before: f64, after: f64, seed: u64) -> Watch {
    let mut watch = Watch::new(json!({ "compare": { "release": compare }, "recover": "0s" }));
    let mut random = Random::new(seed);
    watch.traffic.add(0..120, 10, with("1", before, &mut random));
    watch.traffic.add(120..300, 10, with("2", after, &mut random));
    watch
}

fn says(watch: &Watch, found: &Evaluation) -> String {
    crate::sentence(&watch.spec, &found.slices[0])
}

#[tokio::test]
async fn a_worse_release_is_found_by_either_test_and_sooner_by_the_sequential_one() {
    let mut found_at = Vec::new();
    for test in ["fixed", "sequential"] {
        let mut watch = released(json!({ "test": test }), 0.05, 0.25, 1);
        let first = async {
            for minute in 121..300 {
                let found = watch.look(f64::from(minute)).await;
                if found.state == State::Firing {
                    assert_eq!(found.slices[0].figures.releases, Some(("2".to_owned(), "1".to_owned())));
                    return minute;
                }
            }
            300
        };
        found_at.push(first.await);
    }
    assert!(found_at[0] == 135 && found_at[1] < 135, "{found_at:?}");
}

#[tokio::test]
async fn a_release_that_is_no_worse_is_rarely_said_to_be_however_often_it_is_looked_at() {
    for test in ["fixed", "sequential"] {
        let mut alarms = 0;
        for seed in 0..60 {
            let mut watch = released(json!({ "test": test, "error": 0.05, "worse": "either" }), 0.1, 0.1, seed);
            let mut fired = false;
            for minute in (122..300).step_by(6) {
                fired |= watch.look(f64::from(minute)).await.state == State::Firing;
            }
            alarms += u32::from(fired);
        }
        // Of sixty at five percent, eight or more come up once in a hundred times.
        assert!(alarms < 8, "{test}: {alarms}");
    }
}

#[tokio::test]
async fn a_new_release_is_warming_and_a_silent_one_is_missing() {
    let mut watch = released(json!({}), 0.05, 0.05, 2);
    let found = watch.look(125.0).await;
    assert_eq!((found.state, says(&watch, &found)), (State::Warming, "the first 15m of 2 are not over".to_owned()));
    assert_eq!(watch.look(136.0).await.state, State::Ok);

    let mut silent = Watch::new(json!({ "compare": { "release": {} } }));
    silent.traffic.add(0..60, 10, |event| event);
    let alone = silent.look(60.0).await;
    assert_eq!(alone.state, State::Warming, "there is no other release");
    assert_eq!(says(&silent, &alone), "there is no release before the newest to compare with");
    assert_eq!(Watch::new(json!({ "compare": { "release": {} } })).look(60.0).await.state, State::Missing);
}

#[tokio::test]
async fn a_release_that_a_clock_ahead_dates_into_the_future_is_not_there_yet() {
    let ahead = |watch: &mut Watch| watch.traffic.add(720..721, 1, |event| Event { release: "3", ..event });
    for test in ["fixed", "sequential"] {
        let mut watch = released(json!({ "test": test }), 0.05, 0.25, 1);
        ahead(&mut watch);
        let found = watch.look(240.0).await;
        let releases = Some(("2".to_owned(), "1".to_owned()));
        assert_eq!((found.state, &found.slices[0].figures.releases), (State::Firing, &releases), "{test}");
        // When its time has come it is a release as any other.
        let found = watch.look(721.0).await;
        assert_eq!(found.slices[0].figures.releases, Some(("3".to_owned(), "2".to_owned())), "{test}");
    }
    // Something came, if only by that clock.
    let mut alone = Watch::new(json!({ "compare": { "release": {} } }));
    ahead(&mut alone);
    let found = alone.look(60.0).await;
    assert_eq!(
        (found.state, says(&alone, &found)),
        (State::Warming, "there is no release before the newest to compare with".to_owned())
    );
}

#[tokio::test]
async fn a_baseline_can_be_named() {
    let mut watch = Watch::new(json!({ "compare": { "release": { "baseline": "1" } } }));
    let mut random = Random::new(3);
    watch.traffic.add(0..60, 10, with("1", 0.02, &mut random));
    watch.traffic.add(60..120, 10, with("2", 0.4, &mut random));
    watch.traffic.add(120..180, 10, with("3", 0.4, &mut random));
    let found = watch.look(180.0).await;
    assert_eq!(found.slices[0].figures.releases, Some(("3".to_owned(), "1".to_owned())));
    assert_eq!(found.state, State::Firing);
    watch.spec = super::events::spec(json!({ "compare": { "release": {} } }));
    watch.history = crate::History::default();
    assert_eq!(watch.look(180.0).await.state, State::Ok, "the one before was no better");
    watch.spec = super::events::spec(json!({ "compare": { "release": { "baseline": "9" } } }));
    watch.history = crate::History::default();
    let unknown = watch.look(180.0).await;
    assert_eq!(unknown.state, State::Warming);
    assert_eq!(says(&watch, &unknown), "there is no release 9 before the newest to compare with");
}

#[tokio::test]
async fn a_release_is_compared_with_one_of_its_own_service() {
    let mut random = Random::new(5);
    let mut of = |service: &'static str, release: &'static str, rate: f64| {
        let mut draws = Random::new(random.next_u64());
        move |event: Event| Event { service, release, failed: draws.happens(rate), ..event }
    };
    let mut watch = Watch::new(json!({ "compare": { "release": {} } }));
    watch.traffic.add(0..60, 10, of("desk", "2", 0.02));
    // Another service fails all the time, under a version of the same name and under one that is newer.
    watch.traffic.add(0..60, 10, of("shop", "2", 0.4));
    watch.traffic.add(30..120, 10, of("shop", "3", 0.4));
    watch.traffic.add(60..120, 10, of("desk", "9", 0.4));
    let found = watch.look(120.0).await;
    assert_eq!((found.state, &found.slices[0].figures.releases), (State::Firing, &Some(("9".to_owned(), "2".to_owned()))));
    let asked = watch.traffic.asked.lock().unwrap().clone();
    let services = asked.iter().map(|query| (query.release.as_deref(), query.services.as_slice())).collect::<Vec<_>>();
    assert_eq!(services, [(Some("9"), &[][..]), (Some("2"), &[Some("desk".to_owned())][..])], "others have no 9");

    // A release that both have is one: what came before it is looked for at both.
    watch.traffic.add(120..180, 10, of("desk", "10", 0.4));
    watch.traffic.add(121..180, 10, of("shop", "10", 0.4));
    watch.history = crate::History::default();
    let both = watch.look(180.0).await;
    assert_eq!((both.state, &both.slices[0].figures.releases), (State::Ok, &Some(("10".to_owned(), "9".to_owned()))));
    // The first release of a service has none before it; a baseline that is named may be anybody's.
    watch.traffic.add(180..240, 10, of("store", "1", 0.4));
    for (compare, releases) in [(json!({}), None), (json!({ "baseline": "3" }), Some(("1".to_owned(), "3".to_owned())))] {
        watch.spec = super::events::spec(json!({ "compare": { "release": compare } }));
        watch.history = crate::History::default();
        let found = watch.look(240.0).await;
        assert_eq!(found.slices[0].figures.releases, releases);
    }
}

#[tokio::test]
async fn slices_of_a_release_are_compared_each_with_its_own_past() {
    let mut watch = Watch::new(json!({ "compare": { "release": {} }, "slices": "language" }));
    let mut random = Random::new(4);
    // Polish was bad before; German becomes bad.
    for (slice, before, after) in [("de", 0.05, 0.4), ("pl", 0.4, 0.4)] {
        watch.traffic.add(0..60, 10, |event| Event { slice, release: "1", failed: random.happens(before), ..event });
        watch.traffic.add(60..120, 10, |event| Event { slice, release: "2", failed: random.happens(after), ..event });
    }
    let early = watch.look(62.0).await;
    assert_eq!(early.state, State::Warming);
    let found = watch.look(120.0).await;
    let states: Vec<_> = found.slices.iter().map(|slice| (slice.slice.as_deref(), slice.state)).collect();
    assert_eq!(states, [(Some("de"), State::Firing), (Some("pl"), State::Ok)]);
}
