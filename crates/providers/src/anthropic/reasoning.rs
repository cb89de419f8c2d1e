//! How much to think, in the words that a model takes.
//!
//! Models before 4.6 think within a number of tokens, later ones as much as a level of effort says, and some not at all. A
//! wish comes in either form:
//!
//! | effort | tokens | level |
//! |---|---|---|
//! | `none` | off | off |
//! | `minimal` | 1,024 | `low` |
//! | `low` | 2,048 | `low` |
//! | `medium` | 8,192 | `medium` |
//! | `high` | 16,384 | `high` |
//! | `xhigh` | 24,576 | `xhigh`, before 4.7 `high` |
//! | `max` | 32,768 | `max` |
//!
//! Tokens become the smallest effort that grants them.

use mainspring_llm::exchange::ReasoningWanted;

/// Fewer are refused.
pub(crate) const BUDGET_MIN: u32 = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Does not think.
    Never,
    /// Within a number of tokens.
    Budget,
    /// Either way.
    Either,
    /// As much as the effort says.
    Adaptive,
}

/// What a model's name says of what it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ability {
    pub(super) style: Style,
    /// Takes `temperature`, `top_p` and `top_k`.
    pub(crate) sampling: bool,
    /// Takes `temperature` and `top_p` together.
    pub(crate) both: bool,
    /// Knows the effort `xhigh`.
    xhigh: bool,
}

impl Ability {
    /// Other makers' models behind this dialect are taken for models that do everything in the older way.
    pub(crate) fn of(model: &str) -> Self {
        if !model.contains("claude") {
            return Self { style: Style::Budget, sampling: true, both: true, xhigh: false };
        }
        // A name without a version is newer than any of them.
        let version = version(model).unwrap_or((u32::MAX, 0));
        let style = match version {
            before if before < (3, 7) => Style::Never,
            before if before < (4, 6) => Style::Budget,
            (4, 6) => Style::Either,
            _ => Style::Adaptive,
        };
        Self { style, sampling: version < (4, 7), both: version < (4, 1), xhigh: version >= (4, 7) }
    }
}

/// `claude-3-7-sonnet-20250219` is 3.7, `claude-opus-4-20250514` is 4.0.
fn version(model: &str) -> Option<(u32, u32)> {
    let (_, name) = model.split_once("claude")?;
    let short = |word: &&str| (1..=2).contains(&word.len());
    let mut numbers = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(short).filter_map(|word| word.parse::<u32>().ok());
    let major = numbers.next()?;
    Some((major, numbers.next().unwrap_or(0)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Effort {
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
    Max,
}

impl Effort {
    const ALL: [Self; 6] = [Self::Minimal, Self::Low, Self::Medium, Self::High, Self::XHigh, Self::Max];

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effort| effort.name() == word)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    const fn tokens(self) -> u32 {
        match self {
            Self::Minimal => BUDGET_MIN,
            Self::Low => 2048,
            Self::Medium => 8192,
            Self::High => 16_384,
            Self::XHigh => 24_576,
            Self::Max => 32_768,
        }
    }

    fn granting(tokens: u32) -> Self {
        Self::ALL.into_iter().find(|effort| effort.tokens() >= tokens).unwrap_or(Self::Max)
    }

    const fn level(self, ability: Ability) -> &'static str {
        match self {
            Self::Minimal => "low",
            Self::XHigh if !ability.xhigh => "high",
            other => other.name(),
        }
    }
}

/// What is asked of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Nothing: without being asked, a model does not think.
    Off,
    /// The wish cannot be met, and why.
    Cannot(&'static str),
    Adaptive(Option<&'static str>),
    /// `said`: in tokens by the client itself.
    Budget {
        tokens: u32,
        said: bool,
    },
}

pub(crate) fn plan(model: &str, wanted: &ReasoningWanted) -> Plan {
    let ability = Ability::of(model);
    let effort = match (wanted.effort.as_deref(), wanted.budget_tokens) {
        (_, Some(0)) | (Some("none"), None) => return Plan::Off,
        _ if ability.style == Style::Never => return Plan::Cannot("this model does not think"),
        (_, Some(tokens)) if ability.style != Style::Adaptive => return Plan::Budget { tokens, said: true },
        (_, Some(tokens)) => Some(Effort::granting(tokens)),
        (Some(word), None) => match Effort::parse(word) {
            Some(effort) => Some(effort),
            None => return Plan::Cannot("there is no such effort"),
        },
        (None, None) => None,
    };
    if ability.style == Style::Budget {
        return Plan::Budget { tokens: effort.unwrap_or(Effort::Medium).tokens(), said: false };
    }
    Plan::Adaptive(effort.map(|effort| effort.level(ability)))
}
