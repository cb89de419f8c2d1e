//! From alerts to incidents.

use std::{collections::BTreeMap, time::Duration};

use mainspring_catalog::Tx;
use mainspring_kernel::{
    AssetRef, Timestamp, fault,
    id::{IncidentId, PrincipalId, ProjectId},
};
use serde_json::{Value, json};

use crate::{
    fault::AlertFault,
    gather::{Gathering, Outside},
    model::{Alert, EventKind, Incident, IncidentState, Labels, News, NoticeKind, Outcome, Silence},
    notice::{self, Notice, Occasion},
    service::Alerts,
    store::{self, AlertUpdate, NewDelivery},
};

const CHANGES_KEPT: usize = 50;
pub(crate) const SILENCES: usize = 500;
/// When an incident is looked at for the first time, to see whether anybody wants to be reminded.
pub(crate) const FIRST_LOOK: Duration = Duration::from_secs(60);

/// What is told of an incident, and to whom beside those who have heard of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tell<'t> {
    pub(crate) what: NoticeKind,
    /// The project's name.
    pub(crate) project: &'t str,
    pub(crate) others: &'t [AssetRef],
    pub(crate) now: Timestamp,
}

impl Alerts {
    /// An alert is there, or still is. Whoever is to be told is told at least once, also when this process ends right after.
    pub async fn raise(&self, alert: Alert) -> Result<Outcome, AlertFault> {
        let outcomes = self.raise_all(vec![alert]).await?;
        Ok(outcomes.into_iter().next().expect("each alert has its outcome"))
    }

    /// What was found at one time. Alerts of one group are written down in one transaction with what is told of them, which is
    /// told once. Answers what became of each, in their order.
    #[tracing::instrument(skip_all, fields(alerts = alerts.len()))]
    pub async fn raise_all(&self, alerts: Vec<Alert>) -> Result<Vec<Outcome>, AlertFault> {
        let mut groups: BTreeMap<_, (Vec<usize>, Vec<Alert>)> = BTreeMap::new();
        for (place, alert) in alerts.into_iter().enumerate() {
            let alert = alert.tidied();
            let (places, together) = groups.entry((alert.project, alert.group())).or_default();
            places.push(place);
            together.push(alert);
        }
        let mut outcomes = Vec::new();
        for ((project, group), (places, together)) in &groups {
            let raised = Box::pin(self.raise_group((*project, group.as_str()), together)).await?;
            outcomes.extend(places.iter().zip(raised));
        }
        outcomes.sort_by_key(|(place, _)| **place);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }

    async fn raise_group(&self, group: (ProjectId, &str), alerts: &[Alert]) -> Result<Vec<Outcome>, AlertFault> {
        let mut outside: Option<Outside> = None;
        loop {
            let outside_now = outside.as_ref();
            let raised = self
                .inner
                .catalog
                .transact(|mut tx| {
                    Box::pin(async move {
                        let raised = self.raise_in(&mut tx, group, alerts, outside_now).await?;
                        Ok::<_, AlertFault>((tx, raised))
                    })
                })
                .await;
            match raised {
                Ok(Some(outcomes)) => {
                    self.wake();
                    return Ok(outcomes);
                }
                Ok(None) => outside = Some(self.look_outside(group.0, alerts).await?),
                // Another alert of the group has opened it in this moment.
                Err(AlertFault::Catalog(found)) if found.is_constraint("incident_open_unique") => {}
                Err(fault) => return Err(fault),
            }
        }
    }

    async fn look_outside(&self, project: ProjectId, alerts: &[Alert]) -> Result<Outside, AlertFault> {
        let any = alerts.iter().any(|alert| alert.receivers.is_empty());
        let receivers = if any { self.known_receivers(project).await? } else { Vec::new() };
        let until = self.now();
        let since = until.minus(self.inner.settings.changes_within);
        // An alert without them is worth more than none.
        let mut changes = self.inner.changes.between(project, (since, until)).await.unwrap_or_else(|found| {
            tracing::warn!(cause = %fault::chain(found.as_ref()), "what changed before an incident cannot be read");
            Vec::new()
        });
        for change in &mut changes {
            change.named = alerts.iter().any(|alert| alert.names(change));
        }
        changes.sort_by_key(|change| (!change.named, !change.takes_effect(), std::cmp::Reverse(change.at)));
        let changes_left_out = changes.len().saturating_sub(CHANGES_KEPT) as u64;
        changes.truncate(CHANGES_KEPT);
        Ok(Outside { project: self.project_name(project).await?, receivers, changes, changes_left_out })
    }

    /// Answers nothing where somebody has to be told, and what that takes is not known.
    async fn raise_in(
        &self,
        tx: &mut Tx,
        (project, group): (ProjectId, &str),
        alerts: &[Alert],
        outside: Option<&Outside>,
    ) -> Result<Option<Vec<Outcome>>, AlertFault> {
        let now = self.now();
        // One that was over for long is another.
        let latest = store::latest_of_group(tx, project, group).await?;
        let mut latest = latest.filter(|found| found.state != IncidentState::Resolved || self.comes_back(found, now));
        let mut gathering: Option<Gathering<'_>> = None;
        let mut outcomes = Vec::with_capacity(alerts.len());
        for alert in alerts {
            let incident = gathering.as_ref().map(|gathering| &gathering.incident).or(latest.as_ref());
            let known = match incident {
                Some(incident) => store::alert_of(tx, incident.id, &alert.fingerprint).await?,
                None => None,
            };
            if let (Some(incident), Some(raised)) = (incident, &known)
                && incident.state != IncidentState::Resolved
                && raised.firing
                && alert.severity <= incident.severity
            {
                let alert = &alert.going_on_from(&raised.traces);
                store::refresh_alert(tx, AlertUpdate { incident: incident.id, alert, now }).await?;
                outcomes.push(Outcome { incident: incident.id, news: News::Known });
                continue;
            }
            let Some(outside) = outside else { return Ok(None) };
            let mut together = match gathering.take() {
                Some(together) => together,
                None => Gathering::begin(tx, latest.take(), (alert, outside), now).await?,
            };
            let news = together.add(tx, alert, known).await?;
            outcomes.push(Outcome { incident: together.incident.id, news });
            gathering = Some(together);
        }
        match (gathering, latest) {
            (Some(gathering), _) => gathering.end(self, tx).await?,
            // What goes on may be worse than it was, or better.
            (None, Some(incident)) => retitled(tx, incident, now).await?,
            (None, None) => {}
        }
        Ok(Some(outcomes))
    }

    fn comes_back(&self, over: &Incident, now: Timestamp) -> bool {
        over.resolved.is_some_and(|at| now.since(at) < self.inner.settings.reopen_within)
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
        let more = matches!(what, NoticeKind::Updated | NoticeKind::Escalated | NoticeKind::Reminder);
        let what = if nobody_yet && more { NoticeKind::Opened } else { what };
        let notice = self.notice(tx, incident, (what, project), now).await?;
        for receiver in &receivers {
            if matches!(what, NoticeKind::Updated | NoticeKind::Escalated)
                && store::cover(tx, (incident.id, receiver), (what, notice.as_str())).await?
            {
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
                        retitled(&mut tx, incident, now).await?;
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

/// Calls an incident by what goes on now.
async fn retitled(tx: &mut Tx, incident: Incident, now: Timestamp) -> Result<(), AlertFault> {
    let (before, incident) = (incident.title.clone(), titled(tx, incident).await?);
    if incident.title != before {
        store::update_incident(tx, &Incident { updated: now, ..incident }).await?;
    }
    Ok(())
}

/// By what goes on: the worst of its alerts. One that is over is called by what ended last.
pub(crate) async fn titled(tx: &mut Tx, incident: Incident) -> Result<Incident, AlertFault> {
    let worst = store::worst_firing(tx, incident.id).await?;
    Ok(match worst {
        Some(alert) => Incident { title: title(&alert.name, &alert.summary), ..incident },
        None => incident,
    })
}

/// The sentence alone does not say which monitor it is of.
pub(crate) fn title(name: &str, summary: &str) -> String {
    format!("{name}: {summary}")
}

/// It is looked at again when the silence ends.
pub(crate) fn hidden(incident: Incident, silence: &Silence) -> Incident {
    Incident { silence: Some(silence.id), remind: Some(silence.ends), ..incident }
}
