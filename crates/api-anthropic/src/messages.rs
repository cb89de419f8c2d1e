//! `POST /v1/messages` and `POST /v1/messages/count_tokens`.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use mainspring_chains::Target;
use mainspring_gateway::GatewayFault;
use mainspring_llm::Budget;
use mainspring_providers::Operation;

use crate::{
    Anthropic, answer, apps,
    asked::Asked,
    error::{Answer, AnthropicError},
};

pub(crate) async fn create(State(state): State<Anthropic>, asked: Asked) -> Response {
    respond(&state, &asked, Operation::Messages).await
}

pub(crate) async fn count_tokens(State(state): State<Anthropic>, asked: Asked) -> Response {
    respond(&state, &asked, Operation::CountTokens).await
}

async fn respond(state: &Anthropic, asked: &Asked, operation: Operation) -> Response {
    match Box::pin(answered(state, asked, operation)).await {
        Ok(response) => response,
        Err(error) => error.on(asked.tag.clone()).into_response(),
    }
}

/// The gateway decides in memory whether it knows the model; only a name it does not know is looked for among apps and
/// prompts, unless the client says that it means one: `app/NAME`, `prompt/NAME`.
async fn answered(state: &Anthropic, asked: &Asked, operation: Operation) -> Answer<Response> {
    let budget = Budget::of(state.answer_deadline);
    let target: Option<Target> = asked.peeked.model.parse().ok();
    if let Some(target) = target.clone().filter(|target| target.kind.is_some()) {
        return apps::answer(state, asked, (operation, target), budget).await;
    }
    let trace = asked.trace(state);
    let id = trace.trace;
    let unknown = match state.gateway.call(asked.request(operation, trace, budget)).await {
        Ok(answered) => return answer::response(answered, (operation, asked.peeked.model.as_str()), id, asked.tag.as_deref()),
        Err(fault @ GatewayFault::UnknownModel { .. }) => fault,
        Err(fault) => return Err(fault.into()),
    };
    let Some(target) = target else { return Err(unknown.into()) };
    match apps::answer(state, asked, (operation, target), budget).await {
        Err(error) if error.code() == "chain-unknown-target" => {
            Err(if names_another(&unknown) { AnthropicError::from(unknown) } else { error })
        }
        answer => answer,
    }
}

const fn names_another(fault: &GatewayFault) -> bool {
    matches!(fault, GatewayFault::UnknownModel { nearest: Some(_), .. })
}
