//! What is asked of spans: each question is asked as an actor, after what was recorded before it has come.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use mainspring_kernel::{Actor, Digest, Page, PageRequest, Timestamp};
use mainspring_llm::{Span, SpanId, TraceId, trace::names};

use super::{AppTraffic, DRAIN_FOR, Observability};
use crate::{
    conventions::Conversation,
    fault::TraceFault,
    query::{
        self, ActivityBucket, Asking, Counted, Export, Gathered, GatheredBy, LogRecord, MetricsQuestion, SessionTraces,
        SpanMetrics, SpanSummary, TraceFilter, TracePart, TraceSummary, TraceTree,
    },
    values::{self, ValueAside, WholeValue},
};

/// What is measured where nobody says since when.
const USUAL: Duration = Duration::from_secs(24 * 3600);

impl Observability {
    /// Traces by the spans that they are entered by, newest first.
    pub async fn list(&self, actor: &Actor, filter: &TraceFilter, page: &PageRequest) -> Result<Page<TraceSummary>, TraceFault> {
        self.catch_up().await;
        query::list(self.asking(actor, self.now()), self.scored_if_held(actor, filter).await?.as_ref(), page).await
    }

    /// Traces of which any span passes, by the newest that does.
    pub async fn list_any(
        &self,
        actor: &Actor,
        filter: &TraceFilter,
        page: &PageRequest,
    ) -> Result<Page<TraceSummary>, TraceFault> {
        self.catch_up().await;
        query::list_any(self.asking(actor, self.now()), self.scored_if_held(actor, filter).await?.as_ref(), page).await
    }

    pub async fn count_any(&self, actor: &Actor, filter: &TraceFilter) -> Result<Counted, TraceFault> {
        let waiting = self.catch_up().await;
        let filter = self.scored_if_held(actor, filter).await?;
        Ok(query::count_any(self.asking(actor, self.now()), filter.as_ref()).await?.while_waiting(waiting))
    }

    pub async fn count(&self, actor: &Actor, filter: &TraceFilter) -> Result<Counted, TraceFault> {
        let waiting = self.catch_up().await;
        let filter = self.scored_if_held(actor, filter).await?;
        Ok(query::count_traces(self.asking(actor, self.now()), filter.as_ref()).await?.while_waiting(waiting))
    }

    /// Spans one by one, newest first.
    pub async fn spans(&self, actor: &Actor, filter: &TraceFilter, page: &PageRequest) -> Result<Page<SpanSummary>, TraceFault> {
        self.catch_up().await;
        query::list_spans(self.asking(actor, self.now()), self.scored_if_held(actor, filter).await?.as_ref(), page).await
    }

    pub async fn count_spans(&self, actor: &Actor, filter: &TraceFilter) -> Result<Counted, TraceFault> {
        let waiting = self.catch_up().await;
        let filter = self.scored_if_held(actor, filter).await?;
        Ok(query::count_spans(self.asking(actor, self.now()), filter.as_ref()).await?.while_waiting(waiting))
    }

    /// Log records with what they say, newest first.
    pub async fn logs(&self, actor: &Actor, filter: &TraceFilter, page: &PageRequest) -> Result<Page<LogRecord>, TraceFault> {
        self.catch_up().await;
        let filter = filter.of_logs();
        query::list_logs(self.asking(actor, self.now()), self.scored_if_held(actor, &filter).await?.as_ref(), page).await
    }

    pub async fn count_logs(&self, actor: &Actor, filter: &TraceFilter) -> Result<Counted, TraceFault> {
        self.count_spans(actor, &filter.of_logs()).await
    }

    /// Spans of a trace whole, a page of them, and how many there are.
    pub async fn trace(&self, actor: &Actor, id: TraceId, limit: usize, place: &PageRequest) -> Result<TracePart, TraceFault> {
        let waiting = self.catch_up().await;
        query::trace(self.asking(actor, self.now()), id, limit, place).await.map_err(|fault| fault.while_waiting(waiting))
    }

    /// Spans of a trace without what was written and read, a page of them.
    pub async fn tree(&self, actor: &Actor, id: TraceId, limit: usize, place: &PageRequest) -> Result<TraceTree, TraceFault> {
        let waiting = self.catch_up().await;
        query::tree(self.asking(actor, self.now()), id, limit, place).await.map_err(|fault| fault.while_waiting(waiting))
    }

    /// A span, or the first of the trace, and the one above it where there is one; nothing where there is no such span.
    pub async fn span(&self, actor: &Actor, id: TraceId, wanted: Option<SpanId>) -> Result<Vec<Span>, TraceFault> {
        let waiting = self.catch_up().await;
        let found = query::span(self.asking(actor, self.now()), id, wanted).await?;
        if found.is_empty() && waiting > 0 {
            return Err(TraceFault::NotFound { id: id.to_string() }.while_waiting(waiting));
        }
        Ok(found)
    }

    /// What was said in a span that was read back. Some instrumentations write that as log records, which lie beneath it.
    pub async fn conversation(&self, actor: &Actor, span: &Span) -> Result<Conversation, TraceFault> {
        let said = Conversation::of(span);
        if !said.lacks_messages() || span.attributes.contains_key(names::SIGNAL) {
            return Ok(said);
        }
        Ok(said.with_records(&query::records(self.asking(actor, self.now()), span).await?))
    }

    /// A value of a span that is too large for its row.
    pub async fn value(&self, actor: &Actor, id: TraceId, span: SpanId, digest: &Digest) -> Result<WholeValue, TraceFault> {
        let found = self.span(actor, id, Some(span)).await?.into_iter().next();
        let found = found.filter(|found| values::named_by(found).iter().any(|value| value.digest == *digest));
        let found = found.ok_or_else(|| TraceFault::NoValue { digest: digest.to_string() })?;
        self.kept.values.get(found.project, digest).await
    }

    /// Puts the large values of a span that was read back into it. Answers whether it has any.
    pub async fn fill(&self, span: &mut Span) -> Result<bool, TraceFault> {
        let mut whole = BTreeMap::new();
        for ValueAside { digest, .. } in values::named_by(span) {
            whole.insert(digest, self.kept.values.get(span.project, &digest).await?);
        }
        values::fill(span, &whole);
        Ok(!whole.is_empty())
    }

    /// Sessions or users, the last active first.
    pub async fn gathered(
        &self,
        actor: &Actor,
        by: GatheredBy,
        filter: &TraceFilter,
        page: &PageRequest,
    ) -> Result<Page<Gathered>, TraceFault> {
        self.catch_up().await;
        query::sessions(self.asking(actor, self.now()), by, self.scored(actor, filter).await?.as_ref(), page).await
    }

    /// One session and a page of its traces, in the order in which they began.
    pub async fn session(&self, actor: &Actor, id: &str, page: &PageRequest) -> Result<SessionTraces, TraceFault> {
        let waiting = self.catch_up().await;
        query::session(self.asking(actor, self.now()), id, page).await.map_err(|fault| fault.while_waiting(waiting))
    }

    /// Measures over spans, in groups and over time; of the last day unless the question says otherwise.
    pub async fn measure(&self, actor: &Actor, mut question: MetricsQuestion) -> Result<SpanMetrics, TraceFault> {
        self.catch_up().await;
        let now = self.now();
        // A bucket of time would not hold the present otherwise.
        let to = *question.filter.to.get_or_insert(now.plus(Duration::from_micros(1)));
        question.filter.from.get_or_insert(to.minus(USUAL));
        question.filter = self.scored(actor, &question.filter).await?.into_owned();
        query::metrics(self.asking(actor, now), &question).await
    }

    /// Every span that passes, oldest first, however many there are. Only so many are given out at once.
    pub async fn export(&self, actor: &Actor, filter: &TraceFilter) -> Result<Export, TraceFault> {
        let place = Arc::clone(&self.exports).try_acquire_owned();
        let place = place.map_err(|_| TraceFault::TooManyExports { most: query::EXPORTS_MAX })?;
        self.catch_up().await;
        Export::begin(self, actor.clone(), self.scored_if_held(actor, filter).await?.as_ref(), self.now(), place).await
    }

    /// The last hours, an hour each, the running one last.
    pub async fn activity(&self, actor: &Actor, hours: u32, app: Option<&str>) -> Result<Vec<ActivityBucket>, TraceFault> {
        let now = self.clock.now();
        let hour = Duration::from_secs(3600);
        let from = now.minus(hour * hours.saturating_sub(1));
        let whole = Timestamp::from_micros(from.as_micros() - from.as_micros().rem_euclid(3_600_000_000));
        query::activity(self.asking(actor, now), whole, now.plus(Duration::from_micros(1)), app).await
    }

    /// The last day's traffic by app.
    pub async fn by_app(&self, actor: &Actor) -> Result<std::collections::HashMap<String, AppTraffic>, TraceFault> {
        let from = self.clock.now().minus(Duration::from_secs(24 * 3600));
        let apps = query::by_app(self.asking(actor, self.now()), from).await?;
        Ok(apps.into_iter().map(|(app, (traffic, last))| (app, AppTraffic { traffic, last })).collect())
    }

    pub(crate) fn asking<'a>(&'a self, actor: &'a Actor, now: Timestamp) -> Asking<'a> {
        let (table, access, scores) = (self.kept.table.as_ref(), self.access.as_ref(), self.scores.as_ref());
        Asking { table, access, actor, now, scores }
    }

    /// A reader sees what was recorded before it asked, if the lake is quick enough; otherwise what is there. Answers how many
    /// spans at least are stored and cannot be found.
    pub(crate) async fn catch_up(&self) -> u64 {
        let caught_up = self.drain(DRAIN_FOR).await.is_ok();
        // Of a segment that an earlier process left nobody knows more than that it holds one.
        let left_over = self.spill.left_over();
        if caught_up {
            if left_over > 0 {
                self.counters.asked.notify_one();
            }
            return left_over;
        }
        tracing::debug!("some spans are not queryable yet");
        left_over.saturating_add(self.counters.on_their_way().max(1))
    }
}
