//! Templates to messages. The only file that knows the template engine.

use std::collections::BTreeMap;

use mainspring_kernel::text;
use mainspring_llm::Message;
use minijinja::{Environment, UndefinedBehavior, value::Serde};
use serde_json::Value;

use crate::{PromptFault, PromptSpec};

/// Enough for any honest prompt; a template that loops over loops is stopped here.
const FUEL: u64 = 1_000_000;
pub(crate) const RENDERED_MAX: usize = 4 * 1024 * 1024;

fn environment() -> Environment<'static> {
    // No loader and no debug: a template reaches nothing but its values and the built-in filters.
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment
}

impl PromptSpec {
    /// Checks everything that can be known before rendering.
    pub fn validate(&self) -> Result<(), PromptFault> {
        if self.messages.is_empty() {
            return Err(PromptFault::NoMessages);
        }
        for (name, parameter) in &self.parameters {
            if parameter.default.as_ref().is_some_and(|default| !parameter.kind.accepts(default)) {
                return Err(PromptFault::BadDefault { name: name.clone(), kind: parameter.kind });
            }
        }
        let environment = environment();
        for (index, message) in self.messages.iter().enumerate() {
            let template = environment
                .template_from_str(&message.content)
                .map_err(|error| PromptFault::Template { message: index, reason: describe(&error) })?;
            for name in template.undeclared_variables(false) {
                if !self.parameters.contains_key(&name) && environment.globals().all(|(global, _)| global != name) {
                    let suggestion = text::nearest(&name, self.parameters.keys().map(String::as_str)).map(str::to_owned);
                    return Err(PromptFault::Undeclared { message: index, name, suggestion });
                }
            }
        }
        Ok(())
    }

    /// Renders every message with these values.
    pub fn render(&self, values: &BTreeMap<String, Value>) -> Result<Vec<Message>, PromptFault> {
        let values = self.complete(values)?;
        let environment = environment();
        let mut messages = Vec::with_capacity(self.messages.len());
        for (index, message) in self.messages.iter().enumerate() {
            let template_fault = |error: minijinja::Error| PromptFault::Template { message: index, reason: describe(&error) };
            let template = environment.template_from_str(&message.content).map_err(template_fault)?;
            let mut out = Bounded { bytes: Vec::new(), overflowed: false };
            let rendered = template.render_captured_to(Serde(&values), &mut out);
            if out.overflowed {
                return Err(PromptFault::TooLong { message: index, limit: RENDERED_MAX });
            }
            rendered.map_err(template_fault)?;
            let content = String::from_utf8_lossy(&out.bytes).trim().to_owned();
            messages.push(Message::new(message.role.into(), content));
        }
        Ok(messages)
    }

    /// The given values with defaults filled in; every parameter present and of its type.
    fn complete(&self, given: &BTreeMap<String, Value>) -> Result<BTreeMap<String, Value>, PromptFault> {
        if let Some(name) = given.keys().find(|name| !self.parameters.contains_key(*name)) {
            let suggestion = text::nearest(name, self.parameters.keys().map(String::as_str)).map(str::to_owned);
            return Err(PromptFault::Unknown { name: text::elide(name, 80), suggestion });
        }
        let mut values = BTreeMap::new();
        for (name, parameter) in &self.parameters {
            let value = match given.get(name).or(parameter.default.as_ref()) {
                Some(value) => value.clone(),
                None => return Err(PromptFault::Missing { name: name.clone() }),
            };
            if !parameter.kind.accepts(&value) {
                return Err(PromptFault::WrongType { name: name.clone(), kind: parameter.kind });
            }
            values.insert(name.clone(), value);
        }
        Ok(values)
    }
}

/// Stops writing at the limit instead of filling memory.
struct Bounded {
    bytes: Vec<u8>,
    overflowed: bool,
}

impl std::io::Write for Bounded {
    fn write(&mut self, part: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + part.len() > RENDERED_MAX {
            self.overflowed = true;
            return Err(std::io::Error::other("rendered prompt is too long"));
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn describe(error: &minijinja::Error) -> String {
    let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
    let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    format!("{line}{detail}")
}
