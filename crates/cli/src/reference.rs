//! The reference pages, made from what the code says of itself, so that they cannot be wrong about it.

use std::{fmt::Write as _, path::Path};

use anyhow::Context;
use clap::CommandFactory as _;
use serde_json::Value;

use crate::args::Args;

const NOTE: &str = "<!-- Made by `mainspring reference`; change the code and make it again. -->\n\n";

/// File names under `docs/reference` and what stands in them.
pub(crate) fn pages(docs: &Path) -> anyhow::Result<Vec<(&'static str, String)>> {
    Ok(vec![
        ("cli.md", commands()),
        ("settings.md", settings()),
        ("specs.md", specs()),
        ("rest.md", rest()?),
        ("errors.md", errors(&docs.join("errors"))?),
        ("translation.md", format!("# What is lost in translation\n\n{NOTE}{}", mainspring_server::translation())),
        ("providers.md", format!("# Providers\n\n{NOTE}{}", mainspring_server::providers())),
        ("conventions.md", format!("# Names of attributes\n\n{NOTE}{}", mainspring_server::conventions())),
    ])
}

pub(crate) fn write(docs: &Path) -> anyhow::Result<()> {
    let folder = docs.join("reference");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (name, text) in pages(docs)? {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn commands() -> String {
    let mut root = Args::command();
    root.build();
    let mut text = format!("# The command line\n\n{NOTE}Every command takes these options:\n\n");
    let global: Vec<&clap::Arg> = root.get_arguments().filter(|arg| arg.is_global_set()).collect();
    global.iter().for_each(|arg| option(&mut text, arg));
    for command in root.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help") {
        describe(&mut text, "mainspring", command);
    }
    text
}

fn describe(text: &mut String, above: &str, command: &clap::Command) {
    let name = format!("{above} {}", command.get_name());
    let below: Vec<&clap::Command> = command.get_subcommands().filter(|command| command.get_name() != "help").collect();
    let positional: String = command.get_positionals().fold(String::new(), |mut shown, arg| {
        let value = arg.get_id().as_str().to_uppercase();
        let _ = if arg.is_required_set() { write!(shown, " {value}") } else { write!(shown, " [{value}]") };
        shown
    });
    let about = command.get_about().map(|about| sentence(&about.to_string())).unwrap_or_default();
    let _ = write!(text, "\n## `{name}{positional}`\n\n{about}\n");
    let own =
        |arg: &&clap::Arg| !arg.is_global_set() && !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version");
    let options: Vec<&clap::Arg> =
        command.get_arguments().filter(own).filter(|arg| !arg.is_positional() || arg.get_help().is_some()).collect();
    if !options.is_empty() {
        text.push('\n');
    }
    options.into_iter().for_each(|arg| option(text, arg));
    below.into_iter().for_each(|command| describe(text, &name, command));
}

fn option(text: &mut String, arg: &clap::Arg) {
    let mut shown = match arg.get_long() {
        Some(long) => format!("--{long}"),
        None => arg.get_id().as_str().to_uppercase(),
    };
    if let Some(short) = arg.get_short() {
        shown = format!("-{short}, {shown}");
    }
    if arg.get_long().is_some() && arg.get_action().takes_values() {
        let names = arg.get_value_names().unwrap_or_default();
        let _ = write!(shown, " {}", names.iter().map(|name| name.to_string()).collect::<Vec<_>>().join(" "));
    }
    let help = arg.get_help().map(|help| sentence(&help.to_string())).unwrap_or_default();
    let _ = write!(text, "- `{shown}`");
    if !help.is_empty() {
        let _ = write!(text, ": {help}");
    }
    if let [default] = arg.get_default_values() {
        let default = default.to_string_lossy();
        if arg.get_action().takes_values() {
            let _ = write!(text, " Default: `{default}`.");
        }
    }
    if let Some(variable) = arg.get_env() {
        let _ = write!(text, " Also `{}`.", variable.to_string_lossy());
    }
    text.push('\n');
}

fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', '?', '!']) { text.to_owned() } else { format!("{text}.") }
}

fn settings() -> String {
    let mut text = format!("# Settings\n\n{NOTE}");
    let mut comment: Vec<&str> = Vec::new();
    let mut section = "";
    for line in mainspring_config::DEFAULTS.lines() {
        if let Some(said) = line.strip_prefix('#') {
            comment.push(said.trim());
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
            let _ = write!(text, "\n## `[{name}]`\n\n");
        } else if let Some((key, value)) = line.split_once(" = ") {
            let _ = writeln!(text, "- `{section}.{key}` = `{value}`{}", remark(&std::mem::take(&mut comment)));
        } else if !comment.is_empty() {
            let _ = writeln!(text, "{}", std::mem::take(&mut comment).join("\n"));
        }
    }
    text
}

fn remark(comment: &[&str]) -> String {
    if comment.is_empty() { String::new() } else { format!(": {}", comment.join(" ")) }
}

fn specs() -> String {
    let mut text = format!(
        "# Specs\n\n{NOTE}Every file has `apiVersion: mainspring/v1`, a `kind`, a `name`, perhaps a `description`, and a `spec`.\n\
         `aliases: [production]` beside them points those names to the version that the spec becomes, in the same transaction.\n\
         `mainspring schema KIND` prints the JSON Schema; the server has it at `/schemas/KIND.json`.\n"
    );
    for (kind, schema) in mainspring_server::schemas() {
        let spec = &schema["properties"]["spec"];
        let _ = write!(text, "\n## `kind: {kind}`\n\n");
        object(&mut text, spec);
        for (name, definition) in schema["$defs"].as_object().into_iter().flatten() {
            let _ = write!(text, "\n### {name} ({kind})\n\n");
            object(&mut text, definition);
        }
    }
    text
}

fn object(text: &mut String, schema: &Value) {
    if let Some(about) = schema["description"].as_str() {
        let _ = write!(text, "{}\n\n", one_line(about));
    }
    for choice in ["oneOf", "anyOf"].iter().flat_map(|key| schema[key].as_array().into_iter().flatten()) {
        let title = choice["properties"]["type"]["const"].as_str().map(|name| format!("`type: {name}`"));
        let about = choice["description"].as_str().map(one_line).unwrap_or_default();
        let _ = writeln!(text, "- {}: {about}", title.unwrap_or_else(|| shape(choice)));
        fields(text, choice, "  ");
    }
    for value in schema["enum"].as_array().into_iter().flatten() {
        let _ = writeln!(text, "- `{value}`");
    }
    if let Some(said) = plain(schema) {
        let _ = writeln!(text, "{said}");
    }
    fields(text, schema, "");
}

/// Of what has no parts: how it is written.
fn plain(schema: &Value) -> Option<String> {
    if ["properties", "oneOf", "anyOf", "enum", "$ref"].iter().any(|key| schema.get(*key).is_some()) {
        return None;
    }
    let examples: Vec<String> = schema["examples"].as_array()?.iter().map(|example| format!("`{example}`")).collect();
    let pattern = schema["pattern"].as_str().map(|pattern| format!(", which matches `{pattern}`")).unwrap_or_default();
    Some(format!("A {}, such as {}{pattern}.", shape(schema), examples.join(", ")))
}

fn fields(text: &mut String, schema: &Value, indent: &str) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        if field.get("const").is_some() {
            continue;
        }
        let must = if required.contains(&name.as_str()) { ", required" } else { "" };
        let _ = write!(text, "{indent}- `{name}` ({}{must})", shape(field));
        if let Some(about) = field["description"].as_str() {
            let _ = write!(text, ": {}", one_line(about));
        }
        match field.get("default") {
            None | Some(Value::Null) => {}
            Some(Value::Object(_)) => text.push_str(" Default: see there."),
            Some(default) => {
                let _ = write!(text, " Default: `{default}`.");
            }
        }
        text.push('\n');
        fields(text, field, &format!("{indent}  "));
    }
}

/// A schema's type in a few words.
fn shape(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return reference.rsplit('/').next().unwrap_or(reference).to_owned();
    }
    if let Some(constant) = schema.get("const") {
        return format!("`{constant}`");
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(" or ");
    }
    if let Some(choices) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        let named = choices.iter().filter(|choice| choice["type"] != "null").map(shape);
        return named.collect::<Vec<_>>().join(" or ");
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("list of {}", shape(&schema["items"])),
        Value::String(name) if name == "object" && schema["additionalProperties"].is_object() => {
            format!("map of {}", shape(&schema["additionalProperties"]))
        }
        Value::String(name) => name.clone(),
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect::<Vec<_>>().join(" or ")
        }
        _ => "anything".to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn rest() -> anyhow::Result<String> {
    let document: Value = serde_json::from_str(&mainspring_server::openapi())?;
    let mut text = format!(
        "# The REST API\n\n{NOTE}The whole description is `openapi/rest.json`, which a server also answers at `/api/v1/openapi.json`.\n\
         The OpenAI surface is at `/v1` and OTLP at `/v1/traces`; the guides show both.\n\n| | | |\n|---|---|---|\n"
    );
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let summary = operation["summary"].as_str().map(one_line).unwrap_or_default();
            let _ = writeln!(text, "| `{}` | `{path}` | {summary} |", method.to_uppercase());
        }
    }
    Ok(text)
}

fn errors(folder: &Path) -> anyhow::Result<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".md").map(str::to_owned));
    }
    names.sort();
    let mut text = format!("# Errors\n\n{NOTE}| Code | What it says |\n|---|---|\n");
    for name in names {
        let page = std::fs::read_to_string(folder.join(format!("{name}.md")))?;
        let said = page.split("\n\n").nth(1).map(one_line).unwrap_or_default();
        let _ = writeln!(text, "| [`{name}`](../errors/{name}.md) | {} |", said.replace('|', "\\|"));
    }
    Ok(text)
}
