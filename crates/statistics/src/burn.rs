//! How fast an error budget is used up: multi-window burn rates as in "The Site Reliability Workbook" (Beyer and others,
//! 2018, chapter 5).

use serde::{Deserialize, Serialize};

/// How many times faster than allowed errors come: 1 uses the budget up exactly at the end of its period. Nothing
/// where nothing was counted or nothing may fail.
#[must_use]
pub fn burn_rate(bad: u64, all: u64, objective: f64) -> Option<f64> {
    let budget = 1.0 - objective;
    (all > 0 && budget > 0.0 && budget <= 1.0).then(|| bad.min(all) as f64 / all as f64 / budget)
}

/// The burn rate that uses this share of the budget within a window. 2 % of 30 days in an hour: 14.4.
#[must_use]
pub fn burn_limit(share: f64, window: f64, period: f64) -> f64 {
    share * period / window
}

/// A long window, that says it matters, and a short one, that says it still goes on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BurnRule {
    /// In any unit of time, the same for both.
    pub long: f64,
    pub short: f64,
    pub limit: f64,
}

/// The three rules the book recommends for a budget of 30 days, in hours: 2 % in one hour, 5 % in six, 10 % in three days.
pub const RECOMMENDED: [BurnRule; 3] = [
    BurnRule { long: 1.0, short: 1.0 / 12.0, limit: 14.4 },
    BurnRule { long: 6.0, short: 0.5, limit: 6.0 },
    BurnRule { long: 72.0, short: 6.0, limit: 1.0 },
];

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Burn {
    Within,
    Over,
    /// A window has nothing in it.
    Missing,
}

impl BurnRule {
    /// How fast the budget is used up in both windows: in the one in which it is slower. `counted` gives the bad and all of the
    /// last stretch of time of a length. Nothing where a window has nothing in it.
    pub fn rate(&self, objective: f64, mut counted: impl FnMut(f64) -> (u64, u64)) -> Option<f64> {
        let mut rate = |window: f64| {
            let (bad, all) = counted(window);
            burn_rate(bad, all, objective)
        };
        let (long, short) = (rate(self.long)?, rate(self.short)?);
        Some(long.min(short))
    }

    /// The same, held against the limit.
    pub fn check(&self, objective: f64, counted: impl FnMut(f64) -> (u64, u64)) -> Burn {
        match self.rate(objective, counted) {
            Some(rate) if rate >= self.limit => Burn::Over,
            Some(_) => Burn::Within,
            None => Burn::Missing,
        }
    }
}
