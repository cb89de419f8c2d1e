//! `POST /v1/responses`.

use axum::{
    Json as Reply,
    extract::State,
    response::{IntoResponse, Response},
};
use futures::{Stream, StreamExt};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ALLOW, UPGRADE},
};
use mainspring_chains::{Alternative, Answer as Answered, AnswerEvent, AnswerStream, ChainFault, Outcome};
use mainspring_kernel::{FaultKind, Money, id::RequestId};
use mainspring_llm::{
    FinishReason, Provenance, TokenUsage, Told, Usage,
    exchange::{Answer as Exchanged, Choice, Dialect, Event, Finish, Part},
};
use mainspring_providers::{
    Operation,
    openai::responses::{self, Writer},
};
use mainspring_web_kit::{Problem, Sse, SseEvent, with_cost, with_told};
use serde_json::{Map, Value, json};

use crate::{
    OpenAi, Surface,
    answer::annotations,
    asked::Asked,
    chat::with_trace,
    error::{Answer, OpenAiError, Who},
    page::Page,
    question::question,
    routed,
};

pub(crate) async fn create(State(state): State<Surface>, asked: Asked) -> Answer<Response> {
    let asked = asked.aimed(&state).await?.named(None)?;
    if state.routes(&asked).await? {
        return routed::answer(&state, &asked, Operation::Responses).await;
    }
    match answered_here(&state.openai, &asked).await {
        Err(error) => Err(state.unknown(&asked, error).await),
        answer => answer,
    }
}

/// `GET /v1/responses`: newer versions of Codex try a socket first, and go on without one where they are told that there is
/// none.
pub(crate) async fn no_socket(_: Who, headers: HeaderMap) -> Response {
    let wanted = headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if !wanted {
        let mut response = OpenAiError::from(Problem::of_status(StatusCode::METHOD_NOT_ALLOWED)).into_response();
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    let detail = "responses are streamed over HTTP here, and not over a web socket";
    let problem = Problem::new(FaultKind::Invalid, "response-no-socket", detail)
        .with_hint("send the request with `POST /v1/responses` and `stream: true`");
    let refused = OpenAiError::from(Problem { status: StatusCode::UPGRADE_REQUIRED, ..problem });
    let mut response = refused.into_response();
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("HTTP/1.1"));
    response
}

/// By an app, a prompt or a model of this process.
async fn answered_here(state: &OpenAi, asked: &Asked) -> Answer<Response> {
    let call = responses::read(&asked.body).map_err(|fault| match fault.param.as_str() {
        "" => OpenAiError::of(&fault),
        _ => OpenAiError::param(fault.param, fault.message),
    })?;
    let (streamed, model) = (call.stream, call.model.clone());
    let mut question = question(call)?;
    asked.tell(&mut question);
    let told = question.told.clone();
    let refuse = question.overrides.json.is_some();
    let trace = asked.trace(state);
    let id_of_trace = trace.trace;
    let refused = |fault: ChainFault| OpenAiError::of_answer(&fault).telling(&told).in_trace(id_of_trace);
    let now = state.clock.now();
    let id = format!("resp_{}", &RequestId::new(now).to_string()[4..]);
    if streamed {
        let stream = state.chains.stream(&asked.actor, question, &trace, asked.budget(state)).await;
        let stream = stream.map_err(refused)?;
        let mut writer = Writer::new(now.as_seconds(), &model);
        let begun = written(&mut writer, [Event::Began { id, model }], None);
        let response = Sse(events(stream, (writer, begun), (refuse, asked.page(state)), told.clone())).kept_alive();
        return Ok(with_trace(with_told(response, &told), id_of_trace));
    }
    let answer = state.chains.answer(&asked.actor, question, &trace, asked.budget(state)).await;
    let answer = answer.map_err(refused)?;
    let body = whole(answer, (id, model), now.as_seconds(), (refuse, &asked.page(state)), told.facts().cost);
    Ok(with_trace(with_told(Reply(body).into_response(), &told), id_of_trace))
}

/// What is known of an answer beside its text and its citations stands under `mainspring`. With `refuse`, an app that
/// abstains does so in a refusal: its text is not the JSON that was asked for.
pub(crate) fn whole(
    answered: Answered,
    (id, model): (String, String),
    created: i64,
    (refuse, page): (bool, &Page),
    cost: Option<Money>,
) -> Value {
    let Answered { alternatives, usage } = answered;
    let mut answer = Exchanged {
        id,
        model: model.clone(),
        choices: Vec::new(),
        usage: Some(tokens(usage)),
        service_tier: None,
        fingerprint: None,
        said_in: Dialect::Local,
        extra: Map::new(),
    };
    let Some(Alternative { text, finish, outcome, logprobs: _ }) = alternatives.into_iter().next() else {
        return responses::write(&answer, created, &model);
    };
    let said = if refuse && outcome.abstained { Part::Refusal { text } } else { Part::text(text) };
    let cited = Part::Other { said_in: Dialect::OpenAiChat, value: json!({"annotations": annotations(&outcome, page)}) };
    answer.choices.push(Choice { parts: vec![said, cited], finish: end(finish), stop_sequence: None, logprobs: None });
    let mut body = responses::write(&answer, created, &model);
    body["mainspring"] = with_cost(json!(outcome), cost);
    body
}

pub(crate) fn events(
    mut stream: AnswerStream,
    (mut writer, begun): (Writer, Vec<SseEvent>),
    (refuse, page): (bool, Page),
    told: Told,
) -> impl Stream<Item = SseEvent> + Send {
    async_stream::stream! {
        let (mut refused, mut finished) = (false, Finish::Stop);
        for event in begun {
            yield event;
        }
        while let Some(event) = stream.next().await {
            let events = match event {
                Ok(AnswerEvent::Sources { abstains, .. }) => {
                    refused = refuse && abstains;
                    Vec::new()
                }
                Ok(AnswerEvent::Text { index: 0, text, .. }) if refused => {
                    written(&mut writer, [Event::Refusal { choice: 0, text }], None)
                }
                Ok(AnswerEvent::Text { index: 0, text, .. }) => {
                    written(&mut writer, [Event::Text { choice: 0, text, logprobs: None }], None)
                }
                // What the text cites is known at the end only, and an item that has ended takes no more.
                Ok(AnswerEvent::Finished { index: 0, finish }) => {
                    finished = end(finish);
                    Vec::new()
                }
                Ok(AnswerEvent::Done { usage, outcomes }) => {
                    told.ending().completes();
                    done(&mut writer, (finished, usage), (outcomes.first(), told.facts().cost), &page)
                }
                Ok(AnswerEvent::Text { .. } | AnswerEvent::Finished { .. }) => Vec::new(),
                Err(fault) => {
                    let error = OpenAiError::of_answer(&fault).ending(&told);
                    for event in writer.fail(error.code(), &error.message()) {
                        yield SseEvent::named(event.event, event.data);
                    }
                    return;
                }
            };
            for event in events {
                yield event;
            }
        }
    }
}

fn done(
    writer: &mut Writer,
    (finish, usage): (Finish, Usage),
    (outcome, cost): (Option<&Outcome>, Option<Money>),
    page: &Page,
) -> Vec<SseEvent> {
    let cited = outcome.map(|outcome| annotations(outcome, page)).unwrap_or_default();
    let value = json!({"choice": 0, "delta": {"annotations": cited}});
    let events = [
        Event::Other { said_in: Dialect::OpenAiChat, value },
        Event::Finished { choice: 0, finish, stop_sequence: None },
        Event::Usage(tokens(usage)),
        Event::Ended,
    ];
    let mut sent = written(writer, events, outcome.map(|outcome| with_cost(json!(outcome), cost)).as_ref());
    let last = sent.pop().map(|last| last.costing(cost));
    sent.extend(last);
    sent
}

/// The events as they are sent; what is known stands in the response that the last of them holds.
fn written(writer: &mut Writer, events: impl IntoIterator<Item = Event>, known: Option<&Value>) -> Vec<SseEvent> {
    let mut sent = Vec::new();
    for event in events.into_iter().flat_map(|event| writer.push(event)) {
        let ends = matches!(event.event, "response.completed" | "response.incomplete");
        let data = match (known.filter(|_| ends), serde_json::from_str::<Value>(&event.data)) {
            (Some(known), Ok(mut data)) => {
                data["response"]["mainspring"] = known.clone();
                data.to_string()
            }
            _ => event.data,
        };
        sent.push(SseEvent::named(event.event, data));
    }
    sent
}

const fn end(finish: FinishReason) -> Finish {
    match finish {
        FinishReason::Stop => Finish::Stop,
        FinishReason::Length => Finish::Length,
        FinishReason::ContentFilter => Finish::ContentFilter,
        FinishReason::ToolCalls => Finish::ToolCalls,
    }
}

fn tokens(usage: Usage) -> TokenUsage {
    let cache_read = usage.cached_tokens.min(usage.input_tokens);
    let used = TokenUsage { input: usage.input_tokens, output: usage.output_tokens, cache_read, ..TokenUsage::default() };
    used.all_from(Provenance::Counted)
}
