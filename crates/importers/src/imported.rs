//! What an import gives.

use mainspring_kernel::{AssetKind, Name};
use serde::Serialize;
use serde_json::{Value, json};

use crate::report::Report;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Imported {
    /// Providers first, then what refers to them.
    pub manifests: Vec<Manifest>,
    pub report: Report,
}

/// One asset, as `mainspring apply` takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    pub kind: AssetKind,
    pub name: Name,
    pub description: Option<String>,
    pub spec: Value,
}

impl Manifest {
    #[must_use]
    pub fn value(&self) -> Value {
        let Self { kind, name, description, spec } = self;
        let mut value = json!({"apiVersion": "mainspring/v1", "kind": kind.as_str(), "name": name.as_str()});
        if let Some(description) = description {
            value["description"] = json!(description);
        }
        value["spec"] = spec.clone();
        value
    }
}

impl Serialize for Manifest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}
