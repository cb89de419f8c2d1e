//! What clients send, read no further than the gateway needs.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request as Incoming};
use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use mainspring_gateway::{Caller, GatewayFault, Peeked, Reading, Request};
use mainspring_kernel::Actor;
use mainspring_llm::{Budget, SpanContext, Told, exchange::Dialect};
use mainspring_providers::{Operation, anthropic, peek};
use mainspring_web_kit::{Caller as Known, RequestTag, Wishes, may_name, read_body};

use crate::{
    Anthropic,
    agents::{self, Said},
    error::{Answer, AnthropicError},
};

/// Of one conversation.
const SESSION: HeaderName = HeaderName::from_static("x-mainspring-session");
const CLAUDE_CODE_SESSION: HeaderName = HeaderName::from_static("x-claude-code-session-id");

/// One request of a client, with who makes it.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) actor: Actor,
    /// The request's id.
    pub(crate) tag: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) peeked: Peeked,
    /// In the headers of other gateways.
    pub(crate) wishes: Wishes,
}

impl<S: Send + Sync> FromRequest<S> for Asked {
    type Rejection = AnthropicError;

    async fn from_request(request: Incoming, state: &S) -> Answer<Self> {
        let tag = request.extensions().get::<RequestTag>().map(|tag| tag.0.clone());
        Self::read(request, state, tag.clone()).await.map_err(|error| error.on(tag))
    }
}

impl Asked {
    async fn read<S: Send + Sync>(request: Incoming, state: &S, tag: Option<String>) -> Answer<Self> {
        let (mut parts, body) = request.into_parts();
        let Known(actor) = Known::from_request_parts(&mut parts, state).await?;
        let (headers, wishes) = (parts.headers.clone(), Wishes::of(&parts.extensions));
        let body = read_body(Incoming::from_parts(parts, body)).await?;
        let peeked = peek::peek(&body).map_err(|fault| AnthropicError::of(&fault))?;
        let mut peeked = Peeked::from(peeked);
        if peeked.model.is_empty() {
            return Err(AnthropicError::invalid("model", "it is missing"));
        }
        may_name(&actor, &peeked.model)?;
        peeked.session = session(&headers).or(peeked.session);
        if let Some(Said { user, session }) = peeked.user.as_deref().and_then(agents::said) {
            peeked.user = Some(user);
            peeked.session.get_or_insert(session);
        }
        // Streams of this dialect always say what was used.
        peeked.include_usage = true;
        Ok(Self { actor, tag, headers, body, peeked, wishes: Wishes::default() }.wishing(wishes))
    }

    /// The trace of a request; goes on in the caller's where a `traceparent` says so.
    pub(crate) fn trace(&self, state: &Anthropic) -> SpanContext {
        let clients = state.gateway.clients();
        let to = (Arc::clone(&state.sink), Arc::clone(&state.clock));
        self.wishes.context((&self.actor, &self.headers), to, (clients.may_omit, clients.may_name_traces))
    }

    pub(crate) fn request(&self, operation: Operation, trace: SpanContext, budget: Budget) -> Request {
        Request {
            caller: Caller {
                project: self.actor.project,
                principal: self.actor.principal,
                key: self.actor.key,
                user: self.peeked.user.clone(),
                app: None,
                line_of: None,
            },
            version: None,
            labels: self.actor.labels.clone(),
            trace,
            operation,
            said_in: Dialect::Anthropic,
            headers: passed_on(&self.headers),
            body: self.body.clone(),
            peeked: self.peeked.clone(),
            read,
            cache: self.cache(),
            budget,
            batch: false,
            told: Told::default(),
        }
    }
}

fn read(body: &[u8]) -> Result<Reading, GatewayFault> {
    match anthropic::read(body) {
        Ok(call) => Ok(Reading::Chat(Box::new(call))),
        Err(fault) => Err(GatewayFault::invalid(fault.field, fault.message)),
    }
}

fn session(headers: &HeaderMap) -> Option<String> {
    let named = headers.get(&SESSION).or_else(|| headers.get(&CLAUDE_CODE_SESSION));
    named.and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// What a provider of this dialect reads: its version, its betas, and what is to come under the same prefix.
pub(crate) fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let theirs = |name: &str| name.starts_with("anthropic-") && name != "anthropic-dangerous-direct-browser-access";
    let passed = headers.iter().filter(|(name, _)| theirs(name.as_str()));
    let mut all = HeaderMap::new();
    for (name, value) in passed {
        all.append(name, value.clone());
    }
    all
}
