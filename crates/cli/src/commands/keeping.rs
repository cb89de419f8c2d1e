//! `mainspring retention`, `erase` and `erasures`.

use std::{process::ExitCode, time::Duration};

use mainspring_wire as wire;

use super::{Session, segment};
use crate::{
    args::{Erase, Erasures, Retention},
    output::{self, dash, line, printable, table},
};

const ALL: &str = "/api/v1/erasures";
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(crate) async fn retention(session: &Session, command: Retention) -> anyhow::Result<ExitCode> {
    let found: wire::RetentionList = match command {
        Retention::Show => session.client.get("/api/v1/retention").await?,
        Retention::Set { kind, keep_for, max_bytes } => {
            let path = format!("/api/v1/retention/{}", kind.as_str());
            session.client.put(&path, &wire::SetRetention { keep_for, max_bytes }).await?
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
