//! `mainspring metrics`.

use std::process::ExitCode;

use mainspring_wire as wire;

use super::{Session, segment};
use crate::{
    args::{ListMetrics, Metrics, ShowMetric},
    output::{self, dash, say, table},
};

const PATH: &str = "/api/v1/metrics";
/// Of what is sent under one name beside the newest.
const NAMED: usize = 3;

pub(crate) async fn run(session: &Session, command: Metrics) -> anyhow::Result<ExitCode> {
    match command {
        Metrics::List(given) => list(session, &given).await,
        Metrics::Show(given) => show(session, &given).await,
    }
}

fn asked(pairs: &[(&str, &Option<String>)]) -> String {
    let given = pairs.iter().filter_map(|(name, value)| Some(format!("{name}={}", segment(value.as_deref()?))));
    given.collect::<Vec<_>>().join("&")
}

async fn list(session: &Session, given: &ListMetrics) -> anyhow::Result<ExitCode> {
    let ListMetrics { find, service, since, until, paging } = given;
    let asked = asked(&[("q", find), ("service", service), ("from", since), ("to", until)]);
    let address = if asked.is_empty() { PATH.to_owned() } else { format!("{PATH}?{asked}") };
    let page: wire::Page<wire::MetricView> = session.page(&address, paging).await?;
    if session.json {
        output::json(&page);
        return Ok(ExitCode::SUCCESS);
    }
    let rows = page.items.iter().map(|metric| {
        let more = if metric.more_services { ", …" } else { "" };
        vec![
            metric.name.clone(),
            sort(&metric.form),
            dash(Some(&metric.form.unit).filter(|unit| !unit.is_empty())),
            also(metric),
            format!("{}{more}", metric.services.join(", ")),
            metric.series.to_string(),
            number(metric.last_value),
            metric.last_seen.clone(),
        ]
    });
    table(&["name", "kind", "unit", "also sent as", "services", "series", "last value", "last seen"], rows.collect());
    output::more(page.next.as_deref());
    Ok(ExitCode::SUCCESS)
}

async fn show(session: &Session, given: &ShowMetric) -> anyhow::Result<ExitCode> {
    let ShowMetric { name, by, since, until, step, service, model, kind, unit, monotonic, temporality } = given;
    let monotonic = monotonic.map(|monotonic| monotonic.to_string());
    let asked = asked(&[
        ("by", by),
        ("from", since),
        ("to", until),
        ("step", step),
        ("service", service),
        ("model", model),
        ("kind", kind),
        ("unit", unit),
        ("monotonic", &monotonic),
        ("temporality", temporality),
    ]);
    let found: wire::MetricSeriesView = session.client.get(&format!("{PATH}/{}/series?{asked}", segment(name))).await?;
    if session.json {
        output::json(&found);
        return Ok(ExitCode::SUCCESS);
    }
    if found.points == 0 {
        let told =
            format!("no points of `{name}` from {} to {}: `mainspring metrics list` names what was sent", found.from, found.to);
        say(&output::printable(&told));
        return Ok(ExitCode::SUCCESS);
    }
    let mut header = vec!["from"];
    header.extend(by.as_deref());
    header.extend(found.measures.iter().map(String::as_str));
    table(&header, rows(&found));
    tell(&found);
    Ok(ExitCode::SUCCESS)
}

/// A line for each step of each group.
fn rows(found: &wire::MetricSeriesView) -> Vec<Vec<String>> {
    let line = |group: &wire::MetricGroupView, step: &wire::MetricStepView| -> Vec<String> {
        let named = found.by.as_ref().map(|_| dash(group.value.as_ref()));
        let values = step.values.iter().map(|value| number(*value));
        std::iter::once(step.start.clone()).chain(named).chain(values).collect()
    };
    found.groups.iter().flat_map(|group| group.steps.iter().map(move |step| line(group, step))).collect()
}

fn tell(found: &wire::MetricSeriesView) {
    if let Some(form) = &found.form {
        let unit = if form.unit.is_empty() { String::new() } else { format!(" in {}", form.unit) };
        let sort = sort(form);
        say(&output::printable(&format!("{}, {sort}{unit}, from {} to {}", found.name, found.from, found.to)));
    }
    if let Some(note) = &found.note {
        say(note);
    }
    if found.more {
        say("there are more groups: name a service or a model");
    }
    let others: Vec<String> = found.others.iter().map(flags).collect();
    if !others.is_empty() {
        let more = if found.more_forms > 0 { format!(", and in about {} other ways", found.more_forms) } else { String::new() };
        say(&output::printable(&format!("the name is also sent as {}{more}", others.join(", "))));
    }
}

/// What asks about it alone.
fn flags(form: &wire::MetricFormView) -> String {
    let mut flags = format!("--kind {} --unit \"{}\"", form.kind, form.unit);
    if let Some(monotonic) = form.monotonic {
        flags.push_str(&format!(" --monotonic {monotonic}"));
    }
    if let Some(temporality) = apart(form) {
        flags.push_str(&format!(" --temporality {temporality}"));
    }
    flags
}

/// How its points count, where that makes it another.
fn apart(form: &wire::MetricFormView) -> Option<&str> {
    (form.monotonic == Some(false)).then(|| form.temporality.as_deref().unwrap_or("unspecified"))
}

/// What else is sent under a name: some of it by name.
fn also(metric: &wire::MetricView) -> String {
    let unit = |form: &wire::MetricFormView| if form.unit.is_empty() { String::new() } else { format!(" in {}", form.unit) };
    let mut named: Vec<String> = metric.others.iter().take(NAMED).map(|form| format!("{}{}", sort(form), unit(form))).collect();
    let more = metric.others.len().saturating_sub(NAMED) as u64 + metric.more_forms;
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    dash(Some(named.join(", ")).filter(|named| !named.is_empty()))
}

/// Its kind, with how its points count where that makes it another.
fn sort(form: &wire::MetricFormView) -> String {
    let kind = kind(form);
    apart(form).map_or_else(|| kind.clone(), |counting| format!("{kind} ({counting})"))
}

/// A sum that only grows is what people call a counter.
fn kind(form: &wire::MetricFormView) -> String {
    match (form.kind.as_str(), form.monotonic) {
        ("sum", Some(true)) => "counter".to_owned(),
        (other, _) => other.replace('_', " "),
    }
}

/// Six digits of it: more than what is measured has.
fn number(value: Option<f64>) -> String {
    dash(value.map(|value| {
        let short = format!("{value:.5e}").parse::<f64>().unwrap_or(value);
        // Whole numbers are told whole.
        if value.fract() == 0.0 && value.abs() < 1e15 { value } else { short }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_as_far_as_they_mean_something() {
        for (value, told) in [(1_234_567.0, "1234567"), (0.123_456_78, "0.123457"), (-2.5, "-2.5"), (1e-9, "0.000000001")] {
            assert_eq!(number(Some(value)), told);
        }
        assert_eq!(number(None), "–");
    }

    #[test]
    fn what_else_is_sent_under_a_name_is_told_with_what_asks_about_it() {
        let form = |kind: &str, unit: &str, temporality: Option<&str>, monotonic: Option<bool>| wire::MetricFormView {
            kind: kind.to_owned(),
            unit: unit.to_owned(),
            temporality: temporality.map(str::to_owned),
            monotonic,
        };
        let counter = form("sum", "By", Some("cumulative"), Some(true));
        let forms = [
            (form("sum", "By", Some("delta"), Some(false)), "--kind sum --unit \"By\" --monotonic false --temporality delta"),
            (form("sum", "", None, Some(false)), "--kind sum --unit \"\" --monotonic false --temporality unspecified"),
            (form("gauge", "", None, None), "--kind gauge --unit \"\""),
            (counter.clone(), "--kind sum --unit \"By\" --monotonic true"),
        ];
        for (form, wanted) in &forms {
            assert_eq!(flags(form), *wanted);
        }
        let mut metric = wire::MetricView {
            name: "load".to_owned(),
            form: counter,
            others: forms.into_iter().map(|(form, _)| form).collect(),
            more_forms: 20_000,
            services: Vec::new(),
            more_services: false,
            series: 1,
            last_seen: String::new(),
            last_value: None,
        };
        assert_eq!(also(&metric), "sum (delta) in By, sum (unspecified), gauge, and 20001 more");
        (metric.others, metric.more_forms) = (Vec::new(), 0);
        assert_eq!(also(&metric), "–");
    }

    #[test]
    fn groups_are_a_column_where_something_is_told_apart() {
        let step = |values: &[Option<f64>]| wire::MetricStepView { start: "then".to_owned(), values: values.to_vec() };
        let group = |value: Option<&str>| wire::MetricGroupView {
            value: value.map(str::to_owned),
            steps: vec![step(&[Some(1.0), None])],
        };
        let mut found = wire::MetricSeriesView {
            name: "tokens".to_owned(),
            form: None,
            others: Vec::new(),
            more_forms: 0,
            from: String::new(),
            to: String::new(),
            step_ms: 1,
            by: Some("region".to_owned()),
            measures: vec!["increase".to_owned(), "rate".to_owned()],
            note: None,
            groups: vec![group(Some("eu")), group(None)],
            more: false,
            attributes: Vec::new(),
            points: 2,
        };
        assert_eq!(rows(&found), [["then", "eu", "1", "–"], ["then", "–", "1", "–"]]);
        found.by = None;
        assert_eq!(rows(&found)[0], ["then", "1", "–"]);
    }
}
