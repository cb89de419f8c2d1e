//! Tells again of what nobody has looked at, and for the first time of what a silence has hidden.

use std::{collections::HashMap, time::Duration};

use mainspring_catalog::Tx;
use mainspring_kernel::{AssetRef, Fault as _, Stop, Timestamp, fault};
use serde_json::json;

use crate::{
    bounds::all_labels,
    fault::AlertFault,
    model::{EventKind, Incident, IncidentState, NoticeKind, Silence},
    notice,
    raise::{Tell, hidden},
    service::Alerts,
    store::{self, NewDelivery},
};

const LOOK_EVERY: Duration = Duration::from_secs(5);
const AT_ONCE: usize = 50;
/// Where nobody wants to be reminded now, somebody may later.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);

/// What is known of an incident's receivers before it is looked at.
struct Reach {
    /// The project's name.
    project: String,
    /// Who is told where nobody has been told yet.
    receivers: Vec<AssetRef>,
    /// How often those want to be reminded that have been told.
    every: HashMap<AssetRef, Duration>,
}

impl Alerts {
    /// Until told to stop.
    pub async fn keep_reminding(self, stop: Stop) {
        while stop.sleep(LOOK_EVERY).await {
            match self.remind_due().await {
                Ok(_) => {}
                Err(found) if found.kind().is_transient() => {}
                Err(found) => tracing::warn!(cause = %fault::chain(&found), "reminders failed; it is tried again"),
            }
        }
    }

    /// Answers how many incidents were looked at.
    pub(crate) async fn remind_due(&self) -> Result<usize, AlertFault> {
        let due = store::to_remind(&self.inner.catalog, self.now(), AT_ONCE).await?;
        for incident in &due {
            // One with which something is wrong does not keep the others from being reminded of.
            if let Err(found) = self.remind_of(incident).await {
                if found.kind().is_transient() {
                    return Err(found);
                }
                tracing::warn!(incident = %incident.id, cause = %fault::chain(&found), "a reminder failed; it is tried again later");
                self.put_off(incident).await?;
            }
        }
        if !due.is_empty() {
            self.wake();
        }
        Ok(due.len())
    }

    async fn remind_of(&self, incident: &Incident) -> Result<(), AlertFault> {
        let reach = self.reach(incident).await?;
        let reach = &reach;
        self.inner
            .catalog
            .transact(|mut tx| {
                Box::pin(async move {
                    self.remind(&mut tx, incident, reach).await?;
                    Ok::<_, AlertFault>((tx, ()))
                })
            })
            .await
    }

    async fn put_off(&self, incident: &Incident) -> Result<(), AlertFault> {
        let at = self.now().plus(LOOK_AGAIN);
        self.inner
            .catalog
            .transact(|mut tx| {
                Box::pin(async move {
                    if let Some(found) = store::incident_in(&mut tx, incident.project, incident.id).await? {
                        store::update_incident(&mut tx, &Incident { remind: Some(at), ..found }).await?;
                    }
                    Ok::<_, AlertFault>((tx, ()))
                })
            })
            .await
    }

    async fn reach(&self, incident: &Incident) -> Result<Reach, AlertFault> {
        let receivers = match &incident.receivers {
            Some(named) => named.clone(),
            None => {
                let alerts = store::alerts(&self.inner.catalog, incident.id, 1).await?;
                let name = alerts.first().map_or("", |alert| alert.name.as_str());
                let labels = all_labels(&incident.labels, name, incident.severity.as_str());
                self.receivers_for(incident.project, &labels, incident.severity).await?
            }
        };
        let mut every = HashMap::new();
        for receiver in store::hearers(&self.inner.catalog, incident.id).await? {
            // One that is gone, or that cannot be read, is not reminded.
            match self.spec(incident.project, &receiver).await {
                Ok(spec) if !spec.remind_every.is_zero() => drop(every.insert(receiver, spec.remind_every.as_duration())),
                Ok(_) | Err(AlertFault::ReceiverNotFound { .. } | AlertFault::ReceiverUnreadable { .. }) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(Reach { project: self.project_name(incident.project).await?, receivers, every })
    }

    async fn remind(&self, tx: &mut Tx, seen: &Incident, reach: &Reach) -> Result<(), AlertFault> {
        let now = self.now();
        let found = store::incident_in(tx, seen.project, seen.id).await?;
        // Another process was first, or it is over.
        let Some(incident) = found.filter(|found| found.state == IncidentState::Open && found.remind.is_some_and(|at| at <= now))
        else {
            return Ok(());
        };
        if let Some(silence) = self.covered(tx, &incident, now).await? {
            if incident.silence != Some(silence.id) {
                let detail = json!({ "silence": silence.id });
                store::add_event(tx, incident.id, (EventKind::Silenced, None), &detail, now).await?;
            }
            return Ok(store::update_incident(tx, &hidden(incident, &silence)).await?);
        }
        let incident = Incident { silence: None, ..incident };
        let told = store::told(tx, incident.id).await?;
        if told.is_empty() {
            let incident = Incident { remind: Some(now.plus(LOOK_AGAIN)), ..incident };
            store::update_incident(tx, &incident).await?;
            let tell = Tell { what: NoticeKind::Opened, project: &reach.project, others: &reach.receivers, now };
            return self.tell(tx, &incident, tell).await;
        }
        self.remind_those(tx, incident, (&told, reach), now).await
    }

    async fn remind_those(
        &self,
        tx: &mut Tx,
        incident: Incident,
        (told, reach): (&[(AssetRef, Timestamp)], &Reach),
        now: Timestamp,
    ) -> Result<(), AlertFault> {
        let mut next = now.plus(LOOK_AGAIN);
        let mut reminded = Vec::new();
        for (receiver, last) in told {
            let Some(every) = reach.every.get(receiver).copied() else { continue };
            let due = last.plus(every);
            if due <= now {
                reminded.push(receiver);
                next = next.min(now.plus(every));
            } else {
                next = next.min(due);
            }
        }
        let incident = Incident { remind: Some(next), ..incident };
        store::update_incident(tx, &incident).await?;
        if reminded.is_empty() {
            return Ok(());
        }
        let detail = json!({ "receivers": reminded });
        store::add_event(tx, incident.id, (EventKind::Reminded, None), &detail, now).await?;
        let notice = self.notice(tx, &incident, (NoticeKind::Reminder, &reach.project), now).await?;
        for receiver in reminded {
            // While the last notice has not arrived, another would say nothing more.
            if store::cover(tx, (incident.id, receiver), (NoticeKind::Updated, notice.as_str())).await? {
                continue;
            }
            let what = NoticeKind::Reminder;
            let new = NewDelivery { project: incident.project, incident: incident.id, receiver, what, notice: &notice };
            store::insert_delivery(tx, new, now).await?;
        }
        Ok(())
    }

    /// A silence, where all alerts that go on are covered by some.
    async fn covered(&self, tx: &mut Tx, incident: &Incident, now: Timestamp) -> Result<Option<Silence>, AlertFault> {
        let alerts = store::alert_in(tx, incident.id, notice::ALERTS * 10).await?;
        let mut first: Option<Silence> = None;
        for alert in alerts.iter().filter(|alert| alert.firing) {
            let labels = all_labels(&alert.labels, &alert.name, alert.severity.as_str());
            let Some(silence) = self.hushed(tx, incident.project, &labels, now).await? else { return Ok(None) };
            // It is looked at again when the first of them ends.
            if first.as_ref().is_none_or(|other| silence.ends < other.ends) {
                first = Some(silence);
            }
        }
        Ok(first)
    }
}
