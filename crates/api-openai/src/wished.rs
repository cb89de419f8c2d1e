//! What clients of other gateways ask for in headers, as far as it is this surface's to do.

use std::sync::Arc;

use mainspring_chains::{Answerer, Question};
use mainspring_gateway::{Aim, Aimed, CacheWish};
use mainspring_llm::{Budget, SpanContext};
use mainspring_providers::peek::Field;
use mainspring_web_kit::{Kept, Wished, Wishes, may_name};
use serde_json::{Map, Value};

use crate::{
    OpenAi, Surface,
    asked::Asked,
    error::{Answer, OpenAiError},
};

/// Longer ones are not notes.
const METADATA_MAX: usize = 16 * 1024;

impl Asked {
    /// A user and a conversation that headers name come before those of the body: they are said to the gateway.
    pub(crate) fn wishing(mut self, wishes: Wishes) -> Self {
        let noted = self.noted();
        if let Ok(peeked) = &mut self.peeked {
            let Wished { user, session, .. } = wishes.wished();
            let of_body = || noted.get("session_id").and_then(Value::as_str).map(str::to_owned);
            peeked.user = user.clone().or(peeked.user.take());
            peeked.session = peeked.session.take().or_else(|| session.clone()).or_else(of_body);
        }
        self.wishes = if noted.is_empty() { wishes } else { wishes.noting(noted) };
        self
    }

    /// What the body's `metadata` says: notes of OpenAI's clients, and of LiteLLM's the conversation too.
    fn noted(&self) -> Map<String, Value> {
        let range = self.peeked.as_ref().ok().and_then(|peeked| peeked.places.range(Field::Metadata));
        let text = range.and_then(|range| self.body.get(range)).filter(|text| text.len() <= METADATA_MAX);
        text.and_then(|text| serde_json::from_slice(text).ok()).unwrap_or_default()
    }

    /// The trace of a request; goes on in the caller's where a `traceparent` says so.
    pub(crate) fn trace(&self, state: &OpenAi) -> SpanContext {
        let clients = state.gateway.clients();
        let to = (Arc::clone(&state.sink), Arc::clone(&state.clock));
        self.wishes.context((&self.actor, &self.headers), to, (clients.may_omit, clients.may_name_traces))
    }

    pub(crate) fn budget(&self, state: &OpenAi) -> Budget {
        Budget::of(self.wishes.within(state.answer_deadline))
    }

    /// The end user, as a header names them.
    pub(crate) fn user(&self) -> Option<String> {
        self.wishes.wished().user.clone()
    }

    pub(crate) fn cache(&self) -> CacheWish {
        match self.wishes.wished().kept {
            Some(Kept::Bypass) => CacheWish::Bypass,
            Some(Kept::Refresh) if CacheWish::of(&self.headers) != CacheWish::Bypass => CacheWish::Refresh,
            _ => CacheWish::of(&self.headers),
        }
    }

    /// What an app, a prompt or a model of this process is told beside the question. They keep no answers.
    pub(crate) fn tell(&self, question: &mut Question) {
        let Wished { user, session, .. } = self.wishes.wished();
        question.user = user.clone().or(question.user.take());
        question.session = question.session.take().or_else(|| session.clone());
        (question.batch, question.line_of) = (self.batch, self.line_of);
        self.wishes.not_kept();
    }

    /// The same request, of the provider or the route that headers name, where it is there and no app has the model's name.
    pub(crate) async fn aimed(mut self, state: &Surface) -> Answer<Self> {
        let Wished { provider, config, model, .. } = self.wishes.wished();
        let (gateway, project) = (&state.openai.gateway, self.actor.project);
        let named = model.clone().unwrap_or_else(|| self.model().to_owned());
        if self.peeked.is_err() || (provider.is_none() && config.is_none() && model.is_none() && !named.starts_with('@')) {
            return Ok(self);
        }
        let answerer = state.openai.chains.answerer(&self.actor, &named, true).await;
        let aimed = match answerer.map_err(|fault| OpenAiError::of(&fault))? {
            Answerer::Chains => Aimed::default(),
            Answerer::Gateway => {
                let provider = provider.as_ref().map(|(name, _)| name.as_str());
                gateway.aimed(project, &named, Aim { provider, route: config.as_deref() })
            }
        };
        if let Some((_, header)) = provider.as_ref().filter(|_| !aimed.provider) {
            self.wishes.ignore(header);
        }
        if config.is_some() && !aimed.route {
            self.wishes.ignore("x-portkey-config");
        }
        let other = model.clone().filter(|model| gateway.has(project, model));
        if model.is_some() && other.is_none() && aimed.model.is_none() {
            self.wishes.ignore("x-portkey-config.override_params");
        }
        let Some(name) = aimed.model.or(other) else { return Ok(self) };
        may_name(&self.actor, &name)?;
        if let Ok(peeked) = &mut self.peeked {
            peeked.model = name;
        }
        Ok(self)
    }
}
