//! Templates of a variant as a prompt.

use mainspring_prompts::{PromptFault, PromptSpec};
use serde_json::{Map, Value, json};

use super::functions::Read;
use crate::{
    draft::Draft,
    read::{Table, joined},
};

/// What a template may use, by the schemas of its function.
pub(super) struct Schemas(Map<String, Value>);

/// A template may use more than a schema names.
const PARAMETERS_MAX: usize = 64;

impl Schemas {
    pub(super) fn take(table: &mut Table, files: Read<'_>) -> Self {
        let mut parameters = Map::new();
        let mut named: Vec<Value> =
            ["system_schema", "user_schema", "assistant_schema"].iter().filter_map(|field| table.take(field)).collect();
        if let Some(schemas) = table.table("schemas") {
            named.extend(schemas.rest().into_iter().map(|(_, value)| value));
        }
        for value in named {
            let schema = file(&value).and_then(|file| files(&file)).and_then(|text| serde_json::from_str::<Value>(&text).ok());
            let Some(Value::Object(properties)) = schema.and_then(|mut schema| schema.get_mut("properties").map(Value::take))
            else {
                continue;
            };
            for (name, property) in properties {
                parameters.insert(name, parameter(&property));
            }
        }
        Self(parameters)
    }
}

fn parameter(property: &Value) -> Value {
    let kind = match property.get("type").and_then(Value::as_str) {
        Some("number" | "integer") => "number",
        Some("boolean") => "boolean",
        Some("array") => "array",
        Some("object") => "object",
        _ => "string",
    };
    let mut parameter = json!({"type": kind});
    if let Some(description) = property.get("description").and_then(Value::as_str) {
        parameter["description"] = json!(description);
    }
    parameter
}

/// The path of a file, as a text or as a table that holds it.
pub(super) fn file(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value.get("path").and_then(Value::as_str)).map(str::to_owned)
}

#[derive(Default)]
pub(super) struct Templates {
    path: String,
    system: Option<String>,
    user: Option<String>,
    /// For what has no equivalent.
    others: Vec<String>,
}

impl Templates {
    pub(super) fn take(table: &mut Table) -> Self {
        let mut all = Self { path: table.path.clone(), ..Self::default() };
        all.system = table.take("system_template").or_else(|| table.take("system_instructions")).as_ref().and_then(file);
        all.user = table.take("user_template").as_ref().and_then(file);
        if table.take("assistant_template").is_some() {
            all.others.push(table.at("assistant_template"));
        }
        if table.take("input_wrappers").is_some() {
            all.others.push(table.at("input_wrappers"));
        }
        let path = table.at("templates");
        let mut own = Vec::new();
        for (name, value) in table.table("templates").map(Table::rest).unwrap_or_default() {
            match name.as_str() {
                "system" if all.system.is_none() => all.system = file(&value),
                "user" if all.user.is_none() => all.user = file(&value),
                "assistant" => all.others.push(joined(&path, &name)),
                _ => own.push((joined(&path, &name), file(&value))),
            }
        }
        // Where only one has a name of its own, it is what users say.
        if let (None, [(_, only)]) = (&all.user, own.as_mut_slice()) {
            all.user = only.take();
            own.clear();
        }
        all.others.extend(own.into_iter().map(|(path, _)| path));
        all
    }
}

/// Writes a prompt where the variant has templates.
pub(super) fn write(
    draft: &mut Draft,
    templates: Templates,
    (parameters, called): (&Map<String, Value>, &str),
    (schemas, files): (&Schemas, Read<'_>),
) {
    let Templates { path, system, user, others } = templates;
    for other in others {
        draft.missing(other, "a prompt has a system and a user message: other templates are left out");
    }
    if system.is_none() && user.is_none() {
        return;
    }
    let mut messages = Vec::new();
    for (role, template) in [("system", &system), ("user", &user)] {
        let Some(template) = template else { continue };
        match files(template) {
            Some(content) => messages.push(json!({"role": role, "content": content})),
            None => {
                let message = "the file is not there: import where it lies beside the configuration. The prompt is left out";
                draft.missing(format!("{path}.{role}_template"), message);
                return;
            }
        }
    }
    if user.is_none() {
        messages.push(json!({"role": "user", "content": "{{ question }}"}));
    }
    let spec = declared(json!({"parameters": {}, "messages": messages, "settings": settings(parameters)}), schemas);
    if let Some(name) = draft.prompt(called, spec, None, &path) {
        let message = format!(
            "its templates are the prompt `{name}`: call `prompt/{name}` with their values in `mainspring.parameters`. \
             The route takes messages as they are to be sent"
        );
        draft.different(path, message);
    }
}

/// With a parameter for everything its templates use.
fn declared(mut spec: Value, schemas: &Schemas) -> Value {
    for _ in 0..PARAMETERS_MAX {
        let Ok(read) = serde_json::from_value::<PromptSpec>(spec.clone()) else { return spec };
        let Err(PromptFault::Undeclared { name, .. }) = read.validate() else { return spec };
        spec["parameters"][name.as_str()] = schemas.0.get(&name).cloned().unwrap_or_else(|| json!({"type": "string"}));
    }
    spec
}

/// Of what a variant says, what a prompt can say.
fn settings(parameters: &Map<String, Value>) -> Value {
    let mut settings = Map::new();
    for name in ["temperature", "top_p", "max_tokens", "seed", "frequency_penalty"] {
        settings.extend(parameters.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    settings.extend(parameters.get("stop").filter(|stop| stop.is_array()).map(|stop| ("stop".to_owned(), stop.clone())));
    Value::Object(settings)
}
