//! The newest release beside one before it.

use std::{collections::BTreeSet, time::Duration};

use mainspring_kernel::{Fault, Timestamp};

use crate::{
    change::Rule,
    evaluate::{Looker, OfRelease},
    measurements::{Measurements, ReleaseSeen},
    settle::Finding,
    spec::{Release, Test},
    state::{Figures, Verdict},
};

/// After this time a release is known well enough, and before it its predecessor was.
const LONG_ENOUGH: Duration = Duration::from_secs(30 * 24 * 3_600);

pub(crate) async fn look(looker: &Looker<'_>, spec: &Release, data: &dyn Measurements) -> Result<Vec<Finding>, Box<dyn Fault>> {
    let seen = data.releases(looker.spec.filter.as_deref(), looker.spec.of, spec.of).await?;
    let any = !seen.is_empty();
    // One span of a program whose clock is ahead is of a release that nothing can be said of until that time has come.
    let releases: Vec<ReleaseSeen> = seen.into_iter().filter(|release| release.first <= looker.known).collect();
    let Some(Chosen { newest, baseline, services }) = choose(&releases, spec.baseline.as_deref()) else {
        let verdict = if any { Verdict::TooFew } else { Verdict::Missing };
        return Ok(vec![Finding::new(None, (verdict, Figures::default()))]);
    };
    let window = looker.spec.window.as_duration();
    let known = looker.known.min(newest.first.plus(LONG_ENOUGH));
    let looks = known.since(newest.first).as_micros() / window.as_micros().max(1);
    let looks = u32::try_from(looks).unwrap_or(u32::MAX);
    let always = spec.test == Test::Sequential;
    let until = if always { known } else { newest.first.plus(window.saturating_mul(looks)) };
    let now = (newest.first, until.max(newest.first));
    let then = (baseline.first.max(newest.first.minus(LONG_ENOUGH)), newest.first);
    let mut current = looker.read(data, now, long(now), Some(OfRelease { name: &newest.name, services: &[] })).await?;
    if looks == 0 && !always {
        current.iter_mut().for_each(|series| series.points.clear());
    }
    let of = OfRelease { name: &baseline.name, services: &services };
    let reference = looker.read(data, then, long(then), Some(of)).await?;
    let rule = Rule {
        worse: spec.worse,
        by: spec.by,
        minimum: looker.spec.minimum,
        alpha: spent(spec.error, looks, always) / current.len().max(1) as f64,
        always,
    };
    let mut found = looker.pairs(&rule, (reference, then), (current, now));
    if found.is_empty() && looks == 0 {
        found.push(Finding::new(None, (Verdict::TooFew, Figures::default())));
    }
    for finding in &mut found {
        finding.figures.releases = Some((newest.name.clone(), baseline.name.clone()));
        // Nothing in the first window of a release is no news: it is still coming.
        if looks == 0 && finding.verdict == Verdict::Missing {
            finding.verdict = Verdict::TooFew;
        }
    }
    Ok(found)
}

/// Two releases to compare.
#[derive(Debug, PartialEq, Eq)]
struct Chosen<'r> {
    newest: &'r ReleaseSeen,
    baseline: &'r ReleaseSeen,
    /// Whose the baseline is, where others have a release of the same name; empty: everything under that name is meant.
    services: Vec<Option<String>>,
}

/// The newest release and the one it is compared with: the one before it of those whose the newest is. Versions of one service
/// say nothing of another's. A baseline that is named and that only others have was somebody's wish.
fn choose<'r>(releases: &'r [ReleaseSeen], baseline: Option<&str>) -> Option<Chosen<'r>> {
    let firsts = first_of_each(releases.iter());
    let newest = *firsts.last()?;
    let whose: BTreeSet<&Option<String>> = named(releases, &newest.name).map(|release| &release.of).collect();
    let theirs = first_of_each(releases.iter().filter(|release| whose.contains(&release.of)));
    let place = theirs.iter().position(|release| release.name == newest.name)?;
    let mut before = theirs.into_iter().take(place);
    let baseline = match baseline {
        Some(name) => {
            let wished = || firsts.iter().copied().find(|release| release.name == name && release.name != newest.name);
            before.find(|release| release.name == name).or_else(wished)
        }
        None => before.next_back(),
    }?;
    let theirs_too = whose.contains(&baseline.of);
    let others = named(releases, &baseline.name).any(|release| !whose.contains(&release.of));
    let services = if theirs_too && others { whose.into_iter().cloned().collect() } else { Vec::new() };
    Some(Chosen { newest, baseline, services })
}

fn named<'r>(releases: &'r [ReleaseSeen], name: &str) -> impl Iterator<Item = &'r ReleaseSeen> {
    releases.iter().filter(move |release| release.name == name)
}

/// Each name when it was seen first, in that order.
fn first_of_each<'r>(releases: impl Iterator<Item = &'r ReleaseSeen>) -> Vec<&'r ReleaseSeen> {
    let mut seen = BTreeSet::new();
    releases.filter(|release| seen.insert(release.name.as_str())).collect()
}

/// What the k-th look may spend of the whole error, so that all looks together, however many, spend no more than it:
/// 6 / (π² k²) add up to 1.
fn spent(error: f64, looks: u32, always: bool) -> f64 {
    if always {
        return error;
    }
    let look = f64::from(looks.max(1));
    error * 6.0 / (std::f64::consts::PI * look).powi(2)
}

/// One point for all of a stretch of time.
fn long((from, to): (Timestamp, Timestamp)) -> Duration {
    to.since(from).max(Duration::from_secs(1))
}
