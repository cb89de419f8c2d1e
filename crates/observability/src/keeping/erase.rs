//! Erasing what is known of somebody, until no file holds it.

use std::{collections::HashSet, path::PathBuf, time::Duration};

use mainspring_kernel::id::ProjectId;
use mainspring_lake::{Filter, JsonTest, LakeFault, LakeVersion, Scan, Table};

use super::{Erased, ErasureId, Keeping, KeepingFault, Subject, Telemetry, store};
use crate::{conventions::person_names, fault::TraceFault, forget, table::Rows};

/// Traces that one commit deletes.
const AT_ONCE: usize = 100;
/// Spans that were stored before it began are waited for so long at a time.
const BROUGHT_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A busy table changes while it is compacted.
const ROUNDS: u32 = 5;

impl Keeping {
    /// Deletes what there is of a subject, and the files that held it. It can be broken off anywhere and begun again; when it
    /// has come to its end, nothing is left. What a sender sends of the subject afterwards is kept as anything else.
    pub async fn erase(&self, id: ErasureId, project: ProjectId, subject: &Subject) -> Result<(), KeepingFault> {
        // What waits for the outcome of its trace comes to no table before that.
        self.parts.spans.let_go(project);
        self.all_brought().await?;
        let mut tables = vec![self.parts.spans.table().as_ref(), self.parts.points.table().await?.as_ref()];
        if let Some(scores) = &self.parts.spans.scores {
            tables.push(scores.table().await?.as_ref());
        }
        let mut before = Vec::with_capacity(tables.len());
        for table in &tables {
            before.push(table.version().await.map_err(TraceFault::from)?);
        }
        let mut erased = Erased { spans: self.erase_spans(project, subject).await?, ..Erased::default() };
        erased.points = self.erase_points(project, subject).await?;
        // What is counted twice when it is broken off here was deleted once.
        store::add(&self.parts.catalog, id, erased).await?;
        for (table, version) in tables.into_iter().zip(&before) {
            let bytes = clean(table, version).await?;
            store::add(&self.parts.catalog, id, Erased { bytes, ..Erased::default() }).await?;
        }
        let bytes = self.parts.spans.sweep_values().await?;
        store::add(&self.parts.catalog, id, Erased { bytes, ..Erased::default() }).await?;
        Ok(())
    }

    /// Waits until everything that was stored by now is in the table: the spill holds nothing of before.
    async fn all_brought(&self) -> Result<(), KeepingFault> {
        let waits = |reason: &str| KeepingFault::Waits { reason: reason.to_owned() };
        let room = &self.parts.spans;
        if room.drain(BROUGHT_WITHIN).await.is_err() {
            return Err(waits("spans that came before it wait for the lake"));
        }
        let stored: Vec<PathBuf> =
            room.spill.waiting().map_err(|source| TraceFault::Spill { path: "segments".into(), source })?;
        let gone = async {
            while stored.iter().any(|path| path.exists()) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(BROUGHT_WITHIN, gone).await.map_err(|_| waits("spans that came before it wait on disk"))
    }

    async fn erase_spans(&self, project: ProjectId, subject: &Subject) -> Result<u64, TraceFault> {
        let room = &self.parts.spans;
        let table = room.table().as_ref();
        let ours = Filter::eq("project", project.to_string());
        let said = match subject {
            Subject::User(user) => Filter::eq("user", user.as_str()),
            Subject::Session(session) => Filter::eq("session", session.as_str()),
            Subject::Trace(trace) => Filter::eq("trace", trace.as_str()),
            Subject::Document { document, .. } => {
                // What happened stays; what was written and read goes.
                return Ok(room.forget_documents(project, std::slice::from_ref(document), None).await?.spans);
            }
        };
        // A span that shows what somebody said need not name them: their traces go whole.
        let (mut traces, mut sessions) = (HashSet::new(), HashSet::new());
        for batch in table.scan(Scan::of(ours.clone().and(said)).columns(&["trace", "session"])).await? {
            let rows = Rows(&batch);
            for row in 0..batch.num_rows() {
                traces.extend(rows.text("trace", row)?.map(str::to_owned));
                sessions.extend(rows.text("session", row)?.map(str::to_owned));
            }
        }
        let mut words: Vec<String> = traces.iter().cloned().collect();
        words.push(serde_json::Value::from(subject.text()).to_string());
        room.remove_aside(words.iter())?;
        let traces: Vec<String> = traces.into_iter().collect();
        // While the spans are there, what is broken off here is found again.
        if let Some(scores) = &room.scores {
            scores.delete_of_traces(project, &traces).await?;
            match subject {
                // A session has scores of its own, and so may one of which no span is left.
                Subject::Session(session) => sessions.extend([session.clone()]),
                Subject::User(user) => {
                    scores.delete_by_author(project, user).await?;
                }
                Subject::Trace(_) | Subject::Document { .. } => sessions.clear(),
            }
            let sessions: Vec<String> = sessions.into_iter().collect();
            scores.delete_of_sessions(project, &sessions).await?;
        }
        let mut deleted = 0;
        for some in traces.chunks(AT_ONCE) {
            let these = ours.clone().and(Filter::any_of("trace", some.iter().map(String::as_str)));
            deleted += self.delete(Telemetry::Spans, these).await?;
        }
        Ok(deleted)
    }

    /// Points say who asked in their attributes, if at all.
    async fn erase_points(&self, project: ProjectId, subject: &Subject) -> Result<u64, TraceFault> {
        let (Subject::User(who) | Subject::Session(who)) = subject else { return Ok(0) };
        let is = || JsonTest::Is(mainspring_lake::Comparison::Eq, who.as_str().into());
        let named = person_names().map(|name| Filter::json("attributes", &[name], is())).collect();
        let these = Filter::eq("project", project.to_string()).and(Filter::Or(named));
        self.delete(Telemetry::Points, these).await
    }
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
