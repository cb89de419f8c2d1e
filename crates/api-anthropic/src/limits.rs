//! What clients are told of limits, under the names that clients of this dialect look for.

use http::{HeaderMap, HeaderName, HeaderValue};
use mainspring_gateway::ledger::{ToldLimit, told_limits};
use mainspring_kernel::Timestamp;

/// Adds them beside those that every surface has.
pub(crate) fn tell(headers: &mut HeaderMap, now: Timestamp) {
    let mut theirs = Vec::new();
    for ToldLimit { what, limit, remaining, reset } in told_limits(headers) {
        let reset = HeaderValue::from_str(&now.plus(reset).to_string()).ok();
        for (end, value) in [("limit", Some(limit.clone())), ("remaining", Some(remaining.clone())), ("reset", reset)] {
            theirs.push((HeaderName::from_bytes(format!("anthropic-ratelimit-{what}-{end}").as_bytes()).ok(), value));
        }
    }
    for (name, value) in theirs {
        if let (Some(name), Some(value)) = (name, value) {
            headers.insert(name, value);
        }
    }
}
