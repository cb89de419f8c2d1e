//! Which lines are asked next, and what becomes of their answers.

use std::time::Duration;

use futures::future::BoxFuture;
use mainspring_kernel::text;
use serde_json::Value;
use tokio::time::Instant;

use super::{BUSY_TRIES, COMMIT_AT, COMMIT_BYTES, Drive, Due, TOLD_MAX, WAIT_LONGEST};
use crate::{
    fault::BatchFault,
    lines::{self, Asked, Cut},
    model::Waiting,
    rest::{Later, Position},
    results::Answered,
    seam::{Again, LineReply},
};

impl Drive<'_> {
    /// A line that had to be asked again when the batch went to rest.
    pub(super) async fn take_up(&mut self, Later { at, tries, due }: Later) -> Result<(), BatchFault> {
        let mut source = self.hands.batches.source(self.batch.input, at).await?;
        let Some(cut) = source.next().await? else { return Ok(()) };
        if !self.done.contains(&cut.number())
            && let Cut::Line { number, text } = cut
            && let Ok(asked) = lines::read(number, &text, self.batch.endpoint)
        {
            let due = Due { here: Instant::now() + due.since(self.hands.batches.now()), at: due };
            let due = self.due_at_the_earliest(number, due);
            self.done.insert(number);
            self.again.push_back((due, Asked { at, tries, ..asked }));
        }
        Ok(())
    }

    pub(super) fn has_room(&self) -> bool {
        let open = &self.open;
        let may_hold_more = open.answered.len() < COMMIT_AT && open.bytes() < COMMIT_BYTES;
        may_hold_more && open.under_way.len() < self.hands.batches.config().concurrency
    }

    /// Begins lines while there is room.
    pub(super) fn fill(&mut self) -> BoxFuture<'_, Result<(), BatchFault>> {
        Box::pin(async move {
            let Some(actor) = self.actor.clone().filter(|_| self.halt.is_none()) else { return Ok(()) };
            if self.paused.is_some_and(|until| Instant::now() < until.here) {
                return Ok(());
            }
            self.paused = None;
            while self.has_room() {
                let Some(asked) = self.next_line(Some(Instant::now())).await? else { break };
                match self.may_ask(asked.number).await {
                    Ok(true) => {
                        let of = (self.batch.id, self.batch.endpoint);
                        self.hands.ask(self.open, (self.batch.project, of), actor.clone(), asked);
                    }
                    refused => {
                        self.put_back(asked);
                        self.next_look = Instant::now();
                        return refused.map(drop);
                    }
                }
            }
            Ok(())
        })
    }

    /// A line without a result: one that has to be asked again and is due, else the next of the file.
    fn next_line(&mut self, now: Option<Instant>) -> BoxFuture<'_, Result<Option<Asked>, BatchFault>> {
        Box::pin(async move {
            let due = self.again.iter().position(|(due, _)| now.is_none_or(|now| due.here <= now));
            if let Some((_, asked)) = due.and_then(|at| self.again.remove(at)) {
                return Ok(Some(asked));
            }
            // Neither memory nor a busy provider gets more lines while so many of them have to be asked again.
            if now.is_some() && self.again.len() >= self.hands.batches.config().concurrency {
                return Ok(None);
            }
            match self.next_behind().await? {
                Some(asked) => Ok(Some(asked)),
                None => self.next_of_file().await,
            }
        })
    }

    async fn next_of_file(&mut self) -> Result<Option<Asked>, BatchFault> {
        while !self.exhausted {
            let at = self.source.position();
            let Some(cut) = self.source.next().await? else {
                self.exhausted = true;
                break;
            };
            let number = cut.number();
            let Some(asked) = self.without_result(at, cut) else { continue };
            match self.left.as_mut().filter(|left| number <= left.upto) {
                Some(left) => {
                    left.from.get_or_insert(at);
                }
                None => return Ok(Some(asked)),
            }
        }
        Ok(None)
    }

    /// A line of the file, if it can be asked and was not.
    pub(super) fn without_result(&self, at: Position, cut: Cut) -> Option<Asked> {
        if self.done.contains(&cut.number()) {
            return None;
        }
        // The file was looked at before, and files do not change.
        let Cut::Line { number, text } = cut else { return None };
        let asked = lines::read(number, &text, self.batch.endpoint).ok()?;
        Some(Asked { at, ..asked })
    }

    pub(super) fn due_in(&self, wait: Duration) -> Due {
        let wait = wait.min(WAIT_LONGEST);
        Due { here: Instant::now() + wait, at: self.hands.batches.now().plus(wait) }
    }

    pub(super) fn take(&mut self, mut asked: Asked, reply: Option<&LineReply>) {
        let Some(reply) = reply else {
            self.put_back(asked);
            return;
        };
        match reply.again {
            Some(Again::Limit(wait)) => {
                let until = self.due_in(wait);
                self.why = told(&reply.body);
                if self.paused.is_none() {
                    self.waiting = Some(Waiting { until: until.at, why: self.why.clone() });
                }
                self.paused = self.paused.max(Some(until));
                self.ask_later(until, asked);
            }
            Some(Again::Busy(wait)) if asked.tries < BUSY_TRIES => {
                let usual = self.hands.batches.config().busy * 2_u32.pow(asked.tries);
                asked.tries += 1;
                self.why = told(&reply.body);
                self.ask_later(self.due_in(usual.max(wait.unwrap_or_default())), asked);
            }
            _ => {
                self.open.answer(Answered::of(self.batch.id, &asked, reply));
                self.oldest.get_or_insert_with(Instant::now);
            }
        }
    }

    pub(super) fn ask_later(&mut self, due: Due, asked: Asked) {
        self.open.lines.remove(&asked.number);
        self.again.push_back((due, asked));
    }

    /// Every line that was not asked in time says so.
    pub(super) async fn say_what_expired(&mut self) -> Result<(), BatchFault> {
        const WHY: (&str, &str) = ("batch_expired", "the completion window closed before this line was asked");
        loop {
            if self.open.answered.len() >= COMMIT_AT {
                self.commit().await?;
            }
            let Some(asked) = self.next_line(None).await? else { return Ok(()) };
            self.open.answer(Answered::not_asked(self.batch.id, (asked.number, &asked.custom_id), WHY));
        }
    }
}

/// What a refusal says, for people.
fn told(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    text::elide(body["error"]["message"].as_str().unwrap_or("a limit has no room"), TOLD_MAX)
}
