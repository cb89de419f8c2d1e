//! `mainspring sql`.

use std::process::ExitCode;

use mainspring_wire as wire;
use serde_json::Value;

use super::Session;
use crate::{
    args::Sql,
    output::{self, data, say, table},
};

pub(crate) async fn run(session: &Session, sql: &Sql) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(!(sql.csv && session.json), "`--csv` and `--json` are two ways to print one answer: give one of them");
    let Some(query) = &sql.query else {
        let schema: wire::SqlSchema = session.client.get("/api/v1/sql/schema").await?;
        show(session, &schema);
        return Ok(ExitCode::SUCCESS);
    };
    let request = wire::SqlRequest { query: query.clone(), from: sql.from.clone(), to: sql.to.clone(), limit: sql.limit };
    let answer: wire::SqlAnswer = session.client.post("/api/v1/sql", &request).await?;
    let header: Vec<&str> = answer.columns.iter().map(|column| column.name.as_str()).collect();
    if session.json {
        output::json(&answer);
    } else if sql.csv {
        data(&csv(header.iter().map(|name| (*name).to_owned())));
        answer.rows.iter().for_each(|row| data(&csv(row.iter().map(|value| plain(value, "")))));
    } else {
        table(&header, answer.rows.iter().map(|row| row.iter().map(|value| plain(value, "–")).collect()).collect());
    }
    if answer.more {
        say("there is more: ask for less, or for more rows with --limit");
    }
    Ok(ExitCode::SUCCESS)
}

fn show(session: &Session, schema: &wire::SqlSchema) {
    if session.json {
        output::json(schema);
        return;
    }
    let rows = schema
        .tables
        .iter()
        .flat_map(|of| of.columns.iter().map(|column| vec![of.name.clone(), column.name.clone(), column.kind.clone()]));
    table(&["table", "column", "type"], rows.collect());
}

fn plain(value: &Value, nothing: &str) -> String {
    match value {
        Value::Null => nothing.to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A line as RFC 4180 has it.
fn csv(cells: impl Iterator<Item = String>) -> String {
    let quoted =
        cells.map(|cell| if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell });
    format!("{}\r\n", quoted.collect::<Vec<_>>().join(","))
}
