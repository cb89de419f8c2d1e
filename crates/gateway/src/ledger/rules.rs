//! Setting, listing and removing limits.

use std::collections::HashMap;

use mainspring_catalog::{AuditEntry, Tx};
use mainspring_kernel::{Actor, Money, Page, PageRequest, Role, Timestamp, id::LimitId};
use serde_json::json;

use super::{
    Ledger,
    fault::LedgerFault,
    limit::{EACH, Limit, Metric, NewLimit, SubjectKind},
    meters::MeterKey,
};
use crate::{
    limits::{Bucket, Rate},
    store,
};

const LIMITS_MAX: usize = 1_000;

/// A limit, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitState {
    pub limit: Limit,
    /// Of a budget with one subject: spent since its window began, as far as it is written down.
    pub spent: Option<Money>,
    /// Of a budget: when it begins anew.
    pub resets: Option<Timestamp>,
    /// Of another limit with one subject: how much of it is left at this moment. What several processes share is told as
    /// the catalog has it, where what a process has fetched ahead counts as taken.
    pub left: Option<u64>,
}

impl Ledger {
    /// Newest first.
    pub async fn limits(&self, actor: &Actor, page: &PageRequest) -> Result<Page<LimitState>, LedgerFault> {
        needs(actor, Role::Reader)?;
        let before = page.after::<LimitId>()?;
        let (catalog, now) = (&self.inner.parts.catalog, self.inner.parts.clock.now());
        let limits = store::limits(catalog, actor.project, before, page.limit() + 1).await?;
        let page = Page::from_overfetch(limits, page, |limit| limit.id);
        let spent = if page.items.iter().any(|limit| limit.metric.span().is_some()) {
            store::budgets_now(catalog, now).await?
        } else {
            Vec::new()
        };
        let spent_by = |limit: &Limit| {
            let this = |key: &MeterKey| {
                (key.project, key.kind, key.metric) == (limit.project, limit.kind, limit.metric) && key.subject == limit.subject
            };
            spent.iter().find(|(key, _)| this(&key.meter())).map(|(_, money)| *money)
        };
        let left = self.left(&page.items, now).await?;
        Ok(page.map(|limit| {
            let resets = limit.metric.span().map(|span| span.end(now));
            let has_one_subject = has_one_subject(&limit);
            let spent = resets.filter(|_| has_one_subject).map(|_| spent_by(&limit).unwrap_or_default());
            let left = left.get(&limit.id).copied();
            LimitState { limit, spent, resets, left }
        }))
    }

    /// Of limits that are no budgets and have one subject.
    async fn left(&self, limits: &[Limit], now: Timestamp) -> Result<HashMap<LimitId, u64>, LedgerFault> {
        let counted = |limit: &&Limit| limit.metric.span().is_none() && has_one_subject(limit);
        let counted: Vec<&Limit> = limits.iter().filter(counted).collect();
        let Some(first) = counted.first() else { return Ok(HashMap::new()) };
        let shared = self.state().meters.shared();
        let taken = if shared { Some(store::taken(&self.inner.parts.catalog, first.project, now).await?) } else { None };
        let mut state = self.state();
        let moment = state.meters.now(now);
        let left = |limit: &&Limit| {
            let amount = i128::from(limit.amount.units());
            let left = match (&taken, limit.metric) {
                (Some(taken), Metric::Concurrent) => amount - i128::from(taken.get(&limit.id).copied().unwrap_or(0)),
                (Some(taken), _) => {
                    let rate = Rate(limit.amount.units().max(0).unsigned_abs());
                    Bucket::of(taken.get(&limit.id).copied().unwrap_or(0)).left(rate, moment).into()
                }
                (None, _) => state.meters.quota(&meter(limit), amount, moment).left,
            };
            (limit.id, u64::try_from(left.max(0)).unwrap_or(u64::MAX))
        };
        Ok(counted.iter().map(left).collect())
    }

    /// Sets a limit, in place of one with the same subject and metric. It holds at once in this process and within two
    /// seconds in others.
    pub async fn set_limit(&self, actor: &Actor, new: NewLimit) -> Result<Limit, LedgerFault> {
        needs(actor, Role::Admin)?;
        let new = &new.checked()?;
        let limit = self
            .inner
            .parts
            .catalog
            .transact(|mut tx| async move {
                let now = self.inner.parts.clock.now();
                if store::count_limits(&mut tx, actor.project, new).await? >= LIMITS_MAX {
                    return Err(LedgerFault::TooManyLimits { max: LIMITS_MAX });
                }
                let NewLimit { kind, subject, metric, amount } = new.clone();
                let (id, created_by) = (LimitId::new(now), actor.principal);
                let limit = Limit { id, project: actor.project, kind, subject, metric, amount, created: now, created_by };
                let limit = store::put_limit(&mut tx, &limit).await?;
                // Nobody counted while there was no budget.
                if let Some(span) = metric.span() {
                    store::recount_budget(&mut tx, (actor.project, kind), &limit.subject, (span, now)).await?;
                }
                self.audit(&mut tx, actor, "limit.set", &limit).await?;
                Ok((tx, limit))
            })
            .await?;
        self.reload().await?;
        Ok(limit)
    }

    /// Answers the limit as it was.
    pub async fn remove_limit(&self, actor: &Actor, id: LimitId) -> Result<Limit, LedgerFault> {
        needs(actor, Role::Admin)?;
        let limit = self
            .inner
            .parts
            .catalog
            .transact(|mut tx| async move {
                let limit = store::limit(&mut tx, actor.project, id).await?.ok_or(LedgerFault::LimitNotFound { id })?;
                store::remove_limit(&mut tx, actor.project, id).await?;
                self.audit(&mut tx, actor, "limit.remove", &limit).await?;
                Ok::<_, LedgerFault>((tx, limit))
            })
            .await?;
        self.reload().await?;
        Ok(limit)
    }

    async fn audit(&self, tx: &mut Tx, actor: &Actor, action: &'static str, limit: &Limit) -> Result<(), LedgerFault> {
        let Some(audit) = &self.inner.parts.audit else { return Ok(()) };
        let Limit { id, kind, subject, metric, amount, .. } = limit;
        let detail = json!({
            "limit": id, "kind": kind.as_str(), "subject": subject, "metric": metric.as_str(), "amount": amount.to_string(),
        });
        let entry = AuditEntry { action, subject: format!("{} {subject} {}", kind.as_str(), metric.as_str()), detail };
        Ok(audit.record(tx, actor, entry).await?)
    }
}

fn has_one_subject(limit: &Limit) -> bool {
    limit.subject != EACH || limit.kind == SubjectKind::Project
}

fn meter(limit: &Limit) -> MeterKey {
    let Limit { project, kind, subject, metric, .. } = limit;
    MeterKey { project: *project, kind: *kind, subject: subject.clone(), metric: *metric, starts: Timestamp::default() }
}

pub(super) fn needs(actor: &Actor, needed: Role) -> Result<(), LedgerFault> {
    if actor.may(needed) { Ok(()) } else { Err(LedgerFault::Forbidden { needed }) }
}
