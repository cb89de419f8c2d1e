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
    table(&["field", "kind", "", "psi", "js", "p", "before", "after", "what moved"], view.fields.iter().map(cells).collect());
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
            let of = view.service.as_ref().map(|service| format!(" of {service}")).unwrap_or_default();
            output::say(&printable(&format!("release {after} beside {before}{of}, from {} to {}", view.from, view.to)));
        }
        _ if view.against == "release" => output::say("there are no two releases in this time"),
        _ => {
            let beside = format!("{} to {}", view.reference_from, view.reference_to);
            output::say(&format!("{} to {} beside {beside}", view.from, view.to));
        }
    }
    for (of, topics) in [("questions", &view.topics), ("answers", &view.output_topics)] {
        if let Some(topics) = topics {
            output::say(&version(of, &topics.version));
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

/// Which topics they are, since when, and why.
fn version(of: &str, version: &wire::TopicsVersionView) -> String {
    let learnt = version.learnt_at.as_ref().map(|at| format!(", learnt {at}")).unwrap_or_default();
    let next = version.next.as_deref().map(|why| format!("; others are being made: {}", because(why))).unwrap_or_default();
    format!("topics of {of} are version {} ({}){learnt}: {}{next}", version.number, version.digest, because(&version.why))
}

fn because(why: &str) -> String {
    match why {
        "first" => "there were none".to_owned(),
        "embedder" => "another model embeds".to_owned(),
        "release" => "a new release came".to_owned(),
        "unlike" => "too much was unlike all of them".to_owned(),
        "reference" => "a monitor compares with another time".to_owned(),
        "age" => "nothing was left of the time they were made of".to_owned(),
        other => printable(other),
    }
}

fn cells(found: &wire::FieldDriftView) -> Vec<String> {
    let figures = found.figures.as_ref();
    let figure = |value: Option<f64>| dash(value.map(|value| format!("{value:.3}")));
    vec![
        printable(&found.field),
        found.kind.clone(),
        if found.drifted { "drifted".to_owned() } else { found.state.replace('_', " ") },
        figure(figures.map(|figures| figures.psi)),
        figure(figures.map(|figures| figures.jensen_shannon)),
        figure(figures.map(|figures| figures.p)),
        found.reference.to_string(),
        found.current.to_string(),
        moved(found),
    ]
}

/// By how much numbers moved, or the categories that moved most; of too few numbers, the ranges that did.
fn moved(found: &wire::FieldDriftView) -> String {
    if let Some(moved) = found.figures.as_ref().and_then(|figures| figures.moved) {
        return format!("{moved:.3} {}", found.unit.as_deref().unwrap_or_default());
    }
    let by = |bin: &wire::DriftBinView| (bin.after - bin.before).abs();
    let mut bins: Vec<&wire::DriftBinView> = found.bins.iter().filter(|bin| by(bin) >= 0.005).collect();
    bins.sort_by(|one, other| by(other).total_cmp(&by(one)));
    let shown = bins.iter().take(NAMED).map(|bin| {
        let name = name(bin, found.unit.as_deref());
        format!("{name} {:.0} → {:.0} %", 100.0 * bin.before, 100.0 * bin.after)
    });
    printable(&shown.collect::<Vec<_>>().join(", "))
}

/// What a part of a distribution is called, as on the page.
fn name(bin: &wire::DriftBinView, unit: Option<&str>) -> String {
    match (bin.category.as_deref(), bin.low.zip(bin.high)) {
        (Some(""), _) => "(empty)".to_owned(),
        (Some(category), _) => category.to_owned(),
        (None, Some((low, high))) => {
            let (low, high) = (three_digits(low), three_digits(high));
            let range = if low == high { low } else { format!("{low} to {high}") };
            unit.map_or_else(|| range.clone(), |unit| format!("{range} {unit}"))
        }
        (None, None) => "others".to_owned(),
    }
}

/// More of them would say nothing: a range is as wide as a sketch's cells.
fn three_digits(value: f64) -> String {
    format!("{value:.2e}").parse::<f64>().unwrap_or(value).to_string()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_say_which_they_are_since_when_and_whether_others_are_to_come() {
        let told = |why: &str, next: Option<&str>| {
            let (learnt_at, next) = (Some("2026-11-12T10:00:00Z".to_owned()), next.map(str::to_owned));
            let found = wire::TopicsVersionView { number: 3, digest: "00ab".to_owned(), learnt_at, why: why.to_owned(), next };
            version("questions", &found)
        };
        let learnt = "topics of questions are version 3 (00ab), learnt 2026-11-12T10:00:00Z";
        assert_eq!(told("release", None), format!("{learnt}: a new release came"));
        let next = "others are being made: too much was unlike all of them";
        assert_eq!(told("first", Some("unlike")), format!("{learnt}: there were none; {next}"));
    }

    fn bin(category: Option<&str>, range: Option<(f64, f64)>, before: f64, after: f64) -> wire::DriftBinView {
        let (low, high) = range.unzip();
        wire::DriftBinView { low, high, category: category.map(str::to_owned), before, after }
    }

    #[test]
    fn a_range_of_numbers_is_called_by_its_ends_and_only_what_is_left_over_is_others() {
        let found = |unit: Option<&str>, bins: Vec<wire::DriftBinView>| wire::FieldDriftView {
            field: "duration".to_owned(),
            kind: "numbers".to_owned(),
            unit: unit.map(str::to_owned),
            state: "too_few".to_owned(),
            reference: 500,
            current: 4,
            drifted: false,
            figures: None,
            bins,
        };
        let ranges = vec![
            bin(None, Some((100.04, 412.34)), 0.5, 0.0),
            bin(None, Some((5.0, 5.0)), 0.0, 0.75),
            bin(None, Some((0.000_123, 0.000_987_6)), 0.0, 0.1),
        ];
        assert_eq!(moved(&found(Some("ms"), ranges)), "5 ms 0 → 75 %, 100 to 412 ms 50 → 0 %, 0.000123 to 0.000988 ms 0 → 10 %");
        assert_eq!(cells(&found(None, vec![]))[..3], ["duration", "numbers", "too few"]);
        let named = vec![bin(Some("gpt"), None, 0.9, 0.5), bin(Some(""), None, 0.1, 0.3), bin(None, None, 0.0, 0.2625)];
        assert_eq!(moved(&found(None, named)), "gpt 90 → 50 %, others 0 → 26 %, (empty) 10 → 30 %");
        assert_eq!(name(&bin(None, Some((1.0, 2.0)), 0.0, 1.0), None), "1 to 2");
    }
}
