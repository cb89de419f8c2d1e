//! Where a key lies, as the other gateway says it.

use std::collections::{BTreeMap, BTreeSet};

use mainspring_providers::CredentialRef;

use crate::{names, report::Variable};

/// What stands in the place of a key.
pub(crate) enum Key {
    Variable(String),
    File(String),
    /// The key itself.
    Literal(String),
}

/// What people write where a server wants no key, in lower case.
const NONE: [&str; 16] = [
    "",
    "-",
    "none",
    "null",
    "empty",
    "dummy",
    "fake",
    "fake-key",
    "anything",
    "unused",
    "not-needed",
    "no-key",
    "no-key-needed",
    "no-key-required",
    "sk-no-key-required",
    "sk-dummy",
];

/// Which variables there are, and which key of the file goes into which. The keys themselves are kept here while an import
/// runs, so that one that stands in two places becomes one variable, and leave it never: nothing of this is printed.
#[derive(Default)]
pub(crate) struct Keys {
    taken: BTreeSet<String>,
    literals: BTreeMap<String, String>,
    variables: Vec<Variable>,
}

impl Keys {
    /// The file names this variable itself: it is not free for a key.
    pub(crate) fn reserve(&mut self, name: &str) {
        self.taken.insert(name.to_owned());
    }

    /// A reference for a spec. A fault says what is wrong without saying what stands there.
    pub(crate) fn reference(&mut self, key: Key, usual: &str, path: &str) -> Result<Option<CredentialRef>, String> {
        match key {
            Key::Variable(name) => {
                let reference = format!("env:{name}").parse();
                let reference = reference.map_err(|_| "this is no name of a variable".to_owned())?;
                self.note(&name, path, false);
                Ok(Some(reference))
            }
            Key::File(place) => match format!("file:{place}").parse() {
                Ok(reference) => Ok(Some(reference)),
                Err(_) => Err("the path of a file begins with a slash here".to_owned()),
            },
            Key::Literal(text) if NONE.contains(&text.trim().to_ascii_lowercase().as_str()) => Ok(None),
            Key::Literal(text) => {
                let name = self.name(text, usual);
                self.note(&name, path, true);
                format!("env:{name}").parse().map(Some).map_err(|_| "no variable can be named after it".to_owned())
            }
        }
    }

    /// The variable for a key that stands in the file.
    fn name(&mut self, text: String, usual: &str) -> String {
        if let Some(name) = self.literals.get(&text) {
            return name.clone();
        }
        let usual = names::variable(usual);
        let numbered = |number: u32| if number == 1 { usual.clone() } else { format!("{usual}_{number}") };
        let name = (1..).map(numbered).find(|name| !self.taken.contains(name)).unwrap_or(usual.clone());
        self.taken.insert(name.clone());
        self.literals.insert(text, name.clone());
        name
    }

    fn note(&mut self, name: &str, path: &str, in_file: bool) {
        match self.variables.iter_mut().find(|variable| variable.name == name) {
            Some(variable) => {
                variable.in_file |= in_file;
                if !variable.paths.iter().any(|known| known == path) {
                    variable.paths.push(path.to_owned());
                }
            }
            None => self.variables.push(Variable { name: name.to_owned(), paths: vec![path.to_owned()], in_file }),
        }
    }

    pub(crate) fn into_variables(self) -> Vec<Variable> {
        self.variables
    }
}
