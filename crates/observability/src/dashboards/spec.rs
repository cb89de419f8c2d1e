//! What people write of a dashboard.

use std::collections::{BTreeMap, HashSet};

use mainspring_kernel::{AssetKind, text::did_you_mean};
use mainspring_registry::{KindDescriptor, ParsedSpec, SpecFault, SpecProblem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    filter::SpanFilter,
    points::{Counting, MetricValue, PointKind, check_point_attribute},
    query::{Unit, check_group_field, measures, unit_of},
    scores::{OF_SCORES, ScoreMeasure, score_group},
};

const PANELS_MAX: usize = 40;
const TITLE_MAX: usize = 120;
const MEASURES_MAX: usize = 6;
const SQL_MAX: usize = 16 << 10;

/// Panels that are looked at together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DashboardSpec {
    /// What stands above it.
    pub title: String,
    /// In the order in which they are shown; 40 at most.
    pub panels: Vec<PanelSpec>,
}

/// One chart, number or table. Exactly one of `measures` and `sql` is given; with `metric`, `measures` are what is told of that
/// metric, and otherwise of spans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PanelSpec {
    /// Different for every panel.
    pub title: String,
    /// A line on what it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default)]
    pub chart: ChartKind,
    /// A metric that programs send, in place of spans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<PanelMetric>,
    /// What is measured, of one unit: `duration_p50`, `duration_p95`, or of scores: `score.helpful.mean`.
    /// `docs/guides/traces.md` lists the measures. Of a metric: `rate`, `increase`, `last`, `p95`; `docs/guides/metrics.md`
    /// lists them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measures: Vec<String>,
    /// Which spans are measured, in the language of filters: `entry and app = desk`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub filter: String,
    /// A field whose values are shown apart, such as `model`, or an attribute as in filters: `attributes["region"]`. Absent:
    /// whatever the reader chooses. Of scores a field. Of a metric an attribute of its points, `region`; absent: all together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// A question in SQL, about the time that is looked at. `$bucket` stands for a length of time in microseconds that gives a
    /// chart about sixty points; lines and bars want a column `start`, in microseconds, and numbers beside it. Texts beside it
    /// tell lines apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// What the numbers are. Measures know theirs, but for those of scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<PanelUnit>,
}

/// Which metric a panel shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PanelMetric {
    /// As its programs call it: `shop.orders`.
    pub name: String,
    /// Which of what is sent under the name, where it is sent in several kinds; absent: what was sent last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<PointKind>,
    /// The same, where it is sent in several units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The same, where sums that never fall are sent, and others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monotonic: Option<bool>,
    /// Only points that count so: since their program began, since the one before, or as nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporality: Option<Counting>,
    /// Only points that have one of these values under each of these names: `region: [eu, us]`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Vec<String>>,
}

impl PanelMetric {
    /// Everything that is wrong with it, by place.
    fn validate(&self, panel: &PanelSpec, add: &mut impl FnMut(&str, String)) {
        if self.name.trim().is_empty() {
            add(".metric.name", "is empty".to_owned());
        }
        if self.monotonic.is_some() && self.kind.is_some_and(|kind| kind != PointKind::Sum) {
            add(".metric.monotonic", "is of sums; leave it out".to_owned());
        }
        for (name, values) in &self.attributes {
            if let Err(fault) = check_point_attribute(name) {
                add(".metric.attributes", fault.to_string());
            }
            if values.is_empty() {
                add(".metric.attributes", format!("`{name}` has no value"));
            }
        }
        if panel.measures.is_empty() || panel.sql.is_some() {
            add("", "give `measures` of the metric, such as `rate` or `p95`, and no `sql`".to_owned());
        }
        let values: Vec<_> = panel.measures.iter().map(|name| MetricValue::read(name)).collect();
        for (which, value) in values.iter().enumerate() {
            match (value, self.kind) {
                (Err(fault), _) => add(&format!(".measures[{which}]"), fault.to_string()),
                (Ok(value), Some(kind)) if !value.may_be_of(kind) => {
                    add(&format!(".measures[{which}]"), format!("there is no {value} of a {}", kind.as_str()));
                }
                (Ok(_), _) => {}
            }
        }
        if values.windows(2).any(|two| matches!(two, [Ok(one), Ok(other)] if !one.is_beside(*other))) {
            add(".measures", "are of different units; give each a panel of its own".to_owned());
        }
        if !panel.filter.is_empty() {
            add(".filter", "is of spans: name attributes of the points under `metric.attributes`".to_owned());
        }
        if panel.unit.is_some() {
            add(".unit", "is the metric's own; leave it out".to_owned());
        }
        if let Some(Err(fault)) = panel.by.as_deref().map(check_point_attribute) {
            add(".by", fault.to_string());
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChartKind {
    /// Over time.
    #[default]
    Line,
    /// Over time.
    Bar,
    /// Of all the time that is looked at.
    Number,
    /// Of all the time that is looked at.
    Table,
}

impl ChartKind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Bar => "bar",
            Self::Number => "number",
            Self::Table => "table",
        }
    }

    /// Whether it shows how something went.
    #[must_use]
    pub const fn is_over_time(self) -> bool {
        matches!(self, Self::Line | Self::Bar)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PanelUnit {
    #[default]
    Count,
    /// Between nought and one.
    Share,
    Milliseconds,
    Dollars,
}

impl PanelUnit {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Share => "share",
            Self::Milliseconds => "milliseconds",
            Self::Dollars => "dollars",
        }
    }

    const fn of(unit: Unit) -> Self {
        match unit {
            Unit::Count => Self::Count,
            Unit::Share => Self::Share,
            Unit::Time => Self::Milliseconds,
            Unit::Money => Self::Dollars,
        }
    }
}

/// What the numbers of a measure are; of scores whoever gives them knows.
fn unit(measure: &str) -> Result<Option<Unit>, String> {
    if ScoreMeasure::read(measure).map_err(|fault| fault.to_string())?.is_some() {
        return Ok(None);
    }
    let unknown = || format!("there is no measure `{measure}`{}", did_you_mean(measure, measures()));
    unit_of(measure).map(Some).ok_or_else(unknown)
}

impl PanelSpec {
    /// Of a metric its own unit says more.
    #[must_use]
    pub fn unit(&self) -> PanelUnit {
        if self.metric.is_some() {
            return PanelUnit::default();
        }
        let measured = self.measures.first().and_then(|name| unit_of(name)).map(PanelUnit::of);
        measured.or(self.unit).unwrap_or_default()
    }

    /// Everything that is wrong with it, by place.
    fn validate(&self, at: usize, problems: &mut Vec<SpecProblem>) {
        let mut add = |field: &str, message: String| {
            problems.push(SpecProblem { path: format!("panels[{at}]{field}"), message, unknown_field: false });
        };
        if self.title.trim().is_empty() || self.title.chars().count() > TITLE_MAX {
            add(".title", format!("is a text of 1 to {TITLE_MAX} characters"));
        }
        if self.measures.len() > MEASURES_MAX {
            add(".measures", format!("are {MEASURES_MAX} at most"));
        }
        if self.measures.iter().collect::<HashSet<_>>().len() < self.measures.len() {
            add(".measures", "name one twice".to_owned());
        }
        match &self.metric {
            Some(metric) => metric.validate(self, &mut add),
            None => self.of_spans(&mut add),
        }
    }

    /// What is wrong with it where it is about spans, or asks in SQL.
    fn of_spans(&self, add: &mut impl FnMut(&str, String)) {
        if self.measures.is_empty() == self.sql.is_none() {
            add("", "give exactly one of `measures` and `sql`".to_owned());
        }
        if let Some(sql) = &self.sql {
            if sql.trim().is_empty() || sql.len() > SQL_MAX {
                add(".sql", format!("is a text of 1 to {SQL_MAX} bytes"));
            }
            if !self.filter.is_empty() || self.by.is_some() {
                add("", "`filter` and `by` stand beside `measures`; SQL says both itself".to_owned());
            }
        }
        let units: Vec<Result<Option<Unit>, String>> = self.measures.iter().map(|name| unit(name)).collect();
        for (which, unit) in units.iter().enumerate() {
            if let Err(problem) = unit {
                add(&format!(".measures[{which}]"), problem.clone());
            }
        }
        if units.windows(2).any(|two| matches!(two, [Ok(one), Ok(other)] if one != other)) {
            add(".measures", "are of different units; give each a panel of its own".to_owned());
        }
        if let (Some(unit), Some(Ok(Some(first)))) = (self.unit, units.first())
            && unit != PanelUnit::of(*first)
        {
            add(".unit", format!("is `{}` for these measures; leave it out", PanelUnit::of(*first).as_str()));
        }
        if let Err(fault) = self.filter.parse::<SpanFilter>() {
            add(".filter", fault.to_string());
        }
        let of_scores = self.measures.iter().any(|name| name.starts_with(OF_SCORES));
        let check = |by: &str| if of_scores { score_group(by).map(drop) } else { check_group_field(by) };
        if let Some(Err(fault)) = self.by.as_deref().map(check) {
            add(".by", fault.to_string());
        }
    }
}

impl DashboardSpec {
    fn validate(&self) -> Result<(), SpecFault> {
        let mut problems = Vec::new();
        let mut add = |path: &str, message: String| {
            problems.push(SpecProblem { path: path.to_owned(), message, unknown_field: false });
        };
        if self.title.trim().is_empty() || self.title.chars().count() > TITLE_MAX {
            add("title", format!("is a text of 1 to {TITLE_MAX} characters"));
        }
        if self.panels.is_empty() || self.panels.len() > PANELS_MAX {
            add("panels", format!("are 1 to {PANELS_MAX}"));
        }
        if self.panels.iter().map(|panel| &panel.title).collect::<HashSet<_>>().len() < self.panels.len() {
            add("panels", "two have the same title".to_owned());
        }
        for (at, panel) in self.panels.iter().enumerate() {
            panel.validate(at, &mut problems);
        }
        if problems.is_empty() { Ok(()) } else { Err(SpecFault { problems }) }
    }
}

/// How the registry reads a dashboard.
#[must_use]
pub fn descriptor() -> KindDescriptor {
    KindDescriptor { kind: AssetKind::Dashboard, schema: || schemars::schema_for!(DashboardSpec).to_value(), parse }
}

fn parse(value: &Value) -> Result<ParsedSpec, SpecFault> {
    let spec: DashboardSpec = SpecFault::read(value)?;
    spec.validate()?;
    ParsedSpec::of(&spec, Vec::new())
}

#[cfg(test)]
#[path = "../tests/dashboards.rs"]
mod tests;
