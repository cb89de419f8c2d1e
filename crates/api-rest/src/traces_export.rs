//! Spans as files: a page is read, written and sent before the next is read.

use std::collections::VecDeque;

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderValue, header};
use mainspring_kernel::{FaultKind, Role, fault};
use mainspring_llm::Span;
use mainspring_observability::{Export, ParquetExport, Score, ScoreSource, TraceFault, event_of};
use mainspring_web_kit::{Answer, Caller, Problem, Query};
use mainspring_wire as wire;
use serde::{Deserialize, Serialize};

use crate::{
    Rest, otlp_json,
    scores::view,
    traces::{TraceQuery, span},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// A span on each line.
    Jsonl,
    /// An export request of OTLP on each line.
    OtlpJson,
    /// One file, the columns of the table.
    Parquet,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    format: Option<String>,
}

impl Format {
    fn of(wanted: &Wanted) -> Answer<Self> {
        match wanted.format.as_deref() {
            None | Some("" | "jsonl") => Ok(Self::Jsonl),
            Some("otlp-json") => Ok(Self::OtlpJson),
            Some("parquet") => Ok(Self::Parquet),
            Some(_) => Err(Problem::new(FaultKind::Invalid, "query-invalid", "`format` is jsonl, otlp-json or parquet")),
        }
    }

    const fn file(self) -> HeaderValue {
        match self {
            Self::Jsonl => HeaderValue::from_static("attachment; filename=\"spans.jsonl\""),
            Self::OtlpJson => HeaderValue::from_static("attachment; filename=\"spans.otlp.jsonl\""),
            Self::Parquet => HeaderValue::from_static("attachment; filename=\"spans.parquet\""),
        }
    }

    const fn media_type(self) -> HeaderValue {
        match self {
            Self::Jsonl | Self::OtlpJson => HeaderValue::from_static("application/x-ndjson"),
            Self::Parquet => HeaderValue::from_static("application/vnd.apache.parquet"),
        }
    }
}

/// An export, and the form it is written in.
enum Writing {
    Jsonl(Lines),
    OtlpJson(Lines),
    Parquet(Box<ParquetExport>),
}

/// Spans with their scores, and with their large values back in their places.
struct Lines {
    export: Export,
    /// Of the page that was read last.
    waiting: VecDeque<(Span, Vec<Score>)>,
}

impl Lines {
    const fn of(export: Export) -> Self {
        Self { export, waiting: VecDeque::new() }
    }

    /// The next spans; none when all were given. Only the last of them may have large values: those of a page may be more than
    /// memory holds.
    async fn next(&mut self) -> Result<Option<Vec<(Span, Vec<Score>)>>, TraceFault> {
        if self.waiting.is_empty() {
            let Some(spans) = self.export.next().await? else { return Ok(None) };
            let scores = self.export.scores(&spans).await?;
            self.waiting = spans.into_iter().zip(scores).collect();
        }
        let mut given = Vec::new();
        while let Some((mut span, scores)) = self.waiting.pop_front() {
            let is_large = self.export.fill(&mut span).await?;
            given.push((span, scores));
            if is_large {
                break;
            }
        }
        Ok(Some(given))
    }
}

impl Writing {
    fn begin(export: Export, format: Format) -> Answer<Self> {
        Ok(match format {
            Format::Jsonl => Self::Jsonl(Lines::of(export)),
            Format::OtlpJson => Self::OtlpJson(Lines::of(export)),
            Format::Parquet => Self::Parquet(Box::new(export.into_parquet()?)),
        })
    }

    /// The next bytes; none when it is whole.
    async fn next(&mut self) -> Result<Option<Bytes>, TraceFault> {
        Ok(match self {
            Self::Jsonl(spans) => spans.next().await?.map(lines),
            Self::OtlpJson(spans) => spans.next().await?.map(|spans| {
                let with_scores = spans.into_iter().map(|(mut span, scores)| {
                    // An evaluation that came as an event is there already.
                    let given = scores.iter().filter(|score| score.source != ScoreSource::Evaluation);
                    span.events.extend(given.map(event_of));
                    span
                });
                line(&otlp_json::request(with_scores.collect()))
            }),
            Self::Parquet(export) => export.next().await?.map(Bytes::from),
        })
    }
}

fn line(value: &impl Serialize) -> Bytes {
    // JSON of what was JSON, into memory: it does not fail.
    let mut text = serde_json::to_vec(value).unwrap_or_default();
    text.push(b'\n');
    Bytes::from(text)
}

fn lines(spans: Vec<(Span, Vec<Score>)>) -> Bytes {
    let mut text = Vec::new();
    for (found, scores) in spans {
        let scores = scores.into_iter().map(view).collect();
        text.extend_from_slice(&line(&wire::SpanView { scores, ..span(found) }));
    }
    Bytes::from(text)
}

/// Exports every span that passes, oldest first: as `jsonl`, a span on each line as `GET /api/v1/traces/{id}` shows it but
/// with its large values, as `otlp-json`, an OTLP export request on each line, or as one `parquet` file, with large values in
/// their places too. An export that breaks off has failed: it cannot end early and look whole.
#[utoipa::path(get, path = "/api/v1/traces/export", tag = "traces", operation_id = "export_traces",
    params(("format" = Option<String>, Query), ("filter" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query),
        ("app" = Option<String>, Query), ("model" = Option<String>, Query), ("status" = Option<String>, Query), ("min_ms" = Option<u64>, Query),
        ("q" = Option<String>, Query), ("operation" = Option<String>, Query), ("user" = Option<String>, Query), ("session" = Option<String>, Query)),
    responses((status = 200, content_type = "application/x-ndjson", body = String)))]
pub(crate) async fn export(
    State(rest): State<Rest>,
    caller: Caller,
    Query(query): Query<TraceQuery>,
    Query(wanted): Query<Wanted>,
) -> Answer<Response> {
    let actor = caller.needs(Role::Reader)?;
    let format = Format::of(&wanted)?;
    let export = rest.observability.export(actor, &query.read()?).await?;
    let mut writing = Writing::begin(export, format)?;
    // What cannot be read at all is refused before an answer begins.
    let first = writing.next().await?;
    let closing = rest.closing.clone();
    let stream = async_stream::stream! {
        let mut part = first;
        while let Some(bytes) = part {
            yield Ok(bytes);
            let next = tokio::select! {
                () = closing.requested() => Err("the server is about to stop".to_owned()),
                next = writing.next() => next.map_err(|found| fault::chain(&found)),
            };
            part = match next {
                Ok(next) => next,
                Err(reason) => {
                    tracing::warn!(cause = %reason, "an export of spans broke off");
                    yield Err(std::io::Error::other("the export broke off"));
                    return;
                }
            };
        }
    };
    let mut response = Body::from_stream(stream).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, format.media_type());
    response.headers_mut().insert(header::CONTENT_DISPOSITION, format.file());
    Ok(response)
}
