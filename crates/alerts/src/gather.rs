//! What was found at one time comes to one incident: each alert is written down as it comes, and all of them are told at once.

use mainspring_catalog::Tx;
use mainspring_kernel::{AssetRef, Timestamp, id::IncidentId};
use serde_json::json;

use crate::{
    fault::AlertFault,
    model::{Alert, Change, EventKind, Incident, IncidentState, News, NoticeKind, Raised, Silence},
    raise::{FIRST_LOOK, SILENCES, Tell, hidden, title, titled},
    service::Alerts,
    spec::ReceiverSpec,
    store::{self, AlertUpdate},
};

/// An incident of more alerts than this says nothing more by one more.
const ALERTS_MAX: u64 = 500;

/// What is read before the transaction that tells somebody.
#[derive(Debug)]
pub(crate) struct Outside {
    /// Its name.
    pub(crate) project: String,
    /// Those of the project, for alerts that name none.
    pub(crate) receivers: Vec<(AssetRef, ReceiverSpec)>,
    pub(crate) changes: Vec<Change>,
    pub(crate) changes_left_out: u64,
}

impl Outside {
    /// Who wants to hear of an alert.
    fn hearers(&self, alert: &Alert) -> Vec<AssetRef> {
        if !alert.receivers.is_empty() {
            return alert.receivers.clone();
        }
        let labels = alert.all_labels();
        let wanting = self.receivers.iter().filter(|(_, spec)| spec.wants(&labels, alert.severity));
        wanting.map(|(receiver, _)| receiver.clone()).collect()
    }
}

/// An incident while alerts come to it.
#[derive(Debug)]
pub(crate) struct Gathering<'g> {
    pub(crate) incident: Incident,
    outside: &'g Outside,
    now: Timestamp,
    silences: Vec<Silence>,
    /// So many alerts it has, with those that are over.
    alerts: u64,
    /// Of the first that comes, where it opens the incident.
    opens: Option<(EventKind, News)>,
    what: NoticeKind,
    /// Whether an alert came that no silence covers, and who wants to hear of such.
    heard: bool,
    hearers: Vec<AssetRef>,
    /// Of those that cover what came, the one that ends first.
    silence: Option<Silence>,
}

impl<'g> Gathering<'g> {
    /// `latest`: the incident of the group, if it is not over, or opens again.
    pub(crate) async fn begin(
        tx: &mut Tx,
        latest: Option<Incident>,
        (first, outside): (&Alert, &'g Outside),
        now: Timestamp,
    ) -> Result<Self, AlertFault> {
        let silences = store::active_silences(tx, first.project, now, SILENCES).await?;
        let (incident, what, opens) = match latest {
            None => {
                let incident = opened(first, outside, now);
                store::insert_incident(tx, &incident).await?;
                (incident, NoticeKind::Opened, Some((EventKind::Opened, News::Opened)))
            }
            Some(over) if over.state == IncidentState::Resolved => {
                let incident = reopened(over, first, outside);
                (incident, NoticeKind::Reopened, Some((EventKind::Reopened, News::Reopened)))
            }
            Some(incident) => (incident, NoticeKind::Updated, None),
        };
        let (alerts, _) = store::firing(tx, incident.id).await?;
        let (heard, hearers, silence) = (false, Vec::new(), None);
        Ok(Self { incident, outside, now, silences, alerts, opens, what, heard, hearers, silence })
    }

    /// `known`: as it is there already.
    pub(crate) async fn add(&mut self, tx: &mut Tx, alert: &Alert, known: Option<Raised>) -> Result<News, AlertFault> {
        let opens = self.opens.take();
        if opens.is_none() && known.is_none() && self.alerts >= ALERTS_MAX {
            return Ok(News::Full);
        }
        let worse = alert.severity > self.incident.severity;
        let (event, news) = match (opens, &known) {
            (Some(opens), _) => opens,
            (None, _) if worse => (EventKind::Escalated, News::Escalated),
            (None, Some(_)) => (EventKind::Refired, News::Joined),
            (None, None) => (EventKind::Joined, News::Joined),
        };
        self.incident.severity = self.incident.severity.max(alert.severity);
        self.incident.labels.retain(|label, value| alert.labels.get(label) == Some(&*value));
        let (id, now) = (self.incident.id, self.now);
        match known {
            Some(raised) => {
                let alert = &alert.going_on_from(&raised.traces);
                store::refresh_alert(tx, AlertUpdate { incident: id, alert, now }).await?;
            }
            None => {
                store::insert_alert(tx, AlertUpdate { incident: id, alert, now }).await?;
                self.alerts += 1;
            }
        }
        let detail = json!({
            "fingerprint": alert.fingerprint, "name": alert.name, "severity": alert.severity, "summary": alert.summary,
        });
        store::add_event(tx, id, (event, None), &detail, now).await?;
        let labels = alert.all_labels();
        if let Some(silence) = self.silences.iter().find(|silence| silence.covers(&labels, now)) {
            let detail = json!({ "silence": silence.id, "fingerprint": alert.fingerprint });
            store::add_event(tx, id, (EventKind::Silenced, None), &detail, now).await?;
            if self.silence.as_ref().is_none_or(|first| silence.ends < first.ends) {
                self.silence = Some(silence.clone());
            }
            return Ok(news);
        }
        self.heard = true;
        self.hearers.extend(self.outside.hearers(alert));
        if worse && self.what == NoticeKind::Updated {
            self.what = NoticeKind::Escalated;
        }
        Ok(news)
    }

    /// Writes the incident down as it is now, and tells of it unless silences cover all that came.
    pub(crate) async fn end(self, alerts: &Alerts, tx: &mut Tx) -> Result<(), AlertFault> {
        let Self { incident, outside, now, what, heard, hearers, silence, .. } = self;
        let incident = Incident { updated: now, ..titled(tx, incident).await? };
        if heard {
            let remind = (incident.state == IncidentState::Open).then(|| now.plus(FIRST_LOOK));
            let incident = Incident { silence: None, remind, ..incident };
            store::update_incident(tx, &incident).await?;
            let tell = Tell { what, project: &outside.project, others: &hearers, now };
            return alerts.tell(tx, &incident, tell).await;
        }
        let Some(silence) = silence else { return Ok(()) };
        // One that others have made heard goes on as it did.
        let hides = what != NoticeKind::Updated || incident.silence.is_some();
        let incident = if hides { hidden(incident, &silence) } else { incident };
        Ok(store::update_incident(tx, &incident).await?)
    }
}

fn opened(alert: &Alert, outside: &Outside, now: Timestamp) -> Incident {
    Incident {
        id: IncidentId::new(now),
        project: alert.project,
        group: alert.group(),
        state: IncidentState::Open,
        severity: alert.severity,
        title: title(&alert.name, &alert.summary),
        labels: alert.labels.clone(),
        receivers: (!alert.receivers.is_empty()).then(|| alert.receivers.clone()),
        changes: outside.changes.clone(),
        changes_left_out: outside.changes_left_out,
        silence: None,
        opened: now,
        updated: now,
        acknowledged: None,
        acknowledged_by: None,
        resolved: None,
        resolved_by: None,
        remind: None,
    }
}

fn reopened(over: Incident, alert: &Alert, outside: &Outside) -> Incident {
    Incident {
        state: IncidentState::Open,
        severity: alert.severity,
        labels: alert.labels.clone(),
        changes: outside.changes.clone(),
        changes_left_out: outside.changes_left_out,
        silence: None,
        acknowledged: None,
        acknowledged_by: None,
        resolved: None,
        resolved_by: None,
        ..over
    }
}
