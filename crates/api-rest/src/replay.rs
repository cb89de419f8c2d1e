//! Replay: answers a traced question again, against the versions it used.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, State},
};
use mainspring_chains::{Outcome, Pins, Question, Replayable, VersionUsed};
use mainspring_kernel::{AssetKind, FaultKind, Role};
use mainspring_llm::{Span, TablePin, trace::names};
use mainspring_web_kit::{Answer, Body, Caller, Problem};
use mainspring_wire as wire;
use serde_json::Value;

use crate::{Rest, convert, traces::trace_id};

/// Answers the question of a trace again, and says what is different. `with` swaps parts.
#[utoipa::path(post, path = "/api/v1/traces/{id}/replay", tag = "traces", operation_id = "replay_trace",
    params(("id" = String, Path)), request_body = wire::ReplayRequest, responses((status = 200, body = wire::Replay)))]
pub(crate) async fn replay(
    State(rest): State<Rest>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<wire::ReplayRequest>,
) -> Answer<Json<wire::Replay>> {
    let actor = caller.needs(Role::Reader)?;
    let spans = rest.observability.trace(actor, trace_id(&id)?).await?;
    let recorded = Recorded::of(&spans)?;
    let mut question = recorded.question()?;
    question.pins = recorded.pins(&body.with)?;
    let trace = rest.trace(actor);
    let answer = rest.chains.answer(actor, question, &trace, rest.budget()).await?;
    let first = answer.alternatives.into_iter().next();
    let (replayed, outcome) = first.map(|first| (first.text, Some(first.outcome))).unwrap_or_default();
    Ok(Json(compare(id, &recorded, replayed, outcome, trace.trace.to_string())))
}

/// What a trace kept of its question and its answer.
struct Recorded {
    replayable: Replayable,
    answer: String,
    versions: Vec<VersionUsed>,
    tables: Vec<TablePin>,
    hits: Vec<String>,
}

impl Recorded {
    fn of(spans: &[Span]) -> Answer<Self> {
        let entry = spans
            .iter()
            .find(|span| span.attributes.contains_key(names::VERSIONS))
            .ok_or_else(|| refused("this trace is not of an answer by an app, a prompt or a model"))?;
        let kept = entry
            .attributes
            .get(names::REPLAY)
            .cloned()
            .ok_or_else(|| refused("the question was not kept: `traces.capture` was not `full`"))?;
        let replayable =
            serde_json::from_value(kept).map_err(|_| refused("the question was redacted or written by another version"))?;
        let list = |key: &str| entry.attributes.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        let versions = list(names::VERSIONS).iter().filter_map(Value::as_str).filter_map(|text| text.parse().ok()).collect();
        let tables = list(names::LAKE_PINS).into_iter().filter_map(|pin| serde_json::from_value(pin).ok()).collect();
        let answer = entry
            .attributes
            .get(names::OUTPUT_MESSAGES)
            .and_then(|messages| messages.pointer("/0/parts/0/content"))
            .and_then(Value::as_str);
        let hits = list(names::SOURCES).iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Self { replayable, answer: answer.unwrap_or_default().to_owned(), versions, tables, hits })
    }

    fn question(&self) -> Answer<Question> {
        let kept = &self.replayable;
        let target = kept.target.parse().map_err(|_| refused("the name it was asked of cannot be read"))?;
        let mut question = Question::of(target, kept.messages.clone());
        question.overrides = kept.overrides.clone();
        question.parameters = kept.parameters.clone();
        Ok(question)
    }

    fn pins(&self, with: &BTreeMap<String, String>) -> Answer<Pins> {
        let mut pins = Pins { tables: self.tables.clone(), ..Pins::default() };
        for version in &self.versions {
            if let Some(digest) = version.content_digest().filter(|_| version.number > 0) {
                pins.versions.insert((version.kind, version.name.clone()), digest);
            }
        }
        for (kind, reference) in with {
            let kind: AssetKind =
                kind.parse().map_err(|fault: mainspring_kernel::name::KindFault| refused(&fault.to_string()))?;
            match kind {
                AssetKind::Model => pins.model = Some(reference.clone()),
                AssetKind::App | AssetKind::Chain | AssetKind::Prompt | AssetKind::Knowledge => {
                    let reference =
                        reference.parse().map_err(|fault: mainspring_kernel::name::RefFault| refused(&fault.to_string()))?;
                    pins.swaps.insert(kind, reference);
                    // Another knowledge has other tables: the search reads its own newest state.
                    if kind == AssetKind::Knowledge {
                        pins.tables.clear();
                    }
                }
                other => return Err(refused(&format!("a {other} cannot be swapped in a replay"))),
            }
        }
        Ok(pins)
    }
}

fn refused(reason: &str) -> Problem {
    Problem::new(FaultKind::Invalid, "replay-impossible", format!("this trace cannot be replayed so: {reason}"))
}

fn compare(id: String, recorded: &Recorded, replayed: String, outcome: Option<Outcome>, replay_trace: String) -> wire::Replay {
    let now = outcome.as_ref().map(|outcome| outcome.versions.clone()).unwrap_or_default();
    let mut versions: Vec<wire::ReplayVersion> = Vec::new();
    for version in &recorded.versions {
        let other = now
            .iter()
            .find(|other| other.kind == version.kind && (other.name == version.name || version.kind != AssetKind::Knowledge));
        versions.push(wire::ReplayVersion {
            what: version.kind.to_string(),
            original: Some(version.to_string()),
            replayed: other.map(ToString::to_string),
        });
    }
    let sources: Vec<String> = outcome.iter().flat_map(|outcome| &outcome.sources).map(|source| source.chunk.clone()).collect();
    let mut notes = Vec::new();
    let model_moved = versions.iter().any(|version| version.what == "model" && version.original != version.replayed);
    if model_moved {
        notes.push("the model is not the one that answered then".to_owned());
    }
    let temperature = recorded.replayable.overrides.settings.temperature;
    if recorded.answer != replayed && temperature != Some(0.0) && recorded.replayable.overrides.settings.seed.is_none() {
        notes.push("the question set no seed; unless the prompt sets temperature 0, answers differ by chance".to_owned());
    }
    wire::Replay {
        trace_id: id,
        replay_trace_id: replay_trace,
        same: recorded.answer == replayed,
        original: recorded.answer.clone(),
        replayed,
        versions,
        sources: wire::ReplaySources { original: recorded.hits.clone(), replayed: sources },
        tables: outcome.into_iter().flat_map(|outcome| outcome.tables).map(convert::pin).collect(),
        notes,
    }
}
