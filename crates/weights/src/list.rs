//! The models that can be named: the embedded ones, and those a user adds.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use mainspring_kernel::{Name, text};
use serde::Deserialize;
use toml::Spanned;

use crate::{fault::WeightsFault, model::ModelSpec};

const BUILT_IN: &str = include_str!("../models.toml");

#[derive(Debug, Clone, Default)]
pub struct ModelList {
    models: BTreeMap<Name, Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    spec: ModelSpec,
    /// The user's list that names it; none for a model that Mainspring knows by itself.
    from: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    models: BTreeMap<Name, Spanned<ModelSpec>>,
}

/// What is wrong with a list, and in which line.
struct Flaw {
    line: Option<usize>,
    reason: String,
}

impl ModelList {
    /// The models in the embedded `models.toml`.
    pub fn built_in() -> Result<Self, WeightsFault> {
        Self::default().with_toml(BUILT_IN)
    }

    /// Adds the `[models.<name>]` tables of a TOML document; a name given again replaces the earlier one.
    pub fn with_toml(self, document: &str) -> Result<Self, WeightsFault> {
        self.with(document, None)
            .map_err(|Flaw { reason, .. }| WeightsFault::InvalidModel { model: "models.toml".to_owned(), reason })
    }

    /// Adds the models of a file that a user wrote.
    pub fn with_file(self, path: &Path) -> Result<Self, WeightsFault> {
        let path = path.to_owned();
        let document = match fs::read_to_string(&path) {
            Ok(document) => document,
            Err(source) => return Err(WeightsFault::ListUnreadable { path, source }),
        };
        self.with(&document, Some(&path)).map_err(|Flaw { line, reason }| WeightsFault::InvalidList { path, line, reason })
    }

    fn with(mut self, document: &str, from: Option<&Path>) -> Result<Self, Flaw> {
        let read: Document = toml::from_str(document).map_err(|fault| {
            let line = fault.span().map(|span| line_at(document, span.start));
            let shown = line.and_then(|line| document.lines().nth(line - 1)).map(str::trim).filter(|shown| !shown.is_empty());
            let place = shown.map_or(String::new(), |shown| format!(", in `{}`", text::elide(shown, 120)));
            Flaw { line, reason: format!("{}{place}", fault.message()) }
        })?;
        for (name, spanned) in read.models {
            let line = Some(line_at(document, spanned.span().start));
            let spec = spanned.into_inner();
            spec.check(name.as_str()).map_err(|fault| Flaw { line, reason: fault.to_string() })?;
            self.models.insert(name, Entry { spec, from: from.map(Path::to_owned) });
        }
        Ok(self)
    }

    pub fn get(&self, name: &str) -> Result<&ModelSpec, WeightsFault> {
        let wanted: Option<Name> = name.parse().ok();
        let found = wanted.and_then(|name| self.models.get(&name)).map(|entry| &entry.spec);
        found.ok_or_else(|| WeightsFault::UnknownModel {
            name: text::elide(name, 80),
            known: self.models.keys().map(ToString::to_string).collect(),
        })
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Name, &ModelSpec)> {
        self.models.iter().map(|(name, entry)| (name, &entry.spec))
    }

    /// The user's list that names a model.
    #[must_use]
    pub fn from(&self, name: &Name) -> Option<&Path> {
        self.models.get(name)?.from.as_deref()
    }
}

/// Counted from one, as editors do.
fn line_at(document: &str, offset: usize) -> usize {
    let before = document.as_bytes().get(..offset).unwrap_or_default();
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}
