//! Layers of settings. Each may set what the defaults file has, and nothing else.

use std::{collections::BTreeMap, fmt, path::Path};

use mainspring_kernel::text;
use toml::Value;

use crate::{fault::ConfigFault, model::Config};

/// Every setting with its default and what it means; the first layer.
pub const DEFAULTS: &str = include_str!("../../../mainspring.default.toml");

/// Short names for what people set most.
const SHORT_NAMES: [(&str, &str); 10] = [
    ("MAINSPRING_LISTEN", "server.listen"),
    ("MAINSPRING_DATA", "data.dir"),
    ("MAINSPRING_CATALOG", "catalog.url"),
    ("MAINSPRING_LAKE", "lake.url"),
    ("MAINSPRING_MODELS", "models.dir"),
    ("MAINSPRING_LOG", "log.filter"),
    ("MAINSPRING_URL", "client.url"),
    ("MAINSPRING_API_KEY", "client.api_key"),
    ("MAINSPRING_CAPTURE", "traces.capture"),
    ("MAINSPRING_MASTER_KEY", "secrets.master_key"),
];
const SECRETS: [&str; 3] = ["client.api_key", "catalog.url", "secrets.master_key"];

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(String),
    Environment(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => f.write_str(path),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// One value in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    pub key: String,
    /// As TOML writes it; secrets are `"***"`.
    pub shown: String,
    pub origin: Origin,
}

#[derive(Debug, Clone)]
pub struct Layers {
    values: BTreeMap<String, (Value, Origin)>,
}

impl Layers {
    pub fn defaults() -> Result<Self, ConfigFault> {
        let mut values = BTreeMap::new();
        for (key, value) in flatten(&parse(DEFAULTS, "mainspring.default.toml")?) {
            values.insert(key, (value, Origin::Default));
        }
        Ok(Self { values })
    }

    /// Lays a file over what is there.
    pub fn with_file(mut self, path: &Path) -> Result<Self, ConfigFault> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| ConfigFault::Unreadable { path: shown.clone(), source })?;
        for (key, value) in flatten(&parse(&text, &shown)?) {
            self.set(&key, value, Origin::File(shown.clone()))?;
        }
        Ok(self)
    }

    /// Lays environment variables over what is there: the short names, and `MAINSPRING__SECTION__KEY`.
    pub fn with_environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigFault> {
        for (name, text) in variables {
            let key = match SHORT_NAMES.iter().find(|(short, _)| *short == name) {
                Some((_, key)) => (*key).to_owned(),
                None => match name.strip_prefix("MAINSPRING__") {
                    Some(rest) => rest.to_lowercase().replace("__", "."),
                    None => continue,
                },
            };
            self.set_text(&key, &text, Origin::Environment(name))?;
        }
        Ok(self)
    }

    /// Lays a flag over what is there.
    pub fn with_flag(mut self, key: &str, flag: &str, text: &str) -> Result<Self, ConfigFault> {
        self.set_text(key, text, Origin::Flag(flag.to_owned()))?;
        Ok(self)
    }

    /// A value written as text, read as the type the default has.
    fn set_text(&mut self, key: &str, text: &str, origin: Origin) -> Result<(), ConfigFault> {
        let wrong =
            |expected, origin: &Origin| ConfigFault::WrongType { key: key.to_owned(), origin: origin.to_string(), expected };
        let value = match self.values.get(key).map(|(value, _)| value) {
            Some(Value::Boolean(_)) => Value::Boolean(text.parse().map_err(|_| wrong("true or false", &origin))?),
            Some(Value::Integer(_)) => Value::Integer(text.parse().map_err(|_| wrong("a whole number", &origin))?),
            Some(Value::Array(_)) => Value::Array(
                text.split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty())
                    .map(|part| Value::String(part.to_owned()))
                    .collect(),
            ),
            _ => Value::String(text.to_owned()),
        };
        self.set(key, value, origin)
    }

    fn set(&mut self, key: &str, value: Value, origin: Origin) -> Result<(), ConfigFault> {
        let Some(slot) = self.values.get_mut(key) else {
            let suggestion = text::nearest(key, self.values.keys().map(String::as_str))
                .map_or(String::new(), |near| format!(": did you mean `{near}`?"));
            return Err(ConfigFault::Unknown { key: text::elide(key, 100), origin: origin.to_string(), suggestion });
        };
        if slot.0.type_str() != value.type_str() {
            return Err(ConfigFault::WrongType { key: key.to_owned(), origin: origin.to_string(), expected: type_name(&slot.0) });
        }
        *slot = (value, origin);
        Ok(())
    }

    /// The settings in force, checked.
    pub fn build(&self) -> Result<Config, ConfigFault> {
        let mut root = toml::Table::new();
        for (key, (value, _)) in &self.values {
            let (section, name) = key.split_once('.').unwrap_or(("", key));
            let table = root.entry(section).or_insert_with(|| Value::Table(toml::Table::new()));
            if let Value::Table(table) = table {
                table.insert(name.to_owned(), value.clone());
            }
        }
        let mut config: Config = Value::Table(root).try_into().map_err(|error: toml::de::Error| {
            let place = error.to_string();
            ConfigFault::Invalid { reason: place.trim().replace('\n', " ") }
        })?;
        // Everything that is derived from it must mean the same wherever a child process runs.
        config.data.dir =
            std::path::absolute(&config.data.dir).map_err(|error| ConfigFault::Invalid { reason: error.to_string() })?;
        Ok(config)
    }

    /// Every setting, in order of its name.
    #[must_use]
    pub fn settings(&self) -> Vec<Setting> {
        let shown = |key: &str, value: &Value| match value {
            Value::String(text) if SECRETS.contains(&key) && !text.is_empty() => "\"***\"".to_owned(),
            value => value.to_string(),
        };
        self.values
            .iter()
            .map(|(key, (value, origin))| Setting { key: key.clone(), shown: shown(key, value), origin: origin.clone() })
            .collect()
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Boolean(_) => "true or false",
        Value::Integer(_) => "a whole number",
        Value::Array(_) => "a list",
        _ => "a text",
    }
}

fn parse(source: &str, path: &str) -> Result<toml::Table, ConfigFault> {
    source
        .parse()
        .map_err(|error: toml::de::Error| ConfigFault::Syntax { path: path.to_owned(), reason: error.message().to_owned() })
}

/// `section.key` for every value. Settings are two levels deep by design.
fn flatten(table: &toml::Table) -> Vec<(String, Value)> {
    let mut flat = Vec::new();
    for (section, value) in table {
        match value {
            Value::Table(inner) => flat.extend(inner.iter().map(|(key, value)| (format!("{section}.{key}"), value.clone()))),
            other => flat.push((section.clone(), other.clone())),
        }
    }
    flat
}
