//! What conditions on scores find among some traces only, for questions about more scores than are held at once: a page is
//! compared with the scores of the traces that it may show, and a number is the sum of those of ranges of traces.

use std::collections::HashSet;

use mainspring_kernel::Timestamp;
use mainspring_lake::{Aggregate, Filter, MeasureOf};

use super::{AT_ONCE, Scores, bearing::since};
use crate::{fault::TraceFault, filter::SpanFilter, query::Asking, table::Rows};

/// Sessions that the spans of a few traces name.
const SESSIONS_MAX: usize = 100_000;

/// Traces by their ids, from one to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceRange {
    from: u128,
    to: u128,
}

impl TraceRange {
    pub(crate) const ALL: Self = Self { from: 0, to: u128::MAX };

    /// Ids of one length lie as their numbers do.
    pub(crate) fn condition(self) -> Filter {
        let id = |number: u128| format!("{number:032x}").into();
        Filter::And(vec![Filter::GtEq("trace".into(), id(self.from)), Filter::LtEq("trace".into(), id(self.to))])
    }

    /// None of a single trace.
    pub(crate) const fn halves(self) -> Option<[Self; 2]> {
        let Self { from, to } = self;
        if from >= to {
            return None;
        }
        let middle = from + (to - from) / 2;
        Some([Self { from, to: middle }, Self { from: middle + 1, to }])
    }
}

impl Asking<'_> {
    fn known_scores(&self) -> Result<&Scores, TraceFault> {
        self.scores.ok_or_else(|| TraceFault::Question { reason: "no scores are kept here".into() })
    }

    /// The filter with what its conditions on scores find among these traces in their place.
    pub(crate) async fn scored_among(&self, filter: &SpanFilter, traces: &HashSet<String>) -> Result<SpanFilter, TraceFault> {
        let scores = self.known_scores()?;
        let traces: Vec<&str> = traces.iter().map(String::as_str).collect();
        let sessions = self.sessions_of(&traces).await?;
        let mut found = Vec::new();
        for condition in filter.scores() {
            found.push(scores.bearing_among(self.actor.project, condition, (&traces, &sessions)).await?);
        }
        Ok(filter.with_scores(found))
    }

    /// The same of the traces of a range; none where it has more scores than are held at once. `from`: when the spans began at
    /// the earliest.
    pub(crate) async fn scored_in(
        &self,
        filter: &SpanFilter,
        range: TraceRange,
        from: Option<Timestamp>,
    ) -> Result<Option<SpanFilter>, TraceFault> {
        let scores = self.known_scores()?;
        let among = since(from).and(Filter::Or(vec![range.condition(), Filter::IsNull("trace".into())]));
        let (mut found, mut room) = (Vec::new(), scores.most.found);
        for condition in filter.scores() {
            match scores.bearing(self.actor.project, condition, among.clone(), &mut room).await? {
                Some(scored) => found.push(scored),
                None => return Ok(None),
            }
        }
        Ok(Some(filter.with_scores(found)))
    }

    /// Every session that a span of these traces names.
    async fn sessions_of(&self, traces: &[&str]) -> Result<Vec<String>, TraceFault> {
        let mut sessions = HashSet::new();
        for some in traces.chunks(AT_ONCE) {
            let among = self.project().and(Filter::any_of("trace", some.iter().copied())).and(Filter::present("session"));
            let question = Aggregate::of(among).by("session").measure("rows", MeasureOf::Rows).limit(SESSIONS_MAX);
            let grouped = self.table.aggregate(question).await?;
            if grouped.more {
                return Err(TraceFault::TooMuch { rows: SESSIONS_MAX });
            }
            for batch in &grouped.batches {
                for row in 0..batch.num_rows() {
                    sessions.extend(Rows(batch).text("session", row)?.map(str::to_owned));
                }
            }
        }
        Ok(sessions.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn halves_have_every_trace_once(ids in prop::collection::vec(any::<u128>(), 1..20), near in any::<u8>()) {
            let mut ids = ids;
            // Ids of some senders follow each other.
            let first = ids[0];
            ids.extend((0..=u128::from(near)).map(|more| first.wrapping_add(more)));
            let has = |range: TraceRange, id: u128| range.from <= id && id <= range.to;
            let mut ranges = vec![TraceRange::ALL];
            for _ in 0..60 {
                let last = ranges.pop().unwrap();
                match last.halves() {
                    Some(halves) => ranges.extend(halves),
                    None => ranges.push(last),
                }
            }
            for id in ids {
                prop_assert_eq!(ranges.iter().filter(|range| has(**range, id)).count(), 1);
            }
        }
    }

    #[test]
    fn one_trace_has_no_halves() {
        let one = TraceRange { from: 7, to: 7 };
        assert_eq!((one.halves(), TraceRange { from: 7, to: 8 }.halves().map(|halves| halves[0])), (None, Some(one)));
    }
}
