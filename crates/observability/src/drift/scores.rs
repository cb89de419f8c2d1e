//! Scores to sketches.
//!
//! A score lies in the hour in which it was given: that is known of each, also before its trace has come, and of one that comes
//! late its sender says it. Its release is that of the span that bears it. A sketch counts what there was when it was made; an
//! hour in which scores were added, replaced or deleted since is made again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mainspring_kernel::{Actor, Labels, Timestamp};
use mainspring_lake::Filter;
use mainspring_statistics::{Categories, Quantiles};

use super::{
    Drift,
    fields::Field,
    gather::drawn_by,
    keeping::{RELEASES, due},
    kept::{self, HOUR, Hours, Kept, Part, Seen, Writing, made},
    report::Collected,
    sketch::Sketch,
};
use crate::{
    fault::TraceFault,
    scores::{Given, ScoreValue, Scores, bearers, counted, field_of},
};

/// Scores of one stretch that are looked at, at most.
const LOOKED_AT: u64 = 200_000;
/// Names that an hour keeps, those with the most scores, and those that are told apart at all.
const NAMES: usize = 100;
const NAMES_SEEN: usize = 1_000;

/// Scores that were given in a stretch of time and are counted.
pub(super) fn given_in(from: i64, to: i64) -> Filter {
    let (start, end) = (Filter::GtEq("time".into(), from.into()), Filter::Lt("time".into(), to.into()));
    counted().and(start).and(end)
}

/// Which scores: those of these names, or all.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'a> {
    All,
    Named(&'a [Field]),
}

impl Wanted<'_> {
    fn condition(self) -> Filter {
        match self {
            Self::All => Filter::All,
            Self::Named(fields) => Filter::any_of("name", fields.iter().filter_map(Field::score_name)),
        }
    }
}

/// What was gathered.
#[derive(Debug, Default)]
struct Gathered {
    /// By release and field.
    numbers: BTreeMap<(String, String), Sketch>,
    words: BTreeMap<(String, String), Sketch>,
    /// Names, and the fields that they are.
    fields: HashMap<String, String>,
    /// When each release was scored first.
    releases: BTreeMap<String, i64>,
    /// Scores of traces that are not there.
    unplaced: u64,
}

impl Gathered {
    fn take(&mut self, score: &Given, release: &str) {
        let field = match self.fields.get(&score.name) {
            Some(field) => field.clone(),
            None if self.fields.len() < NAMES_SEEN => {
                let field = field_of(&score.name);
                self.fields.insert(score.name.clone(), field.clone());
                field
            }
            None => return,
        };
        let cell = (release.to_owned(), field);
        match &score.value {
            ScoreValue::Numeric(number) => sketch(&mut self.numbers, cell, Sketch::Numbers(Quantiles::default())).number(*number),
            ScoreValue::Boolean(true) => words(&mut self.words, cell).category("true"),
            ScoreValue::Boolean(false) => words(&mut self.words, cell).category("false"),
            ScoreValue::Categorical(word) => words(&mut self.words, cell).category(word),
            ScoreValue::Text(_) => return,
        }
        let first = self.releases.entry(release.to_owned()).or_insert(score.time);
        *first = score.time.min(*first);
    }

    /// The rows of an hour: of the names and releases with the most scores, all other releases together.
    fn kept(self, hour: i64) -> Vec<Kept> {
        let mut by_name: HashMap<String, u64> = HashMap::new();
        let mut by_release: HashMap<String, u64> = HashMap::new();
        for ((release, field), sketch) in self.numbers.iter().chain(&self.words) {
            *by_name.entry(field.clone()).or_default() += sketch.count();
            *by_release.entry(release.clone()).or_default() += sketch.count();
        }
        let (names, releases) = (most(by_name, NAMES), most(by_release, RELEASES));
        let mut rows = Vec::new();
        for sketches in [self.numbers, self.words] {
            let mut bounded = BTreeMap::new();
            for ((release, field), sketch) in sketches.into_iter().filter(|((_, field), _)| names.contains(field)) {
                let release = if releases.contains(&release) { release } else { String::new() };
                Collected::add(&mut bounded, (release, field), sketch);
            }
            rows.extend(bounded.into_iter().map(|((release, field), sketch)| Kept {
                hour,
                field,
                release,
                kind: sketch.kind().to_owned(),
                sketch: sketch.written(),
            }));
        }
        rows
    }
}

fn sketch(into: &mut BTreeMap<(String, String), Sketch>, cell: (String, String), empty: Sketch) -> &mut Sketch {
    into.entry(cell).or_insert(empty)
}

fn words(into: &mut BTreeMap<(String, String), Sketch>, cell: (String, String)) -> &mut Sketch {
    sketch(into, cell, Sketch::Categories(Categories::default()))
}

/// Those with the most; the name decides between equals.
fn most(counts: HashMap<String, u64>, most: usize) -> BTreeSet<String> {
    let mut all: Vec<(u64, String)> = counts.into_iter().map(|(name, count)| (count, name)).collect();
    all.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    all.into_iter().take(most).map(|(_, name)| name).collect()
}

impl Drift {
    /// Makes hours of scores that are due, so many at most, and lets go of those that have none any more. Answers how many are
    /// still to be made.
    pub(super) async fn make_scores(
        &self,
        project: Option<&str>,
        stretch: (i64, i64),
        at_once: usize,
    ) -> Result<usize, TraceFault> {
        let Some(scores) = &self.room.scores else { return Ok(0) };
        let table = self.table().await?.as_ref();
        let now = self.room.now();
        let there: Hours = kept::given(scores.table().await?.as_ref(), project, stretch).await?;
        let known = made(table, Part::Scores, project, stretch).await?;
        let due = due(&there, &known, now, false);
        let left = due.len().saturating_sub(at_once);
        for (project, hour) in due.into_iter().take(at_once) {
            // Counted before: what comes meanwhile makes the hour due again.
            let seen = there.get(&(project.clone(), hour)).copied().unwrap_or_default();
            self.make_scores_of(scores, (&project, hour), (seen, now)).await?;
        }
        for (project, hour) in known.keys().filter(|key| !there.contains_key(*key)) {
            kept::remove(table, (project.as_str(), *hour), &[Part::Scores]).await?;
        }
        Ok(left)
    }

    async fn make_scores_of(
        &self,
        scores: &Scores,
        (project, hour): (&str, i64),
        (seen, now): (Seen, Timestamp),
    ) -> Result<(), TraceFault> {
        let found = self.gather_scores(scores, (project, None, None), (Wanted::All, hour, hour + HOUR)).await?;
        // A score may come before its trace does; for an hour it is looked for again.
        let fresh = seen.newest.is_some_and(|newest| now.as_micros().saturating_sub(newest) < HOUR);
        let newest = seen.newest.filter(|_| found.unplaced == 0 || !fresh);
        let seen = Seen { newest, ..seen };
        let writing = Writing { project, hour, part: Part::Scores, seen, made: now.as_micros() };
        self.write(&writing, &found.kept(hour)).await
    }

    /// Adds the scores of a stretch to what was collected of it; answers how many hours are not made yet. Whoever may not see
    /// every trace gets sketches of what was said of those that they may see.
    pub(super) async fn collect_scores(
        &self,
        (actor, service): (&Actor, Option<&str>),
        wanted: Wanted<'_>,
        (from, to): (i64, i64),
        collected: &mut Collected,
    ) -> Result<usize, TraceFault> {
        let Some(scores) = &self.room.scores else { return Ok(0) };
        let project = actor.project.to_string();
        if actor.labels != Labels::All || service.is_some() {
            let found = self.gather_scores(scores, (&project, Some(actor), service), (wanted, from, to)).await?;
            for (release, first) in &found.releases {
                collected.saw_scored(release, *first);
            }
            for (key, sketch) in found.numbers.into_iter().chain(found.words) {
                collected.add_score(key, sketch);
            }
            return Ok(0);
        }
        let waiting = self.make_scores(Some(&project), (from, to), super::MADE_AT_ONCE).await?;
        let names: Option<Vec<String>> = match wanted {
            Wanted::All => None,
            Wanted::Named(fields) => Some(fields.iter().map(|field| field.name.clone()).collect()),
        };
        let table = self.table().await?.as_ref();
        for row in kept::read(table, (&project, Part::Scores), (from, to), names.as_deref()).await? {
            collected.saw_scored(&row.release, row.hour);
            collected.add_score((row.release, row.field), Sketch::read(&row.kind, &row.sketch)?);
        }
        Ok(waiting)
    }

    /// Of a stretch with more scores than are looked at, those of the traces are drawn whose ids come first.
    async fn gather_scores(
        &self,
        scores: &Scores,
        (project, reader, service): (&str, Option<&Actor>, Option<&str>),
        (wanted, from, to): (Wanted<'_>, i64, i64),
    ) -> Result<Gathered, TraceFault> {
        let these = Filter::eq("project", project).and(given_in(from, to)).and(wanted.condition());
        let count = scores.table().await?.count(these.clone()).await?;
        let spans = super::of_service(project, service);
        let mut gathered = Gathered::default();
        if count == 0 {
            return Ok(gathered);
        }
        let share = LOOKED_AT as f64 / count as f64;
        for draw in [drawn_by("trace", share), Filter::All] {
            let mut looked_at = 0;
            for piece in scores.pieces(&these.clone().and(draw), "time").await? {
                let mut given = scores.given(piece).await?;
                looked_at += given.len() as u64;
                if let Some(reader) = reader {
                    given = self.room.seen_of(reader, given).await?;
                }
                let borne = bearers(self.room.table().as_ref(), &spans, &given, &["release"]).await?;
                for (score, bearer) in given.iter().zip(borne) {
                    gathered.unplaced += u64::from(bearer.is_none() && score.trace.is_some());
                    if bearer.is_none() && service.is_some() {
                        continue;
                    }
                    let release = bearer.as_ref().and_then(|bearer| bearer.says.first()?.as_deref()).unwrap_or_default();
                    gathered.take(score, release);
                }
                // Where ids are not random, a draw may take too many.
                if looked_at > LOOKED_AT * 4 {
                    break;
                }
            }
            // Nor may it take none.
            if looked_at > 0 {
                break;
            }
        }
        Ok(gathered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(name: &str, value: ScoreValue, time: i64) -> Given {
        Given { name: name.to_owned(), value, trace: None, span: None, session: None, time }
    }

    #[test]
    fn an_hour_keeps_the_names_and_the_releases_with_the_most_scores() {
        let mut gathered = Gathered::default();
        for n in 0..NAMES + 5 {
            (0..n).for_each(|_| gathered.take(&score(&format!("n{n:03}"), ScoreValue::Numeric(1.0), 7), "1.0"));
        }
        for n in 0..RELEASES + 5 {
            let often = score("n104", ScoreValue::Boolean(n % 2 == 0), 8);
            (0..=n + 1).for_each(|_| gathered.take(&often, &format!("2.{n:02}")));
        }
        gathered.take(&score("words", ScoreValue::Text("for people".into()), 9), "3.0");
        assert!(!gathered.releases.contains_key("3.0"), "texts are not counted");
        let rows = gathered.kept(0);
        let names: BTreeSet<&str> = rows.iter().map(|row| row.field.as_str()).collect();
        assert_eq!((names.len(), names.contains("score.n104"), names.contains("score.n001")), (NAMES, true, false));
        let releases: BTreeSet<&str> = rows.iter().map(|row| row.release.as_str()).collect();
        assert!(releases.len() == RELEASES + 1 && releases.contains("1.0") && releases.contains(""), "{releases:?}");
        let told: BTreeSet<&str> = rows.iter().filter(|row| row.field == "score.n104").map(|row| row.kind.as_str()).collect();
        assert_eq!(told, BTreeSet::from(["categories", "numbers"]));
    }

    #[test]
    fn names_without_end_take_no_memory_without_end() {
        let mut gathered = Gathered::default();
        (0..NAMES_SEEN * 3).for_each(|n| gathered.take(&score(&format!("n{n}"), ScoreValue::Numeric(1.0), 7), ""));
        assert_eq!((gathered.fields.len(), gathered.numbers.len()), (NAMES_SEEN, NAMES_SEEN));
    }
}
