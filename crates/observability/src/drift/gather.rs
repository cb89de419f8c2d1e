//! Spans to sketches.
//!
//! Of a stretch with more spans than are looked at, those are drawn whose ids come first: ids are random, so the draw is
//! even, and it is the same one whenever the stretch is gathered again.

use std::collections::{BTreeMap, HashMap};

use arrow_array::RecordBatch;
use mainspring_lake::{Filter, Scan, Table};
use mainspring_statistics::{Categories, Quantiles};
use serde_json::{Map, Value};

use super::{
    fields::{FINISHES, Field, Kind, Of},
    sketch::Sketch,
};
use crate::{fault::TraceFault, table::Rows};

/// Spans of one stretch that are looked at, at most; those whose attributes are read.
pub(crate) const LOOKED_AT: u64 = 600_000;
pub(crate) const INSIDE: u64 = 20_000;
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

/// Fields that are columns, all of them in one reading.
pub(crate) async fn gather(table: &dyn Table, asked: &Asked, fields: &[Field]) -> Result<Gathered, TraceFault> {
    let fields: Vec<Field> = fields.iter().filter(|field| !field.is_inside()).cloned().collect();
    if fields.is_empty() {
        return Ok(Gathered::default());
    }
    read(table, asked, fields, (LOOKED_AT, SLICE)).await
}

/// One field that is read from the attributes.
pub(crate) async fn gather_inside(table: &dyn Table, asked: &Asked, field: &Field) -> Result<Gathered, TraceFault> {
    let asked = Asked { among: asked.among.clone().and(field.within()), ..asked.clone() };
    read(table, &asked, vec![field.clone()], (INSIDE, SLICE_INSIDE)).await
}

async fn read(table: &dyn Table, asked: &Asked, fields: Vec<Field>, (most, slice): (u64, u64)) -> Result<Gathered, TraceFault> {
    let among = asked.among.clone().and(stretch(asked.from, asked.to));
    let count = table.count(among).await?;
    if count == 0 {
        return Ok(Gathered::default());
    }
    let mut columns: Vec<&str> = vec!["start", "entry", "counted", "release"];
    for column in fields.iter().map(|field| field.column) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    let mut folding = Folding { fields, gathered: Gathered::default() };
    let share = most as f64 / count as f64;
    for draw in [drawn(share), Filter::All] {
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
        if !folding.gathered.releases.is_empty() {
            break;
        }
    }
    Ok(folding.gathered)
}

/// Thousands of spans keep a thread busy for longer than anyone's answer should wait.
async fn fold(mut folding: Folding, batches: Vec<RecordBatch>) -> Result<Folding, TraceFault> {
    let folded = tokio::task::spawn_blocking(move || {
        for batch in &batches {
            folding.take(batch)?;
        }
        Ok::<_, TraceFault>(folding)
    });
    folded.await.map_err(|error| TraceFault::Unreadable { reason: error.to_string() })?
}

struct Folding {
    fields: Vec<Field>,
    gathered: Gathered,
}

impl Folding {
    fn take(&mut self, batch: &RecordBatch) -> Result<(), TraceFault> {
        let rows = Rows(batch);
        for row in 0..batch.num_rows() {
            let start = rows.number("start", row)?.unwrap_or_default();
            let Some(release) = self.gathered.release(rows.text("release", row)?.unwrap_or_default(), start) else { continue };
            let entry = rows.yes("entry", row)? == Some(true);
            let counted = rows.yes("counted", row)?.unwrap_or(entry);
            for (index, field) in self.fields.iter().enumerate() {
                let is_of = match field.of {
                    Of::All => true,
                    Of::Entries => entry,
                    Of::Counted => counted,
                };
                if is_of {
                    self.gathered.add((release, index), field, &rows, row)?;
                }
            }
        }
        Ok(())
    }
}

impl Gathered {
    /// The place of a release; none where there are too many to tell apart.
    fn release(&mut self, name: &str, start: i64) -> Option<usize> {
        if let Some(place) = self.places.get(name).copied() {
            let release = self.releases.get_mut(place)?;
            (release.first, release.last) = (release.first.min(start), release.last.max(start));
            release.spans += 1;
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
            Kind::Numbers => {
                if let Some(number) = rows.number(field.column, row)? {
                    let unit = field.unit.map_or(1, |(_, unit)| unit);
                    self.cell(cell, field).number(number as f64 / unit as f64);
                }
            }
            Kind::Categories => {
                if let Some(text) = rows.text(field.column, row)? {
                    self.cell(cell, field).category(text);
                }
            }
            Kind::Finish => {
                if let Some(reason) = attributes(rows, row)?.as_ref().and_then(finish) {
                    self.cell(cell, field).category(&reason);
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

    fn cell(&mut self, cell: (usize, usize), field: &Field) -> &mut Sketch {
        self.sketches.entry(cell).or_insert_with(|| field.empty())
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
