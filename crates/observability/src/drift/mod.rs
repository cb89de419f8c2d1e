//! How the spans of one stretch of time differ from those of another.
//!
//! `gather.rs` makes sketches of spans and `scores.rs` of scores; `kept.rs` keeps those of every hour in a table; `report.rs`
//! compares two stretches field by field, and `topics.rs` what was asked in them. `keeping.rs` makes what is due; `erasing.rs`
//! takes out what went into it of traces that are erased.

mod erasing;
mod fields;
mod gather;
mod keeping;
mod kept;
mod report;
mod scores;
mod sketch;
mod topics;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use mainspring_kernel::{Actor, Labels, Timestamp};
use mainspring_lake::{Filter, Lake, Table};
use mainspring_llm::Embedder;
use tokio::sync::{Mutex, OnceCell, RwLock};

pub(crate) use self::kept::HOUR;
pub use report::{Bin, DriftState, FieldDrift, Figures};
pub use topics::{Topic, TopicDrift, TopicSketch};

use self::{
    fields::Field,
    gather::{Asked, Gathered, gather, gather_inside, stretch},
    kept::Part,
    report::{Collected, Side, compare, settle_scores},
    scores::Wanted,
    sketch::Sketch,
};
use crate::{fault::TraceFault, query::seen, service::Observability};

/// A comparison is of no more time on either side.
const LONGEST: Duration = Duration::from_secs(31 * 24 * 3600);
const FIELDS_MAX: usize = 50;
/// Hours that a reader waits for while they are made.
const MADE_AT_ONCE: usize = 24;

/// The room's use cases about drift.
#[derive(Debug, Clone)]
pub struct Drift {
    lake: Arc<dyn Lake>,
    table: Arc<OnceCell<Arc<dyn Table>>>,
    room: Observability,
    /// Absent: nothing is said of topics.
    embedder: Option<Arc<dyn Embedder>>,
    /// When everything was looked at last, and not only what is recent.
    looked: Arc<Mutex<Option<Timestamp>>>,
    /// Whoever makes something shares it from reading spans to writing what it made of them.
    making: Arc<RwLock<()>>,
}

/// What a stretch is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// As much time before it.
    Previous,
    /// Within it, the newest release with the one before.
    Release,
    Range(Timestamp, Timestamp),
}

#[derive(Debug, Clone, PartialEq)]
pub struct DriftQuestion {
    /// None: all that are kept, and the scores that were given.
    pub fields: Vec<String>,
    pub from: Timestamp,
    pub to: Timestamp,
    pub against: Against,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DriftReport {
    /// In whole hours.
    pub from: Timestamp,
    pub to: Timestamp,
    pub reference: (Timestamp, Timestamp),
    /// The one before and the newest, where these are compared; none where there are no two.
    pub releases: Option<(String, String)>,
    /// What moved most comes first.
    pub fields: Vec<FieldDrift>,
    pub topics: Option<TopicDrift>,
    /// Why nothing is said of topics.
    pub no_topics: Option<&'static str>,
    /// Hours of both stretches that are not made yet, or have newer spans than is known of them.
    pub waiting: usize,
}

impl Drift {
    /// Nothing is opened before it is used.
    #[must_use]
    pub fn new(lake: Arc<dyn Lake>, room: Observability, embedder: Option<Arc<dyn Embedder>>) -> Self {
        Self { lake, table: Arc::default(), room, embedder, looked: Arc::default(), making: Arc::default() }
    }

    /// The table of sketches, made where it does not exist.
    pub async fn table(&self) -> Result<&Arc<dyn Table>, TraceFault> {
        self.table.get_or_try_init(|| kept::open(self.lake.as_ref())).await
    }

    /// Compares two stretches of time, or two releases.
    pub async fn report(&self, actor: &Actor, question: &DriftQuestion) -> Result<DriftReport, TraceFault> {
        let (scores, mut fields): (Vec<Field>, Vec<Field>) =
            asked_for(&question.fields)?.into_iter().partition(|field| field.score_name().is_some());
        let every_score = question.fields.is_empty();
        let wanted = if every_score { Wanted::All } else { Wanted::Named(&scores) };
        let (from, to) = whole(question.from, question.to)?;
        let (start, end) = match question.against {
            Against::Previous => (from - (to - from), from),
            Against::Release => (from, to),
            Against::Range(start, end) => whole(start, end)?,
        };
        self.room.catch_up().await;
        let (mut current, waiting) = self.collect(actor, (&fields, wanted), (from, to)).await?;
        let (mut reference, more) = match question.against {
            Against::Release => (Collected::default(), 0),
            Against::Previous | Against::Range(..) => self.collect(actor, (&fields, wanted), (start, end)).await?,
        };
        let waiting = waiting + more;
        let scored = settle_scores(&mut [&mut reference, &mut current]);
        if every_score {
            let room = FIELDS_MAX.saturating_sub(fields.len());
            for name in scored.iter().take(room) {
                fields.push(Field::named(name)?);
            }
        } else {
            fields.extend(scores);
        }
        let releases = if question.against == Against::Release { current.newest_two() } else { None };
        let found = match &releases {
            Some((before, after)) => {
                let side = |release| Side { of: &current, release: Some(release) };
                compare(&fields, side(before.as_str()), side(after.as_str()))
            }
            // Of a single release nothing is compared.
            None => compare(&fields, all(&reference), all(&current)),
        };
        let (topics, no_topics) = match self.topics(actor, question.against, (start, end), (from, to)).await? {
            Ok(topics) => (Some(topics), None),
            Err(why) => (None, Some(why)),
        };
        let at = Timestamp::from_micros;
        let reference = (at(start), at(end));
        Ok(DriftReport { from: at(from), to: at(to), reference, releases, fields: found, topics, no_topics, waiting })
    }

    /// Sketches of a stretch, and how many of its hours are not made yet. Whoever may not see every trace gets sketches of
    /// those that they may see.
    async fn collect(
        &self,
        actor: &Actor,
        (fields, scores): (&[Field], Wanted<'_>),
        (from, to): (i64, i64),
    ) -> Result<(Collected, usize), TraceFault> {
        let mut collected = Collected::default();
        let sees_all = actor.labels == Labels::All;
        let (kept, others): (Vec<Field>, Vec<Field>) = fields.iter().cloned().partition(|field| sees_all && field.is_kept());
        let mut waiting = 0;
        if !kept.is_empty() {
            waiting = self.make_due(actor, (from, to)).await?;
            let names: Vec<String> = kept.iter().map(|field| field.name.clone()).collect();
            let project = actor.project.to_string();
            for row in
                kept::read(self.table().await?.as_ref(), (project.as_str(), Part::Fields), (from, to), Some(&names)).await?
            {
                collected.saw(&row.release, row.hour, row.hour);
                Collected::add(&mut collected.sketches, (row.release, row.field), Sketch::read(&row.kind, &row.sketch)?);
            }
        }
        if !others.is_empty() {
            let now = self.room.now();
            let among = Filter::eq("project", actor.project.to_string());
            let among = seen(self.room.asking(actor, now), among.and(stretch(from, to))).await?;
            let asked = Asked { among, from, to };
            let plain: Vec<Field> = others.iter().filter(|field| !field.is_inside()).cloned().collect();
            let spans = self.room.table().as_ref();
            taken(&mut collected, &plain, gather(spans, &asked, &plain).await?);
            for field in others.iter().filter(|field| field.is_inside()) {
                taken(&mut collected, std::slice::from_ref(field), gather_inside(spans, &asked, field).await?);
            }
        }
        let asked = !matches!(scores, Wanted::Named([]));
        let more = if asked { self.collect_scores(actor, scores, (from, to), &mut collected).await? } else { 0 };
        Ok((collected, waiting.max(more)))
    }

    async fn topics(
        &self,
        actor: &Actor,
        against: Against,
        (start, end): (i64, i64),
        (from, to): (i64, i64),
    ) -> Result<Result<TopicDrift, &'static str>, TraceFault> {
        if self.embedder.is_none() {
            return Ok(Err("this process embeds nothing"));
        }
        if actor.labels != Labels::All {
            return Ok(Err("topics show what was asked in traces that your key may not see"));
        }
        if against == Against::Release {
            return Ok(Err("topics are kept by the hour, not by release"));
        }
        let project = actor.project.to_string();
        let Some(topics) = self.known_topics(&project).await? else {
            return Ok(Err("no topics were made yet: that takes a hundred questions and an installed model that embeds"));
        };
        let table = self.table().await?.as_ref();
        let reference = kept::read(table, (project.as_str(), Part::Topics), (start, end), None).await?;
        let current = kept::read(table, (project.as_str(), Part::Topics), (from, to), None).await?;
        topics.compare(&reference, &current).map(Ok)
    }

    /// What was asked about, hour by hour: of the hours that began in this time.
    pub async fn topic_series(
        &self,
        actor: &Actor,
        field: &str,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Vec<(Timestamp, TopicSketch)>, TraceFault> {
        if field != topics::FIELD || actor.labels != Labels::All {
            let reason = format!("topics are those of `{}`, for whoever sees every trace", topics::FIELD);
            return Err(TraceFault::Question { reason });
        }
        let project = actor.project.to_string();
        let Some(topics) = self.known_topics(&project).await? else { return Ok(Vec::new()) };
        let table = self.table().await?.as_ref();
        let stretch = (from.as_micros(), to.as_micros());
        let rows = kept::read(table, (project.as_str(), Part::Topics), stretch, None).await?;
        Ok(topics.hours(&rows)?.into_iter().map(|(hour, sketch)| (Timestamp::from_micros(hour), sketch)).collect())
    }
}

const fn all(of: &Collected) -> Side<'_> {
    Side { of, release: None }
}

/// What was gathered, by release and field.
fn taken(collected: &mut Collected, fields: &[Field], gathered: Gathered) {
    let Gathered { releases, sketches, words, worded, .. } = gathered;
    for release in &releases {
        collected.saw(&release.name, release.first, release.last);
    }
    let key = |release: usize, field: usize| Some((releases.get(release)?.name.clone(), fields.get(field)?.name.clone()));
    for ((release, field), sketch) in sketches {
        if let Some(key) = key(release, field) {
            Collected::add(&mut collected.sketches, key, sketch);
        }
    }
    for ((release, field), sketch) in words {
        if let Some(key) = key(release, field) {
            Collected::add(&mut collected.words, key, sketch);
        }
    }
    collected.worded.extend(fields.first().filter(|_| worded).map(|field| field.name.clone()));
}

fn asked_for(names: &[String]) -> Result<Vec<Field>, TraceFault> {
    if names.is_empty() {
        return Field::kept();
    }
    if names.len() > FIELDS_MAX {
        return Err(TraceFault::Question { reason: format!("{FIELDS_MAX} fields are compared at once, at most") });
    }
    let mut seen = BTreeSet::new();
    names.iter().filter(|name| seen.insert(name.as_str())).map(|name| Field::named(name)).collect()
}

/// The whole hours that hold a stretch.
fn whole(from: Timestamp, to: Timestamp) -> Result<(i64, i64), TraceFault> {
    let question = |reason: &str| TraceFault::Question { reason: reason.to_owned() };
    if from >= to {
        return Err(question("`from` comes before `to`"));
    }
    if to.since(from) > LONGEST {
        return Err(question("31 days are compared at most"));
    }
    let hour = |micros: i64| micros.div_euclid(HOUR) * HOUR;
    Ok((hour(from.as_micros()), hour(to.as_micros().saturating_sub(1)) + HOUR))
}
