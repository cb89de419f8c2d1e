//! `mainspring retention`, `erase` and `erasures`.

use std::{process::ExitCode, time::Duration};

use mainspring_wire as wire;

use super::{Session, segment};
use crate::{
    args::{Erase, Erasures, Retention, SetRetention},
    output::{self, dash, line, printable, table},
};

const RETENTION: &str = "/api/v1/retention";
const ALL: &str = "/api/v1/erasures";
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(crate) async fn retention(session: &Session, command: Retention) -> anyhow::Result<ExitCode> {
    let found: wire::RetentionList = match command {
        Retention::Show => session.client.get(RETENTION).await?,
        Retention::Set(set) => {
            let path = format!("{RETENTION}/{}", set.kind.as_str());
            let now: wire::RetentionList = session.client.get(RETENTION).await?;
            session.client.put(&path, &changed(now, set)).await?
        }
    };
    if session.json {
        output::json(&found);
        return Ok(ExitCode::SUCCESS);
    }
    let rows = found.items.iter().map(|held| {
        let last = held.last.as_ref();
        vec![
            held.kind.clone(),
            held.rows.to_string(),
            held.bytes.to_string(),
            dash(held.oldest.clone()),
            if held.by_default { format!("{} (default)", held.keep_for) } else { held.keep_for.clone() },
            dash(held.max_bytes),
            dash(last.map(|last| last.at.clone())),
            dash(last.map(|last| last.rows)),
            dash(last.map(|last| last.bytes)),
        ]
    });
    let head = ["kind", "rows", "bytes", "oldest", "kept for", "at most", "last removal", "rows", "bytes"];
    table(&head, rows.collect());
    Ok(ExitCode::SUCCESS)
}

/// The rule as it is now with what was said; without a word, none.
fn changed(now: wire::RetentionList, set: SetRetention) -> wire::SetRetention {
    let SetRetention { kind, keep_for, max_bytes, no_max_bytes } = set;
    if keep_for.is_none() && max_bytes.is_none() && !no_max_bytes {
        return wire::SetRetention::default();
    }
    let own = now.items.into_iter().find(|held| held.kind == kind.as_str());
    let (kept, most) = own.map_or((None, None), |own| ((!own.by_default).then_some(own.keep_for), own.max_bytes));
    wire::SetRetention {
        keep_for: keep_for.or(kept).filter(|keep| keep != "server"),
        max_bytes: max_bytes.or(most).filter(|_| !no_max_bytes),
    }
}

pub(crate) async fn erase(session: &Session, erase: Erase) -> anyhow::Result<ExitCode> {
    let Erase { user, session: of_session, trace, document, wait } = erase;
    let asked = wire::NewErasure { user, session: of_session, trace, document };
    let mut erasure: wire::ErasureView = session.client.post(ALL, &asked).await?;
    while wait && !matches!(erasure.state.as_str(), "done" | "failed") {
        tokio::time::sleep(LOOK_EVERY).await;
        erasure = session.client.get(&format!("{ALL}/{}", segment(&erasure.id))).await?;
    }
    show(session, &erasure);
    Ok(if erasure.state == "failed" { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn show(session: &Session, erasure: &wire::ErasureView) {
    if session.json {
        output::json(erasure);
        return;
    }
    let wire::ErasureView { id, kind, state, spans, points, bytes, values, .. } = erasure;
    let sums = format!("{spans} spans and {points} points, {bytes} bytes of files, {values} large values");
    line(&format!("{id} of a {kind} is {state}: {sums}"));
    if let Some(at) = at(erasure) {
        line(&at);
    }
    if let Some(trouble) = &erasure.trouble {
        line(&printable(trouble));
    }
    for server in &erasure.waiting_for {
        line(&format!("it waits for server {}", named(server)));
    }
    for server in &erasure.without {
        line(&format!("it is done without server {}, which carries it out when it is back", named(server)));
    }
}

/// What an erasure is at.
fn at(erasure: &wire::ErasureView) -> Option<String> {
    let looked = erasure.looked.map(|share| format!(", {:.0} % of the time looked through", 100.0 * share)).unwrap_or_default();
    Some(match erasure.step.as_deref()? {
        "asking" => "it asks servers for what they hold".to_owned(),
        "looking" => format!("it looks for whose rows are{looked}"),
        "deleting" => "it deletes".to_owned(),
        "rewriting" => "it rewrites files".to_owned(),
        "sweeping" => "it takes out large values that nothing names".to_owned(),
        other => format!("it is at `{}`", printable(other)),
    })
}

fn named(server: &wire::ErasureServer) -> String {
    let name = printable(&server.name);
    if server.alive { name } else { format!("{name}, heard of last at {}", server.seen_at) }
}

/// Why an erasure is where it is, or what it is at, for a list.
fn waiting(erasure: &wire::ErasureView) -> Option<String> {
    let servers: Vec<String> = erasure.waiting_for.iter().map(named).collect();
    let waits = (!servers.is_empty()).then(|| format!("waits for {}", servers.join("; ")));
    waits.or_else(|| erasure.trouble.clone()).or_else(|| at(erasure))
}

pub(crate) async fn erasures(session: &Session, command: Erasures) -> anyhow::Result<ExitCode> {
    let paging = match command {
        Erasures::Show { erasure } => {
            let found: wire::ErasureView = session.client.get(&format!("{ALL}/{}", segment(&erasure))).await?;
            show(session, &found);
            return Ok(ExitCode::SUCCESS);
        }
        Erasures::List(paging) => paging,
    };
    let page: wire::Page<wire::ErasureView> = session.page(ALL, &paging).await?;
    if session.json {
        output::json(&page);
        return Ok(ExitCode::SUCCESS);
    }
    let rows = page.items.iter().map(|erasure| {
        vec![
            erasure.id.clone(),
            erasure.kind.clone(),
            dash(erasure.subject.clone()),
            erasure.state.clone(),
            erasure.asked_at.clone(),
            erasure.spans.to_string(),
            erasure.points.to_string(),
            dash(waiting(erasure)),
        ]
    });
    table(&["erasure", "of", "whose", "state", "asked", "spans", "points", "why"], rows.collect());
    output::more(page.next.as_deref());
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Kept;

    /// What becomes of a rule that keeps spans for two days, and a thousand bytes of them.
    fn rule(keep_for: Option<&str>, max_bytes: Option<u64>, no_max_bytes: bool) -> (Option<String>, Option<u64>) {
        let held = |kind: &str, keep_for: &str, max_bytes: Option<u64>| wire::RetentionView {
            kind: kind.to_owned(),
            rows: 0,
            bytes: 0,
            oldest: None,
            keep_for: keep_for.to_owned(),
            by_default: max_bytes.is_none(),
            max_bytes,
            last: None,
        };
        let now = wire::RetentionList { items: vec![held("logs", "30d", None), held("spans", "2d", Some(1_000))] };
        let set = SetRetention { kind: Kept::Spans, keep_for: keep_for.map(str::to_owned), max_bytes, no_max_bytes };
        let wire::SetRetention { keep_for, max_bytes } = changed(now, set);
        (keep_for, max_bytes)
    }

    #[test]
    fn what_is_not_said_of_a_rule_stays_and_without_a_word_it_goes() {
        assert_eq!(rule(None, Some(7), false), (Some("2d".to_owned()), Some(7)));
        assert_eq!(rule(Some("3d"), None, false), (Some("3d".to_owned()), Some(1_000)));
        assert_eq!(rule(Some("server"), None, false), (None, Some(1_000)));
        assert_eq!(rule(None, None, true), (Some("2d".to_owned()), None));
        assert_eq!(rule(None, None, false), (None, None));
    }

    #[test]
    fn the_time_that_the_settings_say_does_not_become_the_projects_own() {
        let held = wire::RetentionView {
            kind: "spans".to_owned(),
            rows: 0,
            bytes: 0,
            oldest: None,
            keep_for: "30d".to_owned(),
            by_default: true,
            max_bytes: None,
            last: None,
        };
        let set = SetRetention { kind: Kept::Spans, keep_for: None, max_bytes: Some(7), no_max_bytes: false };
        let set = changed(wire::RetentionList { items: vec![held] }, set);
        assert_eq!(set, wire::SetRetention { keep_for: None, max_bytes: Some(7) });
    }
}
