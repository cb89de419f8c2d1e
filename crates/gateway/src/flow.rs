//! Answers that come in pieces, handed on as they come. Once the first piece is the client's there is no second attempt:
//! what breaks afterwards is told as an error in the stream.

use std::{sync::Arc, time::Duration};

use async_stream::stream;
use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use mainspring_kernel::Fault as _;
use mainspring_llm::{Ending, exchange::Event};
use mainspring_providers::{Adapter, Endpoint, Events, Incoming, UpstreamFault};
use tokio::time::timeout;

use crate::{
    attempt::Attempt,
    bill::Bill,
    cache::Keeper,
    fault::GatewayFault,
    local, reckon,
    record::CallStatus,
    scan::{Found, Scan},
};

/// A complete answer's connection is waited for this long: one that ends in order can be used again.
const LAST_WORD: Duration = Duration::from_secs(1);

/// What a stream needs beside its source.
#[derive(Debug)]
pub(crate) struct Handed {
    pub(crate) attempt: Attempt,
    pub(crate) bill: Arc<Bill>,
    /// Keeps the answer for the cache.
    pub(crate) keeper: Option<Keeper>,
    ending: Ending,
    closed: bool,
}

impl Handed {
    pub(crate) fn new(attempt: Attempt, bill: Arc<Bill>, keeper: Option<Keeper>, ending: Ending) -> Self {
        Self { attempt, bill, keeper, ending, closed: false }
    }

    fn completes(&mut self) {
        if !std::mem::replace(&mut self.closed, true) {
            self.attempt.completes();
            self.bill.settle(CallStatus::Ok, None);
            self.ending.completes();
            if let Some(keeper) = self.keeper.take() {
                keeper.finish();
            }
        }
    }

    fn fails(&mut self, fault: &GatewayFault) {
        if !std::mem::replace(&mut self.closed, true) {
            self.attempt.fails(fault);
            self.bill.fails(fault);
            self.ending.breaks(fault.code());
            self.keeper = None;
        }
    }
}

/// A stream in the client's own dialect.
pub(crate) struct Passing {
    pub(crate) incoming: Incoming,
    pub(crate) adapter: &'static dyn Adapter,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) scan: Scan,
    /// What came until the first event was there.
    pub(crate) head: Vec<Bytes>,
    pub(crate) found: Vec<Found>,
    /// The provider closed the connection already.
    pub(crate) over: bool,
}

impl Passing {
    /// Waits for the first event.
    pub(crate) async fn begin(&mut self, attempt: &mut Attempt) -> Result<(), UpstreamFault> {
        while !self.scan.has_begun() && !self.over {
            // Signs of life, which nobody is told while there is no answer.
            self.head.clear();
            let read = self.next().await;
            if self.scan.has_begun() {
                attempt.hears();
            }
            for found in &self.found {
                note(attempt, found);
            }
            read?;
            self.found.retain(|found| matches!(found, Found::Complete | Found::Failed(_)));
            if self.found.iter().any(|found| matches!(found, Found::Complete)) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads one chunk, or the end.
    async fn next(&mut self) -> Result<(), UpstreamFault> {
        let place = (self.adapter, self.endpoint.as_ref());
        let (piece, read) = match self.incoming.next_chunk().await? {
            Some(chunk) => self.scan.read(place, &chunk, &mut self.found),
            None => {
                self.over = true;
                (self.scan.end(place, &mut self.found)?, Ok(()))
            }
        };
        if !piece.is_empty() {
            self.head.push(piece);
        }
        read
    }

    /// What comes after the end is nobody's.
    async fn rest(&mut self) -> Result<(), UpstreamFault> {
        while !self.over {
            self.next().await?;
        }
        Ok(())
    }

    pub(crate) fn stream(mut self, mut handed: Handed) -> BoxStream<'static, Result<Bytes, GatewayFault>> {
        stream! {
            let mut pieces: Vec<Bytes> = Vec::new();
            let mut broken = None;
            loop {
                std::mem::swap(&mut pieces, &mut self.head);
                if let Some(keeper) = handed.keeper.as_mut().filter(|_| !handed.closed) {
                    pieces.iter().for_each(|piece| keeper.bytes(piece));
                }
                // Before the last piece goes out: a client that has it may hang up.
                for found in self.found.drain(..) {
                    note(&mut handed.attempt, &found);
                    match found {
                        Found::Complete => handed.completes(),
                        Found::Failed(fault) => handed.fails(&GatewayFault::Upstream(*fault)),
                        Found::Usage(_) | Found::Text(_) | Found::Made(..) => {}
                    }
                }
                for piece in pieces.drain(..) {
                    yield Ok(piece);
                }
                if handed.closed {
                    if !self.over && broken.is_none() {
                        let _ = timeout(LAST_WORD, self.rest()).await;
                    }
                    return;
                }
                if let Some(fault) = broken.take() {
                    handed.fails(&fault);
                    yield Err(fault);
                    return;
                }
                // Whole events that came before a fault are the client's.
                broken = self.next().await.err().map(GatewayFault::Upstream);
            }
        }
        .boxed()
    }
}

fn note(attempt: &mut Attempt, found: &Found) {
    match found {
        Found::Usage(usage) => attempt.saw(usage),
        Found::Text(eighths) => attempt.wrote(*eighths),
        Found::Made(id, goes_on) => attempt.made(id, *goes_on),
        Found::Complete | Found::Failed(_) => {}
    }
}

/// Where translated events come from.
pub(crate) enum Source {
    Remote { incoming: Box<Incoming>, reader: Box<dyn Events> },
    Local(local::Events),
}

impl Source {
    /// What comes after the end is nobody's.
    async fn rest(&mut self) -> Result<(), GatewayFault> {
        let mut events = Vec::new();
        while self.next(&mut events).await? {}
        Ok(())
    }

    /// Appends what comes next; answers whether more may come.
    async fn next(&mut self, events: &mut Vec<Event>) -> Result<bool, GatewayFault> {
        match self {
            Self::Remote { incoming, reader } => match incoming.next_chunk().await? {
                Some(chunk) => {
                    reader.push(&chunk, events)?;
                    Ok(true)
                }
                None => {
                    reader.end(events)?;
                    Ok(false)
                }
            },
            Self::Local(stream) => match stream.next().await {
                Some(event) => {
                    events.push(event?);
                    Ok(true)
                }
                None => Ok(false),
            },
        }
    }
}

/// A stream in no dialect, for the surface to write.
pub(crate) struct Translating {
    source: Source,
    /// Of an answer whose provider names none: clients tell answers apart by it.
    id: String,
    pub(crate) head: Vec<Event>,
    pub(crate) over: bool,
}

impl Translating {
    pub(crate) fn of(source: Source, id: String) -> Self {
        Self { source, id, head: Vec::new(), over: false }
    }

    /// From here on a piece is waited for this long. A model of this process is waited for as long as it takes.
    pub(crate) fn pauses(&mut self, idle: Duration) {
        if let Source::Remote { incoming, .. } = &mut self.source {
            incoming.pauses(idle);
        }
    }

    /// Waits for the first event. What came together with what breaks is nobody's, and was used all the same.
    pub(crate) async fn begin(&mut self, attempt: &mut Attempt) -> Result<(), GatewayFault> {
        let mut head = std::mem::take(&mut self.head);
        while head.iter().all(|event| matches!(event, Event::Ping)) && !self.over {
            head.clear();
            if let Err(fault) = self.more(&mut head).await {
                head.iter().for_each(|event| listen(attempt, event));
                return Err(fault);
            }
        }
        self.head = head;
        Ok(())
    }

    /// Appends what comes next, or notes that nothing will. Events before a fault are appended too.
    pub(crate) async fn more(&mut self, events: &mut Vec<Event>) -> Result<(), GatewayFault> {
        let read = self.source.next(events).await;
        for event in events {
            if let Event::Began { id, .. } = event
                && id.is_empty()
            {
                id.clone_from(&self.id);
            }
        }
        self.over = !read?;
        Ok(())
    }

    pub(crate) fn stream(mut self, mut handed: Handed) -> BoxStream<'static, Result<Event, GatewayFault>> {
        stream! {
            let mut events: Vec<Event> = std::mem::take(&mut self.head);
            let mut broken = None;
            loop {
                for event in events.drain(..) {
                    heard(&mut handed, &event);
                    yield Ok(event);
                }
                if handed.closed || self.over || broken.is_some() {
                    break;
                }
                // Events that came before a fault are the client's.
                broken = self.more(&mut events).await.err();
            }
            if handed.closed {
                if !self.over {
                    let _ = timeout(LAST_WORD, self.source.rest()).await;
                }
                return;
            }
            let fault = broken.unwrap_or_else(|| handed.attempt.unfinished());
            handed.fails(&fault);
            yield Err(fault);
        }
        .boxed()
    }
}

fn heard(handed: &mut Handed, event: &Event) {
    listen(&mut handed.attempt, event);
    if let Some(keeper) = handed.keeper.as_mut().filter(|_| !handed.closed && !matches!(event, Event::Ping)) {
        keeper.event(event);
    }
    if matches!(event, Event::Ended) {
        handed.completes();
    }
}

/// What an event says of usage and of text.
pub(crate) fn listen(attempt: &mut Attempt, event: &Event) {
    match event {
        Event::Began { .. } => attempt.hears(),
        Event::Usage(usage) => attempt.saw(usage),
        Event::Text { text, .. } | Event::Refusal { text, .. } | Event::Reasoning { text, .. } => {
            attempt.wrote(reckon::eighths(text));
        }
        Event::Arguments { fragment, .. } => attempt.wrote(reckon::eighths(fragment)),
        _ => {}
    }
}
