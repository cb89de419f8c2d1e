//! Whether what a client said stands in what was sent, and where it does not, whether that was told.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mainspring_llm::exchange::{Call, Format, Media, Part, Tool, ToolChoice};
use serde_json::Value;

use super::paired;
use crate::{plain, seam::Lost};

/// What of the call is neither sent nor among what was lost.
pub(super) fn missing(call: &Call, body: &Value, lost: &[Lost]) -> Vec<String> {
    let mut sent = Sent { body, lost, texts: Vec::new(), names: BTreeSet::new(), numbers: Vec::new(), words: BTreeSet::new() };
    sent.collect(body);
    sent.collect_settings();
    let mut missing = Vec::new();
    for (index, turn) in call.turns.iter().enumerate() {
        let parts = turn.parts.iter().enumerate();
        missing.extend(parts.filter_map(|(at, part)| sent.part(part, &Place { index, at })));
    }
    missing.extend(paired::missing(call, body));
    missing.extend(sent.choice(call));
    missing.extend(call.tools.iter().enumerate().filter_map(|(index, tool)| sent.tool(index, tool)));
    if let Format::Schema { schema, .. } = &call.format {
        missing.extend(sent.schema(schema, "response_format"));
    }
    missing.extend(call.stop.iter().filter(|stop| !sent.says(stop)).map(|stop| format!("stop {stop}")));
    missing.extend(sent.settings(call));
    missing
}

struct Sent<'a> {
    body: &'a Value,
    lost: &'a [Lost],
    texts: Vec<&'a str>,
    names: BTreeSet<String>,
    /// Beside the conversation and the tools: numbers, and names of fields.
    numbers: Vec<f64>,
    words: BTreeSet<String>,
}

/// Where a part stands in what the client said.
struct Place {
    index: usize,
    at: usize,
}

impl<'a> Sent<'a> {
    fn collect(&mut self, value: &'a Value) {
        match value {
            Value::String(text) => {
                self.texts.push(text);
                // Bedrock takes a schema as its text.
                let inner: Value = serde_json::from_str(text).unwrap_or_default();
                name_all(&inner, &mut self.names);
            }
            Value::Array(list) => list.iter().for_each(|value| self.collect(value)),
            Value::Object(map) => {
                for (name, value) in map {
                    self.names.insert(name.clone());
                    self.collect(value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn collect_settings(&mut self) {
        let said = ["messages", "contents", "system", "systemInstruction", "tools", "toolConfig", "response_format"];
        let settings = self.body.as_object().into_iter().flatten().filter(|(name, _)| !said.contains(&name.as_str()));
        for (name, value) in settings {
            self.words.insert(name.clone());
            name_all(value, &mut self.words);
            number_all(value, &mut self.numbers);
        }
    }

    /// White space at the ends is nobody's.
    fn says(&self, text: &str) -> bool {
        text.trim().is_empty() || self.texts.iter().any(|sent| sent.contains(text.trim()))
    }

    /// This field, or something in it.
    fn is_lost(&self, name: &str) -> bool {
        let within = |field: &str| field.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        self.lost.iter().any(|lost| within(&lost.field))
    }

    /// Parts are lost under their own place, or under that of their turn.
    fn is_lost_at(&self, Place { index, at }: &Place, fields: &[&str], why: Option<&str>) -> bool {
        let turn = format!("messages[{index}]");
        let named = |field: &str| {
            let rest = field.strip_prefix(&turn);
            rest.is_some_and(|rest| rest == format!(".content[{at}]") || fields.contains(&rest))
        };
        self.lost.iter().any(|lost| named(&lost.field) && why.is_none_or(|why| lost.why == why))
    }

    fn part(&self, part: &Part, place: &Place) -> Option<String> {
        let unless = |said: bool, what: String| (!said).then_some(what);
        match part {
            Part::Text { text, .. } | Part::Refusal { text } => unless(self.says(text), format!("text: {text}")),
            Part::Image { source, .. } | Part::Audio { source, .. } | Part::File { source, .. } => {
                unless(self.shows(source), format!("media: {part:?}"))
            }
            Part::ToolCall { name, arguments, .. } => {
                let called = self.says(name) && self.has_json(arguments);
                unless(called, format!("call: {name}({arguments})"))
            }
            Part::ToolResult { parts, .. } => {
                let missing = |part: &Part| {
                    self.part(part, place).filter(|_| !matches!(part, Part::Text { text, .. } if self.has_json(text)))
                };
                parts.iter().find_map(missing)
            }
            Part::Reasoning(thought) => {
                let bound = [&thought.signature, &thought.sealed].into_iter().flatten().all(|text| self.says(text));
                let kept = self.says(&thought.text) && bound;
                unless(kept || self.is_lost_at(place, &[".reasoning"], None), format!("thought: {thought:?}"))
            }
            Part::Other { value, .. } => {
                let field = |name: &String| self.is_lost(&format!("messages[{}].{name}", place.index));
                let fields = plain::beside_content(part).is_some_and(|fields| fields.keys().all(field));
                let told = fields || self.is_lost_at(place, &["", ".content"], Some(plain::ITS_OWN));
                // A summary in the place of a conversation is a text.
                let said = value["content"].as_str().is_some_and(|text| value["type"] == "compaction" && self.says(text));
                unless(told || said || holds(self.body, value), format!("a part of its own: {value}"))
            }
        }
    }

    /// An object that a dialect takes as an object, and another as its text.
    fn has_json(&self, text: &str) -> bool {
        let parsed: Option<Value> = serde_json::from_str(text).ok();
        self.says(text) || parsed.is_some_and(|wanted| holds(self.body, &wanted))
    }

    fn shows(&self, source: &Media) -> bool {
        let decoded = |data: &str| STANDARD.decode(data).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        match source {
            Media::Id(id) => self.says(id),
            Media::Url(url) => self.says(url.split_once(";base64,").map_or(url, |(_, data)| data)),
            // Documents that are texts are texts at some.
            Media::Base64 { data, .. } => self.says(data) || decoded(data).is_some_and(|text| self.says(&text)),
        }
    }

    fn tool(&self, index: usize, tool: &Tool) -> Option<String> {
        match tool {
            Tool::Hosted { value, .. } => {
                let told = self.is_lost(&format!("tools[{index}]")) || holds(self.body, value);
                (!told).then(|| format!("tool: {value}"))
            }
            Tool::Function { name, description, parameters, .. } => {
                if !self.says(name) || !description.as_deref().is_none_or(|description| self.says(description)) {
                    return Some(format!("function: {name}"));
                }
                self.schema(parameters.as_ref()?, &format!("tools[{index}].parameters"))
            }
        }
    }

    /// Which tools may be called. What is left to the model needs no word, nor does that none is to be called where there are
    /// none.
    fn choice(&self, call: &Call) -> Option<String> {
        let wanted = call.tool_choice.as_ref()?;
        let chosen = paired::choice(self.body);
        let idle = match wanted {
            ToolChoice::Auto => chosen.is_none(),
            ToolChoice::None => self.body.get("tools").is_none() && self.body.get("toolConfig").is_none(),
            _ => false,
        };
        let told = idle || chosen.as_ref() == Some(wanted) || self.is_lost("tool_choice");
        (!told).then(|| format!("which tool to call: {wanted:?}, and not {chosen:?}"))
    }

    /// Its fields are known by their names, however the schema had to be bent.
    fn schema(&self, schema: &Value, place: &str) -> Option<String> {
        let fields = fields(schema);
        let field = fields.iter().find(|name| !self.names.contains(*name))?;
        (!self.is_lost(place)).then(|| format!("field of a schema: {field}"))
    }

    fn settings(&self, call: &Call) -> Vec<String> {
        // One, at the temperature that everyone has, is one.
        let temperature = call.temperature.filter(|temperature| *temperature != 1.0);
        let numbers = [
            ("max_tokens", call.max_tokens.map(f64::from)),
            ("temperature", temperature),
            ("top_p", call.top_p.filter(|top_p| *top_p < 1.0)),
            ("top_k", call.top_k.map(f64::from)),
            ("seed", call.seed.map(|seed| seed as f64)),
            ("n", call.n.filter(|n| *n > 1).map(f64::from)),
            ("frequency_penalty", call.frequency_penalty.filter(|penalty| *penalty != 0.0)),
            ("presence_penalty", call.presence_penalty.filter(|penalty| *penalty != 0.0)),
        ];
        let absent = |name: &str, number: f64| !self.numbers.contains(&number) && !self.is_lost(name);
        let mut missing: Vec<String> = numbers
            .into_iter()
            .filter_map(|(name, number)| Some((name, number?)))
            .filter(|(name, number)| absent(name, *number))
            .map(|(name, number)| format!("{name}: {number}"))
            .collect();
        if call.reasoning.is_some() && !self.thinks() && !self.is_lost("reasoning") && !self.is_lost("reasoning_effort") {
            missing.push("how much to think".to_owned());
        }
        let tier = call.service_tier.as_deref().filter(|tier| !matches!(*tier, "auto" | "default"));
        if tier.is_some_and(|tier| !self.says(tier) && !self.is_lost("service_tier")) {
            missing.push("the tier".to_owned());
        }
        if call.user.as_deref().is_some_and(|user| !self.says(user) && !self.is_lost("user")) {
            missing.push("the user".to_owned());
        }
        let said = |value: &Value| !value.is_null() && *value != Value::Bool(false);
        let absent = |name: &str, value: &Value| said(value) && !self.has_field(name, value) && !self.is_lost(name);
        let extra = call.extra.iter().filter(|(name, value)| absent(name, value));
        missing.extend(extra.map(|(name, _)| format!("the field {name}")));
        missing
    }

    /// A field under its name, or in the words that others have for it.
    fn has_field(&self, name: &str, value: &Value) -> bool {
        match name {
            // Tools, before they were called so.
            "functions" => value.as_array().is_some_and(|list| list.iter().all(|function| self.function(function))),
            "function_call" => value == "auto" || value["name"].as_str().is_some_and(|name| self.says(name)),
            // Mistral's word for it.
            "random_seed" => value.as_f64().is_some_and(|seed| self.numbers.contains(&seed)),
            name => self.names.contains(name),
        }
    }

    fn function(&self, function: &Value) -> bool {
        let says = |name: &str| function[name].as_str().is_none_or(|text| self.says(text));
        says("name") && says("description") && self.schema(&function["parameters"], "functions").is_none()
    }

    fn thinks(&self) -> bool {
        let words = ["reasoning", "thinking", "effort", "thought"];
        self.words.iter().any(|name| words.iter().any(|word| name.to_ascii_lowercase().contains(word)))
    }
}

fn name_all(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                names.insert(name.clone());
                name_all(value, names);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| name_all(value, names)),
        _ => {}
    }
}

fn number_all(value: &Value, numbers: &mut Vec<f64>) {
    match value {
        Value::Number(number) => numbers.extend(number.as_f64()),
        Value::Object(map) => map.values().for_each(|value| number_all(value, numbers)),
        Value::Array(list) => list.iter().for_each(|value| number_all(value, numbers)),
        _ => {}
    }
}

/// Whether a value stands somewhere in another.
fn holds(body: &Value, wanted: &Value) -> bool {
    body == wanted
        || match body {
            Value::Object(map) => map.values().any(|value| holds(value, wanted)),
            Value::Array(list) => list.iter().any(|value| holds(value, wanted)),
            Value::String(text) if text.starts_with(['{', '[']) => {
                serde_json::from_str::<Value>(text).is_ok_and(|inner| inner == *wanted)
            }
            _ => false,
        }
}

fn fields(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    match schema {
        Value::Object(map) => {
            for (name, value) in map {
                if let ("properties", Value::Object(properties)) = (name.as_str(), value) {
                    found.extend(properties.keys().cloned());
                }
                found.extend(fields(value));
            }
        }
        Value::Array(list) => list.iter().for_each(|value| found.extend(fields(value))),
        _ => {}
    }
    found
}
