//! Bodies of requests that come in time, or are refused.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    body::{Body, BodyDataStream, HttpBody as _},
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use futures::{FutureExt as _, Stream, StreamExt as _, stream};
use http::StatusCode;
use mainspring_kernel::FaultKind;
use tokio::time::{Instant, error::Elapsed, timeout};

use crate::problem::Problem;

/// How long the next piece of a body is waited for. What has come gives the whole of it more.
#[derive(Debug, Clone, Copy)]
pub struct BodyWithin(pub Duration);

/// So many bytes give a body a second more: a large one takes its time on any line, and one that comes a byte now and then
/// does not take for ever.
const A_SECOND: u64 = 16 * 1024;

/// Lets the body of a request come in time or not at all, whoever reads it: a layer around all that do.
pub async fn in_time(State(BodyWithin(within)): State<BodyWithin>, mut request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let waits = Waits::default();
    request.extensions_mut().insert(waits.clone());
    next.run(request.map(|body| Body::from_stream(coming(body.into_data_stream(), within, waits)))).await
}

fn coming(body: BodyDataStream, within: Duration, waits: Waits) -> impl Stream<Item = Result<Bytes, axum::Error>> {
    stream::try_unfold((body, 0_u64), move |(mut body, came)| {
        let waits = waits.clone();
        async move {
            // What is there already costs no timer.
            let next = match body.next().now_or_never() {
                Some(next) => next,
                None => {
                    let whole = within + Duration::from_secs(came / A_SECOND);
                    let left = whole.saturating_sub(waits.so_far()).min(within);
                    waits.within(left, body.next()).await.map_err(axum::Error::new)?
                }
            };
            let Some(piece) = next.transpose()? else { return Ok(None) };
            let came = came + piece.len() as u64;
            Ok::<_, axum::Error>(Some((piece, (body, came))))
        }
    })
}

/// How long a body was waited for, and how long it may be at this moment. An extension of its request: whoever answers that
/// can do nothing about it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waits(Arc<AtomicU64>);

impl Waits {
    pub(crate) fn so_far(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    async fn within<T>(&self, limit: Duration, next: impl Future<Output = T>) -> Result<T, Elapsed> {
        let (began, most) = (Instant::now(), micros(limit));
        self.0.fetch_add(most, Ordering::Relaxed);
        let came = timeout(limit, next).await;
        self.0.fetch_sub(most.saturating_sub(micros(began.elapsed())), Ordering::Relaxed);
        came
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The refusal of a body that could not be read because it came too slowly.
#[must_use]
pub fn too_slow(fault: &(dyn Error + 'static)) -> Option<Problem> {
    causes(fault).any(|cause| cause.is::<Elapsed>()).then(|| {
        Problem::new(FaultKind::Timeout, "body-too-slow", "the request body did not come in time")
            .with_hint("`server.client_timeout` says how long it is waited for")
            .with_status(StatusCode::REQUEST_TIMEOUT)
    })
}

/// The fault and all that are behind it.
pub(crate) fn causes<'a>(fault: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(fault), |&fault| fault.source())
}
