//! Whose model is meant, and where: the provider of a deployment.

use mainspring_kernel::{Name, text};
use mainspring_providers::{Preset, ProviderKind, ProviderSpec};

use super::{VARIABLE, key};
use crate::{
    draft::Draft,
    key::Key,
    known::Known,
    read::{self, Table},
};

/// Who is asked for which model.
pub(super) struct Placed {
    word: String,
    known: Known,
    pub(super) model: String,
    region: Option<String>,
}

pub(super) fn place(draft: &mut Draft, params: &mut Table, written: &str) -> Option<Placed> {
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

pub(super) fn provider(draft: &mut Draft, params: &mut Table, placed: &Placed, wanted: Option<&str>) -> Option<Name> {
    let Placed { word, known, region, model: _ } = placed;
    let address = params.text("api_base").or_else(|| params.text("base_url"));
    if address.as_deref().is_some_and(|address| address.starts_with(VARIABLE)) {
        draft.missing(
            params.at("api_base"),
            "an address in a variable has no equivalent: write it out, or import where the variable is set. The deployment is left out",
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
        header(draft, spec, ("openai-organization", &organization), &params.at("organization"));
    }
    for name in ["extra_headers", "headers"] {
        let Some(table) = params.table(name) else { continue };
        let path = table.path.clone();
        for (name, value) in table.rest() {
            let place = read::joined(&path, &name);
            match value.as_str() {
                Some(value) => header(draft, spec, (&name, value), &place),
                None => draft.missing(place, "the value of a header is text"),
            }
        }
    }
}

fn header(draft: &mut Draft, spec: &mut ProviderSpec, (name, value): (&str, &str), path: &str) {
    match value.strip_prefix(VARIABLE) {
        Some(variable) => draft.header_from(spec, (name, variable), path),
        None => draft.header(spec, (name, value), path),
    }
}
