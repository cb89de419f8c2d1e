//! Calls as they start, go on and end.

use std::{collections::HashMap, time::Duration};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use mainspring_gateway::{Answering, CallRecord, Live, Started};
use mainspring_kernel::{
    Actor, Role, Stop, Tasks,
    id::{PrincipalId, ProjectId},
};
use mainspring_web_kit::{Answer, Caller, Query, Sse, SseEvent};
use mainspring_wire as wire;
use serde::Deserialize;
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        mpsc,
    },
    time::{Instant, sleep_until},
};

use crate::{Rest, assets::Names, calls::view};

/// How often a reader is told what is under way: it keeps the connection alive, and puts right what was missed.
const OPEN_EVERY: Duration = Duration::from_secs(15);
/// Readers come again, so that a key that was revoked does not look on.
const AT_MOST: Duration = Duration::from_secs(300);
/// Calls under way in one event.
const OPEN_MAX: usize = 500;
/// A reader that falls behind by more than this misses events.
const BEHIND_MAX: usize = 256;

#[derive(Debug, Deserialize)]
pub(crate) struct WatchQuery {
    follow: Option<bool>,
}

/// Follows the project's calls: server-sent events, first what is under way, then each call as it starts, goes on and
/// ends. With `follow=false` it ends after the first. A reader that is too slow is told how much it missed. The stream
/// ends after five minutes; whoever looks asks again.
#[utoipa::path(get, path = "/api/v1/calls/live", tag = "usage", operation_id = "watch_calls",
    params(("follow" = Option<bool>, Query)),
    responses((status = 200, content_type = "text/event-stream", body = wire::LiveCall)))]
pub(crate) async fn watch(State(rest): State<Rest>, caller: Caller, Query(query): Query<WatchQuery>) -> Answer<Response> {
    let actor = caller.needs(Role::Reader)?.clone();
    // Before what is under way is read, so that nothing falls between.
    let heard = take(&rest.tasks, rest.gateway.live(), actor.project, BEHIND_MAX);
    let mut known = Known::default();
    let first = open(&rest, &actor, &mut known).await?;
    let follow = query.follow.unwrap_or(true);
    let stream = async_stream::stream! {
        yield told(&first);
        if !follow {
            return;
        }
        let mut watching = Watching { rest, actor, known, heard, again: Instant::now() + OPEN_EVERY, end: Instant::now() + AT_MOST };
        while let Some(event) = watching.next().await {
            yield told(&event);
        }
    };
    Ok(Sse(stream).into_response())
}

fn told(event: &wire::LiveCall) -> SseEvent {
    let name = match event {
        wire::LiveCall::Open(_) => "open",
        wire::LiveCall::Started(_) => "started",
        wire::LiveCall::Answering(_) => "answering",
        wire::LiveCall::Settled(_) => "settled",
        wire::LiveCall::Missed(_) => "missed",
    };
    SseEvent::named(name, serde_json::to_string(event).unwrap_or_default())
}

/// What came to one reader's queue.
#[derive(Debug)]
pub(crate) enum Heard {
    Event(Live),
    Missed(u64),
}

/// Takes what happens in one project off the board as fast as it comes. A reader who is slower misses some of it, and is
/// told how much; nobody waits for it.
pub(crate) fn take(tasks: &Tasks, board: broadcast::Receiver<Live>, project: ProjectId, behind: usize) -> mpsc::Receiver<Heard> {
    let (tell, heard) = mpsc::channel(behind);
    tasks.spawn("calls-live", move |stop| forward(stop, board, project, tell));
    heard
}

async fn forward(stop: Stop, mut board: broadcast::Receiver<Live>, project: ProjectId, tell: mpsc::Sender<Heard>) {
    let mut missed = 0_u64;
    loop {
        let event = tokio::select! {
            () = stop.requested() => return,
            () = tell.closed() => return,
            room = tell.reserve(), if missed > 0 => {
                let Ok(room) = room else { return };
                room.send(Heard::Missed(std::mem::take(&mut missed)));
                continue;
            }
            event = board.recv() => event,
        };
        match event {
            Ok(event) if event.project() != project => {}
            Ok(event) => {
                // What comes after something that was missed is not told before that is.
                if missed > 0 || tell.try_send(Heard::Event(event)).is_err() {
                    missed += 1;
                }
            }
            Err(RecvError::Lagged(events)) => missed = missed.saturating_add(events),
            Err(RecvError::Closed) => {
                if missed > 0 {
                    // The reader may be gone.
                    let _ = tell.send(Heard::Missed(missed)).await;
                }
                return;
            }
        }
    }
}

struct Watching {
    rest: Rest,
    actor: Actor,
    known: Known,
    heard: mpsc::Receiver<Heard>,
    again: Instant,
    end: Instant,
}

impl Watching {
    /// Absent when it is time to come again, or the server stops.
    async fn next(&mut self) -> Option<wire::LiveCall> {
        let heard = tokio::select! {
            () = self.rest.closing.requested() => return None,
            () = sleep_until(self.end) => return None,
            () = sleep_until(self.again) => return self.open().await,
            heard = self.heard.recv() => heard?,
        };
        Some(match heard {
            Heard::Missed(events) => {
                // What is under way is told next.
                self.again = Instant::now();
                wire::LiveCall::Missed(wire::MissedCalls { events })
            }
            Heard::Event(Live::Started(started)) => {
                let principal = self.known.name(&self.rest, started.caller.principal).await;
                wire::LiveCall::Started(of_started(*started, principal))
            }
            Heard::Event(Live::Answering(answering)) => wire::LiveCall::Answering(of_answering(*answering)),
            Heard::Event(Live::Settled(record)) => {
                let principal = self.known.name(&self.rest, record.caller.principal).await;
                wire::LiveCall::Settled(Box::new(view(*record, principal)))
            }
        })
    }

    async fn open(&mut self) -> Option<wire::LiveCall> {
        self.again = Instant::now() + OPEN_EVERY;
        open(&self.rest, &self.actor, &mut self.known).await.ok()
    }
}

/// What is under way, as it was written down.
async fn open(rest: &Rest, actor: &Actor, known: &mut Known) -> Answer<wire::LiveCall> {
    let mut open = rest.ledger.open_calls(actor)?;
    let more = open.len() > OPEN_MAX;
    open.drain(..open.len().saturating_sub(OPEN_MAX));
    let mut calls = Vec::with_capacity(open.len());
    for record in open {
        let principal = known.name(rest, record.caller.principal).await;
        calls.push(of_record(record, principal));
    }
    Ok(wire::LiveCall::Open(wire::OpenCalls { calls, more }))
}

/// Names of members, asked for once.
#[derive(Debug, Default)]
struct Known(HashMap<PrincipalId, String>);

impl Known {
    async fn name(&mut self, rest: &Rest, id: PrincipalId) -> String {
        if let Some(name) = self.0.get(&id) {
            return name.clone();
        }
        // Without the catalog an id has to do, and is asked for again.
        let Ok(names) = Names::of(rest, vec![id]).await else { return id.to_string() };
        self.0.entry(id).or_insert_with(|| names.get(id)).clone()
    }
}

fn of_started(started: Started, principal: String) -> wire::StartedCall {
    let Started { id, caller, at, model, route, operation, stream, batch, trace } = started;
    wire::StartedCall {
        id: id.to_string(),
        started_at: at.to_string(),
        key: caller.key.map(|key| key.to_string()),
        principal,
        user: caller.user,
        app: caller.app,
        model,
        route,
        operation,
        stream: Some(stream),
        batch,
        batch_id: caller.line_of.map(|batch| batch.to_string()),
        trace_id: trace.to_string(),
    }
}

fn of_record(record: CallRecord, principal: String) -> wire::StartedCall {
    let CallRecord { id, caller, at, model, route, operation, batch, trace, .. } = record;
    wire::StartedCall {
        id: id.to_string(),
        started_at: at.to_string(),
        key: caller.key.map(|key| key.to_string()),
        principal,
        user: caller.user,
        app: caller.app,
        model,
        route,
        operation,
        stream: None,
        batch,
        batch_id: caller.line_of.map(|batch| batch.to_string()),
        trace_id: trace.to_string(),
    }
}

fn of_answering(answering: Answering) -> wire::AnsweringCall {
    let Answering { id, project: _, provider, target, attempts, first_ms, output_tokens } = answering;
    wire::AnsweringCall { id: id.to_string(), provider, target, attempts, first_ms, output_tokens }
}
