//! How the spans of one stretch of time differ from those of another.
//!
//! `gather.rs` makes sketches of spans (`requests.rs` counts requests once) and `scores.rs` of scores; `kept.rs` keeps those of
//! every hour in a table; `report.rs` compares two stretches field by field, and `topics.rs` what was asked and answered in them
//! (`texts.rs`). `services.rs` says whose releases are compared. `keeping.rs` makes what is due, in topics that `learning.rs`
//! learns; `erasing.rs` takes out what went into it of traces that are erased.

mod erasing;
mod fields;
mod gather;
mod keeping;
mod kept;
mod learning;
mod report;
mod requests;
mod scores;
mod services;
mod sketch;
mod texts;
mod topics;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use mainspring_kernel::{Actor, Labels, Timestamp};
use mainspring_lake::{Filter, Lake, Table};
use mainspring_llm::Embedder;
use tokio::sync::{Mutex, OnceCell, RwLock};

pub(crate) use self::kept::HOUR;
pub use report::{Bin, DriftState, FieldDrift, Figures, Releases};
pub use topics::{Topic, TopicDrift, TopicSketch, TopicsVersion, Why};

use self::{
    fields::Field,
    gather::{Asked, Gathered, gather, gather_inside, stretch},
    kept::Seen,
    report::{Collected, Side, compare, settle_scores},
    scores::Wanted,
    sketch::Sketch,
    texts::Spoken,
};
use crate::{fault::TraceFault, query::seen, senders::sent_by, service::Observability};

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
    /// Of which projects no topics could be learnt, and what there was of them then.
    in_vain: Arc<Mutex<BTreeMap<(String, Spoken), Seen>>>,
    /// Whoever makes something shares it from reading spans to writing what it made of them.
    making: Arc<RwLock<()>>,
}

/// What a stretch is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Against {
    /// As much time before it.
    Previous,
    /// Within it, one release with another.
    Release(Releases),
    Range(Timestamp, Timestamp),
}

#[derive(Debug, Clone, PartialEq)]
pub struct DriftQuestion {
    /// None: all that are kept, and the scores that were given.
    pub fields: Vec<String>,
    pub from: Timestamp,
    pub to: Timestamp,
    pub against: Against,
    /// Of the spans of this service, and of what was said of them; none: of all services together, and of releases those of
    /// the only service that has any.
    pub service: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DriftReport {
    /// In whole hours.
    pub from: Timestamp,
    pub to: Timestamp,
    pub reference: (Timestamp, Timestamp),
    /// The reference and the one that is looked at, where these are compared; none where there are no two.
    pub releases: Option<(String, String)>,
    /// Whose spans are compared: the service that was named, or the only one that has releases.
    pub service: Option<String>,
    /// What moved most comes first.
    pub fields: Vec<FieldDrift>,
    /// Of what was asked.
    pub topics: Option<TopicDrift>,
    /// Why nothing is said of topics.
    pub no_topics: Option<&'static str>,
    /// Of what was answered.
    pub answers: Option<TopicDrift>,
    pub no_answers: Option<&'static str>,
    /// Hours of both stretches that are not made yet, or have newer spans than is known of them.
    pub waiting: usize,
}

/// A stretch, and the release that is meant of it; none: all.
type Part<'a> = ((i64, i64), Option<&'a str>);

impl Drift {
    /// Nothing is opened before it is used.
    #[must_use]
    pub fn new(lake: Arc<dyn Lake>, room: Observability, embedder: Option<Arc<dyn Embedder>>) -> Self {
        Self {
            lake,
            table: Arc::default(),
            room,
            embedder,
            looked: Arc::default(),
            in_vain: Arc::default(),
            making: Arc::default(),
        }
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
        let (start, end) = match &question.against {
            Against::Previous => (from - (to - from), from),
            Against::Release(releases) if releases.are_one() => {
                return Err(TraceFault::Question { reason: "a release is compared with another one".to_owned() });
            }
            Against::Release(_) => (from, to),
            Against::Range(start, end) => whole(*start, *end)?,
        };
        self.room.catch_up().await;
        let owner = self.owner(actor, question, (from, to)).await?;
        let whose = (actor, owner.apart());
        let (mut current, waiting) = self.collect(whose, (&fields, wanted), (from, to)).await?;
        let (mut reference, more) = match question.against {
            Against::Release(_) => (Collected::default(), 0),
            Against::Previous | Against::Range(..) => self.collect(whose, (&fields, wanted), (start, end)).await?,
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
        let releases = match &question.against {
            Against::Release(asked) => current.two(asked),
            Against::Previous | Against::Range(..) => None,
        };
        if let Some((before, after)) = &releases {
            self.check_scored(actor, (&owner, &current), (before.as_str(), after.as_str()), (from, to)).await?;
        }
        let found = match &releases {
            Some((before, after)) => {
                let side = |release| Side { of: &current, release: Some(release) };
                compare(&fields, side(before.as_str()), side(after.as_str()))
            }
            // Of a single release nothing is compared.
            None => compare(&fields, all(&reference), all(&current)),
        };
        let (before, after) = releases.as_ref().map(|(before, after)| (before.as_str(), after.as_str())).unzip();
        let sides = match question.against {
            _ if owner.apart().is_some() => Err("topics are kept of all services together"),
            Against::Release(_) if releases.is_none() => Err("there are no two releases in this time"),
            _ => Ok((((start, end), before), ((from, to), after))),
        };
        let (topics, no_topics) = self.topics(actor, Spoken::Asked, sides).await?;
        let (answers, no_answers) = self.topics(actor, Spoken::Answered, sides).await?;
        let at = Timestamp::from_micros;
        Ok(DriftReport {
            from: at(from),
            to: at(to),
            reference: (at(start), at(end)),
            fields: found,
            topics,
            no_topics,
            answers,
            no_answers,
            waiting,
            releases,
            service: owner.name(),
        })
    }

    /// Sketches of a stretch, and how many of its hours are not made yet. Whoever may not see every trace gets sketches of
    /// those that they may see, and whoever asks of one service those of its spans.
    async fn collect(
        &self,
        (actor, service): (&Actor, Option<&str>),
        (fields, scores): (&[Field], Wanted<'_>),
        (from, to): (i64, i64),
    ) -> Result<(Collected, usize), TraceFault> {
        let mut collected = Collected::default();
        let of_all = actor.labels == Labels::All && service.is_none();
        let (kept, others): (Vec<Field>, Vec<Field>) = fields.iter().cloned().partition(|field| of_all && field.is_kept());
        let mut waiting = 0;
        if !kept.is_empty() {
            waiting = self.make_due(actor, (from, to)).await?;
            let again = kept.iter().filter(|field| field.is_of_requests()).map(|field| Field::again(&field.name));
            let names: Vec<String> = kept.iter().map(|field| field.name.clone()).chain(again).collect();
            let project = actor.project.to_string();
            for row in
                kept::read(self.table().await?.as_ref(), (project.as_str(), kept::Part::Fields), (from, to), Some(&names)).await?
            {
                collected.saw(&row.release, row.hour, row.hour);
                Collected::add(&mut collected.sketches, (row.release, row.field), Sketch::read(&row.kind, &row.sketch)?);
            }
        }
        if !others.is_empty() {
            let now = self.room.now();
            let among = of_service(&actor.project.to_string(), service);
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
        let more = if asked { self.collect_scores((actor, service), scores, (from, to), &mut collected).await? } else { 0 };
        Ok((collected, waiting.max(more)))
    }

    async fn topics(
        &self,
        actor: &Actor,
        spoken: Spoken,
        sides: Result<(Part<'_>, Part<'_>), &'static str>,
    ) -> Result<(Option<TopicDrift>, Option<&'static str>), TraceFault> {
        if self.embedder.is_none() {
            return Ok((None, Some("this process embeds nothing")));
        }
        if actor.labels != Labels::All {
            return Ok((None, Some("topics show what was said in traces that your key may not see")));
        }
        let (reference, current) = match sides {
            Ok(sides) => sides,
            Err(why) => return Ok((None, Some(why))),
        };
        let project = actor.project.to_string();
        let all = self.all_topics(&project, spoken).await?;
        let Some(topics) = all.first() else { return Ok((None, Some(spoken.unmade()))) };
        let table = self.table().await?.as_ref();
        let among = (project.as_str(), spoken.part(topics.version));
        let before = kept::read(table, among, reference.0, None).await?;
        let after = kept::read(table, among, current.0, None).await?;
        Ok((Some(topics.compare((&before, reference.1), (&after, current.1), all.get(1))?), None))
    }

    /// What was asked about or answered, hour by hour: of the hours that began in this time. Of a release also the hour
    /// within which the time begins, as if it began with it: what there is of a release there is after it came.
    pub async fn topic_series(
        &self,
        actor: &Actor,
        (field, release): (&str, Option<&str>),
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Vec<(Timestamp, TopicSketch)>, TraceFault> {
        let Some(spoken) = Spoken::named(field).filter(|_| actor.labels == Labels::All) else {
            let [one, other] = Spoken::ALL.map(Spoken::field);
            let reason = format!("topics are those of `{one}` or `{other}`, for whoever sees every trace");
            return Err(TraceFault::Question { reason });
        };
        let project = actor.project.to_string();
        let all = self.all_topics(&project, spoken).await?;
        let Some(topics) = all.first() else { return Ok(Vec::new()) };
        let table = self.table().await?.as_ref();
        let (from, to) = (from.as_micros(), to.as_micros());
        let first = if release.is_some() { from.div_euclid(HOUR) * HOUR } else { from };
        let rows = kept::read(table, (project.as_str(), spoken.part(topics.version)), (first, to), None).await?;
        let at = |hour: i64| Timestamp::from_micros(hour.max(from));
        Ok(topics.hours(&rows, release)?.into_iter().map(|(hour, sketch)| (at(hour), sketch)).collect())
    }
}

/// Spans of a project, or of one service or app of it; of an empty name those that say none.
fn of_service(project: &str, service: Option<&str>) -> Filter {
    Filter::eq("project", project).and(service.map_or(Filter::All, sent_by))
}

const fn all(of: &Collected) -> Side<'_> {
    Side { of, release: None }
}

/// What was gathered, by release and field.
fn taken(collected: &mut Collected, fields: &[Field], gathered: Gathered) {
    let Gathered { releases, sketches, again, words, worded, .. } = gathered;
    for release in &releases {
        collected.saw(&release.name, release.first, release.last);
    }
    let key = |release: usize, field: usize| Some((releases.get(release)?.name.clone(), fields.get(field)?.name.clone()));
    for ((release, field), sketch) in sketches {
        if let Some(key) = key(release, field) {
            Collected::add(&mut collected.sketches, key, sketch);
        }
    }
    for ((release, field), sketch) in again {
        if let Some((release, field)) = key(release, field) {
            Collected::add(&mut collected.sketches, (release, Field::again(&field)), sketch);
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
