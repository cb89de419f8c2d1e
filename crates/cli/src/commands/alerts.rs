//! `mainspring incidents`, `silences` and `receivers`.

use std::process::ExitCode;

use mainspring_wire as wire;
use serde_json::json;

use super::{Session, segment};
use crate::{
    args::{Incidents, Receivers, Silences},
    output::{self, dash, line, printable, say, table},
    report::PARTIAL,
};

fn path(id: &str) -> String {
    format!("/api/v1/incidents/{}", segment(id))
}

/// What of a query was given.
fn query(base: &str, pairs: &[(&str, Option<&str>)]) -> String {
    let given = pairs.iter().filter_map(|(name, value)| value.map(|value| format!("{name}={}", segment(value))));
    let given: Vec<String> = given.collect();
    if given.is_empty() { base.to_owned() } else { format!("{base}?{}", given.join("&")) }
}

pub(crate) async fn incidents(session: &Session, command: Incidents) -> anyhow::Result<ExitCode> {
    match command {
        Incidents::List { state, severity, paging } => {
            let address = query("/api/v1/incidents", &[("state", state.as_deref()), ("severity", severity.as_deref())]);
            let page: wire::Page<wire::IncidentView> = session.page(&address, &paging).await?;
            list(session, &page);
        }
        Incidents::Show { id } => show(session, &session.client.get(&path(&id)).await?),
        Incidents::Ack { id, message } => {
            let note = wire::IncidentNote { note: message.unwrap_or_default() };
            let incident: wire::IncidentView = session.client.post(&format!("{}/acknowledge", path(&id)), &note).await?;
            told(session, &incident);
        }
        Incidents::Resolve { id, message } => {
            let note = wire::IncidentNote { note: message.unwrap_or_default() };
            let incident: wire::IncidentView = session.client.post(&format!("{}/resolve", path(&id)), &note).await?;
            told(session, &incident);
        }
        Incidents::Retry { id } => {
            let retried: wire::RetriedDeliveries = session.client.post(&format!("{}/retry", path(&id)), &json!({})).await?;
            if session.json {
                output::json(&retried);
            } else {
                line(&format!("{} deliveries are tried again", retried.deliveries));
            }
            wait_for_a_server(session);
        }
        Incidents::Deliveries { state, receiver, paging } => {
            let address = query("/api/v1/deliveries", &[("state", state.as_deref()), ("receiver", receiver.as_deref())]);
            let page: wire::Page<wire::DeliveryView> = session.page(&address, &paging).await?;
            if session.json {
                output::json(&page);
            } else {
                table(&DELIVERY_HEADER, page.items.iter().map(delivery).collect());
                output::more(page.next.as_deref());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn wait_for_a_server(session: &Session) {
    if session.url.is_none() {
        say("no server runs: notices are sent when one does");
    }
}

fn list(session: &Session, page: &wire::Page<wire::IncidentView>) {
    if session.json {
        output::json(page);
        return;
    }
    let rows = page.items.iter().map(|incident| {
        let hidden = if incident.silence.is_some() { " (silenced)" } else { "" };
        vec![
            incident.id.clone(),
            format!("{}{hidden}", incident.state),
            incident.severity.clone(),
            incident.opened_at.clone(),
            incident.title.clone(),
        ]
    });
    table(&["incident", "state", "severity", "opened", "title"], rows.collect());
    output::more(page.next.as_deref());
}

fn told(session: &Session, incident: &wire::IncidentView) {
    if session.json {
        output::json(incident);
    } else {
        line(&printable(&format!("{} is {}: {}", incident.id, incident.state, incident.title)));
    }
    wait_for_a_server(session);
}

fn show(session: &Session, detail: &wire::IncidentDetail) {
    if session.json {
        output::json(detail);
        return;
    }
    let wire::IncidentDetail { incident, alerts, changes, changes_left_out, events, deliveries } = detail;
    line(&printable(&format!("{} is {} ({}): {}", incident.id, incident.state, incident.severity, incident.title)));
    let by = |by: Option<&String>| by.map(|by| format!(" by {by}")).unwrap_or_default();
    line(&format!("opened {}", incident.opened_at));
    if let Some(at) = &incident.acknowledged_at {
        line(&printable(&format!("acknowledged {at}{}", by(incident.acknowledged_by.as_ref()))));
    }
    if let Some(at) = &incident.resolved_at {
        line(&printable(&format!("resolved {at}{}", by(incident.resolved_by.as_ref()))));
    }
    if let Some(silence) = &incident.silence {
        line(&format!("hidden by {silence}"));
    }
    for alert in alerts {
        let mark = if alert.firing { "✗" } else { "✓" };
        line("");
        line(&printable(&format!("{mark} {} ({}): {}", alert.name, alert.severity, alert.summary)));
        for wire::FactView { name, value } in &alert.measured {
            line(&printable(&format!("    {name}: {value}")));
        }
        for trace in &alert.traces {
            line(&printable(&format!("    mainspring traces {trace}")));
        }
    }
    if !changes.is_empty() {
        line("\nchanged before it began:");
        changes.iter().for_each(change);
        if *changes_left_out > 0 {
            line(&format!("  and {changes_left_out} more"));
        }
    }
    line("\nhistory:");
    for event in events.iter().rev() {
        let note = event.detail["note"].as_str().map(|note| format!(": {note}")).unwrap_or_default();
        line(&printable(&format!("  {} {}{}{note}", event.at, event.kind, by(event.by.as_ref()))));
    }
    if !deliveries.is_empty() {
        line("");
        table(&DELIVERY_HEADER, deliveries.iter().map(delivery).collect());
    }
}

fn change(change: &wire::ChangeView) {
    let version = |number: Option<u32>| number.map_or_else(|| "nothing".to_owned(), |number| format!("v{number}"));
    let what = match (&change.release, &change.alias) {
        (Some(release), _) => match &change.release_before {
            Some(before) => format!(": {before} → {release}"),
            None => format!(": {release} was seen first"),
        },
        (None, Some(alias)) => format!("@{alias}: {} → {}", version(change.from), version(change.to)),
        (None, None) => format!(": {} was made", version(change.to)),
    };
    let by = change.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    line(&printable(&format!("  {} {}/{}{what}{by}", change.at, change.kind, change.name)));
    if let Some(rollback) = &change.rollback {
        line(&printable(&format!("    back: {rollback}")));
    }
}

const DELIVERY_HEADER: [&str; 7] = ["delivery", "receiver", "what", "state", "tries", "last tried", "answer"];

fn delivery(delivery: &wire::DeliveryView) -> Vec<String> {
    let answer = delivery.error.clone().or_else(|| delivery.status.map(|status| status.to_string()));
    vec![
        delivery.id.clone(),
        delivery.receiver.clone(),
        delivery.what.clone(),
        delivery.state.clone(),
        delivery.attempts.to_string(),
        dash(delivery.attempted_at.as_deref()),
        dash(answer.as_deref()),
    ]
}

pub(crate) async fn silences(session: &Session, command: Silences) -> anyhow::Result<ExitCode> {
    match command {
        Silences::List { ended, paging } => {
            let address = query("/api/v1/silences", &[("ended", ended.then_some("true"))]);
            let page: wire::Page<wire::SilenceView> = session.page(&address, &paging).await?;
            if session.json {
                output::json(&page);
                return Ok(ExitCode::SUCCESS);
            }
            let rows = page.items.iter().map(|silence| {
                vec![
                    silence.id.clone(),
                    silence.matchers.join(" "),
                    silence.starts_at.clone(),
                    silence.ends_at.clone(),
                    silence.created_by.clone(),
                    silence.comment.clone(),
                ]
            });
            table(&["silence", "of", "from", "until", "by", "why"], rows.collect());
            output::more(page.next.as_deref());
        }
        Silences::Add { matchers, lasts, until, from, message } => {
            let comment = message.unwrap_or_default();
            let new = wire::NewSilence { matchers, starts_at: from, ends_at: until, lasts, comment };
            let silence: wire::SilenceView = session.client.post("/api/v1/silences", &new).await?;
            silenced(session, &silence);
        }
        Silences::Remove { id } => {
            let address = format!("/api/v1/silences/{}", segment(&id));
            let silence: wire::SilenceView = session.client.delete(&address).await?;
            silenced(session, &silence);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn silenced(session: &Session, silence: &wire::SilenceView) {
    if session.json {
        output::json(silence);
    } else {
        line(&printable(&format!("{} of {} ends {}", silence.id, silence.matchers.join(" "), silence.ends_at)));
    }
}

pub(crate) async fn receivers(session: &Session, command: Receivers) -> anyhow::Result<ExitCode> {
    match command {
        Receivers::List => {
            let receivers: Vec<wire::ReceiverView> = session.client.all("/api/v1/receivers").await?;
            if session.json {
                output::json(&receivers);
                return Ok(ExitCode::SUCCESS);
            }
            let rows = receivers.iter().map(|receiver| {
                vec![
                    receiver.name.clone(),
                    dash(receiver.way.as_deref()),
                    receiver.pending.to_string(),
                    receiver.failed.to_string(),
                    dash(receiver.delivered_at.as_deref()),
                    dash(receiver.error.as_deref()),
                ]
            });
            table(&["receiver", "by", "pending", "given up", "last delivered", "last fault"], rows.collect());
            Ok(ExitCode::SUCCESS)
        }
        Receivers::Test { name } => {
            let address = format!("/api/v1/receivers/{}/test", segment(&name));
            let tested: wire::ReceiverTest = session.client.post(&address, &json!({})).await?;
            if session.json {
                output::json(&tested);
            } else {
                let status = tested.status.map(|status| format!(" ({status})")).unwrap_or_default();
                let message = tested.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
                let how = if tested.arrived { "arrived" } else { "did not arrive" };
                line(&printable(&format!("the test {how}{status} after {} ms{message}", tested.took_ms)));
            }
            Ok(if tested.arrived { ExitCode::SUCCESS } else { ExitCode::from(PARTIAL) })
        }
    }
}
