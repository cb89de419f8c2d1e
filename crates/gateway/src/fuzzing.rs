//! What `fuzz/` reaches of streams that pass through; built for it alone.

use bytes::Bytes;
use mainspring_providers::{Endpoint, Operation, ProviderKind, adapter};

use crate::scan::Scan;

/// What became of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// What went to the client.
    pub out: Vec<u8>,
    /// What was found in it, in order.
    pub found: Vec<String>,
    /// Why it was given up, if it was.
    pub fault: Option<String>,
}

/// Reads a stream from its pieces.
#[must_use]
pub fn scan(operation: Operation, strip: bool, pieces: &[&[u8]]) -> Scanned {
    let kind = if operation == Operation::Messages { ProviderKind::Anthropic } else { ProviderKind::OpenAi };
    let mut scanned = Scanned::default();
    let (Some(adapter), Ok(provider)) = (adapter(kind), "main".parse()) else { return scanned };
    let endpoint = Endpoint::new(provider, kind, "https://models.example/v1", "a");
    let (mut scan, mut found) = (Scan::of(operation, strip), Vec::new());
    for piece in pieces {
        let (out, read) = scan.read((adapter, &endpoint), &Bytes::copy_from_slice(piece), &mut found);
        scanned.out.extend_from_slice(&out);
        if let Err(fault) = read {
            scanned.fault = Some(fault.to_string());
            break;
        }
    }
    if scanned.fault.is_none() {
        match scan.end((adapter, &endpoint), &mut found) {
            Ok(out) => scanned.out.extend_from_slice(&out),
            Err(fault) => scanned.fault = Some(fault.to_string()),
        }
    }
    scanned.found = found.iter().map(|found| format!("{found:?}")).collect();
    scanned
}
