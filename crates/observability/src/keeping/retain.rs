//! Carrying out what is said of how long telemetry is kept.

use std::time::Duration;

use mainspring_kernel::{Actor, Timestamp, id::ProjectId};
use mainspring_lake::{Aggregate, Filter, MeasureOf, Order, Scan, Table};

use super::{Holding, Keeping, KeepingFault, KeepingParts, Retention, Telemetry, store};
use crate::{fault::TraceFault, scores::CLOCKS_DIFFER, table::Rows};

/// Rows that one commit deletes, about.
const AT_ONCE: usize = 20_000;
const HOUR: i64 = 3_600_000_000;
const HOURS_MAX: usize = 200_000;
/// Whoever began goes on; when it has died another does after this.
const TURN: Duration = Duration::from_secs(600);

impl Telemetry {
    /// The rows of a kind, of every project.
    fn rows(self) -> Filter {
        let event = Filter::eq("type", "event");
        match self {
            Self::Spans => Filter::Unless(Box::new(event)),
            Self::Logs => event,
            Self::Points => Filter::All,
        }
    }

    const fn time(self) -> &'static str {
        match self {
            Self::Spans | Self::Logs => "start",
            Self::Points => "time",
        }
    }

    fn before(self, time: Timestamp) -> Filter {
        Filter::Lt(self.time().into(), time.as_micros().into())
    }
}

/// Of some rows: how many there are, what they take, and when the oldest is of.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    rows: u64,
    bytes: u64,
    oldest: Option<i64>,
}

impl Keeping {
    /// What the project holds of each kind, and for how long.
    pub async fn holdings(&self, actor: &Actor) -> Result<Vec<Holding>, KeepingFault> {
        let (catalog, project) = (&self.parts.catalog, actor.project);
        let (rules, runs) = (store::rules(catalog).await?, store::runs(catalog, project).await?);
        self.parts.spans.catch_up().await;
        let mut holdings = Vec::with_capacity(Telemetry::ALL.len());
        for kind in Telemetry::ALL {
            let own = rules.iter().find(|(of, which, _)| (*of, *which) == (project, kind)).map(|(_, _, rule)| *rule);
            let Weight { rows, bytes, oldest } = weigh(self.table(kind).await?, kind, of_project(kind, project)).await?;
            holdings.push(Holding {
                kind,
                rows,
                bytes,
                oldest: oldest.map(Timestamp::from_micros),
                own: own.unwrap_or_default(),
                default_keep_for: self.parts.keep_for,
                last: runs.iter().find(|(of, _)| *of == kind).map(|(_, removal)| *removal),
            });
        }
        Ok(holdings)
    }

    pub(super) async fn table(&self, kind: Telemetry) -> Result<&dyn Table, TraceFault> {
        Ok(match kind {
            Telemetry::Spans | Telemetry::Logs => self.parts.spans.table().as_ref(),
            Telemetry::Points => self.parts.points.table().await?.as_ref(),
        })
    }

    /// Deletes what is kept no longer, unless another server is at it. Answers how many rows went. Compacting the tables
    /// gives the bytes back.
    pub async fn retain(&self, holder: &str, kinds: &[Telemetry]) -> Result<u64, KeepingFault> {
        let catalog = &self.parts.catalog;
        let mut gone = 0;
        if !self.has_turn(holder).await? {
            return Ok(gone);
        }
        let (rules, projects) = (store::rules(catalog).await?, store::projects(catalog).await?);
        for kind in kinds.iter().copied() {
            let of_kind: Vec<(ProjectId, Retention)> =
                rules.iter().filter(|(_, which, _)| *which == kind).map(|(project, _, rule)| (*project, *rule)).collect();
            if !self.may_be_due(kind, &of_kind).await? {
                continue;
            }
            for project in &projects {
                if !self.has_turn(holder).await? {
                    return Ok(gone);
                }
                let rule = of_kind.iter().find(|(of, _)| of == project).map(|(_, rule)| *rule).unwrap_or_default();
                gone += self.retain_one(kind, *project, rule).await?;
            }
        }
        Ok(gone)
    }

    /// Deletes scores of what is kept no longer, unless another server is at it: a project keeps what was said of its traces as
    /// long as it keeps their spans. Answers how many went.
    pub async fn retain_scores(&self, holder: &str) -> Result<u64, KeepingFault> {
        let KeepingParts { catalog, spans, keep_for, .. } = &*self.parts;
        let Some(scores) = &spans.scores else { return Ok(0) };
        let rules: Vec<(ProjectId, Retention)> = store::rules(catalog)
            .await?
            .into_iter()
            .filter(|(_, kind, _)| *kind == Telemetry::Spans)
            .map(|(project, _, rule)| (project, rule))
            .collect();
        let now = self.now();
        let shortest = rules.iter().filter_map(|(_, rule)| rule.keep_for).fold(*keep_for, Duration::min);
        let by_bytes = rules.iter().any(|(_, rule)| rule.max_bytes.is_some());
        // One look at all projects, since mostly nothing is to be done.
        if !by_bytes && !scores.any_before(now.minus(shortest)).await? {
            return Ok(0);
        }
        let mut gone = 0;
        for project in store::projects(catalog).await? {
            if !self.has_turn(holder).await? {
                break;
            }
            let rule = rules.iter().find(|(of, _)| *of == project).map(|(_, rule)| *rule).unwrap_or_default();
            let mut before = now.minus(rule.keep_for.unwrap_or(*keep_for));
            if rule.max_bytes.is_some()
                && let Some(oldest) = oldest(spans.table().as_ref(), &of_project(Telemetry::Spans, project)).await?
            {
                // A score is stored after its trace began, give or take what clocks differ: what is older is of spans that went.
                before = before.max(Timestamp::from_micros(oldest.saturating_sub(CLOCKS_DIFFER)));
            }
            let deleted = scores.expire(project, before).await?;
            if deleted > 0 {
                tracing::info!(%project, scores = deleted, "scores of what is kept no longer were deleted");
            }
            gone += deleted;
        }
        Ok(gone)
    }

    /// Before it no project keeps anything of these kinds.
    pub async fn kept_since(&self, kinds: &[Telemetry]) -> Result<Timestamp, KeepingFault> {
        let rules = store::rules(&self.parts.catalog).await?;
        let of_kinds = rules.iter().filter(|(_, which, _)| kinds.contains(which));
        let longest = of_kinds.filter_map(|(_, _, rule)| rule.keep_for).fold(self.parts.keep_for, Duration::max);
        Ok(self.now().minus(longest))
    }

    /// The project keeps nothing of this kind that began before it.
    pub async fn begun_since(&self, project: ProjectId, kind: Telemetry) -> Result<Timestamp, KeepingFault> {
        let rules = store::rules(&self.parts.catalog).await?;
        let own = rules.iter().find(|(of, which, _)| (*of, *which) == (project, kind)).and_then(|(_, _, rule)| rule.keep_for);
        Ok(self.now().minus(own.unwrap_or(self.parts.keep_for)))
    }

    async fn has_turn(&self, holder: &str) -> Result<bool, KeepingFault> {
        let now = self.now();
        Ok(store::take_turn(&self.parts.catalog, holder, (now, now.plus(TURN))).await?)
    }

    /// One look at all projects, since mostly nothing is.
    async fn may_be_due(&self, kind: Telemetry, rules: &[(ProjectId, Retention)]) -> Result<bool, KeepingFault> {
        if rules.iter().any(|(_, rule)| rule.max_bytes.is_some()) {
            return Ok(true);
        }
        let shortest = rules.iter().filter_map(|(_, rule)| rule.keep_for).fold(self.parts.keep_for, Duration::min);
        let old = kind.before(self.now().minus(shortest));
        Ok(self.table(kind).await?.count(old).await.map_err(TraceFault::from)? > 0)
    }

    async fn retain_one(&self, kind: Telemetry, project: ProjectId, rule: Retention) -> Result<u64, KeepingFault> {
        let table = self.table(kind).await?;
        let among = of_project(kind, project);
        let now = self.now();
        let mut before = now.minus(rule.keep_for.unwrap_or(self.parts.keep_for));
        if let Some(most) = rule.max_bytes
            && let Some(full) = full_before(table, kind, &among, most).await?
        {
            before = before.max(full);
        }
        let old = among.and(kind.before(before));
        let Weight { rows, bytes, .. } = weigh(table, kind, old.clone()).await?;
        if rows == 0 {
            return Ok(0);
        }
        let deleted = self.delete(kind, old).await?;
        self.parts
            .catalog
            .transact(|mut tx| async move {
                store::removed(&mut tx, (project, kind), (now, deleted, bytes)).await?;
                Ok::<_, KeepingFault>((tx, ()))
            })
            .await?;
        tracing::info!(%project, kind = kind.as_str(), rows = deleted, bytes, "what is kept no longer was deleted");
        Ok(deleted)
    }

    /// Deletes rows, the oldest first, so many at a time.
    pub(super) async fn delete(&self, kind: Telemetry, these: Filter) -> Result<u64, TraceFault> {
        let table = self.table(kind).await?;
        let mut deleted = 0;
        loop {
            let oldest = Scan::of(these.clone()).columns(&[kind.time()]).order(kind.time(), Order::Ascending).limit(AT_ONCE);
            let (mut found, mut last) = (0, None);
            for batch in table.scan(oldest).await? {
                if let Some(row) = batch.num_rows().checked_sub(1) {
                    (found, last) = (found + batch.num_rows(), Rows(&batch).number(kind.time(), row)?);
                }
            }
            let Some(last) = last else { return Ok(deleted) };
            let some = these.clone().and(Filter::LtEq(kind.time().into(), last.into()));
            // Rows that are rewritten meanwhile would come back.
            let turn = if kind == Telemetry::Points { None } else { Some(self.parts.spans.kept().deleting().await) };
            deleted += table.replace(some, None).await?.deleted;
            drop(turn);
            if found < AT_ONCE {
                return Ok(deleted);
            }
        }
    }
}

fn of_project(kind: Telemetry, project: ProjectId) -> Filter {
    Filter::eq("project", project.to_string()).and(kind.rows())
}

/// When the first of these spans began.
async fn oldest(spans: &dyn Table, among: &Filter) -> Result<Option<i64>, TraceFault> {
    let scan = Scan::of(among.clone()).columns(&["start"]).order("start", Order::Ascending).limit(1);
    let batches = spans.scan(scan).await?;
    let first = batches.iter().find(|batch| batch.num_rows() > 0).map(|batch| Rows(batch).number("start", 0)).transpose()?;
    Ok(first.flatten())
}

/// What a row of the table takes on the average.
async fn width(table: &dyn Table) -> Result<u64, TraceFault> {
    let stats = table.stats().await?;
    Ok(stats.bytes.unwrap_or(0).div_ceil((stats.rows + stats.deleted_rows).max(1)))
}

async fn weigh(table: &dyn Table, kind: Telemetry, among: Filter) -> Result<Weight, TraceFault> {
    let mut question =
        Aggregate::of(among).measure("rows", MeasureOf::Rows).measure("oldest", MeasureOf::Min(kind.time().to_owned()));
    if kind != Telemetry::Points {
        question = question.measure("large", MeasureOf::Sum("large_bytes".to_owned()));
    }
    let mut weight = Weight::default();
    for batch in table.aggregate(question).await?.batches {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            weight.rows = count(rows.number("rows", row)?);
            weight.oldest = rows.number("oldest", row)?;
            weight.bytes = if kind == Telemetry::Points { 0 } else { count(rows.number("large", row)?) };
        }
    }
    if weight.rows > 0 {
        weight.bytes = weight.bytes.saturating_add(weight.rows.saturating_mul(width(table).await?));
    }
    Ok(weight)
}

fn count(number: Option<i64>) -> u64 {
    number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
}

/// Before when rows must go so that the rest takes no more bytes than this; none where all of them fit.
async fn full_before(table: &dyn Table, kind: Telemetry, among: &Filter, most: u64) -> Result<Option<Timestamp>, TraceFault> {
    let width = width(table).await?;
    let mut question = Aggregate::of(among.clone()).by_bucket("hour", kind.time(), HOUR, 0).measure("rows", MeasureOf::Rows);
    if kind != Telemetry::Points {
        question = question.measure("large", MeasureOf::Sum("large_bytes".to_owned()));
    }
    let mut held: u64 = 0;
    for batch in table.aggregate(question.order("hour", Order::Descending).limit(HOURS_MAX)).await?.batches {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let found = count(rows.number("rows", row)?);
            let large = if kind == Telemetry::Points { 0 } else { count(rows.number("large", row)?) };
            let bytes = found.saturating_mul(width).saturating_add(large);
            let over = held.saturating_add(bytes).saturating_sub(most);
            if over > 0 {
                let hour = rows.number("hour", row)?.unwrap_or_default();
                return within_hour(table, kind, among, hour, too_many(found, bytes, over)).await.map(Some);
            }
            held += bytes;
        }
    }
    Ok(None)
}

/// How many of an hour's rows must go when this much of its bytes is too much.
fn too_many(rows: u64, bytes: u64, over: u64) -> u64 {
    let share = u128::from(over) * u128::from(rows);
    u64::try_from(share.div_ceil(u128::from(bytes.max(1)))).unwrap_or(rows).clamp(1, rows.max(1))
}

/// After so many of an hour's rows.
async fn within_hour(table: &dyn Table, kind: Telemetry, among: &Filter, hour: i64, rows: u64) -> Result<Timestamp, TraceFault> {
    let from = Filter::GtEq(kind.time().into(), hour.into());
    let these = among.clone().and(from).and(Filter::Lt(kind.time().into(), hour.saturating_add(HOUR).into()));
    let mut scan = Scan::of(these).columns(&[kind.time()]).order(kind.time(), Order::Ascending).limit(1);
    scan.offset = usize::try_from(rows.saturating_sub(1)).unwrap_or(usize::MAX);
    for batch in table.scan(scan).await? {
        if batch.num_rows() > 0 {
            let last = Rows(&batch).number(kind.time(), 0)?.unwrap_or(hour);
            return Ok(Timestamp::from_micros(last.saturating_add(1)));
        }
    }
    Ok(Timestamp::from_micros(hour))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::too_many;

    #[test]
    fn as_many_rows_go_as_are_too_much() {
        assert_eq!(too_many(100, 1_000, 1), 1);
        assert_eq!(too_many(100, 1_000, 500), 50);
        assert_eq!(too_many(100, 1_000, 501), 51);
        assert_eq!(too_many(100, 1_000, 5_000), 100);
        assert_eq!(too_many(3, 0, 7), 3, "rows of no width");
    }

    proptest! {
        #[test]
        fn what_stays_fits(rows in 1_u64..1_000_000, width in 1_u64..10_000, over in 1_u64..1_000_000_000) {
            let bytes = rows * width;
            let over = over.min(bytes);
            let gone = too_many(rows, bytes, over);
            prop_assert!(gone >= 1 && gone <= rows && gone * width >= over);
        }
    }
}
