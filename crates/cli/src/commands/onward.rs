//! `mainspring traces export --to`: spans onward to another collector, request by request, each until it was taken.

use std::{error::Error, fmt, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use futures::StreamExt;
use mainspring_client::{BodyStream, Client, ClientFault, HttpTransport};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json, value::RawValue};

use super::Session;
use crate::output;

/// Where OTLP over HTTP takes spans.
const PATH: &str = "/v1/traces";
/// A request that may pass later is tried so often, after twice as long each time.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// What an export request takes at most; the server's own are far smaller.
const LINE_MAX: usize = 256 << 20;

/// Nothing answers where the spans were to go. It is somebody else's, and need not be a server of ours.
#[derive(Debug)]
pub(crate) struct Uncollected(ClientFault);

impl fmt::Display for Uncollected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for Uncollected {}

impl Uncollected {
    pub(crate) fn hint() -> String {
        format!("see whether the collector runs and takes OTLP over HTTP there, at `{PATH}`; its usual port for that is 4318")
    }
}

#[derive(Debug, Default)]
struct Sent {
    requests: u64,
    spans: u64,
    rejected: u64,
}

/// Sends every request of an export; what was sent before a failure is told with it.
pub(super) async fn send(session: &Session, body: BodyStream, to: &str, key: Option<&str>) -> anyhow::Result<ExitCode> {
    let base = to.trim_end_matches('/').trim_end_matches(PATH);
    let key = key.map(|name| std::env::var(name).with_context(|| format!("no environment variable {name}"))).transpose()?;
    let collector = Client::new(Arc::new(HttpTransport::new(base, key)?));
    let mut sent = Sent::default();
    let outcome = all(&collector, body, &mut sent).await;
    let Sent { requests, spans, rejected } = sent;
    if session.json {
        output::json(&json!({"to": base, "requests": requests, "spans": spans, "rejected": rejected, "whole": outcome.is_ok()}));
    } else {
        output::say(&format!("sent {spans} spans in {requests} requests to {base}; {rejected} were rejected there"));
    }
    outcome.map_err(|fault| {
        let then = if passes(&fault) { "it can be repeated as it is" } else { "repeated as it is, it would end so again" };
        fault.context(format!("{base} did not take every span; {then}"))
    })?;
    Ok(if rejected == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn all(collector: &Client, mut body: BodyStream, sent: &mut Sent) -> anyhow::Result<()> {
    let mut waiting: Vec<u8> = Vec::new();
    while let Some(part) = body.next().await {
        for piece in part?.split_inclusive(|byte| *byte == b'\n') {
            waiting.extend_from_slice(piece);
            ensure!(waiting.len() <= LINE_MAX, "an export request has more than {LINE_MAX} bytes");
            if piece.ends_with(b"\n") {
                one(collector, &waiting, sent).await?;
                waiting.clear();
            }
        }
    }
    Ok(())
}

/// Sends a request as it was written: what values lie in it is the collector's to read, however deep they lie.
async fn one(collector: &Client, line: &[u8], sent: &mut Sent) -> anyhow::Result<()> {
    let request: &RawValue = serde_json::from_slice(line).context("an export request cannot be read")?;
    let spans = spans_of(request).context("an export request cannot be read")?;
    let mut pause = FIRST_PAUSE;
    let mut tries = 0;
    let answer = loop {
        tries += 1;
        match collector.post::<Value>(PATH, &request).await {
            Ok(answer) => break answer,
            Err(fault) if tries < TRIES && may_pass(&fault) => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(fault @ (ClientFault::Unreachable { .. } | ClientFault::Broken { .. })) => return Err(Uncollected(fault).into()),
            Err(fault) => return Err(fault.into()),
        }
    };
    sent.requests += 1;
    sent.spans += spans;
    sent.rejected += rejected(&answer);
    Ok(())
}

/// Whether asking again may help.
pub(super) fn may_pass(fault: &ClientFault) -> bool {
    match fault {
        ClientFault::Refused(refusal) => refusal.status == 429 || refusal.status >= 500,
        ClientFault::Unreachable { .. } | ClientFault::Broken { .. } => true,
        ClientFault::Unsendable { .. } | ClientFault::Unreadable { .. } => false,
    }
}

/// Whether what went wrong may be otherwise another time.
fn passes(fault: &anyhow::Error) -> bool {
    fault.is::<Uncollected>() || fault.downcast_ref().is_some_and(may_pass)
}

/// As much of a request as is counted.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spans {
    resource_spans: Vec<OfResource>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OfResource {
    scope_spans: Vec<OfScope>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OfScope {
    spans: Vec<IgnoredAny>,
}

fn spans_of(request: &RawValue) -> serde_json::Result<u64> {
    let Spans { resource_spans } = serde_json::from_str(request.get())?;
    let scopes = resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    Ok(scopes.map(|scope| scope.spans.len() as u64).sum())
}

/// Whole numbers of 64 bits are texts in OTLP's JSON.
fn rejected(answer: &Value) -> u64 {
    let count = answer.get("partialSuccess").and_then(|partial| partial.get("rejectedSpans"));
    count.and_then(|count| count.as_u64().or_else(|| count.as_str()?.parse().ok())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use mainspring_client::Refusal;

    use super::*;

    #[test]
    fn spans_are_counted_and_what_was_rejected_is_read_in_both_spellings() {
        let count = |request: String| spans_of(&RawValue::from_string(request).unwrap()).unwrap();
        let request = json!({"resourceSpans": [{"scopeSpans": [{"spans": [{}, {}]}, {"spans": [{}]}]}, {}]});
        assert_eq!(count(request.to_string()), 3);
        // However deep what they say lies.
        let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
        let resource = format!(r#"{{"resource":{deep},"scopeSpans":[{{"spans":[{{"attributes":{deep}}},{{}}]}}]}}"#);
        assert_eq!(count(format!(r#"{{"resourceSpans":[{resource}]}}"#)), 2);
        assert_eq!(rejected(&json!({"partialSuccess": {"rejectedSpans": "2"}})), 2);
        assert_eq!(rejected(&json!({"partialSuccess": {"rejectedSpans": 4}})), 4);
        assert_eq!(rejected(&json!({})), 0);
    }

    #[test]
    fn only_what_may_be_otherwise_is_worth_repeating() {
        let refused = |status: u16| {
            let refusal = Refusal { status, ..Refusal::default() };
            passes(&anyhow::Error::from(ClientFault::Refused(refusal)))
        };
        assert!(refused(429) && refused(503) && !refused(400) && !refused(413));
        let gone = || ClientFault::Unreachable { url: "http://x".into(), reason: "gone".into() };
        assert!(passes(&anyhow::Error::from(gone())) && passes(&Uncollected(gone()).into()));
        assert!(!passes(&anyhow::anyhow!("an export request cannot be read")));
    }
}
