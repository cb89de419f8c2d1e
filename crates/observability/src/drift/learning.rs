//! Topics are learnt, and learnt anew when they no longer fit.
//!
//! Of a project there are one or two versions: those in use, and those that are to come. What is counted in one is never put
//! together with what is counted in another: each has hours of its own. Those that are to come take over, in one commit, when
//! their hours are made of the spans that are kept; until then every comparison is in the others.

use std::{collections::BTreeMap, time::Duration};

use mainspring_kernel::{Fault as _, Timestamp, id::ProjectId};
use mainspring_llm::{Budget, Embedder, embed::EmbedAs};

use super::{
    Drift,
    keeping::{LOOK_BACK, around, due},
    kept::{self, HOUR, Hours, Kept, Part, Seen, TOPICS, Writing, counted, is_stale, made},
    texts::{HOURLY, LATELY, PLACES, Spoken, Text, sample, texts},
    topics::{TRAIN_LEAST, Topics, Why},
};
use crate::fault::TraceFault;

/// Hours made in one go, so that a process can stop: in the topics in use, and in those that are to come.
const AT_ONCE: usize = 12;
/// Topics stay for so long at least, whatever is said, unless another model embeds: their hours are costly to make.
const STAY: Duration = Duration::from_secs(24 * 3600);
/// Texts embedded together: whoever asks a question meanwhile waits for no more.
const TEXTS_AT_ONCE: usize = 16;
const EMBED_WITHIN: Duration = Duration::from_secs(120);

/// What is embedded, by what.
type Of<'a> = ((&'a str, Spoken), &'a dyn Embedder);

impl Drift {
    /// Embeds a few texts of every hour that is due; answers whether there is more to do.
    pub(super) async fn keep_topics(
        &self,
        spoken: Spoken,
        counts: &Hours,
        stretch: (i64, i64),
        now: Timestamp,
    ) -> Result<bool, TraceFault> {
        let Some(embedder) = self.embedder.as_deref() else { return Ok(false) };
        let table = self.table().await?.as_ref();
        let versions = kept::versions(table, spoken.field()).await?;
        let in_use = |project: &str| versions.get(project).and_then(|versions| versions.first()).copied();
        let mut known = Hours::new();
        for (part, hours) in kept::made_in_topics(table, stretch).await? {
            let of_these = |project: &str| in_use(project).is_some_and(|version| spoken.part(version).name() == part.as_str());
            known.extend(hours.into_iter().filter(|((project, _), _)| of_these(project)));
        }
        let (mut left, mut more) = (AT_ONCE, false);
        let mut topics: BTreeMap<String, Option<Topics>> = BTreeMap::new();
        for (project, hour) in due(counts, &known, now, true) {
            let _making = self.making.read().await;
            let of = ((project.as_str(), spoken), embedder);
            let found = match topics.get(&project) {
                Some(found) => found.clone(),
                None => {
                    let found = self.topics_of(of, counts).await?;
                    topics.insert(project.clone(), found.clone());
                    found
                }
            };
            // Where there are too few texts yet, hours are made when there are enough; those of another model wait for the next.
            let Some(found) = found.filter(|found| found.are_of(&embedder.identity())) else { continue };
            if left == 0 {
                more = true;
                break;
            }
            left -= 1;
            if !self.make_in(of, (&found, hour), counts, now).await? {
                return Ok(false);
            }
        }
        for (project, found) in &topics {
            let Some(found) = found.as_ref().filter(|_| versions.get(project).is_none_or(|versions| versions.len() < 2)) else {
                continue;
            };
            let of = ((project.as_str(), spoken), embedder);
            if let Some(why) = self.no_longer_fit(of, found, now).await? {
                let _making = self.making.read().await;
                more |= self.learn(of, (found.version + 1, why), counts).await?.is_some();
            }
        }
        // However much is due in the topics in use, the others come.
        let mut left = AT_ONCE;
        for project in versions.iter().filter(|(_, versions)| versions.len() > 1).map(|(project, _)| project.as_str()) {
            more |= self.take_over(((project, spoken), embedder), &mut left, now).await?;
        }
        Ok(more)
    }

    /// What is kept of an hour, in these topics. Not where the model has no time.
    async fn make_in(
        &self,
        ((project, spoken), embedder): Of<'_>,
        (topics, hour): (&Topics, i64),
        counts: &Hours,
        now: Timestamp,
    ) -> Result<bool, TraceFault> {
        let said = texts(self.room.table().as_ref(), (project, spoken), (hour, hour + HOUR), HOURLY).await?;
        let Some(vectors) = embed(embedder, &said).await else { return Ok(false) };
        let rows = topics.kept((hour, spoken), &said, &vectors)?;
        let seen = counts.get(&(project.to_owned(), hour)).copied().unwrap_or_default();
        let part = spoken.part(topics.version);
        self.write(&Writing { project, hour, part, seen, made: now.as_micros() }, &rows).await?;
        Ok(true)
    }

    /// Makes hours in the topics that are to come, as many as are left of those that are made in one go; when there are all of
    /// them, the topics in use go with their hours. Answers whether there is more to do.
    async fn take_over(&self, of: Of<'_>, left: &mut usize, now: Timestamp) -> Result<bool, TraceFault> {
        let ((project, spoken), embedder) = of;
        let table = self.table().await?.as_ref();
        let all = self.all_topics(project, spoken).await?;
        let [old, .., new] = all.as_slice() else { return Ok(false) };
        let remove = |gone: &Topics| kept::remove_topics(table, project, (spoken.place(gone.version), spoken.part(gone.version)));
        if !new.are_of(&embedder.identity()) {
            remove(new).await?;
            return Ok(true);
        }
        let stretch = around(now, LOOK_BACK);
        let counts = counted(self.room.table().as_ref(), Some(project), stretch).await?;
        let known = made(table, spoken.part(new.version), Some(project), stretch).await?;
        for (_, hour) in due(&counts, &known, now, true) {
            if *left == 0 {
                return Ok(true);
            }
            *left -= 1;
            let _making = self.making.read().await;
            if !self.make_in(of, (new, hour), &counts, now).await? {
                return Ok(false);
            }
        }
        // An erasure may have taken them out meanwhile.
        if kept::clusters_made(table, project, spoken.place(new.version)).await?.is_none() {
            return Ok(true);
        }
        remove(old).await?;
        tracing::info!(project, field = spoken.field(), version = new.version, why = new.why.as_str(), "topics were learnt anew");
        Ok(false)
    }

    /// Of two versions the one in use comes first.
    pub(super) async fn all_topics(&self, project: &str, spoken: Spoken) -> Result<Vec<Topics>, TraceFault> {
        let fields = [spoken.field().to_owned()];
        let rows = kept::read(self.table().await?.as_ref(), (project, Part::Clusters), (0, PLACES), Some(&fields)).await?;
        let unreadable = |error: serde_json::Error| TraceFault::Unreadable { reason: format!("topics: {error}") };
        let read = |row: &Kept| serde_json::from_str::<Topics>(&row.sketch).map_err(unreadable);
        let mut found = rows.iter().filter(|row| row.kind == TOPICS).map(read).collect::<Result<Vec<_>, _>>()?;
        found.sort_by_key(|topics| topics.version);
        Ok(found)
    }

    /// The topics in use, made where there are none.
    async fn topics_of(&self, of: Of<'_>, counts: &Hours) -> Result<Option<Topics>, TraceFault> {
        let (project, spoken) = of.0;
        match self.all_topics(project, spoken).await?.into_iter().next() {
            Some(known) => Ok(Some(known)),
            None => self.learn(of, (1, Why::First), counts).await,
        }
    }

    /// Why others are to be learnt, if they are.
    async fn no_longer_fit(
        &self,
        ((project, spoken), embedder): Of<'_>,
        topics: &Topics,
        now: Timestamp,
    ) -> Result<Option<Why>, TraceFault> {
        if !topics.are_of(&embedder.identity()) {
            return Ok(Some(Why::Embedder));
        }
        let age = now.since(Timestamp::from_micros(topics.learnt));
        if age < STAY {
            return Ok(None);
        }
        if age >= LOOK_BACK {
            return Ok(Some(Why::Age));
        }
        let table = self.table().await?.as_ref();
        if kept::clusters_made(table, project, spoken.set_place()).await?.is_some_and(|set| set > topics.learnt) {
            return Ok(Some(Why::Reference));
        }
        let among = (project, spoken.part(topics.version));
        let before = kept::read(table, among, around(Timestamp::from_micros(topics.learnt), LATELY), None).await?;
        let lately = kept::read(table, among, around(now, LATELY), None).await?;
        topics.outgrown(&before, &lately)
    }

    /// Nothing where the model has no time: it is tried again. Nor where there are too few texts, or all are the same: it is tried
    /// again when a tenth more spans came, since a project that says nothing would cost as much every time as one that does.
    async fn learn(&self, of: Of<'_>, (version, why): (u32, Why), counts: &Hours) -> Result<Option<Topics>, TraceFault> {
        let ((project, spoken), embedder) = of;
        let (there, key) = (together(counts, project), (project.to_owned(), spoken));
        let in_vain = self.in_vain.lock().await.get(&key).copied();
        if !is_stale(there, in_vain, true) {
            return Ok(None);
        }
        // When the texts are read, and not when everything was looked at: an erasure finds by it what was learnt meanwhile.
        let now = self.room.now();
        let said = sample(self.room.table().as_ref(), (project, spoken), now).await?;
        let enough = said.len() >= TRAIN_LEAST;
        let vectors = if enough { embed(embedder, &said).await } else { Some(Vec::new()) };
        let Some(vectors) = vectors else { return Ok(None) };
        let Some(topics) = Topics::train(embedder.identity(), &said, &vectors) else {
            self.in_vain.lock().await.insert(key, there);
            return Ok(None);
        };
        self.in_vain.lock().await.remove(&key);
        let table = self.table().await?.as_ref();
        let lately = kept::read(table, (project, spoken.part(version - 1)), around(now, LATELY), None).await?;
        let topics = topics.learnt((version, why), now).having_heard(&lately);
        // What is left of others that were called so would be taken for theirs.
        kept::remove_topics(table, project, (spoken.place(version), spoken.part(version))).await?;
        self.write_topics((project, spoken), &topics, now.as_micros()).await?;
        Ok(Some(topics))
    }

    pub(super) async fn write_topics(
        &self,
        (project, spoken): (&str, Spoken),
        topics: &Topics,
        made: i64,
    ) -> Result<(), TraceFault> {
        let sketch = serde_json::to_string(topics).map_err(|error| TraceFault::Unreadable { reason: error.to_string() })?;
        let hour = spoken.place(topics.version);
        let row = Kept { hour, field: spoken.field().to_owned(), release: String::new(), kind: TOPICS.to_owned(), sketch };
        let seen = Seen { rows: i64::from(topics.version), newest: None };
        self.write(&Writing { project, hour, part: Part::Clusters, seen, made }, &[row]).await
    }

    /// Somebody compares with another time than before: topics of this field that were learnt before are learnt anew, when they
    /// have stayed for a day.
    pub async fn reference_set(&self, project: ProjectId, field: &str) -> Result<(), TraceFault> {
        let Some(spoken) = Spoken::named(field) else { return Ok(()) };
        let (project, hour, now) = (project.to_string(), spoken.set_place(), self.room.now());
        let row = Kept { hour, field: field.to_owned(), release: String::new(), kind: "set".into(), sketch: String::new() };
        let (part, seen) = (Part::Clusters, Seen::default());
        self.write(&Writing { project: &project, hour, part, seen, made: now.as_micros() }, &[row]).await
    }
}

/// What there is of all hours of a project.
fn together(counts: &Hours, project: &str) -> Seen {
    let hours = (project.to_owned(), i64::MIN)..=(project.to_owned(), i64::MAX);
    Seen { rows: counts.range(hours).map(|(_, seen)| seen.rows).sum(), newest: None }
}

/// Nothing where the model is not there or has no time: it is tried again.
async fn embed(embedder: &dyn Embedder, said: &[Text]) -> Option<Vec<Vec<f32>>> {
    let mut vectors = Vec::with_capacity(said.len());
    for some in said.chunks(TEXTS_AT_ONCE) {
        let texts = some.iter().map(|text| text.text.clone()).collect();
        match embedder.embed(texts, EmbedAs::Query, Budget::of(EMBED_WITHIN)).await {
            Ok(embedded) => vectors.extend(embedded.vectors),
            Err(fault) => {
                tracing::debug!(code = fault.code(), "texts could not be embedded; it is tried again");
                return None;
            }
        }
    }
    Some(vectors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_that_was_there_is_no_news_even_where_no_text_of_it_was_drawn() {
        let said = |release: &str| {
            let text = |n: usize| Text {
                trace: n.to_string(),
                span: n.to_string(),
                release: release.to_owned(),
                text: "what is it".to_owned(),
            };
            (0..TRAIN_LEAST).map(text).collect::<Vec<_>>()
        };
        let vectors: Vec<Vec<f32>> = (0..TRAIN_LEAST).map(|n| vec![(n % 2) as f32, 1.0]).collect();
        let topics = Topics::train("embedder".to_owned(), &said("by day"), &vectors).unwrap();
        let night = topics.kept((0, Spoken::Asked), &said("by night"), &vectors).unwrap();
        assert_eq!(topics.outgrown(&[], &night).unwrap(), Some(Why::Release));
        assert_eq!(topics.having_heard(&night).outgrown(&[], &night).unwrap(), None);
    }

    #[test]
    fn what_there_is_of_a_project_is_that_of_no_other() {
        let seen = |rows| Seen { rows, newest: Some(7) };
        let hours = [(("a", 0), seen(1)), (("b", -HOUR), seen(2)), (("b", HOUR), seen(3)), (("ba", 0), seen(9))];
        let counts: Hours = hours.into_iter().map(|((project, hour), seen)| ((project.to_owned(), hour), seen)).collect();
        assert_eq!(together(&counts, "b"), Seen { rows: 5, newest: None });
        assert_eq!(together(&counts, "c"), Seen::default());
    }
}
