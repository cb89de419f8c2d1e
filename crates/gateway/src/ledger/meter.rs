//! What is left of one limit for one subject, in memory. Pure: what time it is, is handed in.

mod share;

use std::time::Duration;

pub(crate) use share::{Reply, Share, Wish};

use super::limit::Metric;
use crate::limits::{Bucket, Rate};

/// Another process may hold what is missing, and gives back what it does not use within this time.
pub(crate) const IDLE: Duration = Duration::from_secs(2);
/// How much of a limit a process fetches at once.
const BLOCK: i128 = 50;
/// A refusal by the catalog is not asked for again sooner.
const ASK_AGAIN: i64 = 250_000_000;

/// Amounts are requests, tokens, calls, or units of money.
#[derive(Debug)]
pub(crate) enum Meter {
    Rate(Bucket),
    Slots {
        under_way: i128,
    },
    Money {
        spent: i128,
        held: i128,
    },
    /// A part of a limit that several processes keep together.
    Share(Box<Share>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Room,
    Full(Wait),
    /// Nobody knows yet: more of the limit is being fetched.
    Fetching,
    /// Nobody can know: the catalog does not answer.
    Away,
}

/// How long until there is room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    Exactly(Duration),
    /// Calls under way, or other processes, hold what is missing.
    Soon,
    /// Until the budget begins anew.
    NextWindow,
}

/// What clients are told of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    pub(crate) left: i128,
    /// When it is full again.
    pub(crate) reset: Duration,
}

impl Meter {
    pub(crate) fn new(metric: Metric, shared: bool) -> Self {
        match metric {
            _ if shared => Self::Share(Box::default()),
            Metric::RequestsPerMinute | Metric::TokensPerMinute => Self::Rate(Bucket::default()),
            Metric::Concurrent => Self::Slots { under_way: 0 },
            Metric::UsdPerDay | Metric::UsdPerMonth => Self::Money { spent: 0, held: 0 },
        }
    }

    pub(crate) fn check(&mut self, amount: i128, need: i128, now: i64) -> Verdict {
        match self {
            Self::Rate(bucket) => match bucket.check(rate(amount), cells(need), now) {
                Ok(()) => Verdict::Room,
                Err(wait) => Verdict::Full(Wait::Exactly(wait)),
            },
            Self::Slots { under_way } if *under_way + need <= amount => Verdict::Room,
            Self::Slots { .. } => Verdict::Full(Wait::Soon),
            Self::Money { spent, held } if *spent + *held + need <= amount => Verdict::Room,
            Self::Money { spent, .. } if *spent + need <= amount => Verdict::Full(Wait::Soon),
            Self::Money { .. } => Verdict::Full(Wait::NextWindow),
            Self::Share(share) => share.check(amount, need, now),
        }
    }

    /// Sets aside what `check` found room for.
    pub(crate) fn take(&mut self, amount: i128, need: i128, now: i64) {
        match self {
            Self::Rate(bucket) => bucket.take(rate(amount), cells(need), now),
            Self::Slots { under_way } => *under_way += need,
            Self::Money { held, .. } => *held += need,
            Self::Share(share) => share.take(amount, need, now),
        }
    }

    /// Ends a call: what was set aside for it comes back, what it used is gone.
    pub(crate) fn settle(&mut self, amount: i128, (reserved, used): (i128, i128), now: i64) {
        match self {
            Self::Rate(bucket) => {
                bucket.give(rate(amount), cells(reserved));
                bucket.take(rate(amount), cells(used), now);
            }
            Self::Slots { under_way } => *under_way -= reserved,
            Self::Money { spent, held } => {
                *held -= reserved;
                *spent += used;
            }
            Self::Share(share) => share.settle((reserved, used), now),
        }
    }

    pub(crate) fn quota(&self, amount: i128, now: i64) -> Quota {
        match self {
            Self::Rate(bucket) => Quota { left: bucket.left(rate(amount), now).into(), reset: bucket.full_in(now) },
            Self::Slots { under_way } => Quota { left: (amount - under_way).max(0), reset: Duration::ZERO },
            Self::Money { spent, held } => Quota { left: (amount - spent - held).max(0), reset: Duration::ZERO },
            Self::Share(share) => Quota {
                left: (share.elsewhere + share.free).clamp(0, amount.max(0)),
                reset: Duration::from_nanos(share.full_at.saturating_sub(now).max(0).unsigned_abs()),
            },
        }
    }

    /// Of a budget: spent and set aside, as far as this process knows.
    pub(crate) fn taken(&self, amount: i128) -> i128 {
        match self {
            Self::Money { spent, held } => spent + held,
            Self::Share(share) => (amount - share.elsewhere - share.free).max(0),
            Self::Rate(_) | Self::Slots { .. } => 0,
        }
    }

    /// A new meter would say the same.
    pub(crate) fn is_idle(&self, now: i64) -> bool {
        match self {
            Self::Rate(bucket) => bucket.is_full(now),
            Self::Slots { under_way } => *under_way == 0,
            // Kept for as long as its window lasts.
            Self::Money { .. } => false,
            Self::Share(share) => share.free == 0 && share.held == 0 && !share.is_wishing() && share.is_unused(now),
        }
    }

    /// No call under way is left that began in its window.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Money { held, .. } => *held == 0,
            Self::Share(share) => share.held == 0 && share.free == 0,
            Self::Rate(_) | Self::Slots { .. } => true,
        }
    }

    pub(crate) fn move_back(&mut self, nanos: i64) {
        match self {
            Self::Rate(bucket) => bucket.move_back(nanos),
            Self::Share(share) => share.move_back(nanos),
            Self::Slots { .. } | Self::Money { .. } => {}
        }
    }
}

/// How much of a limit a process may hold without using it.
pub(crate) fn block(amount: i128) -> i128 {
    (amount / BLOCK).max(1)
}

fn rate(amount: i128) -> Rate {
    Rate(cells(amount))
}

fn cells(amount: i128) -> u64 {
    u64::try_from(amount.max(0)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
