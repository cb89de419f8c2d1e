//! What an alert says was measured.

use mainspring_testservers::on_every_engine;

use super::*;

on_every_engine!(Catalog: [
    an_interval_is_of_what_it_stands_beside,
]);

/// What the last alert says, as a number or as two.
fn fact(room: &Room, name: &str) -> Option<Vec<f64>> {
    let said = room.ears.said.lock().unwrap();
    let fact = said.last().unwrap().facts.get(name)?;
    let numbers = fact.as_array().cloned().unwrap_or_else(|| vec![fact.clone()]);
    Some(numbers.iter().map(|number| number.as_f64().unwrap()).collect())
}

fn holds(room: &Room, interval: &str, value: &str) -> Option<bool> {
    let (bounds, value) = (fact(room, interval)?, fact(room, value)?);
    Some(bounds[0] <= value[0] && value[0] <= bounds[1])
}

async fn an_interval_is_of_what_it_stands_beside(catalog: Catalog) {
    let mut room = Room::over(catalog).await;
    let traffic = |room: &Room, slice: &'static str, minutes: std::ops::Range<u32>, every: usize| {
        let mut count = 0;
        room.traffic.0.lock().unwrap().add(minutes, 20, |event| {
            count += 1;
            Event { slice, failed: count % every == 0, ..event }
        });
    };
    traffic(&room, "well", 0..15, 10);
    traffic(&room, "well", 15..30, 10);
    traffic(&room, "bad", 15..30, 2);
    let names = ["interval", "limit", "reference", "difference", "difference_interval", "difference_limit"];
    let said = |room: &Room| names.map(|name| fact(room, name).is_some());
    let both = |room: &Room| [holds(room, "interval", "value"), holds(room, "difference_interval", "difference")];

    room.apply(json!({ "compare": { "threshold": { "above": 0.15 } } })).await;
    room.at(30.0).await;
    assert_eq!((said(&room), both(&room)), ([true, true, false, false, false, false], [Some(true), None]));
    room.apply(json!({ "compare": { "previous": { "by": 0.5 } } })).await;
    room.at(31.0).await;
    assert_eq!((said(&room), both(&room)), ([false, false, true, true, true, true], [None, Some(true)]));
    assert!((fact(&room, "difference_limit").unwrap()[0] - 0.05).abs() < 1e-9, "half of a tenth");
    room.apply(json!({ "compare": { "rest": {} }, "slices": "model" })).await;
    room.at(32.0).await;
    assert_eq!((said(&room), both(&room)), ([true, false, true, true, true, false], [Some(true), Some(true)]));
    room.apply(json!({ "measure": { "sum": { "field": "cost" } }, "compare": { "threshold": { "above": 100 } } })).await;
    room.at(33.0).await;
    assert_eq!(said(&room), [false, true, false, false, false, false], "how a sum scatters nobody knows");
}
