//! What is kept of hours: rows of the table `drift`.
//!
//! An hour is made as often as there is something new in it, by whichever process gets to it. Each making replaces the rows
//! of the one before in one commit; where two made it at once, the rows of the later one count.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock},
    time::Duration,
};

use arrow_array::{
    RecordBatch,
    builder::{Int64Builder, StringBuilder},
};
use arrow_schema::{DataType, Field as Column, Schema, SchemaRef};
use mainspring_kernel::{Name, name::NameFault};
use mainspring_lake::{Aggregate, Filter, IndexKind, IndexSpec, Lake, MeasureOf, Past, Scan, Table, TableSpec};

use crate::{fault::TraceFault, table::Rows};

pub(crate) const HOUR: i64 = 3_600_000_000;
const TABLE: &str = "drift";
/// Nobody asks for sketches as they were.
const PAST: Past = Past::Brief { no_older_than: Duration::from_secs(15 * 60), versions: 200 };

/// What of an hour is made together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Part {
    Fields,
    /// What was asked, in topics.
    Topics,
    /// What was answered.
    Answers,
    /// What the topics of a project are; of no hour.
    Clusters,
}

impl Part {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Fields => "fields",
            Self::Topics => "topics",
            Self::Answers => "answers",
            Self::Clusters => "clusters",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    pub(crate) hour: i64,
    pub(crate) field: String,
    pub(crate) release: String,
    pub(crate) kind: String,
    pub(crate) sketch: String,
}

/// The rows of one project's hour, in a batch to write.
pub(crate) struct Writing<'a> {
    pub(crate) project: &'a str,
    pub(crate) hour: i64,
    pub(crate) part: Part,
    /// How many spans the hour had.
    pub(crate) spans: i64,
    pub(crate) made: i64,
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str| Column::new(name, DataType::Utf8, false);
    let number = |name: &str| Column::new(name, DataType::Int64, false);
    Arc::new(Schema::new(vec![
        text("project"),
        number("hour"),
        text("part"),
        text("field"),
        text("release"),
        text("kind"),
        text("sketch"),
        number("spans"),
        number("made"),
    ]))
});

pub(crate) async fn open(lake: &dyn Lake) -> Result<Arc<dyn Table>, TraceFault> {
    let name: Name = TABLE.parse().map_err(|fault: NameFault| TraceFault::Unreadable { reason: fault.to_string() })?;
    let indexes = vec![IndexSpec { column: "hour".to_owned(), kind: IndexKind::Scalar }];
    Ok(lake.open(&name, &TableSpec { schema: Arc::clone(&SCHEMA), indexes, past: PAST }).await?)
}

/// Replaces what was made of it before.
pub(crate) async fn write(table: &dyn Table, writing: &Writing<'_>, rows: &[Kept]) -> Result<(), TraceFault> {
    let Writing { project, hour, part, spans, made } = *writing;
    let mut texts: [StringBuilder; 6] = std::array::from_fn(|_| StringBuilder::new());
    let mut numbers: [Int64Builder; 3] = std::array::from_fn(|_| Int64Builder::new());
    // That there was nothing to keep is kept, too: nobody makes it again.
    let nothing = Kept { hour, field: String::new(), release: String::new(), kind: String::new(), sketch: String::new() };
    let rows: Vec<&Kept> = if rows.is_empty() { vec![&nothing] } else { rows.iter().collect() };
    for Kept { hour, field, release, kind, sketch } in rows {
        let row = [project, part.as_str(), field.as_str(), release.as_str(), kind.as_str(), sketch.as_str()];
        texts.iter_mut().zip(row).for_each(|(column, text)| column.append_value(text));
        numbers.iter_mut().zip([*hour, spans, made]).for_each(|(column, number)| column.append_value(number));
    }
    let [project_column, part_column, field, release, kind, sketch] = texts.each_mut().map(StringBuilder::finish);
    let [hours, spans, made] = numbers.each_mut().map(Int64Builder::finish);
    let batch = RecordBatch::try_new(
        Arc::clone(&SCHEMA),
        vec![
            Arc::new(project_column),
            Arc::new(hours),
            Arc::new(part_column),
            Arc::new(field),
            Arc::new(release),
            Arc::new(kind),
            Arc::new(sketch),
            Arc::new(spans),
            Arc::new(made),
        ],
    );
    let batch = batch.map_err(|error| TraceFault::Unreadable { reason: error.to_string() })?;
    table.replace(of(project, part, hour, hour + 1), Some(batch)).await?;
    Ok(())
}

fn of(project: &str, part: Part, from: i64, to: i64) -> Filter {
    Filter::And(vec![
        Filter::eq("project", project),
        Filter::eq("part", part.as_str()),
        Filter::GtEq("hour".into(), from.into()),
        Filter::Lt("hour".into(), to.into()),
    ])
}

/// The rows of a project's hours, of each hour those that were made last.
pub(crate) async fn read(
    table: &dyn Table,
    (project, part): (&str, Part),
    (from, to): (i64, i64),
    fields: Option<&[String]>,
) -> Result<Vec<Kept>, TraceFault> {
    let mut among = of(project, part, from, to);
    if let Some(fields) = fields {
        among = among.and(Filter::any_of("field", fields.iter().cloned().chain([String::new()])));
    }
    let mut newest: HashMap<i64, i64> = HashMap::new();
    let mut found: BTreeMap<(i64, String, String, String), (i64, String)> = BTreeMap::new();
    for batch in table.scan(Scan::of(among)).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let owned = |name: &str| Ok::<_, TraceFault>(rows.text(name, row)?.unwrap_or_default().to_owned());
            let number = |name: &str| Ok::<_, TraceFault>(rows.number(name, row)?.unwrap_or_default());
            let (hour, made) = (number("hour")?, number("made")?);
            let latest = newest.entry(hour).or_insert(made);
            *latest = made.max(*latest);
            let key = (hour, owned("field")?, owned("release")?, owned("kind")?);
            let known = found.get(&key).is_some_and(|(known, _)| *known >= made);
            if !known {
                found.insert(key, (made, owned("sketch")?));
            }
        }
    }
    found.retain(|(hour, ..), value| newest.get(hour) == Some(&value.0));
    let kept = found.into_iter().filter(|((_, _, _, kind), _)| !kind.is_empty());
    Ok(kept.map(|((hour, field, release, kind), (_, sketch))| Kept { hour, field, release, kind, sketch }).collect())
}

/// How many spans each hour of each project has, or of one project.
pub(crate) async fn counted(
    spans: &dyn Table,
    project: Option<&str>,
    (from, to): (i64, i64),
) -> Result<BTreeMap<(String, i64), i64>, TraceFault> {
    let ours = project.map_or(Filter::All, |project| Filter::eq("project", project));
    let (mut counts, mut stretches) = (BTreeMap::new(), vec![(from, to)]);
    while let Some((from, to)) = stretches.pop() {
        let among = ours.clone().and(super::gather::stretch(from, to));
        let question = Aggregate::of(among).by("project").by_bucket("hour", "start", HOUR, 0).measure("rows", MeasureOf::Rows);
        let grouped = spans.aggregate(question.limit(HOURS)).await?;
        let half = (to - from) / HOUR / 2 * HOUR;
        // Of an hour that is not told of, it would seem that it has no spans.
        if grouped.more && half > 0 {
            stretches.extend([(from, from + half), (from + half, to)]);
            continue;
        }
        for batch in &grouped.batches {
            let rows = Rows(batch);
            for row in 0..batch.num_rows() {
                let project = rows.text("project", row)?.unwrap_or_default().to_owned();
                let hour = rows.number("hour", row)?.unwrap_or_default();
                counts.insert((project, hour), rows.number("rows", row)?.unwrap_or_default());
            }
        }
    }
    Ok(counts)
}

/// Hours of projects that are looked at together.
const HOURS: usize = 50_000;

/// How many spans hours had when they were made.
pub(crate) async fn made(
    table: &dyn Table,
    part: Part,
    project: Option<&str>,
    (from, to): (i64, i64),
) -> Result<BTreeMap<(String, i64), i64>, TraceFault> {
    let mut among =
        vec![Filter::eq("part", part.as_str()), Filter::GtEq("hour".into(), from.into()), Filter::Lt("hour".into(), to.into())];
    among.extend(project.map(|project| Filter::eq("project", project)));
    let mut newest: BTreeMap<(String, i64), (i64, i64)> = BTreeMap::new();
    let scan = Scan::of(Filter::And(among)).columns(&["project", "hour", "spans", "made"]);
    for batch in table.scan(scan).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let key = (rows.text("project", row)?.unwrap_or_default().to_owned(), rows.number("hour", row)?.unwrap_or_default());
            let value = (rows.number("made", row)?.unwrap_or_default(), rows.number("spans", row)?.unwrap_or_default());
            let latest = newest.entry(key).or_insert(value);
            *latest = value.max(*latest);
        }
    }
    Ok(newest.into_iter().map(|(key, (_, spans))| (key, spans)).collect())
}

/// Whether an hour is to be made again: there are other spans than when it was made. One that still runs, and what costs
/// much to make, wait until a tenth came.
pub(crate) fn is_stale(spans: i64, made: Option<i64>, patient: bool) -> bool {
    match made {
        None => true,
        Some(made) if patient => (spans - made).abs().saturating_mul(10) > made,
        Some(made) => spans != made,
    }
}

/// Takes out the hours of before; what topics are stays.
pub(crate) async fn expire(table: &dyn Table, before: i64) -> Result<(), TraceFault> {
    let old = Filter::Lt("hour".into(), before.into()).and(Filter::NotEq("part".into(), Part::Clusters.as_str().into()));
    if table.count(old.clone()).await? > 0 {
        table.replace(old, None).await?;
    }
    Ok(())
}

/// Takes out hours of which no span is left.
pub(crate) async fn remove(table: &dyn Table, (project, hour): (&str, i64)) -> Result<(), TraceFault> {
    for part in [Part::Fields, Part::Topics, Part::Answers] {
        table.replace(of(project, part, hour, hour + 1), None).await?;
    }
    Ok(())
}
