//! Where a monitor stands, and what has to be remembered between two evaluations.

use mainspring_kernel::Timestamp;
use mainspring_statistics::{
    Interval,
    drift::{CategoryDrift, NumericDrift},
    embedding::{GrowthReport, MeanDifference},
    sequential::RateDetector,
};
use serde::{Deserialize, Serialize};

use crate::stretch::Stretch;

/// The later ones weigh more: a monitor is where the worst of its slices is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ok,
    /// There is something, and not enough to say anything: of it, or of what it is compared with.
    Warming,
    /// There is nothing to measure. That is not well: what should report may be dead.
    Missing,
    Firing,
}

impl State {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warming => "warming",
            Self::Missing => "missing",
            Self::Firing => "firing",
        }
    }
}

/// Where a monitor stands by what its last look found. Of what could not be looked at since nobody knows whether it is well, and
/// what has fired goes on.
pub(crate) fn stands(found: State, in_trouble: bool) -> State {
    if in_trouble && found != State::Firing { State::Missing } else { found }
}

/// What one look says, before it is weighed with those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Within,
    TooFew,
    Missing,
    Over,
}

/// What a look saw, for whoever wants to know why.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// How much was measured.
    pub count: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Whether it is reckoned from a sample: some of what was measured stands for what was not kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    /// Where the value, or its difference from the reference, surely lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// Where the value itself surely lies, where `interval` is of a difference: of the rate of a slice beside all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_interval: Option<Interval>,
    /// What it may not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// Of an error budget, the pair of windows that the value and its limit are of: the long one and the short one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<(Stretch, Stretch)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_count: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// The logarithm of the evidence of a sequential test, and of what it takes to fire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<(f64, f64)>,
    /// A distribution moved by as much as matters, and so little was measured that it may be chance.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub chance: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Box<Drift>>,
    /// What moved most within a distribution comes first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<Moved>,
    /// The releases that were compared: the newest and the one it is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub releases: Option<(String, String)>,
}

/// How a distribution moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    Numbers(NumericDrift),
    Categories(CategoryDrift),
    Topics {
        mean: MeanDifference,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        growth: Option<GrowthReport>,
    },
}

/// A part of a distribution, and the shares that it had and has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    pub what: Portion,
    pub before: f64,
    pub after: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Portion {
    /// Empty: what has no value.
    Category(String),
    /// The words that tell it from other topics.
    Topic(Vec<String>),
    /// Texts that are like no topic.
    Unlike,
    Numbers {
        from: f64,
        to: f64,
    },
}

/// What one evaluation found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    pub at: Timestamp,
    pub state: State,
    pub slices: Vec<SliceEvaluation>,
    /// What the next evaluation is given.
    pub history: History,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SliceEvaluation {
    /// Absent where everything is watched together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    pub state: State,
    /// The state before this evaluation; absent for a slice nobody has seen before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<State>,
    /// Since when it has been in this state.
    pub since: Timestamp,
    pub figures: Figures,
}

/// What a monitor remembers. Empty for a new one, and for one whose spec changed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct History {
    pub(crate) slices: Vec<Remembered>,
    /// Up to where a sequential test has looked: nothing is counted twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) looked_until: Option<Timestamp>,
    /// Since when nobody could look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) blind_since: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) slice: Option<String>,
    pub(crate) state: State,
    pub(crate) since: Timestamp,
    /// It has fired, and has not been well for long enough since.
    pub(crate) open: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) over_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) well_since: Option<Timestamp>,
    /// When there was something to measure last.
    pub(crate) seen: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) detector: Option<RateDetector>,
}

impl History {
    pub(crate) fn of(&self, slice: Option<&str>) -> Option<&Remembered> {
        self.slices.iter().find(|remembered| remembered.slice.as_deref() == slice)
    }

    /// Whether a slice has fired and is not over.
    #[must_use]
    pub fn is_open(&self, slice: Option<&str>) -> bool {
        self.of(slice).is_some_and(|remembered| remembered.open)
    }

    /// Whether the last look at a slice found it wrong by itself, whatever those before it said.
    pub(crate) fn is_wrong(&self, slice: Option<&str>) -> bool {
        self.of(slice).is_some_and(|remembered| remembered.over_since.is_some())
    }

    /// Whether a slice is about to fire, or to be over, if it goes on as it is.
    pub(crate) fn unsettled(&self) -> bool {
        let turning = |slice: &Remembered| if slice.open { slice.well_since.is_some() } else { slice.over_since.is_some() };
        self.slices.iter().any(turning)
    }
}
