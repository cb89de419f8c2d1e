//! Tools that take text and no JSON. To providers that know functions only they are functions of one argument; to the client
//! they come back as what it sent.

use std::collections::{BTreeMap, BTreeSet};

use mainspring_llm::exchange::Tool;
use memchr::memmem;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::fields::{Fields, ReadFault},
    later, spaces,
};

/// The argument that holds the text.
const INPUT: &str = "input";
const KIND: &str = "custom";

/// Those of a request's tools that are functions to others, and something else to the client: tools that take text, tools in
/// a namespace, and a search for tools.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomTools {
    /// By the names they have elsewhere.
    texts: BTreeSet<String>,
    /// By those names: the namespace, and the name in it.
    spaces: BTreeMap<String, (String, String)>,
    searches: bool,
}

impl CustomTools {
    /// Of a client's body; none where it cannot be read, which is told elsewhere.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Body {
            tools: Option<Vec<Value>>,
            #[serde(default)]
            input: Value,
        }
        // Most requests have none, and need not be read for it.
        let words = [b"\"custom\"".as_slice(), b"\"namespace\"", b"\"tool_search\""];
        if words.iter().all(|word| memmem::find(body, word).is_none()) {
            return Self::default();
        }
        let Ok(Body { tools, input }) = serde_json::from_slice(body) else { return Self::default() };
        let mut tools = tools.unwrap_or_default();
        tools.extend(later::of_input(Some(&input)).map(|(_, tool)| tool.clone()));
        let plain = tools.iter().filter(|tool| is_custom(tool)).filter_map(|tool| spaces::name(tool).map(str::to_owned));
        let searches = tools.iter().any(later::is_the_clients);
        let mut found = Self { texts: plain.collect(), spaces: BTreeMap::new(), searches };
        for (whole, space, tool) in spaces::named(&tools) {
            if is_custom(tool) {
                found.texts.insert(whole.clone());
            }
            let own = spaces::name(tool).unwrap_or_default().to_owned();
            found.spaces.insert(whole, (space.to_owned(), own));
        }
        found
    }

    /// Whether a tool takes text.
    pub(super) fn has(&self, name: &str) -> bool {
        self.texts.contains(name)
    }

    /// Whether a call is one of the search for tools.
    pub(super) fn is_search(&self, name: &str) -> bool {
        self.searches && name == later::SEARCH
    }

    /// The namespace of a tool, where it has one, and its name as the client knows it.
    pub(super) fn split<'n>(&'n self, name: &'n str) -> (Option<&'n str>, &'n str) {
        match self.spaces.get(name) {
            Some((space, own)) => (Some(space), own),
            None => (None, name),
        }
    }
}

pub(super) fn is_custom(tool: &Value) -> bool {
    tool.get("type").and_then(Value::as_str) == Some(KIND)
}

/// As a function. A grammar that the text has to fit is told to the model, since nobody there enforces it.
pub(super) fn tool(mut fields: Fields) -> Result<Tool, ReadFault> {
    let name = fields.needed_text("name")?;
    let said = fields.text("description")?;
    let grammar = fields.object("format")?.map(grammar).transpose()?.flatten();
    let description: Vec<String> = said.into_iter().chain(grammar).collect();
    let parameters = json!({
        "type": "object",
        "properties": {INPUT: {"type": "string", "description": "The whole input of the tool, as plain text."}},
        "required": [INPUT],
        "additionalProperties": false,
    });
    Ok(Tool::Function {
        name,
        description: (!description.is_empty()).then(|| description.join("\n\n")),
        parameters: Some(parameters),
        strict: None,
        cache: None,
    })
}

fn grammar(mut format: Fields) -> Result<Option<String>, ReadFault> {
    let syntax = format.text("syntax")?;
    let definition = format.text("definition")?;
    Ok(definition.map(|definition| {
        let syntax = syntax.map(|syntax| format!(" ({syntax})")).unwrap_or_default();
        format!("`{INPUT}` must be text of this grammar{syntax}:\n{definition}")
    }))
}

/// A text as the argument of the function.
pub(super) fn arguments(input: &str) -> String {
    json!({INPUT: input}).to_string()
}

/// The text in a function's arguments.
pub(super) fn input(arguments: &str) -> String {
    let mut input = Input::default();
    input.push(arguments);
    input.finish();
    input.text
}

/// The text in a function's arguments, as they come piece by piece.
#[derive(Debug, Default)]
pub(super) struct Input {
    raw: String,
    /// How much of it has been read.
    read: usize,
    text: String,
    place: Place,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Place {
    /// Before the text.
    #[default]
    Before,
    Inside,
    After,
    /// These are no arguments that were asked for; what they are is seen at the end.
    Odd,
}

impl Input {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What of the text this piece brings.
    pub(super) fn push(&mut self, fragment: &str) -> String {
        self.raw.push_str(fragment);
        if self.place == Place::Before {
            match opening(&self.raw) {
                Opening::Complete(read) => {
                    self.read = read;
                    self.place = Place::Inside;
                }
                Opening::Short => {}
                Opening::Other => self.place = Place::Odd,
            }
        }
        if self.place == Place::Inside { self.inside() } else { String::new() }
    }

    /// What of the text is known only at the end: all of it, where the arguments are others than were asked for.
    pub(super) fn finish(&mut self) -> String {
        let odd = matches!(self.place, Place::Before | Place::Odd);
        self.place = Place::After;
        if !odd {
            return String::new();
        }
        self.text = otherwise(&self.raw);
        self.text.clone()
    }

    fn inside(&mut self) -> String {
        let from = self.text.len();
        while let Some(next) = self.raw[self.read..].find(['"', '\\']) {
            let at = self.read + next;
            self.text.push_str(&self.raw[self.read..at]);
            self.read = at;
            if self.raw.as_bytes()[at] == b'"' {
                self.place = Place::After;
                return self.text[from..].to_owned();
            }
            let Some((letter, length)) = escape(&self.raw[at..]) else {
                return self.text[from..].to_owned();
            };
            self.text.push(letter);
            self.read += length;
        }
        self.text.push_str(&self.raw[self.read..]);
        self.read = self.raw.len();
        self.text[from..].to_owned()
    }
}

enum Opening {
    /// So many bytes come before the text.
    Complete(usize),
    /// So far it is one.
    Short,
    Other,
}

/// Everything before the first letter of the text.
fn opening(raw: &str) -> Opening {
    let mut rest = raw;
    for token in ["{", "\"input\"", ":", "\""] {
        rest = rest.trim_start();
        match rest.strip_prefix(token) {
            Some(after) => rest = after,
            None if token.starts_with(rest) => return Opening::Short,
            None => return Opening::Other,
        }
    }
    Opening::Complete(raw.len() - rest.len())
}

/// The letter that an escape stands for and how long the escape is; nothing where its end has not come.
fn escape(raw: &str) -> Option<(char, usize)> {
    let letter = match raw.as_bytes().get(1)? {
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'u' => return unicode(raw),
        _ => {
            let letter = raw[1..].chars().next()?;
            return Some((letter, 1 + letter.len_utf8()));
        }
    };
    Some((letter, 2))
}

/// One that stands for a character by its number, or two that stand for one together.
fn unicode(raw: &str) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = raw.as_bytes().get(at..at + 4)?;
        let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        Some(digits.and_then(|digits| u16::from_str_radix(digits, 16).ok()))
    };
    let Some(first) = unit(2)? else { return Some((char::REPLACEMENT_CHARACTER, 2)) };
    if !(0xD800..0xDC00).contains(&first) {
        return Some((char::from_u32(first.into()).unwrap_or(char::REPLACEMENT_CHARACTER), 6));
    }
    let lone = Some((char::REPLACEMENT_CHARACTER, 6));
    let after = &raw.as_bytes()[6..];
    if after.len() < 2 && b"\\u".starts_with(after) {
        return None;
    }
    if !after.starts_with(b"\\u") {
        return lone;
    }
    let Some(second) = unit(8)? else { return lone };
    match char::decode_utf16([first, second]).next() {
        Some(Ok(letter)) => Some((letter, 12)),
        _ => lone,
    }
}

/// What a model meant that did not keep to the function's schema: the only text it gave, or what it wrote as it stands.
fn otherwise(raw: &str) -> String {
    match serde_json::from_str::<Value>(raw) {
        Ok(Value::String(text)) => text,
        // The function was called with nothing.
        Ok(Value::Object(fields)) if fields.is_empty() => String::new(),
        Ok(Value::Object(fields)) => {
            let named = fields.get(INPUT).and_then(Value::as_str);
            let only = fields.values().next().and_then(Value::as_str).filter(|_| fields.len() == 1);
            named.or(only).map_or_else(|| raw.to_owned(), str::to_owned)
        }
        _ => raw.to_owned(),
    }
}

#[cfg(test)]
mod tests;
