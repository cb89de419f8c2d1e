//! Scores over time, as monitors are told of them: each when it was given, since its trace may have begun long before.

use std::collections::{HashMap, HashSet};

use mainspring_kernel::{Actor, Labels, Timestamp};
use mainspring_lake::Filter;

use super::{AT_ONCE, Given, ScoreValue, bearers, of_project};
use crate::{
    fault::TraceFault,
    filter::SpanFilter,
    query::{self, SeriesQuestion, TraceFilter, group_column},
    service::Observability,
};

/// Scores that one answer may look at, and those that are held until it is known which slices have the most.
const SCORES_MAX: usize = 5_000_000;
const SLICED_MAX: usize = 500_000;

/// Who is told of scores: when one was given, the slice of the span that bears it, and what it says.
pub type ScoreListener<'l> = dyn for<'s> FnMut(Timestamp, Option<&'s str>, &'s ScoreValue) + Send + 'l;

impl Observability {
    /// Tells every score of a name that was given in this time and is borne by a span that passes; where every span does, all
    /// of them. Where traces are counted by the spans that they are entered by, these bear the scores of all of their spans.
    pub async fn scores_over_time(
        &self,
        actor: &Actor,
        question: &SeriesQuestion,
        name: &str,
        listener: &mut ScoreListener<'_>,
    ) -> Result<(), TraceFault> {
        self.catch_up().await;
        let SeriesQuestion { filter, entries, only, from, to, by, .. } = question;
        let slice = by.as_ref().map(|(field, most)| Ok::<_, TraceFault>((group_column(field)?, *most))).transpose()?;
        let any_span = filter.is_all() && only.is_none() && slice.is_none();
        let scores = self.scores()?;
        let (start, end) =
            (Filter::GtEq("time".into(), from.as_micros().into()), Filter::Lt("time".into(), to.as_micros().into()));
        let these = of_project(actor.project).and(Filter::eq("name", name)).and(start).and(end);
        let (mut left, mut held) = (SCORES_MAX, Vec::new());
        for piece in scores.pieces(&these, "time").await? {
            let mut given = self.seen_of(actor, scores.given(piece).await?).await?;
            left = left.checked_sub(given.len()).ok_or(TraceFault::TooMuch { rows: SCORES_MAX })?;
            if any_span {
                given.iter().for_each(|score| listener(Timestamp::from_micros(score.time), None, &score.value));
                continue;
            }
            if *entries {
                given.iter_mut().for_each(|score| score.span = None);
            }
            let columns: Vec<&'static str> = slice.iter().map(|(column, _)| *column).collect();
            for part in given.chunks(AT_ONCE) {
                let among = self.bearing_spans(actor, (filter, only.as_ref()), part).await?;
                let borne = bearers(self.table().as_ref(), &among, part, &columns).await?;
                for (score, bearer) in part.iter().zip(borne) {
                    let Some(bearer) = bearer else { continue };
                    let at = Timestamp::from_micros(score.time);
                    match bearer.says.first() {
                        None => listener(at, None, &score.value),
                        Some(Some(slice)) => held.push((slice.clone(), at, score.value.clone())),
                        // A span without the field is in no slice.
                        Some(None) => {}
                    }
                }
            }
            if held.len() > SLICED_MAX {
                return Err(TraceFault::TooMuch { rows: SLICED_MAX });
            }
        }
        let Some((_, most)) = slice else { return Ok(()) };
        let largest = largest(&held, most);
        for (slice, at, value) in held.iter().filter(|(slice, ..)| largest.contains(slice.as_str())) {
            listener(*at, Some(slice.as_str()), value);
        }
        Ok(())
    }

    /// The spans that may bear these scores.
    async fn bearing_spans(
        &self,
        actor: &Actor,
        (filter, only): (&SpanFilter, Option<&(String, String)>),
        part: &[Given],
    ) -> Result<Filter, TraceFault> {
        let asking = self.asking(actor, self.now());
        let traces: HashSet<String> = part.iter().filter_map(|score| score.trace.clone()).collect();
        let also = if filter.asks_for_scores() { asking.scored_among(filter, &traces).await? } else { filter.clone() };
        let of_these = Filter::any_of("trace", traces);
        let mut among = TraceFilter { also, ..TraceFilter::default() }.spans(actor, asking.now).and(of_these);
        if let Some((field, value)) = only {
            among = among.and(Filter::eq(group_column(field)?, value.as_str()));
        }
        if actor.labels == Labels::All { Ok(among) } else { query::seen(asking, among).await }
    }
}

/// The slices with the most scores.
fn largest(held: &[(String, Timestamp, ScoreValue)], most: usize) -> HashSet<&str> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    held.iter().for_each(|(slice, ..)| *counts.entry(slice.as_str()).or_default() += 1);
    let mut slices: Vec<(usize, &str)> = counts.into_iter().map(|(slice, count)| (count, slice)).collect();
    slices.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(other.1)));
    slices.into_iter().take(most).map(|(_, slice)| slice).collect()
}
