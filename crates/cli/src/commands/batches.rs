//! `mainspring batches`.

use std::{collections::BTreeMap, path::Path, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use mainspring_client::Form;
use mainspring_wire as wire;
use serde_json::{Value, json};

use super::{Session, segment};
use crate::{
    args::Batches,
    output::{self, line, printable, say, table},
    report::PARTIAL,
};

/// How often a batch that is followed is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

fn path(id: &str) -> String {
    format!("/api/v1/batches/{}", segment(id))
}

pub(crate) async fn run(session: &Session, command: Batches) -> anyhow::Result<ExitCode> {
    match command {
        Batches::List { paging } => {
            let page: wire::Page<wire::BatchView> = session.page("/api/v1/batches", &paging).await?;
            list(session, &page);
        }
        Batches::Show { id } => show(session, &session.client.get(&path(&id)).await?),
        Batches::Results { id, failed, paging } => {
            let address = format!("{}/results{}", path(&id), if failed { "?failed=true" } else { "" });
            let page: wire::Page<wire::BatchResult> = session.page(&address, &paging).await?;
            results(session, &page);
        }
        Batches::Cancel { id } => {
            let batch: wire::BatchView = session.client.post(&format!("{}/cancel", path(&id)), &json!({})).await?;
            show(session, &batch);
        }
        Batches::Submit { file, endpoint, window, metadata, wait } => {
            if wait && session.url.is_none() {
                bail!("nothing would carry out the batch: start a server with `mainspring serve`, or leave out `--wait`");
            }
            let batch = submit(session, &file, (endpoint, &window), &metadata).await?;
            return if wait { follow(session, batch).await } else { Ok(submitted(session, &batch)) };
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(session: &Session, page: &wire::Page<wire::BatchView>) {
    if session.json {
        output::json(page);
        return;
    }
    let rows = page.items.iter().map(|batch| {
        vec![
            batch.id.clone(),
            batch.endpoint.clone(),
            batch.status.clone(),
            batch.total.to_string(),
            batch.completed.to_string(),
            batch.failed.to_string(),
            batch.created_at.clone(),
        ]
    });
    table(&["batch", "endpoint", "status", "lines", "completed", "failed", "created"], rows.collect());
    output::more(page.next.as_deref());
}

fn show(session: &Session, batch: &wire::BatchView) {
    if session.json {
        output::json(batch);
        return;
    }
    let wire::BatchView { id, endpoint, status, total, completed, failed, .. } = batch;
    line(&format!(
        "{id} for {endpoint} is {}: {completed} of {total} lines went well, {failed} did not",
        status.replace('_', " ")
    ));
    if let (Some(until), Some(why)) = (&batch.waits_until, &batch.waits_for) {
        line(&printable(&format!("it waits until {until}: {why}")));
    }
    for error in &batch.errors {
        let at = error.line.map(|line| format!("line {line}: ")).unwrap_or_default();
        line(&printable(&format!("  ✗ {at}{}: {}", error.code, error.message)));
    }
    for (what, file) in [("output", &batch.output_file), ("errors", &batch.error_file)] {
        if let Some(file) = file {
            line(&format!("{what}: {file}"));
        }
    }
}

fn results(session: &Session, page: &wire::Page<wire::BatchResult>) {
    if session.json {
        output::json(page);
        return;
    }
    // Lines of a file again: that is what other programs read.
    page.items.iter().for_each(output::json_line);
    output::more(page.next.as_deref());
}

async fn submit(
    session: &Session,
    file: &Path,
    (endpoint, window): (Option<String>, &str),
    metadata: &[String],
) -> anyhow::Result<wire::BatchView> {
    let pair = |text: &String| match text.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => bail!("`{}` is not KEY=VALUE", printable(text)),
    };
    let metadata = metadata.iter().map(pair).collect::<anyhow::Result<BTreeMap<_, _>>>()?;
    let content = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let endpoint = match endpoint.or_else(|| first_url(&content)) {
        Some(endpoint) => endpoint,
        None => bail!("the first line of {} has no `url`: give `--endpoint`", file.display()),
    };
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let form = Form::with_file(&name, content).field("purpose", "batch");
    let uploaded: Value = session.client.upload("/v1/files", form).await?;
    let new = json!({
        "input_file_id": uploaded["id"], "endpoint": endpoint, "completion_window": window, "metadata": metadata,
    });
    let made: Value = session.client.post("/v1/batches", &new).await?;
    let id = made["id"].as_str().context("the server made a batch without an id")?;
    Ok(session.client.get(&path(id)).await?)
}

/// Where the first line of a file goes.
fn first_url(content: &[u8]) -> Option<String> {
    let first = content.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty())?;
    let first: Value = serde_json::from_slice(first).ok()?;
    first["url"].as_str().map(str::to_owned)
}

fn submitted(session: &Session, batch: &wire::BatchView) -> ExitCode {
    if session.json {
        output::json(batch);
    } else {
        line(&batch.id);
        say(match session.url {
            Some(_) => "`mainspring batches show` says how far it is",
            None => "no server runs: it begins when one does",
        });
    }
    ExitCode::SUCCESS
}

async fn follow(session: &Session, mut batch: wire::BatchView) -> anyhow::Result<ExitCode> {
    let bar = if session.json { ProgressBar::hidden() } else { ProgressBar::new(0) };
    bar.set_style(ProgressStyle::with_template("{spinner} {bar:28} {pos}/{len} lines  {msg}")?);
    while batch.ended_at.is_none() {
        bar.set_length(batch.total);
        bar.set_position(batch.completed + batch.failed);
        let waits = batch.waits_for.as_ref().map(|why| format!("; waits: {}", printable(why))).unwrap_or_default();
        bar.set_message(format!("{}, {} failed{waits}", batch.status.replace('_', " "), batch.failed));
        tokio::time::sleep(LOOK_EVERY).await;
        batch = session.client.get(&path(&batch.id)).await?;
    }
    bar.finish_and_clear();
    show(session, &batch);
    Ok(match batch.status.as_str() {
        "completed" if batch.failed == 0 => ExitCode::SUCCESS,
        "completed" => ExitCode::from(PARTIAL),
        _ => ExitCode::from(2),
    })
}

#[cfg(test)]
mod tests {
    use super::first_url;

    #[test]
    fn the_endpoint_is_that_of_the_first_line_that_is_not_blank() {
        assert_eq!(first_url(b"\n  \n{\"url\": \"/v1/embeddings\"}\nnot JSON").as_deref(), Some("/v1/embeddings"));
        assert_eq!(first_url(b"{\"custom_id\": 1}\n{\"url\": \"/v1/embeddings\"}"), None);
        assert_eq!(first_url(b"not JSON"), None);
        assert_eq!(first_url(b""), None);
    }
}
