//! What Langfuse's clients ask beside sending spans: whether anybody is there, whether the key is good, to keep scores, and
//! where a trace is looked at.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
};
use http::StatusCode;
use mainspring_kernel::{FaultKind, Role, Timestamp};
use mainspring_observability::{NewScore, ScoreKind, ScoreSource, TraceFault};
use mainspring_web_kit::{Body, Caller, Path, Problem};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Otlp;

/// Scores of one request at most; its clients send a hundred.
const SCORES_MAX: usize = 1_000;

/// Anybody may ask.
pub(crate) async fn health() -> Json<Value> {
    Json(json!({"status": "OK", "version": env!("CARGO_PKG_VERSION")}))
}

/// The one project of the key.
pub(crate) async fn projects(caller: Caller) -> Result<Json<Value>, Problem> {
    let project = caller.needs(Role::Reader)?.project.to_string();
    let organization = json!({"id": "mainspring", "name": "mainspring"});
    Ok(Json(json!({"data": [{"id": project, "name": project, "organization": organization, "metadata": {}}]})))
}

/// Where its clients say that a trace can be looked at. Here the page has it, in whichever project its reader looks at.
pub(crate) async fn page(Path((_, trace)): Path<(String, String)>) -> Redirect {
    let is_id = trace.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_id { Redirect::temporary(&format!("/traces/{trace}")) } else { Redirect::temporary("/traces") }
}

/// A score as its clients write it. What they may add one day is no reason to lose it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Sent {
    id: Option<String>,
    name: String,
    value: Value,
    trace_id: Option<String>,
    observation_id: Option<String>,
    session_id: Option<String>,
    data_type: Option<String>,
    comment: Option<String>,
    config_id: Option<String>,
    metadata: Option<Value>,
    source: Option<String>,
    timestamp: Option<String>,
}

/// One score, or several: older clients and newer ones. Answers in words of each.
pub(crate) async fn scores(State(otlp): State<Otlp>, caller: Caller, Body(body): Body<Value>) -> Result<Response, Problem> {
    let actor = caller.needs(Role::Editor)?;
    let (items, alone) = match body {
        Value::Array(items) => (items, false),
        one => (vec![one], true),
    };
    if items.len() > SCORES_MAX {
        let what = format!("one request has {SCORES_MAX} scores at most");
        return Err(Problem::new(FaultKind::Invalid, "score-invalid", what));
    }
    let (mut good, mut errors) = (Vec::new(), Vec::new());
    for item in items {
        match read(item).and_then(|new| otlp.observability.scores()?.check(new, actor.project, otlp.clock.now())) {
            Ok(score) => good.push(score),
            Err(fault) if alone => return Err(fault.into()),
            Err(fault) => errors.push(json!({"message": fault.to_string()})),
        }
    }
    let seen = otlp.observability.may_score_each(actor, &good).await?;
    for (score, _) in good.iter().zip(&seen).filter(|(_, seen)| !**seen) {
        if alone {
            return Err(score.unseen().into());
        }
        errors.push(json!({"message": score.unseen().to_string()}));
    }
    let mut seen = seen.into_iter();
    good.retain(|_| seen.next() == Some(true));
    let (accepted, first) = (good.len(), good.first().map(|score| score.id.clone()));
    otlp.observability.put_scores(actor, good).await?;
    Ok(match first {
        Some(id) if alone => Json(json!({"id": id})).into_response(),
        _ if errors.is_empty() => (StatusCode::ACCEPTED, Json(json!({"message": "Accepted"}))).into_response(),
        _ => {
            let answer = json!({"accepted": accepted, "rejected": errors.len(), "errors": errors});
            (StatusCode::MULTI_STATUS, Json(answer)).into_response()
        }
    })
}

pub(crate) async fn delete_score(State(otlp): State<Otlp>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let actor = caller.needs(Role::Editor)?;
    otlp.observability.delete_score(actor, &id).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({"message": "Score deletion request submitted"}))).into_response())
}

pub(crate) fn read(item: Value) -> Result<NewScore, TraceFault> {
    let wrong = |reason: String| TraceFault::Score { reason };
    if !item.is_object() {
        return Err(wrong("a score is an object".to_owned()));
    }
    let sent: Sent = serde_json::from_value(item).map_err(|error| wrong(error.to_string()))?;
    let kind = match sent.data_type.as_deref() {
        None => None,
        Some("NUMERIC") => Some(ScoreKind::Numeric),
        Some("BOOLEAN") => Some(ScoreKind::Boolean),
        Some("CATEGORICAL") => Some(ScoreKind::Categorical),
        // A correction is the text that should have been answered.
        Some("TEXT" | "CORRECTION") => Some(ScoreKind::Text),
        Some(_) => return Err(wrong("`dataType` is NUMERIC, BOOLEAN, CATEGORICAL, TEXT or CORRECTION".to_owned())),
    };
    let source = match sent.source.as_deref() {
        Some("ANNOTATION") => ScoreSource::Annotation,
        Some("EVAL") => ScoreSource::Evaluation,
        _ => ScoreSource::Api,
    };
    let not_a_time = || wrong("`timestamp` is not an ISO 8601 time".to_owned());
    let time = sent.timestamp.map(|text| Timestamp::parse(&text).ok_or_else(not_a_time)).transpose()?;
    Ok(NewScore {
        id: sent.id,
        name: sent.name,
        kind,
        value: sent.value,
        comment: sent.comment,
        source,
        trace: sent.trace_id,
        span: sent.observation_id,
        session: sent.session_id,
        author: None,
        config: sent.config_id,
        metadata: sent.metadata,
        time,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_score_is_read_as_version_five_of_the_client_writes_it() {
        let new = read(json!({
            "id": "abcd", "traceId": "ab".repeat(16), "observationId": "cd".repeat(8), "name": "accuracy", "value": 0.92,
            "comment": "near", "environment": "default", "dataType": "NUMERIC", "timestamp": "2026-11-27T02:00:00.123456Z",
            "metadata": ["any", {"json": 1}],
        }));
        let new = new.unwrap();
        assert_eq!((new.id.as_deref(), new.name.as_str(), new.kind), (Some("abcd"), "accuracy", Some(ScoreKind::Numeric)));
        assert_eq!((new.span, new.time.is_some(), new.metadata), (Some("cd".repeat(8)), true, Some(json!(["any", {"json": 1}]))));
        assert_eq!(read(json!({"name": "x", "value": "y", "dataType": "CORRECTION"})).unwrap().kind, Some(ScoreKind::Text));
        for wrong in [json!({"name": "x", "dataType": "STARS"}), json!({"name": 1}), json!([]), json!({"timestamp": "soon"})] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_object_is_read_or_refused(key in "[a-zA-Z]{1,12}", text in "\\PC{0,20}", number in any::<f64>(), which in 0..4_usize) {
            let value = [json!(text), json!(number), json!(null), json!([text])][which].clone();
            for known in [key.as_str(), "name", "traceId", "dataType", "timestamp", "value"] {
                let _ = read(json!({known: value.clone()}));
            }
        }
    }
}
