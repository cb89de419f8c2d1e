//! What clients send, read no further than it must be to know who answers.

use axum::extract::{FromRequest, FromRequestParts, Request as Incoming};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header::HOST};
use mainspring_gateway::{Caller, Peeked, Read, Request};
use mainspring_kernel::{Actor, id::BatchId};
use mainspring_llm::{Budget, SpanContext, Told, exchange::Dialect};
use mainspring_providers::{
    Operation,
    peek::{self, PeekFault},
};
use mainspring_web_kit::{Caller as Known, Wishes, may_name, parse_body, read_body};
use serde::de::DeserializeOwned;

use crate::{
    OpenAi,
    error::{Answer, OpenAiError},
    page::Page,
};

/// Of one conversation.
const SESSION: HeaderName = HeaderName::from_static("x-mainspring-session");

/// One request of a client, with who makes it.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) actor: Actor,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Priced as calls in a batch are.
    pub(crate) batch: bool,
    /// The batch of which it is a line.
    pub(crate) line_of: Option<BatchId>,
    /// In the headers of other gateways.
    pub(crate) wishes: Wishes,
    pub(crate) peeked: Result<Peeked, PeekFault>,
}

impl<S: Send + Sync> FromRequest<S> for Asked {
    type Rejection = OpenAiError;

    async fn from_request(request: Incoming, state: &S) -> Answer<Self> {
        let (mut parts, body) = request.into_parts();
        let Known(actor) = Known::from_request_parts(&mut parts, state).await?;
        let (mut headers, wishes) = (parts.headers.clone(), Wishes::of(&parts.extensions));
        // Under HTTP/2 the name that was called stands in the address.
        if let Some(Ok(host)) = parts.uri.authority().map(|host| HeaderValue::from_str(host.as_str())) {
            headers.entry(HOST).or_insert(host);
        }
        let body = read_body(Incoming::from_parts(parts, body)).await?;
        Ok(Self::of(actor, headers, body)?.wishing(wishes))
    }
}

impl Asked {
    /// What somebody asks, who is known.
    pub(crate) fn of(actor: Actor, headers: HeaderMap, body: Bytes) -> Answer<Self> {
        let peeked = peek::peek(&body).map(|peek| {
            let mut peeked = Peeked::from(peek);
            let session = headers.get(&SESSION).and_then(|value| value.to_str().ok()).map(str::to_owned);
            peeked.session = session.or(peeked.session.take());
            peeked
        });
        // One that is missing is told by whoever needs it.
        if let Some(model) = peeked.as_ref().ok().map(|peeked| peeked.model.as_str()).filter(|model| !model.is_empty()) {
            may_name(&actor, model)?;
        }
        Ok(Self { actor, headers, body, batch: false, line_of: None, wishes: Wishes::default(), peeked })
    }

    /// Nobody waits for the answer: it is a line of a batch, which may be priced so.
    pub(crate) fn in_batch(self, line_of: BatchId, batch: bool) -> Self {
        Self { batch, line_of: Some(line_of), ..self }
    }

    /// The model the client names; empty where the body does not say or cannot be read.
    pub(crate) fn model(&self) -> &str {
        self.peeked.as_ref().map_or("", |peeked| peeked.model.as_str())
    }

    /// The page that citations in the answer are linked to.
    pub(crate) fn page(&self, state: &OpenAi) -> Page {
        Page::of(state.public_url.as_deref(), &self.headers)
    }

    /// The whole body, for those who answer here.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Answer<T> {
        let read = parse_body(&self.body)?;
        // Two readers that disagree about a body must not both be right.
        self.peeked.as_ref().map_err(OpenAiError::unread)?;
        Ok(read)
    }

    /// The same for an endpoint whose requests go to the gateway, which names the model.
    pub(crate) fn named(mut self, usual: Option<&str>) -> Answer<Self> {
        let peeked = self.peeked.as_mut().map_err(|fault| OpenAiError::unread(fault))?;
        match usual {
            _ if !peeked.model.is_empty() => Ok(self),
            Some(usual) => {
                may_name(&self.actor, usual)?;
                usual.clone_into(&mut peeked.model);
                Ok(self)
            }
            None => Err(OpenAiError::param("model", "`model` is missing")),
        }
    }

    pub(crate) fn request(&self, (operation, read): (Operation, Read), trace: SpanContext, budget: Budget) -> Answer<Request> {
        let mut peeked = self.peeked.clone().map_err(|fault| OpenAiError::unread(&fault))?;
        let responses = matches!(operation, Operation::Responses | Operation::Compact | Operation::CountTokens);
        // Streams of that endpoint always say what was used.
        peeked.include_usage |= responses;
        Ok(Request {
            caller: self.caller(peeked.user.clone()),
            version: None,
            labels: self.actor.labels.clone(),
            trace,
            operation,
            said_in: if responses { Dialect::OpenAiResponses } else { Dialect::OpenAiChat },
            headers: passed_on(&self.headers),
            body: self.body.clone(),
            peeked,
            read,
            cache: self.cache(),
            budget,
            batch: self.batch,
            told: Told::default(),
        })
    }

    /// On whose behalf a call is made.
    pub(crate) fn caller(&self, user: Option<String>) -> Caller {
        let Actor { project, principal, key, .. } = self.actor;
        Caller { project, principal, key, user, app: None, line_of: self.line_of }
    }

    pub(crate) fn include_usage(&self) -> bool {
        self.peeked.as_ref().is_ok_and(|peeked| peeked.include_usage)
    }
}

/// What a provider of this dialect reads: its betas, and which of our organisations and projects there is meant.
pub(crate) fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let mut all = HeaderMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| name.as_str().starts_with("openai-")) {
        all.append(name, value.clone());
    }
    all
}
