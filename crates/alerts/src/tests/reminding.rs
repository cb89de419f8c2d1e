//! Nobody forgets what nobody looks at.

use mainspring_catalog::Catalog;
use mainspring_testservers::{
    on_every_engine,
    upstream::{Behaviour, Script, Upstream},
};

use super::*;

on_every_engine!(Catalog: [
    who_wants_to_be_reminded_is_until_somebody_looks_after_it,
    nobody_is_reminded_of_what_has_not_arrived,
]);

impl Room {
    /// As the tasks of a server do, every few seconds.
    async fn pass(&self, time: Duration) {
        const STEP: Duration = Duration::from_secs(600);
        let mut left = time;
        while !left.is_zero() {
            let step = left.min(STEP);
            left -= step;
            self.clock.advance(step);
            self.alerts.remind_due().await.unwrap();
            self.deliver().await;
        }
    }
}

async fn who_wants_to_be_reminded_is_until_somebody_looks_after_it(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook_with("often", &upstream, "", json!({ "remind_every": "1h" })).await;
    room.hook_with("never", &upstream, "", json!({ "remind_every": "0s" })).await;
    room.hook("usual", &upstream, "").await;
    let id = room.raise("de").await.incident;
    room.deliver().await;
    room.pass(5 * HOUR).await;
    let reminders = |said: Vec<String>| said.iter().filter(|said| *said == "reminder delivered").count();
    let often = reminders(room.said("often").await);
    assert!((4..=5).contains(&often), "{often}");
    assert_eq!(reminders(room.said("never").await), 0);
    assert_eq!(reminders(room.said("usual").await), 1, "every four hours");
    room.alerts.acknowledge(&room.editor, id, "").await.unwrap();
    room.pass(5 * HOUR).await;
    assert_eq!(reminders(room.said("often").await), often);
    assert!(kinds(&room.told(id).await.events).contains(&"reminded"));
}

async fn nobody_is_reminded_of_what_has_not_arrived(catalog: Catalog) {
    let room = Room::over(catalog).await;
    // All day long.
    let upstream = Upstream::start(Script::always(Behaviour::status(500))).unwrap();
    room.hook_with("ops", &upstream, "", json!({ "remind_every": "1h", "attempts": 50 })).await;
    room.raise("de").await;
    room.clock.advance(HOUR);
    room.alerts.remind_due().await.unwrap();
    assert_eq!(room.said("ops").await, ["opened pending"], "it waits to be sent for the first time");
}
