//! Judgements that instrumentations write as events of spans: `gen_ai.evaluation.result` of the semantic conventions.

use mainspring_llm::{Span, trace::SpanEvent};
use serde_json::{Map, Value};

use super::{NewScore, Score, ScoreKind, ScoreSource, checks::named};

const EVENT: &str = "gen_ai.evaluation.result";
const NAME: &str = "gen_ai.evaluation.name";
const VALUE: &str = "gen_ai.evaluation.score.value";
const LABEL: &str = "gen_ai.evaluation.score.label";
const EXPLANATION: &str = "gen_ai.evaluation.explanation";
/// Who judged, where the event says it.
const JUDGES: [&str; 2] = ["gen_ai.evaluation.evaluator.name", "gen_ai.request.model"];
/// Of one span at most.
const EVENTS_MAX: usize = 100;

/// The scores that a span brings with it. One that is sent again brings the same.
#[must_use]
pub fn evaluations(span: &Span) -> Vec<NewScore> {
    let mut found = Vec::new();
    let events = span.events.iter().filter(|event| event.name == EVENT).take(EVENTS_MAX);
    for (at, event) in events.enumerate() {
        found.extend(of_event(span, &event.attributes, at, event));
    }
    // An event of the logs is a record of its own, and a span of its own here.
    if span.name == EVENT && found.is_empty() {
        found.extend(read(span, &span.attributes, 0).map(|score| NewScore { time: Some(span.start), ..score }));
    }
    found
}

fn of_event(span: &Span, attributes: &Map<String, Value>, at: usize, event: &SpanEvent) -> Option<NewScore> {
    read(span, attributes, at).map(|score| NewScore { time: Some(event.at), ..score })
}

fn read(span: &Span, attributes: &Map<String, Value>, at: usize) -> Option<NewScore> {
    let text = |key: &str| attributes.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let name = text(NAME)?;
    let number = attributes.get(VALUE).filter(|value| value.is_number() || value.is_boolean());
    let (kind, value) = match (number, text(LABEL)) {
        (Some(number), _) => (None, number.clone()),
        (None, Some(label)) => (Some(ScoreKind::Categorical), label.into()),
        (None, None) => return None,
    };
    let (trace, of) = (span.trace.to_string(), span.span.to_string());
    // A record of the logs names the span it is about as its parent.
    let about = if span.name == EVENT { span.parent.map(|parent| parent.to_string()) } else { Some(of.clone()) };
    let label = text(LABEL).filter(|_| number.is_some());
    Some(NewScore {
        id: Some(named(&["evaluation", &trace, &of, name, &at.to_string()])),
        name: name.to_owned(),
        kind,
        value,
        comment: text(EXPLANATION).map(str::to_owned),
        source: ScoreSource::Evaluation,
        trace: Some(trace),
        span: about,
        config: JUDGES.into_iter().find_map(text).map(str::to_owned),
        metadata: label.map(|label| serde_json::json!({"label": label})),
        ..NewScore::default()
    })
}

/// The same the other way round, for those who read spans as OTLP.
#[must_use]
pub fn event_of(score: &Score) -> SpanEvent {
    let mut attributes = Map::new();
    attributes.insert(NAME.to_owned(), score.name.as_str().into());
    attributes.extend(score.value.number().map(|number| (VALUE.to_owned(), number.into())));
    attributes.extend(score.value.text().map(|text| (LABEL.to_owned(), text.into())));
    attributes.extend(score.comment.as_deref().map(|comment| (EXPLANATION.to_owned(), comment.into())));
    SpanEvent { name: EVENT.to_owned(), at: score.time, attributes }
}
