//! One target: a provider with a key, and what is always said to it.

use mainspring_gateway::Target;
use mainspring_kernel::{Name, text};
use mainspring_providers::{ProviderKind, ProviderSpec};
use serde_json::Value;

use crate::{
    draft::{self, Draft},
    key::Key,
    known::Known,
    names,
    read::{self, Table},
};

/// The provider's target; without a model where the client's name is handed on.
pub(super) fn read(draft: &mut Draft, mut table: Table, model: Option<&str>) -> Option<Target> {
    let path = place(&table).to_owned();
    let mut parameters = match table.take("override_params") {
        Some(Value::Object(given)) => given,
        _ => serde_json::Map::new(),
    };
    let said = parameters.shift_remove("model").and_then(|model| model.as_str().map(str::to_owned));
    let deployment = ["deployment_id", "azure_deployment_name", "azure_model_name", "aws_bedrock_model"];
    let deployed = deployment.iter().find_map(|field| table.text(field));
    // A model may name its provider too: `@openai-prod/gpt-4o`.
    let (of_model, model) = match deployed.or(said).or_else(|| model.map(str::to_owned)) {
        Some(model) => match model.strip_prefix('@').and_then(|model| model.split_once('/')) {
            Some((slug, rest)) => (Some(slug.to_owned()), Some(rest.to_owned())),
            None => (None, Some(model)),
        },
        None => (None, None),
    };
    let named = of_model.or(table.text("virtual_key")).or_else(|| {
        let slug = table.text("integration_slug").or_else(|| table.text("integration"));
        slug.map(|slug| slug.trim_start_matches('@').to_owned())
    });
    let word = table.text("provider");
    // `@openai-prod` is a key that Portkey keeps, like a virtual key.
    let (slug, word) = match (named, word) {
        (named, Some(word)) if word.starts_with('@') => (named.or(Some(word.trim_start_matches('@').to_owned())), None),
        (named, word) => (named, word),
    };
    if slug.is_none() && word.is_none() {
        let prompt = table.has("prompt_id");
        let what = if prompt { "a prompt that Portkey keeps is not in the file" } else { "it names no provider" };
        draft.missing(path, format!("{what}: the target is left out"));
        return None;
    }
    let known = known(draft, &path, slug.as_deref(), word.as_deref())?;
    let provider = provider(draft, &mut table, (known, slug.as_deref(), word.as_deref()))?;
    let mut target = draft::target(provider, model);
    let place = read::joined(&table.path, "override_params");
    if !parameters.is_empty() {
        draft.different(&place, "what a request says itself is overridden as before; `null` takes a field away");
    }
    target.parameters = draft.parameters(&place, parameters);
    leftovers(draft, table);
    Some(target)
}

fn place(table: &Table) -> &str {
    if table.path.is_empty() { "config" } else { &table.path }
}

/// What keys are named after whose providers cannot be reached.
const ABSENT: [&str; 5] = ["vertex", "vertexai", "sagemaker", "stability", "workers"];

fn known(draft: &mut Draft, path: &str, slug: Option<&str>, word: Option<&str>) -> Option<Known> {
    if let Some(word) = word {
        let known = Known::of(word);
        if known.is_none() {
            let word = text::elide(word, 40);
            let message = format!(
                "the provider `{word}` is not known here; one that speaks OpenAI's dialect needs no more than its address. \
                 The target is left out"
            );
            draft.missing(path, message);
        }
        return known;
    }
    let slug = slug?;
    // People name keys after what they open: `openai-prod-3f2a1c`.
    let words: Vec<&str> = slug.split(['-', '_']).collect();
    if ABSENT.contains(&words[0]) {
        draft.missing(path, format!("`{}` is of a provider that is not known here: the target is left out", names::slug(slug)));
        return None;
    }
    let guess = (1..=words.len().min(3)).rev().find_map(|count| Known::of(&words[..count].join("-")));
    if guess.is_none() {
        draft.different(
            path,
            "whose key this is cannot be told from its name: it is taken to be OpenAI's. Mend the provider's `type`",
        );
    }
    guess.or_else(|| Known::of("openai"))
}

fn provider(draft: &mut Draft, table: &mut Table, (known, slug, word): (Known, Option<&str>, Option<&str>)) -> Option<Name> {
    let path = place(table).to_owned();
    let host = table.text("custom_host");
    let resource = table.text("resource_name");
    let address = host.or_else(|| {
        let plain = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        resource.filter(|name| plain(name)).map(|name| format!("https://{name}.openai.azure.com"))
    });
    let mut spec = known.spec(address);
    let kept = match spec.kind {
        ProviderKind::Azure if spec.base_url.is_none() => {
            Some("its address lies with the key at Portkey: add `resource_name` or `custom_host`")
        }
        ProviderKind::Bedrock if !table.has("aws_region") => Some("its region lies with the key at Portkey: add `aws_region`"),
        _ => None,
    };
    if let Some(kept) = kept.filter(|_| slug.is_some()) {
        draft.missing(path, format!("{kept} to the target and import again. The target is left out"));
        return None;
    }
    if spec.kind == ProviderKind::Azure {
        spec.api_version = table.text("api_version").or_else(|| table.text("azure_api_version"));
    }
    if spec.kind == ProviderKind::Bedrock {
        bedrock(draft, table, &mut spec, slug);
    } else {
        spec.credential = key(draft, table, (known, slug), &path);
    }
    for (field, header) in [
        ("openai_organization", "openai-organization"),
        ("openai_project", "openai-project"),
        ("anthropic_beta", "anthropic-beta"),
    ] {
        if let Some(value) = table.text(field) {
            draft.header(&mut spec, (header, &value), &table.at(field));
        }
    }
    if spec.kind == ProviderKind::Anthropic {
        spec.api_version = table.text("anthropic_version");
    }
    draft.provider(slug.or(word).unwrap_or("provider"), spec, &path)
}

fn key(
    draft: &mut Draft,
    table: &mut Table,
    (known, slug): (Known, Option<&str>),
    path: &str,
) -> Option<mainspring_providers::CredentialRef> {
    let usual = known.usual().unwrap_or("API_KEY");
    let place = table.at("api_key");
    match (table.text("api_key"), slug) {
        (Some(text), _) => draft.key(Key::Literal(text), usual, &place),
        (None, Some(slug)) => {
            // A key that somebody gave a name is not another one's.
            let name = format!("{}_API_KEY", names::variable(slug));
            draft.different(path, format!("the key that Portkey keeps as `{}` has to be put into a variable", names::slug(slug)));
            draft.key(Key::Variable(name.clone()), &name, path)
        }
        (None, None) => known.usual().and_then(|name| draft.key(Key::Variable(name.to_owned()), name, path)),
    }
}

fn bedrock(draft: &mut Draft, table: &mut Table, spec: &mut ProviderSpec, slug: Option<&str>) {
    spec.region = table.text("aws_region");
    let stem = slug.map(names::variable);
    let mut look = |field: &str, usual: &str, needed: bool| {
        let path = table.at(field);
        let named = stem.as_ref().map_or_else(|| usual.to_owned(), |stem| format!("{stem}_{usual}"));
        match table.text(field) {
            Some(text) => draft.key(Key::Literal(text), &named, &path),
            None if needed => draft.key(Key::Variable(named.clone()), &named, &path),
            None => None,
        }
    };
    spec.credential = look("aws_access_key_id", "AWS_ACCESS_KEY_ID", true);
    spec.secret_key = look("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY", true);
    spec.session_token = look("aws_session_token", "AWS_SESSION_TOKEN", false);
}

fn leftovers(draft: &mut Draft, table: Table) {
    const QUIET: [&str; 5] = ["name", "weight", "index", "original_index", "strategy"];
    let path = table.path.clone();
    for (field, _) in table.rest() {
        if !QUIET.contains(&field.as_str()) {
            draft.missing(read::joined(&path, &field), unlike(&field).unwrap_or("this has no equivalent"));
        }
    }
}

/// What to do instead of a field, of a target or of those above it.
pub(super) fn unlike(field: &str) -> Option<&'static str> {
    Some(match field {
        "forward_headers" => "headers of a provider's own dialect are passed on to it, and no others",
        "metadata" => "metadata comes with the request, and is kept in its trace",
        field if field.ends_with("guardrails") || field.ends_with("hooks") => "guards are no part of routes",
        "strict_open_ai_compliance" => "fields that are no part of OpenAI's dialect are passed on",
        field if field.starts_with("azure_") => {
            "tokens of Azure's directory are not fetched here: a provider's `credential` may hold one"
        }
        field if field.starts_with("aws_") => "roles are not looked up: give keys",
        field if field.starts_with("vertex_") => "Vertex is not among the kinds of provider",
        "model_pricing_config" => "write a table of `prices`",
        _ => return None,
    })
}
