//! The models that can be named: the embedded ones, and those a user adds.

use std::collections::BTreeMap;

use mainspring_kernel::Name;
use serde::Deserialize;

use crate::{fault::WeightsFault, model::ModelSpec};

const BUILT_IN: &str = include_str!("../models.toml");

#[derive(Debug, Clone, Default)]
pub struct ModelList {
    models: BTreeMap<Name, ModelSpec>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    models: BTreeMap<Name, ModelSpec>,
}

impl ModelList {
    /// The models in the embedded `models.toml`.
    pub fn built_in() -> Result<Self, WeightsFault> {
        Self::default().with_toml(BUILT_IN)
    }

    /// Adds the `[models.<name>]` tables of a TOML document; a name given again replaces the earlier one.
    pub fn with_toml(mut self, document: &str) -> Result<Self, WeightsFault> {
        let document: Document = toml::from_str(document).map_err(|fault| WeightsFault::InvalidModel {
            model: "models.toml".to_owned(),
            reason: fault.to_string().trim_end().to_owned(),
        })?;
        for (name, spec) in document.models {
            self.add(name, spec)?;
        }
        Ok(self)
    }

    pub fn add(&mut self, name: Name, spec: ModelSpec) -> Result<(), WeightsFault> {
        spec.check(name.as_str())?;
        self.models.insert(name, spec);
        Ok(())
    }

    pub fn get(&self, name: &str) -> Result<&ModelSpec, WeightsFault> {
        let wanted: Option<Name> = name.parse().ok();
        wanted.and_then(|name| self.models.get(&name)).ok_or_else(|| WeightsFault::UnknownModel {
            name: mainspring_kernel::text::elide(name, 80),
            known: self.models.keys().map(ToString::to_string).collect(),
        })
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Name, &ModelSpec)> {
        self.models.iter()
    }
}
