//! `mainspring scores`.

use std::process::ExitCode;

use mainspring_wire as wire;
use serde_json::Value;

use super::{Session, segment};
use crate::{
    args::{AddScore, ListScores, Scores},
    output::{self, dash, line, printable, table},
};

const PATH: &str = "/api/v1/scores";

pub(crate) async fn run(session: &Session, command: Scores) -> anyhow::Result<ExitCode> {
    match command {
        Scores::Add(add) => self::add(session, add).await,
        Scores::List(given) => list(session, &given).await,
        Scores::Delete { id } => {
            let deleted: wire::ScoreView = session.client.delete(&format!("{PATH}/{}", segment(&id))).await?;
            told(session, &deleted, &format!("deleted {}", deleted.id));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn told(session: &Session, what: &impl serde::Serialize, words: &str) {
    if session.json {
        output::json(what);
    } else {
        line(&printable(words));
    }
}

async fn add(session: &Session, add: AddScore) -> anyhow::Result<ExitCode> {
    let AddScore { name, value, trace, span, session: of_session, kind, comment, source, author, config, id } = add;
    let value = read(value, kind.as_deref());
    let (metadata, time) = (None, None);
    let session_id = of_session;
    let new = wire::NewScore {
        id,
        name,
        kind,
        value,
        comment,
        source,
        trace,
        span,
        session: session_id,
        author,
        config,
        metadata,
        time,
    };
    let written: wire::ScoresWritten = session.client.post(PATH, &new).await?;
    let id = written.results.first().and_then(|result| result.id.clone());
    told(session, &written, &format!("wrote {}", dash(id)));
    Ok(ExitCode::SUCCESS)
}

/// A word is a text where it is said to be one, and where it looks like nothing else.
fn read(value: String, kind: Option<&str>) -> Value {
    if matches!(kind, Some("categorical" | "text")) {
        return Value::String(value);
    }
    match serde_json::from_str(&value) {
        Ok(found @ (Value::Number(_) | Value::Bool(_))) => found,
        _ => Value::String(value),
    }
}

async fn list(session: &Session, given: &ListScores) -> anyhow::Result<ExitCode> {
    let pairs = [
        ("name", &given.name),
        ("trace", &given.trace),
        ("span", &given.span),
        ("session", &given.session),
        ("source", &given.source),
    ];
    let asked: Vec<String> = pairs
        .into_iter()
        .filter_map(|(name, value)| value.as_deref().map(|value| format!("{name}={}", segment(value))))
        .collect();
    let address = if asked.is_empty() { PATH.to_owned() } else { format!("{PATH}?{}", asked.join("&")) };
    let page: wire::Page<wire::ScoreView> = session.page(&address, &given.paging).await?;
    if session.json {
        output::json(&page);
        return Ok(ExitCode::SUCCESS);
    }
    let rows = page.items.iter().map(|score| {
        let about = score.span.as_deref().or(score.trace.as_deref()).or(score.session.as_deref());
        let value = score.value.as_str().map_or_else(|| score.value.to_string(), str::to_owned);
        vec![
            score.time.clone(),
            score.name.clone(),
            value,
            score.source.clone(),
            dash(about),
            dash(score.comment.as_deref()),
            score.id.clone(),
        ]
    });
    table(&["time", "name", "value", "source", "about", "comment", "id"], rows.collect());
    output::more(page.next.as_deref());
    Ok(ExitCode::SUCCESS)
}
