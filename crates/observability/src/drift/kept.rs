//! What is kept of hours: rows of the table `drift`.
//!
//! An hour is made as often as there is something new in it, by whichever process gets to it. Each making replaces the rows
//! of the one before in one commit; where two made it at once, the rows of the later one count.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
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
    /// Of spans, by when they began.
    Fields,
    /// Of scores, by when they were given.
    Scores,
    /// What was asked, in topics of this version: hours of several versions stand beside one another.
    Topics(u32),
    /// What was answered.
    Answers(u32),
    /// What the topics of a project are; of no hour.
    Clusters,
}

impl Part {
    pub(crate) fn name(self) -> Cow<'static, str> {
        // Those of before they had versions are called so without one.
        let of_version = |name: &'static str, version: u32| match version {
            0 => Cow::Borrowed(name),
            version => Cow::Owned(format!("{name}@{version}")),
        };
        match self {
            Self::Fields => Cow::Borrowed("fields"),
            Self::Scores => Cow::Borrowed("scores"),
            Self::Topics(version) => of_version("topics", version),
            Self::Answers(version) => of_version("answers", version),
            Self::Clusters => Cow::Borrowed("clusters"),
        }
    }

    fn is(self) -> Filter {
        Filter::eq("part", self.name().into_owned())
    }

    fn is_not(self) -> Filter {
        Filter::NotEq("part".into(), self.name().into_owned().into())
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
    /// What there was of the hour.
    pub(crate) seen: Seen,
    pub(crate) made: i64,
}

/// What there is of an hour. An hour of which it changed is made again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    /// Spans, or scores.
    pub(crate) rows: i64,
    /// Of scores, when the last of them was written: one that takes the place of another leaves their number as it was.
    pub(crate) newest: Option<i64>,
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
        Column::new("newest", DataType::Int64, true),
    ]))
});

pub(crate) async fn open(lake: &dyn Lake) -> Result<Arc<dyn Table>, TraceFault> {
    let name: Name = TABLE.parse().map_err(|fault: NameFault| TraceFault::Unreadable { reason: fault.to_string() })?;
    let indexes = vec![IndexSpec { column: "hour".to_owned(), kind: IndexKind::Scalar }];
    Ok(lake
        .open(&name, &TableSpec { schema: Arc::clone(&SCHEMA), indexes, past: PAST, packed: Vec::new(), echoes: Vec::new() })
        .await?)
}

/// Replaces what was made of it before.
pub(crate) async fn write(table: &dyn Table, writing: &Writing<'_>, rows: &[Kept]) -> Result<(), TraceFault> {
    let Writing { project, hour, part, seen, made } = *writing;
    let mut texts: [StringBuilder; 6] = std::array::from_fn(|_| StringBuilder::new());
    let mut numbers: [Int64Builder; 4] = std::array::from_fn(|_| Int64Builder::new());
    // That there was nothing to keep is kept, too: nobody makes it again.
    let nothing = Kept { hour, field: String::new(), release: String::new(), kind: String::new(), sketch: String::new() };
    let part_name = part.name();
    let rows: Vec<&Kept> = if rows.is_empty() { vec![&nothing] } else { rows.iter().collect() };
    for Kept { hour, field, release, kind, sketch } in rows {
        let row = [project, &*part_name, field.as_str(), release.as_str(), kind.as_str(), sketch.as_str()];
        texts.iter_mut().zip(row).for_each(|(column, text)| column.append_value(text));
        let row = [Some(*hour), Some(seen.rows), Some(made), seen.newest];
        numbers.iter_mut().zip(row).for_each(|(column, number)| column.append_option(number));
    }
    let [project_column, part_column, field, release, kind, sketch] = texts.each_mut().map(StringBuilder::finish);
    let [hours, spans, made, newest] = numbers.each_mut().map(Int64Builder::finish);
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
            Arc::new(newest),
        ],
    );
    let batch = batch.map_err(|error| TraceFault::Unreadable { reason: error.to_string() })?;
    table.replace(of(project, part, hour, hour + 1), Some(batch)).await?;
    Ok(())
}

fn of(project: &str, part: Part, from: i64, to: i64) -> Filter {
    Filter::And(vec![
        Filter::eq("project", project),
        part.is(),
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

/// What there is of hours, by project and the hour's beginning.
pub(crate) type Hours = BTreeMap<(String, i64), Seen>;

/// How many spans each hour of each project has, or of one project.
pub(crate) async fn counted(spans: &dyn Table, project: Option<&str>, stretch: (i64, i64)) -> Result<Hours, TraceFault> {
    hours(spans, (of_one(project), "start"), stretch, None).await
}

/// How many scores were given in each hour, and when the last of them was written.
pub(crate) async fn given(scores: &dyn Table, project: Option<&str>, stretch: (i64, i64)) -> Result<Hours, TraceFault> {
    let among = of_one(project).and(crate::scores::counted());
    hours(scores, (among, "time"), stretch, Some(MeasureOf::Max("stored".into()))).await
}

fn of_one(project: Option<&str>) -> Filter {
    project.map_or(Filter::All, |project| Filter::eq("project", project))
}

async fn hours(
    table: &dyn Table,
    (these, time): (Filter, &str),
    (from, to): (i64, i64),
    newest: Option<MeasureOf>,
) -> Result<Hours, TraceFault> {
    let (mut hours, mut stretches) = (Hours::new(), vec![(from, to)]);
    while let Some((from, to)) = stretches.pop() {
        let within = Filter::And(vec![Filter::GtEq(time.to_owned(), from.into()), Filter::Lt(time.to_owned(), to.into())]);
        let mut question = Aggregate::of(these.clone().and(within)).by("project").by_bucket("hour", time, HOUR, 0);
        if let Some(newest) = &newest {
            question = question.measure("newest", newest.clone());
        }
        let grouped = table.aggregate(question.measure("rows", MeasureOf::Rows).limit(HOURS)).await?;
        let half = (to - from) / HOUR / 2 * HOUR;
        // Of an hour that is not told of, it would seem that there is nothing.
        if grouped.more && half > 0 {
            stretches.extend([(from, from + half), (from + half, to)]);
            continue;
        }
        for batch in &grouped.batches {
            let rows = Rows(batch);
            for row in 0..batch.num_rows() {
                let project = rows.text("project", row)?.unwrap_or_default().to_owned();
                let hour = rows.number("hour", row)?.unwrap_or_default();
                let newest = if newest.is_some() { rows.number("newest", row)? } else { None };
                hours.insert((project, hour), Seen { rows: rows.number("rows", row)?.unwrap_or_default(), newest });
            }
        }
    }
    Ok(hours)
}

/// Hours of projects that are looked at together.
const HOURS: usize = 50_000;

/// What there was of hours when they were made.
pub(crate) async fn made(
    table: &dyn Table,
    part: Part,
    project: Option<&str>,
    (from, to): (i64, i64),
) -> Result<Hours, TraceFault> {
    let these = part.is().and(of_one(project));
    Ok(made_of(table, these, (from, to)).await?.remove(&*part.name()).unwrap_or_default())
}

/// The same of topics, by the name of their part: of whichever version, of questions and of answers.
pub(crate) async fn made_in_topics(table: &dyn Table, stretch: (i64, i64)) -> Result<BTreeMap<String, Hours>, TraceFault> {
    made_of(table, in_topics(), stretch).await
}

/// Hours of topics.
fn in_topics() -> Filter {
    Filter::And([Part::Fields, Part::Scores, Part::Clusters].map(Part::is_not).into())
}

async fn made_of(table: &dyn Table, these: Filter, (from, to): (i64, i64)) -> Result<BTreeMap<String, Hours>, TraceFault> {
    let within = Filter::And(vec![Filter::GtEq("hour".into(), from.into()), Filter::Lt("hour".into(), to.into())]);
    let mut newest: BTreeMap<(String, String, i64), (i64, Seen)> = BTreeMap::new();
    let scan = Scan::of(these.and(within)).columns(&["project", "part", "hour", "spans", "made", "newest"]);
    for batch in table.scan(scan).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let owned = |name: &str| Ok::<_, TraceFault>(rows.text(name, row)?.unwrap_or_default().to_owned());
            let key = (owned("part")?, owned("project")?, rows.number("hour", row)?.unwrap_or_default());
            let seen = Seen { rows: rows.number("spans", row)?.unwrap_or_default(), newest: rows.number("newest", row)? };
            let value = (rows.number("made", row)?.unwrap_or_default(), seen);
            let latest = newest.entry(key).or_insert(value);
            *latest = value.max(*latest);
        }
    }
    let mut parts: BTreeMap<String, Hours> = BTreeMap::new();
    for ((part, project, hour), (_, seen)) in newest {
        parts.entry(part).or_default().insert((project, hour), seen);
    }
    Ok(parts)
}

/// The versions of topics of this field that each project has, in order: the first are in use.
pub(crate) async fn versions(table: &dyn Table, field: &str) -> Result<BTreeMap<String, BTreeSet<u32>>, TraceFault> {
    let these = Filter::And(vec![Part::Clusters.is(), Filter::eq("kind", TOPICS), Filter::eq("field", field)]);
    let mut found: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for batch in table.scan(Scan::of(these).columns(&["project", "spans"])).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let project = rows.text("project", row)?.unwrap_or_default().to_owned();
            let version = rows.number("spans", row)?.and_then(|version| u32::try_from(version).ok()).unwrap_or_default();
            found.entry(project).or_default().insert(version);
        }
    }
    Ok(found)
}

/// What a row is that says what topics are.
pub(crate) const TOPICS: &str = "topics";

/// Whether an hour is to be made again: there is something else than when it was made. One that still runs, and what costs
/// much to make, wait until a tenth came.
pub(crate) fn is_stale(seen: Seen, made: Option<Seen>, patient: bool) -> bool {
    match made {
        None => true,
        Some(made) if patient => (seen.rows - made.rows).abs().saturating_mul(10) > made.rows,
        Some(made) => seen != made,
    }
}

/// Takes out the hours of before; what topics are stays.
pub(crate) async fn expire(table: &dyn Table, before: i64) -> Result<(), TraceFault> {
    let old = Filter::Lt("hour".into(), before.into()).and(Part::Clusters.is_not());
    if table.count(old.clone()).await? > 0 {
        table.replace(old, None).await?;
    }
    Ok(())
}

/// When the topics of a project were made that lie at this place.
pub(crate) async fn clusters_made(table: &dyn Table, project: &str, place: i64) -> Result<Option<i64>, TraceFault> {
    let mut made = None;
    for batch in table.scan(Scan::of(of(project, Part::Clusters, place, place + 1)).columns(&["made"])).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            made = made.max(rows.number("made", row)?);
        }
    }
    Ok(made)
}

/// Takes out hours of spans, in topics of every version: whoever needs them makes them anew, of the spans that are left.
pub(crate) async fn remove_hours(table: &dyn Table, project: &str, hours: &[i64]) -> Result<(), TraceFault> {
    let parts = [Part::Scores, Part::Clusters].map(Part::is_not);
    let these = Filter::eq("project", project).and(Filter::any_of("hour", hours.iter().copied())).and(Filter::And(parts.into()));
    table.replace(these, None).await?;
    Ok(())
}

/// Takes out what the topics of a project are that lie at this place, and every hour of them, in one commit.
pub(crate) async fn remove_topics(table: &dyn Table, project: &str, (place, part): (i64, Part)) -> Result<(), TraceFault> {
    let hours = Filter::eq("project", project).and(part.is());
    table.replace(Filter::Or(vec![of(project, Part::Clusters, place, place + 1), hours]), None).await?;
    Ok(())
}

/// Takes out parts of an hour of which nothing is left.
pub(crate) async fn remove(table: &dyn Table, (project, hour): (&str, i64), parts: &[Part]) -> Result<(), TraceFault> {
    for part in parts {
        table.replace(of(project, *part, hour, hour + 1), None).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart_by_name() {
        let parts =
            [Part::Fields, Part::Scores, Part::Topics(0), Part::Topics(1), Part::Topics(11), Part::Answers(1), Part::Clusters];
        let names = ["fields", "scores", "topics", "topics@1", "topics@11", "answers@1", "clusters"];
        assert_eq!(parts.map(|part| part.name().into_owned()), names);
    }

    #[test]
    fn an_hour_is_made_again_when_what_it_has_changed() {
        let seen = |rows, newest| Seen { rows, newest };
        let made = Some(seen(100, Some(7)));
        for (now, made, patient, stale) in [
            (seen(1, None), None, true, true),
            (seen(100, Some(7)), made, false, false),
            (seen(99, Some(7)), made, false, true),
            // As many, and one of them took the place of another.
            (seen(100, Some(8)), made, false, true),
            // What was not settled is looked at again.
            (seen(100, Some(7)), Some(seen(100, None)), false, true),
            (seen(110, Some(8)), made, true, false),
            (seen(111, Some(8)), made, true, true),
        ] {
            assert_eq!(is_stale(now, made, patient), stale, "{now:?} {made:?} {patient}");
        }
    }
}
