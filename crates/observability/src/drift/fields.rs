//! Which fields are looked at, and of which spans.

use mainspring_kernel::text::{did_you_mean, elide};
use mainspring_lake::Filter;
use mainspring_llm::trace::names;

use super::sketch::Sketch;
use crate::{
    fault::TraceFault,
    filter::{FIELDS, FieldKind, known},
    scores::{field_of, score_field},
};

/// Fields of which sketches are kept for every hour.
pub(crate) const KEPT: [&str; 11] = [
    "model",
    "app",
    "provider",
    "status",
    "error_type",
    FINISH,
    "duration",
    "first_token",
    "input_tokens",
    "output_tokens",
    "cost",
];
/// Not a column: it is read from the attributes.
const FINISH: &str = "finish_reason";
/// An attribute is asked for as in a filter: `attributes["key"]`.
const ATTRIBUTE: (&str, &str) = ("attributes[\"", "\"]");
const KEY_BYTES: usize = 200;
const ATTRIBUTES: &str = "attributes";

/// Not a column of spans either: what was said of them afterwards.
const SCORES: &str = "score";

/// How a field is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Numbers,
    Categories,
    /// The reason why a model ended.
    Finish,
    /// Numbers where all of its values are, otherwise categories.
    Attribute(String),
    /// The scores of a name: numbers, or categories where most of them are yes or no, or words.
    Score(String),
}

/// Of which spans of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    All,
    /// Those by which traces are entered: of each trace the first that has a value, since a request is one however many programs it
    /// went through.
    Entries,
    /// Those whose usage counts.
    Counted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) column: &'static str,
    pub(crate) kind: Kind,
    pub(crate) of: Of,
    /// What its numbers are told in, and how many of what is kept are one of it.
    pub(crate) unit: Option<(&'static str, i64)>,
}

impl Field {
    pub(crate) fn named(name: &str) -> Result<Self, TraceFault> {
        if name == FINISH {
            return Ok(Self { name: name.to_owned(), column: ATTRIBUTES, kind: Kind::Finish, of: Of::All, unit: None });
        }
        if let Some(key) = name.strip_prefix(ATTRIBUTE.0).and_then(|rest| rest.strip_suffix(ATTRIBUTE.1)) {
            if key.is_empty() || key.len() > KEY_BYTES {
                return Err(TraceFault::Question { reason: format!("the name of an attribute has 1 to {KEY_BYTES} bytes") });
            }
            let kind = Kind::Attribute(key.to_owned());
            return Ok(Self { name: name.to_owned(), column: ATTRIBUTES, kind, of: Of::All, unit: None });
        }
        if let Some(score) = score_field(name)? {
            return Ok(Self::score(score));
        }
        let usable = |kind| matches!(kind, FieldKind::Text | FieldKind::Number | FieldKind::Duration | FieldKind::Money);
        let all = || FIELDS.iter().filter(move |field| usable(field.kind) && !NEVER.contains(&field.name));
        let Some(field) = known(name).filter(|field| all().any(|usable| usable == *field)) else {
            let names = all().map(|field| field.name).chain([FINISH]);
            let reason = format!("the drift of `{}` cannot be measured{}", elide(name, 40), did_you_mean(name, names));
            return Err(TraceFault::Question { reason });
        };
        let (kind, unit) = match field.kind {
            FieldKind::Duration => (Kind::Numbers, Some(("ms", 1_000))),
            FieldKind::Money => (Kind::Numbers, Some(("dollars", 1_000_000_000))),
            FieldKind::Number => (Kind::Numbers, Some(("tokens", 1))),
            _ => (Kind::Categories, None),
        };
        let of = match field.name {
            "app" | "status" | "duration" => Of::Entries,
            _ if matches!(field.kind, FieldKind::Number | FieldKind::Money) => Of::Counted,
            _ => Of::All,
        };
        Ok(Self { name: name.to_owned(), column: field.column, kind, of, unit })
    }

    pub(crate) fn score(name: String) -> Self {
        Self { name: field_of(&name), column: SCORES, kind: Kind::Score(name), of: Of::All, unit: None }
    }

    /// The name of the score that it is.
    pub(crate) fn score_name(&self) -> Option<&str> {
        if let Kind::Score(name) = &self.kind { Some(name) } else { None }
    }

    /// The fields of spans that are kept.
    pub(crate) fn kept() -> Result<Vec<Self>, TraceFault> {
        KEPT.iter().map(|name| Self::named(name)).collect()
    }

    /// Whether the hours of spans keep it.
    pub(crate) fn is_kept(&self) -> bool {
        KEPT.contains(&self.name.as_str())
    }

    /// What requests are looked at by: each counts once.
    pub(crate) fn is_of_requests(&self) -> bool {
        self.of == Of::Entries
    }

    /// Where it is kept what a release adds to it of requests that another release had counted before.
    pub(crate) fn again(name: &str) -> String {
        format!("{name} (again)")
    }

    /// Whether whole attributes have to be read for it.
    pub(crate) fn is_inside(&self) -> bool {
        self.column == ATTRIBUTES
    }

    pub(crate) fn empty(&self) -> Sketch {
        match self.kind {
            Kind::Numbers | Kind::Score(_) => Sketch::Numbers(mainspring_statistics::Quantiles::default()),
            _ => Sketch::Categories(mainspring_statistics::Categories::default()),
        }
    }

    /// Spans that can have it at all; others are not read.
    pub(crate) fn within(&self) -> Filter {
        match &self.kind {
            Kind::Finish => Filter::eq("type", "chat"),
            _ => Filter::All,
        }
    }
}

/// Every span has another one, or a text of its own.
const NEVER: [&str; 6] = ["content", "trace", "span", "parent", "message", "session"];

/// Where senders say why a model ended.
pub(crate) const FINISHES: [&str; 5] = [
    names::FINISH,
    "gen_ai.response.finish_reason",
    "ai.response.finishReason",
    "llm.response.finish_reason",
    "gen_ai.finishReason",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kept_field_is_known_and_what_is_every_spans_own_is_refused() {
        let kept = Field::kept().unwrap();
        assert_eq!(kept.len(), KEPT.len());
        assert_eq!(kept.iter().filter(|field| field.is_inside()).map(|field| field.name.as_str()).collect::<Vec<_>>(), [FINISH]);
        let attribute = Field::named("attributes[\"shop.tier\"]").unwrap();
        assert_eq!((attribute.kind, attribute.column), (Kind::Attribute("shop.tier".into()), ATTRIBUTES));
        let score = Field::named("score['answer quality']").unwrap();
        assert_eq!((score.name.as_str(), score.score_name()), ("score[\"answer quality\"]", Some("answer quality")));
        assert!(!score.is_kept() && !score.is_inside());
        for refused in ["trace", "content", "start", "tag", "attributes[\"\"]", "attributes[\"x", "score.", ""] {
            assert!(matches!(Field::named(refused), Err(TraceFault::Question { .. })), "{refused}");
        }
        let Err(fault) = Field::named("modle") else { panic!("there is no such field") };
        assert!(fault.to_string().contains("`model`"), "{fault}");
    }
}
