//! What `fuzz/` reaches of the protocol; built for it alone.

use bytes::Bytes;
use mainspring_kernel::{Timestamp, id::ProjectId};
use mainspring_llm::Span;
use opentelemetry_proto::tonic::collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest};

use crate::{
    grpc, logs, points,
    request::{self, Encoding, Packing, decode},
    shared::bound,
    signal::{Signal, decode_metrics},
    spans,
    weigh::weigh,
};

/// No export of these sizes is heavier.
const WEIGHT: usize = 64 << 20;

/// An export, read.
#[derive(Debug)]
pub struct Read {
    /// Records that came.
    pub sent: usize,
    pub spans: Vec<Span>,
    /// Points of metrics that were read.
    pub points: usize,
    pub rejected: usize,
    /// The same export in protobuf.
    pub again: Vec<u8>,
}

fn encoding(json: bool) -> Encoding {
    if json { Encoding::Json } else { Encoding::Protobuf }
}

/// Nothing where the body is no export of traces.
#[must_use]
pub fn read(body: &[u8], json: bool) -> Option<Read> {
    let body = &mut body.to_vec();
    weigh(body, encoding(json), Signal::Traces, WEIGHT).ok()?;
    let export: ExportTraceServiceRequest = decode(body, encoding(json)).ok()?;
    let groups = export.resource_spans.iter().flat_map(|group| &group.scope_spans);
    let sent = groups.map(|group| group.spans.len()).sum();
    let again = prost::Message::encode_to_vec(&export);
    let received = spans::read(export, ProjectId::from_raw(1));
    Some(Read { sent, spans: received.spans, points: 0, rejected: received.rejected, again })
}

/// Nothing where the body is no export of logs.
#[must_use]
pub fn read_logs(body: &[u8], json: bool) -> Option<Read> {
    let body = &mut body.to_vec();
    weigh(body, encoding(json), Signal::Logs, WEIGHT).ok()?;
    let export: ExportLogsServiceRequest = decode(body, encoding(json)).ok()?;
    let groups = export.resource_logs.iter().flat_map(|group| &group.scope_logs);
    let sent = groups.map(|group| group.log_records.len()).sum();
    let again = prost::Message::encode_to_vec(&export);
    let mut received = logs::read(export, ProjectId::from_raw(1));
    bound(&mut received, Timestamp::from_micros(i64::MAX / 2));
    Some(Read { sent, spans: received.spans, points: 0, rejected: received.rejected, again })
}

/// Nothing where the body is no export of metrics.
#[must_use]
pub fn read_metrics(body: &[u8], json: bool) -> Option<Read> {
    let body = &mut body.to_vec();
    weigh(body, encoding(json), Signal::Metrics, WEIGHT).ok()?;
    let export = decode_metrics(body, encoding(json)).ok()?;
    let groups = export.resource_metrics.iter().flat_map(|group| &group.scope_metrics);
    let sent: usize = groups.flat_map(|group| &group.metrics).map(points::points_of).sum();
    let again = prost::Message::encode_to_vec(&export);
    let received = points::read(export, ProjectId::from_raw(1), Timestamp::from_micros(i64::MAX / 2));
    // Of a point that says that it has no value there is nothing to keep.
    let sent = sent - received.without_value;
    Some(Read { sent, spans: Vec::new(), points: received.points.len(), rejected: received.rejected, again })
}

/// How a body is packed, by its number.
const PACKINGS: [Packing; 4] = [Packing::Plain, Packing::Gzip, Packing::Zstd, Packing::Deflate];

#[must_use]
pub fn unpack(body: &[u8], packing: usize, limit: usize) -> Option<Bytes> {
    request::unpack(Bytes::copy_from_slice(body), PACKINGS[packing % PACKINGS.len()], limit).ok()
}

/// The message of a gRPC call.
#[must_use]
pub fn message(body: &[u8], packing: usize, limit: usize) -> Option<Bytes> {
    grpc::message(&Bytes::copy_from_slice(body), PACKINGS[packing % PACKINGS.len()], limit).ok()
}
