//! What people and models said in a span, in one shape for every convention.

use std::borrow::Cow;

use mainspring_llm::Span;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    aliases::Fact,
    contents::{CHOICE, DETAIL_EVENTS, MESSAGE_EVENTS, PREFIXES},
    indexed::{gathered, items},
    kinds::SpanType,
    messages::{Fold, Message, Part},
    parts,
    said::Said,
    steps,
    values::{self, text},
};

#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Conversation {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub system: Vec<Part>,
    pub input: Vec<Message>,
    pub output: Vec<Message>,
    /// What the model was told of its tools, as it was told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
    /// The tool that was called, of a span that is the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolUse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<FoundDocument>,
    /// Its documents are what it answered, and are searched as an answer is.
    #[serde(skip)]
    pub(super) answered_with_documents: bool,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ToolUse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub arguments: Value,
    pub result: Value,
}

/// A document or a passage that a search found.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct FoundDocument {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

impl Conversation {
    #[must_use]
    pub fn of(span: &Span) -> Self {
        Self::read(&crate::values::begun(span), Fold::WHOLE)
    }

    /// With what log records beneath the span say, in their order, where the span says nothing itself.
    #[must_use]
    pub fn with_records(mut self, records: &[Span]) -> Self {
        let (mut input, mut output) = (Vec::new(), Vec::new());
        for record in records {
            let record = crate::values::begun(record);
            for source in [detailed as Source, told] {
                let (asked, answered) = source(&record, Fold::WHOLE);
                input.extend(asked);
                output.extend(answered);
            }
        }
        if self.input.is_empty() {
            self.input = input;
        }
        if self.output.is_empty() {
            self.output = output;
        }
        self
    }

    /// Whether it is one in which messages may be missing: neither both sides of a talk, nor a tool, nor a search.
    pub(crate) fn lacks_messages(&self) -> bool {
        let talk = !self.input.is_empty() && !self.output.is_empty();
        !talk && self.tool.is_none() && self.query.is_none() && self.documents.is_empty()
    }

    /// Its beginning, as far as `text` reads it: of longer texts no more than so many bytes.
    pub(crate) fn beginning(span: &Span, max: usize) -> Self {
        Self::talk(span, &Said::by(span), Fold { max })
    }

    fn read(span: &Span, fold: Fold) -> Self {
        let said = Said::by(span);
        let talk = Self::talk(span, &said, fold);
        let named = list_of(&said, span, fold, Fact::Documents);
        Self {
            system: said.value(Fact::System).map(|value| system(fold, value)).unwrap_or_default(),
            tools: list_of(&said, span, fold, Fact::Tools),
            documents: if talk.answered_with_documents { talk.documents } else { steps::documents(fold, &named) },
            ..talk
        }
    }

    fn talk(span: &Span, said: &Said<'_>, fold: Fold) -> Self {
        let spoken = |fact: Fact, role: &str| {
            let value = said.written(fact).filter(|_| said.is_whole(fact));
            value.map(|value| fold.messages(&value, role)).unwrap_or_default()
        };
        let (mut input, mut output) = (Vec::new(), Vec::new());
        if said.is_current(Fact::Input) {
            input = spoken(Fact::Input, "user");
        }
        if said.is_current(Fact::Output) {
            output = spoken(Fact::Output, "assistant");
        }
        let sources: [Option<Source>; 3] = [Some(detailed), said.is_written_out().then_some(written_out as Source), Some(told)];
        for source in sources.into_iter().flatten() {
            if input.is_empty() || output.is_empty() {
                let (asked, answered) = source(span, fold);
                input = if input.is_empty() { asked } else { input };
                output = if output.is_empty() { answered } else { output };
            }
        }
        input = if input.is_empty() { spoken(Fact::Input, "user") } else { input };
        output = if output.is_empty() { spoken(Fact::Output, "assistant") } else { output };
        beside(span, fold, &mut output);
        let query = said.value(Fact::Query).and_then(Value::as_str).map(|query| fold.cut(query));
        let talk = Self { input, output, query, tool: tool(said, fold), ..Self::default() };
        match said.kind() {
            SpanType::Tool => talk.into_call_of_tool(span, said, fold),
            SpanType::Retriever => talk.into_search(said, fold),
            _ => talk,
        }
    }

    /// What goes into the call of a tool are its arguments, and what comes out is its result.
    fn into_call_of_tool(mut self, span: &Span, said: &Said<'_>, fold: Fold) -> Self {
        let mut tool = self.tool.take().unwrap_or_default();
        if tool.name.is_none() {
            tool.name = said.value(Fact::StepName).and_then(text).map(Cow::into_owned).or_else(|| Some(span.name.clone()));
        }
        for (own, of_step, place, talk) in [
            (Fact::ToolArguments, Fact::Input, &mut tool.arguments, &mut self.input),
            (Fact::ToolResult, Fact::Output, &mut tool.result, &mut self.output),
        ] {
            if let Some(value) = said.of_step(of_step).filter(|_| !said.has(own)) {
                *place = steps::opened(fold, &value);
                talk.clear();
            }
        }
        Self { tool: Some(tool), ..self }
    }

    /// What goes into a search is what is looked for, and what comes out is what was found.
    fn into_search(mut self, said: &Said<'_>, fold: Fold) -> Self {
        if self.query.is_none()
            && let Some(query) = said.of_step(Fact::Input).and_then(|value| steps::query(fold, &value))
        {
            self.query = Some(query);
            self.input.clear();
        }
        if !said.has(Fact::Documents)
            && let Some(found) = said.of_step(Fact::Output).and_then(|value| steps::found(fold, &value))
        {
            self.documents = found;
            self.answered_with_documents = true;
            self.output.clear();
        }
        self
    }

    /// All texts: the last question first, then everything in its order.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let asked = self.input.iter().rposition(|message| message.role == "user");
        text.extend(self.query.iter().flat_map(|query| [query.as_str(), "\n"]));
        asked.into_iter().for_each(|at| collect(&self.input[at], &mut text));
        let others = self.input.iter().enumerate().filter(|(at, _)| Some(*at) != asked).map(|(_, message)| message);
        others.chain(&self.output).for_each(|message| collect(message, &mut text));
        for document in self.documents.iter().filter(|_| self.answered_with_documents) {
            text.extend(document.id.iter().chain(&document.content).flat_map(|said| [said.as_str(), "\n"]));
        }
        if let Some(tool) = &self.tool {
            strings(&tool.arguments, &mut text);
            strings(&tool.result, &mut text);
        }
        text
    }
}

/// Where messages may be: what was asked, and what was answered.
type Source = fn(&Span, Fold) -> (Vec<Message>, Vec<Message>);

/// Messages in events that stand for a whole call.
fn detailed(span: &Span, fold: Fold) -> (Vec<Message>, Vec<Message>) {
    let (mut input, mut output) = (Vec::new(), Vec::new());
    for event in span.events.iter().filter(|event| DETAIL_EVENTS.contains(&event.name.as_str())) {
        let take = |names: [&str; 2], role: &str| {
            let found = names.iter().find_map(|name| event.attributes.get(*name));
            found.map(|value| fold.messages(value, role)).unwrap_or_default()
        };
        input.extend(take(["gen_ai.input.messages", "gen_ai.prompt"], "user"));
        output.extend(take(["gen_ai.output.messages", "gen_ai.completion"], "assistant"));
    }
    (input, output)
}

/// Messages that were written as many attributes.
fn written_out(span: &Span, fold: Fold) -> (Vec<Message>, Vec<Message>) {
    let of = |fact: Fact, role: &str| {
        let prefixes = PREFIXES.iter().filter(|(says, ..)| *says == fact);
        let mut found =
            prefixes.filter_map(|(.., prefix)| gathered(&span.attributes, prefix)).map(|value| fold.messages(&value, role));
        found.find(|messages| !messages.is_empty()).unwrap_or_default()
    };
    (of(Fact::Input, "user"), of(Fact::Output, "assistant"))
}

/// Messages that are events of their own.
fn told(span: &Span, fold: Fold) -> (Vec<Message>, Vec<Message>) {
    let (mut input, mut output) = (Vec::new(), Vec::new());
    for event in &span.events {
        let Some((_, role)) = MESSAGE_EVENTS.iter().find(|(name, _)| *name == event.name) else { continue };
        let said = ["gen_ai.event.content", "event.body", "body"].iter().find_map(|name| event.attributes.get(*name));
        let mut map = match said.map(values::opened).as_deref() {
            Some(Value::Object(map)) => map.clone(),
            Some(other) => Map::from_iter([("content".to_owned(), other.clone())]),
            None => event.attributes.clone(),
        };
        // Attributes hold no objects everywhere: what is one was written as text.
        for key in ["message", "tool_calls"] {
            if let Some(Value::String(text)) = map.get(key)
                && let Some(inner) = fold.opened(text)
            {
                map.insert(key.to_owned(), inner);
            }
        }
        if !["content", "message", "tool_calls", "parts"].iter().any(|key| map.get(*key).is_some_and(says_something)) {
            continue;
        }
        if !map.contains_key("message") {
            map.entry("role").or_insert_with(|| Value::from(*role));
        }
        if *role == "tool"
            && let Some(id) = map.get("id").cloned()
        {
            map.entry("tool_call_id").or_insert(id);
        }
        let to = if event.name == CHOICE { &mut output } else { &mut input };
        to.extend(fold.messages(&Value::Object(map), role));
    }
    (input, output)
}

/// Where content is not captured, a message says whose it is and nothing else.
fn says_something(value: &Value) -> bool {
    value.as_object().is_none_or(|message| message.keys().any(|key| key != "role"))
}

/// Calls of tools and thoughts that some SDKs write beside the answer.
fn beside(span: &Span, fold: Fold, output: &mut Vec<Message>) {
    let value = |names: [&str; 2]| names.iter().find_map(|name| span.attributes.get(*name));
    let calls =
        value(["ai.response.toolCalls", "ai.result.toolCalls"]).or_else(|| span.attributes.get("lk.response.function_calls"));
    let calls = calls.map(|calls| fold.tool_calls(calls)).unwrap_or_default();
    let thought = span.attributes.get("ai.response.reasoning").and_then(Value::as_str).filter(|thought| !thought.is_empty());
    if calls.is_empty() && thought.is_none() {
        return;
    }
    if output.is_empty() {
        output.push(Message { role: "assistant".into(), ..Message::default() });
    }
    if let Some(last) = output.last_mut() {
        if let Some(thought) = thought {
            last.parts.insert(0, Part::Reasoning { content: fold.cut(thought) });
        }
        last.parts.extend(calls);
    }
}

fn system(fold: Fold, value: &Value) -> Vec<Part> {
    fold.messages(value, "system").into_iter().flat_map(|message| message.parts).collect()
}

/// A list that is one attribute or many.
fn list_of(said: &Said<'_>, span: &Span, fold: Fold, fact: Fact) -> Vec<Value> {
    let whole = said.value(fact).filter(|_| said.is_whole(fact)).map(|value| match value {
        Value::String(text) => fold.opened(text).unwrap_or_else(|| Value::String(fold.cut(text))),
        other => other.clone(),
    });
    let prefixes = || PREFIXES.iter().filter(|(says, ..)| *says == fact);
    let value = whole.or_else(|| prefixes().find_map(|(.., prefix)| gathered(&span.attributes, prefix)));
    value.map(|value| items(&value).into_iter().cloned().collect()).unwrap_or_default()
}

fn tool(said: &Said<'_>, fold: Fold) -> Option<ToolUse> {
    let word = |fact: Fact| said.value(fact).and_then(text).map(Cow::into_owned);
    let value = |fact: Fact| match said.value(fact) {
        Some(Value::String(text)) => parts::json_or_text(fold, text),
        Some(other) => other.clone(),
        None => Value::Null,
    };
    let tool = ToolUse {
        id: word(Fact::ToolCall),
        name: word(Fact::ToolName),
        arguments: value(Fact::ToolArguments),
        result: value(Fact::ToolResult),
    };
    (tool != ToolUse::default()).then_some(tool)
}

fn collect(message: &Message, text: &mut String) {
    for part in &message.parts {
        match part {
            Part::Text { content } | Part::Reasoning { content } => text.extend([content.as_str(), "\n"]),
            Part::ToolCall { name, arguments, .. } => {
                text.extend([name.as_str(), "\n"]);
                strings(arguments, text);
            }
            Part::ToolCallResponse { result: value, .. } | Part::Other { value } => strings(value, text),
            Part::Uri { .. } | Part::Blob { .. } | Part::File { .. } => {}
        }
    }
}

fn strings(value: &Value, text: &mut String) {
    match value {
        Value::String(said) => text.extend([said.as_str(), "\n"]),
        Value::Array(list) => list.iter().for_each(|item| strings(item, text)),
        Value::Object(map) => map.values().for_each(|item| strings(item, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
