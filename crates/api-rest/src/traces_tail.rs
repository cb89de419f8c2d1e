//! Spans as they come.

use std::time::Duration;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use mainspring_kernel::Role;
use mainspring_observability::{Heard, Tailing};
use mainspring_web_kit::{Answer, Caller, Query, Sse, SseEvent};
use mainspring_wire as wire;
use serde::Deserialize;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use crate::{
    Rest,
    traces::{span_filter, span_summary},
};

/// How often a reader hears that the tail is alive.
const OPEN_EVERY: Duration = Duration::from_secs(15);
/// Readers come again, so that a key that was revoked does not look on.
const AT_MOST: Duration = Duration::from_secs(300);

#[derive(Debug, Deserialize)]
pub(crate) struct TailQuery {
    filter: Option<String>,
    spans: Option<bool>,
    follow: Option<bool>,
}

/// Follows traces as they come, those of other servers of the same lake some seconds later: server-sent events, one for each span by which a trace is entered and that
/// passes the filter; with `spans=true` every span that passes. A reader that is too slow is told how much it missed. The
/// stream ends after five minutes; whoever looks asks again. With `follow=false` it ends after its first event.
#[utoipa::path(get, path = "/api/v1/traces/tail", tag = "traces", operation_id = "tail_traces",
    params(("filter" = Option<String>, Query), ("spans" = Option<bool>, Query), ("follow" = Option<bool>, Query)),
    responses((status = 200, content_type = "text/event-stream", body = wire::TailEvent)))]
pub(crate) async fn tail(State(rest): State<Rest>, caller: Caller, Query(query): Query<TailQuery>) -> Answer<Response> {
    let actor = caller.needs(Role::Reader)?.clone();
    let TailQuery { filter, spans, follow } = query;
    let tailing = Tailing { filter: span_filter(filter)?, every_span: spans.unwrap_or(false) };
    let shown = tailing.filter.to_string();
    // Before it is told that it is open, so that nothing falls between.
    let heard = rest.observability.tail(&rest.tasks, actor, tailing)?;
    let stream = async_stream::stream! {
        let now = Instant::now();
        let mut watching = Watching { rest, heard, filter: shown, again: now + OPEN_EVERY, end: now + AT_MOST };
        yield told(&watching.open());
        if !follow.unwrap_or(true) {
            return;
        }
        while let Some(event) = watching.next().await {
            yield told(&event);
        }
    };
    Ok(Sse(stream).into_response())
}

fn told(event: &wire::TailEvent) -> SseEvent {
    let name = match event {
        wire::TailEvent::Open(_) => "open",
        wire::TailEvent::Span(_) => "span",
        wire::TailEvent::Missed(_) => "missed",
    };
    SseEvent::named(name, serde_json::to_string(event).unwrap_or_default())
}

struct Watching {
    rest: Rest,
    heard: mpsc::Receiver<Heard>,
    filter: String,
    again: Instant,
    end: Instant,
}

impl Watching {
    fn open(&self) -> wire::TailEvent {
        wire::TailEvent::Open(wire::TailOpen { at: self.rest.clock.now().to_string(), filter: self.filter.clone() })
    }

    /// Absent when it is time to come again, or the server stops.
    async fn next(&mut self) -> Option<wire::TailEvent> {
        let heard = tokio::select! {
            () = self.rest.closing.requested() => return None,
            () = sleep_until(self.end) => return None,
            () = sleep_until(self.again) => {
                self.again = Instant::now() + OPEN_EVERY;
                return Some(self.open());
            }
            heard = self.heard.recv() => heard?,
        };
        Some(match heard {
            Heard::Span(span) => wire::TailEvent::Span(Box::new(span_summary(*span))),
            Heard::Missed(spans) => wire::TailEvent::Missed(wire::MissedSpans { spans }),
        })
    }
}
