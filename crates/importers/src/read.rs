//! Reading what may be anything.

use serde_json::{Map, Value};

/// A table of the file, and where it stands.
#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) path: String,
    fields: Map<String, Value>,
}

impl Table {
    pub(crate) fn of(path: impl Into<String>, value: Value) -> Option<Self> {
        match value {
            Value::Object(fields) => Some(Self { path: path.into(), fields }),
            _ => None,
        }
    }

    pub(crate) fn empty(path: impl Into<String>) -> Self {
        Self { path: path.into(), fields: Map::new() }
    }

    pub(crate) fn at(&self, name: &str) -> String {
        joined(&self.path, name)
    }

    /// Takes a field out; `null` is none.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.fields.shift_remove(name).filter(|value| !value.is_null())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.get(name).is_some_and(|value| !value.is_null())
    }

    pub(crate) fn peek(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let found = self.fields.get(name)?.as_str()?.to_owned();
        self.fields.shift_remove(name);
        Some(found)
    }

    pub(crate) fn number(&mut self, name: &str) -> Option<f64> {
        let found = number(self.fields.get(name)?)?;
        self.fields.shift_remove(name);
        Some(found)
    }

    pub(crate) fn whole(&mut self, name: &str) -> Option<u64> {
        let found = whole(self.fields.get(name)?)?;
        self.fields.shift_remove(name);
        Some(found)
    }

    pub(crate) fn truth(&mut self, name: &str) -> Option<bool> {
        let found = truth(self.fields.get(name)?)?;
        self.fields.shift_remove(name);
        Some(found)
    }

    pub(crate) fn table(&mut self, name: &str) -> Option<Self> {
        if !self.fields.get(name)?.is_object() {
            return None;
        }
        let path = self.at(name);
        Self::of(path, self.fields.shift_remove(name)?)
    }

    pub(crate) fn list(&mut self, name: &str) -> Option<Vec<Value>> {
        if !self.fields.get(name)?.is_array() {
            return None;
        }
        match self.fields.shift_remove(name) {
            Some(Value::Array(list)) => Some(list),
            _ => None,
        }
    }

    /// A text or a list of texts.
    pub(crate) fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let found = texts(self.fields.get(name)?)?;
        self.fields.shift_remove(name);
        Some(found)
    }

    pub(crate) fn merge(&mut self, more: Map<String, Value>) {
        for (name, value) in more {
            self.fields.entry(name).or_insert(value);
        }
    }

    /// What has not been taken, by name. Values are not shown to anyone: they may be secrets.
    pub(crate) fn rest(self) -> Vec<(String, Value)> {
        self.fields.into_iter().filter(|(_, value)| !value.is_null()).collect()
    }

    /// Its fields as tables, in the order written; what is no table is given by name.
    pub(crate) fn tables(self) -> (Vec<(String, Self)>, Vec<String>) {
        let (mut tables, mut others) = (Vec::new(), Vec::new());
        for (name, value) in self.fields {
            match Self::of(joined(&self.path, &name), value) {
                Some(table) => tables.push((name, table)),
                None => others.push(name),
            }
        }
        (tables, others)
    }
}

pub(crate) fn joined(path: &str, name: &str) -> String {
    // A key of a file is not printed whole where it is none that a person would write.
    let plain = name.len() <= 80 && name.chars().all(|letter| !letter.is_control());
    let name = if plain { name } else { "…" };
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

pub(crate) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a whole number within the bounds")]
pub(crate) fn whole(value: &Value) -> Option<u64> {
    if let Some(whole) = value.as_u64() {
        return Some(whole);
    }
    let number = number(value)?;
    (number.fract() == 0.0 && (0.0..=9e15).contains(&number)).then_some(number as u64)
}

pub(crate) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

pub(crate) fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(list) => list.iter().map(|each| each.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}
