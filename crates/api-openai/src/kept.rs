//! Responses that were made before, to be read, cancelled and deleted. The provider that made one keeps it, by its account; a
//! project is let at those that it made itself.

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use http::{HeaderName, HeaderValue};
use mainspring_gateway::{KeptBody, KeptRequest, Maker, Spent};
use mainspring_kernel::{Actor, FaultKind, text};
use mainspring_providers::{About, Operation};
use mainspring_web_kit::{Path, Problem, Refuses, may_name, with_trace};

use crate::{
    Surface,
    asked::{Asked, passed_on},
    error::{Answer, OpenAiError},
    routed,
};

/// Which response is meant, and what stands behind `?`.
type Meant = (State<Surface>, Path<String>, RawQuery);

pub(crate) async fn read(state: State<Surface>, id: Path<String>, query: RawQuery, asked: Asked) -> Answer<Response> {
    about(About::Read, (state, id, query), asked).await
}

pub(crate) async fn delete(state: State<Surface>, id: Path<String>, query: RawQuery, asked: Asked) -> Answer<Response> {
    about(About::Delete, (state, id, query), asked).await
}

pub(crate) async fn cancel(state: State<Surface>, id: Path<String>, query: RawQuery, asked: Asked) -> Answer<Response> {
    about(About::Cancel, (state, id, query), asked).await
}

pub(crate) async fn input_items(state: State<Surface>, id: Path<String>, query: RawQuery, asked: Asked) -> Answer<Response> {
    about(About::InputItems, (state, id, query), asked).await
}

async fn about(about: About, (State(state), Path(id), RawQuery(query)): Meant, asked: Asked) -> Answer<Response> {
    let (gateway, actor) = (&state.openai.gateway, &asked.actor);
    let Some(maker) = gateway.made_by(actor.project, &id).await? else { return Err(not_kept(&id)) };
    may_use(actor, &maker)?;
    let trace = asked.trace(&state.openai);
    let id_of_trace = trace.trace;
    let request = KeptRequest {
        project: actor.project,
        response: id,
        about,
        query,
        headers: passed_on(&asked.headers),
        trace,
        budget: asked.budget(&state.openai),
    };
    let answer = Box::pin(gateway.about(request, &maker)).await;
    let answer = answer.map_err(|fault| OpenAiError::from(fault).in_trace(id_of_trace))?;
    let mut response = match answer.body {
        KeptBody::Whole(bytes) => routed::json_bytes(bytes),
        KeptBody::Events(events) => routed::stream_bytes(events, Operation::Responses, Spent::default()),
    };
    *response.status_mut() = answer.status;
    response.extensions_mut().insert(answer.ending);
    let headers = response.headers_mut();
    headers.extend(answer.headers);
    for (name, value) in [("x-mainspring-provider", &maker.provider), ("x-mainspring-model", &maker.target)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    Ok(with_trace(response, id_of_trace))
}

/// A key that may name what made a response may be told of it.
fn may_use(actor: &Actor, maker: &Maker) -> Answer<()> {
    let by_route = maker.route.as_deref().is_some_and(|route| may_name(actor, route).is_ok());
    if by_route { Ok(()) } else { Ok(may_name(actor, &maker.model)?) }
}

/// Another project's are as unknown as those that nobody made.
fn not_kept(id: &str) -> OpenAiError {
    let id = text::elide(id, 80);
    let detail = format!("`{id}` was not made by this project here, or is not kept: send the conversation in `input`");
    OpenAiError::from(Problem::new(FaultKind::NotFound, "response-not-kept", detail))
}
