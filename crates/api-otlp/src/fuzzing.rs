//! What `fuzz/` reaches of the protocol; built for it alone.

use bytes::Bytes;
use mainspring_kernel::id::ProjectId;
use mainspring_llm::Span;

use crate::{
    request::{self, Encoding, decode},
    spans,
};

/// An export, read.
#[derive(Debug)]
pub struct Read {
    /// Spans that came.
    pub sent: usize,
    pub spans: Vec<Span>,
    pub rejected: usize,
    /// The same export in protobuf.
    pub again: Vec<u8>,
}

/// Nothing where the body is no export.
#[must_use]
pub fn read(body: &[u8], json: bool) -> Option<Read> {
    let export = decode(body, if json { Encoding::Json } else { Encoding::Protobuf }).ok()?;
    let groups = export.resource_spans.iter().flat_map(|group| &group.scope_spans);
    let sent = groups.map(|group| group.spans.len()).sum();
    let again = prost::Message::encode_to_vec(&export);
    let received = spans::read(export, ProjectId::from_raw(1));
    Some(Read { sent, spans: received.spans, rejected: received.rejected, again })
}

#[must_use]
pub fn unpack(body: &[u8], limit: usize) -> Option<Bytes> {
    request::unpack(body, limit).ok()
}
