//! That one process looks at a time, and what becomes of a look whose process is slow, or dead.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mainspring_catalog::Catalog;
use mainspring_kernel::{
    Fault, Labels, Timestamp,
    id::{IncidentId, ProjectId},
};
use mainspring_testservers::on_every_engine;
use serde_json::json;
use tokio::sync::Semaphore;

use super::{Ears, Room, Shared, name, open};
use crate::{
    Bell, Measurements, MonitorFault, MonitorSpec, Of, Query, ReleaseOf, ReleaseSeen, Series, Showing, Signal, State, Watched,
    hold::LEASE,
    store,
    tests::events::{Event, at},
};

on_every_engine!(Catalog: [
    one_process_looks_at_a_time,
    a_look_that_takes_long_stays_with_who_began_it_and_a_dead_one_is_followed_soon,
    whoever_lost_a_monitor_tells_nobody,
    a_death_between_writing_down_and_telling_is_told_later,
]);

/// What takes until it is let go on.
#[derive(Debug, Clone)]
struct Slow<T> {
    inner: T,
    asked: Arc<Semaphore>,
    gate: Arc<Semaphore>,
}

impl<T> Slow<T> {
    fn over(inner: T) -> Self {
        Self { inner, asked: Arc::new(Semaphore::new(0)), gate: Arc::new(Semaphore::new(0)) }
    }

    async fn pause(&self) {
        self.asked.add_permits(1);
        drop(self.gate.acquire().await.unwrap());
    }

    /// Waits until somebody is kept waiting.
    async fn was_asked(&self) {
        self.asked.acquire().await.unwrap().forget();
    }

    fn let_go(&self) {
        self.gate.add_permits(1);
    }
}

#[async_trait]
impl Measurements for Slow<Shared> {
    async fn read(&self, query: Query) -> Result<Vec<Series>, Box<dyn Fault>> {
        self.pause().await;
        self.inner.read(query).await
    }

    async fn releases(&self, filter: Option<&str>, of: Of, by: ReleaseOf) -> Result<Vec<ReleaseSeen>, Box<dyn Fault>> {
        self.inner.releases(filter, of, by).await
    }
}

#[async_trait]
impl Watched for Slow<Shared> {
    fn of(&self, _: ProjectId, _: &Labels) -> Arc<dyn Measurements> {
        Arc::new(self.clone())
    }

    async fn examples(
        &self,
        _: ProjectId,
        _: &MonitorSpec,
        _: Showing<'_>,
        _: (Timestamp, Timestamp),
    ) -> Result<Vec<String>, Box<dyn Fault>> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Bell for Slow<Ears> {
    async fn raise(&self, signals: Vec<Signal>) -> Result<Vec<IncidentId>, Box<dyn Fault>> {
        self.pause().await;
        self.inner.raise(signals).await
    }

    async fn resolve(&self, project: ProjectId, fingerprint: &str) -> Result<(), Box<dyn Fault>> {
        self.inner.resolve(project, fingerprint).await
    }
}

async fn one_process_looks_at_a_time(catalog: Catalog) {
    let mut room = Room::over(catalog).await;
    room.apply(json!({})).await;
    assert_eq!(room.at(15.0).await, 1);
    let (now, key) = (at(15.0 * 60.0), (room.editor.project, name()));
    let far = at(1e6);
    let first = store::claim(&room.catalog, (key.0, &key.1), (now, now.plus(Duration::from_secs(60))), far).await.unwrap();
    assert!(first.is_some());
    let another = open(&room.catalog, &room.registry, &room.clock, &room.traffic, &room.ears);
    let refused = another.look_now(&room.editor, &name()).await.unwrap_err();
    assert!(matches!(refused, MonitorFault::Busy { .. }), "{refused}");
    room.clock.advance(Duration::from_secs(61));
    another.look_now(&room.editor, &name()).await.unwrap();
    // Whoever was late finds that somebody else has looked.
    let late = room.monitors.attend_to(&first.unwrap()).await.unwrap_err();
    assert!(matches!(late, MonitorFault::Busy { .. }), "{late}");
}

async fn a_look_that_takes_long_stays_with_who_began_it_and_a_dead_one_is_followed_soon(catalog: Catalog) {
    let mut room = Room::over(catalog).await;
    room.apply(json!({})).await;
    room.traffic(0..15, false);
    room.traffic(15..30, true);
    assert_eq!(room.at(15.0).await, 1);
    room.move_to(30.0);
    let slow = Slow::over(room.traffic.clone());
    let one = room.beside(Arc::new(slow.clone()), Arc::new(room.ears.clone()), Duration::from_millis(5));
    let kept = room.claim().await;
    let looking = tokio::spawn(async move { one.attend_to(&kept).await.map(drop) });
    slow.was_asked().await;
    // It takes far longer than a lease.
    for _ in 0..4 {
        let before = room.lease().await;
        room.clock.advance(LEASE * 3 / 4);
        while room.lease().await == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(room.round().await, 0, "somebody is at it");
    }
    looking.abort();
    assert!(looking.await.unwrap_err().is_cancelled());
    room.clock.advance(LEASE - Duration::from_millis(1));
    assert_eq!((room.round().await, room.state().await), (0, Some(State::Ok)));
    room.clock.advance(Duration::from_millis(1));
    assert_eq!((room.round().await, room.state().await), (1, Some(State::Firing)));
    assert_eq!((room.going(), room.lease().await), (vec!["monitor/errors".to_owned()], None));
    assert!(LEASE + crate::run::POLL <= Duration::from_secs(45), "as the guide says");
}

async fn whoever_lost_a_monitor_tells_nobody(catalog: Catalog) {
    let mut room = Room::over(catalog).await;
    room.apply(json!({ "slices": "user" })).await;
    assert_eq!(room.at(1.0).await, 1);
    room.traffic(0..15, true);
    room.traffic.0.lock().unwrap().add(0..15, 20, |event| Event { failed: true, slice: "two", ..event });
    room.move_to(15.0);
    let slow = Slow::over(room.ears.clone());
    // As one that sleeps: it renews nothing.
    let one = room.beside(Arc::new(room.traffic.clone()), Arc::new(slow.clone()), Duration::from_secs(3_600));
    let kept = room.claim().await;
    let looking = tokio::spawn(async move { one.attend_to(&kept).await.map(drop) });
    slow.was_asked().await;
    room.clock.advance(LEASE);
    assert_eq!((room.round().await, room.going().len()), (1, 2));
    slow.let_go();
    let late = looking.await.unwrap().unwrap_err();
    assert!(matches!(late, MonitorFault::Busy { .. }), "{late}");
    let said = room.ears.said.lock().unwrap().len();
    assert_eq!(said, 4, "two by whoever has it now, and what the other was saying already");
    assert!(room.monitors.get(&room.editor, &name()).await.unwrap().going.iter().all(|going| going.incident.is_some()));
}

async fn a_death_between_writing_down_and_telling_is_told_later(catalog: Catalog) {
    let mut room = Room::over(catalog).await;
    room.apply(json!({})).await;
    room.traffic(0..15, true);
    *room.ears.deaf.lock().unwrap() = true;
    assert_eq!(room.at(15.0).await, 1);
    assert_eq!((room.state().await, room.going()), (Some(State::Firing), Vec::new()));
    *room.ears.deaf.lock().unwrap() = false;
    room.monitors = open(&room.catalog, &room.registry, &room.clock, &room.traffic, &room.ears);
    assert_eq!(room.at(15.5).await, 1);
    assert_eq!(room.going(), ["monitor/errors"]);
    let stands = room.monitors.get(&room.editor, &name()).await.unwrap();
    assert_eq!((stands.going[0].incident, stands.trouble), (Some(IncidentId::from_raw(5)), None));
}
