//! `mainspring traces` and `mainspring replay`.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::Context;
use mainspring_wire as wire;

use super::{Session, segment};
use crate::{
    args::Replay,
    output::{self, dash, line, printable, say, table},
};

pub(crate) async fn run(session: &Session, trace: Option<&str>, app: Option<&str>, limit: usize) -> anyhow::Result<ExitCode> {
    match trace {
        Some(trace) => show(session, trace).await,
        None => list(session, app, limit).await,
    }
}

async fn list(session: &Session, app: Option<&str>, limit: usize) -> anyhow::Result<ExitCode> {
    let app = app.map(|app| format!("&app={}", segment(app))).unwrap_or_default();
    let page: wire::Page<wire::TraceSummary> = session.client.get(&format!("/api/v1/traces?limit={limit}{app}")).await?;
    if session.json {
        output::json(&page);
        return Ok(ExitCode::SUCCESS);
    }
    let rows = page.items.iter().map(|trace| {
        vec![
            trace.trace_id.clone(),
            trace.start.clone(),
            trace.name.clone(),
            format!("{:.0} ms", trace.duration_ms),
            trace.error.clone().unwrap_or_else(|| trace.status.clone()),
            format!("{} → {}", dash(trace.input_tokens), dash(trace.output_tokens)),
        ]
    });
    table(&["trace", "start", "name", "took", "status", "tokens"], rows.collect());
    Ok(ExitCode::SUCCESS)
}

async fn show(session: &Session, trace: &str) -> anyhow::Result<ExitCode> {
    let view: wire::TraceView = session.client.get(&format!("/api/v1/traces/{}", segment(trace))).await?;
    if session.json {
        output::json(&view);
        return Ok(ExitCode::SUCCESS);
    }
    let roots = view.spans.iter().filter(|span| !view.spans.iter().any(|other| Some(&other.span) == span.parent.as_ref()));
    for root in roots {
        show_span(&view, root, 0);
    }
    Ok(ExitCode::SUCCESS)
}

fn show_span(view: &wire::TraceView, span: &wire::SpanView, depth: usize) {
    // A trace that names itself as its parent is somebody's mistake, not a reason to never return.
    if depth > 64 {
        return;
    }
    let error = span.status.message.as_ref().map(|message| format!("  ✗ {message}")).unwrap_or_default();
    line(&printable(&format!("{}{}  {}{error}", "  ".repeat(depth), span.name, span.start)));
    for child in view.spans.iter().filter(|child| child.parent.as_ref() == Some(&span.span)) {
        show_span(view, child, depth + 1);
    }
}

pub(crate) async fn replay(session: &Session, replay: &Replay) -> anyhow::Result<ExitCode> {
    let with: BTreeMap<String, String> = replay
        .with
        .iter()
        .map(|swap| swap.split_once('=').map(|(kind, reference)| (kind.to_owned(), reference.to_owned())))
        .collect::<Option<_>>()
        .context("write a swap as KIND=REF, such as prompt=answer@candidate")?;
    let request = wire::ReplayRequest { with };
    let result: wire::Replay =
        session.client.post(&format!("/api/v1/traces/{}/replay", segment(&replay.trace)), &request).await?;
    if session.json {
        output::json(&result);
        return Ok(ExitCode::SUCCESS);
    }
    for version in result.versions.iter().filter(|version| version.original != version.replayed) {
        say(&format!("  {}: {} → {}", version.what, dash(version.original.as_deref()), dash(version.replayed.as_deref())));
    }
    for note in &result.notes {
        say(&format!("  {}", printable(note)));
    }
    if result.same {
        line("same answer");
        line(&printable(&result.replayed));
    } else {
        line("different answer");
        line(&format!("- {}", printable(&result.original)));
        line(&format!("+ {}", printable(&result.replayed)));
    }
    Ok(ExitCode::SUCCESS)
}
