//! `mainspring routes`.

use std::process::ExitCode;

use mainspring_kernel::Money;
use mainspring_wire as wire;

use super::Session;
use crate::{
    args::Routes,
    output::{self, dash, line, say, table},
};

pub(crate) async fn run(session: &Session, command: Routes) -> anyhow::Result<ExitCode> {
    match command {
        Routes::List => list(session).await?,
        Routes::Explain { model, input, max, user, session: conversation, key } => {
            let asked = wire::ExplainRequest { model, input_tokens: input, max_tokens: max, user, session: conversation, key };
            explain(session, &asked).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(session: &Session) -> anyhow::Result<()> {
    let targets: Vec<wire::TargetView> = session.client.all("/api/v1/routes").await?;
    if session.json {
        output::json(&targets);
        return Ok(());
    }
    let rows = targets.iter().map(|target| {
        let failed: Vec<String> = target.failed.iter().map(|(class, count)| format!("{count} {class}")).collect();
        vec![
            dash(target.route.as_deref()),
            format!("{}/{}", target.provider, target.model),
            target.breaker.clone(),
            target.attempts.to_string(),
            if failed.is_empty() { "-".to_owned() } else { failed.join(", ") },
            within(target.begin_p50_ms, target.begin_p95_ms),
            within(target.whole_p50_ms, target.whole_p95_ms),
            spent(target),
        ]
    });
    let header = ["route", "target", "breaker", "attempts", "failed lately", "begin p50 · p95", "whole p50 · p95", "spent $"];
    table(&header, rows.collect());
    let processes: Vec<wire::ProcessView> = session.client.all("/api/v1/processes").await?;
    let others = processes.iter().filter(|process| !process.here).count();
    if others > 0 {
        say(&format!("as the process that answered sees them; {others} more serve calls, and each knows its own"));
    }
    Ok(())
}

/// Within which time half and 95 of 100 were done. They are known together or not at all.
fn within(half: Option<u32>, most: Option<u32>) -> String {
    dash(half.zip(most).map(|(half, most)| format!("{half} · {most} ms")))
}

/// Nothing spent is not the same as free.
fn spent(target: &wire::TargetView) -> String {
    let none = target.spend.parse::<Money>().is_ok_and(|spend| spend == Money::ZERO);
    match (target.priced, none) {
        (Some(false), true) => "unpriced".to_owned(),
        (Some(false), false) => format!("{} + unpriced", target.spend),
        _ => target.spend.clone(),
    }
}

async fn explain(session: &Session, asked: &wire::ExplainRequest) -> anyhow::Result<()> {
    let found: wire::RouteExplanation = session.client.post("/api/v1/routes/explain", asked).await?;
    if session.json {
        output::json(&found);
        return Ok(());
    }
    let wire::RouteExplanation { model, route, choose, cache, retries, .. } = &found;
    line(&format!("`{model}` goes by {route}, chosen by {choose}, {retries} retries"));
    line(&format!("cache: {}", cache.as_deref().unwrap_or("the route keeps no answers")));
    let rows = found.targets.iter().map(|target| {
        vec![
            target.place.map_or_else(|| "-".to_owned(), |place| place.to_string()),
            format!("{}/{}", target.provider, target.model),
            target.breaker.clone(),
            dash(target.begin_ms.map(|ms| format!("{ms:.0} ms"))),
            dash(target.cost.as_deref()),
            target.why.clone(),
        ]
    });
    table(&["", "target", "breaker", "begins in", "cost $", "why"], rows.collect());
    Ok(())
}
