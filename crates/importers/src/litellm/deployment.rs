//! One entry of `model_list`: a provider, one of its models, and what is always said to it.

use std::collections::BTreeMap;

use mainspring_gateway::{Span, Target};
use mainspring_kernel::{Name, text};
use mainspring_providers::{Preset, ProviderKind, ProviderSpec};
use serde_json::{Map, Value};

use super::{VARIABLE, costs, key};
use crate::{
    draft::{self, Draft},
    key::Key,
    known::Known,
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
    pub(super) timeout: Option<Span>,
    pub(super) stream_timeout: Option<Span>,
    pub(super) retries: Option<u64>,
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
    let placed = place(draft, &mut params, &written)?;
    let provider = provider(draft, &mut params, &placed, wanted)?;
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
        timeout: span(params.number("timeout")),
        stream_timeout: span(params.number("stream_timeout")),
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

fn take_credential(draft: &mut Draft, params: &mut Table, named: &Credentials) {
    let Some(name) = params.text("litellm_credential_name") else { return };
    match named.get(&name) {
        Some(values) => params.merge(values.clone()),
        None => draft.missing(params.at("litellm_credential_name"), "the file has no credential of that name"),
    }
}

/// Who is asked for which model.
struct Placed {
    word: String,
    known: Known,
    model: String,
    region: Option<String>,
}

fn place(draft: &mut Draft, params: &mut Table, written: &str) -> Option<Placed> {
    let custom = params.text("custom_llm_provider");
    let (word, model) = match (&custom, written.split_once('/')) {
        (Some(custom), Some((word, rest))) if word == custom => (custom.clone(), rest.to_owned()),
        (Some(custom), _) => (custom.clone(), written.to_owned()),
        (None, Some((word, rest))) => (word.to_owned(), rest.to_owned()),
        (None, None) => (by_name(written, params.has("api_base")).to_owned(), written.to_owned()),
    };
    let known = match word.as_str() {
        "litellm_proxy" => Some(Known::compatible()),
        word => Known::of(word),
    };
    let Some(known) = known else {
        let word = text::elide(&word, 40);
        let message = if word.is_empty() {
            "whose model this is cannot be told from its name: write `provider/model`".to_owned()
        } else {
            format!("the provider `{word}` is not known here; one that speaks OpenAI's dialect needs no more than its address")
        };
        draft.missing(params.at("model"), format!("{message}: the deployment is left out"));
        return None;
    };
    let mut model = model;
    let mut region = None;
    if known.kind() == ProviderKind::Bedrock {
        for way in ["converse/", "invoke/"] {
            model = model.strip_prefix(way).map_or(model.clone(), str::to_owned);
        }
        // A region may stand before the model.
        if let Some((first, rest)) = model.split_once('/').filter(|(first, _)| is_region(first)) {
            (region, model) = (Some(first.to_owned()), rest.to_owned());
        }
    }
    for way in ["responses/", "chat/"] {
        if matches!(known.kind(), ProviderKind::Azure) || known.is(Preset::OpenAi) {
            model = model.strip_prefix(way).map_or(model.clone(), str::to_owned);
        }
    }
    Some(Placed { word, known, model, region })
}

fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() >= 3 && parts.last().is_some_and(|last| last.parse::<u8>().is_ok()) && parts[0].len() == 2
}

/// LiteLLM knows models of some providers by their names alone.
fn by_name(model: &str, at_an_address: bool) -> &'static str {
    const OPENAI: [&str; 9] = ["gpt-", "o1", "o3", "o4", "chatgpt-", "text-embedding-", "ft:gpt-", "omni-moderation", "codex-"];
    let begins = |words: &[&str]| words.iter().any(|word| model.starts_with(word));
    match model {
        _ if begins(&OPENAI) => "openai",
        _ if begins(&["claude-"]) => "anthropic",
        _ if begins(&["command-", "embed-", "rerank-"]) => "cohere",
        _ if begins(&["deepseek-"]) => "deepseek",
        _ if begins(&["gemini-"]) => "vertex_ai",
        _ if begins(&["mistral-", "codestral-", "ministral-"]) => "mistral",
        _ if at_an_address => "openai",
        _ => "",
    }
}

fn provider(draft: &mut Draft, params: &mut Table, placed: &Placed, wanted: Option<&str>) -> Option<Name> {
    let Placed { word, known, region, model: _ } = placed;
    let address = params.text("api_base").or_else(|| params.text("base_url"));
    if address.as_deref().is_some_and(|address| address.starts_with(VARIABLE)) {
        draft.missing(
            params.at("api_base"),
            "an address in a variable has no equivalent: write it out. The deployment is left out",
        );
        return None;
    }
    let elsewhere = address.is_some();
    let mut spec = known.spec(address);
    mend_address(draft, params, (&mut spec, *known));
    version(draft, params, &mut spec);
    if known.kind() == ProviderKind::Bedrock {
        bedrock(draft, params, &mut spec, region.as_deref());
    } else {
        let usual = known.litellm().map_or_else(|| format!("{word}_API_KEY"), str::to_owned);
        let path = params.at("api_key");
        let given = params.text("api_key").map(key);
        spec.credential = match given {
            Some(given) => draft.key(given, &usual, &path),
            None if elsewhere && known.kind() != ProviderKind::Azure => {
                if known.litellm().is_some() {
                    let message = "no key is sent to an address that the file names and no key is given for; write `credential` where it needs one";
                    draft.different(&params.path, message);
                }
                None
            }
            None => known.litellm().and_then(|name| draft.key(Key::Variable(name.to_owned()), &usual, &path)),
        };
    }
    headers(draft, params, &mut spec);
    if let Some(most) = params.whole("max_parallel_requests") {
        spec.max_concurrent = u32::try_from(most).ok().filter(|most| *most > 0);
        draft.different(params.at("max_parallel_requests"), "it bounds the calls of the provider, in each of our processes");
    }
    draft.provider(wanted.unwrap_or(word), spec, &params.path)
}

fn mend_address(draft: &mut Draft, params: &Table, (spec, known): (&mut ProviderSpec, Known)) {
    let Some(address) = &mut spec.base_url else { return };
    if known.is(Preset::Ollama) && !address.ends_with("/v1") {
        address.push_str("/v1");
        draft.different(params.at("api_base"), "Ollama is asked in OpenAI's dialect, under `/v1`");
    }
    if spec.kind == ProviderKind::Azure
        && let Some((root, rest)) = address.split_once("/openai/")
        && rest != "v1"
    {
        *address = root.to_owned();
    }
}

fn version(draft: &mut Draft, params: &mut Table, spec: &mut ProviderSpec) {
    let Some(version) = params.text("api_version") else { return };
    match spec.kind {
        ProviderKind::Azure if version.starts_with(VARIABLE) => {
            draft.missing(
                params.at("api_version"),
                "a version in a variable has no equivalent: the newest that is no preview is used",
            );
        }
        ProviderKind::Azure => spec.api_version = Some(version),
        _ => draft.missing(params.at("api_version"), "only Azure is told a version"),
    }
}

fn bedrock(draft: &mut Draft, params: &mut Table, spec: &mut ProviderSpec, region: Option<&str>) {
    let given = params.text("aws_region_name");
    match given.or(region.map(str::to_owned)) {
        Some(region) if !region.starts_with(VARIABLE) => spec.region = Some(region),
        Some(_) => draft.missing(params.at("aws_region_name"), "a region in a variable has no equivalent: write it out"),
        None => {}
    }
    spec.base_url = spec.base_url.take().or_else(|| params.text("aws_bedrock_runtime_endpoint"));
    let mut look = |name: &str, usual: &str| {
        let path = params.at(name);
        let given = params.text(name).map(key);
        (given.is_some(), given.and_then(|given| draft.key(given, usual, &path)))
    };
    let (said, credential) = look("aws_access_key_id", "AWS_ACCESS_KEY_ID");
    let (_, secret) = look("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY");
    let (_, session) = look("aws_session_token", "AWS_SESSION_TOKEN");
    (spec.credential, spec.secret_key, spec.session_token) = (credential, secret, session);
    if !said {
        let mut usual = |name: &str| draft.key(Key::Variable(name.to_owned()), name, &params.path);
        (spec.credential, spec.secret_key) = (usual("AWS_ACCESS_KEY_ID"), usual("AWS_SECRET_ACCESS_KEY"));
        draft.different(&params.path, "keys are read from variables; profiles and roles of the machine are not looked for");
    }
}

fn headers(draft: &mut Draft, params: &mut Table, spec: &mut ProviderSpec) {
    if let Some(organization) = params.text("organization") {
        let path = params.at("organization");
        if organization.starts_with(VARIABLE) {
            draft.missing(path, "an organisation in a variable has no equivalent: write it into `headers`");
        } else {
            draft.header(spec, ("openai-organization", &organization), &path);
        }
    }
    for name in ["extra_headers", "headers"] {
        let Some(table) = params.table(name) else { continue };
        let path = table.path.clone();
        for (name, value) in table.rest() {
            let place = read::joined(&path, &name);
            match value.as_str().filter(|value| !value.starts_with(VARIABLE)) {
                Some(value) => draft.header(spec, (&name, value), &place),
                None => draft.missing(place, "a header with a value from elsewhere has no equivalent"),
            }
        }
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
