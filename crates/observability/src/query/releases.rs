//! Which releases of services came into use in a stretch of time, for whoever asks what changed before something went wrong.

use std::{collections::HashMap, time::Duration};

use mainspring_kernel::{Actor, Timestamp};
use mainspring_lake::{Aggregate, Allowance, Filter, MeasureOf, Order};

use super::{Asking, TraceFilter, access::seen};
use crate::{fault::TraceFault, service::Observability, table::Rows};

/// What was not seen for so long is new when it comes back.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);
/// Releases that are told apart at once, and new ones that are told.
const RELEASES_MAX: usize = 2_000;
const NEW_MAX: usize = 50;
/// Whoever is told of something that goes wrong does not wait for longer.
const WITHIN: Duration = Duration::from_secs(5);
const START: &str = "start";

/// A release of a service of which the first span came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRelease {
    pub service: String,
    pub release: String,
    /// When its first span began.
    pub first: Timestamp,
    /// The release of the service whose spans came last before.
    pub before: Option<String>,
}

/// A release of a service.
type Of = (String, String);
/// The moments that were asked for of each.
type Moments = HashMap<Of, Vec<Option<i64>>>;

impl Observability {
    /// Releases of services whose first span began after the first moment and until the second, newest first. Of a month before
    /// it is known which there were; what this server's own apps answered counts among the versions of its assets.
    pub async fn new_releases(
        &self,
        actor: &Actor,
        (since, until): (Timestamp, Timestamp),
    ) -> Result<Vec<NewRelease>, TraceFault> {
        let asking = self.asking(actor, self.now());
        // A stretch has its beginning and not its end.
        let [since, until] = [since, until].map(|moment| moment.plus(Duration::from_micros(1)));
        let now = moments(asking, (since, until), &[(MeasureOf::Min(START.into()), Filter::All)]).await?;
        if now.is_empty() {
            return Ok(Vec::new());
        }
        let known = moments(asking, (since.minus(REMEMBERED), since), &[last_before(since)]).await?;
        let unheard = now.iter().filter(|(of, _)| !known.contains_key(*of));
        let mut new: Vec<(&Of, Timestamp)> =
            unheard.filter_map(|(of, found)| Some((of, Timestamp::from_micros(moment(found, 0)?)))).collect();
        new.sort_by(|(one, first), (other, later)| later.cmp(first).then_with(|| one.cmp(other)));
        new.truncate(NEW_MAX);
        let Some((_, newest)) = new.first() else { return Ok(Vec::new()) };
        // One of yesterday may have been followed by another since, and one that was rolled back to comes after both.
        let asked: Vec<(MeasureOf, Filter)> = new.iter().map(|(_, first)| last_before(*first)).collect();
        let meanwhile = moments(asking, (since, *newest), &asked).await?;
        let told = new.iter().enumerate().map(|(place, ((service, release), first))| NewRelease {
            service: service.clone(),
            release: release.clone(),
            first: *first,
            before: latest(&meanwhile, service, place).or_else(|| latest(&known, service, 0)),
        });
        Ok(told.collect())
    }
}

/// When the last span began before a moment.
fn last_before(moment: Timestamp) -> (MeasureOf, Filter) {
    (MeasureOf::Max(START.to_owned()), Filter::Lt(START.to_owned(), moment.as_micros().into()))
}

fn moment(found: &[Option<i64>], place: usize) -> Option<i64> {
    found.get(place).copied().flatten()
}

/// The release of a service of which this moment is the latest.
fn latest(among: &Moments, service: &str, place: usize) -> Option<String> {
    let theirs = among.iter().filter(|((of, _), _)| of == service);
    let seen = theirs.filter_map(|((_, release), found)| Some((moment(found, place)?, release)));
    seen.max().map(|(_, release)| release.clone())
}

async fn moments(
    asking: Asking<'_>,
    (from, to): (Timestamp, Timestamp),
    measures: &[(MeasureOf, Filter)],
) -> Result<Moments, TraceFault> {
    let of = TraceFilter { from: Some(from), to: Some(to), ..TraceFilter::default() };
    let named = of.spans(asking.actor, asking.now).and(Filter::present("service")).and(Filter::present("release"));
    let among = seen(asking, named).await?;
    let mut asked = Aggregate::of(among).by("service").by("release").order("service", Order::Ascending).limit(RELEASES_MAX);
    let names: Vec<String> = (0..measures.len()).map(|place| format!("release_moment_{place}")).collect();
    for (name, (of, only)) in names.iter().zip(measures) {
        asked = asked.measure_of(name, of.clone(), only.clone());
    }
    asked.allowance = Allowance { within: WITHIN, ..Allowance::default() };
    let grouped = asking.table.aggregate(asked).await?;
    if grouped.more {
        // Of too many nobody could say which are new.
        return Err(TraceFault::TooMuch { rows: RELEASES_MAX });
    }
    let mut found = Moments::new();
    for batch in &grouped.batches {
        let rows = Rows(batch);
        for row in 0..batch.num_rows() {
            let told = names.iter().map(|name| rows.number(name, row)).collect::<Result<Vec<_>, _>>()?;
            if let (Some(service), Some(release)) = (rows.text("service", row)?, rows.text("release", row)?) {
                found.insert((service.to_owned(), release.to_owned()), told);
            }
        }
    }
    Ok(found)
}
