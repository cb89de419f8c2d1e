//! From settled calls to what the catalog keeps of them: segments of records, sums by the hour, money of budgets.

use std::{
    collections::{BTreeMap, HashMap, btree_map::Entry},
    io::{Read as _, Write as _},
    time::Duration,
};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use mainspring_kernel::{Money, Timestamp, id::ProjectId};
use mainspring_llm::Provenance;
use serde::Serialize;

use super::{
    book::{Book, Subjects},
    frames,
    limit::{Limit, units},
    window::{hour_of, hour_start},
};
use crate::{
    record::{CallRecord, CallStatus, Part, PriceStamp},
    store::{BudgetKey, MakerKey, MakerRow, SegmentRow, Spend},
};

/// A batch this large is written at once.
pub(crate) const BATCH_CALLS: usize = 2_000;
/// A record that unpacks to more than this was not written by us.
const UNPACKED_MAX: u64 = 256 << 20;

/// A call that ended.
#[derive(Debug, Clone)]
pub(crate) struct Settled {
    pub(crate) record: CallRecord,
    /// As the journal has it.
    pub(crate) frame: Vec<u8>,
    /// Whether the journal has it: a full disk may have been in the way.
    pub(crate) written: bool,
}

impl Settled {
    pub(crate) fn new(record: CallRecord) -> Self {
        let frame = frames::ended(&record);
        Self { record, frame, written: false }
    }
}

/// A batch ready for the catalog.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) segments: Vec<SegmentRow>,
    pub(crate) sums: Vec<Sum>,
    /// Who made what providers keep.
    makers: BTreeMap<MakerKey, MakerRow>,
}

/// The sums of one group of calls, as a row of `usage_hour`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Sum {
    #[serde(flatten)]
    group: Group,
    calls: u64,
    failed: u64,
    unpriced: u64,
    input: u64,
    output: u64,
    cache_read: u64,
    cache_write: u64,
    cache_write_hour: u64,
    input_audio: u64,
    input_image: u64,
    reasoning: u64,
    output_audio: u64,
    output_image: u64,
    input_estimated: u64,
    output_estimated: u64,
    cost: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
struct Group {
    project: ProjectId,
    hour: i64,
    api_key: String,
    principal: String,
    end_user: String,
    app: String,
    route: String,
    model: String,
    provider: String,
    target: String,
    price_table: String,
    price_entry: String,
}

/// When a call ended: what lists are ordered by.
pub(crate) fn ended_at(record: &CallRecord) -> Timestamp {
    record.at.plus(Duration::from_millis(record.took_ms.into()))
}

/// The first part of a call that used tokens nobody has a price for.
fn unpriced(record: &CallRecord) -> Option<Part<'_>> {
    record.parts().find(|part| part.is_unpriced()).filter(|_| !record.cached)
}

/// Money of a call, or of a part of one, in the catalog's range; beyond it the rest is cut off, loudly, since the call was
/// made.
fn cost_of(record: &CallRecord, cost: Money) -> i64 {
    units(cost).unwrap_or_else(|| {
        tracing::error!(call.id = %record.id, %cost, "a call costs more than the catalog can count");
        i64::MAX
    })
}

impl Prepared {
    /// `name` makes the segments' ids.
    pub(crate) fn of(calls: &[Settled], name: &str) -> std::io::Result<Self> {
        Ok(Self { segments: segments(calls, name)?, sums: sums(calls), makers: makers(calls) })
    }

    /// The sums as a list for one statement.
    pub(crate) fn rows(&self) -> String {
        serde_json::to_string(&self.sums).unwrap_or_else(|_| "[]".to_owned())
    }

    /// Who made what, as a list for one statement; nothing where no provider keeps anything.
    pub(crate) fn makers(&self) -> Option<String> {
        let rows: Vec<&MakerRow> = self.makers.values().collect();
        if rows.is_empty() { None } else { serde_json::to_string(&rows).ok() }
    }

    pub(crate) fn projects(&self) -> Vec<ProjectId> {
        let mut projects: Vec<ProjectId> = self.sums.iter().map(|sum| sum.group.project).collect();
        projects.sort();
        projects.dedup();
        projects
    }

    /// What the batch spent of the budgets among these limits.
    pub(crate) fn spends(&self, budgets: Vec<Limit>) -> Vec<Spend> {
        let book = Book::of(budgets);
        let mut spends: BTreeMap<BudgetKey, i64> = BTreeMap::new();
        for Sum { group, cost, .. } in self.sums.iter().filter(|sum| sum.cost > 0) {
            let at = hour_start(group.hour);
            for holds in book.holding(group.subjects()) {
                let Limit { project, kind, metric, .. } = *holds.limit;
                let Some(span) = metric.span() else { continue };
                let key = BudgetKey { project, kind, subject: holds.subject.to_owned(), span, starts: span.start(at) };
                let spent = spends.entry(key).or_default();
                *spent = spent.saturating_add(*cost);
            }
        }
        spends.into_iter().map(|(key, amount)| Spend { key, amount }).collect()
    }
}

impl Group {
    /// Of the call itself: of the target that answered, or the last that was tried.
    fn of(record: &CallRecord) -> Self {
        let (provider, target) = (record.provider.as_deref(), record.target.as_deref());
        Self::at(record, (provider, target, record.price.as_ref()))
    }

    fn at(record: &CallRecord, (provider, target, price): (Option<&str>, Option<&str>, Option<&PriceStamp>)) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let CallRecord { caller, at, model, route, .. } = record;
        Self {
            project: caller.project,
            hour: hour_of(*at),
            api_key: caller.key.map(|key| key.to_string()).unwrap_or_default(),
            principal: caller.principal.to_string(),
            end_user: text(&caller.user),
            app: text(&caller.app),
            route: text(route),
            model: model.clone(),
            provider: provider.unwrap_or_default().to_owned(),
            target: target.unwrap_or_default().to_owned(),
            price_table: price.map(|price| price.table.hex()).unwrap_or_default(),
            price_entry: price.map(|price| price.entry.clone()).unwrap_or_default(),
        }
    }

    fn subjects(&self) -> Subjects<'_> {
        let model = if self.route.is_empty() { &self.model } else { &self.route };
        Subjects { project: self.project, key: &self.api_key, principal: &self.principal, user: &self.end_user, model }
    }
}

/// Of each name at an account the newest of the project that had it first, as the table has it.
fn makers(calls: &[Settled]) -> BTreeMap<MakerKey, MakerRow> {
    let mut makers: BTreeMap<MakerKey, MakerRow> = BTreeMap::new();
    for row in calls.iter().filter_map(|call| MakerRow::of(&call.record)) {
        match makers.entry(row.key()) {
            Entry::Vacant(place) => {
                place.insert(row);
            }
            Entry::Occupied(mut place) if place.get().is_of(row.project()) => {
                place.insert(row);
            }
            Entry::Occupied(_) => {}
        }
    }
    makers
}

/// A call counts once, where it was answered; its tokens and its money count where they were used, which may be elsewhere.
fn sums(calls: &[Settled]) -> Vec<Sum> {
    let mut sums: HashMap<Group, Sum> = HashMap::new();
    for Settled { record, .. } in calls {
        let call = sum_of(&mut sums, Group::of(record));
        call.count(record);
        if record.charges.is_empty() {
            record.parts().for_each(|part| call.add(record, part));
        } else {
            for part in record.parts() {
                sum_of(&mut sums, Group::at(record, (part.provider, part.target, part.price))).add(record, part);
            }
        }
        // Once for each call, however many of its attempts have no price.
        if let Some(part) = unpriced(record) {
            sum_of(&mut sums, Group::at(record, (part.provider, part.target, part.price))).unpriced += 1;
        }
    }
    let mut sums: Vec<Sum> = sums.into_values().collect();
    // Every process takes rows in the same order, so that two of them do not wait for each other.
    sums.sort_by(|a, b| a.group.cmp(&b.group));
    sums
}

fn sum_of(sums: &mut HashMap<Group, Sum>, group: Group) -> &mut Sum {
    sums.entry(group).or_insert_with_key(|group| Sum::none(group.clone()))
}

impl Sum {
    const fn none(group: Group) -> Self {
        Self {
            group,
            calls: 0,
            failed: 0,
            unpriced: 0,
            input: 0,
            output: 0,
            cache_read: 0,
            cache_write: 0,
            cache_write_hour: 0,
            input_audio: 0,
            input_image: 0,
            reasoning: 0,
            output_audio: 0,
            output_image: 0,
            input_estimated: 0,
            output_estimated: 0,
            cost: 0,
        }
    }

    fn count(&mut self, record: &CallRecord) {
        self.calls += 1;
        self.failed += u64::from(matches!(record.status, CallStatus::Failed | CallStatus::Interrupted));
    }

    fn add(&mut self, record: &CallRecord, part: Part<'_>) {
        let usage = part.usage;
        let guessed = |tokens: u64, from: Provenance| if from == Provenance::Estimated { tokens } else { 0 };
        for (sum, tokens) in [
            (&mut self.input, usage.input),
            (&mut self.output, usage.output),
            (&mut self.cache_read, usage.cache_read),
            (&mut self.cache_write, usage.cache_write),
            (&mut self.cache_write_hour, usage.cache_write_hour),
            (&mut self.input_audio, usage.input_audio),
            (&mut self.input_image, usage.input_image),
            (&mut self.reasoning, usage.reasoning),
            (&mut self.output_audio, usage.output_audio),
            (&mut self.output_image, usage.output_image),
            (&mut self.input_estimated, guessed(usage.input, usage.input_from)),
            (&mut self.output_estimated, guessed(usage.output, usage.output_from)),
        ] {
            *sum = sum.saturating_add(tokens).min(TOKENS_MAX);
        }
        self.cost = self.cost.saturating_add(cost_of(record, part.cost));
    }
}

/// A provider may say anything; sums of what is not above this stay in the range of an integer.
const TOKENS_MAX: u64 = 1 << 40;

fn segments(calls: &[Settled], name: &str) -> std::io::Result<Vec<SegmentRow>> {
    type Lines<'a> = Vec<(&'a CallRecord, &'a [u8])>;
    let mut groups: BTreeMap<(ProjectId, i64), Lines<'_>> = BTreeMap::new();
    for call in calls {
        let key = (call.record.caller.project, hour_of(ended_at(&call.record)));
        groups.entry(key).or_default().push((&call.record, frames::line(&call.frame)));
    }
    let row = |(index, ((project, hour), calls))| segment(format!("{name}/{index}"), (project, hour), calls);
    groups.into_iter().enumerate().map(row).collect()
}

/// Calls of one project that ended in one hour, as a row.
pub(crate) fn segment(
    id: String,
    (project, hour): (ProjectId, i64),
    mut calls: Vec<(&CallRecord, &[u8])>,
) -> std::io::Result<SegmentRow> {
    calls.sort_by_key(|(record, _)| (ended_at(record), record.id));
    let ends = || calls.iter().map(|(record, _)| ended_at(record));
    let cost = calls.iter().fold(0, |cost: i64, (record, _)| cost.saturating_add(cost_of(record, record.cost)));
    let (first_at, first_end, last_end) = (calls.iter().map(|(record, _)| record.at).min(), ends().next(), ends().next_back());
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    for (_, line) in &calls {
        packed.write_all(line)?;
        packed.write_all(b"\n")?;
    }
    Ok(SegmentRow {
        id,
        project,
        hour,
        first_at: first_at.unwrap_or_default(),
        first_end: first_end.unwrap_or_default(),
        last_end: last_end.unwrap_or_default(),
        calls: calls.len() as u64,
        cost,
        records: packed.finish()?,
    })
}

/// The records of a segment, in the order they ended.
pub(crate) fn unpack(packed: &[u8]) -> std::io::Result<Vec<CallRecord>> {
    let mut text = Vec::new();
    ZlibDecoder::new(packed).take(UNPACKED_MAX).read_to_end(&mut text)?;
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).map_err(std::io::Error::other)).collect()
}

#[cfg(test)]
mod tests;
