//! Every meter of this process, by limit and subject.

use std::collections::HashMap;

use mainspring_kernel::{Timestamp, id::ProjectId};

use super::{
    book::{Book, Holds},
    limit::{Limit, Metric, SubjectKind},
    meter::{Meter, Quota, Reply, Verdict, Wish},
};

/// A clock may be set back this far before anybody minds: it is what several readings of it differ by.
const JITTER: i64 = 1_000_000_000;
/// Meters that say nothing are looked for when there are this many more than last time.
const SWEEP_AFTER: usize = 1_024;

/// Which meter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct MeterKey {
    pub(crate) project: ProjectId,
    pub(crate) kind: SubjectKind,
    pub(crate) subject: String,
    pub(crate) metric: Metric,
    /// When a budget's window began; zero for other limits.
    pub(crate) starts: Timestamp,
}

impl MeterKey {
    pub(crate) fn of(holds: &Holds<'_>, at: Timestamp) -> Self {
        let Limit { project, kind, metric, .. } = *holds.limit;
        let starts = metric.span().map(|span| span.start(at)).unwrap_or_default();
        Self { project, kind, subject: holds.subject.to_owned(), metric, starts }
    }

    /// How a refusal names the subject.
    pub(crate) fn whom(&self) -> String {
        match self.kind {
            SubjectKind::Project => "the project".to_owned(),
            SubjectKind::User if self.subject.is_empty() => "a user without a name".to_owned(),
            SubjectKind::Key if self.subject.is_empty() => "whoever needs no key".to_owned(),
            kind => format!("{} `{}`", kind.as_str(), self.subject),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Meters {
    /// Several processes keep the limits together, so that this one has shares of them.
    shared: bool,
    meters: HashMap<MeterKey, Meter>,
    last: i64,
    swept_at: usize,
}

impl Meters {
    pub(crate) fn new(shared: bool) -> Self {
        Self { shared, meters: HashMap::new(), last: 0, swept_at: 0 }
    }

    pub(crate) const fn shared(&self) -> bool {
        self.shared
    }

    /// The moment on the meters' clock. When the clock was set back, what is to come stays as far away as it was.
    pub(crate) fn now(&mut self, clock: Timestamp) -> i64 {
        let now = clock.as_nanos();
        if now < self.last - JITTER {
            let back = self.last - now;
            self.meters.values_mut().for_each(|meter| meter.move_back(back));
            self.last = now;
        }
        self.last = self.last.max(now);
        now
    }

    pub(crate) fn check(&mut self, key: &MeterKey, (amount, need): (i128, i128), now: i64) -> Verdict {
        // A meter that is not there is a new one; it is made when something is taken from it or asked for.
        match self.meters.get_mut(key) {
            Some(meter) => meter.check(amount, need, now),
            None => {
                let mut meter = Meter::new(key.metric, self.shared);
                let verdict = meter.check(amount, need, now);
                if verdict == Verdict::Fetching {
                    self.meters.insert(key.clone(), meter);
                }
                verdict
            }
        }
    }

    pub(crate) fn take(&mut self, key: &MeterKey, (amount, need): (i128, i128), now: i64) {
        self.entry(key).take(amount, need, now);
        if self.meters.len() > self.swept_at + SWEEP_AFTER {
            self.sweep(now);
        }
    }

    pub(crate) fn settle(&mut self, key: &MeterKey, amount: i128, (reserved, used): (i128, i128), now: i64) {
        self.entry(key).settle(amount, (reserved, used), now);
    }

    /// Sets aside for a call that is under way already. Of a shared limit that has been fetched for it.
    pub(crate) fn hold(&mut self, key: &MeterKey, (amount, reserved): (i128, i128), now: i64) {
        match self.entry(key) {
            Meter::Share(share) => share.hold(reserved, now),
            meter => meter.take(amount, reserved, now),
        }
    }

    fn entry(&mut self, key: &MeterKey) -> &mut Meter {
        let shared = self.shared;
        self.meters.entry(key.clone()).or_insert_with(|| Meter::new(key.metric, shared))
    }

    pub(crate) fn quota(&self, key: &MeterKey, amount: i128, now: i64) -> Quota {
        let fresh = || Meter::new(key.metric, self.shared).quota(amount, now);
        self.meters.get(key).map_or_else(fresh, |meter| meter.quota(amount, now))
    }

    pub(crate) fn taken(&self, key: &MeterKey, amount: i128) -> i128 {
        self.meters.get(key).map_or(0, |meter| meter.taken(amount))
    }

    /// What a budget of this process alone has spent, when that has been read.
    pub(crate) fn spent(&mut self, key: &MeterKey, spent: i128) {
        if let Meter::Money { spent: now, .. } = self.entry(key) {
            *now = spent;
        }
    }

    /// Forgets what every budget has spent, since it is about to be read again. What is set aside stays.
    pub(crate) fn forget_spent(&mut self) {
        for meter in self.meters.values_mut() {
            if let Meter::Money { spent, .. } = meter {
                *spent = 0;
            }
        }
    }

    /// What the shares wish for.
    pub(crate) fn wishes(&mut self, book: &Book) -> Vec<(MeterKey, i128, Wish)> {
        let mut wishes = Vec::new();
        for (key, meter) in &mut self.meters {
            if let Meter::Share(share) = meter
                && let Some(wish) = share.wish()
                && let Some(limit) = book.find(key.project, (key.kind, key.metric), &key.subject)
            {
                wishes.push((key.clone(), limit.amount.units().into(), wish));
            }
        }
        wishes
    }

    /// Whether a share has a wish that was not handed out yet.
    pub(crate) fn is_wishing(&self, key: &MeterKey) -> bool {
        matches!(self.meters.get(key), Some(Meter::Share(share)) if share.is_wishing())
    }

    pub(crate) fn reply(&mut self, key: &MeterKey, reply: Reply, now: i64) {
        if let Some(Meter::Share(share)) = self.meters.get_mut(key) {
            share.reply(reply, now);
        }
    }

    pub(crate) fn away(&mut self, key: &MeterKey, (amount, wish): (i128, Wish), now: i64) {
        if let Some(Meter::Share(share)) = self.meters.get_mut(key) {
            share.away(key.metric, amount, wish, now);
        }
    }

    /// What goes back to the catalog, and what it is owed, as less than nothing. Limits that are gone, or whose amounts
    /// `changed`, give everything back.
    pub(crate) fn surplus(&mut self, book: &Book, changed: bool, now: i64) -> Vec<(MeterKey, i128, i128)> {
        let mut surplus = Vec::new();
        for (key, meter) in &mut self.meters {
            let Meter::Share(share) = meter else { continue };
            let limit = book.find(key.project, (key.kind, key.metric), &key.subject);
            let amount: i128 = limit.map_or(0, |limit| limit.amount.units().into());
            // What a budget owes is settled where its calls are written.
            let debt = if key.metric.span().is_none() { share.debt() } else { 0 };
            let extra = if debt < 0 { debt } else { share.surplus(amount, changed || limit.is_none(), now) };
            if extra != 0 {
                surplus.push((key.clone(), amount, extra));
            }
        }
        surplus
    }

    /// Gives a share more than it asked for: what could not be given back, or was paid twice. Less than nothing is taken from
    /// it, since another has it now.
    pub(crate) fn add(&mut self, key: &MeterKey, amount: i128) {
        if let Some(Meter::Share(share)) = self.meters.get_mut(key) {
            share.add(amount);
        }
    }

    /// Removes meters that say what new ones would say, and those of windows that are long over.
    pub(crate) fn sweep(&mut self, now: i64) {
        const LONG_OVER: i64 = 3_600_000_000;
        let micros = now / 1_000;
        self.meters.retain(|key, meter| {
            let over = key.metric.span().is_some_and(|span| span.end(key.starts).as_micros() + LONG_OVER < micros);
            let forgotten = over && meter.is_over();
            !(forgotten || meter.is_idle(now))
        });
        self.swept_at = self.meters.len();
    }
}

#[cfg(test)]
mod tests {
    use mainspring_kernel::{Timestamp, id::ProjectId};

    use super::{MeterKey, Meters};
    use crate::ledger::{
        limit::{Metric, SubjectKind},
        meter::Verdict,
        window::Span,
    };

    const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn key(metric: Metric, subject: &str) -> MeterKey {
        let starts = metric.span().map(|span| span.start(START)).unwrap_or_default();
        let subject = subject.to_owned();
        MeterKey { project: ProjectId::from_raw(1), kind: SubjectKind::User, subject, metric, starts }
    }

    #[test]
    fn subjects_do_not_share_a_meter() {
        let mut meters = Meters::new(false);
        let now = meters.now(START);
        let (ann, bob) = (key(Metric::RequestsPerMinute, "ann"), key(Metric::RequestsPerMinute, "bob"));
        for _ in 0..5 {
            assert_eq!(meters.check(&ann, (5, 1), now), Verdict::Room);
            meters.take(&ann, (5, 1), now);
        }
        assert!(matches!(meters.check(&ann, (5, 1), now), Verdict::Full(_)));
        assert_eq!(meters.check(&bob, (5, 1), now), Verdict::Room);
    }

    #[test]
    fn a_clock_that_is_set_back_neither_opens_nor_locks_a_limit() {
        let mut meters = Meters::new(false);
        let ann = key(Metric::RequestsPerMinute, "ann");
        let now = meters.now(START);
        for _ in 0..60 {
            meters.take(&ann, (60, 1), now);
        }
        let hour = std::time::Duration::from_secs(3_600);
        let now = meters.now(START.minus(hour));
        assert!(matches!(meters.check(&ann, (60, 1), now), Verdict::Full(_)));
        let now = meters.now(START.minus(hour).plus(std::time::Duration::from_secs(1)));
        assert_eq!(meters.check(&ann, (60, 1), now), Verdict::Room);
    }

    #[test]
    fn meters_that_say_nothing_are_swept_away() {
        let mut meters = Meters::new(false);
        let now = meters.now(START);
        for user in 0..3_000 {
            meters.take(&key(Metric::RequestsPerMinute, &user.to_string()), (60, 1), now);
        }
        let budget = key(Metric::UsdPerDay, "ann");
        meters.take(&budget, (100, 10), now);
        assert_eq!(meters.meters.len(), 3_001);
        let later = meters.now(START.plus(std::time::Duration::from_secs(60)));
        meters.sweep(later);
        assert_eq!(meters.meters.len(), 1, "only the budget is left");
        let day_after = meters.now(Span::Day.end(START).plus(std::time::Duration::from_secs(7_200)));
        meters.sweep(day_after);
        assert_eq!(meters.meters.len(), 1, "a call is still under way");
        meters.settle(&budget, 100, (10, 10), day_after);
        meters.sweep(day_after);
        assert!(meters.meters.is_empty());
    }
}
