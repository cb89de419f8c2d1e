//! From alerts to incidents.

use std::time::Duration;

use mainspring_catalog::Tx;
use mainspring_kernel::{
    AssetRef, Timestamp, fault,
    id::{IncidentId, PrincipalId, ProjectId},
};
use serde_json::{Value, json};

use crate::{
    fault::AlertFault,
    model::{Alert, Change, EventKind, Incident, IncidentState, Labels, News, NoticeKind, Outcome, Raised, Silence},
    notice::{self, Notice, Occasion},
    service::Alerts,
    store::{self, AlertUpdate, NewDelivery},
};

/// An incident of more alerts than this says nothing more by one more.
const ALERTS_MAX: u64 = 500;
const CHANGES_KEPT: usize = 50;
const SILENCES: usize = 500;
/// When an incident is looked at for the first time, to see whether anybody wants to be reminded.
pub(crate) const FIRST_LOOK: Duration = Duration::from_secs(60);

/// What is read before the transaction that tells somebody.
#[derive(Debug)]
pub(crate) struct Outside {
    project: String,
    /// Who is told where nobody has been told yet.
    receivers: Vec<AssetRef>,
    changes: Vec<Change>,
}

/// What is told of an incident, and to whom beside those who have heard of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tell<'t> {
    pub(crate) what: NoticeKind,
    /// The project's name.
    pub(crate) project: &'t str,
    pub(crate) others: &'t [AssetRef],
    pub(crate) now: Timestamp,
}

/// An alert, and the incident that it comes to.
struct Coming<'c> {
    alert: &'c Alert,
    outside: &'c Outside,
    /// As it is there already.
    known: Option<Raised>,
    now: Timestamp,
}

impl Alerts {
    /// An alert is there, or still is. Whoever is to be told is told at least once, also when this process ends right after.
    #[tracing::instrument(skip_all, fields(project.id = %alert.project, alert.name = %alert.name))]
    pub async fn raise(&self, alert: Alert) -> Result<Outcome, AlertFault> {
        let alert = &alert.tidied();
        let mut outside: Option<Outside> = None;
        loop {
            let outside_now = outside.as_ref();
            let raised = self
                .inner
                .catalog
                .transact(|mut tx| {
                    Box::pin(async move {
                        let raised = self.raise_in(&mut tx, alert, outside_now).await?;
                        Ok::<_, AlertFault>((tx, raised))
                    })
                })
                .await;
            match raised {
                Ok(Some(outcome)) => {
                    self.wake();
                    return Ok(outcome);
                }
                Ok(None) => outside = Some(self.look_outside(alert).await?),
                // Another alert of the group has opened it in this moment.
                Err(AlertFault::Catalog(found)) if found.is_constraint("incident_open_unique") => {}
                Err(fault) => return Err(fault),
            }
        }
    }

    async fn look_outside(&self, alert: &Alert) -> Result<Outside, AlertFault> {
        let project = self.project_name(alert.project).await?;
        let receivers = match alert.receivers.as_slice() {
            [] => self.receivers_for(alert.project, &alert.all_labels(), alert.severity).await?,
            named => named.to_vec(),
        };
        let until = self.now();
        let since = until.minus(self.inner.settings.changes_within);
        // An alert without them is worth more than none.
        let mut changes = self.inner.changes.between(alert.project, (since, until)).await.unwrap_or_else(|found| {
            tracing::warn!(cause = %fault::chain(found.as_ref()), "what changed before an incident cannot be read");
            Vec::new()
        });
        for change in &mut changes {
            change.named = alert.names(change);
        }
        changes.sort_by_key(|change| (!change.named, std::cmp::Reverse(change.at)));
        changes.truncate(CHANGES_KEPT);
        Ok(Outside { project, receivers, changes })
    }

    /// Answers nothing where somebody has to be told, and what that takes is not known.
    async fn raise_in(&self, tx: &mut Tx, alert: &Alert, outside: Option<&Outside>) -> Result<Option<Outcome>, AlertFault> {
        let now = self.now();
        let latest = store::latest_of_group(tx, alert.project, &alert.group()).await?;
        let known = match &latest {
            Some(incident) => store::alert_of(tx, incident.id, &alert.fingerprint).await?,
            None => None,
        };
        if let (Some(incident), Some(raised)) = (&latest, &known)
            && incident.state != IncidentState::Resolved
            && raised.firing
            && alert.severity <= incident.severity
        {
            let alert = &alert.going_on_from(&raised.traces);
            store::refresh_alert(tx, AlertUpdate { incident: incident.id, alert, now }).await?;
            return Ok(Some(Outcome { incident: incident.id, news: News::Known }));
        }
        let Some(outside) = outside else { return Ok(None) };
        let coming = Coming { alert, outside, known, now };
        let outcome = match latest {
            Some(incident) if incident.state != IncidentState::Resolved => self.join(tx, incident, &coming).await?,
            Some(over) if self.comes_back(&over, now) => self.reopen(tx, over, &coming).await?,
            _ => self.begin(tx, &coming).await?,
        };
        Ok(Some(outcome))
    }

    fn comes_back(&self, over: &Incident, now: Timestamp) -> bool {
        over.resolved.is_some_and(|at| now.since(at) < self.inner.settings.reopen_within)
    }

    async fn begin(&self, tx: &mut Tx, coming: &Coming<'_>) -> Result<Outcome, AlertFault> {
        let Coming { alert, outside, known: _, now } = coming;
        let incident = Incident {
            id: IncidentId::new(*now),
            project: alert.project,
            group: alert.group(),
            state: IncidentState::Open,
            severity: alert.severity,
            title: title(&alert.name, &alert.summary),
            labels: alert.labels.clone(),
            receivers: (!alert.receivers.is_empty()).then(|| alert.receivers.clone()),
            changes: outside.changes.clone(),
            silence: None,
            opened: *now,
            updated: *now,
            acknowledged: None,
            acknowledged_by: None,
            resolved: None,
            resolved_by: None,
            remind: None,
        };
        store::insert_incident(tx, &incident).await?;
        let coming = Coming { alert, outside, known: None, now: *now };
        self.welcome(tx, incident, &coming, (EventKind::Opened, NoticeKind::Opened, News::Opened)).await
    }

    async fn reopen(&self, tx: &mut Tx, over: Incident, coming: &Coming<'_>) -> Result<Outcome, AlertFault> {
        let Coming { alert, outside, .. } = coming;
        let incident = Incident {
            state: IncidentState::Open,
            severity: alert.severity,
            labels: alert.labels.clone(),
            changes: outside.changes.clone(),
            silence: None,
            acknowledged: None,
            acknowledged_by: None,
            resolved: None,
            resolved_by: None,
            ..over
        };
        self.welcome(tx, incident, coming, (EventKind::Reopened, NoticeKind::Reopened, News::Reopened)).await
    }

    async fn join(&self, tx: &mut Tx, incident: Incident, coming: &Coming<'_>) -> Result<Outcome, AlertFault> {
        let alert = coming.alert;
        let (alerts, _) = store::firing(tx, incident.id).await?;
        if coming.known.is_none() && alerts >= ALERTS_MAX {
            return Ok(Outcome { incident: incident.id, news: News::Full });
        }
        let worse = alert.severity > incident.severity;
        let labels: Labels =
            incident.labels.clone().into_iter().filter(|(label, value)| alert.labels.get(label) == Some(value)).collect();
        let severity = incident.severity.max(alert.severity);
        let event = match (&coming.known, worse) {
            (_, true) => EventKind::Escalated,
            (Some(_), false) => EventKind::Refired,
            (None, false) => EventKind::Joined,
        };
        let news = if worse { News::Escalated } else { News::Joined };
        let incident = Incident { severity, labels, ..incident };
        self.welcome(tx, incident, coming, (event, NoticeKind::Updated, news)).await
    }

    /// Writes the alert down, and tells of it unless a silence covers it.
    async fn welcome(
        &self,
        tx: &mut Tx,
        incident: Incident,
        coming: &Coming<'_>,
        (event, what, news): (EventKind, NoticeKind, News),
    ) -> Result<Outcome, AlertFault> {
        let Coming { alert, outside, known, now } = coming;
        let (id, now) = (incident.id, *now);
        match known {
            Some(raised) => {
                let alert = &alert.going_on_from(&raised.traces);
                store::refresh_alert(tx, AlertUpdate { incident: id, alert, now }).await?;
            }
            None => store::insert_alert(tx, AlertUpdate { incident: id, alert, now }).await?,
        }
        let incident = titled(tx, incident).await?;
        let detail = json!({
            "fingerprint": alert.fingerprint, "name": alert.name, "severity": alert.severity, "summary": alert.summary,
        });
        store::add_event(tx, id, (event, None), &detail, now).await?;
        let outcome = Outcome { incident: id, news };
        if let Some(silence) = self.hushed(tx, alert.project, &alert.all_labels(), now).await? {
            let detail = json!({ "silence": silence.id, "fingerprint": alert.fingerprint });
            store::add_event(tx, id, (EventKind::Silenced, None), &detail, now).await?;
            // One that others have made heard goes on as it did.
            let hides = what != NoticeKind::Updated || incident.silence.is_some();
            let incident = if hides { hidden(incident, &silence) } else { incident };
            store::update_incident(tx, &Incident { updated: now, ..incident }).await?;
            return Ok(outcome);
        }
        let remind = (incident.state == IncidentState::Open).then(|| now.plus(FIRST_LOOK));
        let incident = Incident { silence: None, updated: now, remind, ..incident };
        store::update_incident(tx, &incident).await?;
        let tell = Tell { what, project: &outside.project, others: &outside.receivers, now };
        self.tell(tx, &incident, tell).await?;
        Ok(outcome)
    }

    pub(crate) async fn hushed(
        &self,
        tx: &mut Tx,
        project: ProjectId,
        labels: &Labels,
        now: Timestamp,
    ) -> Result<Option<Silence>, AlertFault> {
        let silences = store::active_silences(tx, project, now, SILENCES).await?;
        Ok(silences.into_iter().find(|silence| silence.covers(labels, now)))
    }

    /// A row for each receiver, in the transaction of what is told.
    pub(crate) async fn tell(&self, tx: &mut Tx, incident: &Incident, tell: Tell<'_>) -> Result<(), AlertFault> {
        let Tell { what, project, others, now } = tell;
        let mut receivers: Vec<AssetRef> =
            store::told(tx, incident.id).await?.into_iter().map(|(receiver, _)| receiver).collect();
        let nobody_yet = receivers.is_empty();
        receivers.extend(others.iter().cloned());
        receivers.sort();
        receivers.dedup();
        if receivers.is_empty() {
            return Ok(());
        }
        let what =
            if nobody_yet && matches!(what, NoticeKind::Updated | NoticeKind::Reminder) { NoticeKind::Opened } else { what };
        let notice = self.notice(tx, incident, (what, project), now).await?;
        for receiver in &receivers {
            if what == NoticeKind::Updated && store::cover(tx, incident.id, receiver, &notice).await? {
                continue;
            }
            let new = NewDelivery { project: incident.project, incident: incident.id, receiver, what, notice: &notice };
            store::insert_delivery(tx, new, now).await?;
        }
        Ok(())
    }

    /// The incident as it stands, written down.
    pub(crate) async fn notice(
        &self,
        tx: &mut Tx,
        incident: &Incident,
        (what, project): (NoticeKind, &str),
        now: Timestamp,
    ) -> Result<String, AlertFault> {
        let (_, firing) = store::firing(tx, incident.id).await?;
        let alerts = store::alert_in(tx, incident.id, notice::ALERTS).await?;
        let occasion = Occasion { what, at: now, project, page: &self.inner.settings.page };
        Ok(serde_json::to_string(&Notice::of(incident, firing, alerts, &occasion)).unwrap_or_default())
    }

    /// An alert is over. Answers the incidents that are over with it.
    #[tracing::instrument(skip_all, fields(project.id = %project))]
    pub async fn resolve(&self, project: ProjectId, fingerprint: &str) -> Result<Vec<IncidentId>, AlertFault> {
        let fingerprint = &crate::bounds::fingerprint(fingerprint);
        // Monitors say it whenever they look and find nothing.
        if !store::is_firing(&self.inner.catalog, project, fingerprint).await? {
            return Ok(Vec::new());
        }
        let name = &self.project_name(project).await?;
        let now = self.now();
        let over = self
            .inner
            .catalog
            .transact(|mut tx| {
                Box::pin(async move {
                    let mut over = Vec::new();
                    for incident in store::firing_incidents(&mut tx, project, fingerprint).await? {
                        let id = incident.id;
                        if !store::end_alert(&mut tx, id, fingerprint, now).await? {
                            continue;
                        }
                        let detail = json!({ "fingerprint": fingerprint });
                        store::add_event(&mut tx, id, (EventKind::Ended, None), &detail, now).await?;
                        let (_, firing) = store::firing(&mut tx, id).await?;
                        if firing == 0 {
                            self.over(&mut tx, incident, (None, &json!({})), (name, now)).await?;
                            over.push(id);
                            continue;
                        }
                        // What it was called by may be what is over.
                        let (before, incident) = (incident.title.clone(), titled(&mut tx, incident).await?);
                        if incident.title != before {
                            store::update_incident(&mut tx, &Incident { updated: now, ..incident }).await?;
                        }
                    }
                    Ok::<_, AlertFault>((tx, over))
                })
            })
            .await?;
        self.wake();
        Ok(over)
    }

    /// Ends an incident, and tells those who heard of it.
    pub(crate) async fn over(
        &self,
        tx: &mut Tx,
        incident: Incident,
        (by, detail): (Option<PrincipalId>, &Value),
        (project, now): (&str, Timestamp),
    ) -> Result<Incident, AlertFault> {
        let incident = Incident {
            state: IncidentState::Resolved,
            resolved: Some(now),
            resolved_by: by,
            silence: None,
            updated: now,
            remind: None,
            ..incident
        };
        store::update_incident(tx, &incident).await?;
        store::add_event(tx, incident.id, (EventKind::Resolved, by), detail, now).await?;
        self.tell(tx, &incident, Tell { what: NoticeKind::Resolved, project, others: &[], now }).await?;
        Ok(incident)
    }
}

/// By what goes on: the worst of its alerts, the newest of equals. One that is over is called by what ended last.
pub(crate) async fn titled(tx: &mut Tx, incident: Incident) -> Result<Incident, AlertFault> {
    let worst = store::worst_firing(tx, incident.id).await?;
    Ok(match worst {
        Some(alert) => Incident { title: title(&alert.name, &alert.summary), ..incident },
        None => incident,
    })
}

/// The sentence alone does not say which monitor it is of.
fn title(name: &str, summary: &str) -> String {
    format!("{name}: {summary}")
}

/// It is looked at again when the silence ends.
pub(crate) fn hidden(incident: Incident, silence: &Silence) -> Incident {
    Incident { silence: Some(silence.id), remind: Some(silence.ends), ..incident }
}
