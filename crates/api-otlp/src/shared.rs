//! What the records of an export share, and what every record is held to.

use std::time::Duration;

use mainspring_kernel::Timestamp;
use mainspring_llm::{Span, trace::SpanStatus};
use opentelemetry_proto::tonic::{common::v1::KeyValue, resource::v1::Resource};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::{
    spans::{Received, VALUE, plain, weight_of},
    weigh::DEPTH_MAX,
};

/// Clocks differ; by more than this one of them is wrong, and what lies in the future never grows old.
const AHEAD_MAX: Duration = Duration::from_secs(24 * 3600);
/// Long conversations lie in some thousands of attributes.
pub(crate) const ATTRIBUTES_MAX: usize = 16_384;
/// Some write an event for each piece of an answer. SDKs keep 128 events and 128 links of a span unless they are told otherwise.
pub(crate) const EVENTS_MAX: usize = 8_192;
pub(crate) const LINKS_MAX: usize = 1_024;
/// Of each event, and of each link; here too SDKs keep 128.
const THEIR_ATTRIBUTES_MAX: usize = 1_024;
/// Whoever reads a record holds it in memory, and as JSON its text may take six times as much.
const RECORD_MAX: usize = 10 << 20;
/// How many attributes of a record were left out here.
const LEFT_OUT: &str = "otel.attributes_left_out";

const NO_TIME: &str = "a record has no time";
const AHEAD: &str = "a record lies more than a day in the future: is the sender's clock right?";
const TOO_LARGE: &str = "a record is larger than 10 MiB";

/// What a resource says, as attributes.
pub(crate) fn of_resource(resource: Option<Resource>) -> Map<String, Value> {
    let attributes = resource.map(|resource| resource.attributes).unwrap_or_default();
    attributes.into_iter().map(|KeyValue { key, value, .. }| (format!("resource.{key}"), plain(value))).collect()
}

/// Of all reasons so much is said: one of them may be made of what was sent.
const REASONS_MAX: usize = 1024;

/// Says a reason once, after those said before.
pub(crate) fn say_also(reasons: &mut String, reason: &str) {
    if reasons.split("; ").any(|said| said == reason) || reasons.len() + reason.len() > REASONS_MAX {
        return;
    }
    if !reasons.is_empty() {
        reasons.push_str("; ");
    }
    reasons.push_str(reason);
}

/// Says how many values were cut before anything was read.
pub(crate) fn say_cut(reasons: &mut String, cut: usize) {
    if cut > 0 {
        say_also(reasons, &format!("what lies in more than {DEPTH_MAX} lists of values is left out: {cut}"));
    }
}

/// What may be written out of what records share.
#[derive(Debug)]
pub(crate) struct Left(pub(crate) usize);

impl Left {
    pub(crate) fn take(&mut self, weight: usize) -> bool {
        let left = self.0.checked_sub(weight);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

/// Whether a time can be one: neither missing nor far ahead.
pub(crate) fn check_time(time: Timestamp, now: Timestamp) -> Result<(), &'static str> {
    match time.as_micros() {
        ..=0 => Err(NO_TIME),
        _ if time > now.plus(AHEAD_MAX) => Err(AHEAD),
        _ => Ok(()),
    }
}

/// Rejects spans that cannot be kept as they are, and shortens those with too many attributes.
pub(crate) fn bound(received: &mut Received, now: Timestamp) {
    let mut spans = std::mem::take(&mut received.spans);
    spans.retain_mut(|span| match check(span, now) {
        Ok(()) => true,
        Err(reason) => {
            received.reject(1, reason);
            false
        }
    });
    received.spans = spans;
}

fn check(span: &mut Span, now: Timestamp) -> Result<(), &'static str> {
    check_time(span.start, now)?;
    check_time(span.end, now)?;
    cut(&mut span.attributes, ATTRIBUTES_MAX);
    for event in &mut span.events {
        cut(&mut event.attributes, THEIR_ATTRIBUTES_MAX);
    }
    for link in &mut span.links {
        cut(&mut link.attributes, THEIR_ATTRIBUTES_MAX);
    }
    if weight(span) > RECORD_MAX { Err(TOO_LARGE) } else { Ok(()) }
}

/// What a record takes, about: also events and links that say nothing take as much as a value beside their text.
fn weight(span: &Span) -> usize {
    let events: usize = span.events.iter().map(|event| VALUE + event.name.len() + weight_of(&event.attributes)).sum();
    let links: usize = span.links.iter().map(|link| VALUE + weight_of(&link.attributes)).sum();
    let message = if let SpanStatus::Error(message) = &span.status { message.len() } else { 0 };
    span.name.len() + message + weight_of(&span.attributes) + events + links
}

/// Leaves out the last of very many attributes, and says how many.
pub(crate) fn cut(attributes: &mut Map<String, Value>, most: usize) {
    let over = attributes.len().saturating_sub(most);
    if over == 0 {
        return;
    }
    let mut place = 0;
    attributes.retain(|_, _| {
        place += 1;
        place <= most
    });
    attributes.insert(LEFT_OUT.to_owned(), over.into());
}

/// Leaves out the last of very many events or links. Answers how many.
pub(crate) fn leave_out<T>(list: &mut Vec<T>, most: usize) -> u32 {
    let over = list.len().saturating_sub(most);
    list.truncate(most);
    u32::try_from(over).unwrap_or(u32::MAX)
}

/// A name made of what a record says: a sender that repeats it repeats the name.
pub(crate) struct Name(Sha256);

impl Name {
    pub(crate) fn of(kind: &str) -> Self {
        Self(Sha256::new()).and(kind.as_bytes())
    }

    pub(crate) fn and(mut self, part: &[u8]) -> Self {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    pub(crate) fn and_all(self, attributes: &Map<String, Value>) -> Self {
        let text = serde_json::to_vec(attributes).unwrap_or_default();
        self.and(&text)
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
