//! Migrations come in pairs that make the same tables, columns and indexes; types differ by engine.

use std::collections::{BTreeMap, BTreeSet};

pub(super) fn twins(sqlite: &BTreeMap<String, String>, postgres: &BTreeMap<String, String>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut numbers = BTreeSet::new();
    for name in sqlite.keys().chain(postgres.keys()).collect::<BTreeSet<_>>() {
        let number = name.split('_').next().unwrap_or_default();
        if !numbers.insert(number) {
            problems.push(format!("two migrations have the number {number}"));
        }
        let (Some(one), Some(other)) = (sqlite.get(name), postgres.get(name)) else {
            problems.push(format!("migration {name} is not in both folders"));
            continue;
        };
        let (one, other) = (made_by(one), made_by(other));
        let apart = one.symmetric_difference(&other).map(|thing| format!("migration {name}: {thing} is on one engine only"));
        problems.extend(apart);
    }
    problems
}

/// What a migration makes or takes away, in words that do not depend on the engine.
fn made_by(sql: &str) -> BTreeSet<String> {
    let sql: String = sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join(" ");
    let mut things = BTreeSet::new();
    for statement in sql.split(';') {
        let words: Vec<&str> =
            statement.split_whitespace().filter(|word| !["UNIQUE", "IF", "NOT", "EXISTS"].contains(word)).collect();
        match words.as_slice() {
            ["CREATE", "TABLE", table, ..] => {
                let table = table.trim_end_matches('(');
                things.insert(format!("table {table}"));
                things.extend(columns(statement).into_iter().map(|column| format!("column {table}.{column}")));
            }
            ["CREATE", "INDEX", index, ..] => {
                things.insert(format!("index {index}"));
            }
            ["ALTER", "TABLE", table, "ADD", "COLUMN", column, ..] => {
                things.insert(format!("column {table}.{column}"));
            }
            ["DROP" | "ALTER", ..] => {
                things.insert(words[..words.len().min(6)].join(" "));
            }
            _ => {}
        }
    }
    things
}

/// The first words between the outer parentheses of a `CREATE TABLE`, without those that begin a constraint.
fn columns(statement: &str) -> Vec<&str> {
    let Some((_, inside)) = statement.split_once('(') else { return Vec::new() };
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, letter) in inside.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            ',' | ')' if depth == 0 => {
                parts.push(&inside[start..at]);
                start = at + 1;
                if letter == ')' {
                    break;
                }
            }
            _ => {}
        }
    }
    let first = parts.into_iter().filter_map(|part| part.split_whitespace().next());
    first.filter(|word| !["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"].contains(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> BTreeMap<String, String> {
        files.iter().map(|(name, sql)| ((*name).to_owned(), (*sql).to_owned())).collect()
    }

    #[test]
    fn migrations_come_in_pairs() {
        let two = folder(&[("0001_a.sql", ""), ("0002_b.sql", "")]);
        assert_eq!(twins(&two, &folder(&[("0001_a.sql", "")])), ["migration 0002_b.sql is not in both folders"]);
        let clash = folder(&[("0001_a.sql", ""), ("0001_b.sql", "")]);
        assert_eq!(twins(&clash, &clash), ["two migrations have the number 0001"]);
    }

    #[test]
    fn both_make_the_same_tables_and_columns() {
        let sqlite = "-- A table; with words.\nCREATE TABLE t (\n a TEXT CHECK (a IN ('x', 'y')),\n b INTEGER,\n CONSTRAINT pk PRIMARY KEY (a, b)\n) STRICT;\nCREATE INDEX t_by_b ON t (b);";
        let same = "CREATE TABLE t (a TEXT COLLATE \"C\" CHECK (a IN ('x', 'y')), b BIGINT, CONSTRAINT pk PRIMARY KEY (a, b));\nCREATE INDEX t_by_b ON t (b);";
        let both = |other: &str| twins(&folder(&[("1_t.sql", sqlite)]), &folder(&[("1_t.sql", other)]));
        assert_eq!(both(same), Vec::<String>::new());
        assert_eq!(
            both("CREATE TABLE t (a TEXT, c BIGINT); ALTER TABLE t ADD COLUMN d TEXT;"),
            ["b", "c", "d"]
                .map(|column| format!("migration 1_t.sql: column t.{column} is on one engine only"))
                .into_iter()
                .chain(["migration 1_t.sql: index t_by_b is on one engine only".to_owned()])
                .collect::<Vec<_>>()
        );
    }
}
