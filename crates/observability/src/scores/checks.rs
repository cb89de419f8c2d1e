//! Scores as others give them, and what makes one of ours of them.

use std::time::Duration;

use mainspring_kernel::{
    Timestamp,
    id::{ProjectId, ScoreId},
    text::elide,
};
use mainspring_llm::{SpanId, TraceId};
use serde_json::Value;

use super::{Score, ScoreKind, ScoreSource, ScoreValue, Scores};
use crate::{
    capture::{Capture, Found, Policy},
    fault::TraceFault,
};

/// The name of the score that feedback makes.
pub const FEEDBACK: &str = "feedback";
/// Bytes of ids, names, authors, and whatever else names something.
const NAME_MAX: usize = 200;
const SESSION_MAX: usize = 1_000;
const CATEGORY_MAX: usize = 500;
/// Characters of a category where no content is kept.
const WORD_MAX: usize = 64;
/// Bytes of a text or a comment, and of metadata as JSON.
const TEXT_MAX: usize = 16 << 10;
/// Clocks differ; by more than this one of them is wrong.
const AHEAD_MAX: Duration = Duration::from_secs(24 * 3600);

/// A score that nobody has looked at yet.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewScore {
    /// Made here where it is absent.
    pub id: Option<String>,
    pub name: String,
    /// Told by the value where it is absent.
    pub kind: Option<ScoreKind>,
    pub value: Value,
    pub comment: Option<String>,
    pub source: ScoreSource,
    pub trace: Option<String>,
    pub span: Option<String>,
    pub session: Option<String>,
    pub author: Option<String>,
    pub config: Option<String>,
    pub metadata: Option<Value>,
    /// The present where it is absent.
    pub time: Option<Timestamp>,
}

/// What somebody thought of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rating {
    Up,
    Down,
    /// 1 to 5.
    Stars(u8),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feedback {
    pub trace: String,
    pub rating: Rating,
    pub comment: Option<String>,
    pub user: Option<String>,
}

impl From<Feedback> for NewScore {
    /// Who changes their mind is heard: the last feedback of a user on a trace is the one that counts.
    fn from(Feedback { trace, rating, comment, user }: Feedback) -> Self {
        let value = match rating {
            Rating::Up => true.into(),
            Rating::Down => false.into(),
            Rating::Stars(stars) => stars.into(),
        };
        let id = user.as_ref().map(|user| named(&["feedback", &trace.to_lowercase(), user]));
        Self {
            id,
            name: FEEDBACK.to_owned(),
            value,
            comment,
            source: ScoreSource::UserFeedback,
            trace: Some(trace),
            author: user,
            ..Self::default()
        }
    }
}

/// An id made of what a score is about: whoever says it again says the same.
pub(super) fn named(parts: &[&str]) -> String {
    let digest = mainspring_kernel::Digest::of_parts(parts.iter().map(|part| part.as_bytes()));
    format!("scr_{}", &digest.hex()[..32])
}

fn wrong(reason: impl Into<String>) -> TraceFault {
    TraceFault::Score { reason: reason.into() }
}

impl Score {
    /// Why somebody cannot speak of what it is about: to them it is not there.
    #[must_use]
    pub fn unseen(&self) -> TraceFault {
        match (self.trace, &self.session) {
            (None, Some(session)) => TraceFault::NoSession { id: elide(session, 80) },
            (trace, _) => TraceFault::NotFound { id: trace.map(|trace| trace.to_string()).unwrap_or_default() },
        }
    }
}

impl Scores {
    /// A score as it is kept, or why it cannot be.
    pub fn check(&self, new: NewScore, project: ProjectId, now: Timestamp) -> Result<Score, TraceFault> {
        let score = checked(new, project, now)?;
        kept(self.policies.now().of(project), score)
    }
}

fn checked(new: NewScore, project: ProjectId, now: Timestamp) -> Result<Score, TraceFault> {
    let NewScore { id, name, kind, value, comment, source, trace, span, session, author, config, metadata, time } = new;
    if name.trim().is_empty() {
        return Err(wrong("a score has a `name`"));
    }
    let full = |text: Option<String>| text.filter(|text| !text.is_empty());
    let id = full(id).unwrap_or_else(|| ScoreId::new(now).to_string());
    let (trace, span, session) = (full(trace), full(span), full(session));
    let (comment, author, config) = (full(comment), full(author), full(config));
    let lengths = [
        ("id", Some(&id), NAME_MAX),
        ("name", Some(&name), NAME_MAX),
        ("session", session.as_ref(), SESSION_MAX),
        ("author", author.as_ref(), NAME_MAX),
        ("config", config.as_ref(), NAME_MAX),
        ("comment", comment.as_ref(), TEXT_MAX),
    ];
    if let Some((field, _, most)) = lengths.into_iter().find(|(_, text, most)| text.is_some_and(|text| text.len() > *most)) {
        return Err(wrong(format!("`{field}` has {most} bytes at most")));
    }
    let trace: Option<TraceId> = trace.map(|text| text.parse().map_err(|_| wrong("`trace` is 32 hex digits"))).transpose()?;
    let span: Option<SpanId> = span.map(|text| text.parse().map_err(|_| wrong("`span` is 16 hex digits"))).transpose()?;
    match (trace, span, &session) {
        (None, Some(_), _) => return Err(wrong("a score of a `span` names its `trace` too")),
        (None, None, None) => return Err(wrong("a score is about a `trace` or a `session`")),
        _ => {}
    }
    let metadata = metadata.filter(|metadata| !metadata.is_null());
    if metadata.as_ref().is_some_and(|metadata| metadata.to_string().len() > TEXT_MAX) {
        return Err(wrong(format!("`metadata` has {TEXT_MAX} bytes at most")));
    }
    let time = time.unwrap_or(now);
    if time.as_micros() <= 0 || time > now.plus(AHEAD_MAX) {
        return Err(wrong("`time` lies before 1970 or more than a day in the future"));
    }
    let value = valued(kind, value)?;
    Ok(Score { project, id, name, value, comment, source, trace, span, session, author, config, metadata, time })
}

fn valued(kind: Option<ScoreKind>, value: Value) -> Result<ScoreValue, TraceFault> {
    let told = match &value {
        Value::Number(_) => ScoreKind::Numeric,
        Value::Bool(_) => ScoreKind::Boolean,
        Value::String(_) => ScoreKind::Categorical,
        _ => return Err(wrong("`value` is a number, true or false, or a text")),
    };
    let kind = kind.unwrap_or(told);
    let unlike = || wrong(format!("`value` is not that of a {} score", kind.as_str()));
    match (kind, value) {
        (ScoreKind::Numeric, Value::Number(number)) => {
            let number = number.as_f64().filter(|number| number.is_finite());
            number.map(ScoreValue::Numeric).ok_or_else(unlike)
        }
        (ScoreKind::Boolean, Value::Bool(yes)) => Ok(ScoreValue::Boolean(yes)),
        // Some senders have no other way to say it.
        (ScoreKind::Boolean, Value::Number(number)) if number.as_f64() == Some(1.0) => Ok(ScoreValue::Boolean(true)),
        (ScoreKind::Boolean, Value::Number(number)) if number.as_f64() == Some(0.0) => Ok(ScoreValue::Boolean(false)),
        (ScoreKind::Categorical | ScoreKind::Text, Value::String(text)) if text.is_empty() => Err(wrong("`value` is empty")),
        (ScoreKind::Categorical, Value::String(text)) if text.len() > CATEGORY_MAX => {
            Err(wrong(format!("a category has {CATEGORY_MAX} bytes at most; longer texts are of the kind `text`")))
        }
        (ScoreKind::Categorical, Value::String(text)) => Ok(ScoreValue::Categorical(text)),
        (ScoreKind::Text, Value::String(text)) if text.len() > TEXT_MAX => {
            Err(wrong(format!("a text has {TEXT_MAX} bytes at most")))
        }
        (ScoreKind::Text, Value::String(text)) => Ok(ScoreValue::Text(text)),
        _ => Err(unlike()),
    }
}

/// What may be kept of it: comments and texts are what people wrote, and so may be any other words.
fn kept(policy: &Policy, mut score: Score) -> Result<Score, TraceFault> {
    if policy.capture == Capture::Full {
        return Ok(score);
    }
    let redacted = |text: String| policy.redactor.text(&text, &mut Found::default()).unwrap_or(text);
    score.value = match score.value {
        ScoreValue::Text(_) if policy.capture <= Capture::Metadata => {
            return Err(TraceFault::ScoreNotCaptured { reason: "no texts are kept here" });
        }
        ScoreValue::Text(text) => ScoreValue::Text(redacted(text)),
        ScoreValue::Categorical(text) if policy.capture <= Capture::Metadata => ScoreValue::Categorical(word(policy, text)?),
        ScoreValue::Categorical(text) => ScoreValue::Categorical(redacted(text)),
        value @ (ScoreValue::Numeric(_) | ScoreValue::Boolean(_)) => value,
    };
    score.comment = score.comment.filter(|_| policy.capture == Capture::Redacted).map(redacted);
    score.author = score.author.filter(|_| policy.capture != Capture::None).map(redacted);
    score.config = score.config.map(redacted);
    score.metadata = None;
    Ok(score)
}

/// A category where no content is kept. A sentence may say anything, and a word that is replaced would stand for any other.
fn word(policy: &Policy, text: String) -> Result<String, TraceFault> {
    if text.chars().count() > WORD_MAX {
        return Err(TraceFault::ScoreNotCaptured { reason: "a category is a word or two here, of 64 characters at most" });
    }
    match policy.redactor.text(&text, &mut Found::default()) {
        Some(_) => Err(TraceFault::ScoreNotCaptured { reason: "a category holds something that may not be kept here" }),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use mainspring_kernel::Fault as _;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn new(value: Value) -> NewScore {
        NewScore { name: "quality".into(), value, trace: Some("ab".repeat(16)), ..NewScore::default() }
    }

    fn check(new: NewScore) -> Result<Score, TraceFault> {
        checked(new, ProjectId::from_raw(7), NOW)
    }

    #[test]
    fn the_value_tells_its_kind_unless_the_sender_does() {
        assert_eq!(check(new(json!(3))).unwrap().value, ScoreValue::Numeric(3.0));
        assert_eq!(check(new(json!(false))).unwrap().value, ScoreValue::Boolean(false));
        assert_eq!(check(new(json!("good"))).unwrap().value, ScoreValue::Categorical("good".into()));
        let of = |kind, value| check(NewScore { kind: Some(kind), ..new(value) }).map(|score| score.value);
        assert_eq!(of(ScoreKind::Boolean, json!(1.0)).unwrap(), ScoreValue::Boolean(true));
        assert_eq!(of(ScoreKind::Text, json!("long")).unwrap(), ScoreValue::Text("long".into()));
        for (kind, value) in [
            (ScoreKind::Boolean, json!(0.5)),
            (ScoreKind::Numeric, json!("1")),
            (ScoreKind::Categorical, json!(1)),
            (ScoreKind::Categorical, json!("")),
            (ScoreKind::Text, json!(null)),
            (ScoreKind::Numeric, json!([1])),
        ] {
            assert!(of(kind, value.clone()).is_err(), "{kind:?} {value}");
        }
    }

    #[test]
    fn a_score_is_about_something_and_has_a_name_and_a_time() {
        let refused = |new: NewScore, what: &str| {
            let fault = check(new).unwrap_err().to_string();
            assert!(fault.contains(what), "{fault}");
        };
        refused(NewScore { name: " ".into(), ..new(json!(1)) }, "`name`");
        refused(NewScore { trace: None, ..new(json!(1)) }, "`trace` or a `session`");
        refused(NewScore { trace: Some("7".into()), ..new(json!(1)) }, "32 hex digits");
        refused(NewScore { trace: None, span: Some("ab".repeat(8)), ..new(json!(1)) }, "names its `trace`");
        refused(NewScore { comment: Some("x".repeat(TEXT_MAX + 1)), ..new(json!(1)) }, "`comment`");
        refused(NewScore { time: Some(NOW.plus(AHEAD_MAX * 2)), ..new(json!(1)) }, "`time`");
        let session = check(NewScore { trace: None, session: Some("s".into()), ..new(json!(1)) }).unwrap();
        assert_eq!((session.time, session.id.starts_with("scr_")), (NOW, true));
    }

    #[test]
    fn a_user_has_one_feedback_on_a_trace() {
        let of = |user: Option<&str>, rating| {
            let user = user.map(str::to_owned);
            check(Feedback { trace: "AB".repeat(16), rating, comment: None, user }.into()).unwrap()
        };
        let (up, down) = (of(Some("ada"), Rating::Up), of(Some("ada"), Rating::Down));
        assert_eq!((up.id == down.id, up.value, down.value), (true, ScoreValue::Boolean(true), ScoreValue::Boolean(false)));
        assert_ne!(down.id, of(Some("bob"), Rating::Up).id);
        assert_ne!(of(None, Rating::Stars(3)).id, of(None, Rating::Stars(3)).id, "nobody is not one person");
        assert_eq!(of(None, Rating::Stars(4)).value, ScoreValue::Numeric(4.0));
    }

    #[test]
    fn what_is_not_captured_of_traces_is_not_captured_of_scores() {
        let score =
            |value| check(NewScore { comment: Some("mail ada@example.org".into()), author: Some("ada".into()), ..new(value) });
        let redacted = kept(&Policy::of(Capture::Redacted), score(json!(1)).unwrap()).unwrap();
        assert!(!redacted.comment.unwrap().contains("ada@"));
        let bare = kept(&Policy::of(Capture::None), score(json!(1)).unwrap()).unwrap();
        assert_eq!((bare.comment, bare.author), (None, None));
        let text = check(NewScore { kind: Some(ScoreKind::Text), ..new(json!("words")) }).unwrap();
        assert!(kept(&Policy::of(Capture::Metadata), text).is_err());
    }

    #[test]
    fn categories_and_authors_are_words_like_any_other() {
        let score = |value: &str| {
            let (author, config) = (Some("ada@example.org".to_owned()), Some("of bob@example.org".to_owned()));
            check(NewScore { author, config, ..new(json!(value)) }).unwrap()
        };
        let told = "hello ada@example.org is angry";
        let full = kept(&Policy::of(Capture::Full), score(told)).unwrap();
        assert_eq!((full.value.text(), full.author.as_deref()), (Some(told), Some("ada@example.org")));
        let redacted = kept(&Policy::of(Capture::Redacted), score(told)).unwrap();
        assert_eq!(redacted.value, ScoreValue::Categorical("hello [email] is angry".into()));
        assert_eq!((redacted.author.as_deref(), redacted.config.as_deref()), (Some("[email]"), Some("of [email]")));
        for (capture, author) in [(Capture::Metadata, Some("[email]")), (Capture::None, None)] {
            let policy = Policy::of(capture);
            let bare = kept(&policy, score("very kind")).unwrap();
            assert_eq!((bare.value.text(), bare.author.as_deref()), (Some("very kind"), author), "{capture:?}");
            assert_eq!(bare.config.as_deref(), Some("of [email]"), "{capture:?}");
            assert!(kept(&policy, score(&"ä".repeat(WORD_MAX))).is_ok(), "{capture:?}");
            let long = "ä".repeat(WORD_MAX + 1);
            for refused in [told, long.as_str()] {
                let fault = kept(&policy, score(refused)).unwrap_err();
                assert!(fault.code() == "score-not-captured" && fault.hint().is_some(), "{capture:?} {fault}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_is_within_bounds(
            name in "\\PC{0,210}", id in prop::option::of("\\PC{0,210}"), trace in "[0-9a-fg]{31,33}", text in "\\PC{0,40}",
            number in any::<f64>(), which in 0..3_usize, micros in any::<i64>(),
        ) {
            let value = [json!(number), json!(text), json!(true)][which].clone();
            let time = Some(Timestamp::from_micros(micros));
            let given = NewScore { id, name, value, trace: Some(trace), time, ..NewScore::default() };
            if let Ok(score) = check(given) {
                prop_assert!(score.id.len() <= NAME_MAX && !score.id.is_empty() && score.name.len() <= NAME_MAX);
                prop_assert!(score.value.number().is_none_or(f64::is_finite) && score.trace.is_some());
                prop_assert!(score.time <= NOW.plus(AHEAD_MAX));
            }
        }
    }
}
