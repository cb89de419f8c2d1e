//! One entry of `model_list`: a provider, one of its models, and what is always said to it.

use std::collections::BTreeMap;

use mainspring_gateway::{Span, Target, ledger::Metric};
use serde_json::{Map, Value};

use super::{costs, limits, placed};
use crate::{
    draft::{self, Draft},
    read::{self, Table},
};

/// What a group's route is made of.
pub(super) struct Deployment {
    pub(super) path: String,
    /// The provider's own target; without a model where the client's name is handed on.
    pub(super) target: Target,
    /// As the file has it, without the provider: what a pattern is compared with.
    pub(super) model: String,
    pub(super) order: Option<u64>,
    pub(super) weight: Option<f64>,
    pub(super) rpm: Option<f64>,
    pub(super) tpm: Option<f64>,
    /// For a day or a month.
    pub(super) budget: Option<(Metric, f64)>,
    pub(super) timeout: Option<Span>,
    pub(super) stream_timeout: Option<Span>,
    pub(super) retries: Option<u64>,
    pub(super) cooldown: Option<Span>,
    /// What people read of it.
    pub(super) about: Option<String>,
}

/// A longer text is no description of an asset.
const ABOUT_MAX: usize = 2_000;

/// Fields that OpenAI's dialect has for the request itself.
const PARAMETERS: [&str; 28] = [
    "temperature",
    "top_p",
    "top_k",
    "n",
    "seed",
    "stop",
    "max_tokens",
    "max_completion_tokens",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "response_format",
    "reasoning_effort",
    "thinking",
    "service_tier",
    "user",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "dimensions",
    "encoding_format",
    "modalities",
    "verbosity",
    "store",
    "prompt_cache_key",
    "safety_settings",
];

/// Endpoints that are not served here.
const MODES: [&str; 9] = [
    "image_generation",
    "image_edit",
    "audio_transcription",
    "audio_speech",
    "realtime",
    "video_generation",
    "ocr",
    "search",
    "vector_store",
];

/// Named sets of fields that deployments take over.
pub(super) type Credentials = BTreeMap<String, Map<String, Value>>;

pub(super) fn credentials(draft: &mut Draft, list: Vec<Value>) -> Credentials {
    let mut named = Credentials::new();
    for (index, value) in list.into_iter().enumerate() {
        let path = format!("credential_list[{index}]");
        let mut table = Table::of(&path, value);
        let name = table.as_mut().and_then(|table| table.text("credential_name"));
        let values = table.as_mut().and_then(|table| table.take("credential_values"));
        match (name, values) {
            (Some(name), Some(Value::Object(values))) => {
                named.insert(name, values);
            }
            _ => draft.missing(path, "it has no name or no values"),
        }
    }
    named
}

/// Reads one; nothing where it cannot be called from here, which has been noted.
pub(super) fn read(
    draft: &mut Draft,
    (mut params, mut info): (Table, Table),
    wanted: Option<&str>,
    named: &Credentials,
) -> Option<Deployment> {
    let path = params.path.clone();
    take_credential(draft, &mut params, named);
    if params.take("mock_response").is_some() {
        draft.missing(params.at("mock_response"), "answers that are made up here have no equivalent: the deployment is left out");
        return None;
    }
    if let Some(mode) = info.text("mode").filter(|mode| MODES.contains(&mode.as_str())) {
        draft.missing(info.at("mode"), format!("`{mode}` is not served here: the deployment is left out"));
        return None;
    }
    let Some(written) = params.text("model") else {
        draft.missing(params.at("model"), "it is missing: the deployment is left out");
        return None;
    };
    let placed = placed::place(draft, &mut params, &written)?;
    let provider = placed::provider(draft, &mut params, &placed, wanted)?;
    let model = placed.model;
    let mut target = draft::target(provider.clone(), (!model.contains('*')).then(|| model.clone()));
    about_model(&mut info, &mut target);
    let span = |value: Option<f64>| value.and_then(draft::seconds);
    let mut read = Deployment {
        path: path.clone(),
        order: params.whole("order"),
        weight: params.number("weight"),
        rpm: params.number("rpm").or_else(|| info.number("rpm")),
        tpm: params.number("tpm").or_else(|| info.number("tpm")),
        budget: budget(&mut params),
        timeout: span(params.number("timeout")),
        stream_timeout: span(params.number("stream_timeout")),
        cooldown: span(params.number("cooldown_time")),
        retries: params.whole("num_retries").or_else(|| params.whole("max_retries")),
        target: target.clone(),
        model: model.clone(),
        about: info.text("description").filter(|about| about.chars().count() <= ABOUT_MAX && !about.contains('\0')),
    };
    costs::read(draft, &mut params, &mut info, (&model, &provider, target.price_as.as_deref()));
    read.target.parameters = parameters(draft, &mut params);
    leftovers(draft, params);
    leftovers(draft, info);
    Some(read)
}

/// A budget of another duration is left, to be told of.
fn budget(params: &mut Table) -> Option<(Metric, f64)> {
    let metric = limits::metric(params.peek("budget_duration").and_then(Value::as_str))?;
    let amount = params.number("max_budget")?;
    params.take("budget_duration");
    Some((metric, amount))
}

fn take_credential(draft: &mut Draft, params: &mut Table, named: &Credentials) {
    let Some(name) = params.text("litellm_credential_name") else { return };
    match named.get(&name) {
        Some(values) => params.merge(values.clone()),
        None => draft.missing(params.at("litellm_credential_name"), "the file has no credential of that name"),
    }
}

fn about_model(info: &mut Table, target: &mut Target) {
    let tokens = |value: Option<u64>| value.and_then(|tokens| u32::try_from(tokens).ok()).filter(|tokens| *tokens > 0);
    target.context_window = tokens(info.whole("max_input_tokens"));
    target.max_output_tokens = tokens(info.whole("max_output_tokens")).or(tokens(info.whole("max_tokens")));
    let base = info.text("base_model");
    target.price_as = base.map(|base| base.rsplit_once('/').map_or(base.clone(), |(_, model)| model.to_owned()));
}

fn parameters(draft: &mut Draft, params: &mut Table) -> Map<String, Value> {
    let mut given = Vec::new();
    for name in PARAMETERS {
        given.extend(params.take(name).map(|value| (name.to_owned(), value)));
    }
    if let Some(dropped) = params.texts("additional_drop_params") {
        given.extend(dropped.into_iter().map(|name| (name, Value::Null)));
    }
    if let Some(Value::Object(body)) = params.take("extra_body") {
        given.extend(body);
    }
    let always = given.iter().any(|(_, value)| !value.is_null());
    let parameters = draft.parameters(&params.path, given);
    if always {
        draft.different(&params.path, "parameters of a target are always sent: a request cannot say otherwise");
    }
    parameters
}

/// What is left has no equivalent; about some of it there is more to say.
fn leftovers(draft: &mut Draft, table: Table) {
    const QUIET: [&str; 6] = ["drop_params", "id", "db_model", "created_at", "updated_at", "key"];
    let path = table.path.clone();
    for (name, _) in table.rest() {
        let message = match name.as_str() {
            name if QUIET.contains(&name) || name.starts_with("supports_") => continue,
            "tags" => "targets are not chosen by tags: make a route for each",
            "max_budget" | "budget_duration" => "a budget is for a route, a key, a user or the project: `mainspring limits set`",
            "azure_ad_token" | "tenant_id" | "client_id" | "client_secret" => {
                "tokens of Azure's directory are not fetched here: a provider's `credential` may hold one"
            }
            name if name.starts_with("aws_") => "roles and profiles are not looked up: give keys",
            name if name.starts_with("vertex_") => "Vertex is not among the kinds of provider",
            "access_groups" => "which models a key may name is said of the key: `mainspring keys create --models`",
            name if name.ends_with("_cost") || name.contains("cost_per") => "this part of the price has no equivalent",
            _ => "this has no equivalent",
        };
        draft.missing(read::joined(&path, &name), message);
    }
}
