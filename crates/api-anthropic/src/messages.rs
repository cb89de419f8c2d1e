//! `POST /v1/messages` and `POST /v1/messages/count_tokens`.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use mainspring_chains::{Answerer, Target};
use mainspring_gateway::{CacheOutcome, GatewayFault};
use mainspring_providers::Operation;
use mainspring_web_kit::{Refuses, with_told};

use crate::{
    Anthropic, answer, apps,
    asked::Asked,
    error::{Answer, AnthropicError},
    limits,
};

pub(crate) async fn create(State(state): State<Anthropic>, asked: Asked) -> Response {
    respond(&state, &asked, Operation::Messages).await
}

pub(crate) async fn count_tokens(State(state): State<Anthropic>, asked: Asked) -> Response {
    respond(&state, &asked, Operation::CountTokens).await
}

async fn respond(state: &Anthropic, asked: &Asked, operation: Operation) -> Response {
    let answered = Box::pin(answered(state, asked, operation)).await;
    let mut response = answered.unwrap_or_else(|error| error.on(asked.tag.clone()).into_response());
    limits::tell(response.headers_mut(), state.clock.now());
    response
}

/// Who answers is decided as on every surface; a name that nobody has is told with the nearest one.
async fn answered(state: &Anthropic, asked: &Asked, operation: Operation) -> Answer<Response> {
    let budget = asked.budget(state.answer_deadline);
    let called = asked.called(state).await?;
    let (project, model) = (asked.actor.project, called.as_str());
    let answerer = state.chains.answerer(&asked.actor, model, state.gateway.has(project, model)).await;
    if answerer.map_err(|fault| AnthropicError::of(&fault))? == Answerer::Gateway {
        let trace = asked.trace(state);
        let id = trace.trace;
        let mut request = asked.request(operation, trace, budget);
        request.peeked.model.clone_from(&called);
        let told = request.told.clone();
        let answered = state.gateway.call(request).await;
        let answered = answered.map_err(|fault| AnthropicError::from(fault).telling(&told))?;
        if answered.cache == CacheOutcome::Off {
            asked.wishes.not_kept();
        }
        let response = answer::response(answered, (operation, asked.peeked.model.as_str()), id, asked.tag.as_deref())?;
        return Ok(with_told(response, &told));
    }
    let Ok(target) = model.parse::<Target>() else { return Err(state.gateway.unknown(project, model).into()) };
    let said = target.kind.is_some();
    match apps::answer(state, asked, (operation, target), budget).await {
        Err(error) if !said && error.code() == "chain-unknown-target" => {
            let unknown = state.gateway.unknown(project, model);
            Err(if names_another(&unknown) { AnthropicError::from(unknown) } else { error })
        }
        answer => answer,
    }
}

const fn names_another(fault: &GatewayFault) -> bool {
    matches!(fault, GatewayFault::UnknownModel { nearest: Some(_), .. })
}
