//! `mainspring logs`.

use std::process::ExitCode;

use mainspring_kernel::text::elide;
use mainspring_wire as wire;
use serde_json::Value;

use super::{
    Session,
    traces::{query, tell_count},
};
use crate::{
    args::{ListLogs, Logs, LogsCommand, WhichLogs},
    output::{self, dash, table},
};

/// Characters of what a record says that a line shows.
const SHOWN: usize = 300;

pub(crate) async fn run(session: &Session, logs: &Logs) -> anyhow::Result<ExitCode> {
    match &logs.command {
        Some(LogsCommand::List(given)) => list(session, given).await,
        Some(LogsCommand::Count(which)) => count(session, which).await,
        None => list(session, &logs.list).await,
    }
}

fn asked(WhichLogs { filter, find }: &WhichLogs) -> String {
    query(&[("filter", filter.as_deref()), ("q", find.as_deref())])
}

async fn list(session: &Session, ListLogs { which, paging }: &ListLogs) -> anyhow::Result<ExitCode> {
    let page: wire::Page<wire::LogRecord> = session.page(&format!("/api/v1/logs{}", asked(which)), paging).await?;
    if session.json {
        output::json(&page);
        return Ok(ExitCode::SUCCESS);
    }
    let rows = page.items.iter().map(|record| {
        vec![
            record.time.clone(),
            dash(record.severity.as_ref().or(record.severity_text.as_ref())),
            dash(record.service.as_ref()),
            record.name.clone(),
            dash(record.body.as_ref().map(said)),
            record.trace_id.clone(),
        ]
    });
    table(&["time", "severity", "service", "event", "says", "trace"], rows.collect());
    output::more(page.next.as_deref());
    Ok(ExitCode::SUCCESS)
}

/// A text as it is, anything else as JSON.
fn said(body: &Value) -> String {
    let text = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
    elide(&text, SHOWN)
}

async fn count(session: &Session, which: &WhichLogs) -> anyhow::Result<ExitCode> {
    let counted: wire::TraceCount = session.client.get(&format!("/api/v1/logs/count{}", asked(which))).await?;
    tell_count(session, &counted);
    Ok(ExitCode::SUCCESS)
}
