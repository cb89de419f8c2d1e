//! Which name a call means, where its client says beside the model which provider or which route is to answer.

use mainspring_kernel::id::ProjectId;

use crate::gateway::Gateway;

/// What a client says beside the model's name.
#[derive(Debug, Clone, Copy, Default)]
pub struct Aim<'a> {
    /// A provider of the project, by its name.
    pub provider: Option<&'a str>,
    /// A route of the project, by its name.
    pub route: Option<&'a str>,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aimed {
    /// The name to call instead of the one in the body.
    pub model: Option<String>,
    /// Whether the provider, and the route, that was named is the one that answers.
    pub provider: bool,
    pub route: bool,
}

impl Gateway {
    /// A route decides which provider answers; a provider answers a model that is no route's name.
    #[must_use]
    pub fn aimed(&self, project: ProjectId, model: &str, aim: Aim<'_>) -> Aimed {
        if let Some(aimed) = aim.route.and_then(|route| self.at_route(project, model, route)) {
            return aimed;
        }
        // `@provider/model` is how other gateways write what is `provider/model` here.
        let plain = model.strip_prefix('@').unwrap_or(model);
        if let Some(provider) = aim.provider
            && let Some(model) = self.at_provider(project, plain, provider)
        {
            return Aimed { model: Some(model), provider: true, route: false };
        }
        let named = plain != model && !self.has(project, model) && self.has(project, plain);
        Aimed { model: named.then(|| plain.to_owned()), ..Aimed::default() }
    }

    fn at_route(&self, project: ProjectId, model: &str, named: &str) -> Option<Aimed> {
        let route = self.inner.routes.of(project).exact(named)?;
        let aimed = |model| Some(Aimed { model, route: true, provider: false });
        if route.targets.iter().all(|target| target.model.is_some()) {
            return aimed(Some(named.to_owned()));
        }
        // Its targets are handed the client's own name, which has to be one that means this route.
        let meant = self.resolve(project, model).ok()?;
        if meant.name == route.name { aimed(None) } else { None }
    }

    fn at_provider(&self, project: ProjectId, model: &str, provider: &str) -> Option<String> {
        if model.is_empty() || self.inner.routes.of(project).exact(model).is_some() {
            return None;
        }
        let there = model.split_once('/').is_some_and(|(first, _)| first == provider);
        let name = if there { model.to_owned() } else { format!("{provider}/{model}") };
        let route = self.resolve(project, &name).ok()?;
        let direct = route.name.is_none() && route.targets.iter().all(|target| target.provider.name.as_str() == provider);
        direct.then_some(name)
    }
}
