//! An answer as it comes.

use std::{fmt, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use mainspring_kernel::Name;
use tokio::time::{Instant, timeout_at};

use super::{Busy, Patience, before, explain};
use crate::fault::{FaultClass, UpstreamFault};

/// What a server says of a body's length is believed up to here.
const BELIEVED: usize = 1024 * 1024;

/// The head of an answer, and its body still on its way. Dropping it ends the request.
pub struct Incoming {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: hyper::body::Incoming,
    provider: Name,
    /// The first piece must be there by then; absent once it is.
    first: Option<Instant>,
    idle: Duration,
    until: Instant,
    _busy: Busy,
}

impl Incoming {
    pub(super) fn new(
        provider: &Name,
        response: Response<hyper::body::Incoming>,
        busy: Busy,
        patience: Patience,
        first: Instant,
    ) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status,
            headers: head.headers,
            body,
            provider: provider.clone(),
            first: Some(first),
            idle: patience.idle,
            until: patience.until,
            _busy: busy,
        }
    }

    /// From here on a piece is waited for this long, whatever it was before.
    pub fn pauses(&mut self, idle: Duration) {
        self.idle = idle;
    }

    /// The next piece of the body; `None` once it is complete. May be dropped and called again.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, UpstreamFault> {
        loop {
            let wait = self.first.unwrap_or_else(|| before(self.until, self.idle));
            let frame = match timeout_at(wait, self.body.frame()).await {
                // What is there is taken without a look at the clock, so an answer that never pauses is stopped here.
                Ok(Some(_)) if Instant::now() >= self.until => return Err(self.late()),
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(None),
                Err(_) => return Err(self.late()),
            };
            let frame = frame.map_err(|fault| self.broken_off(&fault))?;
            self.first = None;
            // Trailers and empty pieces say nothing to anyone.
            if let Ok(data) = frame.into_data()
                && !data.is_empty()
            {
                return Ok(Some(data));
            }
        }
    }

    /// The whole body, or what is left of it; one longer than `limit` bytes is a fault of the class `Malformed`.
    pub async fn whole(&mut self, limit: usize) -> Result<Bytes, UpstreamFault> {
        // The head was in time; what follows has the time between two pieces.
        self.first = None;
        let declared = self.body.size_hint().lower();
        if declared > limit as u64 {
            return Err(self.too_long(limit));
        }
        let Some(first) = self.next_chunk().await? else {
            return Ok(Bytes::new());
        };
        if first.len() > limit {
            return Err(self.too_long(limit));
        }
        if self.body.is_end_stream() {
            return Ok(first);
        }
        let Some(mut next) = self.next_chunk().await? else {
            return Ok(first);
        };
        let believed = usize::try_from(declared).unwrap_or(BELIEVED).min(BELIEVED);
        let mut whole = BytesMut::with_capacity(believed.max(first.len() + next.len()));
        whole.extend_from_slice(&first);
        loop {
            if whole.len() + next.len() > limit {
                return Err(self.too_long(limit));
            }
            whole.extend_from_slice(&next);
            match self.next_chunk().await? {
                Some(more) => next = more,
                None => return Ok(whole.freeze()),
            }
        }
    }

    fn late(&self) -> UpstreamFault {
        let message = if Instant::now() >= self.until {
            "the answer was not complete when the attempt's time was over".into()
        } else if self.first.is_some() {
            "the answer began too late".into()
        } else {
            format!("nothing more came within {:?}", self.idle)
        };
        self.fault(FaultClass::Timeout, message)
    }

    fn broken_off(&self, fault: &hyper::Error) -> UpstreamFault {
        let (class, message) = explain::broken_off(fault);
        self.fault(class, message)
    }

    fn too_long(&self, limit: usize) -> UpstreamFault {
        self.fault(FaultClass::Malformed, format!("the answer is longer than {limit} bytes"))
    }

    /// These faults have no status of their own: the one that came said nothing of them.
    fn fault(&self, class: FaultClass, message: String) -> UpstreamFault {
        let provider = self.provider.clone();
        UpstreamFault { provider, class, status: None, message, said: None, retry_after: None, body: None }
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("provider", &self.provider).field("status", &self.status).finish_non_exhaustive()
    }
}
