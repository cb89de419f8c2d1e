//! Erasing what is known of somebody, until no file holds it.
//!
//! Every server has spans of its own that are in no table yet, so none is passed over: first each lets go of what it holds of
//! the subject and brings the rest; then it is known which traces are theirs, and each hears of these; then they are deleted,
//! and each waits for what it makes of spans that it has read already. What was made of them goes last.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::Duration,
};

use arrow_array::RecordBatch;
use mainspring_kernel::id::ProjectId;
use mainspring_lake::{Filter, JsonTest, LakeFault, LakeVersion, Scan, Table};
use serde_json::{Map, Value};

use super::{
    Erased, ErasureId, Keeping, KeepingFault, Names, Subject, Telemetry,
    model::{ErasureStep, Holder, Looked, ServerId, document_mark, trace_mark},
    part::waits_for,
    store::{self, Mark, Marks},
};
use crate::{
    along::{Along, READ_AT_ONCE},
    belonging::said_itself,
    conventions::{
        person_names,
        persons::{session_names, sessions_in, user_names},
    },
    drift::HOUR,
    fault::TraceFault,
    forget,
    query::ways,
    table::Rows,
    values::Removed,
};

/// Traces that one commit deletes, and those that are written down together.
const AT_ONCE: usize = 100;
const MARKED_AT_ONCE: usize = 1_000;
/// What is read of rows that name somebody.
const FOUND_BY: [&str; 2] = ["trace", "session"];
/// A busy table changes while it is compacted.
const ROUNDS: u32 = 5;
/// What a server has brought to a lake that several have is seen by the others after no longer than this.
const SEEN_AFTER: Duration = Duration::from_secs(2);
/// Clocks of servers differ by no more.
const CLOCKS_APART: Duration = Duration::from_secs(60);
/// For as long after an erasure there may be files of a write that was broken off, in a lake that several have: one may have
/// begun before it, goes on for half an hour at most, and what it left is known for such an hour later.
const LEFTOVERS_FOR: Duration = Duration::from_secs(3 * 3_600);

impl Keeping {
    /// Deletes what there is of a subject, and the files that held it. It can be broken off anywhere and begun again; when it
    /// has come to its end, nothing is left, on no server that was asked, and it answers up to where they were. What a sender
    /// sends of the subject afterwards is kept as anything else.
    pub async fn erase(&self, id: ErasureId, project: ProjectId, subject: &Subject) -> Result<i64, KeepingFault> {
        self.erase_with(id, project, subject, &[]).await
    }

    /// The same of a document, at once under every other id that it has or had: nothing of these waits for a server that is away.
    pub async fn erase_with(
        &self,
        id: ErasureId,
        project: ProjectId,
        subject: &Subject,
        others: &[String],
    ) -> Result<i64, KeepingFault> {
        let documents: Vec<String> = match subject {
            Subject::Document { document, .. } => std::iter::once(document).chain(others).cloned().collect(),
            Subject::User(_) | Subject::Session(_) | Subject::Trace(_) => Vec::new(),
        };
        let mut erasing = Erasing { keeping: self, id, project, subject, documents, silent: BTreeMap::new() };
        Box::pin(erasing.carry_out()).await
    }

    /// Where something was erased lately, removes what no version of a table names and no write can be at any more: a server
    /// that died while it wrote, or that wrote in vain, may have left it, and nobody knew then that it was nobody's. Answers
    /// how many bytes went.
    pub async fn clear_leftovers(&self) -> Result<u64, KeepingFault> {
        if !store::cleaned_since(&self.parts.catalog, self.now().minus(LEFTOVERS_FOR)).await? {
            return Ok(0);
        }
        let mut bytes = 0;
        for table in self.tables().await? {
            bytes += table.clear_leftovers().await.map_err(TraceFault::from)?;
        }
        Ok(bytes)
    }

    /// Every table that may hold something of somebody.
    async fn tables(&self) -> Result<Vec<&dyn Table>, TraceFault> {
        let parts = &self.parts;
        let mut tables: Vec<&dyn Table> =
            vec![parts.spans.table().as_ref(), parts.points.table().await?.as_ref(), parts.drift.table().await?.as_ref()];
        if let Some(scores) = &parts.spans.scores {
            tables.push(scores.table().await?.as_ref());
        }
        Ok(tables)
    }
}

/// Traces, and sessions of a user.
type Theirs = (HashSet<String>, HashSet<String>);

struct Erasing<'e> {
    keeping: &'e Keeping,
    id: ErasureId,
    project: ProjectId,
    subject: &'e Subject,
    /// Every id of a document.
    documents: Vec<String>,
    /// Servers that did not answer when they were asked.
    silent: BTreeMap<ServerId, Holder>,
}

impl<'e> Erasing<'e> {
    async fn carry_out(&mut self) -> Result<i64, KeepingFault> {
        let (id, project, keeping) = (self.id, self.project, self.keeping);
        let parts = &keeping.parts;
        self.step(ErasureStep::Asking).await?;
        self.everyone(0).await?;
        let erasure = store::any(&parts.catalog, id).await?.ok_or_else(|| KeepingFault::NoErasure { id: id.to_string() })?;
        if erasure.cleaned.is_some() {
            // What the lake has is gone. It is looked at again when the last server is back.
            self.all_answered()?;
        }
        self.step(ErasureStep::Looking).await?;
        let found = self.collect(erasure.looked).await?;
        self.everyone(found).await?;
        self.step(ErasureStep::Deleting).await?;
        let marks = store::marks(&parts.catalog, id).await?;
        let traces: Vec<String> = marks.traces.iter().cloned().collect();
        let tables = self.tables().await?;
        // While the traces are there, what is broken off here is found again.
        let words = self.words(&marks, &traces).await?;
        parts.drift.unname(project, &words).await?;
        let erased = self.delete(&marks, &traces).await?;
        // What is counted twice when it is broken off here was deleted once.
        store::add(&parts.catalog, id, erased).await?;
        let names = Names { words: words.into_iter().collect(), ..self.names(traces) };
        self.forget_names(&names).await?;
        // Whoever had read the spans has written by then what was made of them.
        self.again().await?;
        parts.drift.remake(project, &marks.hours, erasure.asked.minus(CLOCKS_APART)).await?;
        // And whoever remembered a name from before has told of it.
        self.forget_names(&names).await?;
        let answered = self.again().await?;
        let spans = self.delete_lent(&marks).await?;
        store::add(&parts.catalog, id, Erased { spans, ..Erased::default() }).await?;
        if !names.is_empty() {
            parts.derived.erase(project, &names).await.map_err(KeepingFault::Derived)?;
        }
        self.step(ErasureStep::Rewriting).await?;
        for (table, before) in tables {
            let bytes = clean(table, &before).await?;
            store::add(&parts.catalog, id, Erased { bytes, ..Erased::default() }).await?;
        }
        self.step(ErasureStep::Sweeping).await?;
        let kept = parts.spans.kept();
        let Removed { values, bytes } = kept.values.sweep(kept.table.as_ref()).await?;
        store::add(&parts.catalog, id, Erased { bytes, values, ..Erased::default() }).await?;
        store::cleaned(&parts.catalog, id, keeping.now()).await?;
        self.all_answered()?;
        Ok(answered)
    }

    async fn step(&self, step: ErasureStep) -> Result<(), KeepingFault> {
        Ok(store::step(&self.keeping.parts.catalog, self.id, step).await?)
    }

    async fn everyone(&mut self, generation: i64) -> Result<(), KeepingFault> {
        let silent = self.keeping.everyone(self.id, generation).await?;
        self.silent.extend(silent.into_iter().map(|server| (server.server, server)));
        if self.keeping.parts.spans.kept().values.is_shared() {
            tokio::time::sleep(SEEN_AFTER).await;
        }
        Ok(())
    }

    /// Asks everyone once more.
    async fn again(&mut self) -> Result<i64, KeepingFault> {
        let generation = self.mark(&Mark::default()).await?;
        self.everyone(generation).await?;
        Ok(generation)
    }

    fn all_answered(&self) -> Result<(), KeepingFault> {
        let silent: Vec<Holder> = self.silent.values().cloned().collect();
        if silent.is_empty() { Ok(()) } else { Err(waits_for(&silent)) }
    }

    async fn mark(&self, mark: &Mark) -> Result<i64, KeepingFault> {
        let id = self.id;
        self.keeping
            .parts
            .catalog
            .transact(|mut tx| async move {
                let generation = store::add_mark(&mut tx, id, mark).await?;
                Ok::<_, KeepingFault>((tx, generation))
            })
            .await
    }

    /// Writes down which traces are theirs, with those that servers have found. Answers up to where everyone has to be to have
    /// heard of them.
    async fn collect(&self, looked: Option<Looked>) -> Result<i64, KeepingFault> {
        self.look(looked).await?;
        let known = store::marks(&self.keeping.parts.catalog, self.id).await?;
        let all: Vec<&String> = known.traces.iter().collect();
        let mut rest = Mark { hours: self.hours(&all).await?.difference(&known.hours).copied().collect(), ..Mark::default() };
        let marks = self.documents.iter().map(|document| document_mark(self.project, document));
        rest.fingerprints.extend(marks.filter(|mark| !known.fingerprints.contains(mark)));
        if rest == Mark::default() { Ok(known.generation) } else { self.mark(&rest).await }
    }

    fn ours(&self) -> Filter {
        Filter::eq("project", self.project.to_string())
    }

    /// Looks for the traces in which they are named, and for the sessions of a user, by when rows began. What was found is written
    /// down together with how far that was: whoever goes on for a dead process goes on from there.
    async fn look(&self, looked: Option<Looked>) -> Result<(), KeepingFault> {
        let parts = &self.keeping.parts;
        let (table, said) = (parts.spans.table().as_ref(), self.said());
        let mut known = store::marks(&parts.catalog, self.id).await?;
        // To a trace an index leads.
        if matches!(self.subject, Subject::Trace(_)) {
            let batches = table.scan(Scan::of(self.ours().and(said)).columns(&FOUND_BY)).await.map_err(TraceFault::from)?;
            let (traces, _) = named(&batches)?;
            return self.found(&mut known, (traces, HashSet::new()), None).await;
        }
        let lasts = self.silent.is_empty();
        let before = looked.filter(|looked| looked.lasts && lasts);
        let later = before.map_or(Filter::All, |looked| Filter::Gt("start".into(), looked.until.into()));
        let mut along = Along::of(table, self.ours().and(later), READ_AT_ONCE).await?;
        let Some((first, to)) = along.left() else { return Ok(()) };
        let from = before.map_or(first, |looked| looked.from);
        let mut looked = Looked { from, until: first.saturating_sub(1), to, lasts };
        while let Some((until, batches)) = along.next(&said, &FOUND_BY).await? {
            looked.until = until;
            let found = self.theirs(table, &said, &batches).await?;
            self.found(&mut known, found, Some(looked)).await?;
        }
        Ok(())
    }

    /// Rows that name them.
    fn said(&self) -> Filter {
        match self.subject {
            // The column has one name of several, and more than the attributes where these were not kept.
            Subject::User(user) => Filter::Or(vec![Filter::eq("user", user.as_str()), says(user_names(), user)]),
            Subject::Session(session) => {
                Filter::Or(vec![Filter::eq("session", session.as_str()), says(session_names(), session)])
            }
            Subject::Trace(trace) => Filter::eq("trace", trace.as_str()),
            Subject::Document { .. } => forget::names_any(&self.documents),
        }
    }

    /// The traces that these rows are of, and of a user the sessions. A span that shows what somebody said need not name them:
    /// their traces go whole.
    async fn theirs(&self, table: &dyn Table, said: &Filter, batches: &[RecordBatch]) -> Result<Theirs, TraceFault> {
        let (traces, mut sessions) = named(batches)?;
        if !matches!(self.subject, Subject::User(_)) {
            return Ok((traces, HashSet::new()));
        }
        // Sessions have several names too.
        let all: Vec<&str> = traces.iter().map(String::as_str).collect();
        for some in all.chunks(AT_ONCE) {
            let these = self.ours().and(Filter::any_of("trace", some.iter().copied())).and(said.clone());
            for batch in table.scan(Scan::of(these).columns(&["attributes"])).await? {
                let rows = Rows(&batch);
                for row in 0..batch.num_rows() {
                    let text = rows.text("attributes", row)?.unwrap_or_default();
                    let attributes: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
                    sessions.extend(sessions_in(&attributes).map(std::borrow::Cow::into_owned));
                }
            }
        }
        Ok((traces, sessions))
    }

    /// Writes down what nobody had found before, and how far it was looked, in one transaction.
    async fn found(&self, known: &mut Marks, found: Theirs, looked: Option<Looked>) -> Result<(), KeepingFault> {
        let (traces, sessions) = found;
        let traces: Vec<String> = traces.into_iter().filter(|trace| known.traces.insert(trace.clone())).collect();
        let sessions: Vec<String> = sessions.into_iter().filter(|session| known.sessions.insert(session.clone())).collect();
        let of_some = |some: &[String]| {
            let fingerprints = some.iter().map(|trace| trace_mark(self.project, trace)).collect();
            Mark { fingerprints, traces: some.to_vec(), ..Mark::default() }
        };
        let mut marks: Vec<Mark> = traces.chunks(MARKED_AT_ONCE).map(of_some).collect();
        if !sessions.is_empty() {
            marks.push(Mark { sessions, ..Mark::default() });
        }
        let (id, marks) = (self.id, &marks);
        self.keeping
            .parts
            .catalog
            .transact(|mut tx| async move {
                for mark in marks {
                    store::add_mark(&mut tx, id, mark).await?;
                }
                if let Some(looked) = looked {
                    store::looked(&mut tx, id, looked).await?;
                }
                Ok::<_, KeepingFault>((tx, ()))
            })
            .await
    }

    /// The words of theirs that name topics, with those that were found before this was broken off. They are written down before
    /// topics lose them: monitors and alerts may have told of them.
    async fn words(&self, marks: &Marks, traces: &[String]) -> Result<BTreeSet<String>, KeepingFault> {
        let found = self.keeping.parts.drift.unusual(self.project, traces).await?;
        let new: Vec<String> = found.difference(&marks.words).cloned().collect();
        if !new.is_empty() {
            self.mark(&Mark { words: new, ..Mark::default() }).await?;
        }
        Ok(found.union(&marks.words).cloned().collect())
    }

    /// When the hours began that spans of these traces began in.
    async fn hours(&self, traces: &[&String]) -> Result<BTreeSet<i64>, TraceFault> {
        let table = self.keeping.parts.spans.table();
        let mut hours = BTreeSet::new();
        for some in traces.chunks(AT_ONCE) {
            let these = self.ours().and(Filter::any_of("trace", some.iter().map(|trace| trace.as_str())));
            for batch in table.scan(Scan::of(these).columns(&["start"])).await? {
                let rows = Rows(&batch);
                for row in 0..batch.num_rows() {
                    hours.extend(rows.number("start", row)?.map(|start| start.div_euclid(HOUR) * HOUR));
                }
            }
        }
        Ok(hours)
    }

    /// Every table that may hold something of it, as it is now.
    async fn tables(&self) -> Result<Vec<(&'e dyn Table, LakeVersion)>, TraceFault> {
        let keeping: &'e Keeping = self.keeping;
        let tables = keeping.tables().await?;
        let mut before = Vec::with_capacity(tables.len());
        for table in tables {
            before.push((table, table.version().await?));
        }
        Ok(before)
    }

    async fn delete(&self, marks: &Marks, traces: &[String]) -> Result<Erased, TraceFault> {
        let (room, project) = (&self.keeping.parts.spans, self.project);
        if matches!(self.subject, Subject::Document { .. }) {
            // What happened stays; what was written and read goes.
            let spans = room.forget_in(project, &self.documents, traces).await?;
            return Ok(Erased { spans, ..Erased::default() });
        }
        // While the spans are there, what is broken off here is found again.
        if let Some(scores) = &room.scores {
            scores.delete_of_traces(project, traces).await?;
            let mut sessions: Vec<String> = marks.sessions.iter().cloned().collect();
            match self.subject {
                // A session has scores of its own, and so may one of which no span is left.
                Subject::Session(session) => sessions.push(session.clone()),
                Subject::User(user) => {
                    scores.delete_by_author(project, user).await?;
                }
                Subject::Trace(_) | Subject::Document { .. } => {}
            }
            scores.delete_of_sessions(project, &sessions).await?;
        }
        let mut erased = Erased::default();
        for some in traces.chunks(AT_ONCE) {
            let these = self.ours().and(Filter::any_of("trace", some.iter().map(String::as_str)));
            erased.spans += self.keeping.delete(Telemetry::Spans, these).await?;
        }
        erased.points = self.delete_points().await?;
        Ok(erased)
    }

    /// Spans that were on their way while the traces went may have taken a name of theirs from what was there before. By now all
    /// of these are in the table.
    async fn delete_lent(&self, marks: &Marks) -> Result<u64, TraceFault> {
        let (column, name) = match self.subject {
            Subject::User(name) => ("user", name),
            Subject::Session(name) => ("session", name),
            Subject::Trace(_) | Subject::Document { .. } => return Ok(0),
        };
        let lent = self.ours().and(Filter::eq(column, name.as_str())).and(Filter::Not(Box::new(said_itself(column))));
        let traces: Vec<&str> = marks.traces.iter().map(String::as_str).collect();
        let mut spans = 0;
        for some in traces.chunks(AT_ONCE) {
            let these = lent.clone().and(Filter::any_of("trace", some.iter().copied()));
            spans += self.keeping.delete(Telemetry::Spans, these).await?;
        }
        Ok(spans)
    }

    /// Points say who asked in their attributes, if at all.
    async fn delete_points(&self) -> Result<u64, TraceFault> {
        let (Subject::User(who) | Subject::Session(who)) = self.subject else { return Ok(0) };
        self.keeping.delete(Telemetry::Points, self.ours().and(says(person_names(), who))).await
    }

    /// By what others may have written it down. A trace that used a document stays, so nothing that names it has to go.
    fn names(&self, traces: Vec<String>) -> Names {
        let values = match self.subject {
            Subject::User(name) | Subject::Session(name) | Subject::Trace(name) => vec![name.clone()],
            Subject::Document { .. } => return Names::default(),
        };
        Names { values, traces: traces.into_iter().collect(), words: Vec::new() }
    }

    async fn forget_names(&self, names: &Names) -> Result<(), KeepingFault> {
        if names.is_empty() {
            return Ok(());
        }
        self.keeping.parts.derived.forget(self.project, names).await.map_err(KeepingFault::Derived)
    }
}

/// The traces and sessions that rows say.
fn named(batches: &[RecordBatch]) -> Result<Theirs, TraceFault> {
    let (mut traces, mut sessions) = (HashSet::new(), HashSet::new());
    for batch in batches {
        let rows = Rows(batch);
        for row in 0..batch.num_rows() {
            traces.extend(rows.text("trace", row)?.map(str::to_owned));
            sessions.extend(rows.text("session", row)?.map(str::to_owned));
        }
    }
    Ok((traces, sessions))
}

/// Rows whose attributes say so under one of these names: as a text, as one within quotes, or as what else is read so.
fn says(names: impl Iterator<Item = &'static str>, who: &str) -> Filter {
    let mut ways = ways(who);
    ways.push(Value::from(who).to_string().into());
    Filter::Or(names.map(|name| Filter::json("attributes", &[name], JsonTest::OneOf(ways.clone()))).collect())
}

/// Rewrites the files that deleted rows lie in and lets go of the table as it was. Answers how many bytes went.
async fn clean(table: &dyn Table, before: &LakeVersion) -> Result<u64, KeepingFault> {
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        bytes += forget::purge(table).await?;
        bytes += table.clear_leftovers().await.map_err(TraceFault::from)?;
        if is_clean(table, before).await? {
            return Ok(bytes);
        }
    }
    let reason = format!("somebody still reads the table `{}` as it was before", table.name());
    Err(KeepingFault::Waits { reason })
}

/// Whether no file of the table holds what it held at a version and holds no longer.
async fn is_clean(table: &dyn Table, before: &LakeVersion) -> Result<bool, TraceFault> {
    let stats = table.stats().await?;
    if stats.deleted_rows > 0 {
        return Ok(false);
    }
    match table.at(before).await {
        // Nothing has changed since then: it is the only one.
        Ok(_) => Ok(stats.version == *before && stats.versions == 1),
        Err(LakeFault::NoVersion { .. }) => Ok(true),
        Err(fault) => Err(fault.into()),
    }
}
