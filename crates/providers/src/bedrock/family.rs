//! What Converse leaves to the model: fields of each maker's own, in `additionalModelRequestFields`.

use mainspring_llm::exchange::ReasoningWanted;
use serde_json::{Value, json};

/// Whose model it is, as far as its name tells. Profiles of one's own may have any name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Claude,
    Nova,
    /// Since its second generation, which thinks.
    Nova2,
    Cohere,
    Mistral,
    GptOss,
    Other,
}

impl Family {
    pub(super) fn of(model: &str) -> Self {
        let known = [
            ("claude", Self::Claude),
            ("amazon.nova-2", Self::Nova2),
            ("amazon.nova", Self::Nova),
            ("cohere.", Self::Cohere),
            ("mistral.", Self::Mistral),
            ("openai.gpt-oss", Self::GptOss),
        ];
        known.into_iter().find(|(part, _)| model.contains(part)).map_or(Self::Other, |(_, family)| family)
    }

    /// How it is told to draw from the most likely `k` tokens.
    pub(super) fn top_k(self, k: u32) -> Option<(&'static str, Value)> {
        match self {
            Self::Claude | Self::Mistral => Some(("top_k", k.into())),
            Self::Nova | Self::Nova2 => Some(("inferenceConfig", json!({"topK": k}))),
            Self::Cohere => Some(("k", k.into())),
            Self::GptOss | Self::Other => None,
        }
    }

    /// How a model other than Claude is told to think; an error says why it is not.
    pub(super) fn thinking(self, wanted: &ReasoningWanted) -> Result<Option<(&'static str, Value)>, &'static str> {
        let off = wanted.effort.as_deref() == Some("none") || wanted.budget_tokens == Some(0);
        match self {
            Self::Nova2 if off => Ok(Some(("reasoningConfig", json!({"type": "disabled"})))),
            Self::Nova2 => Ok(Some(("reasoningConfig", json!({"type": "enabled", "maxReasoningEffort": level(wanted)?})))),
            Self::GptOss if off => Err("this model always thinks"),
            Self::GptOss => Ok(Some(("reasoning_effort", level(wanted)?.into()))),
            _ if off => Ok(None),
            _ => Err("this model is not told how much to think"),
        }
    }
}

/// A budget becomes the level whose usual budget grants it.
fn level(wanted: &ReasoningWanted) -> Result<&'static str, &'static str> {
    match (wanted.effort.as_deref(), wanted.budget_tokens) {
        (Some("minimal" | "low"), _) | (None, Some(..=2_048)) => Ok("low"),
        (Some("medium"), _) | (None, Some(..=8_192) | None) => Ok("medium"),
        (Some("high" | "xhigh" | "max"), _) | (None, Some(_)) => Ok("high"),
        (Some(_), _) => Err("there is no such effort"),
    }
}
