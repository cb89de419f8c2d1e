//! SQLite says which columns of a unique constraint were violated, not its name, and says nothing
//! of a foreign key. The names are in the schema's own text, read once at start.

use std::collections::HashMap;

use crate::{CatalogFault, ConstraintKind};

#[derive(Debug, Default)]
pub(crate) struct Constraints {
    /// `table.a, table.b` as SQLite writes it, to the constraints over these columns.
    unique: HashMap<String, Vec<String>>,
    foreign: Vec<String>,
}

impl Constraints {
    /// Reads one `CREATE TABLE` or `CREATE UNIQUE INDEX`.
    pub(crate) fn read(&mut self, sql: &str) {
        let words = words(sql);
        let text: Vec<&str> = words.iter().map(String::as_str).collect();
        match text.as_slice() {
            [create, table, name, "(", body @ ..] if is(create, "create") && is(table, "table") => {
                self.read_table(name, body);
            }
            [create, unique, index, name, on, table, "(", body @ ..]
                if is(create, "create") && is(unique, "unique") && is(index, "index") && is(on, "on") =>
            {
                self.add_unique(table, &columns(body), name);
            }
            _ => {}
        }
    }

    fn read_table(&mut self, table: &str, body: &[&str]) {
        let mut depth = 1;
        let mut defined = "";
        let mut starts = true;
        for (at, word) in body.iter().enumerate() {
            if starts {
                defined = word;
                starts = false;
            }
            match *word {
                "(" => depth += 1,
                ")" => depth -= 1,
                "," if depth == 1 => starts = true,
                _ if depth == 1 && is(word, "constraint") => self.read_constraint(table, defined, &body[at + 1..]),
                _ => {}
            }
        }
    }

    fn read_constraint(&mut self, table: &str, column: &str, rest: &[&str]) {
        match rest {
            [name, primary, key, "(", body @ ..] if is(primary, "primary") && is(key, "key") => {
                self.add_unique(table, &columns(body), name);
            }
            [name, unique, "(", body @ ..] if is(unique, "unique") => self.add_unique(table, &columns(body), name),
            [name, primary, key, ..] if is(primary, "primary") && is(key, "key") => {
                self.add_unique(table, &[column], name);
            }
            [name, unique, ..] if is(unique, "unique") => self.add_unique(table, &[column], name),
            [name, foreign, ..] if is(foreign, "foreign") || is(foreign, "references") => {
                self.foreign.push((*name).to_owned());
            }
            _ => {}
        }
    }

    fn add_unique(&mut self, table: &str, columns: &[&str], name: &str) {
        let key = columns.iter().map(|column| format!("{table}.{column}")).collect::<Vec<_>>().join(", ");
        self.unique.entry(key).or_default().push(name.to_owned());
    }

    /// Adds the names to a fault that came without.
    pub(crate) fn name(&self, fault: CatalogFault) -> CatalogFault {
        let CatalogFault::Constraint { kind, source, .. } = fault else {
            return fault;
        };
        let names = source.as_database_error().map_or_else(Vec::new, |error| self.candidates(kind, error.message()));
        CatalogFault::Constraint { kind, names, source }
    }

    pub(crate) fn candidates(&self, kind: ConstraintKind, message: &str) -> Vec<String> {
        let what = message.split_once("constraint failed: ").map_or("", |(_, what)| what);
        match kind {
            ConstraintKind::ForeignKey => self.foreign.clone(),
            ConstraintKind::Check => vec![what.to_owned()],
            ConstraintKind::Unique => match what.strip_prefix("index '").and_then(|rest| rest.strip_suffix('\'')) {
                Some(index) => vec![index.to_owned()],
                None => self.unique.get(what).cloned().unwrap_or_default(),
            },
            ConstraintKind::NotNull => Vec::new(),
        }
    }
}

/// The column names up to the closing parenthesis; `COLLATE x`, `ASC` and `DESC` after a name are left out.
fn columns<'a>(body: &[&'a str]) -> Vec<&'a str> {
    let inside = body.split(|word| *word == ")").next().unwrap_or_default();
    inside.split(|word| *word == ",").filter_map(|part| part.first().copied()).collect()
}

fn is(word: &str, keyword: &str) -> bool {
    word.eq_ignore_ascii_case(keyword)
}

/// Identifiers and punctuation; comments dropped, quotes around identifiers removed, string
/// literals kept as one word.
fn words(sql: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = sql.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if matches!(first, '"' | '`' | '\'') {
            let close = rest[1..].find(first).map_or(rest.len(), |at| at + 2);
            let inside = rest[1..close].trim_end_matches(first);
            words.push(inside.to_owned());
            close
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            words.push(rest[..end].to_owned());
            end
        } else {
            words.push(first.to_string());
            first.len_utf8()
        };
        rest = rest[end..].trim_start();
    }
    words
}
