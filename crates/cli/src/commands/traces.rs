//! `mainspring traces`.

use std::process::ExitCode;

use mainspring_wire as wire;

use super::{Session, segment};
use crate::{
    args::Paging,
    output::{self, dash, line, printable, table},
};

pub(crate) async fn run(session: &Session, trace: Option<&str>, app: Option<&str>, paging: &Paging) -> anyhow::Result<ExitCode> {
    match trace {
        Some(trace) => show(session, trace).await,
        None => list(session, app, paging).await,
    }
}

async fn list(session: &Session, app: Option<&str>, paging: &Paging) -> anyhow::Result<ExitCode> {
    let app = app.map(|app| format!("?app={}", segment(app))).unwrap_or_default();
    let page: wire::Page<wire::TraceSummary> = session.page(&format!("/api/v1/traces{app}"), paging).await?;
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
    output::more(page.next.as_deref());
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
