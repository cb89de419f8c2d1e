//! A second attempt beside one that is late to begin.

use std::{
    future::Future,
    pin::pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures::future::{Either, select};

use crate::{
    begins::Manner,
    route::{Hedge, HedgeAfter},
    target::TargetState,
};

/// Unused allowance is kept up to this many hedges.
const SAVED_MAX: f64 = 10.0;

/// How many calls of a route may still be hedged: each call brings a share of a hedge.
#[derive(Debug, Default)]
pub(crate) struct Allowance(Mutex<f64>);

impl Allowance {
    /// A call begins.
    pub(crate) fn earn(&self, at_most: f64) {
        let mut saved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *saved = (*saved + at_most.clamp(0.0, 1.0)).min(SAVED_MAX);
    }

    pub(crate) fn spend(&self) -> bool {
        let mut saved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Shares such as a tenth do not add up to one exactly.
        let enough = *saved >= 1.0 - 1e-9;
        if enough {
            *saved = (*saved - 1.0).max(0.0);
        }
        enough
    }
}

/// How long an attempt at this target is waited for before a second one; absent while too little is known of its answers that
/// come so. How long whole texts take says nothing of a stream, and a stream's beginning is no measure of a whole text.
pub(crate) fn delay(rules: &Hedge, target: &TargetState, manner: Manner) -> Option<Duration> {
    match rules.after {
        HedgeAfter::Span(span) => Some(span.as_duration()),
        HedgeAfter::Percentile(percentile) => target.percentile(manner, percentile),
    }
}

/// Waits for `first`; when it is late, `second` may start another one. The first success is taken and the other attempt
/// dropped; when both fail, the failure of `first` is told.
pub(crate) async fn race<T, E, F, S>(first: F, late: Duration, second: impl FnOnce() -> Option<S>) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
    S: Future<Output = Result<T, E>>,
{
    let mut first = pin!(first);
    let timer = pin!(tokio::time::sleep(late));
    if let Either::Left((outcome, _)) = select(first.as_mut(), timer).await {
        return outcome;
    }
    let Some(second) = second() else {
        return first.await;
    };
    match select(first, pin!(second)).await {
        Either::Left((Ok(begun), _)) | Either::Right((Ok(begun), _)) => Ok(begun),
        Either::Left((Err(fault), second)) => second.await.map_err(|_| fault),
        Either::Right((Err(_), first)) => first.await,
    }
}
