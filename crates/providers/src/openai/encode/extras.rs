//! Fields that have no word in the exchange.

use mainspring_llm::exchange::Dialect;
use serde_json::Value;

use super::Writer;
use crate::fault::UpstreamFault;

/// Ours: for the surfaces, and for nobody behind them.
const OURS: &str = "mainspring";

/// What only the responses endpoint can do. Without it the answer would be another.
const STATEFUL: &[&str] = &["previous_response_id", "conversation", "prompt", "tool_choice"];

/// Both endpoints of OpenAI know these, and mean the same.
const SHARED: &[&str] = &["prompt_cache_key", "prompt_cache_retention", "safety_identifier"];

impl Writer<'_> {
    pub(super) fn extras(&mut self) -> Result<(), UpstreamFault> {
        for (name, value) in &self.call.extra {
            if name == OURS || value.is_null() {
                continue;
            }
            match self.call.said_in {
                Dialect::OpenAiChat => {
                    self.body.entry(name.as_str()).or_insert_with(|| value.clone());
                }
                Dialect::OpenAiResponses => self.of_responses(name, value)?,
                _ => self.lose(name, "has no word in this dialect"),
            }
        }
        Ok(())
    }

    fn of_responses(&mut self, name: &str, value: &Value) -> Result<(), UpstreamFault> {
        if STATEFUL.contains(&name) || (name == "background" && *value == Value::Bool(true)) {
            return Err(self.unsupported(&format!("`{name}` of the responses endpoint")));
        }
        match name {
            name if SHARED.contains(&name) && self.openai => self.set(name, value.clone()),
            "text" => self.verbosity(value),
            name => self.lose(name, "only the responses endpoint knows it"),
        }
        Ok(())
    }

    fn verbosity(&mut self, text: &Value) {
        for (name, value) in text.as_object().into_iter().flatten() {
            match name.as_str() {
                "verbosity" if self.openai => self.set("verbosity", value.clone()),
                name => self.lose(format!("text.{name}"), "the server does not take it"),
            }
        }
    }
}
