//! A part of a limit that several processes keep together.

use std::time::Duration;

use super::{ASK_AGAIN, BLOCK, IDLE, Verdict, Wait, block, cells, rate};
use crate::{ledger::limit::Metric, limits::Bucket};

/// A part of a limit, fetched from the catalog, where the whole is kept. What is free here is taken there.
#[derive(Debug, Default)]
pub(crate) struct Share {
    pub(super) free: i128,
    pub(super) held: i128,
    wanted: Option<Wish>,
    refused: Option<Refused>,
    away_until: Option<i64>,
    used_at: i64,
    /// What was left in the catalog when it was last asked, and when it said the limit would be full again.
    pub(super) elsewhere: i128,
    pub(super) full_at: i64,
    /// Stands in for the catalog while that does not answer, for limits that are not about money.
    stand_in: Bucket,
}

/// The catalog had no more. It is asked again after `until`; what it said held at `since`.
#[derive(Debug, Clone, Copy)]
struct Refused {
    since: i64,
    until: i64,
    wait: Wait,
}

/// More of a limit, please.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish {
    /// With less there is nothing to be done.
    pub(crate) least: i128,
    pub(crate) most: i128,
}

/// What the catalog said to a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    Granted { amount: i128, left: i128, full_at: i64 },
    Refused { wait: Wait, left: i128 },
}

impl Share {
    pub(super) fn check(&mut self, amount: i128, need: i128, now: i64) -> Verdict {
        if self.free >= need {
            return Verdict::Room;
        }
        if self.away_until.is_some_and(|until| now < until) {
            return Verdict::Away;
        }
        match self.refused {
            Some(refused) if now < refused.until => Verdict::Full(refused.wait_from(now)),
            _ => {
                self.want(need - self.free, amount);
                Verdict::Fetching
            }
        }
    }

    fn want(&mut self, least: i128, amount: i128) {
        let most = (amount / BLOCK).max(least).max(1);
        let before = self.wanted.map_or(0, |wish| wish.least);
        self.wanted = Some(Wish { least: least.max(before), most: most.max(before) });
    }

    pub(super) fn take(&mut self, amount: i128, need: i128, now: i64) {
        self.free -= need;
        self.held += need;
        self.used_at = now;
        // The next block is fetched while there is some of this one, so that calls seldom wait for it.
        if self.free < amount / BLOCK / 2 && self.refused.is_none_or(|refused| refused.until <= now) {
            self.want(1, amount);
        }
    }

    /// A call is under way for which so much was fetched.
    pub(crate) fn hold(&mut self, reserved: i128, now: i64) {
        self.held += reserved;
        self.used_at = now;
    }

    pub(super) fn settle(&mut self, (reserved, used): (i128, i128), now: i64) {
        self.held -= reserved;
        self.free += reserved - used;
        self.used_at = now;
    }

    /// Hands out the wish, once.
    pub(crate) fn wish(&mut self) -> Option<Wish> {
        self.wanted.take()
    }

    pub(crate) const fn is_wishing(&self) -> bool {
        self.wanted.is_some()
    }

    pub(crate) fn reply(&mut self, reply: Reply, now: i64) {
        self.away_until = None;
        match reply {
            Reply::Granted { amount, left, full_at } => {
                self.free += amount;
                self.used_at = now;
                (self.elsewhere, self.full_at, self.refused) = (left, full_at, None);
            }
            Reply::Refused { wait, left } => {
                self.elsewhere = left;
                self.refused = Some(Refused::at(now, wait));
            }
        }
    }

    /// The catalog did not answer. A limit on money stays closed; others are kept by this process alone meanwhile.
    pub(crate) fn away(&mut self, metric: Metric, amount: i128, wish: Wish, now: i64) {
        let granted = match metric {
            Metric::UsdPerDay | Metric::UsdPerMonth => 0,
            Metric::Concurrent => (amount - self.held - self.free).clamp(0, wish.least),
            Metric::RequestsPerMinute | Metric::TokensPerMinute => {
                match self.stand_in.check(rate(amount), cells(wish.least), now) {
                    Ok(()) => {
                        self.stand_in.take(rate(amount), cells(wish.least), now);
                        wish.least
                    }
                    Err(wait) => {
                        self.refused = Some(Refused::at(now, Wait::Exactly(wait)));
                        0
                    }
                }
            }
        };
        self.free += granted;
        match metric.span() {
            Some(_) => self.away_until = Some(now.saturating_add(ASK_AGAIN * 4)),
            None if granted == 0 && self.refused.is_none() => self.refused = Some(Refused::at(now, Wait::Soon)),
            None => {}
        }
    }

    /// What goes back: all that nobody has used for a while, all there is when the limit has changed, and otherwise what
    /// is more than two blocks.
    pub(crate) fn surplus(&mut self, amount: i128, all: bool, now: i64) -> i128 {
        if all {
            self.wanted = None;
        }
        let kept = if all || self.is_unused(now) { 0 } else { block(amount) };
        if self.wanted.is_some() || self.free <= kept * 2 {
            return 0;
        }
        std::mem::replace(&mut self.free, kept) - kept
    }

    /// What was used beyond what was fetched, as less than nothing: the catalog is told, and then it is settled.
    pub(crate) fn debt(&mut self) -> i128 {
        if self.free < 0 { std::mem::take(&mut self.free) } else { 0 }
    }

    /// Takes back what could not be given back, or what turned out to be paid already; or lets go of what is another's.
    pub(crate) fn add(&mut self, amount: i128) {
        self.free += amount;
    }

    pub(super) fn is_unused(&self, now: i64) -> bool {
        now.saturating_sub(self.used_at) >= i64::try_from(IDLE.as_nanos()).unwrap_or(i64::MAX)
    }

    pub(super) fn move_back(&mut self, nanos: i64) {
        let back = |at: &mut i64| *at = at.saturating_sub(nanos);
        back(&mut self.used_at);
        back(&mut self.full_at);
        if let Some(refused) = &mut self.refused {
            back(&mut refused.since);
            back(&mut refused.until);
        }
        self.away_until = self.away_until.map(|until| until.saturating_sub(nanos));
        self.stand_in.move_back(nanos);
    }
}

impl Refused {
    fn at(now: i64, wait: Wait) -> Self {
        let ask_again = match wait {
            Wait::Exactly(wait) => i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX).min(ASK_AGAIN),
            Wait::Soon | Wait::NextWindow => ASK_AGAIN,
        };
        Self { since: now, until: now.saturating_add(ask_again), wait }
    }

    fn wait_from(self, now: i64) -> Wait {
        match self.wait {
            Wait::Exactly(wait) => {
                let gone = Duration::from_nanos(now.saturating_sub(self.since).max(0).unsigned_abs());
                Wait::Exactly(wait.saturating_sub(gone))
            }
            other => other,
        }
    }
}
