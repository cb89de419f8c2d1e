//! Replay: answers a traced question again, against the versions it used.

use std::collections::{BTreeMap, BTreeSet};

use axum::{Json, extract::State};
use mainspring_chains::{Outcome, Pins, Question, Read, Replayable, Source, Swap, VersionUsed};
use mainspring_kernel::{Actor, AssetKind, AssetRef, FaultKind, PageRequest, Role, text};
use mainspring_llm::{Span, TablePin, TraceId, trace::names};
use mainspring_observability::{TREE_MAX, TraceFault};
use mainspring_web_kit::{Answer, Body, Caller, Path, Problem, may_name_any};
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
    may_name_any(actor)?;
    let mut spans = telling(&rest, actor, trace_id(&id)?).await?;
    // A question may be too large to stand in its span.
    for span in spans.iter_mut().filter(|span| span.attributes.contains_key(names::REPLAY)) {
        rest.observability.fill(span).await?;
    }
    let recorded = Recorded::of(&spans, body.span.as_deref())?;
    let mut question = recorded.question()?;
    question.pins = recorded.pins(&body.with)?;
    let trace = rest.trace(actor);
    let answer = rest.chains.answer(actor, question, &trace, rest.budget()).await?;
    let first = answer.alternatives.into_iter().next();
    let (replayed, outcome) = first.map(|first| (first.text, Some(first.outcome))).unwrap_or_default();
    Ok(Json(compare(id, &recorded, replayed, outcome, trace.trace.to_string())))
}

/// The spans that say what was asked, answered and found, and one that says why there is nothing: of a giant trace the others
/// need not be held.
async fn telling(rest: &Rest, actor: &Actor, trace: TraceId) -> Answer<Vec<Span>> {
    let (mut kept, mut done, mut place) = (Vec::new(), BTreeSet::new(), PageRequest::first(1));
    loop {
        let part = rest.observability.trace(actor, trace, TREE_MAX, &place).await?.spans;
        let tells =
            |span: &Span| [names::REPLAY, names::VERSIONS, names::HITS].iter().any(|name| span.attributes.contains_key(*name));
        let mut explains = |span: &Span| {
            let kind = NO_ANSWER.iter().position(|(kind, _)| *kind == operation(span));
            kind.is_some_and(|kind| done.insert(kind))
        };
        kept.extend(part.items.into_iter().filter(|span| tells(span) || explains(span)));
        let Some(next) = part.next else { return Ok(kept) };
        place = PageRequest::new(None, Some(next)).map_err(TraceFault::from)?;
    }
}

/// What a trace kept of its question and its answer.
struct Recorded {
    replayable: Replayable,
    answer: String,
    alternatives: usize,
    versions: Vec<VersionUsed>,
    tables: Vec<TablePin>,
    hits: Vec<wire::ReplayPassage>,
}

impl Recorded {
    fn of(spans: &[Span], wanted: Option<&str>) -> Answer<Self> {
        let entry = entry(spans, wanted)?;
        if entry.attributes.contains_key(names::FORGOTTEN) {
            return Err(refused("a document it used was forgotten, and the question and the answer with it"));
        }
        let kept = entry
            .attributes
            .get(names::REPLAY)
            .cloned()
            .ok_or_else(|| refused("the question was not kept whole: the project did not keep everything"))?;
        let replayable =
            serde_json::from_value(kept).map_err(|_| refused("the question was redacted or written by another version"))?;
        let list = |key: &str| entry.attributes.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        let unreadable = |what: &str| refused(&format!("{what} were written by another version"));
        let versions = list(names::VERSIONS).into_iter().map(|text| text.as_str().and_then(|text| text.parse().ok()));
        let versions = versions.collect::<Option<Vec<_>>>().ok_or_else(|| unreadable("the versions it used"))?;
        let tables = list(names::LAKE_PINS).into_iter().map(|pin| serde_json::from_value(pin).ok());
        let tables = tables.collect::<Option<Vec<_>>>().ok_or_else(|| unreadable("the tables it read"))?;
        let answers = list(names::OUTPUT_MESSAGES);
        let answer = answers.first().and_then(|message| message.pointer("/parts/0/content")).and_then(Value::as_str);
        let known = passages(spans);
        let place =
            |chunk: String| known.get(&chunk).cloned().unwrap_or_else(|| wire::ReplayPassage { chunk, ..Default::default() });
        let hits = list(names::SOURCES).iter().filter_map(Value::as_str).map(str::to_owned).map(place).collect();
        Ok(Self {
            replayable,
            answer: answer.unwrap_or_default().to_owned(),
            alternatives: answers.len(),
            versions,
            tables,
            hits,
        })
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
        let mut pins = Pins { reads: self.reads()?, ..Pins::default() };
        for version in &self.versions {
            if let Some(digest) = version.content_digest().filter(|_| version.number > 0) {
                pins.versions.insert((version.kind, version.name.clone()), digest);
            }
        }
        let other_steps = with.keys().any(|kind| ["app", "chain"].contains(&kind.split('/').next().unwrap_or_default()));
        for (given, with) in with {
            let (kind, name) = given.split_once('/').map_or((given.as_str(), None), |(kind, name)| (kind, Some(name)));
            let kind: AssetKind =
                kind.parse().map_err(|fault: mainspring_kernel::name::KindFault| refused(&fault.to_string()))?;
            if let Some(name) = name.filter(|name| !other_steps && !self.used(kind).contains(name)) {
                return Err(refused(&format!("the answer used no {kind} called `{}`", text::elide(name, 80))));
            }
            if kind == AssetKind::Model {
                pins.model = Some(with.clone());
                continue;
            }
            if !matches!(kind, AssetKind::App | AssetKind::Chain | AssetKind::Prompt | AssetKind::Knowledge) {
                return Err(refused(&format!("a {kind} cannot be swapped in a replay")));
            }
            let with: AssetRef = with.parse().map_err(|fault: mainspring_kernel::name::RefFault| refused(&fault.to_string()))?;
            let name = match (kind, name) {
                (AssetKind::Knowledge, None) => Some(self.giving_way(&with, other_steps)?),
                (_, name) => name.map(str::to_owned),
            };
            pins.swaps.push(Swap { kind, name, with });
        }
        Ok(pins)
    }

    fn used(&self, kind: AssetKind) -> BTreeSet<&str> {
        // Of the models only the first gives way: it answered, and those behind it searched.
        let most = if kind == AssetKind::Model { 1 } else { usize::MAX };
        self.versions.iter().filter(|version| version.kind == kind).map(|version| version.name.as_str()).take(most).collect()
    }

    /// The knowledge that another takes the place of: the one with its name, or the only one.
    fn giving_way(&self, with: &AssetRef, other_steps: bool) -> Answer<String> {
        let used = self.used(AssetKind::Knowledge);
        match used.first() {
            Some(name) if used.len() == 1 && !other_steps => Ok((*name).to_owned()),
            _ if used.contains(with.name.as_str()) => Ok(with.name.to_string()),
            None if !other_steps => Err(refused("the answer used no knowledge")),
            _ => {
                let used: Vec<&str> = used.into_iter().collect();
                let used = used.join(", ");
                Err(refused(&format!("say which knowledge gives way, as `knowledge/NAME={with}`; the answer used: {used}")))
            }
        }
    }

    /// A search notes a version and a table, in the order of the steps.
    fn reads(&self) -> Answer<BTreeMap<String, Vec<Read>>> {
        let searched: Vec<&VersionUsed> = self.versions.iter().filter(|version| version.kind == AssetKind::Knowledge).collect();
        if searched.len() != self.tables.len() {
            return Err(refused("its searches and the tables they read do not match"));
        }
        let mut reads: BTreeMap<String, Vec<Read>> = BTreeMap::new();
        for (version, table) in searched.into_iter().zip(&self.tables) {
            let read = Read { digest: version.content_digest(), table: table.clone() };
            reads.entry(version.name.clone()).or_default().push(read);
        }
        Ok(reads)
    }
}

/// The span of the answer that is meant.
fn entry<'a>(spans: &'a [Span], wanted: Option<&str>) -> Answer<&'a Span> {
    let answers =
        || spans.iter().filter(|span| operation(span) == "invoke_agent" && span.attributes.contains_key(names::VERSIONS));
    let ids = || answers().map(|span| span.span.to_string()).collect::<Vec<_>>().join(", ");
    if let Some(wanted) = wanted {
        let found = answers().find(|span| span.span.to_string() == wanted);
        return found.ok_or_else(|| refused(&format!("`{}` is not one of its answers: {}", text::elide(wanted, 80), ids())));
    }
    match answers().count() {
        0 => Err(refused(what_it_is(spans))),
        1 => answers().next().ok_or_else(|| refused(what_it_is(spans))),
        count => Err(refused(&format!("it holds {count} answers; choose one by its `span`: {}", ids()))),
    }
}

fn operation(span: &Span) -> &str {
    span.attributes.get(names::OPERATION).and_then(Value::as_str).unwrap_or_default()
}

/// Why a trace holds no answer, by the first of these operations that is in it.
const NO_ANSWER: [(&str, &str); 5] = [
    ("ingest", "it is of an ingestion; `mainspring ingest` reads the sources again"),
    ("invoke_agent", "the question failed before anything was answered"),
    ("text_completion", "it is of text that a model continued, and only answers to messages are given again"),
    ("retrieve", "it is of a search; the search itself takes an older state of the table as `at`"),
    ("embeddings", "it is of embeddings"),
];

fn what_it_is(spans: &[Span]) -> &'static str {
    let is = |kind: &str| spans.iter().any(|span| operation(span) == kind);
    NO_ANSWER
        .into_iter()
        .find(|(kind, _)| is(kind))
        .map_or("no span of it is an answer of an app, a prompt or a model", |(_, why)| why)
}

/// Where the passages stand that the searches of a trace found.
fn passages(spans: &[Span]) -> BTreeMap<String, wire::ReplayPassage> {
    let hits = spans.iter().filter_map(|span| span.attributes.get(names::HITS)).filter_map(Value::as_array).flatten();
    let passage = |hit: &Value| serde_json::from_value::<wire::ReplayPassage>(hit.clone()).ok();
    hits.filter_map(passage).map(|passage| (passage.chunk.clone(), passage)).collect()
}

fn refused(reason: &str) -> Problem {
    Problem::new(FaultKind::Invalid, "replay-impossible", format!("this trace cannot be replayed so: {reason}"))
}

fn compare(id: String, recorded: &Recorded, replayed: String, outcome: Option<Outcome>, replay_trace: String) -> wire::Replay {
    let now = outcome.as_ref().map(|outcome| outcome.versions.clone()).unwrap_or_default();
    let versions = pair(&recorded.versions, now);
    let mut notes = Vec::new();
    // Answers of before do not say which models searched.
    let moved = |version: &wire::ReplayVersion| version.original.is_some() && version.original != version.replayed;
    let model_moved = versions.iter().any(|version| version.what == "model" && moved(version));
    if model_moved {
        notes.push("the model is not the one that answered then".to_owned());
    }
    if recorded.alternatives > 1 {
        notes.push(format!("the question asked for {} alternatives; the first is given again", recorded.alternatives));
    }
    let temperature = recorded.replayable.overrides.settings.temperature;
    if recorded.answer != replayed && temperature != Some(0.0) && recorded.replayable.overrides.settings.seed.is_none() {
        notes.push("the question set no seed; unless the prompt sets temperature 0, answers differ by chance".to_owned());
    }
    let found = outcome.as_ref().map(|outcome| outcome.sources.as_slice()).unwrap_or_default();
    wire::Replay {
        trace_id: id,
        replay_trace_id: replay_trace,
        same: recorded.answer == replayed,
        original: recorded.answer.clone(),
        replayed,
        versions,
        sources: sources(&recorded.hits, found),
        tables: outcome.into_iter().flat_map(|outcome| outcome.tables).map(convert::pin).collect(),
        notes,
    }
}

fn sources(then: &[wire::ReplayPassage], now: &[Source]) -> wire::ReplaySources {
    let place = |source: &Source| wire::ReplayPassage {
        chunk: source.chunk.clone(),
        title: source.title.clone(),
        uri: source.uri.clone(),
        heading_path: source.heading_path.clone(),
        page: source.page,
    };
    wire::ReplaySources {
        original: then.iter().map(|passage| passage.chunk.clone()).collect(),
        replayed: now.iter().map(|source| source.chunk.clone()).collect(),
        gone: then.iter().filter(|passage| now.iter().all(|source| source.chunk != passage.chunk)).cloned().collect(),
        new: now.iter().filter(|source| then.iter().all(|passage| passage.chunk != source.chunk)).map(place).collect(),
    }
}

/// Every version of then beside the one in its place: of its kind the one with its name, or the next that is left.
fn pair(then: &[VersionUsed], mut now: Vec<VersionUsed>) -> Vec<wire::ReplayVersion> {
    let mut pairs: Vec<(Option<&VersionUsed>, Option<VersionUsed>)> = Vec::new();
    for version in then {
        let same = now.iter().position(|other| other.kind == version.kind && other.name == version.name);
        pairs.push((Some(version), same.map(|at| now.remove(at))));
    }
    for (version, other) in &mut pairs {
        if other.is_none() {
            let next = now.iter().position(|left| version.is_some_and(|version| version.kind == left.kind));
            *other = next.map(|at| now.remove(at));
        }
    }
    pairs.extend(now.into_iter().map(|left| (None, Some(left))));
    let shown = |(original, replayed): (Option<&VersionUsed>, Option<VersionUsed>)| wire::ReplayVersion {
        what: original.or(replayed.as_ref()).map(|version| version.kind.to_string()).unwrap_or_default(),
        original: original.map(ToString::to_string),
        replayed: replayed.map(|version| version.to_string()),
    };
    pairs.into_iter().map(shown).collect()
}
