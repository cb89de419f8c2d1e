//! `[models.*]` and `[embedding_models.*]`: routes whose targets are asked in order.

use std::collections::BTreeMap;

use mainspring_gateway::{Span, Target, Timeouts};
use mainspring_kernel::Name;
use mainspring_providers::{Preset, ProviderKind, ProviderSpec};
use serde_json::{Map, Value};

use super::{Location, costs, location};
use crate::{
    draft::{self, Draft},
    key::Key,
    known::Known,
    read::{self, Table},
};

/// The targets of a model, and what bounds its calls.
#[derive(Clone)]
pub(super) struct Model {
    pub(super) targets: Vec<Target>,
    pub(super) timeouts: Timeouts,
}

pub(super) struct Models {
    /// Where keys of a type of provider lie, where the provider itself does not say.
    defaults: BTreeMap<String, Value>,
    known: BTreeMap<String, Model>,
}

impl Models {
    pub(super) fn with_defaults(types: Option<Table>, draft: &mut Draft) -> Self {
        let mut defaults = BTreeMap::new();
        for (name, mut table) in types.map(|types| types.tables().0).unwrap_or_default() {
            if let Some(mut said) = table.table("defaults") {
                let place = said.take("api_key_location").or_else(|| said.take("credential_location"));
                defaults.extend(place.map(|place| (name, place)));
            }
            let path = table.path.clone();
            for (field, _) in table.rest() {
                draft.missing(read::joined(&path, &field), "this has no equivalent");
            }
        }
        Self { defaults, known: BTreeMap::new() }
    }

    /// Reads models, and makes a route of each that can be called from here.
    pub(super) fn read(&mut self, draft: &mut Draft, section: Table) {
        let kind = if section.path == "embedding_models" { "embedding_model_name" } else { "model_name" };
        for (name, table) in section.tables().0 {
            let path = table.path.clone();
            let model = self.model(draft, table);
            if model.targets.is_empty() {
                draft.missing(path, "none of its providers can be called from here: there is no route for it");
                continue;
            }
            let mut spec = draft::route(model.targets.clone());
            spec.timeouts = model.timeouts.clone();
            // The next provider is asked at once.
            spec.retry.attempts = 0;
            spec.models.push(format!("tensorzero::{kind}::{name}"));
            draft.route(&name, spec, None, &path);
            self.known.insert(name, model);
        }
    }

    /// The model of a variant: one of the file, or `openai::gpt-4o`.
    pub(super) fn named(&self, draft: &mut Draft, name: &str, path: &str) -> Option<Model> {
        if let Some(model) = self.known.get(name) {
            return Some(model.clone());
        }
        let (word, rest) = name.split_once("::").unwrap_or(("", name));
        let rest = rest.strip_prefix("responses::").unwrap_or(rest);
        let Some(known) = Known::of(word) else {
            draft.missing(path, "it names a model that cannot be called from here");
            return None;
        };
        let mut spec = known.spec(None);
        spec.credential = self.key(draft, None, (word, known), path).ok()?;
        let provider = draft.provider(word, spec, path)?;
        Some(Model { targets: vec![draft::target(provider, Some(rest.to_owned()))], timeouts: Timeouts::default() })
    }

    fn model(&self, draft: &mut Draft, mut table: Table) -> Model {
        let mut model = Model { targets: Vec::new(), timeouts: Timeouts::default() };
        let routing = table.texts("routing").unwrap_or_default();
        let mut providers: BTreeMap<String, Table> =
            table.table("providers").map(|table| table.tables().0.into_iter().collect()).unwrap_or_default();
        times(draft, &mut table).apply(&mut model.timeouts);
        let mut own = Vec::new();
        for name in &routing {
            let Some(provider) = providers.remove(name) else {
                draft.missing(table.at("routing"), "it names a provider that is not there");
                continue;
            };
            if let Some((mut target, bounds)) = self.target(draft, name, provider) {
                target.tier = u32::try_from(model.targets.len()).unwrap_or(0);
                model.targets.push(target);
                own.push(bounds);
            }
        }
        of_providers(draft, &own, &mut model.timeouts, &table.path);
        for unused in providers.into_values() {
            draft.missing(unused.path, "no routing names it: it is left out");
        }
        let path = table.path.clone();
        for (field, _) in table.rest() {
            let message = if field == "skip_relay" { "there is no relay" } else { "this has no equivalent" };
            draft.missing(read::joined(&path, &field), message);
        }
        model
    }

    fn target(&self, draft: &mut Draft, name: &str, mut table: Table) -> Option<(Target, Bounds)> {
        let word = table.text("type").unwrap_or_default();
        let Some(known) = Known::of(&word) else {
            draft.missing(table.at("type"), format!("{}: the provider is left out", unknown(&word)));
            return None;
        };
        let provider = self.provider(draft, (name, &word, known), &mut table)?;
        let model = ["model_name", "deployment_id", "model_id", "endpoint_id"].iter().find_map(|field| table.text(field));
        // A server of TGI has one model, and asks for no name.
        let Some(model) = model.or_else(|| known.is(Preset::Tgi).then(|| "tgi".to_owned())) else {
            draft.missing(&table.path, "it names no model: the provider is left out");
            return None;
        };
        let mut target = draft::target(provider.clone(), Some(model.clone()));
        target.parameters = body(draft, &mut table);
        let bounds = times(draft, &mut table);
        costs::read(draft, &mut table, (&model, &provider));
        leftovers(draft, table);
        Some((target, bounds))
    }

    fn provider(&self, draft: &mut Draft, (name, word, known): (&str, &str, Known), table: &mut Table) -> Option<Name> {
        let address = ["api_base", "endpoint", "endpoint_url"].iter().find_map(|field| table.text(field));
        if address.as_deref().is_some_and(|address| ["env::", "dynamic::", "path::"].iter().any(|way| address.starts_with(way))) {
            draft.missing(&table.path, "an address from elsewhere has no equivalent: write it out. The provider is left out");
            return None;
        }
        // The whole address of the endpoint stands there for Anthropic.
        let address = address.filter(|address| address != "none").map(|address| {
            let address = address.trim_end_matches('/');
            address.strip_suffix("/messages").unwrap_or(address).to_owned()
        });
        let mut spec = known.spec(address);
        if known.kind() == ProviderKind::Bedrock {
            bedrock(draft, table, &mut spec);
        } else {
            let said = table.take("api_key_location").or_else(|| table.take("credential_location"));
            let path = table.at("api_key_location");
            spec.credential = self.key(draft, said.as_ref(), (word, known), &path).ok()?;
        }
        if let Some(list) = table.list("extra_headers") {
            headers(draft, &mut spec, list, &table.at("extra_headers"));
        }
        let wanted = if Known::of(name).is_some() { name } else { word };
        draft.provider(wanted, spec, &table.path)
    }

    /// `Err`: the provider cannot be made.
    fn key(
        &self,
        draft: &mut Draft,
        said: Option<&Value>,
        (word, known): (&str, Known),
        path: &str,
    ) -> Result<Option<mainspring_providers::CredentialRef>, ()> {
        let usual = match (word, known.usual()) {
            ("google_ai_studio_gemini", _) => Some("GOOGLE_AI_STUDIO_API_KEY"),
            ("vllm", _) => Some("VLLM_API_KEY"),
            (_, usual) => usual,
        };
        let default = self.defaults.get(word).or_else(|| self.defaults.get(word.trim_end_matches("_gemini")));
        match said.or(default).map(location) {
            None => Ok(usual.and_then(|name| draft.key(Key::Variable(name.to_owned()), name, path))),
            Some(Location::Key(key)) => Ok(draft.key(key, usual.unwrap_or("API_KEY"), path)),
            Some(Location::None) => Ok(None),
            Some(Location::Sent(name)) => {
                let variable = crate::names::variable(&name);
                draft.different(
                    path,
                    "clients sent this key with each request; here the server has it, and clients have keys of ours",
                );
                Ok(draft.key(Key::Variable(variable.clone()), &variable, path))
            }
            Some(Location::Unknown) => {
                draft.missing(path, "keys are not looked for there: give a variable or a file. The provider is left out");
                Err(())
            }
        }
    }
}

fn unknown(word: &str) -> String {
    let word = mainspring_kernel::text::elide(word, 40);
    if word.starts_with("gcp_vertex") {
        return format!("`{word}`: Vertex is not among the kinds of provider");
    }
    format!("the type `{word}` is not known here; one that speaks OpenAI's dialect needs no more than its address")
}

fn bedrock(draft: &mut Draft, table: &mut Table, spec: &mut ProviderSpec) {
    let elsewhere = |text: &str| text == "sdk" || text.contains("::");
    match table.text("region") {
        Some(region) if !elsewhere(&region) => spec.region = Some(region),
        Some(_) => draft.missing(table.at("region"), "a region from elsewhere has no equivalent: write it out"),
        None => {}
    }
    if table.take("api_key").is_some() {
        draft.missing(table.at("api_key"), "Bedrock is asked with signatures: give an access key and its secret");
    }
    let mut look = |name: &str, usual: &str| {
        let path = table.at(name);
        match table.take(name).as_ref().map(location) {
            Some(Location::Key(key)) => draft.key(key, usual, &path),
            // An access key and its secret are needed, wherever they were before.
            _ if name != "session_token" => draft.key(Key::Variable(usual.to_owned()), usual, &path),
            _ => None,
        }
    };
    spec.credential = look("access_key_id", "AWS_ACCESS_KEY_ID");
    spec.secret_key = look("secret_access_key", "AWS_SECRET_ACCESS_KEY");
    spec.session_token = look("session_token", "AWS_SESSION_TOKEN");
}

fn headers(draft: &mut Draft, spec: &mut ProviderSpec, list: Vec<Value>, path: &str) {
    for (index, each) in list.iter().enumerate() {
        let place = format!("{path}[{index}]");
        match (each.get("name").and_then(Value::as_str), each.get("value").and_then(Value::as_str)) {
            (Some(name), Some(value)) => draft.header(spec, (name, value), &place),
            _ => draft.missing(place, "headers are added, not taken away"),
        }
    }
}

/// `extra_body` and the fields of single types of provider, as what is always sent.
pub(super) fn body(draft: &mut Draft, table: &mut Table) -> Map<String, Value> {
    let mut given = Vec::new();
    let path = table.at("extra_body");
    for (index, each) in table.list("extra_body").unwrap_or_default().iter().enumerate() {
        let place = format!("{path}[{index}]");
        let field = each.get("pointer").and_then(Value::as_str).and_then(|pointer| pointer.strip_prefix('/'));
        let field = field.filter(|field| !field.is_empty() && !field.contains(['/', '~']));
        match (field, each.get("value")) {
            (Some(field), Some(value)) => given.push((field.to_owned(), value.clone())),
            (Some(field), None) => given.push((field.to_owned(), Value::Null)),
            (None, _) => draft.missing(place, "only fields at the top of a request can be set"),
        }
    }
    for field in ["reasoning_format", "prompt_mode"] {
        given.extend(table.take(field).map(|value| (field.to_owned(), value)));
    }
    draft.parameters(&table.path, given)
}

/// What bounds the calls of a model, a provider or a variant, as far as it says.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bounds {
    attempt: Option<Span>,
    first: Option<Span>,
}

impl Bounds {
    pub(super) fn apply(self, timeouts: &mut Timeouts) {
        if let Some(attempt) = self.attempt {
            draft::attempt_within(timeouts, attempt);
        }
        timeouts.first = self.first.or(timeouts.first);
    }
}

/// Bounds in milliseconds.
pub(super) fn times(draft: &mut Draft, table: &mut Table) -> Bounds {
    let mut bounds = Bounds { attempt: table.number("timeout_ms").and_then(draft::millis), first: None };
    let Some(mut said) = table.table("timeouts") else { return bounds };
    let mut whole = said.table("non_streaming");
    let mut stream = said.table("streaming");
    let of = |table: &mut Option<Table>, field: &str| table.as_mut()?.number(field).and_then(draft::millis);
    let (total, first, streamed) = (of(&mut whole, "total_ms"), of(&mut stream, "ttft_ms"), of(&mut stream, "total_ms"));
    bounds.attempt = total.max(streamed).or(bounds.attempt);
    bounds.first = first;
    if total.is_some() && streamed.is_some() && total != streamed {
        draft.different(&table.path, "whole answers and streams have one bound: the longer");
    }
    bounds
}

/// Bounds of providers become the route's.
fn of_providers(draft: &mut Draft, own: &[Bounds], timeouts: &mut Timeouts, path: &str) {
    let mut differ = draft::attempts_within(timeouts, own.iter().map(|bounds| bounds.attempt));
    let usual = timeouts.for_stream();
    if let Some((longest, differs)) = draft::largest(own.iter().map(|bounds| bounds.first), usual) {
        timeouts.first = if longest == usual { timeouts.first } else { Some(longest) };
        differ |= differs;
    }
    if differ {
        draft.different(path, draft::LONGEST);
    }
}

fn leftovers(draft: &mut Draft, table: Table) {
    let path = table.path.clone();
    for (field, _) in table.rest() {
        let message = match field.as_str() {
            "provider_tools" => "tools that a provider runs come with the request",
            "api_type" => "clients choose the endpoint: `/v1/responses` reaches providers that have it",
            "discard_unknown_chunks" => "pieces of a stream are passed on as they come",
            _ => "this has no equivalent",
        };
        draft.missing(read::joined(&path, &field), message);
    }
}
