//! SQL of the gateway lives here and nowhere else.

mod background;
mod budgets;
mod calls;
mod limits;
mod makers;
mod shares;
mod usage;
mod writers;

use mainspring_catalog::{CatalogFault, Row};
use mainspring_kernel::{Money, Timestamp, id::ProjectId};

use crate::ledger::{
    limit::{Metric, SubjectKind},
    meters::MeterKey,
    window::Span,
};

pub(crate) use background::{
    WaitedFor, adopt, background, end_background, forget_background, is_own, orphans, own_background, put_background,
    said_of_background, say_of_background, strayed, strays,
};
pub(crate) use budgets::{Spend, budgets_now, forget_budgets, recount_budget, spend};
pub(crate) use calls::{
    SegmentHead, SegmentRow, Stretch, forget_segments, insert_segment, remove_segment, segments_at, segments_before,
    segments_since, small_hours, small_segments,
};
pub(crate) use limits::{all_limits, budget_limits, count_limits, limit, limits, put_limit, remove_limit};
pub use makers::Maker;
pub(crate) use makers::{MakerKey, MakerRow, add_makers, forget_makers, maker, put_maker};
pub(crate) use shares::{
    Bucket, forfeit_leases, give_back_lease, give_back_rate, give_back_slots, hold_lease, hold_slots, lease_money, lease_rate,
    lease_slots, move_lease, move_slots, return_leases, taken,
};
pub(crate) use usage::{UsageSum, add_usage, usage};
pub(crate) use writers::{Claim, claim_batch, open_writer, seen_writer, writers_seen};

/// Every statement for both engines, for the test that compiles them.
pub const STATEMENTS: &[&[&str]] = &[
    background::STATEMENTS,
    budgets::STATEMENTS,
    calls::STATEMENTS,
    limits::STATEMENTS,
    makers::STATEMENTS,
    shares::STATEMENTS,
    usage::STATEMENTS,
    writers::STATEMENTS,
];
/// Statements only SQLite takes.
pub const SQLITE_STATEMENTS: &[&str] = &[background::STRAYS_SQLITE, makers::ADD_SQLITE, usage::ADD_SQLITE];
/// Statements only PostgreSQL takes.
pub const POSTGRES_STATEMENTS: &[&str] =
    &[background::STRAYS_POSTGRES, makers::ADD_POSTGRES, usage::ADD_POSTGRES, shares::LEASE_RATE, shares::GIVE_BACK_RATE];

/// A budget's subject and window, as tables have it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BudgetKey {
    pub(crate) project: ProjectId,
    pub(crate) kind: SubjectKind,
    pub(crate) subject: String,
    pub(crate) span: Span,
    pub(crate) starts: Timestamp,
}

impl BudgetKey {
    pub(crate) fn ends(&self) -> Timestamp {
        self.span.end(self.starts)
    }

    pub(crate) fn meter(&self) -> MeterKey {
        let metric = match self.span {
            Span::Day => Metric::UsdPerDay,
            Span::Month => Metric::UsdPerMonth,
        };
        MeterKey { project: self.project, kind: self.kind, subject: self.subject.clone(), metric, starts: self.starts }
    }

    /// `None` for a meter that is not about money.
    pub(crate) fn of(key: &MeterKey) -> Option<Self> {
        let span = key.metric.span()?;
        Some(Self { project: key.project, kind: key.kind, subject: key.subject.clone(), span, starts: key.starts })
    }
}

fn span_of(row: &Row) -> Result<Span, CatalogFault> {
    let text = row.text("span")?;
    Span::ALL
        .into_iter()
        .find(|span| span.as_str() == text)
        .ok_or_else(|| CatalogFault::Column { column: "span".to_owned(), reason: "neither a day nor a month".to_owned() })
}

fn money(row: &Row, column: &str) -> Result<Money, CatalogFault> {
    Ok(Money::from_pico(row.int(column)?.into()))
}
