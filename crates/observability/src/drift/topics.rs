//! What people ask about, and what they are answered: texts as embeddings, in topics.
//!
//! The topics of a project are made of a sample of what was said, and stay for as long as they fit: only hours in the same topics
//! can be compared. Of every hour a few texts are embedded; what is kept of them, for each release of the program that sent them,
//! is their mean in the space of a kernel, how many belong to each topic, and an example of each. `learning.rs` says when others
//! are made.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use mainspring_kernel::Timestamp;
use mainspring_statistics::embedding::{ClusterShares, Clusters, Features, KernelMean, compare_means, compare_shares};
use serde::{Deserialize, Serialize};

use super::{
    kept::Kept,
    report::{DriftState, NEEDED},
    sketch::{bytes, hex, unreadable},
    texts::{Spoken, Text},
};
use crate::fault::TraceFault;

/// Topics of fewer would be a matter of luck.
pub(crate) const TRAIN_LEAST: usize = 100;
/// Topics no longer fit when so much more of all texts is like none of them as was when they were learnt.
const UNLIKE_MOST: f64 = 0.1;

/// Releases of an hour that are told apart: those with the most texts.
const RELEASES: usize = 16;
const FORM: u8 = 1;
const FREQUENCIES: usize = 128;
const SEED: u64 = 0x0074_6f70_6963;
const STEPS: usize = 200;
const CLUSTERS: (usize, usize) = (4, 24);
const LEVEL: f64 = 0.95;
const WORDS: usize = 4;
const WORD_CHARS: std::ops::RangeInclusive<usize> = 3..=40;
const EXAMPLES: usize = 5;

/// What the topics of a project are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Topics {
    /// Of the embedder that made them.
    pub(crate) identity: String,
    /// How they are written. Topics of before have numbers that are not the same again when they are read.
    #[serde(default)]
    form: u8,
    dimensions: usize,
    bandwidth: f32,
    clusters: Clusters,
    /// The words that tell each topic from the others.
    words: Vec<Vec<String>>,
    /// The next ones have the next number.
    #[serde(default)]
    pub(crate) version: u32,
    /// When, in microseconds.
    #[serde(default)]
    pub(crate) learnt: i64,
    #[serde(default)]
    pub(crate) why: Why,
    /// Whose texts they were made of, or were there then.
    #[serde(default)]
    releases: BTreeSet<String>,
}

/// Why topics were learnt, or others in their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// There were none.
    #[default]
    First,
    /// Another model embeds.
    Embedder,
    /// A release came of which they had heard nothing.
    Release,
    /// Too much is unlike all of them.
    Unlike,
    /// A monitor compares with another time than before.
    Reference,
    /// Nothing of the time is left that they were made of.
    Age,
}

impl Why {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Embedder => "embedder",
            Self::Release => "release",
            Self::Unlike => "unlike",
            Self::Reference => "reference",
            Self::Age => "age",
        }
    }
}

/// Which topics a comparison is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicsVersion {
    pub number: u32,
    /// The same topics have the same one.
    pub digest: String,
    /// Absent of those of before this was written down.
    pub learnt: Option<Timestamp>,
    pub why: Why,
    /// Why others are about to take their place, as soon as their hours are made.
    pub next: Option<Why>,
}

/// Of one stretch.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicSketch {
    pub mean: KernelMean,
    pub shares: ClusterShares,
    /// The words that tell each topic from the others, in the order of the shares.
    pub words: Arc<[Vec<String>]>,
}

/// How what is asked about moved.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicDrift {
    pub state: DriftState,
    /// Texts on each side.
    pub reference: u64,
    pub current: u64,
    /// The maximum mean discrepancy, squared: about 0 where nothing changed, 2 at most.
    pub mmd_squared: Option<f64>,
    pub p: Option<f64>,
    /// Over the shares of topics.
    pub psi: Option<f64>,
    /// What grew most comes first.
    pub topics: Vec<Topic>,
    /// Both sides are in these, and no hour in others is counted.
    pub version: TopicsVersion,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Topic {
    /// The words that tell it from the others; none of what is unlike every topic.
    pub words: Vec<String>,
    pub before: f64,
    pub after: f64,
    /// It surely takes a larger share than before.
    pub grew: bool,
    pub p: f64,
    /// Examples of the current stretch, the newest first.
    pub traces: Vec<String>,
}

impl Topics {
    /// Nothing where there are too few texts, or all are the same.
    pub(crate) fn train(identity: String, said: &[Text], vectors: &[Vec<f32>]) -> Option<Self> {
        if vectors.len() < TRAIN_LEAST {
            return None;
        }
        let count = ((vectors.len() as f64 / 2.0).sqrt() as usize).clamp(CLUSTERS.0, CLUSTERS.1);
        let clusters = Clusters::train(vectors, count, STEPS, SEED)?;
        let bandwidth = Features::median_distance(vectors, SEED)? as f32;
        let places: Vec<Option<usize>> = vectors.iter().map(|vector| clusters.place(vector).map(|place| place.cluster)).collect();
        let texts: Vec<&str> = said.iter().map(|said| said.text.as_str()).collect();
        let words = telling(&texts, &places, clusters.centres().len());
        let releases = said.iter().map(|said| said.release.clone()).filter(|release| !release.is_empty()).collect();
        let dimensions = vectors.first()?.len();
        let (version, learnt, why) = (0, 0, Why::First);
        Some(Self { identity, form: FORM, dimensions, bandwidth, clusters, words, version, learnt, why, releases })
    }

    /// The same, as they are told from those of before.
    pub(crate) fn learnt(self, (version, why): (u32, Why), at: Timestamp) -> Self {
        Self { version, learnt: at.as_micros(), why, ..self }
    }

    /// Whose texts these hours are of is no news to them, even if none of these was among those that they were made of: else a
    /// release that says little would have them learnt anew every day.
    pub(crate) fn having_heard(mut self, hours: &[Kept]) -> Self {
        let releases = hours.iter().map(|row| &row.release).filter(|release| !release.is_empty());
        self.releases.extend(releases.cloned());
        self
    }

    /// `next`: those that are to take their place.
    pub(crate) fn told(&self, next: Option<&Self>) -> TopicsVersion {
        TopicsVersion {
            number: self.version,
            digest: format!("{:016x}", self.clusters.mark()),
            learnt: (self.learnt > 0).then(|| Timestamp::from_micros(self.learnt)),
            why: self.why,
            next: next.map(|next| next.why),
        }
    }

    /// Why they no longer fit what is said lately, if they do not. `before`: hours that they were learnt of.
    pub(crate) fn outgrown(&self, before: &[Kept], lately: &[Kept]) -> Result<Option<Why>, TraceFault> {
        let enough = |sketch: &TopicSketch| sketch.shares.count() >= TRAIN_LEAST as u64;
        let unlike = |sketch: &TopicSketch| sketch.shares.far() as f64 / sketch.shares.count().max(1) as f64;
        let all = self.together((lately, None))?;
        // What they were not made of is a little farther from them than what they were made of, also on the same day.
        if enough(&all) && unlike(&all) > unlike(&self.together((before, None))?) + UNLIKE_MOST {
            return Ok(Some(Why::Unlike));
        }
        let releases: BTreeSet<&str> = lately.iter().map(|row| row.release.as_str()).collect();
        for release in releases.into_iter().filter(|release| !release.is_empty() && !self.releases.contains(*release)) {
            if enough(&self.together((lately, Some(release)))?) {
                return Ok(Some(Why::Release));
            }
        }
        Ok(None)
    }

    /// Whether they are those of this embedder, written as they are now.
    pub(crate) fn are_of(&self, identity: &str) -> bool {
        self.identity == identity && self.form == FORM
    }

    /// Every word by which topics are told from each other.
    pub(crate) fn words(&self) -> BTreeSet<String> {
        self.words.iter().flatten().cloned().collect()
    }

    /// The same topics, which are told apart without these words.
    pub(crate) fn without(mut self, words: &BTreeSet<String>) -> Self {
        self.words.iter_mut().for_each(|of_topic| of_topic.retain(|word| !words.contains(word)));
        self
    }

    fn features(&self) -> Features {
        Features::new(self.dimensions, FREQUENCIES, f64::from(self.bandwidth), SEED)
    }

    pub(crate) fn empty(&self) -> TopicSketch {
        TopicSketch {
            mean: self.features().mean(),
            shares: ClusterShares::new(&self.clusters),
            words: self.words.as_slice().into(),
        }
    }

    /// What is kept of an hour's texts.
    pub(crate) fn kept(
        &self,
        (hour, spoken): (i64, Spoken),
        said: &[Text],
        vectors: &[Vec<f32>],
    ) -> Result<Vec<Kept>, TraceFault> {
        let mut releases: BTreeMap<&str, Vec<(&Text, &Vec<f32>)>> = BTreeMap::new();
        for (text, vector) in said.iter().zip(vectors) {
            releases.entry(text.release.as_str()).or_default().push((text, vector));
        }
        let mut largest: Vec<(usize, &str)> = releases.iter().map(|(release, said)| (said.len(), *release)).collect();
        largest.sort_by(|one, other| other.cmp(one));
        // What came by the others is kept as if nobody said by which.
        for (_, release) in largest.iter().skip(RELEASES) {
            let said = releases.remove(release).unwrap_or_default();
            releases.entry("").or_default().extend(said);
        }
        let (features, mut kept) = (self.features(), Vec::new());
        for (release, said) in releases {
            let row = |kind: &str, sketch: String| Kept {
                hour,
                field: spoken.field().to_owned(),
                release: release.to_owned(),
                kind: kind.to_owned(),
                sketch,
            };
            let (sketch, examples) = self.sketched(&features, &said)?;
            let examples =
                serde_json::to_string(&examples).map_err(|error| TraceFault::Unreadable { reason: error.to_string() })?;
            kept.extend([
                row("mean", hex(&sketch.mean.to_bytes())),
                row("shares", hex(&sketch.shares.to_bytes())),
                row("examples", examples),
            ]);
        }
        Ok(kept)
    }

    /// These texts together, and of each topic the one that is nearest to its middle.
    fn sketched(
        &self,
        features: &Features,
        said: &[(&Text, &Vec<f32>)],
    ) -> Result<(TopicSketch, BTreeMap<String, String>), TraceFault> {
        let (mut sketch, mut nearest) = (self.empty(), BTreeMap::<String, (f64, &str)>::new());
        for (text, vector) in said {
            // Texts of one trace hang together.
            sketch.mean.add(features, vector, text.trace.as_bytes()).map_err(|fault| unreadable(&fault))?;
            sketch.shares.add(&self.clusters, vector).map_err(|fault| unreadable(&fault))?;
            let Some(place) = self.clusters.place(vector) else { continue };
            let topic = if place.far { FAR.to_owned() } else { place.cluster.to_string() };
            let known = nearest.entry(topic).or_insert((place.distance, text.trace.as_str()));
            if place.distance < known.0 {
                *known = (place.distance, text.trace.as_str());
            }
        }
        let examples = nearest.into_iter().map(|(topic, (_, trace))| (topic, trace.to_owned()));
        Ok((sketch, examples.collect()))
    }

    /// Each hour's sketch, of one release or of all. Hours of other topics, from before these were made, are left out.
    pub(crate) fn hours(&self, rows: &[Kept], release: Option<&str>) -> Result<BTreeMap<i64, TopicSketch>, TraceFault> {
        let of = |kind: &'static str| rows.iter().filter(move |row| row.kind == kind && is_of(row, release));
        let mut means: HashMap<(i64, &str), KernelMean> = HashMap::new();
        for row in of("mean") {
            let mean = KernelMean::from_bytes(&bytes(&row.sketch)?).map_err(|fault| unreadable(&fault))?;
            means.insert((row.hour, row.release.as_str()), mean);
        }
        let mut hours: BTreeMap<i64, TopicSketch> = BTreeMap::new();
        for row in of("shares") {
            let shares = ClusterShares::from_bytes(&bytes(&row.sketch)?).map_err(|fault| unreadable(&fault))?;
            let Some(mean) = means.remove(&(row.hour, row.release.as_str())) else { continue };
            let mut whole = self.empty();
            if whole.mean.merge(&mean).is_err() || whole.shares.merge(&shares).is_err() {
                continue;
            }
            match hours.get_mut(&row.hour) {
                Some(hour) => {
                    hour.mean.merge(&mean).and_then(|()| hour.shares.merge(&shares)).map_err(|fault| unreadable(&fault))?;
                }
                None => {
                    hours.insert(row.hour, whole);
                }
            }
        }
        Ok(hours)
    }

    fn together(&self, (rows, release): Side<'_>) -> Result<TopicSketch, TraceFault> {
        let mut all = self.empty();
        for hour in self.hours(rows, release)?.values() {
            all.mean.merge(&hour.mean).and_then(|()| all.shares.merge(&hour.shares)).map_err(|fault| unreadable(&fault))?;
        }
        Ok(all)
    }

    /// `next`: those that are to take their place.
    pub(crate) fn compare(&self, reference: Side<'_>, current: Side<'_>, next: Option<&Self>) -> Result<TopicDrift, TraceFault> {
        let (before, after) = (self.together(reference)?, self.together(current)?);
        let counts = (before.mean.count(), after.mean.count());
        let mean = compare_means(&before.mean, &after.mean, NEEDED).map_err(|fault| unreadable(&fault))?.measured();
        let shares = compare_shares(&before.shares, &after.shares, NEEDED, LEVEL).map_err(|fault| unreadable(&fault))?;
        let state = match (&mean, counts) {
            (Some(_), _) => DriftState::Measured,
            (None, (0, _) | (_, 0)) => DriftState::Missing,
            (None, _) => DriftState::TooFew,
        };
        let shares = shares.measured();
        let examples = examples(current);
        let topics = shares.iter().flat_map(|report| &report.clusters).map(|growth| Topic {
            words: growth.cluster.and_then(|cluster| self.words.get(cluster).cloned()).unwrap_or_default(),
            before: growth.before,
            after: growth.after,
            grew: growth.grew(),
            p: growth.p_adjusted,
            traces: {
                let topic = growth.cluster.map_or_else(|| FAR.to_owned(), |cluster| cluster.to_string());
                examples.get(&topic).cloned().unwrap_or_default()
            },
        });
        Ok(TopicDrift {
            state,
            reference: counts.0,
            current: counts.1,
            mmd_squared: mean.map(|mean| mean.mmd_squared),
            p: mean.map(|mean| mean.p),
            psi: shares.as_ref().map(|report| report.psi),
            topics: topics.filter(|topic| topic.before > 0.0 || topic.after > 0.0).collect(),
            version: self.told(next),
        })
    }
}

/// The examples of what lies far from every topic.
const FAR: &str = "far";

/// Rows of a stretch, and the release that is meant of them; none: all.
pub(crate) type Side<'a> = (&'a [Kept], Option<&'a str>);

fn is_of(row: &Kept, release: Option<&str>) -> bool {
    release.is_none_or(|release| row.release == release)
}

fn examples((rows, release): Side<'_>) -> BTreeMap<String, Vec<String>> {
    let mut examples: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut rows: Vec<&Kept> = rows.iter().filter(|row| row.kind == "examples" && is_of(row, release)).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.hour));
    for row in rows {
        for (topic, trace) in serde_json::from_str::<BTreeMap<String, String>>(&row.sketch).unwrap_or_default() {
            let of_topic = examples.entry(topic).or_default();
            if of_topic.len() < EXAMPLES && !of_topic.contains(&trace) {
                of_topic.push(trace);
            }
        }
    }
    examples
}

/// For each cluster the words that are in many of its texts and in few others: a word's share of the cluster's texts, times
/// the logarithm of how much larger that is than its share of all.
fn telling(texts: &[&str], places: &[Option<usize>], clusters: usize) -> Vec<Vec<String>> {
    let mut sizes = vec![0_u32; clusters];
    let mut all: HashMap<String, u32> = HashMap::new();
    let mut within: Vec<HashMap<String, u32>> = vec![HashMap::new(); clusters];
    for (text, place) in texts.iter().zip(places) {
        for word in words_of(text) {
            *all.entry(word.clone()).or_default() += 1;
            if let Some(counts) = place.and_then(|place| within.get_mut(place)) {
                *counts.entry(word).or_default() += 1;
            }
        }
        if let Some(size) = place.and_then(|place| sizes.get_mut(place)) {
            *size += 1;
        }
    }
    let tell = |(counts, size): (HashMap<String, u32>, u32)| {
        let mut scored: Vec<(f64, String)> = Vec::new();
        for (word, count) in counts.into_iter().filter(|(_, count)| *count >= 2.min(size)) {
            let (here, overall) = (f64::from(count) / f64::from(size), f64::from(all[&word]) / texts.len() as f64);
            scored.push((here * (here / overall).ln(), word));
        }
        scored.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        scored.into_iter().take(WORDS).filter(|(score, _)| *score > 0.0).map(|(_, word)| word).collect()
    };
    within.into_iter().zip(sizes).map(tell).collect()
}

pub(crate) fn words_of(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric());
    let telling = words.filter(|word| WORD_CHARS.contains(&word.chars().count()) && !word.chars().all(char::is_numeric));
    telling.map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn topics_are_named_by_the_words_that_only_they_have() {
        let texts = ["how is the invoice paid", "the invoice and the tax", "is the parcel sent", "where is the parcel"];
        let named = telling(&texts, &[Some(0), Some(0), Some(1), Some(1)], 2);
        assert_eq!((named[0][0].as_str(), named[1][0].as_str()), ("invoice", "parcel"));
        assert!(!named.iter().flatten().any(|word| word == "the"), "{named:?}");
    }

    #[test]
    fn topics_that_are_read_again_are_the_same_to_the_last_digit() {
        for seed in 1..40_u32 {
            let vectors: Vec<Vec<f32>> = (0..120_u32)
                .map(|number| (0..8_u32).map(|at| (((number + 1) * (at + 3) * seed) as f32 * 0.37).sin()).collect())
                .collect();
            let text = |number: u32| Text {
                trace: number.to_string(),
                span: number.to_string(),
                release: String::new(),
                text: "what is it".to_owned(),
            };
            let texts: Vec<Text> = (0..120).map(text).collect();
            let made = Topics::train("embedder".to_owned(), &texts, &vectors).unwrap();
            let read: Topics = serde_json::from_str(&serde_json::to_string(&made).unwrap()).unwrap();
            assert_eq!(read, made);
            let of_hour = made.empty();
            read.empty().mean.merge(&of_hour.mean).unwrap();
            read.empty().shares.merge(&of_hour.shares).unwrap();
        }
    }

    #[test]
    fn topics_that_were_written_otherwise_are_made_anew() {
        let clusters = r#"{"centres":[[1.0]],"reach":[0.30000000000000004]}"#;
        let old = format!(r#"{{"identity":"e","dimensions":1,"bandwidth":0.1,"clusters":{clusters},"words":[[]]}}"#);
        let topics: Topics = serde_json::from_str(&old).unwrap();
        assert!(!topics.are_of("e"));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_naming(texts in prop::collection::vec(".{0,60}", 0..20), place in prop::option::of(0_usize..5)) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let named = telling(&texts, &vec![place; texts.len()], 3);
            prop_assert_eq!(named.len(), 3);
            prop_assert!(named.iter().all(|words| words.len() <= WORDS));
        }
    }
}
