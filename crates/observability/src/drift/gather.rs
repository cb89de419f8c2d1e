//! Spans to sketches.
//!
//! Of a stretch with more spans than are looked at, those are drawn whose ids come first: ids are random, so the draw is
//! even, and it is the same one whenever the stretch is gathered again. Of requests, those are drawn whose traces' ids come
//! first: all entries of a trace are looked at together, and only the first of them counts (`requests.rs`).

use std::collections::{BTreeMap, HashMap};

use arrow_array::RecordBatch;
use mainspring_lake::{Filter, Scalar, Scan, Table};
use mainspring_statistics::{Categories, Quantiles};
use serde_json::{Map, Value};

use super::{
    fields::{FINISHES, Field, Kind, Of},
    requests::{Requests, Turn},
    sketch::Sketch,
};
use crate::{
    conventions::counted::Quantity,
    fault::TraceFault,
    table::{COUNTED_PART, Rows},
};

/// Spans of one stretch that are looked at, at most; those whose attributes are read.
pub(crate) const LOOKED_AT: u64 = 600_000;
pub(crate) const INSIDE: u64 = 20_000;
/// Entries, where requests are looked at: what traces they are of is held.
const ENTERED: u64 = 200_000;
/// Rows read at once.
const SLICE: u64 = 50_000;
const SLICE_INSIDE: u64 = 2_000;
/// Releases told apart.
const RELEASES: usize = 1_000;

/// What is gathered.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Beside the stretch.
    pub(crate) among: Filter,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// Sketches by release and field.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) releases: Vec<Release>,
    places: HashMap<String, usize>,
    pub(crate) sketches: BTreeMap<(usize, usize), Sketch>,
    /// Of requests that another release had before: what is of a release, and not of all of them together.
    pub(crate) again: BTreeMap<(usize, usize), Sketch>,
    /// The values of an attribute as texts, and whether some are not numbers.
    pub(crate) words: BTreeMap<(usize, usize), Sketch>,
    pub(crate) worded: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Release {
    /// Empty: spans without one.
    pub(crate) name: String,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) spans: u64,
}

/// The condition that lets about this share of spans through.
pub(crate) fn drawn(share: f64) -> Filter {
    drawn_by("span", share)
}

/// The same by another column of ids.
pub(super) fn drawn_by(column: &str, share: f64) -> Filter {
    if share >= 1.0 {
        return Filter::All;
    }
    // The first digits of an id; a float has no more of them.
    let below = (share.max(0.0) * 2_f64.powi(52)) as u64;
    Filter::Lt(column.to_owned(), format!("{below:013x}").into())
}

pub(crate) fn stretch(from: i64, to: i64) -> Filter {
    Filter::And(vec![Filter::GtEq("start".into(), from.into()), Filter::Lt("start".into(), to.into())])
}

/// Fields that are columns: those of requests in one reading, and all others in another.
pub(crate) async fn gather(table: &dyn Table, asked: &Asked, fields: &[Field]) -> Result<Gathered, TraceFault> {
    let fields = fields.iter().enumerate().filter(|(_, field)| !field.is_inside());
    let of_fields = |(index, field): (usize, &Field)| (index, field.clone());
    let (requests, spans): (Vec<_>, Vec<_>) = fields.map(of_fields).partition(|(_, field)| field.is_of_requests());
    let mut gathered = Gathered::default();
    if !spans.is_empty() {
        gathered = read(table, asked, Folding::new(spans, gathered), Reading::SPANS).await?;
    }
    if !requests.is_empty() {
        let asked = Asked { among: asked.among.clone().and(Filter::Eq("entry".into(), Scalar::Bool(true))), ..asked.clone() };
        let counts = gathered.releases.is_empty();
        let folding = Folding { requests: Some(Requests::default()), counts, ..Folding::new(requests, gathered) };
        gathered = read(table, &asked, folding, Reading::REQUESTS).await?;
    }
    Ok(gathered)
}

/// One field that is read from the attributes.
pub(crate) async fn gather_inside(table: &dyn Table, asked: &Asked, field: &Field) -> Result<Gathered, TraceFault> {
    let asked = Asked { among: asked.among.clone().and(field.within()), ..asked.clone() };
    let folding = Folding::new(vec![(0, field.clone())], Gathered::default());
    read(table, &asked, folding, Reading::INSIDE).await
}

/// How rows are read.
#[derive(Debug, Clone, Copy)]
struct Reading {
    columns: &'static [&'static str],
    /// By whose ids rows are drawn where there are more than are looked at.
    drawn: &'static str,
    most: u64,
    slice: u64,
}

impl Reading {
    const SPANS: Self =
        Self { columns: &["start", "entry", "counted", COUNTED_PART, "release"], drawn: "span", most: LOOKED_AT, slice: SLICE };
    const INSIDE: Self = Self { most: INSIDE, slice: SLICE_INSIDE, ..Self::SPANS };
    const REQUESTS: Self =
        Self { columns: &["start", "trace", "parent", "release"], drawn: "trace", most: ENTERED, slice: SLICE };
}

async fn read(
    table: &dyn Table,
    asked: &Asked,
    mut folding: Folding,
    Reading { columns, drawn, most, slice }: Reading,
) -> Result<Gathered, TraceFault> {
    let among = asked.among.clone().and(stretch(asked.from, asked.to));
    let count = table.count(among).await?;
    if count == 0 {
        return Ok(folding.gathered);
    }
    let mut columns = columns.to_vec();
    for column in folding.fields.iter().map(|(_, field)| field.column) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    let share = most as f64 / count as f64;
    for draw in [drawn_by(drawn, share), Filter::All] {
        let pieces = i64::try_from(count.min(most).div_ceil(slice)).unwrap_or(1).max(1);
        let width = ((asked.to - asked.from) / pieces).max(1) + 1;
        let mut from = asked.from;
        while from < asked.to {
            let to = from.saturating_add(width).min(asked.to);
            let among = asked.among.clone().and(stretch(from, to)).and(draw.clone());
            // Spans come in bursts, and ids of some senders are not random; neither may take all of the memory.
            let limit = usize::try_from(slice * 4).unwrap_or(usize::MAX);
            let batches = table.scan(Scan::of(among).columns(&columns).limit(limit)).await?;
            folding = fold(folding, batches).await?;
            from = to;
        }
        // Where ids are not random, none of them may come first.
        if folding.found {
            break;
        }
    }
    Ok(folding.gathered)
}

/// Thousands of spans keep a thread busy for longer than anyone's answer should wait.
async fn fold(mut folding: Folding, batches: Vec<RecordBatch>) -> Result<Folding, TraceFault> {
    let folded = tokio::task::spawn_blocking(move || {
        folding.found |= batches.iter().any(|batch| batch.num_rows() > 0);
        match folding.requests.take() {
            Some(mut requests) => {
                for (batch, row) in Requests::in_order(&batches)? {
                    folding.take_entry(&mut requests, batch, row)?;
                }
                folding.requests = Some(requests);
            }
            None => {
                for batch in &batches {
                    folding.take(batch)?;
                }
            }
        }
        Ok::<_, TraceFault>(folding)
    });
    folded.await.map_err(|error| TraceFault::Unreadable { reason: error.to_string() })?
}

struct Folding {
    /// With their places among all that are asked for.
    fields: Vec<(usize, Field)>,
    gathered: Gathered,
    /// Where requests are looked at.
    requests: Option<Requests>,
    /// Whether a release has as many spans as are read here: otherwise that is known.
    counts: bool,
    /// Whether anything was read.
    found: bool,
}

impl Folding {
    fn new(fields: Vec<(usize, Field)>, gathered: Gathered) -> Self {
        Self { fields, gathered, requests: None, counts: true, found: false }
    }

    fn take(&mut self, batch: &RecordBatch) -> Result<(), TraceFault> {
        let rows = Rows(batch);
        for row in 0..batch.num_rows() {
            let Some(release) = self.release(&rows, row)? else { continue };
            let entry = rows.yes("entry", row)? == Some(true);
            let (counted, part) = rows.counted(row)?;
            for (index, field) in &self.fields {
                let is_of = match field.of {
                    Of::All => true,
                    Of::Entries => entry,
                    Of::Counted => counted.unwrap_or(entry) || part == Some(Quantity::of(field.column)),
                };
                if is_of {
                    self.gathered.add((release, *index), field, &rows, row)?;
                }
            }
        }
        Ok(())
    }

    /// An entry, none of which came earlier than the one before: of its trace it counts what no other one did.
    fn take_entry(&mut self, requests: &mut Requests, batch: &RecordBatch, row: usize) -> Result<(), TraceFault> {
        let rows = Rows(batch);
        let Some(release) = self.release(&rows, row)? else { return Ok(()) };
        let Some(trace) = rows.text("trace", row)?.and_then(|trace| u128::from_str_radix(trace, 16).ok()) else {
            return Ok(());
        };
        // A bit each: hardly any fields are those of requests.
        let mut values = 0;
        for (place, (_, field)) in self.fields.iter().enumerate() {
            values |= u32::from(is_there(field, &rows, row)?) << place;
        }
        let turns = requests.turns(trace, release, values);
        for (place, (index, field)) in self.fields.iter().enumerate() {
            let sketches = match turns.of(place) {
                Turn::First => &mut self.gathered.sketches,
                Turn::FirstOfRelease => &mut self.gathered.again,
                Turn::Never => continue,
            };
            put(sketches, (release, *index), (field, &rows, row))?;
        }
        Ok(())
    }

    fn release(&mut self, rows: &Rows<'_>, row: usize) -> Result<Option<usize>, TraceFault> {
        let start = rows.number("start", row)?.unwrap_or_default();
        Ok(self.gathered.release(rows.text("release", row)?.unwrap_or_default(), start, self.counts))
    }
}

/// Adds what a span says of a field that is a column, if it says anything.
fn put(
    sketches: &mut BTreeMap<(usize, usize), Sketch>,
    cell: (usize, usize),
    (field, rows, row): (&Field, &Rows<'_>, usize),
) -> Result<(), TraceFault> {
    if field.kind == Kind::Numbers {
        if let Some(number) = rows.number(field.column, row)? {
            let unit = field.unit.map_or(1, |(_, unit)| unit);
            sketches.entry(cell).or_insert_with(|| field.empty()).number(number as f64 / unit as f64);
        }
    } else if let Some(text) = rows.text(field.column, row)? {
        sketches.entry(cell).or_insert_with(|| field.empty()).category(text);
    }
    Ok(())
}

/// Whether a span has a value of a field that is a column.
fn is_there(field: &Field, rows: &Rows<'_>, row: usize) -> Result<bool, TraceFault> {
    Ok(match field.kind {
        Kind::Numbers => rows.number(field.column, row)?.is_some(),
        _ => rows.text(field.column, row)?.is_some(),
    })
}

impl Gathered {
    /// The place of a release; none where there are too many to tell apart.
    fn release(&mut self, name: &str, start: i64, counts: bool) -> Option<usize> {
        if let Some(place) = self.places.get(name).copied() {
            let release = self.releases.get_mut(place)?;
            (release.first, release.last) = (release.first.min(start), release.last.max(start));
            release.spans += u64::from(counts);
            return Some(place);
        }
        if self.releases.len() >= RELEASES {
            return None;
        }
        self.places.insert(name.to_owned(), self.releases.len());
        self.releases.push(Release { name: name.to_owned(), first: start, last: start, spans: 1 });
        Some(self.releases.len() - 1)
    }

    fn add(&mut self, cell: (usize, usize), field: &Field, rows: &Rows<'_>, row: usize) -> Result<(), TraceFault> {
        match &field.kind {
            Kind::Numbers | Kind::Categories => put(&mut self.sketches, cell, (field, rows, row))?,
            Kind::Finish => {
                if let Some(reason) = attributes(rows, row)?.as_ref().and_then(finish) {
                    self.sketches.entry(cell).or_insert_with(|| field.empty()).category(&reason);
                }
            }
            // They are no part of a span.
            Kind::Score(_) => {}
            Kind::Attribute(key) => {
                let value = attributes(rows, row)?.and_then(|mut attributes| attributes.remove(key));
                if let Some(value) = value.filter(|value| !value.is_null()) {
                    self.value(cell, &value);
                }
            }
        }
        Ok(())
    }

    fn value(&mut self, cell: (usize, usize), value: &Value) {
        match value.as_f64() {
            Some(number) => self.sketches.entry(cell).or_insert_with(|| Sketch::Numbers(Quantiles::default())).number(number),
            None => self.worded = true,
        }
        let word = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.words.entry(cell).or_insert_with(|| Sketch::Categories(Categories::default())).category(&word);
    }
}

fn attributes(rows: &Rows<'_>, row: usize) -> Result<Option<Map<String, Value>>, TraceFault> {
    let text = rows.text("attributes", row)?;
    let unreadable = |_| TraceFault::Unreadable { reason: "`attributes` of a span".into() };
    text.map(|text| serde_json::from_str(text).map_err(unreadable)).transpose()
}

/// The reason a model gave; of several choices those of all.
fn finish(attributes: &Map<String, Value>) -> Option<String> {
    let value = FINISHES.iter().find_map(|name| attributes.get(*name))?;
    let opened = value.as_str().and_then(|text| serde_json::from_str::<Vec<String>>(text).ok());
    let reasons = match (opened, value) {
        (Some(reasons), _) => reasons,
        (None, Value::String(reason)) => vec![reason.clone()],
        (None, Value::Array(reasons)) => reasons.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        (None, _) => Vec::new(),
    };
    let mut reasons: Vec<String> = reasons.into_iter().map(|reason| reason.to_ascii_lowercase()).collect();
    reasons.dedup();
    Some(reasons.join("+")).filter(|reasons| !reasons.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn reasons_are_read_as_senders_write_them() {
        let read = |value: Value| finish(&Map::from_iter([(FINISHES[0].to_owned(), value)]));
        assert_eq!(read(json!(["stop"])).as_deref(), Some("stop"));
        assert_eq!(read(json!(["stop", "STOP"])).as_deref(), Some("stop"));
        assert_eq!(read(json!("[\"length\"]")).as_deref(), Some("length"));
        assert_eq!(read(json!("tool_calls")).as_deref(), Some("tool_calls"));
        assert_eq!((read(json!([])), read(json!(5))), (None, None));
    }

    proptest! {
        #[test]
        fn a_draw_takes_its_share_of_random_ids(ids in prop::collection::vec(any::<u64>(), 2_000), share in 0.05_f64..0.95) {
            let Filter::Lt(column, mainspring_lake::Scalar::Text(below)) = drawn(share) else { panic!("some are left out") };
            prop_assert_eq!(column, "span");
            let taken = ids.iter().filter(|id| format!("{id:016x}") < below).count() as f64 / 2_000.0;
            prop_assert!((taken - share).abs() < 0.08, "{} of {}", taken, share);
        }
    }
}
