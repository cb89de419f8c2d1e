//! From text to manifests, collecting everything that is wrong on the way.

use mainspring_kernel::{AssetKind, Name, Once, Selector, text};
use serde::Deserialize as _;
use serde_json::{Map, Value};

use crate::{
    fault::{Problem, ProblemKind, RegistryFault},
    schema,
    spec::{KindDescriptor, ParsedSpec, SpecProblem},
};

pub const API_VERSION: &str = "mainspring/v1";
const FIELDS: [&str; 6] = ["apiVersion", "kind", "name", "description", "aliases", "spec"];
/// All drafts of one apply together. A folder of specs is text that people wrote.
pub(crate) const BYTES_MAX: usize = 8 << 20;
pub(crate) const DRAFTS_MAX: usize = 2_000;
const DEPTH_MAX: usize = 500;
const DESCRIPTION_MAX: usize = 2_000;
const ALIASES_MAX: usize = 50;

/// One manifest as somebody wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// How to name it in a message: the file, and its place in it when there are several.
    pub origin: String,
    pub value: Value,
}

/// A manifest whose envelope is right and whose kind takes its spec.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    pub origin: String,
    pub kind: AssetKind,
    pub name: Name,
    pub description: Option<String>,
    /// Names for the version that the spec becomes; no part of it.
    pub aliases: Vec<Name>,
    pub spec: ParsedSpec,
}

impl Draft {
    /// Reads the YAML or JSON documents of one file. Empty documents are passed over.
    pub fn read(origin: &str, source: &str) -> Result<Vec<Self>, RegistryFault> {
        if source.len() > BYTES_MAX {
            return Err(RegistryFault::TooLarge { what: "a file of specs", limit: BYTES_MAX, given: source.len() });
        }
        if is_too_deep(source) {
            let message = format!("it is nested more than {DEPTH_MAX} deep");
            let kind = ProblemKind::Syntax;
            let problem = Problem { origin: origin.to_owned(), path: String::new(), kind, message };
            return Err(RegistryFault::Rejected { problems: vec![problem] });
        }
        let mut values = Vec::new();
        for (index, document) in documents(source).enumerate() {
            let value = document.map_err(|error| RegistryFault::Rejected {
                problems: vec![Problem {
                    origin: numbered(origin, index, index + 1),
                    path: String::new(),
                    kind: ProblemKind::Syntax,
                    message: text::elide(&error.to_string(), 400),
                }],
            })?;
            if values.len() >= DRAFTS_MAX {
                return Err(RegistryFault::TooLarge { what: "a file's manifests", limit: DRAFTS_MAX, given: index + 1 });
            }
            if !value.is_null() {
                values.push(value);
            }
        }
        let count = values.len();
        let named = |(index, value)| Self { origin: numbered(origin, index, count), value };
        Ok(values.into_iter().enumerate().map(named).collect())
    }
}

/// The documents of a YAML stream, `null` for an empty one; JSON is YAML too. A field that stands twice is a fault.
pub fn documents(source: &str) -> impl Iterator<Item = Result<Value, yaml_serde::Error>> {
    // Some editors begin every file with a mark of its encoding.
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    yaml_serde::Deserializer::from_str(source).map(|document| Once::deserialize(document).map(|Once(value)| value))
}

/// A YAML scanner looks at every open bracket for every token, so its time grows with the square of
/// the depth: minutes for a file of brackets. Brackets in quoted text are counted too, because
/// telling them apart would take the scanner; prose does not leave hundreds of them open.
#[must_use]
pub fn is_too_deep(source: &str) -> bool {
    let mut open = 0_usize;
    for line in source.lines() {
        let blocks = line.split(' ').take_while(|word| matches!(*word, "" | "-" | "?")).filter(|word| !word.is_empty());
        if blocks.count() > DEPTH_MAX {
            return true;
        }
        for byte in line.bytes() {
            match byte {
                b'[' | b'{' => open += 1,
                b']' | b'}' => open = open.saturating_sub(1),
                _ => {}
            }
            if open > DEPTH_MAX {
                return true;
            }
        }
    }
    false
}

fn numbered(origin: &str, index: usize, count: usize) -> String {
    if count > 1 { format!("{origin}#{}", index + 1) } else { origin.to_owned() }
}

/// Checks every draft by itself. Nothing here looks at the catalog.
pub(crate) fn parse_all(kinds: &[KindDescriptor], drafts: &[Draft]) -> Result<Vec<Manifest>, Vec<Problem>> {
    let mut manifests: Vec<Manifest> = Vec::new();
    let mut problems = Vec::new();
    for draft in drafts {
        match parse(kinds, draft) {
            Ok(manifest) => {
                let same = |other: &&Manifest| other.kind == manifest.kind && other.name == manifest.name;
                if let Some(other) = manifests.iter().find(same) {
                    let message = format!("{} `{}` is also described in {}", other.kind, other.name, other.origin);
                    problems.push(problem(draft, "name", ProblemKind::Duplicate, message));
                }
                manifests.push(manifest);
            }
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(manifests) } else { Err(problems) }
}

fn problem(draft: &Draft, path: &str, kind: ProblemKind, message: String) -> Problem {
    Problem { origin: draft.origin.clone(), path: path.to_owned(), kind, message }
}

fn parse(kinds: &[KindDescriptor], draft: &Draft) -> Result<Manifest, Vec<Problem>> {
    let Value::Object(fields) = &draft.value else {
        let message = "a manifest is an object with apiVersion, kind, name and spec".to_owned();
        return Err(vec![problem(draft, "", ProblemKind::Manifest, message)]);
    };
    let mut problems = unknown_fields(draft, fields);
    problems.extend(check_api_version(draft, fields));
    let descriptor = keep(read_kind(kinds, draft, fields), &mut problems);
    let name = keep(read_name(draft, fields), &mut problems);
    let description = keep(read_description(draft, fields), &mut problems);
    let aliases = keep(read_aliases(draft, fields), &mut problems);
    let spec = match (descriptor, fields.get("spec")) {
        (_, None) => {
            problems.push(problem(draft, "spec", ProblemKind::Manifest, "missing field `spec`".to_owned()));
            None
        }
        (Some(descriptor), Some(spec)) => match parse_spec(descriptor, spec) {
            Ok(spec) => Some(spec),
            Err(found) => {
                problems.extend(found.into_iter().map(|found| spec_problem(draft, found)));
                None
            }
        },
        (None, Some(_)) => None,
    };
    match (descriptor, name, description, aliases, spec) {
        (Some(descriptor), Some(name), Some(description), Some(aliases), Some(spec)) if problems.is_empty() => {
            Ok(Manifest { origin: draft.origin.clone(), kind: descriptor.kind, name, description, aliases, spec })
        }
        _ => Err(problems),
    }
}

fn keep<T>(result: Result<T, Problem>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|found| problems.push(found)).ok()
}

fn unknown_fields(draft: &Draft, fields: &Map<String, Value>) -> Vec<Problem> {
    let unknown = fields.keys().filter(|name| !FIELDS.contains(&name.as_str()));
    unknown
        .map(|name| {
            let message = format!("unknown field `{}`{}", text::elide(name, 80), text::did_you_mean(name, FIELDS));
            problem(draft, "", ProblemKind::UnknownField, message)
        })
        .collect()
}

fn check_api_version(draft: &Draft, fields: &Map<String, Value>) -> Option<Problem> {
    let message = match fields.get("apiVersion") {
        Some(Value::String(given)) if given == API_VERSION => return None,
        Some(given) => format!("apiVersion must be `{API_VERSION}`, not {}", text::elide(&given.to_string(), 80)),
        None => format!("missing field `apiVersion`: write `{API_VERSION}`"),
    };
    Some(problem(draft, "apiVersion", ProblemKind::Manifest, message))
}

fn read_kind<'k>(kinds: &'k [KindDescriptor], draft: &Draft, fields: &Map<String, Value>) -> Result<&'k KindDescriptor, Problem> {
    let given = match fields.get("kind") {
        Some(Value::String(given)) => given,
        Some(_) => {
            return Err(problem(draft, "kind", ProblemKind::Manifest, "kind must be a string".to_owned()));
        }
        None => {
            return Err(problem(draft, "kind", ProblemKind::Manifest, "missing field `kind`".to_owned()));
        }
    };
    let kind = given.parse::<AssetKind>().map_err(|fault| problem(draft, "kind", ProblemKind::UnknownKind, fault.to_string()))?;
    kinds.iter().find(|known| known.kind == kind).ok_or_else(|| {
        let message = format!("assets of kind `{kind}` are not supported by this build");
        problem(draft, "kind", ProblemKind::UnsupportedKind, message)
    })
}

fn read_name(draft: &Draft, fields: &Map<String, Value>) -> Result<Name, Problem> {
    let fault = |message: String| problem(draft, "name", ProblemKind::Manifest, message);
    match fields.get("name") {
        Some(Value::String(given)) => given.parse::<Name>().map_err(|source| fault(source.to_string())),
        Some(_) => Err(fault("name must be a string".to_owned())),
        None => Err(fault("missing field `name`".to_owned())),
    }
}

fn read_description(draft: &Draft, fields: &Map<String, Value>) -> Result<Option<String>, Problem> {
    match fields.get("description") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(given)) if given.chars().count() <= DESCRIPTION_MAX && !given.contains('\0') => {
            Ok(Some(given.clone()))
        }
        Some(_) => {
            let message = format!("description must be a string of at most {DESCRIPTION_MAX} characters");
            Err(problem(draft, "description", ProblemKind::Manifest, message))
        }
    }
}

fn read_aliases(draft: &Draft, fields: &Map<String, Value>) -> Result<Vec<Name>, Problem> {
    let fault = |message: String| problem(draft, "aliases", ProblemKind::Manifest, message);
    let given = match fields.get("aliases") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(given)) if given.len() <= ALIASES_MAX => given,
        Some(_) => return Err(fault(format!("aliases must be a list of at most {ALIASES_MAX} names"))),
    };
    let mut aliases = Vec::with_capacity(given.len());
    for alias in given {
        let text = alias.as_str().ok_or_else(|| fault("an alias must be a string".to_owned()))?;
        let alias: Name = text.parse().map_err(|source: mainspring_kernel::name::NameFault| fault(source.to_string()))?;
        if !is_free(&alias) {
            return Err(fault(format!("`{alias}` cannot be an alias: it already means a version")));
        }
        if !aliases.contains(&alias) {
            aliases.push(alias);
        }
    }
    aliases.sort();
    Ok(aliases)
}

/// `@v3` and `@latest` are read as a number and the newest version before an alias is looked for.
pub(crate) fn is_free(alias: &Name) -> bool {
    matches!(Selector::parse(alias.as_str()), Ok(Selector::Alias(_)))
}

fn parse_spec(descriptor: &KindDescriptor, spec: &Value) -> Result<ParsedSpec, Vec<SpecProblem>> {
    let fault = match descriptor.check(spec) {
        // JSON can say NUL where the stores cannot keep it.
        Ok(parsed) if holds_nul(&parsed.canonical) => {
            return Err(crate::SpecFault::invalid("text may not hold a NUL character").problems);
        }
        Ok(parsed) => return Ok(parsed),
        Err(fault) => fault,
    };
    let mut problems = schema::problems(&(descriptor.schema)(), spec);
    // What serde stopped at is usually among what the walk found; then the walk says it better.
    for found in fault.problems {
        let said = problems.iter().any(|known| known.message == found.message || known.path == found.path);
        if !said {
            problems.push(found);
        }
    }
    Err(problems)
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn spec_problem(draft: &Draft, found: SpecProblem) -> Problem {
    let path = match found.path.as_str() {
        "" => "spec".to_owned(),
        path if path.starts_with('[') => format!("spec{path}"),
        path => format!("spec.{path}"),
    };
    let kind = if found.unknown_field { ProblemKind::UnknownField } else { ProblemKind::Spec };
    problem(draft, &path, kind, found.message)
}
