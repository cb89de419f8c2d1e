//! The room's door: what people and monitors ask of it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use mainspring_catalog::{AuditEntry, AuditTrail, Catalog, Tx};
use mainspring_kernel::{
    Actor, Clock, Labels, Page, PageRequest, Role, Timestamp,
    id::{DeliveryId, IncidentId, ProjectId},
    text,
};
use mainspring_registry::Registry;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{
    fault::AlertFault,
    model::{Delivery, DeliveryFilter, Event, EventKind, Incident, IncidentFilter, IncidentState, NoticeKind, Raised},
    raise::Tell,
    seam::Changes,
    send::Courier,
    store,
    tally::Measured,
};

const NOTE_MAX: usize = 1_000;
/// What is shown of an incident beside itself.
const SHOWN: usize = 200;

#[derive(Debug, Clone)]
pub struct Settings {
    /// Where people open the page, without a slash at its end: notices link to it. Empty: they have no links.
    pub page: String,
    /// Incidents that are over are kept this long.
    pub keep_for: Duration,
    /// An incident that ended opens again when one of its alerts comes back within this time.
    pub reopen_within: Duration,
    /// What changed before an incident is looked for this far back.
    pub changes_within: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            page: String::new(),
            keep_for: Duration::from_secs(90 * 24 * 3600),
            reopen_within: Duration::from_secs(3600),
            changes_within: Duration::from_secs(24 * 3600),
        }
    }
}

/// What the room is made of.
#[derive(Debug)]
pub struct Parts {
    pub catalog: Catalog,
    pub registry: Registry,
    pub clock: Arc<dyn Clock>,
    pub audit: Arc<dyn AuditTrail>,
    pub changes: Arc<dyn Changes>,
    pub courier: Courier,
    pub settings: Settings,
}

/// Incidents of every project, and what is sent of them. Clones share everything.
#[derive(Debug, Clone)]
pub struct Alerts {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) catalog: Catalog,
    pub(crate) registry: Registry,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) audit: Arc<dyn AuditTrail>,
    pub(crate) changes: Arc<dyn Changes>,
    pub(crate) courier: Courier,
    pub(crate) settings: Settings,
    /// Wakes the deliveries of this process; others look every second.
    pub(crate) woken: Notify,
    pub(crate) seen: Mutex<Option<Measured>>,
}

/// An incident with what belongs to it, of each the newest.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub incident: Incident,
    pub alerts: Vec<Raised>,
    pub events: Vec<Event>,
    pub deliveries: Vec<Delivery>,
}

impl Alerts {
    #[must_use]
    pub fn open(parts: Parts) -> Self {
        let Parts { catalog, registry, clock, audit, changes, courier, settings } = parts;
        let settings = Settings { page: settings.page.trim_end_matches('/').to_owned(), ..settings };
        let (woken, seen) = (Notify::new(), Mutex::default());
        Self { inner: Arc::new(Inner { catalog, registry, clock, audit, changes, courier, settings, woken, seen }) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    pub(crate) fn wake(&self) {
        self.inner.woken.notify_waiters();
    }

    /// Newest first.
    pub async fn list(&self, actor: &Actor, filter: &IncidentFilter, page: &PageRequest) -> Result<Page<Incident>, AlertFault> {
        sees_incidents(actor, Role::Reader)?;
        let before = page.after::<IncidentId>()?;
        let found = store::incidents(&self.inner.catalog, actor.project, filter, before, page.limit() + 1).await?;
        Ok(Page::from_overfetch(found, page, |incident| incident.id))
    }

    pub async fn get(&self, actor: &Actor, id: IncidentId) -> Result<Told, AlertFault> {
        sees_incidents(actor, Role::Reader)?;
        let catalog = &self.inner.catalog;
        let incident = store::get_incident(catalog, actor.project, id).await?.ok_or_else(|| missing(id))?;
        let filter = DeliveryFilter { incident: Some(id), ..DeliveryFilter::default() };
        Ok(Told {
            incident,
            alerts: store::alerts(catalog, id, SHOWN).await?,
            events: store::events(catalog, id, None, SHOWN).await?,
            deliveries: store::deliveries(catalog, actor.project, &filter, None, SHOWN).await?,
        })
    }

    /// Newest first.
    pub async fn deliveries(
        &self,
        actor: &Actor,
        filter: &DeliveryFilter,
        page: &PageRequest,
    ) -> Result<Page<Delivery>, AlertFault> {
        sees_incidents(actor, Role::Reader)?;
        let before = page.after::<DeliveryId>()?;
        let found = store::deliveries(&self.inner.catalog, actor.project, filter, before, page.limit() + 1).await?;
        Ok(Page::from_overfetch(found, page, |delivery| delivery.id))
    }

    /// Somebody looks after it: nobody is reminded any more. Doing it again changes nothing.
    pub async fn acknowledge(&self, actor: &Actor, id: IncidentId, note: &str) -> Result<Incident, AlertFault> {
        let incident = self.change(actor, id, (Deed::Acknowledge, note)).await?;
        self.wake();
        Ok(incident)
    }

    /// It is over, says somebody. It opens again when one of its alerts is raised again.
    pub async fn close(&self, actor: &Actor, id: IncidentId, note: &str) -> Result<Incident, AlertFault> {
        let incident = self.change(actor, id, (Deed::Resolve, note)).await?;
        self.wake();
        Ok(incident)
    }

    /// Tries again what was given up.
    pub async fn retry(&self, actor: &Actor, id: IncidentId) -> Result<u64, AlertFault> {
        sees_incidents(actor, Role::Editor)?;
        let now = self.now();
        let revived = self
            .inner
            .catalog
            .transact(|mut tx| async move {
                store::incident_in(&mut tx, actor.project, id).await?.ok_or_else(|| missing(id))?;
                let revived = store::revive(&mut tx, id, now).await?;
                if revived == 0 {
                    return Err(AlertFault::NothingFailed { id });
                }
                let detail = json!({ "deliveries": revived });
                store::add_event(&mut tx, id, (EventKind::Retried, Some(actor.principal)), &detail, now).await?;
                self.record(&mut tx, actor, ("incident.retry", id.to_string()), detail).await?;
                Ok((tx, revived))
            })
            .await?;
        self.wake();
        Ok(revived)
    }

    async fn change(&self, actor: &Actor, id: IncidentId, (deed, note): (Deed, &str)) -> Result<Incident, AlertFault> {
        sees_incidents(actor, Role::Editor)?;
        let note = text::elide(&note.replace('\0', " "), NOTE_MAX);
        let (project, now, note) = (self.project_name(actor.project).await?, self.now(), &note);
        let project = &project;
        self.inner
            .catalog
            .transact(|mut tx| async move {
                let found = store::incident_in(&mut tx, actor.project, id).await?.ok_or_else(|| missing(id))?;
                let detail = if note.is_empty() { json!({}) } else { json!({ "note": note }) };
                let changed = match (deed, found.state) {
                    (Deed::Acknowledge, IncidentState::Acknowledged) | (Deed::Resolve, IncidentState::Resolved) => found,
                    (Deed::Acknowledge, IncidentState::Resolved) => return Err(AlertFault::Resolved { id }),
                    (Deed::Acknowledge, IncidentState::Open) => {
                        let incident = acknowledged(found, actor, now);
                        store::update_incident(&mut tx, &incident).await?;
                        let done = (EventKind::Acknowledged, Some(actor.principal));
                        store::add_event(&mut tx, id, done, &detail, now).await?;
                        let tell = Tell { what: NoticeKind::Acknowledged, project, others: &[], now };
                        self.tell(&mut tx, &incident, tell).await?;
                        self.record(&mut tx, actor, ("incident.acknowledge", id.to_string()), detail).await?;
                        incident
                    }
                    (Deed::Resolve, _) => {
                        store::end_alerts(&mut tx, id, now).await?;
                        let by = Some(actor.principal);
                        let incident = Box::pin(self.over(&mut tx, found, (by, &detail), (project, now))).await?;
                        self.record(&mut tx, actor, ("incident.resolve", id.to_string()), detail).await?;
                        incident
                    }
                };
                Ok((tx, changed))
            })
            .await
    }

    pub(crate) async fn project_name(&self, project: ProjectId) -> Result<String, AlertFault> {
        Ok(store::project_name(&self.inner.catalog, project).await?)
    }

    pub(crate) async fn record(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        (action, subject): (&'static str, String),
        detail: Value,
    ) -> Result<(), AlertFault> {
        Ok(self.inner.audit.record(tx, actor, AuditEntry { action, subject, detail }).await?)
    }
}

#[derive(Debug, Clone, Copy)]
enum Deed {
    Acknowledge,
    Resolve,
}

fn acknowledged(incident: Incident, actor: &Actor, now: Timestamp) -> Incident {
    Incident {
        state: IncidentState::Acknowledged,
        acknowledged: Some(now),
        acknowledged_by: Some(actor.principal),
        updated: now,
        remind: None,
        ..incident
    }
}

fn missing(id: IncidentId) -> AlertFault {
    AlertFault::NotFound { id: id.to_string() }
}

pub(crate) fn needs(actor: &Actor, needed: Role) -> Result<(), AlertFault> {
    if actor.may(needed) { Ok(()) } else { Err(AlertFault::Forbidden { needed }) }
}

/// What monitors find is counted of every trace of the project, and alerts name some of them: whether there is an incident is as
/// much as a count.
pub(crate) fn sees_incidents(actor: &Actor, needed: Role) -> Result<(), AlertFault> {
    needs(actor, needed)?;
    if actor.labels == Labels::All { Ok(()) } else { Err(AlertFault::Unseen) }
}
