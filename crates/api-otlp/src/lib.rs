#![doc = include_str!("../README.md")]

mod dress;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod grpc;
mod langfuse;
mod lenient;
mod logs;
mod mend;
mod points;
mod request;
mod shared;
mod signal;
mod spans;
mod weigh;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use mainspring_kernel::{Actor, Clock, Role, Timestamp, id::ProjectId};
use mainspring_llm::Span;
use mainspring_observability::{Keeping, MetricPoints, NewScore, Observability, Score, Telemetry, TraceFault, evaluations};
use mainspring_web_kit::{Caller, Problem, Route};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use crate::{dress::dress, grpc::PATHS as GRPC_PATHS};
use crate::{
    request::{Encoding, Packing, read_body, unpack},
    shared::say_cut,
    signal::{Outcome, Read, Signal, read},
    weigh::{Weighed, weigh},
};

/// Exporters give up after ten seconds by default; a refusal before that tells them to come back.
const STORED_WITHIN: Duration = Duration::from_secs(8);
/// What an export may take of memory, as a multiple of its body's limit, and how many of the largest may be at it at once.
const EXPORT_WEIGHT: usize = 8;
const AT_ONCE: usize = 2;
/// How many of the largest bodies may be held at once, unpacked; what comes on top waits as it came.
const BODIES: usize = 8;
/// Smaller ones are read where they came in; larger ones would keep others waiting.
const SMALL: usize = 64 << 10;
/// Places are counted in units of so many bytes.
const UNIT: usize = 1024;

/// Nobody looks up for how long a project keeps what began so lately.
const YOUNG: Duration = Duration::from_secs(600);
/// For how long a project keeps spans is asked of a catalog that may be away.
const LOOKED_UP_WITHIN: Duration = Duration::from_secs(1);
const TOO_OLD: &str = "a record began before the time for which the project keeps records, and would be deleted at once";

/// What this surface needs from the building.
#[derive(Debug, Clone)]
pub struct Otlp {
    observability: Observability,
    points: MetricPoints,
    keeping: Keeping,
    clock: Arc<dyn Clock>,
    body_limit: usize,
    bodies: Arc<Semaphore>,
    room: Arc<Semaphore>,
}

impl Otlp {
    /// `body_limit` is that of a body, and of what it holds when it is unpacked.
    #[must_use]
    pub fn new(
        observability: Observability,
        points: MetricPoints,
        keeping: Keeping,
        clock: Arc<dyn Clock>,
        body_limit: usize,
    ) -> Self {
        let units = |times: usize| (body_limit.saturating_mul(times).div_ceil(UNIT)).clamp(1, Semaphore::MAX_PERMITS);
        let (bodies, room) = (Semaphore::new(units(BODIES)), Semaphore::new(units(EXPORT_WEIGHT * AT_ONCE)));
        Self { observability, points, keeping, clock, body_limit, bodies: Arc::new(bodies), room: Arc::new(room) }
    }

    /// What one export may take of memory.
    const fn weight_limit(&self) -> usize {
        self.body_limit.saturating_mul(EXPORT_WEIGHT)
    }

    /// Reads an export and keeps what is in it; when this returns, it survives the death of the process.
    async fn take(&self, actor: &Actor, signal: Signal, came: Came) -> Result<Outcome, Problem> {
        // Before anything is unpacked: a body that waits is small. Points have a table of their own.
        if !matches!(signal, Signal::Metrics) {
            self.observability.keep_pace().await;
        }
        let (limit, weight_limit, encoding) = (self.body_limit, self.weight_limit(), came.encoding);
        // How large it is shows when it is unpacked, and then it is in memory.
        let largest = if matches!(came.packing, Packing::Plain) { came.bytes.len() } else { limit };
        let mut held = place(&self.bodies, largest).await?;
        let (body, Weighed { weight, cut }) = off_thread(largest, move || {
            let body = came.unpacked(limit)?;
            let trimmed = encoding == Encoding::Protobuf && signal == Signal::Traces;
            let mut body = Vec::from(if trimmed { weigh::trim(body) } else { body });
            let weighed = weigh(&mut body, encoding, signal, weight_limit)?;
            Ok((body, weighed))
        })
        .await?;
        drop(held.split(units(largest).saturating_sub(units(body.len())) as usize));
        let _place = place(&self.room, weight).await?;
        let (project, now) = (actor.project, self.clock.now());
        match off_thread(body.len(), move || read(signal, &body, encoding, project, now)).await? {
            Read::Spans(mut received) => {
                self.reject_old_spans(project, signal, &mut received, now).await;
                let scores = self.scores_of(project, &received.spans, now)?;
                self.observability.record_durably(received.spans, STORED_WITHIN).await?;
                self.observability.put_scores(actor, scores).await?;
                say_cut(&mut received.reason, cut);
                Ok(Outcome { signal, rejected: received.rejected, reason: received.reason })
            }
            Read::Points(mut received) => {
                self.reject_old_points(project, &mut received, now).await;
                self.points.add(received.points, STORED_WITHIN).await?;
                say_cut(&mut received.reason, cut);
                Ok(Outcome { signal, rejected: received.rejected, reason: received.reason })
            }
        }
    }
}

impl Otlp {
    /// What began before then would be deleted within the minute, so it is not taken and its sender is told. While nobody can
    /// say for how long things are kept, they are taken.
    async fn kept_since(
        &self,
        project: ProjectId,
        kind: Telemetry,
        oldest: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        oldest.filter(|oldest| now.since(*oldest) >= YOUNG)?;
        tokio::time::timeout(LOOKED_UP_WITHIN, self.keeping.begun_since(project, kind)).await.ok()?.ok()
    }

    async fn reject_old_spans(&self, project: ProjectId, signal: Signal, received: &mut spans::Received, now: Timestamp) {
        let kind = if matches!(signal, Signal::Logs) { Telemetry::Logs } else { Telemetry::Spans };
        let oldest = received.spans.iter().map(|span| span.start).min();
        let Some(since) = self.kept_since(project, kind, oldest, now).await else { return };
        let came = received.spans.len();
        received.spans.retain(|span| span.start >= since);
        received.reject(came - received.spans.len(), TOO_OLD);
    }

    async fn reject_old_points(&self, project: ProjectId, received: &mut points::Received, now: Timestamp) {
        let oldest = received.points.iter().map(|point| point.time).min();
        let Some(since) = self.kept_since(project, Telemetry::Points, oldest, now).await else { return };
        let came = received.points.len();
        received.points.retain(|point| point.time >= since);
        received.reject(came - received.points.len(), TOO_OLD);
    }

    /// The judgements that spans bring with them. One that is no score is an event like any other.
    fn scores_of(&self, project: ProjectId, spans: &[Span], now: Timestamp) -> Result<Vec<Score>, Problem> {
        let judged: Vec<NewScore> = spans.iter().flat_map(evaluations).collect();
        if judged.is_empty() {
            return Ok(Vec::new());
        }
        let scores = self.observability.scores()?;
        Ok(judged.into_iter().filter_map(|new| scores.check(new, project, now).ok()).collect())
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).max(1)
}

/// Room for so many bytes in memory, waited for no longer than exporters wait.
async fn place(room: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
    let taken = tokio::time::timeout(STORED_WITHIN, Arc::clone(room).acquire_many_owned(units(bytes))).await;
    taken.ok().and_then(Result::ok).ok_or_else(|| TraceFault::Saturated.into())
}

/// An export as it came in.
struct Came {
    bytes: Bytes,
    packing: Packing,
    encoding: Encoding,
    /// Within gRPC the message stands behind a prefix of its own.
    framed: bool,
}

impl Came {
    fn unpacked(self, limit: usize) -> Result<Bytes, Problem> {
        if self.framed { grpc::message(&self.bytes, self.packing, limit) } else { unpack(self.bytes, self.packing, limit) }
    }
}

/// Does what takes long on a thread that may be kept.
async fn off_thread<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    if bytes <= SMALL {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => {
            tracing::error!(%error, "an export could not be read: this is a defect");
            Err(Problem::internal())
        }
    }
}

fn routes() -> Vec<Route<Otlp>> {
    vec![
        Route::post("/v1/traces", traces),
        Route::post("/v1/logs", logs),
        Route::post("/v1/metrics", metrics),
        Route::post("/opentelemetry.proto.collector.trace.v1.TraceService/Export", call_traces),
        Route::post("/opentelemetry.proto.collector.logs.v1.LogsService/Export", call_logs),
        Route::post("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", call_metrics),
        // Where Langfuse has them: its clients and its documentation name these addresses.
        Route::post("/api/public/otel", traces),
        Route::post("/api/public/otel/v1/traces", traces),
        Route::post("/api/public/otel/v1/logs", logs),
        Route::post("/api/public/otel/v1/metrics", metrics),
        Route::get("/api/public/health", langfuse::health),
        Route::get("/api/public/projects", langfuse::projects),
        Route::post("/api/public/scores", langfuse::scores),
        Route::delete("/api/public/scores/{id}", langfuse::delete_score),
        Route::get("/project/{project}/traces/{id}", langfuse::page),
    ]
}

pub fn router(state: Otlp) -> Router {
    Route::router(routes(), state)
}

/// The routes of this surface, for the authorisation table.
#[must_use]
pub fn listed() -> Vec<(&'static str, &'static str)> {
    routes().iter().map(Route::listed).collect()
}

async fn traces(State(otlp): State<Otlp>, caller: Caller, request: Request) -> Result<Response, Problem> {
    export(otlp, caller, request, Signal::Traces).await
}

async fn logs(State(otlp): State<Otlp>, caller: Caller, request: Request) -> Result<Response, Problem> {
    export(otlp, caller, request, Signal::Logs).await
}

async fn metrics(State(otlp): State<Otlp>, caller: Caller, request: Request) -> Result<Response, Problem> {
    export(otlp, caller, request, Signal::Metrics).await
}

async fn call_traces(State(otlp): State<Otlp>, caller: Caller, request: Request) -> Result<Response, Problem> {
    call(otlp, caller, request, Signal::Traces).await
}

async fn call_logs(State(otlp): State<Otlp>, caller: Caller, request: Request) -> Result<Response, Problem> {
    call(otlp, caller, request, Signal::Logs).await
}

async fn call_metrics(State(otlp): State<Otlp>, caller: Caller, request: Request) -> Result<Response, Problem> {
    call(otlp, caller, request, Signal::Metrics).await
}

/// OTLP over HTTP.
async fn export(otlp: Otlp, caller: Caller, request: Request, signal: Signal) -> Result<Response, Problem> {
    let actor = caller.needs(Role::Editor)?;
    let encoding = Encoding::of(request.headers())?;
    let packing = Packing::of(request.headers().get(http::header::CONTENT_ENCODING))?;
    let came = Came { bytes: read_body(request).await?, packing, encoding, framed: false };
    let outcome = otlp.take(actor, signal, came).await?;
    // In the encoding of the request, as the protocol wants.
    let body = match encoding {
        Encoding::Protobuf => prost::Message::encode_to_vec(&outcome.message()),
        Encoding::Json => outcome.json().to_string().into_bytes(),
    };
    Ok(([(http::header::CONTENT_TYPE, encoding.media_type())], body).into_response())
}

/// OTLP over gRPC.
async fn call(otlp: Otlp, caller: Caller, request: Request, signal: Signal) -> Result<Response, Problem> {
    let actor = caller.needs(Role::Editor)?;
    let packing = grpc::packing(request.headers())?;
    let came = Came { bytes: read_body(request).await?, packing, encoding: Encoding::Protobuf, framed: true };
    let outcome = otlp.take(actor, signal, came).await?;
    Ok(grpc::answer(&outcome.message()))
}
