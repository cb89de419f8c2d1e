//! `mainspring traces tail`: traces as they come, a line each, for as long as somebody looks.

use std::{
    collections::{HashSet, VecDeque},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use mainspring_client::Events;
use mainspring_kernel::Timestamp;
use mainspring_wire as wire;
use tokio::time::{sleep, timeout};

use super::{
    Session,
    following::went_away,
    onward::may_pass,
    traces::{cells, query},
};
use crate::{
    args::{Paging, TailTraces},
    output::{self, line, printable},
};

/// A server that ends a tail is asked again soon, and less and less often while it is away.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A server says every fifteen seconds that it is there. One that is silent for so long has gone without a word.
const SILENT_MAX: Duration = Duration::from_secs(60);
/// After a break spans are looked for that began so long before it, since they may have come within it.
const BEFORE: Duration = Duration::from_secs(120);
/// So many of them are looked through.
const LOOKED_THROUGH: u32 = 5_000;
/// So many are known again.
const KNOWN_MAX: usize = 20_000;

/// A span is named by its trace and its own id.
type Key = (String, String);

fn key(span: &wire::SpanSummary) -> Key {
    (span.trace_id.clone(), span.span.clone())
}

pub(super) async fn tail(session: &Session, given: &TailTraces) -> anyhow::Result<ExitCode> {
    let spans = given.spans.then_some("true");
    let path = format!("/api/v1/traces/tail{}", query(&[("filter", given.filter.as_deref()), ("spans", spans)]));
    // A server that was never there is not waited for.
    let mut events = session.client.events(&path).await?;
    let mut tail = Tail { session, given, seen: Seen::default() };
    loop {
        tail.follow(&mut events).await?;
        events = tail.again(&path).await?;
        // What comes from here on waits in the stream, so that nothing falls between.
        tail.catch_up().await;
    }
}

struct Tail<'a> {
    session: &'a Session,
    given: &'a TailTraces,
    seen: Seen,
}

impl Tail<'_> {
    /// Shows what comes until the stream ends: the server ends it now and then, so that whoever may no longer look does not.
    async fn follow(&mut self, events: &mut Events) -> anyhow::Result<()> {
        while let Ok(Some(event)) = timeout(SILENT_MAX, events.next()).await {
            let event = match event {
                Ok(event) => event,
                Err(fault) if went_away(&fault) => return Ok(()),
                Err(fault) => return Err(fault.into()),
            };
            match serde_json::from_str(&event).context("an event cannot be read")? {
                wire::TailEvent::Span(span) if self.seen.told(&span) => self.show(&span),
                wire::TailEvent::Span(_) => {}
                wire::TailEvent::Missed(missed) => {
                    output::say(&format!("{} spans or more were missed: too much came", missed.spans));
                }
                wire::TailEvent::Open(open) => self.seen.open(&open),
            }
        }
        Ok(())
    }

    /// Asks until the server is there again.
    async fn again(&self, path: &str) -> anyhow::Result<Events> {
        let mut pause = FIRST_PAUSE;
        let mut is_away = false;
        loop {
            sleep(pause).await;
            match self.session.client.events(path).await {
                Ok(events) => {
                    if is_away {
                        output::say("the server is there again");
                    }
                    return Ok(events);
                }
                Err(fault) if may_pass(&fault) => {
                    if !is_away {
                        output::say(&printable(&format!("{fault}; it is asked again until it answers")));
                    }
                    is_away = true;
                }
                Err(fault) => return Err(fault.into()),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Shows what came while nobody followed, from the list, which has what is stored.
    async fn catch_up(&mut self) {
        let Some(from) = self.seen.from() else { return };
        let from = from.to_string();
        let path = format!("/api/v1/spans{}", query(&[("filter", self.given.filter.as_deref()), ("from", Some(&from))]));
        let paging = Paging { limit: LOOKED_THROUGH, cursor: None };
        let page: wire::Page<wire::SpanSummary> = match self.session.page(&path, &paging).await {
            Ok(page) => page,
            Err(fault) => {
                output::say(&printable(&format!(
                    "some spans may be missing here; what came meanwhile cannot be read: {fault:#}"
                )));
                return;
            }
        };
        if page.next.is_some() {
            output::say("some spans may be missing here: more came meanwhile than are looked through");
        }
        let every_span = self.given.spans;
        // The list begins with the newest.
        let wanted = page.items.into_iter().rev().filter(|span| span.entry || every_span);
        for span in self.seen.unseen(wanted) {
            self.show(&span);
        }
    }

    fn show(&self, span: &wire::SpanSummary) {
        if self.session.json {
            output::json_line(span);
        } else {
            line(&printable(&cells(span).join("  ")));
        }
    }
}

/// What has been shown, so that a span which both the list and the stream have is shown once.
#[derive(Debug, Default)]
struct Seen {
    /// When the server said first, and when it said last, that it tells what comes.
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    known: HashSet<Key>,
    /// The oldest first.
    order: VecDeque<Key>,
    /// Of the list, since the stream was opened: the stream may tell them too.
    listed: HashSet<Key>,
}

impl Seen {
    fn open(&mut self, open: &wire::TailOpen) {
        self.last = Timestamp::parse(&open.at).or(self.last);
        self.first = self.first.or(self.last);
    }

    /// Where the list is asked from; absent where nobody has followed yet.
    fn from(&self) -> Option<Timestamp> {
        self.last.map(|last| last.minus(BEFORE))
    }

    /// Whether a span of the stream is to be shown. One that its sender repeats is told again, and shown again.
    fn told(&mut self, span: &wire::SpanSummary) -> bool {
        let key = key(span);
        let is_wanted = !self.listed.remove(&key);
        self.know(key);
        is_wanted
    }

    /// Of a list those that nobody was told of. What had ended before somebody looked on is not among them.
    fn unseen(&mut self, spans: impl Iterator<Item = wire::SpanSummary>) -> Vec<wire::SpanSummary> {
        let (known, first) = (&self.known, self.first);
        let found: Vec<_> = spans.filter(|span| !known.contains(&key(span)) && end(span) >= first).collect();
        self.listed = found.iter().map(key).collect();
        found.iter().for_each(|span| self.know(key(span)));
        found
    }

    fn know(&mut self, key: Key) {
        if self.known.insert(key.clone()) {
            self.order.push_back(key);
        }
        if self.order.len() > KNOWN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

fn end(span: &wire::SpanSummary) -> Option<Timestamp> {
    let lasted = Duration::try_from_secs_f64(span.duration_ms / 1000.0).unwrap_or_default();
    Timestamp::parse(&span.start).map(|start| start.plus(lasted))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn span(id: &str, start: &str, duration_ms: f64) -> wire::SpanSummary {
        let span = json!({
            "trace_id": "5b8efff798038103d269b633813fc60c", "span": id, "name": "work", "entry": true, "status": "ok",
            "start": start, "duration_ms": duration_ms,
        });
        serde_json::from_value(span).unwrap()
    }

    fn open(at: &str) -> wire::TailOpen {
        wire::TailOpen { at: at.to_owned(), filter: String::new() }
    }

    fn ids(spans: &[wire::SpanSummary]) -> Vec<&str> {
        spans.iter().map(|span| span.span.as_str()).collect()
    }

    #[test]
    fn after_a_break_a_span_is_shown_once_whoever_tells_it() {
        let mut seen = Seen::default();
        assert_eq!(seen.from(), None);
        seen.open(&open("2026-11-27T10:00:00Z"));
        seen.open(&open("2026-11-27T10:05:00Z"));
        assert_eq!(seen.from(), Timestamp::parse("2026-11-27T10:03:00Z"));

        let told = span("a", "2026-11-27T10:04:00Z", 1.0);
        assert!(seen.told(&told));
        // A sender that repeats it is heard.
        assert!(seen.told(&told));
        let between = span("b", "2026-11-27T10:05:01Z", 1.0);
        let found = seen.unseen([told, between.clone()].into_iter());
        assert_eq!(ids(&found), ["b"]);
        assert!(!seen.told(&between), "the list had it");
        assert!(seen.told(&between), "its sender repeats it");
    }

    #[test]
    fn what_had_ended_before_anybody_looked_is_not_shown_and_what_had_begun_is() {
        let mut seen = Seen::default();
        seen.open(&open("2026-11-27T10:00:00Z"));
        let old = span("a", "2026-11-27T09:59:00Z", 1_000.0);
        let long = span("b", "2026-11-27T09:59:00Z", 61_000.0);
        assert_eq!(ids(&seen.unseen([old, long].into_iter())), ["b"]);
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut seen = Seen::default();
        for id in 0..=KNOWN_MAX {
            seen.know((String::new(), id.to_string()));
        }
        assert_eq!((seen.known.len(), seen.order.len()), (KNOWN_MAX, KNOWN_MAX));
        assert!(!seen.known.contains(&(String::new(), "0".to_owned())));
    }
}
