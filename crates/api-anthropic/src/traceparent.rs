//! W3C trace context.

use mainspring_llm::{SpanId, TraceId};

/// `00-<trace>-<span>-<flags>`, in lower case; a later version may go on after that.
pub(crate) fn traceparent(text: &str) -> Option<(TraceId, SpanId)> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lower_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let shaped = version.len() == 2 && flags.len() == 2 && [version, trace, span, flags].into_iter().all(lower_hex);
    let known = match version {
        "00" => parts.next().is_none(),
        version => version != "ff",
    };
    if !shaped || !known {
        return None;
    }
    Some((trace.parse().ok()?, span.parse().ok()?))
}
