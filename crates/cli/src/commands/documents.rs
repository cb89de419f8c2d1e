//! `mainspring documents` and `mainspring runs`.

use std::process::ExitCode;

use mainspring_wire as wire;

use super::{Session, knowledge::counted, segment};
use crate::{
    args::{Documents, Paging},
    output::{self, dash, table},
};

pub(crate) async fn list(session: &Session, documents: &Documents) -> anyhow::Result<ExitCode> {
    let Documents { knowledge, status, source, find, paging } = documents;
    let asked = [("status", status), ("source", source), ("q", find)];
    let query: Vec<String> =
        asked.iter().filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={}", segment(value)))).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let path = format!("/api/v1/knowledge/{}/documents{query}", segment(knowledge));
    let page: wire::Page<wire::DocumentView> = session.page(&path, paging).await?;
    if session.json {
        output::json(&page);
        return Ok(ExitCode::SUCCESS);
    }
    let rows = page.items.iter().map(|document| {
        let status = match &document.reason {
            Some(reason) => format!("{}: {reason}", document.status),
            None => document.status.clone(),
        };
        vec![document.uri.clone(), document.title.clone(), status, document.chunks.to_string(), document.labels.join(" ")]
    });
    table(&["document", "title", "status", "chunks", "labels"], rows.collect());
    output::more(page.next.as_deref());
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn runs(session: &Session, knowledge: Option<&str>, paging: &Paging) -> anyhow::Result<ExitCode> {
    let path = knowledge.map_or_else(|| "/api/v1/runs".to_owned(), path);
    let page: wire::Page<wire::RunView> = session.page(&path, paging).await?;
    if session.json {
        output::json(&page);
        return Ok(ExitCode::SUCCESS);
    }
    let rows = page.items.iter().map(|run: &wire::RunView| {
        let outcome = match (&run.report, &run.error) {
            (_, Some(error)) => error.detail.clone().or_else(|| error.code.clone()).unwrap_or_default(),
            (Some(report), None) => counted(&[
                ("added", report.added),
                ("changed", report.changed),
                ("moved", report.moved),
                ("deleted", report.deleted),
                ("failed", Some(report.failed)),
            ]),
            (None, None) => String::new(),
        };
        let started = run.started_at.as_deref().or(run.created_at.as_deref());
        vec![run.id.clone(), dash(run.knowledge.as_deref()), dash(started), run.status.clone(), outcome]
    });
    table(&["run", "knowledge", "started", "status", "outcome"], rows.collect());
    output::more(page.next.as_deref());
    Ok(ExitCode::SUCCESS)
}

fn path(knowledge: &str) -> String {
    format!("/api/v1/knowledge/{}/runs", segment(knowledge))
}
