//! `mainspring drift`.

use std::process::ExitCode;

use mainspring_wire as wire;

use super::{Session, segment};
use crate::{
    args::{Drift, DriftAgainst},
    output::{self, dash, printable, table},
};

/// Categories that are named of one that moved.
const NAMED: usize = 3;

pub(crate) async fn run(session: &Session, drift: &Drift) -> anyhow::Result<ExitCode> {
    let against = drift.against.map(|against| match against {
        DriftAgainst::Previous => "previous",
        DriftAgainst::Release => "release",
        DriftAgainst::Range => "range",
    });
    let pairs = [
        ("field", drift.field.as_deref()),
        ("from", drift.from.as_deref()),
        ("to", drift.to.as_deref()),
        ("against", against),
        ("reference_from", drift.reference_from.as_deref()),
        ("reference_to", drift.reference_to.as_deref()),
        ("release", drift.release.as_deref()),
        ("reference_release", drift.reference_release.as_deref()),
        ("service", drift.service.as_deref()),
    ];
    let given = pairs.iter().filter_map(|(name, value)| Some(format!("{name}={}", segment((*value)?))));
    let asked = given.collect::<Vec<_>>().join("&");
    let view: wire::DriftView = session.client.get(&format!("/api/v1/drift?{asked}")).await?;
    if session.json {
        output::json(&view);
        return Ok(ExitCode::SUCCESS);
    }
    table(&["field", "", "psi", "js", "p", "before", "after", "what moved"], view.fields.iter().map(cells).collect());
    for (title, topics) in [("asked about", &view.topics), ("answered about", &view.output_topics)] {
        let rows: Vec<Vec<String>> = topics.iter().flat_map(|topics| &topics.topics).map(topic).collect();
        if !rows.is_empty() {
            table(&[title, "", "before", "after", "example"], rows);
        }
    }
    say(&view);
    Ok(ExitCode::SUCCESS)
}

fn say(view: &wire::DriftView) {
    match (&view.reference_release, &view.release) {
        (Some(before), Some(after)) => {
            output::say(&printable(&format!("release {after} beside {before}, from {} to {}", view.from, view.to)));
        }
        _ if view.against == "release" => output::say("there are no two releases in this time"),
        _ => {
            let beside = format!("{} to {}", view.reference_from, view.reference_to);
            output::say(&format!("{} to {} beside {beside}", view.from, view.to));
        }
    }
    if let Some(why) = &view.no_topics {
        output::say(why);
    }
    if let Some(why) = view.no_output_topics.as_ref().filter(|why| Some(*why) != view.no_topics.as_ref()) {
        output::say(why);
    }
    if view.waiting_hours > 0 {
        output::say(&format!("{} hours are not made yet: ask again in a while", view.waiting_hours));
    }
}

fn cells(found: &wire::FieldDriftView) -> Vec<String> {
    let figures = found.figures.as_ref();
    let figure = |value: Option<f64>| dash(value.map(|value| format!("{value:.3}")));
    vec![
        printable(&found.field),
        if found.drifted { "drifted".to_owned() } else { found.state.replace('_', " ") },
        figure(figures.map(|figures| figures.psi)),
        figure(figures.map(|figures| figures.jensen_shannon)),
        figure(figures.map(|figures| figures.p)),
        found.reference.to_string(),
        found.current.to_string(),
        moved(found),
    ]
}

/// By how much numbers moved, or the categories that moved most.
fn moved(found: &wire::FieldDriftView) -> String {
    if let Some(moved) = found.figures.as_ref().and_then(|figures| figures.moved) {
        return format!("{moved:.3} {}", found.unit.as_deref().unwrap_or_default());
    }
    let by = |bin: &wire::DriftBinView| (bin.after - bin.before).abs();
    let mut bins: Vec<&wire::DriftBinView> = found.bins.iter().filter(|bin| by(bin) >= 0.005).collect();
    bins.sort_by(|one, other| by(other).total_cmp(&by(one)));
    let shown = bins.iter().take(NAMED).map(|bin| {
        let name = bin.category.as_deref().unwrap_or("others");
        format!("{name} {:.0} → {:.0} %", 100.0 * bin.before, 100.0 * bin.after)
    });
    printable(&shown.collect::<Vec<_>>().join(", "))
}

fn topic(topic: &wire::DriftTopicView) -> Vec<String> {
    let words = if topic.words.is_empty() { "unlike anything before".to_owned() } else { topic.words.join(" ") };
    vec![
        printable(&words),
        if topic.grew { "grew".to_owned() } else { String::new() },
        format!("{:.1} %", 100.0 * topic.before),
        format!("{:.1} %", 100.0 * topic.after),
        dash(topic.traces.first()),
    ]
}
