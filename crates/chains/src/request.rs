//! What is asked, of what, and, for a replay, against which versions.

use std::{collections::BTreeMap, fmt, str::FromStr};

use mainspring_kernel::{AssetKind, AssetRef, Digest, Selector, id::BatchId, name::RefFault};
use mainspring_llm::{
    Message, TablePin, Told,
    chat::{ResponseFormat, Sampling},
};
use mainspring_prompts::InferenceSettings;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a client wrote as its `model`: an app, a prompt or a model, in this order where the kind is not said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// `None`: whichever exists.
    pub kind: Option<AssetKind>,
    pub reference: AssetRef,
}

impl FromStr for Target {
    type Err = RefFault;

    fn from_str(text: &str) -> Result<Self, RefFault> {
        for (prefix, kind) in [("app/", AssetKind::App), ("prompt/", AssetKind::Prompt), ("model/", AssetKind::Model)] {
            if let Some(rest) = text.strip_prefix(prefix) {
                return Ok(Self { kind: Some(kind), reference: rest.parse()? });
            }
        }
        Ok(Self { kind: None, reference: text.parse()? })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "{kind}/{}", self.reference),
            None => write!(f, "{}", self.reference),
        }
    }
}

/// What the request itself says about inference; absent fields leave it to the chain, the prompt, the model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Overrides {
    #[serde(default)]
    pub settings: InferenceSettings,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
    /// `None`: text. `Some(null)`: any JSON. Otherwise a JSON Schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<u8>,
}

impl Overrides {
    #[must_use]
    pub fn format(&self) -> ResponseFormat {
        match &self.json {
            None => ResponseFormat::Text,
            Some(Value::Null) => ResponseFormat::Json,
            Some(schema) => ResponseFormat::JsonSchema(schema.clone()),
        }
    }
}

/// Layers of settings, the first that says something wins.
pub(crate) fn sampling(layers: &[&InferenceSettings], presence_penalty: Option<f64>) -> Sampling {
    let default = Sampling::default();
    let first = |pick: fn(&InferenceSettings) -> Option<f64>| layers.iter().find_map(|layer| pick(layer));
    Sampling {
        temperature: first(|s| s.temperature).unwrap_or(default.temperature),
        top_p: first(|s| s.top_p).unwrap_or(default.top_p),
        top_k: None,
        seed: layers.iter().find_map(|layer| layer.seed),
        frequency_penalty: first(|s| s.frequency_penalty).unwrap_or_default(),
        presence_penalty: presence_penalty.unwrap_or_default(),
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub target: Target,
    pub messages: Vec<Message>,
    pub overrides: Overrides,
    /// Values for prompt parameters beside `question`, `sources` and `history`.
    pub parameters: BTreeMap<String, Value>,
    /// How many alternatives.
    pub n: usize,
    pub user: Option<String>,
    pub session: Option<String>,
    /// Priced as calls in a batch are.
    pub batch: bool,
    /// The batch of which it is a line.
    pub line_of: Option<BatchId>,
    /// Where what becomes of the calls of models is told.
    pub told: Told,
    pub pins: Pins,
}

impl Question {
    #[must_use]
    pub fn of(target: Target, messages: Vec<Message>) -> Self {
        Self {
            target,
            messages,
            overrides: Overrides::default(),
            parameters: BTreeMap::new(),
            n: 1,
            user: None,
            session: None,
            batch: false,
            line_of: None,
            told: Told::default(),
            pins: Pins::default(),
        }
    }
}

/// Exact versions to use instead of what references say now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pins {
    /// Versions as they were.
    pub versions: BTreeMap<(AssetKind, String), Digest>,
    pub swaps: Vec<Swap>,
    /// A model by this name instead of the chain's.
    pub model: Option<String>,
    /// What was read of a knowledge, by its name, in the order of the steps that read it.
    pub reads: BTreeMap<String, Vec<Read>>,
}

/// One asset in the place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swap {
    pub kind: AssetKind,
    /// The one that gives way; `None`: whatever the chain names.
    pub name: Option<String>,
    pub with: AssetRef,
}

/// A version of a knowledge and the state of its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    pub digest: Option<Digest>,
    pub table: TablePin,
}

impl Pins {
    /// What a reference means under these pins.
    #[must_use]
    pub fn redirect(&self, kind: AssetKind, reference: &AssetRef) -> AssetRef {
        if let Some(swap) = self.swap(kind, reference) {
            return swap.clone();
        }
        match self.versions.get(&(kind, reference.name.to_string())) {
            Some(digest) => AssetRef { name: reference.name.clone(), selector: Selector::Digest(*digest) },
            None => reference.clone(),
        }
    }

    /// What the `nth` step that reads this knowledge reads, and as of when. A swapped one is read as it is now.
    #[must_use]
    pub fn read(&self, reference: &AssetRef, nth: usize) -> (AssetRef, Option<TablePin>) {
        let redirected = self.redirect(AssetKind::Knowledge, reference);
        if self.swap(AssetKind::Knowledge, reference).is_some() {
            return (redirected, None);
        }
        let Some(read) = self.reads.get(reference.name.as_str()).and_then(|reads| reads.get(nth).or(reads.last())) else {
            return (redirected, None);
        };
        let exact = |digest| AssetRef { name: reference.name.clone(), selector: Selector::Digest(digest) };
        (read.digest.map_or(redirected, exact), Some(read.table.clone()))
    }

    fn swap(&self, kind: AssetKind, reference: &AssetRef) -> Option<&AssetRef> {
        let fits = |swap: &&Swap| swap.kind == kind && swap.name.as_ref().is_none_or(|name| name == reference.name.as_str());
        self.swaps.iter().find(fits).map(|swap| &swap.with)
    }
}

/// A question as its trace keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replayable {
    pub target: String,
    pub messages: Vec<Message>,
    #[serde(default)]
    pub overrides: Overrides,
    #[serde(default)]
    pub parameters: BTreeMap<String, Value>,
}
