use proptest::prelude::*;
use serde_json::json;

use super::events::{Event, Watch, at, spec};
use crate::{
    History, State,
    State::{Firing, Missing as Gone, Ok as Well, Warming},
    settle::{Finding, settle},
    state::{
        Figures, Verdict,
        Verdict::{Missing, Over, TooFew, Within},
    },
};

/// States after a look every minute.
fn settled(fields: serde_json::Value, verdicts: &[Verdict]) -> Vec<State> {
    let spec = spec(fields);
    let mut history = History::default();
    let look = |(minute, verdict): (usize, &Verdict)| {
        let found = vec![Finding::new(None, (*verdict, Figures::default()))];
        let evaluation = settle(&spec, &history, at(minute as f64 * 60.0), found, None);
        history = evaluation.history;
        evaluation.state
    };
    verdicts.iter().enumerate().map(look).collect()
}

fn of(hold: &str, recover: &str) -> serde_json::Value {
    json!({ "compare": { "threshold": { "above": 0.1 } }, "hold": hold, "recover": recover })
}

#[test]
fn it_fires_when_it_has_been_wrong_for_long_enough_without_a_break() {
    assert_eq!(settled(of("0s", "0s"), &[Within, Over, Within]), [Well, Firing, Well]);
    assert_eq!(settled(of("2m", "0s"), &[Over, Over, Within, Over, Over, Over]), [Well, Well, Well, Well, Well, Firing]);
}

#[test]
fn it_is_over_when_it_has_been_well_for_long_enough_without_a_break() {
    let verdicts = [Over, Within, Over, Within, Within, Within, Within];
    assert_eq!(settled(of("0s", "2m"), &verdicts), [Firing, Firing, Firing, Firing, Firing, Well, Well]);
}

#[test]
fn neither_silence_nor_a_trickle_ends_what_has_fired() {
    let verdicts = [Over, Missing, TooFew, Within, Within];
    assert_eq!(settled(of("0s", "1m"), &verdicts), [Firing, Gone, Firing, Firing, Well]);
    assert_eq!(settled(of("0s", "1m"), &[Missing, TooFew, Within]), [Gone, Warming, Well]);
    // After silence the time it has been wrong begins anew.
    assert_eq!(settled(of("1m", "0s"), &[Over, Missing, Over, Over]), [Well, Gone, Well, Firing]);
}

#[tokio::test]
async fn a_monitor_of_something_that_dies_says_so_until_it_is_back_and_well() {
    let mut watch = Watch::new(json!({ "compare": { "threshold": { "above": 0.1 } }, "window": "5m", "recover": "5m" }));
    watch.traffic.add(0..5, 20, |event| Event { failed: true, ..event });
    watch.traffic.add(10..20, 20, |event| event);
    let mut states = Vec::new();
    for minute in [5.0, 10.0, 15.0, 16.0, 20.0] {
        states.push(watch.look(minute).await.state);
    }
    assert_eq!(states, [Firing, Gone, Firing, Firing, Well]);
}

proptest! {
    #[test]
    fn states_follow_from_verdicts(verdicts in proptest::collection::vec(prop_oneof![Just(Over), Just(Within), Just(TooFew), Just(Missing)], 0..40), hold in 0..4_usize, recover in 0..4_usize) {
        let states = settled(of(&format!("{hold}m"), &format!("{recover}m")), &verdicts);
        for (index, (state, verdict)) in states.iter().zip(&verdicts).enumerate() {
            prop_assert_eq!(*state == Gone, *verdict == Missing);
            let run = |wanted: Verdict| verdicts[..=index].iter().rev().take_while(|verdict| **verdict == wanted).count();
            if run(Over) > hold {
                prop_assert_eq!(*state, Firing);
            }
            if run(Within) > recover {
                prop_assert_eq!(*state, Well);
            }
            let ever = verdicts[..=index].split(|verdict| *verdict != Over).any(|run| run.len() > hold);
            prop_assert!(ever || *state != Firing);
        }
    }
}
