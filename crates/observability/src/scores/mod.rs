//! Scores: what people and programs say of traces, spans and sessions; rows of the table `scores`.
//!
//! A writer is answered when its commit is in the lake. The last score under an id is the one that counts, whichever process
//! took it.

mod asking;
mod bearers;
mod bearing;
mod checks;
mod evaluations;
mod joining;
mod measures;
mod naming;
mod pieces;
mod rows;
mod series;

#[cfg(test)]
mod tests;

use std::{collections::HashSet, sync::Arc, time::Duration};

use mainspring_kernel::{Name, Tasks, Timestamp, id::ProjectId, name::NameFault};
use mainspring_lake::{Filter, IndexKind, IndexSpec, Lake, Order, Past, Scan, Table, TableSpec};
use mainspring_llm::{SpanId, TraceId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell, oneshot};

use crate::{capture::Policies, fault::TraceFault, forget::purge};

pub use asking::ScoreSummary;
pub use checks::{FEEDBACK, Feedback, NewScore, Rating};
pub use evaluations::{evaluations, event_of};
pub use measures::ScoreMeasure;
pub use naming::score_field;
pub use series::ScoreListener;

pub(crate) use bearers::bearers;
pub(crate) use bearing::{CLOCKS_DIFFER, Scored};
pub(crate) use joining::TraceRange;
pub(crate) use measures::{OF_SCORES, measured, score_group};
pub(crate) use naming::field_of;
pub(crate) use pieces::{Given, counted, stretches, within};

const TABLE: &str = "scores";
/// Scores that are compared with the table and written at once.
const CHUNK: usize = 1_000;
/// Traces of one condition.
const AT_ONCE: usize = 2_000;
/// What makes a score that score, and no other.
const KEYS: [&str; 2] = ["project", "id"];
/// Scores of one trace that are shown at most.
const OF_TRACE_MAX: usize = 5_000;
/// Scores that are read at once where all of some traces are summed up.
const TOLD_AT_ONCE: usize = 4_000;
/// Nobody asks for scores as they were.
const PAST: Past = Past::Brief { no_older_than: Duration::from_secs(15 * 60), versions: 200 };

/// What a score says.
#[derive(Debug, Clone, PartialEq)]
pub enum ScoreValue {
    Numeric(f64),
    Boolean(bool),
    /// One of a few words.
    Categorical(String),
    /// Anything, to be read by people.
    Text(String),
}

/// What kind of value a score has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreKind {
    Numeric,
    Boolean,
    Categorical,
    Text,
}

/// Who or what gave a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScoreSource {
    #[default]
    Api,
    /// Somebody who looked at the trace.
    Annotation,
    /// Whom the answer was for.
    UserFeedback,
    /// A program that judges.
    Evaluation,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    pub project: ProjectId,
    pub id: String,
    pub name: String,
    pub value: ScoreValue,
    pub comment: Option<String>,
    pub source: ScoreSource,
    /// Absent where it is about a session.
    pub trace: Option<TraceId>,
    pub span: Option<SpanId>,
    pub session: Option<String>,
    pub author: Option<String>,
    /// What made it, with its version: `judge@3`.
    pub config: Option<String>,
    pub metadata: Option<Value>,
    pub time: Timestamp,
}

/// Which scores are listed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScoreFilter {
    pub name: Option<String>,
    pub kind: Option<ScoreKind>,
    pub source: Option<ScoreSource>,
    pub trace: Option<String>,
    pub span: Option<String>,
    pub session: Option<String>,
    pub author: Option<String>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

impl ScoreKind {
    pub const ALL: [Self; 4] = [Self::Numeric, Self::Boolean, Self::Categorical, Self::Text];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Numeric => "numeric",
            Self::Boolean => "boolean",
            Self::Categorical => "categorical",
            Self::Text => "text",
        }
    }

    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl ScoreSource {
    pub const ALL: [Self; 4] = [Self::Api, Self::Annotation, Self::UserFeedback, Self::Evaluation];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Annotation => "annotation",
            Self::UserFeedback => "user_feedback",
            Self::Evaluation => "evaluation",
        }
    }

    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }
}

impl ScoreValue {
    #[must_use]
    pub const fn kind(&self) -> ScoreKind {
        match self {
            Self::Numeric(_) => ScoreKind::Numeric,
            Self::Boolean(_) => ScoreKind::Boolean,
            Self::Categorical(_) => ScoreKind::Categorical,
            Self::Text(_) => ScoreKind::Text,
        }
    }

    /// As a number: true is 1.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Numeric(number) => Some(*number),
            Self::Boolean(yes) => Some(f64::from(u8::from(*yes))),
            Self::Categorical(_) | Self::Text(_) => None,
        }
    }

    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Numeric(_) | Self::Boolean(_) => None,
            Self::Categorical(text) | Self::Text(text) => Some(text),
        }
    }

    #[must_use]
    pub fn json(&self) -> Value {
        match self {
            Self::Numeric(number) => (*number).into(),
            Self::Boolean(yes) => (*yes).into(),
            Self::Categorical(text) | Self::Text(text) => text.as_str().into(),
        }
    }
}

/// Where the next page starts: after this score, in order of time (newest first) and id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct After(i64, String);

impl After {
    pub(crate) fn of(score: &Score) -> Self {
        Self(score.time.as_micros(), score.id.clone())
    }

    fn beyond(&self) -> Filter {
        let Self(time, id) = self;
        let earlier = Filter::Lt("time".into(), (*time).into());
        let same = Filter::And(vec![Filter::Eq("time".into(), (*time).into()), Filter::Gt("id".into(), id.as_str().into())]);
        Filter::Or(vec![earlier, same])
    }
}

/// How many scores are in memory at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    /// That the conditions of one question find: their traces take sixteen bytes each, and so do spans. Who asks about more is
    /// answered in parts, or told so.
    pub(crate) found: u64,
    /// That are read at once.
    pub(crate) piece: u64,
}

impl Default for Most {
    fn default() -> Self {
        Self { found: 2_000_000, piece: 100_000 }
    }
}

#[derive(Debug, Clone)]
pub struct Scores {
    lake: Arc<dyn Lake>,
    table: Arc<OnceCell<Arc<dyn Table>>>,
    policies: Policies,
    /// What is read and written anew is written by nobody else of this process in between.
    writing: Arc<Mutex<()>>,
    tasks: Tasks,
    pub(crate) most: Most,
}

pub(crate) fn of_project(project: ProjectId) -> Filter {
    Filter::eq("project", project.to_string())
}

fn stored_before(time: Timestamp) -> Filter {
    Filter::Lt("stored".into(), time.as_micros().into())
}

impl Scores {
    /// Nothing is opened before it is used.
    #[must_use]
    pub fn new(lake: Arc<dyn Lake>, policies: impl Into<Policies>, tasks: Tasks) -> Self {
        let (policies, most) = (policies.into(), Most::default());
        Self { lake, table: Arc::default(), policies, writing: Arc::default(), tasks, most }
    }

    /// The table, made where it does not exist.
    pub async fn table(&self) -> Result<&Arc<dyn Table>, TraceFault> {
        let open = async {
            let name: Name = TABLE.parse().map_err(|fault: NameFault| TraceFault::Unreadable { reason: fault.to_string() })?;
            let index = |column: &str| IndexSpec { column: column.to_owned(), kind: IndexKind::Scalar };
            let indexes = ["id", "trace", "name", "time"].map(index).to_vec();
            let spec = TableSpec { schema: rows::schema(), indexes, past: PAST, packed: Vec::new(), echoes: Vec::new() };
            Ok::<_, TraceFault>(self.lake.open(&name, &spec).await?)
        };
        self.table.get_or_try_init(|| open).await
    }

    /// Whether somebody has used them here.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.table.initialized()
    }

    /// Writes scores; when this returns, they survive the death of the process. One under an id that is there takes its place.
    pub async fn put(&self, project: ProjectId, scores: Vec<Score>, now: Timestamp, within: Duration) -> Result<(), TraceFault> {
        if scores.is_empty() {
            return Ok(());
        }
        // It goes on to its end though nobody waits any more: the lake may be at it.
        let (done, written) = oneshot::channel();
        let this = self.clone();
        self.tasks.spawn("scores: to the lake", |_| async move {
            let _ = done.send(Box::pin(this.put_all(project, scores, now)).await);
        });
        match tokio::time::timeout(within, written).await {
            Ok(Ok(written)) => written,
            Ok(Err(_)) | Err(_) => Err(TraceFault::NotStored),
        }
    }

    async fn put_all(&self, project: ProjectId, scores: Vec<Score>, now: Timestamp) -> Result<(), TraceFault> {
        let mut known = HashSet::new();
        // The last of those with the same id counts.
        let mut scores: Vec<Score> = scores.into_iter().rev().filter(|score| known.insert(score.id.clone())).collect();
        scores.iter_mut().for_each(|score| score.project = project);
        let table = self.table().await?;
        let _alone = self.writing.lock().await;
        for chunk in scores.chunks(CHUNK) {
            let these = of_project(project).and(Filter::any_of("id", chunk.iter().map(|score| score.id.as_str())));
            // A sender whose answer was lost may say it again to another server, and at once.
            table.put(&KEYS, these, rows::to_batch(chunk, now)?).await?;
        }
        Ok(())
    }

    /// Answers whether it was there.
    pub(crate) async fn delete(&self, project: ProjectId, id: &str) -> Result<bool, TraceFault> {
        let this = of_project(project).and(Filter::eq("id", id));
        let table = self.table().await?;
        let _alone = self.writing.lock().await;
        Ok(table.replace(this, None).await?.deleted > 0)
    }

    /// Deletes every score of these traces and of their spans, also from the files of before.
    pub async fn delete_of_traces(&self, project: ProjectId, traces: &[String]) -> Result<u64, TraceFault> {
        self.delete_by(project, "trace", traces).await
    }

    /// Deletes every score of these sessions, also from the files of before.
    pub async fn delete_of_sessions(&self, project: ProjectId, sessions: &[String]) -> Result<u64, TraceFault> {
        self.delete_by(project, "session", sessions).await
    }

    /// Deletes every score that somebody gave, also from the files of before.
    pub async fn delete_by_author(&self, project: ProjectId, author: &str) -> Result<u64, TraceFault> {
        self.delete_by(project, "author", &[author.to_owned()]).await
    }

    async fn delete_by(&self, project: ProjectId, column: &str, values: &[String]) -> Result<u64, TraceFault> {
        let table = self.table().await?;
        let mut deleted = 0;
        for some in values.chunks(AT_ONCE) {
            let these = of_project(project).and(Filter::any_of(column, some.iter().map(String::as_str)));
            let _alone = self.writing.lock().await;
            deleted += table.replace(these, None).await?.deleted;
        }
        if deleted > 0 {
            purge(table.as_ref()).await?;
        }
        Ok(deleted)
    }

    /// Takes out what was written in words of these traces: comments, and texts that are read by people. What was counted
    /// stays.
    pub(crate) async fn forget_texts(&self, project: ProjectId, traces: &[String], now: Timestamp) -> Result<(), TraceFault> {
        let table = self.table().await?;
        let mut gone = 0;
        for some in traces.chunks(AT_ONCE) {
            let is_text = Filter::eq("kind", ScoreKind::Text.as_str());
            let worded = Filter::Or(vec![Filter::present("comment"), Filter::present("metadata"), is_text]);
            let among = of_project(project).and(Filter::any_of("trace", some.iter().map(String::as_str))).and(worded);
            let _alone = self.writing.lock().await;
            let found = rows::read_all(&table.scan(Scan::of(among)).await?)?;
            for chunk in found.chunks(CHUNK) {
                let these = of_project(project).and(Filter::any_of("id", chunk.iter().map(|score| score.id.as_str())));
                let kept = chunk.iter().filter(|score| score.value.kind() != ScoreKind::Text).cloned();
                let kept: Vec<Score> = kept.map(|score| Score { comment: None, metadata: None, ..score }).collect();
                let batch = if kept.is_empty() { None } else { Some(rows::to_batch(&kept, now)?) };
                gone += table.replace(these, batch).await?.deleted;
            }
        }
        if gone > 0 { purge(table.as_ref()).await.map(drop) } else { Ok(()) }
    }

    /// Whether any project has scores that were stored before a time.
    pub(crate) async fn any_before(&self, before: Timestamp) -> Result<bool, TraceFault> {
        Ok(self.table().await?.count(stored_before(before)).await? > 0)
    }

    /// Deletes a project's scores that were stored before a time: the traces they are about are older.
    pub(crate) async fn expire(&self, project: ProjectId, before: Timestamp) -> Result<u64, TraceFault> {
        let old = of_project(project).and(stored_before(before));
        let table = self.table().await?;
        if table.count(old.clone()).await? == 0 {
            return Ok(0);
        }
        let _alone = self.writing.lock().await;
        Ok(table.replace(old, None).await?.deleted)
    }

    /// Part of a list, newest first.
    pub(crate) async fn part(
        &self,
        project: ProjectId,
        filter: &ScoreFilter,
        after: Option<&After>,
        limit: usize,
    ) -> Result<Vec<Score>, TraceFault> {
        let mut parts = vec![of_project(project)];
        let texts = [
            ("name", filter.name.as_deref()),
            ("kind", filter.kind.map(ScoreKind::as_str)),
            ("source", filter.source.map(ScoreSource::as_str)),
            ("trace", filter.trace.as_deref()),
            ("span", filter.span.as_deref()),
            ("session", filter.session.as_deref()),
            ("author", filter.author.as_deref()),
        ];
        parts.extend(texts.into_iter().filter_map(|(column, value)| value.map(|value| Filter::eq(column, value))));
        parts.extend(filter.from.map(|from| Filter::GtEq("time".into(), from.as_micros().into())));
        parts.extend(filter.to.map(|to| Filter::Lt("time".into(), to.as_micros().into())));
        parts.extend(after.map(After::beyond));
        let scan = Scan::of(Filter::And(parts)).order("time", Order::Descending).order("id", Order::Ascending).limit(limit);
        rows::read_all(&self.table().await?.scan(scan).await?)
    }

    /// The scores of these traces and of their spans, newest first.
    pub(crate) async fn of_traces(
        &self,
        project: ProjectId,
        traces: impl IntoIterator<Item = String>,
        limit: Option<usize>,
    ) -> Result<Vec<Score>, TraceFault> {
        let these = of_project(project).and(Filter::any_of("trace", traces));
        let mut scan = Scan::of(these).order("time", Order::Descending).order("id", Order::Ascending);
        scan.limit = limit;
        rows::read_all(&self.table().await?.scan(scan).await?)
    }

    /// Tells every score of these traces and of their spans, newest first, however many there are.
    pub(crate) async fn each_of_traces(
        &self,
        project: ProjectId,
        traces: impl IntoIterator<Item = String>,
        mut tell: impl FnMut(&Score) + Send,
    ) -> Result<(), TraceFault> {
        let these = of_project(project).and(Filter::any_of("trace", traces));
        let mut after: Option<After> = None;
        loop {
            let among = after.as_ref().map_or(Filter::All, After::beyond).and(these.clone());
            let scan = Scan::of(among).order("time", Order::Descending).order("id", Order::Ascending).limit(TOLD_AT_ONCE);
            let found = rows::read_all(&self.table().await?.scan(scan).await?)?;
            found.iter().for_each(&mut tell);
            if found.len() < TOLD_AT_ONCE {
                return Ok(());
            }
            after = found.last().map(After::of);
        }
    }

    /// One score, where it is there.
    pub(crate) async fn one(&self, project: ProjectId, id: &str) -> Result<Option<Score>, TraceFault> {
        let scan = Scan::of(of_project(project).and(Filter::eq("id", id))).limit(1);
        Ok(rows::read_all(&self.table().await?.scan(scan).await?)?.pop())
    }
}
