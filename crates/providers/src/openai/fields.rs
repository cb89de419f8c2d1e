//! Fields of a client's request, taken one by one; what is left is what has no word here.

use mainspring_kernel::{Fault, FaultKind, text};
use serde_json::{Map, Value};

/// A request that cannot be read. The fault is the client's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ReadFault {
    /// As OpenAI's errors name it: `messages[2].content`. Empty where it is the body as a whole.
    pub param: String,
    pub message: String,
}

impl Fault for ReadFault {
    fn kind(&self) -> FaultKind {
        FaultKind::Invalid
    }

    fn code(&self) -> &'static str {
        if self.param.is_empty() { "body-not-json" } else { "openai-invalid-parameter" }
    }
}

impl ReadFault {
    pub(super) fn new(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { param: param.into(), message: message.into() }
    }

    pub(super) fn must(param: impl Into<String>, be: &str) -> Self {
        let param = param.into();
        let message = format!("`{param}` must be {be}");
        Self { param, message }
    }

    pub(super) fn missing(param: impl Into<String>) -> Self {
        let param = param.into();
        let message = format!("`{param}` is missing");
        Self { param, message }
    }
}

/// An object whose fields are taken out of it. `null` is as good as absent.
#[derive(Debug)]
pub(super) struct Fields {
    map: Map<String, Value>,
    /// Where the object stands, with a dot at its end; empty at the top.
    at: String,
}

impl Fields {
    pub(super) fn of_body(body: &[u8]) -> Result<Self, ReadFault> {
        let unreadable = |error: serde_json::Error| {
            let why = text::elide(&error.to_string(), 200);
            ReadFault::new("", format!("the body cannot be read: {why}"))
        };
        Ok(Self { map: serde_json::from_slice(body).map_err(unreadable)?, at: String::new() })
    }

    pub(super) fn of(value: Value, at: &str) -> Result<Self, ReadFault> {
        match value {
            Value::Object(map) => Ok(Self { map, at: format!("{at}.") }),
            _ => Err(ReadFault::must(at, "an object")),
        }
    }

    /// The field's place from the top.
    pub(super) fn at(&self, name: &str) -> String {
        format!("{}{name}", self.at)
    }

    pub(super) fn must(&self, name: &str, be: &str) -> ReadFault {
        ReadFault::must(self.at(name), be)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.map.shift_remove(name).filter(|value| !value.is_null())
    }

    /// Puts a field back: it has no word here after all.
    pub(super) fn keep(&mut self, name: &str, value: Value) {
        self.map.insert(name.to_owned(), value);
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, ReadFault> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.must(name, "text")),
        }
    }

    pub(super) fn needed_text(&mut self, name: &str) -> Result<String, ReadFault> {
        self.text(name)?.ok_or_else(|| ReadFault::missing(self.at(name)))
    }

    pub(super) fn boolean(&mut self, name: &str) -> Result<Option<bool>, ReadFault> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(_) => Err(self.must(name, "true or false")),
        }
    }

    pub(super) fn number(&mut self, name: &str) -> Result<Option<f64>, ReadFault> {
        let Some(value) = self.take(name) else { return Ok(None) };
        value.as_f64().map(Some).ok_or_else(|| self.must(name, "a number"))
    }

    pub(super) fn whole(&mut self, name: &str) -> Result<Option<i64>, ReadFault> {
        let Some(value) = self.take(name) else { return Ok(None) };
        whole(&value).map(Some).ok_or_else(|| self.must(name, "a whole number"))
    }

    /// Below nothing is how some clients say that there is no bound.
    pub(super) fn bound(&mut self, name: &str) -> Result<Option<u32>, ReadFault> {
        let number = self.whole(name)?.filter(|number| *number >= 0);
        Ok(number.map(|number| u32::try_from(number).unwrap_or(u32::MAX)))
    }

    pub(super) fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, ReadFault> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(self.must(name, "a list")),
        }
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Option<Fields>, ReadFault> {
        let at = self.at(name);
        self.take(name).map(|value| Fields::of(value, &at)).transpose()
    }

    /// Names what nobody took, and what is therefore told to nobody.
    pub(super) fn left(self, unread: &mut Vec<String>) {
        let Self { map, at } = self;
        let said = map.into_iter().filter(|(_, value)| !value.is_null());
        unread.extend(said.map(|(name, _)| format!("{at}{name}")));
    }

    /// What nobody took.
    pub(super) fn rest(self) -> Map<String, Value> {
        let mut map = self.map;
        map.retain(|_, value| !value.is_null());
        map
    }
}

/// A whole number, also when it is written `64.0`.
fn whole(value: &Value) -> Option<i64> {
    let written_as_float = || value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 9e15);
    value.as_i64().or_else(|| written_as_float().map(|number| number as i64))
}
