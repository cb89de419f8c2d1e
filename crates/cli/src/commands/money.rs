//! `mainspring limits`, `mainspring usage` and `mainspring calls`.

use std::process::ExitCode;

use anyhow::Context;
use mainspring_wire as wire;

use super::{Session, segment};
use crate::{
    args::{Calls, Limits, Only, ShowUsage, Stretch, Usage, UsageCommand},
    output::{self, dash, line, say, table},
};

pub(crate) async fn limits(session: &Session, command: Limits) -> anyhow::Result<ExitCode> {
    match command {
        Limits::List => list(session).await?,
        Limits::Set { metric, amount, subject } => {
            let (kind, subject) = match subject.split_once('=') {
                Some((kind, subject)) => (kind.to_owned(), Some(subject.to_owned())),
                None => (subject, None),
            };
            let new = wire::NewLimit { kind, subject, metric: metric.replace('-', "_"), amount };
            let limit: wire::LimitView = session.client.post("/api/v1/limits", &new).await?;
            said(session, &limit, "is set");
        }
        Limits::Remove { id } => {
            let limit: wire::LimitView = session.client.delete(&format!("/api/v1/limits/{}", segment(&id))).await?;
            said(session, &limit, "is removed");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn said(session: &Session, limit: &wire::LimitView, what: &str) {
    if session.json {
        output::json(limit);
        return;
    }
    let wire::LimitView { id, metric, amount, .. } = limit;
    line(&format!("{amount} {} for {} {what} ({id})", metric.replace('_', " "), whom(limit)));
}

fn whom(limit: &wire::LimitView) -> String {
    match (limit.kind.as_str(), limit.subject.as_str()) {
        ("project", _) => "the project".to_owned(),
        (kind, "*") => format!("each {kind}"),
        (kind, subject) => format!("{kind} {subject}"),
    }
}

async fn list(session: &Session) -> anyhow::Result<()> {
    let limits: Vec<wire::LimitView> = session.client.all("/api/v1/limits").await?;
    if session.json {
        output::json(&limits);
        return Ok(());
    }
    let rows = limits.iter().map(|limit| {
        vec![
            limit.id.clone(),
            whom(limit),
            limit.metric.replace('_', " "),
            limit.amount.clone(),
            dash(limit.spent.as_deref()),
            dash(limit.left),
            dash(limit.resets_at.as_deref()),
        ]
    });
    table(&["id", "for", "what", "amount", "spent", "left", "begins anew"], rows.collect());
    Ok(())
}

/// A query from what was given, with its question mark.
fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let given = pairs.iter().filter_map(|(name, value)| Some(format!("{name}={}", segment((*value)?))));
    let joined = given.collect::<Vec<_>>().join("&");
    if joined.is_empty() { joined } else { format!("?{joined}") }
}

fn asked<'a>(stretch: &'a Stretch, only: &'a Only) -> Vec<(&'static str, Option<&'a str>)> {
    let Only { key, user, app, model, provider } = only;
    vec![
        ("since", stretch.since.as_deref()),
        ("until", stretch.until.as_deref()),
        ("key", key.as_deref()),
        ("user", user.as_deref()),
        ("app", app.as_deref()),
        ("model", model.as_deref()),
        ("provider", provider.as_deref()),
    ]
}

pub(crate) async fn usage(session: &Session, usage: Usage) -> anyhow::Result<ExitCode> {
    match usage.command {
        Some(UsageCommand::Reprice { other, prices, by, all_projects, stretch, only }) => {
            let mut asked = asked(&stretch, &only);
            asked.extend([("as", other.as_deref()), ("prices", prices.as_deref()), ("by", Some(by.as_str()))]);
            asked.push(("all_projects", all_projects.then_some("true")));
            let repriced: wire::RepricedView = session.client.get(&format!("/api/v1/usage/reprice{}", query(&asked))).await?;
            show_repriced(session, &repriced);
        }
        None => show_usage(session, &usage.show).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn show_usage(session: &Session, show: &ShowUsage) -> anyhow::Result<()> {
    let mut asked = asked(&show.stretch, &show.only);
    asked.push(("by", Some(&show.by)));
    asked.push(("all_projects", show.all_projects.then_some("true")));
    let usage: wire::UsageView = session.client.get(&format!("/api/v1/usage{}", query(&asked))).await?;
    if session.json {
        output::json(&usage);
        return Ok(());
    }
    let cells = |name: String, row: &wire::UsageRow| {
        vec![
            name,
            row.calls.to_string(),
            row.failed.to_string(),
            row.input_tokens.to_string(),
            row.cache_read_tokens.to_string(),
            row.output_tokens.to_string(),
            priced(&row.cost, row.unpriced),
        ]
    };
    let mut rows: Vec<Vec<String>> = usage.rows.iter().map(|row| cells(named(&row.name, row.key_name.as_deref()), row)).collect();
    if !rows.is_empty() {
        rows.push(cells("total".to_owned(), &usage.total));
    }
    table(&[&usage.by, "calls", "failed", "input", "of it cached", "output", "dollars"], rows);
    say(&format!("calls that began from {} to {}", usage.since, usage.until));
    if usage.cut {
        say("there are more rows; the total is of all");
    }
    tell_estimated(&usage.total);
    tell_unpriced(usage.total.unpriced, "calls without a known price");
    Ok(())
}

/// A key by its name, and by the id that `--key` takes.
fn named(name: &str, key: Option<&str>) -> String {
    match key {
        Some(key) => format!("{key} ({name})"),
        None if name.is_empty() => "–".to_owned(),
        None => name.to_owned(),
    }
}

/// A sum that leaves something out says so.
fn priced(cost: &str, unpriced: u64) -> String {
    if unpriced == 0 { cost.to_owned() } else { format!("{cost} + {unpriced} unpriced") }
}

fn tell_estimated(total: &wire::UsageRow) {
    let (input, output) = (total.input_estimated_tokens, total.output_estimated_tokens);
    if input > 0 || output > 0 {
        let (read, written) = (total.input_tokens, total.output_tokens);
        say(&format!(
            "estimated, since nobody reported them: {input} of {read} tokens of input, {output} of {written} of output"
        ));
    }
}

fn tell_unpriced(calls: u64, what: &str) {
    if calls > 0 {
        say(&format!("{what}: {calls}; the sums are without them, so add the models to the project's prices"));
    }
}

fn show_repriced(session: &Session, repriced: &wire::RepricedView) {
    if session.json {
        output::json(repriced);
        return;
    }
    let cells = |name: String, row: &wire::RepricedRow| {
        let (cost, other) = (priced(&row.cost, row.unpriced), priced(&row.repriced, row.still_unpriced));
        vec![name, row.calls.to_string(), row.input_tokens.to_string(), row.output_tokens.to_string(), cost, other]
    };
    let mut rows: Vec<Vec<String>> =
        repriced.rows.iter().map(|row| cells(named(&row.name, row.key_name.as_deref()), row)).collect();
    if !rows.is_empty() {
        rows.push(cells("total".to_owned(), &repriced.total));
    }
    let by = if repriced.by == "target" { "went to" } else { repriced.by.as_str() };
    table(&[by, "calls", "input", "output", "dollars then", "dollars otherwise"], rows);
    say(&format!("calls that began from {} to {}, with the tokens that were counted then", repriced.since, repriced.until));
    if repriced.cut {
        say("there are more rows; the total is of all");
    }
    if repriced.apart_calls > 0 {
        let (calls, cost) = (repriced.apart_calls, &repriced.apart_cost);
        say(&format!("calls that write no text, which another model of that kind could not take: {calls}, for {cost} dollars"));
    }
    tell_unpriced(repriced.total.still_unpriced, "calls without a known price there");
}

pub(crate) async fn calls(session: &Session, calls: &Calls) -> anyhow::Result<ExitCode> {
    if calls.follow {
        return follow(session, calls).await;
    }
    let mut asked = asked(&calls.stretch, &calls.only);
    asked.extend([("status", calls.status.as_deref()), ("batch", calls.batch.as_deref())]);
    let page: wire::Page<wire::CallView> = session.page(&format!("/api/v1/calls{}", query(&asked)), &calls.paging).await?;
    if session.json {
        output::json(&page);
        return Ok(ExitCode::SUCCESS);
    }
    let rows = page.items.iter().map(cells);
    table(&["ended", "model", "went to", "user", "status", "input", "output", "dollars", "ms"], rows.collect());
    output::more(page.next.as_deref());
    Ok(ExitCode::SUCCESS)
}

fn cells(call: &wire::CallView) -> Vec<String> {
    let target = call.provider.as_ref().map(|provider| format!("{provider}/{}", call.target.as_deref().unwrap_or_default()));
    let used = call.usage.input_tokens.saturating_add(call.usage.output_tokens);
    let unknown = |price: &Option<wire::CallPrice>| price.is_none() && !call.cached && used > 0;
    let unpriced = unknown(&call.price) || call.charges.iter().any(|charge| unknown(&charge.price));
    vec![
        call.ended_at.clone(),
        call.model.clone(),
        dash(target),
        dash(call.user.as_deref()),
        call.status.clone(),
        call.usage.input_tokens.to_string(),
        call.usage.output_tokens.to_string(),
        if unpriced { "unpriced".to_owned() } else { call.cost.clone() },
        call.took_ms.to_string(),
    ]
}

/// Calls as they end, a line each.
async fn follow(session: &Session, calls: &Calls) -> anyhow::Result<ExitCode> {
    loop {
        let mut events = session.client.events("/api/v1/calls/live").await?;
        while let Some(event) = events.next().await {
            match serde_json::from_str(&event?).context("an event cannot be read")? {
                wire::LiveCall::Settled(call) if is_wanted(&call, calls) && session.json => output::json_line(&call),
                wire::LiveCall::Settled(call) if is_wanted(&call, calls) => line(&output::printable(&cells(&call).join("  "))),
                wire::LiveCall::Missed(missed) => say(&format!("{} events were missed: too much happened", missed.events)),
                _ => {}
            }
        }
        // The server ends it now and then, so that whoever may no longer look does not; then it is asked again.
    }
}

fn is_wanted(call: &wire::CallView, Calls { status, batch, only, .. }: &Calls) -> bool {
    let Only { key, user, app, model, provider } = only;
    let same = |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
    let named = model.is_none() || model.as_ref() == Some(&call.model) || *model == call.route;
    named
        && same(status, Some(&call.status))
        && same(batch, call.batch_id.as_deref())
        && same(key, call.key.as_deref())
        && same(user, call.user.as_deref())
        && same(app, call.app.as_deref())
        && (same(provider, call.provider.as_deref()) || call.charges.iter().any(|charge| same(provider, Some(&charge.provider))))
}
