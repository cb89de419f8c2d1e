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

/// When spans of a release of a service began: the first and the last.
type Seen = HashMap<(String, String), (i64, i64)>;

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
        let now = within(asking, (since, until)).await?;
        if now.is_empty() {
            return Ok(Vec::new());
        }
        let before = within(asking, (since.minus(REMEMBERED), since)).await?;
        let mut last: HashMap<&str, (i64, &str)> = HashMap::new();
        for ((service, release), (_, at)) in &before {
            let known = last.entry(service.as_str()).or_insert((*at, release.as_str()));
            *known = (*known).max((*at, release.as_str()));
        }
        let new = now.iter().filter(|(of, _)| !before.contains_key(*of));
        let told = new.map(|((service, release), (first, _))| NewRelease {
            service: service.clone(),
            release: release.clone(),
            first: Timestamp::from_micros(*first),
            before: last.get(service.as_str()).map(|(_, release)| (*release).to_owned()),
        });
        let mut told: Vec<NewRelease> = told.collect();
        told.sort_by(|one, other| other.first.cmp(&one.first).then_with(|| one.service.cmp(&other.service)));
        told.truncate(NEW_MAX);
        Ok(told)
    }
}

async fn within(asking: Asking<'_>, (from, to): (Timestamp, Timestamp)) -> Result<Seen, TraceFault> {
    let of = TraceFilter { from: Some(from), to: Some(to), ..TraceFilter::default() };
    let named = of.spans(asking.actor, asking.now).and(Filter::present("service")).and(Filter::present("release"));
    let among = seen(asking, named).await?;
    let mut asked = Aggregate::of(among)
        .by("service")
        .by("release")
        .measure("release_first", MeasureOf::Min("start".into()))
        .measure("release_last", MeasureOf::Max("start".into()))
        .order("release_last", Order::Descending)
        .limit(RELEASES_MAX);
    asked.allowance = Allowance { within: WITHIN, ..Allowance::default() };
    let grouped = asking.table.aggregate(asked).await?;
    if grouped.more {
        // Of too many nobody could say which are new.
        return Err(TraceFault::TooMuch { rows: RELEASES_MAX });
    }
    let mut found = Seen::new();
    for batch in &grouped.batches {
        let rows = Rows(batch);
        for row in 0..batch.num_rows() {
            let times = rows.number("release_first", row)?.zip(rows.number("release_last", row)?);
            if let (Some(service), Some(release), Some(times)) = (rows.text("service", row)?, rows.text("release", row)?, times) {
                found.insert((service.to_owned(), release.to_owned()), times);
            }
        }
    }
    Ok(found)
}
