//! `mainspring traces`.

use std::{fs::File, io::Write, path::Path, process::ExitCode};

use anyhow::Context;
use futures::StreamExt;
use mainspring_client::BodyStream;
use mainspring_wire as wire;
use serde_json::json;

use super::{Session, onward, segment, tailing, tree};
use crate::{
    args::{CountTraces, ExportFormat, ExportTraces, ListTraces, Measure, Paging, ShowTrace, Traces, TracesCommand, Which},
    output::{self, dash, line, printable, table},
};

pub(crate) async fn run(session: &Session, traces: &Traces) -> anyhow::Result<ExitCode> {
    match (&traces.command, &traces.trace) {
        (Some(command), _) => Box::pin(carry_out(session, command)).await,
        (None, Some(trace)) => show(session, &ShowTrace::of(trace)).await,
        (None, None) => list(session, &traces.list).await,
    }
}

async fn carry_out(session: &Session, command: &TracesCommand) -> anyhow::Result<ExitCode> {
    match command {
        TracesCommand::List(given) => list(session, given).await,
        TracesCommand::Show(given) => show(session, given).await,
        TracesCommand::Count(given) => count(session, given).await,
        TracesCommand::Metrics(measure) => metrics(session, measure).await,
        TracesCommand::Export(export) => self::export(session, export).await,
        TracesCommand::Tail(given) => tailing::tail(session, given).await,
        TracesCommand::Sessions { session: Some(one), paging, .. } => show_session(session, one, paging).await,
        TracesCommand::Sessions { session: None, filter, paging } => sessions(session, filter.as_deref(), paging).await,
        TracesCommand::Users { filter, paging } => users(session, filter.as_deref(), paging).await,
    }
}

pub(super) fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let given = pairs.iter().filter_map(|(name, value)| Some(format!("{name}={}", segment((*value)?))));
    let joined = given.collect::<Vec<_>>().join("&");
    if joined.is_empty() { joined } else { format!("?{joined}") }
}

fn which(Which { filter, app }: &Which) -> Vec<(&'static str, Option<&str>)> {
    vec![("filter", filter.as_deref()), ("app", app.as_deref())]
}

async fn list(session: &Session, given: &ListTraces) -> anyhow::Result<ExitCode> {
    let mut pairs = which(&given.which);
    if given.spans {
        return list_spans(session, &query(&pairs), &given.paging).await;
    }
    pairs.push(("any", given.any.then_some("true")));
    let asked = query(&pairs);
    let path = format!("/api/v1/traces{asked}");
    let page: wire::Page<wire::TraceSummary> = session.page(&path, &given.paging).await?;
    // Of a list that several pages make, only the answer to the first says what to ask instead.
    let hint = if page.items.is_empty() && given.paging.cursor.is_none() {
        session.client.get::<wire::TracePage>(&path).await?.hint
    } else {
        None
    };
    if session.json {
        output::json(&page);
    } else {
        show_traces(&page.items);
        output::more(page.next.as_deref());
    }
    hint.iter().for_each(|hint| output::say(hint));
    Ok(ExitCode::SUCCESS)
}

fn show_traces(traces: &[wire::TraceSummary]) {
    let rows = traces.iter().map(|trace| {
        vec![
            trace.trace_id.clone(),
            trace.start.clone(),
            trace.name.clone(),
            format!("{:.0} ms", trace.duration_ms),
            trace.error.clone().unwrap_or_else(|| trace.status.clone()),
            format!("{} → {}", dash(trace.input_tokens), dash(trace.output_tokens)),
            dash(trace.cost.as_deref()),
        ]
    });
    table(&["trace", "start", "name", "took", "status", "tokens", "dollars"], rows.collect());
}

async fn list_spans(session: &Session, asked: &str, paging: &Paging) -> anyhow::Result<ExitCode> {
    let page: wire::Page<wire::SpanSummary> = session.page(&format!("/api/v1/spans{asked}"), paging).await?;
    if session.json {
        output::json(&page);
        return Ok(ExitCode::SUCCESS);
    }
    table(&["trace", "start", "name", "took", "status", "model", "tokens", "dollars"], page.items.iter().map(cells).collect());
    output::more(page.next.as_deref());
    Ok(ExitCode::SUCCESS)
}

pub(super) fn cells(span: &wire::SpanSummary) -> Vec<String> {
    vec![
        span.trace_id.clone(),
        span.start.clone(),
        span.name.clone(),
        format!("{:.0} ms", span.duration_ms),
        span.error.clone().or_else(|| span.error_type.clone()).unwrap_or_else(|| span.status.clone()),
        dash(span.model.as_deref()),
        format!("{} → {}", dash(span.input_tokens), dash(span.output_tokens)),
        dash(span.cost.as_deref()),
    ]
}

/// Spans that are asked for at once.
const AT_ONCE: usize = 4_000;

async fn show(session: &Session, given: &ShowTrace) -> anyhow::Result<ExitCode> {
    let path = format!("/api/v1/traces/{}", segment(&given.trace));
    if session.json {
        output::json(&whole(session, &path, given).await?);
        return Ok(ExitCode::SUCCESS);
    }
    let found = drawn(session, &format!("{path}/tree"), given).await?;
    if let Some(totals) = &found.totals {
        output::say(&printable(&tree::summary(totals)));
    }
    let lines = tree::lines(&found.spans);
    lines.iter().for_each(|drawn| line(drawn));
    if lines.len() < found.spans.len() {
        let hidden = found.spans.len() - lines.len();
        output::say(&format!("{hidden} spans are not shown: they lie more than {} deep, or above themselves", tree::DEPTH_MAX));
    }
    // Of a part that is not the first nobody says how many there are.
    let all = found.totals.map(|totals| format!(" of {}", totals.spans)).unwrap_or_default();
    if found.next.is_some() || given.cursor.is_some() {
        output::say(&format!("{}{all} spans", found.spans.len()));
    }
    output::more(found.next.as_deref());
    Ok(ExitCode::SUCCESS)
}

fn part(path: &str, left: usize, cursor: Option<&str>) -> String {
    let limit = left.min(AT_ONCE).to_string();
    format!("{path}{}", query(&[("limit", Some(&limit)), ("cursor", cursor)]))
}

/// Spans with what was written and read: as many as were asked for, however many pages that takes.
async fn whole(session: &Session, path: &str, given: &ShowTrace) -> anyhow::Result<wire::TraceView> {
    let limit = given.limit as usize;
    let mut found: wire::TraceView = session.client.get(&part(path, limit, given.cursor.as_deref())).await?;
    while found.spans.len() < limit && found.next.is_some() {
        let left = limit - found.spans.len();
        let more: wire::TraceView = session.client.get(&part(path, left, found.next.as_deref())).await?;
        found.spans.extend(more.spans);
        found.next = more.next;
    }
    Ok(found)
}

/// The same without.
async fn drawn(session: &Session, path: &str, given: &ShowTrace) -> anyhow::Result<wire::TraceTree> {
    let limit = given.limit as usize;
    let mut found: wire::TraceTree = session.client.get(&part(path, limit, given.cursor.as_deref())).await?;
    while found.spans.len() < limit && found.next.is_some() {
        let left = limit - found.spans.len();
        let more: wire::TraceTree = session.client.get(&part(path, left, found.next.as_deref())).await?;
        found.spans.extend(more.spans);
        found.next = more.next;
    }
    Ok(found)
}

async fn count(session: &Session, CountTraces { which: only, spans, any }: &CountTraces) -> anyhow::Result<ExitCode> {
    let what = if *spans { "spans" } else { "traces" };
    let mut pairs = which(only);
    pairs.push(("any", any.then_some("true")));
    let counted: wire::TraceCount = session.client.get(&format!("/api/v1/{what}/count{}", query(&pairs))).await?;
    tell_count(session, &counted);
    Ok(ExitCode::SUCCESS)
}

pub(super) fn tell_count(session: &Session, counted: &wire::TraceCount) {
    counted.hint.iter().for_each(|hint| output::say(hint));
    if session.json {
        output::json(counted);
        return;
    }
    let about = if counted.exact || counted.waiting.is_some() { "" } else { "about " };
    line(&format!("{about}{}", counted.count));
    if let Some(waiting) = counted.waiting {
        line(&format!("{waiting} spans at least are stored and cannot be found yet; `mainspring doctor` says why"));
    }
}

async fn metrics(session: &Session, measure: &Measure) -> anyhow::Result<ExitCode> {
    let limit = measure.limit.map(|limit| limit.to_string());
    let mut asked = which(&measure.which);
    asked.extend([
        ("by", measure.by.as_deref()),
        ("bucket", measure.bucket.as_deref()),
        ("measures", measure.measures.as_deref()),
        ("from", measure.from.as_deref()),
        ("to", measure.to.as_deref()),
        ("limit", limit.as_deref()),
    ]);
    let found: wire::TraceMetrics = session.client.get(&format!("/api/v1/traces/metrics{}", query(&asked))).await?;
    if session.json {
        output::json(&found);
        return Ok(ExitCode::SUCCESS);
    }
    let over_time = measure.bucket.is_some();
    let mut header: Vec<&str> = if over_time { vec!["from"] } else { Vec::new() };
    header.extend(found.by.iter().chain(&found.measures).map(String::as_str));
    let row = |row: &wire::TraceMetricsRow| {
        let key = |name: &String| dash(row.keys.get(name).and_then(Option::as_deref));
        let value = |name: &String| dash(row.values.get(name).copied().flatten().map(number));
        let start = over_time.then(|| dash(row.start.as_deref()));
        start.into_iter().chain(found.by.iter().map(key)).chain(found.measures.iter().map(value)).collect()
    };
    table(&header, found.rows.iter().map(row).collect());
    output::say(&format!("spans that began from {} to {}; times are in milliseconds, costs in dollars", found.from, found.to));
    if found.estimated {
        output::say("only some of the traces are kept: these are estimates of all that came");
    }
    if found.more {
        output::say("there are more groups: ask for fewer, or about less time");
    }
    Ok(ExitCode::SUCCESS)
}

/// A number for people: whole where it is, and with four digits where it is not.
fn number(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 1000.0 { format!("{value:.0}") } else { format!("{value:.4}") }
}

async fn sessions(session: &Session, filter: Option<&str>, paging: &Paging) -> anyhow::Result<ExitCode> {
    let asked = query(&[("filter", filter)]);
    let page: wire::Page<wire::SessionSummary> = session.page(&format!("/api/v1/sessions{asked}"), paging).await?;
    if session.json {
        output::json(&page);
        return Ok(ExitCode::SUCCESS);
    }
    let rows = page.items.iter().map(|found| {
        let mut row = vec![found.session.clone(), dash(found.user.as_deref())];
        row.extend(used(&found.used));
        row
    });
    table(&["session", "user", "last", "traces", "errors", "took", "tokens", "dollars"], rows.collect());
    output::more(page.next.as_deref());
    Ok(ExitCode::SUCCESS)
}

async fn users(session: &Session, filter: Option<&str>, paging: &Paging) -> anyhow::Result<ExitCode> {
    let asked = query(&[("filter", filter)]);
    let page: wire::Page<wire::UserSummary> = session.page(&format!("/api/v1/users{asked}"), paging).await?;
    if session.json {
        output::json(&page);
        return Ok(ExitCode::SUCCESS);
    }
    let rows = page.items.iter().map(|found| {
        let mut row = vec![found.user.clone()];
        row.extend(used(&found.used));
        row
    });
    table(&["user", "last", "traces", "errors", "took", "tokens", "dollars"], rows.collect());
    output::more(page.next.as_deref());
    Ok(ExitCode::SUCCESS)
}

fn used(used: &wire::GatheredTraces) -> [String; 6] {
    [
        used.last.clone(),
        used.traces.to_string(),
        used.errors.to_string(),
        format!("{:.1} s", used.duration_ms / 1000.0),
        format!("{} → {}", used.input_tokens, used.output_tokens),
        dash(used.cost.as_deref()),
    ]
}

async fn show_session(session: &Session, id: &str, paging: &Paging) -> anyhow::Result<ExitCode> {
    let cursor = paging.cursor.as_deref();
    let limit = paging.limit.min(500).to_string();
    let asked = query(&[("limit", Some(&limit)), ("cursor", cursor)]);
    let view: wire::SessionView = session.client.get(&format!("/api/v1/sessions/{}{asked}", segment(id))).await?;
    if session.json {
        output::json(&view);
        return Ok(ExitCode::SUCCESS);
    }
    let wire::SessionSummary { session: name, user, used: all } = &view.session;
    let user = user.as_ref().map(|user| format!(" of {user}")).unwrap_or_default();
    let of = format!("session {name}{user}: {} traces from {} to {}", all.traces, all.first, all.last);
    output::say(&printable(&format!(
        "{of}, {} → {} tokens, {} dollars",
        all.input_tokens,
        all.output_tokens,
        dash(all.cost.as_deref())
    )));
    if !all.whole {
        output::say("it has more spans than are read at once: there are more traces than this, and it used more");
    }
    show_traces(&view.items);
    output::more(view.next.as_deref());
    Ok(ExitCode::SUCCESS)
}

async fn export(session: &Session, export: &ExportTraces) -> anyhow::Result<ExitCode> {
    let format = match export.format {
        _ if export.to.is_some() => "otlp-json",
        ExportFormat::Jsonl => "jsonl",
        ExportFormat::OtlpJson => "otlp-json",
        ExportFormat::Parquet => "parquet",
    };
    let mut asked = which(&export.which);
    asked.push(("format", Some(format)));
    let mut body = session.client.download(&format!("/api/v1/traces/export{}", query(&asked))).await?;
    if let Some(to) = &export.to {
        return onward::send(session, body, to, export.to_key.as_deref()).await;
    }
    let Some(path) = &export.out else {
        while let Some(part) = body.next().await {
            output::raw(&part?);
        }
        return Ok(ExitCode::SUCCESS);
    };
    let bytes = save(path, body).await?;
    if session.json {
        output::json(&json!({"file": path, "bytes": bytes}));
    } else {
        output::say(&format!("wrote {} to {}", output::bytes(bytes), path.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Beside the file first: one that was broken off never looks whole.
async fn save(path: &Path, body: BodyStream) -> anyhow::Result<u64> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let saved = fill(Path::new(&beside), body).await;
    let renamed = saved.and_then(|bytes| Ok(std::fs::rename(&beside, path).map(|()| bytes)?));
    if renamed.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    renamed.with_context(|| format!("cannot write {}", path.display()))
}

async fn fill(path: &Path, mut body: BodyStream) -> anyhow::Result<u64> {
    let mut file = File::create(path)?;
    let mut bytes = 0;
    while let Some(part) = body.next().await {
        let part = part?;
        file.write_all(&part)?;
        bytes += part.len() as u64;
    }
    file.sync_all()?;
    Ok(bytes)
}
