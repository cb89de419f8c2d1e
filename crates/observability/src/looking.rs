//! Questions of those who look: in SQL, by dashboards, and as Prometheus asks.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use mainspring_kernel::{Actor, Timestamp};

use crate::{
    dashboards::{DashboardSpec, PanelSpec},
    fault::TraceFault,
    filter::{FilterFault, SpanFilter},
    points::MetricPoints,
    query::{
        self, DashboardAnswer, DashboardQuestion, MetricsQuestion, PanelAnswer, PromFault, PromFound, PromListed, PromMetric,
        PromTimes, Sources, SpanMetrics, SqlQuestion, SqlRows, SqlTable, TraceFilter,
    },
    scores::ScoreMeasure,
    service::Observability,
};

impl Observability {
    /// The tables that questions in SQL may name.
    pub async fn sql_tables(&self, points: &MetricPoints) -> Result<Vec<SqlTable>, TraceFault> {
        Ok(query::sql_tables(self.table().as_ref(), self.sources(points).await?))
    }

    /// Answers one `SELECT` over what the actor's project sent.
    pub async fn sql(&self, points: &MetricPoints, actor: &Actor, question: &SqlQuestion) -> Result<SqlRows, TraceFault> {
        self.catch_up().await;
        query::sql(self.asking(actor, self.now()), self.sources(points).await?, question).await
    }

    /// The numbers of every panel. One that cannot be answered does not keep the others from it.
    pub async fn dashboard(
        &self,
        points: &MetricPoints,
        actor: &Actor,
        spec: &DashboardSpec,
        question: &DashboardQuestion,
    ) -> Result<DashboardAnswer, TraceFault> {
        self.catch_up().await;
        // All of them are in memory together.
        let mut room = self.room_for_scores();
        let filter = self.ready(actor, Ok(question.filter.clone()), (question.from, &mut room)).await?;
        let mut filters = Vec::with_capacity(spec.panels.len());
        for panel in &spec.panels {
            let ready = self.ready(actor, panel.filter.parse::<SpanFilter>(), (question.from, &mut room)).await;
            filters.push(ready.map_err(Arc::new));
        }
        let question = DashboardQuestion { filter, ..question.clone() };
        let asking = self.asking(actor, self.now());
        let mut answer = query::dashboard(asking, (self.sources(points).await?, points), (spec, &filters), &question).await?;
        let bucket = answer.bucket;
        for ((panel, filter), answer) in spec.panels.iter().zip(&filters).zip(&mut answer.panels) {
            let (PanelAnswer::Measured { by, found, scored, .. }, Ok(filter)) = (&mut *answer, filter) else { continue };
            let filter = filter.and(&question.filter);
            let reckoned = self.scored_panel(actor, panel, (filter, by.as_deref(), bucket), found).await;
            match reckoned {
                Ok(reckoned) => *scored = reckoned,
                Err(fault) => *answer = PanelAnswer::Failed(Arc::new(fault)),
            }
        }
        Ok(answer)
    }

    /// What is wrong with the panels that ask in SQL, by their places, as far as it can be told before anybody looks at them.
    pub async fn wrong_panels(&self, points: &MetricPoints, actor: &Actor, spec: &DashboardSpec) -> Vec<(usize, String)> {
        let Ok(sources) = self.sources(points).await else { return Vec::new() };
        let asking = self.asking(actor, self.now());
        let mut wrong = Vec::new();
        for (at, panel) in spec.panels.iter().enumerate() {
            wrong.extend(query::wrong_sql(asking, sources, panel).await.map(|problem| (at, problem)));
        }
        wrong
    }

    /// What is reckoned of scores for each row of a panel; nothing where it wants none.
    async fn scored_panel(
        &self,
        actor: &Actor,
        panel: &PanelSpec,
        (filter, by, bucket): (SpanFilter, Option<&str>, Duration),
        found: &SpanMetrics,
    ) -> Result<Vec<Vec<Option<f64>>>, TraceFault> {
        let wanted = panel.measures.iter().filter_map(|name| ScoreMeasure::read(name).transpose());
        let wanted = wanted.collect::<Result<Vec<ScoreMeasure>, TraceFault>>()?;
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let question = MetricsQuestion {
            filter: TraceFilter { also: filter, ..TraceFilter::default() },
            by: by.into_iter().map(str::to_owned).collect(),
            bucket: panel.chart.is_over_time().then_some(bucket),
            ..MetricsQuestion::default()
        };
        self.measure_scores(actor, question, &wanted, found).await
    }

    async fn sources<'a>(&'a self, points: &'a MetricPoints) -> Result<Sources<'a>, TraceFault> {
        let scores = match &self.scores {
            Some(scores) => Some(scores.table().await?.as_ref()),
            None => None,
        };
        Ok(Sources { lake: points.lake(), points: points.table().await?.as_ref(), scores })
    }

    /// With what its conditions on scores found in their place.
    async fn ready(
        &self,
        actor: &Actor,
        filter: Result<SpanFilter, FilterFault>,
        (from, room): (Timestamp, &mut u64),
    ) -> Result<SpanFilter, TraceFault> {
        let filter = filter?;
        Ok(self.with_scores_found(actor, &filter, Some(from), room).await?.unwrap_or(filter))
    }

    /// Answers a question in PromQL.
    pub async fn prometheus(
        &self,
        points: &MetricPoints,
        actor: &Actor,
        text: &str,
        times: PromTimes,
    ) -> Result<PromFound, PromFault> {
        self.catch_up().await;
        query::prometheus(self.asking(actor, self.now()), points, text, times).await
    }

    /// The labels of every series that one of the selectors finds.
    pub async fn prometheus_series(
        &self,
        points: &MetricPoints,
        actor: &Actor,
        selectors: &[String],
        between: (Timestamp, Timestamp),
    ) -> Result<PromListed<Vec<BTreeMap<String, String>>>, PromFault> {
        self.catch_up().await;
        query::prometheus_series(self.asking(actor, self.now()), points, selectors, between).await
    }

    /// The values of a label, of those series only where there are selectors.
    pub async fn prometheus_values(
        &self,
        points: &MetricPoints,
        actor: &Actor,
        label: &str,
        selectors: &[String],
        between: (Timestamp, Timestamp),
    ) -> Result<PromListed<Vec<String>>, PromFault> {
        self.catch_up().await;
        query::prometheus_values(self.asking(actor, self.now()), points, label, selectors, between).await
    }

    /// The labels there are, of those series only where there are selectors.
    pub async fn prometheus_labels(
        &self,
        points: &MetricPoints,
        actor: &Actor,
        selectors: &[String],
        between: (Timestamp, Timestamp),
    ) -> Result<PromListed<Vec<String>>, PromFault> {
        self.catch_up().await;
        query::prometheus_labels(self.asking(actor, self.now()), points, selectors, between).await
    }

    /// The metrics that can be asked for: those over spans, and those that programs sent.
    pub async fn prometheus_metrics(
        &self,
        points: &MetricPoints,
        actor: &Actor,
        between: (Timestamp, Timestamp),
    ) -> Result<PromListed<Vec<PromMetric>>, PromFault> {
        query::prometheus_metrics(self.asking(actor, self.now()), points, between).await
    }
}
