//! What a spec says about a document: who may see it, and its metadata.

use std::{collections::BTreeMap, sync::Arc};

use mainspring_kernel::Digest;

use super::globs::Globs;
use crate::spec::SourceSpec;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    /// Sorted, each once. Empty: everyone in the project.
    pub labels: Arc<Vec<String>>,
    pub metadata: Arc<BTreeMap<String, String>>,
}

/// Decides the attributes of each document of one source.
#[derive(Debug)]
pub struct Rules {
    base: Attributes,
    rules: Vec<Rule>,
}

/// What is matched, the labels that come instead, and the metadata that comes on top.
type Rule = (Globs, Option<Arc<Vec<String>>>, BTreeMap<String, String>);

impl Rules {
    pub fn of(source: &SourceSpec) -> Result<Self, String> {
        let common = source.common();
        let base = Attributes { labels: Arc::new(sorted(common.labels)), metadata: Arc::new(common.metadata.clone()) };
        let rules = common.rules.iter().map(|rule| {
            let globs = Globs::new(std::slice::from_ref(&rule.pattern))?;
            let labels = rule.labels.as_deref().map(|labels| Arc::new(sorted(labels)));
            Ok((globs, labels, rule.metadata.clone()))
        });
        Ok(Self { base, rules: rules.collect::<Result<_, String>>()? })
    }

    /// The last rule that matches decides the labels: adding to them would widen who may see the document.
    #[must_use]
    pub fn attributes(&self, path: &str) -> Attributes {
        let mut attributes = self.base.clone();
        for (globs, labels, metadata) in &self.rules {
            if !globs.matches(path) {
                continue;
            }
            if let Some(labels) = labels {
                attributes.labels = labels.clone();
            }
            if !metadata.is_empty() {
                Arc::make_mut(&mut attributes.metadata).extend(metadata.clone());
            }
        }
        attributes
    }
}

impl Attributes {
    /// These for those only who may see what the other labels open as well; `None` where no labels say that. A document
    /// is seen by whoever holds one of its labels, so those that stand in both are what both sides agree on.
    #[must_use]
    pub fn also_within(mut self, other: &[String]) -> Option<Self> {
        if other.is_empty() {
            return Some(self);
        }
        if self.labels.is_empty() {
            self.labels = Arc::new(other.to_vec());
        } else {
            Arc::make_mut(&mut self.labels).retain(|label| other.contains(label));
        }
        (!self.labels.is_empty()).then_some(self)
    }

    /// Part of what a document's rows are made from: when it changes, they are written again.
    #[must_use]
    pub fn digest(&self, source: &str, uri: &str) -> Digest {
        let labels = serde_json::json!(*self.labels).to_string();
        let metadata = serde_json::json!(*self.metadata).to_string();
        Digest::of_parts([source.as_bytes(), uri.as_bytes(), labels.as_bytes(), metadata.as_bytes()])
    }
}

fn sorted(labels: &[String]) -> Vec<String> {
    crate::spec::distinct(labels).into_iter().map(str::to_owned).collect()
}
