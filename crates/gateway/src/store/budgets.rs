//! What budgets' subjects have spent, window by window.

use mainspring_catalog::{Catalog, CatalogFault, Tx, params};
use mainspring_kernel::{Money, Timestamp, id::ProjectId};

use super::{BudgetKey, money, span_of};
use crate::ledger::{
    limit::SubjectKind,
    window::{Span, hour_of},
};

/// What `$2`, a kind of subject, calls the subject of a row of `usage_hour`.
macro_rules! subject {
    () => {
        "CASE CAST($2 AS TEXT) WHEN 'key' THEN api_key WHEN 'principal' THEN principal WHEN 'user' THEN end_user \
         WHEN 'model' THEN CASE WHEN route <> '' THEN route ELSE model END ELSE '*' END"
    };
}

/// The cost of rows of `usage_hour`, cut off before it leaves the range of an integer.
macro_rules! total {
    () => {
        "CASE WHEN COALESCE(SUM(cost / 1000000), 0) > 9000000000000 THEN 9223372036854775807 \
         ELSE CAST(COALESCE(SUM(cost / 1000000), 0) * 1000000 + COALESCE(SUM(cost % 1000000), 0) AS BIGINT) END"
    };
}

const OPEN: &str = concat!(
    "INSERT INTO budget_spent (project, kind, subject, span, starts, spent, leased) \
     SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS BIGINT), ",
    total!(),
    ", 0 FROM usage_hour WHERE project = $1 AND hour >= $6 AND hour < $7 AND ",
    subject!(),
    " = $3 ON CONFLICT (project, kind, subject, span, starts) DO NOTHING"
);
const RECOUNT: &str = concat!(
    "INSERT INTO budget_spent (project, kind, subject, span, starts, spent, leased) \
     SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), ",
    subject!(),
    ", CAST($3 AS TEXT), CAST($4 AS BIGINT), ",
    total!(),
    ", 0 FROM usage_hour WHERE project = $1 AND hour >= $5 AND hour < $6 AND (CAST($7 AS TEXT) = '*' OR ",
    subject!(),
    " = $7) GROUP BY 3 ON CONFLICT (project, kind, subject, span, starts) DO UPDATE SET spent = excluded.spent"
);
const ADD: &str = "UPDATE budget_spent SET spent = CASE WHEN spent > 9223372036854775807 - $6 THEN 9223372036854775807 \
    ELSE spent + $6 END WHERE project = $1 AND kind = $2 AND subject = $3 AND span = $4 AND starts = $5";
const LEASED: &str = "SELECT amount, forfeited FROM budget_lease \
    WHERE owner = $1 AND project = $2 AND kind = $3 AND subject = $4 AND span = $5 AND starts = $6";
const USE_LEASE: &str = "UPDATE budget_lease SET amount = amount - $7 \
    WHERE owner = $1 AND project = $2 AND kind = $3 AND subject = $4 AND span = $5 AND starts = $6";
const LEASE_USED: &str = "UPDATE budget_spent SET leased = leased - $6 \
    WHERE project = $1 AND kind = $2 AND subject = $3 AND span = $4 AND starts = $5";
/// What was counted as spent when its process was given up turns out to be a part of what is spent now.
const FORFEIT_USED: &str = "UPDATE budget_spent SET spent = spent - $6 \
    WHERE project = $1 AND kind = $2 AND subject = $3 AND span = $4 AND starts = $5";
const NOW: &str = "SELECT project, kind, subject, span, starts, spent FROM budget_spent \
    WHERE (span = 'day' AND starts = $1) OR (span = 'month' AND starts = $2)";
const FORGET: &str = "DELETE FROM budget_spent WHERE starts < $1 RETURNING starts";
const FORGET_LEASES: &str = "DELETE FROM budget_lease WHERE starts < $1 RETURNING starts";

pub(super) const STATEMENTS: &[&str] =
    &[OPEN, RECOUNT, ADD, LEASED, USE_LEASE, LEASE_USED, FORFEIT_USED, NOW, FORGET, FORGET_LEASES];

/// Money spent of one budget by one batch of calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spend {
    pub(crate) key: BudgetKey,
    pub(crate) amount: i64,
}

/// Makes the row of a budget, unless it is there, with what was spent before there was a budget.
pub(crate) async fn open_budget(tx: &mut Tx, key: &BudgetKey) -> Result<(), CatalogFault> {
    let BudgetKey { project, kind, subject, span, starts } = key;
    let (from, to) = (hour_of(*starts), hour_of(key.ends()));
    tx.execute(OPEN, params![*project, kind.as_str(), subject, span.as_str(), *starts, from, to]).await.map(drop)
}

/// Counts anew what was spent since the window began; `subject` may be `*` for each there is.
pub(crate) async fn recount_budget(
    tx: &mut Tx,
    (project, kind): (ProjectId, SubjectKind),
    subject: &str,
    (span, now): (Span, Timestamp),
) -> Result<(), CatalogFault> {
    let (starts, ends) = (span.start(now), span.end(now));
    let values = params![project, kind.as_str(), span.as_str(), starts, hour_of(starts), hour_of(ends), subject];
    tx.execute(RECOUNT, values).await.map(drop)
}

/// Adds what a batch spent, whose sums by the hour are in already. With an owner, it is taken from what that process has
/// leased; answers what the lease did not cover.
pub(crate) async fn spend(tx: &mut Tx, spend: &Spend, owner: Option<&str>) -> Result<i64, CatalogFault> {
    let Spend { key, amount } = spend;
    let BudgetKey { project, kind, subject, span, starts } = key;
    let spending = params![*project, kind.as_str(), subject, span.as_str(), *starts, *amount];
    if tx.execute(ADD, spending).await? == 0 {
        open_budget(tx, key).await?;
    }
    let Some(owner) = owner else { return Ok(0) };
    Ok(amount - less_lease(tx, owner, key, *amount).await?)
}

/// Takes money out of what an owner has fetched; answers how much there was of it.
pub(super) async fn less_lease(tx: &mut Tx, owner: &str, key: &BudgetKey, amount: i64) -> Result<i64, CatalogFault> {
    let BudgetKey { project, kind, subject, span, starts } = key;
    let lease = params![owner, *project, kind.as_str(), subject, span.as_str(), *starts];
    let rows = tx.query(LEASED, lease).await?;
    let Some(row) = rows.first() else { return Ok(0) };
    let (leased, forfeited) = (row.int("amount")?, row.bool("forfeited")?);
    let covered = leased.min(amount).max(0);
    if covered > 0 {
        let using = params![owner, *project, kind.as_str(), subject, span.as_str(), *starts, covered];
        tx.execute(USE_LEASE, using).await?;
        let of = params![*project, kind.as_str(), subject, span.as_str(), *starts, covered];
        tx.execute(if forfeited { FORFEIT_USED } else { LEASE_USED }, of).await?;
    }
    Ok(covered)
}

/// What was spent in the windows that hold the moment.
pub(crate) async fn budgets_now(catalog: &Catalog, now: Timestamp) -> Result<Vec<(BudgetKey, Money)>, CatalogFault> {
    let rows = catalog.query(NOW, params![Span::Day.start(now), Span::Month.start(now)]).await?;
    rows.iter()
        .map(|row| {
            let key = BudgetKey {
                project: row.parse("project")?,
                kind: row.parse("kind")?,
                subject: row.text("subject")?.to_owned(),
                span: span_of(row)?,
                starts: row.time("starts")?,
            };
            Ok((key, money(row, "spent")?))
        })
        .collect()
}

/// Removes windows that began before the moment. The sums by the hour stay.
pub(crate) async fn forget_budgets(catalog: &Catalog, before: Timestamp) -> Result<(), CatalogFault> {
    catalog.write(FORGET_LEASES, params![before]).await?;
    catalog.write(FORGET, params![before]).await.map(drop)
}
