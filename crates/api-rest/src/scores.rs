//! Scores and feedback: write, list, delete.

use axum::{Json, extract::State};
use mainspring_kernel::{Actor, FaultKind, Role, Timestamp};
use mainspring_observability::{
    Feedback, NewScore, Rating, Score, ScoreFilter, ScoreKind, ScoreSource, ScoreSummary, TraceFault,
};
use mainspring_web_kit::{Answer, Body, Caller, Paging, Path, Problem, Query};
use mainspring_wire as wire;
use serde::Deserialize;
use serde_json::Value;

use crate::Rest;

/// Scores of one request at most.
const SCORES_MAX: usize = 1_000;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct ScoreQuery {
    name: Option<String>,
    kind: Option<String>,
    source: Option<String>,
    trace: Option<String>,
    span: Option<String>,
    session: Option<String>,
    author: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

/// Lists scores, newest first.
#[utoipa::path(get, path = "/api/v1/scores", tag = "scores", operation_id = "list_scores",
    params(("name" = Option<String>, Query), ("kind" = Option<String>, Query), ("source" = Option<String>, Query),
        ("trace" = Option<String>, Query), ("span" = Option<String>, Query), ("session" = Option<String>, Query),
        ("author" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query),
        ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::ScoreView>)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    caller: Caller,
    Query(query): Query<ScoreQuery>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::ScoreView>>> {
    let actor = caller.needs(Role::Reader)?;
    let full = |text: Option<String>| text.filter(|text| !text.is_empty());
    let wrong = |what: &str| Problem::new(FaultKind::Invalid, "query-invalid", what.to_owned());
    let time = |field: &str, text: Option<String>| {
        let wrong = || wrong(&format!("`{field}` is not an RFC 3339 time"));
        full(text).map(|text| Timestamp::parse(&text).ok_or_else(wrong)).transpose()
    };
    let kind = full(query.kind).map(|text| ScoreKind::read(&text).ok_or_else(|| wrong(KINDS))).transpose()?;
    let source = full(query.source).map(|text| ScoreSource::read(&text).ok_or_else(|| wrong(SOURCES))).transpose()?;
    let filter = ScoreFilter {
        name: full(query.name),
        kind,
        source,
        trace: full(query.trace).map(|trace| trace.to_lowercase()),
        span: full(query.span).map(|span| span.to_lowercase()),
        session: full(query.session),
        author: full(query.author),
        from: time("from", query.from)?,
        to: time("to", query.to)?,
    };
    let found = rest.observability.list_scores(actor, &filter, &page).await?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(view).collect(), next: found.next }))
}

const KINDS: &str = "`kind` is numeric, boolean, categorical or text";
const SOURCES: &str = "`source` is api, annotation, user_feedback or evaluation";

/// Writes a score, or a list of up to 1000. One under an id that is there takes its place. Of a list each that can be is
/// written, and the answer says what became of each.
#[utoipa::path(post, path = "/api/v1/scores", tag = "scores", operation_id = "write_scores",
    request_body = wire::NewScores, responses((status = 200, body = wire::ScoresWritten)))]
pub(crate) async fn write(
    State(rest): State<Rest>,
    caller: Caller,
    Body(body): Body<Value>,
) -> Answer<Json<wire::ScoresWritten>> {
    let actor = caller.needs(Role::Editor)?;
    let now = rest.clock.now();
    let (items, alone) = match body {
        Value::Array(items) => (items, false),
        one => (vec![one], true),
    };
    if items.len() > SCORES_MAX {
        let what = format!("{} scores came, and one request has {SCORES_MAX} at most", items.len());
        return Err(Problem::new(FaultKind::Invalid, "score-invalid", what));
    }
    let (mut scores, mut results) = (Vec::new(), Vec::with_capacity(items.len()));
    for item in items {
        match read(item).and_then(|new| rest.observability.scores()?.check(new, actor.project, now)) {
            Ok(score) => {
                results.push(wire::ScoreWritten { id: Some(score.id.clone()), error: None });
                scores.push(score);
            }
            Err(fault) if alone => return Err(fault.into()),
            Err(fault) => results.push(wire::ScoreWritten { id: None, error: Some(fault.to_string()) }),
        }
    }
    if let (true, [score]) = (alone, &scores[..]) {
        rest.observability.may_score(actor, score).await?;
    }
    Ok(Json(written(&rest, actor, scores, results).await?))
}

/// Of what the caller may not see nothing is said, whoever else may: to them it is not there.
async fn written(
    rest: &Rest,
    actor: &Actor,
    mut scores: Vec<Score>,
    mut results: Vec<wire::ScoreWritten>,
) -> Answer<wire::ScoresWritten> {
    let seen = rest.observability.may_score_each(actor, &scores).await?;
    let good = results.iter_mut().filter(|result| result.error.is_none());
    for ((result, score), _) in good.zip(&scores).zip(&seen).filter(|(_, seen)| !**seen) {
        *result = wire::ScoreWritten { id: None, error: Some(score.unseen().to_string()) };
    }
    let mut seen = seen.into_iter();
    scores.retain(|_| seen.next() == Some(true));
    let accepted = scores.len() as u64;
    rest.observability.put_scores(actor, scores).await?;
    Ok(wire::ScoresWritten { accepted, rejected: results.len() as u64 - accepted, results })
}

pub(crate) fn read(item: Value) -> Result<NewScore, TraceFault> {
    let wrong = |reason: String| TraceFault::Score { reason };
    let new: wire::NewScore = serde_json::from_value(item).map_err(|error| wrong(error.to_string()))?;
    let wire::NewScore { id, name, kind, value, comment, source, trace, span, session, author, config, metadata, time } = new;
    let kind = kind.map(|kind| ScoreKind::read(&kind).ok_or_else(|| wrong(KINDS.to_owned()))).transpose()?;
    let source = source.map(|source| ScoreSource::read(&source).ok_or_else(|| wrong(SOURCES.to_owned()))).transpose()?;
    let not_a_time = || wrong("`time` is not an RFC 3339 time".to_owned());
    let time = time.map(|time| Timestamp::parse(&time).ok_or_else(not_a_time)).transpose()?;
    let source = source.unwrap_or_default();
    Ok(NewScore { id, name, kind, value, comment, source, trace, span, session, author, config, metadata, time })
}

/// Deletes a score, and answers what it was.
#[utoipa::path(delete, path = "/api/v1/scores/{id}", tag = "scores", operation_id = "delete_score",
    params(("id" = String, Path)), responses((status = 200, body = wire::ScoreView)))]
pub(crate) async fn delete(State(rest): State<Rest>, caller: Caller, Path(id): Path<String>) -> Answer<Json<wire::ScoreView>> {
    let actor = caller.needs(Role::Editor)?;
    Ok(Json(view(rest.observability.delete_score(actor, &id).await?)))
}

/// Says what the user of an answer thought of it: `up` or `down`, or 1 to 5. It becomes the score `feedback` of the trace.
#[utoipa::path(post, path = "/api/v1/feedback", tag = "scores", operation_id = "give_feedback",
    request_body = wire::FeedbackRequest, responses((status = 200, body = wire::ScoreView)))]
pub(crate) async fn feedback(
    State(rest): State<Rest>,
    caller: Caller,
    Body(body): Body<wire::FeedbackRequest>,
) -> Answer<Json<wire::ScoreView>> {
    // Who may ask may say what they think of the answer.
    let actor = caller.needs(Role::Reader)?;
    let wire::FeedbackRequest { trace, rating, comment, user } = body;
    let rating = rated(&rating).ok_or_else(|| TraceFault::Score { reason: "`rating` is up, down, or 1 to 5".to_owned() })?;
    let user = user.filter(|user| !user.is_empty());
    let new = NewScore::from(Feedback { trace, rating, comment, user });
    let score = rest.observability.scores()?.check(new, actor.project, rest.clock.now())?;
    rest.observability.may_score(actor, &score).await?;
    rest.observability.put_scores(actor, vec![score.clone()]).await?;
    Ok(Json(view(score)))
}

fn rated(rating: &Value) -> Option<Rating> {
    match rating {
        Value::String(word) if word == "up" => Some(Rating::Up),
        Value::String(word) if word == "down" => Some(Rating::Down),
        Value::Number(number) => {
            let stars = number.as_u64().and_then(|stars| u8::try_from(stars).ok());
            stars.filter(|stars| (1..=5).contains(stars)).map(Rating::Stars)
        }
        _ => None,
    }
}

pub(crate) fn view(score: Score) -> wire::ScoreView {
    let Score { project: _, id, name, value, comment, source, trace, span, session, author, config, metadata, time } = score;
    wire::ScoreView {
        id,
        name,
        kind: value.kind().as_str().to_owned(),
        value: value.json(),
        comment,
        source: source.as_str().to_owned(),
        trace: trace.map(|trace| trace.to_string()),
        span: span.map(|span| span.to_string()),
        session,
        author,
        config,
        metadata,
        time: time.to_string(),
    }
}

pub(crate) fn summary(ScoreSummary { name, count, mean, label }: ScoreSummary) -> wire::ScoreSummary {
    wire::ScoreSummary { name, count, mean, label }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn ratings_are_thumbs_or_one_to_five() {
        let read = |value: Value| rated(&value);
        assert_eq!((read(json!("up")), read(json!("down"))), (Some(Rating::Up), Some(Rating::Down)));
        assert_eq!((read(json!(1)), read(json!(5))), (Some(Rating::Stars(1)), Some(Rating::Stars(5))));
        for wrong in [json!(0), json!(6), json!(2.5), json!("UP"), json!(true), json!(null), json!(261)] {
            assert_eq!(read(wrong.clone()), None, "{wrong}");
        }
    }

    #[test]
    fn a_word_that_nobody_knows_is_refused() {
        for wrong in [json!({"name": "a", "vlaue": 1}), json!({"name": "a", "kind": "stars"}), json!([1]), json!("x")] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
        let new = read(json!({"name": "a", "value": 1, "source": "annotation", "time": "2026-11-27T00:00:00Z"})).unwrap();
        assert_eq!((new.source, new.time.is_some()), (ScoreSource::Annotation, true));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
        ];
        let key = prop_oneof![Just("name"), Just("value"), Just("trace"), Just("time"), Just("kind"), Just("id")];
        prop_oneof![
            leaf.clone(),
            prop::collection::btree_map(key.prop_map(str::to_owned), leaf, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(body in any_json()) {
            if let Ok(new) = read(body.clone()) {
                prop_assert_eq!(new.name.as_str(), body.get("name").and_then(Value::as_str).unwrap_or_default());
            }
            let _ = rated(&body);
        }
    }
}
