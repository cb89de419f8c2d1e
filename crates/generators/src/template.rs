//! From messages to a prompt, by the chat template in the model file.
//!
//! Templates are Jinja as Python renders it, written by whoever made the file: they run with a limit
//! on work, see nothing but the messages, and may refuse.

use std::collections::BTreeMap;

use mainspring_llm::Message;
use minijinja::{
    Environment, Error, ErrorKind, State, UndefinedBehavior, Value,
    syntax::SyntaxConfig,
    value::{ValueKind, from_args},
};

/// Steps a template may take. Real ones take a few dozen for each message.
const FUEL: u64 = 2_000_000;
const NAME: &str = "chat";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TemplateFault {
    /// The template says that these messages are not for its model.
    Refused(String),
    /// The template cannot be rendered.
    Broken(String),
}

#[derive(Debug)]
pub(crate) struct ChatTemplate {
    environment: Environment<'static>,
    bos: String,
    eos: String,
}

impl ChatTemplate {
    pub(crate) fn new(source: String, bos: String, eos: String) -> Result<Self, TemplateFault> {
        let broken = |fault: Error| TemplateFault::Broken(fault.to_string());
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        environment.set_fuel(Some(FUEL));
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        // As the Python library that these templates are written for sets it.
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(broken)?;
        environment.set_syntax(syntax);
        environment.set_unknown_method_callback(python_method);
        environment.add_function("raise_exception", |text: String| -> Result<String, Error> {
            Err(Error::new(ErrorKind::EvalBlock, format!("{REFUSAL}{text}")))
        });
        // A prompt must not change with the day it is rendered on.
        environment.add_function("strftime_now", |_: String| String::new());
        environment.add_template_owned(NAME, source).map_err(broken)?;
        Ok(Self { environment, bos, eos })
    }

    /// The prompt for an answer to these messages.
    pub(crate) fn render(&self, messages: &[Message]) -> Result<String, TemplateFault> {
        let messages: Vec<Value> = messages
            .iter()
            .map(|Message { role, content }| {
                Value::from(BTreeMap::from([("role", Value::from(role.as_str())), ("content", Value::from(content.as_str()))]))
            })
            .collect();
        let context = BTreeMap::from([
            ("messages", Value::from(messages)),
            ("add_generation_prompt", Value::from(true)),
            ("bos_token", Value::from(self.bos.as_str())),
            ("eos_token", Value::from(self.eos.as_str())),
        ]);
        let template = self.environment.get_template(NAME).map_err(|fault| TemplateFault::Broken(fault.to_string()))?;
        template.render(Value::from(context)).map_err(|fault| {
            let text = fault.to_string();
            match text.split_once(REFUSAL) {
                Some((_, reason)) => TemplateFault::Refused(reason.split(" (in ").next().unwrap_or(reason).to_owned()),
                None => TemplateFault::Broken(text),
            }
        })
    }
}

const REFUSAL: &str = "the model's template refuses: ";

/// The methods of Python's strings and maps that templates use.
fn python_method(state: &mut State<'_, '_>, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::String => string_method(value.as_str().unwrap_or_default(), method, args),
        ValueKind::Map => match method {
            "items" => state.apply_filter("items", std::slice::from_ref(value)),
            "keys" => Ok(value.try_iter()?.collect()),
            "values" => {
                let keys: Vec<Value> = value.try_iter()?.collect();
                keys.iter().map(|key| value.get_item(key)).collect::<Result<Vec<_>, _>>().map(Value::from)
            }
            "get" => {
                let (key, default): (&Value, Option<&Value>) = from_args(args)?;
                let found = value.get_item(key)?;
                Ok(if found.is_undefined() { default.cloned().unwrap_or_else(|| Value::from(())) } else { found })
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        },
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn string_method(text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let set = |args| -> Result<Option<Vec<char>>, Error> {
        let (chars,): (Option<&str>,) = from_args(args)?;
        Ok(chars.map(|chars| chars.chars().collect()))
    };
    let matches = |set: &Option<Vec<char>>, c: char| set.as_ref().map_or(c.is_whitespace(), |set| set.contains(&c));
    Ok(match method {
        "strip" => {
            let set = set(args)?;
            text.trim_matches(|c| matches(&set, c)).into()
        }
        "lstrip" => {
            let set = set(args)?;
            text.trim_start_matches(|c| matches(&set, c)).into()
        }
        "rstrip" => {
            let set = set(args)?;
            text.trim_end_matches(|c| matches(&set, c)).into()
        }
        "startswith" => {
            let (prefix,): (&str,) = from_args(args)?;
            text.starts_with(prefix).into()
        }
        "endswith" => {
            let (suffix,): (&str,) = from_args(args)?;
            text.ends_with(suffix).into()
        }
        "upper" => text.to_uppercase().into(),
        "lower" => text.to_lowercase().into(),
        "title" | "capitalize" => {
            let mut chars = text.chars();
            let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
            (first + &chars.as_str().to_lowercase()).into()
        }
        "replace" => {
            let (from, to): (&str, &str) = from_args(args)?;
            text.replace(from, to).into()
        }
        "split" => {
            let (separator,): (Option<&str>,) = from_args(args)?;
            let parts: Vec<Value> = match separator {
                Some(separator) => text.split(separator).map(Value::from).collect(),
                None => text.split_whitespace().map(Value::from).collect(),
            };
            parts.into()
        }
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}
