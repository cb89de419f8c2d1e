//! How the model is to draw its tokens, and how much to think before.

use mainspring_llm::exchange::{Dialect, ToolChoice};
use serde_json::{Map, Value, json};

use super::{encode::Encoder, family::Family, messages::Conversation};
use crate::anthropic::reasoning::{self, Ability, BUDGET_MIN, Plan};

impl Encoder<'_> {
    /// Says whether the model is asked to think.
    pub(super) fn thinking(&mut self, talk: &Conversation) -> bool {
        let Some(wanted) = self.call.reasoning.as_ref() else {
            return false;
        };
        // A wish for a summary alone is no wish to think.
        if wanted.effort.is_none() && wanted.budget_tokens.is_none() && self.call.said_in != Dialect::Anthropic {
            return false;
        }
        if self.family == Family::Claude {
            return self.claude(reasoning::plan(&self.endpoint.model, wanted), talk);
        }
        match self.family.thinking(wanted) {
            Ok(field) => self.more.extend(field.map(|(name, value)| (name.to_owned(), value))),
            Err(why) => self.lost.note("reasoning", why),
        }
        false
    }

    /// As Anthropic's own API: Claude is the same model here.
    fn claude(&mut self, plan: Plan, talk: &Conversation) -> bool {
        let forced = matches!(self.call.tool_choice, Some(ToolChoice::Required | ToolChoice::Function(_)));
        let plan = match plan {
            Plan::Off | Plan::Cannot(_) => plan,
            _ if forced => Plan::Cannot("Claude does not think where a tool must be called"),
            Plan::Budget { .. } if !talk.is_thought_through() => {
                Plan::Cannot("the last answer called tools, and its thinking did not come back with it")
            }
            plan => plan,
        };
        let thinking = match plan {
            Plan::Off => return false,
            Plan::Cannot(why) => {
                self.lost.note("reasoning", why);
                return false;
            }
            Plan::Adaptive(effort) => {
                self.more.extend(effort.map(|effort| ("output_config".to_owned(), json!({"effort": effort}))));
                json!({"type": "adaptive"})
            }
            Plan::Budget { tokens, said } => {
                let Some(tokens) = self.budget(tokens, said) else {
                    self.lost.note("reasoning", "`max_tokens` leaves no room to think");
                    return false;
                };
                json!({"type": "enabled", "budget_tokens": tokens})
            }
        };
        self.more.insert("thinking".to_owned(), thinking);
        true
    }

    /// Below `max_tokens`; an effort leaves half of what the client allows to the answer.
    fn budget(&self, tokens: u32, said: bool) -> Option<u32> {
        let tokens = tokens.max(BUDGET_MIN);
        let most = match self.call.max_tokens {
            None => return Some(tokens),
            Some(max_tokens) if said => max_tokens.saturating_sub(1),
            Some(max_tokens) => max_tokens / 2,
        };
        Some(tokens.min(most)).filter(|tokens| *tokens >= BUDGET_MIN)
    }

    pub(super) fn inference(&mut self, thinks: bool) {
        let call = self.call;
        let (mut temperature, mut top_p, mut top_k) = (call.temperature, call.top_p, call.top_k);
        if temperature.is_some_and(|temperature| temperature > 1.0) {
            self.lost.note("temperature", "1 is the most in Converse");
            temperature = Some(1.0);
        }
        if self.family == Family::Claude && !self.own {
            let ability = Ability::of(&self.endpoint.model);
            // What asks for what happens anyway is not missed.
            temperature = temperature.filter(|temperature| *temperature < 1.0);
            top_p = top_p.filter(|top_p| *top_p < 1.0);
            if thinks || !ability.sampling {
                let why = if thinks { "not while it thinks" } else { "this model takes none" };
                temperature = self.without("temperature", temperature, why);
                top_p = self.without("top_p", top_p, why);
                top_k = self.without("top_k", top_k, why);
            } else if temperature.is_some() && !ability.both {
                top_p = self.without("top_p", top_p, "this model takes one of `temperature` and `top_p`");
            }
        }
        if let Some(k) = top_k {
            match self.family.top_k(k) {
                Some((name, value)) => drop(self.more.insert(name.to_owned(), value)),
                None => self.lost.note("top_k", "this model takes none"),
            }
        }
        let mut config = Map::new();
        let mut set = |name: &str, value: Option<Value>| config.extend(value.map(|value| (name.to_owned(), value)));
        set("maxTokens", self.room(thinks).map(Value::from));
        set("temperature", temperature.map(Value::from));
        set("topP", top_p.map(Value::from));
        set("stopSequences", (!call.stop.is_empty()).then(|| json!(call.stop)));
        if !config.is_empty() {
            self.set("inferenceConfig", config.into());
        }
        if self.family == Family::Claude && !call.stop.is_empty() {
            // Which of them it was is Claude's to say.
            self.set("additionalModelResponseFieldPaths", json!(["/stop_sequence"]));
        }
    }

    /// What is thought counts as written: where the client named no room, the answer keeps what it would have had.
    fn room(&self, thinks: bool) -> Option<u32> {
        let usual = || {
            let budget = self.more.get("thinking").and_then(|thinking| thinking.get("budget_tokens")).and_then(Value::as_u64);
            let budget = budget.filter(|_| thinks).and_then(|budget| u32::try_from(budget).ok());
            Some(self.endpoint.default_max_tokens?.saturating_add(budget.unwrap_or(0)))
        };
        self.call.max_tokens.or_else(usual)
    }

    fn without<T>(&mut self, field: &str, value: Option<T>, why: &'static str) -> Option<T> {
        if value.is_some() {
            self.lost.note(field, why);
        }
        None
    }
}
