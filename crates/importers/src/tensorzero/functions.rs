//! `[functions.*]`: a route that divides calls among its variants, and a prompt for each that has templates.

use std::collections::BTreeMap;

use mainspring_gateway::{RouteSpec, Target};
use serde_json::{Map, Value, json};

use super::{
    models::{self, Models},
    prompts::{self, Templates},
};
use crate::{
    draft::{self, Draft, TARGETS_MAX},
    read::{self, Table},
};

/// Reads a file that the configuration names.
pub(super) type Read<'r> = &'r dyn Fn(&str) -> Option<String>;

struct Variant {
    name: String,
    weight: Option<f64>,
    targets: Vec<Target>,
    retries: Option<u64>,
    timeouts: mainspring_gateway::Timeouts,
}

/// Names of the settings of a variant, and what OpenAI's dialect calls them.
const SETTINGS: [(&str, &str); 9] = [
    ("temperature", "temperature"),
    ("top_p", "top_p"),
    ("max_tokens", "max_tokens"),
    ("presence_penalty", "presence_penalty"),
    ("frequency_penalty", "frequency_penalty"),
    ("seed", "seed"),
    ("stop_sequences", "stop"),
    ("reasoning_effort", "reasoning_effort"),
    ("service_tier", "service_tier"),
];

pub(super) fn read(draft: &mut Draft, section: Table, models: &Models, files: Read<'_>) {
    for (name, table) in section.tables().0 {
        function(draft, (&name, table), models, files);
    }
}

fn function(draft: &mut Draft, (name, mut table): (&str, Table), models: &Models, files: Read<'_>) {
    let path = table.path.clone();
    let format = output(draft, &mut table, name, files);
    let schemas = prompts::Schemas::take(&mut table, files);
    let mut variants = Vec::new();
    let listed = table.table("variants").map(|table| table.tables().0).unwrap_or_default();
    let several = listed.len() > 1;
    for (of, variant) in listed {
        let called = if several { format!("{name}-{of}") } else { name.to_owned() };
        let place = Place { called: &called, format: format.as_ref(), schemas: &schemas, files };
        variants.extend(read_variant(draft, (of, variant), models, &place));
    }
    let experiment = table.table("experimentation");
    if table.take("tools").is_some() {
        draft.missing(table.at("tools"), "tools come with the request");
    }
    table.take("type");
    for (field, _) in table.rest() {
        let message = match field.as_str() {
            "tool_choice" | "parallel_tool_calls" => "it comes with the request, as tools do",
            _ => "this has no equivalent",
        };
        draft.missing(read::joined(&path, &field), message);
    }
    if variants.is_empty() {
        draft.missing(path, "none of its variants can be called from here: there is no route for it");
        return;
    }
    let mut spec = divided(draft, &path, variants, experiment);
    spec.models.push(format!("tensorzero::function_name::{name}"));
    draft.route(name, spec, None, &path);
}

/// What a function of the type `json` asks for, by its schema.
fn output(draft: &mut Draft, table: &mut Table, name: &str, files: Read<'_>) -> Option<Value> {
    let path = table.at("output_schema");
    let file = prompts::file(&table.take("output_schema")?)?;
    let schema = files(&file).and_then(|text| serde_json::from_str::<Value>(&text).ok()).filter(Value::is_object);
    if schema.is_none() {
        draft.missing(path, "the file is not there, or is no JSON Schema: answers are not held to it");
    }
    let called: String = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).take(64).collect();
    schema.map(|schema| json!({"type": "json_schema", "json_schema": {"name": called, "schema": schema, "strict": true}}))
}

/// What a variant is read for.
struct Place<'p> {
    called: &'p str,
    format: Option<&'p Value>,
    schemas: &'p prompts::Schemas,
    files: Read<'p>,
}

fn read_variant(draft: &mut Draft, (name, mut table): (String, Table), models: &Models, place: &Place<'_>) -> Option<Variant> {
    let path = table.path.clone();
    if let Some(kind) = table.text("type").filter(|kind| kind != "chat_completion") {
        let kind = mainspring_kernel::text::elide(&kind, 60);
        draft.missing(table.at("type"), format!("`{kind}` has no equivalent: the variant is left out"));
        return None;
    }
    let Some(model) = table.text("model") else {
        draft.missing(table.at("model"), "it is missing: the variant is left out");
        return None;
    };
    let model = models.named(draft, &model, &table.at("model"))?;
    let mut parameters = settings(draft, &mut table, place.format);
    prompts::write(draft, Templates::take(&mut table), (&parameters, place.called), (place.schemas, place.files));
    parameters.extend(models::body(draft, &mut table));
    let mut timeouts = model.timeouts.clone();
    models::times(draft, &mut table).apply(&mut timeouts);
    let retries = table.table("retries").and_then(|mut table| table.whole("num_retries"));
    let weight = table.number("weight");
    for (field, _) in table.rest() {
        let message = match field.as_str() {
            "thinking_budget_tokens" => "say it as `reasoning_effort`",
            "extra_headers" => "headers are the provider's, not the variant's",
            _ => "this has no equivalent",
        };
        draft.missing(read::joined(&path, &field), message);
    }
    let mut targets = model.targets;
    for target in &mut targets {
        let own = std::mem::take(&mut target.parameters);
        target.parameters = parameters.clone();
        // What the provider itself says comes before the variant.
        target.parameters.extend(own);
    }
    Some(Variant { name, weight, targets, retries, timeouts })
}

fn settings(draft: &mut Draft, table: &mut Table, format: Option<&Value>) -> Map<String, Value> {
    let mut given = Vec::new();
    for (theirs, ours) in SETTINGS {
        given.extend(table.take(theirs).map(|value| (ours.to_owned(), value)));
    }
    given.extend(table.take("verbosity").map(|value| ("verbosity".to_owned(), value)));
    let path = table.at("json_mode");
    match table.text("json_mode").as_deref() {
        Some("strict") => given.extend(format.map(|format| ("response_format".to_owned(), format.clone()))),
        Some("tool") => {
            draft.different(path, "asked for as a format, not as a tool");
            given.extend(format.map(|format| ("response_format".to_owned(), format.clone())));
        }
        Some("on") => given.push(("response_format".to_owned(), json!({"type": "json_object"}))),
        _ => {}
    }
    if !given.is_empty() {
        draft.different(&table.path, "parameters of a target are always sent: a request cannot say otherwise");
    }
    draft.parameters(&table.path, given)
}

/// One route for all variants: those that are drawn first, then those asked when they fail.
fn divided(draft: &mut Draft, path: &str, variants: Vec<Variant>, experiment: Option<Table>) -> RouteSpec {
    let (shares, after) = shares(draft, path, &variants, experiment);
    let retries = variants.iter().filter_map(|variant| variant.retries).max();
    let drawn: Vec<&Variant> = variants.iter().filter(|variant| shares.contains_key(&variant.name)).collect();
    let weights = draft::weights(&drawn.iter().map(|variant| shares[&variant.name]).collect::<Vec<_>>());
    let mut targets: Vec<Target> = Vec::new();
    for (variant, weight) in drawn.iter().zip(weights) {
        targets.extend(variant.targets.iter().cloned().map(|target| Target { weight: weight.max(1), ..target }));
    }
    for name in &after {
        let Some(variant) = variants.iter().find(|variant| variant.name == *name && !shares.contains_key(name)) else { continue };
        let base = targets.iter().map(|target| target.tier).max().map_or(0, |tier| tier + 1);
        targets.extend(variant.targets.iter().cloned().map(|target| Target { tier: base + target.tier, ..target }));
    }
    for variant in variants.iter().filter(|variant| !shares.contains_key(&variant.name) && !after.contains(&variant.name)) {
        draft.missing(format!("{path}.variants.{}", variant.name), "it is not drawn: it is left out");
    }
    if drawn.len() > 1 {
        draft.different(path, "each call is drawn anew: `sticky: session` keeps the calls of an episode together");
    }
    targets.truncate(TARGETS_MAX);
    let mut spec = draft::route(targets);
    spec.retry.attempts = draft::retries(retries.unwrap_or(0));
    if let Some(first) = variants.first() {
        spec.timeouts = first.timeouts.clone();
    }
    for variant in &variants {
        spec.timeouts.first = draft::later(spec.timeouts.first, variant.timeouts.first);
        spec.timeouts.attempt = spec.timeouts.attempt.max(variant.timeouts.attempt);
        spec.timeouts.total = spec.timeouts.total.max(variant.timeouts.total);
    }
    if variants.iter().any(|variant| variant.timeouts != spec.timeouts) {
        draft.different(path, draft::LONGEST);
    }
    if variants.iter().any(|variant| draft::retries(variant.retries.unwrap_or(0)) != spec.retry.attempts) {
        draft.different(path, draft::MOST);
    }
    spec
}

/// What each variant that is drawn has of the calls, and who comes after.
fn shares(
    draft: &mut Draft,
    path: &str,
    variants: &[Variant],
    experiment: Option<Table>,
) -> (BTreeMap<String, f64>, Vec<String>) {
    let Some(mut experiment) = experiment else {
        let weighed = variants.iter().any(|variant| variant.weight.is_some_and(|weight| weight > 0.0));
        let share = |variant: &Variant| if weighed { variant.weight.unwrap_or(0.0) } else { 1.0 };
        let drawn = variants.iter().filter(|variant| share(variant) > 0.0);
        let after = variants.iter().filter(|variant| share(variant) <= 0.0).map(|variant| variant.name.clone());
        return (drawn.map(|variant| (variant.name.clone(), share(variant))).collect(), after.collect());
    };
    if experiment.text("type").is_some_and(|kind| !matches!(kind.as_str(), "static" | "static_weights" | "uniform")) {
        let message = "shares that move with feedback have no equivalent: the variants are drawn alike";
        draft.missing(format!("{path}.experimentation"), message);
    }
    let after = experiment.texts("fallback_variants").unwrap_or_default();
    let mut drawn = BTreeMap::new();
    match experiment.take("candidate_variants") {
        Some(Value::Object(weights)) => {
            for (name, weight) in weights {
                drawn.extend(read::number(&weight).filter(|weight| *weight > 0.0).map(|weight| (name, weight)));
            }
        }
        Some(list) => drawn.extend(read::texts(&list).unwrap_or_default().into_iter().map(|name| (name, 1.0))),
        None => drawn.extend(variants.iter().filter(|each| !after.contains(&each.name)).map(|each| (each.name.clone(), 1.0))),
    }
    drawn.retain(|name, _| variants.iter().any(|variant| variant.name == *name));
    if drawn.is_empty() {
        drawn.extend(variants.iter().filter(|each| !after.contains(&each.name)).map(|each| (each.name.clone(), 1.0)));
    }
    (drawn, after)
}
