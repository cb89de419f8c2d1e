//! Reading calls back.

use std::collections::VecDeque;

use mainspring_kernel::{
    Actor, Page, PageRequest, Role, Timestamp,
    id::{ApiKeyId, BatchId, CallId, ProjectId},
    page::cursor,
};
use mainspring_llm::TraceId;

use super::{
    Ledger,
    batch::ended_at,
    fault::LedgerFault,
    frames::{self, Entry},
    open::records,
    rules::needs,
    window::hour_of,
};
use crate::{
    record::{CallRecord, CallStatus},
    store::{self, SegmentHead, Stretch},
};

/// Records looked at for one page. A filter that few calls pass gives pages that are not full, with more behind them.
const LOOKED_AT_MAX: usize = 50_000;
const SEGMENTS_AT_ONCE: usize = 8;

/// Which calls. By when they ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub key: Option<ApiKeyId>,
    pub user: Option<String>,
    pub app: Option<String>,
    /// As the client named it, or the route.
    pub model: Option<String>,
    pub provider: Option<String>,
    pub status: Option<CallStatus>,
    pub trace: Option<TraceId>,
    /// Lines of it.
    pub batch: Option<BatchId>,
}

/// The place of a call in the list: when it ended, in microseconds, and its id.
type Place = (i64, CallId);

fn place(record: &CallRecord) -> Place {
    (ended_at(record).as_micros(), record.id)
}

impl CallFilter {
    fn passes(&self, record: &CallRecord) -> bool {
        let Self { since, until, key, user, app, model, provider, status, trace, batch } = self;
        let ended = ended_at(record);
        let same = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        since.is_none_or(|since| ended >= since)
            && until.is_none_or(|until| ended < until)
            && (key.is_none() || *key == record.caller.key)
            && same(user, &record.caller.user)
            && same(app, &record.caller.app)
            && (same(provider, &record.provider) || record.parts().any(|part| part.provider == provider.as_deref()))
            && status.is_none_or(|status| status == record.status)
            && trace.is_none_or(|trace| trace == record.trace)
            && (batch.is_none() || *batch == record.caller.line_of)
            && model.as_ref().is_none_or(|model| *model == record.model || record.route.as_ref() == Some(model))
    }
}

impl Ledger {
    /// The calls of the actor's project that were let in by this process and have not ended, in the order in which they
    /// began. What they used is not known yet: they hold what was set aside.
    pub fn open_calls(&self, actor: &Actor) -> Result<Vec<CallRecord>, LedgerFault> {
        needs(actor, Role::Reader)?;
        let frames = self.state().journal.open_frames();
        let ours = |entry| match entry {
            Entry::Began(record) if record.caller.project == actor.project => Some(record),
            _ => None,
        };
        let mut calls: Vec<CallRecord> = frames::parse(&frames).entries.into_iter().filter_map(ours).collect();
        calls.sort_by_key(|record| (record.at, record.id));
        Ok(calls)
    }

    /// The calls of the actor's project that are in the catalog, by when they ended, newest first.
    pub async fn calls(&self, actor: &Actor, filter: &CallFilter, page: &PageRequest) -> Result<Page<CallRecord>, LedgerFault> {
        needs(actor, Role::Reader)?;
        let after = page.after::<Place>()?;
        let until = filter.until.map_or(i64::MAX, Timestamp::as_micros);
        let newest = after.map_or(until, |(ended, _)| ended.min(until));
        let oldest = filter.since.unwrap_or(Timestamp::from_micros(i64::MIN));
        let stretch = Stretch {
            hours: (hour_of(oldest), hour_of(Timestamp::from_micros(newest))),
            ended_by: Timestamp::from_micros(newest),
        };
        Reading { ledger: self, project: actor.project, stretch, filter, after, found: Vec::new() }.page(page.limit()).await
    }
}

/// Segments come by their last call, newest first, and overlap: a record is in its place once every segment that may hold a
/// newer one is read.
struct Reading<'r> {
    ledger: &'r Ledger,
    project: ProjectId,
    stretch: Stretch,
    filter: &'r CallFilter,
    after: Option<Place>,
    /// What passed and may still be behind something newer.
    found: Vec<CallRecord>,
}

impl Reading<'_> {
    async fn page(mut self, limit: usize) -> Result<Page<CallRecord>, LedgerFault> {
        let mut items = Vec::new();
        let (mut queue, mut last, mut looked_at) = (VecDeque::<SegmentHead>::new(), None, 0);
        loop {
            if queue.is_empty() {
                let more = self.segments(last.as_ref()).await?;
                last = more.last().cloned().or(last);
                queue.extend(more);
            }
            let bound = queue.front().map(|head| head.last_end.as_micros());
            self.settle(bound, &mut items, limit + 1);
            if items.len() > limit {
                items.truncate(limit);
                let next = items.last().map(|record| cursor(&place(record)));
                return Ok(Page { items, next });
            }
            let Some(head) = queue.pop_front() else { return Ok(Page { items, next: None }) };
            if looked_at >= LOOKED_AT_MAX {
                // Everything newer than the next segment has been looked at.
                let next = (head.last_end.as_micros(), CallId::from_raw(u128::MAX));
                return Ok(Page { items, next: Some(cursor(&next)) });
            }
            let records = records(vec![head]).await?;
            looked_at += records.len();
            let wanted = |record: &CallRecord| self.after.is_none_or(|after| place(record) < after) && self.filter.passes(record);
            let passed: Vec<CallRecord> = records.into_iter().filter(wanted).collect();
            self.found.extend(passed);
        }
    }

    async fn segments(&self, after: Option<&SegmentHead>) -> Result<Vec<SegmentHead>, LedgerFault> {
        let catalog = &self.ledger.inner.parts.catalog;
        Ok(store::segments_before(catalog, self.project, self.stretch, after, SEGMENTS_AT_ONCE).await?)
    }

    /// Moves to the page what no segment to come can get in front of.
    fn settle(&mut self, bound: Option<i64>, items: &mut Vec<CallRecord>, limit: usize) {
        self.found.sort_by_key(|record| std::cmp::Reverse(place(record)));
        let settled = self.found.iter().take_while(|record| bound.is_none_or(|bound| place(record).0 > bound)).count();
        let room = limit.saturating_sub(items.len());
        items.extend(self.found.drain(..settled.min(room)));
    }
}
