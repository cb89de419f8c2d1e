//! How a kind of asset tells the registry what its specs look like.

use mainspring_kernel::{AssetKind, AssetRef, Fault, FaultKind, text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::manifest::API_VERSION;

/// A kind of asset this build can take.
#[derive(Debug, Clone, Copy)]
pub struct KindDescriptor {
    pub kind: AssetKind,
    /// The JSON Schema of the spec, published and used to name problems.
    pub schema: fn() -> Value,
    /// Reads a spec, also one that is stored and that nobody could apply any more: it tells what is wrong with that.
    pub parse: fn(&Value) -> Result<ParsedSpec, SpecFault>,
}

impl KindDescriptor {
    /// Reads a spec that is to be applied: nothing may be wrong with it.
    pub fn check(&self, spec: &Value) -> Result<ParsedSpec, SpecFault> {
        let parsed = (self.parse)(spec)?;
        if parsed.faults.is_empty() { Ok(parsed) } else { Err(SpecFault { problems: parsed.faults }) }
    }

    /// The JSON Schema of a manifest of the kind: the envelope with the spec's schema inside.
    #[must_use]
    pub fn manifest_schema(&self) -> Value {
        let mut spec = (self.schema)();
        // `$ref`s in the spec's schema start at its own root, which moves to the envelope's.
        let definitions = spec.as_object_mut().and_then(|fields| {
            fields.remove("$schema");
            fields.remove("$defs")
        });
        let mut schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": self.kind.as_str(),
            "type": "object",
            "required": ["apiVersion", "kind", "name", "spec"],
            "additionalProperties": false,
            "properties": {
                "apiVersion": { "const": API_VERSION },
                "kind": { "const": self.kind.as_str() },
                "name": { "type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,62}$" },
                "description": { "type": ["string", "null"] },
                "aliases": {
                    "description": "Names that will point to the version this text becomes.",
                    "type": ["array", "null"],
                    "items": { "type": "string" },
                },
                "spec": spec,
            },
        });
        if let Some(definitions) = definitions {
            schema["$defs"] = definitions;
        }
        schema
    }
}

/// A spec that is valid by itself, but for its faults; whether what it names exists is not yet known.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedSpec {
    /// The spec with every default written out: what is stored and digested.
    pub canonical: Value,
    pub references: Vec<Reference>,
    /// What it names and does not depend on: a plan warns of what is not there.
    pub mentions: Vec<Reference>,
    /// Models it needs.
    pub models: Vec<NamedModel>,
    /// Names of models that its asset answers to.
    pub offers: Vec<Offer>,
    /// Why it cannot be applied, though it can be read: where an earlier version took it, it goes on as it is.
    pub faults: Vec<SpecProblem>,
}

impl ParsedSpec {
    pub fn of<T: Serialize>(spec: &T, references: Vec<Reference>) -> Result<Self, SpecFault> {
        let canonical = serde_json::to_value(spec).map_err(|source| SpecFault::invalid(source.to_string()))?;
        Ok(Self { canonical, references, mentions: Vec::new(), models: Vec::new(), offers: Vec::new(), faults: Vec::new() })
    }

    #[must_use]
    pub fn mentioning(self, mentions: Vec<Reference>) -> Self {
        Self { mentions, ..self }
    }

    #[must_use]
    pub fn naming(self, models: Vec<NamedModel>) -> Self {
        Self { models, ..self }
    }

    #[must_use]
    pub fn offering(self, offers: Vec<Offer>) -> Self {
        Self { offers, ..self }
    }

    #[must_use]
    pub fn faulty(self, faults: Vec<SpecProblem>) -> Self {
        Self { faults, ..self }
    }
}

/// What a spec wants of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelRole {
    /// Of this process.
    Embed,
    /// Of this process.
    Rerank,
    /// Of this process, or of a route or a provider of the project.
    Chat,
    /// Whatever a route may send to: `provider/model`.
    Target,
}

impl ModelRole {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Embed => "embedding model",
            Self::Rerank => "reranker",
            Self::Chat => "chat model or route",
            Self::Target => "model",
        }
    }
}

/// A model that a spec names. Models are no assets and have no versions here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedModel {
    pub role: ModelRole,
    pub name: String,
    /// As in `Reference`.
    pub path: String,
}

/// A name by which an asset can be asked as a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// The asset's own.
    Name,
    /// Another one; it may end in `*`.
    Also(String),
    /// What stands behind the asset's own and a slash; it may end in `*`.
    Below(String),
}

/// One version naming another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub kind: AssetKind,
    pub target: AssetRef,
    /// Where in the spec, without a leading `spec.`: `steps[0].prompt.use`.
    pub path: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct SpecFault {
    pub problems: Vec<SpecProblem>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecProblem {
    /// Where in the spec; empty for the whole.
    pub path: String,
    pub message: String,
    pub unknown_field: bool,
}

impl std::fmt::Display for SpecProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

impl SpecFault {
    /// Reads a spec, with a path and the nearest valid word in the message.
    pub fn read<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<T, Self> {
        serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            let path = if path == "." { String::new() } else { path };
            Self { problems: vec![problem_from_serde(path, &error.inner().to_string())] }
        })
    }

    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::at("", message)
    }

    #[must_use]
    pub fn at(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { problems: vec![SpecProblem { path: path.into(), message: message.into(), unknown_field: false }] }
    }
}

impl Fault for SpecFault {
    fn kind(&self) -> FaultKind {
        FaultKind::Invalid
    }
    fn code(&self) -> &'static str {
        "registry-invalid-spec"
    }
}

/// serde lists what it would have taken; people want the one they meant.
fn problem_from_serde(path: String, message: &str) -> SpecProblem {
    for (prefix, what) in [("unknown field `", "field"), ("unknown variant `", "value")] {
        let Some((given, rest)) = message.strip_prefix(prefix).and_then(|rest| rest.split_once('`')) else {
            continue;
        };
        let candidates: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        let message = format!("unknown {what} `{}`{}", text::elide(given, 80), text::did_you_mean(given, candidates));
        return SpecProblem { path, message, unknown_field: what == "field" };
    }
    SpecProblem { path, message: text::elide(message, 400), unknown_field: false }
}
