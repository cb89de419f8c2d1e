//! Collects what an import makes, and checks it as the server would.

mod parts;
mod planned;

use mainspring_gateway::{ModelPrice, PricesSpec, RouteSpec};
use mainspring_kernel::{AssetKind, Name};
use mainspring_prompts::PromptSpec;
use mainspring_providers::{CredentialRef, ProviderSpec};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    fault::ImportFault,
    imported::{Imported, Manifest},
    key::{Key, Keys},
    names,
    report::{Note, Report, Step},
};

pub(crate) use parts::{
    LONGEST, MOST, attempt_within, attempts_within, cache, class, largest, later, millis, provider, retries, route, seconds,
    target, weights,
};
pub(crate) use planned::{Client, Whom};

/// The gateway writes these itself.
const RESERVED: [&str; 7] = ["model", "messages", "input", "prompt", "stream", "stream_options", "mainspring"];
/// Words in the name of a header whose value is likely a secret.
const SECRET: [&str; 8] = ["auth", "key", "token", "secret", "cookie", "password", "credential", "signature"];
pub(crate) const TARGETS_MAX: usize = 64;

#[derive(Default)]
pub(crate) struct Draft {
    providers: Vec<(Name, ProviderSpec)>,
    routes: Vec<(Name, RouteSpec, Option<String>)>,
    prices: Vec<ModelPrice>,
    prompts: Vec<(Name, Value, Option<String>)>,
    keys: Keys,
    report: Report,
}

impl Draft {
    pub(crate) fn different(&mut self, path: impl Into<String>, message: impl Into<String>) {
        note(&mut self.report.different, path.into(), message.into());
    }

    pub(crate) fn missing(&mut self, path: impl Into<String>, message: impl Into<String>) {
        note(&mut self.report.missing, path.into(), message.into());
    }

    pub(crate) fn plan(&mut self, path: impl Into<String>, command: impl Into<String>, why: impl Into<String>) {
        self.step(Step { path: path.into(), command: command.into(), why: why.into(), action: None });
    }

    pub(crate) fn reserve(&mut self, variable: &str) {
        self.keys.reserve(variable);
    }

    /// A reference to a key, or a note that there can be none.
    pub(crate) fn key(&mut self, key: Key, usual: &str, path: &str) -> Option<CredentialRef> {
        match self.keys.reference(key, usual, path) {
            Ok(reference) => reference,
            Err(why) => {
                self.missing(path, format!("{why}; write `credential` into the provider"));
                None
            }
        }
    }

    /// Parameters that are always sent; those that come with the request are left out.
    pub(crate) fn parameters(&mut self, path: &str, given: impl IntoIterator<Item = (String, Value)>) -> Map<String, Value> {
        let mut parameters = Map::new();
        for (name, value) in given {
            if RESERVED.contains(&name.as_str()) {
                self.missing(format!("{path}.{name}"), "this field comes from the request");
            } else {
                parameters.insert(name, value);
            }
        }
        parameters
    }

    /// A header that is sent along. One that may carry a secret is not.
    pub(crate) fn header(&mut self, spec: &mut ProviderSpec, (name, value): (&str, &str), path: &str) {
        let lower = name.to_ascii_lowercase();
        // What would be read as the place of a value is meant as the value here.
        let suspicious = SECRET.iter().any(|word| lower.contains(word)) || CredentialRef::of_value(value).is_some();
        let mut with = spec.clone();
        with.headers.insert(lower, value.to_owned());
        if suspicious || with.validate().is_err() {
            self.missing(path, "headers that may carry a secret, or belong to the connection, are not written into specs");
        } else {
            *spec = with;
        }
    }

    /// A header whose value lies in a variable.
    pub(crate) fn header_from(&mut self, spec: &mut ProviderSpec, (name, variable): (&str, &str), path: &str) {
        let mut with = spec.clone();
        with.headers.insert(name.to_ascii_lowercase(), format!("env:{variable}"));
        match self.keys.reference(Key::Variable(variable.to_owned()), variable, path) {
            Err(why) => self.missing(path, why),
            Ok(_) if with.validate().is_err() => self.missing(path, "this header cannot be sent along"),
            Ok(_) => *spec = with,
        }
    }

    /// The provider with this spec, made where there is none. Nothing where the server would refuse it.
    pub(crate) fn provider(&mut self, wanted: &str, spec: ProviderSpec, path: &str) -> Option<Name> {
        if let Err(fault) = spec.validate() {
            for problem in fault.problems {
                self.missing(path, format!("no provider can be made of it: `{}` {}", problem.path, problem.message));
            }
            return None;
        }
        if let Some((name, _)) = self.providers.iter().find(|(_, known)| *known == spec) {
            return Some(name.clone());
        }
        let taken = |providers: &[(Name, ProviderSpec)], name: &Name| {
            // The models of this process are called so.
            name.as_str() == "local" || providers.iter().any(|(known, _)| known == name)
        };
        let first = names::slug(wanted);
        let near = spec.base_url.as_deref().and_then(host_word).or_else(|| spec.region.clone());
        let wanted = match (first.parse::<Name>(), near) {
            (Ok(name), Some(near)) if taken(&self.providers, &name) => format!("{first}-{near}"),
            _ => first,
        };
        let name = names::free(&wanted, spec.kind.as_str(), |name| taken(&self.providers, name))?;
        self.providers.push((name.clone(), spec));
        Some(name)
    }

    /// The exact name a client uses becomes the route's where it can be one, and a further name of it otherwise.
    pub(crate) fn route(&mut self, wanted: &str, mut spec: RouteSpec, about: Option<String>, path: &str) -> Option<Name> {
        if spec.targets.len() > TARGETS_MAX {
            self.missing(path, format!("a route has at most {TARGETS_MAX} targets: the others are left out"));
            spec.targets.truncate(TARGETS_MAX);
        }
        let name = names::free(wanted, "route", |name| self.routes.iter().any(|(known, ..)| known == name))?;
        if name.as_str() != wanted && !spec.models.iter().any(|model| model == wanted) {
            spec.models.insert(0, wanted.to_owned());
        }
        spec.models.retain(|model| self.can_name(model, path));
        let problems = spec.validate();
        if problems.is_empty() {
            self.routes.push((name.clone(), spec, about));
            return Some(name);
        }
        for (place, problem) in problems {
            self.missing(path, format!("no route can be made of it: `{place}`: {problem}"));
        }
        None
    }

    fn can_name(&mut self, model: &str, path: &str) -> bool {
        let plain = !model.is_empty() && model.len() <= 200;
        let plain = plain && !model.chars().any(|letter| letter.is_control() || letter.is_whitespace());
        if !plain {
            self.missing(path, "this name has spaces or is too long for a model: clients use the route's name");
        }
        plain
    }

    /// A further name for a route that is there.
    pub(crate) fn name_too(&mut self, name: &Name, model: &str) -> bool {
        let Some((_, spec, _)) = self.routes.iter_mut().find(|(known, ..)| known == name) else { return false };
        if model == name.as_str() || spec.models.iter().any(|known| known == model) {
            return true;
        }
        spec.models.push(model.to_owned());
        if spec.validate().is_empty() {
            return true;
        }
        spec.models.pop();
        false
    }

    pub(crate) fn price(&mut self, price: ModelPrice, path: &str) {
        let same = |known: &&ModelPrice| known.model == price.model && known.provider == price.provider;
        match self.prices.iter().find(same) {
            Some(known) if *known == price => {}
            Some(_) => self.missing(path, "this model has another price before, and the first counts"),
            None => {
                let problems = PricesSpec { models: vec![price.clone()] }.validate();
                for problem in problems.values() {
                    self.missing(path, format!("the price cannot be kept: {problem}"));
                }
                if problems.is_empty() {
                    // Elsewhere a name counts before a pattern; here the first that matches does.
                    let place = self.prices.iter().position(|known| known.hides(&price)).unwrap_or(self.prices.len());
                    self.prices.insert(place, price);
                }
            }
        }
    }

    /// A prompt, if its templates can be rendered here.
    pub(crate) fn prompt(&mut self, wanted: &str, spec: Value, about: Option<String>, path: &str) -> Option<Name> {
        let read = serde_json::from_value::<PromptSpec>(spec.clone()).map_err(|error| error.to_string());
        if let Err(why) = read.and_then(|read| read.validate().map_err(|fault| fault.to_string())) {
            self.missing(path, format!("no prompt can be made of its templates: {why}"));
            return None;
        }
        let name = names::free(wanted, "prompt", |name| self.prompts.iter().any(|(known, ..)| known == name))?;
        self.prompts.push((name.clone(), spec, about));
        Some(name)
    }

    pub(crate) fn finish(self, whose: &'static str) -> Result<Imported, ImportFault> {
        let Self { providers, routes, prices, prompts, keys, mut report } = self;
        let mut manifests = Vec::with_capacity(providers.len() + routes.len() + prompts.len() + 1);
        let value = |spec: serde_json::Result<Value>| spec.unwrap_or_default();
        let asset = |kind, name, description, spec| Manifest { kind, name, description, spec };
        for (name, spec) in providers {
            manifests.push(asset(AssetKind::Provider, name, None, value(serde_json::to_value(&spec))));
        }
        for (name, spec, about) in routes {
            manifests.push(asset(AssetKind::Route, name, about, short(&spec)));
        }
        for (name, spec, about) in prompts {
            manifests.push(asset(AssetKind::Prompt, name, about, spec));
        }
        if let (false, Ok(name)) = (prices.is_empty(), "default".parse()) {
            let models = PricesSpec { models: prices };
            note(&mut report.different, "prices".to_owned(), PRICES.to_owned());
            manifests.push(asset(AssetKind::Prices, name, None, value(serde_json::to_value(&models))));
        }
        report.variables = keys.into_variables();
        if manifests.is_empty() && report.plan.is_empty() {
            let first = report.missing.first().map(|Note { path, message }| format!("{path}: {message}"));
            return Err(ImportFault::Nothing { whose, first });
        }
        Ok(Imported { manifests, report })
    }
}

const PRICES: &str =
    "they become the table `default`, which comes before the built-in prices and takes the place of a table of that name";

fn note(notes: &mut Vec<Note>, path: String, message: String) {
    let note = Note { path, message };
    if !notes.contains(&note) {
        notes.push(note);
    }
}

/// A route without what it has anyway: people read these.
fn short(spec: &RouteSpec) -> Value {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(spec) else { return Value::Null };
    let usual = route(Vec::new());
    if let Ok(Value::Object(usual)) = serde_json::to_value(&usual) {
        fields.retain(|name, value| name == "targets" || usual.get(name) != Some(&*value));
        for name in ["retry", "timeouts", "breaker"] {
            let Some(Value::Object(usual)) = usual.get(name) else { continue };
            if let Some(Value::Object(said)) = fields.get_mut(name) {
                said.retain(|field, value| usual.get(field) != Some(&*value));
            }
        }
    }
    Value::Object(fields)
}

/// The part of an address that tells it from others: `eu` of `https://eu.openai.azure.com`.
fn host_word(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let host = url.host_str()?.trim_matches(['[', ']']);
    if host.parse::<std::net::IpAddr>().is_ok() {
        return url.port().map(|port| port.to_string());
    }
    host.split('.').find(|word| !matches!(*word, "www" | "api")).map(names::slug).filter(|word| !word.is_empty())
}
