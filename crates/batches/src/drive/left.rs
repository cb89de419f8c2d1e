//! Lines that another process may still be asking: it had the batch and was cut off from the catalog.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;

use super::{Drive, Due};
use crate::{
    fault::BatchFault,
    files::Source,
    lines::Asked,
    rest::{Begun, Held, Later, Position, Rest},
    run::{Hands, LEASE},
    trip::Step,
};

/// So many lines are written down at once as about to be asked.
const AT_ONCE: u64 = 64;

/// What is left alone for now.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) upto: u64,
    pub(super) due: Due,
    /// The first line that was passed over for it.
    pub(super) from: Option<Position>,
}

/// The same once its time is over.
#[derive(Debug)]
pub(super) struct Behind {
    source: Source,
    upto: u64,
}

impl Left {
    /// By what the catalog says of whoever had the batch before.
    pub(super) fn by(hands: &Hands, begun: Option<&Begun>) -> Option<Self> {
        let now = hands.batches.now();
        // Who has lost the lease begins no further line before long, and none of its calls takes longer.
        let grace = hands.batches.config().longest + LEASE;
        let held = begun?.held_for(&hands.me, now, grace)?;
        let due = Due { here: Instant::now() + held.until.since(now), at: held.until };
        Some(Self { upto: held.upto, due, from: None })
    }
}

impl Drive<'_> {
    /// Tells the process that had the batch before that it is no longer theirs.
    pub(super) async fn take_over(&mut self) -> Result<(), BatchFault> {
        let theirs = self.mark.as_ref().filter(|mark| *mark.by != *self.hands.me).map(|mark| mark.upto);
        match theirs {
            Some(upto) => self.announce(upto).await.map(drop),
            None => Ok(()),
        }
    }

    /// Whether a line may be asked: it is written down first that it is. `false` where the batch was cancelled.
    pub(super) async fn may_ask(&mut self, number: u64) -> Result<bool, BatchFault> {
        let ours = self.mark.as_ref().filter(|mark| *mark.by == *self.hands.me);
        if ours.is_some_and(|mark| number <= mark.upto) {
            return Ok(true);
        }
        self.announce(number + AT_ONCE - 1).await
    }

    fn announce(&mut self, upto: u64) -> BoxFuture<'_, Result<bool, BatchFault>> {
        Box::pin(async move {
            let rest = Rest { begun: Some(self.begun(upto)), ..self.found.clone() };
            let known = (self.mark.as_ref(), &*self.hands.me);
            let may = self.hands.batches.write_rest(Step::Announce, self.batch.id, known, &rest).await?;
            if may {
                self.mark = rest.begun;
            }
            Ok(may)
        })
    }

    fn begun(&self, upto: u64) -> Begun {
        let held = self.left.as_ref().map(|left| Held { upto: left.upto, until: left.due.at });
        Begun { by: self.hands.me.to_string(), upto, held }
    }

    /// Where it goes on, when nothing of it is under way here. Answers whether it may rest.
    pub(super) async fn write_rest(&self) -> Result<bool, BatchFault> {
        let later = |(due, asked): &(Due, Asked)| Later { at: asked.at, tries: asked.tries, due: due.at };
        let begun = self.left.is_some().then(|| self.begun(0));
        let why = if self.again.is_empty() { String::new() } else { self.why.clone() };
        let rest = Rest { at: self.position(), again: self.again.iter().map(later).collect(), why, begun };
        let known = (self.mark.as_ref(), &*self.hands.me);
        self.hands.batches.write_rest(Step::Rest, self.batch.id, known, &rest).await
    }

    /// No line before this one lacks a result, but for those that are asked again.
    fn position(&self) -> Position {
        let behind = self.behind.as_ref().map(|behind| behind.source.position());
        let left = self.left.as_ref().and_then(|left| left.from);
        behind.or(left).unwrap_or_else(|| self.source.position())
    }

    /// Whether the batch is still this process's, by what was just read of it.
    pub(super) fn is_ours(&self) -> bool {
        let found = self.batch.rest.as_ref().and_then(|rest| rest.begun.as_ref());
        found == self.mark.as_ref() || found.is_some_and(|found| *found.by == *self.hands.me)
    }

    /// Every line was asked, or has a result.
    pub(super) fn is_all_asked(&self) -> bool {
        let none_left = self.left.as_ref().is_none_or(|left| left.from.is_none());
        self.exhausted && self.again.is_empty() && self.behind.is_none() && none_left
    }

    /// When there is something to do again, and why not before.
    pub(super) fn next_due(&self) -> Option<(Due, &str)> {
        let again = self.again.iter().map(|(due, _)| *due).min();
        let left = self.left.as_ref().filter(|left| left.from.is_some()).map(|left| left.due);
        match left.filter(|left| again.is_none_or(|again| *left < again)) {
            Some(left) => Some((left, "another process may still be asking its other lines")),
            None => again.map(|again| (again, self.why.as_str())),
        }
    }

    /// Whether the time of lines that were left alone is over.
    pub(super) fn may_go_back(&self) -> bool {
        self.left.as_ref().is_some_and(|left| left.due.here <= Instant::now())
    }

    /// Lines that were left alone and still have no result are asked.
    pub(super) fn go_back(&mut self) -> BoxFuture<'_, Result<(), BatchFault>> {
        Box::pin(async move {
            let Some(left) = &self.left else { return Ok(()) };
            let (upto, from) = (left.upto, left.from);
            let numbers = self.again.iter().map(|(_, asked)| asked.number).chain(from.map(|from| from.line));
            if let Some(first) = numbers.min() {
                let answered = self.hands.batches.answered(self.batch.id, first).await?;
                self.again.retain(|(_, asked)| !answered.contains(&asked.number));
                self.done.extend(answered);
            }
            if let Some(from) = from {
                let source = self.hands.batches.source(self.batch.input, from).await?;
                self.behind = Some(Behind { source, upto });
            }
            self.left = None;
            Ok(())
        })
    }

    /// The next of those lines.
    pub(super) async fn next_behind(&mut self) -> Result<Option<Asked>, BatchFault> {
        while let Some(Behind { source, upto }) = &mut self.behind {
            let (at, upto) = (source.position(), *upto);
            match source.next().await? {
                Some(cut) if cut.number() <= upto => {
                    if let Some(asked) = self.without_result(at, cut) {
                        return Ok(Some(asked));
                    }
                }
                _ => self.behind = None,
            }
        }
        Ok(None)
    }

    /// A line that another process may be asking is not asked before that can be over.
    pub(super) fn due_at_the_earliest(&self, number: u64, due: Due) -> Due {
        let left = self.left.as_ref().filter(|left| number <= left.upto);
        left.map_or(due, |left| due.max(left.due))
    }

    /// A line that could not be asked is asked as soon as may be.
    pub(super) fn put_back(&mut self, asked: Asked) {
        self.ask_later(self.due_in(Duration::ZERO), asked);
    }
}
