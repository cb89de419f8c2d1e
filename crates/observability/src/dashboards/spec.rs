//! What people write of a dashboard.

use std::collections::HashSet;

use mainspring_kernel::{AssetKind, text::did_you_mean};
use mainspring_registry::{KindDescriptor, ParsedSpec, SpecFault, SpecProblem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    filter::SpanFilter,
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

/// One chart, number or table. Exactly one of `measures` and `sql` is given.
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
    /// What is measured, of one unit: `duration_p50`, `duration_p95`, or of scores: `score.helpful.mean`.
    /// `docs/guides/traces.md` lists the measures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measures: Vec<String>,
    /// Which spans are measured, in the language of filters: `entry and app = desk`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub filter: String,
    /// A field whose values are shown apart, such as `model`, or an attribute as in filters: `attributes["region"]`. Absent:
    /// whatever the reader chooses. Of scores a field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// A question in SQL, about the time that is looked at. `$bucket` stands for a length of time in microseconds that gives a
    /// chart about sixty points; lines and bars want a column `start`, in microseconds, and numbers beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// What the numbers are. Measures know theirs, but for those of scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<PanelUnit>,
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
    #[must_use]
    pub fn unit(&self) -> PanelUnit {
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
        if self.measures.len() > MEASURES_MAX {
            add(".measures", format!("are {MEASURES_MAX} at most"));
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
        if self.measures.iter().collect::<HashSet<_>>().len() < self.measures.len() {
            add(".measures", "name one twice".to_owned());
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
