//! Hours are made: each by whoever needs it first, and again when spans or scores came late.

use std::{collections::BTreeMap, time::Duration};

use mainspring_kernel::{Actor, Timestamp};
use mainspring_lake::Filter;

use super::{
    Drift, MADE_AT_ONCE,
    fields::Field,
    gather::{Asked, gather, gather_inside},
    kept::{self, HOUR, Hours, Kept, Part, Seen, Writing, counted, is_stale, made},
    report::Collected,
    sketch::Sketch,
    taken,
    texts::Spoken,
};
use crate::fault::TraceFault;

/// What may still change, and everything there is that is looked at now and then.
const LATE: Duration = Duration::from_secs(48 * 3600);
pub(super) const LOOK_BACK: Duration = Duration::from_secs(31 * 24 * 3600);
const EVERYTHING_EVERY: Duration = Duration::from_secs(24 * 3600);
/// Hours made in one go, so that a process can stop.
pub(super) const HOURS_AT_ONCE: usize = 100;
/// Releases told apart within an hour.
pub(super) const RELEASES: usize = 16;

impl Drift {
    /// Makes hours of every project that are due, the newest first. Answers whether there may be more to do.
    pub async fn keep(&self) -> Result<bool, TraceFault> {
        let mut looked = self.looked.lock().await;
        let now = self.room.now();
        let everything = looked.is_none_or(|at| now.since(at) >= EVERYTHING_EVERY);
        let stretch = around(now, if everything { LOOK_BACK } else { LATE });
        let (counts, known) = self.known(Part::Fields, None, stretch).await?;
        let due = due(&counts, &known, now, false);
        let more = due.len() > HOURS_AT_ONCE;
        for (project, hour) in due.into_iter().take(HOURS_AT_ONCE) {
            self.make_fields(&project, hour, now).await?;
        }
        let table = self.table().await?.as_ref();
        for (project, hour) in known.keys().filter(|key| !counts.contains_key(*key)) {
            kept::remove_hours(table, project, &[*hour]).await?;
        }
        let more = self.make_scores(None, stretch, HOURS_AT_ONCE).await? > 0 || more;
        let mut more_topics = false;
        for spoken in Spoken::ALL {
            more_topics |= self.keep_topics(spoken, &counts, stretch, now).await?;
        }
        if everything && !more && !more_topics {
            *looked = Some(now);
        }
        Ok(more || more_topics)
    }

    /// Deletes what is kept of hours before a time.
    pub async fn expire(&self, before: Timestamp) -> Result<(), TraceFault> {
        kept::expire(self.table().await?.as_ref(), before.as_micros()).await
    }

    /// Makes what a reader asks about; answers how many hours are still to be made.
    pub(super) async fn make_due(&self, actor: &Actor, stretch: (i64, i64)) -> Result<usize, TraceFault> {
        let (project, now) = (actor.project.to_string(), self.room.now());
        let (counts, known) = self.known(Part::Fields, Some(project.as_str()), stretch).await?;
        let due = due(&counts, &known, now, false);
        let waiting = due.len().saturating_sub(MADE_AT_ONCE);
        for (project, hour) in due.into_iter().take(MADE_AT_ONCE) {
            self.make_fields(&project, hour, now).await?;
        }
        Ok(waiting)
    }

    /// How many spans there are, and how many there were when hours were made.
    async fn known(&self, part: Part, project: Option<&str>, stretch: (i64, i64)) -> Result<(Hours, Hours), TraceFault> {
        let counts = counted(self.room.table().as_ref(), project, stretch).await?;
        let known = made(self.table().await?.as_ref(), part, project, stretch).await?;
        Ok((counts, known))
    }

    async fn make_fields(&self, project: &str, hour: i64, now: Timestamp) -> Result<(), TraceFault> {
        let _making = self.making.read().await;
        let spans = self.room.table().as_ref();
        let among = Filter::eq("project", project);
        let asked = Asked { among, from: hour, to: hour + HOUR };
        // Counted first: what comes meanwhile makes the hour due again.
        let count = spans.count(asked.among.clone().and(super::stretch(hour, hour + HOUR))).await?;
        let fields = Field::kept()?;
        let plain: Vec<Field> = fields.iter().filter(|field| !field.is_inside()).cloned().collect();
        let mut collected = Collected::default();
        let gathered = gather(spans, &asked, &plain).await?;
        let mut releases: Vec<(u64, String)> =
            gathered.releases.iter().map(|release| (release.spans, release.name.clone())).collect();
        releases.sort_by(|one, other| other.cmp(one));
        releases.truncate(RELEASES);
        taken(&mut collected, &plain, gathered);
        for field in fields.iter().filter(|field| field.is_inside()) {
            taken(&mut collected, std::slice::from_ref(field), gather_inside(spans, &asked, field).await?);
        }
        let mut bounded = BTreeMap::new();
        for ((release, field), sketch) in collected.sketches {
            let own = releases.iter().any(|(_, known)| *known == release);
            Collected::add(&mut bounded, (if own { release } else { String::new() }, field), sketch);
        }
        let row = |((release, field), sketch): ((String, String), Sketch)| Kept {
            hour,
            field,
            release,
            kind: sketch.kind().to_owned(),
            sketch: sketch.written(),
        };
        let rows: Vec<Kept> = bounded.into_iter().map(row).collect();
        let seen = Seen { rows: i64::try_from(count).unwrap_or(i64::MAX), newest: None };
        self.write(&Writing { project, hour, part: Part::Fields, seen, made: now.as_micros() }, &rows).await
    }

    pub(super) async fn write(&self, writing: &Writing<'_>, rows: &[Kept]) -> Result<(), TraceFault> {
        kept::write(self.table().await?.as_ref(), writing, rows).await
    }
}

/// From so long ago to the end of the running hour.
pub(super) fn around(now: Timestamp, back: Duration) -> (i64, i64) {
    let hour = |at: Timestamp| at.as_micros().div_euclid(HOUR) * HOUR;
    (hour(now.minus(back)), hour(now) + HOUR)
}

/// The newest first.
pub(super) fn due(counts: &Hours, known: &Hours, now: Timestamp, patient: bool) -> Vec<(String, i64)> {
    let running = now.as_micros() - HOUR;
    let stale = counts.iter().filter(|(key, seen)| is_stale(**seen, known.get(*key).copied(), patient || key.1 > running));
    let mut due: Vec<(String, i64)> = stale.map(|(key, _)| key.clone()).collect();
    due.sort_by_key(|(_, hour)| std::cmp::Reverse(*hour));
    due
}
