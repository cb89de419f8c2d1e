//! When the values of a field were seen first. That is a question about everything there is; a monitor of releases asks it at
//! each look. So what was found is remembered, and a look reads what came since.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use mainspring_kernel::{Actor, Labels, Timestamp, id::ProjectId};
use mainspring_lake::{Aggregate, Filter, Key, KeyOf, MeasureOf, Order};

use super::{Asking, By, TraceFilter, access::seen, entry_only};
use crate::{fault::TraceFault, filter::SpanFilter, senders::sender, service::Observability, table::Rows};

/// Values of a field that are told apart by when they were first seen, each once for every service.
const FIRST_SEEN: usize = 1_000;
/// Spans come late by no more; those that do are found when everything is read again.
const LATE: Duration = Duration::from_secs(3 * 3600);
/// Everything is read again: what came later than that, and what is no longer there.
const WHOLE_EVERY: Duration = Duration::from_secs(6 * 3600);
/// Questions that are remembered; beyond, all of them are forgotten.
const QUESTIONS_MAX: usize = 64;

/// Names within a question; no column is called so.
const VALUE: &str = "first_value";
const FIRST: &str = "first_seen";
const SENDER: &str = "first_service";
const SENDING_APP: &str = "first_app";

/// A value of a field, of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstSeen {
    pub value: String,
    /// Or the app of this server, as `app/NAME`. None: whoever sent it does not say its name.
    pub service: Option<String>,
    pub first: Timestamp,
}

/// A value and whose it is, with when it was seen first.
type Seen = BTreeMap<(String, Option<String>), Timestamp>;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    project: ProjectId,
    filter: String,
    entries: bool,
    field: String,
}

#[derive(Debug, Clone)]
struct Known {
    /// When everything was read.
    whole: Timestamp,
    /// Up to when it is known.
    until: Timestamp,
    seen: Seen,
}

/// What is remembered.
#[derive(Debug, Default)]
pub(crate) struct Firsts(Mutex<HashMap<Question, Known>>);

impl Firsts {
    fn known(&self, question: &Question, now: Timestamp) -> Option<Known> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(question).cloned();
        // A clock that was set back says nothing of how long it was.
        known.filter(|known| known.whole <= now && now.since(known.whole) < WHOLE_EVERY)
    }

    /// Nothing is remembered of what could not be read whole.
    fn learn(&self, question: Question, known: Option<Known>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = known else {
            all.remove(&question);
            return;
        };
        if all.len() >= QUESTIONS_MAX && !all.contains_key(&question) {
            all.clear();
        }
        all.insert(question, known);
    }

    /// For when spans are erased.
    pub(crate) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Observability {
    /// The values of a field and when each was seen first of each service, in that order: of those seen last, so many. What is
    /// asked again within six hours is answered by what came in the last three hours and what was found before. Where there are more than
    /// so many, everything is read each time: one that was left out would be taken for new when it is seen again.
    pub async fn first_seen(
        &self,
        actor: &Actor,
        (filter, entries): (&SpanFilter, bool),
        field: &str,
    ) -> Result<Vec<FirstSeen>, TraceFault> {
        self.catch_up().await;
        let now = self.now();
        let by = By::read(field)?;
        let question = Question { project: actor.project, filter: filter.to_string(), entries, field: field.to_owned() };
        // What a reader may see changes, what is said of a span too, and a filter may say of the time what is so only now.
        let lasts = actor.labels == Labels::All && !filter.asks_for_scores() && !filter.is_relative();
        let known = if lasts { self.firsts.known(&question, now) } else { None };
        let filter = self.looked_up(actor, filter, None).await?;
        let asking = self.asking(actor, now);
        let mut lately = None;
        if let Some(Known { whole, until, seen }) = known {
            let (found, complete) = read(asking, (filter.clone(), entries), (&by, Some(until.minus(LATE)))).await?;
            lately = if complete { together(seen, found).map(|seen| (whole, seen)) } else { None };
        }
        let (whole, seen, complete) = if let Some((whole, seen)) = lately {
            (whole, seen, true)
        } else {
            let (seen, complete) = read(asking, (filter, entries), (&by, None)).await?;
            (now, seen, complete)
        };
        if lasts {
            self.firsts.learn(question, complete.then(|| Known { whole, until: now, seen: seen.clone() }));
        }
        let mut found: Vec<FirstSeen> =
            seen.into_iter().map(|((value, service), first)| FirstSeen { value, service, first }).collect();
        found.sort_by_key(|seen| seen.first);
        Ok(found)
    }
}

/// The earlier of each; nothing where these are too many to be remembered.
fn together(mut before: Seen, found: Seen) -> Option<Seen> {
    for (of, first) in found {
        before.entry(of).and_modify(|known| *known = first.min(*known)).or_insert(first);
    }
    (before.len() <= FIRST_SEEN).then_some(before)
}

/// Of very many those seen last, and whether these are all.
async fn read(
    asking: Asking<'_>,
    (also, entries): (SpanFilter, bool),
    (by, from): (&By, Option<Timestamp>),
) -> Result<(Seen, bool), TraceFault> {
    let of = TraceFilter { from, also, ..TraceFilter::default() };
    let spans = of.spans(asking.actor, asking.now).and(by.present());
    let among: Filter = seen(asking, if entries { spans.and(entry_only()) } else { spans }).await?;
    let mut asked = Aggregate::of(among).measure(FIRST, MeasureOf::Min("start".into()));
    asked.keys.push(Key { name: VALUE.to_owned(), of: by.key() });
    for (name, column) in [(SENDER, "service"), (SENDING_APP, "app")] {
        asked.keys.push(Key { name: name.to_owned(), of: KeyOf::Column(column.to_owned()) });
    }
    let grouped = asking.table.aggregate(asked.order(FIRST, Order::Descending).limit(FIRST_SEEN)).await?;
    let mut found = Seen::new();
    for batch in &grouped.batches {
        let rows = Rows(batch);
        for row in 0..batch.num_rows() {
            if let (Some(value), Some(first)) = (rows.text(VALUE, row)?, rows.number(FIRST, row)?) {
                let of = (value.to_owned(), sender(rows.text(SENDER, row)?, rows.text(SENDING_APP, row)?));
                let first = Timestamp::from_micros(first);
                found.entry(of).and_modify(|known| *known = first.min(*known)).or_insert(first);
            }
        }
    }
    Ok((found, !grouped.more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_of_two_stays_and_too_many_are_not_remembered() {
        let of = |name: usize| (format!("v{name}"), None);
        let at = |micros: usize| Timestamp::from_micros(i64::try_from(micros).unwrap());
        let before: Seen = (1..FIRST_SEEN).map(|name| (of(name), at(name))).collect();
        let found = Seen::from([(of(1), at(900_000)), (of(2), at(0)), (of(FIRST_SEEN), at(FIRST_SEEN))]);
        let all = together(before, found).unwrap();
        assert_eq!(all.len(), FIRST_SEEN);
        assert_eq!([1, 2, FIRST_SEEN].map(|name| all.get(&of(name)).copied()), [1, 0, FIRST_SEEN].map(|micros| Some(at(micros))));
        assert_eq!(together(all, Seen::from([(of(0), at(0))])), None);
    }
}
