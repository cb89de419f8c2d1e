//! Taking out what went into sketches and topics of traces that are erased.
//!
//! A sketch of an hour may name a value that only one span had, the examples of a topic are traces, and a topic may be told
//! by a word that only one person uses. What is left of hours is made anew. The middles of topics stay: each is the mean of
//! what many asked.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use mainspring_kernel::{Timestamp, id::ProjectId};
use mainspring_lake::{Filter, Scan};

use super::{
    Drift,
    keeping::{LOOK_BACK, around},
    kept,
    texts::{Spoken, TRAINED_ON, text_of, texts},
    topics::{Topics, words_of},
};
use crate::{
    fault::TraceFault,
    table::{Rows, SPAN},
};

/// Traces whose texts are read at once.
const AT_ONCE: usize = 20;
/// Hours that one commit takes out.
const HOURS_AT_ONCE: usize = 500;
/// A word that so many of the others use, of those that are looked at, names nobody.
const OTHERS: usize = 5;

impl Drift {
    /// Waits until nothing is in the making here that was begun before.
    pub(crate) async fn settle(&self) {
        drop(self.making.write().await);
    }

    /// The words among the names of topics that these traces have and hardly any other, while the traces are there.
    pub(crate) async fn unusual(&self, project: ProjectId, traces: &[String]) -> Result<BTreeSet<String>, TraceFault> {
        let (project, mut unusual) = (project.to_string(), BTreeSet::new());
        for spoken in Spoken::ALL {
            unusual.extend(self.unusual_in((&project, spoken), traces).await?);
        }
        Ok(unusual)
    }

    async fn unusual_in(&self, (project, spoken): (&str, Spoken), traces: &[String]) -> Result<BTreeSet<String>, TraceFault> {
        // Of those that are to come too.
        let words: BTreeSet<String> = self.all_topics(project, spoken).await?.iter().flat_map(Topics::words).collect();
        if words.is_empty() {
            return Ok(words);
        }
        let said = self.said((project, spoken), traces, &words).await?;
        if said.is_empty() {
            return Ok(said);
        }
        let theirs: HashSet<&str> = traces.iter().map(String::as_str).collect();
        let spans = self.room.table().as_ref();
        let sample = texts(spans, (project, spoken), around(self.room.now(), LOOK_BACK), TRAINED_ON).await?;
        let mut others: BTreeMap<String, usize> = BTreeMap::new();
        for text in sample.iter().filter(|text| !theirs.contains(text.trace.as_str())) {
            for word in words_of(&text.text) {
                *others.entry(word).or_default() += 1;
            }
        }
        let unusual = |word: &String| others.get(word).is_none_or(|count| *count < OTHERS);
        Ok(said.into_iter().filter(unusual).collect())
    }

    /// Takes words out of the names of topics.
    pub(crate) async fn unname(&self, project: ProjectId, words: &BTreeSet<String>) -> Result<(), TraceFault> {
        let project = project.to_string();
        for spoken in Spoken::ALL {
            self.unname_topics((&project, spoken), words).await?;
        }
        Ok(())
    }

    async fn unname_topics(&self, (project, spoken): (&str, Spoken), words: &BTreeSet<String>) -> Result<(), TraceFault> {
        let named = |topics: &Topics| !topics.words().is_disjoint(words);
        if !self.all_topics(project, spoken).await?.iter().any(named) {
            return Ok(());
        }
        // Nobody makes others meanwhile. They stay as old as they are: whoever makes some while traces are erased is found by
        // that.
        let _alone = self.making.write().await;
        for topics in self.all_topics(project, spoken).await?.into_iter().filter(named) {
            let made = kept::clusters_made(self.table().await?.as_ref(), project, spoken.place(topics.version)).await?;
            if let Some(made) = made {
                self.write_topics((project, spoken), &topics.without(words), made).await?;
            }
        }
        Ok(())
    }

    /// Which of these words were asked or answered in traces.
    async fn said(
        &self,
        (project, spoken): (&str, Spoken),
        traces: &[String],
        words: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, TraceFault> {
        let mut said = BTreeSet::new();
        for some in traces.chunks(AT_ONCE) {
            let of_traces = Filter::any_of("trace", some.iter().map(String::as_str));
            let calls = Filter::eq("project", project).and(Filter::eq("type", "chat")).and(of_traces);
            for batch in self.room.table().scan(Scan::of(calls).columns(&SPAN)).await? {
                let rows = Rows(&batch);
                for row in 0..batch.num_rows() {
                    if let Some(text) = text_of(&rows.span(row)?, spoken) {
                        said.extend(words_of(&text.text).into_iter().filter(|word| words.contains(word)));
                    }
                }
            }
        }
        Ok(said)
    }

    /// Takes out the hours that these traces were in, once the traces are gone and nothing is in the making that saw them.
    /// Topics that were made since then go too.
    pub(crate) async fn remake(&self, project: ProjectId, hours: &BTreeSet<i64>, since: Timestamp) -> Result<(), TraceFault> {
        let (project, table) = (project.to_string(), self.table().await?.as_ref());
        let hours: Vec<i64> = hours.iter().copied().collect();
        for some in hours.chunks(HOURS_AT_ONCE) {
            kept::remove_hours(table, &project, some).await?;
        }
        for spoken in Spoken::ALL {
            for version in self.all_topics(&project, spoken).await?.iter().map(|topics| topics.version) {
                let place = spoken.place(version);
                if kept::clusters_made(table, &project, place).await?.is_some_and(|made| made >= since.as_micros()) {
                    kept::remove_topics(table, &project, (place, spoken.part(version))).await?;
                }
            }
        }
        Ok(())
    }
}
