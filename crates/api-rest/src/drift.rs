//! What moved between two stretches of time, or between two releases.

use axum::{Json, extract::State};
use mainspring_kernel::{FaultKind, Role, Timestamp};
use mainspring_observability::{
    Against, DriftBin, DriftFigures, DriftQuestion, DriftReleases, DriftReport, FieldDrift, Topic, TopicDrift, TopicsVersion,
};
use mainspring_web_kit::{Answer, Caller, Problem, Query};
use mainspring_wire as wire;
use serde::Deserialize;

use crate::{Rest, traces::time};

/// The current stretch where nobody says one: the last day.
const USUAL: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

#[derive(Debug, Deserialize)]
pub(crate) struct Comparing {
    field: Option<String>,
    from: Option<String>,
    to: Option<String>,
    against: Option<String>,
    reference_from: Option<String>,
    reference_to: Option<String>,
    release: Option<String>,
    reference_release: Option<String>,
    service: Option<String>,
}

/// Compares the spans that began from `from` to `to` (the last day where nobody says), field by field: with as much time
/// before (`against=previous`), with a stretch of its own (`against=range`, from `reference_from` to `reference_to`), or one
/// release with another (`against=release`): `release` with `reference_release`; where these are not named, the newest among
/// the spans with the one before. `field` names fields such as `model,duration`, `attributes["tier"]` or `score.relevance`;
/// without it all that are kept by the hour are compared, and the scores that were given in this time. Of all services together,
/// unless `service` names one (`app/NAME` is an app of this server); releases are those of one service, so where several have
/// some, one has to be named.
#[utoipa::path(get, path = "/api/v1/drift", tag = "drift", operation_id = "compare_drift",
    params(("field" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query),
        ("against" = Option<String>, Query), ("reference_from" = Option<String>, Query), ("reference_to" = Option<String>, Query),
        ("release" = Option<String>, Query), ("reference_release" = Option<String>, Query), ("service" = Option<String>, Query)),
    responses((status = 200, body = wire::DriftView)))]
pub(crate) async fn compare(
    State(rest): State<Rest>,
    caller: Caller,
    Query(comparing): Query<Comparing>,
) -> Answer<Json<wire::DriftView>> {
    let actor = caller.needs(Role::Reader)?;
    let question = question(comparing, rest.clock.now())?;
    let against = match question.against {
        Against::Previous => "previous",
        Against::Release(_) => "release",
        Against::Range(..) => "range",
    };
    let report = Box::pin(rest.drift.report(actor, &question)).await?;
    Ok(Json(view(report, against)))
}

fn question(comparing: Comparing, now: Timestamp) -> Answer<DriftQuestion> {
    let invalid = |words: &str| Problem::new(FaultKind::Invalid, "query-invalid", words.to_owned());
    let Comparing { field, from, to, against, reference_from, reference_to, release, reference_release, service } = comparing;
    let to = time("to", to)?.unwrap_or(now);
    let from = time("from", from)?.unwrap_or_else(|| to.minus(USUAL));
    let reference = (time("reference_from", reference_from)?, time("reference_to", reference_to)?);
    let named = |name: Option<String>| name.filter(|name| !name.is_empty());
    let releases = DriftReleases { reference: named(reference_release), current: named(release) };
    let are_named = releases != DriftReleases::default();
    let against = match (against.as_deref().unwrap_or_default(), reference) {
        ("previous" | "range", _) if are_named => {
            return Err(invalid("`release` and `reference_release` belong to `against=release`"));
        }
        ("", (None, None)) if are_named => Against::Release(releases),
        ("" | "previous", (None, None)) => Against::Previous,
        ("release", (None, None)) => Against::Release(releases),
        ("" | "range", (Some(from), Some(to))) if !are_named => Against::Range(from, to),
        ("range", _) => return Err(invalid("a range is from `reference_from` to `reference_to`")),
        ("" | "previous" | "release", _) => return Err(invalid("`reference_from` and `reference_to` belong to `against=range`")),
        _ => return Err(invalid("`against` is previous, release or range")),
    };
    Ok(DriftQuestion { fields: fields(&field.unwrap_or_default()), from, to, against, service: named(service) })
}

/// Names between commas; those within the quotes of an attribute's name belong to it.
fn fields(text: &str) -> Vec<String> {
    let (mut names, mut name, mut quoted) = (Vec::new(), String::new(), false);
    for letter in text.chars() {
        quoted ^= letter == '"';
        if letter == ',' && !quoted {
            names.push(std::mem::take(&mut name));
        } else {
            name.push(letter);
        }
    }
    names.push(name);
    names.into_iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

fn view(report: DriftReport, against: &str) -> wire::DriftView {
    let DriftReport { from, to, reference, releases, service, fields, topics, no_topics, answers, no_answers, waiting } = report;
    let (reference_release, release) = releases.unzip();
    wire::DriftView {
        from: from.to_string(),
        to: to.to_string(),
        against: against.to_owned(),
        reference_from: reference.0.to_string(),
        reference_to: reference.1.to_string(),
        reference_release,
        release,
        service,
        fields: fields.into_iter().map(field).collect(),
        topics: topics.map(moved),
        no_topics: no_topics.map(str::to_owned),
        output_topics: answers.map(moved),
        no_output_topics: no_answers.map(str::to_owned),
        waiting_hours: waiting as u64,
    }
}

fn field(found: FieldDrift) -> wire::FieldDriftView {
    let FieldDrift { field, kind, unit, state, reference, current, drifted, figures, bins } = found;
    let bin = |DriftBin { range, category, before, after }: DriftBin| {
        let (low, high) = range.unzip();
        wire::DriftBinView { low, high, category, before, after }
    };
    let figures = figures.map(|DriftFigures { psi, psi_by_chance, jensen_shannon, ks, p, moved, unseen }| {
        wire::DriftFiguresView { psi, psi_by_chance, jensen_shannon, ks, p, moved, unseen }
    });
    wire::FieldDriftView {
        field,
        kind: kind.to_owned(),
        unit: unit.map(str::to_owned),
        state: state.as_str().to_owned(),
        reference,
        current,
        drifted,
        figures,
        bins: bins.into_iter().map(bin).collect(),
    }
}

fn moved(found: TopicDrift) -> wire::TopicDriftView {
    let TopicDrift { state, reference, current, mmd_squared, p, psi, topics, version } = found;
    let TopicsVersion { number, digest, learnt, why, next } = version;
    let topic =
        |Topic { words, before, after, grew, p, traces }: Topic| wire::DriftTopicView { words, before, after, grew, p, traces };
    wire::TopicDriftView {
        state: state.as_str().to_owned(),
        reference,
        current,
        mmd_squared,
        p,
        psi,
        topics: topics.into_iter().map(topic).collect(),
        version: wire::TopicsVersionView {
            number,
            digest,
            learnt_at: learnt.map(|learnt| learnt.to_string()),
            why: why.as_str().to_owned(),
            next: next.map(|why| why.as_str().to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_between_commas_and_attributes_keep_theirs() {
        assert_eq!(fields("model, attributes[\"a,b\"],,cost "), ["model", "attributes[\"a,b\"]", "cost"]);
        assert_eq!(fields("score.x,score[\"a, b\"]"), ["score.x", "score[\"a, b\"]"]);
        assert!(fields("").is_empty());
    }

    #[test]
    fn releases_and_ranges_are_not_mixed() {
        let asked = |against: &str, range: bool, release: &str| {
            let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            let comparing = Comparing {
                field: None,
                from: None,
                to: None,
                against: given(against),
                reference_from: given(if range { "2026-01-01T00:00:00Z" } else { "" }),
                reference_to: given(if range { "2026-01-02T00:00:00Z" } else { "" }),
                release: given(release),
                reference_release: None,
                service: None,
            };
            question(comparing, Timestamp::from_micros(1_800_000_000_000_000)).map(|question| question.against)
        };
        let named = |release: &str| {
            Against::Release(DriftReleases { reference: None, current: Some(release.to_owned()).filter(|name| !name.is_empty()) })
        };
        assert!(matches!(asked("", false, ""), Ok(Against::Previous)));
        assert!(matches!(asked("", true, ""), Ok(Against::Range(..))));
        assert_eq!(asked("release", false, "").ok(), Some(named("")));
        assert_eq!(asked("release", false, "1.1").ok(), Some(named("1.1")));
        assert_eq!(asked("", false, "1.1").ok(), Some(named("1.1")), "a release that is named is what is meant");
        for (against, range) in [("previous", false), ("range", true), ("range", false), ("", true), ("release", true)] {
            assert!(asked(against, range, "1.1").is_err(), "{against} {range}");
        }
    }

    proptest! {
        #[test]
        fn no_name_is_lost_whatever_is_written(text in ".{0,60}") {
            let kept: String = fields(&text).concat();
            prop_assert!(kept.chars().all(|letter| text.contains(letter)));
        }
    }
}
