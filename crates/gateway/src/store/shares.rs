//! Limits that several processes keep together: what each has fetched of them.

use std::{collections::HashMap, time::Duration};

use mainspring_catalog::{Catalog, CatalogFault, Row, Tx, params};
use mainspring_kernel::{
    Timestamp,
    id::{LimitId, ProjectId},
};

use super::{
    BudgetKey,
    budgets::{less_lease, open_budget},
    span_of,
};
use crate::ledger::{
    limit::SubjectKind,
    meter::{Reply, Wait, Wish},
};

const BUDGET: &str = "SELECT spent, leased FROM budget_spent \
    WHERE project = $1 AND kind = $2 AND subject = $3 AND span = $4 AND starts = $5";
const LEASE: &str = "UPDATE budget_spent SET leased = leased + $6 \
    WHERE project = $1 AND kind = $2 AND subject = $3 AND span = $4 AND starts = $5";
const PUT_LEASE: &str = "INSERT INTO budget_lease (owner, project, kind, subject, span, starts, amount, forfeited) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, 0) ON CONFLICT (owner, project, kind, subject, span, starts) \
    DO UPDATE SET amount = budget_lease.amount + excluded.amount";
const LESS_LEASE: &str = "UPDATE budget_lease SET amount = amount - $7 WHERE owner = $1 AND project = $2 AND kind = $3 \
    AND subject = $4 AND span = $5 AND starts = $6 AND amount >= $7 AND forfeited = 0";
const LESS_LEASED: &str = "UPDATE budget_spent SET leased = leased - $6 \
    WHERE project = $1 AND kind = $2 AND subject = $3 AND span = $4 AND starts = $5";
const LESS_SPENT: &str = "UPDATE budget_spent SET spent = spent - $6 \
    WHERE project = $1 AND kind = $2 AND subject = $3 AND span = $4 AND starts = $5";
const FORFEIT: &str = "UPDATE budget_spent SET leased = leased - $6, spent = spent + $6 \
    WHERE project = $1 AND kind = $2 AND subject = $3 AND span = $4 AND starts = $5";
const LEASES: &str = "SELECT owner, project, kind, subject, span, starts, amount, forfeited FROM budget_lease WHERE owner = $1";
const REMOVE_LEASES: &str = "DELETE FROM budget_lease WHERE owner = $1";
const DEAD: &str = "SELECT l.owner, l.project, l.kind, l.subject, l.span, l.starts, l.amount, l.forfeited FROM budget_lease l \
    JOIN call_writer w ON w.owner = l.owner WHERE l.forfeited = 0 AND w.seen < $1 LIMIT $2";
const MARK_FORFEIT: &str = "UPDATE budget_lease SET forfeited = 1 WHERE owner = $1 AND project = $2 AND kind = $3 \
    AND subject = $4 AND span = $5 AND starts = $6 AND forfeited = 0";

const MAKE_BUCKET: &str = "INSERT INTO limit_bucket (project, kind, subject, metric, full_at) VALUES ($1, $2, $3, $4, 0) \
    ON CONFLICT (project, kind, subject, metric) DO NOTHING RETURNING full_at";
/// One statement, so that it waits for whoever holds the row and then looks at it again. The time is the database's: the
/// clocks of processes differ. `$5` and `$6` are the least and the most to take, as time to refill.
pub(super) const LEASE_RATE: &str = "WITH moment AS \
    (SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000000 AS BIGINT) AS now), \
    held AS (SELECT full_at FROM limit_bucket WHERE project = $1 AND kind = $2 AND subject = $3 AND metric = $4 FOR UPDATE), \
    plan AS (SELECT LEAST(GREATEST(held.full_at, moment.now), moment.now + 600000000000) AS start, moment.now AS now \
    FROM held, moment) \
    UPDATE limit_bucket SET full_at = CASE \
    WHEN plan.now + 60000000000 - plan.start >= CAST($6 AS BIGINT) THEN plan.start + $6 \
    WHEN plan.now + 60000000000 - plan.start >= CAST($5 AS BIGINT) THEN plan.start + $5 ELSE plan.start END FROM plan \
    WHERE project = $1 AND kind = $2 AND subject = $3 AND metric = $4 \
    RETURNING plan.start AS started, limit_bucket.full_at AS ended, plan.now AS moment";
/// Less than nothing is given back of what was used beyond what was taken: it is owed from now on.
pub(super) const GIVE_BACK_RATE: &str = "UPDATE limit_bucket SET full_at = GREATEST(full_at, CASE WHEN CAST($5 AS BIGINT) < 0 \
    THEN CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000000 AS BIGINT) ELSE 0 END) - $5 \
    WHERE project = $1 AND kind = $2 AND subject = $3 AND metric = $4 RETURNING full_at";

const SLOTS: &str = "SELECT CAST(COALESCE(SUM(s.slots), 0) AS BIGINT) AS taken FROM limit_slot s \
    JOIN call_writer w ON w.owner = s.owner WHERE s.project = $1 AND s.kind = $2 AND s.subject = $3 \
    AND (s.owner = $4 OR w.seen >= $5)";
const PUT_SLOTS: &str = "INSERT INTO limit_slot (owner, project, kind, subject, slots) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (project, kind, subject, owner) DO UPDATE SET slots = limit_slot.slots + excluded.slots";
const LESS_SLOTS: &str = "UPDATE limit_slot SET slots = slots - $5 \
    WHERE owner = $1 AND project = $2 AND kind = $3 AND subject = $4 RETURNING slots";
const EMPTY_SLOTS: &str = "DELETE FROM limit_slot WHERE owner = $1 AND slots <= 0";
const REMOVE_SLOTS: &str = "DELETE FROM limit_slot WHERE owner = $1";

/// Of the limits of a project that have one subject: what all processes have taken of them.
const RATES_TAKEN: &str = "SELECT r.id, b.full_at FROM limit_rule r JOIN limit_bucket b ON b.project = r.project \
    AND b.kind = r.kind AND b.subject = r.subject AND b.metric = r.metric WHERE r.project = $1";
const SLOTS_TAKEN: &str = "SELECT r.id, CAST(SUM(s.slots) AS BIGINT) AS taken FROM limit_rule r JOIN limit_slot s \
    ON s.project = r.project AND s.kind = r.kind AND s.subject = r.subject JOIN call_writer w ON w.owner = s.owner \
    WHERE r.project = $1 AND r.metric = 'concurrent' AND w.seen >= $2 GROUP BY r.id";

pub(super) const STATEMENTS: &[&str] = &[
    RATES_TAKEN,
    SLOTS_TAKEN,
    BUDGET,
    LEASE,
    PUT_LEASE,
    LESS_LEASE,
    LESS_LEASED,
    LESS_SPENT,
    FORFEIT,
    LEASES,
    REMOVE_LEASES,
    DEAD,
    MARK_FORFEIT,
    MAKE_BUCKET,
    SLOTS,
    PUT_SLOTS,
    LESS_SLOTS,
    EMPTY_SLOTS,
    REMOVE_SLOTS,
];

/// Of what is left of a budget no process takes more than this part ahead of need, so that the end is shared finely.
const PART: i64 = 16;
/// A process that was not seen for so long has no calls under way any more.
const SLOTS_LAST: Duration = Duration::from_secs(10);

/// Whose bucket or slots: project, kind of subject, subject, metric.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket<'b> {
    pub(crate) project: ProjectId,
    pub(crate) kind: SubjectKind,
    pub(crate) subject: &'b str,
    pub(crate) metric: &'static str,
}

#[derive(Debug, Clone)]
struct Lease {
    key: BudgetKey,
    owner: String,
    amount: i64,
    forfeited: bool,
}

/// Fetches money of a budget. What is fetched and what is spent never exceed it together.
pub(crate) async fn lease_money(
    tx: &mut Tx,
    owner: &str,
    key: &BudgetKey,
    (limit, wish): (i64, Wish),
) -> Result<Reply, CatalogFault> {
    let BudgetKey { project, kind, subject, span, starts } = key;
    let this = || params![*project, kind.as_str(), subject, span.as_str(), *starts];
    let mut rows = tx.query(BUDGET, this()).await?;
    if rows.is_empty() {
        open_budget(tx, key).await?;
        rows = tx.query(BUDGET, this()).await?;
    }
    let (spent, leased) = match rows.first() {
        Some(row) => (row.int("spent")?, row.int("leased")?),
        None => (0, 0),
    };
    let least = i64::try_from(wish.least).unwrap_or(i64::MAX);
    let left = limit.saturating_sub(spent).saturating_sub(leased);
    if left < least {
        let wait = if limit.saturating_sub(spent) >= least { Wait::Soon } else { Wait::NextWindow };
        return Ok(Reply::Refused { wait, left: left.max(0).into() });
    }
    let most = i64::try_from(wish.most).unwrap_or(i64::MAX).min(left / PART).max(least);
    tx.execute(LEASE, params![*project, kind.as_str(), subject, span.as_str(), *starts, most]).await?;
    tx.execute(PUT_LEASE, params![owner, *project, kind.as_str(), subject, span.as_str(), *starts, most]).await?;
    Ok(Reply::Granted { amount: most.into(), left: (left - most).into(), full_at: 0 })
}

/// Has an owner hold money of a budget, whatever is left of it: the call that it is for is under way.
pub(crate) async fn hold_lease(tx: &mut Tx, owner: &str, key: &BudgetKey, amount: i64) -> Result<(), CatalogFault> {
    let BudgetKey { project, kind, subject, span, starts } = key;
    let more = || params![*project, kind.as_str(), subject, span.as_str(), *starts, amount];
    if tx.execute(LEASE, more()).await? == 0 {
        open_budget(tx, key).await?;
        tx.execute(LEASE, more()).await?;
    }
    tx.execute(PUT_LEASE, params![owner, *project, kind.as_str(), subject, span.as_str(), *starts, amount]).await.map(drop)
}

/// Has `to` hold what `from` held for a call, which is the other's from here on.
pub(crate) async fn move_lease(tx: &mut Tx, (from, to): (&str, &str), key: &BudgetKey, amount: i64) -> Result<(), CatalogFault> {
    less_lease(tx, from, key, amount).await?;
    hold_lease(tx, to, key, amount).await
}

/// Answers whether it was taken back: a lease that was given up by others is settled when its process starts again.
pub(crate) async fn give_back_lease(tx: &mut Tx, owner: &str, key: &BudgetKey, amount: i64) -> Result<bool, CatalogFault> {
    let BudgetKey { project, kind, subject, span, starts } = key;
    let less = params![owner, *project, kind.as_str(), subject, span.as_str(), *starts, amount];
    if tx.execute(LESS_LEASE, less).await? == 0 {
        return Ok(false);
    }
    tx.execute(LESS_LEASED, params![*project, kind.as_str(), subject, span.as_str(), *starts, amount]).await?;
    Ok(true)
}

/// Everything an owner has fetched goes back: it starts anew.
pub(crate) async fn return_leases(tx: &mut Tx, owner: &str) -> Result<(), CatalogFault> {
    for row in &tx.query(LEASES, params![owner]).await? {
        let Lease { key: BudgetKey { project, kind, subject, span, starts }, owner: _, amount, forfeited } = lease(row)?;
        let values = params![project, kind.as_str(), subject, span.as_str(), starts, amount];
        tx.execute(if forfeited { LESS_SPENT } else { LESS_LEASED }, values).await?;
    }
    tx.execute(REMOVE_LEASES, params![owner]).await?;
    tx.execute(REMOVE_SLOTS, params![owner]).await.map(drop)
}

/// Counts as spent what processes hold that were not seen since. Answers how many leases that were.
pub(crate) async fn forfeit_leases(tx: &mut Tx, seen_before: Timestamp, limit: usize) -> Result<usize, CatalogFault> {
    let rows = tx.query(DEAD, params![seen_before, limit]).await?;
    for row in &rows {
        let Lease { key: BudgetKey { project, kind, subject, span, starts }, owner, amount, .. } = lease(row)?;
        let mark = params![owner, project, kind.as_str(), &subject, span.as_str(), starts];
        if tx.execute(MARK_FORFEIT, mark).await? > 0 {
            tx.execute(FORFEIT, params![project, kind.as_str(), subject, span.as_str(), starts, amount]).await?;
        }
    }
    Ok(rows.len())
}

/// Fetches of a bucket: the most, or else the least. `nanos` turns an amount into the time it takes to refill, and `here` is
/// the moment on the clock of this process.
pub(crate) async fn lease_rate(
    catalog: &Catalog,
    bucket: Bucket<'_>,
    (wish, limit): (Wish, i128),
    nanos: impl Fn(i128) -> i64,
    here: i64,
) -> Result<Reply, CatalogFault> {
    let Bucket { project, kind, subject, metric } = bucket;
    let (least, most) = (nanos(wish.least), nanos(wish.most));
    let values = || params![project, kind.as_str(), subject, metric, least, most];
    let mut rows = catalog.write(LEASE_RATE, values()).await?;
    if rows.is_empty() {
        catalog.write(MAKE_BUCKET, params![project, kind.as_str(), subject, metric]).await?;
        rows = catalog.write(LEASE_RATE, values()).await?;
    }
    let Some(row) = rows.first() else { return Ok(Reply::Refused { wait: Wait::Soon, left: 0 }) };
    let (start, end, now) = (row.int("started")?, row.int("ended")?, row.int("moment")?);
    let left = |full_at: i64| {
        let room = i128::from((now + 60_000_000_000 - full_at).max(0));
        room * limit / 60_000_000_000
    };
    if end == start && least > 0 {
        let wait = (start + least).saturating_sub(now).saturating_sub(60_000_000_000).max(0);
        let wait = Wait::Exactly(Duration::from_nanos(wait.unsigned_abs()));
        return Ok(Reply::Refused { wait, left: left(end) });
    }
    let amount = if end - start == most { wish.most } else { wish.least };
    Ok(Reply::Granted { amount, left: left(end), full_at: here.saturating_add(end.saturating_sub(now)) })
}

pub(crate) async fn give_back_rate(catalog: &Catalog, bucket: Bucket<'_>, nanos: i64) -> Result<(), CatalogFault> {
    let Bucket { project, kind, subject, metric } = bucket;
    catalog.write(GIVE_BACK_RATE, params![project, kind.as_str(), subject, metric, nanos]).await.map(drop)
}

/// Fetches calls that may be under way at once.
pub(crate) async fn lease_slots(
    tx: &mut Tx,
    owner: &str,
    bucket: Bucket<'_>,
    (limit, wish): (i64, Wish),
    now: Timestamp,
) -> Result<Reply, CatalogFault> {
    let Bucket { project, kind, subject, .. } = bucket;
    let alive = now.minus(SLOTS_LAST);
    let rows = tx.query(SLOTS, params![project, kind.as_str(), subject, owner, alive]).await?;
    let taken = rows.first().map_or(Ok(0), |row| row.int("taken"))?;
    let left = limit.saturating_sub(taken);
    let least = i64::try_from(wish.least).unwrap_or(i64::MAX);
    if left < least {
        return Ok(Reply::Refused { wait: Wait::Soon, left: left.max(0).into() });
    }
    let most = i64::try_from(wish.most).unwrap_or(i64::MAX).min(left);
    tx.execute(PUT_SLOTS, params![owner, project, kind.as_str(), subject, most]).await?;
    Ok(Reply::Granted { amount: most.into(), left: (left - most).into(), full_at: 0 })
}

/// What all processes have taken of the limits that are no budgets: of one by the minute when it is full again, in
/// nanoseconds, and of one on calls at once how many there are. What a process has fetched and not used is among it.
pub(crate) async fn taken(catalog: &Catalog, project: ProjectId, now: Timestamp) -> Result<HashMap<LimitId, i64>, CatalogFault> {
    let mut taken = HashMap::new();
    for row in &catalog.query(RATES_TAKEN, params![project]).await? {
        taken.insert(row.parse("id")?, row.int("full_at")?);
    }
    for row in &catalog.query(SLOTS_TAKEN, params![project, now.minus(SLOTS_LAST)]).await? {
        taken.insert(row.parse("id")?, row.int("taken")?);
    }
    Ok(taken)
}

/// Has an owner hold calls at once, however many there are: they are under way.
pub(crate) async fn hold_slots(tx: &mut Tx, owner: &str, bucket: Bucket<'_>, slots: i64) -> Result<(), CatalogFault> {
    let Bucket { project, kind, subject, .. } = bucket;
    tx.execute(PUT_SLOTS, params![owner, project, kind.as_str(), subject, slots]).await.map(drop)
}

/// Has `to` hold calls at once that `from` held, and which are the other's from here on.
pub(crate) async fn move_slots(
    tx: &mut Tx,
    (from, to): (&str, &str),
    bucket: Bucket<'_>,
    slots: i64,
) -> Result<(), CatalogFault> {
    give_back_slots(tx, from, bucket, slots).await?;
    hold_slots(tx, to, bucket, slots).await
}

pub(crate) async fn give_back_slots(tx: &mut Tx, owner: &str, bucket: Bucket<'_>, slots: i64) -> Result<(), CatalogFault> {
    let Bucket { project, kind, subject, .. } = bucket;
    tx.execute(LESS_SLOTS, params![owner, project, kind.as_str(), subject, slots]).await?;
    tx.execute(EMPTY_SLOTS, params![owner]).await.map(drop)
}

fn lease(row: &Row) -> Result<Lease, CatalogFault> {
    let key = BudgetKey {
        project: row.parse("project")?,
        kind: row.parse("kind")?,
        subject: row.text("subject")?.to_owned(),
        span: span_of(row)?,
        starts: row.time("starts")?,
    };
    Ok(Lease { key, owner: row.text("owner")?.to_owned(), amount: row.int("amount")?, forfeited: row.bool("forfeited")? })
}
