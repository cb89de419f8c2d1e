//! A call as Converse takes it.

use mainspring_llm::exchange::{Call, Dialect, Format, Tool, ToolChoice};
use serde_json::{Map, Value, json};

use super::{blocks::cache_point, family::Family, messages, post};
use crate::{
    anthropic::schema,
    fault::UpstreamFault,
    seam::{self, Encoded, Endpoint, Losses},
};

/// Converse has no mode for any JSON object, so it is asked for in words.
const JSON_PLEASE: &str = "Answer with one JSON object and nothing else: no other text and no code fence.";

/// What others have beside the words that all share, and what would be another answer without it.
const UNSUPPORTED: [&str; 7] =
    ["audio", "background", "conversation", "functions", "previous_response_id", "prompt", "web_search_options"];

/// As many notes as AWS keeps with a call, and as long.
const NOTES_MOST: usize = 16;
const NOTE_LONGEST: usize = 256;

pub(super) fn encode(endpoint: &Endpoint, call: &Call) -> Result<Encoded, UpstreamFault> {
    let mut encoder = Encoder {
        endpoint,
        call,
        own: call.said_in == Dialect::Bedrock,
        family: Family::of(&endpoint.model),
        lost: Losses::default(),
        body: Map::new(),
        more: Map::new(),
    };
    encoder.write().map_err(|what| UpstreamFault::unsupported(endpoint, &what))?;
    let Encoder { body, mut lost, .. } = encoder;
    lost.all(seam::unread(call));
    let operation = if call.stream { "converse-stream" } else { "converse" };
    Ok(Encoded { outgoing: post(endpoint, operation, &Value::Object(body))?, lost: lost.into_vec() })
}

pub(super) struct Encoder<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) call: &'a Call,
    /// Said in this very dialect: nothing is adapted to what the model takes.
    pub(super) own: bool,
    pub(super) family: Family,
    pub(super) lost: Losses,
    body: Map<String, Value>,
    /// `additionalModelRequestFields`.
    pub(super) more: Map<String, Value>,
}

impl Encoder<'_> {
    fn write(&mut self) -> Result<(), String> {
        self.refuse()?;
        let mut talk = messages::conversation(self.call, &mut self.lost)?;
        if self.call.format == Format::Json {
            talk.system.push(json!({"text": JSON_PLEASE}));
            self.lost.note("response_format", "asked for in words: Converse has no mode for any JSON object");
        }
        self.tools(&talk.called)?;
        let thinks = self.thinking(&talk);
        self.inference(thinks);
        if !talk.system.is_empty() {
            self.set("system", std::mem::take(&mut talk.system).into());
        }
        self.set("messages", talk.messages().into());
        self.format();
        self.notes();
        self.rest();
        if !self.more.is_empty() {
            let more = std::mem::take(&mut self.more);
            self.set("additionalModelRequestFields", more.into());
        }
        self.extra();
        Ok(())
    }

    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.body.insert(name.to_owned(), value);
    }

    /// What would be another answer if it were left behind.
    fn refuse(&self) -> Result<(), String> {
        if self.call.n.is_some_and(|n| n > 1) {
            return Err("several answers to one call (`n`)".to_owned());
        }
        if self.call.logprobs.is_some() {
            return Err("log probabilities (`logprobs`)".to_owned());
        }
        if self.own {
            return Ok(());
        }
        let said = |name: &&str| self.call.extra.get(*name).is_some_and(|value| !value.is_null());
        if let Some(name) = UNSUPPORTED.iter().copied().find(|name| said(name)) {
            return Err(format!("`{name}`"));
        }
        let speaks = |value: &Value| value.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind != "text"));
        if self.call.extra.get("modalities").is_some_and(speaks) {
            return Err("answers other than text (`modalities`)".to_owned());
        }
        Ok(())
    }

    /// Converse wants the tools of a conversation that has called some, and has no word for calling none.
    fn tools(&mut self, called: &[String]) -> Result<(), String> {
        let mut tools = Vec::with_capacity(self.call.tools.len());
        for (index, tool) in self.call.tools.iter().enumerate() {
            match tool {
                Tool::Function { name, description, parameters, strict, cache } => {
                    let description = description.as_deref().filter(|text| !text.is_empty());
                    tools.push(spec(name, description, parameters.as_ref(), *strict));
                    tools.extend(cache.as_ref().map(cache_point));
                }
                Tool::Hosted { said_in: Dialect::Bedrock, value } => tools.push(value.clone()),
                Tool::Hosted { .. } => return Err(format!("a tool of another provider's own (tools[{index}])")),
            }
        }
        if self.call.tool_choice == Some(ToolChoice::None) {
            let needed = !called.is_empty();
            return if needed { Err("to call no tools in a conversation that has (`tool_choice`)".to_owned()) } else { Ok(()) };
        }
        if tools.is_empty() && !called.is_empty() {
            self.lost.note("tools", "tools that were called are named again: Converse wants to know them");
            tools.extend(called.iter().map(|name| spec(name, None, None, None)));
        }
        if tools.is_empty() {
            return Ok(());
        }
        let mut config = json!({"tools": tools});
        let choice = match &self.call.tool_choice {
            Some(ToolChoice::Auto) => Some(json!({"auto": {}})),
            Some(ToolChoice::Required) => Some(json!({"any": {}})),
            Some(ToolChoice::Function(name)) => Some(json!({"tool": {"name": name}})),
            Some(ToolChoice::None) | None => None,
        };
        if let Some(choice) = choice {
            config["toolChoice"] = choice;
        }
        self.set("toolConfig", config);
        if self.call.parallel_tools == Some(false) {
            self.lost.note("parallel_tool_calls", "Converse cannot be kept to one call");
        }
        Ok(())
    }

    fn format(&mut self) {
        let Format::Schema { name, schema: wanted, description, .. } = &self.call.format else {
            return;
        };
        let mut wanted = wanted.clone();
        if !self.own {
            schema::close(&mut wanted);
        }
        // The one place where AWS wants JSON as text.
        let mut schema = json!({"schema": wanted.to_string(), "name": name});
        if let Some(description) = description {
            schema["description"] = description.as_str().into();
        }
        self.set("outputConfig", json!({"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}));
    }

    fn notes(&mut self) {
        let fits = |text: &str| {
            text.len() <= NOTE_LONGEST && text.chars().all(|c| c.is_ascii_alphanumeric() || " :_@$#=/+,-.".contains(c))
        };
        let mut notes = Map::new();
        for (name, value) in &self.call.metadata {
            match value.as_str() {
                Some(text) if !name.is_empty() && fits(name) && fits(text) && notes.len() < NOTES_MOST => {
                    notes.insert(name.clone(), text.into());
                }
                _ => self.lost.note(format!("metadata.{name}"), "AWS keeps 16 short notes of plain characters"),
            }
        }
        if !notes.is_empty() {
            self.set("requestMetadata", notes.into());
        }
    }

    fn rest(&mut self) {
        let call = self.call;
        match call.service_tier.as_deref() {
            None | Some("auto") => {}
            Some(tier @ ("default" | "priority" | "flex" | "reserved")) => self.set("serviceTier", json!({"type": tier})),
            Some(_) => self.lost.note("service_tier", "Bedrock has no such tier"),
        }
        if call.user.is_some() {
            self.lost.note("user", "Converse does not ask for whom a call is made");
        }
        if call.seed.is_some() {
            self.lost.note("seed", "Converse takes none");
        }
        for (name, penalty) in [("frequency_penalty", call.frequency_penalty), ("presence_penalty", call.presence_penalty)] {
            if penalty.is_some_and(|penalty| penalty != 0.0) {
                self.lost.note(name, "Converse takes none");
            }
        }
    }

    /// What has no word in a call: repeated to its own dialect, listed for any other.
    fn extra(&mut self) {
        for (name, value) in &self.call.extra {
            if !self.own {
                if !value.is_null() && name != "modalities" {
                    self.lost.note(name, "Converse has no such field");
                }
            } else if let (Some(Value::Object(said)), Value::Object(more)) = (self.body.get_mut(name), value) {
                said.extend(more.iter().map(|(name, value)| (name.clone(), value.clone())));
            } else {
                self.body.insert(name.clone(), value.clone());
            }
        }
    }
}

/// A tool without a schema takes any object.
fn spec(name: &str, description: Option<&str>, parameters: Option<&Value>, strict: Option<bool>) -> Value {
    let mut schema = parameters.and_then(Value::as_object).cloned().unwrap_or_default();
    schema.entry("type").or_insert_with(|| "object".into());
    if schema.len() == 1 {
        schema.insert("properties".to_owned(), json!({}));
    }
    let mut spec = json!({"name": name});
    if let Some(description) = description {
        spec["description"] = description.into();
    }
    spec["inputSchema"] = json!({"json": schema});
    if strict == Some(true) {
        spec["strict"] = true.into();
    }
    json!({"toolSpec": spec})
}
