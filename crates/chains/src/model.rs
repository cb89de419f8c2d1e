//! Specs of chains and apps.

use std::collections::BTreeMap;

use mainspring_kernel::AssetRef;
use mainspring_llm::SearchMode;
use mainspring_prompts::InferenceSettings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An app: what clients call as their `model`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AppSpec {
    /// The chain that answers: `name`, `name@alias`, `name@v3` or `name@sha256:…`.
    #[schemars(with = "String")]
    pub chain: AssetRef,
    /// Shown to people where they choose an app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Questions the page offers to start with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
    /// What is said when nothing relevant is found.
    #[serde(default = "default_abstain")]
    pub abstain: String,
}

pub(crate) fn default_abstain() -> String {
    "This is not in the documents.".to_owned()
}

/// A chain: steps that run one after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChainSpec {
    pub steps: Vec<Step>,
}

/// One step. Exactly one of the fields is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retrieve: Option<RetrieveStep>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<PromptStep>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelStep>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<QuoteStep>,
}

/// Finds passages for the question and adds them to `sources`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetrieveStep {
    #[schemars(with = "String")]
    pub knowledge: AssetRef,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub mode: Option<SearchMode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerank: Option<bool>,
    /// The passages together take at most this many tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_budget: Option<usize>,
    /// Only documents whose metadata holds one of the values, for every key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Vec<String>>,
}

/// Renders a prompt. `question`, `sources` and `history` are given to those it declares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptStep {
    /// The prompt asset.
    #[serde(rename = "use")]
    #[schemars(with = "String")]
    pub prompt: AssetRef,
    /// Values for its other parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<String, serde_json::Value>,
}

/// Asks a model with the rendered messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelStep {
    /// A route of the project, `provider/model`, or a model of this process.
    pub name: String,
    /// Wins over the prompt's settings; the request wins over both.
    #[serde(default, skip_serializing_if = "InferenceSettings::is_empty")]
    pub settings: InferenceSettings,
}

/// Answers with sentences of the sources, word for word, each with the number of its source; no model writes anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuoteStep {
    /// The embedding model that compares sentences with the question, token by token.
    pub model: String,
    /// At most so many sentences, 1 to 20. A list, a table or code that one leads into comes with it.
    #[serde(default = "default_quotes")]
    pub limit: u32,
    /// How near the nearest sentence has to come, -1 to 1; otherwise the app says that it does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
}

const fn default_quotes() -> u32 {
    3
}

/// A step with its one kind known.
#[derive(Debug, Clone, Copy)]
pub(crate) enum StepKind<'a> {
    Retrieve(&'a RetrieveStep),
    Prompt(&'a PromptStep),
    Model(&'a ModelStep),
    Quote(&'a QuoteStep),
}

impl Step {
    pub(crate) fn kind(&self) -> Option<StepKind<'_>> {
        match (&self.retrieve, &self.prompt, &self.model, &self.quote) {
            (Some(step), None, None, None) => Some(StepKind::Retrieve(step)),
            (None, Some(step), None, None) => Some(StepKind::Prompt(step)),
            (None, None, Some(step), None) => Some(StepKind::Model(step)),
            (None, None, None, Some(step)) => Some(StepKind::Quote(step)),
            _ => None,
        }
    }
}

impl ChainSpec {
    /// Checks the shape: each step one thing; at the end one prompt and one model, or one quote.
    pub fn validate(&self) -> Result<(), String> {
        let mut kinds = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            kinds.push(
                step.kind()
                    .ok_or_else(|| format!("steps[{index}]: give exactly one of `retrieve`, `prompt`, `model`, `quote`"))?,
            );
        }
        if let Some(at) = kinds.iter().position(|kind| matches!(kind, StepKind::Quote(_))) {
            return check_quote(&kinds, at);
        }
        let prompts = kinds.iter().filter(|kind| matches!(kind, StepKind::Prompt(_))).count();
        let models = kinds.iter().filter(|kind| matches!(kind, StepKind::Model(_))).count();
        if prompts != 1 || models != 1 {
            return Err(format!("a chain has one `prompt` step and one `model` step; this one has {prompts} and {models}"));
        }
        let prompt_at = kinds.iter().position(|kind| matches!(kind, StepKind::Prompt(_)));
        let model_last = matches!(kinds.last(), Some(StepKind::Model(_)));
        let retrieves_first = kinds.iter().take(prompt_at.unwrap_or(0)).all(|kind| matches!(kind, StepKind::Retrieve(_)));
        if !model_last || !retrieves_first || prompt_at != Some(kinds.len() - 2) {
            return Err("the order is: any `retrieve` steps, then `prompt`, then `model`".to_owned());
        }
        Ok(())
    }
}

fn check_quote(kinds: &[StepKind<'_>], at: usize) -> Result<(), String> {
    let retrieves = kinds.iter().filter(|kind| matches!(kind, StepKind::Retrieve(_))).count();
    if at + 1 != kinds.len() || retrieves != at || retrieves == 0 {
        return Err("a chain that quotes has `retrieve` steps and then one `quote`, and no `prompt` and no `model`".to_owned());
    }
    let Some(StepKind::Quote(step)) = kinds.last() else { return Ok(()) };
    if !(1..=20).contains(&step.limit) {
        return Err(format!("steps[{at}].quote.limit: 1 to 20 sentences, not {}", step.limit));
    }
    if step.at_least.is_some_and(|least| !(-1.0..=1.0).contains(&least)) {
        return Err(format!("steps[{at}].quote.at_least: a number from -1 to 1"));
    }
    Ok(())
}
