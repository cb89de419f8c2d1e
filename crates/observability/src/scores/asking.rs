//! Scores as an actor sees them: what is hidden of traces is hidden of their scores.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use mainspring_kernel::{Actor, Labels, Page, PageRequest, Timestamp, page::cursor};
use mainspring_lake::{Filter, Scalar, Scan};
use mainspring_llm::{Span, SpanId, TraceId};

use super::{
    AT_ONCE, After, Given, OF_TRACE_MAX, Score, ScoreFilter, ScoreMeasure, ScoreValue, Scored, Scores, bearing::since, measured,
    of_project,
};
use crate::{
    belonging::said_itself,
    fault::TraceFault,
    filter::SpanFilter,
    query::{self, MetricsQuestion, SpanMetrics, TraceFilter},
    service::Observability,
    table::{ADOPTED, Rows, is_entry},
};

/// Scores looked at for one page at most.
const LOOKED_AT_MAX: usize = 20_000;
/// Spans that are read to find the traces of sessions.
const SPANS_READ_MAX: usize = 200_000;
/// How long a writer waits.
const STORED_WITHIN: Duration = Duration::from_secs(8);

/// The scores of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreSummary {
    pub name: String,
    pub count: u64,
    /// Of numbers; true is 1.
    pub mean: Option<f64>,
    /// The last word, where it is a category.
    pub label: Option<String>,
}

impl Observability {
    /// Scores are kept in this room from now on.
    #[must_use]
    pub fn with_scores(mut self, scores: Scores) -> Self {
        self.scores = Some(scores);
        self
    }

    pub fn scores(&self) -> Result<&Scores, TraceFault> {
        self.scores.as_ref().ok_or_else(|| TraceFault::Question { reason: "no scores are kept here".into() })
    }

    /// Writes scores that were checked; when this returns they survive the death of the process.
    pub async fn put_scores(&self, actor: &Actor, scores: Vec<Score>) -> Result<(), TraceFault> {
        if scores.is_empty() {
            return Ok(());
        }
        self.scores()?.put(actor.project, scores, self.now(), STORED_WITHIN).await
    }

    /// Nobody speaks of a trace that is hidden from them. One that is still on its way is not known yet, and may be spoken of.
    pub async fn may_score(&self, actor: &Actor, score: &Score) -> Result<(), TraceFault> {
        let seen = self.may_score_each(actor, std::slice::from_ref(score)).await?;
        if seen.contains(&true) { Ok(()) } else { Err(score.unseen()) }
    }

    /// The same of each of several scores, in their order.
    pub async fn may_score_each(&self, actor: &Actor, scores: &[Score]) -> Result<Vec<bool>, TraceFault> {
        if actor.labels == Labels::All || scores.is_empty() {
            return Ok(vec![true; scores.len()]);
        }
        let of = |score: &Score| (score.trace.map(|trace| trace.to_string()), score.session.clone());
        self.seen(actor, scores.iter().map(of).collect()).await
    }

    /// Newest first.
    pub async fn list_scores(&self, actor: &Actor, filter: &ScoreFilter, page: &PageRequest) -> Result<Page<Score>, TraceFault> {
        let scores = self.scores()?;
        let mut after: Option<After> = page.after()?;
        let (mut found, mut looked_at) = (Vec::new(), 0);
        loop {
            let wanted = page.limit() + 1 - found.len();
            let part = scores.part(actor.project, filter, after.as_ref(), wanted).await?;
            let last = part.len() < wanted;
            looked_at += part.len();
            after = part.last().map(After::of).or(after);
            found.extend(self.visible_scores(actor, part).await?);
            if last || found.len() > page.limit() {
                return Ok(Page::from_overfetch(found, page, After::of));
            }
            if looked_at >= LOOKED_AT_MAX {
                // The page is short but the list goes on from where looking stopped.
                return Ok(Page { items: found, next: after.as_ref().map(cursor) });
            }
        }
    }

    /// Deletes a score that the actor may see, and answers what it was.
    pub async fn delete_score(&self, actor: &Actor, id: &str) -> Result<Score, TraceFault> {
        let scores = self.scores()?;
        let found = scores.one(actor.project, id).await?;
        let seen = self.visible_scores(actor, found.into_iter().collect()).await?.pop();
        match seen {
            Some(score) if scores.delete(actor.project, id).await? => Ok(score),
            _ => Err(TraceFault::NoScore { id: mainspring_kernel::text::elide(id, 80) }),
        }
    }

    /// The scores of a trace that the actor was shown, newest first, and whether there are more of them.
    pub async fn scores_of(&self, actor: &Actor, trace: TraceId) -> Result<(Vec<Score>, bool), TraceFault> {
        let Some(scores) = &self.scores else { return Ok((Vec::new(), false)) };
        let mut found = scores.of_traces(actor.project, [trace.to_string()], Some(OF_TRACE_MAX + 1)).await?;
        let more = found.len() > OF_TRACE_MAX;
        found.truncate(OF_TRACE_MAX);
        Ok((found, more))
    }

    /// The scores that each of these spans bears: its own, and those of its trace where the trace is entered by it. For
    /// whoever writes spans out that the actor may see.
    pub(crate) async fn borne_by(&self, actor: &Actor, spans: &[Span]) -> Result<Vec<Vec<Score>>, TraceFault> {
        let mut by_trace: HashMap<TraceId, Vec<Score>> = HashMap::new();
        if let Some(scores) = &self.scores {
            let traces: HashSet<String> = spans.iter().map(|span| span.trace.to_string()).collect();
            for score in scores.of_traces(actor.project, traces, None).await? {
                if let Some(trace) = score.trace {
                    by_trace.entry(trace).or_default().push(score);
                }
            }
        }
        let whole = by_trace.iter().filter(|(_, scores)| scores.iter().any(|score| score.span.is_none()));
        let whole: Vec<String> = whole.map(|(trace, _)| trace.to_string()).collect();
        let adopted = self.adopted_of(actor, &whole).await?;
        let enters = |span: &Span| is_entry(span) || adopted.contains(&(span.trace, span.span));
        let bears = |span: &Span, score: &Score| score.span.map_or_else(|| enters(span), |of| of == span.span);
        let borne = |span: &Span| {
            by_trace.get(&span.trace).into_iter().flatten().filter(|score| bears(span, score)).cloned().collect::<Vec<Score>>()
        };
        Ok(spans.iter().map(borne).collect())
    }

    /// The spans by which these traces are entered for want of an entry: they do not say so themselves.
    async fn adopted_of(&self, actor: &Actor, traces: &[String]) -> Result<HashSet<(TraceId, SpanId)>, TraceFault> {
        let mut adopted = HashSet::new();
        for some in traces.chunks(AT_ONCE) {
            let these = Filter::eq("project", actor.project.to_string())
                .and(Filter::any_of("trace", some.iter().map(String::as_str)))
                .and(Filter::Eq(ADOPTED.into(), Scalar::Bool(true)));
            for batch in self.table().scan(Scan::of(these).columns(&["project", "trace", "span"])).await? {
                let rows = Rows(&batch);
                for row in 0..batch.num_rows() {
                    let (_, trace, span) = rows.id(row)?;
                    adopted.insert((trace, span));
                }
            }
        }
        Ok(adopted)
    }

    /// The scores of traces that the actor was shown, summed up by name.
    pub async fn sum_scores(
        &self,
        actor: &Actor,
        traces: impl IntoIterator<Item = TraceId>,
    ) -> Result<HashMap<TraceId, Vec<ScoreSummary>>, TraceFault> {
        let traces: HashSet<String> = traces.into_iter().map(|trace| trace.to_string()).collect();
        let Some(scores) = self.scores.as_ref().filter(|_| !traces.is_empty()) else { return Ok(HashMap::new()) };
        let mut sums = Sums::default();
        let tell = |score: &Score| sums.add(score.trace, score);
        scores.each_of_traces(actor.project, traces, tell).await?;
        Ok(sums.summed())
    }

    /// The same of spans: only what was said of the span itself.
    pub async fn sum_scores_of_spans(
        &self,
        actor: &Actor,
        spans: impl IntoIterator<Item = (TraceId, SpanId)>,
    ) -> Result<HashMap<(TraceId, SpanId), Vec<ScoreSummary>>, TraceFault> {
        let spans: HashSet<(TraceId, SpanId)> = spans.into_iter().collect();
        let Some(scores) = self.scores.as_ref().filter(|_| !spans.is_empty()) else { return Ok(HashMap::new()) };
        let traces: HashSet<String> = spans.iter().map(|(trace, _)| trace.to_string()).collect();
        let mut sums = Sums::default();
        let tell = |score: &Score| sums.add(score.trace.zip(score.span).filter(|of| spans.contains(of)), score);
        scores.each_of_traces(actor.project, traces, tell).await?;
        Ok(sums.summed())
    }

    /// What is reckoned of scores for each row of what was measured of spans by the same question.
    pub async fn measure_scores(
        &self,
        actor: &Actor,
        mut question: MetricsQuestion,
        wanted: &[ScoreMeasure],
        found: &SpanMetrics,
    ) -> Result<Vec<Vec<Option<f64>>>, TraceFault> {
        (question.filter.from, question.filter.to) = (Some(found.from), Some(found.to));
        question.filter = self.scored(actor, &question.filter).await?.into_owned();
        let measured = measured(self.asking(actor, self.now()), self.scores()?, &question, wanted).await?;
        let of = |start: Option<Timestamp>, keys: &Vec<Option<String>>| {
            let group = (start.map(Timestamp::as_micros), keys.clone());
            measured.get(&group).cloned().unwrap_or_else(|| vec![None; wanted.len()])
        };
        Ok(found.rows.iter().map(|row| of(row.start, &row.keys)).collect())
    }

    /// The filter with what its conditions on scores found in their place.
    pub(crate) async fn scored<'a>(&self, actor: &Actor, filter: &'a TraceFilter) -> Result<Cow<'a, TraceFilter>, TraceFault> {
        let also = self.with_scores_found(actor, &filter.also, filter.from, &mut self.room_for_scores()).await?;
        Ok(also.map_or(Cow::Borrowed(filter), |also| Cow::Owned(TraceFilter { also, ..filter.clone() })))
    }

    /// The same where they find no more than is held at once. Otherwise they stay, and whoever asks looks for the scores of the
    /// traces at hand.
    pub(crate) async fn scored_if_held<'a>(
        &self,
        actor: &Actor,
        filter: &'a TraceFilter,
    ) -> Result<Cow<'a, TraceFilter>, TraceFault> {
        let found = self.found(actor, &filter.also, filter.from, &mut self.room_for_scores()).await?;
        let also = found.and_then(|found| Some(filter.also.with_scores(found?)));
        Ok(also.map_or(Cow::Borrowed(filter), |also| Cow::Owned(TraceFilter { also, ..filter.clone() })))
    }

    /// How many scores one question may find.
    pub(crate) fn room_for_scores(&self) -> u64 {
        self.scores.as_ref().map_or(0, |scores| scores.most.found)
    }

    /// The same of a filter of spans; none where it asks for no scores. `from`: when the spans began at the earliest. `room`
    /// shrinks by what is found, and several filters may share it.
    pub(crate) async fn with_scores_found(
        &self,
        actor: &Actor,
        filter: &SpanFilter,
        from: Option<Timestamp>,
        room: &mut u64,
    ) -> Result<Option<SpanFilter>, TraceFault> {
        let Some(found) = self.found(actor, filter, from, room).await? else { return Ok(None) };
        let most = usize::try_from(self.room_for_scores()).unwrap_or(usize::MAX);
        found.map(|found| Some(filter.with_scores(found))).ok_or(TraceFault::TooMuch { rows: most })
    }

    /// What each condition on scores found, in their order: nothing where there are none, and none within where they found more
    /// than there is room for.
    async fn found(
        &self,
        actor: &Actor,
        filter: &SpanFilter,
        from: Option<Timestamp>,
        room: &mut u64,
    ) -> Result<Option<Option<Vec<Scored>>>, TraceFault> {
        let asked = filter.scores();
        if asked.is_empty() {
            return Ok(None);
        }
        let scores = self.scores()?;
        let mut found = Vec::with_capacity(asked.len());
        for condition in asked {
            match scores.bearing(actor.project, condition, since(from), room).await? {
                Some(scored) => found.push(scored),
                None => return Ok(Some(None)),
            }
        }
        Ok(Some(Some(found)))
    }

    /// The scores whose whole trace, or session, the actor may see.
    async fn visible_scores(&self, actor: &Actor, mut scores: Vec<Score>) -> Result<Vec<Score>, TraceFault> {
        let mut seen = self.may_score_each(actor, &scores).await?.into_iter();
        scores.retain(|_| seen.next() == Some(true));
        Ok(scores)
    }

    /// The same of scores as they are counted.
    pub(crate) async fn seen_of(&self, actor: &Actor, mut given: Vec<Given>) -> Result<Vec<Given>, TraceFault> {
        if actor.labels == Labels::All || given.is_empty() {
            return Ok(given);
        }
        let about = given.iter().map(|score| (score.trace.clone(), score.session.clone())).collect();
        let mut seen = self.seen(actor, about).await?.into_iter();
        given.retain(|_| seen.next() == Some(true));
        Ok(given)
    }

    /// Whether the actor may see the whole of each of these traces, or of the sessions where no trace is named.
    async fn seen(&self, actor: &Actor, about: Vec<(Option<String>, Option<String>)>) -> Result<Vec<bool>, TraceFault> {
        self.catch_up().await;
        let named = about.iter().filter(|(trace, _)| trace.is_none()).filter_map(|(_, session)| session.as_deref());
        let sessions: HashSet<&str> = named.collect();
        let of_sessions = self.traces_of_sessions(actor, &sessions).await?;
        let mut traces: HashSet<String> = about.iter().filter_map(|(trace, _)| trace.clone()).collect();
        traces.extend(of_sessions.values().flatten().cloned());
        let traces: Vec<String> = traces.into_iter().collect();
        let mut hidden = HashSet::new();
        for some in traces.chunks(AT_ONCE) {
            let these = Filter::any_of("trace", some.iter().map(String::as_str));
            hidden.extend(query::hidden(self.asking(actor, self.now()), these).await?);
        }
        let seen = |(trace, session): &(Option<String>, Option<String>)| match (trace, session) {
            (Some(trace), _) => !hidden.contains(trace),
            (None, Some(session)) => of_sessions.get(session).is_none_or(|traces| traces.is_disjoint(&hidden)),
            (None, None) => false,
        };
        Ok(about.iter().map(seen).collect())
    }

    async fn traces_of_sessions(
        &self,
        actor: &Actor,
        sessions: &HashSet<&str>,
    ) -> Result<HashMap<String, HashSet<String>>, TraceFault> {
        let mut found: HashMap<String, HashSet<String>> = HashMap::new();
        if sessions.is_empty() {
            return Ok(found);
        }
        let these =
            of_project(actor.project).and(Filter::any_of("session", sessions.iter().copied())).and(said_itself("session"));
        let scan = Scan::of(these).columns(&["session", "trace"]).limit(SPANS_READ_MAX + 1);
        let mut read = 0;
        for batch in self.table().scan(scan).await? {
            let rows = Rows(&batch);
            read += batch.num_rows();
            for row in 0..batch.num_rows() {
                let session = rows.text("session", row)?.unwrap_or_default();
                let trace = rows.text("trace", row)?.unwrap_or_default();
                found.entry(session.to_owned()).or_default().insert(trace.to_owned());
            }
        }
        if read > SPANS_READ_MAX { Err(TraceFault::TooMuch { rows: SPANS_READ_MAX }) } else { Ok(found) }
    }
}

#[derive(Default)]
struct Sum {
    count: u64,
    numbers: u32,
    sum: f64,
    label: Option<String>,
}

/// By what they are about, each name once.
struct Sums<K>(HashMap<K, BTreeMap<String, Sum>>);

impl<K> Default for Sums<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + std::hash::Hash> Sums<K> {
    /// Scores come newest first.
    fn add(&mut self, about: Option<K>, score: &Score) {
        let Some(about) = about else { return };
        let names = self.0.entry(about).or_default();
        let sum = names.entry(score.name.clone()).or_default();
        sum.count += 1;
        if let Some(number) = score.value.number() {
            sum.numbers += 1;
            sum.sum += number;
        }
        if let (ScoreValue::Categorical(label), None) = (&score.value, &sum.label) {
            sum.label = Some(label.clone());
        }
    }

    fn summed(self) -> HashMap<K, Vec<ScoreSummary>> {
        let summary = |(name, Sum { count, numbers, sum, label }): (String, Sum)| {
            let mean = (numbers > 0).then(|| sum / f64::from(numbers));
            ScoreSummary { name, count, mean, label }
        };
        self.0.into_iter().map(|(about, sums)| (about, sums.into_iter().map(summary).collect())).collect()
    }
}
