//! A call as a chat completion's body, and what of the call is left behind.

use mainspring_llm::exchange::{Call, Dialect, ReasoningWanted, Tool, ToolChoice};
use serde_json::{Map, Value, json};

use super::{chat::message::Taken, tools};
use crate::{
    fault::UpstreamFault,
    preset::{Habits, Preset},
    seam::{Endpoint, Lost},
    spec::ProviderKind,
};

mod extras;
mod messages;

pub(super) fn body(endpoint: &Endpoint, azure: bool, call: &Call) -> Result<(Value, Vec<Lost>), UpstreamFault> {
    let mut writer = Writer::new(endpoint, azure, call);
    writer.set("model", endpoint.model.as_str());
    let messages = writer.messages()?;
    writer.set("messages", messages);
    writer.tools()?;
    if let Some(format) = tools::format(&call.format) {
        writer.set("response_format", format);
    }
    writer.sampling();
    writer.reasoning();
    writer.who();
    writer.extras()?;
    writer.stream();
    Ok((Value::Object(writer.body), writer.lost))
}

struct Writer<'a> {
    endpoint: &'a Endpoint,
    call: &'a Call,
    preset: Option<Preset>,
    habits: Habits,
    /// OpenAI itself, or Azure.
    openai: bool,
    /// The client spoke this very dialect.
    own: bool,
    body: Map<String, Value>,
    lost: Vec<Lost>,
}

impl<'a> Writer<'a> {
    fn new(endpoint: &'a Endpoint, azure: bool, call: &'a Call) -> Self {
        let preset = if azure { None } else { endpoint.preset };
        let habits = if azure { Habits::of(ProviderKind::Azure, None) } else { endpoint.habits };
        Self {
            endpoint,
            call,
            preset,
            habits,
            openai: azure || preset == Some(Preset::OpenAi),
            own: call.said_in == Dialect::OpenAiChat,
            body: Map::new(),
            lost: Vec::new(),
        }
    }

    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.body.insert(name.to_owned(), value.into());
    }

    fn set_some(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    fn lose(&mut self, field: impl Into<String>, why: &'static str) {
        let lost = Lost { field: field.into(), why };
        if !self.lost.contains(&lost) {
            self.lost.push(lost);
        }
    }

    fn unsupported(&self, what: &str) -> UpstreamFault {
        UpstreamFault::unsupported(self.endpoint, what)
    }

    /// A server that is known to refuse what it does not know is sent nothing of it. One that nobody knows is sent what
    /// the client said in this dialect, and no more.
    fn taken(&self) -> Taken {
        let unknown = !self.habits.strict && (self.own || self.preset.is_some());
        let router = self.preset == Some(Preset::OpenRouter);
        Taken {
            thoughts: unknown,
            details: unknown && (self.own || router),
            unknown: unknown && (self.own || router),
            addresses: self.own || router,
            lists: self.own,
        }
    }

    fn tools(&mut self) -> Result<(), UpstreamFault> {
        let mut written = Vec::with_capacity(self.call.tools.len());
        for (index, tool) in self.call.tools.iter().enumerate() {
            match tool {
                Tool::Function { name, description, parameters, strict, cache } => {
                    let mut value = tools::function(name, description.as_deref(), parameters.as_ref(), *strict);
                    match cache {
                        Some(cache) if self.taken().unknown => value["cache_control"] = cache.clone(),
                        Some(_) => self.lose("cache_control", "the server caches by itself"),
                        None => {}
                    }
                    written.push(value);
                }
                Tool::Hosted { said_in: Dialect::OpenAiChat, value } => written.push(value.clone()),
                Tool::Hosted { .. } => self.lose(format!("tools[{index}]"), "a tool that its own provider runs"),
            }
        }
        let none_left = written.is_empty() && !self.call.tools.is_empty();
        if none_left && matches!(self.call.tool_choice, Some(ToolChoice::Required | ToolChoice::Function(_))) {
            return Err(self.unsupported("tools that another provider runs"));
        }
        if none_left {
            return Ok(());
        }
        if !written.is_empty() {
            self.set("tools", written);
        }
        self.set_some("tool_choice", self.call.tool_choice.as_ref().map(tools::choice));
        self.set_some("parallel_tool_calls", self.call.parallel_tools);
        Ok(())
    }

    fn sampling(&mut self) {
        let call = self.call;
        self.set_some(self.habits.max_tokens, call.max_tokens.or(self.endpoint.default_max_tokens));
        self.set_some("temperature", call.temperature);
        self.set_some("top_p", call.top_p);
        match call.top_k {
            Some(_) if self.habits.strict => self.lose("top_k", "the server does not take it"),
            top_k => self.set_some("top_k", top_k),
        }
        if !call.stop.is_empty() {
            self.set("stop", call.stop.clone());
        }
        self.set_some(self.habits.seed, call.seed);
        self.set_some("frequency_penalty", call.frequency_penalty);
        self.set_some("presence_penalty", call.presence_penalty);
        self.set_some("n", call.n);
        if let Some(top) = call.logprobs {
            self.set("logprobs", true);
            self.set_some("top_logprobs", Some(top).filter(|top| *top > 0));
        }
    }

    /// The dialect says in words how much to think; OpenRouter alone takes tokens.
    fn reasoning(&mut self) {
        let Some(ReasoningWanted { effort, budget_tokens, summary }) = &self.call.reasoning else { return };
        if summary.is_some() {
            self.lose("reasoning.summary", "chat completions do not tell of the thinking");
        }
        if self.preset == Some(Preset::OpenRouter) {
            let mut inside = Map::new();
            inside.extend(effort.as_ref().map(|effort| ("effort".to_owned(), effort.as_str().into())));
            inside.extend(budget_tokens.map(|budget| ("max_tokens".to_owned(), budget.into())));
            if !inside.is_empty() {
                self.set("reasoning", inside);
            }
            return;
        }
        if budget_tokens.is_some() {
            self.lose("reasoning.budget_tokens", "said as an effort");
        }
        let effort = effort.clone().or_else(|| budget_tokens.map(effort_of));
        self.set_some("reasoning_effort", effort);
    }

    fn who(&mut self) {
        let call = self.call;
        let openai = matches!(call.said_in, Dialect::OpenAiChat | Dialect::OpenAiResponses);
        match &call.user {
            Some(_) if !self.habits.user => self.lose("user", "the server does not take it"),
            user => self.set_some("user", user.clone()),
        }
        match &call.service_tier {
            Some(_) if !openai => self.lose("service_tier", "the tiers of another provider"),
            tier => self.set_some("service_tier", tier.clone()),
        }
        if !call.metadata.is_empty() {
            if openai {
                self.set("metadata", call.metadata.clone());
            } else {
                self.lose("metadata", "the server does not keep it");
            }
        }
    }

    fn stream(&mut self) {
        if !self.call.stream {
            self.body.shift_remove("stream_options");
            return;
        }
        self.set("stream", true);
        if !self.habits.stream_options {
            self.body.shift_remove("stream_options");
            return;
        }
        // Whoever pays has to know what a stream used, whether the client asked or not.
        let mut options = match self.body.shift_remove("stream_options") {
            Some(Value::Object(options)) => options,
            _ => Map::new(),
        };
        options.insert("include_usage".to_owned(), json!(true));
        self.set("stream_options", options);
    }
}

/// The words stand for about these many tokens at those who offer both.
fn effort_of(budget: u32) -> String {
    let word = match budget {
        0 => "none",
        1..=2048 => "low",
        2049..=8192 => "medium",
        _ => "high",
    };
    word.to_owned()
}
