//! Where a slice stands, as a sentence: for alerts, lists and the page.

use std::fmt::Write as _;

use mainspring_kernel::{
    figure::{amount, number, share},
    text::{TOPIC, elide},
};

use crate::{
    budget,
    metric::MetricMeasure,
    spec::{Budget, Compare, Measure, MonitorSpec, Test, Threshold},
    state::{Figures, Moved, Portion, SliceEvaluation, State},
};

/// A filter in a sentence is no longer than this.
const FILTER_MAX: usize = 80;

/// One sentence without a full stop.
#[must_use]
pub fn sentence(spec: &MonitorSpec, slice: &SliceEvaluation) -> String {
    let figures = &slice.figures;
    let of = slice.slice.as_ref().map(|value| format!("{} {}: ", spec.slices.as_deref().unwrap_or("slice"), elide(value, 80)));
    let mut text = of.unwrap_or_default();
    match slice.state {
        State::Missing => {
            let _ = write!(text, "there is nothing to measure in {}", budget::window(spec, figures));
        }
        State::Warming => {
            text.push_str(&lacking(spec, figures));
        }
        State::Ok | State::Firing => {
            text.push_str(&measured(spec, figures));
            if figures.value.is_none() {
                let _ = write!(text, ": whether it goes on cannot be said: {}", lacking(spec, figures));
            }
        }
    }
    text
}

/// What there is too little of: what came, or what it is compared with.
fn lacking(spec: &MonitorSpec, figures: &Figures) -> String {
    let Figures { count, reference_count, .. } = *figures;
    if let Compare::Release(rule) = &spec.compare {
        match (&figures.releases, &rule.baseline) {
            (None, None) => return "there is no release before the newest to compare with".to_owned(),
            (None, Some(name)) => return format!("there is no release {} before the newest to compare with", elide(name, 80)),
            // A fixed test looks at whole windows only.
            (Some((newest, _)), _) if count == 0 && rule.test == Test::Fixed => {
                return format!("the first {} of {} are not over", spec.window, elide(newest, 80));
            }
            _ => {}
        }
    }
    // Counts are compared whatever they are.
    let few = |count: u64| count < spec.minimum && spec.measure != Measure::Count;
    match reference_count {
        _ if count == 0 => "nothing came so far".to_owned(),
        Some(0) => format!("{} there was nothing to compare with", before(&spec.compare, figures)),
        _ if few(count) => format!("{count} so far, of {} that it takes to say anything", spec.minimum),
        Some(reference) if few(reference) => {
            let before = before(&spec.compare, figures);
            format!("{before} there were only {reference}, of {} that it takes to compare", spec.minimum)
        }
        _ => format!("{count} came, and nothing can be said of them yet"),
    }
}

fn measured(spec: &MonitorSpec, figures: &Figures) -> String {
    let mut text = measure(&spec.measure);
    let compared = matches!(spec.compare, Compare::Previous(_) | Compare::Release(_) | Compare::Rest(_));
    if let Compare::Budget(Budget { objective }) = spec.compare {
        if let Some(rate) = figures.value {
            let (rate, limit) = (number(rate), number(figures.limit.unwrap_or_default()));
            let _ = write!(text, " uses the error budget of {} up {rate} times as fast as it may", share(1.0 - objective));
            if let Some((long, short)) = figures.windows {
                let _ = write!(text, " over {long} and over {short}, not to be {limit} or more");
            }
        }
        return text;
    }
    if spec.measure.drifts() {
        if let Some(value) = figures.value {
            let _ = write!(text, " moved by {}", number(value));
        }
        if let Some(limit) = figures.limit {
            let _ = write!(text, ", of {} that matter", number(limit));
        }
        if figures.chance {
            text.push_str(", which may be chance");
        }
        let matters = figures.value.zip(figures.limit).is_some_and(|(value, limit)| value >= limit);
        if let Some(most) = figures.moved.first().filter(|_| matters) {
            let _ = write!(text, "; most of all {}", shift(most, &spec.measure));
        }
        return text;
    }
    if let (Some(field), Compare::Threshold(limits), Some(value), Some(limit)) =
        (spread(&spec.measure), &spec.compare, figures.value, figures.limit)
        && limits.test == Test::Sequential
    {
        // It counts what is beyond the limit.
        let (side, bound) = limits.above.map_or(("below", limits.below), |above| ("above", Some(above)));
        let (bound, value, limit) = (value_of(&spec.measure, bound.unwrap_or_default()), share(value), share(limit));
        return format!("{value} of {} have a {field} {side} {bound}, and {limit} may", figures.count);
    }
    let shown = |value: f64| value_of(&spec.measure, value);
    if let Some(value) = figures.value {
        let about = if figures.estimated { "about " } else { "" };
        let _ = write!(text, " is {about}{}", shown(in_words(spec, value)));
        if spec.measure != Measure::Count {
            let _ = write!(text, " ({} measured)", figures.count);
        }
    }
    if compared {
        if let Some(reference) = figures.reference {
            let _ = write!(text, ", against {} {}", shown(reference), before(&spec.compare, figures));
        }
        return text;
    }
    if let Compare::Threshold(Threshold { above, below, .. }) = &spec.compare {
        let limits = [above.map(|limit| ("above", limit)), below.map(|limit| ("below", limit))];
        for (word, limit) in limits.into_iter().flatten() {
            let _ = write!(text, ", not to be {word} {}", shown(limit));
        }
    }
    text
}

/// How a part of a distribution moved.
pub(crate) fn shift(moved: &Moved, measure: &Measure) -> String {
    format!("{} ({} before, {} now)", portion(&moved.what, Some(measure)), share(moved.before), share(moved.after))
}

/// What a part of a distribution is called. `measure`: of what it is, for the unit of numbers.
#[must_use]
pub fn portion(of: &Portion, measure: Option<&Measure>) -> String {
    let unit = measure.map_or("", unit);
    match of {
        Portion::Category(name) if name.is_empty() => "what has no value".to_owned(),
        Portion::Category(name) => elide(name, 80),
        Portion::Topic(words) if words.is_empty() => "a topic that no words tell apart".to_owned(),
        Portion::Topic(words) => format!("{TOPIC}{}", words.join(", ")),
        Portion::Unlike => "what is like no topic".to_owned(),
        Portion::Numbers { from, to } if number(*from) == number(*to) => format!("about {}", amount(*from, unit)),
        Portion::Numbers { from, to } => format!("from {} to {}", amount(*from, unit), amount(*to, unit)),
    }
}

/// A sequential test counts what goes against a limit; people are told of the rate that they asked for.
fn in_words(spec: &MonitorSpec, value: f64) -> f64 {
    let Compare::Threshold(limits) = &spec.compare else { return value };
    let inverse = limits.test == Test::Sequential && limits.above.is_none();
    if inverse && matches!(spec.measure, Measure::Rate { .. }) { 1.0 - value } else { value }
}

fn before(compare: &Compare, figures: &Figures) -> String {
    match (compare, &figures.releases) {
        (Compare::Release(_), Some((_, baseline))) => format!("of {}", elide(baseline, 80)),
        (Compare::Rest(_), _) => "of all others".to_owned(),
        (Compare::Previous(previous), _) => match previous.back {
            Some(back) => format!("{back} before"),
            None => "in the window before".to_owned(),
        },
        _ => "before".to_owned(),
    }
}

/// What it is a percentile of.
fn spread(measure: &Measure) -> Option<&str> {
    match measure {
        Measure::Percentile { field, .. } => Some(field),
        Measure::Metric(metric) => metric.share().map(|_| metric.name.as_str()),
        _ => None,
    }
}

/// What is measured.
fn measure(measure: &Measure) -> String {
    match measure {
        Measure::Count => "the number".to_owned(),
        Measure::Rate { hits } => format!("the share with {}", elide(hits, FILTER_MAX)),
        Measure::Sum { field } => format!("the sum of {field}"),
        Measure::Mean { field } => format!("the mean of {field}"),
        Measure::Percentile { field, at } => format!("the percentile {} of {field}", number(at * 100.0)),
        Measure::Numbers { field } | Measure::Categories { field } | Measure::Topics { field } => {
            format!("the distribution of {field}")
        }
        Measure::Metric(metric) => of_metric(metric),
    }
}

fn of_metric(metric: &MetricMeasure) -> String {
    let MetricMeasure { name, value, attributes, .. } = metric;
    let what = match value.as_str() {
        "last" => "last value",
        "min" => "least value",
        "max" => "greatest value",
        other => other,
    };
    let mut text = format!("the {what} of {}", elide(name, FILTER_MAX));
    let parts: Vec<String> = attributes.iter().map(|(name, values)| format!("{name} {}", values.join(" or "))).collect();
    if !parts.is_empty() {
        let _ = write!(text, " with {}", elide(&parts.join(" and "), FILTER_MAX));
    }
    text
}

fn value_of(measure: &Measure, value: f64) -> String {
    amount(value, unit(measure))
}

/// What a figure of it is of, as `amount` takes it; empty: nobody knows, or a plain number.
fn unit(measure: &Measure) -> &str {
    match measure {
        Measure::Rate { .. } => "share",
        Measure::Sum { field } | Measure::Mean { field } | Measure::Percentile { field, .. } | Measure::Numbers { field } => {
            match field.as_str() {
                "duration" | "first_token" => "s",
                "cost" => "$",
                _ => "",
            }
        }
        Measure::Metric(metric) => of_points(metric),
        Measure::Count | Measure::Categories { .. } | Measure::Topics { .. } => "",
    }
}

/// How often something came, and how fast it grows, is not in the unit of its points. `1` is none, and what stands in braces is
/// a word. Words by which `amount` makes percent of a figure are of shares that are measured here.
fn of_points(metric: &MetricMeasure) -> &str {
    match metric.unit.as_deref() {
        None | Some("1") => "",
        Some(_) if matches!(metric.value.as_str(), "count" | "rate") => "",
        Some(unit) => match unit.trim_start_matches('{').trim_end_matches('}') {
            "share" | "points" => "",
            unit => unit,
        },
    }
}

/// What the figures of a look are of, which need not be what is measured: it may be how fast that comes, how far it moved, or how
/// much of it is beyond a limit.
pub(crate) fn unit_of_figures(spec: &MonitorSpec) -> &str {
    match &spec.compare {
        Compare::Budget(_) => "times",
        _ if spec.measure.drifts() => "",
        Compare::Threshold(limits) if limits.test == Test::Sequential && spread(&spec.measure).is_some() => "share",
        _ => unit(&spec.measure),
    }
}
