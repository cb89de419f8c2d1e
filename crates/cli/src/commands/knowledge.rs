//! `mainspring ingest` and `search`.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use mainspring_client::ClientFault;
use mainspring_wire as wire;

use super::{
    Session,
    following::{follow, went_away},
    segment,
    unread::still_unread,
};
use crate::{
    args::{Ingest, Search},
    output::{self, dash, line, printable, say},
    report::PARTIAL,
};

fn path(knowledge: &str) -> String {
    format!("/api/v1/knowledge/{}", segment(knowledge))
}

/// How often a watch asks whether something is new; local files are listed in milliseconds.
const ASK_EVERY: Duration = Duration::from_secs(2);

pub(crate) async fn ingest(session: &Session, ingest: &Ingest) -> anyhow::Result<ExitCode> {
    let request = wire::IngestRequest { full: ingest.full, retry_failed: ingest.retry_failed, ..wire::IngestRequest::default() };
    let run = bring_up_to_date(session, &ingest.knowledge, &request).await?;
    match (session.json, ingest.watch) {
        (true, true) => output::json_line(&run),
        (true, false) => output::json(&run),
        (false, _) => tell(session, &ingest.knowledge, &run).await?,
    }
    if ingest.watch {
        say("watching; Ctrl-C ends");
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            outcome = watch(session, &ingest.knowledge) => outcome?,
        }
    }
    Ok(verdict(&run))
}

/// Ingests whenever local files changed, and lives through a server that is away. Ends with a refusal that stays.
async fn watch(session: &Session, knowledge: &str) -> anyhow::Result<()> {
    let request = wire::IngestRequest { if_changed: true, ..wire::IngestRequest::default() };
    let mut away = false;
    loop {
        tokio::time::sleep(ASK_EVERY).await;
        match run_if_needed(session, knowledge, &request).await {
            Ok(run) => {
                if std::mem::take(&mut away) {
                    say("it works again");
                }
                if let Some(run) = run.filter(did_something) {
                    tell_shortly(session, &run);
                }
            }
            Err(error) if passes(&error) => {
                if !std::mem::replace(&mut away, true) {
                    say(&format!("{}; trying again", printable(&format!("{error:#}"))));
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether trying again may help: the server is away, busy or restarting.
fn passes(error: &anyhow::Error) -> bool {
    match error.chain().find_map(|cause| cause.downcast_ref::<ClientFault>()) {
        Some(ClientFault::Refused(refusal)) if refusal.status == 429 || refusal.code == BUSY => true,
        Some(fault) => went_away(fault),
        None => false,
    }
}

fn did_something(run: &wire::RunView) -> bool {
    let changed = |report: &wire::IngestReport| {
        // What is not told may be anything.
        let counts = [report.added, report.changed, report.moved, report.deleted, Some(report.failed)];
        counts.iter().any(|count| *count != Some(0))
    };
    run.status != "succeeded" || run.report.as_ref().is_none_or(changed)
}

fn tell_shortly(session: &Session, run: &wire::RunView) {
    match &run.report {
        _ if session.json => output::json_line(run),
        Some(report) if run.status == "succeeded" => line(&counts(report)),
        _ => say(&how_it_ended(run)),
    }
}

const BUSY: &str = "knowledge-busy";

/// Starts a run and follows it to its end.
pub(crate) async fn bring_up_to_date(
    session: &Session,
    knowledge: &str,
    request: &wire::IngestRequest,
) -> anyhow::Result<wire::RunView> {
    match run_if_needed(session, knowledge, request).await? {
        Some(run) => Ok(run),
        None => anyhow::bail!("the server began no run"),
    }
}

/// `None`: nothing was new, and that was asked first.
async fn run_if_needed(
    session: &Session,
    knowledge: &str,
    request: &wire::IngestRequest,
) -> anyhow::Result<Option<wire::RunView>> {
    let run = match session.client.post::<wire::IngestStarted>(&format!("{}/ingest", path(knowledge)), request).await {
        Ok(started) if started.unchanged => return Ok(None),
        Ok(started) => started.run.id,
        Err(ClientFault::Refused(refusal)) if refusal.code == BUSY => {
            under_way(session, knowledge).await?.ok_or(ClientFault::Refused(refusal))?
        }
        Err(fault) => return Err(fault.into()),
    };
    follow(session, knowledge, &run).await.map(Some)
}

pub(crate) async fn tell(session: &Session, knowledge: &str, run: &wire::RunView) -> anyhow::Result<()> {
    show_report(run);
    if goes_on(run) {
        say(&format!("hint: `mainspring ingest {knowledge}` follows what goes on from there, when a server runs"));
    }
    if run.report.as_ref().is_some_and(|report| report.skipped.is_none_or(|skipped| skipped > 0)) {
        show_skipped(session, knowledge).await?;
    }
    Ok(())
}

fn verdict(run: &wire::RunView) -> ExitCode {
    let failed = run.report.as_ref().is_some_and(|report| report.failed > 0);
    match run.status.as_str() {
        "succeeded" if failed => ExitCode::from(PARTIAL),
        "succeeded" => ExitCode::SUCCESS,
        _ => ExitCode::from(2),
    }
}

/// The ingestion that somebody else began, a server that was killed and started again for one.
async fn under_way(session: &Session, knowledge: &str) -> anyhow::Result<Option<String>> {
    let runs: wire::Page<wire::RunView> = session.client.get(&format!("{}/runs?limit=1", path(knowledge))).await?;
    let run = runs.items.into_iter().find(|run| run.status == "running").map(|run| run.id);
    if run.is_some() {
        say("an ingestion is under way already; this is how it goes");
    }
    Ok(run)
}

fn show_report(run: &wire::RunView) {
    let Some(report) = &run.report else {
        say(&how_it_ended(run));
        return;
    };
    line(&counts(report));
    if let (Some(chunks), Some(tokens), Some(embedded)) = (report.chunks, report.tokens, report.embedded) {
        line(&format!("{chunks} chunks, {tokens} tokens, {embedded} embedded"));
    }
    for failure in &report.failures {
        line(&printable(&format!("  ✗ {}  {}: {}", placed(report, &failure.source, &failure.uri), failure.code, failure.detail)));
    }
    for warning in &report.warnings {
        line(&printable(&format!("  ! {}  {}: {}", placed(report, &warning.source, &warning.uri), warning.code, warning.detail)));
    }
    if report.warnings_left_out > 0 {
        line(&format!("  ! and {} more warnings; each document shows its own", report.warnings_left_out));
    }
    if run.error.is_some() {
        say(&how_it_ended(run));
    }
}

/// With the code, which has a page of its own.
fn how_it_ended(run: &wire::RunView) -> String {
    let error = run.error.as_ref();
    let parts = [error.and_then(|error| error.code.as_deref()), error.and_then(|error| error.detail.as_deref())];
    let told = parts.into_iter().flatten().map(printable);
    std::iter::once(run.status.clone()).chain(told).collect::<Vec<_>>().join(": ")
}

/// A run that was broken off leaves a job that goes on with the rest.
fn goes_on(run: &wire::RunView) -> bool {
    run.error
        .as_ref()
        .and_then(|error| error.code.as_deref())
        .is_some_and(|code| matches!(code, "knowledge-stopped" | "interrupted"))
}

fn counts(report: &wire::IngestReport) -> String {
    let counts = [
        ("added", report.added),
        ("changed", report.changed),
        ("moved", report.moved),
        ("deleted", report.deleted),
        ("unchanged", report.unchanged),
        ("skipped", report.skipped),
        ("failed", Some(report.failed)),
    ];
    format!("{} in {:.1} s", counted(&counts), report.seconds)
}

/// Those that are told: whoever does not see every document hears of those they see only.
pub(super) fn counted(counts: &[(&str, Option<u64>)]) -> String {
    let told = counts.iter().filter_map(|(what, count)| count.map(|count| format!("{count} {what}")));
    told.collect::<Vec<_>>().join(", ")
}

/// A path alone, where one source is spoken of; with several, the same path may be in each.
fn placed(report: &wire::IngestReport, source: &str, path: &str) -> String {
    let all = report.failures.iter().map(|of| &of.source).chain(report.warnings.iter().map(|of| &of.source));
    match (path.is_empty(), all.collect::<BTreeSet<_>>().len() > 1) {
        (true, _) => source.to_owned(),
        (false, true) => format!("{source}: {path}"),
        (false, false) => path.to_owned(),
    }
}

/// The first few; a folder of pictures is one line too many already.
async fn show_skipped(session: &Session, knowledge: &str) -> anyhow::Result<()> {
    const SHOWN: usize = 5;
    let found: wire::Page<wire::DocumentView> =
        session.client.get(&format!("{}/documents?status=skipped&limit={SHOWN}", path(knowledge))).await?;
    for document in &found.items {
        let (code, reason) = (document.reason_code.as_deref(), document.reason.as_deref());
        line(&printable(&format!("  – {}  {}: {}", document.uri, code.unwrap_or_default(), reason.unwrap_or_default())));
    }
    if found.next.is_some() {
        let page = session.url.as_ref().map(|url| format!(": {url}/knowledge/{}/documents?status=skipped", segment(knowledge)));
        line(&format!("  – and more{}", page.unwrap_or_default()));
    }
    Ok(())
}

pub(crate) async fn search(session: &Session, search: &Search) -> anyhow::Result<ExitCode> {
    let mut metadata: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in &search.metadata {
        let (key, value) = pair.split_once('=').context("write metadata as KEY=VALUE")?;
        metadata.entry(key.to_owned()).or_default().push(value.to_owned());
    }
    let request = wire::SearchRequest {
        query: search.query.clone(),
        mode: search.mode.clone(),
        limit: search.limit,
        rerank: search.rerank,
        metadata: (!metadata.is_empty()).then_some(metadata),
        documents: None,
        token_budget: None,
        at: None,
    };
    let found: wire::Retrieved = session.client.post(&format!("{}/search", path(&search.knowledge)), &request).await?;
    if session.json {
        output::json(&found);
        return Ok(ExitCode::SUCCESS);
    }
    for (index, passage) in found.passages.iter().enumerate() {
        let place = std::iter::once(passage.title.as_str())
            .chain(passage.heading_path.iter().map(String::as_str).skip_while(|heading| *heading == passage.title))
            .collect::<Vec<_>>()
            .join(" > ");
        line(&printable(&format!("{}. {place}", index + 1)));
        let scores = &passage.scores;
        let leg = |rank: Option<u32>, score: Option<f32>| match (rank, score) {
            (Some(rank), Some(score)) => format!("#{rank} {score:.3}"),
            (Some(rank), None) => format!("#{rank}"),
            _ => "–".to_owned(),
        };
        line(&format!(
            "   score {:.4}   vector {}   text {}   rerank {}",
            scores.score,
            leg(scores.vector_rank, scores.vector_score),
            leg(scores.text_rank, scores.text_score),
            dash(scores.rerank_score.map(|score| format!("{score:.3}")))
        ));
        let page = passage.page.map(|page| format!(" page {page}")).unwrap_or_default();
        line(&printable(&format!("   {}{page} bytes {}–{}", passage.uri, passage.start, passage.end)));
        let shown = passage.table_head.iter().chain([&passage.text]).flat_map(|text| text.split_whitespace());
        let text = shown.collect::<Vec<_>>().join(" ");
        line(&printable(&format!("   {}\n", mainspring_kernel::text::elide(&text, 240))));
    }
    if found.passages.is_empty() {
        say(&nothing(&found));
    }
    if let Some(rest) = left_out(&found) {
        say(&rest);
    }
    if let Some(unread) = &found.unread {
        say(&printable(&format!("⚠ {}", still_unread(unread))));
    }
    let timings: Vec<String> = found.timings.iter().map(|(stage, millis)| format!("{stage} {millis:.1} ms")).collect();
    say(&format!("{} · {} v{} · {}", found.mode, found.pin.table, found.pin.version, timings.join(", ")));
    Ok(ExitCode::SUCCESS)
}

/// Why there is no passage.
fn nothing(found: &wire::Retrieved) -> String {
    let nothing = if found.unread.is_some() { "nothing relevant in what was read" } else { "nothing relevant" };
    if found.left_out.iter().all(|passage| passage.reason != "irrelevant") {
        return nothing.to_owned();
    }
    match found.evidence {
        Some(wire::Evidence { similarity: Some(nearest), .. }) => {
            format!("{nothing}: nearest {nearest:.2}, below the threshold {:.2}", found.threshold)
        }
        Some(wire::Evidence { similarity: None, coverage }) => {
            format!("{nothing}: the best holds {:.0} % of the question's words", coverage * 100.0)
        }
        None => nothing.to_owned(),
    }
}

/// How many were found and not given, by reason.
fn left_out(found: &wire::Retrieved) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for passage in &found.left_out {
        *counts.entry(passage.reason.as_str()).or_default() += 1;
    }
    let words = |reason: &str| match reason {
        "copy" => "say what a better one says",
        "score" => "score below the spec's min_score",
        "room" => "did not fit",
        "irrelevant" => "are not relevant enough",
        _ => "were left out",
    };
    let told: Vec<String> = counts.iter().map(|(reason, count)| format!("{count} {}", words(reason))).collect();
    (!told.is_empty()).then(|| format!("found, and not given: {}", told.join(", ")))
}
