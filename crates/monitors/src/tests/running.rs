//! Monitors that run over a catalog, on both engines: what they remember, and whom they tell.

mod holding;
mod once;
mod silence;
mod telling;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use mainspring_catalog::{Catalog, params};
use mainspring_kernel::{
    Actor, Fault, FrozenClock, Labels, ModelScope, Name, PageRequest, Role, Timestamp,
    id::{IncidentId, PrincipalId, ProjectId},
};
use mainspring_registry::{Draft, Registry, RegistryFault};
use mainspring_testservers::on_every_engine;
use serde_json::{Value, json};

use super::events::{Away, Event, Traffic, at};
use crate::{
    Bell, Measure, Measured, Measurements, MonitorFault, MonitorSpec, Monitors, Of, Parts, Query, ReleaseOf, ReleaseSeen, Series,
    Showing, Signal, State, Watched, descriptor, hold::LEASE, run::Marks, store,
};

on_every_engine!(Catalog: [
    every_statement_compiles,
    what_fires_is_told_and_resolved,
    that_it_compares_otherwise_is_said_when_the_spec_changes_and_not_at_every_look,
    looks_at_what_recovers_do_not_say_why_it_fired,
    what_cannot_be_measured_is_said_and_tried_again,
    one_that_is_switched_off_has_no_alerts,
    the_newest_evaluations_are_kept,
    slices_that_are_erased_are_remembered_nowhere,
    how_all_of_them_stand_is_counted,
    what_is_counted_of_every_trace_is_for_whoever_sees_them_all,
]);

/// Traffic that others can add to while it is watched.
#[derive(Debug, Clone, Default)]
struct Shared(Arc<Mutex<Traffic>>);

#[async_trait]
impl Measurements for Shared {
    async fn read(&self, query: Query) -> Result<Vec<Series>, Box<dyn Fault>> {
        let traffic = self.copy();
        traffic.read(query).await
    }

    async fn releases(&self, filter: Option<&str>, of: Of, by: ReleaseOf) -> Result<Vec<ReleaseSeen>, Box<dyn Fault>> {
        let traffic = self.copy();
        traffic.releases(filter, of, by).await
    }

    async fn reference_set(&self, measure: &Measure) -> Result<(), Box<dyn Fault>> {
        self.0.lock().unwrap().references.push(measure.clone());
        Ok(())
    }
}

impl Shared {
    fn copy(&self) -> Traffic {
        let traffic = self.0.lock().unwrap();
        Traffic { events: traffic.events.clone(), away: traffic.away, ..Traffic::default() }
    }
}

#[async_trait]
impl Watched for Shared {
    /// All of the traffic is hidden from whoever does not see everything.
    fn of(&self, _: ProjectId, labels: &Labels) -> Arc<dyn Measurements> {
        Arc::new(if *labels == Labels::All { self.clone() } else { Self::default() })
    }

    async fn examples(
        &self,
        _: ProjectId,
        _: &MonitorSpec,
        _: Showing<'_>,
        _: (Timestamp, Timestamp),
    ) -> Result<Vec<String>, Box<dyn Fault>> {
        Ok(vec!["t1".to_owned()])
    }
}

/// What goes on, and everything that was said.
#[derive(Debug, Clone, Default)]
struct Ears {
    going: Arc<Mutex<BTreeSet<String>>>,
    said: Arc<Mutex<Vec<Signal>>>,
    /// How many at once.
    together: Arc<Mutex<Vec<usize>>>,
    deaf: Arc<Mutex<bool>>,
}

#[async_trait]
impl Bell for Ears {
    async fn raise(&self, signals: Vec<Signal>) -> Result<Vec<IncidentId>, Box<dyn Fault>> {
        if *self.deaf.lock().unwrap() {
            return Err(Box::new(Away));
        }
        let incidents = vec![IncidentId::from_raw(5); signals.len()];
        self.together.lock().unwrap().push(signals.len());
        self.going.lock().unwrap().extend(signals.iter().map(|signal| signal.fingerprint.clone()));
        self.said.lock().unwrap().extend(signals);
        Ok(incidents)
    }

    async fn resolve(&self, _: ProjectId, fingerprint: &str) -> Result<(), Box<dyn Fault>> {
        self.going.lock().unwrap().remove(fingerprint);
        Ok(())
    }
}

struct Room {
    monitors: Monitors,
    catalog: Catalog,
    registry: Registry,
    clock: FrozenClock,
    traffic: Shared,
    ears: Ears,
    editor: Actor,
    marks: Marks,
}

fn open(catalog: &Catalog, registry: &Registry, clock: &FrozenClock, traffic: &Shared, ears: &Ears) -> Monitors {
    Monitors::open(Parts {
        catalog: catalog.clone(),
        registry: registry.clone(),
        clock: Arc::new(clock.clone()),
        watched: Arc::new(traffic.clone()),
        bell: Arc::new(ears.clone()),
    })
}

impl Room {
    async fn over(catalog: Catalog) -> Self {
        const PROJECT: &str = "INSERT INTO project (id, name, description, created) VALUES ($1, $2, '', 0)";
        let clock = FrozenClock::at(at(0.0));
        let project = ProjectId::from_raw(1);
        catalog.write(PROJECT, params![project, "ours"]).await.unwrap();
        let registry = Registry::open(catalog.clone(), Arc::new(clock.clone()), vec![descriptor()]);
        let (traffic, ears) = (Shared::default(), Ears::default());
        let monitors = open(&catalog, &registry, &clock, &traffic, &ears);
        let editor = Actor {
            principal: PrincipalId::from_raw(3),
            project,
            role: Role::Editor,
            labels: Labels::All,
            key: None,
            models: ModelScope::All,
        };
        Self { monitors, catalog, registry, clock, traffic, ears, editor, marks: Marks::new() }
    }

    async fn apply(&self, fields: Value) {
        self.clock.advance(Duration::from_millis(2));
        self.registry.apply(&self.editor, &[draft(fields)], "a test").await.unwrap();
    }

    fn traffic(&self, minutes: std::ops::Range<u32>, failed: bool) {
        self.traffic.0.lock().unwrap().add(minutes, 20, |event| Event { failed, ..event });
    }

    /// Looks at what is due so many minutes after the start; answers how many looks that were.
    async fn at(&mut self, minute: f64) -> usize {
        self.move_to(minute);
        self.round().await
    }

    async fn round(&mut self) -> usize {
        self.monitors.round(&mut self.marks).await.unwrap()
    }

    fn move_to(&self, minute: f64) {
        self.clock.advance(at(minute * 60.0).since(self.now()));
    }

    fn now(&self) -> Timestamp {
        mainspring_kernel::Clock::now(&self.clock)
    }

    /// Another process over the same catalog.
    fn beside(&self, watched: Arc<dyn Watched>, bell: Arc<dyn Bell>, beat: Duration) -> Monitors {
        let (catalog, registry, clock) = (self.catalog.clone(), self.registry.clone(), Arc::new(self.clock.clone()));
        Monitors { beat, ..Monitors::open(Parts { catalog, registry, clock, watched, bell }) }
    }

    /// The lease of the monitor, which is due.
    async fn claim(&self) -> store::Kept {
        let now = self.now();
        store::claim(&self.catalog, (self.editor.project, &name()), (now, now.plus(LEASE)), now).await.unwrap().unwrap()
    }

    async fn lease(&self) -> Option<Timestamp> {
        store::get(&self.catalog, self.editor.project, &name()).await.unwrap().unwrap().lease_until
    }

    async fn state(&self) -> Option<State> {
        self.monitors.get(&self.editor, &name()).await.unwrap().evaluation.map(|found| found.state)
    }

    fn going(&self) -> Vec<String> {
        self.ears.going.lock().unwrap().iter().cloned().collect()
    }
}

fn draft(fields: Value) -> Draft {
    let mut spec = json!({
        "measure": { "rate": { "hits": "error" } }, "compare": { "threshold": { "above": 0.1 } },
        "delay": "0s", "recover": "0s", "notify_missing": false,
    });
    for (name, value) in fields.as_object().unwrap() {
        spec[name] = value.clone();
    }
    let value = json!({ "apiVersion": "mainspring/v1", "kind": "monitor", "name": "errors", "spec": spec });
    Draft { origin: "errors.yaml".to_owned(), value }
}

fn name() -> Name {
    "errors".parse().unwrap()
}

async fn every_statement_compiles(catalog: Catalog) {
    let failed = mainspring_catalog::testing::prepare_all(&catalog, store::STATEMENTS).await;
    assert!(failed.is_empty(), "{failed:#?}");
}

async fn that_it_compares_otherwise_is_said_when_the_spec_changes_and_not_at_every_look(catalog: Catalog) {
    let mut room = Room::over(catalog).await;
    let set = |room: &Room| room.traffic.0.lock().unwrap().references.clone();
    let topics = |back: &str| {
        let compare = json!({ "previous": { "back": back } });
        json!({ "measure": { "topics": { "field": "input" } }, "compare": compare, "window": "1h" })
    };
    let away = |room: &Room, away: bool| room.traffic.0.lock().unwrap().away = away;
    room.apply(topics("1d")).await;
    room.traffic(0..60, false);
    away(&room, true);
    assert_eq!((room.at(60.0).await, set(&room)), (1, Vec::new()), "a look that comes to nothing is made again and again");
    away(&room, false);
    assert_eq!(room.at(61.0).await, 1);
    let said = Measure::Topics { field: "input".to_owned() };
    assert_eq!(set(&room), [said.clone()], "it is new");
    assert_eq!(room.at(240.0).await, 1);
    // Nor is it by somebody who only wants to know what it would say.
    room.monitors.try_out(&room.editor, &name()).await.unwrap();
    assert_eq!(set(&room).len(), 1);
    room.apply(topics("7d")).await;
    assert_eq!(room.at(480.0).await, 1);
    assert_eq!(set(&room), [said.clone(), said]);
}

async fn what_fires_is_told_and_resolved(catalog: Catalog) {
    let mut room = Room::over(catalog).await;
    room.apply(json!({ "labels": { "app": "desk" }, "group_by": ["app"] })).await;
    room.traffic(0..15, true);
    room.traffic(15..60, false);
    assert_eq!(room.at(15.0).await, 1);
    assert_eq!((room.state().await, room.going()), (Some(State::Firing), vec!["monitor/errors".to_owned()]));
    let said = room.ears.said.lock().unwrap()[0].clone();
    assert_eq!(said.group_by, ["app"]);
    assert_eq!((said.labels["app"].as_str(), said.traces.as_slice()), ("desk", &["t1".to_owned()][..]));
    assert!(said.summary.starts_with("the share with error is 100 %"), "{}", said.summary);
    assert_eq!(room.at(15.5).await, 0, "the same window says nothing new");
    assert_eq!(room.at(30.0).await, 1);
    assert_eq!((room.state().await, room.going()), (Some(State::Ok), Vec::new()));
    let page = room.monitors.evaluations(&room.editor, &name(), &PageRequest::first(1)).await.unwrap();
    assert_eq!((page.items[0].1.state, page.next.is_some()), (State::Ok, true));
}

async fn looks_at_what_recovers_do_not_say_why_it_fired(catalog: Catalog) {
    let mut room = Room::over(catalog).await;
    room.apply(json!({ "recover": "30m" })).await;
    room.traffic(0..15, true);
    room.traffic(15..90, false);
    let said = |room: &Room| room.ears.said.lock().unwrap().len();
    room.at(15.0).await;
    assert_eq!(said(&room), 1);
    // It is well again, and not yet for long enough to be over.
    for minute in [30.0, 31.0, 45.0] {
        assert_eq!(room.at(minute).await, 1, "{minute}");
        assert_eq!((room.state().await, room.going().len(), said(&room)), (Some(State::Firing), 1, 1), "{minute}");
    }
    room.at(60.0).await;
    assert_eq!((room.state().await, room.going(), said(&room)), (Some(State::Ok), Vec::new(), 1));
    // Nobody was told of it while it was wrong: better late.
    room.traffic(90..105, true);
    room.traffic(105..120, false);
    *room.ears.deaf.lock().unwrap() = true;
    room.at(105.0).await;
    *room.ears.deaf.lock().unwrap() = false;
    room.at(120.0).await;
    assert_eq!((room.state().await, room.going().len(), said(&room)), (Some(State::Firing), 1, 2));
}

async fn what_cannot_be_measured_is_said_and_tried_again(catalog: Catalog) {
    let mut room = Room::over(catalog).await;
    room.apply(json!({})).await;
    room.traffic(0..15, false);
    room.traffic.0.lock().unwrap().away = true;
    assert_eq!(room.at(15.0).await, 1);
    let trouble = room.monitors.get(&room.editor, &name()).await.unwrap().trouble.unwrap();
    assert!(trouble.contains("the table is away"), "{trouble}");
    assert_eq!(room.state().await, None);
    room.traffic.0.lock().unwrap().away = false;
    assert_eq!(room.at(15.5).await, 1);
    let stands = room.monitors.get(&room.editor, &name()).await.unwrap();
    assert_eq!((stands.state(), stands.trouble), (Some(State::Ok), None));
    // What was well the last time it could be seen is not well for that.
    room.traffic(15..45, true);
    room.traffic.0.lock().unwrap().away = true;
    assert_eq!(room.at(30.0).await, 1);
    let stands = room.monitors.get(&room.editor, &name()).await.unwrap();
    assert_eq!((stands.state(), room.state().await), (Some(State::Missing), Some(State::Ok)));
    room.traffic.0.lock().unwrap().away = false;
    assert_eq!(room.at(30.5).await, 1);
    room.traffic.0.lock().unwrap().away = true;
    assert_eq!(room.at(45.0).await, 1);
    let stands = room.monitors.get(&room.editor, &name()).await.unwrap();
    assert_eq!((stands.state(), stands.trouble.is_some()), (Some(State::Firing), true), "it is not over for that");
}

async fn how_all_of_them_stand_is_counted(catalog: Catalog) {
    let mut room = Room::over(catalog).await;
    assert_eq!(room.monitors.measured(), None, "nobody has looked");
    room.apply(json!({})).await;
    room.traffic(0..15, true);
    let counted = async |room: &Room| {
        room.monitors.measure().await.unwrap();
        let Measured { states, in_trouble } = room.monitors.measured().unwrap();
        assert_eq!(states.len(), 5, "every state is there, so that what is over falls to nothing");
        let there: Vec<(&str, u64)> = states.into_iter().filter(|(_, count)| *count > 0).collect();
        (there, in_trouble)
    };
    store::ensure(&room.catalog, (room.editor.project, &"another".parse().unwrap(), 1), at(1e7)).await.unwrap();
    assert_eq!(counted(&room).await, (vec![("none", 1)], 0));
    room.at(15.0).await;
    assert_eq!(counted(&room).await, (vec![("firing", 1), ("none", 1)], 0));
    room.traffic(15..30, false);
    room.at(30.0).await;
    assert_eq!(counted(&room).await, (vec![("none", 1), ("ok", 1)], 0));
    room.traffic.0.lock().unwrap().away = true;
    room.at(45.0).await;
    assert_eq!(counted(&room).await, (vec![("missing", 1), ("none", 1)], 1));
}

async fn one_that_is_switched_off_has_no_alerts(catalog: Catalog) {
    let mut room = Room::over(catalog).await;
    room.apply(json!({})).await;
    room.traffic(0..60, true);
    room.at(15.0).await;
    assert_eq!(room.going().len(), 1);
    room.apply(json!({ "enabled": false })).await;
    room.at(16.0).await;
    assert_eq!((room.state().await, room.going()), (None, Vec::new()));
    assert_eq!(room.at(60.0).await, 0);
    let off = room.monitors.look_now(&room.editor, &name()).await.unwrap_err();
    assert!(matches!(off, MonitorFault::Off { .. }), "{off}");
}

async fn the_newest_evaluations_are_kept(catalog: Catalog) {
    const ADD: &str =
        "INSERT INTO monitor_evaluation (project, name, looked, version, evaluation) VALUES ($1, 'errors', $2, 1, $3)";
    let mut room = Room::over(catalog).await;
    room.apply(json!({})).await;
    let mut tx = room.catalog.begin().await.unwrap();
    for micros in 0..store::KEPT {
        tx.execute(ADD, params![room.editor.project, micros, "{}"]).await.unwrap();
    }
    tx.commit().await.unwrap();
    room.at(15.0).await;
    const COUNT: &str = "SELECT COUNT(*) AS kept, MIN(looked) AS oldest FROM monitor_evaluation";
    let rows = room.catalog.query(COUNT, Vec::new()).await.unwrap();
    assert_eq!((rows[0].number::<usize>("kept").unwrap(), rows[0].int("oldest").unwrap()), (store::KEPT, 1));
}

async fn slices_that_are_erased_are_remembered_nowhere(catalog: Catalog) {
    let mut room = Room::over(catalog).await;
    room.apply(json!({ "slices": "user" })).await;
    room.traffic(0..15, true);
    room.traffic.0.lock().unwrap().add(0..15, 20, |event| Event { failed: true, slice: "two", ..event });
    assert_eq!(room.at(15.0).await, 1);
    assert_eq!(room.going(), ["monitor/errors/one", "monitor/errors/two"]);
    // Somebody has begun to look, and knows of both.
    let (now, key) = (at(15.0 * 60.0), (room.editor.project, name()));
    let until = now.plus(Duration::from_secs(60));
    let looker = store::claim(&room.catalog, (key.0, &key.1), (now, until), at(1e6)).await.unwrap().unwrap();
    room.monitors.forget(room.editor.project, &["one".to_owned()], &[]).await.unwrap();
    room.monitors.settle().await;
    let late = room.monitors.attend_to(&looker).await.unwrap_err();
    assert!(matches!(late, MonitorFault::Busy { .. }), "{late}");

    let stands = room.monitors.get(&room.editor, &name()).await.unwrap();
    let slices: Vec<String> = stands.evaluation.unwrap().slices.into_iter().filter_map(|slice| slice.slice).collect();
    assert_eq!(slices, ["two"]);
    assert_eq!(stands.going.iter().map(|going| going.fingerprint.as_str()).collect::<Vec<_>>(), ["monitor/errors/two"]);
    let found = room.monitors.evaluations(&room.editor, &name(), &PageRequest::first(10)).await.unwrap();
    assert!(!found.items.is_empty());
    assert!(!format!("{found:?}").contains("\"one\""), "{found:?}");
    let kept = store::get(&room.catalog, key.0, &key.1).await.unwrap().unwrap();
    assert!(!kept.history.is_open(Some("one")) && kept.history.is_open(Some("two")));
    // What comes afterwards is seen as anything else.
    assert_eq!(room.at(15.5).await, 1, "it is looked at again");
    assert_eq!(room.monitors.get(&room.editor, &name()).await.unwrap().going.len(), 2);
}

async fn what_is_counted_of_every_trace_is_for_whoever_sees_them_all(catalog: Catalog) {
    let mut room = Room::over(catalog).await;
    room.apply(json!({})).await;
    room.traffic(0..15, true);
    room.at(15.0).await;
    let limited = Actor { labels: Labels::none(), ..room.editor.clone() };
    let listed = room.monitors.list(&limited, &PageRequest::first(9)).await.unwrap().items.remove(0);
    let shown = room.monitors.get(&limited, &name()).await.unwrap();
    assert_eq!(listed, shown);
    assert!(shown.hidden && shown.spec.is_some());
    let told = (shown.evaluation, shown.looked_version, shown.going, shown.trouble, shown.next);
    assert_eq!(told, (None, None, Vec::new(), None, None));
    let seen = room.monitors.get(&room.editor, &name()).await.unwrap();
    assert!(!seen.hidden && seen.evaluation.is_some() && seen.going.len() == 1);

    let refused = room.monitors.evaluations(&limited, &name(), &PageRequest::first(9)).await.unwrap_err();
    assert!(matches!(refused, MonitorFault::Unseen), "{refused}");
    let refused = room.monitors.look_now(&limited, &name()).await.unwrap_err();
    assert!(matches!(refused, MonitorFault::Unseen), "{refused}");
    // Tried out, it counts what they may see, and knows nothing of what was found before.
    let tried = room.monitors.try_out(&limited, &name()).await.unwrap();
    assert_eq!((tried.evaluation.state, tried.going), (State::Missing, Vec::new()));
    assert!(
        tried.evaluation.slices.iter().all(|slice| slice.was.is_none() && slice.figures.count == 0),
        "{:?}",
        tried.evaluation
    );
    assert_eq!(room.monitors.try_out(&room.editor, &name()).await.unwrap().evaluation.state, State::Firing);

    // A filter of their own would ask for them.
    let asking = draft(json!({ "filter": "content contains \"secret\"" }));
    let refused = room.registry.apply(&limited, &[asking], "").await.unwrap_err();
    assert!(matches!(refused, RegistryFault::Unseen { .. }), "{refused}");
    assert!(room.registry.apply(&limited, &[draft(json!({}))], "").await.unwrap().is_empty(), "what stays as it is may stay");
}
