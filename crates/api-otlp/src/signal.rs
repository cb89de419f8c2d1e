//! The three kinds of export, and what comes of one.

use mainspring_kernel::{Timestamp, id::ProjectId};
use mainspring_web_kit::Problem;
use opentelemetry_proto::tonic::collector::{
    metrics::v1::ExportMetricsServiceRequest,
    trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse},
};
use serde_json::{Value, json};

use crate::{
    logs, points,
    request::{Encoding, decode, decode_leniently},
    shared::bound,
    spans,
    weigh::{EXPORTS, Shape},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Logs,
    Metrics,
}

impl Signal {
    pub(crate) fn shape(self) -> &'static Shape {
        EXPORTS[self as usize]
    }

    /// Under which name the protocol's JSON has the records.
    pub(crate) const fn records(self) -> &'static str {
        match self {
            Self::Traces => "resourceSpans",
            Self::Logs => "resourceLogs",
            Self::Metrics => "resourceMetrics",
        }
    }

    /// What the protocol calls the number of records that were rejected.
    const fn rejected(self) -> &'static str {
        match self {
            Self::Traces => "rejectedSpans",
            Self::Logs => "rejectedLogRecords",
            Self::Metrics => "rejectedDataPoints",
        }
    }
}

/// What an export held.
pub(crate) enum Read {
    Spans(spans::Received),
    Points(points::Received),
}

pub(crate) fn read(signal: Signal, body: &[u8], encoding: Encoding, project: ProjectId, now: Timestamp) -> Result<Read, Problem> {
    match signal {
        Signal::Traces => {
            let mut received = spans::read(decode(body, encoding)?, project);
            bound(&mut received, now);
            Ok(Read::Spans(received))
        }
        Signal::Logs => {
            let mut received = logs::read(decode(body, encoding)?, project);
            bound(&mut received, now);
            Ok(Read::Spans(received))
        }
        Signal::Metrics => Ok(Read::Points(points::read(decode_metrics(body, encoding)?, project, now))),
    }
}

/// Where a metric's points are spelt in another way, the reader of the protocol's own spelling leaves them out without a word.
pub(crate) fn decode_metrics(body: &[u8], encoding: Encoding) -> Result<ExportMetricsServiceRequest, Problem> {
    let blank = body.iter().all(u8::is_ascii_whitespace);
    if encoding == Encoding::Json && !blank { decode_leniently(body) } else { decode(body, encoding) }
}

/// What came of an export.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) signal: Signal,
    pub(crate) rejected: usize,
    /// Each reason once, in the order they came up.
    pub(crate) reason: String,
}

impl Outcome {
    /// How many records were rejected, where there is something to say: of one that was kept, too, a part may be left out.
    fn partial(&self) -> Option<i64> {
        let says = self.rejected > 0 || !self.reason.is_empty();
        says.then(|| i64::try_from(self.rejected).unwrap_or(i64::MAX))
    }

    /// The answer in protobuf: that of the three services has the same fields under the same numbers.
    pub(crate) fn message(&self) -> ExportTraceServiceResponse {
        let partial = |rejected_spans| ExportTracePartialSuccess { rejected_spans, error_message: self.reason.clone() };
        ExportTraceServiceResponse { partial_success: self.partial().map(partial) }
    }

    /// The answer in JSON; a number of 64 bits is text there.
    pub(crate) fn json(&self) -> Value {
        let partial = |rejected: i64| json!({"partialSuccess": {(self.signal.rejected()): rejected.to_string(), "errorMessage": self.reason}});
        self.partial().map_or_else(|| json!({}), partial)
    }
}
