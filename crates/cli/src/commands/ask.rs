//! `mainspring ask`: streams an answer, then its sources.

use std::process::ExitCode;

use mainspring_client::ClientFault;
use mainspring_wire as wire;
use serde_json::{Value, json};

use super::{Session, unread::still_unread};
use crate::{
    args::Ask,
    output::{self, data, line, printable, say},
};

pub(crate) async fn run(session: &Session, ask: &Ask) -> anyhow::Result<ExitCode> {
    let mut body = json!({
        "model": ask.app,
        "messages": [{"role": "user", "content": ask.question}],
        "stream": !session.json,
    });
    if let Some(seed) = ask.seed {
        body["seed"] = json!(seed);
    }
    if let Some(max_tokens) = ask.max_tokens {
        body["max_tokens"] = json!(max_tokens);
    }
    if session.json {
        let answer: Value = session.client.post("/v1/chat/completions", &body).await?;
        output::json(&answer);
        return Ok(ExitCode::SUCCESS);
    }
    let outcome = stream(session, &body).await?;
    show_sources(session, &outcome);
    Ok(ExitCode::SUCCESS)
}

/// Prints the answer as it comes; returns what is known about it.
async fn stream(session: &Session, body: &Value) -> anyhow::Result<Value> {
    let (_, mut events) = session.client.post_events("/v1/chat/completions", body).await?;
    let mut outcome = Value::Null;
    while let Some(event) = events.next().await {
        let event = event?;
        if event == "[DONE]" {
            break;
        }
        let chunk: Value = serde_json::from_str(&event)?;
        if let Some(message) = chunk.pointer("/error/message").and_then(Value::as_str) {
            line("");
            return Err(ClientFault::Broken { reason: format!("the answer ended with an error: {message}") }.into());
        }
        if let Some(text) = chunk.pointer("/choices/0/delta/content").and_then(Value::as_str) {
            data(&printable(text));
        }
        if chunk.pointer("/mainspring/trace_id").is_some() {
            outcome = chunk["mainspring"].clone();
        }
    }
    line("");
    Ok(outcome)
}

fn show_sources(session: &Session, outcome: &Value) {
    let sources = outcome["sources"].as_array().cloned().unwrap_or_default();
    if !sources.is_empty() {
        say("");
    }
    for source in &sources {
        let mark = if source["cited"] == json!(true) { "●" } else { "○" };
        let headings: Vec<&str> = source["heading_path"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let page = source["page"].as_u64().map(|page| format!(", page {page}")).unwrap_or_default();
        let title = source["title"].as_str().unwrap_or_default();
        // The first heading of a page is often its title again.
        let headings: Vec<&str> = headings.into_iter().skip_while(|heading| *heading == title).collect();
        let place = if headings.is_empty() { title.to_owned() } else { format!("{title} > {}", headings.join(" > ")) };
        say(&printable(&format!("  {mark} [{}] {place}{page}", source["number"])));
        say(&printable(&format!("        {}", source["uri"].as_str().unwrap_or_default())));
    }
    let unread = serde_json::from_value::<Vec<wire::Unread>>(outcome["unread"].clone());
    for unread in unread.unwrap_or_default() {
        say(&printable(&format!("  ⚠ {}", still_unread(&unread))));
    }
    for unsupported in outcome["unsupported"].as_array().into_iter().flatten() {
        say(&printable(&format!("  ⚠ no source carries: {}", unsupported["text"].as_str().unwrap_or_default())));
    }
    if let Some(trace) = outcome["trace_id"].as_str() {
        let place =
            session.url.as_ref().map_or_else(|| format!("mainspring traces {trace}"), |url| format!("{url}/traces/{trace}"));
        say(&format!("  trace {place}"));
    }
}
