//! `mainspring monitors`.

use std::process::ExitCode;

use mainspring_wire as wire;

use super::{Session, segment};
use crate::{
    args::Monitors,
    output::{self, dash, line, printable, say, table},
};

fn path(name: &str) -> String {
    format!("/api/v1/monitors/{}", segment(name))
}

pub(crate) async fn run(session: &Session, command: Monitors) -> anyhow::Result<ExitCode> {
    match command {
        Monitors::List => {
            let monitors: Vec<wire::MonitorView> = session.client.all("/api/v1/monitors").await?;
            if session.json {
                output::json(&monitors);
            } else {
                table(&["monitor", "state", "looked at", "says"], monitors.iter().map(row).collect());
                wait_for_a_server(session);
            }
        }
        Monitors::Show { name } => show(session, &session.client.get(&path(&name)).await?),
        Monitors::Evaluate { name, raise } => {
            let asked = wire::MonitorLookRequest { raise };
            let look: wire::MonitorLook = session.client.post(&format!("{}/evaluate", path(&name)), &asked).await?;
            if session.json {
                output::json(&look);
            } else {
                line(&printable(&format!("{} is {}", look.name, look.evaluation.state)));
                slices(&look.evaluation.slices);
                alerts(&look.alerts, if raise { "goes on" } else { "would be raised" });
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn wait_for_a_server(session: &Session) {
    if session.url.is_none() {
        say("no server runs: monitors are looked at when one does");
    }
}

/// `unknown`: how to say that nobody has looked.
fn state<'a>(monitor: &'a wire::MonitorView, unknown: &'a str) -> &'a str {
    match (monitor.enabled, monitor.hidden) {
        (false, _) => "off",
        (true, true) => "hidden",
        (true, false) => monitor.state.as_deref().unwrap_or(unknown),
    }
}

fn row(monitor: &wire::MonitorView) -> Vec<String> {
    let state = state(monitor, "not looked at");
    let says = monitor.trouble.as_ref().or(monitor.says.as_ref());
    vec![monitor.name.clone(), state.to_owned(), dash(monitor.looked_at.as_deref()), dash(says.map(String::as_str))]
}

fn show(session: &Session, detail: &wire::MonitorDetail) {
    if session.json {
        output::json(detail);
        return;
    }
    let wire::MonitorDetail { monitor, spec: _, slices: found, alerts: going } = detail;
    let state = state(monitor, "not looked at yet");
    line(&printable(&format!("{} (version {}) is {state}", monitor.name, monitor.version)));
    if let Some(description) = &monitor.description {
        line(&printable(description));
    }
    if monitor.hidden {
        line("what it finds is counted of every trace, and your key may not see them all");
    }
    if let Some(at) = &monitor.looked_at {
        line(&format!("looked at {at}"));
    }
    if let Some(at) = &monitor.next_look_at {
        line(&format!("next look {at}"));
    }
    if let Some(trouble) = &monitor.trouble {
        line(&printable(&format!("the last look found nothing out: {trouble}")));
    }
    slices(found);
    alerts(going, "goes on");
    for incident in &monitor.incidents {
        line(&format!("    mainspring incidents show {incident}"));
    }
    wait_for_a_server(session);
}

fn slices(slices: &[wire::MonitorSlice]) {
    if slices.is_empty() {
        return;
    }
    let compared = slices.iter().any(|slice| slice.reference.is_some());
    let rows = slices.iter().map(|slice| {
        let mut row = vec![
            slice.slice.clone().unwrap_or_else(|| "everything".to_owned()),
            slice.state.clone(),
            slice.since.clone(),
            slice.count.to_string(),
        ];
        row.extend(figures(slice, compared));
        row.extend([number(slice.limit), dash(slice.says.as_deref())]);
        row
    });
    let mut head = vec!["slice", "state", "since", "measured", "value"];
    head.extend(compared.then_some("difference"));
    head.extend(["limit", "says"]);
    table(&head, rows.collect());
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

/// The value, and where slices are `compared` how far it is from what it is compared with, each with where it surely lies.
fn figures(slice: &wire::MonitorSlice, compared: bool) -> Vec<String> {
    let surely = |low: Option<f64>, high: Option<f64>| {
        low.zip(high).map(|(low, high)| format!(" ({low:.4} to {high:.4})")).unwrap_or_default()
    };
    let own = if slice.reference.is_some() { (slice.value_low, slice.value_high) } else { (slice.low, slice.high) };
    let value = format!("{}{}", number(slice.value), surely(own.0, own.1));
    if !compared {
        return vec![value];
    }
    let off = slice.value.zip(slice.reference).map(|(value, reference)| value - reference);
    let of_difference = off.map(|_| surely(slice.low, slice.high)).unwrap_or_default();
    vec![value, format!("{}{of_difference}", number(off))]
}

fn alerts(alerts: &[wire::MonitorAlert], how: &str) {
    for alert in alerts {
        let what = if alert.missing { " (nothing comes)" } else { "" };
        line(&printable(&format!("alert {}{what} {how}", alert.fingerprint)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_and_its_difference_have_an_interval_each() {
        let slice = |fields: serde_json::Value| -> wire::MonitorSlice {
            let mut whole = serde_json::json!({ "state": "firing", "since": "2026-01-01T00:00:00Z", "count": 600 });
            for (name, value) in fields.as_object().unwrap() {
                whole[name] = value.clone();
            }
            serde_json::from_value(whole).unwrap()
        };
        let pl = slice(serde_json::json!({
            "value": 0.3, "reference": 0.1, "value_low": 0.24, "value_high": 0.36, "low": 0.14, "high": 0.27,
        }));
        assert_eq!(figures(&pl, true), ["0.3000 (0.2400 to 0.3600)", "0.2000 (0.1400 to 0.2700)"]);
        let few = slice(serde_json::json!({}));
        assert_eq!(figures(&few, true), ["-", "-"]);
        let plain = slice(serde_json::json!({ "value": 0.3, "low": 0.24, "high": 0.36 }));
        assert_eq!(figures(&plain, false), ["0.3000 (0.2400 to 0.3600)"]);
    }
}
