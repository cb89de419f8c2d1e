//! A body that is written step by step.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use super::{
    record::Ticket,
    script::{Behaviour, Trouble, When},
    wire::Control,
};

/// What was written before a connection is broken should have left the machine.
const SETTLE: Duration = Duration::from_millis(30);

/// Between two bytes that trickle in.
const TRICKLE: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Piece(Bytes),
    Wait(Duration),
    Hang,
    Reset,
    Close,
    /// The same piece again and again.
    Endless(Bytes),
    /// A byte now and then, for ever.
    Trickle,
}

/// What to write, with the waits between and the trouble that was asked for.
pub(super) fn plan(pieces: Vec<Bytes>, behaviour: &Behaviour, garbage: Bytes, error: Bytes) -> VecDeque<Step> {
    let mut steps = VecDeque::with_capacity(pieces.len() * 2 + 2);
    let (at, trouble): (usize, Option<Vec<Step>>) = match behaviour.trouble {
        Some(Trouble::Hang(When::After(at))) => (at, Some(vec![Step::Hang])),
        Some(Trouble::Reset(When::After(at))) => (at, Some(vec![Step::Wait(SETTLE), Step::Reset])),
        Some(Trouble::Close(When::After(at))) => (at, Some(vec![Step::Wait(SETTLE), Step::Close])),
        Some(Trouble::End(at)) => (at, Some(Vec::new())),
        Some(Trouble::Trickle(at)) => (at, Some(vec![Step::Trickle])),
        Some(Trouble::Malformed(at)) => (at, Some(vec![Step::Piece(garbage)])),
        Some(Trouble::Error(at)) => (at, Some(vec![Step::Piece(error)])),
        Some(Trouble::EndlessLine) => (1, Some(vec![Step::Endless(vec![b'x'; 64 * 1024].into())])),
        _ => (usize::MAX, None),
    };
    let mut waits = behaviour.first;
    while let Some(every) = behaviour.comments.filter(|every| !every.is_zero() && *every < waits) {
        steps.extend([Step::Wait(every), Step::Piece(Bytes::from_static(b": keep-alive\n\n"))]);
        waits -= every;
    }
    if !waits.is_zero() {
        steps.push_back(Step::Wait(waits));
    }
    for (number, piece) in pieces.into_iter().take(at).enumerate() {
        if number > 0 && !behaviour.gap.is_zero() {
            steps.push_back(Step::Wait(behaviour.gap));
        }
        steps.push_back(Step::Piece(piece));
    }
    steps.extend(trouble.into_iter().flatten());
    steps
}

#[derive(Debug)]
pub(super) struct Paced {
    steps: VecDeque<Step>,
    waiting: Option<Pin<Box<Sleep>>>,
    /// What `content-length` says; absent: chunks.
    declared: Option<u64>,
    control: Arc<Control>,
    ticket: Ticket,
}

impl Paced {
    pub(super) fn new(steps: VecDeque<Step>, declared: Option<u64>, control: Arc<Control>, mut ticket: Ticket) -> Self {
        if steps.is_empty() {
            ticket.answered();
        }
        Self { steps, waiting: None, declared, control, ticket }
    }

    fn broken(&mut self) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.ticket.broken_off();
        Poll::Ready(Some(Err(io::Error::other("the script says so"))))
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                ready!(waiting.as_mut().poll(context));
                self.waiting = None;
            }
            match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Piece(piece)) => {
                    // The server may drop a body of known length once it has all of it.
                    if self.steps.is_empty() {
                        self.ticket.answered();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                Some(Step::Wait(time)) => self.waiting = Some(Box::pin(tokio::time::sleep(time))),
                Some(Step::Hang) => {
                    self.steps.push_front(Step::Hang);
                    // Nothing wakes it: it ends when the client goes.
                    return Poll::Pending;
                }
                Some(Step::Reset) => {
                    self.control.reset();
                    return self.broken();
                }
                Some(Step::Close) => return self.broken(),
                Some(Step::Trickle) => {
                    self.steps.extend([Step::Wait(TRICKLE), Step::Trickle]);
                    // In a stream of events: more of a comment.
                    return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b":")))));
                }
                Some(Step::Endless(piece)) => {
                    self.steps.push_front(Step::Endless(piece.clone()));
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.declared.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
