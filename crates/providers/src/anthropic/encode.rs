//! A call as the body of `POST /v1/messages`.

use mainspring_llm::exchange::{Call, Dialect, Format, ToolChoice};
use serde_json::{Map, Value, json};

use super::{
    MAX_TOKENS, read,
    reasoning::{self, Ability, BUDGET_MIN, Plan},
    schema,
    turns::{self, Conversation},
};
use crate::{
    fault::UpstreamFault,
    seam::{Endpoint, Lost},
};

/// Anthropic has no mode for any JSON object, so it is asked for in words.
const JSON_PLEASE: &str = "Answer with one JSON object and nothing else: no other text and no code fence.";

/// What others have beside the words that all share, and what would be another answer without it.
const UNSUPPORTED: [&str; 7] =
    ["audio", "background", "conversation", "functions", "previous_response_id", "prompt", "web_search_options"];

pub(super) fn encode(endpoint: &Endpoint, call: &Call) -> Result<(Value, Vec<Lost>), UpstreamFault> {
    let own = call.said_in == Dialect::Anthropic;
    let mut encoder = Encoder { endpoint, call, own, lost: Vec::new(), body: Map::new() };
    encoder.write().map_err(|what| UpstreamFault::unsupported(endpoint, &what))?;
    Ok((Value::Object(encoder.body), encoder.lost))
}

struct Encoder<'a> {
    endpoint: &'a Endpoint,
    call: &'a Call,
    /// Said in Anthropic's dialect: what the client wrote is not adapted to what the model takes.
    own: bool,
    lost: Vec<Lost>,
    body: Map<String, Value>,
}

impl Encoder<'_> {
    fn write(&mut self) -> Result<(), String> {
        self.refuse()?;
        let mut talk = turns::conversation(self.call, &mut self.lost)?;
        if self.call.format == Format::Json {
            talk.system.push(json!({"type": "text", "text": JSON_PLEASE}));
            self.lose("response_format", "asked for in words: Anthropic has no mode for any JSON object");
        }
        if talk.messages.is_empty() {
            return Err("a call without a user message".to_owned());
        }
        self.set("model", json!(self.endpoint.model));
        let thinks = self.thinking(&talk);
        let (system, messages) = talk.into_json();
        if let Some(system) = system {
            self.set("system", system);
        }
        self.set("messages", Value::Array(messages));
        self.tools()?;
        self.sampling(thinks);
        self.format();
        self.rest();
        self.extra();
        if self.call.stream {
            self.set("stream", json!(true));
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: Value) {
        self.body.insert(name.to_owned(), value);
    }

    fn lose(&mut self, field: &str, why: &'static str) {
        self.lost.push(Lost { field: field.to_owned(), why });
    }

    /// What would be another answer if it were left behind.
    fn refuse(&self) -> Result<(), String> {
        let call = self.call;
        if call.n.is_some_and(|n| n > 1) {
            return Err("several answers to one call (`n`)".to_owned());
        }
        if call.logprobs.is_some() {
            return Err("log probabilities (`logprobs`)".to_owned());
        }
        if self.own {
            return Ok(());
        }
        if let Some(stop) = call.stop.iter().find(|stop| stop.trim().is_empty()) {
            return Err(format!("to stop at white space (`stop`: {stop:?})"));
        }
        let said = |name: &&str| call.extra.get(*name).is_some_and(|value| !value.is_null());
        if let Some(name) = UNSUPPORTED.iter().copied().find(|name| said(name)) {
            return Err(format!("`{name}`"));
        }
        let speaks = |value: &Value| value.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind != "text"));
        if call.extra.get("modalities").is_some_and(speaks) {
            return Err("answers other than text (`modalities`)".to_owned());
        }
        Ok(())
    }

    /// Sets `max_tokens` and what is said of thinking; says whether the model is asked to think.
    fn thinking(&mut self, talk: &Conversation) -> bool {
        let plan = self.plan(talk);
        let given = self.call.max_tokens;
        let room = given.or(self.endpoint.default_max_tokens).unwrap_or(MAX_TOKENS);
        let (max_tokens, thinking) = match plan {
            Plan::Off if self.own && self.call.reasoning.is_some() => (room, Some(json!({"type": "disabled"}))),
            Plan::Off => (room, None),
            Plan::Cannot(why) => {
                self.lose("reasoning", why);
                (room, None)
            }
            Plan::Adaptive(effort) => {
                if let Some(effort) = effort {
                    self.set("output_config", json!({"effort": effort}));
                }
                (room, Some(json!({"type": "adaptive"})))
            }
            Plan::Budget { tokens, said } => {
                let tokens = if self.own && said { tokens } else { tokens.max(BUDGET_MIN) };
                // What is thought counts as written: where the client named no room, the answer keeps what it would have had.
                let (max_tokens, tokens) = match given {
                    None => (room.saturating_add(tokens), Some(tokens)),
                    Some(given) => (given, self.within(tokens, said, given)),
                };
                (max_tokens, tokens.map(|tokens| json!({"type": "enabled", "budget_tokens": tokens})))
            }
        };
        self.set("max_tokens", json!(max_tokens));
        let Some(mut thinking) = thinking else { return false };
        if let Some(Value::Object(details)) = self.call.extra.get("thinking").filter(|_| self.own) {
            for (name, value) in details {
                thinking[name.as_str()] = value.clone();
            }
        }
        self.set("thinking", thinking);
        true
    }

    fn plan(&self, talk: &Conversation) -> Plan {
        let Some(wanted) = &self.call.reasoning else { return Plan::Off };
        // A wish for a summary alone is no wish to think.
        if !self.own && wanted.effort.is_none() && wanted.budget_tokens.is_none() {
            return Plan::Off;
        }
        let plan = reasoning::plan(&self.endpoint.model, wanted);
        if self.own || matches!(plan, Plan::Off | Plan::Cannot(_)) {
            return plan;
        }
        if matches!(self.call.tool_choice, Some(ToolChoice::Required | ToolChoice::Function(_))) {
            return Plan::Cannot("Anthropic does not think where a tool must be called");
        }
        if matches!(plan, Plan::Budget { .. }) && !talk.is_thought_through() {
            return Plan::Cannot("the last answer called tools, and its thinking did not come back with it");
        }
        plan
    }

    /// Anthropic wants the budget below `max_tokens`. An effort leaves half of what the client allows to the answer.
    fn within(&mut self, tokens: u32, said: bool, max_tokens: u32) -> Option<u32> {
        if self.own && said {
            return Some(tokens);
        }
        let most = if said { max_tokens.saturating_sub(1) } else { max_tokens / 2 };
        if most < BUDGET_MIN {
            self.lose("reasoning", "`max_tokens` leaves no room to think");
            return None;
        }
        Some(tokens.min(most))
    }

    fn tools(&mut self) -> Result<(), String> {
        let mut tools = Vec::with_capacity(self.call.tools.len());
        for (index, tool) in self.call.tools.iter().enumerate() {
            tools.push(schema::tool(tool).ok_or_else(|| format!("a tool of another provider's own (tools[{index}])"))?);
        }
        let choice = self.choice(!tools.is_empty());
        if !tools.is_empty() {
            self.set("tools", Value::Array(tools));
        }
        if let Some(choice) = choice {
            self.set("tool_choice", choice);
        }
        Ok(())
    }

    fn choice(&self, any_tools: bool) -> Option<Value> {
        let parallel = self.call.parallel_tools.filter(|parallel| any_tools && (!parallel || self.own));
        let mut choice = match &self.call.tool_choice {
            None if parallel.is_none() => return None,
            // Without tools, what is left to the model needs no word, and Anthropic refuses one.
            Some(ToolChoice::Auto | ToolChoice::None) if !any_tools => return None,
            Some(ToolChoice::None) => return Some(json!({"type": "none"})),
            None | Some(ToolChoice::Auto) => json!({"type": "auto"}),
            Some(ToolChoice::Required) => json!({"type": "any"}),
            Some(ToolChoice::Function(name)) => json!({"type": "tool", "name": name}),
        };
        if let Some(parallel) = parallel {
            choice["disable_parallel_tool_use"] = json!(!parallel);
        }
        Some(choice)
    }

    fn sampling(&mut self, thinks: bool) {
        let call = self.call;
        let (mut temperature, mut top_p, mut top_k) = (call.temperature, call.top_p, call.top_k);
        if !self.own {
            let ability = Ability::of(&self.endpoint.model);
            // What asks for what happens anyway is not missed.
            temperature = temperature.filter(|temperature| *temperature != 1.0);
            top_p = top_p.filter(|top_p| *top_p < 1.0);
            if temperature.is_some_and(|temperature| temperature > 1.0) {
                self.lose("temperature", "1 is the most here");
                temperature = None;
            }
            let why = if thinks { "not while it thinks" } else { "this model takes none" };
            if thinks || !ability.sampling {
                temperature = self.without("temperature", temperature, why);
                top_p = self.without("top_p", top_p, why);
                top_k = self.without("top_k", top_k, why);
            } else if temperature.is_some() && !ability.both {
                top_p = self.without("top_p", top_p, "this model takes one of `temperature` and `top_p`");
            }
        }
        let numbers =
            [("temperature", temperature.map(Value::from)), ("top_p", top_p.map(Value::from)), ("top_k", top_k.map(Value::from))];
        for (name, number) in numbers {
            if let Some(number) = number {
                self.set(name, number);
            }
        }
    }

    fn without<T>(&mut self, field: &str, value: Option<T>, why: &'static str) -> Option<T> {
        if value.is_some() {
            self.lose(field, why);
        }
        None
    }

    fn format(&mut self) {
        let Format::Schema { schema: wanted, .. } = &self.call.format else { return };
        let mut wanted = wanted.clone();
        if !self.own {
            schema::close(&mut wanted);
        }
        let config = self.body.entry("output_config").or_insert_with(|| json!({}));
        config["format"] = json!({"type": "json_schema", "schema": wanted});
    }

    fn rest(&mut self) {
        let call = self.call;
        if !call.stop.is_empty() {
            self.set("stop_sequences", json!(call.stop));
        }
        let mut metadata = if self.own { call.metadata.clone() } else { Map::new() };
        if let Some(user) = &call.user {
            metadata.insert("user_id".to_owned(), json!(user));
        }
        if !metadata.is_empty() {
            self.set("metadata", Value::Object(metadata));
        }
        if !self.own && !call.metadata.is_empty() {
            self.lose("metadata", "Anthropic takes the user's id only");
        }
        match call.service_tier.as_deref() {
            None => {}
            Some(tier) if self.own => self.set("service_tier", json!(tier)),
            Some("auto") => self.set("service_tier", json!("auto")),
            Some("default") => self.set("service_tier", json!("standard_only")),
            Some(_) => self.lose("service_tier", "Anthropic has no such tier"),
        }
        if call.seed.is_some() {
            self.lose("seed", "Anthropic takes none");
        }
        let penalties = [("frequency_penalty", call.frequency_penalty), ("presence_penalty", call.presence_penalty)];
        for (name, penalty) in penalties {
            if penalty.is_some_and(|penalty| penalty != 0.0) {
                self.lose(name, "Anthropic takes none");
            }
        }
    }

    /// What has no word in a call: repeated to its own dialect, listed for any other.
    fn extra(&mut self) {
        let call = self.call;
        // `mainspring` is ours alone; the details of `thinking` have been merged, or it is off.
        let others = call.extra.iter().filter(|(name, _)| !matches!(name.as_str(), "mainspring" | "thinking"));
        for (name, value) in others {
            if !self.own {
                if !value.is_null() {
                    self.lose(name, "Anthropic has no such field");
                }
                continue;
            }
            if of_block(name) {
                self.lose(name, "only a body that goes on unchanged keeps it");
            } else if let Some((index, field)) = of_tool(name) {
                if let Some(Value::Object(tool)) = self.body.get_mut("tools").and_then(|tools| tools.get_mut(index)) {
                    tool.insert(field.to_owned(), value.clone());
                }
            } else if let (Some(Value::Object(said)), Value::Object(more)) = (self.body.get_mut(name), value) {
                for (name, value) in more {
                    said.entry(name.clone()).or_insert_with(|| value.clone());
                }
            } else {
                self.body.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
    }
}

/// Whether a field is one of a block: `messages[1].content[0].caller`. Turns may have been joined, so that its place is
/// no longer known.
fn of_block(name: &str) -> bool {
    name.strip_prefix(read::MESSAGES).is_some_and(|place| place.starts_with('['))
}

/// Which tool a field of a tool belongs to: `tools[2].defer_loading`.
fn of_tool(name: &str) -> Option<(usize, &str)> {
    let (index, field) = name.strip_prefix("tools[")?.split_once("].")?;
    Some((index.parse().ok()?, field))
}
