//! What clients of other gateways ask for in headers, as far as it is this surface's to do.

use std::time::Duration;

use mainspring_chains::{Answerer, Question};
use mainspring_gateway::{Aim, Aimed, CacheWish};
use mainspring_llm::Budget;
use mainspring_web_kit::{Kept, Wished, Wishes, may_name};

use crate::{
    Anthropic,
    asked::Asked,
    error::{Answer, AnthropicError},
};

impl Asked {
    /// A user and a conversation that headers name come before those of the body: they are said to the gateway.
    pub(crate) fn wishing(mut self, wishes: Wishes) -> Self {
        let Wished { user, session, .. } = wishes.wished();
        self.peeked.user = user.clone().or(self.peeked.user.take());
        self.peeked.session = self.peeked.session.take().or_else(|| session.clone());
        self.wishes = wishes;
        self
    }

    pub(crate) fn budget(&self, usual: Duration) -> Budget {
        Budget::of(self.wishes.within(usual))
    }

    pub(crate) fn cache(&self) -> CacheWish {
        match self.wishes.wished().kept {
            Some(Kept::Bypass) => CacheWish::Bypass,
            Some(Kept::Refresh) if CacheWish::of(&self.headers) != CacheWish::Bypass => CacheWish::Refresh,
            _ => CacheWish::of(&self.headers),
        }
    }

    /// What an app or a prompt is told beside the question. They keep no answers.
    pub(crate) fn tell(&self, question: &mut Question) {
        let Wished { user, session, .. } = self.wishes.wished();
        question.user = user.clone().or(question.user.take());
        question.session = question.session.take().or_else(|| session.clone());
        self.wishes.not_kept();
    }

    /// The name that is called: of the provider or the route that headers name, where it is there and no app has the model's
    /// name.
    pub(crate) async fn called(&self, state: &Anthropic) -> Answer<String> {
        let Wished { provider, config, model, .. } = self.wishes.wished();
        let project = self.actor.project;
        let named = model.as_deref().unwrap_or(&self.peeked.model);
        if provider.is_none() && config.is_none() && model.is_none() && !named.starts_with('@') {
            return Ok(self.peeked.model.clone());
        }
        let answerer = state.chains.answerer(&self.actor, named, true).await;
        let aimed = match answerer.map_err(|fault| AnthropicError::of(&fault))? {
            Answerer::Chains => Aimed::default(),
            Answerer::Gateway => {
                let provider = provider.as_ref().map(|(name, _)| name.as_str());
                state.gateway.aimed(project, named, Aim { provider, route: config.as_deref() })
            }
        };
        if let Some((_, header)) = provider.as_ref().filter(|_| !aimed.provider) {
            self.wishes.ignore(header);
        }
        if config.is_some() && !aimed.route {
            self.wishes.ignore("x-portkey-config");
        }
        let other = model.clone().filter(|model| state.gateway.has(project, model));
        if model.is_some() && other.is_none() && aimed.model.is_none() {
            self.wishes.ignore("x-portkey-config.override_params");
        }
        let Some(name) = aimed.model.or(other) else { return Ok(self.peeked.model.clone()) };
        may_name(&self.actor, &name)?;
        Ok(name)
    }
}
