//! `mainspring batches`.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, bail};
use bytes::{Bytes, BytesMut};
use futures::{Stream, stream};
use indicatif::{ProgressBar, ProgressStyle};
use mainspring_client::{ClientFault, Form};
use mainspring_wire as wire;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use super::{Session, segment};
use crate::{
    args::Batches,
    output::{self, line, printable, say, table},
    report::PARTIAL,
};

/// How often a batch that is followed is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What of a file is in memory while it is sent.
const PIECE: usize = 256 << 10;
/// No server takes a longer line.
const LINE_MAX: u64 = 256 << 20;

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
    let unreadable = || format!("cannot read {}", file.display());
    let given = match endpoint {
        Some(endpoint) => Some(endpoint),
        None => first_url(BufReader::new(std::fs::File::open(file).with_context(unreadable)?)).with_context(unreadable)?,
    };
    let Some(endpoint) = given else { bail!("the first line of {} has no `url`: give `--endpoint`", file.display()) };
    let uploaded = upload(session, file).await?;
    let new = json!({
        "input_file_id": uploaded["id"], "endpoint": endpoint, "completion_window": window, "metadata": metadata,
    });
    let made: Value = match session.client.post("/v1/batches", &new).await {
        Ok(made) => made,
        Err(fault) => {
            // Nobody would know what it was for. That the batch was refused is what has to be told.
            if let Some(file) = uploaded["id"].as_str() {
                let _ = session.client.delete::<Value>(&format!("/v1/files/{}", segment(file))).await;
            }
            return Err(fault.into());
        }
    };
    let id = made["id"].as_str().context("the server made a batch without an id")?;
    Ok(session.client.get(&path(id)).await?)
}

/// Sends the file as it is read, however large it is, and shows how far it is.
async fn upload(session: &Session, path: &Path) -> anyhow::Result<Value> {
    let unreadable = || format!("cannot read {}", path.display());
    let file = tokio::fs::File::open(path).await.with_context(unreadable)?;
    let about = file.metadata().await.with_context(unreadable)?;
    if !about.is_file() {
        bail!("{} is not a file", path.display());
    }
    let bar = if session.json { ProgressBar::hidden() } else { ProgressBar::new(about.len()) };
    bar.set_style(ProgressStyle::with_template("{bar:28} {bytes}/{total_bytes} sent  {bytes_per_sec}")?);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let form = Form::with_file(&name, about.len(), pieces(file, bar.clone())).field("purpose", "batch");
    let uploaded = session.client.upload("/v1/files", form).await;
    bar.finish_and_clear();
    Ok(uploaded?)
}

fn pieces(file: tokio::fs::File, bar: ProgressBar) -> impl Stream<Item = Result<Bytes, ClientFault>> + Send {
    stream::try_unfold((file, bar), |(mut file, bar)| async move {
        let mut piece = BytesMut::with_capacity(PIECE);
        let unsendable = |error: std::io::Error| ClientFault::Unsendable { reason: format!("the file cannot be read: {error}") };
        let read = file.read_buf(&mut piece).await.map_err(unsendable)?;
        bar.inc(read as u64);
        Ok((read > 0).then(|| (piece.freeze(), (file, bar))))
    })
}

/// Where the first line of a file goes.
fn first_url(file: impl BufRead) -> std::io::Result<Option<String>> {
    let mut file = file.take(LINE_MAX);
    let mut first = Vec::new();
    while first.trim_ascii().is_empty() {
        first.clear();
        if file.read_until(b'\n', &mut first)? == 0 {
            return Ok(None);
        }
    }
    let first: Value = serde_json::from_slice(&first).unwrap_or_default();
    Ok(first["url"].as_str().map(str::to_owned))
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
    use futures::TryStreamExt as _;
    use indicatif::ProgressBar;
    use proptest::prelude::*;

    use super::{PIECE, first_url, pieces};

    #[track_caller]
    fn goes_to(file: &[u8], url: Option<&str>) {
        assert_eq!(first_url(file).unwrap().as_deref(), url, "{}", String::from_utf8_lossy(file));
    }

    #[test]
    fn the_endpoint_is_that_of_the_first_line_that_is_not_blank() {
        goes_to(b"\n  \n{\"url\": \"/v1/embeddings\"}\nnot JSON", Some("/v1/embeddings"));
        goes_to(b"{\"url\": \"/v1/rerank\"}", Some("/v1/rerank"));
        goes_to(b"{\"custom_id\": 1}\n{\"url\": \"/v1/embeddings\"}", None);
        goes_to(b"not JSON", None);
        goes_to(b"\n \n", None);
        goes_to(b"", None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_at_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            first_url(&*bytes).unwrap();
        }
    }

    #[tokio::test]
    async fn a_file_is_sent_piece_by_piece() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large.jsonl");
        let content: Vec<u8> = (0..3 * PIECE + 7).map(|at| u8::try_from(at % 251).unwrap()).collect();
        std::fs::write(&path, &content).unwrap();
        let bar = ProgressBar::hidden();
        let file = tokio::fs::File::open(&path).await.unwrap();
        let sent: Vec<_> = pieces(file, bar.clone()).try_collect().await.unwrap();
        assert!(sent.len() > 3 && sent.iter().all(|piece| piece.len() <= PIECE), "{}", sent.len());
        assert!(sent.concat() == content, "the bytes are others");
        assert_eq!(bar.position(), content.len() as u64);
    }
}
